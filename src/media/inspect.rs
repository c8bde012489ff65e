//! Shows decoded frames at full size, together with the container's metadata, to code that measures
//! a clip.
//!
//! It sees the frames that are decoded anyway, and cannot change which frames are handed out.

use std::time::Duration;

use ffmpeg_next as ffmpeg;

use ffmpeg::util::frame::Video;

use super::Source;
use super::geometry::Orientation;
use super::open::Stream;

/// Measures a clip while it is decoded.
pub trait Inspector {
    /// The file, before it is decoded.
    fn file(&mut self, source: &Source);
    /// The container's metadata; called again for a recording that is joined to the file.
    fn tags(&mut self, tags: &Tags);
    /// A frame, in order of presentation.
    fn frame(&mut self, frame: &FullFrame<'_>);
    /// Returns the measurements, after the last frame. They are trusted no more than the file is.
    fn finish(&mut self) -> Vec<u8>;
}

/// A container's metadata for a recording, as stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tags {
    /// Names and values of the file's and the stream's metadata.
    pub pairs: Vec<(String, String)>,
}

/// A decoded frame as it is stored: neither turned upright nor with square pixels.
#[derive(Debug, Clone, Copy)]
pub struct FullFrame<'a> {
    /// When it is shown, counted from the first frame of the stream.
    pub time: Duration,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Bits of a luma sample; 0 if unknown.
    pub depth: u32,
    /// Whether the decoder marked it as two fields.
    pub interlaced: bool,
    /// How to turn it upright.
    pub turn: Turn,
    /// The luma; `None` for formats without a luma plane, such as RGB.
    pub luma: Option<Luma<'a>>,
}

/// How to turn a stored frame upright.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Turn {
    /// Columns and rows are swapped.
    pub transposed: bool,
    /// The stored columns are read from right to left.
    pub columns_reversed: bool,
    /// The stored rows are read from bottom to top.
    pub rows_reversed: bool,
}

/// A plane of luma samples.
#[derive(Debug, Clone, Copy)]
pub struct Luma<'a> {
    bytes: &'a [u8],
    /// Bytes from one row to the next.
    stride: usize,
    /// Bytes of a sample: 1, or 2 (little-endian).
    step: usize,
    width: usize,
    height: usize,
    /// Black and white of an 8-bit sample.
    limited: bool,
    depth: u32,
}

