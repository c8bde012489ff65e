//! Adds, removes, commits and merges; every change of an index goes through here.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::IndexState;
use super::assemble::{self, Correction, Pending, Tracks};
use super::cells::Cells;
use super::format;
use super::history::{Commitment, History};
use super::leftovers::{self, named_files, unnamed_files};
use super::lock::Lock;
use super::manifest::{self, Manifest, SegmentEntry, Stored, Tombstone};
use super::newest;
use super::screening::Screening;
use super::segment::Added;
use super::snapshot::{Index, matches};
use super::storage::{self, Disk, Storage};
use super::upkeep::Work;
use super::video::{IndexConfig, Role, Video, VideoRef};
use crate::error::{Error, Result};
use crate::fingerprint::{Motion, Run};

/// The one that may change an index; others get [`Error::Locked`] until it is dropped or its
/// process ends.
///
/// What is added or removed is kept in memory until [`Writer::commit`]; dropping the writer forgets
/// it.
#[derive(Debug)]
pub struct Writer {
    pub(super) dir: PathBuf,
    config: IndexConfig,
    pub(super) storage: Arc<dyn Storage>,
    /// The last commit; `None` before the first.
    pub(super) index: Option<Index>,
    pending: Pending,
    /// What `pending` holds: sources or submissions.
    searched: Role,
    /// Benign material, which gets segments of its own.
    pending_benign: Pending,
    pending_sha256: HashSet<[u8; 32]>,
    /// Committed videos to be removed by the next commit.
    removed: BTreeSet<VideoRef>,
    /// Committed videos of which the next commit says something else.
    pub(super) corrected: BTreeMap<VideoRef, Correction>,
    /// The commits before `index`.
    history: History,
    /// Whether `index` may not be durable yet: it was found on disk after a commit that failed.
    unsynced: bool,
    /// What the time of a commit is taken from, if it is to be known.
    clock: Option<fn() -> SystemTime>,
    /// What the next commit says of how well the screening works.
    screening: Option<Screening>,
    /// Number for the next files: only grows, so that no name is used twice even after a failed
    /// commit, and above all that are there, whatever the manifest says.
    next_number: u64,
    _lock: Lock,
}

impl Writer {
    /// Opens an index for writing, and creates its folder if there is none; the first commit makes
    /// it an index.
    ///
    /// # Errors
    /// [`Error::Locked`] if somebody else is writing, [`Error::IncompatibleIndex`] if the index has
    /// another format, fingerprint version or interval, [`Error::CorruptIndex`], and [`Error::Io`].
    pub fn open_or_create(dir: &Path, config: IndexConfig) -> Result<Writer> {
        Writer::on(Arc::new(Disk), dir, Some(config))
    }

    /// Opens an index that exists for writing, whatever its interval.
    ///
    /// # Errors
    /// [`Error::NoIndex`] if there is none, and those of [`Writer::open_or_create`].
    pub fn open(dir: &Path) -> Result<Writer> {
        Writer::on(Arc::new(Disk), dir, None)
    }

    /// As [`Writer::open_or_create`] with a configuration, else as [`Writer::open`]; all writing
    /// goes to `storage`.
    pub(crate) fn on(
        storage: Arc<dyn Storage>,
        dir: &Path,
        config: Option<IndexConfig>,
    ) -> Result<Writer> {
        if config.is_some() {
            storage::create_folder(&*storage, dir)?;
            if !Index::exists(dir) {
                // Whoever made the folder may have died before its name was durable.
                storage::sync_parent(&*storage, dir)?;
            }
        } else if !Index::exists(dir) {
            return Err(Error::NoIndex {
                path: dir.to_owned(),
            });
        }
        let lock = Lock::acquire(&dir.join("lock"))?;
        Writer::locked(storage, dir, config, lock)
    }

    /// As [`Writer::on`], by who has the lock already.
    pub(super) fn locked(
        storage: Arc<dyn Storage>,
        dir: &Path,
        config: Option<IndexConfig>,
        lock: Lock,
    ) -> Result<Writer> {
        let index = match newest::load(dir)? {
            Some(stored) => {
                manifest::check_config(dir, &stored.manifest.config, config.as_ref())?;
                newest::note_found(&*storage, dir, &stored)?;
                let index = Index::load(dir, stored, None)?;
                index.check_names()?;
                Some(index)
            }
            None => None,
        };
        let history = match index.as_ref().map(|index| &index.stored) {
            Some(stored) => History::load(dir, &stored.manifest.history, Some(&stored.leaf()))?,
            None => History::load(dir, &Commitment::empty(), None)?,
        };
        let Some(config) = index
            .as_ref()
            .map(|index| index.stored.manifest.config)
            .or(config)
        else {
            return Err(Error::NoIndex {
                path: dir.to_owned(),
            });
        };
        storage::create_folder(&*storage, &manifest::segments_path(dir))?;
        Ok(Writer {
            dir: dir.to_owned(),
            config,
            storage,
            next_number: index
                .as_ref()
                .map_or(1, |index| index.stored.manifest.next_number)
                .max(leftovers::next_number(dir)?),
            searched: index.as_ref().map(Index::searched_role).unwrap_or_default(),
            index,
            pending: Pending::default(),
            pending_benign: Pending::default(),
            pending_sha256: HashSet::new(),
            removed: BTreeSet::new(),
            corrected: BTreeMap::new(),
            history,
            unsynced: false,
            clock: None,
            screening: None,
            _lock: lock,
        })
    }

