//! Says which videos a clip could be a copy of, by looking at few keys.
//!
//! Each key of the clip is looked up in the cells nearest to it, within a radius that leaves about one chance hit a key. Two
//! keys of the clip that meet two keys of a video, in one orientation and at about one distance in time, nominate it; so does
//! a single key, if it is all but the same. What it is worth is decided later, by all keys of the nominated videos.

use std::collections::{HashMap, HashSet};

use super::{Asked, RADIUS};
use crate::error::Result;
use crate::evidence;
use crate::fingerprint::{Fingerprint, Key, KeyKind, Orientation};
use crate::index::{Index, Screen, VideoRef};

/// Videos that the clip could be a copy of.
#[derive(Debug, Default)]
pub(super) struct Nominated {
    /// Those with most agreement first.
    pub(super) videos: Vec<Nominee>,
    /// In how many videos each key was found.
    found: HashMap<Key, u32>,
}

/// A video and the orientations in which the clip could show it.
#[derive(Debug, PartialEq)]
pub(super) struct Nominee {
    pub(super) video: VideoRef,
    pub(super) orientations: Vec<Orientation>,
    bits: f32,
}

impl Nominated {
    /// In how many videos a key was found.
    pub(super) fn videos_of(&self, key: &Key) -> u32 {
        self.found.get(key).copied().unwrap_or(0)
    }
}

/// How closely an index is looked at.
pub(super) fn screen(index: &Index) -> Screen {
    let corpus = (index.state().keys.max(1) as f32).log2();
    let radius = (RADIUS_MIN..=RADIUS).rev().find(|radius| evidence::surprise(KeyKind::Region, *radius) >= corpus);
    let radius = radius.unwrap_or(RADIUS_MIN);
    Screen { probes: PROBES, radius, sketch_radius: radius / 2 }
}

/// Nominates videos by what is asked of a clip.
pub(super) fn nominate(
    index: &Index,
    clip: &Fingerprint,
    asked: &Asked,
    stop: &dyn Fn() -> Result<()>,
) -> Result<Nominated> {
    let screen = screen(index);
    let mut nominated = Nominated::default();
    let mut bins: HashMap<(VideoRef, Orientation, i64), Bin> = HashMap::new();
    for part in asked.parts_of(|(orientation, key)| nominates(clip, *orientation, *key)) {
        stop()?;
        let near = index.near_by_cell(&part.queries, &screen)?;
        for of_query in near.chunk_by(|a, b| a.query == b.query) {
            let videos: HashSet<VideoRef> = of_query.iter().map(|near| near.video).collect();
            nominated.found.insert(part.queries[of_query[0].query as usize], videos.len() as u32);
        }
        for &place in &part.asked {
            let (orientation, number) = asked.of[place];
            let key = asked.keys[place];
            let Ok(of) = part.queries.binary_search(&key) else { continue };
            let from = near.partition_point(|near| (near.query as usize) < of);
            let seen = &clip.keys[number];
            let shared = (nominated.videos_of(&key).max(1) as f32).log2();
            for near in near[from..].iter().take_while(|near| near.query as usize == of) {
                let run = index.run(near.video, near.run)?;
                if run.kind != seen.kind {
                    continue;
                }
                let bits = evidence::surprise(run.kind, near.distance) - shared;
                let time = clip.keyframes[seen.keyframe as usize].time.as_secs_f32();
                let first = run.first.as_secs_f32() - time;
                let last = (run.last.as_secs_f32() - time).min(first + BIN_S * LONGEST_BINS);
                // Bins that overlap by half, so that two keys near each other share one.
                let bin = |offset: f32| (offset / (0.5 * BIN_S)).floor() as i64;
                for bin in bin(first) - 1..=bin(last) {
                    let votes = bins.entry((near.video, orientation, bin)).or_default();
                    votes.add(number as u32, near.run, bits, near.distance);
                }
            }
        }
    }
    let mut videos: HashMap<VideoRef, Nominee> = HashMap::new();
    for ((video, orientation, _), bin) in &bins {
        if bin.nominates() {
            let nominee = videos.entry(*video).or_insert_with(|| Nominee {
                video: *video,
                orientations: Vec::new(),
                bits: 0.0,
            });
            if !nominee.orientations.contains(orientation) {
                nominee.orientations.push(*orientation);
            }
            nominee.bits = nominee.bits.max(bin.bits());
        }
    }
    nominated.videos = videos.into_values().collect();
    nominated.videos.iter_mut().for_each(|nominee| nominee.orientations.sort());
    nominated.videos.sort_by(|a, b| b.bits.total_cmp(&a.bits).then(a.video.cmp(&b.video)));
    nominated.videos.truncate(NOMINEES_MAX);
    Ok(nominated)
}

/// Whether a key of a clip is looked up: there is one nearly the same half a second before or after.
fn nominates(clip: &Fingerprint, orientation: Orientation, key: usize) -> bool {
    let every = if Orientation::USUAL.contains(&orientation) { USUAL_KEYFRAMES } else { OTHER_KEYFRAMES };
    clip.keys[key].keyframe.is_multiple_of(every)
}

/// Every how many keyframes of a clip are looked at as it is and mirrored, and in other orientations.
const USUAL_KEYFRAMES: u32 = 2;
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
}

impl Bin {
    fn add(&mut self, key: u32, run: u32, bits: f32, distance: u32) {
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

/// Cells that are looked into for each key: of 512 and 1024 cells, over 0.8 h of footage, see the README.
const PROBES: usize = 16;

/// Smallest radius of nomination, in bits: it suits 1e11 keys.
const RADIUS_MIN: u32 = 40;

/// Distance at which a single key nominates, in bits: not one of 7.5e10 unrelated pairs was that near.
const SAME: u32 = 32;

/// Width of a bin of distances in time, in seconds: at half or twice the speed a clip stays in one for 8 to 16 s.
const BIN_S: f32 = 8.0;

/// Bins over which a key of a video votes that it shows for long.
const LONGEST_BINS: f32 = 8.0;

/// Most videos that are nominated at a time, those with most agreement.
const NOMINEES_MAX: usize = 256;
