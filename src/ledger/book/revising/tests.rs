#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::super::super::claims::{Pair, PairKind};
use super::super::super::recheck::worse;
use super::super::super::record::ClaimState;
use super::super::super::review::tests::report;
use super::super::super::store::Mode;
use super::super::super::verify::verify;
use super::super::super::worker::Worker;
use super::super::tests::{LEASE, offered, on_each, open, pair, receipt, refusal, s, state};
use super::super::{Entry, Ledger};
use super::*;
use crate::ledger::answer;

fn add(ledger: &mut Ledger, by: &str, content: &str, report: Report, pairs: Vec<Pair>) -> u64 {
    let worker = Worker::new().unwrap();
    let (there, _) = ledger
        .receive(&receipt(by, content), &worker, LEASE)
        .unwrap();
    let entries = vec![Entry {
        digest: format!("{:064}", there.number),
        start_ms: 0,
    }];
    let outcome = Outcome {
        report,
        pairs,
        entries,
        fingerprint: None,
    };
    assert!(
        ledger
            .decide(there.number, &worker, &outcome, &state())
            .unwrap()
    );
    there.number
}

fn whole(earlier: u64, seconds: u64) -> Vec<Pair> {
    vec![pair(earlier, PairKind::Copy, s(0, seconds), s(0, seconds))]
}

fn says(ledger: &mut Ledger, number: u64, of_match: usize, ruling: Ruling) -> Result<Vec<u64>> {
    let report = ledger.standings(number).unwrap().report.unwrap();
    ledger.review(
        number,
        &Judgement::of(&report.matches[of_match], ruling, "joe", "seen"),
    )
}

fn rechecked(ledger: &mut Ledger, number: u64, found: Report) -> Vec<u64> {
    let name = ledger.name().to_owned();
    let work = |tables: &mut dyn Tables| {
        let known = Known::read(tables, &name, number)?;
        let report = worse(&known.report, found);
        record_recheck(
            tables,
            7,
            &known,
            report,
            &State {
                root: "later".to_owned(),
                generation: 2,
            },
        )
    };
    ledger.transaction(Mode::Write, work).unwrap()
}

fn ledger_says(ledger: &mut Ledger, number: u64) -> crate::report::Submission {
    answer::submission(&ledger.standings(number).unwrap())
}

#[test]
fn what_a_person_says_settles_all_that_depends_on_it_and_undoing_it_gives_back_what_was() {
    on_each(|place| {
        let mut ledger = open(place);
        let one = report("uuppppuuuu", "++++++++++", &[('c', 1, 2, 6)]);
        let all = report("uuuuuuuuuu", "++++++++++", &[]);
        add(&mut ledger, "ada", "a", one, vec![]);
        add(&mut ledger, "bob", "b", all, whole(1, 10));
        let before = (ledger.claims(1).unwrap(), ledger.claims(2).unwrap());
        assert_eq!(offered(&mut ledger, 1), [s(0, 2), s(6, 10)]);
        assert!(ledger_says(&mut ledger, 1).review.is_none());

        assert!(
            says(&mut ledger, 1, 0, Ruling::Allowed)
                .unwrap()
                .contains(&1)
        );
        assert_eq!(
            (offered(&mut ledger, 1), offered(&mut ledger, 2)),
            (vec![s(0, 10)], vec![])
        );
        let said = ledger_says(&mut ledger, 1);
        let review = said.review.unwrap();
        assert_eq!(
            (
                said.payable_minutes,
                review.released_minutes,
                review.withheld_minutes
            ),
            (0.167, 0.067, 0.0)
        );
        assert_eq!(
            (&*review.judgements[0].verdict, &*review.judgements[0].by),
            ("allowed", "joe")
        );
        verify(&mut ledger, None).unwrap();

        says(&mut ledger, 1, 0, Ruling::SameScene).unwrap();
        assert_eq!(offered(&mut ledger, 1), [s(0, 10)]);
        says(&mut ledger, 1, 0, Ruling::Copy).unwrap();
        assert_eq!(offered(&mut ledger, 1), [s(0, 2), s(6, 10)]);
        says(&mut ledger, 1, 0, Ruling::Allowed).unwrap();
        says(&mut ledger, 1, 0, Ruling::Undo).unwrap();
        assert_eq!(
            (ledger.claims(1).unwrap(), ledger.claims(2).unwrap()),
            before
        );
        assert!(ledger_says(&mut ledger, 1).review.is_none());
        verify(&mut ledger, None).unwrap();
    });
}

