//! Opens the index as it was at an earlier commit, tells what changed since, and makes lasting
//! copies.
//!
//! Videos are only added and removed, and each records the commit that did so. A past state is
//! therefore the present one without videos added later, plus videos removed later whose keys are
//! still there.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::history::{self, Commitment, History, Leaf};
use super::leftovers::named_files;
use super::manifest;
use super::merkle::Frontier;
use super::proof::Hash;
use super::snapshot::{Index, describe, moment_of};
use super::storage::{Disk, Storage as _};
use super::video::Role;
use crate::error::{Error, Result};

/// Changes of an index after one of its commits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Change {
    /// Sources that were added and not removed again.
    pub added: u64,
    /// Sources of that commit that were removed.
    pub removed: u64,
    /// Whether benign material was added or removed.
    pub benign: bool,
}

/// A copy of an index.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Copied {
    /// The commit that was copied.
    pub generation: u64,
    /// Files that were linked.
    pub linked: usize,
    /// Files that were copied because they could not be linked.
    pub copied: usize,
}

impl Index {
    /// This index as it was at one of its commits, with the videos of that time and no others.
    ///
    /// The list of videos is verified against the history. Pictures and publications are the
    /// present ones, since past ones are not recorded.
    ///
    /// # Errors
    /// [`Error::NoPast`] if there is no such commit or some of its data is gone,
    /// [`Error::CorruptIndex`], and [`Error::Io`].
    pub fn as_of(&self, generation: u64) -> Result<Index> {
        let (leaf, before) = self.commit(generation)?;
        let mut stored = self.stored.clone();
        if generation == self.state().generation {
            return Index::load(self.dir(), stored, Some(self));
        }
        let was_there = |added: u64, removed: u64| added <= generation && removed > generation;
        let gone = stored
            .manifest
            .removed
            .iter()
            .filter(|gone| was_there(gone.added.generation, gone.generation))
            .count();
        if gone > 0 {
            let reason = format!(
                "{gone} of its videos were removed later, and a merge has deleted their keys; use a snapshot of that generation"
            );
            return Err(self.no_past(generation, reason));
        }
        for entry in &mut stored.manifest.segments {
            entry
                .tombstones
                .retain(|tombstone| tombstone.generation <= generation);
        }
        stored.root = leaf.root;
        stored.manifest.generation = generation;
        stored.manifest.committed_at = leaf.committed_at;
        stored.manifest.sources_root = leaf.sources_root;
        stored.manifest.allowlist_root = leaf.allowlist_root;
        stored.manifest.history = before;
        // The measurement is of the present state; the past one is not known.
        stored.manifest.screening = None;
        let mut past = Index::load(self.dir(), stored, Some(self))?;
        for live in &mut past.segments {
            for (dead, added) in live.dead.iter_mut().zip(&live.segment.added) {
                *dead |= added.generation > generation;
            }
        }
        past.describe_anew();
        let differ = [
            (past.searched_role(), leaf.sources_root),
            (Role::Benign, leaf.allowlist_root),
        ]
        .iter()
        .any(|(role, root)| past.root_of(*role) != *root);
        if differ {
            let reason =
                "its videos no longer match the history; use a snapshot of that generation"
                    .to_owned();
            return Err(self.no_past(generation, reason));
        }
        Ok(past)
    }

    /// This index with all benign material, but only the sources that were added after one of its
    /// commits. Its size counts as that of the whole index.
    ///
    /// # Errors
    /// [`Error::CorruptIndex`] and [`Error::Io`].
    pub fn since(&self, generation: u64) -> Result<Index> {
        let mut new = Index::load(self.dir(), self.stored.clone(), Some(self))?;
        for live in new
            .segments
            .iter_mut()
            .filter(|live| live.role.is_searched())
        {
            for (dead, added) in live.dead.iter_mut().zip(&live.segment.added) {
                *dead |= added.generation <= generation;
            }
        }
        // Do not spend time on keys that cannot count.
        new.segments
            .retain(|live| live.role == Role::Benign || live.dead.contains(&false));
        Ok(new)
    }

    /// Number of segments that a search looks into.
    pub(crate) fn segments_searched(&self) -> u32 {
        self.segments.len() as u32
    }

    /// Changes of the index after the commit with this generation and root.
    ///
    /// # Errors
    /// [`Error::NoPast`] if the history has no commit of this generation or one with another root,
    /// [`Error::CorruptIndex`], and [`Error::Io`].
    pub fn change_since(&self, generation: u64, root: &Hash) -> Result<Change> {
        let (leaf, _) = self.commit(generation)?;
        if leaf.root != *root {
            let reason = "the history has a different commit of this number, so this is another index or its history was rewritten; use the index that the certificate names";
            return Err(self.no_past(generation, reason.to_owned()));
        }
        let manifest = &self.stored.manifest;
        let mut change = Change {
            added: 0,
            removed: 0,
            benign: leaf.allowlist_root != manifest.allowlist_root,
        };
        for (live, entry) in self
            .segments
            .iter()
            .zip(&manifest.segments)
            .filter(|(live, _)| live.role.is_searched())
        {
            let added = |video: usize| live.segment.added[video].generation;
            let living = (0..live.dead.len()).filter(|video| !live.dead[*video]);
            change.added += living.filter(|video| added(*video) > generation).count() as u64;
            let removed = entry
                .tombstones
                .iter()
                .filter(|tombstone| tombstone.generation > generation);
            change.removed += removed
                .filter(|tombstone| added(tombstone.video as usize) <= generation)
                .count() as u64;
        }
        let gone = manifest
            .removed
            .iter()
            .filter(|gone| gone.role.is_searched() && gone.generation > generation);
        change.removed += gone
            .filter(|gone| gone.added.generation <= generation)
            .count() as u64;
        Ok(change)
    }

