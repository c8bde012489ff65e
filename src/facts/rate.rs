//! Distinguishes repeated and blended frames from distinct ones (pure).
//!
//! A repeated frame hardly differs from the one before, while its neighbours differ much. A blend
//! lies on the straight line between its neighbours: the changes to it and from it have the same
//! direction. At a distinct frame the direction changes. Where blends were inserted, both kinds
//! alternate. Slow motion gives only the first kind, quick motion only the second.

use std::time::Duration;

use super::plane::{Plane, UNIT};
use super::{FrameRate, RateState, round};

/// Examines all frames of a clip in order.
#[derive(Debug, Default)]
pub(super) struct Rate {
    last: Option<(Duration, Plane)>,
    /// The change to the last frame from the one before, and its root mean square in levels.
    change: Option<(Vec<i16>, f32)>,
    steps: Vec<Step>,
    /// Seconds between frames, up to [`GAPS_MAX`] of them.
    gaps: Vec<f32>,
    tally: Tally,
    frames: u64,
    end: Duration,
    still: Still,
}

/// A frame compared with the one before.
#[derive(Debug, Clone, Copy)]
struct Step {
    gap: f32,
    /// Root mean square of the change, in 8-bit levels.
    change: f32,
    /// Cosine between this change and the next one.
    cosine: f32,
}

/// Counts over the windows.
#[derive(Debug, Default)]
struct Tally {
    /// Number of windows in which the picture moves; of these, windows with blended frames, and
    /// undecided ones.
    moving: u32,
    blended: u32,
    unclear: u32,
    seconds: f64,
    distinct: f64,
    frames: u32,
    repeated: u32,
}

/// Time during which the picture stood still.
#[derive(Debug, Default)]
struct Still {
    run: f64,
    total: f64,
}

impl Rate {
    /// Adds the next frame. Returns its difference to the one before, in levels.
    pub(super) fn push(&mut self, time: Duration, plane: &Plane) -> Option<f32> {
        self.frames += 1;
        self.end = time;
        let (before, last) = match self.last.take() {
            Some((before, last)) if last.levels.len() == plane.levels.len() => (before, last),
            _ => {
                self.last = Some((time, plane.clone()));
                return None;
            }
        };
        let gap = time.saturating_sub(before).as_secs_f32();
        let mut delta = match self.change.take() {
            Some((delta, change)) => {
                let cosine = cosine(&delta, change, &plane.levels, &last.levels);
                if let Some(step) = self.steps.last_mut() {
                    step.cosine = cosine;
                }
                delta
            }
            None => Vec::new(),
        };
        delta.clear();
        delta.extend(
            plane
                .levels
                .iter()
                .zip(&last.levels)
                .map(|(new, old)| new - old),
        );
        let square: i64 = delta
            .chunks(CHUNK)
            .map(|part| i64::from(part.iter().map(|d| dot(*d, *d)).sum::<i32>()))
            .sum();
        let change = (square as f32 / delta.len().max(1) as f32).sqrt() / UNIT as f32;
        self.still.push(gap, change);
        if self.gaps.len() < GAPS_MAX {
            self.gaps.push(gap);
        }
        self.steps.push(Step {
            gap,
            change,
            cosine: 0.0,
        });
        self.change = Some((delta, change));
        let mut levels = last;
        levels.levels.clone_from(&plane.levels);
        (levels.width, levels.height) = (plane.width, plane.height);
        self.last = Some((time, levels));
        if self.steps.len() > WINDOW {
            // The last step has no cosine yet.
            let next = self.steps.split_off(WINDOW);
            self.tally.add(&std::mem::replace(&mut self.steps, next));
        }
        Some(change)
    }

    /// Share of the clip that stands still for at least a second.
    pub(super) fn frozen(&self) -> Option<f64> {
        let end = self.end.as_secs_f64();
        (end > 0.0).then(|| ((self.still.total + self.still.pending()) / end).clamp(0.0, 1.0))
    }

