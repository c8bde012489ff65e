//! The history of commits and the roots over the content of an index: what they prove, and that
//! nothing else is trusted.

use uniq::index::{Commit, verify};

use super::*;

fn roots(dir: &Path) -> (String, String) {
    let state = Index::open(dir).unwrap().state().clone();
    (state.sources_root, state.allowlist_root)
}

#[test]
fn the_same_sources_have_the_same_root_however_they_came_together() {
    let (one, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    build(one.path(), [0, 1, 2], 20);
    build(other.path(), [2, 3, 0, 1], 20);
    let before = roots(other.path());
    assert_ne!(roots(one.path()).0, before.0);
    let mut writer = Writer::open(other.path()).unwrap();
    writer.remove("videos/0003.mp4").unwrap();
    writer.commit().unwrap();
    assert_eq!(roots(one.path()), roots(other.path()));
    writer.compact(&never).unwrap();
    assert_eq!(roots(one.path()), roots(other.path()));
    writer
        .add_as(Role::Benign, video(9), runs(9, 5), &Motion::default())
        .unwrap();
    writer.commit().unwrap();
    let (sources, allowlist) = roots(other.path());
    assert_eq!(roots(one.path()).0, sources);
    assert_ne!(roots(one.path()).1, allowlist);
    // SHA-256 of nothing: the first commit has no benign material.
    assert!(
        roots(one.path())
            .1
            .starts_with("e3b0c44298fc1c149afbf4c8996fb924")
    );
    assert_eq!(
        (damage(one.path()), damage(other.path())),
        (Vec::new(), Vec::new())
    );
}

#[test]
fn every_commit_is_in_the_history_with_its_root_and_time() {
    let dir = TempDir::new().unwrap();
    let clock = || std::time::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let mut writer = Writer::open_or_create(dir.path(), CONFIG)
        .unwrap()
        .with_clock(clock);
    let mut states = Vec::new();
    for seed in 0..5 {
        writer.add(video(seed), runs(seed, 10)).unwrap();
        states.push(writer.commit().unwrap());
    }
    writer.remove("videos/0001.mp4").unwrap();
    states.push(writer.commit().unwrap());
    let early = Index::open(dir.path()).unwrap();
    writer.compact(&never).unwrap();
    states.push(writer.commit().unwrap());
    drop(writer);
    // Another writer continues there.
    let mut writer = Writer::open(dir.path()).unwrap().with_clock(clock);
    writer.add(video(7), runs(7, 10)).unwrap();
    states.push(writer.commit().unwrap());
    drop(writer);
    let index = Index::open(dir.path()).unwrap();
    let commits = index.history().unwrap();
    let expected: Vec<Commit> = states
        .iter()
        .map(|state| Commit {
            generation: state.generation,
            root: state.root.clone(),
            sources_root: state.sources_root.clone(),
            allowlist_root: state.allowlist_root.clone(),
            committed_at: Some("2023-11-14T22:13:20Z".to_owned()),
        })
        .collect();
    assert_eq!(commits, expected);
    assert_eq!(index.state().history_commits, commits.len() as u64 - 1);
    assert_eq!(
        early.history().unwrap(),
        expected[..6],
        "a snapshot knows what was before it"
    );
    assert_eq!(damage(dir.path()), [""; 0]);
}

#[test]
fn a_history_that_was_changed_cut_or_lost_is_damage_and_is_not_written_on() {
    let whole = TempDir::new().unwrap();
    build(whole.path(), 0..4, 10);
    let bytes = fs::read(whole.path().join("history")).unwrap();
    assert_eq!(bytes.len(), 16 + 3 * 120);
    let spoilt = |content: Option<&[u8]>| {
        let dir = TempDir::new().unwrap();
        folders::copy(whole.path(), dir.path());
        match content {
            Some(content) => fs::write(dir.path().join("history"), content).unwrap(),
            None => fs::remove_file(dir.path().join("history")).unwrap(),
        }
        // A search does not need it.
        let index = Index::open(dir.path()).unwrap();
        assert_eq!(index.videos().count(), 4);
        assert!(index.history().is_err());
        let found = damage(dir.path());
        assert!(
            found.len() == 1 && found[0].contains("history"),
            "{found:?}"
        );
        let error = Writer::open(dir.path()).unwrap_err().to_string();
        assert!(error.contains("history: "), "{error}");
    };
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1 << (at % 8);
        spoilt(Some(&changed));
    }
    for length in [0, 15, 16, 17, 16 + 120, bytes.len() - 1] {
        spoilt(Some(&bytes[..length]));
    }
    spoilt(None);
}

#[test]
fn an_older_manifest_is_noticed_by_the_history_where_the_note_is_lost() {
    let (dir, old) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    build(dir.path(), 0..3, 10);
    folders::copy(dir.path(), old.path());
    let mut writer = Writer::open(dir.path()).unwrap();
    for seed in 3..6 {
        writer.add(video(seed), runs(seed, 10)).unwrap();
        writer.commit().unwrap();
    }
    drop(writer);
    fs::copy(old.path().join("manifest"), dir.path().join("manifest")).unwrap();
    fs::remove_dir_all(dir.path().join("notes")).unwrap();
    assert!(
        damage(dir.path())
            .iter()
            .any(|finding| finding.contains("history")),
        "{:?}",
        damage(dir.path())
    );
    let error = Writer::open(dir.path()).unwrap_err().to_string();
    assert!(
        error.contains("newest commit") && error.contains("put the newest manifest back"),
        "{error}"
    );
}

#[test]
fn a_lost_manifest_is_no_new_index_while_the_history_is_there() {
    let dir = TempDir::new().unwrap();
    build(dir.path(), 0..3, 10);
    fs::remove_file(dir.path().join("manifest")).unwrap();
    fs::remove_dir_all(dir.path().join("notes")).unwrap();
    assert!(Index::exists(dir.path()));
    for error in [
        Index::open(dir.path()).map(drop).unwrap_err(),
        Writer::open_or_create(dir.path(), CONFIG)
            .map(drop)
            .unwrap_err(),
        verify(dir.path(), &|_, _| (), &never)
            .map(drop)
            .unwrap_err(),
    ] {
        assert!(matches!(error, Error::CorruptIndex { .. }), "{error}");
    }
}
