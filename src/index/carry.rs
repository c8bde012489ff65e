//! An index in transport: the bytes of its manifest and history, and the files that they name.
//!
//! The bytes are checked as when an index is opened: by checksums, and the history by its Merkle
//! root. The transport checks the files themselves against the SHA-256s of the manifest.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use super::files;
use super::format::hex;
use super::history::{self, History, Leaf};
use super::leftovers;
use super::lock::Lock;
use super::manifest::{self, Stored};
use super::newest::{self, Newest};
use super::storage::{self, Disk, Draft, TEMPORARY_PREFIX};
use crate::error::{Error, Result};
use crate::media::open_regular;

/// One commit of an index, apart from its segments and centroids.
#[derive(Debug)]
pub(crate) struct Carried {
    stored: Stored,
    manifest: Vec<u8>,
    /// Empty before the second commit.
    history: Vec<u8>,
    leaves: Vec<Leaf>,
}

/// A segment, or the centroids of cells.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct CarriedFile {
    /// Its name in the folder of segments.
    pub(crate) name: String,
    /// Bytes.
    pub(crate) length: u64,
    pub(crate) sha256: [u8; 32],
}

impl Carried {
    /// Reads the newest commit of an index in a folder; `None` if there is none. The caller holds
    /// the writer's lock.
    pub(crate) fn of_folder(dir: &Path) -> Result<Option<Carried>> {
        let note = Newest::load(dir)?;
        let path = manifest::manifest_path(dir);
        let carried = match read(&path, u64::MAX)? {
            Some(bytes) => {
                let stored = Stored::from_bytes(&path, &bytes)?;
                let length = stored.manifest.history_bytes();
                let history = if length == 0 {
                    None
                } else {
                    read(&history::path(dir), length)?
                };
                Some(Carried::checked(
                    stored,
                    bytes,
                    history.unwrap_or_default(),
                    &history::path(dir),
                )?)
            }
            None => None,
        };
        if let Some(note) = note {
            note.check(dir, carried.as_ref().map(|carried| &carried.stored))?;
        }
        Ok(carried)
    }

    /// Reads a commit from its bytes. Errors name the paths that are given with them.
    pub(crate) fn from_parts(
        (manifest_from, manifest): (&Path, Vec<u8>),
        (history_from, history): (&Path, Vec<u8>),
    ) -> Result<Carried> {
        let stored = Stored::from_bytes(manifest_from, &manifest)?;
        Carried::checked(stored, manifest, history, history_from)
    }

    fn checked(
        stored: Stored,
        manifest: Vec<u8>,
        history: Vec<u8>,
        from: &Path,
    ) -> Result<Carried> {
        let content = (!history.is_empty()).then_some(&history[..]);
        let (parsed, _) = History::parse(Path::new(""), from, content, &stored.manifest.history)?;
        Ok(Carried {
            leaves: parsed.leaves().to_vec(),
            stored,
            manifest,
            history,
        })
    }

    /// Number of the commit.
    pub(crate) fn generation(&self) -> u64 {
        self.stored.manifest.generation
    }

    /// Root in hexadecimal.
    pub(crate) fn root(&self) -> String {
        hex(&self.stored.root)
    }

    /// The bytes of the manifest's file.
    pub(crate) fn manifest(&self) -> &[u8] {
        &self.manifest
    }

    /// The bytes of the history that the manifest commits to; empty before the second commit.
    pub(crate) fn history(&self) -> &[u8] {
        &self.history
    }

    /// Number of commits in the history.
    pub(crate) fn history_commits(&self) -> u64 {
        self.stored.manifest.history.leaves
    }

    /// The files that the manifest names.
    pub(crate) fn files(&self) -> Vec<CarriedFile> {
        files_of(&self.stored)
    }

    /// Whether this commit is the given one or a later one.
    pub(crate) fn descends_from(&self, generation: u64, root: &str) -> bool {
        let own = self.stored.leaf();
        let mut commits = self.leaves.iter().chain([&own]);
        commits.any(|leaf| leaf.generation == generation && hex(&leaf.root) == root)
    }

    /// Fails if this commit is older than the one last noted in a folder, or does not descend from
    /// it.
    pub(crate) fn check_seen(&self, dir: &Path) -> Result<()> {
        let Some(seen) = Newest::load(dir)? else {
            return Ok(());
        };
        seen.check(dir, Some(&self.stored))?;
        let (generation, root) = (seen.generation, &seen.root);
        if self.descends_from(generation, root) {
            return Ok(());
        }
        Err(Error::CorruptIndex {
            path: manifest::manifest_path(dir),
            what: "root",
            found: format!("the root of another history at generation {generation}"),
            expected: format!("{root}, as {} says", newest::path(dir).display()),
            remedy: "put the newest manifest back; if you mean to use the other index, delete the file that names the root",
        })
    }

