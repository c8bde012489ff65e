//! Joins the keys that stay at one place of a video into runs, and marks those that recur.

use std::collections::HashMap;
use std::time::Duration;

use super::extract::{RECURRENCE_GAP, RECURRENCE_RADIUS, SeenKey};
use super::{Key, KeyKind, Place, Run};

/// Joins keys of successive keyframes of one video.
pub(super) struct Tracker {
    /// Maximum time between two sightings in one run.
    patience: Duration,
    active: Vec<Run>,
    finished: Vec<Run>,
}

impl Tracker {
    /// `interval` is the maximum time between two keyframes.
    pub(super) fn new(interval: Duration) -> Tracker {
        Tracker {
            patience: interval.mul_f32(PATIENCE),
            active: Vec::new(),
            finished: Vec::new(),
        }
    }

    /// Takes the keys of the next keyframe.
    pub(super) fn push(&mut self, time: Duration, keys: &[SeenKey]) {
        let patience = self.patience;
        let (active, over) = std::mem::take(&mut self.active)
            .into_iter()
            .partition(|run: &Run| run.last + patience >= time);
        self.active = active;
        self.finished.extend::<Vec<Run>>(over);
        for seen in keys {
            let same = |run: &&mut Run| {
                run.kind == seen.kind
                    && run.last < time
                    && near(&run.place, &seen.place, RUN_SHIFT, RUN_ZOOM)
            };
            let nearest = self
                .active
                .iter_mut()
                .filter(same)
                .map(|run| (run.key.distance(seen.key), run))
                .filter(|(distance, _)| *distance <= RECURRENCE_RADIUS)
                .min_by_key(|(distance, _)| *distance);
            if let Some((_, run)) = nearest {
                run.last = time;
                run.recurs |= seen.recurs;
            } else {
                let SeenKey {
                    kind,
                    place,
                    key,
                    recurs,
                    ..
                } = *seen;
                self.active.push(Run {
                    key,
                    kind,
                    place,
                    first: time,
                    last: time,
                    recurs,
                });
            }
        }
    }

    /// All runs in order of time, place and key; those that last or recur are marked.
    pub(super) fn finish(mut self) -> Vec<Run> {
        self.finished.append(&mut self.active);
        let mut runs = self.finished;
        runs.iter_mut()
            .for_each(|run| run.recurs |= run.last - run.first >= RECURRENCE_GAP);
        runs.sort_by(|a, b| {
            (a.first, a.last, a.key)
                .cmp(&(b.first, b.last, b.key))
                .then(a.place.y.total_cmp(&b.place.y))
        });
        for i in recurring(&runs, |run| Sighting::from(*run)) {
            runs[i].recurs = true;
        }
        runs
    }
}

/// The fields that determine recurrence.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sighting {
    pub(super) key: Key,
    pub(super) kind: KeyKind,
    pub(super) place: Place,
    pub(super) first: Duration,
    pub(super) last: Duration,
}

impl From<Run> for Sighting {
    fn from(run: Run) -> Sighting {
        Sighting {
            key: run.key,
            kind: run.kind,
            place: run.place,
            first: run.first,
            last: run.last,
        }
    }
}

/// Indices of the items, sorted by first time, that are seen again at about the same place two
/// seconds to a minute later or earlier.
pub(super) fn recurring<T>(items: &[T], sighting: impl Fn(&T) -> Sighting) -> Vec<usize> {
    let cell = |value: f32| (value / COME_BACK_SHIFT).floor() as i32;
    let mut marks = vec![false; items.len()];
    let mut cells: HashMap<(i32, i32), Vec<usize>> = HashMap::new();
    for (i, item) in items.iter().enumerate() {
        let here = sighting(item);
        let (column, row) = (cell(here.place.x), cell(here.place.y));
        for around in (-1..=1).flat_map(|dy| (-1..=1).map(move |dx| (column + dx, row + dy))) {
            for &j in cells
                .get(&around)
                .map_or(&[][..], Vec::as_slice)
                .iter()
                .rev()
            {
                let there = sighting(&items[j]);
                if there.first + COME_BACK_WINDOW < here.first {
                    break;
                }
                let apart = here.first >= there.last + RECURRENCE_GAP;
                if apart
                    && !(marks[i] && marks[j])
                    && here.kind == there.kind
                    && near(&here.place, &there.place, COME_BACK_SHIFT, COME_BACK_ZOOM)
                    && here.key.distance(there.key) <= RECURRENCE_RADIUS
                {
                    marks[i] = true;
                    marks[j] = true;
                }
            }
        }
        cells.entry((column, row)).or_default().push(i);
    }
    (0..items.len()).filter(|&i| marks[i]).collect()
}

