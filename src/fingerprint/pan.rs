//! Tells a picture over which a camera was only pretended to move: panned, zoomed and turned, and nothing else changes (pure).
//!
//! The earlier picture is laid over the later one by a similarity, found from coarse to fine by Gauss and Newton's method (Lucas and Kanade
//! 1981; Baker and Matthews 2004, "Lucas-Kanade 20 Years On"), with a gain and an offset of brightness. A real camera that pans
//! bends the picture, shifts what is near against what is far and shows what moves; a still does none of that, and what is left is what compression
//! leaves.

use super::plane::Plane;
use super::region::Levels;

/// Whether the later picture is the earlier one, moved by so much that it was panned and by nothing else.
pub(super) fn is_panned(earlier: &Levels, later: &Levels) -> bool {
    moved(earlier, later).is_some_and(|moved| {
        moved.shift >= SHIFT_MIN && moved.rest <= REST_MAX && moved.largest <= LARGEST_MAX && moved.shared >= SHARED_MIN
    })
}

/// How one picture is laid over another, and what is left.
#[derive(Debug, Clone, Copy)]
struct Moved {
    /// Mean way of the corners, in heights of the picture.
    shift: f32,
    /// Root mean square of the differences of blocks, in grey levels.
    rest: f32,
    /// The largest of them.
    largest: f32,
    /// Share of the later picture that the earlier one shows.
    shared: f32,
}

/// `x' = (1 + a) x - b y + tx`, `y' = b x + (1 + a) y + ty` from the later picture's place to the earlier one's, in heights of the
/// picture from its middle; and the levels of the earlier one times `1 + gain`, plus `offset` grey levels.
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
    let pairs: Vec<(&Plane, &Plane)> =
        [3, 2, 1].iter().map_while(|&at| Some((earlier.at(at)?, later.at(at)?))).collect();
    let &[(first, second), ..] = &pairs[..] else { return None };
    if pairs.len() < 3 || pairs.iter().any(|(a, b)| (a.width, a.height) != (b.width, b.height)) {
        return None;
    }
    let worth = |fit: &Fit| rest_of(first, second, fit).map_or(f32::INFINITY, |(rest, _, _)| rest);
    let starts = (-3..=3).flat_map(|x| (-2..=2).map(move |y| (x as f32, y as f32)));
    let starts = starts.map(|(x, y)| Fit { tx: START_STEP * x, ty: START_STEP * y, ..Fit::default() });
    let mut fit = starts.min_by(|a, b| worth(a).total_cmp(&worth(b)))?;
    for (number, (earlier, later)) in pairs.iter().enumerate() {
        for _ in 0..STEPS {
            fit = improved(earlier, later, fit)?;
        }
        let (rest, _, _) = rest_of(earlier, later, &fit)?;
        // What does not fit when it is coarse fits less when it is fine.
        if number < 2 && rest > COARSE_REST_MAX {
            return None;
        }
    }
    let (earlier, later) = pairs[pairs.len() - 1];
    let (rest, largest, shared) = rest_of(earlier, later, &fit)?;
    let aspect = later.width as f32 / later.height as f32;
    let corners = [(-0.5, -0.5), (-0.5, 0.5), (0.5, -0.5), (0.5, 0.5)].map(|(x, y)| (x * aspect, y));
    let way = corners.map(|(x, y)| {
        let (to_x, to_y) = fit.place(x, y);
        (to_x - x).hypot(to_y - y)
    });
    Some(Moved { shift: way.iter().sum::<f32>() / 4.0, rest, largest, shared })
}

impl Fit {
    fn place(&self, x: f32, y: f32) -> (f32, f32) {
        ((1.0 + self.a) * x - self.b * y + self.tx, self.b * x + (1.0 + self.a) * y + self.ty)
    }

