//! Looks up the keys of a clip in the index and returns correspondences, called hits here.
//!
//! All keys of the clip and of the mirrored clip are looked up within [`RADIUS`] bits, and so are
//! the strongest keys of the rotated, tilted, stretched and inverted clip. A hit pairs a position
//! and time of the clip with a track of a source. The alignment decides later which hits agree.
//! Before the search, [`sift`] filters benign material out of the clip.

mod benign;
mod canaries;
mod nominate;

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::time::Duration;

use crate::error::Result;
use crate::evidence::Pair;
use crate::fingerprint::{Fingerprint, Key, KeyKind, Keyframe, Orientation, Place, Warp};
use crate::index::{Lookup, Neighbour, SearchMode, VideoRef};

use nominate::{Nominated, Nominee};

pub use benign::{Sifted, sift};
pub use canaries::{measure, measure_if_due};

/// Maximum Hamming distance of a hit, in bits. The size of the corpus bounds it: among 10^9 keys, a
/// random key has 9e-4 neighbours within 72 bits, 0.9 within 80 and 1 183 within 90.
pub const RADIUS: u32 = 72;

/// A correspondence between a key of the clip and a track of a source.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// The source.
    pub video: VideoRef,
    /// Orientation of the clip in which it was found.
    pub orientation: Orientation,
    /// Number of the clip's key in its fingerprint.
    pub clip_key: u32,
    /// Time of the clip's key.
    pub clip_time: Duration,
    /// Position of the clip's key, in this orientation.
    pub clip_place: Place,
    /// Number of the source's key; all hits on one track share it.
    pub reference_key: u32,
    /// Start of the source's track.
    pub reference_first: Duration,
    /// End of the source's track.
    pub reference_last: Duration,
    /// Position of the source's track.
    pub reference_place: Place,
    /// Whether either key is repeated, so not distinctive, within its own video.
    pub recurs: bool,
    /// The two keys, their distance, and the number of videos that share them; the alignment
    /// decides `moment`.
    pub pair: Pair,
}

/// The hits of a search.
#[derive(Debug, Clone, PartialEq)]
pub struct Hits {
    /// Sorted by video, orientation, clip key and reference key.
    pub hits: Vec<Hit>,
    /// Whether every key of the index was compared.
    pub exact: bool,
}

/// Maximum number of hits of one key of the clip on one source, nearest first: a loop repeats the
/// same frame without end.
pub const HITS_PER_VIDEO: usize = 8;

/// Maximum number of hits of one key of the clip, nearest first. The frequency alone of a key with
/// more costs it ten bits.
pub const HITS_PER_KEY: usize = 1000;

/// Maximum number of hits of one search, about a gigabyte.
const HITS_MAX: usize = 6_000_000;

/// Number of keys to look up, and of keys whose hits to collect, between two calls of `stop`.
const QUERIES_AT_A_TIME: usize = 4096;
const HITS_AT_A_TIME: usize = 64;

/// Share of the clip's keys to look up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// All keys.
    All,
    /// The [`STRONGEST_REGIONS`] strongest regions of every second keyframe and, unless the
    /// orientation is warped, its global key.
    Strongest,
}

/// Whether to compare all keys of the index, which is done where it takes less time than decoding
/// the clip.
///
/// A clip has some 1 500 keys a second. Against [`EXACT_KEYS_MAX`] keys these make 5e7 pairs: 0.02
/// s of a core with AVX2, as much as decoding a second of 640 x 360. The index alone decides, so
/// that the decision is the same on every machine.
pub fn is_exact(index: &dyn Lookup, mode: SearchMode) -> bool {
    match mode {
        SearchMode::Exact => true,
        SearchMode::Screened => false,
        // A screening without a measured recall, or with a low one, is not used.
        SearchMode::Auto => {
            let recall = index.state().screening_recall;
            index.state().keys <= EXACT_KEYS_MAX || recall.is_none_or(|recall| recall < RECALL_MIN)
        }
    }
}

/// Minimum recall of the screening for [`SearchMode::Auto`] to use it, 0..=1.
pub const RECALL_MIN: f64 = 0.98;

/// Maximum number of keys for which [`SearchMode::Auto`] compares all: some 20 minutes of video.
pub const EXACT_KEYS_MAX: u64 = 32_768;

