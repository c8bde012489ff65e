//! Measures how much of a small picture is new: shown nowhere near in an earlier one (pure).
//!
//! A moving camera or object carries earlier content to a place nearby; a cut replaces it. So each
//! block of the later picture is searched for around its place in the earlier one, first at half
//! the size. The best normalised correlation says how much of it was there. Correlation ignores
//! brightness and contrast, so a flash or a fade is not new. Uniform borders, and blocks that are
//! flat in both pictures, are left out.

use super::Thumbnail;

/// A small picture, prepared for comparison.
#[derive(Debug, Clone)]
pub(super) struct Small {
    full: Layer,
    half: Layer,
    /// Number of uniform rows at the top and bottom, and of uniform columns at the left and right.
    bars: [usize; 4],
}

/// Grey levels row by row.
#[derive(Debug, Clone)]
struct Layer {
    width: usize,
    height: usize,
    levels: Vec<i16>,
}

impl Small {
    pub(super) fn new(picture: &Thumbnail) -> Small {
        let levels = picture.luma.iter().map(|&level| i16::from(level)).collect();
        let full = Layer {
            width: picture.width,
            height: picture.height,
            levels,
        };
        let bars = full.bars();
        Small {
            half: full.halved(),
            full,
            bars,
        }
    }

    /// Returns whether both have the same shape.
    pub(super) fn is_like(&self, other: &Small) -> bool {
        (self.full.width, self.full.height) == (other.full.width, other.full.height)
    }

    /// Returns whether it has nothing to recognise, as a black picture.
    pub(super) fn is_flat(&self) -> bool {
        let sums = self
            .full
            .levels
            .iter()
            .fold([0_i64; 2], |[sum, squares], &level| {
                let level = i64::from(level);
                [sum + level, squares + level * level]
            });
        let n = self.full.levels.len().max(1) as f32;
        let [mean, square] = sums.map(|sum| sum as f32 / n);
        square - mean * mean < VARIANCE_MIN
    }

    /// Mean absolute difference to a picture of the same shape, in grey levels.
    pub(super) fn difference(&self, other: &Small) -> f32 {
        let sum: u32 = self
            .full
            .levels
            .iter()
            .zip(&other.full.levels)
            .map(|(a, b)| u32::from(a.abs_diff(*b)))
            .sum();
        sum as f32 / self.full.levels.len().max(1) as f32
    }

    /// Share of the picture that an earlier one of the same shape does not show, 0..=1, or the
    /// reverse if that is less. A camera that comes closer shows what was there before; one that
    /// moves away does so in reverse.
    pub(super) fn novelty(&self, earlier: &Small) -> f32 {
        let forwards = novelty(self, earlier);
        if forwards < ASKED_BACK_MIN {
            forwards
        } else {
            forwards.min(novelty(earlier, self))
        }
    }

    /// Returns whether it is a mixture of the pictures before and after it, and neither of them.
    /// All have the same shape.
    pub(super) fn is_mixture(&self, before: &Small, after: &Small) -> bool {
        let (mut apart, mut along, mut from_before, mut from_after) = (0_i64, 0_i64, 0_i64, 0_i64);
        let row = self.full.width.max(1);
        let rows = before
            .full
            .levels
            .chunks(row)
            .zip(self.full.levels.chunks(row))
            .zip(after.full.levels.chunks(row));
        for ((before, this), after) in rows {
            // A row has at most 288 pixels.
            let mut sums = [0_i32; 4];
            for ((&a, &b), &c) in before.iter().zip(this).zip(after) {
                let (whole, first, rest) = (i32::from(c - a), i32::from(b - a), i32::from(c - b));
                sums[0] += whole * whole;
                sums[1] += whole * first;
                sums[2] += first * first;
                sums[3] += rest * rest;
            }
            apart += i64::from(sums[0]);
            along += i64::from(sums[1]);
            from_before += i64::from(sums[2]);
            from_after += i64::from(sums[3]);
        }
        let share = along as f64 / apart.max(1) as f64;
        // The residual of the best-fitting mixture.
        let left = from_before as f64 - share * along as f64;
        SHARES.contains(&share) && left <= MIXTURE_LEFT_MAX * from_before.min(from_after) as f64
    }
}

