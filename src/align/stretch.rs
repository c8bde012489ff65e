//! Determines the extent of an alignment: while there is support and no contradiction.
//!
//! A wall matches its own image for as long as the camera stands. That must not extend a match from
//! a published take into the outtake that follows it in the clip. So where the clip shows
//! distinctive keys that are not found at the alignment's usual rate, the alignment ends, although
//! the scene continues.

use super::GAP_MAX;

/// Support for an alignment in one keyframe of the clip.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Look {
    /// Time in seconds of the clip.
    pub(super) time: f32,
    /// Number of keys with a correspondence, repeated or not.
    pub(super) found: u32,
    /// Number of distinctive keys.
    pub(super) moments: u32,
    /// Number of distinctive keys with a correspondence.
    pub(super) moments_found: u32,
}

/// The intervals of the clip that an alignment covers, each from its first to its last supporting
/// keyframe. A keyframe supports it by distinctive keys, or by any if `by_moment` is false. A gap
/// of more than `gap` seconds ends an interval.
pub(super) fn stretches(looks: &[Look], gap: f32, by_moment: bool) -> Vec<(f32, f32)> {
    if !by_moment {
        let found: Vec<f32> = looks.iter().filter(|look| look.found > 0).map(|look| look.time).collect();
        return found.chunk_by(|a, b| b - a <= gap).map(|part| (part[0], part[part.len() - 1])).collect();
    }
    let supports = |look: &Look| look.moments_found > 0;
    let rate = rate(looks);
    let mut parts: Vec<(usize, usize)> = Vec::new();
    for (i, _) in looks.iter().enumerate().filter(|(_, look)| supports(look)) {
        match parts.last_mut() {
            Some((_, last)) if connected(&looks[*last..=i], gap, rate) => *last = i,
            _ => parts.push((i, i)),
        }
    }
    // Extend both sides while the scene is found and nothing contradicts.
    let mut covered = Vec::with_capacity(parts.len());
    for (number, &(first, last)) in parts.iter().enumerate() {
        let before = if number == 0 { 0 } else { parts[number - 1].1 + 1 };
        let after = parts.get(number + 1).map_or(looks.len(), |next| next.0);
        let start = reach((before..first).rev(), first, looks, gap, rate);
        let end = reach(last + 1..after, last, looks, gap, rate);
        covered.push((looks[start].time, looks[end].time));
    }
    covered
}

/// The guard interval: the interval itself, and on either side as far as any key is found, for at
/// most [`GAP_MAX`] seconds and without a gap of more than [`GRACE`].
///
/// Neither a cut of the clip, nor few found keys, nor missing distinctive keys end it: small crops
/// and fast footage have no more support, and a crop has cuts where somebody walks in. Measured on
/// real footage outside the copy, it covers 1.2 s of 367 s that continue in the same take, and
/// nothing of 448 s of other footage after a cut. With those three criteria it covers as much, and
/// several seconds of copies become unpublished.
pub(super) fn beside(looks: &[Look], (first, last): (f32, f32)) -> (f32, f32) {
    let as_far_as = |from: f32, away: &mut dyn Iterator<Item = &Look>| {
        let mut furthest = from;
        for look in away.take_while(|look| (look.time - from).abs() <= GAP_MAX) {
            if (look.time - furthest).abs() > GRACE {
                break;
            }
            if look.found > 0 {
                furthest = look.time;
            }
        }
        furthest
    };
    (
        as_far_as(first, &mut looks.iter().rev().filter(|look| look.time < first)),
        as_far_as(last, &mut looks.iter().filter(|look| look.time > last)),
    )
}

/// Number of expected but missing distinctive keys that contradicts an alignment: by chance, one
/// interval in fifty shows none.
const CONTRADICTION: f32 = 4.0;

/// Distance from a supporting keyframe within which keyframes contribute to the rate, in seconds.
const AROUND: f32 = 1.0;

/// The share of distinctive keys that is found where the alignment holds.
fn rate(looks: &[Look]) -> f32 {
    let times: Vec<f32> = looks.iter().filter(|look| look.moments_found > 0).map(|look| look.time).collect();
    let near = |time: f32| {
        let next = times.partition_point(|&other| other < time);
        let distance = |i: usize| times.get(i).map_or(f32::INFINITY, |other| (other - time).abs());
        distance(next).min(next.checked_sub(1).map_or(f32::INFINITY, distance)) <= AROUND
    };
    let (all, found) = looks
        .iter()
        .filter(|look| near(look.time))
        .fold((0, 0), |(all, found), look| (all + look.moments, found + look.moments_found));
    if all == 0 { 0.0 } else { found as f32 / all as f32 }
}

