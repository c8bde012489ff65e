//! The code of a group of small pictures: blocks of 8x8 are predicted, from the picture before or from their neighbours; what is
//! left is transformed, quantised and range coded. Integer arithmetic only, so that it is the same on every processor.
//!
//! One function codes in both directions. It reads whatever bytes it is given: each gives pictures, if not sensible ones.

use super::range::{Coder, Model, Reader, Writer};

/// The pictures of a group and how they are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) width: usize,
    pub(super) height: usize,
    /// Number of pictures.
    pub(super) pictures: usize,
    /// Step of the quantiser in 16ths of a grey level.
    pub(super) step: i32,
}

impl Layout {
    /// Pixels of a picture.
    pub(super) fn area(self) -> usize {
        self.width * self.height
    }
}

/// Codes pictures of `width * height` grey levels each, one after the other.
pub(super) fn write(layout: Layout, luma: &[u8]) -> Vec<u8> {
    let mut writer = Writer::new();
    run(layout, Some(luma), &mut writer);
    writer.finish()
}

/// The pictures that a code tells of, one after the other.
pub(super) fn read(layout: Layout, code: &[u8]) -> Vec<u8> {
    run(layout, None, &mut Reader::new(code))
}

/// Codes pictures and returns them as they are when decoded.
fn run(layout: Layout, luma: Option<&[u8]>, coder: &mut impl Coder) -> Vec<u8> {
    let Layout { width, height, pictures, step } = layout;
    let (columns, rows) = (width.div_ceil(SIDE), height.div_ceil(SIDE));
    let mut models = Models::default();
    let mut before: Option<Canvas> = None;
    let mut out = Vec::with_capacity(layout.area() * pictures);
    for number in 0..pictures {
        let picture = luma.map(|luma| &luma[number * layout.area()..][..layout.area()]);
        let mut canvas = Canvas::new(columns);
        // Of the block above each column and of that to the left: whether it was predicted from before, and whether anything was left.
        let mut above = vec![(false, false); columns];
        for row in 0..rows {
            let mut left = (false, false);
            canvas.grow();
            for (column, above) in above.iter_mut().enumerate() {
                let beside = canvas.beside(column, row);
                let earlier = before.as_ref().map(|before| before.block(column, row));
                let (mut from_before, mut levels) = (false, [0; AREA]);
                if let Some(picture) = picture {
                    let block = block_of(picture, layout, column, row);
                    (from_before, levels) = chosen(&block, &beside, earlier.as_ref(), step);
                }
                let known = usize::from(left.0) + usize::from(above.0);
                from_before = earlier.is_some() && coder.bit(&mut models.from_before[known], from_before);
                let known = usize::from(left.1) + usize::from(above.1);
                let class = &mut models.residual[usize::from(from_before)];
                let rest = coder.bit(&mut class.any[known], levels != [0; AREA]);
                let mut block = earlier.filter(|_| from_before).unwrap_or(beside);
                if rest {
                    levels = residual(coder, class, &levels);
                    let change = inverse(&levels.map(|level| (level * step).clamp(-COEFFICIENT_MAX, COEFFICIENT_MAX)));
                    block.iter_mut().zip(change).for_each(|(level, change)| *level = (*level + change).clamp(0, 255));
                }
                canvas.put(column, row, &block);
                (left, *above) = ((from_before, rest), (from_before, rest));
            }
        }
        for row in canvas.levels.chunks_exact(columns * SIDE).take(height) {
            out.extend(row[..width].iter().map(|&level| level as u8));
        }
        before = Some(canvas);
    }
    out
}

/// Side of a block in pixels, and its pixels.
const SIDE: usize = 8;
const AREA: usize = SIDE * SIDE;

/// Grey levels, differences or coefficients, row by row.
type Block = [i32; AREA];

/// A picture as it is decoded, in whole blocks.
struct Canvas {
    /// Pixels of a row.
    stride: usize,
    levels: Vec<i32>,
}

impl Canvas {
    fn new(columns: usize) -> Canvas {
        Canvas { stride: columns * SIDE, levels: Vec::new() }
    }

    /// Adds a row of blocks.
    fn grow(&mut self) {
        self.levels.resize(self.levels.len() + self.stride * SIDE, 0);
    }

    fn block(&self, column: usize, row: usize) -> Block {
        let first = row * SIDE * self.stride + column * SIDE;
        std::array::from_fn(|i| self.levels[first + i / SIDE * self.stride + i % SIDE])
    }

    fn put(&mut self, column: usize, row: usize, block: &Block) {
        let first = row * SIDE * self.stride + column * SIDE;
        for (y, levels) in block.chunks_exact(SIDE).enumerate() {
            self.levels[first + y * self.stride..][..SIDE].copy_from_slice(levels);
        }
    }

