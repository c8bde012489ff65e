//! The ledger: submissions in the order of their receipt, and all that happens to them, as a chain of rows.
//!
//! A change is one transaction, which appends to the chain and brings the other tables up to date. What is durable when a call
//! returns was done as a whole. The tables beside the chain can be made of it; [`Ledger::verify`] compares them.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::chain::{GENESIS, Link};
use super::claims::{Decision, Facts, Known, Pair, Settled, Standing, settle};
use super::interval::{Interval, Intervals};
use super::record::{Claim, ClaimState, Claimed, Decided, Ended, Entry, Judged, Kind, Received, State};
use super::store::sql;
use super::store::{self, Mode, Place, Row, Store, Tables, Value};
use super::worker::Worker;
use crate::index::hex;
use crate::report::{ReasonCode, Report, Span, SpanState, Verdict};
use crate::{Error, Result};

/// An open ledger; one a thread.
pub struct Ledger {
    store: Box<dyn Store>,
    name: String,
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What is submitted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Receipt {
    /// Who submits it.
    pub by: String,
    /// What the creator calls it.
    pub reference: Option<String>,
    /// Whether it is the clip or its fingerprint.
    pub kind: Kind,
    /// SHA-256 of the clip, in hexadecimal; of a fingerprint, as it says.
    pub sha256: String,
    /// Length of the file in bytes.
    pub bytes: u64,
    /// Where the file is, so that another worker can take it over.
    pub path: String,
}

/// A submission as the ledger has it.
#[derive(Clone, PartialEq, Debug)]
pub struct Submission {
    /// Its number: who has the smaller one was first.
    pub number: u64,
    /// Who submitted it.
    pub by: String,
    /// What the creator calls it.
    pub reference: Option<String>,
    /// Whether it is the clip or its fingerprint.
    pub kind: Kind,
    /// SHA-256 of the clip.
    pub sha256: String,
    /// Length of the file in bytes.
    pub bytes: u64,
    /// Where the file was.
    pub path: String,
    /// When it got its number, in milliseconds since 1970.
    pub received_ms: u64,
    /// Where it stands.
    pub standing: Standing,
    /// Why it has no answer, or was withdrawn.
    pub reason: Option<String>,
    /// Who works on it.
    pub worker: Option<String>,
    /// Until when nobody else takes it over.
    pub lease_until_ms: u64,
    /// Length of the clip.
    pub duration_ms: u64,
    /// Verdict against the public index.
    pub verdict: Option<Verdict>,
    /// Whether what it offers is provisional, because only a fingerprint was seen.
    pub provisional: bool,
    /// Its unpublished seconds, of which it can claim what nobody else holds.
    pub eligible: Intervals,
    /// Its seconds that show again what it has shown.
    pub repeated: Intervals,
    /// Its published seconds.
    pub published: Intervals,
}

/// What came of the work on a submission.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) report: Report,
    pub(super) pairs: Vec<Pair>,
    pub(super) entries: Vec<Entry>,
    /// The bytes of a fingerprint that has to be compared with the clip later.
    pub(super) fingerprint: Option<Vec<u8>>,
}

/// A submission with what it claims and shares.
#[derive(Clone, Debug)]
pub struct Standings {
    /// The submission.
    pub submission: Submission,
    /// What it claims.
    pub claims: Vec<Claim>,
    /// What it shares with others.
    pub pairs: Vec<Pair>,
    /// What is deducted now, and what is related.
    pub settled: Settled,
    /// The creators of the submissions that it shares something with.
    pub creators: HashMap<u64, String>,
    /// The report against the public index; `None` without an answer.
    pub report: Option<Report>,
}

impl Ledger {
    /// Opens a ledger; with `create`, makes one where there is none.
    ///
    /// `patience` is how long another writer is waited for. Times are those of `clock`, or of the server.
    ///
    /// # Errors
    /// [`Error::NoLedger`], [`Error::IncompatibleLedger`], [`Error::LedgerBusy`], [`Error::CorruptLedger`] and
    /// [`Error::Ledger`].
    pub fn open(place: &Place, patience: Duration, clock: fn() -> SystemTime, create: bool) -> Result<Ledger> {
        Ok(Ledger { store: store::open(place, patience, clock, create)?, name: place.shown() })
    }

    /// What the ledger is called, without a password.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The time by the ledger's clock, in milliseconds since 1970.
    ///
    /// # Errors
    /// Those of the database.
    pub fn now_ms(&mut self) -> Result<u64> {
        self.store.now_ms()
    }

