//! Offset refinement: searches for a better temporal hypothesis than the voted one.

use super::candidate::{CandidatePair, speeds};
use super::motion::CorrelationMatrix;
use super::vote::{TemporalHypothesis, Vote};
use super::{Context, GAP_MAX, Hypothesis, TESTED_MIN, TIME_TOLERANCE, middle};
use crate::search::Hit;

impl Context<'_> {
    /// Replaces the temporal hypothesis if frames and keys fit another one clearly better: static
    /// content fits many times equally well, so its votes may have chosen any.
    ///
    /// Motion comes first, at all speeds, for a selection penalty. Then the likeliest hypotheses at
    /// the voted speed, at unit speed and backwards take the first-sighting test. If none passes
    /// clearly, those of all speeds take the full temporal consistency test, again for a penalty.
    pub(super) fn refine_offset(&self, votes: &[Vote], hypothesis: &mut Hypothesis, group: &[Hit]) {
        if self.evidence(votes, hypothesis, group).total < TESTED_MIN {
            return;
        }
        let Hypothesis {
            geometry, temporal, ..
        } = &*hypothesis;
        let (first, last) = hypothesis.span(votes);
        let candidate = self.candidate(group[0].orientation, geometry);
        let mut best = (
            candidate
                .first_sighting_test(*temporal, (first, last))
                .bits(),
            *temporal,
        );
        if best.0 >= CONSISTENT_BITS {
            return;
        }
        // The middle of the alignment, and the part of the reference around it.
        let (from, to) = middle((first, last), REFINEMENT_SECONDS);
        let clip_s = (
            (from - GAP_MAX).max(self.window.0),
            (to + GAP_MAX).min(self.window.1),
        );
        let reference_s = temporal.span(clip_s, REFINEMENT_REACH);
        let mut usual = vec![temporal.speed, 1.0, -1.0];
        usual.dedup();
        let matrix = candidate
            .motion_pair(clip_s, reference_s)
            .and_then(CorrelationMatrix::new);
        if let Some(better) = matrix
            .and_then(|matrix| matrix.better(*temporal, speeds().chain(usual.iter().copied())))
        {
            let by_motion = self.with_temporal(votes, hypothesis, better, REFINEMENT_PENALTY);
            // Similar motion may recur where the keys do not fit.
            if self.evidence(votes, &by_motion, group).total >= TESTED_MIN {
                *hypothesis = by_motion;
                return;
            }
        }
        let moments = candidate.best_moments(clip_s, reference_s);
        for &speed in &usual {
            // Backwards, or at another speed than the voted one, the gain must be twice as large.
            let least = best.0.max(REFINEMENT_BITS)
                + if speed == temporal.speed {
                    REFINEMENT_GAIN
                } else {
                    2.0 * REFINEMENT_GAIN
                };
            let hypotheses =
                CandidatePair::likeliest(&moments, &[speed], clip_s, TESTED_PER_SPEED).into_iter();
            let bits = hypotheses.map(|temporal| {
                (
                    candidate.first_sighting_test(temporal, clip_s).bits(),
                    temporal,
                )
            });
            let most = bits
                .max_by(|a, b| a.0.total_cmp(&b.0))
                .filter(|(bits, _)| *bits >= least);
            best = most.unwrap_or(best);
        }
        let mut selection_penalty = 0.0;
        if best.0 < CONSISTENT_BITS {
            let current = candidate.temporal_consistency(best.1, clip_s).bits();
            let mut least = current.max(REFINEMENT_BITS) + REFINEMENT_GAIN;
            let all: Vec<f32> = speeds().chain(usual).collect();
            for other in CandidatePair::likeliest(&moments, &all, clip_s, TESTED_IN_ALL) {
                let test = candidate.temporal_consistency(other, clip_s);
                let bits = test.bits()
                    - if other.speed < 0.0 {
                        REFINEMENT_GAIN
                    } else {
                        0.0
                    };
                if bits >= least && test.frames_of_both().trials >= REFINEMENT_FRAMES {
                    (least, best.1, selection_penalty) = (bits, other, REFINEMENT_PENALTY);
                }
            }
        }
        if best.1 != *temporal {
            *hypothesis = self.with_temporal(votes, hypothesis, best.1, selection_penalty);
        }
    }

    /// The hypothesis with the same geometry and another temporal part, at a selection penalty.
    pub(super) fn with_temporal(
        &self,
        votes: &[Vote],
        hypothesis: &Hypothesis,
        temporal: TemporalHypothesis,
        selection_penalty: f32,
    ) -> Hypothesis {
        let geometry = hypothesis.geometry;
        let fits = |vote: &Vote| vote.fits(&geometry) && temporal.residual(vote) <= TIME_TOLERANCE;
        let fitting = (0..votes.len()).filter(|&i| fits(&votes[i])).collect();
        Hypothesis {
            geometry,
            temporal,
            inliers: fitting,
            selection_penalty,
            segmented: false,
            superseded: false,
        }
    }
}

/// Score of the first-sighting test from which no alternative is sought, in bits.
const CONSISTENT_BITS: f32 = 20.0;

/// Minimum score of a hypothesis that replaces the voted one, before the gain, in bits.
pub(super) const REFINEMENT_BITS: f32 = 4.0;

/// Minimum gain over the current hypothesis, in bits.
pub(super) const REFINEMENT_GAIN: f32 = 6.0;

/// Minimum number of frames of both sides in the test: with few, one of many hypotheses fits all by
/// chance.
const REFINEMENT_FRAMES: f32 = 16.0;

/// Selection penalty, in bits: the best of many hypotheses fits well by chance.
const REFINEMENT_PENALTY: f32 = 6.0;

/// Longest part of the clip to search, in seconds.
pub(super) const REFINEMENT_SECONDS: f32 = 30.0;

/// Maximum distance from the voted hypothesis, in seconds of the reference.
pub(super) const REFINEMENT_REACH: f32 = 20.0;

/// Number of hypotheses to test at each usual speed, and at all speeds together.
const TESTED_PER_SPEED: usize = 4;
const TESTED_IN_ALL: usize = 6;
