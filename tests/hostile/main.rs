//! Files made to do harm: each ends in a clear error or an honest answer, in bounded time and
//! memory, and nothing else is read, run or called.

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

/// Pictures that are never the same twice.
const FLIGHT: &str = "mandelbrot=s=320x240:r=25:start_scale=0.04:end_scale=0.0008:end_pts=300\
    :start_x=-0.16070135:start_y=1.0375665,rotate=0.15*t";

/// The video that no hostile file may reach: it is in the index, and would be found if it were
/// read.
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

/// An index that holds nothing but the canary.
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

/// A folder of this run of the tests.
fn shared(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("hostile")
        .join(std::process::id().to_string())
        .join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The command with a state folder of its own, so that the user's journal stays as it is.
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

/// What `check --json` says of each file, by its path; the program must end by itself within
/// `bound`.
fn check(files: &[PathBuf], options: &[&str], bound: Duration) -> HashMap<PathBuf, Value> {
    // What the program, its decoding process and all libraries map is far less than this; what they
    // may not hoard is more.
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

/// The error of a file that has to be refused.
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
