//! Turns alignments and a policy into a verdict and payable seconds (pure).
//!
//! - A *copy*, whose seconds are published: enough evidence, and proof of the moment. That is how surely clip and source
//!   fit best at the time which the alignment claims; the less surely, the more has the evidence to be of the moment, or
//!   missing at other times of the source. Where much moves, it has to move so in both, unless the evidence of the moment
//!   is enough; and that it does, then and at no other time, is proof by itself.
//! - Enough evidence, but of the scene alone, while the clip shows something else than the source: the *same scene* at
//!   another moment; related, and not published.
//! - Enough evidence that fits other times of the source as well or better, and nothing in the clip that the source lacks:
//!   *ambiguous*; it may be this moment or another, that part is unsearchable, and the clip inconclusive unless another
//!   part of it was published.
//!
//! What adjoins a copy on its time line, and shows the scene but no moment, is unsearchable too, and so is a gap of a few
//! seconds between two copies on one line, each of which is as long: a copy seldom ends where its clear pictures do, and of a shot that
//! is cropped nothing may be found. Footage of one's own between short pieces of a source is paid for.
//!
//! Where a weaker copy overlaps a stronger one of the same source, what it shows beyond is not judged either: symmetric pictures match
//! mirrored, for as long as the scene stands.
//!
//! Black, flat, simple, frozen, benign and undecoded parts are unsearchable as well. A clip in which too little is left to
//! be judged, or of which more than a few frames could not be decoded, is inconclusive, never unpublished.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::align::{self, Alignment, Span};
use crate::fingerprint::{Content, Fingerprint};

mod timeline;

use timeline::Timeline;

/// The answer in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing of the clip was found in this index.
    Unpublished,
    /// Some seconds were found, others not.
    PartlyPublished,
    /// All seconds of which anything can be said were found.
    Published,
    /// Nothing can be said, for the reasons given.
    Inconclusive,
}

/// What a part of the clip is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpanState {
    /// In a match of kind `copy`.
    Published,
    /// Searched and not found.
    Unpublished,
    /// Nothing can be said.
    Unsearchable,
}

/// What an alignment with enough evidence is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MatchKind {
    /// The same recording.
    Copy,
    /// The same place at another time.
    SameScene,
}

/// What counts as enough.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Policy {
    /// Evidence from which an alignment counts, in bits; see [`crate::evidence::by_chance`].
    pub published_bits: f32,
    /// Evidence of the moment that has to be left when the best second is left out, in bits.
    pub sustained_bits: f32,
    /// Most agreement with other times of the source, as a share of the agreement at the time of the alignment, that goes with
    /// a time which is not quite proved.
    pub elsewhere_max: f32,
    /// Improbability, in bits, from which the times at which pictures and keys fit best prove a moment, if there is twice the
    /// evidence that counts. Chosen with the other limits of the time, see the README for what they find and mistake.
    pub timed_bits: f32,
    /// A clip of which less can be searched is not judged.
    pub searchable_min: Duration,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            published_bits: 30.0,
            sustained_bits: 15.0,
            elsewhere_max: 0.8,
            timed_bits: 11.0,
            searchable_min: Duration::from_secs(2),
        }
    }
}

/// A verdict with what it rests on.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// The answer.
    pub verdict: Verdict,
    /// Why, each as `code: sentence`.
    pub reasons: Vec<String>,
    /// The clip from start to end, neighbours differing.
    pub parts: Vec<Part>,
    /// Which alignments are matches, in the order of the clip's time.
    pub matches: Vec<(usize, MatchKind)>,
    /// The strongest alignment that is not.
    pub nearest: Option<usize>,
}

/// A part of the clip and what it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// From when to when.
    pub span: Span,
    /// What it is.
    pub state: SpanState,
    /// Why it is unsearchable.
    pub reason: Option<String>,
}

impl Judgement {
    /// How much of the clip is in a state.
    pub fn total(&self, state: SpanState) -> Duration {
        total(&self.parts, state)
    }

    /// How much of the clip is unsearchable since it shows benign material.
    pub fn benign(&self) -> Duration {
        let parts = self.parts.iter().filter(|part| part.reason.as_deref() == Some(BENIGN));
        parts.map(|part| part.span.length()).sum()
    }
}