    /// Gives a submission its number, or finds the one that it has: the same bytes of the same creator are one submission
    /// as long as it is not withdrawn.
    ///
    /// When this returns, the number is durable. The worker has it for `lease`, and is to renew that. The second value is
    /// whether the number is new.
    ///
    /// # Errors
    /// [`Error::InvalidSetting`] for a name that is empty, too long, or has characters that are not shown, and those of the
    /// database.
    pub fn receive(&mut self, receipt: &Receipt, worker: &Worker, lease: Duration) -> Result<(Submission, bool)> {
        named("creator (--by)", &receipt.by)?;
        if let Some(reference) = &receipt.reference {
            named("reference (--ref)", reference)?;
        }
        let now = self.store.now_ms()?;
        self.write(|tables| {
            let standing = tables.query(sql::STANDING, &[(&*receipt.by).into(), (&*receipt.sha256).into()])?;
            if let Some(row) = standing.first() {
                let known = submission(row)?;
                // Its file may lie elsewhere by now.
                if known.standing == Standing::Received && known.kind == receipt.kind {
                    tables.execute(sql::MOVE, &[known.number.into(), (&*receipt.path).into()])?;
                }
                return Ok((known, false));
            }
            let last = tables.query(sql::LAST_NUMBER, &[])?;
            let number = last.first().map_or(1, |row| row.number(0) + 1);
            add_submission(tables, number, receipt, now, Some((worker, lease)))?;
            Ok((find(tables, number)?, true))
        })
    }

    /// Makes a worker the one that works on a submission, unless another one that is alive does; whether it is so.
    ///
    /// # Errors
    /// Those of the database.
    pub fn take(&mut self, number: u64, worker: &Worker, lease: Duration) -> Result<bool> {
        let now = self.store.now_ms()?;
        self.write(|tables| {
            let there = find(tables, number)?;
            let is_free = there.worker.as_deref() == Some(worker.name())
                || there.lease_until_ms <= now
                || there.worker.as_deref().is_some_and(|other| worker.knows_is_gone(other));
            if there.standing != Standing::Received || !is_free {
                return Ok(false);
            }
            let until = now.saturating_add(lease.as_millis() as u64);
            tables.execute(sql::TAKE, &[number.into(), worker.name().into(), until.into()])?;
            Ok(true)
        })
    }

    /// Lets a worker have what it works on for another `lease`.
    ///
    /// # Errors
    /// Those of the database.
    pub fn renew(&mut self, worker: &Worker, lease: Duration) -> Result<()> {
        let until = self.store.now_ms()?.saturating_add(lease.as_millis() as u64);
        self.write(|tables| {
            tables.execute(sql::RENEW, &[worker.name().into(), until.into()])?;
            Ok(())
        })
    }

    /// Gives a submission back, so that anybody may take it over at once.
    ///
    /// # Errors
    /// Those of the database.
    pub fn release(&mut self, number: u64, worker: &Worker) -> Result<()> {
        self.write(|tables| {
            tables.execute(sql::RELEASE, &[number.into(), worker.name().into()])?;
            Ok(())
        })
    }

    /// The first submission below a number that has no answer yet.
    ///
    /// # Errors
    /// Those of the database.
    pub fn open_below(&mut self, number: u64) -> Result<Option<Submission>> {
        self.read(|tables| tables.query(sql::OPEN_BELOW, &[number.into()])?.first().map(submission).transpose())
    }

    /// A submission.
    ///
    /// # Errors
    /// [`Error::LedgerRefused`] if there is none of this number, and those of the database.
    pub fn submission(&mut self, number: u64) -> Result<Submission> {
        self.read(|tables| find(tables, number))
    }

    /// A submission with what it claims and shares.
    ///
    /// # Errors
    /// Those of [`Ledger::submission`].
    pub fn standings(&mut self, number: u64) -> Result<Standings> {
        let name = self.name.clone();
        self.read(|tables| {
            let submission = find(tables, number)?;
            let facts = Kept(tables).facts(number)?.ok_or_else(|| unknown(number))?;
            let settled = settle(&facts, &mut Kept(tables))?;
            let claims = claims(tables, number)?;
            let report = tables.query(sql::REPORT, &[number.into()])?;
            let report = report.first().and_then(|row| row.maybe_text(0));
            let report = report.map(|text| parsed(&name, &format!("the report of submission {number}"), text));
            let mut creators = HashMap::new();
            for pair in &facts.pairs {
                creators.insert(pair.other, find(tables, pair.other)?.by);
            }
            Ok(Standings { submission, claims, pairs: facts.pairs, settled, creators, report: report.transpose()? })
        })
    }

    /// The submissions after a number, in order: at most a thousand.
    ///
    /// # Errors
    /// Those of the database.
    pub fn submissions_after(&mut self, number: u64) -> Result<Vec<Submission>> {
        self.read(|tables| tables.query(sql::SUBMISSIONS_AFTER, &[number.into()])?.iter().map(submission).collect())
    }

    /// What a submission claims.
    ///
    /// # Errors
    /// Those of the database.
    pub fn claims(&mut self, number: u64) -> Result<Vec<Claim>> {
        self.read(|tables| claims(tables, number))
    }

