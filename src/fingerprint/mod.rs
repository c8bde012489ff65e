//! Turns keyframes into 256-bit keys: whole frame, regions, runs over time.
//!
//! A *clip* that is checked gives a [`Fingerprint`]: a dense grid of keyframes with up to
//! [`CLIP_REGIONS`] regions each and [`FINE_REGIONS`] finer ones, and the key of every patch
//! mirrored and of most of them tilted and stretched as well. A *source* that is indexed gives
//! [`Run`]s: a sparser grid, [`SOURCE_REGIONS`] regions, and a key that stays in its place counted
//! once for as long as it lasts. *Benign* material gives runs as well, of a grid still denser than
//! a clip's ([`BENIGN_INTERVAL`]) and of as many regions. All mark the keys whose place looks alike
//! two seconds away or more. Of clips and sources [`Motion`] is kept besides: coarse outlines of
//! what moves; of sources a [`PictureTrack`] too, small pictures of their keyframes, and of a clip
//! that was decoded more of them ([`Fingerprint::pictures`]).
//!
//! This stage assumes upright luma frames ([`crate::media`]), of a clip at twice the working size,
//! which it halves; it knows nothing of other videos.

mod as_source;
mod blobs;
mod cuts;
mod dct;
mod distinct;
mod extract;
mod file;
mod hash;
mod key;
mod motion;
mod novelty;
mod orientation;
mod pan;
mod parts;
mod picture_track;
mod pictures;
mod plane;
mod region;
mod repeats;
mod runs;
mod small;
#[cfg(test)]
mod testing;
mod treated;
mod whole;
mod wide;

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::facts::{self, Quality};
use crate::media::{self, Decoded, Source};
use crate::sample::{Grid, QUERY_INTERVAL, Sampling};
use crate::sandbox::{Decoding, Given};
use crate::{Error, Result};

use cuts::Cuts;
use extract::{Course, Detail, Extractor, KEYS_MIN};
pub use file::serve;
pub use key::{KEY_BITS, Key, KeyKind, Place, Run};
pub use motion::{Motion, STILL};
pub use orientation::{Orientation, SLANTS, TILTS, WIDTHS, Warp};
pub(crate) use parts::NO_KEYFRAME;
pub use parts::Parts;
pub use picture_track::{PictureTrack, PictureTrackBuilder, Thumbnail};
pub use pictures::{ClipPictures, Looked, Picture};
use runs::{Sighting, Tracker};
use small::SmallPictures;

/// Changes whenever the same source would give other keys; an index of another version cannot be
/// searched. What a clip gives may change with the layout of its file alone.
pub const FINGERPRINT_VERSION: u32 = 2;

/// Most regions of a keyframe of a clip.
pub const CLIP_REGIONS: usize = 40;

/// Most fine regions of a keyframe of a clip: those that are found in pictures of twice the working
/// size, half to once as large as the smallest that a source of the same shape has. They find what
/// a clip shows smaller than its source does, such as a picture in a corner.
pub const FINE_REGIONS: usize = 24;

/// Most regions of a keyframe of a clip that is looked at quickly.
pub const SKETCH_REGIONS: usize = 16;

/// Most regions of a keyframe of a source. Of 23 excerpts each at a keyframe a second, 12 and 24
/// find 10 and 16 of those cropped to 40 %, 16 and 20 of vertical ones; an index has 1.9 times the
/// keys.
pub const SOURCE_REGIONS: usize = 24;

/// Longest time between two keyframes of benign material.
///
/// Of six intros of 4 s, cut from real footage and compressed hard at two thirds of their size, as
/// clips show them, 19.9 s of 23.8 were recognised with a quarter of a second and [`CLIP_REGIONS`],
/// 21.6 s with this, and none with what suits sources: a source has to be found somewhere, this
/// everywhere. It takes some 160 keys a second.
pub const BENIGN_INTERVAL: Duration = Duration::from_millis(100);

