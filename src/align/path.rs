//! Finds the sequence of temporal hypotheses that a clip follows.
//!
//! An edit may show segments of a reference in any order and at any speed. Correspondences within
//! half a second of one straight line may belong to several such segments, or to one at another
//! speed. So once the geometry is known, a similarity matrix of the clip's frames and the
//! reference's moments is computed from keys and motion, and the Viterbi algorithm finds the path
//! through it with the highest score after transition costs.

use super::candidate::{CandidatePair, speeds};
use super::consistency::{fit, vertically_near};
use super::motion::{CorrelationMatrix, ON_HYPOTHESIS};
use super::refinement::{REFINEMENT_REACH, REFINEMENT_SECONDS};
use super::vote::{TemporalHypothesis, Vote};
use super::{Alignment, Context, Hypothesis, TESTED_MIN};
use crate::fingerprint::{ClipKey, Fingerprint};
use crate::search::Hit;

/// A segment of a path: a part of the clip that follows one temporal hypothesis.
#[derive(Debug, Clone, Copy, PartialEq)]
struct PathSegment {
    temporal: TemporalHypothesis,
    /// Times of its first and last frame, in seconds of the clip.
    clip: (f32, f32),
}

/// Similarity of each frame in a part of the clip to each moment in a part of the reference, at
/// intervals of [`STEP`].
struct SimilarityMatrix {
    /// Times of the frames, in seconds of the clip.
    times: Vec<f32>,
    /// Whether there is a cut between a frame and the one before.
    cuts: Vec<bool>,
    /// The first moment, in seconds of the reference.
    start: f32,
    moments: usize,
    /// Row-major, one row per frame.
    similarities: Vec<f32>,
}

impl Context<'_> {
    /// The segments of the best path, each with the part of the clip to align. If no path scores
    /// clearly better, the only segment is the hypothesis itself.
    ///
    /// The path covers half a minute in the middle; beyond it the first and last segment may
    /// continue.
    pub(super) fn segments(
        &self,
        votes: &[Vote],
        hypothesis: &Hypothesis,
        group: &[Hit],
    ) -> Vec<Segment> {
        let score = |hypothesis: &Hypothesis| self.evidence(votes, hypothesis, group).total;
        let alone = || vec![Segment::alone(hypothesis.clone(), self.window)];
        if score(hypothesis) < TESTED_MIN {
            return alone();
        }
        let (first, last) = hypothesis.span(votes);
        // The part of the clip to search, around the alignment.
        let (centre, half) = (0.5 * (first + last), 0.5 * REFINEMENT_SECONDS);
        let clip_s = (
            (centre - half).max(self.window.0),
            (centre + half).min(self.window.1),
        );
        let Hypothesis {
            geometry, temporal, ..
        } = hypothesis;
        let candidate = self.candidate(group[0].orientation, geometry);
        let matrix = candidate.matrix(*temporal, clip_s, temporal.span(clip_s, REFINEMENT_REACH));
        let Some(path) = matrix.and_then(|matrix| matrix.better_path(*temporal)) else {
            return alone();
        };
        let beyond =
            |end: (f32, f32)| end.0 < end.1 && score(&hypothesis.within(votes, end)) >= TESTED_MIN;
        let continues = [(self.window.0, clip_s.0), (clip_s.1, self.window.1)].map(beyond);
        let border = |number: usize| 0.5 * (path[number].clip.1 + path[number + 1].clip.0);
        let segment = |(number, part): (usize, &PathSegment)| {
            let (from, to) = (
                number.checked_sub(1).map(border),
                (number + 1 < path.len()).then(|| border(number)),
            );
            let window = (from.unwrap_or(self.window.0), to.unwrap_or(self.window.1));
            let whole = if part.temporal == *temporal {
                hypothesis.clone()
            } else {
                self.with_temporal(
                    votes,
                    hypothesis,
                    part.temporal,
                    hypothesis.selection_penalty.max(PATH_PENALTY),
                )
            };
            Segment {
                hypothesis: whole.within(votes, window),
                window,
                preferred: (from.unwrap_or(clip_s.0), to.unwrap_or(clip_s.1)),
                open: [from.is_none() && continues[0], to.is_none() && continues[1]],
            }
        };
        let mut segments: Vec<Segment> = path.iter().enumerate().map(segment).collect();
        let scores: Vec<f32> = segments
            .iter()
            .map(|segment| score(&segment.hypothesis.within(votes, clip_s)))
            .collect();
        if scores.iter().sum::<f32>() < KEPT_MIN * score(&hypothesis.within(votes, clip_s)) {
            return alone();
        }
        // If most of the clip is other footage, there may be one segment, on any hypothesis.
        let supported = segments
            .iter()
            .zip(&scores)
            .filter(|(_, bits)| **bits >= TESTED_MIN);
        let mut hypotheses = supported.map(|(segment, _)| segment.hypothesis.temporal);
        let Some(one) = hypotheses.next() else {
            return alone();
        };
        let voted = continues.contains(&true).then_some(*temporal);
        let segmented = hypotheses
            .chain(voted)
            .any(|temporal| !temporal.follows(one, clip_s));
        segments
            .iter_mut()
            .for_each(|segment| segment.hypothesis.segmented = segmented);
        segments
    }
}

