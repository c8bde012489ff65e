//! Some segments of an index, opened by one of several processes, and the state of the whole.
//!
//! A video never spans two segments, so all that a check reads of a video lies in one shard. A
//! shard records the reads of its own search ([`Recorder`]). The coordinator runs the check on the
//! reads of all shards ([`Gathered`]) and gets the same report as from the whole index.

mod gathered;
mod reads;
mod recorder;
mod sealed;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::format::hex;
use super::lookup::Described;
use super::manifest::{self, SegmentEntry, Stored};
use super::newest;
use super::snapshot::{self, Held, Index};
use super::video::Role;
use super::{IndexState, moment_of};
use crate::error::{Error, Result};
use crate::fingerprint::FINGERPRINT_VERSION;

pub(crate) use gathered::{Gathered, Missing, TRACKS_AT_A_TIME};
pub(crate) use reads::Reads;
pub(crate) use recorder::Recorder;
pub(crate) use sealed::Sealed;

/// A segment of an index, as its manifest describes it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Part {
    /// Number of the segment, part of its file name.
    pub number: u64,
    /// SHA-256 of its file, in hexadecimal.
    pub sha256: String,
    /// Length of its file, in bytes.
    pub bytes: u64,
    /// Number of its keys, including removed ones.
    pub keys: u64,
    /// Number of its videos, including removed ones.
    pub videos: u64,
    /// The role of all its videos. Every shard holds the benign segments, which are small.
    pub role: Role,
}

impl Part {
    fn of(entry: &SegmentEntry) -> Part {
        Part {
            number: entry.number,
            sha256: hex(&entry.file.sha256),
            bytes: entry.file.length,
            keys: entry.keys.into(),
            videos: entry.videos.into(),
            role: entry.role,
        }
    }
}

/// The segments of an index, in the order of its manifest. Only the manifest is read.
///
/// # Errors
/// [`Error::NoIndex`], [`Error::IncompatibleIndex`], and [`Error::CorruptIndex`] if the manifest is
/// damaged or older than the newest commit that is noted.
pub fn parts(dir: &Path) -> Result<Vec<Part>> {
    Ok(stored(dir)?
        .manifest
        .segments
        .iter()
        .map(Part::of)
        .collect())
}

fn stored(dir: &Path) -> Result<Stored> {
    let stored = newest::load(dir)?.ok_or_else(|| Error::NoIndex {
        path: dir.to_owned(),
    })?;
    manifest::check_fingerprint(dir, &stored.manifest.config, FINGERPRINT_VERSION)?;
    Ok(stored)
}

/// Some of the searched segments of an index, and all of its benign ones, opened for searching.
#[derive(Debug)]
pub struct Shard {
    index: Index,
    /// Position in the manifest of each segment of `index`, ascending.
    positions: Vec<u32>,
}

impl Shard {
    /// Opens the segments with these numbers, and the benign ones. The folder must hold the
    /// manifest and the files of these segments.
    ///
    /// # Errors
    /// Those of [`Index::open`], and [`Error::IncompleteAnswer`] if one of the numbers is not of a
    /// searched segment.
    pub fn open(dir: &Path, numbers: &[u64]) -> Result<Shard> {
        let stored = stored(dir)?;
        let wanted =
            |entry: &SegmentEntry| !entry.role.is_searched() || numbers.contains(&entry.number);
        let entries = &stored.manifest.segments;
        let is_there = |number: &&u64| {
            entries
                .iter()
                .any(|entry| entry.number == **number && entry.role.is_searched())
        };
        if let Some(number) = numbers.iter().find(|number| !is_there(number)) {
            let reason = format!(
                "generation {} has no searchable segment {number}; list the segments again",
                stored.manifest.generation
            );
            return Err(Error::IncompleteAnswer {
                path: dir.to_owned(),
                reason,
            });
        }
        let positions = (0..)
            .zip(entries)
            .filter(|(_, entry)| wanted(entry))
            .map(|(position, _)| position)
            .collect();
        let index = Index::load_part(dir, stored, None, &wanted)?;
        Ok(Shard { index, positions })
    }

