//! The frozen graph beside FAISS's and hnsw_rs's own search, over the same clustered keys at equal recall.
//!
//! `cargo bench --bench graph -- --help`. Keys come in families of ten, 0 to 40 bits from their centre; queries are
//! stored keys with 0 to 60 flipped bits. With 200 000 keys it takes minutes: three graphs are built.

#![allow(clippy::print_stdout, clippy::print_stderr)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use clap::Parser;
use hnsw_rs::prelude::{Distance, Hnsw};
use support::faiss::Faiss;
use support::random::Random;
use support::{RADIUS, clock, corpus, grouped, verdict};
use uniq::SearchMode;
use uniq::fingerprint::Key;
use uniq::index::GraphPolicy;

#[derive(Parser)]
#[command(about = "Measures the frozen graph beside FAISS and hnsw_rs at equal recall")]
struct Args {
    /// Keys; the figure's goal is for 200000
    #[arg(long, default_value_t = 20_000)]
    keys: usize,
    /// Queries
    #[arg(long, default_value_t = 2_000)]
    queries: usize,
    /// Rounds of each, alternating; the best counts
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Do without FAISS
    #[arg(long)]
    no_faiss: bool,
    /// Do without hnsw_rs's own search
    #[arg(long)]
    no_hnsw_rs: bool,
    /// What cargo passes to each bench
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let args = Args::parse();
    let mut random = Random::new(3);
    let keys = distinct(random.families(args.keys), &mut random);
    let queries = random.noisy_copies(&keys, args.queries, 60);
    println!(
        "{}; one core, processor time, best of {} rounds\n{} keys in families of ten, {} queries with 0 to 60 flipped \
         bits, radius {RADIUS}",
        clock::processor(),
        args.rounds,
        grouped(keys.len() as u64),
        queries.len()
    );
    let dir = corpus::scratch();
    let (build_s, ()) = clock::of_process(|| corpus::write_keys(dir.path(), &keys, GraphPolicy::Always));
    let index = corpus::open(dir.path());
    let expected = corpus::near(&index, &queries, SearchMode::Exact).found.len() as f64;
    let answer = corpus::near(&index, &queries, SearchMode::Graph);
    if answer.mode != SearchMode::Graph {
        println!("the graph was refused: nothing to compare");
        return;
    }
    let recall = answer.found.len() as f64 / expected;
    built("ours", keys.len(), build_s);

    let mut faiss = if args.no_faiss { None } else { Faiss::start() };
    let mut faiss_ef = None;
    if let Some(faiss) = &mut faiss {
        faiss.load(&keys, &queries);
        built("faiss", keys.len(), faiss.ask(&format!("hnsw {LINKS} {CONSTRUCTION}"))[0]);
        faiss_ef = least_beam(recall, |ef| faiss.ask(&format!("beam {ef} {NEAREST} {RADIUS}"))[1] / expected);
    }
    let theirs = (!args.no_hnsw_rs).then(|| {
        let (seconds, graph) = clock::once(|| build_hnsw_rs(&keys));
        built("hnsw_rs", keys.len(), seconds);
        graph
    });
    let theirs_ef = theirs
        .as_ref()
        .and_then(|graph| least_beam(recall, |ef| search_hnsw_rs(graph, &queries, ef) as f64 / expected));