    /// What a person has decided about a pair, who and why.
    ///
    /// # Errors
    /// Those of the database.
    pub fn decision(&mut self, a: u64, b: u64) -> Result<Option<(Decision, String, String)>> {
        self.read(|tables| {
            let rows = tables.query(sql::DECISION, &[a.min(b).into(), a.max(b).into()])?;
            Ok(rows.first().map(|row| (decision_of(row.text(0)), row.text(1).to_owned(), row.text(2).to_owned())))
        })
    }

    /// Earlier submissions that stand and have the same bytes.
    pub(super) fn same_bytes_below(&mut self, sha256: &str, number: u64) -> Result<Vec<u64>> {
        self.read(|tables| {
            let rows = tables.query(sql::SAME_BYTES_BELOW, &[sha256.into(), number.into()])?;
            Ok(rows.iter().map(|row| row.number(0)).collect())
        })
    }

    /// The submission of an entry of the index, and when the entry begins in its clip; `None` if the entry is unknown.
    pub(super) fn entry(&mut self, digest: &str) -> Result<Option<(Submission, u64)>> {
        self.read(|tables| {
            let rows = tables.query(sql::ENTRY, &[digest.into()])?;
            rows.first().map(|row| Ok((find(tables, row.number(0))?, row.number(1)))).transpose()
        })
    }

    /// The entries of a submission.
    pub(super) fn entries_of(&mut self, number: u64) -> Result<Vec<Entry>> {
        self.read(|tables| entries(tables, number))
    }

    /// The entries of all submissions in order of their digests, with where these stand: at most a thousand after one.
    pub(super) fn entries_after(&mut self, digest: &str) -> Result<Vec<(String, u64, Standing)>> {
        self.read(|tables| {
            let rows = tables.query(sql::ENTRIES_AFTER, &[digest.into()])?;
            Ok(rows.iter().map(|row| (row.text(0).to_owned(), row.number(1), standing_of(row.text(2)))).collect())
        })
    }

    /// The fingerprint that a submission consists of.
    pub(super) fn fingerprint(&mut self, number: u64) -> Result<Option<Vec<u8>>> {
        self.read(|tables| {
            let rows = tables.query(sql::FINGERPRINT, &[number.into()])?;
            Ok(rows.first().map(|row| row.bytes(0).to_owned()))
        })
    }

    /// The state in which the ledger last saw the index of its submissions.
    pub(super) fn seen_index(&mut self) -> Result<Option<State>> {
        self.read(|tables| {
            let root = setting(tables, INDEX_ROOT)?;
            let generation = setting(tables, INDEX_GENERATION)?.and_then(|text| text.parse().ok());
            Ok(root.zip(generation).map(|(root, generation)| State { root, generation }))
        })
    }

    /// Notes in which state the index of the submissions is.
    pub(super) fn see_index(&mut self, state: &State) -> Result<()> {
        self.write(|tables| see_index(tables, state))
    }

    /// Records the answer to a submission; `false` if the worker does not have it any more.
    pub(super) fn decide(&mut self, number: u64, worker: &Worker, outcome: &Outcome, index: &State) -> Result<bool> {
        let now = self.store.now_ms()?;
        self.write(|tables| {
            let there = find(tables, number)?;
            if there.standing != Standing::Received || there.worker.as_deref() != Some(worker.name()) {
                return Ok(false);
            }
            if let Some(row) = tables.query(sql::OPEN_BELOW, &[number.into()])?.first() {
                let reason = format!("submission {number} cannot be answered before submission {}", row.number(0));
                return Err(Error::LedgerRefused { reason });
            }
            record(tables, now, "decided", &there, there.kind, &Answered::of(outcome))?;
            see_index(tables, index)?;
            Ok(true)
        })
    }

    /// Records that a clip has confirmed the fingerprint of a submission.
    pub(super) fn confirm(&mut self, number: u64, receipt: &Receipt, outcome: &Outcome, index: &State) -> Result<()> {
        let now = self.store.now_ms()?;
        self.write(|tables| {
            let there = find(tables, number)?;
            if there.standing != Standing::Decided || there.kind != Kind::Fingerprint {
                return Err(not_awaiting(&there));
            }
            let parameters = [number.into(), (&*receipt.sha256).into(), receipt.bytes.into(), (&*receipt.path).into()];
            tables.execute(sql::CONFIRM, &parameters)?;
            let there = Submission { sha256: receipt.sha256.clone(), ..there };
            record(tables, now, "confirmed", &there, Kind::Clip, &Answered::of(outcome))?;
            // Less may be eligible than was before, which frees others.
            resettle(tables, now, [number].into(), "a clip has confirmed a fingerprint")?;
            see_index(tables, index)
        })
    }

    /// Records that a submission gets no answer; `false` if the worker does not have it any more.
    pub(super) fn end(&mut self, number: u64, worker: &Worker, standing: Standing, reason: &str) -> Result<bool> {
        let now = self.store.now_ms()?;
        self.write(|tables| {
            let there = find(tables, number)?;
            if there.standing != Standing::Received || there.worker.as_deref() != Some(worker.name()) {
                return Ok(false);
            }
            let body = Ended { reason: reason.to_owned() };
            append(tables, now, name_of(&standing), number, &body)?;
            tables.execute(sql::END, &[number.into(), name_of(&standing).into(), reason.into()])?;
            Ok(true)
        })
    }

