//! Asks of each key of the source at which moment of the clip it fits best.
//!
//! Another take of a scene may agree with a source at all times about as well, and so does a copy of a slow one. But
//! a copy agrees *best* at the time that its alignment claims, key by key: even on a wall, the noise and the compression of
//! that one frame are nearer than those of its neighbours. In another take the best moment of each key lies anywhere. This
//! looks at the first sighting of each key (what a run keeps is the key as it was first seen), whether or not it recurs.

use super::guide::{GUIDED_RADIUS, Shown};
use super::timing::Tally;
use super::vote::Line;
use super::{Similarity, TIME_TOLERANCE};
use crate::fingerprint::{ClipKey, Fingerprint, Orientation, Run};

/// What stands between a clip and a source but time.
#[derive(Clone, Copy)]
pub(super) struct Pairing<'a> {
    pub(super) clip: &'a Fingerprint,
    pub(super) shown: &'a Shown,
    pub(super) orientation: Orientation,
    pub(super) geometry: &'a Similarity,
}

impl Pairing<'_> {
    pub(super) fn time(&self, key: &ClipKey) -> f32 {
        self.clip.keyframes[key.keyframe as usize].time.as_secs_f32()
    }

    /// The keys of the clip between two of its moments.
    pub(super) fn keys(&self, (first, last): (f32, f32)) -> &[ClipKey] {
        let start = self.clip.keys.partition_point(|key| self.time(key) < first);
        let end = self.clip.keys.partition_point(|key| self.time(key) <= last);
        &self.clip.keys[start..end.max(start)]
    }

    /// How far a key of the clip is from a run, if it is where the geometry puts it.
    fn distance(&self, key: &ClipKey, run: &Run) -> Option<u32> {
        let place = self.orientation.place(key.place, self.clip.aspect());
        let there = key.kind == run.kind && self.geometry.takes(&place, &run.place);
        there.then(|| run.key.distance(self.orientation.key(key)))
    }

    /// Counts, for the keys that the source shows first between two moments of the clip.
    pub(super) fn lock(&self, line: Line, (first, last): (f32, f32)) -> Tally {
        let mut lock = Tally::default();
        // Runs come in order of their first sighting.
        for picture in self.shown.runs.chunk_by(|a, b| a.first == b.first) {
            let claimed = (picture[0].first.as_secs_f32() - line.offset) / line.speed;
            if !(first - TIME_TOLERANCE..=last + TIME_TOLERANCE).contains(&claimed) {
                continue;
            }
            let moments = |from: f32, to: f32| {
                let number = |time: f32| self.clip.keyframes.partition_point(|frame| frame.time.as_secs_f32() < time);
                number(to.min(last + 1e-3)).saturating_sub(number(from.max(first))) as f32
            };
            let here = moments(claimed - NEAR, claimed + NEAR);
            let there = moments(claimed - FAR, claimed + FAR) - moments(claimed - APART, claimed + APART);
            if here == 0.0 || there < here {
                continue;
            }
            let around = self.keys(((claimed - FAR).max(first), (claimed + FAR).min(last)));
            let (mut keys, mut best) = (0_u8, 0_u8);
            for run in picture {
                let (mut near, mut far) = (u32::MAX, u32::MAX);
                for key in around {
                    let apart = (self.time(key) - claimed).abs();
                    if apart > NEAR && apart < APART {
                        continue;
                    }
                    if let Some(distance) = self.distance(key, run) {
                        let least = if apart <= NEAR { &mut near } else { &mut far };
                        *least = (*least).min(distance);
                    }
                }
                if near.min(far) <= GUIDED_RADIUS && near != far {
                    keys = keys.saturating_add(1);
                    best = best.saturating_add((near < far).into());
                }
            }
            let (keys, best) = (f32::from(keys), f32::from(best));
            lock.add(&Tally { asked: keys, best, by_chance: keys * here / (here + there) }.capped(SAY_MAX as f32));
        }
        lock
    }

    /// The time lines of a speed that most keys of the source fit best, the most likely first, as offsets in seconds;
    /// looked for between two moments of the clip and two of the source.
    pub(super) fn offsets(&self, speed: f32, clip_s: (f32, f32), source_s: (f32, f32)) -> Vec<f32> {
        let keys = self.keys(clip_s);
        let mut votes: Vec<(i32, i32)> = Vec::new();
        for run in &self.shown.runs {
            let first = run.first.as_secs_f32();
            if !(source_s.0..=source_s.1).contains(&first) {
                continue;
            }
            let mut best = (VOTING_RADIUS + 1, 0.0_f32);
            let mut unique = true;
            for key in keys {
                let Some(distance) = self.distance(key, run).filter(|&distance| distance <= best.0) else { continue };
                let time = self.time(key);
                if distance < best.0 {
                    (best, unique) = ((distance, time), true);
                } else if (time - best.1).abs() > NEAR {
                    unique = false;
                }
            }
            if best.0 <= VOTING_RADIUS && unique {
                votes.push((((first - speed * best.1) / BIN).round() as i32, (first / BIN).round() as i32));
            }
        }
        // Keys of one picture say the same thing.
        votes.sort_unstable();
        let mut bins: Vec<(i32, u32)> = Vec::new();
        for alike in votes.chunk_by(|a, b| a == b) {
            let say = (alike.len() as u32).min(SAY_MAX);
            match bins.last_mut() {
                Some((bin, sum)) if *bin == alike[0].0 => *sum += say,
                _ => bins.push((alike[0].0, say)),
            }
        }
        let around =
            |bin: i32| bins.iter().filter(|(other, _)| (other - bin).abs() <= 1).map(|(_, say)| say).sum::<u32>();
        let mut ranked: Vec<(u32, i32)> = bins.iter().map(|&(bin, _)| (around(bin), bin)).collect();
        ranked.sort_by_key(|&(say, bin)| (std::cmp::Reverse(say), bin));
        let mut chosen: Vec<i32> = Vec::new();
        for (_, bin) in ranked {
            if chosen.len() < LINES_MAX && chosen.iter().all(|other| (other - bin).abs() > 2) {
                chosen.push(bin);
            }
        }
        chosen.into_iter().map(|bin| bin as f32 * BIN).collect()
    }
}

/// Up to so many seconds of the clip from the claimed time a keyframe is near it.
const NEAR: f32 = 0.4;

/// From so many seconds on it is far from it: most pictures have changed.
const APART: f32 = 1.0;

/// Up to so many seconds it is looked at.
const FAR: f32 = 3.0;

/// A key of the source votes for the moment of the clip that is nearest to it, and within so many bits.
const VOTING_RADIUS: u32 = 80;

/// Width of the bins in which time lines are counted, in seconds: the distance of two keyframes of a clip.
const BIN: f32 = 0.25;

/// Most that the keys of one picture of the source say together.
const SAY_MAX: u32 = 4;

/// Time lines that are given.
const LINES_MAX: usize = 4;
