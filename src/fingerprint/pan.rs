//! Detects a still with a simulated camera movement: panned, zoomed or turned, with no other change
//! (pure).
//!
//! A similarity maps the earlier picture onto the later one. It is found from coarse to fine by
//! Gauss and Newton's method (Lucas and Kanade 1981; Baker and Matthews 2004, "Lucas-Kanade 20
//! Years On"), with a gain and an offset of brightness. A real panning camera bends the picture,
//! shifts near things against far ones, and shows motion. A still does none of that, and leaves
//! only compression errors.

use super::plane::{Plane, samples_of};
use super::region::Levels;
use super::wide::widened;

/// Returns whether the later picture is the earlier one, panned by a minimum amount and otherwise
/// unchanged.
pub(super) fn is_panned(earlier: &Levels, later: &Levels) -> bool {
    moved(earlier, later).is_some_and(|moved| {
        moved.shift >= SHIFT_MIN
            && moved.rest <= REST_MAX
            && moved.largest <= LARGEST_MAX
            && moved.shared >= SHARED_MIN
    })
}

/// The fit of one picture to another, and its residual.
#[derive(Debug, Clone, Copy)]
struct Moved {
    /// Mean distance that the corners move, in heights of the picture.
    shift: f32,
    /// Root mean square of the differences of blocks, in grey levels.
    rest: f32,
    /// The largest of these differences.
    largest: f32,
    /// Share of the later picture that the earlier one shows.
    shared: f32,
}

/// `x' = (1 + a) x - b y + tx`, `y' = b x + (1 + a) y + ty` maps a place in the later picture to
/// one in the earlier, in heights of the picture from its centre. The levels of the earlier one are
/// multiplied by `1 + gain`, and `offset` grey levels are added.
#[derive(Debug, Clone, Copy, Default)]
struct Fit {
    a: f32,
    b: f32,
    tx: f32,
    ty: f32,
    gain: f32,
    offset: f32,
}

fn moved(earlier: &Levels, later: &Levels) -> Option<Moved> {
    let pairs: Vec<(&Plane, &Plane)> = [3, 2, 1]
        .iter()
        .map_while(|&at| Some((earlier.at(at)?, later.at(at)?)))
        .collect();
    let &[(first, second), ..] = &pairs[..] else {
        return None;
    };
    if pairs.len() < 3
        || pairs
            .iter()
            .any(|(a, b)| (a.width, a.height) != (b.width, b.height))
    {
        return None;
    }
    let worth = |fit: &Fit| rest_of(first, second, fit).map_or(f32::INFINITY, |(rest, _, _)| rest);
    let starts = (-3..=3).flat_map(|x| (-2..=2).map(move |y| (x as f32, y as f32)));
    let starts = starts.map(|(x, y)| Fit {
        tx: START_STEP * x,
        ty: START_STEP * y,
        ..Fit::default()
    });
    let (mut fit, _) = starts
        .map(|fit| (fit, worth(&fit)))
        .min_by(|a, b| a.1.total_cmp(&b.1))?;
    for (number, (earlier, later)) in pairs.iter().enumerate() {
        for _ in 0..STEPS {
            fit = improved(earlier, later, fit)?;
        }
        let (rest, _, _) = rest_of(earlier, later, &fit)?;
        // A poor fit on a coarse level would be worse on a fine one.
        if number < 2 && rest > COARSE_REST_MAX {
            return None;
        }
    }
    let (earlier, later) = pairs[pairs.len() - 1];
    let (rest, largest, shared) = rest_of(earlier, later, &fit)?;
    let aspect = later.width as f32 / later.height as f32;
    let corners =
        [(-0.5, -0.5), (-0.5, 0.5), (0.5, -0.5), (0.5, 0.5)].map(|(x, y)| (x * aspect, y));
    let way = corners.map(|(x, y)| {
        let (to_x, to_y) = fit.place(x, y);
        (to_x - x).hypot(to_y - y)
    });
    Some(Moved {
        shift: way.iter().sum::<f32>() / 4.0,
        rest,
        largest,
        shared,
    })
}

impl Fit {
    #[inline(always)]
    fn place(&self, x: f32, y: f32) -> (f32, f32) {
        (
            (1.0 + self.a) * x - self.b * y + self.tx,
            self.b * x + (1.0 + self.a) * y + self.ty,
        )
    }

