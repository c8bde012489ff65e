//! Drives demuxer and decoder over a file and over recordings joined to its end.

use std::ops::ControlFlow;
use std::time::Duration;

use super::clock;
use super::inspect::{self, FullFrame, Inspector, Tags};
use super::joined::{self, Joins};
use super::limits::{Limit, Limits};
use super::open::{self, Opened};
use super::output::Output;
use super::packets::{Next, Reader};
use super::run::{Plan, Run, Stop};
use super::source::Source;
use super::{Decoded, Frame, Observer, Resolution, Selector, Still, StreamInfo, Undecoded};
use crate::{Error, Result};

/// Decodes a file, and the recordings joined to its end if players show them. Other recordings
/// count as missing parts.
pub(super) fn decode(
    source: &Source,
    stream: Option<u32>,
    limits: &Limits,
    selector: &mut dyn Selector,
    observer: &mut dyn Observer,
) -> Result<Decoded> {
    if let Some(inspector) = observer.inspector() {
        inspector.file(source);
    }
    let Joins { starts, mut unread } =
        joined::of_container(source, &mut || observer.progress(Duration::ZERO, 0));
    let end = unread.first().copied().unwrap_or(source.bytes());
    let ends = starts.iter().skip(1).copied().chain([end]);
    let mut parts = starts
        .iter()
        .copied()
        .zip(ends)
        .map(|(start, end)| source.part(start..end));
    let Some(first) = parts.next() else {
        return Err(Error::Cancelled);
    };
    let (mut decoded, reached) = decode_part(&first, stream, limits, selector, observer)?;
    if starts.len() == 1 && unread.is_empty() {
        unread = joined::behind(source, reached, &mut || {
            observer.progress(decoded.duration, decoded.frames)
        });
    }
    // In a group of consecutive streams, only the last one continues in the next part.
    let goes_on = decoded
        .pictures()
        .iter()
        .any(|group| group.last() == Some(&decoded.stream));
    for (part, start) in parts.zip(starts.iter().skip(1)).filter(|_| goes_on) {
        decoded = go_on(decoded, &part, *start, limits, selector, observer)?;
    }
    let (read, before) = (decoded.duration, unread.first().copied().unwrap_or(1));
    for (at, start) in unread.iter().copied().enumerate().filter(|_| goes_on) {
        let part = source.part(start..unread.get(at + 1).copied().unwrap_or(source.bytes()));
        let length = length_of(&part, limits, &mut || {
            observer.progress(decoded.duration, decoded.frames)
        })
        .unwrap_or_else(|| proportional(read, part.bytes(), before));
        decoded = lose(decoded, length, UNREACHED);
    }
    if decoded.duration > limits.duration {
        let found = format!("{:.1} s", decoded.duration.as_secs_f64());
        return Err(Limit::Duration.exceeded(source.path(), limits, found));
    }
    Ok(decoded)
}

/// Decodes the part of a file that comes after what was `decoded`.
fn go_on(
    decoded: Decoded,
    part: &Source,
    start: u64,
    limits: &Limits,
    selector: &mut dyn Selector,
    observer: &mut dyn Observer,
) -> Result<Decoded> {
    let offset = decoded.duration;
    let (mut selector, mut observer) = (
        Later {
            inner: selector,
            offset,
        },
        LaterObserver {
            inner: observer,
            offset,
        },
    );
    let mut tried = Err(Error::Cancelled);
    for stream in [Some(decoded.stream), None] {
        tried = decode_part(part, stream, limits, &mut selector, &mut observer);
        match &tried {
            Err(Error::Undecodable { .. } | Error::NoVideo { .. }) => {}
            _ => break,
        }
    }
    let (next, _) = match tried {
        Ok(next) => next,
        Err(Error::NotMedia { .. } | Error::Undecodable { .. } | Error::NoVideo { .. }) => {
            return Ok(lose(
                decoded,
                proportional(offset, part.bytes(), start),
                UNREADABLE,
            ));
        }
        Err(Error::NoDecoder { codec, .. } | Error::NotAccepted { codec, .. }) => {
            let reason = format!("the picture continues in codec {codec}, which cannot be decoded");
            return Ok(lose(
                decoded,
                proportional(offset, part.bytes(), start),
                &reason,
            ));
        }
        Err(error) => return Err(error),
    };
    let known = |index: u32| decoded.streams.iter().any(|stream| stream.index == index);
    let is_new = |index: u32| index != next.stream && !known(index);
    let stranger = next
        .streams
        .iter()
        .find(|stream| !stream.cover && is_new(stream.index));
    let reason = stranger.map(|stream| {
        format!(
            "video stream {} begins late and was not checked",
            stream.index
        )
    });
    let mut whole = decoded.followed_by(next);
    if let Some(reason) = reason {
        whole.undecoded.retain(|part| part.end <= offset);
        whole.undecoded.push(Undecoded {
            start: offset,
            end: whole.duration,
            reason,
        });
    }
    Ok(whole)
}

