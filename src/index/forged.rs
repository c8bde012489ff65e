//! Files with right checksums but wrong content: they are opened or refused, but never cause a
//! panic.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

use super::assemble::{self, Merge, Pending};
use super::cells::{self, CELLS_MAGIC, Cells};
use super::faults::{Fault, Faulty};
use super::files::{BlockFile, sha256};
use super::format::{self, HEADER_LEN, SEGMENT_MAGIC};
use super::manifest::{self, CellsEntry, FileEntry, Manifest, SegmentEntry, Stored, Tombstone};
use super::merkle;
use super::nearest::Screen;
use super::screening::{Screening, Strength};
use super::segment::{Added, Segment};
use super::snapshot::Index;
use super::upkeep::Work;
use super::video::{IndexConfig, Publication, Role, Video};
use crate::Error;
use crate::fingerprint::{Key, KeyKind, Motion, Place, Run};

/// A change of one byte or of one 32-bit number of the body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    at: prop::sample::Index,
    value: u32,
    whole: bool,
}

pub(super) fn changes() -> impl Strategy<Value = Vec<Change>> {
    let value = prop_oneof![any::<u32>(), 0..300u32, (u32::MAX - 3)..=u32::MAX];
    let change = (any::<prop::sample::Index>(), value, any::<bool>());
    let change = change.prop_map(|(at, value, whole)| Change { at, value, whole });
    prop::collection::vec(change, 1..4)
}

/// Applies the changes and recomputes the checksums.
pub(super) fn forge(original: &[u8], changes: &[Change]) -> Vec<u8> {
    let mut bytes = content(original).to_vec();
    let body = &mut bytes[HEADER_LEN..];
    for change in changes {
        if change.whole {
            let at = change.at.index(body.len() / 4) * 4;
            body[at..at + 4].copy_from_slice(&change.value.to_le_bytes());
        } else {
            body[change.at.index(body.len())] = change.value as u8;
        }
    }
    format::seal(bytes)
}

/// Header and body of a file.
fn content(file: &[u8]) -> &[u8] {
    let mut length = [0; 8];
    length.copy_from_slice(&file[file.len() - 16..file.len() - 8]);
    &file[..u64::from_le_bytes(length) as usize]
}

/// Three videos with some keys each, in families as in real footage.
fn pending() -> Pending {
    let mut pending = Pending::default();
    for video in 0..3u8 {
        let runs: Vec<Run> = (0..20).map(|run| made_run(video, run)).collect();
        let video = Video {
            id: "0123456789abcdef".to_owned(),
            path: format!("{video}.mp4"),
            sha256: [video; 32],
            duration: Duration::from_secs(30),
            width: 640,
            height: 360,
            publication: Publication::default(),
            keyframes: 30,
            undecoded: Duration::ZERO,
        };
        let mut motion = Motion::new(5, 3, 0.1);
        for second in 0..u64::from(pending.videos.len() as u8) {
            motion.push(Duration::from_secs(second), &[1, -1, 0, 0, 1, 1, -1]);
        }
        pending.add(video, &runs, &motion, PICTURES.to_vec(), None);
    }
    pending
}

fn made_run(video: u8, run: u8) -> Run {
    Run {
        key: Key([xxh3_64(&[video, run]), 1, 2, u64::from(run % 5)]),
        kind: KeyKind::Region,
        place: Place::default(),
        first: Duration::from_secs(u64::from(run)),
        last: Duration::from_secs(u64::from(run) + 1),
        recurs: run.is_multiple_of(2),
    }
}

fn all_keys() -> Vec<Key> {
    (0..3)
        .flat_map(|video| (0..20).map(move |run| made_run(video, run).key))
        .collect()
}

/// A folder with a segment and the centroids of its cells, and the manifest entries of both.
struct Written {
    dir: tempfile::TempDir,
    cells: Cells,
    cells_entry: CellsEntry,
    segment: Vec<u8>,
}

impl Written {
    fn new() -> Written {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(manifest::segments_path(dir.path())).unwrap();
        let path = manifest::cells_path(dir.path(), CELLS);
        let centroids = cells::train(all_keys(), 4, &Work::unwatched()).unwrap();
        let file = Cells::write(&unsynced(), &path, &centroids, &Work::unwatched()).unwrap();
        let cells = open_cells(&path).unwrap();
        let pending = pending();
        let segment = manifest::segment_path(dir.path(), SEGMENT);
        for part in pending.parts(1000) {
            assemble::write(
                &unsynced(),
                &segment,
                &part,
                &cells,
                Added::default(),
                &Work::unwatched(),
            )
            .unwrap();
        }
        let segment = fs::read(segment).unwrap();
        let cells_entry = CellsEntry {
            number: CELLS,
            file,
            cells: cells.len() as u32,
        };
        Written {
            dir,
            cells,
            cells_entry,
            segment,
        }
    }

