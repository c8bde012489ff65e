//! The append-only history of an index: a leaf for each commit before the newest.
//!
//! The manifest commits to the history by the Merkle root over its leaves, so a manifest's root
//! vouches for all earlier commits. The newest commit has no leaf yet, because its leaf names the
//! root of its own manifest. The leaf follows from the manifest, and the next commit appends it.
//!
//! A commit appends the leaf of the previous commit, makes it durable, and then writes its own
//! manifest. So the file holds what the manifest commits to, followed at most by the newest
//! commit's leaf, whole or torn if the writer ended there. The next writer cuts that off. Anything
//! else is damage, or the manifest is not the newest.
//!
//! A search does not read the history. `index-data/FORMAT.md` draws the file.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::format::{self, HEADER_LEN, HISTORY_MAGIC, hex};
use super::merkle::{Frontier, Hash};
use super::storage::{Draft, Storage};
use crate::error::{Error, Result};
use crate::media::open_regular;

/// A commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Leaf {
    /// Number of the commit; one more than that of the leaf before.
    pub(crate) generation: u64,
    /// SHA-256 of the manifest's body.
    pub(crate) root: Hash,
    /// Merkle root over the SHA-256s of the sources that were live, ascending.
    pub(crate) sources_root: Hash,
    /// The same for benign material.
    pub(crate) allowlist_root: Hash,
    /// When the commit was made, in milliseconds since 1970; 0 if that is not known.
    pub(crate) committed_at: u64,
}

/// What a manifest says of the commits before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Commitment {
    /// Number of these commits.
    pub(crate) leaves: u64,
    /// Merkle root over their leaves.
    pub(crate) root: Hash,
}

/// The history that a manifest commits to: all commits before it.
#[derive(Debug)]
pub(crate) struct History {
    dir: PathBuf,
    leaves: Vec<Leaf>,
    tree: Frontier,
}

impl Commitment {
    /// A commitment to no commits, as in an index's first manifest.
    pub(crate) fn empty() -> Commitment {
        Commitment {
            leaves: 0,
            root: Frontier::default().root(),
        }
    }
}

impl Leaf {
    /// The bytes that are hashed: the fields in order, numbers little-endian.
    pub(crate) fn to_bytes(self) -> [u8; LEAF_LEN] {
        let mut bytes = [0; LEAF_LEN];
        bytes[..ROOT_AT].copy_from_slice(&self.generation.to_le_bytes());
        bytes[ROOT_AT..SOURCES_AT].copy_from_slice(&self.root);
        bytes[SOURCES_AT..ALLOWLIST_AT].copy_from_slice(&self.sources_root);
        bytes[ALLOWLIST_AT..TIME_AT].copy_from_slice(&self.allowlist_root);
        bytes[TIME_AT..].copy_from_slice(&self.committed_at.to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8; LEAF_LEN]) -> Leaf {
        let hash = |at| array::<32>(bytes, at);
        Leaf {
            generation: u64::from_le_bytes(array(bytes, 0)),
            root: hash(ROOT_AT),
            sources_root: hash(SOURCES_AT),
            allowlist_root: hash(ALLOWLIST_AT),
            committed_at: u64::from_le_bytes(array(bytes, TIME_AT)),
        }
    }

    /// The leaf and its checksum, which reveals a torn record and locates damage.
    fn to_record(self) -> [u8; RECORD_LEN] {
        let leaf = self.to_bytes();
        let mut record = [0; RECORD_LEN];
        record[..LEAF_LEN].copy_from_slice(&leaf);
        record[LEAF_LEN..].copy_from_slice(&format::checksum(&leaf).to_le_bytes());
        record
    }

    /// `None` if the checksum is wrong.
    fn from_record(record: &[u8]) -> Option<Leaf> {
        let (leaf, checksum) = record.split_first_chunk::<LEAF_LEN>()?;
        (format::checksum(leaf).to_le_bytes() == checksum).then(|| Leaf::from_bytes(leaf))
    }
}

impl History {
    /// An empty history for an index whose first recorded commit is still to be made. It overwrites
    /// any existing file.
    pub(crate) fn begin(dir: &Path) -> History {
        History {
            dir: dir.to_owned(),
            leaves: Vec::new(),
            tree: Frontier::default(),
        }
    }

