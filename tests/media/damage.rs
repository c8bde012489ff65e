//! Errors for files that are no video, unreadable or damaged; each file is made by the test.

use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::media_files::{Every, SCENE, all_frames, corpus, footage, frames_of, scene};
use uniq::Error;
use uniq::media::{Frame, Limits, Links, Selector, Source, decode, probe};

const X264: &str = "-c:v libx264 -preset ultrafast -g 25 -bf 2 -pix_fmt yuv420p";

/// The error of `path`, which must name it. Probing must not panic either.
fn error_of(path: &Path) -> Error {
    let error = decode(path, &mut Every, &mut |_| ControlFlow::Continue(())).unwrap_err();
    assert!(error.to_string().contains(path.to_str().unwrap()));
    let _ = probe(path);
    error
}

#[test]
fn files_without_video_say_what_they_hold() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    for (name, codec) in [
        ("a.wav", "pcm_s16le"),
        ("a.mp3", "mp3"),
        ("a.m4a", "aac"),
        ("a.ogg", "vorbis"),
        ("a.flac", "flac"),
        ("a.mka", "ac3"),
    ] {
        let path = footage(
            dir,
            name,
            &format!("-f lavfi -i sine=duration=1 -c:a {codec} -strict -2 -ac 2"),
        );
        let error = error_of(&path);
        let Error::NoVideo { found, .. } = error else {
            panic!("{name}: {error:?}")
        };
        assert_eq!(found, format!("only audio {codec}"));
    }
    let cover = footage(
        dir,
        "cover.png",
        "-f lavfi -i mandelbrot=size=80x80 -frames:v 1",
    );
    let song = footage(
        dir,
        "song.mp4",
        &format!(
            "-f lavfi -i sine=duration=1 -i {} -map 0 -map 1 -c:a aac -c:v copy -disposition:v attached_pic",
            cover.display()
        ),
    );
    let error = error_of(&song);
    let Error::NoVideo { found, .. } = error else {
        panic!("{error:?}")
    };
    assert_eq!(found, "only audio aac, cover picture png");
}

#[test]
fn files_that_are_no_media_say_so() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let empty = error_of(&write("empty.mp4", b""));
    assert!(matches!(empty, Error::Empty { .. }));
    let noise = (0..9000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8);
    for (name, bytes) in [
        (
            "text.mp4",
            b"This is no video, whatever its name may say.\n".repeat(100),
        ),
        ("noise.mp4", noise.collect()),
        ("byte.mkv", vec![0x1a]),
        ("zeros.avi", vec![0; 5000]),
    ] {
        let error = error_of(&write(name, &bytes));
        assert!(matches!(error, Error::NotMedia { .. }), "{name}: {error:?}");
    }
}

#[test]
fn files_that_cannot_be_read_give_the_systems_answer() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("missing.mp4");
    for (path, kind) in [
        (missing.as_path(), ErrorKind::NotFound),
        (dir.path(), ErrorKind::IsADirectory),
    ] {
        let error = error_of(path);
        assert!(
            matches!(&error, Error::Io { doing: "open", source, .. } if source.kind() == kind),
            "{error:?}"
        );
        let opened = Source::open(path, Links::Refuse, &Limits::default());
        assert!(matches!(opened, Err(Error::Io { .. })));
    }
}

#[cfg(unix)]
#[test]
fn any_file_name_will_do() {
    use std::os::unix::ffi::OsStrExt as _;
    let dir = tempfile::tempdir().unwrap();
    let made = scene(dir.path(), "a.mp4", 0.2, X264);
    for name in [
        &b"\xff\xfe not utf-8"[..],
        b"%03d.jpg",
        b"http:x.mp4",
        b"-i",
        b"a\nb",
    ] {
        let path = dir.path().join(std::ffi::OsStr::from_bytes(name));
        std::fs::copy(&made, &path).unwrap();
        assert_eq!(frames_of(&path, &mut Every).1.frames, 5);
    }
}

