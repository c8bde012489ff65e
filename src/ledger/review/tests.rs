#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::ledger::recheck::worse;

/// A report by seconds: each letter is the state of one, with what would be searchable without any
/// match. Matches are given by kind (`c`, `d`, `s`), source and seconds.
pub(in crate::ledger) fn report(
    letters: &str,
    searchable: &str,
    matches: &[(char, u8, u64, u64)],
) -> Report {
    let span = |(second, letter): (usize, char)| {
        let (state, code) = match letter {
            'u' => ("unpublished", None),
            'p' => ("published", None),
            'b' => ("unsearchable", Some("beside")),
            'd' => ("unsearchable", Some("undecided")),
            'r' => ("unsearchable", Some("repeated")),
            _ => ("unsearchable", Some("black")),
        };
        let reason =
            code.map(|code| serde_json::json!({ "code": code, "seconds": 1.0, "text": "why" }));
        serde_json::json!({ "start_s": second, "end_s": second + 1, "state": state, "reason": reason })
    };
    let open = searchable
        .chars()
        .enumerate()
        .filter(|(_, letter)| *letter == '+');
    let open: Vec<_> = open
        .map(|(at, _)| serde_json::json!({ "start_s": at, "end_s": at + 1 }))
        .collect();
    let found = |&(kind, source, start, end): &(char, u8, u64, u64)| {
        let kind = match kind {
            'c' => "copy",
            'd' => "undecided",
            _ => "same_scene",
        };
        let whole = serde_json::json!({ "x": 0.0, "y": 0.0, "width": 1.0, "height": 1.0 });
        serde_json::json!({
            "kind": kind,
            "source": { "id": "", "path": "", "sha256": format!("{source:064}"), "duration_s": 99.0, "url": null,
                "title": null, "uploader": null, "platform": null, "published_at": null },
            "clip": { "start_s": start, "end_s": end }, "reference": { "start_s": start, "end_s": end },
            "evidence_bits": 90.0, "moment_bits": 90.0, "probability": 1.0, "terms": [], "pictures": null, "shown": 1.0,
            "mirrored": false, "turned_degrees": 0, "speed": 1.0, "hits": 9,
            "geometry": { "clip": whole, "reference": whole, "scale": 1.0 },
        })
    };
    let has = |letter| letters.contains(letter);
    let verdict = match (has('p'), has('u')) {
        (true, false) => "published",
        (true, true) => "partly_published",
        (false, true) if letters.matches('u').count() >= letters.matches('d').count() => {
            "unpublished"
        }
        _ => "inconclusive",
    };
    let matches: Vec<_> = matches.iter().map(found).collect();
    serde_json::from_value(serde_json::json!({
        "schema": 4,
        "clip": { "path": "", "sha256": "", "duration_s": letters.len(), "width": 64, "height": 48, "codec": "h264",
            "container": "mov", "from_fingerprint": false, "keyframes": 1, "keys": 1 },
        "verdict": verdict, "reasons": [], "seconds": { "published": 0.0, "unpublished": 0.0, "unsearchable": 0.0 },
        "payable_minutes": 0.0, "spans": letters.chars().enumerate().map(span).collect::<Vec<_>>(),
        "searchable": open, "matches": matches, "nearest_non_match": null,
        "timeline": [], "power": [], "power_by_edit": [],
        "index": { "root": "r", "generation": 1, "videos": 1, "hours": 1.0, "keys": 1, "without_pictures": 0,
            "interval_s": 0.5, "version": 1, "fingerprint_version": 1 },
        "search": { "mode": "exact", "exact": true, "recall": 1.0, "radius_bits": 72, "query_interval_s": 0.25,
            "published_probability": 0.95, "payable_probability": 0.05, "effort": "standard" },
        "tool": { "name": "uniq", "version": "0" },
    }))
    .unwrap()
}

/// Judgements of matches by their numbers.
fn judged(report: &Report, rulings: &[(usize, Ruling)]) -> Vec<Judgement> {
    standing(
        rulings
            .iter()
            .map(|&(number, ruling)| Judgement::of(&report.matches[number], ruling, "joe", "seen")),
    )
}

/// Eligible and published seconds, as letters: `e` and `p`.
fn told(report: &Report, rulings: &[(usize, Ruling)]) -> String {
    let Reviewed {
        eligible,
        published,
    } = reviewed(report, &judged(report, rulings));
    let length = report.clip.duration_s as u64;
    let has = |of: &Intervals, second: u64| {
        let second: Intervals = Interval::new(1000 * second, 1000 * (second + 1)).into();
        second.without(of).is_empty()
    };
    let letter = |second| match (has(&eligible, second), has(&published, second)) {
        (true, false) => 'e',
        (false, true) => 'p',
        (false, false) => '.',
        (true, true) => panic!("second {second} is both"),
    };
    (0..length).map(letter).collect()
}

