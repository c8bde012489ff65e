//! The length of a video whose container states another one, and motion in files of pictures.

use crate::media_files::{Every, all_frames, assert_close, footage, frames_of, scene};
use uniq::media::decode;

#[test]
fn a_picture_that_begins_after_the_sound_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let video = scene(
        dir,
        "video.mp4",
        2.0,
        "-c:v libx264 -preset ultrafast -crf 15 -pix_fmt yuv420p",
    );
    let reference = all_frames(&video);
    for ending in ["mkv", "mp4", "mov", "ts"] {
        let inputs = format!("-itsoffset 5 -i {} -f lavfi -t 8 -i sine", video.display());
        let late = footage(
            dir,
            &format!("late.{ending}"),
            &format!("{inputs} -map 0:v -map 1:a -c:v copy -c:a aac"),
        );
        assert_close(ending, &all_frames(&late), &reference, 0.1);
        // A file without both ends is still reported as cut off.
        if ending == "mkv" {
            let bytes = std::fs::read(&late).unwrap();
            let cut = dir.join("cut.mkv");
            std::fs::write(&cut, &bytes[..bytes.len() * 7 / 10]).unwrap();
            let (_, decoded) = frames_of(&cut, &mut Every);
            assert!(
                decoded
                    .undecoded
                    .iter()
                    .any(|part| part.reason.contains("early")),
                "{:?}",
                decoded.undecoded
            );
        }
    }
}

/// Writes a number of frames into the header of the file and of its first stream.
fn promise(bytes: &mut [u8], frames: u32) {
    for (name, place) in [(b"avih", 24), (b"strh", 40)] {
        let at = bytes.windows(4).position(|four| four == name).unwrap() + place;
        bytes[at..at + 4].copy_from_slice(&frames.to_le_bytes());
    }
}

#[test]
fn an_avi_whose_header_promises_too_much_is_whole_if_its_bytes_are() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let silent = scene(
        dir,
        "silent.avi",
        4.0,
        "-c:v mpeg4 -q:v 3 -g 12 -pix_fmt yuv420p",
    );
    let inputs = format!("-i {} -f lavfi -t 4 -i sine", silent.display());
    let sound = footage(dir, "sound.avi", &format!("{inputs} -c:v copy -c:a mp3"));
    for path in [silent, sound] {
        let whole = std::fs::read(&path).unwrap();
        let lost = |bytes: &[u8]| {
            let path = dir.join("changed.avi");
            std::fs::write(&path, bytes).unwrap();
            let (frames, decoded) = frames_of(&path, &mut Every);
            let parts = decoded
                .undecoded
                .iter()
                .filter(|part| part.reason.contains("early"));
            let lost: f64 = parts
                .map(|part| (part.end - part.start).as_secs_f64())
                .sum();
            (frames.len(), lost)
        };
        let mut bytes = whole.clone();
        promise(&mut bytes, 9000);
        assert_eq!(lost(&bytes), (100, 0.0), "{}", path.display());
        // The lost time of a cut file is what the header promises, or what the missing bytes can
        // hold.
        let (frames, seconds) = lost(&whole[..whole.len() / 2]);
        assert!(
            frames < 60 && (1.6..2.4).contains(&seconds),
            "{}: {frames} frames, {seconds} s",
            path.display()
        );
        let (frames, seconds) = lost(&bytes[..bytes.len() / 2]);
        assert!(
            frames < 60 && (1.6..10.0).contains(&seconds),
            "{}: {frames} frames, {seconds} s",
            path.display()
        );
    }
}

#[test]
fn pictures_that_move_are_videos_or_say_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    for (name, options) in [("a.gif", ""), ("a.apng", ""), ("a.png", "-f apng")] {
        let (frames, decoded) = frames_of(
            &scene(dir, name, 2.0, &format!("-r 10 {options}")),
            &mut Every,
        );
        assert_eq!(
            (frames.len(), decoded.duration.as_secs_f64().round()),
            (20, 2.0),
            "{name}"
        );
    }
    // The head of an animated WebP, and the next parts of such a file.
    let webp = dir.join("a.webp");
    std::fs::write(
        &webp,
        b"RIFF\x40\0\0\0WEBPVP8X\x0a\0\0\0\x02\0\0\0\x3f\0\0\x3f\0\0ANIM\x06\0\0\0\0\0\0\0\0\0",
    )
    .unwrap();
    let error = decode(&webp, &mut Every, &mut |_| {
        std::ops::ControlFlow::Continue(())
    })
    .unwrap_err()
    .to_string();
    assert!(
        error.contains("animated WebP") && error.contains("convert"),
        "{error}"
    );
}
