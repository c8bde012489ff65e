//! Finds burnt-in logos and captions: edges that stay while their surroundings move (pure).
//!
//! Frames are gathered in windows of about a second. An edge that keeps its place and direction
//! through a window is still. By their edges, cells of eight pixels are still, moving or empty. A
//! group of still cells among moving ones may be burnt in. It is a logo if it keeps its pattern for
//! several windows. It is a caption if its place stays and its pattern changes now and then. If
//! most of the picture stands still, the result is undecided.

use std::time::Duration;

use super::plane::{Plane, UNIT};
use super::{Area, Finding, OVERLAYS_MAX, Overlay, OverlayKind, Overlays, round};

mod groups;

use groups::{Box, groups};

/// Examines some frames a second.
#[derive(Debug, Default)]
pub(super) struct Still {
    size: (usize, usize),
    window: Option<Window>,
    tracks: Vec<Track>,
    windows: u32,
    /// Number of windows in which most cells with edges move.
    moving: u32,
}

/// Sums over the frames of a window.
#[derive(Debug)]
struct Window {
    start: Duration,
    end: Duration,
    frames: i32,
    across: Vec<i16>,
    down: Vec<i16>,
    strength: Vec<i16>,
}

/// Steepness of the still edges of a window by pixel, across and down; 0 elsewhere.
#[derive(Debug)]
struct Pattern {
    across: Vec<i8>,
    down: Vec<i8>,
}

/// The part of a pattern within a box.
#[derive(Debug, Clone)]
struct Crop {
    area: Box,
    /// Steepness of the still edges across and down, row by row.
    edges: Vec<(i8, i8)>,
}

/// Still groups of consecutive windows at one place.
#[derive(Debug)]
struct Track {
    /// Union and intersection of its groups in all windows, in cells.
    whole: Box,
    common: Box,
    start: Duration,
    end: Duration,
    windows: u32,
    /// Its pattern in the first window, and in how many windows it is the same.
    first: Crop,
    same: u32,
    /// Its pattern in the last window, and in how many windows it equals that of the window before.
    latest: Crop,
    held: u32,
    /// Number of the last window.
    last: u32,
}

/// Content of a cell in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cell {
    Empty,
    Still,
    Moving,
}

impl Still {
    /// Adds a frame.
    pub(super) fn look(&mut self, time: Duration, plane: &Plane) {
        let size = (plane.width, plane.height);
        if size != self.size {
            *self = Still {
                size,
                ..Still::default()
            };
        }
        if plane.width < 4 * CELL || plane.height < 4 * CELL {
            return;
        }
        let pixels = plane.levels.len();
        let window = self.window.get_or_insert_with(|| Window {
            start: time,
            end: time,
            frames: 0,
            across: vec![0; pixels],
            down: vec![0; pixels],
            strength: vec![0; pixels],
        });
        window.add(time, plane);
        if time.saturating_sub(window.start) >= WINDOW && window.frames >= FRAMES_MIN
            || window.frames >= FRAMES_MAX
        {
            self.close();
        }
    }

