//! Brings an index from a folder into the store.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::layout::{self, Commit, Head, LAYOUT, SEGMENTS};
use super::prune::{self, Prune};
use super::store::{Cancel, Object, Store};
use super::transfer::{self, Meter};
use super::{Watch, layout::Extent};
use crate::error::{Error, Result};
use crate::index::carry::{self, Carried, CarriedFile};
use crate::index::hex;

/// Who pushes; whoever loses a race is shown this.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Author {
    /// Name of the computer.
    pub host: String,
    /// Process number.
    pub process: u32,
    /// The current time; `None` to record none.
    pub at: Option<SystemTime>,
}

/// Options of a push.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PushOptions {
    /// Author of the commit.
    pub author: Author,
    /// What to delete afterwards; `None` deletes nothing.
    pub prune: Option<Prune>,
}

/// Result of a push.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pushed {
    /// Generation of the index.
    pub generation: u64,
    /// Root of the index, in hexadecimal.
    pub root: String,
    /// Whether this made a commit; `false` if the store already had it.
    pub committed: bool,
    /// Number of files sent.
    pub files: u64,
    /// Their total size in bytes.
    pub bytes: u64,
    /// Number of files that the store already had.
    pub already_there: u64,
    /// Number of objects deleted.
    pub pruned: u64,
}

/// Sends an index from its folder to the store.
///
/// The folder's lock is held, so nobody can write to it meanwhile. Files are compared with their
/// SHA-256 while they are sent, so no damaged file gets into the store.
///
/// When this returns, all machines see the commit. If it fails, they see the earlier state, and the
/// next push does not send the same files again.
///
/// # Errors
/// [`Error::StoreConflict`] if another process pushed meanwhile, [`Error::NotDescended`] if the
/// index does not descend from the one in the store. [`Error::CorruptIndex`] if the folder's files
/// are damaged, and [`Error::CorruptStore`] if the store's are. Also [`Error::NoIndex`],
/// [`Error::Locked`], [`Error::Store`], [`Error::Cancelled`] and [`Error::Io`].
pub fn push(store: &Store, dir: &Path, options: &PushOptions, watch: Watch<'_>) -> Result<Pushed> {
    let cancel = watch.cancel;
    if !crate::index::Index::exists(dir) {
        return Err(Error::NoIndex {
            path: dir.to_owned(),
        });
    }
    let _lock = carry::lock(dir)?;
    let carried = Carried::of_folder(dir)?.ok_or_else(|| Error::NoIndex {
        path: dir.to_owned(),
    })?;
    let before = layout::newest(store, cancel)?;
    let is_there = match &before {
        Some(before) => check_descends(store, dir, &carried, before, cancel)?,
        None => false,
    };
    let history = layout::history_of(&carried);
    let mut pushed = send_files(store, dir, &carried, before.as_ref(), watch)?;
    if let Some(history) = &history {
        send_history(store, history, carried.history(), cancel)?;
    }
    if !is_there {
        let head = head(&carried, before.as_ref(), history, &options.author);
        commit(
            store,
            dir,
            &carried,
            &head,
            layout::next_slot(before.as_ref().map(|before| &before.head)),
            cancel,
        )?;
        pushed.committed = true;
    }
    if let Some(prune) = &options.prune {
        pushed.pruned = prune::prune(store, prune, cancel)?;
    }
    Ok(pushed)
}

/// Fails unless the index equals or descends from the one in the store. Returns whether both are
/// equal.
fn check_descends(
    store: &Store,
    dir: &Path,
    carried: &Carried,
    before: &Commit,
    cancel: Cancel<'_>,
) -> Result<bool> {
    let Head {
        generation, root, ..
    } = &before.head;
    if (carried.generation(), &carried.root()) == (*generation, root) {
        return Ok(true);
    }
    if carried.descends_from(*generation, root) {
        return Ok(false);
    }
    let theirs = before.carried(store, cancel)?;
    let is_behind =
        theirs.is_some_and(|theirs| theirs.descends_from(carried.generation(), &carried.root()));
    let author = before.head.author();
    let (found, remedy) = if is_behind {
        let found = format!(
            "the store is ahead, at generation {generation} by {author}; the folder is at {}",
            carried.generation()
        );
        (
            found,
            format!(
                "fetch the newer commits with: uniq index pull {}",
                store.address()
            ),
        )
    } else {
        let found = format!(
            "both have changed apart: generation {} in the folder does not build on generation {generation} in the store, \
            which {author} pushed",
            carried.generation()
        );
        (found, remedy_apart(store, dir))
    };
    Err(Error::NotDescended {
        path: dir.to_owned(),
        store: store.address().to_owned(),
        found,
        remedy,
    })
}

/// What to do about two indexes that diverged.
fn remedy_apart(store: &Store, dir: &Path) -> String {
    let (address, dir) = (store.address(), dir.display());
    format!(
        "fetch theirs with: uniq index pull {address} --index NEW, add yours with: uniq index merge --from {dir} --index NEW, \
        then push with: uniq index push {address} --index NEW"
    )
}

