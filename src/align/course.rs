//! Finds the sequence of temporal hypotheses that a clip follows.
//!
//! An edit may show segments of a reference in any order and at any speed. Correspondences within
//! half a second of one straight line may belong to several such segments, or to one at another
//! speed. So once the geometry is known, a similarity matrix of the clip's frames and the
//! reference's moments is computed from keys and motion, and the Viterbi algorithm finds the path
//! through it with the highest score after transition costs.

use super::moving::{ON_LINE, Tracks};
use super::pairing::{Pairing, speeds};
use super::retime::{RETIMED_REACH, RETIMED_SECONDS};
use super::timing::{fit, roughly_at};
use super::vote::{Line, Vote};
use super::{Agreement, Alignment, CONTRAST_MIN, Context};
use crate::fingerprint::{ClipKey, Fingerprint};
use crate::search::Hit;

/// A segment of a path: a part of the clip that follows one temporal hypothesis.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Part {
    line: Line,
    /// Times of its first and last frame, in seconds of the clip.
    clip: (f32, f32),
}

/// Similarity of each frame in a part of the clip to each moment in a part of the reference, at
/// intervals of [`STEP`].
struct Table {
    /// Times of the frames, in seconds of the clip.
    times: Vec<f32>,
    /// Whether there is a cut between a frame and the one before.
    cuts: Vec<bool>,
    /// The first moment, in seconds of the reference.
    start: f32,
    moments: usize,
    /// Row-major, one row per frame.
    fits: Vec<f32>,
}

impl Context<'_> {
    /// The segments of the best path, each with the part of the clip to align. If no path scores
    /// clearly better, the only segment is the hypothesis itself.
    ///
    /// The path covers half a minute in the middle; beyond it the first and last segment may
    /// continue.
    pub(super) fn legs(&self, votes: &[Vote], agreement: &Agreement, group: &[Hit]) -> Vec<Leg> {
        let worth = |agreement: &Agreement| self.evidence(votes, agreement, group).total;
        let alone = || vec![Leg::alone(agreement.clone(), self.window)];
        if worth(agreement) < CONTRAST_MIN {
            return alone();
        }
        let (first, last) = agreement.span(votes);
        // The part of the clip to search, around the alignment.
        let (centre, half) = (0.5 * (first + last), 0.5 * RETIMED_SECONDS);
        let clip_s = ((centre - half).max(self.window.0), (centre + half).min(self.window.1));
        let Agreement { geometry, line, .. } = agreement;
        let pairing = self.pairing(group[0].orientation, geometry);
        let table = pairing.table(*line, clip_s, line.span(clip_s, RETIMED_REACH));
        let Some(course) = table.and_then(|table| table.course(*line)) else { return alone() };
        let beyond = |end: (f32, f32)| end.0 < end.1 && worth(&agreement.within(votes, end)) >= CONTRAST_MIN;
        let goes_on = [(self.window.0, clip_s.0), (clip_s.1, self.window.1)].map(beyond);
        let border = |number: usize| 0.5 * (course[number].clip.1 + course[number + 1].clip.0);
        let leg = |(number, part): (usize, &Part)| {
            let (from, to) = (number.checked_sub(1).map(border), (number + 1 < course.len()).then(|| border(number)));
            let window = (from.unwrap_or(self.window.0), to.unwrap_or(self.window.1));
            let whole = if part.line == *line {
                agreement.clone()
            } else {
                self.on_line(votes, agreement, part.line, agreement.paid.max(COURSE_PRICE))
            };
            Leg {
                agreement: whole.within(votes, window),
                window,
                asked: (from.unwrap_or(clip_s.0), to.unwrap_or(clip_s.1)),
                open: [from.is_none() && goes_on[0], to.is_none() && goes_on[1]],
            }
        };
        let mut legs: Vec<Leg> = course.iter().enumerate().map(leg).collect();
        let worths: Vec<f32> = legs.iter().map(|leg| worth(&leg.agreement.within(votes, clip_s))).collect();
        if worths.iter().sum::<f32>() < KEPT_MIN * worth(&agreement.within(votes, clip_s)) {
            return alone();
        }
        // If most of the clip is other footage, there may be one segment, on any hypothesis.
        let shown = legs.iter().zip(&worths).filter(|(_, bits)| **bits >= CONTRAST_MIN);
        let mut lines = shown.map(|(leg, _)| leg.agreement.line);
        let Some(one) = lines.next() else { return alone() };
        let voted = goes_on.contains(&true).then_some(*line);
        let jumps = lines.chain(voted).any(|line| !line.follows(one, clip_s));
        legs.iter_mut().for_each(|leg| leg.agreement.jumps = jumps);
        legs
    }
}