    /// Maps neighbouring pixels of a row of the later picture to places in the earlier one.
    #[inline(always)]
    fn look(&self, earlier: &Plane, first: usize, y: usize) -> Look {
        let unit = earlier.height as f32;
        let (middle_x, middle_y) = (0.5 * (earlier.width as f32 - 1.0), 0.5 * (unit - 1.0));
        let (last_column, last_row) = (earlier.width as f32 - 2.0, earlier.height as f32 - 2.0);
        let mut look = Look {
            from_x: [0.0; LANES],
            from_y: (y as f32 - middle_y) / unit,
            column: [0.0; LANES],
            row: [0.0; LANES],
            inside: [false; LANES],
        };
        for i in 0..LANES {
            look.from_x[i] = ((first + i) as f32 - middle_x) / unit;
            let (to_x, to_y) = self.place(look.from_x[i], look.from_y);
            let (column, row) = (to_x * unit + middle_x, to_y * unit + middle_y);
            look.inside[i] =
                (column >= 1.0) & (row >= 1.0) & (column <= last_column) & (row <= last_row);
            (look.column[i], look.row[i]) = (column, row);
        }
        look
    }

    #[inline(always)]
    fn fitted(&self, level: f32) -> f32 {
        level + self.gain * (level - MIDDLE_LEVEL) + self.offset
    }
}

/// Neighbouring pixels processed at a time.
const LANES: usize = 8;

/// Places of neighbouring pixels.
struct Look {
    /// In the later picture, in its heights from the centre.
    from_x: [f32; LANES],
    from_y: f32,
    /// In the earlier picture, in pixels.
    column: [f32; LANES],
    row: [f32; LANES],
    /// Whether the place and all its neighbours are inside.
    inside: [bool; LANES],
}

impl Look {
    /// Levels of the earlier picture, offset by some pixels.
    #[inline(always)]
    fn levels(&self, earlier: &Plane, dx: f32, dy: f32) -> [f32; LANES] {
        samples_of(
            earlier,
            &self.column.map(|column| column + dx),
            &self.row.map(|row| row + dy),
        )
    }
}

/// Levels of neighbouring pixels; 0 beyond the end of the row.
#[inline(always)]
fn levels_of(later: &Plane, first: usize, y: usize) -> [f32; LANES] {
    let row = &later.data[y * later.width..][..later.width];
    match row[first..].first_chunk() {
        Some(levels) => *levels,
        None => std::array::from_fn(|i| row.get(first + i).copied().unwrap_or_default()),
    }
}

/// Six normal equations, their right sides, and an unused column.
type Normal = [[f64; 8]; 6];

/// One step of the fit; `None` if the pictures do not determine it.
fn improved(earlier: &Plane, later: &Plane, fit: Fit) -> Option<Fit> {
    let mut normal = [[0.0; 8]; 6];
    add_all(earlier, later, &fit, &mut normal);
    let [a, b, tx, ty, gain, offset] = solved(normal)?.map(|value| value as f32);
    let next = Fit {
        a: fit.a + a,
        b: fit.b + b,
        tx: fit.tx + tx,
        ty: fit.ty + ty,
        gain: fit.gain + gain,
        offset: fit.offset + offset,
    };
    // The fit diverges where the pictures have no structure.
    (next.a.abs() < 0.5
        && next.b.abs() < 0.5
        && next.tx.hypot(next.ty) < 1.5
        && next.gain.abs() < 0.8)
        .then_some(next)
}

widened! {
    /// Adds the terms of all pixels to the equations, in order.
    fn add_all(earlier: &Plane, later: &Plane, fit: &Fit, normal: &mut Normal) = add_all_always;
}

#[inline(always)]
fn add_all_always(earlier: &Plane, later: &Plane, fit: &Fit, normal: &mut Normal) {
    let unit = earlier.height as f32;
    let gain = 1.0 + fit.gain;
    let mut sums = *normal;
    for y in 0..later.height {
        for first in (0..later.width).step_by(LANES) {
            let look = fit.look(earlier, first, y);
            let levels = look.levels(earlier, 0.0, 0.0);
            let (right, left) = (
                look.levels(earlier, 1.0, 0.0),
                look.levels(earlier, -1.0, 0.0),
            );
            let (below, above) = (
                look.levels(earlier, 0.0, 1.0),
                look.levels(earlier, 0.0, -1.0),
            );
            let shown = levels_of(later, first, y);
            // The derivatives by each parameter of the fit, then the residual, all weighted.
            let mut says = [[0.0_f64; 8]; LANES];
            for i in 0..LANES {
                let slope_x = 0.5 * unit * (right[i] - left[i]);
                let slope_y = 0.5 * unit * (below[i] - above[i]);
                let rest = shown[i] - fit.fitted(levels[i]);
                // A large difference comes from another object and would distort the fit, so it
                // gets less weight (Huber).
                let weight = (REST_PULL / rest.abs().max(REST_PULL)).sqrt();
                let weight = if look.inside[i] & (first + i < later.width) {
                    weight
                } else {
                    0.0
                };
                let slopes = [
                    gain * (slope_x * look.from_x[i] + slope_y * look.from_y),
                    gain * (slope_y * look.from_x[i] - slope_x * look.from_y),
                    gain * slope_x,
                    gain * slope_y,
                    levels[i] - MIDDLE_LEVEL,
                    1.0,
                    rest,
                    0.0,
                ];
                says[i] = slopes.map(|slope| f64::from(weight * slope));
            }
            for says in &says {
                for (sums, of_row) in sums.iter_mut().zip(says) {
                    sums.iter_mut()
                        .zip(says)
                        .for_each(|(sum, of_column)| *sum += of_row * of_column);
                }
            }
        }
    }
    *normal = sums;
}

