//! Turns hits into alignments consistent in time and geometry (pure).
//!
//! An alignment says: from here to there, the clip shows what the source shows from here to there, at this speed,
//! with this part of the frame. Hits of one source in one orientation vote: the strongest are tried as seeds; a
//! seed fixes the geometry (a detail's size and position in both frames), and the time line is the offset and speed
//! that most hits of that geometry agree on. What fits is fitted again by least squares, weighed ([`crate::evidence`]),
//! cut where nothing agrees for a while, and taken out; then the rest votes again.
//!
//! What stands still fits many time lines. So where what moves, or pictures and keys, fit clearly better at another one, that one
//! is taken, at whatever speed, forwards or backwards, and pays for having been chosen so. And where pictures fit clearly better
//! on several lines, one after the other, each is an alignment: pieces of a source lie near one slanted line as often as not. If
//! what fits better comes to nothing, evidence of the first line's moment is told all the same, *outdone*.
//!
//! A pair of keys speaks for the *moment* only if neither key is seen again, at the same place, two seconds away or
//! more; everything else speaks for the *scene*, which another take from the same tripod shows as well.

use std::collections::HashSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::evidence::{self, Evidence, Pair};
use crate::fingerprint::{Fingerprint, Orientation};
use crate::index::{Track, VideoRef};
use crate::search::Hit;

mod affine;
mod confirm;
mod course;
pub mod dense;
mod guide;
mod join;
mod lock;
mod moving;
mod pairing;
mod pieces;
mod retime;
mod seen;
mod stretch;
mod timing;
mod vote;

pub use confirm::{Agreed, agreed};
use course::{KEPT_MIN, Leg};
use dense::{Claim, Dense};
pub use guide::GUIDED_RADIUS;
use guide::Shown;
pub(crate) use join::continues;
pub use join::join;
pub use moving::Moved;
use pairing::Pairing;
pub use timing::{Tally, Timing};
use vote::{Line, Pace, Vote};

/// A part of the clip and the part of a source that it looks like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alignment {
    /// The source.
    pub video: VideoRef,
    /// How the clip has to be changed to lie like the source.
    pub orientation: Orientation,
    /// First and last moment of the clip.
    pub clip: Span,
    /// The same, and up to [`GAP_MAX`] seconds on either side for as long as the scene goes on to be found on the same time line,
    /// though nothing tells the moment.
    pub beside: Span,
    /// First and last moment of the source.
    pub reference: Span,
    /// Seconds of the source in a second of the clip, 0.5..=2; below zero when the clip plays backwards.
    pub speed: f32,
    /// Takes places in the clip's frame, so changed, to places in the source's.
    pub geometry: Similarity,
    /// What it is worth.
    pub evidence: Evidence,
    /// Hits that agree.
    pub hits: usize,
    /// Share of the source's keys in this part that a copy would show and the clip shows, 0..=1.
    pub shown: f32,
    /// How often it fits best at the time that it claims.
    pub timing: Timing,
    /// How well what moves fits at the time that it claims.
    pub moved: Moved,
    /// Whether it is one of several times of the source, chosen for how well they fit, that the clip jumps between.
    pub jumps: bool,
    /// Whether clip and source fit clearly better at another time, which came to nothing or was told before.
    pub outdone: bool,
    /// Which part of the source's frame is found: left, top, right and bottom, in its heights;
    /// zeros if that is not known.
    pub support: [f32; 4],
    /// How well the pictures agree; `None` where one side has none.
    pub dense: Option<Dense>,
    /// Whether the two files are the same bytes, and nothing else was looked at.
    pub identical: bool,
}

impl Alignment {
    /// What the same bytes are worth: a file of one SHA-256 is a copy of itself from start to end, whatever it shows.
    pub fn identical(video: VideoRef, length: Duration) -> Alignment {
        let whole = Span { start: Duration::ZERO, end: length };
        let bits = SHA256_BITS;
        Alignment {
            video,
            orientation: Orientation::UPRIGHT,
            clip: whole,
            beside: whole,
            reference: whole,
            speed: 1.0,
            geometry: Similarity { scale: 1.0, x: 0.0, y: 0.0 },
            evidence: Evidence { total: bits, moment: bits },
            hits: 0,
            shown: 1.0,
            timing: Timing::default(),
            moved: Moved::default(),
            jumps: false,
            outdone: false,
            support: [0.0; 4],
            dense: None,
            identical: true,
        }
    }
}

