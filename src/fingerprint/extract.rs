//! Turns successive keyframes into keys, and marks keys whose place looks alike at other times.
//!
//! Two seconds of pictures are kept, so that a key can be compared with its own place earlier and
//! later. The pixels are compared, not the detector's results. Otherwise a blob that the detector
//! finds only now and then on a still wall would look like an event.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use super::blobs::Detector;
use super::dct::LANES;
use super::distinct::distinctive;
use super::hash::{self, Patch};
use super::motion::{Motion, Watcher};
use super::pan::is_panned;
use super::plane::Plane;
use super::region::{Levels, fine_regions, regions};
use super::repeats::Memory;
use super::treated::is_treated;
use super::{Content, Key, KeyKind, Keyframe, Place, Warp, whole};
use crate::media::{Frame, Resolution};

/// A key of one keyframe.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct SeenKey {
    pub(super) kind: KeyKind,
    /// Whether it is a fine region.
    pub(super) fine: bool,
    pub(super) place: Place,
    pub(super) key: Key,
    /// The key of the mirrored patch; made for queries only.
    pub(super) mirrored: Key,
    /// The keys of the warped patch, see [`ClipKey::warped`](super::ClipKey); made for queries
    /// only.
    pub(super) warped: [Key; Warp::ALL.len()],
    pub(super) recurs: bool,
}

/// How many regions and fine regions to extract from a keyframe, and whether to make mirrored and
/// warped keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Detail {
    pub(super) regions: usize,
    pub(super) fine: usize,
    pub(super) changed: bool,
}

impl Detail {
    /// The resolution of the frames.
    pub(super) fn resolution(self) -> Resolution {
        if self.fine > 0 {
            Resolution::Double
        } else {
            Resolution::Working
        }
    }
}

/// Takes keyframes in the order of time and gives them back, with their keys, about two seconds
/// later.
pub(super) struct Extractor {
    detail: Detail,
    /// For pictures of the working size and of twice that.
    detectors: [Detector; 2],
    recent: VecDeque<Recent>,
    /// The picture since which nothing has changed, and its time.
    anchor: Option<(Duration, Levels)>,
    watcher: Watcher,
    memory: Memory,
    /// For each keyframe, whether it shows a still with a simulated camera movement.
    panned: Vec<bool>,
}

/// Properties of a whole video. For clips it also says, for each keyframe, whether it repeats
/// earlier content and whether it is a panned still.
pub(super) struct Course {
    pub(super) motion: Motion,
    pub(super) repeating: Vec<bool>,
    pub(super) panned: Vec<bool>,
}

struct Recent {
    /// Number of keyframes before this one.
    number: usize,
    keyframe: Keyframe,
    keys: Vec<SeenKey>,
    /// Shared with the keyframe before if all pixels are equal.
    picture: Rc<Picture>,
    done: bool,
}

/// What a picture shows, independent of its time.
struct Picture {
    luma: Vec<u8>,
    levels: Levels,
    /// The picture at twice the working size, if there is one.
    fine: Option<Levels>,
    keys: Vec<SeenKey>,
    whole: Option<Key>,
    content: Content,
}

impl Extractor {
    pub(super) fn new(detail: Detail) -> Extractor {
        Extractor {
            detail,
            detectors: [Detector::default(), Detector::default()],
            recent: VecDeque::new(),
            anchor: None,
            watcher: Watcher::new(),
            memory: Memory::default(),
            panned: Vec::new(),
        }
    }

    /// Takes one frame of the detail's resolution; calls `emit` for each keyframe whose keys are
    /// now final.
    pub(super) fn push(&mut self, frame: &Frame, emit: &mut dyn FnMut(Keyframe, Vec<SeenKey>)) {
        let latest = self.recent.back().map(|recent| &recent.picture);
        let picture = match latest.filter(|latest| latest.luma == frame.luma) {
            Some(same) => Rc::clone(same),
            None => Rc::new(self.picture(frame)),
        };
        let keyframe = self.observe(frame.time, picture.content, &picture.levels);
        if self.detail.changed {
            self.memory.push(frame.time, picture.levels.eighth().0);
        }
        let (cells, pitch) = picture.fine.as_ref().unwrap_or(&picture.levels).eighth();
        self.watcher.push(frame.time, cells.clone(), pitch);

        let far_enough = |earlier: &Recent| earlier.keyframe.time + RECURRENCE_GAP <= frame.time;
        let number = self.panned.len();
        self.panned.push(false);
        let mut recent = Recent {
            number,
            keyframe,
            keys: picture.keys.clone(),
            picture,
            done: false,
        };
        if let Some(earlier) = self.recent.iter().rev().find(|earlier| far_enough(earlier)) {
            mark(&mut recent, &earlier.picture);
            let moved = self.detail.changed && !Rc::ptr_eq(&recent.picture, &earlier.picture);
            if moved && is_panned(&earlier.picture.levels, &recent.picture.levels) {
                self.panned[earlier.number..].fill(true);
            }
        }
        for earlier in self
            .recent
            .iter_mut()
            .filter(|earlier| !earlier.done && far_enough(earlier))
        {
            mark(earlier, &recent.picture);
            earlier.done = true;
            emit(earlier.keyframe, std::mem::take(&mut earlier.keys));
        }
        // The latest picture that is two seconds old stays, since the next frame may need it.
        while self.recent.get(1).is_some_and(far_enough) {
            self.recent.pop_front();
        }
        self.recent.push_back(recent);
    }

