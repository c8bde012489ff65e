//! Scores the correspondences between a clip and a reference, in bits.
//!
//! A pair of keys at distance `d` scores its self-information `w(d) = -log2 p0(d)`, where `p0(d)`
//! is the probability that two keys of unrelated videos are within `d` bits. The first pair of an
//! alignment pays for the search over all keys of the corpus and for the dependence between pairs;
//! each further pair pays for the number of pairs that could have fallen into its window. A pair
//! counts only if both its keys are far from those of every pair counted before: twenty sightings
//! of one object are one sighting. A key that many videos share pays for its frequency.
//!
//! If pairs were independent, one search in `2^b` would reach `b` bits by chance. They are not, so
//! the share of clips that reach `b` bits by chance was measured: see [`by_chance`].

use serde::{Deserialize, Serialize};

use crate::fingerprint::{Key, KeyKind};

/// A pair of keys that is an inlier of an alignment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// The key of the clip, transformed to the reference's orientation.
    pub clip: Key,
    /// The key of the reference.
    pub reference: Key,
    /// The kind of both keys.
    pub kind: KeyKind,
    /// Hamming distance in bits.
    pub distance: u32,
    /// Whether neither key recurs at other times: the pair is evidence for the same recording, not
    /// only for the same scene.
    pub distinctive: bool,
    /// Number of videos that contain the clip's key, at least 1.
    pub videos: u32,
}

/// Score of an alignment.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Evidence {
    /// Score of all pairs, in bits.
    pub total: f32,
    /// Score of the distinctive pairs alone, in bits: evidence for the same recording.
    pub distinctive: f32,
}

/// Scores a set of pairs in a corpus of `corpus_keys` keys.
///
/// Counts the strongest pairs first, and ignores all but the [`PAIRS_MAX`] strongest.
pub fn score<'a>(pairs: impl IntoIterator<Item = &'a Pair>, corpus_keys: u64) -> Evidence {
    let pairs: Vec<&Pair> = pairs.into_iter().collect();
    let search = (corpus_keys.max(1) as f32).log2() + DEPENDENCE_BITS;
    let distinctive = pairs.iter().copied().filter(|pair| pair.distinctive);
    let (total, distinctive) = (
        sum(&sorted(pairs.iter().copied()), search, WINDOW_BITS),
        sum(&sorted(distinctive), search, WINDOW_BITS),
    );
    // The order determines which pairs count, so a subset can score higher than the whole.
    Evidence {
        total: total.max(distinctive),
        distinctive,
    }
}

/// Share of clips of ten seconds, unrelated to any video of the corpus, that reach a score by
/// chance, 0..=1.
///
/// An exponential, as for local alignments of sequences (Karlin and Altschul 1990), for 8 to 24
/// bits: the share halves with every two bits. Both constants come from 894 edited excerpts of half
/// the clips of real footage. Of the other half, 1 263 excerpts, 55, 13, 3 and 1 reached 12, 16, 20
/// and 24 bits; the prediction is 88, 22, 5.5 and 1.4. Above 24 bits it extrapolates. A longer clip
/// has proportionally more chances.
pub fn by_chance(bits: f32) -> f64 {
    (CHANCE_AT_12 * f64::from(CHANCE_SLOPE * (12.0 - bits)).exp2()).min(1.0)
}

/// Share of unrelated clips that reach 12 bits.
const CHANCE_AT_12: f64 = 0.07;

/// Halvings of that share per further bit.
const CHANCE_SLOPE: f32 = 0.5;

/// Score of one pair before it pays for its window, in bits: its self-information less `log2` of
/// the number of videos that share it.
pub fn weight(pair: &Pair) -> f32 {
    self_information(pair.kind, pair.distance) - (pair.videos.max(1) as f32).log2()
}

