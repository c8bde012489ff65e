//! The small pictures that a clip gives while it is decoded: their times, levels and shape, in this
//! process and through a worker.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::media_files::{footage, scene};
use uniq::media::{Frame, Limits, Links, Observer, Selector, Source, StreamInfo, decode_source};
use uniq::sample::{CLIP_PICTURE_AREA, CLIP_PICTURE_INTERVAL};
use uniq::{Decoding, Fingerprint};

const UNIQ: &str = env!("CARGO_BIN_EXE_uniq");
const X264: &str = "-c:v libx264 -preset ultrafast -crf 10 -pix_fmt yuv420p";

fn fingerprint(path: &Path) -> Fingerprint {
    uniq::fingerprint(path, &Decoding::in_process(), None).unwrap()
}

/// The full-range level at a place of [`gradient`]: brighter to the right and below, and moving to
/// the left.
fn level(x: usize, y: usize, frame: usize) -> usize {
    let at = (x + 6 * frame) % 400;
    20 + at.min(400 - at) + y / 16
}

/// An uncompressed clip of two seconds in 384x216, which divides evenly into small pictures,
/// written byte by byte.
fn gradient(folder: &Path) -> PathBuf {
    let mut bytes = b"YUV4MPEG2 W384 H216 F25:1 Ip A1:1 Cmono\n".to_vec();
    for frame in 0..50 {
        bytes.extend(b"FRAME\n");
        bytes.extend((0..384 * 216).map(|i| level(i % 384, i / 384, frame) as u8));
    }
    let path = folder.join("gradient.y4m");
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn a_moving_gradient_gives_the_levels_of_each_frame_at_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let plain = gradient(folder.path());
    let input = format!("-i {}", plain.display());
    let coded = footage(folder.path(), "gradient.mp4", &format!("{input} {X264}"));
    let deep = footage(
        folder.path(),
        "gradient.mkv",
        &format!("{input} -c:v ffv1 -pix_fmt yuv420p10le"),
    );
    for (path, bound) in [(plain, 1.0), (coded, 4.0), (deep, 2.0)] {
        let made = fingerprint(&path);
        let pictures = made.pictures();
        let times: Vec<_> = pictures.iter().map(|picture| picture.time).collect();
        assert_eq!(
            times,
            (0..50)
                .map(|i| i * Duration::from_millis(40))
                .collect::<Vec<_>>(),
            "{}",
            path.display()
        );
        for (i, picture) in pictures.iter().enumerate() {
            assert!(
                picture.width * 9 == picture.height * 16
                    && picture.luma.len() == picture.width * picture.height
            );
            let mean =
                |at: usize, over: usize, of: usize| at * of / over..((at + 1) * of).div_ceil(over);
            let worst = picture.luma.iter().enumerate().map(|(at, &found)| {
                let (columns, rows) = (
                    mean(at % picture.width, picture.width, 384),
                    mean(at / picture.width, picture.height, 216),
                );
                let count = columns.len() * rows.len();
                let places = rows.flat_map(|y| columns.clone().map(move |x| (x, y)));
                let sum: usize = places.map(|(x, y)| level(x, y, i)).sum();
                (sum as f64 / count as f64 - f64::from(found)).abs()
            });
            let worst = worst.fold(0.0, f64::max);
            assert!(
                worst <= bound,
                "{}: picture {i} is {worst} levels off",
                path.display()
            );
        }
        let there = uniq::fingerprint(&path, &Decoding::worker(UNIQ), None).unwrap();
        assert!(
            there.pictures() == pictures,
            "{}: a worker gives others",
            path.display()
        );
    }
}

#[test]
fn a_sketch_keeps_the_pictures_and_the_file_of_a_fingerprint_has_them_if_asked() {
    let folder = tempfile::tempdir().unwrap();
    let (clip, saved) = (gradient(folder.path()), folder.path().join("clip.uniq"));
    let made = fingerprint(&clip);
    made.save(&saved).unwrap();
    let loaded = Fingerprint::load(&saved, &Decoding::in_process(), None).unwrap();
    assert!(loaded.pictures().is_empty());
    made.save_with_pictures(&saved).unwrap();
    let loaded = Fingerprint::load(&saved, &Decoding::in_process(), None).unwrap();
    assert!(loaded.pictures() == made.pictures() && loaded.to_bytes() == made.to_bytes());
    assert_eq!(made.sketched().pictures(), made.pictures());
    let sketch = uniq::fingerprint::sketch_of_clip(&clip, &Decoding::in_process(), None).unwrap();
    assert_eq!(sketch.pictures(), made.pictures());
}

