//! Makes and verifies proofs about Merkle trees as RFC 6962 defines them (pure).
//!
//! An *inclusion* proof shows that a leaf is in the tree with a given root. A *consistency* proof
//! shows that a tree begins with another tree. Verifying needs neither the tree nor the index. Both
//! verifiers are those of RFC 9162, sections 2.1.3.2 and 2.1.4.2, and accept only proofs of exactly
//! the right length.

use std::ops::Range;

use super::merkle::{self, leaf_hash, node_hash};

/// SHA-256.
pub type Hash = [u8; 32];

/// The hash of a leaf with these bytes.
pub fn leaf(bytes: &[u8]) -> Hash {
    leaf_hash(bytes)
}

/// Root over leaves in the order given.
pub fn root<L: AsRef<[u8]> + Sync>(leaves: &[L]) -> Hash {
    merkle::root(leaves)
}

/// Proves that the leaf with this number is in the tree; `None` if there is no such leaf.
pub fn inclusion<L: AsRef<[u8]> + Sync>(leaves: &[L], number: usize) -> Option<Vec<Hash>> {
    if number >= leaves.len() {
        return None;
    }
    let mut proof = Vec::new();
    let (mut leaves, mut number) = (leaves, number);
    while leaves.len() > 1 {
        let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
        if number < left.len() {
            proof.push(root(right));
            leaves = left;
        } else {
            proof.push(root(left));
            number -= left.len();
            leaves = right;
        }
    }
    proof.reverse();
    Some(proof)
}

/// Proves that the tree began with its first `old` leaves; `None` if `old` is 0 or more than there
/// are.
pub fn consistency<L: AsRef<[u8]> + Sync>(leaves: &[L], old: usize) -> Option<Vec<Hash>> {
    if old == 0 || old > leaves.len() {
        return None;
    }
    let mut proof = Vec::new();
    let (mut leaves, mut old, mut whole) = (leaves, old, true);
    while old < leaves.len() {
        let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
        if old <= left.len() {
            proof.push(root(right));
            leaves = left;
        } else {
            proof.push(root(left));
            old -= left.len();
            leaves = right;
            whole = false;
        }
    }
    if !whole {
        proof.push(root(leaves));
    }
    proof.reverse();
    Some(proof)
}

/// Whether `proof` shows that the leaf with this hash has this number among the `size` leaves under
/// `root`.
pub fn includes(leaf: &Hash, number: u64, size: u64, proof: &[Hash], root: &Hash) -> bool {
    if number >= size {
        return false;
    }
    let (mut at, mut last, mut hash) = (number, size - 1, *leaf);
    for step in proof {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            hash = node_hash(step, &hash);
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            hash = node_hash(&hash, step);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    last == 0 && hash == *root
}

/// Whether `proof` shows that the tree of `new` leaves under `new_root` begins with the tree of
/// `old` leaves under `old_root`.
///
/// Always `false` if `old` is 0.
pub fn extends(old: u64, new: u64, proof: &[Hash], old_root: &Hash, new_root: &Hash) -> bool {
    old > 0 && holds(0..old, new, proof, old_root, new_root)
}

/// Whether `proof` shows that a subtree with the leaves `part`, in a tree of `size` leaves, has the
/// root `part_root`.
///
/// A subtree begins at a multiple of its length, where the length is rounded up to a power of two.
pub fn holds(part: Range<u64>, size: u64, proof: &[Hash], part_root: &Hash, root: &Hash) -> bool {
    let length = part.end.saturating_sub(part.start);
    let aligned = length
        .checked_next_power_of_two()
        .is_some_and(|whole| part.start.is_multiple_of(whole));
    if length == 0 || !aligned || part.end > size {
        return false;
    }
    // The part's first and last node and the tree's last node, level by level.
    let (mut first, mut at, mut last) = (part.start, part.end - 1, size - 1);
    while first != at && (at == last || at & 1 == 1) {
        (first, at, last) = (first >> 1, at >> 1, last >> 1);
    }
    let mut steps = proof.iter();
    let Some(begin) = (if first == at {
        Some(part_root)
    } else {
        steps.next()
    }) else {
        return false;
    };
    let (mut of_part, mut of_tree) = (*begin, *begin);
    for step in steps {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            if first < at {
                of_part = node_hash(step, &of_part);
            }
            of_tree = node_hash(step, &of_tree);
            while at & 1 == 0 && at != 0 {
                (first, at, last) = (first >> 1, at >> 1, last >> 1);
            }
        } else {
            of_tree = node_hash(&of_tree, step);
        }
        (first, at, last) = (first >> 1, at >> 1, last >> 1);
    }
    last == 0 && of_part == *part_root && of_tree == *root
}

#[cfg(test)]
mod tests;
