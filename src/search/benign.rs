//! Filters benign material out of a clip before the search.
//!
//! A key of the clip within [`RADIUS`] bits of a benign key, in any orientation to compare, is
//! allowlisted: it gives no hits and no evidence. If most keys of a keyframe are allowlisted, the
//! keyframe shows the material itself; all its keys are dropped, and its time is unsearchable. If
//! fewer are, as under a station's logo, the remaining keys decide.
//!
//! All keys of the clip are compared with all benign keys, so these must be few: chance allowlists
//! an unrelated key with a probability of 3.2e-7 ([`crate::evidence`]) for each distinct benign key
//! and each orientation.

use std::borrow::Cow;
use std::time::Duration;

use super::RADIUS;
use crate::error::Result;
use crate::fingerprint::{ClipKey, Fingerprint, Key, Orientation};
use crate::index::Lookup;

/// A filtered clip.
#[derive(Debug, Clone, PartialEq)]
pub struct Sifted<'a> {
    /// The clip without the dropped keys.
    pub clip: Cow<'a, Fingerprint>,
    /// Number of dropped keys.
    pub keys: usize,
    /// Numbers of the keyframes that show benign material, ascending.
    pub keyframes: Vec<usize>,
}

/// Filters the benign material of an index out of a clip.
///
/// # Errors
/// [`Error::CorruptIndex`](crate::Error::CorruptIndex) if a part of the index that the filter reads
/// is damaged, and the error of `stop`, which the filter calls now and then.
pub fn sift<'a>(
    index: &dyn Lookup,
    clip: &'a Fingerprint,
    orientations: &[Orientation],
    stop: &dyn Fn() -> Result<()>,
) -> Result<Sifted<'a>> {
    let unfiltered = Sifted {
        clip: Cow::Borrowed(clip),
        keys: 0,
        keyframes: Vec::new(),
    };
    if index.state().benign_keys == 0 {
        return Ok(unfiltered);
    }
    let mut benign = Vec::with_capacity(clip.keys.len());
    for keys in clip.keys.chunks(KEYS_AT_A_TIME) {
        stop()?;
        benign.extend(are_benign(index, keys, orientations)?);
    }
    if !benign.contains(&true) {
        return Ok(unfiltered);
    }
    let keyframes = benign_keyframes(clip, &benign);
    let mut kept = clip.clone();
    let mut number = 0;
    kept.keys.retain(|key| {
        number += 1;
        !benign[number - 1] && !keyframes[key.keyframe as usize]
    });
    Ok(Sifted {
        keys: clip.keys.len() - kept.keys.len(),
        keyframes: (0..keyframes.len())
            .filter(|&keyframe| keyframes[keyframe])
            .collect(),
        clip: Cow::Owned(kept),
    })
}

/// Whether each key is near a benign key of the same kind, in any of the orientations. All keys are
/// compared in all of them, so that most keys of tilted material match.
fn are_benign(
    index: &dyn Lookup,
    keys: &[ClipKey],
    orientations: &[Orientation],
) -> Result<Vec<bool>> {
    let queries: Vec<Key> = orientations
        .iter()
        .flat_map(|orientation| keys.iter().map(|key| orientation.key(key)))
        .collect();
    let mut benign = vec![false; keys.len()];
    for near in index.near_benign(&queries, RADIUS)? {
        let number = near.query as usize % keys.len();
        benign[number] =
            benign[number] || index.run(near.video, near.run)?.kind == keys[number].kind;
    }
    Ok(benign)
}

/// Whether each keyframe shows benign material: most of its keys are benign, or it lies in a hole
/// shorter than [`GAP_MAX`] between two such keyframes. Fine keys do not count, because the
/// material has none and matches them only where the clip shows it smaller.
fn benign_keyframes(clip: &Fingerprint, benign: &[bool]) -> Vec<bool> {
    let mut counts = vec![(0usize, 0usize); clip.keyframes.len()];
    for (key, &benign) in clip.keys.iter().zip(benign).filter(|(key, _)| !key.fine) {
        let (benign_keys, all) = &mut counts[key.keyframe as usize];
        *benign_keys += usize::from(benign);
        *all += 1;
    }
    let mut shown: Vec<bool> = counts
        .into_iter()
        .map(|(benign, all)| 2 * benign > all)
        .collect();
    let mut last: Option<usize> = None;
    for keyframe in 0..shown.len() {
        if shown[keyframe] {
            if let Some(last) = last
                && clip.keyframes[keyframe]
                    .time
                    .saturating_sub(clip.keyframes[last].time)
                    < GAP_MAX
            {
                shown[last..keyframe].fill(true);
            }
            last = Some(keyframe);
        }
    }
    shown
}

/// Minimum time between two benign keyframes that is not filled: a flash or a wipe in an intro is
/// shorter.
const GAP_MAX: Duration = Duration::from_secs(1);

/// Number of keys to compare at a time, so that the memory does not grow with the clip.
const KEYS_AT_A_TIME: usize = 50_000;

#[cfg(test)]
mod tests {
    use super::super::testing::clip;
    use super::*;

    #[test]
    fn fine_keys_neither_make_a_keyframe_benign_nor_keep_it_from_being_so() {
        let mut clip = clip(2, 8);
        let number = |i: usize| i % 8;
        (0..16)
            .filter(|&i| number(i) >= 4)
            .for_each(|i| clip.keys[i].fine = true);
        // In the first keyframe, three of four coarse keys and no fine key are benign; in the
        // second, one coarse key and all fine keys.
        let benign: Vec<bool> = (0..16)
            .map(|i| {
                if i < 8 {
                    number(i) < 3
                } else {
                    number(i) == 0 || number(i) >= 4
                }
            })
            .collect();
        assert_eq!(benign_keyframes(&clip, &benign), [true, false]);
    }

    /// The benign keyframes, given how many of the four keys of each are benign.
    fn shown(benign: &[usize]) -> Vec<usize> {
        let keys: Vec<bool> = benign
            .iter()
            .flat_map(|&count| (0..4).map(move |number| number < count))
            .collect();
        let keyframes = benign_keyframes(&clip(benign.len() as u32, 4), &keys);
        (0..keyframes.len())
            .filter(|&keyframe| keyframes[keyframe])
            .collect()
    }

    #[test]
    fn most_keys_make_a_keyframe_benign_and_half_of_them_do_not() {
        assert_eq!(shown(&[0, 1, 2, 3, 4]), [3, 4]);
        assert!(shown(&[2, 2, 1, 0]).is_empty());
    }

    #[test]
    fn a_hole_shorter_than_a_second_is_benign_too() {
        assert_eq!(shown(&[0, 4, 0, 0, 3, 0]), [1, 2, 3, 4]);
        assert_eq!(shown(&[4, 0, 0, 0, 4, 1, 4]), [0, 4, 5, 6]);
    }
}
