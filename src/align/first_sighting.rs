//! Temporal consistency test on the first sighting of each key.
//!
//! Another take of a scene fits a reference about equally at all times, and so does a copy of a
//! slow one. But a copy fits *best* at its own time, key by key. This test uses the first sighting
//! of each key (a track stores the key as first seen), repeated or not, whatever the margin. It
//! selects between neighbouring temporal hypotheses and proves nothing by itself
//! ([`super::consistency`] does).

use super::TIME_TOLERANCE;
use super::candidate::{CandidatePair, WEIGHT_MAX};
use super::consistency::{BinomialTest, vertically_near};
use super::guided::GUIDED_RADIUS;
use super::vote::TemporalHypothesis;

impl CandidatePair<'_> {
    /// Runs the test on keys whose first sighting maps between two moments of the clip.
    pub(super) fn first_sighting_test(
        &self,
        temporal: TemporalHypothesis,
        (first, last): (f32, f32),
    ) -> BinomialTest {
        let mut test = BinomialTest::default();
        let frames = self.frames((first, last));
        // Tracks are sorted by their first sighting.
        for sightings in self.track.runs.chunk_by(|a, b| a.first == b.first) {
            let claimed = (sightings[0].first.as_secs_f32() - temporal.offset) / temporal.speed;
            if !(first - TIME_TOLERANCE..=last + TIME_TOLERANCE).contains(&claimed) {
                continue;
            }
            let moments = |from: f32, to: f32| {
                let number = |time: f32| {
                    self.clip
                        .keyframes
                        .partition_point(|frame| frame.time.as_secs_f32() < time)
                };
                number(to.min(last + 1e-3)).saturating_sub(number(from.max(first))) as f32
            };
            let here = moments(claimed - POSITIVE_END, claimed + POSITIVE_END);
            let there = moments(claimed - NEGATIVE_END, claimed + NEGATIVE_END)
                - moments(claimed - NEGATIVE_START, claimed + NEGATIVE_START);
            if here == 0.0 || there < here {
                continue;
            }
            let around = frames.partition_point(|(time, _)| *time < claimed - NEGATIVE_END)
                ..frames.partition_point(|(time, _)| *time <= claimed + NEGATIVE_END);
            let (mut trials, mut successes) = (0_u8, 0_u8);
            for run in sightings {
                let (mut positive, mut negative) = (u32::MAX, u32::MAX);
                for (time, frame) in &frames[around.clone()] {
                    let apart = (time - claimed).abs();
                    if apart > POSITIVE_END && apart < NEGATIVE_START {
                        continue;
                    }
                    let there = frame[vertically_near(run, frame, self.geometry)]
                        .iter()
                        .filter(|seen| {
                            seen.kind == run.kind && self.geometry.takes(&seen.place, &run.place)
                        });
                    if let Some(distance) = there.map(|seen| run.key.distance(seen.key)).min() {
                        let least = if apart <= POSITIVE_END {
                            &mut positive
                        } else {
                            &mut negative
                        };
                        *least = (*least).min(distance);
                    }
                }
                if positive.min(negative) <= GUIDED_RADIUS && positive != negative {
                    trials = trials.saturating_add(1);
                    successes = successes.saturating_add((positive < negative).into());
                }
            }
            let (trials, successes) = (f32::from(trials), f32::from(successes));
            test.add(
                &BinomialTest {
                    trials,
                    successes,
                    null_successes: trials * here / (here + there),
                }
                .capped(WEIGHT_MAX as f32),
            );
        }
        test
    }
}

/// Limit of the positive window, in seconds of the clip from the claimed time.
const POSITIVE_END: f32 = 0.4;

/// Start of the negative window, in seconds: most of the picture has changed by then.
const NEGATIVE_START: f32 = 1.0;

/// End of the negative window, in seconds.
const NEGATIVE_END: f32 = 3.0;
