//! A segment of version 4: keys in ascending order with their postings, regrouped by video.

use std::ops::Range;
use std::time::Duration;

use serde::Deserialize;

use super::super::files::BlockFile;
use super::super::format;
use super::super::video::{Publication, Video};
use crate::error::{Error, Result};
use crate::fingerprint::{Key, KeyKind, Motion, Place, Run};

/// A segment whose content is verified, except the bytes of its motions.
#[derive(Debug)]
pub(crate) struct Segment {
    file: BlockFile,
    /// Range in the file of each 64-bit word of the keys.
    planes: [Range<usize>; 4],
    postings: Range<usize>,
    rows: Vec<Row>,
    /// Range in the file of the motion of each video.
    motions: Vec<Range<usize>>,
    /// Where the postings of each video begin in `places`; one more than videos.
    starts: Vec<u32>,
    /// The postings, sorted by video, then by key.
    places: Vec<Seen>,
}

/// A posting.
#[derive(Clone, Copy, Default, Debug)]
struct Seen {
    /// Number of its key.
    key: u32,
    /// Number of the posting.
    posting: u32,
}

/// An entry of the table of videos; the order of fields is the order on disk.
#[derive(Debug, Deserialize)]
struct Row {
    video: StoredVideo,
    postings: u32,
    /// Length of the motion, in bytes.
    motion: u64,
}

#[derive(Clone, Debug, Deserialize)]
struct StoredVideo {
    id: String,
    path: String,
    sha256: [u8; 32],
    duration: Duration,
    width: u32,
    height: u32,
    publication: StoredPublication,
    keyframes: u32,
    undecoded: Duration,
}

#[derive(Clone, Debug, Deserialize)]
struct StoredPublication {
    url: Option<String>,
    title: Option<String>,
    uploader: Option<String>,
    platform: Option<String>,
    published_at: Option<String>,
}

/// Video, first and last millisecond, x and y, size and flags.
type RawPosting = [u32; 5];

impl Segment {
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

