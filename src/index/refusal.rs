//! Tests what follows when a graph is refused.

use std::sync::Arc;

use super::faults::{CONFIG, runs, video};
use super::graph::Built;
use super::{GraphPolicy, Index, SearchMode, Writer};

#[test]
fn a_refusal_is_remembered_and_the_answers_stay_exact() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::open_or_create(dir.path(), CONFIG).unwrap();
    writer.add(video(1), runs(1)).unwrap();
    writer.commit().unwrap();
    let segment = Arc::clone(&Index::open(dir.path()).unwrap().segments[0].segment);
    writer.add_graph(1, &segment, Built::Refused { recall: 0.98 }).unwrap();
    let index = Index::open(dir.path()).unwrap();
    assert_eq!((index.state().graphs, index.state().graphs_refused), (0, 1));
    let queries: Vec<_> = runs(1).iter().map(|run| run.key).collect();
    let near = index.near(&queries, 72, SearchMode::Graph).unwrap();
    assert_eq!((near.mode, near.exact, near.recall), (SearchMode::Exact, true, 1.0));
    assert!(near.found.len() >= queries.len());
    assert_eq!(near.found, index.near(&queries, 72, SearchMode::Exact).unwrap().found);
    // Nothing is built, and so nothing committed, a second time.
    writer.maintain(GraphPolicy::Always, &|| false).unwrap();
    assert_eq!(Index::open(dir.path()).unwrap().state(), index.state());
}
