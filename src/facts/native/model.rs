//! The model that distinguishes an upscaled frame from a native one (pure).

use super::super::spectrum::{BANDS, Levels};
use super::Sample;
use super::periods::PERIODS;

/// The model's judgement of a frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Judged {
    /// Log odds that it was upscaled.
    pub(super) logit: f32,
    /// Factor of the upscaling, if it was upscaled.
    pub(super) factor: f32,
}

/// Judges a frame; `None` if it has too little detail.
pub(super) fn judge(sample: &Sample) -> Option<Judged> {
    let features = features(sample)?;
    let sum = |weights: &[(f32, f32, f32); FEATURES], constant: f32| {
        let terms = features
            .iter()
            .zip(weights)
            .map(|(value, (mean, deviation, weight))| (value - mean) / deviation * weight);
        terms.sum::<f32>() + constant
    };
    let logit = sum(&weights::UPSCALED, weights::UPSCALED_CONSTANT);
    let factor = sum(&weights::FACTOR, weights::FACTOR_CONSTANT)
        .exp()
        .clamp(FACTOR_MIN, FACTOR_MAX);
    Some(Judged { logit, factor })
}

/// Features of the model: traces of resampling, and how the power falls with frequency where the
/// picture is sharpest.
fn features(sample: &Sample) -> Option<[f32; FEATURES]> {
    let mean = |[rows, columns]: &[Levels; 2]| {
        std::array::from_fn::<f32, BANDS, _>(|i| (rows[i] + columns[i]) / 2.0)
    };
    if mean(&sample.spectra.detailed)[DETAIL_BAND] < DETAIL_MIN {
        return None;
    }
    let levels = mean(&sample.spectra.sharpest);
    let mut features = [0.0; FEATURES];
    let (traces, rest) = features.split_at_mut(sample.traces.len());
    let (linear, rest) = rest.split_at_mut(BANDS - 1);
    let (steep, rest) = rest.split_at_mut(BANDS - 1);
    traces.copy_from_slice(&sample.traces);
    for (pair, (linear, steep)) in levels.windows(2).zip(linear.iter_mut().zip(steep)) {
        let step = pair[1] - pair[0];
        *linear = step / 3.0;
        *steep = (step + 2.0).min(0.0).powi(2) / 10.0;
    }
    let fall = levels
        .windows(5)
        .map(|five| five[0] - five[4])
        .fold(f32::MIN, f32::max);
    let (head, tail) = (levels[1] - levels[5], levels[BANDS - 4] - levels[BANDS - 1]);
    rest.copy_from_slice(&[
        fall / 5.0,
        tail / 5.0,
        head / 5.0,
        (fall - tail).powi(2) / 50.0,
        (levels[BANDS - 1] - 35.0) / 5.0,
        fall * tail / 50.0,
        (fall - 12.0).max(0.0) / 4.0,
    ]);
    Some(features)
}

/// The common number of lines nearest to `lines`, if one is near, for a picture with `all` lines.
pub(super) fn usual_lines(lines: f32, all: u32) -> u32 {
    let near = USUAL
        .iter()
        .filter(|usual| **usual < all)
        .map(|&usual| (usual, (lines / usual as f32).ln().abs()));
    match near.min_by(|a, b| a.1.total_cmp(&b.1)) {
        Some((usual, distance)) if distance < USUAL_NEAR => usual,
        _ => (lines.round() as u32).clamp(1, all.max(1)),
    }
}

/// Number of features.
const FEATURES: usize = PERIODS.len() + 2 * (BANDS - 1) + 7;
/// Band that must have detail, and its minimum level in decibels. A softer picture has no detail at
/// any size.
const DETAIL_BAND: usize = 3;
const DETAIL_MIN: f32 = 30.0;
/// Range of factors on which the model was fitted.
const FACTOR_MIN: f32 = 1.2;
const FACTOR_MAX: f32 = 4.0;
/// Line counts of common formats.
const USUAL: [u32; 13] = [
    144, 180, 240, 270, 288, 360, 432, 480, 540, 576, 720, 1080, 1440,
];
/// Maximum log ratio to a common number of lines that still counts as near.
const USUAL_NEAR: f32 = 0.12;

mod weights;