        let rows: Vec<Row> = format::decode(&file.path, file.bytes(table)?)?;
        let counted: u64 = rows.iter().map(|row| u64::from(row.postings)).sum();
        if rows.len() as u64 != video_count || counted != posting_count {
            let found = format!("{} and {counted}", rows.len());
            let expected = format!("{video_count} and {posting_count}");
            return Err(format::corrupt(
                &file.path,
                "number of videos and their postings",
                found,
                expected,
            ));
        }
        let mut motions = Vec::with_capacity(rows.len());
        let mut end = motion.start;
        for row in &rows {
            let start = end;
            end = usize::try_from(row.motion)
                .map_or(usize::MAX, |length| start.saturating_add(length));
            motions.push(start..end);
        }
        if end != motion.end {
            let found = end.saturating_sub(motion.start);
            return Err(format::corrupt(
                &file.path,
                "length of the motions",
                found,
                motion_length,
            ));
        }
        // In range: their sum is the number of postings, which is below 2^32.
        let ends = rows.iter().scan(0, |end, row| {
            *end += row.postings;
            Some(*end)
        });
        let starts = [0].into_iter().chain(ends).collect();
        let mut segment = Segment {
            file,
            planes,
            postings,
            rows,
            motions,
            starts,
            places: Vec::new(),
        };
        segment.check_keys()?;
        segment.places = segment.by_video(offsets)?;
        Ok(segment)
    }

    /// Number of distinct keys.
    pub(crate) fn keys(&self) -> usize {
        self.planes[0].len() / size_of::<u64>()
    }

    /// Number of videos.
    pub(crate) fn videos(&self) -> usize {
        self.rows.len()
    }

    /// A video by its number, its runs in order of time, and its motion.
    pub(crate) fn video(&self, number: usize) -> Result<(Video, Vec<Run>, Motion)> {
        let (planes, postings) = (self.planes()?, self.postings()?);
        let places = &self.places[self.starts[number] as usize..self.starts[number + 1] as usize];
        let run = |seen: &Seen| {
            let key = Key(planes.map(|plane| plane[seen.key as usize]));
            unpack(key, &postings[seen.posting as usize])
        };
        let mut runs: Vec<Run> = places.iter().map(run).collect();
        runs.sort_by_key(|run| (run.first, run.last));
        let motion = Motion::from_bytes(self.file.bytes(self.motions[number].clone())?).map_err(
            |wrong| {
                self.corrupt(
                    "motion of a video",
                    wrong,
                    "pictures in order, known levels",
                )
            },
        )?;
        Ok((self.rows[number].video.clone().into(), runs, motion))
    }

    fn planes(&self) -> Result<[&[u64]; 4]> {
        let [a, b, c, d] = &self.planes;
        let plane = |range: &Range<usize>| self.file.view(range.clone());
        Ok([plane(a)?, plane(b)?, plane(c)?, plane(d)?])
    }

    fn postings(&self) -> Result<&[RawPosting]> {
        self.file.view(self.postings.clone())
    }

    fn check_keys(&self) -> Result<()> {
        let planes = self.planes()?;
        let key = |number: usize| planes.map(|plane| plane[number]);
        match (1..self.keys()).find(|&number| key(number - 1) >= key(number)) {
            None => Ok(()),
            Some(number) => Err(self.corrupt("order of keys", number, "ascending")),
        }
    }

    /// Sorts the postings by video. All numbers it stores are in range.
    fn by_video(&self, offsets: Range<usize>) -> Result<Vec<Seen>> {
        let offsets: &[u32] = self.file.view(offsets)?;
        let postings = self.postings()?;
        let ends = (
            offsets.first().copied(),
            offsets.last().map(|&last| last as usize),
        );
        if !offsets.is_sorted_by(|a, b| a < b) || ends != (Some(0), Some(postings.len())) {
            return Err(self.corrupt(
                "posting offsets",
                "out of order",
                "ascending to the number of postings",
            ));
        }
        let mut next = self.starts.clone();
        let mut places = vec![Seen::default(); postings.len()];
        for (key, bounds) in offsets.windows(2).enumerate() {
            for posting in bounds[0]..bounds[1] {
                let raw = &postings[posting as usize];
                let video = raw[0] as usize;
                if video >= self.rows.len() || raw[1] > raw[2] || raw[4] >> 16 > ALL_FLAGS {
                    let expected = "a video of the table, times in order, known flags";
                    return Err(self.corrupt("posting", format!("{raw:?}"), expected));
                }
                if next[video] == self.starts[video + 1] {
                    let expected = self.rows[video].postings;
                    return Err(self.corrupt("number of postings of a video", "more", expected));
                }
                places[next[video] as usize] = Seen {
                    key: key as u32,
                    posting,
                };
                next[video] += 1;
            }
        }
        // No video has more than its row says, and the totals agree, so each has exactly as many.
        Ok(places)
    }

    fn corrupt(&self, what: &'static str, found: impl ToString, expected: impl ToString) -> Error {
        format::corrupt(&self.file.path, what, found, expected)
    }
}

impl From<StoredVideo> for Video {
    fn from(stored: StoredVideo) -> Video {
        let StoredVideo {
            id,
            path,
            sha256,
            duration,
            width,
            height,
            publication,
            keyframes,
            undecoded,
        } = stored;
        let StoredPublication {
            url,
            title,
            uploader,
            platform,
            published_at,
        } = publication;
        let publication = Publication {
            url,
            title,
            uploader,
            platform,
            published_at,
        };
        Video {
            id,
            path,
            sha256,
            duration,
            width,
            height,
            publication,
            keyframes,
            undecoded,
        }
    }
}

fn unpack(key: Key, posting: &RawPosting) -> Run {
    let [_, first, last, centre, size_flags] = *posting;
    let signed = |bits: u32| f32::from(bits as u16 as i16) / PLACE_UNITS;
    let flags = size_flags >> 16;
    let place = Place {
        x: signed(centre & 0xffff),
        y: signed(centre >> 16),
        size: f32::from((size_flags & 0xffff) as u16) / PLACE_UNITS,
    };
    Run {
        key,
        kind: if flags & FLAG_REGION == 0 {
            KeyKind::Whole
        } else {
            KeyKind::Region
        },
        place,
        first: Duration::from_millis(first.into()),
        last: Duration::from_millis(last.into()),
        recurs: flags & FLAG_RECURS != 0,
    }
}

/// Stored position units per frame height.
const PLACE_UNITS: f32 = 2048.0;

const FLAG_REGION: u32 = 1;
const FLAG_RECURS: u32 = 2;
const ALL_FLAGS: u32 = FLAG_REGION | FLAG_RECURS;
