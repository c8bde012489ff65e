//! Weights of the model, written by `uniq-bench model --write`; not to be edited.

/// Base and weights of alignments whose pictures were compared.
pub(super) const PICTURES: [f32; 23] = [
    -3.33, 0.25, 0.88, 0.0, 0.0, 0.04, -0.1, -1.35, 0.36, -0.23, -0.85, 1.76, 1.06, 0.66, 0.0, 0.09, 0.0, 1.07, 0.0,
    0.08, 0.0, 1.03, 0.0,
];

/// Base and weights of alignments without pictures.
pub(super) const KEYS: [f32; 10] = [-4.0, 0.2, 0.2, 0.1, 1.0, 0.2, 0.2, 1.0, 1.0, 0.0];

/// Base and weights of the power.
pub(super) const POWER: [f32; 7] = [2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];

/// What classes of edits add to the base.
pub(super) const POWER_EDITS: [(&str, f32); 1] = [("any", 0.0)];
