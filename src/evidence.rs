//! How much agreement between a clip and a source is worth, in bits.
//!
//! A pair of keys at distance `d` is worth `w(d) = -log2 p0(d)`, where `p0(d)` is the chance that two keys of
//! unrelated videos are within `d` bits. The first pair of an alignment pays for the search among all keys of the
//! corpus and for the likeness of things, each further pair for all those that could have fallen into its window. A pair
//! counts only when both its keys are far from those of every pair counted before: twenty sightings of one thing are one
//! sighting. A key that many videos share pays for its frequency.
//!
//! Were pairs independent, an alignment of `b` bits would come about once in `2^b` searches. They follow from each other
//! more often than that, so how many clips really reach `b` bits by chance was measured: see [`by_chance`].

use serde::{Deserialize, Serialize};

use crate::fingerprint::{Key, KeyKind};

/// A pair of keys that agrees with an alignment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// The key of the clip (of the clip as the alignment changes it).
    pub clip: Key,
    /// The key of the source.
    pub reference: Key,
    /// What both were made of.
    pub kind: KeyKind,
    /// Bits in which they differ.
    pub distance: u32,
    /// Whether neither of the two is seen at other times: the pair speaks for the moment, not only for the scene.
    pub moment: bool,
    /// Videos in which the clip's key was found, at least 1.
    pub videos: u32,
}

/// What an alignment is worth.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Evidence {
    /// All pairs, in bits.
    pub total: f32,
    /// Pairs that speak for the moment, counted by themselves, in bits.
    pub moment: f32,
}

/// Counts what a set of pairs is worth in a corpus of `corpus_keys` keys.
///
/// The strongest pairs are counted first, and only the [`PAIRS_MAX`] strongest are looked at.
pub fn count<'a>(pairs: impl IntoIterator<Item = &'a Pair>, corpus_keys: u64) -> Evidence {
    let pairs: Vec<&Pair> = pairs.into_iter().collect();
    let search = (corpus_keys.max(1) as f32).log2() + LIKENESS_BITS;
    let moment = pairs.iter().copied().filter(|pair| pair.moment);
    let (total, moment) =
        (sum(&sorted(pairs.iter().copied()), search, WINDOW_BITS), sum(&sorted(moment), search, WINDOW_BITS));
    // Which pairs count depends on which came first; a part can come out higher than the whole.
    Evidence { total: total.max(moment), moment }
}

/// Share of clips of ten seconds with no relation to any video of the corpus that reach so many bits, 0..=1.
///
/// An exponential, as of local alignments of sequences (Karlin and Altschul 1990), for 8 to 24 bits: twice as rare with every
/// two bits. Both constants are of 894 edited excerpts of half the clips of real footage; of the other half, 1 263 excerpts, 55,
/// 13, 3 and 1 reached 12, 16, 20 and 24 bits, where 88, 22, 5.5 and 1.4 are predicted. Beyond 24 bits it is a continuation.
/// A longer clip has more chances, in proportion.
pub fn by_chance(bits: f32) -> f64 {
    (CHANCE_AT_12 * f64::from(CHANCE_SLOPE * (12.0 - bits)).exp2()).min(1.0)
}

/// Share of unrelated clips that reach 12 bits.
const CHANCE_AT_12: f64 = 0.07;

/// Halvings of it for each bit more.
const CHANCE_SLOPE: f32 = 0.5;

/// What one pair is worth before it pays for its window, in bits: `-log2 p0(d)`, less `log2` of the videos that share it.
pub fn weight(pair: &Pair) -> f32 {
    surprise(pair.kind, pair.distance) - (pair.videos.max(1) as f32).log2()
}

/// `-log2` of the chance that two keys of unrelated videos are within `distance` bits.
pub fn surprise(kind: KeyKind, distance: u32) -> f32 {
    let background = match kind {
        KeyKind::Whole => &WHOLE,
        KeyKind::Region => &REGION,
    };
    let distance = distance as f32;
    let (first, last) = (background.table[0], background.table[background.table.len() - 1]);
    let logarithm = if distance <= first.0 {
        first.1.log2() - background.tail * (first.0 - distance)
    } else if distance >= last.0 {
        last.1.log2()
    } else {
        let after = background.table.iter().position(|&(d, _)| d > distance).unwrap_or(background.table.len() - 1);
        let ((d0, p0), (d1, p1)) = (background.table[after - 1], background.table[after]);
        p0.log2() + (p1.log2() - p0.log2()) * (distance - d0) / (d1 - d0)
    };
    -logarithm
}

/// Bits that each pair after the first pays: some 1 500 keys of a clip of 10 s could each have met one of about three keys
/// that a source shows at about that time, place and size; its fine regions, which fit only where the source shows more, are not
/// counted. A clip of minutes has more keys, and pays four or five bits too little.
pub const WINDOW_BITS: f32 = 12.0;

/// Bits that an alignment pays because things look alike: a second pair follows from a first more often than chance has it
/// (windows come in rows, faces with eyes). Measured: of 979 unrelated excerpts of real footage 8 reach 16 bits and 3 reach
/// 20, where 21.5 and 1.3 are predicted; without it 63 and 25 do. (Tilted keys were not looked up then; see the README for
/// what these excerpts reach with them.)
pub const LIKENESS_BITS: f32 = 8.0;

/// Bits that a pair pays which is not searched for, because an alignment says where it is: one in ten keys agrees in time, one in
/// fifty in place, of which detectors use a few.
pub const PLACE_BITS: f32 = 6.0;