/// Looks up a range of the clip's keys in each of the orientations.
///
/// If the search is [exact](is_exact), it compares all keys of the index. If not, a screening
/// nominates videos and orientations, and the search compares all keys of these.
///
/// # Errors
/// [`Error::CorruptIndex`](crate::Error::CorruptIndex) if a part of the index that the search reads
/// is damaged, and the error of `stop`, which the search calls now and then.
pub fn search(
    index: &dyn Lookup,
    clip: &Fingerprint,
    keys: Range<usize>,
    orientations: &[(Orientation, Share)],
    mode: SearchMode,
    stop: &dyn Fn() -> Result<()>,
) -> Result<Hits> {
    let queries = Queries::of(clip, keys, orientations);
    let mut search = Search {
        index,
        clip,
        queries: &queries,
        found: Bounded::default(),
        numbers: HashMap::new(),
    };
    let nominated = if is_exact(index, mode) {
        None
    } else {
        Some(nominate::nominate(index, clip, &queries, stop)?)
    };
    // If there are too many nominees to compare one by one, an adversary could choose which of them
    // are left out; so all keys are compared.
    let nominated = nominated.filter(|nominated| nominated.left_out.is_empty());
    let exact = nominated.is_none();
    match nominated {
        None => search.compare_all(stop)?,
        Some(nominated) => search.compare_nominees(&nominated, nominated.videos.iter(), stop)?,
    }
    Ok(search.done(exact))
}

/// Searches a part of an index, reading all that a [`search`] of the whole will need of it.
///
/// # Errors
/// Those of [`search`].
pub(crate) fn search_part(
    part: &dyn Lookup,
    clip: &Fingerprint,
    keys: Range<usize>,
    orientations: &[(Orientation, Share)],
    exact: bool,
    stop: &dyn Fn() -> Result<()>,
) -> Result<Hits> {
    let queries = Queries::of(clip, keys, orientations);
    let mut search = Search {
        index: part,
        clip,
        queries: &queries,
        found: Bounded::default(),
        numbers: HashMap::new(),
    };
    if exact {
        search.compare_all(stop)?;
    } else {
        let nominated = nominate::nominate(part, clip, &queries, stop)?;
        // Whether any are left out depends on the other parts.
        let nominees = nominated.videos.iter().chain(&nominated.left_out);
        search.compare_nominees(&nominated, nominees, stop)?;
    }
    Ok(search.done(exact))
}

/// As [`search`], but compares the clip with all keys of these sources only.
///
/// # Errors
/// Those of [`search`].
pub fn search_in(
    index: &dyn Lookup,
    clip: &Fingerprint,
    keys: Range<usize>,
    orientations: &[(Orientation, Share)],
    videos: &[VideoRef],
    stop: &dyn Fn() -> Result<()>,
) -> Result<Hits> {
    let queries = Queries::of(clip, keys, orientations);
    let mut search = Search {
        index,
        clip,
        queries: &queries,
        found: Bounded::default(),
        numbers: HashMap::new(),
    };
    for batch in queries.batches(0..queries.of.len()) {
        for &video in videos {
            stop()?;
            let near = index.near_in(video, &batch.keys, RADIUS)?;
            search.collect(&batch, &near, &|_| 0, stop)?;
        }
    }
    Ok(search.done(true))
}

/// A search in progress.
struct Search<'a> {
    index: &'a dyn Lookup,
    clip: &'a Fingerprint,
    queries: &'a Queries,
    found: Bounded,
    numbers: HashMap<(VideoRef, u32), u32>,
}

