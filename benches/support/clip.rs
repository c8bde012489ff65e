//! Fingerprints of made clips of 10 s.

use std::time::Duration;

use uniq::fingerprint::{
    ClipKey, Content, Fingerprint, Key, KeyKind, Keyframe, Motion, Parts, Place, Run, Warp,
};
use uniq::media::StreamInfo;

use super::footage::Footage;
use super::random::Random;

const KEYFRAMES: u32 = 40;
/// Keys of a keyframe: the whole frame, 40 regions and 24 fine ones.
const PER_KEYFRAME: usize = 65;
/// Keys of a clip. Each is also searched mirrored and tilted.
pub const KEYS: usize = KEYFRAMES as usize * PER_KEYFRAME;

/// A clip like nothing stored.
pub fn unrelated(footage: &mut Footage) -> Fingerprint {
    let keys: Vec<Key> = (0..KEYS).map(|_| footage.key()).collect();
    made(&keys, footage)
}

/// A clip in which one key in four is a noisy copy of a key in 10 s of a source, and the others are
/// like nothing stored.
pub fn copy(runs: &[Run], footage: &mut Footage, random: &mut Random) -> Fingerprint {
    let last = runs
        .last()
        .map_or(Duration::ZERO, |run| run.first)
        .saturating_sub(Duration::from_secs(10));
    let start = Duration::from_secs_f64(last.as_secs_f64() * random.unit());
    let within = start..=start + Duration::from_secs(10);
    let shown: Vec<&Run> = runs
        .iter()
        .filter(|run| run.kind == KeyKind::Region && within.contains(&run.first))
        .collect();
    let keys: Vec<Key> = (0..KEYS)
        .map(|number| {
            let time = start + Duration::from_millis(number as u64 / PER_KEYFRAME as u64 * 250);
            let near: Vec<&&Run> = shown
                .iter()
                .filter(|run| run.first.abs_diff(time) <= Duration::from_millis(600))
                .collect();
            if number % 4 != 0 || near.is_empty() {
                return footage.key();
            }
            let of = near[random.below(near.len())];
            let flips = 20 + random.below(60) as u32;
            random.flip(of.key, flips)
        })
        .collect();
    made(&keys, footage)
}

fn made(keys: &[Key], footage: &mut Footage) -> Fingerprint {
    let time = |number: u32| Duration::from_millis(250 * u64::from(number));
    let keyframe = |number| Keyframe {
        time: time(number),
        content: Content::Searchable,
        still_since: time(number),
        cut: false,
        repeats: false,
        panned: false,
    };
    let mut motion = Motion::new(28, 16, 1.0 / 16.0);
    (0..KEYFRAMES).for_each(|number| motion.push(time(number), &[0; 28 * 16]));
    let key = |(number, key): (usize, &Key)| ClipKey {
        fine: number % PER_KEYFRAME > 40,
        keyframe: (number / PER_KEYFRAME) as u32,
        kind: if number % PER_KEYFRAME == 0 {
            KeyKind::Whole
        } else {
            KeyKind::Region
        },
        place: Place {
            x: 0.9,
            y: 0.5,
            size: 0.25,
        },
        key: *key,
        mirrored: footage.key(),
        warped: std::array::from_fn::<_, { Warp::ALL.len() }, _>(|_| footage.key()),
        recurs: false,
    };
    let keys = keys.iter().enumerate().map(key).collect();
    Fingerprint::new(Parts {
        path: "made.mp4".to_owned(),
        sha256: [7; 32],
        info: StreamInfo {
            width: 1920,
            height: 1080,
            codec: "h264".to_owned(),
            container: "mp4".to_owned(),
            pixel_format: "yuv420p".to_owned(),
            declared: None,
        },
        duration: time(KEYFRAMES),
        interval: time(1),
        frames: 240,
        undecoded: Vec::new(),
        keyframes: (0..KEYFRAMES).map(keyframe).collect(),
        keys,
        motion,
    })
    .expect("a clip can be so")
}
