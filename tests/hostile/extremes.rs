//! Files that need too much, promise too much, or hold less than they say.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use crate::media_files::{footage, scene};
use crate::{check, must_not_be_judged, refusal, said, shared, uniq};

const X264: &str = "-c:v libx264 -preset ultrafast -g 25 -pix_fmt yuv420p";

fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn pipes_devices_and_files_without_an_end_are_refused_at_once() {
    let folder = shared("endless");
    let pipe = folder.join("pipe.mp4");
    let _ = fs::remove_file(&pipe);
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let sparse = folder.join("sparse.mp4");
    let whole = scene(&folder, "head.mp4", 0.2, X264);
    fs::copy(whole, &sparse).unwrap();
    OpenOptions::new()
        .write(true)
        .open(&sparse)
        .unwrap()
        .set_len(1 << 40)
        .unwrap();
    let devices = ["/dev/zero", "/dev/full", "/dev/tty"].map(PathBuf::from);
    let files = [vec![pipe, sparse.clone()], devices.to_vec()].concat();
    let answers = check(&files, &[], Duration::from_secs(20));
    for file in &files {
        refusal(&answers, file);
    }
    assert!(refusal(&answers, &sparse).contains("--max-bytes"));
}

#[test]
fn a_pipe_is_neither_waited_for_as_a_list_nor_replaced_by_a_fingerprint() {
    let folder = shared("pipes");
    let whole = scene(&folder, "whole.mp4", 0.2, X264);
    for name in ["list.csv", "list.jsonl", "out.uniq"] {
        let pipe = folder.join(name);
        let _ = fs::remove_file(&pipe);
        assert!(
            Command::new("mkfifo")
                .arg(&pipe)
                .status()
                .unwrap()
                .success()
        );
        let begun = Instant::now();
        let output = match name {
            "out.uniq" => uniq(&["fingerprint", "-o"], &[&pipe, &whole]),
            _ => uniq(
                &["index", "build", "--index"],
                &[&folder.join("index"), &pipe],
            ),
        };
        assert!(begun.elapsed() < Duration::from_secs(20), "{name}");
        assert_eq!(output.status.code(), Some(2), "{name}");
        assert!(
            said(&output).contains(name) && said(&output).contains("pipe"),
            "{}",
            said(&output)
        );
        assert!(
            fs::symlink_metadata(&pipe).unwrap().file_type().is_fifo(),
            "{name}"
        );
    }
}

#[test]
fn a_file_that_grows_for_ever_comes_to_an_end() {
    let folder = shared("growing");
    let path = scene(&folder, "growing.ts", 2.0, X264);
    // A packet at a time: what exists at the beginning is read whole, and must not take long.
    let packet = fs::read(&path).unwrap()[..188].to_owned();
    let (stop, stopped) = channel::<()>();
    let writer = std::thread::spawn({
        let path = path.clone();
        move || {
            let mut file = OpenOptions::new().append(true).open(path).unwrap();
            // Ends also if the test fails.
            while stopped.recv_timeout(Duration::from_millis(2)) == Err(RecvTimeoutError::Timeout) {
                file.write_all(&packet).unwrap();
            }
        }
    });
    let answers = check(std::slice::from_ref(&path), &[], Duration::from_secs(60));
    drop(stop);
    writer.join().unwrap();
    assert!(refusal(&answers, &path).contains("changed"), "{answers:?}");
}

#[test]
fn frames_of_a_billion_pixels_are_refused_before_there_is_memory_for_them() {
    let folder = shared("pixels");
    let y4m = write(
        &folder,
        "a.y4m",
        b"YUV4MPEG2 W32768 H32768 F25:1 Ip A1:1 C420jpeg\nFRAME\nxxxx",
    );
    let avi = {
        let mut bytes = fs::read(scene(
            &folder,
            "small.avi",
            0.4,
            "-c:v rawvideo -pix_fmt yuv420p",
        ))
        .unwrap();
        let at = bytes.windows(4).position(|w| w == b"strf").unwrap() + 12;
        bytes[at..at + 8]
            .copy_from_slice(&[32768_u32.to_le_bytes(), 32768_u32.to_le_bytes()].concat());
        write(&folder, "a.avi", &bytes)
    };
    let mkv = write(
        &folder,
        "a.mkv",
        &matroska(
            b"V_VP8",
            [&[0x30, 0x00], &[0x30, 0x00]],
            &[[0; 40].to_vec()],
        ),
    );
    let bmp = {
        let mut bytes = fs::read(scene(&folder, "small.bmp", 0.04, "-frames:v 1")).unwrap();
        bytes[18..26].copy_from_slice(&[32768_u32.to_le_bytes(), 32768_u32.to_le_bytes()].concat());
        write(&folder, "a.bmp", &bytes)
    };
    let files = [y4m.clone(), avi.clone(), bmp.clone(), mkv.clone()];
    let answers = check(&files, &[], Duration::from_secs(60));
    let error = refusal(&answers, &mkv);
    assert!(
        error.contains("12288 x 12288") && error.contains("--max-pixels"),
        "{error}"
    );
    // FFmpeg itself refuses these, because their frames cannot be addressed.
    assert!(
        refusal(&answers, &avi).contains("too large to address"),
        "{}",
        refusal(&answers, &avi)
    );
    assert!(
        refusal(&answers, &y4m).contains("asks for something that FFmpeg refuses"),
        "{}",
        refusal(&answers, &y4m)
    );
    refusal(&answers, &bmp);
    // The limit can be set.
    let small = scene(&folder, "small.mp4", 2.0, X264);
    let of = |pixels: &str| {
        check(
            std::slice::from_ref(&small),
            &["--max-pixels", pixels],
            Duration::from_secs(30),
        )
    };
    assert!(refusal(&of("27647"), &small).contains("192 x 144"));
    assert!(of("27648")[&small]["message"].is_null());
}

