//! Runs work in a thread while the calling thread handles Python: Ctrl-C, a deadline, a cancelling
//! event, and progress.

use std::any::Any;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use serde_json::Value;

use crate::errors;

/// How a caller controls work, by the arguments `deadline`, `cancel` and `progress`.
#[derive(Debug, Default, FromPyObject)]
pub(crate) struct Control<'py> {
    /// Seconds after which the work is given up.
    deadline: Option<f64>,
    /// An object whose method `is_set` says whether to stop, such as `threading.Event`.
    cancel: Option<Bound<'py, PyAny>>,
    /// Called with JSON in the calling thread. An exception in it stops the work.
    progress: Option<Bound<'py, PyAny>>,
}

/// Reports the progress of work.
#[derive(Debug, Clone)]
pub(crate) struct Teller {
    /// `None` if nobody listens.
    sender: Option<SyncSender<Value>>,
}

impl Teller {
    /// Sends a report. Waits if the listener is far behind.
    pub(crate) fn tell(&self, news: impl FnOnce() -> Value) {
        if let Some(sender) = &self.sender {
            // After the work nobody listens any more.
            let _ = sender.send(news());
        }
    }
}

/// Runs `job` in a separate thread, without the interpreter's lock.
///
/// The job gets a flag that it must obey, and a way to report progress. The reason for stopping it
/// (a signal, the deadline, the event, an exception in the callback) is raised after it has ended.
pub(crate) fn run<T: Send>(
    py: Python<'_>,
    control: &Control<'_>,
    job: impl FnOnce(&AtomicBool, &Teller) -> uniq::Result<T> + Send,
) -> PyResult<T> {
    let end = match control.deadline {
        Some(seconds) => Some(Instant::now() + duration("deadline", seconds)?),
        None => None,
    };
    let cancel = AtomicBool::new(false);
    let is_heard = control.progress.is_some();
    // Without a listener the channel carries nothing, and closing it signals the end of the work.
    let (sender, mut receiver) = sync_channel(BACKLOG);
    let (outcome, stopped) = thread::scope(|scope| {
        let flag = &cancel;
        let job = move || {
            let over = sender;
            let teller = Teller {
                sender: is_heard.then(|| over.clone()),
            };
            job(flag, &teller)
        };
        let worker = match thread::Builder::new()
            .name("uniq".to_owned())
            .spawn_scoped(scope, job)
        {
            Ok(worker) => worker,
            Err(error) => return (None, Err(error.into())),
        };
        let stopped = listen(py, control, end, &cancel, &mut receiver);
        (Some(py.detach(|| worker.join())), stopped)
    });
    stopped?;
    match outcome {
        Some(Ok(done)) => done.map_err(|error| errors::raise(py, &error)),
        Some(Err(panic)) => Err(errors::internal(py, &said(&*panic))),
        None => Err(errors::internal(py, "no thread was started")),
    }
}

/// Listens until the work has ended. Returns the reason for stopping it.
fn listen(
    py: Python<'_>,
    control: &Control<'_>,
    end: Option<Instant>,
    cancel: &AtomicBool,
    receiver: &mut Receiver<Value>,
) -> PyResult<()> {
    let mut stopped = Ok(());
    let mut looked = Instant::now();
    loop {
        let receiver: &mut Receiver<Value> = receiver;
        let heard = py.detach(move || receiver.recv_timeout(TICK));
        if matches!(heard, Err(RecvTimeoutError::Disconnected)) {
            return stopped;
        }
        if stopped.is_err() {
            // Drops further reports, so that the work does not wait for a listener.
            continue;
        }
        if let (Ok(news), Some(progress)) = (&heard, &control.progress) {
            stopped = progress.call1((news.to_string(),)).map(|_| ());
        }
        if stopped.is_ok() && (heard.is_err() || looked.elapsed() >= TICK) {
            looked = Instant::now();
            stopped = look(py, control, end);
        }
        if stopped.is_err() {
            cancel.store(true, Ordering::SeqCst);
        }
    }
}

/// Checks for a reason to stop.
fn look(py: Python<'_>, control: &Control<'_>, end: Option<Instant>) -> PyResult<()> {
    py.check_signals()?;
    if end.is_some_and(|end| Instant::now() >= end) {
        return Err(errors::late(py, control.deadline.unwrap_or_default()));
    }
    if let Some(event) = &control.cancel
        && event.call_method0("is_set")?.is_truthy()?
    {
        return Err(errors::raise(py, &uniq::Error::Cancelled));
    }
    Ok(())
}

/// Converts seconds into a duration.
pub(crate) fn duration(name: &str, seconds: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|duration| *duration <= SECONDS_MAX)
        .ok_or_else(|| {
            errors::setting(&format!(
                "{name} is {seconds}; it must be 0 to 3 000 000 000 seconds"
            ))
        })
}

/// The message of a panic.
fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default()
}

/// Time between two checks for a reason to stop.
const TICK: Duration = Duration::from_millis(50);
/// Maximum number of reports that wait for the listener.
const BACKLOG: usize = 1024;
/// Maximum number of seconds: far longer than any work, and small enough to be added to an instant.
const SECONDS_MAX: Duration = Duration::from_secs(3_000_000_000);
