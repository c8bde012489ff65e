//! Guided matching: verifies correspondences where an alignment predicts them.
//!
//! Once geometry and temporal hypothesis are known, each key of the clip has one place and time in
//! the reference to match, instead of the whole corpus. There, a distance far beyond the voting
//! radius is still significant: one unrelated key in some ten thousand is within [`GUIDED_RADIUS`]
//! bits, and each key meets only a handful of candidates. This shows how far the alignment extends
//! and what share of the reference's keys the clip shows.

use std::collections::HashMap;
use std::ops::Range;

use super::vote::{TemporalHypothesis, Vote};
use super::{Similarity, TIME_TOLERANCE, ZOOM_TOLERANCE};
use crate::fingerprint::{Fingerprint, KeyKind, Motion, Orientation, Place, Run};

/// Maximum distance of a verified correspondence, in bits.
pub const GUIDED_RADIUS: u32 = 92;

/// A verified correspondence: a key of the clip at its predicted place and time in the reference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct VerifiedCorrespondence {
    pub(super) clip_key: u32,
    /// Index of the reference's track.
    pub(super) run: usize,
    /// Time in the clip, in seconds.
    pub(super) time: f32,
    pub(super) distance: u32,
    /// Whether either key is repeated in its own video and thus not distinctive.
    pub(super) recurs: bool,
}

/// The tracks of one reference, indexed by second.
pub(super) struct ReferenceTrack {
    pub(super) runs: Vec<Run>,
    /// Its motion signature.
    pub(super) motion: Motion,
    /// Size of its smallest local feature, in heights of its frame.
    smallest: f32,
    /// Start and end times of its tracks, in seconds, ascending, distinct.
    pub(super) moments: Vec<f32>,
    seconds: HashMap<u64, Vec<usize>>,
}

impl ReferenceTrack {
    pub(super) fn new(runs: Vec<Run>, motion: Motion) -> ReferenceTrack {
        let mut seconds: HashMap<u64, Vec<usize>> = HashMap::new();
        for (number, run) in runs.iter().enumerate() {
            for second in run.first.as_secs()..=run.last.as_secs() {
                seconds.entry(second).or_default().push(number);
            }
        }
        let ends = runs
            .iter()
            .flat_map(|run| [run.first.as_secs_f32(), run.last.as_secs_f32()]);
        let mut moments: Vec<f32> = ends.collect();
        moments.sort_by(f32::total_cmp);
        moments.dedup();
        let regions = runs.iter().filter(|run| run.kind == KeyKind::Region);
        let smallest = regions
            .map(|run| run.place.size)
            .fold(f32::INFINITY, f32::min);
        ReferenceTrack {
            runs,
            motion,
            smallest,
            moments,
            seconds,
        }
    }

    /// Whether a local feature of the clip, mapped by the geometry, is large enough for the
    /// reference to have one of that size.
    pub(super) fn may_have(&self, place: &Place, geometry: &Similarity) -> bool {
        place.size * geometry.scale >= self.smallest * (-ZOOM_TOLERANCE).exp2()
    }

    /// Distinct tracks within the time tolerance of a moment.
    fn around(&self, moment: f32) -> Vec<usize> {
        self.numbers(moment - TIME_TOLERANCE, moment + TIME_TOLERANCE)
    }

    /// Distinct tracks between two moments, in seconds.
    pub(super) fn between(&self, from: f32, to: f32) -> impl Iterator<Item = &Run> {
        self.numbers(from, to)
            .into_iter()
            .map(|number| &self.runs[number])
    }

