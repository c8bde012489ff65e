//! Makes segments: of videos that wait for a commit, or of segments that are merged.
//!
//! Keys come in ascending order from whatever there is, and are written as they come, section after section, each in a
//! pass of its own. So a merge needs the memory of its tables of videos, and not that of its keys.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::format::{self, FileWriter, SEGMENT_MAGIC};
use super::manifest::FileEntry;
use super::posting::{self, RawPosting};
use super::segment::{Row, Segment};
use super::storage::Storage;
use super::video::Video;
use crate::error::Result;
use crate::fingerprint::{Key, Motion, Run};

/// Keys with their postings, to be gone through as often as needed.
pub(crate) trait Entries {
    /// The videos that the postings name by number.
    fn videos(&self) -> &[Video];
    /// What moves in a video, as it is stored.
    fn motion(&self, video: usize) -> Result<&[u8]>;
    /// Gives each key once, ascending, with its postings, of which there is at least one, ascending too.
    fn visit(&self, each: &mut dyn FnMut(Key, &[RawPosting]) -> Result<()>) -> Result<()>;
}

/// A segment that has been written and that no manifest names yet.
pub(crate) struct Assembled {
    pub(crate) file: FileEntry,
    /// Distinct keys.
    pub(crate) keys: u32,
    /// Videos.
    pub(crate) videos: u32,
}

/// Writes a segment; the same entries give the same bytes.
pub(crate) fn write(storage: &dyn Storage, path: &Path, entries: &dyn Entries) -> Result<Assembled> {
    let (mut keys, mut postings) = (0u64, 0u64);
    let mut per_video = vec![0u32; entries.videos().len()];
    entries.visit(&mut |_, found| {
        keys += 1;
        postings += found.len() as u64;
        found.iter().for_each(|posting| per_video[posting[0] as usize] += 1);
        Ok(())
    })?;
    let mut rows: Vec<Row<&Video>> = Vec::with_capacity(per_video.len());
    for (number, (video, &postings)) in entries.videos().iter().zip(&per_video).enumerate() {
        rows.push(Row { video, postings, motion: entries.motion(number)?.len() as u64 });
    }
    let motion: u64 = rows.iter().map(|row| row.motion).sum();
    let table = format::encode(path, &rows)?;

    let mut file = FileWriter::create(storage, path, SEGMENT_MAGIC)?;
    file.append(&[keys, postings, rows.len() as u64, motion, table.len() as u64])?;
    for plane in 0..4 {
        file.begin_section()?;
        entries.visit(&mut |key, _| file.append(&[key.0[plane]]))?;
    }
    file.begin_section()?;
    let mut offset = 0u32;
    entries.visit(&mut |_, postings| {
        file.append(&[offset])?;
        offset += postings.len() as u32;
        Ok(())
    })?;
    file.append(&[offset])?;
    file.begin_section()?;
    entries.visit(&mut |_, postings| file.append(postings))?;
    file.begin_section()?;
    for number in 0..rows.len() {
        file.append(entries.motion(number)?)?;
    }
    file.section(&table)?;
    Ok(Assembled { file: file.finish()?, keys: keys as u32, videos: rows.len() as u32 })
}

/// Videos that wait for a commit, with their runs.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    pub(crate) videos: Vec<Video>,
    /// What moves in each of them, as it is stored.
    motions: Vec<Vec<u8>>,
    /// Sorted by [`Pending::parts`].
    entries: Vec<(Key, RawPosting)>,
}

impl Pending {
    /// Appends a video with its runs and what moves in it.
    pub(crate) fn add(&mut self, video: Video, runs: &[Run], motion: &Motion) {
        let number = self.videos.len() as u32;
        self.videos.push(video);
        self.motions.push(motion.to_bytes());
        self.entries.extend(runs.iter().map(|run| (run.key, posting::pack(number, run))));
    }

    /// Takes videos back out.
    pub(crate) fn retain(&mut self, keep: impl Fn(&Video) -> bool) {
        let keep: Vec<bool> = self.videos.iter().map(keep).collect();
        let numbers = renumber(&keep);
        let mut kept = keep.iter();
        self.videos.retain(|_| kept.next().copied().unwrap_or(true));
        let mut kept = keep.iter();
        self.motions.retain(|_| kept.next().copied().unwrap_or(true));
        self.entries.retain_mut(|(_, posting)| match numbers[posting[0] as usize] {
            Some(number) => {
                posting[0] = number;
                true
            }
            None => false,
        });
    }

    /// Postings collected so far.
    pub(crate) fn postings(&self) -> usize {
        self.entries.len()
    }

    /// Sorts the entries and divides them into parts of consecutive videos, each of at most so many postings (or of one
    /// video); of nothing there are no parts.
    pub(crate) fn parts(&mut self, postings: usize) -> impl Iterator<Item = Part<'_>> {
        self.entries.sort_unstable();
        let mut per_video = vec![0usize; self.videos.len()];
        self.entries.iter().for_each(|(_, posting)| per_video[posting[0] as usize] += 1);
        let mut parts: Vec<Range<usize>> = Vec::new();
        let mut in_last = 0;
        for (video, count) in per_video.into_iter().enumerate() {
            in_last += count;
            match parts.last_mut() {
                Some(part) if in_last <= postings => part.end = video + 1,
                _ => {
                    parts.push(video..video + 1);
                    in_last = count;
                }
            }
        }
        let (videos, motions, entries) = (&self.videos, &self.motions, &self.entries);
        parts.into_iter().map(move |part| Part {
            first: part.start as u32,
            videos: &videos[part.clone()],
            motions: &motions[part],
            entries,
        })
    }
}

