//! The ledger of submissions.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde_json::{Value, json};
use uniq::CheckOptions;
use uniq::ledger::{
    self, Books, Decision, Head, Intake, Judgement, Kind, Notice, Offer, Place, Ruling,
};
use uniq::report::Report;

use crate::check::{Arguments, json};
use crate::decoding::Settings;
use crate::errors;
use crate::index::Index;
use crate::work::{self, Control};

/// A ledger, and the index of its submissions; opened anew for each piece of work, so that threads
/// may share it.
#[pyclass(frozen, module = "uniq._uniq")]
pub(crate) struct Ledger {
    place: Place,
    submissions: PathBuf,
    patience: Duration,
}

impl Ledger {
    fn books(&self) -> Books<'_> {
        Books {
            ledger: &self.place,
            submissions: &self.submissions,
            clock: SystemTime::now,
            patience: self.patience,
        }
    }

    /// The ledger, checked to be in step with the index of its submissions.
    fn in_step(&self) -> uniq::Result<ledger::Ledger> {
        let books = self.books();
        let mut ledger = books.open(false)?;
        ledger::check_step(&mut ledger, &books)?;
        Ok(ledger)
    }

    fn run<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&Ledger) -> uniq::Result<T> + Send,
    ) -> PyResult<T> {
        py.detach(|| work(self))
            .map_err(|error| errors::raise(py, &error))
    }
}

#[pymethods]
impl Ledger {
    /// Opens a ledger, or with `create` makes it if there is none.
    #[staticmethod]
    fn open(
        py: Python<'_>,
        place: &str,
        submissions: PathBuf,
        patience: f64,
        create: bool,
    ) -> PyResult<Ledger> {
        let ledger = Ledger {
            place: Place::parse(place),
            submissions,
            patience: work::duration("patience", patience)?,
        };
        ledger.run(py, |ledger| ledger.books().open(create).map(|_| ()))?;
        Ok(ledger)
    }

    /// Its name, without a password.
    fn name(&self) -> String {
        self.place.shown()
    }

