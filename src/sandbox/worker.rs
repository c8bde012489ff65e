//! Starts a decoding process, reads its messages, and ends it when it is done, dead, late, or no
//! longer wanted.

use std::io::{PipeReader, Read as _};
use std::ops::ControlFlow;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::ending::{self, Cause, ending};
use super::ledger::{Ledger, Step};
use super::message::{Inbox, Tried};
use super::serve::error_of;
use super::trial::Trial;
use super::{Demand, Given, Job, Protections, SUBCOMMAND, Task, Worker};
use crate::media::{Decoded, Limit, Limits, Moments, Selector as _, Source, Still};
use crate::sample::{Grid, Sampling};
use crate::{Error, Result};

/// Decodes `source` in a separate process, and in a new one if that is killed from outside; `stop`
/// is called ten times a second.
#[allow(
    clippy::too_many_arguments,
    reason = "those of a decoding, and where it happens"
)]
pub(super) fn decode(
    worker: &Worker,
    source: &Source,
    stream: Option<u32>,
    limits: &Limits,
    grid: &Grid,
    inspect: bool,
    visit: &mut dyn FnMut(Given) -> ControlFlow<()>,
    stop: &dyn Fn() -> bool,
) -> Result<Decoded> {
    // A file gives the same frames and pictures each time, so those already handed on are skipped.
    let mut handed = 0_u64;
    retried(stop, &mut || {
        let mut number = 0_u64;
        let mut visit = |given| {
            number += 1;
            if number <= handed {
                return ControlFlow::Continue(());
            }
            handed = number;
            visit(given)
        };
        decode_once(
            worker, source, stream, limits, grid, inspect, &mut visit, stop,
        )
    })
}

/// Retries what was killed from outside: by the memory killer, an operator, a stopped machine.
fn retried<T>(stop: &dyn Fn() -> bool, attempt: &mut dyn FnMut() -> Result<T>) -> Result<T> {
    let mut times = 1;
    loop {
        match attempt() {
            Err(Error::WorkerKilled { .. }) if stop() => return Err(Error::Cancelled),
            Err(Error::WorkerKilled { .. }) if times < TRIES => {
                times += 1;
                let begun = Instant::now();
                while begun.elapsed() < PAUSE {
                    if stop() {
                        return Err(Error::Cancelled);
                    }
                    std::thread::sleep(PAUSE / 10);
                }
            }
            Err(Error::WorkerKilled {
                path, how, reached, ..
            }) => {
                return Err(Error::WorkerKilled {
                    path,
                    how,
                    reached,
                    times,
                });
            }
            other => return other,
        }
    }
}

#[allow(
    clippy::too_many_arguments,
    reason = "those of a decoding, and where it happens"
)]
fn decode_once(
    worker: &Worker,
    source: &Source,
    stream: Option<u32>,
    limits: &Limits,
    grid: &Grid,
    inspect: bool,
    visit: &mut dyn FnMut(Given) -> ControlFlow<()>,
    stop: &dyn Fn() -> bool,
) -> Result<Decoded> {
    let task = Task::Decode {
        stream,
        interval: grid.interval(),
        sampling: grid.sampling(),
        resolution: grid.resolution(),
        inspect,
        limits: *limits,
        bytes: source.bytes(),
    };
    let input = source
        .file()
        .try_clone()
        .map_err(Error::io(source.path(), "open"))?;
    let mut talk = Talk::begin(worker, task, input.into(), limits, grid.interval())?;
    if matches!(grid.sampling(), Sampling::Drawn(_)) {
        talk.ledger = Ledger::of_clip(limits, grid.interval());
    }
    if inspect {
        talk.ledger.allow_measures();
    }
    let mut hand_on = |given: Given| match visit(given) {
        ControlFlow::Continue(()) => Ok(Heard::More),
        ControlFlow::Break(()) => Err(Error::Cancelled),
    };
    talk.finish(source.path(), stop, &mut |step| match step {
        Step::Frame(frame) => hand_on(Given::Keyframe(frame)),
        Step::Picture(picture) => hand_on(Given::Picture(picture)),
        Step::Measured(measured) => hand_on(Given::Measured(measured)),
        Step::Done(decoded) => Ok(Heard::End(decoded)),
        _ => Ok(Heard::Foreign),
    })
}

/// Makes stills of `source` in a separate process, and in a new one if that is killed from outside;
/// `stop` is called ten times a second.
pub(super) fn stills(
    worker: &Worker,
    source: &Source,
    stream: Option<u32>,
    moments: &Moments,
    limits: &Limits,
    stop: &dyn Fn() -> bool,
) -> Result<Vec<Still>> {
    retried(stop, &mut || {
        stills_once(worker, source, stream, moments, limits, stop)
    })
}

