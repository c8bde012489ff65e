//! Looks for a better time line than the one that was voted for.

use super::moving::Tracks;
use super::pairing::{Pairing, speeds};
use super::vote::{Line, Vote};
use super::{Agreement, CONTRAST_MIN, Context, GAP_MAX, TIME_TOLERANCE, middle};
use crate::search::Hit;

impl Context<'_> {
    /// Takes the time line at which pictures and keys fit best, if that is clearly another one: what stands still in a scene
    /// agrees at many times about as well, and so its votes alone may have chosen any.
    ///
    /// What moves is asked first, at all speeds, which is paid for. Then the likeliest lines of the voted speed, of real time and
    /// backwards are asked how well they lock; if none does so clearly, those of all speeds how well they are timed, which is
    /// paid for too.
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
        // A part of the clip around the alignment, and the part of the source around that.
        let (from, to) = middle((first, last), RETIMED_SECONDS);
        let clip_s = ((from - GAP_MAX).max(self.window.0), (to + GAP_MAX).min(self.window.1));
        let source_s = line.span(clip_s, RETIMED_REACH);
        let mut usual = vec![line.speed, 1.0, -1.0];
        usual.dedup();
        let tracks = pairing.moving(clip_s, source_s).and_then(Tracks::new);
        if let Some(better) = tracks.and_then(|tracks| tracks.better(*line, speeds().chain(usual.iter().copied()))) {
            let moved = self.on_line(votes, agreement, better, RETIMED_PRICE);
            // What moves may have come again where the keys do not fit.
            if self.evidence(votes, &moved, group).total >= CONTRAST_MIN {
                *agreement = moved;
                return;
            }
        }
        let moments = pairing.best_moments(clip_s, source_s);
        for &speed in &usual {
            // Playing backwards, and another speed than the one that was voted for, have to be clearly better.
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

    /// The agreement of the same geometry on another time line, for a price.
    pub(super) fn on_line(&self, votes: &[Vote], agreement: &Agreement, line: Line, paid: f32) -> Agreement {
        let geometry = agreement.geometry;
        let fits = |vote: &Vote| vote.fits(&geometry) && line.miss(vote) <= TIME_TOLERANCE;
        let fitting = (0..votes.len()).filter(|&i| fits(&votes[i])).collect();
        Agreement { geometry, line, votes: fitting, paid, jumps: false, outdone: false }
    }
}

/// Improbability of a time line's fit, in bits, from which no other is looked for.
const LOCKED_BITS: f32 = 20.0;

/// Least improbability of a time line that replaces the one that was voted for, less the next, in bits.
pub(super) const RETIMED_BITS: f32 = 4.0;

/// How much more improbable its fit has to be, in bits.
pub(super) const RETIMED_GAIN: f32 = 6.0;

/// Least pictures of both sides that are asked for it: of a few, one of many time lines fits all by chance.
const RETIMED_PICTURES: f32 = 16.0;

/// What it pays, in bits: the best of many time lines fits well by chance.
const RETIMED_PRICE: f32 = 6.0;

/// Most seconds of the clip in which another time line is looked for.
pub(super) const RETIMED_SECONDS: f32 = 30.0;

/// How far from the voted one it is looked for, in seconds of the source.
pub(super) const RETIMED_REACH: f32 = 20.0;

/// Lines that are tried of each usual speed, and of all speeds together.
const LINES_OF_SPEED: usize = 4;
const LINES_OF_ALL: usize = 6;
