//! Turns keyframes into 256-bit keys: whole frame, regions, runs over time.
//!
//! A *clip* that is checked gives a [`Fingerprint`]: a dense grid of keyframes with up to
//! [`CLIP_REGIONS`] regions and [`FINE_REGIONS`] finer ones each. Every patch also has a mirrored
//! key, and most have tilted and stretched ones. A *source* that is indexed gives [`Run`]s: it has
//! a sparser grid and [`SOURCE_REGIONS`] regions, and a key that stays in its place counts once for
//! as long as it lasts. *Benign* material gives runs too, with as many regions as a clip, and on a
//! grid denser than a clip's ([`BENIGN_INTERVAL`]). Keys whose place looks alike at least two
//! seconds away are marked in all three. Clips and sources also have [`Motion`]: coarse outlines of
//! what moves. Sources have a [`PictureTrack`] of small pictures of their keyframes, and decoded
//! clips have more of them ([`Fingerprint::pictures`]).
//!
//! This stage takes upright luma frames ([`crate::media`]); those of clips have twice the working
//! size, and it halves them. It knows no other videos.

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
/// searched. If only what a clip gives changes, the version of its file's layout changes instead.
pub const FINGERPRINT_VERSION: u32 = 2;

/// Maximum regions of a keyframe of a clip.
pub const CLIP_REGIONS: usize = 40;

/// Maximum fine regions of a keyframe of a clip. They are found in pictures of twice the working
/// size, and are half to once as large as the smallest region of a source of the same shape. They
/// find content that the clip shows smaller than its source, such as a picture in a corner.
pub const FINE_REGIONS: usize = 24;

/// Maximum regions of a keyframe in a fast check of a clip.
pub const SKETCH_REGIONS: usize = 16;

/// Maximum regions of a keyframe of a source. With one keyframe a second, 12 regions find 10 of 23
/// excerpts cropped to 40 % and 16 of 23 vertical ones. 24 regions find 16 and 20, and the index
/// has 1.9 times as many keys.
pub const SOURCE_REGIONS: usize = 24;

/// Maximum time between two keyframes of benign material.
///
/// Measured on six intros of 4 s from real footage, compressed hard at two thirds of their size, as
/// clips show them. Of their 23.8 s, 19.9 s were recognised with a quarter of a second and
/// [`CLIP_REGIONS`], 21.6 s with this interval, and none with the settings for sources. A source
/// only has to be found somewhere, but benign material everywhere. This gives about 160 keys a
/// second.
pub const BENIGN_INTERVAL: Duration = Duration::from_millis(100);

/// The content of one keyframe.
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
    /// Little but lines or two levels, as filters leave of a picture.
    Treated,
}

/// A sampled frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keyframe {
    /// When it is shown.
    pub time: Duration,
    /// What it shows.
    pub content: Content,
    /// The keyframe since which the picture is still (its own time if something moved).
    pub still_since: Duration,
    /// Whether a new shot began since the keyframe before.
    pub cut: bool,
    /// Whether the clip has shown it before, together with what comes before and after it.
    pub repeats: bool,
    /// Whether it is a still with a simulated camera movement.
    pub panned: bool,
}

/// A key of a clip.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClipKey {
    /// Index of the keyframe in [`Fingerprint::keyframes`].
    pub keyframe: u32,
    /// The kind of area that it was made from.
    pub kind: KeyKind,
    /// Whether it was found at [`Resolution::Double`](media::Resolution): it is smaller than the
    /// regions of a source of the same shape.
    pub fine: bool,
    /// Where it is.
    pub place: Place,
    /// The key.
    pub key: Key,
    /// The key of the mirrored patch.
    pub mirrored: Key,
    /// The keys of the patch when the picture is warped about it, in the order of [`Warp::ALL`];
    /// zero for a fine region and for the tilts of a whole frame.
    pub warped: [Key; Warp::ALL.len()],
    /// Whether its place looks alike at least two seconds away: then it identifies the scene, not
    /// the moment.
    pub recurs: bool,
}

