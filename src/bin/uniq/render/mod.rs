//! The answer to one check, for a person: the verdict in one line, the matches, payable and
//! withheld seconds, and the index searched (pure).

mod geometry;
mod price;
mod seconds;
#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::path::Path;

use clap::builder::styling::{AnsiColor, Style};
use uniq::report::{
    Interval, Match, MatchKind, NonMatch, Reason, ReasonCode, Report, Source, SpanState, Verdict,
};

use crate::output::Paint;
use crate::text::{self, count, grouped, hours, plain, tenths, whole};

/// Minimum probability of a copy that is called certain, 0..=1. Below it, and from the policy's
/// limit on, a copy is called likely. `uniq check --help` gives both limits.
pub(crate) const CERTAIN: f64 = 0.99;
/// Number of digits of the index's root shown; the JSON has all.
const ROOT_DIGITS: usize = 12;
/// Maximum deviation of a speed from 1 that is not mentioned, since the measurement is no finer.
const SPEED_TOLERANCE: f64 = 0.02;
/// Maximum number of matches of the same scene shown.
const RELATED_SHOWN: usize = 3;
const DIM: Style = Style::new().dimmed();

/// Writes the report.
pub(crate) fn report(out: &mut dyn Write, report: &Report, paint: Paint) -> io::Result<()> {
    let name = plain(&report.clip.path);
    writeln!(
        out,
        "{name}: {}, {}",
        verdict(report.verdict, paint),
        sentence(report)
    )?;
    let matches = shown(report);
    let short = report
        .reasons
        .iter()
        .any(|why| why.code == ReasonCode::Short);
    for (at, found) in matches.iter().enumerate() {
        writeln!(out)?;
        writeln!(out, "  {}", heading(found, short, paint))?;
        alignment(out, found, at == 0, paint)?;
    }
    if report.more_sources > 0 {
        let more = count(report.more_sources, "more source");
        writeln!(out, "\n  {more} of the same seconds")?;
    }
    let related = of_scene(&report.matches) - of_scene(matches.iter().copied());
    if related > 0 {
        let more = grouped(related as u64);
        writeln!(out, "\n  {more} more of the same scene: see --json")?;
    }
    writeln!(out)?;
    seconds::lines(out, report)?;
    for note in notes(report) {
        writeln!(out, "  note          {}", plain(&note.text))?;
    }
    price::lines(out, report)?;
    if matches.is_empty() {
        nearest(out, report)?;
    }
    origin(out, report)
}

/// Writes where the evidence page of a report is.
pub(crate) fn page(out: &mut dyn Write, page: &Path) -> io::Result<()> {
    writeln!(out, "  page          {}", plain(&page.to_string_lossy()))
}

/// The matches to show, copies first. Those of the same scene decide nothing, so a few are enough.
fn shown(report: &Report) -> Vec<&Match> {
    let rank = |found: &&Match| match found.kind {
        MatchKind::Copy => 0,
        MatchKind::Undecided => 1,
        MatchKind::SameScene => 2,
    };
    let mut matches: Vec<&Match> = report.matches.iter().collect();
    matches.sort_by_key(rank);
    let hidden = of_scene(&report.matches).saturating_sub(RELATED_SHOWN);
    matches.truncate(matches.len() - hidden);
    matches
}

/// Number of matches of the same scene among these.
fn of_scene<'a>(matches: impl IntoIterator<Item = &'a Match>) -> usize {
    let is_related = |found: &&Match| found.kind == MatchKind::SameScene;
    matches.into_iter().filter(is_related).count()
}

fn verdict(verdict: Verdict, paint: Paint) -> String {
    let (word, colour) = match verdict {
        Verdict::Unpublished => ("UNPUBLISHED", AnsiColor::Green),
        Verdict::PartlyPublished => ("PARTLY PUBLISHED", AnsiColor::Yellow),
        Verdict::Published => ("PUBLISHED", AnsiColor::Red),
        Verdict::Inconclusive => ("INCONCLUSIVE", AnsiColor::Magenta),
    };
    paint.style(colour.on_default().bold(), word)
}

/// What the verdict means for this clip.
fn sentence(report: &Report) -> String {
    let scope = format!("among {}", count(report.index.videos, "indexed video"));
    let found = tenths(report.seconds.published);
    let length = tenths(report.clip.duration_s);
    match report.verdict {
        Verdict::Unpublished => format!("no second of it was found {scope}"),
        Verdict::PartlyPublished => format!("{found} s of its {length} s were found {scope}"),
        Verdict::Published if found == length => format!("all {length} s were found {scope}"),
        Verdict::Published => {
            format!("{found} s of its {length} s were found {scope}, and the rest cannot be judged")
        }
        Verdict::Inconclusive => main_reason(report).map_or_else(
            || "too little of it can be judged".to_owned(),
            |why| plain(&why.text).into_owned(),
        ),
    }
}

