//! Turns alignments and a policy into a verdict and payable seconds (pure).
//!
//! A [`Model`] gives the probability that an alignment is a copy; the [`Policy`] gives the costs of
//! mistakes. Together they put an alignment into one of three classes:
//!
//! - *copy*: the probability is high enough, and its seconds are published;
//! - *same scene* at another moment: the probability is low enough, and its seconds are payable;
//! - *undecided*: the probability lies between the two limits, and its seconds are unsearchable.
//!
//! Two kinds of time next to copies are unsearchable as well. In the guard interval of a copy its
//! source shows the same scene but no distinctive moment. A hole of a few seconds between two
//! copies of one temporal hypothesis is filled if each copy is at least as long as the hole,
//! because a copy seldom ends where its distinctive frames end, and a cropped shot may have no
//! correspondence at all. The creator's own footage between short segments of a source stays
//! payable. Both kinds exist next to undecided alignments too, so that a stricter limit for copies
//! never pays for more seconds. Three seconds on either side of an undecided match are unsearchable
//! as well.
//!
//! Seconds whose [power](PowerModel) is below the policy's minimum are unsearchable: a search could
//! hardly have found a copy of them.
//!
//! So are frames whose treatment prevents recognition, shots that are too short, footage that the
//! clip repeats, and stills with a simulated camera move.
//!
//! Black, flat, simple, frozen, benign and undecoded parts are unsearchable too. A clip with too
//! little searchable time, or with more than a few undecoded frames, is inconclusive, never
//! unpublished.

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

use class::{Class, classify, covered_by_copies, suppress};
pub use forest::{Forest, Node};
pub use model::{COMPARED_BITS, Model, Opinion, Term, key_terms, terms};
pub use power::{PowerModel, TERMS as POWER_TERMS, power_terms};
pub use reason::{Cause, Reason, ReasonCode};
use timeline::Timeline;

/// The answer of one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The search found no copy of any second in this index.
    Unpublished,
    /// Some seconds are published, others are not.
    PartlyPublished,
    /// Every searchable second is published.
    Published,
    /// The clip cannot be judged, for the reasons given.
    Inconclusive,
}

/// State of a part of the clip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SpanState {
    /// In a match of kind `copy`.
    Published,
    /// Searched and not found.
    Unpublished,
    /// Too little can be seen in it to decide.
    Unsearchable,
}

/// Kind of an alignment with enough evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum MatchKind {
    /// The same recording.
    Copy,
    /// The same place at another time.
    SameScene,
    /// A copy or the same scene; the evidence does not decide.
    Undecided,
}

/// Costs of the two mistakes, in seconds left undecided.
///
/// An alignment is a copy from a probability of `1 - 1 / false_published` on, and no copy up to
/// `1 / false_payable`. A higher `false_published` leaves more copies undecided and gives fewer
/// false positives; a higher `false_payable` leaves more other takes undecided and pays for fewer
/// copies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Policy {
    /// Cost of one second that is wrongly published, at least 2.
    pub false_published: f32,
    /// Cost of one payable second that is a copy, at least 2.
    pub false_payable: f32,
    /// Minimum power of a searchable second, 0..=1: below it, a search would miss too many copies.
    pub power_min: f32,
    /// Minimum evidence, in bits, to report an alignment that is no copy as the same scene.
    pub related_bits: f32,
    /// Minimum searchable time of a clip that can be judged.
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

/// Minimum cost of a mistake. Below it, a coin toss would cost less than a second left undecided.
const COST_MIN: f32 = 2.0;

impl Policy {
    /// Minimum probability of a copy, 0..=1.
    pub fn published_min(&self) -> f32 {
        1.0 - 1.0 / self.false_published.max(COST_MIN)
    }

    /// Maximum probability of an alignment that is no copy, 0..=1.
    pub fn payable_max(&self) -> f32 {
        (1.0 / self.false_payable.max(COST_MIN)).min(self.published_min())
    }
}

