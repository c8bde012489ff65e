//! Submissions of clients: an id and a tenant for each number of the ledger.

use uniq::Result;
use uniq::ledger::{Row, Tables};

pub(super) const TABLES: &[&str] = &[
    "CREATE TABLE IF NOT EXISTS service_submissions (
        id TEXT NOT NULL PRIMARY KEY,
        number BIGINT NOT NULL,
        tenant TEXT NOT NULL,
        creator TEXT NOT NULL,
        reference TEXT,
        kind TEXT NOT NULL,
        received_ms BIGINT NOT NULL,
        same_as TEXT
    )",
    "CREATE INDEX IF NOT EXISTS service_submissions_of_tenant ON service_submissions (tenant, id)",
    "CREATE INDEX IF NOT EXISTS service_submissions_of_number ON service_submissions (number)",
    "CREATE TABLE IF NOT EXISTS service_certificates (
        submission TEXT NOT NULL,
        item BIGINT NOT NULL,
        sha256 TEXT NOT NULL,
        generation BIGINT NOT NULL,
        issued_ms BIGINT NOT NULL,
        PRIMARY KEY (submission, item)
    )",
];

/// A submission and its state.
#[derive(Clone, PartialEq, Debug)]
pub struct Listed {
    /// Its id.
    pub id: String,
    /// Its number in the ledger.
    pub number: u64,
    /// Its tenant.
    pub tenant: String,
    /// Its creator.
    pub creator: String,
    /// The creator's own name for it.
    pub reference: Option<String>,
    /// `clip` or `fingerprint`.
    pub kind: String,
    /// When it got its number, in milliseconds since 1970.
    pub received_ms: u64,
    /// The earlier id of the same bytes.
    pub same_as: Option<String>,
    /// Its state in the ledger.
    pub standing: String,
    /// Why it has no answer, or was withdrawn.
    pub reason: Option<String>,
    /// SHA-256 of the clip.
    pub sha256: String,
    /// Length of the file in bytes.
    pub bytes: u64,
    /// Length of the clip in milliseconds.
    pub duration_ms: u64,
    /// The verdict against the public index.
    pub verdict: Option<String>,
    /// Whether only a fingerprint was seen.
    pub provisional: bool,
    /// Offered milliseconds.
    pub offered_ms: u64,
    /// Sold milliseconds.
    pub sold_ms: u64,
    /// State of its job.
    pub job: Option<String>,
    /// Last message of its job.
    pub message: Option<String>,
    /// Number of its certificates.
    pub certificates: u64,
}

impl Listed {
    fn of(row: &Row) -> Listed {
        let text = |column: usize| row.text(column).to_owned();
        let maybe = |column: usize| row.maybe_text(column).map(str::to_owned);
        Listed {
            id: text(0),
            number: row.number(1),
            tenant: text(2),
            creator: text(3),
            reference: maybe(4),
            kind: text(5),
            received_ms: row.number(6),
            same_as: maybe(7),
            standing: text(8),
            reason: maybe(9),
            sha256: text(10),
            bytes: row.number(11),
            duration_ms: row.number(12),
            verdict: maybe(13),
            provisional: row.number(14) != 0,
            offered_ms: row.number(15),
            sold_ms: row.number(16),
            job: maybe(17),
            message: maybe(18),
            certificates: row.number(19),
        }
    }
}

/// Adds a submission under an id.
///
/// # Errors
/// Those of the database.
#[allow(clippy::too_many_arguments)]
pub fn add(
    tables: &mut dyn Tables,
    id: &str,
    number: u64,
    tenant: &str,
    creator: &str,
    reference: Option<&str>,
    kind: &str,
    received_ms: u64,
    same_as: Option<&str>,
) -> Result<()> {
    let statement = "INSERT INTO service_submissions (id, number, tenant, creator, reference, kind, received_ms, same_as) \
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let values = [
        id.into(),
        number.into(),
        tenant.into(),
        creator.into(),
        reference.into(),
        kind.into(),
        received_ms.into(),
        same_as.into(),
    ];
    tables.execute(statement, &values).map(drop)
}

