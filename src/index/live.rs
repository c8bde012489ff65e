//! A handle on an index that others write to, which gives its newest commit.
//!
//! An [`Index`] is one commit, and stays so. Who runs for long and wants to know of what is added
//! meanwhile keeps a [`Live`], and asks it for the [current](Live::current) commit at the beginning
//! of each piece of work.
//!
//! A look at the manifest's metadata tells whether it is still the one that was read. If it is not,
//! one thread opens what is new, and takes over the segments that are open already; others go on
//! with what they have until it is done.
//!
//! What comes must follow what was there: its history has the commit that was seen last. So an
//! older state that was put back is told, and another index in the folder, even where each is whole
//! by itself.

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

/// An index that is opened anew when it has grown; shared freely between threads.
#[derive(Debug)]
pub struct Live {
    dir: PathBuf,
    /// The least time between two looks at the manifest.
    every: Duration,
    /// Held for moments.
    seen: Mutex<Seen>,
    /// Held while one thread looks, and opens what is new.
    looking: Mutex<()>,
}

/// What was opened last.
#[derive(Debug)]
struct Seen {
    index: Arc<Index>,
    manifest: Sighting,
    looked: Instant,
    /// Whether what is there now could not be opened.
    is_refused: bool,
}

/// A manifest by which an index was opened.
#[derive(Debug)]
struct Sighting {
    sign: Sign,
    /// As long as it is open, no other file gets its number.
    _file: File,
}

/// What tells whether a file is another one, or was written to.
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
    /// Opens an index, and will open it again when it changes.
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

    /// Sets the least time between two looks, which is how late a commit may be noticed.
    #[must_use]
    pub fn looking_every(mut self, every: Duration) -> Live {
        self.every = every;
        self
    }

    /// The folder of the index.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The newest commit; keep it for one piece of work, and ask again for the next.
    ///
    /// A commit is noticed after [`Live::looking_every`] at the latest, and, while another thread
    /// opens it, when that is done.
    ///
    /// An error means that the index is not to be relied on now, and each call fails until it is.
    /// The caller should give no answers meanwhile, tell the error to a person, and ask again
    /// later: what was only interrupted (a folder that was not mounted, a copy under way) heals by
    /// itself. Work that has an older commit may end with it. If another index was put there on
    /// purpose, that person decides with [`Live::accept`].
    ///
    /// # Errors
    /// Those of [`Index::open`], and [`Error::UnexpectedIndex`] if what is there does not follow
    /// what was there: an older state was put back, or it is another index.
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
                // There is nothing to go on with.
                self.looking.lock().unwrap_or_else(PoisonError::into_inner)
            }
        };
        self.look()
    }

    /// The commit that was opened last, whatever has become of the index since: to show it, not to
    /// answer by it.
    pub fn last(&self) -> Arc<Index> {
        Arc::clone(&self.seen().index)
    }

    /// Takes what is in the folder now, even if it does not follow what was there; for a person who
    /// knows why.
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

    /// Looks whether there is another manifest, and opens it.
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

    /// Opens what is there, which must follow an earlier commit of it.
    fn open_after(&self, earlier: &Index) -> Result<Index> {
        Index::open_with(&self.dir, &|stored| {
            check_follows(&self.dir, stored, &earlier.stored)?;
            // Another manifest of the same commit is a copy that was put back: all of it is looked
            // at. Otherwise what has the same name has the same content.
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
        // It is replaced as a whole.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sighting {
    /// To be made before the manifest is read: what is written in between is then noticed at the
    /// next look.
    fn of(dir: &Path) -> Result<Sighting> {
        let path = manifest::manifest_path(dir);
        let file = open_regular(&path, OpenOptions::new().read(true)).map_err(|cause| {
            match cause.kind() {
                // What is missing says more than this file's name, if it is more than that.
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

/// Fails unless a manifest is that of an earlier one's commit, or of one that came after it.
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

/// Whether files that both manifests name are the same files.
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

/// Time between two looks, 0 to minutes: a look takes microseconds, and a new source is not waited
/// for to the second.
const LOOK_EVERY: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests;