/// A part of the clip that follows one temporal hypothesis.
pub(super) struct Segment {
    /// The hypothesis with the inliers of this segment.
    pub(super) hypothesis: Hypothesis,
    /// The part of the clip to align, in seconds.
    pub(super) window: (f32, f32),
    /// The part of `window` for which the path prefers this hypothesis to the voted one.
    preferred: (f32, f32),
    /// Whether the voted hypothesis continues before and after that part.
    open: [bool; 2],
}

impl Segment {
    /// The voted hypothesis as the only segment.
    pub(super) fn alone(hypothesis: Hypothesis, window: (f32, f32)) -> Segment {
        Segment {
            hypothesis,
            window,
            preferred: window,
            open: [false, false],
        }
    }

    /// The part of the clip that this segment takes from the voted hypothesis, given its accepted
    /// alignments (`accepted`): all that the path covers, but on an open side only as far as they
    /// reach. `None` if they score too little of what the voted hypothesis loses there
    /// (`replaced_score`).
    pub(super) fn won(
        &self,
        accepted: &[&Alignment],
        replaced_score: impl Fn((f32, f32)) -> f32,
    ) -> Option<(f32, f32)> {
        let first = accepted
            .iter()
            .map(|alignment| alignment.clip.seconds().0)
            .reduce(f32::min)?;
        let last = accepted
            .iter()
            .map(|alignment| alignment.clip.seconds().1)
            .reduce(f32::max)?;
        let won = (
            if self.open[0] {
                first
            } else {
                self.preferred.0
            },
            if self.open[1] { last } else { self.preferred.1 },
        );
        let bits: f32 = accepted
            .iter()
            .map(|alignment| alignment.evidence.total)
            .sum();
        (bits >= KEPT_MIN * replaced_score(won)).then_some(won)
    }
}

impl TemporalHypothesis {
    /// Whether it stays within [`SAME_HYPOTHESIS`] of another hypothesis at both ends of a part of
    /// the clip.
    fn follows(self, other: TemporalHypothesis, (first, last): (f32, f32)) -> bool {
        [first, last]
            .iter()
            .all(|&time| (self.at(time) - other.at(time)).abs() <= SAME_HYPOTHESIS)
    }
}

