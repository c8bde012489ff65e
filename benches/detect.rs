//! How much of edited footage is found, at how many false alarms, and how exact the times are.
//!
//! `cargo bench --bench detect -- [DIR]`, where DIR holds a `manifest.csv` (columns `file`, `group`, and if present
//! `duration_s`, `width`, `height`); without it `$UNIQ_CLIPS`, and without that made scenes.
//! Half of the groups are indexed. Excerpts of indexed clips, edited, must be found; the clips of the other groups,
//! plain and edited in the same ways, must not be called published. Edited files are kept in `$UNIQ_BENCH_CACHE`, or
//! under cargo's folder for temporary files.

#![allow(clippy::print_stdout, clippy::print_stderr)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Parser;
use serde_json::{Value, json};
use support::clips::{self, Clip};
use support::edits::{self, Edit, Excerpt};
use support::program::{self, Report, Score};

#[derive(Parser)]
#[command(about = "Measures recall, false alarms and exactness of times")]
struct Args {
    /// Folder of clips with a manifest.csv
    folder: Option<PathBuf>,
    /// How many splits into halves to run; two are each other's complement
    #[arg(long, default_value_t = 2)]
    seeds: u64,
    /// Run only these edits, by name
    #[arg(long, value_delimiter = ',')]
    edits: Vec<String>,
    /// Write every figure and every row to this file
    #[arg(long)]
    json: Option<PathBuf>,
    /// Make the edited files and stop; --json then holds where each comes from
    #[arg(long)]
    prepare: bool,
    /// Measure this program instead of the one just built
    #[arg(long, default_value = env!("CARGO_BIN_EXE_uniq"))]
    program: PathBuf,
    /// Pass one more argument to `uniq check`; may be given several times
    #[arg(long = "check-arg", allow_hyphen_values = true)]
    check_args: Vec<String>,
    /// What cargo passes to each bench
    #[arg(long, hide = true)]
    bench: bool,
}

/// An excerpt and what the program said of it.
struct Row {
    seed: u64,
    excerpt: Excerpt,
    published: bool,
    report: Report,
    score: Score,
}

fn main() {
    let args = Args::parse();
    let folder = clips::folder(args.folder.clone());
    let clips = folder.as_deref().map_or_else(clips::made, clips::read);
    let cache = std::env::var_os("UNIQ_BENCH_CACHE")
        .map_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("detect"), PathBuf::from);
    let wanted: Vec<Edit> = Edit::ALL
        .into_iter()
        .filter(|edit| args.edits.is_empty() || args.edits.iter().any(|name| name == edit.name()))
        .collect();
    let hours: f64 = clips.iter().map(|clip| clip.duration_s).sum::<f64>() / 3600.0;
    println!(
        "{}: {} clips, {hours:.3} h, {} splits, {} edits",
        folder.as_deref().map_or("made scenes".into(), Path::to_string_lossy),
        clips.len(),
        args.seeds,
        wanted.len()
    );
    let mut rows = Vec::new();
    for seed in 0..args.seeds {
        rows.extend(run_split(&args, &clips, &cache, &wanted, seed));
    }
    let summary = if args.prepare {
        println!("edited files are in {}", cache.display());
        Value::Null
    } else {
        report_rows(&wanted, &rows)
    };
    if let Some(path) = &args.json {
        let rows: Vec<Value> = rows.iter().map(row_json).collect();
        let all =
            json!({ "clips": clips.len(), "hours": hours, "seeds": args.seeds, "summary": summary, "rows": rows });
        fs::write(path, format!("{all:#}\n")).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        println!("\nwritten to {}", path.display());
    }
}

