//! Opens the newest index of a store through a local cache.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};

use super::cache::{self, Cache};
use super::store::{Cancel, Store};
use super::transfer::{self, Meter};
use super::{Stage, Watch, evict, pull};
use crate::error::{Error, Result};
use crate::index::carry::{self, Carried, CarriedFile};
use crate::index::{Index, hex};

/// Options of opening.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct OpenOptions {
    /// Whether to compare the files of a cached snapshot with their SHA-256 even if their times are
    /// unchanged, and to fetch damaged ones again. This reads all of it.
    pub verify: bool,
}

/// An index of a store in a folder of the cache, which is kept as long as this value exists.
///
/// The folder must only be read. The checksums of the index detect later damage, as in any index.
#[derive(Debug)]
pub struct Snapshot {
    dir: PathBuf,
    generation: u64,
    root: String,
    /// Number of fetched files, and their total size in bytes.
    fetched: (u64, u64),
    _lease: File,
}

impl Snapshot {
    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Number of commits of the index.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// See [`IndexState::root`](crate::index::IndexState::root).
    pub fn root(&self) -> &str {
        &self.root
    }

    /// Number of files that had to be fetched, and their total size in bytes.
    pub fn fetched(&self) -> (u64, u64) {
        self.fetched
    }

    /// Opens the index for searching; it can be held longer than this.
    ///
    /// # Errors
    /// Those of [`Index::open`].
    pub fn index(&self) -> Result<Index> {
        Index::open(&self.dir)
    }
}

/// Fetches the missing files of the newest index in a store, and returns its folder.
///
/// Files are compared with their SHA-256 when they arrive and when they are linked into the
/// snapshot. Damaged files in the cache are deleted and fetched again. Any number of processes may
/// do this at once.
///
/// # Errors
/// [`Error::CorruptStore`] if something is missing, cut or changed in the store, or if its index is
/// older than one that this cache has seen. Also [`Error::NoRemoteIndex`], [`Error::CacheFull`],
/// [`Error::Store`], [`Error::Cancelled`] and [`Error::Io`].
pub fn open(
    store: &Store,
    cache: &Cache,
    options: OpenOptions,
    watch: Watch<'_>,
) -> Result<Snapshot> {
    let folder = cache.of_store(store)?;
    // Other processes wait here, and then find the snapshot complete.
    let _alone = cache::lock(
        &folder.join("lock"),
        FlockOperation::LockExclusive,
        watch.cancel,
    )?;
    let opened = pull::with_newest(store, watch.cancel, &mut |commit, carried| {
        let full = store.full(&commit.object());
        carried
            .check_seen(&folder)
            .map_err(|error| older(full, &folder, error))?;
        let snapshot = Building {
            store,
            cache,
            carried,
            options,
            watch,
        }
        .snapshot(&folder)?;
        carried.note_seen(&folder);
        Ok(snapshot)
    });
    match opened {
        // The store had an index before, so it was lost.
        Err(Error::NoRemoteIndex { store }) if folder.join("notes").join("newest").exists() => {
            Err(Error::CorruptStore {
                object: store,
                what: "index",
                found: "missing".to_owned(),
                expected: "the index that was there before".to_owned(),
                remedy: format!(
                    "put it back; if it was deleted on purpose, delete {}",
                    folder.display()
                ),
            })
        }
        other => other,
    }
}

/// Reports an older state of the index, which the note of the newest commit revealed, as damage of
/// the store.
fn older(object: String, folder: &Path, error: Error) -> Error {
    match error {
        Error::CorruptIndex {
            what,
            found,
            expected,
            ..
        } => Error::CorruptStore {
            object,
            what,
            found,
            expected,
            remedy: format!(
                "somebody replaced the index by an older or another one: put the newest back; if you mean to use \
                this one, delete {}",
                folder.display()
            ),
        },
        other => other,
    }
}

/// Everything needed to make a snapshot.
struct Building<'a> {
    store: &'a Store,
    cache: &'a Cache,
    carried: &'a Carried,
    options: OpenOptions,
    watch: Watch<'a>,
}

/// Stamps of a snapshot's files from when their SHA-256 was verified.
#[derive(Default, Serialize, Deserialize)]
struct Verified(HashMap<String, Stamp>);

/// Properties that change when a file is written to or replaced.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    number: u64,
    length: u64,
    seconds: i64,
    nanoseconds: i64,
}

