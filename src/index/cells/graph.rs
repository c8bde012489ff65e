//! HNSW over the centroids: built with hnsw_rs, frozen to flat arrays, and searched here.
//!
//! Of hnsw_rs only insertion and the listing of links are used, because its dump prints, panics and
//! exits on damaged files. Insertion is serial, in the order of the centroids, which training has
//! shuffled; so the same centroids always give the same graph. Many equal points would ruin a
//! graph. Centroids start as different keys, and few of them ever become equal.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

use hnsw_rs::prelude::{Distance, Hnsw};
use rayon::prelude::*;

use super::unsound;
use crate::error::Result;
use crate::fingerprint::Key;
use crate::index::files::BlockFile;
use crate::index::format::{FileReader, FileWriter};
use crate::index::random::SplitMix;
use crate::index::upkeep::Work;

/// A graph over the centroids.
#[derive(Debug)]
pub(crate) struct Graph {
    /// From layer 0 upwards.
    layers: Vec<Layer>,
    /// The cell at which a search starts.
    entry: u32,
    /// Mean share of the 16 nearest cells that a search finds, measured with noisy copies of
    /// centroids.
    pub(crate) recall: f64,
}

/// Links of a layer. `cells` lists the cells that have links, in ascending order. `starts` says
/// where the links of each begin, and has one element more.
#[derive(Debug, Default)]
struct Layer {
    cells: Vec<u32>,
    starts: Vec<u32>,
    links: Vec<u32>,
}

impl Layer {
    fn of(&self, cell: u32) -> &[u32] {
        // Layer 0 has all cells, so the cell is its own position.
        let place = if self.cells.get(cell as usize) == Some(&cell) {
            cell as usize
        } else {
            match self.cells.binary_search(&cell) {
                Ok(place) => place,
                Err(_) => return &[],
            }
        };
        &self.links[self.starts[place] as usize..self.starts[place + 1] as usize]
    }
}

/// Builds the graph and measures its recall.
pub(crate) fn build(centroids: &[Key], work: &Work<'_>) -> Result<Graph> {
    let hnsw: Hnsw<'_, u64, Bits> =
        Hnsw::new(LINKS, centroids.len(), LAYERS_MAX, CONSTRUCTION, Bits);
    for (cell, key) in centroids.iter().enumerate() {
        if cell % 1024 == 0 {
            work.stop_if_asked()?;
        }
        work.advance(1);
        hnsw.insert((&key.0, cell));
    }
    let indexation = hnsw.get_point_indexation();
    let top = usize::from(indexation.get_max_level_observed());
    let mut of_layers: Vec<Vec<(u32, Vec<u32>)>> = vec![Vec::new(); top + 1];
    let mut entry = (0, i32::MIN, 0);
    for point in indexation {
        let place = point.get_point_id();
        let (height, cell) = (usize::from(place.0), point.get_origin_id() as u32);
        entry = entry.max((height, -place.1, cell));
        for (layer, links) in point
            .get_neighborhood_id()
            .into_iter()
            .enumerate()
            .take(height + 1)
        {
            let mut links: Vec<u32> = links
                .iter()
                .map(|link| link.d_id as u32)
                .filter(|next| *next != cell)
                .collect();
            links.sort_unstable();
            of_layers[layer].push((cell, links));
        }
    }
    let layers = of_layers.into_iter().map(|mut of_layer| {
        of_layer.sort_unstable();
        let mut layer = Layer {
            starts: vec![0],
            ..Layer::default()
        };
        for (cell, links) in of_layer {
            layer.cells.push(cell);
            layer.links.extend(links);
            layer.starts.push(layer.links.len() as u32);
        }
        layer
    });
    let mut graph = Graph {
        layers: layers.collect(),
        entry: entry.2,
        recall: 0.0,
    };
    graph.recall = graph.measured(centroids);
    Ok(graph)
}

impl Graph {
    /// The nearest cells, nearest first.
    pub(crate) fn nearest(
        &self,
        centroids: &[Key],
        query: Key,
        count: usize,
        walk: &mut Walk,
    ) -> Vec<u32> {
        let distance = |cell: u32| query.distance(centroids[cell as usize]);
        let mut at = (distance(self.entry), self.entry);
        for layer in self.layers.iter().skip(1).rev() {
            loop {
                let best = layer
                    .of(at.1)
                    .iter()
                    .map(|&cell| (distance(cell), cell))
                    .min();
                match best {
                    Some(best) if best.0 < at.0 => at = best,
                    _ => break,
                }
            }
        }
        let Some(ground) = self.layers.first() else {
            return vec![at.1];
        };
        let beam = BEAM.max(count);
        walk.restart(centroids.len());
        walk.visit(at.1);
        let mut waiting = BinaryHeap::from([Reverse(at)]);
        let mut found = BinaryHeap::from([at]);
        while let Some(Reverse((near, cell))) = waiting.pop() {
            if found.len() >= beam && found.peek().is_some_and(|worst| near > worst.0) {
                break;
            }
            for &next in ground.of(cell) {
                if !walk.visit(next) {
                    continue;
                }
                let next = (distance(next), next);
                if found.len() < beam || found.peek().is_some_and(|worst| next < *worst) {
                    waiting.push(Reverse(next));
                    found.push(next);
                    if found.len() > beam {
                        found.pop();
                    }
                }
            }
        }
        let mut nearest = found.into_sorted_vec();
        nearest.truncate(count);
        nearest.into_iter().map(|(_, cell)| cell).collect()
    }