    /// Keeps from now on when each commit was made and each video was added: see
    /// [`Index::committed_at`].
    #[must_use]
    pub fn with_clock(mut self, clock: fn() -> SystemTime) -> Writer {
        self.clock = Some(clock);
        self
    }

    /// What fixes the meaning of the keys to be added.
    pub fn config(&self) -> IndexConfig {
        self.config
    }

    /// The last commit; `None` before the first.
    pub fn committed(&self) -> Option<&Index> {
        self.index.as_ref()
    }

    /// Whether a video of this SHA-256, of whatever role, is committed and not to be removed, or
    /// waits for the commit.
    pub fn contains(&self, sha256: &[u8; 32]) -> bool {
        let committed = self.index.as_ref().is_some_and(|index| {
            index
                .by_sha256(sha256)
                .is_some_and(|video| !self.removed.contains(&video))
        });
        committed || self.pending_sha256.contains(sha256)
    }

    /// Adds a source with its runs, to be written by the next commit; `false` if the video is there
    /// already, as whatever. Nothing is known of what moves in it: see [`Writer::add_as`].
    ///
    /// [`Video::id`] is set from the SHA-256. A run takes 48 bytes of memory until the commit, and
    /// a picture of what moves in it some 116.
    ///
    /// # Errors
    /// [`Error::InvalidSetting`] if the video alone has more runs than a segment may have
    /// ([`SEGMENT_MAX_KEYS`]), and [`Error::OtherRole`] if it is a source and the index holds
    /// submissions, or the reverse.
    pub fn add(&mut self, video: Video, runs: Vec<Run>) -> Result<bool> {
        self.add_as(Role::Source, video, runs, &Motion::default())
    }

    /// As [`Writer::add`], for a video of any role, and with what moves in it, which tells the
    /// moments of a still scene apart.
    ///
    /// # Errors
    /// Those of [`Writer::add`].
    pub fn add_as(
        &mut self,
        role: Role,
        video: Video,
        runs: Vec<Run>,
        motion: &Motion,
    ) -> Result<bool> {
        self.add_with_pictures(role, video, runs, motion, Vec::new())
    }

    /// As [`Writer::add_as`], with small pictures of its keyframes.
    ///
    /// # Errors
    /// Those of [`Writer::add`].
    pub fn add_with_pictures(
        &mut self,
        role: Role,
        mut video: Video,
        runs: Vec<Run>,
        motion: &Motion,
        pictures: Vec<u8>,
    ) -> Result<bool> {
        if self.contains(&video.sha256) {
            return Ok(false);
        }
        if runs.len() > SEGMENT_MAX_KEYS as usize {
            return Err(Error::InvalidSetting {
                name: "number of keys of one video",
                found: runs.len().to_string(),
                expected: "at most 8388608: split the video, or sample it with a longer interval",
            });
        }
        self.check_role(role)?;
        video.id = format::hex(&video.sha256[..8]);
        self.pending_sha256.insert(video.sha256);
        self.pending_in(role)
            .add(video, &runs, motion, pictures, None);
        Ok(true)
    }

    /// Takes the role for that of all sources to come, or fails if there are videos of another one.
    pub(super) fn check_role(&mut self, role: Role) -> Result<()> {
        if role == self.searched || !role.is_searched() {
            return Ok(());
        }
        let mut committed = self.index.iter().flat_map(|index| &index.segments);
        if committed.any(|live| live.role.is_searched()) || !self.pending.videos.is_empty() {
            return Err(Error::OtherRole {
                path: self.dir.clone(),
                role: self.searched.plural(),
            });
        }
        self.searched = role;
        Ok(())
    }

    fn pending_in(&mut self, role: Role) -> &mut Pending {
        if role.is_searched() {
            &mut self.pending
        } else {
            &mut self.pending_benign
        }
    }