impl Alignment {
    /// What it says of the pictures.
    pub fn claim(&self) -> Claim {
        let speed = self.speed;
        let ((start, end), (from, to)) = (self.clip.seconds(), self.reference.seconds());
        // Of the source's ends, which are cut to its length, the one that is not cut tells the
        // time.
        let offset = match (speed < 0.0, from > 0.0) {
            (true, _) => to - speed * start,
            (false, true) => from - speed * start,
            (false, false) => to - speed * end,
        };
        let Alignment { orientation, geometry, support, clip, .. } = *self;
        Claim { orientation, geometry, support, speed, offset, span: clip }
    }

    /// Cuts off what lies more than [`TRIMMED_MIN`] seconds of the clip before the first or after
    /// the last of the moments at which the pictures are alike, but for half that: keys go on to
    /// agree by chance.
    pub fn trim(&mut self, (first, last): (f32, f32)) {
        let (start, end) = self.clip.seconds();
        let claim = self.claim();
        let to = |time: f32| Duration::from_secs_f32(time.max(0.0));
        if first - start > TRIMMED_MIN {
            self.clip.start = to(first - 0.5 * TRIMMED_MIN).min(self.clip.end);
            self.beside.start = self.beside.start.max(self.clip.start);
        }
        if end - last > TRIMMED_MIN {
            self.clip.end = to(last + 0.5 * TRIMMED_MIN).max(self.clip.start);
            self.beside.end = self.beside.end.min(self.clip.end);
        }
        if self.clip.seconds() != (start, end) {
            let at = |time: Duration| to(claim.speed * time.as_secs_f32() + claim.offset);
            let (from, until) = (at(self.clip.start), at(self.clip.end));
            self.reference = Span { start: from.min(until), end: from.max(until) };
        }
    }
}

/// What is cut off an alignment is longer than this, in seconds: a source shows a picture each half
/// second.
const TRIMMED_MIN: f32 = 0.6;

/// Length of the digest, and so what its equality is worth, in bits.
const SHA256_BITS: f32 = 256.0;

/// From one moment of a video to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// The first moment.
    pub start: Duration,
    /// The last moment.
    pub end: Duration,
}

impl Span {
    /// How long the two spans run side by side.
    pub fn overlap(self, other: Span) -> Duration {
        self.end.min(other.end).saturating_sub(self.start.max(other.start))
    }

    /// What of it is in none of the others, in order.
    pub fn without(self, others: impl IntoIterator<Item = Span>) -> Vec<Span> {
        let mut others: Vec<Span> = others.into_iter().collect();
        others.sort_unstable_by_key(|other| other.start);
        let (mut alone, mut from) = (Vec::new(), self.start);
        for other in others.into_iter().chain([Span { start: self.end, end: self.end }]) {
            if other.start.min(self.end) > from {
                alone.push(Span { start: from, end: other.start.min(self.end) });
            }
            from = from.max(other.end);
        }
        alone
    }

    /// Its ends in seconds.
    fn seconds(self) -> (f32, f32) {
        (self.start.as_secs_f32(), self.end.as_secs_f32())
    }

    /// How long it is.
    pub fn length(self) -> Duration {
        self.end.saturating_sub(self.start)
    }
}

/// `reference = scale * clip + (x, y)`, all in frame heights.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Similarity {
    /// Size of a detail in the source's frame over its size in the clip's.
    pub scale: f32,
    /// Where the clip's left edge falls.
    pub x: f32,
    /// Where the clip's top edge falls.
    pub y: f32,
}

/// What is searched, as far as aligning needs it.
pub struct Corpus<'a> {
    /// Keys that were searched.
    pub keys: u64,
    /// Longest time between two keyframes of a source.
    pub interval: Duration,
    /// Whether to give up; what was found by then is given, and is not all.
    pub stop: &'a dyn Fn() -> bool,
}