fn stills_once(
    worker: &Worker,
    source: &Source,
    stream: Option<u32>,
    moments: &Moments,
    limits: &Limits,
    stop: &dyn Fn() -> bool,
) -> Result<Vec<Still>> {
    let task = Task::Stills {
        stream,
        moments: moments.clone(),
        limits: *limits,
        bytes: source.bytes(),
    };
    let input = source
        .file()
        .try_clone()
        .map_err(Error::io(source.path(), "open"))?;
    let mut talk = Talk::begin(worker, task, input.into(), limits, Duration::from_secs(1))?;
    talk.ledger = Ledger::of_stills(limits, moments.times().len());
    let mut stills = Vec::new();
    talk.finish(source.path(), stop, &mut |step| {
        match step {
            Step::Still(still) => stills.push(still),
            Step::Shown => return Ok(Heard::End(std::mem::take(&mut stills))),
            _ => return Ok(Heard::Foreign),
        }
        Ok(Heard::More)
    })
}

/// Reads `source`, which is not a video, in a separate process, and in a new one if that is killed
/// from outside; `stop` is called ten times a second.
pub(super) fn read(
    worker: &Worker,
    source: &Source,
    limits: &Limits,
    stop: &dyn Fn() -> bool,
) -> Result<Vec<u8>> {
    retried(stop, &mut || read_once(worker, source, limits, stop))
}

fn read_once(
    worker: &Worker,
    source: &Source,
    limits: &Limits,
    stop: &dyn Fn() -> bool,
) -> Result<Vec<u8>> {
    let task = Task::Read {
        limits: *limits,
        bytes: source.bytes(),
    };
    let input = source
        .file()
        .try_clone()
        .map_err(Error::io(source.path(), "open"))?;
    let mut talk = Talk::begin(worker, task, input.into(), limits, Duration::from_secs(1))?;
    talk.ledger = Ledger::of_reading(limits, source.bytes().saturating_add(BYTES_SPARE));
    let mut bytes = Vec::new();
    talk.finish(source.path(), stop, &mut |step| {
        match step {
            Step::Bytes(part) => bytes.extend(part),
            Step::Read => return Ok(Heard::End(std::mem::take(&mut bytes))),
            _ => return Ok(Heard::Foreign),
        }
        Ok(Heard::More)
    })
}

/// Starts a process that gives up what it can, and returns what that was.
pub(super) fn start(worker: &Worker) -> Result<Protections> {
    match attempt(worker, Trial::Start)? {
        Attempt::Started(protections) => Ok(protections),
        Attempt::Answered(_) | Attempt::Killed(_) => Err(Error::NoWorker {
            program: worker.program.clone(),
            reason: "the program is not a uniq of this version; name another one".to_owned(),
        }),
    }
}

/// The process checks this too, before it reads.
fn insist(worker: &Worker, protections: Protections) -> Result<()> {
    let lacking = protections.lacking();
    if worker.demand == Demand::Everything && !lacking.is_empty() {
        return Err(Error::Unprotected {
            lacking: lacking.join(", "),
        });
    }
    Ok(())
}

/// Tries something forbidden in a separate process.
pub(super) fn try_out(worker: &Worker, trial: Trial) -> Result<(bool, String)> {
    Ok(match attempt(worker, trial)? {
        Attempt::Answered(Tried { refused, how }) => (refused, how),
        Attempt::Killed(how) => (true, how),
        Attempt::Started(_) => (false, "it ended without an answer".to_owned()),
    })
}

/// The result of a trial.
enum Attempt {
    /// It gave up what it could, and ended.
    Started(Protections),
    Answered(Tried),
    /// The system call filter ended it.
    Killed(String),
}

fn attempt(worker: &Worker, trial: Trial) -> Result<Attempt> {
    let limits = Limits {
        time_floor: TRIAL_TIME,
        stall: TRIAL_TIME,
        ..Limits::default()
    };
    let mut talk = Talk::begin(
        worker,
        Task::Try(trial),
        Stdio::null(),
        &limits,
        Duration::from_secs(1),
    )?;
    let mut started = None;
    loop {
        match talk.next(&|| false) {
            Ok(Step::Ready(protections)) => {
                insist(worker, protections)?;
                started = Some(protections);
            }
            Ok(Step::Tried(tried)) => return Ok(Attempt::Answered(tried)),
            Ok(_) => {}
            Err(Fault::Ended(status)) => {
                let forbidden = status.signal() == Some(rustix::process::Signal::SYS.as_raw());
                return match started {
                    Some(_) if forbidden => Ok(Attempt::Killed(ending(status))),
                    Some(protections) if status.success() => Ok(Attempt::Started(protections)),
                    _ => Err(Error::NoWorker {
                        program: worker.program.clone(),
                        reason: ending(status),
                    }),
                };
            }
            Err(fault) => return Err(talk.fault(&worker.program, &limits, fault)),
        }
    }
}

