//! Verdicts on synthetic alignments with given probabilities.

use super::*;
use crate::align::{MotionCorrelation, Similarity, TemporalConsistency};
use crate::evidence::Evidence;
use crate::fingerprint::{Keyframe, Motion, Orientation};
use crate::index::VideoRef;
use crate::media::{StreamInfo, Undecoded};
use proptest::prelude::*;

mod model;
mod properties;

const SECOND: Duration = Duration::from_secs(1);

/// A clip with four keyframes a second, all searchable and moving.
fn clip(seconds: u32) -> Fingerprint {
    let keyframe = |i: u32| {
        let time = i * SECOND / 4;
        Keyframe {
            time,
            content: Content::Searchable,
            still_since: time,
            cut: false,
            repeats: false,
            panned: false,
        }
    };
    Fingerprint {
        path: "clip.mp4".into(),
        sha256: [0; 32],
        info: StreamInfo {
            width: 1280,
            height: 720,
            codec: "h264".into(),
            container: "mov".into(),
            pixel_format: "yuv420p".into(),
            declared: None,
        },
        duration: seconds * SECOND,
        interval: SECOND / 4,
        frames: u64::from(seconds) * 25,
        undecoded: vec![],
        keyframes: (0..4 * seconds).map(keyframe).collect(),
        keys: vec![],
        motion: Motion::default(),
        pictures: Vec::new(),
    }
}

fn span(start: f32, end: f32) -> Span {
    Span {
        start: Duration::from_secs_f32(start),
        end: Duration::from_secs_f32(end),
    }
}

/// A model that reads the probability from one number of an alignment: see [`likely`].
fn given() -> Model {
    let keys = likely(0.5, 0.0, 1.0);
    let pictures = Alignment {
        dense: Some(Default::default()),
        ..keys.clone()
    };
    // Steps are so small that no limit lies between a probability and its rounded value.
    const STEPS: i32 = 2500;
    let forest = |alignment: &Alignment| {
        let shown = terms(alignment)
            .iter()
            .position(|term| term.name == "shown")
            .unwrap();
        let step = 1.0 / STEPS as f32;
        let bits = 40.0 * std::f32::consts::LOG2_E * step;
        let tree = |number: i32| {
            let limit = step * (number as f32 + 0.5);
            let answer = |bits| Node {
                term: 0,
                limit: 0.0,
                next: 0,
                bits,
            };
            let question = Node {
                term: shown as u16,
                limit,
                next: 1,
                bits: 0.0,
            };
            vec![question, answer(-0.5 * bits), answer(0.5 * bits)]
        };
        Forest {
            base: 0.0,
            trees: (0..STEPS).map(tree).collect(),
        }
    };
    // The power is 1 everywhere.
    let power = PowerModel {
        weights: vec![100.0],
        edits: Vec::new(),
    };
    Model {
        pictures: forest(&pictures),
        keys: forest(&keys),
        power,
    }
}

/// An alignment that is a copy with this probability by the model [`given`].
fn likely(probability: f32, start: f32, end: f32) -> Alignment {
    let shown = 0.5 + (probability / (1.0 - probability)).ln() / 40.0;
    Alignment {
        video: VideoRef {
            segment: 0,
            video: 0,
        },
        orientation: Orientation::UPRIGHT,
        clip: span(start, end),
        guard: span(start, end),
        reference: span(start, end),
        speed: 1.0,
        geometry: Similarity {
            scale: 1.0,
            x: 0.0,
            y: 0.0,
        },
        evidence: Evidence {
            total: 500.0,
            distinctive: 300.0,
        },
        hits: 40,
        key_recall: shown,
        consistency: TemporalConsistency::default(),
        motion: MotionCorrelation::default(),
        segmented: false,
        superseded: false,
        support: [0.0; 4],
        dense: None,
        identical: false,
    }
}

/// A copy under any sensible policy.
fn copy(start: f32, end: f32) -> Alignment {
    likely(0.9999, start, end)
}