#[test]
fn a_playlist_opens_no_other_file() {
    let dir = tempfile::tempdir().unwrap();
    let part = scene(dir.path(), "part.ts", 1.0, X264);
    let part = part.display();
    let hls = format!("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1.0,\n{part}\n#EXT-X-ENDLIST\n");
    let concat = format!("ffconcat version 1.0\nfile '{part}'\n");
    let dash = format!(
        "<?xml version=\"1.0\"?><MPD profiles=\"urn:mpeg:dash:profile:isoff-on-demand:2011\" \
         xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"static\"><Period><AdaptationSet>\
         <Representation id=\"1\"><BaseURL>{part}</BaseURL></Representation></AdaptationSet></Period></MPD>"
    );
    let sdp = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n\
               m=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n";
    for (name, text) in [
        ("hls.mp4", hls.as_str()),
        ("concat.mp4", &concat),
        ("dash.mp4", &dash),
        ("sdp.mp4", sdp),
    ] {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        let error = error_of(&path);
        assert!(matches!(error, Error::NotMedia { .. }), "{name}: {error:?}");
    }
}

#[test]
fn a_codec_without_decoder_is_named() {
    let dir = tempfile::tempdir().unwrap();
    for (file, options, place, tag, name) in [
        ("a.mp4", X264, b"avc1", b"zyX9", "with tag zyX9"),
        ("a.avi", "-c:v mpeg4", b"FMP4", b"AVS2", "avs2"),
    ] {
        let path = scene(dir.path(), file, 0.2, options);
        let mut bytes = std::fs::read(&path).unwrap();
        let words = bytes.windows(4).enumerate();
        let places: Vec<usize> = words
            .filter(|(_, w)| w == place)
            .map(|(at, _)| at)
            .collect();
        for at in places {
            bytes[at..at + 4].copy_from_slice(tag);
        }
        std::fs::write(&path, bytes).unwrap();
        let error = error_of(&path);
        let Error::NoDecoder { codec, .. } = error else {
            panic!("{name}: {error:?}")
        };
        assert_eq!(codec, name);
    }
}

#[test]
fn a_video_of_garbage_is_undecodable() {
    let dir = tempfile::tempdir().unwrap();
    let path = scene(
        dir.path(),
        "a.mp4",
        1.0,
        &format!("{X264} -movflags +faststart"),
    );
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.windows(4).position(|w| w == b"mdat").unwrap() + 4;
    for (i, byte) in bytes[at..].iter_mut().enumerate() {
        *byte = (i * 7 + 13) as u8;
    }
    std::fs::write(&path, &bytes).unwrap();
    for selector in [&mut Every as &mut dyn Selector, &mut corpus(1.0)] {
        let error = decode(&path, selector, &mut |_| ControlFlow::Continue(())).unwrap_err();
        let Error::Undecodable { reason, .. } = error else {
            panic!("{error:?}")
        };
        assert!(reason.starts_with("decoding h264: "), "{reason}");
    }
}

#[test]
fn a_visitor_can_break_off() {
    let dir = tempfile::tempdir().unwrap();
    let path = scene(dir.path(), "a.mp4", 1.0, X264);
    let mut seen = 0;
    let result = decode(&path, &mut Every, &mut |_| {
        seen += 1;
        ControlFlow::Break(())
    });
    assert!(matches!(result, Err(Error::Cancelled)));
    assert_eq!(seen, 1);
}

/// `path` cut to a share of its length.
fn cut(path: &Path, share: f64) -> PathBuf {
    let bytes = std::fs::read(path).unwrap();
    let cut = path.with_file_name(format!(
        "cut-{}",
        path.file_name().unwrap().to_str().unwrap()
    ));
    std::fs::write(&cut, &bytes[..(bytes.len() as f64 * share) as usize]).unwrap();
    cut
}

