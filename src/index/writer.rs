//! Adds, removes, commits and merges; every change of an index goes through here.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::files::{self, TEMPORARY_PREFIX};
use super::format;
use super::graph::{self, Built};
use super::lock::Lock;
use super::manifest::{self, FileEntry, GraphEntry, Manifest, SegmentEntry, Stored};
use super::segment::SegmentBuilder;
use super::snapshot::{Index, matches};
use super::video::{IndexConfig, Video, VideoRef};
use super::{GraphPolicy, IndexState};
use crate::error::{Error, Result};
use crate::fingerprint::Run;

/// The one that may change an index; others get [`Error::Locked`] until it is dropped or its process ends.
///
/// What is added or removed is kept in memory until [`Writer::commit`]; dropping the writer forgets it.
#[derive(Debug)]
pub struct Writer {
    dir: PathBuf,
    config: IndexConfig,
    /// The last commit; `None` before the first.
    index: Option<Index>,
    pending: SegmentBuilder,
    pending_sha256: HashSet<[u8; 32]>,
    /// Committed videos to be removed by the next commit.
    removed: BTreeSet<VideoRef>,
    /// Number for the next files: only grows, so that no name is used twice even after a failed commit.
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
        files::create_folder(dir)?;
        let lock = Lock::acquire(&dir.join("lock"))?;
        let index = match Manifest::load(dir)? {
            Some(stored) => {
                manifest::check_config(dir, &stored.manifest.config, &config)?;
                Some(Index::load(dir, stored, None)?)
            }
            None => None,
        };
        files::create_folder(&manifest::segments_path(dir))?;
        Ok(Writer {
            dir: dir.to_owned(),
            config,
            next_number: index.as_ref().map_or(1, |index| index.stored.manifest.next_number),
            index,
            pending: SegmentBuilder::default(),
            pending_sha256: HashSet::new(),
            removed: BTreeSet::new(),
            _lock: lock,
        })
    }

    /// Whether a video of this SHA-256 is committed and not to be removed, or waits for the commit.
    pub fn contains(&self, sha256: &[u8; 32]) -> bool {
        let committed = self
            .index
            .as_ref()
            .is_some_and(|index| index.by_sha256(sha256).is_some_and(|video| !self.removed.contains(&video)));
        committed || self.pending_sha256.contains(sha256)
    }

    /// Adds a video with its runs, to be written by the next commit; `false` if it is there already.
    ///
    /// [`Video::id`] is set from the SHA-256. A run takes 56 bytes of memory until the commit.
    ///
    /// # Errors
    /// [`Error::InvalidSetting`] if a single commit would get 2^32 runs or more.
    pub fn add(&mut self, mut video: Video, runs: Vec<Run>) -> Result<bool> {
        if self.contains(&video.sha256) {
            return Ok(false);
        }
        let postings = self.pending.postings() as u64 + runs.len() as u64;
        if postings >= u64::from(u32::MAX) {
            return Err(Error::InvalidSetting {
                name: "number of keys in one commit",
                found: postings.to_string(),
                expected: "less than 4294967295; commit more often",
            });
        }
        video.id = format::hex(&video.sha256[..8]);
        self.pending_sha256.insert(video.sha256);
        self.pending.add(video, &runs);
        Ok(true)
    }

    /// Videos that wait for the commit.
    pub fn pending(&self) -> usize {
        self.pending.videos.len()
    }

    /// Runs that wait for the commit.
    pub fn pending_keys(&self) -> usize {
        self.pending.postings()
    }

    /// Marks the videos that a selector (see [`Index::find`]) means for removal by the next commit, and counts them.
    ///
    /// Videos that have only been added and not committed are taken back at once.
    ///
    /// # Errors
    /// None at present.
    pub fn remove(&mut self, selector: &str) -> Result<usize> {
        let mut count = 0;
        if let Some(index) = &self.index {
            for video in index.find(selector) {
                count += usize::from(self.removed.insert(video));
            }
        }
        let pending = self.pending.videos.len();
        if self.pending.videos.iter().any(|video| matches(video, selector)) {
            self.pending.retain(|video| !matches(video, selector));
            self.pending_sha256 = self.pending.videos.iter().map(|video| video.sha256).collect();
        }
        Ok(count + pending - self.pending.videos.len())
    }

    /// Writes what waits as one segment and replaces the manifest; without anything waiting, does nothing.
    ///
    /// When this returns, the commit is durable; if it fails, the index is as before and what waits still waits.
    ///
    /// # Errors
    /// [`Error::Io`], naming the file.
    pub fn commit(&mut self) -> Result<IndexState> {
        if let Some(index) = &self.index
            && self.pending.videos.is_empty()
            && self.removed.is_empty()
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
        if !self.pending.videos.is_empty() {
            let mut builder = std::mem::take(&mut self.pending);
            let written = self.write_segment(&mut builder);
            self.pending = builder;
            manifest.segments.push(written?);
        }
        self.replace_manifest(manifest)?;
        self.pending = SegmentBuilder::default();
        self.pending_sha256.clear();
        self.removed.clear();
        self.state()
    }

    /// Commits what waits, merges small and worn segments, builds missing graphs, and deletes files no longer named.
    ///
    /// Small segments are merged when there are more than eight of them; a segment is worn, and written anew without
    /// its removed videos, when they are more than a fifth. Each step is a commit. Building a graph takes 1 to 3 ms and
    /// about 3 kB of memory a key.
    ///
    /// # Errors
    /// [`Error::Cancelled`] as soon as `cancel` says so (finished steps stay), and [`Error::Io`].
    pub fn maintain(&mut self, policy: GraphPolicy, cancel: &dyn Fn() -> bool) -> Result<()> {
        self.commit()?;
        for group in self.groups_to_merge() {
            stop_if(cancel)?;
            self.merge(&group)?;
        }
        let least = match policy {
            GraphPolicy::Always => 1,
            GraphPolicy::Auto => GRAPH_MIN_KEYS,
            GraphPolicy::Never => u32::MAX,
        };
        for number in self.segments_without_graph(least) {
            stop_if(cancel)?;
            self.build_graph(number, cancel)?;
        }
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
            Some(index) => index.stored.manifest.clone(),
            None => Manifest::new(self.config),
        };
        manifest.generation += 1;
        manifest.written_by = env!("CARGO_PKG_VERSION").to_owned();
        manifest
    }

    /// Opens and so verifies all that a manifest names, and then makes it the index.
    fn replace_manifest(&mut self, mut manifest: Manifest) -> Result<()> {
        manifest.next_number = self.next_number;
        let (stored, bytes) = Stored::encode(manifest, &self.dir)?;
        let index = Index::load(&self.dir, stored, self.index.as_ref())?;
        files::replace(&manifest::manifest_path(&self.dir), &bytes)?;
        self.index = Some(index);
        Ok(())
    }

    /// Writes a segment's file; nothing refers to it yet.
    fn write_segment(&mut self, builder: &mut SegmentBuilder) -> Result<SegmentEntry> {
        let number = self.next_number;
        self.next_number += 1;
        let path = manifest::segment_path(&self.dir, number);
        let (bytes, keys) = builder.encode(&path)?;
        files::replace(&path, &bytes)?;
        Ok(SegmentEntry {
            number,
            file: FileEntry::of(&bytes),
            keys,
            videos: builder.videos.len() as u32,
            tombstones: Vec::new(),
            graph: GraphEntry::None,
        })
    }

    /// Places of the segments to be written anew, in groups that become one each.
    fn groups_to_merge(&self) -> Vec<Vec<u64>> {
        let Some(index) = &self.index else {
            return Vec::new();
        };
        let entries = &index.stored.manifest.segments;
        let is_worn = |entry: &SegmentEntry| entry.tombstones.len() as u64 * WORN_DIVISOR > u64::from(entry.videos);
        let is_small = |entry: &SegmentEntry| entry.keys < SEGMENT_MAX_KEYS / 2;
        let merge_small = entries.iter().filter(|entry| is_small(entry)).count() > SMALL_SEGMENTS_MAX;

        let mut groups: Vec<Vec<u64>> = Vec::new();
        let mut keys_in_last = u32::MAX;
        let chosen = |entry: &&SegmentEntry| is_worn(entry) || (merge_small && is_small(entry));
        for entry in entries.iter().filter(chosen) {
            // The sum is an upper bound: a merge can only lose keys.
            let sum = keys_in_last.saturating_add(entry.keys);
            match groups.last_mut() {
                Some(group) if sum <= SEGMENT_MAX_KEYS => {
                    group.push(entry.number);
                    keys_in_last = sum;
                }
                _ => {
                    groups.push(vec![entry.number]);
                    keys_in_last = entry.keys;
                }
            }
        }
        let worn: HashSet<u64> = entries.iter().filter(|e| is_worn(e)).map(|e| e.number).collect();
        groups.retain(|group| group.len() > 1 || worn.contains(&group[0]));
        groups
    }

    /// Replaces some segments by one with their live videos; it takes the place of the first.
    fn merge(&mut self, group: &[u64]) -> Result<()> {
        let mut builder = SegmentBuilder::default();
        let segments = self.index.iter().flat_map(|index| &index.segments);
        for live in segments.filter(|live| group.contains(&live.number)) {
            builder.add_live(&live.segment, &live.dead);
        }
        let merged = if builder.videos.is_empty() { None } else { Some(self.write_segment(&mut builder)?) };
        let mut manifest = self.next_manifest();
        let first = manifest.segments.iter().position(|entry| group.contains(&entry.number));
        manifest.segments.retain(|entry| !group.contains(&entry.number));
        if let (Some(place), Some(merged)) = (first, merged) {
            manifest.segments.insert(place, merged);
        }
        self.replace_manifest(manifest)
    }

    fn segments_without_graph(&self, least: u32) -> Vec<u64> {
        let entries = self.index.iter().flat_map(|index| &index.stored.manifest.segments);
        entries
            .filter(|entry| entry.keys >= least.max(1) && entry.graph == GraphEntry::None)
            .map(|entry| entry.number)
            .collect()
    }

    /// Builds, measures and commits the graph of a segment, or commits that it was refused.
    fn build_graph(&mut self, number: u64, cancel: &dyn Fn() -> bool) -> Result<()> {
        let Some(index) = &self.index else {
            return Ok(());
        };
        let entries = index.stored.manifest.segments.iter();
        let Some((place, (live, entry))) =
            index.segments.iter().zip(entries).enumerate().find(|(_, (live, _))| live.number == number)
        else {
            return Ok(());
        };
        let built = graph::build(&live.segment, entry.file.checksum, cancel)?;
        let entry = match built {
            Built::Accepted { bytes, recall } => {
                files::replace(&manifest::graph_path(&self.dir, number), &bytes)?;
                GraphEntry::Built { file: FileEntry::of(&bytes), recall }
            }
            Built::Refused { recall } => GraphEntry::Refused { recall },
        };
        let mut manifest = self.next_manifest();
        manifest.segments[place].graph = entry;
        self.replace_manifest(manifest)
    }

    /// Deletes our own files that the manifest does not name: merged away, or left by a crash.
    fn delete_unnamed(&self) -> Result<()> {
        let Some(index) = &self.index else {
            return Ok(());
        };
        let mut named = HashSet::new();
        for entry in &index.stored.manifest.segments {
            named.insert(manifest::segment_path(&self.dir, entry.number));
            if matches!(entry.graph, GraphEntry::Built { .. }) {
                named.insert(manifest::graph_path(&self.dir, entry.number));
            }
        }
        let folder = manifest::segments_path(&self.dir);
        for file in fs::read_dir(&folder).map_err(Error::io(&folder, "list"))? {
            let path = file.map_err(Error::io(&folder, "list"))?.path();
            if is_ours(&path) && !named.contains(&path) {
                // Where a mapped file cannot be deleted, the next call will.
                let _ = fs::remove_file(&path);
            }
        }
        let _ = fs::remove_file(self.dir.join(format!("{TEMPORARY_PREFIX}manifest")));
        Ok(())
    }
}

