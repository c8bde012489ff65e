//! Distances of one query to keys or sketches that lie side by side, for short stretches and for all of a set.
//!
//! The loops are plain; what instructions they are made of is up to the compiler, for each kernel once.

use super::{Instructions, Kernel};

/// Calls `each` with the place of every key within `radius` of the query, and the distance; `WORDS` words a key, plane by
/// plane, planes equally long.
#[inline]
pub(crate) fn within<const WORDS: usize>(
    kernel: Kernel,
    planes: [&[u64]; WORDS],
    query: [u64; WORDS],
    radius: u32,
    each: &mut dyn FnMut(usize, u32),
) {
    let mut distances = [0u8; STEP];
    for start in (0..planes[0].len()).step_by(STEP) {
        let end = planes[0].len().min(start + STEP);
        let of_step = &mut distances[..end - start];
        distances_to(kernel, planes.map(|plane| &plane[start..end]), query, of_step);
        let mut least = u8::MAX;
        of_step.iter().for_each(|distance| least = least.min(*distance));
        if u32::from(least) <= radius {
            for (place, distance) in of_step.iter().enumerate().filter(|(_, d)| u32::from(**d) <= radius) {
                each(start + place, u32::from(*distance));
            }
        }
    }
}

/// Writes the distance of the query to each key, 255 for 256.
#[inline]
pub(crate) fn distances_to<const WORDS: usize>(
    kernel: Kernel,
    planes: [&[u64]; WORDS],
    query: [u64; WORDS],
    distances: &mut [u8],
) {
    match kernel.instructions() {
        // SAFETY: of these instructions and the next ones the processor has been asked, or there would be no such kernel.
        #[cfg(target_arch = "x86_64")]
        #[allow(unsafe_code)]
        Instructions::Avx512 => unsafe { avx512(planes, query, distances) },
        #[cfg(target_arch = "x86_64")]
        #[allow(unsafe_code)]
        Instructions::Avx2 => unsafe { avx2(planes, query, distances) },
        #[cfg(target_arch = "x86_64")]
        #[allow(unsafe_code)]
        Instructions::Popcnt => unsafe { popcnt(planes, query, distances) },
        #[cfg(target_arch = "aarch64")]
        Instructions::Neon => plain(planes, query, distances),
        Instructions::Portable => plain(planes, query, distances),
    }
}

#[inline(always)]
fn plain<const WORDS: usize>(planes: [&[u64]; WORDS], query: [u64; WORDS], distances: &mut [u8]) {
    let planes = planes.map(|plane| &plane[..distances.len()]);
    for (place, distance) in distances.iter_mut().enumerate() {
        let mut bits = 0;
        for word in 0..WORDS {
            bits += u64::from((planes[word][place] ^ query[word]).count_ones());
        }
        *distance = bits.min(255) as u8;
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vpopcntdq,popcnt")]
fn avx512<const WORDS: usize>(planes: [&[u64]; WORDS], query: [u64; WORDS], distances: &mut [u8]) {
    plain(planes, query, distances);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,popcnt")]
fn avx2<const WORDS: usize>(planes: [&[u64]; WORDS], query: [u64; WORDS], distances: &mut [u8]) {
    plain(planes, query, distances);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "popcnt")]
fn popcnt<const WORDS: usize>(planes: [&[u64]; WORDS], query: [u64; WORDS], distances: &mut [u8]) {
    plain(planes, query, distances);
}

/// Keys between two looks at the distances.
const STEP: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_kernel_finds_what_the_definition_finds(
            keys in prop::collection::vec(any::<[u64; 2]>(), 0..200), query: [u64; 2], radius in 0u32..=128,
        ) {
            let planes: [Vec<u64>; 2] = std::array::from_fn(|word| keys.iter().map(|key| key[word]).collect());
            let distance = |key: &[u64; 2]| (key[0] ^ query[0]).count_ones() + (key[1] ^ query[1]).count_ones();
            let near = keys.iter().map(distance).enumerate().filter(|(_, distance)| *distance <= radius);
            let expected: Vec<(usize, u32)> = near.collect();
            for kernel in Kernel::available() {
                let mut found = Vec::new();
                within(kernel, planes.each_ref().map(Vec::as_slice), query, radius, &mut |place, d| found.push((place, d)));
                prop_assert_eq!(&found, &expected, "{:?}", kernel);
            }
        }
    }
}
