//! From a folder into the store.

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

/// Who pushes; others read it when they come second.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Author {
    /// Name of the computer.
    pub host: String,
    /// Number of the process.
    pub process: u32,
    /// The present time; `None` if it is not to be known.
    pub at: Option<SystemTime>,
}

/// How to push.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PushOptions {
    /// Who does it.
    pub author: Author,
    /// What to delete afterwards; nothing if it is `None`.
    pub prune: Option<Prune>,
}

/// What a push did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pushed {
    /// Of the index.
    pub generation: u64,
    /// Of the index, in hexadecimal.
    pub root: String,
    /// Whether this made a commit; `false` if the store had it already.
    pub committed: bool,
    /// Files that were sent.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that were there already.
    pub already_there: u64,
    /// Objects that were deleted.
    pub pruned: u64,
}

/// Brings an index from its folder into the store.
///
/// Nobody may write to the folder meanwhile; its lock is held. Files are compared with their
/// SHA-256 while they are sent, so that nothing damaged gets there.
///
/// When this returns, all machines see the commit. If it fails, they see what was there before, and
/// what was sent is not sent again.
///
/// # Errors
/// [`Error::StoreConflict`] if somebody else pushed meanwhile, [`Error::NotDescended`] if the index
/// did not grow from what is in the store, [`Error::NoIndex`], [`Error::Locked`],
/// [`Error::CorruptIndex`] if the folder's files are damaged, [`Error::CorruptStore`] if the
/// store's are, [`Error::Store`], [`Error::Cancelled`] and [`Error::Io`].
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

/// Fails unless an index is, or grew from, what is in the store; whether it is the same.
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

/// What to do where two indexes grew apart.
fn remedy_apart(store: &Store, dir: &Path) -> String {
    let (address, dir) = (store.address(), dir.display());
    format!(
        "fetch theirs with: uniq index pull {address} --index NEW, add yours with: uniq index merge --from {dir} --index NEW, \
        then push with: uniq index push {address} --index NEW"
    )
}

/// Sends what is not there yet.
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
        // What no commit names may be about to be deleted by who prunes, if it is old.
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
        // As for files; it is small.
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

/// Puts the object that makes it visible, if nobody else did so from the same state.
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
        // The answer may have been lost, and the object be there: ours, or another.
        Ok(false) | Err(Error::Store { .. }) => match (layout::load(store, &slot, cancel)?, put) {
            (Some(there), _) if is_ours(&there) => {}
            (Some(there), _) => return Err(conflict(store, dir, &there)),
            (None, Err(error)) => return Err(error),
            (None, Ok(_)) => return Err(layout::missing(store, &object)),
        },
        Err(other) => return Err(other),
    }
    // The name was free also if it was taken and deleted again since we looked for the newest: then
    // there are later ones, which do not descend from this.
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

/// Age up to which an object that no commit names is taken to be there for as long as a push lasts:
/// half of the least age at which it may be deleted.
const FRESH: Duration = Duration::from_secs(12 * 3600);
