//! Splits a hypothesis into alignments and scores each.

use std::time::Duration;

use super::guide::{self, Trace};
use super::moving::Moved;
use super::stretch::{self, Look, stretches};
use super::timing::Timing;
use super::vote::{self, Line, Pace, Vote};
use super::{
    Agreement, Alignment, BY_MOMENT_MIN, CONTRAST_MIN, Context, EVIDENCE_MIN, GAP_MAX, PIECE_MIN, Span, TIME_TOLERANCE,
    pairs,
};
use crate::evidence::{self, Pair};
use crate::fingerprint::{ClipKey, KeyKind, Keyframe, Place};
use crate::search::Hit;

/// Minimum score for guided matching, in bits.
const GUIDE_MIN: f32 = 16.0;

impl Context<'_> {
    /// Splits a hypothesis at gaps and keeps the segments with sufficient score.
    pub(super) fn pieces(
        &self,
        votes: &[Vote],
        agreement: &Agreement,
        group: &[Hit],
        window: (f32, f32),
    ) -> Vec<Alignment> {
        let orientation = group[0].orientation;
        let Agreement { geometry, mut line, .. } = *agreement;
        let all = pairs(votes, agreement, group);
        let whole = evidence::count(all.iter().map(|(_, pair)| pair), self.corpus_keys);
        let strong = whole.total >= GUIDE_MIN;
        // On demand: it reads the reference.
        let pairing = || self.pairing(orientation, &geometry);
        let mut traces = Vec::new();
        if strong {
            traces = guide::trace(self.clip, &self.shown, orientation, &geometry, line, window);
            let guided: Vec<Vote> = guide::as_votes(&traces, self.clip, &self.shown, orientation).collect();
            let pace = if line.speed.abs() == 1.0 { Pace::RealTime } else { Pace::Any };
            let fitted = vote::fit_line(guided.iter(), line, pace);
            let pairing = pairing();
            if pairing.lock(fitted, window).bits() >= pairing.lock(line, window).bits() {
                line = fitted;
            }
            traces = guide::trace(self.clip, &self.shown, orientation, &geometry, line, window);
        }
        // A fine region counts only if the reference may have a feature of that size.
        let aspect = self.clip.aspect();
        let expected = |key: &ClipKey| {
            let place = || orientation.place(key.place, aspect);
            !key.fine || strong && self.shown.may_have(&place(), &geometry)
        };
        let looks = self.looks(&all, &traces, &expected, window);
        let gap = GAP_MAX.max(2.5 * self.interval / line.speed.abs().min(1.0));
        let parts = stretches(&looks, gap, whole.moment >= BY_MOMENT_MIN);
        let least = if parts.len() == 1 { EVIDENCE_MIN } else { PIECE_MIN };
        let mut pieces = Vec::new();
        for (first, last) in parts {
            let within: Vec<(f32, Pair)> =
                all.iter().filter(|(time, _)| (first..=last).contains(time)).copied().collect();
            let evidence = evidence::count(within.iter().map(|(_, pair)| pair), self.corpus_keys);
            if evidence.total < least {
                continue;
            }
            let clip = self.extent(first, last, line, window);
            let (from, to) = stretch::beside(&looks, (first, last));
            let to_reference = |time: Duration| {
                Duration::from_secs_f32(line.at(time.as_secs_f32()).clamp(0.0, self.length.as_secs_f32()))
            };
            let (timing, moved) = if evidence.total >= CONTRAST_MIN {
                let timing = Timing { paid: agreement.paid, ..pairing().timing(line, (first, last)) };
                (timing, pairing().moved(line, (first, last)))
            } else {
                (Timing::default(), Moved::default())
            };
            let shown = if strong { self.shown(&traces, (first, last), orientation, &geometry, line) } else { 0.0 };
            let fitted = if strong { pairing().fitted(line, (first, last)) } else { geometry };
            let support = self.support(&traces, (first, last));
            pieces.push(Alignment {
                support,
                dense: None,
                video: group[0].video,
                orientation,
                clip,
                beside: self.extent(from, to, line, window),
                reference: if line.speed < 0.0 {
                    Span { start: to_reference(clip.end), end: to_reference(clip.start) }
                } else {
                    Span { start: to_reference(clip.start), end: to_reference(clip.end) }
                },
                speed: line.speed,
                geometry: fitted,
                evidence,
                hits: within.len(),
                shown,
                timing,
                moved,
                jumps: agreement.jumps,
                outdone: agreement.outdone,
                identical: false,
            });
        }
        pieces
    }

    /// Rectangle of the reference's frame with verified correspondences between two moments of the
    /// clip: the 5th and 95th percentiles of the sides of the features.
    fn support(&self, traces: &[Trace], (first, last): (f32, f32)) -> [f32; 4] {
        let near =
            traces.iter().filter(|trace| trace.distance <= SUPPORT_RADIUS && (first..=last).contains(&trace.time));
        let runs = near.map(|trace| &self.shown.runs[trace.run]);
        let places: Vec<Place> = runs.filter(|run| run.kind == KeyKind::Region).map(|run| run.place).collect();
        let side = |end: f32, of: &dyn Fn(&Place) -> f32| {
            let mut sides: Vec<f32> = places.iter().map(of).collect();
            sides.sort_by(f32::total_cmp);
            let number = end * sides.len().saturating_sub(1) as f32;
            sides.get(number.round() as usize).copied().unwrap_or_default()
        };
        [
            side(0.05, &|place| place.x - 0.5 * place.size),
            side(0.05, &|place| place.y - 0.5 * place.size),
            side(0.95, &|place| place.x + 0.5 * place.size),
            side(0.95, &|place| place.y + 0.5 * place.size),
        ]
    }

    /// Counts the support for an alignment in each keyframe of the clip, from pairs, verified
    /// correspondences and expected keys.
    fn looks(
        &self,
        pairs: &[(f32, Pair)],
        traces: &[Trace],
        expected: &dyn Fn(&ClipKey) -> bool,
        window: (f32, f32),
    ) -> Vec<Look> {
        let within = guide::keyframes_between(self.clip, window);
        let first = within.start;
        let look = |keyframe: &Keyframe| {
            let time = keyframe.time.as_secs_f32();
            Look { time, found: 0, moments: 0, moments_found: 0 }
        };
        let mut looks: Vec<Look> = self.clip.keyframes[within].iter().map(look).collect();
        let keys = &self.clip.keys[guide::keys_between(self.clip, window)];
        for key in keys.iter().filter(|key| !key.recurs && expected(key)) {
            looks[key.keyframe as usize - first].moments += 1;
        }
        for trace in traces {
            let look = &mut looks[self.clip.keys[trace.clip_key as usize].keyframe as usize - first];
            look.found += 1;
            look.moments_found += u32::from(!trace.recurs);
        }
        for (time, pair) in pairs {
            let at = looks.partition_point(|look| look.time < *time);
            if let Some(look) = looks.get_mut(at) {
                look.found += 1;
                look.moments_found = look.moments_found.max(u32::from(pair.moment));
            }
        }
        looks
    }

    /// The interval from the first to the last inlier, extended to where another keyframe of the
    /// reference could have matched: by half an interval, or to the end of the clip or reference if
    /// that is within one interval, but never across a cut of the clip.
    fn extent(&self, first: f32, last: f32, line: Line, window: (f32, f32)) -> Span {
        let step = self.interval / line.speed.abs();
        let (mut start, mut end) = (first - 0.5 * step, last + 0.5 * step);
        let total = self.clip.duration.as_secs_f32();
        if first - step <= EDGE {
            start = 0.0;
        }
        if last + step >= total - EDGE {
            end = total;
        }
        for pair in self.clip.keyframes.windows(2).filter(|pair| pair[1].cut) {
            let cut = 0.5 * (pair[0].time + pair[1].time).as_secs_f32();
            // A cut within reach is the boundary; half an interval is only the expectation without
            // one.
            if cut <= first && cut >= first - step {
                start = cut;
            }
            if cut > last && cut <= last + step {
                end = cut;
                break;
            }
        }
        let ends = [0.0, self.length.as_secs_f32()].map(|moment| (moment - line.offset) / line.speed);
        let (at_zero, at_end) = (ends[0].min(ends[1]), ends[0].max(ends[1]));
        let start = start.max(window.0).max((at_zero - TIME_TOLERANCE).min(first)).max(0.0);
        let end = end.min(total).min(window.1.max(last)).min((at_end + TIME_TOLERANCE).max(last));
        // Avoid rounding through f32.
        let end = if end >= total { self.clip.duration } else { Duration::from_secs_f32(end.max(start)) };
        Span { start: Duration::from_secs_f32(start).min(end), end }
    }
}

/// Maximum distance from the clip's start, beyond one interval, of an alignment that starts there,
/// in seconds.
pub(super) const EDGE: f32 = 0.25;

/// Maximum distance of a correspondence that determines the rectangle, in bits: well within what
/// chance gives.
const SUPPORT_RADIUS: u32 = 64;