/// Judges a clip; `interval` is the longest time between two keyframes of a source, `corpus_videos` how many were searched.
///
/// `benign` are the numbers of the keyframes that show benign material; their time is unsearchable, whatever was found in it.
pub fn judge(
    clip: &Fingerprint,
    alignments: &[Alignment],
    benign: &[usize],
    corpus_videos: u64,
    interval: Duration,
    policy: &Policy,
) -> Judgement {
    let sliver = interval.min(SLIVER_MAX);
    let classes = classify(alignments, sliver, policy);
    let of = |wanted: Class| (0..alignments.len()).filter(|&i| classes[i] == wanted).collect::<Vec<_>>();
    let copies: Vec<&Alignment> = of(Class::Copy).into_iter().map(|i| &alignments[i]).collect();
    let mut line = Timeline::new(clip.duration);
    for (span, why) in unsearchable(clip) {
        line.paint(span, SpanState::Unsearchable, Some(why));
    }
    for i in of(Class::Ambiguous) {
        line.paint(alignments[i].clip, SpanState::Unsearchable, Some(AMBIGUOUS));
    }
    for i in of(Class::Rest) {
        for rest in alone(i, alignments, &classes) {
            line.paint(rest, SpanState::Unsearchable, Some(AMBIGUOUS));
        }
    }
    for copy in &copies {
        line.paint(copy.clip, SpanState::Published, None);
    }
    for &keyframe in benign {
        line.paint(stands_for(clip, keyframe, keyframe), SpanState::Unsearchable, Some(BENIGN));
    }
    for hole in &clip.undecoded {
        let why = format!("undecoded: {}", hole.reason);
        line.paint(Span { start: hole.start, end: hole.end }, SpanState::Unsearchable, Some(&why));
    }
    copies.iter().for_each(|copy| line.fill(copy.beside, BESIDE));
    for i in of(Class::Echo) {
        line.fill(alignments[i].clip, BESIDE);
    }
    // All are looked for before one is filled, so that their order does not matter.
    let mut gaps = Vec::new();
    for copy in &copies {
        let follows = |next: &&&Alignment| next.clip.start >= copy.clip.end && align::continues(copy, next);
        for next in copies.iter().filter(follows) {
            let between = Span { start: copy.clip.end, end: next.clip.start };
            if line.unpublished(between) <= copy.clip.length().min(next.clip.length()) {
                gaps.push(between);
            }
        }
    }
    gaps.into_iter().for_each(|gap| line.fill(gap, BESIDE));
    line.absorb_slivers(sliver, BESIDE);
    let parts = line.parts;

    let mut matches: Vec<(usize, MatchKind)> = of(Class::Copy).into_iter().map(|i| (i, MatchKind::Copy)).collect();
    matches.extend(of(Class::SameScene).into_iter().map(|i| (i, MatchKind::SameScene)));
    matches.extend(of(Class::Ambiguous).into_iter().map(|i| (i, MatchKind::SameScene)));
    matches.extend(of(Class::Rest).into_iter().map(|i| (i, MatchKind::SameScene)));
    matches.sort_by_key(|&(i, _)| (alignments[i].clip.start, alignments[i].clip.end, i));
    let nearest = (0..alignments.len()).find(|&i| classes[i] == Class::Weak);

    let (verdict, reasons) = conclude(clip, alignments, &classes, &parts, corpus_videos, policy);
    Judgement { verdict, reasons, parts, matches, nearest }
}

/// What an alignment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Copy,
    SameScene,
    /// Enough evidence, which fits other times of the source as well or better, and nothing in the clip that the source lacks.
    Ambiguous,
    /// The same of a weaker one, of which so much lies where no stronger alignment of its source does; of that it tells only.
    Rest,
    Weak,
    /// A copy that says the same as a stronger one. Symmetric pictures match mirrored and slow ones a little off in time, so that
    /// what it shows beyond is not judged.
    Echo,
    /// Any other that says the same as a stronger one.
    Shadow,
}

/// A part of a clip with fewer keys of its moment cannot be told from another take.
const MOMENT_KEYS_MIN: u32 = 8;

