//! The discrete cosine transform (type II) of squares of 32x32, several at a time, one in each lane
//! of the registers.
//!
//! It uses split radix (Plonka and Tasche 2005, "Fast and numerically stable algorithms for
//! discrete cosine transforms"), in the order of operations of the crates `image_hasher` 3.1 and
//! `rustdct` 0.7, which make the keys of whole frames. So the results are the same to the last bit.

use super::wide::widened;

/// Squares transformed at a time.
pub(super) const LANES: usize = 8;

/// The same element of each square.
pub(super) type Lanes = [f32; LANES];

/// Rows and columns of a square, and how many of the lowest coefficients of each are kept.
const SIDE: usize = 32;
const LOW: usize = SIDE / 2;

widened! {
    /// The lowest 16x16 coefficients, row by row, not normalised: transforms each row, then each
    /// column.
    pub(super) fn transform(squares: &[Lanes; SIDE * SIDE], low: &mut [Lanes; LOW * LOW]) = transform_always;
}

#[inline(always)]
fn transform_always(squares: &[Lanes; SIDE * SIDE], low: &mut [Lanes; LOW * LOW]) {
    let mut rows = [[0.0; LANES]; SIDE * LOW];
    for (row, out) in squares
        .as_chunks::<SIDE>()
        .0
        .iter()
        .zip(rows.as_chunks_mut::<LOW>().0)
    {
        line(row, out);
    }
    let (mut column, mut out) = ([[0.0; LANES]; SIDE], [[0.0; LANES]; LOW]);
    for x in 0..LOW {
        for (y, lanes) in column.iter_mut().enumerate() {
            *lanes = rows[LOW * y + x];
        }
        line(&column, &mut out);
        for (y, lanes) in out.iter().enumerate() {
            low[LOW * y + x] = *lanes;
        }
    }
}

/// The loop over the lanes has no branch and accesses neighbouring values, so it compiles to vector
/// instructions.
#[inline(always)]
fn line(line: &[Lanes; SIDE], low: &mut [Lanes; LOW]) {
    for lane in 0..LANES {
        let out = dct32(std::array::from_fn(|i| line[i][lane]));
        for (lanes, out) in low.iter_mut().zip(out) {
            lanes[lane] = out;
        }
    }
}

/// Builds a transform of `n` numbers from one of half the size and two of a quarter. The twiddles
/// are cosine and sine of `2 pi (2 i + 1) / (4 n)`.
macro_rules! split_radix {
    ($name:ident, $n:literal, $half:ident, $quarter:ident, $twiddles:expr) => {
        #[inline(always)]
        fn $name(x: [f32; $n]) -> [f32; $n] {
            const HALF: usize = $n / 2;
            const QUARTER: usize = $n / 4;
            const TWIDDLES: [(f32, f32); QUARTER] = $twiddles;
            let (mut sums, mut even, mut odd) = ([0.0; HALF], [0.0; QUARTER], [0.0; QUARTER]);
            for i in 0..QUARTER {
                let (cos, sin) = TWIDDLES[i];
                let (first, last) = (x[i], x[$n - 1 - i]);
                let (before, after) = (x[HALF - 1 - i], x[HALF + i]);
                sums[i] = last + first;
                sums[HALF - 1 - i] = before + after;
                let (outer, inner) = (first - last, before - after);
                even[i] = outer * cos + inner * sin;
                let turned = inner * cos - outer * sin;
                odd[QUARTER - 1 - i] = if i % 2 == 0 { turned } else { -turned };
            }
            let (sums, even, odd) = ($half(sums), $quarter(even), $quarter(odd));
            let mut out = [0.0; $n];
            (out[0], out[1], out[2]) = (sums[0], even[0], sums[1]);
            for i in 1..QUARTER {
                let turned = if (i + QUARTER) % 2 == 0 {
                    -odd[QUARTER - i]
                } else {
                    odd[QUARTER - i]
                };
                out[4 * i - 1] = even[i] + turned;
                out[4 * i] = sums[2 * i];
                out[4 * i + 1] = even[i] - turned;
                out[4 * i + 2] = sums[2 * i + 1];
            }
            out[$n - 1] = -odd[0];
            out
        }
    };
}

#[inline(always)]
fn dct2(x: [f32; 2]) -> [f32; 2] {
    [x[0] + x[1], (x[0] - x[1]) * std::f32::consts::FRAC_1_SQRT_2]
}

/// The quarters of this one are single numbers.
#[inline(always)]
fn dct4(x: [f32; 4]) -> [f32; 4] {
    let (cos, sin) = (0.923_879_5, 0.382_683_43);
    let (outer, inner) = (x[0] - x[3], x[1] - x[2]);
    let sums = dct2([x[3] + x[0], x[1] + x[2]]);
    [
        sums[0],
        outer * cos + inner * sin,
        sums[1],
        outer * sin - inner * cos,
    ]
}

split_radix!(
    dct8,
    8,
    dct4,
    dct2,
    [(0.980_785_25, 0.195_090_32), (0.831_469_6, 0.555_570_25)]
);
split_radix!(
    dct16,
    16,
    dct8,
    dct4,
    [
        (0.995_184_7, 0.098_017_14),
        (0.956_940_35, 0.290_284_66),
        (0.881_921_3, 0.471_396_74),
        (0.773_010_43, 0.634_393_3)
    ]
);
split_radix!(
    dct32,
    32,
    dct16,
    dct8,
    [
        (0.998_795_45, 0.049_067_676),
        (0.989_176_5, 0.146_730_47),
        (0.970_031_26, 0.242_980_18),
        (0.941_544_06, 0.336_889_86),
        (0.903_989_3, 0.427_555_08),
        (0.857_728_6, 0.514_102_76),
        (0.803_207_5, 0.595_699_3),
        (0.740_951_1, 0.671_559)
    ]
);

#[cfg(test)]
mod tests {
    use super::*;

    /// Different levels in each lane.
    fn squares() -> [Lanes; SIDE * SIDE] {
        let mut state = 0x2545_f491_u32;
        [(); SIDE * SIDE].map(|()| {
            [(); LANES].map(|()| {
                state = state.wrapping_mul(0x9e37_79b1).wrapping_add(0x6c62_272e);
                (state >> 24) as f32
            })
        })
    }

    #[test]
    fn the_coefficients_are_those_of_the_definition() {
        let squares = squares();
        let mut low = [[0.0; LANES]; LOW * LOW];
        transform(&squares, &mut low);
        let wave = |i: usize, k: usize| {
            (std::f64::consts::PI * (i as f64 + 0.5) * k as f64 / SIDE as f64).cos()
        };
        for (number, lanes) in low.iter().enumerate() {
            for (lane, found) in lanes.iter().enumerate() {
                let terms = squares.iter().enumerate().map(|(i, levels)| {
                    f64::from(levels[lane])
                        * wave(i % SIDE, number % LOW)
                        * wave(i / SIDE, number / LOW)
                });
                let wanted: f64 = terms.sum();
                assert!(
                    (f64::from(*found) - wanted).abs() < 0.1,
                    "{number}: {found} instead of {wanted}"
                );
            }
        }
    }

    #[test]
    fn all_processors_give_the_same_bits() {
        let squares = squares();
        let (mut wide, mut plain) = ([[0.0; LANES]; LOW * LOW], [[0.0; LANES]; LOW * LOW]);
        transform(&squares, &mut wide);
        transform_always(&squares, &mut plain);
        assert_eq!(
            wide.map(|lanes| lanes.map(f32::to_bits)),
            plain.map(|lanes| lanes.map(f32::to_bits))
        );
    }
}
