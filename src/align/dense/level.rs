//! Frames of a reference and of a clip at one resolution, and how they are superimposed.

use super::super::affine::Affine;
use crate::fingerprint::Thumbnail;

/// Frames of one size, as grey levels.
pub(super) struct Frames {
    pub(super) width: usize,
    pub(super) height: usize,
    /// Presentation times in seconds, ascending.
    pub(super) times: Vec<f32>,
    pub(super) levels: Vec<Vec<f32>>,
}

impl Frames {
    /// The frames with the size of the first; `None` without any.
    pub(super) fn new(frames: &[Thumbnail]) -> Option<Frames> {
        let first = frames.first()?;
        let shape = (first.width, first.height);
        let matching = || {
            frames
                .iter()
                .filter(|frame| (frame.width, frame.height) == shape)
        };
        Some(Frames {
            width: shape.0,
            height: shape.1,
            times: matching().map(|frame| frame.time.as_secs_f32()).collect(),
            levels: matching()
                .map(|frame| frame.luma.iter().map(|&level| f32::from(level)).collect())
                .collect(),
        })
    }

    /// Width in heights.
    pub(super) fn aspect(&self) -> f32 {
        self.width as f32 / self.height as f32
    }

    /// The same frames, with squares of `side` pixels averaged; drops the remainder at the right
    /// and at the bottom.
    fn reduced(&self, side: usize) -> Frames {
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
        Frames {
            width,
            height,
            times: self.times.clone(),
            levels: self.levels.iter().map(reduce).collect(),
        }
    }

    /// The frames before and after a moment, and the interpolation weight of the later one; `None`
    /// if none is within `apart` seconds.
    pub(super) fn at(&self, time: f32, apart: f32) -> Option<((usize, usize), f32)> {
        let after = self.times.partition_point(|other| *other < time);
        let near = |number: usize| {
            self.times
                .get(number)
                .is_some_and(|other| (other - time).abs() <= apart)
        };
        let before = after.checked_sub(1).filter(|&before| near(before));
        match (before, near(after)) {
            (Some(before), true) => {
                let length = self.times[after] - self.times[before];
                let later = if length > 0.0 {
                    (time - self.times[before]) / length
                } else {
                    0.0
                };
                Some(((before, after), later))
            }
            (Some(only), false) => Some(((only, only), 0.0)),
            (None, true) => Some(((after, after), 0.0)),
            (None, false) => None,
        }
    }
}

/// A frame of the reference and the corresponding moment of the clip.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pair {
    /// Index of the reference's frame.
    pub(super) reference: usize,
    /// Indices of the clip's frames before and after that moment.
    pub(super) clip: (usize, usize),
    /// Interpolation weight of the later one, 0..=1.
    pub(super) later: f32,
}

/// Both sides at one resolution, on the cells of the reference.
pub(super) struct Level {
    pub(super) reference: Frames,
    clip: Frames,
    /// Side of a cell, in heights of the reference's frame.
    pitch: f32,
    /// Whether the clip is a negative.
    negative: bool,
}

impl Level {
    /// Cells of `side` pixels of the reference; one of its pixels spans `across` pixels of the
    /// clip.
    pub(super) fn new(
        reference: &Frames,
        clip: &Frames,
        side: usize,
        across: f32,
        negative: bool,
    ) -> Level {
        // At most two pixels of the clip per cell remain, which two sample points resolve.
        let spare = ((0.5 * across * side as f32).ceil() as usize).clamp(1, AVERAGED_MAX);
        let pitch = side as f32 / reference.height as f32;
        Level {
            reference: reference.reduced(side),
            clip: clip.reduced(spare),
            pitch,
            negative,
        }
    }

    /// Number of cells.
    pub(super) fn cells(&self) -> usize {
        self.reference.width * self.reference.height
    }

    /// Whether the centre of each cell is within `margin` of a part of the frame (left, top, right,
    /// bottom, in heights); all cells if these are too few.
    pub(super) fn within(&self, [left, top, right, bottom]: [f32; 4], margin: f32) -> Vec<bool> {
        let middle = |number: usize| (number as f32 + 0.5) * self.pitch;
        let inside = |cell: usize| {
            let (x, y) = (
                middle(cell % self.reference.width),
                middle(cell / self.reference.width),
            );
            (left - margin..=right + margin).contains(&x)
                && (top - margin..=bottom + margin).contains(&y)
        };
        let cells: Vec<bool> = (0..self.cells()).map(inside).collect();
        if cells.iter().filter(|inside| **inside).count() < CELLS_MIN {
            vec![true; cells.len()]
        } else {
            cells
        }
    }