#[test]
fn every_limit_is_an_error_that_names_it_and_its_option() {
    let folder = shared("limits");
    let clip = scene(&folder, "clip.mp4", 4.0, X264);
    let stream = scene(&folder, "clip.h264", 4.0, X264);
    let large = scene(
        &folder,
        "large.mp4",
        0.4,
        "-vf scale=1920:1080 -c:v libx264 -preset ultrafast -pix_fmt yuv420p",
    );
    for (file, option, value) in [
        (&clip, "--max-frames", "99"),
        (&clip, "--max-duration", "3.5s"),
        (&stream, "--max-duration", "3.5s"),
        (&clip, "--max-bytes", "1000"),
        (&clip, "--max-pixels", "1000"),
        (&large, "--max-memory", "3m"),
    ] {
        let answers = check(
            std::slice::from_ref(file),
            &[option, value],
            Duration::from_secs(30),
        );
        let error = refusal(&answers, file);
        assert!(
            error.contains("limit exceeded") && error.contains(option),
            "{option} {value}: {error}"
        );
    }
    let long = scene(
        &folder,
        "long.mp4",
        12.0,
        "-vf scale=1280:720 -c:v libx264 -preset ultrafast -g 25 -pix_fmt yuv420p",
    );
    let late = ["--min-time", "0.1s", "--time-ratio", "0"];
    let answers = check(std::slice::from_ref(&long), &late, Duration::from_secs(30));
    assert!(
        refusal(&answers, &long).contains("--max-time"),
        "{answers:?}"
    );
    let answers = check(
        std::slice::from_ref(&clip),
        &["--max-frames", "100", "--max-duration", "4s"],
        Duration::from_secs(30),
    );
    assert!(answers[&clip]["message"].is_null(), "{answers:?}");
}

#[test]
fn a_million_streams_are_too_many() {
    let folder = shared("streams");
    let atom = |kind: &[u8; 4], body: &[u8]| {
        [&(8 + body.len() as u32).to_be_bytes()[..], kind, body].concat()
    };
    let traks: Vec<u8> = atom(b"trak", &[]).repeat(1_000_000);
    let mov = [
        atom(b"ftyp", b"isom\0\0\0\0isom"),
        atom(b"moov", &traks),
        atom(b"mdat", b"x"),
    ]
    .concat();
    let entries: Vec<u8> = (1..=1_000_000_u32)
        .flat_map(|n| {
            ebml(
                0xae,
                &[ebml(0xd7, &n.to_be_bytes()), ebml(0x83, &[1])].concat(),
            )
        })
        .collect();
    let mkv = [
        ebml(0x1a45_dfa3, &ebml(0x4282, b"webm")),
        ebml(0x1853_8067, &ebml(0x1654_ae6b, &entries)),
    ]
    .concat();
    let page = |number: u32| {
        let mut page = b"OggS\0\x02\0\0\0\0\0\0\0\0".to_vec();
        page.extend(number.to_le_bytes());
        page.extend([0; 8]);
        page.extend([1, 7]);
        page.extend(b"\x80theora");
        page
    };
    let ogg: Vec<u8> = (0..1_000_000).flat_map(page).collect();
    let files = [
        write(&folder, "a.mov", &mov),
        write(&folder, "a.webm", &mkv),
        write(&folder, "a.ogv", &ogg),
    ];
    let answers = check(&files, &[], Duration::from_secs(120));
    for file in &files {
        refusal(&answers, file);
    }
    assert!(
        refusal(&answers, &files[0]).contains("256 streams"),
        "{}",
        refusal(&answers, &files[0])
    );
}

