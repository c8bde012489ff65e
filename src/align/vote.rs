//! The votes of correspondences, and least-squares fits of geometry and temporal hypothesis.

use std::collections::HashMap;

use super::{SHIFT_TOLERANCE, SPEED_MAX, Similarity, TIME_TOLERANCE, ZOOM_TOLERANCE};
use crate::evidence;
use crate::fingerprint::Place;
use crate::search::Hit;

/// A temporal hypothesis: `reference = speed * clip + offset`, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct TemporalHypothesis {
    pub(super) speed: f32,
    pub(super) offset: f32,
}

impl TemporalHypothesis {
    pub(super) fn at(self, clip: f32) -> f32 {
        self.speed * clip + self.offset
    }

    /// The interval of the reference for an interval of the clip, extended by `beyond` seconds on
    /// both sides.
    pub(super) fn span(self, (first, last): (f32, f32), beyond: f32) -> (f32, f32) {
        let (a, b) = (self.at(first), self.at(last));
        (a.min(b) - beyond, a.max(b) + beyond)
    }

    /// Temporal residual of a vote: seconds of the reference between the predicted time and the
    /// interval in which the reference shows the key.
    pub(super) fn residual(self, vote: &Vote) -> f32 {
        let predicted = self.at(vote.time);
        (vote.first - predicted).max(predicted - vote.last).max(0.0)
    }
}

/// The speeds that a hypothesis may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SpeedModel {
    /// One second of the reference per second of the clip, forwards or backwards.
    Unit,
    /// Half to twice unit speed.
    Free,
}

/// A correspondence with the values that voting needs; times in seconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Vote {
    /// Index of the correspondence in its group.
    pub(super) hit: usize,
    pub(super) time: f32,
    pub(super) first: f32,
    pub(super) last: f32,
    pub(super) clip: Place,
    pub(super) reference: Place,
    /// Weight of the vote: its bits divided by the number of correspondences with the same track,
    /// so that a key that stays on screen has one vote in all, and little weight for a key that
    /// fits any time.
    pub(super) weight: f32,
    pub(super) recurs: bool,
}

impl Vote {
    pub(super) fn geometry(&self) -> Similarity {
        let scale = self.reference.size / self.clip.size;
        Similarity {
            scale,
            x: self.reference.x - scale * self.clip.x,
            y: self.reference.y - scale * self.clip.y,
        }
    }

    pub(super) fn fits(&self, geometry: &Similarity) -> bool {
        geometry.takes(&self.clip, &self.reference)
    }

    fn middle(&self) -> f32 {
        0.5 * (self.first + self.last)
    }
}

impl Similarity {
    /// Whether it maps a place of the clip to a place of the reference within the tolerances.
    pub(super) fn takes(&self, clip: &Place, reference: &Place) -> bool {
        // It runs for each pair of keys. With hypot, which guards against overflow, it would take
        // half of a check's time.
        self.squared_residual(clip, reference) <= SHIFT_TOLERANCE * SHIFT_TOLERANCE
            && (reference.size / (clip.size * self.scale)).log2().abs() <= ZOOM_TOLERANCE
    }

    /// The image of a point of the clip, in heights of the reference's frame.
    pub(super) fn point(&self, x: f32, y: f32) -> (f32, f32) {
        (self.scale * x + self.x, self.scale * y + self.y)
    }

    /// Spatial residual: the distance between the image of a place of the clip and a place of the
    /// reference, in heights of the reference's frame.
    pub(super) fn spatial_residual(&self, clip: &Place, reference: &Place) -> f32 {
        self.squared_residual(clip, reference).sqrt()
    }

    fn squared_residual(&self, clip: &Place, reference: &Place) -> f32 {
        let (x, y) = self.point(clip.x, clip.y);
        (x - reference.x).powi(2) + (y - reference.y).powi(2)
    }
}

/// The votes of a group of correspondences; those without positive weight do not vote.
pub(super) fn votes(group: &[Hit]) -> Vec<Vote> {
    let mut sharing: HashMap<u32, f32> = HashMap::new();
    for hit in group {
        *sharing.entry(hit.reference_key).or_default() += 1.0;
    }
    let vote = |(number, hit): (usize, &Hit)| {
        let bits = (evidence::weight(&hit.pair) - evidence::PLACE_BITS).max(0.0);
        let factor = if hit.recurs { REPEATED_WEIGHT } else { 1.0 };
        Vote {
            hit: number,
            time: hit.clip_time.as_secs_f32(),
            first: hit.reference_first.as_secs_f32(),
            last: hit.reference_last.as_secs_f32(),
            clip: hit.clip_place,
            reference: hit.reference_place,
            weight: factor * bits / sharing[&hit.reference_key],
            recurs: hit.recurs,
        }
    };
    group
        .iter()
        .enumerate()
        .map(vote)
        .filter(|vote| vote.weight > 0.0)
        .collect()
}

