//! Files whose checksums are right although their content is not: opened or refused, but never a panic.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use proptest::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

use super::assemble::{self, Entries, Merge, Pending};
use super::files::BlockFile;
use super::format::{self, GRAPH_MAGIC, HEADER_LEN, SEGMENT_MAGIC};
use super::graph::{self, Built, Graph};
use super::manifest::{self, FileEntry, GraphEntry, Manifest, SegmentEntry, Stored};
use super::segment::Segment;
use super::storage::Disk;
use super::upkeep::Work;
use super::video::{IndexConfig, Publication, Role, Video};
use crate::fingerprint::{Key, KeyKind, Motion, Place, Run};

/// A change of one byte or a whole 32-bit number of the body.
#[derive(Clone, Copy, Debug)]
struct Change {
    at: prop::sample::Index,
    value: u32,
    whole: bool,
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let value = prop_oneof![any::<u32>(), 0..300u32, (u32::MAX - 3)..=u32::MAX];
    let change = (any::<prop::sample::Index>(), value, any::<bool>());
    let change = change.prop_map(|(at, value, whole)| Change { at, value, whole });
    prop::collection::vec(change, 1..4)
}

/// Applies the changes and makes the header fit.
fn forge(original: &[u8], changes: &[Change]) -> Vec<u8> {
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

fn segment_bytes() -> Vec<u8> {
    let mut pending = Pending::default();
    for video in 0..3u8 {
        let runs: Vec<Run> = (0..20)
            .map(|run| Run {
                key: Key([xxh3_64(&[video, run]), 1, 2, u64::from(run % 5)]),
                kind: KeyKind::Region,
                place: Place::default(),
                first: Duration::from_secs(u64::from(run)),
                last: Duration::from_secs(u64::from(run) + 1),
                recurs: run % 2 == 0,
            })
            .collect();
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
        pending.add(video, &runs, &motion);
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("segment");
    for part in pending.parts(1000) {
        assemble::write(&Disk, &path, &part).unwrap();
    }
    std::fs::read(&path).unwrap()
}

fn open_segment(bytes: &[u8]) -> crate::Result<Segment> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("segment");
    std::fs::write(&path, bytes).unwrap();
    Segment::open(BlockFile::open(&path, SEGMENT_MAGIC, None)?.unwrap())
}

fn open_graph(bytes: &[u8], segment: &Segment) -> crate::Result<Graph> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("graph");
    std::fs::write(&path, bytes).unwrap();
    Graph::open(BlockFile::open(&path, GRAPH_MAGIC, None)?.unwrap(), segment, 1.0)
}