    fn segment_path(&self) -> std::path::PathBuf {
        manifest::segment_path(self.dir.path(), SEGMENT)
    }

    /// Replaces the segment by other bytes and opens it.
    fn put(&self, segment: &[u8]) -> crate::Result<Segment> {
        fs::write(self.segment_path(), segment).unwrap();
        Segment::open(BlockFile::open(&self.segment_path(), SEGMENT_MAGIC, None)?.unwrap())
    }

    /// The index of the segment on disk, as if it had been written with it.
    fn index(&self) -> crate::Result<Index> {
        Index::load(self.dir.path(), self.stored()?, None)
    }

    fn stored(&self) -> crate::Result<Stored> {
        let bytes = fs::read(self.segment_path()).unwrap();
        let segment = self.put(&bytes)?;
        let mut manifest = Manifest::new(IndexConfig {
            fingerprint_version: crate::fingerprint::FINGERPRINT_VERSION,
            interval: Duration::from_secs(1),
        });
        manifest.cells.push(self.cells_entry.clone());
        manifest.segments.push(SegmentEntry {
            number: SEGMENT,
            file: FileEntry {
                length: bytes.len() as u64,
                checksum: segment.file().checksum(),
                sha256: sha256(&bytes),
            },
            keys: segment.len() as u32,
            videos: segment.videos.len() as u32,
            tombstones: Vec::new(),
            role: Role::Source,
        });
        manifest.next_number = 9;
        manifest.sources_root = merkle::root_of(segment.videos.iter().map(|video| video.sha256));
        Ok(Stored::encode(manifest, self.dir.path())?.0)
    }

    /// What verification finds when a manifest names the files on disk.
    fn verified(&self) -> Vec<Error> {
        let (_, body) = Stored::encode(self.stored().unwrap().manifest, self.dir.path()).unwrap();
        manifest::write(&unsynced(), self.dir.path(), &body).unwrap();
        super::verify(self.dir.path(), &|_, _| (), &|| false)
            .unwrap()
            .damage
    }
}

fn unsynced() -> Faulty {
    Faulty::new(Fault::Fails, None)
}

/// A track of one small picture with an empty code.
const PICTURES: [u8; 16] = [1, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 7, 0, 0, 0];

/// Numbers of the files.
const SEGMENT: u64 = 1;
const CELLS: u64 = 2;

/// A screen that probes every cell.
const WHOLE: Screen = Screen {
    probes: 8,
    radius: 72,
    sketch_radius: 128,
};

fn open_cells(path: &Path) -> crate::Result<Cells> {
    Cells::open(&BlockFile::open(path, CELLS_MAGIC, None)?.unwrap())
}

/// Searches in every way. Everything found must be stored. Returns whether everything could be read
/// and both ways found the same.
fn search(index: &Index) -> bool {
    let queries = [Key([3; 4]), made_run(1, 7).key, made_run(2, 3).key];
    let videos: Vec<_> = index.videos().map(|(video, _)| video).collect();
    let all = index.near(&queries, 72);
    let by_cell = index.near_by_cell(&queries, &WHOLE);
    let narrow = index.near_by_cell(&queries, &Screen { probes: 1, ..WHOLE });
    let alone: crate::Result<Vec<_>> = videos
        .iter()
        .map(|video| index.near_in(*video, &queries, 72))
        .collect();
    let mut whole = true;
    for near in [&all, &by_cell, &narrow]
        .into_iter()
        .flatten()
        .chain(alone.iter().flatten())
        .flatten()
    {
        assert!(
            near.distance <= 72 && videos.contains(&near.video),
            "{near:?}"
        );
        match index.run(near.video, near.run) {
            Ok(run) => assert_eq!(
                run.key.distance(queries[near.query as usize]),
                near.distance
            ),
            Err(error) => whole &= !matches!(error, Error::CorruptIndex { .. }),
        }
    }
    for video in videos {
        whole &= index
            .track(video)
            .is_ok_and(|track| track.runs.is_sorted_by_key(|run| run.first));
    }
    whole
        && narrow.is_ok()
        && alone.is_ok()
        && matches!((all, by_cell), (Ok(all), Ok(by_cell)) if all == by_cell)
}