/// Bits of the timing that are enough if the evidence is clearly less at other times; if the moment's evidence is much less
/// there; and if all evidence is much less there. Chosen together with the shares and margins, on real footage sampled twice
/// a second: of 272 excerpts that show another moment of an indexed scene two pass, of 2 377 with other content none, and
/// of 2 377 edited copies 2 308 (with all limits below, and 2 272 before motion was compared).
const MOSTLY_TIMED: f32 = 8.0;
const PARTLY_TIMED: f32 = 5.0;
const HARDLY_TIMED: f32 = 2.0;

/// Most agreement of the moment's keys with other times, as a share, for them to prove it.
const MOMENT_ELSEWHERE_MAX: f32 = 0.6;

/// Most agreement of all keys with other times, as a share, that needs hardly any timing.
const CLEARLY_ELSEWHERE_MAX: f32 = 0.7;

/// Share of the pictures that have to fit best at the time where it is not quite proved and other times agree with more than
/// [`PLAINLY_ELSEWHERE_MAX`] of the bits. Chosen on other footage than the limits above, most of it talking heads: of 192 excerpts
/// that show another moment six fewer pass, or of other takes, of which one had 0.6 of its pictures; and of the 2 377 copies seven.
const PICTURES_MIN: f32 = 0.65;

/// Bits of the timing from which it does not matter how few pictures fit best; other moments of talking heads reached 9.7.
const PLAINLY_TIMED: f32 = 10.0;

/// Evidence of the moment, and of what is left of it without its best second, in bits, from which it does not matter either: those
/// other moments had up to 127 and 16, or 77 and 27.
const PLAIN_MOMENT: f32 = 90.0;
const PLAIN_SUSTAINED: f32 = 40.0;

/// Evidence of the moment, in bits, from which it does not matter although one second has nearly all of it.
const PLAIN_INSTANT: f32 = 180.0;

/// Most agreement of all keys with other times, as a share, at which it does not matter how few pictures fit best.
const PLAINLY_ELSEWHERE_MAX: f32 = 0.64;

/// Where other times agree with more than [`ALONE_ELSEWHERE_MAX`] of the bits, and there is hardly any evidence of the moment, the
/// timing alone proves it from so many bits on, or if so large a share of the pictures fit best. A head that sways comes back to
/// each pose, and another take can be laid over it so that both sway together: of 24 other takes of made heads that sway in sines 10 passed for copies without these limits,
/// with up to 26 bits and 0.79 of the pictures, and none does with them.
const ALONE_BITS: f32 = 30.0;
const ALONE_PICTURES: f32 = 0.85;
const ALONE_ELSEWHERE_MAX: f32 = 0.85;

/// What moves proves a moment from so many bits on, if so large a share of the moving pictures fit best at its time, they
/// correlate so well there, and no other time of the source comes near that, as it does where people walk the same path again.
/// Of 126 alignments with other moments and with other content three had bits, share and likeness enough, all of one who walks
/// the same way again, and as much at other times; of 120 with other takes of made heads and walkers one had, likewise.
const MOVED_BITS: f32 = 18.0;
const MOVED_SHARE: f32 = 0.75;
const MOVED_LIKENESS: f32 = 0.4;
const MOVED_ELSEWHERE_MAX: f32 = 0.8;

/// Moving pictures from which it matters that they correlate less than this, or as well at other times: three of those 120
/// passed for copies by the times of their keys, and of 136 other moments of real scenes one, with 89 bits of the moment and 27
/// without its best second. Two of 2 377 copies are lost by it.
const MOVED_PICTURES: f32 = 20.0;
const UNMOVED_LIKENESS: f32 = 0.2;

/// Most agreement of all keys with other times, as a share, of a piece of a clip that jumps between times of a source, and moving
/// pictures from which it has to correlate. The pieces were chosen for how well they fit: without this, and as much evidence of the
/// moment as counts, three of 48 other takes of made heads and walkers passed for copies. From as much that is seen once as is plain
/// elsewhere, other times do not matter: of pieces of two seconds six more are copies, and none of the 48.
const JUMP_ELSEWHERE_MAX: f32 = 0.9;
const JUMP_PICTURES: f32 = 6.0;

/// Bits of the timing that prove a clip to play backwards: what goes to and fro does so too.
const BACKWARDS_BITS: f32 = 20.0;