/// Root mean square and largest of the differences of 4x4 pixel blocks that lie within both
/// pictures, and their share of all blocks.
fn rest_of(earlier: &Plane, later: &Plane, fit: &Fit) -> Option<(f32, f32, f32)> {
    let side = if later.height >= FINE_HEIGHT {
        BLOCK
    } else {
        1
    };
    let (columns, rows) = (later.width / side, later.height / side);
    let (mut squares, mut largest, mut blocks) = (0.0_f32, 0.0_f32, 0_usize);
    let stride = later.width.next_multiple_of(LANES);
    let mut rests = vec![0.0; side * stride];
    for top in (0..rows * side).step_by(side) {
        find_rests(earlier, later, fit, top, &mut rests);
        for left in (0..columns * side).step_by(side) {
            let pixels = (0..side).flat_map(|y| &rests[y * stride + left..][..side]);
            // Not a number if a pixel is outside.
            let mean = pixels.sum::<f32>() / (side * side) as f32;
            if mean.is_nan() {
                continue;
            }
            squares += mean * mean;
            largest = largest.max(mean.abs());
            blocks += 1;
        }
    }
    let share = blocks as f32 / (columns * rows).max(1) as f32;
    (blocks > 0).then(|| ((squares / blocks as f32).sqrt(), largest, share))
}

widened! {
    /// The residuals of the pixels of some rows, each padded to whole lanes; not a number for
    /// pixels outside.
    fn find_rests(earlier: &Plane, later: &Plane, fit: &Fit, top: usize, rests: &mut [f32]) = find_rests_always;
}

#[inline(always)]
fn find_rests_always(earlier: &Plane, later: &Plane, fit: &Fit, top: usize, rests: &mut [f32]) {
    let stride = later.width.next_multiple_of(LANES);
    for (y, rests) in rests.chunks_exact_mut(stride).enumerate() {
        for (number, rests) in rests.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
            let look = fit.look(earlier, number * LANES, top + y);
            let levels = look.levels(earlier, 0.0, 0.0);
            let shown = levels_of(later, number * LANES, top + y);
            for i in 0..LANES {
                let rest = shown[i] - fit.fitted(levels[i]);
                rests[i] = if look.inside[i] { rest } else { f32::NAN };
            }
        }
    }
}

/// Solves six equations by elimination with pivots; `None` if they are singular.
fn solved(mut rows: Normal) -> Option<[f64; 6]> {
    for step in 0..6 {
        let pivot =
            (step..6).max_by(|&a, &b| rows[a][step].abs().total_cmp(&rows[b][step].abs()))?;
        rows.swap(step, pivot);
        if rows[step][step].abs() < 1e-6 {
            return None;
        }
        let top = rows[step];
        for (_, row) in rows
            .iter_mut()
            .enumerate()
            .filter(|(number, _)| *number != step)
        {
            let factor = row[step] / top[step];
            row.iter_mut()
                .zip(&top)
                .for_each(|(value, of_top)| *value -= factor * of_top);
        }
    }
    Some(std::array::from_fn(|i| rows[i][6] / rows[i][i]))
}

/// Side of a block in pixels of the second level; 8 in the picture.
const BLOCK: usize = 4;

/// Minimum rows of a level to compare block by block.
const FINE_HEIGHT: usize = 48;

/// Steps of the fit on each level.
const STEPS: usize = 6;

/// Distance between two starting points of the fit, in heights of the picture.
const START_STEP: f32 = 0.12;

/// Maximum difference with full weight, in grey levels.
const REST_PULL: f32 = 4.0;

/// Maximum residual on a coarse level, in grey levels; above it the fit is given up.
const COARSE_REST_MAX: f32 = 20.0;

/// Middle of the range of levels, on which the gain is centred.
const MIDDLE_LEVEL: f32 = 128.0;

/// Minimum shift of a pan, in heights of the picture; below it the picture is still, or the camera
/// is held by hand.
const SHIFT_MIN: f32 = 0.02;