/// A verdict and its grounds.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// The answer.
    pub verdict: Verdict,
    /// The reasons for it.
    pub reasons: Vec<Reason>,
    /// The clip from start to end; adjacent parts differ in state or reason.
    pub parts: Vec<Part>,
    /// Numbers and kinds of the alignments that are matches, in order of clip time.
    pub matches: Vec<(usize, MatchKind)>,
    /// The most probable copy among the alignments that are no match.
    pub nearest: Option<usize>,
    /// The model's opinion of each alignment.
    pub opinions: Vec<Opinion>,
    /// For each second of the clip, the probability that it is published: the maximum over the
    /// alignments that cover it.
    pub timeline: Vec<f32>,
    /// For each second of the clip, the probability that a search would find a copy of it.
    pub power: Vec<f32>,
    /// Mean power of the clip by class of edits.
    pub power_by_edit: Vec<(&'static str, f32)>,
}

/// A part of the clip with its state.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Time in the clip.
    pub span: Span,
    /// Its state.
    pub state: SpanState,
    /// Why it is unsearchable; `None` for other states.
    pub reason: Option<Cause>,
}

impl Judgement {
    /// Total time of the clip in a state.
    pub fn total(&self, state: SpanState) -> Duration {
        total(&self.parts, state)
    }

    /// Total time of the clip that is unsearchable because it shows benign material.
    pub fn benign(&self) -> Duration {
        total_for(&self.parts, ReasonCode::Benign)
    }
}

/// Judges a clip.
///
/// `benign` are the numbers of the keyframes that show benign material: their time is unsearchable
/// even where an alignment covers it. `corpus_videos` is the number of sources searched, and
/// `interval` the maximum time between two keyframes of a source.
pub fn judge(
    clip: &Fingerprint,
    alignments: &[Alignment],
    benign: &[usize],
    corpus_videos: u64,
    interval: Duration,
    policy: &Policy,
    model: &Model,
) -> Judgement {
    let segment_min = interval.min(SEGMENT_MIN);
    let opinions: Vec<Opinion> = alignments
        .iter()
        .map(|alignment| model.opinion(alignment))
        .collect();
    let own: Vec<Class> = alignments
        .iter()
        .zip(&opinions)
        .map(|(alignment, opinion)| classify(alignment, opinion, policy))
        .collect();
    let classes = suppress(alignments, &opinions, &own);
    let of = |classes: &[Class], wanted: Class| {
        (0..classes.len())
            .filter(|&i| classes[i] == wanted)
            .collect::<Vec<_>>()
    };
    let mut states = Timeline::new(clip.duration);
    for (span, why) in unsearchable(clip) {
        states.paint(span, SpanState::Unsearchable, Some(why.into()));
    }
    // Superseded alignments count too; only the list of matches leaves them out.
    let reasons = withholding(alignments, &own);
    let mut undecided = of(&own, Class::Undecided);
    undecided.sort_by_key(|&i| reasons[i] == ReasonCode::Undecided);
    for i in undecided {
        let why = Some(reasons[i].into());
        states.paint(alignments[i].clip, SpanState::Unsearchable, why);
    }
    for i in of(&own, Class::Copy) {
        states.paint(alignments[i].clip, SpanState::Published, None);
    }
    for &keyframe in benign {
        states.paint(
            stands_for(clip, keyframe, keyframe),
            SpanState::Unsearchable,
            Some(ReasonCode::Benign.into()),
        );
    }
    for hole in &clip.undecoded {
        let why = Cause::with(ReasonCode::Undecoded, &hole.reason);
        states.paint(
            Span {
                start: hole.start,
                end: hole.end,
            },
            SpanState::Unsearchable,
            Some(why),
        );
    }
    fill_beside(&mut states, alignments, &own, &reasons);
    for i in of(&classes, Class::Undecided) {
        let span = alignments[i].clip;
        let guarded = Span {
            start: span.start.saturating_sub(UNDECIDED_GUARD),
            end: span.end + UNDECIDED_GUARD,
        };
        states.fill(guarded, ReasonCode::Undecided);
    }
    let power_terms = power_terms(clip);
    let power: Vec<f32> = power_terms
        .iter()
        .map(|terms| model.power.power(terms, 0.0))
        .collect();
    for (second, _) in power
        .iter()
        .enumerate()
        .filter(|(_, power)| **power < policy.power_min)
    {
        let start = Duration::from_secs(second as u64);
        states.fill(
            Span {
                start,
                end: start + Duration::from_secs(1),
            },
            ReasonCode::Indistinct,
        );
    }
    for (i, _) in clip
        .keyframes
        .iter()
        .enumerate()
        .filter(|(_, keyframe)| keyframe.repeats)
    {
        states.fill(stands_for(clip, i, i), ReasonCode::Repeated);
    }
    let parts = states.into_parts(segment_min);

    let mut matches: Vec<(usize, MatchKind)> = classes
        .iter()
        .enumerate()
        .filter_map(|(i, class)| Some((i, class.kind()?)))
        .collect();
    matches.sort_by_key(|&(i, _)| (alignments[i].clip.start, alignments[i].clip.end, i));
    let likelier = |&a: &usize, &b: &usize| {
        opinions[a]
            .probability
            .total_cmp(&opinions[b].probability)
            .then(b.cmp(&a))
    };
    let nearest = of(&classes, Class::Unrelated).into_iter().max_by(likelier);
    let timeline = by_second(clip.duration, alignments, &opinions);

    let (verdict, reasons) = conclude(clip, alignments, &classes, &parts, corpus_videos, policy);
    let power_by_edit = model.power.by_edit(&power_terms);
    Judgement {
        verdict,
        reasons,
        parts,
        matches,
        nearest,
        opinions,
        timeline,
        power,
        power_by_edit,
    }
}

