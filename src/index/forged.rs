//! Files whose checksums are right although their content is not: opened or refused, but never a panic.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

use super::files;
use super::format::HEADER_LEN;
use super::graph::{self, Built, Graph};
use super::manifest::{FileEntry, GraphEntry, Manifest, SegmentEntry, Stored};
use super::segment::{Segment, SegmentBuilder};
use super::video::{IndexConfig, Publication, Video};
use crate::fingerprint::{Key, KeyKind, Place, Run};

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
    let mut bytes = original.to_vec();
    let body = &mut bytes[HEADER_LEN..];
    for change in changes {
        if change.whole {
            let at = change.at.index(body.len() / 4) * 4;
            body[at..at + 4].copy_from_slice(&change.value.to_le_bytes());
        } else {
            body[change.at.index(body.len())] = change.value as u8;
        }
    }
    let checksum = xxh3_64(body);
    bytes[HEADER_LEN - 8..HEADER_LEN].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

fn segment_bytes() -> Vec<u8> {
    let mut builder = SegmentBuilder::default();
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
        builder.add(video, &runs);
    }
    builder.encode(Path::new("test")).unwrap().0
}

fn open_segment(bytes: &[u8]) -> crate::Result<Segment> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("segment");
    std::fs::write(&path, bytes).unwrap();
    let file = files::map(&path, None).unwrap().unwrap();
    Segment::open(file, FileEntry::of(bytes).checksum)
}

fn open_graph(bytes: &[u8], segment: &Segment, owner: u64) -> crate::Result<Graph> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("graph");
    std::fs::write(&path, bytes).unwrap();
    let file = files::map(&path, None).unwrap().unwrap();
    Graph::open(file, FileEntry::of(bytes).checksum, segment, owner, 1.0)
}

fn graph_bytes(segment: &Segment, owner: u64) -> Vec<u8> {
    match graph::build(segment, owner, &|| false).unwrap() {
        Built::Accepted { bytes, .. } => bytes,
        Built::Refused { recall } => panic!("{recall}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_forged_segment_is_refused_or_can_be_read_through(changes in changes()) {
        let original = segment_bytes();
        if let Ok(segment) = open_segment(&forge(&original, &changes)) {
            let postings: usize = (0..segment.len() as u32)
                .map(|key| segment.postings(key).len())
                .sum();
            let counted: u32 = segment.postings_per_video.iter().sum();
            prop_assert_eq!(postings, counted as usize);
            let mut builder = SegmentBuilder::default();
            builder.add_live(&segment, &[false, true]);
            prop_assert!(builder.postings() <= postings);
        }
    }

    #[test]
    fn a_forged_graph_is_refused_or_can_be_searched(changes in changes()) {
        let bytes = segment_bytes();
        let owner = FileEntry::of(&bytes).checksum;
        let segment = open_segment(&bytes).unwrap();
        let original = graph_bytes(&segment, owner);
        prop_assert!(open_graph(&original, &segment, owner).is_ok());
        if let Ok(graph) = open_graph(&forge(&original, &changes), &segment, owner) {
            let query = Key([3; 4]);
            for found in graph.search(&segment, &[query], 200) {
                prop_assert_eq!(segment.key(found.key).distance(query), found.distance);
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
        });
        let path = Path::new("test");
        let (stored, original) = Stored::encode(manifest, path).unwrap();
        prop_assert_eq!(Manifest::parse(path, &original).unwrap().manifest, stored.manifest);
        if let Ok(stored) = Manifest::parse(path, &forge(&original, &changes)) {
            for entry in &stored.manifest.segments {
                prop_assert!(entry.tombstones.iter().all(|&video| video < entry.videos));
            }
        }
    }
}
