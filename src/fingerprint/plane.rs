//! A picture of floating-point grey levels: blur, halving and sampling.

use crate::media::Frame;

/// Grey levels 0..=255 as `f32`, row by row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plane {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) data: Vec<f32>,
}

impl Plane {
    pub(super) fn of_frame(frame: &Frame) -> Plane {
        let data = frame.luma.iter().map(|&level| f32::from(level)).collect();
        Plane { width: frame.width, height: frame.height, data }
    }

    #[inline]
    pub(super) fn at(&self, x: usize, y: usize) -> f32 {
        self.data[y * self.width + x]
    }

    /// Interpolates between four pixels; pixel centres are whole numbers, outside counts as the nearest edge.
    #[inline]
    pub(super) fn sample(&self, x: f32, y: f32) -> f32 {
        let x = x.clamp(0.0, (self.width - 1) as f32);
        let y = y.clamp(0.0, (self.height - 1) as f32);
        let (left, top) = (x as usize, y as usize);
        let (right, bottom) = ((left + 1).min(self.width - 1), (top + 1).min(self.height - 1));
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
                upper.chunks_exact(2).zip(lower.chunks_exact(2)).map(|(a, b)| (a[0] + a[1] + b[0] + b[1]) * 0.25),
            );
        }
        Plane { width, height, data }
    }

    /// Keeps each second pixel of each second row: for a picture that is blurred already.
    pub(super) fn decimated(&self) -> Plane {
        let (width, height) = (self.width.div_ceil(2), self.height.div_ceil(2));
        let rows = self.data.chunks_exact(self.width).step_by(2);
        let data = rows.flat_map(|row| row.iter().copied().step_by(2)).collect();
        Plane { width, height, data }
    }

    /// Convolves with a Gaussian of `sigma` pixels, cut at four sigmas; edges are repeated.
    pub(super) fn blurred(&self, sigma: f32) -> Plane {
        let kernel = gaussian(sigma);
        let radius = kernel.len() - 1;
        let (width, height) = (self.width, self.height);
        let mut across = vec![0.0_f32; width * height];
        let mut padded = vec![0.0_f32; width + 2 * radius];
        for (row, out) in self.data.chunks_exact(width).zip(across.chunks_exact_mut(width)) {
            padded[..radius].fill(row[0]);
            padded[radius..radius + width].copy_from_slice(row);
            padded[radius + width..].fill(row[width - 1]);
            weigh(out, &padded[radius..], kernel[0]);
            for (k, &weight) in kernel.iter().enumerate().skip(1) {
                add_pair(out, &padded[radius - k..], &padded[radius + k..], weight);
            }
        }
        let mut data = vec![0.0_f32; width * height];
        for (y, out) in data.chunks_exact_mut(width).enumerate() {
            weigh(out, &across[y * width..], kernel[0]);
            for (k, &weight) in kernel.iter().enumerate().skip(1) {
                let above = y.saturating_sub(k) * width;
                let below = (y + k).min(height - 1) * width;
                add_pair(out, &across[above..], &across[below..], weight);
            }
        }
        Plane { width, height, data }
    }

    /// The pixel-wise difference `self - other` of two pictures of one size.
    pub(super) fn minus(&self, other: &Plane) -> Plane {
        let data = self.data.iter().zip(&other.data).map(|(a, b)| a - b).collect();
        Plane { width: self.width, height: self.height, data }
    }
}

/// Half a normalised Gaussian, from its centre outwards.
fn gaussian(sigma: f32) -> Vec<f32> {
    let radius = (4.0 * sigma).ceil() as usize;
    let mut kernel: Vec<f32> = (0..=radius).map(|k| (-((k * k) as f32) / (2.0 * sigma * sigma)).exp()).collect();
    let sum = kernel[0] + 2.0 * kernel[1..].iter().sum::<f32>();
    kernel.iter_mut().for_each(|weight| *weight /= sum);
    kernel
}

fn weigh(out: &mut [f32], input: &[f32], weight: f32) {
    for (out, &value) in out.iter_mut().zip(input) {
        *out = weight * value;
    }
}

fn add_pair(out: &mut [f32], first: &[f32], second: &[f32], weight: f32) {
    for ((out, &a), &b) in out.iter_mut().zip(first).zip(second) {
        *out += weight * (a + b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plane(width: usize, height: usize, level: impl Fn(usize, usize) -> f32) -> Plane {
        let data = (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(|(x, y)| level(x, y)).collect();
        Plane { width, height, data }
    }

    #[test]
    fn a_blur_keeps_constants_and_spreads_a_point_by_its_sigma() {
        assert!(plane(20, 9, |_, _| 77.0).blurred(2.0).data.iter().all(|v| (v - 77.0).abs() < 1e-3));
        let point = plane(41, 41, |x, y| if (x, y) == (20, 20) { 1.0 } else { 0.0 }).blurred(3.0);
        let variance: f32 =
            (0..41).map(|x| (x as f32 - 20.0).powi(2) * (0..41).map(|y| point.at(x, y)).sum::<f32>()).sum();
        assert!((variance - 9.0).abs() < 0.1, "variance {variance}");
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
        assert_eq!(ramp.halved(), Plane { width: 2, height: 2, data: vec![5.5, 7.5, 25.5, 27.5] });
        assert_eq!(ramp.decimated(), Plane { width: 3, height: 2, data: vec![0.0, 2.0, 4.0, 20.0, 22.0, 24.0] });
    }
}
