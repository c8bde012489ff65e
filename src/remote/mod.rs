//! Keeps an index in object storage: S3, what speaks like it, or a folder that machines share.
//!
//! One machine adds to an index in a folder of its own and [`push`]es each state of it; any number
//! of others [`open`] the newest state by a local cache, or [`pull`] it into a folder in order to
//! go on with it. Nothing runs in between but the store.
//!
//! ```text
//! manifests/00000000000000000007           a commit: a line of JSON that says who made it, and the manifest
//! segments/00000001-SHA256.seg             segments and centroids, by number and SHA-256
//! history/00000000000000000006-SHA256      the history, by number of commits and SHA-256
//! ```
//!
//! All objects are written once. A commit is one conditional put ("if there is no such object") of
//! its manifest, under the generation that follows the commit before it in the store. Whoever
//! pushes from the same state asks for the same name, so that one of them wins, and the others get
//! [`Error::StoreConflict`](crate::Error::StoreConflict). The newest commit is the one with the
//! highest name, found by listing.
//!
//! A push must descend from what is there: the history, whose Merkle root each manifest holds, has
//! the commit in the store. The same is asked of what a reader sees after what it has seen. So an
//! older state that was put back is refused by all that knew the newer one.
//!
//! What comes from the store is believed only after its SHA-256 was compared. What is missing, cut
//! or changed there is an error, never a smaller index.
//!
//! The functions block, also where an asynchronous runtime is running; call them on a thread that
//! may wait. Transfers that were broken off go on where they were: files that are there already are
//! not carried again, and of a download not even the part of a file that had come.
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

/// What is being done with the bytes of an index.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Stage {
    /// They are put into the store.
    Sending,
    /// They come from the store.
    Receiving,
    /// They are compared with their SHA-256.
    Verifying,
}

/// How far a transfer has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// What is being done.
    pub stage: Stage,
    /// Bytes that are done with.
    pub done: u64,
    /// Bytes in all.
    pub of: u64,
}

/// How a caller takes part in a transfer; both are called from several threads.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Asked ten times a second; the transfer stops with
    /// [`Error::Cancelled`](crate::Error::Cancelled) soon after it says so.
    pub cancel: &'a (dyn Fn() -> bool + Sync),
    /// Told how far it has come.
    pub progress: Option<&'a (dyn Fn(Progress) + Sync)>,
}

impl Watch<'static> {
    /// Nobody watches, and nobody stops it.
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
