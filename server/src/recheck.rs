//! Compares submissions with videos that became public since, automatically when the index has
//! changed.
//!
//! A pass goes through all submissions that stand and are not sold, in order of their numbers. It
//! is a job, so that an interrupted pass continues where it was. New submissions take precedence.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::json;
use uniq::fingerprint::Fingerprint;
use uniq::ledger::{Ledger, Mode, Rechecks, Seen, Tables};
use uniq::{Error, Result};

use crate::app::App;
use crate::database::now_ms;
use crate::problem::chain;
use crate::store::jobs::{self, Job, Kind};
use crate::store::marks;

/// Progress of a pass.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Pass {
    /// The state of the index when it began.
    root: Option<String>,
    /// All numbers up to here are done.
    after: u64,
    /// Number of submissions that were rechecked.
    looked: u64,
    /// Number of changed answers.
    changed: u64,
    /// Number of submissions that could not be searched for.
    failed: u64,
}

/// Creates a job if one is due. `looked` is the time of the last look.
pub(crate) fn plan(app: &App, looked: &mut Option<Instant>) {
    if looked.is_some_and(|at| at.elapsed() < LOOK_EVERY) || !app.corpus.is_there() {
        return;
    }
    *looked = Some(Instant::now());
    let Ok(index) = app.corpus.current() else {
        return;
    };
    let (root, now) = (index.state().root.clone(), now_ms());
    let every_ms = (app.config.recheck.every_hours * 3_600_000.0) as u64;
    let planned = app.database.with(|ledger| {
        let is_due = |tables: &mut dyn Tables| -> Result<Option<Pass>> {
            let pass =
                marks::get(tables, PASS)?.and_then(|text| serde_json::from_str::<Pass>(&text).ok());
            let is_done = marks::get(tables, DONE)?.as_deref() == Some(&root);
            let began = marks::get(tables, BEGAN)?.and_then(|text| text.parse::<u64>().ok());
            let is_early = began.is_some_and(|began| now < began.saturating_add(every_ms));
            if (is_done && pass.is_none()) || is_early || jobs::open(tables, Kind::Recheck)? > 0 {
                return Ok(None);
            }
            Ok(Some(pass.unwrap_or_default()))
        };
        if ledger.transaction(Mode::Read, is_due)?.is_none() {
            return Ok(());
        }
        ledger.transaction(Mode::Write, |tables| {
            if let Some(pass) = is_due(tables)? {
                let body = json!({ "pass": pass }).to_string();
                jobs::add(
                    tables,
                    Kind::Recheck,
                    &app.config.operator,
                    &root,
                    &body,
                    LAST_TURN,
                    now,
                )?;
                marks::set(tables, BEGAN, &now.to_string())?;
            }
            Ok::<(), Error>(())
        })
    });
    if let Err(error) = planned {
        tracing::error!(error = %chain(&error), "a recheck cannot be planned");
    }
}

/// Does a pass or a part of it. Returns [`Error::Cancelled`] if other work takes precedence.
pub(crate) fn run(app: &App, ledger: &mut Ledger, job: &Job) -> Result<()> {
    let body: serde_json::Value = serde_json::from_str(&job.body).unwrap_or_default();
    let mut pass: Pass = serde_json::from_value(body["pass"].clone()).unwrap_or_default();
    // Earlier ones were counted by earlier parts.
    let most = body["most"]
        .as_u64()
        .unwrap_or_else(|| pass.looked.saturating_add(app.config.recheck.at_most));
    let keep = |ledger: &mut Ledger, pass: &Pass| {
        let body = json!({ "pass": pass, "most": most }).to_string();
        ledger.transaction(Mode::Write, |tables| jobs::note(tables, &job.id, &body))
    };
    let ended = app.with_intake(ledger, |intake, ledger| {
        pass.root
            .get_or_insert_with(|| intake.index.state().root.clone());
        let against = Rechecks::of(intake);
        let mut kept = Instant::now();
        loop {
            if pass.looked >= most {
                return Ok(false);
            }
            let Some((id, number)) =
                ledger.transaction(Mode::Read, |tables| next(tables, pass.after))?
            else {
                return Ok(true);
            };
            if let Err(error) = give_way(app, ledger)
                .and_then(|()| one(app, ledger, &against, &id, number, &mut pass))
            {
                keep(ledger, &pass)?;
                return Err(error);
            }
            pass.after = number;
            pass.looked += 1;
            if kept.elapsed() > KEEP_EVERY {
                keep(ledger, &pass)?;
                kept = Instant::now();
            }
        }
    })?;
    tracing::info!(
        looked = pass.looked,
        changed = pass.changed,
        failed = pass.failed,
        ended,
        "a recheck"
    );
    let result = json!({ "looked": pass.looked, "changed": pass.changed, "failed": pass.failed, "ended": ended });
    ledger.transaction(Mode::Write, |tables| {
        if ended {
            marks::set(tables, DONE, pass.root.as_deref().unwrap_or_default())?;
            marks::set(tables, PASS, "null")?;
        } else {
            marks::set(
                tables,
                PASS,
                &serde_json::to_string(&pass).unwrap_or_default(),
            )?;
        }
        jobs::note(
            tables,
            &job.id,
            &json!({ "pass": pass, "result": result }).to_string(),
        )
    })
}

