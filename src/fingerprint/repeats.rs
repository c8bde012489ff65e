//! Finds keyframes of a clip that show what it has shown before: a loop, or a shot that is used
//! twice, also backwards or mirrored (pure).
//!
//! What recurs naturally, as with a pendulum or a hand-held camera, recurs approximately and now
//! and then. A repetition recurs exactly and in order. So pictures are compared as means of coarse
//! blocks, and the scale is how much they change in a fraction of a second. Two pictures far apart
//! that differ by much less vote for one *lag* between the clip and itself. At each lag with
//! several votes, all pictures are tested whose counterpart was sampled at nearly the same moment;
//! matches must outweigh mismatches.

use std::collections::HashSet;
use std::time::Duration;

use super::plane::Plane;

/// The pictures of a clip, as means of blocks.
#[derive(Default)]
pub(super) struct Memory {
    size: (usize, usize),
    pictures: Vec<Picture>,
}

struct Picture {
    time: f64,
    /// Means of the blocks row by row, in sixteenths of a grey level; empty for a picture of
    /// another size than the first.
    blocks: Vec<i16>,
    /// Sums of [`COARSE`] parts of the blocks, divided by the square roots of their sizes, and the
    /// same for the mirrored picture.
    coarse: [[f32; COARSE]; 2],
    mirrored: Vec<i16>,
}

impl Memory {
    /// Adds the blocks of a picture, which is not earlier than the last.
    pub(super) fn push(&mut self, time: Duration, blocks: &Plane) {
        if self.pictures.is_empty() {
            self.size = (blocks.width, blocks.height);
        }
        let whole = self.size == (blocks.width, blocks.height);
        let fixed = |level: &f32| (level * FIXED).round() as i16;
        let plain: Vec<i16> = if whole {
            blocks.data.iter().map(fixed).collect()
        } else {
            Vec::new()
        };
        let mirrored: Vec<i16> = plain
            .chunks(self.size.0.max(1))
            .flat_map(|row| row.iter().rev().copied())
            .collect();
        let coarse = [coarse(&plain), coarse(&mirrored)];
        self.pictures.push(Picture {
            time: time.as_secs_f64(),
            blocks: plain,
            coarse,
            mirrored,
        });
    }

    /// For each picture, whether it repeats an earlier one.
    pub(super) fn repeating(&self) -> Vec<bool> {
        let changes: Vec<f32> = (0..self.pictures.len()).map(|i| self.change(i)).collect();
        let mut repeating = vec![false; self.pictures.len()];
        for mirrored in [false, true] {
            let pairs = self.pairs(&changes, mirrored);
            for order in [Order::Forwards, Order::Backwards] {
                for lag in lags(&pairs, order) {
                    if lag.speakers.iter().filter(|&&i| !repeating[i]).count() >= SPEAKERS_MIN {
                        // The voting pairs were sampled slightly apart.
                        let near = [0.0, -LAG_STEP_S, LAG_STEP_S]
                            .map(|off| Course {
                                lag: lag.seconds + off,
                                order,
                                mirrored,
                            })
                            .map(|course| (self.asked(&course, &changes), course));
                        let fitting = |(asked, _): &(Vec<(usize, i32)>, Course)| -> i32 {
                            asked.iter().map(|(_, says)| says).sum()
                        };
                        if let Some((asked, course)) = near.into_iter().max_by_key(fitting) {
                            self.mark(&course, &asked, &mut repeating);
                        }
                    }
                }
            }
        }
        repeating
    }

    /// How much a picture differs from one shortly before or after it, whichever is less, in grey
    /// levels; 0 if there is none.
    fn change(&self, i: usize) -> f32 {
        let time = self.pictures[i].time;
        let before = self.pictures[..i]
            .iter()
            .rposition(|other| time - other.time >= STEP_S);
        let after = self.pictures[i..]
            .iter()
            .position(|other| other.time - time >= STEP_S)
            .map(|after| i + after);
        let differences = [before, after]
            .into_iter()
            .flatten()
            .map(|other| self.difference(i, other, false));
        differences
            .reduce(f32::min)
            .filter(|change| change.is_finite())
            .unwrap_or(0.0)
    }

    /// Root mean square of the differences of two pictures' blocks, in grey levels; the second is
    /// mirrored if `mirrored`.
    fn difference(&self, a: usize, b: usize, mirrored: bool) -> f32 {
        let (a, b) = (&self.pictures[a], &self.pictures[b]);
        let b = if mirrored { &b.mirrored } else { &b.blocks };
        if a.blocks.is_empty() || a.blocks.len() != b.len() {
            return f32::INFINITY;
        }
        let square = |(a, b): (&i16, &i16)| {
            let difference = i32::from(*a) - i32::from(*b);
            // At most (255 * 16)^2, and there are less than 2^13 blocks.
            (difference * difference) as f32
        };
        (a.blocks.iter().zip(b).map(square).sum::<f32>() / b.len() as f32).sqrt() / FIXED
    }

