//! Decides which segments to merge (pure).
//!
//! A merge rewrites keys, so it must pay off. Over time an addition must cost the same in a large
//! index as in a small one, and a second call must find nothing to do.

use std::collections::HashSet;

use super::snapshot::LiveSegment;
use super::writer::SEGMENT_MAX_KEYS;

/// How eagerly segments are merged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Merging {
    WhenDue,
    All,
}

/// Facts that decide whether a segment is merged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    number: u64,
    /// Keys.
    keys: u32,
    /// Keys of videos that have not been removed.
    live: u64,
    /// Keys of removed videos.
    dead: u64,
    /// Whether any video has been removed.
    has_removed: bool,
}

impl Candidate {
    pub(crate) fn of(segment: &LiveSegment) -> Candidate {
        let all = segment.segment.len() as u64;
        let live = segment.live_keys();
        Candidate {
            number: segment.number,
            keys: segment.segment.len() as u32,
            live,
            dead: all - live,
            has_removed: segment.dead.contains(&true),
        }
    }
}

/// Numbers of the segments to rewrite, in groups; each group becomes one segment.
pub(crate) fn groups_to_merge(segments: &[Candidate], merging: Merging) -> Vec<Vec<u64>> {
    let is_small = |segment: &&Candidate| segment.keys < SEGMENT_MAX_KEYS / 2;
    let is_worn = |segment: &&Candidate| match merging {
        Merging::WhenDue => {
            segment.has_removed && segment.dead * WORN_DIVISOR >= segment.live + segment.dead
        }
        Merging::All => segment.has_removed,
    };
    let mut groups: Vec<Vec<Candidate>>;
    if merging == Merging::All {
        groups = fitting(
            segments
                .iter()
                .filter(|segment| is_small(segment) || is_worn(segment)),
        );
        groups.retain(|group| group.len() > 1 || group.iter().any(|segment| segment.has_removed));
    } else {
        // Segments of a tier are within a factor of eight in size, so that a key is rewritten only
        // a few times in its life.
        let tier = |segment: &Candidate| segment.keys.max(1).ilog2() / 3;
        let in_tier = |wanted: u32| {
            segments
                .iter()
                .filter(is_small)
                .filter(move |segment| tier(segment) == wanted)
                .count()
        };
        let crowded = (0..=u32::BITS / 3)
            .filter(|&tier| in_tier(tier) > SEGMENTS_PER_TIER)
            .max();
        let of_tiers = segments
            .iter()
            .filter(is_small)
            .filter(|segment| crowded.is_some_and(|last| tier(segment) <= last));
        groups = fitting(of_tiers);
        groups.retain(|group| group.len() > SEGMENTS_PER_TIER);
        let merged: HashSet<u64> = groups
            .iter()
            .flatten()
            .map(|segment| segment.number)
            .collect();
        let left = segments
            .iter()
            .filter(|segment| !merged.contains(&segment.number));
        groups.extend(left.filter(is_worn).map(|&worn| vec![worn]));
    }
    groups
        .into_iter()
        .map(|group| group.into_iter().map(|segment| segment.number).collect())
        .collect()
}

/// Divides segments, in their order, into groups that fit into one segment each.
fn fitting<'a>(segments: impl Iterator<Item = &'a Candidate>) -> Vec<Vec<Candidate>> {
    let mut groups: Vec<Vec<Candidate>> = Vec::new();
    let mut in_last = u64::MAX;
    for segment in segments {
        in_last = in_last.saturating_add(segment.live);
        match groups.last_mut() {
            Some(group) if in_last <= u64::from(SEGMENT_MAX_KEYS) => group.push(*segment),
            _ => {
                groups.push(vec![*segment]);
                in_last = segment.live;
            }
        }
    }
    groups
}

/// Number of segments of a tier that may exist before they are merged.
const SEGMENTS_PER_TIER: usize = 4;
/// A segment is worn when one in this many of its keys belongs to a removed video.
const WORN_DIVISOR: u64 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    fn segments(sizes: &[(u32, u64)]) -> Vec<Candidate> {
        let numbered = (0..).zip(sizes);
        numbered
            .map(|(number, &(keys, live))| Candidate {
                number,
                keys,
                live,
                dead: 0,
                has_removed: false,
            })
            .collect()
    }

    fn due(segments: &[Candidate]) -> Vec<Vec<u64>> {
        groups_to_merge(segments, Merging::WhenDue)
    }

    #[test]
    fn four_of_a_size_stand_and_five_are_merged() {
        assert!(due(&segments(&[(1000, 1000); 4])).is_empty());
        assert_eq!(
            due(&segments(&[(1000, 1000); 5])),
            [(0..5).collect::<Vec<u64>>()]
        );
        // Larger segments are left alone.
        let mut mixed = vec![(500_000, 500_000), (200_000, 200_000)];
        mixed.extend([(1000, 1000); 5]);
        assert_eq!(due(&segments(&mixed)), [(2..7).collect::<Vec<u64>>()]);
    }

    #[test]
    fn segments_that_fit_with_no_other_are_not_written_anew_at_each_call() {
        let mut sizes = vec![(SEGMENT_MAX_KEYS / 3, u64::from(SEGMENT_MAX_KEYS) * 2 / 3); 2];
        for _ in 0..4 {
            sizes.push((3000, 3000));
            assert!(due(&segments(&sizes)).is_empty(), "{sizes:?}");
        }
    }

    #[test]
    fn a_worn_segment_is_written_anew_and_a_slightly_worn_one_only_on_demand() {
        let large = SEGMENT_MAX_KEYS / 2;
        let mut two = segments(&[
            (large, u64::from(large) * 4 / 5),
            (large, u64::from(large) - 10_000),
        ]);
        two[0].dead = u64::from(large) / 5 + 1;
        two[1].dead = 10_000;
        two.iter_mut()
            .for_each(|segment| segment.has_removed = true);
        assert_eq!(due(&two), [[0]]);
        let mut all = groups_to_merge(&two, Merging::All);
        all.sort();
        assert_eq!(all, [[0, 1]]);
    }

    #[test]
    fn only_what_is_alive_counts_for_the_size() {
        let keys = SEGMENT_MAX_KEYS - 10;
        let mut two = segments(&[(keys, 20_000), (keys, 20_000)]);
        two.iter_mut().for_each(|segment| {
            (segment.dead, segment.has_removed) = (u64::from(keys) - 20_000, true)
        });
        assert_eq!(groups_to_merge(&two, Merging::All), [[0, 1]]);
    }

    #[test]
    fn no_group_is_larger_than_a_segment() {
        let keys = SEGMENT_MAX_KEYS / 5 * 2;
        let many = segments(&[(keys, u64::from(keys)); 20]);
        for group in groups_to_merge(&many, Merging::All) {
            assert_eq!(group.len(), 2);
        }
    }
}
