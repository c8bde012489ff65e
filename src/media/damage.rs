//! Keeps account of the parts of a clip that gave no usable picture (pure).
//!
//! Frames that the decoder refuses, marks as damaged or never returns are missing. There may also
//! be a *pause*: two frames further apart than the declared length of the first. A recording of a
//! static screen is full of pauses, and they count as seen. But a pause near damage may hide frames
//! that were lost without an error, so it counts as missing.

use super::pace::Pace;
use super::{Undecoded, clock};

/// Collects missing parts while frames go by; all times in nanoseconds from the first frame.
#[derive(Debug)]
pub(super) struct Damage {
    /// Something failed since the last good frame.
    open: bool,
    /// When the last good frame is shown.
    last: Option<i64>,
    last_end: i64,
    pace: Pace,
    /// Frames may be this far apart because those between them are left undecoded, in nanoseconds.
    tolerance: i64,
    pauses: Vec<Pause>,
    /// Where a problem was seen, whether it cost a frame or not.
    doubts: Vec<i64>,
    parts: Vec<(i64, i64, String)>,
}

/// A time in which no frame is shown.
#[derive(Debug, Clone, Copy)]
struct Pause {
    /// When the frame before it is shown.
    shown: i64,
    start: i64,
    end: i64,
}

impl Damage {
    /// Creates an empty account of a video with a frame every `nominal` nanoseconds, of which some
    /// are left undecoded so that frames may be `tolerance` nanoseconds apart.
    pub(super) fn new(nominal: i64, tolerance: i64) -> Damage {
        Damage {
            open: false,
            last: None,
            last_end: 0,
            pace: Pace::new(nominal),
            tolerance,
            pauses: Vec::new(),
            doubts: Vec::new(),
            parts: Vec::new(),
        }
    }

    /// Notes that data after the last good frame could not be decoded.
    pub(super) fn trouble(&mut self) {
        self.open = true;
        self.doubt(self.last_end);
    }

    /// Notes a problem near `time`, which may have cost no frame.
    pub(super) fn doubt(&mut self, time: i64) {
        if self
            .doubts
            .last()
            .is_none_or(|last| last.abs_diff(time) > DOUBT_STEP)
            && self.doubts.len() < DOUBTS_MAX
        {
            self.doubts.push(time);
        }
    }

    /// Notes that frames are missing, the first of which should have been shown at `time`. The last
    /// good frame ends there, whatever its declared length.
    pub(super) fn missed(&mut self, time: i64) {
        self.last_end = self.end_before(time);
        self.trouble();
    }

    /// The end of the last good frame if the next one should have been shown at `time`.
    ///
    /// A frame lasts at least for the usual step, because second fields and hidden pictures have
    /// times in between.
    pub(super) fn end_before(&self, time: i64) -> i64 {
        let usual = self
            .last
            .map_or(0, |last| last.saturating_add(self.pace.usual()));
        self.last_end.min(time.max(usual))
    }

    /// The usual time between good frames.
    pub(super) fn usual_step(&self) -> i64 {
        self.pace.usual()
    }

    /// Returns whether something failed since the last good frame.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// The end of the last good frame.
    pub(super) fn last_end(&self) -> i64 {
        self.last_end
    }

    /// Notes a good frame at `time` that is shown for `length`.
    pub(super) fn good(&mut self, time: i64, length: i64) {
        if let Some(last) = self.last {
            self.pace.step(time.saturating_sub(last));
            let (said, step) = (
                self.last_end.saturating_sub(last),
                time.saturating_sub(last),
            );
            if !self.open && step > self.tolerance.max(longest(said)) {
                self.pause(Pause {
                    shown: last,
                    start: self.last_end,
                    end: time,
                });
            }
        }
        if std::mem::take(&mut self.open) {
            self.add(self.last_end, time, CORRUPT);
        }
        self.last = self.last.max(Some(time));
        self.last_end = self.last_end.max(time.saturating_add(length));
    }

    fn pause(&mut self, pause: Pause) {
        let full = self.pauses.len() >= PAUSES_MAX;
        match self.pauses.last_mut().filter(|_| full) {
            Some(last) => last.end = pause.end,
            None => self.pauses.push(pause),
        }
    }

    /// Notes a missing part. Ignores parts of less than a millisecond, which come from rounding.
    pub(super) fn add(&mut self, start: i64, end: i64, reason: &str) {
        let start = start.max(0);
        if end - start >= 1_000_000 {
            self.parts.push((start, end, reason.to_owned()));
        }
    }

