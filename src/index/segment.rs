//! Distinct keys, their postings and the table of videos: one write-once, mapped file.
//!
//! A segment never changes. Which of its videos have been removed is said by the manifest.

use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use super::files::Mapped;
use super::format::{self, FileReader, FileWriter, SEGMENT_MAGIC};
use super::video::Video;
use crate::error::{Result, millis};
use crate::fingerprint::{Key, KeyKind, Place, Run};

/// An opened segment whose counts, bounds and checksum have been found right.
#[derive(Debug)]
pub(crate) struct Segment {
    file: Mapped,
    /// Where in the file each 64-bit word of the keys lies; all four are equally long.
    planes: [Range<usize>; 4],
    /// Where the postings of each key begin; one more than keys, ascending, the last is the number of postings.
    offsets: Range<usize>,
    /// All postings; each names a video of the table.
    postings: Range<usize>,
    /// The videos, in the order in which they were added.
    pub(crate) videos: Vec<Video>,
    /// Postings of each video.
    pub(crate) postings_per_video: Vec<u32>,
}

/// A posting as it is stored: video, first and last millisecond, x and y, size and flags.
pub(crate) type RawPosting = [u32; 5];

impl Segment {
    /// Checks and opens a mapped segment; every index taken from it later is known to be in range.
    pub(crate) fn open(file: Mapped, checksum: u64) -> Result<Segment> {
        let path = file.path.clone();
        let mut reader = FileReader::open(&path, file.bytes(), SEGMENT_MAGIC)?;
        reader.expect_checksum(checksum)?;
        let keys = reader.u64()?;
        let posting_count = reader.u64()?;
        let video_count = reader.u64()?;
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
        let table = reader.take_section::<u8>(table_length)?;
        reader.finish()?;

        let videos: Vec<Video> = format::decode(&path, format::view(file.bytes(), table))?;
        if videos.len() as u64 != video_count {
            return Err(format::corrupt(&path, "number of videos", videos.len(), video_count));
        }
        let mut segment =
            Segment { file, planes, offsets, postings, postings_per_video: vec![0; videos.len()], videos };
        segment.check(&path)?;
        Ok(segment)
    }

    /// Number of distinct keys.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.planes[0].len() / size_of::<u64>()
    }

    /// The keys' words, plane by plane.
    pub(crate) fn planes(&self) -> [&[u64]; 4] {
        self.planes.each_ref().map(|plane| format::view(self.file.bytes(), plane.clone()))
    }

    /// A key by its number, which must be less than [`Segment::len`].
    #[inline]
    pub(crate) fn key(&self, key: u32) -> Key {
        Key(self.planes().map(|plane| plane[key as usize]))
    }

    /// The postings of a key, videos in order; empty for a number out of range.
    pub(crate) fn postings(&self, key: u32) -> &[RawPosting] {
        let offsets: &[u32] = format::view(self.file.bytes(), self.offsets.clone());
        let postings = self.all_postings();
        match offsets.get(key as usize..key as usize + 2) {
            Some(&[start, end]) => &postings[start as usize..end as usize],
            _ => &[],
        }
    }

    /// Compares the whole file with its SHA-256.
    pub(crate) fn verify(&self, sha256: &[u8; 32]) -> Result<()> {
        self.file.verify(sha256)
    }

    fn all_postings(&self) -> &[RawPosting] {
        format::view(self.file.bytes(), self.postings.clone())
    }

    /// Proves the invariants of the fields and counts the postings of each video.
    fn check(&mut self, path: &Path) -> Result<()> {
        let planes = self.planes();
        for key in 1..self.len() {
            if planes.map(|plane| plane[key - 1]) >= planes.map(|plane| plane[key]) {
                return Err(format::corrupt(path, "order of keys", key, "ascending"));
            }
        }
        let count = self.all_postings().len();
        let offsets: &[u32] = format::view(self.file.bytes(), self.offsets.clone());
        let ascending = offsets.windows(2).all(|pair| pair[0] < pair[1]);
        if !ascending || offsets.first() != Some(&0) || offsets.last() != Some(&(count as u32)) {
            return Err(format::corrupt(path, "posting offsets", "not ascending to the number of postings", count));
        }
        let mut per_video = vec![0u32; self.videos.len()];
        for posting in self.all_postings() {
            match per_video.get_mut(posting[0] as usize) {
                Some(count) if posting[1] <= posting[2] && posting[4] >> 16 <= ALL_FLAGS => {
                    *count += 1;
                }
                _ => {
                    return Err(format::corrupt(
                        path,
                        "posting",
                        format!("{posting:?}"),
                        "a video of the table, times in order, known flags",
                    ));
                }
            }
        }
        self.postings_per_video = per_video;
        Ok(())
    }
}

/// Collects videos and their runs and writes them as a segment.
#[derive(Debug, Default)]
pub(crate) struct SegmentBuilder {
    pub(crate) videos: Vec<Video>,
    entries: Vec<(Key, RawPosting)>,
}

impl SegmentBuilder {
    /// Appends a video with its runs.
    pub(crate) fn add(&mut self, video: Video, runs: &[Run]) {
        let number = self.videos.len() as u32;
        self.videos.push(video);
        self.entries.extend(runs.iter().map(|run| (run.key, pack(number, run))));
    }

