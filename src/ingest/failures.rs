//! Records which sources failed, so that only new failures need attention.
//!
//! The notes are next to the index, in `notes/failures.jsonl`: one line per file, with its size and
//! time. A failed source is tried again each time, since the reason may be gone. Its failure is
//! known while the file is unchanged.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::media::open_regular;
use crate::{Error, Result};

/// The failures of earlier builds.
#[derive(Debug, Default)]
pub(super) struct Failures {
    by_path: BTreeMap<String, Failure>,
}

/// A line of the notes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Failure {
    path: String,
    bytes: u64,
    /// Time of the last change, in milliseconds since 1970.
    modified_ms: i64,
}

impl Failures {
    /// Reads the notes. Failures in damaged lines are forgotten, and so reported as new.
    pub(super) fn load(dir: &Path) -> Failures {
        let mut failures = Failures::default();
        let mut text = Vec::new();
        let Ok(file) = open_regular(&path(dir), fs::OpenOptions::new().read(true)) else {
            return failures;
        };
        if file.take(NOTES_MAX).read_to_end(&mut text).is_err() {
            return failures;
        }
        for line in text.split(|byte| *byte == b'\n') {
            if let Ok(failure) = serde_json::from_slice::<Failure>(line) {
                failures.by_path.insert(failure.path.clone(), failure);
            }
        }
        failures
    }

    /// Records that a source failed. Returns whether the unchanged file failed before.
    pub(super) fn failed(&mut self, source: &Path) -> bool {
        let Some(failure) = Failure::of(source) else {
            return false;
        };
        let before = self.by_path.insert(failure.path.clone(), failure.clone());
        before == Some(failure)
    }

    /// Records that a source did not fail.
    pub(super) fn worked(&mut self, source: &Path) {
        self.by_path.remove(&name(source));
    }

    /// Replaces the notes, as a whole or not at all.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]; failures that were not recorded are reported as new again.
    pub(super) fn save(&self, dir: &Path) -> Result<()> {
        let path = path(dir);
        if self.by_path.is_empty() && !path.exists() {
            return Ok(());
        }
        let Some(folder) = path.parent() else {
            return Ok(());
        };
        let write = || -> std::io::Result<()> {
            fs::create_dir_all(folder)?;
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            for failure in self
                .by_path
                .values()
                .filter(|failure| fs::symlink_metadata(&failure.path).is_ok())
            {
                writeln!(file, "{}", serde_json::to_string(failure)?)?;
            }
            file.persist(&path)?;
            Ok(())
        };
        write().map_err(Error::io(&path, "write"))
    }
}

impl Failure {
    fn of(source: &Path) -> Option<Failure> {
        let meta = fs::metadata(source).ok()?;
        let modified_ms = match meta.modified().ok()?.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).ok()?,
            Err(before) => -i64::try_from(before.duration().as_millis()).ok()?,
        };
        Some(Failure {
            path: name(source),
            bytes: meta.len(),
            modified_ms,
        })
    }
}

/// The absolute path, which is the same from any working directory.
fn name(source: &Path) -> String {
    std::path::absolute(source)
        .unwrap_or_else(|_| source.to_owned())
        .to_string_lossy()
        .into_owned()
}

fn path(dir: &Path) -> PathBuf {
    dir.join("notes").join("failures.jsonl")
}

/// Maximum number of bytes read from the notes: some hundred thousand files.
const NOTES_MAX: u64 = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_known_until_its_file_changes_or_works() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.mp4");
        fs::write(&file, "no video").unwrap();
        let again = |dir: &Path| {
            let mut failures = Failures::load(dir);
            let known = failures.failed(&file);
            failures.save(dir).unwrap();
            known
        };
        assert_eq!((again(dir.path()), again(dir.path())), (false, true));
        fs::write(&file, "still no video").unwrap();
        assert_eq!((again(dir.path()), again(dir.path())), (false, true));
        let mut failures = Failures::load(dir.path());
        failures.worked(&file);
        failures.save(dir.path()).unwrap();
        assert!(!again(dir.path()));
        fs::write(path(dir.path()), b"\xff{").unwrap();
        assert_eq!((again(dir.path()), again(dir.path())), (false, true));
    }

    #[test]
    fn notes_that_cannot_be_written_are_told() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("notes"), "no folder").unwrap();
        let mut failures = Failures::load(dir.path());
        assert!(!failures.failed(&dir.path().join("notes")));
        assert!(
            failures
                .save(dir.path())
                .unwrap_err()
                .to_string()
                .contains("failures.jsonl")
        );
    }
}
