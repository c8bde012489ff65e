//! Chooses which frames become keyframes (pure).
//!
//! In a source the choice is greedy: the latest frame that leaves no gap longer than the interval.
//! So neighbouring keyframes are at most an interval apart, and the number of keyframes is minimal.
//!
//! In a clip, one moment is drawn from each interval, and the frame shown at that moment is chosen.
//! A frame counts in proportion to its display time, and the author of the clip cannot predict
//! which frames are sampled. The SHA-256 of the file seeds the draw, so the same file always gives
//! the same frames, and any change to it changes the draw.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::media::{GAP_SLACK, Resolution, Selector};
use crate::{Error, Result};

/// Chooses keyframes about an interval apart, if the video has frames that close together.
#[derive(Debug, Clone)]
pub struct Grid {
    interval: Duration,
    sampling: Sampling,
    resolution: Resolution,
    /// The last chosen frame of a greedy choice.
    last: Option<Duration>,
    /// The next drawn moment, with the number of its interval.
    next: (u64, Duration),
    /// Time of the last small picture of a drawn choice.
    pictured: Option<Duration>,
}

/// How keyframes are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sampling {
    /// No gap is longer than the interval, and as little as possible is decoded. For published
    /// videos.
    Sparse,
    /// As `Sparse`, but every frame is decoded. For benign material.
    Dense,
    /// The frame at a moment drawn from each interval, with this seed; every frame is decoded. For
    /// submitted clips.
    Drawn([u8; 32]),
}

/// Maximum gap between keyframes of a published video.
///
/// Measured on copies of real footage: with 1, 2 and 4 s, 94, 92 and 86 % of them are found (82, 79
/// and 52 % of vertical crops). Of 1 160 harder excerpts, with the keys of 12 regions, 982 are
/// found at 1 s and 1 009 at 0.5 s; with 24 regions, 997 and 1 031.
pub const CORPUS_INTERVAL: Duration = Duration::from_millis(500);

/// Interval from which a clip gives one keyframe. A keyframe of a published video is then on
/// average within an eighth of a second of one of the clip.
///
/// Measured with even gaps on edited excerpts of real footage: a quarter of a second misses 9 of
/// 105 hard ones, half a second 17. It also finds the copy of a static shot in which something
/// moves quickly.
pub const QUERY_INTERVAL: Duration = Duration::from_millis(250);

/// Minimum time between two small pictures of a clip. A video of at most 30 frames a second gives
/// one for each frame, a video of 60 one for every second frame.
///
/// A picture of the source is compared with the clip's at that moment. When a camera pans quickly,
/// 40 ms are several pixels. Measured on 127 copies whose correlation was below 0.9 with a picture
/// every 80 ms: 47 % correlated more than nine in ten wrong alignments of the same footage; with
/// one every 33 ms, 61 %.
pub const CLIP_PICTURE_INTERVAL: Duration = Duration::from_millis(33);

/// Approximate number of pixels of a small picture of a clip: 96x54 for a frame of 16:9. This
/// leaves some pixels for content that the clip shows small in a corner.
pub const CLIP_PICTURE_AREA: usize = 96 * 54;

impl Grid {
    /// Makes a grid for a published video, of which as little as possible is decoded.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidSetting`] unless the interval is 0.1 to 60 s.
    pub fn corpus(interval: Duration) -> Result<Grid> {
        Grid::new(interval, Sampling::Sparse)
    }

    /// Makes a grid for benign material, of which every frame is decoded.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidSetting`] unless the interval is 0.1 to 60 s.
    pub fn dense(interval: Duration) -> Result<Grid> {
        Grid::new(interval, Sampling::Dense)
    }

    /// Makes a grid that draws one frame per interval from a submitted clip, seeded with its
    /// SHA-256.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidSetting`] unless the interval is 0.1 to 60 s.
    pub fn query(interval: Duration, sha256: &[u8; 32]) -> Result<Grid> {
        Grid::new(interval, Sampling::Drawn(*sha256))
    }

    /// The same grid for frames of this resolution; the default is the working size.
    pub fn at(self, resolution: Resolution) -> Grid {
        Grid { resolution, ..self }
    }

    /// Maximum gap between keyframes, or the interval from which one is drawn.
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// How frames are chosen.
    pub fn sampling(&self) -> Sampling {
        self.sampling
    }

    /// Makes a grid that chooses frames of the working size.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidSetting`] unless the interval is 0.1 to 60 s.
    pub fn new(interval: Duration, sampling: Sampling) -> Result<Grid> {
        if !(INTERVAL_MIN..=INTERVAL_MAX).contains(&interval) {
            return Err(Error::InvalidSetting {
                name: "the sampling interval",
                found: format!("{} s", interval.as_secs_f64()),
                expected: "0.1 to 60 seconds",
            });
        }
        let next = match sampling {
            Sampling::Drawn(seed) => (0, drawn(&seed, interval, 0)),
            Sampling::Sparse | Sampling::Dense => (0, Duration::ZERO),
        };
        Ok(Grid {
            interval,
            sampling,
            resolution: Resolution::Working,
            last: None,
            next,
            pictured: None,
        })
    }