/// Why an undecided alignment, or the guard interval of a copy, withholds seconds. An undecided
/// alignment that copies of the same source cover is no match in the report, so its seconds count
/// as being next to a copy.
fn withholding(alignments: &[Alignment], own: &[Class]) -> Vec<ReasonCode> {
    own.iter()
        .zip(covered_by_copies(alignments, own))
        .map(|(class, covered)| match class {
            Class::Undecided if !covered => ReasonCode::Undecided,
            _ => ReasonCode::Beside,
        })
        .collect()
}

/// Makes the guard intervals of copies and the short holes between them unsearchable.
///
/// Undecided alignments count like copies, so that a policy under which a copy is undecided does
/// not pay for seconds next to it.
fn fill_beside(
    states: &mut Timeline,
    alignments: &[Alignment],
    own: &[Class],
    reasons: &[ReasonCode],
) {
    let mut likely: Vec<usize> = (0..alignments.len())
        .filter(|&i| matches!(own[i], Class::Copy | Class::Undecided))
        .collect();
    likely.sort_by_key(|&i| (alignments[i].video, alignments[i].clip.start));
    let guards = likely.iter().map(|&i| (alignments[i].guard, reasons[i]));
    fill_all(states, guards.collect());
    let mut holes = Vec::new();
    // Find all holes before filling any, so that the order of alignments does not matter.
    for of_video in likely.chunk_by(|&i, &j| alignments[i].video == alignments[j].video) {
        for &i in of_video {
            let copy = &alignments[i];
            let after = of_video.partition_point(|&j| alignments[j].clip.start < copy.clip.end);
            let until = copy.clip.end + Duration::from_secs_f32(align::GAP_MAX);
            let near = of_video[after..]
                .iter()
                .map(|&j| (j, &alignments[j]))
                .take_while(|(_, next)| next.clip.start <= until)
                .filter(|(_, next)| align::continues(copy, next));
            for (j, next) in near {
                let hole = Span {
                    start: copy.clip.end,
                    end: next.clip.start,
                };
                if states.unpublished(hole) <= copy.clip.length().min(next.clip.length()) {
                    let why = match reasons[i] {
                        same if same == reasons[j] => same,
                        _ => ReasonCode::Undecided,
                    };
                    holes.push((hole, why));
                }
            }
        }
    }
    fill_all(states, holes);
}

