//! Names of the objects, and the format of a commit in the store.

use std::path::Path;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::store::{Cancel, Object, Store};
use crate::error::{Error, Result};
use crate::index::carry::{self, Carried, CarriedFile};
use crate::index::hex;

/// The folder of commits.
pub(super) const MANIFESTS: &str = "manifests";
/// The folder of segments and centroids.
pub(super) const SEGMENTS: &str = "segments";
/// The folder of histories.
pub(super) const HISTORY: &str = "history";

/// The line of JSON before the manifest in the object of a commit.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Head {
    /// Version of this layout.
    pub(super) layout: u32,
    /// Generation of the index.
    pub(super) generation: u64,
    /// Root of the index, in hexadecimal.
    pub(super) root: String,
    /// Object name of the previous commit in the store.
    pub(super) after: Option<String>,
    /// The computer that pushed it.
    pub(super) host: String,
    /// The process number there.
    pub(super) process: u32,
    /// Time of the push in RFC 3339, UTC.
    pub(super) pushed_at: Option<String>,
    /// Version of the program.
    pub(super) version: String,
    /// Extent of the manifest, whose bytes follow the line.
    pub(super) manifest: Extent,
    /// Extent of the history, from the second commit of the index on.
    pub(super) history: Option<Extent>,
}

/// Length and digest of a part of a commit.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Extent {
    pub(super) length: u64,
    /// SHA-256 in hexadecimal.
    pub(super) sha256: String,
    /// Its object; `None` if it is part of the commit's object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) object: Option<String>,
}

/// A commit in the store, with a verified manifest.
#[derive(Debug)]
pub(super) struct Commit {
    /// The last part of the object's name.
    pub(super) slot: String,
    pub(super) head: Head,
    pub(super) manifest: Vec<u8>,
}

impl Head {
    /// Host, process and time of the commit, in words.
    pub(super) fn author(&self) -> String {
        let at = self
            .pushed_at
            .as_deref()
            .map_or(String::new(), |at| format!(" at {at}"));
        format!(
            "{} (process {}, uniq {}){at}",
            self.host, self.process, self.version
        )
    }
}

impl Commit {
    /// The files that its manifest lists.
    pub(super) fn files(&self, store: &Store) -> Result<Vec<CarriedFile>> {
        let full = store.full(&self.object());
        carry::files_named(Path::new(&full), &self.manifest).map_err(|error| in_store(&full, error))
    }

    /// The name of its object.
    pub(super) fn object(&self) -> String {
        format!("{MANIFESTS}/{}", self.slot)
    }

    /// Fetches the history and returns the commit with it; `None` if the history is missing.
    pub(super) fn carried(&self, store: &Store, cancel: Cancel<'_>) -> Result<Option<Carried>> {
        let full = store.full(&self.object());
        let (mut history_name, mut history) = (full.clone(), Vec::new());
        if let Some(extent) = &self.head.history {
            let name = extent.object.as_deref().unwrap_or_default();
            let Some(bytes) = store.get(name, extent.length, cancel)? else {
                return Ok(None);
            };
            history_name = store.full(name);
            check_extent(&history_name, extent, &bytes)?;
            history = bytes;
        }
        let parts = (
            (Path::new(&full), self.manifest.clone()),
            (Path::new(&history_name), history),
        );
        let carried =
            Carried::from_parts(parts.0, parts.1).map_err(|error| in_store(&full, error))?;
        Ok(Some(carried))
    }
}

/// The name of the object of a file.
pub(super) fn object_of(file: &CarriedFile) -> String {
    let (stem, ending) = file.name.rsplit_once('.').unwrap_or((&file.name, ""));
    format!("{SEGMENTS}/{stem}-{}.{ending}", hex(&file.sha256))
}

/// Extent and object of a history; `None` if there is none yet.
pub(super) fn history_of(carried: &Carried) -> Option<Extent> {
    let bytes = carried.history();
    let sha256 = hex(&carry::sha256(bytes));
    let object = history_name(carried.history_commits(), &sha256);
    (!bytes.is_empty()).then_some(Extent {
        length: bytes.len() as u64,
        sha256,
        object: Some(object),
    })
}

/// Object name of a history of this many commits.
fn history_name(commits: u64, sha256: &str) -> String {
    format!("{HISTORY}/{commits:020}-{sha256}")
}

/// The name of the commit that follows this one in the store.
pub(super) fn next_slot(before: Option<&Head>) -> String {
    format!(
        "{:020}",
        before.map_or(1, |head| head.generation.saturating_add(1))
    )
}

/// The bytes of a commit's object.
pub(super) fn encode(head: &Head, manifest: &[u8]) -> Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(head)
        .map_err(|cause| Error::io(Path::new(MANIFESTS), "encode")(std::io::Error::other(cause)))?;
    bytes.push(b'\n');
    bytes.extend_from_slice(manifest);
    Ok(bytes)
}

