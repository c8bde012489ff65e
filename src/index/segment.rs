//! Distinct keys, their postings and the table of videos: one write-once file.
//!
//! A segment never changes. Which of its videos have been removed is said by the manifest.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::files::BlockFile;
use super::format;
use super::posting::{self, RawPosting};
use super::video::Video;
use crate::error::{Error, Result};
use crate::fingerprint::{Key, Motion};

/// An opened segment whose layout and table of videos have been found right; keys and postings are verified when used.
#[derive(Debug)]
pub(crate) struct Segment {
    file: BlockFile,
    keys: usize,
    /// Where in the file each 64-bit word of the keys lies; all four are equally long.
    planes: [Range<usize>; 4],
    /// Where the postings of each key begin; one more than keys, ascending, the last is the number of postings.
    offsets: Range<usize>,
    /// All postings; each names a video of the table.
    postings: Range<usize>,
    /// What moves in each video, as [`Motion::to_bytes`] gives it.
    motions: Vec<Range<usize>>,
    /// The videos, in the order in which they were added.
    pub(crate) videos: Vec<Video>,
    /// Postings of each video.
    pub(crate) postings_per_video: Vec<u32>,
}

/// An entry of the table of videos.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Row<V> {
    /// The video, owned when read, borrowed when written.
    pub(crate) video: V,
    /// Its postings in this segment.
    pub(crate) postings: u32,
    /// Bytes of its motion.
    pub(crate) motion: u64,
}

impl Segment {
    /// Lays out an opened segment and reads its table of videos; costs time and memory by videos, not by keys.
    pub(crate) fn open(file: BlockFile) -> Result<Segment> {
        let mut reader = file.reader();
        let keys = reader.u64()?;
        let posting_count = reader.u64()?;
        let video_count = reader.u64()?;
        let motion_length = reader.u64()?;
        let table_length = reader.u64()?;
        if keys > posting_count || posting_count >= u64::from(u32::MAX) {
            return Err(reader.corrupt(
                "number of keys and postings",
                format!("{keys} and {posting_count}"),
                "at least a posting a key, and fewer than 2^32 - 1",
            ));
        }
        let planes = [
            reader.take_section::<u64>(keys)?,
            reader.take_section::<u64>(keys)?,
            reader.take_section::<u64>(keys)?,
            reader.take_section::<u64>(keys)?,
        ];
        let offsets = reader.take_section::<u32>(keys + 1)?;
        let postings = reader.take_section::<RawPosting>(posting_count)?;
        let motion = reader.take_section::<u8>(motion_length)?;
        let table = reader.take_section::<u8>(table_length)?;
        reader.finish()?;

        let rows: Vec<Row<Video>> = format::decode(&file.path, file.bytes(table)?)?;
        let counted: u64 = rows.iter().map(|row| u64::from(row.postings)).sum();
        if rows.len() as u64 != video_count || counted != posting_count {
            return Err(format::corrupt(
                &file.path,
                "number of videos and their postings",
                format!("{} and {counted}", rows.len()),
                format!("{video_count} and {posting_count}"),
            ));
        }
        let mut motions = Vec::with_capacity(rows.len());
        let mut end = motion.start;
        for row in &rows {
            let start = end;
            end = usize::try_from(row.motion).map_or(usize::MAX, |length| start.saturating_add(length));
            motions.push(start..end);
        }
        if end != motion.end {
            let (found, expected) = (end.saturating_sub(motion.start), motion_length);
            return Err(format::corrupt(&file.path, "length of the motions", found, expected));
        }
        let (videos, postings_per_video) = rows.into_iter().map(|row| (row.video, row.postings)).unzip();
        // In range: so many keys are in the file.
        Ok(Segment { file, keys: keys as usize, planes, offsets, postings, motions, videos, postings_per_video })
    }

