//! Upkeep that takes long, and what goes between it and a caller: whether to stop, and how far it
//! has come.

use std::cell::Cell;
use std::fmt;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::error::{Error, Result};

/// What goes on while an index is put in order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Upkeep {
    /// Small or worn segments are written anew as one.
    Merging,
    /// The centroids of the cells are trained.
    Training,
    /// Segments are sorted by new cells.
    Sorting,
    /// Changed excerpts of the index's own tracks are looked for.
    Measuring,
    /// The videos of an index of an earlier format are written anew.
    Upgrading,
    /// The videos of another index are taken over.
    Joining,
}

/// How a caller takes part in putting an index in order.
///
/// A reference to a closure that says whether to stop is one without a report of progress.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Asked several times a second; the work stops with [`Error::Cancelled`] soon after it says
    /// so.
    pub cancel: &'a dyn Fn() -> bool,
    /// Told what goes on, and how much of it is done, in 0..=1, about twice a second.
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

/// Fails once the caller wants to stop.
pub(crate) fn stop_if(cancel: &dyn Fn() -> bool) -> Result<()> {
    if cancel() {
        Err(Error::Cancelled)
    } else {
        Ok(())
    }
}

/// Work of some steps, which stops when the caller wants it.
pub(crate) struct Work<'a> {
    watch: Watch<'a>,
    what: Upkeep,
    steps: Cell<u64>,
    total: u64,
    told: Cell<Option<Instant>>,
}

impl<'a> Work<'a> {
    /// Work of about so many steps.
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

    /// Tells the caller how far it has come, now and then, and fails once it wants to stop.
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

/// Between two reports of progress.
const TELL_EVERY: Duration = Duration::from_millis(500);
