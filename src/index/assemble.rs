//! Makes segments, either from videos that wait for a commit or by merging segments.
//!
//! Only entries of 28 bytes are sorted. Tracks are copied video by video and not kept in memory. So
//! a merge needs a third of the memory of its keys, of which there are at most
//! [`SEGMENT_MAX_KEYS`](super::SEGMENT_MAX_KEYS).

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;

use super::cells::Cells;
use super::format::{self, FileWriter, SEGMENT_MAGIC};
use super::manifest::FileEntry;
use super::run::{self, RawRun};
use super::segment::{Added, Row, Segment};
use super::sketch::{Sketch, sketch};
use super::storage::Storage;
use super::upkeep::Work;
use super::video::Video;
use crate::error::Result;
use crate::fingerprint::{Key, Motion, Run};

/// Motion and pictures of a video, in stored form.
type Side<'a> = (std::borrow::Cow<'a, [u8]>, std::borrow::Cow<'a, [u8]>);

/// Videos with all their stored data, which can be read as often as needed.
pub(crate) trait Tracks {
    /// The videos, each with when it was added; `None` for those that the next commit adds.
    fn videos(&self) -> Vec<(&Video, Option<Added>)>;
    /// Number of runs of each video.
    fn counts(&self) -> Vec<u32>;
    /// The runs of a video, in order of time.
    fn runs(&self, video: usize) -> Result<std::borrow::Cow<'_, [RawRun]>>;
    /// Motion and pictures of a video, in stored form.
    fn side(&self, video: usize) -> Result<Side<'_>>;
    /// All keys by cell. Runs are numbered through all videos in order.
    fn entries(&self, cells: &Cells, work: &Work<'_>) -> Result<Vec<Entry>> {
        assign(self, 0..self.counts().len(), 0, cells, work)
    }
}

/// A key in its cell: cell, sketch, and number of its run. The order of the fields is the order on
/// disk.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(C, packed(4))]
pub(crate) struct Entry {
    pub(crate) cell: u32,
    pub(crate) sketch: Sketch,
    pub(crate) number: u32,
}

/// Finds the cells of the keys of some videos; the first run has the number `first`.
fn assign(
    tracks: &(impl Tracks + ?Sized),
    videos: Range<usize>,
    first: u32,
    cells: &Cells,
    work: &Work<'_>,
) -> Result<Vec<Entry>> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut keys: Vec<Key> = Vec::new();
    let mut number = first;
    let mut end_part = |keys: &mut Vec<Key>, number: &mut u32| {
        let assigned = cells.assign(keys);
        let of = |(place, (cell, key)): (usize, (u32, &Key))| Entry {
            cell,
            sketch: sketch(*key),
            number: *number + place as u32,
        };
        entries.extend(assigned.into_iter().zip(keys.iter()).enumerate().map(of));
        *number += keys.len() as u32;
        work.advance(keys.len() as u64);
        keys.clear();
    };
    for video in videos {
        keys.extend(tracks.runs(video)?.iter().map(run::key_of));
        if keys.len() >= KEYS_AT_A_TIME {
            work.stop_if_asked()?;
            end_part(&mut keys, &mut number);
        }
    }
    end_part(&mut keys, &mut number);
    Ok(entries)
}

/// Number of keys whose cells are looked up at a time.
const KEYS_AT_A_TIME: usize = 1 << 18;

/// A segment that is written but not yet named by a manifest.
pub(crate) struct Assembled {
    pub(crate) file: FileEntry,
    pub(crate) keys: u32,
    pub(crate) videos: u32,
}

/// Writes a segment. The same tracks and cells give the same bytes. `now` is recorded for new
/// videos.
pub(crate) fn write(
    storage: &dyn Storage,
    path: &Path,
    tracks: &dyn Tracks,
    cells: &Cells,
    now: Added,
    work: &Work<'_>,
) -> Result<Assembled> {
    let mut entries = tracks.entries(cells, work)?;
    entries.par_sort_unstable();
    let (videos, counts) = (tracks.videos(), tracks.counts());
    let mut rows = Vec::with_capacity(videos.len());
    for (number, ((video, added), &runs)) in videos.iter().zip(&counts).enumerate() {
        let (motion, pictures) = tracks.side(number)?;
        let (motion, pictures) = (motion.len() as u64, pictures.len() as u64);
        rows.push(Row {
            video,
            added: added.unwrap_or(now),
            runs,
            motion,
            pictures,
        });
    }
    let side: u64 = rows.iter().map(|row| row.motion + row.pictures).sum();
    let table = format::encode(path, &rows)?;

    let mut file = FileWriter::create(storage, path, SEGMENT_MAGIC)?;
    let counts = [entries.len() as u64, rows.len() as u64, cells.len() as u64];
    file.append(&counts)?;
    file.append(&[cells.checksum(), side, table.len() as u64])?;
    file.begin_section()?;
    let mut entry = 0;
    for cell in 0..=cells.len() as u32 {
        entry += entries[entry..].partition_point(|of| { of.cell } < cell);
        file.append(&[entry as u32])?;
    }
    for word in 0..2 {
        file.begin_section()?;
        entries
            .iter()
            .try_for_each(|entry| file.append(&[{ entry.sketch }[word]]))?;
    }
    file.begin_section()?;
    entries
        .iter()
        .try_for_each(|entry| file.append(&[{ entry.number }]))?;
    drop(entries);
    file.begin_section()?;
    for video in 0..rows.len() {
        work.stop_if_asked()?;
        file.append(&tracks.runs(video)?)?;
    }
    file.begin_section()?;
    for video in 0..rows.len() {
        let (motion, pictures) = tracks.side(video)?;
        file.append(&motion)?;
        file.append(&pictures)?;
    }
    file.section(&table)?;
    Ok(Assembled {
        file: file.finish()?,
        keys: counts[0] as u32,
        videos: counts[1] as u32,
    })
}

