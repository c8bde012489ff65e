//! Compares a clip with a source where an alignment puts it, and at other times.

use std::collections::HashSet;

use super::guide::{self, Trace};
use super::pieces::EDGE;
use super::vote::Line;
use super::{CONTRAST_SECONDS, Context, Contrast, Found, Similarity, middle};
use crate::evidence::{self, Pair};
use crate::fingerprint::{ClipKey, Orientation};

impl Context<'_> {
    /// Compares what the clip shows where the alignment puts it with what it would show at other times of the source,
    /// and with a single moment of the source standing still.
    ///
    /// This is measured on the source itself: another moment of the same scene agrees about as well as the source's
    /// own other moments do, a copy agrees at one time only.
    pub(super) fn contrast(
        &self,
        (first, last): (f32, f32),
        orientation: Orientation,
        geometry: &Similarity,
        line: Line,
    ) -> Contrast {
        let length = self.length.as_secs_f32();
        // Two minutes tell as much as two hours.
        let (first, last) = middle((first, last), CONTRAST_SECONDS);
        let agreement = |line: Line, (from, to): (f32, f32)| -> [f32; 2] {
            let traces = guide::trace(self.clip, &self.shown, orientation, geometry, line, (from, to));
            let near = traces.iter().filter(|trace| trace.distance <= CONTRAST_RADIUS);
            let pairs: Vec<Pair> = near.map(|trace| guide::pair(trace, self.clip, &self.shown, orientation)).collect();
            [evidence::count_guided(&pairs), evidence::count_guided(pairs.iter().filter(|pair| pair.moment))]
        };
        let here = agreement(line, (first, last));
        let mut share = [0.0_f32; 2];
        let mut compare = |other: Line, (from, to): (f32, f32)| {
            if to - from >= OVERLAP_MIN.min(last - first) {
                let same = if (from, to) == (first, last) { here } else { agreement(line, (from, to)) };
                let there = agreement(other, (from, to));
                for (share, (there, same)) in share.iter_mut().zip(there.into_iter().zip(same)) {
                    *share = share.max(there / same.max(1.0));
                }
            }
        };
        for shift in SHIFTS.iter().flat_map(|&shift| [shift, -shift]) {
            // The part of the clip for which the shifted source has pictures.
            let ends = [0.0, length].map(|moment| (moment - line.offset - shift) / line.speed);
            let (from, to) = (first.max(ends[0].min(ends[1])), last.min(ends[0].max(ends[1])));
            compare(Line { offset: line.offset + shift, ..line }, (from, to));
        }
        let (from, to) = (line.at(first), line.at(last));
        let steps = ((to - from).abs() / 0.5).clamp(2.0, STILLS_MAX);
        for step in 0..=steps as u32 {
            let moment = from + (to - from) * step as f32 / steps.floor();
            compare(Line { speed: 0.0, offset: moment }, (first, last));
        }
        Contrast {
            here: here[0],
            elsewhere: share[0] * here[0],
            moment_here: here[1],
            moment_elsewhere: share[1] * here[1],
        }
    }

    /// Which share of both sides' keys is where the alignment puts it, between two moments of the clip; of the clip's, of those
    /// that are expected.
    pub(super) fn found(
        &self,
        traces: &[Trace],
        (first, last): (f32, f32),
        orientation: Orientation,
        geometry: &Similarity,
        line: Line,
        expected: &dyn Fn(&ClipKey) -> bool,
    ) -> Found {
        let share = |[all, found]: [u32; 2]| if all == 0 { 0.0 } else { found as f32 / all as f32 };
        let runs: HashSet<usize> = traces.iter().map(|trace| trace.run).collect();
        let keys: HashSet<usize> = traces.iter().map(|trace| trace.clip_key as usize).collect();
        let aspect = orientation.aspect(self.clip.aspect());
        let (from, to) = line.span((first, last), EDGE);
        let fine = self.clip.keys.iter().any(|key| key.fine);
        let mut reference = [0; 2];
        for (number, run) in self.shown.runs.iter().enumerate() {
            let in_time = run.first.as_secs_f32() <= to && run.last.as_secs_f32() >= from;
            if in_time && guide::visible(run, geometry, aspect, fine) {
                reference[0] += 1;
                reference[1] += u32::from(runs.contains(&number));
            }
        }
        let (mut scene, mut moment) = ([0; 2], [0; 2]);
        for number in guide::keys_between(self.clip, (first, last)) {
            let key = &self.clip.keys[number];
            if expected(key) {
                let count = if key.recurs { &mut scene } else { &mut moment };
                count[0] += 1;
                count[1] += u32::from(keys.contains(&number));
            }
        }
        Found {
            reference: share(reference),
            clip_scene: share(scene),
            clip_moment: share(moment),
            clip_moments: moment[0],
        }
    }
}

/// Distance up to which pairs count in that comparison, in bits.
const CONTRAST_RADIUS: u32 = 80;

/// How far the source is shifted, in its seconds: at once more than a picture's likeness to its neighbours lasts.
const SHIFTS: [f32; 8] = [1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0];

/// Seconds of the clip that a shifted source has to cover to be compared.
const OVERLAP_MIN: f32 = 1.0;

/// Most moments of the source that are tried standing still.
const STILLS_MAX: f32 = 12.0;