/// Shorter than this an alignment, which is told with half a source's interval on either side, is one instant, and all pictures
/// that it is compared with lie outside it: that they fit less well says that the camera moved, and not when.
const PASSAGE_MIN: Duration = Duration::from_millis(1500);

/// Bits of the timing from which it is not said to be another moment, but to be ambiguous.
const UNTIMED_BITS: f32 = 4.0;

/// The clip shows something else than the source when its keys of the moment are found this much more rarely than
/// its keys of the scene.
const EXPLAINED_MIN: f32 = 0.3;

/// An alignment that overlaps a stronger one of the same source by this share and has less than this share of its
/// evidence is its shadow: symmetric pictures match mirrored, slow ones a little off in time.
const SHADOW: f32 = 0.5;

/// A clip of which more could not be decoded is not called unpublished: a lost frame shows what its neighbours show.
const MISSING_MAX: Duration = Duration::from_millis(500);

/// What is left beside a published part belongs to it if it is shorter than this, and than a source's interval.
const SLIVER_MAX: Duration = Duration::from_secs(1);

/// A part shorter than this is not worth a reason.
const TOLD_MIN: Duration = Duration::from_millis(50);

/// A picture that stands still for this long is frozen.
const FROZEN_MIN: Duration = Duration::from_secs(2);

const AMBIGUOUS: &str = "ambiguous: it shows a scene of a source, and whether at the same moment is not proved";

const BESIDE: &str = "beside: a copy goes on here in its source, and nothing tells whether it does so in the clip";

const BENIGN: &str = "benign: it shows material that is marked as benign";

/// The alignments' classes; they come strongest first. Of what is ambiguous, a rest of less than a `sliver` is left out.
fn classify(alignments: &[Alignment], sliver: Duration, policy: &Policy) -> Vec<Class> {
    let mut classes: Vec<Class> = Vec::with_capacity(alignments.len());
    for (i, alignment) in alignments.iter().enumerate() {
        let own = class_of(alignment, policy);
        let shadowed = stronger(i, alignments, &classes).any(|(stronger, class)| {
            let overlap = alignment.clip.overlap(stronger.clip).as_secs_f32();
            let weaker = alignment.evidence.total < SHADOW * stronger.evidence.total;
            // A copy can be the shadow of a copy only.
            overlap >= SHADOW * alignment.clip.length().as_secs_f32()
                && match (class, own) {
                    // Turned by six degrees, it is found both upright and tilted.
                    (Class::Copy, Class::Copy) => weaker || alignment.orientation.tilt != stronger.orientation.tilt,
                    (Class::Copy, _) => true,
                    (
                        Class::SameScene | Class::Ambiguous | Class::Rest,
                        Class::SameScene | Class::Ambiguous | Class::Weak,
                    ) => weaker,
                    _ => false,
                }
        });
        classes.push(match own {
            own if !shadowed => own,
            Class::Copy => Class::Echo,
            Class::Ambiguous
                if alone(i, alignments, &classes).iter().map(|rest| rest.length()).sum::<Duration>() >= sliver =>
            {
                Class::Rest
            }
            _ => Class::Shadow,
        });
    }
    classes
}

/// The stronger alignments of the source of one, that have a say themselves.
fn stronger<'a>(
    i: usize,
    alignments: &'a [Alignment],
    classes: &'a [Class],
) -> impl Iterator<Item = (&'a Alignment, Class)> {
    let before = alignments[..i].iter().zip(classes.iter().copied());
    before.filter(move |(other, class)| {
        other.video == alignments[i].video && !matches!(class, Class::Weak | Class::Shadow)
    })
}

/// The parts of an alignment that no stronger one of its source shows.
fn alone(i: usize, alignments: &[Alignment], classes: &[Class]) -> Vec<Span> {
    alignments[i].clip.without(stronger(i, alignments, classes).map(|(other, _)| other.clip))
}

