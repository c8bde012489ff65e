//! Frames of files that the `ffmpeg` command made: codecs, formats, geometry, times and damage.

use std::time::Duration;

use crate::media_files::{
    Every, all_frames, assert_close, corpus, difference, footage, frames_of, scene,
};
use uniq::media::{Frame, Selector, probe};

/// Maximum mean error in grey levels. Lossy coding at the qualities below costs at most 0.7 on this
/// scene; a frame of the wrong moment or range costs more than 2.
const LOSSY: f64 = 1.5;

#[test]
fn every_codec_and_format_gives_the_scene() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let reference = all_frames(&scene(dir, "reference.y4m", 1.0, "-pix_fmt yuv420p"));
    assert_eq!(reference.len(), 25);
    assert_eq!((reference[0].width, reference[0].height), (171, 128));
    for (i, frame) in reference.iter().enumerate() {
        assert_eq!(frame.time.as_millis(), 40 * i as u128);
    }
    let x264 = "-c:v libx264 -preset ultrafast -crf 12";
    let x265 = "-c:v libx265 -preset ultrafast -x265-params log-level=none:crf=12";
    let full = "-vf scale=in_range=limited:out_range=full -color_range pc";
    for (name, options) in [
        ("h264.mp4", format!("{x264} -pix_fmt yuv420p")),
        (
            "h264b.mp4",
            "-c:v libx264 -bf 3 -crf 12 -pix_fmt yuv420p".to_owned(),
        ),
        ("h264-10.mkv", format!("{x264} -pix_fmt yuv420p10le")),
        ("h264-422.mp4", format!("{x264} -pix_fmt yuv422p")),
        ("h264-444.mp4", format!("{x264} -pix_fmt yuv444p")),
        (
            "h264-rgb.mkv",
            "-c:v libx264rgb -preset ultrafast -crf 5 -pix_fmt rgb24".to_owned(),
        ),
        ("h264-full.mp4", format!("{x264} -pix_fmt yuv420p {full}")),
        ("h264-yuvj.mp4", format!("{x264} -pix_fmt yuvj420p")),
        ("h264-gray.mp4", format!("{x264} -pix_fmt gray")),
        ("h264-nv12.mkv", format!("{x264} -pix_fmt nv12")),
        ("hevc.mp4", format!("{x265} -pix_fmt yuv420p")),
        ("hevc-10.mkv", format!("{x265} -pix_fmt yuv420p10le")),
        ("hevc-12-422.mkv", format!("{x265} -pix_fmt yuv422p12le")),
        ("hevc-gray12.mkv", format!("{x265} -pix_fmt gray12le")),
        ("hevc-full.mkv", format!("{x265} -pix_fmt yuv444p {full}")),
        (
            "vp8.webm",
            "-c:v libvpx -deadline realtime -cpu-used 8 -b:v 4M -qmax 20 -pix_fmt yuv420p"
                .to_owned(),
        ),
        (
            "vp9.webm",
            "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -b:v 0 -crf 15 -pix_fmt yuv420p"
                .to_owned(),
        ),
        (
            "vp9-12.webm",
            "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -b:v 0 -crf 15 -pix_fmt yuv444p12le"
                .to_owned(),
        ),
        (
            "av1.mp4",
            "-c:v libaom-av1 -usage realtime -cpu-used 8 -crf 20 -pix_fmt yuv420p".to_owned(),
        ),
        (
            "av1-10.mkv",
            "-c:v libaom-av1 -usage realtime -cpu-used 8 -crf 20 -pix_fmt yuv420p10le".to_owned(),
        ),
        (
            "mpeg1.mpg",
            "-c:v mpeg1video -q:v 2 -pix_fmt yuv420p".to_owned(),
        ),
        (
            "mpeg2.ts",
            "-c:v mpeg2video -bf 2 -q:v 2 -pix_fmt yuv420p".to_owned(),
        ),
        (
            "mpeg2-422.mkv",
            "-c:v mpeg2video -q:v 2 -pix_fmt yuv422p".to_owned(),
        ),
        ("mpeg4.avi", "-c:v mpeg4 -q:v 2 -pix_fmt yuv420p".to_owned()),
        (
            "mpeg4.mp4",
            "-c:v mpeg4 -bf 2 -q:v 2 -pix_fmt yuv420p".to_owned(),
        ),
        (
            "prores.mov",
            "-c:v prores_ks -profile:v 2 -pix_fmt yuv422p10le".to_owned(),
        ),
        (
            "prores4444.mov",
            "-c:v prores_ks -profile:v 4 -pix_fmt yuva444p10le".to_owned(),
        ),
        (
            "mjpeg.avi",
            "-c:v mjpeg -q:v 2 -pix_fmt yuvj420p".to_owned(),
        ),
        (
            "mjpeg.mov",
            "-c:v mjpeg -q:v 2 -pix_fmt yuvj422p".to_owned(),
        ),
        (
            "theora.ogv",
            "-c:v libtheora -q:v 10 -pix_fmt yuv420p".to_owned(),
        ),
        ("wmv2.asf", "-c:v wmv2 -q:v 2 -pix_fmt yuv420p".to_owned()),
        ("flv1.flv", "-c:v flv -q:v 2 -pix_fmt yuv420p".to_owned()),
        ("raw-uyvy.mov", "-c:v rawvideo -pix_fmt uyvy422".to_owned()),
        ("raw-bgr.avi", "-c:v rawvideo -pix_fmt bgr24".to_owned()),
        (
            "raw-gray16be.nut",
            "-c:v rawvideo -pix_fmt gray16be".to_owned(),
        ),
        ("ffv1-16.mkv", "-c:v ffv1 -pix_fmt yuv420p16le".to_owned()),
        ("ffv1-gbrp10.mkv", "-c:v ffv1 -pix_fmt gbrp10le".to_owned()),
        ("ffv1-bgra.mkv", "-c:v ffv1 -pix_fmt bgra".to_owned()),
    ] {
        let path = scene(dir, name, 1.0, &options);
        let frames = all_frames(&path);
        assert_close(name, &frames, &reference, LOSSY);
    }
}