/// All that a search needs to know about a clip. Its file holds no pictures except coarse outlines
/// of what moves, unless it is saved with the small pictures that it has in memory.
///
/// It is made from a clip, or by [`Fingerprint::new`], which rejects what no clip can have.
#[derive(Debug, Clone, PartialEq)]
pub struct Fingerprint {
    /// The clip's path when the fingerprint was made.
    pub(crate) path: String,
    /// SHA-256 of the clip's bytes.
    pub(crate) sha256: [u8; 32],
    /// Displayed columns, codec and so on.
    pub(crate) info: media::StreamInfo,
    /// Length of the clip.
    pub(crate) duration: Duration,
    /// The interval from which each keyframe was drawn.
    pub(crate) interval: Duration,
    /// Frames that the decoder produced.
    pub(crate) frames: u64,
    /// Parts without usable pictures.
    pub(crate) undecoded: Vec<media::Undecoded>,
    /// The sampled frames, in order.
    pub(crate) keyframes: Vec<Keyframe>,
    /// Their keys, in the same order.
    pub(crate) keys: Vec<ClipKey>,
    /// What moves in them, one picture a keyframe.
    pub(crate) motion: Motion,
    /// Small pictures of the clip, in order; empty if the fingerprint does not come directly from
    /// the clip.
    pub(crate) pictures: Vec<Thumbnail>,
}

impl Fingerprint {
    /// Width of the displayed picture in heights.
    pub fn aspect(&self) -> f32 {
        self.info.width.max(1) as f32 / self.info.height.max(1) as f32
    }

    /// The part that [`sketch_of_clip`] keeps: every second keyframe, if they are that close, and
    /// the strongest regions, no fine ones. Motion keeps its finer cells, and the small pictures
    /// stay as they are.
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
        // The next kept keyframe takes over the marks of a dropped one.
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

/// What an index keeps of a source, with the properties of its file.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceFingerprint {
    /// The result of decoding.
    pub decoded: Decoded,
    /// Number of sampled frames.
    pub keyframes: u32,
    /// Keys, in order of time.
    pub runs: Vec<Run>,
    /// Motion in the sampled frames; empty for benign material, for which no times are needed.
    pub motion: Motion,
    /// Small pictures of the sampled frames; empty for benign material, which is never shown as
    /// evidence.
    pub pictures: PictureTrack,
}

/// Makes the fingerprint of a clip to check that has a single picture.
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

/// Makes the fingerprint of each picture of a clip that a player could show.
///
/// # Errors
///
/// Those of [`Decoding::open`] and [`Decoding::decode`], and [`Error::Cancelled`] once `cancel` is
/// set. A stream other than the main one that cannot be decoded is no error.
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

/// As [`pictures_of_clip`], and measures what determines the clip's price while it is decoded
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

/// As [`sketch_of_clip`], for each picture of a clip that a player could show.
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

/// Makes the fingerprint of the picture that these streams of an open clip show one after the
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

/// Makes the runs of an open source with this hash, of all video streams that a player could show,
/// one after the other, the main one first. A stream that cannot be decoded is undecoded for as
/// long as the main one lasts. `progress` receives the video time advanced since the last call.
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

/// Makes the runs of benign material, densely enough to recognise frame by frame what a clip shows
/// of it.
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
            // Find out whether it shows the same at another size before taking any of its keys.
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

/// Returns whether a stream shows the same as the first one at the same times, as in files with
/// several sizes or qualities of one picture. If it were indexed again, its keys would seem to
/// recur at another time.
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
    // The last two seconds of the first stream are not known yet.
    let until = first.last().map_or(Duration::ZERO, |(time, _)| *time);
    let known = || stream.iter().filter(|(time, _)| *time <= until);
    known().next().is_some()
        && known().filter(|shown| alike(shown)).count() * 20 >= known().count() * 19
}

/// Maximum time between keyframes of two renditions of one picture.
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