/// A part of the clip that follows one temporal hypothesis.
pub(super) struct Leg {
    /// The hypothesis with the inliers of this segment.
    pub(super) agreement: Agreement,
    /// The part of the clip to align, in seconds.
    pub(super) window: (f32, f32),
    /// The part of `window` for which the path prefers this hypothesis to the voted one.
    asked: (f32, f32),
    /// Whether the voted hypothesis continues before and after that part.
    open: [bool; 2],
}

impl Leg {
    /// The voted hypothesis as the only segment.
    pub(super) fn alone(agreement: Agreement, window: (f32, f32)) -> Leg {
        Leg { agreement, window, asked: window, open: [false, false] }
    }

    /// The part of the clip that this segment takes from the voted hypothesis, given its accepted
    /// alignments (`held`): all that the path covers, but on an open side only as far as they
    /// reach. `None` if they score too little of what the voted hypothesis loses there (`lost_in`).
    pub(super) fn won(&self, held: &[&Alignment], lost_in: impl Fn((f32, f32)) -> f32) -> Option<(f32, f32)> {
        let first = held.iter().map(|piece| piece.clip.seconds().0).reduce(f32::min)?;
        let last = held.iter().map(|piece| piece.clip.seconds().1).reduce(f32::max)?;
        let won = (if self.open[0] { first } else { self.asked.0 }, if self.open[1] { last } else { self.asked.1 });
        let bits: f32 = held.iter().map(|piece| piece.evidence.total).sum();
        (bits >= KEPT_MIN * lost_in(won)).then_some(won)
    }
}

impl Line {
    /// Whether it stays within [`SAME_LINE`] of another hypothesis at both ends of a part of the
    /// clip.
    fn follows(self, other: Line, (first, last): (f32, f32)) -> bool {
        [first, last].iter().all(|&time| (self.at(time) - other.at(time)).abs() <= SAME_LINE)
    }
}

impl Pairing<'_> {
    /// The similarity matrix of a part of the clip and a part of the reference, in seconds of each;
    /// `None` if either has too few frames.
    fn table(&self, line: Line, clip_s: (f32, f32), source_s: (f32, f32)) -> Option<Table> {
        let mut frames = self.frames(clip_s);
        // A fingerprint made elsewhere may have any frame rate.
        let step = frames.len().div_ceil(PICTURES_MAX).max(1);
        frames = frames.into_iter().step_by(step).collect();
        let shown = &self.shown.moments;
        let shown = &shown[shown.partition_point(|at| *at < source_s.0)..shown.partition_point(|at| *at <= source_s.1)];
        if frames.len() < PICTURES_MIN || shown.len() < 2 {
            return None;
        }
        let start = shown[0];
        let moments = ((shown[shown.len() - 1] - start) / STEP) as usize + 1;
        let times: Vec<f32> = frames.iter().map(|(time, _)| *time).collect();
        let cuts = cuts(self.clip, &times);
        let mut table = Table { times, cuts, start, moments, fits: vec![0.0; frames.len() * moments] };
        let by_keys = self.by_keys(line, clip_s, &frames, shown);
        table.add(shown, by_keys.chunks(shown.len()).enumerate(), true);
        if let Some(tracks) = self.moving(clip_s, source_s).and_then(Tracks::new) {
            let (times, rows) = tracks.rows();
            let rows: Vec<(f32, &[f32])> = rows.collect();
            let of_picture = |(picture, time): (usize, &f32)| {
                let apart = |row: &&(f32, &[f32])| (row.0 - time).abs();
                let nearest = rows.iter().min_by(|a, b| apart(a).total_cmp(&apart(b)));
                let (_, row) = nearest.filter(|row| apart(row) <= SAME_PICTURE)?;
                let mean = row.iter().sum::<f32>() / row.len() as f32;
                Some((picture, row.iter().map(|correlation| correlation - mean).collect()))
            };
            let rows: Vec<(usize, Vec<f32>)> = table.times.iter().enumerate().filter_map(of_picture).collect();
            table.add(times, rows.iter().map(|(picture, row)| (*picture, row.as_slice())), false);
        }
        Some(table)
    }

    /// Similarity of each frame's keys to the keys at each moment of the reference: above its mean,
    /// normalised by its maximum.
    fn by_keys(&self, line: Line, clip_s: (f32, f32), frames: &[(f32, Vec<ClipKey>)], shown: &[f32]) -> Vec<f32> {
        let geometry = self.fitted(line, clip_s);
        let runs: Vec<_> = self.shown.between(shown[0], shown[shown.len() - 1]).collect();
        let mut rows = Vec::with_capacity(frames.len() * shown.len());
        for (_, frame) in frames {
            let mut sums = vec![0.0_f32; shown.len()];
            for run in &runs {
                let there = &frame[roughly_at(run, frame, &geometry)];
                let best = there.iter().map(|seen| fit(seen, run, &geometry)).fold(0.0, f32::max);
                if best > 0.0 {
                    let from = shown.partition_point(|at| *at < run.first.as_secs_f32());
                    let active = sums[from..].iter_mut().zip(&shown[from..]);
                    active.take_while(|(_, at)| **at <= run.last.as_secs_f32()).for_each(|(sum, _)| *sum += best);
                }
            }
            let mean = sums.iter().sum::<f32>() / sums.len() as f32;
            let most = sums.iter().copied().fold(0.0, f32::max);
            let unit = (most - mean).max(CLEAR_SHARE * most + CLEAR_MIN);
            rows.extend(sums.iter().map(|sum| (sum - mean) / unit));
        }
        // Subtract half the column mean: sharp frames of the reference resemble many frames of the
        // clip.
        for moment in 0..shown.len() {
            let column = (0..frames.len()).map(|frame| frame * shown.len() + moment);
            let mean = column.clone().map(|at| rows[at]).sum::<f32>() / frames.len() as f32;
            column.for_each(|at| rows[at] -= 0.5 * mean);
        }
        rows
    }
}

