//! Malicious files: each ends in a clear error or an honest answer, in bounded time and memory, and
//! nothing else is read, run or contacted.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[cfg(target_os = "linux")]
mod ends;
mod extremes;
mod liars;
#[path = "../support/media_files.rs"]
mod media_files;
mod names;
#[cfg(target_os = "linux")]
mod references;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::Value;

const UNIQ: &str = env!("CARGO_BIN_EXE_uniq");

/// Frames that never repeat.
const FLIGHT: &str = "mandelbrot=s=320x240:r=25:start_scale=0.04:end_scale=0.0008:end_pts=300\
    :start_x=-0.16070135:start_y=1.0375665,rotate=0.15*t";

/// The video that no hostile file may reach. It is in the index, so reading it would be noticed.
fn canary() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = shared("canary");
        let x264 = "-c:v libx264 -preset ultrafast -crf 18 -g 25 -pix_fmt yuv420p -f mpegts";
        media_files::footage(
            &folder,
            "canary.ts",
            &format!("-f lavfi -i {FLIGHT} -t 6 {x264}"),
        )
    })
}

/// An index of only the canary.
fn index() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let index = shared("index").join("index");
        let built = uniq(
            &["index", "build", "--quiet", "--index"],
            &[&index, canary()],
        );
        assert!(built.status.success(), "{}", said(&built));
        index
    })
}

/// A folder for this run of the tests.
fn shared(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("hostile")
        .join(std::process::id().to_string())
        .join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The command with a separate state folder, so that the user's journal is not touched.
fn command(args: &[&str]) -> Command {
    let mut command = Command::new(UNIQ);
    command
        .args(args)
        .env_remove("UNIQ_INDEX")
        .env("XDG_STATE_HOME", shared("state"));
    command
}

fn uniq(args: &[&str], paths: &[&Path]) -> Output {
    command(args).args(paths).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The output of `check --json` by file path. The program must end by itself within `bound`.
fn check(files: &[PathBuf], options: &[&str], bound: Duration) -> HashMap<PathBuf, Value> {
    // Far above what the program, its decoding process and all libraries map, but below what a
    // malicious file could demand.
    let script = "ulimit -v 6291456; exec \"$@\"";
    let mut shell = Command::new("sh");
    shell
        .args([
            "-c", script, "sh", UNIQ, "check", "--json", "-j", "2", "--index",
        ])
        .arg(index());
    shell
        .args(options)
        .args(files)
        .env_remove("UNIQ_INDEX")
        .env("XDG_STATE_HOME", shared("state"));
    let begun = Instant::now();
    let output = shell.output().unwrap();
    let elapsed = begun.elapsed();
    assert!(elapsed < bound, "took {elapsed:?}: {}", said(&output));
    assert!(
        output.status.code().is_some_and(|code| code <= 3),
        "{}: {}",
        output.status,
        said(&output)
    );
    assert!(!said(&output).contains("panicked"), "{}", said(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    let answers: HashMap<PathBuf, Value> = text
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"))
        })
        .map(|answer| {
            (
                PathBuf::from(answer["clip"]["path"].as_str().unwrap()),
                answer,
            )
        })
        .collect();
    for file in files {
        assert!(
            answers.contains_key(file),
            "nothing was said of {}",
            file.display()
        );
    }
    answers
}

/// The error of a file that must be refused.
fn refusal<'a>(answers: &'a HashMap<PathBuf, Value>, file: &Path) -> &'a str {
    let answer = &answers[file];
    answer["message"]
        .as_str()
        .unwrap_or_else(|| panic!("{} was not refused: {answer:#}", file.display()))
}

/// Panics if a file is called unpublished, or published as only the canary is.
fn must_not_be_judged(answers: &HashMap<PathBuf, Value>, file: &Path) {
    let answer = &answers[file];
    let verdict = answer["verdict"].as_str().unwrap_or("error");
    assert!(
        ["error", "inconclusive"].contains(&verdict),
        "{}: {answer:#}",
        file.display()
    );
}
