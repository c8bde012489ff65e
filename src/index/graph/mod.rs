//! HNSW over a segment's keys: frozen to flat arrays, mapped, and searched here.
//!
//! Near-copies ruin such a graph: a key whose neighbours are all copies of itself has no way out to the rest. So the
//! graph has one *node* for each group of near-copies, and lists the group's members beside it. A search looks for nodes
//! within the radius plus the groups' reach, and then compares the members themselves; distances are always real ones.
//!
//! A graph may miss neighbours. How many was measured when it was built; a graph that misses more than one in a hundred
//! is not kept.

mod build;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;
use std::path::Path;
use std::sync::OnceLock;

use rayon::prelude::*;

use super::files::Mapped;
use super::format::{self, FileWriter, GRAPH_MAGIC};
use super::manifest::FileEntry;
use super::scan::Found;
use super::segment::Segment;
use super::storage::Storage;
use crate::error::Result;
use crate::fingerprint::Key;

pub(crate) use build::{Built, build};

/// Radius in bits at which a graph's recall is measured, and up to which it is used: that of the vote.
pub const GRAPH_RADIUS: u32 = 72;
/// Least recall, in 0..=1, at which a graph is kept.
pub const GRAPH_RECALL: f64 = 0.99;

/// An opened graph whose counts, bounds, members and keys have been found right for its segment.
#[derive(Debug)]
pub(crate) struct Graph {
    file: Mapped,
    /// Keys of the nodes, whole ones side by side: a walk reads them at random. Nodes of upper layers come first.
    keys: Range<usize>,
    /// Where the members of each node begin; one more than nodes.
    member_offsets: Range<usize>,
    /// Numbers of the segment's keys, each exactly once; the first of a node is its own key.
    members: Range<usize>,
    /// From layer 0, which has all nodes, upwards; each has a beginning part of the nodes of the one below.
    layers: Vec<LinkRanges>,
    /// Distance of each node's farthest member.
    reaches: Range<usize>,
    /// Length of the beam.
    ef: u32,
    /// Set once the whole file has been verified and its numbers found in range.
    ready: OnceLock<()>,
    /// Share of true neighbours within [`GRAPH_RADIUS`] that the graph found when it was built.
    pub(crate) recall: f64,
}

/// Where the links of a layer lie in the file.
#[derive(Debug)]
struct LinkRanges {
    offsets: Range<usize>,
    links: Range<usize>,
}

/// The same as slices.
#[derive(Clone, Copy)]
struct Layer<'a> {
    offsets: &'a [u32],
    links: &'a [Link],
}

/// A graph as slices, mapped or in memory.
#[derive(Clone)]
pub(crate) struct View<'a> {
    keys: &'a [[u64; 4]],
    member_offsets: &'a [u32],
    members: &'a [u32],
    layers: Vec<Layer<'a>>,
    ef: u32,
    reaches: &'a [u8],
}

/// A graph in memory, before it is written.
#[derive(Debug, Default)]
pub(crate) struct Frozen {
    pub(crate) keys: Vec<[u64; 4]>,
    pub(crate) member_offsets: Vec<u32>,
    pub(crate) members: Vec<u32>,
    /// Offsets and links of each layer, from the lowest.
    pub(crate) layers: Vec<(Vec<u32>, Vec<Link>)>,
    pub(crate) ef: u32,
    pub(crate) reaches: Vec<u8>,
}