    /// Appends the live videos of a segment, in order, with their postings.
    pub(crate) fn add_live(&mut self, segment: &Segment, dead: &[bool]) {
        let mut number = vec![None; segment.videos.len()];
        for (video, new) in number.iter_mut().enumerate() {
            if !dead.get(video).copied().unwrap_or(false) {
                *new = Some(self.videos.len() as u32);
                self.videos.push(segment.videos[video].clone());
            }
        }
        for key in 0..segment.len() as u32 {
            let value = segment.key(key);
            for posting in segment.postings(key) {
                if let Some(new) = number[posting[0] as usize] {
                    let mut posting = *posting;
                    posting[0] = new;
                    self.entries.push((value, posting));
                }
            }
        }
    }

    /// Takes videos back out; `keep` is asked once for each.
    pub(crate) fn retain(&mut self, keep: impl Fn(&Video) -> bool) {
        let mut number = Vec::with_capacity(self.videos.len());
        let mut kept = 0;
        for video in &self.videos {
            number.push(keep(video).then_some(kept));
            kept += u32::from(keep(video));
        }
        self.videos.retain(|video| keep(video));
        self.entries.retain_mut(|(_, posting)| match number[posting[0] as usize] {
            Some(new) => {
                posting[0] = new;
                true
            }
            None => false,
        });
    }

    /// Postings collected so far.
    pub(crate) fn postings(&self) -> usize {
        self.entries.len()
    }

    /// Gives the whole file and the number of distinct keys; the same content in the same order gives the same bytes.
    pub(crate) fn encode(&mut self, path: &Path) -> Result<(Vec<u8>, u32)> {
        self.entries.sort_unstable();
        let mut keys: Vec<Key> = Vec::with_capacity(self.entries.len());
        let mut offsets: Vec<u32> = Vec::with_capacity(self.entries.len() + 1);
        for (number, (key, _)) in self.entries.iter().enumerate() {
            if keys.last() != Some(key) {
                keys.push(*key);
                offsets.push(number as u32);
            }
        }
        offsets.push(self.entries.len() as u32);
        let table = format::encode(path, &self.videos)?;

        let mut file = FileWriter::new();
        file.append(&[keys.len() as u64, self.entries.len() as u64, self.videos.len() as u64, table.len() as u64]);
        for plane in 0..4 {
            let words: Vec<u64> = keys.iter().map(|key| key.0[plane]).collect();
            file.section(&words);
        }
        file.section(&offsets);
        let postings: Vec<RawPosting> = self.entries.iter().map(|&(_, posting)| posting).collect();
        file.section(&postings);
        file.section(&table);
        Ok((file.finish(SEGMENT_MAGIC), keys.len() as u32))
    }
}

/// Reads a stored posting: kind, place, first and last time, whether it recurs.
pub(crate) fn unpack(posting: &RawPosting) -> (KeyKind, Place, Duration, Duration, bool) {
    let [_, first, last, centre, size_flags] = *posting;
    let signed = |bits: u32| f32::from(bits as u16 as i16) / PLACE_UNITS;
    let flags = size_flags >> 16;
    let kind = if flags & FLAG_REGION == 0 { KeyKind::Whole } else { KeyKind::Region };
    let place = Place {
        x: signed(centre & 0xffff),
        y: signed(centre >> 16),
        size: f32::from((size_flags & 0xffff) as u16) / PLACE_UNITS,
    };
    (
        kind,
        place,
        Duration::from_millis(u64::from(first)),
        Duration::from_millis(u64::from(last)),
        flags & FLAG_RECURS != 0,
    )
}

fn pack(video: u32, run: &Run) -> RawPosting {
    // `as` saturates at the range's ends and turns NaN into 0, which is what an impossible place deserves.
    let signed = |value: f32| u32::from((value * PLACE_UNITS).round() as i16 as u16);
    let size = u32::from((run.place.size * PLACE_UNITS).round() as u16);
    let mut flags = 0;
    if run.kind == KeyKind::Region {
        flags |= FLAG_REGION;
    }
    if run.recurs {
        flags |= FLAG_RECURS;
    }
    [
        video,
        millis(run.first),
        millis(run.last.max(run.first)),
        signed(run.place.x) | signed(run.place.y) << 16,
        size | flags << 16,
    ]
}

/// Stored units in a frame's height: fine beyond a working pixel (1/128), with room for frames up to 16 times as wide as high.
const PLACE_UNITS: f32 = 2048.0;

const FLAG_REGION: u32 = 1;
const FLAG_RECURS: u32 = 2;
const ALL_FLAGS: u32 = FLAG_REGION | FLAG_RECURS;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_posting_survives_packing(
            x in -1.0f32..9.0, y in -0.3f32..1.3, size in 0.0f32..2.0,
            first in 0u64..4_000_000_000, length in 0u64..1000, region: bool, recurs: bool,
        ) {
            let first = Duration::from_millis(first);
            let last = first + Duration::from_millis(length);
            let kind = if region { KeyKind::Region } else { KeyKind::Whole };
            let run = Run { key: Key::default(), kind, place: Place { x, y, size }, first, last, recurs };
            let (kind2, place, first2, last2, recurs2) = unpack(&pack(7, &run));
            prop_assert_eq!((kind, first, last, recurs), (kind2, first2, last2, recurs2));
            prop_assert!((place.x - x).abs() < 0.0003 && (place.y - y).abs() < 0.0003);
            prop_assert!((place.size - size).abs() < 0.0003);
        }
    }

    #[test]
    fn impossible_places_do_not_spoil_the_flags() {
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30, -1e30] {
            let place = Place { x: value, y: value, size: value };
            let run = Run {
                key: Key::default(),
                kind: KeyKind::Whole,
                place,
                first: Duration::MAX,
                last: Duration::ZERO,
                recurs: false,
            };
            let packed = pack(0, &run);
            assert_eq!(packed[4] >> 16, 0);
            assert!(packed[1] <= packed[2]);
        }
    }
}