fn class_of(alignment: &Alignment, policy: &Policy) -> Class {
    let Alignment { evidence, contrast, found, timing, moved, .. } = alignment;
    if alignment.identical {
        return Class::Copy;
    }
    if evidence.total < policy.published_bits {
        return Class::Weak;
    }
    if alignment.outdone {
        return Class::Ambiguous;
    }
    let timed = timing.bits();
    let margin = contrast.here - contrast.elsewhere;
    let apart = |share: f32| contrast.elsewhere <= share * contrast.here;
    let pictures = timing.pictures().share();
    let unique = evidence.moment >= policy.published_bits && evidence.sustained >= policy.sustained_bits;
    let passage = alignment.clip.length() >= PASSAGE_MIN;
    let proven = timed >= policy.timed_bits
        && evidence.total >= 2.0 * policy.published_bits
        && (passage || apart(policy.elsewhere_max))
        && (unique || apart(ALONE_ELSEWHERE_MAX) || timed >= ALONE_BITS || pictures >= ALONE_PICTURES);
    let mostly = timed >= MOSTLY_TIMED && margin >= 2.0 * policy.published_bits && apart(policy.elsewhere_max);
    let of_moment =
        timed >= PARTLY_TIMED && unique && contrast.moment_elsewhere <= MOMENT_ELSEWHERE_MAX * contrast.moment_here;
    let of_all = timed >= HARDLY_TIMED && margin >= 2.5 * policy.published_bits && apart(CLEARLY_ELSEWHERE_MAX);
    let plain_moment = evidence.moment >= PLAIN_MOMENT && evidence.sustained >= PLAIN_SUSTAINED;
    // Heads that talk come back to much the same pose: few of their pictures fit best at the time, and none by far.
    let plain = timed >= PLAINLY_TIMED
        || pictures >= PICTURES_MIN
        || apart(PLAINLY_ELSEWHERE_MAX)
        || plain_moment
        || evidence.moment >= PLAIN_INSTANT;
    let moving = moved.bits() - timing.paid;
    let once = moved.on_line > 0.0 && moved.elsewhere <= MOVED_ELSEWHERE_MAX * moved.on_line;
    let moves_so = moving >= MOVED_BITS
        && moved.pictures.share() >= MOVED_SHARE
        && moved.likeness() >= MOVED_LIKENESS
        && once
        && passage;
    // Much moves, and either not so or so at other times too; with what is seen once, an overlay may be what moves.
    let moves_otherwise = moved.pictures.asked >= MOVED_PICTURES
        && (!plain_moment && moved.likeness() < UNMOVED_LIKENESS || !unique && !once);
    // Of the moments of another take one always fits best.
    let moves_unlike = moved.pictures.asked >= JUMP_PICTURES && moved.likeness() < UNMOVED_LIKENESS && !plain_moment;
    let seen_here = apart(JUMP_ELSEWHERE_MAX) || plain_moment || evidence.moment >= PLAIN_INSTANT;
    let held = !alignment.jumps || evidence.moment >= policy.published_bits && seen_here && !moves_unlike;
    let forwards = alignment.speed > 0.0 || timed >= BACKWARDS_BITS;
    if ((proven || mostly || of_moment || of_all) && plain && !moves_otherwise || moves_so) && forwards && held {
        Class::Copy
    } else if timed + timing.paid < UNTIMED_BITS
        && moved.bits() < UNTIMED_BITS
        && found.clip_moments >= MOMENT_KEYS_MIN
        && found.clip_moment < EXPLAINED_MIN * found.clip_scene
    {
        Class::SameScene
    } else {
        Class::Ambiguous
    }
}

/// The time for which some keyframes stand: up to half way to their neighbours.
fn stands_for(clip: &Fingerprint, first: usize, last: usize) -> Span {
    let keyframes = &clip.keyframes;
    let middle = |i: usize| (keyframes[i].time + keyframes[i + 1].time) / 2;
    Span {
        start: if first == 0 { Duration::ZERO } else { middle(first - 1) },
        end: if last + 1 == keyframes.len() { clip.duration } else { middle(last) },
    }
}