    /// Takes a submission back: its claims end, and those whom they stood in the way of get theirs, in order.
    ///
    /// # Errors
    /// [`Error::LedgerRefused`] if some of it was sold or it does not stand, and those of the database.
    pub fn withdraw(&mut self, number: u64, by: Option<&str>, why: Option<&str>) -> Result<()> {
        let (by, why) = (optional("name (--by)", by)?, optional("reason (--why)", why)?);
        let now = self.store.now_ms()?;
        self.write(|tables| {
            let there = find(tables, number)?;
            if !matches!(there.standing, Standing::Decided | Standing::Received) {
                let reason = format!("submission {number} is {} and claims nothing", name_of(&there.standing));
                return Err(Error::LedgerRefused { reason });
            }
            let mut ended = claims(tables, number)?;
            if ended.iter().any(|claim| claim.state == ClaimState::Sold) {
                let reason = format!("submission {number} is sold, and what is sold cannot be withdrawn");
                return Err(Error::LedgerRefused { reason });
            }
            for claim in &mut ended {
                claim.state = ClaimState::Withdrawn;
            }
            let body = Claimed { by: by.clone(), why: why.clone(), claims: ended.clone() };
            append(tables, now, "withdrawn", number, &body)?;
            write_claims(tables, number, &ended)?;
            tables.execute(sql::END, &[number.into(), "withdrawn".into(), why.as_deref().into()])?;
            tables.execute(sql::DROP_FINGERPRINT, &[number.into()])?;
            // Its entries are to be removed, and until then the index is none that was seen.
            see_index(tables, &State { root: String::new(), generation: 0 })?;
            resettle(tables, now, [number].into(), &format!("submission {number} was withdrawn"))
        })
    }

    /// Records that what a submission offers was bought; gives the milliseconds.
    ///
    /// # Errors
    /// [`Error::LedgerRefused`] if it offers nothing, or only a fingerprint was seen, and those of the database.
    pub fn sell(&mut self, number: u64, by: Option<&str>, why: Option<&str>) -> Result<u64> {
        let (by, why) = (optional("name (--by)", by)?, optional("reference (--ref)", why)?);
        let now = self.store.now_ms()?;
        self.write(|tables| {
            let there = find(tables, number)?;
            if there.provisional {
                let reason = format!(
                    "submission {number} is a fingerprint, and what it offers is provisional; confirm it first with: uniq intake add \
                     CLIP --by CREATOR --for {number}"
                );
                return Err(Error::LedgerRefused { reason });
            }
            let mut sold = claims(tables, number)?;
            let mut length = 0;
            for claim in sold.iter_mut().filter(|claim| claim.state == ClaimState::Offered) {
                length += claim.end_ms - claim.start_ms;
                claim.state = ClaimState::Sold;
            }
            if length == 0 {
                let state = if sold.iter().any(|claim| claim.state == ClaimState::Sold) {
                    "was sold before".to_owned()
                } else {
                    format!("is {} and offers nothing", name_of(&there.standing))
                };
                return Err(Error::LedgerRefused { reason: format!("submission {number} {state}") });
            }
            let body = Claimed { by: by.clone(), why: why.clone(), claims: sold.clone() };
            append(tables, now, "sold", number, &body)?;
            write_claims(tables, number, &sold)?;
            Ok(length)
        })
    }

    /// Keeps what a person says of a pair, and settles again what depends on it; gives the submissions whose claims are others now.
    ///
    /// # Errors
    /// [`Error::LedgerRefused`] if the two share nothing that is known, and those of the database.
    pub fn judge(&mut self, a: u64, b: u64, decision: Decision, by: &str, why: &str) -> Result<Vec<u64>> {
        named("name (--by)", by)?;
        named("reason (--why)", why)?;
        let (earlier, later) = (a.min(b), a.max(b));
        let now = self.store.now_ms()?;
        self.write(|tables| {
            let (one, other) = (find(tables, earlier)?, find(tables, later)?);
            let shares = |pairs: Vec<Pair>, with: u64| pairs.iter().any(|pair| pair.other == with);
            if earlier == later
                || !shares(pairs(tables, later)?, earlier) && !shares(pairs(tables, earlier)?, later)
            {
                let reason = format!(
                    "submissions {} and {} are not known to share anything; see the pairs of one with: uniq intake show {}",
                    one.number, other.number, other.number
                );
                return Err(Error::LedgerRefused { reason });
            }
            let body = Judged { earlier, later, decision, by: by.to_owned(), why: why.to_owned() };
            append(tables, now, name_of(&decision), later, &body)?;
            let parameters = [
                earlier.into(),
                later.into(),
                name_of(&decision).into(),
                by.into(),
                why.into(),
                now.into(),
            ];
            tables.execute(sql::ADD_DECISION, &parameters)?;
            let why = format!("{} and {} are {}", earlier, later, name_of(&decision));
            resettle_counted(tables, now, [earlier, later].into(), &why)
        })
    }

