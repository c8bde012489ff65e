//! Sets aside what a clip shows of benign material, before anything else is looked up.
//!
//! A key of the clip within [`RADIUS`] bits of a key of benign material, in any of the orientations that are searched, counts
//! for nothing: not as a hit, and not among what the clip shows. A keyframe most of whose keys are such shows the material
//! itself. Nothing of it counts, and its time is unsearchable. A keyframe that only some of the keys are of, as under a
//! station's logo, is judged by the others.
//!
//! Benign keys are compared with all keys of the clip, so they are to be few: an unrelated key is set aside by chance with
//! a probability of 3.2e-7 ([`crate::evidence`]) for each distinct key of the material and each orientation.

use std::borrow::Cow;
use std::time::Duration;

use super::RADIUS;
use crate::error::Result;
use crate::fingerprint::{ClipKey, Fingerprint, Key, Orientation};
use crate::index::{Index, Role};

/// What is left of a clip, and what was set aside.
#[derive(Debug, Clone, PartialEq)]
pub struct Sifted<'a> {
    /// The clip without the keys that count for nothing.
    pub clip: Cow<'a, Fingerprint>,
    /// How many keys are missing from it.
    pub keys: usize,
    /// Numbers of the keyframes that show benign material, ascending.
    pub keyframes: Vec<usize>,
}

/// Takes out of a clip what it shows of the benign material in an index.
///
/// # Errors
/// [`Error::CorruptIndex`](crate::Error::CorruptIndex) if something is damaged that is looked at, and the error of `stop`, which is
/// asked now and then.
pub fn sift<'a>(
    index: &Index,
    clip: &'a Fingerprint,
    orientations: &[Orientation],
    stop: &dyn Fn() -> Result<()>,
) -> Result<Sifted<'a>> {
    let whole = Sifted { clip: Cow::Borrowed(clip), keys: 0, keyframes: Vec::new() };
    if index.state().benign_keys == 0 {
        return Ok(whole);
    }
    let mut benign = Vec::with_capacity(clip.keys.len());
    for keys in clip.keys.chunks(KEYS_AT_A_TIME) {
        stop()?;
        benign.extend(are_benign(index, keys, orientations)?);
    }
    if !benign.contains(&true) {
        return Ok(whole);
    }
    let shown = keyframes_of(clip, &benign);
    let mut kept = clip.clone();
    let mut number = 0;
    kept.keys.retain(|key| {
        number += 1;
        !benign[number - 1] && !shown[key.keyframe as usize]
    });
    Ok(Sifted {
        keys: clip.keys.len() - kept.keys.len(),
        keyframes: (0..shown.len()).filter(|&keyframe| shown[keyframe]).collect(),
        clip: Cow::Owned(kept),
    })
}

/// Whether each of some keys is near one of benign material, made of the same kind of patch, in any orientation: also those that
/// are not looked up tilted, so that tilted material is recognised as a whole.
fn are_benign(index: &Index, keys: &[ClipKey], orientations: &[Orientation]) -> Result<Vec<bool>> {
    let queries: Vec<Key> =
        orientations.iter().flat_map(|orientation| keys.iter().map(|key| orientation.key(key))).collect();
    let mut benign = vec![false; keys.len()];
    for near in index.near_in_role(&queries, RADIUS, Role::Benign)? {
        let number = near.query as usize % keys.len();
        benign[number] = benign[number] || index.run(near.video, near.run)?.kind == keys[number].kind;
    }
    Ok(benign)
}

/// Whether each keyframe shows benign material: most of its keys do, without the fine ones, which the material has none of and
/// which find it only where it is shown smaller; or it stands for less than [`GAP_MAX`] between two of
/// which that is true.
fn keyframes_of(clip: &Fingerprint, benign: &[bool]) -> Vec<bool> {
    let mut counts = vec![(0usize, 0usize); clip.keyframes.len()];
    for (key, &benign) in clip.keys.iter().zip(benign).filter(|(key, _)| !key.fine) {
        let (of_it, all) = &mut counts[key.keyframe as usize];
        *of_it += usize::from(benign);
        *all += 1;
    }
    let mut shown: Vec<bool> = counts.into_iter().map(|(benign, all)| 2 * benign > all).collect();
    let mut last: Option<usize> = None;
    for keyframe in 0..shown.len() {
        if shown[keyframe] {
            if let Some(last) = last
                && clip.keyframes[keyframe].time.saturating_sub(clip.keyframes[last].time) < GAP_MAX
            {
                shown[last..keyframe].fill(true);
            }
            last = Some(keyframe);
        }
    }
    shown
}

/// Time between two keyframes that show benign material, below which all between them does: a flash or a wipe in an intro.
const GAP_MAX: Duration = Duration::from_secs(1);

/// Keys of a clip that are compared at a time, so that a film takes no more memory than a clip.
const KEYS_AT_A_TIME: usize = 50_000;

#[cfg(test)]
mod tests {
    use super::super::testing::clip;
    use super::*;

    #[test]
    fn fine_keys_neither_make_a_keyframe_benign_nor_keep_it_from_being_so() {
        let mut clip = clip(2, 8);
        let number = |i: usize| i % 8;
        (0..16).filter(|&i| number(i) >= 4).for_each(|i| clip.keys[i].fine = true);
        // Of the first keyframe three of four keys and no fine one are benign, of the second one and all fine ones.
        let benign: Vec<bool> =
            (0..16).map(|i| if i < 8 { number(i) < 3 } else { number(i) == 0 || number(i) >= 4 }).collect();
        assert_eq!(keyframes_of(&clip, &benign), [true, false]);
    }

    /// The keyframes that show benign material if so many keys of each are near it.
    fn shown(benign: &[usize]) -> Vec<usize> {
        let keys: Vec<bool> = benign.iter().flat_map(|&count| (0..4).map(move |number| number < count)).collect();
        let shown = keyframes_of(&clip(benign.len() as u32, 4), &keys);
        (0..shown.len()).filter(|&keyframe| shown[keyframe]).collect()
    }

    #[test]
    fn most_keys_make_a_keyframe_benign_and_half_of_them_do_not() {
        assert_eq!(shown(&[0, 1, 2, 3, 4]), [3, 4]);
        assert!(shown(&[2, 2, 1, 0]).is_empty());
    }

    #[test]
    fn what_lies_between_for_less_than_a_second_is_benign_too() {
        assert_eq!(shown(&[0, 4, 0, 0, 3, 0]), [1, 2, 3, 4]);
        assert_eq!(shown(&[4, 0, 0, 0, 4, 1, 4]), [0, 4, 5, 6]);
    }
}
