//! Tricks with a published film to get paid for it. None of its seconds may be payable.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::support::{program, scenes};
use serde_json::Value;
use tempfile::TempDir;

/// Copied seconds that may be payable at the edges of a match.
const EDGES_S: f64 = 0.6;

const LOSSY: [&str; 8] = [
    "-c:v",
    "libx264",
    "-preset",
    "ultrafast",
    "-crf",
    "24",
    "-pix_fmt",
    "yuv420p",
];

fn film() -> PathBuf {
    scenes::moving(301, 20)
}

fn own() -> PathBuf {
    scenes::moving(302, 20)
}

/// An index of only the film.
fn index() -> &'static Path {
    static PLACE: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, index) = PLACE.get_or_init(|| {
        let place = TempDir::new().unwrap();
        let index = place.path().join("index");
        program::must_succeed(&program::build(
            Path::new(env!("CARGO_BIN_EXE_uniq")),
            &index,
            &[&film()],
        ));
        (place, index)
    });
    index
}

fn check(clip: &Path) -> Value {
    let args: [&std::ffi::OsStr; 6] = [
        "check".as_ref(),
        "--json".as_ref(),
        "--no-quality".as_ref(),
        "--index".as_ref(),
        index().as_ref(),
        clip.as_ref(),
    ];
    let output = program::run(Path::new(env!("CARGO_BIN_EXE_uniq")), &args);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn payable_s(report: &Value) -> f64 {
    60.0 * report["payable_minutes"].as_f64().unwrap()
}

fn seconds(report: &Value, state: &str) -> f64 {
    report["seconds"][state].as_f64().unwrap()
}

/// Seconds that are unsearchable for this reason.
fn seconds_for(report: &Value, code: &str) -> f64 {
    let spans = report["spans"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|span| span["reason"]["code"] == code);
    spans
        .map(|span| span["end_s"].as_f64().unwrap() - span["start_s"].as_f64().unwrap())
        .sum()
}

/// Eight seconds of the film, filtered.
fn treated(filter: &str) -> PathBuf {
    scenes::edit(
        &film(),
        filter,
        &[&["-ss", "6", "-t", "8"], &LOSSY[..]].concat(),
        "mp4",
    )
}

/// Sixteen seconds each of the film and of original footage, combined by a filter graph.
fn mixed(graph: &str) -> PathBuf {
    let mut args: Vec<OsString> = Vec::new();
    for input in [film(), own()] {
        args.extend(["-t".into(), "16".into(), "-i".into(), input.into()]);
    }
    args.extend(["-filter_complex".into(), graph.into()]);
    args.extend(LOSSY.map(OsString::from));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("edits");
    scenes::edited(&folder, &[&film(), &own()], &args, "mp4")
}

#[test]
fn a_turned_mirrored_negative_or_stretched_film_is_found() {
    for filter in [
        "negate",
        "hflip,vflip",
        "transpose=1",
        "transpose=2",
        "transpose=0",
        "transpose=3",
        "vflip",
        "negate,vflip",
        "crop=iw*0.8:ih*0.9,scale=480:360",
        "scale=480:270,pad=480:360:0:45",
        "crop=iw*0.7:ih,scale=iw*1.5:ih",
    ] {
        let report = check(&treated(filter));
        assert!(seconds(&report, "published") > 6.0, "{filter}: {report:#}");
        assert!(payable_s(&report) <= EDGES_S, "{filter}: {report:#}");
    }
}

#[test]
fn a_film_of_which_filters_left_lines_or_two_levels_is_not_paid() {
    for filter in [
        "edgedetect=low=0.05:high=0.15",
        "sobel",
        "prewitt",
        "lutyuv=y='if(gt(val,128),235,16)'",
        "convolution='-2 -1 0 -1 1 1 0 1 2:-2 -1 0 -1 1 1 0 1 2:-2 -1 0 -1 1 1 0 1 2:-2 -1 0 -1 1 1 0 1 2',negate",
        "lutyuv=y=128",
    ] {
        let report = check(&treated(filter));
        assert_ne!(report["verdict"], "unpublished", "{filter}: {report:#}");
        assert!(payable_s(&report) <= EDGES_S, "{filter}: {report:#}");
    }
}

#[test]
fn frames_of_ones_own_among_those_of_a_film_hide_nothing() {
    for (what, graph) in [
        // One frame per sampling interval and less.
        (
            "each sixth",
            "[0:v][1:v]overlay=enable='eq(mod(n\\,6)\\,0)'",
        ),
        (
            "each third",
            "[0:v][1:v]overlay=enable='eq(mod(n\\,3)\\,0)'",
        ),
        (
            "each second",
            "[0:v][1:v]overlay=enable='eq(mod(n\\,2)\\,0)'",
        ),
        (
            "half of each second",
            "[0:v][1:v]overlay=enable='lt(mod(t\\,1)\\,0.5)'",
        ),
        (
            "each third, negative",
            "[0:v]split[a][b];[b]negate[c];[a][c]overlay=enable='eq(mod(n\\,3)\\,0)';[1:v]nullsink",
        ),
    ] {
        let report = check(&mixed(graph));
        assert!(report["verdict"] != "unpublished", "{what}: {report:#}");
        assert!(payable_s(&report) <= 2.0 * EDGES_S, "{what}: {report:#}");
    }
}

#[test]
fn a_film_in_pieces_of_another_order_is_not_paid() {
    let pieces: Vec<String> = (0..12)
        .map(|i| {
            let from = (7 * i) % 12;
            format!("[0:v]trim={from}:{},setpts=PTS-STARTPTS[p{i}];", from + 1)
        })
        .collect();
    let inputs: String = (0..12).map(|i| format!("[p{i}]")).collect();
    let graph = format!("{}{inputs}concat=n=12:v=1;[1:v]nullsink", pieces.concat());
    let report = check(&mixed(&graph));
    assert_ne!(report["verdict"], "unpublished", "{report:#}");
    assert!(payable_s(&report) <= 2.0 * EDGES_S, "{report:#}");
}

#[test]
fn a_film_in_pieces_too_short_to_be_recognised_is_not_paid() {
    // Alternating pieces of film and original footage; each continues elsewhere than the previous
    // one ended.
    let pieces = |length_s: f64| -> String {
        let number = (9.0 / length_s) as usize;
        let piece = |i: usize| {
            let from = (0.7 * (7 * i) as f64) % 12.0;
            format!(
                "[{}:v]trim={from}:{},setpts=PTS-STARTPTS[p{i}];",
                i % 2,
                from + length_s
            )
        };
        let inputs: String = (0..number).map(|i| format!("[p{i}]")).collect();
        format!(
            "{}{inputs}concat=n={number}:v=1",
            (0..number).map(piece).collect::<String>()
        )
    };
    for (what, graph) in [
        ("0.3 s", pieces(0.32)),
        ("0.6 s", pieces(0.6)),
        ("0.6 s, dissolved", format!("{},tmix=frames=5", pieces(0.6))),
        (
            "1 s, dark and bordered",
            format!("{},lutyuv=y=16+val/4,pad=iw:ih*1.4:0:-1", pieces(1.0)),
        ),
    ] {
        let report = check(&mixed(&graph));
        assert_ne!(report["verdict"], "unpublished", "{what}: {report:#}");
        assert!(payable_s(&report) <= 2.0 * EDGES_S, "{what}: {report:#}");
    }
}

#[test]
fn what_a_clip_shows_again_is_paid_once() {
    let second = scenes::edit(
        &own(),
        "null",
        &[&["-ss", "5", "-t", "1"], &LOSSY[..]].concat(),
        "mp4",
    );
    let looped = |input: &Path, times: u32| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("edits");
        let times = (times - 1).to_string();
        let mut args: Vec<OsString> = ["-stream_loop", &times, "-i"]
            .iter()
            .map(OsString::from)
            .collect();
        args.push(input.into());
        args.extend(LOSSY.map(OsString::from));
        scenes::edited(&folder, &[input], &args, "mp4")
    };
    let report = check(&looped(&second, 30));
    assert!(payable_s(&report) <= 3.0, "{report:#}");
    // There is a cut where it starts again.
    let doubted = seconds_for(&report, "repeated") + seconds_for(&report, "quick_cuts");
    assert!(doubted >= 25.0, "{report:#}");

    let six = scenes::edit(
        &own(),
        "null",
        &[&["-ss", "2", "-t", "6"], &LOSSY[..]].concat(),
        "mp4",
    );
    let report = check(&looped(&six, 4));
    assert_eq!(report["verdict"], "unpublished", "{report:#}");
    assert!((4.0..=9.0).contains(&payable_s(&report)), "{report:#}");

    // It is paid once.
    let report = check(&six);
    assert!(
        seconds_for(&report, "repeated") == 0.0 && payable_s(&report) > 4.0,
        "{report:#}"
    );
}

