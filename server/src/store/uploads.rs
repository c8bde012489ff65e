//! Resumable uploads: what is stored about them besides their bytes.

use uniq::Result;
use uniq::ledger::{Row, Tables};

pub(super) const TABLES: &[&str] = &[
    "CREATE TABLE IF NOT EXISTS service_uploads (
        id TEXT NOT NULL PRIMARY KEY,
        tenant TEXT NOT NULL,
        creator TEXT NOT NULL,
        reference TEXT,
        kind TEXT NOT NULL,
        metadata TEXT NOT NULL,
        length BIGINT NOT NULL,
        received BIGINT NOT NULL,
        unproven_from BIGINT,
        made_ms BIGINT NOT NULL,
        changed_ms BIGINT NOT NULL,
        submission TEXT,
        refused TEXT
    )",
    "CREATE INDEX IF NOT EXISTS service_uploads_by_end ON service_uploads (changed_ms)",
    "CREATE INDEX IF NOT EXISTS service_uploads_open ON service_uploads (tenant) \
     WHERE submission IS NULL AND refused IS NULL",
];

/// An upload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Upload {
    /// Its id, which becomes the id of its submission.
    pub id: String,
    /// Its tenant.
    pub tenant: String,
    /// Its creator.
    pub creator: String,
    /// The creator's own name for it.
    pub reference: Option<String>,
    /// `clip` or `fingerprint`.
    pub kind: String,
    /// `Upload-Metadata` as it was sent.
    pub metadata: String,
    /// Its length in bytes.
    pub length: u64,
    /// Number of bytes at the last record; the file has at least as many.
    pub received: u64,
    /// Offset of the first byte without a verified checksum.
    pub unproven_from: Option<u64>,
    /// When it last changed, in milliseconds since 1970.
    pub changed_ms: u64,
    /// The submission that it became.
    pub submission: Option<String>,
    /// Why it was refused when complete: a problem as JSON.
    pub refused: Option<String>,
}

impl Upload {
    /// Whether no more bytes are expected.
    pub fn is_ended(&self) -> bool {
        self.submission.is_some() || self.refused.is_some()
    }

    fn of(row: &Row) -> Upload {
        let text = |column: usize| row.text(column).to_owned();
        let maybe = |column: usize| row.maybe_text(column).map(str::to_owned);
        Upload {
            id: text(0),
            tenant: text(1),
            creator: text(2),
            reference: maybe(3),
            kind: text(4),
            metadata: text(5),
            length: row.number(6),
            received: row.number(7),
            unproven_from: row.maybe_number(8),
            changed_ms: row.number(9),
            submission: maybe(10),
            refused: maybe(11),
        }
    }
}

/// Adds an upload.
///
/// # Errors
/// Those of the database.
pub fn add(tables: &mut dyn Tables, of: &Upload) -> Result<()> {
    let statement = "INSERT INTO service_uploads (id, tenant, creator, reference, kind, metadata, length, received, \
                     made_ms, changed_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $8)";
    let values = [
        (&*of.id).into(),
        (&*of.tenant).into(),
        (&*of.creator).into(),
        of.reference.as_deref().into(),
        (&*of.kind).into(),
        (&*of.metadata).into(),
        of.length.into(),
        of.changed_ms.into(),
    ];
    tables.execute(statement, &values).map(drop)
}

/// An upload of a tenant.
///
/// # Errors
/// Those of the database.
pub fn find(tables: &mut dyn Tables, tenant: &str, id: &str) -> Result<Option<Upload>> {
    let statement = format!("SELECT {COLUMNS} FROM service_uploads WHERE tenant = $1 AND id = $2");
    Ok(tables
        .query(&statement, &[tenant.into(), id.into()])?
        .first()
        .map(Upload::of))
}