    /// Level of the earlier picture where it shows what the later one shows at a pixel, and there its slopes in grey levels a height and the
    /// place in the later picture; nothing if that is outside.
    fn look(&self, earlier: &Plane, x: usize, y: usize) -> Option<(f32, f32, f32, f32, f32)> {
        let unit = earlier.height as f32;
        let (middle_x, middle_y) = (0.5 * (earlier.width as f32 - 1.0), 0.5 * (unit - 1.0));
        let (from_x, from_y) = ((x as f32 - middle_x) / unit, (y as f32 - middle_y) / unit);
        let (to_x, to_y) = self.place(from_x, from_y);
        let (column, row) = (to_x * unit + middle_x, to_y * unit + middle_y);
        let inside =
            column >= 1.0 && row >= 1.0 && column <= earlier.width as f32 - 2.0 && row <= earlier.height as f32 - 2.0;
        inside.then(|| {
            let at = |dx: f32, dy: f32| earlier.sample(column + dx, row + dy);
            let slope_x = 0.5 * unit * (at(1.0, 0.0) - at(-1.0, 0.0));
            let slope_y = 0.5 * unit * (at(0.0, 1.0) - at(0.0, -1.0));
            (at(0.0, 0.0), slope_x, slope_y, from_x, from_y)
        })
    }
}

/// One step of the fit; nothing if the pictures say nothing about it.
fn improved(earlier: &Plane, later: &Plane, fit: Fit) -> Option<Fit> {
    let mut normal = [[0.0_f64; 7]; 6];
    for y in 0..later.height {
        for x in 0..later.width {
            let Some((level, slope_x, slope_y, from_x, from_y)) = fit.look(earlier, x, y) else { continue };
            let gain = 1.0 + fit.gain;
            let slopes = [
                gain * (slope_x * from_x + slope_y * from_y),
                gain * (slope_y * from_x - slope_x * from_y),
                gain * slope_x,
                gain * slope_y,
                level - MIDDLE_LEVEL,
                1.0,
            ];
            let rest = later.at(x, y) - fitted(&fit, level);
            // What differs much does so since it is another thing, and would pull the fit to it (Huber's weight).
            let weight = (REST_PULL / rest.abs().max(REST_PULL)).sqrt();
            for row in 0..6 {
                let of_row = f64::from(weight * slopes[row]);
                for column in row..6 {
                    normal[row][column] += of_row * f64::from(weight * slopes[column]);
                }
                normal[row][6] += of_row * f64::from(weight * rest);
            }
        }
    }
    // It is symmetric.
    let upper = normal;
    for (row, of_row) in normal.iter_mut().enumerate() {
        of_row.iter_mut().zip(&upper).take(row).for_each(|(value, other)| *value = other[row]);
    }
    let [a, b, tx, ty, gain, offset] = solved(normal)?.map(|value| value as f32);
    let next = Fit {
        a: fit.a + a,
        b: fit.b + b,
        tx: fit.tx + tx,
        ty: fit.ty + ty,
        gain: fit.gain + gain,
        offset: fit.offset + offset,
    };
    // It runs away where there is nothing to hold on to.
    (next.a.abs() < 0.5 && next.b.abs() < 0.5 && next.tx.hypot(next.ty) < 1.5 && next.gain.abs() < 0.8).then_some(next)
}

fn fitted(fit: &Fit, level: f32) -> f32 {
    level + fit.gain * (level - MIDDLE_LEVEL) + fit.offset
}

/// Root mean square and largest of the differences of blocks of 4x4 pixels that lie within both pictures, and their share of all.
fn rest_of(earlier: &Plane, later: &Plane, fit: &Fit) -> Option<(f32, f32, f32)> {
    let side = if later.height >= FINE_HEIGHT { BLOCK } else { 1 };
    let (columns, rows) = (later.width / side, later.height / side);
    let (mut squares, mut largest, mut blocks) = (0.0_f32, 0.0_f32, 0_usize);
    for block in 0..columns * rows {
        let (left, top) = (block % columns * side, block / columns * side);
        let pixels = (0..side * side).map(|pixel| (left + pixel % side, top + pixel / side));
        let rest = |(x, y)| fit.look(earlier, x, y).map(|(level, ..)| later.at(x, y) - fitted(fit, level));
        let Some(sum) = pixels.map(rest).sum::<Option<f32>>() else { continue };
        let mean = sum / (side * side) as f32;
        squares += mean * mean;
        largest = largest.max(mean.abs());
        blocks += 1;
    }
    let share = blocks as f32 / (columns * rows).max(1) as f32;
    (blocks > 0).then(|| ((squares / blocks as f32).sqrt(), largest, share))
}

