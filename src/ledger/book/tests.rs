use std::sync::Arc;
use std::thread;

use proptest::test_runner::{Config, TestRunner};

use super::super::claims::PairKind;
use super::super::interval::Interval;
use super::super::record::ClaimState;
use super::super::verify::{Head, verify};
use super::*;
use crate::index::SplitMix;

#[path = "../../../tests/support/postgres.rs"]
mod server;

const PATIENCE: Duration = Duration::from_secs(20);
pub(super) const LEASE: Duration = Duration::from_secs(60);

/// Runs a test on a new ledger of each kind.
pub(super) fn on_each(test: impl Fn(&Place)) {
    let folder = tempfile::tempdir().unwrap();
    test(&Place::File(folder.path().join("ledger.db")));
    if let Some(url) = server::database() {
        test(&Place::Postgres(url));
    }
}

pub(super) fn open(place: &Place) -> Ledger {
    Ledger::open(place, PATIENCE, SystemTime::now, true).unwrap()
}

pub(super) fn receipt(by: &str, content: &str) -> Receipt {
    Receipt {
        by: by.to_owned(),
        reference: None,
        kind: Kind::Clip,
        sha256: hex(&Sha256::digest(content)),
        bytes: 7,
        path: format!("/clips/{content}.mp4"),
    }
}

/// A report on a clip of `seconds` seconds, all of them unpublished.
fn report(seconds: u64) -> Report {
    let spans = serde_json::json!([{ "start_s": 0.0, "end_s": seconds, "state": "unpublished", "reason": null }]);
    serde_json::from_value(serde_json::json!({
        "schema": 4,
        "clip": { "path": "", "sha256": "", "duration_s": seconds, "width": 64, "height": 48, "codec": "h264",
            "container": "mov", "from_fingerprint": false, "keyframes": 1, "keys": 1 },
        "verdict": "unpublished", "reasons": [],
        "seconds": { "published": 0.0, "unpublished": seconds, "unsearchable": 0.0 },
        "payable_minutes": seconds as f64 / 60.0, "spans": spans, "matches": [], "nearest_non_match": null,
        "timeline": [], "power": [], "power_by_edit": [],
        "index": { "root": "r", "generation": 1, "videos": 1, "hours": 1.0, "keys": 1, "without_pictures": 0,
            "interval_s": 0.5, "version": 1, "fingerprint_version": 1 },
        "search": { "mode": "exact", "exact": true, "recall": 1.0, "radius_bits": 72, "query_interval_s": 0.25,
            "published_probability": 0.95, "payable_probability": 0.05, "effort": "standard" },
        "tool": { "name": "uniq", "version": "0" },
    }))
    .unwrap()
}

pub(super) fn s(start: u64, end: u64) -> Interval {
    Interval::new(1000 * start, 1000 * end)
}

pub(super) fn pair(other: u64, kind: PairKind, here: Interval, there: Interval) -> Pair {
    Pair {
        other,
        kind,
        here,
        there,
        covers: here.into(),
        speed_permille: 1000,
        mirrored: false,
        probability_ppm: 1,
        evidence_millibits: 1,
        identical: false,
    }
}

fn outcome(number: u64, seconds: u64, pairs: Vec<Pair>) -> Outcome {
    let entries = vec![Entry {
        digest: format!("{number:064}"),
        start_ms: 0,
    }];
    Outcome {
        report: report(seconds),
        pairs,
        entries,
        fingerprint: None,
    }
}

pub(super) fn state() -> State {
    State {
        root: "root".to_owned(),
        generation: 1,
    }
}

/// Receives and decides a submission of `seconds` seconds.
fn decided(ledger: &mut Ledger, by: &str, content: &str, seconds: u64, pairs: Vec<Pair>) -> u64 {
    let worker = Worker::new().unwrap();
    let (there, is_new) = ledger
        .receive(&receipt(by, content), &worker, LEASE)
        .unwrap();
    assert!(is_new);
    assert!(
        ledger
            .decide(
                there.number,
                &worker,
                &outcome(there.number, seconds, pairs),
                &state()
            )
            .unwrap()
    );
    there.number
}