/// A copy or not: undecided.
fn undecided(start: f32, end: f32) -> Alignment {
    likely(0.5, start, end)
}

/// The same place at another time.
fn other_take(start: f32, end: f32) -> Alignment {
    likely(0.0001, start, end)
}

fn of_video(video: u32, alignment: Alignment) -> Alignment {
    Alignment {
        video: VideoRef { segment: 0, video },
        ..alignment
    }
}

fn with_bits(total: f32, alignment: Alignment) -> Alignment {
    Alignment {
        evidence: Evidence {
            total,
            ..alignment.evidence
        },
        ..alignment
    }
}

fn by_policy(policy: &Policy, clip: &Fingerprint, alignments: &[Alignment]) -> Judgement {
    judge(clip, alignments, &[], 7, SECOND, policy, &given())
}

fn judged(clip: &Fingerprint, alignments: &[Alignment]) -> Judgement {
    by_policy(&Policy::default(), clip, alignments)
}

fn seconds(judgement: &Judgement) -> [f64; 3] {
    [
        SpanState::Published,
        SpanState::Unpublished,
        SpanState::Unsearchable,
    ]
    .map(|state| (judgement.total(state).as_secs_f64() * 1e3).round() / 1e3)
}

fn codes(judgement: &Judgement) -> Vec<ReasonCode> {
    judgement.reasons.iter().map(|reason| reason.code).collect()
}

#[test]
fn nothing_found_is_unpublished_and_payable() {
    let judgement = judged(&clip(10), &[]);
    assert_eq!(judgement.verdict, Verdict::Unpublished);
    assert_eq!(seconds(&judgement), [0.0, 10.0, 0.0]);
    assert_eq!(codes(&judgement), [ReasonCode::NoMatch]);
}

#[test]
fn a_copy_of_some_seconds_is_partly_published() {
    let judgement = judged(&clip(10), &[copy(2.0, 5.0)]);
    assert_eq!(judgement.verdict, Verdict::PartlyPublished);
    assert_eq!(seconds(&judgement), [3.0, 7.0, 0.0]);
    assert_eq!(judgement.matches, [(0, MatchKind::Copy)]);
}

#[test]
fn the_costs_decide_the_class_of_an_alignment() {
    // A copy from nine tenths on, no copy up to a quarter.
    let policy = Policy {
        false_published: 10.0,
        false_payable: 4.0,
        related_bits: 30.0,
        ..Policy::default()
    };
    let reported = |probability: f32, total: f32| {
        let judgement = by_policy(
            &policy,
            &clip(10),
            &[with_bits(total, likely(probability, 0.0, 10.0))],
        );
        (
            judgement.matches.first().map(|found| found.1),
            judgement.verdict,
        )
    };
    assert_eq!(
        reported(0.91, 100.0),
        (Some(MatchKind::Copy), Verdict::Published)
    );
    assert_eq!(
        reported(0.89, 100.0),
        (Some(MatchKind::Undecided), Verdict::Inconclusive)
    );
    assert_eq!(
        reported(0.26, 100.0),
        (Some(MatchKind::Undecided), Verdict::Inconclusive)
    );
    assert_eq!(
        reported(0.24, 100.0),
        (Some(MatchKind::SameScene), Verdict::Unpublished)
    );
    // Evidence decides only whether an alignment that is no copy is reported.
    assert_eq!(
        reported(0.91, 29.0),
        (Some(MatchKind::Copy), Verdict::Published)
    );
    assert_eq!(
        reported(0.26, 29.0),
        (Some(MatchKind::Undecided), Verdict::Inconclusive)
    );
    assert_eq!(
        reported(0.24, 30.0),
        (Some(MatchKind::SameScene), Verdict::Unpublished)
    );
    assert_eq!(reported(0.24, 29.0), (None, Verdict::Unpublished));
    // Below the minimum evidence the model does not count.
    assert_eq!(
        reported(0.91, COMPARED_BITS - 0.1),
        (None, Verdict::Unpublished)
    );
    assert_eq!(
        reported(0.91, COMPARED_BITS),
        (Some(MatchKind::Copy), Verdict::Published)
    );
}

