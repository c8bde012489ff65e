//! Time stamps that are missing, stand still or run backwards: what a player shows is seen, and the
//! rest is reported.

use std::time::Duration;

use crate::media_files::{
    Every, all_frames, assert_close, corpus, ffmpeg, footage, frames_of, scene,
};
use uniq::media::Frame;

#[test]
fn pictures_before_time_zero_are_not_shown() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let whole = scene(
        dir,
        "whole.mp4",
        6.0,
        "-c:v libx264 -preset veryfast -crf 15 -g 250 -bf 3 -pix_fmt yuv420p",
    );
    let vp8 = scene(
        dir,
        "whole.webm",
        6.0,
        "-c:v libvpx -deadline realtime -cpu-used 8 -g 250 -b:v 4M -pix_fmt yuv420p",
    );
    let expected = all_frames(&whole);
    for ending in ["mkv", "mp4", "mov"] {
        let path = dir.join(format!("late.{ending}"));
        let (from, to) = (whole.display(), path.display());
        ffmpeg(&format!(
            "-ss 3 -i {from} -c copy -avoid_negative_ts disabled {to}"
        ));
        let (frames, decoded) = frames_of(&path, &mut Every);
        assert_eq!(decoded.undecoded, [], "{ending}");
        let earlier = |frame: &Frame| Frame {
            time: frame.time - Duration::from_secs(3),
            ..frame.clone()
        };
        let shown: Vec<Frame> = expected[75..].iter().map(earlier).collect();
        assert_close(ending, &frames, &shown, 0.1);
        // A source is sampled at fewer times, which are among those of a clip.
        let (sparse, decoded) = frames_of(&path, &mut corpus(0.5));
        assert!(
            sparse.iter().all(|frame| frames.contains(frame)),
            "{ending}"
        );
        assert_eq!(
            (sparse.len() >= 5, decoded.duration),
            (true, Duration::from_secs(3)),
            "{ending}"
        );
    }
    // Where the container keeps the times of earlier frames, all of them are shown.
    for (input, name) in [
        (&whole, "plain.mkv"),
        (&vp8, "plain.webm"),
        (&whole, "plain.ts"),
    ] {
        let path = footage(dir, name, &format!("-ss 3 -i {} -c copy", input.display()));
        let (frames, decoded) = frames_of(&path, &mut Every);
        assert_eq!((frames.len(), decoded.undecoded), (150, vec![]), "{name}");
    }
}

#[test]
fn a_clock_that_stands_still_or_runs_backwards_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let video = scene(dir, "video.mkv", 4.0, "-c:v mjpeg -q:v 2 -pix_fmt yuvj420p");
    // Time stamp of frame N in milliseconds, and how many of four seconds are lost.
    for (name, pts, lost) in [
        ("still", "if(lt(N,50),40*N,2000)", 1.9..2.1),
        (
            "slowly backwards",
            "if(lt(N,50),40*N,2000-4*(N-50))",
            1.9..2.1,
        ),
        ("in steps", "40*N-800*floor(N/25)", 0.3..0.6),
        ("one step", "if(lt(N,50),40*N,40*N-900)", 0.08..0.3),
    ] {
        let path = dir.join("clock.mkv");
        let filter = format!("setts=pts='{pts}+200':dts=N");
        ffmpeg(&format!(
            "-y -i {} -c copy -bsf:v {filter} {}",
            video.display(),
            path.display()
        ));
        let (frames, decoded) = frames_of(&path, &mut Every);
        assert_eq!(frames.len(), 100, "{name}");
        assert!(
            frames.windows(2).all(|pair| pair[0].time <= pair[1].time),
            "{name}"
        );
        let parts = decoded
            .undecoded
            .iter()
            .filter(|part| part.reason.contains("time stamps"));
        let seconds: f64 = parts
            .map(|part| (part.end - part.start).as_secs_f64())
            .sum();
        assert!(
            lost.contains(&seconds),
            "{name}: {seconds} s, {:?}",
            decoded.undecoded
        );
        let length = decoded.duration.as_secs_f64();
        assert!((3.0..=4.3).contains(&length), "{name}: {length} s");
    }
}
