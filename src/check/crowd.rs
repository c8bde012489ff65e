//! Chooses the candidate videos to align in full: if a clip is everywhere, two sources say as much
//! as a thousand.
//!
//! The videos come in order of the weight of their hits, after the one that was published first.
//! Once enough of them are copies of a second of the clip beyond doubt, that second is *settled*. A
//! further video whose hits agree on nothing outside of settled seconds is not aligned. It counts
//! as a further source if its hits agree on one geometry and temporal hypothesis; otherwise it is
//! dropped. A further source that was published before all listed ones is aligned and listed too.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::time::Duration;

use super::clock::Clock;
use super::compare_thumbnails;
use crate::Result;
use crate::align::{self, Alignment, CoarseHypothesis, Corpus, EVIDENCE_MIN, Span};
use crate::evidence;
use crate::fingerprint::Fingerprint;
use crate::index::{Lookup, Video, VideoRef};
use crate::search::Hit;
use crate::verdict::Model;

/// Sources of a clip.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Strongest first.
    pub(super) alignments: Vec<Alignment>,
    /// Videos that are counted but not aligned.
    pub(super) further: HashSet<VideoRef>,
}

/// A window of a clip and the context of its alignment.
pub(super) struct Crowd<'a> {
    pub(super) index: &'a dyn Lookup,
    pub(super) clip: &'a Fingerprint,
    pub(super) window: Span,
    pub(super) corpus: &'a Corpus<'a>,
    pub(super) model: &'a Model,
    pub(super) clock: &'a Clock<'a>,
    /// Videos with alignments in earlier windows, which may continue here.
    pub(super) listed: &'a HashSet<VideoRef>,
}

/// A candidate video.
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
        self.agreed
            .is_some_and(|agreed| agreed.bits >= CONFIRMED_BITS)
    }

    /// Clip times of the inlier hits.
    fn inlier_times(&self) -> impl Iterator<Item = Duration> {
        let inliers =
            |agreed: CoarseHypothesis| self.hits.iter().filter(move |hit| agreed.explains(hit));
        self.agreed
            .into_iter()
            .flat_map(inliers)
            .map(|hit| hit.clip_time)
    }
}

/// State of a second of the clip.
#[derive(Debug, Clone, Copy, Default)]
struct Second {
    /// Number of videos of which it is a copy beyond doubt.
    copies: usize,
    /// Number of copies that were aligned in full and have inlier hits here, whether or not the
    /// copy covers this second.
    attempts: usize,
    /// Earliest publication of its listed sources.
    published: Option<jiff::Timestamp>,
    /// Number of alignments with compared thumbnails.
    compared: u32,
}

impl Crowd<'_> {
    /// Aligns the videos that need it; `hits` are sorted by video.
    pub(super) fn found(&self, hits: &[Hit]) -> Result<Found> {
        let mut work = Work {
            of: self,
            seconds: vec![Second::default(); self.number(self.window.end) + 1],
            found: vec![],
        };
        let mut further: Vec<Candidate> = Vec::new();
        for candidate in self.candidates(hits)? {
            if !self.listed.contains(&candidate.video()) && work.is_settled_for(&candidate) {
                further.extend(candidate.is_confirmed().then_some(candidate));
            } else {
                work.align(&candidate)?;
            }
        }
        let listed_first = work.list_first(&further)?;
        let further = further
            .iter()
            .map(Candidate::video)
            .filter(|video| !listed_first.contains(video))
            .collect();
        Ok(Found {
            alignments: work.strongest()?,
            further,
        })
    }

    /// Candidates in order: those listed before, the one published first, then by weight of their
    /// hits.
    fn candidates<'h>(&self, hits: &'h [Hit]) -> Result<Vec<Candidate<'h>>> {
        let mut candidates = Vec::new();
        for hits in hits.chunk_by(|a, b| a.video == b.video) {
            if align::is_promising(hits, self.corpus) {
                self.clock.check()?;
                let video = self.index.video(hits[0].video)?;
                let candidate = Candidate {
                    hits,
                    agreed: align::coarse_hypothesis(hits, self.corpus),
                    published: published(&video),
                };
                candidates.push((weight(hits), video.sha256, candidate));
            }
        }
        let dated = candidates
            .iter()
            .filter(|(_, _, candidate)| candidate.is_confirmed());
        let first = dated.filter_map(|(weight, sha256, candidate)| {
            Some((candidate.published?, Reverse(weight.to_bits()), *sha256))
        });
        let first = first.min().map(|(_, _, sha256)| sha256);
        candidates.sort_by(|(a, a_sha256, a_candidate), (b, b_sha256, b_candidate)| {
            let later = |candidate: &Candidate, sha256: &[u8; 32]| {
                (
                    !self.listed.contains(&candidate.video()),
                    first.as_ref() != Some(sha256),
                )
            };
            let turn = later(a_candidate, a_sha256).cmp(&later(b_candidate, b_sha256));
            turn.then(b.total_cmp(a)).then(a_sha256.cmp(b_sha256))
        });
        Ok(candidates
            .into_iter()
            .map(|(_, _, candidate)| candidate)
            .collect())
    }

    /// Number of a second within the window.
    fn number(&self, time: Duration) -> usize {
        time.saturating_sub(self.window.start).as_secs() as usize
    }

    /// Whether the alignment is so probably a copy that no other is needed. If the clip has
    /// thumbnails, they must have been compared.
    fn is_beyond_doubt(&self, alignment: &Alignment) -> bool {
        let seen = alignment.dense.is_some() || self.clip.pictures().is_empty();
        seen && self.model.opinion(alignment).probability >= SETTLED_PROBABILITY
    }
}

