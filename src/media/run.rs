//! Decodes the packets of one stream: follows the plan, keeps account of damage, and hands out the
//! wanted frames.

use std::collections::{BTreeSet, VecDeque};

use ffmpeg_next as ffmpeg;
use ffmpeg_next::ffi;

use ffmpeg::codec::{Id, discard::Discard, packet::Packet};
use ffmpeg::util::frame::Video;

use super::avi;
use super::clock::{self, earlier};
use super::damage::{CORRUPT, Damage};
use super::gops::{Action, Planner, Stamped, limit};
use super::limits::Limit;
use super::moments::Around;
use super::open::{self, Stream};
use super::output::{Held, Output};
use super::packets::{Hole, Reader, key_flags_are_sound};
use super::skip::SkipUnreferenced;
use super::soundness::{is_damaged, is_intra, is_starving};
use super::{Decoded, StreamInfo};
use crate::{Error, Result};

/// How the packets are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plan {
    /// Key packets alone where they are frequent enough.
    Sparse,
    /// Every packet, because this stream's key packets cannot be decoded alone.
    Sequential,
}

/// Why an attempt ended early.
pub(super) enum Stop {
    /// A key packet alone gave no whole picture; the packets skipped before it are needed after
    /// all.
    NoEntry,
    Failed(Error),
    /// The file exceeds a limit; the text says what it has.
    Exceeded(Limit, String),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Failed(error)
    }
}

/// The state of decoding one stream.
pub(super) struct Run<'a, 'b> {
    decoder: ffmpeg::decoder::Video,
    pub(super) stream: Stream,
    pub(super) output: &'a mut Output<'b>,
    planner: Planner<Packet>,
    /// Replaces the planner if frames are wanted only at certain moments.
    around: Option<Around<Packet>>,
    damage: Damage,
    /// The time stamp of time zero.
    origin: Option<i64>,
    /// The time stamp of the first packet, and the latest one.
    pub(super) first_packet: Option<i64>,
    last_packet: Option<i64>,
    /// Pictures before this time stamp are dropped, because their references were not decoded.
    start_at: i64,
    /// The next picture must be the intra picture with which decoding starts.
    entering: bool,
    /// Frames up to this one were offered in an earlier attempt.
    offered: Option<i64>,
    /// The last frame's time.
    time: i64,
    /// The delay added to times because the clock stood still or ran backwards, and the duration of
    /// the frames since the clock last advanced, in nanoseconds.
    put_off: i64,
    stalled: i64,
    /// The stream begins with pictures that are not shown, and with some without time stamps.
    led: bool,
    unstamped: bool,
    /// The end of the last frame, used as the time of frames without a time stamp.
    expected: Option<i64>,
    skip: SkipUnreferenced,
    /// Presentation times of pictures sent to the decoder and not returned yet.
    awaited: BTreeSet<i64>,
    /// Presentation times of pictures that the decoder refused; it may still return earlier ones.
    refused: BTreeSet<i64>,
    /// Where the reader may have lost packets, ahead of the last frame.
    pub(super) holes: VecDeque<Hole>,
    /// The same behind the last frame, with the start and end of the time without a frame, in
    /// nanoseconds from the first frame.
    suspected: Vec<(i64, i64, Hole)>,
    pub(super) frames: u64,
    packets: u64,
    pub(super) last_error: Option<String>,
    /// The decoder could not allocate memory.
    starved: bool,
}