    /// The result for all frames.
    pub(super) fn finish(mut self) -> FrameRate {
        if self.steps.len() >= WINDOW / 3 {
            let steps = std::mem::take(&mut self.steps);
            self.tally.add(&steps);
        }
        let seconds = self.end.as_secs_f64();
        let stored = if seconds > 0.0 {
            (self.frames - 1) as f64 / seconds
        } else {
            0.0
        };
        let variable = varies(&mut self.gaps);
        let tally = self.tally;
        let repeated = f64::from(tally.repeated) / f64::from(tally.frames.max(1));
        let blended = f64::from(tally.blended) / f64::from(tally.moving.max(1));
        let judged = tally.moving > 0 && tally.seconds > 0.0;
        let state = match () {
            () if !judged => RateState::Undecided,
            () if tally.unclear * 2 > tally.moving => RateState::Undecided,
            () if blended >= BLENDED_MIN && blended >= repeated => RateState::Blended,
            () if repeated >= REPEATED_MIN => RateState::Repeated,
            () => RateState::Full,
        };
        let distinct = match state {
            RateState::Undecided => None,
            // Occasional lost frames do not change the rate.
            RateState::Full => Some(stored),
            RateState::Repeated | RateState::Blended => {
                Some((tally.distinct / tally.seconds).min(stored))
            }
        };
        FrameRate {
            stored: round(stored, 3),
            distinct: distinct.map(|rate| round(rate, 1)),
            state,
            repeated: round(repeated, 3),
            blended: round(blended, 3),
            variable,
            reason: (state == RateState::Undecided)
                .then_some(if judged { IRREGULAR } else { TOO_STILL })
                .map(str::to_owned),
        }
    }
}

impl Tally {
    fn add(&mut self, steps: &[Step]) {
        let seconds: f32 = steps.iter().map(|step| step.gap).sum();
        let local = |i: usize| {
            let near = &steps[i.saturating_sub(NEAR)..(i + NEAR + 1).min(steps.len())];
            let mut changes: Vec<f32> = near.iter().map(|step| step.change).collect();
            changes.sort_by(f32::total_cmp);
            // The 80th percentile is affected neither by a cut nor by repetitions.
            changes[changes.len() * 4 / 5]
        };
        let mut judged = Vec::with_capacity(steps.len());
        for (i, step) in steps.iter().enumerate() {
            let around = local(i);
            judged.push((around >= MOVING_MIN).then_some(step.change < REPEATED_RATIO * around));
        }
        let moving = judged.iter().filter(|frame| frame.is_some()).count();
        if moving * 2 < steps.len() || seconds <= 0.0 {
            return;
        }
        let repeated = judged.iter().filter(|frame| **frame == Some(true)).count();
        self.moving += 1;
        self.frames += moving as u32;
        self.repeated += repeated as u32;
        self.seconds += f64::from(seconds);
        let all = steps.len() as f64;
        let share = repeated as f64 / moving as f64;
        if share >= REPEATED_MIN {
            self.distinct += all * (1.0 - share);
        } else if let Some(knots) = knots(steps) {
            self.blended += 1;
            self.distinct += knots;
        } else {
            self.distinct += all;
            self.unclear += u32::from(!is_even(steps));
        }
    }
}

/// Number of frames in a window with blended frames that are no blends; `None` if it has no blended
/// frames.
fn knots(steps: &[Step]) -> Option<f64> {
    let cosines: Vec<f32> = steps
        .iter()
        .take(steps.len() - 1)
        .map(|step| step.cosine)
        .collect();
    let count = cosines.len().max(1) as f32;
    let share =
        |of: fn(f32) -> bool| cosines.iter().filter(|cosine| of(**cosine)).count() as f32 / count;
    let swing: f32 = cosines
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).abs())
        .sum::<f32>()
        / count;
    let alternates = share(|cosine| cosine > STRAIGHT) >= STRAIGHT_MIN
        && share(|cosine| cosine < TURNED) >= TURNED_MIN
        && swing >= SWING_MIN;
    if !alternates {
        return None;
    }
    // Between two blends, one or two frames change direction: the original frame is that one, or
    // lies between both.
    let turns = cosines
        .windows(2)
        .filter(|pair| pair[0] > KNOT && pair[1] <= KNOT)
        .count();
    Some(turns as f64 * steps.len() as f64 / f64::from(count))
}

/// Whether all frames differ equally and in the same way, as from a camera. After hard compression,
/// repeated and blended frames differ irregularly.
fn is_even(steps: &[Step]) -> bool {
    let mut changes: Vec<f32> = steps.iter().map(|step| step.change).collect();
    let mut jumps: Vec<f32> = changes
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).abs())
        .collect();
    changes.sort_by(f32::total_cmp);
    jumps.sort_by(f32::total_cmp);
    let (Some(change), Some(jump)) = (changes.get(changes.len() / 2), jumps.get(jumps.len() / 2))
    else {
        return false;
    };
    let swing: f32 = steps
        .windows(2)
        .map(|pair| (pair[1].cosine - pair[0].cosine).abs())
        .sum();
    *jump <= JUMP_MAX * change && swing <= SWING_MIN * (steps.len() - 1) as f32
}

