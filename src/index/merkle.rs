//! Merkle tree hash of a list, with SHA-256, as RFC 6962 defines it in section 2.1 (and RFC 9162
//! after it).
//!
//! Only roots are computed here; [`proof`](super::proof) makes proofs. The crate `ct-merkle` hashes
//! the whole path to the root again for each leaf, which is ten times the work for a million
//! leaves.

use rayon::prelude::*;
use sha2::{Digest, Sha256};

/// Hash of a leaf, of a node, or of the tree.
pub(crate) type Hash = [u8; 32];

/// Root over hashes of files in ascending order. The same files give the same root, in whatever
/// order they were added.
///
/// A million take 0.4 s on two cores.
pub(crate) fn root_of(sha256s: impl Iterator<Item = Hash>) -> Hash {
    let mut leaves: Vec<Hash> = sha256s.collect();
    leaves.par_sort_unstable();
    root(&leaves)
}

/// Root over leaves in the order given.
pub(crate) fn root<L: AsRef<[u8]> + Sync>(leaves: &[L]) -> Hash {
    match leaves {
        [] => Sha256::digest([]).into(),
        [leaf] => leaf_hash(leaf.as_ref()),
        _ => {
            // The largest power of two below the number of leaves.
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            let (left, right) = match leaves.len() {
                PARALLEL_MIN.. => rayon::join(|| root(left), || root(right)),
                _ => (root(left), root(right)),
            };
            node_hash(&left, &right)
        }
    }
}

/// A tree that only grows, reduced to what is needed to compute the root after each leaf.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Frontier {
    leaves: u64,
    /// Roots of the perfect subtrees, one for each bit of `leaves`, the largest first.
    subtrees: Vec<Hash>,
}

impl Frontier {
    /// Appends a leaf.
    pub(crate) fn push(&mut self, leaf: &[u8]) {
        let mut hash = leaf_hash(leaf);
        // Two subtrees of equal size merge into one, like a carry in a binary addition.
        for _ in 0..self.leaves.trailing_ones() {
            if let Some(left) = self.subtrees.pop() {
                hash = node_hash(&left, &hash);
            }
        }
        self.subtrees.push(hash);
        self.leaves += 1;
    }

    /// Number of leaves.
    pub(crate) fn leaves(&self) -> u64 {
        self.leaves
    }

    /// Root over all leaves so far.
    pub(crate) fn root(&self) -> Hash {
        let smallest_first = self.subtrees.iter().rev().copied();
        smallest_first
            .reduce(|right, left| node_hash(&left, &right))
            .unwrap_or_else(|| root::<Hash>(&[]))
    }
}

pub(super) fn leaf_hash(leaf: &[u8]) -> Hash {
    Sha256::new()
        .chain_update([LEAF])
        .chain_update(leaf)
        .finalize()
        .into()
}

pub(super) fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Sha256::new()
        .chain_update([NODE])
        .chain_update(left)
        .chain_update(right)
        .finalize()
        .into()
}

// Different prefixes, so that a leaf never hashes like a node.
const LEAF: u8 = 0;
const NODE: u8 = 1;

/// Leaves from which the halves of a tree are hashed in parallel; about 0.2 ms of work.
const PARALLEL_MIN: usize = 1024;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::index::format::hex;

    /// Leaves and roots of the reference implementation of Certificate Transparency:
    /// github.com/transparency-dev/merkle, testonly/constants.go and testdata.
    const LEAVES: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    const ROOTS: [&str; 9] = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    #[test]
    fn roots_are_those_of_certificate_transparency() {
        let mut frontier = Frontier::default();
        for (leaves, expected) in ROOTS.iter().enumerate() {
            assert_eq!(hex(&root(&LEAVES[..leaves])), *expected, "{leaves} leaves");
            assert_eq!(
                (frontier.leaves(), &*hex(&frontier.root())),
                (leaves as u64, *expected)
            );
            if let Some(leaf) = LEAVES.get(leaves) {
                frontier.push(leaf);
            }
        }
    }

    #[test]
    fn a_growing_tree_has_the_root_of_one_made_at_once_also_in_parallel() {
        let leaves: Vec<[u8; 4]> = (0..3000u32).map(u32::to_le_bytes).collect();
        let mut frontier = Frontier::default();
        for (number, leaf) in leaves.iter().enumerate() {
            if number < 70 || number % 509 == 0 {
                assert_eq!(frontier.root(), root(&leaves[..number]), "{number} leaves");
            }
            frontier.push(leaf);
        }
        assert_eq!(frontier.root(), root(&leaves));
    }

    #[test]
    fn a_set_has_one_root_in_whatever_order_and_another_without_or_beside_a_member() {
        let set: Vec<Hash> = (0..9u8).map(|byte| Sha256::digest([byte]).into()).collect();
        let expected = root_of(set.iter().copied());
        assert_eq!(root_of(set.iter().rev().copied()), expected);
        assert_ne!(root(&set), expected, "these are not sorted");
        assert_ne!(root_of(set[1..].iter().copied()), expected);
        assert_ne!(root_of(set.iter().copied().chain([[0; 32]])), expected);
        assert_eq!(root_of(std::iter::empty()), root::<Hash>(&[]));
        // The root over one member is a leaf hash, and not that of a root used as a member.
        assert_ne!(root_of(std::iter::once(expected)), expected);
    }
}