/// The id and the tenant of a number; `None` if it did not come through the service.
///
/// # Errors
/// Those of the database.
pub fn of_number(tables: &mut dyn Tables, number: u64) -> Result<Option<(String, String)>> {
    let statement =
        "SELECT id, tenant FROM service_submissions WHERE number = $1 AND same_as IS NULL LIMIT 1";
    let rows = tables.query(statement, &[number.into()])?;
    Ok(rows
        .first()
        .map(|row| (row.text(0).to_owned(), row.text(1).to_owned())))
}

/// A submission of a tenant. A later id of the same bytes gives the first submission.
///
/// # Errors
/// Those of the database.
pub fn find(tables: &mut dyn Tables, tenant: &str, id: &str) -> Result<Option<Listed>> {
    let statement = format!("{SELECT} WHERE s.tenant = $1 AND s.id = $2");
    let found = tables
        .query(&statement, &[tenant.into(), id.into()])?
        .first()
        .map(Listed::of);
    match found {
        Some(Listed {
            same_as: Some(first),
            ..
        }) => Ok(tables
            .query(&statement, &[tenant.into(), (&*first).into()])?
            .first()
            .map(Listed::of)),
        found => Ok(found),
    }
}

/// The submissions of a tenant after an id, in order.
///
/// # Errors
/// Those of the database.
pub fn of_tenant(
    tables: &mut dyn Tables,
    tenant: &str,
    after: &str,
    limit: u64,
) -> Result<Vec<Listed>> {
    let statement = format!(
        "{SELECT} WHERE s.tenant = $1 AND s.id > $2 AND s.same_as IS NULL ORDER BY s.id LIMIT $3"
    );
    let rows = tables.query(&statement, &[tenant.into(), after.into(), limit.into()])?;
    Ok(rows.iter().map(Listed::of).collect())
}

/// Records a new certificate, and returns how many there are now.
///
/// # Errors
/// Those of the database.
pub fn add_certificate(
    tables: &mut dyn Tables,
    id: &str,
    sha256: &str,
    generation: u64,
    now_ms: u64,
) -> Result<u64> {
    let count = "SELECT CAST(COUNT(*) AS BIGINT) FROM service_certificates WHERE submission = $1";
    let item = tables
        .query(count, &[id.into()])?
        .first()
        .map_or(0, |row| row.number(0));
    let statement = "INSERT INTO service_certificates (submission, item, sha256, generation, issued_ms) \
                     VALUES ($1, $2, $3, $4, $5)";
    tables.execute(
        statement,
        &[
            id.into(),
            item.into(),
            sha256.into(),
            generation.into(),
            now_ms.into(),
        ],
    )?;
    Ok(item + 1)
}

/// The newest certificate of a submission: its item and SHA-256.
///
/// # Errors
/// Those of the database.
pub fn certificate(tables: &mut dyn Tables, id: &str) -> Result<Option<(u64, String)>> {
    let statement = "SELECT item, sha256 FROM service_certificates WHERE submission = $1 ORDER BY item DESC LIMIT 1";
    let rows = tables.query(statement, &[id.into()])?;
    Ok(rows
        .first()
        .map(|row| (row.number(0), row.text(1).to_owned())))
}

/// The lowest number without an answer that belongs to this service.
///
/// # Errors
/// Those of the database.
pub fn first_open(tables: &mut dyn Tables) -> Result<Option<u64>> {
    let statement =
        "SELECT number FROM submissions WHERE state = 'received' ORDER BY number LIMIT 1";
    Ok(tables
        .query(statement, &[])?
        .first()
        .map(|row| row.number(0)))
}

const SELECT: &str = "SELECT s.id, s.number, s.tenant, s.creator, s.reference, s.kind, s.received_ms, s.same_as, \
    l.state, l.reason, l.sha256, l.bytes, l.duration_ms, l.verdict, l.provisional, \
    (SELECT CAST(COALESCE(SUM(c.end_ms - c.start_ms), 0) AS BIGINT) FROM claims c WHERE c.submission = s.number AND c.state = 'offered'), \
    (SELECT CAST(COALESCE(SUM(c.end_ms - c.start_ms), 0) AS BIGINT) FROM claims c WHERE c.submission = s.number AND c.state = 'sold'), \
    j.state, j.message, \
    (SELECT CAST(COUNT(*) AS BIGINT) FROM service_certificates k WHERE k.submission = s.id) \
    FROM service_submissions s JOIN submissions l ON l.number = s.number \
    LEFT JOIN service_jobs j ON j.subject = s.id AND j.kind = 'check'";