/// Sends the files that the store lacks.
fn send_files(
    store: &Store,
    dir: &Path,
    carried: &Carried,
    before: Option<&Commit>,
    watch: Watch<'_>,
) -> Result<Pushed> {
    let there: HashMap<String, Object> = store
        .list(SEGMENTS, watch.cancel)?
        .into_iter()
        .map(|object| (object.name.clone(), object))
        .collect();
    let named: HashSet<CarriedFile> = match before {
        Some(before) => before.files(store)?.into_iter().collect(),
        None => HashSet::new(),
    };
    let mut wanted = Vec::new();
    let mut already_there = 0;
    for file in carried.files() {
        let object = layout::object_of(&file);
        let found = there.get(object.rsplit('/').next().unwrap_or_default());
        if let Some(found) = found
            && found.length != file.length
        {
            return Err(layout::damaged(
                &store.full(&object),
                "length",
                found.length.to_string(),
                file.length,
            ));
        }
        // Another machine may be about to prune an old object that no commit names, so that is sent
        // again.
        let is_kept = |found: &Object| {
            named.contains(&file)
                || found.modified.elapsed().is_ok_and(|age| age < FRESH)
                || is_ahead(found.modified)
        };
        match found {
            Some(found) if is_kept(found) => already_there += 1,
            found => wanted.push((file, object, found.is_some())),
        }
    }
    let bytes = wanted.iter().map(|(file, ..)| file.length).sum();
    let meter = Meter::new(watch, bytes);
    let folder = carry::folder_of_files(dir)?;
    transfer::each(&wanted, watch.cancel, &|(file, object, is_over), cancel| {
        transfer::send(
            store,
            object,
            file,
            (&folder.join(&file.name), *is_over),
            &meter,
            cancel,
        )
    })?;
    Ok(Pushed {
        generation: carried.generation(),
        root: carried.root(),
        committed: false,
        files: wanted.len() as u64,
        bytes,
        already_there,
        pruned: 0,
    })
}

fn is_ahead(modified: SystemTime) -> bool {
    modified.elapsed().is_err()
}

fn send_history(store: &Store, history: &Extent, bytes: &[u8], cancel: Cancel<'_>) -> Result<()> {
    let object = history.object.as_deref().unwrap_or_default();
    match store.head(object, cancel)? {
        Some(found) if found.length != history.length => Err(layout::damaged(
            &store.full(object),
            "length",
            found.length.to_string(),
            history.length,
        )),
        // Send it again, as an old file; it is small.
        _ => store.put_over(object, bytes.to_vec(), cancel),
    }
}

fn head(
    carried: &Carried,
    before: Option<&Commit>,
    history: Option<Extent>,
    author: &Author,
) -> Head {
    let manifest = carried.manifest();
    Head {
        layout: LAYOUT,
        generation: carried.generation(),
        root: carried.root(),
        after: before.map(|before| before.slot.clone()),
        host: author.host.clone(),
        process: author.process,
        pushed_at: layout::moment(author.at),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        manifest: Extent {
            length: manifest.len() as u64,
            sha256: hex(&carry::sha256(manifest)),
            object: None,
        },
        history,
    }
}

/// Puts the object that makes the commit visible, unless another push from the same state did so
/// first.
fn commit(
    store: &Store,
    dir: &Path,
    carried: &Carried,
    head: &Head,
    slot: String,
    cancel: Cancel<'_>,
) -> Result<()> {
    let object = format!("{}/{slot}", layout::MANIFESTS);
    let put = store.put_new(&object, layout::encode(head, carried.manifest())?, cancel);
    let is_ours = |commit: &Commit| commit.head == *head;
    match put {
        Ok(true) => {}
        // If the answer was lost, the object may still be there: ours, or another one.
        Ok(false) | Err(Error::Store { .. }) => match (layout::load(store, &slot, cancel)?, put) {
            (Some(there), _) if is_ours(&there) => {}
            (Some(there), _) => return Err(conflict(store, dir, &there)),
            (None, Err(error)) => return Err(error),
            (None, Ok(_)) => return Err(layout::missing(store, &object)),
        },
        Err(other) => return Err(other),
    }
    // The name may be free because its commit was pruned meanwhile. Then there are later commits,
    // which do not descend from this one.
    let Some(newest) = layout::newest(store, cancel)? else {
        return Ok(());
    };
    if is_ours(&newest) {
        return Ok(());
    }
    let theirs = newest.carried(store, cancel)?;
    if theirs.is_some_and(|theirs| theirs.descends_from(carried.generation(), &carried.root())) {
        return Ok(());
    }
    store.delete(&object, &|| false)?;
    Err(conflict(store, dir, &newest))
}

fn conflict(store: &Store, dir: &Path, winner: &Commit) -> Error {
    Error::StoreConflict {
        store: store.address().to_owned(),
        generation: winner.head.generation,
        winner: winner.head.author(),
        remedy: remedy_apart(store, dir),
    }
}

/// Maximum age of an object without a commit that still counts as present for the length of a push:
/// half of the minimum age at which it may be deleted.
const FRESH: Duration = Duration::from_secs(12 * 3600);
