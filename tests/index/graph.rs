//! The graph finds what the scan finds, or is not used.

use super::*;

#[test]
fn a_graph_answers_as_the_scan_does() {
    let dir = TempDir::new().unwrap();
    build(dir.path(), 0..4, 1500);
    let mut writer = Writer::open_or_create(dir.path(), CONFIG).unwrap();
    writer.maintain(GraphPolicy::Always, &never).unwrap();
    let index = Index::open(dir.path()).unwrap();
    let state = index.state();
    assert_eq!((state.graphs, state.graphs_refused), (4, 0));
    let recall = state.graph_recall.unwrap();
    assert!(recall >= 0.99, "{recall}");
    let mut random = Random(1);
    let mut queries: Vec<Key> =
        (0..4).flat_map(|seed| runs(seed, 1500)).step_by(11).map(|run| random.noisy(run.key, 60)).collect();
    queries.extend((0..100).map(|_| random.key()));
    let exact = answers(&index, &queries, 72, SearchMode::Exact);
    let graph = answers(&index, &queries, 72, SearchMode::Graph);
    assert!(exact.len() >= 500, "{}", exact.len());
    assert!(graph.iter().all(|answer| exact.contains(answer)));
    assert!(graph.len() as f64 >= 0.99 * exact.len() as f64, "{} of {}", graph.len(), exact.len());
    let near = index.near(&queries, 72, SearchMode::Graph).unwrap();
    assert_eq!((near.mode, near.exact, near.recall), (SearchMode::Graph, false, recall));
    // Beyond the radius at which the recall is known, nothing rests on a graph.
    let near = index.near(&queries, 73, SearchMode::Graph).unwrap();
    assert_eq!((near.mode, near.exact, near.recall), (SearchMode::Exact, true, 1.0));
}

/// Copies of one key, inserted first, once left a graph in which one other key in ten was found.
#[test]
fn a_flood_of_near_copies_does_not_hide_the_other_keys() {
    for spread in [2, 12, 20] {
        let dir = TempDir::new().unwrap();
        let mut random = Random(77);
        let centre = Key([0; 4]);
        let flood: Vec<Key> = (0..5000).map(|_| random.noisy(centre, spread)).collect();
        let others: Vec<Key> = (0..2000).map(|_| random.key()).collect();
        let mut all = runs(0, 7000);
        for (run, key) in all.iter_mut().zip(flood.iter().chain(&others)) {
            run.key = *key;
        }
        let mut writer = Writer::open_or_create(dir.path(), CONFIG).unwrap();
        writer.add(video(0), all).unwrap();
        writer.maintain(GraphPolicy::Always, &never).unwrap();
        let index = Index::open(dir.path()).unwrap();
        assert_eq!((index.state().graphs, index.state().graphs_refused), (1, 0), "spread {spread}");
        let queries: Vec<Key> = others.iter().map(|&key| random.noisy(key, 40)).collect();
        let exact = index.near(&queries, 72, SearchMode::Exact).unwrap().found;
        let graph = index.near(&queries, 72, SearchMode::Graph).unwrap().found;
        assert!(exact.len() >= 2000);
        assert!(graph.len() as f64 >= 0.99 * exact.len() as f64, "spread {spread}: {} of {}", graph.len(), exact.len());
        // Of the flood itself nothing is missing either.
        let exact = index.near(&flood[..50], 72, SearchMode::Exact).unwrap().found;
        let graph = index.near(&flood[..50], 72, SearchMode::Graph).unwrap().found;
        assert!(graph.len() as f64 >= 0.99 * exact.len() as f64, "spread {spread}");
    }
}

/// Keys that are alike without being near-copies are no group: their neighbours are all of one cluster, and there once was
/// no way out of it.
#[test]
fn clusters_with_nothing_between_them_are_all_found() {
    for (clusters, members, spread) in [(1, 2500, 48), (4, 1200, 34), (20, 300, 34)] {
        let dir = TempDir::new().unwrap();
        let mut random = Random(78);
        let mut all = runs(0, clusters * members + 500);
        let mut centre = Key::default();
        for (number, run) in all[500..].iter_mut().enumerate() {
            if number % members == 0 {
                centre = random.key();
            }
            run.key = random.noisy(centre, spread);
        }
        let queries: Vec<Key> =
            all.iter().step_by(5).zip((0..=60).cycle()).map(|(run, flips)| random.noisy(run.key, flips)).collect();
        let mut writer = Writer::open_or_create(dir.path(), CONFIG).unwrap();
        writer.add(video(0), all).unwrap();
        writer.maintain(GraphPolicy::Always, &never).unwrap();
        let index = Index::open(dir.path()).unwrap();
        assert_eq!((index.state().graphs, index.state().graphs_refused), (1, 0), "{clusters} clusters");
        let exact = index.near(&queries, 72, SearchMode::Exact).unwrap().found;
        let graph = index.near(&queries, 72, SearchMode::Graph).unwrap().found;
        assert!(exact.len() >= queries.len());
        assert!(
            graph.len() as f64 >= 0.99 * exact.len() as f64,
            "{clusters} clusters: {} of {}",
            graph.len(),
            exact.len()
        );
    }
}
