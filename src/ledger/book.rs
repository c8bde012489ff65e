//! The ledger: submissions in the order of their receipt, and every event about them, as a chain of
//! rows.
//!
//! A change is one transaction, which appends to the chain and updates the other tables. When a
//! call returns, its change is durable as a whole. The other tables follow from the chain;
//! [`Ledger::verify`] compares them.

mod changes;
mod revising;
mod rows;
mod settling;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use sha2::{Digest as _, Sha256};

use super::claims::{Decision, Known as _, Pair, Settled, Standing, settle};
use super::record::{Claim, Ended, Entry, Kind, State};
use super::review::{Judgement, Reviewed, reviewed};
use super::store::sql;
use super::store::{self, Mode, Place, Row, Store, Tables, Value};
use super::worker::Worker;
use crate::index::hex;
use crate::report::Report;
use crate::{Error, Result};

pub(super) use revising::{Known, note_held, record_recheck};
pub use rows::{Event, Submission};
use rows::{
    claims, decision_of, entries, find, pairs, parsed, setting, standing_of, submission, unknown,
};
pub(super) use rows::{claims as claims_of, name_of, not_awaiting};
use settling::{
    Answered, INDEX_GENERATION, INDEX_ROOT, Kept, add_submission, append, record, see_index,
};

/// An open ledger, to be used by one thread.
pub struct Ledger {
    store: Box<dyn Store>,
    name: String,
    observer: Option<Arc<dyn Observer>>,
}

/// Keeps tables of its own in step with the ledger.
pub trait Observer: Send + Sync {
    /// Called for each row of the chain, within the transaction that appends it, after the
    /// submission's tables are updated. Changes made through `tables` are part of that transaction.
    ///
    /// # Errors
    /// An error undoes the transaction.
    fn appended(&self, tables: &mut dyn Tables, row: &Event) -> Result<()>;
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// What is submitted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Receipt {
    /// The creator who submits it.
    pub by: String,
    /// The creator's own name for it.
    pub reference: Option<String>,
    /// Whether the file is the clip or its fingerprint.
    pub kind: Kind,
    /// SHA-256 of the clip in hexadecimal; for a fingerprint, the one that it states.
    pub sha256: String,
    /// Length of the file in bytes.
    pub bytes: u64,
    /// Path of the file, so that another worker can take it over.
    pub path: String,
}

/// Result of the work on a submission.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) report: Report,
    pub(super) pairs: Vec<Pair>,
    pub(super) entries: Vec<Entry>,
    /// The bytes of a fingerprint, to be compared with the clip later.
    pub(super) fingerprint: Option<Vec<u8>>,
}

/// A submission with its claims and pairs.
#[derive(Clone, Debug)]
pub struct Standings {
    /// The submission.
    pub submission: Submission,
    /// Its claims.
    pub claims: Vec<Claim>,
    /// Its pairs with other submissions.
    pub pairs: Vec<Pair>,
    /// Present deductions and related submissions.
    pub settled: Settled,
    /// The creators of the submissions in its pairs.
    pub creators: HashMap<u64, String>,
    /// The report against the public index; `None` without an answer.
    pub report: Option<Report>,
    /// The last judgement of each of its matches.
    pub judgements: Vec<Judgement>,
}

impl Ledger {
    /// Opens a ledger. With `create`, creates it if it is missing.
    ///
    /// `patience` is the time to wait for another writer. Times come from `clock`, or from the
    /// database server.
    ///
    /// # Errors
    /// [`Error::NoLedger`], [`Error::IncompatibleLedger`], [`Error::LedgerBusy`],
    /// [`Error::CorruptLedger`] and [`Error::Ledger`].
    pub fn open(
        place: &Place,
        patience: Duration,
        clock: fn() -> SystemTime,
        create: bool,
    ) -> Result<Ledger> {
        Ok(Ledger {
            store: store::open(place, patience, clock, create)?,
            name: place.shown(),
            observer: None,
        })
    }

    /// Registers an observer of everything done through this connection.
    pub fn observe(&mut self, observer: Arc<dyn Observer>) {
        self.observer = Some(observer);
    }

