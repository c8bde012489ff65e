//! The atomically replaced list of live segments; replacing it is the commit.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::files::{self, BlockFile};
#[cfg(feature = "remote")]
use super::format::Frame;
use super::format::{self, FORMAT_VERSION, FileWriter, HEADER_LEN, MANIFEST_MAGIC};
use super::history::{self, Commitment, Leaf};
use super::merkle::{self, Hash};
use super::screening::Screening;
use super::segment::Added;
use super::storage::Storage;
use super::video::{IndexConfig, Role};
use crate::error::{Error, Result};
use crate::fingerprint::FINGERPRINT_VERSION;

/// Content of the manifest; the order of fields is the order on disk.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// Number of this commit.
    pub(crate) generation: u64,
    /// Version of the crate that wrote it.
    pub(crate) written_by: String,
    pub(crate) config: IndexConfig,
    /// Number of the next file; greater than all numbers in use.
    pub(crate) next_number: u64,
    /// Time of this commit, in milliseconds since 1970; 0 if unknown.
    pub(crate) committed_at: u64,
    /// The centroids that segments are sorted by; the last ones sort new segments. If empty, there
    /// is one cell.
    pub(crate) cells: Vec<CellsEntry>,
    pub(crate) segments: Vec<SegmentEntry>,
    /// Removed videos whose keys no longer take space, in the order of their removal.
    pub(crate) removed: Vec<Removed>,
    /// How well the screening of this index works; `None` before it was measured.
    pub(crate) screening: Option<Screening>,
    /// Merkle root over the SHA-256s of the sources that have not been removed, ascending.
    pub(crate) sources_root: Hash,
    /// The same for benign material.
    pub(crate) allowlist_root: Hash,
    /// The commits before this one.
    pub(crate) history: Commitment,
}

/// The centroids of some cells.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct CellsEntry {
    /// Number in the name of the file.
    pub(crate) number: u64,
    pub(crate) file: FileEntry,
    pub(crate) cells: u32,
}

/// A video that is no longer in the index.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Removed {
    pub(crate) sha256: [u8; 32],
    pub(crate) role: Role,
    pub(crate) added: Added,
    /// The commit that removed it.
    pub(crate) generation: u64,
}

/// A removed video of a segment that still holds its keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Tombstone {
    pub(crate) video: u32,
    /// The commit that removed it.
    pub(crate) generation: u64,
}

/// A live segment.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct SegmentEntry {
    /// Number in the names of its files.
    pub(crate) number: u64,
    pub(crate) file: FileEntry,
    pub(crate) keys: u32,
    pub(crate) videos: u32,
    /// Removed videos, ascending.
    pub(crate) tombstones: Vec<Tombstone>,
    /// Role of all its videos.
    pub(crate) role: Role,
}

/// What a file must match.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct FileEntry {
    /// Length of the whole file, in bytes.
    pub(crate) length: u64,
    /// xxh3-64 of its table of checksums, and so of the whole file.
    pub(crate) checksum: u64,
    /// SHA-256 of the whole file.
    pub(crate) sha256: [u8; 32],
}

impl Manifest {
    /// A manifest without content.
    pub(crate) fn new(config: IndexConfig) -> Manifest {
        Manifest {
            generation: 0,
            written_by: env!("CARGO_PKG_VERSION").to_owned(),
            config,
            next_number: 1,
            committed_at: 0,
            cells: Vec::new(),
            segments: Vec::new(),
            removed: Vec::new(),
            screening: None,
            sources_root: merkle::root_of(std::iter::empty()),
            allowlist_root: merkle::root_of(std::iter::empty()),
            history: Commitment::empty(),
        }
    }

    /// Reads the manifest of an index; `Ok(None)` if there is none.
    pub(crate) fn load(dir: &Path) -> Result<Option<Stored>> {
        let path = manifest_path(dir);
        let Some(file) = BlockFile::open(&path, MANIFEST_MAGIC, None)? else {
            return Ok(None);
        };
        let body = file.bytes(HEADER_LEN..file.content())?;
        let manifest: Manifest = format::decode(&path, body)?;
        manifest.check(&path)?;
        Ok(Some(Stored {
            manifest,
            root: files::sha256(body),
            length: file.length(),
            version: file.version(),
        }))
    }

