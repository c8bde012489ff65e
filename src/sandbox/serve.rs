//! The decoding process: gives up everything, then decodes one file and reports to its parent.

use std::fs::File;
use std::io::Write as _;
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use super::confine::{self, Allowance, Steps};
use super::message::{BYTES_MAX, Failure, Message};
use super::trial::{self, Trial};
use super::{Job, Reader, Task};
use crate::media::{self, Frame, Inspector, Limit, Limits, Observer, Source, Still, StreamInfo};
use crate::sample::Grid;
use crate::{Error, Result};

/// Runs as a decoding process: what a worker program does if its first argument is
/// [`super::SUBCOMMAND`]. `reader` reads files that are not videos, and `inspector` measures clips.
///
/// `job` is the second argument; `input` and `output` are the standard input and output. The
/// process gives up all its rights for good: call this before anything else, and end the process
/// when it returns. An error means that the caller was not our parent, or that a protection that it
/// requires is missing; nothing was read then.
///
/// # Errors
///
/// [`Error::NoWorker`] and [`Error::Unprotected`].
pub(crate) fn serve(
    job: &str,
    input: OwnedFd,
    output: OwnedFd,
    reader: Reader<'_>,
    inspector: &mut dyn Inspector,
) -> Result<()> {
    let refuse = |reason: String| Error::NoWorker {
        program: "uniq".into(),
        reason,
    };
    let job: Job = serde_json::from_str(job)
        .map_err(|error| refuse(format!("it was started without a valid job: {error}")))?;
    let (limits, steps) = match &job.task {
        Task::Decode { limits, .. } | Task::Stills { limits, .. } | Task::Read { limits, .. } => {
            (*limits, Steps::All)
        }
        Task::Try(trial) => (
            Limits {
                memory: trial::MEMORY,
                ..Limits::default()
            },
            trial.steps(),
        ),
    };
    let allowance = Allowance {
        memory: limits.memory,
        time: limits.time_ceiling,
    };
    let protections =
        confine::confine(&input, &output, job.parent, allowance, steps).map_err(refuse)?;
    let mut sender = Sender {
        output: File::from(output),
        broken: false,
        told: Instant::now(),
        inspector: None,
    };
    sender.send(&Message::Ready(protections));
    if job.insist && steps == Steps::All && !protections.lacking().is_empty() {
        return Err(Error::Unprotected {
            lacking: protections.lacking().join(", "),
        });
    }
    match job.task {
        Task::Decode {
            stream,
            interval,
            sampling,
            resolution,
            inspect,
            limits,
            bytes,
        } => {
            sender.inspector = inspect.then_some(inspector);
            let grid = Grid::new(interval, sampling).map(|grid| grid.at(resolution));
            decode(
                &mut sender,
                &Source::handed_over(File::from(input), bytes),
                stream,
                grid,
                &limits,
            );
        }
        Task::Stills {
            stream,
            moments,
            limits,
            bytes,
        } => {
            let source = Source::handed_over(File::from(input), bytes);
            let made = moments
                .checked()
                .and_then(|moments| media::stills(&source, stream, &moments, &limits, &mut sender));
            sender.send(&match made {
                Ok(()) => Message::Shown,
                Err(error) => Message::Failed(failure(&error)),
            });
        }
        Task::Read { limits, bytes } => {
            match reader(&Source::handed_over(File::from(input), bytes), &limits) {
                Ok(read) => {
                    read.chunks(BYTES_MAX)
                        .for_each(|part| sender.send(&Message::Bytes(part.to_vec())));
                    sender.send(&Message::Read);
                }
                Err(error) => sender.send(&Message::Failed(failure(&error))),
            };
        }
        Task::Try(Trial::Start) => {}
        Task::Try(trial) => {
            let tried = trial.run();
            sender.send(&Message::Tried(tried));
        }
    }
    Ok(())
}

fn decode(
    sender: &mut Sender<'_>,
    source: &Source,
    stream: Option<u32>,
    grid: Result<Grid>,
    limits: &Limits,
) {
    let decoded =
        grid.and_then(|mut grid| media::decode_source(source, stream, limits, &mut grid, sender));
    match decoded {
        Ok(decoded) => {
            for part in decoded.undecoded {
                sender.send(&Message::Missing(part));
            }
            for stream in decoded.streams {
                sender.send(&Message::Stream(stream));
            }
            if let Some(inspector) = &mut sender.inspector {
                let measured = inspector.finish();
                sender.send(&Message::Measured(measured));
            }
            sender.send(&Message::Origin(decoded.stream, decoded.origin_ns));
            sender.send(&Message::Done(decoded.duration, decoded.frames));
        }
        Err(error) => {
            sender.send(&Message::Failed(failure(&error)));
        }
    }
}

/// Writes messages until nobody reads them.
struct Sender<'a> {
    output: File,
    broken: bool,
    told: Instant,
    inspector: Option<&'a mut dyn Inspector>,
}