    /// Videos that wait for the commit.
    pub fn pending(&self) -> usize {
        self.pending.videos.len() + self.pending_benign.videos.len()
    }

    /// Runs that wait for the commit.
    pub fn pending_keys(&self) -> usize {
        self.pending.runs() + self.pending_benign.runs()
    }

    /// Marks the sources that a selector (see [`Index::find`]) means for removal by the next
    /// commit, and counts them.
    ///
    /// Videos that have only been added and not committed are taken back at once.
    ///
    /// # Errors
    /// None at present.
    pub fn remove(&mut self, selector: &str) -> Result<usize> {
        self.remove_as(Role::Source, selector)
    }

    /// As [`Writer::remove`], for videos of any role.
    ///
    /// # Errors
    /// None at present.
    pub fn remove_as(&mut self, role: Role, selector: &str) -> Result<usize> {
        let mut count = 0;
        if role.is_searched() && role != self.searched {
            return Ok(0);
        }
        if let Some(index) = &self.index {
            for video in index.find_in_role(selector, role) {
                count += usize::from(self.removed.insert(video));
            }
        }
        let before = self.pending();
        let pending = self.pending_in(role);
        if pending.videos.iter().any(|video| matches(video, selector)) {
            pending.retain(|video| !matches(video, selector));
            let waiting = self
                .pending
                .videos
                .iter()
                .chain(&self.pending_benign.videos);
            self.pending_sha256 = waiting.map(|video| video.sha256).collect();
        }
        Ok(count + before - self.pending())
    }

    /// Writes what waits as a segment, or several if it is more than one should hold, and replaces
    /// the manifest; without anything waiting, does nothing.
    ///
    /// When this returns, the commit is durable. If it fails, an index opened then is as before,
    /// and what waits still waits; or, if only the last sync failed, the index is as after, nothing
    /// waits any more, and the next commit makes it durable.
    ///
    /// # Errors
    /// [`Error::Io`], naming the file.
    pub fn commit(&mut self) -> Result<IndexState> {
        self.sync_commit()?;
        if let Some(index) = &self.index
            && self.pending() == 0
            && self.removed.is_empty()
            && self.corrected.is_empty()
            && self.screening.is_none()
        {
            return Ok(index.state().clone());
        }
        let mut manifest = self.next_manifest();
        let generation = manifest.generation;
        for video in &self.removed {
            let tombstone = Tombstone {
                video: video.video,
                generation,
            };
            manifest.segments[video.segment as usize]
                .tombstones
                .push(tombstone);
        }
        for entry in &mut manifest.segments {
            entry
                .tombstones
                .sort_unstable_by_key(|tombstone| tombstone.video);
        }
        self.correct(&mut manifest)?;
        for role in [self.searched, Role::Benign] {
            let pending = std::mem::take(self.pending_in(role));
            let cells = self.cells_for_new(role);
            let written = pending
                .parts(SEGMENT_MAX_KEYS as usize)
                .iter()
                .try_for_each(|part| {
                    manifest.segments.push(self.write_segment(
                        part,
                        role,
                        &cells,
                        &Work::unwatched(),
                    )?);
                    Ok(())
                });
            *self.pending_in(role) = pending;
            written?;
        }
        if let Some(screening) = &self.screening {
            manifest.screening = Some(screening.clone());
        }
        let videos = if self.pending() > 0 || !self.removed.is_empty() {
            Videos::Others
        } else {
            Videos::Same
        };
        let replaced = self.replace_manifest(manifest, videos);
        if self
            .index
            .as_ref()
            .is_some_and(|index| index.state().generation == generation)
        {
            self.screening = None;
            self.pending = Pending::default();
            self.pending_benign = Pending::default();
            self.pending_sha256.clear();
            self.removed.clear();
            self.corrected.clear();
        }
        replaced?;
        self.state()
    }

    /// Says with the next commit how well the screening works.
    pub fn set_screening(&mut self, screening: Screening) {
        self.screening = Some(screening);
    }

    fn state(&self) -> Result<IndexState> {
        let no_index = || Error::NoIndex {
            path: self.dir.clone(),
        };
        let index = self.index.as_ref().ok_or_else(no_index)?;
        Ok(index.state().clone())
    }

    /// A copy of the manifest for the next commit.
    pub(super) fn next_manifest(&self) -> Manifest {
        let mut manifest = match &self.index {
            Some(index) => index.stored.manifest.clone(),
            None => Manifest::new(self.config),
        };
        manifest.generation += 1;
        manifest.written_by = env!("CARGO_PKG_VERSION").to_owned();
        manifest.committed_at = millis_of(self.clock);
        manifest
    }

