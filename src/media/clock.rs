//! Turns a stream's time stamps into times that never run backwards (pure).
//!
//! Every packet passes through [`Continuity`] before it is decoded. If a stream's time stamps
//! restart, as in concatenated transport streams, time continues from where it was. So dense and
//! sparse decoding see the same times.

use std::collections::BTreeSet;
use std::time::Duration;

use ffmpeg_next::Rational;

/// Converts a stream's ticks to nanoseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ticks {
    num: i32,
    den: i32,
}

impl Ticks {
    /// Treats an invalid time base as microseconds.
    pub(super) fn new(base: Rational) -> Ticks {
        let (num, den) = (base.numerator(), base.denominator());
        if num > 0 && den > 0 {
            Ticks { num, den }
        } else {
            Ticks::microseconds()
        }
    }

    /// The unit of a container's own duration.
    pub(super) fn microseconds() -> Ticks {
        Ticks {
            num: 1,
            den: 1_000_000,
        }
    }

    pub(super) fn time_base(self) -> Rational {
        Rational::new(self.num, self.den)
    }

    /// Converts to nanoseconds, rounded to the nearest and clamped to a century on either side.
    pub(super) fn nanos(self, ticks: i64) -> i64 {
        let (num, den) = (i128::from(self.num) * 1_000_000_000, i128::from(self.den));
        let nanos = (i128::from(ticks) * num + den / 2).div_euclid(den);
        nanos.clamp(-i128::from(LONGEST), i128::from(LONGEST)) as i64
    }

    fn ticks(self, nanos: i64) -> i64 {
        let (num, den) = (i128::from(self.num) * 1_000_000_000, i128::from(self.den));
        let ticks = (i128::from(nanos) * den + num / 2).div_euclid(num);
        i64::try_from(ticks).unwrap_or(i64::MAX)
    }
}

/// A non-negative number of nanoseconds as a duration.
pub(super) fn duration(nanos: i64) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
}

/// A duration as nanoseconds, at most a century.
pub(super) fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).map_or(LONGEST, |nanos| nanos.min(LONGEST))
}

/// The length of a frame in nanoseconds at `rate` frames a second; `None` for an implausible rate.
pub(super) fn frame_length(rate: Rational) -> Option<i64> {
    let (num, den) = (i64::from(rate.numerator()), i64::from(rate.denominator()));
    if num <= 0 || den <= 0 {
        return None;
    }
    let length = den.saturating_mul(1_000_000_000) / num;
    (1_000_000..=60_000_000_000)
        .contains(&length)
        .then_some(length)
}

/// Makes the time stamps of successive packets continue where they restart.
#[derive(Debug)]
pub(super) struct Continuity {
    ticks: Ticks,
    /// Added to each time stamp, in ticks.
    offset: i64,
    /// The latest decoding time and the latest end of a presentation, both with the offset, in
    /// ticks.
    last: Option<(i64, i64)>,
    /// The latest decoding time comes from the container, and not from a presentation time.
    sure: bool,
    frame_length: i64,
}

impl Continuity {
    pub(super) fn new(ticks: Ticks, frame_length: i64) -> Continuity {
        Continuity {
            ticks,
            offset: 0,
            last: None,
            sure: false,
            frame_length,
        }
    }

    /// Shifts a time stamp of a packet that is decoded but not shown, such as those before the
    /// start of an edit. These step back in time by design.
    pub(super) fn shift(&self, time: Option<i64>) -> Option<i64> {
        time.map(|time| time.saturating_add(self.offset))
    }

    /// Returns the corrected presentation and decoding time stamps of the next packet in decoding
    /// order.
    pub(super) fn correct(
        &mut self,
        pts: Option<i64>,
        dts: Option<i64>,
        length: i64,
    ) -> (Option<i64>, Option<i64>) {
        let Some(decoding) = dts.or(pts) else {
            return (None, None);
        };
        // The first packets may lack a decoding time, and their presentation may be much later than
        // it.
        let comparable = self.sure || dts.is_none();
        self.sure = dts.is_some();
        if let Some((last_decoding, end)) = self.last.filter(|_| comparable) {
            let backwards = last_decoding.saturating_sub(decoding.saturating_add(self.offset));
            if self.ticks.nanos(backwards) > RESTART {
                // The first picture after the restart follows the last one before the restart.
                self.offset = end.saturating_sub(pts.unwrap_or(decoding));
            }
        }
        let shift = |time: i64| time.saturating_add(self.offset);
        let (pts, dts) = (pts.map(shift), dts.map(shift));
        let length = if length > 0 {
            length
        } else {
            self.ticks.ticks(self.frame_length)
        };
        let end = pts
            .or(dts)
            .map_or(i64::MIN, |time| time.saturating_add(length));
        let decoding = shift(decoding);
        self.last = Some(match self.last {
            Some((_, last_end)) => (decoding, end.max(last_end)),
            None => (decoding, end),
        });
        (pts, dts)
    }
}

