//! HNSW over a segment's keys: frozen to flat arrays, and searched here.
//!
//! Near-copies ruin such a graph: a key whose neighbours are all copies of itself has no way out to the rest. So the
//! graph has one *node* for each group of near-copies, and lists the group's members beside it. A search looks for nodes
//! within the radius plus half the group's reach, and then compares the members themselves; distances are always real
//! ones.
//!
//! A graph may miss neighbours. How many was measured when it was built; a graph that misses more than one in a hundred
//! is not kept.

mod build;
mod relink;
mod walk;

use std::ops::Range;
use std::path::Path;
use std::sync::OnceLock;

use super::files::BlockFile;
use super::format::{self, FileWriter, GRAPH_MAGIC};
use super::manifest::FileEntry;
use super::scan::Found;
use super::segment::Segment;
use super::storage::Storage;
use crate::error::Result;
use crate::fingerprint::{KEY_BITS, Key};

pub(crate) use build::{Built, build, steps};

/// Radius in bits at which a graph's recall is measured, and up to which it is used: that of the vote.
pub const GRAPH_RADIUS: u32 = 72;
/// Least recall, in 0..=1, at which a graph is kept.
pub const GRAPH_RECALL: f64 = 0.99;

/// An opened graph whose counts and bounds have been found right for its segment; the rest is verified at first use.
#[derive(Debug)]
pub(crate) struct Graph {
    file: BlockFile,
    /// Keys of the nodes, whole ones side by side: a walk reads them at random. Nodes of upper layers come first.
    keys: Range<usize>,
    /// Distance of each node's farthest member, a byte each.
    reaches: Range<usize>,
    /// Where the members of each node begin; one more than nodes.
    member_offsets: Range<usize>,
    /// Numbers of the segment's keys, each exactly once; the first of a node is its own key.
    members: Range<usize>,
    /// From layer 0, which has all nodes, upwards; each has a beginning part of the nodes of the one below.
    layers: Vec<LinkRange>,
    /// Length of the beam.
    ef: u32,
    /// Set once the whole file has been verified and its numbers found in range.
    ready: OnceLock<()>,
    /// Share of a query's true neighbours within [`GRAPH_RADIUS`] that the graph found when it was built, in the mean.
    pub(crate) recall: f64,
}

/// Where the links of a layer lie in the file.
#[derive(Debug)]
struct LinkRange {
    /// Links a node.
    width: usize,
    links: Range<usize>,
}

/// The same as a slice.
#[derive(Clone, Copy, Debug)]
struct Layer<'a> {
    width: usize,
    /// As many for each node; a node with fewer neighbours is linked to itself in the places left over.
    links: &'a [Link],
}

/// A graph as slices, from a file or not.
#[derive(Clone, Debug)]
struct View<'a> {
    keys: &'a [[u64; 4]],
    reaches: &'a [u8],
    member_offsets: &'a [u32],
    members: &'a [u32],
    layers: Vec<Layer<'a>>,
    ef: u32,
}

/// A graph in memory, before it is written.
#[derive(Debug, Default)]
pub(crate) struct Frozen {
    keys: Vec<[u64; 4]>,
    reaches: Vec<u8>,
    member_offsets: Vec<u32>,
    members: Vec<u32>,
    /// Width and links of each layer, from the lowest.
    layers: Vec<(usize, Vec<Link>)>,
    ef: u32,
}

impl Graph {
    /// Lays out an opened graph; what is in it is verified before the first search.
    pub(crate) fn open(file: BlockFile, segment: &Segment, recall: f64) -> Result<Graph> {
        let mut reader = file.reader();
        let (owner, expected) = (reader.u64()?, segment.file().checksum());
        if owner != expected {
            let found = format!("{owner:016x}");
            return Err(reader.corrupt("checksum of the segment", found, format!("{expected:016x}")));
        }
        let nodes = reader.u32()?;
        let members = reader.u32()?;
        let ef = reader.u32()?;
        let layer_count = reader.u32()?;
        if members as usize != segment.len() || nodes == 0 || nodes > members || nodes > NODES_MAX || ef == 0 {
            return Err(reader.corrupt(
                "nodes, members, beam",
                format!("{nodes}, {members}, {ef}"),
                format!("some, {}, some", segment.len()),
            ));
        }
        if !(1..=LAYERS_MAX).contains(&layer_count) {
            return Err(reader.corrupt("number of layers", layer_count, "1 to 16"));
        }
        let mut sizes = Vec::new();
        let mut below = nodes;
        for height in 0..layer_count {
            let (here, width) = (reader.u32()?, reader.u32()?);
            if here == 0 || here > below || (height == 0 && here != nodes) || width > WIDTH_MAX {
                return Err(reader.corrupt(
                    "nodes and links of a layer",
                    format!("{here} and {width}"),
                    format!("at most {below} and {WIDTH_MAX}, and all nodes in layer 0"),
                ));
            }
            sizes.push((here, width));
            below = here;
        }
        let keys = reader.take_section::<[u64; 4]>(u64::from(nodes))?;
        let reaches = reader.take_section::<u8>(u64::from(nodes))?;
        let member_offsets = reader.take_section::<u32>(u64::from(nodes) + 1)?;
        let members = reader.take_section::<u32>(u64::from(members))?;
        let mut layers = Vec::new();
        for &(nodes, width) in &sizes {
            let links = reader.take_section::<Link>(u64::from(nodes) * u64::from(width))?;
            layers.push(LinkRange { width: width as usize, links });
        }
        reader.finish()?;
        Ok(Graph { file, keys, reaches, member_offsets, members, layers, ef, ready: OnceLock::new(), recall })
    }

