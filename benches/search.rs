//! Compares all keys, and probes cells, on one core, both compared with FAISS.
//!
//! `cargo bench --bench search -- --help`. The keys follow real footage (see `support/footage.rs`).
//! Half of the queries are stored keys with 0 to 60 flipped bits, half are like nothing stored.

#![allow(clippy::print_stdout, clippy::print_stderr)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::path::Path;

use clap::Parser;
use support::faiss::Faiss;
use support::footage::Footage;
use support::random::Random;
use support::{RADIUS, clock, corpus, grouped, verdict};
use uniq::fingerprint::Key;
use uniq::index::Screen;

#[derive(Parser)]
#[command(about = "Measures comparing all keys and looking into cells on one core, beside FAISS")]
struct Args {
    /// Keys
    #[arg(long, default_value_t = 1_000_000)]
    keys: usize,
    /// Queries
    #[arg(long, default_value_t = 1_000)]
    queries: usize,
    /// Cells that the keys are sorted by
    #[arg(long, default_value_t = 4096)]
    cells: usize,
    /// Cells that are looked into for each query
    #[arg(long, default_value_t = 16)]
    probes: usize,
    /// Radius of looking into cells, in bits
    #[arg(long, default_value_t = 56)]
    radius: u32,
    /// Compare keys by these instructions of this processor
    #[arg(long)]
    scan: Option<String>,
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
    if let Some(name) = &args.scan {
        assert!(
            uniq::index::choose_scan_instructions(name),
            "this processor does not have {name}"
        );
    }
    println!(
        "{}, {}; one core, processor time, best of {} rounds",
        clock::processor(),
        uniq::index::scan_instructions(),
        args.rounds
    );
    let mut footage = Footage::new(1);
    let keys: Vec<Key> = footage
        .videos(args.keys as u64)
        .flat_map(|(_, runs)| runs)
        .map(|run| run.key)
        .collect();
    let queries = queries(&keys, &mut footage, args.queries);
    let dir = corpus::scratch();
    corpus::write_keys(dir.path(), &keys);
    let mut faiss = if args.no_faiss { None } else { Faiss::start() };
    if let Some(faiss) = &mut faiss {
        faiss.load(&keys, &queries);
    }
    scan(&args, dir.path(), &queries, faiss.as_mut());
    cells(&args, dir.path(), &queries, faiss.as_mut());
}

/// Pairs a second of ours and FAISS, alternately.
fn scan(args: &Args, dir: &Path, queries: &[Key], mut faiss: Option<&mut Faiss>) {
    let index = corpus::open(dir);
    let stored = index.state().keys;
    let pairs = stored as f64 * queries.len() as f64;
    if let Some(faiss) = &mut faiss {
        faiss.ask("flat");
    }
    let (mut ours, mut range, mut nearest) = (f64::INFINITY, f64::INFINITY, f64::INFINITY);
    for _ in 0..args.rounds.max(1) {
        let (seconds, answer) = clock::often(|| corpus::near(&index, queries));
        ours = ours.min(seconds);
        if let Some(faiss) = &mut faiss {
            let found = faiss.ask(&format!("range {RADIUS}"));
            assert_eq!(
                found[1],
                answer.len() as f64,
                "FAISS and the scan find the same"
            );
            range = range.min(found[0]);
            nearest = nearest.min(faiss.ask(&format!("nearest 16 {RADIUS}"))[0]);
        }
    }
    let speed = |seconds: f64| pairs / seconds / 1e9;
    println!(
        "\nall keys, {} queries x {} keys, radius {RADIUS}: {:.2} x 10^9 pairs/s",
        queries.len(),
        grouped(stored),
        speed(ours),
    );
    if let Some(faiss) = &faiss {
        println!(
            "faiss.IndexBinaryFlat {}: range search {:.2}, 16 nearest {:.2} x 10^9 pairs/s; we are {:.2} times as fast as \
             its faster one",
            faiss.version,
            speed(range),
            speed(nearest),
            range.min(nearest) / ours,
        );
    }
}

/// Time and recall of probing as many cells, for ours and FAISS, alternately.
fn cells(args: &Args, dir: &Path, queries: &[Key], mut faiss: Option<&mut Faiss>) {
    let (sort_s, ()) = clock::of_process(|| {
        corpus::writer(dir)
            .sort_by_cells(args.cells, &|| false)
            .expect("there is space on the disk");
    });
    let index = corpus::open(dir);
    let all = index
        .near(queries, args.radius)
        .expect("the index was just written")
        .len() as f64;
    let screen = Screen {
        probes: args.probes,
        radius: args.radius,
        sketch_radius: args.radius / 2 + 4,
    };
    let trained = faiss
        .as_mut()
        .map(|faiss| faiss.ask(&format!("ivf {}", args.cells))[0]);
    let (mut ours, mut theirs, mut found, mut theirs_found) =
        (f64::INFINITY, f64::INFINITY, 0, 0.0);
    for _ in 0..args.rounds.max(1) {
        let near = || {
            index
                .near_by_cell(queries, &screen)
                .expect("the index was just written")
        };
        let (seconds, answer) = clock::often(near);
        (ours, found) = (ours.min(seconds), answer.len());
        if let Some(faiss) = &mut faiss {
            let answer = faiss.ask(&format!("probe {} {}", args.probes, args.radius));
            (theirs, theirs_found) = (theirs.min(answer[0]), answer[1]);
        }
    }
    let micros = |seconds: f64| seconds / queries.len() as f64 * 1e6;
    println!(
        "\n{} of {} cells, radius {}: {:.1} us a query, recall {:.4}; trained and sorted in {sort_s:.1} s",
        args.probes,
        index.state().cells,
        args.radius,
        micros(ours),
        found as f64 / all,
    );
    if let (Some(trained_s), Some(faiss)) = (trained, &faiss) {
        let ratio = theirs / ours;
        println!(
            "faiss.IndexBinaryIVF {}: {:.1} us a query, recall {:.4}; trained and filled in {trained_s:.1} s; we are \
             {ratio:.2} times as fast (goal: 2, {})",
            faiss.version,
            micros(theirs),
            theirs_found / all,
            verdict(ratio >= 2.0)
        );
    }
}

/// Queries: half are noisy copies of stored keys, half are like nothing stored.
fn queries(stored: &[Key], footage: &mut Footage, count: usize) -> Vec<Key> {
    let mut queries = Random::new(7).noisy_copies(stored, count / 2, 60);
    queries.resize_with(count, || footage.key());
    queries
}