impl Sender<'_> {
    fn send(&mut self, message: &Message) {
        self.broken |= self.output.write_all(&message.to_bytes()).is_err();
        self.told = Instant::now();
    }

    fn going_on(&self) -> ControlFlow<()> {
        if self.broken {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

impl Observer for Sender<'_> {
    fn opened(&mut self, info: &StreamInfo) {
        self.send(&Message::Opened(info.clone()));
    }

    fn frame(&mut self, frame: Frame) -> ControlFlow<()> {
        self.send(&Message::Frame(frame));
        self.going_on()
    }

    fn picture(&mut self, picture: Frame) -> ControlFlow<()> {
        self.send(&Message::Picture(picture));
        self.going_on()
    }

    fn still(&mut self, still: Still) -> ControlFlow<()> {
        self.send(&Message::Still(still));
        self.going_on()
    }

    fn progress(&mut self, reached: Duration, frames: u64) -> ControlFlow<()> {
        if self.told.elapsed() >= TELL_EVERY {
            self.send(&Message::Progress(reached, frames));
        }
        self.going_on()
    }

    fn inspector(&mut self) -> Option<&mut dyn Inspector> {
        match &mut self.inspector {
            Some(inspector) => Some(&mut **inspector),
            None => None,
        }
    }
}

/// An error without the file's path, which this process does not know.
fn failure(error: &Error) -> Failure {
    let (kind, number, text) = match error {
        Error::NotMedia { reason, .. } => (NOT_MEDIA, 0, reason.clone()),
        Error::NoVideo { found, .. } => (NO_VIDEO, 0, found.clone()),
        Error::NoDecoder { codec, .. } => (NO_DECODER, 0, codec.clone()),
        Error::NotAccepted { codec, .. } => (NOT_ACCEPTED, 0, codec.clone()),
        Error::Undecodable { reason, .. } => (UNDECODABLE, 0, reason.clone()),
        Error::InvalidFingerprint { reason, .. } => (INVALID, 0, reason.clone()),
        Error::Io { source, .. } => (
            IO,
            source.raw_os_error().unwrap_or(0).unsigned_abs(),
            String::new(),
        ),
        Error::LimitExceeded { limit, found, .. } => {
            let number = Limit::ALL
                .iter()
                .position(|known| known.name() == *limit)
                .unwrap_or(0);
            (LIMIT, number as u32, found.clone())
        }
        other => (UNDECODABLE, 0, other.to_string()),
    };
    Failure {
        kind,
        number,
        text: super::message::clean(&text),
    }
}

/// The error about the file at `path` that a failure stands for; `None` if there is no such
/// failure.
pub(super) fn error_of(failure: Failure, path: &Path, limits: &Limits) -> Option<Error> {
    let Failure { kind, number, text } = failure;
    let path = path.to_owned();
    Some(match kind {
        NOT_MEDIA => Error::NotMedia { path, reason: text },
        NO_VIDEO => Error::NoVideo { path, found: text },
        NO_DECODER => Error::NoDecoder { path, codec: text },
        NOT_ACCEPTED => Error::NotAccepted { path, codec: text },
        UNDECODABLE => Error::Undecodable { path, reason: text },
        INVALID => Error::InvalidFingerprint { path, reason: text },
        IO => {
            let number = i32::try_from(number)
                .ok()
                .filter(|number| (1..4096).contains(number))?;
            Error::Io {
                path,
                doing: "read",
                source: std::io::Error::from_raw_os_error(number),
            }
        }
        LIMIT => Limit::ALL
            .get(number as usize)?
            .exceeded(&path, limits, text),
        _ => return None,
    })
}

const NOT_MEDIA: u8 = 1;
const NO_VIDEO: u8 = 2;
const NO_DECODER: u8 = 3;
const NOT_ACCEPTED: u8 = 4;
const UNDECODABLE: u8 = 5;
const IO: u8 = 6;
const LIMIT: u8 = 7;
const INVALID: u8 = 8;

/// Time between two progress messages; the parent waits much longer before it gives up.
const TELL_EVERY: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_come_back_as_they_went() {
        let (path, limits) = (Path::new("a.mp4"), Limits::default());
        let owned = || path.to_owned();
        for error in [
            Error::NotMedia {
                path: owned(),
                reason: "a playlist".into(),
            },
            Error::NoVideo {
                path: owned(),
                found: "only audio mp3".into(),
            },
            Error::NoDecoder {
                path: owned(),
                codec: "avs2".into(),
            },
            Error::NotAccepted {
                path: owned(),
                codec: "smc".into(),
            },
            Error::Undecodable {
                path: owned(),
                reason: "decoding h264: no".into(),
            },
            Error::InvalidFingerprint {
                path: owned(),
                reason: "its last key is cut".into(),
            },
            Error::Io {
                path: owned(),
                doing: "read",
                source: std::io::Error::from_raw_os_error(5),
            },
            Limit::FramePixels.exceeded(path, &limits, "9 x 9".into()),
            Limit::Streams.exceeded(path, &limits, "more".into()),
        ] {
            let again = error_of(failure(&error), path, &limits).unwrap();
            assert_eq!(format!("{again:?}"), format!("{error:?}"));
        }
        for (kind, number) in [(0, 0), (9, 0), (IO, 0), (IO, u32::MAX), (LIMIT, 99)] {
            assert!(
                error_of(
                    Failure {
                        kind,
                        number,
                        text: String::new()
                    },
                    path,
                    &limits
                )
                .is_none()
            );
        }
    }
}
