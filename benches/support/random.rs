//! Random numbers and keys that are the same on every machine and in every version.

use uniq::fingerprint::{KEY_BITS, Key};

/// Steele, Lea and Flood's generator of 2014.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number below `end`, which must be neither 0 nor above 2^32.
    pub fn below(&mut self, end: usize) -> usize {
        (((self.bits() >> 32) * end as u64) >> 32) as usize
    }

    /// A number from 0 to below 1.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A random direction, as a vector of length 1.
    pub fn direction<const N: usize>(&mut self) -> [f32; N] {
        // Sums of 64 bits are nearly normal, and vectors of normal numbers have no preferred
        // direction.
        let vector: [f32; N] = std::array::from_fn(|_| self.bits().count_ones() as f32 - 32.0);
        let length = vector
            .iter()
            .map(|part| part * part)
            .sum::<f32>()
            .sqrt()
            .max(f32::MIN_POSITIVE);
        vector.map(|part| part / length)
    }

    /// 256 independent bits.
    pub fn key(&mut self) -> Key {
        Key(std::array::from_fn(|_| self.bits()))
    }

    /// Flips `count` different bits, or all if `count` is larger.
    pub fn flip(&mut self, mut key: Key, count: u32) -> Key {
        let mut flipped = [0u64; 4];
        let mut left = count.min(KEY_BITS);
        while left > 0 {
            // Takes eight candidates from one draw.
            let mut draw = self.bits();
            for _ in 0..8 {
                let (word, mask) = ((draw >> 6 & 3) as usize, 1 << (draw & 63));
                if left > 0 && flipped[word] & mask == 0 {
                    flipped[word] |= mask;
                    key.0[word] ^= mask;
                    left -= 1;
                }
                draw >>= 8;
            }
        }
        key
    }

    /// `count` copies of randomly chosen `keys` with 0 to `noise` flipped bits.
    pub fn noisy_copies(&mut self, keys: &[Key], count: usize, noise: u32) -> Vec<Key> {
        (0..count)
            .map(|_| {
                let key = keys[self.below(keys.len())];
                let flips = self.below(noise as usize + 1) as u32;
                self.flip(key, flips)
            })
            .collect()
    }

    /// Families of ten around random centres: each member has 0 to 40 bits flipped.
    pub fn families(&mut self, count: usize) -> Vec<Key> {
        let mut centre = Key::default();
        (0..count)
            .map(|number| {
                if number % FAMILY == 0 {
                    centre = self.key();
                }
                let flips = self.below(FAMILY_FLIPS + 1) as u32;
                self.flip(centre, flips)
            })
            .collect()
    }
}

/// Number of members of a family.
const FAMILY: usize = 10;
/// Maximum number of bits in which a member differs from the centre of its family.
const FAMILY_FLIPS: usize = 40;
