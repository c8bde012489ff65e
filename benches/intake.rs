//! Checks the ledger of submissions with a crowd of clips, and measures the cost of an add.
//!
//! `cargo bench --bench intake -- [--recordings N] [--rows N]`. Each made recording has two clips:
//! an excerpt, and a crop, mirror, caption, excerpt or compilation of it. Several creators offer
//! them in random order, with 1, 2 and 4 workers. Goals: each second is claimed once, the answers
//! are the same each time, and no creator gets a false match. Then adding is compared with
//! checking, for an empty ledger and for one with many made rows. Goal: the rows cost nothing.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used
)]

#[path = "../tests/support/mod.rs"]
mod media;
mod support;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use clap::Parser;
use media::scenes::{edit, edited, excerpt, moving, tripod, words};
use serde_json::Value;
use support::{grouped, verdict};

#[derive(Parser)]
#[command(about = "Measures the ledger of submissions")]
struct Args {
    /// Made recordings; there are twice as many clips
    #[arg(long, default_value_t = 25)]
    recordings: u64,
    /// Made rows of a large ledger
    #[arg(long, default_value_t = 100_000)]
    rows: u64,
    /// How often adding and checking are measured
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// What cargo passes to each bench
    #[arg(long, hide = true)]
    bench: bool,
}

/// Length of a recording, in seconds.
const SECONDS: u32 = 10;
const CREATORS: [&str; 4] = ["ada", "bob", "eve", "joe"];

/// A clip, its creator, and its parts: from which second of the clip it shows which recording, and
/// from and to which second of that.
#[derive(Clone, Debug)]
struct Offer {
    clip: PathBuf,
    by: &'static str,
    shows: Vec<(f64, u64, f64, f64)>,
}

fn main() {
    let args = Args::parse();
    let folder = tempfile::tempdir().unwrap();
    let index = folder.path().join("index");
    ran(
        &index,
        Path::new("-"),
        &["index", "build", tripod(79, 1, 6).to_str().unwrap()],
    );
    let offers = shuffled(offers(args.recordings));
    println!(
        "{} clips of {} recordings by {} creators",
        offers.len(),
        args.recordings,
        CREATORS.len()
    );
    let mut answers: Vec<Vec<Value>> = Vec::new();
    for workers in [1, 2, 4] {
        let ledger = folder.path().join(format!("{workers}.db"));
        let begun = Instant::now();
        answers.push(submitted(&index, &ledger, &offers, workers));
        println!("{workers} workers: {:.0} s", begun.elapsed().as_secs_f64());
    }
    let same = answers.iter().all(|answer| *answer == answers[0]);
    println!(
        "the same answers with 1, 2 and 4 workers: {}",
        verdict(same)
    );
    judge(&offers, &answers[0]);
    cost(&args, folder.path(), &index);
}

/// Two clips of each recording.
fn offers(recordings: u64) -> Vec<Offer> {
    let mut offers = Vec::new();
    for at in 0..recordings {
        let whole = moving(800 + at, SECONDS);
        let by = |shift: u64| CREATORS[((at + shift) % 4) as usize];
        let start = (at % 3) as f64;
        let length = f64::from(SECONDS) - start;
        let first = excerpt(&whole, start, length);
        offers.push(Offer {
            clip: first,
            by: by(0),
            shows: vec![(0.0, at, start, start + length)],
        });
        let all = vec![(0.0, at, 0.0, f64::from(SECONDS))];
        let (clip, shows) = match at % 5 {
            0 => (edit(&whole, "hflip", &[], "mp4"), all),
            1 => (
                edit(&whole, "crop=iw*0.85:ih*0.85,scale=640:360", &[], "mp4"),
                all,
            ),
            2 => (
                edit(
                    &whole,
                    "drawbox=y=ih*0.8:w=iw:h=ih*0.14:color=black@0.8:t=fill,scale=480:270",
                    &[],
                    "mp4",
                ),
                all,
            ),
            3 => (excerpt(&whole, 2.0, 6.0), vec![(0.0, at, 2.0, 8.0)]),
            _ => {
                let other = (at + 7) % recordings;
                let parts = [
                    excerpt(&whole, 1.0, 6.0),
                    excerpt(&moving(800 + other, SECONDS), 3.0, 6.0),
                ];
                (
                    joined(&parts),
                    vec![(0.0, at, 1.0, 7.0), (6.0, other, 3.0, 9.0)],
                )
            }
        };
        offers.push(Offer {
            clip,
            by: by(at % 3),
            shows,
        });
    }
    offers
}

