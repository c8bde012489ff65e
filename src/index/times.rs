//! Notes when commits were made and videos were added.
//!
//! The notes lie beside the index, in `notes/times.jsonl`: a line a commit. They take no part in a search, nor in the root,
//! and are not promised: what is missing or damaged of them is unknown, and no more.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::media::open_regular;

/// When commits were made and videos were added, as far as it is known; moments are as in RFC 3339, in UTC.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Times {
    commits: HashMap<String, String>,
    added: HashMap<String, String>,
}

impl Times {
    /// When the state of the index with this root was committed.
    pub fn of_commit(&self, root: &str) -> Option<&str> {
        self.commits.get(root).map(String::as_str)
    }

    /// When the video with this identifier was added, the last time.
    pub fn of_video(&self, id: &str) -> Option<&str> {
        self.added.get(id).map(String::as_str)
    }

    pub(super) fn load(dir: &Path) -> Times {
        let mut times = Times::default();
        let mut text = Vec::new();
        let Ok(file) = open_regular(&path(dir), OpenOptions::new().read(true)) else { return times };
        if file.take(NOTES_MAX).read_to_end(&mut text).is_err() {
            return times;
        }
        for line in text.split(|byte| *byte == b'\n') {
            let Ok(note) = serde_json::from_slice::<Note>(line) else { continue };
            // What is shown as a time shall be one.
            if note.at.parse::<jiff::Timestamp>().is_ok() {
                times.added.extend(note.added.into_iter().map(|id| (id, note.at.clone())));
                times.commits.insert(note.root, note.at);
            }
        }
        times
    }
}

/// A line of the notes.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    at: String,
    root: String,
    added: Vec<String>,
}

/// A moment as in RFC 3339, in UTC, to the second.
pub(crate) fn moment(time: SystemTime) -> Option<String> {
    let seconds = jiff::Timestamp::try_from(time).ok()?.as_second();
    Some(jiff::Timestamp::from_second(seconds).ok()?.to_string())
}

/// Notes a commit that is about to be made.
///
/// Best effort: the commit is worth more than its time, and may be what frees a full disk.
pub(super) fn note<'a>(dir: &Path, root: &str, time: SystemTime, added: impl Iterator<Item = &'a str>) {
    let Some(at) = moment(time) else { return };
    let note = Note { at, root: root.to_owned(), added: added.map(str::to_owned).collect() };
    let path = path(dir);
    let (Some(folder), Ok(line)) = (path.parent(), serde_json::to_string(&note)) else { return };
    let _ = fs::create_dir_all(folder);
    if let Ok(mut file) = open_regular(&path, OpenOptions::new().create(true).append(true)) {
        // A line break before, too: the last line may be torn.
        let _ = file.write_all(format!("\n{line}\n").as_bytes());
    }
}

fn path(dir: &Path) -> PathBuf {
    dir.join("notes").join("times.jsonl")
}

/// Bytes of the notes that are read: some million commits.
const NOTES_MAX: u64 = 256 << 20;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_damaged_of_the_notes_is_unknown_and_the_rest_is_read() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Times::load(dir.path()), Times::default());
        let at = |seconds: u64| SystemTime::UNIX_EPOCH + Duration::from_millis(seconds * 1000 + 7);
        note(dir.path(), "aa", at(0), ["v1"].into_iter());
        let mut file = OpenOptions::new().append(true).open(path(dir.path())).unwrap();
        file.write_all(b"{\"at\":\"yesterday\",\"root\":\"cc\",\"added\":[]}\n\xff\n{\"at\":\"19").unwrap();
        note(dir.path(), "bb", at(86_400), ["v2", "v1"].into_iter());
        let times = Times::load(dir.path());
        assert_eq!(times.of_commit("aa"), Some("1970-01-01T00:00:00Z"));
        assert_eq!(times.of_commit("bb"), Some("1970-01-02T00:00:00Z"));
        assert_eq!((times.of_video("v1"), times.of_commit("cc")), (Some("1970-01-02T00:00:00Z"), None));
    }
}
