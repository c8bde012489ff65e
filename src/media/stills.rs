//! Colour stills of a video at given moments: for people, never for a decision.
//!
//! A still is the frame shown at its moment, on the same clock as every other decoding: all packets
//! are read, so that time continues where time stamps restart. Groups of pictures without a moment
//! are left undecoded if the caller allows it.

use std::ops::ControlFlow;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::limits::Limits;
use super::source::Source;
use super::{Frame, Observer, Selector, StreamInfo, decode_source};
use crate::{Error, Result};

/// A colour picture of a frame, upright and with square pixels. High dynamic range keeps its
/// transfer curve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Still {
    /// When its frame is shown, counted from the first frame of the stream.
    pub time: Duration,
    /// When the next frame is shown.
    pub until: Duration,
    /// When the first frame of the stream is shown on the file's clock, in nanoseconds.
    pub origin_ns: i64,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `3 * width * height` bytes: red, green and blue of each pixel, row by row without padding.
    pub rgb: Vec<u8>,
}

/// The stills wanted of a video.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moments {
    /// In order of time.
    times: Vec<Duration>,
    /// Maximum short side in pixels.
    side: usize,
    thrifty: bool,
}

impl Moments {
    /// Stills at these times, at most [`MOMENTS_MAX`], with a short side of at most `side` pixels,
    /// 1 to [`STILL_SIDE_MAX`].
    ///
    /// Every frame up to the last moment is decoded, as in a clip that is checked.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidSetting`] if there are more times, or if the side is out of range.
    pub fn new(mut times: Vec<Duration>, side: usize) -> Result<Moments> {
        let refuse = |name, found, expected| {
            Err(Error::InvalidSetting {
                name,
                found,
                expected,
            })
        };
        if times.len() > MOMENTS_MAX {
            return refuse(
                "the number of stills",
                times.len().to_string(),
                "at most 256",
            );
        }
        if !(1..=STILL_SIDE_MAX).contains(&side) {
            return refuse("the side of a still", side.to_string(), "1 to 360 pixels");
        }
        times.sort_unstable();
        times.dedup();
        Ok(Moments {
            times,
            side,
            thrifty: false,
        })
    }

    /// Leaves groups of pictures without a moment undecoded, as when the keyframes of a source are
    /// sampled.
    pub fn thrifty(self) -> Moments {
        Moments {
            thrifty: true,
            ..self
        }
    }

    /// The moments, in order and without duplicates.
    pub fn times(&self) -> &[Duration] {
        &self.times
    }

    /// Checks the conditions of [`Moments::new`] for a value from outside.
    pub(crate) fn checked(self) -> Result<Moments> {
        let thrifty = self.thrifty;
        Ok(Moments {
            thrifty,
            ..Moments::new(self.times, self.side)?
        })
    }
}

/// The size of a still of a frame displayed at `width` x `height`, before it is turned upright;
/// never larger than the frame.
pub(super) fn still_size(width: usize, height: usize, side: usize) -> (usize, usize) {
    let (width, height) = (width.max(1), height.max(1));
    let (short, long) = (width.min(height) as f64, width.max(height) as f64);
    let scale = (side as f64 / short)
        .min(STILL_LONG_MAX as f64 / long)
        .min(1.0);
    let scaled =
        |length: usize| ((length as f64 * scale).round() as usize).clamp(1, STILL_LONG_MAX);
    (scaled(width), scaled(height))
}

/// Decodes the stills of an open file in this process and hands them to `observer`, in order of
/// time. A moment outside the video gives none, and moments of one frame share one still.
///
/// # Errors
///
/// Those of [`decode_source`].
pub(crate) fn stills(
    source: &Source,
    stream: Option<u32>,
    moments: &Moments,
    limits: &Limits,
    observer: &mut dyn Observer,
) -> Result<()> {
    if moments.times.is_empty() {
        return Ok(());
    }
    // Both share the number of stills chosen, since only the observer can end decoding.
    let next = std::cell::Cell::new(0);
    let mut choice = Choice {
        moments,
        next: &next,
    };
    let mut until = Until {
        inner: observer,
        next: &next,
        all: moments.times.len(),
        enough: false,
    };
    match decode_source(source, stream, limits, &mut choice, &mut until) {
        Err(Error::Cancelled) if until.enough => Ok(()),
        other => other.map(|_| ()),
    }
}

struct Choice<'a> {
    moments: &'a Moments,
    /// Index of the first moment without a still.
    next: &'a std::cell::Cell<usize>,
}

