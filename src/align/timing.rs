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

use super::guide::{self, GUIDED_RADIUS};
use super::pairing::Pairing;
use super::vote::{self, Line, Vote};
use super::{CONTRAST_SECONDS, SHIFT_TOLERANCE, Similarity, TIME_TOLERANCE, middle};
use crate::fingerprint::{ClipKey, Run};

/// A sum of binomial trials: how often the positive window wins.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Number of trials.
    pub asked: f32,
    /// Number of successes: the claimed time fits best.
    pub best: f32,
    /// Number of successes expected at the null rate.
    pub by_chance: f32,
}

impl Tally {
    /// Success rate, 0..=1.
    pub fn share(&self) -> f32 {
        if self.asked > 0.0 { self.best / self.asked } else { 0.0 }
    }

    /// Improbability of so many successes at the null rate, in bits (of so few, as a negative
    /// number): Chernoff's bound on a binomial tail, `n * D(q || p)`.
    pub fn bits(&self) -> f32 {
        if self.asked <= 0.0 || self.by_chance <= 0.0 {
            return 0.0;
        }
        let (q, p) = (self.share(), (self.by_chance / self.asked).min(CERTAIN));
        let term = |q: f32, p: f32| if q <= 0.0 { 0.0 } else { q * (q / p).log2() };
        let bits = self.asked * (term(q, p) + term(1.0 - q, 1.0 - p));
        if q >= p { bits } else { -bits }
    }

    /// Adds the trials of another part of the clip.
    pub(super) fn add(&mut self, other: &Tally) {
        self.asked += other.asked;
        self.best += other.best;
        self.by_chance += other.by_chance;
    }

    /// The same rates with at most `most` trials: those of one frame are not independent, since a
    /// flickering lamp is in all of its keys.
    pub(super) fn capped(self, most: f32) -> Tally {
        let say = (most / self.asked.max(1.0)).min(1.0);
        Tally { asked: say * self.asked, best: say * self.best, by_chance: say * self.by_chance }
    }
}

/// Score per frame of one side from which the test counts in full, in bits. Copies have two in the
/// median; two takes of a synthetic talking head, the most similar takes available, half a bit.
const FULL_RATE: f32 = 0.75;

/// Maximum null rate: trials with a higher one carry no information.
const CERTAIN: f32 = 0.999;

/// Results of the four temporal consistency tests at a hypothesis.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Timing {
    /// Frames of the reference against the clip's.
    pub source_pictures: Tally,
    /// Frames of the clip against the reference's.
    pub clip_pictures: Tally,
    /// Keys of the reference against the clip's; those of one frame count as four trials at most.
    pub source_keys: Tally,
    /// Keys of the clip against the reference's; those of one frame count as four trials at most.
    pub clip_keys: Tally,
    /// Selection penalty for choosing the hypothesis by these tests, or by motion, in bits.
    pub paid: f32,
}

impl Timing {
    /// Score against another take of the scene, less the selection penalty, in bits; negative if
    /// the tests favour one.
    ///
    /// Both sides test the same frames, so each counts half; so do keys and frames of one side. The
    /// sum is scaled by the score per frame, up to `FULL_RATE`: frames of a slow scene are not
    /// independent, and a slight preference must not add up to proof over a long clip.
    pub fn bits(&self) -> f32 {
        let bits = 0.5 * (self.source_pictures.bits() + self.clip_pictures.bits())
            + 0.25 * (self.source_keys.bits() + self.clip_keys.bits());
        if bits <= 0.0 {
            return bits - self.paid;
        }
        let pictures = 0.5 * self.pictures().asked;
        bits * (bits / (FULL_RATE * pictures.max(1.0))).min(1.0) - self.paid
    }

    /// The trials on frames of both sides.
    pub fn pictures(&self) -> Tally {
        let mut both = self.source_pictures;
        both.add(&self.clip_pictures);
        both
    }

    /// Adds the results for another part of the clip.
    pub(super) fn add(&mut self, other: &Timing) {
        self.source_pictures.add(&other.source_pictures);
        self.clip_pictures.add(&other.clip_pictures);
        self.source_keys.add(&other.source_keys);
        self.clip_keys.add(&other.clip_keys);
        self.paid = self.paid.max(other.paid);
    }
}

/// The best fit in the positive and in the negative window.
#[derive(Debug, Clone, Copy, Default)]
struct Rivals {
    near: f32,
    far: f32,
}

impl Rivals {
    fn add(&mut self, when: When, fit: f32) {
        match when {
            When::Near => self.near = self.near.max(fit),
            When::Far => self.far = self.far.max(fit),
            When::Between => {}
        }
    }

