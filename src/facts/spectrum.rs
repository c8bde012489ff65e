//! Fine detail of a frame: power by spatial frequency, along rows and along columns (pure).

use rustfft::Fft as _;
use rustfft::num_complex::Complex;

use super::transform;
use crate::media::Luma;

/// Number of bands.
pub(super) const BANDS: usize = 15;

/// Power in each band, in decibels.
pub(super) type Levels = [f32; BANDS];

/// Power by frequency, along rows and along columns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spectra {
    /// For the quarter of the windows with most detail.
    pub(super) detailed: [Levels; 2],
    /// For the tenth of the detailed windows whose detail is finest: in focus and without motion.
    pub(super) sharpest: [Levels; 2],
}

/// Power in [`BANDS`] bands of equal width, from 1/16 of the highest frequency up to it. `None` if
/// the frame is smaller than a window.
pub(super) fn spectra(luma: &Luma<'_>, width: usize, height: usize) -> Option<Spectra> {
    let along_rows = along(width, height, &mut |x, y, out| {
        luma.row(y, x, out);
    });
    let along_columns = along(height, width, &mut |y, x, out| {
        for (row, out) in out.iter_mut().enumerate() {
            luma.row(y + row, x, std::slice::from_mut(out));
        }
    });
    // In a narrow strip only one direction can be measured.
    let rows = along_rows.or(along_columns)?;
    let columns = along_columns.or(along_rows)?;
    Some(Spectra {
        detailed: [rows[0], columns[0]],
        sharpest: [rows[1], columns[1]],
    })
}

/// The same along one direction: `lines` lines of `length` samples. `read` fills a window, given
/// its start on the line and the line.
fn along(
    length: usize,
    lines: usize,
    read: &mut dyn FnMut(usize, usize, &mut [u16]),
) -> Option<[Levels; 2]> {
    if length < WINDOW || lines == 0 {
        return None;
    }
    let starts = (length - WINDOW) / HOP + 1;
    let step = (lines * starts).div_ceil(WINDOWS_MAX).max(1);
    let mut window = [0_u16; WINDOW];
    let mut found: Vec<(u64, usize, usize)> = Vec::with_capacity(starts * lines.div_ceil(step));
    for line in (0..lines).step_by(step) {
        for start in 0..starts {
            read(start * HOP, line, &mut window);
            let energy = window
                .windows(2)
                .map(|pair| u64::from(pair[0].abs_diff(pair[1])).pow(2))
                .sum();
            found.push((energy, start * HOP, line));
        }
    }
    let kept = (found.len() / 4).max(8).min(found.len());
    found.select_nth_unstable_by(kept - 1, |a, b| b.cmp(a));
    let plan = transform::of_power_of_two(WINDOW);
    let mut scratch = vec![Complex::default(); plan.get_inplace_scratch_len()];
    let taper: [f32; WINDOW] = std::array::from_fn(|i| {
        let phase = (i as f32 + 0.5) / WINDOW as f32 * std::f32::consts::TAU;
        0.5 - 0.5 * phase.cos()
    });
    let mut buffer = [Complex::<f32>::default(); WINDOW];
    found.truncate(kept);
    // A fixed order makes the rounding of sums the same on every run.
    found.sort_unstable_by_key(|&(_, start, line)| (line, start));
    let mut powers: Vec<[f32; WINDOW / 2]> = Vec::with_capacity(kept);
    for &(_, start, line) in &found {
        read(start, line, &mut window);
        let mean = window.iter().map(|&level| f32::from(level)).sum::<f32>() / WINDOW as f32;
        for ((out, &level), taper) in buffer.iter_mut().zip(&window).zip(&taper) {
            *out = Complex::new((f32::from(level) - mean) * taper, 0.0);
        }
        plan.process_with_scratch(&mut buffer, &mut scratch);
        powers.push(std::array::from_fn(|i| buffer[i].norm_sqr()));
    }
    let fineness = |power: &[f32; WINDOW / 2]| {
        let (fine, coarse) = (
            power[FINE].iter().sum::<f32>(),
            power[COARSE].iter().sum::<f32>(),
        );
        fine / (coarse + 1.0)
    };
    let detailed = levels(powers.iter());
    let mut order: Vec<(f32, usize)> = powers.iter().map(fineness).zip(0..).collect();
    order.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let sharpest = levels(
        order
            .iter()
            .take((kept / 10).max(8))
            .map(|(_, at)| &powers[*at]),
    );
    Some([detailed, sharpest])
}

/// Mean power of windows, by band.
fn levels<'a>(powers: impl Iterator<Item = &'a [f32; WINDOW / 2]>) -> Levels {
    let (mut sums, mut count) = ([0_f64; BANDS], 0);
    for power in powers {
        count += 1;
        for (band, sum) in sums.iter_mut().enumerate() {
            let first = BAND * (band + 1);
            *sum += power[first..first + BAND]
                .iter()
                .map(|power| f64::from(*power))
                .sum::<f64>();
        }
    }
    // The 1 keeps a flat picture from having a level of minus infinity.
    sums.map(|sum| (10.0 * (sum / f64::from(BAND as u32 * count.max(1)) + 1.0).log10()) as f32)
}

/// Number of samples in a window. A smaller window has too coarse frequencies, a larger one rarely
/// fits beside other content.
const WINDOW: usize = 128;
/// Distance between windows, in samples.
const HOP: usize = WINDOW / 2;
/// Number of frequencies in a band.
const BAND: usize = WINDOW / 2 / (BANDS + 1);
/// Frequencies whose ratio of power measures how fine the detail of a window is: 0.7 to 0.94 of the
/// highest frequency, relative to 0.2 to 0.44.
const FINE: std::ops::Range<usize> = 44..60;
const COARSE: std::ops::Range<usize> = 12..28;
/// Maximum number of windows to measure in a frame.
const WINDOWS_MAX: usize = 8192;