    /// Gives a clip or a fingerprint file its number, works on it, and returns the report.
    #[allow(
        clippy::too_many_arguments,
        reason = "those of a check, and who offers what"
    )]
    fn add<'py>(
        &self,
        py: Python<'py>,
        index: &Index,
        file: PathBuf,
        is_fingerprint: bool,
        by: String,
        reference: Option<String>,
        arguments: Arguments,
        decoding: Settings,
        control: Control<'_>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let decoding = decoding.decoding(py)?;
        let (effort, search) = (arguments.effort()?, arguments.search()?);
        let report: Report = work::run(py, &control, |cancel, teller| {
            let options = CheckOptions {
                effort,
                search,
                cancel: Some(cancel),
                now: Some(SystemTime::now()),
                quality: arguments.quality,
                ..CheckOptions::new(&decoding)
            };
            let index = index.current()?;
            let intake = Intake {
                books: self.books(),
                index: &index,
                shards: None,
                options: &options,
                lease: LEASE,
                notice: &|notice| {
                    if let Notice::Received(submission) = notice {
                        teller.tell(|| json!({ "kind": "received", "done": submission.number }));
                    }
                },
                takes_over: &|_| true,
                slots: None,
            };
            let kind = if is_fingerprint {
                Kind::Fingerprint
            } else {
                Kind::Clip
            };
            let offer = Offer {
                file: &file,
                kind,
                by: &by,
                reference: reference.as_deref(),
            };
            let mut ledger = intake.open()?;
            let received = intake.receive(&mut ledger, &offer)?;
            Ok(intake.answer(&mut ledger, &received, None)?.report)
        })?;
        json(py, &report)
    }

    /// The submissions, as `uniq intake list --json` prints them.
    fn list<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let rows = self.run(py, |ledger| {
            let mut ledger = ledger.books().open(false)?;
            let mut rows: Vec<Value> = Vec::new();
            let mut last = 0;
            loop {
                let submissions = ledger.submissions_after(last)?;
                let Some(end) = submissions.last() else {
                    return Ok(rows);
                };
                last = end.number;
                for of in &submissions {
                    let claims = ledger.claims(of.number)?;
                    rows.push(Value::Object(ledger::row(of, &claims)));
                }
            }
        })?;
        json(py, &rows)
    }

    /// What it says of a submission now: its report, or nothing without an answer, and what the
    /// ledger says.
    fn show<'py>(
        &self,
        py: Python<'py>,
        number: u64,
    ) -> PyResult<(Option<Bound<'py, PyBytes>>, Bound<'py, PyBytes>)> {
        let (report, said) = self.run(py, |ledger| {
            let standings = ledger.books().open(false)?.standings(number)?;
            let said = ledger::submission(&standings);
            let report = standings.report.map(|report| Report {
                payable_minutes: said.payable_minutes,
                provisional_minutes: said.provisional_minutes,
                submission: Some(said.clone()),
                ..report
            });
            Ok((report, said))
        })?;
        let report = report.map(|report| json(py, &report)).transpose()?;
        Ok((report, json(py, &said)?))
    }

    /// Records whether two submissions show the same recording; returns whose answers changed.
    fn decide(
        &self,
        py: Python<'_>,
        a: u64,
        b: u64,
        same: bool,
        by: String,
        why: String,
    ) -> PyResult<Vec<u64>> {
        let decision = if same {
            Decision::Same
        } else {
            Decision::Distinct
        };
        self.run(py, |ledger| {
            ledger.in_step()?.judge(a, b, decision, &by, &why)
        })
    }

    /// Records what a person says of a match of a submission, counted from 0; returns whose answers
    /// changed.
    fn review(
        &self,
        py: Python<'_>,
        number: u64,
        of_match: usize,
        ruling: &str,
        by: String,
        why: String,
    ) -> PyResult<Vec<u64>> {
        let ruling = match ruling {
            "copy" => Ruling::Copy,
            "same_scene" => Ruling::SameScene,
            "allowed" => Ruling::Allowed,
            "undo" => Ruling::Undo,
            other => {
                let expected = "\"copy\", \"same_scene\", \"allowed\" or \"undo\"";
                return Err(errors::setting(&format!(
                    "ruling is {other:?}; it must be {expected}"
                )));
            }
        };
        self.run(py, |ledger| {
            let mut ledger = ledger.in_step()?;
            let standings = ledger.standings(number)?;
            let matches = standings
                .report
                .as_ref()
                .map(|report| &report.matches[..])
                .unwrap_or_default();
            let Some(found) = matches.get(of_match) else {
                let reason = format!(
                    "submission {number} has no match {of_match}: it has {}; see them in its report",
                    matches.len()
                );
                return Err(uniq::Error::LedgerRefused { reason });
            };
            ledger.review(number, &Judgement::of(found, ruling, &by, &why))
        })
    }

    /// Withdraws a submission, and removes its keys.
    fn withdraw(&self, py: Python<'_>, number: u64, by: String, why: String) -> PyResult<()> {
        self.run(py, |ledger| {
            let books = ledger.books();
            ledger::withdraw(
                &mut books.open(false)?,
                &books,
                number,
                Some(&by),
                Some(&why),
            )
        })
    }

    /// Records that what a submission offers was paid for; returns the milliseconds.
    fn sold(&self, py: Python<'_>, number: u64, by: String, why: String) -> PyResult<u64> {
        self.run(py, |ledger| {
            ledger.in_step()?.sell(number, Some(&by), Some(&why))
        })
    }

    /// Walks the chain and compares the tables with it; returns its head.
    fn verify(&self, py: Python<'_>, head: Option<String>) -> PyResult<(u64, u64, String)> {
        let head: Option<Head> = match head.map(|head| head.parse()).transpose() {
            Ok(head) => head,
            Err(reason) => return Err(errors::setting(&format!("head: {reason}"))),
        };
        self.run(py, |ledger| {
            let books = ledger.books();
            let mut ledger = books.open(false)?;
            let verified = ledger::verify(&mut ledger, head.as_ref())?;
            ledger::check_step(&mut ledger, &books)?;
            Ok((
                verified.events,
                verified.submissions,
                verified.head.to_string(),
            ))
        })
    }
}

/// How long a worker owns a submission before another may take it over.
const LEASE: Duration = Duration::from_secs(60);
