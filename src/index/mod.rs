//! Opens, adds to, removes from and commits an index of immutable segments.
//!
//! An index is a folder: a `manifest`, a `lock`, and `segments/` with write-once files. Each commit
//! writes new files and then replaces the manifest, so that a crash leaves the old index or the new
//! one, and an opened [`Index`] keeps answering as it did when it was opened. There is one
//! [`Writer`] at a time and any number of readers, across processes. The bytes are described in
//! `index-data/FORMAT.md`.
//!
//! A video is a *source*, of which clips may be copies, or *benign* material, which proves nothing
//! (see [`Role`]). Each kind has its own segments, so that a search for one never meets the other.
//! Everything else is the same for both.
//!
//! For each video the index keeps a *track*: its keys in order of time with their places, and its
//! motion. It also keeps the keys sorted by coarse cells, so that a search need not compare all of
//! them. Removed videos are no longer found, although their keys stay until a merge drops them.
//!
//! This module does not decide what a hit means, and knows nothing of media files.

mod assemble;
#[cfg(feature = "remote")]
pub(crate) mod carry;
mod cells;
#[cfg(test)]
mod faults;
mod files;
#[cfg(test)]
mod forged;
mod format;
mod format4;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzz;
mod history;
mod joining;
mod leftovers;
mod live;
mod lock;
mod lookup;
mod manifest;
mod merging;
mod merkle;
mod nearest;
mod newest;
mod order;
mod past;
pub mod proof;
mod random;
mod run;
mod scan;
mod screening;
mod segment;
mod selection;
mod shard;
mod sketch;
mod snapshot;
mod storage;
mod update;
mod upgrade;
mod upkeep;
mod verify;
mod video;
mod writer;

use serde::{Deserialize, Serialize};

pub(crate) use format::hex;
pub use format::{FORMAT_VERSION, OLDEST_READABLE};
pub use joining::{Conflict, Joined};
pub use live::Live;
pub use lookup::{Described, Lookup};
pub use nearest::Screen;
pub use newest::Expected;
pub use past::{Change, Copied};
pub(crate) use random::SplitMix;
pub use screening::{Screening, Strength};
pub use selection::Selection;
pub(crate) use shard::{Gathered, Missing, Reads, Recorder, Sealed, TRACKS_AT_A_TIME};
pub use shard::{Part, Shard, ShardHoldings, State, parts};
pub(crate) use snapshot::moment;
use snapshot::moment_of;
pub use snapshot::{Commit, Index, Track};
pub use upgrade::{Upgraded, upgrade};
pub(crate) use upkeep::Work;
pub use upkeep::{Upkeep, Watch};
pub use verify::{Verification, verify};
pub use video::{IndexConfig, Publication, Role, Video, VideoRef};
pub use writer::{SEGMENT_MAX_KEYS, Writer};

/// How to look for copies.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SearchMode {
    /// Compares all keys of a small index, and screens a large one.
    #[default]
    Auto,
    /// Looks into the cells nearest to each key, which nominates videos, and compares all keys of
    /// those videos.
    Screened,
    /// Compares all keys, so nothing is missed.
    Exact,
}

/// A key of the index near a query.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Neighbour {
    /// Number of the query in the call.
    pub query: u32,
    /// The video that has the key.
    pub video: VideoRef,
    /// Number of the run within the video, in order of time.
    pub run: u32,
    /// Number of bits in which query and key differ.
    pub distance: u32,
}

/// Size and condition of a snapshot.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct IndexState {
    /// SHA-256 of the manifest's body, in hexadecimal. It commits to every segment, tombstone and
    /// setting.
    pub root: String,
    /// Merkle root (RFC 6962) over the SHA-256s of the sources that have not been removed,
    /// ascending, in hexadecimal. The same sources give the same root, in whatever order they were
    /// added.
    pub sources_root: String,
    /// The same for benign material.
    pub allowlist_root: String,
    /// Merkle root over the commits before this one in the history; see [`Index::history`].
    pub history_root: String,
    /// Number of commits before this one in the history.
    pub history_commits: u64,
    /// Commits so far.
    pub generation: u64,
    /// Sources that have not been removed.
    pub videos: u64,
    /// Their total length, in hours.
    pub hours: f64,
    /// Their keys; a key counts once for each of its runs.
    pub keys: u64,
    /// Sources without small pictures, which are judged by keys and motion alone.
    pub without_pictures: u64,
    /// Videos of benign material that have not been removed; they are not sources.
    pub benign_videos: u64,
    /// Their total length, in hours.
    pub benign_hours: f64,
    /// Their keys, counted like those of sources.
    pub benign_keys: u64,
    /// Segments.
    pub segments: u32,
    /// Removed videos, of any role, whose keys still take space.
    pub tombstones: u64,
    /// Bytes of the manifest and of the files that it names.
    pub bytes: u64,
    /// These bytes divided by the keys of sources; `None` without keys.
    pub bytes_per_key: Option<f64>,
    /// These bytes divided by the hours of sources; `None` without sources.
    pub bytes_per_hour: Option<f64>,
    /// Longest time between two keyframes of a video, in seconds.
    pub interval_s: f64,
    /// Version of the fingerprint that made the keys.
    pub fingerprint_version: u32,
    /// Version of the format of the last commit.
    pub format_version: u32,
    /// Version of this crate that made the last commit.
    pub written_by: String,
    /// Cells that keys are sorted by; 1 for a small index.
    pub cells: u64,
    /// Share of the cells nearest to a key that the graph over their centroids finds, 0..=1; 1
    /// where all centroids are compared.
    pub cells_recall: f64,
    /// Share of changed excerpts of its own videos for which the screening nominates the video,
    /// 0..=1; `None` before it was measured.
    pub screening_recall: Option<f64>,
}

/// Name of the instructions that compare keys on this processor; `Portable` if it has no special
/// ones.
pub fn scan_instructions() -> String {
    format!("{:?}", scan::Kernel::detect())
}

/// Chooses other instructions to compare keys with, by name (`avx512`, `avx2`, `popcnt`, `neon`,
/// `portable`), for benchmarks. Returns `false` if this processor lacks them or a scan has already
/// used others.
pub fn choose_scan_instructions(name: &str) -> bool {
    scan::Kernel::choose(name)
}
