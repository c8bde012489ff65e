//! Stores answers to requests with an `Idempotency-Key`, so that the same request gets the same
//! answer.

use uniq::Result;
use uniq::ledger::{Row, Tables};

pub(super) const TABLES: &[&str] = &[
    "CREATE TABLE IF NOT EXISTS service_idempotency (
        api_key TEXT NOT NULL,
        name TEXT NOT NULL,
        request TEXT NOT NULL,
        body_sha256 TEXT,
        holder TEXT NOT NULL,
        lease_until_ms BIGINT NOT NULL,
        status BIGINT,
        headers TEXT,
        answer TEXT,
        made_ms BIGINT NOT NULL,
        PRIMARY KEY (api_key, name)
    )",
    "CREATE INDEX IF NOT EXISTS service_idempotency_by_age ON service_idempotency (made_ms)",
];

/// The owner and the key of a request.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Name {
    /// The id of the API key.
    pub api_key: String,
    /// The `Idempotency-Key`.
    pub name: String,
}

/// State of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Claim {
    /// Unknown before: the caller must answer it.
    Taken,
    /// It is being answered now.
    InProgress,
    /// The key belongs to another request.
    Other,
    /// It was answered.
    Answered(Answer),
}

/// A stored answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// SHA-256 of the request's body in hexadecimal.
    pub body_sha256: String,
    /// The HTTP status.
    pub status: u64,
    /// The headers as JSON: a list of names and values.
    pub headers: String,
    /// The body in base64; `None` if it must not be stored.
    pub answer: Option<String>,
}

/// Claims a request, unless it was answered or is being answered.
///
/// # Errors
/// Those of the database.
pub fn claim(
    tables: &mut dyn Tables,
    of: &Name,
    request: &str,
    holder: &str,
    lease_ms: u64,
    now_ms: u64,
) -> Result<Claim> {
    let names = [(&*of.api_key).into(), (&*of.name).into()];
    let statement = "SELECT request, lease_until_ms, made_ms, status, body_sha256, headers, answer \
                     FROM service_idempotency WHERE api_key = $1 AND name = $2";
    if let Some(row) = tables.query(statement, &names)?.first()
        && row.number(2) + KEPT_MS > now_ms
    {
        let is_answered = row.maybe_number(3).is_some();
        if is_answered || row.number(1) > now_ms {
            return Ok(match () {
                () if row.text(0) != request => Claim::Other,
                () if is_answered => Claim::Answered(answer(row)),
                () => Claim::InProgress,
            });
        }
    }
    tables.execute(
        "DELETE FROM service_idempotency WHERE api_key = $1 AND name = $2",
        &names,
    )?;
    let statement = "INSERT INTO service_idempotency (api_key, name, request, holder, lease_until_ms, made_ms) \
                     VALUES ($1, $2, $3, $4, $5, $6)";
    let [api_key, name] = names;
    let values = [
        api_key,
        name,
        request.into(),
        holder.into(),
        (now_ms + lease_ms).into(),
        now_ms.into(),
    ];
    tables.execute(statement, &values)?;
    Ok(Claim::Taken)
}

fn answer(row: &Row) -> Answer {
    Answer {
        status: row.number(3),
        body_sha256: row.text(4).to_owned(),
        headers: row.text(5).to_owned(),
        answer: row.maybe_text(6).map(str::to_owned),
    }
}

/// Stores a holder's answer.
///
/// # Errors
/// Those of the database.
pub fn keep(tables: &mut dyn Tables, of: &Name, holder: &str, answer: &Answer) -> Result<()> {
    let statement = "UPDATE service_idempotency SET body_sha256 = $4, status = $5, headers = $6, answer = $7 \
                     WHERE api_key = $1 AND name = $2 AND holder = $3 AND status IS NULL";
    let values = [
        (&*of.api_key).into(),
        (&*of.name).into(),
        holder.into(),
        (&*answer.body_sha256).into(),
        answer.status.into(),
        (&*answer.headers).into(),
        answer.answer.as_deref().into(),
    ];
    tables.execute(statement, &values).map(drop)
}

/// Deletes a request without a final answer.
///
/// # Errors
/// Those of the database.
pub fn release(tables: &mut dyn Tables, of: &Name, holder: &str) -> Result<()> {
    let statement = "DELETE FROM service_idempotency WHERE api_key = $1 AND name = $2 AND holder = $3 AND status IS NULL";
    tables
        .execute(
            statement,
            &[(&*of.api_key).into(), (&*of.name).into(), holder.into()],
        )
        .map(drop)
}

/// Renews the leases of all holders whose names begin with `instance`.
///
/// # Errors
/// Those of the database.
pub fn renew(tables: &mut dyn Tables, instance: &str, lease_ms: u64, now_ms: u64) -> Result<()> {
    let statement = "UPDATE service_idempotency SET lease_until_ms = $2 WHERE status IS NULL AND holder LIKE $1";
    tables
        .execute(
            statement,
            &[
                (&*format!("{instance} %")).into(),
                (now_ms + lease_ms).into(),
            ],
        )
        .map(drop)
}

/// Deletes unanswered requests of ended processes of this instance.
///
/// # Errors
/// Those of the database.
pub fn release_all(tables: &mut dyn Tables, instance: &str) -> Result<()> {
    let statement = "DELETE FROM service_idempotency WHERE status IS NULL AND holder LIKE $1";
    tables
        .execute(statement, &[(&*format!("{instance} %")).into()])
        .map(drop)
}

/// Deletes old answers.
///
/// # Errors
/// Those of the database.
pub fn expire(tables: &mut dyn Tables, now_ms: u64) -> Result<()> {
    let before = now_ms.saturating_sub(KEPT_MS);
    tables
        .execute(
            "DELETE FROM service_idempotency WHERE made_ms < $1",
            &[before.into()],
        )
        .map(drop)
}

/// How long answers are stored, in milliseconds: a day, as is usual.
pub const KEPT_MS: u64 = 24 * 60 * 60 * 1000;