    /// Takes into the ledger what the index of submissions has and the ledger does not know: an unknown creator's, who holds all
    /// of it until a person has looked; gives its number.
    pub(super) fn adopt(&mut self, number: Option<u64>, entry: &Entry, duration_ms: u64) -> Result<u64> {
        let now = self.store.now_ms()?;
        self.write(|tables| {
            let last = tables.query(sql::LAST_NUMBER, &[])?.first().map_or(0, |row| row.number(0));
            let number = number.filter(|number| *number > last).unwrap_or(last + 1);
            let receipt = Receipt {
                by: UNKNOWN_CREATOR.to_owned(),
                reference: None,
                kind: Kind::Fingerprint,
                sha256: entry.digest.clone(),
                bytes: 0,
                path: String::new(),
            };
            add_submission(tables, number, &receipt, now, None)?;
            let there = find(tables, number)?;
            let answer = Answered {
                report: None,
                duration_ms,
                verdict: Verdict::Unpublished,
                eligible: Interval::new(0, duration_ms.max(1)).into(),
                repeated: Intervals::default(),
                published: Intervals::default(),
                pairs: &[],
                entries: std::slice::from_ref(entry),
                fingerprint: None,
            };
            record(tables, now, "decided", &there, Kind::Fingerprint, &answer)?;
            Ok(number)
        })
    }

    /// Rows of the chain after a number, in order: at most a thousand.
    ///
    /// # Errors
    /// Those of the database.
    pub fn events_after(&mut self, seq: u64) -> Result<Vec<Event>> {
        self.read(|tables| Ok(tables.query(sql::EVENTS_AFTER, &[seq.into()])?.iter().map(Event::of).collect()))
    }

    /// Rows of the chain about a submission, in order.
    ///
    /// # Errors
    /// Those of the database.
    pub fn events_of(&mut self, number: u64) -> Result<Vec<Event>> {
        self.read(|tables| Ok(tables.query(sql::EVENTS_OF, &[number.into()])?.iter().map(Event::of).collect()))
    }

    /// Writes a copy of the whole ledger to a new file.
    ///
    /// # Errors
    /// [`Error::LedgerRefused`] for PostgreSQL, which has its own means, and those of the database.
    pub fn backup(&mut self, target: &Path) -> Result<()> {
        self.store.backup(target)
    }

    /// What is wrong with the pages of the database.
    pub(super) fn damage(&mut self) -> Result<Option<String>> {
        self.store.damage()
    }

    /// Runs a transaction that reads one state.
    fn read<T>(&mut self, work: impl FnOnce(&mut dyn Tables) -> Result<T>) -> Result<T> {
        self.run(Mode::Read, work)
    }

    /// Runs a transaction that changes the ledger.
    fn write<T>(&mut self, work: impl FnOnce(&mut dyn Tables) -> Result<T>) -> Result<T> {
        self.run(Mode::Write, work)
    }

    fn run<T>(&mut self, mode: Mode, work: impl FnOnce(&mut dyn Tables) -> Result<T>) -> Result<T> {
        let (mut work, mut found) = (Some(work), None);
        self.store.transaction(mode, &mut |tables| {
            if let Some(work) = work.take() {
                found = Some(work(tables)?);
            }
            Ok(())
        })?;
        // A store runs the work of a transaction that succeeds.
        found.ok_or_else(|| Error::LedgerRefused { reason: format!("{}: a transaction was not run", self.name) })
    }

    /// Reads many rows of one state.
    pub(super) fn reading<T>(&mut self, work: impl FnOnce(&mut Reading<'_>) -> Result<T>) -> Result<T> {
        let name = self.name.clone();
        self.read(|tables| work(&mut Reading { tables, name: &name }))
    }
}

/// One state of the ledger, for who goes through all of it.
pub(super) struct Reading<'a> {
    tables: &'a mut dyn Tables,
    name: &'a str,
}

impl Reading<'_> {
    pub(super) fn events_after(&mut self, seq: u64) -> Result<Vec<Event>> {
        Ok(self.tables.query(sql::EVENTS_AFTER, &[seq.into()])?.iter().map(Event::of).collect())
    }

    pub(super) fn submissions_after(&mut self, number: u64) -> Result<Vec<Submission>> {
        self.tables.query(sql::SUBMISSIONS_AFTER, &[number.into()])?.iter().map(submission).collect()
    }

    pub(super) fn claims(&mut self, number: u64) -> Result<Vec<Claim>> {
        claims(self.tables, number)
    }

    pub(super) fn pairs(&mut self, number: u64) -> Result<Vec<Pair>> {
        pairs(self.tables, number)
    }

    pub(super) fn entries(&mut self, number: u64) -> Result<Vec<Entry>> {
        entries(self.tables, number)
    }

    pub(super) fn report_sha256(&mut self, number: u64) -> Result<Option<String>> {
        let rows = self.tables.query(sql::REPORT, &[number.into()])?;
        Ok(rows.first().and_then(|row| row.maybe_text(0)).map(|text| hex(&Sha256::digest(text))))
    }

    pub(super) fn decision(&mut self, earlier: u64, later: u64) -> Result<Option<(Decision, String, String)>> {
        let rows = self.tables.query(sql::DECISION, &[earlier.into(), later.into()])?;
        Ok(rows.first().map(|row| (decision_of(row.text(0)), row.text(1).to_owned(), row.text(2).to_owned())))
    }

    pub(super) fn corrupt(&self, what: String, found: String) -> Error {
        Error::CorruptLedger { ledger: self.name.to_owned(), what, found }
    }
}

