//! A picture of floating-point grey levels: blur, halving and sampling.

use std::ops::Range;

use super::wide::{integer, whole, widened};
use crate::media::Frame;

/// Grey levels 0..=255 as `f32`, row by row.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Plane {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) data: Vec<f32>,
}

impl Plane {
    pub(super) fn of_frame(frame: &Frame) -> Plane {
        let data = frame.luma.iter().map(|&level| f32::from(level)).collect();
        Plane {
            width: frame.width,
            height: frame.height,
            data,
        }
    }

    #[inline]
    pub(super) fn at(&self, x: usize, y: usize) -> f32 {
        self.data[y * self.width + x]
    }

    /// Interpolates between four pixels. Pixel centres are whole numbers; outside, the nearest edge
    /// pixel counts.
    #[cfg(test)]
    pub(super) fn sample(&self, x: f32, y: f32) -> f32 {
        let x = x.clamp(0.0, (self.width - 1) as f32);
        let y = y.clamp(0.0, (self.height - 1) as f32);
        let (left, top) = (x as usize, y as usize);
        let (right, bottom) = (
            (left + 1).min(self.width - 1),
            (top + 1).min(self.height - 1),
        );
        let (fx, fy) = (x - left as f32, y - top as f32);
        let upper = self.at(left, top) + fx * (self.at(right, top) - self.at(left, top));
        let lower = self.at(left, bottom) + fx * (self.at(right, bottom) - self.at(left, bottom));
        upper + fy * (lower - upper)
    }

    /// Averages blocks of 2x2 pixels; an odd last row or column is dropped.
    pub(super) fn halved(&self) -> Plane {
        let (width, height) = (self.width / 2, self.height / 2);
        let mut data = Vec::with_capacity(width * height);
        for y in 0..height {
            let upper = &self.data[2 * y * self.width..][..2 * width];
            let lower = &self.data[(2 * y + 1) * self.width..][..2 * width];
            data.extend(
                upper
                    .chunks_exact(2)
                    .zip(lower.chunks_exact(2))
                    .map(|(a, b)| (a[0] + a[1] + b[0] + b[1]) * 0.25),
            );
        }
        Plane {
            width,
            height,
            data,
        }
    }

    /// Takes every second pixel of every second row of a picture that is already blurred.
    pub(super) fn decimate(&mut self, other: &Plane) {
        (self.width, self.height) = (other.width.div_ceil(2), other.height.div_ceil(2));
        self.data.clear();
        for row in other.data.chunks_exact(other.width).step_by(2) {
            self.data.extend(row.iter().step_by(2));
        }
    }

    /// Convolves a picture with a Gaussian of `sigma` pixels, cut at four sigmas, with repeated
    /// edges. `more`, if given, becomes the blurred minus the original picture.
    pub(super) fn blur(
        &mut self,
        other: &Plane,
        sigma: f32,
        space: &mut Space,
        mut more: Option<&mut Plane>,
    ) {
        for plane in [Some(&mut *self), more.as_deref_mut()]
            .into_iter()
            .flatten()
        {
            (plane.width, plane.height) = (other.width, other.height);
            plane.data.resize(other.data.len(), 0.0);
        }
        let kernel = gaussian(sigma);
        let radius = kernel.len() - 1;
        let stride = other.width.next_multiple_of(BLOCK);
        space.across.resize(stride * other.height + LINE, 0.0);
        let start = space
            .across
            .as_ptr()
            .align_offset(size_of::<f32>() * LINE)
            .min(LINE);
        let across = &mut space.across[start..][..stride * other.height];
        space.padded.resize(stride + 2 * radius, 0.0);
        for (row, across) in other
            .data
            .chunks_exact(other.width)
            .zip(across.chunks_exact_mut(stride))
        {
            let (before, after) = space.padded.split_at_mut(radius);
            before.fill(row[0]);
            after[..row.len()].copy_from_slice(row);
            after[row.len()..].fill(row[row.len() - 1]);
            blur_row(&space.padded, &kernel, across);
        }
        for first in (0..stride).step_by(STRIP) {
            let strip = first..stride.min(first + STRIP);
            blur_columns(across, &kernel, strip, other, self, more.as_deref_mut());
        }
    }

