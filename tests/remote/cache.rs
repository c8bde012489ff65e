//! The cache: damage is noticed, open files stay, and processes share it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tempfile::TempDir;
use uniq::remote::{self, Cache, OpenOptions, Progress, Stage, Watch};

use crate::made::{Place, ROOM, add, assert_same, assert_whole, code, files, merge, places, root};

fn open_with(
    place: &Place,
    cache: &Path,
    room: u64,
    verify: bool,
) -> uniq::Result<remote::Snapshot> {
    remote::open(
        &place.store(),
        &Cache::new(cache, room),
        OpenOptions { verify },
        Watch::none(),
    )
}

/// Changes a byte in the middle of a file. If it `hides`, the file's time is restored.
fn spoil(path: &Path, hides: bool) {
    let time = fs::metadata(path).unwrap().modified().unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
    if hides {
        fs::File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_modified(time)
            .unwrap();
    }
}

/// Bytes of all files, each counted once.
fn taken(cache: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let mut files: Vec<(u64, u64)> = files(cache, "")
        .iter()
        .map(|path| fs::metadata(path).unwrap())
        .map(|metadata| (metadata.ino(), metadata.len()))
        .collect();
    files.sort();
    files.dedup();
    files.iter().map(|(_, length)| length).sum()
}

#[test]
fn a_damaged_file_in_the_cache_is_thrown_away_and_fetched_again() {
    for place in places() {
        let (dir, cache) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        add(dir.path(), 0..3, 300);
        place.push(dir.path()).unwrap();
        assert_eq!(place.open(cache.path()).unwrap().fetched().0, 3);
        assert_eq!(place.open(cache.path()).unwrap().fetched().0, 0);
        let blobs = files(cache.path(), "/blobs/");
        assert_eq!(blobs.len(), 3);
        spoil(&blobs[1], false);
        let snapshot = place.open(cache.path()).unwrap();
        assert_eq!(snapshot.fetched().0, 1);
        assert_same(dir.path(), snapshot.dir());
        drop(snapshot);
        // Damage without a trace is noticed when the file is read as a whole,
        spoil(&files(cache.path(), "/blobs/")[2], true);
        let snapshot = open_with(&place, cache.path(), ROOM, true).unwrap();
        assert_eq!(snapshot.fetched().0, 1);
        assert_same(dir.path(), snapshot.dir());
        drop(snapshot);
        // and when the file is linked into the next snapshot.
        spoil(&files(cache.path(), "/blobs/")[0], true);
        add(dir.path(), 3..4, 300);
        place.push(dir.path()).unwrap();
        let snapshot = place.open(cache.path()).unwrap();
        assert_eq!(snapshot.fetched().0, 2);
        assert_same(dir.path(), snapshot.dir());
    }
}

#[test]
fn a_snapshot_that_was_written_to_or_lost_files_is_put_right() {
    for place in places() {
        let (dir, cache) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        add(dir.path(), 0..3, 50);
        place.push(dir.path()).unwrap();
        let snapshot = place.open(cache.path()).unwrap().dir().to_owned();
        // Somebody keeps his own files in the cache's folder.
        add(&snapshot, 9..10, 50);
        assert_ne!(root(&snapshot), root(dir.path()));
        assert_eq!(
            root(place.open(cache.path()).unwrap().dir()),
            root(dir.path())
        );
        fs::remove_file(snapshot.join("segments/00000002.seg")).unwrap();
        assert_eq!(
            place.open(cache.path()).unwrap().fetched().0,
            0,
            "the cache has it"
        );
        for lost in ["manifest", "history", "verified"] {
            fs::remove_file(snapshot.join(lost)).unwrap();
            assert_same(dir.path(), place.open(cache.path()).unwrap().dir());
        }
        fs::remove_dir_all(cache.path().join("blobs")).unwrap();
        assert_same(dir.path(), place.open(cache.path()).unwrap().dir());
        fs::remove_file(snapshot.join("segments/00000001.seg")).unwrap();
        assert_eq!(place.open(cache.path()).unwrap().fetched().0, 1);
    }
}

