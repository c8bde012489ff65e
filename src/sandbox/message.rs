//! The bytes between a decoding process and its parent (pure).
//!
//! Each message has a tag of one byte, the length of its body in four (all numbers are
//! little-endian), and the body. The tag limits the length of the body, which is checked before any
//! allocation. Texts are UTF-8 without control characters, after a length of two bytes. Any
//! deviation is an error: a decoding process that was taken over can send anything.
//! anything.

use std::time::Duration;

use super::Protections;
use crate::media::{
    Frame, LONG_SIDE_MAX, Resolution, STILL_LONG_MAX, STILL_SIDE_MAX, Still, StreamInfo, Undecoded,
    VideoStream, small_area_max, small_side_max,
};
use crate::sample::CLIP_PICTURE_AREA;

/// A message from a decoding process.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Message {
    /// The first message, before it reads: what it gave up.
    Ready(Protections),
    /// The stream that it decodes.
    Opened(StreamInfo),
    /// A keyframe.
    Frame(Frame),
    /// A small picture of a clip.
    Picture(Frame),
    /// The position in the video, and the number of frames so far.
    Progress(Duration, u64),
    /// A missing part.
    Missing(Undecoded),
    /// A video stream of the file, decoded or not.
    Stream(VideoStream),
    /// The stream that was decoded: its number, and when its first frame is shown on the file's
    /// clock, in nanoseconds.
    Origin(u32, i64),
    /// The end: length of the video, and frames decoded.
    Done(Duration, u64),
    /// Why there is no result, or no more.
    Failed(Failure),
    /// The result of a trial.
    Tried(Tried),
    /// A colour still.
    Still(Still),
    /// The end of the stills.
    Shown,
    /// More of the result of reading a file.
    Bytes(Vec<u8>),
    /// The end of that result.
    Read,
    /// The measurements of a clip, made while it was decoded.
    Measured(Vec<u8>),
}

/// Why a file could not be decoded; the parent knows its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) kind: u8,
    /// The operating system's error number, or that of a limit.
    pub(super) number: u32,
    pub(super) text: String,
}

/// The result of trying something forbidden.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tried {
    pub(super) refused: bool,
    pub(super) how: String,
}