    /// Runs a transaction on the ledger's tables and those that others keep beside them.
    ///
    /// Only read the ledger's own tables: [`verify`](super::verify()) detects changes.
    ///
    /// # Errors
    /// Those of `work`, which undo the transaction, and those of the database.
    pub fn transaction<T>(
        &mut self,
        mode: Mode,
        work: impl FnOnce(&mut dyn Tables) -> Result<T>,
    ) -> Result<T> {
        self.run(mode, work)
    }

    /// Name of the ledger, without a password.
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

    /// Gives a submission its number, or finds its existing one. The same bytes from the same
    /// creator are one submission until it is withdrawn.
    ///
    /// When this returns, the number is durable. The worker owns it for `lease` and should renew
    /// that. The second value says whether the number is new.
    ///
    /// # Errors
    /// [`Error::InvalidSetting`] for a name that is empty, too long, or has invisible characters,
    /// and those of the database.
    pub fn receive(
        &mut self,
        receipt: &Receipt,
        worker: &Worker,
        lease: Duration,
    ) -> Result<(Submission, bool)> {
        self.receive_with(receipt, worker, lease, |_, _, _| Ok(()))
    }

    /// As [`Ledger::receive`]. `also` runs in the same transaction, with the submission and whether
    /// its number is new.
    ///
    /// # Errors
    /// Those of [`Ledger::receive`] and of `also`.
    pub fn receive_with(
        &mut self,
        receipt: &Receipt,
        worker: &Worker,
        lease: Duration,
        also: impl FnOnce(&mut dyn Tables, &Submission, bool) -> Result<()>,
    ) -> Result<(Submission, bool)> {
        named("creator (--by)", &receipt.by)?;
        if let Some(reference) = &receipt.reference {
            named("reference (--ref)", reference)?;
        }
        let now = self.store.now_ms()?;
        self.write(|tables| {
            let standing = tables.query(
                sql::STANDING,
                &[(&*receipt.by).into(), (&*receipt.sha256).into()],
            )?;
            if let Some(row) = standing.first() {
                let known = submission(row)?;
                // Its file may have moved.
                if known.standing == Standing::Received && known.kind == receipt.kind {
                    tables.execute(sql::MOVE, &[known.number.into(), (&*receipt.path).into()])?;
                }
                also(tables, &known, false)?;
                return Ok((known, false));
            }
            let last = tables.query(sql::LAST_NUMBER, &[])?;
            let number = last.first().map_or(1, |row| row.number(0) + 1);
            add_submission(tables, number, receipt, now, Some((worker, lease)))?;
            let new = find(tables, number)?;
            also(tables, &new, true)?;
            Ok((new, true))
        })
    }

    /// Assigns a submission to a worker, unless another live worker has it. Returns whether the
    /// worker has it now.
    ///
    /// # Errors
    /// Those of the database.
    pub fn take(&mut self, number: u64, worker: &Worker, lease: Duration) -> Result<bool> {
        let now = self.store.now_ms()?;
        self.write(|tables| {
            let there = find(tables, number)?;
            let is_free = there.worker.as_deref() == Some(worker.name())
                || there.lease_until_ms <= now
                || there
                    .worker
                    .as_deref()
                    .is_some_and(|other| worker.knows_is_gone(other));
            if there.standing != Standing::Received || !is_free {
                return Ok(false);
            }
            let until = now.saturating_add(lease.as_millis() as u64);
            tables.execute(
                sql::TAKE,
                &[number.into(), worker.name().into(), until.into()],
            )?;
            Ok(true)
        })
    }

    /// Extends the leases of a worker by `lease`.
    ///
    /// # Errors
    /// Those of the database.
    pub fn renew(&mut self, worker: &Worker, lease: Duration) -> Result<()> {
        let until = self
            .store
            .now_ms()?
            .saturating_add(lease.as_millis() as u64);
        self.write(|tables| {
            tables.execute(sql::RENEW, &[worker.name().into(), until.into()])?;
            Ok(())
        })
    }

    /// Releases a submission, so that any worker may take it over at once.
    ///
    /// # Errors
    /// Those of the database.
    pub fn release(&mut self, number: u64, worker: &Worker) -> Result<()> {
        self.write(|tables| {
            tables.execute(sql::RELEASE, &[number.into(), worker.name().into()])?;
            Ok(())
        })
    }

