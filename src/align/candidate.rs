//! A candidate pair in one geometry, and its likely temporal hypotheses.
//!
//! Static content fits many hypotheses. But a copy fits *best* at its own time, key by key: even on
//! a wall, the noise and compression of a frame are nearer to its own than to its neighbours'. So
//! each key of the reference votes for the moment of the clip that it matches best, and hypotheses
//! with many such votes qualify for the full test ([`super::consistency`]).

use super::Similarity;
use super::guided::{self, ReferenceTrack};
use super::vote::TemporalHypothesis;
use crate::fingerprint::{ClipKey, Fingerprint, Orientation, Run};

/// A clip and a reference in one orientation and geometry.
#[derive(Clone, Copy)]
pub(super) struct CandidatePair<'a> {
    pub(super) clip: &'a Fingerprint,
    pub(super) track: &'a ReferenceTrack,
    pub(super) orientation: Orientation,
    pub(super) geometry: &'a Similarity,
}

impl CandidatePair<'_> {
    pub(super) fn time(&self, key: &ClipKey) -> f32 {
        self.clip.keyframes[key.keyframe as usize]
            .time
            .as_secs_f32()
    }

    /// The keys of the clip between two moments.
    pub(super) fn keys(&self, span: (f32, f32)) -> &[ClipKey] {
        &self.clip.keys[guided::keys_between(self.clip, span)]
    }

    /// The `most` likeliest hypotheses of some speeds, likeliest first, at least
    /// [`SAME_HYPOTHESIS`] apart in a part of the clip.
    pub(super) fn likeliest(
        moments: &[BestMoment],
        speeds: &[f32],
        clip_s: (f32, f32),
        most: usize,
    ) -> Vec<TemporalHypothesis> {
        let mut ranked: Vec<(f32, TemporalHypothesis)> = Vec::new();
        for &speed in speeds {
            let weight = if speed == 1.0 { UNIT_SPEED_WEIGHT } else { 1.0 };
            // Keys of one frame are not independent.
            let bin = |&BestMoment { reference, clip }: &BestMoment| {
                (
                    ((reference - speed * clip) / BIN).round() as i32,
                    (reference / BIN).round() as i32,
                )
            };
            let mut votes: Vec<(i32, i32)> = moments.iter().map(bin).collect();
            votes.sort_unstable();
            let mut bins: Vec<(i32, u32)> = Vec::new();
            for votes in votes.chunk_by(|a, b| a == b) {
                let weight = (votes.len() as u32).min(WEIGHT_MAX);
                match bins.last_mut() {
                    Some((bin, sum)) if *bin == votes[0].0 => *sum += weight,
                    _ => bins.push((votes[0].0, weight)),
                }
            }
            ranked.extend(bins.iter().enumerate().map(|(i, &(bin, sum))| {
                let adjacent = |other: Option<&(i32, u32)>| match other {
                    Some(&(other, sum)) if (other - bin).abs() == 1 => sum,
                    _ => 0,
                };
                let sum = sum
                    + adjacent(bins.get(i + 1))
                    + adjacent(i.checked_sub(1).and_then(|i| bins.get(i)));
                (
                    weight * sum as f32,
                    TemporalHypothesis {
                        speed,
                        offset: bin as f32 * BIN,
                    },
                )
            }));
        }
        ranked.sort_by(|a, b| {
            b.0.total_cmp(&a.0)
                .then(a.1.speed.total_cmp(&b.1.speed))
                .then(a.1.offset.total_cmp(&b.1.offset))
        });
        let mut chosen: Vec<TemporalHypothesis> = Vec::new();
        for (_, temporal) in ranked {
            let apart = |other: &TemporalHypothesis| {
                let gap = |time: f32| (temporal.at(time) - other.at(time)).abs();
                gap(clip_s.0).max(gap(clip_s.1)) > SAME_HYPOTHESIS
            };
            if chosen.len() < most && chosen.iter().all(apart) {
                chosen.push(temporal);
            }
        }
        chosen
    }

    /// The unique best moment in the clip for each key whose first sighting lies in a part of the
    /// reference.
    pub(super) fn best_moments(
        &self,
        clip_s: (f32, f32),
        reference_s: (f32, f32),
    ) -> Vec<BestMoment> {
        let aspect = self.clip.aspect();
        let keys = self.keys(clip_s);
        let seen: Vec<_> = keys
            .iter()
            .map(|key| {
                (
                    self.time(key),
                    key.kind,
                    self.orientation.place(key.place, aspect),
                    self.orientation.key(key),
                )
            })
            .collect();
        let best = |run: &Run| {
            let (mut best, mut unique) = ((VOTING_RADIUS + 1, 0.0_f32), false);
            for (time, kind, place, key) in &seen {
                if *kind != run.kind || !self.geometry.takes(place, &run.place) {
                    continue;
                }
                let distance = run.key.distance(*key);
                if distance < best.0 {
                    (best, unique) = ((distance, *time), true);
                } else if distance == best.0 && (time - best.1).abs() > ONE_MOMENT {
                    unique = false;
                }
            }
            unique.then_some(BestMoment {
                reference: run.first.as_secs_f32(),
                clip: best.1,
            })
        };
        let tracks = self
            .track
            .runs
            .iter()
            .filter(|run| (reference_s.0..=reference_s.1).contains(&run.first.as_secs_f32()));
        tracks.filter_map(best).collect()
    }
}

/// Times at which the reference first shows a key and the clip shows its best match, in seconds of
/// each.
#[derive(Debug, Clone, Copy)]
pub(super) struct BestMoment {
    reference: f32,
    clip: f32,
}

/// The speeds to search: neighbouring ones drift apart by one bin in two seconds.
pub(super) fn speeds() -> impl Iterator<Item = f32> {
    (-STEPS_PER_OCTAVE..=STEPS_PER_OCTAVE)
        .map(|step| (step as f32 / STEPS_PER_OCTAVE as f32).exp2())
}

/// Maximum distance between a key of the reference and the key of the clip it votes for, in bits.
const VOTING_RADIUS: u32 = 80;

/// Maximum distance between two sightings of the same moment, in seconds of the clip.
const ONE_MOMENT: f32 = 0.4;

/// Width of the offset bins, in seconds: the interval between two keyframes of a clip.
const BIN: f32 = 0.25;

/// Maximum joint weight of the keys of one reference frame.
pub(super) const WEIGHT_MAX: u32 = 4;

/// Speeds per octave.
const STEPS_PER_OCTAVE: i32 = 6;

/// Weight of votes for unit speed: most copies play so.
const UNIT_SPEED_WEIGHT: f32 = 1.25;

/// Maximum distance between duplicate hypotheses, in seconds of the reference.
const SAME_HYPOTHESIS: f32 = 0.6;
