//! Runs work in a thread while the calling one listens to Python: to Ctrl-C, a deadline, an event
//! that cancels, and for news of how far the work is.

use std::any::Any;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use serde_json::Value;

use crate::errors;

/// How a caller takes part in work, as the arguments `deadline`, `cancel` and `progress` say.
#[derive(Debug, Default, FromPyObject)]
pub(crate) struct Control<'py> {
    /// Seconds after which the work is given up.
    deadline: Option<f64>,
    /// An object whose method `is_set` says whether the work is to stop, such as `threading.Event`.
    cancel: Option<Bound<'py, PyAny>>,
    /// Called with JSON, in the calling thread; what it raises stops the work.
    progress: Option<Bound<'py, PyAny>>,
}

/// How the work tells how far it is.
#[derive(Debug, Clone)]
pub(crate) struct Teller {
    /// `None` if nobody listens.
    sender: Option<SyncSender<Value>>,
}

impl Teller {
    /// Tells something; waits while the listener is far behind.
    pub(crate) fn tell(&self, news: impl FnOnce() -> Value) {
        if let Some(sender) = &self.sender {
            // Nobody listens any more once the work is over.
            let _ = sender.send(news());
        }
    }
}

/// Runs `job` in a thread of its own, without the interpreter's lock.
///
/// It is given a flag that it is to obey, and a way to tell how far it is. What stops it (a signal,
/// the deadline, the event, an exception of the callback) is raised when it has come to its end.
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
    // Without a listener it carries nothing, and says by its end that the work is done.
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

/// Listens until the work has come to its end, and says what stopped it.
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
            // What is still told is not heard, so that the work does not wait for a listener.
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

/// Looks for a reason to stop.
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

/// Seconds as a duration.
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

/// What a panic says.
fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default()
}

/// How often it is looked for a reason to stop.
const TICK: Duration = Duration::from_millis(50);
/// News that may wait for the listener.
const BACKLOG: usize = 1024;
/// More than anything takes, and less than what an instant can be moved by.
const SECONDS_MAX: Duration = Duration::from_secs(3_000_000_000);
