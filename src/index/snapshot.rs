//! An opened index: one commit, as it was, for as long as it is held.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rayon::prelude::*;

use super::files::BlockFile;
use super::format::{self, GRAPH_MAGIC, SEGMENT_MAGIC, hex};
use super::graph::Graph;
use super::manifest::{self, FileEntry, GraphEntry, SegmentEntry, Stored};
use super::newest;
use super::posting;
use super::scan::{self, Kernel};
use super::segment::Segment;
use super::times::Times;
use super::video::{Role, Video, VideoRef};
use super::{IndexState, Neighbour, Neighbours, Posting, SearchMode};
use crate::error::{Error, Result};
use crate::fingerprint::{FINGERPRINT_VERSION, Key, Motion, Run};

/// An opened index; immutable, and shared freely between threads.
///
/// Later commits do not change it, nor does deleting its files: open again to see what is new.
#[derive(Debug)]
pub struct Index {
    dir: PathBuf,
    pub(crate) stored: Stored,
    state: IndexState,
    pub(crate) segments: Vec<LiveSegment>,
    /// Made when first asked for: a search does not need them.
    names: OnceLock<Names>,
    times: OnceLock<Times>,
}

/// The live videos by what they are called.
#[derive(Debug)]
struct Names {
    /// Sources by path, then by SHA-256.
    sources: Vec<VideoRef>,
    /// Benign material in the same order.
    benign: Vec<VideoRef>,
    by_sha256: HashMap<[u8; 32], VideoRef>,
}

/// A segment and what the manifest says of it.
#[derive(Debug)]
pub(crate) struct LiveSegment {
    pub(crate) number: u64,
    pub(crate) segment: Arc<Segment>,
    pub(crate) graph: Option<Arc<Graph>>,
    /// What all its videos are for.
    pub(crate) role: Role,
    /// Whether each video has been removed.
    pub(crate) dead: Vec<bool>,
}

impl Index {
    /// Opens an index for searching; nothing is written.
    ///
    /// This checks that all files are there, belong together and have the right lengths, and reads the table of videos.
    /// The rest is verified piece by piece when a search first touches it, so that opening a large index is quick; and
    /// as a whole by [`verify`](super::verify()).
    ///
    /// # Errors
    /// [`Error::NoIndex`] if the folder holds none, [`Error::IncompatibleIndex`] if another version made it,
    /// [`Error::CorruptIndex`] if a file is damaged, missing or from elsewhere, or the manifest older than the newest commit that
    /// is noted, and [`Error::Io`].
    pub fn open(dir: &Path) -> Result<Index> {
        let no_index = || Error::NoIndex { path: dir.to_owned() };
        let mut stored = newest::load(dir)?.ok_or_else(no_index)?;
        for _ in 0..OPEN_ATTEMPTS {
            manifest::check_fingerprint(dir, &stored.manifest.config, FINGERPRINT_VERSION)?;
            let root = stored.root;
            match Index::load(dir, stored, None, Graphs::Needed) {
                Ok(index) => return Ok(index),
                Err(error) => {
                    // A merge may have deleted files between reading the manifest and opening them.
                    stored = newest::load(dir)?.ok_or_else(no_index)?;
                    if stored.root == root {
                        return Err(error);
                    }
                }
            }
        }
        Index::load(dir, stored, None, Graphs::Needed)
    }

    /// Whether a folder holds an index, of whatever version and condition.
    pub fn exists(dir: &Path) -> bool {
        // Something else in the manifest's place, or a manifest that is lost, is an index to be refused, and none to be built.
        manifest::manifest_path(dir).exists() || newest::exists(dir)
    }

    /// When its commits were made and its videos were added, as far as it was noted (see [`Writer::with_clock`](super::Writer::with_clock)).
    pub fn times(&self) -> &Times {
        self.times.get_or_init(|| Times::load(&self.dir))
    }

    /// The folder from which it was opened.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Size and condition.
    pub fn state(&self) -> &IndexState {
        &self.state
    }

