//! Converts an index of format 4 to today's format, in place and without the videos' files.
//!
//! Everything is written under new names before the new manifest replaces the old one, so a crash
//! at any moment leaves the old index or the new one. The old files are deleted afterwards. Only
//! one old segment and what is made of it are in memory at a time.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use serde::Deserialize;

use super::IndexState;
use super::assemble::{self, Pending};
use super::cells::Cells;
use super::files::BlockFile;
use super::format::{FORMAT_VERSION, MANIFEST_MAGIC, UPGRADABLE, hex};
use super::format4::Format4;
use super::history::{History, Leaf};
use super::leftovers;
use super::lock::Lock;
use super::manifest::{self, Manifest, SegmentEntry, Stored};
use super::newest;
use super::segment::Added;
use super::snapshot::Index;
use super::storage::{Disk, Storage};
use super::upkeep::{Upkeep, Watch, Work};
use super::video::Role;
use super::writer::{SEGMENT_MAX_KEYS, Writer, millis_of};
use crate::error::{Error, Result};
use crate::fingerprint::FINGERPRINT_VERSION;
use crate::media::open_regular;

/// Result of an upgrade.
#[derive(Clone, PartialEq, Debug)]
pub struct Upgraded {
    /// The format of the index before. If it is [`FORMAT_VERSION`], there was nothing to do.
    pub from: u32,
    /// Whether the caller stopped it after the index had the new format. The next merge puts it in
    /// order.
    pub cancelled: bool,
    /// The index after the upgrade.
    pub state: IndexState,
}

/// Upgrades an index of format 4 to today's format. An index of today's format is only put in
/// order, see [`Writer::maintain`].
///
/// Removed videos are dropped. Afterwards the videos have no pictures; [`crate::ingest`] makes
/// these when it meets the files again. `clock` gives the time of the commit; `None` records no
/// time.
///
/// # Errors
/// [`Error::NoIndex`], [`Error::Locked`], [`Error::IncompatibleIndex`] for an index of another
/// format or with other keys, [`Error::CorruptIndex`] if anything is damaged, [`Error::Cancelled`]
/// if the caller stops it before the index has the new format, and [`Error::Io`]. After an error
/// the index is as before.
pub fn upgrade<'a>(
    dir: &Path,
    clock: Option<fn() -> SystemTime>,
    watch: impl Into<Watch<'a>>,
) -> Result<Upgraded> {
    upgrade_on(Arc::new(Disk), dir, clock, watch.into())
}

/// As [`upgrade`], with all writing through `storage`.
pub(crate) fn upgrade_on(
    storage: Arc<dyn Storage>,
    dir: &Path,
    clock: Option<fn() -> SystemTime>,
    watch: Watch<'_>,
) -> Result<Upgraded> {
    if !Index::exists(dir) {
        return Err(Error::NoIndex {
            path: dir.to_owned(),
        });
    }
    let lock = Lock::acquire(&dir.join("lock"))?;
    let path = manifest::manifest_path(dir);
    let found =
        BlockFile::open_version(&path, MANIFEST_MAGIC, &(UPGRADABLE..=FORMAT_VERSION), None)?;
    let from = found.map_or(FORMAT_VERSION, |manifest| manifest.version());
    if from == UPGRADABLE
        && let Some(old) = Format4::open(dir)?
    {
        write_anew(&*storage, dir, &old, clock, watch)?;
    }
    let mut writer = Writer::locked(Arc::clone(&storage), dir, None, lock)?;
    if let Some(clock) = clock {
        writer = writer.with_clock(clock);
    }
    // No longer needed: segments record when videos were added.
    let times = times_path(dir);
    if times.symlink_metadata().is_ok() {
        let _ = storage.remove(&times);
    }
    let cancelled = match writer.maintain(watch) {
        Ok(()) => false,
        Err(Error::Cancelled) => true,
        Err(error) => return Err(error),
    };
    let no_index = || Error::NoIndex {
        path: dir.to_owned(),
    };
    let state = writer.committed().ok_or_else(no_index)?.state().clone();
    Ok(Upgraded {
        from,
        cancelled,
        state,
    })
}

