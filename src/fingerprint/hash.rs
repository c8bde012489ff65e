//! The perceptual hash of 32x32 patches; the only place that names `image_hasher`.

use std::sync::LazyLock;

use image::GrayImage;
use image_hasher::{HashAlg, Hasher, HasherConfig};

use super::Key;
use super::dct::{self, LANES, Lanes};
use super::wide::{whole, widened};

/// Rows and columns of a patch.
pub(super) const PATCH: usize = 32;

/// A square of grey levels to hash; an affine change of brightness does not change the key.
pub(super) type Patch = [f32; PATCH * PATCH];

/// The 256-bit keys of the patches made from `things`: signs of the low 16x16 DCT coefficients
/// against their median (pHash, Zauner 2010). Several are computed at a time.
pub(super) fn keys<T>(things: &[T], patch: impl Fn(&T, &mut Patch)) -> Vec<Key> {
    let mut made = Vec::new();
    by_lanes(things, patch, |coefficients, count| {
        let mut keys = [Key::default(); LANES];
        read(coefficients, false, &mut keys);
        made.extend_from_slice(&keys[..count]);
    });
    made
}

/// The same, each with the key of the mirrored patch.
pub(super) fn keys_both_ways<T>(things: &[T], patch: impl Fn(&T, &mut Patch)) -> Vec<(Key, Key)> {
    let mut made = Vec::new();
    by_lanes(things, patch, |coefficients, count| {
        let (mut keys, mut mirrored) = ([Key::default(); LANES], [Key::default(); LANES]);
        read(coefficients, false, &mut keys);
        read(coefficients, true, &mut mirrored);
        made.extend(keys.into_iter().zip(mirrored).take(count));
    });
    made
}

/// The key of one patch, or of its mirror image, made by `image_hasher`.
///
/// [`keys`] gives the same keys, bit by bit, in a tenth of the time; a keyframe has dozens of
/// regions and one whole frame.
pub(super) fn one(patch: &Patch, mirrored: bool) -> Key {
    static HASHER: LazyLock<Hasher<[u8; 32]>> = LazyLock::new(|| {
        HasherConfig::with_bytes_type::<[u8; 32]>()
            .hash_size(16, 16)
            .hash_alg(HashAlg::Median)
            .preproc_dct()
            .to_hasher()
    });
    let ([mean], [deviation]) = contrast(&patch.map(|level| [level]));
    let gain = STRETCHED / deviation.max(1e-3);
    let level = |i: usize| {
        let (x, y) = (i % PATCH, i / PATCH);
        let level = patch[y * PATCH + if mirrored { PATCH - 1 - x } else { x }];
        (128.0 + gain * (level - mean)).round().clamp(0.0, 255.0) as u8
    };
    // At this size the hasher's own resize is a plain copy. The buffer has exactly the right
    // length, so the image is always built.
    let bytes = (0..PATCH * PATCH).map(level).collect();
    let picture = GrayImage::from_raw(PATCH as u32, PATCH as u32, bytes).unwrap_or_default();
    Key::from_bytes(HASHER.hash_image(&picture).into_inner())
}

/// Calls `take` with the coefficients of several patches at a time, and their number.
fn by_lanes<T>(
    things: &[T],
    patch: impl Fn(&T, &mut Patch),
    mut take: impl FnMut(&Coefficients, usize),
) {
    let mut patches = [[0.0; PATCH * PATCH]; LANES];
    let mut squares = [[0.0; LANES]; PATCH * PATCH];
    let mut coefficients = [[0.0; LANES]; LOW * LOW];
    for some in things.chunks(LANES) {
        some.iter()
            .zip(&mut patches)
            .for_each(|(thing, made)| patch(thing, made));
        interleave(&patches, &mut squares);
        stretch(&mut squares);
        dct::transform(&squares, &mut coefficients);
        take(&coefficients, some.len());
    }
}

widened! {
    /// Interleaves patches, level by level.
    pub(super) fn interleave(patches: &[Patch; LANES], squares: &mut [Lanes; PATCH * PATCH]) = interleave_always;
}

#[inline(always)]
fn interleave_always(patches: &[Patch; LANES], squares: &mut [Lanes; PATCH * PATCH]) {
    for (i, lanes) in squares.iter_mut().enumerate() {
        *lanes = std::array::from_fn(|lane| patches[lane][i]);
    }
}

/// Means and standard deviations of patches, in grey levels.
#[inline(always)]
pub(super) fn contrast<const N: usize>(
    squares: &[[f32; N]; PATCH * PATCH],
) -> ([f32; N], [f32; N]) {
    let n = squares.len() as f32;
    let (mut mean, mut deviation) = ([0.0_f32; N], [0.0_f32; N]);
    for lanes in squares {
        mean.iter_mut()
            .zip(lanes)
            .for_each(|(sum, level)| *sum += *level);
    }
    mean.iter_mut().for_each(|sum| *sum /= n);
    for lanes in squares {
        for ((sum, level), mean) in deviation.iter_mut().zip(lanes).zip(&mean) {
            *sum += (level - mean) * (level - mean);
        }
    }
    deviation
        .iter_mut()
        .for_each(|sum| *sum = (*sum / n).sqrt());
    (mean, deviation)
}