/// A row of the chain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// Number of the row.
    pub seq: u64,
    /// When it was written, in milliseconds since 1970.
    pub at_ms: u64,
    /// What happened.
    pub kind: String,
    /// The submission that it happened to.
    pub submission: u64,
    /// The particulars, as JSON.
    pub body: String,
    /// The hash of the row before it.
    pub previous: Vec<u8>,
    /// Its hash.
    pub hash: Vec<u8>,
}

impl Event {
    fn of(row: &Row) -> Event {
        Event {
            seq: row.number(0),
            at_ms: row.number(1),
            kind: row.text(2).to_owned(),
            submission: row.number(3),
            body: row.text(4).to_owned(),
            previous: row.bytes(5).to_owned(),
            hash: row.bytes(6).to_owned(),
        }
    }
}

/// Facts as the tables have them.
struct Kept<'a>(&'a mut dyn Tables);

impl Known for Kept<'_> {
    fn facts(&mut self, number: u64) -> Result<Option<Facts>> {
        let rows = self.0.query(sql::SUBMISSION, &[number.into()])?;
        let Some(row) = rows.first() else { return Ok(None) };
        let of = submission(row)?;
        let of_state = |claims: &[Claim], states: &[ClaimState]| -> Intervals {
            let claims = claims.iter().filter(|claim| states.contains(&claim.state));
            claims.map(|claim| Interval::new(claim.start_ms, claim.end_ms)).collect()
        };
        let claims = claims(self.0, number)?;
        Ok(Some(Facts {
            number,
            creator: of.by,
            standing: of.standing,
            eligible: of.eligible,
            repeated: of.repeated,
            published: of.published,
            pairs: pairs(self.0, number)?,
            claimed: of_state(&claims, &[ClaimState::Offered, ClaimState::Sold]),
            sold: of_state(&claims, &[ClaimState::Sold]),
        }))
    }

    fn paired_with(&mut self, number: u64) -> Result<Vec<u64>> {
        let rows = self.0.query(sql::PAIRED_WITH, &[number.into()])?;
        Ok(rows.iter().map(|row| row.number(0)).collect())
    }

    fn decision(&mut self, earlier: u64, later: u64) -> Result<Option<Decision>> {
        let rows = self.0.query(sql::DECISION, &[earlier.into(), later.into()])?;
        Ok(rows.first().map(|row| decision_of(row.text(0))))
    }
}

/// An answer as it is written into the tables.
struct Answered<'a> {
    report: Option<&'a Report>,
    duration_ms: u64,
    verdict: Verdict,
    eligible: Intervals,
    repeated: Intervals,
    published: Intervals,
    pairs: &'a [Pair],
    entries: &'a [Entry],
    fingerprint: Option<&'a [u8]>,
}

