//! The reads of all shards, on which a check runs as on the whole index.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::State;
use super::reads::{NearBy, RawTrack, Reads};
use crate::error::{Error, Result};
use crate::fingerprint::{Key, Motion, PictureTrack, Run};
use crate::index::Neighbour;
use crate::index::lookup::{Described, Lookup};
use crate::index::nearest::Screen;
use crate::index::run::{self, RawRun};
use crate::index::snapshot::Track;
use crate::index::video::{Video, VideoRef};

/// What a check needs but the shards have not sent.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Missing {
    /// The comparison of all keys.
    pub(crate) exact: bool,
    /// The tracks of videos.
    pub(crate) tracks: Vec<VideoRef>,
}

impl Missing {
    pub(crate) fn is_nothing(&self) -> bool {
        !self.exact && self.tracks.is_empty()
    }
}

/// The reads of all shards for one fingerprint.
pub(crate) struct Gathered<'a> {
    state: &'a State,
    /// One for each shard and request.
    reads: Vec<&'a Reads>,
    runs: HashMap<(VideoRef, u32), &'a RawRun>,
    videos: HashMap<VideoRef, &'a Video>,
    tracks: HashMap<VideoRef, &'a RawTrack>,
    missing: RefCell<Missing>,
}

impl<'a> Gathered<'a> {
    pub(crate) fn new(state: &'a State, reads: Vec<&'a Reads>) -> Gathered<'a> {
        let of_all = || reads.iter().copied();
        Gathered {
            state,
            runs: of_all()
                .flat_map(|reads| reads.runs.iter().map(|(run, raw)| (*run, raw)))
                .collect(),
            videos: of_all()
                .flat_map(|reads| reads.videos.iter().chain(&reads.identical))
                .map(|(number, video)| (*number, video))
                .collect(),
            tracks: of_all()
                .flat_map(|reads| reads.tracks.iter().map(|(video, track)| (*video, track)))
                .collect(),
            missing: RefCell::default(),
            reads,
        }
    }

    /// What the check wanted to read but did not find.
    pub(crate) fn missing(&self) -> Missing {
        self.missing.borrow().clone()
    }

    /// The error that ends a check. The caller looks at [`Gathered::missing`] first.
    fn lack(&self, what: String) -> Error {
        Error::IncompleteAnswer {
            path: self.state.dir.clone(),
            reason: format!(
                "the shards did not send {what}; run the check again with the same version of uniq everywhere"
            ),
        }
    }

    /// The keys that the shards found near the queries, in the order of the whole index.
    fn near_of<'r>(
        &self,
        queries: &[Key],
        found: impl Iterator<Item = &'r NearBy>,
    ) -> Vec<Neighbour> {
        let mut near = Vec::new();
        for of_shard in found {
            for (query, key) in (0..).zip(queries) {
                let of_query = of_shard.get(key).into_iter().flatten();
                near.extend(of_query.map(|&(video, run, distance)| Neighbour {
                    query,
                    video,
                    run,
                    distance,
                }));
            }
        }
        near.sort_unstable();
        near
    }

    fn raw_track(&self, video: VideoRef) -> Result<&'a RawTrack> {
        if let Some(track) = self.tracks.get(&video) {
            return Ok(track);
        }
        // More tracks will be needed after it, so each shard sends its next likely ones too.
        let mut missing = self.missing.borrow_mut();
        missing.tracks.push(video);
        for reads in &self.reads {
            let unknown = reads
                .videos
                .iter()
                .map(|(video, _)| *video)
                .filter(|video| !self.tracks.contains_key(video));
            missing.tracks.extend(unknown.take(TRACKS_AT_A_TIME));
        }
        missing.tracks.sort_unstable();
        missing.tracks.dedup();
        Err(self.lack("a track".to_owned()))
    }
}

impl Lookup for Gathered<'_> {
    fn whole(&self) -> &dyn Described {
        self.state
    }

    fn video(&self, video: VideoRef) -> Result<Cow<'_, Video>> {
        let found = self
            .videos
            .get(&video)
            .ok_or_else(|| self.lack("a video's description".to_owned()))?;
        Ok(Cow::Borrowed(*found))
    }

    fn identical(&self, _: &[u8; 32]) -> Option<VideoRef> {
        let all = self.reads.iter().flat_map(|reads| &reads.identical);
        all.min_by_key(|(_, video)| (&video.path, &video.sha256))
            .map(|(number, _)| *number)
    }

    fn near(&self, queries: &[Key], _: u32) -> Result<Vec<Neighbour>> {
        let found: Vec<&NearBy> = self
            .reads
            .iter()
            .filter_map(|reads| reads.near.as_ref())
            .collect();
        if found.is_empty() && self.state.searched().next().is_some() {
            self.missing.borrow_mut().exact = true;
            return Err(self.lack("the comparison of all keys".to_owned()));
        }
        Ok(self.near_of(queries, found.into_iter()))
    }

    fn near_benign(&self, queries: &[Key], _: u32) -> Result<Vec<Neighbour>> {
        // Every shard holds the same benign material.
        Ok(self.near_of(
            queries,
            self.reads.iter().map(|reads| &reads.benign).take(1),
        ))
    }

    fn near_in(&self, video: VideoRef, queries: &[Key], _: u32) -> Result<Vec<Neighbour>> {
        let found = self.reads.iter().find_map(|reads| reads.within.get(&video));
        let found = found.ok_or_else(|| self.lack("the keys of a nominated video".to_owned()))?;
        Ok(self.near_of(queries, std::iter::once(found)))
    }

    fn near_by_cell(&self, queries: &[Key], _: &Screen) -> Result<Vec<Neighbour>> {
        Ok(self.near_of(
            queries,
            self.reads.iter().filter_map(|reads| reads.by_cell.as_ref()),
        ))
    }

    fn run(&self, video: VideoRef, number: u32) -> Result<Run> {
        let raw = self
            .runs
            .get(&(video, number))
            .ok_or_else(|| self.lack("a key that they found".to_owned()))?;
        Ok(run::unpack(raw))
    }

    fn track(&self, video: VideoRef) -> Result<Track> {
        let raw = self.raw_track(video)?;
        let motion = Motion::from_bytes(&raw.motion)
            .map_err(|wrong| self.lack(format!("a sound track: {wrong}")))?;
        let runs = raw.runs.iter().map(run::unpack).collect();
        Ok(Track {
            runs,
            motion,
            pictures: self.pictures(video)?,
        })
    }

    fn pictures(&self, video: VideoRef) -> Result<PictureTrack> {
        let raw = self.raw_track(video)?;
        PictureTrack::from_bytes(&raw.pictures)
            .map_err(|wrong| self.lack(format!("sound pictures: {wrong}")))
    }
}

/// Number of tracks that each shard sends at a time.
pub(crate) const TRACKS_AT_A_TIME: usize = 16;
