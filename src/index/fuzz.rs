//! Reads made-up files as the files of an index, for a fuzzer. Each must be refused or readable
//! throughout.
//!
//! The first byte of the input selects the kind of file, and whether its checksums are corrected
//! first: a fuzzer cannot guess a checksum, but an attacker can compute it. The rest is the file.
//! This module is compiled only for fuzzing (`--cfg fuzzing`), and is no public interface.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tempfile::TempDir;

use super::assemble::{self, Merge};
use super::cells::{self, CELLS_MAGIC, Cells};
use super::files::{BlockFile, sha256};
use super::format::{self, FORMAT_VERSION, HEADER_LEN, MANIFEST_MAGIC, SEGMENT_MAGIC};
use super::manifest::{CellsEntry, FileEntry, Manifest, SegmentEntry, Stored};
use super::nearest::Screen;
use super::segment::{Added, Segment};
use super::snapshot::Index;
use super::storage::Disk;
use super::upkeep::Work;
use super::verify::verify;
use super::video::{IndexConfig, Publication, Role, Video};
use super::writer::Writer;
use crate::Result;
use crate::fingerprint::{FINGERPRINT_VERSION, Key, KeyKind, Motion, Place, Run};

/// Reads a made-up file. Panics on anything that must not happen, whatever the bytes.
pub fn read(data: &[u8]) {
    let Some((&choice, file)) = data.split_first() else {
        return;
    };
    let scratch = Scratch::the();
    let kind = KINDS[usize::from(choice) % KINDS.len()];
    let file = match usize::from(choice) / KINDS.len() % 2 {
        0 => file.to_vec(),
        _ => scratch.make_right(kind, file),
    };
    fs::write(scratch.path(kind), &file).unwrap();
    match kind {
        Kind::Manifest => scratch.read_manifest(),
        Kind::Segment => scratch.read_segment(&file),
        Kind::Cells => scratch.read_cells(&file),
    }
}

/// Inputs for [`read`] to start from: each file as written, once to be read as it is and once
/// resealed.
pub fn seeds() -> Vec<Vec<u8>> {
    let scratch = Scratch::the();
    let choices = KINDS.iter().enumerate().flat_map(|(number, kind)| {
        [number, number + KINDS.len()]
            .map(|choice| [&[choice as u8], &scratch.written(*kind)[..]].concat())
    });
    choices.collect()
}

/// The kind of file that the bytes are read as.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Manifest,
    Segment,
    Cells,
}

const KINDS: [Kind; 3] = [Kind::Manifest, Kind::Segment, Kind::Cells];

/// Two copies of a sound index: one to compare with, and one in which a file is replaced.
struct Scratch {
    dir: TempDir,
    segment: Arc<Segment>,
    cells: Cells,
    cells_entry: CellsEntry,
}