pub(super) fn offered(ledger: &mut Ledger, number: u64) -> Vec<Interval> {
    let claims = ledger.claims(number).unwrap();
    let offered = claims
        .iter()
        .filter(|claim| matches!(claim.state, ClaimState::Offered | ClaimState::Sold));
    offered
        .map(|claim| Interval::new(claim.start_ms, claim.end_ms))
        .collect()
}

pub(super) fn refusal<T: std::fmt::Debug>(result: Result<T>) -> String {
    match result.unwrap_err() {
        Error::LedgerRefused { reason } => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_same_bytes_of_the_same_creator_are_one_submission_until_it_is_withdrawn() {
    on_each(|place| {
        let mut ledger = open(place);
        assert_eq!(decided(&mut ledger, "ada", "a", 10, vec![]), 1);
        let worker = Worker::new().unwrap();
        let again = |by, content| {
            let (there, is_new) = open(place)
                .receive(&receipt(by, content), &worker, LEASE)
                .unwrap();
            (there.number, is_new)
        };
        assert_eq!(again("ada", "a"), (1, false));
        assert_eq!(again("bob", "a"), (2, true));
        assert_eq!(again("ada", "b"), (3, true));
        ledger.withdraw(1, None, Some("wrong file")).unwrap();
        assert_eq!(again("ada", "a"), (4, true));
        for wrong in ["", " ada", "a\u{202e}b", &"x".repeat(501)] {
            let refused = ledger.receive(&receipt(wrong, "c"), &worker, LEASE);
            assert!(
                matches!(refused, Err(Error::InvalidSetting { .. })),
                "{wrong:?}"
            );
        }
        verify(&mut ledger, None).unwrap();
    });
}

#[test]
fn of_many_that_submit_the_same_bytes_at_once_exactly_one_is_first() {
    on_each(|place| {
        drop(open(place));
        let news: Vec<(u64, bool)> = thread::scope(|scope| {
            let spawned: Vec<_> = (0..6)
                .map(|_| {
                    scope.spawn(|| {
                        let worker = Worker::new().unwrap();
                        let mut ledger = open(place);
                        let (there, is_new) = ledger
                            .receive(&receipt("ada", "a"), &worker, LEASE)
                            .unwrap();
                        // Another one by a worker of its own, which must get another number.
                        let own = Worker::new().unwrap();
                        let (other, _) = ledger
                            .receive(&receipt(own.name(), "a"), &own, LEASE)
                            .unwrap();
                        assert_ne!(other.number, there.number);
                        (there.number, is_new)
                    })
                })
                .collect();
            spawned
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        assert_eq!(news.iter().filter(|(_, is_new)| *is_new).count(), 1);
        assert!(news.iter().all(|(number, _)| *number == news[0].0));
        assert_eq!(verify(&mut open(place), None).unwrap().submissions, 7);
    });
}

#[test]
fn a_lease_keeps_others_away_until_it_ends() {
    on_each(|place| {
        let mut ledger = open(place);
        let (first, second) = (Worker::new().unwrap(), Worker::new().unwrap());
        let (there, _) = ledger.receive(&receipt("ada", "a"), &first, LEASE).unwrap();
        assert!(!ledger.take(there.number, &second, LEASE).unwrap());
        ledger.release(there.number, &first).unwrap();
        assert!(ledger.take(there.number, &second, Duration::ZERO).unwrap());
        // The lease ended at once.
        assert!(ledger.take(there.number, &first, LEASE).unwrap());
        // A worker that has lost it can neither decide nor end it.
        let lost = outcome(1, 10, vec![]);
        assert!(
            !ledger
                .decide(there.number, &second, &lost, &state())
                .unwrap()
        );
        assert!(
            !ledger
                .end(there.number, &second, Standing::Lapsed, "x")
                .unwrap()
        );
        assert!(
            ledger
                .decide(there.number, &first, &lost, &state())
                .unwrap()
        );
        assert!(
            !ledger
                .decide(there.number, &first, &lost, &state())
                .unwrap()
        );
    });
}

#[test]
fn nothing_is_answered_before_a_smaller_number() {
    on_each(|place| {
        let mut ledger = open(place);
        let (first, second) = (Worker::new().unwrap(), Worker::new().unwrap());
        ledger.receive(&receipt("ada", "a"), &first, LEASE).unwrap();
        ledger
            .receive(&receipt("ada", "b"), &second, LEASE)
            .unwrap();
        let why = refusal(ledger.decide(2, &second, &outcome(2, 10, vec![]), &state()));
        assert!(why.contains("must wait for submission 1"), "{why}");
        assert!(ledger.end(1, &first, Standing::Failed, "no video").unwrap());
        assert!(
            ledger
                .decide(2, &second, &outcome(2, 10, vec![]), &state())
                .unwrap()
        );
        verify(&mut ledger, None).unwrap();
    });
}

#[test]
fn withdrawing_serves_who_came_next_and_what_is_sold_stays() {
    on_each(|place| {
        let mut ledger = open(place);
        decided(&mut ledger, "ada", "a", 10, vec![]);
        let copy = |other| pair(other, PairKind::Copy, s(0, 10), s(0, 10));
        decided(&mut ledger, "bob", "b", 10, vec![copy(1)]);
        decided(&mut ledger, "eve", "c", 10, vec![copy(1), copy(2)]);
        let held = |ledger: &mut Ledger| [1, 2, 3].map(|number| offered(ledger, number));
        assert_eq!(held(&mut ledger), [vec![s(0, 10)], vec![], vec![]]);
        let why = refusal(ledger.sell(2, None, None));
        assert!(why.contains("offers nothing"), "{why}");
        ledger.withdraw(1, Some("ada"), None).unwrap();
        assert_eq!(held(&mut ledger)[1..], [vec![s(0, 10)], vec![]]);
        assert_eq!(ledger.sell(2, None, Some("invoice 7")).unwrap(), 10_000);
        assert!(refusal(ledger.sell(2, None, None)).contains("sold before"));
        assert!(refusal(ledger.withdraw(2, None, None)).contains("cannot be withdrawn"));
        assert!(refusal(ledger.withdraw(1, None, None)).contains("is withdrawn"));
        assert!(refusal(ledger.withdraw(9, None, None)).contains("no submission 9"));
        assert_eq!(held(&mut ledger)[1..], [vec![s(0, 10)], vec![]]);
        verify(&mut ledger, None).unwrap();
    });
}

#[test]
fn of_a_crowd_of_copies_each_is_served_in_turn_and_never_two() {
    on_each(|place| {
        let mut ledger = open(place);
        decided(&mut ledger, "ada", "0", 10, vec![]);
        for number in 2..6 {
            // The search lists two of a crowd, including the first.
            let others = if number == 2 { vec![1] } else { vec![1, 2] };
            let pairs = others
                .into_iter()
                .map(|other| pair(other, PairKind::Copy, s(0, 10), s(0, 10)))
                .collect();
            decided(&mut ledger, "bob", &number.to_string(), 10, pairs);
        }
        for first in 1..6 {
            let served: Vec<u64> = (1..6)
                .filter(|&number| !offered(&mut ledger, number).is_empty())
                .collect();
            assert_eq!(served, [first]);
            ledger.withdraw(first, None, None).unwrap();
        }
        verify(&mut ledger, None).unwrap();
    });
}

#[test]
fn a_clip_that_confirms_its_fingerprint_takes_nothing_from_who_came_between() {
    on_each(|place| {
        let mut ledger = open(place);
        let worker = Worker::new().unwrap();
        let print = Receipt {
            kind: Kind::Fingerprint,
            ..receipt("ada", "a")
        };
        ledger.receive(&print, &worker, LEASE).unwrap();
        assert!(
            ledger
                .decide(1, &worker, &outcome(1, 10, vec![]), &state())
                .unwrap()
        );
        assert!(refusal(ledger.sell(1, None, None)).contains("provisional"));
        // The fingerprint hid what the clip shows, and the second submission was paid.
        decided(&mut ledger, "bob", "b", 10, vec![]);
        let clip = receipt("ada", "the clip");
        let found = || outcome(1, 10, vec![pair(2, PairKind::Copy, s(0, 10), s(0, 10))]);
        decided(
            &mut ledger,
            "ada",
            "the clip",
            10,
            vec![pair(2, PairKind::Copy, s(0, 10), s(0, 10))],
        );
        assert!(
            refusal(ledger.confirm(1, &clip, &found(), &state()))
                .contains("is already submission 3")
        );
        ledger.withdraw(3, None, None).unwrap();
        ledger.confirm(1, &clip, &found(), &state()).unwrap();
        assert_eq!(
            [1, 2].map(|number| offered(&mut ledger, number)),
            [vec![], vec![s(0, 10)]]
        );
        assert!(
            refusal(ledger.confirm(1, &clip, &found(), &state())).contains("is already a clip")
        );
        ledger.withdraw(2, None, None).unwrap();
        assert_eq!(offered(&mut ledger, 1), [s(0, 10)]);
        verify(&mut ledger, None).unwrap();
    });
}

#[test]
fn a_persons_decision_is_kept_and_applied() {
    on_each(|place| {
        let mut ledger = open(place);
        decided(&mut ledger, "ada", "a", 10, vec![]);
        decided(
            &mut ledger,
            "bob",
            "b",
            10,
            vec![pair(1, PairKind::Undecided, s(0, 10), s(0, 10))],
        );
        decided(&mut ledger, "eve", "c", 10, vec![]);
        assert!(offered(&mut ledger, 2).is_empty());
        assert_eq!(
            ledger
                .judge(2, 1, Decision::Distinct, "joe", "two cameras")
                .unwrap(),
            [2]
        );
        assert_eq!(offered(&mut ledger, 2), [s(0, 10)]);
        assert_eq!(
            ledger
                .judge(1, 2, Decision::Same, "sue", "one camera")
                .unwrap(),
            [2]
        );
        assert!(offered(&mut ledger, 2).is_empty());
        let kept = ledger.decision(1, 2).unwrap();
        assert_eq!(
            kept,
            Some((Decision::Same, "sue".to_owned(), "one camera".to_owned()))
        );
        assert!(
            refusal(ledger.judge(1, 3, Decision::Same, "joe", "x"))
                .contains("share nothing that is known")
        );
        assert!(ledger.judge(1, 2, Decision::Same, "", "x").is_err());
        let verified = verify(&mut ledger, None).unwrap();
        // Three receipts, three answers, two decisions, two changes of claims.
        assert_eq!((verified.events, verified.submissions), (10, 3));
    });
}

#[test]
fn every_changed_row_is_noticed_and_named() {
    on_each(|place| {
        let mut ledger = open(place);
        decided(&mut ledger, "ada", "a", 10, vec![]);
        decided(
            &mut ledger,
            "bob",
            "b",
            10,
            vec![pair(1, PairKind::Copy, s(0, 5), s(0, 5))],
        );
        ledger.judge(1, 2, Decision::Same, "joe", "seen").unwrap();
        let head = verify(&mut ledger, None).unwrap().head;
        assert_eq!(head.to_string().parse::<Head>(), Ok(head.clone()));
        let changes = [
            (
                "UPDATE claims SET end_ms = 9000 WHERE submission = 1",
                "submission 1",
                "UPDATE claims SET end_ms = 10000 WHERE submission = 1",
            ),
            (
                "UPDATE submissions SET creator = 'eve' WHERE number = 2",
                "submission 2",
                "UPDATE submissions SET creator = 'bob' WHERE number = 2",
            ),
            (
                "UPDATE submissions SET eligible = '[]' WHERE number = 1",
                "submission 1",
                "UPDATE submissions SET eligible = '[{\"start_ms\":0,\"end_ms\":10000}]' WHERE number = 1",
            ),
            (
                "UPDATE decisions SET decision = 'distinct'",
                "decision about 1 and 2",
                "UPDATE decisions SET decision = 'same'",
            ),
            (
                "UPDATE entries SET start_ms = 1 WHERE submission = 1",
                "submission 1",
                "UPDATE entries SET start_ms = 0 WHERE submission = 1",
            ),
            (
                "UPDATE events SET at_ms = at_ms + 1 WHERE seq = 3",
                "row 3",
                "UPDATE events SET at_ms = at_ms - 1 WHERE seq = 3",
            ),
            (
                "UPDATE events SET kind = 'lapsed' WHERE seq = 2",
                "row 2",
                "UPDATE events SET kind = 'decided' WHERE seq = 2",
            ),
            (
                "UPDATE events SET submission = 2 WHERE seq = 1",
                "row 1",
                "UPDATE events SET submission = 1 WHERE seq = 1",
            ),
            ("DELETE FROM events WHERE seq = 4", "row 5", ""),
        ];
        for (change, named, back) in changes {
            ledger.write(|tables| tables.execute(change, &[])).unwrap();
            let error = verify(&mut ledger, None).unwrap_err();
            assert!(
                matches!(error, Error::CorruptLedger { .. }) && error.to_string().contains(named),
                "{change}: {error}"
            );
            if !back.is_empty() {
                ledger.write(|tables| tables.execute(back, &[])).unwrap();
                verify(&mut ledger, None).unwrap();
            }
        }
    });
}

#[test]
fn a_chain_that_was_cut_or_written_anew_is_noticed_by_who_kept_its_head() {
    on_each(|place| {
        let mut ledger = open(place);
        decided(&mut ledger, "ada", "a", 10, vec![]);
        let early = verify(&mut ledger, None).unwrap().head;
        decided(&mut ledger, "bob", "b", 10, vec![]);
        let late = verify(&mut ledger, Some(&early)).unwrap().head;
        for sql in [
            "DELETE FROM claims WHERE submission = 2",
            "DELETE FROM entries WHERE submission = 2",
            "DELETE FROM submissions WHERE number = 2",
            "DELETE FROM events WHERE submission = 2",
        ] {
            ledger.write(|tables| tables.execute(sql, &[])).unwrap();
        }
        verify(&mut ledger, None).unwrap();
        assert!(
            verify(&mut ledger, Some(&late))
                .unwrap_err()
                .to_string()
                .contains("ends with row 2")
        );
        let other = Head {
            hash: [7; 32],
            ..early
        };
        assert!(
            verify(&mut ledger, Some(&other))
                .unwrap_err()
                .to_string()
                .contains("was rewritten")
        );
    });
}

#[test]
fn what_only_the_index_knows_is_held_by_nobody_else() {
    on_each(|place| {
        let mut ledger = open(place);
        decided(&mut ledger, "ada", "a", 10, vec![]);
        let entry = |digest: &str| Entry {
            digest: digest.repeat(64),
            start_ms: 0,
        };
        assert_eq!(ledger.adopt(Some(5), &entry("e"), 8_000).unwrap(), 5);
        // A number that is taken, or below the last one, is replaced.
        assert_eq!(ledger.adopt(Some(3), &entry("f"), 8_000).unwrap(), 6);
        assert_eq!(
            decided(
                &mut ledger,
                "bob",
                "b",
                8,
                vec![pair(5, PairKind::Copy, s(0, 8), s(0, 8))]
            ),
            7
        );
        assert!(offered(&mut ledger, 7).is_empty());
        ledger.withdraw(5, Some("joe"), Some("nobody's")).unwrap();
        assert_eq!(offered(&mut ledger, 7), [s(0, 8)]);
        verify(&mut ledger, None).unwrap();
    });
}

#[test]
fn a_newer_ledger_and_other_files_are_refused_and_left_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let place = Place::File(path.clone());
    assert!(matches!(
        Ledger::open(&place, PATIENCE, SystemTime::now, false),
        Err(Error::NoLedger { .. })
    ));
    drop(open(&place));
    let sql = |text: &str| store::testing::execute(&path, text);
    sql("PRAGMA user_version = 2");
    let error = Ledger::open(&place, PATIENCE, SystemTime::now, true)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("version 2") && error.contains("newer uniq"),
        "{error}"
    );
    sql("PRAGMA user_version = 1; PRAGMA application_id = 7");
    assert!(
        Ledger::open(&place, PATIENCE, SystemTime::now, true)
            .unwrap_err()
            .to_string()
            .contains("another program")
    );
    let text = folder.path().join("notes.txt");
    std::fs::write(
        &text,
        "This is a text and no database, long enough to have a header of a hundred bytes if it were one.",
    )
    .unwrap();
    let error =
        Ledger::open(&Place::File(text.clone()), PATIENCE, SystemTime::now, true).unwrap_err();
    assert!(matches!(error, Error::IncompatibleLedger { .. }), "{error}");
    assert!(
        std::fs::read_to_string(&text)
            .unwrap()
            .starts_with("This is a text")
    );
}

#[test]
fn a_ledger_that_somebody_holds_is_waited_for_and_then_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let place = Place::File(path.clone());
    let mut ledger =
        Ledger::open(&place, Duration::from_millis(80), SystemTime::now, true).unwrap();
    let held = store::testing::held(&path);
    let error = ledger
        .receive(&receipt("ada", "a"), &Worker::new().unwrap(), LEASE)
        .unwrap_err();
    assert!(
        matches!(error, Error::LedgerBusy { .. }) && error.to_string().contains("ledger.db"),
        "{error}"
    );
    drop(held);
    ledger
        .receive(&receipt("ada", "a"), &Worker::new().unwrap(), LEASE)
        .unwrap();
}

#[test]
fn a_backup_is_a_whole_ledger_and_never_overwrites() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = open(&Place::File(folder.path().join("ledger.db")));
    decided(&mut ledger, "ada", "a", 10, vec![]);
    let copy = folder.path().join("copy.db");
    ledger.backup(&copy).unwrap();
    assert!(ledger.backup(&copy).is_err());
    let head = verify(&mut ledger, None).unwrap();
    assert_eq!(
        verify(&mut open(&Place::File(copy)), Some(&head.head)).unwrap(),
        head
    );
}

