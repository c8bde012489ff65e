//! What each alignment is, by how probable a copy is and what a mistake costs (pure).

use std::collections::HashMap;
use std::time::Duration;

use super::{MatchKind, Opinion, Policy};
use crate::align::{Alignment, Span};
use crate::index::VideoRef;

/// What an alignment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// The same recording.
    Copy,
    /// It may be a copy or not: its part of the clip is unsearchable.
    Undecided,
    /// No copy, though much agrees: the same place at another time.
    SameScene,
    /// No copy, and what agrees may be chance.
    Unrelated,
    /// Mostly where its source is known to be copied, or where it says the same as a stronger one.
    Superseded,
}

impl Class {
    /// What is told of it.
    pub(super) fn kind(self) -> Option<MatchKind> {
        match self {
            Class::Copy => Some(MatchKind::Copy),
            Class::Undecided => Some(MatchKind::Undecided),
            Class::SameScene => Some(MatchKind::SameScene),
            Class::Unrelated | Class::Superseded => None,
        }
    }
}

/// What an alignment is by itself. A probability that is no number decides nothing.
pub(super) fn by_itself(alignment: &Alignment, opinion: &Opinion, policy: &Policy) -> Class {
    let payable_max = policy.payable_max();
    if opinion.probability >= policy.published_min() {
        Class::Copy
    } else if opinion.probability <= payable_max && opinion.by_keys <= payable_max.max(KEYS_DOUBT) {
        if alignment.evidence.total >= policy.related_bits { Class::SameScene } else { Class::Unrelated }
    } else {
        Class::Undecided
    }
}

/// Probability by keys and motion alone from which the pictures alone do not make an alignment
/// payable, 0..=1. Solarised, turning and waving pictures of copies had 0.2 to 0.45; 4 of 71 other
/// takes and 13 of 176 other moments have more. It was set on these and not judged on other
/// footage.
const KEYS_DOUBT: f32 = 0.2;

/// What the alignments are beside each other, given what each is by itself. Which of two comes
/// first matters only where they are equally strong.
pub(super) fn beside_others(alignments: &[Alignment], opinions: &[Opinion], own: &[Class]) -> Vec<Class> {
    let mut of_video: HashMap<VideoRef, Vec<usize>> = HashMap::new();
    for (i, alignment) in alignments.iter().enumerate() {
        of_video.entry(alignment.video).or_default().push(i);
    }
    let superseded = |i: usize| {
        let alignment = &alignments[i];
        let by = |j: usize| match (own[i], own[j]) {
            (Class::Undecided | Class::SameScene, Class::Copy) => true,
            (Class::SameScene, Class::Undecided) => true,
            // Symmetric pictures match mirrored as well, and a slight turn upright and tilted.
            (Class::Copy, Class::Copy) => {
                let bits = |k: usize| alignments[k].evidence.total;
                bits(j) > bits(i) || bits(j) == bits(i) && j < i
            }
            // The more probable one is told; of two as probable the one with more evidence.
            (Class::SameScene, Class::SameScene) | (Class::Undecided, Class::Undecided) => {
                let rank = |k: usize| (opinions[k].probability, alignments[k].evidence.total);
                rank(j) > rank(i) || rank(j) == rank(i) && j < i
            }
            _ => false,
        };
        let stronger = of_video[&alignment.video].iter().copied().filter(|&j| by(j));
        let rest: Duration =
            alignment.clip.without(stronger.map(|j| alignments[j].clip)).into_iter().map(Span::length).sum();
        rest <= alignment.clip.length() / 2
    };
    let class = |i: usize| match own[i] {
        Class::Copy | Class::Undecided | Class::SameScene if superseded(i) => Class::Superseded,
        class => class,
    };
    (0..alignments.len()).map(class).collect()
}
