//! The tracks of some videos, and their keys by cell: one write-once file.
//!
//! A segment holds each key twice. Its *runs* hold whole keys with times and places, video by video
//! and in order of time, so that a video is read in one piece. Its *entries* hold the sketch of a
//! key and the number of its run, in the order of the cells (see [`cells`](super::cells)), so that
//! a search reads only a few cells.
//!
//! A segment never changes. The manifest says which of its videos have been removed.

use std::ops::Range;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::cells::Cells;
use super::files::BlockFile;
use super::format;
use super::run::{self, RawRun};
use super::sketch::sketch;
use super::video::Video;
use crate::error::{Error, Result};
use crate::fingerprint::{Key, Motion, PictureTrack, Run};

/// An opened segment with verified layout and table of videos. The rest is verified when used.
#[derive(Debug)]
pub(crate) struct Segment {
    file: BlockFile,
    runs: usize,
    /// Number of cells that the entries are sorted by.
    cells: usize,
    /// Checksum of the file of their centroids, or 0 for the single cell.
    pub(crate) cells_checksum: u64,
    /// Where the entries of each cell begin, ascending; one more than cells. The last is the number
    /// of runs.
    starts: Range<usize>,
    /// Both words of the sketch of each entry.
    sketches: [Range<usize>; 2],
    /// The number of the run of each entry.
    numbers: Range<usize>,
    /// All runs, by video and then in order of time.
    stored: Range<usize>,
    /// Number of the first run of each video; one more than videos.
    firsts: Vec<u32>,
    /// Motion of each video, as [`Motion::to_bytes`] gives it.
    motions: Vec<Range<usize>>,
    /// Pictures of each video.
    pictures: Vec<Range<usize>>,
    /// The videos, in the order in which they were added.
    pub(crate) videos: Vec<Video>,
    /// When each video was added.
    pub(crate) added: Vec<Added>,
}

/// When a video was added to the index; kept when segments are merged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Added {
    /// The commit that added it.
    pub(crate) generation: u64,
    /// Time of that commit, in milliseconds since 1970; 0 if unknown.
    pub(crate) at: u64,
}

/// An entry of the table of videos.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Row<V> {
    /// The video, owned when read, borrowed when written.
    pub(crate) video: V,
    pub(crate) added: Added,
    /// Number of its runs in this segment.
    pub(crate) runs: u32,
    /// Length of its motion, in bytes.
    pub(crate) motion: u64,
    /// Length of its pictures, in bytes.
    pub(crate) pictures: u64,
}

/// Where the entries of each cell begin, both words of all sketches, and the numbers of all runs.
pub(crate) type AllEntries = (Vec<u32>, [Vec<u64>; 2], Vec<u32>);

/// The entries of one cell of a segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OfCell<'a> {
    /// Both words of their sketches.
    pub(crate) sketches: [&'a [u64]; 2],
    /// The numbers of their runs.
    pub(crate) numbers: &'a [u32],
}

impl Segment {
    /// Lays out an opened file and reads its table of videos. Time and memory grow with the videos,
    /// not with the keys.
    pub(crate) fn open(file: BlockFile) -> Result<Segment> {
        let mut reader = file.reader();
        let runs = reader.u64()?;
        let video_count = reader.u64()?;
        let cells = reader.u64()?;
        let cells_checksum = reader.u64()?;
        let side_length = reader.u64()?;
        let table_length = reader.u64()?;
        if runs >= u64::from(u32::MAX) || cells == 0 || (cells == 1) != (cells_checksum == 0) {
            return Err(reader.corrupt(
                "number of keys and cells",
                format!("{runs} and {cells} of centroids {cells_checksum:016x}"),
                "fewer than 2^32 - 1 keys, and centroids if there is more than a cell",
            ));
        }
        let starts = reader.take_section::<u32>(cells.saturating_add(1))?;
        let sketches = [
            reader.take_section::<u64>(runs)?,
            reader.take_section::<u64>(runs)?,
        ];
        let numbers = reader.take_section::<u32>(runs)?;
        let stored = reader.take_section::<RawRun>(runs)?;
        let side = reader.take_section::<u8>(side_length)?;
        let table = reader.take_section::<u8>(table_length)?;
        reader.finish()?;

        let rows: Vec<Row<Video>> = format::decode(&file.path, &file.copy(table)?)?;
        let counted: u64 = rows.iter().map(|row| u64::from(row.runs)).sum();
        if rows.len() as u64 != video_count || counted != runs {
            return Err(format::corrupt(
                &file.path,
                "number of videos and their keys",
                format!("{} and {counted}", rows.len()),
                format!("{video_count} and {runs}"),
            ));
        }
        let (mut motions, mut pictures) = (
            Vec::with_capacity(rows.len()),
            Vec::with_capacity(rows.len()),
        );
        let mut end = side.start;
        for row in &rows {
            for (ranges, length) in [(&mut motions, row.motion), (&mut pictures, row.pictures)] {
                let start = end;
                end = usize::try_from(length)
                    .map_or(usize::MAX, |length| start.saturating_add(length));
                ranges.push(start..end);
            }
        }
        if end != side.end {
            let found = end.saturating_sub(side.start);
            return Err(format::corrupt(
                &file.path,
                "length of motions and pictures",
                found,
                side_length,
            ));
        }
        let mut firsts = Vec::with_capacity(rows.len() + 1);
        firsts.push(0);
        // In range: their sum is the number of runs, which is below 2^32.
        firsts.extend(rows.iter().scan(0, |end, row| {
            *end += row.runs;
            Some(*end)
        }));
        let (mut videos, mut added) = (
            Vec::with_capacity(rows.len()),
            Vec::with_capacity(rows.len()),
        );
        for row in rows {
            videos.push(row.video);
            added.push(row.added);
        }
        Ok(Segment {
            file,
            // In range: the file holds this many.
            runs: runs as usize,
            cells: cells as usize,
            cells_checksum,
            starts,
            sketches,
            numbers,
            stored,
            firsts,
            motions,
            pictures,
            videos,
            added,
        })
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.runs
    }

