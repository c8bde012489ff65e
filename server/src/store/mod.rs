//! The tables of the service, beside those of the ledger, and their statements.
//!
//! Each part of the service has a file for its tables here; all names begin with `service_`.
//! Statements use SQL that SQLite and PostgreSQL both understand.

pub mod health;
pub mod idempotency;
pub mod jobs;
pub mod keys;
pub mod marks;
pub mod queue;
pub mod reviews;
pub mod sessions;
pub mod submissions;
pub mod uploads;
pub mod webhooks;

use uniq::Result;
use uniq::ledger::Tables;

/// Creates missing tables.
pub(crate) fn prepare(tables: &mut dyn Tables) -> Result<()> {
    let all = [
        submissions::TABLES,
        jobs::TABLES,
        keys::TABLES,
        uploads::TABLES,
        idempotency::TABLES,
        webhooks::TABLES,
        marks::TABLES,
        reviews::TABLES,
        sessions::TABLES,
        queue::TABLES,
    ];
    for statement in all.into_iter().flatten() {
        tables.execute(statement, &[])?;
    }
    Ok(())
}

/// A new id: a UUID of version 7, so that later ids sort after earlier ones.
pub fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}