    fn numbers(&self, from: f32, to: f32) -> Vec<usize> {
        let second = |time: f32| time.max(0.0) as u64;
        let mut found: Vec<usize> = (second(from)..=second(to))
            .filter_map(|second| self.seconds.get(&second))
            .flatten()
            .copied()
            .filter(|&number| {
                let run = &self.runs[number];
                run.first.as_secs_f32() <= to && run.last.as_secs_f32() >= from
            })
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// Indices of the clip's keyframes between two moments, in seconds.
pub(super) fn keyframes_between(clip: &Fingerprint, (first, last): (f32, f32)) -> Range<usize> {
    let start = clip
        .keyframes
        .partition_point(|keyframe| keyframe.time.as_secs_f32() < first);
    let end = clip
        .keyframes
        .partition_point(|keyframe| keyframe.time.as_secs_f32() <= last);
    start..end.max(start)
}

/// Indices of the clip's keys between two moments, in seconds.
pub(super) fn keys_between(clip: &Fingerprint, span: (f32, f32)) -> Range<usize> {
    let within = keyframes_between(clip, span);
    let before = |keyframe: usize| {
        clip.keys
            .partition_point(|key| (key.keyframe as usize) < keyframe)
    };
    before(within.start)..before(within.end)
}

/// Matches each key in a part of the clip to the nearest track at its predicted place and time.
pub(super) fn match_guided(
    clip: &Fingerprint,
    track: &ReferenceTrack,
    orientation: Orientation,
    geometry: &Similarity,
    temporal: TemporalHypothesis,
    span: (f32, f32),
) -> Vec<VerifiedCorrespondence> {
    let aspect = clip.aspect();
    let mut verified = Vec::new();
    let within = keys_between(clip, span);
    let mut number = within.start;
    for keys in clip.keys[within].chunk_by(|a, b| a.keyframe == b.keyframe) {
        let time = clip.keyframes[keys[0].keyframe as usize].time.as_secs_f32();
        let around = track.around(temporal.at(time));
        for (i, key) in keys.iter().enumerate() {
            let (place, bits) = (orientation.place(key.place, aspect), orientation.key(key));
            let nearest = around
                .iter()
                .map(|&number| (number, &track.runs[number]))
                .filter(|(_, run)| run.kind == key.kind && geometry.takes(&place, &run.place))
                .map(|(number, run)| (run.key.distance(bits), number))
                .min();
            if let Some((distance, run)) =
                nearest.filter(|&(distance, _)| distance <= GUIDED_RADIUS)
            {
                let recurs = key.recurs || track.runs[run].recurs;
                verified.push(VerifiedCorrespondence {
                    clip_key: (number + i) as u32,
                    run,
                    time,
                    distance,
                    recurs,
                });
            }
        }
        number += keys.len();
    }
    verified
}

/// Verified correspondences as votes, to refit geometry and temporal hypothesis.
pub(super) fn as_votes<'a>(
    verified: &'a [VerifiedCorrespondence],
    clip: &'a Fingerprint,
    track: &'a ReferenceTrack,
    orientation: Orientation,
) -> impl Iterator<Item = Vote> + 'a {
    let aspect = clip.aspect();
    verified.iter().map(move |correspondence| {
        let run = &track.runs[correspondence.run];
        let key = &clip.keys[correspondence.clip_key as usize];
        Vote {
            hit: 0,
            time: correspondence.time,
            first: run.first.as_secs_f32(),
            last: run.last.as_secs_f32(),
            clip: orientation.place(key.place, aspect),
            reference: run.place,
            weight: (GUIDED_RADIUS + 1 - correspondence.distance) as f32,
            recurs: correspondence.recurs,
        }
    })
}

/// Whether the detector can find a feature of the reference in the clip: large enough, given
/// whether the clip has fine regions, and sufficiently inside the frame.
pub(super) fn visible(run: &Run, geometry: &Similarity, clip_aspect: f32, fine: bool) -> bool {
    let size = run.place.size / geometry.scale;
    let (x, y) = (
        (run.place.x - geometry.x) / geometry.scale,
        (run.place.y - geometry.y) / geometry.scale,
    );
    let inside = |centre: f32, end: f32| centre - 0.4 * size >= 0.0 && centre + 0.4 * size <= end;
    run.kind == KeyKind::Region
        && (if fine { FINE_SIZE } else { SIZE }..=SIZE_MAX).contains(&size)
        && inside(x, clip_aspect)
        && inside(y, 1.0)
}

/// Range of feature sizes that the detector covers, in frame heights: 7 sigmas, with sigma from 2.5
/// px (at octave -1, half of that) to 32 px in a frame of 128 px.
const SIZE: f32 = 0.15;
const FINE_SIZE: f32 = 0.5 * SIZE;
const SIZE_MAX: f32 = 1.6;