    /// Whether a drawn moment falls into the display time of a frame that ends at `until`.
    fn draws(&mut self, seed: &[u8; 32], until: Duration) -> bool {
        let mut wanted = false;
        while self.next.1 < until {
            wanted = true;
            let reached = (until.as_nanos() / self.interval.as_nanos().max(1)) as u64;
            let number = reached.max(self.next.0 + 1);
            self.next = (number, drawn(seed, self.interval, number));
        }
        wanted
    }
}

/// The moment drawn from the interval with this number: uniform, and independent of the others.
fn drawn(seed: &[u8; 32], interval: Duration, number: u64) -> Duration {
    let digest = Sha256::new()
        .chain_update(seed)
        .chain_update(number.to_le_bytes())
        .finalize();
    let mut word = [0; 4];
    word.copy_from_slice(&digest[..4]);
    let share = f64::from(u32::from_le_bytes(word)) / (f64::from(u32::MAX) + 1.0);
    let start = interval.saturating_mul(u32::try_from(number).unwrap_or(u32::MAX));
    start.saturating_add(interval.mul_f64(share))
}

impl Selector for Grid {
    fn max_gap(&self) -> Option<Duration> {
        (self.sampling == Sampling::Sparse).then_some(self.interval)
    }

    fn wants(&mut self, time: Duration, next: Option<Duration>) -> bool {
        if let Sampling::Drawn(seed) = self.sampling {
            // The display time of the last frame is unknown.
            return next.is_none_or(|next| self.draws(&seed, next));
        }
        let limit = self.interval.mul_f64(1.0 + GAP_SLACK);
        let wanted = self
            .last
            .is_none_or(|last| next.unwrap_or(time) > last.saturating_add(limit));
        if wanted {
            self.last = Some(time);
        }
        wanted
    }

    fn resolution(&self) -> Resolution {
        self.resolution
    }

    fn wants_picture(&mut self, time: Duration) -> Option<usize> {
        if !matches!(self.sampling, Sampling::Drawn(_))
            || self
                .pictured
                .is_some_and(|last| time < last.saturating_add(CLIP_PICTURE_INTERVAL))
        {
            return None;
        }
        self.pictured = Some(time);
        Some(CLIP_PICTURE_AREA)
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
        (0..times.len())
            .filter(|&i| grid.wants(times[i], times.get(i + 1).copied()))
            .map(|i| times[i])
            .collect()
    }

    #[test]
    fn takes_every_thirtieth_frame_of_ntsc_video() {
        let times: Vec<Duration> = (0..91)
            .map(|i| Duration::from_secs_f64(f64::from(i) * 1001.0 / 30000.0))
            .collect();
        let mut grid = Grid::corpus(Duration::from_secs(1)).unwrap();
        let chosen = chosen(&mut grid, &times);
        assert_eq!(chosen, [times[0], times[31], times[62]]);
    }

    #[test]
    fn takes_key_frames_that_are_a_gop_of_1_001_s_apart() {
        let times: Vec<Duration> = (0..5).map(|i| Duration::from_millis(1001 * i)).collect();
        let mut grid = Grid::corpus(Duration::from_secs(1)).unwrap();
        // The last one is needed only if the video continues after it.
        assert_eq!(chosen(&mut grid, &times), times[..4]);
    }

    #[test]
    fn takes_the_only_frame() {
        let mut grid = Grid::query(QUERY_INTERVAL, &[0; 32]).unwrap();
        assert!(grid.wants(Duration::ZERO, None));
    }

    /// How often each frame is drawn, if the frames are shown in turn for these numbers of
    /// milliseconds.
    fn counts(lengths: &[u64], seed: [u8; 32]) -> Vec<u32> {
        let mut grid = Grid::query(QUERY_INTERVAL, &seed).unwrap();
        let mut counts = vec![0; lengths.len()];
        let mut now = 0;
        for round in 0..4000 {
            let i = round % lengths.len();
            let next = now + lengths[i];
            counts[i] += u32::from(grid.wants(
                Duration::from_millis(now),
                Some(Duration::from_millis(next)),
            ));
            now = next;
        }
        counts
    }

    #[test]
    fn a_frame_is_drawn_as_often_as_it_is_shown() {
        // A frame of 1 ms every 262 ms, as somebody who knew an even grid would place it.
        let flash = counts(&[261, 1], [7; 32]);
        assert!(flash[1] <= 20 && flash[0] >= 1600, "{flash:?}");
        // Every third frame of 25 a second: 1333 frames each, 40 ms of every 120.
        let third = counts(&[40, 40, 40], [7; 32]);
        assert!(
            third.iter().all(|count| (190..240).contains(count)),
            "{third:?}"
        );
    }

