//! Facts of made frames: a texture with a camera pan, changed in known ways.

use std::io::Cursor;
use std::time::Duration;

use serde_json::json;

use super::c2pa::written::{boxed, in_mp4, store};
use super::*;
use crate::media::{FullFrame, Luma, Tags, Turn};

const WIDTH: usize = 320;
const HEIGHT: usize = 304;

/// A texture of spots of several sizes that never repeats.
fn texture(x: i64, y: i64) -> f64 {
    let value = |x: i64, y: i64, salt: i64| {
        let mut hash = (x.wrapping_mul(0x9E37_79B9)
            ^ y.wrapping_mul(0x85EB_CA6B)
            ^ salt.wrapping_mul(0xC2B2_AE35)) as u64;
        hash = (hash ^ (hash >> 15)).wrapping_mul(0x2C1B_3C6D_AC61_E5B5);
        ((hash >> 33) & 0xff) as f64
    };
    (value(x / 12, y / 12, 1) + value(x / 5, y / 5, 2) + value(x / 3, y / 3, 3)) / 3.0
}

/// The frame at a position of the pan; between whole pixels, two are mixed.
fn pan(at: f64) -> Vec<u8> {
    let (whole, part) = (at.floor() as i64, at - at.floor());
    let mut levels = Vec::with_capacity(WIDTH * HEIGHT);
    for y in 0..HEIGHT as i64 {
        for x in 0..WIDTH as i64 {
            let level = texture(x + whole, y + whole / 2) * (1.0 - part)
                + texture(x + whole + 1, y + whole / 2) * part;
            levels.push(level as u8);
        }
    }
    levels
}

fn mixed(a: &[u8], b: &[u8], part: f64) -> Vec<u8> {
    a.iter()
        .zip(b)
        .map(|(a, b)| (f64::from(*a) * (1.0 - part) + f64::from(*b) * part).round() as u8)
        .collect()
}

/// Measures frames at this rate.
fn measured(frames: &[Vec<u8>], rate: f64) -> Quality {
    let mut measuring = Measuring::default();
    for (number, levels) in frames.iter().enumerate() {
        measuring.frame(&FullFrame {
            time: Duration::from_secs_f64(number as f64 / rate),
            width: WIDTH,
            height: HEIGHT,
            depth: 8,
            interlaced: false,
            turn: Turn::default(),
            luma: Some(Luma::of_bytes(levels, WIDTH, HEIGHT)),
        });
    }
    serde_json::from_slice(&measuring.finish()).unwrap()
}

fn panned(count: usize, step: f64) -> Vec<Vec<u8>> {
    (0..count).map(|i| pan(i as f64 * step)).collect()
}

#[test]
fn distinct_frames_are_no_repetitions_at_any_speed() {
    for step in [2.0, 5.0] {
        let rate = measured(&panned(70, step), 60.0).frame_rate;
        assert_eq!(
            (rate.state, rate.distinct),
            (RateState::Full, Some(60.0)),
            "{step}"
        );
        assert!(
            !rate.variable && rate.repeated == 0.0 && rate.blended == 0.0,
            "{rate:?}"
        );
    }
}

#[test]
fn repeated_frames_do_not_make_a_higher_rate() {
    let originals = panned(30, 4.0);
    let frames: Vec<_> = (0..70).map(|i| originals[i * 24 / 60].clone()).collect();
    let rate = measured(&frames, 60.0).frame_rate;
    assert_eq!(rate.state, RateState::Repeated);
    assert!(
        (rate.distinct.unwrap() - 24.0).abs() < 1.5 && (rate.stored - 60.0).abs() < 0.1,
        "{rate:?}"
    );
}

#[test]
fn blended_frames_do_not_make_a_higher_rate() {
    let originals = panned(40, 6.0);
    for (from, to) in [(24, 60), (25, 50), (30, 60)] {
        let frames: Vec<_> = (0..70)
            .map(|i| {
                let at = f64::from(i) * f64::from(from) / f64::from(to);
                let before = at.floor() as usize;
                mixed(&originals[before], &originals[before + 1], at - at.floor())
            })
            .collect();
        let rate = measured(&frames, f64::from(to)).frame_rate;
        assert_eq!(rate.state, RateState::Blended, "{from} to {to}: {rate:?}");
        assert!(
            (rate.distinct.unwrap() - f64::from(from)).abs() < 4.0,
            "{rate:?}"
        );
    }
}

