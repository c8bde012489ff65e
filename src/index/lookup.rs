//! What a check reads of an index.
//!
//! A check runs against an [`Index`] that this process has opened, or against what several
//! processes have read of their parts: see [`Shard`](super::Shard).

use std::borrow::Cow;
use std::path::Path;

use super::format::hex;
use super::nearest::Screen;
use super::snapshot::{Index, Track};
use super::video::{Role, Video, VideoRef};
use super::{IndexState, Neighbour};
use crate::error::Result;
use crate::fingerprint::{Key, PictureTrack, Run};

/// What a check knows of an index before it reads any key.
#[allow(missing_docs)] // The methods do what those of `Index` do.
pub trait Described {
    fn dir(&self) -> &Path;
    fn state(&self) -> &IndexState;
    fn searched_role(&self) -> Role;
    fn committed_at(&self) -> Option<String>;
    /// Number of cells to probe for each key, if it was measured.
    fn probes(&self) -> Option<usize>;
}

/// The reads of a check. All errors are those of the methods of [`Index`] of the same names.
#[allow(missing_docs)] // The methods do what those of `Index` do.
pub trait Lookup {
    /// The whole index, of which this may be a part.
    fn whole(&self) -> &dyn Described;

    fn dir(&self) -> &Path {
        self.whole().dir()
    }

    fn state(&self) -> &IndexState {
        self.whole().state()
    }

    fn searched_role(&self) -> Role {
        self.whole().searched_role()
    }

    fn committed_at(&self) -> Option<String> {
        self.whole().committed_at()
    }

    fn probes(&self) -> Option<usize> {
        self.whole().probes()
    }

    fn video(&self, video: VideoRef) -> Result<Cow<'_, Video>>;
    /// The first result of [`Index::find`] for a whole SHA-256 among the searched videos.
    fn identical(&self, sha256: &[u8; 32]) -> Option<VideoRef>;
    fn near(&self, queries: &[Key], radius: u32) -> Result<Vec<Neighbour>>;
    fn near_benign(&self, queries: &[Key], radius: u32) -> Result<Vec<Neighbour>>;
    fn near_in(&self, video: VideoRef, queries: &[Key], radius: u32) -> Result<Vec<Neighbour>>;
    fn near_by_cell(&self, queries: &[Key], screen: &Screen) -> Result<Vec<Neighbour>>;
    fn run(&self, video: VideoRef, run: u32) -> Result<Run>;
    fn track(&self, video: VideoRef) -> Result<Track>;
    fn pictures(&self, video: VideoRef) -> Result<PictureTrack>;
}

impl Described for Index {
    fn dir(&self) -> &Path {
        Index::dir(self)
    }

    fn state(&self) -> &IndexState {
        Index::state(self)
    }

    fn searched_role(&self) -> Role {
        Index::searched_role(self)
    }

    fn committed_at(&self) -> Option<String> {
        Index::committed_at(self)
    }

    fn probes(&self) -> Option<usize> {
        self.screening().map(|screening| screening.probes as usize)
    }
}

impl Lookup for Index {
    fn whole(&self) -> &dyn Described {
        self
    }

    fn video(&self, video: VideoRef) -> Result<Cow<'_, Video>> {
        Ok(Cow::Borrowed(Index::video(self, video)))
    }

    fn identical(&self, sha256: &[u8; 32]) -> Option<VideoRef> {
        self.find(&hex(sha256)).first().copied()
    }

    fn near(&self, queries: &[Key], radius: u32) -> Result<Vec<Neighbour>> {
        Index::near(self, queries, radius)
    }

    fn near_benign(&self, queries: &[Key], radius: u32) -> Result<Vec<Neighbour>> {
        self.near_in_role(queries, radius, Role::Benign)
    }

    fn near_in(&self, video: VideoRef, queries: &[Key], radius: u32) -> Result<Vec<Neighbour>> {
        Index::near_in(self, video, queries, radius)
    }

    fn near_by_cell(&self, queries: &[Key], screen: &Screen) -> Result<Vec<Neighbour>> {
        Index::near_by_cell(self, queries, screen)
    }

    fn run(&self, video: VideoRef, run: u32) -> Result<Run> {
        Index::run(self, video, run)
    }

    fn track(&self, video: VideoRef) -> Result<Track> {
        Index::track(self, video)
    }

    fn pictures(&self, video: VideoRef) -> Result<PictureTrack> {
        Index::pictures(self, video)
    }
}
