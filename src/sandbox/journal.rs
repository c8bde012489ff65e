//! Remembers files that killed their decoding process, so that a file that did so twice is not
//! tried a third time.
//!
//! It is a file of JSON lines. Whole lines are appended under a lock and synced. So a crash leaves
//! at worst a torn last line, which is ignored. Files are identified by their SHA-256, so renaming
//! or moving one does not help, and `check` and `index build` share a journal. A file that is
//! decoded to its end after all is free again.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::steering::json_line;
use crate::media::{Links, hex, open_plain, open_regular};
use crate::{Error, Result};

/// What to do with a file that killed its decoding process too often.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Quarantine {
    /// Refuse it.
    #[default]
    Keep,
    /// Try it again, and free it if it is decoded to its end.
    Retry,
}

/// A journal of files that killed their decoding process. Any number of threads and processes may
/// share one.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    quarantine: Quarantine,
    clock: fn() -> SystemTime,
    known: Mutex<HashMap<String, Record>>,
}

/// The record of a file.
#[derive(Debug, Clone, Default)]
struct Record {
    deaths: u32,
    how: String,
}

/// A line of the journal.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    /// Seconds since 1970.
    unix_s: u64,
    event: Event,
    sha256: String,
    path: String,
    #[serde(default)]
    how: String,
    #[serde(default)]
    reached_s: f64,
    uniq: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Event {
    /// The file killed its decoding process.
    Died,
    /// It was decoded to its end after all.
    Survived,
}

impl Journal {
    /// Reads a journal, which need not exist yet; `clock` gives the dates of new entries.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if it exists and cannot be read, [`Error::NotMedia`] and [`Error::Link`] if it
    /// is not a regular file.
    pub fn open(path: &Path, quarantine: Quarantine, clock: fn() -> SystemTime) -> Result<Journal> {
        let journal = Journal {
            path: path.to_owned(),
            quarantine,
            clock,
            known: Mutex::default(),
        };
        if path.symlink_metadata().is_ok() {
            let mut text = BufReader::new(open_plain(path, Links::Follow)?);
            let mut line = Vec::new();
            while text
                .by_ref()
                .take(LINE_MAX)
                .read_until(b'\n', &mut line)
                .map_err(Error::io(path, "read"))?
                > 0
            {
                // A crash leaves a torn line.
                if let Ok(line) = serde_json::from_str::<Line>(&String::from_utf8_lossy(&line)) {
                    journal.note(&line);
                }
                line.clear();
            }
        }
        Ok(journal)
    }

    /// Returns an error for a file that is quarantined.
    ///
    /// # Errors
    ///
    /// [`Error::Quarantined`].
    pub fn admit(&self, path: &Path, sha256: &[u8; 32]) -> Result<()> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get(&hex(sha256)) {
            Some(record) if record.deaths >= DEATHS_MAX && self.quarantine == Quarantine::Keep => {
                Err(Error::Quarantined {
                    path: path.to_owned(),
                    deaths: record.deaths,
                    how: record.how.clone(),
                })
            }
            _ => Ok(()),
        }
    }

    /// Records the outcome of a file: it killed its process, or it was decoded after an earlier
    /// death. This journal remembers the outcome even if it cannot be written.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the journal cannot be written.
    pub(super) fn record<T>(
        &self,
        path: &Path,
        sha256: &[u8; 32],
        outcome: &Result<T>,
    ) -> Result<()> {
        let sha256 = hex(sha256);
        let (event, how, reached_s) = match outcome {
            Err(Error::WorkerDied { how, reached, .. }) => {
                (Event::Died, how.clone(), reached.as_secs_f64())
            }
            Ok(_) if self.knows(&sha256) => (Event::Survived, String::new(), 0.0),
            _ => return Ok(()),
        };
        let unix_s = (self.clock)()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let path = path.to_string_lossy().into_owned();
        let line = Line {
            unix_s,
            event,
            sha256,
            path,
            how,
            reached_s,
            uniq: env!("CARGO_PKG_VERSION").to_owned(),
        };
        self.note(&line);
        self.append(&line).map_err(Error::io(&self.path, "write"))
    }

    fn knows(&self, sha256: &str) -> bool {
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains_key(sha256)
    }

    fn note(&self, line: &Line) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match line.event {
            Event::Died => {
                let record = known.entry(line.sha256.clone()).or_default();
                record.deaths = record.deaths.saturating_add(1);
                record.how.clone_from(&line.how);
            }
            Event::Survived => {
                known.remove(&line.sha256);
            }
        }
    }

    fn append(&self, line: &Line) -> std::io::Result<()> {
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut file = open_regular(
            &self.path,
            OpenOptions::new().read(true).append(true).create(true),
        )?;
        file.lock()?;
        let mut text = json_line(line)?;
        text.push('\n');
        if ends_torn(&mut file)? {
            text.insert(0, '\n');
        }
        let bytes = file.metadata()?.len();
        file.write_all(text.as_bytes()).inspect_err(|_| {
            // Half a line would be ignored, but must not take space on a full disk either.
            let _ = file.set_len(bytes);
        })?;
        file.sync_data()
    }
}

