//! The pictures of a source and of a clip at one resolution, and how they are laid over each other.

use super::affine::Affine;
use crate::fingerprint::Thumbnail;

/// Pictures of one size, as grey levels.
pub(super) struct Pictures {
    pub(super) width: usize,
    pub(super) height: usize,
    /// When they are shown, in seconds, ascending.
    pub(super) times: Vec<f32>,
    pub(super) levels: Vec<Vec<f32>>,
}

impl Pictures {
    /// Those that have the shape of the first; `None` without any.
    pub(super) fn new(pictures: &[Thumbnail]) -> Option<Pictures> {
        let first = pictures.first()?;
        let shape = (first.width, first.height);
        let alike = || pictures.iter().filter(|picture| (picture.width, picture.height) == shape);
        Some(Pictures {
            width: shape.0,
            height: shape.1,
            times: alike().map(|picture| picture.time.as_secs_f32()).collect(),
            levels: alike().map(|picture| picture.luma.iter().map(|&level| f32::from(level)).collect()).collect(),
        })
    }

    /// Width in heights.
    pub(super) fn aspect(&self) -> f32 {
        self.width as f32 / self.height as f32
    }

    /// The same with squares of `side` pixels averaged; what is left over at the right and below is
    /// dropped.
    fn reduced(&self, side: usize) -> Pictures {
        let (width, height) = ((self.width / side).max(1), (self.height / side).max(1));
        let reduce = |levels: &Vec<f32>| {
            let mut sums = vec![0.0; width * height];
            for y in 0..(height * side).min(self.height) {
                for x in 0..(width * side).min(self.width) {
                    sums[y / side * width + x / side] += levels[y * self.width + x];
                }
            }
            let pixels = (side.min(self.width) * side.min(self.height)) as f32;
            sums.iter().map(|sum| sum / pixels).collect()
        };
        Pictures { width, height, times: self.times.clone(), levels: self.levels.iter().map(reduce).collect() }
    }

    /// The pictures between which a moment lies, and how near it is to the later one; `None` if none is
    /// within `apart` seconds.
    pub(super) fn at(&self, time: f32, apart: f32) -> Option<((usize, usize), f32)> {
        let after = self.times.partition_point(|other| *other < time);
        let near = |number: usize| self.times.get(number).is_some_and(|other| (other - time).abs() <= apart);
        let before = after.checked_sub(1).filter(|&before| near(before));
        match (before, near(after)) {
            (Some(before), true) => {
                let length = self.times[after] - self.times[before];
                let later = if length > 0.0 { (time - self.times[before]) / length } else { 0.0 };
                Some(((before, after), later))
            }
            (Some(only), false) => Some(((only, only), 0.0)),
            (None, true) => Some(((after, after), 0.0)),
            (None, false) => None,
        }
    }
}

/// A picture of the source beside a moment of the clip.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pair {
    /// Number of the source's picture.
    pub(super) source: usize,
    /// Numbers of the clip's picture before that moment and of the one after it.
    pub(super) clip: (usize, usize),
    /// How near the moment is to the later of the two, 0..=1.
    pub(super) later: f32,
}

/// Both sides at one resolution, that of the source's cells.
pub(super) struct Level {
    pub(super) source: Pictures,
    clip: Pictures,
    /// Side of a cell, in heights of the source's frame.
    pitch: f32,
    /// Whether the clip is the negative.
    negative: bool,
}

impl Level {
    /// Cells of `side` pixels of the source; `across` pixels of the clip lie across one of the
    /// source's.
    pub(super) fn new(source: &Pictures, clip: &Pictures, side: usize, across: f32, negative: bool) -> Level {
        // At least two pixels of the clip are left across a cell, which are averaged exactly.
        let spare = ((0.5 * across * side as f32) as usize).clamp(1, AVERAGED_MAX);
        let pitch = side as f32 / source.height as f32;
        Level { source: source.reduced(side), clip: clip.reduced(spare), pitch, negative }
    }

    /// Number of cells.
    pub(super) fn cells(&self) -> usize {
        self.source.width * self.source.height
    }

    /// Which cells have their middle in a part of the frame (left, top, right, bottom, in heights)
    /// or so near to it; all if these are too few to compare.
    pub(super) fn within(&self, [left, top, right, bottom]: [f32; 4], margin: f32) -> Vec<bool> {
        let middle = |number: usize| (number as f32 + 0.5) * self.pitch;
        let inside = |cell: usize| {
            let (x, y) = (middle(cell % self.source.width), middle(cell / self.source.width));
            (left - margin..=right + margin).contains(&x) && (top - margin..=bottom + margin).contains(&y)
        };
        let cells: Vec<bool> = (0..self.cells()).map(inside).collect();
        if cells.iter().filter(|inside| **inside).count() < CELLS_MIN { vec![true; cells.len()] } else { cells }
    }