    /// Emits the keyframes of the last two seconds, and returns the properties of the video.
    pub(super) fn finish(self, emit: &mut dyn FnMut(Keyframe, Vec<SeenKey>)) -> Course {
        for recent in self.recent.into_iter().filter(|recent| !recent.done) {
            emit(recent.keyframe, recent.keys);
        }
        Course {
            motion: self.watcher.finish(),
            repeating: self.memory.repeating(),
            panned: self.panned,
        }
    }

    fn picture(&mut self, frame: &Frame) -> Picture {
        let picture = Levels::new(Plane::of_frame(frame));
        let (levels, fine) = match self.detail.resolution() {
            Resolution::Working => (picture, None),
            Resolution::Double => (picture.halved(), Some(picture)),
        };
        let (keys, content) = self.keys(&levels, fine.as_ref());
        let whole = keys
            .iter()
            .find(|key| key.kind == KeyKind::Whole)
            .map(|key| key.key);
        Picture {
            luma: frame.luma.clone(),
            levels,
            fine,
            keys,
            whole,
            content,
        }
    }

    fn keys(&mut self, levels: &Levels, fine: Option<&Levels>) -> (Vec<SeenKey>, Content) {
        let Some((place, patch)) = whole::patch(levels.picture()) else {
            let picture = levels.picture();
            let mean = picture.data.iter().sum::<f32>() / picture.data.len() as f32;
            return (
                Vec::new(),
                if mean < BLACK_LEVEL {
                    Content::Black
                } else {
                    Content::Flat
                },
            );
        };
        let mut keys = Vec::new();
        if distinctive(&[patch; LANES])[0] {
            keys.extend(self.seen(KeyKind::Whole, &[(place, patch)]));
            // A whole frame is hashed as a square, whatever its width.
            let at_any_width = |key: Key| {
                Warp::ALL.map(|warp| {
                    if matches!(warp, Warp::Width(_)) {
                        key
                    } else {
                        Key::default()
                    }
                })
            };
            keys.iter_mut()
                .filter(|_| self.detail.changed)
                .for_each(|seen| seen.warped = at_any_width(seen.key));
        }
        let found = regions(&mut self.detectors[0], levels, self.detail.regions);
        let whole = keys.len();
        keys.extend(self.seen(KeyKind::Region, &found));
        if self.detail.changed {
            let asked: Vec<(Place, Warp)> = found
                .iter()
                .flat_map(|(place, _)| Warp::ALL.map(|warp| (*place, warp)))
                .collect();
            let warped = hash::keys(&asked, |(place, warp), patch| {
                levels.warped_patch(*place, *warp, patch)
            });
            for (seen, warped) in keys[whole..].iter_mut().zip(warped.as_chunks().0) {
                seen.warped = *warped;
            }
        }
        // Fine regions alone would match only a larger picture.
        let content = match keys.len() {
            few if few < KEYS_MIN => Content::Simple,
            _ if self.detail.changed && is_treated(levels) => Content::Treated,
            _ => Content::Searchable,
        };
        if let Some(fine) = fine {
            let found = fine_regions(&mut self.detectors[1], fine, self.detail.fine);
            keys.extend(
                self.seen(KeyKind::Region, &found)
                    .map(|seen| SeenKey { fine: true, ..seen }),
            );
        }
        (keys, content)
    }

