//! Which time lines a clip follows, one after the other.
//!
//! An edit may show pieces of a source in any order, and at any speed. Hits within half a second of one straight line may be of
//! several such pieces, or of one at another speed, as long as most of them are near it. So once a geometry is known, it is
//! looked at which pictures of the source each picture of the clip fits best, by keys and by what moves; and of all courses
//! through the source that jump from one line to another, the one is found that fits best, when each jump costs something
//! (the Viterbi algorithm).

use super::moving::{ON_LINE, Tracks};
use super::pairing::{Pairing, speeds};
use super::retime::{RETIMED_REACH, RETIMED_SECONDS};
use super::timing::{fit, roughly_at};
use super::vote::{Line, Vote};
use super::{Agreement, Alignment, CONTRAST_MIN, Context};
use crate::fingerprint::{ClipKey, Fingerprint};
use crate::search::Hit;

/// A part of a course: a part of the clip that follows one time line.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Part {
    line: Line,
    /// Its first and last picture, in seconds of the clip.
    clip: (f32, f32),
}

/// How well each picture of a part of the clip fits each moment of a part of the source, in steps of [`STEP`].
struct Table {
    /// When the pictures are, in seconds of the clip.
    times: Vec<f32>,
    /// Whether there is a cut since the picture before.
    cuts: Vec<bool>,
    /// The first moment, in seconds of the source.
    start: f32,
    moments: usize,
    /// Row by row, a picture each.
    fits: Vec<f32>,
}

impl Context<'_> {
    /// The time lines that the clip follows one after the other, each with the part of the clip in which it is looked for. Where
    /// no course fits clearly better, that is the agreement alone.
    ///
    /// Half a minute in the middle is asked; beyond it the first and the last line may go on.
    pub(super) fn legs(&self, votes: &[Vote], agreement: &Agreement, group: &[Hit]) -> Vec<Leg> {
        let worth = |agreement: &Agreement| self.evidence(votes, agreement, group).total;
        let alone = || vec![Leg::alone(agreement.clone(), self.window)];
        if worth(agreement) < CONTRAST_MIN {
            return alone();
        }
        let (first, last) = agreement.span(votes);
        // As much of the clip as is looked at, around the alignment.
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
        // Between other footage there may be one piece alone, on whichever line.
        let shown = legs.iter().zip(&worths).filter(|(_, bits)| **bits >= CONTRAST_MIN);
        let mut lines = shown.map(|(leg, _)| leg.agreement.line);
        let Some(one) = lines.next() else { return alone() };
        let voted = goes_on.contains(&true).then_some(*line);
        let jumps = lines.chain(voted).any(|line| !line.follows(one, clip_s));
        legs.iter_mut().for_each(|leg| leg.agreement.jumps = jumps);
        legs
    }
}

/// A time line that the clip follows for a while.
pub(super) struct Leg {
    /// The votes for it.
    pub(super) agreement: Agreement,
    /// The part of the clip in which it is looked for, in seconds.
    pub(super) window: (f32, f32),
    /// The part of that in which it was preferred to the line that was voted for.
    asked: (f32, f32),
    /// Whether that line goes on before and after what was asked.
    open: [bool; 2],
}

impl Leg {
    /// The line that was voted for.
    pub(super) fn alone(agreement: Agreement, window: (f32, f32)) -> Leg {
        Leg { agreement, window, asked: window, open: [false, false] }
    }

    /// The part of the clip that it wins from the line that was voted for by its pieces that `held`: all that was asked, but that
    /// to which that line may come back only as far as it held itself. Nothing if they have too little of the evidence that is
    /// `lost_in` that part.
    pub(super) fn won(&self, held: &[&Alignment], lost_in: impl Fn((f32, f32)) -> f32) -> Option<(f32, f32)> {
        let first = held.iter().map(|piece| piece.clip.seconds().0).reduce(f32::min)?;
        let last = held.iter().map(|piece| piece.clip.seconds().1).reduce(f32::max)?;
        let won = (if self.open[0] { first } else { self.asked.0 }, if self.open[1] { last } else { self.asked.1 });
        let bits: f32 = held.iter().map(|piece| piece.evidence.total).sum();
        (bits >= KEPT_MIN * lost_in(won)).then_some(won)
    }
}

impl Line {
    /// Whether it is no further than [`SAME_LINE`] from another line at both ends of a part of the clip.
    fn follows(self, other: Line, (first, last): (f32, f32)) -> bool {
        [first, last].iter().all(|&time| (self.at(time) - other.at(time)).abs() <= SAME_LINE)
    }
}

impl Pairing<'_> {
    /// The table of a part of the clip and a part of the source, in seconds of each; `None` if either shows too little.
    fn table(&self, line: Line, clip_s: (f32, f32), source_s: (f32, f32)) -> Option<Table> {
        let mut frames = self.frames(clip_s);
        // A fingerprint from elsewhere may have any number of pictures a second.
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

    /// How well the keys of each picture fit what the source shows at each moment: above its mean, as a share of its best.
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
        // Sharp pictures of the source fit many of the clip.
        for moment in 0..shown.len() {
            let column = (0..frames.len()).map(|frame| frame * shown.len() + moment);
            let mean = column.clone().map(|at| rows[at]).sum::<f32>() / frames.len() as f32;
            column.for_each(|at| rows[at] -= 0.5 * mean);
        }
        rows
    }
}

