//! What moves: each picture of a video against the mean of its neighbours, in coarse cells of three
//! levels.
//!
//! A fixed camera shows the same walls at all times, so keys of walls identify no moment. But a
//! picture minus its mean over the seconds around it holds only what moves, and a copy shows the
//! same motion at the same time. Three levels are enough to compare it by correlation, and survive
//! changes of brightness and contrast. They show outlines: that somebody walks by, and hardly who.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use super::plane::Plane;
use crate::error::millis;

/// The motion in a video, picture by picture.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Motion {
    columns: u16,
    rows: u16,
    /// Side of a cell in heights of the frame.
    pitch: f32,
    /// When the pictures are shown, in milliseconds, in order.
    times: Vec<u32>,
    /// Four cells per byte, the first in the lowest bits; each picture begins at a new byte. 0
    /// still, 1 brighter than the mean, 2 darker.
    cells: Vec<u8>,
}

impl Motion {
    /// Creates an empty track with this many cells (at least one) of side `pitch`, in heights of
    /// the frame.
    pub fn new(columns: u16, rows: u16, pitch: f32) -> Motion {
        Motion {
            columns: columns.max(1),
            rows: rows.max(1),
            pitch,
            ..Motion::default()
        }
    }

    /// Appends a picture, not earlier than the last. For each cell, row by row, the sign says
    /// whether it is brighter or darker than its neighbours; missing cells are still.
    pub fn push(&mut self, time: Duration, cells: &[i8]) {
        self.times.push(millis(time));
        let all = usize::from(self.columns) * usize::from(self.rows);
        let level = |&cell: &i8| match cell.signum() {
            1 => BRIGHTER,
            -1 => DARKER,
            _ => 0,
        };
        let start = self.cells.len();
        self.cells.resize(start + self.stride(), 0);
        for (i, cell) in cells.iter().take(all).enumerate() {
            self.cells[start + i / 4] |= level(cell) << (2 * (i % 4));
        }
    }

    /// Number of pictures.
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// Whether there are no pictures.
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// Cells across and down.
    pub fn size(&self) -> (usize, usize) {
        (self.columns.into(), self.rows.into())
    }

    /// Side of a cell in heights of the frame; the first one begins at the frame's corner.
    pub fn pitch(&self) -> f32 {
        self.pitch
    }

    /// When a picture is shown.
    pub fn time(&self, picture: usize) -> Duration {
        Duration::from_millis(self.times[picture].into())
    }

    /// Indices of the pictures between two times, in seconds.
    pub fn between(&self, from: f32, to: f32) -> Range<usize> {
        let second = |time: &u32| Duration::from_millis((*time).into()).as_secs_f32();
        let start = self.times.partition_point(|time| second(time) < from);
        start
            ..self
                .times
                .partition_point(|time| second(time) <= to)
                .max(start)
    }

    /// The cells of a picture row by row: 0 where it is less than [`STILL`] grey levels from its
    /// neighbours' mean, 1 where it is brighter and -1 where it is darker.
    pub fn picture(&self, picture: usize) -> Vec<i8> {
        let stride = self.stride();
        let cells = &self.cells[picture * stride..][..stride];
        let cell = |i: usize| match cells[i / 4] >> (2 * (i % 4)) & 3 {
            BRIGHTER => 1,
            DARKER => -1,
            _ => 0,
        };
        (0..usize::from(self.columns) * usize::from(self.rows))
            .map(cell)
            .collect()
    }

    /// Every `step`-th picture, starting with the first.
    pub(super) fn step_by(&self, step: usize) -> Motion {
        let cells = self
            .cells
            .chunks_exact(self.stride().max(1))
            .step_by(step)
            .flatten()
            .copied()
            .collect();
        Motion {
            times: self.times.iter().step_by(step).copied().collect(),
            cells,
            ..*self
        }
    }

