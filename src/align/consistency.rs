//! Temporal consistency test: whether clip and reference fit best at the claimed time.
//!
//! Another take of a scene fits a reference about equally at all times; a copy fits best at its
//! own. Four tests compare a positive window near the claimed time with a negative window further
//! away:
//! - a frame of the reference against the *clip's* frames, by the keys that it shows first;
//! - a frame of the clip against the *reference's* frames;
//! - and both for each single key with a clear margin: what moves in a static scene is a handful of
//!   keys among walls that fit at any time, and the sum over a frame would hide them.
//!
//! A key fits better the nearer it is in bits and in place: a panning camera sees the same object
//! all the time, but at its place only for a moment. Residuals in place are relative to the
//! geometry refitted to all verified correspondences.

use serde::{Deserialize, Serialize};

use std::ops::{Range, RangeInclusive};

use super::candidate::CandidatePair;
use super::guided::{self, GUIDED_RADIUS};
use super::vote::{self, TemporalHypothesis, Vote};
use super::{SHIFT_TOLERANCE, Similarity, TESTED_SECONDS, TIME_TOLERANCE, middle};
use crate::fingerprint::{ClipKey, Run};

/// A sum of binomial trials: how often the positive window wins.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct BinomialTest {
    /// Number of trials.
    pub trials: f32,
    /// Number of successes: the claimed time fits best.
    pub successes: f32,
    /// Number of successes expected at the null rate.
    pub null_successes: f32,
}

impl BinomialTest {
    /// Success rate, 0..=1.
    pub fn share(&self) -> f32 {
        if self.trials > 0.0 {
            self.successes / self.trials
        } else {
            0.0
        }
    }

    /// Improbability of at least this number of successes at the null rate, in bits, or of at most
    /// this number, as a negative value: Chernoff's bound on a binomial tail, `n * D(q || p)`.
    pub fn bits(&self) -> f32 {
        if self.trials <= 0.0 || self.null_successes <= 0.0 {
            return 0.0;
        }
        let (q, p) = (
            self.share(),
            (self.null_successes / self.trials).min(NULL_RATE_MAX),
        );
        let term = |q: f32, p: f32| if q <= 0.0 { 0.0 } else { q * (q / p).log2() };
        let bits = self.trials * (term(q, p) + term(1.0 - q, 1.0 - p));
        if q >= p { bits } else { -bits }
    }

    /// Adds the trials of another part of the clip.
    pub(super) fn add(&mut self, other: &BinomialTest) {
        self.trials += other.trials;
        self.successes += other.successes;
        self.null_successes += other.null_successes;
    }

    /// The same rates with at most `most` trials: those of one frame are not independent, since a
    /// flickering lamp is in all of its keys.
    pub(super) fn capped(self, most: f32) -> BinomialTest {
        let scale = (most / self.trials.max(1.0)).min(1.0);
        BinomialTest {
            trials: scale * self.trials,
            successes: scale * self.successes,
            null_successes: scale * self.null_successes,
        }
    }
}

/// Score per frame of one side from which the test counts in full, in bits. Copies have two in the
/// median; two takes of a synthetic talking head, the most similar takes available, half a bit.
const FULL_RATE: f32 = 0.75;

/// Maximum null rate: trials with a higher one carry no information.
const NULL_RATE_MAX: f32 = 0.999;

/// Results of the four temporal consistency tests at a hypothesis.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct TemporalConsistency {
    /// Frames of the reference against the clip's.
    pub reference_frames: BinomialTest,
    /// Frames of the clip against the reference's.
    pub clip_frames: BinomialTest,
    /// Keys of the reference against the clip's; those of one frame count as four trials at most.
    pub reference_keys: BinomialTest,
    /// Keys of the clip against the reference's; those of one frame count as four trials at most.
    pub clip_keys: BinomialTest,
    /// Selection penalty for choosing the hypothesis by these tests, or by motion, in bits.
    pub selection_penalty: f32,
}