impl Table {
    /// The best path, if it scores clearly better than the single hypothesis.
    fn course(&self, line: Line) -> Option<Vec<Part>> {
        let single = self.along(line).sum::<f32>() - begins(line);
        let (fit, mut parts) = self.best(line);
        for part in &mut parts {
            if part.line.follows(line, part.clip) {
                part.line = line;
            }
        }
        (fit >= single + GAIN_MIN && parts.iter().any(|part| part.line != line)).then_some(parts)
    }

    /// Adds similarities at some times of the reference to the rows of some frames. A moment takes
    /// the maximum over the times within [`ON_LINE`] of it. If the content at a time is `held`
    /// until the next, a moment in a gap takes the minimum of both sides.
    fn add<'a>(&mut self, times: &[f32], rows: impl Iterator<Item = (usize, &'a [f32])>, held: bool) {
        let on = |moment: usize| {
            let at = self.start + moment as f32 * STEP;
            let from = times.partition_point(|time| *time < at - ON_LINE);
            let to = times.partition_point(|time| *time <= at + ON_LINE).max(from);
            let between = held && from == to;
            (if between { from.saturating_sub(1)..(to + 1).min(times.len()) } else { from..to }, between)
        };
        let on: Vec<_> = (0..self.moments).map(on).collect();
        for (picture, row) in rows {
            let cells = &mut self.fits[picture * self.moments..(picture + 1) * self.moments];
            for (cell, (on, between)) in cells.iter_mut().zip(&on) {
                let fits = row[on.clone()].iter().copied();
                *cell += if *between { fits.reduce(f32::min) } else { fits.reduce(f32::max) }.unwrap_or(0.0);
            }
        }
    }

    /// Similarity of each frame on a temporal hypothesis.
    fn along(&self, line: Line) -> impl Iterator<Item = f32> {
        let cost = if line.speed == 1.0 { 0.0 } else { SPEED_COST };
        let fit = move |(picture, time): (usize, &f32)| {
            let moment = ((line.at(*time) - self.start) / STEP).round();
            let inside = moment >= 0.0 && (moment as usize) < self.moments;
            (if inside { self.fits[picture * self.moments + moment as usize] } else { OUTSIDE }) - cost
        };
        self.times.iter().enumerate().map(fit)
    }

    /// All hypotheses that intersect the reference.
    fn lines(&self) -> impl Iterator<Item = Line> {
        let (first, last) = (self.times[0], self.times[self.times.len() - 1]);
        let end = self.start + self.moments as f32 * STEP;
        let of_speed = move |speed: f32| {
            let (a, b) = (speed * first, speed * last);
            let (from, to) = (self.start - a.max(b), end - a.min(b));
            let steps = ((to - from) / OFFSETS) as usize;
            (0..=steps).map(move |step| Line { speed, offset: from + step as f32 * OFFSETS })
        };
        speeds().chain([-1.0]).flat_map(of_speed)
    }

    /// The best path and its score; `line` is one of the candidates.
    fn best(&self, line: Line) -> (f32, Vec<Part>) {
        // Ties go to the first: the voted hypothesis.
        let lines: Vec<Line> = [line].into_iter().chain(self.lines()).collect();
        let along: Vec<Vec<f32>> = lines.iter().map(|line| self.along(*line).collect()).collect();
        let begun: Vec<f32> = lines.iter().map(|line| begins(*line)).collect();
        let mut sums: Vec<f32> = along.iter().zip(&begun).map(|(fits, begun)| fits[0] - begun).collect();
        // For each frame: the best predecessor of a transition, and the hypotheses that start with
        // one.
        let mut jumps: Vec<(usize, Vec<bool>)> = Vec::with_capacity(self.times.len());
        for picture in 1..self.times.len() {
            let from = largest(&sums);
            let jumped = sums[from] - if self.cuts[picture] { CUT_COST } else { JUMP_COST };
            jumps.push((from, sums.iter().zip(&begun).map(|(sum, begun)| *sum < jumped - begun).collect()));
            let next = sums.iter_mut().zip(&begun).zip(&along);
            next.for_each(|((sum, begun), fits)| *sum = sum.max(jumped - begun) + fits[picture]);
        }
        let mut on = largest(&sums);
        let fit = sums[on];
        let mut parts: Vec<Part> = Vec::new();
        let mut end = self.times.len() - 1;
        for picture in (0..self.times.len()).rev() {
            let jump = picture.checked_sub(1).map(|before| &jumps[before]).filter(|(_, jumped)| jumped[on]);
            if picture == 0 || jump.is_some() {
                parts.push(Part { line: lines[on], clip: (self.times[picture], self.times[end]) });
                end = picture.saturating_sub(1);
            }
            if let Some((from, _)) = jump {
                on = *from;
            }
        }
        parts.reverse();
        (fit, parts)
    }
}

