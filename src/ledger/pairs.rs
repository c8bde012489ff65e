//! What a submission shares with others, from a report of its search among them (pure).

use super::claims::{Pair, PairKind};
use super::interval::{Interval, Intervals};
use crate::report::{Match, MatchKind, ReasonCode, Report, SpanState};

/// A source of a report among submissions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whose {
    /// The submission.
    pub(super) number: u64,
    /// When the source begins in it.
    pub(super) start_ms: u64,
    /// Length of the submission.
    pub(super) duration_ms: u64,
}

/// The pairs of a report. `whose` gives the submission of a source, by the digest that names it in
/// the index; `None` for one that does not count.
pub(super) fn pairs(report: &Report, mut whose: impl FnMut(&str) -> Option<Whose>) -> Vec<Pair> {
    let mut pairs: Vec<Pair> = report
        .matches
        .iter()
        .filter_map(|found| {
            Some(pair(
                found,
                whose(&found.alignment.source.sha256)?,
                report.clip.duration_s,
            ))
        })
        .collect();
    // What the verdict counts to a copy beyond its own ends: short holes, and what lies next to it
    // and cannot be told from it.
    for (kind, code) in [
        (PairKind::Copy, ReasonCode::Beside),
        (PairKind::Undecided, ReasonCode::Undecided),
    ] {
        let taken: Intervals = report
            .spans
            .iter()
            .filter(|span| {
                let why = span.reason.as_ref().map(|why| why.code);
                (kind == PairKind::Copy && span.state == SpanState::Published)
                    || (span.state == SpanState::Unsearchable && why == Some(code))
            })
            .map(|span| Interval::of_seconds(span.start_s, span.end_s))
            .collect();
        extend(&mut pairs, kind, &taken);
    }
    pairs.sort_by_key(|pair| (pair.other, pair.here, pair.there));
    pairs
}

fn pair(found: &Match, other: Whose, duration_s: f64) -> Pair {
    let alignment = &found.alignment;
    let here = Interval::of_seconds(alignment.clip.start_s, alignment.clip.end_s);
    let there = Interval::of_seconds(alignment.reference.start_s, alignment.reference.end_s);
    let there = Interval::new(
        there.start_ms + other.start_ms,
        there.end_ms + other.start_ms,
    );
    // Its ends are known to within a keyframe: it may go on for as long where the other submission
    // does.
    let (before, after) = (
        there.start_ms,
        other.duration_ms.saturating_sub(there.end_ms),
    );
    let (before, after) = if alignment.speed < 0.0 {
        (after, before)
    } else {
        (before, after)
    };
    let whole = Interval::new(
        here.start_ms.saturating_sub(before.min(EDGE_MS)),
        (here.end_ms + after.min(EDGE_MS)).min(
            Interval::of_seconds(0.0, duration_s)
                .end_ms
                .max(here.end_ms),
        ),
    );
    Pair {
        other: other.number,
        kind: match found.kind {
            MatchKind::Copy => PairKind::Copy,
            MatchKind::Undecided => PairKind::Undecided,
            MatchKind::SameScene => PairKind::SameScene,
        },
        here,
        there,
        covers: whole.into(),
        speed_permille: (alignment.speed * 1e3).round() as i64,
        mirrored: alignment.mirrored,
        probability_ppm: (alignment.probability.clamp(0.0, 1.0) * 1e6).round() as u32,
        evidence_millibits: (alignment.evidence_bits * 1e3).round() as i64,
        identical: alignment.identical,
    }
}

/// Gives each part of what is taken that no pair of a kind covers to the pairs of that kind that it
/// touches.
fn extend(pairs: &mut [Pair], kind: PairKind, taken: &Intervals) {
    let covered: Intervals = pairs
        .iter()
        .filter(|pair| pair.kind == kind)
        .flat_map(|pair| pair.covers.iter())
        .collect();
    for part in taken.without(&covered).iter() {
        let apart = |pair: &Pair| {
            let (start, end) = (pair.here.start_ms, pair.here.end_ms);
            part.start_ms
                .saturating_sub(end)
                .max(start.saturating_sub(part.end_ms))
        };
        let of_kind = pairs.iter_mut().filter(|pair| pair.kind == kind);
        let Some(nearest) = of_kind.map(|pair| apart(pair)).min() else {
            return;
        };
        for pair in pairs.iter_mut().filter(|pair| pair.kind == kind) {
            if apart(pair) <= nearest.max(TOUCHING_MS) {
                pair.covers = pair.covers.union(&part.into());
            }
        }
    }
}

/// The pair of two files of the same bytes.
pub(super) fn identical(other: u64, duration_ms: u64) -> Pair {
    let whole = Interval::new(0, duration_ms);
    Pair {
        other,
        kind: PairKind::Copy,
        here: whole,
        there: whole,
        covers: whole.into(),
        speed_permille: 1_000,
        mirrored: false,
        probability_ppm: 1_000_000,
        evidence_millibits: SHA256_MILLIBITS,
        identical: true,
    }
}

/// How much further than it was found what two submissions share may go, in ms: half a second, in
/// which at least one frame of a clip was compared.
const EDGE_MS: u64 = 500;

/// Evidence of equal SHA-256s.
const SHA256_MILLIBITS: i64 = 256_000;

/// Distance up to which two parts touch, in ms: times of a report are rounded.
const TOUCHING_MS: u64 = 2;
