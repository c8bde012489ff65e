//! The answer of `uniq dedup`, for a person (pure).

use std::collections::HashSet;
use std::io::{self, Write};

use clap::builder::styling::{AnsiColor, Style};
use uniq::dedup::{Clip, Deduplication, Extent, Pair};
use uniq::report::MatchKind;

use crate::output::Paint;
use crate::render::{interval, probability};
use crate::text::{self, count, grouped, plain, tenths, whole};

/// Maximum deviation of a speed from 1 that is not mentioned, since the measurement is no finer.
const SPEED_TOLERANCE: f64 = 0.02;
const DIM: Style = Style::new().dimmed();

/// Writes the groups, and the clips that were not fully compared.
pub(super) fn deduplication(
    out: &mut dyn Write,
    found: &Deduplication,
    paint: Paint,
) -> io::Result<()> {
    for group in &found.groups {
        let name = paint.style(AnsiColor::Green.on_default().bold(), "keep");
        writeln!(out, "{name}  {}", plain(&group.keep.path))?;
        writeln!(out, "      {}", paint.style(DIM, &group.why))?;
        for member in &group.members {
            let (word, colour) = match member.extent {
                Extent::Identical => ("same", AnsiColor::Red),
                Extent::Whole => ("copy", AnsiColor::Red),
                Extent::Part => ("part", AnsiColor::Yellow),
            };
            let word = paint.style(colour.on_default().bold(), word);
            writeln!(out, "  {word}  {}", plain(&member.path))?;
            writeln!(out, "        {}", paint.style(DIM, &member.why))?;
            if member.extent != Extent::Identical {
                pair(
                    out,
                    &found.pairs[member.pair],
                    &member.sha256,
                    MatchKind::Copy,
                )?;
            }
        }
        let bits = whole(group.evidence_bits);
        let score = format!(
            "lowest probability {}, fewest bits {bits}",
            probability(group.probability)
        );
        writeln!(out, "  {}\n", paint.style(DIM, &score))?;
    }
    let of_kind = |kind| found.pairs.iter().filter(move |pair| pair.kind == kind);
    for (kind, heading) in [
        (
            MatchKind::Undecided,
            "undecided: copies, or the same scene at another moment; look at them",
        ),
        (
            MatchKind::SameScene,
            "the same scene at another moment: not duplicates",
        ),
    ] {
        if of_kind(kind).next().is_some() {
            writeln!(out, "{}", paint.style(Style::new().bold(), heading))?;
        }
        for related in of_kind(kind) {
            writeln!(
                out,
                "  {}\n  {}",
                plain(&related.clip.path),
                plain(&related.other.path)
            )?;
            pair(out, related, &related.clip.sha256, kind)?;
            writeln!(out)?;
        }
    }
    not_compared(out, found, paint)?;
    let superfluous = found
        .groups
        .iter()
        .flat_map(|group| &group.members)
        .filter(|member| member.redundant)
        .count();
    let compared = found.clips.iter().flat_map(|clip| &clip.files);
    let failed = found.failed.iter().map(|failure| failure.path.as_str());
    let files: HashSet<&str> = compared
        .map(|file| file.path.as_str())
        .chain(failed)
        .collect();
    let unread = match found.failed.len() {
        0 => String::new(),
        failed => format!(", {} of them unreadable", grouped(failed as u64)),
    };
    writeln!(
        out,
        "{}{unread}, {} superfluous; {}",
        count(files.len() as u64, "file"),
        grouped(superfluous as u64),
        if found.duplicates {
            count(found.groups.len() as u64, "group")
        } else {
            "no duplicates".to_owned()
        }
    )
}