#[test]
fn a_match_that_is_excused_withholds_nothing_and_all_else_stays_withheld() {
    use Ruling::{Allowed, Copy, SameScene};
    // The fourth second is dark, whatever matches there, and the eighth repeats an earlier one.
    let of = report("uupppxbruu", "+++.+.+.++", &[('c', 1, 2, 5)]);
    assert_eq!(told(&of, &[]), "eeppp...ee");
    assert_eq!(told(&of, &[(0, Allowed)]), "eeepe.e.ee");
    assert_eq!(told(&of, &[(0, SameScene)]), "eeepe.e.ee");
    assert_eq!(told(&of, &[(0, Copy)]), "eeppp...ee");
}

#[test]
fn all_matches_of_a_second_have_to_be_excused() {
    use Ruling::{Allowed, Copy, SameScene};
    let of = report(
        "ppppppuuuuuu",
        "++++++++++++",
        &[('c', 1, 0, 6), ('c', 2, 0, 2)],
    );
    assert_eq!(told(&of, &[(0, Allowed)]), "pppppeeeeeee");
    assert_eq!(told(&of, &[(0, Allowed), (1, SameScene)]), "eeeeeeeeeeee");
    assert_eq!(told(&of, &[(0, Allowed), (1, Copy)]), "pppppeeeeeee");
    // There are more sources than listed, which nobody has seen.
    let more = Report {
        more_sources: 1,
        ..of.clone()
    };
    assert_eq!(told(&more, &[(0, Allowed), (1, SameScene)]), "ppppppeeeeee");
    // A report that does not say what would be searchable frees nothing.
    let old = Report {
        searchable: None,
        ..of
    };
    assert_eq!(told(&old, &[(0, Allowed), (1, SameScene)]), "ppppppeeeeee");
}

#[test]
fn what_no_listed_match_explains_stays_published() {
    let of = report("ppppppuuuu", "++++++++++", &[('c', 1, 0, 4)]);
    assert_eq!(told(&of, &[(0, Ruling::Allowed)]), "eeeeppeeee");
}

#[test]
fn a_judgement_of_one_kind_excuses_no_later_match_of_another() {
    use Ruling::{Copy, SameScene};
    let before = report("uuuudduu", "++++++++", &[('d', 1, 4, 6)]);
    assert_eq!(told(&before, &[(0, SameScene)]), "eeeeeeee");
    let of = worse(&before, report("uuuuppuu", "++++++++", &[('c', 1, 4, 6)]));
    assert_eq!(of.matches.len(), 2);
    assert_eq!(told(&of, &[(0, SameScene)]), "eeeeppee");
    assert_eq!(told(&of, &[(0, Copy)]), "eeeeppee");
}

#[test]
fn a_match_that_is_a_copy_is_public_whatever_its_kind() {
    let of = report("uuuddduuu", "+++++++++", &[('d', 1, 3, 6), ('s', 2, 0, 2)]);
    assert_eq!(told(&of, &[]), "eee...eee");
    assert_eq!(told(&of, &[(0, Ruling::Copy)]), "eeepppeee");
    assert_eq!(
        told(&of, &[(0, Ruling::Copy), (1, Ruling::Copy)]),
        "ppepppeee"
    );
    assert_eq!(told(&of, &[(0, Ruling::SameScene)]), "eeeeeeeee");
    assert_eq!(
        told(&of, &[(0, Ruling::Copy), (0, Ruling::Undo)]),
        "eee...eee"
    );
}

#[test]
fn an_inconclusive_clip_is_lifted_by_judgements_of_all_its_matches_alone() {
    use Ruling::{Allowed, Copy, SameScene};
    let of = report("uddddddu", "++++++++", &[('d', 1, 1, 4), ('d', 2, 4, 7)]);
    assert_eq!(of.verdict, Verdict::Inconclusive);
    assert_eq!(told(&of, &[(0, SameScene)]), "........");
    assert_eq!(told(&of, &[(0, SameScene), (1, Allowed)]), "eeeeeeee");
    assert_eq!(told(&of, &[(0, SameScene), (1, Copy)]), "e...pppe");
    // A report that is inconclusive for other reasons stays so.
    let dark = report("uddddddu", "........", &[('d', 1, 1, 4), ('d', 2, 4, 7)]);
    assert_eq!(told(&dark, &[(0, SameScene), (1, Allowed)]), "........");
}

