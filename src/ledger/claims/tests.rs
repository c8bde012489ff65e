use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// A world in which the content of every second of every clip is known, with the decisions made.
#[derive(Default)]
struct World {
    facts: BTreeMap<u64, Facts>,
    decisions: BTreeMap<(u64, u64), Decision>,
}

impl Known for World {
    fn facts(&mut self, number: u64) -> Result<Option<Facts>> {
        Ok(self.facts.get(&number).cloned())
    }

    fn paired_with(&mut self, number: u64) -> Result<Vec<u64>> {
        let lists = |facts: &&Facts| facts.pairs.iter().any(|pair| pair.other == number);
        Ok(self
            .facts
            .values()
            .filter(lists)
            .map(|facts| facts.number)
            .collect())
    }

    fn decision(&mut self, earlier: u64, later: u64) -> Result<Option<Decision>> {
        Ok(self.decisions.get(&(earlier, later)).copied())
    }
}

impl World {
    /// Adds a clip of `seconds` seconds, all of them unpublished, and settles it.
    fn add(&mut self, number: u64, creator: &str, seconds: u64, pairs: Vec<Pair>) -> Settled {
        let facts = Facts {
            number,
            creator: creator.to_owned(),
            standing: Standing::Decided,
            eligible: s(0, seconds).into(),
            repeated: Intervals::default(),
            inconclusive: false,
            published: Intervals::default(),
            pairs,
            claimed: Intervals::default(),
            sold: Intervals::default(),
        };
        self.facts.insert(number, facts);
        self.settle(number)
    }

    fn settle(&mut self, number: u64) -> Settled {
        let facts = self.facts[&number].clone();
        let settled = settle(&facts, self).unwrap();
        self.facts.get_mut(&number).unwrap().claimed = settled.offered.union(&facts.sold);
        settled
    }
}

/// The interval between two seconds.
fn s(start: u64, end: u64) -> Interval {
    Interval::new(1000 * start, 1000 * end)
}

fn copy(other: u64, here: Interval, there: Interval) -> Pair {
    Pair {
        other,
        kind: PairKind::Copy,
        here,
        there,
        covers: here.into(),
        speed_permille: 1000,
        mirrored: false,
        probability_ppm: 999_000,
        evidence_millibits: 100_000,
        identical: false,
    }
}

fn reasons(settled: &Settled) -> Vec<(Interval, Deducted, u64)> {
    settled
        .deductions
        .iter()
        .map(|found| (found.here, found.reason, found.holder))
        .collect()
}

#[test]
fn the_same_creator_has_offered_it_before_and_another_one_disputes_it() {
    let mut world = World::default();
    world.add(1, "ada", 10, vec![]);
    let again = world.add(2, "ada", 10, vec![copy(1, s(0, 4), s(3, 7))]);
    assert_eq!(reasons(&again), [(s(0, 4), Deducted::AlreadyOffered, 1)]);
    assert_eq!(again.deductions[0].there, s(3, 7));
    assert_eq!(again.offered, s(4, 10).into());
    let stolen = world.add(3, "bob", 12, vec![copy(1, s(2, 12), s(0, 10))]);
    assert_eq!(
        reasons(&stolen),
        [
            (s(0, 2), Deducted::Remainder, 0),
            (s(2, 12), Deducted::Disputed, 1)
        ][1..]
    );
    assert_eq!(stolen.offered, s(0, 2).into());
}

#[test]
fn a_sliver_beside_what_is_deducted_is_not_paid() {
    let mut world = World::default();
    world.add(1, "ada", 30, vec![]);
    let sliver = copy(1, Interval::new(700, 9_600), Interval::new(0, 8_900));
    let settled = world.add(2, "bob", 30, vec![sliver]);
    assert_eq!(settled.offered, Interval::new(9_600, 30_000).into());
    assert_eq!(
        reasons(&settled)[0],
        (Interval::new(0, 700), Deducted::Remainder, 0)
    );
    // Less than can be judged gives nothing.
    let rest = world.add(
        3,
        "bob",
        10,
        vec![copy(
            1,
            Interval::new(1_900, 10_000),
            Interval::new(0, 8_100),
        )],
    );
    assert!(rest.offered.is_empty(), "{rest:?}");
}