fn load_manifest(bytes: &[u8]) -> crate::Result<Stored> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("manifest"), bytes).unwrap();
    Ok(Manifest::load(dir.path())?.unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_forged_segment_is_refused_or_can_be_read_through(changes in changes()) {
        let written = Written::new();
        let Ok(segment) = written.put(&forge(&written.segment, &changes)) else { return Ok(()) };
        let ours = segment.cells_checksum == written.cells.checksum()
            && segment.cells() == written.cells.len();
        let sound = ours && segment.check(&written.cells).is_ok();
        match written.index() {
            Ok(index) => prop_assert!(search(&index) || !sound),
            Err(error) => prop_assert!(!ours && error.to_string().contains("centroids"), "{}", error),
        }
        let dead: Vec<bool> = (0..segment.videos.len()).map(|video| video == 1).collect();
        let segment = Arc::new(segment);
        let merge = Merge::new([(&segment, &dead[..])].into_iter());
        let merged = written.dir.path().join("merged");
        match assemble::write(&unsynced(), &merged, &merge, &written.cells, Added::default(), &Work::unwatched()) {
            Ok(_) => {
                let merged = BlockFile::open(&merged, SEGMENT_MAGIC, None).unwrap().unwrap();
                let merged = Segment::open(merged);
                prop_assert!(merged.is_ok(), "{:?}", merged);
                prop_assert!(!sound || merged.unwrap().check(&written.cells).is_ok());
            }
            Err(error) => prop_assert!(!sound && matches!(error, Error::CorruptIndex { .. }), "{}", error),
        }
    }

    #[test]
    fn forged_centroids_are_refused_or_find_cells_that_there_are(changes in changes()) {
        let written = Written::new();
        let path = manifest::cells_path(written.dir.path(), CELLS);
        fs::write(&path, forge(&fs::read(&path).unwrap(), &changes)).unwrap();
        // Centroids of a segment are accepted only if they are the same.
        prop_assert!(written.index().is_err() || open_cells(&path).unwrap().checksum() == written.cells.checksum());
        let Ok(cells) = open_cells(&path) else { return Ok(()) };
        let keys = all_keys();
        prop_assert!(cells.assign(&keys).into_iter().all(|cell| (cell as usize) < cells.len()));
        let mut found = cells.nearest(keys[5], 8, &mut cells::Search::new());
        found.sort_unstable();
        prop_assert!(found.iter().copied().eq(0..cells.len() as u32), "{:?}", found);
    }

    #[test]
    fn a_forged_manifest_is_refused_or_consistent(changes in changes()) {
        let mut manifest = Manifest::new(IndexConfig { fingerprint_version: 1, interval: Duration::from_secs(1) });
        let file = FileEntry { length: 7, checksum: 8, sha256: [9; 32] };
        let tombstone = |video| Tombstone { video, generation: 0 };
        manifest.cells.push(CellsEntry { number: 1, file: file.clone(), cells: 4 });
        manifest.segments.push(SegmentEntry {
            number: 0,
            file,
            keys: 4,
            videos: 5,
            tombstones: vec![tombstone(1), tombstone(3)],
            role: Role::Source,
        });
        manifest.next_number = 2;
        manifest.screening = Some(screening(9, 8));
        let dir = tempfile::tempdir().unwrap();
        let (stored, body) = Stored::encode(manifest, dir.path()).unwrap();
        manifest::write(&unsynced(), dir.path(), &body).unwrap();
        let original = std::fs::read(dir.path().join("manifest")).unwrap();
        let read = load_manifest(&original).unwrap();
        prop_assert_eq!((read.root, read.length), (stored.root, original.len() as u64));
        prop_assert_eq!(stored.length, original.len() as u64);
        prop_assert_eq!(read.manifest, stored.manifest);
        if let Ok(stored) = load_manifest(&forge(&original, &changes)) {
            for entry in &stored.manifest.segments {
                prop_assert!(entry.tombstones.iter().all(|tombstone| tombstone.video < entry.videos));
            }
            let recall = stored.manifest.screening.as_ref().and_then(Screening::recall);
            prop_assert!(recall.is_none_or(|recall| (0.0..=1.0).contains(&recall)), "{:?}", recall);
        }
    }
}

fn screening(excerpts: u32, nominated: u32) -> Screening {
    let strength = |name: &str| Strength {
        name: name.to_owned(),
        excerpts,
        nominated,
    };
    Screening {
        generation: 0,
        keys: 4,
        probes: 16,
        strengths: vec![strength("noise"), strength("crop")],
    }
}