/// Whether each frame is the first after a cut; the frame at the cut itself may be missing.
fn cuts(clip: &Fingerprint, times: &[f32]) -> Vec<bool> {
    let until = |time: f32| clip.keyframes.partition_point(|frame| frame.time.as_secs_f32() <= time);
    let after = |pair: &[f32]| clip.keyframes[until(pair[0])..until(pair[1])].iter().any(|frame| frame.cut);
    [false].into_iter().chain(times.windows(2).map(after)).take(times.len()).collect()
}

/// Index of the maximum; ties go to the first.
fn largest(sums: &[f32]) -> usize {
    (0..sums.len()).max_by(|&a, &b| sums[a].total_cmp(&sums[b]).then(b.cmp(&a))).unwrap_or(0)
}

/// Transition cost for starting a segment on this hypothesis.
fn begins(line: Line) -> f32 {
    match line.speed {
        1.0 => 0.0,
        speed if speed < 0.0 => BACKWARDS_BEGIN_COST,
        _ => SPEED_BEGIN_COST,
    }
}

/// Selection penalty of a hypothesis on a path, in bits: the temporal consistency test reuses the
/// frames that selected it. With 0, 3 and 6 bits, 94, 89 and 76 of 135 segments of two seconds are
/// found, and no other moment of a real or made scene is a false positive.
const COURSE_PRICE: f32 = 3.0;

/// Resolution of the matrix and spacing of the offsets, in seconds of the reference.
const STEP: f32 = 0.125;
const OFFSETS: f32 = 0.25;

/// Similarity outside the reference.
const OUTSIDE: f32 = -0.3;

/// Transition costs without and with a cut of the clip, in frames of maximum similarity.
const JUMP_COST: f32 = 5.0;
const CUT_COST: f32 = 3.0;

/// Costs of a speed other than unit speed, per segment and per frame: slow footage fits many
/// speeds. Playing backwards costs more, since motion to and fro also fits backwards.
const SPEED_BEGIN_COST: f32 = 2.0;
const SPEED_COST: f32 = 0.02;
const BACKWARDS_BEGIN_COST: f32 = 4.0;

