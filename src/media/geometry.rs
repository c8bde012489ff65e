//! Computes the size of the working picture and how to turn it upright (pure).
//!
//! Assumes nothing about the decoder; the display matrix has nine numbers, as in containers.

use super::{LONG_SIDE_MAX, Resolution, SHORT_SIDE};

/// One of the eight ways to place a picture on a rectangular grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Orientation {
    /// Columns and rows are swapped.
    transposed: bool,
    /// The stored columns are read from right to left.
    columns_reversed: bool,
    /// The stored rows are read from bottom to top.
    rows_reversed: bool,
}

impl Orientation {
    /// The picture is shown as it is stored.
    pub(super) const UPRIGHT: Orientation = Orientation {
        transposed: false,
        columns_reversed: false,
        rows_reversed: false,
    };

    /// Picks the orientation nearest to a display matrix `[a b u c d v x y w]`, which maps a stored
    /// point to `(a x + c y, b x + d y)`. If none is nearest, as with all zeros, the picture stays
    /// as it is.
    pub(super) fn from_matrix(matrix: &[i32; 9]) -> Orientation {
        let [a, b, c, d] = [matrix[0], matrix[1], matrix[3], matrix[4]].map(i64::from);
        let mut best = (Orientation::UPRIGHT, a + d);
        for transposed in [false, true] {
            for columns_reversed in [false, true] {
                for rows_reversed in [false, true] {
                    let (column, row) = if transposed { (b, c) } else { (a, d) };
                    let column = if columns_reversed { -column } else { column };
                    let row = if rows_reversed { -row } else { row };
                    if column + row > best.1 {
                        let orientation = Orientation {
                            transposed,
                            columns_reversed,
                            rows_reversed,
                        };
                        best = (orientation, column + row);
                    }
                }
            }
        }
        best.0
    }

    /// Returns whether columns and rows are swapped, columns are read from the right, and rows from
    /// the bottom.
    pub(super) fn parts(self) -> (bool, bool, bool) {
        (self.transposed, self.columns_reversed, self.rows_reversed)
    }

    /// Swaps width and height if this orientation does.
    pub(super) fn apply_to_size<T>(self, (width, height): (T, T)) -> (T, T) {
        if self.transposed {
            (height, width)
        } else {
            (width, height)
        }
    }

    /// Turns pixels of `N` bytes each (rows of `width`, no padding) upright.
    pub(super) fn apply<const N: usize>(
        self,
        pixels: Vec<u8>,
        width: usize,
        height: usize,
    ) -> Vec<u8> {
        if self == Orientation::UPRIGHT || width == 0 || height == 0 {
            return pixels;
        }
        let (out_width, out_height) = self.apply_to_size((width, height));
        let mut out = Vec::with_capacity(pixels.len());
        for j in 0..out_height {
            for i in 0..out_width {
                let (x, y) = if self.transposed { (j, i) } else { (i, j) };
                let x = if self.columns_reversed {
                    width - 1 - x
                } else {
                    x
                };
                let y = if self.rows_reversed {
                    height - 1 - y
                } else {
                    y
                };
                out.extend_from_slice(&pixels[N * (y * width + x)..][..N]);
            }
        }
        out
    }
}

/// The size of a frame before it is turned upright. At twice the working size each side is exactly
/// doubled, so that a frame can be halved.
pub(super) fn frame_size(
    width: u32,
    height: u32,
    sample_aspect: (u32, u32),
    resolution: Resolution,
) -> (usize, usize) {
    let (across, down) = working_size(width, height, sample_aspect);
    (resolution.times() * across, resolution.times() * down)
}

/// Columns and rows of the small picture of a frame: about `area` pixels, the frame's shape, and
/// never larger than the frame. Shapes beyond 16:1 are reduced to 16:1.
pub(crate) fn small_size(width: usize, height: usize, area: usize) -> (usize, usize) {
    let aspect = width.max(1) as f64 / height.max(1) as f64;
    let (longest, square) = (small_side_max(area), area as f64);
    let shortest = area / longest.max(1);
    let side = |square: f64, all: usize| {
        (square.sqrt().round() as usize)
            .clamp(shortest, longest)
            .min(all.max(1))
    };
    (side(square * aspect, width), side(square / aspect, height))
}