impl Graph {
    /// Lays out a mapped graph; what is in it is verified before the first search.
    pub(crate) fn open(file: Mapped, segment: &Segment, recall: f64) -> Result<Graph> {
        let mut reader = file.reader();
        let (owner, expected) = (reader.u64()?, segment.file().checksum);
        if owner != expected {
            let found = format!("{owner:016x}");
            return Err(reader.corrupt("checksum of the segment", found, format!("{expected:016x}")));
        }
        let nodes = reader.u32()?;
        let members = reader.u32()?;
        let ef = reader.u32()?;
        let layer_count = reader.u32()?;
        if members as usize != segment.len() || nodes == 0 || ef == 0 {
            return Err(reader.corrupt(
                "nodes, members, beam",
                format!("{nodes}, {members}, {ef}"),
                format!("some, {}, some", segment.len()),
            ));
        }
        if !(1..=LAYERS_MAX).contains(&layer_count) {
            return Err(reader.corrupt("number of layers", layer_count, "1 to 16"));
        }
        let mut counts = Vec::new();
        for _ in 0..layer_count {
            counts.push((reader.u32()?, reader.u32()?));
        }
        let keys = reader.take_section::<[u64; 4]>(u64::from(nodes))?;
        let member_offsets = reader.take_section::<u32>(u64::from(nodes) + 1)?;
        let members = reader.take_section::<u32>(u64::from(members))?;
        let reaches = reader.take_section::<u8>(u64::from(nodes))?;
        let mut layers = Vec::new();
        for &(nodes, links) in &counts {
            layers.push(LinkRanges {
                offsets: reader.take_section::<u32>(u64::from(nodes) + 1)?,
                links: reader.take_section::<Link>(u64::from(links))?,
            });
        }
        reader.finish()?;
        Ok(Graph { file, keys, member_offsets, members, layers, reaches, ef, ready: OnceLock::new(), recall })
    }

    /// The file itself.
    pub(crate) fn file(&self) -> &Mapped {
        &self.file
    }

    /// Proves that every number of the graph is in range; reads and verifies all of it.
    pub(crate) fn check(&self, segment: &Segment) -> Result<()> {
        match self.view()?.defect(segment) {
            None => Ok(()),
            Some(defect) => Err(format::corrupt(&self.file.path, "graph", defect, "links within the graph")),
        }
    }

    /// Whether the recall is known for this radius: what is nearer than the measured radius is easier to find.
    pub(crate) fn is_fit_for(&self, radius: u32) -> bool {
        radius <= GRAPH_RADIUS
    }

    /// Estimated time of a batch on one core, in nanoseconds.
    pub(crate) fn estimate_ns(&self, queries: usize) -> f64 {
        queries as f64 * f64::from(self.ef) * BEAM_NS
    }

    /// Finds keys within `radius` bits of each query, in no particular order; each pair at most once.
    pub(crate) fn search(&self, segment: &Segment, queries: &[Key], radius: u32) -> Result<Vec<Found>> {
        // Threads that come at the same time all check, so that none has to wait inside rayon for another.
        if self.ready.get().is_none() {
            self.check(segment)?;
            let _ = self.ready.set(());
        }
        Ok(self.view()?.search(segment.planes()?, queries, radius))
    }

    fn view(&self) -> Result<View<'_>> {
        let file = &self.file;
        let mut layers = Vec::with_capacity(self.layers.len());
        for layer in &self.layers {
            layers.push(Layer { offsets: file.view(layer.offsets.clone())?, links: file.view(layer.links.clone())? });
        }
        Ok(View {
            keys: file.view(self.keys.clone())?,
            member_offsets: file.view(self.member_offsets.clone())?,
            members: file.view(self.members.clone())?,
            layers,
            ef: self.ef,
            reaches: file.view(self.reaches.clone())?,
        })
    }
}

impl Frozen {
    pub(crate) fn view(&self) -> View<'_> {
        View {
            keys: &self.keys,
            member_offsets: &self.member_offsets,
            members: &self.members,
            layers: self.layers.iter().map(|(offsets, links)| Layer { offsets, links }).collect(),
            ef: self.ef,
            reaches: &self.reaches,
        }
    }

    /// Writes the graph of the segment that has this checksum.
    pub(crate) fn write(&self, storage: &dyn Storage, path: &Path, segment_checksum: u64) -> Result<FileEntry> {
        let mut file = FileWriter::create(storage, path, GRAPH_MAGIC)?;
        file.append(&[segment_checksum])?;
        file.append(&[self.keys.len() as u32, self.members.len() as u32, self.ef, self.layers.len() as u32])?;
        for (offsets, links) in &self.layers {
            file.append(&[offsets.len() as u32 - 1, links.len() as u32])?;
        }
        file.section(&self.keys)?;
        file.section(&self.member_offsets)?;
        file.section(&self.members)?;
        file.section(&self.reaches)?;
        for (offsets, links) in &self.layers {
            file.section(offsets)?;
            file.section(links)?;
        }
        file.finish()
    }
}

