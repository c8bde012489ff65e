//! Correlates the motion signatures of a clip and a reference.
//!
//! Takes of one scene share all that is static, and that is most of what they show. Motion differs
//! between takes. So the cells of [`Motion`], aligned by the geometry, are correlated frame by
//! frame, and the claimed time competes with others, as in the test on keys ([`super::timing`]).

use serde::{Deserialize, Serialize};

use super::affine::Affine;
use super::pairing::Pairing;
use super::timing::{Tally, When, chance};
use super::vote::Line;
use super::{CONTRAST_SECONDS, MOMENT_GAP, Similarity, middle};
use crate::fingerprint::{Motion, Orientation};

/// Motion-signature correlation of a clip with a reference, at and off the hypothesis.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Moved {
    /// Temporal consistency test on the moving frames of both sides.
    pub pictures: Tally,
    /// Sum of their correlations at the claimed time, each -1..=1.
    pub correlations: f32,
    /// Mean correlation of the clip's frames at the hypothesis, and the largest at any other offset
    /// of the same speed, two seconds to two minutes away, that has at least half of the frames.
    /// Computed for half a minute of the clip; joined parts keep the pair with the smallest margin.
    pub on_line: f32,
    /// See [`Moved::on_line`].
    pub elsewhere: f32,
}

impl Moved {
    /// Mean correlation at the claimed time, -1..=1; 0 if nothing moves.
    pub fn likeness(&self) -> f32 {
        if self.pictures.asked > 0.0 { self.correlations / self.pictures.asked } else { 0.0 }
    }

    /// Score of the test against another take, in bits; negative if the test favours one.
    ///
    /// Both sides test the same moments, and neighbouring frames are not independent, so each trial
    /// counts half.
    pub fn bits(&self) -> f32 {
        0.5 * self.pictures.bits()
    }

    /// Adds the result for another part of the clip.
    pub(super) fn add(&mut self, other: &Moved) {
        self.pictures.add(&other.pictures);
        self.correlations += other.correlations;
        // A part without motion does not count.
        let said = (other.on_line, other.elsewhere) != (0.0, 0.0);
        if said && other.elsewhere * self.on_line >= self.elsewhere * other.on_line {
            (self.on_line, self.elsewhere) = (other.on_line, other.elsewhere);
        }
    }
}

/// The motion signatures of a part of the clip and of a reference on the same cells.
pub(super) struct Moving {
    clip: Pictures,
    source: Pictures,
}

/// Motion signatures of some frames, less the mean of their cells, so that a change of light is not
/// motion.
struct Pictures {
    /// In seconds, ascending.
    times: Vec<f32>,
    cells: Vec<Vec<f32>>,
    /// Sum of squares of each frame.
    energies: Vec<f32>,
}

impl Pictures {
    fn new(pictures: impl Iterator<Item = (f32, Vec<f32>)>) -> Pictures {
        let mut made = Pictures { times: Vec::new(), cells: Vec::new(), energies: Vec::new() };
        for (time, mut cells) in pictures {
            let mean = cells.iter().sum::<f32>() / cells.len().max(1) as f32;
            cells.iter_mut().for_each(|cell| *cell -= mean);
            made.times.push(time);
            made.energies.push(cells.iter().map(|cell| cell * cell).sum());
            made.cells.push(cells);
        }
        made
    }

    /// Indices of the frames between two moments.
    fn between(&self, from: f32, to: f32) -> std::ops::Range<usize> {
        let start = self.times.partition_point(|time| *time < from);
        start..self.times.partition_point(|time| *time <= to).max(start)
    }

    fn moves(&self, picture: usize) -> bool {
        self.energies[picture] >= MOVING_MIN
    }
}

