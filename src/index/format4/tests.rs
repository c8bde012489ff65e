//! The input is the golden index of version 4, since nothing else writes that version any more.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::os::unix::fs::FileExt as _;

use proptest::prelude::*;

use super::*;
use crate::error::Error;
use crate::fingerprint::{Key, KeyKind, Place};
use crate::index::video::Publication;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("index-data/golden/v4")
}

/// The repeatable random numbers with which the golden index was made.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// The video of this number in the golden index.
fn added(seed: u64) -> Kept {
    let mut sha256 = [0; 32];
    sha256[..8].copy_from_slice(&seed.to_le_bytes());
    sha256[8..16].copy_from_slice(&Random(seed).next().to_le_bytes());
    let video = Video {
        id: format::hex(&sha256[..8]),
        path: format!("videos/{seed:04}.mp4"),
        sha256,
        duration: Duration::from_millis(90_500 + seed),
        width: 1920,
        height: 1080,
        publication: Publication {
            url: Some(format!("https://example.org/v/{seed}")),
            title: Some(format!("Video {seed} \u{2014} \u{fc}ber")),
            ..Publication::default()
        },
        keyframes: 91,
        undecoded: Duration::from_millis(250),
    };
    let mut random = Random(seed << 20);
    let run = |number: u64| Run {
        key: Key(std::array::from_fn(|_| random.next())),
        kind: if number.is_multiple_of(13) {
            KeyKind::Whole
        } else {
            KeyKind::Region
        },
        place: Place {
            x: number as f32 / 256.0,
            y: 0.5,
            size: 0.25,
        },
        first: Duration::from_millis(1000 * number + seed),
        last: Duration::from_millis(1000 * number + seed + 500),
        recurs: number.is_multiple_of(3),
    };
    let runs = (0..90).map(run).collect();
    let mut random = Random(seed ^ 0x6d6f);
    let mut motion = Motion::new(5, 3, 0.2);
    for picture in 0..4 + seed % 3 {
        let cells: Vec<i8> = (0..15).map(|_| (random.next() % 3) as i8 - 1).collect();
        motion.push(Duration::from_millis(500 * picture + seed), &cells);
    }
    // No motion was kept of benign material.
    let (role, motion) = if seed == 3 {
        (Role::Benign, Motion::default())
    } else {
        (Role::Source, motion)
    };
    Kept {
        role,
        video,
        runs,
        motion,
    }
}

fn read(dir: &Path) -> Result<Vec<Kept>> {
    Format4::open(dir)?.unwrap().videos().collect()
}

/// A copy of the golden index.
fn copy() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("segments")).unwrap();
    for name in [
        "manifest",
        "segments/00000001.seg",
        "segments/00000003.seg",
        "segments/00000004.seg",
    ] {
        fs::copy(golden().join(name), dir.path().join(name)).unwrap();
    }
    dir
}

#[test]
fn all_that_was_added_to_the_golden_index_and_not_removed_is_read() {
    let index = Format4::open(&golden()).unwrap().unwrap();
    assert_eq!(
        (index.generation(), index.next_number(), index.live()),
        (7, 5, 3)
    );
    assert_eq!(index.config().interval, Duration::from_secs(1));
    assert_eq!(read(&golden()).unwrap(), [added(0), added(2), added(3)]);
}

#[test]
fn graphs_and_segments_without_live_videos_are_not_needed() {
    let dir = copy();
    assert!(!dir.path().join("segments/00000002.seg").exists());
    assert_eq!(read(dir.path()).unwrap(), [added(0), added(2), added(3)]);
}

#[test]
fn every_flipped_byte_and_every_truncation_is_an_error_that_names_the_file() {
    let dir = copy();
    for name in ["manifest", "segments/00000003.seg"] {
        let path = dir.path().join(name);
        let whole = fs::read(&path).unwrap();
        let refused = |case: usize| match read(dir.path()) {
            Err(
                Error::CorruptIndex { path: found, .. }
                | Error::IncompatibleIndex { path: found, .. },
            ) => {
                assert_eq!(found, path, "{name}: {case}");
            }
            other => panic!("{name}: {case}: {other:?}"),
        };
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        for at in 0..whole.len() {
            file.write_all_at(&[whole[at] ^ 1 << (at % 8)], at as u64)
                .unwrap();
            refused(at);
            file.write_all_at(&whole[at..=at], at as u64).unwrap();
        }
        for kept in (0..whole.len()).rev().step_by(7) {
            file.set_len(kept as u64).unwrap();
            refused(kept);
        }
        fs::write(&path, &whole).unwrap();
    }
    fs::remove_file(dir.path().join("segments/00000004.seg")).unwrap();
    let index = Format4::open(dir.path()).unwrap().unwrap();
    let mut videos = index.videos();
    assert!(videos.next().unwrap().is_ok() && videos.next().unwrap().is_ok());
    let error = videos.next().unwrap().unwrap_err().to_string();
    assert!(
        error.contains("00000004.seg: damaged: file is missing"),
        "{error}"
    );
    assert!(videos.next().is_none());
}