    /// The first submission below this number without an answer.
    ///
    /// # Errors
    /// Those of the database.
    pub fn open_below(&mut self, number: u64) -> Result<Option<Submission>> {
        self.read(|tables| {
            tables
                .query(sql::OPEN_BELOW, &[number.into()])?
                .first()
                .map(submission)
                .transpose()
        })
    }

    /// A submission.
    ///
    /// # Errors
    /// [`Error::LedgerRefused`] if no submission has this number, and those of the database.
    pub fn submission(&mut self, number: u64) -> Result<Submission> {
        self.read(|tables| find(tables, number))
    }

    /// A submission with its claims and pairs.
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
            let report = report
                .map(|text| parsed(&name, &format!("the report of submission {number}"), text));
            let mut creators = HashMap::new();
            for pair in &facts.pairs {
                creators.insert(pair.other, find(tables, pair.other)?.by);
            }
            let report = report.transpose()?;
            let judgements = revising::judgements(tables, &name, number)?;
            Ok(Standings {
                submission,
                claims,
                pairs: facts.pairs,
                settled,
                creators,
                report,
                judgements,
            })
        })
    }

    /// At most a thousand submissions after this number, in order.
    ///
    /// # Errors
    /// Those of the database.
    pub fn submissions_after(&mut self, number: u64) -> Result<Vec<Submission>> {
        self.read(|tables| {
            tables
                .query(sql::SUBMISSIONS_AFTER, &[number.into()])?
                .iter()
                .map(submission)
                .collect()
        })
    }

    /// The claims of a submission.
    ///
    /// # Errors
    /// Those of the database.
    pub fn claims(&mut self, number: u64) -> Result<Vec<Claim>> {
        self.read(|tables| claims(tables, number))
    }

    /// The decision about a pair, with who decided and why.
    ///
    /// # Errors
    /// Those of the database.
    pub fn decision(&mut self, a: u64, b: u64) -> Result<Option<(Decision, String, String)>> {
        self.read(|tables| {
            let rows = tables.query(sql::DECISION, &[a.min(b).into(), a.max(b).into()])?;
            Ok(rows.first().map(|row| {
                (
                    decision_of(row.text(0)),
                    row.text(1).to_owned(),
                    row.text(2).to_owned(),
                )
            }))
        })
    }

    /// Earlier submissions that stand and have the same bytes. Fingerprints do not count, since
    /// their SHA-256 is only stated.
    pub(super) fn same_bytes_below(&mut self, sha256: &str, number: u64) -> Result<Vec<u64>> {
        self.read(|tables| {
            let rows = tables.query(sql::SAME_BYTES_BELOW, &[sha256.into(), number.into()])?;
            Ok(rows.iter().map(|row| row.number(0)).collect())
        })
    }

    /// The submission of an entry of the index, and when the entry begins in the clip; `None` if
    /// the entry is unknown.
    pub(super) fn entry(&mut self, digest: &str) -> Result<Option<(Submission, u64)>> {
        self.read(|tables| {
            let rows = tables.query(sql::ENTRY, &[digest.into()])?;
            rows.first()
                .map(|row| Ok((find(tables, row.number(0))?, row.number(1))))
                .transpose()
        })
    }

    /// The entries of a submission.
    pub(super) fn entries_of(&mut self, number: u64) -> Result<Vec<Entry>> {
        self.read(|tables| entries(tables, number))
    }

    /// At most a thousand entries of all submissions after a digest, in order of digests, with the
    /// standing of their submissions.
    pub(super) fn entries_after(&mut self, digest: &str) -> Result<Vec<(String, u64, Standing)>> {
        self.read(|tables| {
            let rows = tables.query(sql::ENTRIES_AFTER, &[digest.into()])?;
            Ok(rows
                .iter()
                .map(|row| {
                    (
                        row.text(0).to_owned(),
                        row.number(1),
                        standing_of(row.text(2)),
                    )
                })
                .collect())
        })
    }

    /// The fingerprint that was submitted.
    pub(super) fn fingerprint(&mut self, number: u64) -> Result<Option<Vec<u8>>> {
        self.read(|tables| {
            let rows = tables.query(sql::FINGERPRINT, &[number.into()])?;
            Ok(rows.first().map(|row| row.bytes(0).to_owned()))
        })
    }

    /// The state in which the ledger last saw the index of submissions.
    pub(super) fn seen_index(&mut self) -> Result<Option<State>> {
        self.read(|tables| {
            let root = setting(tables, INDEX_ROOT)?;
            let generation = setting(tables, INDEX_GENERATION)?.and_then(|text| text.parse().ok());
            Ok(root
                .zip(generation)
                .map(|(root, generation)| State { root, generation }))
        })
    }

    /// Records the state of the index of submissions.
    pub(super) fn see_index(&mut self, state: &State) -> Result<()> {
        self.write(|tables| see_index(tables, state))
    }

    /// Records the answer to a submission; `false` if the worker no longer has it.
    pub(super) fn decide(
        &mut self,
        number: u64,
        worker: &Worker,
        outcome: &Outcome,
        index: &State,
    ) -> Result<bool> {
        let now = self.store.now_ms()?;
        self.write(|tables| {
            let there = find(tables, number)?;
            if there.standing != Standing::Received
                || there.worker.as_deref() != Some(worker.name())
            {
                return Ok(false);
            }
            if let Some(row) = tables.query(sql::OPEN_BELOW, &[number.into()])?.first() {
                let reason = format!(
                    "submission {number} must wait for submission {}; try again once that has its answer",
                    row.number(0)
                );
                return Err(Error::LedgerRefused { reason });
            }
            record(
                tables,
                now,
                "decided",
                &there,
                there.kind,
                &Answered::of(outcome),
            )?;
            see_index(tables, index)?;
            Ok(true)
        })
    }

    /// Records that a submission gets no answer; `false` if the worker no longer has it.
    pub(super) fn end(
        &mut self,
        number: u64,
        worker: &Worker,
        standing: Standing,
        reason: &str,
    ) -> Result<bool> {
        let now = self.store.now_ms()?;
        self.write(|tables| {
            let there = find(tables, number)?;
            if there.standing != Standing::Received
                || there.worker.as_deref() != Some(worker.name())
            {
                return Ok(false);
            }
            let body = Ended {
                reason: reason.to_owned(),
            };
            append(tables, now, name_of(&standing), number, &body)?;
            tables.execute(
                sql::END,
                &[number.into(), name_of(&standing).into(), reason.into()],
            )?;
            Ok(true)
        })
    }

    /// At most a thousand rows of the chain after this number, in order.
    ///
    /// # Errors
    /// Those of the database.
    pub fn events_after(&mut self, seq: u64) -> Result<Vec<Event>> {
        self.read(|tables| {
            Ok(tables
                .query(sql::EVENTS_AFTER, &[seq.into()])?
                .iter()
                .map(Event::of)
                .collect())
        })
    }

    /// Rows of the chain about a submission, in order.
    ///
    /// # Errors
    /// Those of the database.
    pub fn events_of(&mut self, number: u64) -> Result<Vec<Event>> {
        self.read(|tables| {
            Ok(tables
                .query(sql::EVENTS_OF, &[number.into()])?
                .iter()
                .map(Event::of)
                .collect())
        })
    }

    /// Writes a copy of the whole ledger to a new file.
    ///
    /// # Errors
    /// [`Error::LedgerRefused`] for PostgreSQL, which has its own tools, and those of the database.
    pub fn backup(&mut self, target: &Path) -> Result<()> {
        self.store.backup(target)
    }

    /// Damage of the database's pages.
    pub(super) fn damage(&mut self) -> Result<Option<String>> {
        self.store.damage()
    }

    /// Runs a transaction that reads one consistent state.
    fn read<T>(&mut self, work: impl FnOnce(&mut dyn Tables) -> Result<T>) -> Result<T> {
        self.run(Mode::Read, work)
    }

    /// Runs a transaction that changes the ledger.
    fn write<T>(&mut self, work: impl FnOnce(&mut dyn Tables) -> Result<T>) -> Result<T> {
        self.run(Mode::Write, work)
    }

    fn run<T>(&mut self, mode: Mode, work: impl FnOnce(&mut dyn Tables) -> Result<T>) -> Result<T> {
        let (mut work, mut found, observer) = (Some(work), None, self.observer.clone());
        self.store.transaction(mode, &mut |tables| {
            if let Some(work) = work.take() {
                found = Some(match &observer {
                    Some(observer) => work(&mut Observed {
                        tables,
                        observer: &**observer,
                    })?,
                    None => work(tables)?,
                });
            }
            Ok(())
        })?;
        // A store runs the closure of every transaction that succeeds.
        found.ok_or_else(|| Error::LedgerRefused {
            reason: format!(
                "{}: the database did not run a transaction; try again",
                self.name
            ),
        })
    }

    /// Reads many rows of one consistent state.
    pub(super) fn reading<T>(
        &mut self,
        work: impl FnOnce(&mut Reading<'_>) -> Result<T>,
    ) -> Result<T> {
        let name = self.name.clone();
        self.read(|tables| {
            work(&mut Reading {
                tables,
                name: &name,
            })
        })
    }
}