/// What a step means for the current task.
enum Heard<T> {
    /// The task continues.
    More,
    /// The task ended with this result.
    End(T),
    /// The step belongs to another task.
    Foreign,
}

/// Why there is no next step.
enum Fault {
    /// The process ended without announcing it.
    Ended(ExitStatus),
    /// It broke the rules.
    Broken(String),
    Late(Limit, Duration),
    /// It is late because somebody stopped it or the disk does not answer; the cause, and how long.
    Held(&'static str, Duration),
    Cancelled,
    /// The operating system fails to poll or to read.
    System(std::io::Error),
}

/// A decoding process and its messages so far. Dropping this value ends the process.
struct Talk<'a> {
    worker: &'a Worker,
    child: Child,
    output: PipeReader,
    inbox: Inbox,
    ledger: Ledger,
    limits: Limits,
    begun: Instant,
}

impl Talk<'_> {
    fn begin<'a>(
        worker: &'a Worker,
        task: Task,
        input: Stdio,
        limits: &Limits,
        interval: Duration,
    ) -> Result<Talk<'a>> {
        let refuse = |error: std::io::Error| {
            let reason =
                format!("{error}; name another program, or choose decoding in this process");
            Error::NoWorker {
                program: worker.program.clone(),
                reason,
            }
        };
        let job = Job {
            parent: std::process::id(),
            insist: worker.demand == Demand::Everything,
            task,
        };
        let job = serde_json::to_string(&job).map_err(|error| refuse(error.into()))?;
        let (output, end) = std::io::pipe().map_err(refuse)?;
        // Holds a second of keyframes, so that decoding does not wait for hashing. If the system
        // refuses, decoding is slower.
        #[cfg(target_os = "linux")]
        let _ = rustix::pipe::fcntl_setpipe_size(&output, PIPE_BYTES);
        let child = Command::new(&worker.program)
            .arg(SUBCOMMAND)
            .arg(job)
            .env_clear()
            .envs(worker.environment.iter().map(|(name, value)| (name, value)))
            .stdin(input)
            .stdout(end)
            .stderr(Stdio::null())
            .spawn()
            .map_err(refuse)?;
        let ledger = Ledger::new(limits, interval);
        Ok(Talk {
            worker,
            child,
            output,
            inbox: Inbox::default(),
            ledger,
            limits: *limits,
            begun: Instant::now(),
        })
    }

    /// Waits for the next message.
    fn next(&mut self, stop: &dyn Fn() -> bool) -> Result<Step, Fault> {
        let waiting = Instant::now();
        let mut block = [0; 1 << 16];
        loop {
            if let Some(message) = self.inbox.next().map_err(Fault::Broken)? {
                return self.ledger.take(message).map_err(Fault::Broken);
            }
            if stop() {
                return Err(Fault::Cancelled);
            }
            let (elapsed, waited) = (self.begun.elapsed(), waiting.elapsed());
            if elapsed > self.limits.time_for(self.ledger.reached()) {
                return Err(Fault::Late(Limit::Time, elapsed));
            }
            if waited > self.limits.stall {
                return Err(match ending::held_up(self.child.id()) {
                    Some(by) => Fault::Held(by, waited),
                    None => Fault::Late(Limit::Stall, waited),
                });
            }
            let mut waits = [PollFd::new(&self.output, PollFlags::IN)];
            match poll(&mut waits, Some(&LISTEN)) {
                Ok(0) | Err(rustix::io::Errno::INTR) => continue,
                Ok(_) => {}
                Err(error) => return Err(Fault::System(error.into())),
            }
            match self.output.read(&mut block) {
                Ok(0) => return Err(self.ended()),
                Ok(length) => self.inbox.push(&block[..length]),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Fault::System(error)),
            }
        }
    }

    /// Reads messages to the end of a task about the file at `path`. It handles messages common to
    /// all tasks; `take` gets the rest.
    fn finish<T>(
        &mut self,
        path: &Path,
        stop: &dyn Fn() -> bool,
        take: &mut dyn FnMut(Step) -> Result<Heard<T>>,
    ) -> Result<T> {
        let limits = self.limits;
        loop {
            match self.next(stop) {
                Ok(Step::Noted) => {}
                Ok(Step::Ready(protections)) => insist(self.worker, protections)?,
                Ok(Step::Failed(failure)) => {
                    let how = "sent an unknown failure code".to_owned();
                    let died = died(path, how, self.ledger.reached());
                    return Err(error_of(failure, path, &limits).unwrap_or(died));
                }
                Ok(step) => match take(step)? {
                    Heard::More => {}
                    Heard::End(end) => return Ok(end),
                    Heard::Foreign => {
                        let fault = Fault::Broken("the end of another task".to_owned());
                        return Err(self.fault(path, &limits, fault));
                    }
                },
                Err(fault) => return Err(self.fault(path, &limits, fault)),
            }
        }
    }

    /// Its output is closed; gives it a moment to end itself.
    fn ended(&mut self) -> Fault {
        let since = Instant::now();
        while since.elapsed() < PARTING {
            match self.child.try_wait() {
                // A signal may come while it writes a message.
                Ok(Some(status)) if self.inbox.is_torn() && status.signal().is_none() => {
                    return Fault::Broken("half a message".to_owned());
                }
                Ok(Some(status)) => return Fault::Ended(status),
                Ok(None) => std::thread::sleep(Duration::from_millis(1)),
                Err(error) => return Fault::System(error),
            }
        }
        Fault::Broken("silence".to_owned())
    }

    /// Converts a fault to the error about the file at `path`.
    fn fault(&self, path: &Path, limits: &Limits, fault: Fault) -> Error {
        let reached = self.ledger.reached();
        match fault {
            Fault::Cancelled => Error::Cancelled,
            Fault::System(source) => {
                Error::io(&self.worker.program, "listening to the decoding process")(source)
            }
            Fault::Ended(status) if ending::cause(status) == Cause::Outside => {
                killed(path, ending(status), reached)
            }
            Fault::Held(by, waited) => {
                let how = format!(
                    "stood still for {:.0} s (--max-stall), {by}",
                    waited.as_secs_f64()
                );
                killed(path, how, reached)
            }
            // If it was never ready, it never reached the file, so the file is not to blame.
            Fault::Ended(status) if !self.ledger.is_ready() => Error::NoWorker {
                program: self.worker.program.clone(),
                reason: format!(
                    "it {} before it was ready; make sure that it is a uniq of this version",
                    ending(status)
                ),
            },
            Fault::Ended(status)
                if status.signal() == Some(rustix::process::Signal::XCPU.as_raw()) =>
            {
                Limit::Time.exceeded(
                    path,
                    limits,
                    "all of its processor time is used up".to_owned(),
                )
            }
            Fault::Ended(status) => died(path, ending(status), reached),
            Fault::Broken(how) => died(path, format!("was killed because it sent {how}"), reached),
            Fault::Late(Limit::Stall, waited) => {
                let how = format!(
                    "was killed because it stood still for {:.0} s (--max-stall)",
                    waited.as_secs_f64()
                );
                died(path, how, reached)
            }
            Fault::Late(limit, elapsed) => {
                let found = format!(
                    "{:.0} s for {:.1} s of video",
                    elapsed.as_secs_f64(),
                    reached.as_secs_f64()
                );
                limit.exceeded(path, limits, found)
            }
        }
    }
}

