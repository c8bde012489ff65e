//! The index of public videos, which may grow.
//!
//! Without an index, or with an unexpected one, submissions are not answered but wait.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use uniq::index::{Index, Live};
use uniq::{Error, Result};

/// A handle on the index.
#[derive(Debug)]
pub struct Corpus {
    dir: PathBuf,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// Set once there has been an index.
    live: Option<Arc<Live>>,
    /// When the index was last found missing or unreliable.
    refused: Option<Instant>,
    /// The last message in the log.
    told: Option<String>,
}

impl Corpus {
    /// The index in a folder, which may not exist yet.
    pub fn new(dir: PathBuf) -> Corpus {
        Corpus {
            dir,
            seen: Mutex::default(),
        }
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The newest state.
    ///
    /// # Errors
    /// Those of [`Live::current`].
    pub fn current(&self) -> Result<Arc<Index>> {
        let found = self.live().and_then(|live| live.current());
        self.note(found.as_ref().err());
        found
    }

    /// Accepts the present state of the folder, even if it does not follow the previous one.
    ///
    /// # Errors
    /// Those of [`Live::accept`].
    pub fn accept(&self) -> Result<Arc<Index>> {
        let found = self.live().and_then(|live| live.accept());
        self.note(found.as_ref().err());
        found
    }

    /// Whether a reliable index was there a moment ago. An unreliable one is not opened again for
    /// each call.
    pub fn is_there(&self) -> bool {
        let refused = self.seen().refused;
        refused.is_none_or(|at| at.elapsed() > LOOK_EVERY) && self.current().is_ok()
    }

    fn live(&self) -> Result<Arc<Live>> {
        if let Some(live) = &self.seen().live {
            return Ok(live.clone());
        }
        // Looks every time, so that a new source is searched from the next request on.
        let live = Arc::new(Live::open(&self.dir)?.looking_every(Duration::ZERO));
        Ok(self.seen().live.get_or_insert(live).clone())
    }

    fn note(&self, error: Option<&Error>) {
        let mut seen = self.seen();
        seen.refused = error.map(|_| Instant::now());
        let says = error.map(Error::code);
        if seen.told == says {
            return;
        }
        match error {
            Some(Error::NoIndex { .. }) => {
                tracing::warn!(
                    "there is no index of public videos yet; submissions wait until there is one"
                );
            }
            Some(error) => {
                tracing::error!(error = %crate::problem::chain(error), "submissions wait until there is an index again");
            }
            None => tracing::info!("there is an index to search now"),
        }
        seen.told = says;
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Minimum time between two looks at an unreliable index.
const LOOK_EVERY: Duration = Duration::from_secs(1);
