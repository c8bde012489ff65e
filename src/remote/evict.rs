//! Makes room in a cache. Deletes the least recently used files first, and nothing that is open.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::cache::{Cache, lock, remove, try_lock};
use super::store::Cancel;
use crate::error::{Error, Result};

/// The next thing to delete.
enum Candidate {
    /// A blob, whole or partial, that no snapshot links to.
    Blob(PathBuf),
    /// A snapshot that nobody has open, with the lock that allows deleting it.
    Snapshot(PathBuf, File),
}

/// Deletes until `needed` more bytes fit. It never deletes the blobs with the `kept` names, nor
/// anything open.
pub(super) fn make_room(
    cache: &Cache,
    needed: u64,
    kept: &HashSet<String>,
    cancel: Cancel<'_>,
) -> Result<()> {
    let full = |needed| Error::CacheFull {
        path: cache.dir.clone(),
        limit: cache.bytes_max,
        needed,
    };
    if needed > cache.bytes_max {
        // Deleting everything possible would not make enough room.
        return Err(full(needed));
    }
    // Only one process at a time chooses what to delete.
    let _alone = lock(
        &cache.dir.join("lock"),
        rustix::fs::FlockOperation::LockExclusive,
        cancel,
    )?;
    loop {
        let taken = taken(cache)?;
        if taken.saturating_add(needed) <= cache.bytes_max {
            return Ok(());
        }
        if cancel() {
            return Err(Error::Cancelled);
        }
        match oldest(cache, kept)? {
            None => return Err(full(taken.saturating_add(needed))),
            Some(Candidate::Blob(path)) => remove(&path)?,
            Some(Candidate::Snapshot(path, lease)) => {
                // Without its manifest it is no snapshot, so the rest can be deleted in any order.
                remove(&path.join("manifest"))?;
                fs::remove_dir_all(&path).map_err(Error::io(&path, "delete"))?;
                drop(lease);
            }
        }
    }
}

/// Total size of all files; a file with several links counts once.
fn taken(cache: &Cache) -> Result<u64> {
    let mut files: HashMap<(u64, u64), u64> = HashMap::new();
    for entry in walkdir::WalkDir::new(&cache.dir) {
        // Files that are deleted meanwhile take no room.
        let Ok(metadata) = entry.and_then(|entry| entry.metadata()) else {
            continue;
        };
        if metadata.is_file() {
            files.insert((metadata.dev(), metadata.ino()), metadata.len());
        }
    }
    Ok(files
        .values()
        .fold(0, |sum: u64, length| sum.saturating_add(*length)))
}

/// The least recently used blob or snapshot that can be deleted.
fn oldest(cache: &Cache, kept: &HashSet<String>) -> Result<Option<Candidate>> {
    let mut found: Vec<(SystemTime, PathBuf, bool)> = Vec::new();
    for path in entries(&cache.blobs())? {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let is_kept = kept.contains(name.strip_suffix(".part").unwrap_or(&name));
        if let Ok(metadata) = fs::metadata(&path)
            && metadata.nlink() == 1
            && !is_kept
        {
            found.push((time(&metadata), path, false));
        }
    }
    for store in entries(&cache.indexes())? {
        for path in entries(&store)?
            .into_iter()
            .filter(|path| is_snapshot(path))
        {
            let used = fs::metadata(path.join("lease")).or_else(|_| fs::metadata(&path));
            if let Ok(metadata) = used {
                found.push((time(&metadata), path, true));
            }
        }
    }
    found.sort();
    for (_, path, is_snapshot) in found {
        let candidate = if is_snapshot {
            try_lock(&path.join("lease"))?.map(|lease| Candidate::Snapshot(path, lease))
        } else if path.extension().is_some() {
            // A process that is fetching it holds its lock.
            try_lock(&path)?.map(|_| Candidate::Blob(path))
        } else {
            Some(Candidate::Blob(path))
        };
        if candidate.is_some() {
            return Ok(candidate);
        }
    }
    Ok(None)
}

/// Whether a path in a store's folder is a snapshot, by its name.
fn is_snapshot(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.is_dir()
        && name
            .split_once('-')
            .is_some_and(|(generation, _)| generation.parse::<u64>().is_ok())
}

fn time(metadata: &fs::Metadata) -> SystemTime {
    metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries
            .map(|entry| Ok(entry.map_err(Error::io(folder, "list"))?.path()))
            .collect(),
        Err(cause)
            if matches!(
                cause.kind(),
                std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(Vec::new())
        }
        Err(cause) => Err(Error::io(folder, "list")(cause)),
    }
}