/// The alignment of a window in progress.
struct Work<'a> {
    of: &'a Crowd<'a>,
    seconds: Vec<Second>,
    /// Alignments, and whether their thumbnails were compared.
    found: Vec<(Alignment, bool)>,
}

impl Work<'_> {
    /// Aligns a video in full; returns whether any second is a copy of it beyond doubt.
    fn align(&mut self, candidate: &Candidate<'_>) -> Result<bool> {
        let Crowd {
            index,
            clip,
            window,
            corpus,
            clock,
            ..
        } = *self.of;
        let video = candidate.video();
        let (mut track, length) = (index.track(video)?, index.video(video)?.duration);
        let pictures = std::mem::take(&mut track.pictures);
        let mut aligned =
            align::align_reference(candidate.hits, track, length, clip, window, corpus);
        clock.check()?;
        align::sort(&mut aligned);
        // Where many comparisons settled nothing, only the strongest alignments of all are
        // compared, at the end.
        let (mut now, later): (Vec<_>, Vec<_>) = aligned
            .into_iter()
            .partition(|alignment| self.has_room_for(alignment));
        compare_thumbnails(&pictures, clip, &mut now, clock)?;
        let mut copied = vec![false; self.seconds.len()];
        for alignment in &now {
            self.seconds_of(alignment)
                .for_each(|second| self.seconds[second].compared += 1);
            if self.of.is_beyond_doubt(alignment) {
                (0..copied.len())
                    .for_each(|second| copied[second] |= self.covers(alignment, second));
            }
        }
        self.found
            .extend(now.into_iter().map(|alignment| (alignment, true)));
        self.found
            .extend(later.into_iter().map(|alignment| (alignment, false)));
        let is_copy = copied.contains(&true);
        if is_copy {
            let mut has_inliers = vec![false; copied.len()];
            candidate
                .inlier_times()
                .for_each(|time| has_inliers[self.of.number(time)] = true);
            for ((second, copied), has_inliers) in
                self.seconds.iter_mut().zip(&copied).zip(has_inliers)
            {
                second.copies += usize::from(*copied);
                second.attempts += usize::from(has_inliers);
                if *copied || has_inliers {
                    second.published = [second.published, candidate.published]
                        .into_iter()
                        .flatten()
                        .min();
                }
            }
        }
        Ok(is_copy)
    }

    /// Whether a candidate has no evidence outside of settled seconds.
    fn is_settled_for(&self, candidate: &Candidate<'_>) -> bool {
        let settled = self.settled();
        if !settled.contains(&true) {
            return false;
        }
        // Where earlier copies had inlier hits but no copy was confirmed, further ones with the
        // same inliers will fail too.
        let is_exhausted = |hit: &Hit, second: usize| {
            self.seconds[second].attempts >= ATTEMPTS
                && candidate.agreed.is_some_and(|agreed| agreed.explains(hit))
        };
        let residual = |hit: &&Hit| {
            let second = self.of.number(hit.clip_time);
            !settled[second] && !is_exhausted(hit, second)
        };
        let residual: Vec<Hit> = candidate.hits.iter().filter(residual).copied().collect();
        !align::is_promising(&residual, self.of.corpus)
            || align::coarse_hypothesis(&residual, self.of.corpus)
                .is_none_or(|agreed| agreed.bits < EVIDENCE_MIN)
    }

    /// Which seconds are settled. A single second between settled ones is settled too.
    fn settled(&self) -> Vec<bool> {
        let by_count: Vec<bool> = self
            .seconds
            .iter()
            .map(|second| second.copies >= COPIES_LISTED)
            .collect();
        let at = |second: Option<usize>| {
            second
                .and_then(|second| by_count.get(second))
                .is_none_or(|settled| *settled)
        };
        let mut settled: Vec<bool> = (0..by_count.len())
            .map(|i| by_count[i] || at(i.checked_sub(1)) && at(Some(i + 1)))
            .collect();
        if !by_count.contains(&true) {
            settled.fill(false);
        }
        settled
    }

    /// Aligns the further videos that were published before all listed sources of some second;
    /// returns those that are copies.
    fn list_first(&mut self, further: &[Candidate<'_>]) -> Result<HashSet<VideoRef>> {
        let mut dated: Vec<(jiff::Timestamp, &Candidate)> = further
            .iter()
            .filter_map(|candidate| Some((candidate.published?, candidate)))
            .collect();
        // The sort is stable: of equal times, the strongest stays first.
        dated.sort_by_key(|(published, _)| *published);
        let (mut listed, mut failed) = (HashSet::new(), 0);
        for (published, candidate) in dated {
            let before = |time: Duration| {
                let second = &self.seconds[self.of.number(time)];
                second.copies > 0 && second.published.is_none_or(|listed| published < listed)
            };
            if failed < ATTEMPTS && candidate.inlier_times().any(before) {
                if self.align(candidate)? {
                    listed.insert(candidate.video());
                } else {
                    failed += 1;
                }
            }
        }
        Ok(listed)
    }

    /// The seconds of an alignment.
    fn seconds_of(&self, alignment: &Alignment) -> std::ops::RangeInclusive<usize> {
        let last = self.seconds.len() - 1;
        let from = self.of.number(alignment.clip.start).min(last);
        from..=self.of.number(alignment.clip.end).clamp(from, last)
    }

    fn has_room_for(&self, alignment: &Alignment) -> bool {
        self.seconds[self.seconds_of(alignment)]
            .iter()
            .any(|second| second.compared < ALIGNMENTS_PER_SECOND)
    }

    /// Whether an alignment covers a second, which the end of the window may shorten.
    fn covers(&self, alignment: &Alignment, second: usize) -> bool {
        let start = self.of.window.start + Duration::from_secs(second as u64);
        let whole = Span {
            start,
            end: (start + Duration::from_secs(1)).min(self.of.window.end),
        };
        alignment.clip.overlap(whole).as_secs_f32() >= COVERED * whole.length().as_secs_f32()
    }

    /// The alignments, strongest first. One is dropped if each of its seconds has
    /// [`ALIGNMENTS_PER_SECOND`] stronger ones, so that none is lost to alignments elsewhere in the
    /// clip.
    fn strongest(mut self) -> Result<Vec<Alignment>> {
        self.found
            .sort_by(|(a, _), (b, _)| align::strongest_first(a, b));
        let mut counts = vec![0_u32; self.seconds.len()];
        let mut strongest = Vec::new();
        for (alignment, compared) in std::mem::take(&mut self.found) {
            let counts = &mut counts[self.seconds_of(&alignment)];
            if counts.iter().any(|count| *count < ALIGNMENTS_PER_SECOND) {
                counts.iter_mut().for_each(|count| *count += 1);
                let mut alignment = [alignment];
                if !compared {
                    let pictures = self.of.index.pictures(alignment[0].video)?;
                    compare_thumbnails(&pictures, self.of.clip, &mut alignment, self.of.clock)?;
                }
                strongest.extend(alignment);
            }
        }
        Ok(strongest)
    }
}