/// Solves six equations by elimination with pivots; nothing if they do not determine all.
fn solved(mut rows: [[f64; 7]; 6]) -> Option<[f64; 6]> {
    for step in 0..6 {
        let pivot = (step..6).max_by(|&a, &b| rows[a][step].abs().total_cmp(&rows[b][step].abs()))?;
        rows.swap(step, pivot);
        if rows[step][step].abs() < 1e-6 {
            return None;
        }
        let top = rows[step];
        for (_, row) in rows.iter_mut().enumerate().filter(|(number, _)| *number != step) {
            let factor = row[step] / top[step];
            row.iter_mut().zip(&top).for_each(|(value, of_top)| *value -= factor * of_top);
        }
    }
    Some(std::array::from_fn(|i| rows[i][6] / rows[i][i]))
}

/// Pixels of the second level on a side of a block: 8 of the picture.
const BLOCK: usize = 4;

/// Rows from which a level is compared block by block.
const FINE_HEIGHT: usize = 48;

/// Steps of the fit on each level.
const STEPS: usize = 6;

/// Heights of the picture between two places where the fit begins.
const START_STEP: f32 = 0.12;

/// Differences that pull with all their weight, in grey levels.
const REST_PULL: f32 = 4.0;

/// A fit that leaves more, on a coarse level, is given up, in grey levels.
const COARSE_REST_MAX: f32 = 20.0;

/// Middle of the range of levels, about which the gain works.
const MIDDLE_LEVEL: f32 = 128.0;

/// What is shifted less is not panned but still, or held by hand, in heights of the picture.
const SHIFT_MIN: f32 = 0.02;

/// Most that may be left of a still, in grey levels: of all blocks, and of one. Of eleven photos that pan or are zoomed 0.4 to 1.2 and 2 to 8
/// were left in the median; of 134 real videos four that are moved as much ever have less than 1.3 and 6, titles and drawings among them.
const REST_MAX: f32 = 1.3;
const LARGEST_MAX: f32 = 6.0;

/// Least share of the picture that both show.
const SHARED_MIN: f32 = 0.3;

#[cfg(test)]
mod tests {
    use super::super::testing::texture;
    use super::*;

    /// A picture whose places are taken from a texture.
    fn picture(seed: u32, place: impl Fn(f32, f32) -> (f32, f32)) -> Levels {
        let (width, height) = (228, 128);
        let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (x as f32 - 114.0, y as f32 - 64.0)));
        let level = |(x, y)| {
            let (x, y) = place(x, y);
            texture(0.7 * x + 500.0, 0.7 * y + 500.0, seed)
        };
        Levels::new(Plane { width, height, data: pixels.map(level).collect() })
    }

    #[test]
    fn a_still_is_panned_whichever_way_the_camera_is_pretended_to_go() {
        for seed in 0..6 {
            let plain = picture(seed, |x, y| (x, y));
            assert!(is_panned(&plain, &picture(seed, |x, y| (x + 17.3, y - 4.6))), "{seed}: panned");
            assert!(is_panned(&plain, &picture(seed, |x, y| (0.93 * x, 0.93 * y))), "{seed}: zoomed");
            let turned = |x: f32, y: f32| (0.998 * x - 0.06 * y + 5.0, 0.06 * x + 0.998 * y);
            assert!(is_panned(&plain, &picture(seed, turned)), "{seed}: turned");
        }
    }

    #[test]
    fn what_a_real_camera_shows_is_not() {
        for seed in 0..6 {
            let plain = picture(seed, |x, y| (x, y));
            assert!(!is_panned(&plain, &plain), "{seed}: nothing moves");
            assert!(!is_panned(&plain, &picture(seed + 50, |x, y| (x, y))), "{seed}: another picture");
            // Turned about its own axis, a camera bends the picture: a lens of 60 degrees, turned by 5.
            let bent = |x: f32, y: f32| {
                let focal = 197.0;
                let (angle, depth) = ((x / focal).atan() + 0.087, (x * x + focal * focal).sqrt());
                (focal * angle.tan(), y / depth * focal / angle.cos())
            };
            assert!(!is_panned(&plain, &picture(seed, bent)), "{seed}: a real camera turns");
            let near = |x: f32, y: f32| if y > 20.0 { (x + 26.0, y) } else { (x + 13.0, y) };
            assert!(!is_panned(&plain, &picture(seed, near)), "{seed}: what is near moves more");
            let passing = |x: f32, y: f32| {
                if x.hypot(y) < 12.0 { (x - 90.0, y + 90.0) } else { (x + 13.0, y) }
            };
            assert!(!is_panned(&plain, &picture(seed, passing)), "{seed}: something passes");
        }
    }
}