impl Search<'_> {
    /// Compares all keys of the index with all queries.
    fn compare_all(&mut self, stop: &dyn Fn() -> Result<()>) -> Result<()> {
        for batch in self.queries.batches(0..self.queries.of.len()) {
            stop()?;
            let near = self.index.near(&batch.keys, RADIUS)?;
            self.collect(&batch, &near, &|_| 0, stop)?;
        }
        Ok(())
    }

    /// Compares all keys of nominated videos with the queries in the orientations and near the
    /// times that nominate them.
    fn compare_nominees<'n>(
        &mut self,
        nominated: &Nominated,
        nominees: impl Iterator<Item = &'n Nominee>,
        stop: &dyn Fn() -> Result<()>,
    ) -> Result<()> {
        let (clip, queries) = (self.clip, self.queries);
        for nominee in nominees {
            let is_candidate = |i: &usize| {
                let (orientation, key) = queries.of[*i];
                let time = clip.keyframes[clip.keys[key].keyframe as usize]
                    .time
                    .as_secs_f32();
                nominee.orientations.contains(&orientation) && nominee.is_near(time)
            };
            for batch in queries.batches((0..queries.of.len()).filter(is_candidate)) {
                stop()?;
                let near = self.index.near_in(nominee.video, &batch.keys, RADIUS)?;
                self.collect(&batch, &near, &|key| nominated.videos_of(key), stop)?;
            }
        }
        Ok(())
    }

    /// The hits; `exact` says whether all keys were compared.
    fn done(self, exact: bool) -> Hits {
        // The search is not exact if hits were dropped.
        let is_complete = self.found.per_key == HITS_PER_KEY;
        let mut hits = self.found.hits;
        hits.sort_by_key(|hit| (hit.video, hit.orientation, hit.clip_key, hit.reference_key));
        Hits {
            hits,
            exact: exact && is_complete,
        }
    }

    /// Collects the hits of one batch. `videos` gives the number of videos in which the screening
    /// found a key.
    fn collect(
        &mut self,
        batch: &Batch,
        near: &[Neighbour],
        videos: &dyn Fn(&Key) -> u32,
        stop: &dyn Fn() -> Result<()>,
    ) -> Result<()> {
        for (number, &i) in batch.indices.iter().enumerate() {
            if number.is_multiple_of(HITS_AT_A_TIME) {
                stop()?;
            }
            let query = self.queries.keys[i];
            let of_query = near_to(&query, &batch.keys, near);
            if !of_query.is_empty() {
                let hits = self.hits_of(i, query, of_query, videos(&query))?;
                self.found.push(hits);
            }
        }
        Ok(())
    }

    /// The hits of one query, at most [`HITS_PER_KEY`] and [`HITS_PER_VIDEO`], nearest first.
    fn hits_of(
        &mut self,
        i: usize,
        query: Key,
        neighbours: &[Neighbour],
        videos: u32,
    ) -> Result<Vec<Hit>> {
        let (orientation, clip_key) = self.queries.of[i];
        let of_clip = &self.clip.keys[clip_key];
        let mut found = Vec::new();
        for neighbour in neighbours {
            let run = self.index.run(neighbour.video, neighbour.run)?;
            if run.kind != of_clip.kind {
                continue;
            }
            let next = self.numbers.len() as u32;
            found.push(Hit {
                video: neighbour.video,
                orientation,
                clip_key: clip_key as u32,
                clip_time: self.clip.keyframes[of_clip.keyframe as usize].time,
                clip_place: orientation.place(of_clip.place, self.clip.aspect()),
                reference_key: *self
                    .numbers
                    .entry((neighbour.video, neighbour.run))
                    .or_insert(next),
                reference_first: run.first,
                reference_last: run.last,
                reference_place: run.place,
                recurs: of_clip.recurs || run.recurs,
                pair: Pair {
                    clip: query,
                    reference: run.key,
                    kind: run.kind,
                    distance: neighbour.distance,
                    distinctive: false,
                    videos: 1,
                },
            });
        }
        let here = found
            .iter()
            .map(|hit| hit.video)
            .collect::<HashSet<_>>()
            .len() as u32;
        found
            .iter_mut()
            .for_each(|hit| hit.pair.videos = here.max(videos));
        found.sort_by_key(|hit| {
            (
                hit.pair.distance,
                hit.video,
                hit.reference_first,
                hit.reference_key,
            )
        });
        let mut of_video: HashMap<VideoRef, usize> = HashMap::new();
        found.retain(|hit| {
            let count = of_video.entry(hit.video).or_default();
            *count += 1;
            *count <= HITS_PER_VIDEO
        });
        found.truncate(HITS_PER_KEY);
        Ok(found)
    }
}

/// The queries of a search: numbers of clip keys, each in an orientation.
#[derive(Debug)]
struct Queries {
    of: Vec<(Orientation, usize)>,
    /// The key of each query.
    keys: Vec<Key>,
}

/// Sorts and deduplicates keys.
fn distinct(keys: impl Iterator<Item = Key>) -> Vec<Key> {
    let mut keys: Vec<Key> = keys.collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// The neighbours of one key; `queries` are sorted, and `near` is in their order.
fn near_to<'a>(key: &Key, queries: &[Key], near: &'a [Neighbour]) -> &'a [Neighbour] {
    let Ok(of) = queries.binary_search(key) else {
        return &[];
    };
    let from = near.partition_point(|near| (near.query as usize) < of);
    let of_query = &near[from..];
    &of_query[..of_query.partition_point(|near| near.query as usize == of)]
}