#[test]
fn of_a_picture_that_stands_still_no_rate_is_told() {
    let frames = vec![pan(0.0); 130];
    let quality = measured(&frames, 60.0);
    assert_eq!(
        (quality.frame_rate.state, quality.frame_rate.distinct),
        (RateState::Undecided, None)
    );
    assert_eq!(quality.overlays.state, Finding::Undecided);
    assert!(
        quality.shares.frozen.unwrap() > 0.95,
        "{:?}",
        quality.shares
    );
}

#[test]
fn bars_are_found_with_the_picture_between_them_and_a_dark_edge_is_none() {
    let barred: Vec<_> = panned(60, 4.0)
        .into_iter()
        .map(|mut levels| {
            levels[..WIDTH * 38].fill(0);
            levels[WIDTH * (HEIGHT - 38)..].fill(2);
            levels
        })
        .collect();
    let bars = measured(&barred, 30.0).bars;
    let picture = bars.picture.unwrap();
    assert_eq!(bars.state, Finding::Found);
    assert!(
        (picture.y - 0.125).abs() < 0.01 && (picture.height - 0.75).abs() < 0.01,
        "{picture:?}"
    );
    assert!(picture.x == 0.0 && picture.width == 1.0, "{picture:?}");
    assert_eq!(measured(&panned(60, 4.0), 30.0).bars.state, Finding::None);
    let fading: Vec<_> = panned(60, 4.0)
        .into_iter()
        .map(|levels| {
            let dim = |at: usize| ((at / WIDTH) as f64 / 60.0).min(1.0);
            levels
                .iter()
                .enumerate()
                .map(|(at, level)| (f64::from(*level) * dim(at)) as u8)
                .collect()
        })
        .collect();
    assert_ne!(measured(&fading, 30.0).bars.state, Finding::Found);
}

/// Draws strokes like writing, different for each seed.
fn written(levels: &mut [u8], left: usize, top: usize, width: usize, height: usize, seed: usize) {
    for y in top..top + height {
        for x in left..left + width {
            let (cell_x, cell_y) = ((x - left) / 4, (y - top) / 4);
            let ink = (cell_x * 7 + cell_y * 13 + seed * 5 + cell_x * cell_y * (seed + 3))
                .is_multiple_of(3);
            levels[y * WIDTH + x] = if ink { 250 } else { 10 };
        }
    }
}

#[test]
fn a_logo_that_stays_over_a_moving_picture_is_found_where_it_is() {
    let frames: Vec<_> = panned(150, 4.0)
        .into_iter()
        .map(|mut levels| {
            written(&mut levels, 240, 24, 56, 24, 1);
            levels
        })
        .collect();
    let overlays = measured(&frames, 30.0).overlays;
    let [logo] = overlays.found[..] else {
        panic!("{overlays:?}")
    };
    assert_eq!(
        (overlays.state, logo.kind),
        (Finding::Found, OverlayKind::Logo)
    );
    assert!(
        (logo.area.x - 0.75).abs() < 0.05 && (logo.area.y - 0.1).abs() < 0.05,
        "{logo:?}"
    );
    assert!(logo.start_s < 0.5 && logo.end_s > 4.0, "{logo:?}");
    assert_eq!(
        measured(&panned(150, 4.0), 30.0).overlays.state,
        Finding::None
    );
}

#[test]
fn a_caption_whose_text_changes_is_found_with_its_band() {
    let frames: Vec<_> = panned(240, 4.0)
        .into_iter()
        .enumerate()
        .map(|(number, mut levels)| {
            written(&mut levels, 72, 256, 176, 16, number / 60);
            levels
        })
        .collect();
    let overlays = measured(&frames, 30.0).overlays;
    assert!(
        overlays
            .found
            .iter()
            .any(|found| found.kind == OverlayKind::Caption),
        "{overlays:?}"
    );
    let caption = overlays.found[0];
    assert!(
        caption.area.y > 0.75 && caption.area.width > 0.4,
        "{caption:?}"
    );
}