/// A clip of the test world: an excerpt of a recording.
#[derive(Clone, Copy, Debug)]
struct Clip {
    recording: u64,
    start: u64,
    length: u64,
    creator: u64,
}

fn clips(random: &mut SplitMix) -> Vec<Clip> {
    (0..8)
        .map(|_| Clip {
            recording: random.below(3).into(),
            start: random.below(30).into(),
            length: u64::from(3 + random.below(20)),
            creator: random.below(3).into(),
        })
        .collect()
}

/// What a perfect search finds among the decided submissions.
fn shared(clips: &[Clip], number: u64, decided: &[u64]) -> Vec<Pair> {
    let here = clips[number as usize - 1];
    let mut pairs = Vec::new();
    for &other in decided {
        let there = clips[other as usize - 1];
        let (from, to) = (
            here.start.max(there.start),
            (here.start + here.length).min(there.start + there.length),
        );
        if here.recording == there.recording && from < to {
            let of = |start: u64| s(from - start, to - start);
            pairs.push(pair(other, PairKind::Copy, of(here.start), of(there.start)));
        }
    }
    pairs
}

/// Submits the clips with `workers` workers, whose steps take random times, and returns the claims.
fn submitted(place: &Place, clips: &Arc<Vec<Clip>>, workers: u64, seed: u64) -> Vec<Vec<Claim>> {
    drop(open(place));
    let next = std::sync::Mutex::new((0_usize, open(place)));
    thread::scope(|scope| {
        for worker in 0..workers {
            let next = &next;
            scope.spawn(move || {
                let mut random = SplitMix::new(seed ^ worker);
                let mut ledger = open(place);
                loop {
                    let (number, worker) = {
                        let mut next = next.lock().unwrap();
                        let Some(clip) = clips.get(next.0) else {
                            return;
                        };
                        next.0 += 1;
                        let (by, content) = (clip.creator.to_string(), format!("{}", next.0));
                        let worker = Worker::new().unwrap();
                        (
                            next.1
                                .receive(&receipt(&by, &content), &worker, LEASE)
                                .unwrap()
                                .0
                                .number,
                            worker,
                        )
                    };
                    let pause = |random: &mut SplitMix| {
                        thread::sleep(Duration::from_millis(random.below(6).into()))
                    };
                    pause(&mut random);
                    while ledger.open_below(number).unwrap().is_some() {
                        pause(&mut random);
                    }
                    let stand = ledger.submissions_after(0).unwrap();
                    let stand: Vec<u64> = stand
                        .iter()
                        .filter(|of| of.standing == Standing::Decided)
                        .map(|of| of.number)
                        .collect();
                    assert!(
                        stand.iter().all(|other| *other < number),
                        "it is compared with smaller numbers only"
                    );
                    let done = outcome(
                        number,
                        clips[number as usize - 1].length,
                        shared(clips, number, &stand),
                    );
                    assert!(ledger.decide(number, &worker, &done, &state()).unwrap());
                }
            });
        }
    });
    let mut ledger = open(place);
    verify(&mut ledger, None).unwrap();
    (1..=clips.len() as u64)
        .map(|number| ledger.claims(number).unwrap())
        .collect()
}

