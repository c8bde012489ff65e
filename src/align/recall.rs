//! Measures the share of the reference that a clip shows where an alignment predicts it.

use std::collections::HashSet;

use super::Context;
use super::Similarity;
use super::guided::{self, VerifiedCorrespondence};
use super::split::EDGE;
use super::vote::TemporalHypothesis;
use crate::fingerprint::Orientation;

impl Context<'_> {
    /// Share of the reference's visible keys with a verified correspondence between two moments of
    /// the clip, 0..=1.
    pub(super) fn key_recall(
        &self,
        verified: &[VerifiedCorrespondence],
        (first, last): (f32, f32),
        orientation: Orientation,
        geometry: &Similarity,
        temporal: TemporalHypothesis,
    ) -> f32 {
        let runs: HashSet<usize> = verified
            .iter()
            .map(|correspondence| correspondence.run)
            .collect();
        let aspect = orientation.aspect(self.clip.aspect());
        let (from, to) = temporal.span((first, last), EDGE);
        let fine = self.clip.keys.iter().any(|key| key.fine);
        let (mut visible, mut found) = (0_u32, 0_u32);
        for (number, run) in self.track.runs.iter().enumerate() {
            let in_time = run.first.as_secs_f32() <= to && run.last.as_secs_f32() >= from;
            if in_time && guided::visible(run, geometry, aspect, fine) {
                visible += 1;
                found += u32::from(runs.contains(&number));
            }
        }
        if visible == 0 {
            0.0
        } else {
            found as f32 / visible as f32
        }
    }
}
