//! Writes answers and claims into the tables, and each change into the chain.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::super::chain::{GENESIS, Link};
use super::super::claims::{Decision, Deducted, Facts, Known, Pair, Standing, settle};
use super::super::interval::{Interval, Intervals};
use super::super::record::{Claim, ClaimState, Claimed, Decided, Entry, Kind, Received, State};
use super::super::review::{Judgement, Reviewed, reviewed};
use super::super::store::{Tables, Value, sql};
use super::super::worker::Worker;
use super::rows::{Event, claims, decision_of, find, name_of, pairs, serialised, submission};
use super::{Outcome, Receipt, Submission};
use crate::Result;
use crate::index::hex;
use crate::report::{ReasonCode, Report, Span, SpanState, Verdict};

/// Facts from the tables.
pub(super) struct Kept<'a>(pub(super) &'a mut dyn Tables);

impl Known for Kept<'_> {
    fn facts(&mut self, number: u64) -> Result<Option<Facts>> {
        let rows = self.0.query(sql::SUBMISSION, &[number.into()])?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let of = submission(row)?;
        let of_state = |claims: &[Claim], states: &[ClaimState]| -> Intervals {
            let claims = claims.iter().filter(|claim| states.contains(&claim.state));
            claims
                .map(|claim| Interval::new(claim.start_ms, claim.end_ms))
                .collect()
        };
        let claims = claims(self.0, number)?;
        let sold = of_state(&claims, &[ClaimState::Sold]);
        Ok(Some(Facts {
            number,
            creator: of.by,
            standing: of.standing,
            // What was paid for, or can be, cannot be offered again.
            inconclusive: of.verdict == Some(Verdict::Inconclusive)
                && sold.is_empty()
                && of.eligible.is_empty(),
            eligible: of.eligible,
            repeated: of.repeated,
            published: of.published,
            pairs: pairs(self.0, number)?,
            claimed: of_state(&claims, &[ClaimState::Offered, ClaimState::Sold]),
            sold,
        }))
    }

    fn paired_with(&mut self, number: u64) -> Result<Vec<u64>> {
        let rows = self.0.query(sql::PAIRED_WITH, &[number.into()])?;
        Ok(rows.iter().map(|row| row.number(0)).collect())
    }

    fn decision(&mut self, earlier: u64, later: u64) -> Result<Option<Decision>> {
        let rows = self
            .0
            .query(sql::DECISION, &[earlier.into(), later.into()])?;
        Ok(rows.first().map(|row| decision_of(row.text(0))))
    }
}

/// An answer to be written into the tables.
pub(super) struct Answered<'a> {
    pub(super) report: Option<&'a Report>,
    pub(super) duration_ms: u64,
    pub(super) verdict: Verdict,
    pub(super) eligible: Intervals,
    pub(super) repeated: Intervals,
    pub(super) published: Intervals,
    pub(super) pairs: &'a [Pair],
    pub(super) entries: &'a [Entry],
    pub(super) fingerprint: Option<&'a [u8]>,
}