#[test]
fn the_answer_does_not_depend_on_the_number_of_workers_and_no_second_is_claimed_twice() {
    let mut runner = TestRunner::new(Config {
        cases: 6,
        failure_persistence: None,
        ..Config::default()
    });
    let seeds = proptest::num::u64::ANY;
    runner
        .run(&seeds, |seed| {
            let clips = Arc::new(clips(&mut SplitMix::new(seed)));
            let folder = tempfile::tempdir().unwrap();
            let alone = submitted(&Place::File(folder.path().join("1.db")), &clips, 1, seed);
            for workers in [2, 4] {
                let place = Place::File(folder.path().join(format!("{workers}.db")));
                assert_eq!(
                    submitted(&place, &clips, workers, seed),
                    alone,
                    "{workers} workers, {clips:?}"
                );
            }
            let mut held = std::collections::HashSet::new();
            for (clip, claims) in clips.iter().zip(&alone) {
                for claim in claims
                    .iter()
                    .filter(|claim| claim.state == ClaimState::Offered)
                {
                    for second in claim.start_ms / 1000..claim.end_ms / 1000 {
                        assert!(
                            held.insert((clip.recording, clip.start + second)),
                            "{clip:?} {second}"
                        );
                    }
                }
            }
            Ok(())
        })
        .unwrap();
    // Once on a server too.
    if let (Some(one), Some(four)) = (server::database(), server::database()) {
        let clips = Arc::new(clips(&mut SplitMix::new(7)));
        let alone = submitted(&Place::Postgres(one), &clips, 1, 7);
        assert_eq!(submitted(&Place::Postgres(four), &clips, 4, 7), alone);
    }
}

