//! Checks the messages of a decoding process against its limits and against each other (pure).
//!
//! A decoding process that a file has taken over can still lie about that file's pictures; nobody
//! can check that. But it cannot make its parent store more, wait longer or count further than the
//! limits allow.

use std::time::Duration;

use super::Protections;
use super::message::{Failure, Message, Tried};
use crate::media::{
    Decoded, Frame, Limits, Still, StreamInfo, UNDECODED_MAX, Undecoded, VideoStream,
};
use crate::sample::CLIP_PICTURE_INTERVAL;

/// What a message means for the parent.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// It gave up what it could, and now starts to read.
    Ready(Protections),
    /// Nothing but progress.
    Noted,
    Frame(Frame),
    Picture(Frame),
    /// The unchecked measurements of a clip.
    Measured(Vec<u8>),
    Done(Decoded),
    Failed(Failure),
    Tried(Tried),
    Still(Still),
    /// All stills were sent.
    Shown,
    /// More of the result of reading a file.
    Bytes(Vec<u8>),
    /// All of that result was sent.
    Read,
}

/// The messages of a decoding process so far.
#[derive(Debug)]
pub(super) struct Ledger {
    limits: Limits,
    interval: Duration,
    ready: bool,
    info: Option<StreamInfo>,
    keyframes: u64,
    /// Number of small pictures so far, and the earliest time of the next one; `None` if none are
    /// wanted.
    pictures: Option<(u64, Duration)>,
    /// Whether measurements of a clip may still come.
    measures: bool,
    /// When the last keyframe or picture is shown.
    last: Duration,
    reached: Duration,
    missing: Vec<Undecoded>,
    streams: Vec<VideoStream>,
    /// The stream that was decoded, and when it begins.
    origin: (u32, i64),
    /// How many bytes may still come of a file that is read, not decoded.
    bytes: Option<u64>,
    /// How many stills may still come of a file from which stills are made.
    stills: Option<usize>,
    ended: bool,
}

impl Ledger {
    /// For a process that reads a file and may return `bytes` bytes of it.
    pub(super) fn of_reading(limits: &Limits, bytes: u64) -> Ledger {
        Ledger {
            bytes: Some(bytes),
            ..Ledger::new(limits, Duration::from_secs(1))
        }
    }

    /// For a process that makes at most `stills` stills.
    pub(super) fn of_stills(limits: &Limits, stills: usize) -> Ledger {
        Ledger {
            stills: Some(stills),
            ..Ledger::new(limits, Duration::from_secs(1))
        }
    }

    /// For a process that decodes a clip and also sends small pictures.
    pub(super) fn of_clip(limits: &Limits, interval: Duration) -> Ledger {
        Ledger {
            pictures: Some((0, Duration::ZERO)),
            ..Ledger::new(limits, interval)
        }
    }

    pub(super) fn new(limits: &Limits, interval: Duration) -> Ledger {
        Ledger {
            limits: *limits,
            interval,
            ready: false,
            info: None,
            keyframes: 0,
            pictures: None,
            measures: false,
            last: Duration::ZERO,
            reached: Duration::ZERO,
            missing: Vec::new(),
            streams: Vec::new(),
            origin: (0, 0),
            bytes: None,
            stills: None,
            ended: false,
        }
    }

    /// Allows one message of measurements.
    pub(super) fn allow_measures(&mut self) {
        self.measures = true;
    }

    /// Whether the process was ready to read.
    pub(super) fn is_ready(&self) -> bool {
        self.ready
    }

    /// The latest time in the video that it reported.
    pub(super) fn reached(&self) -> Duration {
        self.reached
    }

    /// Checks and records a message; an error says which rule it breaks.
    pub(super) fn take(&mut self, message: Message) -> Result<Step, String> {
        if self.ended {
            return Err("a message after the last one".to_owned());
        }
        if let Message::Ready(protections) = message {
            return if std::mem::replace(&mut self.ready, true) {
                Err("a second beginning".to_owned())
            } else {
                Ok(Step::Ready(protections))
            };
        }
        if !self.ready {
            return Err("a message before it was ready".to_owned());
        }
        let reads = matches!(message, Message::Bytes(_) | Message::Read);
        let ends = matches!(message, Message::Failed(_) | Message::Tried(_));
        let shows = matches!(message, Message::Still(_) | Message::Shown);
        let common = matches!(message, Message::Opened(_) | Message::Progress(..));
        let foreign = reads != self.bytes.is_some() || !common && shows != self.stills.is_some();
        if !ends && foreign {
            return Err("a message that belongs to another task".to_owned());
        }
        match message {
            Message::Bytes(part) => {
                let left = self.bytes.unwrap_or(0).checked_sub(part.len() as u64);
                self.bytes = Some(left.ok_or("more bytes than the file can be read to")?);
                Ok(Step::Bytes(part))
            }
            Message::Read => {
                self.ended = true;
                Ok(Step::Read)
            }
            Message::Still(still) => {
                if self.stills.unwrap_or(0) == 0 {
                    return Err("more stills than were asked for".to_owned());
                }
                self.stills = self.stills.map(|left| left - 1);
                self.in_order(still.time, "a still")?;
                Ok(Step::Still(still))
            }
            Message::Shown => {
                self.ended = true;
                Ok(Step::Shown)
            }
            Message::Ready(_) => Ok(Step::Noted),
            Message::Opened(info) => {
                self.info = Some(info);
                Ok(Step::Noted)
            }
            Message::Frame(frame) => self.frame(frame),
            Message::Picture(picture) => self.picture(picture),
            Message::Measured(measured) => {
                self.opened("measurements")?;
                if !std::mem::take(&mut self.measures) {
                    return Err("measurements that nobody asked for".to_owned());
                }
                Ok(Step::Measured(measured))
            }
            Message::Progress(reached, frames) => {
                self.within(reached, "a place")?;
                self.counted(frames)?;
                Ok(Step::Noted)
            }
            Message::Missing(part) => self.part(part),
            Message::Stream(stream) => {
                if self.streams.len() >= VIDEO_STREAMS_MAX {
                    return Err(format!("more than {VIDEO_STREAMS_MAX} video streams"));
                }
                self.streams.push(stream);
                Ok(Step::Noted)
            }
            Message::Origin(stream, origin_ns) => {
                self.origin = (stream, origin_ns);
                Ok(Step::Noted)
            }
            Message::Done(duration, frames) => self.done(duration, frames),
            Message::Failed(failure) => {
                self.ended = true;
                Ok(Step::Failed(failure))
            }
            Message::Tried(tried) => {
                self.ended = true;
                Ok(Step::Tried(tried))
            }
        }
    }