    #[test]
    fn another_file_draws_other_frames_and_the_same_file_the_same() {
        let times: Vec<Duration> = (0..500).map(|i| Duration::from_millis(40 * i)).collect();
        let of = |seed| chosen(&mut Grid::query(QUERY_INTERVAL, &seed).unwrap(), &times);
        assert_eq!(of([1; 32]), of([1; 32]));
        let (one, other) = (of([1; 32]), of([2; 32]));
        let shared = one.iter().filter(|time| other.contains(time)).count();
        assert!(
            (75..=81).contains(&one.len()) && shared < 30,
            "{shared} of {}",
            one.len()
        );
    }

    /// Times of the frames that give a small picture.
    fn pictured(grid: &mut Grid, times: impl Iterator<Item = Duration>) -> Vec<u128> {
        let area = |grid: &mut Grid, time| grid.wants_picture(time) == Some(CLIP_PICTURE_AREA);
        times
            .filter(|&time| area(grid, time))
            .map(|time| time.as_millis())
            .collect()
    }

    #[test]
    fn a_clip_gives_a_small_picture_of_the_first_frame_after_each_33_ms_and_others_give_none() {
        let query = || Grid::query(QUERY_INTERVAL, &[0; 32]).unwrap();
        let times =
            |count: u32, millis: u64| (0..count).map(move |i| i * Duration::from_millis(millis));
        assert_eq!(pictured(&mut query(), times(4, 20)), [0, 40]);
        assert_eq!(pictured(&mut query(), times(4, 40)), [0, 40, 80, 120]);
        assert_eq!(pictured(&mut query(), times(3, 500)), [0, 500, 1000]);
        let ntsc = (0..5).map(|i| Duration::from_secs_f64(f64::from(i) * 1001.0 / 60000.0));
        assert_eq!(pictured(&mut query(), ntsc), [0, 33, 66]);
        // In a container that counts milliseconds.
        let rounded = [0, 17, 33, 50, 67, 83, 100].map(Duration::from_millis);
        assert_eq!(
            pictured(&mut query(), rounded.into_iter()),
            [0, 33, 67, 100]
        );
        // After a gap, times count from the next frame. A repeated time gives no picture.
        let uneven = [0, 0, 32, 34, 60, 67, 1000, 1032, 1033].map(Duration::from_millis);
        assert_eq!(
            pictured(&mut query(), uneven.into_iter()),
            [0, 34, 67, 1000, 1033]
        );
        for mut grid in [
            Grid::corpus(CORPUS_INTERVAL).unwrap(),
            Grid::dense(QUERY_INTERVAL).unwrap(),
        ] {
            assert!(pictured(&mut grid, times(20, 40)).is_empty());
        }
    }

    #[test]
    fn refuses_intervals_out_of_range() {
        for interval in [0.0, 0.099, 60.001, 1e9] {
            let interval = Duration::from_secs_f64(interval);
            assert!(matches!(
                Grid::corpus(interval),
                Err(Error::InvalidSetting { .. })
            ));
            assert!(matches!(
                Grid::query(interval, &[0; 32]),
                Err(Error::InvalidSetting { .. })
            ));
        }
        for interval in [0.1, 60.0] {
            assert!(Grid::corpus(Duration::from_secs_f64(interval)).is_ok());
        }
    }

    #[test]
    fn only_the_corpus_leaves_frames_undecoded() {
        assert_eq!(
            Grid::corpus(CORPUS_INTERVAL).unwrap().max_gap(),
            Some(CORPUS_INTERVAL)
        );
        assert_eq!(Grid::dense(QUERY_INTERVAL).unwrap().max_gap(), None);
        assert_eq!(
            Grid::query(QUERY_INTERVAL, &[0; 32]).unwrap().max_gap(),
            None
        );
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
            let chosen = chosen(&mut Grid::dense(interval).unwrap(), &times);
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

        #[test]
        fn each_interval_gives_the_frame_at_one_of_its_moments(
            steps in proptest::collection::vec(1_u64..700, 1..200),
            seed in any::<[u8; 32]>(),
        ) {
            let mut times = vec![Duration::ZERO];
            for step in steps {
                times.push(times[times.len() - 1] + Duration::from_millis(step));
            }
            let chosen = chosen(&mut Grid::query(QUERY_INTERVAL, &seed).unwrap(), &times);
            let until = |time: Duration| times[times.partition_point(|other| *other <= time).min(times.len() - 1)];
            let whole = (times[times.len() - 1].as_millis() / QUERY_INTERVAL.as_millis()) as u32;
            for start in (0..whole).map(|number| QUERY_INTERVAL * number) {
                prop_assert!(chosen.iter().any(|&time| time < start + QUERY_INTERVAL && until(time) > start));
            }
        }
    }
}