#[test]
fn pictures_are_turned_upright_and_squared_as_ffmpeg_does_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let upright = scene(folder, "upright.mp4", 0.3, X264);
    let turned = folder.join("turned.mp4");
    let mut bytes = std::fs::read(&upright).unwrap();
    let matrix = bytes
        .windows(4)
        .position(|window| window == b"tkhd")
        .unwrap()
        + 4
        + 40;
    for (slot, value) in [(0, 0), (1, 0x10000), (3, -0x10000), (4, 0)] {
        bytes[matrix + 4 * slot..][..4].copy_from_slice(&i32::to_be_bytes(value));
    }
    std::fs::write(&turned, bytes).unwrap();
    let wide = scene(folder, "wide.mp4", 0.3, &format!("-vf setsar=2 {X264}"));
    for (path, filter, shape) in [
        (turned, "null", (3, 4)),
        (wide, "scale=384:144,setsar=1", (8, 3)),
    ] {
        let expected = footage(
            folder,
            "expected.mkv",
            &format!("-y -i {} -vf {filter} -c:v ffv1", path.display()),
        );
        let (made, expected) = (fingerprint(&path), fingerprint(&expected));
        assert_eq!(made.pictures().len(), 8);
        for (picture, expected) in made.pictures().iter().zip(expected.pictures()) {
            assert_eq!(
                (picture.width, picture.height),
                (expected.width, expected.height)
            );
            let off = (picture.width * shape.1).abs_diff(picture.height * shape.0);
            assert!(
                off <= shape.0.max(shape.1),
                "{}x{}",
                picture.width,
                picture.height
            );
            let sum: u64 = picture
                .luma
                .iter()
                .zip(&expected.luma)
                .map(|(a, b)| u64::from(a.abs_diff(*b)))
                .sum();
            let off = sum as f64 / picture.luma.len() as f64;
            assert!(off < 2.0, "{}: {off} levels off", path.display());
        }
    }
}

#[test]
fn pictures_go_on_where_a_clip_goes_on_in_another_stream_or_codec() {
    let folder = tempfile::tempdir().unwrap();
    let part = |name: &str, options: &str| {
        let path = footage(
            folder.path(),
            name,
            &format!("-f lavfi -i testsrc2=size=192x144:rate=25 -t 2 {options}"),
        );
        std::fs::read(path).unwrap()
    };
    let (x264, mpeg2) = (
        format!("{X264} -g 12"),
        "-c:v mpeg2video -q:v 2 -g 12 -pix_fmt yuv420p",
    );
    let one = part("1.ts", &format!("{x264} -mpegts_start_pid 256"));
    for (name, two) in [
        (
            "stream.ts",
            part("2.ts", &format!("{x264} -vf negate -mpegts_start_pid 300")),
        ),
        ("codec.ts", part("3.ts", &format!("{mpeg2} -vf negate"))),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, [&one[..], &two].concat()).unwrap();
        let made = fingerprint(&path);
        let pictures = made.pictures();
        assert!(
            (98..=101).contains(&pictures.len()),
            "{name}: {} pictures",
            pictures.len()
        );
        assert!(
            pictures
                .windows(2)
                .all(|pair| pair[1].time >= pair[0].time + CLIP_PICTURE_INTERVAL),
            "{name}"
        );
        assert!(
            pictures[pictures.len() - 1].time > Duration::from_millis(3800),
            "{name}"
        );
        let mean = |at: usize| {
            let luma = &pictures[at].luma;
            luma.iter().map(|&level| u64::from(level)).sum::<u64>() as f64 / luma.len() as f64
        };
        assert!(
            (mean(24) + mean(74) - 255.0).abs() < 8.0 && (mean(24) - mean(74)).abs() > 10.0,
            "{name}"
        );
    }
}

/// Wants each frame and a small picture of each.
struct Both;

impl Selector for Both {
    fn max_gap(&self) -> Option<Duration> {
        None
    }

    fn wants(&mut self, _: Duration, _: Option<Duration>) -> bool {
        true
    }

    fn wants_picture(&mut self, _: Duration) -> Option<usize> {
        Some(CLIP_PICTURE_AREA)
    }
}

#[derive(Default)]
struct Times {
    frames: Vec<Duration>,
    pictures: Vec<Duration>,
}

impl Observer for Times {
    fn opened(&mut self, _: &StreamInfo) {}

    fn frame(&mut self, frame: Frame) -> ControlFlow<()> {
        self.frames.push(frame.time);
        ControlFlow::Continue(())
    }

    fn picture(&mut self, picture: Frame) -> ControlFlow<()> {
        self.pictures.push(picture.time);
        ControlFlow::Continue(())
    }

    fn progress(&mut self, _: Duration, _: u64) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

#[test]
fn frames_that_are_too_damaged_to_be_seen_give_no_picture() {
    let folder = tempfile::tempdir().unwrap();
    let path = scene(folder.path(), "damaged.mkv", 4.0, &format!("{X264} -g 12"));
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..]
        .iter_mut()
        .take(6000)
        .for_each(|byte| *byte ^= 0x5a);
    std::fs::write(&path, bytes).unwrap();
    let (limits, mut times) = (Limits::default(), Times::default());
    let source = Source::open(&path, Links::Refuse, &limits).unwrap();
    let decoded = decode_source(&source, None, &limits, &mut Both, &mut times).unwrap();
    assert!(
        !decoded.undecoded.is_empty() && times.frames.len() < 100,
        "{} frames",
        times.frames.len()
    );
    assert_eq!(times.pictures, times.frames);
}
