//! Reads the chosen stream's packets, corrects their time stamps and notes where the file ends.

use ffmpeg_next as ffmpeg;
use ffmpeg_next::ffi;

use ffmpeg::codec::Id;
use ffmpeg::codec::packet::Packet;
use ffmpeg::codec::packet::Ref as _;

use super::clock::{Continuity, Ticks};
use super::gops::Stamped;
use super::hidden::is_hidden;
use super::open::{Opened, Stream};

/// The kind of a packet.
pub(super) enum Next {
    /// A packet of the chosen stream.
    Picture(Stamped<Packet>),
    /// A packet without a picture: of another stream, or empty.
    Other,
}

/// Reads packets of one stream, corrects their time stamps and notes where the file ends.
pub(super) struct Reader {
    continuity: Continuity,
    ticks: Vec<Ticks>,
    /// Where the first and the last packet of each stream begin in the file, for containers whose
    /// streams can continue one another.
    pub(super) places: Vec<Option<(u64, u64)>>,
    /// A broadcast container, where a program's picture may move to another stream.
    changing: bool,
    trusted: bool,
    /// The latest end of presentation of a packet in the chosen stream and in any other one, in
    /// nanoseconds.
    pub(super) end: Option<i64>,
    pub(super) others_end: Option<i64>,
    /// The decoding time (if the container has one) and the end of the last packet in decoding
    /// order.
    decoding: Option<i64>,
    decoded_end: Option<i64>,
    /// When the first shown picture in decoding order is shown, in nanoseconds.
    pub(super) first: Option<i64>,
    /// The time before the last packet in which the demuxer may have skipped packets without an
    /// error.
    pub(super) hole: Option<Hole>,
    /// The demuxer had an error, or the clock went backwards, since this was last read.
    pub(super) amiss: bool,
    passed_over: PassedOver,
    /// Why reading stopped before the end of the file.
    pub(super) failure: Option<String>,
}

impl Reader {
    pub(super) fn new(opened: &Opened) -> Reader {
        Reader {
            continuity: Continuity::new(opened.stream.ticks, opened.stream.frame_length),
            ticks: opened
                .input
                .streams()
                .map(|stream| Ticks::new(stream.time_base()))
                .collect(),
            places: Vec::new(),
            changing: CHANGING.contains(&opened.input.format().name()),
            trusted: key_flags_are_sound(opened.stream.codec),
            end: None,
            others_end: None,
            decoding: None,
            decoded_end: None,
            first: None,
            hole: None,
            amiss: false,
            passed_over: PassedOver::new(!opened.stream.indexed, opened.stream.padded),
            failure: None,
        }
    }

    /// Returns the next packet; `None` at the end of the file or where reading fails.
    pub(super) fn next(
        &mut self,
        input: &mut ffmpeg::format::context::Input,
        stream: &Stream,
    ) -> Option<Next> {
        let mut refusals = 0;
        loop {
            let mut packet = Packet::empty();
            match packet.read(input) {
                Ok(()) => {}
                Err(ffmpeg::Error::Eof) => return None,
                // A demuxer may recover after damage, but must not be retried for ever.
                Err(ffmpeg::Error::InvalidData) if refusals < REFUSALS_MAX => {
                    refusals += 1;
                    self.amiss = true;
                    continue;
                }
                Err(error) => {
                    self.failure = Some(error.to_string());
                    return None;
                }
            }
            self.passed_over.packet(packet.position(), packet.size());
            self.place(&packet);
            if packet.stream() != stream.index {
                self.note_other(&packet);
                return Some(Next::Other);
            }
            // The decoder would take an empty packet for the end of the stream.
            if packet.size() == 0 {
                return Some(Next::Other);
            }
            return Some(Next::Picture(self.stamp(packet, stream)));
        }
    }

    /// Returns whether packets were lost in `hole`, judged by the whole file. The packets before
    /// the hole may not be typical, since key pictures are large and still pictures are small.
    pub(super) fn has_lost(&self, hole: &Hole) -> bool {
        let span = self
            .decoded_end
            .unwrap_or(0)
            .saturating_sub(self.first.unwrap_or(0));
        hole.likely || self.passed_over.explains(hole.bytes, hole.gap, span)
    }

