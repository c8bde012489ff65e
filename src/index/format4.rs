//! Reads an index of format 4, to upgrade it: every live video with its keys and its motion.
//!
//! This module uses nothing of today's format, so that it stays the same when that changes.
//! Everything is verified before use: all bytes by the SHA-256s of the manifest, then layout, order
//! and counts. Graphs are not read, and removed videos are left out.

mod segment;

use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use self::segment::Segment;
use super::files::{self, BlockFile};
use super::format::{self, HEADER_LEN, MANIFEST_MAGIC, SEGMENT_MAGIC};
use super::manifest;
use super::newest::Newest;
use super::video::{IndexConfig, Role, Video};
use crate::error::Result;
use crate::fingerprint::{Motion, Run};

/// The newest commit of an index of format 4.
#[derive(Debug)]
pub(crate) struct Format4 {
    dir: PathBuf,
    manifest: Manifest,
    /// SHA-256 of the manifest's body.
    pub(crate) root: [u8; 32],
}

/// A live video with all its stored data.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Kept {
    pub(crate) role: Role,
    pub(crate) video: Video,
    /// Ordered by first time, last time, then key.
    pub(crate) runs: Vec<Run>,
    pub(crate) motion: Motion,
}

/// The manifest; the order of fields is the order on disk.
#[derive(Debug, Deserialize)]
struct Manifest {
    generation: u64,
    _written_by: String,
    config: StoredConfig,
    next_number: u64,
    segments: Vec<SegmentEntry>,
}

#[derive(Debug, Deserialize)]
struct StoredConfig {
    fingerprint_version: u32,
    interval: Duration,
}

#[derive(Debug, Deserialize)]
struct SegmentEntry {
    number: u64,
    file: FileEntry,
    keys: u32,
    videos: u32,
    tombstones: Vec<u32>,
    _graph: GraphEntry,
    role: Role,
}

#[derive(Debug, Deserialize)]
struct FileEntry {
    length: u64,
    checksum: u64,
    sha256: [u8; 32],
}

#[derive(Debug, Deserialize)]
enum GraphEntry {
    None,
    Built { _file: FileEntry, _recall: f64 },
    Refused { _recall: f64 },
}

impl Format4 {
    /// Reads the manifest, which must be at least as new as the newest commit noted; `Ok(None)` if
    /// there is none.
    pub(crate) fn open(dir: &Path) -> Result<Option<Format4>> {
        let note = Newest::load(dir)?;
        let path = manifest_path(dir);
        let old = match BlockFile::open_version(&path, MANIFEST_MAGIC, &VERSIONS, None)? {
            Some(file) => {
                let body = file.bytes(HEADER_LEN..file.content())?;
                let manifest: Manifest = format::decode(&path, body)?;
                manifest.check(&path)?;
                Some(Format4 {
                    dir: dir.to_owned(),
                    manifest,
                    root: files::sha256(body),
                })
            }
            None => None,
        };
        if let Some(note) = note {
            note.check_commit(dir, old.as_ref().map(|old| (old.generation(), &old.root)))?;
        }
        Ok(old)
    }

    /// Number of the commit.
    pub(crate) fn generation(&self) -> u64 {
        self.manifest.generation
    }

    /// The settings that fix what its keys mean.
    pub(crate) fn config(&self) -> IndexConfig {
        let StoredConfig {
            fingerprint_version,
            interval,
        } = self.manifest.config;
        IndexConfig {
            fingerprint_version,
            interval,
        }
    }

    /// Greater than the numbers of all its files.
    pub(crate) fn next_number(&self) -> u64 {
        self.manifest.next_number
    }

    /// Number of videos that [`Format4::videos`] gives.
    pub(crate) fn live(&self) -> u64 {
        self.manifest
            .segments
            .iter()
            .map(|entry| u64::from(entry.videos) - entry.tombstones.len() as u64)
            .sum()
    }

    /// The live videos, segment by segment, in the order in which they were added. The iterator
    /// ends after an error.
    ///
    /// Only one segment at a time is in memory. A million keys take 0.4 s.
    pub(crate) fn videos(&self) -> impl Iterator<Item = Result<Kept>> {
        let mut seen = HashSet::new();
        let of_segment = |entry| OfSegment {
            index: self,
            entry,
            segment: None,
            next: 0,
        };
        let kept = self.manifest.segments.iter().flat_map(of_segment);
        let mut failed = false;
        kept.map(move |kept| {
            let kept = kept?;
            if seen.insert(kept.video.sha256) {
                return Ok(kept);
            }
            let twice = format::hex(&kept.video.sha256);
            Err(format::corrupt(
                &manifest_path(&self.dir),
                "number of videos of one SHA-256",
                twice,
                "each once",
            ))
        })
        .take_while(move |kept| !std::mem::replace(&mut failed, kept.is_err()))
    }

