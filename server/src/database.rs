//! Connections to the database, which holds the ledger and the tables of the service.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::Semaphore;
use uniq::Result;
use uniq::ledger::{Books, Ledger, Mode, Observer, Place, Tables};

use crate::app::blocking;
use crate::problem::Problem;

/// The database; clones share its connections.
#[derive(Clone)]
pub struct Database(Arc<Shared>);

struct Shared {
    place: Place,
    submissions: PathBuf,
    observer: Arc<dyn Observer>,
    idle: Mutex<Vec<Ledger>>,
    /// Limits the requests that use the database at a time.
    requests: Semaphore,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database")
            .field("place", &self.0.place.shown())
            .finish_non_exhaustive()
    }
}

impl Database {
    /// Opens or creates the database and the tables of the service. `observer` sees each row of the
    /// ledger's chain.
    ///
    /// # Errors
    /// Those of [`Ledger::open`].
    pub fn open(
        place: Place,
        submissions: PathBuf,
        observer: Arc<dyn Observer>,
    ) -> Result<Database> {
        let shared = Shared {
            place,
            submissions,
            observer,
            idle: Mutex::new(Vec::new()),
            requests: Semaphore::new(REQUESTS),
        };
        let database = Database(Arc::new(shared));
        let mut ledger = database.connect(true)?;
        ledger.transaction(Mode::Write, crate::store::prepare)?;
        database.give_back(ledger);
        Ok(database)
    }

    /// The ledger and what belongs to it.
    pub fn books(&self) -> Books<'_> {
        Books {
            ledger: &self.0.place,
            submissions: &self.0.submissions,
            clock: SystemTime::now,
            patience: PATIENCE,
        }
    }

    /// A new connection for the caller alone.
    ///
    /// # Errors
    /// Those of [`Ledger::open`].
    pub fn connect(&self, create: bool) -> Result<Ledger> {
        let mut ledger = self.books().open(create)?;
        ledger.observe(self.0.observer.clone());
        Ok(ledger)
    }

    /// The observer of the ledger's chain.
    pub fn observer(&self) -> Arc<dyn Observer> {
        self.0.observer.clone()
    }

    /// Calls `work` with a connection, on this thread.
    ///
    /// # Errors
    /// Those of `work`, and of [`Ledger::open`].
    pub fn with<T, E: From<uniq::Error>>(
        &self,
        work: impl FnOnce(&mut Ledger) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        let idle = self
            .0
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let mut ledger = match idle {
            Some(ledger) => ledger,
            None => self.connect(false)?,
        };
        let done = work(&mut ledger);
        // After an error the connection may be broken, so it is not reused.
        if done.is_ok() {
            self.give_back(ledger);
        }
        done
    }

    /// Runs a request's work with a connection, on a thread that may block.
    ///
    /// # Errors
    /// Those of `work`, and of the database.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Ledger) -> std::result::Result<T, Problem> + Send + 'static,
    ) -> std::result::Result<T, Problem> {
        let _permit = self.0.requests.acquire().await;
        let database = self.clone();
        blocking(move || database.with(work)).await
    }

    /// Runs a reading transaction for a request.
    ///
    /// # Errors
    /// Those of `work`, and of the database.
    pub async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut dyn Tables) -> Result<T> + Send + 'static,
    ) -> std::result::Result<T, Problem> {
        self.run(|ledger| Ok(ledger.transaction(Mode::Read, work)?))
            .await
    }

    /// Runs a writing transaction for a request.
    ///
    /// # Errors
    /// Those of `work`, and of the database.
    pub async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut dyn Tables) -> Result<T> + Send + 'static,
    ) -> std::result::Result<T, Problem> {
        self.run(|ledger| Ok(ledger.transaction(Mode::Write, work)?))
            .await
    }

    fn give_back(&self, ledger: Ledger) {
        let mut idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < REQUESTS {
            idle.push(ledger);
        }
    }
}

/// The time in milliseconds since 1970.
pub fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as u64)
}

/// A time in milliseconds since 1970 in RFC 3339, UTC.
pub fn moment(ms: u64) -> String {
    jiff::Timestamp::from_millisecond(ms as i64)
        .map_or_else(|_| String::new(), |at| format!("{at:.3}"))
}

/// Maximum number of requests that use the database at a time; others wait.
const REQUESTS: usize = 16;

/// How long to wait for another writer.
const PATIENCE: Duration = Duration::from_secs(10);