#[test]
fn a_wrong_moment_or_range_would_exceed_the_bound() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let right = all_frames(&scene(dir, "a.mkv", 0.4, "-c:v ffv1 -pix_fmt yuv420p"));
    // Full range by its tag, limited range by its contents.
    let tagged = all_frames(&scene(
        dir,
        "b.mkv",
        0.4,
        "-c:v ffv1 -pix_fmt yuv420p -color_range pc -vf setparams=range=pc",
    ));
    for (i, frame) in right.iter().enumerate().skip(1) {
        assert!(difference(frame, &tagged[i]) > LOSSY);
        let moved = difference(frame, &right[i - 1]);
        assert!(moved > 0.3, "{moved}");
    }
}

#[test]
fn black_grey_and_white_have_their_levels() {
    let dir = tempfile::tempdir().unwrap();
    for (color, level) in [("black", 0_u8), ("0x808080", 128), ("white", 255)] {
        for (name, options) in [
            ("limited.mkv", "-c:v ffv1 -pix_fmt yuv420p"),
            ("limited10.mkv", "-c:v ffv1 -pix_fmt yuv422p10le"),
            ("full.avi", "-c:v mjpeg -q:v 1 -pix_fmt yuvj420p"),
            (
                "rgb.mkv",
                "-sws_flags accurate_rnd+full_chroma_int+bitexact -c:v ffv1 -pix_fmt bgra",
            ),
            ("gray.mkv", "-c:v ffv1 -pix_fmt gray"),
            ("gray16.mkv", "-c:v ffv1 -pix_fmt gray16le"),
            ("packed.mov", "-c:v rawvideo -pix_fmt yuyv422"),
            ("palette.gif", ""),
            (
                "still.png",
                "-sws_flags accurate_rnd+full_chroma_int+bitexact -frames:v 1 -pix_fmt rgb24",
            ),
        ] {
            let input = format!("-f lavfi -i color={color}:size=64x48:rate=10 -t 0.2 {options}");
            let frames = all_frames(&footage(dir.path(), name, &input));
            for value in &frames[0].luma {
                // The fixed palette of these GIFs dithers everything except black.
                if name == "palette.gif" && level > 0 {
                    continue;
                }
                assert!(value.abs_diff(level) <= 1, "{name} {color}: {value}");
            }
        }
    }
}

#[test]
fn a_gif_gives_the_scene_in_its_few_colours() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let reference = all_frames(&scene(dir, "reference.y4m", 1.0, "-pix_fmt yuv420p"));
    let frames = all_frames(&scene(dir, "a.gif", 1.0, ""));
    // 256 fixed colours cost up to 6 levels here.
    assert_close("gif", &frames, &reference, 8.0);
}

