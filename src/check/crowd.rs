//! Which of the videos that a clip may show are aligned in full: of a clip that is everywhere, two
//! say as much as a thousand.
//!
//! The videos come in order of the weight of their hits, the one that was published first before
//! them. Once enough are copies beyond doubt of a second of the clip, that second is *settled*. A
//! further video whose hits agree on nothing outside of settled seconds is not aligned: it is a
//! further source if its hits agree on one geometry and time line, and else it is left out. What
//! was published before all that is told is told in full as well.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::time::Duration;

use super::clock::Clock;
use super::look;
use crate::Result;
use crate::align::{self, Alignment, CoarseHypothesis, Corpus, EVIDENCE_MIN, Span};
use crate::evidence;
use crate::fingerprint::Fingerprint;
use crate::index::{Index, Video, VideoRef};
use crate::search::Hit;
use crate::verdict::Model;

/// What was found of a clip.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Strongest first.
    pub(super) alignments: Vec<Alignment>,
    /// Videos that have none, and were counted.
    pub(super) further: HashSet<VideoRef>,
}

/// A part of a clip and what it is compared with.
pub(super) struct Crowd<'a> {
    pub(super) index: &'a Index,
    pub(super) clip: &'a Fingerprint,
    pub(super) window: Span,
    pub(super) corpus: &'a Corpus<'a>,
    pub(super) model: &'a Model,
    pub(super) clock: &'a Clock<'a>,
    /// Videos that have alignments in earlier parts of the clip: they may go on here.
    pub(super) told: &'a HashSet<VideoRef>,
}

/// A video that the clip may show.
struct Candidate<'a> {
    hits: &'a [Hit],
    agreed: Option<CoarseHypothesis>,
    published: Option<jiff::Timestamp>,
}

impl Candidate<'_> {
    fn video(&self) -> VideoRef {
        self.hits[0].video
    }

    fn is_confirmed(&self) -> bool {
        self.agreed.is_some_and(|agreed| agreed.bits >= CONFIRMED_BITS)
    }

    /// The clip's time of the hits that agree.
    fn shown(&self) -> impl Iterator<Item = Duration> {
        let explained = |agreed: CoarseHypothesis| self.hits.iter().filter(move |hit| agreed.explains(hit));
        self.agreed.into_iter().flat_map(explained).map(|hit| hit.clip_time)
    }
}

/// What is known of a second of the clip.
#[derive(Debug, Clone, Copy, Default)]
struct Second {
    /// Videos of which it is a copy beyond doubt.
    copies: usize,
    /// Videos that are a copy elsewhere, go on here, and were aligned in full.
    tried: usize,
    /// When the first of its sources that are told in full was published.
    published: Option<jiff::Timestamp>,
    /// Alignments whose pictures were compared.
    compared: u32,
}

impl Crowd<'_> {
    /// Aligns what has to be, of hits that are sorted by video.
    pub(super) fn found(&self, hits: &[Hit]) -> Result<Found> {
        let mut work =
            Work { of: self, seconds: vec![Second::default(); self.number(self.window.end) + 1], found: vec![] };
        let mut further: Vec<Candidate> = Vec::new();
        for candidate in self.candidates(hits)? {
            if !self.told.contains(&candidate.video()) && work.is_settled_for(&candidate) {
                further.extend(candidate.is_confirmed().then_some(candidate));
            } else {
                work.align(&candidate)?;
            }
        }
        let told_first = work.tell_first(&further)?;
        let further = further.iter().map(Candidate::video).filter(|video| !told_first.contains(video)).collect();
        Ok(Found { alignments: work.strongest()?, further })
    }

    /// The videos in order: those that are told already, the first published, then by the weight of
    /// their hits.
    fn candidates<'h>(&self, hits: &'h [Hit]) -> Result<Vec<Candidate<'h>>> {
        let mut candidates = Vec::new();
        for hits in hits.chunk_by(|a, b| a.video == b.video) {
            if align::is_promising(hits, self.corpus) {
                self.clock.check()?;
                let video = self.index.video(hits[0].video);
                let candidate = Candidate {
                    hits,
                    agreed: align::coarse_hypothesis(hits, self.corpus),
                    published: published(video),
                };
                candidates.push((weight(hits), video.sha256, candidate));
            }
        }
        let dated = candidates.iter().filter(|(_, _, candidate)| candidate.is_confirmed());
        let first = dated
            .filter_map(|(weight, sha256, candidate)| Some((candidate.published?, Reverse(weight.to_bits()), *sha256)));
        let first = first.min().map(|(_, _, sha256)| sha256);
        candidates.sort_by(|(a, a_sha256, a_candidate), (b, b_sha256, b_candidate)| {
            let later = |candidate: &Candidate, sha256: &[u8; 32]| {
                (!self.told.contains(&candidate.video()), first.as_ref() != Some(sha256))
            };
            let turn = later(a_candidate, a_sha256).cmp(&later(b_candidate, b_sha256));
            turn.then(b.total_cmp(a)).then(a_sha256.cmp(b_sha256))
        });
        Ok(candidates.into_iter().map(|(_, _, candidate)| candidate).collect())
    }

    /// Number of the second of this part of the clip.
    fn number(&self, time: Duration) -> usize {
        time.saturating_sub(self.window.start).as_secs() as usize
    }

    /// Whether it is a copy, so probably that nobody need look for another: by its pictures, if the
    /// clip has some.
    fn is_beyond_doubt(&self, alignment: &Alignment) -> bool {
        let seen = alignment.dense.is_some() || self.clip.pictures().is_empty();
        seen && self.model.opinion(alignment).probability >= SETTLED_PROBABILITY
    }
}