    /// Reads the whole history that a manifest commits to, and verifies it against the commitment.
    ///
    /// `newest` is the leaf that follows from the manifest; `None` if there is no manifest, and so
    /// no history yet.
    pub(crate) fn load(
        dir: &Path,
        commitment: &Commitment,
        newest: Option<&Leaf>,
    ) -> Result<History> {
        let (history, surplus) = History::load_committed(dir, commitment)?;
        let path = path(dir);
        check_surplus(&path, &surplus, commitment, newest)?;
        if let (Some(last), Some(newest)) = (history.leaves.last(), newest) {
            check_order(&path, last, newest)?;
        }
        Ok(history)
    }

    /// As [`History::load`], for a manifest that may no longer be the newest. Also returns the
    /// bytes that follow, at most a leaf and one byte.
    pub(crate) fn load_committed(
        dir: &Path,
        commitment: &Commitment,
    ) -> Result<(History, Vec<u8>)> {
        let path = path(dir);
        let content = read(&path, commitment.leaves)?;
        History::parse(dir, &path, content.as_deref(), commitment)
    }

    /// As [`History::load_committed`], from the bytes of the file, if there is one. Errors name
    /// `path`.
    pub(crate) fn parse(
        dir: &Path,
        path: &Path,
        content: Option<&[u8]>,
        commitment: &Commitment,
    ) -> Result<(History, Vec<u8>)> {
        let mut history = History::begin(dir);
        let mut surplus = Vec::new();
        if let Some(content) = content {
            // In range: if these bytes exist, they are in memory.
            let committed = usize::try_from(length(commitment.leaves)).unwrap_or(usize::MAX);
            let Some((records, beyond)) = content.split_at_checked(committed) else {
                let expected = format!("at least {committed}, as the manifest says");
                return Err(damaged(path, "length of the file", content.len(), expected));
            };
            let (header, records) = match records.split_first_chunk::<HEADER_LEN>() {
                Some(parts) => parts,
                None => {
                    return Err(damaged(
                        path,
                        "length of the file",
                        content.len(),
                        HEADER_LEN,
                    ));
                }
            };
            format::check_header(path, header, HISTORY_MAGIC, &format::READABLE)?;
            history.take(path, records)?;
            surplus = beyond.to_vec();
        } else if commitment.leaves > 0 {
            let expected = format!("{} bytes, as the manifest says", length(commitment.leaves));
            return Err(damaged(path, "file", "missing", expected));
        }
        if history.commitment() != *commitment {
            let expected = format!("{}, as the manifest says", hex(&commitment.root));
            return Err(damaged(
                path,
                "root of the history",
                hex(&history.root()),
                expected,
            ));
        }
        Ok((history, surplus))
    }

    /// The commits before the manifest's, oldest first.
    pub(crate) fn leaves(&self) -> &[Leaf] {
        &self.leaves
    }

    /// Merkle root over them.
    pub(crate) fn root(&self) -> Hash {
        self.tree.root()
    }

    /// What a manifest has to say of these commits.
    pub(crate) fn commitment(&self) -> Commitment {
        Commitment {
            leaves: self.tree.leaves(),
            root: self.root(),
        }
    }

    /// Makes sure that the history ends with the newest commit's leaf and is durable. Returns what
    /// the manifest of the next commit has to say of it.
    ///
    /// Afterwards this is the history of the next manifest. If that manifest cannot be written, the
    /// next attempt finds the leaf already here.
    pub(crate) fn append(&mut self, storage: &dyn Storage, newest: &Leaf) -> Result<Commitment> {
        if self.leaves.last() == Some(newest) {
            // A manifest on disk may already commit to this leaf, so it must not be written again.
            return Ok(self.commitment());
        }
        let path = path(&self.dir);
        if let Some(last) = self.leaves.last() {
            check_order(&path, last, newest)?;
        }
        // The process that wrote this manifest may have ended before the manifest was durable. If a
        // power failure then restored the previous manifest, that would find one leaf too many.
        storage
            .sync_folder(&self.dir)
            .map_err(Error::io(&self.dir, "sync"))?;
        if self.leaves.is_empty() {
            let mut draft = Draft::create(storage, &path)?;
            draft.write(&format::header(HISTORY_MAGIC))?;
            draft.write(&newest.to_record())?;
            draft.publish()?;
        } else {
            let mut output = storage
                .append(&path, length(self.tree.leaves()))
                .map_err(Error::io(&path, "append"))?;
            output
                .write_all(&newest.to_record())
                .map_err(Error::io(&path, "write"))?;
            output.sync().map_err(Error::io(&path, "sync"))?;
        }
        self.push(*newest);
        Ok(self.commitment())
    }

