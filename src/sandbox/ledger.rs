//! Checks what a decoding process says against its limits and against itself (pure).
//!
//! A decoding process that a file has taken over can still lie about the pictures of that file; nobody can check that.
//! It cannot make its parent keep more, wait longer or count further than the limits say.

use std::time::Duration;

use super::Protections;
use super::message::{Failure, Message, Tried};
use crate::media::{Decoded, Frame, Limits, StreamInfo, UNDECODED_MAX, Undecoded, VideoStream};

/// What the parent does about a message.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// It has given up what it could, and reads from now on.
    Ready(Protections),
    /// Nothing but the knowledge that it goes on.
    Noted,
    Frame(Frame),
    Done(Decoded),
    Failed(Failure),
    Tried(Tried),
    /// Some more of what the file was read to.
    Bytes(Vec<u8>),
    /// All of that has been said.
    Read,
}

/// What a decoding process has said so far.
#[derive(Debug)]
pub(super) struct Ledger {
    limits: Limits,
    interval: Duration,
    ready: bool,
    info: Option<StreamInfo>,
    keyframes: u64,
    last: Duration,
    reached: Duration,
    missing: Vec<Undecoded>,
    streams: Vec<VideoStream>,
    /// The stream that was decoded, and when it begins.
    origin: (u32, i64),
    /// How many bytes may still come of a file that is read, not decoded.
    bytes: Option<u64>,
    ended: bool,
}

impl Ledger {
    /// That of a process that reads a file and may say so many bytes of it.
    pub(super) fn of_reading(limits: &Limits, bytes: u64) -> Ledger {
        Ledger { bytes: Some(bytes), ..Ledger::new(limits, Duration::from_secs(1)) }
    }

    pub(super) fn new(limits: &Limits, interval: Duration) -> Ledger {
        Ledger {
            limits: *limits,
            interval,
            ready: false,
            info: None,
            keyframes: 0,
            last: Duration::ZERO,
            reached: Duration::ZERO,
            missing: Vec::new(),
            streams: Vec::new(),
            origin: (0, 0),
            bytes: None,
            ended: false,
        }
    }

    /// Whether it was ready to read.
    pub(super) fn is_ready(&self) -> bool {
        self.ready
    }

    /// The furthest time in the video that it spoke of.
    pub(super) fn reached(&self) -> Duration {
        self.reached
    }

    /// Takes in a message; an error says how it contradicts the rules.
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
        if !ends && reads != self.bytes.is_some() {
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
            Message::Ready(_) => Ok(Step::Noted),
            Message::Opened(info) => {
                self.info = Some(info);
                Ok(Step::Noted)
            }
            Message::Frame(frame) => self.frame(frame),
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
        self.opened("a frame")?;
        self.within(frame.time, "a frame")?;
        if frame.time < self.last {
            return Err(format!("a frame at {:?} after one at {:?}", frame.time, self.last));
        }
        self.last = frame.time;
        self.keyframes += 1;
        // Of three keyframes in a row the first and the last are more than an interval apart.
        let intervals = frame.time.as_nanos() / self.interval.as_nanos().max(1);
        if u128::from(self.keyframes) > 2 * intervals + KEYFRAMES_SPARE {
            return Err(format!("{} keyframes up to {:?}", self.keyframes, frame.time));
        }
        Ok(Step::Frame(frame))
    }

    fn part(&mut self, part: Undecoded) -> Result<Step, String> {
        self.opened("a missing part")?;
        let after = self.missing.last().map_or(Duration::ZERO, |last| last.end);
        // A part may end a little behind the video's last frame.
        if part.start < after || part.end < part.start || part.end > self.limits.duration.saturating_mul(2) {
            return Err(format!("a missing part from {:?} to {:?} after {after:?}", part.start, part.end));
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
        if frames < self.keyframes || frames == 0 || duration < self.last {
            return Err(format!("an end at {duration:?} after {frames} frames, contrary to what was sent"));
        }
        self.ended = true;
        let info = self.info.take().ok_or("an end without a stream")?;
        let (stream, origin_ns) = self.origin;
        if !self.streams.iter().any(|listed| listed.index == stream && !listed.cover) {
            return Err(format!("stream {stream}, which it did not list"));
        }
        let (undecoded, streams) = (std::mem::take(&mut self.missing), std::mem::take(&mut self.streams));
        Ok(Step::Done(Decoded { info, duration, frames, undecoded, stream, origin_ns, streams }))
    }

    fn opened(&self, what: &str) -> Result<(), String> {
        if self.info.is_some() { Ok(()) } else { Err(format!("{what} before the stream")) }
    }

    fn within(&mut self, time: Duration, what: &str) -> Result<(), String> {
        if time > self.limits.duration {
            return Err(format!("{what} at {time:?}, beyond the longest duration"));
        }
        self.reached = self.reached.max(time);
        Ok(())
    }

    fn counted(&self, frames: u64) -> Result<(), String> {
        if frames > self.limits.frames { Err(format!("{frames} frames")) } else { Ok(()) }
    }
}

/// A file has no more streams than this.
const VIDEO_STREAMS_MAX: usize = 256;
/// The first keyframe, the last one, and rounding.
const KEYFRAMES_SPARE: u128 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn info() -> StreamInfo {
        StreamInfo {
            width: 640,
            height: 360,
            codec: "h264".into(),
            container: "mov".into(),
            pixel_format: "yuv420p".into(),
            declared: None,
        }
    }

