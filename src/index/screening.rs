//! What is known of how well an index finds videos by cells.

use serde::{Deserialize, Serialize};

/// How many of an index's own videos the screening found again by changed excerpts of their tracks.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Screening {
    /// The commit that was measured.
    pub generation: u64,
    /// Keys that the index had then.
    pub keys: u64,
    /// Cells that a search looks into for each key: the fewest by which nearly all excerpts were
    /// found.
    pub probes: u32,
    /// By how strongly the excerpts were changed, weakest first.
    pub strengths: Vec<Strength>,
}

/// Excerpts that were changed alike.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Strength {
    /// What the change stands for.
    pub name: String,
    /// Excerpts that the exact search finds.
    pub excerpts: u32,
    /// Those of them whose video the screening nominates.
    pub nominated: u32,
}

impl Screening {
    /// Share of the excerpts whose video is nominated, 0..=1; `None` if there were none.
    pub fn recall(&self) -> Option<f64> {
        let sum = |of: fn(&Strength) -> u32| {
            self.strengths
                .iter()
                .map(|strength| f64::from(of(strength)))
                .sum::<f64>()
        };
        let excerpts = sum(|strength| strength.excerpts);
        (excerpts > 0.0).then(|| sum(|strength| strength.nominated) / excerpts)
    }
}