/// Writes the live videos of an old index as a new index, which then replaces the old one.
fn write_anew(
    storage: &dyn Storage,
    dir: &Path,
    old: &Format4,
    clock: Option<fn() -> SystemTime>,
    watch: Watch<'_>,
) -> Result<()> {
    manifest::check_fingerprint(dir, &old.config(), FINGERPRINT_VERSION)?;
    // Leftovers of an interrupted upgrade may occupy the space that this one needs.
    for left in leftovers::newer_files(dir, old.next_number())? {
        let _ = storage.remove(&left);
    }
    let times = Times::load(dir);
    let mut made = Made {
        storage,
        dir,
        manifest: Manifest::new(old.config()),
        next_number: old.next_number().max(leftovers::next_number(dir)?),
        // Progress counts finished videos instead.
        work: Work::new(
            Watch {
                progress: None,
                ..watch
            },
            Upkeep::Upgrading,
            0,
        ),
    };
    let work = Work::new(watch, Upkeep::Upgrading, old.live());
    let mut waiting = [
        (Role::Source, Pending::default(), 0),
        (Role::Benign, Pending::default(), 0),
    ];
    for kept in old.videos() {
        work.stop_if_asked()?;
        let kept = kept?;
        let added = Added {
            generation: old.generation(),
            at: times.of_video(&kept.video.id),
        };
        let (role, pending, runs) = &mut waiting[usize::from(kept.role == Role::Benign)];
        *runs += kept.runs.len();
        pending.add(
            kept.video,
            &kept.runs,
            &kept.motion,
            Vec::new(),
            Some(added),
        );
        if *runs >= RUNS_AT_A_TIME {
            made.write(*role, &std::mem::take(pending))?;
            *runs = 0;
        }
        work.advance(1);
    }
    for (role, pending, _) in &waiting {
        made.write(*role, pending)?;
    }
    work.stop_if_asked()?;
    let mut manifest = made.manifest;
    manifest.next_number = made.next_number;
    manifest.generation = old.generation() + 1;
    manifest.committed_at = millis_of(clock);
    let (stored, _) = Stored::encode(manifest, dir)?;
    let Stored { mut manifest, .. } = stored.clone();
    let index = Index::load(dir, stored, None)?;
    manifest.sources_root = index.root_of(Role::Source);
    manifest.allowlist_root = index.root_of(Role::Benign);
    if old.generation() > 0 {
        let newest = Leaf {
            generation: old.generation(),
            root: old.root,
            sources_root: manifest.sources_root,
            allowlist_root: manifest.allowlist_root,
            committed_at: times.of_commit(&hex(&old.root)),
        };
        // Any existing history is of an interrupted upgrade.
        manifest.history = History::begin(dir).append(storage, &newest)?;
    }
    let (stored, body) = Stored::encode(manifest, dir)?;
    manifest::write(storage, dir, &body)?;
    newest::note(storage, dir, &stored);
    Ok(())
}

/// The new index while it is written.
struct Made<'a> {
    storage: &'a dyn Storage,
    dir: &'a Path,
    manifest: Manifest,
    next_number: u64,
    work: Work<'a>,
}

impl Made<'_> {
    fn write(&mut self, role: Role, pending: &Pending) -> Result<()> {
        for part in pending.parts(SEGMENT_MAX_KEYS as usize) {
            let number = self.next_number;
            self.next_number += 1;
            let path = manifest::segment_path(self.dir, number);
            let written = assemble::write(
                self.storage,
                &path,
                &part,
                &Cells::single(),
                Added::default(),
                &self.work,
            )?;
            let (file, keys, videos) = (written.file, written.keys, written.videos);
            self.manifest.segments.push(SegmentEntry {
                number,
                file,
                keys,
                videos,
                tombstones: Vec::new(),
                role,
            });
        }
        Ok(())
    }
}

/// Times of commits and of added videos, as far as a format 4 index has notes of them, in
/// milliseconds since 1970.
#[derive(Debug, Default)]
struct Times {
    commits: HashMap<String, u64>,
    added: HashMap<String, u64>,
}

/// A line of the notes.
#[derive(Debug, Deserialize)]
struct Note {
    at: String,
    root: String,
    added: Vec<String>,
}

impl Times {
    /// Missing or damaged notes only mean that times are unknown.
    fn load(dir: &Path) -> Times {
        let mut times = Times::default();
        let mut text = Vec::new();
        let Ok(file) = open_regular(&times_path(dir), OpenOptions::new().read(true)) else {
            return times;
        };
        if file.take(NOTES_MAX).read_to_end(&mut text).is_err() {
            return times;
        }
        for line in text.split(|byte| *byte == b'\n') {
            let Ok(note) = serde_json::from_slice::<Note>(line) else {
                continue;
            };
            let Ok(at) = note.at.parse::<jiff::Timestamp>() else {
                continue;
            };
            let at = u64::try_from(at.as_millisecond()).unwrap_or(0);
            times
                .added
                .extend(note.added.into_iter().map(|id| (id, at)));
            times.commits.insert(note.root, at);
        }
        times
    }

    fn of_video(&self, id: &str) -> u64 {
        self.added.get(id).copied().unwrap_or(0)
    }

    fn of_commit(&self, root: &str) -> u64 {
        self.commits.get(root).copied().unwrap_or(0)
    }
}

fn times_path(dir: &Path) -> PathBuf {
    dir.join("notes").join("times.jsonl")
}

/// Number of runs collected for a segment: 200 MB of memory, and segments that need no merge.
const RUNS_AT_A_TIME: usize = SEGMENT_MAX_KEYS as usize / 2;
/// Maximum number of bytes of notes that are read: some million commits.
const NOTES_MAX: u64 = 256 << 20;

#[cfg(test)]
mod tests;
