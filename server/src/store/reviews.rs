//! People's decisions: an append-only log, and who has which submission open.

use uniq::Result;
use uniq::ledger::{Row, Tables};

pub(super) const TABLES: &[&str] = &[
    "CREATE TABLE IF NOT EXISTS service_reviews (
        id TEXT NOT NULL PRIMARY KEY,
        submission TEXT NOT NULL,
        item BIGINT NOT NULL,
        tenant TEXT NOT NULL,
        actor TEXT NOT NULL,
        name TEXT NOT NULL,
        at_ms BIGINT NOT NULL,
        verb TEXT NOT NULL,
        source TEXT,
        start_ms BIGINT,
        end_ms BIGINT,
        other BIGINT,
        about TEXT,
        why TEXT NOT NULL,
        waits BIGINT NOT NULL,
        UNIQUE (submission, item)
    )",
    "CREATE TABLE IF NOT EXISTS service_openings (
        submission TEXT NOT NULL PRIMARY KEY,
        actor TEXT NOT NULL,
        name TEXT NOT NULL,
        until_ms BIGINT NOT NULL
    )",
];

/// A row of the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Review {
    /// Its id.
    pub id: String,
    /// The submission.
    pub submission: String,
    /// Its position in the submission's log, from 0.
    pub item: u64,
    /// The tenant of the submission.
    pub tenant: String,
    /// Id of the decider, for programs.
    pub actor: String,
    /// Name of the decider, for people.
    pub name: String,
    /// Time in milliseconds since 1970.
    pub at_ms: u64,
    /// The decision.
    pub verb: String,
    /// SHA-256 of the source of the match that it is about.
    pub source: Option<String>,
    /// The seconds of the clip that match, in milliseconds.
    pub here: Option<(u64, u64)>,
    /// The number of the other submission of the pair that it is about.
    pub other: Option<u64>,
    /// The row that it is about.
    pub about: Option<String>,
    /// The reason.
    pub why: String,
    /// Whether it has no effect until a second person confirms it.
    pub waits: bool,
}

impl Review {
    fn of(row: &Row) -> Review {
        let text = |column: usize| row.text(column).to_owned();
        let maybe = |column: usize| row.maybe_text(column).map(str::to_owned);
        Review {
            id: text(0),
            submission: text(1),
            item: row.number(2),
            tenant: text(3),
            actor: text(4),
            name: text(5),
            at_ms: row.number(6),
            verb: text(7),
            source: maybe(8),
            here: row.maybe_number(9).zip(row.maybe_number(10)),
            other: row.maybe_number(11),
            about: maybe(12),
            why: text(13),
            waits: row.number(14) > 0,
        }
    }
}

/// Adds a row at the end of its submission's log.
///
/// # Errors
/// Those of the database, also if another row has taken its position.
pub fn add(tables: &mut dyn Tables, of: &Review) -> Result<()> {
    let statement = "INSERT INTO service_reviews (id, submission, item, tenant, actor, name, at_ms, verb, source, \
                     start_ms, end_ms, other, about, why, waits) \
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
    let values = [
        of.id.as_str().into(),
        of.submission.as_str().into(),
        of.item.into(),
        of.tenant.as_str().into(),
        of.actor.as_str().into(),
        of.name.as_str().into(),
        of.at_ms.into(),
        of.verb.as_str().into(),
        of.source.as_deref().into(),
        of.here.map(|here| here.0).into(),
        of.here.map(|here| here.1).into(),
        of.other.into(),
        of.about.as_deref().into(),
        of.why.as_str().into(),
        u64::from(of.waits).into(),
    ];
    tables.execute(statement, &values).map(drop)
}

/// The log of a submission, in order.
///
/// # Errors
/// Those of the database.
pub fn of_submission(tables: &mut dyn Tables, id: &str) -> Result<Vec<Review>> {
    let statement = "SELECT id, submission, item, tenant, actor, name, at_ms, verb, source, start_ms, end_ms, other, \
                     about, why, waits FROM service_reviews WHERE submission = $1 ORDER BY item";
    Ok(tables
        .query(statement, &[id.into()])?
        .iter()
        .map(Review::of)
        .collect())
}

/// Who has a submission open.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opening {
    /// Id of the person, for programs.
    pub actor: String,
    /// Name of the person.
    pub name: String,
    /// When this ends, in milliseconds since 1970.
    pub until_ms: u64,
}

/// Opens a submission for somebody, unless somebody else has it open. With `takes`, opens it in any
/// case.
///
/// # Errors
/// Those of the database.
pub fn open(
    tables: &mut dyn Tables,
    id: &str,
    by: &Opening,
    now_ms: u64,
    takes: bool,
) -> Result<()> {
    let statement = "INSERT INTO service_openings (submission, actor, name, until_ms) VALUES ($1, $2, $3, $4) \
                     ON CONFLICT (submission) DO UPDATE SET actor = $2, name = $3, until_ms = $4 \
                     WHERE service_openings.actor = $2 OR service_openings.until_ms < $5 OR $6 > 0";
    let values = [
        id.into(),
        by.actor.as_str().into(),
        by.name.as_str().into(),
        by.until_ms.into(),
        now_ms.into(),
        u64::from(takes).into(),
    ];
    tables.execute(statement, &values).map(drop)
}

/// The person who has a submission open now.
///
/// # Errors
/// Those of the database.
pub fn opened(tables: &mut dyn Tables, id: &str, now_ms: u64) -> Result<Option<Opening>> {
    let statement = "SELECT actor, name, until_ms FROM service_openings WHERE submission = $1 AND until_ms >= $2";
    let rows = tables.query(statement, &[id.into(), now_ms.into()])?;
    Ok(rows.first().map(|row| Opening {
        actor: row.text(0).to_owned(),
        name: row.text(1).to_owned(),
        until_ms: row.number(2),
    }))
}

/// Closes a submission that somebody has open.
///
/// # Errors
/// Those of the database.
pub fn close(tables: &mut dyn Tables, id: &str, actor: &str) -> Result<()> {
    let statement = "DELETE FROM service_openings WHERE submission = $1 AND actor = $2";
    tables
        .execute(statement, &[id.into(), actor.into()])
        .map(drop)
}
