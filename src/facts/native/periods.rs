//! Traces of resampling: pixels between those of the original are smoother than those on them, at
//! regular distances (pure).

use rustfft::Fft as _;
use rustfft::Length as _;
use rustfft::num_complex::Complex;

use crate::facts::transform;
use crate::media::Luma;

/// How much the smoothness of columns and rows varies at the periods of common factors: log ratios
/// of the peak to the median over all periods, as the mean of both directions, in the order of
/// [`PERIODS`]. `None` if the picture is too small.
pub(super) fn traces(
    luma: &Luma<'_>,
    width: usize,
    height: usize,
    depth: u32,
) -> Option<[f32; PERIODS.len()]> {
    if width < SIDE_MIN || height < SIDE_MIN {
        return None;
    }
    let (columns, rows) = roughness(luma, width, height, depth);
    let (columns, rows) = (peaks(&columns), peaks(&rows));
    Some(std::array::from_fn(|i| {
        ((columns[i] * rows[i]).sqrt() + 1e-3).ln()
    }))
}

/// Mean second difference at each column and each row except the edges, in 8-bit levels.
fn roughness(luma: &Luma<'_>, width: usize, height: usize, depth: u32) -> (Vec<f32>, Vec<f32>) {
    let unit = (1_u32 << depth.saturating_sub(8)) as f32
        * if luma.is_limited() {
            219.0 / 255.0
        } else {
            1.0
        };
    let most = (ROUGH_MAX * unit) as i32;
    let (mut above, mut middle, mut below) = (vec![0; width], vec![0; width], vec![0; width]);
    let mut columns = vec![0_u32; width - 2];
    let mut down = Vec::with_capacity(height - 2);
    for y in 0..height {
        std::mem::swap(&mut above, &mut middle);
        std::mem::swap(&mut middle, &mut below);
        luma.row(y, 0, &mut below);
        let neighbours = below.iter().zip(&below[1..]).zip(&below[2..]);
        for (sum, ((left, middle), right)) in columns.iter_mut().zip(neighbours) {
            *sum += bend(*left, *middle, *right, most);
        }
        if y >= 2 {
            let neighbours = above.iter().zip(&middle).zip(&below);
            let sum: u32 = neighbours
                .map(|((above, middle), below)| bend(*above, *middle, *below, most))
                .sum();
            down.push(sum as f32 / width as f32 / unit);
        }
    }
    (
        columns
            .into_iter()
            .map(|sum| sum as f32 / height as f32 / unit)
            .collect(),
        down,
    )
}

/// Size of a second difference, limited so that strong edges count no more than others.
fn bend(before: u16, at: u16, after: u16, most: i32) -> u32 {
    (2 * i32::from(at) - i32::from(before) - i32::from(after))
        .abs()
        .min(most)
        .unsigned_abs()
}

/// Amplitudes at the periods, relative to the median amplitude.
fn peaks(roughness: &[f32]) -> [f32; PERIODS.len()] {
    let transform = transform::of_2520(roughness.len() > 2520);
    let length = transform.len();
    let count = roughness.len().min(length);
    let half = SMOOTH / 2;
    // Divide by the moving average, because slow variation comes from the scene.
    let at = |i: isize| roughness[i.clamp(0, roughness.len() as isize - 1) as usize];
    let mut around: f32 = (-(half as isize)..half as isize).map(at).sum();
    let mut values = Vec::with_capacity(length);
    for (i, rough) in roughness.iter().enumerate() {
        values.push(rough / (around / SMOOTH as f32 + 0.05));
        around += at((i + half) as isize) - at(i as isize - half as isize);
    }
    let mean = values.iter().sum::<f32>() / values.len().max(1) as f32;
    let mut buffer: Vec<Complex<f32>> = values
        .iter()
        .take(count)
        .map(|value| Complex::new(value - mean, 0.0))
        .collect();
    buffer.resize(length, Complex::default());
    transform.process(&mut buffer);
    let amplitudes: Vec<f32> = buffer[..=length / 2]
        .iter()
        .map(|value| value.norm())
        .collect();
    let mut sorted = amplitudes.clone();
    sorted.sort_by(f32::total_cmp);
    let median = sorted[sorted.len() / 2] + 1e-6;
    PERIODS.map(|(times, of)| {
        let place = length * times / of;
        let near = &amplitudes[place.saturating_sub(1)..(place + 2).min(amplitudes.len())];
        near.iter().copied().fold(0.0, f32::max) / median
    })
}

/// Periods to examine, as frequencies in cycles per pixel: for upscaling by 2, by 1.5 and 3, and by
/// 2.25. Traces of other factors coincide with the block grid of common codecs.
pub(super) const PERIODS: [(usize, usize); 3] = [(1, 2), (1, 3), (4, 9)];
/// Maximum second difference that counts in full, in 8-bit levels.
const ROUGH_MAX: f32 = 30.0;
/// Number of columns or rows in the moving average.
const SMOOTH: usize = 60;
/// Minimum side of the picture, in pixels.
const SIDE_MIN: usize = 120;
