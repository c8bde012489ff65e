//! Pseudo-random numbers that are the same on every machine and in every version.

use crate::fingerprint::{KEY_BITS, Key};

/// Steele, Lea and Flood's generator of 2014.
#[derive(Debug, Clone)]
pub(crate) struct SplitMix(u64);

impl SplitMix {
    pub(crate) fn new(seed: u64) -> SplitMix {
        SplitMix(seed)
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number below `end`, which must not be 0; the bias is below 2^-32.
    pub(crate) fn below(&mut self, end: u32) -> u32 {
        (((self.bits() >> 32) * u64::from(end)) >> 32) as u32
    }

    /// Flips `count` different bits, or all if `count` is larger.
    pub(crate) fn flip(&mut self, mut key: Key, count: u32) -> Key {
        let mut flipped = Key::default();
        let mut left = count.min(KEY_BITS);
        while left > 0 {
            let bit = self.below(KEY_BITS);
            let (word, mask) = ((bit / 64) as usize, 1 << (bit % 64));
            if flipped.0[word] & mask == 0 {
                flipped.0[word] |= mask;
                key.0[word] ^= mask;
                left -= 1;
            }
        }
        key
    }
}