widened! {
    /// Stretches patches to a fixed contrast before rounding to whole levels 0..=255. Otherwise a
    /// patch with a range of 8 grey levels would lose its fine coefficients to rounding.
    fn stretch(squares: &mut [Lanes; PATCH * PATCH]) = stretch_always;
}

#[inline(always)]
fn stretch_always(squares: &mut [Lanes; PATCH * PATCH]) {
    let (mean, deviation) = contrast(squares);
    let gain = deviation.map(|deviation| STRETCHED / deviation.max(1e-3));
    for lanes in squares.iter_mut() {
        for ((level, mean), gain) in lanes.iter_mut().zip(&mean).zip(&gain) {
            let stretched = (128.0 + gain * (*level - mean)).clamp(0.0, 255.0);
            *level = whole(stretched + BELOW_HALF);
        }
    }
}

/// Standard deviation after stretching, in grey levels; 3 sigmas fit into a byte.
const STRETCHED: f32 = 42.0;

/// The largest number below a half. Adding it and truncating rounds a number that is not negative,
/// halves up.
const BELOW_HALF: f32 = 0.5_f32.next_down();

/// Rows and columns of the coefficients kept.
const LOW: usize = PATCH / 2;

/// The lowest coefficients of several patches, row by row.
type Coefficients = [Lanes; LOW * LOW];

widened! {
    /// The keys of several patches, or of their mirror images. Mirroring only flips the sign of
    /// each odd column, because the transform begins with sums and differences of opposite levels.
    fn read(coefficients: &Coefficients, mirrored: bool, keys: &mut [Key; LANES]) = read_always;
}

#[inline(always)]
fn read_always(coefficients: &Coefficients, mirrored: bool, keys: &mut [Key; LANES]) {
    let odd = if mirrored { -1.0 } else { 1.0 };
    let sign = |i: usize| if i.is_multiple_of(2) { 1.0 } else { odd };
    let (mut medians, mut ordinals) = ([0.0_f32; LANES], [0; LOW * LOW]);
    for (lane, of_lane) in medians.iter_mut().enumerate() {
        for (i, ordinal) in ordinals.iter_mut().enumerate() {
            *ordinal = ordinal_of(sign(i) * coefficients[i][lane]);
        }
        *of_lane = median(&ordinals);
    }
    let mut words = [[0_u32; LANES]; LOW * LOW / 32];
    for (word, coefficients) in words.iter_mut().zip(coefficients.as_chunks::<32>().0) {
        for (i, lanes) in coefficients.iter().enumerate() {
            for ((word, value), median) in word.iter_mut().zip(lanes).zip(&medians) {
                *word |= u32::from(sign(i) * value >= *median) << i;
            }
        }
    }
    for (lane, key) in keys.iter_mut().enumerate() {
        let long =
            |i: usize| u64::from(words[2 * i][lane]) | u64::from(words[2 * i + 1][lane]) << 32;
        *key = Key(std::array::from_fn(long));
    }
}

/// The mean of the two middle values, given as ordinals. About half of the values are negative, so
/// the search from zero takes few steps.
#[inline(always)]
fn median(ordinals: &[i32; LOW * LOW]) -> f32 {
    const HALF: u32 = (LOW * LOW / 2) as u32;
    let below = |limit: i32| {
        ordinals
            .iter()
            .map(|&value| u32::from(value < limit))
            .sum::<u32>()
    };
    // Lane by lane, since a loop over all lanes is not vectorised.
    let largest_below = |limit: i32| {
        let mut largest = [i32::MIN; LANES];
        for values in ordinals.as_chunks::<LANES>().0 {
            for (largest, &value) in largest.iter_mut().zip(values) {
                *largest = (*largest).max(if value < limit { value } else { i32::MIN });
            }
        }
        largest.into_iter().fold(i32::MIN, i32::max)
    };
    let least_from = |limit: i32| {
        let mut least = [i32::MAX; LANES];
        for values in ordinals.as_chunks::<LANES>().0 {
            for (least, &value) in least.iter_mut().zip(values) {
                *least = (*least).min(if value >= limit { value } else { i32::MAX });
            }
        }
        least.into_iter().fold(i32::MAX, i32::min)
    };
    let mut from = 0;
    while below(from) >= HALF {
        from = largest_below(from);
    }
    loop {
        let lower = least_from(from);
        from = lower + 1;
        let until = below(from);
        if until >= HALF {
            let upper = if until > HALF {
                lower
            } else {
                least_from(from)
            };
            return f32::midpoint(number(lower), number(upper));
        }
    }
}

/// An integer with the same ordering as the number.
#[inline(always)]
fn ordinal_of(number: f32) -> i32 {
    let bits = number.to_bits().cast_signed();
    bits ^ ((bits >> 31) & i32::MAX)
}

