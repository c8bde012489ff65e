//! Recordings that were joined byte by byte, as by `cat a b`: what players continue with is seen,
//! and the rest is reported.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::media_files::{Every, corpus, difference, footage, frames_of};
use uniq::media::{Decoded, Frame};

/// Encodes two seconds of one of two scenes, which look quite different.
fn part(dir: &Path, name: &str, second: bool, options: &str) -> PathBuf {
    let filter = if second { "-vf hflip,negate" } else { "" };
    footage(
        dir,
        name,
        &format!(
            "-f lavfi -i testsrc2=size=192x144:rate=25 -t 2 {filter} -pix_fmt yuv420p {options}"
        ),
    )
}

fn join(dir: &Path, name: &str, parts: &[&PathBuf]) -> PathBuf {
    let bytes: Vec<u8> = parts
        .iter()
        .flat_map(|part| std::fs::read(part).unwrap())
        .collect();
    let path = dir.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// Asserts that the frame half a second into each part is of the expected scene.
fn assert_scenes(name: &str, frames: &[Frame], expected: &[&Frame]) {
    for (number, scene) in expected.iter().enumerate() {
        let time = Duration::from_millis(2000 * number as u64 + 500);
        let shown = frames.iter().rfind(|frame| frame.time <= time).unwrap();
        let sized = (shown.width, shown.height) == (scene.width, scene.height);
        assert!(
            sized && difference(shown, scene) < 6.0,
            "{name}: another picture at {time:?}, {:?}",
            shown.time
        );
    }
}

fn assert_length(name: &str, decoded: &Decoded, seconds: f64) {
    let off = decoded.duration.as_secs_f64() - seconds;
    assert!(
        off.abs() < 0.2,
        "{name}: {:?} instead of {seconds} s",
        decoded.duration
    );
}

#[test]
fn a_transport_stream_whose_codec_changes_is_followed() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let x264 = "-c:v libx264 -preset ultrafast -crf 15 -g 12";
    let x265 = "-c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=12";
    let mpeg2 = "-c:v mpeg2video -q:v 2 -g 12";
    let first = part(dir, "first.ts", false, x264);
    let frames = [&first, &part(dir, "second.ts", true, x264)]
        .map(|path| frames_of(path, &mut Every).0[12].clone());
    for (name, one, two, options) in [
        ("mpeg2-h264.ts", mpeg2, x264, ""),
        ("h264-mpeg2.ts", x264, mpeg2, ""),
        ("h264-hevc.ts", x264, x265, ""),
        ("hevc-h264.ts", x265, x264, ""),
        ("mpeg2-h264.m2ts", mpeg2, x264, "-mpegts_m2ts_mode 1"),
    ] {
        let one = part(
            dir,
            &format!("1-{name}"),
            false,
            &format!("{one} {options}"),
        );
        let two = part(dir, &format!("2-{name}"), true, &format!("{two} {options}"));
        let joined = join(dir, name, &[&one, &two, &one]);
        let (seen, decoded) = frames_of(&joined, &mut Every);
        assert_scenes(name, &seen, &[&frames[0], &frames[1], &frames[0]]);
        assert_length(name, &decoded, 6.0);
        assert_eq!(decoded.undecoded, [], "{name}");
        assert_eq!(decoded.frames, 150, "{name}");
        // A source is sampled less often, but in both halves.
        let (sparse, _) = frames_of(&joined, &mut corpus(0.5));
        assert_scenes(name, &sparse, &[&frames[0], &frames[1], &frames[0]]);
        assert!(
            sparse.windows(2).all(|pair| pair[0].time < pair[1].time),
            "{name}"
        );
    }
}