impl TemporalConsistency {
    /// Score against another take of the scene, less the selection penalty, in bits; negative if
    /// the tests favour one.
    ///
    /// Both sides test the same frames, so each counts half; so do keys and frames of one side. The
    /// sum is scaled by the score per frame, up to `FULL_RATE`: frames of a slow scene are not
    /// independent, and a slight preference must not add up to proof over a long clip.
    pub fn bits(&self) -> f32 {
        let bits = 0.5 * (self.reference_frames.bits() + self.clip_frames.bits())
            + 0.25 * (self.reference_keys.bits() + self.clip_keys.bits());
        if bits <= 0.0 {
            return bits - self.selection_penalty;
        }
        let pictures = 0.5 * self.frames_of_both().trials;
        bits * (bits / (FULL_RATE * pictures.max(1.0))).min(1.0) - self.selection_penalty
    }

    /// The trials on frames of both sides.
    pub fn frames_of_both(&self) -> BinomialTest {
        let mut both = self.reference_frames;
        both.add(&self.clip_frames);
        both
    }

    /// Adds the results for another part of the clip.
    pub(super) fn add(&mut self, other: &TemporalConsistency) {
        self.reference_frames.add(&other.reference_frames);
        self.clip_frames.add(&other.clip_frames);
        self.reference_keys.add(&other.reference_keys);
        self.clip_keys.add(&other.clip_keys);
        self.selection_penalty = self.selection_penalty.max(other.selection_penalty);
    }
}

/// The best fit in the positive and in the negative window.
#[derive(Debug, Clone, Copy, Default)]
struct WindowFits {
    positive: f32,
    negative: f32,
}

impl WindowFits {
    fn add(&mut self, window: Window, fit: f32) {
        match window {
            Window::Positive => self.positive = self.positive.max(fit),
            Window::Negative => self.negative = self.negative.max(fit),
            Window::Neither => {}
        }
    }

    /// One trial, if there is anything to compare.
    fn of_frame(self, null_rate: f32) -> BinomialTest {
        let comparable =
            self.positive.max(self.negative) >= FRAME_FIT_MIN && self.positive != self.negative;
        if comparable {
            BinomialTest {
                trials: 1.0,
                successes: f32::from(self.positive > self.negative),
                null_successes: null_rate,
            }
        } else {
            BinomialTest::default()
        }
    }

    /// One trial, if the margin is clear.
    fn of_key(self, null_rate: f32) -> BinomialTest {
        if (self.positive - self.negative).abs() >= MARGIN_MIN {
            BinomialTest {
                trials: 1.0,
                successes: f32::from(self.positive > self.negative),
                null_successes: null_rate,
            }
        } else {
            BinomialTest::default()
        }
    }
}

/// The window in which a time lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Window {
    Positive,
    Neither,
    Negative,
}

impl Window {
    /// Window of a frame of the clip, `apart` seconds of the clip from the claimed time.
    pub(super) fn in_clip(apart: f32) -> Window {
        Window::of(apart.abs(), &NEGATIVE_IN_CLIP)
    }

    /// Window of a frame of the reference, `apart` seconds of the clip from the claimed time.
    pub(super) fn in_reference(apart: f32) -> Window {
        Window::of(apart.abs(), &NEGATIVE_IN_REFERENCE)
    }

    /// Distance to the end of the negative window, in seconds of a video at this speed.
    pub(super) fn reach(speed: f32) -> f32 {
        NEGATIVE_IN_REFERENCE.end() * speed.abs()
    }

    /// Window of a distance in seconds; frames between or beyond the windows take no part.
    fn of(apart: f32, far: &RangeInclusive<f32>) -> Window {
        if apart <= POSITIVE_WINDOW {
            Window::Positive
        } else if far.contains(&apart) {
            Window::Negative
        } else {
            Window::Neither
        }
    }
}

