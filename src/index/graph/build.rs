//! Builds a graph with hnsw_rs, freezes it, links it anew, and measures what it finds.
//!
//! Only insertion and the listing of links are used of that crate: its dump prints, panics and exits on damaged files.
//! Insertion is serial, in an order shuffled by a fixed seed, so that the same segment always gives the same graph. It is
//! done with little effort; what the graph is good for comes from [`relink`](super::relink).

use hnsw_rs::prelude::{Distance, Hnsw};

use super::relink::relink;
use super::{Frozen, GRAPH_RADIUS, GRAPH_RECALL, GROUP_REACH, LAYERS_MAX, Link, NODES_MAX, pack};
use crate::error::Result;
use crate::fingerprint::{KEY_BITS, Key};
use crate::index::scan::{self, Found, Kernel};
use crate::index::segment::Segment;
use crate::index::upkeep::Work;

/// What came of building a graph.
#[derive(Debug)]
pub(crate) enum Built {
    /// The graph, and the recall measured.
    Accepted { graph: Frozen, recall: f64 },
    /// The best recall reached is below [`GRAPH_RECALL`].
    Refused { recall: f64 },
}

/// Steps of [`Work`] that building the graph of a segment takes when the first attempt is good: one for each key and time
/// that it is linked.
pub(crate) fn steps(segment: &Segment) -> u64 {
    segment.len() as u64 * (1 + EFFORTS[0].relinking)
}

/// Builds the graph of a segment that has at least one key; tries once more with greater effort before it gives up.
pub(crate) fn build(segment: &Segment, work: &Work<'_>) -> Result<Built> {
    let planes = segment.planes()?;
    let groups = group_near_copies(planes, work)?;
    if groups.leaders.len() > NODES_MAX as usize {
        return Ok(Built::Refused { recall: 0.0 });
    }
    let test = RecallTest::new(planes);
    let mut best = 0.0;
    for effort in EFFORTS {
        let mut frozen = freeze(&groups, effort.construction, work)?;
        for _ in 0..effort.relinking {
            // Each time the neighbours are found by better links.
            relink(&mut frozen, work)?;
        }
        match shortest_beam(&mut frozen, &test, planes, work)? {
            Beam::Enough { recall } => return Ok(Built::Accepted { graph: frozen, recall }),
            Beam::None { recall } => best = recall.max(best),
        }
    }
    Ok(Built::Refused { recall: best })
}

/// What came of looking for a beam.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Beam {
    /// One with this recall has been set.
    Enough { recall: f64 },
    /// Not one reaches [`GRAPH_RECALL`]; this is the best.
    None { recall: f64 },
}

/// Sets the shortest beam that finds enough.
fn shortest_beam(frozen: &mut Frozen, test: &RecallTest, planes: [&[u64]; 4], work: &Work<'_>) -> Result<Beam> {
    let mut beam = Beam::None { recall: 0.0 };
    for ef in BEAMS {
        work.stop_if_asked()?;
        frozen.ef = ef;
        let recall = test.recall(frozen, planes);
        if recall < GRAPH_RECALL {
            beam = Beam::None { recall };
            continue;
        }
        beam = Beam::Enough { recall };
        if recall >= RECALL_AIM || ef >= BEAM_LONG {
            break;
        }
    }
    Ok(beam)
}

/// Keys in groups: those of a group are within [`GROUP_REACH`] bits of its first.
#[derive(Debug, Default)]
struct Groups {
    /// Key of each group's first member.
    leaders: Vec<Key>,
    /// Members, group by group, the leader first.
    members: Vec<Vec<u32>>,
    /// Distance of each group's farthest member from its leader.
    reaches: Vec<u8>,
}

/// Gives every key to the first leader near it, in ascending order of keys.
fn group_near_copies(planes: [&[u64]; 4], work: &Work<'_>) -> Result<Groups> {
    let kernel = Kernel::detect();
    let mut groups = Groups::default();
    let count = planes[0].len();
    let mut grouped = vec![false; count];
    let mut next = 0;
    while next < count {
        work.stop_if_asked()?;
        // Keys of a batch may be near each other, so the batch's results are taken in order.
        let mut batch = Vec::with_capacity(GROUP_BATCH);
        while batch.len() < GROUP_BATCH && next < count {
            if !grouped[next] {
                batch.push(next as u32);
            }
            next += 1;
        }
        let queries: Vec<Key> = batch.iter().map(|&key| key_at(planes, key)).collect();
        let mut near = scan::search(kernel, planes, &queries, GROUP_REACH);
        near.sort_unstable();
        for near in near.chunk_by(|a, b| a.query == b.query) {
            let leader = batch[near[0].query as usize];
            if grouped[leader as usize] {
                continue;
            }
            let mut members = vec![leader];
            let mut reach = 0;
            grouped[leader as usize] = true;
            for member in near {
                if !std::mem::replace(&mut grouped[member.key as usize], true) {
                    members.push(member.key);
                    reach = member.distance.max(reach);
                }
            }
            groups.leaders.push(key_at(planes, leader));
            groups.members.push(members);
            groups.reaches.push(reach as u8);
        }
    }
    Ok(groups)
}

