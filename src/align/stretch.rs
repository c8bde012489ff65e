//! From where to where an alignment goes: while it is found, and not past what contradicts it.
//!
//! A wall matches its own picture for as long as the camera stands; that must not carry a match from a published take
//! into the outtake that follows it in the clip. So where the clip shows keys of a moment, and they are found at the
//! rate of the rest of the alignment no more, the alignment ends, although the scene goes on.

use super::GAP_MAX;

/// What one keyframe of the clip says about an alignment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Look {
    /// When, in seconds of the clip.
    pub(super) time: f32,
    /// Keys found where the alignment puts them, of whatever kind.
    pub(super) found: u32,
    /// Keys that do not look alike at other times.
    pub(super) moments: u32,
    /// How many of those were found.
    pub(super) moments_found: u32,
}

/// The parts of the clip that an alignment covers, each from its first to its last supporting keyframe; without any
/// keys of the moment found, whatever is found supports it. Nothing found for `gap` seconds ends a part.
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
    // On both sides, as far as the scene is found and nothing contradicts.
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

/// The same part, and on either side as far as anything is found, for [`GAP_MAX`] seconds at most and without a break of [`GRACE`].
///
/// A cut of the clip does not end it, nor that little is found, nor that keys of a moment are not: of small crops and of fast pictures
/// no more is, and a crop has cuts where somebody walks in. Measured on real footage that is not of the copy, it holds 1.2 s of 367 s
/// that go on in the same take, and nothing of 448 s of other footage after a cut; with those three ends it holds as much, and several
/// seconds of copies are called unpublished.
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

/// Found keys of the moment to be expected before their absence counts as a contradiction: by chance, one stretch in
/// fifty shows none.
const CONTRADICTION: f32 = 4.0;

/// Seconds around a supporting keyframe that tell how many keys are found.
const AROUND: f32 = 1.0;

/// The share of keys of the moment that is found where the alignment holds.
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

/// Whether what lies between two supporting keyframes can be part of one stretch.
fn connected(looks: &[Look], gap: f32, rate: f32) -> bool {
    let (start, end) = (looks[0].time, looks[looks.len() - 1].time);
    let inner = looks.iter().filter(|look| look.time > start + GRACE && look.time < end - GRACE);
    let missed: f32 = inner.map(|look| look.moments as f32 * rate).sum();
    let mut seen = looks.iter().filter(|look| look.found > 0).map(|look| look.time);
    let mut last = seen.next().unwrap_or_default();
    let unbroken = seen.all(|time| time - std::mem::replace(&mut last, time) <= gap);
    unbroken && missed < CONTRADICTION
}

/// The furthest keyframe, walking away from a supporting one, at which the scene is found, little moves, and nothing
/// on the way contradicts.
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
        // Near the last support only a pause leads on: what moves there and is not found may be another moment.
        if looks[i].found > 0 && (quiet || beyond && expected < QUIET) {
            furthest = i;
        }
    }
    furthest
}

/// Seconds around a supporting keyframe in which others need not be found: a source has one keyframe a second.
const GRACE: f32 = 1.1;

/// A keyframe of the clip in which fewer keys of the moment are to be expected shows a pause.
const QUIET: f32 = 0.5;

#[cfg(test)]
mod tests {
    use super::*;

    /// Four keyframes a second; one in four meets a keyframe of the source.
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
