//! Limits of uploads: bytes and files at a time, while answers keep up and the disk has room for
//! everything announced.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::StatusCode;
use tokio::sync::{Semaphore, watch};
use uniq::ledger::Tables;
use uniq::{Error, Result};

use super::receive::Sink;
use crate::app::{self, App};
use crate::database::now_ms;
use crate::problem::Problem;
use crate::store::jobs::{self, Kind};
use crate::store::uploads;

/// This process's knowledge of uploads.
#[derive(Debug)]
pub struct Uploads {
    /// Requests whose bodies are being received as whole files.
    whole: Mutex<HashMap<u64, Held>>,
    next: AtomicU64,
    /// Limits the requests that use files and the database at a time.
    turns: Semaphore,
    stop: watch::Sender<bool>,
}

#[derive(Debug)]
struct Held {
    tenant: String,
    /// Bytes that were announced and have not arrived.
    missing: Arc<AtomicU64>,
}

impl Default for Uploads {
    fn default() -> Uploads {
        Uploads {
            whole: Mutex::default(),
            next: AtomicU64::new(0),
            turns: Semaphore::new(TURNS),
            stop: watch::channel(false).0,
        }
    }
}

impl Uploads {
    /// Ends uploads in progress, and keeps what has arrived.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits until the service stops.
    pub(super) async fn stopped(&self) {
        let _ = self
            .stop
            .subscribe()
            .wait_for(|is_stopping| *is_stopping)
            .await;
    }

    /// Runs a request's work on a thread that may block.
    ///
    /// # Errors
    /// Those of `work`, and 500 if it panics.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> std::result::Result<T, Problem> + Send + 'static,
    ) -> std::result::Result<T, Problem> {
        let _turn = self.turns.acquire().await;
        app::blocking(work).await
    }

    /// The number of whole files that a tenant is sending, the missing bytes of all tenants, and
    /// those of this tenant.
    fn held(&self, tenant: &str) -> (u64, u64, u64) {
        let whole = self.whole.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = |held: &Held| held.missing.load(Ordering::Relaxed);
        let own = || whole.values().filter(|held| held.tenant == tenant);
        (
            own().count() as u64,
            whole.values().map(missing).sum(),
            own().map(missing).sum(),
        )
    }
}

/// Permission to receive a whole file, until dropped.
#[derive(Debug)]
pub(crate) struct Ticket {
    app: App,
    number: u64,
    /// Bytes that were announced and have not arrived.
    missing: Arc<AtomicU64>,
    /// Bytes that must stay free on the disk.
    floor: u64,
}

impl Ticket {
    /// Permission for a tenant to send a file of this length, if known. Blocks.
    ///
    /// # Errors
    /// 413, 429, 503 and 507.
    pub(crate) fn of(
        app: &App,
        tenant: &str,
        length: Option<u64>,
    ) -> std::result::Result<Ticket, Problem> {
        let most = app.config.uploads.max_bytes;
        if length.is_some_and(|length| length > most) {
            return Err(super::protocol::too_large(most));
        }
        let missing = Arc::new(AtomicU64::new(length.unwrap_or(0)));
        let number = app.uploads.next.fetch_add(1, Ordering::Relaxed);
        let held = Held {
            tenant: tenant.to_owned(),
            missing: missing.clone(),
        };
        // The ticket first, so that two simultaneous requests both count.
        app.uploads
            .whole
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(number, held);
        let mut ticket = Ticket {
            app: app.clone(),
            number,
            missing,
            floor: app.config.uploads.min_free_bytes,
        };
        let counted = app.database.with(|ledger| {
            ledger.transaction(uniq::ledger::Mode::Read, |tables| {
                Counted::of(app, tables, tenant)
            })
        })?;
        counted.admit(app, 0)?;
        if length.is_none() {
            // A file of unknown length must not take the room that was promised to others.
            ticket.floor = ticket.floor.saturating_add(counted.missing);
        }
        Ok(ticket)
    }
}