/// Maximum columns or rows of a small picture of about `area` pixels.
pub(crate) const fn small_side_max(area: usize) -> usize {
    4 * area.isqrt()
}

/// Maximum pixels of a small picture of about `area` pixels, more than rounding up its sides can
/// give.
pub(crate) const fn small_area_max(area: usize) -> usize {
    area + small_side_max(area)
}

/// The size of the working picture, before it is turned upright, for a stored picture of `width` x
/// `height` pixels. `sample_aspect` is a pixel's aspect (numerator, denominator); a zero in either
/// means square.
fn working_size(width: u32, height: u32, sample_aspect: (u32, u32)) -> (usize, usize) {
    let (width, height) = displayed(width, height, sample_aspect);
    let (short, long) = (width.min(height), width.max(height));
    let scaled = |side: u64, of: u64, to: usize| {
        usize::try_from((side * to as u64 + of / 2) / of).unwrap_or(LONG_SIDE_MAX)
    };
    let long_side = scaled(long, short, SHORT_SIDE);
    let (short_side, long_side) = if long_side <= LONG_SIDE_MAX {
        (SHORT_SIDE, long_side)
    } else {
        let short_side = scaled(short, long, LONG_SIDE_MAX);
        (short_side.clamp(SHORT_SIDE_MIN, SHORT_SIDE), LONG_SIDE_MAX)
    };
    if width <= height {
        (short_side, long_side)
    } else {
        (long_side, short_side)
    }
}

/// Two numbers in the proportion of the displayed sides, before rotation.
fn displayed(width: u32, height: u32, sample_aspect: (u32, u32)) -> (u64, u64) {
    let (num, den) = match sample_aspect {
        (0, _) | (_, 0) => (1, 1),
        // No camera or disc has such an aspect, so it is damage; stretching by it would leave
        // nothing of the picture.
        (num, den) if num / SAMPLE_ASPECT_MAX >= den || den / SAMPLE_ASPECT_MAX >= num => (1, 1),
        (num, den) => (num, den),
    };
    // The products may take 64 bits; 48 bits leave room for the later factor of 512.
    let (w, h) = (
        u64::from(width.max(1)) * u64::from(num),
        u64::from(height.max(1)) * u64::from(den),
    );
    let excess = (w.max(h) >> 48).checked_ilog2().map_or(0, |bits| bits + 1);
    ((w >> excess).max(1), (h >> excess).max(1))
}

/// The displayed size in whole pixels, upright: the height is kept and the width is stretched.
pub(super) fn displayed_size(
    width: u32,
    height: u32,
    sample_aspect: (u32, u32),
    orientation: Orientation,
) -> (u32, u32) {
    let (w, h) = displayed(width, height, sample_aspect);
    let stretched = (u128::from(w) * u128::from(height.max(1)) + u128::from(h / 2)) / u128::from(h);
    let stretched = u32::try_from(stretched).unwrap_or(u32::MAX).max(1);
    orientation.apply_to_size((stretched, height))
}