impl CandidatePair<'_> {
    /// The similarity matrix of a part of the clip and a part of the reference, in seconds of each;
    /// `None` if either has too few frames.
    fn matrix(
        &self,
        temporal: TemporalHypothesis,
        clip_s: (f32, f32),
        reference_s: (f32, f32),
    ) -> Option<SimilarityMatrix> {
        let mut frames = self.frames(clip_s);
        // A fingerprint made elsewhere may have any frame rate.
        let step = frames.len().div_ceil(FRAMES_MAX).max(1);
        frames = frames.into_iter().step_by(step).collect();
        let reference_times = &self.track.moments;
        let reference_times = &reference_times[reference_times
            .partition_point(|at| *at < reference_s.0)
            ..reference_times.partition_point(|at| *at <= reference_s.1)];
        if frames.len() < FRAMES_MIN || reference_times.len() < 2 {
            return None;
        }
        let start = reference_times[0];
        let moments = ((reference_times[reference_times.len() - 1] - start) / STEP) as usize + 1;
        let times: Vec<f32> = frames.iter().map(|(time, _)| *time).collect();
        let cuts = cuts(self.clip, &times);
        let mut matrix = SimilarityMatrix {
            times,
            cuts,
            start,
            moments,
            similarities: vec![0.0; frames.len() * moments],
        };
        let by_keys = self.by_keys(temporal, clip_s, &frames, reference_times);
        matrix.add(
            reference_times,
            by_keys.chunks(reference_times.len()).enumerate(),
            true,
        );
        if let Some(correlations) = self
            .motion_pair(clip_s, reference_s)
            .and_then(CorrelationMatrix::new)
        {
            let (times, rows) = correlations.rows();
            let rows: Vec<(f32, &[f32])> = rows.collect();
            let of_frame = |(frame, time): (usize, &f32)| {
                let apart = |row: &&(f32, &[f32])| (row.0 - time).abs();
                let nearest = rows.iter().min_by(|a, b| apart(a).total_cmp(&apart(b)));
                let (_, row) = nearest.filter(|row| apart(row) <= SAME_FRAME)?;
                let mean = row.iter().sum::<f32>() / row.len() as f32;
                Some((
                    frame,
                    row.iter().map(|correlation| correlation - mean).collect(),
                ))
            };
            let rows: Vec<(usize, Vec<f32>)> = matrix
                .times
                .iter()
                .enumerate()
                .filter_map(of_frame)
                .collect();
            matrix.add(
                times,
                rows.iter().map(|(frame, row)| (*frame, row.as_slice())),
                false,
            );
        }
        Some(matrix)
    }

    /// Similarity of each frame's keys to the keys at each moment of the reference: above its mean,
    /// normalised by its maximum.
    fn by_keys(
        &self,
        temporal: TemporalHypothesis,
        clip_s: (f32, f32),
        frames: &[(f32, Vec<ClipKey>)],
        reference_times: &[f32],
    ) -> Vec<f32> {
        let geometry = self.fitted(temporal, clip_s);
        let runs: Vec<_> = self
            .track
            .between(
                reference_times[0],
                reference_times[reference_times.len() - 1],
            )
            .collect();
        let mut rows = Vec::with_capacity(frames.len() * reference_times.len());
        for (_, frame) in frames {
            let mut sums = vec![0.0_f32; reference_times.len()];
            for run in &runs {
                let there = &frame[vertically_near(run, frame, &geometry)];
                let best = there
                    .iter()
                    .map(|seen| fit(seen, run, &geometry))
                    .fold(0.0, f32::max);
                if best > 0.0 {
                    let from = reference_times.partition_point(|at| *at < run.first.as_secs_f32());
                    let active = sums[from..].iter_mut().zip(&reference_times[from..]);
                    active
                        .take_while(|(_, at)| **at <= run.last.as_secs_f32())
                        .for_each(|(sum, _)| *sum += best);
                }
            }
            let mean = sums.iter().sum::<f32>() / sums.len() as f32;
            let most = sums.iter().copied().fold(0.0, f32::max);
            let unit = (most - mean).max(CLEAR_SHARE * most + CLEAR_MIN);
            rows.extend(sums.iter().map(|sum| (sum - mean) / unit));
        }
        // Subtract half the column mean: sharp frames of the reference resemble many frames of the
        // clip.
        for moment in 0..reference_times.len() {
            let column = (0..frames.len()).map(|frame| frame * reference_times.len() + moment);
            let mean = column.clone().map(|at| rows[at]).sum::<f32>() / frames.len() as f32;
            column.for_each(|at| rows[at] -= 0.5 * mean);
        }
        rows
    }
}

impl SimilarityMatrix {
    /// The best path, if it scores clearly better than the single hypothesis.
    fn better_path(&self, temporal: TemporalHypothesis) -> Option<Vec<PathSegment>> {
        let single = self.along(temporal).sum::<f32>() - start_cost(temporal);
        let (score, mut path) = self.best_path(temporal);
        for part in &mut path {
            if part.temporal.follows(temporal, part.clip) {
                part.temporal = temporal;
            }
        }
        (score >= single + GAIN_MIN && path.iter().any(|part| part.temporal != temporal))
            .then_some(path)
    }