impl<'a, 'b> Run<'a, 'b> {
    pub(super) fn new(
        decoder: ffmpeg::decoder::Video,
        stream: Stream,
        output: &'a mut Output<'b>,
        plan: Plan,
    ) -> Run<'a, 'b> {
        let gap = output
            .selector
            .max_gap()
            .filter(|_| key_flags_are_sound(stream.codec));
        let skip = SkipUnreferenced::new(gap.map(limit));
        let moments = output
            .selector
            .moments()
            .filter(|_| plan == Plan::Sparse && key_flags_are_sound(stream.codec));
        Run {
            decoder,
            around: moments.map(Around::new),
            planner: Planner::new(gap.filter(|_| plan == Plan::Sparse)),
            damage: Damage::new(stream.frame_length, skip.tolerated()),
            stream,
            origin: None,
            first_packet: None,
            last_packet: None,
            start_at: i64::MIN,
            entering: false,
            offered: output.held.as_ref().map(|held| held.time),
            output,
            time: 0,
            put_off: 0,
            stalled: 0,
            led: false,
            unstamped: false,
            expected: None,
            skip,
            awaited: BTreeSet::new(),
            refused: BTreeSet::new(),
            holes: VecDeque::new(),
            suspected: Vec::new(),
            frames: 0,
            packets: 0,
            last_error: None,
            starved: false,
        }
    }

    /// Reports progress and checks the elapsed time.
    pub(super) fn tick(&mut self) -> Result<(), Stop> {
        let reached = clock::duration(self.time);
        if self
            .output
            .observer
            .progress(reached, self.frames)
            .is_break()
        {
            return Err(Stop::Failed(Error::Cancelled));
        }
        let elapsed = self.output.started.elapsed();
        if elapsed > self.output.limits.time_for(reached) {
            let found = format!(
                "{:.0} s for {:.1} s of video",
                elapsed.as_secs_f64(),
                reached.as_secs_f64()
            );
            return Err(Stop::Exceeded(Limit::Time, found));
        }
        Ok(())
    }

    /// Notes that the reader met a problem before the packet that is shown at `next`.
    pub(super) fn amiss(&mut self, next: Option<i64>) {
        self.damage.doubt(self.time);
        if let (Some(next), Some(origin)) = (next, self.origin) {
            self.damage.doubt(next.saturating_sub(origin));
        }
    }

    pub(super) fn packet(&mut self, stamped: Stamped<Packet>) -> Result<(), Stop> {
        self.packets += 1;
        // A field of an interlaced picture may have its own packet.
        if self.packets / 2 > self.output.limits.frames {
            return Err(Stop::Exceeded(
                Limit::Frames,
                format!("{} packets", self.packets),
            ));
        }
        self.led |= !stamped.shown;
        self.unstamped |= !stamped.shown && stamped.time.is_none();
        if stamped.shown {
            self.last_packet = self.last_packet.max(stamped.time);
        }
        let actions = match &mut self.around {
            Some(around) => around.push(stamped, self.origin),
            None => self.planner.push(stamped, self.output.wanted),
        };
        self.follow(actions)
    }

    fn follow(&mut self, actions: Vec<Action<Packet>>) -> Result<(), Stop> {
        for action in actions {
            match action {
                Action::Drain => self.drain()?,
                Action::StartAt(time) => {
                    self.start_at = time;
                    // At the stream's own start any first picture is accepted.
                    self.entering = self.frames > 0;
                }
                Action::Send(stamped) => self.send(&stamped)?,
                Action::Isolate(key) => self.isolate(&key)?,
            }
        }
        Ok(())
    }

    /// Decodes one packet in sequence.
    fn send(&mut self, stamped: &Stamped<Packet>) -> Result<(), Stop> {
        if let Some(skip) = self.skip.setting(stamped.time) {
            // The first shown picture need not be a reference picture.
            let all = self.led && self.frames == 0;
            self.decoder
                .skip_frame(if all { Discard::Default } else { skip });
        }
        let awaited = stamped.shown && !stamped.hidden;
        if let Some(time) = stamped
            .time
            .filter(|&time| awaited && time >= self.start_at)
        {
            self.awaited.insert(time);
            if self.awaited.len() > AWAITED_MAX {
                self.awaited.pop_first();
            }
        }
        if let Err(error) = self.decoder.send_packet(&stamped.packet) {
            self.failed(error, stamped.time);
        }
        self.receive(stamped.time)?;
        self.starve()
    }

