//! Decides which segments are to be merged (pure).
//!
//! Merging writes keys anew, so it has to be worth it: each addition must cost the same in a large index as in a small
//! one, over some time, and calling again must find nothing to do.

use std::collections::HashSet;

use super::GraphPolicy;
use super::snapshot::LiveSegment;
use super::writer::{GRAPH_MIN_KEYS, SEGMENT_MAX_KEYS};

/// How eagerly segments are merged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Merging {
    WhenDue,
    All,
}

/// What decides whether a segment is merged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    number: u64,
    /// Distinct keys.
    keys: u32,
    /// Postings of videos that have not been removed.
    live: u64,
    /// Those of removed videos.
    dead: u64,
    /// Whether any video has been removed.
    has_removed: bool,
}

impl Candidate {
    pub(crate) fn of(segment: &LiveSegment) -> Candidate {
        let all: u64 = segment.segment.postings_per_video.iter().map(|&count| u64::from(count)).sum();
        let live = segment.live_postings();
        Candidate {
            number: segment.number,
            keys: segment.segment.len() as u32,
            live,
            dead: all - live,
            has_removed: segment.dead.contains(&true),
        }
    }
}

/// Numbers of the segments to be written anew, in groups that become one each.
pub(crate) fn groups_to_merge(segments: &[Candidate], policy: GraphPolicy, merging: Merging) -> Vec<Vec<u64>> {
    let is_small = |segment: &&Candidate| segment.keys < GRAPH_MIN_KEYS;
    let is_worn = |segment: &&Candidate| match merging {
        Merging::WhenDue => segment.has_removed && segment.dead * WORN_DIVISOR >= segment.live + segment.dead,
        Merging::All => segment.has_removed,
    };
    let mut groups: Vec<Vec<Candidate>> = Vec::new();
    if merging == Merging::All {
        groups = fitting(segments.iter().filter(|segment| is_small(segment) || is_worn(segment)));
        groups.retain(|group| group.len() > 1 || group.iter().any(|segment| segment.has_removed));
    } else {
        // Of about one size: within a factor of eight, so that a key is written anew only a few times in its life.
        let tier = |segment: &Candidate| segment.keys.max(1).ilog2() / 3;
        let in_tier =
            |wanted: u32| segments.iter().filter(is_small).filter(move |segment| tier(segment) == wanted).count();
        let crowded = (0..=u32::BITS / 3).filter(|&tier| in_tier(tier) > SEGMENTS_PER_TIER).max();
        if policy != GraphPolicy::Never || crowded.is_some() {
            // What becomes large enough for a graph is not merged again.
            groups = fitting(segments.iter().filter(is_small));
            groups.retain(|group| {
                let keys: u64 = group.iter().map(|segment| u64::from(segment.keys)).sum();
                group.len() > 1 && keys >= u64::from(GRAPH_MIN_KEYS)
            });
        }
        let chosen: HashSet<u64> = groups.iter().flatten().map(|segment| segment.number).collect();
        let left = || segments.iter().filter(|segment| !chosen.contains(&segment.number));
        let mut more =
            fitting(left().filter(is_small).filter(|segment| crowded.is_some_and(|last| tier(segment) <= last)));
        more.retain(|group| group.len() > SEGMENTS_PER_TIER);
        let merged: HashSet<u64> = more.iter().flatten().map(|segment| segment.number).collect();
        groups.extend(more);
        groups
            .extend(left().filter(is_worn).filter(|segment| !merged.contains(&segment.number)).map(|&worn| vec![worn]));
    }
    groups.into_iter().map(|group| group.into_iter().map(|segment| segment.number).collect()).collect()
}

/// Divides segments, in their order, into groups that fit into one segment each.
fn fitting<'a>(segments: impl Iterator<Item = &'a Candidate>) -> Vec<Vec<Candidate>> {
    let mut groups: Vec<Vec<Candidate>> = Vec::new();
    let mut in_last = u64::MAX;
    for segment in segments {
        // An upper bound of keys and postings: a merge can only lose some.
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

/// Segments of about one size that may stand before they are merged.
const SEGMENTS_PER_TIER: usize = 8;
/// A segment is worn when one in this many of its postings is of a removed video.
const WORN_DIVISOR: u64 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    fn segments(sizes: &[(u32, u64)]) -> Vec<Candidate> {
        let numbered = (0..).zip(sizes);
        numbered.map(|(number, &(keys, live))| Candidate { number, keys, live, dead: 0, has_removed: false }).collect()
    }

    fn due(segments: &[Candidate], policy: GraphPolicy) -> Vec<Vec<u64>> {
        groups_to_merge(segments, policy, Merging::WhenDue)
    }

    #[test]
    fn eight_of_a_size_stand_and_nine_are_merged() {
        for policy in [GraphPolicy::Never, GraphPolicy::Auto] {
            assert!(due(&segments(&[(1000, 1000); 8]), policy).is_empty());
            assert_eq!(due(&segments(&[(1000, 1000); 9]), policy), [(0..9).collect::<Vec<u64>>()]);
            // Larger ones are left alone.
            let mut mixed = vec![(500_000, 500_000), (200_000, 200_000)];
            mixed.extend([(1000, 1000); 9]);
            assert_eq!(due(&segments(&mixed), policy), [(2..11).collect::<Vec<u64>>()]);
        }
    }

    #[test]
    fn what_is_together_enough_for_a_graph_is_merged_if_one_is_wanted() {
        let three = segments(&[(150_000, 150_000); 3]);
        assert_eq!(due(&three, GraphPolicy::Auto), [[0, 1, 2]]);
        assert!(due(&three, GraphPolicy::Never).is_empty());
    }

    #[test]
    fn segments_that_fit_with_no_other_are_not_written_anew_at_each_call() {
        let mut sizes = vec![(300_000, 600_000), (300_000, 600_000)];
        for _ in 0..8 {
            sizes.push((3000, 3000));
            assert!(due(&segments(&sizes), GraphPolicy::Auto).is_empty(), "{sizes:?}");
        }
    }

    #[test]
    fn a_worn_segment_is_written_anew_and_a_slightly_worn_one_only_on_demand() {
        let mut two = segments(&[(500_000, 400_000), (500_000, 490_000)]);
        two[0].dead = 100_000;
        two[1].dead = 10_000;
        two.iter_mut().for_each(|segment| segment.has_removed = true);
        assert_eq!(due(&two, GraphPolicy::Auto), [[0]]);
        assert_eq!(groups_to_merge(&two, GraphPolicy::Auto, Merging::All), [[0], [1]]);
    }

    #[test]
    fn only_what_is_alive_counts_for_the_size() {
        let mut two = segments(&[(470_000, 20_000), (470_000, 20_000)]);
        two.iter_mut().for_each(|segment| (segment.dead, segment.has_removed) = (450_000, true));
        assert_eq!(groups_to_merge(&two, GraphPolicy::Never, Merging::All), [[0, 1]]);
    }

    #[test]
    fn no_group_is_larger_than_a_segment() {
        let many = segments(&[(300_000, 300_000); 20]);
        for group in groups_to_merge(&many, GraphPolicy::Auto, Merging::All) {
            assert_eq!(group.len(), 2);
        }
    }
}
