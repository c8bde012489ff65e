//! Puts an index in order: merges segments, trains cells, and sorts by them.

use std::sync::Arc;

use super::assemble::Merge;
use super::cells::{self, Cells};
use super::manifest::{self, CellsEntry, Removed};
use super::merging::{Candidate, Merging, groups_to_merge};
use super::run;
use super::snapshot::LiveSegment;
use super::upkeep::{Upkeep, Watch, Work, stop_if};
use super::video::Role;
use super::writer::{Videos, Writer};
use crate::error::{Error, Result};
use crate::fingerprint::Key;

impl Writer {
    /// Commits what waits, merges where small or worn segments have piled up, trains cells where
    /// the index has outgrown those that it has, and deletes files no longer named.
    ///
    /// Segments are merged when more than four are of about one size; a segment is worn, and
    /// written anew without its removed videos, when a fifth of its keys is theirs. Cells are
    /// trained anew when four times as many keys are there as they suit, and all segments are then
    /// sorted by them. Each step is a commit, and readers go on meanwhile. A merge takes some 300
    /// MB of memory at most, training 100 bytes for each of 64 keys a cell. Benign material is
    /// merged for itself and has no cells.
    ///
    /// # Errors
    /// [`Error::Cancelled`] as soon as the caller says so (finished steps stay), [`Error::Io`], and
    /// [`Error::CorruptIndex`] if something that is merged is damaged.
    pub fn maintain<'a>(&mut self, watch: impl Into<Watch<'a>>) -> Result<()> {
        self.upkeep(Merging::WhenDue, watch.into())
    }

    /// As [`Writer::maintain`], but merges all that can be: afterwards no removed video takes
    /// space, and neighbouring segments of less than half of
    /// [`SEGMENT_MAX_KEYS`](super::SEGMENT_MAX_KEYS) are one as far as that allows.
    ///
    /// # Errors
    /// Those of [`Writer::maintain`].
    pub fn compact<'a>(&mut self, watch: impl Into<Watch<'a>>) -> Result<()> {
        self.upkeep(Merging::All, watch.into())
    }

    fn upkeep(&mut self, merging: Merging, watch: Watch<'_>) -> Result<()> {
        // First, since what a crash or an interrupted call left may be the room that this one
        // needs.
        self.delete_unnamed()?;
        self.commit()?;
        self.train_if_due(watch)?;
        for group in self.groups_to_merge(merging) {
            stop_if(watch.cancel)?;
            self.merge(&group, Upkeep::Merging, watch)?;
            self.delete_unnamed()?;
        }
        self.sort(watch)
    }

    /// Trains so many cells, whatever suits the index, and sorts all segments of sources by them.
    ///
    /// An index trains those that suit it by itself: see [`Writer::maintain`].
    ///
    /// # Errors
    /// Those of [`Writer::maintain`], and [`Error::InvalidSetting`] for less than 2 or more than
    /// 2^20 cells.
    pub fn sort_by_cells<'a>(&mut self, cells: usize, watch: impl Into<Watch<'a>>) -> Result<()> {
        let watch = watch.into();
        if !(2..=cells::CELLS_MAX).contains(&cells) {
            let (found, expected) = (cells.to_string(), "2 to 1048576");
            return Err(Error::InvalidSetting {
                name: "number of cells",
                found,
                expected,
            });
        }
        self.commit()?;
        self.train(cells, watch)?;
        self.sort(watch)
    }

    /// Sorts by the newest cells what is sorted by others.
    fn sort(&mut self, watch: Watch<'_>) -> Result<()> {
        for number in self.sorted_by_other_cells() {
            stop_if(watch.cancel)?;
            self.merge(&[number], Upkeep::Sorting, watch)?;
            self.delete_unnamed()?;
        }
        self.forget_cells()?;
        self.delete_unnamed()
    }

    /// Trains cells from the index's own keys if it has outgrown those that it has.
    fn train_if_due(&mut self, watch: Watch<'_>) -> Result<()> {
        let Some(index) = &self.index else {
            return Ok(());
        };
        let wanted = cells::cells_for(index.state().keys);
        if wanted < 2 * index.cells_now().len() {
            Ok(())
        } else {
            self.train(wanted, watch)
        }
    }

    /// Trains so many cells from the keys of the sources; segments are sorted by them by and by.
    fn train(&mut self, wanted: usize, watch: Watch<'_>) -> Result<()> {
        let Some(index) = &self.index else {
            return Ok(());
        };
        let sources = index.segments.iter().filter(|live| live.role.is_searched());
        let step = (index.state().keys as usize / (wanted * cells::TRAINING_KEYS)).max(1);
        let mut keys: Vec<Key> = Vec::new();
        let mut seen = 0;
        for live in sources {
            for video in (0..)
                .zip(&live.dead)
                .filter(|(_, dead)| !**dead)
                .map(|(video, _)| video)
            {
                stop_if(watch.cancel)?;
                let raw = live.segment.copy_raw(live.segment.runs_of(video))?;
                keys.extend(
                    raw.iter()
                        .skip((step - seen % step) % step)
                        .step_by(step)
                        .map(run::key_of),
                );
                seen += raw.len();
            }
        }
        let work = Work::new(
            watch,
            Upkeep::Training,
            cells::training_steps(keys.len()) + wanted as u64,
        );
        let mut centroids = cells::train(keys, wanted, &work)?;
        // Of fewer different keys than cells, the last centroid stands for the rest: else it would
        // be trained again and again.
        let Some(&last) = centroids.last() else {
            return Ok(());
        };
        centroids.resize(wanted, last);
        let number = self.take_number();
        let path = manifest::cells_path(&self.dir, number);
        let file = Cells::write(&*self.storage, &path, &centroids, &work)?;
        let mut manifest = self.next_manifest();
        manifest.cells.push(CellsEntry {
            number,
            file,
            cells: centroids.len() as u32,
        });
        // What was measured of other cells says nothing of these.
        manifest.screening = None;
        self.replace_manifest(manifest, Videos::Same)
    }

    /// Numbers of the segments of sources that are not sorted by the newest cells.
    fn sorted_by_other_cells(&self) -> Vec<u64> {
        let Some(index) = &self.index else {
            return Vec::new();
        };
        let sources = index.segments.iter().filter(|live| live.role.is_searched());
        let others = sources.filter(|live| !Arc::ptr_eq(index.cells_of(live), index.cells_now()));
        others.map(|live| live.number).collect()
    }

    /// Names no centroids any more that no segment is sorted by, but the newest.
    fn forget_cells(&mut self) -> Result<()> {
        let mut manifest = self.next_manifest();
        if manifest.cells.len() < 2 || !self.sorted_by_other_cells().is_empty() {
            return Ok(());
        }
        manifest.cells.drain(..manifest.cells.len() - 1);
        self.replace_manifest(manifest, Videos::Same)
    }

    /// Numbers of the segments to be written anew, in groups that become one each.
    fn groups_to_merge(&self, merging: Merging) -> Vec<Vec<u64>> {
        let Some(index) = &self.index else {
            return Vec::new();
        };
        let of_role = |role| {
            let segments = index.segments.iter().filter(|live| live.role == role);
            groups_to_merge(&segments.map(Candidate::of).collect::<Vec<_>>(), merging)
        };
        [index.searched_role(), Role::Benign]
            .into_iter()
            .flat_map(of_role)
            .collect()
    }

    /// Replaces some segments of one role by one with their live videos; it takes the place of the
    /// first.
    fn merge(&mut self, group: &[u64], what: Upkeep, watch: Watch<'_>) -> Result<()> {
        let segments = self.index.iter().flat_map(|index| &index.segments);
        let chosen: Vec<&LiveSegment> = segments
            .filter(|live| group.contains(&live.number))
            .collect();
        let role = chosen.first().map(|live| live.role).unwrap_or_default();
        let work = Work::new(
            watch,
            what,
            chosen.iter().map(|live| live.live_keys()).sum(),
        );
        let merge = Merge::new(chosen.iter().map(|live| (&live.segment, &live.dead[..])));
        let cells = self.cells_for_new(role);
        let merged = if merge.is_empty() {
            None
        } else {
            Some(self.write_segment(&merge, role, &cells, &work)?)
        };
        let mut manifest = self.next_manifest();
        let first = manifest
            .segments
            .iter()
            .position(|entry| group.contains(&entry.number));
        let mut gone = Vec::new();
        if let Some(index) = &self.index {
            for (entry, live) in manifest
                .segments
                .iter()
                .zip(&index.segments)
                .filter(|(e, _)| group.contains(&e.number))
            {
                gone.extend(entry.tombstones.iter().map(|tombstone| Removed {
                    sha256: live.segment.videos[tombstone.video as usize].sha256,
                    role,
                    added: live.segment.added[tombstone.video as usize],
                    generation: tombstone.generation,
                }));
            }
        }
        manifest.removed.extend(gone);
        manifest
            .removed
            .sort_by_key(|removed| (removed.generation, removed.sha256));
        manifest
            .segments
            .retain(|entry| !group.contains(&entry.number));
        if let (Some(place), Some(merged)) = (first, merged) {
            manifest.segments.insert(place, merged);
        }
        self.replace_manifest(manifest, Videos::Same)
    }
}
