//! A frame reduced to about 360 lines. Everything but the finest detail is measured on it (pure).

/// A grey picture in 16ths of an 8-bit level.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Plane {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) levels: Vec<i16>,
}

impl Plane {
    /// Takes over the means of blocks. Black becomes 0 and white 255 x 16, even if the stored range
    /// is limited.
    pub(super) fn new((width, height, means): (usize, usize, Vec<u16>), limited: bool) -> Plane {
        let level = |mean: u16| {
            let mean = i32::from(mean);
            let full = if limited {
                ((mean - 16 * UNIT) * 255 / 219).clamp(0, 255 * UNIT)
            } else {
                mean
            };
            full as i16
        };
        Plane {
            width,
            height,
            levels: means.into_iter().map(level).collect(),
        }
    }

    /// The row `y`.
    pub(super) fn row(&self, y: usize) -> &[i16] {
        &self.levels[y * self.width..(y + 1) * self.width]
    }

    /// Number of pixels at each 8-bit level.
    pub(super) fn histogram(&self) -> [u32; 256] {
        let mut counts = [0; 256];
        for level in &self.levels {
            counts[usize::try_from(i32::from(*level) / UNIT)
                .unwrap_or(0)
                .min(255)] += 1;
        }
        counts
    }
}

/// The level below which this share of the pixels lies.
pub(super) fn quantile(histogram: &[u32; 256], share: f64) -> u32 {
    let total: u32 = histogram.iter().sum();
    let wanted = (f64::from(total) * share) as u32;
    let mut seen = 0;
    for (level, count) in histogram.iter().enumerate() {
        seen += count;
        if seen > wanted {
            return level as u32;
        }
    }
    255
}

/// Side of the blocks that reduce a picture with this short side to about [`LINES`].
pub(super) fn block(short_side: usize) -> usize {
    ((short_side + LINES / 2) / LINES).max(1)
}

/// Short side of the reduced picture, in pixels; smaller pictures are not reduced.
const LINES: usize = 360;
/// Number of units of an 8-bit level.
pub(super) const UNIT: i32 = 16;