    /// Description of what it holds, from which [`State::of_shards`] makes the state of the whole
    /// index.
    pub fn holdings(&self) -> ShardHoldings {
        let cells = self.index.cells_now();
        ShardHoldings {
            root: self.index.stored.root,
            segments: self
                .index
                .segments
                .iter()
                .map(|live| (live.number, Held::of(live)))
                .collect(),
            cells: cells.len() as u64,
            cells_recall: cells.recall(),
        }
    }

    /// The folder from which it was opened.
    pub fn dir(&self) -> &Path {
        self.index.dir()
    }

    /// SHA-256s of its searched segments, in hexadecimal.
    pub(crate) fn searched<'a>(&self, state: &'a State) -> impl Iterator<Item = &'a str> {
        let parts = self
            .positions
            .iter()
            .filter_map(|position| state.parts.get(*position as usize));
        parts
            .filter(|part| part.role.is_searched())
            .map(|part| part.sha256.as_str())
    }

    /// Fails unless this shard belongs to the index that `state` describes.
    ///
    /// # Errors
    /// [`Error::IncompleteAnswer`].
    pub(crate) fn check(&self, state: &State) -> Result<()> {
        let root = hex(&self.index.stored.root);
        if root == state.state.root {
            return Ok(());
        }
        let generation = self.index.state().generation;
        let wanted = state.state.generation;
        let reason = format!(
            "this shard is at generation {generation} ({root:.16}), but the index is at {wanted} ({:.16}); open the shard again",
            state.state.root
        );
        Err(Error::IncompleteAnswer {
            path: self.dir().to_owned(),
            reason,
        })
    }
}

/// What a [`Shard`] holds.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ShardHoldings {
    root: [u8; 32],
    segments: Vec<(u64, Held)>,
    cells: u64,
    cells_recall: f64,
}

impl ShardHoldings {
    /// Encodes it for another process of the same version.
    ///
    /// # Errors
    /// [`Error::Io`] if they are more than a gigabyte.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        self.seal()
    }

    /// Decodes bytes that [`ShardHoldings::to_bytes`] made.
    ///
    /// # Errors
    /// [`Error::IncompleteAnswer`] if they are damaged or of another version.
    pub fn from_bytes(bytes: &[u8]) -> Result<ShardHoldings> {
        ShardHoldings::unseal(bytes)
    }
}

impl Sealed for ShardHoldings {
    const WHAT: &'static str = "holdings of a shard";
}

impl Sealed for State {
    const WHAT: &'static str = "state of an index";
}

/// What a check needs to know of an index as a whole.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct State {
    dir: PathBuf,
    pub(crate) state: IndexState,
    searched: Role,
    committed_at: Option<String>,
    probes: Option<u64>,
    /// In the order of the manifest.
    pub(crate) parts: Vec<Part>,
}

impl State {
    /// The state of an index that is open as a whole.
    pub fn of(index: &Index) -> State {
        let mut state = State::new(index.dir(), &index.stored, index.state().clone());
        state.searched = index.searched_role();
        state
    }