#[test]
fn a_judgement_about_nothing_that_is_known_is_refused() {
    on_each(|place| {
        let mut ledger = open(place);
        let one = report("uuppppuuuu", "++++++++++", &[('c', 1, 2, 6)]);
        let found = one.matches[0].clone();
        add(&mut ledger, "ada", "a", one, vec![]);
        let of = |ruling| Judgement::of(&found, ruling, "joe", "seen");
        let elsewhere = Judgement {
            here: s(2, 7),
            ..of(Ruling::Allowed)
        };
        assert!(refusal(ledger.review(1, &elsewhere)).contains("has no such match"));
        assert!(refusal(ledger.review(1, &of(Ruling::Undo))).contains("no judgement to undo"));
        assert!(
            refusal(ledger.review(9, &of(Ruling::Allowed))).contains("there is no submission 9")
        );
        for (by, why) in [("", "seen"), ("joe", " ")] {
            let said = Judgement {
                by: by.to_owned(),
                why: why.to_owned(),
                ..of(Ruling::Allowed)
            };
            assert!(matches!(
                ledger.review(1, &said),
                Err(Error::InvalidSetting { .. })
            ));
        }
        ledger.withdraw(1, None, None).unwrap();
        assert!(refusal(ledger.review(1, &of(Ruling::Allowed))).contains("is withdrawn"));
        let mut same = report("pppp", "++++", &[('c', 1, 0, 4)]);
        same.matches[0].alignment.identical = true;
        add(&mut ledger, "ada", "b", same, vec![]);
        assert!(refusal(says(&mut ledger, 2, 0, Ruling::SameScene)).contains("the same file"));
        says(&mut ledger, 2, 0, Ruling::Allowed).unwrap();
        assert_eq!(offered(&mut ledger, 2), [s(0, 4)]);
        verify(&mut ledger, None).unwrap();
    });
}

#[test]
fn what_is_sold_stays_sold_whatever_is_found_or_said_and_is_paid_to_nobody_again() {
    on_each(|place| {
        let mut ledger = open(place);
        let one = || report("uuuuuuuuuu", "++++++++++", &[('s', 1, 0, 3)]);
        add(&mut ledger, "ada", "a", one(), vec![]);
        ledger.sell(1, None, None).unwrap();
        says(&mut ledger, 1, 0, Ruling::Copy).unwrap();
        rechecked(
            &mut ledger,
            1,
            report("uuuuddddddd", "+++++++++++", &[('d', 2, 4, 10)]),
        );
        let claims = ledger.claims(1).unwrap();
        assert!(
            claims.iter().all(|claim| claim.state == ClaimState::Sold),
            "{claims:?}"
        );
        assert_eq!(offered(&mut ledger, 1), [s(0, 10)]);
        let said = ledger_says(&mut ledger, 1);
        assert_eq!((said.payable_minutes, said.sold_minutes), (0.167, 0.167));
        // The creator offers it again, and so does somebody else.
        for (by, content) in [("ada", "b"), ("bob", "c")] {
            let number = add(
                &mut ledger,
                by,
                content,
                report("uuuuuuuuuu", "++++++++++", &[]),
                whole(1, 10),
            );
            assert_eq!(offered(&mut ledger, number), []);
        }
        verify(&mut ledger, None).unwrap();
    });
}

