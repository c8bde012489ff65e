//! Runs the jobs: threads that claim them and renew their leases.
//!
//! Answers come in the order of the submissions' numbers, so a thread waits at the end of its work
//! until all smaller numbers have theirs. One thread takes only the first in line, so that one job
//! never waits for others. Another thread does the jobs on the corpus.

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use sha2::{Digest as _, Sha256};
use uniq::certificate::{Certified, Envelope, Terms};
use uniq::ledger::{self, Ledger, Mode, Offer, Standing};
use uniq::{Error, Result, Verdict};

use crate::answer;
use crate::app::{App, LEASE};
use crate::database::now_ms;
use crate::problem::{bare, chain};
use crate::store::jobs::{self, End, Job, Kind};
use crate::store::{idempotency, submissions};

/// Starts the threads.
///
/// # Errors
/// If the system gives no threads.
pub fn start(app: &App) -> std::io::Result<Vec<JoinHandle<()>>> {
    let named = |name: String| thread::Builder::new().name(name);
    let mut threads = Vec::new();
    let checks = CHECKS_A_SLOT * app.config.workers.unwrap_or_else(cores).max(1);
    for number in 0..=checks {
        let app = app.clone();
        threads.push(named(format!("check-{number}")).spawn(move || {
            let which = if number == 0 {
                Which::FirstInLine
            } else {
                Which::Checks
            };
            work(&app, which, &format!("{} {number}", app.instance));
        })?);
    }
    let upkeep = app.clone();
    threads.push(named("upkeep".to_owned()).spawn(move || {
        work(
            &upkeep,
            Which::Upkeep,
            &format!("{} upkeep", upkeep.instance),
        );
    })?);
    let tidying = app.clone();
    threads.push(named("uploads".to_owned()).spawn(move || crate::uploads::tidy::run(&tidying))?);
    let renewing = app.clone();
    threads.push(named("leases".to_owned()).spawn(move || renew(&renewing))?);
    Ok(threads)
}

/// Which jobs a thread does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Which {
    FirstInLine,
    Checks,
    Upkeep,
}

fn work(app: &App, which: Which, worker: &str) {
    let mut ledger: Option<Ledger> = None;
    let (mut planned, mut swept) = (None, None::<Instant>);
    while !app.stopping.load(Ordering::Relaxed) {
        // Submissions wait until there is an index and something to search it.
        if which != Which::Upkeep && !app.can_check() {
            pause(app, AFTER_ERROR);
            continue;
        }
        if which == Which::Upkeep {
            crate::recheck::plan(app, &mut planned);
        }
        let done = (|| -> Result<bool> {
            let open = match &mut ledger {
                Some(ledger) => ledger,
                None => ledger.insert(app.database.connect(false)?),
            };
            if which == Which::Upkeep && swept.is_none_or(|at| at.elapsed() > SWEEP_EVERY) {
                swept = Some(Instant::now());
                crate::upkeep::sweep(app, open)?;
            }
            let Some(job) = claim(open, which, worker)? else {
                return Ok(false);
            };
            run(app, open, &job, worker)?;
            Ok(true)
        })();
        match done {
            Ok(true) => {
                let _ = app.changed.send(());
            }
            Ok(false) => pause(app, IDLE),
            Err(error) => {
                tracing::error!(error = %chain(&error), "a worker failed");
                ledger = None;
                pause(app, AFTER_ERROR);
            }
        }
    }
}

fn claim(ledger: &mut Ledger, which: Which, worker: &str) -> Result<Option<Job>> {
    let now = now_ms();
    let kinds: &[Kind] = match which {
        Which::FirstInLine => &[Kind::Check],
        Which::Checks => &[Kind::Check, Kind::Confirm],
        Which::Upkeep => &[
            Kind::Recheck,
            Kind::AddSource,
            Kind::RemoveSource,
            Kind::Snapshot,
            Kind::Certify,
        ],
    };
    // Reading costs less than the write lock.
    let (is_waiting, turn_max) = ledger.transaction(Mode::Read, |tables| {
        let turn_max = match which {
            Which::FirstInLine => Some(submissions::first_open(tables)?.unwrap_or(0)),
            Which::Checks | Which::Upkeep => None,
        };
        Ok((jobs::is_waiting(tables, kinds, turn_max, now)?, turn_max))
    })?;
    if !is_waiting {
        return Ok(None);
    }
    ledger.transaction(Mode::Write, |tables| {
        jobs::claim(tables, kinds, turn_max, worker, LEASE, now)
    })
}

