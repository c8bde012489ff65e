//! The answer to one check, for a person: verdict, matches, seconds, nearest non-match (pure).

mod geometry;
mod price;
#[cfg(test)]
mod tests;

use std::io::{self, Write};

use clap::builder::styling::{AnsiColor, Style};
use uniq::report::{
    Interval, Match, MatchKind, NonMatch, ReasonCode, Report, Source, SpanState, Verdict,
};

use crate::output::Paint;
use crate::text::{clock, count, grouped, hours, plain, tenths, whole};

/// Digits of the index's root that are shown; the whole root is in the JSON.
const ROOT_DIGITS: usize = 12;
/// Speeds nearer to 1 than this are not worth a word: the measurement is no finer.
const SPEED_TOLERANCE: f64 = 0.02;
const DIM: Style = Style::new().dimmed();

/// Writes the report.
pub(crate) fn report(out: &mut dyn Write, report: &Report, paint: Paint) -> io::Result<()> {
    let name = plain(&report.clip.path);
    writeln!(out, "{name}: {}", verdict(report.verdict, paint))?;
    writeln!(out, "  {}", sentence(report))?;
    for reason in &report.reasons {
        writeln!(out, "  - {}", plain(&reason.text))?;
    }
    let rank = |found: &&Match| match found.kind {
        MatchKind::Copy => 0,
        MatchKind::Undecided => 1,
        MatchKind::SameScene => 2,
    };
    // What matters comes first, and of what decides nothing a few are enough.
    let mut matches: Vec<&Match> = report.matches.iter().collect();
    matches.sort_by_key(rank);
    let related = matches
        .iter()
        .filter(|found| found.kind == MatchKind::SameScene)
        .count();
    matches.truncate(matches.len() - related.saturating_sub(RELATED_TOLD));
    for found in matches {
        writeln!(out)?;
        let (heading, style) = match found.kind {
            MatchKind::Copy => ("the same recording", Style::new().bold()),
            MatchKind::SameScene => ("the same scene, not counted as published", Style::new()),
            MatchKind::Undecided => (
                "the same scene, and perhaps the same recording: undecided",
                Style::new(),
            ),
        };
        writeln!(out, "  {}", paint.style(style, heading))?;
        alignment(out, &found.alignment, paint)?;
    }
    if report.more_sources > 0 {
        writeln!(out, "\n  and {}", count(report.more_sources, "more source"))?;
    }
    if related > RELATED_TOLD {
        writeln!(
            out,
            "\n  and the same scene {} more times: see --json",
            related - RELATED_TOLD
        )?;
    }
    writeln!(out)?;
    seconds(out, report)?;
    price::lines(out, report)?;
    nearest(out, report)?;
    origin(out, report)
}

/// Matches of the same scene that are told in full.
const RELATED_TOLD: usize = 3;

fn verdict(verdict: Verdict, paint: Paint) -> String {
    let (word, colour) = match verdict {
        Verdict::Unpublished => ("UNPUBLISHED", AnsiColor::Green),
        Verdict::PartlyPublished => ("PARTLY PUBLISHED", AnsiColor::Yellow),
        Verdict::Published => ("PUBLISHED", AnsiColor::Red),
        Verdict::Inconclusive => ("INCONCLUSIVE", AnsiColor::Magenta),
    };
    paint.style(colour.on_default().bold(), word)
}

/// What the verdict says, and of what it says it.
fn sentence(report: &Report) -> String {
    let index = &report.index;
    let root: String = index.root.chars().take(ROOT_DIGITS).collect();
    let scope = format!(
        "{} ({}), index root {}",
        count(index.videos, "video"),
        hours(index.hours),
        plain(&root)
    );
    let (found, whole) = (
        tenths(report.seconds.published),
        tenths(report.clip.duration_s),
    );
    match report.verdict {
        Verdict::Unpublished => format!("no second of it was found in {scope}"),
        Verdict::PartlyPublished => format!("{found} s of {whole} s were found in {scope}"),
        Verdict::Published => {
            format!("all of it that can be judged, {found} s of {whole} s, was found in {scope}")
        }
        Verdict::Inconclusive
            if report
                .reasons
                .first()
                .is_some_and(|why| why.code == ReasonCode::Short) =>
        {
            format!("too short to judge: it cannot be said whether it is in {scope}")
        }
        Verdict::Inconclusive => format!("it cannot be said whether it is in {scope}"),
    }
}

fn alignment(out: &mut dyn Write, found: &NonMatch, paint: Paint) -> io::Result<()> {
    writeln!(out, "    clip       {}", interval(found.clip))?;
    let source = paint.style(Style::new().bold(), &name(&found.source));
    writeln!(
        out,
        "    published  {} of {source}",
        interval(found.reference)
    )?;
    for line in publication(&found.source) {
        writeln!(out, "               {}", paint.style(DIM, &line))?;
    }
    if found.identical {
        // Nothing had to be compared.
        return writeln!(out, "    evidence   the same file, byte for byte");
    }
    writeln!(out, "    picture    {}", picture(found))?;
    writeln!(
        out,
        "    evidence   {} bits, {} of them for this moment, from {}",
        whole(found.evidence_bits),
        whole(found.moment_bits),
        count(found.hits, "hit")
    )?;
    if let Some(pictures) = found.pictures {
        writeln!(
            out,
            "    pictures   {} compared: what moves correlates by {:.2}, over {:.0} % of it",
            grouped(pictures.compared),
            pictures.correlation,
            100.0 * pictures.share
        )?;
    }
    writeln!(
        out,
        "    copy       with a probability of {}",
        probability(found.probability)
    )?;
    Ok(())
}

