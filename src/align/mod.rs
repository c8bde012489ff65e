//! Turns correspondences into alignments that are consistent in time and geometry (pure).
//!
//! An alignment states that one interval of the clip shows one interval of the reference, at one
//! speed and with one geometry. The correspondences of a candidate pair (clip, reference,
//! orientation) vote. Each strong vote is a seed: it fixes the geometry (a detail's size and
//! position in both frames), and the temporal hypothesis is the offset and speed with the most
//! inliers. Local optimisation refits both by weighted least squares ([`crate::evidence`]). Gaps
//! split the inliers into segments. The remaining votes then form the next hypothesis.
//!
//! Static content fits many temporal hypotheses. Where motion, frames or keys fit another one
//! clearly better, at any speed, forwards or backwards, it replaces the first and pays a selection
//! penalty. Where several hypotheses fit better one after the other, each becomes an alignment:
//! segments of a reference often lie near one slanted line. If the replacement yields no alignment,
//! distinctive evidence for the first hypothesis is still reported, marked *superseded*.
//!
//! A pair of keys is evidence for the same *recording* only if neither key recurs at the same place
//! two seconds away or more. Every other pair is evidence for the same *scene*, which another take
//! from the same tripod shows as well.

use std::collections::HashSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::evidence::{self, Evidence, Pair};
use crate::fingerprint::{Fingerprint, Orientation};
use crate::index::{Track, VideoRef};
use crate::search::Hit;

mod affine;
mod candidate;
mod coarse;
mod consistency;
pub mod dense;
mod extent;
mod first_sighting;
mod guided;
mod join;
mod motion;
mod path;
mod recall;
mod refinement;
mod split;
mod vote;

use candidate::CandidatePair;
pub use coarse::{CoarseHypothesis, coarse_hypothesis};
pub use consistency::{BinomialTest, TemporalConsistency};
use dense::{Claim, Dense};
pub use guided::GUIDED_RADIUS;
use guided::ReferenceTrack;
pub(crate) use join::continues;
pub use join::join;
pub use motion::MotionCorrelation;
use path::{KEPT_MIN, Segment};
use vote::{SpeedModel, TemporalHypothesis, Vote};

/// An interval of the clip and the interval of a reference that it matches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alignment {
    /// The reference.
    pub video: VideoRef,
    /// Transform of the clip's frame that gives it the reference's orientation.
    pub orientation: Orientation,
    /// Interval of the clip.
    pub clip: Span,
    /// Guard interval: the clip's interval, extended by up to [`GAP_MAX`] seconds on either side
    /// while the scene matches the same temporal hypothesis. There is too little evidence to decide
    /// these extensions.
    pub guard: Span,
    /// Interval of the reference.
    pub reference: Span,
    /// Seconds of the reference per second of the clip, 0.5..=2; negative if the clip plays
    /// backwards.
    pub speed: f32,
    /// Maps places in the transformed frame of the clip to places in the reference's frame.
    pub geometry: Similarity,
    /// Log-likelihood ratio, in bits.
    pub evidence: Evidence,
    /// Number of inliers.
    pub hits: usize,
    /// Share of the reference's keys in this interval that a copy would show and the clip shows,
    /// 0..=1.
    pub key_recall: f32,
    /// Temporal consistency tests at the hypothesis.
    pub consistency: TemporalConsistency,
    /// Motion-signature correlation at and off the hypothesis.
    pub motion: MotionCorrelation,
    /// Whether the clip jumps between several intervals of the reference and this is one of them,
    /// selected by its fit.
    pub segmented: bool,
    /// Whether the pair fits another hypothesis clearly better, which has no accepted segment or is
    /// already reported.
    pub superseded: bool,
    /// Rectangle of the reference's frame with verified correspondences: left, top, right and
    /// bottom, in its heights; zeros if unknown.
    pub support: [f32; 4],
    /// Comparison of the frames; `None` if one side has none.
    pub dense: Option<Dense>,
    /// Whether the two files have the same SHA-256, in which case nothing else is compared.
    pub identical: bool,
}