/// The parts in which nothing could have been found, with the reason.
fn unsearchable(clip: &Fingerprint) -> Vec<(Span, &'static str)> {
    let keyframes = &clip.keyframes;
    let span = |first, last| stands_for(clip, first, last);
    let mut parts = Vec::new();
    for (i, keyframe) in keyframes.iter().enumerate() {
        if keyframe.time - keyframe.still_since >= FROZEN_MIN {
            let first = keyframes.partition_point(|earlier| earlier.time < keyframe.still_since);
            parts.push((span(first, i), "frozen: the picture stands still"));
        }
    }
    for (i, keyframe) in keyframes.iter().enumerate() {
        match keyframe.content {
            Content::Searchable => {}
            Content::Black => parts.push((span(i, i), "black: the picture is black")),
            Content::Flat => parts.push((span(i, i), "flat: the picture has no contrast")),
            Content::Simple => parts.push((span(i, i), "simple: the picture has too little structure")),
        }
    }
    // One picture shown for long, as files of variable frame rate do.
    for (i, keyframe) in keyframes.iter().enumerate() {
        let until = keyframes.get(i + 1).map_or(clip.duration, |next| next.time);
        if until.saturating_sub(keyframe.time) > FROZEN_MIN {
            parts.push((Span { start: keyframe.time, end: until }, "frozen: the picture stands still"));
        }
    }
    if keyframes.is_empty() {
        parts.push((Span { start: Duration::ZERO, end: clip.duration }, "undecoded: there is no picture"));
    }
    parts
}

fn conclude(
    clip: &Fingerprint,
    alignments: &[Alignment],
    classes: &[Class],
    parts: &[Part],
    corpus_videos: u64,
    policy: &Policy,
) -> (Verdict, Vec<String>) {
    let mut reasons = Vec::new();
    let seconds = |time: Duration| format!("{:.1} s", time.as_secs_f64());
    let published = total(parts, SpanState::Published);
    let unpublished = total(parts, SpanState::Unpublished);

    let sources = |wanted: Class| {
        let mut videos: Vec<_> =
            alignments.iter().zip(classes).filter(|(_, class)| **class == wanted).map(|(a, _)| a.video).collect();
        videos.sort_unstable();
        videos.dedup();
        match videos.len() {
            1 => "one source".to_owned(),
            n => format!("{n} sources"),
        }
    };
    if !published.is_zero() {
        reasons.push(format!("copy: {} were published, in {}", seconds(published), sources(Class::Copy)));
    }
    if classes.contains(&Class::SameScene) {
        reasons.push(format!("same_scene: the same scene, at another moment, is in {}", sources(Class::SameScene)));
    }
    // One sentence a code, with the sum of its parts.
    let mut told: Vec<(&str, Duration)> = Vec::new();
    for part in parts.iter().filter(|part| part.state == SpanState::Unsearchable) {
        let why = part.reason.as_deref().unwrap_or_default();
        match told.iter_mut().find(|(reason, _)| *reason == why) {
            Some((_, sum)) => *sum += part.span.length(),
            None => told.push((why, part.span.length())),
        }
    }
    let worth_telling = |why: &str, sum: Duration| sum >= TOLD_MIN || why.starts_with("undecoded");
    for (why, sum) in told.into_iter().filter(|(why, sum)| worth_telling(why, *sum)) {
        let (code, text) = why.split_once(": ").unwrap_or(("undecoded", why));
        reasons.push(format!("{code}: {text} for {}", seconds(sum)));
    }
    let missing: Duration = clip.undecoded.iter().map(|hole| hole.end.saturating_sub(hole.start)).sum();
    let still = clip.frames <= 1;
    if still {
        reasons.push("still: the file is a single picture, not a video".to_owned());
    }
    if clip.duration < policy.searchable_min {
        reasons.push(format!(
            "short: {} is too short to judge, give at least {}",
            seconds(clip.duration),
            seconds(policy.searchable_min)
        ));
    }
    if corpus_videos == 0 {
        reasons.push("empty_index: the index holds no videos".to_owned());
    }
    let verdict = if !published.is_zero() {
        if unpublished.is_zero() { Verdict::Published } else { Verdict::PartlyPublished }
    } else if classes.contains(&Class::Ambiguous)
        || still
        || corpus_videos == 0
        || missing > MISSING_MAX
        || unpublished < policy.searchable_min
    {
        Verdict::Inconclusive
    } else {
        reasons.push(format!("no_match: {} were searched and not found", seconds(unpublished)));
        Verdict::Unpublished
    };
    (verdict, reasons)
}

fn total(parts: &[Part], state: SpanState) -> Duration {
    parts.iter().filter(|part| part.state == state).map(|part| part.span.length()).sum()
}

#[cfg(test)]
mod tests;
