//! A measurement of how well an index finds videos by cells.

use serde::{Deserialize, Serialize};

/// How often the screening finds a video of the index again by changed excerpts of its track.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Screening {
    /// The commit that was measured.
    pub generation: u64,
    /// Number of keys of the index at that commit.
    pub keys: u64,
    /// Number of cells to probe for each key: the fewest that find nearly all excerpts.
    pub probes: u32,
    /// Results by strength of the change, weakest first.
    pub strengths: Vec<Strength>,
}

/// Excerpts that were changed by the same strength.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Strength {
    /// What the change simulates.
    pub name: String,
    /// Excerpts that the exact search finds.
    pub excerpts: u32,
    /// Excerpts among these whose video the screening nominates.
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
