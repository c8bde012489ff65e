//! Scripts play decoding processes that were taken over: the parent must trust none of their data.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use uniq::media::Limits;
use uniq::{Decoding, Error};

use crate::media_files::scene;
use crate::{UNIQ, shared};

/// The first message of an honest process: it is ready and has given up all rights.
const READY: &str = "printf '\\001\\015\\000\\000\\000uniq 7\\n\\007\\001\\001\\001\\001\\001'; ";
/// A stream of 64 x 64 pixels.
const OPENED: &str = "printf '\\002\\027\\000\\000\\000\\100\\000\\000\\000\\100\\000\\000\\000\\000\\000\\000\\000\\000\
    \\000\\000\\000\\000\\000\\000\\000\\000\\000\\000'; ";
/// A small picture of one pixel at time zero.
const PICTURE: &str = "printf '\\015\\021\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\001\\000\\000\\000\\001\\000\\000\\000\\377'; ";

/// The library's error when this script plays the decoding process.
fn with(name: &str, script: &str) -> (Error, Duration) {
    let folder = shared("liars");
    let clip = scene(
        &folder,
        &format!("{name}.mp4"),
        0.4,
        "-c:v mpeg4 -pix_fmt yuv420p",
    );
    let worker: PathBuf = folder.join(format!("{name}.sh"));
    fs::write(&worker, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&worker, fs::Permissions::from_mode(0o755)).unwrap();
    let mut decoding = Decoding::worker(&worker);
    decoding.limits = Limits {
        stall: Duration::from_secs(2),
        time_floor: Duration::from_secs(4),
        time_ratio: 0,
        ..Limits::default()
    };
    let begun = Instant::now();
    let error = uniq::fingerprint(&clip, &decoding, None).unwrap_err();
    (error, begun.elapsed())
}

#[test]
fn whatever_a_process_does_the_parent_goes_on() {
    let flood = "while :; do printf '\\004\\020\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000'; done";
    for (name, script, expected) in [
        ("silent", "sleep 60".to_owned(), "stood still"),
        ("closed", format!("{READY} exec >&-; sleep 60"), "silence"),
        ("endless", format!("{READY} {flood}"), "--max-time"),
        ("crash", format!("{READY} kill -SEGV $$"), "SIGSEGV"),
        ("forbidden", format!("{READY} kill -SYS $$"), "SIGSYS"),
        ("quits", format!("{READY} exit 7"), "code 7"),
        ("early", "exit 7".to_owned(), "before it was ready"),
        ("noise", "head -c 100000 /dev/urandom".to_owned(), "kind"),
        ("zeros", "head -c 100000 /dev/zero".to_owned(), "kind"),
        (
            "large",
            format!("{READY} printf '\\003\\377\\377\\377\\177'; cat /dev/zero"),
            "bytes",
        ),
        (
            "flood",
            format!("{READY} {OPENED} while :; do {PICTURE} done"),
            "a small picture at 0ns, before 33ms",
        ),
        (
            "huge",
            format!("{READY} {OPENED} printf '\\015\\377\\377\\000\\000'; cat /dev/zero"),
            "kind 13 with 65535 bytes",
        ),
        (
            "half",
            format!("{READY} printf '\\004\\020\\000\\000\\000abc'"),
            "half a message",
        ),
        (
            "escape",
            format!(
                "{READY} printf '\\007\\011\\000\\000\\000\\005\\000\\000\\000\\000\\002\\000\\033['"
            ),
            "malformed",
        ),
        (
            "unready",
            format!("{OPENED} sleep 9"),
            "before it was ready",
        ),
        (
            "twice",
            format!("{READY} {READY} sleep 9"),
            "second beginning",
        ),
        (
            "nothing",
            format!(
                "{READY} {OPENED} printf '\\006\\020\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000'"
            ),
            "contrary to what was sent",
        ),
        (
            "oops",
            format!(
                "{READY} printf '\\007\\007\\000\\000\\000\\143\\000\\000\\000\\000\\000\\000'"
            ),
            "unknown failure code",
        ),
    ] {
        let (error, elapsed) = with(name, &script);
        let text = format!("{error}: {error:?}");
        assert!(text.contains(expected), "{name}: {text}");
        assert!(elapsed < Duration::from_secs(9), "{name} took {elapsed:?}");
    }
}

#[test]
fn a_worker_gives_the_same_bytes_as_decoding_in_process() {
    let folder = shared("same");
    let x264 = "-c:v libx264 -preset ultrafast -bf 2 -g 25 -pix_fmt yuv420p";
    let mut files = vec![
        scene(&folder, "a.mp4", 6.0, x264),
        scene(&folder, "a.mkv", 6.0, x264),
        scene(
            &folder,
            "a.ts",
            6.0,
            "-c:v mpeg2video -bf 2 -pix_fmt yuv420p",
        ),
        scene(
            &folder,
            "a.webm",
            3.0,
            "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -pix_fmt yuv420p",
        ),
        scene(
            &folder,
            "av1.mp4",
            3.0,
            "-c:v libaom-av1 -usage realtime -cpu-used 8 -crf 40 -pix_fmt yuv420p",
        ),
        scene(
            &folder,
            "hevc.mp4",
            3.0,
            "-c:v libx265 -preset ultrafast -x265-params log-level=none -pix_fmt yuv420p10le",
        ),
        scene(
            &folder,
            "vp8.webm",
            3.0,
            "-c:v libvpx -deadline realtime -cpu-used 8 -pix_fmt yuv420p",
        ),
        scene(&folder, "a.ogv", 3.0, "-c:v libtheora -pix_fmt yuv420p"),
        scene(
            &folder,
            "a.mov",
            3.0,
            "-c:v prores_ks -profile:v 0 -pix_fmt yuv422p10le",
        ),
        scene(&folder, "a.avi", 3.0, "-c:v mjpeg -pix_fmt yuvj420p"),
        scene(&folder, "ffv1.mkv", 3.0, "-c:v ffv1 -pix_fmt yuv420p"),
        scene(&folder, "a.gif", 2.0, ""),
        scene(&folder, "a.png", 0.04, "-frames:v 1"),
        scene(&folder, "a.webp", 0.04, "-frames:v 1"),
    ];
    let mut damaged = fs::read(&files[1]).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle..middle + 3000].fill(0x5a);
    files.push(folder.join("damaged.mkv"));
    fs::write(files.last().unwrap(), &damaged).unwrap();
    files.push(folder.join("cut.mkv"));
    fs::write(files.last().unwrap(), &damaged[..damaged.len() * 3 / 4]).unwrap();
    let (here, there) = (Decoding::in_process(), Decoding::worker(UNIQ));
    for file in &files {
        let [one, other] = [&here, &there].map(|decoding| uniq::fingerprint(file, decoding, None));
        let (one, other) = (one.unwrap(), other.unwrap());
        assert!(one.frames() > 0, "{}", file.display());
        assert_eq!(one.undecoded(), other.undecoded(), "{}", file.display());
        assert!(
            one.to_bytes() == other.to_bytes(),
            "{}: other keys",
            file.display()
        );
        let pictures = (one.pictures(), other.pictures());
        assert!(
            !pictures.0.is_empty() && pictures.0 == pictures.1,
            "{}: other pictures",
            file.display()
        );
    }
    fs::write(&files[0], b"no video at all").unwrap();
    let words = [&here, &there].map(|decoding| {
        format!(
            "{:?}",
            uniq::fingerprint(&files[0], decoding, None).unwrap_err()
        )
    });
    assert_eq!(words[0], words[1]);
}