    /// Adds similarities at some times of the reference to the rows of some frames. A moment takes
    /// the maximum over the times within [`ON_HYPOTHESIS`] of it. If the content at a time is
    /// `held` until the next, a moment in a gap takes the minimum of both sides.
    fn add<'a>(
        &mut self,
        times: &[f32],
        rows: impl Iterator<Item = (usize, &'a [f32])>,
        held: bool,
    ) {
        let on = |moment: usize| {
            let at = self.start + moment as f32 * STEP;
            let from = times.partition_point(|time| *time < at - ON_HYPOTHESIS);
            let to = times
                .partition_point(|time| *time <= at + ON_HYPOTHESIS)
                .max(from);
            let between = held && from == to;
            (
                if between {
                    from.saturating_sub(1)..(to + 1).min(times.len())
                } else {
                    from..to
                },
                between,
            )
        };
        let on: Vec<_> = (0..self.moments).map(on).collect();
        for (frame, row) in rows {
            let cells = &mut self.similarities[frame * self.moments..(frame + 1) * self.moments];
            for (cell, (on, between)) in cells.iter_mut().zip(&on) {
                let fits = row[on.clone()].iter().copied();
                *cell += if *between {
                    fits.reduce(f32::min)
                } else {
                    fits.reduce(f32::max)
                }
                .unwrap_or(0.0);
            }
        }
    }

    /// Similarity of each frame on a temporal hypothesis.
    fn along(&self, temporal: TemporalHypothesis) -> impl Iterator<Item = f32> {
        let cost = if temporal.speed == 1.0 {
            0.0
        } else {
            SPEED_COST
        };
        let fit = move |(frame, time): (usize, &f32)| {
            let moment = ((temporal.at(*time) - self.start) / STEP).round();
            let inside = moment >= 0.0 && (moment as usize) < self.moments;
            (if inside {
                self.similarities[frame * self.moments + moment as usize]
            } else {
                OUTSIDE
            }) - cost
        };
        self.times.iter().enumerate().map(fit)
    }

    /// All hypotheses that intersect the reference.
    fn hypotheses(&self) -> impl Iterator<Item = TemporalHypothesis> {
        let (first, last) = (self.times[0], self.times[self.times.len() - 1]);
        let end = self.start + self.moments as f32 * STEP;
        let of_speed = move |speed: f32| {
            let (a, b) = (speed * first, speed * last);
            let (from, to) = (self.start - a.max(b), end - a.min(b));
            let steps = ((to - from) / OFFSET_STEP) as usize;
            (0..=steps).map(move |step| TemporalHypothesis {
                speed,
                offset: from + step as f32 * OFFSET_STEP,
            })
        };
        speeds().chain([-1.0]).flat_map(of_speed)
    }

    /// The best path and its score; `temporal` is one of the candidates.
    fn best_path(&self, temporal: TemporalHypothesis) -> (f32, Vec<PathSegment>) {
        // Ties go to the first: the voted hypothesis.
        let hypotheses: Vec<TemporalHypothesis> =
            [temporal].into_iter().chain(self.hypotheses()).collect();
        let along: Vec<Vec<f32>> = hypotheses
            .iter()
            .map(|temporal| self.along(*temporal).collect())
            .collect();
        let start_costs: Vec<f32> = hypotheses
            .iter()
            .map(|temporal| start_cost(*temporal))
            .collect();
        let mut sums: Vec<f32> = along
            .iter()
            .zip(&start_costs)
            .map(|(fits, start_cost)| fits[0] - start_cost)
            .collect();
        // For each frame: the best predecessor of a transition, and the hypotheses that start with
        // one.
        let mut transitions: Vec<(usize, Vec<bool>)> = Vec::with_capacity(self.times.len());
        for frame in 1..self.times.len() {
            let from = largest(&sums);
            let after_transition = sums[from]
                - if self.cuts[frame] {
                    TRANSITION_COST_AT_CUT
                } else {
                    TRANSITION_COST
                };
            transitions.push((
                from,
                sums.iter()
                    .zip(&start_costs)
                    .map(|(sum, start_cost)| *sum < after_transition - start_cost)
                    .collect(),
            ));
            let next = sums.iter_mut().zip(&start_costs).zip(&along);
            next.for_each(|((sum, start_cost), fits)| {
                *sum = sum.max(after_transition - start_cost) + fits[frame]
            });
        }
        let mut on = largest(&sums);
        let score = sums[on];
        let mut path: Vec<PathSegment> = Vec::new();
        let mut end = self.times.len() - 1;
        for frame in (0..self.times.len()).rev() {
            let transition = frame
                .checked_sub(1)
                .map(|before| &transitions[before])
                .filter(|(_, after_transition)| after_transition[on]);
            if frame == 0 || transition.is_some() {
                path.push(PathSegment {
                    temporal: hypotheses[on],
                    clip: (self.times[frame], self.times[end]),
                });
                end = frame.saturating_sub(1);
            }
            if let Some((from, _)) = transition {
                on = *from;
            }
        }
        path.reverse();
        (score, path)
    }
}

