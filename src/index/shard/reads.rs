//! What a search of a shard read, with the numbers of the whole index.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::fingerprint::Key;
use crate::index::run::RawRun;
use crate::index::video::{Video, VideoRef};

/// A key that was found: its video, its run's number there, and its distance in bits.
pub(super) type Near = (VideoRef, u32, u32);

/// The keys near each query, for queries that have any.
pub(super) type NearBy = BTreeMap<Key, Vec<Near>>;

/// The reads of a search for one fingerprint.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Reads {
    /// Keys of benign material.
    pub(super) benign: NearBy,
    /// Keys found by comparing all keys; `None` if that was not done.
    pub(super) near: Option<NearBy>,
    /// Keys found by cells; `None` if that was not done.
    pub(super) by_cell: Option<NearBy>,
    /// Keys found by comparing all keys of a video.
    pub(super) within: BTreeMap<VideoRef, NearBy>,
    /// The runs that were found.
    pub(super) runs: BTreeMap<(VideoRef, u32), RawRun>,
    /// The videos that may have to be aligned, most likely first.
    pub(super) videos: Vec<(VideoRef, Video)>,
    /// The tracks of some of these.
    pub(super) tracks: BTreeMap<VideoRef, RawTrack>,
    /// The videos that have the clip's SHA-256.
    pub(super) identical: Vec<(VideoRef, Video)>,
}

/// A track in stored form.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct RawTrack {
    pub(super) runs: Vec<RawRun>,
    pub(super) motion: Vec<u8>,
    pub(super) pictures: Vec<u8>,
}
