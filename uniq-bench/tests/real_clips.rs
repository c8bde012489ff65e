//! Real footage, when `UNIQ_CLIPS` names a folder of clips: `uniq-bench detect` on a part of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// How many clips of each half are tried.
const TRIED: &str = "14";
/// The share of excerpts that must be found.
const RECALL: f64 = 0.9;

#[test]
fn excerpts_of_real_clips_are_found_and_other_clips_are_not() {
    let Some(folder) = env::var_os("UNIQ_CLIPS").map(PathBuf::from) else {
        eprintln!("UNIQ_CLIPS is not set; nothing was checked");
        return;
    };
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("detect");
    let mut command = Command::new(env!("CARGO_BIN_EXE_uniq-bench"));
    command.args(["detect", "--json", "--splits", "1", "--lengths", "10", "--no-look-alikes"]);
    command.args(["--edits", "cut,reencode,mirror,corner80", "--sample", TRIED, "--cache"]);
    let output = command.arg(&cache).arg(&folder).output().unwrap();
    assert!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    let measured: Value = serde_json::from_slice(&output.stdout).unwrap();
    let all = &measured["table"]["all"][0];
    let number = |field: &str| all[field].as_u64().unwrap();
    eprintln!(
        "{} excerpts, recall {}; {} of {} others called published",
        number("excerpts"),
        all["recall"],
        number("alarms"),
        number("held_back")
    );
    assert!(number("excerpts") >= 32, "too few clips in {}", folder.display());
    assert_eq!(number("alarms"), 0, "called published though not indexed: {all}");
    let rows = measured["rows"].as_array().unwrap();
    let missed = |row: &&Value| row["role"] == "published" && row["found"] == false;
    let recall = all["recall"].as_f64().unwrap();
    assert!(recall >= RECALL, "recall {recall:.3}; not found: {:#?}", rows.iter().filter(missed).collect::<Vec<_>>());
}