/// Videos that wait for a commit, with their tracks.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    pub(crate) videos: Vec<Video>,
    tracks: Vec<Track>,
}

/// Stored data of a video that waits.
#[derive(Debug)]
struct Track {
    runs: Vec<RawRun>,
    motion: Vec<u8>,
    pictures: Vec<u8>,
    /// When it was added to the index that it is taken over from.
    added: Option<Added>,
}

impl Pending {
    /// Appends a video with its runs, motion and pictures.
    pub(crate) fn add(
        &mut self,
        video: Video,
        runs: &[Run],
        motion: &Motion,
        pictures: Vec<u8>,
        added: Option<Added>,
    ) {
        let mut runs: Vec<RawRun> = runs.iter().map(run::pack).collect();
        runs.sort_by_key(|run| (run::times(run), *run));
        self.videos.push(video);
        self.tracks.push(Track {
            runs,
            motion: motion.to_bytes(),
            pictures,
            added,
        });
    }

    /// Keeps only the videos for which `keep` is true.
    pub(crate) fn retain(&mut self, keep: impl Fn(&Video) -> bool) {
        let keep: Vec<bool> = self.videos.iter().map(keep).collect();
        let mut kept = keep.iter();
        self.videos.retain(|_| kept.next().copied().unwrap_or(true));
        let mut kept = keep.iter();
        self.tracks.retain(|_| kept.next().copied().unwrap_or(true));
    }

    /// Runs collected so far.
    pub(crate) fn runs(&self) -> usize {
        self.tracks.iter().map(|track| track.runs.len()).sum()
    }

    /// Divides what waits into parts of consecutive videos. Each part has at most `runs` runs, or
    /// is one video. If nothing waits, there are no parts.
    pub(crate) fn parts(&self, runs: usize) -> Vec<Part<'_>> {
        let mut parts: Vec<Range<usize>> = Vec::new();
        let mut in_last = 0;
        for (video, track) in self.tracks.iter().enumerate() {
            in_last += track.runs.len();
            match parts.last_mut() {
                Some(part) if in_last <= runs => part.end = video + 1,
                _ => {
                    parts.push(video..video + 1);
                    in_last = track.runs.len();
                }
            }
        }
        parts
            .into_iter()
            .map(|part| Part {
                videos: &self.videos[part.clone()],
                tracks: &self.tracks[part],
            })
            .collect()
    }
}

/// Consecutive videos of those that wait.
pub(crate) struct Part<'a> {
    videos: &'a [Video],
    tracks: &'a [Track],
}

impl Tracks for Part<'_> {
    fn videos(&self) -> Vec<(&Video, Option<Added>)> {
        self.videos
            .iter()
            .zip(self.tracks)
            .map(|(video, track)| (video, track.added))
            .collect()
    }

    fn counts(&self) -> Vec<u32> {
        self.tracks
            .iter()
            .map(|track| track.runs.len() as u32)
            .collect()
    }

    fn runs(&self, video: usize) -> Result<std::borrow::Cow<'_, [RawRun]>> {
        Ok(self.tracks[video].runs.as_slice().into())
    }

    fn side(&self, video: usize) -> Result<Side<'_>> {
        let track = &self.tracks[video];
        Ok((
            track.motion.as_slice().into(),
            track.pictures.as_slice().into(),
        ))
    }
}

/// The live videos of some segments, in order.
pub(crate) struct Merge {
    segments: Vec<Arc<Segment>>,
    videos: Vec<Video>,
    /// Where each video comes from.
    origins: Vec<Origin>,
    /// Whether the videos are new in the index.
    are_new: bool,
}

/// A video to be merged.
struct Origin {
    /// Position of its segment.
    segment: usize,
    /// Its number there.
    number: u32,
    /// Pictures that replace the stored ones.
    pictures: Option<Vec<u8>>,
}

/// New facts about a video.
#[derive(Clone, Debug)]
pub(crate) struct Correction {
    pub(crate) video: Video,
    /// Its new pictures; `None` keeps the old ones.
    pub(crate) pictures: Option<Vec<u8>>,
}