fn joined(parts: &[PathBuf; 2]) -> PathBuf {
    let mut args: Vec<std::ffi::OsString> = vec![
        "-i".into(),
        (&parts[0]).into(),
        "-i".into(),
        (&parts[1]).into(),
    ];
    let line = "-filter_complex [0:v][1:v]concat=n=2 -c:v libx264 -preset veryfast -crf 23 -pix_fmt yuv420p";
    args.extend(words(line).into_iter().map(Into::into));
    edited(
        &Path::new(env!("CARGO_TARGET_TMPDIR")).join("edits"),
        &[&parts[0], &parts[1]],
        &args,
        "mp4",
    )
}

fn shuffled(mut offers: Vec<Offer>) -> Vec<Offer> {
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    for at in (1..offers.len()).rev() {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        offers.swap(at, (random % (at as u64 + 1)) as usize);
    }
    offers
}

/// Submits the clips in order, each by a separate process, `workers` at a time. Returns the
/// ledger's answers.
fn submitted(index: &Path, ledger: &Path, offers: &[Offer], workers: usize) -> Vec<Value> {
    let mut running = Vec::new();
    for offer in offers {
        let mut child = program(
            index,
            ledger,
            &["intake", "add", "--json", "-j", "1", "--by", offer.by],
        )
        .arg(&offer.clip)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
        // The numbers must be in this order; the work may happen in any order.
        let mut lines =
            std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().unwrap()));
        assert!(
            lines
                .by_ref()
                .map_while(Result::ok)
                .any(|line| line.contains(": submission ")),
            "{offer:?}"
        );
        // Drains the pipe, so that further output cannot block the process.
        std::thread::spawn(move || lines.map_while(Result::ok).count());
        running.push(child);
        while running.len() >= workers {
            let ended = running
                .iter_mut()
                .position(|child| child.try_wait().unwrap().is_some());
            match ended {
                Some(at) => drop(running.swap_remove(at)),
                None => std::thread::sleep(Duration::from_millis(10)),
            }
        }
    }
    for mut child in running {
        child.wait().unwrap();
    }
    ran(index, ledger, &["intake", "verify"]);
    (1..=offers.len())
        .map(|number| {
            let text = ran(
                index,
                ledger,
                &["intake", "show", &number.to_string(), "--json"],
            );
            let mut said: Value =
                serde_json::from_str::<Value>(&text).unwrap()["submission"].take();
            said["received_at"].take();
            said
        })
        .collect()
}

/// Compares the answers with what is known of the clips.
fn judge(offers: &[Offer], answers: &[Value]) {
    let mut holders: BTreeMap<(u64, u64), u32> = BTreeMap::new();
    let mut shown: BTreeMap<(u64, u64), u32> = BTreeMap::new();
    let (mut accused, mut twice_ms) = (Vec::new(), 0_u64);
    let mut held: HashMap<u64, Vec<(f64, f64)>> = HashMap::new();
    for (number, (offer, said)) in (1_u64..).zip(offers.iter().zip(answers)) {
        for &(_, recording, from, to) in &offer.shows {
            (from as u64..to as u64)
                .for_each(|second| *shown.entry((recording, second)).or_default() += 1);
        }
        let number_of = |said: &Value| said["number"].as_u64();
        for part in said["payable"].as_array().unwrap() {
            for (recording, from, to) in of_recordings(offer, part) {
                for &(start, end) in held.entry(recording).or_default().iter() {
                    twice_ms += ((end.min(to) - start.max(from)).max(0.0) * 1e3) as u64;
                }
                held.entry(recording).or_default().push((from, to));
                (from.ceil() as u64..to.floor() as u64)
                    .for_each(|second| *holders.entry((recording, second)).or_default() += 1);
            }
        }
        for deduction in said["deductions"].as_array().unwrap() {
            let Some(other) = number_of(deduction) else {
                continue;
            };
            let other = &offers[other as usize - 1];
            let is_true = deduction["reason"] == "undecided"
                || of_recordings(offer, deduction)
                    .iter()
                    .any(|(recording, ..)| {
                        other
                            .shows
                            .iter()
                            .any(|(_, theirs, ..)| theirs == recording)
                    });
            if !is_true {
                accused.push((number, deduction.clone()));
            }
        }
    }
    let twice = holders.values().filter(|holders| **holders > 1).count();
    let unclaimed = shown
        .keys()
        .filter(|second| !holders.contains_key(*second))
        .count();
    println!(
        "seconds shown {}, claimed {}, claimed twice {twice} ({} ms in all, at the ends): {}",
        shown.len(),
        holders.len(),
        grouped(twice_ms),
        verdict(twice == 0)
    );
    println!("seconds that nobody is paid for, beside cuts: {unclaimed}");
    println!(
        "creators accused wrongly: {} {accused:?}: {}",
        accused.len(),
        verdict(accused.is_empty())
    );
}