/// Whether each frame is the first after a cut; the frame at the cut itself may be missing.
fn cuts(clip: &Fingerprint, times: &[f32]) -> Vec<bool> {
    let until = |time: f32| {
        clip.keyframes
            .partition_point(|frame| frame.time.as_secs_f32() <= time)
    };
    let after = |pair: &[f32]| {
        clip.keyframes[until(pair[0])..until(pair[1])]
            .iter()
            .any(|frame| frame.cut)
    };
    [false]
        .into_iter()
        .chain(times.windows(2).map(after))
        .take(times.len())
        .collect()
}

/// Index of the maximum; ties go to the first.
fn largest(sums: &[f32]) -> usize {
    (0..sums.len())
        .max_by(|&a, &b| sums[a].total_cmp(&sums[b]).then(b.cmp(&a)))
        .unwrap_or(0)
}

/// Transition cost for starting a segment on this hypothesis.
fn start_cost(temporal: TemporalHypothesis) -> f32 {
    match temporal.speed {
        1.0 => 0.0,
        speed if speed < 0.0 => BACKWARDS_START_COST,
        _ => SPEED_START_COST,
    }
}

/// Selection penalty of a hypothesis on a path, in bits: the temporal consistency test reuses the
/// frames that selected it. With 0, 3 and 6 bits, 94, 89 and 76 of 135 segments of two seconds are
/// found, and no other moment of a real or made scene is a false positive.
const PATH_PENALTY: f32 = 3.0;

/// Resolution of the matrix and spacing of the offsets, in seconds of the reference.
const STEP: f32 = 0.125;
const OFFSET_STEP: f32 = 0.25;

/// Similarity outside the reference.
const OUTSIDE: f32 = -0.3;

/// Transition costs without and with a cut of the clip, in frames of maximum similarity.
const TRANSITION_COST: f32 = 5.0;
const TRANSITION_COST_AT_CUT: f32 = 3.0;

/// Costs of a speed other than unit speed, per segment and per frame: slow footage fits many
/// speeds. Playing backwards costs more, since motion to and fro also fits backwards.
const SPEED_START_COST: f32 = 2.0;
const SPEED_COST: f32 = 0.02;
const BACKWARDS_START_COST: f32 = 4.0;

/// Minimum share of the replaced hypothesis's score that the segments of a path, and each accepted
/// segment, must reach.
pub(super) const KEPT_MIN: f32 = 0.5;

/// Minimum gain of a path over a single hypothesis, in frames of maximum similarity.
const GAIN_MIN: f32 = 3.0;

/// Maximum distance of a segment that counts as on the voted hypothesis, in seconds of the
/// reference.
const SAME_HYPOTHESIS: f32 = 0.4;

/// Minimum number of frames for a path: one second.
const FRAMES_MIN: usize = 4;

/// Maximum number of frames: half a minute of a clip has 120.
const FRAMES_MAX: usize = 240;

/// Minimum excess of a frame's best similarity over its mean for full normalisation: as a share of
/// the best, and absolute.
const CLEAR_SHARE: f32 = 0.25;
const CLEAR_MIN: f32 = 12.0;

