//! Links the nodes of layer 0 anew, so that each can be reached from several of those nearest to it.
//!
//! A search finds a node only through the nodes that link to it. Insertion gives each node links to its neighbours, but
//! takes the links back wherever a neighbour has too many; in footage, where some keys are near to very many others, one
//! node in a hundred keeps next to none. So the links are dealt out anew from the receiving side: each node in turn asks
//! its nearest neighbours, the first of all nodes before the second of any, to link to it, until enough do. What room is
//! left goes to links the other way.
//!
//! Measured with 97 000 nodes like those of footage, queries with 0 to 60 flipped bits, and a beam of 256: as hnsw_rs builds
//! it with a beam of 200, the graph finds 0.970 of the neighbours; built with a beam of 24, in a fifth of the time, and
//! linked anew twice, it finds 0.994.

use rayon::prelude::*;

use super::build::LINKS_KEPT;
use super::walk::Walk;
use super::{Frozen, Link, View, pack, unpack};
use crate::error::Result;
use crate::fingerprint::Key;
use crate::index::upkeep::Work;

/// Replaces the links of layer 0.
///
/// The result depends on nothing but the graph.
pub(super) fn relink(frozen: &mut Frozen, work: &Work<'_>) -> Result<()> {
    let neighbours = neighbours(&frozen.view(), work)?;
    let links = deal(&neighbours);
    let width = links.iter().map(Vec::len).max().unwrap_or(0);
    let mut all: Vec<Link> = Vec::with_capacity(links.len() * width);
    for (node, links) in (0..).zip(links) {
        // A link to itself is one that leads nowhere.
        all.extend(links.into_iter().chain(std::iter::repeat(node)).take(width).map(pack));
    }
    if let Some(ground) = frozen.layers.first_mut() {
        *ground = (width, all);
    }
    Ok(())
}

/// Whom a node may be linked with, best first.
#[derive(Debug)]
struct Neighbours {
    nodes: Vec<u32>,
    /// So many of them lie in different directions; the others are nearer to one of these than to the node.
    diverse: usize,
}

/// Finds the neighbours of every node by the links that there are.
fn neighbours(view: &View<'_>, work: &Work<'_>) -> Result<Vec<Neighbours>> {
    let Some(ground) = view.layers.first() else { return Ok(Vec::new()) };
    let key = |node: u32| Key(view.keys[node as usize]);
    let of = |walk: &mut Walk, node: u32| {
        let mut near = view.nearest(key(node), BEAM, walk);
        near.truncate(CANDIDATES);
        // Far links, of which the first nodes have some, are what holds clusters together.
        near.extend(
            ground.of(node).iter().map(|&link| unpack(link)).map(|other| (view.distance(key(node), other), other)),
        );
        near.retain(|&(_, other)| other != node);
        near.sort_unstable();
        near.dedup();
        let mut nodes: Vec<u32> = Vec::with_capacity(near.len());
        let mut rest = Vec::new();
        for (distance, other) in near {
            let is_diverse =
                nodes.len() < LINKS_KEPT && nodes.iter().all(|&chosen| key(chosen).distance(key(other)) > distance);
            if is_diverse { nodes.push(other) } else { rest.push(other) }
        }
        let diverse = nodes.len();
        nodes.extend(rest);
        nodes.truncate(CANDIDATES);
        Neighbours { nodes, diverse }
    };
    (0..view.keys.len() as u32)
        .into_par_iter()
        .map_init(
            || Walk::new(view),
            |walk, node| {
                if node % STEPS_AT_A_TIME == 0 {
                    work.stop_if_asked()?;
                    work.advance(u64::from(STEPS_AT_A_TIME));
                }
                Ok(of(walk, node))
            },
        )
        .collect()
}

/// Deals out [`LINKS_KEPT`] links a node: first to each node from its neighbours, then from each node to them.
fn deal(neighbours: &[Neighbours]) -> Vec<Vec<u32>> {
    let mut links: Vec<Vec<u32>> = vec![Vec::with_capacity(LINKS_KEPT); neighbours.len()];
    let mut incoming = vec![0; neighbours.len()];
    for rank in 0..CANDIDATES {
        for (node, near) in (0..).zip(neighbours) {
            let Some(&from) = near.nodes.get(rank) else { continue };
            let there = &mut links[from as usize];
            if incoming[node as usize] < INCOMING && there.len() < LINKS_KEPT {
                there.push(node);
                incoming[node as usize] += 1;
            }
        }
    }
    for (links, near) in links.iter_mut().zip(neighbours) {
        for &to in &near.nodes[..near.diverse] {
            if links.len() < LINKS_KEPT && !links.contains(&to) {
                links.push(to);
            }
        }
    }
    links
}

/// Beam by which neighbours are found. With 64 in place of 128 a beam of 256 finds 0.976 in place of 0.989 later; twice
/// as much finds 0.002 more and takes twice as long.
const BEAM: u32 = 128;
/// Neighbours of a node that it may be linked with, apart from its links so far; 64 are no better.
const CANDIDATES: usize = 48;
/// Links to each node, as far as its neighbours have room: with 16 in place of 24 a beam of 256 finds 0.989 in place of
/// 0.994, and 28 find no more.
const INCOMING: usize = 24;
/// Nodes between two questions whether to stop: some hundredths of a second.
const STEPS_AT_A_TIME: u32 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn near(nodes: &[u32], diverse: usize) -> Neighbours {
        Neighbours { nodes: nodes.to_vec(), diverse }
    }

    #[test]
    fn every_node_is_linked_from_its_nearest_before_any_is_from_its_second() {
        // All are nearest to node 0, which has no room for all of them.
        let count = 2 * LINKS_KEPT as u32;
        let mut all = vec![near(&[1], 1)];
        all.extend((1..count).map(|node| near(&[0, node % (count - 1) + 1], 1)));
        let links = deal(&all);
        assert_eq!(links[0], (1..=LINKS_KEPT as u32).collect::<Vec<_>>());
        for node in 1..count {
            assert!(links.iter().any(|links| links.contains(&node)), "{node}");
        }
        assert!(links.iter().all(|links| links.len() <= LINKS_KEPT));
    }

    #[test]
    fn links_back_go_to_neighbours_in_different_directions_only_and_once() {
        let links = deal(&[near(&[1, 2], 1), near(&[0, 2], 2), near(&[0], 1)]);
        assert_eq!(links, [vec![1, 2], vec![0, 2], vec![0, 1]]);
    }
}