    /// Bytes of all files that it names, and of the history that it commits to.
    pub(crate) fn bytes(&self) -> u64 {
        let segments = self.segments.iter().map(|entry| entry.file.length);
        let cells = self.cells.iter().map(|entry| entry.file.length);
        segments
            .chain(cells)
            .fold(self.history_bytes(), u64::saturating_add)
    }

    /// Bytes of the history that it commits to; 0 if there is none yet.
    pub(crate) fn history_bytes(&self) -> u64 {
        if self.history.leaves == 0 {
            0
        } else {
            history::length(self.history.leaves)
        }
    }

    /// Numbers of all files that it names.
    fn numbers(&self) -> impl Iterator<Item = u64> {
        self.segments
            .iter()
            .map(|entry| entry.number)
            .chain(self.cells.iter().map(|entry| entry.number))
    }

    fn check(&self, path: &Path) -> Result<()> {
        for entry in &self.segments {
            let ascending = entry
                .tombstones
                .windows(2)
                .all(|pair| pair[0].video < pair[1].video);
            let in_range = entry
                .tombstones
                .last()
                .is_none_or(|last| last.video < entry.videos);
            if !ascending || !in_range {
                return Err(format::corrupt(
                    path,
                    "tombstones",
                    "not ascending video numbers",
                    format!("numbers below {}", entry.videos),
                ));
            }
        }
        let has = |role| self.segments.iter().any(|entry| entry.role == role);
        if has(Role::Source) && has(Role::Submission) {
            return Err(format::corrupt(
                path,
                "roles",
                "sources and submissions",
                "one of the two",
            ));
        }
        for number in self.numbers() {
            if number >= self.next_number {
                return Err(format::corrupt(
                    path,
                    "number of a file",
                    number,
                    format!("below {}", self.next_number),
                ));
            }
        }
        let numbers: HashSet<u64> = self.numbers().collect();
        if numbers.len() != self.numbers().count() {
            return Err(format::corrupt(
                path,
                "number of different files",
                numbers.len(),
                self.numbers().count(),
            ));
        }
        if !(INTERVAL_MIN..=INTERVAL_MAX).contains(&self.config.interval) {
            let found = format!("{:?}", self.config.interval);
            return Err(format::corrupt(
                path,
                "sampling interval",
                found,
                "0.1 to 60 s",
            ));
        }
        if self.next_number > COUNTER_MAX || self.generation > COUNTER_MAX {
            return Err(format::corrupt(
                path,
                "counters",
                format!("{} and {}", self.generation, self.next_number),
                format!("at most {COUNTER_MAX}"),
            ));
        }
        if self.history.leaves >= self.generation.max(1) {
            let expected = format!("fewer than {} commits", self.generation.max(1));
            return Err(format::corrupt(
                path,
                "length of the history",
                self.history.leaves,
                expected,
            ));
        }
        if self
            .screening
            .as_ref()
            .is_some_and(|screening| screening.probes == 0)
        {
            // A search would probe no cell and find nothing.
            return Err(format::corrupt(
                path,
                "screening",
                "no cell to look into",
                "at least 1",
            ));
        }
        let mut measured = self
            .screening
            .iter()
            .flat_map(|screening| &screening.strengths);
        if let Some(wrong) = measured.find(|strength| strength.nominated > strength.excerpts) {
            let expected = format!("at most the {} that were looked for", wrong.excerpts);
            return Err(format::corrupt(
                path,
                "screening",
                format!("{} found", wrong.nominated),
                expected,
            ));
        }
        let count = u32::try_from(self.segments.len());
        let total: u64 = self
            .segments
            .iter()
            .map(|entry| u64::from(entry.videos))
            .sum();
        if count.is_err() || total > u64::from(u32::MAX) {
            return Err(format::corrupt(
                path,
                "number of videos",
                total,
                "below 2^32",
            ));
        }
        Ok(())
    }
}

/// A manifest as it is, or will be, on disk.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) manifest: Manifest,
    /// SHA-256 of the body.
    pub(crate) root: [u8; 32],
    /// Length of the file, in bytes.
    pub(crate) length: u64,
    /// Version of the format on disk.
    pub(crate) version: u32,
}

