//! Keeps account of the parts of a clip that gave no usable picture (pure).

use super::{Undecoded, clock};

/// Collects missing parts while frames go by; all times in nanoseconds from the first frame.
#[derive(Debug, Default)]
pub(super) struct Damage {
    /// Something failed since the last good frame.
    open: bool,
    /// The last good frame's end.
    last_end: i64,
    parts: Vec<(i64, i64, String)>,
}

impl Damage {
    /// Notes that data after the last good frame could not be decoded.
    pub(super) fn trouble(&mut self) {
        self.open = true;
    }

    /// Whether something failed since the last good frame.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// The end of the last good frame.
    pub(super) fn last_end(&self) -> i64 {
        self.last_end
    }

    /// Notes a good frame at `time` that is shown for `length`.
    pub(super) fn good(&mut self, time: i64, length: i64) {
        if std::mem::take(&mut self.open) {
            self.add(self.last_end, time, CORRUPT);
        }
        self.last_end = self.last_end.max(time.saturating_add(length));
    }

    /// Notes a missing part; one of less than a millisecond is rounding.
    pub(super) fn add(&mut self, start: i64, end: i64, reason: &str) {
        let start = start.max(0);
        if end - start >= 1_000_000 {
            self.parts.push((start, end, reason.to_owned()));
        }
    }

    /// Closes the account at `end` and returns the parts in order and without overlap.
    pub(super) fn finish(mut self, end: i64) -> Vec<Undecoded> {
        if self.open {
            self.add(self.last_end, end, CORRUPT);
        }
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
            .map(|(start, end, reason)| Undecoded { start: clock::duration(start), end: clock::duration(end), reason })
            .collect()
    }
}

/// Makes one part of all that are too many: what lies between them is given up too, so that none counts as seen.
fn coarsen(parts: &mut Vec<(i64, i64, String)>) {
    if let (true, Some(&(_, end, _))) = (parts.len() > PARTS_MAX, parts.last()) {
        parts.truncate(PARTS_MAX);
        if let Some(last) = parts.last_mut() {
            last.1 = end;
        }
    }
}

/// A file with more missing parts than this is given up from the last one on.
pub(super) const PARTS_MAX: usize = 1000;

/// The reason for a part that the decoder refused or marked.
pub(super) const CORRUPT: &str = "corrupt data";

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
        let mut damage = Damage::default();
        damage.good(0, 40 * MS);
        damage.good(40 * MS, 40 * MS);
        damage.trouble();
        damage.trouble();
        damage.good(200 * MS, 40 * MS);
        assert_eq!(parts(damage, 240), [(80, 200, CORRUPT.to_owned())]);
    }

    #[test]
    fn trouble_that_costs_no_frame_is_no_part() {
        let mut damage = Damage::default();
        damage.good(0, 40 * MS);
        damage.trouble();
        damage.good(40 * MS + 1, 40 * MS);
        assert_eq!(parts(damage, 80), []);
    }

    #[test]
    fn start_and_end_can_be_missing() {
        let mut damage = Damage::default();
        damage.trouble();
        damage.good(500 * MS, 40 * MS);
        damage.trouble();
        let corrupt = CORRUPT.to_owned();
        assert_eq!(parts(damage, 900), [(0, 500, corrupt.clone()), (540, 900, corrupt)]);
    }

    #[test]
    fn too_many_parts_end_in_one_that_covers_the_rest() {
        let mut damage = Damage::default();
        for i in 0..5000 {
            damage.add(10 * i * MS, (10 * i + 5) * MS, "a");
        }
        let found = parts(damage, 50_000);
        assert_eq!(found.len(), PARTS_MAX);
        assert_eq!(found[PARTS_MAX - 1], (9990, 49_995, "a".to_owned()));
    }

    #[test]
    fn parts_come_in_order_and_without_overlap() {
        let mut damage = Damage::default();
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