/// Minimum share of the replaced hypothesis's score that the segments of a path, and each accepted
/// segment, must reach.
pub(super) const KEPT_MIN: f32 = 0.5;

/// Minimum gain of a path over a single hypothesis, in frames of maximum similarity.
const GAIN_MIN: f32 = 3.0;

/// Maximum distance of a segment that counts as on the voted hypothesis, in seconds of the
/// reference.
const SAME_LINE: f32 = 0.4;

/// Minimum number of frames for a path: one second.
const PICTURES_MIN: usize = 4;

/// Maximum number of frames: half a minute of a clip has 120.
const PICTURES_MAX: usize = 240;

/// Minimum excess of a frame's best similarity over its mean for full normalisation: as a share of
/// the best, and absolute.
const CLEAR_SHARE: f32 = 0.25;
const CLEAR_MIN: f32 = 12.0;

/// Maximum distance between keys and motion of the same frame, in seconds.
const SAME_PICTURE: f32 = 0.13;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::guide::Shown;
    use super::super::tests::{PLAIN, Random, clip, source, still_clip};
    use super::*;
    use crate::fingerprint::{Content, Keyframe, Motion, Orientation, Run};

    const REAL_TIME: Line = Line { speed: 1.0, offset: 3.0 };

    /// A clip of ten seconds and a reference of twenty. A frame is similar within 0.3 s of its
    /// moment; elsewhere the similarity is repeatable noise.
    fn table(moment: impl Fn(f32) -> f32, cuts: &[f32], noise: f32) -> Table {
        let times: Vec<f32> = (0..40).map(|i| 0.25 * i as f32).collect();
        let moments = 160;
        let mut state = 7_u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 24) as f32
        };
        let mut fits = Vec::new();
        for time in &times {
            for step in 0..moments {
                let right = (step as f32 * STEP - moment(*time)).abs() <= 0.3;
                fits.push(if right { 0.8 } else { noise * (random() - 0.5) });
            }
        }
        Table { cuts: times.iter().map(|time| cuts.contains(time)).collect(), times, start: 0.0, moments, fits }
    }

    /// The similarity matrix of a clip and the whole reference.
    fn of_clip(runs: Vec<Run>, clip: &Fingerprint, line: Line) -> Table {
        let shown = Shown::new(runs, Motion::default());
        let pairing = Pairing { clip, shown: &shown, orientation: Orientation::UPRIGHT, geometry: &PLAIN.geometry };
        pairing.table(line, (0.0, PLAIN.seconds), (0.0, 40.0)).unwrap()
    }

    fn row(table: &Table, picture: usize) -> &[f32] {
        &table.fits[picture * table.moments..(picture + 1) * table.moments]
    }

    #[test]
    fn a_picture_fits_the_moment_that_it_shows_and_no_other() {
        let mut random = Random(29);
        let runs = source(&mut random);
        let clip = clip(&runs, PLAIN, &mut random);
        let table = of_clip(runs, &clip, Line { speed: 1.0, offset: PLAIN.from });
        assert_eq!((table.times.len(), table.start, table.moments), (40, 0.0, 321));
        // The reference has one frame a second, and the clip has a frame at each of them.
        for picture in (0..40).step_by(4) {
            let shown = PLAIN.from + table.times[picture];
            for (moment, fit) in row(&table, picture).iter().enumerate() {
                let apart = (moment as f32 * STEP - shown).abs();
                assert!(if apart <= ON_LINE { *fit > 0.8 } else { *fit < 0.2 }, "{picture}, {apart} s off: {fit}");
            }
        }
    }

    #[test]
    fn a_pause_of_the_source_is_as_good_as_any_other_moment() {
        let mut random = Random(31);
        let mut runs = source(&mut random);
        // The frame at 15 s stays until 20 s.
        let second = Duration::from_secs;
        runs.retain(|run| run.recurs || run.first <= second(15) || run.first >= second(20));
        runs.iter_mut().filter(|run| run.first == second(15)).for_each(|run| run.last = second(20));
        let clip = clip(&runs, PLAIN, &mut random);
        let table = of_clip(runs, &clip, Line { speed: 1.0, offset: PLAIN.from });
        for picture in 13..32 {
            let fit = |moment: f32| row(&table, picture)[(moment / STEP) as usize];
            let shown = PLAIN.from + table.times[picture];
            assert!(fit(shown) > 0.5 && fit(shown) > fit(30.0) + 0.5, "{shown}: {} {}", fit(shown), fit(30.0));
        }
    }

    #[test]
    fn what_fits_at_some_times_fits_at_the_moments_beside_them() {
        let mut table = table(|time| REAL_TIME.at(time), &[], 0.0);
        table.fits.fill(0.0);
        let times = [1.0, 2.0, 9.0];
        table.add(&times, [(3, [0.2, 0.9, 0.4].as_slice())].into_iter(), false);
        let at = |moment: f32| row(&table, 3)[(moment / STEP) as usize];
        assert_eq!([1.0, 1.25, 1.5, 2.25, 5.0, 9.0].map(at), [0.2, 0.2, 0.0, 0.9, 0.0, 0.4]);
        assert!(row(&table, 2).iter().chain(row(&table, 4)).all(|fit| *fit == 0.0));
        // If held, a moment in a gap takes the minimum of both sides.
        table.add(&times, [(3, [0.2, 0.9, 0.4].as_slice())].into_iter(), true);
        let at = |moment: f32| row(&table, 3)[(moment / STEP) as usize];
        assert!(
            [(1.0, 0.4), (1.5, 0.2), (5.0, 0.4), (9.0, 0.8)]
                .iter()
                .all(|(moment, fit)| (at(*moment) - fit).abs() < 1e-6)
        );
    }

    #[test]
    fn a_cut_is_seen_whether_or_not_its_picture_has_keys() {
        let keyframe = |number: u64| {
            let time = Duration::from_millis(250 * number);
            Keyframe {
                time,
                content: Content::Searchable,
                still_since: time,
                cut: [2, 5].contains(&number),
                repeats: false,
                panned: false,
            }
        };
        let clip = Fingerprint { keyframes: (0..8).map(keyframe).collect(), ..still_clip(2.0) };
        assert_eq!(cuts(&clip, &[0.0, 0.25, 0.5, 0.75, 1.0, 1.25]), [false, false, true, false, false, true]);
        assert_eq!(cuts(&clip, &[0.0, 0.25, 0.75, 1.75]), [false, false, true, true]);
        assert_eq!(cuts(&clip, &[]), [] as [bool; 0]);
    }

    fn near(leg: &Part, moment: impl Fn(f32) -> f32) -> bool {
        [leg.clip.0, leg.clip.1].iter().all(|&time| (leg.line.at(time) - moment(time)).abs() < 0.4)
    }

    #[test]
    fn one_line_that_fits_is_left_alone() {
        assert_eq!(table(|time| REAL_TIME.at(time), &[], 0.4).course(REAL_TIME), None);
    }

    #[test]
    fn pictures_that_fit_no_moment_have_no_course() {
        assert_eq!(table(|_| -9.0, &[2.0, 4.0, 6.0], 0.4).course(REAL_TIME), None);
    }

    #[test]
    fn pieces_in_another_order_are_legs_whether_or_not_the_clip_shows_cuts() {
        let moment = |time: f32| {
            time + if time < 4.0 {
                9.0
            } else if time < 6.0 {
                -3.0
            } else {
                2.0
            }
        };
        for cuts in [&[4.0, 6.0][..], &[]] {
            let legs = table(moment, cuts, 0.4).course(REAL_TIME).unwrap();
            assert_eq!(legs.iter().map(|leg| leg.clip).collect::<Vec<_>>(), [(0.0, 3.75), (4.0, 5.75), (6.0, 9.75)]);
            assert!(legs.iter().all(|leg| leg.line.speed == 1.0 && near(leg, moment)), "{legs:?}");
        }
    }

    #[test]
    fn another_speed_is_one_leg_and_so_is_playing_backwards() {
        for line in [Line { speed: 1.26, offset: 2.0 }, Line { speed: -1.0, offset: 14.0 }] {
            let legs = table(|time| line.at(time), &[], 0.4).course(REAL_TIME).unwrap();
            assert!(legs.len() == 1 && near(&legs[0], |time| line.at(time)), "{legs:?}");
        }
    }

    #[test]
    fn a_line_is_kept_where_it_fits() {
        let moment = |time: f32| if time < 5.0 { REAL_TIME.at(time) } else { 17.0 - time };
        let legs = table(moment, &[], 0.4).course(REAL_TIME).unwrap();
        assert_eq!(legs[0].line, REAL_TIME);
        assert!(legs.len() == 2 && near(&legs[1], moment), "{legs:?}");
    }
}
