//! Joined indexes answer like one index that was built of everything.

use uniq::index::Joined;

use super::*;

/// Everything that an index records of its live videos, except when they were added.
fn content(index: &Index) -> Vec<String> {
    let mut all = Vec::new();
    for role in [Role::Source, Role::Benign] {
        for (video, facts) in index.in_role(role) {
            all.push(format!(
                "{role:?} {facts:?} {:?}",
                index.track(video).unwrap()
            ));
        }
    }
    all
}

fn take_over(into: &Path, from: &[&Path]) -> Vec<Joined> {
    let mut writer = Writer::open_or_create(into, CONFIG).unwrap();
    let joined = from.iter().map(|dir| {
        writer
            .take_over(&Index::open(dir).unwrap(), &never)
            .unwrap()
    });
    let joined = joined.collect();
    writer.compact(&never).unwrap();
    joined
}

#[test]
fn joined_indexes_answer_as_one_that_was_built_of_all() {
    let dirs: [TempDir; 4] = std::array::from_fn(|_| TempDir::new().unwrap());
    let [one, two, joined, whole] = dirs.each_ref().map(|dir| dir.path());
    build(one, 0..3, 60);
    build(two, 2..6, 60);
    let mut writer = Writer::open(two).unwrap();
    writer
        .add_as(Role::Benign, video(9), runs(9, 20), &Motion::default())
        .unwrap();
    writer.remove("videos/0004.mp4").unwrap();
    writer.commit().unwrap();
    // The other index is sorted by cells that the joined one does not know.
    writer.sort_by_cells(8, &never).unwrap();
    drop(writer);
    let before = fs::read(two.join("manifest")).unwrap();

    let done = take_over(joined, &[one, two]);
    assert_eq!((done[0].taken, done[0].already_there), (3, 0));
    assert_eq!(
        (done[1].taken, done[1].already_there),
        (3, 1),
        "videos 3 and 5, and the benign one; video 2 is there"
    );
    assert_eq!(
        fs::read(two.join("manifest")).unwrap(),
        before,
        "the other index is only read"
    );

    build(whole, [0, 1, 2, 3, 5], 60);
    let mut writer = Writer::open(whole).unwrap();
    writer
        .add_as(Role::Benign, video(9), runs(9, 20), &Motion::default())
        .unwrap();
    writer.commit().unwrap();
    drop(writer);
    let (joined, whole) = (Index::open(joined).unwrap(), Index::open(whole).unwrap());
    assert_eq!(content(&joined), content(&whole));
    assert_eq!(joined.state().sources_root, whole.state().sources_root);
    assert_eq!(joined.state().allowlist_root, whole.state().allowlist_root);
    let mut random = Random(7);
    for seed in 0..10 {
        for run in runs(seed, 20) {
            let query = [random.noisy(run.key, 20)];
            assert_eq!(answers(&joined, &query, 72), answers(&whole, &query, 72));
        }
    }
    assert_eq!(damage(dirs[2].path()), [""; 0]);

    // A second call finds nothing to take over.
    let root = joined.state().root.clone();
    let again = take_over(dirs[2].path(), &[one, two]);
    assert_eq!(
        (again[0].taken, again[1].taken, again[1].already_there),
        (0, 0, 4)
    );
    assert_eq!(Index::open(dirs[2].path()).unwrap().state().root, root);
}

#[test]
fn videos_count_as_added_when_they_are_taken_over() {
    let (one, joined) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    build(one.path(), 0..5, 10);
    build(joined.path(), 7..8, 10);
    take_over(joined.path(), &[one.path()]);
    let index = Index::open(joined.path()).unwrap();
    for (video, facts) in index.videos() {
        let expected = if facts.path.contains("0007") {
            1..=1
        } else {
            2..=6
        };
        assert!(
            expected.contains(&index.added(video).0),
            "{} {:?}",
            facts.path,
            index.added(video)
        );
    }
}

#[test]
fn what_is_here_for_something_else_is_named_and_left_as_it_is() {
    let (one, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    build(one.path(), 0..2, 10);
    let mut writer = Writer::open_or_create(other.path(), CONFIG).unwrap();
    writer
        .add_as(Role::Benign, video(0), runs(0, 10), &Motion::default())
        .unwrap();
    writer.add(video(3), runs(3, 10)).unwrap();
    writer.commit().unwrap();
    drop(writer);
    let joined = take_over(one.path(), &[other.path()]);
    assert_eq!(
        (
            joined[0].taken,
            joined[0].already_there,
            joined[0].conflicts.len()
        ),
        (1, 0, 1)
    );
    let conflict = &joined[0].conflicts[0];
    assert_eq!(
        (conflict.video.path.as_str(), conflict.here, conflict.there),
        ("videos/0000.mp4", Role::Source, Role::Benign)
    );
    let index = Index::open(one.path()).unwrap();
    assert_eq!(
        (index.role(&video(0).sha256), index.state().videos),
        (Some(Role::Source), 3)
    );
}

#[test]
fn an_index_of_another_interval_or_the_same_one_is_refused_by_name() {
    let (one, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    build(one.path(), 0..1, 10);
    let config = IndexConfig {
        interval: Duration::from_millis(500),
        ..CONFIG
    };
    let mut writer = Writer::open_or_create(other.path(), config).unwrap();
    writer.add(video(3), runs(3, 10)).unwrap();
    writer.commit().unwrap();
    drop(writer);
    let mut writer = Writer::open(one.path()).unwrap();
    let error = writer
        .take_over(&Index::open(other.path()).unwrap(), &never)
        .unwrap_err()
        .to_string();
    for part in [
        &*one.path().to_string_lossy(),
        &other.path().to_string_lossy(),
        "500ms",
        "1s",
    ] {
        assert!(error.contains(part), "{error}");
    }
    let error = writer
        .take_over(&Index::open(one.path()).unwrap(), &never)
        .unwrap_err()
        .to_string();
    assert!(error.contains("another one than the index"), "{error}");
}

#[test]
fn damage_of_the_other_index_is_found_before_it_is_copied() {
    let (one, joined) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    build(one.path(), 0..1, 40);
    let segment = one.path().join("segments/00000001.seg");
    let mut bytes = fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&segment, bytes).unwrap();
    let Ok(other) = Index::open(one.path()) else {
        return;
    };
    let mut writer = Writer::open_or_create(joined.path(), CONFIG).unwrap();
    let error = writer.take_over(&other, &never).unwrap_err();
    assert!(
        matches!(&error, Error::CorruptIndex { path, .. } if *path == segment),
        "{error}"
    );
    assert!(writer.committed().is_none());
}

#[test]
fn what_was_taken_over_before_an_interruption_stays_and_the_rest_follows() {
    let (one, joined) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    build(one.path(), 0..4, 10);
    let other = Index::open(one.path()).unwrap();
    let mut writer = Writer::open_or_create(joined.path(), CONFIG).unwrap();
    let asked = std::cell::Cell::new(0);
    let stop = || {
        asked.set(asked.get() + 1);
        asked.get() > 5
    };
    let broken_off = writer.take_over(&other, &stop).unwrap();
    assert!(
        broken_off.cancelled && (1..4).contains(&broken_off.taken),
        "{broken_off:?}"
    );
    assert_eq!(writer.committed().unwrap().state().videos, broken_off.taken);
    let rest = writer.take_over(&other, &never).unwrap();
    assert_eq!(
        (rest.taken, rest.already_there),
        (4 - broken_off.taken, broken_off.taken)
    );
}