/// Fills all spans, the undecided ones last.
fn fill_all(states: &mut Timeline, mut spans: Vec<(Span, ReasonCode)>) {
    spans.sort_by_key(|(_, why)| *why == ReasonCode::Undecided);
    for (span, why) in spans {
        states.fill(span, why);
    }
}

/// Maximum undecoded time of an unpublished clip. Up to this, the neighbours of a lost frame show
/// its content.
const MISSING_MAX: Duration = Duration::from_millis(500);

/// Minimum length of an unpublished part next to a published or undecided one, or next to one
/// beside a copy; also bounded by the keyframe interval of the sources. A shorter part joins it.
const SEGMENT_MIN: Duration = Duration::from_secs(1);

/// Minimum total time for which a reason is given.
const REASON_MIN: Duration = Duration::from_millis(50);

/// Guard interval on either side of an undecided match: a copy that is hard to recognise gives only
/// scattered correspondences.
const UNDECIDED_GUARD: Duration = Duration::from_secs(3);

/// Minimum length of a searchable shot: too many copies of shorter ones would be missed.
const SHOT_MIN: Duration = Duration::from_millis(1500);

/// Minimum time without motion after which a part is frozen.
const FROZEN_MIN: Duration = Duration::from_secs(2);

/// The time that a sequence of keyframes represents: it ends half way to the neighbouring
/// keyframes.
fn stands_for(clip: &Fingerprint, first: usize, last: usize) -> Span {
    let keyframes = &clip.keyframes;
    let middle = |i: usize| (keyframes[i].time + keyframes[i + 1].time) / 2;
    Span {
        start: if first == 0 {
            Duration::ZERO
        } else {
            middle(first - 1)
        },
        end: if last + 1 == keyframes.len() {
            clip.duration
        } else {
            middle(last)
        },
    }
}

/// The parts in which a search cannot find a copy, with the reason.
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
    let panned = keyframes
        .iter()
        .enumerate()
        .filter(|(_, keyframe)| keyframe.panned);
    parts.extend(panned.map(|(i, _)| (span(i, i), ReasonCode::Still)));
    let cuts: Vec<usize> = (1..keyframes.len()).filter(|&i| keyframes[i].cut).collect();
    let starts = std::iter::once(0).chain(cuts.iter().copied());
    let ends = cuts
        .iter()
        .copied()
        .chain([keyframes.len()])
        .map(|end| end.max(1) - 1);
    if !cuts.is_empty() {
        for (first, last) in starts.zip(ends) {
            let shot = span(first, last);
            if shot.length() < SHOT_MIN {
                parts.push((shot, ReasonCode::QuickCuts));
            } else if keyframes[last].still_since <= keyframes[first].time {
                // A slide show is not a video.
                parts.push((shot, ReasonCode::Frozen));
            }
        }
    }
    // One frame shown for long, which variable frame rate allows.
    for (i, keyframe) in keyframes.iter().enumerate() {
        let until = keyframes.get(i + 1).map_or(clip.duration, |next| next.time);
        if until.saturating_sub(keyframe.time) > FROZEN_MIN {
            parts.push((
                Span {
                    start: keyframe.time,
                    end: until,
                },
                ReasonCode::Frozen,
            ));
        }
    }
    if keyframes.is_empty() {
        parts.push((
            Span {
                start: Duration::ZERO,
                end: clip.duration,
            },
            ReasonCode::Undecoded,
        ));
    }
    parts
}

