//! Turns a decoded picture into the small upright luma picture that the rest of the crate works on.
//!
//! The luma is read in place: the scaler gets a plane of 8 to 16 bit samples as a grey picture, so
//! that chroma is never touched. Interlaced pictures are averaged over both fields; at the working
//! size this equals a blend of two moments a field apart. Colours are not managed: an HDR picture
//! keeps its transfer curve.
//!
//! Colour stills are for people only; the scaler converts them as a whole.

use ffmpeg_next as ffmpeg;
use ffmpeg_next::ffi;

use ffmpeg::format::Pixel;
use ffmpeg::software::scaling;
use ffmpeg::util::frame::Video;

use super::geometry::{Orientation, displayed_size, frame_size, small_size};
use super::stills::still_size;
use super::{Frame, Resolution};

/// A scaler for one kind of picture, rebuilt when the stream changes its size or format.
#[derive(Default)]
pub(super) struct LumaScaler {
    current: Option<Scaler>,
}

struct Scaler {
    key: Key,
    context: scaling::Context,
    source: Source,
}

/// Everything that a scaler depends on.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Key {
    format: Pixel,
    range: ffmpeg::color::Range,
    width: u32,
    height: u32,
    out: (usize, usize),
    /// The matrix of a colour still, by FFmpeg's number; `None` for grey.
    colour: Option<i32>,
}

/// How to obtain the luma from the decoder's planes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// Plane 0 is luma; in `limited` luma black is 16 and white is 235 (scaled to the depth).
    Plane { view: Pixel, limited: bool },
    /// The scaler converts the picture and expands limited range itself.
    Converted { full: bool },
}

impl LumaScaler {
    /// Scales `picture` to the working size, or twice that, and turns it upright; `time` stays
    /// zero.
    ///
    /// The error is a reason for people. The scaler accepts nearly everything, except pictures
    /// without luma in memory, such as a hardware surface.
    pub(super) fn scale(
        &mut self,
        picture: &Video,
        sample_aspect: (u32, u32),
        orientation: Orientation,
        resolution: Resolution,
    ) -> Result<Frame, String> {
        let out = frame_size(picture.width(), picture.height(), sample_aspect, resolution);
        self.scale_to(out, picture, orientation)
    }

    /// Makes the small picture of about `area` pixels of `picture`, upright and with square pixels;
    /// `time` stays zero. Errors are those of [`LumaScaler::scale`].
    pub(super) fn shrink(
        &mut self,
        picture: &Video,
        sample_aspect: (u32, u32),
        orientation: Orientation,
        area: usize,
    ) -> Result<Frame, String> {
        let displayed = displayed_size(
            picture.width(),
            picture.height(),
            sample_aspect,
            Orientation::UPRIGHT,
        );
        let out = small_size(displayed.0 as usize, displayed.1 as usize, area);
        self.scale_to(out, picture, orientation)
    }

    /// Makes the colour still of `picture`, upright and with square pixels, with a short side of at
    /// most `side` pixels. Returns columns, rows, and red, green and blue of each pixel. Errors are
    /// those of [`LumaScaler::scale`].
    pub(super) fn colour(
        &mut self,
        picture: &Video,
        sample_aspect: (u32, u32),
        orientation: Orientation,
        side: usize,
    ) -> Result<(usize, usize, Vec<u8>), String> {
        let displayed = displayed_size(
            picture.width(),
            picture.height(),
            sample_aspect,
            Orientation::UPRIGHT,
        );
        let out = still_size(displayed.0 as usize, displayed.1 as usize, side);
        let rgb = self.run(out, picture, Some(matrix_of(picture)))?;
        let (width, height) = orientation.apply_to_size(out);
        Ok((width, height, orientation.apply::<3>(rgb, out.0, out.1)))
    }

    /// Scales `picture` to a size given before turning upright.
    fn scale_to(
        &mut self,
        out: (usize, usize),
        picture: &Video,
        orientation: Orientation,
    ) -> Result<Frame, String> {
        let luma = self.run(out, picture, None)?;
        let (width, height) = orientation.apply_to_size(out);
        Ok(Frame {
            time: std::time::Duration::ZERO,
            width,
            height,
            luma: orientation.apply::<1>(luma, out.0, out.1),
        })
    }

    /// Scales `picture` and returns its pixels, not yet turned upright.
    fn run(
        &mut self,
        out: (usize, usize),
        picture: &Video,
        colour: Option<i32>,
    ) -> Result<Vec<u8>, String> {
        let (width, height) = (picture.width(), picture.height());
        let key = Key {
            format: picture.format(),
            range: picture.color_range(),
            width,
            height,
            out,
            colour,
        };
        if self.current.as_ref().is_none_or(|scaler| scaler.key != key) {
            self.current = Some(Scaler::new(key)?);
        }
        let Some(scaler) = self.current.as_mut() else {
            return Err("no scaler".to_owned());
        };
        scaler.run(picture)
    }
}