    /// The file itself.
    pub(crate) fn file(&self) -> &BlockFile {
        &self.file
    }

    /// Proves that every number of the graph is in range; reads and verifies all of it.
    pub(crate) fn check(&self, segment: &Segment) -> Result<()> {
        match self.view()?.defect(segment.len()) {
            None => Ok(()),
            Some(defect) => Err(format::corrupt(&self.file.path, "graph", defect, "numbers within the graph")),
        }
    }

    /// Compares the nodes' keys and reaches with the segment; the graph must have been checked.
    ///
    /// Wrong ones could only make a search miss something, so this is left to a verification of the whole index.
    pub(crate) fn check_nodes(&self, segment: &Segment) -> Result<()> {
        let view = self.view()?;
        let planes = segment.planes()?;
        let distance = |node: &[u64; 4], key: u32| Key(planes.map(|plane| plane[key as usize])).distance(Key(*node));
        for (number, (node, &reach)) in (0..).zip(view.keys.iter().zip(view.reaches)) {
            let members = view.members_of(number);
            let own = members.first().map_or(KEY_BITS, |&key| distance(node, key));
            let farthest = members.iter().map(|&key| distance(node, key)).max().unwrap_or(0);
            if own != 0 || farthest != u32::from(reach) {
                let found = format!("{own} bits from its first key, and {farthest} from the farthest");
                return Err(format::corrupt(&self.file.path, "node", found, format!("0 and {reach}")));
            }
        }
        Ok(())
    }

    /// Whether the recall is known for this radius: what is nearer than the measured radius is easier to find.
    pub(crate) fn is_fit_for(&self, radius: u32) -> bool {
        radius <= GRAPH_RADIUS
    }

    /// Estimated time of a batch on one core, in nanoseconds.
    pub(crate) fn estimate_ns(&self, queries: usize) -> f64 {
        let nodes = self.reaches.len() as f64;
        let place_ns = (PLACE_LOG_NS * nodes.log2() - PLACE_LESS_NS).max(PLACE_LEAST_NS);
        queries as f64 * f64::from(self.ef) * place_ns
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

    /// Writes the same graph for a segment with the same keys and another checksum.
    pub(crate) fn rewrite(
        &self,
        storage: &dyn Storage,
        path: &Path,
        segment: &Segment,
        checksum: u64,
    ) -> Result<FileEntry> {
        self.check(segment)?;
        let view = self.view()?;
        let frozen = Frozen {
            keys: view.keys.to_vec(),
            reaches: view.reaches.to_vec(),
            member_offsets: view.member_offsets.to_vec(),
            members: view.members.to_vec(),
            layers: view.layers.iter().map(|layer| (layer.width, layer.links.to_vec())).collect(),
            ef: view.ef,
        };
        frozen.write(storage, path, checksum)
    }

    fn view(&self) -> Result<View<'_>> {
        let file = &self.file;
        let mut layers = Vec::with_capacity(self.layers.len());
        for layer in &self.layers {
            layers.push(Layer { width: layer.width, links: file.view(layer.links.clone())? });
        }
        Ok(View {
            keys: file.view(self.keys.clone())?,
            reaches: file.view(self.reaches.clone())?,
            member_offsets: file.view(self.member_offsets.clone())?,
            members: file.view(self.members.clone())?,
            layers,
            ef: self.ef,
        })
    }
}