#[test]
fn no_policy_pays_for_what_it_publishes() {
    for false_published in [f32::NAN, -1.0, 0.0, 1.0, 1.5, 20.0, f32::INFINITY] {
        for false_payable in [f32::NAN, -1.0, 0.0, 1.0, 1.5, 20.0, f32::INFINITY] {
            let policy = Policy {
                false_published,
                false_payable,
                ..Policy::default()
            };
            let (published, payable) = (policy.published_min(), policy.payable_max());
            assert!(
                (0.0..=1.0).contains(&published) && (0.0..=published).contains(&payable),
                "{policy:?}"
            );
        }
    }
}

#[test]
fn a_copy_is_published_even_where_another_alignment_is_undecided() {
    let whole = of_video(1, undecided(0.0, 10.0));
    for alignments in [
        [copy(2.0, 5.0), whole.clone()],
        [whole.clone(), copy(2.0, 5.0)],
    ] {
        let judgement = judged(&clip(10), &alignments);
        assert_eq!(
            (judgement.verdict, seconds(&judgement)),
            (Verdict::Published, [3.0, 0.0, 7.0])
        );
        assert_eq!(codes(&judgement), [ReasonCode::Copy, ReasonCode::Undecided]);
    }
}

#[test]
fn an_undecided_match_and_its_guard_interval_are_not_payable() {
    let judgement = judged(&clip(20), &[undecided(5.0, 7.0)]);
    assert_eq!(
        (judgement.verdict, seconds(&judgement)),
        (Verdict::Unpublished, [0.0, 12.0, 8.0])
    );
    assert_eq!(judgement.parts[1].span, span(2.0, 10.0));
    assert_eq!(
        judgement.parts[1].reason,
        Some(ReasonCode::Undecided.into())
    );
    // Another take next to it does not make it payable.
    let beside = judged(&clip(20), &[undecided(5.0, 7.0), other_take(7.0, 10.0)]);
    assert_eq!(seconds(&beside), [0.0, 12.0, 8.0]);
    // At both ends of the clip.
    assert_eq!(
        seconds(&judged(
            &clip(10),
            &[undecided(0.0, 1.0), undecided(9.0, 10.0)]
        )),
        [0.0, 2.0, 8.0]
    );
}

#[test]
fn a_clip_that_is_mostly_undecided_is_inconclusive() {
    let most = judged(&clip(20), &[undecided(3.0, 8.0)]);
    assert_eq!(
        (most.verdict, seconds(&most)),
        (Verdict::Inconclusive, [0.0, 9.0, 11.0])
    );
    assert_eq!(codes(&most), [ReasonCode::Undecided]);
    let less = judged(&clip(20), &[undecided(3.0, 6.0)]);
    assert_eq!(
        (less.verdict, codes(&less)),
        (
            Verdict::Unpublished,
            vec![ReasonCode::Undecided, ReasonCode::NoMatch]
        )
    );
}

