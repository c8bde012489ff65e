//! Time and recall of a search among random keys: scan and graph against the plain loop, same input, same run.
//!
//! Random keys are the hardest case for a graph. `cargo bench --bench search [KEYS [GRAPH_KEYS]]`
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use std::time::{Duration, Instant};

use uniq::fingerprint::{FINGERPRINT_VERSION, Key, KeyKind, Place, Run};
use uniq::index::{GraphPolicy, Index, IndexConfig, Publication, SearchMode, Video, Writer};

const QUERIES: usize = 1000;
const RADIUS: u32 = 72;

fn main() {
    let numbers: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let scan_keys = numbers.first().copied().unwrap_or(200_000);
    let graph_keys = numbers.get(1).copied().unwrap_or(10_000);
    run(scan_keys, GraphPolicy::Never, &[SearchMode::Exact]);
    run(graph_keys, GraphPolicy::Always, &[SearchMode::Exact, SearchMode::Graph]);
}

/// Builds an index of one segment and searches it.
fn run(count: usize, policy: GraphPolicy, modes: &[SearchMode]) {
    let mut state = 1;
    let keys: Vec<Key> = (0..count).map(|_| Key(std::array::from_fn(|_| random(&mut state)))).collect();
    let queries: Vec<Key> = (0..QUERIES)
        .map(|query| {
            let mut key = keys[random(&mut state) as usize % count];
            for _ in 0..query % 61 {
                let bit = random(&mut state) % 256;
                key.0[(bit / 64) as usize] ^= 1 << (bit % 64);
            }
            key
        })
        .collect();
    let dir = tempfile::tempdir().unwrap();
    let config = IndexConfig { fingerprint_version: FINGERPRINT_VERSION, interval: Duration::from_secs(1) };
    let mut writer = Writer::open_or_create(dir.path(), config).unwrap();
    writer.add(video(), keys.iter().map(|&key| run_of(key)).collect()).unwrap();
    let started = Instant::now();
    writer.maintain(policy, &|| false).unwrap();
    let state = Index::open(dir.path()).unwrap().state().clone();
    println!(
        "{count} keys, {QUERIES} queries, radius {RADIUS}, {} threads: written in {:.1} s, {:.0} bytes a key, graphs {}",
        rayon::current_num_threads(),
        started.elapsed().as_secs_f64(),
        state.bytes as f64 / count as f64,
        state.graphs,
    );

    let started = Instant::now();
    let mut expected = 0;
    for query in &queries {
        expected += keys.iter().filter(|key| key.distance(*query) <= RADIUS).count();
    }
    report("plain loop, one thread", started.elapsed(), count, 1.0);
    let index = Index::open(dir.path()).unwrap();
    for &mode in modes {
        let (mut best, mut found) = (Duration::MAX, 0);
        for _ in 0..5 {
            let started = Instant::now();
            found = index.near(&queries, RADIUS, mode).found.len();
            best = best.min(started.elapsed());
        }
        report(&format!("{mode:?}"), best, count, found as f64 / expected as f64);
    }
}

fn report(name: &str, time: Duration, keys: usize, recall: f64) {
    let query = time.as_secs_f64() / QUERIES as f64;
    println!(
        "  {name:24} {:9.1} us a query  {:6.2} x 10^9 pairs/s  recall {recall:.4}",
        query * 1e6,
        keys as f64 / query / 1e9,
    );
}

fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn run_of(key: Key) -> Run {
    Run {
        key,
        kind: KeyKind::Region,
        place: Place::default(),
        first: Duration::ZERO,
        last: Duration::ZERO,
        recurs: false,
    }
}

fn video() -> Video {
    Video {
        id: String::new(),
        path: "random".to_owned(),
        sha256: [1; 32],
        duration: Duration::from_secs(3600),
        width: 1920,
        height: 1080,
        publication: Publication::default(),
        keyframes: 3600,
        undecoded: Duration::ZERO,
    }
}