    /// The overlays found, in the stored picture.
    pub(super) fn finish(mut self) -> Overlays {
        if self
            .window
            .as_ref()
            .is_some_and(|window| window.frames >= FRAMES_MIN)
        {
            self.close();
        }
        let (width, height) = (self.size.0.max(1) as f64, self.size.1.max(1) as f64);
        let mut found: Vec<Overlay> = Vec::new();
        self.tracks
            .sort_by_key(|track| std::cmp::Reverse(track.windows));
        for track in &self.tracks {
            let Some(kind) = track.kind(self.size) else {
                continue;
            };
            let cells = if kind == OverlayKind::Logo {
                track.common
            } else {
                track.whole
            };
            let cell = CELL as f64;
            let area = Area {
                x: round(cells.left as f64 * cell / width, 3),
                y: round(cells.top as f64 * cell / height, 3),
                width: round(
                    ((cells.right - cells.left) as f64 * cell / width).min(1.0),
                    3,
                ),
                height: round(
                    ((cells.bottom - cells.top) as f64 * cell / height).min(1.0),
                    3,
                ),
            };
            let (start_s, end_s) = (
                round(track.start.as_secs_f64(), 3),
                round(track.end.as_secs_f64(), 3),
            );
            if found.len() < OVERLAYS_MAX {
                found.push(Overlay {
                    kind,
                    area,
                    start_s,
                    end_s,
                });
            }
        }
        found.sort_by(|a, b| {
            a.start_s
                .total_cmp(&b.start_s)
                .then(a.area.y.total_cmp(&b.area.y))
        });
        let (state, reason) = match () {
            () if !found.is_empty() => (Finding::Found, None),
            () if self
                .tracks
                .iter()
                .any(|track| track.stays(self.size).is_some()) =>
            {
                (
                    Finding::Undecided,
                    Some(
                        "something stays in place while the rest moves, but it does not look like text or a logo",
                    ),
                )
            }
            () if self.size.0.min(self.size.1) < LINES_MIN => (
                Finding::Undecided,
                Some("the picture is too small to rule out text"),
            ),
            () if self.windows >= TRACK_MIN && self.moving * 2 >= self.windows => {
                (Finding::None, None)
            }
            () if self.windows < TRACK_MIN => (
                Finding::Undecided,
                Some("it is too short to tell what is burnt in"),
            ),
            () => (
                Finding::Undecided,
                Some("the picture stands still, so a logo or caption cannot be told from it"),
            ),
        };
        Overlays {
            state,
            found,
            reason: reason.map(str::to_owned),
        }
    }

    fn close(&mut self) {
        let Some(window) = self.window.take() else {
            return;
        };
        let (width, height) = self.size;
        let (pattern, cells) = window.judge(width, height);
        let (across, down) = (width / CELL, height / CELL);
        let count = |wanted: Cell| cells.iter().filter(|cell| **cell == wanted).count();
        let (still, moving) = (count(Cell::Still), count(Cell::Moving));
        self.windows += 1;
        let mostly_moves = moving >= MOVING_CELLS_MIN && moving >= MOVING_RATIO * still;
        self.moving += u32::from(mostly_moves);
        let is_still = |x: usize, y: usize| cells[y * across + x] == Cell::Still;
        for group in groups(across, down, &is_still) {
            if !group.is_overlay(across, down)
                || !surrounded(&cells, across, down, &group.area, mostly_moves)
            {
                continue;
            }
            self.follow(&group.area, &pattern, window.start, window.end);
        }
        let now = self.windows;
        // Drops tracks that ended early and were short; a caption may pause.
        self.tracks
            .retain(|track| now - track.last <= PAUSE || track.stays(self.size).is_some());
        self.tracks.truncate(TRACKS_MAX);
    }

    fn follow(&mut self, area: &Box, pattern: &Pattern, start: Duration, end: Duration) {
        let (now, width) = (self.windows, self.size.0);
        let near = self
            .tracks
            .iter_mut()
            .filter(|track| now - track.last <= PAUSE && track.last < now);
        let best = near
            .filter(|track| track.whole.is_place_of(area))
            .max_by_key(|track| track.whole.shared(area));
        match best {
            Some(track) => {
                let crop = pattern.crop(area, width);
                track.same += u32::from(track.first.agrees(&crop));
                track.held += u32::from(track.latest.agrees(&crop));
                track.latest = crop;
                track.whole = track.whole.with(area);
                if let Some(common) = track.common.within(area) {
                    track.common = common;
                }
                (track.end, track.last) = (end, now);
                track.windows += 1;
            }
            None => {
                let crop = pattern.crop(area, width);
                self.tracks.push(Track {
                    whole: *area,
                    common: *area,
                    start,
                    end,
                    windows: 1,
                    first: crop.clone(),
                    same: 1,
                    latest: crop,
                    held: 0,
                    last: now,
                });
            }
        }
    }
}