    /// Interpolates 32x32 points as [`Plane::sample`] does.
    pub(super) fn samples(&self, mesh: &Mesh, samples: &mut [f32; SIDE * SIDE]) {
        sample_mesh(self, mesh, samples);
    }
}

/// Buffers of a blur.
#[derive(Debug, Default)]
pub(super) struct Space {
    /// The picture blurred horizontally, with rows padded to whole blocks.
    across: Vec<f32>,
    /// A row with its edges repeated.
    padded: Vec<f32>,
}

/// Half a normalised Gaussian, from its centre outwards.
fn gaussian(sigma: f32) -> Vec<f32> {
    let radius = (4.0 * sigma).ceil() as usize;
    let mut kernel: Vec<f32> = (0..=radius)
        .map(|k| (-((k * k) as f32) / (2.0 * sigma * sigma)).exp())
        .collect();
    let sum = kernel[0] + 2.0 * kernel[1..].iter().sum::<f32>();
    kernel.iter_mut().for_each(|weight| *weight /= sum);
    kernel
}

/// Neighbouring pixels blurred at a time: their sums fill ten of the sixteen registers of AVX2.
const BLOCK: usize = 80;

/// Pixels in a cache line. Rows begin at one, because a read across two lines costs two.
const LINE: usize = 16;

/// Columns blurred at a time, in whole blocks: all rows that a sum needs then stay in the
/// first-level cache.
const STRIP: usize = 2 * BLOCK;

widened! {
    /// Blurs a row, given with its edges, into whole blocks.
    fn blur_row(padded: &[f32], kernel: &[f32], out: &mut [f32]) = blur_row_always;
}

#[inline(always)]
fn blur_row_always(padded: &[f32], kernel: &[f32], out: &mut [f32]) {
    let radius = kernel.len() - 1;
    for (number, out) in out.as_chunks_mut::<BLOCK>().0.iter_mut().enumerate() {
        let around = &padded[number * BLOCK..][..BLOCK + 2 * radius];
        *out = weighed(kernel, |k| (&around[radius - k..], &around[radius + k..]));
    }
}

widened! {
    /// Blurs the columns of a strip from top to bottom.
    fn blur_columns(
        across: &[f32], kernel: &[f32], strip: Range<usize>, other: &Plane, blurred: &mut Plane, more: Option<&mut Plane>,
    ) = blur_columns_always;
}

#[inline(always)]
fn blur_columns_always(
    across: &[f32],
    kernel: &[f32],
    strip: Range<usize>,
    other: &Plane,
    blurred: &mut Plane,
    mut more: Option<&mut Plane>,
) {
    let (width, height) = (other.width, other.height);
    let stride = width.next_multiple_of(BLOCK);
    for y in 0..height {
        for first in strip.clone().step_by(BLOCK) {
            let above = |k: usize| &across[y.saturating_sub(k) * stride + first..];
            let below = |k: usize| &across[(y + k).min(height - 1) * stride + first..];
            let sums = || weighed(kernel, |k| (above(k), below(k)));
            let pixels = y * width + first..y * width + width.min(first + BLOCK);
            let out = &mut blurred.data[pixels.clone()];
            match out.first_chunk_mut() {
                Some(block) => *block = sums(),
                None => out.copy_from_slice(&sums()[..out.len()]),
            }
            if let Some(more) = more.as_deref_mut() {
                for ((more, sum), other) in more.data[pixels.clone()]
                    .iter_mut()
                    .zip(out)
                    .zip(&other.data[pixels])
                {
                    *more = *sum - other;
                }
            }
        }
    }
}

/// A block of weighted sums of pixels and their neighbours; `sides` gives those at a distance on
/// either side.
#[inline(always)]
fn weighed<'a>(kernel: &[f32], sides: impl Fn(usize) -> (&'a [f32], &'a [f32])) -> [f32; BLOCK] {
    let mut sums = [0.0; BLOCK];
    for (sum, value) in sums.iter_mut().zip(&sides(0).0[..BLOCK]) {
        *sum = kernel[0] * value;
    }
    for (k, &weight) in kernel.iter().enumerate().skip(1) {
        let (first, second) = sides(k);
        for ((sum, a), b) in sums.iter_mut().zip(&first[..BLOCK]).zip(&second[..BLOCK]) {
            *sum += weight * (a + b);
        }
    }
    sums
}

