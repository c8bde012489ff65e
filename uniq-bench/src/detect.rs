//! How likely a copy is seen, and how often an innocent clip is accused.

use std::fs;
use std::io::{self, Write as _};
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, bail};
use serde_json::{Value, json};
use uniq::verdict::Policy;
use uniq::{Effort, SearchMode};

use crate::cache::Cache;
use crate::cancel_flag;
use crate::edits::{EDITS, Edit};
use crate::measure::{Measured, Plan, Role, Row};
use crate::score::{highest_bits, is_published};
use crate::table::Table;
use crate::{cache, excerpt, footage, measure, null, plot};

/// What `detect` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The videos
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Measure these edits only
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    edits: Vec<String>,
    /// Cut excerpts of these lengths in seconds, 3 to 600
    #[arg(long, value_name = "SECONDS", value_delimiter = ',', default_value = "10,5,3")]
    lengths: Vec<f64>,
    /// Split into halves so often; two splits are each other's complement
    #[arg(long, value_name = "N", default_value = "2")]
    splits: NonZeroU64,
    /// Try at most so many videos of each half
    #[arg(long, value_name = "N")]
    sample: Option<NonZeroUsize>,
    /// Choose other parts of the videos
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// How hard to look: fast, standard or thorough
    #[arg(long, value_name = "HOW", value_parser = effort, default_value = "standard")]
    effort: Effort,
    /// How to search: auto (compare every key of a small index, screen a large one), screened or
    /// exact
    #[arg(long, value_name = "HOW", value_parser = search, default_value = "auto")]
    search: SearchMode,
    /// Leave out other moments of the same video
    #[arg(long)]
    no_look_alikes: bool,
    /// Count how near keys of unrelated videos come, and compare false alarms with those that the
    /// model predicts
    #[arg(long)]
    null: bool,
    /// List the excerpts that were not found
    #[arg(long)]
    misses: bool,
    /// Print one JSON object with all figures and all rows
    #[arg(long)]
    json: bool,
    /// Draw recall against the evidence threshold into this SVG file
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Keep what was made in this folder [default: uniq/bench in the user's cache folder]
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// Keep the edited videos in this folder, to look at
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Work on so many videos at once [default: the number of cores]
    #[arg(short = 'j', long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

fn effort(name: &str) -> Result<Effort, &'static str> {
    match name {
        "fast" => Ok(Effort::Fast),
        "standard" => Ok(Effort::Standard),
        "thorough" => Ok(Effort::Thorough),
        _ => Err("give fast, standard or thorough"),
    }
}

fn search(name: &str) -> Result<SearchMode, &'static str> {
    match name {
        "auto" => Ok(SearchMode::Auto),
        "screened" => Ok(SearchMode::Screened),
        "exact" => Ok(SearchMode::Exact),
        _ => Err("give auto, screened or exact"),
    }
}

/// Measures, prints the table, and writes what was asked for; returns what could not be measured.
pub(crate) fn detect(args: &Args) -> anyhow::Result<Vec<String>> {
    let plan = Plan {
        edits: chosen(&args.edits)?,
        lengths_s: lengths(&args.lengths)?,
        splits: args.splits.get(),
        sample: args.sample.map(NonZeroUsize::get),
        seed: args.seed,
        effort: args.effort,
        search: args.search,
        threads: args.threads.or(thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get),
    };
    if let Some(plot) =
        args.plot.as_ref().filter(|plot| plot.extension().is_none_or(|ending| !ending.eq_ignore_ascii_case("svg")))
    {
        bail!("{}: the plot is written as SVG; give it a name that ends in .svg", plot.display());
    }
    cache::need_editor()?;
    let folder = args.cache.clone().map_or_else(cache::default_folder, Ok)?;
    let cache = Cache::new(folder, args.keep.clone())?;
    let cancel = cancel_flag()?;
    let (clips, left_out) = footage::read(&args.folder)?;
    let hours = clips.iter().map(|clip| clip.duration_s).sum::<f64>() / 3600.0;
    let mut measured = measure::measure(&clips, &plan, &cache, &cancel)?;
    if !args.no_look_alikes {
        measure::look_alikes(&clips, &plan, &cache, &cancel, &mut measured)?;
    }
    measured.failed.splice(0..0, left_out);
    if measured.rows.is_empty() {
        measured.failed.push(format!("{}: no video is long enough for an excerpt", args.folder.display()));
    }
    let chance = if args.null { Some(null::count(&clips, &plan, &cache, &measured, &cancel)?) } else { None };
    let table = Table::new(&measured, &plan);
    let threshold = f64::from(Policy::default().related_bits);
    if let Some(path) = &args.plot {
        write(path, &plot::svg(&measured.rows, threshold))?;
    }
    let head = json!({
        "folder": args.folder.display().to_string(), "clips": clips.len(), "hours": hours, "splits": plan.splits,
        "lengths_s": plan.lengths_s, "seed": plan.seed, "effort": plan.effort, "search": plan.search, "sample": plan.sample,
        "fingerprint_version": uniq::fingerprint::FINGERPRINT_VERSION, "version": env!("CARGO_PKG_VERSION"),
    });
    if args.json {
        let rows: Vec<Value> = measured.rows.iter().map(row_json).collect();
        let all = json!({ "footage": head, "table": table, "null": chance, "rows": rows, "failed": measured.failed });
        writeln!(io::stdout(), "{all}")?;
    } else {
        write!(
            io::stdout(),
            "{} videos, {:.2} h, of which each half is indexed in turn ({} splits); copies have a probability of {:.2} or more\n\n{}{}{}",
            clips.len(),
            hours,
            plan.splits,
            Policy::default().published_min(),
            table.text(),
            chance.as_ref().map_or_else(String::new, null::Null::text),
            told(&measured, args.misses)
        )?;
    }
    eprintln!("{} edits made, {} checks made, the rest was known", measured.fresh.0, measured.fresh.1);
    Ok(measured.failed)
}