    /// The reference's frames of some pairs, and the frames `shift` later, where both exist.
    pub(super) fn shifted(&self, pairs: &[Pair], shift: isize) -> (Vec<&[f32]>, Vec<&[f32]>) {
        let both = |pair: &Pair| {
            let later = self
                .reference
                .levels
                .get(pair.reference.checked_add_signed(shift)?)?;
            Some((&self.reference.levels[pair.reference][..], &later[..]))
        };
        pairs.iter().filter_map(both).unzip()
    }

    /// The clip's levels on the reference's cells for each pair, normalised to the reference's gain
    /// and offset; NaN for cells that the clip does not show.
    pub(super) fn normalised(
        &self,
        map: &Affine,
        pairs: &[Pair],
        counted: &[bool],
    ) -> Vec<Vec<f32>> {
        let points = self.points(map);
        let one = |pair: &Pair| {
            let mut levels = self.seen(&points, pair);
            match gain(&self.reference.levels[pair.reference], &levels, counted) {
                Some((gain, offset)) => levels
                    .iter_mut()
                    .for_each(|level| *level = (*level - offset) / gain),
                None => levels.fill(f32::NAN),
            }
            levels
        };
        pairs.iter().map(one).collect()
    }

    /// Levels of the reference and of the clip in each counted and visible cell of each pair.
    pub(super) fn levels(&self, map: &Affine, pairs: &[Pair], counted: &[bool]) -> Vec<(f32, f32)> {
        let points = self.points(map);
        let of_pair = |pair: &Pair| {
            let both = self.reference.levels[pair.reference]
                .iter()
                .copied()
                .zip(self.seen(&points, pair));
            both.zip(counted)
                .filter(|((_, clip), counted)| **counted && clip.is_finite())
                .map(|(both, _)| both)
                .collect::<Vec<(f32, f32)>>()
        };
        pairs.iter().flat_map(of_pair).collect()
    }

    /// Disagreement of each cell, averaged over the pairs: 0 none, 1 complete, NaN for cells that
    /// the clip does not show.
    pub(super) fn disagreement(&self, map: &Affine, pairs: &[Pair], counted: &[bool]) -> Vec<f32> {
        let levels = self.normalised(map, pairs, counted);
        let mut sums = vec![0.0; self.cells()];
        for (pair, clip) in pairs.iter().zip(&levels) {
            sums.iter_mut()
                .zip(self.apart(pair, clip))
                .for_each(|(sum, apart)| *sum += apart);
        }
        sums.iter()
            .map(|sum| sum / pairs.len().max(1) as f32)
            .collect()
    }

    /// Mean disagreement over the counted cells.
    pub(super) fn cost(&self, map: &Affine, pairs: &[Pair], counted: &[bool]) -> f32 {
        let cells = self.disagreement(map, pairs, counted);
        mean_of(&cells, counted)
    }

    /// The same for each pair.
    pub(super) fn costs(&self, map: &Affine, pairs: &[Pair], counted: &[bool]) -> Vec<f32> {
        let levels = self.normalised(map, pairs, counted);
        let cost = |(pair, clip): (&Pair, &Vec<f32>)| {
            mean_of(&self.apart(pair, clip).collect::<Vec<f32>>(), counted)
        };
        pairs.iter().zip(&levels).map(cost).collect()
    }

    /// Disagreement of each cell of a pair; NaN for cells that the clip does not show.
    fn apart<'a>(&'a self, pair: &Pair, clip: &'a [f32]) -> impl Iterator<Item = f32> + 'a {
        let reference = &self.reference.levels[pair.reference];
        let scale = half_disagreement(deviation(reference));
        clip.iter()
            .zip(reference)
            .map(move |(clip, reference)| saturated((clip - reference) / scale))
    }