/// The reason that concerns most of an inconclusive clip.
fn main_reason(report: &Report) -> Option<&Reason> {
    let length = |why: &Reason| why.seconds.unwrap_or(f64::INFINITY);
    let reasons = report.reasons.iter().filter(|why| !is_of_match(why));
    reasons.reduce(|most, why| {
        if length(why) > length(most) && most.code != ReasonCode::Short {
            why
        } else {
            most
        }
    })
}

/// Whether the matches or the line of the verdict already state it.
fn is_of_match(why: &Reason) -> bool {
    matches!(
        why.code,
        ReasonCode::Copy | ReasonCode::SameScene | ReasonCode::NoMatch
    )
}

/// Reasons that no other line states.
fn notes(report: &Report) -> impl Iterator<Item = &Reason> {
    let said = match report.verdict {
        Verdict::Inconclusive => main_reason(report),
        _ => None,
    };
    report.reasons.iter().filter(move |why| {
        let is_of_span = report.spans.iter().any(|span| {
            let reason = span.reason.as_ref();
            span.state == SpanState::Unsearchable && reason.is_some_and(|of| of.code == why.code)
        });
        !is_of_match(why)
            && !is_of_span
            && why.code != ReasonCode::FromFingerprint
            && said.is_none_or(|said| !std::ptr::eq(said, *why))
    })
}

/// What the match is, and of which source. `short` says that the clip is too short to judge.
fn heading(of: &Match, short: bool, paint: Paint) -> String {
    let source = name(&of.alignment.source);
    match of.kind {
        MatchKind::Copy => {
            let sure = match of.alignment.probability >= CERTAIN {
                true => "certain",
                false => "likely",
            };
            paint.style(Style::new().bold(), &format!("{sure} copy of {source}"))
        }
        MatchKind::Undecided => format!("undecided, perhaps a copy of {source}"),
        MatchKind::SameScene if short => {
            format!("resembles {source}; the clip is too short to say whether it is a copy")
        }
        MatchKind::SameScene => format!("the same scene as in {source}, not a copy"),
    }
}

fn alignment(out: &mut dyn Write, of: &Match, first: bool, paint: Paint) -> io::Result<()> {
    let found = &of.alignment;
    writeln!(
        out,
        "    {} of the clip is {} of the source",
        interval(found.clip),
        interval(found.reference)
    )?;
    for line in publication(&found.source, found.reference.start_s) {
        writeln!(out, "    {}", paint.style(DIM, &line))?;
    }
    if found.identical {
        // Identical files need no comparison.
        return writeln!(out, "    the same file, byte for byte");
    }
    // Explain bits only once.
    let bits = if first {
        " (each halves the odds of a coincidence)"
    } else {
        ""
    };
    writeln!(
        out,
        "    probability of a copy {}, {} bits of evidence that the scene is the same{bits}",
        probability(found.probability),
        whole(found.evidence_bits)
    )?;
    writeln!(out, "    {}", picture(found))
}

/// In per cent; never 100 unless it is certain.
pub(crate) fn probability(probability: f64) -> String {
    match probability {
        p if p >= 1.0 => "100 %".to_owned(),
        p if p > 0.99 => "above 99 %".to_owned(),
        p if p < 0.01 => "below 1 %".to_owned(),
        p => format!("{:.0} %", 100.0 * p),
    }
}

pub(crate) fn interval(of: Interval) -> String {
    text::interval(of.start_s, of.end_s)
}

/// The title, or else the file's path.
fn name(source: &Source) -> String {
    match &source.publication.title {
        Some(title) => format!("\"{}\"", plain(title)),
        None => plain(&source.path).into_owned(),
    }
}

/// Facts about the publication, one per line: address at this time, platform and uploader and date,
/// file.
fn publication(source: &Source, start_s: f64) -> Vec<String> {
    let publication = &source.publication;
    let mut lines = Vec::new();
    if let Some(url) = &publication.url {
        lines.push(plain(&at_time(url, start_s)).into_owned());
    }
    let mut origin = Vec::new();
    for known in [&publication.platform, &publication.uploader] {
        origin.extend(known.as_deref().map(|text| plain(text).into_owned()));
    }
    if let Some(date) = &publication.published_at {
        origin.push(format!("published {}", plain(date)));
    }
    if !origin.is_empty() {
        lines.push(origin.join(", "));
    }
    if publication.title.is_some() {
        lines.push(format!("file {}", plain(&source.path)));
    }
    lines
}

