//! Local copies of the files of a store, by SHA-256, and the locks with which processes share them.
//!
//! ```text
//! blobs/SHA256                     segments and centroids, whole and read-only
//! blobs/SHA256.part                an incomplete one; locked while it is fetched
//! indexes/NAME/lock                held while the newest commit is looked up
//! indexes/NAME/notes/newest        the newest commit seen so far
//! indexes/NAME/GENERATION-ROOT/    a snapshot: an index whose files are linked from blobs
//! indexes/NAME/GENERATION-ROOT/lease   locked while it is open; its time is that of the last use
//! ```

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use super::layout;
use super::store::{Cancel, Store};
use super::transfer::{self, Meter};
use crate::error::{Error, Result};
use crate::index::carry::{self, CarriedFile};
use crate::index::hex;
use crate::media::open_regular;

/// A folder for local copies, shared by the processes of this machine.
///
/// It is created on first use. While nobody uses it, all of it can be deleted; this only forgets
/// the newest commit seen of each store (`indexes/*/notes/newest`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cache {
    pub(super) dir: PathBuf,
    pub(super) bytes_max: u64,
}

impl Cache {
    /// A cache in a folder, with a maximum total size of its files in bytes.
    ///
    /// If processes fetch at the same time, together they may exceed it by what each of them
    /// fetches.
    pub fn new(dir: impl Into<PathBuf>, bytes_max: u64) -> Cache {
        Cache {
            dir: dir.into(),
            bytes_max,
        }
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn blobs(&self) -> PathBuf {
        self.dir.join(BLOBS)
    }

    pub(super) fn indexes(&self) -> PathBuf {
        self.dir.join(INDEXES)
    }

    pub(super) fn blob(&self, file: &CarriedFile) -> PathBuf {
        self.blobs().join(hex(&file.sha256))
    }

    /// The folder of one store.
    pub(super) fn of_store(&self, store: &Store) -> Result<PathBuf> {
        let address = store.address();
        let last = address.rsplit('/').next().unwrap_or_default();
        let readable: String = last
            .chars()
            .filter(|c| c.is_ascii_alphanumeric())
            .take(24)
            .collect();
        let folder = self.indexes().join(format!(
            "{readable}-{}",
            &hex(&carry::sha256(address.as_bytes()))[..16]
        ));
        make_folder(&folder)?;
        make_folder(&self.blobs())?;
        Ok(folder)
    }

    /// Makes sure that the cache has a file; a new one is fetched whole and verified.
    pub(super) fn fetch(
        &self,
        store: &Store,
        file: &CarriedFile,
        meter: &Meter<'_>,
        cancel: Cancel<'_>,
    ) -> Result<()> {
        let (blob, part) = (
            self.blob(file),
            self.blobs().join(format!("{}.part", hex(&file.sha256))),
        );
        loop {
            if blob.exists() {
                return Ok(());
            }
            let lock = lock(&part, FlockOperation::LockExclusive, cancel)?;
            // The process that held the lock may have finished or deleted the file meanwhile.
            if !is_at(&lock, &part) {
                continue;
            }
            if blob.exists() {
                let _ = fs::remove_file(&part);
                return Ok(());
            }
            transfer::receive(store, &layout::object_of(file), file, &part, meter, cancel)?;
            fs::set_permissions(&part, fs::Permissions::from_mode(0o444))
                .map_err(Error::io(&part, "protect"))?;
            fs::rename(&part, &blob).map_err(Error::io(&blob, "rename"))?;
            return sync(&self.blobs());
        }
    }
}

/// Creates or opens a file, and waits for its lock.
pub(super) fn lock(path: &Path, operation: FlockOperation, cancel: Cancel<'_>) -> Result<File> {
    let now = match operation {
        FlockOperation::LockShared => FlockOperation::NonBlockingLockShared,
        _ => FlockOperation::NonBlockingLockExclusive,
    };
    let file = open_lock(path)?;
    loop {
        match flock(&file, now) {
            Ok(()) => return Ok(file),
            Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => {}
            Err(cause) => return Err(Error::io(path, "lock")(cause.into())),
        }
        if cancel() {
            return Err(Error::Cancelled);
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Takes a lock unless another process holds it.
pub(super) fn try_lock(path: &Path) -> Result<Option<File>> {
    let file = open_lock(path)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(cause) => Err(Error::io(path, "lock")(cause.into())),
    }
}

fn open_lock(path: &Path) -> Result<File> {
    let mut options = fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    open_regular(path, &mut options).map_err(Error::io(path, "open"))
}

/// Whether the path still refers to this open file.
pub(super) fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(open), Ok(named)) => (open.dev(), open.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

pub(super) fn make_folder(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(Error::io(folder, "create folder"))
}

pub(super) fn sync(folder: &Path) -> Result<()> {
    File::open(folder)
        .and_then(|opened| opened.sync_all())
        .map_err(Error::io(folder, "sync"))
}

/// Deletes a file if it exists.
pub(super) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(cause) if cause.kind() != ErrorKind::NotFound => Err(Error::io(path, "delete")(cause)),
        _ => Ok(()),
    }
}

const BLOBS: &str = "blobs";
const INDEXES: &str = "indexes";
/// Time between two attempts to take a lock that another process holds.
const LOOK_EVERY: Duration = Duration::from_millis(50);
