//! Notes the newest commit beside the manifest, to detect an older manifest that was put back.
//!
//! The note is written after each commit and names its generation and root. A manifest may be newer
//! than the note, if a writer ended between the two. An older manifest was put back, or newer ones
//! were lost. If somebody puts the note back too, only a caller that knows what to expect can
//! notice: see [`Expected`].

use std::fs::OpenOptions;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use super::format::{REMEDY, hex};
use super::history::{self, Commitment, History};
use super::manifest::{self, Manifest, Stored};
use super::storage::{self, Draft, Storage};
use super::{Index, IndexState};
use crate::error::{Error, Result};
use crate::media::open_regular;

/// What a caller knows of the state that an index must have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// The required root; see [`IndexState::root`].
    pub root: Option<[u8; 32]>,
    /// The lowest permitted generation; see [`IndexState::generation`].
    pub generation_min: Option<u64>,
}

impl Expected {
    /// Fails unless the index in this folder, of this root and generation, is as expected.
    ///
    /// # Errors
    /// [`Error::UnexpectedIndex`].
    pub fn check(&self, dir: &Path, root: &str, generation: u64) -> Result<()> {
        let unexpected = |what, found: String, expected| {
            Err(Error::UnexpectedIndex {
                path: manifest::manifest_path(dir),
                what,
                found,
                expected,
            })
        };
        if let Some(least) = self.generation_min.filter(|&least| generation < least) {
            return unexpected(
                "generation",
                generation.to_string(),
                format!("at least {least}"),
            );
        }
        match self.root.map(|expected| hex(&expected)) {
            Some(expected) if expected != root => unexpected("root", root.to_owned(), expected),
            _ => Ok(()),
        }
    }
}

impl Index {
    /// Fails unless this snapshot is as expected.
    ///
    /// # Errors
    /// [`Error::UnexpectedIndex`].
    pub fn check_expected(&self, expected: &Expected) -> Result<()> {
        let IndexState {
            root, generation, ..
        } = self.state();
        expected.check(self.dir(), root, *generation)
    }
}

/// The note of the newest commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Newest {
    pub(super) generation: u64,
    pub(super) root: String,
}

impl Newest {
    /// Reads the note of an index; `None` if there is none, which proves nothing.
    pub(crate) fn load(dir: &Path) -> Result<Option<Newest>> {
        let path = path(dir);
        let mut text = String::new();
        match open_regular(&path, OpenOptions::new().read(true)) {
            Ok(file) => match file.take(NOTE_MAX).read_to_string(&mut text) {
                Ok(_) => {}
                Err(cause) if cause.kind() == ErrorKind::InvalidData => {}
                Err(cause) => return Err(Error::io(&path, "read")(cause)),
            },
            Err(cause)
                if matches!(cause.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                return Ok(None);
            }
            Err(cause) => return Err(Error::io(&path, "open")(cause)),
        }
        let note = text
            .strip_suffix('\n')
            .and_then(|line| line.split_once(' '))
            .and_then(|(generation, root)| {
                let is_root =
                    root.len() == 64 && root.bytes().all(|digit| digit.is_ascii_hexdigit());
                Some(Newest {
                    generation: generation.parse().ok()?,
                    root: is_root.then(|| root.to_owned())?,
                })
            });
        note.map(Some).ok_or_else(|| Error::CorruptIndex {
            path,
            what: "content of this note",
            found: "unreadable".to_owned(),
            expected: "generation and root".to_owned(),
            remedy: "make sure that the manifest is the newest, then delete this file: the next commit writes it again",
        })
    }

    /// Fails if a manifest is older than the commit in this note. The note must be read before the
    /// manifest.
    pub(crate) fn check(&self, dir: &Path, stored: Option<&Stored>) -> Result<()> {
        self.check_commit(
            dir,
            stored.map(|stored| (stored.manifest.generation, &stored.root)),
        )
    }