    /// One trial, if there is anything to compare.
    fn of_picture(self, chance: f32) -> Tally {
        let asked = self.near.max(self.far) >= PICTURE_MIN && self.near != self.far;
        if asked {
            Tally { asked: 1.0, best: f32::from(self.near > self.far), by_chance: chance }
        } else {
            Tally::default()
        }
    }

    /// One trial, if the margin is clear.
    fn of_key(self, chance: f32) -> Tally {
        if (self.near - self.far).abs() >= CLEAR {
            Tally { asked: 1.0, best: f32::from(self.near > self.far), by_chance: chance }
        } else {
            Tally::default()
        }
    }
}

/// The window in which a time lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    Near,
    Between,
    Far,
}

impl When {
    /// Window of a frame of the clip, `apart` seconds of the clip from the claimed time.
    pub(super) fn in_clip(apart: f32) -> When {
        When::of(apart.abs(), &FAR_IN_CLIP)
    }

    /// Window of a frame of the reference, `apart` seconds of the clip from the claimed time.
    pub(super) fn in_source(apart: f32) -> When {
        When::of(apart.abs(), &FAR_IN_SOURCE)
    }

    /// Distance to the end of the negative window, in seconds of a video at this speed.
    pub(super) fn reach(speed: f32) -> f32 {
        FAR_IN_SOURCE.end() * speed.abs()
    }

    /// Window of a distance in seconds; frames between or beyond the windows take no part.
    fn of(apart: f32, far: &RangeInclusive<f32>) -> When {
        if apart <= NEAR {
            When::Near
        } else if far.contains(&apart) {
            When::Far
        } else {
            When::Between
        }
    }
}

/// Null rate: the chance that the best of all moments is in the positive window. `None` without
/// positive or with too few negative ones.
pub(super) fn chance(near: usize, far: usize) -> Option<f32> {
    (near > 0 && far >= near).then(|| near as f32 / (near + far) as f32)
}

