//! Weights of submissions in the reviewers' queue, stored until the submission changes.

use uniq::Result;
use uniq::ledger::{Row, Tables};

pub(super) const TABLES: &[&str] = &["CREATE TABLE IF NOT EXISTS service_weights (
        submission TEXT NOT NULL PRIMARY KEY,
        mark TEXT NOT NULL,
        stand TEXT NOT NULL,
        weight BIGINT NOT NULL,
        cents BIGINT NOT NULL,
        stake_ms BIGINT NOT NULL,
        doubt_ppm BIGINT NOT NULL,
        why TEXT NOT NULL
    )"];

/// The weight of a submission.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Weight {
    /// The submission.
    pub submission: String,
    /// What it was computed from.
    pub mark: String,
    /// `open`, `waiting`, `disputed`, `accepted` or `closed`.
    pub stand: String,
    /// Money times doubt; larger ones come first.
    pub weight: u64,
    /// The money in hundredths.
    pub cents: u64,
    /// Length of the seconds that the money is for, in milliseconds.
    pub stake_ms: u64,
    /// The doubt, in parts per million.
    pub doubt_ppm: u64,
    /// Names of the doubts, separated by blanks.
    pub why: String,
}

/// A submission in the queue.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Queued {
    /// Its weight.
    pub weight: Weight,
    /// Its number.
    pub number: u64,
    /// Its creator.
    pub creator: String,
    /// The creator's own name for it.
    pub reference: Option<String>,
    /// When it was received, in milliseconds since 1970.
    pub received_ms: u64,
    /// Its length in milliseconds.
    pub duration_ms: u64,
    /// Its verdict.
    pub verdict: String,
    /// Who has it open.
    pub opened: Option<(String, String, u64)>,
}

/// A submission that must be weighed: its id, its number and the mark of its present state.
///
/// The mark is the last row of the chain about it, the length of its log, and `of`: everything else
/// that a weight depends on.
///
/// # Errors
/// Those of the database.
pub fn stale(
    tables: &mut dyn Tables,
    tenant: &str,
    of: &str,
    limit: u64,
) -> Result<Vec<(String, u64, String)>> {
    let statement = format!(
        "SELECT id, number, mark FROM (SELECT s.id AS id, s.number AS number, {MARK} AS mark, w.mark AS kept \
         FROM service_submissions s JOIN submissions l ON l.number = s.number \
         LEFT JOIN service_weights w ON w.submission = s.id \
         WHERE s.tenant = $1 AND s.same_as IS NULL AND l.state IN ('decided', 'withdrawn')) AS known \
         WHERE kept IS NULL OR kept <> mark ORDER BY number LIMIT $3"
    );
    let rows = tables.query(&statement, &[tenant.into(), of.into(), limit.into()])?;
    Ok(rows
        .iter()
        .map(|row| {
            (
                row.text(0).to_owned(),
                row.number(1),
                row.text(2).to_owned(),
            )
        })
        .collect())
}

/// Stores a weight.
///
/// # Errors
/// Those of the database.
pub fn keep(tables: &mut dyn Tables, of: &Weight) -> Result<()> {
    let statement = "INSERT INTO service_weights (submission, mark, stand, weight, cents, stake_ms, doubt_ppm, why) \
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (submission) DO UPDATE \
                     SET mark = $2, stand = $3, weight = $4, cents = $5, stake_ms = $6, doubt_ppm = $7, why = $8";
    let values = [
        of.submission.as_str().into(),
        of.mark.as_str().into(),
        of.stand.as_str().into(),
        of.weight.into(),
        of.cents.into(),
        of.stake_ms.into(),
        of.doubt_ppm.into(),
        of.why.as_str().into(),
    ];
    tables.execute(statement, &values).map(drop)
}

/// A part of the queue; an empty text means no restriction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Part<'a> {
    /// The tenant.
    pub tenant: &'a str,
    /// State; see [`Weight::stand`].
    pub stand: &'a str,
    /// Its verdict.
    pub verdict: &'a str,
}

/// Number of submissions in a part.
///
/// # Errors
/// Those of the database.
pub fn count(tables: &mut dyn Tables, part: Part<'_>) -> Result<u64> {
    let statement = format!("SELECT CAST(COUNT(*) AS BIGINT) {FROM}");
    let rows = tables.query(
        &statement,
        &[part.tenant.into(), part.stand.into(), part.verdict.into()],
    )?;
    Ok(rows.first().map_or(0, |row| row.number(0)))
}

/// A page of the queue, heaviest first.
///
/// # Errors
/// Those of the database.
pub fn page(
    tables: &mut dyn Tables,
    part: Part<'_>,
    skip: u64,
    limit: u64,
    now_ms: u64,
) -> Result<Vec<Queued>> {
    let statement = format!(
        "SELECT w.submission, w.mark, w.stand, w.weight, w.cents, w.stake_ms, w.doubt_ppm, w.why, s.number, s.creator, \
         s.reference, s.received_ms, l.duration_ms, l.verdict, o.actor, o.name, o.until_ms {FROM} \
         ORDER BY w.weight DESC, s.number LIMIT $4 OFFSET $5"
    )
    .replace(" WHERE", " LEFT JOIN service_openings o ON o.submission = s.id AND o.until_ms >= $6 WHERE");
    let values = [
        part.tenant.into(),
        part.stand.into(),
        part.verdict.into(),
        limit.into(),
        skip.into(),
        now_ms.into(),
    ];
    Ok(tables
        .query(&statement, &values)?
        .iter()
        .map(queued)
        .collect())
}

fn queued(row: &Row) -> Queued {
    let text = |column: usize| row.text(column).to_owned();
    Queued {
        weight: Weight {
            submission: text(0),
            mark: text(1),
            stand: text(2),
            weight: row.number(3),
            cents: row.number(4),
            stake_ms: row.number(5),
            doubt_ppm: row.number(6),
            why: text(7),
        },
        number: row.number(8),
        creator: text(9),
        reference: row.maybe_text(10).map(str::to_owned),
        received_ms: row.number(11),
        duration_ms: row.number(12),
        verdict: text(13),
        opened: row
            .maybe_number(16)
            .map(|until| (text(14), text(15), until)),
    }
}

const FROM: &str = "FROM service_weights w JOIN service_submissions s ON s.id = w.submission \
    JOIN submissions l ON l.number = s.number WHERE s.tenant = $1 AND s.same_as IS NULL \
    AND (w.stand = $2 OR $2 = '') AND (l.verdict = $3 OR $3 = '')";

const MARK: &str = "CAST((SELECT COALESCE(MAX(e.seq), 0) FROM events e WHERE e.submission = s.number) AS TEXT) || '.' \
    || CAST((SELECT COUNT(*) FROM service_reviews r WHERE r.submission = s.id) AS TEXT) || '.' || $2";
