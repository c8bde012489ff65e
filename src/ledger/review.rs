//! Applies reviewers' judgements of matches with public sources, and derives the eligible seconds
//! (pure).
//!
//! A report withholds seconds because of matches, or because they are dark, still, damaged or
//! repeated. A reviewer can only judge a match:
//!
//! - *copy*: it is the same recording. Its seconds are public, whatever the report says.
//! - *same scene*: it is another take, and withholds nothing any more.
//! - *allowed*: it is the same recording, but the publication is the creator's own or licensed. It
//!   withholds nothing any more.
//!
//! A second becomes eligible if all matches that withhold or may withhold it are excused, and it
//! would be unpublished without any match ([`Report::searchable`]). In an inconclusive report, all
//! matches must be judged first. If more sources are counted than listed, nothing is excused,
//! because nobody has seen those.
//!
//! A judgement names its match by source and seconds. A recheck may add a match with the same name
//! but another kind. Then it is unknown which one was judged, and neither is excused.
//!
//! Only the last judgement of each match counts; the order of matches does not matter.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::claims::JUDGED_MS;
use super::interval::{Interval, Intervals};
use crate::report::{Match, MatchKind, ReasonCode, Report, Span, SpanState, Verdict};

/// A reviewer's ruling on a match.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ruling {
    /// It is the same recording, and public.
    Copy,
    /// It is another take of the scene.
    SameScene,
    /// The publication is the creator's own, or licensed.
    Allowed,
    /// Undoes the earlier judgement.
    Undo,
}

/// A judgement of a match of a submission.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Judgement {
    /// SHA-256 of the source, in hexadecimal.
    pub source_sha256: String,
    /// The seconds of the clip that match.
    pub here: Interval,
    /// The ruling.
    pub verdict: Ruling,
    /// The reviewer.
    pub by: String,
    /// The reason.
    pub why: String,
}

impl Judgement {
    /// A judgement of a match of a report.
    pub fn of(found: &Match, verdict: Ruling, by: &str, why: &str) -> Judgement {
        let (by, why) = (by.to_owned(), why.to_owned());
        Judgement {
            source_sha256: found.alignment.source.sha256.clone(),
            here: here(found),
            verdict,
            by,
            why,
        }
    }

    /// Whether it judges this match.
    pub fn is_of(&self, found: &Match) -> bool {
        (self.source_sha256.as_str(), self.here) == name(found)
    }
}

/// Eligible and public seconds by a report and its judgements.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reviewed {
    /// What can be claimed.
    pub eligible: Intervals,
    /// What is public.
    pub published: Intervals,
}

/// The valid judgements in order of sources and times: the last one of each match, unless that
/// undoes it.
pub fn standing(judgements: impl IntoIterator<Item = Judgement>) -> Vec<Judgement> {
    let mut last: BTreeMap<(String, Interval), Judgement> = BTreeMap::new();
    for judgement in judgements {
        let key = (judgement.source_sha256.clone(), judgement.here);
        match judgement.verdict {
            Ruling::Undo => drop(last.remove(&key)),
            _ => drop(last.insert(key, judgement)),
        }
    }
    last.into_values().collect()
}

/// Eligible and public seconds by a report and its valid judgements.
pub fn reviewed(report: &Report, judgements: &[Judgement]) -> Reviewed {
    let of_state = |state| -> Intervals {
        report
            .spans
            .iter()
            .filter(|span| span.state == state)
            .map(interval)
            .collect()
    };
    let (unpublished, published) = (
        of_state(SpanState::Unpublished),
        of_state(SpanState::Published),
    );
    let is_inconclusive = report.verdict == Verdict::Inconclusive;
    let eligible = if is_inconclusive {
        Intervals::default()
    } else {
        unpublished.clone()
    };
    let said = |found: &Match| {
        judgements
            .iter()
            .find(|judgement| judgement.is_of(found))
            .map(|said| said.verdict)
    };
    let withholding = || {
        report
            .matches
            .iter()
            .filter(|found| found.kind != MatchKind::SameScene)
    };
    let is_ambiguous = |found: &Match| {
        report
            .matches
            .iter()
            .any(|other| other.kind != found.kind && name(other) == name(found))
    };
    let is_excused = |found: &&Match| {
        matches!(said(found), Some(Ruling::SameScene | Ruling::Allowed)) && !is_ambiguous(found)
    };
    let excused: Vec<&Match> = withholding().filter(is_excused).collect();
    let copies: Intervals = judgements
        .iter()
        .filter(|judgement| judgement.verdict == Ruling::Copy)
        .map(|judgement| judgement.here)
        .collect();
    let freed = match report.more_sources {
        0 => freed(
            report,
            &excused,
            &withholding()
                .filter(|found| !is_excused(found))
                .collect::<Vec<_>>(),
        ),
        _ => Intervals::default(),
    };
    let eligible = if is_inconclusive
        && !excused.is_empty()
        && withholding().all(|found| said(found).is_some())
    {
        let lifted = unpublished
            .intersection(&searchable(report))
            .union(&freed)
            .without(&copies);
        if lifted.total_ms() < JUDGED_MS {
            Intervals::default()
        } else {
            lifted
        }
    } else if is_inconclusive {
        eligible
    } else {
        eligible.union(&freed).without(&copies)
    };
    Reviewed {
        eligible,
        published: published.without(&freed).union(&copies),
    }
}

