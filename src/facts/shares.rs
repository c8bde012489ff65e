//! Shares of the clip that are dark, blurred or shaken (pure).

use super::plane::{Plane, UNIT, quantile};
use super::{Shares, round};

/// Measures light and sharpness on some frames, and steadiness on all.
#[derive(Debug, Default)]
pub(super) struct Looks {
    looked: u32,
    dark: u32,
    sharp: u32,
    blurred: u32,
    profiles: Option<[Vec<i32>; 2]>,
    motion: Option<[f32; 2]>,
    /// Length of the current second so far, sum of the squared jerks (as shares of the short side),
    /// and their number.
    second: (f32, f32, u32),
    seconds: u32,
    shaken: u32,
}

impl Looks {
    /// Measures light and sharpness.
    pub(super) fn look(&mut self, plane: &Plane) {
        let histogram = plane.histogram();
        let (middle, bright) = (quantile(&histogram, 0.5), quantile(&histogram, 0.95));
        self.looked += 1;
        if middle <= DARK_MEDIAN && bright <= DARK_BRIGHT {
            self.dark += 1;
        } else if let Some(sharpness) = sharpness(plane) {
            self.sharp += 1;
            self.blurred += u32::from(sharpness < SHARPNESS_MIN);
        }
    }

    /// Tracks the motion of the whole picture since the last frame, `gap` seconds ago.
    pub(super) fn follow(&mut self, plane: &Plane, gap: f32) {
        let profiles = profiles(plane);
        let Some(last) = self.profiles.replace(profiles) else {
            return;
        };
        let Some(now) = &self.profiles else { return };
        if last[0].len() != now[0].len() || last[1].len() != now[1].len() {
            self.motion = None;
            return;
        }
        let short = plane.width.min(plane.height).max(1) as f32;
        let motion = [0, 1].map(|axis| shift(&last[axis], &now[axis]) / short);
        if let Some(before) = self.motion.replace(motion) {
            let jerk = (motion[0] - before[0]).hypot(motion[1] - before[1]);
            let (seconds, squares, count) = &mut self.second;
            // Scales the motion to 30 frames a second.
            let rate = if gap > 0.0 {
                (gap * 30.0).clamp(0.25, 4.0)
            } else {
                1.0
            };
            *squares += (jerk / rate).min(JERK_CAP).powi(2);
            (*seconds, *count) = (*seconds + gap, *count + 1);
            if *seconds >= 1.0 {
                self.seconds += 1;
                self.shaken += u32::from((*squares / *count as f32).sqrt() > JERK_MIN);
                self.second = (0.0, 0.0, 0);
            }
        }
    }

    /// The shares; `frozen` is measured elsewhere.
    pub(super) fn finish(self, frozen: Option<f64>) -> Shares {
        let share =
            |part: u32, of: u32| (of > 0).then(|| round(f64::from(part) / f64::from(of), 3));
        Shares {
            dark: share(self.dark, self.looked),
            blurred: share(self.blurred, self.sharp),
            shaken: share(self.shaken, self.seconds),
            frozen: frozen.map(|share| round(share, 3)),
        }
    }
}

/// Sharpness of the strongest edges: their rise over two pixels relative to that over eight. `None`
/// without edges.
fn sharpness(plane: &Plane) -> Option<f32> {
    let mut edges: Vec<(i32, i32)> = Vec::new();
    for y in (0..plane.height).step_by(2) {
        let row = plane.row(y);
        for x in 4..row.len().saturating_sub(4) {
            let wide = (i32::from(row[x + 4]) - i32::from(row[x - 4])).abs();
            if wide >= EDGE_MIN {
                edges.push((wide, (i32::from(row[x + 1]) - i32::from(row[x - 1])).abs()));
            }
        }
    }
    if edges.len() < EDGES_MIN {
        return None;
    }
    // The steepest places along an edge show how sharp it is.
    let mut ratios: Vec<f32> = edges
        .iter()
        .map(|(wide, steep)| *steep as f32 / *wide as f32)
        .collect();
    ratios.sort_by(f32::total_cmp);
    Some(ratios[ratios.len() * 9 / 10])
}

/// Sums of columns and of rows.
fn profiles(plane: &Plane) -> [Vec<i32>; 2] {
    let mut columns = vec![0_i32; plane.width];
    let mut rows = Vec::with_capacity(plane.height);
    for y in 0..plane.height {
        let row = plane.row(y);
        let mut sum = 0;
        for (column, level) in columns.iter_mut().zip(row) {
            *column += i32::from(*level);
            sum += i32::from(*level);
        }
        rows.push(sum);
    }
    [columns, rows]
}

/// Shift between two profiles, in pixels, with a fraction.
fn shift(old: &[i32], new: &[i32]) -> f32 {
    let reach = SHIFT_MAX.min(old.len() / 4);
    let cost = |by: isize| {
        let (from, to) = (reach, old.len() - reach);
        let sum: u64 = (from..to)
            .map(|i| u64::from(new[i].abs_diff(old[i.saturating_add_signed(-by)])))
            .sum();
        sum as f32
    };
    let reach = reach as isize;
    let costs: Vec<f32> = (-reach..=reach).map(cost).collect();
    let Some(best) = (0..costs.len()).min_by(|&a, &b| costs[a].total_cmp(&costs[b])) else {
        return 0.0;
    };
    let offset = best as f32 - reach as f32;
    let (Some(before), Some(after)) = (best.checked_sub(1).map(|i| costs[i]), costs.get(best + 1))
    else {
        return offset;
    };
    let bend = before - 2.0 * costs[best] + after;
    if bend > 0.0 {
        offset + (0.5 * (before - after) / bend).clamp(-0.5, 0.5)
    } else {
        offset
    }
}

/// Maximum median and 95th percentile of the levels of a dark picture, of 255; little can be seen
/// below them.
const DARK_MEDIAN: u32 = 24;
const DARK_BRIGHT: u32 = 70;
/// Minimum rise of an edge over eight pixels, in 16ths of a level, and minimum number of such edge
/// pixels.
const EDGE_MIN: i32 = 48 * UNIT;
const EDGES_MIN: usize = 200;
/// Minimum share of an edge's rise within two pixels, at 360 lines. A sharp edge has nearly all of
/// it, one blurred over 2 % of the height a quarter.
const SHARPNESS_MIN: f32 = 0.4;
/// Minimum change of motion from frame to frame in a shaken picture, as a share of the short side
/// at 30 frames a second: about four pixels of 1080.
const JERK_MIN: f32 = 0.004;
/// Maximum jerk that counts, as a share of the short side, so that a cut does not count as a huge
/// one.
const JERK_CAP: f32 = 0.02;
/// Maximum motion that is tracked, in pixels at 360 lines.
const SHIFT_MAX: usize = 14;