impl Alignment {
    /// The alignment of two files with the same SHA-256: a copy from start to end, whatever it
    /// shows.
    pub fn identical(video: VideoRef, length: Duration) -> Alignment {
        let whole = Span {
            start: Duration::ZERO,
            end: length,
        };
        let bits = SHA256_BITS;
        Alignment {
            video,
            orientation: Orientation::UPRIGHT,
            clip: whole,
            guard: whole,
            reference: whole,
            speed: 1.0,
            geometry: Similarity {
                scale: 1.0,
                x: 0.0,
                y: 0.0,
            },
            evidence: Evidence {
                total: bits,
                distinctive: bits,
            },
            hits: 0,
            key_recall: 1.0,
            consistency: TemporalConsistency::default(),
            motion: MotionCorrelation::default(),
            segmented: false,
            superseded: false,
            support: [0.0; 4],
            dense: None,
            identical: true,
        }
    }
}

impl Alignment {
    /// The claim to verify against the frames.
    pub fn claim(&self) -> Claim {
        let speed = self.speed;
        let ((start, end), (from, to)) = (self.clip.seconds(), self.reference.seconds());
        // The reference's interval is clipped to its length: compute the offset from the end that
        // is not.
        let offset = match (speed < 0.0, from > 0.0) {
            (true, _) => to - speed * start,
            (false, true) => from - speed * start,
            (false, false) => to - speed * end,
        };
        let Alignment {
            orientation,
            geometry,
            support,
            clip,
            ..
        } = *self;
        Claim {
            orientation,
            geometry,
            support,
            speed,
            offset,
            span: clip,
        }
    }

    /// Trims the interval to the `(first, last)` moments at which the frames match, if it exceeds
    /// them by more than `TRIMMED_MIN` seconds of the clip; half of that remains. Beyond them,
    /// keys match by chance.
    pub fn trim(&mut self, (first, last): (f32, f32)) {
        let (start, end) = self.clip.seconds();
        let claim = self.claim();
        let to = |time: f32| Duration::from_secs_f32(time.max(0.0));
        if first - start > TRIMMED_MIN {
            self.clip.start = to(first - 0.5 * TRIMMED_MIN).min(self.clip.end);
            self.guard.start = self.guard.start.max(self.clip.start);
        }
        if end - last > TRIMMED_MIN {
            self.clip.end = to(last + 0.5 * TRIMMED_MIN).max(self.clip.start);
            self.guard.end = self.guard.end.min(self.clip.end);
        }
        if self.clip.seconds() != (start, end) {
            let at = |time: Duration| to(claim.speed * time.as_secs_f32() + claim.offset);
            let (from, until) = (at(self.clip.start), at(self.clip.end));
            self.reference = Span {
                start: from.min(until),
                end: from.max(until),
            };
        }
    }
}

/// Minimum length to trim, in seconds: a reference has one sampled frame every half second.
const TRIMMED_MIN: f32 = 0.6;

/// Length of a SHA-256 digest, and thus the score of two equal ones, in bits.
const SHA256_BITS: f32 = 256.0;

/// An interval of a video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Start of the interval.
    pub start: Duration,
    /// End of the interval.
    pub end: Duration,
}

impl Span {
    /// Length of the intersection of two intervals.
    pub fn overlap(self, other: Span) -> Duration {
        self.end
            .min(other.end)
            .saturating_sub(self.start.max(other.start))
    }

    /// The parts of this interval outside all others, in order.
    pub fn without(self, others: impl IntoIterator<Item = Span>) -> Vec<Span> {
        let mut others: Vec<Span> = others.into_iter().collect();
        others.sort_unstable_by_key(|other| other.start);
        let (mut alone, mut from) = (Vec::new(), self.start);
        for other in others.into_iter().chain([Span {
            start: self.end,
            end: self.end,
        }]) {
            if other.start.min(self.end) > from {
                alone.push(Span {
                    start: from,
                    end: other.start.min(self.end),
                });
            }
            from = from.max(other.end);
        }
        alone
    }