#[test]
fn superseded_alignments_are_not_reported() {
    let reported = |alignments: &[Alignment]| judged(&clip(10), alignments).matches;
    let (here, there) = (copy(0.0, 10.0), of_video(1, copy(0.0, 10.0)));
    let mirrored = Alignment {
        orientation: Orientation::MIRRORED,
        ..undecided(1.0, 9.0)
    };
    assert_eq!(
        reported(&[here.clone(), mirrored.clone()]),
        [(0, MatchKind::Copy)]
    );
    assert_eq!(
        reported(&[other_take(1.0, 9.0), here.clone()]),
        [(1, MatchKind::Copy)]
    );
    // Sources do not suppress each other's matches.
    assert_eq!(
        reported(&[there.clone(), mirrored]),
        [(0, MatchKind::Copy), (1, MatchKind::Undecided)]
    );
    // A copy found twice, upright and slightly tilted, is one match; segments of it are several.
    assert_eq!(reported(&[here.clone(), here]), [(0, MatchKind::Copy)]);
    assert_eq!(
        reported(&[copy(0.0, 5.0), copy(4.0, 10.0)]),
        [(0, MatchKind::Copy), (1, MatchKind::Copy)]
    );
    assert_eq!(
        reported(&[other_take(0.0, 10.0), undecided(0.0, 8.0)]),
        [(1, MatchKind::Undecided)]
    );
    // An alignment that extends beyond the copy for more than half of its length is a match too.
    let beyond = [copy(0.0, 4.0), other_take(0.0, 10.0)];
    assert_eq!(
        reported(&beyond),
        [(0, MatchKind::Copy), (1, MatchKind::SameScene)]
    );
}

#[test]
fn the_more_probable_of_two_alike_is_reported_in_any_order() {
    let reported = |alignments: &[Alignment]| judged(&clip(10), alignments).matches;
    for (lesser, greater, kind) in [
        (
            likely(0.001, 0.0, 10.0),
            likely(0.002, 0.0, 9.0),
            MatchKind::SameScene,
        ),
        (
            likely(0.4, 0.0, 10.0),
            likely(0.6, 0.0, 9.0),
            MatchKind::Undecided,
        ),
        (
            with_bits(90.0, undecided(0.0, 10.0)),
            undecided(0.0, 9.0),
            MatchKind::Undecided,
        ),
    ] {
        assert_eq!(reported(&[lesser.clone(), greater.clone()]), [(1, kind)]);
        assert_eq!(reported(&[greater, lesser]), [(0, kind)]);
    }
}

#[test]
fn a_superseded_alignment_is_not_payable_beyond_the_stronger_one() {
    // A symmetric frame also matches mirrored while the scene is still; a slow scene matches at a
    // slightly wrong offset.
    for stronger in [copy(0.0, 15.0), likely(0.6, 0.0, 15.0)] {
        let judgement = judged(&clip(30), &[stronger, undecided(0.0, 30.0)]);
        assert_eq!(
            (
                judgement.matches.len(),
                judgement.total(SpanState::Unpublished)
            ),
            (1, Duration::ZERO)
        );
    }
}

#[test]
fn another_take_is_related_and_not_published() {
    let judgement = judged(&clip(10), &[other_take(0.0, 10.0)]);
    assert_eq!(judgement.verdict, Verdict::Unpublished);
    assert_eq!(judgement.matches, [(0, MatchKind::SameScene)]);
    assert_eq!(
        codes(&judgement),
        [ReasonCode::SameScene, ReasonCode::NoMatch]
    );
    assert_eq!(judgement.nearest, None);
}

#[test]
fn the_most_probable_unreported_alignment_is_the_nearest() {
    let unrelated = |probability: f32| with_bits(20.0, likely(probability, 0.0, 10.0));
    let judgement = judged(
        &clip(10),
        &[
            unrelated(0.001),
            unrelated(0.003),
            unrelated(0.002),
            other_take(0.0, 5.0),
        ],
    );
    assert_eq!(judgement.nearest, Some(1));
    assert_eq!(
        (judgement.verdict, judgement.matches),
        (Verdict::Unpublished, vec![(3, MatchKind::SameScene)])
    );
    assert_eq!(judged(&clip(10), &[]).nearest, None);
}