impl Window {
    fn add(&mut self, time: Duration, plane: &Plane) {
        self.end = time;
        self.frames += 1;
        let width = plane.width;
        for y in 1..plane.height - 1 {
            let (above, row, below) = (plane.row(y - 1), plane.row(y), plane.row(y + 1));
            let line = y * width + 1..(y + 1) * width - 1;
            let sums = self.across[line.clone()]
                .iter_mut()
                .zip(&mut self.down[line.clone()])
                .zip(&mut self.strength[line]);
            let around = row
                .iter()
                .zip(&row[2..])
                .zip(above[1..].iter().zip(&below[1..]));
            for (((across, down), strength), ((left, right), (up, low))) in sums.zip(around) {
                let (x, y) = ((right - left) >> FINE, (low - up) >> FINE);
                *across += x;
                *down += y;
                *strength += x.abs() + y.abs();
            }
        }
    }

    /// The still edges, and the content of each cell.
    fn judge(&self, width: usize, height: usize) -> (Pattern, Vec<Cell>) {
        let frames = self.frames as i16;
        let least = EDGE_MIN * frames;
        let mut pattern = Pattern {
            across: vec![0; self.across.len()],
            down: vec![0; self.down.len()],
        };
        let (cells_across, cells_down) = (width / CELL, height / CELL);
        let mut cells = Vec::with_capacity(cells_across * cells_down);
        for cell_y in 0..cells_down {
            for cell_x in 0..cells_across {
                let (mut edges, mut still) = (0, 0);
                for y in cell_y * CELL..(cell_y + 1) * CELL {
                    for at in y * width + cell_x * CELL..y * width + (cell_x + 1) * CELL {
                        if self.strength[at] < least {
                            continue;
                        }
                        edges += 1;
                        let kept =
                            i32::from(self.across[at].abs()) + i32::from(self.down[at].abs());
                        if kept * 100 >= i32::from(self.strength[at]) * KEPT_PERCENT {
                            still += 1;
                            pattern.across[at] = (self.across[at] / frames).clamp(-127, 127) as i8;
                            pattern.down[at] = (self.down[at] / frames).clamp(-127, 127) as i8;
                        }
                    }
                }
                cells.push(match () {
                    () if edges < EDGES_MIN => Cell::Empty,
                    // Between the strokes of a letter the moving picture remains visible, so two
                    // fifths are enough.
                    () if still >= EDGES_MIN && still * 5 >= edges * 2 => Cell::Still,
                    () if still * 6 <= edges => Cell::Moving,
                    () => Cell::Empty,
                });
            }
        }
        (pattern, cells)
    }
}

impl Pattern {
    /// The part of the pattern within these cells.
    fn crop(&self, area: &Box, width: usize) -> Crop {
        let rows = area.top * CELL..area.bottom * CELL;
        let places = rows.flat_map(|y| y * width + area.left * CELL..y * width + area.right * CELL);
        Crop {
            area: *area,
            edges: places.map(|at| (self.across[at], self.down[at])).collect(),
        }
    }
}

impl Crop {
    /// Whether both have the same edges where they overlap.
    fn agrees(&self, other: &Crop) -> bool {
        let Some(both) = self.area.within(&other.area) else {
            return false;
        };
        let (mut product, mut mine, mut theirs) = (0_i64, 0_i64, 0_i64);
        for y in both.top * CELL..both.bottom * CELL {
            for x in both.left * CELL..both.right * CELL {
                let (one, two) = (self.at(x, y), other.at(x, y));
                for (a, b) in
                    [(one.0, two.0), (one.1, two.1)].map(|(a, b)| (i64::from(a), i64::from(b)))
                {
                    product += a * b;
                    mine += a * a;
                    theirs += b * b;
                }
            }
        }
        product > 0 && product as f64 >= AGREE_MIN * (mine as f64 * theirs as f64).sqrt()
    }

    fn at(&self, x: usize, y: usize) -> (i8, i8) {
        let width = (self.area.right - self.area.left) * CELL;
        self.edges[(y - self.area.top * CELL) * width + x - self.area.left * CELL]
    }
}