/// Null rate: the chance that the best of all moments is in the positive window. `None` without
/// positive or with too few negative ones.
pub(super) fn null_rate(positive: usize, negative: usize) -> Option<f32> {
    (positive > 0 && negative >= positive).then(|| positive as f32 / (positive + negative) as f32)
}

impl CandidatePair<'_> {
    /// Runs all tests on a part of the clip, or on its middle if it is long, and on the
    /// corresponding frames of the reference.
    pub(super) fn temporal_consistency(
        &self,
        temporal: TemporalHypothesis,
        (first, last): (f32, f32),
    ) -> TemporalConsistency {
        let (first, last) = middle((first, last), TESTED_SECONDS);
        let geometry = self.fitted(temporal, (first, last));
        let frames: Vec<(f32, Vec<ClipKey>)> = self.frames((first, last));
        let moments = &self.track.moments;
        let (from, to) = temporal.span((first - TIME_TOLERANCE, last + TIME_TOLERANCE), 0.0);
        let start = moments.partition_point(|moment| *moment < from);
        let end = moments.partition_point(|moment| *moment <= to);
        let mut result = TemporalConsistency::default();
        let mut tested = f32::NEG_INFINITY;
        for &moment in &moments[start..end.max(start)] {
            // A moment within the same positive window would repeat the trial.
            if moment - tested < POSITIVE_WINDOW * temporal.speed.abs() {
                continue;
            }
            tested = moment;
            let claimed = (moment - temporal.offset) / temporal.speed;
            let from = frames.partition_point(|(time, _)| *time < claimed - NEGATIVE_IN_CLIP.end());
            let to = frames.partition_point(|(time, _)| *time <= claimed + NEGATIVE_IN_CLIP.end());
            let around = &frames[from..to.max(from)];
            self.test_reference(moment, claimed, around, &geometry, &mut result);
            let nearest = around
                .iter()
                .min_by(|a, b| (a.0 - claimed).abs().total_cmp(&(b.0 - claimed).abs()));
            let Some((_, frame)) =
                nearest.filter(|(time, _)| (time - claimed).abs() <= POSITIVE_WINDOW)
            else {
                continue;
            };
            self.test_clip(
                moment,
                temporal.speed.abs().max(0.1),
                frame,
                moments,
                &geometry,
                &mut result,
            );
        }
        result
    }

    /// Trial of the clip's frames on the keys that the reference first shows at a moment.
    fn test_reference(
        &self,
        moment: f32,
        claimed: f32,
        frames: &[(f32, Vec<ClipKey>)],
        geometry: &Similarity,
        result: &mut TemporalConsistency,
    ) {
        let window = |time: f32| Window::of((time - claimed).abs(), &NEGATIVE_IN_CLIP);
        let count = |wanted: Window| {
            frames
                .iter()
                .filter(|(time, _)| window(*time) == wanted)
                .count()
        };
        let Some(null_rate) = null_rate(count(Window::Positive), count(Window::Negative)) else {
            return;
        };
        let runs = &self.track.runs;
        let start = runs.partition_point(|run| run.first.as_secs_f32() < moment);
        let fresh = runs[start..]
            .iter()
            .take_while(|run| run.first.as_secs_f32() == moment);
        let mut of_frame = vec![0.0_f32; frames.len()];
        let mut keys = BinomialTest::default();
        for run in fresh {
            let mut fits = WindowFits::default();
            for ((time, frame), sum) in frames.iter().zip(&mut of_frame) {
                if window(*time) != Window::Neither {
                    let there = &frame[vertically_near(run, frame, geometry)];
                    let best = there
                        .iter()
                        .map(|seen| fit(seen, run, geometry))
                        .fold(0.0, f32::max);
                    *sum += best;
                    fits.add(window(*time), best);
                }
            }
            keys.add(&fits.of_key(null_rate));
        }
        let mut fits = WindowFits::default();
        frames
            .iter()
            .zip(&of_frame)
            .for_each(|((time, _), sum)| fits.add(window(*time), *sum));
        result.reference_frames.add(&fits.of_frame(null_rate));
        result.reference_keys.add(&keys.capped(KEY_TRIALS_MAX));
    }

    /// Trial of the reference's frames on one frame of the clip.
    fn test_clip(
        &self,
        moment: f32,
        speed: f32,
        frame: &[ClipKey],
        moments: &[f32],
        geometry: &Similarity,
        result: &mut TemporalConsistency,
    ) {
        let reach = NEGATIVE_IN_REFERENCE.end() * speed;
        let from = moments.partition_point(|other| *other < moment - reach);
        let to = moments.partition_point(|other| *other <= moment + reach);
        let others: Vec<(f32, Window)> = moments[from..to]
            .iter()
            .map(|&other| {
                (
                    other,
                    Window::of((other - moment).abs() / speed, &NEGATIVE_IN_REFERENCE),
                )
            })
            .collect();
        let count = |wanted: Window| {
            others
                .iter()
                .filter(|(_, window)| *window == wanted)
                .count()
        };
        let Some(null_rate) = null_rate(count(Window::Positive), count(Window::Negative)) else {
            return;
        };
        let mut sums = vec![0.0_f32; others.len()];
        let mut of_key = vec![WindowFits::default(); frame.len()];
        for run in self.track.between(moment - reach, moment + reach) {
            let active =
                |time: f32| run.first.as_secs_f32() <= time && run.last.as_secs_f32() >= time;
            let mut best = 0.0_f32;
            let there = vertically_near(run, frame, geometry);
            for (seen, fits) in frame[there.clone()].iter().zip(&mut of_key[there]) {
                let fit = fit(seen, run, geometry);
                if fit > 0.0 {
                    best = best.max(fit);
                    others
                        .iter()
                        .filter(|(time, _)| active(*time))
                        .for_each(|(_, window)| fits.add(*window, fit));
                }
            }
            others
                .iter()
                .zip(&mut sums)
                .filter(|((time, _), _)| active(*time))
                .for_each(|(_, sum)| *sum += best);
        }
        let mut fits = WindowFits::default();
        others
            .iter()
            .zip(&sums)
            .for_each(|((_, window), sum)| fits.add(*window, *sum));
        result.clip_frames.add(&fits.of_frame(null_rate));
        let mut keys = BinomialTest::default();
        of_key
            .iter()
            .for_each(|fits| keys.add(&fits.of_key(null_rate)));
        result.clip_keys.add(&keys.capped(KEY_TRIALS_MAX));
    }

    /// The clip's keys by frame, transformed to the reference's orientation, sorted from top to
    /// bottom.
    pub(super) fn frames(&self, (first, last): (f32, f32)) -> Vec<(f32, Vec<ClipKey>)> {
        let aspect = self.clip.aspect();
        let seen = |key: &ClipKey| ClipKey {
            place: self.orientation.place(key.place, aspect),
            key: self.orientation.key(key),
            ..*key
        };
        let keys_by_frame = self
            .keys((first, last))
            .chunk_by(|a, b| a.keyframe == b.keyframe);
        let from_top = |keys: &[ClipKey]| {
            let mut keys: Vec<ClipKey> = keys.iter().map(seen).collect();
            keys.sort_by(|a, b| a.place.y.total_cmp(&b.place.y));
            keys
        };
        keys_by_frame
            .map(|keys| (self.time(&keys[0]), from_top(keys)))
            .collect()
    }

    /// The geometry refitted to all verified correspondences, with weights that decrease with the
    /// spatial residual.
    pub(super) fn fitted(&self, temporal: TemporalHypothesis, span: (f32, f32)) -> Similarity {
        let verified = guided::match_guided(
            self.clip,
            self.track,
            self.orientation,
            self.geometry,
            temporal,
            span,
        );
        let votes: Vec<Vote> =
            guided::as_votes(&verified, self.clip, self.track, self.orientation).collect();
        let mut geometry = *self.geometry;
        for scale in REFITS {
            let weighed = votes.iter().map(|vote| {
                let residual = geometry.spatial_residual(&vote.clip, &vote.reference) / scale;
                Vote {
                    weight: vote.weight / (1.0 + residual * residual),
                    ..*vote
                }
            });
            let weighed: Vec<Vote> = weighed.collect();
            geometry = vote::fit_geometry(weighed.iter()).unwrap_or(geometry);
        }
        geometry
    }
}

