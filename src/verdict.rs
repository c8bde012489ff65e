//! Turns alignments and a policy into a verdict and payable seconds (pure).
//!
//! A [`Model`] says how probable it is that an alignment is a copy; the [`Policy`] says what a
//! mistake costs. So an alignment is
//!
//! - a *copy*, whose seconds are published, if that is probable enough;
//! - the *same scene* at another moment if it is improbable enough: related, and payable;
//! - *undecided* between the two, and its part of the clip is unsearchable.
//!
//! What adjoins a copy on its time line, and shows the scene but no moment, is unsearchable too, and so is a gap of a few
//! seconds between two copies on one line, each of which is as long: a copy seldom ends where its clear pictures do, and of a shot that
//! is cropped nothing may be found. Footage of one's own between short pieces of a source is paid for.
//!
//! What could hardly have been recognised is unsearchable as well: seconds of a [power](PowerModel)
//! below the policy's.
//!
//! So is what is treated so that it could not be recognised, shots too short to be, what the clip
//! has shown before, and a still over which a camera seems to move.
//!
//! Black, flat, simple, frozen, benign and undecoded parts are unsearchable as well. A clip in which too little is left to
//! be judged, or of which more than a few frames could not be decoded, is inconclusive, never unpublished.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::align::{self, Alignment, Span};
use crate::fingerprint::{Content, Fingerprint};

mod calibration;
mod class;
mod forest;
mod model;
mod power;
mod reason;
mod timeline;

use class::{Class, beside_others, by_itself};
pub use forest::{Forest, Node};
pub use model::{COMPARED_BITS, Model, Opinion, Term, key_terms, terms};
pub use power::{PowerModel, TERMS as POWER_TERMS, power_terms};
pub use reason::{Cause, Reason, ReasonCode};
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
    /// It may be either.
    Undecided,
}

/// What mistakes cost, in seconds left undecided.
///
/// An alignment is called published from a probability of `1 - 1 / false_published` on, and no copy
/// up to `1 / false_payable`. Raising the one leaves more copies undecided, and accuses fewer
/// creators; raising the other leaves more other takes undecided, and pays for fewer copies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Policy {
    /// Cost of a second wrongly called published, at least 2.
    pub false_published: f32,
    /// Cost of a second of a copy that is payable, at least 2.
    pub false_payable: f32,
    /// Power below which a second is unsearchable, 0..=1: a copy of it would not have been found
    /// surely enough.
    pub power_min: f32,
    /// Evidence from which an alignment that is no copy is told as the same scene, in bits.
    pub related_bits: f32,
    /// A clip of which less can be searched is not judged.
    pub searchable_min: Duration,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            false_published: 14.0,
            false_payable: 20.0,
            power_min: 0.7,
            related_bits: 30.0,
            searchable_min: Duration::from_secs(2),
        }
    }
}

/// Least cost of a mistake: cheaper ones would be made on purpose.
const COST_MIN: f32 = 2.0;

impl Policy {
    /// Probability of a copy from which an alignment is called one, 0..=1.
    pub fn published_min(&self) -> f32 {
        1.0 - 1.0 / self.false_published.max(COST_MIN)
    }

    /// Probability of a copy up to which an alignment is called none, 0..=1.
    pub fn payable_max(&self) -> f32 {
        (1.0 / self.false_payable.max(COST_MIN)).min(self.published_min())
    }
}

/// A verdict with what it rests on.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// The answer.
    pub verdict: Verdict,
    /// Why.
    pub reasons: Vec<Reason>,
    /// The clip from start to end, neighbours differing.
    pub parts: Vec<Part>,
    /// Which alignments are matches, in the order of the clip's time.
    pub matches: Vec<(usize, MatchKind)>,
    /// The alignment that is most probably a copy of those that are no matches.
    pub nearest: Option<usize>,
    /// How probable each alignment is a copy, and why.
    pub opinions: Vec<Opinion>,
    /// For each second of the clip, how probable it is that it was published: the greatest
    /// probability of the alignments in it.
    pub timeline: Vec<f32>,
    /// For each second of the clip, how probably a copy of it would have been found.
    pub power: Vec<f32>,
    /// The mean of it by class of edits.
    pub power_by_edit: Vec<(&'static str, f32)>,
}

