//! Checks every byte of an index, and names all that is wrong.

use std::path::{Path, PathBuf};

use super::format;
use super::manifest::{GraphEntry, Manifest, SegmentEntry, Stored};
use super::snapshot::{Graphs, Index, open_graph, open_segment};
use super::writer::unnamed_files;
use crate::error::{Error, Result};

/// What a verification found.
#[derive(Debug)]
pub struct Verification {
    /// Root of the snapshot that was verified; see [`IndexState::root`](super::IndexState::root).
    pub root: String,
    /// Files of the snapshot, the manifest among them.
    pub files: usize,
    /// Their bytes, as the manifest says.
    pub bytes: u64,
    /// What is wrong, at most one finding a file and one for the whole; empty if nothing is.
    pub damage: Vec<Error>,
    /// Files in the folder that belong to no snapshot: left by a crash, harmless, deleted by the next merge.
    pub unnamed: Vec<PathBuf>,
}

/// Reads an index as a whole and compares it with its checksums, its SHA-256s and the rules of the format.
///
/// `progress` gets the bytes of each file as it is done with. Commits and merges may go on meanwhile.
///
/// # Errors
/// [`Error::NoIndex`], [`Error::IncompatibleIndex`], [`Error::CorruptIndex`] if the manifest itself cannot be read,
/// [`Error::Cancelled`], and [`Error::Io`].
pub fn verify(dir: &Path, progress: &dyn Fn(u64), cancel: &dyn Fn() -> bool) -> Result<Verification> {
    let no_index = || Error::NoIndex { path: dir.to_owned() };
    let mut stored = Manifest::load(dir)?.ok_or_else(no_index)?;
    loop {
        let root = stored.root;
        let verification = verify_snapshot(dir, stored, progress, cancel)?;
        if verification.damage.is_empty() {
            return Ok(verification);
        }
        // A merge may have deleted files that were about to be read; then there is a newer manifest.
        stored = Manifest::load(dir)?.ok_or_else(no_index)?;
        if stored.root == root {
            return Ok(verification);
        }
    }
}

fn verify_snapshot(
    dir: &Path,
    stored: Stored,
    progress: &dyn Fn(u64),
    cancel: &dyn Fn() -> bool,
) -> Result<Verification> {
    let mut verification = Verification {
        root: format::hex(&stored.root),
        files: 1,
        bytes: stored.length,
        damage: Vec::new(),
        unnamed: unnamed_files(dir, &stored.manifest)?,
    };
    progress(stored.length);
    for entry in &stored.manifest.segments {
        stop_if(cancel)?;
        verification.note(entry.file.length, verify_segment(dir, entry))?;
        progress(entry.file.length);
        if let GraphEntry::Built { file, .. } = &entry.graph {
            stop_if(cancel)?;
            verification.note(file.length, verify_graph(dir, entry))?;
            progress(file.length);
        }
    }
    if verification.damage.is_empty() {
        let names = Index::load(dir, stored, None, Graphs::Needed).and_then(|index| index.check_names());
        verification.note(0, names)?;
        verification.files = verification.files.saturating_sub(1);
    }
    Ok(verification)
}

impl Verification {
    /// Counts a file, and keeps what is wrong with it.
    fn note(&mut self, bytes: u64, result: Result<()>) -> Result<()> {
        self.files += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        match result {
            Ok(()) => Ok(()),
            Err(error @ (Error::CorruptIndex { .. } | Error::IncompatibleIndex { .. } | Error::Io { .. })) => {
                self.damage.push(error);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

fn verify_segment(dir: &Path, entry: &SegmentEntry) -> Result<()> {
    let segment = open_segment(dir, entry)?;
    segment.file().verify_blocks()?;
    segment.file().verify_sha256(&entry.file.sha256)?;
    segment.check()
}

fn verify_graph(dir: &Path, entry: &SegmentEntry) -> Result<()> {
    let GraphEntry::Built { file, recall } = &entry.graph else {
        return Ok(());
    };
    // A damaged segment is reported for itself; without it the graph cannot be judged.
    let Ok(segment) = open_segment(dir, entry) else {
        return Ok(());
    };
    let graph = open_graph(dir, entry, file, *recall, &segment)?;
    graph.file().verify_blocks()?;
    graph.file().verify_sha256(&file.sha256)?;
    graph.check(&segment)
}

fn stop_if(cancel: &dyn Fn() -> bool) -> Result<()> {
    if cancel() { Err(Error::Cancelled) } else { Ok(()) }
}