/// Whether hits on one source could come to an alignment at all; if not, its track need not be
/// read.
pub fn is_promising(hits: &[Hit], corpus: &Corpus<'_>) -> bool {
    let search = (corpus.keys.max(1) as f32).log2() + evidence::LIKENESS_BITS;
    hits.chunk_by(|a, b| a.orientation == b.orientation)
        .any(|group| group.iter().map(|hit| evidence::weight(&hit.pair).max(0.0)).sum::<f32>() >= search + EVIDENCE_MIN)
}

/// Finds all alignments of a part of a clip with one source that are worth [`EVIDENCE_MIN`] bits or
/// more, in no particular order.
///
/// `hits` are those of this part on the source, sorted by orientation, as [`crate::search::search`]
/// gives them; `length` is how long the source is.
pub fn align_source(
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
        shown: Shown::new(track.runs, track.motion),
    };
    for group in hits.chunk_by(|a, b| a.orientation == b.orientation) {
        context.align_group(group, &mut found);
    }
    found
}

/// Puts alignments in order, strongest first.
pub fn sort(found: &mut [Alignment]) {
    found.sort_by(strongest_first);
}

pub(crate) fn strongest_first(a: &Alignment, b: &Alignment) -> std::cmp::Ordering {
    let place = |x: &Alignment| (x.video, x.orientation, x.clip.start, x.clip.end, x.reference.start);
    b.evidence.total.total_cmp(&a.evidence.total).then_with(|| place(a).cmp(&place(b)))
}

/// Alignments worth less are not given, in bits.
pub const EVIDENCE_MIN: f32 = 4.0;

/// Hits of one geometry have scale ratios within this many octaves of the alignment's.
pub const ZOOM_TOLERANCE: f32 = 0.35;

/// Hits of one geometry fall within this distance of where the alignment puts them, in heights of the source's frame.
pub const SHIFT_TOLERANCE: f32 = 0.12;

/// Hits of one time line are within this many seconds of it: a picture looks like its neighbours for about half a second.
pub const TIME_TOLERANCE: f32 = 0.6;

/// Largest speed (and inverse of the smallest).
pub const SPEED_MAX: f32 = 2.0;

/// Seconds of the clip without any hit after which an alignment ends.
pub const GAP_MAX: f32 = 3.0;

/// Times further apart than this are different moments, in seconds.
const MOMENT_GAP: f32 = 2.0;

/// Seeds tried for one alignment.
const SEEDS_MAX: usize = 40;

/// Alignments looked for in one source.
const ALIGNMENTS_MAX: usize = 32;

/// How far from its seed a time line is looked for at first, in seconds of the clip; it grows as the line is fitted.
const SEED_WINDOW: f32 = 8.0;

/// A part of an alignment that was cut off by a gap counts if it is worth this much by itself, in bits.
const PIECE_MIN: f32 = 12.0;

/// Evidence from which an alignment is asked at which times of its source it fits best, in bits.
pub const CONTRAST_MIN: f32 = 24.0;

/// Most seconds of the clip that are compared, around the middle of the alignment.
const CONTRAST_SECONDS: f32 = 120.0;

/// Within this many seconds of the source around the predicted time, hits of an alignment's geometry belong to it.
const SHADOW: f32 = 8.0;

/// Evidence of the moment from which it tells how far an alignment goes, in bits.
const BY_MOMENT_MIN: f32 = 30.0;

/// Most hits of one source that vote; the strongest do. A looped film would bring millions that say the same.
const VOTES_MAX: usize = 50_000;

struct Context<'a> {
    clip: &'a Fingerprint,
    interval: f32,
    corpus_keys: u64,
    length: Duration,
    /// The part of the clip that is aligned, in seconds.
    window: (f32, f32),
    stop: &'a dyn Fn() -> bool,
    shown: Shown,
}

/// Votes that agree on a geometry and a time line.
#[derive(Clone)]
struct Agreement {
    geometry: Similarity,
    line: Line,
    /// Numbers of the votes.
    votes: Vec<usize>,
    /// What the time line pays for having been chosen by how well it is timed, in bits.
    paid: f32,
    /// Whether it is one of several that the clip jumps between.
    jumps: bool,
    /// Whether another time fits better, that came to nothing.
    outdone: bool,
}