impl Building<'_> {
    fn snapshot(&self, folder: &Path) -> Result<Snapshot> {
        let (generation, root) = (self.carried.generation(), self.carried.root());
        let dir = folder.join(format!(
            "{generation}-{}",
            &root[..ROOT_SHOWN.min(root.len())]
        ));
        let lease = self.lease(&dir)?;
        let is_new = !self.carried.is_installed(&dir);
        let known = if is_new {
            Verified::default()
        } else {
            Verified::load(&dir)
        };
        let files = self.carried.files();
        let segments = carry::folder_of_files(&dir)?;
        let is_known = |file: &CarriedFile| {
            let stamp = Stamp::of(&segments.join(&file.name));
            !self.options.verify && stamp.is_some() && stamp == known.0.get(&file.name).copied()
        };
        let wanted: Vec<&CarriedFile> = files.iter().filter(|file| !is_known(file)).collect();
        let fetched = if wanted.is_empty() {
            (0, 0)
        } else {
            self.link(&segments, &files, &wanted)?
        };
        if is_new || !wanted.is_empty() {
            Verified::of(&segments, &files)?.save(&dir)?;
        }
        if is_new {
            self.carried.install(&dir)?;
        }
        Ok(Snapshot {
            dir,
            generation,
            root,
            fetched,
            _lease: lease,
        })
    }

    /// Keeps the snapshot from being deleted, and marks it as used now.
    fn lease(&self, dir: &Path) -> Result<File> {
        loop {
            cache::make_folder(dir)?;
            let path = dir.join("lease");
            let lease = match cache::lock(&path, FlockOperation::LockShared, self.watch.cancel) {
                // Another process deleted the folder meanwhile.
                Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => continue,
                other => other?,
            };
            if cache::is_at(&lease, &path) {
                // A failure only affects the order in which snapshots are deleted.
                let _ = lease.set_modified(SystemTime::now());
                return Ok(lease);
            }
        }
    }

    /// Links files from the cache, and fetches the missing ones. Returns their number and total
    /// size.
    fn link(
        &self,
        segments: &Path,
        all: &[CarriedFile],
        wanted: &[&CarriedFile],
    ) -> Result<(u64, u64)> {
        let kept: HashSet<String> = all.iter().map(|file| hex(&file.sha256)).collect();
        let meter = Meter::new(
            self.watch,
            2 * wanted.iter().map(|file| file.length).sum::<u64>(),
        );
        let (to_fetch, there): (Vec<&CarriedFile>, Vec<&CarriedFile>) = wanted
            .iter()
            .copied()
            .partition(|file| !self.cache.blob(file).exists());
        for file in &there {
            meter.add(Stage::Receiving, file.length);
        }
        let mut needed: u64 = to_fetch.iter().map(|file| self.still_to_come(file)).sum();
        if needed > 0 {
            // Histories and manifests are small, but need room too.
            needed += (self.carried.manifest().len() + self.carried.history().len()) as u64;
            evict::make_room(self.cache, needed, &kept, self.watch.cancel)?;
        }
        let fetched = std::sync::Mutex::new((0, 0));
        let count = |file: &CarriedFile| {
            let mut fetched = fetched
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            *fetched = (fetched.0 + 1, fetched.1 + file.length);
        };
        transfer::each(wanted, self.watch.cancel, &|file, cancel| {
            let path = segments.join(&file.name);
            // Other processes may have it open, so replace it only if it is damaged.
            if transfer::is_whole(&path, file, cancel)? {
                meter.add(Stage::Verifying, file.length);
                return Ok(());
            }
            cache::remove(&path)?;
            for _ in 0..ATTEMPTS {
                if !self.cache.blob(file).exists() {
                    self.cache.fetch(self.store, file, &meter, cancel)?;
                    count(file);
                }
                if self.link_one(file, &path, cancel)? {
                    meter.add(Stage::Verifying, file.length);
                    return Ok(());
                }
            }
            Err(Error::Changed { path })
        })?;
        cache::sync(segments)?;
        Ok(*fetched
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// Number of bytes of a file that the cache still lacks.
    fn still_to_come(&self, file: &CarriedFile) -> u64 {
        let part = self.cache.blob(file).with_extension("part");
        file.length
            .saturating_sub(fs::metadata(part).map_or(0, |part| part.len()))
    }

    /// Links a file from the cache. Returns `false` if the file is gone, or if it was damaged and
    /// is now deleted.
    fn link_one(&self, file: &CarriedFile, path: &Path, cancel: Cancel<'_>) -> Result<bool> {
        let blob = self.cache.blob(file);
        match fs::hard_link(&blob, path) {
            Ok(()) => {}
            Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(false),
            // The file system has no hard links.
            Err(_) => match fs::copy(&blob, path) {
                Ok(_) => {}
                Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(false),
                Err(cause) => return Err(Error::io(path, "write")(cause)),
            },
        }
        // Verify the link itself, since the cache's name may refer to another file by now.
        if transfer::is_whole(path, file, cancel)? {
            return Ok(true);
        }
        cache::remove(path)?;
        cache::remove(&blob)?;
        Ok(false)
    }
}

impl Verified {
    fn of(segments: &Path, files: &[CarriedFile]) -> Result<Verified> {
        let stamp = |file: &CarriedFile| {
            let path = segments.join(&file.name);
            let stamp = Stamp::of(&path).ok_or(Error::Changed { path })?;
            Ok((file.name.clone(), stamp))
        };
        Ok(Verified(files.iter().map(stamp).collect::<Result<_>>()?))
    }

    /// An unreadable record counts as empty.
    fn load(dir: &Path) -> Verified {
        let text = fs::read(dir.join(VERIFIED)).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    fn save(&self, dir: &Path) -> Result<()> {
        let path = dir.join(VERIFIED);
        let failed = |cause: std::io::Error| Error::io(&path, "write")(cause);
        let mut draft = tempfile::NamedTempFile::new_in(dir).map_err(failed)?;
        serde_json::to_writer(&mut draft, self).map_err(|cause| failed(cause.into()))?;
        draft
            .persist(&path)
            .map_err(|error| failed(error.error))
            .map(drop)
    }
}

impl Stamp {
    fn of(path: &Path) -> Option<Stamp> {
        let found = fs::metadata(path).ok()?;
        Some(Stamp {
            number: found.ino(),
            length: found.len(),
            seconds: found.mtime(),
            nanoseconds: found.mtime_nsec(),
        })
    }
}

/// File name of the record.
const VERIFIED: &str = "verified";
/// Number of digits of the root in a snapshot's name.
const ROOT_SHOWN: usize = 16;
/// Maximum number of attempts to get a file that is damaged or deleted by others.
const ATTEMPTS: usize = 4;