#[test]
fn reasons_give_sums_and_sources() {
    let alignments = [
        copy(0.0, 4.0),
        of_video(1, copy(3.0, 6.0)),
        of_video(2, copy(2.0, 5.0)),
        of_video(3, other_take(0.0, 6.0)),
        of_video(4, undecided(12.0, 13.0)),
    ];
    let mut faded = clip(30);
    faded.keyframes[80..88]
        .iter_mut()
        .for_each(|keyframe| keyframe.content = Content::Black);
    let judgement = judged(&faded, &alignments);
    let reported: Vec<(ReasonCode, Option<f64>, &str)> = judgement
        .reasons
        .iter()
        .map(|reason| (reason.code, reason.seconds, &reason.text[..]))
        .collect();
    assert_eq!(
        reported,
        [
            (
                ReasonCode::Copy,
                Some(6.0),
                "6.0 s were published, in 3 sources"
            ),
            (
                ReasonCode::SameScene,
                None,
                "the same scene is in one source, at another moment"
            ),
            (
                ReasonCode::Undecided,
                Some(7.0),
                "it resembles a source and may be a copy: undecided for 7.0 s"
            ),
            (
                ReasonCode::Black,
                Some(2.0),
                "the picture is black for 2.0 s"
            ),
        ]
    );
    assert_eq!(
        (judgement.verdict, seconds(&judgement)),
        (Verdict::PartlyPublished, [6.0, 15.0, 9.0])
    );
}

#[test]
fn the_timeline_has_the_maximum_probability_in_each_second() {
    let alignments = [
        likely(0.9, 1.5, 3.0),
        likely(0.4, 2.5, 4.5),
        with_bits(5.0, likely(0.9, 6.0, 9.0)),
    ];
    let whole = judged(&clip(8), &alignments).timeline;
    let expected = [0.0, 0.9, 0.9, 0.4, 0.4, 0.0, 0.0, 0.0];
    assert_eq!(whole.len(), expected.len());
    // The steps of the given model limit the accuracy.
    assert!(
        whole
            .iter()
            .zip(expected)
            .all(|(reported, expected)| (reported - expected).abs() < 3e-3),
        "{whole:?}"
    );
    // The last second may be incomplete, and alignments may extend beyond it.
    let mut longer = clip(8);
    longer.duration += SECOND / 2;
    let timeline = judged(&longer, &[copy(8.2, 9.5), copy(20.0, 21.0)]).timeline;
    assert_eq!(
        timeline
            .iter()
            .map(|second| *second > 0.5)
            .collect::<Vec<_>>(),
        [vec![false; 8], vec![true]].concat()
    );
    let mut empty = clip(0);
    empty.duration = Duration::ZERO;
    assert!(judged(&empty, &alignments).timeline.is_empty());
}

#[test]
fn the_guard_interval_of_a_copy_is_not_payable() {
    let beside = Alignment {
        guard: span(1.0, 8.0),
        ..copy(3.0, 6.0)
    };
    let judgement = judged(&clip(10), &[beside]);
    assert_eq!(seconds(&judgement), [3.0, 3.0, 4.0]);
    assert!(
        judgement.parts[1]
            .reason
            .as_ref()
            .is_some_and(|reason| reason.code == ReasonCode::Beside)
    );
    // In so short a part, another take is wrong more often than right.
    let judgement = judged(
        &clip(10),
        &[
            Alignment {
                guard: span(1.0, 8.0),
                ..copy(3.0, 6.0)
            },
            other_take(7.0, 10.0),
        ],
    );
    assert_eq!(seconds(&judgement), [3.0, 3.0, 4.0]);
}

#[test]
fn the_guard_interval_of_a_superseded_copy_is_not_paid_when_it_is_undecided() {
    let alignments = [
        Alignment {
            guard: span(9.0, 22.0),
            ..with_bits(12.0, likely(0.8, 10.0, 20.0))
        },
        with_bits(12.5, likely(0.8, 13.0, 18.0)),
    ];
    let of = |false_published| {
        let policy = Policy {
            false_published,
            ..Policy::default()
        };
        seconds(&by_policy(&policy, &clip(30), &alignments))
    };
    assert_eq!(of(2.0), [10.0, 17.0, 3.0]);
    // The second one supersedes the first and withholds three seconds on either side.
    assert_eq!(of(14.0), [0.0, 17.0, 13.0]);
}