impl<'a> Answered<'a> {
    fn of(outcome: &'a Outcome) -> Answered<'a> {
        let report = &outcome.report;
        let spans = |wanted: &dyn Fn(&Span) -> bool| -> Intervals {
            let spans = report.spans.iter().filter(|span| wanted(span));
            spans.map(|span| Interval::of_seconds(span.start_s, span.end_s)).collect()
        };
        let is_repeated = |span: &Span| span.reason.as_ref().is_some_and(|why| why.code == ReasonCode::Repeated);
        Answered {
            report: Some(report),
            duration_ms: Interval::of_seconds(0.0, report.clip.duration_s).end_ms,
            verdict: report.verdict,
            eligible: match report.verdict {
                Verdict::Inconclusive => Intervals::default(),
                _ => spans(&|span| span.state == SpanState::Unpublished),
            },
            repeated: spans(&|span| span.state == SpanState::Unsearchable && is_repeated(span)),
            published: spans(&|span| span.state == SpanState::Published),
            pairs: &outcome.pairs,
            entries: &outcome.entries,
            fingerprint: outcome.fingerprint.as_deref(),
        }
    }
}

fn add_submission(
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

/// Writes an answer into all tables, and then into the chain.
fn record(
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
        tables.execute(sql::ADD_ENTRY, &[(&*entry.digest).into(), number.into(), entry.start_ms.into()])?;
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
        index: index.map(|index| State { root: index.root.clone(), generation: index.generation }),
        report_sha256: report.map(|report| hex(&Sha256::digest(report))),
    };
    append(tables, now, event, number, &body)
}

/// What a submission claims as the tables stand: what was sold, what can be offered, and what is disputed.
fn settled_claims(tables: &mut dyn Tables, number: u64) -> Result<Vec<Claim>> {
    let Some(facts) = Kept(tables).facts(number)? else { return Ok(Vec::new()) };
    let settled = settle(&facts, &mut Kept(tables))?;
    let disputed: Intervals = settled
        .deductions
        .iter()
        .filter(|deduction| deduction.reason == super::claims::Deducted::Disputed)
        .map(|deduction| deduction.here)
        .collect();
    let of = |intervals: &Intervals, state| {
        intervals.iter().map(move |of| Claim { start_ms: of.start_ms, end_ms: of.end_ms, state }).collect::<Vec<_>>()
    };
    let mut claims = of(&facts.sold, ClaimState::Sold);
    claims.extend(of(&settled.offered, ClaimState::Offered));
    claims.extend(of(&disputed.without(&facts.sold), ClaimState::Disputed));
    claims.sort_unstable();
    Ok(claims)
}

/// Settles again what depends on these submissions.
fn resettle(tables: &mut dyn Tables, now: u64, from: BTreeSet<u64>, why: &str) -> Result<()> {
    resettle_counted(tables, now, from, why).map(drop)
}

/// As [`resettle`]; gives those whose claims are others now.
fn resettle_counted(tables: &mut dyn Tables, now: u64, from: BTreeSet<u64>, why: &str) -> Result<Vec<u64>> {
    // Those that share something with one of them, also through one that was withdrawn.
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
        append(tables, now, "claimed", number, &Claimed { by: None, why: Some(why.to_owned()), claims: settled })?;
        changed.insert(number);
        Ok(true)
    };
    // The smaller number first: who came earlier is served first.
    let mut earlier = BTreeSet::new();
    for &number in &affected {
        if settle_one(tables, number)? {
            let paired = tables.query(sql::PAIRED_WITH, &[number.into()])?;
            earlier.extend(paired.iter().map(|row| row.number(0)).filter(|other| *other < number));
        }
    }
    // What an earlier one may claim depends on the claims of later ones, and never the other way.
    for number in earlier {
        settle_one(tables, number)?;
    }
    Ok(changed.into_iter().collect())
}

/// Appends a row to the chain.
fn append(tables: &mut dyn Tables, now: u64, kind: &str, submission: u64, body: &impl Serialize) -> Result<()> {
    let head = tables.query(sql::HEAD, &[])?;
    let (seq, previous) = match head.first() {
        Some(row) => (row.number(0) + 1, <[u8; 32]>::try_from(row.bytes(1)).unwrap_or(GENESIS)),
        None => (1, GENESIS),
    };
    let body = serialised(body);
    let hash = Link { seq, at_ms: now, kind, submission, body: &body }.hash(&previous);
    let parameters = [
        seq.into(),
        now.into(),
        kind.into(),
        submission.into(),
        Value::Text(body),
        previous[..].into(),
        hash[..].into(),
    ];
    tables.execute(sql::ADD_EVENT, &parameters).map(drop)
}

fn write_claims(tables: &mut dyn Tables, number: u64, claims: &[Claim]) -> Result<()> {
    tables.execute(sql::DROP_CLAIMS, &[number.into()])?;
    for claim in claims {
        let parameters = [number.into(), claim.start_ms.into(), claim.end_ms.into(), name_of(&claim.state).into()];
        tables.execute(sql::ADD_CLAIM, &parameters)?;
    }
    Ok(())
}

fn claims(tables: &mut dyn Tables, number: u64) -> Result<Vec<Claim>> {
    let rows = tables.query(sql::CLAIMS, &[number.into()])?;
    rows.iter()
        .map(|row| {
            let state = word("the state of a claim", row.text(2))?;
            Ok(Claim { start_ms: row.number(0), end_ms: row.number(1), state })
        })
        .collect()
}

fn pairs(tables: &mut dyn Tables, number: u64) -> Result<Vec<Pair>> {
    let rows = tables.query(sql::PAIRS, &[number.into()])?;
    rows.iter().map(|row| parsed("the ledger", &format!("a pair of submission {number}"), row.text(0))).collect()
}

fn entries(tables: &mut dyn Tables, number: u64) -> Result<Vec<Entry>> {
    let rows = tables.query(sql::ENTRIES_OF, &[number.into()])?;
    Ok(rows.iter().map(|row| Entry { digest: row.text(0).to_owned(), start_ms: row.number(1) }).collect())
}

fn see_index(tables: &mut dyn Tables, state: &State) -> Result<()> {
    tables.execute(sql::SET, &[INDEX_ROOT.into(), (&*state.root).into()])?;
    tables.execute(sql::SET, &[INDEX_GENERATION.into(), (&*state.generation.to_string()).into()]).map(drop)
}

