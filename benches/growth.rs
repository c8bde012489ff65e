//! How building and searching grow with the number of keys, as a table for the README.
//!
//! `cargo bench --bench growth -- [KEYS ...]`. Keys follow real footage (see `support/footage.rs`), in one segment;
//! queries are stored keys with 0 to 60 flipped bits. All on one core; a million keys take half an hour or so.

#![allow(clippy::print_stdout, clippy::print_stderr)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Parser;
use support::footage::{DEFAULT_KEYS_AN_HOUR, Footage};
use support::random::Random;
use support::{CLIP_KEYS, RADIUS, clock, corpus, grouped};
use uniq::SearchMode;
use uniq::fingerprint::Key;
use uniq::index::GraphPolicy;

#[derive(Parser)]
#[command(about = "Measures how graph and scan grow with the number of keys")]
struct Args {
    /// Numbers of keys
    #[arg(default_values_t = [10_000, 30_000])]
    keys: Vec<usize>,
    /// Queries
    #[arg(long, default_value_t = CLIP_KEYS)]
    queries: usize,
    /// Rounds of each, alternating; the best counts
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// What cargo passes to each bench
    #[arg(long, hide = true)]
    bench: bool,
}

/// A line of the table.
struct Line {
    keys: f64,
    scan_us: f64,
    graph_us: f64,
}

fn main() {
    let args = Args::parse();
    println!(
        "{}; one core, processor time, best of {} rounds; {} queries with 0 to 60 flipped bits, radius {RADIUS}\n",
        clock::processor(),
        args.rounds,
        args.queries
    );
    println!(
        "| keys | hours | graph built, keys/s | bytes a key without / with graph | scan, us a query | graph, us a query \
         | beam | recall | {} keys, auto, s |\n|---|---|---|---|---|---|---|---|---|",
        args.queries
    );
    let lines: Vec<Line> = args.keys.iter().filter_map(|&keys| measure(&args, keys)).collect();
    let pays = lines.windows(2).find(|pair| pair[0].graph_us > pair[0].scan_us && pair[1].graph_us <= pair[1].scan_us);
    match pays {
        Some([before, after]) => println!("\nthe graph pays from {} keys on", grouped(crossing(before, after))),
        _ => match lines.last() {
            // Scan time is proportional; the graph's is continued by its last value, which is too good for it.
            Some(last) if last.graph_us > last.scan_us => println!(
                "\nthe scan is faster at all these sizes; it would meet the graph's last time at {} keys",
                grouped((last.keys * last.graph_us / last.scan_us) as u64)
            ),
            _ => println!("\nthe graph is faster at all these sizes"),
        },
    }
}

fn measure(args: &Args, count: usize) -> Option<Line> {
    let mut footage = Footage::new(4);
    let keys: Vec<Key> = footage.videos(count as u64).flat_map(|(_, runs)| runs).map(|run| run.key).collect();
    let queries = Random::new(5).noisy_copies(&keys, args.queries, 60);
    let dir = corpus::scratch();
    corpus::write_keys(dir.path(), &keys, GraphPolicy::Never);
    let plain = corpus::open(dir.path());
    let expected = corpus::near(&plain, &queries, SearchMode::Exact).found.len();
    let without = plain.state().bytes as f64 / keys.len() as f64;
    drop(plain);
    let (build_s, ()) = clock::of_process(|| {
        corpus::writer(dir.path()).maintain(&|| false).expect("there is space on the disk");
    });
    let index = corpus::open(dir.path());
    let [mut scan, mut graph, mut auto] = [f64::INFINITY; 3];
    let mut found = 0;
    for _ in 0..args.rounds.max(1) {
        scan = scan.min(clock::often(|| corpus::near(&index, &queries, SearchMode::Exact)).0);
        let (seconds, answer) = clock::often(|| corpus::near(&index, &queries, SearchMode::Graph));
        graph = graph.min(seconds);
        found = answer.found.len();
        auto = auto.min(clock::often(|| corpus::near(&index, &queries, SearchMode::Auto)).0);
    }
    let micros = |seconds: f64| seconds / queries.len() as f64 * 1e6;
    let refused = index.state().graphs == 0;
    println!(
        "| {} | {:.1} | {:.0} | {without:.0} / {:.0} | {:.1} | {} | {} | {} | {auto:.3} |",
        grouped(keys.len() as u64),
        keys.len() as f64 / DEFAULT_KEYS_AN_HOUR,
        keys.len() as f64 / build_s,
        index.state().bytes as f64 / keys.len() as f64,
        micros(scan),
        if refused { "refused".to_owned() } else { format!("{:.1}", micros(graph)) },
        beams(dir.path()),
        if refused { String::new() } else { format!("{:.4}", found as f64 / expected as f64) },
    );
    let _ = std::io::stdout().flush();
    (!refused).then(|| Line { keys: keys.len() as f64, scan_us: micros(scan), graph_us: micros(graph) })
}

/// Length of the beam of each segment's graph, from the files' headers.
fn beams(dir: &Path) -> String {
    let files = fs::read_dir(dir.join("segments")).expect("the index was just written");
    let mut graphs: Vec<_> = files.map(|file| file.expect("a folder can be listed").path()).collect();
    graphs.retain(|path| path.extension().is_some_and(|extension| extension == "graph"));
    graphs.sort();
    let beam = |path: &PathBuf| {
        let bytes = fs::read(path).expect("the graph was just written");
        u32::from_le_bytes(bytes[BEAM_AT..BEAM_AT + 4].try_into().expect("four bytes")).to_string()
    };
    graphs.iter().map(beam).collect::<Vec<_>>().join(" and ")
}

/// Where a graph's file has its beam; see `index-data/FORMAT.md`.
const BEAM_AT: usize = 32;

/// Where the two times meet between two sizes, both taken as powers of the size.
fn crossing(before: &Line, after: &Line) -> u64 {
    let gap = |line: &Line| (line.graph_us / line.scan_us).ln();
    let part = gap(before) / (gap(before) - gap(after));
    (before.keys * (after.keys / before.keys).powf(part)) as u64
}