fn ruling() -> impl Strategy<Value = Ruling> {
    prop::sample::select(vec![Ruling::Copy, Ruling::SameScene, Ruling::Allowed])
}

fn some_report() -> impl Strategy<Value = Report> {
    let found = (
        prop::sample::select(vec!['c', 'd', 's']),
        1..4_u8,
        0..12_u64,
        1..8_u64,
    );
    (
        "[upbdrx]{12}",
        "[+.]{12}",
        prop::collection::vec(found, 1..5),
        prop::sample::select(vec![0, 0, 0, 1]),
    )
        .prop_map(|(letters, open, found, more)| {
            // Seconds that would not be searchable without a match do not become unpublished.
            let open: String = letters
                .chars()
                .zip(open.chars())
                .map(|(letter, open)| if letter == 'u' { '+' } else { open })
                .collect();
            let mut found: Vec<_> = found
                .into_iter()
                .map(|(kind, source, start, length)| (kind, source, start, start + length))
                .collect();
            found.dedup_by_key(|found| (found.1, found.2, found.3));
            Report {
                more_sources: more,
                ..report(&letters, &open, &found)
            }
        })
}

fn rulings() -> impl Strategy<Value = Vec<(Index, Ruling)>> {
    prop::collection::vec((any::<Index>(), ruling()), 0..6)
}

fn of(report: &Report, rulings: &[(Index, Ruling)]) -> Vec<Judgement> {
    let judgement = |(at, ruling): &(Index, Ruling)| {
        Judgement::of(at.get(&report.matches), *ruling, "joe", "seen")
    };
    rulings.iter().map(judgement).collect()
}

proptest! {
    #[test]
    fn no_judgement_makes_a_second_eligible_that_another_reason_withholds(
        report in some_report(),
        rulings in rulings(),
    ) {
        let before = reviewed(&report, &[]);
        let after = reviewed(&report, &standing(of(&report, &rulings)));
        let gained = after.eligible.without(&before.eligible);
        prop_assert!(gained.without(&searchable(&report)).is_empty());
        let withheld: Intervals = report.spans.iter().filter(|span| is_withheld(span)).map(interval).collect();
        let unpublished: Intervals =
            report.spans.iter().filter(|span| span.state == SpanState::Unpublished).map(interval).collect();
        prop_assert!(gained.without(&withheld.union(&unpublished)).is_empty());
        prop_assert!(after.eligible.intersection(&after.published).is_empty());
        // No withholding match that is not excused covers any of it.
        let excused = |found: &Match| {
            let said = standing(of(&report, &rulings)).into_iter().find(|said| said.is_of(found));
            said.is_some_and(|said| said.verdict != Ruling::Copy)
        };
        let others: Intervals = report
            .matches
            .iter()
            .filter(|found| found.kind != MatchKind::SameScene && !excused(found))
            .map(here)
            .collect();
        prop_assert!(gained.intersection(&withheld).intersection(&others).is_empty());
    }

    #[test]
    fn taking_all_back_gives_exactly_what_was(report in some_report(), rulings in rulings()) {
        let mut judgements = of(&report, &rulings);
        let undo = |judgement: &Judgement| Judgement { verdict: Ruling::Undo, ..judgement.clone() };
        let undone: Vec<Judgement> = judgements.iter().map(undo).collect();
        judgements.extend(undone);
        prop_assert_eq!(standing(judgements.clone()), vec![]);
        prop_assert_eq!(reviewed(&report, &standing(judgements)), reviewed(&report, &[]));
    }

    #[test]
    fn the_order_of_judgements_on_different_matches_does_not_matter(
        report in some_report(),
        rulings in prop::collection::vec(ruling(), 5),
        order in Just(vec![0_usize, 1, 2, 3, 4]).prop_shuffle(),
    ) {
        let all: Vec<Judgement> = report
            .matches
            .iter()
            .zip(&rulings)
            .map(|(found, ruling)| Judgement::of(found, *ruling, "joe", "seen"))
            .collect();
        let mut seen = std::collections::BTreeSet::new();
        let all: Vec<Judgement> =
            all.into_iter().filter(|said| seen.insert((said.source_sha256.clone(), said.here))).collect();
        let shuffled = order.iter().filter_map(|at| all.get(*at)).cloned();
        prop_assert_eq!(standing(shuffled), standing(all.clone()));
    }

    #[test]
    fn a_recheck_gives_no_seconds_however_a_submission_was_judged(
        before in some_report(),
        found in some_report(),
        rulings in rulings(),
    ) {
        let judgements = standing(of(&before, &rulings));
        let after = reviewed(&worse(&before, found), &judgements);
        prop_assert!(after.eligible.without(&reviewed(&before, &judgements).eligible).is_empty());
    }
}