fn run(app: &App, ledger: &mut Ledger, job: &Job, worker: &str) -> Result<()> {
    let result = std::panic::catch_unwind(AssertUnwindSafe(|| match job.kind {
        Kind::Check => check(app, ledger, job),
        Kind::Confirm => confirm(app, ledger, job),
        _ => crate::upkeep::run(app, ledger, job),
    }));
    let now = now_ms();
    let message;
    let end = match result {
        Ok(Ok(())) => End::Done,
        Ok(Err(Error::Cancelled)) => End::Later(None, 0),
        Ok(Err(error)) if is_final(&error) => {
            message = bare(&error);
            End::Failed(&message)
        }
        Ok(Err(error)) => {
            tracing::error!(job = job.id, error = %chain(&error), "a job failed for now and is tried again later");
            message = error.code();
            End::Later(Some(&message), now + LATER.as_millis() as u64)
        }
        Err(_) => {
            tracing::error!(job = job.id, kind = job.kind.name(), "a job panicked");
            if job.failures + 1 >= FAILURES_MAX {
                message = "it failed repeatedly; see the service's log for the reason".to_owned();
                match give_up(app, ledger, job, &message) {
                    Ok(()) => End::Quarantined(&message),
                    Err(error) => {
                        tracing::error!(job = job.id, error = %chain(&error), "a job cannot be ended");
                        End::Again(&message, now + LATER.as_millis() as u64)
                    }
                }
            } else {
                message = "it failed and will be tried again".to_owned();
                End::Again(&message, now + LATER.as_millis() as u64)
            }
        }
    };
    // Until this is written, the job is ours and nobody else does it, so a full disk must not end
    // the attempts.
    loop {
        let written = app.database.with(|ledger| {
            ledger.transaction(Mode::Write, |tables| {
                jobs::end(tables, &job.id, worker, end, now)
            })
        });
        match written {
            Ok(_) => return Ok(()),
            Err(error) if app.stopping.load(Ordering::Relaxed) => return Err(error),
            Err(error) => {
                tracing::error!(job = job.id, error = %chain(&error), "the result of a job cannot be written yet");
                pause(app, AFTER_ERROR);
            }
        }
    }
}

/// Whether a retry is useless.
fn is_final(error: &Error) -> bool {
    matches!(
        error,
        Error::LedgerRefused { .. } | Error::InvalidSetting { .. } | Error::SeveralPictures { .. }
    )
}

/// Checks a submission and issues its certificate.
fn check(app: &App, ledger: &mut Ledger, job: &Job) -> Result<()> {
    let (begun, number, id) = (Instant::now(), job.turn, &job.subject);
    if job.ends >= ENDS_MAX {
        let reason = "the service ended repeatedly while checking it";
        give_up(app, ledger, job, reason)?;
        return Err(Error::LedgerRefused {
            reason: reason.to_owned(),
        });
    }
    // The service may have ended between the certificate and the end of the job.
    if ledger
        .transaction(Mode::Read, |tables| submissions::certificate(tables, id))?
        .is_some()
    {
        return Ok(());
    }
    match certify(app, ledger, &job.tenant, id, number) {
        Ok(verdict) => {
            let verdict = serde_json::to_value(verdict).unwrap_or_default();
            crate::health::answered(
                verdict.as_str().unwrap_or("none"),
                begun.elapsed().as_secs_f64(),
            );
            Ok(())
        }
        // It gets no answer, which settles it.
        Err(_) if is_ended(ledger, number)? => Ok(()),
        Err(error) => Err(error),
    }
}

/// The operator's terms for certificates; `None` if none are issued.
fn terms(app: &App) -> Option<Terms<'_>> {
    let certificate = &app.config.certificate;
    app.signer.as_ref().map(|_| Terms {
        name: &certificate.name,
        policy_uri: certificate.policy_uri.as_deref(),
    })
}

/// Waits for the answer to a submission, works on it if nobody does, and issues a certificate.
/// Returns the verdict.
pub(crate) fn certify(
    app: &App,
    ledger: &mut Ledger,
    tenant: &str,
    id: &str,
    number: u64,
) -> Result<Verdict> {
    let clip = app.clip(id);
    let terms = terms(app);
    let answer = app.with_intake(ledger, |intake, ledger| {
        let received = intake.resume(ledger, number, &clip)?;
        intake.answer(ledger, &received, terms.as_ref())
    })?;
    if let Some(certified) = answer.certified {
        issue(app, ledger, tenant, id, number, certified)?;
    }
    Ok(answer.report.verdict)
}

/// Compares a clip with its submitted fingerprint. If it confirms it, it replaces the fingerprint.
fn confirm(app: &App, ledger: &mut Ledger, job: &Job) -> Result<()> {
    let (number, id) = (job.turn, &job.subject);
    let (file, clip) = (app.confirming(id), app.clip(id));
    let there = ledger.submission(number)?;
    let terms = terms(app);
    let done = app.with_intake(ledger, |intake, ledger| {
        let offer = Offer {
            file: &file,
            kind: ledger::Kind::Clip,
            by: &there.by,
            reference: None,
        };
        intake.confirm(ledger, number, &offer, terms.as_ref())
    });
    let keep = || {
        std::fs::rename(&file, &clip).map_err(|source| Error::Io {
            path: clip.clone(),
            doing: "rename",
            source,
        })
    };
    match done {
        Ok(answer) => {
            keep()?;
            answer.certified.map_or(Ok(()), |certified| {
                issue(app, ledger, &job.tenant, id, number, certified)
            })
        }
        // The service ended after the ledger had accepted the clip, so this only does the rest.
        Err(Error::LedgerRefused { .. })
            if !ledger.submission(number)?.provisional && file.exists() =>
        {
            keep()?;
            certify(app, ledger, &job.tenant, id, number).map(drop)
        }
        Err(error) if is_final(&error) || is_of(&error, &file) => {
            let _ = std::fs::remove_file(&file);
            Err(Error::LedgerRefused {
                reason: bare(&error),
            })
        }
        Err(error) => Err(error),
    }
}