/// The keys of a frame, sorted as in [`CandidatePair::frames`], that are vertically near a key of
/// the reference: most keys are elsewhere and need no comparison.
pub(super) fn vertically_near(run: &Run, frame: &[ClipKey], geometry: &Similarity) -> Range<usize> {
    let y = |off: f32| (run.place.y + off - geometry.y) / geometry.scale;
    let from = frame.partition_point(|seen| seen.place.y < y(-VERTICAL_TOLERANCE));
    from..from + frame[from..].partition_point(|seen| seen.place.y <= y(VERTICAL_TOLERANCE))
}

/// Slightly more than [`SHIFT_TOLERANCE`], to allow for rounding, in heights of the reference's
/// frame.
const VERTICAL_TOLERANCE: f32 = SHIFT_TOLERANCE + 1e-3;

/// Fit of a transformed key to a key of the reference, 0..=[`GUIDED_RADIUS`].
pub(super) fn fit(seen: &ClipKey, run: &Run, geometry: &Similarity) -> f32 {
    if seen.kind != run.kind || !geometry.takes(&seen.place, &run.place) {
        return 0.0;
    }
    let distance = run.key.distance(seen.key);
    if distance >= GUIDED_RADIUS {
        return 0.0;
    }
    let residual = geometry.spatial_residual(&seen.place, &run.place)
        / (PLACE_ERROR * run.place.size + PLACE_ERROR_MIN);
    (GUIDED_RADIUS - distance) as f32 * (-0.5 * residual * residual).exp()
}