/// Records the kinds of rows in a table of its own, and refuses one kind.
struct Diary {
    refuses: &'static str,
}

impl Observer for Diary {
    fn appended(&self, tables: &mut dyn Tables, row: &Event) -> Result<()> {
        tables.execute(
            "INSERT INTO service_diary (seq, kind) VALUES ($1, $2)",
            &[row.seq.into(), (&*row.kind).into()],
        )?;
        if row.kind == self.refuses {
            return Err(Error::LedgerRefused {
                reason: "not today".to_owned(),
            });
        }
        Ok(())
    }
}

#[test]
fn what_an_observer_writes_is_done_with_the_row_or_not_at_all() {
    on_each(|place| {
        let mut ledger = open(place);
        let table =
            "CREATE TABLE service_diary (seq BIGINT NOT NULL PRIMARY KEY, kind TEXT NOT NULL)";
        ledger
            .transaction(Mode::Write, |tables| tables.execute(table, &[]))
            .unwrap();
        ledger.observe(Arc::new(Diary {
            refuses: "withdrawn",
        }));
        let number = decided(&mut ledger, "alice", "clip", 10, Vec::new());
        assert_eq!(
            refusal(ledger.withdraw(number, Some("alice"), Some("a slip"))),
            "not today"
        );
        assert_eq!(
            ledger.submission(number).unwrap().standing,
            Standing::Decided
        );
        let rows = ledger.transaction(Mode::Read, |tables| {
            tables.query("SELECT seq, kind FROM service_diary ORDER BY seq", &[])
        });
        let kinds: Vec<(u64, String)> = rows
            .unwrap()
            .iter()
            .map(|row| (row.number(0), row.text(1).to_owned()))
            .collect();
        assert_eq!(
            kinds,
            [(1, "received".to_owned()), (2, "decided".to_owned())]
        );
        verify(&mut ledger, None).unwrap();
    });
}

#[test]
fn what_is_done_with_a_receipt_is_done_with_the_number_or_not_at_all() {
    on_each(|place| {
        let mut ledger = open(place);
        let worker = Worker::new().unwrap();
        let refused = ledger.receive_with(&receipt("alice", "clip"), &worker, LEASE, |_, _, _| {
            Err(Error::LedgerRefused {
                reason: "not today".to_owned(),
            })
        });
        assert_eq!(refusal(refused), "not today");
        assert!(ledger.submissions_after(0).unwrap().is_empty());
        let mut told = Vec::new();
        for _ in 0..2 {
            let also = |_: &mut dyn Tables, of: &Submission, is_new: bool| {
                told.push((of.number, is_new));
                Ok(())
            };
            ledger
                .receive_with(&receipt("alice", "clip"), &worker, LEASE, also)
                .unwrap();
        }
        assert_eq!(told, [(1, true), (1, false)]);
    });
}