#[test]
fn interlaced_video_gives_both_fields_averaged() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let fields = "-f lavfi -i testsrc2=size=192x144:rate=50 -t 1 -vf interlace=lowpass=0";
    let plain = all_frames(&footage(
        dir,
        "plain.mkv",
        &format!("{fields},setfield=prog -c:v ffv1"),
    ));
    for (name, options) in [
        (
            "a.mp4",
            "-c:v libx264 -preset ultrafast -crf 10 -flags +ildct+ilme -pix_fmt yuv420p",
        ),
        (
            "a.ts",
            "-c:v mpeg2video -q:v 2 -flags +ildct+ilme -pix_fmt yuv420p",
        ),
    ] {
        let path = footage(dir, name, &format!("{fields} {options}"));
        assert_close(name, &all_frames(&path), &plain, LOSSY);
        let (sparse, _) = frames_of(&path, &mut corpus(0.4));
        assert_subset(&sparse, &all_frames(&path), 0.4);
    }
}

#[test]
fn a_still_picture_is_one_frame() {
    let dir = tempfile::tempdir().unwrap();
    let scene_frame = all_frames(&scene(dir.path(), "scene.y4m", 0.04, "-pix_fmt yuv420p"));
    for name in ["a.jpg", "a.png", "a.bmp", "a.webp", "a.tiff"] {
        let path = scene(dir.path(), name, 0.04, "-frames:v 1 -q:v 2");
        for selector in [&mut Every as &mut dyn Selector, &mut corpus(1.0)] {
            let (frames, decoded) = frames_of(&path, selector);
            assert_eq!((frames.len(), decoded.frames), (1, 1), "{name}");
            assert_eq!(frames[0].time, Duration::ZERO);
            assert!(difference(&frames[0], &scene_frame[0]) < 8.0, "{name}");
        }
    }
}

#[test]
fn the_display_matrix_turns_the_picture_as_ffmpeg_does() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let upright = scene(
        dir,
        "upright.mp4",
        0.2,
        "-c:v libx264 -preset ultrafast -crf 10 -pix_fmt yuv420p",
    );
    let bytes = std::fs::read(&upright).unwrap();
    let at = bytes.windows(4).position(|w| w == b"tkhd").unwrap() + 4 + 40;
    let one = 0x10000;
    for (name, [a, b, c, d]) in [
        ("0", [one, 0, 0, one]),
        ("90", [0, one, -one, 0]),
        ("180", [-one, 0, 0, -one]),
        ("270", [0, -one, one, 0]),
        ("hflip", [-one, 0, 0, one]),
        ("vflip", [one, 0, 0, -one]),
        ("transpose", [0, one, one, 0]),
        ("transverse", [0, -one, -one, 0]),
        ("100 degrees", [-11380, 64540, -64540, -11380]),
    ] {
        let mut turned = bytes.clone();
        for (slot, value) in [(0, a), (1, b), (3, c), (4, d)] {
            turned[at + 4 * slot..at + 4 * slot + 4].copy_from_slice(&i32::to_be_bytes(value));
        }
        let path = dir.join("turned.mp4");
        std::fs::write(&path, turned).unwrap();
        let frames = all_frames(&path);
        let quarter = b.abs() > a.abs();
        let size = if quarter { (128, 171) } else { (171, 128) };
        assert_eq!((frames[0].width, frames[0].height), size, "{name}");
        let info = probe(&path).unwrap();
        assert_eq!(
            (info.width, info.height),
            if quarter { (144, 192) } else { (192, 144) }
        );
        if name == "100 degrees" {
            continue;
        }
        let expected = footage(
            dir,
            "expected.mkv",
            &format!("-i {} -c:v ffv1", path.display()),
        );
        assert_close(name, &frames, &all_frames(&expected), 1.0);
    }
}

#[test]
fn anamorphic_pixels_are_squared() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let square = all_frames(&scene(
        dir,
        "square.mkv",
        0.2,
        "-vf scale=384:144,setsar=1 -c:v ffv1 -pix_fmt yuv420p",
    ));
    for (name, options) in [
        (
            "wide.mp4",
            "-vf setsar=2 -c:v libx264 -preset ultrafast -crf 10 -pix_fmt yuv420p",
        ),
        // Only the codec's data has the aspect ratio.
        (
            "wide.h264",
            "-vf setsar=2 -c:v libx264 -preset ultrafast -crf 10 -pix_fmt yuv420p",
        ),
    ] {
        let path = scene(dir, name, 0.2, options);
        let frames = all_frames(&path);
        assert_eq!((frames[0].width, frames[0].height), (341, 128));
        assert_close(name, &frames, &square, LOSSY);
        let info = probe(&path).unwrap();
        assert_eq!((info.width, info.height), (384, 144), "{name}");
    }
}

