//! Reads a shard and records what was read.

use std::borrow::Cow;
use std::cell::RefCell;

use super::reads::{NearBy, RawTrack, Reads};
use super::{Shard, State};
use crate::error::Result;
use crate::fingerprint::{Key, PictureTrack, Run};
use crate::index::format::hex;
use crate::index::lookup::{Described, Lookup};
use crate::index::nearest::Screen;
use crate::index::run;
use crate::index::snapshot::Track;
use crate::index::video::{Video, VideoRef};
use crate::index::{Index, Neighbour};

/// A shard that appears as the whole index: its videos have the numbers of the whole index.
pub(crate) struct Recorder<'a> {
    shard: &'a Shard,
    state: &'a State,
    reads: RefCell<Reads>,
}

impl<'a> Recorder<'a> {
    /// # Errors
    /// [`Error::IncompleteAnswer`](crate::Error::IncompleteAnswer) if the shard is of another
    /// commit than the state.
    pub(crate) fn new(shard: &'a Shard, state: &'a State) -> Result<Recorder<'a>> {
        shard.check(state)?;
        Ok(Recorder {
            shard,
            state,
            reads: RefCell::default(),
        })
    }

    /// The recorded reads.
    pub(crate) fn reads(self) -> Reads {
        self.reads.into_inner()
    }

    /// Records videos that may have to be aligned, most likely first.
    pub(crate) fn may_align(&self, videos: &[VideoRef]) {
        let known = videos
            .iter()
            .map(|&video| (video, self.index().video(self.here(video)).clone()));
        self.reads.borrow_mut().videos = known.collect();
    }

    /// Records the whole track of a video, if this shard holds it.
    ///
    /// # Errors
    /// [`Error::CorruptIndex`](crate::Error::CorruptIndex) if it is damaged.
    pub(crate) fn keep_track(&self, video: VideoRef) -> Result<()> {
        let Ok(at) = self.shard.positions.binary_search(&video.segment) else {
            return Ok(());
        };
        let segment = &self.index().segments[at].segment;
        // Decoding verifies it.
        self.index().track(self.here(video))?;
        let (motion, pictures) = segment.copy_side(video.video)?;
        let runs = segment.raw(segment.runs_of(video.video))?.to_vec();
        self.reads.borrow_mut().tracks.insert(
            video,
            RawTrack {
                runs,
                motion,
                pictures,
            },
        );
        Ok(())
    }

    /// Records the videos that have this SHA-256.
    pub(crate) fn keep_identical(&self, sha256: &[u8; 32]) {
        let found = self.index().find(&hex(sha256)).into_iter();
        let found = found.map(|video| (self.everywhere(video), self.index().video(video).clone()));
        self.reads.borrow_mut().identical = found.collect();
    }

    fn index(&self) -> &Index {
        &self.shard.index
    }

    /// The number of a video in this shard.
    ///
    /// # Panics
    /// Never: callers pass only numbers that this shard gave.
    fn here(&self, video: VideoRef) -> VideoRef {
        let segment = self
            .shard
            .positions
            .partition_point(|position| *position < video.segment) as u32;
        VideoRef { segment, ..video }
    }

    /// The number of a video in the whole index.
    fn everywhere(&self, video: VideoRef) -> VideoRef {
        VideoRef {
            segment: self.shard.positions[video.segment as usize],
            ..video
        }
    }

    /// Converts found keys to the numbers of the whole index, and records them.
    fn keep(&self, queries: &[Key], mut near: Vec<Neighbour>, kept: &mut NearBy) -> Vec<Neighbour> {
        // Segments keep their order, so the keys stay sorted.
        near.iter_mut()
            .for_each(|near| near.video = self.everywhere(near.video));
        for of_query in near.chunk_by(|a, b| a.query == b.query) {
            let found = of_query
                .iter()
                .map(|near| (near.video, near.run, near.distance))
                .collect();
            kept.insert(queries[of_query[0].query as usize], found);
        }
        near
    }
}

impl Lookup for Recorder<'_> {
    fn whole(&self) -> &dyn Described {
        self.state
    }

    fn video(&self, video: VideoRef) -> Result<Cow<'_, Video>> {
        Ok(Cow::Borrowed(self.index().video(self.here(video))))
    }

    fn identical(&self, sha256: &[u8; 32]) -> Option<VideoRef> {
        self.index()
            .identical(sha256)
            .map(|video| self.everywhere(video))
    }

    fn near(&self, queries: &[Key], radius: u32) -> Result<Vec<Neighbour>> {
        let near = self
            .index()
            .near_in_role(queries, radius, self.state.searched)?;
        Ok(self.keep(
            queries,
            near,
            self.reads.borrow_mut().near.get_or_insert_default(),
        ))
    }

    fn near_benign(&self, queries: &[Key], radius: u32) -> Result<Vec<Neighbour>> {
        let near = self.index().near_benign(queries, radius)?;
        Ok(self.keep(queries, near, &mut self.reads.borrow_mut().benign))
    }

    fn near_in(&self, video: VideoRef, queries: &[Key], radius: u32) -> Result<Vec<Neighbour>> {
        let near = self.index().near_in(self.here(video), queries, radius)?;
        Ok(self.keep(
            queries,
            near,
            self.reads.borrow_mut().within.entry(video).or_default(),
        ))
    }

    fn near_by_cell(&self, queries: &[Key], screen: &Screen) -> Result<Vec<Neighbour>> {
        let near = self.index().near_by_cell(queries, screen)?;
        Ok(self.keep(
            queries,
            near,
            self.reads.borrow_mut().by_cell.get_or_insert_default(),
        ))
    }

    fn run(&self, video: VideoRef, run: u32) -> Result<Run> {
        let segment = &self.index().segments[self.here(video).segment as usize].segment;
        let found = Index::run(self.index(), self.here(video), run)?;
        let number = segment.runs_of(video.video).start.saturating_add(run);
        let raw = segment.raw(number..number.saturating_add(1))?;
        debug_assert_eq!(run::unpack(&raw[0]), found);
        self.reads.borrow_mut().runs.insert((video, run), raw[0]);
        Ok(found)
    }

    fn track(&self, video: VideoRef) -> Result<Track> {
        Index::track(self.index(), self.here(video))
    }

    fn pictures(&self, video: VideoRef) -> Result<PictureTrack> {
        Index::pictures(self.index(), self.here(video))
    }
}