#[test]
fn a_file_cut_in_the_middle_reports_what_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let sound = format!("-f lavfi -i sine=duration=8 -f lavfi -i {SCENE} -t 8 -c:a aac {X264}");
    let plain = format!("-f lavfi -i {SCENE} -t 8");
    for (name, arguments) in [
        ("a.mp4", format!("{plain} {X264} -movflags +faststart")),
        ("sound.mp4", format!("{sound} -movflags +faststart")),
        ("a.mkv", format!("{plain} {X264}")),
        ("sound.mkv", sound),
        (
            "a.webm",
            format!("{plain} -c:v libvpx -deadline realtime -cpu-used 8"),
        ),
        ("a.avi", format!("{plain} -c:v mpeg4 -q:v 4")),
        ("a.flv", format!("{plain} -c:v flv -q:v 4")),
        (
            "a.mov",
            format!("{plain} -c:v prores_ks -profile:v 0 -movflags +faststart"),
        ),
    ] {
        let whole = footage(dir.path(), name, &arguments);
        let broken = cut(&whole, 0.6);
        for selector in [
            || -> Box<dyn Selector> { Box::new(Every) },
            || -> Box<dyn Selector> { Box::new(corpus(1.0)) },
        ] {
            let complete = frames_of(&whole, &mut *selector()).1;
            assert_eq!(complete.undecoded, [], "{name}");
            let length = complete.duration.as_secs_f64();
            assert!((7.9..=8.2).contains(&length), "{name}: {length}");

            let broken = frames_of(&broken, &mut *selector()).1;
            let shorter = broken.duration.abs_diff(complete.duration);
            assert!(shorter < Duration::from_millis(250), "{name}: {shorter:?}");
            let missing: f64 = broken
                .undecoded
                .iter()
                .map(|part| (part.end - part.start).as_secs_f64())
                .sum();
            assert!(
                (2.0..=4.5).contains(&missing),
                "{name}: {:?}",
                broken.undecoded
            );
            let last = broken.undecoded.last().unwrap();
            assert!(last.reason.ends_with(" s early"), "{name}: {}", last.reason);
            assert_eq!(last.end, broken.duration);
        }
    }
}

#[test]
fn a_transport_stream_cut_in_the_middle_is_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let broken = cut(&scene(dir.path(), "a.ts", 8.0, X264), 0.6);
    let (frames, decoded) = frames_of(&broken, &mut Every);
    let end = frames.last().unwrap().time;
    assert!((3.0..=6.0).contains(&end.as_secs_f64()));
    assert!(decoded.duration.abs_diff(end) < Duration::from_millis(200));
}

#[test]
fn a_file_whose_sound_is_longer_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["a.mp4", "a.mkv"] {
        let arguments =
            format!("-f lavfi -i sine=duration=9 -f lavfi -t 3 -i {SCENE} -c:a aac {X264}");
        let path = footage(dir.path(), name, &arguments);
        let (_, decoded) = frames_of(&path, &mut Every);
        assert_eq!(decoded.undecoded, [], "{name}");
        assert!(decoded.duration.abs_diff(Duration::from_secs(3)) < Duration::from_millis(50));
    }
}

#[test]
fn an_mp4_without_its_index_says_what_it_lacks() {
    let dir = tempfile::tempdir().unwrap();
    let error = error_of(&cut(&scene(dir.path(), "a.mp4", 2.0, X264), 0.5));
    let Error::NotMedia { reason, .. } = &error else {
        panic!("{error:?}")
    };
    assert!(reason.contains("moov"), "{reason}");
}

#[test]
fn damage_in_the_middle_is_reported_where_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let hevc =
        "-c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=25 -pix_fmt yuv420p";
    let vp9 = "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 25 -pix_fmt yuv420p";
    for (name, options) in [
        ("a.mp4", format!("{X264} -movflags +faststart")),
        ("a.mkv", X264.to_owned()),
        ("a.ts", X264.to_owned()),
        ("m.ts", "-c:v mpeg2video -q:v 4 -g 12 -pix_fmt yuv420p".to_owned()),
        ("h.mkv", hevc.to_owned()),
        ("h.ts", hevc.to_owned()),
        ("h.mp4", format!("{hevc} -movflags +faststart")),
        ("v.webm", vp9.to_owned()),
        ("v.mp4", format!("{vp9} -movflags +faststart")),
        ("1.mp4", "-c:v libaom-av1 -usage realtime -cpu-used 8 -g 25 -pix_fmt yuv420p -movflags +faststart".to_owned()),
        ("4.avi", "-c:v mpeg4 -q:v 4 -g 12".to_owned()),
        ("t.ogv", "-c:v libtheora -q:v 4 -g 12".to_owned()),
        ("f.flv", "-c:v flv -q:v 4 -g 12".to_owned()),
        ("p.mov", "-c:v prores_ks -profile:v 0 -movflags +faststart".to_owned()),
    ] {
        let path = scene(dir.path(), name, 8.0, &options);
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        let reach = bytes.len() / 8;
        for byte in &mut bytes[middle..middle + reach] {
            *byte ^= 0x5a;
        }
        std::fs::write(&path, bytes).unwrap();
        let (frames, decoded) = frames_of(&path, &mut Every);
        let in_part = |time: f64| {
            let parts = decoded.undecoded.iter();
            parts
                .map(|part| (part.start.as_secs_f64(), part.end.as_secs_f64()))
                .any(|(start, end)| start - 0.001 <= time && time < end - 0.001)
        };
        for frame in &frames {
            assert!(!in_part(frame.time.as_secs_f64()), "{name}: {:?}", frame.time);
        }
        let first = decoded.undecoded.first().unwrap();
        assert!((3.8..=4.3).contains(&first.start.as_secs_f64()), "{name}: {first:?}");
        assert_eq!(first.reason, "corrupt data");
        let sparse = frames_of(&path, &mut corpus(1.0)).1;
        assert!(name == "4.avi" || !sparse.undecoded.is_empty(), "{name}");
        // An AVI numbers its remaining frames, so those after the damage move forward.
        if name != "4.avi" {
            assert!(decoded.duration.abs_diff(Duration::from_secs(8)) < Duration::from_millis(80));
            let seen = |time: f64| {
                let near = |frame: &Frame| (frame.time.as_secs_f64() - time).abs() < 0.02;
                frames.iter().any(near)
            };
            for i in 0..200 {
                let time = f64::from(i) * 0.04;
                assert!(seen(time) || in_part(time), "{name}: nothing said of {time}");
            }
        }
    }
}