/// A manifest of one segment, as a file.
fn manifest_bytes(change: impl Fn(&mut Manifest)) -> Vec<u8> {
    let mut manifest = Manifest::new(IndexConfig {
        fingerprint_version: 1,
        interval: Duration::from_secs(1),
    });
    let file = FileEntry {
        length: 7,
        checksum: 8,
        sha256: [9; 32],
    };
    let role = Role::Benign;
    manifest.segments.push(SegmentEntry {
        number: 0,
        file,
        keys: 4,
        videos: 5,
        tombstones: vec![],
        role,
    });
    change(&mut manifest);
    let dir = tempfile::tempdir().unwrap();
    let (_, body) = Stored::encode(manifest, dir.path()).unwrap();
    manifest::write(&unsynced(), dir.path(), &body).unwrap();
    fs::read(dir.path().join("manifest")).unwrap()
}

#[test]
fn a_role_that_is_none_is_refused() {
    let original = manifest_bytes(|_| ());
    assert_eq!(
        load_manifest(&original).unwrap().manifest.segments[0].role,
        Role::Benign
    );
    // It differs from the same manifest of a source by its role.
    let source = manifest_bytes(|manifest| manifest.segments[0].role = Role::Source);
    let mut other = content(&original).to_vec();
    let at = (HEADER_LEN..other.len())
        .find(|&at| other[at] != source[at])
        .unwrap();
    assert_eq!(other[at..at + 4], 1u32.to_le_bytes());
    other[at..at + 4].copy_from_slice(&3u32.to_le_bytes());
    let error = load_manifest(&format::seal(other)).unwrap_err();
    assert!(
        matches!(error, Error::CorruptIndex { what: "table", .. }),
        "{error}"
    );
}

#[test]
fn a_manifest_whose_numbers_contradict_each_other_is_refused_with_the_remedy() {
    type Change = fn(&mut Manifest);
    let wrong: [(&str, Change); 7] = [
        ("screening", |manifest| {
            manifest.screening = Some(Screening {
                probes: 0,
                ..screening(4, 4)
            })
        }),
        ("screening", |manifest| {
            manifest.screening = Some(screening(3, 4))
        }),
        ("number of a file", |manifest| {
            manifest.segments[0].number = 1
        }),
        ("number of different files", |manifest| {
            let file = manifest.segments[0].file.clone();
            manifest.cells.push(CellsEntry {
                number: 0,
                file,
                cells: 4,
            });
        }),
        ("tombstones", |manifest| {
            manifest.segments[0].tombstones.push(Tombstone {
                video: 5,
                generation: 0,
            })
        }),
        ("roles", |manifest| {
            let source = SegmentEntry {
                role: Role::Source,
                number: 3,
                ..manifest.segments[0].clone()
            };
            manifest.segments[0].role = Role::Submission;
            manifest.segments.push(source);
        }),
        ("sampling interval", |manifest| {
            manifest.config.interval = Duration::ZERO
        }),
    ];
    for (what, change) in wrong {
        let text = load_manifest(&manifest_bytes(change))
            .unwrap_err()
            .to_string();
        assert!(
            text.contains("manifest: damaged") && text.contains(what),
            "{text}"
        );
        assert!(text.contains("with: uniq index build"), "{text}");
    }
    assert!(
        load_manifest(&manifest_bytes(
            |manifest| manifest.screening = Some(screening(4, 4))
        ))
        .is_ok()
    );
}

/// Offset of a value in a section of a segment with 60 keys in 4 cells, by the layout.
fn at(section: &str, number: usize) -> usize {
    let starts = (HEADER_LEN + 6 * 8).next_multiple_of(format::ALIGN);
    let low = (starts + 5 * 4).next_multiple_of(format::ALIGN);
    let high = (low + 60 * 8).next_multiple_of(format::ALIGN);
    let numbers = (high + 60 * 8).next_multiple_of(format::ALIGN);
    let runs = (numbers + 60 * 4).next_multiple_of(format::ALIGN);
    match section {
        "starts" => starts + 4 * number,
        "sketches" => low + 8 * number,
        "numbers" => numbers + 4 * number,
        "runs" => runs + 48 * number,
        _ => panic!("{section}"),
    }
}

