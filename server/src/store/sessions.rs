//! Sessions of reviewers in browsers, and log-ins at a provider in progress. Only digests of the
//! secrets are stored.

use uniq::Result;
use uniq::ledger::{Row, Tables};

pub(super) const TABLES: &[&str] = &[
    "CREATE TABLE IF NOT EXISTS service_sessions (
        digest TEXT NOT NULL PRIMARY KEY,
        tenant TEXT NOT NULL,
        actor TEXT NOT NULL,
        name TEXT NOT NULL,
        made_ms BIGINT NOT NULL,
        seen_ms BIGINT NOT NULL
    )",
    "CREATE TABLE IF NOT EXISTS service_logins (
        state TEXT NOT NULL PRIMARY KEY,
        browser TEXT NOT NULL,
        nonce TEXT NOT NULL,
        verifier TEXT NOT NULL,
        made_ms BIGINT NOT NULL
    )",
];

/// A session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Session {
    /// SHA-256 of its secret, in hexadecimal.
    pub digest: String,
    /// The tenant whose submissions are visible.
    pub tenant: String,
    /// Id for programs: `key:` and the id of a key, or `oidc:` and the provider's id.
    pub actor: String,
    /// Name for people.
    pub name: String,
    /// When it was made, in milliseconds since 1970.
    pub made_ms: u64,
    /// When it was last used.
    pub seen_ms: u64,
}

impl Session {
    fn of(row: &Row) -> Session {
        let text = |column: usize| row.text(column).to_owned();
        Session {
            digest: text(0),
            tenant: text(1),
            actor: text(2),
            name: text(3),
            made_ms: row.number(4),
            seen_ms: row.number(5),
        }
    }
}

/// Adds a session, and deletes those that began before `oldest_ms`.
///
/// # Errors
/// Those of the database.
pub fn add(tables: &mut dyn Tables, of: &Session, oldest_ms: u64) -> Result<()> {
    tables.execute(
        "DELETE FROM service_sessions WHERE made_ms < $1",
        &[oldest_ms.into()],
    )?;
    let statement = "INSERT INTO service_sessions (digest, tenant, actor, name, made_ms, seen_ms) \
                     VALUES ($1, $2, $3, $4, $5, $6)";
    let values = [
        of.digest.as_str().into(),
        of.tenant.as_str().into(),
        of.actor.as_str().into(),
        of.name.as_str().into(),
        of.made_ms.into(),
        of.seen_ms.into(),
    ];
    tables.execute(statement, &values).map(drop)
}

/// The session with this digest, if it is recent enough and its key was not revoked.
///
/// # Errors
/// Those of the database.
pub fn valid(
    tables: &mut dyn Tables,
    digest: &str,
    oldest_ms: u64,
    idle_since_ms: u64,
) -> Result<Option<Session>> {
    let statement = "SELECT digest, tenant, actor, name, made_ms, seen_ms FROM service_sessions s \
                     WHERE digest = $1 AND made_ms >= $2 AND seen_ms >= $3 AND (actor NOT LIKE 'key:%' OR EXISTS \
                     (SELECT 1 FROM service_keys k WHERE 'key:' || k.id = s.actor AND k.revoked_ms IS NULL))";
    let rows = tables.query(
        statement,
        &[digest.into(), oldest_ms.into(), idle_since_ms.into()],
    )?;
    Ok(rows.first().map(Session::of))
}

/// Records the use of a session.
///
/// # Errors
/// Those of the database.
pub fn see(tables: &mut dyn Tables, digest: &str, now_ms: u64) -> Result<()> {
    let statement = "UPDATE service_sessions SET seen_ms = $2 WHERE digest = $1";
    tables
        .execute(statement, &[digest.into(), now_ms.into()])
        .map(drop)
}

/// Ends a session.
///
/// # Errors
/// Those of the database.
pub fn end(tables: &mut dyn Tables, digest: &str) -> Result<()> {
    tables
        .execute(
            "DELETE FROM service_sessions WHERE digest = $1",
            &[digest.into()],
        )
        .map(drop)
}

/// A log-in at a provider in progress.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Login {
    /// SHA-256 of the state that the provider returns.
    pub state: String,
    /// SHA-256 of the secret of the browser that began it.
    pub browser: String,
    /// The nonce that the token must repeat.
    pub nonce: String,
    /// Proves to the provider that the same party began the log-in.
    pub verifier: String,
    /// When it began, in milliseconds since 1970.
    pub made_ms: u64,
}

/// Stores a log-in, and deletes those that began before `oldest_ms`.
///
/// # Errors
/// Those of the database.
pub fn begin(tables: &mut dyn Tables, of: &Login, oldest_ms: u64) -> Result<()> {
    tables.execute(
        "DELETE FROM service_logins WHERE made_ms < $1",
        &[oldest_ms.into()],
    )?;
    let statement = "INSERT INTO service_logins (state, browser, nonce, verifier, made_ms) VALUES ($1, $2, $3, $4, $5)";
    let values = [
        of.state.as_str().into(),
        of.browser.as_str().into(),
        of.nonce.as_str().into(),
        of.verifier.as_str().into(),
        of.made_ms.into(),
    ];
    tables.execute(statement, &values).map(drop)
}

/// Removes and returns a log-in that a browser began, so that it works only once.
///
/// # Errors
/// Those of the database.
pub fn take(
    tables: &mut dyn Tables,
    state: &str,
    browser: &str,
    oldest_ms: u64,
) -> Result<Option<Login>> {
    let statement = "DELETE FROM service_logins WHERE state = $1 AND browser = $2 AND made_ms >= $3 \
                     RETURNING state, browser, nonce, verifier, made_ms";
    let rows = tables.query(statement, &[state.into(), browser.into(), oldest_ms.into()])?;
    Ok(rows.first().map(|row| Login {
        state: row.text(0).to_owned(),
        browser: row.text(1).to_owned(),
        nonce: row.text(2).to_owned(),
        verifier: row.text(3).to_owned(),
        made_ms: row.number(4),
    }))
}
