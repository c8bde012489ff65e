//! Finds where a clip cuts from one shot to another, by its small pictures.
//!
//! A cut is a step between two pictures across which most is [new](super::novelty), and much more
//! than in the steps around it. A shaken camera or a fast action shows something new in every step.
//! A dissolve counts as a cut if it is short: a picture and another half a second later show
//! different things, and the pictures between are a mixture of both. One or two differing pictures
//! within a shot, as in the light of a flash, are not a cut, unless they keep recurring.
//!
//! If every picture differs from the one before, no step stands out, and each counts as a cut. Cuts
//! between nearly identical pictures, as between two moments of a still shot, are not found.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use super::novelty::Small;
use super::{Keyframe, Thumbnail};
use crate::media::Frame;

/// Takes a clip's pictures in order of time.
#[derive(Default)]
pub(super) struct Cuts {
    /// The last pictures, the latest first.
    recent: VecDeque<Seen>,
    steps: Vec<Step>,
    /// Keyframes since the last picture, and their contents.
    between: Vec<(Duration, Means)>,
    /// Times of keyframes that resemble neither picture around them, each with the time of the next
    /// picture.
    inserted: Vec<Duration>,
}

struct Seen {
    time: Duration,
    small: Small,
    means: Means,
}

/// The step from one small picture to the next.
#[derive(Debug, Clone, Copy)]
struct Step {
    /// When the later picture, or a keyframe that resembles it, is first shown.
    at: Duration,
    /// Share of the later picture that is new, 0..=1.
    novelty: f32,
    /// Whether the average pixel differs visibly.
    moves: bool,
    /// Whether the previous shot resumes after this step, if the step one or two before was to
    /// something new.
    resumes: [bool; 2],
    /// The dissolve that ends here at the latest: its middle, and the novelty across it.
    dissolve: Option<(Duration, f32)>,
}

impl Cuts {
    /// Adds a keyframe; calls must be in order of time.
    pub(super) fn keyframe(&mut self, frame: &Frame) {
        if self
            .recent
            .front()
            .is_some_and(|last| last.time < frame.time)
        {
            self.between
                .push((frame.time, means(&frame.luma, frame.width, frame.height)));
        }
    }

    /// Adds a small picture; calls must be in order of time. Ignores a picture that follows too
    /// closely.
    pub(super) fn picture(&mut self, picture: &Thumbnail) {
        if self
            .recent
            .front()
            .is_some_and(|last| picture.time < last.time.saturating_add(STEP_MIN))
        {
            return;
        }
        let means = means(&picture.luma, picture.width, picture.height);
        let seen = Seen {
            time: picture.time,
            small: Small::new(picture),
            means,
        };
        if let Some(last) = self.recent.front() {
            let (whole, mut at) = (apart(&last.means, &seen.means), seen.time);
            for (time, shown) in self.between.iter().filter(|(time, _)| *time < seen.time) {
                let (before, after) = (apart(shown, &last.means), apart(shown, &seen.means));
                if before.min(after) >= OTHER_MIN.max(TIMES_WHOLE * whole) {
                    self.inserted.extend([*time, seen.time]);
                } else if after < before {
                    at = at.min(*time);
                }
            }
            let step = self.step(at, &seen);
            self.steps.push(step);
        }
        self.between.retain(|(time, _)| *time >= seen.time);
        self.recent.push_front(seen);
        self.recent.truncate(DISSOLVES[DISSOLVES.len() - 1]);
    }