impl Pairing<'_> {
    /// Aligns the cells of a part of the clip with those of a part of the reference, in seconds of
    /// each; `None` if the clip shows too few of them.
    pub(super) fn moving(&self, clip_s: (f32, f32), source_s: (f32, f32)) -> Option<Moving> {
        let (clip, source) = (&self.clip.motion, &self.shown.motion);
        if clip.is_empty() || source.is_empty() {
            return None;
        }
        let seen = seen(clip, source, self.clip.aspect(), self.orientation, self.geometry);
        if seen.len() < CELLS_MIN {
            return None;
        }
        // A fingerprint made elsewhere may have any frame rate.
        let within = |motion: &Motion, (from, to): (f32, f32)| {
            let within = motion.between(from, to);
            let step = within.len().div_ceil(PICTURES_MAX).max(1);
            within.step_by(step)
        };
        let of_clip = |picture: usize| {
            let cells = clip.picture(picture);
            let mean = |(_, weights): &(usize, Vec<(usize, f32)>)| {
                weights.iter().map(|&(cell, weight)| weight * f32::from(cells[cell])).sum::<f32>()
            };
            (clip.time(picture).as_secs_f32(), seen.iter().map(mean).collect())
        };
        let of_source = |picture: usize| {
            let cells = source.picture(picture);
            (source.time(picture).as_secs_f32(), seen.iter().map(|(cell, _)| f32::from(cells[*cell])).collect())
        };
        Some(Moving {
            clip: Pictures::new(within(clip, clip_s).map(of_clip)),
            source: Pictures::new(within(source, source_s).map(of_source)),
        })
    }

    /// Motion correlation between two moments of the clip, or in the middle if that is too long.
    pub(super) fn moved(&self, line: Line, (first, last): (f32, f32)) -> Moved {
        let (first, last) = middle((first, last), CONTRAST_SECONDS);
        let reach = When::reach(line.speed);
        let source_s = line.span((first, last), reach);
        let Some(moving) = self.moving((first, last), source_s) else { return Moved::default() };
        let moved = moving.moved(line);
        if moved.pictures.asked < 1.0 {
            return moved;
        }
        let (first, last) = middle((first, last), ELSEWHERE_SECONDS);
        let source_s = line.span((first, last), ELSEWHERE_REACH);
        let Some(tracks) = self.moving((first, last), source_s).and_then(Tracks::new) else { return moved };
        let others = tracks.lines(line.speed).filter(|other| (other.offset - line.offset).abs() >= MOMENT_GAP);
        let elsewhere = others.filter_map(|other| tracks.along(other)).fold(0.0, f32::max);
        Moved { on_line: tracks.along(line).unwrap_or(0.0), elsewhere, ..moved }
    }
}

impl Moving {
    /// Correlation of one frame of the clip with one of the reference, -1..=1, damped if either
    /// hardly moves.
    fn correlation(&self, clip: usize, source: usize) -> f32 {
        let product: f32 = self.clip.cells[clip].iter().zip(&self.source.cells[source]).map(|(a, b)| a * b).sum();
        product / ((self.clip.energies[clip] + MOVING_MIN) * (self.source.energies[source] + MOVING_MIN)).sqrt()
    }

    /// Runs the temporal consistency test on all moving frames of either side.
    fn moved(&self, line: Line) -> Moved {
        let mut moved = Moved::default();
        let speed = line.speed.abs().max(0.1);
        for clip in (0..self.clip.times.len()).filter(|&clip| self.clip.moves(clip)) {
            let claimed = line.at(self.clip.times[clip]);
            let reach = When::reach(speed);
            let others = self.source.between(claimed - reach, claimed + reach).map(|source| {
                (When::in_source((self.source.times[source] - claimed) / speed), self.correlation(clip, source))
            });
            moved.ask(others);
        }
        for source in (0..self.source.times.len()).filter(|&source| self.source.moves(source)) {
            let claimed = (self.source.times[source] - line.offset) / line.speed;
            let reach = When::reach(1.0);
            let others = self
                .clip
                .between(claimed - reach, claimed + reach)
                .map(|clip| (When::in_clip(self.clip.times[clip] - claimed), self.correlation(clip, source)));
            moved.ask(others);
        }
        moved
    }
}

/// Correlations of the clip's moving frames with all frames of the reference, for the evaluation of
/// many hypotheses.
pub(super) struct Tracks {
    moving: Moving,
    /// Indices of the clip's moving frames.
    pictures: Vec<usize>,
    /// Row-major, one row for each of these.
    correlations: Vec<f32>,
}

impl Tracks {
    /// Returns `None` if nothing moves.
    pub(super) fn new(moving: Moving) -> Option<Tracks> {
        let pictures: Vec<usize> = (0..moving.clip.times.len()).filter(|&clip| moving.clip.moves(clip)).collect();
        if pictures.is_empty() || moving.source.times.is_empty() {
            return None;
        }
        let row = |&clip: &usize| (0..moving.source.times.len()).map(move |source| (clip, source));
        let correlations =
            pictures.iter().flat_map(row).map(|(clip, source)| moving.correlation(clip, source)).collect();
        Some(Tracks { moving, pictures, correlations })
    }

