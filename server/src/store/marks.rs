//! Facts that the service remembers about itself: a text for each name.

use uniq::Result;
use uniq::ledger::Tables;

pub(super) const TABLES: &[&str] = &["CREATE TABLE IF NOT EXISTS service_marks (
        name TEXT NOT NULL PRIMARY KEY,
        value TEXT NOT NULL
    )"];

/// The text with this name.
///
/// # Errors
/// Those of the database.
pub fn get(tables: &mut dyn Tables, name: &str) -> Result<Option<String>> {
    let rows = tables.query(
        "SELECT value FROM service_marks WHERE name = $1",
        &[name.into()],
    )?;
    Ok(rows.first().map(|row| row.text(0).to_owned()))
}

/// Stores a text under a name.
///
/// # Errors
/// Those of the database.
pub fn set(tables: &mut dyn Tables, name: &str, value: &str) -> Result<()> {
    let statement = "INSERT INTO service_marks (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    tables
        .execute(statement, &[name.into(), value.into()])
        .map(drop)
}
