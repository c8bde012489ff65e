#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;

use super::*;
use crate::index::faults::{FAULTS, Fault, Faulty};
use crate::index::{VideoRef, verify};

/// A copy of the golden index of format 4, with notes of its commits' times.
fn old_index() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("index-data/golden/v4");
    fs::create_dir(dir.path().join("segments")).unwrap();
    for name in ["manifest", "segments"] {
        let from = golden.join(name);
        let files: Vec<PathBuf> = match fs::read_dir(&from) {
            Ok(files) => files.map(|file| file.unwrap().path()).collect(),
            Err(_) => vec![from],
        };
        for file in files {
            fs::copy(&file, dir.path().join(file.strip_prefix(&golden).unwrap())).unwrap();
        }
    }
    dir
}

/// Writes notes as format 4 did: of the newest commit, and of the first video.
fn note_times(dir: &Path) {
    let old = Format4::open(dir).unwrap().unwrap();
    let first = old.videos().next().unwrap().unwrap().video.id;
    let notes = format!(
        "\n{{\"at\":\"2024-05-06T07:08:09Z\",\"root\":\"00\",\"added\":[\"{first}\"]}}\n\ntorn{{\n\
         {{\"at\":\"2024-05-07T00:00:00Z\",\"root\":\"{}\",\"added\":[]}}\n",
        hex(&old.root)
    );
    fs::create_dir_all(dir.join("notes")).unwrap();
    fs::write(times_path(dir), notes).unwrap();
}

/// Everything that an index of either format records of its live videos.
fn content(dir: &Path) -> Vec<String> {
    let mut all: Vec<String> = match Format4::open(dir) {
        Ok(old) => old
            .unwrap()
            .videos()
            .map(|kept| format!("{:?}", kept.unwrap()))
            .collect(),
        Err(_) => {
            let index = Index::open(dir).unwrap();
            assert_eq!(index.state().format_version, FORMAT_VERSION);
            let kept = |role| {
                let videos: Vec<VideoRef> = index.in_role(role).map(|(video, _)| video).collect();
                videos.into_iter().map(move |video| (role, video))
            };
            let videos = kept(Role::Source).chain(kept(Role::Benign));
            let told = videos.map(|(role, video)| {
                let (runs, motion) = (index.runs(video).unwrap(), index.motion(video).unwrap());
                format!(
                    "{:?}",
                    super::super::format4::Kept {
                        role,
                        video: index.video(video).clone(),
                        runs,
                        motion
                    }
                )
            });
            told.collect()
        }
    };
    all.sort();
    all
}

fn damage(dir: &Path) -> Vec<Error> {
    verify(dir, &|_, _| (), &|| false).unwrap().damage
}

#[test]
fn the_upgraded_index_holds_all_that_lived_in_the_old_one_and_nothing_else() {
    let dir = old_index();
    note_times(dir.path());
    let before = content(dir.path());
    let old_root = Format4::open(dir.path()).unwrap().unwrap().root;
    let clock = || SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_750_000_000);
    let upgraded = upgrade(dir.path(), Some(clock), &|| false).unwrap();
    assert_eq!(
        (upgraded.from, upgraded.cancelled, upgraded.state.generation),
        (4, false, 8)
    );
    assert_eq!(
        (
            upgraded.state.videos,
            upgraded.state.benign_videos,
            upgraded.state.tombstones
        ),
        (2, 1, 0)
    );
    assert_eq!(upgraded.state.without_pictures, 2);
    assert_eq!(content(dir.path()), before);
    assert!(damage(dir.path()).is_empty());
    // The files of the old index are gone.
    let files = fs::read_dir(dir.path().join("segments")).unwrap().count();
    assert_eq!(files, upgraded.state.segments as usize);
    assert!(!times_path(dir.path()).exists());

    let index = Index::open(dir.path()).unwrap();
    let added: Vec<_> = index
        .videos()
        .map(|(video, _)| index.added(video))
        .collect();
    assert_eq!(
        added,
        [(7, Some("2024-05-06T07:08:09Z".to_owned())), (7, None)]
    );
    let history = index.history().unwrap();
    assert_eq!(
        history
            .iter()
            .map(|commit| commit.generation)
            .collect::<Vec<_>>(),
        [7, 8]
    );
    assert_eq!(
        (history[0].root.clone(), history[0].committed_at.as_deref()),
        (hex(&old_root), Some("2024-05-07T00:00:00Z"))
    );
    assert_eq!(history[0].sources_root, history[1].sources_root);
    assert!(index.committed_at().is_some());

    let again = upgrade(dir.path(), None, &|| false).unwrap();
    assert_eq!((again.from, again.state), (FORMAT_VERSION, upgraded.state));
}

