//! Correlates the motion signatures of a clip and a reference.
//!
//! Takes of one scene share all that is static, and that is most of what they show. Motion differs
//! between takes. So the cells of [`Motion`], aligned by the geometry, are correlated frame by
//! frame, and the claimed time competes with others, as in the test on keys
//! ([`super::consistency`]).

use serde::{Deserialize, Serialize};

use super::affine::Affine;
use super::candidate::CandidatePair;
use super::consistency::{BinomialTest, Window, null_rate};
use super::vote::TemporalHypothesis;
use super::{MOMENT_GAP, Similarity, TESTED_SECONDS, middle};
use crate::fingerprint::{Motion, Orientation};

/// Motion-signature correlation of a clip with a reference, at and off the hypothesis.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct MotionCorrelation {
    /// Temporal consistency test on the moving frames of both sides.
    pub frames: BinomialTest,
    /// Sum of their correlations at the claimed time, each -1..=1.
    pub sum: f32,
    /// Mean correlation of the clip's frames at the hypothesis, and the largest at any other offset
    /// of the same speed, two seconds to two minutes away, that has at least half of the frames.
    /// Computed for half a minute of the clip; joined parts keep the pair with the smallest margin.
    pub at_hypothesis: f32,
    /// See [`MotionCorrelation::at_hypothesis`].
    pub off_hypothesis: f32,
}

impl MotionCorrelation {
    /// Mean correlation at the claimed time, -1..=1; 0 if nothing moves.
    pub fn mean(&self) -> f32 {
        if self.frames.trials > 0.0 {
            self.sum / self.frames.trials
        } else {
            0.0
        }
    }

    /// Score of the test against another take, in bits; negative if the test favours one.
    ///
    /// Both sides test the same moments, and neighbouring frames are not independent, so each trial
    /// counts half.
    pub fn bits(&self) -> f32 {
        0.5 * self.frames.bits()
    }

    /// Adds the result for another part of the clip.
    pub(super) fn add(&mut self, other: &MotionCorrelation) {
        self.frames.add(&other.frames);
        self.sum += other.sum;
        // A part without motion does not count.
        let moves = (other.at_hypothesis, other.off_hypothesis) != (0.0, 0.0);
        if moves
            && other.off_hypothesis * self.at_hypothesis
                >= self.off_hypothesis * other.at_hypothesis
        {
            (self.at_hypothesis, self.off_hypothesis) = (other.at_hypothesis, other.off_hypothesis);
        }
    }
}

/// The motion signatures of a part of the clip and of a reference on the same cells.
pub(super) struct MotionPair {
    clip: MotionFrames,
    reference: MotionFrames,
}

/// Motion signatures of some frames, less the mean of their cells, so that a change of light is not
/// motion.
struct MotionFrames {
    /// In seconds, ascending.
    times: Vec<f32>,
    cells: Vec<Vec<f32>>,
    /// Sum of squares of each frame.
    energies: Vec<f32>,
}

impl MotionFrames {
    fn new(frames: impl Iterator<Item = (f32, Vec<f32>)>) -> MotionFrames {
        let mut made = MotionFrames {
            times: Vec::new(),
            cells: Vec::new(),
            energies: Vec::new(),
        };
        for (time, mut cells) in frames {
            let mean = cells.iter().sum::<f32>() / cells.len().max(1) as f32;
            cells.iter_mut().for_each(|cell| *cell -= mean);
            made.times.push(time);
            made.energies
                .push(cells.iter().map(|cell| cell * cell).sum());
            made.cells.push(cells);
        }
        made
    }

    /// Indices of the frames between two moments.
    fn between(&self, from: f32, to: f32) -> std::ops::Range<usize> {
        let start = self.times.partition_point(|time| *time < from);
        start..self.times.partition_point(|time| *time <= to).max(start)
    }

    fn moves(&self, frame: usize) -> bool {
        self.energies[frame] >= MOVING_MIN
    }
}