/// Names of the commits in the store, newest last.
pub(super) fn slots(store: &Store, cancel: Cancel<'_>) -> Result<Vec<Object>> {
    let mut slots = store.list(MANIFESTS, cancel)?;
    slots.retain(|object| {
        object.name.len() == SLOT_LEN && object.name.bytes().all(|digit| digit.is_ascii_digit())
    });
    slots.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(slots)
}

/// The newest commit; `None` if there is none.
pub(super) fn newest(store: &Store, cancel: Cancel<'_>) -> Result<Option<Commit>> {
    let Some(last) = slots(store, cancel)?.pop() else {
        return Ok(None);
    };
    match load(store, &last.name, cancel)? {
        Some(commit) => Ok(Some(commit)),
        None => Err(missing(store, &format!("{MANIFESTS}/{}", last.name))),
    }
}

/// Reads a commit; `None` if no object has this name.
pub(super) fn load(store: &Store, slot: &str, cancel: Cancel<'_>) -> Result<Option<Commit>> {
    let name = format!("{MANIFESTS}/{slot}");
    let Some(bytes) = store.get(&name, COMMIT_MAX, cancel)? else {
        return Ok(None);
    };
    decode(slot, &store.full(&name), &bytes).map(Some)
}

fn decode(slot: &str, full: &str, bytes: &[u8]) -> Result<Commit> {
    let end = bytes
        .iter()
        .position(|byte| *byte == b'\n')
        .unwrap_or(bytes.len());
    let (line, rest) = bytes.split_at(end);
    let manifest = rest.get(1..).unwrap_or_default();
    #[derive(Deserialize)]
    struct Layout {
        layout: u32,
    }
    if let Ok(Layout { layout }) = serde_json::from_slice(line)
        && layout > LAYOUT
    {
        return Err(Error::IncompatibleIndex {
            path: full.into(),
            what: "layout",
            found: layout.to_string(),
            expected: LAYOUT.to_string(),
            remedy: "install a newer uniq",
        });
    }
    let head: Head = serde_json::from_slice(line).map_err(|cause| {
        damaged(
            full,
            "head",
            cause.to_string(),
            "a line of JSON that says who wrote it",
        )
    })?;
    check_extent(full, &head.manifest, manifest)?;
    let (generation, root, (commits, length)) =
        carry::described(Path::new(full), manifest).map_err(|error| in_store(full, error))?;
    if (generation, &root) != (head.generation, &head.root) {
        return Err(damaged(
            full,
            "head",
            "that of another manifest".to_owned(),
            "generation and root of this one",
        ));
    }
    let is_that = |extent: &Extent| {
        extent.length == length
            && extent.object.as_deref() == Some(&history_name(commits, &extent.sha256))
    };
    if !head.history.as_ref().map_or(length == 0, is_that) {
        return Err(damaged(
            full,
            "head",
            "that of another history".to_owned(),
            "that of the manifest",
        ));
    }
    // The next name is derived from the generation; with a lower generation, the next commit would
    // sort before this one.
    if slot.parse::<u64>().is_ok_and(|slot| slot > generation) {
        return Err(damaged(
            full,
            "generation",
            generation.to_string(),
            "at least that of its name",
        ));
    }
    Ok(Commit {
        slot: slot.to_owned(),
        head,
        manifest: manifest.to_vec(),
    })
}

fn check_extent(full: &str, extent: &Extent, bytes: &[u8]) -> Result<()> {
    if bytes.len() as u64 != extent.length {
        return Err(damaged(
            full,
            "length",
            bytes.len().to_string(),
            extent.length,
        ));
    }
    let found = hex(&carry::sha256(bytes));
    if found == extent.sha256 {
        Ok(())
    } else {
        Err(damaged(full, "SHA-256", found, &extent.sha256))
    }
}

/// The error for a damaged object of the store.
pub(super) fn damaged(
    object: &str,
    what: &'static str,
    found: String,
    expected: impl ToString,
) -> Error {
    Error::CorruptStore {
        object: object.to_owned(),
        what,
        found,
        expected: expected.to_string(),
        remedy: REMEDY.into(),
    }
}

/// The error for an object that a commit names but the store does not have.
pub(super) fn missing(store: &Store, name: &str) -> Error {
    damaged(
        &store.full(name),
        "object",
        "missing".to_owned(),
        "there, as the newest commit says",
    )
}

/// Reports damage that the index found as damage of the object that contains it.
pub(super) fn in_store(object: &str, error: Error) -> Error {
    match error {
        Error::CorruptIndex {
            what,
            found,
            expected,
            ..
        } => damaged(object, what, found, expected),
        other => other,
    }
}

/// A time in RFC 3339.
pub(super) fn moment(at: Option<SystemTime>) -> Option<String> {
    at.and_then(crate::index::moment)
}

/// Version of the layout that is written, and the newest that can be read.
pub(super) const LAYOUT: u32 = 1;
/// Number of digits of a commit's name.
const SLOT_LEN: usize = 20;
/// Maximum size of a commit's object, in bytes. A manifest has about 100 bytes per segment and per
/// removed video.
const COMMIT_MAX: u64 = 1 << 30;
const REMEDY: &str = "restore it from a copy of the bucket, or delete it and push again from a folder that holds the whole \
    index";
