//! `uniq-bench` on made scenes: what it prints, draws and remembers, and how it fails.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../tests/support/mod.rs"]
mod support;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use support::scenes;

const BENCH: &str = env!("CARGO_BIN_EXE_uniq-bench");

/// A folder of four scenes.
fn footage() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut manifest = String::from("file,group\n");
    let films = [(1, 24), (2, 16), (51, 14), (60, 12)].map(|(seed, seconds)| scenes::moving(seed, seconds));
    for (film, group) in films.iter().zip(["a", "b", "c", "d"]) {
        fs::copy(film, folder.path().join(group).with_extension("mp4")).unwrap();
        manifest.push_str(&format!("{group}.mp4,{group}\n"));
    }
    fs::write(folder.path().join("manifest.csv"), manifest).unwrap();
    folder
}

fn bench(folder: &Path, cache: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(BENCH);
    command.args(["detect", "--lengths", "5", "--edits", "cut,pip50", "--cache"]).arg(cache);
    command.args(more).arg(folder).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn it_measures_both_halves_and_remembers_what_it_measured() {
    let (folder, work) = (footage(), tempfile::tempdir().unwrap());
    let (cache, plot) = (work.path().join("cache"), work.path().join("recall.svg"));
    let first = bench(folder.path(), &cache, &["--json", "--plot", plot.to_str().unwrap()]);
    assert!(first.status.success(), "{}", said(&first));
    // Each clip twice, and beside other footage of either half; one or two parts of each half of its time, and one that
    // goes on from either.
    assert!(said(&first).contains("34 edits made, 38 checks made"), "{}", said(&first));
    let all: Value = serde_json::from_slice(&first.stdout).unwrap();
    let cut = &all["table"]["lines"][0];
    assert_eq!((&cut["edit"], &cut["excerpts"], &cut["held_back"]), (&"cut".into(), &4.into(), &4.into()));
    assert_eq!((&cut["found"], &cut["alarms"], &cut["wrong"]), (&4.into(), &0.into(), &0.into()), "{cut}");
    assert!(cut["error_s"][0].as_f64().unwrap() < 0.5 && cut["overlap"].as_f64().unwrap() > 0.9, "{cut}");
    assert!(all["table"]["segment_ap"].as_f64().unwrap() > 0.5, "{}", all["table"]);
    assert_eq!(all["table"]["look_alikes"][0], 14);
    let goes_on = &all["table"]["goes_on"];
    let seconds = |name: &str| goes_on[name].as_f64().unwrap();
    assert_eq!(goes_on["excerpts"], 8);
    assert!((seconds("copied_s") - seconds("own_s")).abs() < 1.0 && seconds("copied_s") > 35.0, "{goes_on}");
    assert!(seconds("published_s") > 0.8 * seconds("copied_s") && seconds("paid_s") < 2.0, "{goes_on}");
    assert!(seconds("accused_s") < 0.2 * seconds("own_s"), "{goes_on}");
    // Each is found where it truly lies in the part that is indexed, and nowhere else.
    let rows = all["rows"].as_array().unwrap().iter().filter(|row| row["role"] == "goes_on");
    for row in rows.clone() {
        let time = |found: &Value, what: &str| found[what].as_f64().unwrap();
        let truth = &row["truth"][0];
        let offset = truth["reference_s"][0].as_f64().unwrap() - truth["clip_s"][0].as_f64().unwrap();
        let matches = row["matches"].as_array().unwrap().iter();
        let copies = matches.filter(|found| found["kind"] == "copy").map(|copy| {
            // At the edge of the part one of its ends is cut off.
            let ends =
                ["start_s", "end_s"].map(|end| time(&copy["reference"], end) - time(&copy["clip"], end) - offset);
            ends[0].abs().min(ends[1].abs())
        });
        let errors: Vec<f64> = copies.collect();
        // A piece of slow footage at the edge may follow a slower time line; what that accuses is bounded above.
        assert!(errors.iter().any(|&error| error < 0.5), "{errors:?}: {row}");
        assert!(row["found"] == true && row["wrong"] == 0, "{row}");
    }
    assert_eq!(rows.count(), 8);
    assert!(fs::read_to_string(&plot).unwrap().contains("pip50"));

    let again = bench(folder.path(), &cache, &["--json"]);
    assert!(said(&again).contains("0 edits made, 0 checks made"), "{}", said(&again));
    assert_eq!(serde_json::from_slice::<Value>(&again.stdout).unwrap(), all);
    let text = bench(folder.path(), &cache, &["--edits", "cut"]);
    assert!(String::from_utf8_lossy(&text.stdout).contains("cut"), "{}", said(&text));
}

#[test]
fn it_says_what_is_wrong_with_footage_edits_and_lengths() {
    let (folder, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let refused = |more: &[&str], why: &str| {
        let output = bench(folder.path(), work.path(), more);
        assert_eq!(output.status.code(), Some(2));
        assert!(said(&output).contains(why), "{}", said(&output));
    };
    refused(&[], "0 usable videos");
    refused(&["--edits", "cut,upside"], "no edit upside; there are cut, ");
    refused(&["--lengths", "2"], "give lengths from 3");
    let mut command = Command::new(BENCH);
    command.arg("detect").arg(folder.path()).env("PATH", work.path());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("ffmpeg") && said(&output).contains("install"), "{}", said(&output));
}

#[test]
fn it_tells_what_small_pictures_take_and_how_true_they_are() {
    let folder = footage();
    let output = Command::new(BENCH).arg("pictures").arg(folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let text = String::from_utf8_lossy(&output.stdout);
    let number = |line: &str, word: usize| {
        let line = text.lines().find(|told| told.starts_with(line)).unwrap();
        line.split_whitespace().nth(word).unwrap().parse::<f64>().unwrap()
    };
    assert!(number("bytes", 1) <= 1.5, "{text}");
    assert!(number("PSNR", 1) > 22.0 && number("correlation", 1) > 0.9, "{text}");
}
