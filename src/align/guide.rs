//! Looks where an alignment says that a copy must be.
//!
//! Once a few hits fix geometry and time line, every key of the clip has one place and moment of the source to be
//! compared with, instead of the whole corpus. There, agreement far beyond the voting radius still means something:
//! among unrelated keys one in some ten thousand is within [`GUIDED_RADIUS`] bits, and only a handful is looked at.
//! This shows how far the alignment really goes, and what share of the source's keys is in the clip.

use std::collections::HashMap;
use std::ops::Range;

use super::vote::{Line, Vote};
use super::{Similarity, TIME_TOLERANCE, ZOOM_TOLERANCE};
use crate::fingerprint::{Fingerprint, KeyKind, Motion, Orientation, Place, Run};

/// Distance up to which a key counts as found where it was expected, in bits.
pub const GUIDED_RADIUS: u32 = 92;

/// A key of the clip found where the alignment put it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Trace {
    pub(super) clip_key: u32,
    /// Number of the run of the source.
    pub(super) run: usize,
    /// When the clip shows it, in seconds.
    pub(super) time: f32,
    pub(super) distance: u32,
    /// Whether either of the two looks alike at other times of its own video.
    pub(super) recurs: bool,
}

/// The runs of one source, and by second what it shows.
pub(super) struct Shown {
    pub(super) runs: Vec<Run>,
    /// What moves in it.
    pub(super) motion: Motion,
    /// Size of its smallest region, in heights of its frame.
    smallest: f32,
    /// When something begins or ends in it, in seconds, ascending, each once.
    pub(super) moments: Vec<f32>,
    seconds: HashMap<u64, Vec<usize>>,
}

impl Shown {
    pub(super) fn new(runs: Vec<Run>, motion: Motion) -> Shown {
        let mut seconds: HashMap<u64, Vec<usize>> = HashMap::new();
        for (number, run) in runs.iter().enumerate() {
            for second in run.first.as_secs()..=run.last.as_secs() {
                seconds.entry(second).or_default().push(number);
            }
        }
        let ends = runs.iter().flat_map(|run| [run.first.as_secs_f32(), run.last.as_secs_f32()]);
        let mut moments: Vec<f32> = ends.collect();
        moments.sort_by(f32::total_cmp);
        moments.dedup();
        let regions = runs.iter().filter(|run| run.kind == KeyKind::Region);
        let smallest = regions.map(|run| run.place.size).fold(f32::INFINITY, f32::min);
        Shown { runs, motion, smallest, moments, seconds }
    }

    /// Whether a region of the clip is large enough, where a geometry puts it, for the source to have one of that size.
    pub(super) fn may_have(&self, place: &Place, geometry: &Similarity) -> bool {
        place.size * geometry.scale >= self.smallest * (-ZOOM_TOLERANCE).exp2()
    }

    /// The runs that the source shows within the time tolerance of a moment, each once.
    fn around(&self, moment: f32) -> Vec<usize> {
        self.numbers(moment - TIME_TOLERANCE, moment + TIME_TOLERANCE)
    }

    /// The runs that the source shows between two moments, in seconds, each once.
    pub(super) fn between(&self, from: f32, to: f32) -> impl Iterator<Item = &Run> {
        self.numbers(from, to).into_iter().map(|number| &self.runs[number])
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

/// Numbers of the clip's keyframes from one of its moments to another, in seconds.
pub(super) fn keyframes_between(clip: &Fingerprint, (first, last): (f32, f32)) -> Range<usize> {
    let start = clip.keyframes.partition_point(|keyframe| keyframe.time.as_secs_f32() < first);
    let end = clip.keyframes.partition_point(|keyframe| keyframe.time.as_secs_f32() <= last);
    start..end.max(start)
}

/// Numbers of the clip's keys from one of its moments to another, in seconds.
pub(super) fn keys_between(clip: &Fingerprint, span: (f32, f32)) -> Range<usize> {
    let within = keyframes_between(clip, span);
    let before = |keyframe: usize| clip.keys.partition_point(|key| (key.keyframe as usize) < keyframe);
    before(within.start)..before(within.end)
}

/// Compares each key of a part of the clip with what the source shows there and then; the nearest run counts.
pub(super) fn trace(
    clip: &Fingerprint,
    shown: &Shown,
    orientation: Orientation,
    geometry: &Similarity,
    line: Line,
    span: (f32, f32),
) -> Vec<Trace> {
    let aspect = clip.aspect();
    let mut traces = Vec::new();
    let within = keys_between(clip, span);
    let mut number = within.start;
    for keys in clip.keys[within].chunk_by(|a, b| a.keyframe == b.keyframe) {
        let time = clip.keyframes[keys[0].keyframe as usize].time.as_secs_f32();
        let around = shown.around(line.at(time));
        for (i, key) in keys.iter().enumerate() {
            let (place, bits) = (orientation.place(key.place, aspect), orientation.key(key));
            let nearest = around
                .iter()
                .map(|&number| (number, &shown.runs[number]))
                .filter(|(_, run)| run.kind == key.kind && geometry.takes(&place, &run.place))
                .map(|(number, run)| (run.key.distance(bits), number))
                .min();
            if let Some((distance, run)) = nearest.filter(|&(distance, _)| distance <= GUIDED_RADIUS) {
                let recurs = key.recurs || shown.runs[run].recurs;
                traces.push(Trace { clip_key: (number + i) as u32, run, time, distance, recurs });
            }
        }
        number += keys.len();
    }
    traces
}

/// Traces as votes, so that the time line and the geometry can be fitted to them.
pub(super) fn as_votes<'a>(
    traces: &'a [Trace],
    clip: &'a Fingerprint,
    shown: &'a Shown,
    orientation: Orientation,
) -> impl Iterator<Item = Vote> + 'a {
    let aspect = clip.aspect();
    traces.iter().map(move |trace| {
        let run = &shown.runs[trace.run];
        let key = &clip.keys[trace.clip_key as usize];
        Vote {
            hit: 0,
            time: trace.time,
            first: run.first.as_secs_f32(),
            last: run.last.as_secs_f32(),
            clip: orientation.place(key.place, aspect),
            reference: run.place,
            share: (GUIDED_RADIUS + 1 - trace.distance) as f32,
            recurs: trace.recurs,
        }
    })
}

/// Whether the clip, which may have fine regions, would show a region of the source large enough, and whole enough, to be detected.
pub(super) fn visible(run: &Run, geometry: &Similarity, clip_aspect: f32, fine: bool) -> bool {
    let size = run.place.size / geometry.scale;
    let (x, y) = ((run.place.x - geometry.x) / geometry.scale, (run.place.y - geometry.y) / geometry.scale);
    let inside = |centre: f32, end: f32| centre - 0.4 * size >= 0.0 && centre + 0.4 * size <= end;
    run.kind == KeyKind::Region
        && (if fine { FINE_SIZE } else { SIZE }..=SIZE_MAX).contains(&size)
        && inside(x, clip_aspect)
        && inside(y, 1.0)
}

/// Sizes of regions that a detector looks for, in frame heights: 7 sigmas of 2.5 px on, of fine ones half as much, up to 32 px in
/// 128 px.
const SIZE: f32 = 0.15;
const FINE_SIZE: f32 = 0.5 * SIZE;
const SIZE_MAX: f32 = 1.6;