    /// Measures the recall with 1000 centroids of which 40 bits are flipped.
    fn measured(&self, centroids: &[Key]) -> f64 {
        let mut random = SplitMix::new(SEED);
        let queries: Vec<Key> = (0..QUERIES)
            .map(|_| {
                let centroid = centroids[random.below(centroids.len() as u32) as usize];
                random.flip(centroid, 40)
            })
            .collect();
        let found: u64 = queries
            .par_iter()
            .map_init(Walk::default, |walk, query| {
                let mut all: Vec<u32> = centroids
                    .iter()
                    .map(|centroid| query.distance(*centroid))
                    .collect();
                let found = self.nearest(centroids, *query, NEAREST, walk);
                let distances: Vec<u32> = found.iter().map(|cell| all[*cell as usize]).collect();
                let (_, last, _) = all.select_nth_unstable(NEAREST - 1);
                distances
                    .iter()
                    .filter(|distance| **distance <= *last)
                    .count() as u64
            })
            .sum();
        found as f64 / (queries.len() * NEAREST) as f64
    }

    pub(crate) fn write(&self, file: &mut FileWriter<'_>) -> Result<()> {
        file.append(&[
            u64::from(self.entry),
            self.recall.to_bits(),
            self.layers.len() as u64,
        ])?;
        for layer in &self.layers {
            file.append(&[layer.cells.len() as u64, layer.links.len() as u64])?;
            file.section(&layer.cells)?;
            file.section(&layer.starts)?;
            file.section(&layer.links)?;
            file.begin_section()?;
        }
        Ok(())
    }

    /// Reads what [`Graph::write`] wrote, and checks that every number is in range.
    pub(crate) fn read(
        file: &BlockFile,
        reader: &mut FileReader<'_>,
        cells: usize,
    ) -> Result<Graph> {
        let (entry, recall, count) = (reader.u64()?, f64::from_bits(reader.u64()?), reader.u64()?);
        if entry >= cells as u64
            || !(0.0..=1.0).contains(&recall)
            || !(1..=LAYERS_MAX as u64).contains(&count)
        {
            return Err(unsound(file, "its head"));
        }
        let mut layers = Vec::new();
        for number in 0..count {
            let (of_layer, links) = (reader.u64()?, reader.u64()?);
            let mut section = |count: u64| -> Result<Vec<u32>> {
                let range: Range<usize> = reader.take_section::<u32>(count)?;
                Ok(file.view::<u32>(range)?.to_vec())
            };
            let layer = Layer {
                cells: section(of_layer)?,
                starts: section(of_layer + 1)?,
                links: section(links)?,
            };
            reader.take_section::<u8>(0)?;
            let ascending = |numbers: &[u32]| numbers.windows(2).all(|pair| pair[0] < pair[1]);
            let in_range = |numbers: &[u32]| numbers.iter().all(|cell| (*cell as usize) < cells);
            let starts = layer.starts.first() == Some(&0)
                && layer.starts.last() == Some(&(layer.links.len() as u32))
                && layer.starts.windows(2).all(|pair| pair[0] <= pair[1]);
            let whole = number > 0 || layer.cells.len() == cells;
            if !ascending(&layer.cells)
                || !in_range(&layer.cells)
                || !in_range(&layer.links)
                || !starts
                || !whole
            {
                return Err(unsound(file, "numbers out of range or order"));
            }
            layers.push(layer);
        }
        Ok(Graph {
            layers,
            entry: entry as u32,
            recall,
        })
    }
}

/// The cells that a search has visited.
#[derive(Default)]
pub(crate) struct Walk {
    visits: Vec<u32>,
    turn: u32,
}

impl Walk {
    fn restart(&mut self, cells: usize) {
        if self.visits.len() != cells || self.turn == u32::MAX {
            (self.visits, self.turn) = (vec![0; cells], 0);
        }
        self.turn += 1;
    }

    /// Whether it is the first visit.
    fn visit(&mut self, cell: u32) -> bool {
        std::mem::replace(&mut self.visits[cell as usize], self.turn) != self.turn
    }
}

/// The bit distance for hnsw_rs; exact in an `f32`.
struct Bits;

impl Distance<u64> for Bits {
    fn eval(&self, a: &[u64], b: &[u64]) -> f32 {
        a.iter()
            .zip(b)
            .map(|(a, b)| (a ^ b).count_ones())
            .sum::<u32>() as f32
    }
}

/// Links of a cell; layer 0 has twice as many.
const LINKS: usize = 24;
/// Cells that are examined to link a new one.
const CONSTRUCTION: usize = 200;
/// Beam width of a search, in cells.
const BEAM: usize = 96;
/// Layers for which hnsw_rs reserves room. It can list points only with 16.
const LAYERS_MAX: usize = 16;
/// Number of queries with which the recall is measured, and number of cells to find for each.
const QUERIES: usize = 1000;
const NEAREST: usize = 16;
const SEED: u64 = 0x5eed_0fce_115a_11d5;
