//! Blobs: extrema of the difference of Gaussians (Lowe 2004, "Distinctive Image Features from
//! Scale-Invariant Keypoints", sections 3 and 4). There are three scales per octave, and edges are
//! rejected by the ratio of the principal curvatures.

use super::plane::{Plane, Space};
use super::wide::widened;

/// The octaves of the scale space that are searched for blobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Octaves {
    /// Only the first octave, which has the smallest blobs.
    First,
    All,
}

/// An extremum of the scale space, in pixels of the picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Blob {
    pub(super) x: f32,
    pub(super) y: f32,
    pub(super) sigma: f32,
    pub(super) strength: f32,
}

/// Finds blobs; keeps its buffers for the next picture.
#[derive(Debug, Default)]
pub(super) struct Detector {
    octaves: Vec<Octave>,
    space: Space,
}

/// A picture at the last three scales of an octave, each more blurred than the one before, and the
/// difference of each to the one before. A scale is stored at its number modulo three.
#[derive(Debug, Default)]
struct Octave {
    blurred: [Plane; 3],
    differences: [Plane; 3],
}

/// Blur of the first scale, in pixels.
const SIGMA_BASE: f32 = 2.0;

/// Assumed blur of the frame itself, in pixels.
const SIGMA_CAMERA: f32 = 0.5;

/// Scales searched per octave.
const SCALES: usize = 3;

/// Minimum absolute difference of Gaussians of a blob, in grey levels.
const STRENGTH_MIN: f32 = 1.0;

/// Maximum `trace^2 / determinant` of the Hessian; a blob above it is an edge.
const EDGE_MAX: f32 = 12.0;

impl Detector {
    /// All blobs of some octaves, up to a quarter of the short side, strongest first.
    pub(super) fn blobs(&mut self, picture: &Plane, octaves: Octaves) -> Vec<Blob> {
        let sigma_max = 0.25 * picture.width.min(picture.height) as f32;
        let most = if octaves == Octaves::First {
            1
        } else {
            usize::MAX
        };
        let mut found = Vec::new();
        let (mut width, mut height, mut pixel) = (picture.width, picture.height, 1.0_f32);
        for number in 0..most {
            if SIGMA_BASE * pixel >= sigma_max || width < 8 || height < 8 {
                break;
            }
            if number == self.octaves.len() {
                self.octaves.push(Octave::default());
            }
            let (before, rest) = self.octaves.split_at_mut(number);
            let octave = &mut rest[0];
            match before.last() {
                Some(before) => octave.blurred[0].decimate(&before.blurred[SCALES % 3]),
                None => {
                    let sigma = (SIGMA_BASE * SIGMA_BASE - SIGMA_CAMERA * SIGMA_CAMERA).sqrt();
                    octave.blurred[0].blur(picture, sigma, &mut self.space, None);
                }
            }
            for scale in 1..SCALES + 3 {
                let (before, after) = (sigma_at(scale as f32 - 1.0), sigma_at(scale as f32));
                let sigma = (after * after - before * before).sqrt();
                let mut next = std::mem::take(&mut octave.blurred[scale % 3]);
                let difference = Some(&mut octave.differences[scale % 3]);
                next.blur(
                    &octave.blurred[(scale - 1) % 3],
                    sigma,
                    &mut self.space,
                    difference,
                );
                octave.blurred[scale % 3] = next;
                if scale >= 3 {
                    let planes =
                        [scale - 2, scale - 1, scale].map(|scale| &octave.differences[scale % 3]);
                    extrema(planes, scale - 2, pixel, &mut found);
                }
            }
            (width, height, pixel) = (width.div_ceil(2), height.div_ceil(2), 2.0 * pixel);
        }
        found.retain(|blob| blob.sigma <= sigma_max);
        found.sort_by(|a, b| {
            b.strength
                .total_cmp(&a.strength)
                .then(a.y.total_cmp(&b.y))
                .then(a.x.total_cmp(&b.x))
        });
        found
    }
}

/// Blur at a scale of an octave, in pixels of the octave.
fn sigma_at(scale: f32) -> f32 {
    SIGMA_BASE * (scale / SCALES as f32).exp2()
}

/// Adds the extrema of one scale: strict among the 26 neighbours, strong, not on an edge, refined
/// to subpixels.
fn extrema(planes: [&Plane; 3], scale: usize, pixel: f32, found: &mut Vec<Blob>) {
    let here = planes[1];
    let mut marks = vec![false; (here.width - 2).next_multiple_of(MARKS)];
    for y in 1..here.height - 1 {
        mark(planes, y, &mut marks);
        for (number, marks) in marks.as_chunks::<MARKS>().0.iter().enumerate() {
            if *marks == [false; MARKS] {
                continue;
            }
            let marked = marks.iter().enumerate().filter(|(_, marked)| **marked);
            let places = marked.map(|(i, _)| 1 + number * MARKS + i);
            found.extend(places.filter_map(|x| blob(planes, scale, pixel, x, y)));
        }
    }
}

/// Pixels skipped at a time if none is marked.
const MARKS: usize = 16;

widened! {
    /// Marks the inner pixels of a row that are strong and more extreme than their six nearest
    /// neighbours.
    fn mark(planes: [&Plane; 3], y: usize, marks: &mut [bool]) = mark_always;
}