    /// Start and end in seconds.
    fn seconds(self) -> (f32, f32) {
        (self.start.as_secs_f32(), self.end.as_secs_f32())
    }

    /// Length of the interval.
    pub fn length(self) -> Duration {
        self.end.saturating_sub(self.start)
    }
}

/// `reference = scale * clip + (x, y)`, all in frame heights.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Similarity {
    /// Size of a detail in the reference's frame, divided by its size in the clip's.
    pub scale: f32,
    /// Position of the clip's left edge.
    pub x: f32,
    /// Position of the clip's top edge.
    pub y: f32,
}

/// Parameters of the searched corpus.
pub struct Corpus<'a> {
    /// Number of keys searched.
    pub keys: u64,
    /// Longest time between two keyframes of a reference.
    pub interval: Duration,
    /// Whether to stop early; the result is then incomplete.
    pub stop: &'a dyn Fn() -> bool,
}

/// Whether correspondences with one reference can reach an alignment. If not, the caller need not
/// read its track.
pub fn is_promising(hits: &[Hit], corpus: &Corpus<'_>) -> bool {
    let search = (corpus.keys.max(1) as f32).log2() + evidence::DEPENDENCE_BITS;
    hits.chunk_by(|a, b| a.orientation == b.orientation)
        .any(|group| {
            group
                .iter()
                .map(|hit| evidence::weight(&hit.pair).max(0.0))
                .sum::<f32>()
                >= search + EVIDENCE_MIN
        })
}

/// Finds all alignments of a part of a clip with one reference that score [`EVIDENCE_MIN`] bits or
/// more, in no particular order.
///
/// `hits` are the correspondences of this part with the reference, sorted by orientation, as
/// [`crate::search::search`] returns them; `length` is the reference's duration.
pub fn align_reference(
    hits: &[Hit],
    track: Track,
    length: Duration,
    clip: &Fingerprint,
    window: Span,
    corpus: &Corpus<'_>,
) -> Vec<Alignment> {
    let mut found = Vec::new();
    let context = Context {
        clip,
        interval: corpus.interval.as_secs_f32(),
        corpus_keys: corpus.keys,
        length,
        window: window.seconds(),
        stop: corpus.stop,
        track: ReferenceTrack::new(track.runs, track.motion),
    };
    for group in hits.chunk_by(|a, b| a.orientation == b.orientation) {
        context.align_group(group, &mut found);
    }
    found
}

/// Sorts alignments, strongest first.
pub fn sort(found: &mut [Alignment]) {
    found.sort_by(strongest_first);
}

pub(crate) fn strongest_first(a: &Alignment, b: &Alignment) -> std::cmp::Ordering {
    let place = |x: &Alignment| {
        (
            x.video,
            x.orientation,
            x.clip.start,
            x.clip.end,
            x.reference.start,
        )
    };
    b.evidence
        .total
        .total_cmp(&a.evidence.total)
        .then_with(|| place(a).cmp(&place(b)))
}

/// Minimum score of an alignment, in bits.
pub const EVIDENCE_MIN: f32 = 4.0;

/// Maximum difference between the scale ratio of an inlier and that of the geometry, in octaves.
pub const ZOOM_TOLERANCE: f32 = 0.35;

/// Maximum spatial residual of an inlier, in heights of the reference's frame.
pub const SHIFT_TOLERANCE: f32 = 0.12;

/// Maximum temporal residual of an inlier, in seconds: a frame resembles its neighbours for about
/// half a second.
pub const TIME_TOLERANCE: f32 = 0.6;

/// Maximum speed, and inverse of the minimum.
pub const SPEED_MAX: f32 = 2.0;