    /// The clip's levels in the source's cells, normalised to the source's gain and offset, for each
    /// pair; NaN where the clip does not show the cell.
    pub(super) fn normalised(&self, map: &Affine, pairs: &[Pair], counted: &[bool]) -> Vec<Vec<f32>> {
        let points = self.points(map);
        let one = |pair: &Pair| {
            let mut levels = self.seen(&points, pair);
            match gain(&self.source.levels[pair.source], &levels, counted) {
                Some((gain, offset)) => levels.iter_mut().for_each(|level| *level = (*level - offset) / gain),
                None => levels.fill(f32::NAN),
            }
            levels
        };
        pairs.iter().map(one).collect()
    }

    /// How much each cell disagrees over the pairs: 0 not at all, 1 wholly; NaN where the clip does
    /// not show it.
    pub(super) fn disagreement(&self, map: &Affine, pairs: &[Pair], counted: &[bool]) -> Vec<f32> {
        let levels = self.normalised(map, pairs, counted);
        let mut sums = vec![0.0; self.cells()];
        for (pair, clip) in pairs.iter().zip(&levels) {
            let source = &self.source.levels[pair.source];
            let scale = (DISAGREEMENT * deviation(source)).max(DISAGREEMENT_MIN);
            for ((sum, clip), source) in sums.iter_mut().zip(clip).zip(source) {
                *sum += saturated((clip - source) / scale);
            }
        }
        sums.iter().map(|sum| sum / pairs.len().max(1) as f32).collect()
    }

    /// The mean of that over the cells that count; one that is not shown disagrees by half.
    pub(super) fn cost(&self, map: &Affine, pairs: &[Pair], counted: &[bool]) -> f32 {
        let cells = self.disagreement(map, pairs, counted);
        let (sum, count) = cells
            .iter()
            .zip(counted)
            .filter(|(_, counted)| **counted)
            .fold((0.0, 0.0_f32), |(sum, count), (cell, _)| {
                (sum + if cell.is_nan() { 0.5 } else { *cell }, count + 1.0)
            });
        sum / count.max(1.0)
    }

    /// Where each cell is looked up in the clip's picture, in its pixels; nowhere if the clip does
    /// not show all of it.
    fn points(&self, map: &Affine) -> Vec<Option<Vec<(f32, f32)>>> {
        let pixel = 1.0 / self.clip.height as f32;
        let across = ((map.stretch() * self.pitch / pixel).ceil() as usize).clamp(1, POINTS_MAX);
        let slack = 0.25 * pixel;
        let aspect = self.clip.aspect();
        let shown = |(x, y): (f32, f32)| (-slack..=aspect + slack).contains(&x) && (-slack..=1.0 + slack).contains(&y);
        let cell = |cell: usize| {
            let at = |dx: f32, dy: f32| {
                let (column, row) = (cell % self.source.width, cell / self.source.width);
                map.at((column as f32 + dx) * self.pitch, (row as f32 + dy) * self.pitch)
            };
            let corners = [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)];
            let point = |number: usize| {
                let middle = |part: usize| (part as f32 + 0.5) / across as f32;
                let (x, y) = at(middle(number % across), middle(number / across));
                (x / pixel - 0.5, y / pixel - 0.5)
            };
            corners.iter().all(|&(dx, dy)| shown(at(dx, dy))).then(|| (0..across * across).map(point).collect())
        };
        (0..self.cells()).map(cell).collect()
    }

    /// The clip's levels at the moment of a pair: between those of two pictures, as far as it is not at one
    /// of them.
    fn seen(&self, points: &[Option<Vec<(f32, f32)>>], pair: &Pair) -> Vec<f32> {
        let (before, after) = pair.clip;
        if pair.later < AT_PICTURE || before == after {
            return self.looked_up(points, before);
        }
        let mut levels = self.looked_up(points, after);
        if pair.later <= 1.0 - AT_PICTURE {
            for (level, before) in levels.iter_mut().zip(self.looked_up(points, before)) {
                *level = pair.later * *level + (1.0 - pair.later) * before;
            }
        }
        levels
    }

    /// The mean level of each cell's points, each between four pixels of the clip.
    fn looked_up(&self, points: &[Option<Vec<(f32, f32)>>], picture: usize) -> Vec<f32> {
        let levels = &self.clip.levels[picture];
        let (last_x, last_y) = (self.clip.width - 1, self.clip.height - 1);
        let level = |&(x, y): &(f32, f32)| {
            let (x, y) = (x.clamp(0.0, last_x as f32), y.clamp(0.0, last_y as f32));
            let (left, top) = (x as usize, y as usize);
            let (right, bottom) = ((left + 1).min(last_x), (top + 1).min(last_y));
            let (fx, fy) = (x - left as f32, y - top as f32);
            let of_row = |row: usize| {
                levels[row * self.clip.width + left] * (1.0 - fx) + levels[row * self.clip.width + right] * fx
            };
            of_row(top) * (1.0 - fy) + of_row(bottom) * fy
        };
        let of_cell = |points: &Option<Vec<(f32, f32)>>| match points {
            Some(points) => {
                let mean = points.iter().map(level).sum::<f32>() / points.len() as f32;
                if self.negative { 255.0 - mean } else { mean }
            }
            None => f32::NAN,
        };
        points.iter().map(of_cell).collect()
    }
}

