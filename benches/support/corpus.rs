//! Indexes of made runs.

use std::path::Path;
use std::time::Duration;

use uniq::fingerprint::{FINGERPRINT_VERSION, Key, KeyKind, Place, Run};
use uniq::index::{Index, IndexConfig, Neighbour, Publication, Video, Writer};

use super::RADIUS;
use super::footage::Footage;

/// A folder on the build's disk, deleted when dropped.
pub fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))
        .expect("cargo's folder for temporary files is writable")
}

/// Opens an index for writing, or creates it.
pub fn writer(dir: &Path) -> Writer {
    let config = IndexConfig {
        fingerprint_version: FINGERPRINT_VERSION,
        interval: Duration::from_secs(1),
    };
    Writer::open_or_create(dir, config).expect("the folder is ours alone")
}

/// Adds footage of at least `keys` runs, committed every [`COMMIT_KEYS`]. Returns the keys whose
/// numbers `sample` selects.
pub fn write_footage(
    dir: &Path,
    footage: &mut Footage,
    keys: u64,
    sample_every: usize,
) -> Vec<Key> {
    let mut writer = writer(dir);
    let (mut sample, mut seen) = (Vec::new(), 0);
    for (video, runs) in footage.videos(keys) {
        for run in &runs {
            if seen % sample_every == 0 {
                sample.push(run.key);
            }
            seen += 1;
        }
        writer
            .add(video, runs)
            .expect("a commit holds fewer than 2^32 keys");
        if writer.pending_keys() >= COMMIT_KEYS {
            writer.commit().expect("there is space on the disk");
        }
    }
    writer
        .maintain(&|| false)
        .expect("there is space on the disk");
    sample
}

/// Writes keys in one commit, in videos of [`VIDEO_KEYS`]. Up to [`uniq::index::SEGMENT_MAX_KEYS`]
/// become one segment.
pub fn write_keys(dir: &Path, keys: &[Key]) {
    let mut writer = writer(dir);
    for (number, keys) in keys.chunks(VIDEO_KEYS).enumerate() {
        let runs = keys.iter().map(|&key| run_of(key)).collect();
        writer
            .add(
                Video {
                    sha256: [number as u8; 32],
                    ..video()
                },
                runs,
            )
            .expect("so few keys are one video");
    }
    writer
        .maintain(&|| false)
        .expect("there is space on the disk");
}

/// Keys of a video without a length: enough to need few videos, few enough for any segment.
const VIDEO_KEYS: usize = 100_000;

/// Opens an index.
pub fn open(dir: &Path) -> Index {
    Index::open(dir).expect("the index was just written")
}

/// Compares all keys at [`RADIUS`].
pub fn near(index: &Index, queries: &[Key]) -> Vec<Neighbour> {
    index.near(queries, RADIUS).unwrap()
}

fn run_of(key: Key) -> Run {
    let first = Duration::ZERO;
    Run {
        key,
        kind: KeyKind::Region,
        place: Place::default(),
        first,
        last: first,
        recurs: false,
    }
}

fn video() -> Video {
    Video {
        id: String::new(),
        path: "made.mp4".to_owned(),
        sha256: [1; 32],
        duration: Duration::from_secs(3600),
        width: 1920,
        height: 1080,
        publication: Publication::default(),
        keyframes: 3600,
        undecoded: Duration::ZERO,
    }
}

/// Number of keys in a commit: some ten hours of video.
const COMMIT_KEYS: usize = 400_000;
