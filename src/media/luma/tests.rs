//! Grey levels of every pixel layout, and of small pictures.

use super::*;
use ffmpeg::color::Range;

const WIDTH: u32 = 256;
const HEIGHT: u32 = 128;

/// A full-range ramp from black to white, converted by the scaler to `format`.
fn ramp(format: Pixel) -> Video {
    let mut grey = Video::new(Pixel::GRAY8, WIDTH, HEIGHT);
    let stride = grey.stride(0);
    for row in grey.data_mut(0).chunks_mut(stride) {
        for (x, value) in row.iter_mut().enumerate() {
            *value = x.min(255) as u8;
        }
    }
    let flags =
        scaling::Flags::POINT | scaling::Flags::ACCURATE_RND | scaling::Flags::FULL_CHR_H_INT;
    let (w, h) = (WIDTH, HEIGHT);
    let mut context = scaling::Context::get(Pixel::GRAY8, w, h, format, w, h, flags).unwrap();
    let mut picture = Video::empty();
    context.run(&grey, &mut picture).unwrap();
    picture
}

fn worst_level(format: Pixel, range: Range) -> u8 {
    let mut picture = ramp(format);
    picture.set_color_range(range);
    let frame = LumaScaler::default()
        .scale(&picture, (1, 1), Orientation::UPRIGHT, Resolution::Working)
        .unwrap();
    assert_eq!((frame.width, frame.height), (256, 128));
    let errors = frame.luma.iter().enumerate();
    errors
        .map(|(i, level)| level.abs_diff((i % 256) as u8))
        .max()
        .unwrap()
}

#[test]
fn every_layout_of_pixels_gives_the_same_ramp() {
    for (format, bound) in [
        (Pixel::YUV420P, 2),
        (Pixel::YUV422P, 2),
        (Pixel::YUV444P, 2),
        (Pixel::YUVA420P, 2),
        (Pixel::NV12, 2),
        (Pixel::NV21, 2),
        (Pixel::YUV420P9LE, 2),
        (Pixel::YUV420P10LE, 2),
        (Pixel::YUV420P10BE, 2),
        (Pixel::YUV422P12LE, 2),
        (Pixel::YUV444P14LE, 2),
        (Pixel::YUV420P16LE, 2),
        (Pixel::P010LE, 2),
        (Pixel::P016LE, 2),
        (Pixel::YUYV422, 2),
        (Pixel::UYVY422, 2),
        (Pixel::YUVJ420P, 1),
        (Pixel::GRAY8, 0),
        (Pixel::GRAY10LE, 1),
        (Pixel::GRAY12LE, 1),
        (Pixel::GRAY16LE, 1),
        (Pixel::GRAY16BE, 1),
        (Pixel::YA8, 1),
        (Pixel::RGB24, 2),
        (Pixel::BGRA, 2),
        (Pixel::GBRP, 2),
        (Pixel::GBRP10LE, 2),
        (Pixel::RGB48LE, 2),
        (Pixel::RGB565LE, 9),
    ] {
        let worst = worst_level(format, Range::Unspecified);
        assert!(worst <= bound, "{format:?}: {worst} levels off");
    }
}

#[test]
fn the_range_tag_decides() {
    // The ramp is limited range in these formats, so reading it as full range leaves black at 16.
    for format in [Pixel::YUV420P, Pixel::YUV420P10LE, Pixel::YUYV422] {
        assert!(worst_level(format, Range::MPEG) <= 2, "{format:?}");
        assert!(worst_level(format, Range::JPEG) >= 15, "{format:?}");
    }
    assert!(worst_level(Pixel::GRAY8, Range::MPEG) >= 15);
}

#[test]
fn a_change_of_size_or_format_gives_another_scaler() {
    let mut scaler = LumaScaler::default();
    for (format, width, height, size) in [
        (Pixel::YUV420P, 256, 128, (256, 128)),
        (Pixel::YUV420P, 128, 256, (128, 256)),
        (Pixel::RGB24, 128, 256, (128, 256)),
        (Pixel::YUV420P, 16, 16, (128, 128)),
    ] {
        let picture = Video::new(format, width, height);
        let frame = scaler
            .scale(&picture, (1, 1), Orientation::UPRIGHT, Resolution::Working)
            .unwrap();
        assert_eq!((frame.width, frame.height), size);
    }
}

/// Noise without repeated grey levels, and the mean of each of its parts, in 0..=255.
fn noise_and_means(
    size: (usize, usize),
    parts: (usize, usize),
    format: Pixel,
) -> (Video, Vec<f64>) {
    let (width, height) = size;
    let mut picture = Video::new(format, width as u32, height as u32);
    let stride = picture.stride(0);
    let (mut sums, mut state) = (vec![0.0; parts.0 * parts.1], 1_u32);
    let overlap = |part: usize, parts: usize, pixel: usize, pixels: usize| {
        let (start, end) = (
            (part * pixels).max(pixel * parts),
            ((part + 1) * pixels).min((pixel + 1) * parts),
        );
        end.saturating_sub(start) as f64 / pixels as f64
    };
    for (y, row) in picture
        .data_mut(0)
        .chunks_mut(stride)
        .enumerate()
        .take(height)
    {
        for (x, value) in row.iter_mut().enumerate().take(width) {
            state = state.wrapping_mul(0x19660d).wrapping_add(0x3c6ef35f);
            // Brighter to the right, with dark and bright stripes of a few rows.
            let level = 30 + 100 * x / width + 60 * usize::from(y % 7 < 3) + (state >> 27) as usize;
            *value = level as u8;
            let first = (x * parts.0 / width, y * parts.1 / height);
            for column in first.0..parts.0.min(first.0 + 2) {
                for row in first.1..parts.1.min(first.1 + 2) {
                    let covered =
                        overlap(column, parts.0, x, width) * overlap(row, parts.1, y, height);
                    sums[row * parts.0 + column] += covered * (level as f64 - 16.0) * 255.0 / 219.0;
                }
            }
        }
    }
    (picture, sums)
}

#[test]
fn each_pixel_of_a_small_picture_is_the_mean_of_what_it_covers() {
    for (size, aspect, area, expected) in [
        ((1920, 1080), (1, 1), 96 * 54, (96, 54)),
        ((1920, 1080), (1, 1), 64 * 36, (64, 36)),
        ((1280, 720), (0, 1), 96 * 54, (96, 54)),
        ((720, 576), (64, 45), 96 * 54, (96, 54)),
        ((480, 854), (1, 1), 96 * 54, (54, 96)),
        ((333, 187), (1, 1), 96 * 54, (96, 54)),
        ((100, 60), (1, 1), 96 * 54, (93, 56)),
        ((60, 40), (1, 1), 96 * 54, (60, 40)),
    ] {
        let (picture, means) = noise_and_means(size, expected, Pixel::YUV420P);
        let small = LumaScaler::default()
            .shrink(&picture, aspect, Orientation::UPRIGHT, area)
            .unwrap();
        assert_eq!((small.width, small.height), expected);
        let off = small
            .luma
            .iter()
            .zip(&means)
            .map(|(&level, mean)| (f64::from(level) - mean).abs());
        let worst = off.fold(0.0, f64::max);
        assert!(worst <= 2.0, "{size:?}: {worst:.1} levels off");
    }
}

#[test]
fn pictures_without_luma_are_refused() {
    assert_eq!(source_of(Pixel::VAAPI, Range::Unspecified), None);
    assert_eq!(source_of(Pixel::None, Range::Unspecified), None);
}
