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

/// Keys that are alike without being near-copies cannot be grouped, and ruin the graph: it must not be used.
#[test]
fn a_graph_that_misses_keys_is_refused_and_the_answer_stays_exact() {
    let dir = TempDir::new().unwrap();
    let mut random = Random(78);
    let mut all = runs(0, 3000);
    for run in &mut all[..2500] {
        run.key = random.noisy(Key([0; 4]), 48);
    }
    let queries: Vec<Key> = all.iter().map(|run| run.key).step_by(7).collect();
    let mut writer = Writer::open_or_create(dir.path(), CONFIG).unwrap();
    writer.add(video(0), all).unwrap();
    writer.maintain(GraphPolicy::Always, &never).unwrap();
    let index = Index::open(dir.path()).unwrap();
    assert_eq!((index.state().graphs, index.state().graphs_refused), (0, 1));
    let near = index.near(&queries, 72, SearchMode::Graph).unwrap();
    assert_eq!((near.mode, near.exact, near.recall), (SearchMode::Exact, true, 1.0));
    assert_eq!(near.found, index.near(&queries, 72, SearchMode::Exact).unwrap().found);
    // The refusal is remembered: nothing is built, and so nothing committed, a second time.
    writer.maintain(GraphPolicy::Always, &never).unwrap();
    assert_eq!(Index::open(dir.path()).unwrap().state(), index.state());
}
