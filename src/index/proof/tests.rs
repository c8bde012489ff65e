#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::*;

fn leaves(number: usize) -> Vec<[u8; 8]> {
    (0..number as u64).map(u64::to_le_bytes).collect()
}

/// Wrong variants of a proof: cut, longer, and with one bit changed in each hash.
fn corrupted(proof: &[Hash]) -> Vec<Vec<Hash>> {
    let mut wrong = vec![[proof, &[[7; 32]]].concat(), [&[[7; 32]], proof].concat()];
    for at in 0..proof.len() {
        wrong.push(proof[..at].to_vec());
        wrong.push(proof[at + 1..].to_vec());
        for bit in [0, 77, 255] {
            let mut changed = proof.to_vec();
            changed[at][bit / 8] ^= 1 << (bit % 8);
            wrong.push(changed);
        }
    }
    wrong.retain(|wrong| wrong != proof);
    wrong
}

#[test]
fn every_leaf_of_every_small_tree_is_proved_and_no_corrupt_proof_passes() {
    for size in 1..=33_usize {
        let leaves = leaves(size);
        let whole = root(&leaves);
        for number in 0..size {
            let (proof, hash) = (inclusion(&leaves, number).unwrap(), leaf(&leaves[number]));
            let proves = |hash: &Hash, number: usize, size: usize, proof: &[Hash], root: &Hash| {
                includes(hash, number as u64, size as u64, proof, root)
            };
            assert!(
                proves(&hash, number, size, &proof, &whole),
                "{number} of {size}"
            );
            for wrong in corrupted(&proof) {
                assert!(
                    !proves(&hash, number, size, &wrong, &whole),
                    "{number} of {size}"
                );
            }
            assert!(!proves(&leaf(b"another"), number, size, &proof, &whole));
            assert!(!proves(&hash, number, size, &proof, &[0; 32]));
            for other in (0..=size).filter(|other| *other != number) {
                assert!(
                    !proves(&hash, other, size, &proof, &whole),
                    "{number} as {other} of {size}"
                );
            }
        }
        assert_eq!(inclusion(&leaves, size), None);
    }
}

#[test]
fn every_beginning_of_every_small_tree_is_proved_and_no_corrupt_proof_passes() {
    for size in 1..=33_usize {
        let leaves = leaves(size);
        let whole = root(&leaves);
        for old in 1..=size {
            let (proof, first) = (consistency(&leaves, old).unwrap(), root(&leaves[..old]));
            let proves = |old: usize, proof: &[Hash], first: &Hash, whole: &Hash| {
                extends(old as u64, size as u64, proof, first, whole)
            };
            assert!(proves(old, &proof, &first, &whole), "{old} of {size}");
            for wrong in corrupted(&proof) {
                assert!(!proves(old, &wrong, &first, &whole), "{old} of {size}");
            }
            assert!(
                !proves(old, &proof, &[0; 32], &whole) && !proves(old, &proof, &first, &[0; 32])
            );
            for other in (0..=size + 1).filter(|other| *other != old) {
                assert!(
                    !proves(other, &proof, &first, &whole),
                    "{old} as {other} of {size}"
                );
            }
        }
        assert!(consistency(&leaves, 0).is_none() && consistency(&leaves, size + 1).is_none());
    }
}

/// The cases of github.com/transparency-dev/merkle, from its folder `merkle/testdata`, in the copy
/// that `UNIQ_VECTORS` names.
fn foreign_cases(kind: &str) -> Vec<(PathBuf, Value)> {
    let Some(folder) = std::env::var_os("UNIQ_VECTORS") else {
        return Vec::new();
    };
    let folder = Path::new(&folder).join("merkle/testdata").join(kind);
    let files = walkdir::WalkDir::new(&folder)
        .into_iter()
        .map(|entry| entry.unwrap().into_path());
    let cases = files.filter(|file| {
        file.extension()
            .is_some_and(|extension| extension == "json")
    });
    let cases: Vec<_> = cases
        .map(|file| {
            (
                file.clone(),
                serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap(),
            )
        })
        .collect();
    assert!(
        cases.len() > 90,
        "{}: only {} cases",
        folder.display(),
        cases.len()
    );
    cases
}

fn number(case: &Value, name: &str) -> u64 {
    case[name]
        .as_u64()
        .unwrap_or_else(|| panic!("{name} of {case}"))
}

fn hashes(case: &Value) -> Option<Vec<Hash>> {
    case["proof"]
        .as_array()
        .into_iter()
        .flatten()
        .map(hash)
        .collect()
}

/// `None` unless it has 32 bytes. Some unused roots have 12.
fn hash(value: &Value) -> Option<Hash> {
    let mut bytes = STANDARD.decode(value.as_str().unwrap_or_default()).unwrap();
    if bytes.starts_with(b"don't care") {
        bytes.resize(32, 0);
    }
    bytes.try_into().ok()
}

#[test]
fn foreign_inclusion_proofs_are_judged_as_others_judge_them() {
    for (file, case) in foreign_cases("inclusion") {
        let judged = || {
            let (leaf, root, proof) = (
                hash(&case["leafHash"])?,
                hash(&case["root"])?,
                hashes(&case)?,
            );
            Some(includes(
                &leaf,
                number(&case, "leafIdx"),
                number(&case, "treeSize"),
                &proof,
                &root,
            ))
        };
        assert_eq!(
            judged() == Some(true),
            case["wantErr"] == false,
            "{}",
            file.display()
        );
    }
    // A subtree is a tree of its own.
    for (file, case) in foreign_cases("subtreeinclusion") {
        let judged = || {
            let (leaf, root, proof) = (
                hash(&case["leafHash"])?,
                hash(&case["root"])?,
                hashes(&case)?,
            );
            let (start, end) = (number(&case, "start"), number(&case, "end"));
            let aligned = |size: &u64| {
                size.checked_next_power_of_two()
                    .is_some_and(|whole| start.is_multiple_of(whole))
            };
            let size = end
                .checked_sub(start)
                .filter(|size| *size > 0 && aligned(size))?;
            let at = number(&case, "leafIdx").checked_sub(start)?;
            Some(includes(&leaf, at, size, &proof, &root))
        };
        assert_eq!(
            judged() == Some(true),
            case["wantErr"] == false,
            "{}",
            file.display()
        );
    }
}

#[test]
fn foreign_consistency_proofs_are_judged_as_others_judge_them() {
    for (file, case) in foreign_cases("consistency") {
        let judged = || {
            let (old, new, proof) = (hash(&case["root1"])?, hash(&case["root2"])?, hashes(&case)?);
            let (from, to) = (number(&case, "size1"), number(&case, "size2"));
            Some(extends(from, to, &proof, &old, &new))
        };
        assert_eq!(
            judged() == Some(true),
            case["wantErr"] == false,
            "{}",
            file.display()
        );
    }
    for (file, case) in foreign_cases("subtreeconsistency") {
        let judged = || {
            let (part, whole, proof) =
                (hash(&case["root1"])?, hash(&case["root2"])?, hashes(&case)?);
            let (start, end, size) = (
                number(&case, "start"),
                number(&case, "end"),
                number(&case, "size"),
            );
            // By convention, an empty part is in every tree.
            let nothing =
                start == end && end <= size && proof.is_empty() && part == root::<Hash>(&[]);
            Some(holds(start..end, size, &proof, &part, &whole) || nothing)
        };
        assert_eq!(
            judged() == Some(true),
            case["wantErr"] == false,
            "{}",
            file.display()
        );
    }
}