    /// The sources that have not been removed, sorted by path.
    pub fn videos(&self) -> impl Iterator<Item = (VideoRef, &Video)> {
        self.in_role(Role::Source)
    }

    /// The videos of one role that have not been removed, sorted by path.
    pub fn in_role(&self, role: Role) -> impl Iterator<Item = (VideoRef, &Video)> {
        let names = self.names();
        let videos = match role {
            Role::Source => &names.sources,
            Role::Benign => &names.benign,
        };
        videos.iter().map(|&video| (video, self.video(video)))
    }

    /// A video of this snapshot.
    ///
    /// # Panics
    /// If the reference comes from another index or snapshot and names a video that this one does not have.
    pub fn video(&self, video: VideoRef) -> &Video {
        &self.segments[video.segment as usize].segment.videos[video.video as usize]
    }

    /// Finds sources by SHA-256 (all of it, or at least its first 8 hexadecimal digits), exact path, or URL.
    ///
    /// Sorted by path; empty if nothing matches.
    pub fn find(&self, selector: &str) -> Vec<VideoRef> {
        self.find_in_role(selector, Role::Source)
    }

    /// As [`Index::find`], among the videos of one role.
    pub fn find_in_role(&self, selector: &str, role: Role) -> Vec<VideoRef> {
        self.in_role(role).filter(|(_, video)| matches(video, selector)).map(|(video, _)| video).collect()
    }

    /// Whether a file of this SHA-256 is in the index as a source and has not been removed.
    pub fn contains(&self, sha256: &[u8; 32]) -> bool {
        self.role(sha256) == Some(Role::Source)
    }

    /// What the file of this SHA-256 is in the index for; `None` if it is not there or has been removed.
    pub fn role(&self, sha256: &[u8; 32]) -> Option<Role> {
        self.by_sha256(sha256).map(|video| self.segments[video.segment as usize].role)
    }

    pub(crate) fn by_sha256(&self, sha256: &[u8; 32]) -> Option<VideoRef> {
        self.names().by_sha256.get(sha256).copied()
    }

    /// Finds the distinct keys of sources within `radius` bits of each query.
    ///
    /// Keys that only removed videos had are found too; they have no postings. The work is spread over rayon's threads.
    /// Graphs are only used up to [`GRAPH_RADIUS`](super::GRAPH_RADIUS), where their recall is known.
    ///
    /// # Errors
    /// [`Error::CorruptIndex`] if something is damaged that the search looks at; there is no partial answer.
    pub fn near(&self, queries: &[Key], radius: u32, mode: SearchMode) -> Result<Neighbours> {
        self.near_in_role(queries, radius, mode, Role::Source)
    }

    /// As [`Index::near`], among the keys of the videos of one role; those of benign material are always all compared.
    ///
    /// # Errors
    /// Those of [`Index::near`].
    pub fn near_in_role(&self, queries: &[Key], radius: u32, mode: SearchMode, role: Role) -> Result<Neighbours> {
        let kernel = Kernel::detect();
        let per_segment: Vec<(Vec<Neighbour>, Option<f64>)> = self
            .segments
            .par_iter()
            .enumerate()
            .filter(|(_, live)| live.role == role)
            .map(|(number, live)| {
                let graph = live.graph.as_deref().filter(|graph| {
                    let scan_ns = kernel.estimate_ns(live.segment.len(), queries.len());
                    graph.is_fit_for(radius)
                        && match mode {
                            SearchMode::Exact => false,
                            SearchMode::Graph => true,
                            SearchMode::Auto => graph.estimate_ns(queries.len()) < scan_ns,
                        }
                });
                let found = match graph {
                    Some(graph) => graph.search(&live.segment, queries, radius)?,
                    None => scan::search(kernel, live.segment.planes()?, queries, radius),
                };
                let found = found
                    .into_iter()
                    .map(|found| Neighbour {
                        query: found.query,
                        segment: number as u32,
                        key: found.key,
                        distance: found.distance,
                    })
                    .collect();
                Ok((found, graph.map(|graph| graph.recall)))
            })
            .collect::<Result<_>>()?;

        let recalls = per_segment.iter().filter_map(|(_, recall)| *recall);
        let recall =
            recalls.fold(None, |lowest: Option<f64>, recall| Some(lowest.map_or(recall, |lowest| lowest.min(recall))));
        let mut found: Vec<Neighbour> = per_segment.into_iter().flat_map(|(found, _)| found).collect();
        found.par_sort_unstable();
        Ok(Neighbours {
            found,
            mode: if recall.is_some() { SearchMode::Graph } else { SearchMode::Exact },
            exact: recall.is_none(),
            recall: recall.unwrap_or(1.0),
        })
    }

