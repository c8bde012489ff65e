//! Decodes foreign files in a process that can do nothing else.
//!
//! A stranger's file is input to some hundred thousand lines of C, and may try to take them over.
//! So the caller opens the file and starts a process that gives up everything but this one
//! descriptor and a pipe. It trusts nothing that comes through the pipe:
//!
//! ```text
//! caller                                   decoding process
//! open, hash, look up the journal
//! start  ------- descriptor, job ------->  give up files, network, programs, memory, time
//!        <------ what was given up ------
//!        <------ stream, frames, progress  decode
//! check each message against the limits
//! kill it when it is late, wait for it     end
//! ```
//!
//! [`Decoding::worker`] names the program of that process, which must call [`crate::serve`]; `uniq`
//! does. [`Decoding::in_process`] decodes in this process, for files of known origin. Both give the
//! same frames.
//!
//! What this does not prevent: a process that was taken over can lie about the pictures of the one
//! file that it decodes, and can read its own address space, which holds nothing of other files. If
//! the kernel lacks a protection, [`Protections::lacking`] names it. Systems other than Linux only
//! have limits and a separate process. Systems without Unix processes only have
//! [`Decoding::in_process`].

#[cfg(unix)]
mod calls;
#[cfg(unix)]
mod confine;
#[cfg(unix)]
mod ending;
mod journal;
#[cfg(unix)]
mod ledger;
#[cfg(unix)]
mod message;
#[cfg(unix)]
mod serve;
mod shown;
mod steering;
#[cfg(unix)]
mod trial;
#[cfg(unix)]
mod worker;

use std::ffi::OsString;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::media::{
    self, Decoded, Frame, Inspector, Limits, Links, Moments, Observer, Resolution, Source, Still,
    StreamInfo,
};
use crate::sample::{Grid, Sampling};
use crate::{Error, Result};

pub use journal::{Journal, Quarantine};
#[cfg(unix)]
pub(crate) use serve::serve;
pub use shown::hides;
pub use steering::{json_line, steers};
#[cfg(unix)]
pub use trial::Trial;

/// The first argument of a decoding process; the second is its job.
pub const SUBCOMMAND: &str = "decode-for-uniq";

/// Where files are decoded, what they may use, and what to do with harmful ones.
#[derive(Debug, Clone)]
pub struct Decoding {
    /// Where files are decoded.
    pub place: Place,
    /// What a file may use.
    pub limits: Limits,
    /// How symbolic links are treated.
    pub links: Links,
    /// Remembers files that killed their decoding process.
    pub journal: Option<Arc<Journal>>,
}

/// Where files are decoded.
#[derive(Debug, Clone)]
pub enum Place {
    /// In this process, with all its rights.
    InProcess,
    /// In a separate process for each file.
    Worker(Worker),
}

/// The program that decodes.
#[derive(Debug, Clone)]
pub struct Worker {
    /// A program that calls [`crate::serve`] when its first argument is [`SUBCOMMAND`], such as
    /// `uniq`.
    pub program: PathBuf,
    /// Its whole environment. The loader may need `LD_LIBRARY_PATH` to find FFmpeg.
    pub environment: Vec<(OsString, OsString)>,
    /// What to do if the system lacks a protection.
    pub demand: Demand,
}

/// What decoding gives of a video, in order of presentation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given {
    /// A frame chosen by the grid.
    Keyframe(Frame),
    /// A small picture of a clip's frame, at most one per
    /// [`CLIP_PICTURE_INTERVAL`](crate::sample::CLIP_PICTURE_INTERVAL).
    Picture(Frame),
    /// The measurements of an [`Inspector`], at the end. Trust them no more than the file.
    Measured(Vec<u8>),
}

/// How much protection is required.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Demand {
    /// As much as the system has.
    #[default]
    WhatThereIs,
    /// All of it; otherwise nothing is read.
    Everything,
}

impl Decoding {
    /// Decodes in this process: for one's own files, and for tests.
    pub fn in_process() -> Decoding {
        Decoding {
            place: Place::InProcess,
            limits: Limits::default(),
            links: Links::default(),
            journal: None,
        }
    }

    /// Decodes each file in a separate process: for files from strangers.
    pub fn worker(program: impl Into<PathBuf>) -> Decoding {
        let worker = Worker {
            program: program.into(),
            environment: Vec::new(),
            demand: Demand::default(),
        };
        Decoding {
            place: Place::Worker(worker),
            ..Decoding::in_process()
        }
    }

