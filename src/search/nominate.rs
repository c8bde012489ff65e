//! Chooses candidate pairs of video and orientation from few key comparisons.
//!
//! Each key of the clip is looked up in the cells nearest to it, within a radius that leaves about
//! one chance correspondence per key. A video is nominated by two keys of the clip that match two
//! of its keys in one orientation at about one offset, or by a single key that is almost identical.
//! The comparison of all keys of the nominees decides later.

use std::collections::{HashMap, HashSet};

use super::{QUERIES_AT_A_TIME, Queries, distinct, near_to};
use crate::error::Result;
use crate::evidence;
use crate::fingerprint::{Fingerprint, Key, KeyKind, Orientation, Run};
use crate::index::{Lookup, Neighbour, Screen, VideoRef};

/// Nominated videos.
#[derive(Debug, Default)]
pub(super) struct Nominated {
    /// Strongest first.
    pub(super) videos: Vec<Nominee>,
    /// Number of videos in which each key was found.
    videos_by_key: HashMap<Key, u32>,
    /// Further nominees: there are more than can be compared one by one.
    pub(super) left_out: Vec<Nominee>,
}

/// A nominated video and its candidate orientations.
#[derive(Debug, PartialEq)]
pub(super) struct Nominee {
    pub(super) video: VideoRef,
    pub(super) orientations: Vec<Orientation>,
    bits: f32,
    /// First and last time of the clip's keys that nominate it, in seconds.
    times: (f32, f32),
}

impl Nominee {
    /// Whether a time of the clip is near the keys that nominate the video.
    pub(super) fn is_near(&self, time: f32) -> bool {
        (self.times.0 - CONTEXT_S..=self.times.1 + CONTEXT_S).contains(&time)
    }
}

impl Nominated {
    /// Number of videos in which a key was found.
    pub(super) fn videos_of(&self, key: &Key) -> u32 {
        self.videos_by_key.get(key).copied().unwrap_or(0)
    }
}

/// A key of a clip to look up.
#[derive(Debug, Clone, Copy)]
pub(super) struct QueryKey {
    pub(super) orientation: Orientation,
    /// Number of the key in the clip.
    pub(super) number: u32,
    /// Time in the clip, in seconds.
    pub(super) time: f32,
    pub(super) kind: KeyKind,
    pub(super) key: Key,
}

/// The screening parameters for an index.
pub(super) fn screen(index: &dyn Lookup) -> Screen {
    let corpus = (index.state().keys.max(1) as f32).log2();
    let radius = (RADIUS_MIN..=RADIUS_MAX)
        .rev()
        .find(|radius| evidence::self_information(KeyKind::Region, *radius) >= corpus);
    let radius = radius.unwrap_or(RADIUS_MIN);
    Screen {
        probes: index.probes().unwrap_or(PROBES),
        radius,
        sketch_radius: radius / 2 + SKETCH_SLACK,
    }
}

/// Nominates videos by the queries of a clip.
pub(super) fn nominate(
    index: &dyn Lookup,
    clip: &Fingerprint,
    queries: &Queries,
    stop: &dyn Fn() -> Result<()>,
) -> Result<Nominated> {
    let selected = queries
        .of
        .iter()
        .zip(&queries.keys)
        .filter(|((orientation, key), _)| nominates(clip, *orientation, *key));
    let selected: Vec<QueryKey> = selected
        .map(|(&(orientation, number), &key)| {
            let of_clip = &clip.keys[number];
            let time = clip.keyframes[of_clip.keyframe as usize].time.as_secs_f32();
            QueryKey {
                orientation,
                number: number as u32,
                time,
                kind: of_clip.kind,
                key,
            }
        })
        .collect();
    nominate_by(index, &selected, &screen(index), stop)
}

/// Nominates videos by keys.
pub(super) fn nominate_by(
    index: &dyn Lookup,
    queries: &[QueryKey],
    screen: &Screen,
    stop: &dyn Fn() -> Result<()>,
) -> Result<Nominated> {
    let mut nominated = Nominated::default();
    let mut bins = Bins::default();
    for batch in queries.chunks(QUERIES_AT_A_TIME) {
        stop()?;
        let keys = distinct(batch.iter().map(|query| query.key));
        let near = index.near_by_cell(&keys, screen)?;
        for of_query in near.chunk_by(|a, b| a.query == b.query) {
            let videos: HashSet<VideoRef> = of_query.iter().map(|near| near.video).collect();
            nominated
                .videos_by_key
                .insert(keys[of_query[0].query as usize], videos.len() as u32);
        }
        for query in batch {
            let shared = (nominated.videos_of(&query.key).max(1) as f32).log2();
            for near in near_to(&query.key, &keys, &near) {
                bins.vote(query, near, &index.run(near.video, near.run)?, shared);
            }
        }
    }
    (nominated.videos, nominated.left_out) = bins.nominees();
    Ok(nominated)
}

