//! Classifies alignments by the probability of a copy and the costs of mistakes (pure).

use std::collections::HashMap;
use std::time::Duration;

use super::{MatchKind, Opinion, Policy};
use crate::align::{Alignment, Span};
use crate::index::VideoRef;

/// Class of an alignment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// The same recording.
    Copy,
    /// A copy or not, undecided: its part of the clip is unsearchable.
    Undecided,
    /// No copy, but with much evidence: the same place at another time.
    SameScene,
    /// No copy, and chance may explain the evidence.
    Unrelated,
    /// Mostly covered by stronger alignments with the same source.
    Superseded,
}

impl Class {
    /// The kind of match in reports; `None` if reports list no match.
    pub(super) fn kind(self) -> Option<MatchKind> {
        match self {
            Class::Copy => Some(MatchKind::Copy),
            Class::Undecided => Some(MatchKind::Undecided),
            Class::SameScene => Some(MatchKind::SameScene),
            Class::Unrelated | Class::Superseded => None,
        }
    }
}

/// Class of an alignment on its own. If the probability is not a number, the alignment is
/// undecided.
pub(super) fn classify(alignment: &Alignment, opinion: &Opinion, policy: &Policy) -> Class {
    if opinion.probability >= policy.published_min() {
        Class::Copy
    } else if doubt(opinion) <= policy.payable_max() {
        if alignment.evidence.total >= policy.related_bits {
            Class::SameScene
        } else {
            Class::Unrelated
        }
    } else {
        Class::Undecided
    }
}

/// The limit of payable probabilities below which an alignment is undecided, unless it is a copy:
/// its probability, or that by keys and motion alone if this is larger than [`KEYS_DOUBT`].
fn doubt(opinion: &Opinion) -> f32 {
    let Opinion {
        probability,
        by_keys,
        ..
    } = *opinion;
    if probability.is_nan() || by_keys <= KEYS_DOUBT || by_keys <= probability {
        probability
    } else {
        by_keys
    }
}

/// Maximum probability by keys and motion alone at which thumbnails may make an alignment payable,
/// 0..=1. Copies with solarised, rotating or waving frames have 0.2 to 0.45; 4 of 71 other takes
/// and 13 of 176 other moments have more than 0.2. It was chosen on these and not validated on
/// other footage.
const KEYS_DOUBT: f32 = 0.2;

/// Non-maximum suppression: marks as superseded each alignment that stronger ones of the same
/// source cover for at least half of its length. The order of the input breaks exact ties only.
pub(super) fn suppress(
    alignments: &[Alignment],
    opinions: &[Opinion],
    own: &[Class],
) -> Vec<Class> {
    let stronger = |j: usize, i: usize| match (own[i], own[j]) {
        (Class::Undecided | Class::SameScene, Class::Copy) => true,
        (Class::SameScene, Class::Undecided) => true,
        // A symmetric frame also matches mirrored; a slightly tilted one matches upright and
        // tilted.
        (Class::Copy, Class::Copy) => {
            let bits = |k: usize| alignments[k].evidence.total;
            bits(j) > bits(i) || bits(j) == bits(i) && j < i
        }
        // What a stricter policy makes undecided never supersedes what is undecided already.
        (Class::SameScene, Class::SameScene) | (Class::Undecided, Class::Undecided) => {
            let rank = |k: usize| (doubt(&opinions[k]), alignments[k].evidence.total);
            rank(j) > rank(i) || rank(j) == rank(i) && j < i
        }
        _ => false,
    };
    let listed = |i: usize| !matches!(own[i], Class::Unrelated | Class::Superseded);
    let class = |(class, covered): (&Class, bool)| match covered {
        true => Class::Superseded,
        false => *class,
    };
    own.iter()
        .zip(covered(alignments, listed, stronger))
        .map(class)
        .collect()
}

/// For each undecided alignment, whether copies of the same source cover at least half of it.
pub(super) fn covered_by_copies(alignments: &[Alignment], own: &[Class]) -> Vec<bool> {
    covered(
        alignments,
        |i| own[i] == Class::Undecided,
        |j, _| own[j] == Class::Copy,
    )
}

/// For each `wanted` alignment `i`, whether the alignments `j` of the same source with `by(j, i)`
/// cover at least half of it.
fn covered(
    alignments: &[Alignment],
    wanted: impl Fn(usize) -> bool,
    by: impl Fn(usize, usize) -> bool,
) -> Vec<bool> {
    let mut of_video: HashMap<VideoRef, Vec<usize>> = HashMap::new();
    for (i, alignment) in alignments.iter().enumerate() {
        of_video.entry(alignment.video).or_default().push(i);
    }
    let is_covered = |i: usize| {
        let alignment = &alignments[i];
        let others = of_video[&alignment.video].iter().copied();
        let residual: Duration = alignment
            .clip
            .without(others.filter(|&j| by(j, i)).map(|j| alignments[j].clip))
            .into_iter()
            .map(Span::length)
            .sum();
        residual <= alignment.clip.length() / 2
    };
    (0..alignments.len())
        .map(|i| wanted(i) && is_covered(i))
        .collect()
}
