//! Opens, adds to, removes from and commits an index of immutable segments.
//!
//! An index is a folder: a `manifest`, a `lock`, and `segments/` with write-once files. Each commit writes new files and
//! then replaces the manifest, so that a crash leaves the old index or the new one, and an opened [`Index`] keeps
//! answering as it did when it was opened. There is one [`Writer`] at a time and any number of readers, across
//! processes. The bytes are described in `index-data/FORMAT.md`.
//!
//! A video is a *source*, of which clips may be copies, or *benign* material ([`Role`]), which proves nothing. The two lie in
//! segments of their own, so that neither is met in a search for the other; all else they have in common.
//!
//! A search gives *keys*; a key's postings say in which videos, when and where it was seen. Removed videos have no
//! postings any more, although their keys stay until a merge drops them.
//!
//! What this does not do: decide what a hit means, or know anything of media files.

mod assemble;
#[cfg(test)]
mod faults;
mod files;
#[cfg(test)]
mod forged;
mod format;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzz;
mod graph;
mod leftovers;
mod lock;
mod manifest;
mod merging;
mod newest;
mod posting;
#[cfg(test)]
mod refusal;
mod scan;
mod segment;
mod selection;
mod snapshot;
mod storage;
mod times;
mod update;
mod upkeep;
mod verify;
mod video;
mod writer;

use std::time::Duration;

use serde::Serialize;

pub(crate) use format::hex;
pub use format::{FORMAT_VERSION, OLDEST_READABLE};
pub use graph::{GRAPH_RADIUS, GRAPH_RECALL};
pub use newest::Expected;
pub use selection::Selection;
pub use snapshot::Index;
pub use times::Times;
pub(crate) use times::moment;
pub use upkeep::Watch;
pub use verify::{Verification, verify};
pub use video::{IndexConfig, Publication, Role, Video, VideoRef};
pub use writer::{GRAPH_MIN_KEYS, SEGMENT_MAX_KEYS, Writer};

use crate::fingerprint::{KeyKind, Place};

/// Which segments get a graph.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum GraphPolicy {
    /// All of them.
    Always,
    /// Those of at least [`GRAPH_MIN_KEYS`] distinct keys.
    #[default]
    Auto,
    /// None; graphs that exist are kept.
    Never,
}

/// How to look for near keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SearchMode {
    /// Takes, segment by segment, what is estimated to be faster.
    #[default]
    Auto,
    /// Searches the graph of each segment that has one fit for the radius, and scans the others.
    Graph,
    /// Scans everything: nothing is missed.
    Exact,
}

/// A key of the index near a query.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Neighbour {
    /// Number of the query in the call.
    pub query: u32,
    /// Number of the segment in this snapshot.
    pub segment: u32,
    /// Number of the key in its segment.
    pub key: u32,
    /// Bits in which query and key differ.
    pub distance: u32,
}

/// What a search found, and how far it can be trusted.
#[derive(Clone, PartialEq, Debug)]
pub struct Neighbours {
    /// Sorted by query, segment and key; no pair twice.
    pub found: Vec<Neighbour>,
    /// What was really done: [`SearchMode::Graph`] if any segment's graph was searched, else [`SearchMode::Exact`].
    pub mode: SearchMode,
    /// Whether every segment was scanned, so that nothing within the radius is missing.
    pub exact: bool,
    /// 1 if exact; else the lowest recall of the graphs used, measured at [`GRAPH_RADIUS`] when they were built.
    pub recall: f64,
}

/// A key seen in a video: once, or for as long as it lasted.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Posting {
    /// The video.
    pub video: VideoRef,
    /// What the key was made of.
    pub kind: KeyKind,
    /// Where in the frame it was first seen; stored to 1/2048 of the frame's height.
    pub place: Place,
    /// First keyframe that shows it; stored to the millisecond.
    pub first: Duration,
    /// Last keyframe that shows it.
    pub last: Duration,
    /// Whether the same place looks alike at other times of the video too.
    pub recurs: bool,
}

/// Size and condition of a snapshot.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct IndexState {
    /// SHA-256 of the manifest's body, in hexadecimal: commits to every segment, tombstone and setting.
    pub root: String,
    /// Commits so far.
    pub generation: u64,
    /// Sources that have not been removed.
    pub videos: u64,
    /// Their length together, in hours.
    pub hours: f64,
    /// Their keys, counted as often as a run of them was seen.
    pub keys: u64,
    /// Their distinct keys, summed over segments; includes those that only removed videos had.
    pub distinct_keys: u64,
    /// Videos of benign material that have not been removed; they are no sources.
    pub benign_videos: u64,
    /// Their length together, in hours.
    pub benign_hours: f64,
    /// Their keys, counted as those of sources.
    pub benign_keys: u64,
    /// Segments.
    pub segments: u32,
    /// Removed videos, of whatever role, whose keys still take space.
    pub tombstones: u64,
    /// Bytes of the files that the manifest names, and of itself.
    pub bytes: u64,
    /// These bytes for each of the sources' keys; `None` without keys.
    pub bytes_per_key: Option<f64>,
    /// These bytes for each hour of sources; `None` without sources.
    pub bytes_per_hour: Option<f64>,
    /// Longest time between two keyframes of a video, in seconds.
    pub interval_s: f64,
    /// Version of the fingerprint that made the keys.
    pub fingerprint_version: u32,
    /// Version of the format in which the last commit was written.
    pub format_version: u32,
    /// Version of this crate that made the last commit.
    pub written_by: String,
    /// Segments that have a graph.
    pub graphs: u32,
    /// Segments whose graph was built, found too few keys, and was thrown away.
    pub graphs_refused: u32,
    /// Lowest measured recall of a graph, in 0..=1; `None` without graphs.
    pub graph_recall: Option<f64>,
}

/// The instructions with which keys are compared on this processor, by name; `Portable` where it has none for it.
pub fn scan_instructions() -> String {
    format!("{:?}", scan::Kernel::detect())
}
