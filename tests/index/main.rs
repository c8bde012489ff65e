//! The index from outside: everybody who opens it finds what was committed, and nothing else is
//! trusted.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod benign;
mod cells;
mod damage;
#[path = "../support/folders.rs"]
#[allow(unreachable_pub)]
mod folders;
mod golden;
mod history;
mod joining;
mod rollback;
mod runs;
mod submissions;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use tempfile::TempDir;
use uniq::Error;
use uniq::fingerprint::{FINGERPRINT_VERSION, Key, KeyKind, Motion, Place, Run};
use uniq::index::{
    FORMAT_VERSION, Index, IndexConfig, Neighbour, OLDEST_READABLE, Publication, Role, Screen,
    Video, Writer,
};

const CONFIG: IndexConfig = IndexConfig {
    fingerprint_version: FINGERPRINT_VERSION,
    interval: Duration::from_secs(1),
};

/// Repeatable random numbers.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn key(&mut self) -> Key {
        Key(std::array::from_fn(|_| self.next()))
    }

    fn noisy(&mut self, mut key: Key, bits: u32) -> Key {
        for _ in 0..bits {
            let bit = self.next() % 256;
            key.0[(bit / 64) as usize] ^= 1 << (bit % 64);
        }
        key
    }
}

fn video(seed: u64) -> Video {
    let mut sha256 = [0; 32];
    sha256[..8].copy_from_slice(&seed.to_le_bytes());
    sha256[8..16].copy_from_slice(&Random(seed).next().to_le_bytes());
    Video {
        id: String::new(),
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
    }
}

fn runs(seed: u64, count: usize) -> Vec<Run> {
    let mut random = Random(seed << 20);
    (0..count)
        .map(|number| Run {
            key: random.key(),
            kind: if number % 13 == 0 {
                KeyKind::Whole
            } else {
                KeyKind::Region
            },
            place: Place {
                x: (number % 1000) as f32 / 256.0,
                y: 0.5,
                size: 0.25,
            },
            first: Duration::from_millis(1000 * number as u64 + seed),
            last: Duration::from_millis(1000 * number as u64 + seed + 500),
            recurs: number % 3 == 0,
        })
        .collect()
}

/// The motion of a video: a few pictures of 15 cells.
fn motion(seed: u64) -> Motion {
    let mut random = Random(seed ^ 0x6d6f);
    let mut motion = Motion::new(5, 3, 0.2);
    for picture in 0..4 + seed % 3 {
        let cells: Vec<i8> = (0..15).map(|_| (random.next() % 3) as i8 - 1).collect();
        motion.push(Duration::from_millis(500 * picture + seed), &cells);
    }
    motion
}

/// An index of the videos `seeds` with `count` runs each, one commit per video.
fn build(dir: &Path, seeds: impl IntoIterator<Item = u64>, count: usize) -> Index {
    let mut writer = Writer::open_or_create(dir, CONFIG).unwrap();
    for seed in seeds {
        assert!(
            writer
                .add_as(Role::Source, video(seed), runs(seed, count), &motion(seed))
                .unwrap()
        );
        writer.commit().unwrap();
    }
    drop(writer);
    Index::open(dir).unwrap()
}

#[test]
fn what_moves_in_a_video_is_kept_whatever_becomes_of_its_neighbours() {
    let dir = TempDir::new().unwrap();
    build(dir.path(), 0..4, 30);
    let mut writer = Writer::open(dir.path()).unwrap();
    writer.add(video(4), runs(4, 30)).unwrap();
    writer.remove("videos/0001.mp4").unwrap();
    writer.remove("videos/0002.mp4").unwrap();
    writer.commit().unwrap();
    let kept = |index: &Index| {
        for (number, (video, _)) in [0, 3].into_iter().zip(index.videos()) {
            assert_eq!(index.motion(video).unwrap(), motion(number));
        }
        assert!(
            index
                .motion(index.videos().last().unwrap().0)
                .unwrap()
                .is_empty()
        );
    };
    kept(&Index::open(dir.path()).unwrap());
    writer.compact(&never).unwrap();
    let index = Index::open(dir.path()).unwrap();
    assert_eq!((index.state().segments, index.state().videos), (1, 3));
    kept(&index);
    // A waiting video that is dropped takes its motion with it.
    for seed in 5..8 {
        writer
            .add_as(Role::Source, video(seed), runs(seed, 5), &motion(seed))
            .unwrap();
    }
    writer.remove("videos/0006.mp4").unwrap();
    writer.commit().unwrap();
    let index = Index::open(dir.path()).unwrap();
    let last: Vec<Motion> = index
        .videos()
        .skip(3)
        .map(|(video, _)| index.motion(video).unwrap())
        .collect();
    assert_eq!(last, [motion(5), motion(7)]);
    assert_eq!(damage(dir.path()), [""; 0]);
}