impl Scaler {
    fn new(key: Key) -> Result<Scaler, String> {
        let source = source_of(key.format, key.range)
            .ok_or_else(|| format!("pictures of format {:?} have no luma", key.format))?;
        let source = match (source, key.colour) {
            (Source::Plane { limited, .. }, Some(_)) => Source::Converted { full: !limited },
            (source, _) => source,
        };
        let view = match source {
            Source::Plane { view, .. } => view,
            Source::Converted { .. } => key.format,
        };
        let (out_width, out_height) = key.out;
        let mut context = scaling::Context::get(
            view,
            key.width,
            key.height,
            if key.colour.is_some() {
                Pixel::RGB24
            } else {
                Pixel::GRAY8
            },
            out_width as u32,
            out_height as u32,
            scaling::Flags::AREA | scaling::Flags::ACCURATE_RND | scaling::Flags::BITEXACT,
        )
        .map_err(|error| {
            format!(
                "cannot scale {}x{} {:?}: {error}",
                key.width, key.height, key.format
            )
        })?;
        if let Source::Converted { full } = source {
            set_ranges(
                &mut context,
                key.colour.unwrap_or(ffi::SWS_CS_DEFAULT),
                full,
            );
        }
        Ok(Scaler {
            key,
            context,
            source,
        })
    }

    #[allow(unsafe_code)]
    fn run(&mut self, picture: &Video) -> Result<Vec<u8>, String> {
        let (out_width, out_height) = self.key.out;
        // The scaler's vector code may write up to one register's width past a row's end.
        let row = if self.key.colour.is_some() {
            3 * out_width
        } else {
            out_width
        };
        let stride = row.next_multiple_of(STRIDE_ALIGNMENT);
        let mut padded = vec![0_u8; stride * out_height + STRIDE_ALIGNMENT];
        // SAFETY: `picture` is a decoded frame of the size and format in `self.key` (compared by
        // the caller). So its data pointers and strides describe `height` rows of every plane of
        // that format, and plane 0 seen as the grey format `view` has the same rows and sample size
        // (`source_of`). The output, grey or RGB24, has `out_height` rows of `stride` bytes, none
        // shorter than its pixels, plus one register's width. The call keeps no pointer.
        let rows = unsafe {
            let frame = picture.as_ptr();
            if (*frame).data[0].is_null() {
                return Err("a frame without pixels".to_owned());
            }
            let mut data: [*const u8; 4] = [std::ptr::null(); 4];
            let mut strides = [0; 4];
            let planes = match self.source {
                Source::Plane { .. } => 1,
                Source::Converted { .. } => 4,
            };
            let described = (*frame).data.iter().zip((*frame).linesize.iter());
            let slots = data.iter_mut().zip(&mut strides).take(planes);
            for ((data, stride), (plane, bytes)) in slots.zip(described) {
                *data = plane.cast_const();
                *stride = *bytes;
            }
            let out = [
                padded.as_mut_ptr(),
                std::ptr::null_mut(),
                std::ptr::null_mut(),
                std::ptr::null_mut(),
            ];
            let out_strides = [stride as i32, 0, 0, 0];
            ffi::sws_scale(
                self.context.as_mut_ptr(),
                data.as_ptr(),
                strides.as_ptr(),
                0,
                self.key.height as i32,
                out.as_ptr(),
                out_strides.as_ptr(),
            )
        };
        if usize::try_from(rows).ok() != Some(out_height) {
            return Err(format!("scaling gave {rows} of {out_height} rows"));
        }
        let mut pixels = Vec::with_capacity(row * out_height);
        for line in padded.chunks_exact(stride).take(out_height) {
            pixels.extend_from_slice(&line[..row]);
        }
        if let Source::Plane { limited: true, .. } = self.source {
            for level in &mut pixels {
                *level = FULL_RANGE[usize::from(*level)];
            }
        }
        Ok(pixels)
    }
}

/// Sets the matrix and the range of the scaler's input; its output is always full range.
#[allow(unsafe_code)]
fn set_ranges(context: &mut scaling::Context, matrix: i32, full: bool) {
    // SAFETY: the context is valid for the call, and the coefficient tables are static tables of
    // the library. If the call is refused (formats without a range), it leaves the context
    // unchanged.
    unsafe {
        let (input, output) = (
            ffi::sws_getCoefficients(matrix),
            ffi::sws_getCoefficients(ffi::SWS_CS_DEFAULT),
        );
        let neutral = 1 << 16;
        ffi::sws_setColorspaceDetails(
            context.as_mut_ptr(),
            input,
            i32::from(full),
            output,
            1,
            0,
            neutral,
            neutral,
        );
    }
}

/// The matrix that converts a picture to RGB, by FFmpeg's number. If the picture does not state it,
/// it follows from its size, as in players.
fn matrix_of(picture: &Video) -> i32 {
    use ffmpeg::color::Space;
    match picture.color_space() {
        Space::BT709 => ffi::SWS_CS_ITU709,
        Space::BT2020NCL | Space::BT2020CL => ffi::SWS_CS_BT2020,
        Space::FCC => ffi::SWS_CS_FCC,
        Space::SMPTE240M => ffi::SWS_CS_SMPTE240M,
        Space::Unspecified if picture.height().min(picture.width()) >= HD_ROWS => {
            ffi::SWS_CS_ITU709
        }
        _ => ffi::SWS_CS_DEFAULT,
    }
}

