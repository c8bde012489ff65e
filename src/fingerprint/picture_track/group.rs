//! The code of a group of small pictures. Blocks of 8x8 are predicted from the picture before or
//! from their neighbours; the residual is transformed, quantised and range coded. All arithmetic is
//! in integers, so that every processor gives the same result.
//!
//! One function codes in both directions. It accepts any bytes, and decodes invalid ones to
//! meaningless pictures.

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

    /// Columns and rows of blocks.
    fn blocks(self) -> (usize, usize) {
        (self.width.div_ceil(SIDE), self.height.div_ceil(SIDE))
    }
}

/// The blocks of some pictures, transformed: the same for every step.
pub(super) fn spectra(layout: Layout, luma: &[u8]) -> Vec<Block> {
    let (columns, rows) = layout.blocks();
    let pictures = luma.chunks_exact(layout.area());
    let places = || (0..rows).flat_map(|row| (0..columns).map(move |column| (column, row)));
    let of = |picture| {
        places().map(move |(column, row)| forward(&block_of(picture, layout, column, row)))
    };
    pictures.flat_map(of).collect()
}

/// Codes pictures, given their spectra.
pub(super) fn write(layout: Layout, spectra: &[Block]) -> Vec<u8> {
    let mut writer = Writer::new();
    run(layout, Some(spectra), &mut writer);
    writer.finish()
}

/// The decoded pictures, `width * height` grey levels each, one after the other.
pub(super) fn read(layout: Layout, code: &[u8]) -> Vec<u8> {
    run(layout, None, &mut Reader::new(code))
}

