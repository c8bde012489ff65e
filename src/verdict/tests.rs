//! What is judged of made alignments.

use super::class::UNTIMED_BITS;
use super::*;
use crate::align::{Contrast, Found, Moved, Similarity, Tally, Timing};
use crate::evidence::Evidence;
use crate::fingerprint::{Keyframe, Motion, Orientation};
use crate::index::VideoRef;
use crate::media::{StreamInfo, Undecoded};
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);

/// A clip with four keyframes a second, all searchable and moving.
fn clip(seconds: u32) -> Fingerprint {
    let keyframe = |i: u32| {
        let time = i * SECOND / 4;
        Keyframe { time, content: Content::Searchable, still_since: time, cut: false, repeats: false, panned: false }
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
    Span { start: Duration::from_secs_f32(start), end: Duration::from_secs_f32(end) }
}

/// The timing of so many pictures on each side of which so many fit best at the claimed time; a fifth would by chance.
fn pictures(asked: f32, best: f32) -> Timing {
    let tally = Tally { asked, best, by_chance: 0.2 * asked };
    Timing { source_pictures: tally, clip_pictures: tally, ..Timing::default() }
}

/// An alignment of all that a copy has.
fn copy(start: f32, end: f32) -> Alignment {
    Alignment {
        video: VideoRef { segment: 0, video: 0 },
        orientation: Orientation::UPRIGHT,
        clip: span(start, end),
        beside: span(start, end),
        reference: span(start, end),
        speed: 1.0,
        geometry: Similarity { scale: 1.0, x: 0.0, y: 0.0 },
        evidence: Evidence { total: 500.0, moment: 300.0, sustained: 200.0 },
        hits: 40,
        found: Found { reference: 0.9, clip_scene: 0.3, clip_moment: 0.2, clip_moments: 100 },
        contrast: Contrast { here: 500.0, elsewhere: 100.0, moment_here: 300.0, moment_elsewhere: 30.0 },
        timing: pictures(20.0, 17.0),
        moved: Moved::default(),
        jumps: false,
        outdone: false,
        identical: false,
    }
}

/// The same place at another time: the scene agrees as well at other times of the source, the clip's own moment is
/// not found.
fn other_take(start: f32, end: f32) -> Alignment {
    Alignment {
        evidence: Evidence { total: 400.0, moment: 12.0, sustained: 0.0 },
        found: Found { reference: 0.4, clip_scene: 0.3, clip_moment: 0.01, clip_moments: 100 },
        contrast: Contrast { here: 420.0, elsewhere: 400.0, moment_here: 15.0, moment_elsewhere: 15.0 },
        timing: pictures(20.0, 4.5),
        ..copy(start, end)
    }
}

fn judged(clip: &Fingerprint, alignments: &[Alignment]) -> Judgement {
    judge(clip, alignments, &[], 7, SECOND, &Policy::default())
}

fn seconds(judgement: &Judgement) -> [f64; 3] {
    [SpanState::Published, SpanState::Unpublished, SpanState::Unsearchable]
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
fn a_jump_between_moments_is_proven_by_what_is_seen_once() {
    let leg = |moment: f32| Alignment {
        evidence: Evidence { total: 500.0, moment, sustained: 0.0 },
        jumps: true,
        ..copy(0.0, 10.0)
    };
    let verdict = |alignment: Alignment| judged(&clip(10), &[alignment]).verdict;
    assert_eq!(verdict(leg(29.0)), Verdict::Inconclusive);
    assert_eq!(verdict(leg(30.0)), Verdict::Published);
    assert_eq!(verdict(Alignment { jumps: false, ..leg(29.0) }), Verdict::Published);
    // Nor may it agree as well with other times, or move otherwise.
    let contrast = Contrast { elsewhere: 460.0, ..leg(170.0).contrast };
    assert_eq!(verdict(Alignment { contrast, ..leg(170.0) }), Verdict::Inconclusive);
    // Unless much is seen once.
    assert_eq!(verdict(Alignment { contrast, ..leg(180.0) }), Verdict::Published);
    let still = Tally { asked: 8.0, best: 3.0, by_chance: 2.0 };
    let moved = |correlations| Moved { pictures: still, correlations, ..Moved::default() };
    assert_eq!(verdict(Alignment { moved: moved(1.2), ..leg(300.0) }), Verdict::Inconclusive);
    assert_eq!(verdict(Alignment { moved: moved(2.4), ..leg(300.0) }), Verdict::Published);
    let evidence = Evidence { sustained: 40.0, ..leg(300.0).evidence };
    assert_eq!(verdict(Alignment { moved: moved(1.2), evidence, ..leg(300.0) }), Verdict::Published);
}

#[test]
fn what_fits_better_at_another_time_is_no_copy() {
    let judgement = judged(&clip(10), &[Alignment { outdone: true, ..copy(2.0, 8.0) }]);
    assert_eq!((judgement.verdict, seconds(&judgement)), (Verdict::Inconclusive, [0.0, 4.0, 6.0]));
    // Nor is it known to be another: the clip may well show the time that fits better.
    let judgement = judged(&clip(10), &[Alignment { outdone: true, ..other_take(2.0, 8.0) }]);
    assert_eq!((judgement.verdict, seconds(&judgement)), (Verdict::Inconclusive, [0.0, 4.0, 6.0]));
}

#[test]
fn what_lies_beside_a_copy_on_its_time_line_is_not_payable() {
    let beside = Alignment { beside: span(1.0, 8.0), ..copy(3.0, 6.0) };
    let judgement = judged(&clip(10), &[beside]);
    assert_eq!(seconds(&judgement), [3.0, 3.0, 4.0]);
    assert!(judgement.parts[1].reason.as_ref().is_some_and(|reason| reason.code == ReasonCode::Beside));
    // Of so short a part even another moment of the scene, told beside it, is mistaken more often than right.
    let judgement = judged(&clip(10), &[Alignment { beside: span(1.0, 8.0), ..copy(3.0, 6.0) }, other_take(7.0, 10.0)]);
    assert_eq!(seconds(&judgement), [3.0, 3.0, 4.0]);
}

#[test]
fn a_gap_in_a_copy_is_not_payable_if_it_is_short_and_the_copy_is_not() {
    let gap = |from: f32, to: f32| [copy(0.0, from), copy(to, 10.0)];
    assert_eq!(seconds(&judged(&clip(10), &gap(4.0, 5.0))), [9.0, 0.0, 1.0]);
    assert_eq!(seconds(&judged(&clip(10), &gap(4.0, 7.0))), [7.0, 0.0, 3.0]);
    assert_eq!(seconds(&judged(&clip(10), &gap(3.0, 6.5))), [6.5, 3.5, 0.0]);
    assert_eq!(seconds(&judged(&clip(10), &gap(1.5, 4.0))), [7.5, 2.5, 0.0]);
    assert_eq!(seconds(&judged(&clip(10), &gap(6.0, 8.5))), [7.5, 2.5, 0.0]);
    // Of a gap that is black for the most part little is left.
    let mut faded = clip(10);
    faded.keyframes[6..12].iter_mut().for_each(|keyframe| keyframe.content = Content::Black);
    assert_eq!(seconds(&judged(&faded, &gap(1.5, 4.0))), [7.5, 0.0, 2.5]);
    // Not between any two copies.
    let [first, next] = gap(4.0, 5.0);
    let elsewhere = Alignment { reference: span(20.0, 25.0), ..next };
    assert_eq!(seconds(&judged(&clip(10), &[first, elsewhere])), [9.0, 1.0, 0.0]);
}

#[test]
fn what_lies_beside_two_copies_is_the_same_whichever_is_stronger() {
    let weaker = Evidence { total: 400.0, ..copy(0.0, 1.0).evidence };
    let [first, next] = [copy(0.0, 6.0), Alignment { beside: span(7.0, 10.0), ..copy(8.5, 10.0) }];
    let second_weaker = [first.clone(), Alignment { evidence: weaker, ..next.clone() }];
    let first_weaker = [next, Alignment { evidence: weaker, ..first }];
    // Of two seconds and a half between them one is told apart from both, and the shorter copy has more.
    for copies in [second_weaker, first_weaker] {
        assert_eq!(seconds(&judged(&clip(10), &copies)), [7.5, 0.0, 2.5]);
    }
}

#[test]
fn a_pose_that_comes_back_is_no_copy() {
    let face = |best: f32, elsewhere: f32, moment: f32, sustained: f32| Alignment {
        evidence: Evidence { total: 300.0, moment, sustained },
        contrast: Contrast { here: 340.0, elsewhere, moment_here: 20.0, moment_elsewhere: 20.0 },
        timing: pictures(7.0, best),
        ..copy(0.0, 10.0)
    };
    let verdict = |alignment: Alignment| judged(&clip(10), &[alignment]).verdict;
    // Four of seven pictures fit best at the time, and at other times two thirds of the bits are found too.
    assert_eq!(verdict(face(4.0, 230.0, 20.0, 0.0)), Verdict::Inconclusive);
    assert_eq!(verdict(face(5.0, 230.0, 20.0, 0.0)), Verdict::Published);
    assert_eq!(verdict(face(4.0, 170.0, 20.0, 0.0)), Verdict::Published);
    // What is seen once may speak in their place.
    assert_eq!(verdict(face(4.0, 230.0, 127.0, 16.0)), Verdict::Inconclusive);
    assert_eq!(verdict(face(4.0, 230.0, 77.0, 45.0)), Verdict::Inconclusive);
    assert_eq!(verdict(face(4.0, 230.0, 90.0, 40.0)), Verdict::Published);
    assert_eq!(verdict(face(4.0, 230.0, 180.0, 0.0)), Verdict::Published);
}

#[test]
fn the_times_of_one_instant_prove_no_moment() {
    let instant = |end: f32, elsewhere: f32| Alignment {
        evidence: Evidence { total: 140.0, moment: 20.0, sustained: 0.0 },
        contrast: Contrast { here: 240.0, elsewhere, moment_here: 20.0, moment_elsewhere: 20.0 },
        timing: pictures(12.0, 12.0),
        ..copy(0.0, end)
    };
    let verdict = |alignment: Alignment| judged(&clip(10), &[alignment]).verdict;
    assert_eq!(verdict(instant(1.0, 240.0)), Verdict::Inconclusive);
    assert_eq!(verdict(instant(1.6, 240.0)), Verdict::PartlyPublished);
    assert_eq!(verdict(instant(1.0, 140.0)), Verdict::PartlyPublished);
}

#[test]
fn what_a_time_line_pays_does_not_make_it_another_take() {
    // Six bits speak for the moment, which is too little once six are paid, and not a sign of another one.
    let paid = |paid: f32| Alignment {
        timing: Timing { paid, ..pictures(12.0, 7.5) },
        contrast: Contrast { here: 420.0, elsewhere: 400.0, moment_here: 15.0, moment_elsewhere: 15.0 },
        ..other_take(0.0, 10.0)
    };
    let bits = |alignment: &Alignment| alignment.timing.bits();
    assert!(bits(&paid(0.0)) >= UNTIMED_BITS && bits(&paid(6.0)) < UNTIMED_BITS, "{}", bits(&paid(0.0)));
    assert_eq!(judged(&clip(10), &[paid(6.0)]).verdict, Verdict::Inconclusive);
    assert_eq!(judged(&clip(10), &[other_take(0.0, 10.0)]).verdict, Verdict::Unpublished);
}

#[test]
fn times_alone_prove_a_moment_only_by_far() {
    // Heads that sway alike: all is seen at other times too, and yet pose after pose fits best at one.
    let swaying = |elsewhere: f32, timing: Timing| Alignment {
        evidence: Evidence { total: 900.0, moment: 0.0, sustained: 0.0 },
        contrast: Contrast { here: 1000.0, elsewhere, moment_here: 0.0, moment_elsewhere: 0.0 },
        timing,
        ..copy(0.0, 10.0)
    };
    let (well, longer, all) = (pictures(24.0, 18.0), pictures(40.0, 30.0), pictures(9.0, 9.0));
    assert!((20.0..30.0).contains(&well.bits()) && longer.bits() > 35.0 && all.bits() < 25.0);
    assert_eq!(judged(&clip(10), &[swaying(900.0, well)]).verdict, Verdict::Inconclusive);
    assert_eq!(judged(&clip(10), &[swaying(840.0, well)]).verdict, Verdict::Published);
    let contrast = Contrast { here: 1000.0, elsewhere: 900.0, moment_here: 80.0, moment_elsewhere: 70.0 };
    let unique = Evidence { total: 900.0, moment: 40.0, sustained: 20.0 };
    let seen_once = Alignment { evidence: unique, contrast, ..swaying(900.0, well) };
    assert_eq!(judged(&clip(10), std::slice::from_ref(&seen_once)).verdict, Verdict::Published);
    // One second that is seen once by far is enough of that, a lesser one is not.
    for (moment, verdict) in [(150.0, Verdict::Inconclusive), (200.0, Verdict::Published)] {
        let instant = Evidence { total: 900.0, moment, sustained: 0.0 };
        assert_eq!(judged(&clip(10), &[Alignment { evidence: instant, ..seen_once.clone() }]).verdict, verdict);
    }
    assert_eq!(judged(&clip(10), &[swaying(900.0, longer)]).verdict, Verdict::Published);
    assert_eq!(judged(&clip(10), &[swaying(900.0, all)]).verdict, Verdict::Published);
}

/// What moves, in so many pictures of which so many fit best at the claimed time, where they correlate so well, and so well
/// at best elsewhere.
fn moved(asked: f32, best: f32, likeness: f32, elsewhere: f32) -> Moved {
    let pictures = Tally { asked, best, by_chance: 0.16 * asked };
    Moved { pictures, correlations: likeness * asked, on_line: likeness, elsewhere }
}

#[test]
fn what_moves_proves_a_moment_that_no_key_tells() {
    let still = |moved: Moved| Alignment { moved, ..other_take(0.0, 10.0) };
    let verdict = |moved: Moved| judged(&clip(10), &[still(moved)]).verdict;
    assert_eq!(verdict(moved(48.0, 46.0, 0.6, 0.2)), Verdict::Published);
    assert_eq!(verdict(moved(48.0, 46.0, 0.6, 0.0)), Verdict::Published);
    // People walk the same way again, a head sways, something else moves, or too little does.
    assert_eq!(verdict(moved(39.0, 37.0, 0.65, 0.63)), Verdict::Inconclusive);
    assert_eq!(verdict(moved(75.0, 52.0, 0.5, 0.33)), Verdict::Inconclusive);
    assert_eq!(verdict(moved(60.0, 50.0, 0.3, 0.1)), Verdict::Inconclusive);
    assert_eq!(verdict(moved(10.0, 10.0, 0.7, 0.1)), Verdict::Inconclusive);
    assert_eq!(verdict(moved(48.0, 8.0, 0.1, 0.1)), Verdict::Unpublished);
    // Other times were not compared.
    assert_eq!(verdict(Moved { on_line: 0.0, ..moved(48.0, 46.0, 0.6, 0.0) }), Verdict::Inconclusive);
    // A time line that was chosen by it pays.
    let paid = |paid: f32| {
        let few = still(moved(16.0, 16.0, 0.6, 0.1));
        judged(&clip(10), &[Alignment { timing: Timing { paid, ..few.timing }, ..few }]).verdict
    };
    assert_eq!((paid(0.0), paid(6.0)), (Verdict::Published, Verdict::Inconclusive));
    // Another walks the same way: little of the source is shown, and its pictures fit no better at this time.
    let another = still(moved(28.0, 25.0, 0.42, 0.15));
    let another = Alignment { found: Found { reference: 0.3, ..another.found }, ..another };
    assert!(another.timing.bits() < UNTIMED_BITS);
    assert_eq!(judged(&clip(10), std::slice::from_ref(&another)).verdict, Verdict::Inconclusive);
    let timed = Alignment { timing: pictures(24.0, 13.0), ..another };
    assert!((UNTIMED_BITS..8.0).contains(&timed.timing.bits()), "{}", timed.timing.bits());
    assert_eq!(judged(&clip(10), &[timed]).verdict, Verdict::Published);
    // An instant is no passage.
    let instant = Alignment { moved: moved(48.0, 46.0, 0.6, 0.2), ..other_take(0.0, 1.4) };
    assert_eq!(judged(&clip(10), &[instant]).verdict, Verdict::Inconclusive);
}

#[test]
fn times_prove_nothing_where_something_else_moves() {
    let evidence = Evidence { total: 500.0, moment: 20.0, sustained: 0.0 };
    let verdict = |moved: Moved| judged(&clip(10), &[Alignment { moved, evidence, ..copy(0.0, 10.0) }]).verdict;
    assert_eq!(verdict(moved(40.0, 30.0, 0.5, 0.2)), Verdict::Published);
    assert_eq!(verdict(moved(40.0, 8.0, 0.12, 0.1)), Verdict::Inconclusive);
    assert_eq!(verdict(moved(40.0, 24.0, 0.5, 0.5)), Verdict::Inconclusive);
    // Of a few pictures nothing is made, and what is seen once is enough: an overlay may be what moves.
    assert_eq!(verdict(moved(19.0, 4.0, 0.12, 0.1)), Verdict::Published);
    let seen_once = Alignment { moved: moved(40.0, 8.0, 0.12, 0.1), ..copy(0.0, 10.0) };
    assert_eq!(judged(&clip(10), &[seen_once]).verdict, Verdict::Published);
}

#[test]
fn what_moves_as_at_another_time_is_no_copy_if_its_keys_are_found_there_too() {
    // The same pose, framed alike twice: keys are seen once, and pictures fit best at one time.
    let alike = |asked: f32, likeness: f32, elsewhere: f32| Alignment {
        contrast: Contrast { here: 343.0, elsewhere, moment_here: 343.0, moment_elsewhere: 330.0 },
        evidence: Evidence { total: 194.0, moment: 164.0, sustained: 111.0 },
        moved: moved(asked, 5.0, likeness, 0.22),
        found: Found { reference: 0.35, ..copy(0.0, 10.0).found },
        ..copy(0.0, 10.0)
    };
    let verdict = |alignment: Alignment| judged(&clip(10), &[alignment]).verdict;
    let (pictures, least, most) = (19.0, 0.14, 330.0);
    assert_eq!(verdict(alike(pictures, least, most)), Verdict::Inconclusive);
    assert_eq!(verdict(alike(pictures, 0.3, most)), Verdict::Inconclusive);
    // It moves far better so at its own time, the keys are not found at others, or too little moves.
    assert_eq!(verdict(alike(pictures, 0.4, most)), Verdict::Published);
    assert_eq!(verdict(alike(pictures, least, 200.0)), Verdict::Published);
    assert_eq!(verdict(alike(8.0, least, most)), Verdict::Published);
    // Half of the source is shown.
    let shown = Found { reference: 0.6, ..copy(0.0, 10.0).found };
    assert_eq!(verdict(Alignment { found: shown, ..alike(pictures, least, most) }), Verdict::Published);
}

#[test]
fn hardly_any_timing_of_hardly_any_picture_proves_nothing() {
    // A cat that walks past keys which are nowhere else, a moment apart.
    let evidence = Evidence { total: 184.0, moment: 108.0, sustained: 41.0 };
    let contrast = Contrast { here: 184.0, elsewhere: 100.0, moment_here: 108.0, moment_elsewhere: 100.0 };
    let verdict = |asked: f32, best: f32, reference: f32| {
        let found = Found { reference, clip_moment: 0.05, ..copy(0.0, 3.0).found };
        let keys = Tally { asked: 6.0, best: 4.0, by_chance: 1.5 };
        let timing = Timing { clip_keys: keys, source_keys: keys, ..pictures(asked, best) };
        assert!((2.0..5.0).contains(&timing.bits()), "{}", timing.bits());
        judged(&clip(3), &[Alignment { evidence, contrast, found, timing, ..copy(0.0, 3.0) }]).verdict
    };
    // Nor does it prove another moment, where so much less agrees at other times.
    assert_eq!(verdict(1.0, 1.0, 0.3), Verdict::Inconclusive);
    assert_eq!(verdict(1.0, 1.0, 0.5), Verdict::Published);
    assert_eq!(verdict(6.0, 3.0, 0.3), Verdict::Published);
}

#[test]
fn playing_backwards_is_proved_by_more() {
    let backwards = |best: f32| Alignment { speed: -1.0, timing: pictures(12.0, best), ..copy(0.0, 10.0) };
    let (some, many) = (backwards(9.0), backwards(12.0));
    assert!((11.0..20.0).contains(&some.timing.bits()) && many.timing.bits() > 20.0);
    assert_eq!(judged(&clip(10), &[some]).verdict, Verdict::Inconclusive);
    assert_eq!(judged(&clip(10), &[many]).verdict, Verdict::Published);
}

#[test]
fn what_is_left_beside_a_copy_for_less_than_an_interval_belongs_to_it() {
    let judgement = judged(&clip(10), &[copy(0.6, 9.5)]);
    assert_eq!(judgement.verdict, Verdict::Published);
    assert_eq!(seconds(&judgement), [10.0, 0.0, 0.0]);
}

#[test]
fn what_shows_benign_material_is_neither_published_nor_payable() {
    let of = |alignments: &[Alignment], keyframes: std::ops::Range<usize>| {
        let benign: Vec<usize> = keyframes.collect();
        judge(&clip(10), alignments, &benign, 7, SECOND, &Policy::default())
    };
    // The last of sixteen keyframes is at 3.75 s, and stands for an eighth of a second more.
    let partly = of(&[copy(0.0, 6.0)], 0..16);
    assert_eq!(seconds(&partly), [2.125, 4.0, 3.875]);
    assert_eq!(
        (partly.verdict, codes(&partly)),
        (Verdict::PartlyPublished, vec![ReasonCode::Copy, ReasonCode::Benign])
    );
    assert_eq!(partly.benign(), Duration::from_millis(3875));
    let rest = of(&[], 0..16);
    assert_eq!((rest.verdict, seconds(&rest)), (Verdict::Unpublished, [0.0, 6.125, 3.875]));
    let all = of(&[], 0..40);
    assert_eq!((all.verdict, codes(&all)), (Verdict::Inconclusive, vec![ReasonCode::Benign]));
}

#[test]
fn another_take_is_related_and_not_published() {
    let judgement = judged(&clip(10), &[other_take(0.0, 10.0)]);
    assert_eq!(judgement.verdict, Verdict::Unpublished);
    assert_eq!(judgement.matches, [(0, MatchKind::SameScene)]);
    assert_eq!(codes(&judgement), [ReasonCode::SameScene, ReasonCode::NoMatch]);
}

#[test]
fn a_scene_without_a_moment_of_its_own_is_inconclusive() {
    let still = Found { clip_moments: 2, ..other_take(0.0, 10.0).found };
    let judgement = judged(&clip(10), &[Alignment { found: still, ..other_take(0.0, 10.0) }]);
    assert_eq!(judgement.verdict, Verdict::Inconclusive);
    assert_eq!(seconds(&judgement), [0.0, 0.0, 10.0]);
    assert_eq!(codes(&judgement), [ReasonCode::Ambiguous]);
}

#[test]
fn one_instant_that_looks_alike_is_no_copy() {
    let instant = Evidence { sustained: 3.0, ..copy(0.0, 1.0).evidence };
    let everywhere = Contrast { elsewhere: 480.0, ..copy(0.0, 1.0).contrast };
    let timing = pictures(2.0, 2.0);
    let judgement =
        judged(&clip(10), &[Alignment { evidence: instant, contrast: everywhere, timing, ..copy(0.0, 1.0) }]);
    assert_ne!(judgement.matches, [(0, MatchKind::Copy)]);
    assert_eq!(judgement.total(SpanState::Published), Duration::ZERO);
}

#[test]
fn a_slow_scene_whose_pictures_fit_best_at_their_time_is_a_copy() {
    let slow = Alignment { timing: copy(0.0, 10.0).timing, ..other_take(0.0, 10.0) };
    assert_eq!(judged(&clip(10), &[slow]).verdict, Verdict::Published);
}

#[test]
fn a_moment_whose_pictures_fit_best_at_other_times_is_no_copy() {
    let timing = pictures(12.0, 2.0);
    let judgement = judged(&clip(10), &[Alignment { timing, ..copy(0.0, 10.0) }]);
    assert_eq!(judgement.verdict, Verdict::Inconclusive);
    assert_eq!(codes(&judgement), [ReasonCode::Ambiguous]);
}

#[test]
fn the_very_file_is_a_copy_whatever_it_shows() {
    let same = Alignment::identical(VideoRef { segment: 0, video: 0 }, Duration::from_secs(10));
    assert_eq!(judged(&clip(10), &[same]).verdict, Verdict::Published);
}

#[test]
fn pictures_that_speak_against_the_time_prove_nothing() {
    let timing = pictures(200.0, 0.0);
    assert_eq!(judged(&clip(10), &[Alignment { timing, ..copy(0.0, 10.0) }]).matches[0].1, MatchKind::SameScene);
}

#[test]
fn too_little_evidence_is_the_nearest_non_match_and_is_paid_only_if_chance_gives_as_much() {
    let weak = |total, span: Alignment| {
        let evidence = Evidence { total, moment: total, sustained: 10.0 };
        judged(&clip(10), &[Alignment { evidence, ..span }])
    };
    let by_chance = weak(15.9, copy(0.0, 10.0));
    assert_eq!((by_chance.verdict, by_chance.nearest), (Verdict::Unpublished, Some(0)));
    let undecided = weak(16.0, copy(0.0, 10.0));
    assert_eq!((undecided.verdict, undecided.nearest), (Verdict::Inconclusive, Some(0)));
    assert!(by_chance.matches.is_empty() && undecided.matches.is_empty());
    // Three seconds on either side are not paid either, and the rest decides.
    let short = weak(29.0, copy(0.0, 1.0));
    assert_eq!(short.verdict, Verdict::Unpublished);
    assert_eq!(short.parts[0].reason, Some(ReasonCode::Undecided.into()));
    assert_eq!(short.total(SpanState::Unpublished), Duration::from_secs(6));
}

#[test]
fn shots_too_short_to_be_recognised_are_not_paid() {
    let mut cutting = clip(10);
    cutting.keyframes.iter_mut().filter(|k| k.time >= 4 * SECOND).for_each(|k| k.cut = k.time.subsec_millis() == 0);
    let judgement = judged(&cutting, &[]);
    assert_eq!(judgement.verdict, Verdict::Inconclusive);
    assert_eq!(judgement.parts.last().and_then(|part| part.reason.clone()), Some(ReasonCode::QuickCuts.into()));
    let mut once = clip(10);
    once.keyframes[20].cut = true;
    assert_eq!(judged(&once, &[]).verdict, Verdict::Unpublished);
}

#[test]
fn what_was_not_decoded_is_never_unpublished() {
    let mut truncated = clip(10);
    let reason = "file ends 4.0 s early".to_owned();
    truncated.undecoded = vec![Undecoded { start: 6 * SECOND, end: 10 * SECOND, reason }];
    let judgement = judged(&truncated, &[]);
    assert_eq!(judgement.verdict, Verdict::Inconclusive);
    assert_eq!(seconds(&judgement), [0.0, 6.0, 4.0]);
    let text = "file ends 4.0 s early for 4.0 s".to_owned();
    assert_eq!(judgement.reasons, [Reason { code: ReasonCode::Undecoded, seconds: Some(4.0), text }]);
    assert_eq!(judged(&truncated, &[copy(0.0, 10.0)]).verdict, Verdict::Published);
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
    let black = |clip: &mut Fingerprint| clip.keyframes.iter_mut().for_each(|k| k.content = Content::Black);
    assert_eq!(with(&black), expected(ReasonCode::Black));
    let frozen = |clip: &mut Fingerprint| clip.keyframes.iter_mut().for_each(|k| k.still_since = Duration::ZERO);
    assert_eq!(with(&frozen), expected(ReasonCode::Frozen));
    assert_eq!(with(&|clip| clip.frames = 1), expected(ReasonCode::Still));
    let short = judged(&clip(1), &[]);
    assert_eq!((short.verdict, codes(&short)), (Verdict::Inconclusive, vec![ReasonCode::Short]));
    let empty = judge(&clip(10), &[], &[], 0, SECOND, &Policy::default());
    assert_eq!((empty.verdict, codes(&empty)), (Verdict::Inconclusive, vec![ReasonCode::EmptyIndex]));
}

#[test]
fn a_black_part_is_taken_off_the_payable_seconds() {
    let mut faded = clip(10);
    faded.keyframes.iter_mut().filter(|k| k.time >= 8 * SECOND).for_each(|k| k.content = Content::Black);
    let judgement = judged(&faded, &[]);
    assert_eq!(judgement.verdict, Verdict::Unpublished);
    assert_eq!(seconds(&judgement), [0.0, 7.875, 2.125]);
}

#[test]
fn the_mirrored_shadow_of_a_copy_is_left_out() {
    let weaker = Evidence { total: 90.0, moment: 80.0, sustained: 40.0 };
    let shadow = Alignment { orientation: Orientation::MIRRORED, evidence: weaker, ..copy(1.0, 9.0) };
    let judgement = judged(&clip(10), &[copy(0.0, 10.0), shadow]);
    assert_eq!(judgement.matches, [(0, MatchKind::Copy)]);
}

#[test]
fn what_a_weaker_copy_shows_beyond_a_stronger_one_is_not_judged() {
    // A symmetric picture is found mirrored as well, for as long as the scene stands there; a slow one a little off in time.
    let weaker = Evidence { total: 90.0, moment: 80.0, sustained: 40.0 };
    let shadow = Alignment { evidence: weaker, ..copy(0.0, 9.0) };
    for orientation in [Orientation::UPRIGHT, Orientation::MIRRORED] {
        let judgement = judged(&clip(10), &[copy(0.0, 5.0), Alignment { orientation, ..shadow.clone() }]);
        assert_eq!((seconds(&judgement), judgement.matches.len()), ([5.0, 1.0, 4.0], 1));
    }
    // Unless another copy shows that.
    let judgement = judged(&clip(10), &[copy(0.0, 5.0), copy(4.5, 9.0), shadow]);
    assert_eq!((seconds(&judgement), judgement.matches.len()), ([9.0, 1.0, 0.0], 2));
}

/// The scene, at this moment or at another.
fn ambiguous(start: f32, end: f32, total: f32) -> Alignment {
    let evidence = Evidence { total, moment: 0.0, sustained: 0.0 };
    Alignment { evidence, found: copy(start, end).found, ..other_take(start, end) }
}

#[test]
fn what_is_ambiguous_beyond_what_is_stronger_is_not_payable() {
    let unsearchable = |alignments: &[Alignment]| seconds(&judged(&clip(10), alignments))[2];
    assert_eq!(unsearchable(&[ambiguous(0.0, 6.0, 400.0), ambiguous(3.0, 9.0, 150.0)]), 9.0);
    assert_eq!(unsearchable(&[other_take(0.0, 6.0), ambiguous(0.0, 9.0, 150.0)]), 3.0);
    // That another take is shown there is known.
    assert_eq!(unsearchable(&[other_take(0.0, 9.0), ambiguous(0.0, 9.0, 150.0)]), 0.0);
    // Nor does what is left of a minute of it for two seconds make the clip inconclusive.
    let minute = judged(&clip(60), &[other_take(0.0, 57.0), ambiguous(0.0, 59.0, 150.0)]);
    assert_eq!((minute.verdict, seconds(&minute)), (Verdict::Unpublished, [0.0, 58.0, 2.0]));
    // But it does where it is the most.
    let half = judged(&clip(60), &[other_take(0.0, 29.0), ambiguous(0.0, 57.0, 150.0)]);
    assert_eq!((half.verdict, seconds(&half)), (Verdict::Unpublished, [0.0, 32.0, 28.0]));
    let mut dark = clip(60);
    dark.keyframes[..16].iter_mut().for_each(|keyframe| keyframe.content = Content::Black);
    let most = judged(&dark, &[other_take(0.0, 30.0), ambiguous(0.0, 60.0, 150.0)]);
    assert_eq!((most.verdict, seconds(&most)), (Verdict::Inconclusive, [0.0, 26.125, 33.875]));
    let both = [copy(0.0, 5.0), ambiguous(0.0, 6.0, 400.0), ambiguous(3.0, 9.0, 150.0)];
    assert_eq!(seconds(&judged(&clip(10), &both)), [5.0, 1.0, 4.0]);
}

#[test]
fn gaps_between_copies_are_told_by_the_copies_whatever_their_order() {
    let ends = [(0.0, 1.2), (2.4, 3.0), (3.6, 4.2), (4.2, 6.0)];
    let judge_from = |strongest: usize| {
        let mut copies: Vec<Alignment> = ends.iter().map(|&(start, end)| copy(start, end)).collect();
        copies[strongest].evidence.total += 100.0;
        copies.swap(0, strongest);
        seconds(&judged(&clip(6), &copies))
    };
    let all: Vec<[f64; 3]> = (0..ends.len()).map(judge_from).collect();
    assert!(all.iter().all(|other| *other == all[0]) && all[0][2] > 0.0, "{all:?}");
}

#[test]
fn nothing_shorter_than_a_millisecond_is_left_between_parts() {
    let mut line = Timeline::new(10 * SECOND);
    let end = 4 * SECOND;
    line.paint(Span { start: Duration::ZERO, end }, SpanState::Unsearchable, Some(ReasonCode::Benign.into()));
    let start = end + Duration::from_nanos(38);
    line.paint(Span { start, end: 10 * SECOND }, SpanState::Unsearchable, Some(ReasonCode::Ambiguous.into()));
    assert_eq!(line.unpublished(Span { start: Duration::ZERO, end: 10 * SECOND }), start - end);
    let parts = line.into_parts(SECOND, ReasonCode::Beside);
    assert_eq!(parts.iter().map(|part| part.state).collect::<Vec<_>>(), [SpanState::Unsearchable; 2]);
}

proptest! {
    #[test]
    fn the_parts_cover_the_clip_once(
        painted in proptest::collection::vec((0u32..12_000, 0u32..12_000, 0usize..3), 0..12),
    ) {
        let mut line = Timeline::new(10 * SECOND);
        let whole = Span { start: Duration::ZERO, end: 10 * SECOND };
        // What is published, unpublished and unsearchable, millisecond by millisecond.
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
        let parts = line.into_parts(SECOND, ReasonCode::Beside);
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