/// Maximum distance between keys and motion of the same frame, in seconds.
const SAME_FRAME: f32 = 0.13;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::guided::ReferenceTrack;
    use super::super::tests::{PLAIN, Random, clip, reference, still_clip};
    use super::*;
    use crate::fingerprint::{Content, Keyframe, Motion, Orientation, Run};

    const UNIT_SPEED: TemporalHypothesis = TemporalHypothesis {
        speed: 1.0,
        offset: 3.0,
    };

    /// A clip of ten seconds and a reference of twenty. A frame is similar within 0.3 s of its
    /// moment; elsewhere the similarity is repeatable noise.
    fn matrix(moment: impl Fn(f32) -> f32, cuts: &[f32], noise: f32) -> SimilarityMatrix {
        let times: Vec<f32> = (0..40).map(|i| 0.25 * i as f32).collect();
        let moments = 160;
        let mut state = 7_u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 24) as f32
        };
        let mut fits = Vec::new();
        for time in &times {
            for step in 0..moments {
                let right = (step as f32 * STEP - moment(*time)).abs() <= 0.3;
                fits.push(if right { 0.8 } else { noise * (random() - 0.5) });
            }
        }
        SimilarityMatrix {
            cuts: times.iter().map(|time| cuts.contains(time)).collect(),
            times,
            start: 0.0,
            moments,
            similarities: fits,
        }
    }

    /// The similarity matrix of a clip and the whole reference.
    fn of_clip(
        runs: Vec<Run>,
        clip: &Fingerprint,
        temporal: TemporalHypothesis,
    ) -> SimilarityMatrix {
        let reference_times = ReferenceTrack::new(runs, Motion::default());
        let candidate = CandidatePair {
            clip,
            track: &reference_times,
            orientation: Orientation::UPRIGHT,
            geometry: &PLAIN.geometry,
        };
        candidate
            .matrix(temporal, (0.0, PLAIN.seconds), (0.0, 40.0))
            .unwrap()
    }

    fn row(matrix: &SimilarityMatrix, frame: usize) -> &[f32] {
        &matrix.similarities[frame * matrix.moments..(frame + 1) * matrix.moments]
    }

    #[test]
    fn a_frame_is_similar_to_its_own_moment_only() {
        let mut random = Random(29);
        let runs = reference(&mut random);
        let clip = clip(&runs, PLAIN, &mut random);
        let matrix = of_clip(
            runs,
            &clip,
            TemporalHypothesis {
                speed: 1.0,
                offset: PLAIN.from,
            },
        );
        assert_eq!(
            (matrix.times.len(), matrix.start, matrix.moments),
            (40, 0.0, 321)
        );
        // The reference has one frame a second, and the clip has a frame at each of them.
        for frame in (0..40).step_by(4) {
            let shown = PLAIN.from + matrix.times[frame];
            for (moment, fit) in row(&matrix, frame).iter().enumerate() {
                let apart = (moment as f32 * STEP - shown).abs();
                assert!(
                    if apart <= ON_HYPOTHESIS {
                        *fit > 0.8
                    } else {
                        *fit < 0.2
                    },
                    "{frame}, {apart} s off: {fit}"
                );
            }
        }
    }

    #[test]
    fn a_still_of_the_reference_is_similar_at_all_its_moments() {
        let mut random = Random(31);
        let mut runs = reference(&mut random);
        // The frame at 15 s stays until 20 s.
        let second = Duration::from_secs;
        runs.retain(|run| run.recurs || run.first <= second(15) || run.first >= second(20));
        runs.iter_mut()
            .filter(|run| run.first == second(15))
            .for_each(|run| run.last = second(20));
        let clip = clip(&runs, PLAIN, &mut random);
        let matrix = of_clip(
            runs,
            &clip,
            TemporalHypothesis {
                speed: 1.0,
                offset: PLAIN.from,
            },
        );
        for frame in 13..32 {
            let fit = |moment: f32| row(&matrix, frame)[(moment / STEP) as usize];
            let shown = PLAIN.from + matrix.times[frame];
            assert!(
                fit(shown) > 0.5 && fit(shown) > fit(30.0) + 0.5,
                "{shown}: {} {}",
                fit(shown),
                fit(30.0)
            );
        }
    }

    #[test]
    fn similarities_extend_to_adjacent_moments() {
        let mut matrix = matrix(|time| UNIT_SPEED.at(time), &[], 0.0);
        matrix.similarities.fill(0.0);
        let times = [1.0, 2.0, 9.0];
        matrix.add(&times, [(3, [0.2, 0.9, 0.4].as_slice())].into_iter(), false);
        let at = |moment: f32| row(&matrix, 3)[(moment / STEP) as usize];
        assert_eq!(
            [1.0, 1.25, 1.5, 2.25, 5.0, 9.0].map(at),
            [0.2, 0.2, 0.0, 0.9, 0.0, 0.4]
        );
        assert!(
            row(&matrix, 2)
                .iter()
                .chain(row(&matrix, 4))
                .all(|fit| *fit == 0.0)
        );
        // If held, a moment in a gap takes the minimum of both sides.
        matrix.add(&times, [(3, [0.2, 0.9, 0.4].as_slice())].into_iter(), true);
        let at = |moment: f32| row(&matrix, 3)[(moment / STEP) as usize];
        assert!(
            [(1.0, 0.4), (1.5, 0.2), (5.0, 0.4), (9.0, 0.8)]
                .iter()
                .all(|(moment, fit)| (at(*moment) - fit).abs() < 1e-6)
        );
    }

    #[test]
    fn a_cut_counts_whether_or_not_its_frame_has_keys() {
        let keyframe = |number: u64| {
            let time = Duration::from_millis(250 * number);
            Keyframe {
                time,
                content: Content::Searchable,
                still_since: time,
                cut: [2, 5].contains(&number),
                repeats: false,
                panned: false,
            }
        };
        let clip = Fingerprint {
            keyframes: (0..8).map(keyframe).collect(),
            ..still_clip(2.0)
        };
        assert_eq!(
            cuts(&clip, &[0.0, 0.25, 0.5, 0.75, 1.0, 1.25]),
            [false, false, true, false, false, true]
        );
        assert_eq!(
            cuts(&clip, &[0.0, 0.25, 0.75, 1.75]),
            [false, false, true, true]
        );
        assert_eq!(cuts(&clip, &[]), [] as [bool; 0]);
    }

    fn near(segment: &PathSegment, moment: impl Fn(f32) -> f32) -> bool {
        [segment.clip.0, segment.clip.1]
            .iter()
            .all(|&time| (segment.temporal.at(time) - moment(time)).abs() < 0.4)
    }

    #[test]
    fn one_hypothesis_that_fits_is_kept() {
        assert_eq!(
            matrix(|time| UNIT_SPEED.at(time), &[], 0.4).better_path(UNIT_SPEED),
            None
        );
    }

    #[test]
    fn frames_similar_to_no_moment_have_no_path() {
        assert_eq!(
            matrix(|_| -9.0, &[2.0, 4.0, 6.0], 0.4).better_path(UNIT_SPEED),
            None
        );
    }

    #[test]
    fn reordered_segments_are_found_with_and_without_cuts() {
        let moment = |time: f32| {
            time + if time < 4.0 {
                9.0
            } else if time < 6.0 {
                -3.0
            } else {
                2.0
            }
        };
        for cuts in [&[4.0, 6.0][..], &[]] {
            let segments = matrix(moment, cuts, 0.4).better_path(UNIT_SPEED).unwrap();
            assert_eq!(
                segments
                    .iter()
                    .map(|segment| segment.clip)
                    .collect::<Vec<_>>(),
                [(0.0, 3.75), (4.0, 5.75), (6.0, 9.75)]
            );
            assert!(
                segments
                    .iter()
                    .all(|segment| segment.temporal.speed == 1.0 && near(segment, moment)),
                "{segments:?}"
            );
        }
    }

    #[test]
    fn another_speed_and_playing_backwards_are_one_segment_each() {
        for temporal in [
            TemporalHypothesis {
                speed: 1.26,
                offset: 2.0,
            },
            TemporalHypothesis {
                speed: -1.0,
                offset: 14.0,
            },
        ] {
            let segments = matrix(|time| temporal.at(time), &[], 0.4)
                .better_path(UNIT_SPEED)
                .unwrap();
            assert!(
                segments.len() == 1 && near(&segments[0], |time| temporal.at(time)),
                "{segments:?}"
            );
        }
    }

    #[test]
    fn the_voted_hypothesis_is_kept_where_it_fits() {
        let moment = |time: f32| {
            if time < 5.0 {
                UNIT_SPEED.at(time)
            } else {
                17.0 - time
            }
        };
        let segments = matrix(moment, &[], 0.4).better_path(UNIT_SPEED).unwrap();
        assert_eq!(segments[0].temporal, UNIT_SPEED);
        assert!(
            segments.len() == 2 && near(&segments[1], moment),
            "{segments:?}"
        );
    }
}