    /// A key by the numbers that [`Index::near`] gave.
    ///
    /// # Errors
    /// [`Error::CorruptIndex`] if its bytes are damaged.
    ///
    /// # Panics
    /// If there is no such segment, which cannot happen with numbers from this snapshot.
    pub fn key(&self, segment: u32, key: u32) -> Result<Key> {
        self.segments[segment as usize].segment.key(key)
    }

    /// Where a key was seen, videos in order, removed ones left out.
    ///
    /// # Errors
    /// [`Error::CorruptIndex`] if its postings are damaged.
    ///
    /// # Panics
    /// If there is no such segment.
    pub fn postings(&self, segment: u32, key: u32) -> Result<impl Iterator<Item = Posting>> {
        let live = &self.segments[segment as usize];
        let postings = live.segment.postings(key)?.iter().filter(|posting| !live.dead[posting[0] as usize]);
        Ok(postings.map(move |posting| {
            let (kind, place, first, last, recurs) = posting::unpack(posting);
            Posting { video: VideoRef { segment, video: posting[0] }, kind, place, first, last, recurs }
        }))
    }

    /// All keys of a video with their postings, in order of time; the first call for a segment reads the postings of all of it.
    ///
    /// # Errors
    /// [`Error::CorruptIndex`] if any of these is damaged.
    ///
    /// # Panics
    /// If `video` is of another snapshot.
    pub fn runs(&self, video: VideoRef) -> Result<Vec<Run>> {
        let segment = &self.segments[video.segment as usize].segment;
        let mut runs = Vec::new();
        for (number, posting) in segment.postings_of(video.video)? {
            let (kind, place, first, last, recurs) = posting::unpack(&posting);
            runs.push(Run { key: segment.key(number)?, kind, place, first, last, recurs });
        }
        runs.sort_by_key(|run| (run.first, run.last));
        Ok(runs)
    }

    /// What moves in a video, picture by picture; nothing for benign material.
    ///
    /// # Errors
    /// [`Error::CorruptIndex`] if it is damaged.
    ///
    /// # Panics
    /// If `video` is of another snapshot.
    pub fn motion(&self, video: VideoRef) -> Result<Motion> {
        self.segments[video.segment as usize].segment.motion(video.video)
    }

    /// Opens what a manifest names, taking over what an earlier snapshot has open.
    pub(crate) fn load(dir: &Path, stored: Stored, earlier: Option<&Index>, graphs: Graphs) -> Result<Index> {
        let entries = &stored.manifest.segments;
        let segments = entries
            .par_iter()
            .map(|entry| LiveSegment::load(dir, entry, earlier, graphs))
            .collect::<Result<Vec<LiveSegment>>>()?;
        let state = describe(&stored, &segments);
        Ok(Index { dir: dir.to_owned(), stored, state, segments, names: OnceLock::new(), times: OnceLock::new() })
    }

    /// Fails if a SHA-256 occurs twice among the videos.
    pub(crate) fn check_names(&self) -> Result<()> {
        let Names { sources, benign, by_sha256 } = self.names();
        let videos = sources.len() + benign.len();
        if videos == by_sha256.len() {
            return Ok(());
        }
        let path = manifest::manifest_path(&self.dir);
        Err(format::corrupt(&path, "number of different videos", by_sha256.len(), videos))
    }