    /// Number of cells that the entries are sorted by.
    pub(crate) fn cells(&self) -> usize {
        self.cells
    }

    pub(crate) fn file(&self) -> &BlockFile {
        &self.file
    }

    /// Numbers of the runs of a video.
    pub(crate) fn runs_of(&self, video: u32) -> Range<u32> {
        self.firsts[video as usize]..self.firsts[video as usize + 1]
    }

    /// The video of a run.
    #[inline]
    pub(crate) fn video_of(&self, number: u32) -> u32 {
        (self.firsts.partition_point(|first| *first <= number) - 1) as u32
    }

    /// The entries of a cell.
    pub(crate) fn entries(&self, cell: u32) -> Result<OfCell<'_>> {
        let (start, end) = match self.file.view::<u32>(part::<u32>(&self.starts, cell, 2))? {
            &[start, end] if start <= end && end as usize <= self.runs => (start, end),
            _ => return Err(self.unsound("table of cells", "ascending to the number of keys")),
        };
        let plane = |range: &Range<usize>| {
            self.file
                .view::<u64>(part::<u64>(range, start, end - start))
        };
        let [a, b] = &self.sketches;
        Ok(OfCell {
            sketches: [plane(a)?, plane(b)?],
            numbers: self
                .file
                .view::<u32>(part::<u32>(&self.numbers, start, end - start))?,
        })
    }

    /// The stored runs with these numbers.
    pub(crate) fn raw(&self, numbers: Range<u32>) -> Result<&[RawRun]> {
        if numbers.end as usize > self.runs || numbers.start > numbers.end {
            return Err(self.unsound("number of a key", "below the number of keys"));
        }
        self.file.view::<RawRun>(part::<RawRun>(
            &self.stored,
            numbers.start,
            numbers.end - numbers.start,
        ))
    }

    /// As [`Segment::raw`], but keeps nothing in memory.
    pub(crate) fn copy_raw(&self, numbers: Range<u32>) -> Result<Vec<RawRun>> {
        let bytes = self.file.copy(part::<RawRun>(
            &self.stored,
            numbers.start,
            numbers.end - numbers.start,
        ))?;
        Ok(format::copied(&bytes))
    }

    /// Motion and pictures of a video. Keeps nothing else in memory.
    pub(crate) fn copy_side(&self, video: u32) -> Result<(Vec<u8>, Vec<u8>)> {
        Ok((
            self.file.copy(self.motions[video as usize].clone())?,
            self.file.copy(self.pictures[video as usize].clone())?,
        ))
    }

    /// All entries with their cells. Keeps nothing else in memory.
    pub(crate) fn copy_entries(&self) -> Result<AllEntries> {
        let [a, b] = &self.sketches;
        let words = |range: &Range<usize>| Ok(format::copied(&self.file.copy(range.clone())?));
        let starts: Vec<u32> = format::copied(&self.file.copy(self.starts.clone())?);
        let numbers: Vec<u32> = format::copied(&self.file.copy(self.numbers.clone())?);
        self.check_starts(&starts)?;
        // A merge copies what the entries name, so no run may be missing or named twice.
        let mut named = vec![false; self.runs];
        for &number in &numbers {
            match named.get_mut(number as usize) {
                Some(named) if !*named => *named = true,
                _ => {
                    return Err(
                        self.unsound("number of a key", "each key of the segment in one cell")
                    );
                }
            }
        }
        Ok((starts, [words(a)?, words(b)?], numbers))
    }

    /// A run by its number.
    pub(crate) fn run(&self, number: u32) -> Result<Run> {
        let raw = self.raw(number..number.saturating_add(1))?;
        self.sound(raw)?;
        Ok(run::unpack(&raw[0]))
    }

    /// All runs of a video, in order of time.
    pub(crate) fn runs(&self, video: u32) -> Result<Vec<Run>> {
        let raw = self.raw(self.runs_of(video))?;
        self.sound(raw)?;
        Ok(raw.iter().map(run::unpack).collect())
    }

    /// The motion of a video.
    pub(crate) fn motion(&self, video: u32) -> Result<Motion> {
        Motion::from_bytes(self.file.bytes(self.motions[video as usize].clone())?)
            .map_err(|wrong| self.unreadable_motion(wrong))
    }

    /// The small pictures of a video, if any.
    pub(crate) fn picture_track(&self, video: u32) -> Result<PictureTrack> {
        PictureTrack::from_bytes(self.file.bytes(self.pictures[video as usize].clone())?)
            .map_err(|wrong| self.unreadable_pictures(wrong))
    }

    /// Whether pictures of a video are stored.
    pub(crate) fn has_pictures(&self, video: usize) -> bool {
        !self.pictures[video].is_empty()
    }

    /// Verifies what the writer promises of a video's track, without keeping it in memory, and
    /// returns its runs.
    pub(crate) fn check_track(&self, video: u32) -> Result<Vec<RawRun>> {
        let raw = self.copy_raw(self.runs_of(video))?;
        self.sound(&raw)?;
        if !raw.is_sorted_by_key(|run| (run::times(run), *run)) {
            return Err(self.unsound("order of the keys of a video", "ascending times"));
        }
        let (motion, pictures) = self.copy_side(video)?;
        Motion::from_bytes(&motion).map_err(|wrong| self.unreadable_motion(wrong))?;
        PictureTrack::from_bytes(&pictures).map_err(|wrong| self.unreadable_pictures(wrong))?;
        Ok(raw)
    }

    fn unreadable_motion(&self, wrong: &str) -> Error {
        format::corrupt(
            &self.file.path,
            "motion of a video",
            wrong,
            "pictures in order, known levels",
        )
    }

    fn unreadable_pictures(&self, wrong: &str) -> Error {
        format::corrupt(
            &self.file.path,
            "pictures of a video",
            wrong,
            "those that were written",
        )
    }

    /// Verifies what the writer promises of the whole segment. Reads everything and keeps nothing
    /// in memory.
    pub(crate) fn check(&self, cells: &Cells) -> Result<()> {
        let (starts, [low, high], numbers) = self.copy_entries()?;
        for cell in starts.windows(2) {
            let of_cell = cell[0] as usize..cell[1] as usize;
            let entry = |at: usize| (low[at], high[at], numbers[at]);
            if of_cell.clone().skip(1).any(|at| entry(at - 1) >= entry(at)) {
                return Err(self.unsound("keys of a cell", "ascending"));
            }
        }
        let mut cell_of = vec![0u32; self.runs];
        for (cell, of_cell) in (0..).zip(starts.windows(2)) {
            numbers[of_cell[0] as usize..of_cell[1] as usize]
                .iter()
                .for_each(|number| cell_of[*number as usize] = cell);
        }
        let mut sketch_of = vec![[0u64; 2]; self.runs];
        (0..self.runs).for_each(|at| sketch_of[numbers[at] as usize] = [low[at], high[at]]);
        for video in 0..self.videos.len() as u32 {
            let first = self.runs_of(video).start as usize;
            let raw = self.check_track(video)?;
            let agree = |(place, run): (usize, &RawRun)| {
                sketch(run::key_of(run)) == sketch_of[first + place]
            };
            if !raw.par_iter().enumerate().all(agree) {
                return Err(self.unsound("track of a video", "the keys that the cells have of it"));
            }
            let keys: Vec<Key> = raw.iter().map(run::key_of).collect();
            if cells
                .assign(&keys)
                .iter()
                .zip(&cell_of[first..])
                .any(|(wanted, found)| wanted != found)
            {
                return Err(self.unsound("cell of a key", "the nearest one"));
            }
        }
        Ok(())
    }

    fn check_starts(&self, starts: &[u32]) -> Result<()> {
        let ascending = starts.windows(2).all(|pair| pair[0] <= pair[1]);
        if !ascending || starts.first() != Some(&0) || starts.last() != Some(&(self.runs as u32)) {
            return Err(self.unsound("table of cells", "ascending to the number of keys"));
        }
        Ok(())
    }

    fn sound(&self, runs: &[RawRun]) -> Result<()> {
        match runs.iter().find(|run| !run::is_sound(run)) {
            None => Ok(()),
            Some(run) => {
                let found = format!("times {:?} and flags {}", run::times(run), run[5] >> 48);
                Err(format::corrupt(
                    &self.file.path,
                    "key of a video",
                    found,
                    "times in order, known flags",
                ))
            }
        }
    }

    fn unsound(&self, what: &'static str, expected: &str) -> Error {
        format::corrupt(&self.file.path, what, "different", expected)
    }
}

/// The range of `count` values of a section, starting at number `first`. It may reach beyond the
/// section, into other verified content or beyond the file, which [`BlockFile::view`] notices.
#[inline]
fn part<T>(section: &Range<usize>, first: u32, count: u32) -> Range<usize> {
    let start = section
        .start
        .saturating_add((first as usize).saturating_mul(size_of::<T>()));
    start..start.saturating_add((count as usize).saturating_mul(size_of::<T>()))
}
