//! Weights of the model, written by `uniq-bench model --write`; not to be edited.
//!
//! Fitted on 2024 excerpts of 62 contents.

/// Base and weights of alignments whose pictures were compared.
#[rustfmt::skip]
pub(super) const PICTURES: [f32; 26] = [-6.7507, 1.4317, 1.5074, 0.5421, 2.4134, -1.7999, 0.2836, 0.2701, 0.0000, 0.0000, 0.0000, 0.3276, -1.6611, -0.0797, 0.4333, 2.3387, 0.0000, 0.3314, 0.0000, 0.0000, 0.0000, 0.0653, 0.3380, 0.1454, 0.0000, 3.5497];

/// Base and weights of alignments without pictures.
#[rustfmt::skip]
pub(super) const KEYS: [f32; 10] = [-9.0778, 0.1221, 0.0000, 0.0000, 1.6522, 0.3221, 0.1677, 4.5580, 0.0000, 8.5189];

/// Base and weights of the power.
#[rustfmt::skip]
pub(super) const POWER: [f32; 7] = [-3.6682, 0.3998, 0.0948, 0.0000, 0.2841, 0.8201, 0.0000];

/// What classes of edits add to the base.
#[rustfmt::skip]
pub(super) const POWER_EDITS: [(&str, f32); 10] = [("borders and mirror", 0.256), ("brightness and colour", 0.934), ("crops", 0.291), ("encoding and frame rate", 0.256), ("overlays and fades", -0.259), ("several at once", -0.631), ("speed and direction", 0.332), ("texture", 0.566), ("turned and tilted", 0.100), ("with other footage, and cuts", -0.423)];