/// Returns whether two places are within `shift` frame heights and within `zoom` octaves of size.
fn near(a: &Place, b: &Place, shift: f32, zoom: f32) -> bool {
    (a.x - b.x).abs() <= shift
        && (a.y - b.y).abs() <= shift
        && (a.size / b.size).log2().abs() <= zoom
}

/// Number of sampling intervals for which a run may be unseen.
const PATIENCE: f32 = 2.5;

/// Maximum drift of a key within a run, in frame heights.
const RUN_SHIFT: f32 = 0.03;

/// Maximum growth of a key within a run, in octaves.
const RUN_ZOOM: f32 = 0.25;

/// Maximum distance between recurring keys, in frame heights: a hand-held camera returns only
/// roughly.
const COME_BACK_SHIFT: f32 = 0.06;

/// Maximum difference in size between recurring keys, in octaves.
const COME_BACK_ZOOM: f32 = 0.35;

/// Maximum time after which a key recurs; the search handles later returns.
const COME_BACK_WINDOW: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::super::Warp;
    use super::*;

    fn seen(word: u64, x: f32) -> SeenKey {
        SeenKey {
            fine: false,
            kind: KeyKind::Region,
            place: Place {
                x,
                y: 0.5,
                size: 0.2,
            },
            key: Key([word, word.rotate_left(7), !word, word ^ 0xffff_0000]),
            mirrored: Key::default(),
            warped: [Key::default(); Warp::ALL.len()],
            recurs: false,
        }
    }

    const SECOND: Duration = Duration::from_secs(1);

    fn track(frames: &[&[SeenKey]]) -> Vec<Run> {
        let mut tracker = Tracker::new(SECOND);
        for (i, keys) in frames.iter().enumerate() {
            tracker.push(SECOND * i as u32, keys);
        }
        tracker.finish()
    }

    #[test]
    fn a_key_that_stays_is_one_run() {
        let stays = seen(0x1234_5678_9abc_def0, 0.4);
        let runs = track(&[&[stays], &[stays], &[], &[stays], &[stays]]);
        assert_eq!(runs.len(), 1);
        assert_eq!(
            (runs[0].first, runs[0].last, runs[0].recurs),
            (Duration::ZERO, 4 * SECOND, true)
        );
    }

    #[test]
    fn a_key_that_is_seen_once_speaks_for_its_moment() {
        let runs = track(&[
            &[seen(0x1111_2222_3333_4444, 0.4)],
            &[seen(0xfedc_0123_8888_7777, 0.4)],
        ]);
        assert_eq!(runs.len(), 2);
        assert!(runs.iter().all(|run| !run.recurs));
    }

    #[test]
    fn a_key_that_comes_back_after_a_cut_recurs_in_both_places() {
        let (back, other) = (
            seen(0x1234_5678_9abc_def0, 0.4),
            seen(0xfedc_0123_8888_7777, 0.4),
        );
        let runs = track(&[&[back], &[other], &[other], &[other], &[other], &[back]]);
        let again: Vec<_> = runs.iter().filter(|run| run.key == back.key).collect();
        assert_eq!(again.len(), 2);
        assert!(again.iter().all(|run| run.recurs));
    }

    #[test]
    fn the_same_key_elsewhere_in_the_frame_does_not_recur() {
        let word = 0x1234_5678_9abc_def0;
        let runs = track(&[
            &[seen(word, 0.2)],
            &[seen(word, 0.5)],
            &[seen(word, 0.8)],
            &[seen(word, 1.1)],
        ]);
        assert_eq!(runs.len(), 4);
        assert!(runs.iter().all(|run| !run.recurs));
    }
}