    fn names(&self) -> &Names {
        self.names.get_or_init(|| {
            let (mut sources, mut benign, mut by_sha256) = (Vec::new(), Vec::new(), HashMap::new());
            for (number, live) in self.segments.iter().enumerate() {
                for (video, _) in live.dead.iter().enumerate().filter(|(_, dead)| !**dead) {
                    let reference = VideoRef { segment: number as u32, video: video as u32 };
                    by_sha256.insert(live.segment.videos[video].sha256, reference);
                    match live.role {
                        Role::Source => sources.push(reference),
                        Role::Benign => benign.push(reference),
                    }
                }
            }
            for videos in [&mut sources, &mut benign] {
                videos.sort_by(|&a, &b| {
                    let (a, b) = (self.video(a), self.video(b));
                    (&a.path, &a.sha256).cmp(&(&b.path, &b.sha256))
                });
            }
            Names { sources, benign, by_sha256 }
        })
    }
}

/// What to do about a graph that is missing or of the wrong shape.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Graphs {
    /// Fail: what the manifest promises is not there.
    Needed,
    /// Do without, for a writer that can build another.
    IfGood,
}

impl LiveSegment {
    fn load(dir: &Path, entry: &SegmentEntry, earlier: Option<&Index>, graphs: Graphs) -> Result<LiveSegment> {
        let earlier = earlier.and_then(|index| index.segments.iter().find(|live| live.number == entry.number));
        let segment = match earlier {
            Some(live) => Arc::clone(&live.segment),
            None => Arc::new(open_segment(dir, entry)?),
        };
        let graph = match (&entry.graph, earlier.and_then(|live| live.graph.as_ref())) {
            (GraphEntry::Built { .. }, Some(graph)) => Some(Arc::clone(graph)),
            (GraphEntry::Built { file, recall }, None) => match open_graph(dir, entry, file, *recall, &segment) {
                Ok(graph) => Some(Arc::new(graph)),
                // Of another version, it is as little use as a damaged one.
                Err(Error::CorruptIndex { .. } | Error::IncompatibleIndex { .. }) if graphs == Graphs::IfGood => None,
                Err(error) => return Err(error),
            },
            (GraphEntry::None | GraphEntry::Refused { .. }, _) => None,
        };
        let mut dead = vec![false; segment.videos.len()];
        for &video in &entry.tombstones {
            // In range: the manifest was checked against its count of videos, and that against the segment's.
            dead[video as usize] = true;
        }
        Ok(LiveSegment { number: entry.number, segment, graph, role: entry.role, dead })
    }

    /// Postings of the videos that have not been removed.
    pub(crate) fn live_postings(&self) -> u64 {
        let counts = self.segment.postings_per_video.iter().zip(&self.dead);
        counts.filter(|(_, dead)| !**dead).map(|(&count, _)| u64::from(count)).sum()
    }

    /// Length of the videos that have not been removed, in seconds.
    fn live_seconds(&self) -> f64 {
        let videos = self.segment.videos.iter().zip(&self.dead);
        videos.filter(|(_, dead)| !**dead).map(|(video, _)| video.duration.as_secs_f64()).sum()
    }
}

/// Opens the segment that an entry of the manifest means.
pub(crate) fn open_segment(dir: &Path, entry: &SegmentEntry) -> Result<Segment> {
    let path = manifest::segment_path(dir, entry.number);
    let segment = Segment::open(open_file(&path, SEGMENT_MAGIC, &entry.file)?)?;
    if segment.len() as u64 != u64::from(entry.keys) || segment.videos.len() as u64 != u64::from(entry.videos) {
        return Err(format::corrupt(
            &path,
            "number of keys and videos",
            format!("{} and {}", segment.len(), segment.videos.len()),
            format!("{} and {}, as the manifest says", entry.keys, entry.videos),
        ));
    }
    Ok(segment)
}