    /// The mean of the pixels that touch a block from the left and from above, as a block.
    fn beside(&self, column: usize, row: usize) -> Block {
        let first = row * SIDE * self.stride + column * SIDE;
        let left = (column > 0).then(|| (0..SIDE).map(|y| self.levels[first - 1 + y * self.stride]).sum::<i32>());
        let above = (row > 0).then(|| self.levels[first - self.stride..][..SIDE].iter().sum::<i32>());
        let mean = match (left, above) {
            (Some(left), Some(above)) => (left + above + SIDE as i32) / (2 * SIDE as i32),
            (Some(sum), None) | (None, Some(sum)) => (sum + SIDE as i32 / 2) / SIDE as i32,
            (None, None) => 128,
        };
        [mean; AREA]
    }
}

/// A block of a picture; past the picture's edge its last pixels go on.
fn block_of(picture: &[u8], layout: Layout, column: usize, row: usize) -> Block {
    std::array::from_fn(|i| {
        let (x, y) = (column * SIDE + i % SIDE, row * SIDE + i / SIDE);
        picture[y.min(layout.height - 1) * layout.width + x.min(layout.width - 1)].into()
    })
}

/// Whether a block is better predicted from the picture before, and the quantised coefficients of what is left.
fn chosen(block: &Block, beside: &Block, earlier: Option<&Block>, step: i32) -> (bool, Block) {
    let attempt = |prediction: &Block| {
        let coefficients = forward(&std::array::from_fn(|i| block[i] - prediction[i]));
        let levels = coefficients.map(|c| (c.abs() + step * ROUNDING.0 / ROUNDING.1) / step * c.signum());
        let error: i64 = coefficients.iter().zip(&levels).map(|(c, level)| i64::from(c - level * step).pow(2)).sum();
        let bits: i64 =
            levels.iter().filter(|&&level| level != 0).map(|level| 5 + 2 * i64::from(level.abs().ilog2())).sum();
        (WEIGHT * error + bits * i64::from(step).pow(2), levels)
    };
    let (cost, levels) = attempt(beside);
    match earlier.map(attempt) {
        Some((other, levels)) if other <= cost => (true, levels),
        _ => (false, levels),
    }
}

/// A coefficient is rounded up from 2/3 of a step on. With 1/5, 1/4, 5/12 and 1/2 in place of 1/3 the same bytes give the same or
/// 0.1 to 0.8 dB less.
const ROUNDING: (i32, i32) = (22, 64);

/// So much a squared error weighs against a bit at the square of the step.
const WEIGHT: i64 = 6;

/// What the coder learns.
#[derive(Default)]
struct Models {
    /// By how many of the blocks to the left and above are predicted from before.
    from_before: [Model; 3],
    /// Of blocks that are predicted from their neighbours, and from before.
    residual: [Residual; 2],
}

/// What it learns of coefficients.
struct Residual {
    /// By how many of the blocks to the left and above have any.
    any: [Model; 3],
    /// By diagonal and by the coefficients near.
    nonzero: [[Model; NEAR]; DIAGONALS],
    /// By place in the order.
    last: [Model; AREA],
    /// By coarse diagonal and by the coefficients near: larger than 1.
    second: [[Model; NEAR]; 3],
    /// By the coefficients near: larger than 2.
    third: [Model; NEAR],
    /// By its place: whether another bit is needed.
    longer: [Model; BITS_MAX],
}

impl Default for Residual {
    fn default() -> Residual {
        let model = Model::default();
        Residual {
            any: [model; 3],
            nonzero: [[model; NEAR]; DIAGONALS],
            last: [model; AREA],
            second: [[model; NEAR]; 3],
            third: [model; NEAR],
            longer: [model; BITS_MAX],
        }
    }
}

/// How many kinds of surroundings a coefficient may have.
const NEAR: usize = 4;

/// Diagonals that are told apart: from the ninth on, all are alike.
const DIAGONALS: usize = 9;

/// Most bits after the first of a level less 2: the largest at the smallest step is 2040.
const BITS_MAX: usize = 12;

/// Codes quantised coefficients of which at least one is not zero.
fn residual(coder: &mut impl Coder, models: &mut Residual, given: &Block) -> Block {
    let end = ORDER.iter().rposition(|&at| given[at] != 0);
    let mut levels: Block = [0; AREA];
    for (i, &at) in ORDER.iter().enumerate() {
        let (x, y) = (at % SIDE, at / SIDE);
        let size = |left: usize, up: usize| if x >= left && y >= up { levels[at - left - SIDE * up].abs() } else { 0 };
        let near = size(1, 0) + size(0, 1) + (size(1, 1) + size(2, 0) + size(0, 2) + 1) / 2;
        let near = (near as usize).min(NEAR - 1);
        if coder.bit(&mut models.nonzero[(x + y).min(DIAGONALS - 1)][near], given[at] != 0) {
            let second = &mut models.second[[0, 1, 1, 2][(x + y).min(3)]][near];
            let size =
                magnitude(coder, (second, &mut models.third[near], &mut models.longer), given[at].unsigned_abs());
            levels[at] = if coder.even(given[at] < 0) { -size } else { size };
            if coder.bit(&mut models.last[i], Some(i) == end) {
                break;
            }
        }
    }
    levels
}

