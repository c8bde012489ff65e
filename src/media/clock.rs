//! Turns a stream's time stamps into times that never run backwards (pure).
//!
//! Every packet passes through [`Continuity`] before it is decoded. A stream whose time stamps start again, as in
//! concatenated transport streams, is continued where it was, so that dense and sparse decoding see the same times.

use std::time::Duration;

use ffmpeg_next::Rational;

/// Converts a stream's ticks to nanoseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ticks {
    num: i32,
    den: i32,
}

impl Ticks {
    /// A senseless time base counts as microseconds.
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

    /// Nanoseconds, rounded to the nearest and held within a century on either side.
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

/// The length of a frame in nanoseconds at `rate` frames a second, if that is a rate at which pictures are shown.
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
    /// The latest decoding time and the end of the latest presentation, both after the offset, in ticks.
    last: Option<(i64, i64)>,
    frame_length: i64,
}

impl Continuity {
    pub(super) fn new(ticks: Ticks, frame_length: i64) -> Continuity {
        Continuity {
            ticks,
            offset: 0,
            last: None,
            frame_length,
        }
    }

    /// Returns the corrected presentation and decoding time stamps of the next packet in decoding order.
    pub(super) fn correct(
        &mut self,
        pts: Option<i64>,
        dts: Option<i64>,
        length: i64,
    ) -> (Option<i64>, Option<i64>) {
        let Some(decoding) = dts.or(pts) else {
            return (None, None);
        };
        if let Some((last_decoding, end)) = self.last {
            let backwards = last_decoding.saturating_sub(decoding.saturating_add(self.offset));
            if self.ticks.nanos(backwards) > RESTART {
                // The first picture after the restart follows the last one before it.
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

/// Time stamps that fall back by more than this many nanoseconds start again; less is disorder.
const RESTART: i64 = 1_000_000_000;
/// The length of a frame in nanoseconds when nothing tells it: 25 frames a second.
pub(super) const DEFAULT_FRAME_LENGTH: i64 = 40_000_000;
/// No video is longer than a century, in nanoseconds; keeps sums of times within 64 bits.
pub(super) const LONGEST: i64 = 100 * 366 * 86_400 * 1_000_000_000;