/// Removes all times up to `time` and returns the first one before it.
pub(super) fn earlier(times: &mut BTreeSet<i64>, time: i64) -> Option<i64> {
    let later = times.split_off(&time);
    let first = std::mem::replace(times, later).pop_first();
    times.remove(&time);
    first
}

/// Time stamps that fall back by more than this, in nanoseconds, count as a restart; smaller steps
/// are reordering.
const RESTART: i64 = 1_000_000_000;
/// Frame length in nanoseconds if it is not known: 25 frames a second.
pub(super) const DEFAULT_FRAME_LENGTH: i64 = 40_000_000;
/// The longest time allowed, a century in nanoseconds. It keeps sums of times within 64 bits.
pub(super) const LONGEST: i64 = 100 * 366 * 86_400 * 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_become_nanoseconds_and_back() {
        let ticks = Ticks::new(Rational::new(1, 90_000));
        assert_eq!(ticks.nanos(90_000), 1_000_000_000);
        assert_eq!(ticks.nanos(-45_000), -500_000_000);
        assert_eq!(ticks.ticks(1_000_000_000), 90_000);
        assert_eq!(ticks.nanos(i64::MAX), LONGEST);
        assert_eq!(ticks.nanos(i64::MIN), -LONGEST);
        assert_eq!(Ticks::new(Rational::new(0, 0)).nanos(5), 5000);
    }

    #[test]
    fn only_rates_at_which_pictures_are_shown_give_a_length() {
        assert_eq!(frame_length(Rational::new(25, 1)), Some(40_000_000));
        assert_eq!(frame_length(Rational::new(30_000, 1001)), Some(33_366_666));
        for (num, den) in [(0, 0), (0, 1), (-25, 1), (90_000, 1), (1, 3600)] {
            assert_eq!(frame_length(Rational::new(num, den)), None);
        }
    }

    fn corrected(stamps: &[(i64, i64)]) -> Vec<i64> {
        let ticks = Ticks::new(Rational::new(1, 1000));
        let mut continuity = Continuity::new(ticks, DEFAULT_FRAME_LENGTH);
        let correct = |&(pts, dts)| continuity.correct(Some(pts), Some(dts), 0).0;
        stamps.iter().filter_map(correct).collect()
    }

    #[test]
    fn time_stamps_that_start_again_go_on() {
        let first = [(5000, 4960), (5080, 5000), (5040, 5040), (6200, 6200)];
        assert_eq!(corrected(&first), [5000, 5080, 5040, 6200]);
        let both = [&first[..], &[(80, 40), (160, 80), (120, 120)]].concat();
        assert_eq!(corrected(&both)[4..], [6240, 6320, 6280]);
    }

    #[test]
    fn disorder_below_a_second_and_jumps_ahead_are_left_alone() {
        let stamps = [(0, 0), (900, 900), (100, 100), (50_000, 50_000)];
        assert_eq!(corrected(&stamps), [0, 900, 100, 50_000]);
    }

    #[test]
    fn decoding_times_that_begin_late_are_no_restart() {
        // A slide show of one picture every five seconds, in decoding order.
        let ticks = Ticks::new(Rational::new(1, 1000));
        let mut continuity = Continuity::new(ticks, DEFAULT_FRAME_LENGTH);
        for (pts, dts) in [
            (0, None),
            (15_000, None),
            (5000, Some(0)),
            (10_000, Some(5000)),
            (20_000, Some(10_000)),
        ] {
            assert_eq!(continuity.correct(Some(pts), dts, 40), (Some(pts), dts));
        }
    }

    #[test]
    fn missing_and_extreme_time_stamps_do_no_harm() {
        let ticks = Ticks::new(Rational::new(1, 1000));
        let mut continuity = Continuity::new(ticks, DEFAULT_FRAME_LENGTH);
        assert_eq!(continuity.correct(None, None, 0), (None, None));
        assert_eq!(continuity.correct(None, Some(7), 0), (None, Some(7)));
        for stamp in [i64::MAX, i64::MIN + 1, 0, i64::MAX, -1] {
            assert!(continuity.correct(Some(stamp), None, i64::MAX).0.is_some());
        }
    }
}