/// Codes a number of at least 1.
fn magnitude(coder: &mut impl Coder, models: (&mut Model, &mut Model, &mut [Model; BITS_MAX]), given: u32) -> i32 {
    let (second, third, longer) = models;
    if !coder.bit(second, given > 1) {
        return 1;
    }
    if !coder.bit(third, given > 2) {
        return 2;
    }
    let rest = given.saturating_sub(2).max(1);
    let mut bits = 0;
    while bits < BITS_MAX && coder.bit(&mut longer[bits], rest.ilog2() as usize > bits) {
        bits += 1;
    }
    let value = (0..bits).rev().fold(1, |value, bit| value << 1 | i32::from(coder.even(rest >> bit & 1 == 1)));
    2 + value
}

/// Coefficients by diagonals, from the mean to the finest.
const ORDER: [usize; AREA] = {
    let mut order = [0; AREA];
    let (mut i, mut diagonal) = (0, 0);
    while diagonal < 2 * SIDE - 1 {
        let mut k = 0;
        while k <= diagonal {
            let (x, y) = if diagonal % 2 == 0 { (k, diagonal - k) } else { (diagonal - k, k) };
            if x < SIDE && y < SIDE {
                order[i] = y * SIDE + x;
                i += 1;
            }
            k += 1;
        }
        diagonal += 1;
    }
    order
};

/// The largest coefficient of a difference of grey levels, in 16ths: 255 * 8 * 16 is a little less.
const COEFFICIENT_MAX: i32 = (1 << 15) - 1;

/// The orthonormal cosine transform of eight values, in 4096ths: row by frequency.
const COSINES: [[i32; SIDE]; SIDE] = {
    // Half the cosines of 0 to 7 sixteenths of half a turn.
    const HALF: [i32; 8] = [2048, 2009, 1892, 1703, 1448, 1138, 784, 400];
    let mut rows = [[HALF[4]; SIDE]; SIDE];
    let mut frequency = 1;
    while frequency < SIDE {
        let mut n = 0;
        while n < SIDE {
            let turn = (2 * n + 1) * frequency % 32;
            let turn = if turn > 16 { 32 - turn } else { turn };
            rows[frequency][n] = if turn < 8 { HALF[turn] } else { -HALF[16 - turn] };
            n += 1;
        }
        frequency += 1;
    }
    rows
};

/// Coefficients of differences, in 16ths.
fn forward(block: &Block) -> Block {
    let mut across = [0; AREA];
    for (row, out) in block.chunks_exact(SIDE).zip(across.chunks_exact_mut(SIDE)) {
        for (cosines, out) in COSINES.iter().zip(out) {
            let sum: i32 = cosines.iter().zip(row).map(|(cosine, level)| cosine * level).sum();
            *out = (sum + (1 << 6)) >> 7;
        }
    }
    let mut out = [0; AREA];
    for (cosines, out) in COSINES.iter().zip(out.chunks_exact_mut(SIDE)) {
        for (cosine, row) in cosines.iter().zip(across.chunks_exact(SIDE)) {
            out.iter_mut().zip(row).for_each(|(sum, value)| *sum += cosine * value);
        }
        out.iter_mut().for_each(|sum| *sum = (*sum + (1 << 12)) >> 13);
    }
    out
}

/// Differences of coefficients within [`COEFFICIENT_MAX`]: 2^15 * 2^12 * 2.83 at most in a sum, below 2^31.
fn inverse(coefficients: &Block) -> Block {
    let mut across = [0; AREA];
    for (row, out) in coefficients.chunks_exact(SIDE).zip(across.chunks_exact_mut(SIDE)) {
        for (cosines, value) in COSINES.iter().zip(row) {
            out.iter_mut().zip(cosines).for_each(|(sum, cosine)| *sum += cosine * value);
        }
        out.iter_mut().for_each(|sum| *sum = (*sum + (1 << 11)) >> 12);
    }
    let mut out = [0; AREA];
    for (cosines, row) in COSINES.iter().zip(across.chunks_exact(SIDE)) {
        for (cosine, out) in cosines.iter().zip(out.chunks_exact_mut(SIDE)) {
            out.iter_mut().zip(row).for_each(|(sum, value)| *sum += cosine * value);
        }
    }
    out.map(|sum| (sum + (1 << 15)) >> 16)
}