/// Tables whose appended rows go to an observer.
struct Observed<'a> {
    tables: &'a mut dyn Tables,
    observer: &'a dyn Observer,
}

impl Tables for Observed<'_> {
    fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<u64> {
        self.tables.execute(sql, parameters)
    }

    fn query(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>> {
        self.tables.query(sql, parameters)
    }

    fn appended(&mut self, row: &Event) -> Result<()> {
        self.observer.appended(self.tables, row)
    }
}

/// One consistent state of the ledger, for reading all of it.
pub(super) struct Reading<'a> {
    tables: &'a mut dyn Tables,
    name: &'a str,
}

impl Reading<'_> {
    pub(super) fn events_after(&mut self, seq: u64) -> Result<Vec<Event>> {
        Ok(self
            .tables
            .query(sql::EVENTS_AFTER, &[seq.into()])?
            .iter()
            .map(Event::of)
            .collect())
    }

    pub(super) fn submissions_after(&mut self, number: u64) -> Result<Vec<Submission>> {
        self.tables
            .query(sql::SUBMISSIONS_AFTER, &[number.into()])?
            .iter()
            .map(submission)
            .collect()
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

    /// The eligible and the public seconds by a submission's report and these judgements.
    pub(super) fn reviewed(
        &mut self,
        number: u64,
        judgements: &[Judgement],
    ) -> Result<Option<Reviewed>> {
        let rows = self.tables.query(sql::REPORT, &[number.into()])?;
        let Some(text) = rows.first().and_then(|row| row.maybe_text(0)) else {
            return Ok(None);
        };
        let report: Report = parsed(
            self.name,
            &format!("the report of submission {number}"),
            text,
        )?;
        Ok(Some(reviewed(&report, judgements)))
    }

    pub(super) fn report_sha256(&mut self, number: u64) -> Result<Option<String>> {
        let rows = self.tables.query(sql::REPORT, &[number.into()])?;
        Ok(rows
            .first()
            .and_then(|row| row.maybe_text(0))
            .map(|text| hex(&Sha256::digest(text))))
    }

    pub(super) fn decision(
        &mut self,
        earlier: u64,
        later: u64,
    ) -> Result<Option<(Decision, String, String)>> {
        let rows = self
            .tables
            .query(sql::DECISION, &[earlier.into(), later.into()])?;
        Ok(rows.first().map(|row| {
            (
                decision_of(row.text(0)),
                row.text(1).to_owned(),
                row.text(2).to_owned(),
            )
        }))
    }

    pub(super) fn decisions(&mut self) -> Result<u64> {
        Ok(self
            .tables
            .query(sql::DECISIONS, &[])?
            .first()
            .map_or(0, |row| row.number(0)))
    }

    pub(super) fn corrupt(&self, what: String, found: String) -> Error {
        Error::CorruptLedger {
            ledger: self.name.to_owned(),
            what,
            found,
        }
    }
}

/// Fails unless a text is usable as a name of a person or thing.
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
        expected: "1 to 500 visible characters, without spaces at either end",
    })
}

fn optional(what: &'static str, text: Option<&str>) -> Result<Option<String>> {
    text.map(|text| named(what, text).map(|()| text.to_owned()))
        .transpose()
}

/// The largest number that the databases can store.
pub(super) const NUMBER_MAX: u64 = i64::MAX as u64;

/// Maximum length of a name, reference or reason, in characters.
const NAME_MAX: usize = 500;

/// Creator of submissions that only the index knows.
pub const UNKNOWN_CREATOR: &str = "(unknown: recovered from the index)";

#[cfg(test)]
mod tests;
