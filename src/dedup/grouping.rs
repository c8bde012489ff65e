//! Groups clips by an anchor (pure): never by connected components, which would make one of two
//! strangers who share an intro with a compilation.
//!
//! Clips come in the order in which they are to be kept. The first is an *anchor*, and so is each
//! further one unless an earlier anchor makes it *redundant*, which takes a match with that anchor
//! itself. The members of an anchor's group are the later clips that match it: the redundant ones,
//! each with the first anchor that makes it so, and those that share a part with it. The latter are
//! anchors in their own right, so that what repeats their remaining seconds is found too.

use std::collections::{BTreeMap, BTreeSet};

/// What one clip has of another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Overlap {
    /// Number of the pair.
    pub pair: usize,
    /// How many of the clip's seconds are in the other.
    pub copied_s: f64,
    /// How many are not.
    pub rest_s: f64,
    /// Whether the other has all of it.
    pub whole: bool,
}

/// For each clip, what the others that share a copy with it have of it: `overlaps[clip][other]`.
pub type Overlaps = Vec<BTreeMap<usize, Overlap>>;

/// An anchor and its members.
#[derive(Debug, Clone, PartialEq)]
pub struct Grouped {
    /// The clip to be kept.
    pub anchor: usize,
    /// Later clips that match it, in the order of the ranking, with what it has of each.
    pub members: Vec<(usize, Overlap)>,
}

/// Whether a clip that is no reference is superfluous beside an anchor.
pub fn is_redundant(clip: usize, anchor: usize, overlaps: &Overlaps, references: &[bool]) -> bool {
    !references[clip]
        && overlaps[clip]
            .get(&anchor)
            .is_some_and(|overlap| overlap.whole)
}

/// Groups the clips of a ranking; those without members are left out. References are never members.
pub fn grouped(ranking: &[usize], overlaps: &Overlaps, references: &[bool]) -> Vec<Grouped> {
    let places: BTreeMap<usize, usize> = ranking
        .iter()
        .enumerate()
        .map(|(place, &clip)| (clip, place))
        .collect();
    let mut redundant: BTreeSet<usize> = BTreeSet::new();
    let mut groups = Vec::new();
    for &anchor in ranking {
        if redundant.contains(&anchor) {
            continue;
        }
        let is_later = |clip: &usize| places.get(clip) > places.get(&anchor);
        // Overlaps are there in both directions.
        let mut later: Vec<usize> = overlaps[anchor].keys().copied().filter(is_later).collect();
        later.sort_by_key(|clip| places.get(clip));
        let mut members = Vec::new();
        for clip in later {
            // One that another anchor has made redundant is told of there.
            if !references[clip]
                && !redundant.contains(&clip)
                && let Some(overlap) = overlaps[clip].get(&anchor)
            {
                members.push((clip, *overlap));
            }
        }
        redundant.extend(
            members
                .iter()
                .filter(|(_, overlap)| overlap.whole)
                .map(|(clip, _)| *clip),
        );
        if !members.is_empty() {
            groups.push(Grouped { anchor, members });
        }
    }
    groups
}

/// Total length of intervals, where they overlap counted once.
pub fn covered(mut intervals: Vec<(f64, f64)>) -> f64 {
    intervals.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut total, mut until) = (0.0, f64::NEG_INFINITY);
    for (start, end) in intervals {
        total += (end - start.max(until)).max(0.0);
        until = until.max(end);
    }
    total
}

/// Whether so little of a clip is not in another that the other has all of it.
pub fn is_whole(duration_s: f64, rest_s: f64) -> bool {
    rest_s <= (REST_SHARE * duration_s).min(REST_MAX_S)
}

/// Largest share of a clip, 0..=1, that may be missing from what makes it redundant: matches end a
/// few frames before cuts.
const REST_SHARE: f64 = 0.1;

/// Most seconds that may be missing, however long the clip: as long as the shortest passage that is
/// reliably found.
const REST_MAX_S: f64 = 2.0;

#[cfg(test)]
mod tests;