#[test]
fn what_is_another_thing_every_second_is_no_caption_and_a_thin_edge_no_logo() {
    let with = |draw: &dyn Fn(usize, &mut Vec<u8>)| {
        let mut frames = panned(150, 4.0);
        frames
            .iter_mut()
            .enumerate()
            .for_each(|(number, levels)| draw(number, levels));
        measured(&frames, 30.0).overlays
    };
    // A window has 30 frames.
    let fitful = with(&|number, levels| written(levels, 72, 256, 176, 16, number / 30));
    assert_eq!(
        (fitful.state, fitful.found.len()),
        (Finding::Undecided, 0),
        "{fitful:?}"
    );
    let edge = with(&|_, levels| written(levels, 240, HEIGHT - 8, 56, 8, 1));
    assert_eq!(
        (edge.state, edge.found.len()),
        (Finding::Undecided, 0),
        "{edge:?}"
    );
}

#[test]
fn an_area_is_turned_as_the_picture_is_shown() {
    let area = Area {
        x: 0.1,
        y: 0.2,
        width: 0.3,
        height: 0.4,
    };
    let turn = Turn {
        transposed: true,
        columns_reversed: false,
        rows_reversed: true,
    };
    let turned = checked::turned(area, turn);
    assert_eq!(
        turned,
        Area {
            x: 0.4,
            y: 0.1,
            width: 0.4,
            height: 0.3
        }
    );
}

#[test]
fn deep_samples_whose_lower_bits_are_empty_count_as_eight() {
    let of = |level: &dyn Fn(usize) -> u16| {
        let mut bits = depth::LowBits::default();
        let bytes: Vec<u8> = (0..WIDTH * HEIGHT)
            .flat_map(|at| level(at).to_le_bytes())
            .collect();
        bits.look(
            &Luma::of_words(&bytes, WIDTH, HEIGHT, 10),
            WIDTH,
            HEIGHT,
            10,
        );
        bits.finish()
    };
    assert_eq!(
        of(&|at| (at / 3 % 255 * 4) as u16),
        BitDepth {
            stored: 10,
            used: Some(8)
        }
    );
    assert_eq!(
        of(&|at| (at / 3 % 1020) as u16),
        BitDepth {
            stored: 10,
            used: Some(10)
        }
    );
}

#[test]
fn a_manifest_is_found_in_an_mp4_and_nothing_is_declared_without_one() {
    let declared = |bytes: &[u8]| declared::of_file(&mut Cursor::new(bytes), bytes.len() as u64);
    let mining = json!({ "entries": { "c2pa.ai_generative_training": { "use": "notAllowed" } } });
    let manifest = in_mp4(&store(&[("c2pa.training-mining", mining)]));
    let mut file = boxed(b"ftyp", b"isom\0\0\0\0");
    file.extend(boxed(b"mdat", &[7; 100]));
    let none = declared(&file);
    assert_eq!(
        (none.manifest, none.generated, none.training),
        (Manifest::NoDeclaration, None, None)
    );
    let mut with = file.clone();
    with.extend(&manifest);
    assert_eq!(declared(&with).manifest, Manifest::Unverified);
    assert_eq!(declared(&with).training, Some(Training::NotAllowed));
    // A cut or broken manifest still counts as present.
    assert_eq!(
        declared(&with[..with.len() - 20]).manifest,
        Manifest::Unreadable
    );
    let mut broken = with.clone();
    let last = broken.len() - 30;
    broken[last..].fill(0xff);
    assert_eq!(declared(&broken).manifest, Manifest::Unreadable);
    // A file that is no MP4 has none.
    assert_eq!(
        declared(&[b"\x1a\x45\xdf\xa3....".to_vec(), manifest].concat()).manifest,
        Manifest::NoDeclaration
    );
}