impl Scratch {
    fn the() -> &'static Scratch {
        static SCRATCH: OnceLock<Scratch> = OnceLock::new();
        SCRATCH.get_or_init(Scratch::new)
    }

    fn new() -> Scratch {
        let dir = tempfile::tempdir().unwrap();
        let sound = dir.path().join("sound");
        let mut writer = Writer::open_or_create(&sound, config()).unwrap();
        for number in 0..6 {
            let mut motion = Motion::new(5, 3, 0.2);
            for picture in 0..u64::from(number) {
                motion.push(Duration::from_secs(picture), &[1, 0, -1, -1, 0, 1]);
            }
            assert!(
                writer
                    .add_as(Role::Source, video(number), runs(number), &motion)
                    .unwrap()
            );
        }
        writer.sort_by_cells(4, &|| false).unwrap();
        assert_eq!(writer.remove("3.mp4").unwrap(), 1);
        writer.commit().unwrap();
        // The other kinds of files stand beside the replaced one, so that a reader gets as far as
        // possible.
        for kind in KINDS {
            let copy = dir.path().join(kind.folder());
            fs::create_dir_all(copy.join("segments")).unwrap();
            for other in KINDS {
                fs::copy(sound.join(other.name()), copy.join(other.name())).unwrap();
            }
        }
        let open = |kind: Kind| {
            BlockFile::open(&sound.join(kind.name()), kind.magic(), None)
                .unwrap()
                .unwrap()
        };
        let cells_entry = Manifest::load(&sound).unwrap().unwrap().manifest.cells[0].clone();
        let segment = Arc::new(Segment::open(open(Kind::Segment)).unwrap());
        Scratch {
            segment,
            cells: Cells::open(&open(Kind::Cells)).unwrap(),
            cells_entry,
            dir,
        }
    }

    fn path(&self, kind: Kind) -> PathBuf {
        self.dir.path().join(kind.folder()).join(kind.name())
    }

    fn written(&self, kind: Kind) -> Vec<u8> {
        fs::read(self.dir.path().join("sound").join(kind.name())).unwrap()
    }

    /// Gives a file the header, owner and checksums that it needs to be opened.
    fn make_right(&self, kind: Kind, file: &[u8]) -> Vec<u8> {
        let length = file
            .last_chunk::<16>()
            .and_then(|footer| footer.first_chunk::<8>())
            .copied();
        let length = length.and_then(|length| usize::try_from(u64::from_le_bytes(length)).ok());
        let content = length.and_then(|length| file.get(..length)).unwrap_or(file);
        let mut content = content.to_vec();
        content.resize(content.len().max(HEADER_LEN), 0);
        content[..8].copy_from_slice(&kind.magic());
        content[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        content[12..HEADER_LEN].fill(0);
        // The centroids that a segment names.
        if kind == Kind::Segment
            && let Some(centroids) = content.get_mut(HEADER_LEN + 24..HEADER_LEN + 32)
        {
            centroids.copy_from_slice(&self.cells.checksum().to_le_bytes());
        }
        format::seal(content)
    }

    fn read_manifest(&self) {
        let dir = self.dir.path().join(Kind::Manifest.folder());
        if let Ok(stored) = Manifest::load(&dir) {
            for entry in &stored.unwrap().manifest.segments {
                assert!(
                    entry
                        .tombstones
                        .iter()
                        .all(|tombstone| tombstone.video < entry.videos)
                );
            }
        }
        if let Ok(index) = Index::open(&dir) {
            search(&index).expect("the segments are sound");
        }
        let _ = verify(&dir, &|_, _| {}, &|| false);
    }

    fn read_segment(&self, bytes: &[u8]) {
        let path = self.path(Kind::Segment);
        let Ok(segment) = BlockFile::open(&path, SEGMENT_MAGIC, None)
            .and_then(|file| Segment::open(file.unwrap()))
        else {
            return;
        };
        let ours =
            segment.cells_checksum == self.cells.checksum() && segment.cells() == self.cells.len();
        let checked = segment.check(&self.cells);
        let segment = Arc::new(segment);
        let dead: Vec<bool> = (0..segment.videos.len())
            .map(|video| video % 2 == 1)
            .collect();
        let sources = [(&segment, &dead[..]), (&self.segment, &[false; 6][..])];
        let merged = self.merged(Merge::new(sources.into_iter()), &self.cells);

        // Reads it as the segment of an index that was written with it.
        let index = self.index_of(
            Kind::Segment,
            entry(&segment, bytes),
            self.cells_entry.clone(),
        );
        assert_eq!(
            index.is_ok(),
            ours,
            "it is sorted by the centroids that there are, or refused"
        );
        let Ok(index) = index else { return };
        let searched = search(&index);
        if checked.is_ok() {
            merged.expect("a sound segment can be merged");
            searched.expect("a sound segment can be searched");
        }
    }

    fn read_cells(&self, bytes: &[u8]) {
        let path = self.path(Kind::Cells);
        let Ok(file) = BlockFile::open(&path, CELLS_MAGIC, None) else {
            return;
        };
        let file = file.unwrap();
        let Ok(cells) = Cells::open(&file) else {
            return;
        };
        let nearest = cells.nearest(Key([3; 4]), cells.len(), &mut cells::Search::new());
        assert!(nearest.iter().all(|cell| (*cell as usize) < cells.len()));
        let file = FileEntry {
            length: bytes.len() as u64,
            checksum: file.checksum(),
            sha256: sha256(bytes),
        };
        let cells_entry = CellsEntry {
            number: self.cells_entry.number,
            file,
            cells: cells.len() as u32,
        };
        // A segment that is sorted by other centroids is refused.
        let written = entry(&self.segment, &self.written(Kind::Segment));
        let foreign = self.index_of(Kind::Cells, written, cells_entry.clone());
        assert!(foreign.is_err() || cells.checksum() == self.cells.checksum());
        // Sorted by these centroids, everything is found.
        let sources = [(&self.segment, &[false; 6][..])];
        self.merged(Merge::new(sources.into_iter()), &cells)
            .expect("all keys have a cell");
    }

    /// Writes a merged segment and checks its content.
    fn merged(&self, merge: Merge, cells: &Cells) -> Result<()> {
        let path = self.dir.path().join("merged");
        assemble::write(
            &Disk,
            &path,
            &merge,
            cells,
            Added::default(),
            &Work::unwatched(),
        )?;
        Segment::open(BlockFile::open(&path, SEGMENT_MAGIC, None)?.unwrap())?.check(cells)
    }

    fn index_of(&self, kind: Kind, segment: SegmentEntry, cells: CellsEntry) -> Result<Index> {
        let mut manifest = Manifest::new(config());
        manifest.next_number = 1 + segment.number.max(cells.number);
        manifest.segments.push(segment);
        manifest.cells.push(cells);
        let dir = self.dir.path().join(kind.folder());
        let (stored, _) = Stored::encode(manifest, &dir).unwrap();
        Index::load(&dir, stored, None)
    }
}