/// In hundredths, and never certain where it is not.
fn probability(probability: f64) -> String {
    match probability {
        p if p >= 1.0 => "1".to_owned(),
        p if p > 0.99 => "more than 0.99".to_owned(),
        p if p < 0.01 => "less than 0.01".to_owned(),
        p => format!("{p:.2}"),
    }
}

fn interval(interval: Interval) -> String {
    format!("{} to {}", clock(interval.start_s), clock(interval.end_s))
}

/// The title, or else the file's path.
fn name(source: &Source) -> String {
    match &source.publication.title {
        Some(title) => format!("\"{}\"", plain(title)),
        None => plain(&source.path).into_owned(),
    }
}

/// What is known of where and when the source was published, a line each: address, who and when,
/// file.
fn publication(source: &Source) -> Vec<String> {
    let publication = &source.publication;
    let mut lines = Vec::new();
    if let Some(url) = &publication.url {
        lines.push(plain(url).into_owned());
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
        lines.push(plain(&source.path).into_owned());
    }
    lines
}

/// Mirrored, speed, and which part of the frame.
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

/// How the clip's length divides; what is unpublished beside other parts is listed, and what cannot
/// be searched with its reason.
fn seconds(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    let seconds = &report.seconds;
    writeln!(out, "  published     {:>8} s", tenths(seconds.published))?;
    let (payable, minutes) = match report.clip.from_fingerprint {
        true => ("provisionally payable", report.provisional_minutes),
        false => ("payable", report.payable_minutes),
    };
    let why = match report.verdict {
        Verdict::Inconclusive => ": the clip as a whole is inconclusive",
        _ if report.clip.from_fingerprint => ", until the clip is seen",
        _ => "",
    };
    writeln!(
        out,
        "  unpublished   {:>8} s, {payable} {minutes:.2} minutes{why}",
        tenths(seconds.unpublished)
    )?;
    if report.spans.len() > 1 {
        for span in report
            .spans
            .iter()
            .filter(|span| span.state == SpanState::Unpublished)
        {
            let part = Interval {
                start_s: span.start_s,
                end_s: span.end_s,
            };
            writeln!(out, "                {}", interval(part))?;
        }
    }
    writeln!(out, "  unsearchable  {:>8} s", tenths(seconds.unsearchable))?;
    for span in &report.spans {
        if span.state == SpanState::Unsearchable {
            let reason = span
                .reason
                .as_ref()
                .map_or("no reason known", |reason| reason.text.as_str());
            let part = Interval {
                start_s: span.start_s,
                end_s: span.end_s,
            };
            writeln!(out, "                {}: {}", interval(part), plain(reason))?;
        }
    }
    if !report.power.is_empty() {
        let mean = report.power.iter().sum::<f64>() / report.power.len() as f64;
        writeln!(
            out,
            "  power         {mean:>8.2}: how probably a copy of such seconds is found"
        )?;
    }
    let clip = &report.clip;
    if clip.benign_keys > 0 {
        let (aside, keys) = (grouped(clip.benign_keys), grouped(clip.keys));
        writeln!(
            out,
            "  set aside     {aside} of {keys} keys, as of benign material"
        )?;
    }
    Ok(())
}

fn nearest(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    match &report.nearest_non_match {
        Some(near) => writeln!(
            out,
            "  nearest non-match: {} against {} of {}, a copy with a probability of {}",
            interval(near.clip),
            interval(near.reference),
            name(&near.source),
            probability(near.probability)
        ),
        None => writeln!(
            out,
            "  nearest non-match: none, nothing else was alike at all"
        ),
    }
}

/// What was checked when and by what, so that it can be done again.
fn origin(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    let tool = &report.tool;
    writeln!(out, "  clip's SHA-256    {}", plain(&report.clip.sha256))?;
    let at = report
        .checked_at
        .as_deref()
        .map_or(String::new(), |at| format!("{}, ", plain(at)));
    let effort = match report.search.effort {
        uniq::Effort::Fast => "fast",
        uniq::Effort::Standard => "standard",
        uniq::Effort::Thorough => "thorough",
    };
    let commit = tool
        .commit
        .as_deref()
        .map_or(String::new(), |commit| format!(" ({})", plain(commit)));
    writeln!(
        out,
        "  checked           {at}effort {effort}, {} {}{commit}, FFmpeg {} (libavcodec {})",
        plain(&tool.name),
        plain(&tool.version),
        plain(&tool.media),
        plain(&tool.libavcodec)
    )
}