/// Keys nearer than this to a counted key, in bits, show the same thing and count no more.
pub const INDEPENDENT_DISTANCE: u32 = 48;

/// Pairs looked at; far more than any threshold needs.
pub const PAIRS_MAX: usize = 400;

/// The [`PAIRS_MAX`] strongest pairs, strongest first.
fn sorted<'a>(pairs: impl IntoIterator<Item = &'a Pair>) -> Vec<&'a Pair> {
    let stronger = |a: &&Pair, b: &&Pair| {
        weight(b).total_cmp(&weight(a)).then_with(|| (a.clip, a.reference).cmp(&(b.clip, b.reference)))
    };
    let mut strongest: Vec<&Pair> = pairs.into_iter().collect();
    if strongest.len() > PAIRS_MAX {
        strongest.select_nth_unstable_by(PAIRS_MAX, stronger);
        strongest.truncate(PAIRS_MAX);
    }
    strongest.sort_by(stronger);
    strongest
}

/// What pairs are worth together, the first of them paying `search`, each further one `window`.
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

/// Chances that keys of unrelated videos are within a distance, and the slope below the first one measured.
struct Background {
    /// `(distance in bits, probability)`, ascending.
    table: &'static [(f32, f32)],
    /// Bits of surprise for each bit of distance below the first entry.
    tail: f32,
}

/// Region keys: 7.5e10 pairs of keys of unrelated real videos. None was at 32 bits or less; the tail goes on with
/// the mean slope from 40 to 72 bits, 0.39.
const REGION: Background = Background {
    table: &[(40.0, 5e-11), (48.0, 1.4e-9), (56.0, 1.0e-8), (64.0, 5.5e-8), (72.0, 3.2e-7), (80.0, 2.4e-6)],
    tail: 0.39,
};

/// Whole-frame keys: 2.4e8 pairs, none within 40 bits; 56 and 72 are interpolated and continued in the logarithm.
/// The tail has the slope from 48 to 64 bits, 0.18.
const WHOLE: Background =
    Background { table: &[(48.0, 2e-8), (56.0, 5.3e-8), (64.0, 1.4e-7), (72.0, 3.7e-7), (80.0, 9.8e-7)], tail: 0.18 };

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pair(seed: u64, distance: u32, moment: bool) -> Pair {
        let word = |i: u64| {
            (seed + i).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29) ^ seed.wrapping_mul(0xd134_2543_de82_ef95)
        };
        let clip = Key([word(1), word(2), word(3), word(4)]);
        let mut reference = clip;
        for bit in 0..distance {
            reference.0[(bit / 64) as usize] ^= 1 << (bit % 64);
        }
        Pair { clip, reference, kind: KeyKind::Region, distance, moment, videos: 1 }
    }

    #[test]
    fn the_measured_chances_are_given_back() {
        for (distance, chance) in [(40, 5e-11_f32), (56, 1.0e-8), (72, 3.2e-7)] {
            assert!((surprise(KeyKind::Region, distance) + chance.log2()).abs() < 1e-3);
        }
        assert!((surprise(KeyKind::Region, 0) - (34.22 + 0.39 * 40.0)).abs() < 0.1);
    }

    #[test]
    fn two_bits_more_are_half_as_likely_by_chance() {
        assert!((by_chance(12.0) - 0.07).abs() < 1e-9);
        assert!((by_chance(14.0) - 0.035).abs() < 1e-9);
        assert_eq!(by_chance(-20.0), 1.0);
    }

    #[test]
    fn one_thing_seen_twenty_times_counts_once() {
        let once = count(&[pair(1, 20, true)], 1 << 20);
        let often: Vec<Pair> = (0..20).map(|i| Pair { distance: 20 + i, ..pair(1, 20, true) }).collect();
        assert_eq!(count(&often, 1 << 20), once);
        assert!((once.total - (surprise(KeyKind::Region, 20) - 20.0 - LIKENESS_BITS)).abs() < 1e-3);
    }

    #[test]
    fn distinct_pairs_add_up_and_each_pays_its_window() {
        let pairs: Vec<Pair> = (0..5).map(|i| pair(i, 30, false)).collect();
        let each = surprise(KeyKind::Region, 30);
        let evidence = count(&pairs, 1 << 20);
        assert!((evidence.total - (5.0 * each - 20.0 - LIKENESS_BITS - 4.0 * WINDOW_BITS)).abs() < 1e-2);
        assert_eq!(evidence.moment, 0.0);
    }

    #[test]
    fn a_key_that_many_videos_share_is_worth_less() {
        let shared = Pair { videos: 64, ..pair(3, 30, true) };
        assert!((weight(&pair(3, 30, true)) - weight(&shared) - 6.0).abs() < 1e-3);
    }

    proptest! {
        #[test]
        fn nearer_is_never_worth_less(d in 0u32..79) {
            for kind in [KeyKind::Whole, KeyKind::Region] {
                prop_assert!(surprise(kind, d) >= surprise(kind, d + 1));
            }
        }

        #[test]
        fn order_does_not_matter(seeds in proptest::collection::vec((0u64..50, 0u32..72, any::<bool>()), 1..30), turn in 0usize..30) {
            let mut pairs: Vec<Pair> = seeds.iter().map(|&(seed, d, moment)| pair(seed, d, moment)).collect();
            let before = count(&pairs, 1 << 16);
            let turn = turn % pairs.len();
            pairs.rotate_left(turn);
            prop_assert_eq!(count(&pairs, 1 << 16), before);
        }
    }
}