/// A histogram of votes by video, orientation and offset.
#[derive(Debug, Default)]
pub(super) struct Bins(HashMap<(VideoRef, Orientation, i64), Bin>);

impl Bins {
    /// Adds the vote of a key of the clip near a track of a video, minus `shared` bits for the
    /// other videos that share the key.
    pub(super) fn vote(&mut self, query: &QueryKey, near: &Neighbour, run: &Run, shared: f32) {
        if run.kind != query.kind {
            return;
        }
        let bits = evidence::self_information(run.kind, near.distance) - shared;
        let first = run.first.as_secs_f32() - query.time;
        let last = (run.last.as_secs_f32() - query.time).min(first + BIN_S * TRACK_BINS_MAX);
        // Bins overlap by half, so that two votes at similar offsets share one.
        let bin = |offset: f32| (offset / (0.5 * BIN_S)).floor() as i64;
        for bin in bin(first) - 1..=bin(last) {
            let votes = self
                .0
                .entry((near.video, query.orientation, bin))
                .or_default();
            votes.add(query, near.run, bits, near.distance);
        }
    }

    /// The nominated videos, strongest first, and those left out. A video is left out if every
    /// second of its keys has [`NOMINEES_A_SECOND`] stronger ones.
    pub(super) fn nominees(&self) -> (Vec<Nominee>, Vec<Nominee>) {
        let mut videos: HashMap<VideoRef, Nominee> = HashMap::new();
        for ((video, orientation, _), bin) in self.0.iter().filter(|(_, bin)| bin.nominates()) {
            let none = || Nominee {
                video: *video,
                orientations: Vec::new(),
                bits: 0.0,
                times: bin.times,
            };
            let nominee = videos.entry(*video).or_insert_with(none);
            if !nominee.orientations.contains(orientation) {
                nominee.orientations.push(*orientation);
            }
            nominee.bits = nominee.bits.max(bin.bits());
            nominee.times = (
                nominee.times.0.min(bin.times.0),
                nominee.times.1.max(bin.times.1),
            );
        }
        let mut nominees: Vec<Nominee> = videos.into_values().collect();
        nominees
            .iter_mut()
            .for_each(|nominee| nominee.orientations.sort());
        nominees.sort_by(|a, b| b.bits.total_cmp(&a.bits).then(a.video.cmp(&b.video)));
        let mut counts = HashMap::<i64, u32>::new();
        nominees.into_iter().partition(|nominee| {
            let seconds = nominee.times.0 as i64..=nominee.times.1 as i64;
            let kept = seconds.clone().any(|second| {
                counts
                    .get(&second)
                    .is_none_or(|count| *count < NOMINEES_A_SECOND)
            });
            seconds
                .filter(|_| kept)
                .for_each(|second| *counts.entry(second).or_default() += 1);
            kept
        })
    }
}

/// Whether a key of a clip is looked up. Upright and mirrored, all are, because a copy may show its
/// source in a few keyframes only: looking up every second keyframe lost 5 of 547 sources of edited
/// excerpts, one of them shown in four flashes.
fn nominates(clip: &Fingerprint, orientation: Orientation, key: usize) -> bool {
    Orientation::USUAL.contains(&orientation) || clip.keys[key].keyframe.is_multiple_of(OTHER_STEP)
}

/// Step between the keyframes that are looked up in orientations other than upright and mirrored.
const OTHER_STEP: u32 = 4;

/// Votes for a video in one bin of offsets.
#[derive(Debug, Default)]
struct Bin {
    /// Maximum weight of the votes on each track.
    weights: HashMap<u32, f32>,
    /// The first key of the clip that votes, and whether others do.
    first_key: Option<u32>,
    has_others: bool,
    /// Whether a vote comes from an almost identical key.
    has_identical: bool,
    /// First and last time of the voting keys, in seconds of the clip.
    times: (f32, f32),
}

impl Bin {
    fn add(&mut self, query: &QueryKey, run: u32, bits: f32, distance: u32) {
        let (key, time) = (query.number, query.time);
        self.times = if self.first_key.is_none() {
            (time, time)
        } else {
            (self.times.0.min(time), self.times.1.max(time))
        };
        let weight = self.weights.entry(run).or_insert(bits);
        *weight = weight.max(bits);
        self.has_others |= self.first_key.is_some_and(|known| known != key);
        self.first_key.get_or_insert(key);
        self.has_identical |= distance <= IDENTICAL_MAX;
    }

