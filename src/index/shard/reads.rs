//! What a search of a shard read, in the numbers of the whole index.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::fingerprint::Key;
use crate::index::run::RawRun;
use crate::index::video::{Video, VideoRef};

/// A found key: its video, its number there, and its distance in bits.
pub(super) type Near = (VideoRef, u32, u32);

/// The keys found near each query that has any.
pub(super) type NearBy = BTreeMap<Key, Vec<Near>>;

/// The reads of a search for one fingerprint.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Reads {
    /// Keys of benign material.
    pub(super) benign: NearBy,
    /// Keys found by comparing all; `None` if that was not done.
    pub(super) near: Option<NearBy>,
    /// Keys found by the cells; `None` if that was not done.
    pub(super) by_cell: Option<NearBy>,
    /// Keys found by comparing all of a video.
    pub(super) within: BTreeMap<VideoRef, NearBy>,
    /// The runs that were found.
    pub(super) runs: BTreeMap<(VideoRef, u32), RawRun>,
    /// The videos that may have to be aligned, likely ones first.
    pub(super) videos: Vec<(VideoRef, Video)>,
    /// The tracks of some of these.
    pub(super) tracks: BTreeMap<VideoRef, RawTrack>,
    /// The videos that the clip's SHA-256 finds.
    pub(super) identical: Vec<(VideoRef, Video)>,
}

/// A track as it is stored.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct RawTrack {
    pub(super) runs: Vec<RawRun>,
    pub(super) motion: Vec<u8>,
    pub(super) pictures: Vec<u8>,
}
