//! Turns a file into timestamped luma frames, or says why it cannot; the only place that names
//! FFmpeg.

mod accepted;
mod avi;
mod clock;
mod damage;
mod decode;
mod geometry;
mod gops;
mod hidden;
mod inspect;
mod joined;
mod limits;
mod luma;
mod moments;
mod open;
mod output;
mod pace;
mod packets;
mod provision;
mod run;
mod skip;
pub mod sniff;
mod soundness;
mod source;
mod stills;
mod streams;
mod window;

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use crate::Result;

pub(crate) use geometry::{small_area_max, small_side_max, small_size};
pub use inspect::{FullFrame, Inspector, Luma, OwnedLuma, Tags, Turn};
pub(crate) use limits::Limit;
pub use limits::Limits;
pub use provision::{Provision, provision, versions};
pub use source::{Links, Source};
pub(crate) use source::{hex, open_plain, open_regular};
pub(crate) use stills::stills;
pub use stills::{MOMENTS_MAX, Moments, STILL_LONG_MAX, STILL_SIDE_MAX, Still};
pub use streams::VideoStream;

/// One upright luma picture with square pixels, at the working size or twice as large
/// ([`Resolution`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// When it is shown, counted from the first frame of the stream.
    pub time: Duration,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `width * height` full-range grey levels, row by row without padding.
    pub luma: Vec<u8>,
}

/// The short side of a [`Frame`] at the working size, in pixels. The long side is capped at
/// [`LONG_SIDE_MAX`]; smaller pictures are scaled up.
pub const SHORT_SIDE: usize = 128;
/// Maximum long side at the working size, in pixels. Beyond an aspect of 4:1 the short side shrinks
/// instead.
pub const LONG_SIDE_MAX: usize = 512;

/// The share by which a gap between frames may exceed the permitted one. With it, groups of
/// pictures of 1.001 s, as at 29.97 frames a second, count as one second.
pub const GAP_SLACK: f64 = 0.05;

/// The size of the frames that a caller wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Resolution {
    /// The working size: a short side of [`SHORT_SIDE`].
    Working,
    /// Twice that.
    Double,
}

impl Resolution {
    /// Multiple of the working size.
    pub const fn times(self) -> usize {
        match self {
            Resolution::Working => 1,
            Resolution::Double => 2,
        }
    }
}

/// Chooses the frames that a caller wants; called once per candidate, in order of presentation.
pub trait Selector {
    /// The longest permitted time between two wanted frames when frames may be left undecoded;
    /// `None` decodes every frame.
    fn max_gap(&self) -> Option<Duration>;
    /// Returns whether the candidate at `time` is wanted, given the time of the next candidate.
    ///
    /// At the last candidate `next` is the time of the stream's last frame if that frame was left
    /// undecoded, and `None` otherwise.
    fn wants(&mut self, time: Duration, next: Option<Duration>) -> bool;
    /// The size of the wanted frames.
    fn resolution(&self) -> Resolution {
        Resolution::Working
    }
    /// The approximate number of pixels of the small picture wanted of the candidate at `time`, or
    /// `None` for no picture. It does not depend on whether the frame is wanted. Called once per
    /// candidate, before [`Selector::wants`].
    fn wants_picture(&mut self, _time: Duration) -> Option<usize> {
        None
    }
    /// The maximum short side, in pixels, of the colour still wanted of the candidate at `time`, or
    /// `None` for no still. Called once per candidate; `next` is as in [`Selector::wants`].
    fn wants_still(&mut self, _time: Duration, _next: Option<Duration>) -> Option<usize> {
        None
    }
    /// The moments at which frames are wanted, in order, if other frames may be left undecoded.
    fn moments(&self) -> Option<&[Duration]> {
        None
    }
}

/// The properties of the chosen video stream before decoding.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct StreamInfo {
    /// Displayed columns, after rotation and with square pixels.
    pub width: u32,
    /// Displayed rows, after rotation and with square pixels.
    pub height: u32,
    /// The codec's short name, such as `h264`.
    pub codec: String,
    /// The container's short name, such as `mov,mp4,m4a,3gp,3g2,mj2`.
    pub container: String,
    /// The decoder's pixel format, such as `yuv420p10le`.
    pub pixel_format: String,
    /// The duration that the container declares for the video stream or for the file, if any.
    pub declared: Option<Duration>,
}

/// A part of the clip without usable pictures.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Undecoded {
    /// Start of the part.
    pub start: Duration,
    /// End of the part.
    pub end: Duration,
    /// The reason, for people: `file ends 12.3 s early`, `corrupt data`.
    pub reason: String,
}