impl Layer {
    fn halved(&self) -> Layer {
        let (width, height) = (self.width / 2, self.height / 2);
        let mut levels = Vec::with_capacity(width * height);
        for y in 0..height {
            let upper = &self.levels[2 * y * self.width..][..2 * width];
            let lower = &self.levels[(2 * y + 1) * self.width..][..2 * width];
            let pairs = upper
                .as_chunks::<2>()
                .0
                .iter()
                .zip(lower.as_chunks::<2>().0);
            levels.extend(pairs.map(|(a, b)| (a[0] + a[1] + b[0] + b[1] + 2) / 4));
        }
        Layer {
            width,
            height,
            levels,
        }
    }

    /// Uniform rows and columns at the edges: top, bottom, left, right; at most a third of the
    /// picture each.
    fn bars(&self) -> [usize; 4] {
        let (width, height) = (self.width, self.height);
        let flat = |levels: &mut dyn Iterator<Item = i16>| {
            let (least, most) = levels.fold((i16::MAX, i16::MIN), |(a, b), level| {
                (a.min(level), b.max(level))
            });
            most <= least.saturating_add(BAR_RANGE_MAX)
        };
        let row = |y: &usize| flat(&mut self.levels[y * width..][..width].iter().copied());
        let top = (0..height / 3).take_while(row).count();
        let bottom = (0..height / 3)
            .take_while(|y| row(&(height - 1 - y)))
            .count();
        let column =
            |x: &usize| flat(&mut (top..height - bottom).map(|y| self.levels[y * width + x]));
        let left = (0..width / 3).take_while(column).count();
        let right = (0..width / 3)
            .take_while(|x| column(&(width - 1 - x)))
            .count();
        [top, bottom, left, right]
    }

    /// The block with its corner at this pixel.
    #[inline(always)]
    fn block<const W: usize, const H: usize>(&self, x: usize, y: usize) -> [[i16; W]; H] {
        let mut block = [[0; W]; H];
        for (number, row) in block.iter_mut().enumerate() {
            row.copy_from_slice(&self.levels[(y + number) * self.width + x..][..W]);
        }
        block
    }

    /// The best corner for a block within reach of a place, and its correlation there.
    #[inline(always)]
    fn best<const W: usize, const H: usize>(
        &self,
        block: &[[i16; W]; H],
        around: (usize, usize),
        reach: usize,
    ) -> ((usize, usize), f32) {
        let own = Sums::of(block, block);
        let mut best = (around, -1.0);
        let ends = |at: usize, side: usize, of: usize| {
            at.saturating_sub(reach)..=(at + reach).min(side - of)
        };
        for y in ends(around.1, self.height, H) {
            for x in ends(around.0, self.width, W) {
                let correlation = own.correlation(&Sums::of(&self.block(x, y), block), W * H);
                if correlation > best.1 {
                    best = ((x, y), correlation);
                }
            }
        }
        best
    }
}

/// Sums over a block and the block with which it is compared.
struct Sums {
    levels: u32,
    squares: u32,
    products: u32,
}

impl Sums {
    #[inline(always)]
    fn of<const W: usize, const H: usize>(block: &[[i16; W]; H], other: &[[i16; W]; H]) -> Sums {
        let mut sums = Sums {
            levels: 0,
            squares: 0,
            products: 0,
        };
        for (row, other) in block.iter().zip(other) {
            sums.levels += row.iter().map(|&level| i32::from(level)).sum::<i32>() as u32;
            sums.squares += row
                .iter()
                .map(|&level| i32::from(level) * i32::from(level))
                .sum::<i32>() as u32;
            sums.products += row
                .iter()
                .zip(other)
                .map(|(&a, &b)| i32::from(a) * i32::from(b))
                .sum::<i32>() as u32;
        }
        sums
    }

    /// The variance, in square grey levels.
    #[inline(always)]
    fn variance(&self, pixels: usize) -> f32 {
        let n = pixels as f32;
        // Below 2^32: at most 192 pixels of 255 levels. Never below zero (Cauchy and Schwarz).
        (self.squares * pixels as u32 - self.levels * self.levels) as f32 / (n * n)
    }

