//! Properties of all judgements.

use super::*;
use proptest::collection::vec;

/// Video, probability in thousandths, start and length in half seconds, bits, guard interval,
/// whether it is mirrored.
type Made = (u32, u32, u32, u32, f32, u32, bool);

/// Alignments of all classes with a clip of a minute; no two have equal evidence.
fn alignments() -> impl Strategy<Value = Vec<Alignment>> {
    let one = (
        0u32..3,
        1u32..999,
        0u32..108,
        2u32..40,
        12.0f32..60.0,
        0u32..2,
        prop::bool::ANY,
    );
    vec(one, 0..8).prop_map(|all| {
        let made = |(number, (video, per_mille, start, length, total, beside, mirrored)): (
            usize,
            Made,
        )| {
            let (from, to) = (start as f32 / 2.0, (start + length).min(120) as f32 / 2.0);
            let alignment = likely(per_mille as f32 / 1000.0, from, to);
            let total = total + number as f32 * 1e-2;
            Alignment {
                orientation: if mirrored {
                    Orientation::MIRRORED
                } else {
                    Orientation::UPRIGHT
                },
                guard: span((from - beside as f32).max(0.0), to + 2.0 * beside as f32),
                ..of_video(video, with_bits(total, alignment))
            }
        };
        all.into_iter().enumerate().map(made).collect()
    })
}

fn state_at(judgement: &Judgement, time: Duration) -> SpanState {
    let part = judgement
        .parts
        .iter()
        .find(|part| part.span.start <= time && time < part.span.end);
    part.expect("a part of every time").state
}

/// The middles of half seconds.
fn times() -> impl Iterator<Item = Duration> {
    (0..120).map(|i| SECOND * i / 2 + SECOND / 4)
}

fn costs(false_published: f32, false_payable: f32) -> Policy {
    Policy {
        false_published,
        false_payable,
        ..Policy::default()
    }
}