impl Ticket {
    /// The target of the bytes.
    pub(crate) fn sink(&self, file: std::fs::File) -> Sink {
        let (missing, floor) = (Some(self.missing.clone()), self.floor);
        Sink {
            file,
            verifier: None,
            missing,
            floor,
            folder: folder(&self.app),
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.app
            .uploads
            .whole
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.number);
    }
}

/// Totals of uploads in progress.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    queue: u64,
    of_tenant: u64,
    missing: u64,
    missing_of_tenant: u64,
    free: u64,
}

impl Counted {
    /// Counts within a transaction.
    pub(super) fn of(app: &App, tables: &mut dyn Tables, tenant: &str) -> Result<Counted> {
        let totals = uploads::totals(tables, tenant, oldest_ms(app))?;
        let (count, missing, own) = app.uploads.held(tenant);
        Ok(Counted {
            queue: jobs::open(tables, Kind::Check)?,
            of_tenant: totals.of_tenant + count,
            missing: totals.missing.saturating_add(missing),
            missing_of_tenant: totals.missing_of_tenant.saturating_add(own),
            free: free(&folder(app))?,
        })
    }

    /// Fails unless the counted uploads stay within the limits with `more_bytes` more bytes.
    pub(super) fn admit(self, app: &App, more_bytes: u64) -> std::result::Result<(), Problem> {
        let config = &app.config.uploads;
        if self.queue >= config.max_queue {
            let detail = "too many submissions are waiting for answers; try again later";
            return Err(Problem::unavailable(detail, QUEUE_WAIT_S));
        }
        let is_new = u64::from(more_bytes > 0);
        if self.of_tenant + is_new > config.max_open {
            let detail = format!(
                "{} uploads are unfinished, the maximum; finish or delete some",
                config.max_open
            );
            return Err(Problem::too_many(detail, ROOM_WAIT_S));
        }
        let needed = config
            .min_free_bytes
            .saturating_add(self.missing)
            .saturating_add(more_bytes);
        if self.free < needed {
            return Err(no_room());
        }
        // One tenant's announcements must leave room for others.
        let own = self.missing_of_tenant.saturating_add(more_bytes);
        if own > self.free.saturating_sub(config.min_free_bytes) / TENANT_SHARE {
            return Err(no_room());
        }
        Ok(())
    }
}

/// The folder of uploads in progress.
pub(crate) fn folder(app: &App) -> std::path::PathBuf {
    app.config.data.join("uploads")
}

/// Bytes on the disk of a folder that are free for users other than root.
pub(super) fn free(folder: &Path) -> Result<u64> {
    let stat = rustix::fs::statvfs(folder);
    let stat = stat.map_err(|error| Error::Io {
        path: folder.to_owned(),
        doing: "look at",
        source: error.into(),
    })?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Unfinished uploads that last changed before this have expired.
pub(super) fn oldest_ms(app: &App) -> u64 {
    now_ms().saturating_sub(expire_ms(app))
}

/// Time after which an upload expires, in milliseconds.
pub(crate) fn expire_ms(app: &App) -> u64 {
    app.config
        .uploads
        .expire_hours
        .saturating_mul(60 * 60 * 1000)
}

/// The disk is full.
pub(crate) fn no_room() -> Problem {
    let title = "The service has no room";
    let detail = "the disk has no room for the file; try again later";
    Problem::new(StatusCode::INSUFFICIENT_STORAGE, "no_room", title, detail).after(ROOM_WAIT_S)
}

/// Maximum number of requests that use files and the database at a time; others wait. Each has its
/// own connection to the database.
const TURNS: usize = 16;

/// The unfinished uploads of one tenant may announce the free space divided by this.
const TENANT_SHARE: u64 = 2;

/// Seconds until the client should try again if the queue is full; a check takes about this long.
const QUEUE_WAIT_S: u64 = 30;

/// Seconds until the client should try again if the disk is full.
const ROOM_WAIT_S: u64 = 60;
