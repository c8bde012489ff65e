//! A run in stored form: a key seen in a video, with its times and place.

use std::time::Duration;

use crate::error::millis;
use crate::fingerprint::{Key, KeyKind, Place, Run};

/// Stored form: the four words of the key; first millisecond (lower half) and last (upper half); x,
/// y, size and flags, 16 bits each.
pub(crate) type RawRun = [u64; 6];

#[inline]
pub(crate) fn key_of(run: &RawRun) -> Key {
    Key([run[0], run[1], run[2], run[3]])
}

/// Whether we could have written this run.
pub(crate) fn is_sound(run: &RawRun) -> bool {
    times(run).0 <= times(run).1 && run[5] >> 48 <= ALL_FLAGS
}

/// First and last millisecond.
pub(crate) fn times(run: &RawRun) -> (u32, u32) {
    (run[4] as u32, (run[4] >> 32) as u32)
}

pub(crate) fn unpack(run: &RawRun) -> Run {
    let part = |number: u32| (run[5] >> (16 * number)) as u16;
    let signed = |bits: u16| f32::from(bits as i16) / PLACE_UNITS;
    let flags = run[5] >> 48;
    let (first, last) = times(run);
    Run {
        key: key_of(run),
        kind: if flags & FLAG_REGION == 0 {
            KeyKind::Whole
        } else {
            KeyKind::Region
        },
        place: Place {
            x: signed(part(0)),
            y: signed(part(1)),
            size: f32::from(part(2)) / PLACE_UNITS,
        },
        first: Duration::from_millis(u64::from(first)),
        last: Duration::from_millis(u64::from(last)),
        recurs: flags & FLAG_RECURS != 0,
    }
}

pub(crate) fn pack(run: &Run) -> RawRun {
    // `as` saturates at the ends of the range and turns NaN into 0, which is fine for an impossible
    // place.
    let signed = |value: f32| u64::from((value * PLACE_UNITS).round() as i16 as u16);
    let size = u64::from((run.place.size * PLACE_UNITS).round() as u16);
    let mut flags = 0;
    if run.kind == KeyKind::Region {
        flags |= FLAG_REGION;
    }
    if run.recurs {
        flags |= FLAG_RECURS;
    }
    let [a, b, c, d] = run.key.0;
    let times = u64::from(millis(run.first)) | u64::from(millis(run.last.max(run.first))) << 32;
    [
        a,
        b,
        c,
        d,
        times,
        signed(run.place.x) | signed(run.place.y) << 16 | size << 32 | flags << 48,
    ]
}

/// Stored position units per frame height: finer than a working pixel (1/128), with room for frames
/// up to 16 times as wide as high.
const PLACE_UNITS: f32 = 2048.0;

const FLAG_REGION: u64 = 1;
const FLAG_RECURS: u64 = 2;
const ALL_FLAGS: u64 = FLAG_REGION | FLAG_RECURS;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_run_survives_packing(
            x in -1.0f32..9.0, y in -0.3f32..1.3, size in 0.0f32..2.0, key: [u64; 4],
            first in 0u64..4_000_000_000, length in 0u64..1000, region: bool, recurs: bool,
        ) {
            let first = Duration::from_millis(first);
            let last = first + Duration::from_millis(length);
            let kind = if region { KeyKind::Region } else { KeyKind::Whole };
            let run = Run { key: Key(key), kind, place: Place { x, y, size }, first, last, recurs };
            let packed = pack(&run);
            prop_assert!(is_sound(&packed));
            let unpacked = unpack(&packed);
            let place = unpacked.place;
            prop_assert_eq!(Run { place: run.place, ..unpacked }, run);
            prop_assert!((place.x - x).abs() < 0.0003 && (place.y - y).abs() < 0.0003);
            prop_assert!((place.size - size).abs() < 0.0003);
        }
    }

    #[test]
    fn impossible_places_do_not_spoil_the_flags() {
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30, -1e30] {
            let place = Place {
                x: value,
                y: value,
                size: value,
            };
            let run = Run {
                key: Key::default(),
                kind: KeyKind::Whole,
                place,
                first: Duration::MAX,
                last: Duration::ZERO,
                recurs: false,
            };
            let packed = pack(&run);
            assert!(packed[5] >> 48 == 0 && is_sound(&packed));
        }
    }
}