proptest! {
    #[test]
    fn the_order_of_alignments_makes_no_difference(
        (alignments, shuffled) in alignments().prop_flat_map(|all| {
            let numbers: Vec<usize> = (0..all.len()).collect();
            (Just(all), Just(numbers).prop_shuffle())
        }),
    ) {
        let other: Vec<Alignment> = shuffled.iter().map(|&i| alignments[i].clone()).collect();
        let (one, other) = (judged(&clip(60), &alignments), judged(&clip(60), &other));
        prop_assert_eq!(&one.parts, &other.parts);
        prop_assert_eq!((one.verdict, one.reasons, one.timeline), (other.verdict, other.reasons, other.timeline));
        let mut matches: Vec<_> = other.matches.into_iter().map(|(i, kind)| (shuffled[i], kind)).collect();
        let mut expected = one.matches;
        matches.sort_by_key(|found| found.0);
        expected.sort_by_key(|found| found.0);
        prop_assert_eq!(matches, expected);
    }

    #[test]
    fn copies_are_published_and_undecided_matches_are_not_payable(alignments in alignments()) {
        let judgement = judged(&clip(60), &alignments);
        for time in times() {
            let within = |kind| {
                let of_kind = judgement.matches.iter().filter(|found| found.1 == kind);
                let mut spans = of_kind.map(|found| alignments[found.0].clip);
                spans.any(|span| span.start <= time && time < span.end)
            };
            let state = state_at(&judgement, time);
            if within(MatchKind::Copy) {
                prop_assert_eq!(state, SpanState::Published);
            } else if within(MatchKind::Undecided) {
                prop_assert_ne!(state, SpanState::Unpublished);
            }
        }
    }

    #[test]
    fn a_higher_cost_of_false_positives_never_publishes_more(
        alignments in alignments(), cost in 1.0f32..1000.0, factor in 1.0f32..10.0, payable in 1.0f32..100.0,
    ) {
        let of = |cost| by_policy(&costs(cost, payable), &clip(60), &alignments).total(SpanState::Published);
        prop_assert!(of(cost * factor) <= of(cost));
    }

    #[test]
    fn a_higher_cost_of_payable_copies_never_pays_more(
        alignments in alignments(), cost in 1.0f32..1000.0, factor in 1.0f32..10.0, published in 1.0f32..100.0,
    ) {
        let of = |cost| by_policy(&costs(published, cost), &clip(60), &alignments);
        let (cheap, dear) = (of(cost), of(cost * factor));
        for time in times() {
            let payable = |judgement| state_at(judgement, time) == SpanState::Unpublished;
            prop_assert!(payable(&cheap) || !payable(&dear), "{time:?}");
        }
    }

    #[test]
    fn a_higher_cost_of_false_positives_never_pays_more(
        alignments in alignments(),
        cost in 2.0f32..1000.0, factor in 1.0f32..10.0, payable in 1.0f32..100.0,
        black in vec(0usize..240, 0..20), benign in vec(0usize..240, 0..20),
    ) {
        let mut clip = clip(60);
        black.iter().for_each(|&at| clip.keyframes[at].content = Content::Black);
        let of = |cost| {
            let policy = costs(cost, payable);
            judge(&clip, &alignments, &benign, 7, SECOND, &policy, &given())
        };
        let (cheap, dear) = (of(cost), of(cost * factor));
        for time in times() {
            let payable = |judgement| state_at(judgement, time) == SpanState::Unpublished;
            prop_assert!(payable(&cheap) || !payable(&dear), "{time:?}");
        }
    }

    #[test]
    fn what_is_neither_a_copy_nor_undecided_changes_no_part(alignments in alignments()) {
        let judgement = judged(&clip(60), &alignments);
        let limit = Policy::default().payable_max();
        let likely = judgement.opinions.iter().map(|opinion| opinion.probability > limit);
        let others = alignments.iter().zip(likely).filter(|(_, likely)| *likely);
        let others: Vec<Alignment> = others.map(|(alignment, _)| alignment.clone()).collect();
        prop_assert_eq!(judged(&clip(60), &others).parts, judgement.parts);
    }

    #[test]
    fn no_second_that_may_be_a_copy_is_payable(alignments in alignments()) {
        let (policy, judgement) = (Policy::default(), judged(&clip(60), &alignments));
        for (alignment, opinion) in alignments.iter().zip(&judgement.opinions) {
            let within = |time: &Duration| alignment.clip.start <= *time && *time < alignment.clip.end;
            for time in times().filter(within).filter(|_| opinion.probability > policy.payable_max()) {
                prop_assert_ne!(state_at(&judgement, time), SpanState::Unpublished, "{:?} {}", time, opinion.probability);
            }
        }
    }

    #[test]
    fn the_parts_cover_the_clip_once(
        painted in vec((0u32..12_000, 0u32..12_000, 0usize..3), 0..12),
    ) {
        let mut line = Timeline::new(10 * SECOND);
        let whole = Span { start: Duration::ZERO, end: 10 * SECOND };
        // The expected state of each millisecond.
        let mut truth = vec![SpanState::Unpublished; 10_000];
        for (a, b, state) in painted {
            let [start, end] = [a.min(b), a.max(b)].map(|ms| Duration::from_millis(ms.into()));
            let [from, to] = [a.min(b), a.max(b)].map(|ms| (ms as usize).min(truth.len()));
            let state = [SpanState::Published, SpanState::Unpublished, SpanState::Unsearchable][state];
            let reason = (state != SpanState::Unpublished).then_some([ReasonCode::Beside, ReasonCode::Black][(a % 2) as usize].into());
            line.paint(Span { start, end }, state, reason);
            truth[from..to].fill(state);
            if b % 3 == 0 {
                line.fill(Span { start, end }, ReasonCode::Beside);
                truth[from..to].iter_mut().filter(|was| **was == SpanState::Unpublished).for_each(|was| *was = SpanState::Unsearchable);
                prop_assert_eq!(line.unpublished(Span { start, end }), Duration::ZERO);
            }
            let unpublished = truth.iter().filter(|was| **was == SpanState::Unpublished).count();
            prop_assert_eq!(line.unpublished(whole), Duration::from_millis(unpublished as u64));
        }
        let parts = line.into_parts(SECOND);
        let published = truth.iter().filter(|was| **was == SpanState::Published).count();
        prop_assert!(total(&parts, SpanState::Published) >= Duration::from_millis(published as u64));
        for part in &parts {
            let of_part = part.span.start.as_millis() as usize..part.span.end.as_millis() as usize;
            let same = truth[of_part].iter().all(|was| *was == part.state || *was == SpanState::Unpublished);
            prop_assert!(same, "{part:?}");
        }
        prop_assert_eq!(parts[0].span.start, Duration::ZERO);
        prop_assert_eq!(parts[parts.len() - 1].span.end, 10 * SECOND);
        for pair in parts.windows(2) {
            prop_assert_eq!(pair[0].span.end, pair[1].span.start);
            prop_assert!((pair[0].state, &pair[0].reason) != (pair[1].state, &pair[1].reason));
        }
    }
}