fn chosen(names: &[String]) -> anyhow::Result<Vec<Edit>> {
    if names.is_empty() {
        return Ok(EDITS.to_vec());
    }
    let unknown = |name: &String| {
        let known: Vec<&str> = EDITS.iter().map(|edit| edit.name).collect();
        anyhow::anyhow!("no edit {name}; there are {}", known.join(", "))
    };
    names.iter().map(|name| Edit::named(name).ok_or_else(|| unknown(name))).collect()
}

fn lengths(given: &[f64]) -> anyhow::Result<Vec<f64>> {
    let mut lengths = given.to_vec();
    if let Some(wrong) = lengths.iter().find(|length| !(excerpt::SHORTEST_S..=600.0).contains(*length)) {
        bail!("excerpts of {wrong} s cannot be measured; give lengths from {} to 600 s", excerpt::SHORTEST_S);
    }
    lengths.sort_by(|a, b| b.total_cmp(a));
    lengths.dedup();
    Ok(lengths)
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("{}: cannot be written", path.display()))
}

/// The excerpts that were missed, and those that were wrongly called published.
fn told(measured: &Measured, misses: bool) -> String {
    let of = |row: &Row| format!("{} {:.0} s {}", row.excerpt.edit.name, row.excerpt.wanted_s, row.excerpt.clip.name());
    let mut text = String::new();
    for row in measured.rows.iter().filter(|row| row.role != Role::Published && is_published(&row.checked.report)) {
        let what = match row.role {
            Role::LookAlike => "taken for a copy",
            Role::GoesOn if row.score.seconds.accused_s <= ACCUSED_TOLD_S => continue,
            Role::GoesOn => "carried on too far",
            Role::Published | Role::HeldBack => "false alarm",
        };
        text.push_str(&format!("{what}: {}, {:.0} bits\n", of(row), highest_bits(&row.checked.report)));
    }
    for row in measured.rows.iter().filter(|row| misses && row.role == Role::Published && !row.score.found) {
        let report = &row.checked.report;
        let bits = highest_bits(report);
        text.push_str(&format!(
            "missed: {}: {:?}, {bits:.0} bits; {}\n",
            of(row),
            report.verdict,
            report.reasons.iter().map(|reason| reason.text.as_str()).collect::<Vec<_>>().join("; ")
        ));
    }
    text
}

/// Own seconds that are called published without a word: a source is seen once a second, and ends half way to the next time.
const ACCUSED_TOLD_S: f64 = 1.0;

fn row_json(row: &Row) -> Value {
    let (report, seconds) = (&row.checked.report, &row.score.seconds);
    let role = match row.role {
        Role::Published => "published",
        Role::HeldBack => "held_back",
        Role::LookAlike => "look_alike",
        Role::GoesOn => "goes_on",
    };
    let pieces: Vec<Value> = row
        .excerpt
        .truth
        .iter()
        .map(|piece| json!({ "clip_s": piece.clip_s, "reference_s": piece.reference_s }))
        .collect();
    json!({
        "split": row.split, "role": role, "edit": row.excerpt.edit.name, "length_s": row.excerpt.wanted_s,
        "clip": row.excerpt.clip.name(), "group": row.excerpt.clip.group, "cut_s": row.excerpt.cut_s,
        "other": row.excerpt.other.as_ref().map(|other| other.name()), "truth": pieces, "excerpt": row.checked.excerpt,
        "found": row.score.found, "pieces": row.score.pieces, "wrong": row.score.wrong, "bits": row.score.bits,
        "errors_s": row.score.errors_s, "overlap": row.score.overlap,
        "copied_s": seconds.copied_s, "paid_s": seconds.paid_s, "own_s": seconds.own_s,
        "accused_s": seconds.accused_s, "withheld_s": seconds.withheld_s, "check_s": row.checked.check_s,
        "verdict": report.verdict, "reasons": report.reasons, "spans": report.spans, "matches": report.matches,
        "nearest_non_match": report.nearest_non_match,
    })
}