    /// Stops if the decoder could not allocate memory, since its output would differ from the
    /// file's content.
    pub(super) fn starve(&self) -> Result<(), Stop> {
        if !self.starved {
            return Ok(());
        }
        let found = format!(
            "decoding at {:.1} s asks for more",
            clock::duration(self.time).as_secs_f64()
        );
        Err(Stop::Exceeded(Limit::Memory, found))
    }

    /// Takes every finished frame; `fed` is the time stamp of the last packet sent.
    fn receive(&mut self, fed: Option<i64>) -> Result<(), Stop> {
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
        self.starved |= open::is_out_of_memory(error) || is_starving(&self.decoder);
        match time {
            // Leading pictures of a group whose predecessor was skipped cannot be decoded, and are
            // not needed.
            Some(time) if time < self.start_at => {}
            Some(time) if self.refused.len() < AWAITED_MAX => {
                self.refused.insert(time);
            }
            _ => self.damage.trouble(),
        }
        self.last_error = Some(error.to_string());
    }

    /// Takes the delayed frames out and resets the decoder for a new start.
    fn drain(&mut self) -> Result<(), Stop> {
        if let Err(error) = self.decoder.send_eof() {
            self.failed(error, None);
        }
        self.receive(None)?;
        self.decoder.flush();
        Ok(())
    }

    /// Decodes `key` alone.
    fn isolate(&mut self, key: &Stamped<Packet>) -> Result<(), Stop> {
        self.decoder.skip_frame(Discard::Default);
        let alone = self.decode_alone(key);
        self.decoder.flush();
        self.start_at = key.time.unwrap_or(i64::MIN);
        match alone {
            Some(picture) => self.frame(picture),
            None => Err(Stop::NoEntry),
        }
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
        let picture = found.filter(is_intra)?;
        let stamp = picture
            .timestamp()
            .map(|time| self.stream.ticks.nanos(time));
        // A field may have its own packet; the key packet alone would then hold half a picture.
        let half = self.stream.codec == Id::H264 && picture.is_interlaced();
        (stamp == key.time && !half).then_some(picture)
    }

    /// Takes a frame from the decoder, in order of presentation.
    fn frame(&mut self, picture: Video) -> Result<(), Stop> {
        let ticks = self.stream.ticks;
        let length = match picture.packet().duration {
            length if length > 0 => ticks.nanos(length),
            _ => self.stream.frame_length,
        };
        // Decoders guess a time stamp for a picture without one.
        if self.unstamped && self.frames == 0 && picture.pts().is_none() {
            return Ok(());
        }
        let stamp = picture
            .timestamp()
            .map(|time| ticks.nanos(time))
            .or(self.expected)
            .or(self.first_packet)
            .unwrap_or(0);
        self.expected = Some(stamp.saturating_add(length));
        if stamp < self.start_at {
            return Ok(());
        }
        if std::mem::take(&mut self.entering) && !(stamp == self.start_at && is_intra(&picture)) {
            return Err(Stop::NoEntry);
        }
        open::check_pixels(
            self.output.path,
            self.output.limits,
            (picture.width(), picture.height()),
        )?;
        if is_damaged(&picture) {
            self.damage.trouble();
            self.last_error
                .get_or_insert_with(|| "every picture is damaged".to_owned());
            return Ok(());
        }
        let refused = earlier(&mut self.refused, stamp);
        if refused.is_some() {
            self.damage.trouble();
        }
        let origin = *self.origin.get_or_insert_with(|| {
            let first = self.first_packet.unwrap_or(stamp).min(stamp);
            let slack = START_SLACK.max(2 * length);
            // Frames lost at the start keep their time; one or two start-up pictures get none.
            if self.damage.is_open() || stamp - first > slack {
                self.damage.trouble();
                first
            } else {
                stamp
            }
        });
        let time = self.advance(stamp - origin);
        let origin = origin - self.put_off;
        self.frames += 1;
        if self.frames > self.output.limits.frames {
            return Err(Stop::Exceeded(
                Limit::Frames,
                format!("{} frames", self.frames),
            ));
        }
        if clock::duration(time) > self.output.limits.duration {
            return Err(Stop::Exceeded(
                Limit::Duration,
                format!("a frame at {:.1} s", time as f64 / 1e9),
            ));
        }
        while let Some(&hole) = self.holes.front().filter(|hole| hole.start < stamp) {
            let start = (hole.start - origin).max(self.damage.last_end());
            self.suspect(start, (hole.end - origin).min(time), hole);
            if stamp < hole.end {
                break;
            }
            self.holes.pop_front();
        }
        self.settle(stamp, origin, refused);
        self.damage.good(time, length);
        if self.offered.is_some_and(|offered| time <= offered) {
            return Ok(());
        }
        if let Some(held) = &self.output.held {
            self.skip.candidate(stamp.saturating_sub(held.stamp));
        }
        self.output.offer(Some(time), &self.stream)?;
        self.output.held = Some(Held {
            picture,
            stamp,
            time,
            length,
        });
        Ok(())
    }