    /// Notes in a folder that this commit was seen.
    pub(crate) fn note_seen(&self, dir: &Path) {
        newest::note(&Disk, dir, &self.stored);
    }

    /// Writes history and manifest into a folder that already has the files. This is the commit.
    pub(crate) fn install(&self, dir: &Path) -> Result<()> {
        let parts = [
            (history::path(dir), &self.history),
            (manifest::manifest_path(dir), &self.manifest),
        ];
        for (path, bytes) in parts.into_iter().filter(|(_, bytes)| !bytes.is_empty()) {
            let mut draft = Draft::create(&Disk, &path)?;
            draft.write(bytes)?;
            draft.publish()?;
        }
        newest::note(&Disk, dir, &self.stored);
        Ok(())
    }

    /// Whether a folder has this manifest and this history.
    pub(crate) fn is_installed(&self, dir: &Path) -> bool {
        let has = |path: &Path, bytes: &[u8]| matches!(read(path, bytes.len() as u64 + 1), Ok(found) if found.as_deref().unwrap_or_default() == bytes);
        has(&manifest::manifest_path(dir), &self.manifest)
            && has(&history::path(dir), &self.history)
    }

    /// Deletes the files of a folder that this commit does not name.
    pub(crate) fn clear_out(&self, dir: &Path) -> Result<()> {
        for path in leftovers::unnamed_files(dir, &self.stored.manifest)? {
            match std::fs::remove_file(&path) {
                Err(cause) if cause.kind() != ErrorKind::NotFound => {
                    return Err(Error::io(&path, "delete")(cause));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// The files that the bytes of a manifest name. Errors name the path `from`.
pub(crate) fn files_named(from: &Path, manifest: &[u8]) -> Result<Vec<CarriedFile>> {
    Ok(files_of(&Stored::from_bytes(from, manifest)?))
}

/// Reads generation, root (hexadecimal), and commits and length of the history from a manifest's
/// bytes.
pub(crate) fn described(from: &Path, manifest: &[u8]) -> Result<(u64, String, (u64, u64))> {
    let stored = Stored::from_bytes(from, manifest)?;
    let history = (
        stored.manifest.history.leaves,
        stored.manifest.history_bytes(),
    );
    Ok((stored.manifest.generation, hex(&stored.root), history))
}

/// Whether a folder has a manifest, even a damaged one.
pub(crate) fn has_manifest(dir: &Path) -> bool {
    manifest::manifest_path(dir).symlink_metadata().is_ok()
}

fn files_of(stored: &Stored) -> Vec<CarriedFile> {
    let name = |path: PathBuf| {
        path.file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    };
    let none = Path::new("");
    let cells = stored
        .manifest
        .cells
        .iter()
        .map(|entry| (name(manifest::cells_path(none, entry.number)), &entry.file));
    let segments = stored.manifest.segments.iter().map(|entry| {
        (
            name(manifest::segment_path(none, entry.number)),
            &entry.file,
        )
    });
    let files = cells.chain(segments);
    files
        .map(|(name, file)| CarriedFile {
            name,
            length: file.length,
            sha256: file.sha256,
        })
        .collect()
}

/// Takes the writer's lock of an index, and creates its folder if it is missing.
pub(crate) fn lock(dir: &Path) -> Result<impl Sized + use<>> {
    storage::create_folder(&Disk, dir)?;
    Lock::acquire(&dir.join("lock"))
}

/// The folder of segments and centroids, created if it is missing.
pub(crate) fn folder_of_files(dir: &Path) -> Result<PathBuf> {
    let folder = manifest::segments_path(dir);
    storage::create_folder(&Disk, &folder)?;
    Ok(folder)
}

/// The name of a file that is still being transferred.
pub(crate) fn draft_name(name: &str) -> String {
    format!("{TEMPORARY_PREFIX}{name}")
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    files::sha256(bytes)
}

/// Reads at most `most` bytes of a file; `None` if it does not exist.
fn read(path: &Path, most: u64) -> Result<Option<Vec<u8>>> {
    let file = match open_regular(path, OpenOptions::new().read(true)) {
        Ok(file) => file,
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(Error::io(path, "open")(cause)),
    };
    let mut bytes = Vec::new();
    file.take(most)
        .read_to_end(&mut bytes)
        .map_err(Error::io(path, "read"))?;
    Ok(Some(bytes))
}
