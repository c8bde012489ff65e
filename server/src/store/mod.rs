//! The tables of the service, beside those of the ledger, and the statements on them.
//!
//! Each part of the service keeps its tables in a file of its own here; all names begin with
//! `service_`. Statements are in words that SQLite and PostgreSQL both understand.

pub mod health;
pub mod jobs;
pub mod keys;
pub mod submissions;

use uniq::Result;
use uniq::ledger::Tables;

/// Makes the tables that are missing.
pub(crate) fn prepare(tables: &mut dyn Tables) -> Result<()> {
    let all = [submissions::TABLES, jobs::TABLES, keys::TABLES];
    for statement in all.into_iter().flatten() {
        tables.execute(statement, &[])?;
    }
    Ok(())
}

/// A new id: a UUID of version 7, so that later ones sort behind.
pub fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}
