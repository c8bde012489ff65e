use proptest::prelude::*;

use super::*;

/// Overlaps of clips of 10 s. `pairs` gives two clips and how many seconds of each are in the
/// other.
fn overlaps(clips: usize, pairs: &[(usize, usize, f64, f64)]) -> Overlaps {
    let mut overlaps: Overlaps = vec![BTreeMap::new(); clips];
    for (pair, &(a, b, of_a, of_b)) in pairs.iter().enumerate() {
        for (clip, other, copied_s) in [(a, b, of_a), (b, a, of_b)] {
            let rest_s = 10.0 - copied_s;
            overlaps[clip].insert(
                other,
                Overlap {
                    pair,
                    copied_s,
                    rest_s,
                    whole: is_whole(10.0, rest_s),
                },
            );
        }
    }
    overlaps
}

fn members(groups: &[Grouped]) -> Vec<(usize, Vec<usize>)> {
    groups
        .iter()
        .map(|group| {
            (
                group.anchor,
                group.members.iter().map(|(clip, _)| *clip).collect(),
            )
        })
        .collect()
}

#[test]
fn strangers_who_share_an_intro_with_a_compilation_are_in_no_group_together() {
    // The compilation 0 has three seconds each of 1 and 2, which share nothing.
    let found = overlaps(3, &[(0, 1, 3.0, 3.0), (0, 2, 3.0, 3.0)]);
    assert_eq!(
        members(&grouped(&[1, 2, 0], &found, &[false; 3])),
        [(1, vec![0]), (2, vec![0])]
    );
    // As the anchor, it has both as members, each by its own match, and neither is redundant.
    let groups = grouped(&[0, 1, 2], &found, &[false; 3]);
    assert_eq!(members(&groups), [(0, vec![1, 2])]);
    assert!(groups[0].members.iter().all(|(_, overlap)| !overlap.whole));
}

#[test]
fn a_chain_is_not_one_group() {
    let found = overlaps(3, &[(0, 1, 10.0, 10.0), (1, 2, 10.0, 10.0)]);
    // 2 does not match 0 itself, and 1 is redundant.
    assert_eq!(
        members(&grouped(&[0, 1, 2], &found, &[false; 3])),
        [(0, vec![1])]
    );
    assert_eq!(
        members(&grouped(&[1, 0, 2], &found, &[false; 3])),
        [(1, vec![0, 2])]
    );
}

#[test]
fn what_repeats_the_remaining_seconds_of_a_partial_member_is_found_too() {
    // 1 has three seconds of 0 and seven of its own, which 2 duplicates.
    let found = overlaps(3, &[(0, 1, 3.0, 3.0), (1, 2, 7.0, 10.0)]);
    assert_eq!(
        members(&grouped(&[0, 1, 2], &found, &[false; 3])),
        [(0, vec![1]), (1, vec![2])]
    );
}

#[test]
fn a_reference_is_never_a_member() {
    let found = overlaps(2, &[(0, 1, 10.0, 10.0)]);
    assert_eq!(
        members(&grouped(&[0, 1], &found, &[true, false])),
        [(0, vec![1])]
    );
    assert!(grouped(&[0, 1], &found, &[true, true]).is_empty());
}

#[test]
fn seconds_that_overlap_count_once() {
    assert_eq!(covered(vec![]), 0.0);
    assert!((covered(vec![(4.0, 6.0), (0.0, 2.0), (1.0, 3.0), (1.5, 1.75)]) - 5.0).abs() < 1e-9);
}

#[test]
fn a_clip_is_whole_only_if_next_to_nothing_is_missing() {
    assert!(is_whole(10.0, 1.0) && !is_whole(10.0, 1.01));
    // The share would allow six minutes of an hour.
    assert!(is_whole(3600.0, 2.0) && !is_whole(3600.0, 2.1));
    assert!(is_whole(0.0, 0.0));
}

proptest! {
    #[test]
    fn members_match_their_anchor_and_every_copy_is_told_of(
        pairs in prop::collection::vec((0..9_usize, 0..9_usize, 0.5..10.0_f64, 0.5..10.0_f64), 0..30),
        ranking in Just((0..9).collect::<Vec<usize>>()).prop_shuffle(),
        references in prop::collection::vec(prop::bool::weighted(0.2), 9),
    ) {
        // References rank first, and are not compared with each other.
        let pairs: Vec<_> =
            pairs.into_iter().filter(|(a, b, ..)| a != b && !(references[*a] && references[*b])).collect();
        let mut ranking = ranking;
        ranking.sort_by_key(|clip| !references[*clip]);
        let found = overlaps(9, &pairs);
        let groups = grouped(&ranking, &found, &references);
        let redundant_in = |clip: usize| -> Vec<usize> {
            let whole = |group: &&Grouped| group.members.iter().any(|(member, overlap)| *member == clip && overlap.whole);
            groups.iter().filter(whole).map(|group| group.anchor).collect()
        };
        for group in &groups {
            prop_assert!(redundant_in(group.anchor).is_empty(), "an anchor is kept");
            for (member, overlap) in &group.members {
                prop_assert!(!references[*member]);
                prop_assert_eq!(found[*member].get(&group.anchor), Some(overlap), "it matches the anchor itself");
            }
        }
        for (clip, others) in found.iter().enumerate() {
            prop_assert!(redundant_in(clip).len() <= 1, "one group proposes it");
            for other in others.keys() {
                // Either one of the two is redundant, or the pair is in a group.
                let together = groups.iter().any(|group| {
                    let is_in = |clip: &usize| group.anchor == *clip || group.members.iter().any(|(member, _)| member == clip);
                    is_in(&clip) && is_in(other)
                });
                let gone = !redundant_in(clip).is_empty() || !redundant_in(*other).is_empty();
                prop_assert!(together || gone);
            }
        }
    }
}
