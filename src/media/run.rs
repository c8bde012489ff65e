//! Decodes the packets of one stream: follows the plan, keeps account of damage, and hands out the
//! frames that are wanted.

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
    /// Key packets alone where they come often enough.
    Sparse,
    /// Every packet, because key packets of this stream do not stand alone.
    Sequential,
}

/// Why an attempt ended early.
pub(super) enum Stop {
    /// A key packet did not give a whole picture on its own; what was left out before it is needed
    /// after all.
    NoEntry,
    Failed(Error),
    /// The file takes more than it may; with what it has.
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
    /// Takes the planner's place if frames are wanted at certain moments only.
    around: Option<Around<Packet>>,
    damage: Damage,
    /// The time stamp of time zero.
    origin: Option<i64>,
    /// The first packet's time stamp and the latest one's.
    pub(super) first_packet: Option<i64>,
    last_packet: Option<i64>,
    /// Pictures before this time stamp are dropped: what they refer to was not decoded.
    start_at: i64,
    /// The next picture has to be the intra picture that decoding starts with.
    entering: bool,
    /// Frames up to this one were offered by an earlier attempt.
    offered: Option<i64>,
    /// The last frame's time.
    time: i64,
    /// How much the times are put off because the clock stood still or ran backwards, and how much
    /// the frames since the last step of the clock would take, in nanoseconds.
    put_off: i64,
    stalled: i64,
    /// The stream begins with pictures that are not shown, and with some that have no time stamps.
    led: bool,
    unstamped: bool,
    /// The end of the last frame, as a guess for frames without a time stamp.
    expected: Option<i64>,
    skip: SkipUnreferenced,
    /// When the pictures are shown that were sent to the decoder and have not come out yet.
    awaited: BTreeSet<i64>,
    /// When the pictures would have been shown that the decoder refused; earlier ones may still
    /// come out of it.
    refused: BTreeSet<i64>,
    /// Where the reader may have lost packets, ahead of the last frame.
    pub(super) holes: VecDeque<Hole>,
    /// The same behind it, with the time in nanoseconds from the first frame that no frame fills:
    /// start, end.
    suspected: Vec<(i64, i64, Hole)>,
    pub(super) frames: u64,
    packets: u64,
    pub(super) last_error: Option<String>,
    /// The decoder was refused memory.
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

    /// Tells how far the video has come, and looks at the clock.
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

    /// Notes that the reader met something strange before the packet that is shown at `next`.
    pub(super) fn amiss(&mut self, next: Option<i64>) {
        self.damage.doubt(self.time);
        if let (Some(next), Some(origin)) = (next, self.origin) {
            self.damage.doubt(next.saturating_sub(origin));
        }
    }

    pub(super) fn packet(&mut self, stamped: Stamped<Packet>) -> Result<(), Stop> {
        self.packets += 1;
        // A field of an interlaced picture has a packet of its own.
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
                    // The stream's own start is as good or bad as it is.
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
            // The first picture that is shown need not be one that others refer to.
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

    /// Ends it if the decoder was refused memory, since what it then gives is not what the file
    /// holds.
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
            // Leading pictures of a group whose predecessor was left out cannot be decoded, and
            // need not be.
            Some(time) if time < self.start_at => {}
            Some(time) if self.refused.len() < AWAITED_MAX => {
                self.refused.insert(time);
            }
            _ => self.damage.trouble(),
        }
        self.last_error = Some(error.to_string());
    }

    /// Takes the delayed frames out and makes the decoder ready for a new start.
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
        // A field may travel in a packet of its own; the key packet alone would then be half a
        // picture.
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
        // Decoders guess a time stamp for a picture that has none.
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
            // What was lost at the start has its place on the clock; a picture or two of start-up
            // has not.
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

    /// The time of a frame that its stamp puts at `time`: never before the last one. A clock that
    /// does not go on would pile frames up on one moment; they get times of their own then, and
    /// count as missing.
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

    /// Notes pictures that should have come before `stamp` and did not: the decoder `refused` the
    /// first of them at that time, or it dropped a damaged packet without an error, which shows by
    /// a gap.
    fn settle(&mut self, stamp: i64, origin: i64, refused: Option<i64>) {
        let dropped = earlier(&mut self.awaited, stamp).filter(|&dropped| {
            let gap = (stamp - origin).saturating_sub(self.damage.end_before(dropped - origin));
            // What the container says of the rate may be spoilt.
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

    /// Decodes what is left and offers the last frame.
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

    /// Compares what was decoded with what the container promised.
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
            // A file that goes on without its picture is whole.
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

/// The reason for frames of which the time stamps do not tell when they are shown.
const STALLED: &str = "the time stamps stand still or run backwards";
/// So much may be shown, in nanoseconds, while the clock stands still: containers round, and repeat
/// a picture.
const STALLED_MAX: i64 = 100_000_000;
/// More holes than this, of a fifth of a second each, are not kept.
const SUSPECTED_MAX: usize = 100_000;
/// A decoder holds back far fewer pictures than this.
const AWAITED_MAX: usize = 1024;
/// Errors in a row after which a packet's frames are given up.
const RECEIVE_REFUSALS_MAX: u32 = 16;
/// A stream whose first picture comes this many nanoseconds after its first packet has lost its
/// start.
const START_SLACK: i64 = 1_000_000_000;
/// A file that ends less than this many nanoseconds early is whole: containers round, and count
/// other streams.
const END_SLACK: i64 = 1_000_000_000;