    /// Closes the account at `end` and returns the missing parts in order and without overlap.
    pub(super) fn finish(mut self, end: i64) -> Vec<Undecoded> {
        if self.open {
            self.add(self.last_end, end, CORRUPT);
        }
        self.distrust();
        self.parts.sort();
        let mut merged: Vec<(i64, i64, String)> = Vec::new();
        for (start, end, reason) in self.parts {
            match merged.last_mut() {
                Some(last) if start <= last.1 && last.2 == reason => last.1 = last.1.max(end),
                Some(last) if end <= last.1 => {}
                Some(last) => {
                    let start = start.max(last.1);
                    merged.push((start, end, reason));
                }
                None => merged.push((start, end, reason)),
            }
        }
        coarsen(&mut merged);
        merged
            .into_iter()
            .map(|(start, end, reason)| Undecoded {
                start: clock::duration(start),
                end: clock::duration(end),
                reason,
            })
            .collect()
    }

    /// Counts pauses near damage as missing.
    fn distrust(&mut self) {
        let corrupt = self
            .parts
            .iter()
            .filter(|part| part.2 == CORRUPT)
            .map(|part| (part.0, part.1));
        let mut near: Vec<(i64, i64)> = corrupt
            .chain(self.doubts.iter().map(|&time| (time, time)))
            .map(|(start, end)| (start.saturating_sub(NEAR), end.saturating_add(NEAR)))
            .collect();
        near.sort_unstable();
        // Running maxima, so that the ends can be searched.
        let ends = near.iter().scan(i64::MIN, |latest, &(_, end)| {
            *latest = end.max(*latest);
            Some(*latest)
        });
        let ends: Vec<i64> = ends.collect();
        let usual = self.pace.usual();
        for pause in std::mem::take(&mut self.pauses) {
            let doubtful = near
                .get(ends.partition_point(|&end| end < pause.start))
                .is_some_and(|it| it.0 <= pause.end);
            if doubtful && pause.end - pause.shown > longest(usual) {
                self.add(
                    pause.start.max(pause.shown.saturating_add(usual)),
                    pause.end,
                    CORRUPT,
                );
            }
        }
    }
}

/// The longest step after a frame of this length that is no pause. It allows a quarter more, since
/// clocks are coarse.
fn longest(length: i64) -> i64 {
    length.saturating_add(length / 4)
}

/// Joins the closest parts until at most [`PARTS_MAX`] remain. What lies between joined parts
/// counts as missing too, so that no missing frame counts as seen.
fn coarsen(parts: &mut Vec<(i64, i64, String)>) {
    let surplus = parts.len().saturating_sub(PARTS_MAX);
    if surplus == 0 {
        return;
    }
    let mut between: Vec<(i64, usize)> = parts
        .windows(2)
        .zip(1..)
        .map(|(pair, at)| (pair[1].0 - pair[0].1, at))
        .collect();
    between.sort_unstable();
    let mut joined = vec![false; parts.len()];
    between[..surplus]
        .iter()
        .for_each(|&(_, at)| joined[at] = true);
    let mut joined = joined.into_iter().skip(1);
    parts.dedup_by(|next, last| {
        let join = joined.next().unwrap_or(false);
        if join {
            last.1 = next.1;
        }
        join
    });
}

/// Maximum number of missing parts in a file.
pub(super) const PARTS_MAX: usize = 1000;

/// The reason for a part that the decoder refused, marked as damaged or never returned.
pub(super) const CORRUPT: &str = "corrupt data";