    fn stream(index: u32) -> VideoStream {
        VideoStream { index, codec: "h264".into(), width: 640, height: 360, cover: index > 1, place: None }
    }

    fn frame(time: Duration) -> Message {
        Message::Frame(Frame { time, width: 2, height: 2, luma: vec![0; 4] })
    }

    fn part(start: u32, end: u32) -> Message {
        Message::Missing(Undecoded { start: start * SECOND, end: end * SECOND, reason: "corrupt data".into() })
    }

    /// Says that it is ready and what it decodes, and then the messages; the last answer or the first refusal.
    fn said(messages: Vec<Message>) -> Result<Step, String> {
        let limits = Limits { duration: 100 * SECOND, frames: 1000, ..Limits::default() };
        let mut ledger = Ledger::new(&limits, SECOND);
        ledger.take(Message::Ready(Protections::default()))?;
        ledger.take(Message::Opened(info()))?;
        ledger.take(Message::Stream(stream(0)))?;
        let mut last = Ok(Step::Noted);
        for message in messages {
            last = Ok(ledger.take(message)?);
        }
        last
    }

    #[test]
    fn an_honest_account_is_taken() {
        let messages = vec![
            frame(Duration::ZERO),
            Message::Progress(SECOND, 25),
            frame(SECOND),
            part(2, 4),
            part(4, 5),
            Message::Done(5 * SECOND, 50),
        ];
        let Ok(Step::Done(decoded)) = said(messages) else { panic!() };
        assert_eq!((decoded.duration, decoded.frames, decoded.undecoded.len()), (5 * SECOND, 50, 2));
    }

    #[test]
    fn of_a_file_that_is_read_no_more_comes_than_its_length_allows() {
        let read = |messages: Vec<Message>| {
            let mut ledger = Ledger::of_reading(&Limits::default(), 5);
            ledger.take(Message::Ready(Protections::default())).unwrap();
            messages.into_iter().map(|message| ledger.take(message)).collect::<Result<Vec<_>, _>>()
        };
        let part = |length: usize| Message::Bytes(vec![7; length]);
        assert_eq!(read(vec![part(3), part(2), Message::Read]).unwrap().last(), Some(&Step::Read));
        assert!(read(vec![part(3), part(3)]).is_err());
        assert!(read(vec![Message::Read, part(1)]).is_err());
        assert!(read(vec![Message::Opened(info())]).is_err() && read(vec![Message::Done(SECOND, 1)]).is_err());
    }

    #[test]
    fn lies_are_refused() {
        for (why, messages) in [
            ("back in time", vec![frame(SECOND), frame(SECOND / 2)]),
            ("beyond the limit", vec![frame(101 * SECOND)]),
            ("progress beyond the limit", vec![Message::Progress(101 * SECOND, 1)]),
            ("too many frames", vec![Message::Progress(SECOND, 1001)]),
            ("a flood of keyframes", vec![frame(SECOND); 20]),
            ("parts that overlap", vec![part(1, 3), part(2, 4)]),
            ("a part that ends before it starts", vec![part(3, 1)]),
            ("a part beyond the limit", vec![part(1, 300)]),
            ("a flood of parts", vec![part(1, 1); UNDECODED_MAX + 1]),
            ("fewer frames than were sent", vec![frame(Duration::ZERO), frame(SECOND), Message::Done(SECOND, 1)]),
            ("an end before the last frame", vec![frame(5 * SECOND), Message::Done(SECOND, 10)]),
            ("nothing decoded", vec![Message::Done(SECOND, 0)]),
            ("a second end", vec![Message::Done(SECOND, 1), Message::Done(SECOND, 1)]),
            ("a stream that it did not list", vec![Message::Origin(1, 0), Message::Done(SECOND, 1)]),
            ("a cover", vec![Message::Stream(stream(2)), Message::Origin(2, 0), Message::Done(SECOND, 1)]),
            ("a flood of streams", vec![Message::Stream(stream(1)); VIDEO_STREAMS_MAX]),
            ("a second beginning", vec![Message::Ready(Protections::default())]),
            ("bytes in place of frames", vec![Message::Bytes(vec![0])]),
            ("the end of another task", vec![Message::Read]),
        ] {
            assert!(said(messages).is_err(), "{why}");
        }
        let mut early = Ledger::new(&Limits::default(), SECOND);
        assert!(early.take(Message::Opened(info())).is_err());
        early.take(Message::Ready(Protections::default())).unwrap();
        assert!(early.take(frame(SECOND)).is_err() && early.take(part(0, 1)).is_err());
        assert!(early.take(Message::Done(SECOND, 1)).is_err());
    }
}