    fn open_segment(&self, entry: &SegmentEntry) -> Result<Segment> {
        let path = self
            .dir
            .join("segments")
            .join(format!("{:08}.seg", entry.number));
        let FileEntry {
            length,
            checksum,
            sha256,
        } = entry.file;
        let file = manifest::FileEntry {
            length,
            checksum,
            sha256,
        };
        let Some(file) = BlockFile::open_version(&path, SEGMENT_MAGIC, &VERSIONS, Some(&file))?
        else {
            return Err(format::corrupt(
                &path,
                "file",
                "missing",
                format!("{length} bytes, as the manifest says"),
            ));
        };
        file.verify_sha256(&sha256)?;
        let segment = Segment::open(file)?;
        if segment.keys() != entry.keys as usize || segment.videos() != entry.videos as usize {
            return Err(format::corrupt(
                &path,
                "number of keys and videos",
                format!("{} and {}", segment.keys(), segment.videos()),
                format!("{} and {}, as the manifest says", entry.keys, entry.videos),
            ));
        }
        Ok(segment)
    }
}

/// The live videos of one segment, which is opened when the first of them is read.
struct OfSegment<'a> {
    index: &'a Format4,
    entry: &'a SegmentEntry,
    segment: Option<Segment>,
    next: u32,
}

impl Iterator for OfSegment<'_> {
    type Item = Result<Kept>;

    fn next(&mut self) -> Option<Result<Kept>> {
        while self.entry.tombstones.binary_search(&self.next).is_ok() {
            self.next += 1;
        }
        let number = self.next;
        if number >= self.entry.videos {
            self.segment = None;
            return None;
        }
        self.next += 1;
        let segment = match &self.segment {
            Some(segment) => segment,
            None => match self.index.open_segment(self.entry) {
                Ok(segment) => self.segment.insert(segment),
                Err(error) => return Some(Err(error)),
            },
        };
        let kept = |(video, runs, motion)| Kept {
            role: self.entry.role,
            video,
            runs,
            motion,
        };
        Some(segment.video(number as usize).map(kept))
    }
}

impl Manifest {
    fn check(&self, path: &Path) -> Result<()> {
        for entry in &self.segments {
            let ascending = entry.tombstones.is_sorted_by(|a, b| a < b);
            if !ascending
                || entry
                    .tombstones
                    .last()
                    .is_some_and(|&last| last >= entry.videos)
            {
                let expected = format!("numbers below {}", entry.videos);
                return Err(format::corrupt(
                    path,
                    "tombstones",
                    "not ascending video numbers",
                    expected,
                ));
            }
            if entry.number >= self.next_number {
                let expected = format!("below {}", self.next_number);
                return Err(format::corrupt(
                    path,
                    "segment number",
                    entry.number,
                    expected,
                ));
            }
        }
        let numbers: HashSet<u64> = self.segments.iter().map(|entry| entry.number).collect();
        if numbers.len() != self.segments.len() {
            return Err(format::corrupt(
                path,
                "number of different segments",
                numbers.len(),
                self.segments.len(),
            ));
        }
        if !(INTERVAL_MIN..=INTERVAL_MAX).contains(&self.config.interval) {
            let found = format!("{:?}", self.config.interval);
            return Err(format::corrupt(
                path,
                "sampling interval",
                found,
                "0.1 to 60 s",
            ));
        }
        if self.next_number > COUNTER_MAX || self.generation > COUNTER_MAX {
            let found = format!("{} and {}", self.generation, self.next_number);
            return Err(format::corrupt(
                path,
                "counters",
                found,
                format!("at most {COUNTER_MAX}"),
            ));
        }
        Ok(())
    }
}

fn manifest_path(dir: &Path) -> PathBuf {
    dir.join("manifest")
}

const VERSIONS: RangeInclusive<u32> = 4..=4;

// The range that a manifest of version 4 allowed.
const INTERVAL_MIN: Duration = Duration::from_millis(100);
const INTERVAL_MAX: Duration = Duration::from_secs(60);
const COUNTER_MAX: u64 = 1 << 62;

#[cfg(test)]
mod tests;