    fn step(&self, at: Duration, seen: &Seen) -> Step {
        let alike = |earlier: &&Seen| earlier.small.is_like(&seen.small);
        let Some(last) = self.recent.front().filter(alike).map(|last| &last.small) else {
            return Step {
                at,
                novelty: 1.0,
                moves: true,
                resumes: [false; 2],
                dissolve: None,
            };
        };
        let near = |earlier: &&Seen| seen.time.saturating_sub(earlier.time) <= DISSOLVE_MAX;
        let before =
            |steps: usize| Some(&self.recent.get(steps - 1).filter(alike).filter(near)?.small);
        let moves = seen.small.difference(last) >= MOVES_MIN;
        let novelty = if moves { seen.small.novelty(last) } else { 0.0 };
        let was_new = |steps: usize| {
            self.steps
                .iter()
                .rev()
                .nth(steps - 1)
                .is_some_and(|step| step.novelty >= NEW_MIN)
        };
        let goes_on = |steps: usize| {
            let asked = novelty >= NEW_MIN && was_new(steps);
            asked
                && before(steps + 1)
                    .is_some_and(|earlier| seen.small.novelty(earlier) <= RESUMED_MAX)
        };
        let mut dissolve = None;
        for (steps, inner) in DISSOLVES.into_iter().zip(MIXED) {
            let Some(earlier) = before(steps) else { break };
            // A fade belongs to one shot.
            if seen.small.difference(earlier) < MOVES_MIN
                || earlier.is_flat()
                || seen.small.is_flat()
            {
                continue;
            }
            let mut inner = inner
                .into_iter()
                .filter_map(|steps| Some((steps, before(steps)?)));
            if let Some((middle, _)) =
                inner.find(|(_, inner)| inner.is_mixture(earlier, &seen.small))
            {
                let novelty = seen.small.novelty(earlier);
                if dissolve.is_none_or(|(_, most)| novelty > most) {
                    dissolve = Some((self.recent[middle - 1].time, novelty));
                }
            }
        }
        Step {
            at,
            novelty,
            moves,
            resumes: [goes_on(1), goes_on(2)],
            dissolve,
        }
    }

    /// For each keyframe, whether there was a cut since the keyframe before.
    pub(super) fn at(self, keyframes: &[Keyframe]) -> Vec<bool> {
        let mut cuts = found(&self.steps);
        cuts.extend(self.inserted);
        cuts.sort_unstable();
        let until = |time: Duration| cuts.partition_point(|cut| *cut <= time);
        let pairs = keyframes
            .windows(2)
            .map(|pair| until(pair[0].time) < until(pair[1].time));
        std::iter::once(false)
            .chain(pairs)
            .take(keyframes.len())
            .collect()
    }
}

/// When the shots begin, except the first, in order.
fn found(steps: &[Step]) -> Vec<Duration> {
    let mut sharp: Vec<usize> = (0..steps.len()).filter(|&i| stands_out(steps, i)).collect();
    sharp.dedup_by(|next, before| *next == *before + 1 && is_mixed(steps, *before));
    // The first and the last step of a short insertion into a shot.
    let flash = |pair: &[usize]| {
        matches!(pair[1] - pair[0], 1 | 2) && steps[pair[1]].resumes[pair[1] - pair[0] - 1]
    };
    let flashes: Vec<&[usize]> = sharp.windows(2).filter(|pair| flash(pair)).collect();
    let far =
        |a: &[usize], b: &[usize]| steps[b[0]].at.saturating_sub(steps[a[0]].at) >= FLASHES_APART;
    let alone = |i: usize| {
        (i == 0 || far(flashes[i - 1], flashes[i]))
            && flashes.get(i + 1).is_none_or(|next| far(flashes[i], next))
    };
    let ignored: BTreeSet<usize> = (0..flashes.len())
        .filter(|&i| alone(i))
        .flat_map(|i| flashes[i])
        .copied()
        .collect();
    let mut cuts: BTreeSet<Duration> = sharp
        .iter()
        .filter(|cut| !ignored.contains(cut))
        .map(|&cut| steps[cut].at)
        .collect();

    let dissolves = steps.iter().filter_map(|step| step.dissolve);
    let mut dissolves: Vec<(Duration, f32)> = dissolves
        .filter(|(_, novelty)| *novelty >= DISSOLVED_MIN)
        .collect();
    // A dissolve shows in several steps; use the one with the highest novelty.
    dissolves.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    for (middle, _) in dissolves {
        let around = middle.saturating_sub(DISSOLVES_APART)..=middle + DISSOLVES_APART;
        if cuts.range(around).next().is_none() {
            cuts.insert(middle);
        }
    }
    cuts.into_iter().collect()
}

/// Whether a step has much more novelty than those around it.
fn stands_out(steps: &[Step], number: usize) -> bool {
    let novelty = steps[number].novelty;
    if novelty < NEW_MIN {
        return false;
    }
    let around = number.saturating_sub(AROUND)..steps.len().min(number + AROUND + 1);
    // A repeated frame shows nothing new, however fast the action, so it is left out.
    let mut others: Vec<f32> = around
        .filter(|&other| other != number && steps[other].moves)
        .map(|other| steps[other].novelty)
        .collect();
    others.sort_unstable_by(f32::total_cmp);
    let usual = others.get(others.len() / 4).copied().unwrap_or(0.0);
    let least = if usual >= NEW_ALWAYS {
        NEW_ALWAYS
    } else {
        NEW_SURELY.min(TIMES_USUAL * usual)
    };
    novelty >= least
}

