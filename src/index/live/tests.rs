#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::index::Writer;
use crate::index::faults::{CONFIG, runs, video};

/// An index with one source, and a handle that looks at every call.
fn one_source() -> (tempfile::TempDir, Live) {
    let dir = tempfile::tempdir().unwrap();
    add(dir.path(), &[1]);
    let live = Live::open(dir.path())
        .unwrap()
        .looking_every(Duration::ZERO);
    (dir, live)
}

fn add(dir: &Path, seeds: &[u8]) {
    let mut writer = Writer::open_or_create(dir, CONFIG).unwrap();
    for &seed in seeds {
        writer.add(video(seed), runs(seed)).unwrap();
    }
    writer.commit().unwrap();
}

fn remove(dir: &Path, path: &str) {
    let mut writer = Writer::open(dir).unwrap();
    writer.remove(path).unwrap();
    writer.commit().unwrap();
}

fn held(index: &Index) -> Vec<u8> {
    index.videos().map(|(_, video)| video.sha256[0]).collect()
}

/// Finds each source by its keys, which proves that reused segments are whole.
fn is_whole(index: &Index) -> bool {
    index
        .videos()
        .all(|(reference, video)| index.runs(reference).unwrap() == runs(video.sha256[0]))
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

fn replace(dir: &Path, by: &Path) {
    // Anything or nothing may be there.
    let _ = fs::remove_dir_all(dir).or_else(|_| fs::remove_file(dir));
    copy(by, dir);
}

#[test]
fn an_index_that_is_not_there_cannot_be_opened() {
    let dir = tempfile::tempdir().unwrap();
    let nothing = dir.path().join("nothing");
    assert!(
        matches!(Live::open(&nothing).unwrap_err(), Error::NoIndex { path } if path == nothing)
    );
}

#[test]
fn what_is_added_and_removed_is_seen_and_snapshots_stay() {
    let (dir, live) = one_source();
    let first = live.current().unwrap();
    assert!(
        Arc::ptr_eq(&first, &live.current().unwrap()),
        "nothing has changed, and it was opened again"
    );
    add(dir.path(), &[2, 3]);
    let second = live.current().unwrap();
    assert_eq!(held(&second), [1, 2, 3]);
    remove(dir.path(), "1.mp4");
    let third = live.current().unwrap();
    assert_eq!(held(&third), [2, 3]);
    // A merge deletes the files of older commits.
    Writer::open(dir.path())
        .unwrap()
        .compact(&|| false)
        .unwrap();
    let fourth = live.current().unwrap();
    assert!(fourth.state().generation > third.state().generation);
    assert_eq!(
        (held(&first), held(&second), held(&third), held(&fourth)),
        (vec![1], vec![1, 2, 3], vec![2, 3], vec![2, 3])
    );
    assert!(
        [&first, &second, &third, &fourth]
            .into_iter()
            .all(|index| is_whole(index))
    );
}

#[test]
fn segments_that_are_open_are_not_opened_again() {
    let (dir, live) = one_source();
    let first = live.current().unwrap();
    add(dir.path(), &[2]);
    let second = live.current().unwrap();
    let same = second
        .segments
        .iter()
        .filter(|live| Arc::ptr_eq(&live.segment, &first.segments[0].segment))
        .count();
    assert_eq!((same, second.segments.len()), (1, 2));
}

#[test]
fn it_is_looked_at_only_so_often() {
    let (dir, live) = one_source();
    let live = live.looking_every(Duration::from_secs(3600));
    add(dir.path(), &[2]);
    assert_eq!(held(&live.current().unwrap()), [1]);
    let live = live.looking_every(Duration::ZERO);
    assert_eq!(held(&live.current().unwrap()), [1, 2]);
}

#[test]
fn an_index_that_grows_is_read_by_several_threads_and_never_goes_back() {
    let (dir, live) = one_source();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let (mut last, mut states) = (0, 0);
                    while !done.load(Ordering::Acquire) {
                        let index = live.current().unwrap();
                        let generation = index.state().generation;
                        assert!(generation >= last);
                        assert!(is_whole(&index));
                        states += u32::from(generation > last);
                        last = generation;
                    }
                    states
                })
            })
            .collect();
        for seed in 2..30 {
            add(dir.path(), &[seed]);
            if seed % 5 == 0 {
                remove(dir.path(), &format!("{seed}.mp4"));
                Writer::open(dir.path())
                    .unwrap()
                    .maintain(&|| false)
                    .unwrap();
            }
        }
        done.store(true, Ordering::Release);
        let states: u32 = readers
            .into_iter()
            .map(|reader| reader.join().unwrap())
            .sum();
        assert!(states > 4, "only {states} states were seen");
    });
    assert_eq!(live.current().unwrap().state().videos, 24);
}

#[test]
fn while_one_thread_opens_others_go_on_with_what_they_have() {
    let (dir, live) = one_source();
    add(dir.path(), &[2]);
    let opening = live.looking.lock().unwrap();
    assert_eq!(held(&live.current().unwrap()), [1]);
    drop(opening);
    assert_eq!(held(&live.current().unwrap()), [1, 2]);
}

