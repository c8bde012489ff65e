//! A handle on an index that others write to. It gives the newest commit.
//!
//! An [`Index`] is one commit and never changes. A process that runs for long and needs later
//! additions keeps a [`Live`], and asks it for the [current](Live::current) commit at the start of
//! each piece of work.
//!
//! The manifest's metadata tell whether it is still the one that was read. If not, one thread opens
//! what is new and reuses the segments that are already open. Meanwhile other threads continue with
//! the older commit.
//!
//! A new commit must follow the old one: its history must contain the commit that was seen last. So
//! a `Live` detects that an older state or another index was put into the folder, even if that is
//! sound by itself.

use std::fs::{File, Metadata, OpenOptions};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use super::Index;
use super::format::hex;
use super::history::History;
use super::manifest::{self, Stored};
use crate::error::{Error, Result};
use crate::media::open_regular;

/// An index that is opened again when it has changed; shared freely between threads.
#[derive(Debug)]
pub struct Live {
    dir: PathBuf,
    /// Minimum time between two looks at the manifest.
    every: Duration,
    /// Locked only briefly.
    seen: Mutex<Seen>,
    /// Locked while one thread looks and opens what is new.
    looking: Mutex<()>,
}

/// What was opened last.
#[derive(Debug)]
struct Seen {
    index: Arc<Index>,
    manifest: Sighting,
    looked: Instant,
    /// Whether opening the present state failed.
    is_refused: bool,
}

/// The manifest file from which an index was opened.
#[derive(Debug)]
struct Sighting {
    sign: Sign,
    /// Kept open so that no other file gets its inode number.
    _file: File,
}