fn never() -> bool {
    false
}

/// The findings of a verification as text.
fn damage(dir: &Path) -> Vec<String> {
    let found = uniq::index::verify(dir, &|_, _| (), &never).unwrap();
    found.damage.iter().map(Error::to_string).collect()
}

/// Results of a search, independent of segments: query, path, first time and distance of each run,
/// sorted.
fn answers(index: &Index, queries: &[Key], radius: u32) -> Vec<(u32, String, Duration, u32)> {
    told(index, queries, &index.near(queries, radius).unwrap())
}

fn told(index: &Index, queries: &[Key], near: &[Neighbour]) -> Vec<(u32, String, Duration, u32)> {
    assert!(near.is_sorted_by(|a, b| (a.query, a.video, a.run) < (b.query, b.video, b.run)));
    let told = |near: &Neighbour| {
        let run = index.run(near.video, near.run).unwrap();
        assert_eq!(
            run.key.distance(queries[near.query as usize]),
            near.distance
        );
        (
            near.query,
            index.video(near.video).path.clone(),
            run.first,
            near.distance,
        )
    };
    let mut answers: Vec<_> = near.iter().map(told).collect();
    answers.sort();
    answers
}

/// The files of an index by name, except its lock.
fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for folder in [dir.to_owned(), dir.join("segments")] {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() && !path.ends_with("lock") {
                let bytes = fs::read(&path).unwrap();
                files.push((path.strip_prefix(dir).unwrap().to_owned(), bytes));
            }
        }
    }
    files.sort();
    files
}

/// The files that a search needs: all except the history.
fn searched(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    files(dir)
        .into_iter()
        .filter(|(name, _)| !name.ends_with("history"))
        .collect()
}

#[test]
fn what_is_committed_is_found_after_reopening() {
    let dir = TempDir::new().unwrap();
    let index = build(dir.path(), 0..3, 40);
    let all: Vec<Key> = (0..3)
        .flat_map(|seed| runs(seed, 40))
        .map(|run| run.key)
        .collect();
    assert_eq!(answers(&index, &all, 20).len(), 120);
    let mut random = Random(9);
    for (number, run) in runs(1, 40).iter().enumerate() {
        let near = index.near(&[random.noisy(run.key, 30)], 72).unwrap();
        assert_eq!(near.len(), 1, "run {number}");
        assert_eq!(index.video(near[0].video).path, "videos/0001.mp4");
        assert_eq!(index.run(near[0].video, near[0].run).unwrap(), *run);
    }
    let state = index.state();
    assert_eq!((state.videos, state.keys, state.segments), (3, 120, 3));
    assert_eq!(state.generation, 3);
    assert!((state.hours - 3.0 * 90.501 / 3600.0).abs() < 1e-9);
    let on_disk: usize = files(dir.path()).iter().map(|(_, bytes)| bytes.len()).sum();
    assert_eq!(state.bytes, on_disk as u64);
    let verified = uniq::index::verify(dir.path(), &|_, _| (), &never).unwrap();
    assert!(verified.damage.is_empty() && verified.unnamed.is_empty());
    assert_eq!(
        (verified.root.as_str(), verified.bytes),
        (state.root.as_str(), state.bytes)
    );
    assert_eq!(verified.files, files(dir.path()).len());
}

#[test]
fn a_key_takes_at_most_seventy_bytes() {
    let dir = TempDir::new().unwrap();
    let index = build(dir.path(), 0..1, 10_000);
    let a_key = index.state().bytes as f64 / index.state().keys as f64;
    assert!((60.0..70.0).contains(&a_key), "{a_key}");
}

