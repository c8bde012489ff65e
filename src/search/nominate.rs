//! Says which videos a clip could be a copy of, by looking at few keys.
//!
//! Each key of the clip is looked up in the cells nearest to it, within a radius that leaves about
//! one chance hit a key. Two keys of the clip that meet two keys of a video, in one orientation and
//! at about one distance in time, nominate it; so does a single key, if it is all but the same.
//! What it is worth is decided later, by all keys of the nominated videos.

use std::collections::{HashMap, HashSet};

use super::{Asked, QUERIES_AT_A_TIME, distinct, near_to};
use crate::error::Result;
use crate::evidence;
use crate::fingerprint::{Fingerprint, Key, KeyKind, Orientation, Run};
use crate::index::{Index, Neighbour, Screen, VideoRef};

/// Videos that the clip could be a copy of.
#[derive(Debug, Default)]
pub(super) struct Nominated {
    /// Those with most agreement first.
    pub(super) videos: Vec<Nominee>,
    /// In how many videos each key was found.
    found: HashMap<Key, u32>,
    /// Whether there were more of them than can be compared one by one.
    pub(super) is_crowded: bool,
}

/// A video and the orientations in which the clip could show it.
#[derive(Debug, PartialEq)]
pub(super) struct Nominee {
    pub(super) video: VideoRef,
    pub(super) orientations: Vec<Orientation>,
    bits: f32,
    /// When the clip shows what nominates it: first and last time, in seconds.
    shown: (f32, f32),
}

impl Nominee {
    /// Whether a time of the clip is near to what nominates the video.
    pub(super) fn is_near(&self, time: f32) -> bool {
        (self.shown.0 - AROUND_S..=self.shown.1 + AROUND_S).contains(&time)
    }
}

impl Nominated {
    /// In how many videos a key was found.
    pub(super) fn videos_of(&self, key: &Key) -> u32 {
        self.found.get(key).copied().unwrap_or(0)
    }
}

/// A key of a clip as it is looked up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) orientation: Orientation,
    /// Number of the key in its clip.
    pub(super) number: u32,
    /// When the clip shows it, in seconds.
    pub(super) time: f32,
    pub(super) kind: KeyKind,
    pub(super) key: Key,
}

/// How closely an index is looked at.
pub(super) fn screen(index: &Index) -> Screen {
    let corpus = (index.state().keys.max(1) as f32).log2();
    let radius =
        (RADIUS_MIN..=RADIUS_MAX).rev().find(|radius| evidence::self_information(KeyKind::Region, *radius) >= corpus);
    let radius = radius.unwrap_or(RADIUS_MIN);
    let measured = index.screening().map(|screening| screening.probes as usize);
    Screen { probes: measured.unwrap_or(PROBES), radius, sketch_radius: radius / 2 + SKETCH_ROOM }
}

/// Nominates videos by what is asked of a clip.
pub(super) fn nominate(
    index: &Index,
    clip: &Fingerprint,
    asked: &Asked,
    stop: &dyn Fn() -> Result<()>,
) -> Result<Nominated> {
    let seen = asked.of.iter().zip(&asked.keys).filter(|((orientation, key), _)| nominates(clip, *orientation, *key));
    let seen: Vec<Seen> = seen
        .map(|(&(orientation, number), &key)| {
            let of_clip = &clip.keys[number];
            let time = clip.keyframes[of_clip.keyframe as usize].time.as_secs_f32();
            Seen { orientation, number: number as u32, time, kind: of_clip.kind, key }
        })
        .collect();
    nominate_by(index, &seen, &screen(index), stop)
}

/// Nominates videos by keys that were seen.
pub(super) fn nominate_by(
    index: &Index,
    seen: &[Seen],
    screen: &Screen,
    stop: &dyn Fn() -> Result<()>,
) -> Result<Nominated> {
    let mut nominated = Nominated::default();
    let mut bins = Bins::default();
    for part in seen.chunks(QUERIES_AT_A_TIME) {
        stop()?;
        let queries = distinct(part.iter().map(|seen| seen.key));
        let near = index.near_by_cell(&queries, screen)?;
        for of_query in near.chunk_by(|a, b| a.query == b.query) {
            let videos: HashSet<VideoRef> = of_query.iter().map(|near| near.video).collect();
            nominated.found.insert(queries[of_query[0].query as usize], videos.len() as u32);
        }
        for seen in part {
            let shared = (nominated.videos_of(&seen.key).max(1) as f32).log2();
            for near in near_to(&seen.key, &queries, &near) {
                bins.vote(seen, near, &index.run(near.video, near.run)?, shared);
            }
        }
    }
    (nominated.videos, nominated.is_crowded) = bins.nominees();
    Ok(nominated)
}

