//! Bytes a key on disk, and what opening a large index takes: time and private memory.
//!
//! `cargo bench --bench storage -- --help`. The large index follows real footage (see `support/footage.rs`) and is
//! opened by a fresh process each time, the page cache being warm, as it was just written.

#![allow(clippy::print_stdout, clippy::print_stderr)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use clap::Parser;
use support::footage::Footage;
use support::random::Random;
use support::{CLIP_KEYS, clock, corpus, grouped, verdict};
use uniq::SearchMode;
use uniq::fingerprint::Key;
use uniq::index::GraphPolicy;

#[derive(Parser)]
#[command(about = "Measures bytes a key, and time and memory of opening a large index")]
struct Args {
    /// Keys for the bytes a key, graph included
    #[arg(long, default_value_t = 20_000)]
    keys: usize,
    /// Keys of the index to be opened; the figure's goal is for 10000000
    #[arg(long, default_value_t = 2_000_000)]
    large: usize,
    /// How often to open it
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Open this index, print what it took, and end
    #[arg(long, hide = true)]
    open: Option<PathBuf>,
    /// What cargo passes to each bench
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let args = Args::parse();
    if let Some(dir) = &args.open {
        open(dir);
        return;
    }
    println!("{}\n", clock::processor());
    bytes(args.keys);
    opening(&args);
}

/// Bytes a key with and without graph, for keys of three kinds.
fn bytes(count: usize) {
    println!("bytes a key on disk (goal: 60 without graph, postings included; 190 with it)\n");
    println!("| keys | kind | postings a key | without graph | with graph | |\n|---|---|---|---|---|---|");
    let mut random = Random::new(6);
    let uniform: Vec<Key> = (0..count).map(|_| random.key()).collect();
    for (kind, keys) in
        [("random", Some(uniform)), ("families of ten", Some(random.families(count))), ("footage", None)]
    {
        let dir = corpus::scratch();
        match keys {
            Some(keys) => corpus::write_keys(dir.path(), &keys, GraphPolicy::Never),
            // With its videos, as they are part of the bytes.
            None => drop(corpus::write_footage(dir.path(), &mut Footage::new(6), count as u64, count)),
        }
        let (before, keys, postings) = {
            let index = corpus::open(dir.path());
            let state = index.state();
            (state.bytes, state.distinct_keys as f64, state.keys as f64)
        };
        corpus::writer(dir.path()).maintain(&|| false).expect("there is space on the disk");
        let index = corpus::open(dir.path());
        let state = index.state();
        let (without, with) = (before as f64 / keys, state.bytes as f64 / keys);
        println!(
            "| {} | {kind} | {:.3} | {without:.1} | {} | {} |",
            grouped(keys as u64),
            postings / keys,
            if state.graphs > 0 { format!("{with:.1}") } else { "refused".to_owned() },
            verdict(without <= 60.0 && with <= 190.0 && state.graphs > 0)
        );
    }
}

/// Opens a large index in fresh processes.
fn opening(args: &Args) {
    let dir = corpus::scratch();
    corpus::write_footage(dir.path(), &mut Footage::new(8), args.large as u64, args.large);
    let index = corpus::open(dir.path());
    let state = index.state();
    println!(
        "\nopening {} distinct keys, {} postings, {} videos, {:.0} h in {} segments, {:.2} GB, page cache warm",
        grouped(state.distinct_keys),
        grouped(state.keys),
        grouped(state.videos),
        state.hours,
        state.segments,
        state.bytes as f64 / 1e9
    );
    let program = std::env::current_exe().expect("a running program has a name");
    let mut answers: Vec<[f64; 3]> = Vec::new();
    for _ in 0..args.rounds.max(1) {
        let output = Command::new(&program).arg("--open").arg(dir.path()).output().expect("this program runs");
        let words = String::from_utf8_lossy(&output.stdout).into_owned();
        let numbers: Vec<f64> = words.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let [seconds, opened, searched] = numbers[..] else {
            panic!("{}: {words}{}", output.status, String::from_utf8_lossy(&output.stderr));
        };
        answers.push([seconds, opened, searched]);
    }
    let least = |place: usize| answers.iter().map(|answer| answer[place]).fold(f64::INFINITY, f64::min);
    let most = |place: usize| answers.iter().map(|answer| answer[place]).fold(0.0, f64::max);
    let goal = |reached| if args.large >= 10_000_000 { verdict(reached) } else { "not judged below 10 000 000 keys" };
    println!(
        "  elapsed {:.1} ms at best, {:.1} at worst of {} (goal: 100 ms, {})",
        1e3 * least(0),
        1e3 * most(0),
        answers.len(),
        goal(1e3 * least(0) < 100.0)
    );
    println!(
        "  private memory {:.1} MB more, at worst (goal: 50 MB, {}); {:.1} MB after a search of {CLIP_KEYS} keys",
        most(1) / 1e6,
        goal(most(1) < 50e6),
        most(2) / 1e6
    );
}

/// What a fresh process does: opens the index, searches it once, and prints seconds and private bytes.
fn open(dir: &Path) {
    // What comes from a first call and not from the index: threads and their stacks.
    rayon::join(|| (), || ());
    let private = || {
        let (dirty, anonymous) = clock::private_memory().unwrap_or((0, 0));
        dirty.max(anonymous) as f64
    };
    let before = private();
    let started = Instant::now();
    let index = corpus::open(dir);
    let seconds = started.elapsed().as_secs_f64();
    let opened = private() - before;
    let mut random = Random::new(1);
    let queries: Vec<Key> = (0..CLIP_KEYS).map(|_| random.key()).collect();
    let found = corpus::near(&index, &queries, SearchMode::Exact).found.len();
    assert!(found <= CLIP_KEYS, "random keys have no neighbours to speak of");
    println!("{seconds} {opened} {}", private() - before);
}