    /// Number of distinct keys.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.keys
    }

    /// The file itself.
    pub(crate) fn file(&self) -> &BlockFile {
        &self.file
    }

    /// The keys' words, plane by plane; the first call reads and verifies them all.
    pub(crate) fn planes(&self) -> Result<[&[u64]; 4]> {
        let [a, b, c, d] = &self.planes;
        let plane = |range: &Range<usize>| self.file.view(range.clone());
        Ok([plane(a)?, plane(b)?, plane(c)?, plane(d)?])
    }

    /// A key by its number.
    pub(crate) fn key(&self, key: u32) -> Result<Key> {
        let mut words = [0; 4];
        for (word, plane) in words.iter_mut().zip(&self.planes) {
            *word = self.file.view::<u64>(part::<u64>(plane, key, 1))?[0];
        }
        Ok(Key(words))
    }

    /// The postings of a key, videos in order; all of them name videos of the table.
    pub(crate) fn postings(&self, key: u32) -> Result<&[RawPosting]> {
        let (start, end) = match self.file.view::<u32>(part::<u32>(&self.offsets, key, 2))? {
            &[start, end] if start < end => (start, end),
            _ => return Err(self.unsound_offsets()),
        };
        let range = part::<RawPosting>(&self.postings, start, end - start);
        if range.end > self.postings.end {
            return Err(self.unsound_offsets());
        }
        let postings = self.file.view::<RawPosting>(range)?;
        match postings.iter().find(|posting| !posting::is_sound(posting, self.videos.len())) {
            None => Ok(postings),
            Some(posting) => Err(self.unsound(posting)),
        }
    }

    /// All postings of one video with the numbers of their keys, keys ascending; reads the postings of all videos.
    pub(crate) fn postings_of(&self, video: u32) -> Result<Vec<(u32, RawPosting)>> {
        let postings: &[RawPosting] = self.file.view(self.postings.clone())?;
        let offsets: &[u32] = self.file.view(self.offsets.clone())?;
        let mut found = Vec::new();
        for (number, posting) in postings.iter().enumerate().filter(|(_, posting)| posting[0] == video) {
            if !posting::is_sound(posting, self.videos.len()) {
                return Err(self.unsound(posting));
            }
            // The last key that begins at or before the posting.
            match offsets.partition_point(|&start| start as usize <= number).checked_sub(1) {
                Some(key) if key < self.keys => found.push((key as u32, *posting)),
                _ => return Err(self.unsound_offsets()),
            }
        }
        Ok(found)
    }

    /// The stored bytes of what moves in a video.
    pub(crate) fn motion_bytes(&self, video: u32) -> Result<&[u8]> {
        self.file.bytes(self.motions[video as usize].clone())
    }

    /// What moves in a video.
    pub(crate) fn motion(&self, video: u32) -> Result<Motion> {
        Motion::from_bytes(self.motion_bytes(video)?).map_err(|wrong| {
            format::corrupt(&self.file.path, "motion of a video", wrong, "pictures in order, known levels")
        })
    }

    /// Proves what the writer promises of keys, offsets, postings, motions and their counts; reads everything.
    pub(crate) fn check(&self) -> Result<()> {
        let path = &self.file.path;
        let planes = self.planes()?;
        for key in 1..self.keys {
            if planes.map(|plane| plane[key - 1]) >= planes.map(|plane| plane[key]) {
                return Err(format::corrupt(path, "order of keys", key, "ascending"));
            }
        }
        let offsets: &[u32] = self.file.view(self.offsets.clone())?;
        let postings: &[RawPosting] = self.file.view(self.postings.clone())?;
        let ascending = offsets.windows(2).all(|pair| pair[0] < pair[1]);
        if !ascending || offsets.first() != Some(&0) || offsets.last() != Some(&(postings.len() as u32)) {
            return Err(self.unsound_offsets());
        }
        for video in 0..self.videos.len() {
            self.motion(video as u32)?;
        }
        let mut per_video = vec![0u32; self.videos.len()];
        for posting in postings {
            if !posting::is_sound(posting, self.videos.len()) {
                return Err(self.unsound(posting));
            }
            per_video[posting[0] as usize] += 1;
        }
        match per_video.iter().zip(&self.postings_per_video).position(|(found, expected)| found != expected) {
            None => Ok(()),
            Some(video) => Err(format::corrupt(
                path,
                "number of postings of a video",
                per_video[video],
                self.postings_per_video[video],
            )),
        }
    }

    fn unsound_offsets(&self) -> Error {
        format::corrupt(&self.file.path, "posting offsets", "out of order", "ascending to the number of postings")
    }

    fn unsound(&self, posting: &RawPosting) -> Error {
        let expected = "a video of the table, times in order, known flags";
        format::corrupt(&self.file.path, "posting", format!("{posting:?}"), expected)
    }
}

/// Where `count` values of a section lie from the numbered one on; may reach beyond it, into other verified content or
/// beyond the file, which [`BlockFile::view`] notices.
#[inline]
fn part<T>(section: &Range<usize>, first: u32, count: u32) -> Range<usize> {
    let start = section.start.saturating_add((first as usize).saturating_mul(size_of::<T>()));
    start..start.saturating_add((count as usize).saturating_mul(size_of::<T>()))
}
