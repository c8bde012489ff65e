//! Tests quickly whether the correspondences with one reference are consistent at all.
//!
//! Where other references are certain copies, a further one needs neither an exact score nor an
//! exact interval. The strongest correspondences of each second vote, and few of them serve as
//! seeds. This reads nothing of the reference.

use std::time::Duration;

use super::vote::{self, SpeedModel, TemporalHypothesis, Vote};
use super::{
    Corpus, Hypothesis, OPTIMISATION_ROUNDS, SEED_WINDOW, Similarity, TIME_TOLERANCE, pairs,
};
use crate::evidence;
use crate::fingerprint::Orientation;
use crate::search::Hit;

/// A geometry and a temporal hypothesis with inliers among the strongest correspondences.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CoarseHypothesis {
    /// Score of the inliers, in bits.
    pub bits: f32,
    orientation: Orientation,
    geometry: Similarity,
    temporal: TemporalHypothesis,
}

impl CoarseHypothesis {
    /// Whether a correspondence is an inlier.
    pub fn explains(&self, hit: &Hit) -> bool {
        let predicted = self.temporal.at(hit.clip_time.as_secs_f32());
        let within = |first: Duration, last: Duration| {
            (first.as_secs_f32() - TIME_TOLERANCE..=last.as_secs_f32() + TIME_TOLERANCE)
                .contains(&predicted)
        };
        hit.orientation == self.orientation
            && within(hit.reference_first, hit.reference_last)
            && self.geometry.takes(&hit.clip_place, &hit.reference_place)
    }
}

/// The best hypothesis for the strongest correspondences with one reference, sorted by orientation;
/// `None` if there is none.
pub fn coarse_hypothesis(hits: &[Hit], corpus: &Corpus<'_>) -> Option<CoarseHypothesis> {
    let of_orientation = hits.chunk_by(|a, b| a.orientation == b.orientation);
    let mut groups: Vec<(f32, &[Hit])> = of_orientation
        .map(|group| (total_weight(group), group))
        .collect();
    groups.sort_by(|a, b| {
        b.0.total_cmp(&a.0)
            .then(a.1[0].orientation.cmp(&b.1[0].orientation))
    });
    let mut best: Option<CoarseHypothesis> = None;
    for (_, group) in groups.into_iter().take(GROUPS_MAX) {
        let group = strongest_by_second(group);
        let votes = vote::votes(&group);
        for model in [SpeedModel::Unit, SpeedModel::Free] {
            if best.is_some_and(|best| best.bits >= SUFFICIENT_BITS) {
                break;
            }
            let found = of_votes(&votes, &group, model, corpus.keys);
            best = [best, found]
                .into_iter()
                .flatten()
                .reduce(|a, b| if b.bits > a.bits { b } else { a });
        }
    }
    best
}

/// Upper bound of the score of some correspondences: the sum of their weights.
fn total_weight(hits: &[Hit]) -> f32 {
    hits.iter()
        .map(|hit| evidence::weight(&hit.pair).max(0.0))
        .sum()
}

/// The strongest correspondences of each second of the clip, about [`HITS_MAX`] in all.
fn strongest_by_second(group: &[Hit]) -> Vec<Hit> {
    if group.len() <= HITS_MAX {
        return group.to_vec();
    }
    let second = |hit: &Hit| hit.clip_time.as_secs();
    let mut hits: Vec<(f32, &Hit)> = group
        .iter()
        .map(|hit| (evidence::weight(&hit.pair), hit))
        .collect();
    let by_number =
        |a: &Hit, b: &Hit| (a.clip_key, a.reference_key).cmp(&(b.clip_key, b.reference_key));
    hits.sort_by(|a, b| {
        second(a.1)
            .cmp(&second(b.1))
            .then(b.0.total_cmp(&a.0))
            .then_with(|| by_number(a.1, b.1))
    });
    let seconds = hits.chunk_by(|a, b| second(a.1) == second(b.1));
    let each = HITS_MAX.div_ceil(seconds.clone().count());
    seconds
        .flat_map(|of_second| of_second.iter().take(each))
        .map(|(_, hit)| **hit)
        .collect()
}

fn of_votes(
    votes: &[Vote],
    group: &[Hit],
    model: SpeedModel,
    corpus_keys: u64,
) -> Option<CoarseHypothesis> {
    let mut order: Vec<usize> = (0..votes.len()).collect();
    order.sort_by(|&a, &b| votes[b].weight.total_cmp(&votes[a].weight).then(a.cmp(&b)));
    let mut explained = vec![false; votes.len()];
    let mut best: Option<CoarseHypothesis> = None;
    for _ in 0..SEEDS_MAX {
        let Some(&seed) = order.iter().find(|&&vote| !explained[vote]) else {
            break;
        };
        let hypothesis = optimise(votes, seed, model);
        explained[seed] = true;
        hypothesis
            .inliers
            .iter()
            .for_each(|&vote| explained[vote] = true);
        let pairs = pairs(votes, &hypothesis, group);
        let bits = evidence::score(pairs.iter().map(|(_, pair)| pair), corpus_keys).total;
        if best.is_none_or(|best| bits > best.bits) {
            let Hypothesis {
                geometry, temporal, ..
            } = hypothesis;
            best = Some(CoarseHypothesis {
                bits,
                orientation: group[0].orientation,
                geometry,
                temporal,
            });
        }
        if bits >= SUFFICIENT_BITS {
            break;
        }
    }
    best
}

/// Finds the temporal hypothesis with the most inliers for the geometry of one seed, and refits
/// both (local optimisation).
pub(super) fn optimise(votes: &[Vote], seed: usize, model: SpeedModel) -> Hypothesis {
    let start = &votes[seed];
    let mut geometry = start.geometry();
    let same_geometry: Vec<&Vote> = votes
        .iter()
        .filter(|v| (v.time - start.time).abs() <= SEED_WINDOW && v.fits(&geometry))
        .collect();
    let mut temporal = vote::temporal_hypothesis(start, &same_geometry, model);
    let fitting =
        |geometry: &Similarity, temporal: TemporalHypothesis, window: f32| -> Vec<usize> {
            let fits = |v: &Vote| v.fits(geometry) && temporal.residual(v) <= TIME_TOLERANCE;
            (0..votes.len())
                .filter(|&i| (votes[i].time - start.time).abs() <= window && fits(&votes[i]))
                .collect()
        };
    let mut window = SEED_WINDOW;
    for _ in 0..OPTIMISATION_ROUNDS {
        let inliers = fitting(&geometry, temporal, window);
        let of_inliers = inliers.iter().map(|&i| &votes[i]);
        geometry = vote::fit_geometry(of_inliers.clone()).unwrap_or(geometry);
        temporal = vote::fit_temporal(of_inliers, temporal, model);
        window *= 3.0;
    }
    let inliers = fitting(&geometry, temporal, f32::INFINITY);
    Hypothesis {
        geometry,
        temporal,
        inliers,
        selection_penalty: 0.0,
        segmented: false,
        superseded: false,
    }
}

/// Maximum number of votes: some for each second of a minute.
const HITS_MAX: usize = 200;

/// Maximum number of seeds; nearly every vote of a copy is a good one.
const SEEDS_MAX: usize = 6;

/// Maximum number of orientations, those with the most weight.
const GROUPS_MAX: usize = 2;

/// Score from which the search for a better hypothesis stops, in bits: more than any caller
/// requires.
const SUFFICIENT_BITS: f32 = 60.0;
