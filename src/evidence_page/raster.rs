//! Pictures of frames: warped, compared, and encoded again (pure).

use base64::Engine as _;
use image::codecs::jpeg::JpegEncoder;

use super::geometry::{Map, contains};
use crate::fingerprint::Thumbnail;
use crate::media::Still;
use crate::report::NonMatch;

/// A picture of red, green and blue bytes, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Picture {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) rgb: Vec<u8>,
}

impl Picture {
    /// The picture of a still; `None` if the number of bytes does not fit its size.
    pub(super) fn of_still(still: Still) -> Option<Picture> {
        let Still {
            width, height, rgb, ..
        } = still;
        (width > 0 && height > 0 && rgb.len() == 3 * width * height).then_some(Picture {
            width,
            height,
            rgb,
        })
    }

    /// A small grey picture of the index, enlarged.
    pub(super) fn of_thumbnail(small: &Thumbnail) -> Picture {
        let rgb = small.luma.iter().flat_map(|&level| [level; 3]).collect();
        let picture = Picture {
            width: small.width.max(1),
            height: small.height.max(1),
            rgb,
        };
        let (width, height) = (ENLARGED * picture.width, ENLARGED * picture.height);
        picture.drawn(width, height, Some)
    }

    /// Width over height.
    pub(super) fn aspect(&self) -> f64 {
        self.width as f64 / self.height as f64
    }

    /// A picture of this size; `from` maps each of its points to a point of this one, as fractions.
    fn drawn(
        &self,
        width: usize,
        height: usize,
        from: impl Fn((f64, f64)) -> Option<(f64, f64)>,
    ) -> Picture {
        let mut rgb = Vec::with_capacity(3 * width * height);
        for y in 0..height {
            for x in 0..width {
                let mut sum = [0.0_f64; 3];
                let mut seen = 0.0;
                // Four samples per pixel, since the clip may be larger than its place.
                for (right, down) in [(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)] {
                    let at = (
                        (x as f64 + right) / width as f64,
                        (y as f64 + down) / height as f64,
                    );
                    if let Some(at) = from(at) {
                        let level = self.sample(at);
                        (0..3).for_each(|i| sum[i] += level[i]);
                        seen += 1.0;
                    }
                }
                if seen >= 2.0 {
                    rgb.extend(sum.map(|sum| (sum / seen).round() as u8));
                } else {
                    rgb.extend(outside(x, y));
                }
            }
        }
        Picture { width, height, rgb }
    }

    /// The colour at a point, interpolated from four pixels.
    fn sample(&self, (x, y): (f64, f64)) -> [f64; 3] {
        let place = |fraction: f64, length: usize| {
            let at = (fraction * length as f64 - 0.5).clamp(0.0, (length - 1) as f64);
            (at as usize, (at as usize + 1).min(length - 1), at.fract())
        };
        let ((left, right, across), (top, bottom, down)) =
            (place(x, self.width), place(y, self.height));
        let pixel =
            |x: usize, y: usize, i: usize| f64::from(self.rgb[3 * (y * self.width + x) + i]);
        std::array::from_fn(|i| {
            let upper = pixel(left, top, i) * (1.0 - across) + pixel(right, top, i) * across;
            let lower = pixel(left, bottom, i) * (1.0 - across) + pixel(right, bottom, i) * across;
            upper * (1.0 - down) + lower * down
        })
    }

    /// The picture as a JPEG in a `data:` URL, encoded here from pixels; `None` if it is empty.
    pub(super) fn data_url(&self) -> Option<String> {
        let mut jpeg = Vec::new();
        let (width, height) = (
            u32::try_from(self.width).ok()?,
            u32::try_from(self.height).ok()?,
        );
        JpegEncoder::new_with_quality(&mut jpeg, QUALITY)
            .encode(&self.rgb, width, height, image::ExtendedColorType::Rgb8)
            .ok()?;
        Some(format!(
            "data:image/jpeg;base64,{}",
            base64::engine::general_purpose::STANDARD.encode(jpeg)
        ))
    }

    /// A small copy for a quick comparison.
    pub(super) fn shrunk(&self) -> Picture {
        let height = (QUICK * self.height / self.width).max(1);
        self.drawn(QUICK, height, Some)
    }