#[test]
fn a_still_that_pans_is_not_paid() {
    let still = scenes::edit(
        &own(),
        "select=eq(n\\,100),scale=1280:720",
        &["-frames:v", "1", "-c:v", "ffv1"],
        "mkv",
    );
    for (what, filter) in [
        (
            "pans",
            "loop=300:1,setpts=N/25/TB,crop=iw*0.6:ih*0.6:(iw-ow)*t/12:(ih-oh)*t/12,scale=640:360",
        ),
        (
            "zooms",
            "zoompan=z='1+0.002*on':d=300:x='iw/2-iw/zoom/2':y='ih/2-ih/zoom/2':s=640x360:fps=25",
        ),
    ] {
        let clip = scenes::edit(
            &still,
            filter,
            &[
                "-r", "25", "-c:v", "libx264", "-crf", "24", "-pix_fmt", "yuv420p",
            ],
            "mp4",
        );
        let report = check(&clip);
        assert!(seconds_for(&report, "still") > 8.0, "{what}: {report:#}");
        assert!(payable_s(&report) <= 2.0, "{what}: {report:#}");
    }
}

#[test]
fn a_published_stream_beside_one_of_ones_own_decides() {
    for extension in ["mp4", "mkv", "mov", "ts"] {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("edits");
        let mut args: Vec<OsString> = Vec::new();
        for input in [own(), film()] {
            args.extend(["-t".into(), "8".into(), "-i".into(), input.into()]);
        }
        args.extend(["-map", "0:v", "-map", "1:v"].map(OsString::from));
        args.extend(LOSSY.map(OsString::from));
        let clip = scenes::edited(&folder, &[&own(), &film()], &args, extension);
        let report = check(&clip);
        assert_ne!(report["verdict"], "unpublished", "{extension}: {report:#}");
        assert!(payable_s(&report) <= EDGES_S, "{extension}: {report:#}");
        assert_eq!(
            report["streams"].as_array().map(Vec::len),
            Some(2),
            "{extension}: {report:#}"
        );
    }
}

