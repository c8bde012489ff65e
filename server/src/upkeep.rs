//! Jobs that concern the corpus: sources added and removed, snapshots, and what follows for
//! submissions.

use uniq::ledger::Ledger;
use uniq::{Error, Result};

use crate::app::App;
use crate::store::jobs::Job;

/// Does a job.
pub(crate) fn run(_app: &App, _ledger: &mut Ledger, job: &Job) -> Result<()> {
    Err(Error::LedgerRefused { reason: format!("{}: no such work", job.kind.name()) })
}