/// How `clip = gain * source + offset` fits the cells that count; weighed so that what differs
/// counts little (Geman and McClure 1987). Bounded by the contrasts, for where they differ a lot.
fn gain(source: &[f32], clip: &[f32], counted: &[bool]) -> Option<(f32, f32)> {
    let mut weights: Vec<f32> =
        clip.iter().zip(counted).map(|(level, counted)| f32::from(*counted && level.is_finite())).collect();
    let mut fitted = None;
    for _ in 0..GAIN_ROUNDS {
        let [mut total, mut of_source, mut of_clip] = [0.0_f32; 3];
        for ((weight, source), clip) in weights.iter().zip(source).zip(clip).filter(|((weight, _), _)| **weight > 0.0) {
            total += weight;
            of_source += weight * source;
            of_clip += weight * clip;
        }
        if total < CELLS_MIN as f32 / 2.0 {
            return fitted;
        }
        let (mean_source, mean_clip) = (of_source / total, of_clip / total);
        let [mut ss, mut cc, mut sc] = [0.0_f32; 3];
        for ((weight, source), clip) in weights.iter().zip(source).zip(clip).filter(|((weight, _), _)| **weight > 0.0) {
            let (source, clip) = (source - mean_source, clip - mean_clip);
            ss += weight * source * source;
            cc += weight * clip * clip;
            sc += weight * source * clip;
        }
        let (ss, cc, sc) = ((ss / total).max(1.0), cc / total, sc / total);
        let contrast = (cc / ss).sqrt();
        let gain = (sc / ss).clamp(0.5 * contrast, 2.0 * contrast).clamp(GAIN_MIN, 1.0 / GAIN_MIN);
        let offset = mean_clip - gain * mean_source;
        fitted = Some((gain, offset));
        let scale = (GAIN_RESIDUAL * ss.sqrt()).max(GAIN_RESIDUAL_MIN);
        for ((weight, source), clip) in
            weights.iter_mut().zip(source).zip(clip).filter(|((weight, _), _)| **weight > 0.0)
        {
            let residual = ((clip - offset) / gain - source) / scale;
            *weight = 1.0 / (1.0 + residual * residual).powi(2);
        }
    }
    fitted
}

/// Grows with the square of a small residual, and towards one with a large one.
fn saturated(residual: f32) -> f32 {
    let square = residual * residual;
    square / (1.0 + square)
}

fn deviation(levels: &[f32]) -> f32 {
    let count = levels.len().max(1) as f32;
    let mean = levels.iter().sum::<f32>() / count;
    (levels.iter().map(|level| (level - mean).powi(2)).sum::<f32>() / count).sqrt()
}

/// A moment so near to a picture, as a share of the way to the next, is at it.
const AT_PICTURE: f32 = 0.15;

/// Fewest cells that are compared.
const CELLS_MIN: usize = 12;

/// A cell disagrees by half when it is off by this share of the picture's deviation, and by at
/// least so many grey levels.
const DISAGREEMENT: f32 = 0.5;
const DISAGREEMENT_MIN: f32 = 6.0;

/// Rounds in which gain and offset are fitted, least gain, and the residual at which a cell counts a
/// quarter: as a share of the picture's deviation, and in grey levels.
const GAIN_ROUNDS: usize = 4;
const GAIN_MIN: f32 = 0.2;
const GAIN_RESIDUAL: f32 = 0.4;
const GAIN_RESIDUAL_MIN: f32 = 3.0;

/// Most pixels of the clip that are averaged beforehand, and most points a cell across.
const AVERAGED_MAX: usize = 12;
const POINTS_MAX: usize = 4;