    /// Opens a file.
    ///
    /// # Errors
    ///
    /// Those of [`Source::open`].
    pub fn open(&self, path: &Path) -> Result<Source> {
        Source::open(path, self.links, &self.limits)
    }

    /// Decodes one video stream of an open file with this hash ([`media::decode_source`] says
    /// which), and hands the keyframes chosen by `grid` to `visit`. `stop` is called many times a
    /// second.
    ///
    /// # Errors
    ///
    /// Those of [`media::decode_source`], [`Error::Quarantined`], [`Error::WorkerDied`],
    /// [`Error::WorkerKilled`], [`Error::NoWorker`], [`Error::Unprotected`], and [`Error::Changed`]
    /// if the file was written to since it was opened.
    pub fn decode(
        &self,
        source: &Source,
        sha256: &[u8; 32],
        stream: Option<u32>,
        grid: Grid,
        visit: &mut dyn FnMut(Frame) -> ControlFlow<()>,
        stop: &dyn Fn() -> bool,
    ) -> Result<Decoded> {
        let mut visit = |given| match given {
            Given::Keyframe(frame) => visit(frame),
            Given::Picture(_) | Given::Measured(_) => ControlFlow::Continue(()),
        };
        self.decode_all(source, sha256, stream, grid, &mut visit, stop)
    }

    /// As [`Decoding::decode`], and also hands on the small pictures of a clip, if `grid` is
    /// [drawn](crate::sample::Sampling::Drawn).
    ///
    /// # Errors
    ///
    /// Those of [`Decoding::decode`].
    pub fn decode_all(
        &self,
        source: &Source,
        sha256: &[u8; 32],
        stream: Option<u32>,
        grid: Grid,
        visit: &mut dyn FnMut(Given) -> ControlFlow<()>,
        stop: &dyn Fn() -> bool,
    ) -> Result<Decoded> {
        self.decode_inspected(source, sha256, stream, grid, None, visit, stop)
    }

    /// As [`Decoding::decode_all`]. If there is an inspector, the clip is measured meanwhile: by
    /// this inspector if files are decoded in this process, otherwise by that of the decoding
    /// process, see [`crate::serve`].
    ///
    /// # Errors
    ///
    /// Those of [`Decoding::decode`].
    #[allow(
        clippy::too_many_arguments,
        reason = "those of a decoding, and who looks on"
    )]
    pub(crate) fn decode_inspected(
        &self,
        source: &Source,
        sha256: &[u8; 32],
        stream: Option<u32>,
        mut grid: Grid,
        inspector: Option<&mut dyn Inspector>,
        visit: &mut dyn FnMut(Given) -> ControlFlow<()>,
        stop: &dyn Fn() -> bool,
    ) -> Result<Decoded> {
        if let Some(journal) = &self.journal {
            journal.admit(source.path(), sha256)?;
        }
        let decoded = match &self.place {
            Place::InProcess => {
                let mut observer = Stoppable {
                    visit,
                    stop,
                    inspector,
                };
                let decoded =
                    media::decode_source(source, stream, &self.limits, &mut grid, &mut observer);
                observer.measured(decoded)
            }
            #[cfg(unix)]
            Place::Worker(worker) => {
                let inspect = inspector.is_some();
                worker::decode(
                    worker,
                    source,
                    stream,
                    &self.limits,
                    &grid,
                    inspect,
                    visit,
                    stop,
                )
            }
            #[cfg(not(unix))]
            Place::Worker(worker) => Err(no_processes(worker)),
        };
        let decoded = self.noted(source, sha256, decoded)?;
        source.unchanged()?;
        Ok(decoded)
    }
}

impl Decoding {
    /// Makes colour stills of one video stream of an open file with this hash, in order of time. A
    /// still is the frame shown at its moment, on the clock of [`Decoding::decode`]. Moments
    /// outside the video give none, and moments of one frame share a still. Stills are for people;
    /// no decision uses them.
    ///
    /// # Errors
    ///
    /// Those of [`Decoding::decode`].
    pub fn stills(
        &self,
        source: &Source,
        sha256: &[u8; 32],
        stream: Option<u32>,
        moments: &Moments,
        stop: &dyn Fn() -> bool,
    ) -> Result<Vec<Still>> {
        if moments.times().is_empty() {
            return Ok(Vec::new());
        }
        if let Some(journal) = &self.journal {
            journal.admit(source.path(), sha256)?;
        }
        let made = match &self.place {
            Place::InProcess => {
                let mut album = Album {
                    stills: Vec::new(),
                    stop,
                };
                media::stills(source, stream, moments, &self.limits, &mut album)
                    .map(|()| album.stills)
            }
            #[cfg(unix)]
            Place::Worker(worker) => {
                worker::stills(worker, source, stream, moments, &self.limits, stop)
            }
            #[cfg(not(unix))]
            Place::Worker(worker) => Err(no_processes(worker)),
        };
        let made = self.noted(source, sha256, made)?;
        source.unchanged()?;
        Ok(made)
    }