/// Computes a recording's length from the time stamps of its packets.
fn length_of(part: &Source, limits: &Limits, tick: joined::Tick<'_>) -> Option<Duration> {
    let opened = open::open(part, None, limits).ok()?;
    let mut reader = Reader::new(&opened);
    let Opened {
        mut input, stream, ..
    } = opened;
    while reader.next(&mut input, &stream).is_some() {
        if tick().is_break() {
            return None;
        }
    }
    let length = reader.end?.saturating_sub(reader.first?);
    (length > 0).then(|| clock::duration(length))
}

/// Estimates how long `bytes` last if the `before` bytes before them last for `duration`.
fn proportional(duration: Duration, bytes: u64, before: u64) -> Duration {
    let nanos = duration.as_nanos().saturating_mul(u128::from(bytes)) / u128::from(before.max(1));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// Adds a missing part of this length at the end.
fn lose(mut decoded: Decoded, length: Duration, reason: &str) -> Decoded {
    let start = decoded.duration;
    let longest = clock::duration(clock::LONGEST).saturating_sub(start);
    decoded.duration = start.saturating_add(length.clamp(Duration::from_millis(1), longest));
    decoded.undecoded.push(Undecoded {
        start,
        end: decoded.duration,
        reason: reason.to_owned(),
    });
    decoded
}

/// Chooses frames of a part that begins later in the video.
struct Later<'a> {
    inner: &'a mut dyn Selector,
    offset: Duration,
}

impl Selector for Later<'_> {
    fn max_gap(&self) -> Option<Duration> {
        self.inner.max_gap()
    }

    fn wants(&mut self, time: Duration, next: Option<Duration>) -> bool {
        let later = |time: Duration| time.saturating_add(self.offset);
        let (time, next) = (later(time), next.map(later));
        self.inner.wants(time, next)
    }

    fn resolution(&self) -> Resolution {
        self.inner.resolution()
    }

    fn wants_picture(&mut self, time: Duration) -> Option<usize> {
        self.inner.wants_picture(time.saturating_add(self.offset))
    }

    fn wants_still(&mut self, time: Duration, next: Option<Duration>) -> Option<usize> {
        let later = |time: Duration| time.saturating_add(self.offset);
        self.inner.wants_still(later(time), next.map(later))
    }
}

/// Passes on what it observes, with times from the start of the whole video.
struct LaterObserver<'a> {
    inner: &'a mut dyn Observer,
    offset: Duration,
}

impl Observer for LaterObserver<'_> {
    // The video was already reported as opened with its first part.
    fn opened(&mut self, _: &StreamInfo) {}

    fn frame(&mut self, frame: Frame) -> ControlFlow<()> {
        self.inner.frame(Frame {
            time: frame.time.saturating_add(self.offset),
            ..frame
        })
    }

    fn picture(&mut self, picture: Frame) -> ControlFlow<()> {
        self.inner.picture(Frame {
            time: picture.time.saturating_add(self.offset),
            ..picture
        })
    }

    fn still(&mut self, still: Still) -> ControlFlow<()> {
        let later = |time: Duration| time.saturating_add(self.offset);
        self.inner.still(Still {
            time: later(still.time),
            until: later(still.until),
            ..still
        })
    }

    fn progress(&mut self, reached: Duration, frames: u64) -> ControlFlow<()> {
        self.inner
            .progress(reached.saturating_add(self.offset), frames)
    }

    fn inspector(&mut self) -> Option<&mut dyn Inspector> {
        self.inner.inspector()?;
        Some(self)
    }
}

