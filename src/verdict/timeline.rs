//! The clip's time, painted over with what each part of it is.

use std::time::Duration;

use super::{Cause, Part, ReasonCode, SpanState};
use crate::align::Span;

/// Times are told in milliseconds, and what is shorter comes of rounding.
pub(super) const ROUNDING: Duration = Duration::from_millis(1);

/// The clip from start to end, to be painted over.
pub(super) struct Timeline {
    pub(super) parts: Vec<Part>,
}

impl Timeline {
    pub(super) fn new(duration: Duration) -> Timeline {
        let span = Span { start: Duration::ZERO, end: duration };
        let parts = vec![Part { span, state: SpanState::Unpublished, reason: None }];
        Timeline { parts: if duration.is_zero() { Vec::new() } else { parts } }
    }

    /// Gives a part of the clip a state, whatever it was.
    pub(super) fn paint(&mut self, span: Span, state: SpanState, reason: Option<Cause>) {
        let Some(end) = self.parts.last().map(|part| part.span.end) else { return };
        let span = Span { start: span.start.min(end), end: span.end.min(end) };
        if span.length().is_zero() {
            return;
        }
        let mut painted = Vec::with_capacity(self.parts.len() + 2);
        for part in std::mem::take(&mut self.parts) {
            let before = Span { end: part.span.end.min(span.start), ..part.span };
            let after = Span { start: part.span.start.max(span.end), ..part.span };
            if !before.length().is_zero() {
                painted.push(Part { span: before, ..part.clone() });
            }
            if part.span.start <= span.start && span.start < part.span.end {
                painted.push(Part { span, state, reason: reason.clone() });
            }
            if !after.length().is_zero() {
                painted.push(Part { span: after, ..part });
            }
        }
        self.parts = painted;
        self.join();
    }

    /// Makes what is unpublished in a part of the clip unsearchable.
    pub(super) fn fill(&mut self, span: Span, reason: ReasonCode) {
        let unpublished = self.parts.iter().filter(|part| part.state == SpanState::Unpublished);
        let within = |part: &Part| Span { start: part.span.start.max(span.start), end: part.span.end.min(span.end) };
        for part in unpublished.map(within).collect::<Vec<_>>() {
            self.paint(part, SpanState::Unsearchable, Some(reason.into()));
        }
    }

    /// How much of a part of the clip is unpublished.
    pub(super) fn unpublished(&self, span: Span) -> Duration {
        let unpublished = self.parts.iter().filter(|part| part.state == SpanState::Unpublished);
        unpublished.map(|part| part.span.overlap(span)).sum()
    }

    /// What is left beside a published part, or beside one that is unsearchable for this reason, and shorter than the time
    /// between two keyframes of a source, cannot be told from it. What is shorter than [`ROUNDING`] belongs to whatever is beside it.
    pub(super) fn absorb_slivers(&mut self, interval: Duration, reason: ReasonCode) {
        for i in 0..self.parts.len() {
            let part = &self.parts[i];
            if part.state != SpanState::Unpublished || part.span.length() >= interval {
                continue;
            }
            let neighbours = [self.parts.get(i + 1), i.checked_sub(1).map(|before| &self.parts[before])];
            let rounded = part.span.length() < ROUNDING;
            let taken = neighbours.into_iter().flatten().filter(|part| {
                rounded
                    || part.state == SpanState::Published
                    || part.reason.as_ref().is_some_and(|other| other.code == reason)
            });
            let taken = taken.max_by_key(|part| part.state == SpanState::Published);
            if let Some((state, reason)) = taken.map(|part| (part.state, part.reason.clone())) {
                (self.parts[i].state, self.parts[i].reason) = (state, reason);
            }
        }
        self.join();
    }

    fn join(&mut self) {
        self.parts.dedup_by(|later, earlier| {
            let same = later.state == earlier.state && later.reason == earlier.reason;
            if same {
                earlier.span.end = later.span.end;
            }
            same
        });
    }
}
