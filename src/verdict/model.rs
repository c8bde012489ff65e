//! How probable it is that an alignment is a copy, by what was measured of it (pure).
//!
//! Each term can only speak for a copy the more (or the less) the larger it is, so that more
//! evidence never lowers the probability. What it adds is told in bits: the bits of all terms and
//! of the base add up to the logarithm of the odds. The trees that tell it are fitted on real
//! footage ([`calibration`](super::calibration)); an alignment without pictures has trees of its
//! own.

use super::PowerModel;
use super::calibration::{KEYS, KEYS_BASE, PICTURES, PICTURES_BASE};
use super::forest::{Forest, Node};
use crate::align::Alignment;
use crate::align::dense::Dense;

/// The trees of both kinds of alignment.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// Of alignments whose pictures were compared; they ask for [`terms`].
    pub pictures: Forest,
    /// Of alignments of which only keys and what moves are known; they ask for [`key_terms`].
    pub keys: Forest,
    /// How surely copies are found.
    pub power: PowerModel,
}

impl Default for Model {
    fn default() -> Model {
        let node = |&(term, limit, next, bits): &(u16, f32, u16, f32)| Node { term, limit, next, bits };
        let forest = |base, trees: &[&[(u16, f32, u16, f32)]]| Forest {
            base,
            trees: trees.iter().map(|tree| tree.iter().map(node).collect()).collect(),
        };
        let (pictures, keys) = (forest(PICTURES_BASE, PICTURES), forest(KEYS_BASE, KEYS));
        Model { pictures, keys, power: PowerModel::default() }
    }
}

/// Something that was measured of an alignment, and speaks for or against a copy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Term {
    /// What it is, as reports name it.
    pub name: &'static str,
    /// Its bounded value.
    pub value: f32,
    /// 1 if it speaks for a copy the larger it is, -1 if against, 0 if it may do either.
    pub sign: i8,
}

/// How probable a copy is, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Opinion {
    /// 0..=1.
    pub probability: f32,
    /// The same by keys and motion alone, 0..=1: what a filter leaves of a picture may tell of a
    /// copy although pictures no longer do.
    pub by_keys: f32,
    /// What each term adds to the logarithm of the odds, in bits; the first is the base.
    pub bits: Vec<(&'static str, f32)>,
}

impl Model {
    /// What it says of an alignment. The same bytes are a copy for sure, and less than
    /// [`COMPARED_BITS`] are chance.
    pub fn opinion(&self, alignment: &Alignment) -> Opinion {
        if alignment.identical {
            return Opinion { probability: 1.0, by_keys: 1.0, bits: vec![(IDENTICAL, alignment.evidence.total)] };
        }
        if alignment.evidence.total < COMPARED_BITS {
            let bits = vec![(CHANCE, alignment.evidence.total - COMPARED_BITS)];
            return Opinion { probability: 0.0, by_keys: 0.0, bits };
        }
        let of_keys = key_terms(alignment);
        let (by_keys, bits_of_keys) = weighed(&self.keys, &of_keys);
        let (probability, bits) = match &alignment.dense {
            Some(dense) => weighed(&self.pictures, &[&of_pictures(dense)[..], &of_keys].concat()),
            None => (by_keys, bits_of_keys),
        };
        Opinion { probability, by_keys, bits }
    }
}

/// A probability, and the bits of the base and of each term.
fn weighed(forest: &Forest, terms: &[Term]) -> (f32, Vec<(&'static str, f32)>) {
    let (base, bits) = forest.bits(&terms.iter().map(|term| term.value).collect::<Vec<f32>>());
    let told = terms.iter().zip(bits).map(|(term, bits)| (term.name, bits));
    let bits: Vec<(&'static str, f32)> = std::iter::once((BASE, base)).chain(told).collect();
    let odds: f32 = bits.iter().map(|(_, bits)| bits).sum();
    (1.0 / (1.0 + (-odds).exp2()), bits)
}

/// Evidence from which an alignment is looked at closely, in bits: one in fourteen unrelated clips
/// reaches so many ([`by_chance`](crate::evidence::by_chance)).
pub const COMPARED_BITS: f32 = 12.0;

/// What was measured of an alignment, by which it is told from others.
pub fn terms(alignment: &Alignment) -> Vec<Term> {
    let mut terms = alignment.dense.as_ref().map_or(Vec::new(), |dense| of_pictures(dense).to_vec());
    terms.extend(key_terms(alignment));
    terms
}

/// What keys and motion tell of an alignment.
pub fn key_terms(alignment: &Alignment) -> [Term; 7] {
    let Alignment { evidence, consistency, motion, .. } = alignment;
    let timed = consistency.bits();
    let moving = motion.bits();
    let term = |name, value, sign| Term { name, value, sign };
    [
        term("evidence", logarithm(evidence.total), 1),
        term("moment", logarithm(evidence.distinctive), 1),
        term("timing", timed.signum() * logarithm(timed.abs()), 1),
        term("motion", moving.signum() * logarithm(moving.abs()), 1),
        term("motion_correlation", motion.at_hypothesis.clamp(-1.0, 1.0), 1),
        term("motion_margin", (motion.at_hypothesis - motion.off_hypothesis).clamp(-1.0, 1.0), 1),
        term("shown", alignment.key_recall, 1),
    ]
}

fn of_pictures(dense: &Dense) -> [Term; 9] {
    let term = |name, value, sign| Term { name, value, sign };
    [
        term("correlation", fisher(dense.correlation), 1),
        term("lowest_pictures", fisher(dense.low), 1),
        term("agreeing_cells", dense.agreeing, 1),
        term("slowness", fisher(dense.next), -1),
        term("still_parts", fisher(dense.scene), 1),
        term("compared_motion", (SMALL + dense.inside).log2(), 1),
        term("compared_area", (SMALL + dense.visible).log2(), 1),
        term("pictures", logarithm((dense.frames as f32).min(PICTURES_FULL)), 0),
        term("activity", logarithm(dense.activity.min(ACTIVITY_FULL)), 0),
    ]
}

/// Fisher's transformation of a correlation: its error is about the same everywhere. Bounded, since
/// copies differ in how near to one they come by how they were encoded.
fn fisher(correlation: f32) -> f32 {
    correlation.clamp(-0.3, 0.97).atanh()
}

/// Grows as slowly as it should where bits are many.
fn logarithm(bits: f32) -> f32 {
    (1.0 + bits.max(0.0)).log2()
}

/// Pictures, and activity in grey levels, from which more say no more.
const PICTURES_FULL: f32 = 20.0;
const ACTIVITY_FULL: f32 = 30.0;

/// Keeps a logarithm of a share finite.
const SMALL: f32 = 0.02;

/// Names of what is no term.
const BASE: &str = "base";
const IDENTICAL: &str = "identical";
const CHANCE: &str = "chance";