    /// Sample points of each cell in the clip's frame.
    fn points(&self, map: &Affine) -> Points {
        let pixel = 1.0 / self.clip.height as f32;
        let across = ((map.scale() * self.pitch / pixel).ceil() as usize).clamp(1, POINTS_MAX);
        let slack = 0.25 * pixel;
        let aspect = self.clip.aspect();
        let visible = |(x, y): (f32, f32)| {
            (-slack..=aspect + slack).contains(&x) && (-slack..=1.0 + slack).contains(&y)
        };
        let (last_x, last_y) = ((self.clip.width - 1) as f32, (self.clip.height - 1) as f32);
        let mut points = Points {
            visible: Vec::with_capacity(self.cells()),
            each: across * across,
            taps: Vec::new(),
        };
        for cell in 0..self.cells() {
            let at = |dx: f32, dy: f32| {
                let (column, row) = (cell % self.reference.width, cell / self.reference.width);
                map.at(
                    (column as f32 + dx) * self.pitch,
                    (row as f32 + dy) * self.pitch,
                )
            };
            let corners = [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)];
            let all = corners.iter().all(|&(dx, dy)| visible(at(dx, dy)));
            points.visible.push(all);
            for number in 0..if all { across * across } else { 0 } {
                let middle = |part: usize| (part as f32 + 0.5) / across as f32;
                let (x, y) = at(middle(number % across), middle(number / across));
                let (x, y) = (
                    (x / pixel - 0.5).clamp(0.0, last_x),
                    (y / pixel - 0.5).clamp(0.0, last_y),
                );
                let (left, top) = (x as usize, y as usize);
                let (fx, fy) = (x - left as f32, y - top as f32);
                points.taps.push(Tap {
                    first: top * self.clip.width + left,
                    right: usize::from(left + 1 < self.clip.width),
                    down: if top + 1 < self.clip.height {
                        self.clip.width
                    } else {
                        0
                    },
                    weights: [
                        (1.0 - fx) * (1.0 - fy),
                        fx * (1.0 - fy),
                        (1.0 - fx) * fy,
                        fx * fy,
                    ],
                });
            }
        }
        points
    }

    /// The clip's levels at the moment of a pair, by cell; NaN where it shows none.
    fn seen(&self, points: &Points, pair: &Pair) -> Vec<f32> {
        let (before, after) = pair.clip;
        if pair.later < AT_PICTURE || before == after {
            points.look_up(&self.clip.levels[before], self.negative)
        } else if pair.later > 1.0 - AT_PICTURE {
            points.look_up(&self.clip.levels[after], self.negative)
        } else {
            let both = self.clip.levels[before]
                .iter()
                .zip(&self.clip.levels[after]);
            let between: Vec<f32> = both
                .map(|(before, after)| before + pair.later * (after - before))
                .collect();
            points.look_up(&between, self.negative)
        }
    }
}

/// Sample points of the reference's cells in a frame of the clip.
struct Points {
    /// Whether the clip shows the whole cell.
    visible: Vec<bool>,
    /// Number of points per visible cell.
    each: usize,
    /// One tap per point.
    taps: Vec<Tap>,
}

/// Bilinear interpolation between four pixels.
struct Tap {
    /// Index of the upper left pixel.
    first: usize,
    /// Offsets of the pixels to the right and below; zero at the edges.
    right: usize,
    down: usize,
    weights: [f32; 4],
}

impl Points {
    /// The mean level over the points of each cell, NaN for cells that the clip does not show.
    fn look_up(&self, levels: &[f32], negative: bool) -> Vec<f32> {
        let mut taps = self.taps.chunks_exact(self.each);
        let of_cell = |visible: &bool| {
            let Some(taps) = visible.then(|| taps.next()).flatten() else {
                return f32::NAN;
            };
            let level = |tap: &Tap| {
                let [a, b, c, d] = tap.weights;
                let below = tap.first + tap.down;
                a * levels[tap.first]
                    + b * levels[tap.first + tap.right]
                    + c * levels[below]
                    + d * levels[below + tap.right]
            };
            let mean = taps.iter().map(level).sum::<f32>() / self.each as f32;
            if negative { 255.0 - mean } else { mean }
        };
        self.visible.iter().map(of_cell).collect()
    }
}

