//! The same file gives the same fingerprint on every run, equal to that of the released version.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use uniq::Decoding;
use uniq::fingerprint::{FINGERPRINT_VERSION, Fingerprint, Key, KeyKind};

/// Whole-frame keys of the first, middle and last keyframe of [`video`], as 64 hexadecimal digits
/// each.
const WHOLE: [&str; 3] = [
    "fffdaa166f8207398381c361e71877e3113e99c8996649926d4b2da5a55295aa",
    "ff1103d693fbc10be1e17139f9855d2319decd644cb22459a42cb4d6d46a56a5",
    "01f6fc3bfc013cf41e1e8ec4c63aa29cf76132b3b3499224dad24b696ab5a952",
];

/// Number of keyframes of [`video`], of keys without fine regions, and of fine regions.
const COUNTS: (usize, usize, usize) = (13, 533, 312);

/// Number of motion cells of [`video`] that get darker, stay still and get brighter.
const CELLS: [usize; 3] = [10438, 2940, 10334];

/// Maximum difference of a key on another processor or FFmpeg, in bits: rounding can move a
/// coefficient across the median.
const TOLERANCE: u32 = 6;

/// An uncompressed clip of three seconds, written byte by byte: waves of many lengths that drift
/// against each other.
fn video(folder: &Path) -> PathBuf {
    let (width, height, frames) = (320_usize, 180_usize, 75_usize);
    let mut bytes = format!("YUV4MPEG2 W{width} H{height} F25:1 Ip A1:1 Cmono\n").into_bytes();
    for frame in 0..frames {
        bytes.extend(b"FRAME\n");
        for y in 0..height {
            for x in 0..width {
                bytes.push(level(x as i64, y as i64, frame as i64));
            }
        }
    }
    let path = folder.join("waves.y4m");
    std::fs::write(&path, bytes).unwrap();
    path
}

/// Triangle waves in whole numbers, so that every machine writes the same bytes.
fn level(x: i64, y: i64, frame: i64) -> u8 {
    let wave = |phase: i64, length: i64| {
        let at = phase.rem_euclid(length);
        (2 * at - length).abs() * 200 / length - 100
    };
    let sum = wave(3 * x + y + 5 * frame, 211)
        + wave(2 * x - 3 * y - 7 * frame, 149)
        + wave(x * y / 40 + 3 * frame, 173)
        + wave(
            (x - 160) * (x - 160) / 60 + (y - 90) * (y - 90) / 30 - 4 * frame,
            97,
        ) / 2
        + wave(5 * x + 7 * y, 61) / 2;
    (128 + sum / 5).clamp(16, 235) as u8
}

fn hex(key: Key) -> String {
    key.to_bytes().iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn key(hex: &str) -> Key {
    Key::from_bytes(std::array::from_fn(|i| {
        u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()
    }))
}

fn whole(fingerprint: &Fingerprint) -> Vec<Key> {
    fingerprint
        .keys()
        .iter()
        .filter(|key| key.kind == KeyKind::Whole)
        .map(|key| key.key)
        .collect()
}

#[test]
fn the_keys_of_a_known_file_are_those_of_this_version() {
    let folder = tempfile::tempdir().unwrap();
    let fingerprint =
        uniq::fingerprint(&video(folder.path()), &Decoding::in_process(), None).unwrap();
    let found = whole(&fingerprint);
    let of_interest = [found[0], found[found.len() / 2], found[found.len() - 1]];
    let told = of_interest.map(hex);
    let fine = fingerprint.keys().iter().filter(|key| key.fine).count();
    let counts = (
        fingerprint.keyframes().len(),
        fingerprint.keys().len() - fine,
        fine,
    );
    for (found, golden) in of_interest.into_iter().zip(WHOLE) {
        let distance = if golden.len() == 64 {
            found.distance(key(golden))
        } else {
            256
        };
        assert!(
            distance <= TOLERANCE,
            "a key is {distance} bits from that of version {FINGERPRINT_VERSION}: {told:?}; \
             if the method was changed, raise FINGERPRINT_VERSION"
        );
    }
    assert_eq!(counts.0, COUNTS.0);
    let cells: Vec<i8> = (0..fingerprint.motion().len())
        .flat_map(|i| fingerprint.motion().picture(i))
        .collect();
    assert_eq!(
        (fingerprint.motion().size(), cells.len()),
        ((57, 32), 13 * 57 * 32)
    );
    let levels = [-1, 0, 1].map(|level| cells.iter().filter(|&&cell| cell == level).count());
    for (found, golden) in levels.into_iter().zip(CELLS) {
        assert!(
            found.abs_diff(golden) <= golden / 50,
            "{levels:?} cells, {CELLS:?} expected"
        );
    }
    for (found, golden) in [(counts.1, COUNTS.1), (counts.2, COUNTS.2)] {
        assert!(
            found.abs_diff(golden) <= golden / 50,
            "{found} keys, {golden} expected"
        );
    }
}

#[test]
fn two_runs_give_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = video(folder.path());
    let first = uniq::fingerprint(&path, &Decoding::in_process(), None).unwrap();
    assert_eq!(
        first.to_bytes(),
        uniq::fingerprint(&path, &Decoding::in_process(), None)
            .unwrap()
            .to_bytes()
    );
    assert!(first.keys().len() > 100, "{} keys", first.keys().len());
}
