//! The loops for AArch64. They are reached only through a [`Kernel`](super::Kernel) that this
//! processor has.

use std::arch::aarch64::*;
use std::array::from_fn;

use super::{Found, Task};

/// Eight keys and two queries at a time: 8 query words and 16 pairs of key words stay in the 32
/// registers.
#[target_feature(enable = "neon")]
pub(super) fn neon<const BOUND: bool>(task: &Task<'_>, found: &mut Vec<Found>) {
    const LANES: usize = 8;
    const BATCH: usize = 2;
    let keys = task.planes[0].len();
    let whole = keys - keys % LANES;
    for first in (0..task.queries.len()).step_by(BATCH) {
        // The last batch repeats its last query; `wanted` prevents reporting it twice.
        let wanted = BATCH.min(task.queries.len() - first);
        let words: [[uint64x2_t; 4]; BATCH] = from_fn(|lane| {
            let query = task.queries[first + lane.min(wanted - 1)];
            query.0.map(|word| vdupq_n_u64(word))
        });
        for key in (0..whole).step_by(LANES) {
            // Four pairs of keys from each plane.
            let block: [[uint64x2_t; 4]; 4] = from_fn(|plane| {
                let eight: &[u64] = &task.planes[plane][key..key + LANES];
                from_fn(|pair| {
                    let two: &[u64] = &eight[2 * pair..2 * pair + 2];
                    // SAFETY: the slice is 16 bytes long, and its alignment is enough for this
                    // load.
                    #[allow(unsafe_code)]
                    unsafe {
                        vld1q_u64(two.as_ptr())
                    }
                })
            });
            let counts: [uint16x8_t; BATCH] = from_fn(|lane| {
                // Differing bits at each byte position, summed over the four words: at most 32.
                let bytes: [uint8x16_t; 4] = from_fn(|pair| {
                    let [a, b, c, d]: [uint64x2_t; 4] =
                        from_fn(|w| veorq_u64(block[w][pair], words[lane][w]));
                    let count = |bits: uint64x2_t| vcntq_u8(vreinterpretq_u8_u64(bits));
                    match BOUND {
                        true => vaddq_u8(count(vorrq_u64(a, c)), count(vorrq_u64(b, d))),
                        false => {
                            vaddq_u8(vaddq_u8(count(a), count(b)), vaddq_u8(count(c), count(d)))
                        }
                    }
                });
                // Sums over 2, 4 and 8 bytes of a key are at most 64, 128 and 256.
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
                    for (place, _) in eight
                        .iter()
                        .enumerate()
                        .filter(|(_, count)| u32::from(**count) <= task.radius)
                    {
                        task.report(first + lane, key + place, found);
                    }
                }
            }
        }
    }
    task.portable::<BOUND>(whole, found);
}