    /// Reads an open file with this hash with `reader`, in the process that decodes clips and under
    /// the same limits, and returns the resulting bytes.
    ///
    /// # Errors
    ///
    /// Those of `reader`, and those of [`Decoding::decode`] that concern the process and the file.
    pub(crate) fn read(
        &self,
        source: &Source,
        sha256: &[u8; 32],
        reader: Reader<'_>,
        stop: &dyn Fn() -> bool,
    ) -> Result<Vec<u8>> {
        if let Some(journal) = &self.journal {
            journal.admit(source.path(), sha256)?;
        }
        let read = match &self.place {
            Place::InProcess => reader(source, &self.limits),
            #[cfg(unix)]
            Place::Worker(worker) => worker::read(worker, source, &self.limits, stop),
            #[cfg(not(unix))]
            Place::Worker(worker) => Err(no_processes(worker)),
        };
        let read = self.noted(source, sha256, read)?;
        source.unchanged()?;
        Ok(read)
    }

    /// Records the outcome of a file in the journal. If that fails for a crash, the crash is
    /// reported with the failure, and the file may be tried once more. If it fails for a success,
    /// the failure is the error, since the file stays quarantined.
    fn noted<T>(&self, source: &Source, sha256: &[u8; 32], outcome: Result<T>) -> Result<T> {
        let Some(journal) = &self.journal else {
            return outcome;
        };
        match (journal.record(source.path(), sha256, &outcome), outcome) {
            (Ok(()), outcome) => outcome,
            (Err(error), Ok(_)) => Err(error),
            (
                Err(error),
                Err(Error::WorkerDied {
                    path, how, reached, ..
                }),
            ) => Err(Error::WorkerDied {
                path,
                how,
                reached,
                unnoted: Some(Box::new(error)),
            }),
            (Err(_), outcome) => outcome,
        }
    }
}

/// Reads a file that is not a video, and returns bytes that are trusted no more than the file. The
/// module that knows such files provides it.
pub(crate) type Reader<'a> = &'a dyn Fn(&Source, &Limits) -> Result<Vec<u8>>;

impl Worker {
    /// Starts a decoding process without a file, to see what it gives up on this system.
    ///
    /// # Errors
    ///
    /// [`Error::NoWorker`] if it cannot be started, [`Error::Unprotected`] if the demand is not
    /// met.
    pub fn start(&self) -> Result<Protections> {
        #[cfg(unix)]
        return worker::start(self);
        #[cfg(not(unix))]
        Err(no_processes(self))
    }

    /// Tries something forbidden in a decoding process without a file; returns whether it was
    /// refused, and how.
    ///
    /// # Errors
    ///
    /// [`Error::NoWorker`] if it cannot be started.
    #[cfg(unix)]
    pub fn try_out(&self, trial: Trial) -> Result<(bool, String)> {
        let all = Worker {
            demand: Demand::WhatThereIs,
            ..self.clone()
        };
        worker::try_out(&all, trial)
    }
}

#[cfg(not(unix))]
fn no_processes(worker: &Worker) -> Error {
    let reason = "this system has no Unix processes; choose decoding in this process".to_owned();
    Error::NoWorker {
        program: worker.program.clone(),
        reason,
    }
}

/// What a decoding process gave up; each step is checked separately.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Protections {
    /// The version of Landlock that blocks the file system; 0 for none.
    pub landlock_version: u8,
    /// All system calls but a few are refused.
    pub seccomp: bool,
    /// It has none of root's capabilities, whoever started it.
    pub no_capabilities: bool,
    /// No program that it starts could gain privileges.
    pub no_new_privileges: bool,
    /// Memory, processor time, files and cores are limited.
    pub limits: bool,
    /// The kernel ends it together with its parent.
    pub dies_with_parent: bool,
}

