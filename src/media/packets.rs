//! Reads the chosen stream's packets, corrects their time stamps and watches where the file ends.

use ffmpeg_next as ffmpeg;
use ffmpeg_next::ffi;

use ffmpeg::codec::Id;
use ffmpeg::codec::packet::Packet;
use ffmpeg::codec::packet::Ref as _;

use super::clock::{Continuity, Ticks};
use super::gops::Stamped;
use super::open::{Opened, Stream};

/// Reads packets of one stream, corrects their time stamps and watches where the file ends.
pub(super) struct Reader {
    continuity: Continuity,
    ticks: Vec<Ticks>,
    trusted: bool,
    /// The latest end of a packet's presentation in the chosen stream, and in any other one, in nanoseconds.
    pub(super) end: Option<i64>,
    pub(super) others_end: Option<i64>,
    /// When the first picture to be shown in decoding order is shown, in nanoseconds.
    pub(super) first: Option<i64>,
    /// Why reading stopped before the end of the file.
    pub(super) failure: Option<String>,
}

impl Reader {
    pub(super) fn new(opened: &Opened) -> Reader {
        Reader {
            continuity: Continuity::new(opened.stream.ticks, opened.stream.frame_length),
            ticks: opened.input.streams().map(|stream| Ticks::new(stream.time_base())).collect(),
            trusted: key_flags_are_sound(opened.stream.codec),
            end: None,
            others_end: None,
            first: None,
            failure: None,
        }
    }

    /// The next packet of the chosen stream; `None` at the end of the file or where it cannot be read on.
    pub(super) fn next(
        &mut self,
        input: &mut ffmpeg::format::context::Input,
        stream: &Stream,
    ) -> Option<Stamped<Packet>> {
        let mut refusals = 0;
        loop {
            let mut packet = Packet::empty();
            match packet.read(input) {
                Ok(()) => {}
                Err(ffmpeg::Error::Eof) => return None,
                // A demuxer may find its way again after damage, but must not be asked for ever.
                Err(ffmpeg::Error::InvalidData) if refusals < REFUSALS_MAX => {
                    refusals += 1;
                    continue;
                }
                Err(error) => {
                    self.failure = Some(error.to_string());
                    return None;
                }
            }
            if packet.stream() != stream.index {
                self.note_other(&packet);
                continue;
            }
            // To the decoder an empty packet means the end of the stream.
            if packet.size() == 0 {
                continue;
            }
            return Some(self.stamp(packet, stream));
        }
    }

    fn note_other(&mut self, packet: &Packet) {
        if let (Some(ticks), Some(pts)) = (self.ticks.get(packet.stream()), packet.pts()) {
            let end = ticks.nanos(pts.saturating_add(packet.duration().max(0)));
            self.others_end = self.others_end.max(Some(end));
        }
    }

    fn stamp(&mut self, mut packet: Packet, stream: &Stream) -> Stamped<Packet> {
        let length = packet.duration();
        let (pts, dts) = self.continuity.correct(packet.pts(), packet.dts(), length);
        packet.set_pts(pts);
        packet.set_dts(dts);
        let time = pts.map(|pts| stream.ticks.nanos(pts));
        let shown = !is_discarded(&packet);
        if let Some(start) = time.or(dts.map(|dts| stream.ticks.nanos(dts))).filter(|_| shown) {
            let length = if length > 0 { stream.ticks.nanos(length) } else { stream.frame_length };
            self.first.get_or_insert(start);
            self.end = self.end.max(Some(start.saturating_add(length)));
        }
        Stamped { time, bytes: packet.size(), entry: self.trusted && shown && packet.is_key(), packet }
    }
}

/// Whether a key packet of this codec can be decoded without any packet before it.
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

/// Whether the container asks for the picture to be decoded but not shown, as before the start of an edit.
#[allow(unsafe_code)]
fn is_discarded(packet: &Packet) -> bool {
    // SAFETY: the packet is alive and the field is a plain number.
    unsafe { (*packet.as_ptr()).flags & ffi::AV_PKT_FLAG_DISCARD != 0 }
}

/// So many refusals in a row end the reading: a truncated MP4 refuses each of its missing samples.
const REFUSALS_MAX: u32 = 100;
