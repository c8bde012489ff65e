//! Groups clips by an anchor (pure), and never by connected components. Those would merge two
//! unrelated clips that share an intro with the same compilation.
//!
//! Clips come in the order in which they are to be kept. The first is an *anchor*. So is each
//! further one, unless it matches an earlier anchor that makes it *redundant*. The members of an
//! anchor's group are later clips that match it: redundant ones, each with the first anchor that
//! makes it so, and those that share only a part. The latter are also anchors, so that duplicates
//! of their remaining seconds are found too.

use std::collections::{BTreeMap, BTreeSet};

/// How much of one clip is in another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Overlap {
    /// Number of the pair.
    pub pair: usize,
    /// Seconds of the clip that are in the other.
    pub copied_s: f64,
    /// Seconds that are not.
    pub rest_s: f64,
    /// Whether all of it is in the other.
    pub whole: bool,
}

/// The overlaps of each clip with others that share a copy with it: `overlaps[clip][other]`.
pub type Overlaps = Vec<BTreeMap<usize, Overlap>>;

/// An anchor and its members.
#[derive(Debug, Clone, PartialEq)]
pub struct Grouped {
    /// The clip to keep.
    pub anchor: usize,
    /// Later clips that match it, in ranking order, with their overlaps.
    pub members: Vec<(usize, Overlap)>,
}

/// Whether a clip is redundant beside an anchor; never for a reference.
pub fn is_redundant(clip: usize, anchor: usize, overlaps: &Overlaps, references: &[bool]) -> bool {
    !references[clip]
        && overlaps[clip]
            .get(&anchor)
            .is_some_and(|overlap| overlap.whole)
}

/// Groups the clips of a ranking, and omits those without members. References are never members.
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
        // Every overlap is recorded in both directions.
        let mut later: Vec<usize> = overlaps[anchor].keys().copied().filter(is_later).collect();
        later.sort_by_key(|clip| places.get(clip));
        let mut members = Vec::new();
        for clip in later {
            // A clip that another anchor made redundant is reported there.
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

/// Total length of intervals; overlaps count once.
pub fn covered(mut intervals: Vec<(f64, f64)>) -> f64 {
    intervals.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut total, mut until) = (0.0, f64::NEG_INFINITY);
    for (start, end) in intervals {
        total += (end - start.max(until)).max(0.0);
        until = until.max(end);
    }
    total
}

/// Whether the part of a clip that is missing in another is small enough to ignore.
pub fn is_whole(duration_s: f64, rest_s: f64) -> bool {
    rest_s <= (REST_SHARE * duration_s).min(REST_MAX_S)
}

/// Maximum share of a redundant clip that may be missing in the other, in 0..=1, because matches
/// end a few frames before cuts.
const REST_SHARE: f64 = 0.1;

/// Maximum number of missing seconds, however long the clip: the length of the shortest passage
/// that is reliably found.
const REST_MAX_S: f64 = 2.0;

#[cfg(test)]
mod tests;
