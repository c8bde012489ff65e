//! Temporal consistency test on the first sighting of each key.
//!
//! Another take of a scene fits a reference about equally at all times, and so does a copy of a
//! slow one. But a copy fits *best* at its own time, key by key. This test uses the first sighting
//! of each key (a track stores the key as first seen), repeated or not, whatever the margin. It
//! selects between neighbouring temporal hypotheses and proves nothing by itself ([`super::timing`]
//! does).

use super::TIME_TOLERANCE;
use super::guide::GUIDED_RADIUS;
use super::pairing::{Pairing, SAY_MAX};
use super::timing::{Tally, roughly_at};
use super::vote::Line;

impl Pairing<'_> {
    /// Runs the test on keys whose first sighting maps between two moments of the clip.
    pub(super) fn lock(&self, line: Line, (first, last): (f32, f32)) -> Tally {
        let mut lock = Tally::default();
        let frames = self.frames((first, last));
        // Tracks are sorted by their first sighting.
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

/// Limit of the positive window, in seconds of the clip from the claimed time.
const NEAR: f32 = 0.4;

/// Start of the negative window, in seconds: most of the picture has changed by then.
const APART: f32 = 1.0;

/// End of the negative window, in seconds.
const FAR: f32 = 3.0;