/// Writes the seconds that two clips share, those of the clip with the SHA-256 `first` first.
fn pair(out: &mut dyn Write, pair: &Pair, first: &str, kind: MatchKind) -> io::Result<()> {
    for found in pair.matches.iter().filter(|found| found.found.kind == kind) {
        let alignment = &found.found.alignment;
        let (mut here, mut there, mut speed) =
            (alignment.clip, alignment.reference, alignment.speed);
        if pair.clip.sha256 != first {
            (here, there, speed) = (there, here, 1.0 / speed);
        }
        let (of_here, relation, of_there) = match kind {
            MatchKind::Copy => ("", "is", "of the kept one"),
            MatchKind::Undecided => (" of the first", "may be", "of the second"),
            MatchKind::SameScene => (" of the first", "resembles", "of the second"),
        };
        let mut words = vec![format!(
            "{}{of_here} {relation} {} {of_there}",
            interval(here),
            interval(there)
        )];
        if alignment.mirrored {
            words.push("mirrored".to_owned());
        }
        if alignment.turned_degrees != 0 {
            words.push(format!("turned {} degrees", alignment.turned_degrees));
        }
        words.extend(pace(speed));
        words.push(format!(
            "probability {}",
            probability(alignment.probability)
        ));
        words.push(format!("{} bits", whole(alignment.evidence_bits)));
        writeln!(out, "        {}", words.join(", "))?;
    }
    Ok(())
}

/// Speed and direction in words, if they differ; `speed` is seconds of the other clip per second of
/// this one.
fn pace(speed: f64) -> Vec<String> {
    let mut words = Vec::new();
    if speed < 0.0 {
        words.push("backwards".to_owned());
    }
    if (speed.abs() - 1.0).abs() > SPEED_TOLERANCE {
        words.push(format!("{:.2} times as fast", speed.abs()));
    }
    words
}

/// Writes the clips that could not be compared fully. A clip that is contained in a kept one is
/// omitted.
fn not_compared(out: &mut dyn Write, found: &Deduplication, paint: Paint) -> io::Result<()> {
    let heading = paint.style(
        Style::new().bold(),
        "not fully compared: copies of these may have been missed",
    );
    let redundant: HashSet<&str> = found
        .groups
        .iter()
        .flat_map(|group| {
            group
                .members
                .iter()
                .filter(|member| member.extent == Extent::Whole)
        })
        .map(|member| member.sha256.as_str())
        .collect();
    // Standard error has these.
    let unreadable: HashSet<&str> = found
        .failed
        .iter()
        .map(|failure| failure.path.as_str())
        .collect();
    let is_unreadable = |clip: &Clip| {
        let mut names = clip.files.iter().map(|file| file.path.as_str());
        clip.video.is_none() && names.any(|name| unreadable.contains(name))
    };
    let mut told = false;
    for clip in found
        .clips
        .iter()
        .filter(|clip| !redundant.contains(clip.sha256.as_str()) && !is_unreadable(clip))
    {
        let mut reasons: Vec<String> = clip
            .not_compared
            .iter()
            .map(|reason| plain(reason).into_owned())
            .collect();
        if clip.more_candidates > 0 {
            reasons.push(format!(
                "{} with some resemblance, too many to compare",
                count(clip.more_candidates, "clip")
            ));
        }
        if reasons.is_empty() {
            for span in &clip.unsearchable {
                let reason = span.reason.as_ref().map_or("", |reason| &reason.text);
                reasons.push(format!(
                    "{}: {}",
                    text::interval(span.start_s, span.end_s),
                    plain(reason)
                ));
            }
            let left = reasons.len().saturating_sub(SPANS_TOLD);
            reasons.truncate(SPANS_TOLD);
            if left > 0 {
                reasons.push(format!("and {left} more parts: see --json"));
            }
        }
        if reasons.is_empty() {
            continue;
        }
        if !told {
            writeln!(out, "{heading}")?;
            told = true;
        }
        let searched = clip
            .video
            .as_ref()
            .map_or("not decoded".to_owned(), |video| {
                format!(
                    "{} of {} s compared",
                    tenths(clip.searchable_s),
                    tenths(video.duration_s)
                )
            });
        writeln!(out, "  {}: {searched}", plain(&clip.path))?;
        for reason in reasons {
            writeln!(out, "    - {reason}")?;
        }
    }
    if told {
        writeln!(out)?;
    }
    Ok(())
}

/// Maximum number of parts of a clip that are listed.
const SPANS_TOLD: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clip_that_runs_backwards_is_said_to_and_has_no_negative_speed() {
        assert_eq!(pace(-1.0), ["backwards"]);
        assert_eq!(pace(1.0 / -1.25), ["backwards", "0.80 times as fast"]);
        assert_eq!(pace(1.25), ["1.25 times as fast"]);
        assert!(pace(1.01).is_empty());
    }
}
