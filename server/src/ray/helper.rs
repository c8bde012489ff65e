//! The process that connects to the cluster: starts it, sends questions in parallel, and ends it.

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::frames::{self, Wrong};
use crate::config::RayConfig;

/// A helper that is connected to the cluster.
#[derive(Debug)]
pub(super) struct Helper {
    child: Mutex<Child>,
    /// Frames to send; `None` once it should end.
    input: Mutex<Option<Sender<Vec<u8>>>>,
    waiting: Arc<Waiting>,
    numbers: AtomicU64,
}

/// An answer: its parts, or an error.
pub(super) type Answered = Result<Vec<Vec<u8>>, Wrong>;

/// The questions that wait for an answer.
#[derive(Debug)]
struct Waiting(Mutex<Result<HashMap<u64, Sender<Answered>>, String>>);

/// Outcome of a question.
#[derive(Debug)]
pub(super) enum Outcome {
    Answered(Vec<Vec<u8>>),
    Wrong(Wrong),
    /// No answer came in time.
    Late,
    /// The helper has ended.
    Ended(String),
    /// The caller no longer wants the answer.
    Cancelled,
}

impl Helper {
    /// Starts a helper, and waits until it is connected to the cluster.
    ///
    /// # Errors
    /// A message with the fault and the remedy.
    pub(super) fn start(
        config: &RayConfig,
        index: &Path,
        is_stopping: &dyn Fn() -> bool,
    ) -> Result<Helper, String> {
        let python = config.python.display();
        let mut command = Command::new(&config.python);
        command
            .args(["-m", "uniq.questions"])
            .arg(format!("--address={}", config.address))
            .arg("--index")
            .arg(std::path::absolute(index).unwrap_or_else(|_| index.to_owned()))
            .args(["--copies", &config.copies.to_string()]);
        if let Some(holders) = config.holders {
            command.args(["--holders", &holders.to_string()]);
        }
        // In its own process group: Ctrl-C must not kill it, because checks are released first.
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let mut child = command.spawn().map_err(|error| {
            format!(
                "{python}: cannot be started ({error}); install Python with the packages uniq and ray, or name another in ray.python"
            )
        })?;
        let (input, output, talk) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (sending, to_send) = mpsc::channel();
        let (hello, is_there) = mpsc::channel();
        let helper = Helper {
            child: Mutex::new(child),
            input: Mutex::new(Some(sending)),
            waiting: Arc::new(Waiting(Mutex::new(Ok(HashMap::new())))),
            numbers: AtomicU64::new(1),
        };
        let (Some(input), Some(output), Some(talk)) = (input, output, talk) else {
            return Err(format!("{python}: no connection to it"));
        };
        let said = log(talk);
        send_all(to_send, input);
        dispatch(output, hello, Arc::clone(&helper.waiting));
        let begun = Instant::now();
        loop {
            match is_there.recv_timeout(PAUSE) {
                Ok(first) => return first.map(|()| helper),
                Err(RecvTimeoutError::Timeout) if is_stopping() => {
                    return Err("the service stops".to_owned());
                }
                Err(RecvTimeoutError::Timeout) if begun.elapsed() > START_MAX => {
                    return Err(format!(
                        "{}: no connection to the Ray cluster after {} s; see whether it runs with: ray status",
                        config.address,
                        START_MAX.as_secs()
                    ));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    let why = helper.waiting.ended().unwrap_or_default();
                    let last = said.last().unwrap_or(why);
                    return Err(format!(
                        "{python} -m uniq.questions ended ({last}); install the packages uniq and ray for this Python, or name another in \
                         ray.python"
                    ));
                }
            }
        }
    }

