//! The exhaustive scan on one core: pairs a second beside FAISS, and the keys of a 10 s clip against large indexes.
//!
//! `cargo bench --bench search -- --help`. The keys follow real footage (see `support/footage.rs`); half of the queries
//! are stored keys with 0 to 60 flipped bits, half are like nothing stored.

#![allow(clippy::print_stdout, clippy::print_stderr)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use clap::Parser;
use support::faiss::Faiss;
use support::footage::Footage;
use support::random::Random;
use support::{CLIP_KEYS, RADIUS, clock, corpus, grouped, verdict};
use uniq::SearchMode;
use uniq::fingerprint::Key;

#[derive(Parser)]
#[command(about = "Measures the exhaustive scan on one core, beside FAISS")]
struct Args {
    /// Keys of the scan and of the automatic search
    #[arg(long, default_value_t = 1_000_000)]
    keys: usize,
    /// Queries of the scan
    #[arg(long, default_value_t = 1_000)]
    queries: usize,
    /// Keys of the large index that a clip is scanned against; the figure's goal is for 10000000
    #[arg(long, default_value_t = 2_000_000)]
    large: usize,
    /// Rounds of each, alternating; the best counts
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Do without FAISS
    #[arg(long)]
    no_faiss: bool,
    /// What cargo passes to each bench
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let args = Args::parse();
    println!("{}; one core, processor time, best of {} rounds, radius {RADIUS}", clock::processor(), args.rounds);
    scan(&args);
    clip(&args, args.keys, SearchMode::Auto, 1_000_000, 0.4);
    clip(&args, args.large, SearchMode::Exact, 10_000_000, 5.0);
}

/// Pairs a second, ours and FAISS's in turn.
fn scan(args: &Args) {
    let mut footage = Footage::new(1);
    let keys: Vec<Key> = footage.videos(args.keys as u64).flat_map(|(_, runs)| runs).map(|run| run.key).collect();
    let queries = queries(&keys, &mut footage, args.queries);
    let dir = corpus::scratch();
    corpus::write_keys(dir.path(), &keys, uniq::index::GraphPolicy::Never);
    let index = corpus::open(dir.path());
    let stored = index.state().distinct_keys;
    let pairs = stored as f64 * queries.len() as f64;
    let mut faiss = if args.no_faiss { None } else { Faiss::start() };
    if let Some(faiss) = &mut faiss {
        // The very same keys: each once.
        let mut distinct = keys.clone();
        distinct.sort_unstable();
        distinct.dedup();
        faiss.load(&distinct, &queries);
        faiss.ask("flat");
    }
    let (mut ours, mut range, mut nearest) = (f64::INFINITY, f64::INFINITY, f64::INFINITY);
    for _ in 0..args.rounds.max(1) {
        let (seconds, answer) = clock::often(|| corpus::near(&index, &queries, SearchMode::Exact));
        ours = ours.min(seconds);
        if let Some(faiss) = &mut faiss {
            let found = faiss.ask(&format!("range {RADIUS}"));
            assert_eq!(found[1], answer.found.len() as f64, "FAISS and the scan find the same");
            range = range.min(found[0]);
            nearest = nearest.min(faiss.ask(&format!("nearest 16 {RADIUS}"))[0]);
        }
    }
    let speed = |seconds: f64| pairs / seconds / 1e9;
    println!(
        "\nexhaustive scan, {} queries x {} keys: {:.2} x 10^9 pairs/s (goal: 3 with AVX-512, {})",
        queries.len(),
        grouped(stored),
        speed(ours),
        verdict(speed(ours) >= 3.0)
    );
    if let Some(faiss) = &faiss {
        let ratio = range.min(nearest) / ours;
        println!(
            "faiss.IndexBinaryFlat {}: range search {:.2}, 16 nearest {:.2} x 10^9 pairs/s; we are {ratio:.2} times as \
             fast as its faster one (goal: 3, {})",
            faiss.version,
            speed(range),
            speed(nearest),
            verdict(ratio >= 3.0)
        );
    }
}

/// The keys of a clip against an index in segments, as adding makes them.
fn clip(args: &Args, keys: usize, mode: SearchMode, goal_keys: usize, goal_s: f64) {
    let dir = corpus::scratch();
    let mut footage = Footage::new(2);
    let sample = corpus::write_footage(dir.path(), &mut footage, keys as u64, 1000);
    let queries = queries(&sample, &mut footage, CLIP_KEYS);
    let index = corpus::open(dir.path());
    let mut best = f64::INFINITY;
    let mut how = SearchMode::Auto;
    for _ in 0..args.rounds.max(1) {
        let (seconds, answer) = clock::often(|| corpus::near(&index, &queries, mode));
        best = best.min(seconds);
        how = answer.mode;
    }
    let state = index.state();
    let goal = if keys == goal_keys {
        format!(" (goal: {goal_s} s, {})", verdict(best <= goal_s))
    } else {
        format!(" (goal: {goal_s} s at {} keys)", grouped(goal_keys as u64))
    };
    println!(
        "\na clip's {CLIP_KEYS} query keys, {mode:?} and really {how:?}, against {} keys of {} videos, {:.0} h, in {} \
         segments with {} graphs: {best:.3} s{goal}",
        grouped(state.distinct_keys),
        grouped(state.videos),
        state.hours,
        state.segments,
        state.graphs
    );
}

/// Half of them noisy copies of stored keys, half like nothing stored.
fn queries(stored: &[Key], footage: &mut Footage, count: usize) -> Vec<Key> {
    let mut queries = Random::new(7).noisy_copies(stored, count / 2, 60);
    queries.resize_with(count, || footage.key());
    queries
}
