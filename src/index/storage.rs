//! Every change that an index makes to the disk goes through here, so that tests can make each one
//! fail.
//!
//! The guarantees of an index assume that the file system renames atomically within a folder, and
//! that fsync makes data durable.

use std::fmt::Debug;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::media::open_regular;

/// Prefix of the name of a file that is still being written. The lock's holder may delete such a
/// file.
pub(crate) const TEMPORARY_PREFIX: &str = ".writing-";

/// What a writer needs of a file system. Reading does not use it.
pub(crate) trait Storage: Debug + Send + Sync {
    /// Makes a folder and those above it.
    fn create_folder(&self, folder: &Path) -> io::Result<()>;
    /// Creates a file, replacing one of that name.
    fn create(&self, file: &Path) -> io::Result<Box<dyn Output>>;
    /// Opens an existing file to append after its first `length` bytes, and cuts off the rest.
    fn append(&self, file: &Path, length: u64) -> io::Result<Box<dyn Output>>;
    /// Renames a file within its folder, replacing one of the new name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Makes the names in a folder durable.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
    /// Deletes a file.
    fn remove(&self, file: &Path) -> io::Result<()>;
}

/// A file being written.
pub(crate) trait Output: Write {
    /// Makes the bytes durable.
    fn sync(&mut self) -> io::Result<()>;
}

/// The real disk.
#[derive(Debug)]
pub(crate) struct Disk;

impl Storage for Disk {
    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)
    }

    fn create(&self, file: &Path) -> io::Result<Box<dyn Output>> {
        // Something left by a crash or put there by somebody: writing into it could go into a pipe
        // or follow a link.
        match fs::remove_file(file) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(cause),
            _ => Ok(Box::new(File::create_new(file)?)),
        }
    }

    fn append(&self, file: &Path, length: u64) -> io::Result<Box<dyn Output>> {
        let mut opened = open_regular(file, OpenOptions::new().write(true))?;
        let found = opened.metadata()?.len();
        if found < length {
            // Otherwise `set_len` would pad the file with zeros.
            return Err(io::Error::other(format!(
                "it was cut to {found} bytes meanwhile"
            )));
        }
        opened.set_len(length)?;
        opened.seek(SeekFrom::Start(length))?;
        Ok(Box::new(opened))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        // Outside of Unix a folder cannot be opened as a file, and renames are durable by other
        // means.
        if cfg!(unix) {
            File::open(folder)?.sync_all()
        } else {
            Ok(())
        }
    }

    fn remove(&self, file: &Path) -> io::Result<()> {
        fs::remove_file(file)
    }
}

impl Output for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_all()
    }
}

/// Creates a folder and its parents durably, unless they exist.
pub(crate) fn create_folder(storage: &dyn Storage, folder: &Path) -> Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent()
        && !parent.as_os_str().is_empty()
    {
        create_folder(storage, parent)?;
    }
    storage
        .create_folder(folder)
        .map_err(Error::io(folder, "create folder"))?;
    sync_parent(storage, folder)
}

/// Makes the name of a folder durable.
pub(crate) fn sync_parent(storage: &dyn Storage, folder: &Path) -> Result<()> {
    let parent = match folder.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    storage
        .sync_folder(parent)
        .map_err(Error::io(parent, "sync"))
}

/// A file that appears under its final name only when it is whole and durable.
///
/// Only the holder of the writer's lock creates one, so the temporary name is free. Dropping it
/// unpublished deletes it.
pub(crate) struct Draft<'a> {
    storage: &'a dyn Storage,
    path: PathBuf,
    temporary: PathBuf,
    output: Option<Box<dyn Output>>,
}

impl<'a> Draft<'a> {
    /// Begins a file with the final name `path`.
    pub(crate) fn create(storage: &'a dyn Storage, path: &Path) -> Result<Draft<'a>> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let temporary = path.with_file_name(format!("{TEMPORARY_PREFIX}{name}"));
        let output = storage
            .create(&temporary)
            .map_err(Error::io(&temporary, "create"))?;
        Ok(Draft {
            storage,
            path: path.to_owned(),
            temporary,
            output: Some(output),
        })
    }

    /// Appends bytes.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        match &mut self.output {
            Some(output) => output
                .write_all(bytes)
                .map_err(Error::io(&self.path, "write")),
            None => Ok(()),
        }
    }

    /// Syncs the file, renames it and syncs the folder. A crash at any moment leaves the old file
    /// of this name or the new one.
    pub(crate) fn publish(mut self) -> Result<()> {
        if let Some(mut output) = self.output.take() {
            let synced = output.sync().map_err(Error::io(&self.path, "sync"));
            drop(output);
            let renamed = synced.and_then(|()| {
                self.storage
                    .rename(&self.temporary, &self.path)
                    .map_err(Error::io(&self.path, "rename"))
            });
            if renamed.is_err() {
                self.discard();
            }
            renamed?;
        }
        let folder = self.path.parent().unwrap_or(Path::new("."));
        self.storage
            .sync_folder(folder)
            .map_err(Error::io(folder, "sync"))
    }

    fn discard(&self) {
        // A leftover only costs space, and the first error matters more.
        let _ = self.storage.remove(&self.temporary);
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        if self.output.take().is_some() {
            self.discard();
        }
    }
}