/// Rows from which players assume BT.709 for a picture that states no matrix.
const HD_ROWS: u32 = 720;

/// A plane of a frame that is luma and readable in place.
pub(super) struct PlaneOfLuma {
    /// Bits of a sample.
    pub(super) depth: u32,
    /// Bytes of a sample: 1, or 2 (little-endian).
    pub(super) step: usize,
    pub(super) limited: bool,
}

/// Plane 0 of `format`, if it is luma of 8 to 16 bits from the lowest bit on.
pub(super) fn plane(format: Pixel, range: ffmpeg::color::Range) -> Option<PlaneOfLuma> {
    let Source::Plane { view, limited } = source_of(format, range)? else {
        return None;
    };
    let depth = match view {
        Pixel::GRAY8 => 8,
        Pixel::GRAY9LE => 9,
        Pixel::GRAY10LE => 10,
        Pixel::GRAY12LE => 12,
        Pixel::GRAY14LE => 14,
        Pixel::GRAY16LE => 16,
        _ => return None,
    };
    // Samples in the upper bits, as in P010, would look deeper than they are.
    (self::depth(format) == depth).then_some(PlaneOfLuma {
        depth,
        step: if depth == 8 { 1 } else { 2 },
        limited,
    })
}

/// Bits of a sample of the first component; 0 if the format is unknown.
#[allow(unsafe_code)]
pub(super) fn depth(format: Pixel) -> u32 {
    let Some(descriptor) = format.descriptor() else {
        return 0;
    };
    // SAFETY: descriptors are static tables of the library.
    let depth = unsafe { (*descriptor.as_ptr()).comp[0].depth };
    u32::try_from(depth).unwrap_or(0)
}

/// Decides how to read the luma of `format`; `None` if memory holds none.
#[allow(unsafe_code)]
fn source_of(format: Pixel, range: ffmpeg::color::Range) -> Option<Source> {
    let descriptor = format.descriptor()?;
    // SAFETY: descriptors are static tables of the library.
    let (flags, luma, components, name) = unsafe {
        let descriptor = &*descriptor.as_ptr();
        (
            descriptor.flags as i32,
            descriptor.comp[0],
            descriptor.nb_components,
            std::ffi::CStr::from_ptr(descriptor.name).to_bytes(),
        )
    };
    let has = |flag: i32| flags & flag != 0;
    if has(ffi::AV_PIX_FMT_FLAG_HWACCEL) {
        return None;
    }
    let rgb = has(ffi::AV_PIX_FMT_FLAG_RGB)
        || has(ffi::AV_PIX_FMT_FLAG_PAL)
        || has(ffi::AV_PIX_FMT_FLAG_BAYER);
    // Grey formats are full range unless stated otherwise, as in every player built on FFmpeg.
    let full = match range {
        ffmpeg::color::Range::JPEG => true,
        ffmpeg::color::Range::MPEG => rgb,
        ffmpeg::color::Range::Unspecified => rgb || name.starts_with(b"yuvj") || components < 3,
    };
    let odd = ffi::AV_PIX_FMT_FLAG_BITSTREAM | ffi::AV_PIX_FMT_FLAG_FLOAT;
    let view = (!rgb && !has(odd) && luma.plane == 0 && luma.offset == 0)
        .then(|| {
            grey_view(
                luma.step,
                luma.depth + luma.shift,
                has(ffi::AV_PIX_FMT_FLAG_BE),
            )
        })
        .flatten();
    Some(match view {
        Some(view) => Source::Plane {
            view,
            limited: !full,
        },
        None => Source::Converted { full },
    })
}

/// The grey format with samples of `step` bytes, of which the lowest `bits` bits are significant.
fn grey_view(step: i32, bits: i32, big_endian: bool) -> Option<Pixel> {
    Some(match (step, bits, big_endian) {
        (1, 8, _) => Pixel::GRAY8,
        (2, 9, false) => Pixel::GRAY9LE,
        (2, 9, true) => Pixel::GRAY9BE,
        (2, 10, false) => Pixel::GRAY10LE,
        (2, 10, true) => Pixel::GRAY10BE,
        (2, 12, false) => Pixel::GRAY12LE,
        (2, 12, true) => Pixel::GRAY12BE,
        (2, 14, false) => Pixel::GRAY14LE,
        (2, 14, true) => Pixel::GRAY14BE,
        (2, 16, false) => Pixel::GRAY16LE,
        (2, 16, true) => Pixel::GRAY16BE,
        _ => return None,
    })
}

/// The widest vector register with which the scaler writes, in bytes.
const STRIDE_ALIGNMENT: usize = 64;

/// Limited-range luma (16..=235) stretched to 0..=255.
const FULL_RANGE: [u8; 256] = {
    let mut table = [0_u8; 256];
    let mut level = 16;
    while level < 256 {
        let stretched = ((level - 16) * 255 + 109) / 219;
        table[level] = if stretched > 255 {
            255
        } else {
            stretched as u8
        };
        level += 1;
    }
    table
};

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