/// The result of decoding a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// The stream's properties.
    pub info: StreamInfo,
    /// The clip's length: the decoded length, or the length that the container declares if that is
    /// longer.
    pub duration: Duration,
    /// Frames that the decoder produced.
    pub frames: u64,
    /// The missing parts, in order and without overlap.
    pub undecoded: Vec<Undecoded>,
    /// The number of the stream that was decoded.
    pub stream: u32,
    /// When its first frame is shown on the file's clock, in nanoseconds; comparable between
    /// streams of one file.
    pub origin_ns: i64,
    /// All video streams of the file, including this one.
    pub streams: Vec<VideoStream>,
}

/// Receives what is decoded from a file.
pub trait Observer {
    /// The stream was chosen and its decoder opened; called again if decoding restarts.
    fn opened(&mut self, info: &StreamInfo);
    /// A frame that the selector wanted.
    fn frame(&mut self, frame: Frame) -> ControlFlow<()>;
    /// A small picture that the selector wanted: upright, with square pixels, each the mean of the
    /// area it covers. It never comes after a frame that is shown later.
    fn picture(&mut self, picture: Frame) -> ControlFlow<()>;
    /// A colour still that the selector wanted.
    fn still(&mut self, _still: Still) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
    /// Progress, reported for every packet: the last frame's time, and the number of frames.
    fn progress(&mut self, reached: Duration, frames: u64) -> ControlFlow<()>;
    /// The inspector that measures the clip meanwhile, if any.
    fn inspector(&mut self) -> Option<&mut dyn Inspector> {
        None
    }
}

/// Decodes `path` and hands each frame that `selector` wants to `visit`, in order of presentation.
/// It decodes in this process and with the default [`Limits`]; for files from strangers see
/// [`crate::sandbox`].
///
/// # Errors
///
/// Those of [`Source::open`] and [`decode_source`].
pub fn decode(
    path: &Path,
    selector: &mut dyn Selector,
    visit: &mut dyn FnMut(Frame) -> ControlFlow<()>,
) -> Result<Decoded> {
    let limits = Limits::default();
    decode_source(
        &Source::open(path, Links::Follow, &limits)?,
        None,
        &limits,
        selector,
        &mut Visitor(visit),
    )
}

/// An observer that receives only frames.
struct Visitor<'a>(&'a mut dyn FnMut(Frame) -> ControlFlow<()>);

impl Observer for Visitor<'_> {
    fn opened(&mut self, _: &StreamInfo) {}

    fn frame(&mut self, frame: Frame) -> ControlFlow<()> {
        (self.0)(frame)
    }

    fn picture(&mut self, _: Frame) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn progress(&mut self, _: Duration, _: u64) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// Decodes an open file in this process and reports to `observer`, frames in order of presentation.
///
/// `stream` is the number of the stream. `None` takes the one that a player shows: the default one,
/// then the largest, never a cover. Other streams that a player might show are listed in
/// [`Decoded::streams`] but not decoded.
///
/// Time never decreases. Where time stamps fall back, as in concatenated recordings, time continues
/// from the last frame. If a transport stream changes its codec at an appended recording, that
/// recording is decoded too. A recording that players do not reach is listed in
/// [`Decoded::undecoded`], and so are frames whose time stamps stand still.
///
/// With [`Selector::max_gap`] only the needed packets are decoded, and the frames are a subset of
/// those of a full decoding. The same file gives the same frames on every run. Decoding uses one
/// thread, and many calls may run at once.
///
/// # Errors
///
/// [`Error::Io`](crate::Error::Io) if the file cannot be read,
/// [`Error::NotMedia`](crate::Error::NotMedia), [`Error::NoVideo`](crate::Error::NoVideo),
/// [`Error::NoDecoder`](crate::Error::NoDecoder),
/// [`Error::NotAccepted`](crate::Error::NotAccepted),
/// [`Error::LimitExceeded`](crate::Error::LimitExceeded),
/// [`Error::Undecodable`](crate::Error::Undecodable) if no frame is usable, and
/// [`Error::Cancelled`](crate::Error::Cancelled) if `observer` breaks off. A damaged or cut-off
/// file is not an error: its missing parts are in [`Decoded::undecoded`].
pub fn decode_source(
    source: &Source,
    stream: Option<u32>,
    limits: &Limits,
    selector: &mut dyn Selector,
    observer: &mut dyn Observer,
) -> Result<Decoded> {
    decode::decode(source, stream, limits, selector, observer)
}

/// Describes the video stream that [`decode`] would decode, without decoding it.
///
/// # Errors
///
/// Those of [`decode`] that can be known by then.
pub fn probe(path: &Path) -> Result<StreamInfo> {
    let limits = Limits::default();
    Ok(open::open(&Source::open(path, Links::Follow, &limits)?, None, &limits)?.info)
}

/// Maximum number of parts in [`Decoded::undecoded`].
pub const UNDECODED_MAX: usize = damage::PARTS_MAX;