    fn frame(&mut self, frame: Frame) -> Result<Step, String> {
        self.in_order(frame.time, "a frame")?;
        self.keyframes += 1;
        // Of three successive keyframes, the first and the last are more than an interval apart.
        let intervals = frame.time.as_nanos() / self.interval.as_nanos().max(1);
        if u128::from(self.keyframes) > 2 * intervals + KEYFRAMES_SPARE {
            return Err(format!(
                "{} keyframes up to {:?}",
                self.keyframes, frame.time
            ));
        }
        Ok(Step::Frame(frame))
    }

    fn picture(&mut self, picture: Frame) -> Result<Step, String> {
        let (count, next) = self
            .pictures
            .ok_or("a small picture that nobody asked for")?;
        self.in_order(picture.time, "a small picture")?;
        if picture.time < next {
            return Err(format!(
                "a small picture at {:?}, before {next:?}",
                picture.time
            ));
        }
        self.pictures = Some((
            count + 1,
            picture.time.saturating_add(CLIP_PICTURE_INTERVAL),
        ));
        Ok(Step::Picture(picture))
    }

    fn part(&mut self, part: Undecoded) -> Result<Step, String> {
        self.opened("a missing part")?;
        let after = self.missing.last().map_or(Duration::ZERO, |last| last.end);
        // A part may end slightly after the video's last frame.
        if part.start < after
            || part.end < part.start
            || part.end > self.limits.duration.saturating_mul(2)
        {
            return Err(format!(
                "a missing part from {:?} to {:?} after {after:?}",
                part.start, part.end
            ));
        }
        if self.missing.len() >= UNDECODED_MAX {
            return Err(format!("more than {UNDECODED_MAX} missing parts"));
        }
        self.missing.push(part);
        Ok(Step::Noted)
    }

    fn done(&mut self, duration: Duration, frames: u64) -> Result<Step, String> {
        self.opened("an end")?;
        self.within(duration, "an end")?;
        self.counted(frames)?;
        let pictures = self.pictures.map_or(0, |(count, _)| count);
        if frames < self.keyframes.max(pictures) || frames == 0 || duration < self.last {
            return Err(format!(
                "an end at {duration:?} after {frames} frames, contrary to what was sent"
            ));
        }
        self.ended = true;
        let info = self.info.take().ok_or("an end without a stream")?;
        let (stream, origin_ns) = self.origin;
        if !self
            .streams
            .iter()
            .any(|listed| listed.index == stream && !listed.cover)
        {
            return Err(format!("stream {stream}, which it did not list"));
        }
        let (undecoded, streams) = (
            std::mem::take(&mut self.missing),
            std::mem::take(&mut self.streams),
        );
        Ok(Step::Done(Decoded {
            info,
            duration,
            frames,
            undecoded,
            stream,
            origin_ns,
            streams,
        }))
    }

    fn opened(&self, what: &str) -> Result<(), String> {
        if self.info.is_some() {
            Ok(())
        } else {
            Err(format!("{what} before the stream"))
        }
    }

    /// Checks that this time is not before the last one.
    fn in_order(&mut self, time: Duration, what: &str) -> Result<(), String> {
        self.opened(what)?;
        self.within(time, what)?;
        if time < self.last {
            return Err(format!("{what} at {time:?} after one at {:?}", self.last));
        }
        self.last = time;
        Ok(())
    }

    fn within(&mut self, time: Duration, what: &str) -> Result<(), String> {
        if time > self.limits.duration {
            return Err(format!("{what} at {time:?}, beyond the longest duration"));
        }
        self.reached = self.reached.max(time);
        Ok(())
    }

    fn counted(&self, frames: u64) -> Result<(), String> {
        if frames > self.limits.frames {
            Err(format!("{frames} frames"))
        } else {
            Ok(())
        }
    }
}

/// Maximum number of video streams in a file.
const VIDEO_STREAMS_MAX: usize = 256;
/// Keyframes allowed beyond the limit: the first, the last, and rounding.
const KEYFRAMES_SPARE: u128 = 4;

#[cfg(test)]
mod tests;
