//! The coarse cells of an index, by which its keys are sorted.
//!
//! A cell holds the keys that are nearer to its *centroid* than to any other. Keys that are near
//! each other lie in the same cell or in neighbouring ones, so a search compares a query only with
//! the keys of the few nearest cells. The centroids are trained from the index's own keys
//! ([`train`]), kept in a file of the index, and trained again when the index has grown fourfold. A
//! segment names the centroids that its keys are sorted by.
//!
//! Up to [`GRAPH_FROM`] cells, the nearest are found by comparing the query with all centroids;
//! beyond that by an HNSW graph over them ([`graph`]). Only the number of cells decides, so that
//! every machine finds the same.

mod graph;
mod train;

use std::path::Path;

use rayon::prelude::*;

use self::graph::Graph;
use super::files::BlockFile;
use super::format::{self, FileWriter};
use super::manifest::FileEntry;
use super::scan::{Kernel, block};
use super::storage::Storage;
use super::upkeep::Work;
use crate::error::Result;
use crate::fingerprint::Key;

pub(crate) use train::{TRAINING_KEYS, steps as training_steps, train};

/// Magic at the start of a file of centroids.
pub(crate) const CELLS_MAGIC: [u8; 8] = *b"uniqCELL";

/// Number of keys below which an index has a single cell. By default a search compares all keys of
/// an index of up to twice this size.
pub(crate) const CELLS_FROM: u64 = 16_384;

/// Number of cells above which a graph finds the nearest; an index of 270 million keys has this
/// many. A core compares 6e9 pairs a second with AVX-512, 2e9 with AVX2. So comparing a key with
/// 32 768 centroids takes 5 or 16 us, and twice as many centroids take twice as long. A walk
/// through a graph hardly gets slower.
pub(crate) const GRAPH_FROM: usize = 32_768;

/// Cells in a block of which the least distance is taken.
const BLOCK_CELLS: usize = 32;

/// Maximum number of cells; 2^20 suit 7e10 keys.
pub(crate) const CELLS_MAX: usize = 1 << 20;

/// Number of cells that suits an index of `keys` keys: about four times the square root, as a power
/// of two. A search then compares about as many centroids as keys.
pub(crate) fn cells_for(keys: u64) -> usize {
    if keys < CELLS_FROM {
        return 1;
    }
    let wanted = 4 * keys.isqrt() as usize;
    (1 << wanted.ilog2()).min(CELLS_MAX)
}

/// The centroids by which keys are sorted.
#[derive(Debug)]
pub(crate) struct Cells {
    /// Checksum of the file; 0 for the single cell, which has no file.
    checksum: u64,
    centroids: Vec<Key>,
    /// The centroids as four planes of 64-bit words.
    planes: [Vec<u64>; 4],
    graph: Option<Graph>,
}

impl Cells {
    /// The single cell of a small index.
    pub(crate) fn single() -> Cells {
        Cells::of(0, vec![Key::default()], None)
    }