/// A batch of queries.
#[derive(Debug)]
struct Batch {
    /// Indices into [`Queries::of`].
    indices: Vec<usize>,
    /// Their keys, sorted and deduplicated: static footage repeats them.
    keys: Vec<Key>,
}

impl Queries {
    fn of(
        clip: &Fingerprint,
        keys: Range<usize>,
        orientations: &[(Orientation, Share)],
    ) -> Queries {
        let of = select(clip, keys, orientations);
        let keys = of
            .iter()
            .map(|&(orientation, key)| orientation.key(&clip.keys[key]))
            .collect();
        Queries { of, keys }
    }

    fn batch(&self, indices: Vec<usize>) -> Batch {
        let keys = distinct(indices.iter().map(|&i| self.keys[i]));
        Batch { indices, keys }
    }

    /// Splits queries, by their indices, into batches of [`QUERIES_AT_A_TIME`].
    fn batches(&self, indices: impl Iterator<Item = usize>) -> impl Iterator<Item = Batch> {
        let indices: Vec<usize> = indices.collect();
        let batches: Vec<Vec<usize>> = indices
            .chunks(QUERIES_AT_A_TIME)
            .map(<[usize]>::to_vec)
            .collect();
        batches.into_iter().map(|batch| self.batch(batch))
    }
}

/// Hits in the order of the search, so that those of one query are adjacent. Beyond [`HITS_MAX`]
/// hits, the maximum for each query is halved.
struct Bounded {
    hits: Vec<Hit>,
    per_key: usize,
    max: usize,
}

impl Default for Bounded {
    fn default() -> Bounded {
        Bounded {
            hits: Vec::new(),
            per_key: HITS_PER_KEY,
            max: HITS_MAX,
        }
    }
}

impl Bounded {
    /// Adds the hits of one query, nearest first.
    fn push(&mut self, of_key: Vec<Hit>) {
        self.hits.extend(of_key.into_iter().take(self.per_key));
        while self.hits.len() > self.max && self.per_key > 1 {
            self.per_key /= 2;
            let (kept, mut last, mut count) = (self.per_key, None, 0);
            self.hits.retain(|hit| {
                let key = Some((hit.orientation, hit.clip_key));
                count = if key == last { count + 1 } else { 1 };
                last = key;
                count <= kept
            });
        }
    }
}

/// The queries for a range of the clip's keys.
fn select(
    clip: &Fingerprint,
    keys: Range<usize>,
    orientations: &[(Orientation, Share)],
) -> Vec<(Orientation, usize)> {
    let mut selected = Vec::new();
    for &(orientation, share) in orientations {
        if share == Share::All {
            let wanted = |key: &usize| !has_long_been_still(clip, clip.keys[*key].keyframe);
            selected.extend(keys.clone().filter(wanted).map(|key| (orientation, key)));
            continue;
        }
        let mut number = keys.start;
        for of_keyframe in clip.keys[keys.clone()].chunk_by(|a, b| a.keyframe == b.keyframe) {
            let keyframe = of_keyframe[0].keyframe;
            if keyframe.is_multiple_of(STRONGEST_STEP) && !has_long_been_still(clip, keyframe) {
                let of_kind = |kind| {
                    (number..)
                        .zip(of_keyframe)
                        .filter(move |(_, key)| key.kind == kind && !key.fine)
                };
                let global_keys =
                    of_kind(KeyKind::Whole).filter(|_| orientation.warp == Warp::None);
                let regions = of_kind(KeyKind::Region).take(STRONGEST_REGIONS);
                selected.extend(
                    global_keys
                        .chain(regions)
                        .map(|(key, _)| (orientation, key)),
                );
            }
            number += of_keyframe.len();
        }
    }
    selected
}

/// Whether a keyframe of a long static part can be skipped: the frame has stood still for
/// [`STILL_FOR`], and another keyframe of the same [`STILL_EVERY`] comes before.
fn has_long_been_still(clip: &Fingerprint, keyframe: u32) -> bool {
    let keyframe = keyframe as usize;
    let Keyframe {
        time, still_since, ..
    } = clip.keyframes[keyframe];
    let turn = |time: Duration| time.as_millis() / STILL_EVERY.as_millis();
    time.saturating_sub(still_since) >= STILL_FOR
        && keyframe > 0
        && turn(clip.keyframes[keyframe - 1].time) == turn(time)
}

/// Time without motion after which fewer keyframes are looked up.
const STILL_FOR: Duration = Duration::from_secs(10);

