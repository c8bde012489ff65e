//! Prints the claims of a certificate for a person.

use std::io::{self, Write};

use uniq::certificate::{Evidence, Grade, Interval, Statement};
use uniq::report::{MatchKind, SpanState, Verdict};

use crate::render::probability;
use crate::text::{self, count, grouped, length, plain, tenths};

/// Writes verdict, clip, time and index of a statement.
pub(super) fn write(out: &mut dyn Write, statement: &Statement) -> io::Result<()> {
    let claim = &statement.predicate;
    let (clip, corpus, search, method) = (&claim.clip, &claim.corpus, &claim.search, &claim.method);
    let seconds = |ms: u64| ms as f64 / 1e3;
    let verdict = match claim.verdict {
        Verdict::Unpublished => "UNPUBLISHED",
        Verdict::PartlyPublished => "PARTLY PUBLISHED",
        Verdict::Published => "PUBLISHED",
        Verdict::Inconclusive => "INCONCLUSIVE",
    };
    writeln!(
        out,
        "  verdict       {verdict}, {} s payable",
        tenths(seconds(claim.payable_ms))
    )?;
    for reason in &claim.reasons {
        writeln!(out, "                {}", plain(&reason.text))?;
    }
    writeln!(
        out,
        "  clip          {} s, {} x {}, {} in {}, SHA-256 {}",
        tenths(seconds(clip.duration_ms)),
        clip.width,
        clip.height,
        plain(&clip.codec),
        plain(&clip.container),
        plain(statement.clip_sha256())
    )?;
    for span in &claim.spans {
        let state = match span.state {
            SpanState::Published => "published",
            SpanState::Unpublished => "unpublished",
            SpanState::Unsearchable => "unsearchable",
        };
        writeln!(
            out,
            "                {} {state}",
            interval(Interval {
                start_ms: span.start_ms,
                end_ms: span.end_ms
            })
        )?;
    }
    for found in &claim.matches {
        let kind = match found.kind {
            MatchKind::Copy => "copy",
            MatchKind::SameScene => "same scene",
            MatchKind::Undecided => "undecided",
        };
        writeln!(out, "  {kind:<13} {}", evidence(&found.evidence))?;
    }
    if claim.more_sources > 0 {
        writeln!(
            out,
            "                and {}",
            count(claim.more_sources, "more source")
        )?;
    }
    match &claim.nearest_non_match {
        Some(near) => writeln!(out, "  closest       {}", evidence(near))?,
        None => writeln!(out, "  closest       nothing else resembled it")?,
    }
    let known = |time: &Option<String>| {
        time.as_deref()
            .map_or("an unknown time".to_owned(), |time| {
                plain(time).into_owned()
            })
    };
    writeln!(
        out,
        "  against       {}: {} ({}), generation {} of {}, newest source of {}",
        plain(&corpus.name),
        count(corpus.sources, "source"),
        length(seconds(corpus.duration_ms)),
        grouped(corpus.generation),
        known(&corpus.committed_at),
        known(&corpus.newest_source_at)
    )?;
    writeln!(
        out,
        "                root {}, sources' root {}",
        corpus.root, corpus.sources_root
    )?;
    let grade = match search.grade {
        Grade::Exact => "exact: every key was compared",
        Grade::Screened => "screened: not every key was compared",
    };
    let since = search.since_generation.map_or(String::new(), |since| {
        format!(", of what was added after generation {since}")
    });
    writeln!(out, "  search        {grade}{since}")?;
    writeln!(
        out,
        "  checked       {} by {} {}{}, FFmpeg {} (libavcodec {})",
        plain(&claim.checked_at),
        plain(&method.tool),
        plain(&method.version),
        method
            .commit
            .as_deref()
            .map_or(String::new(), |commit| format!(" ({})", plain(commit))),
        plain(&method.decoder.media),
        plain(&method.decoder.libavcodec)
    )?;
    if let Some(uri) = &claim.policy_uri {
        writeln!(out, "  policy        {}", plain(uri))?;
    }
    if let Some(previous) = &claim.previous {
        writeln!(
            out,
            "  rechecks      the certificate with SHA-256 {}",
            previous.sha256
        )?;
    }
    writeln!(out, "  fingerprint   {}", claim.fingerprint.sha256)?;
    writeln!(out, "  result        {}", claim.result_digest)
}

/// Writes the limits of a statement, in its own words.
pub(super) fn limits(out: &mut dyn Write, statement: &Statement) -> io::Result<()> {
    writeln!(out, "  what this says and does not say:")?;
    for limit in &statement.predicate.limits {
        writeln!(out, "  - {}", plain(limit))?;
    }
    Ok(())
}

fn evidence(found: &Evidence) -> String {
    let source = &found.source;
    let name = source
        .title
        .as_deref()
        .or(source.url.as_deref())
        .map_or(String::new(), |name| format!(" {}", plain(name)));
    format!(
        "{} corresponds to {} of source {}{name}, probability of a copy {}",
        interval(found.clip),
        interval(found.reference),
        source.sha256.get(..16).unwrap_or_default(),
        probability(f64::from(found.probability_ppm) / 1e6)
    )
}

fn interval(of: Interval) -> String {
    text::interval(of.start_ms as f64 / 1e3, of.end_ms as f64 / 1e3)
}