    /// Keys of patches, not yet warped and not yet checked for recurrence.
    fn seen(&self, kind: KeyKind, found: &[(Place, Patch)]) -> impl Iterator<Item = SeenKey> {
        let patch = |found: &(Place, Patch), patch: &mut Patch| *patch = found.1;
        let keys = if kind == KeyKind::Whole {
            let mirrored = |patch| {
                if self.detail.changed {
                    hash::one(patch, true)
                } else {
                    Key::default()
                }
            };
            found
                .iter()
                .map(|(_, patch)| (hash::one(patch, false), mirrored(patch)))
                .collect()
        } else if self.detail.changed {
            hash::keys_both_ways(found, patch)
        } else {
            hash::keys(found, patch)
                .into_iter()
                .map(|key| (key, Key::default()))
                .collect()
        };
        let warped = [Key::default(); Warp::ALL.len()];
        found
            .iter()
            .zip(keys)
            .map(move |((place, _), (key, mirrored))| SeenKey {
                kind,
                fine: false,
                place: *place,
                key,
                mirrored,
                warped,
                recurs: false,
            })
    }

    fn observe(&mut self, time: Duration, content: Content, levels: &Levels) -> Keyframe {
        let still_since = match &self.anchor {
            Some((since, anchor)) if largest_difference(anchor, levels) < STILL_DIFFERENCE => {
                *since
            }
            _ => {
                self.anchor = Some((time, levels.clone()));
                time
            }
        };
        Keyframe {
            time,
            content,
            still_since,
            cut: false,
            repeats: false,
            panned: false,
        }
    }
}

/// Minimum time between two frames whose similarity is a property of the scene and not of the
/// moment.
pub(super) const RECURRENCE_GAP: Duration = Duration::from_secs(2);

/// Maximum distance at which a place counts as looking the same at two times, in bits.
pub(super) const RECURRENCE_RADIUS: u32 = 72;

/// Grey level of the full range below which a flat frame is black.
const BLACK_LEVEL: f32 = 32.0;

/// Minimum number of keys of a searchable frame: one key alone can be a logo or a caption.
pub(super) const KEYS_MIN: usize = 2;

/// Maximum change of a block's mean in a still picture, in grey levels. Sensor noise averages out
/// over a block (about a hundred source pixels); visible motion changes a block by ten or more.
const STILL_DIFFERENCE: f32 = 3.0;

/// Marks the keys whose place looks the same in another picture.
fn mark(recent: &mut Recent, other: &Rc<Picture>) {
    if Rc::ptr_eq(&recent.picture, other) {
        recent.keys.iter_mut().for_each(|key| key.recurs = true);
        return;
    }
    let alike = |key: &SeenKey, there: Key| key.key.distance(there) <= RECURRENCE_RADIUS;
    for key in recent
        .keys
        .iter_mut()
        .filter(|key| !key.recurs && key.kind == KeyKind::Whole)
    {
        key.recurs = other.whole.is_some_and(|there| alike(key, there));
    }
    let levels = |key: &SeenKey| {
        if key.fine {
            other.fine.as_ref()
        } else {
            Some(&other.levels)
        }
    };
    let mut regions: Vec<(&mut SeenKey, &Levels)> = recent
        .keys
        .iter_mut()
        .filter(|key| !key.recurs && key.kind == KeyKind::Region)
        .filter_map(|key| levels(key).map(|levels| (key, levels)))
        .collect();
    let there = hash::keys(&regions, |(key, levels), patch| {
        levels.patch(key.place, patch)
    });
    for ((key, _), there) in regions.iter_mut().zip(there) {
        key.recurs = alike(key, there);
    }
}

/// Differences between the means of 8x8 pixel blocks of two pictures of equal size.
fn differences<'a>(a: &'a Levels, b: &'a Levels) -> Option<impl Iterator<Item = f32> + 'a> {
    let ((a, _), (b, _)) = (a.eighth(), b.eighth());
    let alike = (a.width, a.height) == (b.width, b.height);
    alike.then(|| a.data.iter().zip(&b.data).map(|(a, b)| (a - b).abs()))
}

