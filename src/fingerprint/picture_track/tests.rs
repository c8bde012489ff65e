#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::fingerprint::testing;

/// A textured wall and a textured square that moves before it, at a given time.
fn frame(ms: u64, (width, height): (usize, usize)) -> Frame {
    let left = (ms as f32 / 100.0) % width as f32;
    let side = height as f32 / 2.0;
    let luma = (0..width * height)
        .map(|i| ((i % width) as f32, (i / width) as f32))
        .map(|(x, y)| {
            let inside = x >= left && x < left + side && y > side / 2.0 && y < side * 1.5;
            (if inside {
                testing::texture(x - left, y, 5)
            } else {
                testing::texture(x, y, 99)
            }) as u8
        })
        .collect();
    Frame {
        time: Duration::from_millis(ms),
        width,
        height,
        luma,
    }
}

/// Frames in which nothing is predictable.
fn noise(ms: u64, (width, height): (usize, usize)) -> Frame {
    let mut state = ms.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut level = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    Frame {
        time: Duration::from_millis(ms),
        width,
        height,
        luma: (0..width * height).map(|_| level()).collect(),
    }
}

const WIDE: (usize, usize) = (228, 128);

fn track(frames: impl IntoIterator<Item = Frame>) -> PictureTrack {
    let mut builder = PictureTrackBuilder::default();
    frames.into_iter().for_each(|frame| builder.push(&frame));
    builder.finish()
}

fn every_half_second(count: u64, of: impl Fn(u64, (usize, usize)) -> Frame) -> Vec<Frame> {
    (0..count).map(|i| of(500 * i, WIDE)).collect()
}

fn psnr(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    let square: f64 = a
        .iter()
        .zip(b)
        .map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2))
        .sum();
    10.0 * (65025.0 * a.len() as f64 / square.max(1.0)).log10()
}

#[test]
fn decoded_pictures_look_like_the_frames_and_keep_their_times() {
    let frames = every_half_second(70, frame);
    let track = track(frames.clone());
    assert_eq!(
        (track.len(), track.size(), track.groups.len()),
        (70, (64, 36), 3)
    );
    let decoded: Vec<Thumbnail> = track.pictures(0..track.len()).collect();
    assert_eq!(decoded.len(), 70);
    for (i, (frame, thumbnail)) in frames.iter().zip(&decoded).enumerate() {
        let original = Thumbnail::of(frame);
        assert_eq!((thumbnail.time, track.time(i)), (frame.time, frame.time));
        assert_eq!((thumbnail.width, thumbnail.height), (64, 36));
        let psnr = psnr(&original.luma, &thumbnail.luma);
        assert!(psnr > 30.0, "picture {i}: {psnr} dB");
    }
}

#[test]
fn a_part_decodes_as_it_does_with_the_rest() {
    let track = track(every_half_second(70, frame));
    let all: Vec<Thumbnail> = track.pictures(0..70).collect();
    for range in [0..1, 5..9, 31..33, 40..64, 63..70, 69..200, 70..80, 9..9] {
        let expected = all.get(range.start..range.end.min(70)).unwrap_or_default();
        assert_eq!(
            track.pictures(range.clone()).collect::<Vec<_>>(),
            expected,
            "{range:?}"
        );
    }
    assert_eq!(track.picture(33).as_ref(), all.get(33));
    assert_eq!((track.picture(70), track.picture(usize::MAX)), (None, None));
    assert_eq!(
        track.between(Duration::from_millis(400), Duration::from_millis(1500)),
        1..4
    );
    assert!(
        track
            .between(Duration::from_secs(9), Duration::from_secs(3))
            .is_empty()
    );
}

#[test]
fn an_hour_keeps_to_its_bytes_whatever_is_shown() {
    let hours = |frames: u64| frames as f64 / 7200.0;
    let calm = track(every_half_second(100, |_, size| frame(0, size)))
        .to_bytes()
        .len();
    assert!(calm < 4000, "{calm} bytes of a still picture");
    for (name, of) in [
        ("motion", frame as fn(u64, (usize, usize)) -> Frame),
        ("noise", noise),
    ] {
        let bytes = track(every_half_second(100, of)).to_bytes().len();
        assert!(
            bytes as f64 <= BYTES_AN_HOUR as f64 * hours(100),
            "{bytes} bytes of {name}"
        );
    }
    let dense = track((0..200).map(|i| noise(100 * i, WIDE)))
        .to_bytes()
        .len();
    assert!(
        dense as f64 <= BYTES_AN_HOUR as f64 / 180.0,
        "{dense} bytes of noise ten times a second"
    );
}

