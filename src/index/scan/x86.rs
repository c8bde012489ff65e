//! The loops for x86-64. They are reached only through a [`Kernel`](super::Kernel) that this
//! processor has.

use std::arch::x86_64::*;
use std::array::from_fn;

use super::{Found, Task};

/// The portable loop, with the population count of every x86 processor since 2008.
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
        // The last batch repeats its last query; `wanted` prevents reporting it twice.
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
                let bits: [__m512i; 4] =
                    from_fn(|w| _mm512_popcnt_epi64(_mm512_xor_si512(block[w], query[w])));
                _mm512_add_epi64(
                    _mm512_add_epi64(bits[0], bits[1]),
                    _mm512_add_epi64(bits[2], bits[3]),
                )
            };
            // The least bound or distance of the whole batch, so that one test serves all.
            let mut least = _mm512_set1_epi64(i64::MAX);
            for query in &words {
                let bits = if BOUND {
                    let [left, right]: [__m512i; 2] = from_fn(|w| {
                        let upper = _mm512_xor_si512(block[w + 2], query[w + 2]);
                        _mm512_popcnt_epi64(_mm512_ternarylogic_epi64::<XOR_OR>(
                            block[w], query[w], upper,
                        ))
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

/// Four keys and two queries at a time. Bits are counted by table look-up of half bytes (Mula, Kurz
/// and Lemire 2016).
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
                // At most 8 for each byte of a word, so the sum of four words fits a byte.
                let mut bytes = _mm256_setzero_si256();
                let differing: [__m256i; 4] =
                    from_fn(|word| _mm256_xor_si256(block[word], query[word]));
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

/// Eight sketches at a time. Near ones are collected once for 64 sketches, to avoid mispredicted
/// branches.
#[target_feature(enable = "avx512f,avx512vpopcntdq,popcnt")]
pub(super) fn within_avx512(
    planes: [&[u64]; 2],
    query: [u64; 2],
    radius: u32,
    found: &mut Vec<u32>,
) {
    const LANES: usize = 8;
    let words = query.map(|word| _mm512_set1_epi64(word as i64));
    let radius_of_lanes = _mm512_set1_epi64(i64::from(radius));
    for (group, (first, second)) in planes[0]
        .chunks(GROUP)
        .zip(planes[1].chunks(GROUP))
        .enumerate()
    {
        let mut near = 0u64;
        for place in (0..first.len()).step_by(LANES) {
            let lanes = LANES.min(first.len() - place);
            let there = u8::MAX >> (LANES - lanes);
            let bits: [__m512i; 2] = from_fn(|word| {
                let some: &[u64] = &[first, second][word][place..place + lanes];
                // SAFETY: only lanes within the slice are loaded, and this load needs no alignment.
                #[allow(unsafe_code)]
                let block = unsafe { _mm512_maskz_loadu_epi64(there, some.as_ptr().cast()) };
                _mm512_popcnt_epi64(_mm512_xor_si512(block, words[word]))
            });
            let sum = _mm512_add_epi64(bits[0], bits[1]);
            let mask = _mm512_mask_cmple_epu64_mask(there, sum, radius_of_lanes);
            near |= u64::from(mask) << place;
        }
        while near != 0 {
            found.push((group * GROUP) as u32 + near.trailing_zeros());
            near &= near - 1;
        }
    }
}

/// Four sketches at a time; near ones are collected as in [`within_avx512`].
#[target_feature(enable = "avx2,popcnt")]
pub(super) fn within_avx2(planes: [&[u64]; 2], query: [u64; 2], radius: u32, found: &mut Vec<u32>) {
    const LANES: usize = 4;
    let words = query.map(|word| _mm256_set1_epi64x(word as i64));
    let beyond = _mm256_set1_epi64x(i64::from(radius) + 1);
    let low = _mm256_set1_epi8(0x0f);
    let table = _mm256_setr_epi8(
        0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, //
        0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,
    );
    let whole = planes[0].len() - planes[0].len() % LANES;
    let planes_of_lanes = planes.map(|plane| &plane[..whole]);
    for group in (0..whole).step_by(GROUP) {
        let mut near = 0u64;
        for place in (0..GROUP.min(whole - group)).step_by(LANES) {
            let mut bytes = _mm256_setzero_si256();
            for word in 0..2 {
                let four: &[u64] = &planes_of_lanes[word][group + place..group + place + LANES];
                // SAFETY: the slice is 32 bytes long, and this load needs no alignment.
                #[allow(unsafe_code)]
                let block = unsafe { _mm256_loadu_si256(four.as_ptr().cast()) };
                let differing = _mm256_xor_si256(block, words[word]);
                let lower = _mm256_and_si256(differing, low);
                let upper = _mm256_and_si256(_mm256_srli_epi16::<4>(differing), low);
                bytes = _mm256_add_epi8(bytes, _mm256_shuffle_epi8(table, lower));
                bytes = _mm256_add_epi8(bytes, _mm256_shuffle_epi8(table, upper));
            }
            let sum = _mm256_sad_epu8(bytes, _mm256_setzero_si256());
            let mask = _mm256_movemask_pd(_mm256_castsi256_pd(_mm256_cmpgt_epi64(beyond, sum)));
            near |= (mask as u64) << place;
        }
        while near != 0 {
            found.push(group as u32 + near.trailing_zeros());
            near &= near - 1;
        }
    }
    super::block::within_from(whole, planes, query, radius, found);
}

/// Number of sketches between two collections of near ones.
const GROUP: usize = 64;