    /// The reference's times in seconds, and for each moving frame of the clip its time and row.
    pub(super) fn rows(&self) -> (&[f32], impl Iterator<Item = (f32, &[f32])>) {
        let times = &self.moving.source.times;
        let rows = self.pictures.iter().zip(self.correlations.chunks(times.len()));
        (times, rows.map(|(&picture, row)| (self.moving.clip.times[picture], row)))
    }

    /// Mean correlation on a hypothesis over the frames that the reference covers; `None` if these
    /// are less than half.
    fn along(&self, line: Line) -> Option<f32> {
        let times = &self.moving.source.times;
        let fit = |(row, &clip): (usize, &usize)| {
            let at = line.at(self.moving.clip.times[clip]);
            let after = times.partition_point(|time| *time < at);
            let beside = [after.checked_sub(1), Some(after)].into_iter().flatten();
            let near = beside.filter(|&source| times.get(source).is_some_and(|time| (time - at).abs() <= ON_LINE));
            near.map(|source| self.correlations[row * times.len() + source]).reduce(f32::max)
        };
        let fits: Vec<f32> = self.pictures.iter().enumerate().filter_map(fit).collect();
        (2 * fits.len() >= self.pictures.len()).then(|| fits.iter().sum::<f32>() / fits.len() as f32)
    }

    /// First and last moving frame of the clip, in seconds.
    fn span(&self) -> (f32, f32) {
        let time = |picture: Option<&usize>| picture.map_or(0.0, |&picture| self.moving.clip.times[picture]);
        (time(self.pictures.first()), time(self.pictures.last()))
    }

    /// Hypotheses of one speed for which the reference covers any moment of the clip.
    fn lines(&self, speed: f32) -> impl Iterator<Item = Line> {
        let (first, last) = self.span();
        let times = &self.moving.source.times;
        let (start, end) = (times[0] - ON_LINE, times[times.len() - 1] + ON_LINE);
        let ends = if speed < 0.0 {
            (start - speed * first, end - speed * last)
        } else {
            (start - speed * last, end - speed * first)
        };
        let steps = ((ends.1 - ends.0) / STEP).floor();
        let steps = if steps >= 0.0 { steps as u32 + 1 } else { 0 };
        (0..steps).map(move |step| Line { speed, offset: ends.0 + step as f32 * STEP })
    }

    /// The hypothesis at one of these speeds that motion fits clearly better than `line` and any
    /// other.
    pub(super) fn better(&self, line: Line, speeds: impl Iterator<Item = f32>) -> Option<Line> {
        if self.pictures.len() < PICTURES_MIN {
            return None;
        }
        // Most copies play at unit speed, and motion to and fro also fits backwards.
        let handicap = |speed: f32| {
            if speed < 0.0 {
                BACKWARDS_COST
            } else if speed == 1.0 || speed == line.speed {
                0.0
            } else {
                OTHER_SPEED_COST
            }
        };
        let fit = |other: Line| self.along(other).map(|fit| (fit - handicap(other.speed), other));
        let lines: Vec<(f32, Line)> = speeds.flat_map(|speed| self.lines(speed)).filter_map(fit).collect();
        let best = lines.iter().copied().max_by(|a, b| a.0.total_cmp(&b.0))?;
        // Hypotheses of neighbouring speeds that cross the best one are no competitors: they fit
        // nearly as well.
        let (first, last) = self.span();
        let apart = |other: &Line| [first, last].iter().all(|&time| (other.at(time) - best.1.at(time)).abs() > APART);
        let rivals = lines.iter().filter(|(_, other)| apart(other)).map(|(fit, _)| *fit);
        let rival = rivals.fold(self.along(line).unwrap_or(0.0), f32::max);
        (best.0 >= LIKENESS_MIN && best.0 >= rival + LIKENESS_GAIN).then_some(best.1)
    }
}