    /// The time of a frame stamped `time`, never before the last frame. If the clock stands still,
    /// frames would share one moment; they then get consecutive times and count as missing.
    fn advance(&mut self, time: i64) -> i64 {
        let time = time.saturating_add(self.put_off);
        if time > self.time || self.frames == 0 {
            self.stalled = 0;
            self.time = self.time.max(time);
            return self.time;
        }
        self.stalled = self.stalled.saturating_add(self.damage.usual_step());
        if self.stalled > STALLED_MAX {
            let end = self.time.saturating_add(std::mem::take(&mut self.stalled));
            self.damage.add(self.time, end, STALLED);
            self.put_off = self.put_off.saturating_add(end - time);
            self.time = end;
        }
        self.time
    }

    /// Notes pictures that should have come before `stamp` and did not. Either the decoder
    /// `refused` the first of them, or it dropped a damaged packet without an error, which leaves a
    /// gap.
    fn settle(&mut self, stamp: i64, origin: i64, refused: Option<i64>) {
        let dropped = earlier(&mut self.awaited, stamp).filter(|&dropped| {
            let gap = (stamp - origin).saturating_sub(self.damage.end_before(dropped - origin));
            // The container's frame rate may be wrong.
            let step = self.stream.frame_length.min(self.damage.usual_step());
            gap >= self.skip.tolerated().max(step * 9 / 10)
        });
        if let Some(first) = refused
            .into_iter()
            .chain(dropped)
            .map(|first| first - origin)
            .min()
        {
            self.damage.missed(first);
        }
    }

    fn suspect(&mut self, start: i64, end: i64, hole: Hole) {
        if end > start && self.suspected.len() < SUSPECTED_MAX {
            self.suspected.push((start, end, hole));
        }
    }

    /// Decodes the rest and offers the last frame.
    pub(super) fn finish(&mut self) -> Result<(), Stop> {
        let actions = match &mut self.around {
            Some(around) => around.finish(self.origin),
            None => self.planner.finish(self.output.wanted),
        };
        self.follow(actions)?;
        self.drain()?;
        let Some(held) = &self.output.held else {
            return Ok(());
        };
        // After the last candidate there may be frames that were left undecoded.
        let skipped = self
            .around
            .as_ref()
            .map_or(self.planner.has_skipped(), Around::has_skipped);
        let next = self
            .last_packet
            .filter(|&last| skipped && last > held.stamp)
            .map(|last| held.time.saturating_add(last - held.stamp));
        self.output.offer(next, &self.stream)?;
        for (start, end, reason) in self.output.unusable.drain(..) {
            self.damage.add(start, end, &reason);
        }
        Ok(())
    }

