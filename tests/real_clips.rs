//! Real footage, when `UNIQ_CLIPS` names a folder of clips: `uniq bench detect` on a part of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

mod support;

use std::ffi::OsStr;
use std::path::Path;

use serde_json::Value;
use support::{clips, program};

/// How many clips of each half are tried.
const TRIED: &str = "14";
/// The share of excerpts that must be found.
const RECALL: f64 = 0.9;

#[test]
fn excerpts_of_real_clips_are_found_and_other_clips_are_not() {
    let Some(folder) = clips::folder(None) else {
        eprintln!("UNIQ_CLIPS is not set; nothing was checked");
        return;
    };
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("detect");
    let mut args: Vec<&OsStr> =
        ["bench", "detect", "--json", "--splits", "1", "--lengths", "10", "--no-look-alikes"].map(OsStr::new).to_vec();
    args.extend(["--edits", "cut,reencode,mirror,corner80", "--sample", TRIED, "--cache"].map(OsStr::new));
    args.extend([cache.as_os_str(), folder.as_os_str()]);
    let output = program::run(Path::new(env!("CARGO_BIN_EXE_uniq")), &args);
    program::must_succeed(&output);
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