impl CandidatePair<'_> {
    /// Aligns the cells of a part of the clip with those of a part of the reference, in seconds of
    /// each; `None` if the clip shows too few of them.
    pub(super) fn motion_pair(
        &self,
        clip_s: (f32, f32),
        reference_s: (f32, f32),
    ) -> Option<MotionPair> {
        let (clip, reference) = (&self.clip.motion, &self.track.motion);
        if clip.is_empty() || reference.is_empty() {
            return None;
        }
        let seen = visible_cells(
            clip,
            reference,
            self.clip.aspect(),
            self.orientation,
            self.geometry,
        );
        if seen.len() < CELLS_MIN {
            return None;
        }
        // A fingerprint made elsewhere may have any frame rate.
        let within = |motion: &Motion, (from, to): (f32, f32)| {
            let within = motion.between(from, to);
            let step = within.len().div_ceil(FRAMES_MAX).max(1);
            within.step_by(step)
        };
        let of_clip = |frame: usize| {
            let cells = clip.picture(frame);
            let mean = |(_, weights): &(usize, Vec<(usize, f32)>)| {
                weights
                    .iter()
                    .map(|&(cell, weight)| weight * f32::from(cells[cell]))
                    .sum::<f32>()
            };
            (
                clip.time(frame).as_secs_f32(),
                seen.iter().map(mean).collect(),
            )
        };
        let of_reference = |frame: usize| {
            let cells = reference.picture(frame);
            (
                reference.time(frame).as_secs_f32(),
                seen.iter()
                    .map(|(cell, _)| f32::from(cells[*cell]))
                    .collect(),
            )
        };
        Some(MotionPair {
            clip: MotionFrames::new(within(clip, clip_s).map(of_clip)),
            reference: MotionFrames::new(within(reference, reference_s).map(of_reference)),
        })
    }

    /// Motion correlation between two moments of the clip, or in the middle if that is too long.
    pub(super) fn motion_correlation(
        &self,
        temporal: TemporalHypothesis,
        (first, last): (f32, f32),
    ) -> MotionCorrelation {
        let (first, last) = middle((first, last), TESTED_SECONDS);
        let reach = Window::reach(temporal.speed);
        let reference_s = temporal.span((first, last), reach);
        let Some(moving) = self.motion_pair((first, last), reference_s) else {
            return MotionCorrelation::default();
        };
        let result = moving.motion_correlation(temporal);
        if result.frames.trials < 1.0 {
            return result;
        }
        let (first, last) = middle((first, last), OFF_HYPOTHESIS_SECONDS);
        let reference_s = temporal.span((first, last), OFF_HYPOTHESIS_REACH);
        let Some(matrix) = self
            .motion_pair((first, last), reference_s)
            .and_then(CorrelationMatrix::new)
        else {
            return result;
        };
        let others = matrix
            .hypotheses(temporal.speed)
            .filter(|other| (other.offset - temporal.offset).abs() >= MOMENT_GAP);
        let off_hypothesis = others
            .filter_map(|other| matrix.along(other))
            .fold(0.0, f32::max);
        MotionCorrelation {
            at_hypothesis: matrix.along(temporal).unwrap_or(0.0),
            off_hypothesis,
            ..result
        }
    }
}

impl MotionPair {
    /// Correlation of one frame of the clip with one of the reference, -1..=1, damped if either
    /// hardly moves.
    fn correlation(&self, clip: usize, reference: usize) -> f32 {
        let product: f32 = self.clip.cells[clip]
            .iter()
            .zip(&self.reference.cells[reference])
            .map(|(a, b)| a * b)
            .sum();
        product
            / ((self.clip.energies[clip] + MOVING_MIN)
                * (self.reference.energies[reference] + MOVING_MIN))
                .sqrt()
    }

