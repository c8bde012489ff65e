//! The exhaustive search: every key of a segment against every query.
//!
//! Queries are batched against blocks of keys that stay in the cache, so that the time goes into XOR and population
//! count and not into memory. Which instructions are used is found out at run time; all kernels give the same answer.
//!
//! At small radii a pair is first judged by a bound that takes a third fewer instructions: the bits in which words 0 or 2 differ, and
//! those in which words 1 or 3 differ, are at most as many as all differing bits. For unrelated keys these are 96 of 128,
//! give or take 5, so that hardly a pair has to be counted in full.

use rayon::prelude::*;

use crate::fingerprint::{KEY_BITS, Key};

/// A key near a query.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Found {
    pub(crate) query: u32,
    pub(crate) key: u32,
    pub(crate) distance: u32,
}

/// The instructions that a scan is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kernel {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Popcnt,
    #[cfg(target_arch = "aarch64")]
    Neon,
    Portable,
}

impl Kernel {
    /// Those that this processor has, fastest first; never empty.
    pub(crate) fn available() -> Vec<Kernel> {
        let mut kernels = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vpopcntdq") {
                kernels.push(Kernel::Avx512);
            }
            if is_x86_feature_detected!("avx2") {
                kernels.push(Kernel::Avx2);
            }
            if is_x86_feature_detected!("popcnt") {
                kernels.push(Kernel::Popcnt);
            }
        }
        #[cfg(target_arch = "aarch64")]
        if std::arch::is_aarch64_feature_detected!("neon") {
            kernels.push(Kernel::Neon);
        }
        kernels.push(Kernel::Portable);
        kernels
    }

    /// The fastest one of this processor.
    pub(crate) fn detect() -> Kernel {
        Kernel::available()[0]
    }

    /// Estimated time of a batch, for choosing between scan and graph; nanoseconds on one core.
    pub(crate) fn estimate_ns(self, keys: usize, queries: usize) -> f64 {
        let pair_ns = match self {
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx512 => AVX512_NS,
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2 => AVX2_NS,
            #[cfg(target_arch = "x86_64")]
            Kernel::Popcnt => POPCNT_NS,
            #[cfg(target_arch = "aarch64")]
            Kernel::Neon => NEON_NS,
            Kernel::Portable => PORTABLE_NS,
        };
        keys as f64 * (MEMORY_NS + queries as f64 * pair_ns)
    }
}

/// Finds all keys within `radius` bits of each query, in no particular order.
pub(crate) fn search(kernel: Kernel, planes: [&[u64]; 4], queries: &[Key], radius: u32) -> Vec<Found> {
    let keys = planes[0].len();
    let blocks = keys.div_ceil(BLOCK_KEYS);
    let chunks = queries.len().div_ceil(CHUNK_QUERIES);
    (0..blocks * chunks)
        .into_par_iter()
        .fold(Vec::new, |mut found, unit| {
            let (block, chunk) = (unit / chunks, unit % chunks);
            let first_key = block * BLOCK_KEYS;
            let last_key = keys.min(first_key + BLOCK_KEYS);
            let first_query = chunk * CHUNK_QUERIES;
            let last_query = queries.len().min(first_query + CHUNK_QUERIES);
            let task = Task {
                planes: planes.map(|plane| &plane[first_key..last_key]),
                queries: &queries[first_query..last_query],
                radius: radius.min(KEY_BITS),
                first_key: first_key as u32,
                first_query: first_query as u32,
            };
            task.run(kernel, &mut found);
            found
        })
        .reduce(Vec::new, |mut left, mut right| {
            if left.len() < right.len() {
                std::mem::swap(&mut left, &mut right);
            }
            left.append(&mut right);
            left
        })
}

/// A block of keys and the queries to compare with it.
struct Task<'a> {
    /// Four slices of equal length.
    planes: [&'a [u64]; 4],
    queries: &'a [Key],
    /// At most [`KEY_BITS`].
    radius: u32,
    first_key: u32,
    first_query: u32,
}

