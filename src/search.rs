//! Turns query keys into hits across segments.
//!
//! Every key of the clip, every key of the mirrored clip, and the strongest of the clip turned,
//! tilted, stretched and inverted, is looked up within [`RADIUS`] bits; each run found is a hit:
//! *this place of this moment of the clip looks like that place of that moment of a source*. What
//! the hits mean together is decided later. Before the search, [`sift`] takes out of the clip what
//! it shows of benign material.

mod benign;
mod canaries;
mod nominate;

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::time::Duration;

use crate::error::Result;
use crate::evidence::Pair;
use crate::fingerprint::{Fingerprint, Key, KeyKind, Keyframe, Orientation, Place, Warp};
use crate::index::{Index, Neighbour, SearchMode, VideoRef};

pub use benign::{Sifted, sift};
pub use canaries::{measure, measure_if_due};

/// Hamming distance up to which two keys are a hit, in bits. Bounded by the corpus, not by taste: among 10^9 keys a
/// random key has 9e-4 neighbours within 72 bits, 0.9 within 80 and 1 183 within 90.
pub const RADIUS: u32 = 72;

/// A place and moment of the clip that looks like a place and moment of a source.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// The source.
    pub video: VideoRef,
    /// How the clip was changed before it was searched.
    pub orientation: Orientation,
    /// Number of the clip's key in its fingerprint.
    pub clip_key: u32,
    /// When the clip shows it.
    pub clip_time: Duration,
    /// Where the clip, so changed, shows it.
    pub clip_place: Place,
    /// Number of the source's key, the same for all hits on one run.
    pub reference_key: u32,
    /// First time that the source shows it.
    pub reference_first: Duration,
    /// Last time that the source shows it.
    pub reference_last: Duration,
    /// Where the source shows it.
    pub reference_place: Place,
    /// Whether either of the two looks alike at other times of its own video.
    pub recurs: bool,
    /// The two keys, their distance, and how many videos share them; `moment` is decided by the alignment.
    pub pair: Pair,
}

/// What a search found and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Hits {
    /// Sorted by video, orientation, clip key and reference key.
    pub hits: Vec<Hit>,
    /// Whether every key of the index was compared.
    pub exact: bool,
}

/// Most hits of one key of the clip on one source, the nearest ones: a loop brings the same picture back without end.
pub const HITS_PER_VIDEO: usize = 8;

/// Most hits of one key of the clip, the nearest ones. A key with more is worth ten bits less for its frequency alone.
pub const HITS_PER_KEY: usize = 1000;

/// Most hits of one search: about a gigabyte.
const HITS_MAX: usize = 6_000_000;

/// Keys that are looked up, and keys whose hits are made, before it is asked whether to go on.
const QUERIES_AT_A_TIME: usize = 4096;
const HITS_AT_A_TIME: usize = 64;

/// Which keys of a clip are looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// All of them.
    All,
    /// The whole frame and the [`STRONGEST_REGIONS`] strongest regions of every second keyframe; no whole frame if it is warped.
    Strongest,
}

/// Whether all keys of an index are compared: what that takes of a clip is then less than decoding
/// it.
///
/// A clip looks up some 1 500 keys a second, and [`EXACT_KEYS_MAX`] of them are 5e7 pairs: 0.02 s
/// of a core with AVX2, as decoding a second of 640 x 360 takes. By the index alone, so that every
/// machine decides the same.
pub fn is_exact(index: &Index, mode: SearchMode) -> bool {
    match mode {
        SearchMode::Exact => true,
        SearchMode::Screened => false,
        // Nor is trusted what nobody has measured, or what misses too much.
        SearchMode::Auto => {
            let recall = index.state().screening_recall;
            index.state().keys <= EXACT_KEYS_MAX || recall.is_none_or(|recall| recall < RECALL_MIN)
        }
    }
}

/// Recall of the screening, 0..=1, below which [`SearchMode::Auto`] compares all keys.
pub const RECALL_MIN: f64 = 0.98;

/// Keys up to which [`SearchMode::Auto`] compares all: some 20 minutes of video.
pub const EXACT_KEYS_MAX: u64 = 32_768;

