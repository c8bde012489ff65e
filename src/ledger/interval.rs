//! Sets of milliseconds of a clip, as sorted intervals that neither overlap nor touch (pure).

use serde::{Deserialize, Serialize};

/// Milliseconds of a clip from `start_ms` to before `end_ms`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Interval {
    /// The first millisecond.
    pub start_ms: u64,
    /// The first millisecond after the interval.
    pub end_ms: u64,
}

impl Interval {
    /// The interval from `start_ms` to before `end_ms`.
    pub fn new(start_ms: u64, end_ms: u64) -> Interval {
        Interval { start_ms, end_ms }
    }

    /// The interval between two times in seconds, rounded to milliseconds.
    pub(super) fn of_seconds(start_s: f64, end_s: f64) -> Interval {
        // Positive and shorter than a century.
        let ms = |seconds: f64| (seconds.max(0.0) * 1e3).round() as u64;
        Interval {
            start_ms: ms(start_s),
            end_ms: ms(end_s),
        }
    }

    /// Its length; 0 if it ends before it starts.
    pub fn length_ms(&self) -> u64 {
        self.end_ms.saturating_sub(self.start_ms)
    }

    /// Its start in seconds.
    pub fn start_s(&self) -> f64 {
        self.start_ms as f64 / 1e3
    }

    /// Its end in seconds.
    pub fn end_s(&self) -> f64 {
        self.end_ms as f64 / 1e3
    }
}

/// A set of milliseconds.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Vec<Interval>", into = "Vec<Interval>")]
pub struct Intervals(Vec<Interval>);

impl Intervals {
    /// The intervals in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Interval> + '_ {
        self.0.iter().copied()
    }

    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Number of milliseconds in the set.
    pub fn total_ms(&self) -> u64 {
        self.iter().map(|interval| interval.length_ms()).sum()
    }

    /// Milliseconds in either set.
    #[must_use]
    pub fn union(&self, other: &Intervals) -> Intervals {
        self.iter().chain(other.iter()).collect()
    }

    /// Milliseconds in both sets.
    #[must_use]
    pub fn intersection(&self, other: &Intervals) -> Intervals {
        let (mut a, mut b, mut both) = (
            self.0.iter().peekable(),
            other.0.iter().peekable(),
            Vec::new(),
        );
        while let (Some(one), Some(two)) = (a.peek(), b.peek()) {
            let common = Interval::new(one.start_ms.max(two.start_ms), one.end_ms.min(two.end_ms));
            if common.start_ms < common.end_ms {
                both.push(common);
            }
            if one.end_ms < two.end_ms {
                a.next();
            } else {
                b.next();
            }
        }
        Intervals(both)
    }

    /// Milliseconds in this set but not in the other.
    #[must_use]
    pub fn without(&self, other: &Intervals) -> Intervals {
        let mut rest = Vec::new();
        let mut from = 0;
        for interval in &self.0 {
            let mut start = interval.start_ms;
            // Both are sorted, so intervals that have ended are skipped for good.
            while other.0.get(from).is_some_and(|taken| taken.end_ms <= start) {
                from += 1;
            }
            for taken in other.0[from..]
                .iter()
                .take_while(|taken| taken.start_ms < interval.end_ms)
            {
                if taken.start_ms > start {
                    rest.push(Interval::new(start, taken.start_ms));
                }
                start = start.max(taken.end_ms);
            }
            if start < interval.end_ms {
                rest.push(Interval::new(start, interval.end_ms));
            }
        }
        Intervals(rest)
    }

    /// The intervals of at least this length.
    #[must_use]
    pub fn of_length(&self, least_ms: u64) -> Intervals {
        self.iter()
            .filter(|interval| interval.length_ms() >= least_ms)
            .collect()
    }
}

impl FromIterator<Interval> for Intervals {
    fn from_iter<I: IntoIterator<Item = Interval>>(intervals: I) -> Intervals {
        let mut all: Vec<Interval> = intervals
            .into_iter()
            .filter(|interval| interval.start_ms < interval.end_ms)
            .collect();
        all.sort_unstable();
        let mut joined: Vec<Interval> = Vec::with_capacity(all.len());
        for interval in all {
            match joined
                .last_mut()
                .filter(|last| interval.start_ms <= last.end_ms)
            {
                Some(last) => last.end_ms = last.end_ms.max(interval.end_ms),
                None => joined.push(interval),
            }
        }
        Intervals(joined)
    }
}

impl From<Vec<Interval>> for Intervals {
    fn from(intervals: Vec<Interval>) -> Intervals {
        intervals.into_iter().collect()
    }
}

impl From<Intervals> for Vec<Interval> {
    fn from(intervals: Intervals) -> Vec<Interval> {
        intervals.0
    }
}

impl From<Interval> for Intervals {
    fn from(interval: Interval) -> Intervals {
        [interval].into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn some() -> impl Strategy<Value = Intervals> {
        prop::collection::vec((0_u64..40, 0_u64..12), 0..8).prop_map(|pairs| {
            pairs
                .into_iter()
                .map(|(start, length)| Interval::new(start, start + length))
                .collect()
        })
    }

    fn points(of: &Intervals) -> BTreeSet<u64> {
        of.iter()
            .flat_map(|interval| interval.start_ms..interval.end_ms)
            .collect()
    }

    proptest! {
        #[test]
        fn sets_of_intervals_are_sets_of_milliseconds(a in some(), b in some()) {
            let (one, two) = (points(&a), points(&b));
            prop_assert_eq!(points(&a.union(&b)), &one | &two);
            prop_assert_eq!(points(&a.intersection(&b)), &one & &two);
            prop_assert_eq!(points(&a.without(&b)), &one - &two);
            prop_assert_eq!(a.total_ms(), one.len() as u64);
            for set in [a.union(&b), a.intersection(&b), a.without(&b)] {
                prop_assert!(set.iter().all(|interval| interval.start_ms < interval.end_ms));
                let all: Vec<Interval> = set.iter().collect();
                prop_assert!(all.windows(2).all(|pair| pair[0].end_ms < pair[1].start_ms));
            }
        }
    }
}
