//! The cost of indexing and checking, compared with decoding the same files in the same run.
//!
//! `cargo bench --bench cost -- [DIR]`, where DIR holds a `manifest.csv`; without it `$UNIQ_CLIPS`,
//! and without that made scenes. It counts processor seconds (user and system, of the process and
//! its children) instead of elapsed ones, so that other load on the machine matters little. Runs
//! alternate with those of the reference; the median counts.

#![allow(clippy::print_stdout, clippy::print_stderr)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use clap::Parser;
use serde_json::json;
use support::clips::{self, Clip};
use support::scenes::{self, Encoding, Scene};

#[derive(Parser)]
#[command(about = "Measures the processor time of index build and check against plain ffmpeg")]
struct Args {
    /// Folder of clips with a manifest.csv
    folder: Option<PathBuf>,
    /// Check this clip instead of a made one of 60 s in 1080p
    #[arg(long)]
    clip: Option<PathBuf>,
    /// How often to run each
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Write the figures to this file
    #[arg(long)]
    json: Option<PathBuf>,
    /// Measure this program instead of the one just built
    #[arg(long, default_value = env!("CARGO_BIN_EXE_uniq"))]
    program: PathBuf,
    /// What cargo passes to each bench
    #[arg(long, hide = true)]
    bench: bool,
}

/// Processor seconds and elapsed seconds of one run.
#[derive(Clone, Copy)]
struct Cost {
    processor_s: f64,
    elapsed_s: f64,
}

