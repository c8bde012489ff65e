//! Takes over the videos of other indexes, without decoding them.
//!
//! Each segment is a commit of its own. So an interrupted call keeps what is finished, and the same
//! call again does the rest. Tracks are copied unchanged; keys are sorted by the cells of the
//! receiving index. The other index is only read.

use std::fs;

use super::assemble::Merge;
use super::manifest;
use super::snapshot::Index;
use super::upkeep::{Upkeep, Watch, Work};
use super::video::{Role, Video};
use super::writer::{Videos, Writer};
use crate::error::{Error, Result};

/// Result of taking over the videos of another index.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Joined {
    /// Videos that were taken over, in any role.
    pub taken: u64,
    /// Videos that this index already had, in the same role.
    pub already_there: u64,
    /// Videos that this index has in another role; they were left unchanged.
    pub conflicts: Vec<Conflict>,
    /// Whether the caller stopped it. What was finished is in the index.
    pub cancelled: bool,
}

/// A video that two indexes have in different roles.
#[derive(Clone, PartialEq, Debug)]
pub struct Conflict {
    /// The video, as the other index knows it.
    pub video: Video,
    /// Its role in the receiving index.
    pub here: Role,
    /// Its role in the other index.
    pub there: Role,
}

impl Writer {
    /// Commits what waits, and then takes over each video of another index that is not here yet.
    /// These videos count as added now.
    ///
    /// It needs as much memory as a merge. [`Writer::maintain`] merges small segments that pile up.
    ///
    /// # Errors
    /// [`Error::IncompatibleIndex`] if the other index has another fingerprint version or interval,
    /// [`Error::InvalidSetting`] if both are the same index, [`Error::CorruptIndex`] if something
    /// in it is damaged (finished segments stay), and [`Error::Io`].
    pub fn take_over<'a>(&mut self, other: &Index, watch: impl Into<Watch<'a>>) -> Result<Joined> {
        self.check_other(other)?;
        self.commit()?;
        let mut joined = Joined::default();
        let live_keys = other.segments.iter().map(|live| live.live_keys()).sum();
        let work = Work::new(watch.into(), Upkeep::Joining, live_keys);
        for live in &other.segments {
            let mut left = live.dead.clone();
            for (video, left) in live
                .segment
                .videos
                .iter()
                .zip(&mut left)
                .filter(|(_, left)| !**left)
            {
                let here = self.committed().and_then(|index| index.role(&video.sha256));
                *left = here.is_some();
                match here {
                    None => joined.taken += 1,
                    Some(here) if here == live.role => joined.already_there += 1,
                    Some(here) => joined.conflicts.push(Conflict {
                        video: video.clone(),
                        here,
                        there: live.role,
                    }),
                }
            }
            let taken = left.iter().filter(|left| !**left).count() as u64;
            if taken == 0 {
                continue;
            }
            self.check_role(live.role)?;
            let mut take = || {
                for (number, _) in (0..).zip(&left).filter(|(_, left)| !**left) {
                    work.stop_if_asked()?;
                    live.segment.check_track(number)?;
                }
                let merge = Merge::taken_over(&live.segment, &left);
                let cells = self.cells_for_new(live.role);
                let written = self.write_segment(&merge, live.role, &cells, &work)?;
                let mut manifest = self.next_manifest();
                manifest.segments.push(written);
                self.replace_manifest(manifest, Videos::Others)
            };
            match take() {
                Ok(()) => {}
                Err(Error::Cancelled) => {
                    joined.taken -= taken;
                    joined.cancelled = true;
                    return Ok(joined);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(joined)
    }

    fn check_other(&self, other: &Index) -> Result<()> {
        let real = |dir| fs::canonicalize(dir).ok();
        if real(other.dir()).is_some_and(|other| Some(other) == real(&self.dir)) {
            return Err(Error::InvalidSetting {
                name: "the index to take videos from",
                found: other.dir().display().to_string(),
                expected: "another one than the index that takes them",
            });
        }
        let (here, there) = (self.config(), other.stored.manifest.config);
        let incompatible = |what, found: String, expected: String| Error::IncompatibleIndex {
            path: manifest::manifest_path(other.dir()),
            what,
            found,
            expected: format!("{expected}, as {} has", self.dir.display()),
            remedy: "merge it into an index that has the same one, or build it again with: uniq index build",
        };
        if there.fingerprint_version != here.fingerprint_version {
            let (found, expected) = (
                there.fingerprint_version.to_string(),
                here.fingerprint_version.to_string(),
            );
            return Err(incompatible("fingerprint version", found, expected));
        }
        if there.interval != here.interval {
            let (found, expected) = (
                format!("{:?}", there.interval),
                format!("{:?}", here.interval),
            );
            return Err(incompatible("sampling interval", found, expected));
        }
        Ok(())
    }
}
