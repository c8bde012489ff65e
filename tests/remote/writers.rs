//! Of several simultaneous pushes one wins, and nothing stored is ever lost.

use std::sync::Mutex;
use std::time::Duration;

use tempfile::TempDir;
use uniq::index::Index;
use uniq::remote::{self, Cache, OpenOptions, Progress, Prune, PushOptions, Watch};

use crate::made::{
    Place, ROOM, add, assert_same, assert_whole, by, code, copy, merge, places, root, text,
};

/// Pushes, and runs something else after the newest commit was looked up and before the push makes
/// its own.
fn push_while(
    place: &Place,
    dir: &std::path::Path,
    host: &str,
    other: impl FnOnce() + Send,
) -> uniq::Result<()> {
    let other = Mutex::new(Some(other));
    let progress = |_: Progress| {
        if let Some(other) = other.lock().unwrap().take() {
            other();
        }
    };
    let watch = Watch {
        cancel: &|| false,
        progress: Some(&progress),
    };
    remote::push(&place.store(), dir, &by(host), watch).map(drop)
}

#[test]
fn what_is_pushed_is_what_others_open_and_only_what_is_new_is_sent() {
    for place in places() {
        let dir = TempDir::new().unwrap();
        add(dir.path(), 0..3, 40);
        let pushed = place.push(dir.path()).unwrap();
        assert!(pushed.committed);
        assert_eq!(
            (pushed.generation, pushed.files, pushed.already_there),
            (3, 3, 0)
        );
        let (_cache, snapshot) = place.open_elsewhere().unwrap();
        assert_same(dir.path(), snapshot.dir());
        let again = place.push(dir.path()).unwrap();
        assert!(!again.committed);
        assert_eq!((again.files, again.bytes, again.already_there), (0, 0, 3));
        add(dir.path(), 3..4, 40);
        let pushed = place.push(dir.path()).unwrap();
        assert_eq!(
            (pushed.generation, pushed.files, pushed.already_there),
            (4, 1, 3)
        );
        // The first push brought the generations up to the third.
        assert_eq!(
            place.list("manifests"),
            [
                "manifests/00000000000000000001",
                "manifests/00000000000000000004"
            ]
        );
        let (_cache, snapshot) = place.open_elsewhere().unwrap();
        assert_same(dir.path(), snapshot.dir());
        assert_eq!(
            snapshot.index().unwrap().history().unwrap(),
            Index::open(dir.path()).unwrap().history().unwrap()
        );
    }
}

#[test]
fn a_commit_says_who_made_it_and_names_its_files_by_their_content() {
    for place in places() {
        let dir = TempDir::new().unwrap();
        add(dir.path(), 0..2, 20);
        place.push(dir.path()).unwrap();
        let bytes = place.read("manifests/00000000000000000001");
        let end = bytes.iter().position(|byte| *byte == b'\n').unwrap();
        let head: serde_json::Value = serde_json::from_slice(&bytes[..end]).unwrap();
        assert_eq!(head["host"], "writer");
        assert_eq!(
            (&head["process"], &head["generation"]),
            (&7.into(), &2.into())
        );
        assert_eq!(head["pushed_at"], "2023-11-14T22:13:20Z");
        assert_eq!(
            &bytes[end + 1..],
            std::fs::read(dir.path().join("manifest")).unwrap()
        );
        for name in place.list("segments") {
            use sha2::Digest as _;
            let digest: String = sha2::Sha256::digest(place.read(&name))
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            assert!(name.ends_with(&format!("-{digest}.seg")), "{name}");
        }
        assert_eq!(place.list("history").len(), 1);
    }
}