    /// Runs the temporal consistency test on all moving frames of either side.
    fn motion_correlation(&self, temporal: TemporalHypothesis) -> MotionCorrelation {
        let mut result = MotionCorrelation::default();
        let speed = temporal.speed.abs().max(0.1);
        for clip in (0..self.clip.times.len()).filter(|&clip| self.clip.moves(clip)) {
            let claimed = temporal.at(self.clip.times[clip]);
            let reach = Window::reach(speed);
            let others = self
                .reference
                .between(claimed - reach, claimed + reach)
                .map(|reference| {
                    (
                        Window::in_reference((self.reference.times[reference] - claimed) / speed),
                        self.correlation(clip, reference),
                    )
                });
            result.add_trial(others);
        }
        for reference in
            (0..self.reference.times.len()).filter(|&reference| self.reference.moves(reference))
        {
            let claimed = (self.reference.times[reference] - temporal.offset) / temporal.speed;
            let reach = Window::reach(1.0);
            let others = self
                .clip
                .between(claimed - reach, claimed + reach)
                .map(|clip| {
                    (
                        Window::in_clip(self.clip.times[clip] - claimed),
                        self.correlation(clip, reference),
                    )
                });
            result.add_trial(others);
        }
        result
    }
}

/// Correlations of the clip's moving frames with all frames of the reference, for the evaluation of
/// many hypotheses.
pub(super) struct CorrelationMatrix {
    moving: MotionPair,
    /// Indices of the clip's moving frames.
    frames: Vec<usize>,
    /// Row-major, one row for each of these.
    correlations: Vec<f32>,
}

impl CorrelationMatrix {
    /// Returns `None` if nothing moves.
    pub(super) fn new(moving: MotionPair) -> Option<CorrelationMatrix> {
        let frames: Vec<usize> = (0..moving.clip.times.len())
            .filter(|&clip| moving.clip.moves(clip))
            .collect();
        if frames.is_empty() || moving.reference.times.is_empty() {
            return None;
        }
        let row = |&clip: &usize| {
            (0..moving.reference.times.len()).map(move |reference| (clip, reference))
        };
        let correlations = frames
            .iter()
            .flat_map(row)
            .map(|(clip, reference)| moving.correlation(clip, reference))
            .collect();
        Some(CorrelationMatrix {
            moving,
            frames,
            correlations,
        })
    }

    /// The reference's times in seconds, and for each moving frame of the clip its time and row.
    pub(super) fn rows(&self) -> (&[f32], impl Iterator<Item = (f32, &[f32])>) {
        let times = &self.moving.reference.times;
        let rows = self
            .frames
            .iter()
            .zip(self.correlations.chunks(times.len()));
        (
            times,
            rows.map(|(&frame, row)| (self.moving.clip.times[frame], row)),
        )
    }

    /// Mean correlation on a hypothesis over the frames that the reference covers; `None` if these
    /// are less than half.
    fn along(&self, temporal: TemporalHypothesis) -> Option<f32> {
        let times = &self.moving.reference.times;
        let fit = |(row, &clip): (usize, &usize)| {
            let at = temporal.at(self.moving.clip.times[clip]);
            let after = times.partition_point(|time| *time < at);
            let adjacent = [after.checked_sub(1), Some(after)].into_iter().flatten();
            let near = adjacent.filter(|&reference| {
                times
                    .get(reference)
                    .is_some_and(|time| (time - at).abs() <= ON_HYPOTHESIS)
            });
            near.map(|reference| self.correlations[row * times.len() + reference])
                .reduce(f32::max)
        };
        let fits: Vec<f32> = self.frames.iter().enumerate().filter_map(fit).collect();
        (2 * fits.len() >= self.frames.len()).then(|| fits.iter().sum::<f32>() / fits.len() as f32)
    }

    /// First and last moving frame of the clip, in seconds.
    fn span(&self) -> (f32, f32) {
        let time =
            |frame: Option<&usize>| frame.map_or(0.0, |&frame| self.moving.clip.times[frame]);
        (time(self.frames.first()), time(self.frames.last()))
    }

    /// Hypotheses of one speed for which the reference covers any moment of the clip.
    fn hypotheses(&self, speed: f32) -> impl Iterator<Item = TemporalHypothesis> {
        let (first, last) = self.span();
        let times = &self.moving.reference.times;
        let (start, end) = (
            times[0] - ON_HYPOTHESIS,
            times[times.len() - 1] + ON_HYPOTHESIS,
        );
        let ends = if speed < 0.0 {
            (start - speed * first, end - speed * last)
        } else {
            (start - speed * last, end - speed * first)
        };
        let steps = ((ends.1 - ends.0) / STEP).floor();
        let steps = if steps >= 0.0 { steps as u32 + 1 } else { 0 };
        (0..steps).map(move |step| TemporalHypothesis {
            speed,
            offset: ends.0 + step as f32 * STEP,
        })
    }

