//! Decides whether the lowest bits of deep samples carry information (pure).

use crate::media::Luma;

use super::BitDepth;

/// Counts the lowest bits of samples, separately for those that resemble their neighbours.
#[derive(Debug, Default)]
pub(super) struct LowBits {
    depth: u32,
    /// How often each value of the two bits below the upper eight occurs: everywhere, and in smooth
    /// places.
    all: [u64; 4],
    smooth: [u64; 4],
}

impl LowBits {
    /// Adds a frame of this bit depth.
    pub(super) fn look(&mut self, luma: &Luma<'_>, width: usize, height: usize, depth: u32) {
        self.depth = depth;
        if depth < 10 {
            return;
        }
        let shift = depth - 10;
        let mut row = vec![0; width];
        for y in (0..height).step_by(ROWS_STEP) {
            luma.row(y, 0, &mut row);
            for three in row.windows(3) {
                let value = usize::from(three[1] >> shift & 3);
                self.all[value] += 1;
                let near = |other: u16| (three[1] >> shift).abs_diff(other >> shift) <= 1;
                if near(three[0]) && near(three[2]) {
                    self.smooth[value] += 1;
                }
            }
        }
    }

    /// Number of bits in use.
    pub(super) fn finish(self) -> BitDepth {
        let stored = self.depth;
        if stored < 10 {
            return BitDepth {
                stored,
                used: (stored == 8).then_some(8),
            };
        }
        let largest = |counts: &[u64; 4]| {
            let total: u64 = counts.iter().sum();
            let most = counts.iter().copied().max().unwrap_or(0);
            (total >= SAMPLES_MIN).then(|| most as f64 / total as f64)
        };
        let used = match (largest(&self.all), largest(&self.smooth)) {
            (Some(all), _) if all >= EMPTY_MIN => Some(8),
            (_, Some(smooth)) if smooth >= COMB_MIN => Some(8),
            (Some(all), Some(smooth)) if all <= EVEN_MAX && smooth <= EVEN_MAX => Some(stored),
            _ => None,
        };
        BitDepth { stored, used }
    }
}

/// Step between the rows to examine.
const ROWS_STEP: usize = 9;
/// Minimum number of samples to decide.
const SAMPLES_MIN: u64 = 2_000;
/// Minimum share of the most frequent of the four values, everywhere, from which on the bits carry
/// nothing.
const EMPTY_MIN: f64 = 0.9;
/// The same in smooth places. After 8-bit video is encoded again with more bits, samples gather
/// around the old values.
const COMB_MIN: f64 = 0.4;
/// Maximum share of the most frequent value if all bits are used; evenly distributed, each has a
/// quarter.
const EVEN_MAX: f64 = 0.33;