#[test]
fn sha256_is_that_of_the_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("abc");
    std::fs::write(&path, "abc").unwrap();
    let source = Source::open(&path, Links::Refuse, &Limits::default()).unwrap();
    let digest: String = source
        .sha256(&|| false)
        .unwrap()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(
        digest,
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
}

/// The scene for a second, then a still for five, and so on, as in a recording of a screen.
const PAUSES: &str = "-vf select=lt(mod(t\\,6)\\,1) -vsync vfr";
/// One frame in five seconds, as in a slide show.
const SLIDES: &str = "-vf select=not(mod(n\\,125)) -vsync vfr";

#[test]
fn pauses_of_a_sound_file_are_seen() {
    let dir = tempfile::tempdir().unwrap();
    // VP8 has separate packets for frames that are never shown.
    let vp8 = "-c:v libvpx -auto-alt-ref 1 -lag-in-frames 16 -deadline good -cpu-used 5 -g 100";
    let vp9 = "-c:v libvpx-vp9 -auto-alt-ref 1 -lag-in-frames 16 -deadline good -cpu-used 8 -row-mt 0 -pix_fmt yuv420p";
    for (name, options) in [
        ("a.mp4", X264),
        (
            "fragmented.mp4",
            &format!("{X264} -movflags frag_keyframe+empty_moov"),
        ),
        ("a.mov", X264),
        ("a.mkv", X264),
        ("a.flv", X264),
        ("a.ts", X264),
        ("8.webm", vp8),
        ("9.webm", vp9),
    ] {
        for (filter, pictures) in [(PAUSES, 75), (SLIDES, 4)] {
            let path = scene(dir.path(), name, 18.0, &format!("{filter} {options}"));
            let frames = all_frames(&path);
            assert_eq!(frames.len(), pictures, "{name}");
            let longest = frames
                .windows(2)
                .map(|pair| pair[1].time - pair[0].time)
                .max()
                .unwrap();
            assert!(
                longest >= Duration::from_secs_f64(4.9),
                "{name}: no pause, {longest:?}"
            );
            assert_eq!(frames_of(&path, &mut corpus(1.0)).1.undecoded, [], "{name}");
        }
    }
}

/// Turns the Matroska blocks with `times` in milliseconds into void elements, which are no fault of
/// the file.
fn void_blocks(bytes: &mut [u8], times: std::ops::Range<u64>) {
    // Start and end of the element's body.
    let element = |bytes: &[u8], at: usize, id: usize| {
        let length = bytes[at + id].leading_zeros() as usize + 1;
        let first = u64::from(bytes[at + id]) & ((1 << (8 - length)) - 1);
        let size = bytes[at + id + 1..at + id + length]
            .iter()
            .fold(first, |size, &byte| size << 8 | u64::from(byte));
        (at + id + length, at + id + length + size as usize)
    };
    let mut voided = 0;
    let clusters: Vec<usize> = bytes
        .windows(4)
        .enumerate()
        .filter(|(_, w)| w == b"\x1f\x43\xb6\x75")
        .map(|(at, _)| at)
        .collect();
    for cluster in clusters {
        let (mut at, end) = element(bytes, cluster, 4);
        let mut start = 0;
        while at < end {
            let (body, next) = element(bytes, at, 1);
            match bytes[at] {
                0xe7 => {
                    start = bytes[body..next]
                        .iter()
                        .fold(0, |time, &byte| time << 8 | u64::from(byte))
                }
                0xa3 => {
                    let time =
                        start + u64::from(u16::from_be_bytes([bytes[body + 1], bytes[body + 2]]));
                    if times.contains(&time) {
                        bytes[at] = 0xec;
                        voided += 1;
                    }
                }
                _ => {}
            }
            at = next;
        }
    }
    assert_eq!(voided, (times.end - times.start) / 40);
}

