//! Statistical power of a search, second by second (pure).
//!
//! Finding nothing means little where a search would miss a copy anyway. The clip itself predicts
//! this: by the number of its distinctive keys, by its motion, and by the length of its shots. A
//! logistic model of these is fitted on edited copies of real footage, with the outcome whether a
//! second of the copy was called published. A power of 0.9 means that a search finds nine of ten
//! such seconds of copies with usual edits.

use super::calibration::{POWER, POWER_EDITS};
use crate::fingerprint::{Content, Fingerprint, KeyKind};

/// Number of terms.
pub const TERMS: usize = 6;

/// Weights of the logistic model: the base, then one for each term.
#[derive(Debug, Clone, PartialEq)]
pub struct PowerModel {
    /// For copies with any edit.
    pub weights: Vec<f32>,
    /// Names of the classes of edits, and the offset of each to the base.
    pub edits: Vec<(&'static str, f32)>,
}

impl Default for PowerModel {
    fn default() -> PowerModel {
        PowerModel {
            weights: POWER.to_vec(),
            edits: POWER_EDITS.to_vec(),
        }
    }
}

impl PowerModel {
    /// Power of a second with these terms, 0..=1; `more` is added to the base.
    pub fn power(&self, terms: &[f32; TERMS], more: f32) -> f32 {
        let Some((base, weights)) = self.weights.split_first() else {
            return 0.0;
        };
        let odds = base
            + more
            + terms
                .iter()
                .zip(weights)
                .map(|(term, weight)| term * weight)
                .sum::<f32>();
        1.0 / (1.0 + (-odds).exp())
    }

    /// Mean power of seconds with these terms, by class of edits.
    pub fn by_edit(&self, seconds: &[[f32; TERMS]]) -> Vec<(&'static str, f32)> {
        let mean = |more: f32| {
            seconds
                .iter()
                .map(|terms| self.power(terms, more))
                .sum::<f32>()
                / seconds.len().max(1) as f32
        };
        self.edits
            .iter()
            .map(|(name, more)| (*name, mean(*more)))
            .collect()
    }
}

/// Terms of the power model for each second of a clip. Larger terms mean more power.
pub fn power_terms(clip: &Fingerprint) -> Vec<[f32; TERMS]> {
    let seconds = clip.duration.as_secs_f64().ceil() as usize;
    let mut counts_by_keyframe = vec![[0.0_f32; 3]; clip.keyframes.len()];
    for key in clip.keys.iter().filter(|key| !key.fine) {
        let counts = &mut counts_by_keyframe[key.keyframe as usize];
        counts[0] += f32::from(u8::from(key.kind == KeyKind::Whole));
        if key.kind == KeyKind::Region {
            counts[1] += 1.0;
            counts[2] += f32::from(u8::from(!key.recurs));
        }
    }
    let moving: Vec<f32> = (0..clip.motion.len())
        .map(|number| {
            let cells = clip.motion.picture(number);
            cells.iter().filter(|level| **level != 0).count() as f32 / cells.len().max(1) as f32
        })
        .collect();
    let shots = shots(clip);
    (0..seconds)
        .map(|second| {
            let middle = second as f64 + 0.5;
            let before = |end: f64| {
                clip.keyframes
                    .partition_point(|keyframe| keyframe.time.as_secs_f64() < end)
            };
            let around = before(middle - HALF_WINDOW_S)..before((middle + HALF_WINDOW_S).next_up());
            let mean = |value: &dyn Fn(usize) -> f32| {
                around.clone().map(value).sum::<f32>() / around.len().max(1) as f32
            };
            let searchable =
                mean(&|i| f32::from(u8::from(clip.keyframes[i].content == Content::Searchable)));
            let shot = shots
                .get(shots.partition_point(|(_, end)| *end < middle))
                .map_or(0.0, |(start, end)| end - start);
            [
                (1.0 + mean(&|i| counts_by_keyframe[i][1])).log2(),
                (1.0 + mean(&|i| counts_by_keyframe[i][2])).log2(),
                mean(&|i| counts_by_keyframe[i][0]).min(1.0),
                (1.0 + 100.0 * mean(&|i| moving.get(i).copied().unwrap_or_default())).log2(),
                (1.0 + shot.min(SHOT_FULL_S) as f32).log2(),
                searchable,
            ]
        })
        .collect()
}

/// Start and end of each shot, in seconds.
fn shots(clip: &Fingerprint) -> Vec<(f64, f64)> {
    let cuts = clip
        .keyframes
        .iter()
        .skip(1)
        .filter(|keyframe| keyframe.cut)
        .map(|keyframe| keyframe.time.as_secs_f64());
    let (mut shots, mut start) = (Vec::new(), 0.0);
    for cut in cuts.chain([clip.duration.as_secs_f64()]) {
        shots.push((start, cut));
        start = cut;
    }
    shots
}

/// Maximum distance of a keyframe from the middle of a second whose terms it contributes to, in
/// seconds.
const HALF_WINDOW_S: f64 = 1.5;

/// Length of a shot, in seconds, above which the power does not grow.
const SHOT_FULL_S: f64 = 10.0;
