//! Collects the small pictures of a clip, and thins them out if it is long.

use std::time::Duration;

use super::Thumbnail;
use crate::sample::CLIP_PICTURE_INTERVAL;

/// The small pictures of a clip, added in order of time.
#[derive(Debug)]
pub(super) struct SmallPictures {
    kept: Vec<Thumbnail>,
    /// Minimum time between two pictures added from now on.
    interval: Duration,
}

impl SmallPictures {
    pub(super) fn new() -> SmallPictures {
        SmallPictures {
            kept: Vec::new(),
            interval: CLIP_PICTURE_INTERVAL,
        }
    }

    /// Keeps a picture unless it is too close to the one before. When there are too many, every
    /// second one is dropped, and the interval doubles.
    pub(super) fn push(&mut self, picture: Thumbnail) {
        if self
            .kept
            .last()
            .is_some_and(|last| picture.time < last.time.saturating_add(self.interval))
        {
            return;
        }
        self.kept.push(picture);
        if self.kept.len() > PICTURES_MAX {
            let mut number = 0;
            self.kept.retain(|_| {
                number += 1;
                number % 2 == 1
            });
            self.interval *= 2;
        }
    }

    pub(super) fn finish(self) -> Vec<Thumbnail> {
        self.kept
    }
}

/// Maximum small pictures of a clip: 36 minutes at 30 a second, about 360 MB.
pub(super) const PICTURES_MAX: usize = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(ms: u64) -> Thumbnail {
        Thumbnail {
            time: Duration::from_millis(ms),
            width: 1,
            height: 1,
            luma: vec![0],
        }
    }

    fn times(pictures: impl Iterator<Item = u64>) -> Vec<u128> {
        let mut small = SmallPictures::new();
        pictures.for_each(|ms| small.push(picture(ms)));
        small
            .finish()
            .iter()
            .map(|picture| picture.time.as_millis())
            .collect()
    }

    #[test]
    fn a_picture_that_is_too_close_or_comes_too_late_is_left_out() {
        assert_eq!(times([0, 32, 33, 50, 20, 66].into_iter()), [0, 33, 66]);
    }

    #[test]
    fn a_long_clip_keeps_every_second_picture_as_often_as_needed_and_no_more() {
        let most = PICTURES_MAX as u64;
        let of = |count: u64| times((0..count).map(|i| 33 * i));
        assert_eq!(of(most).len(), PICTURES_MAX);
        for (count, step) in [
            (most + 1, 66),
            (2 * most, 66),
            (2 * most + 1, 132),
            (3 * most, 132),
        ] {
            let times = of(count);
            let even = times
                .iter()
                .enumerate()
                .all(|(i, &time)| time == step * i as u128);
            assert!(
                even && times.len() as u128 == (u128::from(count - 1) * 33) / step + 1,
                "{count} pictures"
            );
        }
    }
}