    /// Compares what was decoded with what the container declared.
    pub(super) fn account(self, reader: &Reader, info: StreamInfo) -> Decoded {
        let origin = self.origin.unwrap_or(0);
        let last_frame = self.damage.last_end();
        let stalled_end = self.time.saturating_add(self.stalled);
        let end = reader
            .end
            .map_or(0, |end| end.saturating_sub(origin))
            .max(last_frame)
            .max(stalled_end);
        let mut damage = self.damage;
        if self.stalled > 2 * damage.usual_step() {
            damage.add(self.time, stalled_end, STALLED);
        }
        let length = self.stream.frame_length;
        let slack = END_SLACK.max(2 * length);
        let others = reader.others_end.unwrap_or(i64::MIN);
        let promised = match (self.stream.declared, self.stream.container_declared) {
            (Some(declared), _) => declared,
            // If other streams go on without the picture, the file is complete.
            (None, Some(declared)) if others < declared.saturating_sub(slack) => {
                declared.saturating_sub(origin.max(0))
            }
            _ => 0,
        };
        let missing = self
            .awaited
            .last()
            .zip(self.awaited.first())
            .filter(|&(&last, &first)| {
                last.saturating_sub(origin)
                    .saturating_sub(damage.end_before(first - origin))
                    >= self.skip.tolerated()
            });
        let first = missing
            .map(|(_, &first)| first)
            .into_iter()
            .chain(self.refused.first().copied())
            .min();
        if let Some(first) = first {
            damage.missed(first - origin);
        }
        let ahead = self.holes.into_iter().map(|hole| {
            (
                (hole.start - origin).max(last_frame),
                hole.end - origin,
                hole,
            )
        });
        for (start, end, hole) in self.suspected.into_iter().chain(ahead) {
            if reader.has_lost(&hole) {
                damage.add(start, end, CORRUPT);
            }
        }
        let reached = end.saturating_add(origin).max(others);
        let early = self
            .stream
            .container_declared
            .filter(|_| !self.stream.indexed)
            .map(|declared| declared - reached);
        if early.is_some_and(|early| early > slack / 4) {
            // Too little to be a loss by itself, but the last pauses may be one.
            damage.doubt(end);
        }
        let promised = promised.min(
            self.stream
                .missing_share
                .map_or(clock::LONGEST, |share| avi::longest(end, share)),
        );
        let mut total = end;
        if let Some(reason) = &reader.failure {
            total = total.max(promised).max(end.saturating_add(length));
            damage.add(end, total, &format!("reading failed: {reason}"));
        } else if promised.saturating_sub(end) > slack {
            total = promised;
            let missing = clock::duration(promised - end).as_secs_f64();
            damage.add(end, promised, &format!("file ends {missing:.1} s early"));
        }
        Decoded {
            info,
            duration: clock::duration(total),
            frames: self.frames,
            undecoded: damage.finish(end),
            stream: self.stream.index as u32,
            origin_ns: origin,
            streams: Vec::new(),
        }
    }
}

/// The reason for frames whose time stamps do not say when they are shown.
const STALLED: &str = "the time stamps stand still or run backwards";
/// Maximum time shown while the clock stands still, in nanoseconds: containers round, and repeat a
/// picture.
const STALLED_MAX: i64 = 100_000_000;
/// Maximum number of holes kept; each is at least a fifth of a second.
const SUSPECTED_MAX: usize = 100_000;
/// Maximum number of awaited pictures; a decoder delays far fewer.
const AWAITED_MAX: usize = 1024;
/// Number of errors in a row after which a packet's frames are given up.
const RECEIVE_REFUSALS_MAX: u32 = 16;
/// A stream has lost its start if its first picture comes this many nanoseconds after its first
/// packet.
const START_SLACK: i64 = 1_000_000_000;
/// A file is complete if it ends less than this many nanoseconds early: containers round, and may
/// declare the length of other streams.
const END_SLACK: i64 = 1_000_000_000;