#[test]
fn of_two_that_push_from_the_same_state_the_second_is_told_who_won() {
    for place in places() {
        let ours = TempDir::new().unwrap();
        add(ours.path(), 0..2, 20);
        place.push(ours.path()).unwrap();
        let theirs = copy(ours.path());
        // They are two commits ahead, we are one. The generations differ, but there is still only
        // one winner.
        add(ours.path(), 10..11, 20);
        add(theirs.path(), 20..22, 20);
        let lost = push_while(&place, ours.path(), "slow", || {
            remote::push(&place.store(), theirs.path(), &by("quick"), Watch::none()).unwrap();
        });
        assert_eq!(code(&lost), "store_conflict");
        let said = text(&lost);
        for part in [
            "quick (process 7",
            "2023-11-14T22:13:20Z",
            "generation 4",
            "uniq index pull",
            "merge --from",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
        let (_cache, snapshot) = place.open_elsewhere().unwrap();
        assert_same(theirs.path(), snapshot.dir());
        // Also if it comes later.
        let refused = place.push(ours.path());
        assert_eq!(code(&refused), "not_descended");
        assert!(
            text(&refused).contains("quick (process 7"),
            "{}",
            text(&refused)
        );
        // The advice in its message works.
        let fresh = TempDir::new().unwrap();
        remote::pull(&place.store(), fresh.path(), Watch::none()).unwrap();
        add(fresh.path(), 10..11, 20);
        assert!(place.push(fresh.path()).unwrap().committed);
        let (_cache, snapshot) = place.open_elsewhere().unwrap();
        assert_eq!(snapshot.index().unwrap().state().videos, 5);
        assert_whole(snapshot.dir());
    }
}

#[test]
fn one_of_those_who_really_push_at_once_wins() {
    for place in places() {
        let base = TempDir::new().unwrap();
        add(base.path(), 0..1, 20);
        place.push(base.path()).unwrap();
        for round in 0..5 {
            let dirs: Vec<TempDir> = (0..3).map(|_| TempDir::new().unwrap()).collect();
            for (number, dir) in dirs.iter().enumerate() {
                remote::pull(&place.store(), dir.path(), Watch::none()).unwrap();
                let seed = 100 + 10 * round + 3 * number as u64;
                add(dir.path(), seed..=seed + number as u64 % 2, 20);
            }
            let results: Vec<uniq::Result<bool>> = std::thread::scope(|scope| {
                let pushes: Vec<_> = dirs
                    .iter()
                    .map(|dir| {
                        scope.spawn(|| place.push(dir.path()).map(|pushed| pushed.committed))
                    })
                    .collect();
                pushes
                    .into_iter()
                    .map(|push| push.join().unwrap())
                    .collect()
            });
            let winners: Vec<usize> = (0..3)
                .filter(|&number| matches!(results[number], Ok(true)))
                .collect();
            assert_eq!(winners.len(), 1, "{results:?}");
            let lost = results.iter().filter(|result| result.is_err());
            assert!(lost.clone().all(|result| {
                ["store_conflict", "not_descended"].contains(&code(result).as_str())
            }));
            assert_eq!(lost.count(), 2, "{results:?}");
            let (_cache, snapshot) = place.open_elsewhere().unwrap();
            assert_same(dirs[winners[0]].path(), snapshot.dir());
        }
    }
}

#[test]
fn a_push_whose_name_was_taken_and_deleted_meanwhile_loses_too() {
    for place in places() {
        let ours = TempDir::new().unwrap();
        add(ours.path(), 0..1, 20);
        place.push(ours.path()).unwrap();
        let theirs = copy(ours.path());
        add(ours.path(), 10..11, 20);
        let lost = push_while(&place, ours.path(), "slow", || {
            let options = PushOptions {
                prune: Some(Prune {
                    keep: 1,
                    age_min: Duration::ZERO,
                }),
                ..by("quick")
            };
            for seed in 20..22 {
                add(theirs.path(), seed..seed + 1, 20);
                remote::push(&place.store(), theirs.path(), &options, Watch::none()).unwrap();
            }
            assert_eq!(place.list("manifests"), ["manifests/00000000000000000003"]);
        });
        assert_eq!(code(&lost), "store_conflict", "{lost:?}");
        assert_eq!(place.list("manifests"), ["manifests/00000000000000000003"]);
        let (_cache, snapshot) = place.open_elsewhere().unwrap();
        assert_same(theirs.path(), snapshot.dir());
    }
}

#[test]
fn an_index_that_did_not_grow_from_what_is_there_is_refused_and_changes_nothing() {
    for place in places() {
        let dir = TempDir::new().unwrap();
        add(dir.path(), 0..3, 20);
        let early = copy(dir.path());
        add(dir.path(), 3..4, 20);
        place.push(dir.path()).unwrap();
        let before = place.objects();
        // An older state.
        let behind = place.push(early.path());
        assert_eq!(code(&behind), "not_descended");
        assert!(
            text(&behind).contains("the store is ahead")
                && text(&behind).contains("uniq index pull")
        );
        // A different index with more commits.
        let other = TempDir::new().unwrap();
        add(other.path(), 50..58, 20);
        let refused = place.push(other.path());
        assert_eq!(code(&refused), "not_descended");
        assert_eq!(place.objects(), before);
        assert_eq!(code(&place.push(&dir.path().join("none"))), "no_index");
        assert!(!dir.path().join("none").exists());
    }
}

#[test]
fn a_damaged_file_is_not_pushed() {
    for place in places() {
        let dir = TempDir::new().unwrap();
        add(dir.path(), 0..2, 400);
        let segment = dir.path().join("segments/00000001.seg");
        let mut bytes = std::fs::read(&segment).unwrap();
        bytes[9_000] ^= 1;
        std::fs::write(&segment, bytes).unwrap();
        let refused = place.push(dir.path());
        assert_eq!(code(&refused), "corrupt_index");
        assert!(
            text(&refused).contains("00000001.seg"),
            "{}",
            text(&refused)
        );
        assert_eq!(place.list("manifests"), [""; 0]);
        assert_eq!(code(&place.open_elsewhere()), "no_remote_index");
    }
}

#[test]
fn pruning_keeps_what_the_last_commits_name_and_what_is_young() {
    for place in places() {
        let dir = TempDir::new().unwrap();
        let prune = |keep, age_min| {
            let options = PushOptions {
                prune: Some(Prune { keep, age_min }),
                ..by("writer")
            };
            remote::push(&place.store(), dir.path(), &options, Watch::none())
                .unwrap()
                .pruned
        };
        for seed in 0..6 {
            add(dir.path(), seed..seed + 1, 20);
            assert_eq!(prune(2, Duration::from_secs(3600)), 0, "all is young");
        }
        merge(dir.path());
        place.push(dir.path()).unwrap();
        assert_eq!(place.list("manifests").len(), 7);
        // The last two are the merged one and the one with six segments.
        let before = place.objects().len();
        assert_eq!(
            prune(2, Duration::ZERO),
            9,
            "five commits and their histories, of which the first has none"
        );
        assert_eq!(place.objects().len(), before - 9, "{:?}", place.objects());
    }
}

#[test]
fn a_reader_that_is_overtaken_by_pruning_goes_on_with_the_newest() {
    for place in places() {
        let dir = TempDir::new().unwrap();
        add(dir.path(), 0..3, 40);
        place.push(dir.path()).unwrap();
        let once = Mutex::new(true);
        let progress = |_: Progress| {
            if std::mem::take(&mut *once.lock().unwrap()) {
                merge(dir.path());
                let options = PushOptions {
                    prune: Some(Prune {
                        keep: 1,
                        age_min: Duration::ZERO,
                    }),
                    ..by("writer")
                };
                remote::push(&place.store(), dir.path(), &options, Watch::none()).unwrap();
            }
        };
        let cache = TempDir::new().unwrap();
        let watch = Watch {
            cancel: &|| false,
            progress: Some(&progress),
        };
        let opened = remote::open(
            &place.store(),
            &Cache::new(cache.path(), ROOM),
            OpenOptions::default(),
            watch,
        );
        let snapshot = opened.unwrap();
        assert_eq!(snapshot.root(), root(dir.path()));
        assert_same(dir.path(), snapshot.dir());
    }
}