/// Self-information: `-log2` of the probability that two keys of unrelated videos are within
/// `distance` bits.
pub fn self_information(kind: KeyKind, distance: u32) -> f32 {
    let background = match kind {
        KeyKind::Whole => &WHOLE,
        KeyKind::Region => &REGION,
    };
    let distance = distance as f32;
    let (first, last) = (
        background.table[0],
        background.table[background.table.len() - 1],
    );
    let logarithm = if distance <= first.0 {
        first.1.log2() - background.tail * (first.0 - distance)
    } else if distance >= last.0 {
        last.1.log2()
    } else {
        let after = background
            .table
            .iter()
            .position(|&(d, _)| d > distance)
            .unwrap_or(background.table.len() - 1);
        let ((d0, p0), (d1, p1)) = (background.table[after - 1], background.table[after]);
        p0.log2() + (p1.log2() - p0.log2()) * (distance - d0) / (d1 - d0)
    };
    -logarithm
}

/// Bits that each pair after the first pays: some 1 500 keys of a clip of 10 s could each have
/// matched one of about three keys that a reference shows near that time, place and size. Fine
/// regions, which fit only where the reference has more detail, are not included. A clip of minutes
/// has more keys and pays four or five bits too little.
pub const WINDOW_BITS: f32 = 12.0;

/// Bits that an alignment pays for dependence: a second pair follows from a first more often than
/// by chance (windows come in rows, faces with eyes). Measured: of 979 unrelated excerpts of real
/// footage 8 reach 16 bits and 3 reach 20; the prediction is 21.5 and 1.3. Without it 63 and 25 do.
/// (Tilted keys were not searched then; see docs/measurements.md for negatives with them.)
pub const DEPENDENCE_BITS: f32 = 8.0;

/// Bits that a pair pays when its place comes from an alignment instead of a search: one in ten
/// keys is consistent in time, one in fifty in place, of which detectors use a few.
pub const PLACE_BITS: f32 = 6.0;

/// Minimum distance between the keys of independent pairs, in bits; nearer ones show the same
/// object.
pub const INDEPENDENT_DISTANCE: u32 = 48;

/// Maximum number of pairs to count; far more than any threshold requires.
pub const PAIRS_MAX: usize = 400;

/// The [`PAIRS_MAX`] strongest pairs, strongest first.
fn sorted<'a>(pairs: impl IntoIterator<Item = &'a Pair>) -> Vec<&'a Pair> {
    let stronger = |a: &&Pair, b: &&Pair| {
        weight(b)
            .total_cmp(&weight(a))
            .then_with(|| (a.clip, a.reference).cmp(&(b.clip, b.reference)))
    };
    let mut strongest: Vec<&Pair> = pairs.into_iter().collect();
    if strongest.len() > PAIRS_MAX {
        strongest.select_nth_unstable_by(PAIRS_MAX, stronger);
        strongest.truncate(PAIRS_MAX);
    }
    strongest.sort_by(stronger);
    strongest
}

/// Joint score of pairs: the first pays `search`, each further one `window`.
fn sum(strongest: &[&Pair], search: f32, window: f32) -> f32 {
    let mut counted: Vec<&Pair> = Vec::new();
    let mut bits = 0.0;
    for &pair in strongest {
        let gain = weight(pair) - if counted.is_empty() { search } else { window };
        if !counted.is_empty() && gain <= 0.0 {
            break;
        }
        let fresh = counted.iter().all(|other| {
            other.clip.distance(pair.clip) >= INDEPENDENT_DISTANCE
                && other.reference.distance(pair.reference) >= INDEPENDENT_DISTANCE
        });
        if fresh {
            bits += gain;
            counted.push(pair);
        }
    }
    bits
}

/// Distribution of distances between keys of unrelated videos, and its slope below the first
/// measured one.
struct Background {
    /// `(distance in bits, probability)`, ascending.
    table: &'static [(f32, f32)],
    /// Bits of self-information per bit of distance below the first entry.
    tail: f32,
}

/// Region keys: 7.5e10 pairs of keys of unrelated real videos, none within 32 bits. The tail
/// continues the mean slope from 40 to 72 bits, 0.39.
const REGION: Background = Background {
    table: &[
        (40.0, 5e-11),
        (48.0, 1.4e-9),
        (56.0, 1.0e-8),
        (64.0, 5.5e-8),
        (72.0, 3.2e-7),
        (80.0, 2.4e-6),
    ],
    tail: 0.39,
};