    /// When its newest source was added, in RFC 3339, in UTC; `None` if unknown.
    pub fn newest_source_at(&self) -> Option<String> {
        let sources = self.segments.iter().filter(|live| live.role.is_searched());
        let times = sources.flat_map(|live| {
            live.segment
                .added
                .iter()
                .zip(&live.dead)
                .filter(|(_, dead)| !**dead)
                .map(|(added, _)| added.at)
        });
        moment_of(times.max().unwrap_or(0))
    }

    /// The SHA-256s of its sources, ascending: the leaves under
    /// [`IndexState::sources_root`](super::IndexState::sources_root).
    pub fn source_leaves(&self) -> Vec<Hash> {
        let sources = self.segments.iter().filter(|live| live.role.is_searched());
        let mut leaves: Vec<Hash> = sources
            .flat_map(|live| live.segment.videos.iter().zip(&live.dead))
            .filter(|(_, dead)| !**dead)
            .map(|(video, _)| video.sha256)
            .collect();
        leaves.sort_unstable();
        leaves
    }

    /// The hashed bytes of the history's leaves, with this snapshot's commit, oldest first.
    ///
    /// # Errors
    /// Those of [`Index::history`].
    pub fn history_leaves(&self) -> Result<Vec<Vec<u8>>> {
        let (history, _) = History::load_committed(self.dir(), &self.stored.manifest.history)?;
        let leaves = history.leaves().iter().copied().chain([self.stored.leaf()]);
        Ok(leaves.map(|leaf| leaf.to_bytes().to_vec()).collect())
    }

    /// Copies this snapshot into an empty or new folder, where later changes of the index do not
    /// affect it. Write-once files are linked, or copied if the folder is on another file system.
    ///
    /// # Errors
    /// [`Error::InvalidSetting`] if the folder is not empty, [`Error::CorruptIndex`] if a file is
    /// gone, and [`Error::Io`].
    pub fn copy_to(&self, folder: &Path) -> Result<Copied> {
        if fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(Error::InvalidSetting {
                name: "the folder of the snapshot",
                found: format!("{}, which is not empty", folder.display()),
                expected: "an empty folder, or a new one",
            });
        }
        let segments = manifest::segments_path(folder);
        fs::create_dir_all(&segments).map_err(Error::io(&segments, "create folder"))?;
        let mut done = Copied {
            generation: self.state().generation,
            linked: 0,
            copied: 0,
        };
        let mut named: Vec<_> = named_files(self.dir(), &self.stored.manifest)
            .into_iter()
            .collect();
        named.sort();
        for file in named {
            let to = segments.join(file.file_name().unwrap_or_default());
            match fs::hard_link(&file, &to) {
                Ok(()) => done.linked += 1,
                Err(cause) if cause.kind() == ErrorKind::NotFound => {
                    return Err(Error::io(&file, "link")(cause));
                }
                Err(_) => {
                    fs::copy(&file, &to).map_err(Error::io(&to, "copy"))?;
                    let copy = fs::File::open(&to).map_err(Error::io(&to, "open"))?;
                    copy.sync_all().map_err(Error::io(&to, "sync"))?;
                    done.copied += 1;
                }
            }
        }
        Disk.sync_folder(&segments)
            .map_err(Error::io(&segments, "sync"))?;
        let leaves = self.stored.manifest.history.leaves;
        if leaves > 0 {
            // The history is appended to in place, so a link to it would change.
            let (from, to) = (history::path(self.dir()), history::path(folder));
            let mut content = fs::read(&from).map_err(Error::io(&from, "read"))?;
            content.truncate(usize::try_from(history::length(leaves)).unwrap_or(usize::MAX));
            fs::write(&to, content).map_err(Error::io(&to, "write"))?;
        }
        // The manifest comes last, since it makes the folder an index. Then the copy is verified,
        // since a writer may have changed files meanwhile.
        let (_, body) = manifest::Stored::encode(self.stored.manifest.clone(), folder)?;
        manifest::write(&Disk, folder, &body)?;
        let copy = Index::open(folder)?;
        if copy.stored.root != self.stored.root {
            return Err(self.no_past(
                self.state().generation,
                "its manifest is of another version".to_owned(),
            ));
        }
        History::load(
            folder,
            &copy.stored.manifest.history,
            Some(&copy.stored.leaf()),
        )?;
        Ok(done)
    }

    /// The leaf of a commit, and its manifest's commitment to the commits before it.
    fn commit(&self, generation: u64) -> Result<(Leaf, Commitment)> {
        let own = self.stored.leaf();
        let (history, _) = History::load_committed(self.dir(), &self.stored.manifest.history)?;
        let mut tree = Frontier::default();
        for leaf in history.leaves().iter().chain([&own]) {
            if leaf.generation == generation {
                return Ok((
                    *leaf,
                    Commitment {
                        leaves: tree.leaves(),
                        root: tree.root(),
                    },
                ));
            }
            tree.push(&leaf.to_bytes());
        }
        let reason = match history.leaves().first() {
            _ if generation > own.generation => format!("the newest is {}", own.generation),
            Some(first) => format!("the history begins with {}", first.generation),
            None => format!("the only one is {}", own.generation),
        };
        Err(self.no_past(generation, reason))
    }

    fn describe_anew(&mut self) {
        let state = describe(&self.stored, &self.segments, self.cells_now());
        self.set_state(state);
    }

    fn no_past(&self, generation: u64, reason: String) -> Error {
        Error::NoPast {
            path: self.dir().to_owned(),
            generation,
            reason,
        }
    }
}