/// The address with the time in whole seconds, in the form that most platforms use.
fn at_time(url: &str, start_s: f64) -> String {
    // Round as the times next to it, so that both show the same second.
    let seconds = ((start_s.max(0.0) * 10.0).round() / 10.0) as u64;
    if seconds == 0 || !(url.starts_with("https://") || url.starts_with("http://")) {
        return url.to_owned();
    }
    let (page, fragment) = match url.split_once('#') {
        Some((page, fragment)) => (page, format!("#{fragment}")),
        None => (url, String::new()),
    };
    let (page, query) = page.split_once('?').unwrap_or((page, ""));
    // Replace an existing time.
    let mut pairs: Vec<&str> = query
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.starts_with("t="))
        .collect();
    let time = format!("t={seconds}");
    pairs.push(&time);
    format!("{page}?{}{fragment}", pairs.join("&"))
}

/// How the clip's picture differs from the source's: orientation, speed, and part of the frame.
fn picture(found: &NonMatch) -> String {
    let mut parts = Vec::new();
    if found.mirrored {
        parts.push("mirrored".to_owned());
    }
    if found.turned_degrees > 0 {
        let (degrees, way) = match found.turned_degrees {
            degrees if degrees > 270 => (360 - degrees, "anticlockwise"),
            degrees => (degrees, "clockwise"),
        };
        let about = if degrees.is_multiple_of(90) {
            ""
        } else {
            "about "
        };
        parts.push(format!("turned back by {about}{degrees} degrees {way}"));
    }
    if found.negative {
        parts.push("as a negative".to_owned());
    }
    if found.widened > 1.0 {
        parts.push(format!(
            "narrowed to about {:.0} % of its width",
            100.0 / found.widened
        ));
    } else if found.widened < 1.0 {
        parts.push(format!(
            "widened to about {:.0} % of its width",
            100.0 / found.widened
        ));
    }
    if found.slanted != 1.0 {
        parts.push("slanted".to_owned());
    }
    if found.speed < 0.0 {
        parts.push("backwards".to_owned());
    }
    let speed = found.speed.abs();
    if (speed - 1.0).abs() > SPEED_TOLERANCE {
        let comparative = if speed > 1.0 { "faster" } else { "slower" };
        parts.push(format!(
            "{comparative} ({speed:.2} times the published speed)"
        ));
    }
    parts.push(geometry::words(&found.geometry));
    parts.join(", ")
}

/// Writes the nearest non-match, so that a person can look at it.
fn nearest(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    match &report.nearest_non_match {
        Some(near) => writeln!(
            out,
            "  closest       {} resembles {} of {}; probability of a copy {}",
            interval(near.clip),
            interval(near.reference),
            name(&near.source),
            probability(near.probability)
        ),
        None if report.clip.keys == 0 => {
            writeln!(out, "  closest       the clip shows nothing to compare")
        }
        None => writeln!(out, "  closest       nothing in the index resembles it"),
    }
}

/// Writes clip, time, index and program of the check, so that it can be repeated.
fn origin(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    let (tool, index) = (&report.tool, &report.index);
    let root: String = index.root.chars().take(ROOT_DIGITS).collect();
    let effort = match report.search.effort {
        uniq::Effort::Fast => "fast",
        uniq::Effort::Standard => "standard",
        uniq::Effort::Thorough => "thorough",
    };
    writeln!(
        out,
        "  searched      {} ({}), index root {}, effort {effort}",
        count(index.videos, "video"),
        hours(index.hours),
        plain(&root)
    )?;
    writeln!(out, "  clip SHA-256  {}", plain(&report.clip.sha256))?;
    let at = report
        .checked_at
        .as_deref()
        .map_or(String::new(), |at| format!("{} by ", plain(at)));
    let commit = tool
        .commit
        .as_deref()
        .map_or(String::new(), |commit| format!(" ({})", plain(commit)));
    writeln!(
        out,
        "  checked       {at}{} {}{commit}, FFmpeg {}, libavcodec {}",
        plain(&tool.name),
        plain(&tool.version),
        plain(&tool.media),
        plain(&tool.libavcodec)
    )
}
