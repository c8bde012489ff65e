//! Chooses the excerpts to observe, by class.

use serde::{Deserialize, Serialize};

use super::contents::Contents;
use crate::edits::{EDITS, Edit, Time};
use crate::excerpt::Excerpt;
use crate::footage::Clip;
use crate::random::{Random, fold};

/// Relation of an excerpt to the index that it is checked against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Class {
    /// An edited copy of an indexed video.
    Copy,
    /// Edited footage that is not in the index.
    Negative,
    /// Another moment of a video of which one half is indexed.
    OtherMoment,
    /// Part of that half and part of what adjoins it.
    Crossing,
    /// Another take of a scene of which takes are indexed.
    OtherTake,
}

impl Class {
    /// All classes in the order of tables, with their names there.
    pub(crate) const ALL: [(Class, &'static str); 5] = [
        (Class::Copy, "edited copies"),
        (Class::Negative, "negatives"),
        (Class::OtherMoment, "other moments"),
        (Class::Crossing, "boundary-crossing"),
        (Class::OtherTake, "other takes"),
    ];
}

/// An excerpt to observe.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    /// Its class.
    pub(crate) class: Class,
    /// The excerpt.
    pub(crate) excerpt: Excerpt,
    /// Which half of its clip is not indexed, for classes with halves.
    pub(crate) hidden: Option<usize>,
}

/// Chooses excerpts of all videos: the same for the same footage, in a shuffled order.
pub(crate) fn plan(contents: &Contents) -> Vec<Job> {
    let mut jobs: Vec<Job> = contents
        .clips
        .iter()
        .flat_map(|clip| of_clip(clip, contents))
        .collect();
    jobs.sort_by_cached_key(|job| {
        let part = (1000.0 * job.excerpt.cut_s.0) as u64 ^ fold(&job.excerpt.clip.sha256);
        (Random::new(part).bits(), job.excerpt.edit.name, job.class)
    });
    jobs
}

fn of_clip(clip: &Clip, contents: &Contents) -> Vec<Job> {
    let mut random = Random::new(fold(&clip.sha256) ^ SEED);
    let take = contents.family(&clip.sha256).is_some();
    let content = contents.content(&clip.sha256);
    let others: Vec<Clip> = contents
        .clips
        .iter()
        .filter(|other| contents.content(&other.sha256) != content)
        .cloned()
        .collect();
    let mut edits: Vec<Edit> = EDITS
        .iter()
        .filter(|edit| !edit.thorough && edit.time != Time::Inside)
        .copied()
        .collect();
    edits.sort_by_cached_key(|_| random.bits());
    let mut jobs = Vec::new();
    let mut copy = |edit: Edit, wanted_s: f64, also_negative: bool| {
        if let Some(excerpt) = Excerpt::plan(clip, edit, wanted_s, &others, PART_SEED) {
            if also_negative {
                jobs.push(Job {
                    class: Class::Negative,
                    excerpt: excerpt.clone(),
                    hidden: None,
                });
            }
            jobs.push(Job {
                class: Class::Copy,
                excerpt,
                hidden: None,
            });
        }
    };
    for (number, edit) in edits
        .iter()
        .take(if take { EDITS_OF_TAKE } else { EDITS_OF_CLIP })
        .enumerate()
    {
        copy(
            *edit,
            LENGTHS_S[random.below(LENGTHS_S.len())],
            number % NEGATIVE_EVERY == 0,
        );
    }
    if !take && let Some(inside) = Edit::named("inside") {
        copy(inside, 0.0, false);
    }
    let mut harmless = |most: usize| Edit::named(HARMLESS[random.below(most)]);
    if is_divisible(clip, contents) {
        for kept in 0..2 {
            let hidden = Some(1 - kept);
            let parts = halves(clip);
            let within = harmless(HARMLESS.len()).and_then(|edit| {
                Excerpt::plan_within(clip, edit, HALF_S, parts[1 - kept], PART_SEED)
            });
            jobs.extend(within.map(|excerpt| Job {
                class: Class::OtherMoment,
                excerpt,
                hidden,
            }));
            let across = harmless(HARMLESS.len())
                .and_then(|edit| Excerpt::across(clip, edit, HALF_S, parts[kept]));
            jobs.extend(across.map(|excerpt| Job {
                class: Class::Crossing,
                excerpt,
                hidden,
            }));
        }
    }
    if take {
        let excerpt =
            harmless(2).and_then(|edit| Excerpt::plan(clip, edit, LENGTHS_S[0], &[], PART_SEED));
        jobs.extend(excerpt.map(|excerpt| Job {
            class: Class::OtherTake,
            excerpt,
            hidden: None,
        }));
    }
    jobs
}

/// The two halves of a clip, in seconds, without its middle.
pub(crate) fn halves(clip: &Clip) -> [(f64, f64); 2] {
    let middle = 0.5 * clip.duration_s;
    [(0.0, middle - APART_S), (middle + APART_S, clip.duration_s)]
}

/// Whether a clip is long enough for halves, and no other video shows the same content.
pub(crate) fn is_divisible(clip: &Clip, contents: &Contents) -> bool {
    clip.duration_s >= DIVISIBLE_S
        && contents
            .clips
            .iter()
            .filter(|other| other.group == clip.group)
            .count()
            == 1
}

/// Seeds for edits and lengths, and for parts.
const SEED: u64 = 77;
const PART_SEED: u64 = 5;

/// Number of edits of a clip and of a take. Every third one is also used as a negative.
const EDITS_OF_CLIP: usize = 8;
const EDITS_OF_TAKE: usize = 3;
const NEGATIVE_EVERY: usize = 3;

/// Lengths of excerpts, in seconds; one is drawn for each excerpt.
const LENGTHS_S: [f64; 4] = [10.0, 10.0, 5.0, 3.0];

/// Edits of excerpts that are no copies.
const HARMLESS: [&str; 4] = ["cut", "reencode", "mirror", "corner80"];

/// In seconds: minimum length of a clip with halves, the excluded distance from its middle, and
/// maximum length of excerpts of halves.
const DIVISIBLE_S: f64 = 9.0;
const APART_S: f64 = 1.0;
const HALF_S: f64 = 5.0;
