//! Decides which patches deserve a key: those with contrast, and with structure in more than one
//! place and direction. Simple edges look alike everywhere.

use super::dct::{LANES, Lanes};
use super::hash::{self, PATCH, Patch};
use super::wide::widened;

/// Returns whether each of several patches is distinctive. The three limits come from a measurement
/// on 7.5e10 unrelated pairs.
pub(super) fn distinctive(patches: &[Patch; LANES]) -> [bool; LANES] {
    let mut squares = [[0.0; LANES]; PATCH * PATCH];
    let (mut deviations, mut structures) = ([0.0; LANES], [[0.0; LANES]; 5]);
    hash::interleave(patches, &mut squares);
    measure(&squares, &mut deviations, &mut structures);
    std::array::from_fn(|lane| {
        deviations[lane] >= CONTRAST_MIN && is_structured(structures.map(|sums| sums[lane]))
    })
}

widened! {
    /// Standard deviations of several patches in grey levels, and the sums of the gradients'
    /// length, its square, and the entries of the structure tensor.
    fn measure(squares: &[Lanes; PATCH * PATCH], deviations: &mut Lanes, structures: &mut [Lanes; 5]) = measure_always;
}

#[inline(always)]
fn measure_always(
    squares: &[Lanes; PATCH * PATCH],
    deviations: &mut Lanes,
    structures: &mut [Lanes; 5],
) {
    *deviations = hash::contrast(squares).1;
    let mut sums = [[0.0; LANES]; 5];
    for y in 1..PATCH - 1 {
        for x in 1..PATCH - 1 {
            let i = y * PATCH + x;
            for lane in 0..LANES {
                let gx = 0.5 * (squares[i + 1][lane] - squares[i - 1][lane]);
                let gy = 0.5 * (squares[i + PATCH][lane] - squares[i - PATCH][lane]);
                let square = gx * gx + gy * gy;
                sums[0][lane] += square.sqrt();
                sums[1][lane] += square;
                sums[2][lane] += gx * gx;
                sums[3][lane] += gy * gy;
                sums[4][lane] += gx * gy;
            }
        }
    }
    *structures = sums;
}

/// Returns whether gradients are spread over a patch and have more than one direction.
fn is_structured([sum, squares, xx, yy, xy]: [f32; 5]) -> bool {
    let n = ((PATCH - 2) * (PATCH - 2)) as f32;
    if squares <= f32::EPSILON || sum * sum / (n * squares) < PARTICIPATION_MIN {
        return false;
    }
    let (half_trace, root) = (
        0.5 * (xx + yy),
        (0.25 * (xx - yy) * (xx - yy) + xy * xy).sqrt(),
    );
    (half_trace - root) / (half_trace + root) >= ISOTROPY_MIN
}

/// Minimum standard deviation of a patch, in grey levels.
const CONTRAST_MIN: f32 = 8.0;

/// Minimum gradient participation ratio `(sum g)^2 / (n sum g^2)`, 0..=1: 1 when the gradient is
/// the same everywhere.
const PARTICIPATION_MIN: f32 = 0.25;

/// Minimum ratio of the structure tensor's eigenvalues, 0..=1: 0 for a straight edge.
const ISOTROPY_MIN: f32 = 0.08;

#[cfg(test)]
mod tests {
    use super::super::testing::texture;
    use super::*;

    fn patch(level: impl Fn(f32, f32) -> f32) -> Patch {
        std::array::from_fn(|i| level((i % PATCH) as f32, (i / PATCH) as f32))
    }

    /// Flat, faint, edges, a line, a dot, pictures.
    fn patches() -> [Patch; LANES] {
        [
            patch(|_, _| 90.0),
            patch(|x, y| 0.05 * texture(x, y, 1)),
            patch(|x, _| if x < 12.0 { 20.0 } else { 220.0 }),
            patch(|x, y| if x + y < PATCH as f32 { 20.0 } else { 220.0 }),
            patch(|_, y| if y == 9.0 { 255.0 } else { 0.0 }),
            patch(|x, y| if x.hypot(y) < 4.0 { 255.0 } else { 0.0 }),
            patch(|x, y| texture(x, y, 2)),
            patch(|x, y| 255.0 - 0.5 * texture(2.0 * x, 2.0 * y, 3)),
        ]
    }

    #[test]
    fn edges_lines_and_what_is_flat_are_not_distinctive_and_pictures_are() {
        assert_eq!(
            distinctive(&patches()),
            [false, false, false, false, false, false, true, true]
        );
    }

    #[test]
    fn all_processors_measure_the_same() {
        let mut squares = [[0.0; LANES]; PATCH * PATCH];
        hash::interleave(&patches(), &mut squares);
        let (mut wide, mut plain) = (
            ([0.0; LANES], [[0.0; LANES]; 5]),
            ([0.0; LANES], [[0.0; LANES]; 5]),
        );
        measure(&squares, &mut wide.0, &mut wide.1);
        measure_always(&squares, &mut plain.0, &mut plain.1);
        assert_eq!(wide, plain);
    }
}