/// The parts of recordings that a part of a clip shows.
fn of_recordings(offer: &Offer, part: &Value) -> Vec<(u64, f64, f64)> {
    let (start, end) = (
        part["start_s"].as_f64().unwrap(),
        part["end_s"].as_f64().unwrap(),
    );
    let within = offer.shows.iter().map(|&(at, recording, from, to)| {
        let (first, last) = (start.max(at), end.min(at + to - from));
        (recording, from + first - at, from + last - at)
    });
    within.filter(|(_, from, to)| from < to).collect()
}

/// Compares the cost of adding with that of checking.
fn cost(args: &Args, folder: &Path, index: &Path) {
    let clips: Vec<PathBuf> = (0..args.runs as u64)
        .map(|at| moving(860 + at, 8))
        .collect();
    let timed = |args: &[&str], ledger: &Path, clip: &Path| {
        let begun = Instant::now();
        let output = program(index, ledger, args).arg(clip).output().unwrap();
        assert!(
            matches!(output.status.code(), Some(0 | 3)),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        begun.elapsed().as_secs_f64()
    };
    let median = |mut times: Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    let (small, large) = (folder.join("small.db"), folder.join("large.db"));
    for ledger in [&small, &large] {
        timed(&["intake", "add", "--by", "ada"], ledger, &moving(859, 8));
    }
    let sql = format!(
        "INSERT INTO submissions (number, creator, kind, sha256, bytes, path, received_ms, state, provisional, duration_ms, verdict, \
         eligible, repeated, published) \
         WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < {0}) \
         SELECT i, 'made' || (i % 1000), 'clip', printf('%064x', i), 1, '/', 0, 'decided', 0, 10000, 'unpublished', \
         '[{{\"start_ms\":0,\"end_ms\":10000}}]', '[]', '[]' FROM n; \
         INSERT INTO claims SELECT number, 0, 10000, 'offered' FROM submissions WHERE number > 1; \
         INSERT INTO events SELECT seq + (SELECT max(seq) FROM events), 0, kind, submission, body, previous, hash FROM \
         (SELECT i + 1 AS seq, e.kind, e.submission, e.body, e.previous, e.hash FROM \
         (WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 2 * {0}) SELECT i FROM n), \
         (SELECT * FROM events WHERE seq = 2) e);",
        args.rows
    );
    let status = Command::new("sqlite3").arg(&large).arg(sql).status();
    assert!(status.expect("the sqlite3 command is installed").success());
    let (mut checks, mut adds, mut among_many) = (Vec::new(), Vec::new(), Vec::new());
    for clip in &clips {
        checks.push(timed(&["check"], &small, clip));
        adds.push(timed(&["intake", "add", "--by", "ada"], &small, clip));
        among_many.push(timed(&["intake", "add", "--by", "ada"], &large, clip));
    }
    let (check, add, among_many) = (median(checks), median(adds), median(among_many));
    println!(
        "check {check:.2} s, add {add:.2} s, {:.2} times as long",
        add / check
    );
    println!(
        "add with a ledger of {} rows {among_many:.2} s, {:.2} times as long as with one of few: {}",
        grouped(args.rows),
        among_many / add,
        verdict(among_many < 1.15 * add)
    );
}

fn program(index: &Path, ledger: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_uniq"));
    command
        .args(args)
        .env("UNIQ_INDEX", index)
        .env("UNIQ_LEDGER", ledger);
    command
}

fn ran(index: &Path, ledger: &Path, args: &[&str]) -> String {
    let output = program(index, ledger, args).output().unwrap();
    assert!(
        output.status.success(),
        "{args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}
