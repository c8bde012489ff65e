//! The table of jobs: work to do, with leases.
//!
//! A worker claims a job, and renews its lease while it lives. A job whose lease has expired can be
//! claimed again. A job's own failures are counted separately from deaths of its process, since
//! those say little about the job.

use std::time::Duration;

use uniq::Result;
use uniq::ledger::{Row, Tables};

pub(super) const TABLES: &[&str] = &[
    "CREATE TABLE IF NOT EXISTS service_jobs (
        id TEXT NOT NULL PRIMARY KEY,
        kind TEXT NOT NULL,
        tenant TEXT NOT NULL,
        subject TEXT NOT NULL,
        body TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed', 'quarantined')),
        turn BIGINT NOT NULL,
        failures BIGINT NOT NULL,
        ends BIGINT NOT NULL,
        not_before_ms BIGINT NOT NULL,
        worker TEXT,
        lease_until_ms BIGINT NOT NULL,
        message TEXT,
        made_ms BIGINT NOT NULL,
        changed_ms BIGINT NOT NULL
    )",
    "CREATE INDEX IF NOT EXISTS service_jobs_open ON service_jobs (kind, turn) WHERE state IN ('queued', 'running')",
    "CREATE INDEX IF NOT EXISTS service_jobs_of_subject ON service_jobs (subject, kind)",
    "CREATE INDEX IF NOT EXISTS service_jobs_of_tenant ON service_jobs (tenant, id)",
];

/// Kind of a job.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Check a submission.
    Check,
    /// Compare submissions with videos that were published since.
    Recheck,
    /// Add sources to the corpus.
    AddSource,
    /// Remove a source.
    RemoveSource,
    /// Write a snapshot of the index.
    Snapshot,
    /// Issue another certificate for a submission whose answer changed.
    Certify,
    /// Compare a clip with its submitted fingerprint.
    Confirm,
}

impl Kind {
    const ALL: [Kind; 7] = [
        Kind::Check,
        Kind::Recheck,
        Kind::AddSource,
        Kind::RemoveSource,
        Kind::Snapshot,
        Kind::Certify,
        Kind::Confirm,
    ];

    /// Its name in requests and answers.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Check => "check",
            Kind::Recheck => "recheck",
            Kind::AddSource => "add_source",
            Kind::RemoveSource => "remove_source",
            Kind::Snapshot => "snapshot",
            Kind::Certify => "certify",
            Kind::Confirm => "confirm",
        }
    }

    fn of(name: &str) -> Kind {
        Kind::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
            .unwrap_or(Kind::Check)
    }
}

/// A job.
#[derive(Clone, PartialEq, Debug)]
pub struct Job {
    /// Its id.
    pub id: String,
    /// Its kind.
    pub kind: Kind,
    /// Its tenant.
    pub tenant: String,
    /// The id of the submission or source.
    pub subject: String,
    /// Further data, as JSON.
    pub body: String,
    /// State: `queued`, `running`, `done`, `failed` or `quarantined`.
    pub state: String,
    /// Jobs with a lower turn come first. It is the number of a submission.
    pub turn: u64,
    /// Number of failures.
    pub failures: u64,
    /// How often its process ended before it was done.
    pub ends: u64,
    /// Its last message.
    pub message: Option<String>,
    /// When it was made, in milliseconds since 1970.
    pub made_ms: u64,
}

impl Job {
    fn of(row: &Row) -> Job {
        Job {
            id: row.text(0).to_owned(),
            kind: Kind::of(row.text(1)),
            tenant: row.text(2).to_owned(),
            subject: row.text(3).to_owned(),
            body: row.text(4).to_owned(),
            state: row.text(5).to_owned(),
            turn: row.number(6),
            failures: row.number(7),
            ends: row.number(8),
            message: row.maybe_text(9).map(str::to_owned),
            made_ms: row.number(10),
        }
    }
}

/// Adds a job, and returns its id.
///
/// # Errors
/// Those of the database.
pub fn add(
    tables: &mut dyn Tables,
    kind: Kind,
    tenant: &str,
    subject: &str,
    body: &str,
    turn: u64,
    now_ms: u64,
) -> Result<String> {
    let id = super::new_id();
    let statement = "INSERT INTO service_jobs (id, kind, tenant, subject, body, state, turn, failures, ends, not_before_ms, \
                     lease_until_ms, made_ms, changed_ms) VALUES ($1, $2, $3, $4, $5, 'queued', $6, 0, 0, 0, 0, $7, $7)";
    let values = [
        (&*id).into(),
        kind.name().into(),
        tenant.into(),
        subject.into(),
        body.into(),
        turn.into(),
        now_ms.into(),
    ];
    tables.execute(statement, &values)?;
    Ok(id)
}