#[test]
fn extreme_sizes_keep_to_the_limits() {
    let dir = tempfile::tempdir().unwrap();
    for (size, width, height) in [
        ("16x16", 128, 128),
        ("1600x100", 512, 32),
        ("64x4096", 8, 512),
        ("1080x1920", 128, 228),
        ("3840x2160", 228, 128),
        ("2x2", 128, 128),
    ] {
        let input =
            format!("-f lavfi -i testsrc2=size={size}:rate=5 -t 0.2 -c:v ffv1 -pix_fmt yuv420p");
        let frames = all_frames(&footage(dir.path(), "a.mkv", &input));
        assert_eq!(
            (frames[0].width, frames[0].height),
            (width, height),
            "{size}"
        );
    }
}

#[test]
fn variable_frame_rates_keep_their_times() {
    let dir = tempfile::tempdir().unwrap();
    let options = "-vf select=not(mod(n\\,7))+lt(mod(n\\,25)\\,3) -vsync vfr -c:v libx264 -preset ultrafast -crf 10 -pix_fmt yuv420p";
    let dense = all_frames(&scene(dir.path(), "dense.y4m", 3.0, "-pix_fmt yuv420p"));
    for name in ["a.mp4", "a.mkv"] {
        let frames = all_frames(&scene(dir.path(), name, 3.0, options));
        let kept: Vec<Frame> = (0..75)
            .filter(|n| n % 7 == 0 || n % 25 < 3)
            .map(|n| dense[n].clone())
            .collect();
        assert_close(name, &frames, &kept, LOSSY);
    }
}

#[test]
fn time_counts_from_the_first_frame_whatever_the_container_says() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let x264 = "-c:v libx264 -preset ultrafast -bf 2 -crf 10 -pix_fmt yuv420p";
    let dense = all_frames(&scene(dir, "dense.y4m", 3.0, "-pix_fmt yuv420p"));
    for (name, options) in [
        ("late.ts", format!("{x264} -output_ts_offset 5000")),
        ("late.mkv", format!("{x264} -output_ts_offset 10")),
        ("late.mp4", format!("{x264} -output_ts_offset 10")),
        (
            "offsets.mp4",
            format!("{x264} -movflags negative_cts_offsets"),
        ),
        ("no-edits.mp4", format!("{x264} -use_editlist 0")),
        ("none.h264", x264.to_owned()),
        (
            "none.mpg",
            "-c:v mpeg2video -bf 2 -q:v 2 -f mpeg2video".to_owned(),
        ),
    ] {
        let frames = all_frames(&scene(dir, name, 3.0, &options));
        assert_close(name, &frames, &dense, LOSSY);
    }
}

#[test]
fn an_edit_list_is_obeyed_and_is_no_damage() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let whole = scene(
        dir,
        "whole.mp4",
        6.0,
        "-c:v libx264 -preset ultrafast -bf 2 -crf 10 -g 50 -pix_fmt yuv420p",
    );
    let dense = all_frames(&whole);
    // Copied from 1.2 s: the data begin at the key frame at 0 s, and an edit hides the first 1.2 s.
    let cut = footage(
        dir,
        "cut.mp4",
        &format!("-ss 1.2 -i {} -t 3 -c copy", whole.display()),
    );
    let frames = all_frames(&cut);
    assert!((73..=78).contains(&frames.len()), "{}", frames.len());
    assert!(difference(&frames[0], &dense[30]) < LOSSY);
    let (sparse, decoded) = frames_of(&cut, &mut corpus(1.0));
    assert_eq!(decoded.undecoded, []);
    assert_subset(&sparse, &frames, 1.0);
}