fn main() {
    let args = Args::parse();
    let folder = clips::folder(args.folder.clone());
    let clips = folder.as_deref().map_or_else(clips::made, clips::read);
    let clip = args.clip.clone().unwrap_or_else(full_hd_clip);
    let bytes: u64 = clips.iter().map(|clip| length(&clip.path)).sum();
    let seconds: f64 = clips.iter().map(|clip| clips::duration_s(&clip.path)).sum();
    println!(
        "index: {} videos, {seconds:.0} s, {:.1} MB; clip: {}, {:.1} MB; {} runs each, alternating, median",
        clips.len(),
        bytes as f64 / 1e6,
        clip.display(),
        length(&clip) as f64 / 1e6,
        args.runs
    );

    let scratch = tempfile::tempdir().expect("a temporary folder can be made");
    let (mut builds, mut samplings) = (Vec::new(), Vec::new());
    let mut index = PathBuf::new();
    for run in 0..args.runs.max(1) {
        index = scratch.path().join(format!("index-{run}"));
        builds.push(measure(
            args.program.as_os_str(),
            &build_args(&index, &clips),
            &[0],
        ));
        samplings.push(sum(clips.iter().map(|clip| {
            measure(
                OsStr::new("ffmpeg"),
                &decode_args(&clip.path, &["-vf", "fps=1,scale=-2:128"]),
                &[0],
            )
        })));
        eprintln!("build {run}: {}", spoken(builds[run], samplings[run]));
    }
    let (checks, decodings) = check(&args, &index, &clip, &[0, 1, 3]);
    let index_bytes: u64 = walkdir::WalkDir::new(&index)
        .into_iter()
        .filter_map(|entry| entry.ok()?.metadata().ok())
        .filter(fs::Metadata::is_file)
        .map(|entry| entry.len())
        .sum();
    // All of the clip must be aligned with the place where it was published.
    let published = scratch.path().join("published.mp4");
    let small = [
        "-vf",
        "scale=-2:480",
        "-c:v",
        "libx264",
        "-preset",
        "veryfast",
        "-an",
        "-f",
        "mp4",
    ];
    measure(
        OsStr::new("ffmpeg"),
        &ffmpeg_args(&clip, &small, published.as_os_str()),
        &[0],
    );
    let add = [
        "index".as_ref(),
        "add".as_ref(),
        "--index".as_ref(),
        index.as_os_str(),
        published.as_os_str(),
    ];
    measure(args.program.as_os_str(), &add.map(OsStr::to_owned), &[0]);
    let (published_checks, published_decodings) = check(&args, &index, &clip, &[1, 3]);

    let build = line(
        "index build",
        "ffmpeg fps=1,scale=-2:128",
        &builds,
        &samplings,
        seconds,
    );
    let clip_s = clips::duration_s(&clip);
    let check = line("check", "ffmpeg decode", &checks, &decodings, clip_s);
    let published = line(
        "published",
        "ffmpeg decode",
        &published_checks,
        &published_decodings,
        clip_s,
    );
    println!("index on disk: {:.2} MB", index_bytes as f64 / 1e6);
    if let Some(path) = &args.json {
        let all = json!({
            "videos": clips.len(), "video_seconds": seconds, "video_bytes": bytes, "index_bytes": index_bytes,
            "clip_bytes": length(&clip), "build": build, "check": check,
            "check_of_published": published,
        });
        fs::write(path, format!("{all:#}\n"))
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

/// Prints a figure, its reference and their ratio.
fn line(
    name: &str,
    reference: &str,
    ours: &[Cost],
    theirs: &[Cost],
    seconds: f64,
) -> serde_json::Value {
    let (mine, other) = (median(ours), median(theirs));
    let ratio = mine / other;
    println!(
        "{name:<12} {mine:8.2} s processor ({:.0} x real time)",
        seconds / mine
    );
    println!("{reference:<12} {other:8.2} s processor");
    println!("{:<12} {ratio:8.2}", "ratio");
    json!({
        "processor_s": ours.iter().map(|cost| cost.processor_s).collect::<Vec<_>>(),
        "elapsed_s": ours.iter().map(|cost| cost.elapsed_s).collect::<Vec<_>>(),
        "reference": reference,
        "reference_processor_s": theirs.iter().map(|cost| cost.processor_s).collect::<Vec<_>>(),
        "ratio": ratio,
    })
}

/// A clip as cameras and platforms deliver it: 60 s of cut shots in 1080p at several megabits a
/// second.
fn full_hd_clip() -> PathBuf {
    let encoding = Encoding {
        size: (1920, 1080),
        noise: 5,
        args: scenes::words(
            "-c:v libx264 -preset veryfast -b:v 6M -maxrate 9M -bufsize 12M -g 50 -bf 2",
        ),
        extension: "mp4".to_owned(),
    };
    scenes::make(&Scene::Moving { seed: 4_242 }, 60, &encoding)
}

fn build_args(index: &Path, clips: &[Clip]) -> Vec<OsString> {
    let mut args: Vec<OsString> = ["index", "build", "--index"].map(OsString::from).to_vec();
    args.push(index.into());
    args.extend(clips.iter().map(|clip| clip.path.clone().into()));
    args
}

/// Alternately checks a clip and decodes it.
fn check(args: &Args, index: &Path, clip: &Path, accepted: &[i32]) -> (Vec<Cost>, Vec<Cost>) {
    let (mut checks, mut decodings) = (Vec::new(), Vec::new());
    for run in 0..args.runs.max(1) {
        let check = [
            "check".as_ref(),
            "--json".as_ref(),
            "--index".as_ref(),
            index.as_os_str(),
            clip.as_os_str(),
        ];
        checks.push(measure(
            args.program.as_os_str(),
            &check.map(OsStr::to_owned),
            accepted,
        ));
        decodings.push(measure(OsStr::new("ffmpeg"), &decode_args(clip, &[]), &[0]));
        eprintln!("check {run}: {}", spoken(checks[run], decodings[run]));
    }
    (checks, decodings)
}

fn decode_args(path: &Path, filter: &[&str]) -> Vec<OsString> {
    ffmpeg_args(path, &[filter, &["-f", "null"]].concat(), OsStr::new("-"))
}

fn ffmpeg_args(path: &Path, options: &[&str], output: &OsStr) -> Vec<OsString> {
    let mut args: Vec<OsString> = ["-nostdin", "-v", "error", "-i"]
        .map(OsString::from)
        .to_vec();
    args.push(path.into());
    args.extend(options.iter().map(OsString::from));
    args.push(output.into());
    args
}

/// Runs a command to its end. Panics with its output unless its exit code is one of `accepted`.
fn measure(program: &OsStr, args: &[OsString], accepted: &[i32]) -> Cost {
    let started = Instant::now();
    // The shell's `times` is the portable way to get the resource usage of children without unsafe
    // system calls.
    let output = Command::new("sh")
        .args(["-c", "\"$@\" >/dev/null; code=$?; times; exit $code", "sh"])
        .arg(program)
        .args(args)
        .env_remove("UNIQ_INDEX")
        .output()
        .expect("a shell is installed");
    let elapsed_s = started.elapsed().as_secs_f64();
    let code = output.status.code();
    assert!(
        code.is_some_and(|code| accepted.contains(&code)),
        "{} {args:?}: {}: {}",
        program.display(),
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8_lossy(&output.stdout);
    let children = text.lines().nth(1).unwrap_or_default();
    let processor_s = children.split_whitespace().filter_map(clock).sum();
    Cost {
        processor_s,
        elapsed_s,
    }
}

/// Parses `1m2.345s`.
fn clock(text: &str) -> Option<f64> {
    let (minutes, seconds) = text.strip_suffix('s')?.split_once('m')?;
    Some(60.0 * minutes.parse::<f64>().ok()? + seconds.parse::<f64>().ok()?)
}

fn sum(costs: impl Iterator<Item = Cost>) -> Cost {
    let none = Cost {
        processor_s: 0.0,
        elapsed_s: 0.0,
    };
    costs.fold(none, |a, b| Cost {
        processor_s: a.processor_s + b.processor_s,
        elapsed_s: a.elapsed_s + b.elapsed_s,
    })
}

fn median(costs: &[Cost]) -> f64 {
    let mut seconds: Vec<f64> = costs.iter().map(|cost| cost.processor_s).collect();
    seconds.sort_by(f64::total_cmp);
    seconds.get(seconds.len() / 2).copied().unwrap_or(f64::NAN)
}

fn spoken(ours: Cost, theirs: Cost) -> String {
    format!(
        "{:.2} s against {:.2} s",
        ours.processor_s, theirs.processor_s
    )
}

fn length(path: &Path) -> u64 {
    fs::metadata(path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        .len()
}