    /// The correlation of a block with `other`, which holds the sums of products. [`NOISE`] is
    /// allowed for, so that it does not lower the result.
    #[inline(always)]
    fn correlation(&self, other: &Sums, pixels: usize) -> f32 {
        let n = pixels as f32;
        let common = (other.products as f32 - self.levels as f32 * other.levels as f32 / n) / n;
        (common + NOISE)
            / ((self.variance(pixels) + NOISE) * (other.variance(pixels) + NOISE)).sqrt()
    }
}

/// Mean over the blocks of one picture of the share that the other does not show.
fn novelty(picture: &Small, other: &Small) -> f32 {
    let bars: [usize; 4] = std::array::from_fn(|side| picture.bars[side].min(other.bars[side]));
    let (full, half) = (&picture.full, &picture.half);
    let columns = (full.width - bars[2] - bars[3]) / WIDTH;
    let rows = (full.height - bars[0] - bars[1]) / HEIGHT;
    // Even, so that a block begins at a pixel of the half-size picture too.
    let left = (bars[2] + (full.width - bars[2] - bars[3] - columns * WIDTH) / 2) & !1;
    let top = (bars[0] + (full.height - bars[0] - bars[1] - rows * HEIGHT) / 2) & !1;
    let (mut new, mut asked) = (0.0, 0);
    for y in (0..rows).map(|row| top + row * HEIGHT) {
        for x in (0..columns).map(|column| left + column * WIDTH) {
            let block: [[i16; WIDTH]; HEIGHT] = full.block(x, y);
            let (own, there) = (
                Sums::of(&block, &block),
                Sums::of(&other.full.block(x, y), &block),
            );
            if own.variance(PIXELS).max(there.variance(PIXELS)) < VARIANCE_MIN {
                continue;
            }
            asked += 1;
            let still = own.correlation(&there, PIXELS);
            if still >= STILL_MIN {
                new += 1.0 - still;
                continue;
            }
            let small: [[i16; WIDTH / 2]; HEIGHT / 2] = half.block(x / 2, y / 2);
            let ((near_x, near_y), _) = other.half.best(&small, (x / 2, y / 2), REACH);
            let near = (
                (2 * near_x).min(full.width - WIDTH),
                (2 * near_y).min(full.height - HEIGHT),
            );
            let (_, found) = other.full.best(&block, near, REFINED_REACH);
            new += (1.0 - found.max(still)).max(0.0);
        }
    }
    new / (asked as f32)
        .max(ASKED_MIN * (columns * rows) as f32)
        .max(1.0)
}

/// Columns and rows of a block: a sixth and a quarter of a picture of 96x54.
const WIDTH: usize = 16;
const HEIGHT: usize = 12;
const PIXELS: usize = WIDTH * HEIGHT;

/// Search radius in pixels of the half-size picture: an eighth of its width of 48, within a
/// fraction of a second.
const REACH: usize = 6;

/// Search radius around the place found at half the size, in pixels.
const REFINED_REACH: usize = 2;

/// Variance from compression and sensor in a small picture, in square grey levels.
const NOISE: f32 = 6.0;

/// Minimum variance of an informative block, in square grey levels.
const VARIANCE_MIN: f32 = 16.0;

/// Correlation at the same place from which a block is not searched for elsewhere, 0..=1.
const STILL_MIN: f32 = 0.95;

/// Minimum denominator, as a share of all blocks, 0..=1, if fewer blocks are informative: a small
/// thing on a flat ground must not count as the whole picture.
const ASKED_MIN: f32 = 0.25;

/// Novelty from which the reverse direction is computed too, 0..=1: no cut is below.
const ASKED_BACK_MIN: f32 = 0.15;

/// Maximum range of levels in a border, in grey levels: noise and compression leave this much.
const BAR_RANGE_MAX: i16 = 10;

/// Allowed share of the later picture in a mixture.
const SHARES: std::ops::RangeInclusive<f64> = 0.08..=0.92;

/// Maximum residual of a mixture, as a share of the squared difference to the nearer of the two
/// pictures, 0..=1.
const MIXTURE_LEFT_MAX: f64 = 0.35;
