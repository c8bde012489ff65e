//! The cost of decoding in a separate process compared with decoding in the same process, on 720p
//! and 1080p files.
//!
//! `cargo bench --bench sandbox -- [FILE...]`. Without files it uses made ones of 20 s at the bit
//! rates of cameras, which are kept for the next time. The program `uniq fingerprint` runs on each
//! file alternately with and without `--in-process`, and the ratio of each pair counts, because
//! other load affects both. Processor seconds include all child processes. Throughput is the
//! video's length divided by the time. Each pair is printed on standard error. The goal is a
//! throughput of at least 0.9 of that in process.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use clap::Parser;
use support::clips;
use support::scenes::{self, Encoding, Scene};

#[derive(Parser)]
#[command(about = "Measures decoding in a process of its own against decoding in process")]
struct Args {
    /// Measure these files instead of made ones
    files: Vec<PathBuf>,
    /// How often to run each pair
    #[arg(long, default_value_t = 7)]
    runs: usize,
    /// Seconds of the made files
    #[arg(long, default_value_t = 20)]
    seconds: u32,
    /// What cargo passes to each bench
    #[arg(long, hide = true)]
    bench: bool,
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_uniq");
/// Minimum throughput, as a ratio to that in process.
const GOAL: f64 = 0.9;

/// Processor seconds and elapsed seconds.
type Cost = (f64, f64);

fn main() {
    let args = Args::parse();
    let files = if args.files.is_empty() {
        made(args.seconds)
    } else {
        args.files.clone()
    };
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    println!(
        "{} runs each, alternating; ratios of throughput, sandboxed to in process, median of the pairs",
        args.runs
    );
    for file in &files {
        let seconds = clips::duration_s(file);
        let mut pairs = Vec::new();
        for run in 0..args.runs.max(1) {
            let measured = |own: bool| measure(file, folder.path(), own);
            // The second one runs on a warmer machine, so the order alternates.
            let (own, here) = if run % 2 == 0 {
                let own = measured(true);
                (own, measured(false))
            } else {
                let here = measured(false);
                (measured(true), here)
            };
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            eprintln!(
                "{name}, pair {} of {}: {:.2} s of processor against {:.2} s",
                run + 1,
                args.runs,
                own.0,
                here.0
            );
            pairs.push((own, here));
        }
        let median = |of: &dyn Fn(&(Cost, Cost)) -> f64| {
            let mut values: Vec<f64> = pairs.iter().map(of).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        let processor = median(&|(own, here)| here.0 / own.0);
        let elapsed = median(&|(own, here)| here.1 / own.1);
        let reached = |ratio: f64| if ratio >= GOAL { "reached" } else { "MISSED" };
        println!(
            "{} ({seconds:.0} s)",
            file.file_name().unwrap_or_default().to_string_lossy()
        );
        println!(
            "  processor {:.2} s against {:.2} s: throughput {processor:.3} ({})",
            median(&|pair| pair.0.0),
            median(&|pair| pair.1.0),
            reached(processor)
        );
        println!(
            "  elapsed   {:.2} s against {:.2} s: throughput {elapsed:.3} ({})",
            median(&|pair| pair.0.1),
            median(&|pair| pair.1.1),
            reached(elapsed)
        );
    }
    let starts: Vec<f64> = (0..21).map(|_| start()).collect();
    let mut sorted = starts;
    sorted.sort_by(f64::total_cmp);
    println!(
        "starting a decoding process and giving up everything: {:.1} ms, median of 21",
        1e3 * sorted[10]
    );
}

/// Elapsed seconds until a process without a file has given up its rights and ended.
fn start() -> f64 {
    let uniq::sandbox::Place::Worker(worker) = uniq::Decoding::worker(PROGRAM).place else {
        return f64::NAN;
    };
    let begun = Instant::now();
    worker.start().expect("a decoding process starts");
    begun.elapsed().as_secs_f64()
}

fn made(seconds: u32) -> Vec<PathBuf> {
    let encoding = |size, rate: &str| Encoding {
        size,
        noise: 5,
        args: scenes::words(&format!(
            "-c:v libx264 -preset veryfast -b:v {rate} -g 50 -bf 2"
        )),
        extension: "mp4".to_owned(),
    };
    let scene = Scene::Moving { seed: 4_242 };
    let sizes = [((1280, 720), "3M"), ((1920, 1080), "6M")];
    let make = |(size, rate): ((u32, u32), &str)| {
        eprintln!(
            "{seconds} s of {} x {} at {rate} bits a second: making them unless they are there",
            size.0, size.1
        );
        scenes::make(&scene, seconds, &encoding(size, rate))
    };
    sizes.into_iter().map(make).collect()
}

fn measure(file: &Path, folder: &Path, own: bool) -> Cost {
    let script = "\"$@\" 2>/dev/null; code=$?; times; exit $code";
    let mut command = Command::new("sh");
    command
        .args(["-c", script, "sh", PROGRAM, "fingerprint", "-q"])
        .arg(file)
        .arg("-o")
        .arg(folder.join("x.uniq"));
    if !own {
        command.arg("--in-process");
    }
    let begun = Instant::now();
    let output = command.output().expect("a shell is installed");
    let elapsed = begun.elapsed().as_secs_f64();
    assert!(
        output.status.success(),
        "{}: {}",
        file.display(),
        output.status
    );
    let text = String::from_utf8_lossy(&output.stdout);
    let children = text.lines().nth(1).unwrap_or_default();
    (children.split_whitespace().filter_map(clock).sum(), elapsed)
}

/// Parses `1m2.345s`.
fn clock(text: &str) -> Option<f64> {
    let (minutes, seconds) = text.strip_suffix('s')?.split_once('m')?;
    Some(60.0 * minutes.parse::<f64>().ok()? + seconds.parse::<f64>().ok()?)
}