impl Agreement {
    /// The clip's time of its first and its last vote, in seconds.
    fn span(&self, votes: &[Vote]) -> (f32, f32) {
        let times = self.votes.iter().map(|&i| votes[i].time);
        times.fold((f32::MAX, f32::MIN), |(first, last), time| (first.min(time), last.max(time)))
    }

    /// The same of a part of the clip, in seconds.
    fn within(&self, votes: &[Vote], (from, to): (f32, f32)) -> Agreement {
        let within = self.votes.iter().copied().filter(|&vote| (from..=to).contains(&votes[vote].time));
        Agreement { votes: within.collect(), ..*self }
    }
}

impl Context<'_> {
    fn align_group(&self, group: &[Hit], found: &mut Vec<Alignment>) {
        let mut votes = vote::votes(group);
        if votes.len() > VOTES_MAX {
            votes.sort_by(|a, b| b.share.total_cmp(&a.share).then(a.hit.cmp(&b.hit)));
            votes.truncate(VOTES_MAX);
            votes.sort_by_key(|vote| vote.hit);
        }
        for _ in 0..ALIGNMENTS_MAX {
            if (self.stop)() {
                return;
            }
            let Some(first) = self.best(&votes, group) else { return };
            let mut voted = first.clone();
            self.retime(&votes, &mut voted, group);
            let mut legs = self.legs(&votes, &voted, group);
            let of_leg = |leg: &Leg| self.pieces(&votes, &leg.agreement, group, leg.window);
            let mut pieces: Vec<Vec<Alignment>> = legs.iter().map(of_leg).collect();
            if pieces.iter().all(Vec::is_empty) {
                let found = self.evidence(&votes, &first, group);
                if found.total < PIECE_MIN {
                    return;
                }
                // What is seen once and found is told, though what was preferred to it came to nothing.
                if found.moment >= BY_MOMENT_MIN && legs.iter().any(|leg| leg.agreement.line != first.line) {
                    legs = vec![Leg::alone(Agreement { outdone: true, ..first.clone() }, self.window)];
                    pieces = legs.iter().map(of_leg).collect();
                }
            }
            let nothing = pieces.iter().all(Vec::is_empty);
            let worth = |agreement: &Agreement| self.evidence(&votes, agreement, group).total;
            // Those with the evidence of what they were preferred to.
            let lost_in = |part: (f32, f32)| worth(&first.within(&votes, part)).max(worth(&voted.within(&votes, part)));
            let holds = |piece: &&Alignment| piece.evidence.total >= KEPT_MIN * lost_in(piece.clip.seconds());
            let held: Vec<Vec<&Alignment>> =
                pieces.iter().map(|of_leg| of_leg.iter().filter(holds).collect()).collect();
            // What the alignment explains votes no more: its own hits, and hits of its geometry at its part of
            // the clip that are a little off in time, which slow pictures give.
            let within = |vote: &Vote| {
                held.iter().flatten().any(|piece| {
                    let (start, end) = piece.clip.seconds();
                    (start - TIME_TOLERANCE..=end + TIME_TOLERANCE).contains(&vote.time)
                })
            };
            let beside = |vote: &Vote| {
                let of = |leg: &Leg| {
                    (leg.window.0 - TIME_TOLERANCE..=leg.window.1 + TIME_TOLERANCE).contains(&vote.time)
                        && vote.fits(&leg.agreement.geometry)
                        && leg.agreement.line.miss(vote) <= SHADOW
                };
                legs.iter().any(of)
            };
            // Nor does the line that lost to others, where it did, and all of it if nothing was found at all.
            let parts: Vec<(f32, f32)> =
                legs.iter().zip(&held).filter_map(|(leg, held)| leg.won(held, lost_in)).collect();
            let lost = |vote: &Vote| within(vote) || parts.iter().any(|(from, to)| (*from..=*to).contains(&vote.time));
            let mut explained: HashSet<usize> = legs.iter().flat_map(|leg| &leg.agreement.votes).copied().collect();
            explained.extend(voted.votes.iter().filter(|&&i| nothing || lost(&votes[i])));
            explained.extend(first.votes.iter().filter(|&&i| nothing || within(&votes[i])));
            let taken = |i: usize| explained.contains(&i) || within(&votes[i]) && beside(&votes[i]);
            votes = (0..votes.len()).filter(|&i| !taken(i)).map(|i| votes[i]).collect();
            found.extend(pieces.into_iter().flatten());
        }
    }

    /// The geometry and time line with the most evidence.
    fn best(&self, votes: &[Vote], group: &[Hit]) -> Option<Agreement> {
        let mut order: Vec<usize> = (0..votes.len()).collect();
        order.sort_by(|&a, &b| votes[b].share.total_cmp(&votes[a].share).then(a.cmp(&b)));
        let mut explained = vec![false; votes.len()];
        let mut best: Option<(f32, Agreement)> = None;
        let mut tried = 0;
        for seed in order {
            if explained[seed] {
                continue;
            }
            if tried == SEEDS_MAX {
                break;
            }
            tried += 1;
            for pace in [Pace::RealTime, Pace::Any] {
                let agreement = confirm::grow(votes, seed, pace);
                if pace == Pace::Any && agreement.line.speed == 1.0 {
                    continue;
                }
                let evidence = self.evidence(votes, &agreement, group);
                agreement.votes.iter().for_each(|&i| explained[i] = true);
                // Between time lines that explain the scene equally well, the moment decides. A slow picture fits
                // many speeds: another one than real time has to explain clearly more.
                let say = 1.0 - OTHER_SPEED_COST * agreement.line.speed.log2().powi(2);
                let worth = say * (evidence.total + MOMENT_SAY * evidence.moment.max(0.0));
                if best.as_ref().is_none_or(|(most, _)| worth > *most) {
                    best = Some((worth, agreement));
                }
            }
        }
        best.map(|(_, agreement)| agreement)
    }

    /// The clip beside the source of a group, which is read for it.
    fn pairing<'a>(&'a self, orientation: Orientation, geometry: &'a Similarity) -> Pairing<'a> {
        Pairing { clip: self.clip, shown: &self.shown, orientation, geometry }
    }

    /// What an agreement is worth.
    fn evidence(&self, votes: &[Vote], agreement: &Agreement, group: &[Hit]) -> Evidence {
        let pairs = pairs(votes, agreement, group);
        evidence::count(pairs.iter().map(|(_, pair)| pair), self.corpus_keys)
    }
}

