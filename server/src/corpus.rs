//! The index of what is public, opened anew when it has grown.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use uniq::Result;
use uniq::index::Index;

/// A handle on the index.
#[derive(Debug)]
pub struct Corpus {
    dir: PathBuf,
    open: Mutex<Option<(SystemTime, Arc<Index>)>>,
}

impl Corpus {
    /// The index in a folder.
    pub fn new(dir: PathBuf) -> Corpus {
        Corpus { dir, open: Mutex::default() }
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The newest state.
    ///
    /// # Errors
    /// Those of [`Index::open`].
    pub fn current(&self) -> Result<Arc<Index>> {
        let changed = std::fs::metadata(self.dir.join("MANIFEST")).and_then(|data| data.modified());
        let changed = changed.unwrap_or(SystemTime::UNIX_EPOCH);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, index)) = &*open
            && *at == changed
        {
            return Ok(index.clone());
        }
        let index = Arc::new(Index::open(&self.dir)?);
        *open = Some((changed, index.clone()));
        Ok(index)
    }
}