impl Moved {
    /// Adds the trial of one frame, given its correlations with the other side's frames.
    fn ask(&mut self, others: impl Iterator<Item = (When, f32)>) {
        let (mut near, mut far) = ((0_usize, f32::NEG_INFINITY), (0_usize, f32::NEG_INFINITY));
        for (when, correlation) in others {
            let side = match when {
                When::Near => &mut near,
                When::Far => &mut far,
                When::Between => continue,
            };
            *side = (side.0 + 1, side.1.max(correlation));
        }
        if let Some(chance) = chance(near.0, far.0) {
            self.pictures.add(&Tally { asked: 1.0, best: f32::from(near.1 > far.1), by_chance: chance });
            self.correlations += near.1;
        }
    }
}

/// The reference's cells that the clip shows, each with the overlapping cells of the clip and their
/// weights, which sum to one.
fn seen(
    clip: &Motion,
    source: &Motion,
    aspect: f32,
    orientation: Orientation,
    geometry: &Similarity,
) -> Vec<(usize, Vec<(usize, f32)>)> {
    let Some(to_clip) = Affine::to_clip(orientation, geometry, aspect) else { return Vec::new() };
    // A negative inverts the sign of every change.
    let sign = if orientation.negative { -1.0 } else { 1.0 };
    let ((columns, rows), (across, down)) = (source.size(), clip.size());
    let mut seen = Vec::new();
    for cell in 0..columns * rows {
        let (column, row) = ((cell % columns) as f32, (cell / columns) as f32);
        let mut weights: Vec<(usize, f32)> = Vec::new();
        // Bilinear interpolation at four points of the cell.
        for (dx, dy) in [(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)] {
            let (x, y) = to_clip.at((column + dx) * source.pitch(), (row + dy) * source.pitch());
            if !((0.0..=aspect).contains(&x) && (0.0..=1.0).contains(&y)) {
                weights.clear();
                break;
            }
            let at = |place: f32, cells: usize| (place / clip.pitch() - 0.5).clamp(0.0, (cells - 1) as f32);
            let (x, y) = (at(x, across), at(y, down));
            let (left, top) = (x as usize, y as usize);
            let (right, bottom) = ((left + 1).min(across - 1), (top + 1).min(down - 1));
            let (fx, fy) = (x - left as f32, y - top as f32);
            weights.extend([
                (top * across + left, sign * 0.25 * (1.0 - fx) * (1.0 - fy)),
                (top * across + right, sign * 0.25 * fx * (1.0 - fy)),
                (bottom * across + left, sign * 0.25 * (1.0 - fx) * fy),
                (bottom * across + right, sign * 0.25 * fx * fy),
            ]);
        }
        if !weights.is_empty() {
            weights.sort_by_key(|(cell, _)| *cell);
            weights.dedup_by(|next, kept| {
                let same = next.0 == kept.0;
                if same {
                    kept.1 += next.1;
                }
                same
            });
            seen.push((cell, weights));
        }
    }
    seen
}

/// Minimum number of the reference's cells that the clip shows.
const CELLS_MIN: usize = 24;

/// Minimum sum of squares of a moving frame: two or three cells.
const MOVING_MIN: f32 = 2.0;

/// Maximum number of frames of either side: two minutes of a clip have 480.
const PICTURES_MAX: usize = 600;

/// Minimum number of moving frames of the clip for a mean correlation.
const PICTURES_MIN: usize = 6;

/// Minimum mean correlation of a hypothesis that replaces the voted one, and its minimum margin
/// over any other.
const LIKENESS_MIN: f32 = 0.25;
const LIKENESS_GAIN: f32 = 0.1;

/// Longest part of the clip to correlate at other offsets, in seconds, and the maximum distance of
/// these, in seconds of the reference.
const ELSEWHERE_SECONDS: f32 = 30.0;
const ELSEWHERE_REACH: f32 = 120.0;

/// Costs, in correlation, of a speed other than unit and voted speed, and of playing backwards.
const OTHER_SPEED_COST: f32 = 0.03;
const BACKWARDS_COST: f32 = 0.1;

/// Spacing of the offsets, in seconds of the reference.
const STEP: f32 = 0.25;

/// Minimum distance between competing hypotheses at both ends of the clip, in seconds of the
/// reference.
const APART: f32 = 0.6;