/// Rechecks one submission. A fault of its file alone does not end the pass.
fn one(
    app: &App,
    ledger: &mut Ledger,
    against: &Rechecks<'_>,
    id: &str,
    number: u64,
    pass: &mut Pass,
) -> Result<()> {
    let kept = app.config.certificates().join(format!("{id}.uniq"));
    let fingerprint = std::fs::read(kept)
        .ok()
        .and_then(|bytes| Fingerprint::from_bytes(&bytes).ok());
    // Without one, uses the clip at the path in the ledger.
    let by = fingerprint.as_ref().map(Seen::Fingerprint);
    match against.recheck(ledger, number, by) {
        Ok(done) => {
            pass.changed += u64::from(done.changed);
            Ok(())
        }
        Err(error) if is_of_one(&error) => {
            tracing::warn!(submission = id, error = %chain(&error), "cannot be rechecked");
            pass.failed += 1;
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// Rechecks one submission against the present index. Returns whether its answer changed.
///
/// # Errors
/// Those of [`Rechecks::recheck`], and of opening the index.
pub(crate) fn now(app: &App, id: &str, number: u64) -> Result<bool> {
    app.database.with(|ledger| {
        app.with_intake(ledger, |intake, ledger| {
            let mut pass = Pass::default();
            one(app, ledger, &Rechecks::of(intake), id, number, &mut pass)?;
            if pass.failed > 0 {
                let reason = "it cannot be rechecked against newer sources; see the service's log";
                return Err(Error::LedgerRefused {
                    reason: reason.to_owned(),
                });
            }
            Ok(pass.changed > 0)
        })
    })
}

/// Whether an error concerns one submission only, so that the pass can continue.
fn is_of_one(error: &Error) -> bool {
    matches!(
        error,
        Error::LedgerRefused { .. }
            | Error::Empty { .. }
            | Error::NotMedia { .. }
            | Error::NoVideo { .. }
            | Error::NoDecoder { .. }
            | Error::NotAccepted { .. }
            | Error::LimitExceeded { .. }
            | Error::Changed { .. }
            | Error::Link { .. }
            | Error::WorkerDied { .. }
            | Error::Quarantined { .. }
            | Error::Undecodable { .. }
            | Error::SeveralPictures { .. }
            | Error::InvalidFingerprint { .. }
    )
}

/// Waits while submissions wait for their answers, but not for ever. Fails if other work on the
/// corpus waits.
fn give_way(app: &App, ledger: &mut Ledger) -> Result<()> {
    let began = Instant::now();
    loop {
        let (others, checks) = ledger.transaction(Mode::Read, |tables| {
            let others = [
                Kind::AddSource,
                Kind::RemoveSource,
                Kind::Snapshot,
                Kind::Certify,
            ];
            Ok((
                jobs::is_waiting(tables, &others, None, now_ms())?,
                jobs::open(tables, Kind::Check)?,
            ))
        })?;
        if others || app.stopping.load(Ordering::Relaxed) {
            return Err(Error::Cancelled);
        }
        if checks == 0 || began.elapsed() > WAIT_MAX {
            return Ok(());
        }
        std::thread::sleep(PAUSE);
    }
}

/// The first submission after this number that stands and is not sold.
fn next(tables: &mut dyn Tables, after: u64) -> Result<Option<(String, u64)>> {
    let statement = "SELECT s.id, s.number FROM service_submissions s JOIN submissions l ON l.number = s.number \
        WHERE s.same_as IS NULL AND l.state = 'decided' AND s.number > $1 \
        AND (EXISTS (SELECT 1 FROM claims c WHERE c.submission = s.number AND c.state = 'offered') \
          OR NOT EXISTS (SELECT 1 FROM claims c WHERE c.submission = s.number AND c.state = 'sold')) \
        ORDER BY s.number LIMIT 1";
    let rows = tables.query(statement, &[after.into()])?;
    Ok(rows
        .first()
        .map(|row| (row.text(0).to_owned(), row.number(1))))
}

/// The root of the index at the last complete pass.
const DONE: &str = "recheck_done";

/// When the last job was created, in milliseconds since 1970.
const BEGAN: &str = "recheck_began";

/// A pass that stopped at the maximum number of submissions.
const PASS: &str = "recheck_pass";

/// The turn of a recheck, after all other work on the corpus.
const LAST_TURN: u64 = i64::MAX as u64 - 1;

/// Time between two checks whether a recheck is due.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Time between two records of a pass's progress.
const KEEP_EVERY: Duration = Duration::from_secs(2);

/// Maximum time that one submission waits for new ones.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// Time between two checks whether new ones wait.
const PAUSE: Duration = Duration::from_millis(200);