#[test]
fn a_still_picture_is_kept_to_a_grey_level() {
    let still = frame(0, WIDE);
    let track = track((0..40).map(|i| Frame {
        time: Duration::from_millis(500 * i),
        ..still.clone()
    }));
    let original = Thumbnail::of(&still);
    let far = |thumbnail: Thumbnail| {
        thumbnail
            .luma
            .iter()
            .zip(&original.luma)
            .map(|(a, b)| a.abs_diff(*b))
            .max()
    };
    assert!(
        track
            .pictures(0..40)
            .all(|thumbnail| far(thumbnail) <= Some(2))
    );
}

#[test]
fn small_pictures_have_the_shape_of_the_frame() {
    let sizes = [
        ((228, 128), (64, 36)),
        ((128, 228), (36, 64)),
        ((171, 128), (55, 42)),
        ((128, 128), (48, 48)),
        ((512, 128), (96, 24)),
        ((512, 32), (192, 12)),
        ((512, 9), (192, 9)),
        ((512, 1), (192, 1)),
        ((1, 300), (1, 192)),
        ((1, 1), (1, 1)),
        ((456, 256), (64, 36)),
    ];
    let size_of = |(width, height)| media::small_size(width, height, THUMBNAIL_AREA);
    for (frame, expected) in sizes {
        assert_eq!(size_of(frame), expected, "{frame:?}");
    }
    for width in 1..=512 {
        for height in (1..=512).step_by(3) {
            let (columns, rows) = size_of((width, height));
            assert!(
                columns <= width.min(SIDE_MAX)
                    && rows <= height.min(SIDE_MAX)
                    && columns * rows <= AREA_MAX
            );
        }
    }
}

#[test]
fn a_small_picture_averages_what_each_pixel_covers() {
    let flat = Thumbnail::of(&Frame {
        luma: vec![77; 228 * 128],
        ..frame(0, WIDE)
    });
    assert!(flat.luma.iter().all(|&level| level == 77));
    // Three pixels, of which two parts get one and a half each.
    assert_eq!(shares(3, 2), [(0, [2, 0]), (0, [1, 1]), (1, [2, 0])]);
    let ramp: Vec<u8> = (0..192 * 108).map(|i| (i % 192) as u8).collect();
    let ramp = Thumbnail::of(&Frame {
        time: Duration::ZERO,
        width: 192,
        height: 108,
        luma: ramp,
    });
    assert_eq!(ramp.luma[..4], [1, 4, 7, 10]);
    // Only a decoding process that lies gives frames of the wrong length.
    let short = Frame {
        luma: vec![9; 1000],
        ..frame(0, WIDE)
    };
    assert_eq!(Thumbnail::of(&short).luma.len(), 64 * 36);
    let none = Frame {
        time: Duration::ZERO,
        width: 0,
        height: 0,
        luma: Vec::new(),
    };
    assert_eq!(Thumbnail::of(&none).luma.len(), 1);
}

#[test]
fn a_source_that_changes_its_shape_keeps_both() {
    let sizes = [(228, 128), (228, 128), (128, 228), (228, 128)];
    let track = track(sizes.iter().zip(0..).map(|(&size, i)| frame(500 * i, size)));
    let shapes: Vec<_> = track
        .pictures(0..4)
        .map(|thumbnail| (thumbnail.width, thumbnail.height))
        .collect();
    assert_eq!(shapes, [(64, 36), (64, 36), (36, 64), (64, 36)]);
    assert_eq!(PictureTrack::from_bytes(&track.to_bytes()), Ok(track));
}