impl Task<'_> {
    fn run(&self, kernel: Kernel, found: &mut Vec<Found>) {
        if self.radius <= BOUND_RADIUS {
            self.run_with::<true>(kernel, found)
        } else {
            self.run_with::<false>(kernel, found)
        }
    }

    /// `BOUND` says whether pairs are first judged by the bound; the answer is the same.
    fn run_with<const BOUND: bool>(&self, kernel: Kernel, found: &mut Vec<Found>) {
        match kernel {
            // SAFETY: this kernel and the next ones are only named by `Kernel::available`, which has asked the processor.
            #[cfg(target_arch = "x86_64")]
            #[allow(unsafe_code)]
            Kernel::Avx512 => unsafe { x86::avx512::<BOUND>(self, found) },
            #[cfg(target_arch = "x86_64")]
            #[allow(unsafe_code)]
            Kernel::Avx2 => unsafe { x86::avx2::<BOUND>(self, found) },
            #[cfg(target_arch = "x86_64")]
            #[allow(unsafe_code)]
            Kernel::Popcnt => unsafe { x86::popcnt::<BOUND>(self, found) },
            #[cfg(target_arch = "aarch64")]
            #[allow(unsafe_code)]
            Kernel::Neon => unsafe { aarch64::neon::<BOUND>(self, found) },
            Kernel::Portable => self.portable::<BOUND>(0, found),
        }
    }

    /// Compares every query with the keys from `start` on.
    #[inline(always)]
    fn portable<const BOUND: bool>(&self, start: usize, found: &mut Vec<Found>) {
        let [a, b, c, d] = self.planes.map(|plane| &plane[start..]);
        let mut distances = [0u8; PORTABLE_STEP];
        for (query, words) in self.queries.iter().enumerate() {
            let Key([qa, qb, qc, qd]) = *words;
            let mut key = start;
            let steps = a
                .chunks(PORTABLE_STEP)
                .zip(b.chunks(PORTABLE_STEP))
                .zip(c.chunks(PORTABLE_STEP).zip(d.chunks(PORTABLE_STEP)));
            for ((a, b), (c, d)) in steps {
                // Distances first and the test afterwards: a loop without branches is one that gets vectorised.
                let words = a.iter().zip(b).zip(c.iter().zip(d));
                for (distance, ((a, b), (c, d))) in distances.iter_mut().zip(words) {
                    let (a, b, c, d) = (a ^ qa, b ^ qb, c ^ qc, d ^ qd);
                    let bits = match BOUND {
                        true => (a | c).count_ones() + (b | d).count_ones(),
                        false => a.count_ones() + b.count_ones() + c.count_ones() + d.count_ones(),
                    };
                    // 256 becomes 255, which is told apart again when reporting.
                    *distance = bits.min(255) as u8;
                }
                let near = |&distance: &u8| u32::from(distance) <= self.radius;
                if distances[..a.len()].iter().any(near) {
                    for (lane, _) in distances[..a.len()].iter().enumerate().filter(|(_, d)| near(d)) {
                        self.report(query, key + lane, found);
                    }
                }
                key += a.len();
            }
        }
    }

    /// Adds a pair if it really is within the radius; out of the way of the hot loop.
    #[cold]
    #[inline(never)]
    fn report(&self, query: usize, key: usize, found: &mut Vec<Found>) {
        let distance = self.queries[query].distance(Key(self.planes.map(|plane| plane[key])));
        if distance <= self.radius {
            found.push(Found { query: self.first_query + query as u32, key: self.first_key + key as u32, distance });
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;
    use std::array::from_fn;

    use super::{Found, Task};

    /// The portable loop with the population count of every x86 since 2008.
    #[target_feature(enable = "popcnt")]
    pub(super) fn popcnt<const BOUND: bool>(task: &Task<'_>, found: &mut Vec<Found>) {
        task.portable::<BOUND>(0, found);
    }

    /// Eight keys and four queries at a time: 16 query words and 4 key words stay in the 32 registers.
    #[target_feature(enable = "avx512f,avx512vpopcntdq,popcnt")]
    pub(super) fn avx512<const BOUND: bool>(task: &Task<'_>, found: &mut Vec<Found>) {
        const LANES: usize = 8;
        const BATCH: usize = 4;
        /// Truth table of `(a ^ b) | c`.
        const XOR_OR: i32 = 0b1011_1110;
        let keys = task.planes[0].len();
        let whole = keys - keys % LANES;
        let radius = _mm512_set1_epi64(i64::from(task.radius));
        for first in (0..task.queries.len()).step_by(BATCH) {
            // The last batch repeats its last query; `wanted` keeps it from being reported twice.
            let wanted = BATCH.min(task.queries.len() - first);
            let words: [[__m512i; 4]; BATCH] = from_fn(|lane| {
                let query = task.queries[first + lane.min(wanted - 1)];
                query.0.map(|word| _mm512_set1_epi64(word as i64))
            });
            for key in (0..whole).step_by(LANES) {
                let block: [__m512i; 4] = from_fn(|plane| {
                    let eight: &[u64] = &task.planes[plane][key..key + LANES];
                    // SAFETY: the slice is 64 bytes long, and this load needs no alignment.
                    #[allow(unsafe_code)]
                    unsafe {
                        _mm512_loadu_epi64(eight.as_ptr().cast())
                    }
                });
                let distance = |query: &[__m512i; 4]| {
                    let bits: [__m512i; 4] = from_fn(|w| _mm512_popcnt_epi64(_mm512_xor_si512(block[w], query[w])));
                    _mm512_add_epi64(_mm512_add_epi64(bits[0], bits[1]), _mm512_add_epi64(bits[2], bits[3]))
                };
                // The least bound or distance of the whole batch, so that one test serves them.
                let mut least = _mm512_set1_epi64(i64::MAX);
                for query in &words {
                    let bits = if BOUND {
                        let [left, right]: [__m512i; 2] = from_fn(|w| {
                            let upper = _mm512_xor_si512(block[w + 2], query[w + 2]);
                            _mm512_popcnt_epi64(_mm512_ternarylogic_epi64::<XOR_OR>(block[w], query[w], upper))
                        });
                        _mm512_add_epi64(left, right)
                    } else {
                        distance(query)
                    };
                    least = _mm512_min_epu64(least, bits);
                }
                if _mm512_cmple_epu64_mask(least, radius) != 0 {
                    for (lane, query) in words.iter().enumerate().take(wanted) {
                        let mut near = _mm512_cmple_epu64_mask(distance(query), radius);
                        while near != 0 {
                            task.report(first + lane, key + near.trailing_zeros() as usize, found);
                            near &= near - 1;
                        }
                    }
                }
            }
        }
        task.portable::<BOUND>(whole, found);
    }

    /// Four keys and two queries at a time; bits are counted by table look-up of half bytes (Mula, Kurz and Lemire 2016).
    #[target_feature(enable = "avx2,popcnt")]
    pub(super) fn avx2<const BOUND: bool>(task: &Task<'_>, found: &mut Vec<Found>) {
        const LANES: usize = 4;
        const BATCH: usize = 2;
        let keys = task.planes[0].len();
        let whole = keys - keys % LANES;
        let beyond = _mm256_set1_epi64x(i64::from(task.radius) + 1);
        let low = _mm256_set1_epi8(0x0f);
        let table = _mm256_setr_epi8(
            0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, //
            0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,
        );
        for first in (0..task.queries.len()).step_by(BATCH) {
            let wanted = BATCH.min(task.queries.len() - first);
            let words: [[__m256i; 4]; BATCH] = from_fn(|lane| {
                let query = task.queries[first + lane.min(wanted - 1)];
                query.0.map(|word| _mm256_set1_epi64x(word as i64))
            });
            for key in (0..whole).step_by(LANES) {
                let block: [__m256i; 4] = from_fn(|plane| {
                    let four: &[u64] = &task.planes[plane][key..key + LANES];
                    // SAFETY: the slice is 32 bytes long, and this load needs no alignment.
                    #[allow(unsafe_code)]
                    unsafe {
                        _mm256_loadu_si256(four.as_ptr().cast())
                    }
                });
                for (lane, query) in words.iter().enumerate() {
                    // At most 8 a byte and word, so four words cannot overflow a byte.
                    let mut bytes = _mm256_setzero_si256();
                    let differing: [__m256i; 4] = from_fn(|word| _mm256_xor_si256(block[word], query[word]));
                    for word in 0..if BOUND { 2 } else { 4 } {
                        let bits = match BOUND {
                            true => _mm256_or_si256(differing[word], differing[word + 2]),
                            false => differing[word],
                        };
                        let lower = _mm256_and_si256(bits, low);
                        let upper = _mm256_and_si256(_mm256_srli_epi16::<4>(bits), low);
                        bytes = _mm256_add_epi8(bytes, _mm256_shuffle_epi8(table, lower));
                        bytes = _mm256_add_epi8(bytes, _mm256_shuffle_epi8(table, upper));
                    }
                    let sum = _mm256_sad_epu8(bytes, _mm256_setzero_si256());
                    let near = _mm256_cmpgt_epi64(beyond, sum);
                    let mut near = _mm256_movemask_pd(_mm256_castsi256_pd(near));
                    if near != 0 && lane < wanted {
                        while near != 0 {
                            task.report(first + lane, key + near.trailing_zeros() as usize, found);
                            near &= near - 1;
                        }
                    }
                }
            }
        }
        task.portable::<BOUND>(whole, found);
    }
}

#[cfg(target_arch = "aarch64")]
mod aarch64 {
    use std::arch::aarch64::*;
    use std::array::from_fn;

    use super::{Found, Task};

    /// Eight keys and two queries at a time: 8 query words and 16 pairs of key words stay in the 32 registers.
    #[target_feature(enable = "neon")]
    pub(super) fn neon<const BOUND: bool>(task: &Task<'_>, found: &mut Vec<Found>) {
        const LANES: usize = 8;
        const BATCH: usize = 2;
        let keys = task.planes[0].len();
        let whole = keys - keys % LANES;
        for first in (0..task.queries.len()).step_by(BATCH) {
            // The last batch repeats its last query; `wanted` keeps it from being reported twice.
            let wanted = BATCH.min(task.queries.len() - first);
            let words: [[uint64x2_t; 4]; BATCH] = from_fn(|lane| {
                let query = task.queries[first + lane.min(wanted - 1)];
                query.0.map(|word| vdupq_n_u64(word))
            });
            for key in (0..whole).step_by(LANES) {
                // Of each plane four pairs of keys.
                let block: [[uint64x2_t; 4]; 4] = from_fn(|plane| {
                    let eight: &[u64] = &task.planes[plane][key..key + LANES];
                    from_fn(|pair| {
                        let two: &[u64] = &eight[2 * pair..2 * pair + 2];
                        // SAFETY: the slice is 16 bytes long, and this load needs no more than its alignment.
                        #[allow(unsafe_code)]
                        unsafe {
                            vld1q_u64(two.as_ptr())
                        }
                    })
                });
                let counts: [uint16x8_t; BATCH] = from_fn(|lane| {
                    // Bits of each byte, the four words added up: at most 32.
                    let bytes: [uint8x16_t; 4] = from_fn(|pair| {
                        let [a, b, c, d]: [uint64x2_t; 4] = from_fn(|w| veorq_u64(block[w][pair], words[lane][w]));
                        let count = |bits: uint64x2_t| vcntq_u8(vreinterpretq_u8_u64(bits));
                        match BOUND {
                            true => vaddq_u8(count(vorrq_u64(a, c)), count(vorrq_u64(b, d))),
                            false => vaddq_u8(vaddq_u8(count(a), count(b)), vaddq_u8(count(c), count(d))),
                        }
                    });
                    // Of the eight bytes of a key the sum of two is at most 64, of four 128, and of eight 256.
                    let quarters = [vpaddq_u8(bytes[0], bytes[1]), vpaddq_u8(bytes[2], bytes[3])];
                    vpaddlq_u8(vpaddq_u8(quarters[0], quarters[1]))
                });
                let least = vminvq_u16(vminq_u16(counts[0], counts[1]));
                if u32::from(least) <= task.radius {
                    for (lane, &counts) in counts.iter().enumerate().take(wanted) {
                        let mut eight = [0u16; LANES];
                        // SAFETY: the array has room for all eight.
                        #[allow(unsafe_code)]
                        unsafe {
                            vst1q_u16(eight.as_mut_ptr(), counts);
                        }
                        for (place, _) in
                            eight.iter().enumerate().filter(|(_, count)| u32::from(**count) <= task.radius)
                        {
                            task.report(first + lane, key + place, found);
                        }
                    }
                }
            }
        }
        task.portable::<BOUND>(whole, found);
    }
}

/// Radius in bits up to which pairs are first judged by the bound: at 80 one unrelated pair in 850 passes it, at 90
/// one in eight.
const BOUND_RADIUS: u32 = 80;
/// Keys of a block: 128 kB, which leaves room in a second-level cache of 512 kB.
const BLOCK_KEYS: usize = 4096;
/// Queries of a unit of work: enough of them to pay for loading the block, few enough to share out.
const CHUNK_QUERIES: usize = 256;
/// Keys between two tests of the portable loop.
const PORTABLE_STEP: usize = 64;

// Nanoseconds a pair on one core, for `Kernel::estimate_ns` only: 1 000 000 random keys, 504 queries, radius 72, on an
// AMD EPYC (family 25, model 17) while others worked on it.
#[cfg(target_arch = "x86_64")]
const AVX512_NS: f64 = 0.16;
#[cfg(target_arch = "x86_64")]
const AVX2_NS: f64 = 0.49;
#[cfg(target_arch = "x86_64")]
const POPCNT_NS: f64 = 1.2;
const PORTABLE_NS: f64 = 2.0;
/// Counted from the instructions and not measured: about as many as AVX2 needs for twice the keys.
#[cfg(target_arch = "aarch64")]
const NEON_NS: f64 = 0.7;
/// Nanoseconds to bring a key into the cache, at about 10 GB/s.
const MEMORY_NS: f64 = 3.0;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn naive(keys: &[Key], queries: &[Key], radius: u32) -> Vec<Found> {
        let mut found = Vec::new();
        for (query, q) in queries.iter().enumerate() {
            for (key, k) in keys.iter().enumerate() {
                let distance = q.0.iter().zip(k.0).map(|(a, b)| (a ^ b).count_ones()).sum();
                if distance <= radius {
                    found.push(Found { query: query as u32, key: key as u32, distance });
                }
            }
        }
        found
    }

    fn with(kernel: Kernel, keys: &[Key], queries: &[Key], radius: u32) -> Vec<Found> {
        let planes: [Vec<u64>; 4] = std::array::from_fn(|p| keys.iter().map(|k| k.0[p]).collect());
        let mut found = search(kernel, planes.each_ref().map(|p| p.as_slice()), queries, radius);
        found.sort_unstable();
        found
    }

    fn keys(longest: usize) -> impl Strategy<Value = Vec<Key>> {
        prop::collection::vec(any::<[u64; 4]>().prop_map(Key), 0..longest)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn all_kernels_find_what_the_definition_finds(
            keys in keys(150), queries in keys(12), radius in prop_oneof![100u32..=140, 60u32..=80], noise in 0u32..=160,
        ) {
            // Half of the queries are at all distances from a key, so that small radii find something too.
            let copies = (0..).zip(&keys).step_by(5).map(|(number, key): (u32, &Key)| {
                let mut copy = *key;
                for bit in 0..(noise + number) % 160 {
                    let bit = (bit * 97 + number) % KEY_BITS;
                    copy.0[(bit / 64) as usize] ^= 1 << (bit % 64);
                }
                copy
            });
            let queries: Vec<Key> = queries.into_iter().chain(copies).collect();
            let expected = naive(&keys, &queries, radius);
            for kernel in Kernel::available() {
                prop_assert_eq!(&with(kernel, &keys, &queries, radius), &expected, "{:?}", kernel);
            }
        }
    }

    #[test]
    fn ends_of_the_range_and_sizes_around_the_blocks_are_right() {
        let zero = Key([0; 4]);
        let ones = Key([u64::MAX; 4]);
        for count in [0, 1, 7, 8, 9, 63, 64, 65, BLOCK_KEYS - 1, BLOCK_KEYS, BLOCK_KEYS + 1] {
            let mut keys = vec![zero; count];
            if let Some(last) = keys.last_mut() {
                *last = ones;
            }
            for queries in [1, 3, 4, 5, CHUNK_QUERIES + 1] {
                let queries = vec![zero; queries];
                for kernel in Kernel::available() {
                    for radius in [0, 1, BOUND_RADIUS, BOUND_RADIUS + 1, 255, 256, u32::MAX] {
                        let found = with(kernel, &keys, &queries, radius);
                        assert_eq!(found, naive(&keys, &queries, radius), "{kernel:?} {count} {radius}");
                    }
                }
            }
        }
    }
}