#[test]
fn a_size_change_midway_changes_the_frames() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    for (name, encoder) in [
        (
            "h264",
            "-c:v libx264 -preset ultrafast -crf 10 -pix_fmt yuv420p -f h264",
        ),
        (
            "ts",
            "-c:v libx264 -preset ultrafast -crf 10 -pix_fmt yuv420p -f mpegts",
        ),
        (
            "mpeg2.ts",
            "-c:v mpeg2video -q:v 2 -pix_fmt yuv420p -f mpegts",
        ),
    ] {
        let first = std::fs::read(scene(dir, "1", 2.0, encoder)).unwrap();
        let second = std::fs::read(scene(
            dir,
            "2",
            2.0,
            &format!("-vf scale=96:160,setsar=1 {encoder}"),
        ))
        .unwrap();
        let path = dir.join(format!("both.{name}"));
        std::fs::write(&path, [first, second].concat()).unwrap();
        let (frames, _) = frames_of(&path, &mut Every);
        let sizes = |size| {
            frames
                .iter()
                .filter(|f| (f.width, f.height) == size)
                .count()
        };
        assert!(
            (98..=100).contains(&frames.len()),
            "{name}: {}",
            frames.len()
        );
        assert!(sizes((171, 128)) >= 49 && sizes((128, 213)) >= 49, "{name}");
        // The time stamps of the second part start again, but time continues.
        let last = frames.last().unwrap().time.as_secs_f64();
        assert!((3.8..=4.1).contains(&last), "{name}: {last}");
        assert!(
            frames.windows(2).all(|pair| pair[0].time < pair[1].time),
            "{name}"
        );
        let (sparse, _) = frames_of(&path, &mut corpus(1.0));
        assert_subset(&sparse, &frames, 1.0);
    }
}

/// Asserts that the sparse frames are among the dense ones, start with the first, and leave no gap
/// above `interval`.
fn assert_subset(sparse: &[Frame], dense: &[Frame], interval: f64) {
    for frame in sparse {
        let found = dense.iter().find(|f| f.time == frame.time);
        assert!(found == Some(frame), "no such frame at {:?}", frame.time);
    }
    assert_eq!(sparse[0], dense[0]);
    let times: Vec<f64> = sparse
        .iter()
        .chain(dense.last())
        .map(|f| f.time.as_secs_f64())
        .collect();
    for pair in times.windows(2) {
        assert!(pair[1] - pair[0] <= interval * 1.05 + 1e-6, "{pair:?}");
    }
}

#[test]
fn sparse_frames_are_a_subset_without_long_gaps() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let x264 = "-c:v libx264 -preset ultrafast -crf 20 -pix_fmt yuv420p -sc_threshold 0";
    let mpeg2 = "-c:v mpeg2video -q:v 4 -bf 2 -sc_threshold 1000000000 -pix_fmt yuv420p";
    let mut effort = Vec::new();
    for (name, options) in [
        ("long.mp4", format!("{x264} -g 500 -bf 3")),
        ("half.mp4", format!("{x264} -g 12 -bf 2")),
        ("one.mkv", format!("{x264} -g 25 -bf 2")),
        ("two.mp4", format!("{x264} -g 50 -bf 3")),
        ("open.mp4", format!("{x264} -g 20 -bf 3 -x264-params open-gop=1")),
        ("open-long.mkv", format!("{x264} -g 40 -bf 3 -x264-params open-gop=1")),
        ("many-b.mkv", format!("{x264} -g 250 -bf 16 -b_strategy 0 -x264-params b-pyramid=none -r 12.5")),
        ("intra.mp4", format!("{x264} -g 1")),
        ("refresh.mkv", format!("{x264} -g 20 -x264-params intra-refresh=1")),
        ("open-mpeg2.ts", format!("{mpeg2} -g 12")),
        ("open-mpeg2-long.mpg", format!("{mpeg2} -g 60")),
        ("closed-mpeg2.ts", format!("{mpeg2} -g 12 -flags +cgop")),
        (
            "hevc.mp4",
            "-c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=20:open-gop=1 -pix_fmt yuv420p"
                .to_owned(),
        ),
        (
            "hevc-long.mkv",
            "-c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=60 -pix_fmt yuv420p".to_owned(),
        ),
        ("vp9.webm", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -b:v 0 -crf 30 -g 20 -pix_fmt yuv420p".to_owned()),
        (
            "vp8.webm",
            "-c:v libvpx -deadline realtime -cpu-used 8 -b:v 1M -g 60 -auto-alt-ref 1 -pix_fmt yuv420p".to_owned(),
        ),
        ("av1.mp4", "-c:v libaom-av1 -usage realtime -cpu-used 8 -crf 30 -g 20 -pix_fmt yuv420p".to_owned()),
        ("mpeg4.avi", "-c:v mpeg4 -q:v 4 -g 12 -pix_fmt yuv420p".to_owned()),
        ("mpeg4b.avi", "-c:v mpeg4 -q:v 4 -bf 2 -g 12 -pix_fmt yuv420p".to_owned()),
        ("mpeg4b.mp4", "-c:v mpeg4 -q:v 4 -bf 2 -g 12 -pix_fmt yuv420p".to_owned()),
        ("theora.ogv", "-c:v libtheora -q:v 6 -g 12 -pix_fmt yuv420p".to_owned()),
        ("prores.mov", "-c:v prores_ks -profile:v 0 -pix_fmt yuv422p10le".to_owned()),
        ("mjpeg.mkv", "-c:v mjpeg -q:v 4 -pix_fmt yuvj420p".to_owned()),
        ("slow.mkv", format!("-r 0.5 {x264} -g 1")),
        ("a.gif", String::new()),
    ] {
        let path = scene(dir, name, 5.0, &options);
        let dense = all_frames(&path);
        for interval in [0.4, 1.0, 3.0] {
            let (sparse, decoded) = frames_of(&path, &mut corpus(interval));
            assert_eq!(decoded.undecoded, [], "{name}");
            let apart = if name == "slow.mkv" { 2.0 } else { interval };
            assert_subset(&sparse, &dense, apart.max(interval));
            if interval == 1.0 {
                let (again, _) = frames_of(&path, &mut corpus(interval));
                assert!(again == sparse, "{name}: another run, other frames");
                effort.push((name, decoded.frames));
            }
            assert!(sparse.len() <= (2.0 * 5.0 / interval) as usize + 2, "{name}");
        }
    }
    // Where key packets stand alone and come often enough, only the needed ones of 125 frames are
    // decoded.
    for name in [
        "half.mp4",
        "one.mkv",
        "open.mp4",
        "intra.mp4",
        "open-mpeg2.ts",
        "hevc.mp4",
        "vp9.webm",
        "av1.mp4",
        "mpeg4.avi",
        "mpeg4b.mp4",
        "theora.ogv",
        "prores.mov",
        "mjpeg.mkv",
    ] {
        let decoded = effort.iter().find(|(n, _)| *n == name).unwrap().1;
        assert!(decoded <= 6, "{name}: {decoded} decoded");
    }
}

