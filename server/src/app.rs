//! Shared state of the service.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::SystemTime;

use tokio::sync::broadcast;
use uniq::ledger::{Intake, Ledger, Notice, Slots, Submission};
use uniq::rates::RateCard;
use uniq::scatter::Shards;
use uniq::{CheckOptions, Decoding};

use crate::api::stream::Streams;
use crate::config::Config;
use crate::corpus::Corpus;
use crate::database::Database;
use crate::idempotency::Secrets;
use crate::limits::Limits;
use crate::oidc::Oidc;
use crate::problem::Problem;
use crate::ray::Ray;
use crate::uploads::Uploads;

/// The service; clones share its state.
#[derive(Clone, Debug)]
pub struct App(Arc<Parts>);

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// Its parts.
pub struct Parts {
    /// The settings.
    pub config: Config,
    /// The database.
    pub database: Database,
    /// The index of public videos.
    pub corpus: Corpus,
    /// The cluster that searches the index; `None` for this process.
    pub ray: Option<Arc<Ray>>,
    /// How and where clips are decoded, with which limits.
    pub decoding: Decoding,
    /// Limit of clips that are decoded at a time.
    pub slots: Slots,
    /// The rate card.
    pub card: Option<RateCard>,
    /// Signer of certificates.
    pub signer: Option<Box<dyn uniq::certificate::Signer + Send + Sync>>,
    /// Log-in of reviewers by a provider.
    pub oidc: Option<Oidc>,
    /// Request limits of keys.
    pub limits: Limits,
    /// Uploads in progress.
    pub uploads: Uploads,
    /// Answers that are kept only in memory.
    pub answers: Secrets,
    /// Set when the service stops; then work is released.
    pub stopping: Arc<AtomicBool>,
    /// Wakes followers of events.
    pub changed: broadcast::Sender<()>,
    /// Followers of events by key.
    pub streams: Streams,
    /// Names this service over restarts.
    pub instance: String,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App")
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}

impl App {
    /// The service of these parts.
    pub fn new(parts: Parts) -> App {
        App(Arc::new(parts))
    }

    /// The clip of a submission.
    pub fn clip(&self, id: &str) -> PathBuf {
        self.config.clips().join(id)
    }

    /// The clip that will confirm the fingerprint of a submission.
    pub fn confirming(&self, id: &str) -> PathBuf {
        self.config.clips().join(format!("{id}.clip"))
    }

    /// Calls `work` with the ledger's intake.
    ///
    /// # Errors
    /// Those of `work`, and of opening the index.
    pub fn with_intake<T>(
        &self,
        ledger: &mut Ledger,
        work: impl FnOnce(&Intake<'_>, &mut Ledger) -> uniq::Result<T>,
    ) -> uniq::Result<T> {
        let index = self.corpus.current()?;
        let options = CheckOptions {
            cancel: Some(&self.stopping),
            now: Some(SystemTime::now()),
            ..CheckOptions::new(&self.decoding)
        };
        let intake = Intake {
            books: self.database.books(),
            index: &index,
            shards: self.ray.as_deref().map(|ray| ray as &dyn Shards),
            options: &options,
            lease: LEASE,
            notice: &|notice: Notice<'_>| {
                if let Notice::Lapsed(of, why) = notice {
                    tracing::warn!(number = of.number, why, "a submission has lapsed");
                }
            },
            // Clips in this folder have a job, which assigns them.
            takes_over: &|of: &Submission| {
                !std::path::Path::new(&of.path).starts_with(self.clips_folder())
            },
            slots: Some(&self.slots),
        };
        work(&intake, ledger)
    }

    /// Whether clips can be checked now: there is an index, and something to search it.
    pub fn can_check(&self) -> bool {
        self.corpus.is_there() && self.ray.as_deref().is_none_or(Ray::is_up)
    }

    /// The folder of clips as the ledger names it.
    fn clips_folder(&self) -> PathBuf {
        std::path::absolute(self.config.clips()).unwrap_or_else(|_| self.config.clips())
    }
}

/// Runs a request's work on a thread that may block.
///
/// # Errors
/// Those of `work`, and 500 if it panics.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_| Err(Problem::internal()))
}

/// Duration of a worker's lease unless it is renewed.
pub const LEASE: std::time::Duration = std::time::Duration::from_secs(30);
