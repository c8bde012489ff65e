//! `uniq-bench` on made scenes: its output, plots, cache and errors.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../tests/support/mod.rs"]
mod support;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use support::scenes;

const BENCH: &str = env!("CARGO_BIN_EXE_uniq-bench");

/// A folder of ten scenes of `seconds` seconds.
fn footage(seconds: u32) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut manifest = String::from("file,group\n");
    for seed in 1..=10 {
        let file = format!("{seed}.mp4");
        fs::copy(scenes::moving(seed, seconds), folder.path().join(&file)).unwrap();
        manifest.push_str(&format!("{file},{seed}\n"));
    }
    fs::write(folder.path().join("manifest.csv"), manifest).unwrap();
    folder
}

fn bench(command: &str, folder: &Path, cache: &Path, more: &[&str]) -> Output {
    Command::new(BENCH)
        .arg(command)
        .arg(folder)
        .arg("--cache")
        .arg(cache)
        .args(more)
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn it_finds_copies_draws_its_errors_and_remembers_what_it_saw() {
    let (folder, work) = (footage(4), tempfile::tempdir().unwrap());
    let (cache, plots) = (work.path().join("cache"), work.path().join("plots"));
    let first = bench(
        "model",
        folder.path(),
        &cache,
        &["--most", "8", "--plots", plots.to_str().unwrap()],
    );
    assert!(first.status.success(), "{}", said(&first));
    let text = String::from_utf8_lossy(&first.stdout).into_owned();
    for part in [
        "edited copies",
        "segment AP",
        "edit   ",
        "log-loss",
        "power of seconds",
        "negatives that reach",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    for name in [
        "roc",
        "det",
        "reliability-alignments",
        "reliability-seconds",
        "reliability-clips",
    ] {
        let svg = fs::read_to_string(plots.join(name).with_extension("svg")).unwrap();
        assert!(
            svg.starts_with("<svg") && svg.ends_with("</svg>\n") && !svg.contains("NaN"),
            "{name}: {svg}"
        );
    }
    let reports = || {
        fs::read_dir(cache.join("reports"))
            .unwrap()
            .map(|entry| entry.unwrap().metadata().unwrap().len())
    };
    let known: Vec<u64> = reports().collect();
    let again = bench("model", folder.path(), &cache, &["--most", "8"]);
    assert_eq!(String::from_utf8_lossy(&again.stdout), text);
    assert_eq!(reports().collect::<Vec<_>>(), known, "observed again");
    // The gates need more footage than this.
    let gate = bench("gate", folder.path(), &cache, &[]);
    assert_eq!(gate.status.code(), Some(2));
    assert!(said(&gate).contains("excerpts too few"), "{}", said(&gate));
}

#[test]
fn it_says_what_is_wrong_with_footage_and_what_it_needs() {
    let (folder, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for command in ["model", "gate"] {
        let output = bench(command, folder.path(), work.path(), &[]);
        assert_eq!(output.status.code(), Some(2));
        assert!(
            said(&output).contains("no manifest.csv and no takes.csv"),
            "{}",
            said(&output)
        );
    }
    let output = Command::new(BENCH)
        .arg("model")
        .arg(folder.path())
        .env("PATH", work.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        said(&output).contains("ffmpeg") && said(&output).contains("install"),
        "{}",
        said(&output)
    );
}

#[test]
fn it_tells_what_small_pictures_take_and_how_true_they_are() {
    let folder = footage(4);
    let output = Command::new(BENCH)
        .arg("pictures")
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let text = String::from_utf8_lossy(&output.stdout);
    let number = |line: &str, word: usize| {
        let line = text.lines().find(|told| told.starts_with(line)).unwrap();
        line.split_whitespace()
            .nth(word)
            .unwrap()
            .parse::<f64>()
            .unwrap()
    };
    assert!(number("bytes", 1) <= 3.0, "{text}");
    assert!(
        number("PSNR", 1) > 22.0 && number("correlation", 1) > 0.9,
        "{text}"
    );
}