    /// Bytes of a picture.
    fn stride(&self) -> usize {
        (usize::from(self.columns) * usize::from(self.rows)).div_ceil(4)
    }

    /// The stored bytes: columns and rows u16, pitch f32, number of pictures u32, their times in
    /// milliseconds u32 each, then their cells, 2 bits each; all little-endian. Without pictures
    /// there are no bytes.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        if self.is_empty() {
            return Vec::new();
        }
        let mut bytes = Vec::with_capacity(HEAD + 4 * self.times.len() + self.cells.len());
        bytes.extend(self.columns.to_le_bytes());
        bytes.extend(self.rows.to_le_bytes());
        bytes.extend(self.pitch.to_le_bytes());
        bytes.extend((self.times.len() as u32).to_le_bytes());
        bytes.extend(self.times.iter().flat_map(|time| time.to_le_bytes()));
        bytes.extend(&self.cells);
        bytes
    }

    /// Parses the bytes of [`Motion::to_bytes`]; the error says what is wrong with them.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Motion, &'static str> {
        if bytes.is_empty() {
            return Ok(Motion::default());
        }
        let Some((head, rest)) = bytes.split_first_chunk::<HEAD>() else {
            return Err("it is truncated");
        };
        let [a, b, c, d, e, f, g, h, i, j, k, l] = *head;
        let mut motion = Motion {
            columns: u16::from_le_bytes([a, b]),
            rows: u16::from_le_bytes([c, d]),
            pitch: f32::from_le_bytes([e, f, g, h]),
            ..Motion::default()
        };
        let pictures = u32::from_le_bytes([i, j, k, l]) as usize;
        let all = usize::from(motion.columns) * usize::from(motion.rows);
        let sizes = motion.pitch > 0.0 && motion.pitch <= 1.0 && (1..=CELLS_MAX).contains(&all);
        if !sizes || pictures == 0 {
            return Err("its cells are out of range");
        }
        let stride = motion.stride();
        if rest.len() as u64 != pictures as u64 * (4 + stride as u64) {
            return Err("its pictures do not match its length");
        }
        let (times, cells) = rest.split_at(4 * pictures);
        motion.times = times
            .chunks_exact(4)
            .map(|time| u32::from_le_bytes([time[0], time[1], time[2], time[3]]))
            .collect();
        if !motion.times.is_sorted() {
            return Err("its pictures are out of order");
        }
        // 3 is no level, and the bits after the last cell must be zero.
        let used = all - 4 * (stride - 1);
        let sound = |cells: &[u8]| {
            cells.iter().all(|byte| byte & byte >> 1 & 0x55 == 0)
                && u32::from(cells[stride - 1]) >> (2 * used) == 0
        };
        if !cells.chunks_exact(stride).all(sound) {
            return Err("a cell has no known level");
        }
        motion.cells = cells.to_vec();
        Ok(motion)
    }
}

/// Maximum cells of a picture; the largest of a clip has 512 x 15.
const CELLS_MAX: usize = 1 << 13;

/// Bytes before the pictures' times.
const HEAD: usize = 12;

const BRIGHTER: u8 = 1;
const DARKER: u8 = 2;

/// Minimum difference from the mean at which a cell moves, in grey levels. Measured on excerpts
/// cropped to vertical, shown as a small picture or edited for a short form: 3 and 6 levels
/// distinguish 91 and 90 of 100 pictures of a copy from those of other times.
pub const STILL: f32 = 3.0;

/// How far the neighbours of a picture extend on either side. On the same excerpts, with the mean
/// of the cells subtracted, two seconds and one distinguish 89 and 88 of 100 pictures; with medians
/// instead of means it is 89 and 85.
const REACH: Duration = Duration::from_secs(2);

/// Minimum number of pictures, including the neighbours, for a meaningful mean.
const NEIGHBOURS_MIN: usize = 3;

/// Takes pictures in order of time.
pub(super) struct Watcher {
    /// Pictures that are still needed.
    recent: VecDeque<Seen>,
    /// The first of them whose cells are not computed yet.
    next: usize,
    motion: Motion,
}