#[test]
fn what_an_earlier_submission_was_not_paid_for_is_not_paid_to_a_later_one() {
    let mut world = World::default();
    world.add(1, "ada", 10, vec![]);
    world.add(2, "bob", 10, vec![copy(1, s(0, 10), s(0, 10))]);
    // The search finds the third to be a copy of only the second.
    let third = world.add(3, "eve", 10, vec![copy(2, s(0, 10), s(0, 10))]);
    assert!(third.offered.is_empty(), "{third:?}");
    // Withdrawing the second frees nothing, since the first holds it.
    world.facts.get_mut(&2).unwrap().standing = Standing::Withdrawn;
    let third = world.settle(3);
    assert_eq!(reasons(&third), [(s(0, 10), Deducted::Disputed, 1)]);
    // If the first is withdrawn too, it is free.
    world.facts.get_mut(&1).unwrap().standing = Standing::Withdrawn;
    assert_eq!(world.settle(3).offered, s(0, 10).into());
}

#[test]
fn of_a_crowd_of_copies_only_one_is_served_when_the_first_is_withdrawn() {
    let mut world = World::default();
    world.add(1, "ada", 10, vec![]);
    // The search lists only the first, whoever else shows it.
    for number in 2..6 {
        world.add(number, "bob", 10, vec![copy(1, s(0, 10), s(0, 10))]);
    }
    world.facts.get_mut(&1).unwrap().standing = Standing::Withdrawn;
    let served: Vec<u64> = (2..6)
        .filter(|&number| !world.settle(number).offered.is_empty())
        .collect();
    assert_eq!(served, [2]);
    // The same with one more withdrawn.
    world.facts.get_mut(&2).unwrap().standing = Standing::Withdrawn;
    let served: Vec<u64> = (3..6)
        .filter(|&number| !world.settle(number).offered.is_empty())
        .collect();
    assert_eq!(served, [3]);
}

#[test]
fn what_was_inconclusive_published_or_repeated_before_counts_for_what_it_was() {
    let mut world = World::default();
    world.add(1, "ada", 20, vec![]);
    let first = world.facts.get_mut(&1).unwrap();
    (first.eligible, first.repeated, first.published) =
        (s(0, 5).into(), s(5, 10).into(), s(10, 15).into());
    let settled = world.add(2, "ada", 20, vec![copy(1, s(0, 20), s(0, 20))]);
    let found = reasons(&settled);
    assert_eq!(
        found,
        [
            (s(0, 10), Deducted::AlreadyOffered, 1),
            (s(10, 15), Deducted::Published, 1)
        ]
    );
    // Nobody was paid for the unsearchable seconds of the first.
    assert_eq!(settled.offered, s(15, 20).into());
}

#[test]
fn an_undecided_match_is_not_payable_until_a_person_decides() {
    let mut world = World::default();
    world.add(1, "ada", 10, vec![]);
    let maybe = Pair {
        kind: PairKind::Undecided,
        ..copy(1, s(0, 6), s(4, 10))
    };
    let settled = world.add(2, "bob", 10, vec![maybe]);
    assert_eq!(reasons(&settled), [(s(0, 6), Deducted::Undecided, 1)]);
    world.decisions.insert((1, 2), Decision::Distinct);
    let settled = world.settle(2);
    assert_eq!(
        (settled.offered, settled.related),
        (s(0, 10).into(), vec![0])
    );
    world.decisions.insert((1, 2), Decision::Same);
    assert_eq!(
        reasons(&world.settle(2)),
        [(s(0, 6), Deducted::Disputed, 1)]
    );
}