fn largest_difference(a: &Levels, b: &Levels) -> f32 {
    differences(a, b).map_or(f32::INFINITY, |differences| differences.fold(0.0, f32::max))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fingerprint::testing;

    const QUERY: Detail = Detail {
        regions: 40,
        fine: 0,
        changed: true,
    };

    /// A textured wall, and a textured square of half its height that moves if `speed` is not zero.
    fn frame(second: f32, speed: f32) -> Frame {
        let (width, height) = (228, 128);
        let left = 5.0 + speed * second;
        let luma = (0..height)
            .flat_map(|y| (0..width).map(move |x| (x as f32, y as f32)))
            .map(|(x, y)| {
                let inside = x >= left && x < left + SIDE && (TOP..TOP + SIDE).contains(&y);
                if inside {
                    testing::texture(x - left, y, 5) as u8
                } else {
                    testing::texture(x, y, 99) as u8
                }
            })
            .collect();
        Frame {
            time: Duration::from_secs_f32(second),
            width,
            height,
            luma,
        }
    }

    const SIDE: f32 = 70.0;
    const TOP: f32 = 30.0;

    fn extract(frames: impl Iterator<Item = Frame>) -> Vec<(Keyframe, Vec<SeenKey>)> {
        let mut out = Vec::new();
        let mut extractor = Extractor::new(QUERY);
        for frame in frames {
            extractor.push(&frame, &mut |keyframe, keys| out.push((keyframe, keys)));
        }
        extractor.finish(&mut |keyframe, keys| out.push((keyframe, keys)));
        out
    }

    #[test]
    fn every_frame_comes_back_in_order() {
        let times: Vec<_> = extract((0..17).map(|i| frame(0.5 * i as f32, 12.0)))
            .iter()
            .map(|(k, _)| k.time)
            .collect();
        assert_eq!(
            times,
            (0..17)
                .map(|i| Duration::from_millis(500 * i))
                .collect::<Vec<_>>()
        );
    }

    #[test]
    fn the_wall_recurs_and_the_moving_square_does_not() {
        let out = extract((0..13).map(|i| frame(0.5 * i as f32, 12.0)));
        let (mut wall, mut wall_recurs, mut square, mut square_recurs) = (0, 0, 0, 0);
        for (keyframe, keys) in &out {
            let left = 5.0 + 12.0 * keyframe.time.as_secs_f32();
            for key in keys.iter().filter(|key| key.kind == KeyKind::Region) {
                let (x, y, half) = (
                    128.0 * key.place.x,
                    128.0 * key.place.y,
                    64.0 * key.place.size,
                );
                if x - half > left
                    && x + half < left + SIDE
                    && y - half > TOP
                    && y + half < TOP + SIDE
                {
                    square += 1;
                    square_recurs += usize::from(key.recurs);
                } else if x - half > 5.0 + 12.0 * 6.0 + SIDE {
                    wall += 1;
                    wall_recurs += usize::from(key.recurs);
                }
            }
        }
        assert!(
            wall > 20 && wall_recurs == wall,
            "{wall_recurs} of {wall} on the wall"
        );
        assert!(
            square > 10 && square_recurs == 0,
            "{square_recurs} of {square} on the square"
        );
    }

    #[test]
    fn a_still_picture_is_still_since_its_first_frame() {
        let out = extract((0..9).map(|i| Frame {
            time: Duration::from_millis(500 * i),
            ..frame(0.0, 0.0)
        }));
        assert!(
            out.iter()
                .all(|(keyframe, _)| keyframe.still_since == Duration::ZERO && !keyframe.cut)
        );
        let moving = extract((0..9).map(|i| frame(0.5 * i as f32, 15.0)));
        assert!(
            moving
                .iter()
                .all(|(keyframe, _)| keyframe.still_since == keyframe.time)
        );
    }

    #[test]
    fn a_frame_of_one_row_or_column_after_others_is_borne() {
        // Only a decoding process that lies gives such frames.
        let mut extractor = Extractor::new(Detail { fine: 24, ..QUERY });
        let mut keyframes = 0;
        for (i, (width, height)) in [(456, 256), (1, 300), (300, 1), (456, 256)]
            .into_iter()
            .enumerate()
        {
            let level =
                |j: usize| testing::texture((j % width) as f32, (j / width) as f32, 4) as u8;
            let luma = (0..width * height).map(level).collect();
            let frame = Frame {
                time: Duration::from_secs(2 * i as u64),
                width,
                height,
                luma,
            };
            extractor.push(&frame, &mut |_, _| keyframes += 1);
        }
        extractor.finish(&mut |_, _| keyframes += 1);
        assert_eq!(keyframes, 4);
    }

    #[test]
    fn black_and_flat_frames_have_no_keys() {
        for (level, content) in [(3, Content::Black), (180, Content::Flat)] {
            let flat = Frame {
                time: Duration::ZERO,
                width: 228,
                height: 128,
                luma: vec![level; 228 * 128],
            };
            let out = extract([flat].into_iter());
            assert_eq!(out[0].0.content, content);
            assert!(out[0].1.is_empty());
        }
    }
}
