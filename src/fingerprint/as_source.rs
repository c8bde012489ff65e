//! Converts a clip's fingerprint into what an index keeps of a source, so that a clip that was
//! decoded for a check can be indexed too.
//!
//! A clip has twice as many keyframes and more regions than a source. Only as many are kept as a
//! source would have. A clip without small pictures gives a source without them.

use std::collections::HashSet;
use std::time::Duration;

use super::extract::SeenKey;
use super::runs::Tracker;
use super::{
    ClipKey, Fingerprint, KeyKind, Motion, PictureTrack, PictureTrackBuilder, SOURCE_REGIONS,
    SourceFingerprint, Thumbnail, Warp,
};
use crate::error::millis;
use crate::media::{Decoded, Frame};
use crate::sample::CORPUS_INTERVAL;

impl Fingerprint {
    /// Returns what an index keeps of the clip as a source: keyframes at most [`CORPUS_INTERVAL`]
    /// apart, if the clip has them that close, with the strongest [`SOURCE_REGIONS`] regions each.
    pub fn to_source(&self) -> SourceFingerprint {
        let kept = self.sparse();
        let mut tracker = Tracker::new(CORPUS_INTERVAL.max(self.interval));
        for &number in &kept {
            let of = |key: &ClipKey| key.keyframe as usize;
            let from = self.keys.partition_point(|key| of(key) < number);
            let keys = self.keys[from..]
                .iter()
                .take_while(|key| of(key) == number)
                .filter(|key| !key.fine);
            let (whole, regions): (Vec<&ClipKey>, Vec<&ClipKey>) =
                keys.partition(|key| key.kind == KeyKind::Whole);
            let seen: Vec<SeenKey> = whole
                .into_iter()
                .chain(regions.into_iter().take(SOURCE_REGIONS))
                .map(|key| SeenKey {
                    kind: key.kind,
                    fine: false,
                    place: key.place,
                    key: key.key,
                    mirrored: Default::default(),
                    warped: [Default::default(); Warp::ALL.len()],
                    recurs: key.recurs,
                })
                .collect();
            tracker.push(self.keyframes[number].time, &seen);
        }
        let times: Vec<Duration> = kept
            .iter()
            .map(|&number| self.keyframes[number].time)
            .collect();
        SourceFingerprint {
            decoded: Decoded {
                info: self.info.clone(),
                duration: self.duration,
                frames: self.frames,
                undecoded: self.undecoded.clone(),
                stream: 0,
                origin_ns: 0,
                streams: Vec::new(),
            },
            keyframes: kept.len() as u32,
            runs: tracker.finish(),
            motion: self.motion_at(&times),
            pictures: self.pictures_at(&times),
        }
    }

    /// Indices of the keyframes that a source would have.
    fn sparse(&self) -> Vec<usize> {
        let mut kept = Vec::new();
        let mut last: Option<Duration> = None;
        for (number, keyframe) in self.keyframes.iter().enumerate() {
            let next = self.keyframes.get(number + 1);
            let can_wait = last
                .is_some_and(|last| next.is_some_and(|next| next.time <= last + CORPUS_INTERVAL));
            if !can_wait {
                kept.push(number);
                last = Some(keyframe.time);
            }
        }
        kept
    }

    fn motion_at(&self, times: &[Duration]) -> Motion {
        let wanted: HashSet<u32> = times.iter().map(|&time| millis(time)).collect();
        let (columns, rows) = self.motion.size();
        let mut motion = Motion::new(columns as u16, rows as u16, self.motion.pitch());
        for picture in 0..self.motion.len() {
            let time = self.motion.time(picture);
            if wanted.contains(&millis(time)) {
                motion.push(time, &self.motion.picture(picture));
            }
        }
        if motion.is_empty() {
            Motion::default()
        } else {
            motion
        }
    }

    /// The small pictures nearest to these ascending times.
    fn pictures_at(&self, times: &[Duration]) -> PictureTrack {
        let mut track = PictureTrackBuilder::default();
        let mut last = None;
        for &time in times {
            let after = self.pictures.partition_point(|picture| picture.time < time);
            let near = [after.checked_sub(1), Some(after)].into_iter().flatten();
            let near = near.filter_map(|number| Some((number, self.pictures.get(number)?)));
            let nearest = near.min_by_key(|(_, picture)| picture.time.abs_diff(time));
            if let Some((number, picture)) = nearest.filter(|(number, _)| last != Some(*number)) {
                track.push(&frame(picture));
                last = Some(number);
            }
        }
        track.finish()
    }
}

fn frame(picture: &Thumbnail) -> Frame {
    Frame {
        time: picture.time,
        width: picture.width,
        height: picture.height,
        luma: picture.luma.clone(),
    }
}
