//! Determines the extent of an alignment: while there is support and no contradiction.
//!
//! A wall matches its own image for as long as the camera stands. That must not extend a match from
//! a published take into the outtake that follows it in the clip. So where the clip shows
//! distinctive keys that are not found at the alignment's usual rate, the alignment ends, although
//! the scene continues.

use super::GAP_MAX;

/// Support for an alignment in one keyframe of the clip.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct FrameSupport {
    /// Time in seconds of the clip.
    pub(super) time: f32,
    /// Number of keys with a correspondence, repeated or not.
    pub(super) found: u32,
    /// Number of distinctive keys.
    pub(super) distinctive: u32,
    /// Number of distinctive keys with a correspondence.
    pub(super) distinctive_found: u32,
}

/// The intervals of the clip that an alignment covers, each from its first to its last supporting
/// keyframe. A keyframe supports it by distinctive keys, or by any if `by_distinctive` is false. A
/// gap of more than `gap` seconds ends an interval.
pub(super) fn supported_intervals(
    frames: &[FrameSupport],
    gap: f32,
    by_distinctive: bool,
) -> Vec<(f32, f32)> {
    if !by_distinctive {
        let found: Vec<f32> = frames
            .iter()
            .filter(|frame| frame.found > 0)
            .map(|frame| frame.time)
            .collect();
        return found
            .chunk_by(|a, b| b - a <= gap)
            .map(|part| (part[0], part[part.len() - 1]))
            .collect();
    }
    let supports = |frame: &FrameSupport| frame.distinctive_found > 0;
    let rate = rate(frames);
    let mut intervals: Vec<(usize, usize)> = Vec::new();
    for (i, _) in frames
        .iter()
        .enumerate()
        .filter(|(_, frame)| supports(frame))
    {
        match intervals.last_mut() {
            Some((_, last)) if connected(&frames[*last..=i], gap, rate) => *last = i,
            _ => intervals.push((i, i)),
        }
    }
    // Extend both sides while the scene is found and nothing contradicts.
    let mut covered = Vec::with_capacity(intervals.len());
    for (number, &(first, last)) in intervals.iter().enumerate() {
        let before = if number == 0 {
            0
        } else {
            intervals[number - 1].1 + 1
        };
        let after = intervals
            .get(number + 1)
            .map_or(frames.len(), |next| next.0);
        let start = reach((before..first).rev(), first, frames, gap, rate);
        let end = reach(last + 1..after, last, frames, gap, rate);
        covered.push((frames[start].time, frames[end].time));
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
pub(super) fn guard_interval(frames: &[FrameSupport], (first, last): (f32, f32)) -> (f32, f32) {
    let as_far_as = |from: f32, away: &mut dyn Iterator<Item = &FrameSupport>| {
        let mut furthest = from;
        for frame in away.take_while(|frame| (frame.time - from).abs() <= GAP_MAX) {
            if (frame.time - furthest).abs() > GRACE {
                break;
            }
            if frame.found > 0 {
                furthest = frame.time;
            }
        }
        furthest
    };
    (
        as_far_as(
            first,
            &mut frames.iter().rev().filter(|frame| frame.time < first),
        ),
        as_far_as(last, &mut frames.iter().filter(|frame| frame.time > last)),
    )
}

/// Number of expected but missing distinctive keys that contradicts an alignment: by chance, one
/// interval in fifty shows none.
const CONTRADICTION: f32 = 4.0;

/// Distance from a supporting keyframe within which keyframes contribute to the rate, in seconds.
const AROUND: f32 = 1.0;

/// The share of distinctive keys that is found where the alignment holds.
fn rate(frames: &[FrameSupport]) -> f32 {
    let times: Vec<f32> = frames
        .iter()
        .filter(|frame| frame.distinctive_found > 0)
        .map(|frame| frame.time)
        .collect();
    let near = |time: f32| {
        let next = times.partition_point(|&other| other < time);
        let distance = |i: usize| {
            times
                .get(i)
                .map_or(f32::INFINITY, |other| (other - time).abs())
        };
        distance(next).min(next.checked_sub(1).map_or(f32::INFINITY, distance)) <= AROUND
    };
    let (all, found) = frames
        .iter()
        .filter(|frame| near(frame.time))
        .fold((0, 0), |(all, found), frame| {
            (all + frame.distinctive, found + frame.distinctive_found)
        });
    if all == 0 {
        0.0
    } else {
        found as f32 / all as f32
    }
}

/// Whether two supporting keyframes belong to one interval, given those between them.
fn connected(frames: &[FrameSupport], gap: f32, rate: f32) -> bool {
    let (start, end) = (frames[0].time, frames[frames.len() - 1].time);
    let inner = frames
        .iter()
        .filter(|frame| frame.time > start + GRACE && frame.time < end - GRACE);
    let missing: f32 = inner.map(|frame| frame.distinctive as f32 * rate).sum();
    let mut seen = frames
        .iter()
        .filter(|frame| frame.found > 0)
        .map(|frame| frame.time);
    let mut last = seen.next().unwrap_or_default();
    let unbroken = seen.all(|time| time - std::mem::replace(&mut last, time) <= gap);
    unbroken && missing < CONTRADICTION
}

/// The furthest keyframe from a supporting one at which the scene is found and static, without a
/// contradiction on the way.
fn reach(
    away: impl Iterator<Item = usize>,
    from: usize,
    frames: &[FrameSupport],
    gap: f32,
    rate: f32,
) -> usize {
    let (mut furthest, mut missing, mut is_static) = (from, 0.0, true);
    for i in away {
        let expected = frames[i].distinctive as f32 * rate;
        let beyond = (frames[i].time - frames[from].time).abs() > GRACE;
        is_static &= expected < STATIC_MAX;
        if beyond {
            missing += expected;
        }
        if missing >= CONTRADICTION || (frames[i].time - frames[furthest].time).abs() > gap {
            break;
        }
        // Within the grace period only a static phase extends the interval: motion without
        // correspondences may be another moment.
        if frames[i].found > 0 && (is_static || beyond && expected < STATIC_MAX) {
            furthest = i;
        }
    }
    furthest
}

/// Distance from a supporting keyframe within which others need no support, in seconds: a reference
/// has one keyframe a second.
const GRACE: f32 = 1.1;

/// A keyframe of the clip is static if fewer distinctive keys than this are expected in it.
const STATIC_MAX: f32 = 0.5;

#[cfg(test)]
mod tests {
    use super::*;

    /// Four keyframes a second, of which one coincides with a keyframe of the reference.
    fn frames(
        seconds: std::ops::Range<u32>,
        found: u32,
        distinctive: u32,
        distinctive_found: u32,
    ) -> Vec<FrameSupport> {
        let frame = |i: u32| FrameSupport {
            time: i as f32 / 4.0,
            found,
            distinctive,
            distinctive_found: if i.is_multiple_of(4) {
                distinctive_found
            } else {
                0
            },
        };
        (4 * seconds.start..4 * seconds.end).map(frame).collect()
    }

    #[test]
    fn a_match_ends_where_another_moment_of_its_scene_begins() {
        let mut all = frames(0..6, 5, 20, 8);
        all.extend(frames(6..12, 5, 20, 0));
        let covered = supported_intervals(&all, 3.0, true);
        assert_eq!(covered.len(), 1);
        assert!(
            covered[0].0 == 0.0 && (5.0..6.3).contains(&covered[0].1),
            "{covered:?}"
        );
    }

    #[test]
    fn a_static_phase_is_part_of_the_match() {
        let mut all = frames(0..4, 5, 20, 8);
        all.extend(frames(4..10, 5, 0, 0));
        all.extend(frames(10..14, 5, 20, 8));
        all.extend(frames(14..20, 5, 0, 0));
        assert_eq!(supported_intervals(&all, 3.0, true), [(0.0, 19.75)]);
    }

    #[test]
    fn a_gap_ends_an_interval() {
        let mut all = frames(0..4, 2, 20, 8);
        all.extend(frames(4..9, 0, 20, 0));
        all.extend(frames(9..12, 2, 20, 8));
        for by_distinctive in [true, false] {
            let covered = supported_intervals(&all, 3.0, by_distinctive);
            assert_eq!(covered.len(), 2, "{covered:?}");
        }
    }

    #[test]
    fn the_guard_interval_has_three_seconds_at_most_and_no_gap() {
        let mut all = frames(0..6, 5, 20, 0);
        all.extend(frames(6..9, 5, 20, 8));
        all.extend(frames(9..10, 5, 20, 0));
        all.extend(frames(10..12, 0, 20, 0));
        all.extend(frames(12..14, 5, 20, 0));
        assert_eq!(guard_interval(&all, (6.0, 8.75)), (3.0, 9.75));
        assert_eq!(guard_interval(&all, (0.0, 13.75)), (0.0, 13.75));
    }

    #[test]
    fn without_support_there_is_no_interval() {
        assert_eq!(supported_intervals(&frames(0..5, 0, 9, 0), 3.0, true), []);
        assert_eq!(supported_intervals(&[], 3.0, false), []);
    }
}