    /// The end of the last packet in the file, as far as it is known.
    pub(super) fn reached(&self) -> u64 {
        self.passed_over.end.unwrap_or(0)
    }

    fn place(&mut self, packet: &Packet) {
        if !self.changing {
            return;
        }
        let (stream, Ok(at)) = (packet.stream(), u64::try_from(packet.position())) else {
            return;
        };
        if stream >= self.places.len() {
            self.places.resize(stream + 1, None);
        }
        self.places[stream] = Some(
            self.places[stream].map_or((at, at), |(first, last)| (first.min(at), last.max(at))),
        );
    }

    fn note_other(&mut self, packet: &Packet) {
        if let (Some(ticks), Some(pts)) = (self.ticks.get(packet.stream()), packet.pts()) {
            let end = ticks.nanos(pts.saturating_add(packet.duration().max(0)));
            self.others_end = self.others_end.max(Some(end));
        }
    }

    fn stamp(&mut self, mut packet: Packet, stream: &Stream) -> Stamped<Packet> {
        let length = packet.duration();
        let unstamped = packet.pts().is_none() && packet.dts().is_none();
        let before_zero = stream.stamped && unstamped && self.first.is_none();
        let shown = !is_discarded(&packet) && !before_zero;
        let (pts, dts) = if shown {
            self.continuity.correct(packet.pts(), packet.dts(), length)
        } else {
            let shift = |time| self.continuity.shift(time);
            (shift(packet.pts()), shift(packet.dts()))
        };
        packet.set_pts(pts);
        packet.set_dts(dts);
        let time = pts.map(|pts| stream.ticks.nanos(pts));
        if let Some(start) = time
            .or(dts.map(|dts| stream.ticks.nanos(dts)))
            .filter(|_| shown)
        {
            let length = if length > 0 {
                stream.ticks.nanos(length)
            } else {
                stream.frame_length
            };
            let first = *self.first.get_or_insert(start);
            let decoding = dts.map_or(start, |dts| stream.ticks.nanos(dts));
            // After a hole the demuxer may continue decoding times as if nothing had happened.
            let gap = (decoding.saturating_sub(self.decoded_end.unwrap_or(decoding)))
                .max(start.saturating_sub(self.end.unwrap_or(start)));
            let span = self.decoded_end.map_or(0, |end| end.saturating_sub(first));
            // Any picture shown after the last packet's decoding time may be lost.
            if let (Some(from), Some(bytes)) = (self.decoded_end, self.passed_over.before(gap)) {
                let likely = self.passed_over.explains(bytes, gap, span);
                self.hole = Some(Hole {
                    start: from,
                    end: start,
                    gap,
                    bytes,
                    likely,
                });
            }
            if let Some(decoding) = dts.map(|_| decoding) {
                self.amiss |= self
                    .decoding
                    .replace(decoding)
                    .is_some_and(|last| decoding < last);
            }
            self.decoded_end = Some(decoding.saturating_add(length));
            self.passed_over.settle(packet.size());
            self.end = self.end.max(Some(start.saturating_add(length)));
        }
        let hidden = packet
            .data()
            .is_some_and(|data| is_hidden(stream.codec, data));
        let entry = self.trusted && shown && packet.is_key();
        Stamped {
            time,
            bytes: packet.size(),
            shown,
            hidden,
            entry,
            packet,
        }
    }
}

/// A gap in time, in nanoseconds, with bytes in the file that belong to no packet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hole {
    pub(super) start: i64,
    pub(super) end: i64,
    gap: i64,
    bytes: u64,
    /// The bytes suffice for the gap at the rate of what came before it.
    likely: bool,
}

/// Counts the bytes between packets, to tell damage from a still picture.
///
/// After damage in a file that is read in order, a demuxer looks for the next valid place and
/// continues there without an error; the decoder may not notice either. What remains is a gap in
/// time with a hole in the file.
struct PassedOver {
    enabled: bool,
    /// The container adds bytes before each packet.
    padded: bool,
    /// The end in the file of the last packet of any stream.
    end: Option<u64>,
    /// Bytes in no packet since the chosen stream's last packet, and those before that one: after a
    /// hole an Ogg page may first complete a packet that belongs before the gap.
    hole: u64,
    earlier_hole: u64,
    /// Bytes and packets of the chosen stream so far, and bytes in no packet.
    total: u64,
    packets: u64,
    passed: u64,
}

