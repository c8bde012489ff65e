//! Distinguishes interlaced frames from progressive ones (pure).

use crate::media::{FullFrame, Luma};

use super::{Scan, ScanState, round};

/// Counts the decoder's marks of all frames, and examines rows of some frames.
#[derive(Debug, Default)]
pub(super) struct Fields {
    frames: u64,
    flagged: u64,
    looked: u32,
    combed: u32,
}

impl Fields {
    /// Counts the decoder's mark.
    pub(super) fn count(&mut self, frame: &FullFrame<'_>) {
        self.frames += 1;
        self.flagged += u64::from(frame.interlaced);
    }

    /// Examines a frame in which something moves.
    pub(super) fn look(&mut self, luma: &Luma<'_>, width: usize, height: usize, depth: u32) {
        let mut rows: [Vec<u16>; 5] = std::array::from_fn(|_| vec![0; width]);
        let threshold = 12_i32 << depth.saturating_sub(8);
        let (mut near, mut far, mut all) = (0_u32, 0_u32, 0_u32);
        for y in (2..height.saturating_sub(2)).step_by(ROWS_STEP) {
            for (i, row) in rows.iter_mut().enumerate() {
                luma.row(y + i - 2, 0, row);
            }
            let [a2, a1, b, c1, c2] = &rows;
            for x in 0..width {
                let at = |row: &[u16]| i32::from(row[x]);
                near += u32::from(combs(at(a1), at(b), at(c1), threshold));
                far += u32::from(combs(at(a2), at(b), at(c2), threshold));
            }
            all += width as u32;
        }
        if all > 0 {
            self.looked += 1;
            // Fine texture also differs from row to row, but then equally over two rows.
            self.combed += u32::from(near * 250 > all && near > 3 * far);
        }
    }

    /// The result for all frames.
    pub(super) fn finish(self) -> Scan {
        let flagged = self.flagged as f64 / self.frames.max(1) as f64;
        let combed = f64::from(self.combed) / f64::from(self.looked.max(1));
        let state = if flagged >= 0.5 || (self.looked >= LOOKS_MIN && combed >= COMBED_MIN) {
            ScanState::Interlaced
        } else if self.looked >= LOOKS_MIN {
            ScanState::Progressive
        } else {
            ScanState::Undecided
        };
        Scan {
            state,
            flagged: round(flagged, 3),
            combed: round(combed, 3),
        }
    }
}

/// Whether the middle one of three rows differs from both neighbours while these resemble each
/// other.
fn combs(above: i32, middle: i32, below: i32, threshold: i32) -> bool {
    let (up, down) = (middle - above, middle - below);
    up.abs() > threshold
        && down.abs() > threshold
        && (up > 0) == (down > 0)
        && (above - below).abs() < threshold
}

/// Step between the rows to examine.
const ROWS_STEP: usize = 7;
/// Minimum number of moving frames to decide.
const LOOKS_MIN: u32 = 3;
/// Minimum share of the moving frames with combing in an interlaced clip, 0..=1. It is low because
/// slow motion shows none.
const COMBED_MIN: f64 = 0.3;
