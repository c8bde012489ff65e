//! Counts over all tenants, for the operator.

use uniq::Result;
use uniq::ledger::Tables;

/// Submissions by their state in the ledger.
///
/// # Errors
/// Those of the database.
pub fn states(tables: &mut dyn Tables) -> Result<Vec<(String, u64)>> {
    let statement = "SELECT state, CAST(COUNT(*) AS BIGINT) FROM submissions GROUP BY state";
    Ok(tables
        .query(statement, &[])?
        .iter()
        .map(|row| (row.text(0).to_owned(), row.number(1)))
        .collect())
}