#[test]
fn many_threads_decode_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = scene(
        dir.path(),
        "a.mp4",
        1.0,
        "-c:v libx264 -preset ultrafast -pix_fmt yuv420p",
    );
    let alone = all_frames(&path);
    let (path, alone) = (path.as_path(), alone.as_slice());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(move || assert!(all_frames(path) == alone));
        }
    });
}

#[test]
fn the_video_is_shown_and_not_its_cover() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let cover = footage(
        dir,
        "cover.png",
        "-f lavfi -i mandelbrot=size=800x800 -frames:v 1",
    );
    let video = scene(
        dir,
        "video.mp4",
        1.0,
        "-c:v libx264 -preset ultrafast -pix_fmt yuv420p",
    );
    let plain = all_frames(&video);
    let (cover, video) = (cover.display(), video.display());
    let covered = footage(
        dir,
        "covered.mp4",
        &format!("-i {cover} -i {video} -map 0 -map 1 -c copy -disposition:v:0 attached_pic"),
    );
    assert!(all_frames(&covered) == plain);
    // Of two real streams, the default one is used, not the larger one.
    let two = footage(
        dir,
        "two.mkv",
        &format!(
            "-i {video} -map 0 -map 0 -c:v:0 mpeg4 -filter:v:0 scale=384:288 -c:v:1 copy -disposition:v:0 0 -disposition:v:1 default"
        ),
    );
    assert!(all_frames(&two) == plain);
    assert_eq!(probe(&two).unwrap().codec, "h264");
}

#[test]
fn the_probe_tells_what_is_known() {
    let dir = tempfile::tempdir().unwrap();
    let options = "-c:v libx265 -preset ultrafast -x265-params log-level=none -pix_fmt yuv420p10le";
    let path = scene(dir.path(), "a.mkv", 2.0, options);
    let info = probe(&path).unwrap();
    assert_eq!((info.width, info.height), (192, 144));
    assert_eq!(info.codec, "hevc");
    assert_eq!(info.container, "matroska,webm");
    assert_eq!(info.pixel_format, "yuv420p10le");
    assert_eq!(info.declared, Some(Duration::from_secs(2)));
    let (_, decoded) = frames_of(&path, &mut Every);
    assert_eq!(decoded.info, info);
    assert_eq!(decoded.duration, Duration::from_secs(2));
}
