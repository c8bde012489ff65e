//! An index of submissions is searched like one of sources, and never taken for one.

use super::*;

fn submissions(dir: &Path) -> Index {
    let mut writer = Writer::open_or_create(dir, CONFIG).unwrap();
    for seed in 0..3 {
        assert!(
            writer
                .add_as(
                    Role::Submission,
                    video(seed),
                    runs(seed, 40),
                    &Motion::default()
                )
                .unwrap()
        );
        writer.commit().unwrap();
    }
    drop(writer);
    Index::open(dir).unwrap()
}

#[test]
fn submissions_are_searched_merged_and_sorted_by_cells_like_sources() {
    let dir = TempDir::new().unwrap();
    let index = submissions(dir.path());
    assert_eq!(index.searched_role(), Role::Submission);
    assert_eq!((index.state().videos, index.state().keys), (3, 120));
    assert_eq!(
        (
            index.in_role(Role::Submission).count(),
            index.in_role(Role::Source).count()
        ),
        (3, 0)
    );
    assert_eq!(index.role(&video(1).sha256), Some(Role::Submission));
    let mut writer = Writer::open(dir.path()).unwrap();
    writer.compact(&never).unwrap();
    writer.sort_by_cells(4, &never).unwrap();
    drop(writer);
    let index = Index::open(dir.path()).unwrap();
    assert_eq!((index.state().segments, index.state().cells), (1, 4));
    let keys: Vec<Key> = runs(2, 40).iter().map(|run| run.key).collect();
    let whole = Screen {
        probes: 4,
        radius: 72,
        sketch_radius: 128,
    };
    for near in [
        index.near(&keys, 72).unwrap(),
        index.near_by_cell(&keys, &whole).unwrap(),
    ] {
        let found: Vec<&str> = near
            .iter()
            .map(|near| index.video(near.video).path.as_str())
            .collect();
        assert!(
            found.len() >= 40 && found.iter().all(|path| *path == "videos/0002.mp4"),
            "{found:?}"
        );
    }
    assert_eq!(damage(dir.path()), [""; 0]);
}

#[test]
fn an_index_of_submissions_takes_no_source_and_one_of_sources_no_submission() {
    let is_refused = |dir: &Path, role| {
        let mut writer = Writer::open(dir).unwrap();
        let added = writer.add_as(role, video(9), runs(9, 40), &Motion::default());
        matches!(added, Err(Error::OtherRole { .. }))
    };
    let dir = TempDir::new().unwrap();
    submissions(dir.path());
    assert!(is_refused(dir.path(), Role::Source));
    assert!(!is_refused(dir.path(), Role::Submission) && !is_refused(dir.path(), Role::Benign));
    let sources = TempDir::new().unwrap();
    build(sources.path(), 0..2, 40);
    assert!(is_refused(sources.path(), Role::Submission));
    let other = Index::open(dir.path()).unwrap();
    let mut writer = Writer::open(sources.path()).unwrap();
    assert!(matches!(
        writer.take_over(&other, &never),
        Err(Error::OtherRole { .. })
    ));
}

#[test]
fn a_submission_that_was_withdrawn_is_gone_after_a_merge() {
    let dir = TempDir::new().unwrap();
    submissions(dir.path());
    let mut writer = Writer::open(dir.path()).unwrap();
    assert_eq!(
        writer.remove_as(Role::Source, "videos/0001.mp4").unwrap(),
        0
    );
    assert_eq!(
        writer
            .remove_as(Role::Submission, "videos/0001.mp4")
            .unwrap(),
        1
    );
    writer.commit().unwrap();
    writer.compact(&never).unwrap();
    drop(writer);
    let index = Index::open(dir.path()).unwrap();
    assert_eq!(
        (
            index.state().videos,
            index.state().keys,
            index.state().tombstones
        ),
        (2, 80, 0)
    );
    assert!(index.find("videos/0001.mp4").is_empty());
}