/// Whether a job of one of these kinds waits for a worker.
///
/// # Errors
/// Those of the database.
pub fn is_waiting(
    tables: &mut dyn Tables,
    kinds: &[Kind],
    turn_max: Option<u64>,
    now_ms: u64,
) -> Result<bool> {
    let statement = format!(
        "SELECT 1 FROM service_jobs WHERE {} LIMIT 1",
        waiting(kinds)
    );
    let found = tables.query(
        &statement,
        &[now_ms.into(), turn_max.unwrap_or(TURN_MAX).into()],
    )?;
    Ok(!found.is_empty())
}

/// Assigns the waiting job with the lowest turn to a worker.
///
/// # Errors
/// Those of the database.
pub fn claim(
    tables: &mut dyn Tables,
    kinds: &[Kind],
    turn_max: Option<u64>,
    worker: &str,
    lease: Duration,
    now_ms: u64,
) -> Result<Option<Job>> {
    let statement = format!(
        "UPDATE service_jobs SET ends = ends + CASE WHEN state = 'running' THEN 1 ELSE 0 END, state = 'running', \
         worker = $3, lease_until_ms = $4, changed_ms = $1 \
         WHERE id = (SELECT id FROM service_jobs WHERE {} ORDER BY turn, id LIMIT 1) RETURNING {COLUMNS}",
        waiting(kinds)
    );
    let until = now_ms + lease.as_millis() as u64;
    let values = [
        now_ms.into(),
        turn_max.unwrap_or(TURN_MAX).into(),
        worker.into(),
        until.into(),
    ];
    Ok(tables.query(&statement, &values)?.first().map(Job::of))
}

/// Renews the leases of all jobs of workers whose names begin with `instance`.
///
/// # Errors
/// Those of the database.
pub fn renew(tables: &mut dyn Tables, instance: &str, lease: Duration, now_ms: u64) -> Result<u64> {
    let statement =
        "UPDATE service_jobs SET lease_until_ms = $2 WHERE state = 'running' AND worker LIKE $1";
    let until = now_ms + lease.as_millis() as u64;
    tables.execute(
        statement,
        &[(&*format!("{instance} %")).into(), until.into()],
    )
}

/// Makes the jobs of ended processes of this instance available at once.
///
/// # Errors
/// Those of the database.
pub fn release_all(tables: &mut dyn Tables, instance: &str) -> Result<u64> {
    // They must wait again, since the lease of a running job would be renewed.
    let statement = "UPDATE service_jobs SET state = 'queued', ends = ends + 1, worker = NULL, lease_until_ms = 0 \
                     WHERE state = 'running' AND worker LIKE $1";
    tables.execute(statement, &[(&*format!("{instance} %")).into()])
}