    fn luma(&self) -> Vec<f32> {
        let grey =
            |p: &[u8]| 0.299 * f32::from(p[0]) + 0.587 * f32::from(p[1]) + 0.114 * f32::from(p[2]);
        self.rgb.chunks_exact(3).map(grey).collect()
    }
}

/// The clip's frame laid over the source's, and their difference.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Laid {
    /// The clip's frame in the source's geometry.
    pub(super) warped: Picture,
    /// The difference after matching brightness and contrast; black where there is none.
    pub(super) difference: Picture,
    /// Mean of the difference over the shared part, as a share of the range, 0..=1.
    pub(super) mean: f64,
}

/// Lays the clip's frame over the source's.
pub(super) fn lay(clip: &Picture, source: &Picture, found: &NonMatch, to_source: Map) -> Laid {
    let back = to_source.inverse();
    let in_clip = |at: (f64, f64)| {
        let there = back.apply(at);
        ((0.0..=1.0).contains(&there.0) && (0.0..=1.0).contains(&there.1)).then_some(there)
    };
    let (width, height) = (source.width, source.height);
    let positive = match found.negative {
        true => &Picture {
            rgb: clip.rgb.iter().map(|level| 255 - level).collect(),
            ..*clip
        },
        false => clip,
    };
    let warped = positive.drawn(width, height, in_clip);
    // Compares only the part that both show according to the report, without bars and additions.
    let shared: Vec<bool> = (0..width * height)
        .map(|i| {
            let at = (
                (0.5 + (i % width) as f64) / width as f64,
                (0.5 + (i / width) as f64) / height as f64,
            );
            in_clip(at).is_some() && contains(found.geometry.reference, at)
        })
        .collect();
    let (ours, theirs) = (
        blurred(&warped.luma(), width, height),
        blurred(&source.luma(), width, height),
    );
    let (gain, offset) = matched(&ours, &theirs, &shared);
    let (mut sum, mut count, mut rgb) = (0.0_f64, 0_u32, Vec::with_capacity(3 * width * height));
    for i in 0..width * height {
        if shared[i] {
            let off = (theirs[i] - (gain * ours[i] + offset)).abs();
            sum += f64::from(off) / 255.0;
            count += 1;
            rgb.extend([(AMPLIFIED * off).min(255.0) as u8; 3]);
        } else {
            rgb.extend(outside(i % width, i / width));
        }
    }
    Laid {
        warped,
        difference: Picture { width, height, rgb },
        mean: sum / f64::from(count.max(1)),
    }
}

/// The gain and offset of brightness that bring `ours` nearest to `theirs`: first for all pixels,
/// then for those that agree.
fn matched(ours: &[f32], theirs: &[f32], shared: &[bool]) -> (f32, f32) {
    let (mut gain, mut offset) = (1.0_f32, 0.0_f32);
    let mut limit = f32::INFINITY;
    for _ in 0..FITS {
        let (mut n, mut x, mut y, mut xx, mut xy) = (0.0_f64, 0.0_f64, 0.0_f64, 0.0_f64, 0.0_f64);
        for i in (0..ours.len())
            .filter(|&i| shared[i] && (theirs[i] - gain * ours[i] - offset).abs() <= limit)
        {
            let (a, b) = (f64::from(ours[i]), f64::from(theirs[i]));
            (n, x, y, xx, xy) = (n + 1.0, x + a, y + b, xx + a * a, xy + a * b);
        }
        if n < 16.0 {
            break;
        }
        let variance = xx / n - (x / n).powi(2);
        let slope = if variance > 1.0 {
            (xy / n - x / n * (y / n)) / variance
        } else {
            1.0
        };
        // A larger change of contrast means another picture.
        gain = (slope as f32).clamp(GAIN_MIN, GAIN_MAX);
        offset = (y / n) as f32 - gain * (x / n) as f32;
        limit = AGREEING;
    }
    (gain, offset)
}

/// The mean of nine pixels, so that sharpness and codec artefacts do not count as differences.
fn blurred(luma: &[f32], width: usize, height: usize) -> Vec<f32> {
    let at = |x: usize, y: usize| luma[y * width + x];
    let mut out = Vec::with_capacity(luma.len());
    for y in 0..height {
        for x in 0..width {
            let (mut sum, mut count) = (0.0, 0.0);
            for y in y.saturating_sub(1)..(y + 2).min(height) {
                for x in x.saturating_sub(1)..(x + 2).min(width) {
                    sum += at(x, y);
                    count += 1.0;
                }
            }
            out.push(sum / count);
        }
    }
    out
}

