//! Probability that an alignment is a copy, from its measured features (pure).
//!
//! The model is monotone in every term with a sign, so that more evidence never lowers the
//! probability. A term's contribution is in bits: the bits of the base and of all terms add up to
//! the logarithm of the odds. The trees are fitted on real footage
//! ([`calibration`](super::calibration)); alignments without thumbnails have trees of their own.

use super::PowerModel;
use super::calibration::{KEYS, KEYS_BASE, PICTURES, PICTURES_BASE};
use super::forest::{Forest, Node};
use crate::align::Alignment;
use crate::align::dense::Dense;

/// The fitted trees and the power model.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// For alignments with compared thumbnails; their input is [`terms`].
    pub pictures: Forest,
    /// For alignments with keys and motion alone; their input is [`key_terms`].
    pub keys: Forest,
    /// How surely a search finds copies.
    pub power: PowerModel,
}

impl Default for Model {
    fn default() -> Model {
        let node = |&(term, limit, next, bits): &(u16, f32, u16, f32)| Node {
            term,
            limit,
            next,
            bits,
        };
        let forest = |base, trees: &[&[(u16, f32, u16, f32)]]| Forest {
            base,
            trees: trees
                .iter()
                .map(|tree| tree.iter().map(node).collect())
                .collect(),
        };
        let (pictures, keys) = (forest(PICTURES_BASE, PICTURES), forest(KEYS_BASE, KEYS));
        Model {
            pictures,
            keys,
            power: PowerModel::default(),
        }
    }
}

/// A feature of an alignment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Term {
    /// Its name in reports.
    pub name: &'static str,
    /// Its bounded value.
    pub value: f32,
    /// 1 if a larger value supports a copy, -1 if it speaks against one, 0 if it may do either.
    pub sign: i8,
}

/// Probability of a copy, with the contribution of each term.
#[derive(Debug, Clone, PartialEq)]
pub struct Opinion {
    /// Probability of a copy, 0..=1.
    pub probability: f32,
    /// The same by keys and motion alone, 0..=1: after a filter, they may still identify a copy
    /// that thumbnails no longer do.
    pub by_keys: f32,
    /// Contribution of the base, then of each term, to the logarithm of the odds, in bits.
    pub bits: Vec<(&'static str, f32)>,
}

impl Model {
    /// The model's opinion of an alignment. Identical files are copies with certainty; evidence
    /// below [`COMPARED_BITS`] is chance.
    pub fn opinion(&self, alignment: &Alignment) -> Opinion {
        if alignment.identical {
            return Opinion {
                probability: 1.0,
                by_keys: 1.0,
                bits: vec![(IDENTICAL, alignment.evidence.total)],
            };
        }
        if alignment.evidence.total < COMPARED_BITS {
            let bits = vec![(CHANCE, alignment.evidence.total - COMPARED_BITS)];
            return Opinion {
                probability: 0.0,
                by_keys: 0.0,
                bits,
            };
        }
        let of_keys = key_terms(alignment);
        let (by_keys, bits_of_keys) = evaluate(&self.keys, &of_keys);
        let (probability, bits) = match &alignment.dense {
            Some(dense) => evaluate(
                &self.pictures,
                &[&picture_terms(dense)[..], &of_keys].concat(),
            ),
            None => (by_keys, bits_of_keys),
        };
        Opinion {
            probability,
            by_keys,
            bits,
        }
    }
}

/// The probability, and the bits of the base and of each term.
fn evaluate(forest: &Forest, terms: &[Term]) -> (f32, Vec<(&'static str, f32)>) {
    let (base, bits) = forest.bits(&terms.iter().map(|term| term.value).collect::<Vec<f32>>());
    let named = terms.iter().zip(bits).map(|(term, bits)| (term.name, bits));
    let bits: Vec<(&'static str, f32)> = std::iter::once((BASE, base)).chain(named).collect();
    let odds: f32 = bits.iter().map(|(_, bits)| bits).sum();
    (1.0 / (1.0 + (-odds).exp2()), bits)
}

/// Minimum evidence, in bits, of an alignment that is compared by thumbnails and classified: one in
/// fourteen unrelated clips reaches it ([`by_chance`](crate::evidence::by_chance)).
pub const COMPARED_BITS: f32 = 12.0;

/// Features of an alignment: those of its thumbnails, if they were compared, then [`key_terms`].
pub fn terms(alignment: &Alignment) -> Vec<Term> {
    let mut terms = alignment
        .dense
        .as_ref()
        .map_or(Vec::new(), |dense| picture_terms(dense).to_vec());
    terms.extend(key_terms(alignment));
    terms
}

/// Features of an alignment by keys and motion.
pub fn key_terms(alignment: &Alignment) -> [Term; 7] {
    let Alignment {
        evidence,
        consistency,
        motion,
        ..
    } = alignment;
    let timed = consistency.bits();
    let moving = motion.bits();
    let term = |name, value, sign| Term { name, value, sign };
    [
        term("evidence", logarithm(evidence.total), 1),
        term("moment", logarithm(evidence.distinctive), 1),
        term("timing", timed.signum() * logarithm(timed.abs()), 1),
        term("motion", moving.signum() * logarithm(moving.abs()), 1),
        term(
            "motion_correlation",
            motion.at_hypothesis.clamp(-1.0, 1.0),
            1,
        ),
        term(
            "motion_margin",
            (motion.at_hypothesis - motion.off_hypothesis).clamp(-1.0, 1.0),
            1,
        ),
        term("shown", alignment.key_recall, 1),
    ]
}

fn picture_terms(dense: &Dense) -> [Term; 9] {
    let term = |name, value, sign| Term { name, value, sign };
    [
        term("correlation", fisher(dense.correlation), 1),
        term("lowest_pictures", fisher(dense.low), 1),
        term("agreeing_cells", dense.agreeing, 1),
        term("slowness", fisher(dense.next), -1),
        term("still_parts", fisher(dense.scene), 1),
        term("compared_motion", (SMALL + dense.inside).log2(), 1),
        term("compared_area", (SMALL + dense.visible).log2(), 1),
        term(
            "pictures",
            logarithm((dense.frames as f32).min(PICTURES_FULL)),
            0,
        ),
        term("activity", logarithm(dense.activity.min(ACTIVITY_FULL)), 0),
    ]
}

/// Fisher's transformation of a correlation, whose error hardly depends on its value. It is
/// bounded, because the encoder decides how near to one the correlation of a copy comes.
fn fisher(correlation: f32) -> f32 {
    correlation.clamp(-0.3, 0.97).atanh()
}

/// Compresses large numbers of bits.
fn logarithm(bits: f32) -> f32 {
    (1.0 + bits.max(0.0)).log2()
}

/// Number of thumbnails, and activity in grey levels, above which more do not count.
const PICTURES_FULL: f32 = 20.0;
const ACTIVITY_FULL: f32 = 30.0;

/// Keeps the logarithm of a share finite.
const SMALL: f32 = 0.02;

/// Names of contributions that belong to no term.
const BASE: &str = "base";
const IDENTICAL: &str = "identical";
const CHANCE: &str = "chance";