#[test]
fn of_a_place_only_its_presence_is_kept_and_texts_are_cleaned() {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let tags = Tags {
        pairs: vec![
            pair("com.apple.quicktime.make", "Ap\u{202e}ple\u{1b}[2J"),
            pair("com.apple.quicktime.model", &"x".repeat(500)),
            pair("com.apple.quicktime.location.ISO6709", "+48.8577+002.295/"),
            pair("creation_time", "1904-01-01T00:00:00Z"),
            pair(
                "com.apple.quicktime.creationdate",
                "2026-05-01T10:00:00+0200",
            ),
        ],
    };
    let mut capture = Capture::default();
    capture::read(&tags, &mut capture);
    assert!(
        capture.has_place && !format!("{capture:?}").contains("48.8"),
        "{capture:?}"
    );
    assert_eq!(capture.make.as_deref(), Some("Apple[2J"));
    assert_eq!(capture.model.map(|model| model.len()), Some(60));
    assert_eq!(
        capture.recorded_at.as_deref(),
        Some("2026-05-01T10:00:00+0200")
    );
}

#[test]
fn facts_that_no_clip_can_have_are_not_believed() {
    let decoded = |duration| crate::media::Decoded {
        info: crate::media::StreamInfo {
            width: 320,
            height: HEIGHT as u32,
            codec: String::new(),
            container: String::new(),
            pixel_format: String::new(),
            declared: None,
        },
        duration: Duration::from_secs(duration),
        frames: 60,
        undecoded: Vec::new(),
        stream: 0,
        origin_ns: 0,
        streams: Vec::new(),
    };
    let honest = measured(&panned(60, 4.0), 30.0);
    let given =
        |quality: &Quality| Quality::of(&[serde_json::to_vec(quality).unwrap()], &decoded(2));
    assert_eq!(given(&honest), honest);
    let changes: [fn(&mut Quality); 8] = [
        |quality| quality.resolution.native_lines = Some(5000),
        |quality| quality.resolution.confidence = 7.0,
        |quality| quality.frame_rate.stored = -1.0,
        |quality| quality.frame_rate.distinct = Some(1e9),
        |quality| quality.shares.dark = Some(1.5),
        |quality| quality.capture.make = Some("a\u{1b}[2J".to_owned()),
        |quality| quality.capture.model = Some("x".repeat(5_000)),
        |quality| {
            let area = Area {
                x: 0.5,
                y: 0.0,
                width: 0.9,
                height: 0.1,
            };
            let overlay = Overlay {
                kind: OverlayKind::Logo,
                area,
                start_s: 0.0,
                end_s: 1.0,
            };
            quality.overlays = Overlays {
                state: Finding::Found,
                found: vec![overlay],
                reason: None,
            };
        },
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut lie = honest.clone();
        change(&mut lie);
        let believed = given(&lie);
        assert_eq!(
            believed.resolution.state,
            ResolutionState::Undecided,
            "{number}"
        );
        assert!(
            believed
                .resolution
                .reason
                .is_some_and(|reason| reason.contains("contradict each other")),
            "{number}"
        );
    }
    for bytes in [Vec::new(), b"{}".to_vec(), vec![0xff; 100]] {
        assert_eq!(
            Quality::of(&[bytes], &decoded(2)).frame_rate.state,
            RateState::Undecided
        );
    }
    // One of several consecutive streams may have another size and rate.
    let bytes = serde_json::to_vec(&honest).unwrap();
    assert_eq!(
        Quality::of(&[bytes.clone(), bytes], &decoded(4))
            .frame_rate
            .state,
        RateState::Undecided
    );
}

#[test]
fn a_stream_that_changes_its_size_or_has_no_luma_is_not_measured() {
    let levels = pan(0.0);
    let mut measuring = Measuring::default();
    for (number, width) in [WIDTH, WIDTH, WIDTH / 2].into_iter().enumerate() {
        let luma = Some(Luma::of_bytes(&levels, width, HEIGHT));
        let time = Duration::from_millis(40 * number as u64);
        let turn = Turn::default();
        measuring.frame(&FullFrame {
            time,
            width,
            height: HEIGHT,
            depth: 8,
            interlaced: false,
            turn,
            luma,
        });
    }
    let quality: Quality = serde_json::from_slice(&measuring.finish()).unwrap();
    assert_eq!(
        quality.resolution.reason.as_deref(),
        Some("the picture changes its size")
    );
    assert_eq!(quality.overlays.state, Finding::Undecided);
}