#[test]
fn an_inconclusive_clip_that_was_judged_is_not_paid_for_twice() {
    on_each(|place| {
        for is_sold in [false, true] {
            let mut ledger = open(place);
            let (a, b) = (format!("a{is_sold}"), format!("b{is_sold}"));
            let unsure = report("uddddddu", "++++++++", &[('d', 1, 1, 4), ('d', 2, 4, 7)]);
            let one = add(&mut ledger, "ada", &a, unsure, vec![]);
            // Her second copy has only the seconds of the first, which she may offer again.
            let other = add(
                &mut ledger,
                "ada",
                &b,
                report("uuuuuuuu", "++++++++", &[]),
                whole(one, 8),
            );
            assert_eq!(offered(&mut ledger, other), [s(0, 8)]);
            if is_sold {
                ledger.sell(other, None, None).unwrap();
            }
            says(&mut ledger, one, 0, Ruling::SameScene).unwrap();
            assert_eq!(offered(&mut ledger, one), []);
            says(&mut ledger, one, 1, Ruling::SameScene).unwrap();
            let both = (offered(&mut ledger, one), offered(&mut ledger, other));
            assert_eq!(
                both,
                if is_sold {
                    (vec![], vec![s(0, 8)])
                } else {
                    (vec![s(0, 8)], vec![])
                }
            );
            verify(&mut ledger, None).unwrap();
        }
    });
}

#[test]
fn a_recheck_frees_nobody_and_another_source_has_to_be_judged_too() {
    on_each(|place| {
        let mut ledger = open(place);
        add(
            &mut ledger,
            "ada",
            "a",
            report("uuppppuuuu", "++++++++++", &[('c', 1, 2, 6)]),
            vec![],
        );
        add(
            &mut ledger,
            "bob",
            "b",
            report("uuuuuuuuuu", "++++++++++", &[]),
            whole(1, 10),
        );
        says(&mut ledger, 1, 0, Ruling::Allowed).unwrap();
        assert_eq!(offered(&mut ledger, 1), [s(0, 10)]);
        let changed = rechecked(
            &mut ledger,
            1,
            report(
                "uuppppuuuu",
                "++++++++++",
                &[('c', 1, 2, 6), ('c', 2, 2, 5)],
            ),
        );
        assert!(changed.contains(&1), "{changed:?}");
        assert_eq!(
            (offered(&mut ledger, 1), offered(&mut ledger, 2)),
            (vec![s(0, 2), s(6, 10)], vec![])
        );
        says(&mut ledger, 1, 0, Ruling::SameScene).unwrap();
        assert_eq!(offered(&mut ledger, 1), [s(0, 10)]);
        verify(&mut ledger, None).unwrap();
        let name = ledger.name().to_owned();
        let held = ledger.transaction(Mode::Read, |tables| {
            Known::read(tables, &name, 1)?.held_against(tables)
        });
        assert_eq!(
            held.unwrap(),
            State {
                root: "later".to_owned(),
                generation: 2
            }
        );
    });
}

#[test]
fn a_row_that_gives_seconds_by_a_recheck_and_a_table_that_differs_are_found() {
    on_each(|place| {
        let mut ledger = open(place);
        add(
            &mut ledger,
            "ada",
            "a",
            report("uuppppuuuu", "++++++++++", &[('c', 1, 2, 6)]),
            vec![],
        );
        says(&mut ledger, 1, 0, Ruling::Allowed).unwrap();
        verify(&mut ledger, None).unwrap();
        // Columns and row agree, but do not follow from the judgements.
        let wrong = "[{\"start_ms\":0,\"end_ms\":9000}]";
        let change = |tables: &mut dyn Tables| {
            tables.execute(
                "UPDATE submissions SET eligible = $1 WHERE number = 1",
                &[wrong.into()],
            )
        };
        ledger.transaction(Mode::Write, change).unwrap();
        assert!(
            verify(&mut ledger, None)
                .unwrap_err()
                .to_string()
                .contains("its spans differ")
        );

        let name = ledger.name().to_owned();
        let forged = |tables: &mut dyn Tables| {
            let known = Known::read(tables, &name, 1)?;
            let body = Rechecked {
                verdict: known.report.verdict,
                eligible: s(0, 20).into(),
                repeated: Intervals::default(),
                published: Intervals::default(),
                claims: Vec::new(),
                index: state(),
                report_sha256: known.sha256,
            };
            append(tables, 7, "rechecked", 1, &body)
        };
        ledger.transaction(Mode::Write, forged).unwrap();
        let error = verify(&mut ledger, None).unwrap_err().to_string();
        assert!(
            error.contains("made seconds of submission 1 payable"),
            "{error}"
        );
    });
}