/// Longest interval of the clip without an inlier inside one alignment, in seconds.
pub const GAP_MAX: f32 = 3.0;

/// Minimum distance between two different moments, in seconds.
const MOMENT_GAP: f32 = 2.0;

/// Maximum number of seeds for one hypothesis.
const SEEDS_MAX: usize = 40;

/// Maximum number of hypotheses for one reference and orientation.
const ALIGNMENTS_MAX: usize = 32;

/// Initial distance from the seed within which votes are inliers, in seconds of the clip; local
/// optimisation widens it.
const SEED_WINDOW: f32 = 8.0;

/// Minimum score of a segment that a gap separates from the rest, in bits.
const SEGMENT_MIN: f32 = 12.0;

/// Minimum score for temporal consistency tests and motion correlation, in bits.
pub const TESTED_MIN: f32 = 24.0;

/// Longest part of the clip to compare, in seconds, in the middle of the alignment.
const TESTED_SECONDS: f32 = 120.0;

/// Non-maximum suppression: votes of the same geometry within this temporal residual are
/// duplicates, in seconds of the reference.
const DUPLICATE_RESIDUAL: f32 = 8.0;

/// Minimum distinctive score for distinctive keys to determine the extent of an alignment, in bits.
const DISTINCTIVE_MIN: f32 = 30.0;

/// Maximum number of votes for one reference and orientation, strongest first. A looped film would
/// yield millions of duplicates.
const VOTES_MAX: usize = 50_000;

struct Context<'a> {
    clip: &'a Fingerprint,
    interval: f32,
    corpus_keys: u64,
    length: Duration,
    /// The part of the clip to align, in seconds.
    window: (f32, f32),
    stop: &'a dyn Fn() -> bool,
    track: ReferenceTrack,
}

/// A geometry and a temporal hypothesis, with its inliers.
#[derive(Clone)]
struct Hypothesis {
    geometry: Similarity,
    temporal: TemporalHypothesis,
    /// Indices of the votes that are inliers.
    inliers: Vec<usize>,
    /// Selection penalty for choosing the temporal hypothesis by its fit, in bits.
    selection_penalty: f32,
    /// Whether it is one segment of a path with several.
    segmented: bool,
    /// Whether another hypothesis fits better but has no accepted segment.
    superseded: bool,
}

impl Hypothesis {
    /// The clip's times of the first and the last inlier, in seconds.
    fn span(&self, votes: &[Vote]) -> (f32, f32) {
        let times = self.inliers.iter().map(|&i| votes[i].time);
        times.fold((f32::MAX, f32::MIN), |(first, last), time| {
            (first.min(time), last.max(time))
        })
    }

    /// The same hypothesis with the inliers of a part of the clip, in seconds.
    fn within(&self, votes: &[Vote], (from, to): (f32, f32)) -> Hypothesis {
        let within = self
            .inliers
            .iter()
            .copied()
            .filter(|&vote| (from..=to).contains(&votes[vote].time));
        Hypothesis {
            inliers: within.collect(),
            ..*self
        }
    }
}