/// Opens the graph of a segment.
pub(crate) fn open_graph(
    dir: &Path,
    entry: &SegmentEntry,
    file: &FileEntry,
    recall: f64,
    segment: &Segment,
) -> Result<Graph> {
    let path = manifest::graph_path(dir, entry.number);
    Graph::open(open_file(&path, GRAPH_MAGIC, file)?, segment, recall)
}

/// Whether a selector, as [`Index::find`] describes it, means a video.
pub(crate) fn matches(video: &Video, selector: &str) -> bool {
    let digits = SELECTOR_MIN_DIGITS..=2 * video.sha256.len();
    let by_sha256 = digits.contains(&selector.len())
        && selector.bytes().all(|digit| digit.is_ascii_hexdigit())
        && hex(&video.sha256).starts_with(&selector.to_ascii_lowercase());
    by_sha256 || video.path == selector || video.publication.url.as_deref() == Some(selector)
}

fn open_file(path: &Path, magic: [u8; 8], entry: &FileEntry) -> Result<BlockFile> {
    BlockFile::open(path, magic, Some(entry))?.ok_or_else(|| {
        format::corrupt(path, "file", "missing", format!("{} bytes, as the manifest says", entry.length))
    })
}

fn describe(stored: &Stored, segments: &[LiveSegment]) -> IndexState {
    let manifest = &stored.manifest;
    let tombstones: u64 = manifest.segments.iter().map(|entry| entry.tombstones.len() as u64).sum();
    let bytes = stored.length.saturating_add(manifest.bytes());
    let (mut graphs, mut graphs_refused, mut graph_recall) = (0, 0, None);
    for entry in &manifest.segments {
        match &entry.graph {
            GraphEntry::None => {}
            GraphEntry::Refused { .. } => graphs_refused += 1,
            GraphEntry::Built { recall, .. } => {
                graphs += 1;
                graph_recall = Some(graph_recall.map_or(*recall, |lowest: f64| lowest.min(*recall)));
            }
        }
    }
    let sources = Holdings::of(segments, Role::Source);
    let benign = Holdings::of(segments, Role::Benign);
    IndexState {
        root: hex(&stored.root),
        generation: manifest.generation,
        videos: sources.videos,
        hours: sources.hours,
        keys: sources.keys,
        distinct_keys: sources.distinct_keys,
        benign_videos: benign.videos,
        benign_hours: benign.hours,
        benign_keys: benign.keys,
        segments: segments.len() as u32,
        tombstones,
        bytes,
        bytes_per_key: (sources.keys > 0).then(|| bytes as f64 / sources.keys as f64),
        bytes_per_hour: (sources.hours > 0.0).then(|| bytes as f64 / sources.hours),
        interval_s: manifest.config.interval.as_secs_f64(),
        fingerprint_version: manifest.config.fingerprint_version,
        format_version: stored.version,
        written_by: manifest.written_by.clone(),
        graphs,
        graphs_refused,
        graph_recall,
    }
}

/// How much the videos of one role come to.
struct Holdings {
    videos: u64,
    hours: f64,
    keys: u64,
    distinct_keys: u64,
}

impl Holdings {
    fn of(segments: &[LiveSegment], role: Role) -> Holdings {
        let of_role = || segments.iter().filter(move |live| live.role == role);
        Holdings {
            videos: of_role().map(|live| live.dead.iter().filter(|dead| !**dead).count() as u64).sum(),
            // An empty sum is -0.0.
            hours: of_role().map(LiveSegment::live_seconds).fold(0.0, |sum, seconds| sum + seconds) / 3600.0,
            keys: of_role().map(LiveSegment::live_postings).sum(),
            distinct_keys: of_role().map(|live| live.segment.len() as u64).sum(),
        }
    }
}

/// Manifests to try: each further one means that a writer committed while the last was being opened.
const OPEN_ATTEMPTS: usize = 16;
/// Fewest digits of a SHA-256 that count as one: fewer would meet words by accident.
const SELECTOR_MIN_DIGITS: usize = 8;
