//! How the clip's seconds divide: payable, and withheld with the reason.

use std::io::{self, Write};

use uniq::report::{Interval, Report, Span, SpanState, Verdict};

use super::interval;
use crate::text::{grouped, plain, tenths};

/// Maximum number of intervals of one kind listed.
const INTERVALS_SHOWN: usize = 3;

/// Writes payable seconds, withheld seconds with reasons, and the power of the search.
pub(super) fn lines(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    let is_whole = report.spans.len() <= 1;
    let payable_in = payable_intervals(report);
    let payable_s: f64 = payable_in.iter().map(|of| of.end_s - of.start_s).sum();
    let mut payable = format!("{:>7} s", tenths(payable_s));
    if payable_s > 0.0 {
        payable += &format!(" ({:.2} minutes)", report.payable_minutes);
        if !is_whole || payable_s + SHOWN_MIN_S < report.clip.duration_s {
            payable += &format!("  {}", listed(&payable_in));
        }
    }
    writeln!(out, "  payable       {payable}")?;
    let mut withheld: Vec<(f64, String)> = Vec::new();
    if report.seconds.published > 0.0 {
        withheld.push((report.seconds.published, "already published".to_owned()));
    }
    let rest = report.seconds.unpublished - payable_s;
    if rest >= SHOWN_MIN_S {
        withheld.push((rest, why_not_payable(report)));
    }
    withheld.extend(unsearchable(report, is_whole));
    for (at, (seconds, why)) in withheld.iter().enumerate() {
        let label = if at == 0 { "withheld" } else { "" };
        writeln!(out, "  {label:<12}  {:>7} s  {why}", tenths(*seconds))?;
    }
    if let Some(power) = power(report) {
        writeln!(
            out,
            "  reliability   {:.0} % of such seconds would be found if they were copies with the usual edits",
            100.0 * power
        )?;
    }
    let clip = &report.clip;
    if clip.benign_keys > 0 {
        let (aside, keys) = (grouped(clip.benign_keys), grouped(clip.keys));
        writeln!(
            out,
            "  set aside     {aside} of {keys} details of the picture: they are marked as benign"
        )?;
    }
    Ok(())
}

/// The payable intervals, if any: without what a ledger deducts, if one was asked.
fn payable_intervals(report: &Report) -> Vec<Interval> {
    match &report.submission {
        _ if report.payable_minutes <= 0.0 => Vec::new(),
        Some(said) => said.payable.clone(),
        None => intervals(&of_state(report, SpanState::Unpublished)),
    }
}

/// Minimum number of seconds that is shown, the precision of the text.
const SHOWN_MIN_S: f64 = 0.05;

/// Why unpublished seconds are not payable.
fn why_not_payable(report: &Report) -> String {
    if report.submission.is_some() {
        "not found, but already offered or undecided: see the submission below".to_owned()
    } else if report.clip.from_fingerprint && report.provisional_minutes > 0.0 {
        format!(
            "not found; payable ({:.2} minutes) once the clip itself is checked",
            report.provisional_minutes
        )
    } else if report.verdict == Verdict::Inconclusive {
        "not found, but the clip as a whole cannot be judged".to_owned()
    } else {
        "not found, but not payable".to_owned()
    }
}

/// Unsearchable seconds by reason, longest first.
fn unsearchable(report: &Report, is_whole: bool) -> Vec<(f64, String)> {
    let mut reasons: Vec<(&str, Vec<&Span>)> = Vec::new();
    for span in of_state(report, SpanState::Unsearchable) {
        let why = span
            .reason
            .as_ref()
            .map_or("no reason is known", |reason| reason.text.as_str());
        match reasons.iter_mut().find(|(text, _)| *text == why) {
            Some((_, spans)) => spans.push(span),
            None => reasons.push((why, vec![span])),
        }
    }
    let mut lines: Vec<(f64, String)> = reasons
        .into_iter()
        .map(|(why, spans)| {
            let places = match is_whole {
                true => String::new(),
                false => format!(" ({})", listed(&intervals(&spans))),
            };
            let seconds = spans.iter().map(|span| span.end_s - span.start_s).sum();
            (seconds, format!("{}{places}", plain(why)))
        })
        .collect();
    lines.sort_by(|a, b| b.0.total_cmp(&a.0));
    lines
}

fn of_state(report: &Report, state: SpanState) -> Vec<&Span> {
    let spans = report.spans.iter();
    spans.filter(|span| span.state == state).collect()
}

fn intervals(spans: &[&Span]) -> Vec<Interval> {
    let of = |span: &&Span| Interval {
        start_s: span.start_s,
        end_s: span.end_s,
    };
    spans.iter().map(of).collect()
}

/// The first intervals, and the number of further ones.
fn listed(intervals: &[Interval]) -> String {
    let first = intervals.iter().take(INTERVALS_SHOWN);
    let mut words: Vec<String> = first.map(|of| interval(*of)).collect();
    if intervals.len() > INTERVALS_SHOWN {
        words.push(format!("{} more", intervals.len() - INTERVALS_SHOWN));
    }
    words.join(", ")
}

/// Mean power of the unpublished seconds; `None` without any.
fn power(report: &Report) -> Option<f64> {
    let unpublished = of_state(report, SpanState::Unpublished);
    let is_unpublished = |second: usize| {
        let middle = second as f64 + 0.5;
        unpublished
            .iter()
            .any(|span| (span.start_s..span.end_s).contains(&middle))
    };
    let powers: Vec<f64> = report
        .power
        .iter()
        .enumerate()
        .filter(|(second, _)| is_unpublished(*second))
        .map(|(_, power)| *power)
        .collect();
    (!powers.is_empty()).then(|| powers.iter().sum::<f64>() / powers.len() as f64)
}