/// What verification says of a segment with changed content.
fn told(written: &Written, change: impl Fn(&mut [u8])) -> String {
    let mut bytes = content(&written.segment).to_vec();
    change(&mut bytes);
    written.put(&format::seal(bytes)).unwrap();
    let damage = written.verified();
    assert_eq!(damage.len(), 1, "{damage:?}");
    let text = damage[0].to_string();
    assert!(
        text.contains("segments/00000001.seg: damaged") && text.contains("with: uniq index build"),
        "{text}"
    );
    if let Ok(index) = written.index() {
        search(&index);
    }
    text
}

#[test]
fn what_a_segment_says_twice_must_agree() {
    let written = Written::new();
    assert!(written.verified().is_empty());
    let swap = |from: usize, to: usize, length: usize| {
        move |bytes: &mut [u8]| {
            let (left, right) = bytes.split_at_mut(to);
            left[from..from + length].swap_with_slice(&mut right[..length]);
        }
    };
    let cases: [(&str, String); 7] = [
        (
            "table of cells",
            told(&written, swap(at("starts", 1), at("starts", 3), 4)),
        ),
        (
            "table of cells",
            told(&written, |bytes| bytes[at("starts", 4)] += 1),
        ),
        (
            "keys of a cell",
            told(&written, |bytes| {
                let cells = (0..4).map(|cell| (at("starts", cell), at("starts", cell + 1)));
                let bounds =
                    |(from, to): (usize, usize)| (bytes[from] as usize, bytes[to] as usize);
                let (first, end) = cells
                    .map(bounds)
                    .find(|(first, end)| end - first > 1)
                    .unwrap();
                assert!(end <= 60);
                for (section, length) in [("sketches", 8), ("numbers", 4)] {
                    swap(at(section, first), at(section, first + 1), length)(bytes);
                }
                // The second plane of the sketches.
                let high = (at("sketches", 60)).next_multiple_of(format::ALIGN);
                swap(high + 8 * first, high + 8 * first + 8, 8)(bytes);
            }),
        ),
        (
            "number of a key",
            told(&written, |bytes| {
                bytes.copy_within(at("numbers", 1)..at("numbers", 2), at("numbers", 0))
            }),
        ),
        (
            "number of a key",
            told(&written, |bytes| bytes[at("numbers", 0)] = 60),
        ),
        (
            "track of a video",
            told(&written, |bytes| bytes[at("runs", 25)] ^= 1),
        ),
        (
            "order of the keys",
            told(&written, swap(at("runs", 25) + 32, at("runs", 26) + 32, 8)),
        ),
    ];
    for (what, text) in cases {
        assert!(text.contains(what), "{what}: {text}");
    }
}

#[test]
fn a_key_in_another_cell_than_the_nearest_is_found_by_verifying() {
    let written = Written::new();
    // Moves the last key of the first cell to the start of the second, wherever its sketch sorts
    // there.
    let text = told(&written, |bytes| {
        let start = (0..4)
            .find(|&cell| bytes[at("starts", cell)] < bytes[at("starts", cell + 1)])
            .unwrap();
        bytes[at("starts", start + 1)] -= 1;
    });
    assert!(
        text.contains("cell of a key") || text.contains("keys of a cell"),
        "{text}"
    );
}

#[test]
fn a_segment_that_is_sorted_by_centroids_that_the_manifest_does_not_name_is_refused() {
    let written = Written::new();
    // The number of the centroids, for which the padding leaves room, and their checksum.
    let (number, checksum) = (HEADER_LEN + 2 * 8, HEADER_LEN + 3 * 8);
    for (place, value) in [(number, 1u8), (checksum, 1), (checksum + 7, 0x80)] {
        let text = told(&written, |bytes| bytes[place] ^= value);
        assert!(text.contains("centroids of the cells"), "{text}");
        let text = written.index().unwrap_err().to_string();
        assert!(
            text.contains("00000001.seg") && text.contains("those that the manifest names"),
            "{text}"
        );
    }
    // The same centroids in another file are accepted; other centroids of the same number are not.
    written.put(&written.segment).unwrap();
    let path = manifest::cells_path(written.dir.path(), CELLS);
    let mut keys = all_keys();
    keys.truncate(30);
    let centroids = cells::train(keys, 4, &Work::unwatched()).unwrap();
    let file = Cells::write(&unsynced(), &path, &centroids, &Work::unwatched()).unwrap();
    let other = Written {
        cells_entry: CellsEntry {
            file,
            ..written.cells_entry.clone()
        },
        ..written
    };
    let text = other.index().unwrap_err().to_string();
    assert!(
        text.contains("00000001.seg") && text.contains("centroids of the cells"),
        "{text}"
    );
}