fn key_at(planes: [&[u64]; 4], key: u32) -> Key {
    Key(planes.map(|plane| plane[key as usize]))
}

/// Builds the graph over the groups' leaders and copies it into flat arrays.
fn freeze(groups: &Groups, construction: usize, work: &Work<'_>) -> Result<Frozen> {
    let count = groups.leaders.len();
    let hnsw: Hnsw<'_, u64, Bits> = Hnsw::new(LINKS, count, LAYERS_MAX as usize, construction, Bits::detect());
    for (done, &leader) in shuffled(count).iter().enumerate() {
        if done % STEPS_AT_A_TIME == 0 {
            work.stop_if_asked()?;
            work.advance(STEPS_AT_A_TIME as u64);
        }
        hnsw.insert((&groups.leaders[leader as usize].0, leader as usize));
    }

    // Nodes are numbered from the top layer down and in order of insertion, so that each layer is a beginning part of
    // the one below and the node that hnsw_rs enters by (the first of the top layer) is number 0.
    let indexation = hnsw.get_point_indexation();
    let top = usize::from(indexation.get_max_level_observed());
    let mut order: Vec<(usize, i32, u32, Vec<Vec<u32>>)> = Vec::with_capacity(count);
    for point in indexation {
        let place = point.get_point_id();
        let mut links = point.get_neighborhood_id();
        let links = links.iter_mut().map(|layer| {
            layer.sort_unstable_by(|a, b| a.distance.total_cmp(&b.distance).then(a.d_id.cmp(&b.d_id)));
            layer.iter().map(|link| link.d_id as u32).collect()
        });
        let height = usize::from(place.0);
        order.push((height, place.1, point.get_origin_id() as u32, links.collect()));
    }
    order.sort_unstable_by_key(|(height, rank, ..)| (std::cmp::Reverse(*height), *rank));
    let mut number = vec![0u32; count];
    for (node, (_, _, leader, _)) in (0..).zip(&order) {
        number[*leader as usize] = node;
    }

    let mut frozen = Frozen { member_offsets: vec![0], ..Frozen::default() };
    for (_, _, leader, _) in &order {
        frozen.keys.push(groups.leaders[*leader as usize].0);
        frozen.reaches.push(groups.reaches[*leader as usize]);
        frozen.members.extend(&groups.members[*leader as usize]);
        frozen.member_offsets.push(frozen.members.len() as u32);
    }
    for layer in 0..=top {
        let rows: Vec<Vec<u32>> = (0..)
            .zip(&order)
            .take_while(|(_, (height, ..))| *height >= layer)
            .map(|(node, (_, _, _, links))| {
                let links = links.get(layer).map_or(&[][..], Vec::as_slice).iter();
                // Earlier versions of hnsw_rs linked nodes on layers that they are not on.
                let links = links.map(|&leader| number[leader as usize]);
                links.filter(|&next| next != node && order[next as usize].0 >= layer).take(LINKS_KEPT).collect()
            })
            .collect();
        let width = rows.iter().map(Vec::len).max().unwrap_or(0);
        let mut all: Vec<Link> = Vec::with_capacity(rows.len() * width);
        for (node, links) in (0..).zip(rows) {
            // A link to itself is one that leads nowhere.
            let padded = links.into_iter().chain(std::iter::repeat(node)).take(width);
            all.extend(padded.map(pack));
        }
        frozen.layers.push((width, all));
    }
    Ok(frozen)
}

/// Noisy copies of stored keys, with what a scan finds for them.
struct RecallTest {
    queries: Vec<Key>,
    /// Whether the key of each query stands in a crowd: where most do, they would hide that the lonely ones are lost.
    crowded: Vec<bool>,
    /// True neighbours of each query; at least one, as the noise is within the radius.
    expected: Vec<u32>,
}