impl Message {
    /// The bytes of the whole message.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![self.tag(), 0, 0, 0, 0];
        match self {
            Message::Ready(protections) => {
                bytes.extend(PROTOCOL);
                bytes.extend([
                    protections.landlock_version,
                    u8::from(protections.seccomp),
                    u8::from(protections.no_capabilities),
                    u8::from(protections.no_new_privileges),
                    u8::from(protections.limits),
                    u8::from(protections.dies_with_parent),
                ]);
            }
            Message::Opened(info) => {
                bytes.extend(info.width.to_le_bytes());
                bytes.extend(info.height.to_le_bytes());
                bytes.push(u8::from(info.declared.is_some()));
                put_time(&mut bytes, info.declared.unwrap_or_default());
                for text in [&info.codec, &info.container, &info.pixel_format] {
                    put_text(&mut bytes, text);
                }
            }
            Message::Frame(frame) | Message::Picture(frame) => {
                put_time(&mut bytes, frame.time);
                bytes.extend((frame.width as u32).to_le_bytes());
                bytes.extend((frame.height as u32).to_le_bytes());
                bytes.extend(&frame.luma);
            }
            Message::Progress(reached, frames) | Message::Done(reached, frames) => {
                put_time(&mut bytes, *reached);
                bytes.extend(frames.to_le_bytes());
            }
            Message::Missing(part) => {
                put_time(&mut bytes, part.start);
                put_time(&mut bytes, part.end);
                put_text(&mut bytes, &part.reason);
            }
            Message::Stream(stream) => {
                for number in [stream.index, stream.width, stream.height] {
                    bytes.extend(number.to_le_bytes());
                }
                bytes.extend([u8::from(stream.cover), u8::from(stream.place.is_some())]);
                let (first, last) = stream.place.unwrap_or_default();
                bytes.extend(first.to_le_bytes());
                bytes.extend(last.to_le_bytes());
                put_text(&mut bytes, &stream.codec);
            }
            Message::Origin(stream, origin_ns) => {
                bytes.extend(stream.to_le_bytes());
                bytes.extend(origin_ns.to_le_bytes());
            }
            Message::Failed(failure) => {
                bytes.push(failure.kind);
                bytes.extend(failure.number.to_le_bytes());
                put_text(&mut bytes, &failure.text);
            }
            Message::Tried(tried) => {
                bytes.push(u8::from(tried.refused));
                put_text(&mut bytes, &tried.how);
            }
            Message::Still(still) => {
                put_time(&mut bytes, still.time);
                put_time(&mut bytes, still.until);
                bytes.extend(still.origin_ns.to_le_bytes());
                bytes.extend((still.width as u32).to_le_bytes());
                bytes.extend((still.height as u32).to_le_bytes());
                bytes.extend(&still.rgb);
            }
            Message::Bytes(part) | Message::Measured(part) => bytes.extend(part),
            Message::Read | Message::Shown => {}
        }
        let length = (bytes.len() - HEADER) as u32;
        bytes[1..HEADER].copy_from_slice(&length.to_le_bytes());
        bytes
    }

    fn tag(&self) -> u8 {
        match self {
            Message::Ready(_) => 1,
            Message::Opened(_) => 2,
            Message::Frame(_) => 3,
            Message::Progress(..) => 4,
            Message::Missing(_) => 5,
            Message::Done(..) => 6,
            Message::Failed(_) => 7,
            Message::Tried(_) => 8,
            Message::Stream(_) => 9,
            Message::Origin(..) => 10,
            Message::Bytes(_) => 11,
            Message::Read => 12,
            Message::Picture(_) => 13,
            Message::Still(_) => 14,
            Message::Shown => 15,
            Message::Measured(_) => 20,
        }
    }

    fn of_body(tag: u8, body: &[u8]) -> Option<Message> {
        let mut body = Body(body);
        let message = match tag {
            1 => {
                body.take(PROTOCOL.len())
                    .filter(|protocol| *protocol == PROTOCOL)?;
                Message::Ready(Protections {
                    landlock_version: body.byte()?,
                    seccomp: body.truth()?,
                    no_capabilities: body.truth()?,
                    no_new_privileges: body.truth()?,
                    limits: body.truth()?,
                    dies_with_parent: body.truth()?,
                })
            }
            2 => {
                let (width, height) = (body.number()?, body.number()?);
                let (has_declared, declared) = (body.truth()?, body.time()?);
                let declared = has_declared.then_some(declared);
                Message::Opened(StreamInfo {
                    width,
                    height,
                    declared,
                    codec: body.text()?,
                    container: body.text()?,
                    pixel_format: body.text()?,
                })
            }
            3 => Message::Frame(body.frame(SIDE_MAX, SIDE_MAX * SIDE_MAX)?),
            4 => Message::Progress(body.time()?, body.long()?),
            5 => Message::Missing(Undecoded {
                start: body.time()?,
                end: body.time()?,
                reason: body.text()?,
            }),
            6 => Message::Done(body.time()?, body.long()?),
            7 => Message::Failed(Failure {
                kind: body.byte()?,
                number: body.number()?,
                text: body.text()?,
            }),
            8 => Message::Tried(Tried {
                refused: body.truth()?,
                how: body.text()?,
            }),
            9 => {
                let (index, width, height) = (body.number()?, body.number()?, body.number()?);
                let (cover, placed) = (body.truth()?, body.truth()?);
                let place = (body.long()?, body.long()?);
                let place = placed.then_some(place);
                Message::Stream(VideoStream {
                    index,
                    codec: body.text()?,
                    width,
                    height,
                    cover,
                    place,
                })
            }
            10 => Message::Origin(body.number()?, body.long()?.cast_signed()),
            11 => Message::Bytes(std::mem::take(&mut body.0).to_vec()),
            12 => Message::Read,
            13 => {
                Message::Picture(body.frame(small_side_max(CLIP_PICTURE_AREA), PICTURE_AREA_MAX)?)
            }
            14 => Message::Still(body.still()?),
            15 => Message::Shown,
            20 => Message::Measured(std::mem::take(&mut body.0).to_vec()),
            _ => return None,
        };
        body.0.is_empty().then_some(message)
    }
}

/// Splits received bytes into messages.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    bytes: Vec<u8>,
    at: usize,
}

impl Inbox {
    /// Adds received bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..std::mem::take(&mut self.at));
        self.bytes.extend_from_slice(bytes);
    }

    /// Returns whether the bytes end within a message.
    pub(super) fn is_torn(&self) -> bool {
        self.at < self.bytes.len()
    }

    /// Returns the next complete message; an error says that the bytes are not valid messages.
    pub(super) fn next(&mut self) -> Result<Option<Message>, String> {
        let Some((header, rest)) = self.bytes[self.at..].split_at_checked(HEADER) else {
            return Ok(None);
        };
        let tag = header[0];
        let length = u32::from_le_bytes([header[1], header[2], header[3], header[4]]) as usize;
        if length > longest(tag) {
            return Err(format!("a message of kind {tag} with {length} bytes"));
        }
        let Some(body) = rest.get(..length) else {
            return Ok(None);
        };
        let message = Message::of_body(tag, body)
            .ok_or_else(|| format!("a malformed message of kind {tag}"))?;
        self.at += HEADER + length;
        Ok(Some(message))
    }
}

