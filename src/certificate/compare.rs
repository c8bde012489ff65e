//! Decides whether a delivered file shows the same as the certified one from start to end, in
//! another encoding (pure).
//!
//! The small pictures of both are compared at the same times. Still parts must look alike, moving
//! parts must move alike, and no other time may fit better. This detects a cut, an insertion,
//! another speed, a mirrored picture and another take of the same scene, and names the seconds.

use std::ops::Range;
use std::time::Duration;

use crate::fingerprint::{Fingerprint, Thumbnail};

/// Result of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Whether both show the same from start to end.
    pub same: bool,
    /// Differences of the whole files, in sentences.
    pub differences: Vec<String>,
    /// Where they differ, in order of time.
    pub passages: Vec<Passage>,
}

/// A part of the delivered file that differs from the certified one at that time.
#[derive(Debug, Clone, PartialEq)]
pub struct Passage {
    /// Its start.
    pub start: Duration,
    /// Its end.
    pub end: Duration,
    /// The first difference that was found.
    pub reason: &'static str,
}

/// Compares a delivered clip with the certified fingerprint.
///
/// # Errors
///
/// The reason why they cannot be compared.
pub fn compare(certified: &Fingerprint, delivered: &Fingerprint) -> Result<Comparison, String> {
    for (fingerprint, whose) in [
        (certified, "the certified fingerprint"),
        (delivered, "the delivered file"),
    ] {
        if fingerprint.pictures().is_empty() {
            return Err(format!(
                "{whose} has no small pictures to compare; give the fingerprint that uniq certify wrote beside the certificate"
            ));
        }
    }
    let mut differences = Vec::new();
    let (is, was) = (delivered.duration(), certified.duration());
    if is.abs_diff(was) > LENGTHS_APART {
        let (is, was) = (is.as_secs_f64(), was.as_secs_f64());
        differences.push(format!(
            "it is {is:.2} s long, but the certified clip is {was:.2} s"
        ));
    }
    let aspect =
        |clip: &Fingerprint| f64::from(clip.info().width) / f64::from(clip.info().height.max(1));
    let (is_wide, was_wide) = (aspect(delivered), aspect(certified));
    if (is_wide / was_wide).ln().abs() > ASPECTS_APART {
        differences.push(format!(
            "its picture is {is_wide:.3} times as wide as high, but the certified one is {was_wide:.3} times"
        ));
    }
    if !delivered.undecoded().is_empty() && certified.undecoded().is_empty() {
        differences.push("some of it cannot be decoded".to_owned());
    }
    let count = |length: Duration| (length.as_secs_f64() / STEP.as_secs_f64()).ceil() as usize;
    let (a, b) = (
        Shown::of(delivered.pictures(), count(is)),
        Shown::of(certified.pictures(), count(was)),
    );
    let mut passages: Vec<Passage> = Vec::new();
    for at in (0..a.steps().max(b.steps())).step_by(HOP) {
        let Some(reason) = fault(&a, &b, at) else {
            continue;
        };
        let (start, end) = (STEP * at as u32, STEP * (at + HOP) as u32);
        match passages
            .last_mut()
            .filter(|last| start <= last.end + STEP * HOP as u32)
        {
            Some(last) => last.end = end,
            None => passages.push(Passage { start, end, reason }),
        }
    }
    Ok(Comparison {
        same: differences.is_empty() && passages.is_empty(),
        differences,
        passages,
    })
}

/// A small picture of [`COLUMNS`] x [`ROWS`] grey levels.
type Grid = [u8; COLUMNS * ROWS];

/// Mean grey levels, laid out as a [`Grid`].
type Means = [f32; COLUMNS * ROWS];

/// The picture shown at each step of time.
struct Shown {
    grids: Vec<Grid>,
    /// Index of the picture at each step.
    at: Vec<u32>,
}

impl Shown {
    fn of(pictures: &[Thumbnail], steps: usize) -> Shown {
        let at = (0..steps as u32).map(|step| {
            // A quarter of a step later, so that a frame that is half a frame late still counts.
            let time = STEP * step + STEP / 4;
            pictures
                .partition_point(|picture| picture.time <= time)
                .saturating_sub(1) as u32
        });
        Shown {
            grids: pictures.iter().map(small).collect(),
            at: at.collect(),
        }
    }

    fn steps(&self) -> usize {
        self.at.len()
    }

    fn grid(&self, step: usize) -> &Grid {
        &self.grids[self.at[step] as usize]
    }
}

/// Averages the pixels in each cell of the grid.
fn small(picture: &Thumbnail) -> Grid {
    let (width, height) = (picture.width.max(1), picture.height.max(1));
    std::array::from_fn(|cell| {
        let part = |at: usize, of: usize, length: usize| {
            let start = at * length / of;
            start
                ..((at + 1) * length)
                    .div_ceil(of)
                    .clamp(start + 1, length.max(start + 1))
        };
        let (mut sum, mut count) = (0_u32, 0_u32);
        for y in part(cell / COLUMNS, ROWS, height) {
            for x in part(cell % COLUMNS, COLUMNS, width) {
                sum += u32::from(picture.luma.get(y * width + x).copied().unwrap_or(0));
                count += 1;
            }
        }
        ((sum + count / 2) / count.max(1)) as u8
    })
}

