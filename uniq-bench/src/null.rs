//! What chance does: distances between keys of unrelated videos, and the evidence that held-back clips reach.
//!
//! The chance `p0(d)` that two keys are within `d` bits is counted over every key of the held-back excerpts, plain and
//! mirrored, against every key of the indexed videos. Two videos that the check itself relates (a match of either kind, in
//! [`RELATED_EDITS`] edits or more, or all that are measured) show the same place or content: they are not unrelated, and are left out and counted.
//!
//! Below the least distance with [`SEEN_MIN`] pairs the table is continued by the model of the evidence: the logarithm of
//! the chance goes on in a straight line, with the mean slope from that distance to [`RADIUS`].
//!
//! How many held-back excerpts reach `b` bits is predicted by [`uniq::evidence::by_chance`], as if each had ten
//! seconds: the prediction is for `--lengths 10`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::atomic::AtomicBool;

use serde::Serialize;
use uniq::Fingerprint;
use uniq::evidence::{by_chance, surprise};
use uniq::fingerprint::{KEY_BITS, Key, KeyKind, Orientation, Run};
use uniq::search::RADIUS;

use crate::cache::Cache;
use crate::footage::{Clip, split};
use crate::measure::{Measured, Plan, Role, paths};
use crate::score::highest_bits;

/// A distance counts as observed from so many pairs on.
const SEEN_MIN: u64 = 10;

/// Distances of the table, in bits.
const DISTANCES: [u32; 10] = [32, 40, 44, 48, 52, 56, 60, 64, 72, 80];

/// Evidence at which predicted and observed are compared, in bits.
const BITS: [u32; 6] = [8, 12, 16, 20, 24, 30];

/// What was counted.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Null {
    /// Pairs of region keys, and of whole-frame keys.
    pairs: [u64; 2],
    /// Of them, by distance in bits.
    #[serde(skip)]
    counts: [Vec<u64>; 2],
    /// `p0(d)` of both kinds: distance, chance here (none where too few pairs were seen), chance by the model of the evidence.
    chances: [Vec<(u32, Option<f64>, f64)>; 2],
    /// Mean slope of the logarithm, bits of surprise for a bit of distance, and the distance below which it is used.
    tails: [Option<(f64, u32)>; 2],
    /// Held-back excerpts, and those of them whose video the check related to an indexed one.
    excerpts: (usize, usize),
    /// Evidence in bits, excerpts predicted to reach it, excerpts that did.
    alarms: Vec<(u32, f64, usize)>,
}

/// Counts over the held-back rows.
pub(crate) fn count(
    clips: &[Clip],
    plan: &Plan,
    cache: &Cache,
    measured: &Measured,
    cancel: &AtomicBool,
) -> anyhow::Result<Null> {
    let mut null = Null { counts: [(); 2].map(|()| vec![0; KEY_BITS as usize + 1]), ..Null::default() };
    let mut highest = Vec::new();
    let relatives = Relatives::of(measured);
    for number in 0..plan.splits {
        let index = cache.index(&paths(&split(clips, number).published), cancel)?;
        let mut runs: BTreeMap<String, Vec<Run>> = BTreeMap::new();
        for (video, about) in index.videos() {
            runs.insert(hex::encode(about.sha256), index.runs(video)?);
        }
        for row in measured.rows.iter().filter(|row| row.split == number && row.role == Role::HeldBack) {
            // Some edits show another clip besides.
            let shown = [Some(&row.excerpt.clip), row.excerpt.other.as_ref()];
            let related = |sha256: &str| shown.iter().flatten().any(|clip| relatives.are(&clip.sha256, sha256));
            let (fingerprint, _) = cache.fingerprint(&row.excerpt, cancel)?;
            let fingerprint = plan.effort.looked_at(&fingerprint);
            for (_, runs) in runs.iter().filter(|(sha256, _)| !related(sha256)) {
                null.add(&fingerprint, runs);
            }
            null.excerpts.0 += 1;
            if runs.keys().any(|sha256| related(sha256)) {
                null.excerpts.1 += 1;
            } else {
                highest.push(highest_bits(&row.checked.report));
            }
        }
    }
    null.finish(&highest);
    Ok(null)
}

/// Videos are related from so many edits of one on that the check relates to the other, or from all that are measured: chance
/// does not come back.
const RELATED_EDITS: usize = 3;

/// Pairs of videos that checks related, by their digests.
struct Relatives(BTreeSet<(String, String)>);

impl Relatives {
    fn of(measured: &Measured) -> Relatives {
        let mut edits: BTreeMap<(String, String), BTreeSet<&str>> = BTreeMap::new();
        for row in measured.rows.iter().filter(|row| row.role == Role::HeldBack && row.excerpt.other.is_none()) {
            for found in &row.checked.report.matches {
                let pair = Relatives::pair(&row.excerpt.clip.sha256, &found.alignment.source.sha256);
                edits.entry(pair).or_default().insert(row.excerpt.edit.name);
            }
        }
        let unmixed = measured.rows.iter().filter(|row| row.excerpt.other.is_none()).map(|row| row.excerpt.edit.name);
        let least = RELATED_EDITS.min(unmixed.collect::<BTreeSet<_>>().len());
        edits.retain(|_, edits| edits.len() >= least);
        Relatives(edits.into_keys().collect())
    }