fn setting(tables: &mut dyn Tables, name: &str) -> Result<Option<String>> {
    Ok(tables.query(sql::SETTING, &[name.into()])?.first().map(|row| row.text(0).to_owned()))
}

fn find(tables: &mut dyn Tables, number: u64) -> Result<Submission> {
    let rows = tables.query(sql::SUBMISSION, &[number.into()])?;
    rows.first().ok_or_else(|| unknown(number)).and_then(submission)
}

fn unknown(number: u64) -> Error {
    Error::LedgerRefused { reason: format!("there is no submission {number}; see them with: uniq intake list") }
}

/// The submission is no fingerprint that waits for its clip.
pub(super) fn not_awaiting(of: &Submission) -> Error {
    let is = match (of.standing, of.kind) {
        (Standing::Decided, Kind::Clip) => "is a clip already".to_owned(),
        (standing, _) => format!("is {}", name_of(&standing)),
    };
    Error::LedgerRefused { reason: format!("submission {} {is}, and waits for no clip", of.number) }
}

fn submission(row: &Row) -> Result<Submission> {
    let number = row.number(0);
    let list = |column: usize| -> Result<Intervals> {
        let what = format!("the spans of submission {number}");
        row.maybe_text(column).map_or(Ok(Intervals::default()), |text| parsed("the ledger", &what, text))
    };
    Ok(Submission {
        number,
        by: row.text(1).to_owned(),
        reference: row.maybe_text(2).map(str::to_owned),
        kind: word("the kind of a submission", row.text(3))?,
        sha256: row.text(4).to_owned(),
        bytes: row.number(5),
        path: row.text(6).to_owned(),
        received_ms: row.number(7),
        standing: word("the state of a submission", row.text(8))?,
        reason: row.maybe_text(9).map(str::to_owned),
        worker: row.maybe_text(10).map(str::to_owned),
        lease_until_ms: row.number(11),
        duration_ms: row.number(12),
        verdict: row.maybe_text(13).map(|text| word("a verdict", text)).transpose()?,
        eligible: list(14)?,
        repeated: list(15)?,
        published: list(16)?,
        provisional: row.number(17) != 0,
    })
}

/// A word as it is written in JSON.
fn word<T: DeserializeOwned>(what: &str, text: &str) -> Result<T> {
    serde_json::from_value(serde_json::Value::String(text.to_owned())).map_err(|_| Error::CorruptLedger {
        ledger: "the ledger".to_owned(),
        what: what.to_owned(),
        found: format!("{text:?}"),
    })
}

fn parsed<T: DeserializeOwned>(ledger: &str, what: &str, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| Error::CorruptLedger {
        ledger: ledger.to_owned(),
        what: what.to_owned(),
        found: error.to_string(),
    })
}

fn serialised(value: &impl Serialize) -> String {
    // Structs of strings and numbers always serialise.
    serde_json::to_string(value).unwrap_or_default()
}

/// How a value is written in the tables: as in JSON, without quotes.
pub(super) fn name_of(value: &impl Serialize) -> &'static str {
    let written = serialised(value);
    let names = [
        "received",
        "decided",
        "failed",
        "lapsed",
        "withdrawn",
        "clip",
        "fingerprint",
        "offered",
        "sold",
        "disputed",
        "copy",
        "undecided",
        "same_scene",
        "same",
        "distinct",
        "unpublished",
        "partly_published",
        "published",
        "inconclusive",
    ];
    names.into_iter().find(|name| written.trim_matches('"') == *name).unwrap_or("unknown")
}

fn decision_of(text: &str) -> Decision {
    if text == "distinct" { Decision::Distinct } else { Decision::Same }
}

fn standing_of(text: &str) -> Standing {
    word("", text).unwrap_or(Standing::Decided)
}

/// Fails unless a text can name a person or thing.
fn named(what: &'static str, text: &str) -> Result<()> {
    let is_fit = !text.trim().is_empty()
        && text.trim() == text
        && text.chars().count() <= NAME_MAX
        && !text.contains(crate::sandbox::hides);
    if is_fit {
        return Ok(());
    }
    let found = format!("{:?}", text.chars().take(NAME_MAX).collect::<String>());
    Err(Error::InvalidSetting {
        name: what,
        found,
        expected: "1 to 500 characters that can be seen, without blanks at its ends",
    })
}

fn optional(what: &'static str, text: Option<&str>) -> Result<Option<String>> {
    text.map(|text| named(what, text).map(|()| text.to_owned())).transpose()
}

/// Maximum length of a name, reference or reason, in characters.
const NAME_MAX: usize = 500;

/// Whose submissions are that only the index knows.
pub const UNKNOWN_CREATOR: &str = "(unknown: recovered from the index)";

/// The settings that say in which state the index of the submissions was left.
const INDEX_ROOT: &str = "index_root";
const INDEX_GENERATION: &str = "index_generation";

#[cfg(test)]
mod tests;