/// Interval of the keyframes that are then looked up: short enough for one alignment to continue.
const STILL_EVERY: Duration = Duration::from_secs(2);

/// Step between the keyframes whose strongest keys are looked up.
const STRONGEST_STEP: u32 = 2;

/// Number of regions of a keyframe that count as its strongest.
pub const STRONGEST_REGIONS: usize = 20;

#[cfg(test)]
mod testing {
    use std::time::Duration;

    use crate::fingerprint::{
        ClipKey, Content, Fingerprint, Key, KeyKind, Keyframe, Motion, Place,
    };
    use crate::media::StreamInfo;

    /// A clip with four keyframes a second and `regions` regions each.
    pub(super) fn clip(keyframes: u32, regions: u32) -> Fingerprint {
        let time = |number: u32| Duration::from_millis(250 * u64::from(number));
        let keyframe = |number| Keyframe {
            time: time(number),
            content: Content::Searchable,
            still_since: time(number),
            cut: false,
            repeats: false,
            panned: false,
        };
        let key = |number: u32| ClipKey {
            fine: false,
            keyframe: number / regions,
            kind: KeyKind::Region,
            place: Place::default(),
            key: Key::default(),
            mirrored: Key::default(),
            warped: [Key::default(); crate::fingerprint::Warp::ALL.len()],
            recurs: false,
        };
        Fingerprint {
            path: String::new(),
            sha256: [0; 32],
            info: StreamInfo {
                width: 640,
                height: 360,
                codec: String::new(),
                container: String::new(),
                pixel_format: String::new(),
                declared: None,
            },
            duration: time(keyframes),
            interval: time(1),
            frames: 1,
            undecoded: vec![],
            keyframes: (0..keyframes).map(keyframe).collect(),
            keys: (0..regions * keyframes).map(key).collect(),
            motion: Motion::default(),
            pictures: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_hits_leave_each_key_its_nearest() {
        let hit = |clip_key: u32, distance: u32| Hit {
            video: VideoRef {
                segment: 0,
                video: 0,
            },
            orientation: Orientation::UPRIGHT,
            clip_key,
            clip_time: Duration::ZERO,
            clip_place: Place::default(),
            reference_key: distance,
            reference_first: Duration::ZERO,
            reference_last: Duration::ZERO,
            reference_place: Place::default(),
            recurs: false,
            pair: Pair {
                clip: Key::default(),
                reference: Key::default(),
                kind: KeyKind::Region,
                distance,
                distinctive: false,
                videos: 1,
            },
        };
        let mut found = Bounded {
            max: 100,
            ..Bounded::default()
        };
        for key in 0..30 {
            found.push((0..10).map(|distance| hit(key, distance)).collect());
        }
        assert!(
            (50..=100).contains(&found.hits.len()),
            "{}",
            found.hits.len()
        );
        for of_key in found.hits.chunk_by(|a, b| a.clip_key == b.clip_key) {
            let distances: Vec<u32> = of_key.iter().map(|hit| hit.pair.distance).collect();
            assert_eq!(distances, (0..distances.len() as u32).collect::<Vec<_>>());
        }
        let keys: HashSet<u32> = found.hits.iter().map(|hit| hit.clip_key).collect();
        assert_eq!(keys.len(), 30);
    }

    #[test]
    fn a_warped_clip_looks_up_strong_regions_of_every_second_keyframe_and_a_turned_one_global_keys_too()
     {
        // Three keyframes, each with a global key and 25 regions.
        let mut clip = testing::clip(3, 26);
        clip.keys
            .iter_mut()
            .step_by(26)
            .for_each(|key| key.kind = KeyKind::Whole);
        let warped = Orientation::warped().next().unwrap_or_default();
        let turned = Orientation {
            turns: 2,
            ..Orientation::UPRIGHT
        };
        let wanted = [
            (Orientation::MIRRORED, Share::All),
            (warped, Share::Strongest),
            (turned, Share::Strongest),
        ];
        let selected = select(&clip, 26..78, &wanted);
        let of = |wanted: Orientation| -> Vec<usize> {
            selected
                .iter()
                .filter(|(orientation, _)| *orientation == wanted)
                .map(|(_, key)| *key)
                .collect()
        };
        assert_eq!(of(Orientation::MIRRORED), (26..78).collect::<Vec<_>>());
        // The second keyframe starts at key 26; the global key of the third is its first key.
        assert_eq!(of(warped), (53..73).collect::<Vec<_>>());
        assert_eq!(of(turned), (52..73).collect::<Vec<_>>());
    }
}
