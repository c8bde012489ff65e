//! The perceptual hash of a 32x32 patch; the only place that names `image_hasher`.

use std::sync::LazyLock;

use image::GrayImage;
use image_hasher::{HashAlg, Hasher, HasherConfig};

use super::Key;

/// Rows and columns of what is hashed. At exactly this size the hasher's own resize is a plain copy, so that
/// the key does not depend on the `image` crate's filters.
pub(super) const PATCH: usize = 32;

/// A square of grey levels as it is hashed: any affine change of brightness leaves the key as it is.
pub(super) type Patch = [f32; PATCH * PATCH];

/// The 256-bit key of a patch: signs of the low 16x16 DCT coefficients against their median (pHash,
/// Zauner 2010, as `image_hasher` computes it).
pub(super) fn key(patch: &Patch) -> Key {
    hash(patch, |x, y| y * PATCH + x)
}

/// The key of the patch with left and right exchanged.
pub(super) fn mirrored_key(patch: &Patch) -> Key {
    hash(patch, |x, y| y * PATCH + (PATCH - 1 - x))
}

/// Mean and standard deviation of a patch in grey levels.
pub(super) fn contrast(patch: &Patch) -> (f32, f32) {
    let n = patch.len() as f32;
    let mean = patch.iter().sum::<f32>() / n;
    let variance = patch.iter().map(|level| (level - mean) * (level - mean)).sum::<f32>() / n;
    (mean, variance.sqrt())
}

/// Stretches to a fixed contrast before rounding to bytes: a patch of 8 grey levels would otherwise lose its
/// fine coefficients to rounding.
fn hash(patch: &Patch, index: impl Fn(usize, usize) -> usize) -> Key {
    static HASHER: LazyLock<Hasher<[u8; 32]>> = LazyLock::new(|| {
        HasherConfig::with_bytes_type::<[u8; 32]>()
            .hash_size(16, 16)
            .hash_alg(HashAlg::Median)
            .preproc_dct()
            .to_hasher()
    });
    let (mean, deviation) = contrast(patch);
    let gain = STRETCHED / deviation.max(1e-3);
    let mut bytes = Vec::with_capacity(patch.len());
    for y in 0..PATCH {
        for x in 0..PATCH {
            bytes.push((128.0 + gain * (patch[index(x, y)] - mean)).round().clamp(0.0, 255.0) as u8);
        }
    }
    // The buffer has exactly PATCH * PATCH bytes, so the picture always forms.
    let picture = GrayImage::from_raw(PATCH as u32, PATCH as u32, bytes).unwrap_or_default();
    Key::from_bytes(HASHER.hash_image(&picture).into_inner())
}

/// Standard deviation after stretching, in grey levels: 3 sigmas fit into a byte.
const STRETCHED: f32 = 42.0;

#[cfg(test)]
mod tests {
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

    #[test]
    fn brightness_and_contrast_do_not_change_a_key() {
        let patch = waves(0.4);
        let graded = patch.map(|level| 12.0 + 0.5 * level);
        assert!(key(&patch).distance(key(&graded)) <= 4);
    }

    #[test]
    fn a_mirrored_key_is_the_key_of_the_mirrored_patch() {
        let patch = waves(1.7);
        let flipped: Patch = std::array::from_fn(|i| patch[i / PATCH * PATCH + (PATCH - 1 - i % PATCH)]);
        assert_eq!(mirrored_key(&patch), key(&flipped));
        assert_ne!(mirrored_key(&patch), key(&patch));
    }

    #[test]
    fn half_of_the_bits_are_set() {
        let ones: u32 = key(&waves(2.9)).0.iter().map(|word| word.count_ones()).sum();
        assert_eq!(ones, 128);
    }
}
