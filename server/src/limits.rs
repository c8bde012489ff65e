//! Limits the requests of each key.

use std::num::NonZeroU32;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::problem::Problem;

/// A quota for each key.
#[derive(Debug)]
pub struct Limits(DefaultKeyedRateLimiter<String>);

impl Limits {
    /// Allows `per_second` requests a second, and `burst` at once after a pause; at least one each.
    pub fn new(per_second: u32, burst: u32) -> Limits {
        let at_least_one = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        Limits(RateLimiter::keyed(
            Quota::per_second(at_least_one(per_second)).allow_burst(at_least_one(burst)),
        ))
    }

    /// Counts a request of a key.
    ///
    /// # Errors
    /// 429 if it exceeds the limit.
    pub fn check(&self, key: &str) -> Result<(), Problem> {
        let refused = self.0.check_key(&key.to_owned());
        if self.0.len() > KEYS_MAX {
            self.0.retain_recent();
        }
        refused.map_err(|until| {
            let wait = until.wait_time_from(DefaultClock::default().now());
            Problem::too_many(
                "this key makes too many requests; send fewer, or wait",
                wait.as_secs() + 1,
            )
        })
    }
}

/// Number of keys above which keys without recent calls are forgotten.
const KEYS_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_does_not_use_up_what_another_may() {
        let limits = Limits::new(1, 2);
        assert!(limits.check("a").is_ok() && limits.check("a").is_ok());
        let refused = limits
            .check("a")
            .map_err(|problem| (problem.status, problem.retry_after));
        assert_eq!(refused, Err((429, Some(1))));
        assert!(limits.check("b").is_ok());
    }
}