/// Maximum residual of a still, in grey levels: of all blocks, and of one block. In the median,
/// eleven photos that are panned or zoomed leave 0.4 to 1.2 and 2 to 8. Of 134 real videos, four
/// that move this much ever leave less than 1.3 and 6, titles and drawings among them.
const REST_MAX: f32 = 1.3;
const LARGEST_MAX: f32 = 6.0;

/// Minimum share of the picture that both show.
const SHARED_MIN: f32 = 0.3;

#[cfg(test)]
mod tests {
    use super::super::testing::texture;
    use super::*;

    /// A picture whose pixels come from mapped places of a texture.
    fn picture(seed: u32, place: impl Fn(f32, f32) -> (f32, f32)) -> Levels {
        let (width, height) = (228, 128);
        let pixels =
            (0..height).flat_map(|y| (0..width).map(move |x| (x as f32 - 114.0, y as f32 - 64.0)));
        let level = |(x, y)| {
            let (x, y) = place(x, y);
            texture(0.7 * x + 500.0, 0.7 * y + 500.0, seed)
        };
        Levels::new(Plane {
            width,
            height,
            data: pixels.map(level).collect(),
        })
    }

    #[test]
    fn a_still_is_panned_whichever_way_the_camera_is_pretended_to_go() {
        for seed in 0..6 {
            let plain = picture(seed, |x, y| (x, y));
            assert!(
                is_panned(&plain, &picture(seed, |x, y| (x + 17.3, y - 4.6))),
                "{seed}: panned"
            );
            assert!(
                is_panned(&plain, &picture(seed, |x, y| (0.93 * x, 0.93 * y))),
                "{seed}: zoomed"
            );
            let turned = |x: f32, y: f32| (0.998 * x - 0.06 * y + 5.0, 0.06 * x + 0.998 * y);
            assert!(is_panned(&plain, &picture(seed, turned)), "{seed}: turned");
        }
    }

    #[test]
    fn all_processors_find_the_same() {
        let (plain, other) = (
            picture(1, |x, y| (x, y)),
            picture(1, |x, y| (0.97 * x + 9.0, 0.97 * y - 3.0)),
        );
        for at in 1..4 {
            let (earlier, later) = (plain.at(at).unwrap(), other.at(at).unwrap());
            let fit = Fit {
                a: 0.01,
                b: -0.02,
                tx: 0.07,
                ty: 0.01,
                gain: 0.1,
                offset: -2.0,
            };
            let (mut wide, mut narrow) = ([[0.0; 8]; 6], [[0.0; 8]; 6]);
            add_all(earlier, later, &fit, &mut wide);
            add_all_always(earlier, later, &fit, &mut narrow);
            assert_eq!(wide, narrow);
            let (mut wide, mut narrow) = (vec![0.0; 120], vec![0.0; 120]);
            find_rests(earlier, later, &fit, 5, &mut wide);
            find_rests_always(earlier, later, &fit, 5, &mut narrow);
            let bits = |rests: Vec<f32>| rests.into_iter().map(f32::to_bits).collect::<Vec<_>>();
            assert_eq!(bits(wide), bits(narrow));
        }
    }

    #[test]
    fn what_a_real_camera_shows_is_not() {
        for seed in 0..6 {
            let plain = picture(seed, |x, y| (x, y));
            assert!(!is_panned(&plain, &plain), "{seed}: nothing moves");
            assert!(
                !is_panned(&plain, &picture(seed + 50, |x, y| (x, y))),
                "{seed}: another picture"
            );
            // A camera that turns about its own axis bends the picture: a lens of 60 degrees,
            // turned by 5.
            let bent = |x: f32, y: f32| {
                let focal = 197.0;
                let (angle, depth) = ((x / focal).atan() + 0.087, (x * x + focal * focal).sqrt());
                (focal * angle.tan(), y / depth * focal / angle.cos())
            };
            assert!(
                !is_panned(&plain, &picture(seed, bent)),
                "{seed}: a real camera turns"
            );
            let near = |x: f32, y: f32| {
                if y > 20.0 {
                    (x + 26.0, y)
                } else {
                    (x + 13.0, y)
                }
            };
            assert!(
                !is_panned(&plain, &picture(seed, near)),
                "{seed}: what is near moves more"
            );
            let passing = |x: f32, y: f32| {
                if x.hypot(y) < 12.0 {
                    (x - 90.0, y + 90.0)
                } else {
                    (x + 13.0, y)
                }
            };
            assert!(
                !is_panned(&plain, &picture(seed, passing)),
                "{seed}: something passes"
            );
        }
    }
}