#[test]
fn a_small_cache_lets_go_of_what_was_used_longest_ago_and_never_of_what_is_open() {
    for place in places() {
        let (dir, cache) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        // Each merge makes another file of everything.
        add(dir.path(), 0..2, 2_000);
        merge(dir.path());
        place.push(dir.path()).unwrap();
        let first = open_with(&place, cache.path(), ROOM, false).unwrap();
        let room = 2 * taken(cache.path()) + taken(cache.path()) / 2;
        let (first_dir, first_root) = (first.dir().to_owned(), first.root().to_owned());
        drop(first);
        let push_merged = |seed: u64| {
            add(dir.path(), seed..seed + 1, 20);
            merge(dir.path());
            place.push(dir.path()).unwrap();
        };
        push_merged(10);
        let second = open_with(&place, cache.path(), room, false).unwrap();
        assert!(first_dir.join("manifest").exists(), "there is room for two");
        push_merged(11);
        let third = open_with(&place, cache.path(), room, false).unwrap();
        assert!(!first_dir.exists(), "the first was used longest ago");
        assert!(
            taken(cache.path()) <= room,
            "{} of {room}",
            taken(cache.path())
        );
        assert_whole(second.dir());
        assert_whole(third.dir());
        // Both are open, so there is no room for another one, and neither is touched.
        push_merged(12);
        let full = open_with(&place, cache.path(), room, false);
        assert_eq!(code(&full), "cache_full");
        assert_whole(second.dir());
        assert_whole(third.dir());
        drop(second);
        let fourth = open_with(&place, cache.path(), room, false).unwrap();
        assert_same(dir.path(), fourth.dir());
        assert_whole(third.dir());
        assert!(
            taken(cache.path()) <= room,
            "{} of {room}",
            taken(cache.path())
        );
        assert_ne!(fourth.root(), first_root);
        // A file that can never fit evicts nothing.
        let before = files(cache.path(), "/blobs/");
        let small = TempDir::new().unwrap();
        assert_eq!(
            code(&open_with(&place, small.path(), 1_000, false)),
            "cache_full"
        );
        assert_eq!(files(cache.path(), "/blobs/"), before);
    }
}

#[test]
fn threads_and_stores_share_a_cache() {
    for place in places() {
        let (dir, cache) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        add(dir.path(), 0..4, 200);
        place.push(dir.path()).unwrap();
        let fetched = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let snapshot = place.open(cache.path()).unwrap();
                    fetched.fetch_add(snapshot.fetched().0, Ordering::Relaxed);
                    assert_same(dir.path(), snapshot.dir());
                });
            }
        });
        assert_eq!(fetched.into_inner(), 4, "each file once");
        // The same files under another address are linked and not fetched.
        let address = format!("{}-copy", place.address());
        let other = remote::Store::open(&address, place.variables()).unwrap();
        remote::push(
            &other,
            dir.path(),
            &crate::made::by("writer"),
            Watch::none(),
        )
        .unwrap();
        let snapshot = remote::open(
            &other,
            &Cache::new(cache.path(), ROOM),
            OpenOptions::default(),
            Watch::none(),
        )
        .unwrap();
        assert_eq!(snapshot.fetched(), (0, 0));
        assert_same(dir.path(), snapshot.dir());
    }
}

#[test]
fn a_transfer_that_was_stopped_goes_on_where_it_was() {
    for place in places() {
        let (dir, cache) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        // More than a part of 16 MiB.
        add(dir.path(), 0..1, 500_000);
        add(dir.path(), 1..6, 50);
        assert!(
            fs::metadata(dir.path().join("segments/00000001.seg"))
                .unwrap()
                .len()
                > 32 << 20
        );
        let stop = AtomicBool::new(false);
        let reached = AtomicU64::new(0);
        let after = |stage: Stage, bytes: u64| {
            let (stop, reached) = (&stop, &reached);
            stop.store(false, Ordering::Relaxed);
            move |at: Progress| {
                reached.store(at.done, Ordering::Relaxed);
                if at.stage == stage && at.done >= bytes {
                    stop.store(true, Ordering::Relaxed);
                }
            }
        };
        let cancel = || stop.load(Ordering::Relaxed);
        let progress = after(Stage::Sending, 1);
        let watch = Watch {
            cancel: &cancel,
            progress: Some(&progress),
        };
        let stopped = remote::push(
            &place.store(),
            dir.path(),
            &crate::made::by("writer"),
            watch,
        );
        assert_eq!(code(&stopped), "cancelled");
        assert_eq!(code(&place.open_elsewhere()), "no_remote_index");
        let sent = place.list("segments").len() as u64;
        let pushed = place.push(dir.path()).unwrap();
        assert!(sent > 0, "what was sent before it was stopped stays");
        assert_eq!((pushed.files, pushed.already_there), (6 - sent, sent));

        let progress = after(Stage::Receiving, 16 << 20);
        let watch = Watch {
            cancel: &cancel,
            progress: Some(&progress),
        };
        let store = place.store();
        let cached = Cache::new(cache.path(), ROOM);
        let stopped = remote::open(&store, &cached, OpenOptions::default(), watch);
        assert_eq!(code(&stopped), "cancelled");
        let part: u64 = files(cache.path(), ".part")
            .iter()
            .map(|path| fs::metadata(path).unwrap().len())
            .sum();
        assert!(part >= 16 << 20, "{part}");
        let snapshot =
            remote::open(&store, &cached, OpenOptions::default(), Watch::none()).unwrap();
        assert_same(dir.path(), snapshot.dir());

        // Damage to a partly fetched file is no reason to fail.
        let folder = TempDir::new().unwrap();
        let progress = after(Stage::Receiving, 16 << 20);
        let watch = Watch {
            cancel: &cancel,
            progress: Some(&progress),
        };
        assert_eq!(
            code(&remote::pull(&store, folder.path(), watch)),
            "cancelled"
        );
        let drafts = files(folder.path(), ".writing-00000001.seg");
        spoil(&drafts[0], false);
        remote::pull(&store, folder.path(), Watch::none()).unwrap();
        assert_same(dir.path(), folder.path());
    }
}
