//! Asks of each key of the source at which moment of the clip it fits best.
//!
//! Another take of a scene may agree with a source at all times about as well, and so does a copy of a slow one. But a copy
//! agrees *best* at its own time, key by key. This looks at the first sighting of each key (what a run keeps is the key as it
//! was first seen), whether or not it recurs, and however unclear the answer: it tells which of two time lines that lie beside each
//! other is the right one, and proves nothing by itself ([`super::timing`] does).

use super::TIME_TOLERANCE;
use super::guide::GUIDED_RADIUS;
use super::pairing::{Pairing, SAY_MAX};
use super::timing::{Tally, roughly_at};
use super::vote::Line;

impl Pairing<'_> {
    /// Counts, for the keys that the source shows first between two moments of the clip.
    pub(super) fn lock(&self, line: Line, (first, last): (f32, f32)) -> Tally {
        let mut lock = Tally::default();
        let frames = self.frames((first, last));
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
            let around = frames.partition_point(|(time, _)| *time < claimed - FAR)
                ..frames.partition_point(|(time, _)| *time <= claimed + FAR);
            let (mut keys, mut best) = (0_u8, 0_u8);
            for run in picture {
                let (mut near, mut far) = (u32::MAX, u32::MAX);
                for (time, frame) in &frames[around.clone()] {
                    let apart = (time - claimed).abs();
                    if apart > NEAR && apart < APART {
                        continue;
                    }
                    let there = frame[roughly_at(run, frame, self.geometry)]
                        .iter()
                        .filter(|seen| seen.kind == run.kind && self.geometry.takes(&seen.place, &run.place));
                    if let Some(distance) = there.map(|seen| run.key.distance(seen.key)).min() {
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
}

/// Up to so many seconds of the clip from the claimed time a keyframe is near it.
const NEAR: f32 = 0.4;

/// From so many seconds on it is far from it: most pictures have changed.
const APART: f32 = 1.0;

/// Up to so many seconds it is looked at.
const FAR: f32 = 3.0;