    /// The state of an index whose segments are open elsewhere. Only the manifest is read here.
    ///
    /// # Errors
    /// Those of [`parts`], and [`Error::IncompleteAnswer`] if the shards are of another commit, or
    /// together do not hold all segments.
    pub fn of_shards(dir: &Path, shards: &[ShardHoldings]) -> Result<State> {
        let stored = stored(dir)?;
        let incomplete = |reason: String| Error::IncompleteAnswer {
            path: dir.to_owned(),
            reason,
        };
        let Some(first) = shards.first() else {
            return Err(incomplete(
                "there are no shards; give at least one".to_owned(),
            ));
        };
        let mut held: BTreeMap<u64, Held> = BTreeMap::new();
        for shard in shards {
            if shard.root != stored.root {
                let (found, root) = (hex(&shard.root), hex(&stored.root));
                return Err(incomplete(format!(
                    "a shard is at another commit ({found:.16}) than the manifest ({root:.16}); open the shard again"
                )));
            }
            held.extend(shard.segments.iter().copied());
        }
        let in_order = stored.manifest.segments.iter().map(|entry| {
            held.get(&entry.number).copied().ok_or_else(|| {
                incomplete(format!(
                    "no shard holds segment {}; open that segment in one of them",
                    entry.number
                ))
            })
        });
        let held = in_order.collect::<Result<Vec<Held>>>()?;
        let state = snapshot::describe_held(&stored, &held, first.cells, first.cells_recall);
        Ok(State::new(dir, &stored, state))
    }

    fn new(dir: &Path, stored: &Stored, state: IndexState) -> State {
        let parts: Vec<Part> = stored.manifest.segments.iter().map(Part::of).collect();
        let is_submissions = parts.iter().any(|part| part.role == Role::Submission);
        State {
            dir: dir.to_owned(),
            state,
            searched: if is_submissions {
                Role::Submission
            } else {
                Role::Source
            },
            committed_at: moment_of(stored.manifest.committed_at),
            probes: stored
                .manifest
                .screening
                .as_ref()
                .map(|screening| screening.probes.into()),
            parts,
        }
    }

    /// The folder of the index, as the coordinator calls it.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Encodes it for another process of the same version.
    ///
    /// # Errors
    /// [`Error::Io`] if they are more than a gigabyte.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        self.seal()
    }

    /// Decodes bytes that [`State::to_bytes`] made.
    ///
    /// # Errors
    /// [`Error::IncompleteAnswer`] if they are damaged or of another version.
    pub fn from_bytes(bytes: &[u8]) -> Result<State> {
        State::unseal(bytes)
    }

    /// Time of its last commit in RFC 3339; `None` if unknown.
    pub fn committed_at(&self) -> Option<&str> {
        self.committed_at.as_deref()
    }

    /// Size and condition of the index.
    pub fn index(&self) -> &IndexState {
        &self.state
    }

    /// The segments to search, in the order of the manifest.
    pub fn searched(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter().filter(|part| part.role.is_searched())
    }

    /// Fails unless each searched segment occurs exactly once in `answered`.
    ///
    /// # Errors
    /// [`Error::IncompleteAnswer`].
    pub(crate) fn check_complete<'a>(&self, answered: impl Iterator<Item = &'a str>) -> Result<()> {
        let mut times: HashMap<&str, u32> = HashMap::new();
        answered.for_each(|sha256| *times.entry(sha256).or_default() += 1);
        let incomplete = |reason: String| {
            Err(Error::IncompleteAnswer {
                path: self.dir.clone(),
                reason,
            })
        };
        for part in self.searched() {
            match times.remove(part.sha256.as_str()) {
                Some(1) => {}
                None => {
                    return incomplete(format!(
                        "segment {} ({:.16}) was not searched; send the answer of its shard too",
                        part.number, part.sha256
                    ));
                }
                Some(times) => {
                    return incomplete(format!(
                        "segment {} was searched {times} times; send one answer for each segment",
                        part.number
                    ));
                }
            }
        }
        match times.keys().next() {
            Some(other) => incomplete(format!(
                "a shard searched segment {other:.16}, which the index does not have; open its shard again"
            )),
            None => Ok(()),
        }
    }
}

impl Described for State {
    fn dir(&self) -> &Path {
        &self.dir
    }

    fn state(&self) -> &IndexState {
        &self.state
    }

    fn searched_role(&self) -> Role {
        self.searched
    }

    fn committed_at(&self) -> Option<String> {
        self.committed_at.clone()
    }

    fn probes(&self) -> Option<usize> {
        self.probes.map(|probes| probes as usize)
    }
}