/// Looks up some of the keys of a clip, by their numbers, in each of the orientations.
///
/// If [exact](is_exact), all keys of the index are compared. If not,
/// [`nominate`](nominate::nominate) says which videos could be shown, and in which orientation, and
/// all keys of these are compared.
///
/// # Errors
/// [`Error::CorruptIndex`](crate::Error::CorruptIndex) if what the search looks at is damaged, and the error of `stop`, which is
/// asked now and then.
pub fn search(
    index: &Index,
    clip: &Fingerprint,
    keys: Range<usize>,
    orientations: &[(Orientation, Share)],
    mode: SearchMode,
    stop: &dyn Fn() -> Result<()>,
) -> Result<Hits> {
    let asked = Asked::of(clip, keys, orientations);
    let mut search = Search { index, clip, asked: &asked, found: Bounded::default(), numbers: HashMap::new() };
    let nominated = if is_exact(index, mode) { None } else { Some(nominate::nominate(index, clip, &asked, stop)?) };
    // Where more videos are nominated than can be looked at one by one, nobody may choose which of
    // them are.
    let nominated = nominated.filter(|nominated| !nominated.is_crowded);
    let exact = nominated.is_none();
    match nominated {
        None => {
            for part in asked.parts(0..asked.of.len()) {
                stop()?;
                let near = index.near(&part.queries, RADIUS)?;
                search.collect(&part, &near, &|_| 0, stop)?;
            }
        }
        Some(nominated) => {
            for nominee in &nominated.videos {
                let shown = |place: &usize| {
                    let (orientation, key) = asked.of[*place];
                    let time = clip.keyframes[clip.keys[key].keyframe as usize].time.as_secs_f32();
                    nominee.orientations.contains(&orientation) && nominee.is_near(time)
                };
                for part in asked.parts((0..asked.of.len()).filter(shown)) {
                    stop()?;
                    let near = index.near_in(nominee.video, &part.queries, RADIUS)?;
                    search.collect(&part, &near, &|key| nominated.videos_of(key), stop)?;
                }
            }
        }
    }
    // Where hits were left out, not all that was compared is told.
    let whole = search.found.per_key == HITS_PER_KEY;
    let mut hits = search.found.hits;
    hits.sort_by_key(|hit| (hit.video, hit.orientation, hit.clip_key, hit.reference_key));
    Ok(Hits { hits, exact: exact && whole })
}

/// A search under way.
struct Search<'a> {
    index: &'a Index,
    clip: &'a Fingerprint,
    asked: &'a Asked,
    found: Bounded,
    numbers: HashMap<(VideoRef, u32), u32>,
}

