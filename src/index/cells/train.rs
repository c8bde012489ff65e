//! Trains centroids: k-majority (Grana, Borghesani, Manfredi and Cucchiara 2013), k-means for keys
//! of bits.

use rayon::prelude::*;

use super::{Cells, Search};
use crate::error::Result;
use crate::fingerprint::{KEY_BITS, Key};
use crate::index::random::SplitMix;
use crate::index::upkeep::Work;

/// Average number of training keys for a centroid. A choice: it was not swept.
pub(crate) const TRAINING_KEYS: usize = 64;

/// Rounds of assigning keys and taking majorities. A choice: it was not swept.
const ROUNDS: usize = 4;

/// Trains `cells` centroids from keys, or one for each different key if these are fewer. The same
/// keys give the same centroids. A repeated key counts once, so that no crowd of equal keys
/// attracts more than one centroid.
pub(crate) fn train(mut keys: Vec<Key>, cells: usize, work: &Work<'_>) -> Result<Vec<Key>> {
    keys.sort_unstable();
    keys.dedup();
    let mut random = SplitMix::new(SEED);
    for last in (1..keys.len()).rev() {
        keys.swap(last, random.below(last as u32 + 1) as usize);
    }
    let mut centroids: Vec<Key> = keys[..cells.min(keys.len())].to_vec();
    for _ in 0..ROUNDS {
        work.stop_if_asked()?;
        let now = Cells::of(0, centroids, None);
        let mut assigned: Vec<(u32, u32)> = Vec::with_capacity(keys.len());
        for part in keys.chunks(KEYS_AT_A_TIME) {
            work.stop_if_asked()?;
            let first = assigned.len() as u32;
            assigned.par_extend(part.par_iter().enumerate().map_init(
                Search::new,
                |search, (number, key)| {
                    let cell = now
                        .nearest_of_all(*key, 1, search)
                        .first()
                        .copied()
                        .unwrap_or_default();
                    (cell, first + number as u32)
                },
            ));
            work.advance(part.len() as u64);
        }
        assigned.par_sort_unstable();
        let mut next = now.centroids;
        let members: Vec<&[(u32, u32)]> = assigned.chunk_by(|a, b| a.0 == b.0).collect();
        let majorities: Vec<(u32, Key)> = members
            .par_iter()
            .map(|members| {
                let cell = members[0].0;
                (
                    cell,
                    majority(
                        members.iter().map(|(_, key)| keys[*key as usize]),
                        next[cell as usize],
                    ),
                )
            })
            .collect();
        // A cell without keys stays where it is. Anywhere else it would only sit beside another
        // one.
        majorities
            .into_iter()
            .for_each(|(cell, key)| next[cell as usize] = key);
        centroids = next;
    }
    Ok(centroids)
}

/// Steps of [`Work`] that training takes.
pub(crate) fn steps(keys: usize) -> u64 {
    (keys * ROUNDS) as u64
}

/// The majority value of each bit; in a tie, that of `before`.
fn majority(keys: impl Iterator<Item = Key>, before: Key) -> Key {
    let mut ones = [0u32; KEY_BITS as usize];
    let mut count = 0;
    for key in keys {
        count += 1;
        for (bit, ones) in ones.iter_mut().enumerate() {
            *ones += (key.0[bit / 64] >> (bit % 64) & 1) as u32;
        }
    }
    let mut majority = before;
    for (bit, ones) in ones
        .into_iter()
        .enumerate()
        .filter(|(_, ones)| 2 * ones != count)
    {
        let mask = 1 << (bit % 64);
        if 2 * ones > count {
            majority.0[bit / 64] |= mask;
        } else {
            majority.0[bit / 64] &= !mask;
        }
    }
    majority
}

/// Keys assigned between two checks for cancellation.
const KEYS_AT_A_TIME: usize = 65_536;

const SEED: u64 = 0x7c15_0b4e_9e37_79b9;