    /// The hypothesis at one of these speeds that motion fits clearly better than `temporal` and
    /// any other.
    pub(super) fn better(
        &self,
        temporal: TemporalHypothesis,
        speeds: impl Iterator<Item = f32>,
    ) -> Option<TemporalHypothesis> {
        if self.frames.len() < FRAMES_MIN {
            return None;
        }
        // Most copies play at unit speed, and motion to and fro also fits backwards.
        let cost = |speed: f32| {
            if speed < 0.0 {
                BACKWARDS_COST
            } else if speed == 1.0 || speed == temporal.speed {
                0.0
            } else {
                OTHER_SPEED_COST
            }
        };
        let fit = |other: TemporalHypothesis| {
            self.along(other)
                .map(|fit| (fit - cost(other.speed), other))
        };
        let hypotheses: Vec<(f32, TemporalHypothesis)> = speeds
            .flat_map(|speed| self.hypotheses(speed))
            .filter_map(fit)
            .collect();
        let best = hypotheses
            .iter()
            .copied()
            .max_by(|a, b| a.0.total_cmp(&b.0))?;
        // Hypotheses of neighbouring speeds that cross the best one are no competitors: they fit
        // nearly as well.
        let (first, last) = self.span();
        let apart = |other: &TemporalHypothesis| {
            [first, last]
                .iter()
                .all(|&time| (other.at(time) - best.1.at(time)).abs() > COMPETITOR_DISTANCE)
        };
        let competitors = hypotheses
            .iter()
            .filter(|(_, other)| apart(other))
            .map(|(fit, _)| *fit);
        let competitor = competitors.fold(self.along(temporal).unwrap_or(0.0), f32::max);
        (best.0 >= CORRELATION_MIN && best.0 >= competitor + CORRELATION_MARGIN).then_some(best.1)
    }
}

impl MotionCorrelation {
    /// Adds the trial of one frame, given its correlations with the other side's frames.
    fn add_trial(&mut self, others: impl Iterator<Item = (Window, f32)>) {
        let (mut positive, mut negative) =
            ((0_usize, f32::NEG_INFINITY), (0_usize, f32::NEG_INFINITY));
        for (window, correlation) in others {
            let side = match window {
                Window::Positive => &mut positive,
                Window::Negative => &mut negative,
                Window::Neither => continue,
            };
            *side = (side.0 + 1, side.1.max(correlation));
        }
        if let Some(null_rate) = null_rate(positive.0, negative.0) {
            self.frames.add(&BinomialTest {
                trials: 1.0,
                successes: f32::from(positive.1 > negative.1),
                null_successes: null_rate,
            });
            self.sum += positive.1;
        }
    }
}

/// The reference's cells that the clip shows, each with the overlapping cells of the clip and their
/// weights, which sum to one.
fn visible_cells(
    clip: &Motion,
    reference: &Motion,
    aspect: f32,
    orientation: Orientation,
    geometry: &Similarity,
) -> Vec<(usize, Vec<(usize, f32)>)> {
    let Some(to_clip) = Affine::to_clip(orientation, geometry, aspect) else {
        return Vec::new();
    };
    // A negative inverts the sign of every change.
    let sign = if orientation.negative { -1.0 } else { 1.0 };
    let ((columns, rows), (across, down)) = (reference.size(), clip.size());
    let mut seen = Vec::new();
    for cell in 0..columns * rows {
        let (column, row) = ((cell % columns) as f32, (cell / columns) as f32);
        let mut weights: Vec<(usize, f32)> = Vec::new();
        // Bilinear interpolation at four points of the cell.
        for (dx, dy) in [(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)] {
            let (x, y) = to_clip.at(
                (column + dx) * reference.pitch(),
                (row + dy) * reference.pitch(),
            );
            if !((0.0..=aspect).contains(&x) && (0.0..=1.0).contains(&y)) {
                weights.clear();
                break;
            }
            let at = |place: f32, cells: usize| {
                (place / clip.pitch() - 0.5).clamp(0.0, (cells - 1) as f32)
            };
            let (x, y) = (at(x, across), at(y, down));
            let (left, top) = (x as usize, y as usize);
            let (right, bottom) = ((left + 1).min(across - 1), (top + 1).min(down - 1));
            let (fx, fy) = (x - left as f32, y - top as f32);
            weights.extend([
                (top * across + left, sign * 0.25 * (1.0 - fx) * (1.0 - fy)),
                (top * across + right, sign * 0.25 * fx * (1.0 - fy)),
                (bottom * across + left, sign * 0.25 * (1.0 - fx) * fy),
                (bottom * across + right, sign * 0.25 * fx * fy),
            ]);
        }
        if !weights.is_empty() {
            weights.sort_by_key(|(cell, _)| *cell);
            weights.dedup_by(|next, kept| {
                let same = next.0 == kept.0;
                if same {
                    kept.1 += next.1;
                }
                same
            });
            seen.push((cell, weights));
        }
    }
    seen
}