/// Whether an error is about the file with this path.
fn is_of(error: &Error, file: &Path) -> bool {
    error.to_string().starts_with(&*file.to_string_lossy()) && !matches!(error, Error::Io { .. })
}

fn is_ended(ledger: &mut Ledger, number: u64) -> Result<bool> {
    let standing = ledger.submission(number)?.standing;
    Ok(matches!(
        standing,
        Standing::Failed | Standing::Lapsed | Standing::Withdrawn
    ))
}

fn give_up(app: &App, ledger: &mut Ledger, job: &Job, reason: &str) -> Result<()> {
    if job.kind != Kind::Check {
        return Ok(());
    }
    let clip = app.clip(&job.subject);
    app.with_intake(ledger, |intake, ledger| {
        let received = intake.resume(ledger, job.turn, &clip)?;
        intake.give_up(ledger, &received, reason).map(drop)
    })
}

/// Signs a certificate, and stores it with its fingerprint.
pub(crate) fn issue(
    app: &App,
    ledger: &mut Ledger,
    tenant: &str,
    id: &str,
    number: u64,
    certified: Certified,
) -> Result<()> {
    let Some(signer) = &app.signer else {
        return Ok(());
    };
    let standings = ledger.standings(number)?;
    let said = answer::redacted(ledger, tenant, ledger::submission(&standings))?;
    let generation = certified.report.index.generation;
    let certified = certified.with_submission(&said);
    let bytes = Envelope::sign(certified.statement.payload()?, &**signer)?.to_json();
    let sha256 = crate::auth::hex(&Sha256::digest(&bytes));
    write(
        &app.config.certificates().join(format!("{id}.uniq")),
        &certified.fingerprint.to_bytes(),
    )?;
    write(
        &app.config.certificates().join(format!("{sha256}.json")),
        &bytes,
    )?;
    ledger.transaction(Mode::Write, |tables| {
        submissions::add_certificate(tables, id, &sha256, generation, now_ms())?;
        crate::events::issued(tables, tenant, id, &sha256)
    })
}

/// Writes a file completely or not at all.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = |doing| {
        move |source| Error::Io {
            path: path.to_owned(),
            doing,
            source,
        }
    };
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed("create"))?;
    std::io::Write::write_all(&mut file, bytes).map_err(failed("write"))?;
    file.as_file().sync_all().map_err(failed("sync"))?;
    file.persist(path)
        .map_err(|error| failed("rename")(error.error))?;
    Ok(())
}

/// Renews all leases of this service.
fn renew(app: &App) {
    while !app.stopping.load(Ordering::Relaxed) {
        let renewed = app.database.with(|ledger| {
            ledger.transaction(Mode::Write, |tables| {
                idempotency::renew(tables, &app.instance, LEASE.as_millis() as u64, now_ms())?;
                jobs::renew(tables, &app.instance, LEASE, now_ms())
            })
        });
        if let Err(error) = renewed {
            tracing::error!(error = %chain(&error), "leases cannot be renewed");
        }
        pause(app, LEASE / 3);
    }
}

/// Waits, but stops with the service.
pub(crate) fn pause(app: &App, at_most: Duration) {
    let until = SystemTime::now() + at_most;
    while !app.stopping.load(Ordering::Relaxed) && SystemTime::now() < until {
        thread::sleep(LOOK.min(at_most));
    }
}

pub(crate) fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Number of checking threads for each clip that is decoded at a time; the others wait for their
/// turn.
const CHECKS_A_SLOT: usize = 4;

/// Number of its own failures at which a job is quarantined.
const FAILURES_MAX: u64 = 3;

/// Number of service ends during its check at which a clip is given up. Clips are decoded in
/// separate processes, so a clip hardly ever causes such an end.
const ENDS_MAX: u64 = 20;

/// Time between two looks for jobs.
const IDLE: Duration = Duration::from_millis(100);

/// Time between two looks for leftovers of crashes.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);

/// Pause after an error of the database.
const AFTER_ERROR: Duration = Duration::from_secs(2);

/// Pause after an error that is not the job's own.
const LATER: Duration = Duration::from_secs(10);

/// Time between two checks whether the service stops.
const LOOK: Duration = Duration::from_millis(50);