    /// Sends a question and waits for the answer.
    pub(super) fn ask(
        &self,
        what: &'static str,
        parts: &[&[u8]],
        at_most: Duration,
        is_cancelled: &dyn Fn() -> bool,
    ) -> Outcome {
        let id = self.numbers.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = mpsc::channel();
        match &mut *self.waiting.lock() {
            Ok(waiting) => drop(waiting.insert(id, answer)),
            Err(why) => return Outcome::Ended(why.clone()),
        }
        let frame = frames::write(id, what, at_most.as_secs_f64(), parts);
        // A separate thread sends it, so that a helper that does not read cannot block the caller.
        if let Some(input) = &*self.input.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ = input.send(frame);
        }
        let outcome = self.waited(&answered, at_most, is_cancelled);
        if let Ok(waiting) = &mut *self.waiting.lock() {
            waiting.remove(&id);
        }
        outcome
    }

    fn waited(
        &self,
        answered: &Receiver<Answered>,
        at_most: Duration,
        is_cancelled: &dyn Fn() -> bool,
    ) -> Outcome {
        let begun = Instant::now();
        loop {
            match answered.recv_timeout(PAUSE) {
                Ok(Ok(parts)) => return Outcome::Answered(parts),
                Ok(Err(wrong)) => return Outcome::Wrong(wrong),
                Err(RecvTimeoutError::Disconnected) => {
                    return Outcome::Ended(self.waiting.ended().unwrap_or_default());
                }
                Err(RecvTimeoutError::Timeout) if is_cancelled() => return Outcome::Cancelled,
                Err(RecvTimeoutError::Timeout) if begun.elapsed() > at_most => {
                    return Outcome::Late;
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Asks the helper to end, and kills it after a while.
    pub(super) fn end(&self, grace: Duration) {
        // Closes its standard input.
        drop(
            self.input
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = Instant::now();
        while begun.elapsed() < grace {
            if !matches!(child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(PAUSE);
        }
        let _ = child.kill();
        let _ = child.wait();
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.end(Duration::ZERO);
    }
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, Result<HashMap<u64, Sender<Answered>>, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why the helper has ended, if it has.
    fn ended(&self) -> Option<String> {
        self.lock().as_ref().err().cloned()
    }

    fn answer(&self, id: u64, answer: Answered) {
        // Nobody waits for a late answer.
        if let Ok(waiting) = &mut *self.lock()
            && let Some(who) = waiting.remove(&id)
        {
            let _ = who.send(answer);
        }
    }
}

/// Delivers answers until the helper ends or sends something malformed.
fn dispatch(output: ChildStdout, hello: Sender<Result<(), String>>, waiting: Arc<Waiting>) {
    thread::spawn(move || {
        let mut output = BufReader::new(output);
        let mut hello = Some(hello);
        let why = loop {
            let (answer, parts) = match frames::read(&mut output) {
                Ok(Some(frame)) => frame,
                Ok(None) => break "it has ended".to_owned(),
                Err(error) => break format!("it sent an invalid frame: {error}"),
            };
            match (hello.take(), answer.id) {
                (Some(hello), _) => {
                    let _ = hello.send(greeted(answer));
                }
                (None, Some(id)) => waiting.answer(id, answer.error.map_or(Ok(parts), Err)),
                (None, None) => break "it sent an answer without a question".to_owned(),
            }
        };
        // This tells all that still wait.
        *waiting.lock() = Err(why);
    });
}

/// Checks the first frame.
fn greeted(first: frames::Answer) -> Result<(), String> {
    if let Some(wrong) = first.error {
        return Err(wrong.message);
    }
    let here = env!("CARGO_PKG_VERSION");
    let there = first.version.unwrap_or_default();
    if first.speaks == Some(SPEAKS) && there == here {
        return Ok(());
    }
    Err(format!(
        "the Python package uniq has version {there}, this program {here}; install the same version on all machines"
    ))
}

/// Sends frames until there are no more or nobody reads.
fn send_all(frames: Receiver<Vec<u8>>, mut input: ChildStdin) {
    thread::spawn(move || {
        for frame in frames {
            if input
                .write_all(&frame)
                .and_then(|()| input.flush())
                .is_err()
            {
                return;
            }
        }
    });
}

/// The last lines that a helper printed on standard error.
struct Said {
    lines: Arc<Mutex<VecDeque<String>>>,
    has_ended: Receiver<()>,
}

impl Said {
    /// The last line, once the helper has ended.
    fn last(&self) -> Option<String> {
        let _ = self.has_ended.recv_timeout(TALK_MAX);
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.pop_back()
    }
}

/// Logs the helper's standard error.
fn log(talk: impl Read + Send + 'static) -> Said {
    let lines = Arc::new(Mutex::new(VecDeque::new()));
    let (ended, has_ended) = mpsc::channel::<()>();
    let said = Said {
        lines: Arc::clone(&lines),
        has_ended,
    };
    thread::spawn(move || {
        let _ended = ended;
        let mut talk = BufReader::new(talk);
        let mut line = Vec::new();
        while matches!(talk.by_ref().take(SAID_MAX).read_until(b'\n', &mut line), Ok(read) if read > 0)
        {
            let text = String::from_utf8_lossy(&line).trim().to_owned();
            line.clear();
            if text.is_empty() {
                continue;
            }
            tracing::info!(said = text, "the helper for Ray");
            let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
            lines.push_back(text);
            if lines.len() > SAID_LINES {
                lines.pop_front();
            }
        }
    });
    said
}

/// The version of the protocol.
const SPEAKS: u32 = 1;

/// Time for a helper to connect: Python loads Ray, and a large cluster answers.
const START_MAX: Duration = Duration::from_secs(120);

/// How long to wait for a helper's last output after its end.
const TALK_MAX: Duration = Duration::from_secs(1);

/// Maximum length of a line of the log in bytes.
const SAID_MAX: u64 = 4096;

/// Number of lines to keep.
const SAID_LINES: usize = 5;

/// Time between two checks whether an answer is still wanted.
const PAUSE: Duration = Duration::from_millis(50);
