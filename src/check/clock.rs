//! Time limit of a search: an adversarial clip can cost more than its length warrants.

use std::cell::Cell;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::fingerprint::Fingerprint;
use crate::media::{Limit, Limits};
use crate::{Error, Result};

/// Starts when it is made and allows the time that [`Limits::time_for`] gives for the clip's
/// length.
pub(crate) struct Clock<'a> {
    path: &'a Path,
    limits: &'a Limits,
    allowed: Duration,
    started: Instant,
    cancel: Option<&'a AtomicBool>,
    stopped: Cell<bool>,
}

impl<'a> Clock<'a> {
    pub(crate) fn start(
        clip: &'a Fingerprint,
        limits: &'a Limits,
        cancel: Option<&'a AtomicBool>,
    ) -> Clock<'a> {
        let allowed = limits.time_for(clip.duration);
        let path = Path::new(&clip.path);
        Clock {
            path,
            limits,
            allowed,
            started: Instant::now(),
            cancel,
            stopped: Cell::new(false),
        }
    }

    /// Fails if the check must stop.
    ///
    /// # Errors
    ///
    /// [`Error::Cancelled`], or [`Error::LimitExceeded`] after the time limit.
    pub(crate) fn check(&self) -> Result<()> {
        if self
            .cancel
            .is_some_and(|cancel| cancel.load(Ordering::Relaxed))
        {
            return Err(Error::Cancelled);
        }
        let elapsed = self.started.elapsed();
        if self.stopped.get() || elapsed > self.allowed {
            let found = format!(
                "the search has not finished after {:.0} s",
                elapsed.as_secs_f64()
            );
            return Err(Limit::Time.exceeded(self.path, self.limits, found));
        }
        Ok(())
    }

    /// Whether the check must stop; if so, every later [`Clock::check`] fails.
    pub(crate) fn is_over(&self) -> bool {
        let over = self.check().is_err();
        self.stopped.set(self.stopped.get() || over);
        over
    }
}