#[test]
fn nothing_gives_no_bytes_and_times_never_run_back() {
    let empty = track([]);
    assert_eq!(
        (empty.len(), empty.size(), empty.to_bytes().len()),
        (0, (0, 0), 0)
    );
    assert_eq!(PictureTrack::from_bytes(&[]), Ok(PictureTrack::default()));
    let track = track([900, 300, u64::MAX / 2].map(|ms| frame(ms, WIDE)));
    assert_eq!(track.times, [900, 900, u32::MAX]);
    assert_eq!(PictureTrack::from_bytes(&track.to_bytes()), Ok(track));
}

#[test]
fn every_truncation_is_refused() {
    let bytes = track(every_half_second(40, frame)).to_bytes();
    for length in 1..bytes.len() {
        assert!(
            PictureTrack::from_bytes(&bytes[..length]).is_err(),
            "cut to {length}"
        );
    }
    let mut long = bytes;
    long.push(0);
    assert_eq!(
        PictureTrack::from_bytes(&long),
        Err("its pictures do not match its length")
    );
}

#[test]
fn no_flipped_byte_makes_decoding_panic_or_grow() {
    let bytes = track((0..34).map(|i| frame(500 * i, (24, 16)))).to_bytes();
    for at in 0..bytes.len() {
        for mask in [0x01, 0x80, 0xff] {
            let mut wrong = bytes.clone();
            wrong[at] ^= mask;
            let Ok(track) = PictureTrack::from_bytes(&wrong) else {
                continue;
            };
            assert_eq!(track.to_bytes(), wrong);
            assert!(
                track
                    .pictures(0..track.len())
                    .all(|thumbnail| thumbnail.luma.len() <= AREA_MAX)
            );
        }
    }
}

#[test]
fn impossible_sizes_and_steps_are_refused() {
    let bytes = track(every_half_second(3, frame)).to_bytes();
    for (at, value) in [
        (4, 0),
        (4, 193),
        (4, 72),
        (5, 0),
        (5, 255),
        (6, 0),
        (6, 33),
        (7, STEPS.len() as u8),
    ] {
        let mut wrong = bytes.clone();
        wrong[at] = value;
        assert_eq!(
            PictureTrack::from_bytes(&wrong),
            Err("its pictures are out of range"),
            "byte {at}: {value}"
        );
    }
    let mut disordered = bytes;
    disordered[15] = 255;
    assert_eq!(
        PictureTrack::from_bytes(&disordered),
        Err("its pictures are out of order")
    );
}

#[test]
fn the_code_of_known_pictures_never_changes() {
    let track = track((0..40).map(|i| ramp(500 * i)));
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in track
        .to_bytes()
        .into_iter()
        .chain(track.pictures(0..40).flat_map(|thumbnail| thumbnail.luma))
    {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    assert_eq!(hash, KNOWN, "{hash:#x}");
}

/// Integer levels, so that processors cannot round differently.
fn ramp(ms: u64) -> Frame {
    let luma = (0..48 * 40)
        .map(|i| ((i % 48) * (i / 48) + ms as usize / 10 * (i % 7)) as u8)
        .collect();
    Frame {
        time: Duration::from_millis(ms),
        width: 48,
        height: 40,
        luma,
    }
}

const KNOWN: u64 = 0x5dd0_594c_d752_3fa5;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn bytes_give_back_the_track(gaps in prop::collection::vec(0_u64..3000, 0..70), width in 1_usize..40, height in 1_usize..40) {
        let mut ms = 0;
        let frames = gaps.iter().map(|gap| { ms += gap; if gap % 3 == 0 { noise(ms, (width, height)) } else { frame(ms, (width, height)) } });
        let track = track(frames);
        prop_assert_eq!(track.len(), gaps.len());
        let back = PictureTrack::from_bytes(&track.to_bytes()).unwrap();
        prop_assert!(back.pictures(0..99).eq(track.pictures(0..99)));
        prop_assert_eq!(back, track);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(track) = PictureTrack::from_bytes(&bytes) {
            track.pictures(0..track.len()).for_each(drop);
        }
    }

    #[test]
    fn no_code_makes_it_panic(code in prop::collection::vec(any::<u8>(), 0..600), step in 0..STEPS.len(), width in 1_usize..33, height in 1_usize..33) {
        let layout = Layout { width, height, pictures: 4, step: STEPS[step] };
        prop_assert_eq!(group::read(layout, &code).len(), 4 * layout.area());
    }
}
