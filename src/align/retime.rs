//! Offset refinement: searches for a better temporal hypothesis than the voted one.

use super::moving::Tracks;
use super::pairing::{Pairing, speeds};
use super::vote::{Line, Vote};
use super::{Agreement, CONTRAST_MIN, Context, GAP_MAX, TIME_TOLERANCE, middle};
use crate::search::Hit;

impl Context<'_> {
    /// Replaces the temporal hypothesis if frames and keys fit another one clearly better: static
    /// content fits many times equally well, so its votes may have chosen any.
    ///
    /// Motion comes first, at all speeds, for a selection penalty. Then the likeliest hypotheses at
    /// the voted speed, at unit speed and backwards take the first-sighting test. If none passes
    /// clearly, those of all speeds take the full temporal consistency test, again for a penalty.
    pub(super) fn retime(&self, votes: &[Vote], agreement: &mut Agreement, group: &[Hit]) {
        if self.evidence(votes, agreement, group).total < CONTRAST_MIN {
            return;
        }
        let Agreement { geometry, line, .. } = &*agreement;
        let (first, last) = agreement.span(votes);
        let pairing = self.pairing(group[0].orientation, geometry);
        let mut best = (pairing.lock(*line, (first, last)).bits(), *line);
        if best.0 >= LOCKED_BITS {
            return;
        }
        // The middle of the alignment, and the part of the reference around it.
        let (from, to) = middle((first, last), RETIMED_SECONDS);
        let clip_s = ((from - GAP_MAX).max(self.window.0), (to + GAP_MAX).min(self.window.1));
        let source_s = line.span(clip_s, RETIMED_REACH);
        let mut usual = vec![line.speed, 1.0, -1.0];
        usual.dedup();
        let tracks = pairing.moving(clip_s, source_s).and_then(Tracks::new);
        if let Some(better) = tracks.and_then(|tracks| tracks.better(*line, speeds().chain(usual.iter().copied()))) {
            let moved = self.on_line(votes, agreement, better, RETIMED_PRICE);
            // Similar motion may recur where the keys do not fit.
            if self.evidence(votes, &moved, group).total >= CONTRAST_MIN {
                *agreement = moved;
                return;
            }
        }
        let moments = pairing.best_moments(clip_s, source_s);
        for &speed in &usual {
            // Backwards, or at another speed than the voted one, the gain must be twice as large.
            let least = best.0.max(RETIMED_BITS) + if speed == line.speed { RETIMED_GAIN } else { 2.0 * RETIMED_GAIN };
            let lines = Pairing::lines(&moments, &[speed], clip_s, LINES_OF_SPEED).into_iter();
            let bits = lines.map(|line| (pairing.lock(line, clip_s).bits(), line));
            let most = bits.max_by(|a, b| a.0.total_cmp(&b.0)).filter(|(bits, _)| *bits >= least);
            best = most.unwrap_or(best);
        }
        let mut paid = 0.0;
        if best.0 < LOCKED_BITS {
            let timed = pairing.timing(best.1, clip_s).bits();
            let mut least = timed.max(RETIMED_BITS) + RETIMED_GAIN;
            let all: Vec<f32> = speeds().chain(usual).collect();
            for other in Pairing::lines(&moments, &all, clip_s, LINES_OF_ALL) {
                let timing = pairing.timing(other, clip_s);
                let bits = timing.bits() - if other.speed < 0.0 { RETIMED_GAIN } else { 0.0 };
                if bits >= least && timing.pictures().asked >= RETIMED_PICTURES {
                    (least, best.1, paid) = (bits, other, RETIMED_PRICE);
                }
            }
        }
        if best.1 != *line {
            *agreement = self.on_line(votes, agreement, best.1, paid);
        }
    }

    /// The hypothesis with the same geometry and another temporal part, at a selection penalty.
    pub(super) fn on_line(&self, votes: &[Vote], agreement: &Agreement, line: Line, paid: f32) -> Agreement {
        let geometry = agreement.geometry;
        let fits = |vote: &Vote| vote.fits(&geometry) && line.miss(vote) <= TIME_TOLERANCE;
        let fitting = (0..votes.len()).filter(|&i| fits(&votes[i])).collect();
        Agreement { geometry, line, votes: fitting, paid, jumps: false, outdone: false }
    }
}

/// Score of the first-sighting test from which no alternative is sought, in bits.
const LOCKED_BITS: f32 = 20.0;

/// Minimum score of a hypothesis that replaces the voted one, before the gain, in bits.
pub(super) const RETIMED_BITS: f32 = 4.0;

/// Minimum gain over the current hypothesis, in bits.
pub(super) const RETIMED_GAIN: f32 = 6.0;

/// Minimum number of frames of both sides in the test: with few, one of many hypotheses fits all by
/// chance.
const RETIMED_PICTURES: f32 = 16.0;

/// Selection penalty, in bits: the best of many hypotheses fits well by chance.
const RETIMED_PRICE: f32 = 6.0;

/// Longest part of the clip to search, in seconds.
pub(super) const RETIMED_SECONDS: f32 = 30.0;

/// Maximum distance from the voted hypothesis, in seconds of the reference.
pub(super) const RETIMED_REACH: f32 = 20.0;

/// Number of hypotheses to test at each usual speed, and at all speeds together.
const LINES_OF_SPEED: usize = 4;
const LINES_OF_ALL: usize = 6;