impl Pairing<'_> {
    /// Runs all tests on a part of the clip, or on its middle if it is long, and on the
    /// corresponding frames of the reference.
    pub(super) fn timing(&self, line: Line, (first, last): (f32, f32)) -> Timing {
        let (first, last) = middle((first, last), CONTRAST_SECONDS);
        let geometry = self.fitted(line, (first, last));
        let frames: Vec<(f32, Vec<ClipKey>)> = self.frames((first, last));
        let moments = &self.shown.moments;
        let (from, to) = line.span((first - TIME_TOLERANCE, last + TIME_TOLERANCE), 0.0);
        let start = moments.partition_point(|moment| *moment < from);
        let end = moments.partition_point(|moment| *moment <= to);
        let mut timing = Timing::default();
        let mut asked = f32::NEG_INFINITY;
        for &moment in &moments[start..end.max(start)] {
            // A moment within the same positive window would repeat the trial.
            if moment - asked < NEAR * line.speed.abs() {
                continue;
            }
            asked = moment;
            let claimed = (moment - line.offset) / line.speed;
            let from = frames.partition_point(|(time, _)| *time < claimed - FAR_IN_CLIP.end());
            let to = frames.partition_point(|(time, _)| *time <= claimed + FAR_IN_CLIP.end());
            let around = &frames[from..to.max(from)];
            self.ask_source(moment, claimed, around, &geometry, &mut timing);
            let nearest = around.iter().min_by(|a, b| (a.0 - claimed).abs().total_cmp(&(b.0 - claimed).abs()));
            let Some((_, frame)) = nearest.filter(|(time, _)| (time - claimed).abs() <= NEAR) else { continue };
            self.ask_clip(moment, line.speed.abs().max(0.1), frame, moments, &geometry, &mut timing);
        }
        timing
    }

    /// Trial of the clip's frames on the keys that the reference first shows at a moment.
    fn ask_source(
        &self,
        moment: f32,
        claimed: f32,
        frames: &[(f32, Vec<ClipKey>)],
        geometry: &Similarity,
        timing: &mut Timing,
    ) {
        let when = |time: f32| When::of((time - claimed).abs(), &FAR_IN_CLIP);
        let count = |wanted: When| frames.iter().filter(|(time, _)| when(*time) == wanted).count();
        let Some(chance) = chance(count(When::Near), count(When::Far)) else { return };
        let runs = &self.shown.runs;
        let start = runs.partition_point(|run| run.first.as_secs_f32() < moment);
        let fresh = runs[start..].iter().take_while(|run| run.first.as_secs_f32() == moment);
        let mut of_frame = vec![0.0_f32; frames.len()];
        let mut keys = Tally::default();
        for run in fresh {
            let mut rivals = Rivals::default();
            for ((time, frame), sum) in frames.iter().zip(&mut of_frame) {
                if when(*time) != When::Between {
                    let there = &frame[roughly_at(run, frame, geometry)];
                    let best = there.iter().map(|seen| fit(seen, run, geometry)).fold(0.0, f32::max);
                    *sum += best;
                    rivals.add(when(*time), best);
                }
            }
            keys.add(&rivals.of_key(chance));
        }
        let mut rivals = Rivals::default();
        frames.iter().zip(&of_frame).for_each(|((time, _), sum)| rivals.add(when(*time), *sum));
        timing.source_pictures.add(&rivals.of_picture(chance));
        timing.source_keys.add(&keys.capped(KEYS_SAY));
    }

    /// Trial of the reference's frames on one frame of the clip.
    fn ask_clip(
        &self,
        moment: f32,
        speed: f32,
        frame: &[ClipKey],
        moments: &[f32],
        geometry: &Similarity,
        timing: &mut Timing,
    ) {
        let reach = FAR_IN_SOURCE.end() * speed;
        let from = moments.partition_point(|other| *other < moment - reach);
        let to = moments.partition_point(|other| *other <= moment + reach);
        let others: Vec<(f32, When)> = moments[from..to]
            .iter()
            .map(|&other| (other, When::of((other - moment).abs() / speed, &FAR_IN_SOURCE)))
            .collect();
        let count = |wanted: When| others.iter().filter(|(_, when)| *when == wanted).count();
        let Some(chance) = chance(count(When::Near), count(When::Far)) else { return };
        let mut sums = vec![0.0_f32; others.len()];
        let mut of_key = vec![Rivals::default(); frame.len()];
        for run in self.shown.between(moment - reach, moment + reach) {
            let active = |time: f32| run.first.as_secs_f32() <= time && run.last.as_secs_f32() >= time;
            let mut best = 0.0_f32;
            let there = roughly_at(run, frame, geometry);
            for (seen, rivals) in frame[there.clone()].iter().zip(&mut of_key[there]) {
                let fit = fit(seen, run, geometry);
                if fit > 0.0 {
                    best = best.max(fit);
                    others.iter().filter(|(time, _)| active(*time)).for_each(|(_, when)| rivals.add(*when, fit));
                }
            }
            others.iter().zip(&mut sums).filter(|((time, _), _)| active(*time)).for_each(|(_, sum)| *sum += best);
        }
        let mut rivals = Rivals::default();
        others.iter().zip(&sums).for_each(|((_, when), sum)| rivals.add(*when, *sum));
        timing.clip_pictures.add(&rivals.of_picture(chance));
        let mut keys = Tally::default();
        of_key.iter().for_each(|rivals| keys.add(&rivals.of_key(chance)));
        timing.clip_keys.add(&keys.capped(KEYS_SAY));
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
        let pictures = self.keys((first, last)).chunk_by(|a, b| a.keyframe == b.keyframe);
        let from_top = |keys: &[ClipKey]| {
            let mut keys: Vec<ClipKey> = keys.iter().map(seen).collect();
            keys.sort_by(|a, b| a.place.y.total_cmp(&b.place.y));
            keys
        };
        pictures.map(|keys| (self.time(&keys[0]), from_top(keys))).collect()
    }

    /// The geometry refitted to all verified correspondences, with weights that decrease with the
    /// spatial residual.
    pub(super) fn fitted(&self, line: Line, span: (f32, f32)) -> Similarity {
        let traces = guide::trace(self.clip, self.shown, self.orientation, self.geometry, line, span);
        let votes: Vec<Vote> = guide::as_votes(&traces, self.clip, self.shown, self.orientation).collect();
        let mut geometry = *self.geometry;
        for scale in REFITS {
            let weighed = votes.iter().map(|vote| {
                let off = geometry.off(&vote.clip, &vote.reference) / scale;
                Vote { share: vote.share / (1.0 + off * off), ..*vote }
            });
            let weighed: Vec<Vote> = weighed.collect();
            geometry = vote::fit_geometry(weighed.iter()).unwrap_or(geometry);
        }
        geometry
    }
}

/// The keys of a frame, sorted as in [`Pairing::frames`], that are vertically near a key of the
/// reference: most keys are elsewhere and need no comparison.
pub(super) fn roughly_at(run: &Run, frame: &[ClipKey], geometry: &Similarity) -> Range<usize> {
    let y = |off: f32| (run.place.y + off - geometry.y) / geometry.scale;
    let from = frame.partition_point(|seen| seen.place.y < y(-ROUGHLY_THERE));
    from..from + frame[from..].partition_point(|seen| seen.place.y <= y(ROUGHLY_THERE))
}