/// Minimum short side of a picture with an extreme aspect, in pixels.
const SHORT_SIDE_MIN: usize = 8;
/// Maximum ratio of a pixel's sides; pixels beyond it count as square.
const SAMPLE_ASPECT_MAX: u32 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: i32 = 0x10000;

    fn turned(a: i32, b: i32, c: i32, d: i32) -> Vec<u8> {
        let orientation = Orientation::from_matrix(&[a, b, 0, c, d, 0, 0, 0, 0x4000_0000]);
        orientation.apply::<1>(vec![1, 2, 3, 4, 5, 6], 3, 2)
    }

    #[test]
    fn all_eight_orientations_turn_the_picture() {
        // 1 2 3
        // 4 5 6
        assert_eq!(turned(ONE, 0, 0, ONE), [1, 2, 3, 4, 5, 6]);
        assert_eq!(turned(-ONE, 0, 0, ONE), [3, 2, 1, 6, 5, 4]);
        assert_eq!(turned(ONE, 0, 0, -ONE), [4, 5, 6, 1, 2, 3]);
        assert_eq!(turned(-ONE, 0, 0, -ONE), [6, 5, 4, 3, 2, 1]);
        // A quarter turn clockwise sends the first row to the last column.
        assert_eq!(turned(0, ONE, -ONE, 0), [4, 1, 5, 2, 6, 3]);
        assert_eq!(turned(0, -ONE, ONE, 0), [3, 6, 2, 5, 1, 4]);
        assert_eq!(turned(0, ONE, ONE, 0), [1, 4, 2, 5, 3, 6]);
        assert_eq!(turned(0, -ONE, -ONE, 0), [6, 3, 5, 2, 4, 1]);
    }

    #[test]
    fn other_angles_and_damage_take_the_nearest_quarter() {
        // 80 degrees, then 10, then all zeros, then the largest numbers.
        assert_eq!(turned(11_380, 64_540, -64_540, 11_380), [4, 1, 5, 2, 6, 3]);
        assert_eq!(turned(64_540, 11_380, -11_380, 64_540), [1, 2, 3, 4, 5, 6]);
        assert_eq!(turned(0, 0, 0, 0), [1, 2, 3, 4, 5, 6]);
        assert_eq!(turned(i32::MIN, 0, 0, i32::MIN), [6, 5, 4, 3, 2, 1]);
    }

    #[test]
    fn the_working_size_has_a_short_side_of_128_and_a_long_one_of_at_most_512() {
        for ((width, height, aspect), size) in [
            ((1920, 1080, (1, 1)), (228, 128)),
            ((1080, 1920, (0, 1)), (128, 228)),
            ((720, 576, (64, 45)), (228, 128)),
            ((720, 576, (16, 15)), (171, 128)),
            ((64, 64, (2, 1)), (256, 128)),
            ((4000, 1000, (1, 1)), (512, 128)),
            ((4000, 100, (1, 1)), (512, 13)),
            ((1, 30_000, (1, 1)), (8, 512)),
            ((0, 0, (1, 1)), (128, 128)),
            ((100, 100, (1_000_000, 1)), (128, 128)),
            ((u32::MAX, 1, (15, 1)), (512, 8)),
        ] {
            let at = |resolution| frame_size(width, height, aspect, resolution);
            assert_eq!(at(Resolution::Working), size, "{width}x{height}");
            assert_eq!(
                at(Resolution::Double),
                (2 * size.0, 2 * size.1),
                "{width}x{height}"
            );
        }
    }

    #[test]
    fn a_small_picture_has_the_shape_of_its_frame_and_about_its_area() {
        for ((width, height, area), size) in [
            ((1920, 1080, 64 * 36), (64, 36)),
            ((1920, 1080, 96 * 54), (96, 54)),
            ((1080, 1920, 96 * 54), (54, 96)),
            ((640, 480, 96 * 54), (83, 62)),
            ((30_000, 1000, 96 * 54), (288, 18)),
            ((10, 1, 96 * 54), (10, 1)),
            ((0, 0, 96 * 54), (1, 1)),
        ] {
            assert_eq!(small_size(width, height, area), size, "{width}x{height}");
        }
    }

    #[test]
    fn no_frame_gives_a_larger_small_picture_than_is_believed() {
        let sides = [
            0, 1, 2, 17, 54, 97, 240, 575, 576, 720, 1080, 1920, 4096, 65_535,
        ];
        for area in [64 * 36, 96 * 54, 128 * 72] {
            for (width, height) in sides
                .iter()
                .flat_map(|&width| sides.map(|height| (width, height)))
            {
                let (columns, rows) = small_size(width, height, area);
                assert!(
                    columns.max(rows) <= small_side_max(area)
                        && columns * rows <= small_area_max(area)
                );
                assert!(
                    columns >= 1 && rows >= 1 && columns <= width.max(1) && rows <= height.max(1)
                );
            }
        }
    }

    #[test]
    fn the_displayed_size_keeps_the_height() {
        assert_eq!(
            displayed_size(720, 576, (64, 45), Orientation::UPRIGHT),
            (1024, 576)
        );
        let quarter = Orientation::from_matrix(&[0, ONE, 0, -ONE, 0, 0, 0, 0, 0]);
        assert_eq!(displayed_size(1920, 1080, (1, 1), quarter), (1080, 1920));
    }
}