impl Table {
    /// The best course, if it fits clearly better than the line.
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

    /// Adds to the rows of some pictures how well they fit at some times of the source, each to the moments that are on it. If
    /// what is shown at a time is `held` until the next, a moment between two that are far apart shows what both do.
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

    /// How well each picture fits on a time line.
    fn along(&self, line: Line) -> impl Iterator<Item = f32> {
        let cost = if line.speed == 1.0 { 0.0 } else { SPEED_COST };
        let fit = move |(picture, time): (usize, &f32)| {
            let moment = ((line.at(*time) - self.start) / STEP).round();
            let inside = moment >= 0.0 && (moment as usize) < self.moments;
            (if inside { self.fits[picture * self.moments + moment as usize] } else { OUTSIDE }) - cost
        };
        self.times.iter().enumerate().map(fit)
    }

    /// All lines that meet the source.
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

    /// The best course, and how well it fits in all; `line` may be a part of it.
    fn best(&self, line: Line) -> (f32, Vec<Part>) {
        // The first of equals is taken: the line that was voted for.
        let lines: Vec<Line> = [line].into_iter().chain(self.lines()).collect();
        let along: Vec<Vec<f32>> = lines.iter().map(|line| self.along(*line).collect()).collect();
        let begun: Vec<f32> = lines.iter().map(|line| begins(*line)).collect();
        let mut sums: Vec<f32> = along.iter().zip(&begun).map(|(fits, begun)| fits[0] - begun).collect();
        // For each picture, where a jump to it comes from, and which lines are jumped to.
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

/// Which of these pictures are the first after a cut of the clip, whether or not the picture of the cut is one of them.
fn cuts(clip: &Fingerprint, times: &[f32]) -> Vec<bool> {
    let until = |time: f32| clip.keyframes.partition_point(|frame| frame.time.as_secs_f32() <= time);
    let after = |pair: &[f32]| clip.keyframes[until(pair[0])..until(pair[1])].iter().any(|frame| frame.cut);
    [false].into_iter().chain(times.windows(2).map(after)).take(times.len()).collect()
}

/// Where the largest is, the first of equals.
fn largest(sums: &[f32]) -> usize {
    (0..sums.len()).max_by(|&a, &b| sums[a].total_cmp(&sums[b]).then(b.cmp(&a))).unwrap_or(0)
}

/// What a part of this line costs once.
fn begins(line: Line) -> f32 {
    match line.speed {
        1.0 => 0.0,
        speed if speed < 0.0 => BACKWARDS_BEGIN_COST,
        _ => SPEED_BEGIN_COST,
    }
}

/// What a time line of a course pays, in bits: it fits better than its rivals by several pictures, of the same pictures though
/// that are then asked how well it is timed. With 0, 3 and 6 bits 94, 89 and 76 of 135 pieces of two seconds are found, and no
/// other moment of a real or made scene passes for a copy.
const COURSE_PRICE: f32 = 3.0;

/// Moments of the table and offsets of the lines, in seconds of the source.
const STEP: f32 = 0.125;
const OFFSETS: f32 = 0.25;

/// What a picture loses where nothing of the source is looked at.
const OUTSIDE: f32 = -0.3;

/// What a jump costs, in pictures that fit as well as they can; less at a cut of the clip.
const JUMP_COST: f32 = 5.0;
const CUT_COST: f32 = 3.0;

/// What another speed than real time costs, at its begin and each picture: slow pictures fit many speeds. Playing backwards
/// costs more, since what goes to and fro does so backwards as well.
const SPEED_BEGIN_COST: f32 = 2.0;
const SPEED_COST: f32 = 0.02;
const BACKWARDS_BEGIN_COST: f32 = 4.0;

/// Share of the evidence that the legs of a course have to have, of that of the line that they replace; and so has each piece to
/// have where it takes that line's votes.
pub(super) const KEPT_MIN: f32 = 0.5;

/// How much better than one line a course has to fit, in pictures.
const GAIN_MIN: f32 = 3.0;

/// A part no further than this from the line, in seconds of the source, follows it.
const SAME_LINE: f32 = 0.4;

/// Least pictures that have a course: a second.
const PICTURES_MIN: usize = 4;

/// Most pictures that are looked at: of half a minute of a clip there are 120.
const PICTURES_MAX: usize = 240;

/// How much better than the mean the best fit of a picture has to be to count in full: of its own size, and in any case.
const CLEAR_SHARE: f32 = 0.25;
const CLEAR_MIN: f32 = 12.0;

/// Keys and motion no further apart than this are of one picture, in seconds.
const SAME_PICTURE: f32 = 0.13;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::guide::Shown;
    use super::super::tests::{PLAIN, Random, clip, source, still_clip};
    use super::*;
    use crate::fingerprint::{Content, Keyframe, Motion, Orientation, Run};

    const REAL_TIME: Line = Line { speed: 1.0, offset: 3.0 };

    /// A clip of ten seconds and a source of twenty; a picture fits within a third of a second of its moment, and elsewhere as a
    /// repeatable noise has it.
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

    /// The table of a clip and all of a source, and for some of its pictures where it fits best, in seconds of the source.
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
        // The source has a picture each second, and the clip one at each of them.
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
        // From 15 s to 20 s the picture of 15 s stands still.
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
        // Held, a moment between two shows what both do.
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