#[test]
fn a_stored_video_comes_back_as_it_was() {
    let dir = TempDir::new().unwrap();
    let index = build(dir.path(), [2, 1], 5);
    let paths: Vec<&str> = index
        .videos()
        .map(|(_, video)| video.path.as_str())
        .collect();
    assert_eq!(paths, ["videos/0001.mp4", "videos/0002.mp4"]);
    let (reference, stored) = index.videos().next().unwrap();
    let expected = Video {
        id: "0100000000000000".to_owned(),
        ..video(1)
    };
    assert_eq!(stored, &expected);
    assert!(index.contains(&video(1).sha256) && !index.contains(&video(3).sha256));
    let hex: String = stored
        .sha256
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    for selector in [
        stored.id.as_str(),
        hex.as_str(),
        &hex.to_uppercase(),
        &hex[..9],
        "videos/0001.mp4",
        "https://example.org/v/1",
    ] {
        assert_eq!(index.find(selector), [reference], "{selector}");
    }
    for selector in [
        "",
        "0100000",
        "videos/0001",
        "https://example.org/v/",
        &format!("{hex}0"),
    ] {
        assert!(index.find(selector).is_empty(), "{selector}");
    }
}

#[test]
fn a_key_shared_by_videos_is_found_in_each_of_them() {
    let dir = TempDir::new().unwrap();
    let mut writer = Writer::open_or_create(dir.path(), CONFIG).unwrap();
    for seed in 0..5 {
        let mut runs = runs(seed, 2);
        runs[0].key = Key([7; 4]);
        writer.add(video(seed), runs).unwrap();
    }
    assert_eq!((writer.pending(), writer.pending_keys()), (5, 10));
    writer.commit().unwrap();
    let index = Index::open(dir.path()).unwrap();
    let found = answers(&index, &[Key([7; 4])], 0);
    let videos: Vec<&str> = found.iter().map(|(_, path, ..)| path.as_str()).collect();
    assert_eq!((videos.len(), videos.is_sorted()), (5, true));
}

#[test]
fn the_same_videos_in_the_same_order_give_the_same_bytes() {
    let (a, b) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    for dir in [&a, &b] {
        build(dir.path(), 0..3, 50);
        let mut writer = Writer::open_or_create(dir.path(), CONFIG).unwrap();
        writer.maintain(&never).unwrap();
    }
    assert_eq!(files(a.path()), files(b.path()));
    let root = |dir: &TempDir| Index::open(dir.path()).unwrap().state().root.clone();
    assert_eq!(root(&a), root(&b));
    assert_eq!(root(&a).len(), 64);
}

#[test]
fn an_added_video_is_not_added_again() {
    let dir = TempDir::new().unwrap();
    build(dir.path(), 0..1, 5);
    let mut writer = Writer::open_or_create(dir.path(), CONFIG).unwrap();
    assert!(!writer.add(video(0), runs(0, 5)).unwrap());
    assert!(writer.add(video(1), runs(1, 5)).unwrap());
    assert!(!writer.add(video(1), runs(1, 5)).unwrap());
    assert!(writer.contains(&video(0).sha256) && writer.contains(&video(1).sha256));
    assert_eq!(writer.pending(), 1);
    assert_eq!(writer.commit().unwrap().videos, 2);
}

#[test]
fn a_commit_of_nothing_changes_nothing() {
    let dir = TempDir::new().unwrap();
    assert!(matches!(
        Index::open(dir.path()),
        Err(Error::NoIndex { .. })
    ));
    let mut writer = Writer::open_or_create(dir.path(), CONFIG).unwrap();
    assert!(!Index::exists(dir.path()));
    let first = writer.commit().unwrap();
    assert_eq!((first.videos, first.segments, first.generation), (0, 0, 1));
    assert_eq!(writer.commit().unwrap(), first);
    let index = Index::open(dir.path()).unwrap();
    assert!(Index::exists(dir.path()));
    assert!(index.near(&[Key::default()], 256).unwrap().is_empty());
}

