//! Keeps an index in object storage: S3, a compatible service, or a shared folder.
//!
//! One machine adds to an index in its own folder and [`push`]es each state of it. Any number of
//! others [`open`] the newest state through a local cache, or [`pull`] it into a folder to add to
//! it. No other service is needed.
//!
//! ```text
//! manifests/00000000000000000007           a commit: a line of JSON with its author, the manifest
//! segments/00000001-SHA256.seg             segments and centroids, by number and SHA-256
//! history/00000000000000000006-SHA256      the history, by number of commits and SHA-256
//! ```
//!
//! All objects are written once. A commit is one conditional put ("if there is no such object") of
//! its manifest. Its name is the generation that follows the previous commit in the store. Pushes
//! from the same state use the same name, so one of them wins, and the others get
//! [`Error::StoreConflict`](crate::Error::StoreConflict). The newest commit is the one with the
//! highest name, found by listing.
//!
//! A push must descend from the commit in the store: that commit must be in its history, whose
//! Merkle root each manifest holds. In the same way, what a reader fetches must descend from what
//! it saw before. So everybody who knew the newer state refuses an older one that was put back.
//!
//! Data from the store is used only after its SHA-256 was verified. Missing, cut or changed data is
//! an error, never a smaller index.
//!
//! The functions block, even inside an asynchronous runtime; call them on a thread that may wait.
//! Interrupted transfers continue: files that are already there are not transferred again, and a
//! download continues within a file.
//!
//! ```no_run
//! use std::path::Path;
//!
//! use uniq::remote::{Author, Cache, OpenOptions, PushOptions, Store, Watch, open, push};
//!
//! # fn main() -> uniq::Result<()> {
//! // The variables of the environment from which the credentials are taken.
//! let store = Store::open("s3://bucket/index", std::env::vars())?;
//! let author = Author { host: "builder".to_owned(), process: std::process::id(), at: None };
//! push(&store, Path::new("index-data"), &PushOptions { author, prune: None }, Watch::none())?;
//!
//! let cache = Cache::new("/var/cache/uniq", 200 << 30);
//! let snapshot = open(&store, &cache, OpenOptions::default(), Watch::none())?;
//! let index = snapshot.index()?;
//! # let _ = index; Ok(())
//! # }
//! ```

mod cache;
mod evict;
mod layout;
mod prune;
mod pull;
mod push;
mod snapshot;
mod store;
mod transfer;

use std::fmt;

pub use cache::Cache;
pub use prune::Prune;
pub use pull::{Pulled, pull};
pub use push::{Author, PushOptions, Pushed, push};
pub use snapshot::{OpenOptions, Snapshot, open};
pub use store::{Store, is_address};

/// Stage of a transfer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Stage {
    /// Files are sent to the store.
    Sending,
    /// Files are fetched from the store.
    Receiving,
    /// Files are compared with their SHA-256.
    Verifying,
}

/// Progress of a transfer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// The current stage.
    pub stage: Stage,
    /// Number of bytes done.
    pub done: u64,
    /// Total number of bytes.
    pub of: u64,
}

/// Callbacks of a transfer; several threads call them.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Called ten times a second. Once it returns true, the transfer soon stops with
    /// [`Error::Cancelled`](crate::Error::Cancelled).
    pub cancel: &'a (dyn Fn() -> bool + Sync),
    /// Called with the progress.
    pub progress: Option<&'a (dyn Fn(Progress) + Sync)>,
}

impl Watch<'static> {
    /// No progress and no cancellation.
    pub fn none() -> Watch<'static> {
        Watch {
            cancel: &|| false,
            progress: None,
        }
    }
}

impl fmt::Debug for Watch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("progress", &self.progress.is_some())
            .finish_non_exhaustive()
    }
}
