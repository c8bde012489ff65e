//! Brings an index from the store into a folder, to continue it there.

use std::fs::File;
use std::path::Path;

use super::layout::{self, Commit};
use super::store::{Cancel, Store};
use super::transfer::{self, Meter};
use super::{Stage, Watch};
use crate::error::{Error, Result};
use crate::index::carry::{self, Carried, CarriedFile};

/// What a pull did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pulled {
    /// Generation of the index.
    pub generation: u64,
    /// Root of the index, in hexadecimal.
    pub root: String,
    /// Whether the state of the folder changed.
    pub changed: bool,
    /// Number of fetched files.
    pub files: u64,
    /// Their total size in bytes.
    pub bytes: u64,
    /// Number of files that the folder already had.
    pub already_there: u64,
}

/// Fetches the newest index of the store into a folder that is empty or has an earlier state of it.
///
/// Searches in the folder continue meanwhile. If this fails, they see the earlier state, and the
/// same call later continues the transfer.
///
/// # Errors
/// [`Error::NotDescended`] if the folder has commits that the store lacks, for example because an
/// older state was put back there. [`Error::CorruptStore`] if something is missing, cut or changed
/// in the store, and [`Error::CorruptIndex`] if the folder's manifest is damaged. Also
/// [`Error::NoRemoteIndex`], [`Error::Locked`], [`Error::Store`], [`Error::Cancelled`] and
/// [`Error::Io`].
pub fn pull(store: &Store, dir: &Path, watch: Watch<'_>) -> Result<Pulled> {
    let _lock = carry::lock(dir)?;
    // Without a manifest, only the note of the newest commit seen can refuse an older state.
    let here = if carry::has_manifest(dir) {
        Carried::of_folder(dir)?
    } else {
        None
    };
    with_newest(store, watch.cancel, &mut |commit, carried| {
        match &here {
            Some(here) => check_follows(store, dir, here, commit, carried)?,
            None => carried.check_seen(dir)?,
        }
        let (files, bytes, already_there) = fetch(store, dir, here.as_ref(), carried, watch)?;
        let changed = !carried.is_installed(dir);
        if changed {
            carried.install(dir)?;
        }
        carried.clear_out(dir)?;
        let (generation, root) = (carried.generation(), carried.root());
        Ok(Pulled {
            generation,
            root,
            changed,
            files,
            bytes,
            already_there,
        })
    })
}

/// Calls `work` with the newest commit. If an object is missing because that commit was pruned
/// meanwhile, tries again with a newer one.
pub(super) fn with_newest<T>(
    store: &Store,
    cancel: Cancel<'_>,
    work: &mut dyn FnMut(&Commit, &Carried) -> Result<T>,
) -> Result<T> {
    let none = || Error::NoRemoteIndex {
        store: store.address().to_owned(),
    };
    let mut commit = layout::newest(store, cancel)?.ok_or_else(none)?;
    let mut attempts = 0;
    loop {
        let result = match commit.carried(store, cancel) {
            Ok(Some(carried)) => work(&commit, &carried),
            Ok(None) => {
                let object = commit
                    .head
                    .history
                    .as_ref()
                    .and_then(|history| history.object.as_deref());
                Err(layout::missing(store, object.unwrap_or_default()))
            }
            Err(error) => Err(error),
        };
        let Err(error @ Error::CorruptStore { .. }) = result else {
            return result;
        };
        let newer = layout::newest(store, cancel)?.ok_or_else(none)?;
        attempts += 1;
        if newer.slot <= commit.slot || attempts > ATTEMPTS {
            return Err(error);
        }
        commit = newer;
    }
}

fn check_follows(
    store: &Store,
    dir: &Path,
    here: &Carried,
    commit: &Commit,
    theirs: &Carried,
) -> Result<()> {
    if theirs.descends_from(here.generation(), &here.root()) {
        return Ok(());
    }
    let (generation, author) = (theirs.generation(), commit.head.author());
    let (found, remedy) = if here.descends_from(generation, &theirs.root()) {
        let found = format!(
            "the folder is ahead, at generation {}; the store is at {generation}, pushed by {author}",
            here.generation()
        );
        let address = store.address();
        (
            found,
            format!(
                "send it with: uniq index push {address}; if the store lost its newest commits, put \
            those back first"
            ),
        )
    } else {
        let found = format!(
            "both have changed apart: generation {} in the folder is not in the history of generation {generation}, which {author} pushed",
            here.generation()
        );
        let (address, dir) = (store.address(), dir.display());
        let remedy = format!(
            "fetch theirs with: uniq index pull {address} --index NEW, then add yours with: uniq index merge --from {dir} \
            --index NEW"
        );
        (found, remedy)
    };
    Err(Error::NotDescended {
        path: dir.to_owned(),
        store: store.address().to_owned(),
        found,
        remedy,
    })
}

/// Fetches the missing files. Returns their number, their total size, and the number of files
/// already there.
fn fetch(
    store: &Store,
    dir: &Path,
    here: Option<&Carried>,
    carried: &Carried,
    watch: Watch<'_>,
) -> Result<(u64, u64, u64)> {
    let folder = carry::folder_of_files(dir)?;
    let files = carried.files();
    let known: Vec<CarriedFile> = here.map(Carried::files).unwrap_or_default();
    let all = files.iter().map(|file| file.length).sum();
    let meter = Meter::new(watch, all);
    let mut wanted = Vec::new();
    for file in &files {
        let path = folder.join(&file.name);
        // Files that the manifest here names were verified when they came; only their presence is
        // checked.
        let is_there = match std::fs::metadata(&path) {
            Ok(found) if known.contains(file) => found.len() == file.length,
            Ok(_) => transfer::is_whole(&path, file, watch.cancel)?,
            Err(_) => false,
        };
        if is_there {
            meter.add(Stage::Verifying, file.length);
        } else {
            wanted.push(file);
        }
    }
    transfer::each(&wanted, watch.cancel, &|file, cancel| {
        let (path, draft) = (
            folder.join(&file.name),
            folder.join(carry::draft_name(&file.name)),
        );
        transfer::receive(
            store,
            &layout::object_of(file),
            file,
            &draft,
            &meter,
            cancel,
        )?;
        std::fs::rename(&draft, &path).map_err(Error::io(&path, "rename"))
    })?;
    File::open(&folder)
        .and_then(|opened| opened.sync_all())
        .map_err(Error::io(&folder, "sync"))?;
    let bytes = wanted.iter().map(|file| file.length).sum();
    Ok((
        wanted.len() as u64,
        bytes,
        (files.len() - wanted.len()) as u64,
    ))
}

const ATTEMPTS: usize = 16;