/// Gain and offset of `clip = gain * reference + offset` over the counted cells, by iteratively
/// reweighted least squares (Geman and McClure 1987). The ratio of the contrasts bounds the gain
/// where the two differ a lot.
fn gain(reference: &[f32], clip: &[f32], counted: &[bool]) -> Option<(f32, f32)> {
    let mut weights: Vec<f32> = clip
        .iter()
        .zip(counted)
        .map(|(level, counted)| f32::from(*counted && level.is_finite()))
        .collect();
    let mut fitted = None;
    for _ in 0..GAIN_ROUNDS {
        let [mut total, mut of_reference, mut of_clip] = [0.0_f32; 3];
        for ((weight, reference), clip) in weights
            .iter()
            .zip(reference)
            .zip(clip)
            .filter(|((weight, _), _)| **weight > 0.0)
        {
            total += weight;
            of_reference += weight * reference;
            of_clip += weight * clip;
        }
        if total < CELLS_MIN as f32 / 2.0 {
            return fitted;
        }
        let (mean_reference, mean_clip) = (of_reference / total, of_clip / total);
        let [mut ss, mut cc, mut sc] = [0.0_f32; 3];
        for ((weight, reference), clip) in weights
            .iter()
            .zip(reference)
            .zip(clip)
            .filter(|((weight, _), _)| **weight > 0.0)
        {
            let (reference, clip) = (reference - mean_reference, clip - mean_clip);
            ss += weight * reference * reference;
            cc += weight * clip * clip;
            sc += weight * reference * clip;
        }
        let (ss, cc, sc) = ((ss / total).max(1.0), cc / total, sc / total);
        let contrast = (cc / ss).sqrt();
        let gain = (sc / ss)
            .clamp(0.5 * contrast, 2.0 * contrast)
            .clamp(GAIN_MIN, 1.0 / GAIN_MIN);
        let offset = mean_clip - gain * mean_reference;
        fitted = Some((gain, offset));
        let scale = (GAIN_RESIDUAL * ss.sqrt()).max(GAIN_RESIDUAL_MIN);
        for ((weight, reference), clip) in weights
            .iter_mut()
            .zip(reference)
            .zip(clip)
            .filter(|((weight, _), _)| **weight > 0.0)
        {
            let residual = ((clip - offset) / gain - reference) / scale;
            *weight = 1.0 / (1.0 + residual * residual).powi(2);
        }
    }
    fitted
}

/// Mean over the counted cells; a cell that the clip does not show counts one half.
fn mean_of(cells: &[f32], counted: &[bool]) -> f32 {
    let (sum, count) = cells
        .iter()
        .zip(counted)
        .filter(|(_, counted)| **counted)
        .fold((0.0, 0.0_f32), |(sum, count), (cell, _)| {
            (sum + if cell.is_nan() { 0.5 } else { *cell }, count + 1.0)
        });
    sum / count.max(1.0)
}

/// Residual with a loss of one half, in grey levels, by the standard deviation of the levels.
pub(super) fn half_disagreement(deviation: f32) -> f32 {
    (DISAGREEMENT * deviation).max(DISAGREEMENT_MIN)
}

/// Robust loss: quadratic for small residuals, approaches one for large ones.
pub(super) fn saturated(residual: f32) -> f32 {
    let square = residual * residual;
    square / (1.0 + square)
}

fn deviation(levels: &[f32]) -> f32 {
    let count = levels.len().max(1) as f32;
    let mean = levels.iter().sum::<f32>() / count;
    (levels
        .iter()
        .map(|level| (level - mean).powi(2))
        .sum::<f32>()
        / count)
        .sqrt()
}

/// Maximum distance from a frame, as a share of the interval, at which no interpolation is needed.
const AT_PICTURE: f32 = 0.15;

/// Minimum number of cells to compare.
const CELLS_MIN: usize = 12;

/// Residual at which a cell's disagreement is one half: as a share of the frame's standard
/// deviation, and the minimum in grey levels.
const DISAGREEMENT: f32 = 0.5;
const DISAGREEMENT_MIN: f32 = 6.0;

/// Iterations of the gain fit, minimum gain, and the residual at which a cell has a quarter of its
/// weight: as a share of the frame's standard deviation, and the minimum in grey levels.
const GAIN_ROUNDS: usize = 4;
const GAIN_MIN: f32 = 0.2;
const GAIN_RESIDUAL: f32 = 0.4;
const GAIN_RESIDUAL_MIN: f32 = 3.0;

/// Maximum number of the clip's pixels across that are averaged beforehand, and of sample points
/// across a cell.
const AVERAGED_MAX: usize = 12;
const POINTS_MAX: usize = 2;
