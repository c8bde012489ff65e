//! Opens, adds to, removes from and commits an index of immutable segments.
//!
//! An index is a folder: a `manifest`, a `lock`, and `segments/` with write-once files. Each commit
//! writes new files and then replaces the manifest, so that a crash leaves the old index or the new
//! one, and an opened [`Index`] keeps answering as it did when it was opened. There is one
//! [`Writer`] at a time and any number of readers, across processes. The bytes are described in
//! `index-data/FORMAT.md`.
//!
//! A video is a *source*, of which clips may be copies, or *benign* material ([`Role`]), which
//! proves nothing. The two lie in segments of their own, so that neither is met in a search for the
//! other; all else they have in common.
//!
//! Of each video a *track* is kept: its keys in order of time with their places, and what moves in
//! it. Beside it the keys lie by coarse cells, so that a search need not compare all of them.
//! Removed videos are found no more, although their keys stay until a merge drops them.
//!
//! What this does not do: decide what a hit means, or know anything of media files.

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
    /// these.
    Screened,
    /// Compares all keys: nothing is missed.
    Exact,
}

/// A key of the index near a query.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Neighbour {
    /// Number of the query in the call.
    pub query: u32,
    /// The video that shows it.
    pub video: VideoRef,
    /// Number of the run among those of the video, which are in order of time.
    pub run: u32,
    /// Bits in which query and key differ.
    pub distance: u32,
}

/// Size and condition of a snapshot.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct IndexState {
    /// SHA-256 of the manifest's body, in hexadecimal: commits to every segment, tombstone and
    /// setting.
    pub root: String,
    /// Merkle root (RFC 6962) over the SHA-256s of the sources that have not been removed,
    /// ascending, in hexadecimal: the same for the same sources, however they came together.
    pub sources_root: String,
    /// The same over benign material.
    pub allowlist_root: String,
    /// Merkle root over the commits before this one, as the history keeps them; see
    /// [`Index::history`].
    pub history_root: String,
    /// Commits before this one that the history keeps.
    pub history_commits: u64,
    /// Commits so far.
    pub generation: u64,
    /// Sources that have not been removed.
    pub videos: u64,
    /// Their length together, in hours.
    pub hours: f64,
    /// Their keys, counted as often as a run of them was seen.
    pub keys: u64,
    /// Sources of which no small pictures are kept: they are judged by keys and motion alone.
    pub without_pictures: u64,
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
    /// Cells that keys are sorted by; 1 for a small index.
    pub cells: u64,
    /// Share of the cells nearest to a key that the graph over their centroids finds, 0..=1; 1
    /// where all are compared.
    pub cells_recall: f64,
    /// Share of excerpts of its own videos that the screening was found to nominate, 0..=1; `None`
    /// before it was measured.
    pub screening_recall: Option<f64>,
}

/// The instructions with which keys are compared on this processor, by name; `Portable` where it
/// has none for it.
pub fn scan_instructions() -> String {
    format!("{:?}", scan::Kernel::detect())
}

/// Compares keys by other instructions of this processor, by name (`avx512`, `avx2`, `popcnt`,
/// `neon`, `portable`), to compare them; `false` if it does not have these, or has begun with
/// others.
pub fn choose_scan_instructions(name: &str) -> bool {
    scan::Kernel::choose(name)
}