/// Whether a name in the folder of segments is one that we give.
fn is_ours(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let stem = name.strip_suffix(".seg").or(name.strip_suffix(".graph"));
    let numbered = stem.is_some_and(|stem| stem.bytes().all(|digit| digit.is_ascii_digit()));
    numbered || name.starts_with(TEMPORARY_PREFIX)
}

fn stop_if(cancel: &dyn Fn() -> bool) -> Result<()> {
    if cancel() { Err(Error::Cancelled) } else { Ok(()) }
}

/// Distinct keys from which [`GraphPolicy::Auto`] builds a graph: some 13 hours of real footage at a keyframe a second.
///
/// A query costs about 0.15 ms in a graph with a beam of 128, and so many keys are scanned in 0.6 ms with POPCNT, 0.3
/// with AVX2 and 0.08 with AVX-512 (one core): [`SearchMode::Auto`](super::SearchMode::Auto) decides by the processor.
pub const GRAPH_MIN_KEYS: u32 = 400_000;
/// Distinct keys up to which segments are merged: some 26 hours of video, and 2.5 GB of memory to build a graph.
pub const SEGMENT_MAX_KEYS: u32 = 800_000;
/// Segments of less than half of [`SEGMENT_MAX_KEYS`] that may stand before they are merged.
const SMALL_SEGMENTS_MAX: usize = 8;
/// A segment is worn when more than one in this many of its videos has been removed.
const WORN_DIVISOR: u64 = 5;