/// Votes by video, orientation and distance in time.
#[derive(Debug, Default)]
pub(super) struct Bins(HashMap<(VideoRef, Orientation, i64), Bin>);

impl Bins {
    /// A key of the clip is near a run of a video; `shared` bits are what it loses because other
    /// videos have it too.
    pub(super) fn vote(&mut self, seen: &Seen, near: &Neighbour, run: &Run, shared: f32) {
        if run.kind != seen.kind {
            return;
        }
        let bits = evidence::self_information(run.kind, near.distance) - shared;
        let first = run.first.as_secs_f32() - seen.time;
        let last = (run.last.as_secs_f32() - seen.time).min(first + BIN_S * LONGEST_BINS);
        // Bins that overlap by half, so that two keys near each other share one.
        let bin = |offset: f32| (offset / (0.5 * BIN_S)).floor() as i64;
        for bin in bin(first) - 1..=bin(last) {
            let votes = self.0.entry((near.video, seen.orientation, bin)).or_default();
            votes.add(seen, near.run, bits, near.distance);
        }
    }

    /// Those that are nominated, with most agreement first; and whether others are left out,
    /// because in all seconds in which they are there are enough with more.
    pub(super) fn nominees(&self) -> (Vec<Nominee>, bool) {
        let mut videos: HashMap<VideoRef, Nominee> = HashMap::new();
        for ((video, orientation, _), bin) in self.0.iter().filter(|(_, bin)| bin.nominates()) {
            let none = || Nominee { video: *video, orientations: Vec::new(), bits: 0.0, shown: bin.shown };
            let nominee = videos.entry(*video).or_insert_with(none);
            if !nominee.orientations.contains(orientation) {
                nominee.orientations.push(*orientation);
            }
            nominee.bits = nominee.bits.max(bin.bits());
            nominee.shown = (nominee.shown.0.min(bin.shown.0), nominee.shown.1.max(bin.shown.1));
        }
        let mut nominees: Vec<Nominee> = videos.into_values().collect();
        nominees.iter_mut().for_each(|nominee| nominee.orientations.sort());
        nominees.sort_by(|a, b| b.bits.total_cmp(&a.bits).then(a.video.cmp(&b.video)));
        let (all, mut counts) = (nominees.len(), HashMap::<i64, u32>::new());
        nominees.retain(|nominee| {
            let seconds = nominee.shown.0 as i64..=nominee.shown.1 as i64;
            let kept = seconds.clone().any(|second| counts.get(&second).is_none_or(|count| *count < NOMINEES_A_SECOND));
            seconds.filter(|_| kept).for_each(|second| *counts.entry(second).or_default() += 1);
            kept
        });
        let is_crowded = nominees.len() < all;
        (nominees, is_crowded)
    }
}

/// Whether a key of a clip is looked up: all are, as they are and mirrored, since what is copied
/// may be shown in a few keyframes only (looking at every second lost 5 of 547 sources of edited
/// excerpts, one of them shown in four flashes).
fn nominates(clip: &Fingerprint, orientation: Orientation, key: usize) -> bool {
    Orientation::USUAL.contains(&orientation) || clip.keys[key].keyframe.is_multiple_of(OTHER_KEYFRAMES)
}

/// Every how many keyframes of a clip are looked at in orientations other than these.
const OTHER_KEYFRAMES: u32 = 4;

/// Agreement of a clip with a video at about one distance in time.
#[derive(Debug, Default)]
struct Bin {
    /// What each run of the video is worth at most.
    runs: HashMap<u32, f32>,
    /// A key of the clip, and whether there is another.
    key: Option<u32>,
    another: bool,
    /// Whether a key is all but the same.
    same: bool,
    /// When the clip shows the first and the last of these keys, in seconds.
    shown: (f32, f32),
}

impl Bin {
    fn add(&mut self, seen: &Seen, run: u32, bits: f32, distance: u32) {
        let (key, time) = (seen.number, seen.time);
        self.shown = if self.key.is_none() { (time, time) } else { (self.shown.0.min(time), self.shown.1.max(time)) };
        let most = self.runs.entry(run).or_insert(bits);
        *most = most.max(bits);
        self.another |= self.key.is_some_and(|known| known != key);
        self.key.get_or_insert(key);
        self.same |= distance <= SAME;
    }

