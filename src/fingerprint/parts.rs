//! What a fingerprint may consist of: the checks between a stranger's numbers and the later stages.
//!
//! A fingerprint made from a clip passes by construction. One that was handed over is accepted only
//! if its keyframes, keys and times are in the proportions that the extractor gives; a time without
//! keyframes counts as undecoded. Without the clip, nobody can check that it was made from the clip
//! that it names.

use std::time::Duration;

use super::{
    CLIP_REGIONS, ClipKey, Content, FINE_REGIONS, Fingerprint, KEYS_MIN, KeyKind, Keyframe, Motion,
    Place, Thumbnail,
};
use crate::error::millis;
use crate::media::{StreamInfo, UNDECODED_MAX, Undecoded};

/// The unchecked fields of a [`Fingerprint`]; each has the meaning of the method of the same name
/// there.
#[derive(Debug, Clone, PartialEq)]
pub struct Parts {
    /// See [`Fingerprint::path`].
    pub path: String,
    /// See [`Fingerprint::sha256`].
    pub sha256: [u8; 32],
    /// See [`Fingerprint::info`].
    pub info: StreamInfo,
    /// See [`Fingerprint::duration`].
    pub duration: Duration,
    /// See [`Fingerprint::interval`].
    pub interval: Duration,
    /// See [`Fingerprint::frames`].
    pub frames: u64,
    /// See [`Fingerprint::undecoded`].
    pub undecoded: Vec<Undecoded>,
    /// See [`Fingerprint::keyframes`].
    pub keyframes: Vec<Keyframe>,
    /// See [`Fingerprint::keys`].
    pub keys: Vec<ClipKey>,
    /// See [`Fingerprint::motion`].
    pub motion: Motion,
}

impl Fingerprint {
    /// Makes a fingerprint from its parts; a time without keyframes is undecoded.
    ///
    /// # Errors
    ///
    /// What is wrong with the parts, in a sentence, if no clip can have them.
    pub fn new(parts: Parts) -> Result<Fingerprint, String> {
        sizes(&parts)?;
        times(&parts)?;
        keys(&parts)?;
        let undecoded = with_gaps(&parts)?;
        let Parts {
            path,
            sha256,
            info,
            duration,
            interval,
            frames,
            keyframes,
            keys,
            motion,
            ..
        } = parts;
        let pictures = Vec::new();
        Ok(Fingerprint {
            path,
            sha256,
            info,
            duration,
            interval,
            frames,
            undecoded,
            keyframes,
            keys,
            motion,
            pictures,
        })
    }

    /// The path of the clip from which it was made, or of the file from which it was read, as given
    /// by the caller. Its file does not contain it.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// SHA-256 of the clip's bytes.
    pub fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }

    /// Displayed columns, codec and so on.
    pub fn info(&self) -> &StreamInfo {
        &self.info
    }

    /// Length of the clip.
    pub fn duration(&self) -> Duration {
        self.duration
    }

    /// Maximum time between two keyframes.
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// Frames that the decoder produced.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Parts without usable pictures.
    pub fn undecoded(&self) -> &[Undecoded] {
        &self.undecoded
    }

    /// The sampled frames, in order.
    pub fn keyframes(&self) -> &[Keyframe] {
        &self.keyframes
    }

    /// Their keys, in the same order.
    pub fn keys(&self) -> &[ClipKey] {
        &self.keys
    }

    /// The motion in them, one picture a keyframe.
    pub fn motion(&self) -> &Motion {
        &self.motion
    }

    /// Small pictures of the clip in order of time, of about
    /// [`CLIP_PICTURE_AREA`](crate::sample::CLIP_PICTURE_AREA) pixels. They are at least
    /// [`CLIP_PICTURE_INTERVAL`](crate::sample::CLIP_PICTURE_INTERVAL) apart, or a multiple of it
    /// in a long clip.
    ///
    /// Its file holds them only if it was saved with them. A fingerprint made from its [`Parts`]
    /// has none.
    pub fn pictures(&self) -> &[Thumbnail] {
        &self.pictures
    }

    /// The same fingerprint with these small pictures.
    pub fn with_pictures(self, pictures: Vec<Thumbnail>) -> Fingerprint {
        Fingerprint { pictures, ..self }
    }
}