/// The alignment of a part of a clip under way.
struct Work<'a> {
    of: &'a Crowd<'a>,
    seconds: Vec<Second>,
    /// Alignments, and whether their pictures were compared.
    found: Vec<(Alignment, bool)>,
}

impl Work<'_> {
    /// Aligns a video in full; gives whether it is a copy beyond doubt anywhere.
    fn align(&mut self, candidate: &Candidate<'_>) -> Result<bool> {
        let Crowd { index, clip, window, corpus, clock, .. } = *self.of;
        let video = candidate.video();
        let (mut track, length) = (index.track(video)?, index.video(video).duration);
        let pictures = std::mem::take(&mut track.pictures);
        let mut aligned = align::align_reference(candidate.hits, track, length, clip, window, corpus);
        clock.check()?;
        align::sort(&mut aligned);
        // Where many were compared without settling anything, the strongest of all are, at the end.
        let (mut now, later): (Vec<_>, Vec<_>) =
            aligned.into_iter().partition(|alignment| self.has_room_for(alignment));
        look(&pictures, clip, &mut now, clock)?;
        let mut copied = vec![false; self.seconds.len()];
        for alignment in &now {
            self.of_alignment(alignment).for_each(|second| self.seconds[second].compared += 1);
            if self.of.is_beyond_doubt(alignment) {
                (0..copied.len()).for_each(|second| copied[second] |= self.covers(alignment, second));
            }
        }
        self.found.extend(now.into_iter().map(|alignment| (alignment, true)));
        self.found.extend(later.into_iter().map(|alignment| (alignment, false)));
        let is_copy = copied.contains(&true);
        if is_copy {
            let mut shown = vec![false; copied.len()];
            candidate.shown().for_each(|time| shown[self.of.number(time)] = true);
            for ((second, copied), shown) in self.seconds.iter_mut().zip(&copied).zip(shown) {
                second.copies += usize::from(*copied);
                second.tried += usize::from(shown);
                if *copied || shown {
                    second.published = [second.published, candidate.published].into_iter().flatten().min();
                }
            }
        }
        Ok(is_copy)
    }

    /// Whether nothing but what is settled speaks for a video.
    fn is_settled_for(&self, candidate: &Candidate<'_>) -> bool {
        let settled = self.settled();
        if !settled.contains(&true) {
            return false;
        }
        // A copy that goes on where those before it did, and could not be told from chance, will
        // not be either.
        let goes_on = |hit: &Hit, second: usize| {
            self.seconds[second].tried >= TRIES && candidate.agreed.is_some_and(|agreed| agreed.explains(hit))
        };
        let rest = |hit: &&Hit| {
            let second = self.of.number(hit.clip_time);
            !settled[second] && !goes_on(hit, second)
        };
        let rest: Vec<Hit> = candidate.hits.iter().filter(rest).copied().collect();
        !align::is_promising(&rest, self.of.corpus)
            || align::coarse_hypothesis(&rest, self.of.corpus).is_none_or(|agreed| agreed.bits < EVIDENCE_MIN)
    }

    /// Which seconds are settled: a single one between others is.
    fn settled(&self) -> Vec<bool> {
        let alone: Vec<bool> = self.seconds.iter().map(|second| second.copies >= COPIES_TOLD).collect();
        let at = |second: Option<usize>| second.and_then(|second| alone.get(second)).is_none_or(|settled| *settled);
        let mut settled: Vec<bool> =
            (0..alone.len()).map(|i| alone[i] || at(i.checked_sub(1)) && at(Some(i + 1))).collect();
        if !alone.contains(&true) {
            settled.fill(false);
        }
        settled
    }

    /// Aligns those of the further videos that were published before all that are told of some
    /// second; gives the copies.
    fn tell_first(&mut self, further: &[Candidate<'_>]) -> Result<HashSet<VideoRef>> {
        let mut dated: Vec<(jiff::Timestamp, &Candidate)> =
            further.iter().filter_map(|candidate| Some((candidate.published?, candidate))).collect();
        // Of those of one time the strongest, which come first.
        dated.sort_by_key(|(published, _)| *published);
        let (mut told, mut failed) = (HashSet::new(), 0);
        for (published, candidate) in dated {
            let before = |time: Duration| {
                let second = &self.seconds[self.of.number(time)];
                second.copies > 0 && second.published.is_none_or(|told| published < told)
            };
            if failed < TRIES && candidate.shown().any(before) {
                if self.align(candidate)? {
                    told.insert(candidate.video());
                } else {
                    failed += 1;
                }
            }
        }
        Ok(told)
    }

    /// The seconds in which an alignment is.
    fn of_alignment(&self, alignment: &Alignment) -> std::ops::RangeInclusive<usize> {
        let last = self.seconds.len() - 1;
        let from = self.of.number(alignment.clip.start).min(last);
        from..=self.of.number(alignment.clip.end).clamp(from, last)
    }

    fn has_room_for(&self, alignment: &Alignment) -> bool {
        self.seconds[self.of_alignment(alignment)].iter().any(|second| second.compared < ALIGNMENTS_PER_SECOND)
    }

    /// Whether an alignment covers a second, or what there is of it.
    fn covers(&self, alignment: &Alignment, second: usize) -> bool {
        let start = self.of.window.start + Duration::from_secs(second as u64);
        let whole = Span { start, end: (start + Duration::from_secs(1)).min(self.of.window.end) };
        alignment.clip.overlap(whole).as_secs_f32() >= COVERED * whole.length().as_secs_f32()
    }

    /// The alignments, strongest first, without those in all of whose seconds there are enough
    /// stronger ones. None is left out for what lies elsewhere in the clip.
    fn strongest(mut self) -> Result<Vec<Alignment>> {
        self.found.sort_by(|(a, _), (b, _)| align::strongest_first(a, b));
        let mut counts = vec![0_u32; self.seconds.len()];
        let mut strongest = Vec::new();
        for (alignment, compared) in std::mem::take(&mut self.found) {
            let counts = &mut counts[self.of_alignment(&alignment)];
            if counts.iter().any(|count| *count < ALIGNMENTS_PER_SECOND) {
                counts.iter_mut().for_each(|count| *count += 1);
                let mut alignment = [alignment];
                if !compared {
                    let pictures = self.of.index.pictures(alignment[0].video)?;
                    look(&pictures, self.of.clip, &mut alignment, self.of.clock)?;
                }
                strongest.extend(alignment);
            }
        }
        Ok(strongest)
    }
}