/// Rows and columns of a mesh.
const SIDE: usize = 32;

/// A grid of points. Each is the sum of its column's and its row's offset, in pixels with corners
/// at whole numbers.
#[derive(Debug, Clone)]
pub(super) struct Mesh {
    /// Offset across and down of each column.
    pub(super) columns: [[f32; SIDE]; 2],
    /// Offset across and down of each row.
    pub(super) rows: [[f32; SIDE]; 2],
    /// Width of a pixel of the sampled picture in the pixels of the points: a power of two.
    pub(super) shrink: f32,
}

widened! {
    fn sample_mesh(plane: &Plane, mesh: &Mesh, samples: &mut [f32; SIDE * SIDE]) = sample_mesh_always;
}

#[inline(always)]
fn sample_mesh_always(plane: &Plane, mesh: &Mesh, samples: &mut [f32; SIDE * SIDE]) {
    // A power of two, so multiplying is as exact as dividing.
    let scale = 1.0 / mesh.shrink;
    for (row, samples) in samples.as_chunks_mut::<SIDE>().0.iter_mut().enumerate() {
        let (mut x, mut y) = ([0.0; SIDE], [0.0; SIDE]);
        for i in 0..SIDE {
            x[i] = (mesh.columns[0][i] + mesh.rows[0][row]) * scale - 0.5;
            y[i] = (mesh.columns[1][i] + mesh.rows[1][row]) * scale - 0.5;
        }
        *samples = samples_of(plane, &x, &y);
    }
}