/// Whether two supporting keyframes belong to one interval, given those between them.
fn connected(looks: &[Look], gap: f32, rate: f32) -> bool {
    let (start, end) = (looks[0].time, looks[looks.len() - 1].time);
    let inner = looks.iter().filter(|look| look.time > start + GRACE && look.time < end - GRACE);
    let missed: f32 = inner.map(|look| look.moments as f32 * rate).sum();
    let mut seen = looks.iter().filter(|look| look.found > 0).map(|look| look.time);
    let mut last = seen.next().unwrap_or_default();
    let unbroken = seen.all(|time| time - std::mem::replace(&mut last, time) <= gap);
    unbroken && missed < CONTRADICTION
}

/// The furthest keyframe from a supporting one at which the scene is found and static, without a
/// contradiction on the way.
fn reach(away: impl Iterator<Item = usize>, from: usize, looks: &[Look], gap: f32, rate: f32) -> usize {
    let (mut furthest, mut missed, mut quiet) = (from, 0.0, true);
    for i in away {
        let expected = looks[i].moments as f32 * rate;
        let beyond = (looks[i].time - looks[from].time).abs() > GRACE;
        quiet &= expected < QUIET;
        if beyond {
            missed += expected;
        }
        if missed >= CONTRADICTION || (looks[i].time - looks[furthest].time).abs() > gap {
            break;
        }
        // Within the grace period only a static phase extends the interval: motion without
        // correspondences may be another moment.
        if looks[i].found > 0 && (quiet || beyond && expected < QUIET) {
            furthest = i;
        }
    }
    furthest
}

/// Distance from a supporting keyframe within which others need no support, in seconds: a reference
/// has one keyframe a second.
const GRACE: f32 = 1.1;

/// A keyframe of the clip is static if fewer distinctive keys than this are expected in it.
const QUIET: f32 = 0.5;

#[cfg(test)]
mod tests {
    use super::*;

    /// Four keyframes a second, of which one coincides with a keyframe of the reference.
    fn looks(seconds: std::ops::Range<u32>, found: u32, moments: u32, moments_found: u32) -> Vec<Look> {
        let look = |i: u32| Look {
            time: i as f32 / 4.0,
            found,
            moments,
            moments_found: if i.is_multiple_of(4) { moments_found } else { 0 },
        };
        (4 * seconds.start..4 * seconds.end).map(look).collect()
    }

    #[test]
    fn a_match_ends_where_another_moment_of_its_scene_begins() {
        let mut all = looks(0..6, 5, 20, 8);
        all.extend(looks(6..12, 5, 20, 0));
        let covered = stretches(&all, 3.0, true);
        assert_eq!(covered.len(), 1);
        assert!(covered[0].0 == 0.0 && (5.0..6.3).contains(&covered[0].1), "{covered:?}");
    }

    #[test]
    fn a_pause_in_which_nothing_moves_is_part_of_the_match() {
        let mut all = looks(0..4, 5, 20, 8);
        all.extend(looks(4..10, 5, 0, 0));
        all.extend(looks(10..14, 5, 20, 8));
        all.extend(looks(14..20, 5, 0, 0));
        assert_eq!(stretches(&all, 3.0, true), [(0.0, 19.75)]);
    }

    #[test]
    fn nothing_found_for_a_while_ends_a_part() {
        let mut all = looks(0..4, 2, 20, 8);
        all.extend(looks(4..9, 0, 20, 0));
        all.extend(looks(9..12, 2, 20, 8));
        for by_moment in [true, false] {
            let covered = stretches(&all, 3.0, by_moment);
            assert_eq!(covered.len(), 2, "{covered:?}");
        }
    }

    #[test]
    fn beside_a_match_lies_what_is_found_for_three_seconds_and_without_a_break() {
        let mut all = looks(0..6, 5, 20, 0);
        all.extend(looks(6..9, 5, 20, 8));
        all.extend(looks(9..10, 5, 20, 0));
        all.extend(looks(10..12, 0, 20, 0));
        all.extend(looks(12..14, 5, 20, 0));
        assert_eq!(beside(&all, (6.0, 8.75)), (3.0, 9.75));
        assert_eq!(beside(&all, (0.0, 13.75)), (0.0, 13.75));
    }

    #[test]
    fn nothing_at_all_covers_nothing() {
        assert_eq!(stretches(&looks(0..5, 0, 9, 0), 3.0, true), []);
        assert_eq!(stretches(&[], 3.0, false), []);
    }
}
