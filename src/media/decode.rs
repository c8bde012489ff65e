//! Drives demuxer and decoder: reads packets, follows the plan, and hands out the frames that are wanted.

use std::ops::ControlFlow;
use std::path::Path;

use ffmpeg_next as ffmpeg;
use ffmpeg_next::ffi;

use ffmpeg::codec::{Id, discard::Discard, packet::Packet};
use ffmpeg::util::frame::{self, Video};

use super::clock;
use super::damage::Damage;
use super::geometry::Orientation;
use super::gops::{Action, Planner, Stamped, limit};
use super::luma::LumaScaler;
use super::open::{self, Opened, Stream};
use super::packets::{Reader, key_flags_are_sound};
use super::{Decoded, Frame, Selector, StreamInfo};
use crate::{Error, Result};

pub(super) fn decode(
    path: &Path,
    selector: &mut dyn Selector,
    visit: &mut dyn FnMut(Frame) -> ControlFlow<()>,
) -> Result<Decoded> {
    let opened = open::open(path)?;
    let mut reader = Reader::new(&opened);
    let Opened { mut input, decoder, stream, info, read_error } = opened;
    let mut run = Run::new(decoder, stream, selector, visit);
    while let Some(stamped) = reader.next(&mut input, &run.stream) {
        run.first_packet = reader.first;
        run.packet(stamped)?;
    }
    run.finish()?;
    if let Some(source) = read_error.take() {
        if run.frames == 0 {
            return Err(Error::io(path, "read")(source));
        }
        reader.failure.get_or_insert(source.to_string());
    }
    if run.frames == 0 {
        let reason = match run.last_error.or(reader.failure) {
            Some(reason) => format!("decoding {}: {reason}", info.codec),
            None => "the stream holds no picture".to_owned(),
        };
        return Err(Error::Undecodable { path: path.to_owned(), reason });
    }
    Ok(run.account(&reader, info))
}

/// A frame that waits for its successor's time.
struct Held {
    picture: Video,
    /// On the stream's own clock and from the first frame, in nanoseconds.
    stamp: i64,
    time: i64,
    length: i64,
}

/// The state of decoding one stream.
struct Run<'a> {
    decoder: ffmpeg::decoder::Video,
    stream: Stream,
    selector: &'a mut dyn Selector,
    visit: &'a mut dyn FnMut(Frame) -> ControlFlow<()>,
    planner: Planner<Packet>,
    scaler: LumaScaler,
    held: Option<Held>,
    damage: Damage,
    /// The time stamp of time zero.
    origin: Option<i64>,
    /// The first packet's time stamp and the latest one's.
    first_packet: Option<i64>,
    last_packet: Option<i64>,
    /// Pictures before this time stamp are dropped: what they refer to was not decoded.
    start_at: i64,
    /// When the last wanted frame is shown.
    wanted: Option<i64>,
    /// The end of the last frame, as a guess for frames without a time stamp.
    expected: Option<i64>,
    skip: SkipUnreferenced,
    frames: u64,
    last_error: Option<String>,
}

