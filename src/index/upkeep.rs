//! What goes between a caller and upkeep that takes long: whether to stop, and how far it has come.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::error::{Error, Result};

/// How a caller takes part in merging and the building of graphs.
///
/// A reference to a closure that says whether to stop is one without a report of progress.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Asked several times a second, from several threads; the work stops with [`Error::Cancelled`] soon after it says so.
    pub cancel: &'a (dyn Fn() -> bool + Sync),
    /// Told the share of the graphs' building that is done, in 0..=1, about twice a second.
    pub progress: Option<&'a dyn Fn(f32)>,
}

impl<'a, F: Fn() -> bool + Sync> From<&'a F> for Watch<'a> {
    fn from(cancel: &'a F) -> Watch<'a> {
        Watch { cancel, progress: None }
    }
}

impl fmt::Debug for Watch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("progress", &self.progress.is_some()).finish_non_exhaustive()
    }
}

/// Fails once the caller wants to stop.
pub(crate) fn stop_if(cancel: &dyn Fn() -> bool) -> Result<()> {
    if cancel() { Err(Error::Cancelled) } else { Ok(()) }
}

/// Work that several threads share: they count their steps, and stop when the caller or one of them wants it.
pub(crate) struct Work<'a> {
    cancel: &'a (dyn Fn() -> bool + Sync),
    failed: AtomicBool,
    steps: AtomicU64,
    total: u64,
}

impl<'a> Work<'a> {
    /// Work of about so many steps.
    pub(crate) fn new(cancel: &'a (dyn Fn() -> bool + Sync), total: u64) -> Work<'a> {
        Work { cancel, failed: AtomicBool::new(false), steps: AtomicU64::new(0), total }
    }

    /// Counts steps that are done.
    pub(crate) fn advance(&self, steps: u64) {
        self.steps.fetch_add(steps, Ordering::Relaxed);
    }

    /// Makes all threads stop.
    pub(crate) fn fail(&self) {
        self.failed.store(true, Ordering::Relaxed);
    }

    pub(crate) fn stop_if_asked(&self) -> Result<()> {
        stop_if(&|| (self.cancel)() || self.failed.load(Ordering::Relaxed))
    }

    /// How much is done, in 0..=1.
    pub(crate) fn share(&self) -> f32 {
        (self.steps.load(Ordering::Relaxed) as f32 / self.total.max(1) as f32).min(1.0)
    }
}