/// Maximum probability of the alignments in each second of the clip.
fn by_second(duration: Duration, alignments: &[Alignment], opinions: &[Opinion]) -> Vec<f32> {
    let mut seconds = vec![0.0_f32; duration.as_secs_f64().ceil() as usize];
    for (alignment, opinion) in alignments.iter().zip(opinions) {
        let (from, to) = (
            alignment.clip.start.as_secs_f64(),
            alignment.clip.end.as_secs_f64(),
        );
        let within =
            (from.floor() as usize).min(seconds.len())..(to.ceil() as usize).min(seconds.len());
        if within.start < within.end {
            seconds[within]
                .iter_mut()
                .for_each(|second| *second = second.max(opinion.probability));
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
        let mut videos: Vec<_> = alignments
            .iter()
            .zip(classes)
            .filter(|(_, class)| **class == wanted)
            .map(|(a, _)| a.video)
            .collect();
        videos.sort_unstable();
        videos.dedup();
        match videos.len() {
            1 => "one source".to_owned(),
            n => format!("{n} sources"),
        }
    };
    if !published.is_zero() {
        let text = format!(
            "{} were published, in {}",
            seconds(published),
            sources(Class::Copy)
        );
        reasons.push(Reason::of(ReasonCode::Copy, published, text));
    }
    if classes.contains(&Class::SameScene) {
        let text = format!(
            "the same scene is in {}, at another moment",
            sources(Class::SameScene)
        );
        reasons.push(Reason::new(ReasonCode::SameScene, text));
    }
    // One reason for each cause, with its total time.
    let mut causes: Vec<(Cause, Duration)> = Vec::new();
    for part in parts
        .iter()
        .filter(|part| part.state == SpanState::Unsearchable)
    {
        let Some(why) = &part.reason else { continue };
        match causes.iter_mut().find(|(cause, _)| cause == why) {
            Some((_, sum)) => *sum += part.span.length(),
            None => causes.push((why.clone(), part.span.length())),
        }
    }
    let is_reported =
        |why: &Cause, sum: Duration| sum >= REASON_MIN || why.code == ReasonCode::Undecoded;
    for (why, sum) in causes
        .into_iter()
        .filter(|(why, sum)| is_reported(why, *sum))
    {
        reasons.push(Reason::of(
            why.code,
            sum,
            format!("{} for {}", why.text(), seconds(sum)),
        ));
    }
    let missing: Duration = clip
        .undecoded
        .iter()
        .map(|hole| hole.end.saturating_sub(hole.start))
        .sum();
    let still = clip.frames <= 1;
    if still {
        reasons.push(Reason::new(
            ReasonCode::Still,
            "the file is a single picture, not a video",
        ));
    }
    if clip.duration < policy.searchable_min {
        let (length, least) = (seconds(clip.duration), seconds(policy.searchable_min));
        let text = format!("{length} is too short to judge, give at least {least}");
        // First, because it outweighs all other reasons.
        reasons.insert(0, Reason::of(ReasonCode::Short, clip.duration, text));
    }
    if corpus_videos == 0 {
        reasons.push(Reason::new(
            ReasonCode::EmptyIndex,
            "the index holds no videos",
        ));
    }
    // Doubtful parts, which may hide a copy, make the clip inconclusive if they exceed the
    // unpublished time.
    let doubtful: Duration = DOUBTS
        .into_iter()
        .map(|doubt| total_for(parts, doubt))
        .sum();
    let verdict = if !published.is_zero() {
        if unpublished.is_zero() {
            Verdict::Published
        } else {
            Verdict::PartlyPublished
        }
    } else if doubtful > unpublished
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

/// Reasons for which an unsearchable part may well be a copy.
const DOUBTS: [ReasonCode; 4] = [
    ReasonCode::Undecided,
    ReasonCode::Indistinct,
    ReasonCode::QuickCuts,
    ReasonCode::Treated,
];

fn total(parts: &[Part], state: SpanState) -> Duration {
    parts
        .iter()
        .filter(|part| part.state == state)
        .map(|part| part.span.length())
        .sum()
}

/// Total time of the parts with a reason code.
fn total_for(parts: &[Part], code: ReasonCode) -> Duration {
    let of_code = |part: &&Part| {
        part.reason
            .as_ref()
            .is_some_and(|reason| reason.code == code)
    };
    parts
        .iter()
        .filter(of_code)
        .map(|part| part.span.length())
        .sum()
}

#[cfg(test)]
mod tests;