impl Kind {
    fn folder(self) -> &'static str {
        match self {
            Kind::Manifest => "with-manifest",
            Kind::Segment => "with-segment",
            Kind::Cells => "with-cells",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Kind::Manifest => "manifest",
            Kind::Segment => "segments/00000003.seg",
            Kind::Cells => "segments/00000002.cells",
        }
    }

    fn magic(self) -> [u8; 8] {
        match self {
            Kind::Manifest => MANIFEST_MAGIC,
            Kind::Segment => SEGMENT_MAGIC,
            Kind::Cells => CELLS_MAGIC,
        }
    }
}

/// Calls every search of an index. What it finds must be what is stored.
fn search(index: &Index) -> Result<()> {
    let mut queries: Vec<Key> = (0..3)
        .map(|number| runs(number)[usize::from(number)].key)
        .collect();
    queries.push(Key([u64::MAX; 4]));
    let mut outcome = Ok(());
    let mut note = |result: Result<()>| {
        if outcome.is_ok() {
            outcome = result;
        }
    };
    let near_cells = |probes| Screen {
        probes,
        radius: 72,
        sketch_radius: 36,
    };
    let found = [
        index.near(&queries, 256),
        index.near_by_cell(&queries, &near_cells(1)),
        index.near_by_cell(&queries, &near_cells(64)),
    ];
    for found in found {
        note(found.and_then(|found| {
            for near in found {
                let run = index.run(near.video, near.run)?;
                assert_eq!(
                    run.key.distance(queries[near.query as usize]),
                    near.distance
                );
                assert!(run.first <= run.last);
                // Panics if the video does not exist.
                let _ = index.video(near.video);
            }
            Ok(())
        }));
    }
    let videos: Vec<_> = index.videos().map(|(video, _)| video).collect();
    assert_eq!(videos.len() as u64, index.state().videos);
    for &video in videos.iter().take(4) {
        note(index.motion(video).map(|motion| {
            let (columns, rows) = motion.size();
            assert!((0..motion.len()).all(|i| motion.picture(i).len() == columns * rows));
        }));
        note(
            index
                .near_in(video, &queries, 256)
                .map(|near| assert!(near.iter().all(|near| near.video == video))),
        );
        note(
            index
                .runs(video)
                .map(|runs| assert!(runs.is_sorted_by_key(|run| run.first))),
        );
    }
    let _ = index.find("2.mp4");
    outcome
}

/// The manifest entry of a segment with these bytes.
fn entry(segment: &Segment, bytes: &[u8]) -> SegmentEntry {
    SegmentEntry {
        number: 3,
        file: FileEntry {
            length: bytes.len() as u64,
            checksum: segment.file().checksum(),
            sha256: sha256(bytes),
        },
        keys: segment.len() as u32,
        videos: segment.videos.len() as u32,
        tombstones: Vec::new(),
        role: Role::Source,
    }
}

fn config() -> IndexConfig {
    IndexConfig {
        fingerprint_version: FINGERPRINT_VERSION,
        interval: Duration::from_secs(1),
    }
}

fn video(number: u8) -> Video {
    Video {
        id: String::new(),
        path: format!("{number}.mp4"),
        sha256: [number; 32],
        duration: Duration::from_secs(30),
        width: 640,
        height: 360,
        publication: Publication {
            url: Some("https://example.org".to_owned()),
            ..Publication::default()
        },
        keyframes: 30,
        undecoded: Duration::ZERO,
    }
}

/// A few keys, some of them near each other, so that they share cells.
fn runs(number: u8) -> Vec<Run> {
    let word = |at: u8, word: u8| xxhash_rust::xxh3::xxh3_64(&[number, at, word]);
    let run = |at: u8| Run {
        key: match at % 4 {
            3 => Key([7, 7, 7, u64::from(at)]),
            _ => Key([word(at, 0), word(at, 1), word(at, 2), word(at, 3)]),
        },
        kind: if at % 5 == 0 {
            KeyKind::Whole
        } else {
            KeyKind::Region
        },
        place: Place {
            x: 0.5,
            y: 0.5,
            size: 0.25,
        },
        first: Duration::from_secs(u64::from(at)),
        last: Duration::from_secs(u64::from(at) + 1),
        recurs: at % 2 == 0,
    };
    (0..24).map(run).collect()
}
