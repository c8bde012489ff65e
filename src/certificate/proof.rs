//! Proves that a file is, or is not, among the sources of a snapshot, to readers who have only its
//! root.
//!
//! The sources' SHA-256s are the leaves of a Merkle tree, in ascending order. A file's presence is
//! proved by its path to the root, and its absence by the paths of the two neighbours between which
//! it would be. This proves nothing about near copies of the file.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::envelope::shown;
use super::{json, read, refused};
use crate::error::Result;
use crate::index::{Index, hex, proof};

/// A proof about one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Proof {
    /// The file is among the sources.
    Inclusion {
        /// Merkle root over the sources.
        #[serde(rename = "sourcesRoot")]
        sources_root: String,
        /// Number of sources.
        sources: u64,
        /// The file.
        leaf: Leaf,
    },
    /// The file is not among the sources.
    Absence {
        /// Merkle root over the sources.
        #[serde(rename = "sourcesRoot")]
        sources_root: String,
        /// Number of sources.
        sources: u64,
        /// The file's SHA-256.
        sha256: String,
        /// The last source before it; null if it would be the first.
        #[serde(deserialize_with = "super::json::present")]
        before: Option<Leaf>,
        /// The first source after it; null if it would be the last.
        #[serde(deserialize_with = "super::json::present")]
        after: Option<Leaf>,
    },
}

/// A source with its path to the root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leaf {
    /// Its SHA-256.
    pub sha256: String,
    /// Its number among the sources, from 0.
    pub number: u64,
    /// The hashes that lead from it to the root.
    pub path: Vec<String>,
}

impl Proof {
    /// Proves whether a file is among the sources of a snapshot.
    pub fn of(index: &Index, sha256: &[u8; 32]) -> Proof {
        let leaves = index.source_leaves();
        let leaf = |number: usize| Leaf {
            sha256: hex(&leaves[number]),
            number: number as u64,
            path: proof::inclusion(&leaves, number)
                .unwrap_or_default()
                .iter()
                .map(|hash| hex(hash))
                .collect(),
        };
        let (sources_root, sources) = (index.state().sources_root.clone(), leaves.len() as u64);
        match leaves.binary_search(sha256) {
            Ok(number) => Proof::Inclusion {
                sources_root,
                sources,
                leaf: leaf(number),
            },
            Err(place) => Proof::Absence {
                sources_root,
                sources,
                sha256: hex(sha256),
                before: place.checked_sub(1).map(leaf),
                after: (place < leaves.len()).then(|| leaf(place)),
            },
        }
    }

    /// The proof as JSON, on one line.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads a proof.
    ///
    /// # Errors
    ///
    /// The reason why it is refused.
    pub fn parse(bytes: &[u8]) -> Result<Proof, String> {
        json::parse(bytes).map_err(|error| format!("not a proof: {error}"))
    }

    /// Reads a proof file.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidCertificate`](crate::Error::InvalidCertificate) and
    /// [`Error::Io`](crate::Error::Io).
    pub fn load(path: &Path) -> Result<Proof> {
        Proof::parse(&read(path, PROOF_MAX)?).map_err(refused(path))
    }

    /// SHA-256 of the file that the proof is about, in hexadecimal.
    pub fn sha256(&self) -> &str {
        match self {
            Proof::Inclusion { leaf, .. } => &leaf.sha256,
            Proof::Absence { sha256, .. } => sha256,
        }
    }

    /// Fails unless it proves its claim for the `sources` sources under `root`, which is in
    /// hexadecimal.
    ///
    /// # Errors
    ///
    /// The reason why it does not.
    pub fn check(&self, root: &str, sources: u64) -> Result<(), String> {
        let (Proof::Inclusion {
            sources_root,
            sources: number,
            ..
        }
        | Proof::Absence {
            sources_root,
            sources: number,
            ..
        }) = self;
        if sources_root != root || *number != sources {
            return Err(format!(
                "the proof is about {number} sources with the root {}, but {sources} sources with the root {root} were searched; make a proof of that generation with: uniq index prove",
                shown(sources_root)
            ));
        }
        let root = digest(root)?;
        match self {
            Proof::Inclusion { leaf, .. } => leaf.check(&root, sources).map(drop),
            Proof::Absence {
                sha256,
                before,
                after,
                ..
            } => {
                let file = digest(sha256)?;
                let beside = |leaf: &Option<Leaf>| {
                    leaf.as_ref()
                        .map(|leaf| Ok::<_, String>((leaf.check(&root, sources)?, leaf.number)))
                        .transpose()
                };
                let fits = match (beside(before)?, beside(after)?) {
                    (None, None) => sources == 0 && root == proof::root::<[u8; 32]>(&[]),
                    (Some((before, number)), None) => {
                        before < file && number.checked_add(1) == Some(sources)
                    }
                    (None, Some((after, number))) => file < after && number == 0,
                    (Some((before, at)), Some((after, next))) => {
                        before < file && file < after && at.checked_add(1) == Some(next)
                    }
                };
                if fits {
                    Ok(())
                } else {
                    Err("the proof does not show the two neighbours of the file".into())
                }
            }
        }
    }
}

impl Leaf {
    fn check(&self, root: &[u8; 32], sources: u64) -> Result<[u8; 32], String> {
        let sha256 = digest(&self.sha256)?;
        let path = self
            .path
            .iter()
            .map(|hash| digest(hash))
            .collect::<Result<Vec<_>, _>>()?;
        if proof::includes(&proof::leaf(&sha256), self.number, sources, &path, root) {
            return Ok(sha256);
        }
        Err(format!(
            "the proof does not lead from {} to the root",
            self.sha256
        ))
    }
}

/// Parses 64 lower-case hexadecimal digits.
pub(super) fn digest(text: &str) -> Result<[u8; 32], String> {
    let mut bytes = [0; 32];
    let is_lower = text.len() == 64
        && text
            .bytes()
            .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    if !is_lower {
        return Err(format!(
            "{} is not a SHA-256 in lower-case hexadecimal",
            shown(text)
        ));
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte =
            u8::from_str_radix(&text[2 * at..2 * at + 2], 16).map_err(|error| error.to_string())?;
    }
    Ok(bytes)
}

/// Maximum length of a proof in bytes; a proof about 2^40 sources has some 6 000.
const PROOF_MAX: usize = 1 << 20;