#[test]
fn what_is_undecided_and_covered_by_a_copy_counts_as_beside_it() {
    let covered = Alignment {
        guard: span(4.0, 16.0),
        ..undecided(6.0, 13.0)
    };
    let judgement = judged(&clip(20), &[copy(5.0, 12.0), covered]);
    // Its guard interval, and no three seconds on either side.
    assert_eq!(seconds(&judgement), [7.0, 8.0, 5.0]);
    assert_eq!(codes(&judgement), [ReasonCode::Copy, ReasonCode::Beside]);
}

#[test]
fn a_short_part_next_to_an_undecided_one_is_undecided() {
    let judgement = judged(&clip(10), &[undecided(3.5, 6.5)]);
    assert_eq!(seconds(&judgement), [0.0, 0.0, 10.0]);
    // Also between it and a copy.
    let judgement = judged(
        &clip(20),
        &[copy(0.0, 4.0), of_video(1, undecided(7.5, 9.5))],
    );
    assert_eq!(seconds(&judgement), [4.0, 7.5, 8.5]);
    assert_eq!(codes(&judgement), [ReasonCode::Copy, ReasonCode::Undecided]);
}

#[test]
fn a_hole_no_longer_than_the_copies_around_it_is_not_payable() {
    let hole = |from: f32, to: f32| [copy(0.0, from), copy(to, 10.0)];
    assert_eq!(
        seconds(&judged(&clip(10), &hole(4.0, 5.0))),
        [9.0, 0.0, 1.0]
    );
    assert_eq!(
        seconds(&judged(&clip(10), &hole(4.0, 7.0))),
        [7.0, 0.0, 3.0]
    );
    assert_eq!(
        seconds(&judged(&clip(10), &hole(3.0, 6.5))),
        [6.5, 3.5, 0.0]
    );
    assert_eq!(
        seconds(&judged(&clip(10), &hole(1.5, 4.0))),
        [7.5, 2.5, 0.0]
    );
    assert_eq!(
        seconds(&judged(&clip(10), &hole(6.0, 8.5))),
        [7.5, 2.5, 0.0]
    );
    // Most of the hole is black, which leaves little.
    let mut faded = clip(10);
    faded.keyframes[6..12]
        .iter_mut()
        .for_each(|keyframe| keyframe.content = Content::Black);
    assert_eq!(seconds(&judged(&faded, &hole(1.5, 4.0))), [7.5, 0.0, 2.5]);
    // The copies belong to different temporal hypotheses.
    let [first, next] = hole(4.0, 5.0);
    let elsewhere = Alignment {
        reference: span(20.0, 25.0),
        ..next
    };
    assert_eq!(
        seconds(&judged(&clip(10), &[first, elsewhere])),
        [9.0, 1.0, 0.0]
    );
}

#[test]
fn guard_intervals_and_holes_do_not_depend_on_which_copy_is_stronger() {
    let [first, next] = [
        copy(0.0, 6.0),
        Alignment {
            guard: span(7.0, 10.0),
            ..copy(8.5, 10.0)
        },
    ];
    let second_weaker = [first.clone(), with_bits(400.0, next.clone())];
    let first_weaker = [next, with_bits(400.0, first)];
    // The guard interval covers one of the two and a half seconds between them; the shorter copy is
    // as long as the rest.
    for copies in [second_weaker, first_weaker] {
        assert_eq!(seconds(&judged(&clip(10), &copies)), [7.5, 0.0, 2.5]);
    }
}

#[test]
fn an_unpublished_part_below_the_minimum_length_joins_the_copy() {
    let judgement = judged(&clip(10), &[copy(0.6, 9.5)]);
    assert_eq!(judgement.verdict, Verdict::Published);
    assert_eq!(seconds(&judgement), [10.0, 0.0, 0.0]);
}