impl Inspector for LaterObserver<'_> {
    fn file(&mut self, _: &Source) {}

    fn tags(&mut self, tags: &Tags) {
        if let Some(inspector) = self.inner.inspector() {
            inspector.tags(tags);
        }
    }

    fn frame(&mut self, frame: &FullFrame<'_>) {
        if let Some(inspector) = self.inner.inspector() {
            inspector.frame(&FullFrame {
                time: frame.time.saturating_add(self.offset),
                ..*frame
            });
        }
    }

    fn finish(&mut self) -> Vec<u8> {
        Vec::new()
    }
}

/// Decodes one recording; also returns how far into the file its packets reach.
fn decode_part(
    source: &Source,
    stream: Option<u32>,
    limits: &Limits,
    selector: &mut dyn Selector,
    observer: &mut dyn Observer,
) -> Result<(Decoded, u64)> {
    let mut output = Output::new(source.path(), limits, selector, observer);
    let stop = match attempt(source, stream, &mut output, Plan::Sparse) {
        Err(Stop::NoEntry) => match attempt(source, stream, &mut output, Plan::Sequential) {
            Ok(decoded) => return Ok(decoded),
            Err(stop) => stop,
        },
        Err(stop) => stop,
        Ok(decoded) => return Ok(decoded),
    };
    Err(match stop {
        Stop::Failed(error) => error,
        Stop::Exceeded(limit, found) => limit.exceeded(source.path(), limits, found),
        // A sequential plan has no entries that can fail; this arm only satisfies the types.
        Stop::NoEntry => Error::Undecodable {
            path: source.path().to_owned(),
            reason: "decoding lost its place".to_owned(),
        },
    })
}

/// Decodes the file once from its start. Frames that `output` has already seen are not offered
/// again.
fn attempt(
    source: &Source,
    stream: Option<u32>,
    output: &mut Output,
    plan: Plan,
) -> Result<(Decoded, u64), Stop> {
    let path = source.path();
    let opened = open::open(source, stream, output.limits)?;
    let mut reader = Reader::new(&opened);
    let Opened {
        mut input,
        decoder,
        stream,
        info,
        read_error,
    } = opened;
    output.observer.opened(&info);
    if let Some(inspector) = output.observer.inspector() {
        inspector.tags(&inspect::tags(&input, &stream));
    }
    let mut run = Run::new(decoder, stream, output, plan);
    while let Some(next) = reader.next(&mut input, &run.stream) {
        run.tick()?;
        let Next::Picture(stamped) = next else {
            continue;
        };
        run.first_packet = reader.first;
        run.holes.extend(reader.hole.take());
        if std::mem::take(&mut reader.amiss) {
            run.amiss(stamped.time);
        }
        run.packet(stamped)?;
    }
    run.finish()?;
    run.starve()?;
    if let Some(source) = read_error.take() {
        if run.frames == 0 {
            return Err(Error::io(path, "read")(source).into());
        }
        reader.failure.get_or_insert(source.to_string());
    }
    if run.frames == 0 {
        let reason = match run.last_error.or(reader.failure) {
            _ if info.width == 0 || info.height == 0 => {
                format!(
                    "decoding {}: its frames have no size, or one too large to address",
                    info.codec
                )
            }
            Some(reason) => format!("decoding {}: {reason}", info.codec),
            None => "the stream holds no picture".to_owned(),
        };
        return Err(Stop::Failed(Error::Undecodable {
            path: path.to_owned(),
            reason,
        }));
    }
    let limits = *run.output.limits;
    let streams = open::video_streams(&input, &reader.places);
    let decoded = Decoded {
        streams,
        ..run.account(&reader, info)
    };
    if decoded.duration > limits.duration {
        let found = format!("{:.1} s", decoded.duration.as_secs_f64());
        return Err(Stop::Exceeded(Limit::Duration, found));
    }
    Ok((decoded, reader.reached()))
}

/// The reason for what comes after the recording that players show.
const UNREACHED: &str =
    "another recording is appended here, and players do not reach it; give it as a separate file";
/// The reason for a joined recording that cannot be opened.
const UNREADABLE: &str = "another recording is appended here and cannot be decoded";