fn run_split(args: &Args, clips: &[Clip], cache: &Path, wanted: &[Edit], seed: u64) -> Vec<Row> {
    let split = clips::split(clips, seed);
    let plan = |from: &[Clip]| -> Vec<Excerpt> {
        let one = |clip: &Clip, edit: Edit| Excerpt::plan(clip, edit, &split.held_back, 0);
        from.iter().flat_map(|clip| wanted.iter().filter_map(move |edit| one(clip, *edit))).collect()
    };
    let mut planned = plan(&split.published);
    let positives = planned.len();
    planned.extend(plan(&split.held_back));
    let total = planned.len();
    let started = Instant::now();
    let excerpts = edits::make_all(planned, cache, &|done| {
        if done.is_multiple_of(50) || done == total {
            eprintln!("split {seed}: {done} of {total} edited, {:.0} s", started.elapsed().as_secs_f64());
        }
    });
    let rows = |reports: Vec<Report>| judge(clips, excerpts.clone(), reports, positives, seed);
    if args.prepare {
        return rows(vec![Report::default(); total]);
    }
    let index = tempfile::tempdir().expect("a temporary folder can be made");
    let started = Instant::now();
    let sources: Vec<&Path> = split.published.iter().map(|clip| clip.path.as_path()).collect();
    let built = program::build(&args.program, index.path(), &sources);
    if !built.status.success() {
        // A file that cannot be indexed lowers the recall below, and is no reason to measure nothing.
        println!("index build: {}: {}", built.status, String::from_utf8_lossy(&built.stderr));
    }
    eprintln!("split {seed}: {} videos indexed, {:.1} s", sources.len(), started.elapsed().as_secs_f64());
    let started = Instant::now();
    let extra: Vec<&OsStr> = args.check_args.iter().map(OsStr::new).collect();
    let paths: Vec<&Path> = excerpts.iter().map(|excerpt| excerpt.path.as_path()).collect();
    let reports = program::check(&args.program, index.path(), &paths, &extra, &|done| {
        eprintln!("split {seed}: {done} of {total} checked, {:.0} s", started.elapsed().as_secs_f64());
    });
    rows(reports)
}

/// Puts each report beside the truth; the first `positives` excerpts are of indexed clips.
fn judge(clips: &[Clip], excerpts: Vec<Excerpt>, reports: Vec<Report>, positives: usize, seed: u64) -> Vec<Row> {
    let groups = clips::groups(clips);
    excerpts
        .into_iter()
        .zip(reports)
        .enumerate()
        .map(|(k, (excerpt, report))| Row {
            seed,
            score: Score::new(&report, &excerpt, &groups),
            published: k < positives,
            excerpt,
            report,
        })
        .collect()
}

/// Prints the tables and returns them as JSON.
fn report_rows(wanted: &[Edit], rows: &[Row]) -> Value {
    println!(
        "\nexcerpts of indexed clips (found: a copy of the right content at the right place; wrong: any other copy)"
    );
    println!(
        "{:<10} {:>9} {:>7} {:>13} {:>5} {:>9} {:>14} {:>14} {:>14} {:>17}",
        "edit", "found", "recall", "95 %", "wrong", "times", "start 50/95", "end 50/95", "ref 50/95", "bits min/50/max"
    );
    let mut summary = Vec::new();
    for edit in wanted {
        let some: Vec<&Row> = rows.iter().filter(|row| row.published && row.excerpt.edit == *edit).collect();
        summary.push(positive_line(edit.name(), &some));
    }
    let all: Vec<&Row> = rows.iter().filter(|row| row.published).collect();
    summary.push(positive_line("all", &all));

    println!("\nclips of the other half (false: called published or partly_published)");
    println!(
        "{:<10} {:>9} {:>13} {:>12} {:>7} {:>12} {:>12}",
        "edit", "false", "95 %", "inconclusive", "errors", "highest bits", "moment bits"
    );
    let mut negatives = Vec::new();
    for edit in wanted {
        let some: Vec<&Row> = rows.iter().filter(|row| !row.published && row.excerpt.edit == *edit).collect();
        negatives.push(negative_line(edit.name(), &some));
    }
    let all: Vec<&Row> = rows.iter().filter(|row| !row.published).collect();
    negatives.push(negative_line("all", &all));

    println!("\nnot found");
    for row in rows.iter().filter(|row| row.published && !row.score.found) {
        let (bits, moment) = row.report.highest_bits();
        println!(
            "  {} {}: {}, at most {bits:.0} bits, {moment:.0} of the moment",
            row.excerpt.edit.name(),
            row.excerpt.clip.name(),
            spoken(&row.report)
        );
    }
    println!("\nfound, with a time off by more than 1 s");
    for row in rows.iter().filter(|row| row.published) {
        if let Some([start, end, reference]) = row.score.errors_s.filter(|errors| worst(errors) > 1.0) {
            println!(
                "  {} {}: start {start:.2}, end {end:.2}, reference {reference:.2}",
                row.excerpt.edit.name(),
                row.excerpt.clip.name()
            );
        }
    }
    println!("\nunpublished clips with the highest evidence");
    let mut near: Vec<&Row> = all;
    near.sort_by(|a, b| b.report.highest_bits().0.total_cmp(&a.report.highest_bits().0));
    for row in near.iter().take(12) {
        let (bits, moment) = row.report.highest_bits();
        println!(
            "  {bits:.0} bits, {moment:.0} of the moment: {} {}: {}",
            row.excerpt.edit.name(),
            row.excerpt.clip.name(),
            spoken(&row.report)
        );
    }
    json!({ "positives": summary, "negatives": negatives })
}