/// Some consecutive videos of what waits.
pub(crate) struct Part<'a> {
    /// Number of the first among all.
    first: u32,
    videos: &'a [Video],
    motions: &'a [Vec<u8>],
    /// Those of all videos, sorted.
    entries: &'a [(Key, RawPosting)],
}

impl Entries for Part<'_> {
    fn videos(&self) -> &[Video] {
        self.videos
    }

    fn motion(&self, video: usize) -> Result<&[u8]> {
        Ok(&self.motions[video])
    }

    fn visit(&self, each: &mut dyn FnMut(Key, &[RawPosting]) -> Result<()>) -> Result<()> {
        let mut postings = Vec::new();
        for of_key in self.entries.chunk_by(|a, b| a.0 == b.0) {
            postings.clear();
            for &(_, [video, first, last, centre, size_flags]) in of_key {
                let number = video.wrapping_sub(self.first);
                if (number as usize) < self.videos.len() {
                    postings.push([number, first, last, centre, size_flags]);
                }
            }
            if !postings.is_empty() {
                each(of_key[0].0, &postings)?;
            }
        }
        Ok(())
    }
}

/// The live videos of some segments, in order.
pub(crate) struct Merge {
    sources: Vec<Source>,
    videos: Vec<Video>,
    /// The source of each video, and its number there.
    origins: Vec<(usize, u32)>,
}

/// A segment that takes part in a merge.
struct Source {
    segment: Arc<Segment>,
    /// New number of each video; `None` for those removed.
    numbers: Vec<Option<u32>>,
}

impl Merge {
    /// Prepares to merge segments, each with its removed videos marked.
    pub(crate) fn new<'a>(segments: impl Iterator<Item = (&'a Arc<Segment>, &'a [bool])>) -> Merge {
        let mut merge = Merge { sources: Vec::new(), videos: Vec::new(), origins: Vec::new() };
        for (segment, dead) in segments {
            let live: Vec<bool> = dead.iter().map(|dead| !dead).collect();
            let first = merge.videos.len() as u32;
            let numbers = renumber(&live).into_iter().map(|number| number.map(|number| number + first)).collect();
            let source = merge.sources.len();
            for (number, video) in (0..).zip(&segment.videos).filter(|(number, _)| live[*number as usize]) {
                merge.videos.push(video.clone());
                merge.origins.push((source, number));
            }
            merge.sources.push(Source { segment: Arc::clone(segment), numbers });
        }
        merge
    }
}

impl Merge {
    /// Prepares to write a segment anew with all its videos, also the removed, and the same keys, but with other facts of
    /// some videos.
    pub(crate) fn corrected<'a>(segment: &'a Arc<Segment>, corrected: impl Iterator<Item = (u32, &'a Video)>) -> Merge {
        let all = vec![false; segment.videos.len()];
        let mut merge = Merge::new(std::iter::once((segment, &all[..])));
        for (number, video) in corrected {
            merge.videos[number as usize] = video.clone();
        }
        merge
    }
}

impl Entries for Merge {
    fn videos(&self) -> &[Video] {
        &self.videos
    }

    fn motion(&self, video: usize) -> Result<&[u8]> {
        let (source, number) = self.origins[video];
        self.sources[source].segment.motion_bytes(number)
    }

    fn visit(&self, each: &mut dyn FnMut(Key, &[RawPosting]) -> Result<()>) -> Result<()> {
        // The next key of each source; equal keys in the order of the sources, so that postings stay in order.
        let mut next = BinaryHeap::new();
        for (number, source) in self.sources.iter().enumerate() {
            if source.segment.len() > 0 {
                next.push(Reverse((source.segment.key(0)?, number, 0u32)));
            }
        }
        let mut last = None;
        let mut postings: Vec<RawPosting> = Vec::new();
        while let Some(Reverse((key, number, place))) = next.pop() {
            if last != Some(key)
                && let Some(last) = last.replace(key)
            {
                if last > key {
                    let path = &self.sources[number].segment.file().path;
                    return Err(format::corrupt(path, "order of keys", place, "ascending"));
                }
                if !postings.is_empty() {
                    each(last, &postings)?;
                    postings.clear();
                }
            }
            let Source { segment, numbers } = &self.sources[number];
            for posting in segment.postings(place)? {
                if let Some(number) = numbers[posting[0] as usize] {
                    let [_, first, last, centre, size_flags] = *posting;
                    postings.push([number, first, last, centre, size_flags]);
                }
            }
            let place = place + 1;
            if (place as usize) < segment.len() {
                next.push(Reverse((segment.key(place)?, number, place)));
            }
        }
        match last {
            Some(last) if !postings.is_empty() => each(last, &postings),
            _ => Ok(()),
        }
    }
}

/// Consecutive numbers for those that are kept.
fn renumber(keep: &[bool]) -> Vec<Option<u32>> {
    let mut next = 0;
    let number = |&keep: &bool| {
        keep.then(|| {
            next += 1;
            next - 1
        })
    };
    keep.iter().map(number).collect()
}
