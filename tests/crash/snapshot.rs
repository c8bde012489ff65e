//! The content of an index as it answers, and as it must answer by the model.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::Path;

use uniq::fingerprint::{Key, KeyKind, Run};
use uniq::index::{Index, Neighbour, Screen, Video};

use crate::model::{self, Model};

/// A run near a query: number of the query, distance, path, first and last millisecond, place,
/// kind, recurrence.
///
/// The place is in units of the index, 2048 to the frame's height.
pub(crate) type Answer = (u32, u32, String, u64, u64, [i32; 3], bool, bool);

/// All answers of an index.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Content {
    pub(crate) videos: Vec<Video>,
    pub(crate) answers: Vec<Answer>,
}

impl Content {
    /// Reads the list of videos, and all keys near the queries by comparing every key.
    pub(crate) fn of(index: &Index, queries: &[Key]) -> uniq::Result<Content> {
        let videos = index.videos().map(|(_, video)| video.clone()).collect();
        Ok(Content {
            videos,
            answers: answers(index, queries)?,
        })
    }

    /// A digest of the content; the same in every process of one program.
    pub(crate) fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        format!("{:?}", self.videos).hash(&mut hasher);
        self.answers.hash(&mut hasher);
        hasher.finish()
    }
}

/// What an index must answer, by brute force. The answers of a video do not depend on other videos.
pub(crate) struct Truth {
    pub(crate) queries: Vec<Key>,
    /// Each video of the pool with its answers.
    videos: Vec<(Video, Vec<Answer>)>,
}

impl Truth {
    /// The truth about the videos of `seed`.
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

    /// The answers of an index of the model's videos.
    pub(crate) fn content(&self, model: &Model) -> Content {
        let live = || {
            model
                .live
                .iter()
                .map(|&number| &self.videos[number as usize])
        };
        let mut answers: Vec<Answer> = live().flat_map(|(_, answers)| answers.clone()).collect();
        answers.sort();
        // An index sorts by paths, and the numbers are in the same order.
        Content {
            videos: live().map(|(video, _)| video.clone()).collect(),
            answers,
        }
    }
}

/// All keys near the queries, by comparing every key, sorted independently of segments.
pub(crate) fn answers(index: &Index, queries: &[Key]) -> uniq::Result<Vec<Answer>> {
    told(index, queries, &index.near(queries, RADIUS)?)
}

/// The same by probing some of the cells.
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

/// Panics unless every byte of an index is as written. Returns the number of unnamed files.
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

/// Radius of a vote, in bits.
const RADIUS: u32 = 72;