/// Outcome of a job.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End<'a> {
    /// It is done.
    Done,
    /// It cannot be done.
    Failed(&'a str),
    /// It has failed, or its process has ended, too often to try again.
    Quarantined(&'a str),
    /// It failed by itself, and waits until this time.
    Again(&'a str, u64),
    /// It was interrupted for another reason, and waits until this time.
    Later(Option<&'a str>, u64),
}

/// Records the outcome of a job; `false` if the worker no longer has it.
///
/// # Errors
/// Those of the database.
pub fn end(
    tables: &mut dyn Tables,
    id: &str,
    worker: &str,
    end: End<'_>,
    now_ms: u64,
) -> Result<bool> {
    let (state, message, more, not_before) = match end {
        End::Done => ("done", None, 0, 0),
        End::Failed(why) => ("failed", Some(why), 0, 0),
        End::Quarantined(why) => ("quarantined", Some(why), 0, 0),
        End::Again(why, until) => ("queued", Some(why), 1, until),
        End::Later(why, until) => ("queued", why, 0, until),
    };
    let statement = "UPDATE service_jobs SET state = $3, message = $4, failures = failures + $5, not_before_ms = $6, \
                     worker = NULL, lease_until_ms = 0, changed_ms = $7 WHERE id = $1 AND worker = $2 AND state = 'running'";
    let values = [
        id.into(),
        worker.into(),
        state.into(),
        message.into(),
        u64::from(more == 1).into(),
        not_before.into(),
        now_ms.into(),
    ];
    Ok(tables.execute(statement, &values)? > 0)
}

/// A job of a tenant.
///
/// # Errors
/// Those of the database.
pub fn find(tables: &mut dyn Tables, tenant: &str, id: &str) -> Result<Option<Job>> {
    let statement = format!("SELECT {COLUMNS} FROM service_jobs WHERE tenant = $1 AND id = $2");
    Ok(tables
        .query(&statement, &[tenant.into(), id.into()])?
        .first()
        .map(Job::of))
}

/// The finished jobs of a kind of a tenant after an id, in order.
///
/// # Errors
/// Those of the database.
pub fn done_of_kind(
    tables: &mut dyn Tables,
    tenant: &str,
    kind: Kind,
    after: &str,
    limit: u64,
) -> Result<Vec<Job>> {
    let statement = format!(
        "SELECT {COLUMNS} FROM service_jobs WHERE tenant = $1 AND kind = $2 AND state = 'done' AND id > $3 ORDER BY id LIMIT $4"
    );
    let rows = tables.query(
        &statement,
        &[
            tenant.into(),
            kind.name().into(),
            after.into(),
            limit.into(),
        ],
    )?;
    Ok(rows.iter().map(Job::of).collect())
}

/// Stores further data of a job, as JSON.
///
/// # Errors
/// Those of the database.
pub fn note(tables: &mut dyn Tables, id: &str, body: &str) -> Result<()> {
    tables
        .execute(
            "UPDATE service_jobs SET body = $2 WHERE id = $1",
            &[id.into(), body.into()],
        )
        .map(drop)
}

/// Whether a job of a kind waits for a subject. A running job does not count, since it may have
/// seen an earlier state.
///
/// # Errors
/// Those of the database.
pub fn waits(tables: &mut dyn Tables, kind: Kind, subject: &str) -> Result<bool> {
    let statement =
        "SELECT 1 FROM service_jobs WHERE subject = $1 AND kind = $2 AND state = 'queued' LIMIT 1";
    Ok(!tables
        .query(statement, &[subject.into(), kind.name().into()])?
        .is_empty())
}

/// Whether a job of a kind for a subject waits or runs.
///
/// # Errors
/// Those of the database.
pub fn is_open(tables: &mut dyn Tables, kind: Kind, subject: &str) -> Result<bool> {
    let statement = "SELECT 1 FROM service_jobs WHERE subject = $1 AND kind = $2 AND state IN ('queued', 'running') LIMIT 1";
    Ok(!tables
        .query(statement, &[subject.into(), kind.name().into()])?
        .is_empty())
}

/// Number of open jobs of a kind.
///
/// # Errors
/// Those of the database.
pub fn open(tables: &mut dyn Tables, kind: Kind) -> Result<u64> {
    let statement = "SELECT CAST(COUNT(*) AS BIGINT) FROM service_jobs WHERE kind = $1 AND state IN ('queued', 'running')";
    Ok(tables
        .query(statement, &[kind.name().into()])?
        .first()
        .map_or(0, |row| row.number(0)))
}

/// Number of open jobs by kind.
///
/// # Errors
/// Those of the database.
pub fn open_by_kind(tables: &mut dyn Tables) -> Result<Vec<(String, u64)>> {
    let statement = "SELECT kind, CAST(COUNT(*) AS BIGINT) FROM service_jobs WHERE state IN ('queued', 'running') GROUP BY kind";
    Ok(tables
        .query(statement, &[])?
        .iter()
        .map(|row| (row.text(0).to_owned(), row.number(1)))
        .collect())
}

/// The SQL condition for a job that can be claimed; `$1` is now, `$2` the highest turn.
fn waiting(kinds: &[Kind]) -> String {
    let kinds: Vec<String> = kinds
        .iter()
        .map(|kind| format!("'{}'", kind.name()))
        .collect();
    format!(
        "state IN ('queued', 'running') AND kind IN ({}) AND not_before_ms <= $1 AND lease_until_ms <= $1 AND turn <= $2",
        kinds.join(", ")
    )
}

const COLUMNS: &str =
    "id, kind, tenant, subject, body, state, turn, failures, ends, message, made_ms";

/// Above every turn.
const TURN_MAX: u64 = i64::MAX as u64;