impl View<'_> {
    pub(crate) fn search(&self, planes: [&[u64]; 4], queries: &[Key], radius: u32) -> Vec<Found> {
        let found: Vec<Vec<Found>> = queries
            .par_iter()
            .enumerate()
            .map_init(
                || Walk::new(self.keys.len()),
                |walk, (number, &query)| {
                    let mut found = Vec::new();
                    self.search_one(planes, query, radius, walk, |key, distance| {
                        found.push(Found { query: number as u32, key, distance });
                    });
                    found
                },
            )
            .collect();
        found.into_iter().flatten().collect()
    }

    fn search_one(
        &self,
        planes: [&[u64]; 4],
        query: Key,
        radius: u32,
        walk: &mut Walk,
        mut report: impl FnMut(u32, u32),
    ) {
        let entry = self.descend(query);
        self.beam(query, entry, radius, walk);
        for &(node, _) in &walk.within {
            for &key in span(self.member_offsets, self.members, node) {
                let distance = Key(planes.map(|plane| plane[key as usize])).distance(query);
                if distance <= radius {
                    report(key, distance);
                }
            }
        }
    }

    /// Walks greedily down to layer 1 and gives the node nearest to the query there; starts at the topmost first node.
    fn descend(&self, query: Key) -> u32 {
        let mut best = 0;
        let mut best_distance = self.distance(query, best);
        for layer in self.layers.iter().skip(1).rev() {
            loop {
                let from = best;
                for node in layer.of(from) {
                    let distance = self.distance(query, node);
                    if distance < best_distance {
                        (best, best_distance) = (node, distance);
                    }
                }
                if best == from {
                    break;
                }
            }
        }
        best
    }

    /// Searches layer 0: keeps the `ef` nearest nodes as the frontier, but follows every node that may have a member
    /// within the radius.
    ///
    /// So a crowd of near nodes cannot fill the beam and hide the others of its kind.
    fn beam(&self, query: Key, entry: u32, radius: u32, walk: &mut Walk) {
        walk.restart();
        walk.visit(entry);
        let distance = self.distance(query, entry);
        walk.frontier.push(Reverse((distance, entry)));
        walk.best.push((distance, entry));
        if self.is_within(entry, distance, radius) {
            walk.within.push((entry, distance));
        }
        while let Some(Reverse((distance, node))) = walk.frontier.pop() {
            if distance > walk.worst(self.ef) && !self.is_within(node, distance, radius) {
                // A farther node may still have a far member near the query: those before the end are not dropped.
                continue;
            }
            for next in self.layers[0].of(node) {
                if !walk.visit(next) {
                    continue;
                }
                let distance = self.distance(query, next);
                if self.is_within(next, distance, radius) {
                    walk.within.push((next, distance));
                } else if distance >= walk.worst(self.ef) {
                    continue;
                }
                walk.frontier.push(Reverse((distance, next)));
                walk.best.push((distance, next));
                if walk.best.len() > self.ef as usize {
                    walk.best.pop();
                }
            }
        }
    }

    /// Whether a node at this distance may have a member within the radius.
    #[inline]
    fn is_within(&self, node: u32, distance: u32, radius: u32) -> bool {
        distance <= radius.saturating_add(self.reaches[node as usize].into())
    }

    #[inline]
    fn distance(&self, query: Key, node: u32) -> u32 {
        Key(self.keys[node as usize]).distance(query)
    }

    /// Says what is wrong with the arrays; after `None`, every number in them is in range.
    fn defect(&self, segment: &Segment) -> Option<&'static str> {
        let nodes = self.keys.len();
        if !ascends_to(self.member_offsets, self.members.len()) {
            return Some("member offsets not ascending");
        }
        let mut seen = vec![false; segment.len()];
        for &key in self.members {
            match seen.get_mut(key as usize) {
                Some(seen) if !*seen => *seen = true,
                _ => return Some("a member out of range or named twice"),
            }
        }
        let mut below = nodes;
        for (height, layer) in self.layers.iter().enumerate() {
            let here = layer.offsets.len() - 1;
            if here == 0 || here > below || (height == 0 && here != nodes) {
                return Some("a layer with more nodes than the one below");
            }
            if !ascends_to(layer.offsets, layer.links.len()) {
                return Some("link offsets not ascending");
            }
            if layer.links.iter().any(|&link| unpack(link) as usize >= here) {
                return Some("a link out of range");
            }
            below = here;
        }
        None
    }
}