#[test]
fn time_stamps_that_are_negative_or_jump_are_borne() {
    let folder = shared("times");
    let mut files = Vec::new();
    let plain = fs::read(scene(
        &folder,
        "plain.mp4",
        3.0,
        "-c:v mpeg4 -pix_fmt yuv420p",
    ))
    .unwrap();
    let at = plain.windows(4).position(|w| w == b"stts").unwrap() + 16;
    for delta in [0_u32, 0x7fff_ffff, 0xffff_ffff, 0x8000_0000] {
        let mut bytes = plain.clone();
        bytes[at..at + 4].copy_from_slice(&delta.to_be_bytes());
        files.push(write(&folder, &format!("delta-{delta:x}.mp4"), &bytes));
    }
    for offset in ["-50000", "0", "80000", "-1"] {
        let options = format!("{X264} -output_ts_offset {offset} -f mpegts");
        files.push(scene(&folder, &format!("offset{offset}.ts"), 1.0, &options));
    }
    let parts: Vec<Vec<u8>> = files[files.len() - 4..]
        .iter()
        .map(|file| fs::read(file).unwrap())
        .collect();
    files.push(write(&folder, "jumps.ts", &parts.concat()));
    files.push(write(
        &folder,
        "back.ts",
        &[&parts[2][..], &parts[0], &parts[3], &parts[2]].concat(),
    ));
    let answers = check(&files, &[], Duration::from_secs(60));
    for file in &files {
        let answer = &answers[file];
        let duration = answer["clip"]["duration_s"].as_f64().unwrap_or(0.0);
        assert!((0.0..=43_200.0).contains(&duration), "{answer:#}");
        assert_ne!(answer["verdict"], "published");
    }
}

#[test]
fn a_million_tiny_packets_are_read_in_bounded_time() {
    let folder = shared("packets");
    let files = [
        ("a.mkv", &b"V_VP8"[..]),
        ("b.mkv", b"V_MPEG2"),
        ("c.mkv", b"V_MJPEG"),
    ]
    .map(|(name, codec)| {
        write(
            &folder,
            name,
            &matroska(codec, [&[1, 64], &[0, 240]], &vec![vec![0x55]; 1_000_000]),
        )
    });
    let answers = check(&files, &[], Duration::from_secs(120));
    for file in &files {
        must_not_be_judged(&answers, file);
    }
}

#[test]
fn sizes_and_rates_out_of_the_ordinary_are_borne() {
    let folder = shared("rates");
    // A new size with every frame.
    let mut files = Vec::new();
    for (name, encoder) in [
        ("sizes.mjpeg", "-q:v 5 -f mjpeg"),
        (
            "sizes.h264",
            "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -f h264",
        ),
    ] {
        let sizes: Vec<Vec<u8>> = (0..12)
            .map(|i| {
                let (width, height) = (16 + 90 * i, 700 - 50 * i);
                let input =
                    format!("-f lavfi -i testsrc2=size={width}x{height} -frames:v 1 {encoder}");
                fs::read(footage(&folder, "frame", &input)).unwrap()
            })
            .collect();
        let jumping: Vec<u8> = (0..300).flat_map(|i| sizes[5 * i % 12].clone()).collect();
        files.push(write(&folder, name, &jumping));
    }
    let frame = [&b"FRAME\n"[..], &[90; 16 * 16 * 3 / 2]].concat();
    for rate in [
        "0:1",
        "1:0",
        "0:0",
        "1000000000:1",
        "1:1000000000",
        "2147483647:1",
        "-25:1",
    ] {
        let head = format!("YUV4MPEG2 W16 H16 F{rate} Ip A1:1 C420jpeg\n");
        files.push(write(
            &folder,
            &format!("rate-{}.y4m", rate.replace(':', "-")),
            &[head.as_bytes(), &frame.repeat(50)].concat(),
        ));
    }
    let avi = fs::read(scene(
        &folder,
        "plain.avi",
        2.0,
        "-c:v mpeg4 -pix_fmt yuv420p",
    ))
    .unwrap();
    let at = avi.windows(4).position(|w| w == b"vids").unwrap() + 20;
    for (number, (scale, rate)) in [(0, 0), (0, 1), (1, 0), (1, u32::MAX), (u32::MAX, 1)]
        .into_iter()
        .enumerate()
    {
        let mut bytes = avi.clone();
        bytes[at..at + 8]
            .copy_from_slice(&[u32::to_le_bytes(scale), u32::to_le_bytes(rate)].concat());
        files.push(write(&folder, &format!("rate{number}.avi"), &bytes));
    }
    let answers = check(&files, &[], Duration::from_secs(60));
    for file in &files {
        assert_ne!(answers[file]["verdict"], "published", "{}", file.display());
    }
    files[..2]
        .iter()
        .for_each(|file| assert!(answers[file]["message"].is_null(), "{:#}", answers[file]));
    // Flat grey frames hold nothing to search for, at any rate.
    files[2..9]
        .iter()
        .for_each(|file| must_not_be_judged(&answers, file));
}

