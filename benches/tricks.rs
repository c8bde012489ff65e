//! What tricks with published films would be paid: trick by trick, the seconds found published,
//! inconclusive and paid.
//!
//! `cargo bench --bench tricks -- FOLDER… [--clips N] [--tricks a,b,c]`. All clips of the folders
//! except three are indexed. Excerpts of some of them are treated by each trick and checked at
//! effort `standard`. The three are a cheat's own footage. Treated clips and the index are cached.

#![allow(clippy::print_stdout, clippy::print_stderr)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

#[path = "support/tricks/mod.rs"]
mod parts;

use std::collections::HashMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use clap::Parser;
use parts::corpus::Corpus;
use parts::recipe::{Material, Trick};
use parts::result::Row;
use parts::table::TRICKS;
use parts::tell;
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use uniq::{CheckOptions, Decoding, Effort, Index};

#[derive(Parser)]
#[command(about = "Tells what tricks with published films would be paid")]
struct Args {
    /// Folders of clips; a manifest.csv with columns file and group names clips of the same content
    #[arg(required = true)]
    folders: Vec<PathBuf>,
    /// Clips that are treated
    #[arg(long, default_value_t = 10)]
    clips: usize,
    /// Tricks by name, with commas between; all without it
    #[arg(long, value_delimiter = ',')]
    tricks: Vec<String>,
    /// Clips treated and checked at a time; one a core without it
    #[arg(long, default_value_t = 0)]
    jobs: usize,
    /// Where treated clips and the index are kept
    #[arg(long, default_value = "target/tricks")]
    cache: PathBuf,
    /// Make the treated clips, to look at them, and check none
    #[arg(long)]
    make_only: bool,
    /// Make the index anew
    #[arg(long)]
    fresh: bool,
    /// Keeps fingerprints and indexes of other versions apart; that of the sources of media, sample
    /// and fingerprint is part of it
    #[arg(long, default_value = "")]
    fingerprint_tag: String,
    /// Write the table to this file too
    #[arg(long)]
    markdown: Option<PathBuf>,
    /// Write each trick on each clip to this file
    #[arg(long)]
    json: Option<PathBuf>,
    /// Chooses the clips and excerpts
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What cargo passes to each bench
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let args = Args::parse();
    let unknown = args
        .tricks
        .iter()
        .find(|name| TRICKS.iter().all(|trick| trick.name != name.as_str()));
    assert!(unknown.is_none(), "there is no trick {unknown:?}");
    let wanted = |trick: &&Trick| {
        args.tricks.is_empty() || args.tricks.iter().any(|name| name == trick.name)
    };
    let tricks: Vec<&Trick> = TRICKS.iter().filter(wanted).collect();
    let tag = format!("{} {}", args.fingerprint_tag, version());
    let folders = ["films", "treated"].map(|name| args.cache.join(name));
    folders
        .iter()
        .for_each(|folder| fs::create_dir_all(folder).expect("the cache can be made"));
    let [films, treated] = &folders;
    let corpus = Corpus::new(&args.folders, args.clips, args.seed, films);
    let name = |path: &Path| {
        path.file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    };
    eprintln!("{} clips published", corpus.published.len());
    eprintln!(
        "own: {}",
        corpus
            .own
            .iter()
            .map(|clip| name(&clip.path))
            .collect::<Vec<_>>()
            .join(", ")
    );
    for (Material { film, .. }, _) in &corpus.treated {
        eprintln!(
            "treated: {} {}x{} {} {:.2} s",
            film.name,
            film.width,
            film.height,
            film.fps,
            film.duration_s()
        );
    }
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(args.jobs)
        .build()
        .expect("threads start");
    let work: Vec<(&Trick, usize)> = tricks
        .iter()
        .flat_map(|&trick| (0..corpus.treated.len()).map(move |film| (trick, film)))
        .collect();
    if args.make_only {
        let make =
            |&(trick, film): &(&Trick, usize)| match trick.make(&corpus.treated[film].0, treated) {
                Ok(made) => println!("{}", made.display()),
                Err(error) => eprintln!("{error}"),
            };
        return pool.install(|| work.par_iter().with_max_len(1).for_each(make));
    }
    let index_tag = if args.fresh {
        format!("{tag} {:?}", std::time::SystemTime::now())
    } else {
        tag.clone()
    };
    let index = corpus.index(&args.cache, &index_tag);

