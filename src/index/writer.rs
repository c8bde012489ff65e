//! Adds, removes, commits and merges; every change of an index goes through here.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::assemble::{self, Entries, Merge, Pending};
use super::format;
use super::graph::Built;
use super::leftovers::{self, named_files, unnamed_files};
use super::lock::Lock;
use super::manifest::{self, GraphEntry, Manifest, SegmentEntry, Stored};
use super::merging::{Candidate, Merging, groups_to_merge};
use super::newest;
use super::segment::Segment;
use super::snapshot::{Graphs, Index, LiveSegment, matches};
use super::storage::{self, Disk, Storage};
use super::times;
use super::upkeep::{Watch, build_all, stop_if};
use super::video::{IndexConfig, Role, Video, VideoRef};
use super::{GraphPolicy, IndexState};
use crate::error::{Error, Result};
use crate::fingerprint::{Motion, Run};

/// The one that may change an index; others get [`Error::Locked`] until it is dropped or its process ends.
///
/// What is added or removed is kept in memory until [`Writer::commit`]; dropping the writer forgets it.
#[derive(Debug)]
pub struct Writer {
    pub(super) dir: PathBuf,
    config: IndexConfig,
    pub(super) storage: Arc<dyn Storage>,
    /// The last commit; `None` before the first.
    pub(super) index: Option<Index>,
    pending: Pending,
    /// Benign material, which gets segments of its own.
    pending_benign: Pending,
    pending_sha256: HashSet<[u8; 32]>,
    /// Committed videos to be removed by the next commit.
    removed: BTreeSet<VideoRef>,
    /// Committed videos of which the next commit says something else.
    pub(super) corrected: BTreeMap<VideoRef, Video>,
    /// What the time of a commit is taken from, if it is to be noted.
    clock: Option<fn() -> SystemTime>,
    /// Number for the next files: only grows, so that no name is used twice even after a failed commit, and above all that are
    /// there, whatever the manifest says.
    next_number: u64,
    _lock: Lock,
}

impl Writer {
    /// Opens an index for writing, and creates its folder if there is none; the first commit makes it an index.
    ///
    /// # Errors
    /// [`Error::Locked`] if somebody else is writing, [`Error::IncompatibleIndex`] if the index has another format,
    /// fingerprint version or interval, [`Error::CorruptIndex`], and [`Error::Io`].
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