/// Metadata that differ if a file was replaced or written to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Sign {
    device: u64,
    number: u64,
    length: u64,
    /// Seconds and nanoseconds.
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Live {
    /// Opens an index, to be opened again whenever it changes.
    ///
    /// # Errors
    /// Those of [`Index::open`].
    pub fn open(dir: &Path) -> Result<Live> {
        let manifest = Sighting::of(dir)?;
        let index = Arc::new(Index::open(dir)?);
        let seen = Seen {
            index,
            manifest,
            looked: Instant::now(),
            is_refused: false,
        };
        Ok(Live {
            dir: dir.to_owned(),
            every: LOOK_EVERY,
            seen: Mutex::new(seen),
            looking: Mutex::new(()),
        })
    }

    /// Sets the minimum time between two looks, which is the maximum delay until a commit is
    /// noticed.
    #[must_use]
    pub fn looking_every(mut self, every: Duration) -> Live {
        self.every = every;
        self
    }

    /// The folder of the index.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The newest commit. Keep it for one piece of work, and ask again for the next.
    ///
    /// A commit is noticed after [`Live::looking_every`] at the latest, or when the thread that
    /// opens it has finished.
    ///
    /// An error means that the index cannot be relied on now; each call fails until it can.
    /// Meanwhile the caller should give no answers, report the error to a person, and ask again
    /// later. A temporary fault (a folder that is not mounted, a copy under way) heals by itself.
    /// Work that has an older commit may finish with it. If another index was put there on purpose,
    /// that person decides with [`Live::accept`].
    ///
    /// # Errors
    /// Those of [`Index::open`], and [`Error::UnexpectedIndex`] if the present state does not
    /// follow the previous one: an older state was put back, or it is another index.
    pub fn current(&self) -> Result<Arc<Index>> {
        let known = |seen: &Seen| (!seen.is_refused).then(|| Arc::clone(&seen.index));
        let fresh = {
            let seen = self.seen();
            known(&seen).filter(|_| seen.looked.elapsed() < self.every)
        };
        if let Some(index) = fresh {
            return Ok(index);
        }
        let _alone = match self.looking.try_lock() {
            Ok(alone) => alone,
            Err(TryLockError::Poisoned(alone)) => alone.into_inner(),
            Err(TryLockError::WouldBlock) => {
                let known = known(&self.seen());
                if let Some(index) = known {
                    return Ok(index);
                }
                // No usable older commit exists, so wait.
                self.looking.lock().unwrap_or_else(PoisonError::into_inner)
            }
        };
        self.look()
    }

    /// The commit that was opened last, whatever happened to the index since. It is meant for
    /// display, not for answers.
    pub fn last(&self) -> Arc<Index> {
        Arc::clone(&self.seen().index)
    }

    /// Accepts the present state of the folder, even if it does not follow the previous one. Only
    /// for a person who knows why.
    ///
    /// # Errors
    /// Those of [`Index::open`].
    pub fn accept(&self) -> Result<Arc<Index>> {
        let _alone = self.looking.lock().unwrap_or_else(PoisonError::into_inner);
        let looked = Instant::now();
        let manifest = Sighting::of(&self.dir)?;
        let index = Arc::new(Index::open(&self.dir)?);
        Ok(self.take(index, manifest, looked))
    }

    /// Opens the index again if the manifest has changed.
    fn look(&self) -> Result<Arc<Index>> {
        let looked = Instant::now();
        let now = std::fs::metadata(manifest::manifest_path(&self.dir))
            .map(|metadata| Sign::of(&metadata));
        let earlier = {
            let mut seen = self.seen();
            if !seen.is_refused && now.is_ok_and(|sign| sign == seen.manifest.sign) {
                seen.looked = looked;
                return Ok(Arc::clone(&seen.index));
            }
            Arc::clone(&seen.index)
        };
        let opened =
            Sighting::of(&self.dir).and_then(|manifest| Ok((self.open_after(&earlier)?, manifest)));
        match opened {
            Ok((index, manifest)) => Ok(self.take(Arc::new(index), manifest, looked)),
            Err(error) => {
                self.seen().is_refused = true;
                Err(error)
            }
        }
    }

    /// Opens the present state, which must follow the earlier commit.
    fn open_after(&self, earlier: &Index) -> Result<Index> {
        Index::open_with(&self.dir, &|stored| {
            check_follows(&self.dir, stored, &earlier.stored)?;
            // Another manifest file of the same commit is a copy that was put back, so everything
            // is opened again. Otherwise files of the same name have the same content.
            let goes_on =
                stored.root != earlier.stored.root && names_alike(stored, &earlier.stored);
            Ok(goes_on.then_some(earlier))
        })
    }

    fn take(&self, index: Arc<Index>, manifest: Sighting, looked: Instant) -> Arc<Index> {
        *self.seen() = Seen {
            index: Arc::clone(&index),
            manifest,
            looked,
            is_refused: false,
        };
        index
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        // Safe after a panic: the value is only replaced as a whole.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sighting {
    /// Call this before the manifest is read, so that the next look notices anything written in
    /// between.
    fn of(dir: &Path) -> Result<Sighting> {
        let path = manifest::manifest_path(dir);
        let file = open_regular(&path, OpenOptions::new().read(true)).map_err(|cause| {
            match cause.kind() {
                // Opening the index gives the better error if more than this file is missing.
                std::io::ErrorKind::NotFound => Index::open(dir)
                    .err()
                    .unwrap_or(Error::Changed { path: path.clone() }),
                _ => Error::io(&path, "open")(cause),
            }
        })?;
        let sign = Sign::of(&file.metadata().map_err(Error::io(&path, "stat"))?);
        Ok(Sighting { sign, _file: file })
    }
}

impl Sign {
    fn of(metadata: &Metadata) -> Sign {
        Sign {
            device: metadata.dev(),
            number: metadata.ino(),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// Fails unless a manifest is of the earlier commit or of a later one.
fn check_follows(dir: &Path, stored: &Stored, earlier: &Stored) -> Result<()> {
    let (found, known) = (stored.manifest.generation, earlier.manifest.generation);
    let unexpected = |what, found: String, expected| {
        Err(Error::UnexpectedIndex {
            path: manifest::manifest_path(dir),
            what,
            found,
            expected,
        })
    };
    if found < known {
        return unexpected(
            "generation",
            found.to_string(),
            format!("at least {known}, which was there before"),
        );
    }
    let root = if found == known {
        Some(stored.root)
    } else {
        let (history, _) = History::load_committed(dir, &stored.manifest.history)?;
        history
            .leaves()
            .iter()
            .find(|leaf| leaf.generation == known)
            .map(|leaf| leaf.root)
    };
    if root == Some(earlier.root) {
        return Ok(());
    }
    let found = root.map_or("not in its history".to_owned(), |root| hex(&root));
    let expected = format!(
        "{} of commit {known}, which was there before",
        hex(&earlier.root)
    );
    unexpected("root", found, expected)
}

/// Whether files with the same number in both manifests are the same files.
fn names_alike(stored: &Stored, earlier: &Stored) -> bool {
    let (now, before) = (&stored.manifest, &earlier.manifest);
    let segments = now.segments.iter().all(|entry| {
        let same = before
            .segments
            .iter()
            .find(|other| other.number == entry.number);
        same.is_none_or(|other| other.file == entry.file)
    });
    let cells = now.cells.iter().all(|entry| {
        let same = before
            .cells
            .iter()
            .find(|other| other.number == entry.number);
        same.is_none_or(|other| other.file == entry.file)
    });
    segments && cells
}

/// Minimum time between two looks, from 0 to minutes. A look takes microseconds, and nobody needs a
/// new source within less than a second.
const LOOK_EVERY: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests;