#[test]
fn an_older_manifest_than_the_noted_one_is_refused() {
    let dir = copy();
    assert!(
        Format4::open(tempfile::tempdir().unwrap().path())
            .unwrap()
            .is_none()
    );
    fs::create_dir(dir.path().join("notes")).unwrap();
    let root = format::hex(&Format4::open(dir.path()).unwrap().unwrap().root);
    for (note, fits) in [
        (format!("7 {root}\n"), true),
        (format!("7 {root:0<64.8}\n"), false),
        (format!("8 {root}\n"), false),
    ] {
        fs::write(dir.path().join("notes/newest"), note).unwrap();
        assert_eq!(Format4::open(dir.path()).is_ok(), fits);
    }
    fs::remove_file(dir.path().join("manifest")).unwrap();
    assert!(Format4::open(dir.path()).is_err());
}

/// Header and body of a file.
fn content(file: &[u8]) -> &[u8] {
    let mut length = [0; 8];
    length.copy_from_slice(&file[file.len() - 16..file.len() - 8]);
    &file[..u64::from_le_bytes(length) as usize]
}

#[test]
fn other_versions_are_not_read() {
    for version in [1u32, 3, 5] {
        let dir = copy();
        let mut bytes = content(&fs::read(golden().join("manifest")).unwrap()).to_vec();
        bytes[8..12].copy_from_slice(&version.to_le_bytes());
        fs::write(dir.path().join("manifest"), format::seal(bytes)).unwrap();
        let error = Format4::open(dir.path()).unwrap_err();
        assert!(
            matches!(
                error,
                Error::IncompatibleIndex {
                    what: "format version",
                    ..
                }
            ),
            "{error}"
        );
        assert!(
            error.to_string().contains(&format!(
                "format version is {version}, this program needs 4;"
            )),
            "{error}"
        );
    }
}

/// Changes of 32-bit numbers or single bytes of a body.
fn changes() -> impl Strategy<Value = Vec<(prop::sample::Index, u32, bool)>> {
    let value = prop_oneof![any::<u32>(), 0..300u32, (u32::MAX - 3)..=u32::MAX];
    prop::collection::vec((any::<prop::sample::Index>(), value, any::<bool>()), 1..4)
}

/// Applies changes and recomputes the checksums.
fn forge(original: &[u8], changes: &[(prop::sample::Index, u32, bool)]) -> Vec<u8> {
    let mut bytes = content(original).to_vec();
    let body = &mut bytes[HEADER_LEN..];
    for (at, value, whole) in changes {
        if *whole {
            let at = at.index(body.len() / 4) * 4;
            body[at..at + 4].copy_from_slice(&value.to_le_bytes());
        } else {
            body[at.index(body.len())] = *value as u8;
        }
    }
    format::seal(bytes)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_forged_segment_is_refused_or_can_be_read_through(changes in changes()) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("segment");
        fs::write(&path, forge(&fs::read(golden().join("segments/00000001.seg")).unwrap(), &changes)).unwrap();
        let file = BlockFile::open_version(&path, SEGMENT_MAGIC, &VERSIONS, None).unwrap().unwrap();
        match Segment::open(file) {
            Ok(segment) => {
                let runs: usize = (0..segment.videos()).filter_map(|video| segment.video(video).ok()).map(|kept| kept.1.len()).sum();
                prop_assert!(runs <= 90);
            }
            Err(error) => prop_assert!(matches!(error, Error::CorruptIndex { .. }), "{error}"),
        }
    }

    #[test]
    fn a_forged_manifest_is_refused_or_names_what_it_cannot_read(changes in changes()) {
        let dir = copy();
        let path = dir.path().join("manifest");
        fs::write(&path, forge(&fs::read(&path).unwrap(), &changes)).unwrap();
        if let Ok(index) = Format4::open(dir.path()) {
            let read = index.unwrap();
            prop_assert!(read.live() <= u64::from(u32::MAX) * 4);
            // It ends with the first error, however many videos it promises.
            let kept = read.videos().take_while(|kept| kept.is_ok()).count();
            prop_assert!(kept <= 4);
        }
    }
}