/// `UNIQ_LONG_HOURS` hours of it; by default a fiftieth of an hour.
#[test]
fn hours_of_a_still_and_of_black_flashes_are_judged_in_proportion() {
    let hours: f64 = std::env::var("UNIQ_LONG_HOURS")
        .map_or(0.02, |hours| hours.parse().expect("a number of hours"));
    let folder = TempDir::new().unwrap();
    let still = folder.path().join("still.png");
    let run = |args: &[&str], output: &Path| {
        let args: Vec<&str> = args
            .iter()
            .copied()
            .chain([output.to_str().unwrap()])
            .collect();
        let status = crate::support::steady::ffmpeg(&args).status().unwrap();
        assert!(status.success(), "{args:?}");
    };
    run(
        &["-ss", "4", "-i", film().to_str().unwrap(), "-frames:v", "1"],
        &still,
    );
    let length = (3600.0 * hours).to_string();
    let (frozen, flashes) = (
        folder.path().join("frozen.mp4"),
        folder.path().join("flashes.mp4"),
    );
    let encoder = [
        "-vf",
        "scale=320:180",
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-pix_fmt",
        "yuv420p",
        "-t",
        &length,
    ];
    let still = still.to_str().unwrap();
    run(
        &[
            &["-loop", "1", "-framerate", "2", "-i", still][..],
            &encoder[..],
        ]
        .concat(),
        &frozen,
    );
    let mut encoder = encoder;
    encoder[1] = "scale=320:180,drawbox=c=black:t=fill:enable='mod(n\\,2)'";
    let own = own();
    run(
        &[
            &["-stream_loop", "-1", "-i", own.to_str().unwrap(), "-r", "4"][..],
            &encoder[..],
        ]
        .concat(),
        &flashes,
    );
    for (clip, codes) in [
        (&frozen, &["frozen", "undecided"][..]),
        (&flashes, &["black", "quick_cuts"][..]),
    ] {
        let begun = std::time::Instant::now();
        let report = check(clip);
        println!(
            "{hours} h of {}: {:.1} s",
            clip.display(),
            begun.elapsed().as_secs_f64()
        );
        assert_eq!(report["verdict"], "inconclusive", "{}", report["reasons"]);
        let reasons = report["reasons"].as_array().unwrap();
        assert!(
            reasons
                .iter()
                .any(|reason| codes.iter().any(|code| reason["code"] == *code)),
            "{reasons:?}"
        );
    }
}

#[test]
fn a_source_with_several_sizes_of_a_picture_is_indexed_once_and_with_several_pictures_whole() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("edits");
    for (second, length_s) in [(film(), 8.0), (own(), 16.0)] {
        let mut args: Vec<OsString> = Vec::new();
        for input in [film(), second.clone()] {
            args.extend(["-t".into(), "8".into(), "-i".into(), input.into()]);
        }
        args.extend(["-map", "0:v", "-map", "1:v", "-s:v:1", "320x180"].map(OsString::from));
        args.extend(LOSSY.map(OsString::from));
        let source = scenes::edited(&folder, &[&film(), &second], &args, "mp4");
        let place = TempDir::new().unwrap();
        let (uniq, index) = (
            Path::new(env!("CARGO_BIN_EXE_uniq")),
            place.path().join("index"),
        );
        program::must_succeed(&program::build(uniq, &index, &[&source]));
        let args: [&std::ffi::OsStr; 5] = [
            "index".as_ref(),
            "list".as_ref(),
            "--json".as_ref(),
            "--index".as_ref(),
            index.as_ref(),
        ];
        let listed: Value = serde_json::from_slice(&program::run(uniq, &args).stdout).unwrap();
        assert!(
            (listed["duration_s"].as_f64().unwrap() - length_s).abs() < 0.2,
            "{listed}"
        );
    }
}
