//! Turns keyframes into 256-bit keys: whole frame, regions, runs over time.

mod key;

pub use key::{KEY_BITS, Key, KeyKind, Place, Run};

/// Changes whenever the same file would give other keys; an index of another version cannot be searched.
pub const FINGERPRINT_VERSION: u32 = 1;