/// What one keyframe shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// Enough distinct structure to be recognised.
    Searchable,
    /// A flat and dark picture.
    Black,
    /// A picture without contrast.
    Flat,
    /// Contrast, but nothing distinct: simple edges, a line, a gradient.
    Simple,
    /// Hardly anything but lines or two levels, as filters leave of a picture.
    Treated,
}

/// A frame that was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keyframe {
    /// When it is shown.
    pub time: Duration,
    /// What it shows.
    pub content: Content,
    /// The keyframe since which the picture has stood still (its own time when something moved).
    pub still_since: Duration,
    /// Whether another shot began since the keyframe before.
    pub cut: bool,
    /// Whether the clip has shown it before, and what comes before and after it with it.
    pub repeats: bool,
    /// Whether it is a still over which a camera is pretended to move.
    pub panned: bool,
}

/// A key of a clip.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClipKey {
    /// Which of [`Fingerprint::keyframes`] shows it.
    pub keyframe: u32,
    /// What it was made of.
    pub kind: KeyKind,
    /// Whether it was found at [`Resolution::Double`](media::Resolution): it is smaller than the
    /// regions of a source of the same shape.
    pub fine: bool,
    /// Where it is.
    pub place: Place,
    /// The key.
    pub key: Key,
    /// The key of the same patch with left and right exchanged.
    pub mirrored: Key,
    /// The keys of the patch when the picture is warped about it, in the order of [`Warp::ALL`];
    /// zero for a fine region and for the tilts of a whole frame.
    pub warped: [Key; Warp::ALL.len()],
    /// Whether its place looks alike two seconds away or more: it speaks for the scene, not for the
    /// moment.
    pub recurs: bool,
}

/// All that a search needs to know of a clip. Its file gives back no picture but coarse outlines of
/// what moves, unless it is saved with the small pictures that it has while it is in memory.
///
/// Made of a clip, or by [`Fingerprint::new`], which lets nothing pass that no clip can have.
#[derive(Debug, Clone, PartialEq)]
pub struct Fingerprint {
    /// The clip as it was named when the fingerprint was made.
    pub(crate) path: String,
    /// SHA-256 of the clip's bytes.
    pub(crate) sha256: [u8; 32],
    /// Displayed columns, codec and so on.
    pub(crate) info: media::StreamInfo,
    /// Length of the clip.
    pub(crate) duration: Duration,
    /// The interval of which one keyframe was drawn.
    pub(crate) interval: Duration,
    /// Frames that the decoder produced.
    pub(crate) frames: u64,
    /// Parts of which there are no usable pictures.
    pub(crate) undecoded: Vec<media::Undecoded>,
    /// The frames that were looked at, in order.
    pub(crate) keyframes: Vec<Keyframe>,
    /// Their keys, in the same order.
    pub(crate) keys: Vec<ClipKey>,
    /// What moves in them, one picture a keyframe.
    pub(crate) motion: Motion,
    /// Small pictures of the clip, in order; none if the fingerprint was not made of the clip just
    /// now.
    pub(crate) pictures: Vec<Thumbnail>,
}

impl Fingerprint {
    /// Width of the displayed picture in its heights.
    pub fn aspect(&self) -> f32 {
        self.info.width.max(1) as f32 / self.info.height.max(1) as f32
    }