/// Minimum number of the reference's cells that the clip shows.
const CELLS_MIN: usize = 24;

/// Minimum sum of squares of a moving frame: two or three cells.
const MOVING_MIN: f32 = 2.0;

/// Maximum number of frames of either side: two minutes of a clip have 480.
const FRAMES_MAX: usize = 600;

/// Minimum number of moving frames of the clip for a mean correlation.
const FRAMES_MIN: usize = 6;

/// Minimum mean correlation of a hypothesis that replaces the voted one, and its minimum margin
/// over any other.
const CORRELATION_MIN: f32 = 0.25;
const CORRELATION_MARGIN: f32 = 0.1;

/// Longest part of the clip to correlate at other offsets, in seconds, and the maximum distance of
/// these, in seconds of the reference.
const OFF_HYPOTHESIS_SECONDS: f32 = 30.0;
const OFF_HYPOTHESIS_REACH: f32 = 120.0;

/// Costs, in correlation, of a speed other than unit and voted speed, and of playing backwards.
const OTHER_SPEED_COST: f32 = 0.03;
const BACKWARDS_COST: f32 = 0.1;

/// Spacing of the offsets, in seconds of the reference.
const STEP: f32 = 0.25;

/// Minimum distance between competing hypotheses at both ends of the clip, in seconds of the
/// reference.
const COMPETITOR_DISTANCE: f32 = 0.6;

