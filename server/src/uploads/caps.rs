//! How much may be uploaded at a time: so many bytes and files, as long as answers keep up and
//! there is room on the disk for all that was announced.

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

/// What this process knows of uploads.
#[derive(Debug)]
pub struct Uploads {
    /// Requests whose bodies are being received as files.
    whole: Mutex<HashMap<u64, Held>>,
    next: AtomicU64,
    /// How many requests look at files and the database at a time.
    turns: Semaphore,
    stop: watch::Sender<bool>,
}

#[derive(Debug)]
struct Held {
    tenant: String,
    /// Bytes that were announced and have not come.
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
    /// Ends what is being received: what came is kept.
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

    /// Does something for a request on a thread where it may block.
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

    /// How many files a tenant is sending whole, what all tenants have announced, and what of that
    /// is the tenant's.
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

/// Leave to receive a file whole; it ends when dropped.
#[derive(Debug)]
pub(crate) struct Ticket {
    app: App,
    number: u64,
    /// Bytes that were announced and have not come.
    missing: Arc<AtomicU64>,
    /// What has to stay free on the disk.
    floor: u64,
}

impl Ticket {
    /// Leave for a tenant to send a file, of this length if it is known. Blocks.
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
        // First the ticket, so that of two at once both are counted.
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
            // What was promised to others is not to be taken by a file that promises nothing.
            ticket.floor = ticket.floor.saturating_add(counted.missing);
        }
        Ok(ticket)
    }
}

impl Ticket {
    /// Where the bytes go.
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

/// What is under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    queue: u64,
    of_tenant: u64,
    missing: u64,
    missing_of_tenant: u64,
    free: u64,
}

impl Counted {
    /// Counts, within a transaction.
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

    /// Fails unless `more` files that are not counted yet may come with so many bytes together;
    /// what is counted has to be within the limits, too.
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
        // What one tenant announces leaves room for the others.
        let own = self.missing_of_tenant.saturating_add(more_bytes);
        if own > self.free.saturating_sub(config.min_free_bytes) / TENANT_SHARE {
            return Err(no_room());
        }
        Ok(())
    }
}

/// The folder of what is being uploaded.
pub(crate) fn folder(app: &App) -> std::path::PathBuf {
    app.config.data.join("uploads")
}

/// Free bytes on the disk of a folder, for others than root.
pub(super) fn free(folder: &Path) -> Result<u64> {
    let stat = rustix::fs::statvfs(folder);
    let stat = stat.map_err(|error| Error::Io {
        path: folder.to_owned(),
        doing: "look at",
        source: error.into(),
    })?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// An unfinished upload that changed before has expired.
pub(super) fn oldest_ms(app: &App) -> u64 {
    now_ms().saturating_sub(expire_ms(app))
}

/// After how many milliseconds an upload expires.
pub(crate) fn expire_ms(app: &App) -> u64 {
    app.config
        .uploads
        .expire_hours
        .saturating_mul(60 * 60 * 1000)
}

/// There is no room on the disk.
pub(crate) fn no_room() -> Problem {
    let title = "The service has no room";
    let detail = "the disk has no room for the file; try again later";
    Problem::new(StatusCode::INSUFFICIENT_STORAGE, "no_room", title, detail).after(ROOM_WAIT_S)
}

/// Requests that look at files and the database at a time; others wait. Each has a connection to
/// the database of its own.
const TURNS: usize = 16;

/// One tenant's unfinished uploads may have announced the free space divided by this.
const TENANT_SHARE: u64 = 2;

/// When to look again whether the queue is shorter, in seconds: a check takes about as long.
const QUEUE_WAIT_S: u64 = 30;

/// When to look again whether there is room, in seconds.
const ROOM_WAIT_S: u64 = 60;