/// Total weight of the clip's keys with hits on a video, by the best hit of each, in the
/// orientation with the highest total.
fn weight(hits: &[Hit]) -> f32 {
    let best = |of_key: &[Hit]| {
        of_key
            .iter()
            .map(|hit| evidence::weight(&hit.pair))
            .fold(0.0, f32::max)
    };
    let of_orientation = hits.chunk_by(|a, b| a.orientation == b.orientation);
    let weights = of_orientation.map(|hits| {
        hits.chunk_by(|a, b| a.clip_key == b.clip_key)
            .map(best)
            .sum::<f32>()
    });
    weights.fold(0.0, f32::max)
}

/// Earliest possible time of publication, if known.
fn published(video: &Video) -> Option<jiff::Timestamp> {
    let text = video.publication.published_at.as_deref()?;
    let of_day = || {
        Some(
            text.parse::<jiff::civil::Date>()
                .ok()?
                .to_zoned(jiff::tz::TimeZone::UTC)
                .ok()?
                .timestamp(),
        )
    };
    text.parse::<jiff::Timestamp>().ok().or_else(of_day)
}

/// Number of copies beyond doubt of a second that are listed: one may be the first, the other the
/// most similar.
const COPIES_LISTED: usize = 2;

/// Minimum probability of a copy beyond doubt, 0..=1.
const SETTLED_PROBABILITY: f32 = 0.99;

/// Minimum evidence of a further source, in bits: by chance, one unrelated clip in seven thousand
/// reaches it ([`evidence::by_chance`]).
const CONFIRMED_BITS: f32 = 30.0;

/// Number of copies to align in full before others with the same inliers are skipped; also the
/// number of earlier-published videos that may fail to be copies.
const ATTEMPTS: usize = 3;

/// Minimum share of a second that a copy covers, 0..=1. It keeps the copies on both sides of two
/// seconds of other footage from settling them by covering half of each.
const COVERED: f32 = 0.9;

/// Maximum number of alignments to judge for each second of the clip, strongest first: more sources
/// of the same footage add nothing.
const ALIGNMENTS_PER_SECOND: u32 = 64;