fn graph_bytes(segment: &Segment) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("graph");
    match graph::build(segment, &Work::new(&|| false, 0)).unwrap() {
        Built::Accepted { graph, .. } => graph.write(&Disk, &path, segment.file().checksum()).unwrap(),
        Built::Refused { recall } => panic!("{recall}"),
    };
    std::fs::read(&path).unwrap()
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
        let original = segment_bytes();
        if let Ok(segment) = open_segment(&forge(&original, &changes)) {
            let sound = segment.check().is_ok();
            let mut postings = 0;
            for key in 0..segment.len() as u32 {
                prop_assert!(segment.key(key).is_ok());
                match segment.postings(key) {
                    Ok(found) => postings += found.len(),
                    Err(_) => prop_assert!(!sound),
                }
            }
            let counted: u32 = segment.postings_per_video.iter().sum();
            prop_assert!(!sound || postings == counted as usize);
            let found: usize = (0..3).filter_map(|video| segment.postings_of(video).ok()).map(|found| found.len()).sum();
            prop_assert!(!sound || found == postings);
            let dead: Vec<bool> = (0..segment.videos.len()).map(|video| video == 1).collect();
            let segment = std::sync::Arc::new(segment);
            let merge = Merge::new([(&segment, &dead[..])].into_iter());
            let mut merged = 0;
            let done = merge.visit(&mut |_, postings| {
                merged += postings.len();
                Ok(())
            });
            prop_assert!(done.is_err() || merged <= counted as usize);
        }
    }

    #[test]
    fn a_forged_graph_is_refused_or_can_be_searched(changes in changes()) {
        let bytes = segment_bytes();
        let segment = open_segment(&bytes).unwrap();
        let original = graph_bytes(&segment);
        let queries = [Key([3; 4]), segment.key(7).unwrap()];
        prop_assert!(open_graph(&original, &segment).unwrap().search(&segment, &queries, 30).is_ok());
        if let Ok(graph) = open_graph(&forge(&original, &changes), &segment)
            && let Ok(found) = graph.search(&segment, &queries, 200)
        {
            for found in found {
                let key = segment.key(found.key).unwrap();
                prop_assert_eq!(key.distance(queries[found.query as usize]), found.distance);
            }
        }
    }

    #[test]
    fn a_forged_manifest_is_refused_or_consistent(changes in changes()) {
        let mut manifest = Manifest::new(IndexConfig { fingerprint_version: 1, interval: Duration::from_secs(1) });
        let file = FileEntry { length: 7, checksum: 8, sha256: [9; 32] };
        manifest.segments.push(SegmentEntry {
            number: 0,
            file: file.clone(),
            keys: 4,
            videos: 5,
            tombstones: vec![1, 3],
            graph: GraphEntry::Built { file, recall: 0.995 },
            role: Role::Source,
        });
        let dir = tempfile::tempdir().unwrap();
        let (stored, body) = Stored::encode(manifest, dir.path()).unwrap();
        manifest::write(&Disk, dir.path(), &body).unwrap();
        let original = std::fs::read(dir.path().join("manifest")).unwrap();
        let read = load_manifest(&original).unwrap();
        prop_assert_eq!((read.root, read.length), (stored.root, original.len() as u64));
        prop_assert_eq!(stored.length, original.len() as u64);
        prop_assert_eq!(read.manifest, stored.manifest);
        if let Ok(stored) = load_manifest(&forge(&original, &changes)) {
            for entry in &stored.manifest.segments {
                prop_assert!(entry.tombstones.iter().all(|&video| video < entry.videos));
            }
        }
    }
}

/// A manifest of one segment, as a file.
fn manifest_bytes(graph: GraphEntry, role: Role) -> Vec<u8> {
    let mut manifest = Manifest::new(IndexConfig { fingerprint_version: 1, interval: Duration::from_secs(1) });
    let file = FileEntry { length: 7, checksum: 8, sha256: [9; 32] };
    manifest.segments.push(SegmentEntry { number: 0, file, keys: 4, videos: 5, tombstones: vec![], graph, role });
    let dir = tempfile::tempdir().unwrap();
    let (_, body) = Stored::encode(manifest, dir.path()).unwrap();
    manifest::write(&Disk, dir.path(), &body).unwrap();
    std::fs::read(dir.path().join("manifest")).unwrap()
}

#[test]
fn a_role_that_is_none_is_refused_and_so_is_a_graph_over_benign_material() {
    let original = manifest_bytes(GraphEntry::None, Role::Benign);
    assert_eq!(load_manifest(&original).unwrap().manifest.segments[0].role, Role::Benign);
    // The role is the last number of the body.
    let mut other = content(&original).to_vec();
    let at = other.len() - 4;
    assert_eq!(other[at..], 1u32.to_le_bytes());
    other[at..].copy_from_slice(&2u32.to_le_bytes());
    let error = load_manifest(&format::seal(other.clone())).unwrap_err();
    assert!(matches!(error, crate::Error::CorruptIndex { what: "table", .. }), "{error}");
    other.truncate(at);
    assert!(load_manifest(&format::seal(other)).is_err());

    let graph = GraphEntry::Refused { recall: 0.5 };
    let error = load_manifest(&manifest_bytes(graph, Role::Benign)).unwrap_err();
    assert!(matches!(error, crate::Error::CorruptIndex { what: "graph of benign material", .. }), "{error}");
}