impl Search<'_> {
    /// Makes the hits of what was found for a part of what is asked. `videos` says in how many
    /// videos a key was found before.
    fn collect(
        &mut self,
        part: &AskedPart,
        near: &[Neighbour],
        videos: &dyn Fn(&Key) -> u32,
        stop: &dyn Fn() -> Result<()>,
    ) -> Result<()> {
        for (number, &place) in part.asked.iter().enumerate() {
            if number.is_multiple_of(HITS_AT_A_TIME) {
                stop()?;
            }
            let query = self.asked.keys[place];
            let of_query = near_to(&query, &part.queries, near);
            if !of_query.is_empty() {
                let hits = self.hits_of(place, query, of_query, videos(&query))?;
                self.found.push(hits);
            }
        }
        Ok(())
    }

    /// The hits of one key of a clip in one orientation, the nearest [`HITS_PER_KEY`] and
    /// [`HITS_PER_VIDEO`].
    fn hits_of(&mut self, place: usize, query: Key, neighbours: &[Neighbour], videos: u32) -> Result<Vec<Hit>> {
        let (orientation, clip_key) = self.asked.of[place];
        let seen = &self.clip.keys[clip_key];
        let mut found = Vec::new();
        for neighbour in neighbours {
            let run = self.index.run(neighbour.video, neighbour.run)?;
            if run.kind != seen.kind {
                continue;
            }
            let next = self.numbers.len() as u32;
            found.push(Hit {
                video: neighbour.video,
                orientation,
                clip_key: clip_key as u32,
                clip_time: self.clip.keyframes[seen.keyframe as usize].time,
                clip_place: orientation.place(seen.place, self.clip.aspect()),
                reference_key: *self.numbers.entry((neighbour.video, neighbour.run)).or_insert(next),
                reference_first: run.first,
                reference_last: run.last,
                reference_place: run.place,
                recurs: seen.recurs || run.recurs,
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
        let here = found.iter().map(|hit| hit.video).collect::<HashSet<_>>().len() as u32;
        found.iter_mut().for_each(|hit| hit.pair.videos = here.max(videos));
        found.sort_by_key(|hit| (hit.pair.distance, hit.video, hit.reference_first, hit.reference_key));
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

/// What of a clip is looked up: keys by their numbers, in orientations.
#[derive(Debug)]
struct Asked {
    of: Vec<(Orientation, usize)>,
    /// The key of each.
    keys: Vec<Key>,
}

/// Keys in order, each once.
fn distinct(keys: impl Iterator<Item = Key>) -> Vec<Key> {
    let mut keys: Vec<Key> = keys.collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// What was found near one of some queries, which are in order; what was found is in their order.
fn near_to<'a>(key: &Key, queries: &[Key], near: &'a [Neighbour]) -> &'a [Neighbour] {
    let Ok(of) = queries.binary_search(key) else { return &[] };
    let from = near.partition_point(|near| (near.query as usize) < of);
    let of_query = &near[from..];
    &of_query[..of_query.partition_point(|near| near.query as usize == of)]
}

/// Some of what is asked.
#[derive(Debug)]
struct AskedPart {
    /// Places in [`Asked::of`].
    asked: Vec<usize>,
    /// Their keys, ascending, each once: what stands still asks the same again and again.
    queries: Vec<Key>,
}

impl Asked {
    fn of(clip: &Fingerprint, keys: Range<usize>, orientations: &[(Orientation, Share)]) -> Asked {
        let of = asked(clip, keys, orientations);
        let keys = of.iter().map(|&(orientation, key)| orientation.key(&clip.keys[key])).collect();
        Asked { of, keys }
    }

    fn part(&self, asked: Vec<usize>) -> AskedPart {
        let queries = distinct(asked.iter().map(|&place| self.keys[place]));
        AskedPart { asked, queries }
    }

    /// What stands at some places, [`QUERIES_AT_A_TIME`].
    fn parts(&self, places: impl Iterator<Item = usize>) -> impl Iterator<Item = AskedPart> {
        let places: Vec<usize> = places.collect();
        let parts: Vec<Vec<usize>> = places.chunks(QUERIES_AT_A_TIME).map(<[usize]>::to_vec).collect();
        parts.into_iter().map(|part| self.part(part))
    }
}

/// Hits in order of the keys that they are of, or of the videos and then of the keys; when there
/// are more than [`HITS_MAX`], each key keeps half as many.
struct Bounded {
    hits: Vec<Hit>,
    per_key: usize,
    most: usize,
}

impl Default for Bounded {
    fn default() -> Bounded {
        Bounded { hits: Vec::new(), per_key: HITS_PER_KEY, most: HITS_MAX }
    }
}

impl Bounded {
    /// Adds the hits of one key, the nearest first.
    fn push(&mut self, of_key: Vec<Hit>) {
        self.hits.extend(of_key.into_iter().take(self.per_key));
        while self.hits.len() > self.most && self.per_key > 1 {
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

/// Which of some keys of a clip, by their numbers, are looked up in which orientation.
fn asked(clip: &Fingerprint, keys: Range<usize>, orientations: &[(Orientation, Share)]) -> Vec<(Orientation, usize)> {
    let mut asked = Vec::new();
    for &(orientation, share) in orientations {
        if share == Share::All {
            let worth = |key: &usize| !has_long_been_still(clip, clip.keys[*key].keyframe);
            asked.extend(keys.clone().filter(worth).map(|key| (orientation, key)));
            continue;
        }
        let mut number = keys.start;
        for of_keyframe in clip.keys[keys.clone()].chunk_by(|a, b| a.keyframe == b.keyframe) {
            let keyframe = of_keyframe[0].keyframe;
            if keyframe.is_multiple_of(STRONGEST_KEYFRAMES) && !has_long_been_still(clip, keyframe) {
                let of_kind = |kind| (number..).zip(of_keyframe).filter(move |(_, key)| key.kind == kind && !key.fine);
                let wholes = of_kind(KeyKind::Whole).filter(|_| orientation.warp == Warp::None);
                let regions = of_kind(KeyKind::Region).take(STRONGEST_REGIONS);
                asked.extend(wholes.chain(regions).map(|(key, _)| (orientation, key)));
            }
            number += of_keyframe.len();
        }
    }
    asked
}

/// Whether a keyframe shows what was asked before: the picture has stood still for [`STILL_FOR`], and it is not the first keyframe
/// of [`STILL_EVERY`].
fn has_long_been_still(clip: &Fingerprint, keyframe: u32) -> bool {
    let keyframe = keyframe as usize;
    let Keyframe { time, still_since, .. } = clip.keyframes[keyframe];
    let turn = |time: Duration| time.as_millis() / STILL_EVERY.as_millis();
    time.saturating_sub(still_since) >= STILL_FOR
        && keyframe > 0
        && turn(clip.keyframes[keyframe - 1].time) == turn(time)
}

/// From when on a picture that stands still is asked more rarely.
const STILL_FOR: Duration = Duration::from_secs(10);

/// How often it is asked then: often enough for one alignment to hold on to it.
const STILL_EVERY: Duration = Duration::from_secs(2);

/// Every how many keyframes of a clip have their strongest keys looked up.
const STRONGEST_KEYFRAMES: u32 = 2;

/// Regions of a keyframe that are its strongest.
pub const STRONGEST_REGIONS: usize = 20;

#[cfg(test)]
mod testing {
    use std::time::Duration;

    use crate::fingerprint::{ClipKey, Content, Fingerprint, Key, KeyKind, Keyframe, Motion, Place};
    use crate::media::StreamInfo;

    /// A clip of four keyframes a second, each with so many regions.
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
            video: VideoRef { segment: 0, video: 0 },
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
        let mut found = Bounded { most: 100, ..Bounded::default() };
        for key in 0..30 {
            found.push((0..10).map(|distance| hit(key, distance)).collect());
        }
        assert!((50..=100).contains(&found.hits.len()), "{}", found.hits.len());
        for of_key in found.hits.chunk_by(|a, b| a.clip_key == b.clip_key) {
            let distances: Vec<u32> = of_key.iter().map(|hit| hit.pair.distance).collect();
            assert_eq!(distances, (0..distances.len() as u32).collect::<Vec<_>>());
        }
        let keys: HashSet<u32> = found.hits.iter().map(|hit| hit.clip_key).collect();
        assert_eq!(keys.len(), 30);
    }

    #[test]
    fn of_a_warped_clip_the_strongest_regions_of_every_second_keyframe_are_asked_and_of_a_turned_one_the_whole_frame_too()
     {
        // Three keyframes, each of a whole frame and 25 regions.
        let mut clip = testing::clip(3, 26);
        clip.keys.iter_mut().step_by(26).for_each(|key| key.kind = KeyKind::Whole);
        let warped = Orientation::warped().next().unwrap_or_default();
        let turned = Orientation { turns: 2, ..Orientation::UPRIGHT };
        let wanted = [(Orientation::MIRRORED, Share::All), (warped, Share::Strongest), (turned, Share::Strongest)];
        let asked = asked(&clip, 26..78, &wanted);
        let of = |wanted: Orientation| -> Vec<usize> {
            asked.iter().filter(|(orientation, _)| *orientation == wanted).map(|(_, key)| *key).collect()
        };
        assert_eq!(of(Orientation::MIRRORED), (26..78).collect::<Vec<_>>());
        // The keyframe from 26 on is the second; the whole frame of the third is its first key.
        assert_eq!(of(warped), (53..73).collect::<Vec<_>>());
        assert_eq!(of(turned), (52..73).collect::<Vec<_>>());
    }
}
