//! How building, opening and searching scale with the number of keys, as a table for
//! docs/measurements.md.
//!
//! `cargo bench --bench growth -- [KEYS ...]`. Keys follow real footage (see `support/footage.rs`).
//! They are added in videos, committed and merged as by a build, and then by `uniq index merge`.
//! The queries are made clips of 10 s with as many keys as real ones, in all orientations of the
//! standard effort: one like nothing stored, and noisy copies of excerpts of stored videos. `--scan
//! avx2` uses the instructions of another processor. 100 000 000 keys take 7 GB of disk.

#![allow(clippy::print_stdout, clippy::print_stderr)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use clap::Parser;
use support::footage::{DEFAULT_KEYS_AN_HOUR, Footage};
use support::random::Random;
use support::{clip, clock, corpus, grouped};
use uniq::fingerprint::Fingerprint;
use uniq::index::{SearchMode, Video, VideoRef};
use uniq::report::Effort;
use uniq::{Index, search};

#[derive(Parser)]
#[command(about = "Measures how building, opening and searching grow with the number of keys")]
struct Args {
    /// Numbers of keys
    #[arg(default_values_t = [100_000, 300_000])]
    keys: Vec<u64>,
    /// Rounds of each search; the best counts
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Copies that are searched for
    #[arg(long, default_value_t = 20)]
    copies: usize,
    /// Compare keys by these instructions of this processor
    #[arg(long)]
    scan: Option<String>,
    /// Keep the indexes in this folder, and search those that are there
    #[arg(long)]
    keep: Option<PathBuf>,
    /// Open this index, print what it took, and end
    #[arg(long, hide = true)]
    open: Option<PathBuf>,
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
    if let Some(dir) = &args.open {
        open(dir);
        return;
    }
    println!(
        "{}, {}; searches on one core, processor time, best of {} rounds; {} keys a clip of 10 s\n",
        clock::processor(),
        uniq::index::scan_instructions(),
        args.rounds,
        grouped(clip::KEYS as u64),
    );
    println!(
        "| keys | hours | built, keys/s (wall) | memory of building, MB | segments | cells | bytes a key | open, ms, MB \
         | new clip, s | copy, s | of it exact, s | copies nominated |\n|---|---|---|---|---|---|---|---|---|---|---|---|"
    );
    for &keys in &args.keys {
        measure(&args, keys);
    }
}

fn measure(args: &Args, keys: u64) {
    let scratch = corpus::scratch();
    let dir = args.keep.as_ref().map_or_else(
        || scratch.path().to_owned(),
        |keep| keep.join(keys.to_string()),
    );
    let built = if Index::exists(&dir) {
        ("kept".to_owned(), String::new())
    } else {
        let (seconds, memory) = build(&dir, keys);
        (
            format!("{:.0}", keys as f64 / seconds),
            format!("{:.0}", memory / 1e6),
        )
    };
    let program = std::env::current_exe().expect("this program has a path");
    let opened = Command::new(program)
        .arg("--open")
        .arg(&dir)
        .output()
        .expect("this program starts");
    let opened = String::from_utf8_lossy(&opened.stdout).trim().to_owned();
    let index = corpus::open(&dir);
    let state = index.state();
    let mut footage = Footage::new(40);
    let mut random = Random::new(41);
    let unrelated = clip::unrelated(&mut footage);
    let sources: Vec<(VideoRef, Video)> = index
        .videos()
        .map(|(video, about)| (video, about.clone()))
        .collect();
    let copies: Vec<(VideoRef, Fingerprint)> = (0..args.copies)
        .map(|_| {
            let (video, _) = &sources[random.below(sources.len())];
            let track = index.track(*video).expect("the index was just written");
            (*video, clip::copy(&track.runs, &mut footage, &mut random))
        })
        .collect();
    let orientations = Effort::Standard.orientations();
    let hits = |clip: &Fingerprint, mode| {
        let keys = 0..clip.keys().len();
        search::search(&index, clip, keys, &orientations, mode, &|| Ok(()))
            .expect("the index was just written")
            .hits
    };
    let time = |clip: &Fingerprint, mode: SearchMode| {
        (0..args.rounds.max(1))
            .map(|_| clock::once(|| hits(clip, mode)).0)
            .fold(f64::INFINITY, f64::min)
    };
    let new = time(&unrelated, SearchMode::Screened);
    let copy = time(&copies[0].1, SearchMode::Screened);
    let exact = if keys <= EXACT_MAX {
        format!("{:.2}", time(&copies[0].1, SearchMode::Exact))
    } else {
        String::new()
    };
    let nominated = copies.iter().filter(|(video, clip)| {
        hits(clip, SearchMode::Screened)
            .iter()
            .any(|hit| hit.video == *video)
    });
    println!(
        "| {} | {:.1} | {} | {} | {} | {} | {:.1} | {opened} | {new:.3} | {copy:.3} | {exact} | {} of {} |",
        grouped(state.keys),
        state.keys as f64 / DEFAULT_KEYS_AN_HOUR,
        built.0,
        built.1,
        state.segments,
        grouped(state.cells),
        state.bytes as f64 / state.keys as f64,
        nominated.count(),
        copies.len(),
    );
    let _ = std::io::stdout().flush();
}