    /// Pairs a picture that moves with earlier ones, if they differ by much less than it changes in
    /// a moment.
    fn pairs(&self, changes: &[f32], mirrored: bool) -> Vec<(usize, f64, f64)> {
        let mut pairs = Vec::new();
        for (i, picture) in self
            .pictures
            .iter()
            .enumerate()
            .filter(|(i, _)| changes[*i] >= CHANGE_MIN)
        {
            let most = ALIKE * changes[i];
            let until = self
                .pictures
                .partition_point(|other| other.time + LAG_MIN_S <= picture.time);
            let from = until.saturating_sub(LOOK_BACK);
            let near = |&other: &usize| {
                let coarse = self.pictures[other].coarse[usize::from(mirrored)];
                let apart: f32 = picture.coarse[0]
                    .iter()
                    .zip(coarse)
                    .map(|(a, b)| (a - b) * (a - b))
                    .sum();
                // Never more than the sum over the blocks (Cauchy and Schwarz).
                apart <= picture.blocks.len() as f32 * most * most
            };
            let compared = (from..until).rev().filter(near).take(COMPARED_MAX);
            let alike = compared
                .filter(|&other| self.difference(i, other, mirrored) <= most)
                .take(ALIKE_MAX);
            pairs.extend(alike.map(|other| (i, picture.time, self.pictures[other].time)));
        }
        pairs
    }

    /// For each picture with a known counterpart, its vote: positive if it fits, negative if not,
    /// and 0 if it fits but hardly moves.
    fn asked(&self, course: &Course, changes: &[f32]) -> Vec<(usize, i32)> {
        let mut asked: Vec<(usize, i32)> = Vec::new();
        for (i, picture) in self.pictures.iter().enumerate() {
            let then = course.counterpart(picture.time);
            let after = self.pictures.partition_point(|other| other.time < then);
            let nearest = [
                after.checked_sub(1),
                Some(after).filter(|&after| after < self.pictures.len()),
            ];
            let miss = |&other: &usize| (self.pictures[other].time - then).abs();
            let Some(other) = nearest
                .into_iter()
                .flatten()
                .min_by(|a, b| miss(a).total_cmp(&miss(b)))
            else {
                continue;
            };
            let miss = miss(&other);
            if miss > MISS_MAX_S || self.pictures[other].time + LAG_MIN_S > picture.time {
                continue;
            }
            let allowed = NOISE + (FIT + FIT_A_SECOND * miss as f32) * changes[i];
            let fits = self.difference(i, other, course.mirrored) <= allowed;
            let says = match (fits, changes[i] >= CHANGE_MIN) {
                (false, _) => -AGAINST,
                (true, moves) => i32::from(moves),
            };
            asked.push((i, says));
        }
        asked
    }

    /// Marks the pictures that run along with earlier ones.
    fn mark(&self, course: &Course, asked: &[(usize, i32)], repeating: &mut [bool]) {
        // Segments of maximum sum, starting where the sum begins to rise.
        let mut from = 0;
        while from < asked.len() {
            let (mut sum, mut best, mut end, mut to) = (0, 0, from, from);
            while to < asked.len() {
                sum += asked[to].1;
                if sum < 0 {
                    break;
                }
                to += 1;
                if sum > best {
                    (best, end) = (sum, to);
                }
            }
            if best >= FITTING_MIN {
                let first = asked[from..end]
                    .iter()
                    .find(|(_, says)| *says > 0)
                    .map_or(asked[from].0, |(i, _)| *i);
                let last = asked[end - 1].0;
                let (first, last) = (
                    self.reach(course, first, -1, asked),
                    self.reach(course, last, 1, asked),
                );
                repeating[first..=last].fill(true);
                from = end;
            } else {
                from = to + 1;
            }
        }
    }

    /// Extends a segment over pictures with no known counterpart, until one does not fit or has no
    /// counterpart in the clip.
    fn reach(&self, course: &Course, end: usize, step: isize, asked: &[(usize, i32)]) -> usize {
        let time = |i: usize| self.pictures[i].time;
        let goes_on = |&i: &usize| {
            let then = course.counterpart(time(i));
            let answer = asked
                .binary_search_by_key(&i, |(i, _)| *i)
                .map(|at| asked[at].1);
            (time(i) - time(end)).abs() <= REACH_S
                && (0.0..=time(i) - LAG_MIN_S).contains(&then)
                && answer.unwrap_or(0) >= 0
        };
        let beyond = (1..)
            .map_while(|n: isize| end.checked_add_signed(step * n))
            .take_while(|&i| i < self.pictures.len());
        beyond.take_while(goes_on).last().unwrap_or(end)
    }
}

