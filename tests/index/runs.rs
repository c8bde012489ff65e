//! The keys of a video are exactly those that were added, whatever else is in its segment.

use super::*;

#[test]
fn a_video_has_its_own_runs_and_no_others_before_and_after_its_neighbours_go() {
    let dir = TempDir::new().unwrap();
    let mut writer = Writer::open_or_create(dir.path(), CONFIG).unwrap();
    // Several videos share keys, some keys occur several times in a video, and one video has none.
    let shared = |seed: u64| {
        let mut all = runs(seed, 3 * seed as usize);
        all.extend(runs(99, 7).into_iter().map(|run| Run {
            last: run.last + Duration::from_secs(seed),
            ..run
        }));
        let again: Vec<Run> = all[..4]
            .iter()
            .map(|run| Run {
                first: Duration::ZERO,
                ..*run
            })
            .collect();
        all.extend(again);
        if seed == 3 { Vec::new() } else { all }
    };
    for seed in 1..6 {
        writer.add(video(seed), shared(seed)).unwrap();
    }
    writer.commit().unwrap();
    let check = |seeds: &[u64]| {
        let index = Index::open(dir.path()).unwrap();
        let order = |run: &Run| (run.key, run.first, run.last);
        for (&seed, (reference, _)) in seeds.iter().zip(index.videos()) {
            for _ in 0..2 {
                let mut found = index.runs(reference).unwrap();
                assert!(found.is_sorted_by_key(|run| (run.first, run.last)));
                found.sort_by_key(order);
                let mut expected = shared(seed);
                expected.sort_by_key(order);
                let told = |runs: &[Run]| {
                    runs.iter()
                        .map(|run| (order(run), run.kind, run.recurs))
                        .collect::<Vec<_>>()
                };
                assert_eq!(told(&found), told(&expected), "{seed}");
            }
        }
        assert_eq!(index.videos().count(), seeds.len());
    };
    check(&[1, 2, 3, 4, 5]);
    writer.remove("videos/0002.mp4").unwrap();
    writer.commit().unwrap();
    check(&[1, 3, 4, 5]);
    writer.compact(&never).unwrap();
    check(&[1, 3, 4, 5]);
}