/// Builds an index. Returns the seconds without those for making the keys, and the maximum private
/// memory.
fn build(dir: &Path, keys: u64) -> (f64, f64) {
    let mut footage = Footage::new(4);
    let mut writer = corpus::writer(dir);
    let (mut seconds, mut memory) = (0.0, 0.0_f64);
    let mut part = Vec::new();
    let mut waiting = 0;
    let mut last = Instant::now();
    for (video, runs) in footage.videos(keys) {
        waiting += runs.len() as u64;
        part.push((video, runs));
        if waiting >= COMMIT_KEYS {
            let started = Instant::now();
            for (video, runs) in part.drain(..) {
                writer.add(video, runs).expect("a video has few keys");
            }
            writer
                .maintain(&|| false)
                .expect("there is space on the disk");
            seconds += started.elapsed().as_secs_f64();
            memory = memory.max(clock::private_memory().map(|memory| memory.1).unwrap_or(0) as f64);
            waiting = 0;
            if last.elapsed() >= Duration::from_secs(60) {
                last = Instant::now();
                eprintln!(
                    "{} keys so far",
                    grouped(writer.committed().map_or(0, |index| index.state().keys))
                );
            }
        }
    }
    let started = Instant::now();
    for (video, runs) in part {
        writer.add(video, runs).expect("a video has few keys");
    }
    let peak = std::cell::Cell::new(memory);
    let watch = uniq::index::Watch {
        cancel: &|| false,
        progress: Some(&|_, _| {
            peak.set(
                peak.get()
                    .max(clock::private_memory().map(|memory| memory.1).unwrap_or(0) as f64),
            )
        }),
    };
    writer.compact(watch).expect("there is space on the disk");
    (seconds + started.elapsed().as_secs_f64(), peak.get())
}

/// Opens an index in this new process and prints milliseconds and private megabytes.
fn open(dir: &Path) {
    let before = clock::private_memory().map(|memory| memory.1).unwrap_or(0);
    let started = Instant::now();
    let index = corpus::open(dir);
    let ms = started.elapsed().as_secs_f64() * 1e3;
    let bytes = clock::private_memory()
        .map(|memory| memory.1)
        .unwrap_or(0)
        .saturating_sub(before);
    assert!(index.state().keys > 0);
    println!("{ms:.0}, {:.1}", bytes as f64 / 1e6);
}

/// Number of keys in a commit: about an hour of video.
const COMMIT_KEYS: u64 = 100_000;
/// Maximum number of keys for which comparing all keys is timed too.
const EXACT_MAX: u64 = 10_000_000;