impl<'a> Luma<'a> {
    /// A plane of 8-bit samples without padding, with black at 0: for tests and for generated
    /// frames.
    #[cfg(test)]
    pub(crate) fn of_bytes(bytes: &'a [u8], width: usize, height: usize) -> Luma<'a> {
        assert!(bytes.len() >= width * height);
        Luma {
            bytes,
            stride: width,
            step: 1,
            width,
            height,
            limited: false,
            depth: 8,
        }
    }

    /// A plane of samples of `depth` bits, two bytes each.
    #[cfg(test)]
    pub(crate) fn of_words(bytes: &'a [u8], width: usize, height: usize, depth: u32) -> Luma<'a> {
        assert!(bytes.len() >= 2 * width * height);
        Luma {
            bytes,
            stride: 2 * width,
            step: 2,
            width,
            height,
            limited: false,
            depth,
        }
    }

    /// Whether black is 16 and white 235, scaled to the depth.
    pub fn is_limited(&self) -> bool {
        self.limited
    }

    /// Copies the stored samples of a row from the column `from` on, at most `out.len()`, and
    /// returns how many. The rest of `out` is unchanged.
    pub fn row(&self, y: usize, from: usize, out: &mut [u16]) -> usize {
        let count = self.width.saturating_sub(from).min(out.len());
        if y >= self.height {
            return 0;
        }
        let start = y * self.stride + from * self.step;
        let row = &self.bytes[start..start + count * self.step];
        if self.step == 1 {
            out.iter_mut()
                .zip(row)
                .for_each(|(out, &level)| *out = u16::from(level));
        } else {
            out.iter_mut()
                .zip(row.chunks_exact(2))
                .for_each(|(out, level)| *out = u16::from_le_bytes([level[0], level[1]]));
        }
        count
    }

    /// Means of the whole blocks of `block` x `block` samples, in 16ths of an 8-bit level.
    pub fn reduced(&self, block: usize) -> (usize, usize, Vec<u16>) {
        let block = block.max(1);
        let (across, down) = (self.width / block, self.height / block);
        let mut means = Vec::with_capacity(across * down);
        let mut sums = vec![0_u32; across];
        // In large blocks every second row is enough.
        let rows = if block >= 4 { block / 2 } else { block };
        let scale = (rows * block) as u32 * (1 << (self.depth - 8));
        for y in 0..down {
            sums.fill(0);
            for row in 0..rows {
                let row = y * block + row * (block / rows);
                let start = row * self.stride;
                let bytes = &self.bytes[start..start + across * block * self.step];
                if self.step == 1 {
                    add_blocks(&mut sums, bytes, block);
                } else {
                    for (sum, block) in sums.iter_mut().zip(bytes.chunks_exact(2 * block)) {
                        *sum += block
                            .chunks_exact(2)
                            .map(|level| u32::from(u16::from_le_bytes([level[0], level[1]])))
                            .sum::<u32>();
                    }
                }
            }
            means.extend(sums.iter().map(|&sum| ((sum * 16) / scale) as u16));
        }
        (across, down, means)
    }
}

/// A plane of luma samples that outlives its frame.
#[derive(Debug, Clone, Default)]
pub struct OwnedLuma {
    bytes: Vec<u8>,
    stride: usize,
    step: usize,
    width: usize,
    height: usize,
    limited: bool,
    depth: u32,
}

impl OwnedLuma {
    /// Copies a plane.
    pub fn copy(&mut self, luma: &Luma<'_>) {
        let Luma {
            bytes,
            stride,
            step,
            width,
            height,
            limited,
            depth,
        } = *luma;
        self.bytes.clear();
        self.bytes.extend_from_slice(bytes);
        (self.stride, self.step, self.width, self.height) = (stride, step, width, height);
        (self.limited, self.depth) = (limited, depth);
    }

    /// Columns and rows.
    pub fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    /// Bits of a sample.
    pub fn depth(&self) -> u32 {
        self.depth
    }

    /// The plane.
    pub fn view(&self) -> Luma<'_> {
        let OwnedLuma {
            bytes,
            stride,
            step,
            width,
            height,
            limited,
            depth,
        } = self;
        let (stride, step, width, height) = (*stride, *step, *width, *height);
        Luma {
            bytes,
            stride,
            step,
            width,
            height,
            limited: *limited,
            depth: *depth,
        }
    }
}

/// Adds up the bytes of each block of a row. The usual widths are constants, which the compiler can
/// optimise.
fn add_blocks(sums: &mut [u32], bytes: &[u8], block: usize) {
    fn add<const N: usize>(sums: &mut [u32], bytes: &[u8]) {
        for (sum, block) in sums.iter_mut().zip(bytes.as_chunks::<N>().0) {
            *sum += u32::from(block.iter().map(|&level| u16::from(level)).sum::<u16>());
        }
    }
    match block {
        1 => add::<1>(sums, bytes),
        2 => add::<2>(sums, bytes),
        3 => add::<3>(sums, bytes),
        4 => add::<4>(sums, bytes),
        5 => add::<5>(sums, bytes),
        6 => add::<6>(sums, bytes),
        _ => {
            for (sum, block) in sums.iter_mut().zip(bytes.chunks_exact(block)) {
                *sum += block.iter().map(|&level| u32::from(level)).sum::<u32>();
            }
        }
    }
}

/// Views a decoded frame.
#[allow(unsafe_code)]
pub(super) fn view(picture: &Video, time: Duration, orientation: Orientation) -> FullFrame<'_> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let (depth, plane) = match super::luma::plane(picture.format(), picture.color_range()) {
        Some(super::luma::PlaneOfLuma {
            depth,
            step,
            limited,
        }) => (depth, Some((step, limited))),
        None => (super::luma::depth(picture.format()), None),
    };
    let luma = plane.and_then(|(step, limited)| {
        // SAFETY: the frame is alive for as long as the returned view borrows it. A decoder
        // allocates `linesize` bytes for each of `height` rows of plane 0, whose samples take
        // `step` bytes. A plane stored bottom-up (negative `linesize`) or with rows too short for
        // its samples is refused.
        let bytes = unsafe {
            let frame = &*picture.as_ptr();
            let stride = usize::try_from(frame.linesize[0]).ok()?;
            if frame.data[0].is_null() || stride < width * step || height == 0 || width == 0 {
                return None;
            }
            // The last row ends with its samples.
            let length = stride.checked_mul(height - 1)?.checked_add(width * step)?;
            (
                std::slice::from_raw_parts(frame.data[0].cast_const(), length),
                stride,
            )
        };
        Some(Luma {
            bytes: bytes.0,
            stride: bytes.1,
            step,
            width,
            height,
            limited,
            depth,
        })
    });
    let (transposed, columns_reversed, rows_reversed) = orientation.parts();
    let turn = Turn {
        transposed,
        columns_reversed,
        rows_reversed,
    };
    FullFrame {
        time,
        width,
        height,
        depth,
        interlaced: picture.is_interlaced(),
        turn,
        luma,
    }
}

/// The metadata of the file and of the decoded stream, bounded in number and length.
pub(super) fn tags(input: &ffmpeg::format::context::Input, stream: &Stream) -> Tags {
    let mut pairs = Vec::new();
    let mut add = |metadata: ffmpeg::DictionaryRef<'_>| {
        for (name, value) in metadata.iter().take(TAGS_MAX) {
            let cut = |text: &str| text.chars().take(TAG_LENGTH_MAX).collect::<String>();
            pairs.push((cut(name), cut(value)));
        }
    };
    if let Some(stream) = input.stream(stream.index) {
        add(stream.metadata());
    }
    add(input.metadata());
    Tags { pairs }
}

/// Maximum entries read of one metadata list.
const TAGS_MAX: usize = 200;
/// Maximum length of a name or value, in characters.
const TAG_LENGTH_MAX: usize = 200;