/// An alignment of a clip with itself.
struct Course {
    /// Seconds between a picture and its counterpart, or the sum of their times if it plays
    /// backwards.
    lag: f64,
    order: Order,
    mirrored: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Forwards,
    Backwards,
}

impl Order {
    fn lag(self, time: f64, earlier: f64) -> f64 {
        match self {
            Order::Forwards => time - earlier,
            Order::Backwards => time + earlier,
        }
    }
}

impl Course {
    fn counterpart(&self, time: f64) -> f64 {
        match self.order {
            Order::Forwards => time - self.lag,
            Order::Backwards => self.lag - time,
        }
    }
}

/// A lag and the pictures that vote for it.
struct Lag {
    seconds: f64,
    speakers: HashSet<usize>,
}

/// The lags with enough votes, those with the most first.
fn lags(pairs: &[(usize, f64, f64)], order: Order) -> Vec<Lag> {
    let mut sorted: Vec<(f64, usize)> = pairs
        .iter()
        .map(|&(i, time, earlier)| (order.lag(time, earlier), i))
        .collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut lags = Vec::new();
    let mut from = 0;
    while from < sorted.len() {
        let within =
            sorted[from..].partition_point(|(lag, _)| *lag <= sorted[from].0 + LAG_WIDTH_S);
        let alike = &sorted[from..from + within];
        let speakers: HashSet<usize> = alike.iter().map(|(_, i)| *i).collect();
        if speakers.len() >= SPEAKERS_MIN {
            lags.push(Lag {
                seconds: alike[alike.len() / 2].0,
                speakers,
            });
        }
        // Advances by half a width, so that no cluster is split.
        let next =
            sorted[from..].partition_point(|(lag, _)| *lag <= sorted[from].0 + 0.5 * LAG_WIDTH_S);
        from += next.max(1);
    }
    lags.sort_by(|a: &Lag, b: &Lag| {
        b.speakers
            .len()
            .cmp(&a.speakers.len())
            .then(a.seconds.total_cmp(&b.seconds))
    });
    lags.truncate(LAGS_MAX);
    lags
}

fn coarse(blocks: &[i16]) -> [f32; COARSE] {
    let length = blocks.len().div_ceil(COARSE).max(1);
    let mut sums = [0.0; COARSE];
    for (of_part, part) in sums.iter_mut().zip(blocks.chunks(length)) {
        let sum: f32 = part.iter().map(|level| f32::from(*level)).sum();
        *of_part = sum / FIXED / (part.len() as f32).sqrt();
    }
    sums
}

/// Fractions of a grey level stored.
const FIXED: f32 = 16.0;

/// Parts of a picture that are compared before its blocks.
const COARSE: usize = 8;

/// Seconds between the pictures that measure a change.
const STEP_S: f64 = 0.15;

/// Minimum change of a picture that may vote, in grey levels. A webcam's picture of somebody who
/// sits still changes by 0.3 to 1. Where only noise changes, two pictures never differ by less than
/// successive ones do.
const CHANGE_MIN: f32 = 0.2;

/// Minimum seconds between a picture and its repetition: closer ones are alike anyway.
const LAG_MIN_S: f64 = 0.5;

/// Maximum difference of two pictures that vote for a lag, as a share of the change.
const ALIKE: f32 = 0.35;

/// Number of earlier pictures compared with one, the latest first: an hour of them.
const LOOK_BACK: usize = 14_400;

/// Maximum pictures compared block by block, and maximum lags examined. A clip that shows some
/// pictures in any order has as many lags as moments.
const COMPARED_MAX: usize = 512;
const LAGS_MAX: usize = 256;

/// Maximum similar pictures kept for one, the latest first: a loop repeats a picture without end.
const ALIKE_MAX: usize = 64;

/// Seconds by which a lag is also tried longer and shorter: a frame.
const LAG_STEP_S: f64 = 0.04;

/// Seconds within which lags count as one.
const LAG_WIDTH_S: f64 = 0.1;

/// Minimum pictures that vote for a lag, and minimum surplus of matches over mismatches in a
/// segment.
const SPEAKERS_MIN: usize = 4;
const FITTING_MIN: i32 = 5;

/// Maximum seconds between a picture and the expected time of its counterpart.
const MISS_MAX_S: f64 = 0.05;

/// Seconds by which a segment is extended at either end if no counterpart was sampled.
const REACH_S: f64 = 0.8;

