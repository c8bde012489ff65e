//! Benign material beside the sources: searched separately, but committed, merged and removed like
//! them.

use super::*;

/// Sources 0 to 2 and benign videos 10 to 11, each with a commit of its own.
fn mixed(dir: &Path) -> Index {
    build(dir, 0..3, 40);
    let mut writer = Writer::open(dir).unwrap();
    for seed in 10..12 {
        assert!(
            writer
                .add_as(
                    Role::Benign,
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

fn paths(index: &Index, role: Role) -> Vec<String> {
    index
        .in_role(role)
        .map(|(_, video)| video.path.clone())
        .collect()
}

/// The videos of a role that are near the keys of one video.
fn found(index: &Index, seed: u64, role: Role) -> Vec<String> {
    let keys: Vec<Key> = runs(seed, 40).iter().map(|run| run.key).collect();
    paths_of(index, &index.near_in_role(&keys, 72, role).unwrap())
}

fn paths_of(index: &Index, near: &[Neighbour]) -> Vec<String> {
    let mut paths: Vec<String> = near
        .iter()
        .map(|near| index.video(near.video).path.clone())
        .collect();
    paths.dedup();
    paths
}

#[test]
fn neither_is_met_in_a_search_for_the_other() {
    let dir = TempDir::new().unwrap();
    let index = mixed(dir.path());
    assert_eq!(
        paths(&index, Role::Source),
        ["videos/0000.mp4", "videos/0001.mp4", "videos/0002.mp4"]
    );
    assert_eq!(
        paths(&index, Role::Benign),
        ["videos/0010.mp4", "videos/0011.mp4"]
    );
    assert_eq!(index.videos().count(), 3);
    assert_eq!(found(&index, 1, Role::Source), ["videos/0001.mp4"]);
    assert_eq!(found(&index, 10, Role::Benign), ["videos/0010.mp4"]);
    assert!(found(&index, 1, Role::Benign).is_empty());
    assert!(found(&index, 10, Role::Source).is_empty());
    assert!(index.contains(&video(1).sha256) && !index.contains(&video(10).sha256));
    assert_eq!(
        [1, 10, 12].map(|seed| index.role(&video(seed).sha256)),
        [Some(Role::Source), Some(Role::Benign), None]
    );
    assert_eq!(
        (
            index.find("videos/0010.mp4").len(),
            index.find_in_role("videos/0010.mp4", Role::Benign).len()
        ),
        (0, 1)
    );
    let state = index.state();
    assert_eq!((state.videos, state.keys), (3, 120));
    assert_eq!((state.benign_videos, state.benign_keys), (2, 80));
    assert!(
        (state.hours - 271.503 / 3600.0).abs() < 1e-9
            && (state.benign_hours - 181.021 / 3600.0).abs() < 1e-9
    );
    assert_eq!(damage(dir.path()), [""; 0]);
}

#[test]
fn merging_and_sorting_by_cells_keeps_them_apart() {
    let dir = TempDir::new().unwrap();
    mixed(dir.path());
    let mut writer = Writer::open(dir.path()).unwrap();
    writer.compact(&never).unwrap();
    writer.sort_by_cells(4, &never).unwrap();
    drop(writer);
    let index = Index::open(dir.path()).unwrap();
    assert_eq!((index.state().segments, index.state().cells), (2, 4));
    assert_eq!(
        (
            index.state().videos,
            index.state().benign_videos,
            index.state().benign_keys
        ),
        (3, 2, 80)
    );
    assert_eq!(found(&index, 2, Role::Source), ["videos/0002.mp4"]);
    assert_eq!(found(&index, 11, Role::Benign), ["videos/0011.mp4"]);
    assert!(found(&index, 11, Role::Source).is_empty());
    let by_cell = |seed| {
        let keys: Vec<Key> = runs(seed, 40).iter().map(|run| run.key).collect();
        let whole = Screen {
            probes: 4,
            radius: 72,
            sketch_radius: 128,
        };
        paths_of(&index, &index.near_by_cell(&keys, &whole).unwrap())
    };
    assert_eq!(by_cell(2), ["videos/0002.mp4"]);
    assert!(by_cell(11).is_empty());
    assert_eq!(damage(dir.path()), [""; 0]);
}

#[test]
fn crowded_benign_segments_are_merged_by_themselves() {
    let dir = TempDir::new().unwrap();
    build(dir.path(), 0..4, 20);
    let mut writer = Writer::open(dir.path()).unwrap();
    for seed in 10..15 {
        writer
            .add_as(
                Role::Benign,
                video(seed),
                runs(seed, 20),
                &Motion::default(),
            )
            .unwrap();
        writer.commit().unwrap();
    }
    writer.maintain(&never).unwrap();
    let state = writer.committed().unwrap().state();
    // Four segments of sources are not too many; five of benign material are.
    assert_eq!(
        (state.segments, state.videos, state.benign_videos),
        (5, 4, 5)
    );
}

#[test]
fn each_is_removed_and_taken_back_as_what_it_is() {
    let dir = TempDir::new().unwrap();
    mixed(dir.path());
    let mut writer = Writer::open(dir.path()).unwrap();
    assert_eq!(writer.remove("videos/0010.mp4").unwrap(), 0);
    assert_eq!(
        writer.remove_as(Role::Benign, "videos/0001.mp4").unwrap(),
        0
    );
    assert_eq!(
        writer.remove_as(Role::Benign, "videos/0010.mp4").unwrap(),
        1
    );
    // A video is in an index only once, in any role.
    assert!(!writer.add(video(11), runs(11, 40)).unwrap());
    assert!(
        !writer
            .add_as(Role::Benign, video(1), runs(1, 40), &Motion::default())
            .unwrap()
    );
    // A video marked for removal may return in another role in the same commit.
    assert!(writer.add(video(10), runs(10, 40)).unwrap());
    assert!(
        writer
            .add_as(Role::Benign, video(12), runs(12, 40), &Motion::default())
            .unwrap()
    );
    assert_eq!((writer.pending(), writer.pending_keys()), (2, 80));
    assert_eq!(
        (writer.remove("videos/0012.mp4").unwrap(), writer.pending()),
        (0, 2)
    );
    assert_eq!(
        (
            writer.remove_as(Role::Benign, "videos/0012.mp4").unwrap(),
            writer.pending()
        ),
        (1, 1)
    );
    writer.commit().unwrap();
    writer.compact(&never).unwrap();
    drop(writer);
    let index = Index::open(dir.path()).unwrap();
    assert_eq!(paths(&index, Role::Benign), ["videos/0011.mp4"]);
    assert_eq!(index.videos().count(), 4);
    assert_eq!(found(&index, 10, Role::Source), ["videos/0010.mp4"]);
    assert_eq!(index.state().tombstones, 0);
    assert_eq!(damage(dir.path()), [""; 0]);
}

#[test]
fn the_root_tells_whether_material_is_benign() {
    let dirs = [TempDir::new().unwrap(), TempDir::new().unwrap()];
    let roots = [Role::Source, Role::Benign].map(|role| {
        let dir = &dirs[usize::from(role == Role::Benign)];
        let mut writer = Writer::open_or_create(dir.path(), CONFIG).unwrap();
        writer
            .add_as(role, video(1), runs(1, 40), &Motion::default())
            .unwrap();
        writer.commit().unwrap().root
    });
    assert_ne!(roots[0], roots[1]);
    let segment = |dir: &TempDir| fs::read(dir.path().join("segments/00000001.seg")).unwrap();
    assert_eq!(segment(&dirs[0]), segment(&dirs[1]));
}