/// Makes a text valid for a message: no control characters, and not too long.
pub(super) fn clean(text: &str) -> String {
    let mut clean: String = text
        .chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect();
    if clean.len() > TEXT_MAX {
        let end = (0..=TEXT_MAX - 3)
            .rev()
            .find(|&end| clean.is_char_boundary(end))
            .unwrap_or(0);
        clean.truncate(end);
        clean.push('…');
    }
    clean
}

/// Maximum bytes of a file's result per message.
pub(super) const BYTES_MAX: usize = 1 << 16;

/// Maximum bytes of a clip's measurements: a few dozen numbers, some boxes and texts.
pub(super) const MEASURED_MAX: usize = 1 << 16;

/// Maximum side of a frame.
const SIDE_MAX: usize = Resolution::Double.times() * LONG_SIDE_MAX;
/// Maximum pixels of a small picture.
const PICTURE_AREA_MAX: usize = small_area_max(CLIP_PICTURE_AREA);

/// Maximum length of a body by tag, in bytes.
fn longest(tag: u8) -> usize {
    match tag {
        1 => 16,
        2 => 4 + 4 + 1 + 8 + 3 * (2 + TEXT_MAX),
        3 => 8 + 4 + 4 + SIDE_MAX * SIDE_MAX,
        4 | 6 => 16,
        5 => 8 + 8 + 2 + TEXT_MAX,
        7 | 8 => 1 + 4 + 2 + TEXT_MAX,
        9 => 3 * 4 + 2 + 2 * 8 + 2 + TEXT_MAX,
        10 => 4 + 8,
        11 => BYTES_MAX,
        13 => 8 + 4 + 4 + PICTURE_AREA_MAX,
        14 => 3 * 8 + 4 + 4 + 3 * STILL_SIDE_MAX * STILL_LONG_MAX,
        20 => MEASURED_MAX,
        _ => 0,
    }
}

fn put_time(bytes: &mut Vec<u8>, time: Duration) {
    bytes.extend(
        u64::try_from(time.as_nanos())
            .unwrap_or(u64::MAX)
            .to_le_bytes(),
    );
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    let text = clean(text);
    bytes.extend((text.len() as u16).to_le_bytes());
    bytes.extend(text.bytes());
}

/// The unread rest of a body.
struct Body<'a>(&'a [u8]);

impl<'a> Body<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|byte| byte[0])
    }

    fn truth(&mut self) -> Option<bool> {
        match self.byte()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    fn number(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn long(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    fn time(&mut self) -> Option<Duration> {
        self.long().map(Duration::from_nanos)
    }

    /// Reads a frame of limited sides and area.
    fn frame(&mut self, side_max: usize, area_max: usize) -> Option<Frame> {
        let time = self.time()?;
        let (width, height) = (self.number()? as usize, self.number()? as usize);
        let sides = 1..=side_max;
        if !sides.contains(&width) || !sides.contains(&height) || width * height > area_max {
            return None;
        }
        Some(Frame {
            time,
            width,
            height,
            luma: self.take(width * height)?.to_vec(),
        })
    }

    /// Reads a still of limited sides.
    fn still(&mut self) -> Option<Still> {
        let (time, until, origin_ns) = (self.time()?, self.time()?, self.long()?.cast_signed());
        let (width, height) = (self.number()? as usize, self.number()? as usize);
        let (short, long) = (width.min(height), width.max(height));
        if !(1..=STILL_SIDE_MAX).contains(&short) || long > STILL_LONG_MAX || until < time {
            return None;
        }
        Some(Still {
            time,
            until,
            origin_ns,
            width,
            height,
            rgb: self.take(3 * width * height)?.to_vec(),
        })
    }

    fn text(&mut self) -> Option<String> {
        let length = u16::from_le_bytes(self.take(2)?.try_into().ok()?);
        let text = std::str::from_utf8(self.take(usize::from(length))?).ok()?;
        (text.len() <= TEXT_MAX && !text.contains(char::is_control)).then(|| text.to_owned())
    }
}

/// Bytes of tag and length.
const HEADER: usize = 5;
/// Maximum length of a text, in bytes.
const TEXT_MAX: usize = 500;
/// Changes with the messages, so that programs of different versions do not misread each other.
const PROTOCOL: &[u8] = b"uniq 7\n";

#[cfg(test)]
mod tests;
