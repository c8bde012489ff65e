#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use super::*;
use crate::index::faults::{CONFIG, FAULTS, Fault, Faulty, runs, video};
use crate::index::merkle;
use crate::index::storage::Disk;
use crate::index::{Index, Writer, verify};

fn leaf(generation: u64) -> Leaf {
    let hash = |seed: u8| {
        let mut hash = [seed; 32];
        hash[..8].copy_from_slice(&generation.to_le_bytes());
        hash
    };
    Leaf {
        generation,
        root: hash(1),
        sources_root: hash(2),
        allowlist_root: hash(3),
        committed_at: 1_700_000_000_000 + generation,
    }
}

fn empty(dir: &Path) -> History {
    History::load(dir, &Commitment::empty(), None).unwrap()
}

/// Writes a history of commits 1 to `commits`, and returns what the next manifest says of it.
fn write(dir: &Path, commits: u64) -> Commitment {
    let mut history = empty(dir);
    (1..=commits).fold(Commitment::empty(), |_, generation| {
        history.append(&unsynced(), &leaf(generation)).unwrap()
    })
}

fn corrupt(result: Result<History>) -> String {
    match result {
        Err(error @ (Error::CorruptIndex { .. } | Error::IncompatibleIndex { .. })) => {
            error.to_string()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_file_is_the_one_that_is_described() {
    let dir = tempfile::tempdir().unwrap();
    let mut history = empty(dir.path());
    let last = (1..=3)
        .map(|generation| history.append(&Disk, &leaf(generation)).unwrap())
        .last();
    let commitment = last.unwrap();
    let bytes = fs::read(path(dir.path())).unwrap();
    assert_eq!((bytes.len(), length(3)), (16 + 3 * 120, 16 + 3 * 120));
    assert_eq!(bytes[..8], *b"uniqHIST");
    let leaves: Vec<&[u8]> = bytes[16..]
        .chunks(120)
        .map(|record| &record[..112])
        .collect();
    for (number, (leaf, record)) in leaves.iter().zip(bytes[16..].chunks(120)).enumerate() {
        assert_eq!(leaf[..8], (number as u64 + 1).to_le_bytes());
        assert_eq!((leaf[16], leaf[48], leaf[80]), (1, 2, 3));
        assert_eq!(
            leaf[104..],
            (1_700_000_000_001 + number as u64).to_le_bytes()
        );
        assert_eq!(
            record[112..],
            xxhash_rust::xxh3::xxh3_64(leaf).to_le_bytes()
        );
    }
    assert_eq!(
        commitment,
        Commitment {
            leaves: 3,
            root: merkle::root(&leaves)
        }
    );
    let history = History::load(dir.path(), &commitment, Some(&leaf(4))).unwrap();
    assert_eq!(
        (history.leaves(), history.root()),
        (&[leaf(1), leaf(2), leaf(3)][..], commitment.root)
    );
}

#[test]
fn a_history_begins_with_whatever_commit_and_goes_on_one_by_one() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(
        History::load(dir.path(), &Commitment::empty(), Some(&leaf(41)))
            .unwrap()
            .leaves(),
        []
    );
    let mut history = empty(dir.path());
    let first = history.append(&unsynced(), &leaf(41)).unwrap();
    // A second attempt, after the manifest could not be written.
    assert_eq!(history.append(&unsynced(), &leaf(41)).unwrap(), first);
    assert_eq!(fs::metadata(path(dir.path())).unwrap().len(), length(1));
    for other in [0, 40, 43, 1 << 50] {
        assert!(
            history
                .append(&unsynced(), &leaf(other))
                .unwrap_err()
                .to_string()
                .contains("one more with each commit")
        );
    }
    let other = Leaf {
        root: [9; 32],
        ..leaf(41)
    };
    assert!(
        history.append(&unsynced(), &other).is_err(),
        "another commit of a number that is taken"
    );
    let second = history.append(&unsynced(), &leaf(42)).unwrap();
    assert_eq!(
        History::load(dir.path(), &second, Some(&leaf(43)))
            .unwrap()
            .leaves(),
        [leaf(41), leaf(42)]
    );
    for newest in [42, 44] {
        let error = corrupt(History::load(dir.path(), &second, Some(&leaf(newest))));
        assert!(error.contains("generation is"), "{error}");
    }
}

#[test]
fn every_flipped_byte_is_noticed_or_lies_beyond_what_is_promised() {
    let dir = tempfile::tempdir().unwrap();
    let promised = write(dir.path(), 3);
    let mut history = History::load(dir.path(), &promised, Some(&leaf(4))).unwrap();
    history.append(&unsynced(), &leaf(4)).unwrap();
    let file = path(dir.path());
    let whole = fs::read(&file).unwrap();
    let disk = fs::OpenOptions::new().write(true).open(&file).unwrap();
    for at in 0..whole.len() {
        for bits in [1, 0x80, 0xff] {
            disk.write_all_at(&[whole[at] ^ bits], at as u64).unwrap();
            let loaded = History::load(dir.path(), &promised, Some(&leaf(4)));
            if at < length(3) as usize {
                assert!(corrupt(loaded).starts_with(&*file.to_string_lossy()));
                disk.write_all_at(&whole[at..=at], at as u64).unwrap();
            } else {
                let mut history = loaded.unwrap();
                assert_eq!(history.leaves().len(), 3);
                history.append(&unsynced(), &leaf(4)).unwrap();
                assert_eq!(fs::read(&file).unwrap(), whole, "byte {at}");
            }
        }
    }
}

/// The disk without syncs, to save time.
fn unsynced() -> Faulty {
    Faulty::new(Fault::Fails, None)
}

#[test]
fn every_truncation_is_noticed_or_lies_beyond_what_is_promised() {
    let dir = tempfile::tempdir().unwrap();
    let promised = write(dir.path(), 2);
    let file = path(dir.path());
    let longer = write_longer(dir.path(), &promised);
    for kept in 0..=longer.len() {
        fs::remove_file(&file).unwrap();
        fs::write(&file, &longer[..kept]).unwrap();
        let loaded = History::load(dir.path(), &promised, Some(&leaf(3)));
        if (kept as u64) < length(2) {
            let error = corrupt(loaded);
            assert!(
                error.contains(&format!(
                    "length of the file is {kept}, expected at least 256"
                )),
                "{error}"
            );
        } else {
            loaded.unwrap().append(&unsynced(), &leaf(3)).unwrap();
            assert_eq!(fs::read(&file).unwrap(), longer, "{kept} bytes");
        }
    }
    fs::remove_file(&file).unwrap();
    assert!(
        corrupt(History::load(dir.path(), &promised, Some(&leaf(3)))).contains("file is missing")
    );
}

/// Appends the next leaf and returns the bytes.
fn write_longer(dir: &Path, promised: &Commitment) -> Vec<u8> {
    let newest = leaf(promised.leaves + 1);
    History::load(dir, promised, Some(&newest))
        .unwrap()
        .append(&unsynced(), &newest)
        .unwrap();
    fs::read(path(dir)).unwrap()
}

#[test]
fn what_a_power_failure_leaves_of_the_last_record_is_written_over() {
    let dir = tempfile::tempdir().unwrap();
    let promised = write(dir.path(), 2);
    let whole = write_longer(dir.path(), &promised);
    for torn in [[0; RECORD_LEN], [0xff; RECORD_LEN]] {
        let bytes = [&whole[..length(2) as usize], &torn].concat();
        fs::write(path(dir.path()), bytes).unwrap();
        assert_eq!(write_longer(dir.path(), &promised), whole);
    }
}

#[test]
fn another_or_longer_history_is_refused_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let two = write(dir.path(), 2);
    let file = path(dir.path());
    let bytes = fs::read(&file).unwrap();
    let record = |number: usize| &bytes[16 + 120 * number..][..120];

    // Whole records, but wrong ones: swapped, one replaced, others before and after.
    let other = Leaf {
        committed_at: 5,
        ..leaf(2)
    }
    .to_record();
    for records in [
        [record(1), record(0)],
        [record(0), &other],
        [&other, record(1)],
    ] {
        fs::write(&file, [&bytes[..16], records[0], records[1]].concat()).unwrap();
        corrupt(History::load(dir.path(), &two, Some(&leaf(3))));
    }
    let wrong = Commitment {
        root: [7; 32],
        ..two
    };
    fs::write(&file, &bytes).unwrap();
    assert!(
        corrupt(History::load(dir.path(), &wrong, Some(&leaf(3))))
            .contains("root of the history is")
    );

    // The manifest is older than the history, or another of the same number.
    let one = merkle::root(&[leaf(1).to_bytes()]);
    let one = Commitment {
        leaves: 1,
        root: one,
    };
    for (commitment, newest) in [
        (&Commitment::empty(), Some(leaf(1))),
        (&one, Some(other_root(2))),
        (&Commitment::empty(), None),
    ] {
        let error = corrupt(History::load(dir.path(), commitment, newest.as_ref()));
        assert!(
            error.contains("newest commit is") && error.contains("put the newest manifest back"),
            "{error}"
        );
    }
    // Garbage that no single append can leave.
    fs::write(&file, [&bytes[..], &[0; RECORD_LEN + 1]].concat()).unwrap();
    assert!(corrupt(History::load(dir.path(), &two, Some(&leaf(3)))).contains("newest commit is"));

    // A manifest that promises more leaves than can exist.
    let endless = Commitment {
        leaves: u64::MAX,
        root: [0; 32],
    };
    assert!(
        corrupt(History::load(dir.path(), &endless, Some(&leaf(3)))).contains("length of the file")
    );
}

fn other_root(generation: u64) -> Leaf {
    Leaf {
        root: [8; 32],
        ..leaf(generation)
    }
}

#[test]
fn a_history_that_is_cut_under_its_writer_is_not_filled_up() {
    let dir = tempfile::tempdir().unwrap();
    let two = write(dir.path(), 2);
    let mut history = History::load(dir.path(), &two, Some(&leaf(3))).unwrap();
    let file = fs::OpenOptions::new()
        .write(true)
        .open(path(dir.path()))
        .unwrap();
    file.set_len(100).unwrap();
    let error = history.append(&Disk, &leaf(3)).unwrap_err();
    assert!(
        std::error::Error::source(&error)
            .unwrap()
            .to_string()
            .contains("cut to 100 bytes"),
        "{error}"
    );
    assert_eq!(file.metadata().unwrap().len(), 100);
}

/// Otherwise a power failure could restore the previous manifest, which would find two leaves too
/// many.
#[test]
fn a_commit_is_durable_before_its_leaf_is_appended() {
    let dir = tempfile::tempdir().unwrap();
    let one = write(dir.path(), 1);
    let storage = Faulty::new(Fault::Fails, None);
    // The writer ended between renaming the manifest and syncing the folder.
    fs::write(dir.path().join(".writing-manifest"), "2").unwrap();
    storage
        .rename(
            &dir.path().join(".writing-manifest"),
            &dir.path().join("manifest"),
        )
        .unwrap();
    assert_eq!(storage.unsynced_names(), 1);
    let mut history = History::load(dir.path(), &one, Some(&leaf(2))).unwrap();
    history.append(&storage, &leaf(2)).unwrap();
    assert_eq!(storage.unsynced_names(), 0);
}

/// A manifest: generation and what it says of the history.
fn read_manifest(dir: &Path) -> Option<(u64, Commitment)> {
    let text = fs::read_to_string(dir.join("manifest")).ok()?;
    Some(serde_json::from_str(&text).unwrap())
}

/// Commits until something fails. Returns the newest manifest known to be durable, and whether
/// every commit succeeded.
fn commit_up_to(storage: &dyn Storage, dir: &Path, last: u64) -> (u64, bool) {
    let manifest = read_manifest(dir);
    let mut generation = manifest.map_or(0, |(generation, _)| generation);
    let commitment = manifest.map_or(Commitment::empty(), |(_, commitment)| commitment);
    let newest = (generation > 0).then(|| leaf(generation));
    let mut history = History::load(dir, &commitment, newest.as_ref()).unwrap();
    // The same writer retries a failed commit once.
    let mut failures = 0;
    while generation < last && failures < 2 {
        let commit = || {
            let commitment = match generation {
                0 => Commitment::empty(),
                newest => history.append(storage, &leaf(newest))?,
            };
            let mut draft = Draft::create(storage, &dir.join("manifest"))?;
            draft.write(&serde_json::to_vec(&(generation + 1, commitment)).unwrap())?;
            draft.publish()
        };
        let done: Result<()> = { commit }();
        match done {
            Ok(()) => generation += 1,
            Err(_) => failures += 1,
        }
    }
    (generation, generation == last)
}

#[test]
fn whichever_operation_fails_manifest_and_history_agree() {
    let commits = 5;
    let whole = Faulty::new(Fault::Fails, None);
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(commit_up_to(&whole, dir.path(), commits), (commits, true));
    let operations = whole.done();
    assert!(operations > 30, "{operations}");
    let mut torn = 0;
    for fault in FAULTS {
        for at in 0..operations {
            let case = format!("{fault:?} at operation {at}");
            let storage = Faulty::new(fault, Some(at));
            let dir = tempfile::tempdir().unwrap();
            let (durable, all) = commit_up_to(&storage, dir.path(), commits);
            assert_eq!(all, fault == Fault::Fails, "{case}");
            if matches!(fault, Fault::PowerLossOldNames | Fault::PowerLossNewNames) {
                storage.lose_power();
            }
            // The state is as before or as after, and commits can continue from it.
            if let Some((generation, commitment)) = read_manifest(dir.path()) {
                assert!(
                    generation == durable || generation == durable + 1,
                    "{case}: {generation} after {durable}"
                );
                let history =
                    History::load(dir.path(), &commitment, Some(&leaf(generation))).unwrap();
                assert_eq!(history.leaves().len() as u64, generation - 1, "{case}");
                let found = fs::metadata(path(dir.path())).map_or(length(0), |file| file.len());
                torn += u32::from(found > length(generation - 1) && found < length(generation));
            } else {
                assert_eq!(durable, 0, "{case}");
            }
            assert_eq!(
                commit_up_to(&unsynced(), dir.path(), commits + 2),
                (commits + 2, true),
                "{case}"
            );
            let (_, commitment) = read_manifest(dir.path()).unwrap();
            let expected: Vec<Leaf> = (1..commits + 2).map(leaf).collect();
            let history = History::load(dir.path(), &commitment, Some(&leaf(commits + 2))).unwrap();
            assert_eq!(history.leaves(), expected, "{case}");
        }
    }
    assert!(torn > 5, "{torn} records were torn");
}

#[test]
fn every_root_that_a_reader_may_have_seen_is_in_the_history() {
    let story = |storage: &Arc<Faulty>, dir: &Path| {
        let mut seen = Vec::new();
        let mut look = || {
            seen.extend(
                Index::open(dir)
                    .ok()
                    .map(|index| index.state().root.clone()),
            )
        };
        let open = || Writer::on(Arc::clone(storage) as Arc<dyn Storage>, dir, Some(CONFIG));
        // Opening creates folders, which may fail too.
        let mut writer = open().or_else(|_| open()).unwrap();
        for seed in 1..=3 {
            writer.add(video(seed), runs(seed)).unwrap();
            while writer.commit().is_err() {
                look();
            }
            look();
        }
        assert_eq!(writer.pending(), 0);
        drop(writer);
        let index = Index::open(dir).unwrap();
        assert_eq!(
            (
                index.state().videos,
                verify(dir, &|_, _| (), &|| false).unwrap().damage.len()
            ),
            (3, 0)
        );
        let kept: Vec<String> = index
            .history()
            .unwrap()
            .into_iter()
            .map(|commit| commit.root)
            .collect();
        assert!(
            seen.iter().all(|root| kept.contains(root)),
            "{seen:?} {kept:?}"
        );
        assert_eq!(kept.len() as u64, index.state().generation);
        seen.len()
    };
    let whole = Arc::new(Faulty::new(Fault::Fails, None));
    assert_eq!(story(&whole, tempfile::tempdir().unwrap().path()), 3);
    let mut seen = Vec::new();
    for at in 0..whole.done() {
        let dir = tempfile::tempdir().unwrap();
        seen.push(story(
            &Arc::new(Faulty::new(Fault::Fails, Some(at))),
            &dir.path().join("index"),
        ));
    }
    assert!(
        seen.contains(&4),
        "no commit was seen although it failed: {seen:?}"
    );
}