/// Maximum distance of a reference frame from the hypothesis, in seconds: a little more than half
/// of a sampling interval.
pub(super) const ON_LINE: f32 = 0.3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::align::guide::Shown;
    use crate::align::tests::still_clip;
    use crate::fingerprint::{Fingerprint, Place};
    use std::time::Duration;

    const ASPECT: f32 = 16.0 / 9.0;

    /// Motion at a place of the reference, in heights of its frame: two blobs on paths of their
    /// own.
    fn level(x: f32, y: f32, time: f32, take: f32) -> i8 {
        // Piecewise linear between random places, one a second.
        let path = |blob: u32| {
            let at = |second: f32, axis: u32| {
                let mut h =
                    (second as u32 + 1000 * take as u32 + 7000 * blob + 90_000 * axis).wrapping_mul(0x9e37_79b9);
                h = (h ^ h >> 15).wrapping_mul(0x2c1b_3c6d);
                f32::from((h ^ h >> 12) as u16) / 65535.0
            };
            let along = |axis| {
                let share = time - time.floor();
                (1.0 - share) * at(time.floor(), axis) + share * at(time.floor() + 1.0, axis)
            };
            (ASPECT * along(0), along(1))
        };
        let near = |(px, py): (f32, f32)| (x - px).hypot(y - py) < 0.14;
        i8::from(near(path(0))) - i8::from(near(path(1)))
    }

    fn motion(
        columns: u16,
        rows: u16,
        times: impl Iterator<Item = f32>,
        level: impl Fn(f32, f32, f32) -> i8,
    ) -> Motion {
        let pitch = 1.0 / f32::from(rows);
        let mut motion = Motion::new(columns, rows, pitch);
        for time in times {
            let cell = |i: u32| {
                let (column, row) = (i % u32::from(columns), i / u32::from(columns));
                level((column as f32 + 0.5) * pitch, (row as f32 + 0.5) * pitch, time)
            };
            let cells: Vec<i8> = (0..u32::from(columns) * u32::from(rows)).map(cell).collect();
            motion.push(Duration::from_secs_f32(time), &cells);
        }
        motion
    }

    fn source() -> Shown {
        let times = (0..80).map(|i| 0.5 * i as f32);
        Shown::new(Vec::new(), motion(28, 16, times, |x, y, time| level(x, y, time, 0.0)))
    }

    /// Ten seconds of a take, from `from` seconds of the reference on, edited.
    fn clip(from: f32, take: f32, orientation: Orientation, geometry: &Similarity) -> Fingerprint {
        let times = (0..40).map(|i| 0.25 * i as f32);
        let motion = motion(57, 32, times, |x, y, time| {
            let place = orientation.place(Place { x, y, size: 1.0 }, ASPECT);
            let (x, y) = geometry.point(place.x, place.y);
            level(x, y, from + time, take)
        });
        Fingerprint { motion, ..still_clip(10.0) }
    }

    const WHOLE: Similarity = Similarity { scale: 1.0, x: 0.0, y: 0.0 };

    #[test]
    fn a_copy_moves_as_its_source_at_its_own_time_only() {
        let shown = source();
        let crop = Similarity { scale: 0.7, x: 0.3, y: 0.2 };
        let inset = Similarity { scale: 2.5, x: -2.0, y: -1.0 };
        let tilted = Orientation { warp: crate::fingerprint::Warp::Tilt(12), ..Orientation::UPRIGHT };
        let turned = Orientation { turns: 1, ..Orientation::UPRIGHT };
        let fills = Similarity { scale: ASPECT, x: 0.0, y: 0.0 };
        for (orientation, geometry) in [
            (Orientation::UPRIGHT, &WHOLE),
            (Orientation::UPRIGHT, &crop),
            (Orientation::UPRIGHT, &inset),
            (Orientation::MIRRORED, &WHOLE),
            (tilted, &WHOLE),
            (turned, &fills),
        ] {
            let clip = clip(12.0, 0.0, orientation, geometry);
            let pairing = Pairing { clip: &clip, shown: &shown, orientation, geometry };
            let moved = |offset: f32| pairing.moved(Line { speed: 1.0, offset }, (0.0, 9.75));
            let (here, there) = (moved(12.0), moved(19.0));
            assert!(here.bits() > 30.0 && here.likeness() > 0.5, "{orientation:?} {geometry:?}: {here:?}");
            assert!(there.bits() < 6.0 && there.likeness() < 0.3, "{orientation:?} {geometry:?}: {there:?}");
        }
    }

    #[test]
    fn another_take_moves_otherwise() {
        let (shown, clip) = (source(), clip(12.0, 1.0, Orientation::UPRIGHT, &WHOLE));
        let pairing = Pairing { clip: &clip, shown: &shown, orientation: Orientation::UPRIGHT, geometry: &WHOLE };
        for offset in 0..30 {
            let moved = pairing.moved(Line { speed: 1.0, offset: offset as f32 }, (0.0, 9.75));
            assert!(moved.bits() < 12.0 && moved.likeness() < 0.4, "{offset}: {moved:?}");
        }
    }

    #[test]
    fn the_time_of_a_copy_is_found_by_what_moves() {
        let shown = source();
        let wrong = Line { speed: 1.0, offset: 17.0 };
        let better = |clip: &Fingerprint| {
            let pairing = Pairing { clip, shown: &shown, orientation: Orientation::UPRIGHT, geometry: &WHOLE };
            Tracks::new(pairing.moving((0.0, 10.0), (0.0, 40.0))?)?.better(wrong, [0.8, 1.0, 1.25].into_iter())
        };
        let found = better(&clip(12.0, 0.0, Orientation::UPRIGHT, &WHOLE)).expect("a better line");
        assert!(found.speed == 1.0 && (found.offset - 12.0).abs() <= 0.3, "{found:?}");
        assert_eq!(better(&clip(12.0, 1.0, Orientation::UPRIGHT, &WHOLE)), None);
        assert_eq!(better(&still_clip(10.0)), None);
    }

    #[test]
    fn of_joined_parts_the_one_that_comes_again_counts() {
        let part = |on_line: f32, elsewhere: f32| Moved { correlations: 2.0, on_line, elsewhere, ..Moved::default() };
        let mut joined = part(0.9, 0.1);
        joined.add(&part(0.5, 0.5));
        joined.add(&part(0.8, 0.0));
        assert_eq!((joined.correlations, joined.on_line, joined.elsewhere), (6.0, 0.5, 0.5));
        // A part without motion leaves the others unchanged, in either order.
        joined.add(&Moved::default());
        assert_eq!((joined.on_line, joined.elsewhere), (0.5, 0.5));
        let mut still = Moved::default();
        still.add(&part(0.5, 0.4));
        assert_eq!((still.on_line, still.elsewhere), (0.5, 0.4));
    }

    #[test]
    fn a_source_as_short_as_the_clip_has_other_times_too() {
        // Somebody walks to and fro, once in three seconds.
        let to_and_fro = |x: f32, y: f32, time: f32| {
            let middle = 0.9 + 0.5 * (std::f32::consts::TAU * time / 3.0).sin();
            i8::from((x - middle).hypot(y - 0.5) < 0.25)
        };
        let shown = Shown::new(Vec::new(), motion(28, 16, (0..20).map(|i| 0.5 * i as f32), to_and_fro));
        let walker = motion(57, 32, (0..40).map(|i| 0.25 * i as f32), to_and_fro);
        let clip = Fingerprint { motion: walker, ..still_clip(10.0) };
        let pairing = Pairing { clip: &clip, shown: &shown, orientation: Orientation::UPRIGHT, geometry: &WHOLE };
        let moved = pairing.moved(Line { speed: 1.0, offset: 0.0 }, (0.0, 9.75));
        assert!(moved.on_line > 0.6 && moved.elsewhere > 0.9 * moved.on_line, "{moved:?}");
    }

    #[test]
    fn what_stands_still_says_nothing() {
        let shown = source();
        let still =
            Fingerprint { motion: motion(57, 32, (0..40).map(|i| 0.25 * i as f32), |_, _, _| 0), ..still_clip(10.0) };
        let pairing = Pairing { clip: &still, shown: &shown, orientation: Orientation::UPRIGHT, geometry: &WHOLE };
        let moved = pairing.moved(Line { speed: 1.0, offset: 12.0 }, (0.0, 9.75));
        assert!(moved.bits() <= 0.0 && moved.likeness() < 0.1, "{moved:?}");
        let nowhere = Similarity { scale: 1.0, x: 9.0, y: 9.0 };
        let pairing = Pairing { geometry: &nowhere, ..pairing };
        assert_eq!(pairing.moved(Line { speed: 1.0, offset: 12.0 }, (0.0, 9.75)), Moved::default());
    }
}