/// The speed and offset through the seed with the most votes; ties go to unit speed.
pub(super) fn temporal_hypothesis(
    seed: &Vote,
    same_geometry: &[&Vote],
    model: SpeedModel,
) -> TemporalHypothesis {
    let mut best = (
        f32::MIN,
        TemporalHypothesis {
            speed: 1.0,
            offset: seed.first - seed.time,
        },
    );
    let most = if model == SpeedModel::Unit {
        0
    } else {
        SPEED_STEPS
    };
    for step in -most..=most {
        let speed = (step as f32 / SPEED_STEPS as f32 * SPEED_MAX.log2()).exp2();
        let prior = if step == 0 { UNIT_SPEED_PRIOR } else { 1.0 };
        let offsets = |vote: &Vote| {
            (
                vote.first - TIME_TOLERANCE - speed * vote.time,
                vote.last + TIME_TOLERANCE - speed * vote.time,
            )
        };
        let (low, high) = offsets(seed);
        // Sweep over the offsets at which votes start and stop to count.
        let mut edges: Vec<(f32, f32)> = Vec::new();
        for vote in same_geometry {
            let (from, to) = offsets(vote);
            if from <= high && to >= low {
                edges.push((from.max(low), vote.weight));
                edges.push((to.min(high), -vote.weight));
            }
        }
        edges.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.total_cmp(&a.1)));
        let mut sum = 0.0;
        for (i, &(offset, weight)) in edges.iter().enumerate() {
            sum += weight;
            if weight > 0.0 && sum * prior > best.0 {
                // The middle of the interval of offsets with this sum.
                let until = edges.get(i + 1).map_or(offset, |next| next.0);
                best = (
                    sum * prior,
                    TemporalHypothesis {
                        speed,
                        offset: 0.5 * (offset + until),
                    },
                );
            }
        }
    }
    best.1
}

/// Weighted least squares over size ratios and centres.
pub(super) fn fit_geometry<'a>(
    votes: impl Iterator<Item = &'a Vote> + Clone,
) -> Option<Similarity> {
    if votes.clone().count() < 3 {
        return None;
    }
    let sum = |value: &dyn Fn(&Vote) -> f32| {
        votes
            .clone()
            .map(|vote| vote.weight * value(vote))
            .sum::<f32>()
    };
    let total = sum(&|_| 1.0).max(f32::MIN_POSITIVE);
    let (cx, cy) = (sum(&|v| v.clip.x) / total, sum(&|v| v.clip.y) / total);
    let (rx, ry) = (
        sum(&|v| v.reference.x) / total,
        sum(&|v| v.reference.y) / total,
    );
    // Two estimates of the scale: from the spread of places, precise if they are far apart, and
    // from size ratios.
    let spread = sum(&|v| (v.clip.x - cx).powi(2) + (v.clip.y - cy).powi(2));
    let joint =
        sum(&|v| (v.clip.x - cx) * (v.reference.x - rx) + (v.clip.y - cy) * (v.reference.y - ry));
    let by_size = (sum(&|v| (v.reference.size / v.clip.size).log2()) / total).exp2();
    let trust = total * SIZE_TRUST;
    let scale = (joint + trust * by_size) / (spread + trust);
    let usable = scale.is_finite() && scale > 0.02 && scale < 50.0;
    usable.then_some(Similarity {
        scale,
        x: rx - scale * cx,
        y: ry - scale * cy,
    })
}

/// Weighted least squares through the keys on screen briefly. The speed is fitted if the votes span
/// enough time, and is exactly unit speed if that fits as well.
pub(super) fn fit_temporal<'a>(
    votes: impl Iterator<Item = &'a Vote>,
    temporal: TemporalHypothesis,
    model: SpeedModel,
) -> TemporalHypothesis {
    let brief: Vec<&Vote> = votes
        .filter(|vote| vote.last - vote.first < BRIEF)
        .collect();
    let total: f32 = brief.iter().map(|vote| vote.weight).sum();
    if brief.len() < 3 || total <= 0.0 {
        return temporal;
    }
    let mean = |value: &dyn Fn(&Vote) -> f32| {
        brief.iter().map(|v| v.weight * value(v)).sum::<f32>() / total
    };
    let (clip, reference) = (mean(&|v| v.time), mean(&|v| v.middle()));
    let spread = mean(&|v| (v.time - clip).powi(2));
    let joint = mean(&|v| (v.time - clip) * (v.middle() - reference));
    // Below this variance the slope of a line through points half a second off is undetermined.
    let fitted = if spread > SLOPE_SPREAD {
        joint / spread
    } else {
        temporal.speed
    };
    let fitted = if (fitted / temporal.speed).log2().abs() <= SLOPE_CHANGE {
        fitted
    } else {
        temporal.speed
    };
    let through = |speed: f32| TemporalHypothesis {
        speed,
        offset: reference - speed * clip,
    };
    // Deviation of the fitted line from unit speed at the ends of a uniform spread with this
    // variance.
    let unit = temporal.speed.signum();
    let deviation = (fitted - unit).abs() * (3.0 * spread).sqrt();
    let speed = if model == SpeedModel::Unit || deviation <= UNIT_SPEED_DEVIATION {
        unit
    } else {
        fitted
    };
    through(unit * speed.abs().clamp(1.0 / SPEED_MAX, SPEED_MAX))
}

/// Factor on the weight of a vote whose key is repeated.
const REPEATED_WEIGHT: f32 = 0.15;

/// Speeds to try per octave: neighbouring ones drift apart by 0.3 s in 10 s.
const SPEED_STEPS: i32 = 12;

/// Prior for unit speed: another speed needs more than this ratio of votes.
const UNIT_SPEED_PRIOR: f32 = 1.1;

/// Maximum deviation from unit speed that is rounded to it, in seconds at the ends of the line:
/// frames resemble their neighbours for that long.
const UNIT_SPEED_DEVIATION: f32 = 0.3;

/// Weight of size ratios against the spread of places: the variance of places, in squared frame
/// heights, at which both count equally. The error of a size is a tenth, that of a place a fiftieth
/// of a height.
const SIZE_TRUST: f32 = 0.01;

/// Maximum time on screen of a key that determines the temporal hypothesis, in seconds.
const BRIEF: f32 = 2.0;

/// Minimum variance of the clip's times for a fit of the speed, in seconds squared: a uniform
/// spread over 3.5 s.
const SLOPE_SPREAD: f32 = 1.0;

/// Maximum change of speed in one fit, in octaves.
const SLOPE_CHANGE: f32 = 0.15;
