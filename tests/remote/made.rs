//! Indexes, places to store them, and changes to these places without the program.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use uniq::Error;
use uniq::fingerprint::{FINGERPRINT_VERSION, Key, KeyKind, Place as Spot, Run};
use uniq::index::{self, Index, IndexConfig, Publication, Video, Writer};
use uniq::remote::{self, Author, Cache, OpenOptions, PushOptions, Pushed, Snapshot, Store, Watch};

use crate::seaweed::{self, Bucket};

const CONFIG: IndexConfig = IndexConfig {
    fingerprint_version: FINGERPRINT_VERSION,
    interval: Duration::from_secs(1),
};
/// Room for any index of the tests, in bytes.
pub(crate) const ROOM: u64 = 1 << 30;

/// Where an index is stored.
pub(crate) enum Place {
    Folder(TempDir),
    Bucket(Bucket),
}

/// A folder, and a bucket if a server is installed.
pub(crate) fn places() -> impl Iterator<Item = Place> {
    let folder = Place::Folder(TempDir::new().unwrap());
    [folder]
        .into_iter()
        .chain(seaweed::bucket().map(Place::Bucket))
}

impl Place {
    pub(crate) fn address(&self) -> String {
        match self {
            Place::Folder(folder) => format!("file://{}/shared/index", folder.path().display()),
            Place::Bucket(bucket) => format!("s3://{}/shared/index", bucket.name),
        }
    }

    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        match self {
            Place::Folder(_) => Vec::new(),
            Place::Bucket(bucket) => bucket.variables(),
        }
    }

    pub(crate) fn store(&self) -> Store {
        Store::open(&self.address(), self.variables()).unwrap()
    }

    fn path(&self, name: &str) -> String {
        match self {
            Place::Folder(folder) => format!("{}/shared/index/{name}", folder.path().display()),
            Place::Bucket(_) => format!("shared/index/{name}"),
        }
    }

    /// The names in a folder, sorted, each with its folder.
    pub(crate) fn list(&self, folder: &str) -> Vec<String> {
        let names = match self {
            Place::Folder(_) => {
                let Ok(entries) = fs::read_dir(self.path(folder)) else {
                    return Vec::new();
                };
                let mut names: Vec<String> = entries
                    .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                    .collect();
                names.sort();
                names
            }
            Place::Bucket(bucket) => bucket.list(&self.path(folder)),
        };
        names
            .into_iter()
            .map(|name| format!("{folder}/{name}"))
            .collect()
    }

    /// All objects.
    pub(crate) fn objects(&self) -> Vec<String> {
        ["manifests", "segments", "history"]
            .iter()
            .flat_map(|folder| self.list(folder))
            .collect()
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        match self {
            Place::Folder(_) => fs::read(self.path(name)).unwrap(),
            Place::Bucket(bucket) => bucket.read(&self.path(name)).unwrap(),
        }
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        match self {
            Place::Folder(_) => fs::write(self.path(name), bytes).unwrap(),
            Place::Bucket(bucket) => bucket.write(&self.path(name), bytes),
        }
    }

    pub(crate) fn delete(&self, name: &str) {
        match self {
            Place::Folder(_) => fs::remove_file(self.path(name)).unwrap(),
            Place::Bucket(bucket) => bucket.delete(&self.path(name)),
        }
    }

    pub(crate) fn push(&self, dir: &Path) -> uniq::Result<Pushed> {
        remote::push(&self.store(), dir, &by("writer"), Watch::none())
    }

    /// The newest index, opened through a cache.
    pub(crate) fn open(&self, cache: &Path) -> uniq::Result<Snapshot> {
        remote::open(
            &self.store(),
            &Cache::new(cache, ROOM),
            OpenOptions::default(),
            Watch::none(),
        )
    }

    /// The newest index, opened on a machine that never saw one.
    pub(crate) fn open_elsewhere(&self) -> uniq::Result<(TempDir, Snapshot)> {
        let cache = TempDir::new().unwrap();
        self.open(cache.path()).map(|snapshot| (cache, snapshot))
    }
}