#[test]
fn whichever_operation_of_an_upgrade_fails_the_index_is_the_old_or_the_new_one() {
    let run = |storage: &Arc<Faulty>, dir: &Path| {
        let storage = Arc::clone(storage) as Arc<dyn Storage>;
        upgrade_on(storage, dir, None, Watch::from(&|| false))
    };
    let whole = Arc::new(Faulty::new(Fault::Fails, None));
    let dir = old_index();
    let before = content(dir.path());
    run(&whole, dir.path()).unwrap();
    let operations = whole.done();
    assert!(operations > 20, "{operations}");
    for fault in FAULTS {
        for at in 0..operations {
            let storage = Arc::new(Faulty::new(fault, Some(at)));
            let dir = old_index();
            let result = run(&storage, dir.path());
            let case = format!("{fault:?} at operation {at}: {result:?}");
            assert!(matches!(result, Ok(_) | Err(Error::Io { .. })), "{case}");
            if matches!(fault, Fault::PowerLossOldNames | Fault::PowerLossNewNames) {
                storage.lose_power();
            }
            assert_eq!(content(dir.path()), before, "{case}");
            // The same call again completes it, and nothing of the old index or of the attempt is
            // left.
            upgrade(dir.path(), None, &|| false)
                .unwrap_or_else(|error| panic!("{case}; then {error}"));
            assert_eq!(content(dir.path()), before, "{case}");
            let found = verify(dir.path(), &|_, _| (), &|| false).unwrap();
            assert!(
                found.damage.is_empty() && found.unnamed.is_empty(),
                "{case}; then {found:?}"
            );
        }
    }
}

#[test]
fn an_upgrade_that_is_stopped_or_meets_damage_leaves_the_index_as_it_was() {
    let dir = old_index();
    let before = content(dir.path());
    let asked = std::cell::Cell::new(0);
    let stop = || {
        asked.set(asked.get() + 1);
        asked.get() > 1
    };
    assert!(matches!(
        upgrade(dir.path(), None, &stop),
        Err(Error::Cancelled)
    ));
    assert_eq!(content(dir.path()), before);
    let manifest = fs::read(dir.path().join("manifest")).unwrap();
    let segment = dir.path().join("segments/00000003.seg");
    let mut bytes = fs::read(&segment).unwrap();
    bytes[300] ^= 1;
    fs::write(&segment, bytes).unwrap();
    let error = upgrade(dir.path(), None, &|| false).unwrap_err();
    assert!(
        matches!(&error, Error::CorruptIndex { path, .. } if *path == segment),
        "{error}"
    );
    assert_eq!(fs::read(dir.path().join("manifest")).unwrap(), manifest);
}

#[test]
fn what_cannot_be_upgraded_is_named_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(
        upgrade(dir.path(), None, &|| false),
        Err(Error::NoIndex { .. })
    ));
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("index-data/golden/v3/manifest");
    fs::copy(golden, dir.path().join("manifest")).unwrap();
    let error = upgrade(dir.path(), None, &|| false)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("format version is 3") && error.contains("uniq index build"),
        "{error}"
    );
}