impl Layer<'_> {
    /// Nodes to which a node of this layer is linked.
    #[inline]
    fn of(&self, node: u32) -> impl Iterator<Item = u32> {
        span(self.offsets, self.links, node).iter().map(|&link| unpack(link))
    }
}

/// A node's number, little-endian: segments have fewer than 2^24 keys, and links are most of a graph.
pub(crate) type Link = [u8; 3];

#[inline]
fn unpack([low, middle, high]: Link) -> u32 {
    u32::from_le_bytes([low, middle, high, 0])
}

fn pack(node: u32) -> Link {
    let [low, middle, high, _] = node.to_le_bytes();
    [low, middle, high]
}

/// What one search after the other needs, allocated once a thread.
struct Walk {
    /// The round in which a node was last visited.
    visited: Vec<u32>,
    round: u32,
    /// Nodes still to be followed, nearest first.
    frontier: BinaryHeap<Reverse<(u32, u32)>>,
    /// The nearest nodes so far, farthest first.
    best: BinaryHeap<(u32, u32)>,
    /// All nodes met within reach.
    within: Vec<(u32, u32)>,
}

impl Walk {
    fn new(nodes: usize) -> Walk {
        Walk {
            visited: vec![0; nodes],
            round: 0,
            frontier: BinaryHeap::new(),
            best: BinaryHeap::new(),
            within: Vec::new(),
        }
    }

    fn restart(&mut self) {
        self.round = self.round.checked_add(1).unwrap_or_else(|| {
            self.visited.fill(0);
            1
        });
        self.frontier.clear();
        self.best.clear();
        self.within.clear();
    }

    /// Whether a node had not been visited in this search.
    #[inline]
    fn visit(&mut self, node: u32) -> bool {
        std::mem::replace(&mut self.visited[node as usize], self.round) != self.round
    }

    /// Distance of the last of the beam; anything is better while the beam is not full.
    #[inline]
    fn worst(&self, ef: u32) -> u32 {
        match self.best.peek() {
            Some(&(distance, _)) if self.best.len() >= ef as usize => distance,
            _ => u32::MAX,
        }
    }
}

/// The part of `values` that belongs to an entry of an offset table.
#[inline]
fn span<'a, T>(offsets: &[u32], values: &'a [T], entry: u32) -> &'a [T] {
    let entry = entry as usize;
    &values[offsets[entry] as usize..offsets[entry + 1] as usize]
}

fn ascends_to(offsets: &[u32], count: usize) -> bool {
    offsets.first() == Some(&0)
        && offsets.last().is_some_and(|&last| last as usize == count)
        && offsets.windows(2).all(|pair| pair[0] <= pair[1])
}

/// As many as hnsw_rs makes.
const LAYERS_MAX: u32 = 16;
/// Nanoseconds a query for each place of the beam, for choosing between scan and graph only: 30 000 random keys, beams of
/// 32 to 512, one core of an AMD EPYC (family 25, model 17). Larger graphs miss the cache more often and take longer.
const BEAM_NS: f64 = 1_150.0;