impl RecallTest {
    fn new(planes: [&[u64]; 4]) -> RecallTest {
        let kernel = Kernel::detect();
        let mut random = SplitMix(SEED);
        let count = planes[0].len() as u32;
        let keys: Vec<Key> = (0..(count / TEST_SHARE).clamp(TEST_LEAST, TEST_MOST))
            .map(|_| key_at(planes, random.below(count)))
            .collect();
        let alike = counts(&keys, |batch| scan::search(kernel, planes, batch, GRAPH_RADIUS));
        let (mut queries, mut crowded) = (Vec::new(), Vec::new());
        let mut crowds_left = TEST_CROWDED;
        for (key, alike) in keys.into_iter().zip(alike) {
            if alike >= CROWD {
                if crowds_left == 0 {
                    continue;
                }
                crowds_left -= 1;
            }
            queries.push(random.flip(key, queries.len() as u32 % (TEST_NOISE + 1)));
            crowded.push(alike >= CROWD);
        }
        let expected = counts(&queries, |batch| scan::search(kernel, planes, batch, GRAPH_RADIUS));
        RecallTest { queries, crowded, expected }
    }

    /// Share of its true neighbours that the graph finds for a query, in the mean over the lonely or over the crowded ones,
    /// whichever is lower.
    ///
    /// Of all pairs together most belong to the few queries in the middle of a crowd, which are the easy ones.
    fn recall(&self, frozen: &Frozen, planes: [&[u64]; 4]) -> f64 {
        let view = frozen.view();
        let found = counts(&self.queries, |batch| view.search(planes, batch, GRAPH_RADIUS));
        let mean = |wanted: bool| {
            let of_kind =
                found.iter().zip(&self.expected).zip(&self.crowded).filter(|(_, crowded)| **crowded == wanted);
            let (sum, count) = of_kind.fold((0.0, 0), |(sum, count), ((&found, &expected), _)| {
                (sum + f64::from(found) / f64::from(expected.max(1)), count + 1)
            });
            if count == 0 { 1.0 } else { sum / f64::from(count) }
        };
        mean(false).min(mean(true))
    }
}

/// Counts what a search finds for each query; some queries at a time, as those of a crowd find thousands of keys each.
fn counts(queries: &[Key], search: impl Fn(&[Key]) -> Vec<Found>) -> Vec<u32> {
    let mut counts = vec![0; queries.len()];
    for (counts, batch) in counts.chunks_mut(TEST_BATCH).zip(queries.chunks(TEST_BATCH)) {
        for found in search(batch) {
            counts[found.query as usize] += 1;
        }
    }
    counts
}

/// Numbers below `count` in an order that a fixed seed gives: sorted keys would be inserted cluster by cluster.
fn shuffled(count: usize) -> Vec<u32> {
    let mut random = SplitMix(SEED);
    let mut order: Vec<u32> = (0..count as u32).collect();
    for last in (1..count).rev() {
        order.swap(last, random.below(last as u32 + 1) as usize);
    }
    order
}

/// The bit distance for hnsw_rs; exact in an f32.
struct Bits {
    /// Whether the processor counts bits by one instruction.
    #[cfg(target_arch = "x86_64")]
    popcnt: bool,
}

impl Bits {
    fn detect() -> Bits {
        Bits {
            #[cfg(target_arch = "x86_64")]
            popcnt: is_x86_feature_detected!("popcnt"),
        }
    }
}

impl Distance<u64> for Bits {
    fn eval(&self, a: &[u64], b: &[u64]) -> f32 {
        #[cfg(target_arch = "x86_64")]
        if self.popcnt {
            #[target_feature(enable = "popcnt")]
            fn count(a: &[u64], b: &[u64]) -> u32 {
                count_differing(a, b)
            }
            // SAFETY: the processor was found to have it.
            #[allow(unsafe_code)]
            return unsafe { count(a, b) } as f32;
        }
        count_differing(a, b) as f32
    }
}

#[inline(always)]
fn count_differing(a: &[u64], b: &[u64]) -> u32 {
    a.iter().zip(b).map(|(a, b)| (a ^ b).count_ones()).sum()
}

/// Steele, Lea and Flood's generator of 2014: the same numbers on every machine and in every version.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number below `end`, which must not be 0; the bias is below 2^-32.
    fn below(&mut self, end: u32) -> u32 {
        (((self.next() >> 32) * u64::from(end)) >> 32) as u32
    }

    /// Flips `count` different bits, at most all.
    fn flip(&mut self, mut key: Key, count: u32) -> Key {
        let mut flipped = Key::default();
        let mut left = count.min(KEY_BITS);
        while left > 0 {
            let bit = self.below(KEY_BITS);
            let (word, mask) = ((bit / 64) as usize, 1 << (bit % 64));
            if flipped.0[word] & mask == 0 {
                flipped.0[word] |= mask;
                key.0[word] ^= mask;
                left -= 1;
            }
        }
        key
    }
}

