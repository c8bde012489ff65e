//! API keys, of which only digests are stored.

use uniq::Result;
use uniq::ledger::{Row, Tables};

pub(super) const TABLES: &[&str] = &[
    "CREATE TABLE IF NOT EXISTS service_keys (
        id TEXT NOT NULL PRIMARY KEY,
        tenant TEXT NOT NULL,
        name TEXT NOT NULL,
        sha256 TEXT NOT NULL UNIQUE,
        scopes TEXT NOT NULL,
        made_ms BIGINT NOT NULL,
        revoked_ms BIGINT
    )",
    "CREATE INDEX IF NOT EXISTS service_keys_of_tenant ON service_keys (tenant, id)",
];

/// A stored key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Key {
    /// Its id.
    pub id: String,
    /// Its tenant.
    pub tenant: String,
    /// Its name for people.
    pub name: String,
    /// SHA-256 of the key, in hexadecimal.
    pub sha256: String,
    /// Names of its scopes, separated by blanks.
    pub scopes: String,
    /// When it was made, in milliseconds since 1970.
    pub made_ms: u64,
    /// When it was revoked.
    pub revoked_ms: Option<u64>,
}

impl Key {
    fn of(row: &Row) -> Key {
        Key {
            id: row.text(0).to_owned(),
            tenant: row.text(1).to_owned(),
            name: row.text(2).to_owned(),
            sha256: row.text(3).to_owned(),
            scopes: row.text(4).to_owned(),
            made_ms: row.number(5),
            revoked_ms: row.maybe_number(6),
        }
    }
}

/// Adds a key.
///
/// # Errors
/// Those of the database.
pub fn add(tables: &mut dyn Tables, key: &Key) -> Result<()> {
    let statement = "INSERT INTO service_keys (id, tenant, name, sha256, scopes, made_ms, revoked_ms) \
                     VALUES ($1, $2, $3, $4, $5, $6, NULL)";
    let values = [&key.id, &key.tenant, &key.name, &key.sha256, &key.scopes];
    let mut values: Vec<_> = values
        .into_iter()
        .map(|text| text.as_str().into())
        .collect();
    values.push(key.made_ms.into());
    tables.execute(statement, &values).map(drop)
}

/// The key with this digest, unless it was revoked.
///
/// # Errors
/// Those of the database.
pub fn valid(tables: &mut dyn Tables, sha256: &str) -> Result<Option<Key>> {
    let statement = "SELECT id, tenant, name, sha256, scopes, made_ms, revoked_ms FROM service_keys \
                     WHERE sha256 = $1 AND revoked_ms IS NULL";
    Ok(tables
        .query(statement, &[sha256.into()])?
        .first()
        .map(Key::of))
}

/// The keys of a tenant after an id, in order.
///
/// # Errors
/// Those of the database.
pub fn of_tenant(
    tables: &mut dyn Tables,
    tenant: &str,
    after: &str,
    limit: u64,
) -> Result<Vec<Key>> {
    let statement = "SELECT id, tenant, name, sha256, scopes, made_ms, revoked_ms FROM service_keys \
                     WHERE tenant = $1 AND id > $2 ORDER BY id LIMIT $3";
    let rows = tables.query(statement, &[tenant.into(), after.into(), limit.into()])?;
    Ok(rows.iter().map(Key::of).collect())
}

/// Revokes a key of one tenant or of any. Returns whether the key exists.
///
/// # Errors
/// Those of the database.
pub fn revoke(
    tables: &mut dyn Tables,
    tenant: Option<&str>,
    id: &str,
    now_ms: u64,
) -> Result<bool> {
    let statement = "UPDATE service_keys SET revoked_ms = COALESCE(revoked_ms, $3) WHERE COALESCE($1, tenant) = tenant AND id = $2";
    Ok(tables.execute(statement, &[tenant.into(), id.into(), now_ms.into()])? > 0)
}
