//! `uniq bench detect`: how likely a copy is seen, and how often an innocent clip is accused, on
//! the user's own footage; and `uniq bench pictures`.

mod cache;
mod edits;
mod excerpt;
mod footage;
mod measure;
mod null;
mod pictures;
mod plot;
mod precision;
mod random;
mod score;
mod statistics;
mod table;

use std::fs;
use std::path::Path;
use std::thread;

use anyhow::{Context, bail};
use serde_json::{Value, json};
use uniq::verdict::Policy;

use self::cache::Cache;
use self::edits::{EDITS, Edit};
use self::measure::{Measured, Plan, Role, Row};
pub(crate) use self::pictures::pictures;
use self::score::{highest_bits, is_published};
use self::table::Table;
use crate::args::BenchDetect;
use crate::exit::Exit;
use crate::{output, signal, talk};

/// Measures, prints the table, and writes what was asked for.
pub(crate) fn detect(args: &BenchDetect) -> anyhow::Result<Exit> {
    let plan = Plan {
        edits: chosen(&args.edits)?,
        lengths_s: lengths(&args.lengths)?,
        splits: args.splits.get(),
        sample: args.sample.map(std::num::NonZeroUsize::get),
        seed: args.seed,
        effort: args.effort.into(),
        search: args.search.into(),
        threads: match args.threads.count {
            Some(count) => count.get(),
            None => thread::available_parallelism().map_or(1, usize::from),
        },
    };
    if let Some(plot) =
        args.plot.as_ref().filter(|plot| plot.extension().is_none_or(|ending| !ending.eq_ignore_ascii_case("svg")))
    {
        bail!("{}: the plot is written as SVG; give it a name that ends in .svg", plot.display());
    }
    cache::need_editor()?;
    let folder = args.cache.clone().map_or_else(cache::default_folder, Ok)?;
    let cache = Cache::new(folder, args.keep.clone())?;
    let cancel = signal::cancel_flag("stopping; what was made is kept; once more to stop at once")?;
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
    let threshold = f64::from(Policy::default().published_bits);
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
        output::print(format!("{all}\n").as_bytes())?;
    } else {
        let text = format!(
            "{} videos, {:.2} h, of which each half is indexed in turn ({} splits); at least {threshold:.0} bits are asked for\n\n{}{}{}",
            clips.len(),
            hours,
            plan.splits,
            table.text(),
            chance.as_ref().map_or_else(String::new, null::Null::text),
            told(&measured, args.misses)
        );
        output::print(text.as_bytes())?;
    }
    talk::say(&format!("{} edits made, {} checks made, the rest was known", measured.fresh.0, measured.fresh.1));
    for failure in &measured.failed {
        talk::say(&format!("not measured: {failure}"));
    }
    Ok(if measured.failed.is_empty() { Exit::Success } else { Exit::Error })
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
    crate::text::plain_lines(&text)
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