    fn nominates(&self) -> bool {
        self.has_identical || self.has_others && self.weights.len() >= 2
    }

    fn bits(&self) -> f32 {
        // In a fixed order, so that the same votes give the same sum.
        let mut bits: Vec<f32> = self.weights.values().copied().collect();
        bits.sort_by(f32::total_cmp);
        bits.iter().sum()
    }
}

/// Number of cells to probe for each key in an index without a measured number.
const PROBES: usize = 16;

/// Maximum distance of two sketches beyond half of the radius, in bits: chance puts as many pairs
/// beyond half as within.
const SKETCH_SLACK: u32 = 4;

/// Maximum radius of nomination, in bits, for any corpus: of 94 edited excerpts of nine videos,
/// each nominated by two keys among those of 494, 98 % were within 48 bits, all within 56, and 64
/// found no more.
const RADIUS_MAX: u32 = 64;

/// Minimum radius of nomination, in bits, suitable for 1e11 keys.
const RADIUS_MIN: u32 = 40;

/// Maximum distance of an almost identical key, in bits: none of 7.5e10 unrelated pairs was that
/// near.
const IDENTICAL_MAX: u32 = 32;

/// Width of a bin of offsets, in seconds: at half or twice the speed, a clip stays in one for 8 to
/// 16 s.
const BIN_S: f32 = 8.0;

/// Maximum width of the votes of a long track, in bins.
const TRACK_BINS_MAX: f32 = 8.0;

/// Maximum number of videos to compare for each second of the clip, strongest first: twice the
/// number of alignments that are judged.
const NOMINEES_A_SECOND: u32 = 128;

/// Time before and after the nominating keys in which the clip is compared with the video, in
/// seconds: several times the longest hole of an alignment.
const CONTEXT_S: f32 = 10.0;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::fingerprint::Place;

    /// Votes of two keys for each of the videos, at a second of the clip.
    fn vote(bins: &mut Bins, videos: std::ops::Range<u32>, second: f32, distance: u32) {
        for video in videos {
            for number in 0..2 {
                let query = QueryKey {
                    orientation: Orientation::UPRIGHT,
                    number,
                    time: second,
                    kind: KeyKind::Region,
                    key: Key::default(),
                };
                let near = Neighbour {
                    query: 0,
                    video: VideoRef { segment: 0, video },
                    run: number,
                    distance,
                };
                let first = Duration::from_secs_f32(second);
                let run = Run {
                    key: Key::default(),
                    kind: KeyKind::Region,
                    place: Place::default(),
                    first,
                    last: first,
                    recurs: false,
                };
                bins.vote(&query, &near, &run, 0.0);
            }
        }
    }

    #[test]
    fn a_crowd_hides_nothing_in_another_second_and_is_reported_in_its_own() {
        let mut bins = Bins::default();
        vote(&mut bins, 0..NOMINEES_A_SECOND, 3.0, 40);
        // Weaker than the crowd, at another time.
        vote(&mut bins, 1000..1001, 20.0, 60);
        let (nominees, left_out) = bins.nominees();
        assert_eq!(
            (nominees.len() as u32, left_out.len()),
            (NOMINEES_A_SECOND + 1, 0)
        );
        assert!(nominees.iter().any(|nominee| nominee.video.video == 1000
            && nominee.is_near(12.0)
            && !nominee.is_near(9.0)));
        vote(&mut bins, 2000..2001, 3.0, 60);
        let (nominees, left_out) = bins.nominees();
        assert_eq!(
            (nominees.len() as u32, left_out.len()),
            (NOMINEES_A_SECOND + 1, 1)
        );
    }

    #[test]
    fn one_key_nominates_only_if_it_is_almost_identical() {
        for (distance, nominated) in [(IDENTICAL_MAX, 1), (IDENTICAL_MAX + 1, 0)] {
            let mut bins = Bins::default();
            let query = QueryKey {
                orientation: Orientation::MIRRORED,
                number: 0,
                time: 1.0,
                kind: KeyKind::Whole,
                key: Key::default(),
            };
            let near = Neighbour {
                query: 0,
                video: VideoRef {
                    segment: 0,
                    video: 0,
                },
                run: 0,
                distance,
            };
            let run = Run {
                key: Key::default(),
                kind: KeyKind::Whole,
                place: Place::default(),
                first: Duration::from_secs(4),
                last: Duration::from_secs(4),
                recurs: false,
            };
            bins.vote(&query, &near, &run, 0.0);
            assert_eq!(bins.nominees().0.len(), nominated, "{distance}");
        }
    }
}
