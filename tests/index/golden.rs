//! An index of every readable format opens and answers; older ones are refused.

use super::*;

fn golden(version: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("index-data/golden/v{version}"))
}

/// Commits of a golden index: three of videos, one of the cells, one for each video sorted by them,
/// and the last.
const GENERATION: u64 = 8;

/// The content of every golden index: three videos sorted by cells, the second removed, and benign
/// material.
fn write_golden(dir: &Path) {
    build(dir, 0..3, 90);
    let mut writer = Writer::open_or_create(dir, CONFIG).unwrap();
    writer.sort_by_cells(4, &never).unwrap();
    writer.remove("videos/0001.mp4").unwrap();
    writer
        .add_as(Role::Benign, video(3), runs(3, 90), &Motion::default())
        .unwrap();
    writer.commit().unwrap();
}

#[test]
fn every_golden_index_opens_and_answers() {
    for version in OLDEST_READABLE..=FORMAT_VERSION {
        let index = Index::open(&golden(version)).unwrap();
        assert_eq!(damage(&golden(version)), [""; 0]);
        let state = index.state();
        assert_eq!((state.videos, state.keys), (2, 180));
        assert_eq!((state.segments, state.cells, state.tombstones), (4, 4, 1));
        assert_eq!((state.benign_videos, state.benign_keys), (1, 90));
        assert_eq!(
            (state.generation, state.format_version),
            (GENERATION, version)
        );
        let paths: Vec<&str> = index
            .in_role(Role::Benign)
            .map(|(_, video)| video.path.as_str())
            .collect();
        assert_eq!(paths, ["videos/0003.mp4"]);
        let moving: Vec<Motion> = index
            .videos()
            .map(|(video, _)| index.motion(video).unwrap())
            .collect();
        assert_eq!(moving, [motion(0), motion(2)]);
        let stored: Vec<Video> = index.videos().map(|(_, video)| video.clone()).collect();
        let expected = [0, 2].map(|seed| Video {
            id: stored[(seed / 2) as usize].id.clone(),
            ..video(seed)
        });
        assert_eq!(stored, expected);
        let mut random = Random(3);
        for seed in 0..4 {
            for run in runs(seed, 90) {
                let query = [random.noisy(run.key, 20)];
                let found = answers(&index, &query, 72);
                let by_cell = index.near_by_cell(
                    &query,
                    &Screen {
                        probes: 4,
                        radius: 72,
                        sketch_radius: 128,
                    },
                );
                assert_eq!(told(&index, &query, &by_cell.unwrap()), found);
                let paths: Vec<&str> = found.iter().map(|answer| answer.1.as_str()).collect();
                match seed {
                    1 | 3 => assert!(paths.is_empty(), "{paths:?}"),
                    _ => assert_eq!(paths, [format!("videos/{seed:04}.mp4")]),
                }
            }
        }
    }
}

/// Writes the golden index of the present format into the folder named by `UNIQ_GOLDEN`, for a
/// release.
#[test]
fn the_golden_index_can_be_written() {
    let kept = std::env::var_os("UNIQ_GOLDEN").map(PathBuf::from);
    let dir = TempDir::new().unwrap();
    let dir = kept.as_deref().unwrap_or(dir.path());
    write_golden(dir);
    fs::remove_file(dir.join("lock")).unwrap();
    assert_eq!(Index::open(dir).unwrap().state().generation, GENERATION);
}

#[test]
fn the_golden_segments_and_cells_are_written_today_as_then() {
    let dir = TempDir::new().unwrap();
    write_golden(dir.path());
    let in_segments = |dir: &Path| {
        let mut files = files(dir);
        files.retain(|(name, _)| name.starts_with("segments"));
        files
    };
    let (now, then) = (
        in_segments(dir.path()),
        in_segments(&golden(FORMAT_VERSION)),
    );
    let names = |files: &[(PathBuf, Vec<u8>)]| {
        files
            .iter()
            .map(|(name, _)| name.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&now), names(&then));
    assert_eq!(now.len(), 5);
    for ((name, now), (_, then)) in now.iter().zip(&then) {
        assert!(now == then, "{}", name.display());
    }
}

#[test]
fn an_index_of_an_earlier_format_is_refused_with_what_to_do() {
    for version in 1..OLDEST_READABLE {
        let dir = golden(version);
        for result in [
            Index::open(&dir).map(drop),
            uniq::index::verify(&dir, &|_, _| (), &never).map(drop),
        ] {
            let error = result.unwrap_err();
            assert!(
                matches!(
                    error,
                    Error::IncompatibleIndex {
                        what: "format version",
                        ..
                    }
                ),
                "{error}"
            );
            let text = error.to_string();
            let remedy = if version + 1 == OLDEST_READABLE {
                "uniq index upgrade"
            } else {
                "uniq index build"
            };
            assert!(
                text.contains(&format!("format version is {version}")) && text.contains(remedy),
                "{text}"
            );
        }
    }
}