impl Context<'_> {
    fn align_group(&self, group: &[Hit], found: &mut Vec<Alignment>) {
        let mut votes = vote::votes(group);
        if votes.len() > VOTES_MAX {
            votes.sort_by(|a, b| b.weight.total_cmp(&a.weight).then(a.hit.cmp(&b.hit)));
            votes.truncate(VOTES_MAX);
            votes.sort_by_key(|vote| vote.hit);
        }
        for _ in 0..ALIGNMENTS_MAX {
            if (self.stop)() {
                return;
            }
            let Some(first) = self.best(&votes, group) else {
                return;
            };
            let mut voted = first.clone();
            self.refine_offset(&votes, &mut voted, group);
            let mut segments = self.segments(&votes, &voted, group);
            let of_segment =
                |segment: &Segment| self.split(&votes, &segment.hypothesis, group, segment.window);
            let mut alignments: Vec<Vec<Alignment>> = segments.iter().map(of_segment).collect();
            if alignments.iter().all(Vec::is_empty) {
                let found = self.evidence(&votes, &first, group);
                if found.total < SEGMENT_MIN {
                    return;
                }
                // If the preferred path has no accepted segment, report the first hypothesis as
                // superseded.
                if found.distinctive >= DISTINCTIVE_MIN
                    && segments
                        .iter()
                        .any(|segment| segment.hypothesis.temporal != first.temporal)
                {
                    segments = vec![Segment::alone(
                        Hypothesis {
                            superseded: true,
                            ..first.clone()
                        },
                        self.window,
                    )];
                    alignments = segments.iter().map(of_segment).collect();
                }
            }
            let none_accepted = alignments.iter().all(Vec::is_empty);
            let score = |hypothesis: &Hypothesis| self.evidence(&votes, hypothesis, group).total;
            // A segment counts only if it keeps enough of the score of the hypotheses that it
            // replaces.
            let replaced_score = |part: (f32, f32)| {
                score(&first.within(&votes, part)).max(score(&voted.within(&votes, part)))
            };
            let is_accepted = |alignment: &&Alignment| {
                alignment.evidence.total >= KEPT_MIN * replaced_score(alignment.clip.seconds())
            };
            let accepted: Vec<Vec<&Alignment>> = alignments
                .iter()
                .map(|of_segment| of_segment.iter().filter(is_accepted).collect())
                .collect();
            // Remove the explained votes: the inliers, and votes of the same geometry in the same
            // interval with a small temporal residual, which slow footage yields.
            let within = |vote: &Vote| {
                accepted.iter().flatten().any(|alignment| {
                    let (start, end) = alignment.clip.seconds();
                    (start - TIME_TOLERANCE..=end + TIME_TOLERANCE).contains(&vote.time)
                })
            };
            let duplicate = |vote: &Vote| {
                let of = |segment: &Segment| {
                    (segment.window.0 - TIME_TOLERANCE..=segment.window.1 + TIME_TOLERANCE)
                        .contains(&vote.time)
                        && vote.fits(&segment.hypothesis.geometry)
                        && segment.hypothesis.temporal.residual(vote) <= DUPLICATE_RESIDUAL
                };
                segments.iter().any(of)
            };
            // Also remove the replaced hypothesis where it lost, and all of it if there are no
            // alignments.
            let parts: Vec<(f32, f32)> = segments
                .iter()
                .zip(&accepted)
                .filter_map(|(segment, accepted)| segment.won(accepted, replaced_score))
                .collect();
            let lost = |vote: &Vote| {
                within(vote)
                    || parts
                        .iter()
                        .any(|(from, to)| (*from..=*to).contains(&vote.time))
            };
            let mut explained: HashSet<usize> = segments
                .iter()
                .flat_map(|segment| &segment.hypothesis.inliers)
                .copied()
                .collect();
            explained.extend(
                voted
                    .inliers
                    .iter()
                    .filter(|&&i| none_accepted || lost(&votes[i])),
            );
            explained.extend(
                first
                    .inliers
                    .iter()
                    .filter(|&&i| none_accepted || within(&votes[i])),
            );
            let taken =
                |i: usize| explained.contains(&i) || within(&votes[i]) && duplicate(&votes[i]);
            votes = (0..votes.len())
                .filter(|&i| !taken(i))
                .map(|i| votes[i])
                .collect();
            found.extend(alignments.into_iter().flatten());
        }
    }

    /// The hypothesis with the highest score.
    fn best(&self, votes: &[Vote], group: &[Hit]) -> Option<Hypothesis> {
        let mut order: Vec<usize> = (0..votes.len()).collect();
        order.sort_by(|&a, &b| votes[b].weight.total_cmp(&votes[a].weight).then(a.cmp(&b)));
        let mut explained = vec![false; votes.len()];
        let mut best: Option<(f32, Hypothesis)> = None;
        let mut tried = 0;
        for seed in order {
            if explained[seed] {
                continue;
            }
            if tried == SEEDS_MAX {
                break;
            }
            tried += 1;
            for model in [SpeedModel::Unit, SpeedModel::Free] {
                let hypothesis = coarse::optimise(votes, seed, model);
                if model == SpeedModel::Free && hypothesis.temporal.speed == 1.0 {
                    continue;
                }
                let evidence = self.evidence(votes, &hypothesis, group);
                hypothesis.inliers.iter().for_each(|&i| explained[i] = true);
                // Distinctive evidence decides between hypotheses that explain the scene equally
                // well. Slow footage fits many speeds, so another one has to score clearly better
                // than unit speed.
                let factor = 1.0 - OTHER_SPEED_COST * hypothesis.temporal.speed.log2().powi(2);
                let score =
                    factor * (evidence.total + DISTINCTIVE_WEIGHT * evidence.distinctive.max(0.0));
                if best.as_ref().is_none_or(|(most, _)| score > *most) {
                    best = Some((score, hypothesis));
                }
            }
        }
        best.map(|(_, hypothesis)| hypothesis)
    }

    /// The candidate pair of clip and reference in one orientation and geometry.
    fn candidate<'a>(
        &'a self,
        orientation: Orientation,
        geometry: &'a Similarity,
    ) -> CandidatePair<'a> {
        CandidatePair {
            clip: self.clip,
            track: &self.track,
            orientation,
            geometry,
        }
    }

    /// Scores a hypothesis.
    fn evidence(&self, votes: &[Vote], hypothesis: &Hypothesis, group: &[Hit]) -> Evidence {
        let pairs = pairs(votes, hypothesis, group);
        evidence::score(pairs.iter().map(|(_, pair)| pair), self.corpus_keys)
    }
}

