//! Splits a hypothesis into alignments and scores each.

use std::time::Duration;

use super::consistency::TemporalConsistency;
use super::extent::{self, FrameSupport, supported_intervals};
use super::guided::{self, VerifiedCorrespondence};
use super::motion::MotionCorrelation;
use super::vote::{self, SpeedModel, TemporalHypothesis, Vote};
use super::{
    Alignment, Context, DISTINCTIVE_MIN, EVIDENCE_MIN, GAP_MAX, Hypothesis, SEGMENT_MIN, Span,
    TESTED_MIN, TIME_TOLERANCE, pairs,
};
use crate::evidence::{self, Pair};
use crate::fingerprint::{ClipKey, KeyKind, Keyframe, Place};
use crate::search::Hit;

/// Minimum score for guided matching, in bits.
const GUIDED_MIN: f32 = 16.0;

impl Context<'_> {
    /// Splits a hypothesis at gaps and keeps the segments with sufficient score.
    pub(super) fn split(
        &self,
        votes: &[Vote],
        hypothesis: &Hypothesis,
        group: &[Hit],
        window: (f32, f32),
    ) -> Vec<Alignment> {
        let orientation = group[0].orientation;
        let Hypothesis {
            geometry,
            mut temporal,
            ..
        } = *hypothesis;
        let all = pairs(votes, hypothesis, group);
        let whole = evidence::score(all.iter().map(|(_, pair)| pair), self.corpus_keys);
        let strong = whole.total >= GUIDED_MIN;
        // On demand: it reads the reference.
        let candidate = || self.candidate(orientation, &geometry);
        let mut verified = Vec::new();
        if strong {
            verified = guided::match_guided(
                self.clip,
                &self.track,
                orientation,
                &geometry,
                temporal,
                window,
            );
            let guided: Vec<Vote> =
                guided::as_votes(&verified, self.clip, &self.track, orientation).collect();
            let model = if temporal.speed.abs() == 1.0 {
                SpeedModel::Unit
            } else {
                SpeedModel::Free
            };
            let fitted = vote::fit_temporal(guided.iter(), temporal, model);
            let candidate = candidate();
            if candidate.first_sighting_test(fitted, window).bits()
                >= candidate.first_sighting_test(temporal, window).bits()
            {
                temporal = fitted;
            }
            verified = guided::match_guided(
                self.clip,
                &self.track,
                orientation,
                &geometry,
                temporal,
                window,
            );
        }
        // A fine region counts only if the reference may have a feature of that size.
        let aspect = self.clip.aspect();
        let expected = |key: &ClipKey| {
            let place = || orientation.place(key.place, aspect);
            !key.fine || strong && self.track.may_have(&place(), &geometry)
        };
        let frames = self.frame_support(&all, &verified, &expected, window);
        let gap = GAP_MAX.max(2.5 * self.interval / temporal.speed.abs().min(1.0));
        let intervals = supported_intervals(&frames, gap, whole.distinctive >= DISTINCTIVE_MIN);
        let least = if intervals.len() == 1 {
            EVIDENCE_MIN
        } else {
            SEGMENT_MIN
        };
        let mut alignments = Vec::new();
        for (first, last) in intervals {
            let within: Vec<(f32, Pair)> = all
                .iter()
                .filter(|(time, _)| (first..=last).contains(time))
                .copied()
                .collect();
            let evidence = evidence::score(within.iter().map(|(_, pair)| pair), self.corpus_keys);
            if evidence.total < least {
                continue;
            }
            let clip = self.extent(first, last, temporal, window);
            let (from, to) = extent::guard_interval(&frames, (first, last));
            let to_reference = |time: Duration| {
                Duration::from_secs_f32(
                    temporal
                        .at(time.as_secs_f32())
                        .clamp(0.0, self.length.as_secs_f32()),
                )
            };
            let (consistency, motion) = if evidence.total >= TESTED_MIN {
                let consistency = TemporalConsistency {
                    selection_penalty: hypothesis.selection_penalty,
                    ..candidate().temporal_consistency(temporal, (first, last))
                };
                (
                    consistency,
                    candidate().motion_correlation(temporal, (first, last)),
                )
            } else {
                (TemporalConsistency::default(), MotionCorrelation::default())
            };
            let key_recall = if strong {
                self.key_recall(&verified, (first, last), orientation, &geometry, temporal)
            } else {
                0.0
            };
            let fitted = if strong {
                candidate().fitted(temporal, (first, last))
            } else {
                geometry
            };
            let support = self.support(&verified, (first, last));
            alignments.push(Alignment {
                support,
                dense: None,
                video: group[0].video,
                orientation,
                clip,
                guard: self.extent(from, to, temporal, window),
                reference: if temporal.speed < 0.0 {
                    Span {
                        start: to_reference(clip.end),
                        end: to_reference(clip.start),
                    }
                } else {
                    Span {
                        start: to_reference(clip.start),
                        end: to_reference(clip.end),
                    }
                },
                speed: temporal.speed,
                geometry: fitted,
                evidence,
                hits: within.len(),
                key_recall,
                consistency,
                motion,
                segmented: hypothesis.segmented,
                superseded: hypothesis.superseded,
                identical: false,
            });
        }
        alignments
    }

    /// Rectangle of the reference's frame with verified correspondences between two moments of the
    /// clip: the 5th and 95th percentiles of the sides of the features.
    fn support(&self, verified: &[VerifiedCorrespondence], (first, last): (f32, f32)) -> [f32; 4] {
        let near = verified.iter().filter(|correspondence| {
            correspondence.distance <= SUPPORT_RADIUS
                && (first..=last).contains(&correspondence.time)
        });
        let runs = near.map(|correspondence| &self.track.runs[correspondence.run]);
        let places: Vec<Place> = runs
            .filter(|run| run.kind == KeyKind::Region)
            .map(|run| run.place)
            .collect();
        let side = |end: f32, of: &dyn Fn(&Place) -> f32| {
            let mut sides: Vec<f32> = places.iter().map(of).collect();
            sides.sort_by(f32::total_cmp);
            let number = end * sides.len().saturating_sub(1) as f32;
            sides
                .get(number.round() as usize)
                .copied()
                .unwrap_or_default()
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
    fn frame_support(
        &self,
        pairs: &[(f32, Pair)],
        verified: &[VerifiedCorrespondence],
        expected: &dyn Fn(&ClipKey) -> bool,
        window: (f32, f32),
    ) -> Vec<FrameSupport> {
        let within = guided::keyframes_between(self.clip, window);
        let first = within.start;
        let frame = |keyframe: &Keyframe| {
            let time = keyframe.time.as_secs_f32();
            FrameSupport {
                time,
                found: 0,
                distinctive: 0,
                distinctive_found: 0,
            }
        };
        let mut frames: Vec<FrameSupport> = self.clip.keyframes[within].iter().map(frame).collect();
        let keys = &self.clip.keys[guided::keys_between(self.clip, window)];
        for key in keys.iter().filter(|key| !key.recurs && expected(key)) {
            frames[key.keyframe as usize - first].distinctive += 1;
        }
        for correspondence in verified {
            let frame = &mut frames
                [self.clip.keys[correspondence.clip_key as usize].keyframe as usize - first];
            frame.found += 1;
            frame.distinctive_found += u32::from(!correspondence.recurs);
        }
        for (time, pair) in pairs {
            let at = frames.partition_point(|frame| frame.time < *time);
            if let Some(frame) = frames.get_mut(at) {
                frame.found += 1;
                frame.distinctive_found = frame.distinctive_found.max(u32::from(pair.distinctive));
            }
        }
        frames
    }

    /// The interval from the first to the last inlier, extended to where another keyframe of the
    /// reference could have matched: by half an interval, or to the end of the clip or reference if
    /// that is within one interval, but never across a cut of the clip.
    fn extent(
        &self,
        first: f32,
        last: f32,
        temporal: TemporalHypothesis,
        window: (f32, f32),
    ) -> Span {
        let step = self.interval / temporal.speed.abs();
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
        let ends = [0.0, self.length.as_secs_f32()]
            .map(|moment| (moment - temporal.offset) / temporal.speed);
        let (at_zero, at_end) = (ends[0].min(ends[1]), ends[0].max(ends[1]));
        let start = start
            .max(window.0)
            .max((at_zero - TIME_TOLERANCE).min(first))
            .max(0.0);
        let end = end
            .min(total)
            .min(window.1.max(last))
            .min((at_end + TIME_TOLERANCE).max(last));
        // Avoid rounding through f32.
        let end = if end >= total {
            self.clip.duration
        } else {
            Duration::from_secs_f32(end.max(start))
        };
        Span {
            start: Duration::from_secs_f32(start).min(end),
            end,
        }
    }
}

/// Maximum distance from the clip's start, beyond one interval, of an alignment that starts there,
/// in seconds.
pub(super) const EDGE: f32 = 0.25;

/// Maximum distance of a correspondence that determines the rectangle, in bits: well within what
/// chance gives.
const SUPPORT_RADIUS: u32 = 64;