/// Returns whether the last line is incomplete.
fn ends_torn(file: &mut File) -> std::io::Result<bool> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

/// Number of deaths that quarantine a file; a single one may be the machine's fault.
const DEATHS_MAX: u32 = 2;
/// Maximum bytes read of a line: a path has 4096, each of which may be written as six.
const LINE_MAX: u64 = 64 << 10;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const CLIP: &str = "a\u{1b}[2J.mp4";

    fn open(path: &Path, quarantine: Quarantine) -> Journal {
        Journal::open(path, quarantine, || UNIX_EPOCH + Duration::from_secs(7)).unwrap()
    }

    fn death() -> Result<()> {
        Err(Error::WorkerDied {
            path: CLIP.into(),
            how: "was killed by signal 11".into(),
            reached: Duration::ZERO,
            unnoted: None,
        })
    }

    #[test]
    fn the_second_death_quarantines_whoever_asks_and_a_survival_frees() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new").join("journal.jsonl");
        let (clip, sha) = (Path::new(CLIP), [7; 32]);
        for _ in 0..2 {
            let journal = open(&path, Quarantine::Keep);
            journal.admit(clip, &sha).unwrap();
            journal.record(clip, &sha, &death()).unwrap();
        }
        let journal = open(&path, Quarantine::Keep);
        let Err(Error::Quarantined { deaths: 2, how, .. }) =
            journal.admit(Path::new("other"), &sha)
        else {
            panic!()
        };
        assert_eq!(how, "was killed by signal 11");
        journal.admit(clip, &[8; 32]).unwrap();
        let retry = open(&path, Quarantine::Retry);
        retry.admit(clip, &sha).unwrap();
        retry.record(clip, &sha, &Ok(())).unwrap();
        open(&path, Quarantine::Keep).admit(clip, &sha).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 3);
        assert!(
            !text.contains('\u{1b}') && text.contains("\"unix_s\":7"),
            "{text}"
        );
    }

    #[test]
    fn nothing_is_written_about_good_files_and_other_errors() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal.jsonl");
        let journal = open(&path, Quarantine::Keep);
        journal.record(Path::new(CLIP), &[1; 32], &Ok(())).unwrap();
        journal
            .record(Path::new(CLIP), &[1; 32], &Err::<(), _>(Error::Cancelled))
            .unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn a_journal_torn_at_any_byte_is_read_and_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal.jsonl");
        open(&path, Quarantine::Keep)
            .record(Path::new(CLIP), &[1; 32], &death())
            .unwrap();
        let whole = std::fs::read(&path).unwrap();
        for length in 0..=whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            let journal = open(&path, Quarantine::Keep);
            journal.record(Path::new(CLIP), &[2; 32], &death()).unwrap();
            journal.record(Path::new(CLIP), &[2; 32], &death()).unwrap();
            assert!(
                open(&path, Quarantine::Keep)
                    .admit(Path::new(CLIP), &[2; 32])
                    .is_err(),
                "{length}"
            );
        }
    }
}
