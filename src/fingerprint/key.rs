//! The 256-bit perceptual key and its place in a frame.

use serde::{Deserialize, Serialize};

/// Bits in a key.
pub const KEY_BITS: u32 = 256;

/// A perceptual hash of 256 bits; near-equal pictures have near-equal keys.
#[derive(
    Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default, Serialize, Deserialize,
)]
pub struct Key(pub [u64; 4]);

impl Key {
    /// Counts the bits in which two keys differ (Hamming distance, 0..=256).
    #[inline]
    pub fn distance(self, other: Key) -> u32 {
        self.0
            .iter()
            .zip(other.0)
            .map(|(a, b)| (a ^ b).count_ones())
            .sum()
    }

    /// Reads a key from 32 little-endian bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Key {
        let mut words = [0; 4];
        for (word, chunk) in words.iter_mut().zip(bytes.chunks_exact(8)) {
            let mut eight = [0; 8];
            eight.copy_from_slice(chunk);
            *word = u64::from_le_bytes(eight);
        }
        Key(words)
    }

    /// Writes the key as 32 little-endian bytes.
    pub fn to_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (chunk, word) in bytes.chunks_exact_mut(8).zip(self.0) {
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }
}

/// The kind of area that a key was made from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum KeyKind {
    /// The whole frame without uniform borders.
    Whole,
    /// A square around a scale-space blob.
    Region,
}

/// The place of a key in a frame. All three fields are in heights of the frame, so x runs from 0 to
/// the aspect ratio.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Place {
    /// Centre, from the left edge.
    pub x: f32,
    /// Centre, from the top edge.
    pub y: f32,
    /// Height of the hashed area.
    pub size: f32,
}

/// A key at one place of a video, seen once or for as long as it lasted.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Run {
    /// The key, as first seen.
    pub key: Key,
    /// The kind of area that it was made from.
    pub kind: KeyKind,
    /// Where it was first seen.
    pub place: Place,
    /// First keyframe that shows it.
    pub first: std::time::Duration,
    /// Last keyframe that shows it.
    pub last: std::time::Duration,
    /// Whether the same place looks alike at least two seconds away: then it identifies the scene,
    /// not the moment.
    pub recurs: bool,
}