/// What the keys of the clip are worth that hit a video, each by its best hit, in the orientation
/// in which that is most.
fn weight(hits: &[Hit]) -> f32 {
    let best = |of_key: &[Hit]| of_key.iter().map(|hit| evidence::weight(&hit.pair)).fold(0.0, f32::max);
    let of_orientation = hits.chunk_by(|a, b| a.orientation == b.orientation);
    let weights = of_orientation.map(|hits| hits.chunk_by(|a, b| a.clip_key == b.clip_key).map(best).sum::<f32>());
    weights.fold(0.0, f32::max)
}

/// When a video was published at the earliest, as far as that is known.
fn published(video: &Video) -> Option<jiff::Timestamp> {
    let text = video.publication.published_at.as_deref()?;
    let of_day = || Some(text.parse::<jiff::civil::Date>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp());
    text.parse::<jiff::Timestamp>().ok().or_else(of_day)
}

/// Sources of a second that are told in full, of those that are copies beyond doubt: one may be the
/// first, the other is the likest.
const COPIES_TOLD: usize = 2;

/// Probability of a copy from which there is no doubt, 0..=1.
const SETTLED_PROBABILITY: f32 = 0.99;

/// Evidence from which a further source counts, in bits: by chance one unrelated clip in seven
/// thousand reaches it ([`evidence::by_chance`]).
const CONFIRMED_BITS: f32 = 30.0;

/// Copies that are aligned in full before others that go on alike are not, and videos of an earlier
/// date that turn out to be none.
const TRIES: usize = 3;

/// Share of a second that a copy has to cover, 0..=1, so that of two seconds of something else
/// between copies neither is settled by half, and both are looked at.
const COVERED: f32 = 0.9;

/// Most alignments of a second of the clip that are judged, the strongest: hundreds of sources of
/// one thing say no more than these.
const ALIGNMENTS_PER_SECOND: u32 = 64;