/// Checks the ranges of numbers and texts.
fn sizes(parts: &Parts) -> Result<(), String> {
    let info = &parts.info;
    let texts = [&info.codec, &info.container, &info.pixel_format];
    if parts.path.len() > PATH_MAX || texts.iter().any(|text| text.len() > TEXT_MAX) {
        return Err("a text is too long".into());
    }
    let (width, height) = (f64::from(info.width), f64::from(info.height));
    if !(1..=SIDE_MAX).contains(&info.width)
        || !(1..=SIDE_MAX).contains(&info.height)
        || width.max(height) > ASPECT_MAX * width.min(height)
    {
        return Err(format!(
            "its picture of {} x {} is out of range",
            info.width, info.height
        ));
    }
    if parts.duration > DURATION_MAX || !INTERVALS.contains(&parts.interval) {
        return Err("its duration or interval is out of range".into());
    }
    let most = parts.duration.as_nanos() / KEYFRAME_GAP_MIN.as_nanos() + KEYFRAMES_SPARE;
    if parts.keyframes.len() as u128 > most || parts.keyframes.len() as u64 > parts.frames {
        return Err(format!(
            "it has {} keyframes, more than such a clip can have",
            parts.keyframes.len()
        ));
    }
    Ok(())
}

/// Checks that times are in order and within the clip.
fn times(parts: &Parts) -> Result<(), String> {
    let ordered = parts
        .keyframes
        .windows(2)
        .all(|pair| pair[0].time <= pair[1].time);
    let within = parts
        .keyframes
        .iter()
        .all(|k| k.time <= parts.duration && k.still_since <= k.time);
    if !ordered || !within {
        return Err("its keyframes are out of order".into());
    }
    let mut after = Duration::ZERO;
    for hole in &parts.undecoded {
        if hole.start < after
            || hole.end < hole.start
            || hole.end > DURATION_MAX
            || hole.reason.len() > TEXT_MAX
        {
            return Err("its undecoded parts are out of order".into());
        }
        after = hole.end;
    }
    let at =
        |(i, keyframe): (usize, &Keyframe)| millis(parts.motion.time(i)) == millis(keyframe.time);
    if parts.motion.len() != parts.keyframes.len() || !parts.keyframes.iter().enumerate().all(at) {
        return Err("its motion does not match its keyframes".into());
    }
    Ok(())
}

/// Checks that each keyframe has a number of keys that fits its content, in possible places of a
/// frame.
fn keys(parts: &Parts) -> Result<(), String> {
    let known = parts
        .keys
        .iter()
        .all(|key| (key.keyframe as usize) < parts.keyframes.len());
    let sorted = parts
        .keys
        .windows(2)
        .all(|pair| pair[0].keyframe <= pair[1].keyframe);
    if !known || !sorted {
        return Err("its keys do not match its keyframes".into());
    }
    let aspect = parts.info.width as f32 / parts.info.height as f32;
    if let Some(key) = parts
        .keys
        .iter()
        .find(|key| !is_in_frame(&key.place, aspect))
    {
        return Err(format!(
            "a key lies outside the picture, at {:?}",
            key.place
        ));
    }
    let mut groups = parts
        .keys
        .chunk_by(|a, b| a.keyframe == b.keyframe)
        .peekable();
    for (number, keyframe) in parts.keyframes.iter().enumerate() {
        let own = groups
            .next_if(|group| group[0].keyframe as usize == number)
            .unwrap_or_default();
        let whole = own.iter().filter(|key| key.kind == KeyKind::Whole).count();
        let fine = own.iter().filter(|key| key.fine).count();
        let regions = own.len() - whole - fine;
        let fits = match keyframe.content {
            Content::Searchable | Content::Treated => whole + regions >= KEYS_MIN,
            Content::Simple => whole + regions < KEYS_MIN,
            Content::Black | Content::Flat => own.is_empty(),
        };
        if !fits || whole > 1 || regions > CLIP_REGIONS || fine > FINE_REGIONS {
            return Err(format!(
                "its keyframe {number} cannot have {} keys",
                own.len()
            ));
        }
    }
    Ok(())
}

fn is_in_frame(place: &Place, aspect: f32) -> bool {
    (-REACH..=aspect + REACH).contains(&place.x)
        && (-REACH..=1.0 + REACH).contains(&place.y)
        && (SIZE_MIN..=SIZE_MAX).contains(&place.size)
}

/// The undecoded parts, with any times without a keyframe that they do not cover.
fn with_gaps(parts: &Parts) -> Result<Vec<Undecoded>, String> {
    let mut gaps: Vec<(Duration, Duration)> = Vec::new();
    let mut seen = Duration::ZERO;
    for time in parts
        .keyframes
        .iter()
        .map(|keyframe| keyframe.time)
        .chain([parts.duration])
    {
        if time.saturating_sub(seen) > GAP_MAX {
            match gaps.last_mut() {
                Some((_, end)) if *end == seen => *end = time,
                _ => gaps.push((seen, time)),
            }
        }
        seen = time;
    }
    let mut all = parts.undecoded.clone();
    for (start, end) in gaps {
        let mut from = start;
        let overlapping = parts
            .undecoded
            .iter()
            .filter(|hole| hole.end > start && hole.start < end);
        for (until, next) in overlapping
            .map(|hole| (hole.start, hole.end))
            .chain([(end, end)])
        {
            if until.saturating_sub(from) > GAP_MAX {
                all.push(Undecoded {
                    start: from,
                    end: until,
                    reason: NO_KEYFRAME.to_owned(),
                });
            }
            from = next;
        }
    }
    all.sort_by_key(|hole| (hole.start, hole.end));
    if all.len() > UNDECODED_MAX {
        return Err(format!(
            "it has more than {UNDECODED_MAX} parts without a keyframe"
        ));
    }
    Ok(all)
}