#[test]
fn benign_material_is_neither_published_nor_payable() {
    let of = |alignments: &[Alignment], keyframes: std::ops::Range<usize>| {
        let benign: Vec<usize> = keyframes.collect();
        judge(
            &clip(10),
            alignments,
            &benign,
            7,
            SECOND,
            &Policy::default(),
            &given(),
        )
    };
    // The last of sixteen keyframes is at 3.75 s and represents the time until 3.875 s.
    let partly = of(&[copy(0.0, 6.0)], 0..16);
    assert_eq!(seconds(&partly), [2.125, 4.0, 3.875]);
    assert_eq!(
        (partly.verdict, codes(&partly)),
        (
            Verdict::PartlyPublished,
            vec![ReasonCode::Copy, ReasonCode::Benign]
        )
    );
    assert_eq!(partly.benign(), Duration::from_millis(3875));
    let rest = of(&[], 0..16);
    assert_eq!(
        (rest.verdict, seconds(&rest)),
        (Verdict::Unpublished, [0.0, 6.125, 3.875])
    );
    let all = of(&[], 0..40);
    assert_eq!(
        (all.verdict, codes(&all)),
        (Verdict::Inconclusive, vec![ReasonCode::Benign])
    );
}

#[test]
fn an_identical_file_is_a_copy_whatever_it_shows() {
    let same = Alignment::identical(
        VideoRef {
            segment: 0,
            video: 0,
        },
        Duration::from_secs(10),
    );
    assert_eq!(judged(&clip(10), &[same]).verdict, Verdict::Published);
}

#[test]
fn shots_too_short_to_be_recognised_are_not_payable() {
    let mut cutting = clip(10);
    cutting
        .keyframes
        .iter_mut()
        .filter(|k| k.time >= 4 * SECOND)
        .for_each(|k| k.cut = k.time.subsec_millis() == 0);
    let judgement = judged(&cutting, &[]);
    assert_eq!(judgement.verdict, Verdict::Inconclusive);
    assert_eq!(
        judgement.parts.last().and_then(|part| part.reason.clone()),
        Some(ReasonCode::QuickCuts.into())
    );
    let mut once = clip(10);
    once.keyframes[20].cut = true;
    assert_eq!(judged(&once, &[]).verdict, Verdict::Unpublished);
}

#[test]
fn undecoded_time_is_never_unpublished() {
    let mut truncated = clip(10);
    let reason = "file ends 4.0 s early".to_owned();
    truncated.undecoded = vec![Undecoded {
        start: 6 * SECOND,
        end: 10 * SECOND,
        reason,
    }];
    let judgement = judged(&truncated, &[]);
    assert_eq!(judgement.verdict, Verdict::Inconclusive);
    assert_eq!(seconds(&judgement), [0.0, 6.0, 4.0]);
    let text = "file ends 4.0 s early for 4.0 s".to_owned();
    assert_eq!(
        judgement.reasons,
        [Reason {
            code: ReasonCode::Undecoded,
            seconds: Some(4.0),
            text
        }]
    );
    assert_eq!(
        judged(&truncated, &[copy(0.0, 10.0)]).verdict,
        Verdict::Published
    );
}

#[test]
fn black_frozen_still_short_and_searched_against_nothing_are_inconclusive() {
    let with = |change: &dyn Fn(&mut Fingerprint)| {
        let mut changed = clip(10);
        change(&mut changed);
        let judgement = judged(&changed, &[]);
        (judgement.verdict, codes(&judgement))
    };
    let expected = |code| (Verdict::Inconclusive, vec![code]);
    let black = |clip: &mut Fingerprint| {
        clip.keyframes
            .iter_mut()
            .for_each(|k| k.content = Content::Black)
    };
    assert_eq!(with(&black), expected(ReasonCode::Black));
    let frozen = |clip: &mut Fingerprint| {
        clip.keyframes
            .iter_mut()
            .for_each(|k| k.still_since = Duration::ZERO)
    };
    assert_eq!(with(&frozen), expected(ReasonCode::Frozen));
    assert_eq!(with(&|clip| clip.frames = 1), expected(ReasonCode::Still));
    let short = judged(&clip(1), &[]);
    assert_eq!(
        (short.verdict, codes(&short)),
        (Verdict::Inconclusive, vec![ReasonCode::Short])
    );
    let empty = judge(&clip(10), &[], &[], 0, SECOND, &Policy::default(), &given());
    assert_eq!(
        (empty.verdict, codes(&empty)),
        (Verdict::Inconclusive, vec![ReasonCode::EmptyIndex])
    );
}