#[test]
fn a_video_without_keys_is_kept() {
    let dir = TempDir::new().unwrap();
    let mut writer = Writer::open_or_create(dir.path(), CONFIG).unwrap();
    writer.add(video(4), Vec::new()).unwrap();
    writer.commit().unwrap();
    writer.maintain(&never).unwrap();
    let index = Index::open(dir.path()).unwrap();
    assert!(index.contains(&video(4).sha256));
    assert_eq!((index.state().keys, index.state().cells), (0, 1));
}

#[test]
fn a_snapshot_does_not_change() {
    let dir = TempDir::new().unwrap();
    let before = build(dir.path(), 0..12, 20);
    let queries: Vec<Key> = (0..14).map(|seed| runs(seed, 20)[3].key).collect();
    let (state, found) = (before.state().clone(), answers(&before, &queries, 72));
    let mut writer = Writer::open_or_create(dir.path(), CONFIG).unwrap();
    writer.remove("videos/0003.mp4").unwrap();
    writer.add(video(13), runs(13, 20)).unwrap();
    writer.commit().unwrap();
    writer.maintain(&never).unwrap();
    assert_eq!(before.state(), &state);
    assert_eq!(answers(&before, &queries, 72), found);
    let after = Index::open(dir.path()).unwrap();
    let found = answers(&after, &queries, 72);
    assert!(found.iter().any(|(_, path, ..)| path == "videos/0013.mp4"));
    assert!(found.iter().all(|(_, path, ..)| path != "videos/0003.mp4"));
    assert_ne!(after.state().root, state.root);
}

#[test]
fn a_removed_video_is_gone_and_may_come_back() {
    let dir = TempDir::new().unwrap();
    build(dir.path(), 0..2, 10);
    let mut writer = Writer::open_or_create(dir.path(), CONFIG).unwrap();
    assert_eq!(writer.remove("nothing like that").unwrap(), 0);
    assert_eq!(writer.remove("https://example.org/v/0").unwrap(), 1);
    assert_eq!(writer.remove("https://example.org/v/0").unwrap(), 0);
    assert!(!writer.contains(&video(0).sha256));
    writer.add(video(5), runs(5, 3)).unwrap();
    writer.add(video(6), runs(6, 4)).unwrap();
    assert_eq!(writer.remove("videos/0005.mp4").unwrap(), 1);
    assert_eq!((writer.pending(), writer.pending_keys()), (1, 4));
    let state = writer.commit().unwrap();
    assert_eq!((state.videos, state.tombstones, state.keys), (2, 1, 14));
    let index = Index::open(dir.path()).unwrap();
    assert!(index.find("https://example.org/v/0").is_empty());
    let key = runs(0, 10)[4].key;
    assert!(answers(&index, &[key], 0).is_empty());
    assert_eq!(
        answers(&index, &[runs(6, 4)[1].key], 0)[0].1,
        "videos/0006.mp4"
    );
    assert!(writer.add(video(0), runs(0, 10)).unwrap());
    assert_eq!(writer.commit().unwrap().videos, 3);
    let index = Index::open(dir.path()).unwrap();
    assert_eq!(answers(&index, &[key], 0).len(), 1);
}

#[test]
fn merging_keeps_the_answers_and_deletes_what_is_no_longer_named() {
    let dir = TempDir::new().unwrap();
    build(dir.path(), 0..20, 30);
    let mut writer = Writer::open_or_create(dir.path(), CONFIG).unwrap();
    writer.remove("videos/0007.mp4").unwrap();
    writer.commit().unwrap();
    let queries: Vec<Key> = (0..20)
        .flat_map(|seed| runs(seed, 30))
        .map(|run| run.key)
        .collect();
    let before = answers(&Index::open(dir.path()).unwrap(), &queries, 100);
    fs::write(
        dir.path().join("segments/.writing-00000099.seg"),
        b"left by a crash",
    )
    .unwrap();
    fs::write(dir.path().join("segments/notes.txt"), b"somebody's own").unwrap();
    writer.maintain(&never).unwrap();
    let index = Index::open(dir.path()).unwrap();
    assert_eq!(answers(&index, &queries, 100), before);
    let state = index.state();
    assert_eq!((state.segments, state.tombstones, state.videos), (1, 0, 19));
    assert_eq!((state.keys, state.cells), (19 * 30, 1));
    let names: Vec<_> = files(dir.path())
        .into_iter()
        .map(|(path, _)| path)
        .collect();
    assert_eq!(names.len(), 4, "{names:?}");
    assert!(names.iter().any(|name| name.ends_with("notes.txt")));
}