/// Opens a handle on an index of two commits, applies `harm` to the folder, and returns the error.
/// The error must stay the same until the folder is restored.
fn refused(harm: impl Fn(&Path)) -> Error {
    let (dir, live) = one_source();
    add(dir.path(), &[2]);
    let before = live.current().unwrap();
    let kept = tempfile::tempdir().unwrap();
    copy(dir.path(), kept.path());
    harm(dir.path());
    let error = live.current().unwrap_err();
    for _ in 0..3 {
        assert_eq!(live.current().unwrap_err().to_string(), error.to_string());
        // A recent look does not count any more either.
        assert!(live.seen().is_refused);
    }
    assert!(
        error.to_string().contains(&*dir.path().to_string_lossy()),
        "{error}"
    );
    assert_eq!(
        (held(&before), held(&live.last()), is_whole(&before)),
        (vec![1, 2], vec![1, 2], true)
    );
    replace(dir.path(), kept.path());
    let healed = live.current().unwrap();
    assert_eq!((held(&healed), is_whole(&healed)), (vec![1, 2], true));
    add(dir.path(), &[9]);
    assert_eq!(held(&live.current().unwrap()), [1, 2, 9]);
    error
}

#[test]
fn an_older_state_that_was_put_back_is_told() {
    let old = tempfile::tempdir().unwrap();
    let (dir, live) = one_source();
    copy(dir.path(), old.path());
    add(dir.path(), &[2]);
    live.current().unwrap();
    // The manifest alone is put back; the note reveals it.
    fs::copy(old.path().join("manifest"), dir.path().join("manifest")).unwrap();
    let error = live.current().unwrap_err();
    assert!(
        matches!(
            error,
            Error::CorruptIndex {
                what: "generation",
                ..
            }
        ),
        "{error}"
    );
    // Everything is put back; only a handle that has seen more can tell.
    replace(dir.path(), old.path());
    assert!(Index::open(dir.path()).is_ok());
    let error = live.current().unwrap_err().to_string();
    assert!(
        error.contains("generation is 1, expected at least 2"),
        "{error}"
    );
    // As many commits as before, but other ones.
    add(dir.path(), &[3]);
    let error = live.current().unwrap_err().to_string();
    assert!(
        error.contains("of commit 2, which was there before"),
        "{error}"
    );
    add(dir.path(), &[4]);
    let error = live.current().unwrap_err().to_string();
    assert!(
        error.contains("of commit 2, which was there before"),
        "{error}"
    );
    assert_eq!(held(&live.accept().unwrap()), [1, 3, 4]);
    assert_eq!(held(&live.current().unwrap()), [1, 3, 4]);
}

#[test]
fn another_index_in_its_place_is_told_however_many_commits_it_has() {
    for commits in 1..5 {
        let other = tempfile::tempdir().unwrap();
        for seed in 0..commits {
            add(other.path(), &[100 + seed]);
        }
        let error = refused(|dir| replace(dir, other.path()));
        assert!(matches!(error, Error::UnexpectedIndex { .. }), "{error}");
    }
}

#[test]
fn what_is_gone_is_told() {
    let error = refused(|dir| fs::remove_dir_all(dir).unwrap());
    assert!(matches!(error, Error::NoIndex { .. }), "{error}");
    let error = refused(|dir| fs::remove_file(dir.join("manifest")).unwrap());
    assert!(error.to_string().contains("file is missing"), "{error}");
    let error = refused(|dir| {
        fs::remove_dir_all(dir).unwrap();
        fs::write(dir, "a file").unwrap();
    });
    assert!(
        matches!(error, Error::Io { .. } | Error::NoIndex { .. }),
        "{error}"
    );
    let error = refused(|dir| {
        fs::remove_file(dir.join("manifest")).unwrap();
        fs::create_dir(dir.join("manifest")).unwrap();
    });
    assert!(matches!(error, Error::Io { .. }), "{error}");
}

#[test]
fn a_damaged_manifest_is_told_whichever_byte_it_is() {
    let (dir, live) = one_source();
    let path = dir.path().join("manifest");
    let bytes = fs::read(&path).unwrap();
    for at in (0..bytes.len()).step_by(7) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        fs::write(&path, damaged).unwrap();
        assert!(live.current().is_err(), "byte {at}");
    }
    fs::write(&path, &bytes).unwrap();
    assert_eq!(held(&live.current().unwrap()), [1]);
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    assert!(live.current().is_err());
}

#[test]
fn a_commit_whose_files_are_damaged_is_told() {
    let (dir, live) = one_source();
    add(dir.path(), &[2]);
    let newest = fs::read_dir(dir.path().join("segments"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .max()
        .unwrap();
    let bytes = fs::read(&newest).unwrap();
    fs::write(&newest, &bytes[..bytes.len() - 1]).unwrap();
    let error = live.current().unwrap_err();
    assert!(
        matches!(&error, Error::CorruptIndex { path, .. } if *path == newest),
        "{error}"
    );
    fs::remove_file(&newest).unwrap();
    assert!(live.current().is_err());
    fs::write(&newest, &bytes).unwrap();
    assert_eq!(held(&live.current().unwrap()), [1, 2]);
}

#[test]
fn a_history_that_does_not_lead_here_is_told() {
    let error = refused(|dir| {
        add(dir, &[5]);
        let path = crate::index::history::path(dir);
        let mut bytes = fs::read(&path).unwrap();
        let last = bytes.len() - 20;
        bytes[last] ^= 1;
        fs::write(&path, bytes).unwrap();
    });
    assert!(matches!(error, Error::CorruptIndex { .. }), "{error}");
}