    /// As [`Writer::open_or_create`] with a configuration, else as [`Writer::open`]; all writing goes to `storage`.
    pub(crate) fn on(storage: Arc<dyn Storage>, dir: &Path, config: Option<IndexConfig>) -> Result<Writer> {
        if config.is_some() {
            storage::create_folder(&*storage, dir)?;
            if !Index::exists(dir) {
                // Whoever made the folder may have died before its name was durable.
                storage::sync_parent(&*storage, dir)?;
            }
        } else if !Index::exists(dir) {
            return Err(Error::NoIndex { path: dir.to_owned() });
        }
        let lock = Lock::acquire(&dir.join("lock"))?;
        let index = match newest::load(dir)? {
            Some(stored) => {
                manifest::check_config(dir, &stored.manifest.config, config.as_ref())?;
                newest::note_found(&*storage, dir, &stored)?;
                let index = Index::load(dir, stored, None, Graphs::IfGood)?;
                index.check_names()?;
                Some(index)
            }
            None => None,
        };
        let Some(config) = index.as_ref().map(|index| index.stored.manifest.config).or(config) else {
            return Err(Error::NoIndex { path: dir.to_owned() });
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
            index,
            pending: Pending::default(),
            pending_benign: Pending::default(),
            pending_sha256: HashSet::new(),
            removed: BTreeSet::new(),
            corrected: BTreeMap::new(),
            clock: None,
            _lock: lock,
        })
    }

    /// Notes from now on when each commit was made and each video was added: see [`Index::times`].
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

    /// Whether a video of this SHA-256, of whatever role, is committed and not to be removed, or waits for the commit.
    pub fn contains(&self, sha256: &[u8; 32]) -> bool {
        let committed = self
            .index
            .as_ref()
            .is_some_and(|index| index.by_sha256(sha256).is_some_and(|video| !self.removed.contains(&video)));
        committed || self.pending_sha256.contains(sha256)
    }

    /// Adds a source with its runs, to be written by the next commit; `false` if the video is there already, as whatever. Nothing
    /// is known of what moves in it: see [`Writer::add_as`].
    ///
    /// [`Video::id`] is set from the SHA-256. A run takes 56 bytes of memory until the commit, and a
    /// picture of what moves in it some 116.
    ///
    /// # Errors
    /// [`Error::InvalidSetting`] if the video alone has more runs than a segment may have ([`SEGMENT_MAX_KEYS`]).
    pub fn add(&mut self, video: Video, runs: Vec<Run>) -> Result<bool> {
        self.add_as(Role::Source, video, runs, &Motion::default())
    }

    /// As [`Writer::add`], for a video of any role, and with what moves in it, which tells the moments of a still scene apart.
    ///
    /// # Errors
    /// Those of [`Writer::add`].
    pub fn add_as(&mut self, role: Role, mut video: Video, runs: Vec<Run>, motion: &Motion) -> Result<bool> {
        if self.contains(&video.sha256) {
            return Ok(false);
        }
        if runs.len() > SEGMENT_MAX_KEYS as usize {
            return Err(Error::InvalidSetting {
                name: "number of keys of one video",
                found: runs.len().to_string(),
                expected: "at most 800000; split the video, or sample it with a longer interval",
            });
        }
        video.id = format::hex(&video.sha256[..8]);
        self.pending_sha256.insert(video.sha256);
        self.pending_in(role).add(video, &runs, motion);
        Ok(true)
    }

    fn pending_in(&mut self, role: Role) -> &mut Pending {
        match role {
            Role::Source => &mut self.pending,
            Role::Benign => &mut self.pending_benign,
        }
    }

    /// Videos that wait for the commit.
    pub fn pending(&self) -> usize {
        self.pending.videos.len() + self.pending_benign.videos.len()
    }

    /// Runs that wait for the commit.
    pub fn pending_keys(&self) -> usize {
        self.pending.postings() + self.pending_benign.postings()
    }

    /// Marks the sources that a selector (see [`Index::find`]) means for removal by the next commit, and counts them.
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
        if let Some(index) = &self.index {
            for video in index.find_in_role(selector, role) {
                count += usize::from(self.removed.insert(video));
            }
        }
        let before = self.pending();
        let pending = self.pending_in(role);
        if pending.videos.iter().any(|video| matches(video, selector)) {
            pending.retain(|video| !matches(video, selector));
            let waiting = self.pending.videos.iter().chain(&self.pending_benign.videos);
            self.pending_sha256 = waiting.map(|video| video.sha256).collect();
        }
        Ok(count + before - self.pending())
    }

    /// Writes what waits as a segment, or several if it is more than one should hold, and replaces the manifest; without
    /// anything waiting, does nothing.
    ///
    /// When this returns, the commit is durable. If it fails, what waits still waits; an index opened then is as before,
    /// or, if only the last sync failed, as after.
    ///
    /// # Errors
    /// [`Error::Io`], naming the file.
    pub fn commit(&mut self) -> Result<IndexState> {
        if let Some(index) = &self.index
            && self.pending() == 0
            && self.removed.is_empty()
            && self.corrected.is_empty()
        {
            return Ok(index.state().clone());
        }
        let mut manifest = self.next_manifest();
        for video in &self.removed {
            manifest.segments[video.segment as usize].tombstones.push(video.video);
        }
        for entry in &mut manifest.segments {
            entry.tombstones.sort_unstable();
        }
        self.correct(&mut manifest)?;
        for role in [Role::Source, Role::Benign] {
            let mut pending = std::mem::take(self.pending_in(role));
            let written = pending.parts(SEGMENT_MAX_KEYS as usize).try_for_each(|part| {
                manifest.segments.push(self.write_segment(&part, role)?);
                Ok(())
            });
            *self.pending_in(role) = pending;
            written?;
        }
        self.replace_manifest(manifest)?;
        self.pending = Pending::default();
        self.pending_benign = Pending::default();
        self.pending_sha256.clear();
        self.removed.clear();
        self.corrected.clear();
        self.state()
    }

    /// Commits what waits, merges where small or worn segments have piled up, builds missing graphs, and deletes files no
    /// longer named.
    ///
    /// Segments are merged when more than eight are of about one size, or together large enough for a graph that
    /// `policy` wants; a segment is worn, and written anew without its removed videos, when a fifth of its postings is theirs.
    /// Each step is a commit, and readers go on meanwhile. Merging takes little memory; building a graph takes 1 to 3 ms
    /// and about 3 kB of memory a key, and one thread a segment. Benign material is merged for itself and gets no graph.
    ///
    /// # Errors
    /// [`Error::Cancelled`] as soon as the caller says so (finished steps stay), [`Error::Io`], and [`Error::CorruptIndex`] if
    /// something that is merged is damaged.
    pub fn maintain<'a>(&mut self, policy: GraphPolicy, watch: impl Into<Watch<'a>>) -> Result<()> {
        self.upkeep(policy, Merging::WhenDue, watch.into())
    }

    /// As [`Writer::maintain`], but merges all that can be: afterwards no removed video takes space, and neighbouring
    /// segments of less than [`GRAPH_MIN_KEYS`] are one as far as [`SEGMENT_MAX_KEYS`] allows. A damaged graph is replaced
    /// or left out.
    ///
    /// # Errors
    /// Those of [`Writer::maintain`].
    pub fn compact<'a>(&mut self, policy: GraphPolicy, watch: impl Into<Watch<'a>>) -> Result<()> {
        self.upkeep(policy, Merging::All, watch.into())
    }

    fn upkeep(&mut self, policy: GraphPolicy, merging: Merging, watch: Watch<'_>) -> Result<()> {
        // First, since what a crash or an interrupted call left may be the room that this one needs.
        self.delete_unnamed()?;
        self.commit()?;
        if merging == Merging::All {
            self.drop_bad_graphs()?;
        }
        for group in self.groups_to_merge(policy, merging) {
            stop_if(watch.cancel)?;
            self.merge(&group)?;
            self.delete_unnamed()?;
        }
        let least = match policy {
            GraphPolicy::Always => 1,
            GraphPolicy::Auto => GRAPH_MIN_KEYS,
            GraphPolicy::Never => u32::MAX,
        };
        self.build_graphs(least, watch)?;
        self.delete_unnamed()
    }

    fn state(&self) -> Result<IndexState> {
        let no_index = || Error::NoIndex { path: self.dir.clone() };
        let index = self.index.as_ref().ok_or_else(no_index)?;
        Ok(index.state().clone())
    }

    /// A copy of the manifest for the next commit.
    fn next_manifest(&self) -> Manifest {
        let mut manifest = match &self.index {
            Some(index) => {
                let mut manifest = index.stored.manifest.clone();
                for (entry, live) in manifest.segments.iter_mut().zip(&index.segments) {
                    if live.graph.is_none() && matches!(entry.graph, GraphEntry::Built { .. }) {
                        // It could not be opened. Without it the segment is whole, with it nobody could read.
                        entry.graph = GraphEntry::None;
                    }
                }
                manifest
            }
            None => Manifest::new(self.config),
        };
        manifest.generation += 1;
        manifest.written_by = env!("CARGO_PKG_VERSION").to_owned();
        manifest
    }

    /// Opens all that a manifest names, and then makes it the index.
    fn replace_manifest(&mut self, mut manifest: Manifest) -> Result<()> {
        manifest.next_number = self.next_number;
        let (stored, body) = Stored::encode(manifest, &self.dir)?;
        let index = Index::load(&self.dir, stored, self.index.as_ref(), Graphs::Needed)?;
        if let Some(clock) = self.clock {
            let waiting = self.pending.videos.iter().chain(&self.pending_benign.videos);
            times::note(&self.dir, &index.state().root, clock(), waiting.map(|video| video.id.as_str()));
        }
        manifest::write(&*self.storage, &self.dir, &body)?;
        newest::note(&*self.storage, &self.dir, &index.stored);
        self.index = Some(index);
        Ok(())
    }

    /// Writes a segment's file; nothing refers to it yet.
    pub(super) fn write_segment(&mut self, entries: &dyn Entries, role: Role) -> Result<SegmentEntry> {
        let number = self.next_number;
        self.next_number += 1;
        let path = manifest::segment_path(&self.dir, number);
        let written = assemble::write(&*self.storage, &path, entries)?;
        Ok(SegmentEntry {
            number,
            file: written.file,
            keys: written.keys,
            videos: written.videos,
            tombstones: Vec::new(),
            graph: GraphEntry::None,
            role,
        })
    }

    /// Numbers of the segments to be written anew, in groups that become one each.
    fn groups_to_merge(&self, policy: GraphPolicy, merging: Merging) -> Vec<Vec<u64>> {
        let Some(index) = &self.index else {
            return Vec::new();
        };
        let of_role = |role, policy| {
            let segments = index.segments.iter().filter(|live| live.role == role);
            groups_to_merge(&segments.map(Candidate::of).collect::<Vec<_>>(), policy, merging)
        };
        let mut groups = of_role(Role::Source, policy);
        groups.extend(of_role(Role::Benign, GraphPolicy::Never));
        groups
    }

    /// Replaces some segments of one role by one with their live videos; it takes the place of the first.
    fn merge(&mut self, group: &[u64]) -> Result<()> {
        let segments = self.index.iter().flat_map(|index| &index.segments);
        let chosen: Vec<_> = segments.filter(|live| group.contains(&live.number)).collect();
        let role = chosen.first().map(|live| live.role).unwrap_or_default();
        let merge = Merge::new(chosen.iter().map(|live| (&live.segment, &live.dead[..])));
        let merged = if merge.videos().is_empty() { None } else { Some(self.write_segment(&merge, role)?) };
        let mut manifest = self.next_manifest();
        let first = manifest.segments.iter().position(|entry| group.contains(&entry.number));
        manifest.segments.retain(|entry| !group.contains(&entry.number));
        if let (Some(place), Some(merged)) = (first, merged) {
            manifest.segments.insert(place, merged);
        }
        self.replace_manifest(manifest)
    }

    /// Forgets graphs that are missing or damaged; their segments are whole without them.
    fn drop_bad_graphs(&mut self) -> Result<()> {
        let Some(index) = &self.index else {
            return Ok(());
        };
        let is_bad = |(live, entry): (&LiveSegment, &SegmentEntry)| match (&live.graph, &entry.graph) {
            (Some(graph), _) => graph.file().verify_blocks().is_err() || graph.check(&live.segment).is_err(),
            (None, graph) => matches!(graph, GraphEntry::Built { .. }),
        };
        let bad: Vec<bool> = index.segments.iter().zip(&index.stored.manifest.segments).map(is_bad).collect();
        if !bad.contains(&true) {
            return Ok(());
        }
        let mut manifest = self.next_manifest();
        for (entry, _) in manifest.segments.iter_mut().zip(&bad).filter(|(_, bad)| **bad) {
            entry.graph = GraphEntry::None;
        }
        self.replace_manifest(manifest)
    }

    /// Builds the missing graphs of segments of at least so many keys, several at a time on rayon's threads, and commits
    /// each, or that it was refused.
    fn build_graphs(&mut self, least: u32, watch: Watch<'_>) -> Result<()> {
        let Some(index) = &self.index else {
            return Ok(());
        };
        let segments = index.segments.iter().zip(&index.stored.manifest.segments);
        let missing: Vec<(u64, Arc<Segment>)> = segments
            .filter(|(_, entry)| entry.role == Role::Source && entry.graph == GraphEntry::None)
            .filter(|(_, entry)| entry.keys >= least.max(1))
            .map(|(live, _)| (live.number, Arc::clone(&live.segment)))
            .collect();
        if missing.is_empty() {
            return stop_if(watch.cancel);
        }
        build_all(missing, watch, &mut |number, segment, built| self.add_graph(number, segment, built))
    }

    pub(super) fn add_graph(&mut self, number: u64, segment: &Segment, built: Built) -> Result<()> {
        let entry = match built {
            Built::Accepted { graph, recall } => {
                let path = manifest::graph_path(&self.dir, number);
                GraphEntry::Built { file: graph.write(&*self.storage, &path, segment.file().checksum())?, recall }
            }
            Built::Refused { recall } => GraphEntry::Refused { recall },
        };
        let mut manifest = self.next_manifest();
        if let Some(segment) = manifest.segments.iter_mut().find(|segment| segment.number == number) {
            segment.graph = entry;
        }
        self.replace_manifest(manifest)
    }

    /// Deletes our own files that the manifest does not name: merged away, or left by a crash.
    fn delete_unnamed(&self) -> Result<()> {
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
        // The manifest may be of a process that died before it was durable: the one before it would need these files.
        self.storage.sync_folder(&self.dir).map_err(Error::io(&self.dir, "sync"))?;
        for path in unnamed {
            // What cannot be deleted now, the next call will.
            let _ = self.storage.remove(&path);
        }
        Ok(())
    }
}

/// Distinct keys from which [`GraphPolicy::Auto`] builds a graph: some 4 hours of real footage, of which an hour has about
/// 104 000.
///
/// So many keys are scanned in 55 us with AVX-512, and in some three and eight times as long with AVX2 and with neither (one
/// core). A query in a graph of keys in families took 128 us at this size, one in a graph of 300 000 unrelated keys 222 us.
/// So a graph pays without AVX-512; which is used is decided by size and processor each time:
/// [`SearchMode::Auto`](super::SearchMode::Auto).
pub const GRAPH_MIN_KEYS: u32 = 400_000;
/// Distinct keys up to which segments are merged: some 26 hours of video, and 2.5 GB of memory to build a graph.
pub const SEGMENT_MAX_KEYS: u32 = 800_000;