#[test]
fn another_take_of_a_scene_is_related_and_deducts_nothing() {
    let mut world = World::default();
    world.add(1, "ada", 10, vec![]);
    let take = Pair {
        kind: PairKind::SameScene,
        ..copy(1, s(0, 10), s(0, 10))
    };
    let settled = world.add(2, "bob", 10, vec![take]);
    assert_eq!(
        (settled.offered, settled.deductions, settled.related),
        (s(0, 10).into(), vec![], vec![0])
    );
}

#[test]
fn times_are_mapped_at_other_speeds_and_backwards() {
    let fast = Pair {
        speed_permille: 2000,
        ..copy(1, s(0, 5), s(0, 10))
    };
    assert_eq!(
        (to_here(&fast, s(2, 4)), to_there(&fast, s(1, 2))),
        (s(1, 2), s(2, 4))
    );
    let back = Pair {
        speed_permille: -1000,
        ..copy(1, s(10, 20), s(0, 10))
    };
    assert_eq!(
        (to_here(&back, s(0, 3)), to_there(&back, s(17, 20))),
        (s(17, 20), s(0, 3))
    );
    let mut world = World::default();
    world.add(1, "ada", 10, vec![]);
    world.facts.get_mut(&1).unwrap().eligible = s(0, 3).into();
    let settled = world.add(2, "bob", 20, vec![back]);
    assert_eq!(reasons(&settled), [(s(17, 20), Deducted::Disputed, 1)]);
}

/// An excerpt of a recording that a creator offers: the recording, first and last second.
#[derive(Clone, Debug)]
struct Clip {
    recording: u8,
    start: u64,
    length: u64,
    creator: u8,
}

fn clips() -> impl Strategy<Value = Vec<Clip>> {
    let clip = (0_u8..3, 0_u64..40, 4_u64..30, 0_u8..3);
    let clip = clip.prop_map(|(recording, start, length, creator)| Clip {
        recording,
        start,
        length,
        creator,
    });
    prop::collection::vec(clip, 1..9)
}

/// The pairs that a perfect search finds among those of `earlier` for which `is_found` is true.
fn found(clip: &Clip, earlier: &[(u64, Clip)], is_found: impl Fn(u64) -> bool) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for (number, other) in earlier.iter().filter(|(number, _)| is_found(*number)) {
        let (from, to) = (
            clip.start.max(other.start),
            (clip.start + clip.length).min(other.start + other.length),
        );
        if other.recording == clip.recording && from < to {
            let of = |start: u64| s(from - start, to - start);
            pairs.push(copy(*number, of(clip.start), of(other.start)));
        }
    }
    pairs
}

/// How many submissions hold each second of each recording.
fn holders(world: &World, clips: &[(u64, Clip)]) -> BTreeMap<(u8, u64), u32> {
    let mut held = BTreeMap::new();
    for (number, clip) in clips {
        for part in world.facts[number].claimed.iter() {
            for second in part.start_ms / 1000..part.end_ms / 1000 {
                *held
                    .entry((clip.recording, clip.start + second))
                    .or_default() += 1;
            }
        }
    }
    held
}