impl Stored {
    /// Reads the bytes of a manifest's file; errors name `path`.
    #[cfg(feature = "remote")]
    pub(crate) fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Stored> {
        let cut = || format::corrupt(path, "length of the file", bytes.len(), "as its parts say");
        let frame = Frame::read(
            path,
            bytes.len() as u64,
            MANIFEST_MAGIC,
            &format::READABLE,
            &|part, at| {
                let from = usize::try_from(at)
                    .ok()
                    .and_then(|at| bytes.get(at..))
                    .ok_or_else(cut)?;
                part.copy_from_slice(from.get(..part.len()).ok_or_else(cut)?);
                Ok(())
            },
        )?;
        let content = bytes.get(..frame.content).ok_or_else(cut)?;
        for (block, expected) in content.chunks(format::BLOCK).zip(&frame.blocks) {
            if format::checksum(block) != *expected {
                return Err(format::corrupt(
                    path,
                    "checksum",
                    "wrong",
                    "the checksum that was written",
                ));
            }
        }
        let body = content.get(HEADER_LEN..).ok_or_else(cut)?;
        let manifest: Manifest = format::decode(path, body)?;
        manifest.check(path)?;
        let length = bytes.len() as u64;
        Ok(Stored {
            manifest,
            root: files::sha256(body),
            length,
            version: frame.version,
        })
    }

    /// The history's leaf for this commit.
    pub(crate) fn leaf(&self) -> Leaf {
        let Manifest {
            generation,
            sources_root,
            allowlist_root,
            committed_at,
            ..
        } = self.manifest;
        Leaf {
            generation,
            root: self.root,
            sources_root,
            allowlist_root,
            committed_at,
        }
    }

    /// Encodes a manifest that is not written yet, and returns it with its body.
    pub(crate) fn encode(manifest: Manifest, dir: &Path) -> Result<(Stored, Vec<u8>)> {
        let body = format::encode(&manifest_path(dir), &manifest)?;
        let length = format::file_length(HEADER_LEN + body.len());
        Ok((
            Stored {
                manifest,
                root: files::sha256(&body),
                length,
                version: FORMAT_VERSION,
            },
            body,
        ))
    }
}

/// Replaces the manifest of an index, which is the commit.
pub(crate) fn write(storage: &dyn Storage, dir: &Path, body: &[u8]) -> Result<()> {
    let mut file = FileWriter::create(storage, &manifest_path(dir), MANIFEST_MAGIC)?;
    file.append(body)?;
    file.finish()?;
    Ok(())
}

/// Path of the only file whose presence makes a folder an index.
pub(crate) fn manifest_path(dir: &Path) -> PathBuf {
    dir.join("manifest")
}

/// The folder of segments and centroids.
pub(crate) fn segments_path(dir: &Path) -> PathBuf {
    dir.join("segments")
}

pub(crate) fn segment_path(dir: &Path, number: u64) -> PathBuf {
    segments_path(dir).join(format!("{number:08}.seg"))
}

pub(crate) fn cells_path(dir: &Path, number: u64) -> PathBuf {
    segments_path(dir).join(format!("{number:08}.cells"))
}

// The range of sampling intervals of sources.
const INTERVAL_MIN: Duration = Duration::from_millis(100);
const INTERVAL_MAX: Duration = Duration::from_secs(60);
/// Upper limit of counters: no index reaches it, and sums stay far from overflow.
const COUNTER_MAX: u64 = 1 << 62;

/// Fails if an index has other keys than those wanted or, without a wish, than this program makes.
pub(crate) fn check_config(
    dir: &Path,
    found: &IndexConfig,
    wanted: Option<&IndexConfig>,
) -> Result<()> {
    check_fingerprint(
        dir,
        found,
        wanted.map_or(FINGERPRINT_VERSION, |wanted| wanted.fingerprint_version),
    )?;
    if let Some(wanted) = wanted
        && found.interval != wanted.interval
    {
        return Err(Error::IncompatibleIndex {
            path: manifest_path(dir),
            what: "sampling interval",
            found: format!("{:?}", found.interval),
            expected: format!("{:?}", wanted.interval),
            remedy: "use the index's interval, or build a new index in another folder",
        });
    }
    Ok(())
}

/// Fails if an index has keys of another fingerprint version.
pub(crate) fn check_fingerprint(dir: &Path, found: &IndexConfig, wanted: u32) -> Result<()> {
    if found.fingerprint_version != wanted {
        return Err(Error::IncompatibleIndex {
            path: manifest_path(dir),
            what: "fingerprint version",
            found: found.fingerprint_version.to_string(),
            expected: wanted.to_string(),
            remedy: if found.fingerprint_version > wanted {
                "install a newer uniq"
            } else {
                "build the index again in another folder with: uniq index build"
            },
        });
    }
    Ok(())
}