impl<'a> Run<'a> {
    fn new(
        decoder: ffmpeg::decoder::Video,
        stream: Stream,
        selector: &'a mut dyn Selector,
        visit: &'a mut dyn FnMut(Frame) -> ControlFlow<()>,
    ) -> Run<'a> {
        let gap = selector.max_gap().filter(|_| key_flags_are_sound(stream.codec));
        Run {
            decoder,
            stream,
            selector,
            visit,
            planner: Planner::new(gap),
            scaler: LumaScaler::default(),
            held: None,
            damage: Damage::default(),
            origin: None,
            first_packet: None,
            last_packet: None,
            start_at: i64::MIN,
            wanted: None,
            expected: None,
            skip: SkipUnreferenced::new(gap.map(limit)),
            frames: 0,
            last_error: None,
        }
    }

    fn packet(&mut self, stamped: Stamped<Packet>) -> Result<()> {
        self.last_packet = self.last_packet.max(stamped.time);
        let actions = self.planner.push(stamped, self.wanted);
        self.follow(actions)
    }

    fn follow(&mut self, actions: Vec<Action<Packet>>) -> Result<()> {
        for action in actions {
            match action {
                Action::Drain => self.drain()?,
                Action::StartAt(time) => self.start_at = time,
                Action::Send(stamped) => self.send(&stamped)?,
                Action::Isolate { key, rest } => self.isolate(key, rest)?,
            }
        }
        Ok(())
    }

    /// Decodes one packet in sequence.
    fn send(&mut self, stamped: &Stamped<Packet>) -> Result<()> {
        if let Some(skip) = self.skip.setting(stamped.time) {
            self.decoder.skip_frame(skip);
        }
        if let Err(error) = self.decoder.send_packet(&stamped.packet) {
            self.failed(error, stamped.time);
        }
        self.receive(stamped.time)
    }

    /// Takes every finished frame; `fed` is the time stamp of the last packet sent.
    fn receive(&mut self, fed: Option<i64>) -> Result<()> {
        let mut refusals = 0;
        loop {
            let mut picture = Video::empty();
            match self.decoder.receive_frame(&mut picture) {
                Ok(()) => self.frame(picture)?,
                Err(ffmpeg::Error::Eof) => return Ok(()),
                Err(ffmpeg::Error::Other { errno }) if errno == ffi::EAGAIN => return Ok(()),
                Err(error) => {
                    self.failed(error, fed);
                    refusals += 1;
                    if refusals > RECEIVE_REFUSALS_MAX {
                        return Ok(());
                    }
                }
            }
        }
    }

    fn failed(&mut self, error: ffmpeg::Error, time: Option<i64>) {
        // Leading pictures of a group whose predecessor was left out cannot be decoded, and need not be.
        if time.is_none_or(|time| time >= self.start_at) {
            self.damage.trouble();
        }
        self.last_error = Some(error.to_string());
    }

    /// Takes the delayed frames out and makes the decoder ready for a new start.
    fn drain(&mut self) -> Result<()> {
        if let Err(error) = self.decoder.send_eof() {
            self.failed(error, None);
        }
        self.receive(None)?;
        self.decoder.flush();
        Ok(())
    }

    /// Decodes `key` alone, or everything from here on if that does not give its one whole picture.
    fn isolate(&mut self, key: Stamped<Packet>, rest: Vec<Stamped<Packet>>) -> Result<()> {
        self.decoder.skip_frame(Discard::Default);
        let alone = self.decode_alone(&key);
        self.decoder.flush();
        self.start_at = key.time.unwrap_or(i64::MIN);
        if let Some(picture) = alone {
            return self.frame(picture);
        }
        self.planner.give_up();
        self.send(&key)?;
        for stamped in &rest {
            self.send(stamped)?;
        }
        Ok(())
    }

    fn decode_alone(&mut self, key: &Stamped<Packet>) -> Option<Video> {
        self.decoder.send_packet(&key.packet).ok()?;
        let mut found = None;
        for round in 0..2 {
            if round == 1 {
                self.decoder.send_eof().ok()?;
            }
            loop {
                let mut picture = Video::empty();
                match self.decoder.receive_frame(&mut picture) {
                    Ok(()) => {
                        found.get_or_insert(picture);
                    }
                    Err(ffmpeg::Error::Eof) => break,
                    Err(ffmpeg::Error::Other { errno }) if errno == ffi::EAGAIN => break,
                    Err(_) => return None,
                }
            }
        }
        let picture = found.filter(|picture| !is_damaged(picture))?;
        let stamp = picture.timestamp().map(|time| self.stream.ticks.nanos(time));
        // A field may travel in a packet of its own; the key packet alone would then be half a picture.
        let half = self.stream.codec == Id::H264 && picture.is_interlaced();
        (stamp == key.time && !half).then_some(picture)
    }

    /// Takes a frame from the decoder, in order of presentation.
    fn frame(&mut self, picture: Video) -> Result<()> {
        let ticks = self.stream.ticks;
        let length = match picture.packet().duration {
            length if length > 0 => ticks.nanos(length),
            _ => self.stream.frame_length,
        };
        let stamp =
            picture.timestamp().map(|time| ticks.nanos(time)).or(self.expected).or(self.first_packet).unwrap_or(0);
        self.expected = Some(stamp.saturating_add(length));
        if stamp < self.start_at {
            return Ok(());
        }
        if is_damaged(&picture) {
            self.damage.trouble();
            self.last_error.get_or_insert_with(|| "damaged pictures only".to_owned());
            return Ok(());
        }
        let origin = *self.origin.get_or_insert_with(|| {
            let first = self.first_packet.unwrap_or(stamp).min(stamp);
            let slack = START_SLACK.max(2 * length);
            // What was lost at the start has its place on the clock; a picture or two of start-up has not.
            if self.damage.is_open() || stamp - first > slack {
                self.damage.trouble();
                first
            } else {
                stamp
            }
        });
        let time = (stamp - origin).max(self.held.as_ref().map_or(0, |held| held.time));
        self.frames += 1;
        self.damage.good(time, length);
        let earlier = self.held.replace(Held { picture, stamp, time, length });
        let Some(held) = earlier else {
            return Ok(());
        };
        self.skip.candidate(stamp.saturating_sub(held.stamp));
        self.offer(held, Some(time))
    }

    /// Asks the selector for a frame, and scales and hands it out if it is wanted.
    fn offer(&mut self, held: Held, next: Option<i64>) -> Result<()> {
        let time = clock::duration(held.time);
        if !self.selector.wants(time, next.map(clock::duration)) {
            return Ok(());
        }
        self.wanted = Some(held.stamp);
        let aspect = match self.stream.sample_aspect {
            (0, _) => open::aspect_pair(held.picture.aspect_ratio().into()),
            aspect => aspect,
        };
        let orientation = held
            .picture
            .side_data(frame::side_data::Type::DisplayMatrix)
            .and_then(|data| open::matrix(data.data()))
            .map_or(self.stream.orientation, |matrix| Orientation::from_matrix(&matrix));
        match self.scaler.scale(&held.picture, aspect, orientation) {
            Ok(frame) => match (self.visit)(Frame { time, ..frame }) {
                ControlFlow::Continue(()) => Ok(()),
                ControlFlow::Break(()) => Err(Error::Cancelled),
            },
            Err(reason) => {
                let end = next.unwrap_or(held.time.saturating_add(held.length));
                self.damage.add(held.time, end, &reason);
                Ok(())
            }
        }
    }

    /// Decodes what is left and offers the last frame.
    fn finish(&mut self) -> Result<()> {
        let actions = self.planner.finish(self.wanted);
        self.follow(actions)?;
        self.drain()?;
        let Some(held) = self.held.take() else {
            return Ok(());
        };
        // After the last candidate there may be frames that were left undecoded.
        let next = self
            .last_packet
            .filter(|&last| self.planner.has_skipped() && last > held.stamp)
            .map(|last| held.time.saturating_add(last - held.stamp));
        self.offer(held, next)
    }

    /// Compares what was decoded with what the container promised.
    fn account(self, reader: &Reader, info: StreamInfo) -> Decoded {
        let origin = self.origin.unwrap_or(0);
        let last_frame = self.damage.last_end();
        let end = reader.end.map_or(0, |end| end.saturating_sub(origin)).max(last_frame);
        let length = self.stream.frame_length;
        let slack = END_SLACK.max(2 * length);
        let others = reader.others_end.unwrap_or(i64::MIN);
        let promised = match (self.stream.declared, self.stream.container_declared) {
            (Some(declared), _) => declared,
            // A file that goes on without its picture is whole.
            (None, Some(declared)) if others < declared.saturating_sub(slack) => declared.saturating_sub(origin.max(0)),
            _ => 0,
        };
        let mut damage = self.damage;
        let mut total = end;
        if let Some(reason) = &reader.failure {
            total = total.max(promised).max(end.saturating_add(length));
            damage.add(end, total, &format!("reading failed: {reason}"));
        } else if promised.saturating_sub(end) > slack {
            total = promised;
            let missing = clock::duration(promised - end).as_secs_f64();
            damage.add(end, promised, &format!("file ends {missing:.1} s early"));
        }
        Decoded { info, duration: clock::duration(total), frames: self.frames, undecoded: damage.finish(end) }
    }
}