#[test]
fn a_file_cut_anywhere_is_never_called_unpublished_as_a_whole() {
    let folder = shared("cuts");
    let mut files = Vec::new();
    let seconds = 5.0;
    for (name, options) in [
        ("a.mp4", format!("{X264} -movflags +faststart")),
        ("a.mkv", X264.to_owned()),
    ] {
        let whole = fs::read(scene(&folder, name, seconds, &options)).unwrap();
        for cut in 1..=50 {
            files.push(write(
                &folder,
                &format!("{cut}-{name}"),
                &whole[..whole.len() * cut / 51],
            ));
        }
    }
    let answers = check(&files, &[], Duration::from_secs(120));
    for file in &files {
        let answer = &answers[file];
        if answer["verdict"] == "unpublished" {
            // Less than a second is missing, which containers may round away, so it is not counted.
            let duration = answer["clip"]["duration_s"].as_f64().unwrap();
            let unpublished = answer["seconds"]["unpublished"].as_f64().unwrap();
            assert!(
                duration > seconds - 1.05 && unpublished <= duration,
                "{answer:#}"
            );
        }
    }
    let judged = |file: &&PathBuf| answers[*file]["verdict"] == "inconclusive";
    assert!(
        files.iter().filter(judged).count() > 50,
        "most cuts leave something to judge"
    );
}

#[test]
fn noise_behind_a_valid_header_is_not_unpublished() {
    let folder = shared("noise");
    let mut files = Vec::new();
    for (name, options) in [
        ("a.mp4", format!("{X264} -movflags +faststart")),
        ("a.mkv", X264.to_owned()),
        ("a.ts", X264.to_owned()),
        ("a.avi", "-c:v mpeg4 -pix_fmt yuv420p".to_owned()),
        ("a.ogv", "-c:v libtheora -pix_fmt yuv420p".to_owned()),
        (
            "a.webm",
            "-c:v libvpx -deadline realtime -cpu-used 8 -pix_fmt yuv420p".to_owned(),
        ),
    ] {
        let mut bytes = fs::read(scene(&folder, name, 4.0, &options)).unwrap();
        let header = bytes
            .windows(4)
            .position(|w| w == b"mdat")
            .map_or(bytes.len() / 8, |at| at + 8);
        let mut state = 1_u64;
        for byte in &mut bytes[header..] {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            *byte = (state >> 56) as u8;
        }
        files.push(write(&folder, &format!("noise-{name}"), &bytes));
    }
    let answers = check(&files, &[], Duration::from_secs(60));
    files
        .iter()
        .for_each(|file| must_not_be_judged(&answers, file));
}

/// A Matroska element: identifier, length in four bytes, body.
fn ebml(id: u32, body: &[u8]) -> Vec<u8> {
    let id = id.to_be_bytes();
    let first = id.iter().position(|byte| *byte != 0).unwrap();
    let length = 0x1000_0000_u32 | body.len() as u32;
    [&id[first..], &length.to_be_bytes(), body].concat()
}

/// A Matroska file with one track of this size and one block per millisecond.
fn matroska(codec: &[u8], [width, height]: [&[u8]; 2], blocks: &[Vec<u8>]) -> Vec<u8> {
    let video = ebml(0xe0, &[ebml(0xb0, width), ebml(0xba, height)].concat());
    let track = [
        ebml(0xd7, &[1]),
        ebml(0x73c5, &[1]),
        ebml(0x83, &[1]),
        ebml(0x86, codec),
        video,
    ]
    .concat();
    let mut segment = ebml(0x1654_ae6b, &ebml(0xae, &track));
    for (number, blocks) in blocks.chunks(20_000).enumerate() {
        let mut cluster = ebml(0xe7, &(number as u32 * 20_000).to_be_bytes());
        for (at, block) in blocks.iter().enumerate() {
            let [high, low] = (at as u16).to_be_bytes();
            cluster.extend(ebml(0xa3, &[&[0x81, high, low, 0x80][..], block].concat()));
        }
        segment.extend(ebml(0x1f43_b675, &cluster));
    }
    [
        ebml(0x1a45_dfa3, &ebml(0x4282, b"matroska")),
        ebml(0x1853_8067, &segment),
    ]
    .concat()
}

#[test]
fn the_helper_makes_files_that_ffmpeg_reads() {
    // A file with bad samples proves nothing unless it is valid Matroska otherwise.
    let path = write(
        &shared("matroska"),
        "a.mkv",
        &matroska(b"V_VP8", [&[1, 64], &[0, 240]], &[vec![0; 40]]),
    );
    let info = uniq::media::probe(&path).unwrap();
    assert_eq!(
        (info.codec.as_str(), info.width, info.height),
        ("vp8", 320, 240)
    );
}
