//! Measures the usual time between a video's frames (pure).

/// Counts the steps between frames by their length.
#[derive(Debug)]
pub(super) struct Pace {
    /// Number of steps by length in whole milliseconds; the last entry counts all longer steps.
    steps: Vec<u32>,
    count: u64,
    /// The step that the container declares, in nanoseconds.
    nominal: i64,
}

impl Pace {
    pub(super) fn new(nominal: i64) -> Pace {
        Pace {
            steps: vec![0; STEPS],
            count: 0,
            nominal,
        }
    }

    /// Notes a step in nanoseconds; ignores steps between frames at the same time.
    pub(super) fn step(&mut self, step: i64) {
        if step <= 0 {
            return;
        }
        let place = usize::try_from(step / MILLISECOND)
            .unwrap_or(STEPS)
            .min(STEPS - 1);
        self.steps[place] = self.steps[place].saturating_add(1);
        self.count += 1;
    }

    /// The usual step in nanoseconds: the median rounded up to a millisecond, or the declared step
    /// while there are too few.
    pub(super) fn usual(&self) -> i64 {
        if self.count < FEW {
            return self.nominal;
        }
        let mut below = 0;
        for (place, &steps) in (0_i64..).zip(&self.steps) {
            below += u64::from(steps);
            if 2 * below >= self.count {
                return (place + 1) * MILLISECOND;
            }
        }
        self.nominal
    }
}

const MILLISECOND: i64 = 1_000_000;
/// Number of lengths in whole milliseconds; no user needs longer steps to be told apart.
const STEPS: usize = 1000;
/// Minimum number of steps for a meaningful median.
const FEW: u64 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_step_is_the_median_and_before_that_what_was_declared() {
        let mut pace = Pace::new(7);
        for step in [40, 40, 900, 0] {
            pace.step(step * MILLISECOND);
        }
        assert_eq!(pace.usual(), 7);
        for step in [40, 33, 5000, i64::MAX / MILLISECOND] {
            pace.step(step * MILLISECOND);
        }
        assert_eq!(pace.usual(), 41 * MILLISECOND);
    }

    #[test]
    fn a_frame_a_minute_is_a_second_or_more_apart() {
        let mut pace = Pace::new(7);
        (0..9).for_each(|_| pace.step(60_000 * MILLISECOND));
        assert_eq!(pace.usual(), 1000 * MILLISECOND);
    }
}