impl Drop for Talk<'_> {
    fn drop(&mut self) {
        // Both fail only if the process has already ended and been waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn died(path: &Path, how: String, reached: Duration) -> Error {
    Error::WorkerDied {
        path: path.to_owned(),
        how,
        reached,
        unnoted: None,
    }
}

fn killed(path: &Path, how: String, reached: Duration) -> Error {
    Error::WorkerKilled {
        path: path.to_owned(),
        how,
        reached,
        times: 1,
    }
}

/// Bytes that reading may return beyond the file's own: gaps are added, and texts rewritten.
const BYTES_SPARE: u64 = 1 << 18;
/// Maximum processes started for one file. If the memory killer ended two, the third may survive.
const TRIES: u32 = 3;
/// Time between two tries, so that memory can become free.
const PAUSE: Duration = Duration::from_millis(500);
/// How long to wait for a message before checking the clock and `stop`.
const LISTEN: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};
/// How long a process may take to end after its last message.
const PARTING: Duration = Duration::from_secs(5);
/// Time limit of a trial, which usually takes tens of milliseconds.
const TRIAL_TIME: Duration = Duration::from_secs(30);
/// Capacity of the pipe in bytes, if an unprivileged user may have as much.
#[cfg(target_os = "linux")]
const PIPE_BYTES: usize = 1 << 20;

#[cfg(test)]
mod tests;