#[inline(always)]
fn mark_always(planes: [&Plane; 3], y: usize, marks: &mut [bool]) {
    let inner = planes[1].width - 2;
    let part = |plane: usize, x: usize, y: usize| {
        &planes[plane].data[y * planes[plane].width + x..][..inner]
    };
    let here = part(1, 1, y);
    let around = [
        part(1, 0, y),
        part(1, 2, y),
        part(1, 1, y - 1),
        part(1, 1, y + 1),
        part(0, 1, y),
        part(2, 1, y),
    ];
    for (x, mark) in marks[..inner].iter_mut().enumerate() {
        let value = here[x];
        let (mut least, mut most) = (around[0][x], around[0][x]);
        for other in &around[1..] {
            least = if other[x] < least { other[x] } else { least };
            most = if other[x] > most { other[x] } else { most };
        }
        *mark = (value > STRENGTH_MIN) & (value > most) | (value < -STRENGTH_MIN) & (value < least);
    }
}

/// The blob at a pixel, if it is more extreme than all neighbours and not on an edge.
fn blob(planes: [&Plane; 3], scale: usize, pixel: f32, x: usize, y: usize) -> Option<Blob> {
    let [below, here, above] = planes;
    let value = here.at(x, y);
    if !is_extremum(value, planes, x, y) {
        return None;
    }
    let d = |dx: isize, dy: isize| here.at((x as isize + dx) as usize, (y as isize + dy) as usize);
    let xx = d(1, 0) + d(-1, 0) - 2.0 * value;
    let yy = d(0, 1) + d(0, -1) - 2.0 * value;
    let xy = 0.25 * (d(1, 1) + d(-1, -1) - d(1, -1) - d(-1, 1));
    let determinant = xx * yy - xy * xy;
    if determinant <= 0.0 || (xx + yy) * (xx + yy) / determinant > EDGE_MAX {
        return None;
    }
    // One Newton step in the plane, a parabola in scale. A step of more than half a pixel belongs
    // to a neighbour.
    let (gx, gy) = (0.5 * (d(1, 0) - d(-1, 0)), 0.5 * (d(0, 1) - d(0, -1)));
    let shift_x = ((xy * gy - yy * gx) / determinant).clamp(-0.5, 0.5);
    let shift_y = ((xy * gx - xx * gy) / determinant).clamp(-0.5, 0.5);
    let (low, high) = (below.at(x, y), above.at(x, y));
    let bend = low + high - 2.0 * value;
    let shift_scale = if bend.abs() > 1e-6 {
        (0.5 * (low - high) / bend).clamp(-0.5, 0.5)
    } else {
        0.0
    };
    Some(Blob {
        // Decimation keeps even pixels, so an octave's pixel x is the picture's pixel x * 2^octave.
        x: (x as f32 + shift_x) * pixel,
        y: (y as f32 + shift_y) * pixel,
        sigma: sigma_at(scale as f32 + shift_scale) * pixel,
        strength: value.abs(),
    })
}

fn is_extremum(value: f32, planes: [&Plane; 3], x: usize, y: usize) -> bool {
    let sign = value.signum();
    for (i, plane) in planes.into_iter().enumerate() {
        for row in y - 1..=y + 1 {
            for column in x - 1..=x + 1 {
                if (i, row, column) != (1, y, x) && sign * plane.at(column, row) >= sign * value {
                    return false;
                }
            }
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    #[test]
    fn a_blob_is_found_at_its_place_and_size() {
        let mut detector = Detector::default();
        for (cx, cy, sigma) in [(100.0, 60.0, 4.0), (140.3, 70.6, 9.0), (111.0, 65.0, 20.0)] {
            let picture = picture(228, 128, |x, y| {
                100.0
                    + 80.0
                        * (-((x - cx) * (x - cx) + (y - cy) * (y - cy)) / (2.0_f32 * sigma * sigma))
                            .exp()
            });
            let blob = detector.blobs(&picture, Octaves::All)[0];
            assert!(
                (blob.x - cx).abs() < 0.05 * sigma + 0.2
                    && (blob.y - cy).abs() < 0.05 * sigma + 0.2,
                "{blob:?}"
            );
            assert!(
                (blob.sigma / sigma).log2().abs() < 0.35,
                "{blob:?} for sigma {sigma}"
            );
        }
    }

    #[test]
    fn what_was_looked_at_before_changes_nothing() {
        let mut used = Detector::default();
        for (width, height, seed) in [
            (228, 128, 1),
            (9, 300, 2),
            (456, 256, 3),
            (31, 33, 4),
            (228, 128, 5),
        ] {
            let picture = picture(width, height, |x, y| testing::texture(x, y, seed));
            for octaves in [Octaves::All, Octaves::First] {
                let of =
                    |detector: &mut Detector| format!("{:?}", detector.blobs(&picture, octaves));
                assert_eq!(of(&mut used), of(&mut Detector::default()));
            }
        }
    }

    #[test]
    fn only_what_is_strong_and_surpasses_its_neighbours_is_marked() {
        let planes = [6, 7, 8].map(|seed| {
            picture(70, 3, |x, y| {
                testing::texture(37.0 * x, 53.0 * y, seed) - 128.0
            })
        });
        let planes = [&planes[0], &planes[1], &planes[2]];
        let mut wide = [false; 80];
        let mut plain = [false; 80];
        mark(planes, 1, &mut wide);
        mark_always(planes, 1, &mut plain);
        assert_eq!(wide, plain);
        for x in 1..69 {
            let value = planes[1].at(x, 1);
            let extremum = value.abs() > STRENGTH_MIN && is_extremum(value, planes, x, 1);
            assert!(!extremum || wide[x - 1], "pixel {x}");
        }
        // Chance alone would give two of seven.
        assert!(
            (8..32).contains(&wide.iter().filter(|mark| **mark).count()),
            "{wide:?}"
        );
    }

    fn picture(width: usize, height: usize, level: impl Fn(f32, f32) -> f32) -> Plane {
        let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (x as f32, y as f32)));
        Plane {
            width,
            height,
            data: pixels.map(|(x, y)| level(x, y)).collect(),
        }
    }
}
