//! Turns a file into timestamped luma frames, or says why it could not; the only place that names
//! ffmpeg.

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
    /// When it is shown, from the first frame of the stream.
    pub time: Duration,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `width * height` full-range grey levels, row by row without padding.
    pub luma: Vec<u8>,
}

/// The short side of a [`Frame`] at the working size, in pixels (long side capped at
/// [`LONG_SIDE_MAX`]; smaller pictures are scaled up).
pub const SHORT_SIDE: usize = 128;
/// The long side never exceeds this many pixels at the working size; beyond an aspect of 4:1 the
/// short side shrinks instead.
pub const LONG_SIDE_MAX: usize = 512;

/// The share by which a gap between frames may exceed the permitted one, so that groups of pictures
/// of 1.001 s, as at 29.97 frames a second, pass for one second.
pub const GAP_SLACK: f64 = 0.05;

/// How large the frames are that a caller wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Resolution {
    /// The working size: a short side of [`SHORT_SIDE`].
    Working,
    /// Twice that.
    Double,
}

impl Resolution {
    /// Times the working size.
    pub const fn times(self) -> usize {
        match self {
            Resolution::Working => 1,
            Resolution::Double => 2,
        }
    }
}

/// Chooses the frames that a caller wants to see; called once per candidate in the order of
/// presentation.
pub trait Selector {
    /// The longest permitted time between two wanted frames when frames may be left undecoded;
    /// `None` decodes every frame.
    fn max_gap(&self) -> Option<Duration>;
    /// Whether the candidate at `time` is wanted, given the time of the candidate after it.
    ///
    /// At the last candidate `next` is the time of the stream's last frame if that one was left
    /// undecoded, else `None`.
    fn wants(&mut self, time: Duration, next: Option<Duration>) -> bool;
    /// How large the wanted frames are to be.
    fn resolution(&self) -> Resolution {
        Resolution::Working
    }
    /// About how many pixels the small picture is to have that is wanted of the candidate at
    /// `time`, wanted as a frame or not; `None` for no such picture. Called once per candidate,
    /// before [`Selector::wants`].
    fn wants_picture(&mut self, _time: Duration) -> Option<usize> {
        None
    }
    /// The most pixels of the short side of the colour still that is wanted of the candidate at
    /// `time`; `None` for no still. Called once per candidate, with the time of the candidate after
    /// it as in [`Selector::wants`].
    fn wants_still(&mut self, _time: Duration, _next: Option<Duration>) -> Option<usize> {
        None
    }
    /// The moments at which frames are wanted, in order, if others may be left undecoded.
    fn moments(&self) -> Option<&[Duration]> {
        None
    }
}

/// What is known of the chosen video stream before decoding.
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
    /// The duration that the container declares for the video stream (or for the file), if it does.
    pub declared: Option<Duration>,
}

/// A part of the clip of which there are no usable pictures.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Undecoded {
    /// Start of the part.
    pub start: Duration,
    /// End of the part.
    pub end: Duration,
    /// Why, for a person: `file ends 12.3 s early`, `corrupt data`.
    pub reason: String,
}

/// What decoding a file came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// The stream.
    pub info: StreamInfo,
    /// The clip's length: what was decoded, or what the container promises when more was promised.
    pub duration: Duration,
    /// Frames that the decoder produced.
    pub frames: u64,
    /// The parts that are missing, in order and without overlap.
    pub undecoded: Vec<Undecoded>,
    /// The number of the stream that was decoded.
    pub stream: u32,
    /// When its first frame is shown, on the clock of the file, in nanoseconds; streams of one file
    /// are compared by it.
    pub origin_ns: i64,
    /// All video streams of the file, this one too.
    pub streams: Vec<VideoStream>,
}

/// Hears what comes out of a file while it is decoded.
pub trait Observer {
    /// The stream was chosen and its decoder opened; called again if decoding has to begin anew.
    fn opened(&mut self, info: &StreamInfo);
    /// A frame that the selector wanted.
    fn frame(&mut self, frame: Frame) -> ControlFlow<()>;
    /// A small picture that the selector wanted: upright, with square pixels, each of them the mean
    /// of what it covers; never after a frame that is shown later.
    fn picture(&mut self, picture: Frame) -> ControlFlow<()>;
    /// A colour still that the selector wanted.
    fn still(&mut self, _still: Still) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
    /// How far decoding has come, called for every packet: the last frame's time, and how many
    /// there were.
    fn progress(&mut self, reached: Duration, frames: u64) -> ControlFlow<()>;
    /// Who measures the clip meanwhile, if anybody does.
    fn inspector(&mut self) -> Option<&mut dyn Inspector> {
        None
    }
}

/// Decodes `path` and hands each frame that `selector` wants to `visit`, in order of presentation;
/// in this process and with the default [`Limits`]. For files from strangers see
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

/// An observer that sees frames only.
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

/// Decodes an open file in this process and tells `observer` of it, frames in order of
/// presentation.
///
/// `stream` is the number of the stream; without one it is that which a player shows: never a
/// cover, the default one, then the largest. What else a player could show is in
/// [`Decoded::streams`] and not looked at. Where time stamps fall back, as in concatenated
/// recordings, time goes on from the last frame; it never decreases. A recording that is joined to
/// the end of the file is followed where a transport stream changes its codec; where players do not
/// reach it, it is in [`Decoded::undecoded`], and so are frames whose time stamps stand still. With
/// [`Selector::max_gap`] only what is needed is decoded, and the frames seen are a subset of those
/// that are seen without. The same file gives the same frames on every run. One thread does the
/// work, and many calls may run at once.
///
/// # Errors
///
/// [`Error::Io`](crate::Error::Io) if the file cannot be read,
/// [`Error::NotMedia`](crate::Error::NotMedia), [`Error::NoVideo`](crate::Error::NoVideo),
/// [`Error::NoDecoder`](crate::Error::NoDecoder),
/// [`Error::NotAccepted`](crate::Error::NotAccepted),
/// [`Error::LimitExceeded`](crate::Error::LimitExceeded),
/// [`Error::Undecodable`](crate::Error::Undecodable) if there is not one usable frame, and
/// [`Error::Cancelled`](crate::Error::Cancelled) if `observer` breaks off. A file that is damaged
/// or cut off is no error: what is missing is in [`Decoded::undecoded`].
pub fn decode_source(
    source: &Source,
    stream: Option<u32>,
    limits: &Limits,
    selector: &mut dyn Selector,
    observer: &mut dyn Observer,
) -> Result<Decoded> {
    decode::decode(source, stream, limits, selector, observer)
}

/// Tells what is known of the video stream that [`decode`] would decode, without decoding it.
///
/// # Errors
///
/// Those of [`decode`] that can be known by then.
pub fn probe(path: &Path) -> Result<StreamInfo> {
    let limits = Limits::default();
    Ok(open::open(&Source::open(path, Links::Follow, &limits)?, None, &limits)?.info)
}

/// The most parts that [`Decoded::undecoded`] ever has.
pub const UNDECODED_MAX: usize = damage::PARTS_MAX;