    /// What [`sketch_of_clip`] keeps of it: every second keyframe, if they are that close, and the
    /// strongest regions, no fine ones; what moves stays in finer cells, and the small pictures as
    /// they are.
    pub fn sketched(&self) -> Fingerprint {
        let step = if self.interval < 2 * QUERY_INTERVAL {
            2
        } else {
            1
        };
        let mut keys = Vec::new();
        for of_keyframe in self.keys.chunk_by(|a, b| a.keyframe == b.keyframe) {
            let number = of_keyframe[0].keyframe as usize;
            if number.is_multiple_of(step) {
                let whole = of_keyframe.iter().filter(|key| key.kind == KeyKind::Whole);
                let regions = of_keyframe
                    .iter()
                    .filter(|key| key.kind == KeyKind::Region && !key.fine);
                keys.extend(
                    whole
                        .chain(regions.take(SKETCH_REGIONS))
                        .map(|key| ClipKey {
                            keyframe: (number / step) as u32,
                            ..*key
                        }),
                );
            }
        }
        // What is told of a keyframe that is left out is told of the next.
        let keep = |of: &[Keyframe]| Keyframe {
            cut: of.iter().any(|keyframe| keyframe.cut),
            ..of[of.len() - 1]
        };
        let first = self.keyframes.get(..1).unwrap_or_default();
        let rest = self
            .keyframes
            .get(1..)
            .unwrap_or_default()
            .chunks_exact(step)
            .map(keep);
        let keyframes = first.iter().copied().chain(rest).collect();
        let motion = self.motion.step_by(step);
        Fingerprint {
            keyframes,
            keys,
            motion,
            interval: self.interval * step as u32,
            ..self.clone()
        }
    }
}

/// What an index keeps of a source, with what is known of its file.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceFingerprint {
    /// What decoding came to.
    pub decoded: Decoded,
    /// Frames that were looked at.
    pub keyframes: u32,
    /// Keys, in order of time.
    pub runs: Vec<Run>,
    /// What moves in the frames that were looked at; nothing for benign material, of which no
    /// moment is told.
    pub motion: Motion,
    /// Small pictures of the frames that were looked at; none of benign material, which no evidence
    /// shows.
    pub pictures: PictureTrack,
}

/// Makes the fingerprint of a clip that is to be checked and has a single picture.
///
/// # Errors
///
/// Those of [`pictures_of_clip`], and [`Error::SeveralPictures`].
pub fn of_clip(
    path: &Path,
    decoding: &Decoding,
    cancel: Option<&AtomicBool>,
) -> Result<Fingerprint> {
    pictures_of_clip(path, decoding, cancel)?.only(path)
}

/// Makes the fingerprint of each picture that a player could show of a clip.
///
/// # Errors
///
/// Those of [`Decoding::open`] and [`Decoding::decode`], and [`Error::Cancelled`] once `cancel` is
/// set. That another stream than the main one cannot be decoded is no error.
pub fn pictures_of_clip(
    path: &Path,
    decoding: &Decoding,
    cancel: Option<&AtomicBool>,
) -> Result<ClipPictures> {
    let detail = Detail {
        regions: CLIP_REGIONS,
        fine: FINE_REGIONS,
        changed: true,
    };
    pictures::of(
        path,
        QUERY_INTERVAL,
        detail,
        decoding,
        Measures::None,
        cancel,
    )
}

/// Does the same, and measures what makes the price of the clip while it is decoded
/// ([`Picture::quality`]).
///
/// # Errors
///
/// Those of [`pictures_of_clip`].
pub fn measured_pictures_of_clip(
    path: &Path,
    decoding: &Decoding,
    cancel: Option<&AtomicBool>,
) -> Result<ClipPictures> {
    let detail = Detail {
        regions: CLIP_REGIONS,
        fine: FINE_REGIONS,
        changed: true,
    };
    pictures::of(
        path,
        QUERY_INTERVAL,
        detail,
        decoding,
        Measures::Quality,
        cancel,
    )
}

/// Whether a clip is measured while it is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Measures {
    None,
    Quality,
}

/// Makes a fingerprint of half as many keyframes with [`SKETCH_REGIONS`] regions, none of them
/// fine, in less time.
///
/// # Errors
///
/// Those of [`of_clip`].
pub fn sketch_of_clip(
    path: &Path,
    decoding: &Decoding,
    cancel: Option<&AtomicBool>,
) -> Result<Fingerprint> {
    sketches_of_clip(path, decoding, cancel)?.only(path)
}