/// Whether the decoder itself says that a picture is not what was encoded.
fn is_damaged(picture: &Video) -> bool {
    picture.is_corrupt() || picture.has_decode_errors()
}

/// Leaves pictures undecoded that no other picture refers to, where enough others remain.
struct SkipUnreferenced {
    /// The longest permitted gap in nanoseconds; `None` decodes everything.
    limit: Option<i64>,
    latest: Option<i64>,
    /// The step to the latest picture is longer than the gap, so the pictures between are needed.
    wide: bool,
    /// The stream is not built as assumed, and every picture is needed.
    disproved: bool,
}

impl SkipUnreferenced {
    fn new(limit: Option<i64>) -> SkipUnreferenced {
        SkipUnreferenced { limit, latest: None, wide: false, disproved: false }
    }

    /// The decoder's setting for the next packet; `None` if it is never changed.
    ///
    /// In decoding order a picture that is later than all before it is one that others refer to, with rare exceptions;
    /// those that follow fill the step to it.
    fn setting(&mut self, time: Option<i64>) -> Option<Discard> {
        let limit = self.limit?;
        if let Some(time) = time
            && self.latest.is_none_or(|latest| time > latest)
        {
            self.wide = self.latest.replace(time).is_some_and(|latest| time - latest > limit);
        }
        Some(if self.wide || self.disproved || time.is_none() { Discard::Default } else { Discard::NonReference })
    }

    /// Notes the step between two candidates; one that is too long shows that the assumption fails for this stream.
    fn candidate(&mut self, step: i64) {
        if self.limit.is_some_and(|limit| step > limit) {
            self.disproved = true;
        }
    }
}

/// Errors in a row after which a packet's frames are given up.
const RECEIVE_REFUSALS_MAX: u32 = 16;
/// A stream whose first picture comes this many nanoseconds after its first packet has lost its start.
const START_SLACK: i64 = 1_000_000_000;
/// A file that ends less than this many nanoseconds early is whole: containers round, and count other streams.
const END_SLACK: i64 = 1_000_000_000;