impl Protections {
    /// The missing protections, for people.
    pub fn lacking(&self) -> Vec<&'static str> {
        [
            (self.landlock_version > 0, "Landlock (no file system)"),
            (self.seccomp, "seccomp (few system calls)"),
            (self.no_capabilities, "no capabilities of root"),
            (self.no_new_privileges, "no new privileges"),
            (self.limits, "resource limits"),
            (self.dies_with_parent, "an end together with its parent"),
        ]
        .into_iter()
        .filter(|(there, _)| !there)
        .map(|(_, name)| name)
        .collect()
    }
}

/// The job of a decoding process.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Job {
    /// The process that must be its parent.
    parent: u32,
    /// It must not read unless it could give up everything.
    insist: bool,
    task: Task,
}

/// Its task.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
enum Task {
    /// Decode the file on its standard input, which has `bytes` bytes.
    Decode {
        stream: Option<u32>,
        interval: Duration,
        sampling: Sampling,
        resolution: Resolution,
        /// Whether to measure the clip meanwhile.
        inspect: bool,
        limits: Limits,
        bytes: u64,
    },
    /// Make colour stills of the file on its standard input, which has `bytes` bytes.
    Stills {
        stream: Option<u32>,
        moments: Moments,
        limits: Limits,
        bytes: u64,
    },
    /// Read the file on its standard input, which has `bytes` bytes and is not a video.
    Read { limits: Limits, bytes: u64 },
    /// Do something forbidden.
    #[cfg(unix)]
    Try(Trial),
}

/// An observer that passes on frames and pictures, and can stop.
struct Stoppable<'a, 'b> {
    visit: &'a mut dyn FnMut(Given) -> ControlFlow<()>,
    stop: &'a dyn Fn() -> bool,
    inspector: Option<&'b mut dyn Inspector>,
}

impl Stoppable<'_, '_> {
    /// Passes on the measurements of a decoded clip.
    fn measured(&mut self, decoded: Result<Decoded>) -> Result<Decoded> {
        if let (Some(inspector), Ok(_)) = (&mut self.inspector, &decoded)
            && (self.visit)(Given::Measured(inspector.finish())).is_break()
        {
            return Err(Error::Cancelled);
        }
        decoded
    }
}

impl Observer for Stoppable<'_, '_> {
    fn opened(&mut self, _: &StreamInfo) {}

    fn frame(&mut self, frame: Frame) -> ControlFlow<()> {
        (self.visit)(Given::Keyframe(frame))
    }

    fn picture(&mut self, picture: Frame) -> ControlFlow<()> {
        (self.visit)(Given::Picture(picture))
    }

    fn progress(&mut self, _: Duration, _: u64) -> ControlFlow<()> {
        if (self.stop)() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    fn inspector(&mut self) -> Option<&mut dyn Inspector> {
        match &mut self.inspector {
            Some(inspector) => Some(&mut **inspector),
            None => None,
        }
    }
}

/// Collects stills, and can stop.
struct Album<'a> {
    stills: Vec<Still>,
    stop: &'a dyn Fn() -> bool,
}

impl Observer for Album<'_> {
    fn opened(&mut self, _: &StreamInfo) {}

    fn frame(&mut self, _: Frame) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn picture(&mut self, _: Frame) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn still(&mut self, still: Still) -> ControlFlow<()> {
        self.stills.push(still);
        ControlFlow::Continue(())
    }

    fn progress(&mut self, _: Duration, _: u64) -> ControlFlow<()> {
        if (self.stop)() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lacking_is_named_once() {
        assert_eq!(Protections::default().lacking().len(), 6);
        let all = Protections {
            landlock_version: 1,
            seccomp: true,
            no_capabilities: true,
            no_new_privileges: true,
            limits: true,
            dies_with_parent: true,
        };
        assert!(all.lacking().is_empty());
        assert_eq!(
            Protections {
                landlock_version: 0,
                ..all
            }
            .lacking(),
            ["Landlock (no file system)"]
        );
    }

    #[test]
    fn a_program_that_is_none_is_named() {
        let Place::Worker(worker) = Decoding::worker("/nonexistent/uniq").place else {
            panic!()
        };
        assert!(
            worker
                .start()
                .unwrap_err()
                .to_string()
                .contains("/nonexistent/uniq")
        );
        let Place::Worker(other) = Decoding::worker("/bin/true").place else {
            panic!()
        };
        assert!(matches!(other.start(), Err(Error::NoWorker { .. })));
    }
}
