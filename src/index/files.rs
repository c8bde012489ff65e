//! Durable files: written beside their place and renamed into it; read through a map.
//!
//! What is promised rests on the file system: a rename in one folder is atomic, and fsync means what it says.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use sha2::{Digest, Sha256};

use super::format::corrupt;
use crate::error::{Error, Result};

/// Beginning of the name of a file that is still being written; such a file may be deleted by the lock's holder.
pub(crate) const TEMPORARY_PREFIX: &str = ".writing-";

/// Replaces a file so that a crash at any moment leaves the old bytes or the new ones.
///
/// Only the holder of the writer's lock calls this, so the temporary name is free.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = folder.join(format!("{TEMPORARY_PREFIX}{name}"));
    let written =
        write_synced(&temporary, bytes).and_then(|()| fs::rename(&temporary, path).map_err(Error::io(path, "rename")));
    if written.is_err() {
        // What is left would only cost space; the error that matters is the one returned.
        let _ = fs::remove_file(&temporary);
    }
    written?;
    sync_folder(folder)
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> Result<()> {
    // Elsewhere than on Unix a folder cannot be opened as a file, and renames are durable by other means.
    if cfg!(unix) {
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(Error::io(folder, "sync"))?;
    }
    Ok(())
}

/// Creates a folder and makes its name durable.
pub(crate) fn create_folder(folder: &Path) -> Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(folder).map_err(Error::io(folder, "create folder"))?;
    match folder.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_folder(parent),
        _ => sync_folder(Path::new(".")),
    }
}

/// Maps a whole file for reading.
///
/// `Ok(None)` if there is no such file. The file must have the given length, when one is given.
pub(crate) fn map(path: &Path, length: Option<u64>) -> Result<Option<Mapped>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(Error::io(path, "open")(cause)),
    };
    let metadata = file.metadata().map_err(Error::io(path, "stat"))?;
    if !metadata.is_file() {
        return Err(corrupt(path, "kind of file", "not a file", "a file"));
    }
    if let Some(length) = length
        && metadata.len() != length
    {
        return Err(corrupt(path, "length of the file", metadata.len(), length));
    }
    if metadata.len() == 0 {
        return Err(corrupt(path, "length of the file", 0, "more"));
    }
    // SAFETY: the bytes may change under the map only if somebody writes into or truncates the file. Nobody of ours
    // does: files of an index are written once under another name and renamed, and deleting one leaves the map
    // alone. FORMAT.md asks the same of others. All values viewed in the map are plain integers for which every
    // bit pattern is valid, and indices taken from it are bounds-checked at each use.
    #[allow(unsafe_code)]
    let map = unsafe { Mmap::map(&file) }.map_err(Error::io(path, "map"))?;
    Ok(Some(Mapped { path: path.to_owned(), map }))
}

/// A file of the index, mapped into memory.
#[derive(Debug)]
pub(crate) struct Mapped {
    pub(crate) path: PathBuf,
    map: Mmap,
}

impl Mapped {
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.map
    }

    /// Compares the SHA-256 of the whole file.
    pub(crate) fn verify(&self, expected: &[u8; 32]) -> Result<()> {
        let found = sha256(self.bytes());
        if &found == expected {
            Ok(())
        } else {
            Err(corrupt(&self.path, "SHA-256", super::format::hex(&found), super::format::hex(expected)))
        }
    }
}

/// SHA-256 of some bytes.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

fn write_synced(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = File::create(path).map_err(Error::io(path, "create"))?;
    file.write_all(bytes).map_err(Error::io(path, "write"))?;
    file.sync_all().map_err(Error::io(path, "sync"))
}