fn positive_line(name: &str, rows: &[&Row]) -> Value {
    let found = rows.iter().filter(|row| row.score.found).count();
    let wrong: usize = rows.iter().map(|row| row.score.wrong).sum();
    let errors: Vec<[f64; 3]> = rows.iter().filter_map(|row| row.score.errors_s).collect();
    let exact = errors.iter().filter(|errors| worst(errors) <= 1.0).count();
    let column = |k: usize| -> Vec<f64> { sorted(errors.iter().map(|errors| errors[k])) };
    let [start, end, reference] = [0, 1, 2].map(column);
    let bits = sorted(rows.iter().filter(|row| row.score.found).map(|row| row.score.evidence_bits));
    let moment = sorted(rows.iter().filter(|row| row.score.found).map(|row| row.score.moment_bits));
    let (low, high) = wilson(found, rows.len());
    let recall = ratio(found, rows.len());
    let pair = |values: &[f64]| format!("{:.2}/{:.2}", quantile(values, 0.5), quantile(values, 0.95));
    println!(
        "{name:<10} {:>9} {:>5.1} % {:>13} {wrong:>5} {:>9} {:>14} {:>14} {:>14} {:>17}",
        format!("{found}/{}", rows.len()),
        100.0 * recall,
        format!("{:.1}-{:.1}", 100.0 * low, 100.0 * high),
        format!("{exact}/{}", errors.len()),
        pair(&start),
        pair(&end),
        pair(&reference),
        format!("{:.0}/{:.0}/{:.0}", quantile(&bits, 0.0), quantile(&bits, 0.5), quantile(&bits, 1.0)),
    );
    let both = |values: &[f64]| json!({ "median": quantile(values, 0.5), "p95": quantile(values, 0.95) });
    json!({
        "edit": name, "clips": rows.len(), "found": found, "recall": recall, "wilson95": [low, high], "wrong": wrong,
        "times_judged": errors.len(), "times_within_1s": exact,
        "start_error_s": both(&start), "end_error_s": both(&end), "reference_error_s": both(&reference),
        "evidence_bits": { "min": quantile(&bits, 0.0), "median": quantile(&bits, 0.5), "max": quantile(&bits, 1.0) },
        "moment_bits": { "min": quantile(&moment, 0.0), "median": quantile(&moment, 0.5), "max": quantile(&moment, 1.0) },
        "called_mirrored": rows.iter().filter(|row| row.score.mirrored).count(),
    })
}