/// Limit of the positive window, in seconds from the claimed time.
const POSITIVE_WINDOW: f32 = 0.4;

/// Negative window of the clip's frames, in seconds: most of the picture has changed, but the
/// camera is still at the same place.
const NEGATIVE_IN_CLIP: RangeInclusive<f32> = 1.0..=3.0;

/// Negative window of the reference's frames, which are fewer: it starts just below two intervals
/// of half a second.
const NEGATIVE_IN_REFERENCE: RangeInclusive<f32> = 0.9..=3.2;

/// Minimum fit of a frame for a trial: one key a dozen bits within the radius.
const FRAME_FIT_MIN: f32 = 12.0;

/// Minimum margin between the fits of a key: two images of one wall differ by ten bits.
const MARGIN_MIN: f32 = 16.0;

/// Maximum number of trials from the keys of one frame.
const KEY_TRIALS_MAX: f32 = 4.0;

/// Standard error of a key's place, as a share of its size, and the minimum in heights of the
/// frame: the centre of a blob is known to half its sigma, a seventh of its size.
const PLACE_ERROR: f32 = 0.06;
const PLACE_ERROR_MIN: f32 = 0.01;

/// Scale of the spatial residual in each refit of the geometry, in heights of the frame.
const REFITS: [f32; 5] = [0.06, 0.04, 0.03, 0.02, 0.02];

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::fingerprint::{Key, KeyKind, Place, Warp};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn all_keys_that_fit_are_vertically_near(
            places in proptest::collection::vec((0.0_f32..1.8, -0.2_f32..1.2, 0.05_f32..1.6), 0..60),
            scale in 0.05_f32..8.0,
            shift in -2.0_f32..2.0,
            (x, y, size) in (0.0_f32..1.8, 0.0_f32..1.0, 0.05_f32..1.6),
        ) {
            let geometry = Similarity { scale, x: 0.0, y: shift };
            let key = Key([0; 4]);
            let seen = |&(x, y, size): &(f32, f32, f32)| ClipKey {
                fine: false,
                keyframe: 0,
                kind: KeyKind::Region,
                place: Place { x, y, size },
                key,
                mirrored: key,
                warped: [key; Warp::ALL.len()],
                recurs: false,
            };
            let mut frame: Vec<ClipKey> = places.iter().map(seen).collect();
            frame.sort_by(|a, b| a.place.y.total_cmp(&b.place.y));
            let (first, place) = (Duration::ZERO, Place { x, y, size });
            let run = Run { key, kind: KeyKind::Region, place, first, last: first, recurs: false };
            let range = vertically_near(&run, &frame, &geometry);
            for (number, seen) in frame.iter().enumerate() {
                prop_assert!(range.contains(&number) || !geometry.takes(&seen.place, &run.place));
                // Keys vertically further away are not in the range.
                let off = (geometry.point(0.0, seen.place.y).1 - y).abs();
                prop_assert!(!range.contains(&number) || off <= SHIFT_TOLERANCE + 0.01);
            }
        }
    }

    #[test]
    fn successes_at_the_null_rate_score_zero_and_fewer_score_negative() {
        let test = |successes: f32| {
            BinomialTest {
                trials: 20.0,
                successes,
                null_successes: 5.0,
            }
            .bits()
        };
        assert!(test(5.0).abs() < 1e-3);
        assert!((test(20.0) - 40.0).abs() < 1e-3, "twenty times one in four");
        assert!(test(0.0) < -5.0 && test(10.0) > 3.0);
        assert_eq!(BinomialTest::default().bits(), 0.0);
    }

    #[test]
    fn the_keys_of_one_frame_are_four_trials_at_most() {
        let all = BinomialTest {
            trials: 12.0,
            successes: 9.0,
            null_successes: 3.0,
        };
        let few = all.capped(KEY_TRIALS_MAX);
        assert_eq!(
            (few.trials, few.successes, few.null_successes),
            (4.0, 3.0, 1.0)
        );
        assert_eq!(few.capped(KEY_TRIALS_MAX), few);
    }

    #[test]
    fn a_hypothesis_selected_by_its_consistency_pays_a_penalty() {
        let test = BinomialTest {
            trials: 20.0,
            successes: 20.0,
            null_successes: 5.0,
        };
        let voted = TemporalConsistency {
            reference_frames: test,
            clip_frames: test,
            ..TemporalConsistency::default()
        };
        let mut chosen = TemporalConsistency {
            selection_penalty: 6.0,
            ..voted
        };
        assert!((voted.bits() - chosen.bits() - 6.0).abs() < 1e-3);
        chosen.add(&voted);
        assert_eq!(chosen.selection_penalty, 6.0);
    }

    #[test]
    fn a_slight_preference_proves_nothing_over_any_length() {
        let result = |trials: f32, share: f32| {
            let test = BinomialTest {
                trials,
                successes: share * trials,
                null_successes: 0.2 * trials,
            };
            TemporalConsistency {
                reference_frames: test,
                clip_frames: test,
                ..TemporalConsistency::default()
            }
            .bits()
        };
        assert!(result(2400.0, 0.27) < 2.0 && result(2400.0, 0.1) < -20.0);
        assert!(result(20.0, 1.0) > 40.0);
    }

    proptest! {
        #[test]
        fn more_successes_never_score_less(trials in 1u8..60, successes in 0u8..60, null_rate in 0.01_f32..0.99) {
            let successes = successes % trials;
            let test = |successes: u8| BinomialTest { trials: trials.into(), successes: successes.into(), null_successes: null_rate * f32::from(trials) };
            prop_assert!(test(successes).bits() <= test(successes + 1).bits() + 1e-3);
        }
    }
}