/// The reason for a time without a keyframe in the file.
pub(crate) const NO_KEYFRAME: &str = "the fingerprint has no keyframe";

/// Maximum length of a clip: 30 days.
pub(super) const DURATION_MAX: Duration = Duration::from_secs(30 * 24 * 3600);

/// Maximum time between keyframes of a clip. Keyframes drawn from neighbouring intervals are less
/// than twice [`QUERY_INTERVAL`](crate::sample::QUERY_INTERVAL) apart; a quarter of a second is
/// added for frames shown that long. Sketches, with twice the interval, come from the clip itself
/// and are not handed over.
const GAP_MAX: Duration = Duration::from_millis(750);

/// Allowed sampling intervals of a clip.
const INTERVALS: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(100)..=Duration::from_millis(500);

/// Minimum mean time between two keyframes of a clip: a quarter of
/// [`QUERY_INTERVAL`](crate::sample::QUERY_INTERVAL).
const KEYFRAME_GAP_MIN: Duration = Duration::from_millis(60);

/// Keyframes allowed beyond the clip's length divided by [`KEYFRAME_GAP_MIN`]: the first, the last,
/// and rounding.
const KEYFRAMES_SPARE: u128 = 4;

/// Maximum distance of a region's centre outside the frame, in heights of the frame.
const REACH: f32 = 1.0;

/// Range of a region's side, in heights of the frame. The smallest fine ones have a twentieth; a
/// whole frame has 1.
const SIZE_MIN: f32 = 1.0 / 256.0;
const SIZE_MAX: f32 = 4.0;

/// Maximum displayed columns or rows.
const SIDE_MAX: u32 = 1 << 20;

/// Maximum aspect ratio (longer to shorter side); places have the same limit.
const ASPECT_MAX: f64 = 64.0;