    /// As [`Newest::check`], for a manifest of any format, given by generation and root.
    pub(crate) fn check_commit(&self, dir: &Path, found: Option<(u64, &[u8; 32])>) -> Result<()> {
        let generation = found.map(|(generation, _)| generation);
        let root = found.map(|(_, root)| hex(root));
        let (what, found, expected, remedy) = match (generation, root) {
            (Some(generation), _) if generation < self.generation => (
                "generation",
                generation.to_string(),
                format!("{} or more", self.generation),
                REMEDY_OLDER,
            ),
            (Some(generation), Some(root))
                if generation == self.generation && root != self.root =>
            {
                ("root", root, self.root.clone(), REMEDY_OLDER)
            }
            (Some(_), _) => return Ok(()),
            (None, _) => (
                "file",
                "missing".to_owned(),
                format!("that of commit {}", self.generation),
                REMEDY,
            ),
        };
        Err(Error::CorruptIndex {
            path: manifest::manifest_path(dir),
            what,
            found,
            expected: format!("{expected}, as {} says", path(dir).display()),
            remedy,
        })
    }

    /// Whether the note is of this manifest or of a newer one.
    fn knows(&self, stored: &Stored) -> bool {
        self.generation >= stored.manifest.generation
    }
}

/// Reads the manifest of an index, which must be at least as new as the newest commit noted;
/// `Ok(None)` if there is none.
pub(crate) fn load(dir: &Path) -> Result<Option<Stored>> {
    // The note is read first, so a commit in between only makes the manifest newer.
    let newest = Newest::load(dir)?;
    let stored = Manifest::load(dir)?;
    if let Some(newest) = newest {
        newest.check(dir, stored.as_ref())?;
    }
    if stored.is_none() {
        // A history with commits proves that there was a manifest.
        History::load(dir, &Commitment::empty(), None)?;
    }
    Ok(stored)
}

/// Whether there is a note of a commit, or a commit in the history.
pub(crate) fn exists(dir: &Path) -> bool {
    path(dir).exists() || history::path(dir).exists()
}

/// Notes a commit that is durable.
///
/// Best effort: the commit is already made, and a full disk must not stop a merge that would free
/// space. The next writer writes a missing note.
pub(crate) fn note(storage: &dyn Storage, dir: &Path, stored: &Stored) {
    let path = path(dir);
    let write = || {
        if let Some(folder) = path.parent() {
            storage::create_folder(storage, folder)?;
        }
        let mut draft = Draft::create(storage, &path)?;
        draft
            .write(format!("{} {}\n", stored.manifest.generation, hex(&stored.root)).as_bytes())?;
        draft.publish()
    };
    let _: Result<()> = write();
}

/// Notes the commit that a writer finds, if the previous writer did not.
pub(crate) fn note_found(storage: &dyn Storage, dir: &Path, stored: &Stored) -> Result<()> {
    // The rename of the manifest may not be durable yet.
    if !Newest::load(dir)?.is_some_and(|newest| newest.knows(stored))
        && storage.sync_folder(dir).is_ok()
    {
        note(storage, dir, stored);
    }
    Ok(())
}

/// The error for a file that belongs to a commit newer than the manifest's, or to one that was
/// never finished.
pub(crate) fn newer_than(stored: &Stored, path: &Path, number: u64) -> Error {
    Error::CorruptIndex {
        path: path.to_owned(),
        what: "number",
        found: number.to_string(),
        expected: format!(
            "below {}, as the manifest says, which is older than this file",
            stored.manifest.next_number
        ),
        remedy: "put the newest manifest back; if there never was one because a commit was interrupted, delete the file with: uniq index merge",
    }
}

pub(super) fn path(dir: &Path) -> PathBuf {
    dir.join("notes").join("newest")
}

const REMEDY_OLDER: &str = "put the newest manifest back, or restore the whole folder from a copy; to give up the newer commits, delete \
    the file that names them";
/// Maximum length of a note, in bytes; it holds two numbers.
const NOTE_MAX: u64 = 256;
