//! Distinct keys, their postings and the table of videos: one write-once file.
//!
//! A segment never changes. Which of its videos have been removed is said by the manifest.

use std::ops::Range;
use std::sync::OnceLock;

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
    /// Made when first asked for: a search does not need it.
    by_video: OnceLock<ByVideo>,
    /// The videos, in the order in which they were added.
    pub(crate) videos: Vec<Video>,
    /// Postings of each video.
    pub(crate) postings_per_video: Vec<u32>,
}

/// The postings in the order of their videos.
#[derive(Debug)]
struct ByVideo {
    /// Where those of each video begin; one more than videos.
    starts: Vec<u32>,
    places: Vec<Place>,
}

/// A posting.
#[derive(Clone, Copy, Default, Debug)]
struct Place {
    /// Number of its key.
    key: u32,
    /// Its own number.
    posting: u32,
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
        let by_video = OnceLock::new();
        Ok(Segment {
            file,
            keys: keys as usize,
            planes,
            offsets,
            postings,
            motions,
            by_video,
            videos,
            postings_per_video,
        })
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
        let (start, end) = self.offsets_of(key)?;
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

    /// All postings of one video with the numbers of their keys, keys ascending.
    ///
    /// The first call reads the postings of all videos, and notes where those of each are; others only read the video's.
    pub(crate) fn postings_of(&self, video: u32) -> Result<Vec<(u32, RawPosting)>> {
        let by_video = match self.by_video.get() {
            Some(by_video) => by_video,
            // Threads that come at the same time all do it, so that none has to wait inside rayon for another.
            None => {
                let by_video = self.order_by_video()?;
                self.by_video.get_or_init(|| by_video)
            }
        };
        let postings: &[RawPosting] = self.file.view(self.postings.clone())?;
        let places =
            &by_video.places[by_video.starts[video as usize] as usize..by_video.starts[video as usize + 1] as usize];
        Ok(places.iter().map(|place| (place.key, postings[place.posting as usize])).collect())
    }

    /// Sorts the postings by their videos; all that it notes is in range.
    fn order_by_video(&self) -> Result<ByVideo> {
        let postings: &[RawPosting] = self.file.view(self.postings.clone())?;
        let mut starts = Vec::with_capacity(self.videos.len() + 1);
        starts.push(0u32);
        // In range: together they are as many as the postings, fewer than 2^32.
        starts.extend(self.postings_per_video.iter().scan(0, |end, count| {
            *end += count;
            Some(*end)
        }));
        let mut next = starts.clone();
        let mut places = vec![Place::default(); postings.len()];
        for key in 0..self.keys as u32 {
            let (first, end) = self.offsets_of(key)?;
            let Some(of_key) = postings.get(first as usize..end as usize) else {
                return Err(self.unsound_offsets());
            };
            for (posting, number) in of_key.iter().zip(first..) {
                if !posting::is_sound(posting, self.videos.len()) {
                    return Err(self.unsound(posting));
                }
                let video = posting[0] as usize;
                if next[video] >= starts[video + 1] {
                    return Err(self.wrong_count(video, "more"));
                }
                places[next[video] as usize] = Place { key, posting: number };
                next[video] += 1;
            }
        }
        match (0..self.videos.len()).find(|&video| next[video] != starts[video + 1]) {
            None => Ok(ByVideo { starts, places }),
            Some(video) => Err(self.wrong_count(video, "fewer")),
        }
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

    /// Where the postings of a key begin and end.
    #[inline]
    fn offsets_of(&self, key: u32) -> Result<(u32, u32)> {
        match self.file.view::<u32>(part::<u32>(&self.offsets, key, 2))? {
            &[start, end] if start < end => Ok((start, end)),
            _ => Err(self.unsound_offsets()),
        }
    }

    fn wrong_count(&self, video: usize, found: &str) -> Error {
        format::corrupt(&self.file.path, "number of postings of a video", found, self.postings_per_video[video])
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