/// How often geometry and time line are fitted again; the window grows from 8 s to the whole clip of some minutes.
const FITS: usize = 4;

/// Share of its worth that a time line loses at half or twice real time, growing with the square of the octaves: slow
/// pictures fit half their speed nearly as well, and a film at 1.25 times its speed must not lose to real time.
const OTHER_SPEED_COST: f32 = 0.3;

/// How much more than the scene the moment says about which time line is right.
const MOMENT_SAY: f32 = 4.0;

/// The middle of a part of the clip, of at most so many seconds.
fn middle((first, last): (f32, f32), most_s: f32) -> (f32, f32) {
    let spare = 0.5 * (last - first - most_s).max(0.0);
    (first + spare, last - spare)
}

/// The pairs of an agreement, with the clip's time in seconds; those that speak for the moment are told
/// from those that would fit other times as well.
fn pairs(votes: &[Vote], agreement: &Agreement, group: &[Hit]) -> Vec<(f32, Pair)> {
    // Keys that fit the geometry two seconds off the line, on either side.
    let (mut clip_again, mut reference_again) = (HashSet::new(), HashSet::new());
    for vote in votes.iter().filter(|v| agreement.line.miss(v) >= MOMENT_GAP && v.fits(&agreement.geometry)) {
        clip_again.insert(group[vote.hit].clip_key);
        reference_again.insert(group[vote.hit].reference_key);
    }
    let pair = |&i: &usize| {
        let (vote, hit) = (&votes[i], &group[votes[i].hit]);
        let again = clip_again.contains(&hit.clip_key) || reference_again.contains(&hit.reference_key);
        (vote.time, Pair { moment: !vote.recurs && !again, ..hit.pair })
    };
    agreement.votes.iter().map(pair).collect()
}

#[cfg(test)]
mod tests;