impl Selector for Choice<'_> {
    fn max_gap(&self) -> Option<Duration> {
        None
    }

    fn wants(&mut self, _: Duration, _: Option<Duration>) -> bool {
        false
    }

    fn wants_still(&mut self, time: Duration, next: Option<Duration>) -> Option<usize> {
        let until = next.unwrap_or(time.saturating_add(LAST_FRAME));
        let left = &self.moments.times[self.next.get()..];
        let served = left.partition_point(|&moment| moment < until);
        self.next.set(self.next.get() + served);
        // A moment before the first frame gives no still.
        left[..served]
            .last()
            .is_some_and(|&moment| moment >= time)
            .then_some(self.moments.side)
    }

    fn moments(&self) -> Option<&[Duration]> {
        self.moments.thrifty.then_some(&self.moments.times)
    }
}

/// Ends the decoding after the last moment.
struct Until<'a> {
    inner: &'a mut dyn Observer,
    next: &'a std::cell::Cell<usize>,
    all: usize,
    enough: bool,
}

impl Observer for Until<'_> {
    fn opened(&mut self, info: &StreamInfo) {
        self.inner.opened(info);
    }

    fn frame(&mut self, _: Frame) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn picture(&mut self, _: Frame) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn still(&mut self, still: Still) -> ControlFlow<()> {
        self.inner.still(still)
    }

    fn progress(&mut self, reached: Duration, frames: u64) -> ControlFlow<()> {
        self.inner.progress(reached, frames)?;
        self.enough = self.next.get() == self.all;
        if self.enough {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

/// Maximum number of stills per call.
pub const MOMENTS_MAX: usize = 256;
/// Maximum short side of a still, in pixels.
pub const STILL_SIDE_MAX: usize = 360;
/// Maximum long side of a still, in pixels; from 8:3 on, the short side shrinks.
pub const STILL_LONG_MAX: usize = 960;
/// Assumed length of the last frame, which is unknown.
const LAST_FRAME: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(times: &[f64]) -> Vec<Duration> {
        times.iter().copied().map(Duration::from_secs_f64).collect()
    }

    /// The frames chosen from a video with frames at these times.
    fn chosen(moments: &[f64], frames: &[f64]) -> Vec<f64> {
        let moments = Moments::new(seconds(moments), 90).unwrap();
        let (next, frames) = (std::cell::Cell::new(0), seconds(frames));
        let mut choice = Choice {
            moments: &moments,
            next: &next,
        };
        let wanted = |i: &usize| {
            choice
                .wants_still(frames[*i], frames.get(i + 1).copied())
                .is_some()
        };
        let found: Vec<usize> = (0..frames.len()).filter(wanted).collect();
        found.into_iter().map(|i| frames[i].as_secs_f64()).collect()
    }

    #[test]
    fn a_still_is_the_frame_that_is_shown_at_its_moment() {
        let frames = [0.0, 0.5, 1.0, 3.0];
        assert_eq!(chosen(&[0.0, 0.49, 1.0, 2.99], &frames), [0.0, 1.0]);
        assert_eq!(chosen(&[0.5, 3.9], &frames), [0.5, 3.0]);
        assert!(
            chosen(&[4.1], &frames).is_empty(),
            "a moment behind the end has no frame"
        );
        assert!(
            chosen(&[0.1], &[0.2, 0.3]).is_empty(),
            "a moment before the start has no frame"
        );
    }

    #[test]
    fn a_still_is_no_larger_than_its_frame_and_its_limits() {
        assert_eq!(still_size(1920, 1080, 360), (640, 360));
        assert_eq!(still_size(1080, 1920, 360), (360, 640));
        assert_eq!(still_size(160, 90, 360), (160, 90));
        assert_eq!(still_size(100_000, 10, 360), (960, 1));
        assert_eq!(still_size(4000, 1000, 360), (960, 240));
        assert_eq!(still_size(0, 0, 360), (1, 1));
    }

    #[test]
    fn too_many_or_too_large_stills_are_refused() {
        assert!(Moments::new(vec![Duration::ZERO; MOMENTS_MAX + 1], 90).is_err());
        assert!(
            Moments::new(Vec::new(), 0).is_err()
                && Moments::new(Vec::new(), STILL_SIDE_MAX + 1).is_err()
        );
        let mixed = Moments::new(seconds(&[2.0, 1.0, 2.0]), 90).unwrap();
        assert_eq!(mixed.times(), seconds(&[1.0, 2.0]));
        let forged = Moments {
            times: Vec::new(),
            side: 1 << 20,
            thrifty: true,
        };
        assert!(forged.checked().is_err());
    }
}