fn negative_line(name: &str, rows: &[&Row]) -> Value {
    let count = |verdict: &str| rows.iter().filter(|row| row.report.verdict == verdict).count();
    let alarms = rows.iter().filter(|row| row.report.is_published()).count();
    let (inconclusive, errors) = (count("inconclusive"), count(""));
    let (low, high) = wilson(alarms, rows.len());
    let highest = |k: fn(&Report) -> f64| rows.iter().map(|row| k(&row.report)).fold(0.0, f64::max);
    let (bits, moment) = (highest(|report| report.highest_bits().0), highest(|report| report.highest_bits().1));
    println!(
        "{name:<10} {:>9} {:>13} {inconclusive:>12} {errors:>7} {bits:>12.0} {moment:>12.0}",
        format!("{alarms}/{}", rows.len()),
        format!("{:.1}-{:.1} %", 100.0 * low, 100.0 * high),
    );
    json!({
        "edit": name, "clips": rows.len(), "false_published": alarms, "wilson95": [low, high],
        "inconclusive": inconclusive, "errors": errors, "highest_evidence_bits": bits, "highest_moment_bits": moment,
    })
}

fn row_json(row: &Row) -> Value {
    let (bits, moment) = row.report.highest_bits();
    let matches: Vec<Value> = row
        .report
        .matches
        .iter()
        .map(|found| {
            json!({
                "source": found.source.path, "kind": found.kind, "evidence_bits": found.evidence_bits,
                "moment_bits": found.moment_bits, "mirrored": found.mirrored, "speed": found.speed,
                "clip_s": [found.clip.start_s, found.clip.end_s],
                "reference_s": [found.reference.start_s, found.reference.end_s],
            })
        })
        .collect();
    json!({
        "seed": row.seed, "published": row.published, "edit": row.excerpt.edit.name(),
        "clip": row.excerpt.clip.name(), "group": row.excerpt.clip.group, "file": row.excerpt.path,
        "other": row.excerpt.other.as_ref().map(Clip::name),
        "true_clip_s": [row.excerpt.within_s.0, row.excerpt.within_s.1],
        "true_reference_s": [row.excerpt.reference_s.0, row.excerpt.reference_s.1],
        "found": row.published && row.score.found, "wrong": if row.published { row.score.wrong } else { 0 },
        "errors_s": row.score.errors_s, "verdict": row.report.verdict, "reasons": row.report.reasons,
        "seconds": [row.report.seconds.published, row.report.seconds.unpublished, row.report.seconds.unsearchable],
        "highest_evidence_bits": bits, "highest_moment_bits": moment, "matches": matches,
        "nearest_non_match": row.report.nearest_non_match,
    })
}

/// The verdict with its reasons, for a person.
fn spoken(report: &Report) -> String {
    if report.verdict.is_empty() {
        return "could not be checked".to_owned();
    }
    let reasons: Vec<String> = report.reasons.iter().map(Value::to_string).collect();
    format!("{} {}", report.verdict, reasons.join(", "))
}

fn worst(errors: &[f64; 3]) -> f64 {
    errors.iter().copied().fold(0.0, f64::max)
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

/// The nearest-rank quantile of sorted values; NaN, printed as such, of none.
fn quantile(values: &[f64], ratio: f64) -> f64 {
    let rank = (ratio * values.len() as f64).ceil().max(1.0) as usize;
    values.get(rank - 1).copied().unwrap_or(f64::NAN)
}

fn ratio(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// The 95 % interval of a proportion (Wilson 1927), which stays honest at 0 and at all of few.
fn wilson(part: usize, whole: usize) -> (f64, f64) {
    if whole == 0 {
        return (0.0, 1.0);
    }
    const Z: f64 = 1.959_964;
    let (n, p) = (whole as f64, ratio(part, whole));
    let centre = (p + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
    let spread = Z / (1.0 + Z * Z / n) * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    ((centre - spread).max(0.0), (centre + spread).min(1.0))
}
