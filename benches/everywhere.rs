//! The cost of a clip that has many copies in the index, compared with one that has a single copy.
//!
//! `cargo bench --bench everywhere -- [--copies 1,10,60,1000] [--seconds 60 | --film FILE]`. The
//! film is a made one unless a file is given. Its copies are its fingerprint repeated, with a few
//! bits of each key flipped as by another encoder. The query is the film, smaller and compressed
//! again. The figures are processor time of all threads.

#![allow(clippy::print_stdout, clippy::print_stderr)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

#[path = "../tests/support/mod.rs"]
mod made;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use clap::Parser;
use made::scenes;
use support::random::Random;
use support::{clock, corpus};
use uniq::fingerprint::Run;
use uniq::index::{Index, Role, SearchMode, Video};
use uniq::ingest::{self, BuildOptions};
use uniq::report::MatchKind;
use uniq::{CheckOptions, Decoding, Effort, search};

#[derive(Parser)]
#[command(about = "Measures the check of a clip of which the index has many copies")]
struct Args {
    /// Numbers of copies, the first is what the others are compared with
    #[arg(long, value_delimiter = ',', default_value = "1,10,60,1000")]
    copies: Vec<u32>,
    /// Length of the film, in seconds
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// The film, in place of a made one
    #[arg(long)]
    film: Option<PathBuf>,
    /// Compare all keys, or screen
    #[arg(long)]
    exact: bool,
    /// Print each match
    #[arg(long)]
    matches: bool,
    /// What cargo passes to each bench
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let args = Args::parse();
    let scratch = corpus::scratch();
    let dir = scratch.path();
    let film = args
        .film
        .clone()
        .unwrap_or_else(|| scenes::moving(1, args.seconds));
    // The figures are processor time, so a busy machine is no reason to give up.
    let mut decoding = Decoding::in_process();
    decoding.limits.time_floor = decoding.limits.time_ceiling;
    let one = dir.join("one");
    let sources = ingest::sources(std::slice::from_ref(&film)).unwrap();
    ingest::build(
        &one,
        sources,
        &BuildOptions::new(decoding.clone()),
        &|_| {},
        &AtomicBool::new(false),
    )
    .unwrap();
    let one = Index::open(&one).unwrap();
    let length = args.seconds.to_string();
    let smaller = scenes::edit(&film, "scale=320:-2", &["-t", &length, "-an"], "mp4");
    let (decoded_s, clip) =
        clock::of_process(|| uniq::fingerprint(&smaller, &decoding, None).unwrap());
    println!(
        "{}; a clip of {:.0} s, {} keys, decoded in {decoded_s:.1} s; processor seconds of all threads",
        clock::processor(),
        clip.duration().as_secs_f64(),
        clip.keys().len()
    );
    println!("copies  search  align  pictures  check  ratio  matches  further");
    let mut first = None;
    for copies in args.copies.iter().copied() {
        let index = many(&one, &dir.join(copies.to_string()), copies);
        let mode = if args.exact {
            SearchMode::Exact
        } else {
            SearchMode::default()
        };
        let options = CheckOptions {
            search: mode,
            ..CheckOptions::new(&decoding)
        };
        let orientations = Effort::default().orientations();
        let (search_s, _) = clock::of_process(|| {
            search::search(
                &index,
                &clip,
                0..clip.keys().len(),
                &orientations,
                mode,
                &|| Ok(()),
            )
            .unwrap()
        });
        let blind = clip.clone().with_pictures(Vec::new());
        let (blind_s, _) =
            clock::of_process(|| uniq::check_fingerprint(&index, &blind, &options).unwrap());
        let (check_s, report) =
            clock::of_process(|| uniq::check_fingerprint(&index, &clip, &options).unwrap());
        let first = *first.get_or_insert(check_s);
        let told = report
            .matches
            .iter()
            .filter(|found| found.kind == MatchKind::Copy)
            .count();
        println!(
            "{copies:6}  {search_s:6.2}  {:5.2}  {:8.2}  {check_s:5.2}  {:5.2}  {told:7}  {:7}",
            blind_s - search_s,
            check_s - blind_s,
            check_s / first,
            report.more_sources,
        );
        if args.matches {
            for found in &report.matches {
                println!("  {:?} {:?}", found.kind, found.alignment);
            }
        }
    }
}

/// An index of `copies` copies of the only video in `one`.
fn many(one: &Index, dir: &Path, copies: u32) -> Index {
    let (number, video) = one.videos().next().expect("the film was indexed");
    let track = one.track(number).unwrap();
    let pictures = one.pictures(number).unwrap().to_bytes();
    let mut random = Random::new(5);
    let mut writer = corpus::writer(dir);
    for copy in 0..copies {
        let flipped = |run: &Run| Run {
            key: random.flip(run.key, 4 + copy % 12),
            ..*run
        };
        let runs = track.runs.iter().map(flipped).collect();
        let mut sha256 = [0; 32];
        sha256[..4].copy_from_slice(&copy.to_be_bytes());
        let mut video = Video {
            sha256,
            path: format!("copy-{copy}.mp4"),
            ..video.clone()
        };
        // The earliest is neither the first, the last nor the nearest.
        video.publication.published_at = Some(format!("20{:02}-01-01", 10 + (copy + 7) % 10));
        writer
            .add_with_pictures(Role::Source, video, runs, &track.motion, pictures.clone())
            .unwrap();
    }
    writer.maintain(&|| false).unwrap();
    search::measure_if_due(&mut writer, &|| false).unwrap();
    Index::open(dir).unwrap()
}