/// Whether the picture after a step is a mixture of those around it: then the next step is the
/// other half of the same dissolve.
fn is_mixed(steps: &[Step], number: usize) -> bool {
    let later = &steps[number + 1..steps.len().min(number + 3)];
    let during = steps[number].at..later.first().map_or(Duration::MAX, |next| next.at);
    let middles = later.iter().filter_map(|step| step.dissolve);
    middles
        .into_iter()
        .any(|(middle, novelty)| novelty >= DISSOLVED_MIN && during.contains(&middle))
}

/// A picture as the means of its parts.
type Means = [f32; COLUMNS * ROWS];

fn means(luma: &[u8], width: usize, height: usize) -> Means {
    let (mut sums, mut pixels) = ([0_u32; COLUMNS * ROWS], [0_u32; COLUMNS * ROWS]);
    for (y, row) in luma.chunks_exact(width.max(1)).enumerate() {
        let first = y * ROWS / height.max(1) * COLUMNS;
        for column in 0..COLUMNS {
            let part = &row[column * width / COLUMNS..(column + 1) * width / COLUMNS];
            sums[first + column] += part.iter().map(|&level| u32::from(level)).sum::<u32>();
            pixels[first + column] += part.len() as u32;
        }
    }
    std::array::from_fn(|part| sums[part] as f32 / pixels[part].max(1) as f32)
}

/// Mean difference of the parts, in grey levels.
fn apart(a: &Means, b: &Means) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f32>() / a.len() as f32
}

const COLUMNS: usize = 12;
const ROWS: usize = 8;

/// Minimum difference to both pictures of a keyframe that was inserted between them, in grey
/// levels. Keyframes are compared because the times of small pictures are predictable for the maker
/// of a clip, while those of keyframes are not.
const OTHER_MIN: f32 = 22.0;
/// The same as a multiple of the difference between the two pictures.
const TIMES_WHOLE: f32 = 2.0;

/// Minimum time between two pictures that are compared, so that motion is visible.
const STEP_MIN: Duration = Duration::from_millis(80);

/// Minimum mean difference of two pictures that count as different, in grey levels: compression
/// leaves a tenth of a level.
const MOVES_MIN: f32 = 0.5;

/// Minimum novelty of a cut, 0..=1.
///
/// These limits were chosen on the first of two sets of footage. There, 348 of 360 cuts are found
/// between shots of real footage of 0.3 to 1.5 s, at 12 to 50 frames a second, plain, dark,
/// cropped, noisy, with borders or captions. So are 138 of 150 dissolves of 0.12 to 0.4 s, and 29
/// of 30 cuts between shots of 0.08 to 0.2 s. On the other set it is 349, 141 and 30, and in its 18
/// minutes there is one false cut for ten real ones.
const NEW_MIN: f32 = 0.26;

/// Novelty that always is a cut, 0..=1.
const NEW_SURELY: f32 = 0.45;

/// First quartile of the novelty around a step, 0..=1, from which each step with as much novelty is
/// a cut: something that moves that fast could not be recognised either.
///
/// If shots have one or two pictures each, the quartile reaches at most 0.38 to 0.48. In nine of
/// ten steps of a train shown many times as fast, it is less than 0.32.
const NEW_ALWAYS: f32 = 0.33;

/// Multiple of the first quartile around a step from which the step is a cut, if it is below
/// [`NEW_SURELY`].
const TIMES_USUAL: f32 = 2.0;

/// Steps on either side that count as around a step: half a second.
const AROUND: usize = 6;

/// Maximum novelty of a picture after a flash against the one before it, 0..=1.
const RESUMED_MAX: f32 = 0.2;

/// Minimum time between two flashes that are no cuts.
const FLASHES_APART: Duration = Duration::from_millis(1500);

/// Steps across which a dissolve is searched for: a quarter and half of a second.
const DISSOLVES: [usize; 2] = [3, 6];

/// Pictures within them that may be the mixture, counted from the end.
const MIXED: [std::ops::RangeInclusive<usize>; 2] = [1..=2, 2..=4];

/// Minimum novelty across a dissolve, 0..=1.
const DISSOLVED_MIN: f32 = 0.33;

/// Maximum time across which a dissolve or a flash is searched for.
const DISSOLVE_MAX: Duration = Duration::from_millis(1000);

/// Minimum time between a dissolve and another cut.
const DISSOLVES_APART: Duration = Duration::from_millis(280);

#[cfg(test)]
mod tests;