/// Does the same for each picture that a player could show of a clip.
///
/// # Errors
///
/// Those of [`pictures_of_clip`].
pub fn sketches_of_clip(
    path: &Path,
    decoding: &Decoding,
    cancel: Option<&AtomicBool>,
) -> Result<ClipPictures> {
    let detail = Detail {
        regions: SKETCH_REGIONS,
        fine: 0,
        changed: true,
    };
    pictures::of(
        path,
        2 * QUERY_INTERVAL,
        detail,
        decoding,
        Measures::None,
        cancel,
    )
}

/// Makes the fingerprint of the picture that these streams of an open clip give one after the
/// other, and measures each stream.
#[allow(
    clippy::too_many_arguments,
    reason = "which clip, how closely, and where"
)]
fn made(
    source: &Source,
    sha256: &[u8; 32],
    streams: &[Option<u32>],
    interval: Duration,
    detail: Detail,
    decoding: &Decoding,
    measures: Measures,
    cancel: Option<&AtomicBool>,
) -> Result<(Fingerprint, Decoded, Option<Quality>)> {
    let (mut extractor, mut pictures) = (Extractor::new(detail), SmallPictures::new());
    let mut cuts = Cuts::default();
    let (mut keyframes, mut keys) = (Vec::new(), Vec::new());
    let mut collect = |keyframe: Keyframe, seen: Vec<extract::SeenKey>| {
        let index = keyframes.len() as u32;
        keyframes.push(keyframe);
        keys.extend(seen.iter().map(|seen| ClipKey {
            keyframe: index,
            kind: seen.kind,
            fine: seen.fine,
            place: seen.place,
            key: seen.key,
            mirrored: seen.mirrored,
            warped: seen.warped,
            recurs: seen.recurs,
        }));
    };
    let mut whole: Option<Decoded> = None;
    let mut measured: Vec<Vec<u8>> = Vec::new();
    for &stream in streams {
        let grid = Grid::query(interval, sha256)?.at(detail.resolution());
        let offset = whole
            .as_ref()
            .map_or(Duration::ZERO, |before| before.duration);
        let mut visit = |given: Given| {
            let later = |frame: media::Frame| media::Frame {
                time: frame.time.saturating_add(offset),
                ..frame
            };
            match given {
                Given::Keyframe(frame) => {
                    let frame = later(frame);
                    cuts.keyframe(&frame);
                    extractor.push(&frame, &mut collect);
                }
                Given::Picture(picture) => {
                    let picture = later(picture).into();
                    cuts.picture(&picture);
                    pictures.push(picture);
                }
                Given::Measured(bytes) => measured.push(bytes),
            }
            stop_if(cancel)
        };
        let mut measuring = (measures == Measures::Quality).then(facts::Measuring::default);
        let inspector = measuring
            .as_mut()
            .map(|measuring| measuring as &mut dyn media::Inspector);
        let stop = || cancelled(cancel);
        let decoded = decoding
            .decode_inspected(source, sha256, stream, grid, inspector, &mut visit, &stop)?;
        if cancelled(cancel) {
            return Err(Error::Cancelled);
        }
        whole = Some(match whole {
            Some(before) => before.followed_by(decoded),
            None => decoded,
        });
    }
    let decoded = whole.ok_or(Error::Cancelled)?;
    let Course {
        motion,
        repeating,
        panned,
    } = extractor.finish(&mut collect);
    let cuts = cuts.at(&keyframes);
    for (i, keyframe) in keyframes.iter_mut().enumerate() {
        (keyframe.repeats, keyframe.panned, keyframe.cut) = (repeating[i], panned[i], cuts[i]);
    }
    for i in runs::recurring(&keys, |key| {
        let time = keyframes[key.keyframe as usize].time;
        Sighting {
            key: key.key,
            kind: key.kind,
            place: key.place,
            first: time,
            last: time,
        }
    }) {
        keys[i].recurs = true;
    }
    let fingerprint = Fingerprint {
        path: source.path().to_string_lossy().into_owned(),
        sha256: *sha256,
        info: decoded.info.clone(),
        duration: decoded.duration,
        interval,
        frames: decoded.frames,
        undecoded: decoded.undecoded.clone(),
        keyframes,
        keys,
        motion,
        pictures: pictures.finish(),
    };
    let quality = match measures {
        Measures::Quality => Some(Quality::of(&measured, &decoded)),
        Measures::None => None,
    };
    Ok((fingerprint, decoded, quality))
}