/// Maximum distance of a reference frame from the hypothesis, in seconds: a little more than half
/// of a sampling interval.
pub(super) const ON_HYPOTHESIS: f32 = 0.3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::align::guided::ReferenceTrack;
    use crate::align::tests::still_clip;
    use crate::fingerprint::{Fingerprint, Place};
    use std::time::Duration;

    const ASPECT: f32 = 16.0 / 9.0;

    /// Motion at a place of the reference, in heights of its frame: two blobs on paths of their
    /// own.
    fn level(x: f32, y: f32, time: f32, take: f32) -> i8 {
        // Piecewise linear between random places, one a second.
        let path = |blob: u32| {
            let at = |second: f32, axis: u32| {
                let mut h = (second as u32 + 1000 * take as u32 + 7000 * blob + 90_000 * axis)
                    .wrapping_mul(0x9e37_79b9);
                h = (h ^ h >> 15).wrapping_mul(0x2c1b_3c6d);
                f32::from((h ^ h >> 12) as u16) / 65535.0
            };
            let along = |axis| {
                let share = time - time.floor();
                (1.0 - share) * at(time.floor(), axis) + share * at(time.floor() + 1.0, axis)
            };
            (ASPECT * along(0), along(1))
        };
        let near = |(px, py): (f32, f32)| (x - px).hypot(y - py) < 0.14;
        i8::from(near(path(0))) - i8::from(near(path(1)))
    }

    fn motion(
        columns: u16,
        rows: u16,
        times: impl Iterator<Item = f32>,
        level: impl Fn(f32, f32, f32) -> i8,
    ) -> Motion {
        let pitch = 1.0 / f32::from(rows);
        let mut motion = Motion::new(columns, rows, pitch);
        for time in times {
            let cell = |i: u32| {
                let (column, row) = (i % u32::from(columns), i / u32::from(columns));
                level(
                    (column as f32 + 0.5) * pitch,
                    (row as f32 + 0.5) * pitch,
                    time,
                )
            };
            let cells: Vec<i8> = (0..u32::from(columns) * u32::from(rows))
                .map(cell)
                .collect();
            motion.push(Duration::from_secs_f32(time), &cells);
        }
        motion
    }

    fn reference() -> ReferenceTrack {
        let times = (0..80).map(|i| 0.5 * i as f32);
        ReferenceTrack::new(
            Vec::new(),
            motion(28, 16, times, |x, y, time| level(x, y, time, 0.0)),
        )
    }

    /// Ten seconds of a take, from `from` seconds of the reference on, edited.
    fn clip(from: f32, take: f32, orientation: Orientation, geometry: &Similarity) -> Fingerprint {
        let times = (0..40).map(|i| 0.25 * i as f32);
        let motion = motion(57, 32, times, |x, y, time| {
            let place = orientation.place(Place { x, y, size: 1.0 }, ASPECT);
            let (x, y) = geometry.point(place.x, place.y);
            level(x, y, from + time, take)
        });
        Fingerprint {
            motion,
            ..still_clip(10.0)
        }
    }

    const WHOLE: Similarity = Similarity {
        scale: 1.0,
        x: 0.0,
        y: 0.0,
    };

    #[test]
    fn the_motion_of_a_copy_correlates_at_its_own_time_only() {
        let track = reference();
        let crop = Similarity {
            scale: 0.7,
            x: 0.3,
            y: 0.2,
        };
        let inset = Similarity {
            scale: 2.5,
            x: -2.0,
            y: -1.0,
        };
        let tilted = Orientation {
            warp: crate::fingerprint::Warp::Tilt(12),
            ..Orientation::UPRIGHT
        };
        let turned = Orientation {
            turns: 1,
            ..Orientation::UPRIGHT
        };
        let fills = Similarity {
            scale: ASPECT,
            x: 0.0,
            y: 0.0,
        };
        for (orientation, geometry) in [
            (Orientation::UPRIGHT, &WHOLE),
            (Orientation::UPRIGHT, &crop),
            (Orientation::UPRIGHT, &inset),
            (Orientation::MIRRORED, &WHOLE),
            (tilted, &WHOLE),
            (turned, &fills),
        ] {
            let clip = clip(12.0, 0.0, orientation, geometry);
            let candidate = CandidatePair {
                clip: &clip,
                track: &track,
                orientation,
                geometry,
            };
            let result = |offset: f32| {
                candidate.motion_correlation(TemporalHypothesis { speed: 1.0, offset }, (0.0, 9.75))
            };
            let (here, there) = (result(12.0), result(19.0));
            assert!(
                here.bits() > 30.0 && here.mean() > 0.5,
                "{orientation:?} {geometry:?}: {here:?}"
            );
            assert!(
                there.bits() < 6.0 && there.mean() < 0.3,
                "{orientation:?} {geometry:?}: {there:?}"
            );
        }
    }

    #[test]
    fn the_motion_of_another_take_does_not_correlate() {
        let (track, clip) = (reference(), clip(12.0, 1.0, Orientation::UPRIGHT, &WHOLE));
        let candidate = CandidatePair {
            clip: &clip,
            track: &track,
            orientation: Orientation::UPRIGHT,
            geometry: &WHOLE,
        };
        for offset in 0..30 {
            let result = candidate.motion_correlation(
                TemporalHypothesis {
                    speed: 1.0,
                    offset: offset as f32,
                },
                (0.0, 9.75),
            );
            assert!(
                result.bits() < 12.0 && result.mean() < 0.4,
                "{offset}: {result:?}"
            );
        }
    }

    #[test]
    fn motion_determines_the_time_of_a_copy() {
        let track = reference();
        let wrong = TemporalHypothesis {
            speed: 1.0,
            offset: 17.0,
        };
        let better = |clip: &Fingerprint| {
            let candidate = CandidatePair {
                clip,
                track: &track,
                orientation: Orientation::UPRIGHT,
                geometry: &WHOLE,
            };
            CorrelationMatrix::new(candidate.motion_pair((0.0, 10.0), (0.0, 40.0))?)?
                .better(wrong, [0.8, 1.0, 1.25].into_iter())
        };
        let found =
            better(&clip(12.0, 0.0, Orientation::UPRIGHT, &WHOLE)).expect("a better hypothesis");
        assert!(
            found.speed == 1.0 && (found.offset - 12.0).abs() <= 0.3,
            "{found:?}"
        );
        assert_eq!(better(&clip(12.0, 1.0, Orientation::UPRIGHT, &WHOLE)), None);
        assert_eq!(better(&still_clip(10.0)), None);
    }

    #[test]
    fn joined_parts_keep_the_smallest_margin() {
        let part = |at_hypothesis: f32, off_hypothesis: f32| MotionCorrelation {
            sum: 2.0,
            at_hypothesis,
            off_hypothesis,
            ..MotionCorrelation::default()
        };
        let mut joined = part(0.9, 0.1);
        joined.add(&part(0.5, 0.5));
        joined.add(&part(0.8, 0.0));
        assert_eq!(
            (joined.sum, joined.at_hypothesis, joined.off_hypothesis),
            (6.0, 0.5, 0.5)
        );
        // A part without motion leaves the others unchanged, in either order.
        joined.add(&MotionCorrelation::default());
        assert_eq!((joined.at_hypothesis, joined.off_hypothesis), (0.5, 0.5));
        let mut still = MotionCorrelation::default();
        still.add(&part(0.5, 0.4));
        assert_eq!((still.at_hypothesis, still.off_hypothesis), (0.5, 0.4));
    }

    #[test]
    fn a_reference_as_short_as_the_clip_has_other_offsets_too() {
        // Somebody walks to and fro, once in three seconds.
        let to_and_fro = |x: f32, y: f32, time: f32| {
            let middle = 0.9 + 0.5 * (std::f32::consts::TAU * time / 3.0).sin();
            i8::from((x - middle).hypot(y - 0.5) < 0.25)
        };
        let track = ReferenceTrack::new(
            Vec::new(),
            motion(28, 16, (0..20).map(|i| 0.5 * i as f32), to_and_fro),
        );
        let walker = motion(57, 32, (0..40).map(|i| 0.25 * i as f32), to_and_fro);
        let clip = Fingerprint {
            motion: walker,
            ..still_clip(10.0)
        };
        let candidate = CandidatePair {
            clip: &clip,
            track: &track,
            orientation: Orientation::UPRIGHT,
            geometry: &WHOLE,
        };
        let result = candidate.motion_correlation(
            TemporalHypothesis {
                speed: 1.0,
                offset: 0.0,
            },
            (0.0, 9.75),
        );
        assert!(
            result.at_hypothesis > 0.6 && result.off_hypothesis > 0.9 * result.at_hypothesis,
            "{result:?}"
        );
    }

    #[test]
    fn static_content_has_no_score() {
        let track = reference();
        let still = Fingerprint {
            motion: motion(57, 32, (0..40).map(|i| 0.25 * i as f32), |_, _, _| 0),
            ..still_clip(10.0)
        };
        let candidate = CandidatePair {
            clip: &still,
            track: &track,
            orientation: Orientation::UPRIGHT,
            geometry: &WHOLE,
        };
        let result = candidate.motion_correlation(
            TemporalHypothesis {
                speed: 1.0,
                offset: 12.0,
            },
            (0.0, 9.75),
        );
        assert!(result.bits() <= 0.0 && result.mean() < 0.1, "{result:?}");
        let nowhere = Similarity {
            scale: 1.0,
            x: 9.0,
            y: 9.0,
        };
        let candidate = CandidatePair {
            geometry: &nowhere,
            ..candidate
        };
        assert_eq!(
            candidate.motion_correlation(
                TemporalHypothesis {
                    speed: 1.0,
                    offset: 12.0
                },
                (0.0, 9.75)
            ),
            MotionCorrelation::default()
        );
    }
}
