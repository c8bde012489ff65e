//! Keeps an index in order: merges segments, trains cells, and sorts by them.

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
    /// Commits what waits, merges small or worn segments that have piled up, trains cells if the
    /// index has outgrown the present ones, and deletes files that are no longer named.
    ///
    /// Segments are merged when more than four are of about one size. A segment is worn when a
    /// fifth of its keys belong to removed videos; it is rewritten without them. Cells are trained
    /// again when there are four times as many keys as suit the present ones, and then all segments
    /// are sorted by the new cells. Each step is a commit, and readers can continue meanwhile. A
    /// merge takes at most some 300 MB of memory, training 100 bytes for each of 64 keys per cell.
    /// Benign material is merged separately and has no cells.
    ///
    /// # Errors
    /// [`Error::Cancelled`] as soon as the caller says so (finished steps stay), [`Error::Io`], and
    /// [`Error::CorruptIndex`] if something to be merged is damaged.
    pub fn maintain<'a>(&mut self, watch: impl Into<Watch<'a>>) -> Result<()> {
        self.upkeep(Merging::WhenDue, watch.into())
    }

    /// As [`Writer::maintain`], but merges as much as possible. Afterwards no removed video takes
    /// space, and neighbouring segments of less than half of
    /// [`SEGMENT_MAX_KEYS`](super::SEGMENT_MAX_KEYS) are joined up to that size.
    ///
    /// # Errors
    /// Those of [`Writer::maintain`].
    pub fn compact<'a>(&mut self, watch: impl Into<Watch<'a>>) -> Result<()> {
        self.upkeep(Merging::All, watch.into())
    }

    fn upkeep(&mut self, merging: Merging, watch: Watch<'_>) -> Result<()> {
        // Deletes first: the leftovers of a crash or an interrupted call may occupy the space that
        // this call needs.
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

    /// Trains `cells` cells, whatever number suits the index, and sorts all segments of sources by
    /// them.
    ///
    /// [`Writer::maintain`] trains a suitable number by itself.
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

    /// Sorts segments that are sorted by older cells by the newest ones.
    fn sort(&mut self, watch: Watch<'_>) -> Result<()> {
        for number in self.sorted_by_other_cells() {
            stop_if(watch.cancel)?;
            self.merge(&[number], Upkeep::Sorting, watch)?;
            self.delete_unnamed()?;
        }
        self.forget_cells()?;
        self.delete_unnamed()
    }

    /// Trains cells from the index's own keys if it has outgrown the present ones.
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

    /// Trains `wanted` cells from the keys of the sources. Segments are sorted by them later.
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
        // With fewer different keys than cells, the last centroid is repeated. Otherwise the cells
        // would be trained again on every call.
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
        // Measurements with other cells do not apply to these.
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

    /// Drops older centroids from the manifest once no segment is sorted by them.
    fn forget_cells(&mut self) -> Result<()> {
        let mut manifest = self.next_manifest();
        if manifest.cells.len() < 2 || !self.sorted_by_other_cells().is_empty() {
            return Ok(());
        }
        manifest.cells.drain(..manifest.cells.len() - 1);
        self.replace_manifest(manifest, Videos::Same)
    }

    /// Numbers of the segments to rewrite, in groups; each group becomes one segment.
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

    /// Merges some segments of one role into one with their live videos. It takes the position of
    /// the first.
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
