//! Detects a picture that filters reduced to little but lines or two levels (pure).
//!
//! In nature most of a picture's variance is in large structures (its spectrum falls with the
//! square of the frequency: Field 1987). An edge detector, a sketch, an emboss or a high-pass
//! filter moves it into lines. A copy treated like that gives other keys than its source, so a
//! search that finds nothing proves nothing.

use super::region::Levels;

/// Returns whether a picture looks so heavily filtered that its source could not be recognised.
pub(super) fn is_treated(levels: &Levels) -> bool {
    let levels_of_grey = &levels.picture().data;
    let (deviation, skew) = moments(levels_of_grey);
    let (coarse, _) = moments(&levels.eighth().0.data);
    let large = (coarse / deviation.max(f32::MIN_POSITIVE)).powi(2);
    if large < LARGE_MIN || large < LARGE_SKEWED_MIN && skew.abs() > SKEW_MAX {
        return true;
    }
    deviation > BINARY_DEVIATION && at_the_ends(levels_of_grey) > ENDS_MIN
}

/// Share of the levels that are near the darkest or the brightest hundredth, 0..=1.
fn at_the_ends(levels: &[f32]) -> f32 {
    let mut sorted = levels.to_vec();
    sorted.sort_unstable_by(f32::total_cmp);
    let at = |hundredths: usize| sorted[(sorted.len() - 1) * hundredths / 100];
    let (dark, bright) = (at(1), at(99));
    let reach = END_REACH * (bright - dark);
    let ends = levels
        .iter()
        .filter(|level| **level <= dark + reach || **level >= bright - reach);
    ends.count() as f32 / levels.len() as f32
}

/// Standard deviation and skewness.
fn moments(values: &[f32]) -> (f32, f32) {
    let n = values.len().max(1) as f32;
    let mean = values.iter().sum::<f32>() / n;
    let moment = |power: i32| {
        values
            .iter()
            .map(|value| (value - mean).powi(power))
            .sum::<f32>()
            / n
    };
    let deviation = moment(2).max(0.0).sqrt();
    (
        deviation,
        moment(3) / deviation.max(f32::MIN_POSITIVE).powi(3),
    )
}

/// Minimum share of the variance that remains in the means of 8x8 pixels, 0..=1, and the same for a
/// skewed picture, mostly of one level.
///
/// Of 154, 211 and 235 pictures of three sets of real footage, 1, 8 and none had less than the
/// first; all but one of these show a dark cat between wide borders. Of edge maps, high-pass
/// pictures and sketches, 86 to 100 % have less.
const LARGE_MIN: f32 = 0.45;
const LARGE_SKEWED_MIN: f32 = 0.6;

/// Skewness of a picture's levels above which the second minimum applies. 19 of the 600 pictures
/// exceed it.
const SKEW_MAX: f32 = 1.5;

/// Maximum distance of a binary picture's levels from the ends of the range, as a share of the
/// range.
const END_REACH: f32 = 0.12;

/// Share of such levels above which a picture of enough contrast is binary, 0..=1. Real footage has
/// 0.26 in the median, and a thresholded picture 0.95.
const ENDS_MIN: f32 = 0.88;

/// Minimum standard deviation of a binary picture, in grey levels; black and white in equal parts
/// have 127.
const BINARY_DEVIATION: f32 = 60.0;

#[cfg(test)]
mod tests {
    use super::super::plane::Plane;
    use super::super::testing::texture;
    use super::*;

    fn treated(level: impl Fn(f32, f32) -> f32) -> bool {
        let (width, height) = (228, 128);
        let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (x as f32, y as f32)));
        is_treated(&Levels::new(Plane {
            width,
            height,
            data: pixels.map(|(x, y)| level(x, y)).collect(),
        }))
    }

    #[test]
    fn edges_sketches_and_black_and_white_are_treated_and_a_picture_is_not() {
        for seed in 0..10 {
            let plain = |x: f32, y: f32| texture(0.4 * x, 0.4 * y, seed);
            // Lines along which a finer picture crosses one level.
            let edges = |x: f32, y: f32| {
                if (texture(x, y, seed) - 128.0).abs() < 3.0 {
                    235.0
                } else {
                    16.0
                }
            };
            assert!(
                !treated(plain) && !treated(|x, y| 255.0 - plain(x, y)),
                "{seed}"
            );
            assert!(!treated(|x, y| 16.0 + 0.4 * plain(x, y)), "{seed}");
            assert!(
                treated(edges) && treated(|x, y| 255.0 - edges(x, y)),
                "{seed}"
            );
            assert!(
                treated(|x, y| if plain(x, y) < 128.0 { 16.0 } else { 235.0 }),
                "{seed}"
            );
        }
    }
}