/// Whether an upload with this id exists, for any tenant.
///
/// # Errors
/// Those of the database.
pub fn is_there(tables: &mut dyn Tables, id: &str) -> Result<bool> {
    Ok(!tables
        .query("SELECT 1 FROM service_uploads WHERE id = $1", &[id.into()])?
        .is_empty())
}

/// At most a hundred uploads after an id, in order of their ids.
///
/// # Errors
/// Those of the database.
pub fn after(tables: &mut dyn Tables, id: &str) -> Result<Vec<Upload>> {
    let statement =
        format!("SELECT {COLUMNS} FROM service_uploads WHERE id > $1 ORDER BY id LIMIT 100");
    Ok(tables
        .query(&statement, &[id.into()])?
        .iter()
        .map(Upload::of)
        .collect())
}

/// What the open, unexpired uploads still need.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Totals {
    /// Number of the tenant's uploads.
    pub of_tenant: u64,
    /// Bytes that all tenants have announced but not yet sent.
    pub missing: u64,
    /// Bytes that this tenant has announced but not yet sent.
    pub missing_of_tenant: u64,
}

/// Totals of the open uploads that changed at `since_ms` or later.
///
/// # Errors
/// Those of the database.
pub fn totals(tables: &mut dyn Tables, tenant: &str, since_ms: u64) -> Result<Totals> {
    let statement = "SELECT CAST(COALESCE(SUM(CASE WHEN tenant = $1 THEN 1 ELSE 0 END), 0) AS BIGINT), \
                     CAST(COALESCE(SUM(length - received), 0) AS BIGINT), \
                     CAST(COALESCE(SUM(CASE WHEN tenant = $1 THEN length - received ELSE 0 END), 0) AS BIGINT) \
                     FROM service_uploads \
                     WHERE submission IS NULL AND refused IS NULL AND changed_ms >= $2";
    let rows = tables.query(statement, &[tenant.into(), since_ms.into()])?;
    Ok(rows.first().map_or_else(Totals::default, |row| Totals {
        of_tenant: row.number(0),
        missing: row.number(1),
        missing_of_tenant: row.number(2),
    }))
}

/// Records the number of bytes, and the offset from which they are not verified.
///
/// # Errors
/// Those of the database.
pub fn note(
    tables: &mut dyn Tables,
    id: &str,
    received: u64,
    unproven_from: Option<u64>,
    now_ms: u64,
) -> Result<()> {
    let statement = "UPDATE service_uploads SET received = $2, unproven_from = $3, changed_ms = $4 WHERE id = $1";
    tables
        .execute(
            statement,
            &[
                id.into(),
                received.into(),
                unproven_from.into(),
                now_ms.into(),
            ],
        )
        .map(drop)
}

/// Records the submission that an upload became. Does nothing if there is no such upload.
///
/// # Errors
/// Those of the database.
pub fn finish(tables: &mut dyn Tables, id: &str, submission: &str, now_ms: u64) -> Result<()> {
    let statement = "UPDATE service_uploads SET received = length, submission = $2, changed_ms = $3 WHERE id = $1";
    tables
        .execute(statement, &[id.into(), submission.into(), now_ms.into()])
        .map(drop)
}

/// Records why a complete upload becomes no submission.
///
/// # Errors
/// Those of the database.
pub fn refuse(tables: &mut dyn Tables, id: &str, problem: &str, now_ms: u64) -> Result<()> {
    let statement =
        "UPDATE service_uploads SET received = length, refused = $2, changed_ms = $3 WHERE id = $1";
    tables
        .execute(statement, &[id.into(), problem.into(), now_ms.into()])
        .map(drop)
}

/// Deletes an upload.
///
/// # Errors
/// Those of the database.
pub fn remove(tables: &mut dyn Tables, id: &str) -> Result<()> {
    tables
        .execute("DELETE FROM service_uploads WHERE id = $1", &[id.into()])
        .map(drop)
}

const COLUMNS: &str = "id, tenant, creator, reference, kind, metadata, length, received, unproven_from, \
                       changed_ms, submission, refused";