#[test]
fn what_players_do_not_reach_of_a_joined_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let x264 = "-c:v libx264 -preset ultrafast -crf 15 -g 12";
    for (ending, options) in [
        ("flv", x264.to_owned()),
        ("asf", "-c:v wmv2 -q:v 3".to_owned()),
        ("mp4", x264.to_owned()),
        ("mp4", format!("{x264} -movflags faststart")),
        ("mp4", format!("{x264} -movflags frag_keyframe+empty_moov")),
    ] {
        let one = part(dir, &format!("1.{ending}"), false, &options);
        let two = part(dir, &format!("2.{ending}"), true, &options);
        for (parts, seconds) in [(&[&one, &two][..], 4.0), (&[&one, &two, &one], 6.0)] {
            let (seen, decoded) =
                frames_of(&join(dir, &format!("joined.{ending}"), parts), &mut Every);
            assert_length(ending, &decoded, seconds);
            assert_eq!(seen.len(), 50, "{ending}");
            let lost: Duration = decoded
                .undecoded
                .iter()
                .map(|part| part.end - part.start)
                .sum();
            assert!(
                (lost.as_secs_f64() - (seconds - 2.0)).abs() < 0.2,
                "{ending}: {:?}",
                decoded.undecoded
            );
            assert!(
                decoded.undecoded[0].reason.contains("appended"),
                "{ending}: {:?}",
                decoded.undecoded
            );
        }
    }
    // Followed by another container, and alone.
    let flv = part(dir, "a.flv", false, x264);
    let joined = join(dir, "b.flv", &[&flv, &part(dir, "b.mkv", true, x264)]);
    assert_length("flv-mkv", &frames_of(&joined, &mut Every).1, 4.0);
    assert_eq!(frames_of(&flv, &mut Every).1.undecoded, []);
}

#[test]
fn fragments_that_repeat_their_header_are_one_movie() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let x264 = "-c:v libx264 -preset ultrafast -crf 15 -g 25 -movflags frag_keyframe+empty_moov+default_base_moof";
    let bytes = std::fs::read(part(dir, "a.mp4", false, x264)).unwrap();
    let boxes = |kind: &[u8]| -> Vec<usize> {
        let found = bytes
            .windows(4)
            .enumerate()
            .filter(|(_, name)| *name == kind);
        found.map(|(at, _)| at - 4).collect()
    };
    let fragments = boxes(b"moof");
    assert_eq!(fragments.len(), 2);
    let path = dir.join("b.mp4");
    let (header, second) = (
        &bytes[..fragments[0]],
        &bytes[fragments[1]..boxes(b"mfra")[0]],
    );
    std::fs::write(
        &path,
        [header, &bytes[fragments[0]..fragments[1]], header, second].concat(),
    )
    .unwrap();
    let (seen, decoded) = frames_of(&path, &mut Every);
    assert_eq!((seen.len(), decoded.undecoded), (50, vec![]));
}

#[test]
fn tracks_of_one_movie_are_pictures_of_their_own_and_never_joined() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let x264 = "-c:v libx264 -preset ultrafast -crf 15 -g 12";
    let (one, two) = (
        part(dir, "1.mp4", false, x264),
        part(dir, "2.mp4", true, x264),
    );
    for ending in ["mp4", "mov", "mkv", "avi"] {
        for (delay, flags) in [
            (0, "-disposition:v:0 0 -disposition:v:1 default"),
            (0, ""),
            (2, ""),
        ] {
            let inputs = format!(
                "-y -i {} -itsoffset {delay} -i {}",
                one.display(),
                two.display()
            );
            let path = footage(
                dir,
                &format!("both.{ending}"),
                &format!("{inputs} -map 0 -map 1 -c copy {flags}"),
            );
            let (_, decoded) = frames_of(&path, &mut Every);
            let pictures = decoded.pictures();
            assert!(
                pictures.len() == 2 && pictures.iter().all(|it| it.len() == 1),
                "{ending}: {pictures:?}"
            );
        }
    }
}

#[test]
fn a_picture_that_moves_to_another_stream_is_one() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let x264 = "-c:v libx264 -preset ultrafast -crf 15 -g 12";
    let one = part(dir, "1.ts", false, &format!("{x264} -mpegts_start_pid 256"));
    let two = part(dir, "2.ts", true, &format!("{x264} -mpegts_start_pid 300"));
    let (_, decoded) = frames_of(&join(dir, "moved.ts", &[&one, &two]), &mut Every);
    assert_eq!(decoded.pictures(), [[0, 1]]);
}
