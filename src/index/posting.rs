//! A posting as it is stored: a key seen in a video, for how long and where.

use std::time::Duration;

use crate::error::millis;
use crate::fingerprint::{KeyKind, Place, Run};

/// Video, first and last millisecond, x and y, size and flags.
pub(crate) type RawPosting = [u32; 5];

/// Whether a posting can have been written by us for a video of a table of so many.
pub(crate) fn is_sound(posting: &RawPosting, videos: usize) -> bool {
    (posting[0] as usize) < videos && posting[1] <= posting[2] && posting[4] >> 16 <= ALL_FLAGS
}

/// Reads a stored posting: kind, place, first and last time, whether it recurs.
pub(crate) fn unpack(posting: &RawPosting) -> (KeyKind, Place, Duration, Duration, bool) {
    let [_, first, last, centre, size_flags] = *posting;
    let signed = |bits: u32| f32::from(bits as u16 as i16) / PLACE_UNITS;
    let flags = size_flags >> 16;
    let kind = if flags & FLAG_REGION == 0 { KeyKind::Whole } else { KeyKind::Region };
    let place = Place {
        x: signed(centre & 0xffff),
        y: signed(centre >> 16),
        size: f32::from((size_flags & 0xffff) as u16) / PLACE_UNITS,
    };
    (
        kind,
        place,
        Duration::from_millis(u64::from(first)),
        Duration::from_millis(u64::from(last)),
        flags & FLAG_RECURS != 0,
    )
}

pub(crate) fn pack(video: u32, run: &Run) -> RawPosting {
    // `as` saturates at the range's ends and turns NaN into 0, which is what an impossible place deserves.
    let signed = |value: f32| u32::from((value * PLACE_UNITS).round() as i16 as u16);
    let size = u32::from((run.place.size * PLACE_UNITS).round() as u16);
    let mut flags = 0;
    if run.kind == KeyKind::Region {
        flags |= FLAG_REGION;
    }
    if run.recurs {
        flags |= FLAG_RECURS;
    }
    [
        video,
        millis(run.first),
        millis(run.last.max(run.first)),
        signed(run.place.x) | signed(run.place.y) << 16,
        size | flags << 16,
    ]
}

/// Stored units in a frame's height: fine beyond a working pixel (1/128), with room for frames up to 16 times as wide as high.
const PLACE_UNITS: f32 = 2048.0;

const FLAG_REGION: u32 = 1;
const FLAG_RECURS: u32 = 2;
const ALL_FLAGS: u32 = FLAG_REGION | FLAG_RECURS;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::fingerprint::Key;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_posting_survives_packing(
            x in -1.0f32..9.0, y in -0.3f32..1.3, size in 0.0f32..2.0,
            first in 0u64..4_000_000_000, length in 0u64..1000, region: bool, recurs: bool,
        ) {
            let first = Duration::from_millis(first);
            let last = first + Duration::from_millis(length);
            let kind = if region { KeyKind::Region } else { KeyKind::Whole };
            let run = Run { key: Key::default(), kind, place: Place { x, y, size }, first, last, recurs };
            let (kind2, place, first2, last2, recurs2) = unpack(&pack(7, &run));
            prop_assert_eq!((kind, first, last, recurs), (kind2, first2, last2, recurs2));
            prop_assert!((place.x - x).abs() < 0.0003 && (place.y - y).abs() < 0.0003);
            prop_assert!((place.size - size).abs() < 0.0003);
        }
    }

    #[test]
    fn impossible_places_do_not_spoil_the_flags() {
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30, -1e30] {
            let place = Place { x: value, y: value, size: value };
            let run = Run {
                key: Key::default(),
                kind: KeyKind::Whole,
                place,
                first: Duration::MAX,
                last: Duration::ZERO,
                recurs: false,
            };
            let packed = pack(0, &run);
            assert_eq!(packed[4] >> 16, 0);
            assert!(packed[1] <= packed[2]);
        }
    }
}