    let [mut ours_s, mut faiss_s, mut theirs_s] = [f64::INFINITY; 3];
    for _ in 0..args.rounds.max(1) {
        ours_s = ours_s.min(clock::often(|| corpus::near(&index, &queries, SearchMode::Graph)).0);
        if let (Some(faiss), Some((ef, _))) = (&mut faiss, faiss_ef) {
            faiss_s = faiss_s.min(faiss.ask(&format!("beam {ef} {NEAREST} {RADIUS}"))[0]);
        }
        if let (Some(graph), Some((ef, _))) = (&theirs, theirs_ef) {
            theirs_s = theirs_s.min(clock::often(|| search_hnsw_rs(graph, &queries, ef)).0);
        }
    }
    let micros = |seconds: f64| seconds / queries.len() as f64 * 1e6;
    println!("\n| | recall | beam | us a query | times ours |\n|---|---|---|---|---|");
    println!("| ours | {recall:.4} | its own | {:.1} | 1 |", micros(ours_s));
    let row = |name: &str, found: Option<(usize, f64)>, seconds: f64| match found {
        Some((ef, recall)) => {
            println!("| {name} | {recall:.4} | {ef} | {:.1} | {:.2} |", micros(seconds), seconds / ours_s);
        }
        None => println!("| {name} | not reached with a beam of {} | | | |", BEAMS[BEAMS.len() - 1]),
    };
    if let Some(faiss) = &faiss {
        row(&format!("faiss.IndexBinaryHNSW {}", faiss.version), faiss_ef, faiss_s);
    }
    if theirs.is_some() {
        row("hnsw_rs, its own search", theirs_ef, theirs_s);
    }
    println!("\ngoal for 200 000 keys: recall at least 0.995: {}", verdict(recall >= 0.995));
    if faiss_ef.is_some() {
        println!("goal for 200 000 keys: at most the time of FAISS: {}", verdict(ours_s <= faiss_s));
    }
    if theirs_ef.is_some() {
        println!("goal for 200 000 keys: 8 times as fast as hnsw_rs: {}", verdict(theirs_s >= 8.0 * ours_s));
    }
}

/// Each key once, as an index keeps them, in an order that favours nobody: FAISS and hnsw_rs insert in the order given.
fn distinct(mut keys: Vec<Key>, random: &mut Random) -> Vec<Key> {
    keys.sort_unstable();
    keys.dedup();
    for last in (1..keys.len()).rev() {
        keys.swap(last, random.below(last + 1));
    }
    keys
}

/// The least beam that finds as much as we do, less [`ALLOWANCE`], and what it finds.
fn least_beam(recall: f64, mut found: impl FnMut(usize) -> f64) -> Option<(usize, f64)> {
    BEAMS.into_iter().map(|ef| (ef, found(ef))).find(|(_, share)| *share >= recall - ALLOWANCE)
}

fn build_hnsw_rs(keys: &[Key]) -> Hnsw<'static, u64, Bits> {
    let graph = Hnsw::new(LINKS, keys.len(), 16, CONSTRUCTION, Bits);
    for (number, key) in keys.iter().enumerate() {
        graph.insert((&key.0, number));
    }
    graph
}

fn search_hnsw_rs(graph: &Hnsw<'_, u64, Bits>, queries: &[Key], ef: usize) -> usize {
    let within = |query: &Key| {
        graph.search(&query.0, NEAREST, ef).iter().filter(|found| found.distance <= RADIUS as f32).count()
    };
    queries.iter().map(within).sum()
}

/// The bit distance for hnsw_rs; exact in an f32.
struct Bits;

impl Distance<u64> for Bits {
    fn eval(&self, a: &[u64], b: &[u64]) -> f32 {
        let bits: u32 = a.iter().zip(b).map(|(a, b)| (a ^ b).count_ones()).sum();
        bits as f32
    }
}

fn built(name: &str, keys: usize, seconds: f64) {
    println!("{name}: built in {seconds:.1} s, {:.0} keys/s", keys as f64 / seconds);
}

/// Links and beam while building, for the others; ours has its own.
const LINKS: usize = 16;
const CONSTRUCTION: usize = 200;
/// Neighbours that the others are asked for: more than a family has members.
const NEAREST: usize = 16;
/// Recall that the others are forgiven: a handful of pairs, for which they would need a beam twice as long.
const ALLOWANCE: f64 = 0.0005;
/// Beams tried, shortest first.
const BEAMS: [usize; 19] = [16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 256, 384, 512, 1024];
