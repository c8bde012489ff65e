//! The state of each moment of the clip.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Cause, Part, ReasonCode, SpanState};
use crate::align::Span;

/// Resolution of reported times: a shorter part is a rounding error.
pub(super) const ROUNDING: Duration = Duration::from_millis(1);

/// Partition of the clip into parts with a state.
///
/// Painting takes time proportional to the logarithm of the number of parts, plus the number of
/// parts that it covers.
pub(super) struct Timeline {
    /// State and reason by start; a part ends where the next one starts, the last at the end of the
    /// clip.
    starts: BTreeMap<Duration, Paint>,
    end: Duration,
}

#[derive(Clone, PartialEq)]
struct Paint {
    state: SpanState,
    reason: Option<Cause>,
}

impl Timeline {
    pub(super) fn new(duration: Duration) -> Timeline {
        let unpublished = (
            Duration::ZERO,
            Paint {
                state: SpanState::Unpublished,
                reason: None,
            },
        );
        Timeline {
            starts: (!duration.is_zero())
                .then_some(unpublished)
                .into_iter()
                .collect(),
            end: duration,
        }
    }

    /// Gives a part of the clip a state, whatever it was.
    pub(super) fn paint(&mut self, span: Span, state: SpanState, reason: Option<Cause>) {
        let Span { start, end } = self.within(span);
        if start >= end {
            return;
        }
        if end < self.end
            && let Some((_, after)) = self.starts.range(..=end).next_back()
        {
            let after = after.clone();
            self.starts.insert(end, after);
        }
        let covered: Vec<Duration> = self
            .starts
            .range(start..end)
            .map(|(start, _)| *start)
            .collect();
        covered
            .iter()
            .for_each(|start| _ = self.starts.remove(start));
        self.starts.insert(start, Paint { state, reason });
    }

    /// Makes the unpublished time of a span unsearchable.
    pub(super) fn fill(&mut self, span: Span, reason: ReasonCode) {
        for part in self.unpublished_parts(span) {
            self.paint(part, SpanState::Unsearchable, Some(reason.into()));
        }
    }

    /// Unpublished time in a span.
    pub(super) fn unpublished(&self, span: Span) -> Duration {
        self.unpublished_parts(span)
            .into_iter()
            .map(Span::length)
            .sum()
    }

    /// The parts of the clip; adjacent ones differ in state or reason.
    ///
    /// An unpublished part shorter than `segment_min` joins a neighbour: an undecided one, else a
    /// published one, else one beside a copy. The keyframes of a source are too far apart to
    /// separate them. A part shorter than [`ROUNDING`] joins any neighbour.
    pub(super) fn into_parts(self, segment_min: Duration) -> Vec<Part> {
        let ends: Vec<Duration> = self
            .starts
            .keys()
            .skip(1)
            .copied()
            .chain([self.end])
            .collect();
        let part = |((start, paint), end): ((Duration, Paint), Duration)| Part {
            span: Span { start, end },
            state: paint.state,
            reason: paint.reason,
        };
        let mut parts: Vec<Part> = self.starts.into_iter().zip(ends).map(part).collect();
        join(&mut parts);
        absorb_short_parts(&mut parts, segment_min);
        join(&mut parts);
        parts
    }

    fn within(&self, span: Span) -> Span {
        Span {
            start: span.start.min(self.end),
            end: span.end.min(self.end),
        }
    }

    fn unpublished_parts(&self, span: Span) -> Vec<Span> {
        let span = self.within(span);
        if span.start >= span.end {
            return Vec::new();
        }
        let first = self
            .starts
            .range(..=span.start)
            .next_back()
            .map_or(span.start, |(start, _)| *start);
        let begins: Vec<(Duration, bool)> = self
            .starts
            .range(first..span.end)
            .map(|(start, paint)| {
                (
                    (*start).max(span.start),
                    paint.state == SpanState::Unpublished,
                )
            })
            .collect();
        let ends = begins
            .iter()
            .skip(1)
            .map(|(start, _)| *start)
            .chain([span.end]);
        let of_unpublished = begins
            .iter()
            .zip(ends)
            .filter(|((_, unpublished), _)| *unpublished);
        of_unpublished
            .map(|((start, _), end)| Span { start: *start, end })
            .collect()
    }
}

fn absorb_short_parts(parts: &mut [Part], segment_min: Duration) {
    let rank = |part: &Part| match part.reason.as_ref().map(|reason| reason.code) {
        Some(ReasonCode::Undecided) => 3,
        _ if part.state == SpanState::Published => 2,
        Some(ReasonCode::Beside) => 1,
        _ => 0,
    };
    for i in 0..parts.len() {
        let part = &parts[i];
        if part.state != SpanState::Unpublished || part.span.length() >= segment_min {
            continue;
        }
        let neighbours = [
            parts.get(i + 1),
            i.checked_sub(1).map(|before| &parts[before]),
        ];
        let rounded = part.span.length() < ROUNDING;
        let absorbing = neighbours
            .into_iter()
            .flatten()
            .filter(|part| rounded || rank(part) > 0)
            .max_by_key(|part| rank(part));
        if let Some((state, reason)) = absorbing.map(|part| (part.state, part.reason.clone())) {
            (parts[i].state, parts[i].reason) = (state, reason);
        }
    }
}

fn join(parts: &mut Vec<Part>) {
    parts.dedup_by(|later, earlier| {
        let same = later.state == earlier.state && later.reason == earlier.reason;
        if same {
            earlier.span.end = later.span.end;
        }
        same
    });
}
