//! Makes a fingerprint of each picture of a clip that a player could show, since a file may hold
//! several.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::{Detail, Fingerprint, Measures, cancelled, file, made};
use crate::facts::Quality;
use crate::media::VideoStream;
use crate::sandbox::Decoding;
use crate::{Error, Result};

/// What a clip shows, stream by stream.
#[derive(Debug, Clone, PartialEq)]
pub struct ClipPictures {
    /// The decoded pictures, at least one, starting with the one that most players show.
    pub pictures: Vec<Picture>,
    /// All video streams of the file in order, and how each was used.
    pub streams: Vec<(VideoStream, Looked)>,
}

/// One picture: a video stream, or several of which each continues the one before.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// The numbers of its streams among all streams of the file.
    pub streams: Vec<u32>,
    /// When it begins, relative to the first picture of the file.
    pub start: Duration,
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
    /// What determines its price, if the clip was measured.
    pub quality: Option<Quality>,
}

/// How a video stream was used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Looked {
    /// It is part of this picture.
    At(usize),
    /// It is the file's cover and no part of its video.
    Cover,
    /// It is a single picture in a file with a video.
    Still,
    /// It was not decoded, for this reason. The clip is then inconclusive, unless it was published
    /// anyway.
    Not(String),
}

impl ClipPictures {
    /// The only picture.
    ///
    /// # Errors
    ///
    /// [`Error::SeveralPictures`] if the clip has, or may have, others.
    pub fn only(mut self, path: &Path) -> Result<Fingerprint> {
        self.sole(path)?;
        Ok(self.pictures.remove(0).fingerprint)
    }

    /// The only picture, borrowed.
    pub(crate) fn sole(&self, path: &Path) -> Result<&Picture> {
        let unseen = self
            .streams
            .iter()
            .any(|(_, looked)| matches!(looked, Looked::Not(_)));
        match &*self.pictures {
            [picture] if !unseen => Ok(picture),
            _ => {
                let shown = self
                    .streams
                    .iter()
                    .filter(|(_, looked)| matches!(looked, Looked::At(_) | Looked::Not(_)));
                Err(Error::SeveralPictures {
                    path: path.to_owned(),
                    streams: shown.count(),
                })
            }
        }
    }
}

/// Decodes every stream of a clip that a player could show.
pub(super) fn of(
    path: &Path,
    interval: Duration,
    detail: Detail,
    decoding: &Decoding,
    measures: Measures,
    cancel: Option<&AtomicBool>,
) -> Result<ClipPictures> {
    let source = decoding.open(path)?;
    if file::begins_like_one(&source) {
        return Err(Error::IsFingerprint {
            path: path.to_owned(),
        });
    }
    let sha256 = source.sha256(&|| cancelled(cancel))?;
    let of_streams = |streams: &[Option<u32>]| {
        made(
            &source, &sha256, streams, interval, detail, decoding, measures, cancel,
        )
    };
    let first = of_streams(&[None])?;
    let groups = first.1.pictures();
    let (main, listed) = (first.1.stream, first.1.streams.clone());
    let mut first = Some(first);
    let mut found: Vec<Found> = Vec::new();
    let mut missed: Vec<(u32, String)> = Vec::new();
    let mut number = 0;
    for group in groups {
        let (taken, left) = group.split_at(group.len().min(STREAMS_MAX - number));
        number += taken.len();
        missed.extend(
            left.iter()
                .map(|&stream| (stream, format!("more than {STREAMS_MAX} video streams"))),
        );
        if taken.is_empty() {
            continue;
        }
        let whole = match first.take_if(|_| taken == [main]) {
            Some(whole) => Ok(whole),
            None => of_streams(&taken.iter().copied().map(Some).collect::<Vec<_>>()),
        };
        match whole {
            Ok((fingerprint, decoded, quality)) => {
                found.push((taken.to_vec(), decoded.origin_ns, (fingerprint, quality)));
            }
            Err(error) => {
                let reason = reason_of(error)?;
                missed.extend(taken.iter().map(|&stream| (stream, reason.clone())));
                // The stream that most players show may be decodable alone.
                if let Some((fingerprint, decoded, quality)) =
                    first.take_if(|_| taken.contains(&main))
                {
                    missed.retain(|(stream, _)| *stream != main);
                    found.push((vec![main], decoded.origin_ns, (fingerprint, quality)));
                }
            }
        }
    }
    let moving = found
        .iter()
        .any(|(_, _, (fingerprint, _))| fingerprint.frames > 1);
    let (found, stills): (Vec<_>, Vec<_>) = found
        .into_iter()
        // A stream that could not be decoded to its end may show anything.
        .partition(|(_, _, (fingerprint, _))| {
            fingerprint.frames > 1 || !fingerprint.undecoded.is_empty() || !moving
        });
    let begin = found
        .iter()
        .map(|(_, origin, _)| *origin)
        .min()
        .unwrap_or(0);
    let pictures: Vec<Picture> = found
        .into_iter()
        .map(|(streams, origin, (fingerprint, quality))| Picture {
            streams,
            start: Duration::from_nanos(origin.abs_diff(begin)),
            fingerprint: Fingerprint {
                path: path.to_string_lossy().into_owned(),
                ..fingerprint
            },
            quality,
        })
        .collect();
    let looked = |stream: &VideoStream| {
        let of = |streams: &[u32]| streams.contains(&stream.index);
        if let Some(at) = pictures.iter().position(|picture| of(&picture.streams)) {
            Looked::At(at)
        } else if stream.cover {
            Looked::Cover
        } else if stills.iter().any(|(streams, _, _)| of(streams)) {
            Looked::Still
        } else {
            let reason = missed
                .iter()
                .find(|(missed, _)| *missed == stream.index)
                .map(|(_, reason)| reason.clone());
            Looked::Not(reason.unwrap_or_else(|| "not decoded".to_owned()))
        }
    };
    let streams = listed
        .into_iter()
        .map(|stream| (looked(&stream), stream))
        .map(|(looked, stream)| (stream, looked));
    let streams = streams.collect();
    Ok(ClipPictures { pictures, streams })
}

/// Stream numbers, start time, and the fingerprint and quality made from them.
type Found = (Vec<u32>, i64, (Fingerprint, Option<Quality>));

/// The reason why a stream has no picture, if it lies in the file; other errors are returned.
pub(super) fn reason_of(error: Error) -> Result<String> {
    match error {
        Error::Undecodable { reason, .. } => Ok(reason),
        Error::NoDecoder { codec, .. } => Ok(format!("no decoder for codec {codec}")),
        Error::NotAccepted { codec, .. } => Ok(format!("codec {codec} is not accepted")),
        Error::LimitExceeded { limit, found, .. } => {
            Ok(format!("limit exceeded, {limit}: {found}"))
        }
        other => Err(other),
    }
}

/// Maximum video streams decoded of a file; cameras with several lenses have up to four.
pub(super) const STREAMS_MAX: usize = 8;