#[test]
fn a_segment_of_removed_videos_only_disappears() {
    let dir = TempDir::new().unwrap();
    build(dir.path(), 0..2, 10);
    let mut writer = Writer::open_or_create(dir.path(), CONFIG).unwrap();
    writer.remove("videos/0000.mp4").unwrap();
    writer.maintain(&never).unwrap();
    let index = Index::open(dir.path()).unwrap();
    assert_eq!((index.state().segments, index.state().tombstones), (1, 0));
    assert_eq!(index.state().videos, 1);
}

#[test]
fn cancelling_maintenance_leaves_a_usable_index() {
    let dir = TempDir::new().unwrap();
    build(dir.path(), 0..12, 10);
    let mut writer = Writer::open_or_create(dir.path(), CONFIG).unwrap();
    for calls in 0..3u32 {
        let left = std::sync::atomic::AtomicU32::new(calls);
        let cancel = || {
            let count_down = |left: u32| Some(left.saturating_sub(1));
            left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count_down) == Ok(0)
        };
        let result = writer.maintain(&cancel);
        assert!(matches!(result, Err(Error::Cancelled)), "{calls}");
        assert_eq!(Index::open(dir.path()).unwrap().state().videos, 12);
    }
    writer.maintain(&never).unwrap();
    assert_eq!(Index::open(dir.path()).unwrap().state().segments, 1);
}

#[test]
fn a_second_writer_is_locked_out_until_the_first_is_dropped() {
    let dir = TempDir::new().unwrap();
    let first = Writer::open_or_create(dir.path(), CONFIG).unwrap();
    match Writer::open_or_create(dir.path(), CONFIG) {
        Err(Error::Locked { owner, .. }) => assert_eq!(owner, Some(std::process::id())),
        other => panic!("{other:?}"),
    }
    drop(first);
    Writer::open_or_create(dir.path(), CONFIG).unwrap();
}

#[test]
fn the_lock_of_a_dead_process_is_taken_over() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("lock"), "4194304\n").unwrap();
    let mut writer = Writer::open_or_create(dir.path(), CONFIG).unwrap();
    assert_eq!(writer.commit().unwrap().generation, 1);
}

/// The command `flock` of util-linux plays another process.
#[cfg(target_os = "linux")]
#[test]
fn another_process_locks_out_and_its_death_lets_in() {
    let dir = TempDir::new().unwrap();
    let mut other = std::process::Command::new("flock")
        .arg("--no-fork")
        .arg(dir.path().join("lock"))
        .args(["sleep", "60"])
        .spawn()
        .unwrap();
    let mut refused = false;
    for _ in 0..500 {
        std::thread::sleep(Duration::from_millis(10));
        if matches!(
            Writer::open_or_create(dir.path(), CONFIG),
            Err(Error::Locked { .. })
        ) {
            refused = true;
            break;
        }
    }
    other.kill().unwrap();
    other.wait().unwrap();
    assert!(refused);
    Writer::open_or_create(dir.path(), CONFIG).unwrap();
}

#[test]
fn readers_and_a_merging_writer_do_not_disturb_each_other() {
    let dir = TempDir::new().unwrap();
    build(dir.path(), 0..1, 5);
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut opened = 0;
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                let index = Index::open(dir.path()).unwrap();
                let key = runs(0, 5)[2].key;
                assert_eq!(answers(&index, &[key], 10).len(), 1);
                opened += 1;
            }
            opened
        });
        let mut writer = Writer::open_or_create(dir.path(), CONFIG).unwrap();
        for seed in 1..60 {
            writer.add(video(seed), runs(seed, 5)).unwrap();
            writer.maintain(&never).unwrap();
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(reader.join().unwrap() > 0);
    });
    assert_eq!(Index::open(dir.path()).unwrap().state().videos, 60);
}
