//! Chooses which frames become keyframes (pure).
//!
//! The choice is greedy: the latest frame that leaves no gap longer than the interval. So neighbouring keyframes are
//! at most an interval apart, and any two with one between them are further apart than that; no fewer would do.

use std::time::Duration;

use crate::media::{GAP_SLACK, Resolution, Selector};
use crate::{Error, Result};

/// A grid of keyframes whose gaps do not exceed an interval, wherever the video has frames that close.
#[derive(Debug, Clone)]
pub struct Grid {
    interval: Duration,
    decode_all: bool,
    resolution: Resolution,
    last: Option<Duration>,
}

/// The longest gap between keyframes of a published video.
///
/// Measured on copies of real footage: 1, 2 and 4 s find 94, 92 and 86 % of them (82, 79 and 52 % of vertical crops). On 1 160
/// harder excerpts, with the keys of 12 regions: 982 at a second and 1 009 at half of it; with 24: 997 and 1 031.
pub const CORPUS_INTERVAL: Duration = Duration::from_millis(500);

/// The longest gap between keyframes of a clip: each keyframe of a published video then has one of the clip within an
/// eighth of a second, whatever the phase.
///
/// Measured on edited excerpts of real footage: against half a second, a quarter misses 9 instead of 17 of 105 hard
/// ones, and finds the copy of a static shot in which something moves quickly.
pub const QUERY_INTERVAL: Duration = Duration::from_millis(250);

impl Grid {
    /// Makes a grid for a published video, of which as little as possible is decoded.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidSetting`] unless the interval is 0.1 to 60 s.
    pub fn corpus(interval: Duration) -> Result<Grid> {
        Grid::new(interval, false)
    }

    /// Makes a grid for a submitted clip, of which every frame is decoded.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidSetting`] unless the interval is 0.1 to 60 s.
    pub fn query(interval: Duration) -> Result<Grid> {
        Grid::new(interval, true)
    }

    /// The same grid with frames of this resolution; those of a new one have the working size.
    pub fn at(self, resolution: Resolution) -> Grid {
        Grid { resolution, ..self }
    }

    /// The longest gap between keyframes.
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// Whether every frame is decoded.
    pub fn decodes_all(&self) -> bool {
        self.decode_all
    }

    fn new(interval: Duration, decode_all: bool) -> Result<Grid> {
        if !(INTERVAL_MIN..=INTERVAL_MAX).contains(&interval) {
            return Err(Error::InvalidSetting {
                name: "the sampling interval",
                found: format!("{} s", interval.as_secs_f64()),
                expected: "0.1 to 60 seconds",
            });
        }
        Ok(Grid { interval, decode_all, resolution: Resolution::Working, last: None })
    }
}

impl Selector for Grid {
    fn max_gap(&self) -> Option<Duration> {
        (!self.decode_all).then_some(self.interval)
    }

    fn wants(&mut self, time: Duration, next: Option<Duration>) -> bool {
        let limit = self.interval.mul_f64(1.0 + GAP_SLACK);
        let wanted = self.last.is_none_or(|last| next.unwrap_or(time) > last.saturating_add(limit));
        if wanted {
            self.last = Some(time);
        }
        wanted
    }

    fn resolution(&self) -> Resolution {
        self.resolution
    }
}

const INTERVAL_MIN: Duration = Duration::from_millis(100);
const INTERVAL_MAX: Duration = Duration::from_secs(60);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn chosen(grid: &mut Grid, times: &[Duration]) -> Vec<Duration> {
        (0..times.len()).filter(|&i| grid.wants(times[i], times.get(i + 1).copied())).map(|i| times[i]).collect()
    }

    #[test]
    fn takes_every_thirtieth_frame_of_ntsc_video() {
        let times: Vec<Duration> = (0..91).map(|i| Duration::from_secs_f64(f64::from(i) * 1001.0 / 30000.0)).collect();
        let mut grid = Grid::corpus(Duration::from_secs(1)).unwrap();
        let chosen = chosen(&mut grid, &times);
        assert_eq!(chosen, [times[0], times[31], times[62]]);
    }

    #[test]
    fn takes_key_frames_that_are_a_gop_of_1_001_s_apart() {
        let times: Vec<Duration> = (0..5).map(|i| Duration::from_millis(1001 * i)).collect();
        let mut grid = Grid::corpus(Duration::from_secs(1)).unwrap();
        // The last one is needed only if the video goes on after it.
        assert_eq!(chosen(&mut grid, &times), times[..4]);
    }

    #[test]
    fn takes_the_only_frame() {
        let mut grid = Grid::query(QUERY_INTERVAL).unwrap();
        assert!(grid.wants(Duration::ZERO, None));
    }

    #[test]
    fn refuses_intervals_out_of_range() {
        for interval in [0.0, 0.099, 60.001, 1e9] {
            let interval = Duration::from_secs_f64(interval);
            assert!(matches!(Grid::corpus(interval), Err(Error::InvalidSetting { .. })));
            assert!(matches!(Grid::query(interval), Err(Error::InvalidSetting { .. })));
        }
        for interval in [0.1, 60.0] {
            assert!(Grid::corpus(Duration::from_secs_f64(interval)).is_ok());
        }
    }

    #[test]
    fn only_the_corpus_leaves_frames_undecoded() {
        assert_eq!(Grid::corpus(CORPUS_INTERVAL).unwrap().max_gap(), Some(CORPUS_INTERVAL));
        assert_eq!(Grid::query(QUERY_INTERVAL).unwrap().max_gap(), None);
    }

    proptest! {
        #[test]
        fn gaps_are_short_and_none_is_needless(
            steps in proptest::collection::vec(0_u64..700, 1..200),
            interval in 100_u64..3000,
        ) {
            let interval = Duration::from_millis(interval);
            let limit = interval.mul_f64(1.0 + GAP_SLACK);
            let mut now = Duration::ZERO;
            let mut times = vec![now];
            for step in steps {
                now += Duration::from_millis(step);
                times.push(now);
            }
            let chosen = chosen(&mut Grid::query(interval).unwrap(), &times);
            prop_assert_eq!(chosen[0], times[0]);
            for pair in chosen.windows(2) {
                let adjacent = !times.iter().any(|t| *t > pair[0] && *t < pair[1]);
                prop_assert!(pair[1] - pair[0] <= limit || adjacent);
            }
            for triple in chosen.windows(3) {
                prop_assert!(triple[2] - triple[0] > limit);
            }
            prop_assert!(now - chosen[chosen.len() - 1] <= limit);
        }
    }
}
