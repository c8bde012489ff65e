//! Our own files in an index's folder that no manifest names: merged away, or left by an
//! interrupted commit.

use std::collections::HashSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::history;
use super::manifest::{self, Manifest};
use super::storage::TEMPORARY_PREFIX;
use crate::error::{Error, Result};

/// The files that a manifest names.
pub(crate) fn named_files(dir: &Path, manifest: &Manifest) -> HashSet<PathBuf> {
    let mut named = HashSet::new();
    for entry in &manifest.segments {
        named.insert(manifest::segment_path(dir, entry.number));
    }
    named.extend(
        manifest
            .cells
            .iter()
            .map(|entry| manifest::cells_path(dir, entry.number)),
    );
    named
}

/// Our own files that a manifest does not name, sorted.
pub(crate) fn unnamed_files(dir: &Path, manifest: &Manifest) -> Result<Vec<PathBuf>> {
    let named = named_files(dir, manifest);
    let mut unnamed = files(dir)?;
    unnamed.retain(|path| is_ours(path) && !named.contains(path));
    let finished = [manifest::manifest_path(dir), history::path(dir)];
    let drafts = finished
        .iter()
        .filter_map(|path| path.file_name())
        .map(|name| dir.join(format!("{TEMPORARY_PREFIX}{}", name.to_string_lossy())));
    unnamed.extend(drafts.filter(|draft| draft.symlink_metadata().is_ok()));
    unnamed.sort();
    Ok(unnamed)
}

/// Our own files with numbers from `number_min`, and unfinished ones.
pub(crate) fn newer_files(dir: &Path, number_min: u64) -> Result<Vec<PathBuf>> {
    let mut newer = files(dir)?;
    newer.retain(|path| is_ours(path) && number(path).is_none_or(|number| number >= number_min));
    Ok(newer)
}

/// The first number above those of all existing files, so that none is overwritten.
pub(crate) fn next_number(dir: &Path) -> Result<u64> {
    let numbers = files(dir)?.into_iter().filter_map(|path| number(&path));
    Ok(numbers.max().map_or(1, |highest| highest + 1))
}

/// The number of the segment to which a file's name belongs.
pub(crate) fn number(path: &Path) -> Option<u64> {
    digits(&path.file_name()?.to_string_lossy())?
        .parse()
        .ok()
        .filter(|number| *number < NUMBER_MAX)
}

/// The files in the folder of segments.
fn files(dir: &Path) -> Result<Vec<PathBuf>> {
    let folder = manifest::segments_path(dir);
    match fs::read_dir(&folder) {
        Ok(files) => files
            .map(|file| Ok(file.map_err(Error::io(&folder, "list"))?.path()))
            .collect(),
        // Missing files are reported one by one.
        Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(cause) => Err(Error::io(&folder, "list")(cause)),
    }
}

/// Whether a name in the folder of segments follows our pattern.
fn is_ours(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    digits(&name).is_some() || name.starts_with(TEMPORARY_PREFIX)
}

fn digits(name: &str) -> Option<&str> {
    let stem = [".seg", ".cells", ".graph"]
        .iter()
        .find_map(|ending| name.strip_suffix(ending))?;
    stem.bytes()
        .all(|digit| digit.is_ascii_digit())
        .then_some(stem)
}

/// Upper limit of file numbers; no index reaches it. A file with a higher number is not ours, and
/// must not use up the numbers.
const NUMBER_MAX: u64 = 1 << 48;