/// Codes pictures and returns them as a decoder sees them.
fn run(layout: Layout, spectra: Option<&[Block]>, coder: &mut impl Coder) -> Vec<u8> {
    let Layout {
        width,
        height,
        pictures,
        step,
    } = layout;
    let (columns, rows) = layout.blocks();
    let mut models = Models::default();
    let mut before: Option<Canvas> = None;
    let mut out = Vec::with_capacity(layout.area() * pictures);
    for number in 0..pictures {
        let mut canvas = Canvas::new(layout);
        // For the block above each column and the one to the left: whether it was predicted from
        // the picture before, and whether it had a residual.
        let mut above = vec![(false, false); columns];
        for row in 0..rows {
            let mut left = (false, false);
            for (column, above) in above.iter_mut().enumerate() {
                let beside = canvas.beside(column, row);
                let earlier = before.as_ref().map(|before| before.block(column, row));
                let (mut from_before, mut levels) = (false, [0; AREA]);
                if let Some(spectra) = spectra {
                    let spectrum = &spectra[(number * rows + row) * columns + column];
                    (from_before, levels) = chosen(spectrum, beside, earlier.as_ref(), step);
                }
                let known = usize::from(left.0) + usize::from(above.0);
                from_before =
                    earlier.is_some() && coder.bit(&mut models.from_before[known], from_before);
                let known = usize::from(left.1) + usize::from(above.1);
                let class = &mut models.residual[usize::from(from_before)];
                let rest = coder.bit(&mut class.any[known], levels != [0; AREA]);
                let mut block = earlier.filter(|_| from_before).unwrap_or([beside; AREA]);
                if rest {
                    levels = residual(coder, class, &levels);
                    let change = inverse(&levels.map(|level| narrow(level * step)));
                    block
                        .iter_mut()
                        .zip(change)
                        .for_each(|(level, change)| *level = (*level + change).clamp(0, 255));
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

/// Grey levels, or coefficients in 16ths, row by row.
pub(super) type Block = [i16; AREA];

/// Quantised coefficients.
type Levels = [i32; AREA];

/// A decoded picture, in whole blocks.
struct Canvas {
    /// Pixels of a row.
    stride: usize,
    levels: Vec<i16>,
}

impl Canvas {
    fn new(layout: Layout) -> Canvas {
        let (columns, rows) = layout.blocks();
        Canvas {
            stride: columns * SIDE,
            levels: vec![0; columns * rows * AREA],
        }
    }

    fn block(&self, column: usize, row: usize) -> Block {
        let mut block = [0; AREA];
        let first = row * SIDE * self.stride + column * SIDE;
        for (y, levels) in block.chunks_exact_mut(SIDE).enumerate() {
            levels.copy_from_slice(&self.levels[first + y * self.stride..][..SIDE]);
        }
        block
    }

    fn put(&mut self, column: usize, row: usize, block: &Block) {
        let first = row * SIDE * self.stride + column * SIDE;
        for (y, levels) in block.chunks_exact(SIDE).enumerate() {
            self.levels[first + y * self.stride..][..SIDE].copy_from_slice(levels);
        }
    }

    /// The mean of the pixels that touch a block on the left and above.
    fn beside(&self, column: usize, row: usize) -> i16 {
        const TOUCHING: i16 = SIDE as i16;
        let first = row * SIDE * self.stride + column * SIDE;
        let left = (column > 0).then(|| {
            (0..SIDE)
                .map(|y| self.levels[first - 1 + y * self.stride])
                .sum::<i16>()
        });
        let above = (row > 0).then(|| {
            self.levels[first - self.stride..][..SIDE]
                .iter()
                .sum::<i16>()
        });
        match (left, above) {
            (Some(left), Some(above)) => (left + above + TOUCHING) / (2 * TOUCHING),
            (Some(sum), None) | (None, Some(sum)) => (sum + TOUCHING / 2) / TOUCHING,
            (None, None) => 128,
        }
    }
}

/// A block of a picture; beyond the picture's edge its last pixels are repeated.
fn block_of(picture: &[u8], layout: Layout, column: usize, row: usize) -> Block {
    std::array::from_fn(|i| {
        let (x, y) = (column * SIDE + i % SIDE, row * SIDE + i / SIDE);
        picture[y.min(layout.height - 1) * layout.width + x.min(layout.width - 1)].into()
    })
}

/// Whether a block is better predicted from the picture before, and the quantised coefficients of
/// the residual.
fn chosen(spectrum: &Block, beside: i16, earlier: Option<&Block>, step: i32) -> (bool, Levels) {
    let mut flat = [0; AREA];
    flat[0] = beside * FLAT;
    let (cost, levels) = attempt(spectrum, &flat, step);
    match earlier.map(|earlier| attempt(spectrum, &forward(earlier), step)) {
        Some((other, levels)) if other <= cost => (true, levels),
        _ => (false, levels),
    }
}

/// The cost of predicting one spectrum by another, and the quantised coefficients of the residual.
fn attempt(spectrum: &Block, prediction: &Block, step: i32) -> (i64, Levels) {
    let rest: Levels = std::array::from_fn(|i| i32::from(spectrum[i]) - i32::from(prediction[i]));
    // Dividing each coefficient would take longer than all the rest.
    let inverse = (1 << 16) / step;
    let levels = rest.map(|rest| {
        (((rest.abs() + step * ROUNDING.0 / ROUNDING.1) * inverse) >> 16) * rest.signum()
    });
    let error: i32 = rest
        .iter()
        .zip(&levels)
        .map(|(rest, level)| (rest - level * step).pow(2))
        .sum();
    let bits: i32 = levels
        .iter()
        .filter(|&&level| level != 0)
        .map(|level| 5 + 2 * level.abs().ilog2() as i32)
        .sum();
    (
        WEIGHT * i64::from(error) + i64::from(bits) * i64::from(step).pow(2),
        levels,
    )
}

/// Added to a coefficient before division, in steps: about a third. At equal bytes, 1/5, 1/4, 5/12
/// and 1/2 give 0.2, 0.2, 0.3 and 1.1 dB less.
const ROUNDING: (i32, i32) = (22, 64);

/// Weight of a squared error against a bit, at the square of the step.
const WEIGHT: i64 = 6;

/// The adaptive models of the coder.
#[derive(Default)]
struct Models {
    /// Index: how many of the blocks to the left and above are predicted from the picture before.
    from_before: [Model; 3],
    /// For blocks predicted from their neighbours, and from the picture before.
    residual: [Residual; 2],
}

/// The adaptive models of coefficients.
struct Residual {
    /// Index: how many of the blocks to the left and above have coefficients.
    any: [Model; 3],
    /// Index: diagonal, and the coefficients nearby.
    nonzero: [[Model; NEAR]; DIAGONALS],
    /// Index: position in the order.
    last: [Model; AREA],
    /// Whether it is larger than 1. Index: coarse diagonal, and the coefficients nearby.
    second: [[Model; NEAR]; 3],
    /// Whether it is larger than 2. Index: the coefficients nearby.
    third: [Model; NEAR],
    /// Whether another bit follows. Index: the bit's position.
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

/// Number of classes of a coefficient's neighbours.
const NEAR: usize = 4;

/// Number of diagonal classes; the ninth holds all later diagonals.
const DIAGONALS: usize = 9;

/// Maximum bits after the first of a level less 2; the largest level at the smallest step is 2040.
const BITS_MAX: usize = 12;

/// Codes quantised coefficients, at least one of which is not zero.
fn residual(coder: &mut impl Coder, models: &mut Residual, given: &Levels) -> Levels {
    let end = ORDER.iter().rposition(|&at| given[at] != 0);
    let mut levels: Levels = [0; AREA];
    for (i, &at) in ORDER.iter().enumerate() {
        let (x, y) = (at % SIDE, at / SIDE);
        let size = |left: usize, up: usize| {
            if x >= left && y >= up {
                levels[at - left - SIDE * up].abs()
            } else {
                0
            }
        };
        let near = size(1, 0) + size(0, 1) + (size(1, 1) + size(2, 0) + size(0, 2) + 1) / 2;
        let near = (near as usize).min(NEAR - 1);
        if coder.bit(
            &mut models.nonzero[(x + y).min(DIAGONALS - 1)][near],
            given[at] != 0,
        ) {
            let second = &mut models.second[[0, 1, 1, 2][(x + y).min(3)]][near];
            let size = magnitude(
                coder,
                (second, &mut models.third[near], &mut models.longer),
                given[at].unsigned_abs(),
            );
            levels[at] = if coder.even(given[at] < 0) {
                -size
            } else {
                size
            };
            if coder.bit(&mut models.last[i], Some(i) == end) {
                break;
            }
        }
    }
    levels
}

/// Codes a number of at least 1.
fn magnitude(
    coder: &mut impl Coder,
    models: (&mut Model, &mut Model, &mut [Model; BITS_MAX]),
    given: u32,
) -> i32 {
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
    let value = (0..bits).rev().fold(1, |value, bit| {
        value << 1 | i32::from(coder.even(rest >> bit & 1 == 1))
    });
    2 + value
}

/// Coefficients by diagonals, from the mean to the finest.
const ORDER: [usize; AREA] = {
    let mut order = [0; AREA];
    let (mut i, mut diagonal) = (0, 0);
    while diagonal < 2 * SIDE - 1 {
        let mut k = 0;
        while k <= diagonal {
            let (x, y) = if diagonal % 2 == 0 {
                (k, diagonal - k)
            } else {
                (diagonal - k, k)
            };
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

/// The orthonormal cosine transform of eight values, in 4096ths; a row for each frequency.
const COSINES: Matrix = {
    // Half the cosines of 0 to 7 sixteenths of half a turn.
    const HALF: [i16; 8] = [2048, 2009, 1892, 1703, 1448, 1138, 784, 400];
    let mut rows = [[HALF[4]; SIDE]; SIDE];
    let mut frequency = 1;
    while frequency < SIDE {
        let mut n = 0;
        while n < SIDE {
            let turn = (2 * n + 1) * frequency % 32;
            let turn = if turn > 16 { 32 - turn } else { turn };
            rows[frequency][n] = if turn < 8 {
                HALF[turn]
            } else {
                -HALF[16 - turn]
            };
            n += 1;
        }
        frequency += 1;
    }
    rows
};

/// The inverse transform; a row for each value.
const BACK: Matrix = {
    let mut rows = [[0; SIDE]; SIDE];
    let mut i = 0;
    while i < AREA {
        rows[i / SIDE][i % SIDE] = COSINES[i % SIDE][i / SIDE];
        i += 1;
    }
    rows
};

type Matrix = [[i16; SIDE]; SIDE];

/// The first coefficient of a uniform block, per grey level.
const FLAT: i16 = 8 * 16;

/// Coefficients of grey levels, in 16ths.
fn forward(block: &Block) -> Block {
    transformed(&COSINES, block, [7, 13])
}

/// Grey levels, or their differences, from coefficients.
fn inverse(coefficients: &Block) -> Block {
    transformed(&BACK, coefficients, [12, 16])
}

/// The matrix times the block times the transposed matrix. Sums are divided by these powers of two.
/// A sum is at most 2^15 * 2^12 * 2.83, below 2^31; values of real pictures fit into 16 bits.
fn transformed(matrix: &Matrix, block: &Block, shifts: [u32; 2]) -> Block {
    shifts.iter().fold(*block, |block, shift| {
        let mut turned = [0; AREA];
        for (weights, out) in matrix.iter().zip(turned.chunks_exact_mut(SIDE)) {
            for (row, out) in block.chunks_exact(SIDE).zip(out) {
                let sum: i32 = weights
                    .iter()
                    .zip(row)
                    .map(|(a, b)| i32::from(*a) * i32::from(*b))
                    .sum();
                *out = narrow((sum + (1 << (shift - 1))) >> shift);
            }
        }
        turned
    })
}

fn narrow(value: i32) -> i16 {
    value.clamp(i16::MIN.into(), i16::MAX.into()) as i16
}