impl PassedOver {
    fn new(enabled: bool, padded: bool) -> PassedOver {
        PassedOver {
            enabled,
            padded,
            end: None,
            hole: 0,
            earlier_hole: 0,
            total: 0,
            packets: 0,
            passed: 0,
        }
    }

    fn packet(&mut self, position: isize, size: usize) {
        let Ok(position) = u64::try_from(position) else {
            // It follows the packet before it directly.
            self.end = self.end.map(|end| end.saturating_add(size as u64));
            return;
        };
        let hole = self.end.map_or(0, |end| position.saturating_sub(end));
        self.hole = self.hole.saturating_add(hole);
        self.end = self.end.max(Some(position.saturating_add(size as u64)));
    }

    /// Bytes in no packet before the packet that follows a gap of `gap` nanoseconds, if both are
    /// large enough to matter.
    fn before(&self, gap: i64) -> Option<u64> {
        let usual = match self.padded {
            true => OVERHEADS * self.passed.checked_div(self.packets).unwrap_or(0),
            false => 0,
        };
        let bytes = self
            .hole
            .saturating_add(self.earlier_hole)
            .saturating_sub(usual);
        (self.enabled && gap >= GAP_MIN && bytes >= HOLE_MIN).then_some(bytes)
    }

    /// Returns whether `bytes` suffice for a gap of `gap` nanoseconds, given that `span`
    /// nanoseconds of the stream took the bytes counted so far.
    fn explains(&self, bytes: u64, gap: i64, span: i64) -> bool {
        let expected = u128::from(self.total) * gap.unsigned_abs() as u128
            / u128::from(span.unsigned_abs().max(1));
        u128::from(bytes) * HOLE_SHARE >= expected
    }

    fn settle(&mut self, size: usize) {
        self.packets += 1;
        self.passed = self.passed.saturating_add(self.hole);
        self.earlier_hole = std::mem::take(&mut self.hole);
        self.total = self.total.saturating_add(size as u64);
    }
}

/// Returns whether a key packet of this codec can be decoded without any packet before it.
pub(super) fn key_flags_are_sound(codec: Id) -> bool {
    matches!(
        codec,
        Id::H264
            | Id::HEVC
            | Id::VP8
            | Id::VP9
            | Id::AV1
            | Id::MPEG1VIDEO
            | Id::MPEG2VIDEO
            | Id::MPEG4
            | Id::H263
            | Id::THEORA
            | Id::PRORES
            | Id::MJPEG
            | Id::DNXHD
            | Id::FFV1
            | Id::DVVIDEO
    )
}

/// Returns whether the container wants the picture decoded but not shown, as before the start of an
/// edit.
#[allow(unsafe_code)]
fn is_discarded(packet: &Packet) -> bool {
    // SAFETY: the packet is alive and the field is a plain number.
    unsafe { (*packet.as_ptr()).flags & ffi::AV_PKT_FLAG_DISCARD != 0 }
}

/// Containers whose players switch to another stream where one stops. Of other containers players
/// show one stream from beginning to end.
const CHANGING: [&str; 3] = ["mpegts", "mpeg", "flv"];
/// Maximum errors in a row before reading ends: a truncated MP4 gives one for each missing sample.
const REFUSALS_MAX: u32 = 100;

/// Minimum gap in nanoseconds; the decoder notices shorter ones.
const GAP_MIN: i64 = 200_000_000;
/// Minimum bytes between packets that count as a hole; fewer are container overhead.
const HOLE_MIN: u64 = 512;
/// Holes span two packets; up to twice the usual overhead of both counts as container overhead.
const OVERHEADS: u64 = 4;
/// A gap counts as lost if the hole has at least 1 / `HOLE_SHARE` of the bytes expected for its
/// time.
const HOLE_SHARE: u128 = 4;