/// Options of a push by `host`.
pub(crate) fn by(host: &str) -> PushOptions {
    let at = std::time::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    PushOptions {
        author: Author {
            host: host.to_owned(),
            process: 7,
            at: Some(at),
        },
        prune: None,
    }
}

/// Adds videos to an index in a folder, one commit each.
pub(crate) fn add(dir: &Path, seeds: impl IntoIterator<Item = u64>, runs: usize) {
    let mut writer = Writer::open_or_create(dir, CONFIG).unwrap();
    for seed in seeds {
        assert!(writer.add(video(seed), made_runs(seed, runs)).unwrap());
        writer.commit().unwrap();
    }
}

/// Merges an index into few segments.
pub(crate) fn merge(dir: &Path) {
    Writer::open(dir).unwrap().compact(&|| false).unwrap();
}

/// A copy of an index, as if on another machine.
pub(crate) fn copy(from: &Path) -> TempDir {
    let to = TempDir::new().unwrap();
    for entry in walkdir::WalkDir::new(from) {
        let entry = entry.unwrap();
        let target = to.path().join(entry.path().strip_prefix(from).unwrap());
        if entry.file_type().is_dir() {
            fs::create_dir_all(target).unwrap();
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
    to
}

/// Fails unless two folders hold the same index and every byte is right.
pub(crate) fn assert_same(dir: &Path, other: &Path) {
    let (expected, found) = (Index::open(dir).unwrap(), Index::open(other).unwrap());
    assert_eq!(found.state(), expected.state());
    assert_whole(other);
}

/// Fails unless every byte of an index is right.
pub(crate) fn assert_whole(dir: &Path) {
    let found = index::verify(dir, &|_, _| (), &|| false).unwrap();
    assert!(found.damage.is_empty(), "{:?}", found.damage);
}

/// The root of the index in a folder, in hexadecimal.
pub(crate) fn root(dir: &Path) -> String {
    Index::open(dir).unwrap().state().root.clone()
}

pub(crate) fn code<T>(result: &uniq::Result<T>) -> String {
    result.as_ref().err().map(Error::code).unwrap_or_default()
}

pub(crate) fn text<T>(result: &uniq::Result<T>) -> String {
    result
        .as_ref()
        .err()
        .map(Error::to_string)
        .unwrap_or_default()
}

/// All files below a folder whose path contains `part`.
pub(crate) fn files(folder: &Path, part: &str) -> Vec<PathBuf> {
    let files = walkdir::WalkDir::new(folder)
        .into_iter()
        .filter_map(Result::ok);
    let mut found: Vec<PathBuf> = files
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| entry.into_path())
        .collect();
    found.retain(|path| path.to_str().unwrap().contains(part));
    found.sort();
    found
}

fn video(seed: u64) -> Video {
    let mut sha256 = [0; 32];
    sha256[..8].copy_from_slice(&seed.to_le_bytes());
    sha256[8..16].copy_from_slice(&mixed(seed).to_le_bytes());
    Video {
        id: String::new(),
        path: format!("videos/{seed:04}.mp4"),
        sha256,
        duration: Duration::from_millis(90_500 + seed),
        width: 1920,
        height: 1080,
        publication: Publication::default(),
        keyframes: 91,
        undecoded: Duration::ZERO,
    }
}

fn made_runs(seed: u64, count: usize) -> Vec<Run> {
    let word = |number: usize, part: u64| mixed((seed << 40) + 4 * number as u64 + part);
    (0..count)
        .map(|number| Run {
            key: Key([0, 1, 2, 3].map(|part| word(number, part))),
            kind: KeyKind::Region,
            place: Spot {
                x: (number % 1000) as f32 / 256.0,
                y: 0.5,
                size: 0.25,
            },
            first: Duration::from_millis(number as u64),
            last: Duration::from_millis(number as u64 + 500),
            recurs: false,
        })
        .collect()
}

/// Repeatable random numbers.
fn mixed(number: u64) -> u64 {
    let z = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d;
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