/// Makes the runs of an open source with this hash, of all the video streams that a player could
/// show, one after the other: first the main one. One that cannot be decoded is undecoded for as
/// long as the main one lasts.  `progress` hears how much further the video's time has come since
/// the last call.
///
/// # Errors
///
/// Those of [`Decoding::decode`], [`Error::InvalidSetting`] for an interval outside 0.1..=60 s, and
/// [`Error::Cancelled`] once `cancel` is set.
pub fn of_source(
    source: &Source,
    sha256: &[u8; 32],
    decoding: &Decoding,
    interval: Duration,
    progress: &mut dyn FnMut(Duration),
    cancel: Option<&AtomicBool>,
) -> Result<SourceFingerprint> {
    tracked(
        source,
        sha256,
        decoding,
        Grid::corpus(interval)?,
        SOURCE_REGIONS,
        progress,
        cancel,
    )
}

/// Makes the runs of benign material, closely enough that what a clip shows of it is recognised
/// frame by frame.
///
/// # Errors
///
/// Those of [`Decoding::decode`], and [`Error::Cancelled`] once `cancel` is set.
pub fn of_benign(
    source: &Source,
    sha256: &[u8; 32],
    decoding: &Decoding,
    progress: &mut dyn FnMut(Duration),
    cancel: Option<&AtomicBool>,
) -> Result<SourceFingerprint> {
    let made = tracked(
        source,
        sha256,
        decoding,
        Grid::dense(BENIGN_INTERVAL)?,
        CLIP_REGIONS,
        progress,
        cancel,
    )?;
    Ok(SourceFingerprint {
        motion: Motion::default(),
        ..made
    })
}

