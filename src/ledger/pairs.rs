//! Makes pairs of submissions from a report of a search among them (pure).

use super::claims::{Pair, PairKind};
use super::interval::{Interval, Intervals};
use crate::report::{Match, MatchKind, ReasonCode, Report, SpanState};

/// The submission behind a source of a report.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whose {
    /// The submission.
    pub(super) number: u64,
    /// When the source begins in the submission.
    pub(super) start_ms: u64,
    /// Length of the submission.
    pub(super) duration_ms: u64,
}

/// The pairs of a report. `whose` gives the submission of a source, by the source's digest in the
/// index; `None` for a source that does not count.
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
    // The verdict adds seconds beyond a copy's own ends: short holes, and neighbouring seconds that
    // cannot be distinguished from it.
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
    // Its ends are known only to a keyframe. It may continue that far if the other submission does.
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

/// Adds each part of `taken` that no pair of this kind covers to the pairs of this kind that touch
/// it.
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

/// The pair of two files with the same bytes.
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

/// How far a pair may extend beyond what was found, in ms: half a second, in which at least one
/// frame of a clip was compared.
const EDGE_MS: u64 = 500;

/// Evidence of equal SHA-256s, in thousandths of a bit.
const SHA256_MILLIBITS: i64 = 256_000;

/// Maximum distance of two parts that touch, in ms, because times in a report are rounded.
const TOUCHING_MS: u64 = 2;
