//! Distances of one query to keys or sketches stored side by side, for few of them or for a whole
//! set.

#[cfg(target_arch = "x86_64")]
use super::x86;
use super::{Instructions, Kernel};

/// Adds the position of every sketch within `radius` bits of the query. Both planes have equal
/// length.
#[inline]
pub(crate) fn within(
    kernel: Kernel,
    planes: [&[u64]; 2],
    query: [u64; 2],
    radius: u32,
    found: &mut Vec<u32>,
) {
    match kernel.instructions() {
        // SAFETY: a kernel exists only if the processor has its instructions. The same holds below.
        #[cfg(target_arch = "x86_64")]
        #[allow(unsafe_code)]
        Instructions::Avx512 => unsafe { x86::within_avx512(planes, query, radius, found) },
        #[cfg(target_arch = "x86_64")]
        #[allow(unsafe_code)]
        Instructions::Avx2 => unsafe { x86::within_avx2(planes, query, radius, found) },
        #[cfg(target_arch = "x86_64")]
        #[allow(unsafe_code)]
        Instructions::Popcnt => unsafe { within_popcnt(planes, query, radius, found) },
        #[cfg(target_arch = "aarch64")]
        Instructions::Neon => within_from(0, planes, query, radius, found),
        Instructions::Portable => within_from(0, planes, query, radius, found),
    }
}

/// As [`within`], from a position on, one sketch at a time.
#[inline(always)]
pub(super) fn within_from(
    from: usize,
    planes: [&[u64]; 2],
    query: [u64; 2],
    radius: u32,
    found: &mut Vec<u32>,
) {
    for (place, (a, b)) in planes[0].iter().zip(planes[1]).enumerate().skip(from) {
        if (a ^ query[0]).count_ones() + (b ^ query[1]).count_ones() <= radius {
            found.push(place as u32);
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "popcnt")]
fn within_popcnt(planes: [&[u64]; 2], query: [u64; 2], radius: u32, found: &mut Vec<u32>) {
    within_from(0, planes, query, radius, found);
}

/// Writes the distance of the query to each key; 256 is written as 255.
#[inline]
pub(crate) fn distances_to<const WORDS: usize>(
    kernel: Kernel,
    planes: [&[u64]; WORDS],
    query: [u64; WORDS],
    distances: &mut [u8],
) {
    match kernel.instructions() {
        // SAFETY: a kernel exists only if the processor has its instructions. The same holds below.
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
            let near = (0..).zip(&keys).filter(|(_, key)| distance(key) <= radius);
            let expected: Vec<u32> = near.map(|(place, _)| place).collect();
            for kernel in Kernel::available() {
                let mut found = Vec::new();
                within(kernel, planes.each_ref().map(Vec::as_slice), query, radius, &mut found);
                prop_assert_eq!(&found, &expected, "{:?}", kernel);
                let mut distances = vec![0; keys.len()];
                distances_to(kernel, planes.each_ref().map(Vec::as_slice), query, &mut distances);
                let expected: Vec<u8> = keys.iter().map(|key| distance(key) as u8).collect();
                prop_assert_eq!(&distances, &expected, "{:?}", kernel);
            }
        }
    }
}