/// A part of the clip and what it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// From when to when.
    pub span: Span,
    /// What it is.
    pub state: SpanState,
    /// Why it is unsearchable.
    pub reason: Option<Cause>,
}

impl Judgement {
    /// How much of the clip is in a state.
    pub fn total(&self, state: SpanState) -> Duration {
        total(&self.parts, state)
    }

    /// How much of the clip is unsearchable since it shows benign material.
    pub fn benign(&self) -> Duration {
        total_for(&self.parts, ReasonCode::Benign)
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
    model: &Model,
) -> Judgement {
    let sliver = interval.min(SLIVER_MAX);
    let opinions: Vec<Opinion> = alignments.iter().map(|alignment| model.opinion(alignment)).collect();
    let own: Vec<Class> =
        alignments.iter().zip(&opinions).map(|(alignment, opinion)| by_itself(alignment, opinion, policy)).collect();
    let classes = beside_others(alignments, &opinions, &own);
    let of =
        |classes: &[Class], wanted: Class| (0..classes.len()).filter(|&i| classes[i] == wanted).collect::<Vec<_>>();
    // What is not told since a stronger alignment is counts all the same where that ends.
    let copies: Vec<&Alignment> = of(&own, Class::Copy).into_iter().map(|i| &alignments[i]).collect();
    let mut line = Timeline::new(clip.duration);
    for (span, why) in unsearchable(clip) {
        line.paint(span, SpanState::Unsearchable, Some(why.into()));
    }
    for i in of(&own, Class::Undecided) {
        line.paint(alignments[i].clip, SpanState::Unsearchable, Some(ReasonCode::Undecided.into()));
    }
    for copy in &copies {
        line.paint(copy.clip, SpanState::Published, None);
    }
    for &keyframe in benign {
        line.paint(stands_for(clip, keyframe, keyframe), SpanState::Unsearchable, Some(ReasonCode::Benign.into()));
    }
    for hole in &clip.undecoded {
        let why = Cause::with(ReasonCode::Undecoded, &hole.reason);
        line.paint(Span { start: hole.start, end: hole.end }, SpanState::Unsearchable, Some(why));
    }
    copies.iter().for_each(|copy| line.fill(copy.guard, ReasonCode::Beside));
    // All are looked for before one is filled, so that their order does not matter.
    let mut gaps = Vec::new();
    let mut by_start = copies.clone();
    by_start.sort_by_key(|copy| copy.clip.start);
    for copy in &copies {
        let after = by_start.partition_point(|next| next.clip.start < copy.clip.end);
        let until = copy.clip.end + Duration::from_secs_f32(align::GAP_MAX);
        let near = by_start[after..].iter().take_while(|next| next.clip.start <= until);
        for next in near.filter(|next| align::continues(copy, next)) {
            let between = Span { start: copy.clip.end, end: next.clip.start };
            if line.unpublished(between) <= copy.clip.length().min(next.clip.length()) {
                gaps.push(between);
            }
        }
    }
    gaps.into_iter().for_each(|gap| line.fill(gap, ReasonCode::Beside));
    for i in of(&classes, Class::Undecided) {
        let span = alignments[i].clip;
        let reach = Span { start: span.start.saturating_sub(UNDECIDED_REACH), end: span.end + UNDECIDED_REACH };
        line.fill(reach, ReasonCode::Undecided);
    }
    let power_terms = power_terms(clip);
    let power: Vec<f32> = power_terms.iter().map(|terms| model.power.power(terms, 0.0)).collect();
    for (second, _) in power.iter().enumerate().filter(|(_, power)| **power < policy.power_min) {
        let start = Duration::from_secs(second as u64);
        line.fill(Span { start, end: start + Duration::from_secs(1) }, ReasonCode::Indistinct);
    }
    for (i, _) in clip.keyframes.iter().enumerate().filter(|(_, keyframe)| keyframe.repeats) {
        line.fill(stands_for(clip, i, i), ReasonCode::Repeated);
    }
    let parts = line.into_parts(sliver, ReasonCode::Beside);

    let mut matches: Vec<(usize, MatchKind)> =
        classes.iter().enumerate().filter_map(|(i, class)| Some((i, class.kind()?))).collect();
    matches.sort_by_key(|&(i, _)| (alignments[i].clip.start, alignments[i].clip.end, i));
    let likelier = |&a: &usize, &b: &usize| opinions[a].probability.total_cmp(&opinions[b].probability).then(b.cmp(&a));
    let nearest = of(&classes, Class::Unrelated).into_iter().max_by(likelier);
    let timeline = by_second(clip.duration, alignments, &opinions);

    let (verdict, reasons) = conclude(clip, alignments, &classes, &parts, corpus_videos, policy);
    let power_by_edit = model.power.by_edit(&power_terms);
    Judgement { verdict, reasons, parts, matches, nearest, opinions, timeline, power, power_by_edit }
}

/// A clip of which more could not be decoded is not called unpublished: a lost frame shows what its neighbours show.
const MISSING_MAX: Duration = Duration::from_millis(500);

/// What is left beside a published part belongs to it if it is shorter than this, and than a source's interval.
const SLIVER_MAX: Duration = Duration::from_secs(1);

/// A part shorter than this is not worth a reason.
const TOLD_MIN: Duration = Duration::from_millis(50);

/// How far what looks like a source, with too little evidence to decide, may go on to either side: a copy that is hard to recognise
/// shows here and there that it is one.
const UNDECIDED_REACH: Duration = Duration::from_secs(3);

/// A shot that is shorter would be missed too often if it were a copy.
const SHOT_MIN: Duration = Duration::from_millis(1500);

/// A picture that stands still for this long is frozen.
const FROZEN_MIN: Duration = Duration::from_secs(2);

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
fn unsearchable(clip: &Fingerprint) -> Vec<(Span, ReasonCode)> {
    let keyframes = &clip.keyframes;
    let span = |first, last| stands_for(clip, first, last);
    let mut parts = Vec::new();
    for (i, keyframe) in keyframes.iter().enumerate() {
        if keyframe.time.saturating_sub(keyframe.still_since) >= FROZEN_MIN {
            let first = keyframes.partition_point(|earlier| earlier.time < keyframe.still_since);
            parts.push((span(first, i), ReasonCode::Frozen));
        }
    }
    for (i, keyframe) in keyframes.iter().enumerate() {
        match keyframe.content {
            Content::Searchable => {}
            Content::Black => parts.push((span(i, i), ReasonCode::Black)),
            Content::Flat => parts.push((span(i, i), ReasonCode::Flat)),
            Content::Simple => parts.push((span(i, i), ReasonCode::Simple)),
            Content::Treated => parts.push((span(i, i), ReasonCode::Treated)),
        }
    }
    let panned = keyframes.iter().enumerate().filter(|(_, keyframe)| keyframe.panned);
    parts.extend(panned.map(|(i, _)| (span(i, i), ReasonCode::Still)));
    let cuts: Vec<usize> = (1..keyframes.len()).filter(|&i| keyframes[i].cut).collect();
    let starts = std::iter::once(0).chain(cuts.iter().copied());
    let ends = cuts.iter().copied().chain([keyframes.len()]).map(|end| end.max(1) - 1);
    if !cuts.is_empty() {
        for (first, last) in starts.zip(ends) {
            let shot = span(first, last);
            if shot.length() < SHOT_MIN {
                parts.push((shot, ReasonCode::QuickCuts));
            } else if keyframes[last].still_since <= keyframes[first].time {
                // Pictures that are shown one after the other are no video.
                parts.push((shot, ReasonCode::Frozen));
            }
        }
    }
    // One picture shown for long, as files of variable frame rate do.
    for (i, keyframe) in keyframes.iter().enumerate() {
        let until = keyframes.get(i + 1).map_or(clip.duration, |next| next.time);
        if until.saturating_sub(keyframe.time) > FROZEN_MIN {
            parts.push((Span { start: keyframe.time, end: until }, ReasonCode::Frozen));
        }
    }
    if keyframes.is_empty() {
        parts.push((Span { start: Duration::ZERO, end: clip.duration }, ReasonCode::Undecoded));
    }
    parts
}

/// The greatest probability of the alignments in each second of a clip.
fn by_second(duration: Duration, alignments: &[Alignment], opinions: &[Opinion]) -> Vec<f32> {
    let mut seconds = vec![0.0_f32; duration.as_secs_f64().ceil() as usize];
    for (alignment, opinion) in alignments.iter().zip(opinions) {
        let (from, to) = (alignment.clip.start.as_secs_f64(), alignment.clip.end.as_secs_f64());
        let within = (from.floor() as usize).min(seconds.len())..(to.ceil() as usize).min(seconds.len());
        if within.start < within.end {
            seconds[within].iter_mut().for_each(|second| *second = second.max(opinion.probability));
        }
    }
    seconds
}

fn conclude(
    clip: &Fingerprint,
    alignments: &[Alignment],
    classes: &[Class],
    parts: &[Part],
    corpus_videos: u64,
    policy: &Policy,
) -> (Verdict, Vec<Reason>) {
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
        let text = format!("{} were published, in {}", seconds(published), sources(Class::Copy));
        reasons.push(Reason::of(ReasonCode::Copy, published, text));
    }
    if classes.contains(&Class::SameScene) {
        let text = format!("the same scene, at another moment, is in {}", sources(Class::SameScene));
        reasons.push(Reason::new(ReasonCode::SameScene, text));
    }
    // One reason a cause, with the sum of its parts.
    let mut told: Vec<(Cause, Duration)> = Vec::new();
    for part in parts.iter().filter(|part| part.state == SpanState::Unsearchable) {
        let Some(why) = &part.reason else { continue };
        match told.iter_mut().find(|(cause, _)| cause == why) {
            Some((_, sum)) => *sum += part.span.length(),
            None => told.push((why.clone(), part.span.length())),
        }
    }
    let worth_telling = |why: &Cause, sum: Duration| sum >= TOLD_MIN || why.code == ReasonCode::Undecoded;
    for (why, sum) in told.into_iter().filter(|(why, sum)| worth_telling(why, *sum)) {
        reasons.push(Reason::of(why.code, sum, format!("{} for {}", why.text(), seconds(sum))));
    }
    let missing: Duration = clip.undecoded.iter().map(|hole| hole.end.saturating_sub(hole.start)).sum();
    let still = clip.frames <= 1;
    if still {
        reasons.push(Reason::new(ReasonCode::Still, "the file is a single picture, not a video"));
    }
    if clip.duration < policy.searchable_min {
        let (length, least) = (seconds(clip.duration), seconds(policy.searchable_min));
        let text = format!("{length} is too short to judge, give at least {least}");
        // First, since it makes all else matter less.
        reasons.insert(0, Reason::of(ReasonCode::Short, clip.duration, text));
    }
    if corpus_videos == 0 {
        reasons.push(Reason::new(ReasonCode::EmptyIndex, "the index holds no videos"));
    }
    // What may hide a copy decides nothing while what was searched is the most.
    let rest: Duration = DOUBTS.into_iter().map(|doubt| total_for(parts, doubt)).sum();
    let verdict = if !published.is_zero() {
        if unpublished.is_zero() { Verdict::Published } else { Verdict::PartlyPublished }
    } else if rest > unpublished
        || still
        || corpus_videos == 0
        || missing > MISSING_MAX
        || unpublished < policy.searchable_min
    {
        Verdict::Inconclusive
    } else {
        let text = format!("{} were searched and not found", seconds(unpublished));
        reasons.push(Reason::of(ReasonCode::NoMatch, unpublished, text));
        Verdict::Unpublished
    };
    (verdict, reasons)
}

/// Reasons for which a part may well be a copy that could not be recognised.
const DOUBTS: [ReasonCode; 4] =
    [ReasonCode::Undecided, ReasonCode::Indistinct, ReasonCode::QuickCuts, ReasonCode::Treated];

fn total(parts: &[Part], state: SpanState) -> Duration {
    parts.iter().filter(|part| part.state == state).map(|part| part.span.length()).sum()
}

/// The same of the parts that are unsearchable for a reason.
fn total_for(parts: &[Part], code: ReasonCode) -> Duration {
    let of_code = |part: &&Part| part.reason.as_ref().is_some_and(|reason| reason.code == code);
    parts.iter().filter(of_code).map(|part| part.span.length()).sum()
}

#[cfg(test)]
mod tests;