/// The number with this ordinal.
#[inline(always)]
fn number(ordinal: i32) -> f32 {
    f32::from_bits((ordinal ^ ((ordinal >> 31) & i32::MAX)).cast_unsigned())
}

#[cfg(test)]
pub(super) use testing::{key, mirrored_key};

#[cfg(test)]
mod testing {
    use super::*;

    /// The key of one patch.
    pub(in super::super) fn key(patch: &Patch) -> Key {
        keys(&[*patch], |patch, made| *made = *patch)[0]
    }

    /// The key of the mirrored patch.
    pub(in super::super) fn mirrored_key(patch: &Patch) -> Key {
        keys_both_ways(&[*patch], |patch, made| *made = *patch)[0].1
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::texture;
    use super::*;

    fn waves(phase: f32) -> Patch {
        std::array::from_fn(|i| {
            let (x, y) = ((i % PATCH) as f32, (i / PATCH) as f32);
            100.0
                + 20.0 * (0.31 * x + phase).sin()
                + 15.0 * (0.23 * y - 0.4 * x + phase).cos()
                + 9.0 * (0.05 * x * y).sin()
        })
    }

    /// Patches of all kinds: pictures of several scales, steps, lines, nearly flat ones, flat ones.
    fn patches() -> Vec<Patch> {
        let mut patches: Vec<Patch> = (0..60)
            .map(|seed| {
                let scale = [0.4, 1.0, 3.0][seed as usize % 3];
                std::array::from_fn(|i| {
                    texture(scale * (i % PATCH) as f32, scale * (i / PATCH) as f32, seed)
                })
            })
            .collect();
        patches.extend((0..40).map(|number| waves(0.3 * number as f32)));
        patches.extend(
            (0..32).map(|x| std::array::from_fn(|i| if i % PATCH < x { 20.0 } else { 235.0 })),
        );
        patches.extend(
            (0..32).map(|y| std::array::from_fn(|i| if i / PATCH == y { 200.0 } else { 16.0 })),
        );
        patches
            .extend((0..9).map(|n| std::array::from_fn(|i| 128.0 + 1e-3 * ((i * n) % 7) as f32)));
        patches.push([77.0; PATCH * PATCH]);
        patches
    }

    #[test]
    fn keys_are_those_that_image_hasher_makes() {
        let patches = patches();
        let made = keys_both_ways(&patches, |patch, made| *made = *patch);
        assert_eq!(
            keys(&patches, |patch, made| *made = *patch),
            made.iter().map(|(key, _)| *key).collect::<Vec<_>>()
        );
        for (i, (patch, made)) in patches.iter().zip(made).enumerate() {
            assert_eq!(made, (one(patch, false), one(patch, true)), "patch {i}");
        }
    }

    #[test]
    fn levels_are_rounded_as_by_the_standard_library() {
        let near = |level: f32| [level.next_down(), level, level.next_up()];
        for level in (0..=510)
            .map(|half| 0.5 * half as f32)
            .flat_map(near)
            .filter(|level| *level >= 0.0)
        {
            assert_eq!(whole(level + BELOW_HALF), level.round(), "{level:?}");
        }
    }

    #[test]
    fn all_processors_give_the_same_keys() {
        let patches = patches();
        for of_lanes in patches.as_chunks::<LANES>().0 {
            let mut squares = [[0.0; LANES]; PATCH * PATCH];
            let mut low = [[0.0; LANES]; LOW * LOW];
            interleave_always(of_lanes, &mut squares);
            stretch_always(&mut squares);
            dct::transform(&squares, &mut low);
            for mirrored in [false, true] {
                let mut found = [Key::default(); LANES];
                read_always(&low, mirrored, &mut found);
                let wide = keys_both_ways(of_lanes, |patch, made| *made = *patch);
                let wide: Vec<Key> = wide
                    .into_iter()
                    .map(|both| if mirrored { both.1 } else { both.0 })
                    .collect();
                assert_eq!(found.to_vec(), wide);
            }
        }
    }

    #[test]
    fn brightness_and_contrast_do_not_change_a_key() {
        let patch = waves(0.4);
        let graded = patch.map(|level| 12.0 + 0.5 * level);
        assert!(key(&patch).distance(key(&graded)) <= 4);
    }

    #[test]
    fn a_mirrored_key_is_the_key_of_the_mirrored_patch() {
        let patch = waves(1.7);
        let flipped: Patch =
            std::array::from_fn(|i| patch[i / PATCH * PATCH + (PATCH - 1 - i % PATCH)]);
        assert_eq!(mirrored_key(&patch), key(&flipped));
        assert_ne!(mirrored_key(&patch), key(&patch));
    }

    #[test]
    fn half_of_the_bits_are_set() {
        let ones: u32 = key(&waves(2.9))
            .0
            .iter()
            .map(|word| word.count_ones())
            .sum();
        assert_eq!(ones, 128);
    }
}