/// Maximum bytes of a codec's name or of a reason, and of a path.
const TEXT_MAX: usize = 500;
const PATH_MAX: usize = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fingerprint::Key;
    use proptest::prelude::*;

    /// A clip of this length, with four keyframes a second, and a whole frame and two regions each.
    fn parts(seconds: u32) -> Parts {
        let time = |number: u32| Duration::from_millis(250 * u64::from(number));
        let count = 4 * seconds;
        let place = Place {
            x: 0.8,
            y: 0.5,
            size: 0.2,
        };
        let key = |i: u32| ClipKey {
            keyframe: i / 3,
            kind: if i.is_multiple_of(3) {
                KeyKind::Whole
            } else {
                KeyKind::Region
            },
            fine: false,
            place,
            key: Key([u64::from(i); 4]),
            mirrored: Key::default(),
            warped: [Key::default(); crate::fingerprint::Warp::ALL.len()],
            recurs: false,
        };
        let mut motion = Motion::new(4, 3, 0.25);
        (0..count).for_each(|i| motion.push(time(i), &[]));
        Parts {
            path: String::new(),
            sha256: [3; 32],
            info: StreamInfo {
                width: 1600,
                height: 900,
                codec: "h264".into(),
                container: "mov".into(),
                pixel_format: "yuv420p".into(),
                declared: None,
            },
            duration: time(count),
            interval: Duration::from_millis(250),
            frames: u64::from(25 * seconds),
            undecoded: vec![],
            keyframes: (0..count)
                .map(|i| Keyframe {
                    time: time(i),
                    content: Content::Searchable,
                    still_since: time(i),
                    cut: false,
                    repeats: false,
                    panned: false,
                })
                .collect(),
            keys: (0..3 * count).map(key).collect(),
            motion,
        }
    }

    fn refused(change: impl FnOnce(&mut Parts)) -> String {
        let mut wrong = parts(4);
        change(&mut wrong);
        Fingerprint::new(wrong).unwrap_err()
    }

    #[test]
    fn what_no_clip_can_have_is_refused() {
        assert!(Fingerprint::new(parts(4)).unwrap().undecoded().is_empty());
        for (why, message) in [
            ("no keys", refused(|parts| parts.keys.clear())),
            (
                "a keyframe without keys",
                refused(|parts| drop(parts.keys.drain(6..9))),
            ),
            (
                "a black picture with keys",
                refused(|parts| parts.keyframes[2].content = Content::Black),
            ),
            (
                "a key of no keyframe",
                refused(|parts| parts.keys[47].keyframe = 16),
            ),
            (
                "the largest keyframe number",
                refused(|parts| parts.keys[47].keyframe = u32::MAX),
            ),
            ("keys out of order", refused(|parts| parts.keys.swap(0, 9))),
            (
                "two whole frames",
                refused(|parts| parts.keys[1].kind = KeyKind::Whole),
            ),
            (
                "a flood of keys",
                refused(|parts| parts.keys.splice(1..2, [parts.keys[1]; 41]).for_each(drop)),
            ),
            (
                "keyframes out of order",
                refused(|parts| parts.keyframes.swap(3, 5)),
            ),
            (
                "a keyframe behind the end",
                refused(|parts| parts.duration /= 2),
            ),
            (
                "standing still since later",
                refused(|parts| parts.keyframes[3].still_since = Duration::MAX),
            ),
            (
                "more keyframes than frames",
                refused(|parts| parts.frames = 3),
            ),
            (
                "a flood of keyframes",
                refused(|parts| parts.interval = Duration::from_millis(1)),
            ),
            ("no end", refused(|parts| parts.duration = Duration::MAX)),
            (
                "motion of another length",
                refused(|parts| parts.motion = Motion::default()),
            ),
            (
                "a picture of nothing",
                refused(|parts| parts.info.height = 0),
            ),
            (
                "a picture that is a line",
                refused(|parts| parts.info.width = u32::MAX),
            ),
            (
                "a place that is no number",
                refused(|parts| parts.keys[4].place.x = f32::NAN),
            ),
            (
                "an endless region",
                refused(|parts| parts.keys[4].place.size = f32::INFINITY),
            ),
            (
                "a region of no size",
                refused(|parts| parts.keys[4].place.size = 0.0),
            ),
            (
                "a long text",
                refused(|parts| parts.info.codec = "h".repeat(501)),
            ),
            (
                "backward holes",
                refused(|parts| parts.undecoded = vec![hole(2, 1)]),
            ),
        ] {
            assert!(!message.is_empty(), "{why}");
        }
    }

    fn hole(start: u64, end: u64) -> Undecoded {
        Undecoded {
            start: Duration::from_secs(start),
            end: Duration::from_secs(end),
            reason: "corrupt data".into(),
        }
    }

    #[test]
    fn time_without_keyframes_is_undecoded() {
        let holes = |change: &dyn Fn(&mut Parts)| {
            let mut sparse = parts(12);
            change(&mut sparse);
            let fingerprint = Fingerprint::new(sparse).unwrap();
            fingerprint
                .undecoded()
                .iter()
                .map(|hole| (hole.start.as_millis(), hole.end.as_millis()))
                .collect::<Vec<_>>()
        };
        // Minutes without data, at the end and in the middle.
        assert_eq!(
            holes(&|parts| parts.duration = Duration::from_secs(720)),
            [(11_750, 720_000)]
        );
        let cut = |parts: &mut Parts| {
            parts.keyframes.drain(8..20);
            parts.keys.drain(24..60);
            parts.keys[24..]
                .iter_mut()
                .for_each(|key| key.keyframe -= 12);
            let mut motion = Motion::new(4, 3, 0.25);
            parts
                .keyframes
                .iter()
                .for_each(|keyframe| motion.push(keyframe.time, &[]));
            parts.motion = motion;
        };
        assert_eq!(holes(&cut), [(1750, 5000)]);
        // What the decoder already reported is reported once.
        let told = |parts: &mut Parts| {
            cut(parts);
            parts.undecoded = vec![hole(2, 5)];
        };
        assert_eq!(holes(&told), [(2000, 5000)]);
    }

    proptest! {
        #[test]
        fn hand_made_parts_are_refused_or_borne(
            at in 0usize..48, keyframe in any::<u32>(), nanos in any::<u64>(), word in any::<u32>(), field in 0..9,
        ) {
            let mut made = parts(4);
            match field {
                0 => made.keys[at].keyframe = keyframe,
                1 => made.keys[at].place.x = f32::from_bits(word),
                2 => made.keys[at].place.y = f32::from_bits(word),
                3 => made.keys[at].place.size = f32::from_bits(word),
                4 => made.keyframes[at / 3].time = Duration::from_nanos(nanos),
                5 => made.keyframes[at / 3].still_since = Duration::from_nanos(nanos),
                6 => made.duration = Duration::from_nanos(nanos),
                7 => (made.info.width, made.info.height) = (keyframe, word),
                _ => made.motion.push(Duration::from_nanos(nanos), &[]),
            }
            if let Ok(made) = Fingerprint::new(made) {
                let again = Fingerprint::from_bytes(&made.to_bytes());
                prop_assert_eq!(again.as_ref(), Ok(&made));
                prop_assert!(made.sketched().keys.len() <= made.keys.len());
            }
        }
    }
}