    fn are(&self, one: &str, other: &str) -> bool {
        self.0.contains(&Relatives::pair(one, other))
    }

    fn pair(one: &str, other: &str) -> (String, String) {
        (one.min(other).to_owned(), one.max(other).to_owned())
    }
}

impl Null {
    fn add(&mut self, clip: &Fingerprint, runs: &[Run]) {
        for (kind, which) in [(KeyKind::Region, 0), (KeyKind::Whole, 1)] {
            let theirs: Vec<Key> = runs.iter().filter(|run| run.kind == kind).map(|run| run.key).collect();
            let counts = &mut self.counts[which];
            for key in clip.keys().iter().filter(|key| key.kind == kind) {
                for mine in Orientation::USUAL.map(|orientation| orientation.key(key)) {
                    theirs.iter().for_each(|other| counts[mine.distance(*other) as usize] += 1);
                }
            }
        }
    }

    fn finish(&mut self, highest: &[f64]) {
        for (which, kind) in [KeyKind::Region, KeyKind::Whole].into_iter().enumerate() {
            let within: Vec<u64> = self.counts[which]
                .iter()
                .scan(0, |sum, count| {
                    *sum += count;
                    Some(*sum)
                })
                .collect();
            let pairs = within[KEY_BITS as usize];
            self.pairs[which] = pairs;
            let chance = |distance: u32| within[distance as usize] as f64 / pairs.max(1) as f64;
            let model = |distance: u32| (-f64::from(surprise(kind, distance))).exp2();
            let seen = |distance: u32| within[distance as usize] >= SEEN_MIN;
            let row = |distance: u32| (distance, seen(distance).then(|| chance(distance)), model(distance));
            self.chances[which] = DISTANCES.into_iter().map(row).collect();
            self.tails[which] = (0..RADIUS)
                .find(|&distance| seen(distance))
                .map(|first| ((chance(RADIUS) / chance(first)).log2() / f64::from(RADIUS - first), first));
        }
        let alarms = |bits: u32| {
            let bits_f = f64::from(bits);
            let predicted = highest.len() as f64 * by_chance(bits as f32);
            (bits, predicted, highest.iter().filter(|reached| **reached >= bits_f).count())
        };
        self.alarms = BITS.into_iter().map(alarms).collect();
    }

    /// The tables for a person.
    pub(crate) fn text(&self) -> String {
        let mut text = format!(
            "\nunrelated keys: {:.2e} pairs of regions, {:.2e} of whole frames; {} of {} excerpts are of videos with a related one, and left out\n",
            self.pairs[0], self.pairs[1], self.excerpts.1, self.excerpts.0
        );
        for (which, kind) in ["regions", "whole frames"].into_iter().enumerate() {
            let _ = writeln!(text, "\n{kind:<14} {:>10} {:>12} {:>12}", "within", "p0 here", "p0 used");
            for (distance, here, used) in &self.chances[which] {
                let here = here.map_or("too few".to_owned(), |chance| format!("{chance:.1e}"));
                let _ = writeln!(text, "{:<14} {:>10} {here:>12} {used:>12.1e}", "", format!("{distance} bits"));
            }
            let _ = match self.tails[which] {
                Some((slope, first)) => {
                    writeln!(
                        text,
                        "below {first} bits: {slope:.2} bits of surprise for each bit (mean slope up to {RADIUS})"
                    )
                }
                None => writeln!(text, "no pair within {RADIUS} bits"),
            };
        }
        let _ = writeln!(
            text,
            "\nunrelated excerpts that reach so much evidence\n{:>6} {:>12} {:>10}",
            "bits", "predicted", "observed"
        );
        for (bits, predicted, observed) in &self.alarms {
            let _ = writeln!(text, "{bits:>6} {predicted:>12.2} {observed:>10}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chances_are_sums_up_to_a_distance_and_the_tail_is_a_mean_slope() {
        let mut null = Null { counts: [(); 2].map(|()| vec![0; KEY_BITS as usize + 1]), ..Null::default() };
        null.counts[0][40] = 10;
        null.counts[0][72] = 2550;
        null.counts[0][128] = 1_000_000 - 2560;
        null.finish(&[0.0, 9.0, 12.5, 12.0]);
        assert_eq!(null.pairs, [1_000_000, 0]);
        assert_eq!(null.tails[0], Some((0.25, 40)));
        assert_eq!(null.chances[0][1].1, Some(1e-5));
        assert_eq!(null.chances[0][0].1, None);
        assert_eq!(null.tails[1], None);
        assert_eq!(null.alarms[0], (8, 4.0 * 0.28, 3));
        assert_eq!((null.alarms[1].0, null.alarms[1].2), (12, 2));
        assert!((null.alarms[1].1 - 4.0 * 0.07).abs() < 1e-9);
    }
}
