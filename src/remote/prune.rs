//! Deletes objects that no recent commit needs.

use std::collections::HashSet;
use std::time::Duration;

use super::layout::{self, HISTORY, MANIFESTS, SEGMENTS};
use super::store::{Cancel, Object, Store};
use crate::error::Result;

/// What to keep.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Prune {
    /// Number of newest commits to keep with all their objects, at least 1.
    pub keep: usize,
    /// Minimum age of an object to delete, by the clock of the store. A reader may be about to
    /// fetch a younger one, or a writer about to name it. No push or pull may take longer; 24 hours
    /// suit most.
    pub age_min: Duration,
}

impl Default for Prune {
    fn default() -> Prune {
        Prune {
            keep: 8,
            age_min: Duration::from_secs(24 * 3600),
        }
    }
}

/// Deletes old commits, then objects that no remaining commit names. Returns the number of deleted
/// objects.
pub(super) fn prune(store: &Store, prune: &Prune, cancel: Cancel<'_>) -> Result<u64> {
    let slots = layout::slots(store, cancel)?;
    let segments = store.list(SEGMENTS, cancel)?;
    let histories = store.list(HISTORY, cancel)?;
    let everything = slots.iter().chain(&segments).chain(&histories);
    let Some(now) = everything.map(|object| object.modified).max() else {
        return Ok(0);
    };
    let is_old = |object: &Object| {
        now.duration_since(object.modified)
            .is_ok_and(|age| age >= prune.age_min)
    };
    let least_kept = slots.len().saturating_sub(prune.keep.max(1));
    let (mut deleted, mut named) = (0, HashSet::new());
    let mut old = Vec::new();
    for (number, slot) in slots.iter().enumerate() {
        if number < least_kept && is_old(slot) {
            old.push(format!("{MANIFESTS}/{}", slot.name));
            continue;
        }
        // An unreadable commit may name any object, so it is an error.
        let Some(commit) = layout::load(store, &slot.name, cancel)? else {
            continue;
        };
        named.extend(commit.files(store)?.iter().map(layout::object_of));
        named.extend(commit.head.history.and_then(|history| history.object));
    }
    let in_folder = |folder: &'static str| {
        move |object: &Object| (format!("{folder}/{}", object.name), is_old(object))
    };
    let others = segments
        .iter()
        .map(in_folder(SEGMENTS))
        .chain(histories.iter().map(in_folder(HISTORY)));
    let unnamed = others
        .filter(|(name, is_old)| *is_old && !named.contains(name))
        .map(|(name, _)| name);
    // Delete commits first, so that none names a missing object.
    for name in old.into_iter().chain(unnamed) {
        // Since the listing, a push may have sent it again and be about to name it.
        if !store
            .head(&name, cancel)?
            .is_some_and(|object| is_old(&object))
        {
            continue;
        }
        store.delete(&name, cancel)?;
        deleted += 1;
    }
    Ok(deleted)
}
