//! The exhaustive search: compares every key of a segment with every query.
//!
//! Batches of queries are compared with blocks of keys that stay in the cache, so that time goes
//! into XOR and population count, not into memory. The instructions are chosen at run time; all
//! kernels give the same answer.
//!
//! At small radii, a pair is first tested by a lower bound that takes a third fewer instructions:
//! the bit positions where words 0 or 2 differ, plus those where words 1 or 3 differ. For unrelated
//! keys this bound is 96 of 128, give or take 5, so few pairs must be counted in full.

#[cfg(target_arch = "aarch64")]
mod aarch64;
pub(crate) mod block;
mod kernel;
#[cfg(target_arch = "x86_64")]
mod x86;

use rayon::prelude::*;

use kernel::Instructions;
pub(crate) use kernel::Kernel;

use crate::fingerprint::{KEY_BITS, Key};

/// A key near a query.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Found {
    pub(crate) query: u32,
    pub(crate) key: u32,
    pub(crate) distance: u32,
}

/// Finds all keys within `radius` bits of each query, in no particular order.
pub(crate) fn search(
    kernel: Kernel,
    planes: [&[u64]; 4],
    queries: &[Key],
    radius: u32,
) -> Vec<Found> {
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

    /// `BOUND` turns the test by the bound on; the answer is the same.
    fn run_with<const BOUND: bool>(&self, kernel: Kernel, found: &mut Vec<Found>) {
        match kernel.instructions() {
            // SAFETY: a kernel exists only if the processor has its instructions. The same holds
            // below.
            #[cfg(target_arch = "x86_64")]
            #[allow(unsafe_code)]
            Instructions::Avx512 => unsafe { x86::avx512::<BOUND>(self, found) },
            #[cfg(target_arch = "x86_64")]
            #[allow(unsafe_code)]
            Instructions::Avx2 => unsafe { x86::avx2::<BOUND>(self, found) },
            #[cfg(target_arch = "x86_64")]
            #[allow(unsafe_code)]
            Instructions::Popcnt => unsafe { x86::popcnt::<BOUND>(self, found) },
            #[cfg(target_arch = "aarch64")]
            #[allow(unsafe_code)]
            Instructions::Neon => unsafe { aarch64::neon::<BOUND>(self, found) },
            Instructions::Portable => self.portable::<BOUND>(0, found),
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
                // Distances first, tests afterwards: a loop without branches gets vectorised.
                let words = a.iter().zip(b).zip(c.iter().zip(d));
                for (distance, ((a, b), (c, d))) in distances.iter_mut().zip(words) {
                    let (a, b, c, d) = (a ^ qa, b ^ qb, c ^ qc, d ^ qd);
                    let bits = match BOUND {
                        true => (a | c).count_ones() + (b | d).count_ones(),
                        false => a.count_ones() + b.count_ones() + c.count_ones() + d.count_ones(),
                    };
                    // 256 becomes 255; `report` counts again.
                    *distance = bits.min(255) as u8;
                }
                let near = |&distance: &u8| u32::from(distance) <= self.radius;
                if distances[..a.len()].iter().any(near) {
                    for (lane, _) in distances[..a.len()]
                        .iter()
                        .enumerate()
                        .filter(|(_, d)| near(d))
                    {
                        self.report(query, key + lane, found);
                    }
                }
                key += a.len();
            }
        }
    }

    /// Adds a pair if it is within the radius. Not inlined, to keep it out of the hot loop.
    #[cold]
    #[inline(never)]
    fn report(&self, query: usize, key: usize, found: &mut Vec<Found>) {
        let distance = self.queries[query].distance(Key(self.planes.map(|plane| plane[key])));
        if distance <= self.radius {
            found.push(Found {
                query: self.first_query + query as u32,
                key: self.first_key + key as u32,
                distance,
            });
        }
    }
}

/// Maximum radius, in bits, at which pairs are first tested by the bound. At 80 one unrelated pair
/// in 850 passes it, at 90 one in eight.
const BOUND_RADIUS: u32 = 80;
/// Number of keys in a block: 128 kB, which leaves room in a second-level cache of 512 kB.
const BLOCK_KEYS: usize = 4096;
/// Number of queries in a unit of work: enough to pay for loading the block, few enough to share
/// out.
const CHUNK_QUERIES: usize = 256;
/// Number of keys between two tests of the portable loop.
const PORTABLE_STEP: usize = 64;

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
                    found.push(Found {
                        query: query as u32,
                        key: key as u32,
                        distance,
                    });
                }
            }
        }
        found
    }

    fn with(kernel: Kernel, keys: &[Key], queries: &[Key], radius: u32) -> Vec<Found> {
        let planes: [Vec<u64>; 4] = std::array::from_fn(|p| keys.iter().map(|k| k.0[p]).collect());
        let mut found = search(
            kernel,
            planes.each_ref().map(|p| p.as_slice()),
            queries,
            radius,
        );
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
            // Half of the queries are at various distances from a key, so that small radii find
            // something too.
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
        for count in [
            0,
            1,
            7,
            8,
            9,
            63,
            64,
            65,
            BLOCK_KEYS - 1,
            BLOCK_KEYS,
            BLOCK_KEYS + 1,
        ] {
            let mut keys = vec![zero; count];
            if let Some(last) = keys.last_mut() {
                *last = ones;
            }
            for queries in [1, 3, 4, 5, CHUNK_QUERIES + 1] {
                let queries = vec![zero; queries];
                for kernel in Kernel::available() {
                    for radius in [0, 1, BOUND_RADIUS, BOUND_RADIUS + 1, 255, 256, u32::MAX] {
                        let found = with(kernel, &keys, &queries, radius);
                        assert_eq!(
                            found,
                            naive(&keys, &queries, radius),
                            "{kernel:?} {count} {radius}"
                        );
                    }
                }
            }
        }
    }
}