/// Stripes that occur in no frame, for places without content.
fn outside(x: usize, y: usize) -> [u8; 3] {
    if ((x + y) / 6).is_multiple_of(2) {
        [58, 62, 92]
    } else {
        [78, 84, 120]
    }
}

/// Enlargement of an index picture.
const ENLARGED: usize = 5;
/// Columns of a picture in a quick comparison.
const QUICK: usize = 160;
/// Quality of JPEGs, 1 to 100: at 70 a still of 480x270 takes about 20 kB.
const QUALITY: u8 = 70;
/// Factor by which differences are brightened.
const AMPLIFIED: f32 = 4.0;
/// Maximum difference, in grey levels, of pixels that count for brightness and contrast; this
/// excludes captions and logos.
const AGREEING: f32 = 40.0;
/// Number of fits of gain and offset, each to the pixels that agreed with the fit before. With a
/// caption over a seventh of the frame, the gain is right after eight fits; after three it is still
/// a third.
const FITS: usize = 16;
/// Minimum and maximum change of contrast that is compensated.
const GAIN_MIN: f32 = 0.3;
const GAIN_MAX: f32 = 3.0;

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    fn picture(level: impl Fn(usize, usize) -> u8) -> Picture {
        let (width, height) = (64, 36);
        let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        Picture {
            width,
            height,
            rgb: pixels.flat_map(|(x, y)| [level(x, y); 3]).collect(),
        }
    }

    fn texture(x: usize, y: usize) -> u8 {
        (60.0 + 50.0 * (x as f64 / 5.0).sin() + 40.0 * (y as f64 / 4.0).cos()) as u8
    }

    fn laid(clip: &Picture, source: &Picture, change: impl FnOnce(&mut NonMatch)) -> Laid {
        let mut found = testing::found();
        change(&mut found);
        lay(
            clip,
            source,
            &found,
            Map::to_source(&found, clip.aspect()).unwrap(),
        )
    }

    #[test]
    fn a_mirrored_and_brightened_copy_does_not_differ_and_another_picture_does() {
        let source = picture(texture);
        let clip = picture(|x, y| (1.3 * f64::from(texture(63 - x, y)) + 20.0) as u8);
        let mirrored = |found: &mut NonMatch| found.mirrored = true;
        let same = laid(&clip, &source, mirrored);
        assert!(same.mean < 0.01, "{}", same.mean);
        let other = laid(&clip, &picture(|x, y| texture(2 * y, x)), mirrored);
        assert!(other.mean > 0.05, "{}", other.mean);
        let negative = picture(|x, y| 255 - texture(x, y));
        assert!(laid(&negative, &source, |found| found.negative = true).mean < 0.01);
    }

    #[test]
    fn a_caption_shows_as_a_difference_and_the_rest_does_not() {
        let source = picture(texture);
        let clip = picture(|x, y| if y > 30 { 255 } else { texture(x, y) });
        let found = laid(&clip, &source, |_| ());
        let level = |x: usize, y: usize| found.difference.rgb[3 * (y * 64 + x)];
        assert!(
            level(30, 34) > 200 && level(30, 10) < 20,
            "{} {}",
            level(30, 34),
            level(30, 10)
        );
    }

    #[test]
    fn what_the_clip_does_not_show_is_striped() {
        let source = picture(texture);
        let found = laid(&source, &source, |found| {
            found.geometry.reference.width = 0.5
        });
        assert_eq!(found.warped.rgb[3 * 60..][..3], outside(60, 0));
        assert_eq!(found.difference.rgb[3 * 60..][..3], outside(60, 0));
    }

    #[test]
    fn a_picture_is_encoded_as_a_jpeg_and_forged_sides_give_none() {
        let url = picture(texture).data_url().unwrap();
        assert!(
            url.starts_with("data:image/jpeg;base64,/9j/"),
            "{}",
            &url[..40]
        );
        let time = std::time::Duration::ZERO;
        let still = Still {
            time,
            until: time,
            origin_ns: 0,
            width: 4,
            height: 4,
            rgb: vec![0; 47],
        };
        assert!(Picture::of_still(still).is_none());
        assert_eq!(
            Picture {
                width: 0,
                height: 0,
                rgb: Vec::new()
            }
            .data_url(),
            None
        );
    }
}