impl Still {
    fn push(&mut self, gap: f32, change: f32) {
        if change < FROZEN_MAX {
            self.run += f64::from(gap);
        } else {
            self.total += self.pending();
            self.run = 0.0;
        }
    }

    fn pending(&self) -> f64 {
        if self.run >= FROZEN_SECONDS {
            self.run
        } else {
            0.0
        }
    }
}

/// Whether the time between frames varies by more than the rounding to milliseconds.
fn varies(gaps: &mut [f32]) -> bool {
    if gaps.len() < 8 {
        return false;
    }
    gaps.sort_by(f32::total_cmp);
    let (low, high) = (gaps[gaps.len() / 20], gaps[gaps.len() * 19 / 20]);
    high > 1.25 * low + 0.002
}

/// The cosine between a change and the next one.
fn cosine(delta: &[i16], change: f32, new: &[i16], old: &[i16]) -> f32 {
    let (mut product, mut square) = (0_i64, 0_i64);
    for ((delta, new), old) in delta
        .chunks(CHUNK)
        .zip(new.chunks(CHUNK))
        .zip(old.chunks(CHUNK))
    {
        let (mut products, mut squares) = (0_i32, 0_i32);
        for ((delta, new), old) in delta.iter().zip(new).zip(old) {
            let next = new - old;
            products += dot(*delta, next);
            squares += dot(next, next);
        }
        product += i64::from(products);
        square += i64::from(squares);
    }
    let pixels = delta.len().max(1) as f32;
    let next = (square as f32 / pixels).sqrt() / UNIT as f32;
    let mean = product as f32 / pixels / (UNIT * UNIT) as f32;
    if change * next < f32::EPSILON {
        0.0
    } else {
        (mean / (change * next)).clamp(-1.0, 1.0)
    }
}

fn dot(a: i16, b: i16) -> i32 {
    i32::from(a) * i32::from(b)
}

/// Number of pixels whose products fit a sum of 32 bits; a change has at most 4080 units.
const CHUNK: usize = 128;
/// Number of frames judged together: one second at 60 frames a second.
const WINDOW: usize = 60;
/// Number of frames on either side with which a repetition is compared.
const NEAR: usize = 7;
/// Minimum change of moving frames, in 8-bit levels. Coding noise of a still picture is below 0.5.
const MOVING_MIN: f32 = 0.8;
/// Maximum change of a repeated frame relative to the frames around it. Repetitions that were
/// encoded again reach 0.25; frames of steady motion have at least 0.6.
const REPEATED_RATIO: f32 = 0.3;
/// Minimum share of repeated frames at which the rate differs from the stored one. One frame in
/// twenty may be a recorder's fault.
const REPEATED_MIN: f64 = 0.08;
/// Minimum share of the moving windows with blended frames in a blended clip.
const BLENDED_MIN: f64 = 0.25;
/// Minimum cosine of a frame that lies between its neighbours. Blends that were encoded again have
/// at least 0.9.
const STRAIGHT: f32 = 0.85;
/// Maximum cosine of a frame that changes direction.
const TURNED: f32 = 0.6;
/// Maximum cosine of an original frame, or one next to it.
const KNOT: f32 = 0.88;
/// Minimum share of frames between their neighbours, minimum share of frames that change direction,
/// and minimum mean difference of consecutive cosines. That difference is at most 0.25 for natural
/// motion, and 0.3 to 1.1 for blended frames.
const STRAIGHT_MIN: f32 = 0.25;
const TURNED_MIN: f32 = 0.18;
const SWING_MIN: f32 = 0.3;
/// Maximum median difference of consecutive changes of a camera's frames, relative to the median
/// change. Natural motion reaches 0.3; repeated frames after hard compression have at least 0.6.
const JUMP_MAX: f32 = 0.4;
/// Reasons for an undecided clip.
const TOO_STILL: &str = "too little moves to tell frames apart";
const IRREGULAR: &str = "its frames change too irregularly to tell which are distinct";
/// Maximum change of a frame that stands still, in 8-bit levels; it allows for coding noise.
const FROZEN_MAX: f32 = 0.12;
/// Minimum time that counts as frozen, in seconds.
const FROZEN_SECONDS: f64 = 1.0;
/// Maximum number of times between frames to keep.
const GAPS_MAX: usize = 100_000;