impl<'a> Answered<'a> {
    pub(super) fn of(outcome: &'a Outcome) -> Answered<'a> {
        let report = &outcome.report;
        let spans = |wanted: &dyn Fn(&Span) -> bool| -> Intervals {
            let spans = report.spans.iter().filter(|span| wanted(span));
            spans
                .map(|span| Interval::of_seconds(span.start_s, span.end_s))
                .collect()
        };
        let is_repeated = |span: &Span| {
            span.reason
                .as_ref()
                .is_some_and(|why| why.code == ReasonCode::Repeated)
        };
        Answered {
            report: Some(report),
            duration_ms: Interval::of_seconds(0.0, report.clip.duration_s).end_ms,
            verdict: report.verdict,
            eligible: match report.verdict {
                Verdict::Inconclusive => Intervals::default(),
                _ => spans(&|span| span.state == SpanState::Unpublished),
            },
            repeated: spans(&|span| {
                let is_held =
                    report.verdict == Verdict::Inconclusive && span.state == SpanState::Unpublished;
                is_held || span.state == SpanState::Unsearchable && is_repeated(span)
            }),
            published: spans(&|span| span.state == SpanState::Published),
            pairs: &outcome.pairs,
            entries: &outcome.entries,
            fingerprint: outcome.fingerprint.as_deref(),
        }
    }
}

impl<'a> Answered<'a> {
    /// As [`Answered::of`], with judgements of the matches.
    pub(super) fn judged(outcome: &'a Outcome, judgements: &[Judgement]) -> Answered<'a> {
        let Reviewed {
            eligible,
            published,
        } = reviewed(&outcome.report, judgements);
        Answered {
            eligible,
            published,
            ..Answered::of(outcome)
        }
    }
}

pub(super) fn add_submission(
    tables: &mut dyn Tables,
    number: u64,
    receipt: &Receipt,
    now: u64,
    worker: Option<(&Worker, Duration)>,
) -> Result<()> {
    let body = Received {
        by: receipt.by.clone(),
        reference: receipt.reference.clone(),
        kind: receipt.kind,
        sha256: receipt.sha256.clone(),
        bytes: receipt.bytes,
    };
    let until = worker.map(|(_, lease)| now.saturating_add(lease.as_millis() as u64));
    let parameters = [
        number.into(),
        (&*receipt.by).into(),
        receipt.reference.as_deref().into(),
        name_of(&receipt.kind).into(),
        (&*receipt.sha256).into(),
        receipt.bytes.into(),
        (&*receipt.path).into(),
        now.into(),
        worker.map(|(worker, _)| worker.name()).into(),
        until.into(),
        u64::from(receipt.kind == Kind::Fingerprint).into(),
    ];
    tables.execute(sql::ADD_SUBMISSION, &parameters)?;
    append(tables, now, "received", number, &body)
}

/// Writes an answer into all tables, then into the chain.
pub(super) fn record(
    tables: &mut dyn Tables,
    now: u64,
    event: &'static str,
    of: &Submission,
    kind: Kind,
    answer: &Answered<'_>,
) -> Result<()> {
    let number = of.number;
    let report = answer.report.map(serialised);
    let list = |intervals: &Intervals| Value::Text(serialised(intervals));
    let parameters = [
        number.into(),
        answer.duration_ms.into(),
        name_of(&answer.verdict).into(),
        list(&answer.eligible),
        list(&answer.repeated),
        list(&answer.published),
        report.as_deref().into(),
        u64::from(kind == Kind::Fingerprint).into(),
    ];
    tables.execute(sql::SETTLE, &parameters)?;
    tables.execute(sql::DROP_PAIRS, &[number.into()])?;
    for (item, pair) in answer.pairs.iter().enumerate() {
        let parameters = [
            number.into(),
            (item as u64).into(),
            pair.other.into(),
            name_of(&pair.kind).into(),
            pair.here.start_ms.into(),
            pair.here.end_ms.into(),
            pair.there.start_ms.into(),
            pair.there.end_ms.into(),
            Value::Text(serialised(pair)),
        ];
        tables.execute(sql::ADD_PAIR, &parameters)?;
    }
    tables.execute(sql::DROP_ENTRIES, &[number.into()])?;
    for entry in answer.entries {
        tables.execute(
            sql::ADD_ENTRY,
            &[
                (&*entry.digest).into(),
                number.into(),
                entry.start_ms.into(),
            ],
        )?;
    }
    tables.execute(sql::DROP_FINGERPRINT, &[number.into()])?;
    if let Some(bytes) = answer.fingerprint {
        tables.execute(sql::ADD_FINGERPRINT, &[number.into(), bytes.into()])?;
    }
    let claims = settled_claims(tables, number)?;
    write_claims(tables, number, &claims)?;
    let index = answer.report.map(|report| &report.index);
    let body = Decided {
        kind,
        sha256: of.sha256.clone(),
        duration_ms: answer.duration_ms,
        verdict: answer.verdict,
        eligible: answer.eligible.clone(),
        repeated: answer.repeated.clone(),
        published: answer.published.clone(),
        pairs: answer.pairs.to_vec(),
        entries: answer.entries.to_vec(),
        claims,
        index: index.map(|index| State {
            root: index.root.clone(),
            generation: index.generation,
        }),
        report_sha256: report.map(|report| hex(&Sha256::digest(report))),
    };
    append(tables, now, event, number, &body)
}

/// The claims of a submission by the present tables: sold, offered and disputed seconds.
pub(super) fn settled_claims(tables: &mut dyn Tables, number: u64) -> Result<Vec<Claim>> {
    let Some(facts) = Kept(tables).facts(number)? else {
        return Ok(Vec::new());
    };
    let settled = settle(&facts, &mut Kept(tables))?;
    let disputed: Intervals = settled
        .deductions
        .iter()
        .filter(|deduction| deduction.reason == Deducted::Disputed)
        .map(|deduction| deduction.here)
        .collect();
    let of = |intervals: &Intervals, state| {
        intervals
            .iter()
            .map(move |of| Claim {
                start_ms: of.start_ms,
                end_ms: of.end_ms,
                state,
            })
            .collect::<Vec<_>>()
    };
    let mut claims = of(&facts.sold, ClaimState::Sold);
    claims.extend(of(&settled.offered, ClaimState::Offered));
    claims.extend(of(&disputed.without(&facts.sold), ClaimState::Disputed));
    claims.sort_unstable();
    Ok(claims)
}

/// Settles everything that depends on these submissions.
pub(super) fn resettle(
    tables: &mut dyn Tables,
    now: u64,
    from: BTreeSet<u64>,
    why: &str,
) -> Result<()> {
    resettle_counted(tables, now, from, why).map(drop)
}

/// As [`resettle`], and returns the submissions whose claims changed.
pub(super) fn resettle_counted(
    tables: &mut dyn Tables,
    now: u64,
    from: BTreeSet<u64>,
    why: &str,
) -> Result<Vec<u64>> {
    // Everything that shares seconds with them, also through a withdrawn submission.
    let (mut affected, mut waiting) = (from.clone(), Vec::from_iter(from));
    let mut seen: BTreeSet<u64> = affected.clone();
    while let Some(number) = waiting.pop() {
        let listing = tables.query(sql::PAIRED_WITH, &[number.into()])?;
        let listed = pairs(tables, number)?.into_iter().map(|pair| pair.other);
        for other in listing.iter().map(|row| row.number(0)).chain(listed) {
            affected.insert(other);
            if find(tables, other)?.standing == Standing::Withdrawn && seen.insert(other) {
                waiting.push(other);
            }
        }
    }
    let mut changed = BTreeSet::new();
    let mut settle_one = |tables: &mut dyn Tables, number: u64| -> Result<bool> {
        if find(tables, number)?.standing != Standing::Decided {
            return Ok(false);
        }
        let settled = settled_claims(tables, number)?;
        if settled == claims(tables, number)? {
            return Ok(false);
        }
        write_claims(tables, number, &settled)?;
        append(
            tables,
            now,
            "claimed",
            number,
            &Claimed {
                by: None,
                why: Some(why.to_owned()),
                claims: settled,
            },
        )?;
        changed.insert(number);
        Ok(true)
    };
    // The smaller number first, since earlier submissions take precedence.
    let mut earlier = BTreeSet::new();
    for &number in &affected {
        if settle_one(tables, number)? {
            let paired = tables.query(sql::PAIRED_WITH, &[number.into()])?;
            earlier.extend(
                paired
                    .iter()
                    .map(|row| row.number(0))
                    .filter(|other| *other < number),
            );
        }
    }
    // An earlier one's claims depend on the claims of later ones, but never the reverse.
    for number in earlier {
        settle_one(tables, number)?;
    }
    Ok(changed.into_iter().collect())
}

/// Appends a row to the chain.
pub(super) fn append(
    tables: &mut dyn Tables,
    now: u64,
    kind: &str,
    submission: u64,
    body: &impl Serialize,
) -> Result<()> {
    let head = tables.query(sql::HEAD, &[])?;
    let (seq, previous) = match head.first() {
        Some(row) => (
            row.number(0) + 1,
            <[u8; 32]>::try_from(row.bytes(1)).unwrap_or(GENESIS),
        ),
        None => (1, GENESIS),
    };
    let body = serialised(body);
    let hash = Link {
        seq,
        at_ms: now,
        kind,
        submission,
        body: &body,
    }
    .hash(&previous);
    let parameters = [
        seq.into(),
        now.into(),
        kind.into(),
        submission.into(),
        (&*body).into(),
        previous[..].into(),
        hash[..].into(),
    ];
    tables.execute(sql::ADD_EVENT, &parameters)?;
    let (kind, previous, hash) = (kind.to_owned(), previous.to_vec(), hash.to_vec());
    tables.appended(&Event {
        seq,
        at_ms: now,
        kind,
        submission,
        body,
        previous,
        hash,
    })
}

pub(super) fn write_claims(tables: &mut dyn Tables, number: u64, claims: &[Claim]) -> Result<()> {
    tables.execute(sql::DROP_CLAIMS, &[number.into()])?;
    for claim in claims {
        let parameters = [
            number.into(),
            claim.start_ms.into(),
            claim.end_ms.into(),
            name_of(&claim.state).into(),
        ];
        tables.execute(sql::ADD_CLAIM, &parameters)?;
    }
    Ok(())
}

pub(super) fn see_index(tables: &mut dyn Tables, state: &State) -> Result<()> {
    tables.execute(sql::SET, &[INDEX_ROOT.into(), (&*state.root).into()])?;
    tables
        .execute(
            sql::SET,
            &[
                INDEX_GENERATION.into(),
                (&*state.generation.to_string()).into(),
            ],
        )
        .map(drop)
}

/// The settings with the last seen state of the index of submissions.
pub(super) const INDEX_ROOT: &str = "index_root";
pub(super) const INDEX_GENERATION: &str = "index_generation";