/// How much work goes into a graph.
struct Effort {
    /// Beam while inserting.
    construction: usize,
    /// How often it is linked anew.
    relinking: u64,
}

/// The usual effort, and one more attempt.
const EFFORTS: [Effort; 2] = [Effort { construction: 24, relinking: 2 }, Effort { construction: 100, relinking: 3 }];
/// Beams of the search, tried from the cheapest on.
const BEAMS: [u32; 13] = [48, 64, 96, 128, 192, 256, 320, 384, 512, 768, 1024, 1536, 2048];
/// A beam so long is made longer only as far as [`GRAPH_RECALL`] asks for.
const BEAM_LONG: u32 = 512;
/// Recall at which no longer beam is tried: 0.995, and a thousandth for the error of a large
/// segment's test.
const RECALL_AIM: f64 = 0.996;
/// Links of a node in upper layers while building; twice as many in layer 0.
const LINKS: usize = 16;
/// Links of a node that are kept, the nearest ones: 28 of the 32 in layer 0.
///
/// Measured with 50 000 random keys and a beam of 256: recall 0.9975 with all 32 (140 bytes a key), 0.9960 with 28 (128),
/// 0.9930 with 24 (116). A graph built with 14 links, which has 28 in layer 0, reaches 0.9915.
pub(super) const LINKS_KEPT: usize = 28;
/// Keys for which near-copies are looked up at a time: bounds the memory when all keys are copies of each other.
const GROUP_BATCH: usize = 64;
/// Insertions between two questions whether to stop: some hundredths of a second.
const STEPS_AT_A_TIME: usize = 64;
/// The recall test has a query for so many keys, within the two limits below.
const TEST_SHARE: u32 = 10;
/// Fewest queries of the recall test: some hundred are lonely although nine keys in ten are of a crowd.
const TEST_LEAST: u32 = 2000;
/// Most queries: the recall is then known to 0.0006, although those of one query are found or missed together. With 2 000
/// queries a beam of 192 measured 0.997 where 20 000 others found 0.9946 (200 000 keys in families of ten).
const TEST_MOST: u32 = 16_000;
/// Most crowded ones among them: each has so many neighbours that more would only take time.
const TEST_CROWDED: u32 = 500;
/// Queries searched at a time.
const TEST_BATCH: usize = 500;
/// Keys within [`GRAPH_RADIUS`] of a key from which on it counts as crowded.
const CROWD: u32 = 32;
/// Most bits flipped in a query of the recall test.
const TEST_NOISE: u32 = 60;
const SEED: u64 = 0x756e_6971;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_graph_whose_links_lead_nowhere_is_given_no_beam() {
        let mut random = SplitMix(5);
        let keys: Vec<[u64; 4]> = (0..3000).map(|_| std::array::from_fn(|_| random.next())).collect();
        let planes: [Vec<u64>; 4] = std::array::from_fn(|word| keys.iter().map(|key| key[word]).collect());
        let planes = planes.each_ref().map(Vec::as_slice);
        let work = Work::new(&|| false, 0);
        let groups = group_near_copies(planes, &work).unwrap();
        assert_eq!(groups.leaders.len(), keys.len());
        let test = RecallTest::new(planes);
        let mut whole = freeze(&groups, EFFORTS[0].construction, &work).unwrap();
        relink(&mut whole, &work).unwrap();
        let found = shortest_beam(&mut whole, &test, planes, &work).unwrap();
        assert!(matches!(found, Beam::Enough { recall } if recall >= GRAPH_RECALL), "{found:?}");
        // One node in twenty is left without a link to it.
        let lost = |link: &Link| super::super::unpack(*link) % 20 == 7;
        for (_, links) in &mut whole.layers {
            links.iter_mut().filter(|link| lost(link)).for_each(|link| *link = pack(0));
        }
        let found = shortest_beam(&mut whole, &test, planes, &work).unwrap();
        assert!(matches!(found, Beam::None { recall } if (0.9..0.99).contains(&recall)), "{found:?}");
        assert_eq!(whole.ef, BEAMS[BEAMS.len() - 1]);
    }
}