/// Slightly more than [`SHIFT_TOLERANCE`], to allow for rounding, in heights of the reference's
/// frame.
const ROUGHLY_THERE: f32 = SHIFT_TOLERANCE + 1e-3;

/// Fit of a transformed key to a key of the reference, 0..=[`GUIDED_RADIUS`].
pub(super) fn fit(seen: &ClipKey, run: &Run, geometry: &Similarity) -> f32 {
    if seen.kind != run.kind || !geometry.takes(&seen.place, &run.place) {
        return 0.0;
    }
    let distance = run.key.distance(seen.key);
    if distance >= GUIDED_RADIUS {
        return 0.0;
    }
    let off = geometry.off(&seen.place, &run.place) / (PLACE_ERROR * run.place.size + PLACE_ERROR_MIN);
    (GUIDED_RADIUS - distance) as f32 * (-0.5 * off * off).exp()
}

/// Limit of the positive window, in seconds from the claimed time.
const NEAR: f32 = 0.4;

/// Negative window of the clip's frames, in seconds: most of the picture has changed, but the
/// camera is still at the same place.
const FAR_IN_CLIP: RangeInclusive<f32> = 1.0..=3.0;

/// Negative window of the reference's frames, which are fewer: it starts just below two intervals
/// of half a second.
const FAR_IN_SOURCE: RangeInclusive<f32> = 0.9..=3.2;

/// Minimum fit of a frame for a trial: one key a dozen bits within the radius.
const PICTURE_MIN: f32 = 12.0;

/// Minimum margin between the fits of a key: two images of one wall differ by ten bits.
const CLEAR: f32 = 16.0;

/// Maximum number of trials from the keys of one frame.
const KEYS_SAY: f32 = 4.0;

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
        fn all_that_fit_are_roughly_there(
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
            let range = roughly_at(&run, &frame, &geometry);
            for (number, seen) in frame.iter().enumerate() {
                prop_assert!(range.contains(&number) || !geometry.takes(&seen.place, &run.place));
                // Keys vertically further away are not in the range.
                let off = (geometry.point(0.0, seen.place.y).1 - y).abs();
                prop_assert!(!range.contains(&number) || off <= SHIFT_TOLERANCE + 0.01);
            }
        }
    }

    #[test]
    fn as_many_as_by_chance_say_nothing_and_fewer_speak_against() {
        let tally = |best: f32| Tally { asked: 20.0, best, by_chance: 5.0 }.bits();
        assert!(tally(5.0).abs() < 1e-3);
        assert!((tally(20.0) - 40.0).abs() < 1e-3, "twenty times one in four");
        assert!(tally(0.0) < -5.0 && tally(10.0) > 3.0);
        assert_eq!(Tally::default().bits(), 0.0);
    }

    #[test]
    fn the_keys_of_one_picture_say_no_more_than_four() {
        let all = Tally { asked: 12.0, best: 9.0, by_chance: 3.0 };
        let few = all.capped(KEYS_SAY);
        assert_eq!((few.asked, few.best, few.by_chance), (4.0, 3.0, 1.0));
        assert_eq!(few.capped(KEYS_SAY), few);
    }

    #[test]
    fn a_time_line_that_was_chosen_by_its_timing_pays_for_it() {
        let tally = Tally { asked: 20.0, best: 20.0, by_chance: 5.0 };
        let voted = Timing { source_pictures: tally, clip_pictures: tally, ..Timing::default() };
        let mut chosen = Timing { paid: 6.0, ..voted };
        assert!((voted.bits() - chosen.bits() - 6.0).abs() < 1e-3);
        chosen.add(&voted);
        assert_eq!(chosen.paid, 6.0);
    }

    #[test]
    fn a_slight_leaning_proves_nothing_however_long_it_lasts() {
        let timing = |asked: f32, share: f32| {
            let tally = Tally { asked, best: share * asked, by_chance: 0.2 * asked };
            Timing { source_pictures: tally, clip_pictures: tally, ..Timing::default() }.bits()
        };
        assert!(timing(2400.0, 0.27) < 2.0 && timing(2400.0, 0.1) < -20.0);
        assert!(timing(20.0, 1.0) > 40.0);
    }

    proptest! {
        #[test]
        fn more_at_the_claimed_time_are_never_worth_less(asked in 1u8..60, best in 0u8..60, chance in 0.01_f32..0.99) {
            let best = best % asked;
            let tally = |best: u8| Tally { asked: asked.into(), best: best.into(), by_chance: chance * f32::from(asked) };
            prop_assert!(tally(best).bits() <= tally(best + 1).bits() + 1e-3);
        }
    }
}