/// Interpolates several points as [`Plane::sample`] does; it is inlined into functions of
/// [`widened`].
#[inline(always)]
pub(super) fn samples_of<const N: usize>(plane: &Plane, x: &[f32; N], y: &[f32; N]) -> [f32; N] {
    let (width, last_column, last_row) = (
        plane.width as u32,
        plane.width as f32 - 1.0,
        plane.height as f32 - 1.0,
    );
    let clamped = |at: f32, last: f32| {
        let at = if at > 0.0 { at } else { 0.0 };
        if at < last { at } else { last }
    };
    let (mut corners, mut levels) = ([[0_u32; N]; 4], [[0.0_f32; N]; 4]);
    let mut shares = [[0.0_f32; N]; 2];
    for i in 0..N {
        let (x, y) = (clamped(x[i], last_column), clamped(y[i], last_row));
        let (left, top) = (whole(x), whole(y));
        (shares[0][i], shares[1][i]) = (x - left, y - top);
        let corner = integer(top) * width + integer(left);
        let right = if left < last_column { 1 } else { 0 };
        let below = if top < last_row { width } else { 0 };
        corners[0][i] = corner;
        corners[1][i] = corner + right;
        corners[2][i] = corner + below;
        corners[3][i] = corner + below + right;
    }
    for (levels, corners) in levels.iter_mut().zip(&corners) {
        for (level, corner) in levels.iter_mut().zip(corners) {
            *level = plane.data[*corner as usize];
        }
    }
    let mut samples = [0.0; N];
    for (i, sample) in samples.iter_mut().enumerate() {
        let upper = levels[0][i] + shares[0][i] * (levels[1][i] - levels[0][i]);
        let lower = levels[2][i] + shares[0][i] * (levels[3][i] - levels[2][i]);
        *sample = upper + shares[1][i] * (lower - upper);
    }
    samples
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    fn plane(width: usize, height: usize, level: impl Fn(usize, usize) -> f32) -> Plane {
        let data = (0..height)
            .flat_map(|y| (0..width).map(move |x| (x, y)))
            .map(|(x, y)| level(x, y))
            .collect();
        Plane {
            width,
            height,
            data,
        }
    }

    fn blurred(plane: &Plane, sigma: f32) -> Plane {
        let mut blurred = Plane::default();
        blurred.blur(plane, sigma, &mut Space::default(), None);
        blurred
    }

    #[test]
    fn a_blur_keeps_constants_and_spreads_a_point_by_its_sigma() {
        assert!(
            blurred(&plane(20, 9, |_, _| 77.0), 2.0)
                .data
                .iter()
                .all(|v| (v - 77.0).abs() < 1e-3)
        );
        let point = blurred(
            &plane(41, 41, |x, y| if (x, y) == (20, 20) { 1.0 } else { 0.0 }),
            3.0,
        );
        let variance: f32 = (0..41)
            .map(|x| (x as f32 - 20.0).powi(2) * (0..41).map(|y| point.at(x, y)).sum::<f32>())
            .sum();
        assert!((variance - 9.0).abs() < 0.1, "variance {variance}");
    }

    #[test]
    fn a_blur_adds_in_one_order_whatever_the_size_of_the_picture() {
        for (width, height) in [(1, 1), (1, 70), (70, 1), (31, 12), (33, 40), (228, 128)] {
            let picture = plane(width, height, |x, y| {
                testing::texture(x as f32, y as f32, 3)
            });
            let (mut found, mut more) = (Plane::default(), Plane::default());
            found.blur(&picture, 1.7, &mut Space::default(), Some(&mut more));
            let kernel = gaussian(1.7);
            let sum = |line: &dyn Fn(isize) -> f32| {
                let mut sum = kernel[0] * line(0);
                for (k, weight) in kernel.iter().enumerate().skip(1) {
                    sum += weight * (line(-(k as isize)) + line(k as isize));
                }
                sum
            };
            let within =
                |at: usize, away: isize, end: usize| at.saturating_add_signed(away).min(end - 1);
            let across = plane(width, height, |x, y| {
                sum(&|away| picture.at(within(x, away, width), y))
            });
            let wanted = plane(width, height, |x, y| {
                sum(&|away| across.at(x, within(y, away, height)))
            });
            assert_eq!(found, wanted);
            assert_eq!(
                more,
                plane(width, height, |x, y| wanted.at(x, y) - picture.at(x, y))
            );
        }
    }

    #[test]
    fn a_mesh_is_sampled_as_its_points_are() {
        let picture = plane(57, 32, |x, y| testing::texture(x as f32, y as f32, 8));
        for (turn, shrink) in [(0.0, 1.0), (0.3, 2.0), (-2.5, 8.0)] {
            let (sin, cos) = f32::sin_cos(turn);
            let away = |i: usize| 4.7 * shrink * (i as f32 - 9.0);
            let mesh = Mesh {
                columns: [
                    std::array::from_fn(|i| cos * away(i)),
                    std::array::from_fn(|i| sin * away(i)),
                ],
                rows: [
                    std::array::from_fn(|i| -sin * away(i)),
                    std::array::from_fn(|i| cos * away(i)),
                ],
                shrink,
            };
            let mut found = [0.0; SIDE * SIDE];
            picture.samples(&mesh, &mut found);
            let mut plain = [0.0; SIDE * SIDE];
            sample_mesh_always(&picture, &mesh, &mut plain);
            let at = |of: usize, i: usize| mesh.columns[of][i % SIDE] + mesh.rows[of][i / SIDE];
            let wanted =
                |i: usize| picture.sample(at(0, i) / shrink - 0.5, at(1, i) / shrink - 0.5);
            assert_eq!(found, std::array::from_fn(wanted));
            assert_eq!(found, plain);
        }
    }

    #[test]
    fn sampling_interpolates_and_repeats_edges() {
        let ramp = plane(4, 3, |x, _| 10.0 * x as f32);
        assert_eq!(ramp.sample(1.5, 1.0), 15.0);
        assert_eq!(ramp.sample(-7.0, 9.0), 0.0);
        assert_eq!(ramp.sample(99.0, 0.5), 30.0);
    }

    #[test]
    fn halving_averages_and_decimating_picks() {
        let ramp = plane(5, 4, |x, y| (x + 10 * y) as f32);
        assert_eq!(
            ramp.halved(),
            Plane {
                width: 2,
                height: 2,
                data: vec![5.5, 7.5, 25.5, 27.5]
            }
        );
        let mut decimated = ramp.halved();
        decimated.decimate(&ramp);
        assert_eq!(
            decimated,
            Plane {
                width: 3,
                height: 2,
                data: vec![0.0, 2.0, 4.0, 20.0, 22.0, 24.0]
            }
        );
    }
}