/// Tracks the keys of an open video from keyframe to keyframe.
fn tracked(
    source: &Source,
    sha256: &[u8; 32],
    decoding: &Decoding,
    grid: Grid,
    regions: usize,
    progress: &mut dyn FnMut(Duration),
    cancel: Option<&AtomicBool>,
) -> Result<SourceFingerprint> {
    let mut extractor = Extractor::new(Detail {
        regions,
        fine: 0,
        changed: false,
    });
    let mut tracker = Tracker::new(grid.interval());
    let mut pictures = (grid.sampling() == Sampling::Sparse).then(PictureTrackBuilder::default);
    let mut keyframes = 0;
    let mut reached = Duration::ZERO;
    let shown: RefCell<Vec<(Duration, Key)>> = RefCell::default();
    let mut collect = |keyframe: Keyframe, seen: Vec<extract::SeenKey>| {
        keyframes += 1;
        shown
            .borrow_mut()
            .extend(whole_of(&seen).map(|key| (keyframe.time, key)));
        tracker.push(keyframe.time, &seen);
    };
    let decode = |stream: Option<u32>, take: &mut dyn FnMut(media::Frame)| {
        let mut visit = |frame: media::Frame| {
            take(frame);
            stop_if(cancel)
        };
        let decoded = decoding.decode(source, sha256, stream, grid.clone(), &mut visit, &|| {
            cancelled(cancel)
        })?;
        if cancelled(cancel) {
            Err(Error::Cancelled)
        } else {
            Ok(decoded)
        }
    };
    let mut track = |stream: Option<u32>, offset: Duration| {
        decode(stream, &mut |frame| {
            let time = frame.time.saturating_add(offset);
            let frame = media::Frame { time, ..frame };
            if let Some(pictures) = &mut pictures {
                pictures.push(&frame);
            }
            extractor.push(&frame, &mut collect);
            progress(time.saturating_sub(reached));
            reached = time;
        })
    };
    let mut decoded = track(None, Duration::ZERO)?;
    let length = decoded.duration;
    let firsts = shown.borrow().clone();
    let others: Vec<u32> = decoded
        .pictures()
        .concat()
        .into_iter()
        .filter(|&stream| stream != decoded.stream)
        .collect();
    for (number, stream) in others.into_iter().enumerate() {
        let start = decoded.duration;
        let next = if number + 1 >= pictures::STREAMS_MAX {
            None
        } else {
            // Which of them shows the same, at another size, is known before any of its keys are
            // taken.
            let mut other = Extractor::new(Detail {
                regions: 0,
                fine: 0,
                changed: false,
            });
            let mut there: Vec<(Duration, Key)> = Vec::new();
            let mut note = |keyframe: Keyframe, seen: Vec<extract::SeenKey>| {
                there.extend(whole_of(&seen).map(|key| (keyframe.time, key)));
            };
            let looked = decode(Some(stream), &mut |frame| other.push(&frame, &mut note));
            other.finish(&mut note);
            match looked {
                Ok(_) if is_rendition(&there, &firsts) => continue,
                Ok(_) => Some(track(Some(stream), start)),
                Err(error) => Some(Err(error)),
            }
        };
        let reason = match next {
            Some(Ok(next)) => {
                decoded = decoded.followed_by(next);
                continue;
            }
            Some(Err(error)) => pictures::reason_of(error)?,
            None => "the file has too many streams".to_owned(),
        };
        let end = start.saturating_add(length);
        decoded.undecoded.push(media::Undecoded {
            start,
            end,
            reason: format!("video stream {stream}: {reason}"),
        });
        decoded.duration = end;
    }
    let motion = extractor.finish(&mut collect).motion;
    progress(decoded.duration.saturating_sub(reached));
    let pictures = pictures
        .map(PictureTrackBuilder::finish)
        .unwrap_or_default();
    Ok(SourceFingerprint {
        decoded,
        keyframes,
        runs: tracker.finish(),
        motion,
        pictures,
    })
}

/// The key of the whole frame.
fn whole_of(seen: &[extract::SeenKey]) -> Option<Key> {
    seen.iter()
        .find(|key| key.kind == KeyKind::Whole)
        .map(|key| key.key)
}

/// Whether a stream shows what the first one does at the same times, as files with several sizes or
/// qualities of one picture do. Indexed again, its keys would seem to recur at another time.
fn is_rendition(stream: &[(Duration, Key)], first: &[(Duration, Key)]) -> bool {
    let alike = |(time, key): &(Duration, Key)| {
        let from = first.partition_point(|(other, _)| *other + RENDITION_APART < *time);
        let near = first[from..]
            .iter()
            .take_while(|(other, _)| *other <= *time + RENDITION_APART);
        near.map(|(_, other)| key.distance(*other))
            .min()
            .is_some_and(|bits| bits <= extract::RECURRENCE_RADIUS)
    };
    // Of the first, the last two seconds are not known yet.
    let until = first.last().map_or(Duration::ZERO, |(time, _)| *time);
    let known = || stream.iter().filter(|(time, _)| *time <= until);
    known().next().is_some()
        && known().filter(|shown| alike(shown)).count() * 20 >= known().count() * 19
}

/// How far apart in time keyframes of two renditions of one picture may be.
const RENDITION_APART: Duration = Duration::from_millis(600);

fn cancelled(cancel: Option<&AtomicBool>) -> bool {
    cancel.is_some_and(|cancel| cancel.load(Ordering::Relaxed))
}

fn stop_if(cancel: Option<&AtomicBool>) -> ControlFlow<()> {
    if cancelled(cancel) {
        ControlFlow::Break(())
    } else {
        ControlFlow::Continue(())
    }
}