struct Seen {
    time: Duration,
    cells: Plane,
}

impl Watcher {
    pub(super) fn new() -> Watcher {
        Watcher {
            recent: VecDeque::new(),
            next: 0,
            motion: Motion::default(),
        }
    }

    /// Takes the means of a picture's cells, and their side in heights of the frame.
    pub(super) fn push(&mut self, time: Duration, cells: Plane, pitch: f32) {
        if self.motion.columns == 0 {
            // For frames of a single line, one still cell is kept.
            let size = (u16::try_from(cells.width), u16::try_from(cells.height));
            self.motion = match size {
                (Ok(columns), Ok(rows)) if cells.data.len() <= CELLS_MAX => {
                    Motion::new(columns, rows, pitch)
                }
                _ => Motion::new(1, 1, pitch),
            };
        }
        self.recent.push_back(Seen { time, cells });
        while self
            .recent
            .get(self.next)
            .is_some_and(|seen| seen.time + REACH < time)
        {
            self.make();
        }
    }

    pub(super) fn finish(mut self) -> Motion {
        while self.next < self.recent.len() {
            self.make();
        }
        self.motion
    }

    /// Computes the cells of the next picture, and drops pictures that are no neighbours of later
    /// ones.
    fn make(&mut self) {
        let seen = &self.recent[self.next];
        // If the frames change their shape, the cells keep that of the first.
        let (columns, rows) = self.motion.size();
        let whole = |seen: &Seen| (seen.cells.width, seen.cells.height) == (columns, rows);
        let mut moving = Vec::new();
        let neighbours = || {
            self.recent
                .iter()
                .filter(|other| whole(other) && other.time.abs_diff(seen.time) <= REACH)
        };
        let count = neighbours().count();
        if count >= NEIGHBOURS_MIN && whole(seen) {
            let mut sums = vec![0.0_f32; columns * rows];
            for other in neighbours() {
                sums.iter_mut()
                    .zip(&other.cells.data)
                    .for_each(|(sum, level)| *sum += level);
            }
            let off = seen
                .cells
                .data
                .iter()
                .zip(&sums)
                .map(|(level, sum)| level - sum / count as f32);
            moving = off
                .map(|off| i8::from(off >= STILL) - i8::from(off <= -STILL))
                .collect();
        }
        let made = seen.time;
        self.motion.push(made, &moving);
        self.next += 1;
        while self.next > 0
            && self
                .recent
                .front()
                .is_some_and(|old| old.time + REACH < made)
        {
            self.recent.pop_front();
            self.next -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Cells of a still gradient with a bright square of four cells at a column.
    fn picture(column: usize, gain: f32) -> Plane {
        let level = |i: usize| {
            let (x, y) = (i % 16, i / 16);
            let square = (column..column + 2).contains(&x) && (3..5).contains(&y);
            gain * (50.0 + 4.0 * y as f32 + if square { 60.0 } else { 0.0 })
        };
        Plane {
            width: 16,
            height: 9,
            data: (0..16 * 9).map(level).collect(),
        }
    }

    fn watch(pictures: impl Iterator<Item = Plane>) -> Motion {
        let mut watcher = Watcher::new();
        for (i, picture) in pictures.enumerate() {
            watcher.push(Duration::from_millis(500 * i as u64), picture, 1.0 / 9.0);
        }
        watcher.finish()
    }

    #[test]
    fn what_moves_is_brighter_where_it_is_and_what_stands_still_is_nothing() {
        let moving = watch((0..12).map(|i| picture(i, 1.0)));
        assert_eq!((moving.len(), moving.size()), (12, (16, 9)));
        for i in 0..12 {
            assert_eq!(moving.time(i), Duration::from_millis(500 * i as u64));
            let cells = moving.picture(i);
            for (cell, &level) in cells.iter().enumerate() {
                let (x, y) = (cell % 16, cell / 16);
                let here = (i..i + 2).contains(&x) && (3..5).contains(&y);
                assert_eq!(level == 1, here, "picture {i}, column {x}, row {y}");
                assert!(
                    level >= 0 || (3..5).contains(&y),
                    "picture {i}, column {x}, row {y}"
                );
            }
        }
        let still = watch((0..12).map(|_| picture(5, 1.0)));
        assert!((0..12).all(|i| still.picture(i).iter().all(|&level| level == 0)));
    }

    #[test]
    fn brightness_and_contrast_change_nothing() {
        let plain = watch((0..12).map(|i| picture(i, 1.0)));
        let dark = watch((0..12).map(|i| picture(i, 0.6)));
        assert_eq!(plain, dark);
    }

    #[test]
    fn a_picture_of_another_shape_is_still_and_keeps_its_place() {
        let other = Plane {
            width: 9,
            height: 16,
            data: vec![200.0; 16 * 9],
        };
        let motion = watch((0..12).map(|i| {
            if i == 6 {
                other.clone()
            } else {
                picture(i, 1.0)
            }
        }));
        assert_eq!(motion.len(), 12);
        assert!(motion.picture(6).iter().all(|&level| level == 0));
        assert!(motion.picture(7).contains(&1));
    }

    #[test]
    fn pictures_are_found_by_their_time() {
        let motion = watch((0..6).map(|i| picture(i, 1.0)));
        assert_eq!(motion.between(0.4, 1.5), 1..4);
        assert!(motion.between(0.6, 0.9).is_empty() && motion.between(2.0, 1.0).is_empty());
        assert_eq!(motion.between(-1.0, 99.0), 0..6);
    }

    #[test]
    fn each_second_picture_can_be_kept() {
        let motion = watch((0..5).map(|i| picture(i, 1.0)));
        let half = motion.step_by(2);
        assert_eq!(
            (half.len(), half.time(1), half.picture(2)),
            (3, motion.time(2), motion.picture(4))
        );
        assert_eq!(Motion::default().step_by(2), Motion::default());
    }

    #[test]
    fn every_truncation_and_every_unknown_level_is_refused() {
        let bytes = watch((0..3).map(|i| picture(i, 1.0))).to_bytes();
        for length in 1..bytes.len() {
            assert!(
                Motion::from_bytes(&bytes[..length]).is_err(),
                "cut to {length}"
            );
        }
        let mut wrong = bytes.clone();
        wrong[HEAD + 12 + 5] |= 3;
        assert_eq!(Motion::from_bytes(&wrong), Err("a cell has no known level"));
        let mut large = bytes.clone();
        large[..4].fill(0xff);
        assert_eq!(
            Motion::from_bytes(&large),
            Err("its cells are out of range")
        );
        let mut disordered = bytes;
        disordered[HEAD] = 255;
        disordered[HEAD + 1] = 255;
        assert_eq!(
            Motion::from_bytes(&disordered),
            Err("its pictures are out of order")
        );
    }

    proptest! {
        #[test]
        fn bytes_give_back_what_was_pushed(
            columns in 1_u16..9, rows in 1_u16..9, pictures in prop::collection::vec(prop::collection::vec(-1_i8..=1, 0..90), 0..5)
        ) {
            let mut motion = Motion::new(columns, rows, 0.125);
            let all = usize::from(columns * rows);
            for (i, cells) in pictures.iter().enumerate() {
                motion.push(Duration::from_millis(40 * i as u64), cells);
                let mut expected = cells.clone();
                expected.resize(all, 0);
                prop_assert_eq!(motion.picture(i), expected);
            }
            let back = Motion::from_bytes(&motion.to_bytes()).unwrap();
            prop_assert_eq!(back.len(), motion.len());
            prop_assert!(motion.is_empty() || back == motion);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Motion::from_bytes(&bytes);
        }
    }
}