/// The seconds that only excused matches withhold.
fn freed(report: &Report, excused: &[&Match], others: &[&Match]) -> Intervals {
    let mut freed = Intervals::default();
    for run in runs(&report.spans) {
        let whole: Intervals = run.iter().map(|span| interval(span)).collect();
        let near = |found: &&&Match| !whole.intersection(&guarded(found).into()).is_empty();
        let blocking: Intervals = others
            .iter()
            .filter(near)
            .map(|found| guarded(found))
            .collect();
        for span in run {
            let of: Intervals = interval(span).into();
            let explained: Intervals = match span.state {
                // Seconds that no visible match explains stay withheld.
                SpanState::Published => excused
                    .iter()
                    .filter(|found| found.kind == MatchKind::Copy)
                    .map(|found| here(found))
                    .collect(),
                _ if blocking.is_empty() => excused.iter().map(|found| guarded(found)).collect(),
                _ => excused.iter().map(|found| here(found)).collect(),
            };
            freed = freed.union(&of.intersection(&explained).without(&blocking));
        }
    }
    freed.intersection(&searchable(report))
}

/// Runs of adjacent spans that are withheld because of matches.
fn runs(spans: &[Span]) -> Vec<Vec<&Span>> {
    let mut runs: Vec<Vec<&Span>> = Vec::new();
    for span in spans.iter().filter(|span| is_withheld(span)) {
        match runs.last_mut().filter(|run| {
            run.last()
                .is_some_and(|last| interval(last).end_ms >= interval(span).start_ms)
        }) {
            Some(run) => run.push(span),
            None => runs.push(vec![span]),
        }
    }
    runs
}

/// Whether a span is withheld because of a match, or as a neighbour of one.
pub(super) fn is_withheld(span: &Span) -> bool {
    let code = span.reason.as_ref().map(|why| why.code);
    match span.state {
        SpanState::Published => true,
        SpanState::Unsearchable => matches!(code, Some(ReasonCode::Undecided | ReasonCode::Beside)),
        SpanState::Unpublished => false,
    }
}

/// What would be unpublished without any match; empty if the report does not say.
fn searchable(report: &Report) -> Intervals {
    let parts = report.searchable.iter().flatten();
    parts
        .map(|part| Interval::of_seconds(part.start_s, part.end_s))
        .collect()
}

/// How a judgement names a match.
fn name(found: &Match) -> (&str, Interval) {
    (&found.alignment.source.sha256, here(found))
}

/// The seconds of the clip that match.
pub(super) fn here(found: &Match) -> Interval {
    Interval::of_seconds(found.alignment.clip.start_s, found.alignment.clip.end_s)
}

/// The seconds of the match, and the neighbouring ones that it may withhold.
fn guarded(found: &Match) -> Interval {
    let here = here(found);
    Interval::new(
        here.start_ms.saturating_sub(GUARD_MS),
        here.end_ms + GUARD_MS,
    )
}

fn interval(span: &Span) -> Interval {
    Interval::of_seconds(span.start_s, span.end_s)
}

/// How far beyond a match seconds may be withheld, in ms: the guard of an undecided match
/// ([`judge`](crate::verdict::judge)), which is wider than that of a copy.
const GUARD_MS: u64 = 3_000;

#[cfg(test)]
pub(super) mod tests;
