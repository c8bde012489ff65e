//! Long upkeep, and its exchange with the caller: cancellation and progress.

use std::cell::Cell;
use std::fmt;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::error::{Error, Result};

/// A kind of work that keeps an index in order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Upkeep {
    /// Small or worn segments are rewritten as one.
    Merging,
    /// The centroids of the cells are trained.
    Training,
    /// Segments are sorted by new cells.
    Sorting,
    /// Changed excerpts of the index's own tracks are searched for.
    Measuring,
    /// The videos of an index of an earlier format are rewritten.
    Upgrading,
    /// The videos of another index are taken over.
    Joining,
}

/// How a caller watches and stops upkeep.
///
/// A reference to a closure that says whether to stop converts into a watch without progress.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Called several times a second. Soon after it returns `true`, the work stops with
    /// [`Error::Cancelled`].
    pub cancel: &'a dyn Fn() -> bool,
    /// Called about twice a second with the kind of work and the share done, in 0..=1.
    pub progress: Option<&'a dyn Fn(Upkeep, f32)>,
}

impl<'a, F: Fn() -> bool> From<&'a F> for Watch<'a> {
    fn from(cancel: &'a F) -> Watch<'a> {
        Watch {
            cancel,
            progress: None,
        }
    }
}

impl fmt::Debug for Watch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("progress", &self.progress.is_some())
            .finish_non_exhaustive()
    }
}

/// Fails if the caller wants to stop.
pub(crate) fn stop_if(cancel: &dyn Fn() -> bool) -> Result<()> {
    if cancel() {
        Err(Error::Cancelled)
    } else {
        Ok(())
    }
}

/// Work of a number of steps, which the caller can stop.
pub(crate) struct Work<'a> {
    watch: Watch<'a>,
    what: Upkeep,
    steps: Cell<u64>,
    total: u64,
    told: Cell<Option<Instant>>,
}

impl<'a> Work<'a> {
    /// Work of about `total` steps.
    pub(crate) fn new(watch: Watch<'a>, what: Upkeep, total: u64) -> Work<'a> {
        Work {
            watch,
            what,
            steps: Cell::new(0),
            total,
            told: Cell::new(None),
        }
    }

    /// Work that nobody stops or watches.
    pub(crate) fn unwatched() -> Work<'static> {
        Work::new(
            Watch {
                cancel: &|| false,
                progress: None,
            },
            Upkeep::Merging,
            0,
        )
    }

    /// Counts steps that are done.
    pub(crate) fn advance(&self, steps: u64) {
        self.steps.set(self.steps.get() + steps);
    }

    /// Reports progress now and then, and fails if the caller wants to stop.
    pub(crate) fn stop_if_asked(&self) -> Result<()> {
        if let Some(progress) = self.watch.progress
            && self
                .told
                .get()
                .is_none_or(|told| told.elapsed() >= TELL_EVERY)
        {
            self.told.set(Some(Instant::now()));
            progress(
                self.what,
                (self.steps.get() as f32 / self.total.max(1) as f32).min(1.0),
            );
        }
        stop_if(self.watch.cancel)
    }
}

/// Time between two reports of progress.
const TELL_EVERY: Duration = Duration::from_millis(500);