    let bench = Bench {
        corpus: &corpus,
        index: &index,
        treated,
    };
    let lines = args
        .json
        .as_ref()
        .map(|path| Mutex::new(fs::File::create(path).expect("the file can be written")));
    let waiting: Mutex<HashMap<&str, Vec<Row>>> = Mutex::default();
    let one = |&(trick, film): &(&'static Trick, usize)| {
        let row = bench.row(trick, film);
        if let Some(error) = &row.error {
            eprintln!("{} {}: {error}", row.trick, row.clip);
        }
        if let Some(lines) = &lines {
            let text = serde_json::to_string(&row).expect("a row has no keys but strings");
            writeln!(lines.lock().expect("no thread panicked"), "{text}")
                .expect("there is space on the disk");
        }
        let mut waiting = waiting.lock().expect("no thread panicked");
        let rows = waiting.entry(trick.name).or_default();
        rows.push(row.clone());
        if rows.len() == corpus.treated.len() {
            eprintln!(
                "{}",
                tell::line(trick.name, &rows.iter().collect::<Vec<_>>())
            );
        }
        row
    };
    eprintln!("{}", tell::HEAD);
    // One at a time and in order, so that tricks are finished one after another.
    let rows: Vec<Row> = pool.install(|| work.par_iter().with_max_len(1).map(one).collect());

    let names: Vec<&str> = tricks.iter().map(|trick| trick.name).collect();
    let table = tell::table(&names, &rows);
    println!("{table}");
    if let Some(path) = &args.markdown {
        fs::write(path, &table).expect("the file can be written");
    }
    if let Some(path) = &args.json {
        let text: Vec<String> = rows
            .iter()
            .map(|row| serde_json::to_string(row).expect("as above"))
            .collect();
        fs::write(path, text.join("\n") + "\n").expect("the file can be written");
    }
}

/// What each check needs.
struct Bench<'a> {
    corpus: &'a Corpus,
    index: &'a Index,
    treated: &'a Path,
}

impl Bench<'_> {
    fn row(&self, trick: &Trick, film: usize) -> Row {
        let (material, groups) = &self.corpus.treated[film];
        let name = (trick.name, material.film.name.as_str());
        let made = match trick.make(material, self.treated) {
            Ok(made) => made,
            Err(error) => return Row::failed(name, error),
        };
        let decoding = Decoding::in_process();
        let options = CheckOptions {
            effort: Effort::Standard,
            ..CheckOptions::new(&decoding)
        };
        // Fingerprint files are not kept, because they have no pictures, which the decision needs.
        let report = uniq::fingerprint(&made, &decoding, None)
            .and_then(|fingerprint| uniq::check_fingerprint(self.index, &fingerprint, &options));
        match report {
            Ok(mut report) => {
                report.clip.path = made.to_string_lossy().into_owned();
                let copied = trick.shown.intervals(report.clip.duration_s);
                let right = if trick.graph.contains("[other]") {
                    &groups[..]
                } else {
                    &groups[..1]
                };
                Row::new(name, &report, &copied, right, self.corpus)
            }
            Err(error) => Row::failed(name, error.to_string()),
        }
    }
}

/// Digest of the present sources of the modules that make fingerprints.
fn version() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files: Vec<PathBuf> = vec![root.join("sample.rs")];
    for folder in ["media", "fingerprint"] {
        let entries = fs::read_dir(root.join(folder))
            .into_iter()
            .flatten()
            .flatten();
        files.extend(entries.map(|entry| entry.path()));
    }
    files.sort();
    let all: Vec<u8> = files
        .iter()
        .filter_map(|file| fs::read(file).ok())
        .flatten()
        .collect();
    hash(&all)
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