    fn of(checksum: u64, centroids: Vec<Key>, graph: Option<Graph>) -> Cells {
        let planes = std::array::from_fn(|word| centroids.iter().map(|key| key.0[word]).collect());
        Cells {
            checksum,
            centroids,
            planes,
            graph,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.centroids.len()
    }

    /// Checksum by which a segment names these centroids.
    pub(crate) fn checksum(&self) -> u64 {
        self.checksum
    }

    /// Share of the nearest cells that the graph finds, in 0..=1, measured when it was built; 1
    /// without a graph.
    pub(crate) fn recall(&self) -> f64 {
        self.graph.as_ref().map_or(1.0, |graph| graph.recall)
    }

    /// Writes centroids to a file, with a graph over them if they are more than [`GRAPH_FROM`].
    pub(crate) fn write(
        storage: &dyn Storage,
        path: &Path,
        centroids: &[Key],
        work: &Work<'_>,
    ) -> Result<FileEntry> {
        Cells::write_with(storage, path, centroids, centroids.len() > GRAPH_FROM, work)
    }

    /// As [`Cells::write`], with or without a graph.
    fn write_with(
        storage: &dyn Storage,
        path: &Path,
        centroids: &[Key],
        with_graph: bool,
        work: &Work<'_>,
    ) -> Result<FileEntry> {
        let graph = if with_graph {
            Some(graph::build(centroids, work)?)
        } else {
            None
        };
        let mut file = FileWriter::create(storage, path, CELLS_MAGIC)?;
        file.append(&[centroids.len() as u64, u64::from(graph.is_some())])?;
        file.begin_section()?;
        for key in centroids {
            file.append(&key.0)?;
        }
        if let Some(graph) = &graph {
            graph.write(&mut file)?;
        }
        file.finish()
    }

    /// Reads a file of centroids and verifies all of it.
    pub(crate) fn open(file: &BlockFile) -> Result<Cells> {
        let mut reader = file.reader();
        let (count, has_graph) = (reader.u64()?, reader.u64()?);
        let keys = reader.take_section::<[u64; 4]>(count)?;
        if !(2..=CELLS_MAX as u64).contains(&count) || has_graph > 1 {
            let found = format!("{count} cells and {has_graph} graphs");
            return Err(reader.corrupt("centroids", found, "2 to 2^20 cells, and a graph or none"));
        }
        let centroids: Vec<Key> = file
            .view::<[u64; 4]>(keys)?
            .iter()
            .map(|words| Key(*words))
            .collect();
        let graph = if has_graph == 1 {
            Some(Graph::read(file, &mut reader, count as usize)?)
        } else {
            None
        };
        reader.finish()?;
        Ok(Cells::of(file.checksum(), centroids, graph))
    }

    /// The `count` cells nearest to a key, nearest first, ties by number.
    pub(crate) fn nearest(&self, key: Key, count: usize, search: &mut Search) -> Vec<u32> {
        if self.len() == 1 {
            return vec![0];
        }
        match &self.graph {
            Some(graph) => graph.nearest(&self.centroids, key, count, &mut search.walk),
            None => self.nearest_of_all(key, count, search),
        }
    }

    fn nearest_of_all(&self, key: Key, count: usize, search: &mut Search) -> Vec<u32> {
        let planes = self.planes.each_ref().map(Vec::as_slice);
        search.distances.resize(self.len(), 0);
        block::distances_to(search.kernel, planes, key.0, &mut search.distances);
        // At least `count` cells lie within the `count`-th smallest block minimum, so that distance
        // is a sufficient bound. Few blocks have any cell within it.
        let least = |block: &[u8]| {
            block
                .iter()
                .fold(u8::MAX, |least, distance| least.min(*distance))
        };
        let minima: Vec<u8> = search.distances.chunks(BLOCK_CELLS).map(least).collect();
        let mut ordered = minima.clone();
        let enough = match ordered.len() {
            few if few < count => u8::MAX,
            _ => *ordered.select_nth_unstable(count - 1).1,
        };
        let mut nearest: Vec<(u8, u32)> = Vec::new();
        for (block, _) in minima
            .iter()
            .enumerate()
            .filter(|(_, least)| **least <= enough)
        {
            let first = block * BLOCK_CELLS;
            let of_block = search.distances[first..]
                .iter()
                .take(BLOCK_CELLS)
                .zip(first as u32..);
            nearest.extend(
                of_block
                    .filter(|(distance, _)| **distance <= enough)
                    .map(|(distance, cell)| (*distance, cell)),
            );
        }
        nearest.sort_unstable();
        nearest.truncate(count);
        nearest.into_iter().map(|(_, cell)| cell).collect()
    }

    /// The cell of each key, computed on rayon's threads.
    pub(crate) fn assign(&self, keys: &[Key]) -> Vec<u32> {
        if self.len() == 1 {
            return vec![0; keys.len()];
        }
        keys.par_iter()
            .with_min_len(256)
            .map_init(Search::new, |search, key| {
                self.nearest(*key, 1, search)
                    .first()
                    .copied()
                    .unwrap_or_default()
            })
            .collect()
    }
}

/// Buffers of a search for cells, kept for the next one.
pub(crate) struct Search {
    kernel: Kernel,
    distances: Vec<u8>,
    walk: graph::Walk,
}

impl Search {
    pub(crate) fn new() -> Search {
        Search {
            kernel: Kernel::detect(),
            distances: Vec::new(),
            walk: graph::Walk::default(),
        }
    }
}

/// The error for a damaged file of centroids.
fn unsound(file: &BlockFile, found: &str) -> crate::error::Error {
    format::corrupt(
        &file.path,
        "graph of the cells",
        found,
        "links between cells",
    )
}

#[cfg(test)]
mod tests;
