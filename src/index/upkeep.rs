//! Upkeep that takes long, and what goes between it and a caller: whether to stop, and how far it has come.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::graph::{self, Built};
use super::segment::Segment;
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

/// Builds the graphs of numbered segments, several at a time on threads of their own, and hands over each on this thread.
pub(crate) fn build_all(
    missing: Vec<(u64, Arc<Segment>)>,
    watch: Watch<'_>,
    add: &mut dyn FnMut(u64, &Segment, Built) -> Result<()>,
) -> Result<()> {
    let threads = rayon::current_num_threads().min(missing.len());
    let work = Work::new(watch.cancel, missing.iter().map(|(_, segment)| graph::steps(segment)).sum());
    let missing = Mutex::new(missing.into_iter());
    // An error of the index ends the other builds at their next question.
    let (missing, work) = (&missing, &work);
    let (send, receive) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let send = send.clone();
            scope.spawn(move || {
                // A pool of its own: waiting for a scan, a thread of a common one might begin another segment.
                let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
                loop {
                    let next = missing.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some((number, segment)) = next else { break };
                    let build = || graph::build(&segment, work);
                    let built = match &pool {
                        Ok(pool) => pool.install(build),
                        Err(_) => build(),
                    };
                    // The receiver is gone only after a panic.
                    let _ = send.send((number, segment, built));
                }
            });
        }
        drop(send);
        let mut result = Ok(());
        loop {
            let (number, segment, built) = match receive.recv_timeout(TELL_EVERY) {
                Ok(done) => done,
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    if let Some(progress) = watch.progress {
                        progress(work.share());
                    }
                    continue;
                }
            };
            let add = |built| if result.is_ok() { add(number, &segment, built) } else { Ok(()) };
            let done = built.and_then(add);
            if done.is_err() && result.is_ok() {
                work.fail();
                result = done;
            }
        }
        result
    })
}

/// Between two reports of progress.
const TELL_EVERY: Duration = Duration::from_millis(500);
