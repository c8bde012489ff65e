//! Checks every byte of an index and lists all damage.

use std::path::{Path, PathBuf};

use super::cells::Cells;
use super::format;
use super::history::{Commitment, History};
use super::manifest::{Manifest, SegmentEntry, Stored};
use super::newest::Newest;
use super::segment::Segment;
use super::snapshot::{Index, open_centroids, open_segment};
use super::upkeep::stop_if;
use super::{leftovers, newest};
use crate::error::{Error, Result};

/// Result of a verification.
#[derive(Debug)]
pub struct Verification {
    /// Root of the snapshot that was verified; see [`IndexState::root`](super::IndexState::root).
    pub root: String,
    /// Its generation; see [`IndexState::generation`](super::IndexState::generation).
    pub generation: u64,
    /// Number of files of the snapshot, including the manifest.
    pub files: usize,
    /// Their total length in bytes, as the manifest says.
    pub bytes: u64,
    /// The damage: at most one finding for each file and one for the whole. Empty if all is well.
    pub damage: Vec<Error>,
    /// Files in the folder that belong to no snapshot: harmless leftovers of a crash, which the
    /// next merge deletes. Files that may belong to a newer snapshot count as damage.
    pub unnamed: Vec<PathBuf>,
}

/// Reads a whole index and checks it by its checksums, its SHA-256s and the rules of the format.
///
/// After each file, `progress` gets the number of bytes read so far and the total. Commits and
/// merges may happen meanwhile.
///
/// # Errors
/// [`Error::NoIndex`], [`Error::IncompatibleIndex`], [`Error::CorruptIndex`] if the manifest itself
/// cannot be read, [`Error::Cancelled`], and [`Error::Io`].
pub fn verify(
    dir: &Path,
    progress: &dyn Fn(u64, u64),
    cancel: &dyn Fn() -> bool,
) -> Result<Verification> {
    let no_index = || Error::NoIndex {
        path: dir.to_owned(),
    };
    let (mut note, mut stored) = note_and_manifest(dir, no_index)?;
    loop {
        let root = stored.root;
        let verification = verify_snapshot(dir, stored, note, progress, cancel)?;
        if verification.damage.is_empty() {
            return Ok(verification);
        }
        // A merge may have deleted files that were about to be read. Then there is a newer
        // manifest.
        (note, stored) = note_and_manifest(dir, no_index)?;
        if stored.root == root {
            return Ok(verification);
        }
    }
}

/// The note of the newest commit, as far as it is readable, and then the manifest.
fn note_and_manifest(
    dir: &Path,
    no_index: impl Fn() -> Error,
) -> Result<(Result<Option<Newest>>, Stored)> {
    let note = Newest::load(dir);
    match (Manifest::load(dir)?, note) {
        (Some(stored), note) => Ok((note, stored)),
        (None, Ok(Some(note))) => Err(note.check(dir, None).err().unwrap_or_else(no_index)),
        (None, _) => Err(History::load(dir, &Commitment::empty(), None)
            .err()
            .unwrap_or_else(no_index)),
    }
}

fn verify_snapshot(
    dir: &Path,
    stored: Stored,
    note: Result<Option<Newest>>,
    progress: &dyn Fn(u64, u64),
    cancel: &dyn Fn() -> bool,
) -> Result<Verification> {
    let mut verification = Verification {
        root: format::hex(&stored.root),
        generation: stored.manifest.generation,
        files: 1,
        bytes: stored.length,
        damage: Vec::new(),
        unnamed: leftovers::unnamed_files(dir, &stored.manifest)?,
    };
    // A writer notes each commit before it begins the next. So if the manifest is the newest, a
    // newer file comes from an interrupted commit.
    let newest = note.and_then(|note| note.map(|note| note.check(dir, Some(&stored))).transpose());
    let is_newest = matches!(newest, Ok(Some(())));
    verification.note(newest.map(drop))?;
    if !is_newest {
        let newer = |path: &Path| {
            leftovers::number(path).filter(|&number| number >= stored.manifest.next_number)
        };
        for path in std::mem::take(&mut verification.unnamed) {
            match newer(&path) {
                Some(number) => verification
                    .damage
                    .push(newest::newer_than(&stored, &path, number)),
                None => verification.unnamed.push(path),
            }
        }
    }
    let total = stored.manifest.bytes().saturating_add(stored.length);
    let progress = &|read: u64| progress(read, total);
    progress(verification.bytes);
    let history = History::load(dir, &stored.manifest.history, Some(&stored.leaf()));
    if stored.manifest.history.leaves > 0 {
        verification.count(stored.manifest.history_bytes(), progress);
    }
    verification.note(history.map(drop))?;
    let mut all_cells = vec![Cells::single()];
    for entry in &stored.manifest.cells {
        stop_if(cancel)?;
        let opened = open_centroids(dir, entry);
        verification.count(entry.file.length, progress);
        verification.note(opened.map(|cells| all_cells.push(cells)))?;
    }
    for entry in &stored.manifest.segments {
        stop_if(cancel)?;
        let opened = open_segment(dir, entry);
        let result = match &opened {
            Ok(segment) => verify_segment(segment, entry, &all_cells),
            Err(_) => Ok(()),
        };
        verification.count(entry.file.length, progress);
        verification.note(result)?;
        verification.note(opened.map(drop))?;
    }
    if verification.damage.is_empty() {
        let index = Index::load(dir, stored, None);
        verification
            .note(index.and_then(|index| index.check_names().and_then(|()| index.check_roots())))?;
    }
    Ok(verification)
}

impl Verification {
    /// Counts a finished file, and reports the total so far.
    fn count(&mut self, bytes: u64, progress: &dyn Fn(u64)) {
        self.files += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        progress(self.bytes);
    }

    /// Records damage of the index. Any other error ends the verification.
    fn note(&mut self, result: Result<()>) -> Result<()> {
        match result {
            Err(
                error @ (Error::CorruptIndex { .. }
                | Error::IncompatibleIndex { .. }
                | Error::Io { .. }),
            ) => {
                self.damage.push(error);
                Ok(())
            }
            other => other,
        }
    }
}

fn verify_segment(segment: &Segment, entry: &SegmentEntry, all_cells: &[Cells]) -> Result<()> {
    segment.file().verify_blocks()?;
    segment.file().verify_sha256(&entry.file.sha256)?;
    let of_segment = |cells: &&Cells| {
        cells.checksum() == segment.cells_checksum && cells.len() == segment.cells()
    };
    match all_cells.iter().find(of_segment) {
        Some(cells) => segment.check(cells),
        // Damage of the centroids is already reported, or opening the index reports it.
        None => Ok(()),
    }
}
