//! Repairs the leftovers of crashes, and removes expired uploads.

use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use uniq::ledger::Mode;

use super::caps;
use super::storage::{self, Found};
use crate::app::App;
use crate::database::now_ms;
use crate::problem::Problem;
use crate::store::idempotency;
use crate::store::uploads::{self, Upload};
use crate::worker::pause;

/// Does this repeatedly until the service stops. Blocks.
pub(crate) fn run(app: &App) {
    while !app.stopping.load(Ordering::Relaxed) {
        if let Err(problem) = tidy(app) {
            tracing::warn!(detail = problem.detail, "uploads cannot be tidied");
        }
        pause(app, EVERY);
    }
}

fn tidy(app: &App) -> Result<(), Problem> {
    let mut after = String::new();
    loop {
        let page = app.database.with(|ledger| {
            ledger.transaction(Mode::Read, |tables| uploads::after(tables, &after))
        })?;
        let Some(last) = page.last() else { break };
        after.clone_from(&last.id);
        for upload in &page {
            if app.stopping.load(Ordering::Relaxed) {
                return Ok(());
            }
            // A failure of one does not affect the others.
            if let Err(problem) = one(app, upload) {
                tracing::warn!(
                    upload = upload.id,
                    status = problem.status,
                    "an upload cannot be tidied"
                );
            }
        }
    }
    strays(app)?;
    app.database.with(|ledger| {
        ledger.transaction(Mode::Write, |tables| idempotency::expire(tables, now_ms()))
    })?;
    Ok(())
}

fn one(app: &App, upload: &Upload) -> Result<(), Problem> {
    let is_expired = upload.changed_ms < caps::oldest_ms(app);
    if upload.is_ended() {
        copies(app, upload)?;
        if is_expired {
            forget(app, &upload.id)?;
        }
        return Ok(());
    }
    match storage::open(app, &upload.tenant, &upload.id) {
        Ok(Found::Open(opened)) if opened.offset >= opened.upload.length => {
            let accepted = opened.complete(app)?;
            tracing::info!(
                upload = accepted.id,
                "a complete upload became a submission"
            );
            Ok(())
        }
        Ok(_) => Ok(()),
        Err(problem) if problem.status == 410 => {
            storage::remove_file(&caps::folder(app).join(&upload.id))?;
            forget(app, &upload.id)
        }
        // Another request is writing it or has just ended it.
        Err(problem) if problem.status < 500 => Ok(()),
        Err(problem) => Err(problem),
    }
}

/// Removes the second copy of bytes that were submitted before, if it still exists.
fn copies(app: &App, upload: &Upload) -> Result<(), Problem> {
    let is_copy = upload
        .submission
        .as_deref()
        .is_some_and(|first| first != upload.id && app.clip(first).exists());
    if is_copy {
        storage::remove_file(&app.clip(&upload.id))
    } else {
        Ok(())
    }
}

fn forget(app: &App, id: &str) -> Result<(), Problem> {
    app.database
        .with(|ledger| ledger.transaction(Mode::Write, |tables| uploads::remove(tables, id)))?;
    Ok(())
}

/// Removes unknown files, which an ended process has left.
fn strays(app: &App) -> Result<(), Problem> {
    let folder = caps::folder(app);
    let failed = |source| {
        Problem::from(uniq::Error::Io {
            path: folder.clone(),
            doing: "read",
            source,
        })
    };
    for entry in std::fs::read_dir(&folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let age = entry
            .metadata()
            .and_then(|data| data.modified())
            .map(|at| SystemTime::now().duration_since(at));
        if !matches!(age, Ok(Ok(age)) if age > STRAY) {
            continue;
        }
        let is_known = app.database.with(|ledger| {
            ledger.transaction(Mode::Read, |tables| uploads::is_there(tables, &name))
        })?;
        let Ok(file) = std::fs::File::open(entry.path()) else {
            continue;
        };
        // Its writer would have locked it.
        if !is_known && file.try_lock().is_ok() {
            storage::remove_file(&entry.path())?;
        }
    }
    Ok(())
}

/// Time between two looks.
const EVERY: Duration = Duration::from_secs(30);

/// Age from which an unknown file is removed. One that is just being created is younger.
const STRAY: Duration = Duration::from_secs(10 * 60);