/// Iterations of local optimisation; the window grows from 8 s to a whole clip of some minutes.
const OPTIMISATION_ROUNDS: usize = 4;

/// Share of its score that a hypothesis loses at half or twice unit speed, growing with the square
/// of the octaves: slow footage fits half its speed nearly as well, yet a film at 1.25 times its
/// speed must not lose to unit speed.
const OTHER_SPEED_COST: f32 = 0.3;

/// Additional weight of distinctive evidence in choosing a hypothesis.
const DISTINCTIVE_WEIGHT: f32 = 4.0;

/// The central part of an interval, at most `most_s` seconds long.
fn middle((first, last): (f32, f32), most_s: f32) -> (f32, f32) {
    let spare = 0.5 * (last - first - most_s).max(0.0);
    (first + spare, last - spare)
}

/// The inlying pairs with the clip's time in seconds. A pair is distinctive if neither key also
/// fits other times.
fn pairs(votes: &[Vote], hypothesis: &Hypothesis, group: &[Hit]) -> Vec<(f32, Pair)> {
    // Keys that fit the geometry at a temporal residual of two seconds or more.
    let (mut clip_repeated, mut reference_repeated) = (HashSet::new(), HashSet::new());
    for vote in votes
        .iter()
        .filter(|v| hypothesis.temporal.residual(v) >= MOMENT_GAP && v.fits(&hypothesis.geometry))
    {
        clip_repeated.insert(group[vote.hit].clip_key);
        reference_repeated.insert(group[vote.hit].reference_key);
    }
    let pair = |&i: &usize| {
        let (vote, hit) = (&votes[i], &group[votes[i].hit]);
        let repeated = clip_repeated.contains(&hit.clip_key)
            || reference_repeated.contains(&hit.reference_key);
        (
            vote.time,
            Pair {
                distinctive: !vote.recurs && !repeated,
                ..hit.pair
            },
        )
    };
    hypothesis.inliers.iter().map(pair).collect()
}

#[cfg(test)]
mod tests;
