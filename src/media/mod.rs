//! Turns a file into timestamped luma frames, or says why it could not; the only place that names ffmpeg.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use crate::Result;

/// One upright luma picture with square pixels at the working size.
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

/// The short side of a [`Frame`] in pixels (long side capped at [`LONG_SIDE_MAX`]; smaller pictures are scaled up).
pub const SHORT_SIDE: usize = 128;
/// The long side never exceeds this many pixels; beyond an aspect of 4:1 the short side shrinks instead.
pub const LONG_SIDE_MAX: usize = 512;

/// Chooses the frames that a caller wants to see; called once per candidate in the order of presentation.
pub trait Selector {
    /// The longest permitted time between two wanted frames when frames may be left undecoded; `None` decodes every frame.
    fn max_gap(&self) -> Option<Duration>;
    /// Whether the candidate at `time` is wanted, given the time of the candidate after it (`None`: it is the last).
    fn wants(&mut self, time: Duration, next: Option<Duration>) -> bool;
}

/// What is known of the chosen video stream before decoding.
#[derive(Debug, Clone, PartialEq)]
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
#[derive(Debug, Clone, PartialEq, Eq)]
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
}

/// Decodes `path` and hands each frame that `selector` wants to `visit`, in order of presentation.
pub fn decode(
    path: &Path,
    selector: &mut dyn Selector,
    visit: &mut dyn FnMut(Frame) -> ControlFlow<()>,
) -> Result<Decoded> {
    let _ = (path, selector, visit);
    Err(crate::Error::Cancelled)
}