/// Marks packets in the middle of a transport stream, between two shares of the file, as null
/// packets.
fn hide_packets(bytes: &mut [u8], from: f64, to: f64) {
    let packets = bytes.len() / 188;
    let share = |share: f64| (packets as f64 * share) as usize;
    for packet in bytes
        .chunks_exact_mut(188)
        .take(share(to))
        .skip(share(from))
    {
        packet[1] |= 0x1f;
        packet[2] = 0xff;
    }
}

#[test]
fn packets_that_are_gone_without_a_word_are_missing() {
    let dir = tempfile::tempdir().unwrap();
    let vp8 = "-c:v libvpx -deadline realtime -cpu-used 8 -g 25 -pix_fmt yuv420p";
    let vp9 = "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 25 -pix_fmt yuv420p";
    let av1 = "-c:v libaom-av1 -usage realtime -cpu-used 8 -crf 40 -g 25 -pix_fmt yuv420p";
    let mpeg2 = "-c:v mpeg2video -q:v 4 -g 25 -pix_fmt yuv420p";
    let x264 = "-c:v libx264 -preset ultrafast -g 25 -pix_fmt yuv420p";
    for (name, options) in [
        ("8.webm", vp8),
        ("9.webm", vp9),
        ("1.mkv", av1),
        ("h.mkv", x264),
        ("2.ts", mpeg2),
        ("h.ts", x264),
    ] {
        let path = scene(dir.path(), name, 6.0, options);
        let mut bytes = std::fs::read(&path).unwrap();
        // Removes the rest of a group of pictures, so that decoding continues with a key picture.
        match name.ends_with(".ts") {
            true => hide_packets(&mut bytes, 0.4, 0.6),
            false => void_blocks(&mut bytes, 2080..3000),
        }
        std::fs::write(&path, bytes).unwrap();
        let (frames, decoded) = frames_of(&path, &mut Every);
        let lost = 6.0 - decoded.frames as f64 * 0.04;
        assert!(lost > 0.7, "{name}: only {lost} s are gone");
        let missing: f64 = decoded
            .undecoded
            .iter()
            .map(|part| (part.end - part.start).as_secs_f64())
            .sum();
        assert!(
            (lost - 0.1..lost + 0.1).contains(&missing),
            "{name}: {lost} s are gone, {:?}",
            decoded.undecoded
        );
        let seen = |part: &uniq::media::Undecoded| {
            frames
                .iter()
                .any(|f| part.start < f.time && f.time < part.end)
        };
        assert!(
            !decoded.undecoded.iter().any(seen),
            "{name}: {:?}",
            decoded.undecoded
        );
    }
}

#[test]
fn pauses_are_missing_only_near_damage() {
    let dir = tempfile::tempdir().unwrap();
    // Bursts and pauses of four seconds each; the damage is in the middle of the third burst.
    let path = scene(
        dir.path(),
        "a.mkv",
        40.0,
        &format!("-vf select=lt(mod(t\\,8)\\,4) -vsync vfr {X264}"),
    );
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    for byte in &mut bytes[middle..middle + 2000] {
        *byte ^= 0x5a;
    }
    std::fs::write(&path, bytes).unwrap();
    let decoded = frames_of(&path, &mut Every).1;
    let (first, last) = (
        decoded.undecoded.first().unwrap(),
        decoded.undecoded.last().unwrap(),
    );
    let within = Duration::from_secs_f64(11.9)..Duration::from_secs_f64(24.1);
    assert!(
        within.contains(&first.start) && within.contains(&last.end),
        "{:?}",
        decoded.undecoded
    );
}
