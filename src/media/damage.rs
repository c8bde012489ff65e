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
        merged
            .into_iter()
            .map(|(start, end, reason)| Undecoded {
                start: clock::duration(start),
                end: clock::duration(end),
                reason,
            })
            .collect()
    }
}

/// The reason for a part that the decoder refused or marked.
pub(super) const CORRUPT: &str = "corrupt data";