impl Frozen {
    fn view(&self) -> View<'_> {
        View {
            keys: &self.keys,
            reaches: &self.reaches,
            member_offsets: &self.member_offsets,
            members: &self.members,
            layers: self.layers.iter().map(|(width, links)| Layer { width: *width, links }).collect(),
            ef: self.ef,
        }
    }

    /// Writes the graph of the segment that has this checksum.
    pub(crate) fn write(&self, storage: &dyn Storage, path: &Path, segment_checksum: u64) -> Result<FileEntry> {
        let mut file = FileWriter::create(storage, path, GRAPH_MAGIC)?;
        file.append(&[segment_checksum])?;
        file.append(&[self.keys.len() as u32, self.members.len() as u32, self.ef, self.layers.len() as u32])?;
        for (width, links) in &self.layers {
            // A layer without links has one node.
            let nodes = links.len().checked_div(*width).unwrap_or(1);
            file.append(&[nodes as u32, *width as u32])?;
        }
        file.section(&self.keys)?;
        file.section(&self.reaches)?;
        file.section(&self.member_offsets)?;
        file.section(&self.members)?;
        for (_, links) in &self.layers {
            file.section(links)?;
        }
        file.finish()
    }
}

impl View<'_> {
    /// Numbers of the keys that a node stands for.
    #[inline]
    fn members_of(&self, node: u32) -> &[u32] {
        let node = node as usize;
        &self.members[self.member_offsets[node] as usize..self.member_offsets[node + 1] as usize]
    }

    /// Says what is wrong with the arrays; after `None`, every number in them is in range.
    ///
    /// One pass over the file. The nodes' keys and reaches are not compared with the segment: see [`Graph::check_nodes`].
    fn defect(&self, segment_keys: usize) -> Option<&'static str> {
        let offsets = self.member_offsets;
        let ends =
            offsets.first() == Some(&0) && offsets.last().is_some_and(|&last| last as usize == self.members.len());
        if !ends || offsets.windows(2).any(|pair| pair[0] >= pair[1]) {
            return Some("member offsets not ascending");
        }
        let mut seen = vec![false; segment_keys];
        for &key in self.members {
            match seen.get_mut(key as usize) {
                Some(seen) if !*seen => *seen = true,
                _ => return Some("a member out of range or named twice"),
            }
        }
        if self.reaches.iter().any(|&reach| u32::from(reach) > GROUP_REACH) {
            return Some("a reach beyond that of a group");
        }
        for layer in &self.layers {
            let nodes = layer.links.len().checked_div(layer.width).unwrap_or(1) as u32;
            // Without an exit, so that the loop is made of vector instructions.
            let last = layer.links.iter().fold(0, |last, &link| unpack(link).max(last));
            if !layer.links.is_empty() && last >= nodes {
                return Some("a link out of range");
            }
        }
        None
    }
}

impl<'a> Layer<'a> {
    /// Links of a node of this layer.
    #[inline]
    fn of(&self, node: u32) -> &'a [Link] {
        let start = node as usize * self.width;
        &self.links[start..start + self.width]
    }
}

/// A node's number, little-endian: links are most of a graph, and three bytes are enough.
type Link = [u8; 3];

#[inline]
fn unpack([low, middle, high]: Link) -> u32 {
    u32::from_le_bytes([low, middle, high, 0])
}

fn pack(node: u32) -> Link {
    let [low, middle, high, _] = node.to_le_bytes();
    [low, middle, high]
}

/// Keys within this many bits of a node's own key are its group.
///
/// Measured with 5 000 keys that differ from one key in up to 2, 12 and 20 bits, among 2 000 random ones: the others'
/// recall is 1.00 from a reach of 2, 24 and 32 bits on, and 0.40 to 0.65 below. Unrelated keys are never so near.
const GROUP_REACH: u32 = 32;
/// As many as hnsw_rs makes.
const LAYERS_MAX: u32 = 16;
/// Most links of a node in one layer.
const WIDTH_MAX: u32 = 255;
/// Links are numbers of three bytes.
const NODES_MAX: u32 = 1 << 24;
// Nanoseconds a query for each place of the beam, for choosing between scan and graph only: larger graphs miss the cache
// more often. Measured on one core of an AMD EPYC (family 25, model 17) while others worked on it: 209 with 10 000 nodes,
// 232 with 28 000, 260 with 50 000 and 332 with 114 000; what is beyond follows the same line and was not measured.
const PLACE_LOG_NS: f64 = 35.0;
const PLACE_LESS_NS: f64 = 257.0;
const PLACE_LEAST_NS: f64 = 150.0;