    fn nominates(&self) -> bool {
        self.same || self.another && self.runs.len() >= 2
    }

    fn bits(&self) -> f32 {
        // In one order, so that the same votes give the same sum.
        let mut bits: Vec<f32> = self.runs.values().copied().collect();
        bits.sort_by(f32::total_cmp);
        bits.iter().sum()
    }
}

/// Cells that are looked into for each key of an index in which nobody has measured how many it
/// takes.
const PROBES: usize = 16;

/// Bits by which the sketches of two keys may differ more than half of what the keys do: chance
/// puts as many pairs beyond half as within.
const SKETCH_ROOM: u32 = 4;

/// Largest radius of nomination, in bits, whatever the corpus: of 94 edited excerpts of nine
/// videos, each nominated by two keys among those of 494, 98 % were within 48 bits, all within 56,
/// and 64 found no more.
const RADIUS_MAX: u32 = 64;

/// Smallest radius of nomination, in bits: it suits 1e11 keys.
const RADIUS_MIN: u32 = 40;

/// Distance at which a single key nominates, in bits: not one of 7.5e10 unrelated pairs was that
/// near.
const SAME: u32 = 32;

/// Width of a bin of distances in time, in seconds: at half or twice the speed a clip stays in one
/// for 8 to 16 s.
const BIN_S: f32 = 8.0;

/// Bins over which a key of a video votes that it shows for long.
const LONGEST_BINS: f32 = 8.0;

/// Most videos that are compared for a second of the clip, those with most agreement: twice as many
/// as alignments are judged.
const NOMINEES_A_SECOND: u32 = 128;

/// How long before and after what nominates a video the clip is compared with it, in seconds:
/// several times as long as an alignment goes on without any hit.
const AROUND_S: f32 = 10.0;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::fingerprint::Place;

    /// Votes for so many videos, two keys each, from a second of the clip on.
    fn vote(bins: &mut Bins, videos: std::ops::Range<u32>, second: f32, distance: u32) {
        for video in videos {
            for number in 0..2 {
                let seen = Seen {
                    orientation: Orientation::UPRIGHT,
                    number,
                    time: second,
                    kind: KeyKind::Region,
                    key: Key::default(),
                };
                let near = Neighbour { query: 0, video: VideoRef { segment: 0, video }, run: number, distance };
                let first = Duration::from_secs_f32(second);
                let run = Run {
                    key: Key::default(),
                    kind: KeyKind::Region,
                    place: Place::default(),
                    first,
                    last: first,
                    recurs: false,
                };
                bins.vote(&seen, &near, &run, 0.0);
            }
        }
    }

    #[test]
    fn a_crowd_in_one_second_hides_nothing_in_another_and_is_told_where_it_does() {
        let mut bins = Bins::default();
        vote(&mut bins, 0..NOMINEES_A_SECOND, 3.0, 40);
        // Weaker than all of the crowd, but elsewhere.
        vote(&mut bins, 1000..1001, 20.0, 60);
        let (nominees, is_crowded) = bins.nominees();
        assert_eq!((nominees.len() as u32, is_crowded), (NOMINEES_A_SECOND + 1, false));
        assert!(
            nominees
                .iter()
                .any(|nominee| nominee.video.video == 1000 && nominee.is_near(12.0) && !nominee.is_near(9.0))
        );
        vote(&mut bins, 2000..2001, 3.0, 60);
        let (nominees, is_crowded) = bins.nominees();
        assert_eq!((nominees.len() as u32, is_crowded), (NOMINEES_A_SECOND + 1, true));
    }

    #[test]
    fn one_key_nominates_only_if_it_is_all_but_the_same() {
        for (distance, nominated) in [(SAME, 1), (SAME + 1, 0)] {
            let mut bins = Bins::default();
            let seen = Seen {
                orientation: Orientation::MIRRORED,
                number: 0,
                time: 1.0,
                kind: KeyKind::Whole,
                key: Key::default(),
            };
            let near = Neighbour { query: 0, video: VideoRef { segment: 0, video: 0 }, run: 0, distance };
            let run = Run {
                key: Key::default(),
                kind: KeyKind::Whole,
                place: Place::default(),
                first: Duration::from_secs(4),
                last: Duration::from_secs(4),
                recurs: false,
            };
            bins.vote(&seen, &near, &run, 0.0);
            assert_eq!(bins.nominees().0.len(), nominated, "{distance}");
        }
    }
}
