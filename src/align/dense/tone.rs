//! Fits the tone curve of an edit that gain and offset do not describe: solarised frames, false
//! colours, steep curves.

use super::level::{half_disagreement, saturated};

/// The clip's level for each level of the reference, 0..=255.
pub(super) struct Tone {
    levels: [f32; KNOTS],
}

impl Tone {
    /// The curve through pairs of levels (reference, clip), if it explains them clearly better than
    /// a straight line.
    pub(super) fn fitted(pairs: &[(f32, f32)]) -> Option<Tone> {
        let count = pairs.len() as f32;
        if pairs.len() < PAIRS_MIN {
            return None;
        }
        let mean = pairs.iter().map(|(_, clip)| clip / count).sum::<f32>();
        let deviation = pairs
            .iter()
            .map(|(_, clip)| (clip - mean).powi(2) / count)
            .sum::<f32>()
            .sqrt();
        let scale = half_disagreement(deviation);
        let cost = |level: &dyn Fn(f32) -> f32| {
            pairs
                .iter()
                .map(|&(reference, clip)| saturated((clip - level(reference)) / scale))
                .sum::<f32>()
                / count
        };
        let (gain, offset) = line(pairs, scale);
        let tone = Tone::through(pairs, scale);
        let straight = cost(&|reference| gain * reference + offset);
        (cost(&|reference| tone.level(reference)) < BETTER * straight && straight > STRAIGHT)
            .then_some(tone)
    }

    /// Robust means of the clip's levels about each knot.
    fn through(pairs: &[(f32, f32)], scale: f32) -> Tone {
        let mut tone = Tone {
            levels: [0.0; KNOTS],
        };
        let mut weights = vec![1.0_f32; pairs.len()];
        for _ in 0..ROUNDS {
            let mut sums = [(0.0_f32, 0.0_f32); KNOTS];
            for (&(reference, clip), weight) in pairs.iter().zip(&weights) {
                let (knot, beyond) = place(reference);
                for (knot, share) in [(knot, 1.0 - beyond), (knot + 1, beyond)] {
                    sums[knot].0 += share * weight;
                    sums[knot].1 += share * weight * clip;
                }
            }
            tone = Tone {
                levels: filled(sums),
            };
            let residual = |&(reference, clip): &(f32, f32)| (clip - tone.level(reference)) / scale;
            weights = pairs
                .iter()
                .map(|pair| (1.0 + residual(pair).powi(2)).powi(-2))
                .collect();
        }
        tone
    }

    /// The clip's level for a level of the reference.
    pub(super) fn level(&self, reference: f32) -> f32 {
        let (knot, beyond) = place(reference);
        self.levels[knot] + beyond * (self.levels[knot + 1] - self.levels[knot])
    }
}

/// The knot at or below a level, and the share of the way to the next.
fn place(level: f32) -> (usize, f32) {
    let at = (level.clamp(0.0, 255.0) / 255.0 * (KNOTS - 1) as f32).min((KNOTS - 1) as f32 - 1e-3);
    (at as usize, at.fract())
}

/// The mean at each knot; one with too few levels takes that of the nearest with enough.
fn filled(sums: [(f32, f32); KNOTS]) -> [f32; KNOTS] {
    let total: f32 = sums.iter().map(|sum| sum.0).sum();
    let known = |knot: &usize| sums[*knot].0 > total * KNOWN_MIN;
    std::array::from_fn(|knot| {
        let nearest = (0..KNOTS)
            .filter(known)
            .min_by_key(|other| other.abs_diff(knot));
        nearest.map_or(0.0, |nearest| sums[nearest].1 / sums[nearest].0)
    })
}

/// Robust straight line through pairs of levels.
fn line(pairs: &[(f32, f32)], scale: f32) -> (f32, f32) {
    let mut weights = vec![1.0_f32; pairs.len()];
    let mut fitted = (1.0, 0.0);
    for _ in 0..ROUNDS {
        let total: f32 = weights.iter().sum::<f32>().max(f32::MIN_POSITIVE);
        let mean = |value: &dyn Fn(&(f32, f32)) -> f32| {
            pairs
                .iter()
                .zip(&weights)
                .map(|(pair, weight)| weight * value(pair))
                .sum::<f32>()
                / total
        };
        let (reference, clip) = (mean(&|pair| pair.0), mean(&|pair| pair.1));
        let (ss, sc) = (
            mean(&|pair| (pair.0 - reference).powi(2)),
            mean(&|pair| (pair.0 - reference) * (pair.1 - clip)),
        );
        let gain = sc / ss.max(1.0);
        fitted = (gain, clip - gain * reference);
        let residual = |pair: &(f32, f32)| (pair.1 - fitted.0 * pair.0 - fitted.1) / scale;
        weights = pairs
            .iter()
            .map(|pair| (1.0 + residual(pair).powi(2)).powi(-2))
            .collect();
    }
    fitted
}

/// Number of knots; the curve is linear between them.
const KNOTS: usize = 17;

/// Minimum number of pairs of levels for a curve.
const PAIRS_MIN: usize = 500;

/// Maximum cost of a curve relative to a straight line, and minimum cost of the straight line.
const BETTER: f32 = 0.6;
const STRAIGHT: f32 = 0.1;

/// Minimum share of all levels near a knot with a mean of its own.
const KNOWN_MIN: f32 = 0.002;

/// Iterations of a robust fit.
const ROUNDS: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    /// Levels of a reference, and the same after an edit.
    fn edited(edit: impl Fn(f32) -> f32) -> Vec<(f32, f32)> {
        (0..2000)
            .map(|i| (i * 37 % 256) as f32)
            .map(|reference| (reference, edit(reference)))
            .collect()
    }

    #[test]
    fn a_solarised_picture_gives_a_curve_and_a_graded_one_none() {
        let solarised = |level: f32| if level > 128.0 { 255.0 - level } else { level };
        let tone = Tone::fitted(&edited(solarised)).expect("a curve");
        for level in [10.0, 60.0, 100.0, 160.0, 200.0, 250.0] {
            assert!(
                (tone.level(level) - solarised(level)).abs() < 6.0,
                "{level}: {}",
                tone.level(level)
            );
        }
        assert!(Tone::fitted(&edited(|level| 0.5 * level + 40.0)).is_none());
        assert!(Tone::fitted(&edited(|level| 255.0 * (level / 255.0).powf(0.8))).is_none());
    }

    #[test]
    fn unrelated_levels_give_no_curve() {
        let pairs: Vec<(f32, f32)> = (0..2000)
            .map(|i| ((i * 37 % 256) as f32, (i * 101 % 255) as f32))
            .collect();
        assert!(Tone::fitted(&pairs).is_none());
    }

    #[test]
    fn other_footage_in_a_third_of_the_picture_does_not_bend_the_curve() {
        let solarised = |level: f32| if level > 128.0 { 255.0 - level } else { level };
        let mut pairs = edited(solarised);
        pairs.iter_mut().step_by(3).for_each(|pair| pair.1 = 200.0);
        let tone = Tone::fitted(&pairs).expect("a curve");
        assert!(
            (tone.level(128.0) - 125.0).abs() < 15.0
                && tone.level(20.0) < 50.0
                && tone.level(240.0) < 50.0
        );
    }
}