#[test]
fn black_parts_are_not_payable() {
    let mut faded = clip(10);
    faded
        .keyframes
        .iter_mut()
        .filter(|k| k.time >= 8 * SECOND)
        .for_each(|k| k.content = Content::Black);
    let judgement = judged(&faded, &[]);
    assert_eq!(judgement.verdict, Verdict::Unpublished);
    assert_eq!(seconds(&judgement), [0.0, 7.875, 2.125]);
}

#[test]
fn repeated_and_still_parts_may_be_published_but_are_not_payable() {
    for (code, mark) in [
        (
            ReasonCode::Repeated,
            (|keyframe| keyframe.repeats = true) as fn(&mut Keyframe),
        ),
        (ReasonCode::Still, |keyframe| keyframe.panned = true),
        (ReasonCode::Treated, |keyframe| {
            keyframe.content = Content::Treated
        }),
        (ReasonCode::Simple, |keyframe| {
            keyframe.content = Content::Simple
        }),
        (ReasonCode::Flat, |keyframe| {
            keyframe.content = Content::Flat
        }),
    ] {
        let mut marked = clip(10);
        marked.keyframes[24..].iter_mut().for_each(mark);
        let judgement = judged(&marked, &[]);
        assert_eq!(
            (judgement.verdict, seconds(&judgement)),
            (Verdict::Unpublished, [0.0, 5.875, 4.125]),
            "{code:?}"
        );
        assert_eq!(codes(&judgement), [code, ReasonCode::NoMatch]);
        assert_eq!(
            judged(&marked, &[copy(0.0, 10.0)]).verdict,
            Verdict::Published,
            "{code:?}"
        );
    }
}

#[test]
fn holes_between_copies_do_not_depend_on_their_order() {
    let ends = [(0.0, 1.2), (2.4, 3.0), (3.6, 4.2), (4.2, 6.0)];
    let judge_from = |strongest: usize| {
        let mut copies: Vec<Alignment> =
            ends.iter().map(|&(start, end)| copy(start, end)).collect();
        copies[strongest].evidence.total += 100.0;
        copies.swap(0, strongest);
        seconds(&judged(&clip(6), &copies))
    };
    let all: Vec<[f64; 3]> = (0..ends.len()).map(judge_from).collect();
    assert!(
        all.iter().all(|other| *other == all[0]) && all[0][2] > 0.0,
        "{all:?}"
    );
}

#[test]
fn nothing_shorter_than_a_millisecond_is_left_between_parts() {
    let mut line = Timeline::new(10 * SECOND);
    let end = 4 * SECOND;
    line.paint(
        Span {
            start: Duration::ZERO,
            end,
        },
        SpanState::Unsearchable,
        Some(ReasonCode::Benign.into()),
    );
    let start = end + Duration::from_nanos(38);
    line.paint(
        Span {
            start,
            end: 10 * SECOND,
        },
        SpanState::Unsearchable,
        Some(ReasonCode::Undecided.into()),
    );
    assert_eq!(
        line.unpublished(Span {
            start: Duration::ZERO,
            end: 10 * SECOND
        }),
        start - end
    );
    let parts = line.into_parts(SECOND);
    assert_eq!(
        parts.iter().map(|part| part.state).collect::<Vec<_>>(),
        [SpanState::Unsearchable; 2]
    );
}
