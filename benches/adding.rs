//! Compares adding an hour of video to a large index with adding it to an empty one.
//!
//! `cargo bench --bench adding -- --help`. The first part measures only the index, with made keys
//! (see `support/footage.rs`): open, add, commit, maintain. The second part also decodes a real
//! file. Rounds alternate.

#![allow(clippy::print_stdout, clippy::print_stderr)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

#[path = "../tests/support/mod.rs"]
mod films;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use clap::Parser;
use films::scenes;
use support::footage::{Footage, KEYS_AN_HOUR};
use support::{clock, corpus, grouped, verdict};
use uniq::Decoding;
use uniq::Index;
use uniq::ingest::{self, BuildOptions};

#[derive(Parser)]
#[command(about = "Measures adding an hour to a large index beside adding it to an empty one")]
struct Args {
    /// Hours in the large index; the figure's goal is for 1000
    #[arg(long, default_value_t = 100)]
    hours: u64,
    /// Minutes of the film that is decoded; the figure's goal is for 60
    #[arg(long, default_value_t = 3)]
    minutes: u32,
    /// Add this film instead of a made one; MP4 or MOV
    #[arg(long)]
    film: Option<PathBuf>,
    /// Rounds of each, alternating
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// What cargo passes to each bench
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let args = Args::parse();
    let large = corpus::scratch();
    let mut footage = Footage::new(9);
    corpus::write_footage(
        large.path(),
        &mut footage,
        args.hours * KEYS_AN_HOUR as u64,
        usize::MAX,
    );
    let state = corpus::open(large.path()).state().clone();
    println!(
        "{}\nlarge index: {} keys, {} videos, {:.0} h in {} segments, {:.2} GB, page cache warm",
        clock::processor(),
        grouped(state.keys),
        grouped(state.videos),
        state.hours,
        state.segments,
        state.bytes as f64 / 1e9
    );
    index_part(&args, large.path(), &mut footage);
    everything(&args, large.path());
}

/// Adds an hour of made keys, without decoding.
fn index_part(args: &Args, large: &Path, footage: &mut Footage) {
    println!(
        "\nthe index's part alone, {} keys: elapsed ms",
        grouped(KEYS_AN_HOUR as u64)
    );
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..args.rounds.max(1) {
        let empty = corpus::scratch();
        for (dir, times) in [large, empty.path()].into_iter().zip(&mut times) {
            let hour: Vec<_> = footage.videos(KEYS_AN_HOUR as u64).collect();
            let started = Instant::now();
            let mut writer = corpus::writer(dir);
            for (video, runs) in hour {
                writer
                    .add(video, runs)
                    .expect("a commit holds fewer than 2^32 keys");
            }
            writer.commit().expect("there is space on the disk");
            writer
                .maintain(&|| false)
                .expect("there is space on the disk");
            times.push(started.elapsed().as_secs_f64());
        }
    }
    for (name, times) in ["to the large index", "to an empty one"]
        .into_iter()
        .zip(&times)
    {
        let each: Vec<String> = times
            .iter()
            .map(|seconds| format!("{:.1}", 1e3 * seconds))
            .collect();
        println!(
            "  {name:<18} {:8.1} at the median; {}",
            1e3 * median(times),
            each.join(", ")
        );
    }
    // A merge happens in some rounds only. It is printed, and the median leaves it out.
    println!(
        "  difference         {:8.1}",
        1e3 * (median(&times[0]) - median(&times[1]))
    );
}

/// Adds a film that is decoded, which is what a user waits for.
fn everything(args: &Args, large: &Path) {
    let folder = corpus::scratch();
    let film = args
        .film
        .clone()
        .unwrap_or_else(|| looped(args.minutes, folder.path()));
    let (mut elapsed, mut processor) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    let mut seconds = 0.0;
    for round in 0..args.rounds.max(1) {
        let empty = corpus::scratch();
        let variant = folder.path().join(format!("round-{round}.mp4"));
        vary(&film, &variant, round as u64);
        for (place, dir) in [large, empty.path()].into_iter().enumerate() {
            let (started, before) = (Instant::now(), clock::process_seconds());
            seconds = build(dir, &variant).as_secs_f64();
            elapsed[place].push(started.elapsed().as_secs_f64());
            if let (Some(before), Some(after)) = (before, clock::process_seconds()) {
                processor[place].push(after - before);
            }
        }
        fs::remove_file(&variant).expect("the file was just written");
    }
    let keys = Index::open(large).expect("the index is ours").state().keys;
    println!(
        "\nall of it, with {:.1} min of film{}, to {} keys and to none:",
        seconds / 60.0,
        if args.film.is_none() {
            " (a made minute again and again)"
        } else {
            ""
        },
        grouped(keys)
    );
    for (name, times) in [("elapsed", &elapsed), ("processor", &processor)] {
        if times[0].is_empty() {
            continue;
        }
        let (to_large, to_empty) = (median(&times[0]), median(&times[1]));
        let ratio = to_large / to_empty;
        println!(
            "  {name:<10} {to_large:7.2} s against {to_empty:7.2} s at the median: ratio {ratio:.3} (goal for an hour and \
             1 000 hours: at most 1.2, {})",
            if args.hours >= 1000 {
                verdict(ratio <= 1.2)
            } else {
                "not judged with fewer"
            }
        );
        let scaled =
            (to_large - to_empty + to_empty * 3600.0 / seconds) / (to_empty * 3600.0 / seconds);
        println!(
            "  {:<10} scaled to an hour of film, the difference staying as it is: ratio {scaled:.3}",
            ""
        );
    }
}

fn build(dir: &Path, film: &Path) -> Duration {
    let sources = ingest::sources(&[film.to_owned()]).expect("the film is a file");
    let options = BuildOptions {
        threads: Some(1),
        ..BuildOptions::new(Decoding::in_process())
    };
    let summary = ingest::build(dir, sources, &options, &|_| {}, &AtomicBool::new(false))
        .expect("the index is ours");
    assert_eq!(summary.added, 1, "{:?}", summary.failed);
    summary.video
}

/// A made minute, repeated without encoding it again.
fn looped(minutes: u32, folder: &Path) -> PathBuf {
    let minute = scenes::moving(77, 60);
    let film = folder.join("film.mp4");
    let status = Command::new("ffmpeg")
        .args([
            "-nostdin",
            "-loglevel",
            "error",
            "-y",
            "-stream_loop",
            &(minutes.max(1) - 1).to_string(),
            "-i",
        ])
        .arg(&minute)
        .args(["-c", "copy"])
        .arg(&film)
        .status()
        .expect("the ffmpeg command is installed");
    assert!(
        status.success(),
        "ffmpeg cannot repeat {}",
        minute.display()
    );
    film
}

/// Copies a film and appends an empty box, so that an index takes it for another video.
fn vary(film: &Path, variant: &Path, number: u64) {
    fs::copy(film, variant).expect("there is space on the disk");
    let mut file = OpenOptions::new()
        .append(true)
        .open(variant)
        .expect("the file was just written");
    let mut free = Vec::from(16u32.to_be_bytes());
    free.extend(b"free");
    free.extend(number.to_be_bytes());
    file.write_all(&free).expect("there is space on the disk");
}

fn median(times: &[f64]) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}
