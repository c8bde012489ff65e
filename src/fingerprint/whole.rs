//! The whole-frame key: recognises a frame that was re-encoded, resized, graded or letterboxed.

use super::Place;
use super::hash::{self, PATCH, Patch};
use super::plane::Plane;

/// The hashed area of a frame and its 32x32 patch; `None` for a flat frame, whose key would be
/// meaningless.
pub(super) fn patch(plane: &Plane) -> Option<(Place, Patch)> {
    let area = trimmed(plane);
    let patch = averaged(plane, &area);
    let (_, [deviation]) = hash::contrast(&patch.map(|level| [level]));
    if deviation < FLAT_DEVIATION {
        return None;
    }
    let unit = plane.height as f32;
    let place = Place {
        x: 0.5 * (area.left + area.right) as f32 / unit,
        y: 0.5 * (area.top + area.bottom) as f32 / unit,
        size: (area.bottom - area.top) as f32 / unit,
    };
    Some((place, patch))
}

/// A frame is flat if the standard deviation of its hashed area is below this, in grey levels.
pub(super) const FLAT_DEVIATION: f32 = 8.0;

/// A row or column belongs to a border if its standard deviation is below this, in grey levels.
const BORDER_DEVIATION: f32 = 4.0;

/// Maximum share of a frame that is border on each side.
const BORDER_MAX: f32 = 0.4;

struct Area {
    left: usize,
    right: usize,
    top: usize,
    bottom: usize,
}

/// Cuts uniform rows, then uniform columns of the rest.
fn trimmed(plane: &Plane) -> Area {
    let (width, height) = (plane.width, plane.height);
    let uniform_row = |y: usize| deviation((0..width).map(|x| plane.at(x, y))) < BORDER_DEVIATION;
    let most = (BORDER_MAX * height as f32) as usize;
    let top = (0..most).take_while(|&y| uniform_row(y)).count();
    let bottom = height
        - (0..most)
            .take_while(|&y| uniform_row(height - 1 - y))
            .count();
    let uniform_column =
        |x: usize| deviation((top..bottom).map(|y| plane.at(x, y))) < BORDER_DEVIATION;
    let most = (BORDER_MAX * width as f32) as usize;
    let left = (0..most).take_while(|&x| uniform_column(x)).count();
    let right = width
        - (0..most)
            .take_while(|&x| uniform_column(width - 1 - x))
            .count();
    Area {
        left,
        right,
        top,
        bottom,
    }
}

fn deviation(levels: impl Iterator<Item = f32>) -> f32 {
    let (mut n, mut sum, mut squares) = (0.0_f64, 0.0, 0.0);
    for level in levels {
        let level = f64::from(level);
        n += 1.0;
        sum += level;
        squares += level * level;
    }
    ((squares / n - (sum / n).powi(2)).max(0.0)).sqrt() as f32
}

/// Averages an area down (or repeats it up) to 32x32, weighting fractions of pixels.
fn averaged(plane: &Plane, area: &Area) -> Patch {
    let columns = shares(area.left, area.right);
    let rows = shares(area.top, area.bottom);
    let mut patch = [0.0; PATCH * PATCH];
    for (row, out) in rows.iter().zip(patch.chunks_exact_mut(PATCH)) {
        for (column, out) in columns.iter().zip(out) {
            let mut sum = 0.0;
            for &(y, vertical) in row {
                let line = y * plane.width;
                sum += vertical
                    * column
                        .iter()
                        .map(|&(x, share)| share * plane.data[line + x])
                        .sum::<f32>();
            }
            *out = sum;
        }
    }
    patch
}

/// For each of 32 equal cells of `start..end`: the pixels that it covers, with shares that add up
/// to 1.
fn shares(start: usize, end: usize) -> Vec<Vec<(usize, f32)>> {
    let cell = (end - start) as f32 / PATCH as f32;
    (0..PATCH)
        .map(|i| {
            let (from, to) = (
                start as f32 + i as f32 * cell,
                start as f32 + (i + 1) as f32 * cell,
            );
            let last = (to.ceil() as usize).clamp(from as usize + 1, end.max(from as usize + 1));
            (from as usize..last)
                .map(|x| (x, ((x + 1) as f32).min(to) - (x as f32).max(from)))
                .filter(|&(_, share)| share > 0.0)
                .map(|(x, share)| (x, share / cell))
                .collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scene(
        width: usize,
        height: usize,
        top: usize,
        bottom: usize,
        left: usize,
        right: usize,
    ) -> Plane {
        let data = (0..height)
            .flat_map(|y| (0..width).map(move |x| (x, y)))
            .map(|(x, y)| {
                if y < top || y >= bottom || x < left || x >= right {
                    return 16.0;
                }
                let u = (x - left) as f32 / (right - left) as f32;
                let v = (y - top) as f32 / (bottom - top) as f32;
                120.0 + 60.0 * (9.0 * u + 3.0 * v).sin() + 40.0 * (14.0 * v * u).cos()
            })
            .collect();
        Plane {
            width,
            height,
            data,
        }
    }

    #[test]
    fn letterbox_and_pillarbox_are_trimmed() {
        let (_, plain) = patch(&scene(228, 128, 0, 128, 0, 228)).unwrap();
        for boxed in [
            scene(228, 128, 20, 108, 0, 228),
            scene(228, 128, 0, 128, 60, 168),
        ] {
            let (place, patch) = patch(&boxed).unwrap();
            assert!(hash::key(&plain).distance(hash::key(&patch)) < 48);
            assert!(
                (place.y - 0.5).abs() < 0.01 && (place.x - 228.0 / 256.0).abs() < 0.01,
                "{place:?}"
            );
        }
    }

    #[test]
    fn a_flat_frame_has_no_key() {
        assert!(
            patch(&Plane {
                width: 228,
                height: 128,
                data: vec![16.0; 228 * 128]
            })
            .is_none()
        );
    }

    #[test]
    fn shares_add_up_to_one_at_every_size() {
        for length in 1..200 {
            for cell in shares(3, 3 + length) {
                let sum: f32 = cell.iter().map(|&(_, share)| share).sum();
                assert!((sum - 1.0).abs() < 1e-3, "length {length}: {sum}");
                assert!(cell.iter().all(|&(x, _)| (3..3 + length).contains(&x)));
            }
        }
    }
}