    fn take(&mut self, path: &Path, records: &[u8]) -> Result<()> {
        for (number, record) in records.chunks_exact(RECORD_LEN).enumerate() {
            let Some(leaf) = Leaf::from_record(record) else {
                let found = format!("wrong for the record at byte {}", length(number as u64));
                return Err(damaged(
                    path,
                    "checksum",
                    found,
                    "the checksum that was written",
                ));
            };
            if let Some(last) = self.leaves.last() {
                check_order(path, last, &leaf)?;
            }
            self.push(leaf);
        }
        Ok(())
    }

    fn push(&mut self, leaf: Leaf) {
        self.tree.push(&leaf.to_bytes());
        self.leaves.push(leaf);
    }
}

pub(crate) fn path(dir: &Path) -> PathBuf {
    dir.join("history")
}

/// Length of a history of `leaves` leaves, in bytes.
pub(crate) fn length(leaves: u64) -> u64 {
    leaves
        .saturating_mul(RECORD_LEN as u64)
        .saturating_add(HEADER_LEN as u64)
}

/// Reads only what can be of use: `records` records, one more, and one byte to detect a surplus.
fn read(path: &Path, records: u64) -> Result<Option<Vec<u8>>> {
    let file = match open_regular(path, OpenOptions::new().read(true)) {
        Ok(file) => file,
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(Error::io(path, "open")(cause)),
    };
    let mut content = Vec::new();
    let most = length(records.saturating_add(1)).saturating_add(1);
    file.take(most)
        .read_to_end(&mut content)
        .map_err(Error::io(path, "read"))?;
    Ok(Some(content))
}

/// Checks what follows the committed leaves: nothing, or the newest commit's leaf or part of it.
fn check_surplus(
    path: &Path,
    surplus: &[u8],
    commitment: &Commitment,
    newest: Option<&Leaf>,
) -> Result<()> {
    let expected = match newest {
        Some(newest) => format!("commit {}, as the manifest says", newest.generation),
        None => "nothing, since there is no manifest".to_owned(),
    };
    let found = match (surplus.len(), Leaf::from_record(surplus)) {
        (..RECORD_LEN, _) => return Ok(()),
        // Space that was allocated but not written before a power failure.
        (RECORD_LEN, None) if newest.is_some() => return Ok(()),
        (RECORD_LEN, Some(leaf)) if Some(&leaf) == newest => return Ok(()),
        (RECORD_LEN, Some(leaf)) => {
            format!("commit {} with root {}", leaf.generation, hex(&leaf.root))
        }
        _ => format!(
            "later, beyond byte {}",
            length(commitment.leaves.saturating_add(1))
        ),
    };
    Err(Error::CorruptIndex {
        path: path.to_owned(),
        what: "newest commit",
        found,
        expected,
        remedy: "put the newest manifest back, or restore the whole folder from a copy; to give up the newer commits, take the \
            videos over into an index with a new history: uniq index merge --from",
    })
}

fn check_order(path: &Path, last: &Leaf, next: &Leaf) -> Result<()> {
    match last.generation.checked_add(1) {
        Some(expected) if expected == next.generation => Ok(()),
        _ => {
            let found = format!("{} after {}", next.generation, last.generation);
            Err(damaged(
                path,
                "generation",
                found,
                "one more with each commit",
            ))
        }
    }
}

fn damaged(
    path: &Path,
    what: &'static str,
    found: impl ToString,
    expected: impl ToString,
) -> Error {
    Error::CorruptIndex {
        path: path.to_owned(),
        what,
        found: found.to_string(),
        expected: expected.to_string(),
        remedy: "restore the file from a copy of the index, or take the videos over into an index with a new history: \
            uniq index merge --from",
    }
}

fn array<const N: usize>(bytes: &[u8; LEAF_LEN], at: usize) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[at..at + N]);
    array
}

const ROOT_AT: usize = 8;
const SOURCES_AT: usize = ROOT_AT + 32;
const ALLOWLIST_AT: usize = SOURCES_AT + 32;
const TIME_AT: usize = ALLOWLIST_AT + 32;
/// Bytes of a leaf.
const LEAF_LEN: usize = TIME_AT + 8;
/// Bytes of a leaf and its checksum.
const RECORD_LEN: usize = LEAF_LEN + 8;

#[cfg(test)]
mod tests;