/// Allowed difference of a counterpart: a constant in grey levels, and as a share of the change, at
/// the exact moment and per second of offset.
const NOISE: f32 = 0.1;
const FIT: f32 = 0.3;
const FIT_A_SECOND: f32 = 8.0;

/// Number of matches that one mismatch outweighs.
const AGAINST: i32 = 2;

#[cfg(test)]
mod tests {
    use super::super::testing::texture;
    use super::*;

    /// Blocks of a scene at a moment: a textured wall, something that moves before it, and a camera
    /// that sways as if held by hand.
    fn scene(second: f32, seed: u32, sway: f32) -> Plane {
        let noise =
            |rate: f32, salt: u32| texture(40.0 * rate * second, 7.0, seed + salt) / 128.0 - 1.0;
        let (dx, dy) = (sway * noise(1.0, 90), sway * noise(1.0, 91));
        let (x0, y0) = (16.0 + 14.0 * noise(0.35, 92), 8.0 + 6.0 * noise(0.35, 93));
        let level = |i: usize| {
            let (x, y) = ((i % 32) as f32, (i / 32) as f32);
            if (x - x0).abs() < 3.0 && (y - y0).abs() < 4.0 {
                texture(8.0 * (x - x0), 8.0 * (y - y0), seed + 7)
            } else {
                texture(8.0 * (x + dx), 8.0 * (y + dy), seed)
            }
        };
        Plane {
            width: 32,
            height: 16,
            data: (0..32 * 16).map(level).collect(),
        }
    }

    /// One moment in each quarter second, as clips are sampled, at frames of 40 ms.
    fn moments(seconds: f32, seed: u32) -> Vec<f32> {
        let draw = |slot: u32| texture(slot as f32 * 5.0, 3.0, seed + 1000) / 256.0;
        let slots = (4.0 * seconds) as u32;
        (0..slots)
            .map(|slot| ((slot as f32 + draw(slot)) / 4.0 / 0.04).floor() * 0.04)
            .collect()
    }

    /// The shares of the moments before and from `seconds` that are marked as repeating.
    fn shares(length: f32, from: f32, picture: impl Fn(f32) -> Plane, seed: u32) -> (f32, f32) {
        let mut memory = Memory::default();
        let moments = moments(length, seed);
        moments
            .iter()
            .for_each(|&second| memory.push(Duration::from_secs_f32(second), &picture(second)));
        let repeating = memory.repeating();
        let share = |wanted: bool| {
            let of: Vec<bool> = moments
                .iter()
                .zip(&repeating)
                .filter(|(m, _)| (**m >= from) == wanted)
                .map(|(_, r)| *r)
                .collect();
            of.iter().filter(|r| **r).count() as f32 / of.len().max(1) as f32
        };
        (share(false), share(true))
    }

    #[test]
    fn a_loop_of_any_length_repeats_after_its_first_round() {
        for seed in 0..4 {
            for period in [1.0, 2.48, 8.0] {
                let (first, rest) = shares(30.0, period, |s| scene(s % period, seed, 0.6), seed);
                assert!(
                    first == 0.0 && rest > 0.85,
                    "{seed}: {period} s: {first} and {rest}"
                );
            }
        }
    }

    #[test]
    fn what_is_played_back_or_mirrored_repeats() {
        for seed in 0..4 {
            let to_and_fro = |s: f32| scene(if s < 12.0 { s } else { 24.0 - s }, seed, 0.6);
            let (first, rest) = shares(24.0, 12.0, to_and_fro, seed);
            assert!(first == 0.0 && rest > 0.65, "{seed}: {first} and {rest}");
            let mirror = |plane: Plane| {
                let data = plane
                    .data
                    .chunks(32)
                    .flat_map(|row| row.iter().rev().copied())
                    .collect();
                Plane { data, ..plane }
            };
            let mirrored = |s: f32| {
                if s < 12.0 {
                    scene(s, seed, 0.6)
                } else {
                    mirror(scene(s - 12.0, seed, 0.6))
                }
            };
            let (first, rest) = shares(24.0, 12.0, mirrored, seed);
            assert!(first == 0.0 && rest > 0.65, "{seed}: {first} and {rest}");
        }
    }

    #[test]
    fn what_comes_back_by_itself_repeats_nothing() {
        for seed in 0..8 {
            // One continuous scene, filmed from a tripod and by hand.
            for sway in [0.0, 0.6, 2.0] {
                let (all, _) = shares(60.0, f32::INFINITY, |s| scene(s, seed, sway), seed);
                assert_eq!(all, 0.0, "{seed}: {sway}");
            }
        }
    }
}
