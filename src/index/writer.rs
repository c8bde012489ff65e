//! Adds, removes, commits and merges: every change of an index goes through here.

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

/// The only handle that can change an index. Others get [`Error::Locked`] until it is dropped or
/// its process ends.
///
/// Additions and removals stay in memory until [`Writer::commit`]; dropping the writer discards
/// them.
#[derive(Debug)]
pub struct Writer {
    pub(super) dir: PathBuf,
    config: IndexConfig,
    pub(super) storage: Arc<dyn Storage>,
    /// The last commit; `None` before the first.
    pub(super) index: Option<Index>,
    pending: Pending,
    /// Role of the videos in `pending`: sources or submissions.
    searched: Role,
    /// Benign material, which gets its own segments.
    pending_benign: Pending,
    pending_sha256: HashSet<[u8; 32]>,
    /// Committed videos to be removed by the next commit.
    removed: BTreeSet<VideoRef>,
    /// Committed videos with new facts for the next commit.
    pub(super) corrected: BTreeMap<VideoRef, Correction>,
    /// The commits before `index`.
    history: History,
    /// Whether `index` may not be durable: it was found on disk after a commit that failed.
    unsynced: bool,
    /// Source of commit times; `None` records no times.
    clock: Option<fn() -> SystemTime>,
    /// The measurement of screening for the next commit.
    screening: Option<Screening>,
    /// Number for the next files. It only grows, so that no name is used twice even after a failed
    /// commit. It is above the numbers of all existing files, whatever the manifest says.
    next_number: u64,
    _lock: Lock,
}

impl Writer {
    /// Opens an index for writing, and creates its folder if it is missing. The first commit makes
    /// it an index.
    ///
    /// # Errors
    /// [`Error::Locked`] if somebody else is writing, [`Error::IncompatibleIndex`] if the index has
    /// another format, fingerprint version or interval, [`Error::CorruptIndex`], and [`Error::Io`].
    pub fn open_or_create(dir: &Path, config: IndexConfig) -> Result<Writer> {
        Writer::on(Arc::new(Disk), dir, Some(config))
    }

    /// Opens an existing index for writing, whatever its interval.
    ///
    /// # Errors
    /// [`Error::NoIndex`] if there is none, and those of [`Writer::open_or_create`].
    pub fn open(dir: &Path) -> Result<Writer> {
        Writer::on(Arc::new(Disk), dir, None)
    }

    /// As [`Writer::open_or_create`] with a configuration, else as [`Writer::open`]. All writing
    /// goes through `storage`.
    pub(crate) fn on(
        storage: Arc<dyn Storage>,
        dir: &Path,
        config: Option<IndexConfig>,
    ) -> Result<Writer> {
        if config.is_some() {
            storage::create_folder(&*storage, dir)?;
            if !Index::exists(dir) {
                // The process that created the folder may have died before its name was durable.
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

    /// As [`Writer::on`], for a caller that already has the lock.
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

    /// From now on records when each commit was made and each video was added: see
    /// [`Index::committed_at`].
    #[must_use]
    pub fn with_clock(mut self, clock: fn() -> SystemTime) -> Writer {
        self.clock = Some(clock);
        self
    }

    /// The settings that fix the meaning of the keys to add.
    pub fn config(&self) -> IndexConfig {
        self.config
    }

    /// The last commit; `None` before the first.
    pub fn committed(&self) -> Option<&Index> {
        self.index.as_ref()
    }

    /// Whether a video with this SHA-256, of any role, is committed and not marked for removal, or
    /// waits for the commit.
    pub fn contains(&self, sha256: &[u8; 32]) -> bool {
        let committed = self.index.as_ref().is_some_and(|index| {
            index
                .by_sha256(sha256)
                .is_some_and(|video| !self.removed.contains(&video))
        });
        committed || self.pending_sha256.contains(sha256)
    }

    /// Adds a source with its runs; the next commit writes it. Returns `false` if the video is
    /// already indexed in any role. Its motion is unknown: see [`Writer::add_as`].
    ///
    /// Sets [`Video::id`] from the SHA-256. Until the commit, a run takes 48 bytes of memory, and a
    /// picture of motion about 116.
    ///
    /// # Errors
    /// [`Error::InvalidSetting`] if the video alone has more runs than a segment may have
    /// ([`SEGMENT_MAX_KEYS`]), and [`Error::OtherRole`] if it is a source and the index holds
    /// submissions, or the reverse.
    pub fn add(&mut self, video: Video, runs: Vec<Run>) -> Result<bool> {
        self.add_as(Role::Source, video, runs, &Motion::default())
    }

    /// As [`Writer::add`], for a video of any role and with its motion, which distinguishes moments
    /// of a still scene.
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

    /// Adopts the role for all searched videos of this index, or fails if they have another one.
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

    /// Marks the sources that match a selector (see [`Index::find`]) for removal by the next
    /// commit, and returns their number.
    ///
    /// Videos that are added but not committed are dropped at once.
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

    /// Writes what waits as a segment, or as several if it is too much for one, and replaces the
    /// manifest. Does nothing if nothing waits.
    ///
    /// When this returns, the commit is durable. If it fails, an index opened afterwards is as
    /// before, and what waits still waits. If only the last sync failed, the index is as after,
    /// nothing waits any more, and the next commit makes it durable.
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

    /// Records with the next commit how well the screening works.
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

    /// Opens all that a manifest names, appends the previous commit to the history, and then
    /// replaces the manifest.
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
            // If only the last sync failed, readers already find this commit. A second commit with
            // its number would be unknown to the history.
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

    /// Makes a commit durable that failed but was found on disk.
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

    /// Writes a segment's file, which no manifest names yet.
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
        // Uses the manifest on disk, which may be newer than ours after a failed sync.
        let Some(stored) = Manifest::load(&self.dir)? else {
            return Ok(());
        };
        let mut unnamed = unnamed_files(&self.dir, &stored.manifest)?;
        if let Some(index) = &self.index {
            // Also keeps what our manifest names: the next commit starts from it.
            let named = named_files(&self.dir, &index.stored.manifest);
            unnamed.retain(|path| !named.contains(path));
        }
        if unnamed.is_empty() {
            return Ok(());
        }
        // A process may have died before its manifest was durable. After a power failure, the
        // previous manifest would need these files.
        self.storage
            .sync_folder(&self.dir)
            .map_err(Error::io(&self.dir, "sync"))?;
        for path in unnamed {
            // The next call deletes what cannot be deleted now.
            let _ = self.storage.remove(&path);
        }
        Ok(())
    }
}

/// A clock's time in milliseconds since 1970; 0 without a clock.
pub(super) fn millis_of(clock: Option<fn() -> SystemTime>) -> u64 {
    let since = clock.and_then(|clock| clock().duration_since(UNIX_EPOCH).ok());
    since.map_or(0, |since| since.as_millis() as u64)
}

/// Whether a commit changes the set of live videos.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Videos {
    /// The set is that of the previous commit.
    Same,
    /// Some are added or removed.
    Others,
}

/// Maximum number of keys in a merged segment: some 80 hours of video, and some 300 MB of memory to
/// merge.
pub const SEGMENT_MAX_KEYS: u32 = 1 << 23;