impl Track {
    /// The kind of overlay, if it is certainly burnt in.
    fn kind(&self, size: (usize, usize)) -> Option<OverlayKind> {
        let is_sure = match self.stays(size)? {
            // An edge of the scene may stand still too, but it is thin.
            OverlayKind::Logo => self.common.thickness() >= THICKNESS_MIN,
            // A text stays for a while before the next one. If the pattern changes in each window,
            // it is the scene.
            OverlayKind::Caption => self.held >= HELD_MIN && self.held * HELD_RATIO >= self.windows,
        };
        self.stays(size).filter(|_| is_sure)
    }

    /// The kind of overlay that it may be, if it lasts long enough.
    fn stays(&self, (width, height): (usize, usize)) -> Option<OverlayKind> {
        if self.windows < TRACK_MIN {
            return None;
        }
        let (across, down) = (
            self.whole.right - self.whole.left,
            self.whole.bottom - self.whole.top,
        );
        let (wide, tall) = (across * CELL, down * CELL);
        if self.same * 3 >= self.windows * 2 {
            return (self.same >= TRACK_MIN).then_some(OverlayKind::Logo);
        }
        let is_band = wide >= 2 * tall && wide * 100 >= width * BAND_PERCENT && tall * 4 <= height;
        is_band.then_some(OverlayKind::Caption)
    }
}

/// Whether the surroundings of these cells move, as far as they have edges.
fn surrounded(cells: &[Cell], across: usize, down: usize, area: &Box, mostly_moves: bool) -> bool {
    let ring = area.grown(RING, across, down);
    let (mut still, mut moving) = (0, 0);
    for y in ring.top..ring.bottom {
        for x in ring.left..ring.right {
            if !area.holds(x, y) {
                match cells[y * across + x] {
                    Cell::Still => still += 1,
                    Cell::Moving => moving += 1,
                    Cell::Empty => {}
                }
            }
        }
    }
    if mostly_moves {
        still <= moving.max(2)
    } else {
        moving >= 4 && moving >= 3 * still
    }
}

/// Minimum short side of a reduced picture, in pixels, that can be found to have no overlay. In
/// smaller ones, a line of text fills too few cells.
const LINES_MIN: usize = 250;
/// Side of a cell, in pixels of a picture of about 360 lines.
pub(super) const CELL: usize = 8;
/// Length of a window, and minimum and maximum number of its frames.
const WINDOW: Duration = Duration::from_millis(800);
const FRAMES_MIN: i32 = 4;
const FRAMES_MAX: i32 = 12;
/// Number of low bits dropped from a difference of levels, so that the sums of a window fit
/// 16 bits. A quarter of a level remains.
const FINE: u32 = 2;
/// Minimum strength of an edge, mean over the window: sum of the differences across and down over
/// two pixels, in quarters of a level.
const EDGE_MIN: i16 = ((22 * UNIT) >> FINE) as i16;
/// Minimum strength that a still edge keeps in the mean over a window, in percent.
const KEPT_PERCENT: i32 = 86;
/// Minimum number of edge pixels in a cell that is not empty.
const EDGES_MIN: usize = 6;
/// Minimum correlation of the edges of two windows with the same pattern.
const AGREE_MIN: f64 = 0.6;
/// Minimum number of windows in which an overlay is seen.
const TRACK_MIN: u32 = 3;
/// Maximum number of windows from one sighting of a track to the next; a caption may pause between
/// two texts.
const PAUSE: u32 = 2;
/// Minimum number of windows in which a caption repeats the pattern of the window before: this
/// many, and 1 of `HELD_RATIO` of all windows. A text of two seconds fills two windows.
const HELD_MIN: u32 = 2;
const HELD_RATIO: u32 = 4;
/// Minimum thickness of a logo, in cells.
const THICKNESS_MIN: usize = 2;
/// Maximum number of tracks to follow.
const TRACKS_MAX: usize = 64;
/// Width of the surroundings of a group, in cells.
const RING: usize = 3;
/// Minimum number of moving cells in a picture that mostly moves, and their minimum ratio to still
/// ones.
const MOVING_CELLS_MIN: usize = 20;
const MOVING_RATIO: usize = 3;
/// Minimum width of a caption, in percent of the picture's.
const BAND_PERCENT: usize = 12;