impl Merge {
    /// Prepares to merge segments, each with a mark for every removed video.
    pub(crate) fn new<'a>(segments: impl Iterator<Item = (&'a Arc<Segment>, &'a [bool])>) -> Merge {
        let mut merge = Merge {
            segments: Vec::new(),
            videos: Vec::new(),
            origins: Vec::new(),
            are_new: false,
        };
        for (segment, dead) in segments {
            let place = merge.segments.len();
            for (number, video) in (0..)
                .zip(&segment.videos)
                .filter(|(number, _)| !dead[*number as usize])
            {
                merge.videos.push(video.clone());
                merge.origins.push(Origin {
                    segment: place,
                    number,
                    pictures: None,
                });
            }
            merge.segments.push(Arc::clone(segment));
        }
        merge
    }

    /// Prepares to rewrite a segment with the same videos (also the removed ones) and keys, but
    /// with new facts about some videos.
    pub(crate) fn corrected<'a>(
        segment: &'a Arc<Segment>,
        corrected: impl Iterator<Item = (u32, &'a Correction)>,
    ) -> Merge {
        let all = vec![false; segment.videos.len()];
        let mut merge = Merge::new(std::iter::once((segment, &all[..])));
        for (number, Correction { video, pictures }) in corrected {
            merge.videos[number as usize] = video.clone();
            merge.origins[number as usize].pictures = pictures.clone();
        }
        merge
    }

    /// Prepares to write the videos of another index's segment, except those marked in `left`, as
    /// new videos of this index.
    pub(crate) fn taken_over(segment: &Arc<Segment>, left: &[bool]) -> Merge {
        Merge {
            are_new: true,
            ..Merge::new(std::iter::once((segment, left)))
        }
    }

    /// Whether no video is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.videos.is_empty()
    }

    fn origin(&self, video: usize) -> (&Segment, &Origin) {
        let origin = &self.origins[video];
        (&self.segments[origin.segment], origin)
    }
}

impl Tracks for Merge {
    fn videos(&self) -> Vec<(&Video, Option<Added>)> {
        let added = |origin: &Origin| {
            (!self.are_new).then(|| self.segments[origin.segment].added[origin.number as usize])
        };
        self.videos
            .iter()
            .zip(self.origins.iter().map(added))
            .collect()
    }

    fn counts(&self) -> Vec<u32> {
        let count =
            |origin: &Origin| self.segments[origin.segment].runs_of(origin.number).len() as u32;
        self.origins.iter().map(count).collect()
    }

    fn runs(&self, video: usize) -> Result<std::borrow::Cow<'_, [RawRun]>> {
        let (segment, origin) = self.origin(video);
        Ok(segment.copy_raw(segment.runs_of(origin.number))?.into())
    }

    fn side(&self, video: usize) -> Result<Side<'_>> {
        let (segment, origin) = self.origin(video);
        let (motion, pictures) = segment.copy_side(origin.number)?;
        Ok((
            motion.into(),
            origin.pictures.clone().unwrap_or(pictures).into(),
        ))
    }

    /// Copies the cells of segments that are sorted by the same centroids, and looks up the cells
    /// of all other keys.
    fn entries(&self, cells: &Cells, work: &Work<'_>) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        let (mut video, mut first) = (0, 0u32);
        for (place, segment) in self.segments.iter().enumerate() {
            work.stop_if_asked()?;
            let until =
                video + self.origins[video..].partition_point(|origin| origin.segment == place);
            let of_segment = &self.origins[video..until];
            let live: u32 = of_segment
                .iter()
                .map(|origin| segment.runs_of(origin.number).len() as u32)
                .sum();
            // Another index's cells are not trusted: anybody may have made it.
            if !self.are_new
                && segment.cells_checksum == cells.checksum()
                && segment.cells() == cells.len()
            {
                // How much the run numbers of each video shift; `None` for removed videos.
                let mut shifts: Vec<Option<u32>> = vec![None; segment.videos.len()];
                let mut next = first;
                for origin in of_segment {
                    let runs = segment.runs_of(origin.number);
                    shifts[origin.number as usize] = Some(next.wrapping_sub(runs.start));
                    next += runs.len() as u32;
                }
                let (starts, [low, high], numbers) = segment.copy_entries()?;
                for (cell, of_cell) in (0..).zip(starts.windows(2)) {
                    for at in of_cell[0] as usize..of_cell[1] as usize {
                        let number = numbers[at];
                        if let Some(shift) = shifts[segment.video_of(number) as usize] {
                            entries.push(Entry {
                                cell,
                                sketch: [low[at], high[at]],
                                number: number.wrapping_add(shift),
                            });
                        }
                    }
                }
                work.advance(u64::from(live));
            } else {
                entries.extend(assign(self, video..until, first, cells, work)?);
            }
            (video, first) = (until, first + live);
        }
        Ok(entries)
    }
}
