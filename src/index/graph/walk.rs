//! The walk through a graph: greedily down the upper layers, then a beam through layer 0.
//!
//! All distances are whole numbers from 0 to 256, so that the beam needs no heap: candidates wait in one stack for each
//! distance, and how far the beam reaches is kept as a count for each distance.

use rayon::prelude::*;

use super::{GRAPH_RADIUS, GROUP_REACH, Layer, View, unpack};
use crate::fingerprint::{KEY_BITS, Key};
use crate::index::scan::Found;

impl View<'_> {
    /// Finds keys within `radius` bits of each query; the view must be without defect.
    ///
    /// It walks as far as at [`GRAPH_RADIUS`] at least, so that what is nearer is found with the recall measured there.
    pub(super) fn search(&self, planes: [&[u64]; 4], queries: &[Key], radius: u32) -> Vec<Found> {
        let near = near_function();
        let found: Vec<Vec<Found>> = queries
            .par_iter()
            .enumerate()
            .map_init(
                || Walk::new(self),
                |walk, (number, &query)| {
                    near(self, query, radius.max(GRAPH_RADIUS), walk);
                    let mut found = Vec::new();
                    for &node in &walk.within {
                        for &key in self.members_of(node) {
                            // The segment's own key and not the node's: what is reported is right whatever the graph says.
                            let distance = Key(planes.map(|plane| plane[key as usize])).distance(query);
                            if distance <= radius {
                                found.push(Found { query: number as u32, key, distance });
                            }
                        }
                    }
                    found
                },
            )
            .collect();
        found.into_iter().flatten().collect()
    }

    /// Leaves in [`Walk::within`] the nodes that may have members within the radius.
    #[inline(always)]
    fn near(&self, query: Key, radius: u32, walk: &mut Walk) {
        let entry = self.descend(query);
        self.beam(query, entry, radius, walk);
    }

    /// Walks greedily down to layer 1 and gives the node nearest to the query there; starts at the topmost first node.
    #[inline(always)]
    fn descend(&self, query: Key) -> u32 {
        let mut best = 0;
        let mut best_distance = self.distance(query, best);
        for layer in self.layers.iter().skip(1).rev() {
            loop {
                let from = best;
                for &link in layer.of(from) {
                    let node = unpack(link);
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

    /// Searches layer 0: follows the `ef` nearest nodes, and besides every node that may well have a member within the
    /// radius.
    ///
    /// So a crowd of near nodes cannot fill the beam and hide the others of its kind.
    #[inline(always)]
    fn beam(&self, query: Key, entry: u32, radius: u32, walk: &mut Walk) {
        let Some(&ground) = self.layers.first() else { return };
        walk.restart(self.ef);
        walk.fresh.push(entry);
        walk.visit(entry);
        let farthest = radius.saturating_add(GROUP_REACH);
        let mut followed = 0;
        loop {
            for place in 0..walk.fresh.len() {
                let node = walk.fresh[place];
                let distance = self.distance(query, node);
                if distance <= farthest && distance <= self.follow_radius(node, radius) {
                    walk.within.push(node);
                    walk.beam.insert(distance);
                } else if distance < walk.beam.end {
                    walk.queue.push(distance, node);
                    walk.beam.insert(distance);
                }
            }
            let node = match walk.within.get(followed) {
                Some(&node) => {
                    followed += 1;
                    node
                }
                None => match walk.queue.pop(walk.beam.end) {
                    Some(node) => node,
                    None => break,
                },
            };
            self.unvisited_of(ground, node, walk);
        }
    }

    /// The nodes nearest to a key that a beam through layer 0 finds, nearest first, with their distances.
    pub(super) fn nearest(&self, query: Key, ef: u32, walk: &mut Walk) -> Vec<(u32, u32)> {
        nearest_function()(self, query, ef, walk)
    }

    #[inline(always)]
    fn nearest_any(&self, query: Key, ef: u32, walk: &mut Walk) -> Vec<(u32, u32)> {
        let Some(&ground) = self.layers.first() else { return Vec::new() };
        let entry = self.descend(query);
        walk.restart(ef);
        walk.fresh.push(entry);
        walk.visit(entry);
        let mut met: Vec<(u32, u32)> = Vec::new();
        loop {
            for place in 0..walk.fresh.len() {
                let node = walk.fresh[place];
                let distance = self.distance(query, node);
                if distance < walk.beam.end {
                    walk.queue.push(distance, node);
                    walk.beam.insert(distance);
                    met.push((distance, node));
                }
            }
            let Some(node) = walk.queue.pop(walk.beam.end) else { break };
            self.unvisited_of(ground, node, walk);
        }
        met.retain(|&(distance, _)| distance <= walk.beam.end);
        met.sort_unstable();
        met
    }

    /// Leaves in [`Walk::fresh`] what a node is linked to and has not been visited.
    #[inline(always)]
    fn unvisited_of(&self, ground: Layer<'_>, node: u32, walk: &mut Walk) {
        walk.fresh.clear();
        for &link in ground.of(node) {
            let next = unpack(link);
            if walk.visit(next) {
                prefetch(&self.keys[next as usize]);
                walk.fresh.push(next);
            }
        }
        // What is likely to be followed next: its links arrive while these distances are computed.
        if let Some(next) = walk.queue.peek() {
            let links = ground.of(next);
            if let (Some(first), Some(last)) = (links.first(), links.last()) {
                prefetch(first);
                prefetch(last);
            }
        }
    }

    /// Distance up to which a node is followed and its members are compared.
    ///
    /// A member within the radius can be as far as the whole reach beyond it, but only if every bit in which it differs
    /// from its node makes it nearer to the query. Of independent bits less than half of the reach is left, and those of
    /// real keys agree even more, since it is the weak bits that flip. Following the whole reach found 5 pairs in 10 000
    /// more among families of ten (200 000 keys), and visits a fiftieth of a large graph where keys have only 128
    /// independent bits.
    #[inline]
    fn follow_radius(&self, node: u32, radius: u32) -> u32 {
        radius.saturating_add(u32::from(self.reaches[node as usize]).div_ceil(2))
    }

    #[inline]
    pub(super) fn distance(&self, query: Key, node: u32) -> u32 {
        Key(self.keys[node as usize]).distance(query)
    }
}

/// What one search after the other needs, allocated once a thread.
#[derive(Debug)]
pub(super) struct Walk {
    /// One bit a node: whether it has been visited. Clearing all takes 1/100 of a search at a million nodes.
    visited: Vec<u64>,
    /// Nodes whose distance is to be computed next.
    fresh: Vec<u32>,
    queue: Queue,
    beam: Beam,
    /// All nodes met within [`View::follow_radius`].
    within: Vec<u32>,
}

impl Walk {
    pub(super) fn new(view: &View<'_>) -> Walk {
        Walk {
            visited: vec![0; view.keys.len().div_ceil(64)],
            fresh: Vec::new(),
            queue: Queue::default(),
            beam: Beam::new(view.ef),
            within: Vec::new(),
        }
    }

    fn restart(&mut self, ef: u32) {
        self.visited.fill(0);
        self.fresh.clear();
        self.queue.clear();
        self.beam = Beam::new(ef);
        self.within.clear();
    }

    /// Whether a node had not been visited in this search.
    #[inline]
    fn visit(&mut self, node: u32) -> bool {
        let word = &mut self.visited[node as usize / 64];
        let bit = 1 << (node % 64);
        let fresh = *word & bit == 0;
        *word |= bit;
        fresh
    }
}

/// Nodes still to be followed, nearest first: a stack for each distance.
#[derive(Debug)]
struct Queue {
    /// Place in `entries` of the newest node at each distance, or [`Queue::NONE`].
    newest: [u32; DISTANCES],
    /// Which distances have nodes, a bit each.
    occupied: [u64; DISTANCES.div_ceil(64)],
    /// A node and the place of the next older one at its distance.
    entries: Vec<(u32, u32)>,
}

impl Default for Queue {
    fn default() -> Queue {
        Queue { newest: [Queue::NONE; DISTANCES], occupied: Default::default(), entries: Vec::new() }
    }
}

impl Queue {
    const NONE: u32 = u32::MAX;

    fn clear(&mut self) {
        self.newest = [Queue::NONE; DISTANCES];
        self.occupied = Default::default();
        self.entries.clear();
    }

    #[inline]
    fn push(&mut self, distance: u32, node: u32) {
        let newest = &mut self.newest[distance as usize];
        self.entries.push((node, *newest));
        *newest = self.entries.len() as u32 - 1;
        self.occupied[distance as usize / 64] |= 1 << (distance % 64);
    }

    /// The least distance that has a node.
    #[inline]
    fn nearest(&self) -> Option<usize> {
        let (place, word) = self.occupied.iter().enumerate().find(|(_, word)| **word != 0)?;
        Some(place * 64 + word.trailing_zeros() as usize)
    }

    #[inline]
    fn peek(&self) -> Option<u32> {
        let newest = self.newest[self.nearest()?];
        Some(self.entries[newest as usize].0)
    }

    /// Takes the nearest node unless it is farther than `last`.
    #[inline]
    fn pop(&mut self, last: u32) -> Option<u32> {
        let distance = self.nearest()?;
        if distance as u32 > last {
            return None;
        }
        let (node, older) = self.entries[self.newest[distance] as usize];
        self.newest[distance] = older;
        if older == Queue::NONE {
            self.occupied[distance / 64] &= !(1 << (distance % 64));
        }
        Some(node)
    }
}

/// The distances of the `ef` nearest nodes so far, as a count for each distance.
#[derive(Debug)]
struct Beam {
    counts: [u32; DISTANCES],
    /// Places that are still free.
    free: u32,
    /// Distance of the last of a full beam; beyond all distances while there are free places.
    end: u32,
}

impl Beam {
    fn new(ef: u32) -> Beam {
        Beam { counts: [0; DISTANCES], free: ef, end: DISTANCES as u32 }
    }

    /// Takes in a distance; the farthest is dropped when there are too many.
    #[inline]
    fn insert(&mut self, distance: u32) {
        if self.free > 0 {
            self.counts[distance as usize] += 1;
            self.free -= 1;
            if self.free == 0 {
                self.end = KEY_BITS;
                self.move_end();
            }
        } else if distance < self.end {
            self.counts[distance as usize] += 1;
            self.counts[self.end as usize] -= 1;
            self.move_end();
        }
    }

    /// Moves the end down to a distance that is taken; a full beam has one.
    #[inline]
    fn move_end(&mut self) {
        while self.end > 0 && self.counts[self.end as usize] == 0 {
            self.end -= 1;
        }
    }
}

/// Asks for a value's cache line ahead of its use; without an effect on any result.
#[inline]
fn prefetch<T>(value: &T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch never faults, and the address is that of a live value.
    #[allow(unsafe_code)]
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(value).cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = value;
}

/// Gives a method of the walk, compiled for this processor: without its own instruction a bit count takes a dozen others.
macro_rules! for_processor {
    ($name:ident, $method:ident, ($($argument:ident: $of:ty),*) $(-> $result:ty)?) => {
        fn $name() -> fn(&View<'_>, $($of),*) $(-> $result)? {
            #[cfg(target_arch = "x86_64")]
            if is_x86_feature_detected!("popcnt") && is_x86_feature_detected!("bmi1") {
                #[target_feature(enable = "popcnt,bmi1")]
                fn $method(view: &View<'_>, $($argument: $of),*) $(-> $result)? {
                    view.$method($($argument),*)
                }
                // SAFETY: the processor has just been found to have both.
                #[allow(unsafe_code)]
                return |view, $($argument),*| unsafe { $method(view, $($argument),*) };
            }
            |view, $($argument),*| view.$method($($argument),*)
        }
    };
}

for_processor!(near_function, near, (query: Key, radius: u32, walk: &mut Walk));
for_processor!(nearest_function, nearest_any, (query: Key, ef: u32, walk: &mut Walk) -> Vec<(u32, u32)>);

/// Values that a distance can have.
const DISTANCES: usize = KEY_BITS as usize + 1;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_queue_gives_the_nearest_and_the_beam_ends_at_the_ef_th(
            distances in prop::collection::vec(0..=KEY_BITS, 1..200), ef in 1..250u32,
        ) {
            let (mut queue, mut beam) = (Queue::default(), Beam::new(ef));
            for (node, &distance) in (0..).zip(&distances) {
                queue.push(distance, node);
                beam.insert(distance);
            }
            let mut sorted = distances.clone();
            sorted.sort_unstable();
            let end = sorted.get(ef as usize - 1).copied().unwrap_or(DISTANCES as u32);
            prop_assert_eq!(beam.end, end);
            let mut taken = Vec::new();
            while let Some(next) = queue.peek() {
                match queue.pop(end) {
                    Some(node) => {
                        prop_assert_eq!(node, next);
                        taken.push(distances[node as usize]);
                    }
                    None => {
                        prop_assert!(distances[next as usize] > end);
                        break;
                    }
                }
            }
            sorted.retain(|&distance| distance <= end);
            prop_assert_eq!(taken, sorted);
        }
    }
}
