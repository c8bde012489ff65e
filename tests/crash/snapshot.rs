//! What an index says of its content, and what it would have to say by a model.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::Path;

use uniq::fingerprint::{Key, KeyKind, Run};
use uniq::index::{Index, Neighbour, Screen, Video};

use crate::model::{self, Model};

/// A run near a query: number of the query, distance, path, first and last millisecond, place,
/// kind, recurrence.
///
/// The place is in the units in which an index stores it, 2048 to the frame's height.
pub(crate) type Answer = (u32, u32, String, u64, u64, [i32; 3], bool, bool);

/// All that is asked of an index.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Content {
    pub(crate) videos: Vec<Video>,
    pub(crate) answers: Vec<Answer>,
}

impl Content {
    /// Asks an index: its list of videos, and all that is near the queries by comparing every key.
    pub(crate) fn of(index: &Index, queries: &[Key]) -> uniq::Result<Content> {
        let videos = index.videos().map(|(_, video)| video.clone()).collect();
        Ok(Content {
            videos,
            answers: answers(index, queries)?,
        })
    }

    /// A number that stands for the content; the same in every process of one program.
    pub(crate) fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        format!("{:?}", self.videos).hash(&mut hasher);
        self.answers.hash(&mut hasher);
        hasher.finish()
    }
}

/// What an index has to say, by brute force; each video answers for itself, whatever else there is.
pub(crate) struct Truth {
    pub(crate) queries: Vec<Key>,
    /// Each video of the pool with its answers.
    videos: Vec<(Video, Vec<Answer>)>,
}

impl Truth {
    /// The truth about the videos that belong to `seed`.
    pub(crate) fn new(seed: u64) -> Truth {
        let queries = model::queries(seed);
        let videos = (0..model::POOL).map(|number| {
            let (video, runs) = (model::video(seed, number), model::runs(seed, number));
            let near = |run: &Run| {
                let distances = queries
                    .iter()
                    .map(|query| query.distance(run.key))
                    .enumerate();
                let near = distances.filter(|(_, distance)| *distance <= RADIUS);
                near.map(|(query, distance)| answer(query as u32, distance, &video.path, run))
                    .collect::<Vec<_>>()
            };
            let answers = runs.iter().flat_map(near).collect();
            (video, answers)
        });
        let videos = videos.collect();
        Truth { queries, videos }
    }

    /// What an index of the model's videos says.
    pub(crate) fn content(&self, model: &Model) -> Content {
        let live = || {
            model
                .live
                .iter()
                .map(|&number| &self.videos[number as usize])
        };
        let mut answers: Vec<Answer> = live().flat_map(|(_, answers)| answers.clone()).collect();
        answers.sort();
        // The numbers are in the order of the paths, by which an index sorts.
        Content {
            videos: live().map(|(video, _)| video.clone()).collect(),
            answers,
        }
    }
}

/// What is near the queries, whatever the segments, by comparing every key; sorted.
pub(crate) fn answers(index: &Index, queries: &[Key]) -> uniq::Result<Vec<Answer>> {
    told(index, queries, &index.near(queries, RADIUS)?)
}

/// The same by looking into some of the cells only.
pub(crate) fn answers_by_cell(
    index: &Index,
    queries: &[Key],
    probes: usize,
) -> uniq::Result<Vec<Answer>> {
    told(
        index,
        queries,
        &index.near_by_cell(
            queries,
            &Screen {
                probes,
                radius: RADIUS,
                sketch_radius: 128,
            },
        )?,
    )
}

fn told(index: &Index, queries: &[Key], near: &[Neighbour]) -> uniq::Result<Vec<Answer>> {
    let mut answers = Vec::new();
    for found in near {
        let run = index.run(found.video, found.run)?;
        assert_eq!(
            run.key.distance(queries[found.query as usize]),
            found.distance
        );
        answers.push(answer(
            found.query,
            found.distance,
            &index.video(found.video).path,
            &run,
        ));
    }
    answers.sort();
    Ok(answers)
}

/// Panics unless every byte of an index is as it was written; gives the number of files that
/// nothing names.
pub(crate) fn must_be_whole(dir: &Path, context: &str) -> usize {
    let found = uniq::index::verify(dir, &|_, _| {}, &|| false)
        .unwrap_or_else(|error| panic!("{context}: {error}"));
    assert!(found.damage.is_empty(), "{context}: {:?}", found.damage);
    found.unnamed.len()
}

fn answer(query: u32, distance: u32, path: &str, run: &Run) -> Answer {
    let units = |value: f32| (value * 2048.0).round() as i32;
    let place = [
        units(run.place.x),
        units(run.place.y),
        units(run.place.size),
    ];
    let (first, last) = (run.first.as_millis() as u64, run.last.as_millis() as u64);
    (
        query,
        distance,
        path.to_owned(),
        first,
        last,
        place,
        run.kind == KeyKind::Whole,
        run.recurs,
    )
}

/// The voting radius.
const RADIUS: u32 = 72;
