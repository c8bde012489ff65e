//! Finds where a clip cuts from one shot to another, by its small pictures.
//!
//! A cut is a step between two pictures across which most is [new](super::novelty), and much more
//! than in the steps around it: what a shaken camera or a fast action shows is new again and again.
//! A dissolve is short enough to be a cut if one picture and another half a second later show
//! different things, and what is between is a mixture of both. A picture or two that differ while
//! the shot goes on, as in the light of a flash, are no cut, unless they come again and again.
//!
//! Where nothing but other pictures come, no step stands out, and each is a cut. Cuts to what looks
//! nearly the same, as between two moments of a still shot, are not found.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use super::novelty::Small;
use super::{Keyframe, Thumbnail};
use crate::media::Frame;

/// Takes what a clip shows in the order of time.
#[derive(Default)]
pub(super) struct Cuts {
    /// The last pictures, the last one first.
    recent: VecDeque<Seen>,
    steps: Vec<Step>,
    /// Keyframes since the last picture, with what they show.
    between: Vec<(Duration, Means)>,
    /// When what is shown between two pictures is neither of them, and when the next picture
    /// follows.
    inserted: Vec<Duration>,
}

struct Seen {
    time: Duration,
    small: Small,
    means: Means,
}

/// From one small picture to the next.
#[derive(Debug, Clone, Copy)]
struct Step {
    /// When the later one, or a keyframe that shows the same, is shown first.
    at: Duration,
    /// Share of the later picture that is new, 0..=1.
    novelty: f32,
    /// Whether a pixel in the mean differs visibly.
    moves: bool,
    /// If the step before, or the one before that, was to something new: whether the shot of before
    /// goes on after this one.
    resumes: [bool; 2],
    /// The dissolve that ends here at the latest: its middle, and the novelty across it.
    dissolve: Option<(Duration, f32)>,
}

impl Cuts {
    /// Adds a keyframe, which comes after all that is shown earlier.
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

    /// Adds a small picture, which comes after all that is shown earlier; one that follows too
    /// closely is passed over.
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
            // A fade is of one shot.
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

    /// Whether there was a cut since the keyframe before, of each keyframe.
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

/// When the shots begin, but for the first, in order.
fn found(steps: &[Step]) -> Vec<Duration> {
    let mut sharp: Vec<usize> = (0..steps.len()).filter(|&i| stands_out(steps, i)).collect();
    sharp.dedup_by(|next, before| *next == *before + 1 && is_mixed(steps, *before));
    // The first and the last step of what comes up while a shot goes on.
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
    // Each is seen in several steps; it is where it is clearest.
    dissolves.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    for (middle, _) in dissolves {
        let around = middle.saturating_sub(DISSOLVES_APART)..=middle + DISSOLVES_APART;
        if cuts.range(around).next().is_none() {
            cuts.insert(middle);
        }
    }
    cuts.into_iter().collect()
}

/// Whether much more is new in a step than in those around it.
fn stands_out(steps: &[Step], number: usize) -> bool {
    let novelty = steps[number].novelty;
    if novelty < NEW_MIN {
        return false;
    }
    let around = number.saturating_sub(AROUND)..steps.len().min(number + AROUND + 1);
    // A frame that is shown twice shows nothing new, however fast the action.
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

/// Whether the picture after a step is a mixture of those around it: the next step is the other
/// half of the same dissolve.
fn is_mixed(steps: &[Step], number: usize) -> bool {
    let later = &steps[number + 1..steps.len().min(number + 3)];
    let during = steps[number].at..later.first().map_or(Duration::MAX, |next| next.at);
    let middles = later.iter().filter_map(|step| step.dissolve);
    middles
        .into_iter()
        .any(|(middle, novelty)| novelty >= DISSOLVED_MIN && during.contains(&middle))
}

/// A picture as means of parts.
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

/// Least difference of something inserted between two pictures to both, in grey levels, and in
/// differences of theirs: whoever makes the clip knows which frames the pictures are of, though not
/// which the keyframes are.
const OTHER_MIN: f32 = 22.0;
const TIMES_WHOLE: f32 = 2.0;

/// Least time between two pictures that are compared: what moves has to move visibly.
const STEP_MIN: Duration = Duration::from_millis(80);

/// Mean difference of two pictures that are not the same, in grey levels: compression leaves a
/// tenth.
const MOVES_MIN: f32 = 0.5;

/// Least novelty of a cut, 0..=1.
///
/// With these limits, which were chosen on the first of two sets of footage, 348 of 360 cuts are
/// found between shots of real footage of 0.3 to 1.5 s, at 12 to 50 frames a second, plain, dark,
/// cropped, noisy, with borders or captions; 138 of 150 dissolves of 0.12 to 0.4 s; and 29 of 30
/// cuts between shots of 0.08 to 0.2 s. On the other set it is 349, 141 and 30, and in its 18
/// minutes a tenth as many cuts are found that are none as there are real ones.
const NEW_MIN: f32 = 0.26;

/// Novelty that is a cut whatever is around it, 0..=1.
const NEW_SURELY: f32 = 0.45;

/// Novelty of a fourth of the steps around one, 0..=1, from which each that has as much is a cut:
/// what moves as fast as that could not be recognised either.
///
/// Where shots have one or two pictures each, a fourth has at most 0.38 to 0.48; of a train that is
/// shown many times as fast nine in ten have less than 0.32.
const NEW_ALWAYS: f32 = 0.33;

/// How many times as new a cut is as a fourth of the steps around it are at most.
const TIMES_USUAL: f32 = 2.0;

/// How many steps on either side are around one: half a second.
const AROUND: usize = 6;

/// Most that may be new in a picture after a flash, 0..=1, against that before it.
const RESUMED_MAX: f32 = 0.2;

/// Least time between two flashes that are no cuts.
const FLASHES_APART: Duration = Duration::from_millis(1500);

/// Steps across which a dissolve is looked for: a quarter and half of a second.
const DISSOLVES: [usize; 2] = [3, 6];

/// Which pictures within them, counted from the end, may be the mixture.
const MIXED: [std::ops::RangeInclusive<usize>; 2] = [1..=2, 2..=4];

/// Least novelty across a dissolve, 0..=1.
const DISSOLVED_MIN: f32 = 0.33;

/// Longest time across which a dissolve or a flash is looked for.
const DISSOLVE_MAX: Duration = Duration::from_millis(1000);

/// Least time between a dissolve and another cut.
const DISSOLVES_APART: Duration = Duration::from_millis(280);

#[cfg(test)]
mod tests;