/// Pauses within this distance of damage, in nanoseconds, count as missing. Decoders delay
/// pictures, and a demuxer that has lost its place resumes at the next key picture, which is rarely
/// further away.
const NEAR: i64 = 2_000_000_000;
/// Doubts closer together than this, in nanoseconds, count as one.
const DOUBT_STEP: u64 = 250_000_000;
/// Bounds for endless files with much damage. Further pauses extend the last one; further doubts
/// are dropped.
const PAUSES_MAX: usize = 200_000;
const DOUBTS_MAX: usize = 200_000;

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    fn parts(damage: Damage, end: i64) -> Vec<(u128, u128, String)> {
        let millis = |part: Undecoded| (part.start.as_millis(), part.end.as_millis(), part.reason);
        damage.finish(end * MS).into_iter().map(millis).collect()
    }

    #[test]
    fn a_part_reaches_from_the_last_good_frame_to_the_next() {
        let mut damage = Damage::new(40 * MS, 0);
        damage.good(0, 40 * MS);
        damage.good(40 * MS, 40 * MS);
        damage.trouble();
        damage.trouble();
        damage.good(200 * MS, 40 * MS);
        assert_eq!(parts(damage, 240), [(80, 200, CORRUPT.to_owned())]);
    }

    #[test]
    fn trouble_that_costs_no_frame_is_no_part() {
        let mut damage = Damage::new(40 * MS, 0);
        damage.good(0, 40 * MS);
        damage.trouble();
        damage.good(40 * MS + 1, 40 * MS);
        assert_eq!(parts(damage, 80), []);
    }

    #[test]
    fn start_and_end_can_be_missing() {
        let mut damage = Damage::new(40 * MS, 0);
        damage.trouble();
        damage.good(500 * MS, 40 * MS);
        damage.trouble();
        let corrupt = CORRUPT.to_owned();
        assert_eq!(
            parts(damage, 900),
            [(0, 500, corrupt.clone()), (540, 900, corrupt)]
        );
    }

    #[test]
    fn of_too_many_parts_those_that_are_closest_are_joined() {
        let mut damage = Damage::new(40 * MS, 0);
        for i in 0..5000 {
            // Every fifth part has a larger distance to the one before it.
            let start = 10 * i + 5 * (i / 5);
            damage.add(start * MS, (start + 5) * MS, "a");
        }
        let found = parts(damage, 60_000);
        assert_eq!(found.len(), PARTS_MAX);
        let expected = |i: u128| (55 * i, 55 * i + 45, "a".to_owned());
        assert!(
            (0..).zip(&found).all(|(i, part)| *part == expected(i)),
            "{:?}",
            &found[..5]
        );
    }

    /// Frames of 40 ms at `times` in milliseconds.
    fn frames(damage: &mut Damage, times: impl IntoIterator<Item = i64>) {
        times
            .into_iter()
            .for_each(|time| damage.good(time * MS, 40 * MS));
    }

    /// A recording of a screen: 25 frames a second while something moves, and pauses of five
    /// seconds.
    fn screen() -> impl Iterator<Item = i64> {
        (0..4).flat_map(|part| (0..25).map(move |frame| part * 6000 + frame * 40))
    }

    #[test]
    fn pauses_of_a_sound_file_are_no_parts() {
        let mut damage = Damage::new(40 * MS, 0);
        frames(&mut damage, screen());
        assert_eq!(parts(damage, 19_000), []);
    }

    #[test]
    fn pauses_near_damage_are_missing_and_others_are_not() {
        let mut damage = Damage::new(40 * MS, 0);
        frames(&mut damage, screen().take(60));
        damage.doubt(12_400 * MS);
        frames(&mut damage, screen().skip(60));
        let corrupt = |start: u128, end: u128| (start, end, CORRUPT.to_owned());
        // The usual step is 41 ms, rounded up.
        assert_eq!(
            parts(damage, 19_000),
            [corrupt(7_001, 12_000), corrupt(13_001, 18_000)]
        );
    }

    #[test]
    fn a_damaged_part_makes_pauses_near_it_missing() {
        let mut damage = Damage::new(40 * MS, 0);
        frames(&mut damage, (0..10).map(|frame| frame * 40));
        damage.trouble();
        frames(&mut damage, (20..30).map(|frame| frame * 40));
        frames(&mut damage, [2000, 2040, 9000]);
        let corrupt = |start: u128, end: u128| (start, end, CORRUPT.to_owned());
        assert_eq!(
            parts(damage, 9040),
            [corrupt(400, 800), corrupt(1201, 2000), corrupt(2081, 9000)]
        );
    }

    #[test]
    fn a_frame_does_not_last_beyond_those_that_are_missing() {
        let mut damage = Damage::new(40 * MS, 0);
        for frame in 0..10 {
            damage.good(frame * 40 * MS, 1320 * MS);
        }
        damage.missed(400 * MS);
        damage.good(1000 * MS, 1320 * MS);
        // A field or a hidden picture lies within the usual step, and a picture out of order before
        // it.
        damage.missed(1020 * MS);
        damage.missed(7 * MS);
        damage.good(1040 * MS, 40 * MS);
        assert_eq!(parts(damage, 2320), [(401, 1000, CORRUPT.to_owned())]);
    }

    #[test]
    fn frames_left_undecoded_on_purpose_leave_no_pauses() {
        let mut damage = Damage::new(40 * MS, 1050 * MS);
        damage.doubt(4000 * MS);
        frames(&mut damage, (0..5).map(|frame| frame * 1000));
        damage.good(6000 * MS, 40 * MS);
        assert_eq!(parts(damage, 6040), [(5000, 6000, CORRUPT.to_owned())]);
    }

    #[test]
    fn parts_come_in_order_and_without_overlap() {
        let mut damage = Damage::new(40 * MS, 0);
        damage.add(300 * MS, 500 * MS, "b");
        damage.add(100 * MS, 200 * MS, "a");
        damage.add(400 * MS, 600 * MS, "b");
        damage.add(550 * MS, 700 * MS, "c");
        damage.add(560 * MS, 580 * MS, "d");
        let expected = [(100, 200, "a"), (300, 600, "b"), (600, 700, "c")];
        let expected = expected.map(|(start, end, reason)| (start, end, reason.to_owned()));
        assert_eq!(parts(damage, 1000), expected);
    }
}
