//! A search by cells finds what comparing all keys finds, except keys in cells that it does not
//! probe.

use super::*;

/// The screen for an index of some ten thousand keys.
const SCREEN: Screen = Screen {
    probes: 16,
    radius: 72,
    sketch_radius: 36,
};

/// Keys in families, as in real footage, and noisy copies of one in ten of them.
fn keys(count: usize, seed: u64) -> (Vec<Run>, Vec<Key>) {
    let mut random = Random(seed);
    let mut all = runs(seed, count);
    let mut first = Key::default();
    for (number, run) in all.iter_mut().enumerate() {
        if number % 8 == 0 {
            first = random.key();
        }
        run.key = random.noisy(first, 60);
    }
    let queries = all
        .iter()
        .step_by(10)
        .zip((0..=56).cycle())
        .map(|(run, flips)| random.noisy(run.key, flips))
        .collect();
    (all, queries)
}

/// A trained index of `videos` videos with `count` keys each, and its queries.
fn trained(dir: &Path, videos: u64, count: usize) -> (Index, Vec<Key>) {
    let mut writer = Writer::open_or_create(dir, CONFIG).unwrap();
    let mut queries = Vec::new();
    for seed in 0..videos {
        let (runs, of_video) = keys(count, seed + 1);
        writer.add(video(seed), runs).unwrap();
        queries.extend(of_video);
        writer.commit().unwrap();
    }
    writer.maintain(&never).unwrap();
    (Index::open(dir).unwrap(), queries)
}

#[test]
fn nearly_all_that_is_near_is_found_in_a_few_cells() {
    let dir = TempDir::new().unwrap();
    let (index, queries) = trained(dir.path(), 4, 5000);
    assert_eq!((index.state().cells, index.state().segments), (512, 4));
    let exact = answers(&index, &queries, 72);
    let screened = told(
        &index,
        &queries,
        &index.near_by_cell(&queries, &SCREEN).unwrap(),
    );
    assert!(exact.len() >= queries.len());
    assert!(
        screened
            .iter()
            .all(|answer| exact.binary_search(answer).is_ok())
    );
    // Made families are spread evenly, which is the hardest case. The more bits a query is away,
    // the more often cells of another family are nearer.
    let missed = |within: u32| {
        let count = |answers: &[(u32, String, Duration, u32)]| {
            answers.iter().filter(|a| a.3 <= within).count() as f64
        };
        1.0 - count(&screened) / count(&exact)
    };
    assert!(
        missed(16) <= 0.015 && missed(32) <= 0.04 && missed(56) <= 0.1,
        "{:?}",
        [16, 32, 56].map(missed)
    );
    let all = Screen {
        probes: 512,
        sketch_radius: 128,
        ..SCREEN
    };
    assert_eq!(
        told(
            &index,
            &queries,
            &index.near_by_cell(&queries, &all).unwrap()
        ),
        exact
    );
    assert_eq!(damage(dir.path()), [""; 0]);
}

#[test]
fn what_is_added_later_is_found_by_the_same_cells_and_what_is_removed_is_not() {
    let dir = TempDir::new().unwrap();
    trained(dir.path(), 4, 5000);
    let (more, queries) = keys(500, 77);
    let mut writer = Writer::open(dir.path()).unwrap();
    writer.add(video(77), more).unwrap();
    writer.commit().unwrap();
    let paths = |dir: &Path| {
        let index = Index::open(dir).unwrap();
        let found = told(
            &index,
            &queries,
            &index.near_by_cell(&queries, &SCREEN).unwrap(),
        );
        found
            .into_iter()
            .map(|(_, path, ..)| path)
            .collect::<std::collections::BTreeSet<_>>()
    };
    assert!(paths(dir.path()).contains("videos/0077.mp4"));
    writer.compact(&never).unwrap();
    assert_eq!(Index::open(dir.path()).unwrap().state().segments, 1);
    assert!(paths(dir.path()).contains("videos/0077.mp4"));
    writer.remove("videos/0077.mp4").unwrap();
    writer.commit().unwrap();
    assert!(!paths(dir.path()).contains("videos/0077.mp4"));
    assert_eq!(damage(dir.path()), [""; 0]);
}

/// Copies of one key are all in one cell, which every query near it probes.
#[test]
fn a_flood_of_near_copies_neither_hides_other_keys_nor_is_compared_as_a_whole() {
    let dir = TempDir::new().unwrap();
    let mut random = Random(77);
    let centre = random.key();
    let mut all = runs(0, 60_000);
    all[..40_000]
        .iter_mut()
        .for_each(|run| run.key = random.noisy(centre, 2));
    let queries: Vec<Key> = all[40_000..]
        .iter()
        .step_by(40)
        .map(|run| random.noisy(run.key, 40))
        .collect();
    let mut writer = Writer::open_or_create(dir.path(), CONFIG).unwrap();
    writer.add(video(0), all).unwrap();
    writer.maintain(&never).unwrap();
    let index = Index::open(dir.path()).unwrap();
    let exact = index.near(&queries, 72).unwrap();
    let screened = index.near_by_cell(&queries, &SCREEN).unwrap();
    assert!(exact.len() >= queries.len());
    // Nearly as many as without the flood.
    let alone = {
        let dir = TempDir::new().unwrap();
        let mut writer = Writer::open_or_create(dir.path(), CONFIG).unwrap();
        writer
            .add(video(0), runs(0, 60_000).split_off(40_000))
            .unwrap();
        writer.sort_by_cells(512, &never).unwrap();
        Index::open(dir.path())
            .unwrap()
            .near_by_cell(&queries, &SCREEN)
            .unwrap()
            .len()
    };
    assert!(
        screened.len() as f64 >= 0.95 * alone as f64,
        "{} of {alone}",
        screened.len()
    );
    let flood = index.near_by_cell(&[centre], &SCREEN).unwrap();
    assert!((1000..=20_000).contains(&flood.len()), "{}", flood.len());
}

/// A build that is interrupted before its upkeep leaves many keys in one cell.
#[test]
fn before_cells_are_trained_a_search_by_them_misses_nothing() {
    let dir = TempDir::new().unwrap();
    let mut writer = Writer::open_or_create(dir.path(), CONFIG).unwrap();
    let all = runs(0, 40_000);
    let mut random = Random(5);
    let queries: Vec<Key> = all
        .iter()
        .step_by(100)
        .map(|run| random.noisy(run.key, 30))
        .collect();
    writer.add(video(0), all).unwrap();
    writer.commit().unwrap();
    let index = Index::open(dir.path()).unwrap();
    assert_eq!((index.state().cells, index.state().keys), (1, 40_000));
    let exact = index.near(&queries, 72).unwrap();
    assert_eq!(exact.len(), queries.len());
    assert_eq!(index.near_by_cell(&queries, &SCREEN).unwrap(), exact);
}