/// Global keys of whole frames: 2.4e8 pairs, none within 40 bits. The values at 56 and 72 are
/// interpolated and extrapolated logarithmically. The tail has the slope from 48 to 64 bits, 0.18.
const WHOLE: Background = Background {
    table: &[
        (48.0, 2e-8),
        (56.0, 5.3e-8),
        (64.0, 1.4e-7),
        (72.0, 3.7e-7),
        (80.0, 9.8e-7),
    ],
    tail: 0.18,
};

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pair(seed: u64, distance: u32, distinctive: bool) -> Pair {
        let word = |i: u64| {
            (seed + i)
                .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .rotate_left(29)
                ^ seed.wrapping_mul(0xd134_2543_de82_ef95)
        };
        let clip = Key([word(1), word(2), word(3), word(4)]);
        let mut reference = clip;
        for bit in 0..distance {
            reference.0[(bit / 64) as usize] ^= 1 << (bit % 64);
        }
        Pair {
            clip,
            reference,
            kind: KeyKind::Region,
            distance,
            distinctive,
            videos: 1,
        }
    }

    #[test]
    fn the_measured_probabilities_are_reproduced() {
        for (distance, chance) in [(40, 5e-11_f32), (56, 1.0e-8), (72, 3.2e-7)] {
            assert!((self_information(KeyKind::Region, distance) + chance.log2()).abs() < 1e-3);
        }
        assert!((self_information(KeyKind::Region, 0) - (34.22 + 0.39 * 40.0)).abs() < 0.1);
    }

    #[test]
    fn two_bits_more_are_half_as_likely_by_chance() {
        assert!((by_chance(12.0) - 0.07).abs() < 1e-9);
        assert!((by_chance(14.0) - 0.035).abs() < 1e-9);
        assert_eq!(by_chance(-20.0), 1.0);
    }

    #[test]
    fn twenty_sightings_of_one_object_count_once() {
        let once = score(&[pair(1, 20, true)], 1 << 20);
        let often: Vec<Pair> = (0..20)
            .map(|i| Pair {
                distance: 20 + i,
                ..pair(1, 20, true)
            })
            .collect();
        assert_eq!(score(&often, 1 << 20), once);
        assert!(
            (once.total - (self_information(KeyKind::Region, 20) - 20.0 - DEPENDENCE_BITS)).abs()
                < 1e-3
        );
    }

    #[test]
    fn distinct_pairs_add_up_and_each_pays_its_window() {
        let pairs: Vec<Pair> = (0..5).map(|i| pair(i, 30, false)).collect();
        let each = self_information(KeyKind::Region, 30);
        let evidence = score(&pairs, 1 << 20);
        assert!(
            (evidence.total - (5.0 * each - 20.0 - DEPENDENCE_BITS - 4.0 * WINDOW_BITS)).abs()
                < 1e-2
        );
        assert_eq!(evidence.distinctive, 0.0);
    }

    #[test]
    fn a_key_that_many_videos_share_scores_less() {
        let shared = Pair {
            videos: 64,
            ..pair(3, 30, true)
        };
        assert!((weight(&pair(3, 30, true)) - weight(&shared) - 6.0).abs() < 1e-3);
    }

    proptest! {
        #[test]
        fn a_smaller_distance_never_scores_less(d in 0u32..79) {
            for kind in [KeyKind::Whole, KeyKind::Region] {
                prop_assert!(self_information(kind, d) >= self_information(kind, d + 1));
            }
        }

        #[test]
        fn order_does_not_matter(seeds in proptest::collection::vec((0u64..50, 0u32..72, any::<bool>()), 1..30), turn in 0usize..30) {
            let mut pairs: Vec<Pair> = seeds.iter().map(|&(seed, d, distinctive)| pair(seed, d, distinctive)).collect();
            let before = score(&pairs, 1 << 16);
            let turn = turn % pairs.len();
            pairs.rotate_left(turn);
            prop_assert_eq!(score(&pairs, 1 << 16), before);
        }
    }
}