proptest! {
    /// No second is held twice, whatever is withdrawn in whatever order.
    #[test]
    fn no_second_is_claimed_twice(clips in clips(), listed in 1_usize..9, withdrawn in prop::collection::vec(any::<prop::sample::Index>(), 0..6)) {
        let (mut world, mut there) = (World::default(), Vec::new());
        for (number, clip) in (1..).zip(clips) {
            let mut pairs = found(&clip, &there, |_| true);
            // The search lists only some of a crowd that shows the whole clip.
            let length = 1000 * clip.length;
            if pairs.iter().filter(|pair| pair.here.length_ms() == length).count() >= listed {
                pairs.retain(|pair| pair.here.length_ms() == length);
                pairs.truncate(listed);
            }
            world.add(number, &clip.creator.to_string(), clip.length, pairs);
            there.push((number, clip));
            prop_assert!(holders(&world, &there).values().all(|holders| *holders == 1));
        }
        for index in withdrawn {
            let (number, _) = there[index.index(there.len())];
            let facts = world.facts.get_mut(&number).unwrap();
            (facts.standing, facts.claimed) = (Standing::Withdrawn, Intervals::default());
            for (number, _) in &there {
                world.settle(*number);
            }
            let held = holders(&world, &there);
            prop_assert!(held.values().all(|holders| *holders == 1), "{held:?}");
        }
    }

    /// Each unpublished second is claimed or deducted exactly once, and every deduction has a
    /// reason.
    #[test]
    fn claims_and_deductions_are_the_eligible_seconds(clips in clips()) {
        let (mut world, mut there) = (World::default(), Vec::new());
        for (number, clip) in (1..).zip(clips) {
            let pairs = found(&clip, &there, |_| true);
            let settled = world.add(number, &clip.creator.to_string(), clip.length, pairs);
            let deducted: u64 = settled.deductions.iter().map(|found| found.here.length_ms()).sum();
            prop_assert_eq!(deducted + settled.offered.total_ms(), 1000 * clip.length);
            let all: Intervals = settled.deductions.iter().map(|found| found.here).collect();
            prop_assert!(all.intersection(&settled.offered).is_empty());
            there.push((number, clip));
        }
    }

    /// A copy that is found only through another copy is not paid, whether or not that copy is
    /// withdrawn later.
    #[test]
    fn nothing_is_gained_by_withdrawing_the_link_between_two_copies(length in 4_u64..30, cut in 0_u64..3) {
        let mut world = World::default();
        world.add(1, "a", length, vec![]);
        world.add(2, "b", length - cut, vec![copy(1, s(0, length - cut), s(cut, length))]);
        let before = world.add(3, "c", length - cut, vec![copy(2, s(0, length - cut), s(0, length - cut))]);
        world.facts.get_mut(&2).unwrap().standing = Standing::Withdrawn;
        prop_assert!(before.offered.is_empty() && world.settle(3).offered.is_empty());
    }
}

#[test]
fn what_a_later_one_was_sold_is_not_paid_for_again_once_they_are_found_to_be_the_same() {
    let mut world = World::default();
    world.add(1, "ada", 8, Vec::new());
    let take = Pair {
        kind: PairKind::SameScene,
        ..copy(1, s(0, 6), s(2, 8))
    };
    assert_eq!(world.add(2, "bob", 6, vec![take]).offered, s(0, 6).into());
    let later = world.facts.get_mut(&2).unwrap();
    later.sold = later.claimed.clone();
    world.decisions.insert((1, 2), Decision::Same);
    let settled = world.settle(1);
    assert_eq!(settled.offered, s(0, 2).into());
    let deduction = &settled.deductions[0];
    assert_eq!((deduction.reason, deduction.holder), (Deducted::Sold, 2));
    assert_eq!((deduction.here, deduction.there), (s(2, 8), s(0, 6)));
}

#[test]
fn an_inconclusive_submission_holds_its_seconds_against_others_and_not_against_its_creator() {
    let mut world = World::default();
    world.add(1, "ada", 8, Vec::new());
    let first = world.facts.get_mut(&1).unwrap();
    (first.eligible, first.repeated, first.inconclusive) =
        (Intervals::default(), s(0, 8).into(), true);
    let settled = world.add(2, "bob", 8, vec![copy(1, s(0, 8), s(0, 8))]);
    assert!(settled.offered.is_empty());
    assert_eq!(settled.deductions[0].reason, Deducted::Disputed);
    assert_eq!(
        world
            .add(3, "ada", 8, vec![copy(1, s(0, 8), s(0, 8))])
            .offered,
        s(0, 8).into()
    );
}
