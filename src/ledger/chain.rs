//! The hash that links each row of the ledger to the one before it (pure).
//!
//! A row's hash is the SHA-256 of [`DOMAIN`], the hash of the row before it (32 zero bytes for the
//! first), and the row's fields in order: `seq`, `at_ms` and `submission` as 8 bytes,
//! little-endian, `kind` and `body` as their length in 8 bytes, little-endian, and their bytes in
//! UTF-8. So different rows never have the same encoding, and changing, removing, inserting or
//! moving a row changes all hashes after it.

use sha2::{Digest as _, Sha256};

/// Prefix of every hashed row, so that nothing else hashes like a row.
const DOMAIN: &[u8] = b"uniq-ledger-row-1\n";

/// The hash before the first row.
pub const GENESIS: [u8; 32] = [0; 32];

/// A row of the chain without its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link<'a> {
    /// Number of the row, from 1 without gaps.
    pub seq: u64,
    /// When it was written, in milliseconds since 1970, by the ledger's clock.
    pub at_ms: u64,
    /// What happened.
    pub kind: &'a str,
    /// The submission that the event is about.
    pub submission: u64,
    /// Details of the event, as JSON.
    pub body: &'a str,
}

impl Link<'_> {
    /// The hash of this row after a row with the hash `previous`.
    pub fn hash(&self, previous: &[u8; 32]) -> [u8; 32] {
        let mut hash = Sha256::new_with_prefix(DOMAIN);
        hash.update(previous);
        for number in [self.seq, self.at_ms, self.submission] {
            hash.update(number.to_le_bytes());
        }
        for text in [self.kind, self.body] {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        }
        hash.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_rows_have_the_same_hash_however_their_fields_are_divided() {
        let link = |kind, body| Link {
            seq: 1,
            at_ms: 2,
            kind,
            submission: 3,
            body,
        };
        let hashes = [
            link("ab", "c").hash(&GENESIS),
            link("a", "bc").hash(&GENESIS),
            link("abc", "").hash(&GENESIS),
            Link {
                seq: 2,
                ..link("ab", "c")
            }
            .hash(&GENESIS),
            Link {
                at_ms: 3,
                ..link("ab", "c")
            }
            .hash(&GENESIS),
            Link {
                submission: 2,
                ..link("ab", "c")
            }
            .hash(&GENESIS),
            link("ab", "c").hash(&[1; 32]),
        ];
        for (i, a) in hashes.iter().enumerate() {
            assert!(hashes[i + 1..].iter().all(|b| a != b), "{i}");
        }
    }
}