    /// Opens all that a manifest names, appends the commit before it to the history, and then makes
    /// it the index.
    pub(super) fn replace_manifest(
        &mut self,
        mut manifest: Manifest,
        videos: Videos,
    ) -> Result<()> {
        self.sync_commit()?;
        if let Some(index) = &self.index {
            manifest.history = self.history.append(&*self.storage, &index.stored.leaf())?;
        }
        manifest.next_number = self.next_number;
        let (mut stored, mut body) = Stored::encode(manifest, &self.dir)?;
        let mut index = Index::load(&self.dir, stored.clone(), self.index.as_ref())?;
        if videos == Videos::Others {
            stored.manifest.sources_root = index.root_of(index.searched_role());
            stored.manifest.allowlist_root = index.root_of(Role::Benign);
            (stored, body) = Stored::encode(stored.manifest, &self.dir)?;
            index = Index::load(&self.dir, stored, Some(&index))?;
        }
        let written = manifest::write(&*self.storage, &self.dir, &body);
        if written.is_err() {
            // If only the last sync failed, readers find this commit already. Another one of its
            // number would be one of which no history knows.
            let is_there = Manifest::load(&self.dir)
                .is_ok_and(|found| found.is_some_and(|found| found.root == index.stored.root));
            if is_there {
                (self.index, self.unsynced) = (Some(index), true);
            }
            return written;
        }
        newest::note(&*self.storage, &self.dir, &index.stored);
        self.index = Some(index);
        Ok(())
    }

    /// Makes a commit durable that was found on disk after it had failed.
    fn sync_commit(&mut self) -> Result<()> {
        if let (true, Some(index)) = (self.unsynced, &self.index) {
            self.storage
                .sync_folder(&self.dir)
                .map_err(Error::io(&self.dir, "sync"))?;
            newest::note(&*self.storage, &self.dir, &index.stored);
            self.unsynced = false;
        }
        Ok(())
    }

    /// Writes a segment's file; nothing refers to it yet.
    pub(super) fn write_segment(
        &mut self,
        tracks: &dyn Tracks,
        role: Role,
        cells: &Cells,
        work: &Work<'_>,
    ) -> Result<SegmentEntry> {
        let number = self.take_number();
        let path = manifest::segment_path(&self.dir, number);
        let Manifest {
            generation,
            committed_at: at,
            ..
        } = self.next_manifest();
        let written = assemble::write(
            &*self.storage,
            &path,
            tracks,
            cells,
            Added { generation, at },
            work,
        )?;
        Ok(SegmentEntry {
            number,
            file: written.file,
            keys: written.keys,
            videos: written.videos,
            tombstones: Vec::new(),
            role,
        })
    }

    pub(super) fn take_number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number - 1
    }

    /// The cells that new segments of a role are sorted by.
    pub(super) fn cells_for_new(&self, role: Role) -> Arc<Cells> {
        match (&self.index, role) {
            (Some(index), Role::Source | Role::Submission) => Arc::clone(index.cells_now()),
            _ => Arc::new(Cells::single()),
        }
    }

    /// Deletes our own files that the manifest does not name: merged away, or left by a crash.
    pub(super) fn delete_unnamed(&self) -> Result<()> {
        // What is on disk counts: after a sync that failed it may be newer than what we hold.
        let Some(stored) = Manifest::load(&self.dir)? else {
            return Ok(());
        };
        let mut unnamed = unnamed_files(&self.dir, &stored.manifest)?;
        if let Some(index) = &self.index {
            // And what we hold: the next commit begins from it.
            let named = named_files(&self.dir, &index.stored.manifest);
            unnamed.retain(|path| !named.contains(path));
        }
        if unnamed.is_empty() {
            return Ok(());
        }
        // The manifest may be of a process that died before it was durable: the one before it would
        // need these files.
        self.storage
            .sync_folder(&self.dir)
            .map_err(Error::io(&self.dir, "sync"))?;
        for path in unnamed {
            // What cannot be deleted now, the next call will.
            let _ = self.storage.remove(&path);
        }
        Ok(())
    }
}

/// What a clock says, in milliseconds since 1970; 0 without one.
pub(super) fn millis_of(clock: Option<fn() -> SystemTime>) -> u64 {
    let since = clock.and_then(|clock| clock().duration_since(UNIX_EPOCH).ok());
    since.map_or(0, |since| since.as_millis() as u64)
}

/// Whether a commit changes which videos are live.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Videos {
    /// All are those of the commit before.
    Same,
    /// Some are added or removed.
    Others,
}

/// Keys up to which segments are merged: some 80 hours of video, and some 300 MB of memory to
/// merge.
pub const SEGMENT_MAX_KEYS: u32 = 1 << 23;