/// The fault around a step of time, if any.
fn fault(a: &Shown, b: &Shown, at: usize) -> Option<&'static str> {
    if at >= b.steps() {
        // The last frame may be shown a little longer.
        return (at >= b.steps() + 2 * HOP).then_some("the certified clip has ended");
    }
    if at >= a.steps() {
        return (at >= a.steps() + 2 * HOP).then_some("the certified clip goes on");
    }
    let common = at.saturating_sub(REACH)..(at + REACH + 1).min(a.steps()).min(b.steps());
    let (a_mean, b_mean) = (mean(a, &common), mean(b, &common));
    if !look_alike(&a_mean, &b_mean) {
        return Some("the picture differs");
    }
    let (mut both, mut of_a, mut of_b) = (0.0_f64, 0.0_f64, 0.0_f64);
    for step in common.clone() {
        let (a, b) = (a.grid(step), b.grid(step));
        for cell in 0..COLUMNS * ROWS {
            let (a, b) = (
                f64::from(f32::from(a[cell]) - a_mean[cell]),
                f64::from(f32::from(b[cell]) - b_mean[cell]),
            );
            both += a * b;
            of_a += a * a;
            of_b += b * b;
        }
    }
    let cells = (common.len() * COLUMNS * ROWS).max(1) as f64;
    if of_a.max(of_b) / cells > MOVING
        && (both < ALIKE_MIN * (of_a * of_b).sqrt() || of_a.min(of_b) < ENERGY_MIN * of_a.max(of_b))
    {
        return Some("its motion differs from the certified clip: another take, or another moment");
    }
    let apart = |lag: isize| -> Option<f64> {
        let mut sum = 0_u64;
        for step in common.clone() {
            // Near the ends fewer steps can be compared.
            let other = step
                .checked_add_signed(lag)
                .filter(|other| *other < b.steps())?;
            sum += a
                .grid(step)
                .iter()
                .zip(b.grid(other))
                .map(|(a, b)| u64::from(a.abs_diff(*b)))
                .sum::<u64>();
        }
        Some(sum as f64 / cells)
    };
    let here = apart(0)?;
    let elsewhere = (LAG_MIN..=LAG_MAX)
        .flat_map(|lag| [apart(-lag), apart(lag)])
        .flatten()
        .fold(f64::INFINITY, f64::min);
    (elsewhere < BETTER * here && here - elsewhere > LEVELS_BETTER)
        .then_some("it shows another moment of the certified clip")
}

fn mean(of: &Shown, steps: &Range<usize>) -> Means {
    let mut sums = [0_u32; COLUMNS * ROWS];
    for step in steps.clone() {
        sums.iter_mut()
            .zip(of.grid(step))
            .for_each(|(sum, level)| *sum += u32::from(*level));
    }
    sums.map(|sum| sum as f32 / steps.len().max(1) as f32)
}

/// Whether two pictures are alike, except for brightness and contrast, which encoders change.
fn look_alike(a: &Means, b: &Means) -> bool {
    let count = a.len() as f64;
    let mean = |of: &Means| of.iter().map(|level| f64::from(*level)).sum::<f64>() / count;
    let (a_mean, b_mean) = (mean(a), mean(b));
    let (mut both, mut of_a, mut of_b) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        let (a, b) = (f64::from(*a) - a_mean, f64::from(*b) - b_mean);
        both += a * b;
        of_a += a * a;
        of_b += b * b;
    }
    let flat = FLAT * FLAT * count;
    if of_a < flat && of_b < flat {
        return (a_mean - b_mean).abs() < LEVELS_APART;
    }
    (a_mean - b_mean).abs() < LEVELS_APART && both >= LOOK_MIN * (of_a * of_b).sqrt()
}

const COLUMNS: usize = 32;
const ROWS: usize = 18;
/// Time between two compared pictures: two frames at 25 a second.
const STEP: Duration = Duration::from_millis(80);
/// Steps between two windows, and steps of a window on either side: a window of about a second,
/// every quarter second.
const HOP: usize = 3;
const REACH: usize = 6;
/// Maximum difference in length: containers round it, and encoders add or drop a frame or two.
const LENGTHS_APART: Duration = Duration::from_millis(200);
/// Maximum difference of the logarithms of the aspect ratios: encoders round sizes to even numbers
/// or multiples of 16 pixels.
const ASPECTS_APART: f64 = 0.03;
/// Minimum mean square of motion, in grey levels squared, at which it is compared; compression
/// alone stays below.
const MOVING: f64 = 2.0;
/// Minimum correlation of motion. Strong compression keeps 0.8 or more; two takes have about 0.
const ALIKE_MIN: f64 = 0.6;
/// Minimum ratio of motion energy in one clip to that in the other.
const ENERGY_MIN: f64 = 0.3;
/// Minimum correlation of the still parts.
const LOOK_MIN: f64 = 0.9;
/// Standard deviation, in grey levels, below which a picture is flat.
const FLAT: f64 = 4.0;
/// Maximum difference in mean brightness, in grey levels.
const LEVELS_APART: f64 = 24.0;
/// Minimum and maximum offset, in steps, of the other times that are tried.
const LAG_MIN: isize = 2;
const LAG_MAX: isize = 13;
/// Another time fits better if its difference is below this ratio of the difference here, and
/// smaller by this many grey levels.
const BETTER: f64 = 0.6;
const LEVELS_BETTER: f64 = 0.7;
