//! Alignments of synthetic keys: each edit must be recovered.

use std::time::Duration;

use super::refinement::{REFINEMENT_BITS, REFINEMENT_GAIN};
use super::*;
use crate::evidence::Pair;
use crate::fingerprint::{
    ClipKey, Content, Key, KeyKind, Keyframe, Motion, Orientation, PictureTrack, Place, Run, Warp,
};
use crate::media::StreamInfo;

const REFERENCE_SECONDS: u32 = 40;
const ASPECT: f32 = 16.0 / 9.0;

/// Pseudo-random numbers, the same on every run.
pub(super) struct Random(pub(super) u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(0x5851_f42d_4c95_7f2d)
            .wrapping_add(0x1405_7b7e_f767_814f);
        let mixed = (self.0 ^ (self.0 >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^ (mixed >> 29)
    }

    fn unit(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1 << 24) as f32
    }

    fn key(&mut self) -> Key {
        Key(std::array::from_fn(|_| self.bits()))
    }

    /// The key with some bits flipped.
    fn noisy(&mut self, key: Key, flips: u32) -> Key {
        let mut noisy = key;
        for _ in 0..flips {
            let bit = self.bits() % 256;
            noisy.0[(bit / 64) as usize] ^= 1 << (bit % 64);
        }
        noisy
    }
}

/// Ten distinctive keys a second, and eight that stay for the whole reference.
pub(super) fn reference(random: &mut Random) -> Vec<Run> {
    reference_of(random, REFERENCE_SECONDS)
}

fn reference_of(random: &mut Random, seconds: u32) -> Vec<Run> {
    let second = |s: u32| Duration::from_secs(s.into());
    let mut runs = Vec::new();
    for number in 0..seconds * 10 + 8 {
        let stays = number < 8;
        let (first, last) = if stays {
            (second(0), second(seconds))
        } else {
            (second((number - 8) / 10), second((number - 8) / 10))
        };
        let place = Place {
            x: ASPECT * random.unit(),
            y: random.unit(),
            size: 0.2 + 0.3 * random.unit(),
        };
        runs.push(Run {
            key: random.key(),
            kind: KeyKind::Region,
            place,
            first,
            last,
            recurs: stays,
        });
    }
    runs.sort_by_key(|run| (run.first, run.last));
    runs
}

/// The edit that makes a clip of the reference.
#[derive(Clone, Copy)]
pub(super) struct Edit {
    pub(super) from: f32,
    pub(super) seconds: f32,
    pub(super) speed: f32,
    pub(super) mirrored: bool,
    /// Maps the clip to the reference.
    pub(super) geometry: Similarity,
    /// Whether the clip has the distinctive keys, or only those that stay.
    pub(super) moments: bool,
}

pub(super) const PLAIN: Edit = Edit {
    from: 12.0,
    seconds: 10.0,
    speed: 1.0,
    mirrored: false,
    geometry: Similarity {
        scale: 1.0,
        x: 0.0,
        y: 0.0,
    },
    moments: true,
};

pub(super) fn clip(runs: &[Run], edit: Edit, random: &mut Random) -> Fingerprint {
    let mut keyframes = Vec::new();
    let mut keys = Vec::new();
    for number in 0..(edit.seconds * 4.0) as u32 {
        let time = Duration::from_millis(250 * u64::from(number));
        keyframes.push(Keyframe {
            time,
            content: Content::Searchable,
            still_since: time,
            cut: false,
            repeats: false,
            panned: false,
        });
        let shown = edit.from + edit.speed * time.as_secs_f32();
        for run in runs {
            let near =
                run.first.as_secs_f32() - 0.3 <= shown && shown <= run.last.as_secs_f32() + 0.3;
            if !near || !(run.recurs || edit.moments) {
                continue;
            }
            let back = |reference: f32, offset: f32| (reference - offset) / edit.geometry.scale;
            let x = back(run.place.x, edit.geometry.x);
            let place = Place {
                x: if edit.mirrored { ASPECT - x } else { x } + 0.01 * random.unit(),
                y: back(run.place.y, edit.geometry.y) + 0.01 * random.unit(),
                size: run.place.size / edit.geometry.scale * (0.95 + 0.1 * random.unit()),
            };
            let (noisy, other) = (random.noisy(run.key, 25), random.key());
            let (key, mirrored) = if edit.mirrored {
                (other, noisy)
            } else {
                (noisy, other)
            };
            keys.push(ClipKey {
                fine: false,
                keyframe: number,
                kind: KeyKind::Region,
                place,
                key,
                mirrored,
                warped: [other; Warp::ALL.len()],
                recurs: run.recurs,
            });
        }
    }
    Fingerprint {
        keyframes,
        keys,
        ..still_clip(edit.seconds)
    }
}

/// A clip with only a length.
pub(super) fn still_clip(seconds: f32) -> Fingerprint {
    Fingerprint {
        path: String::new(),
        sha256: [0; 32],
        info: StreamInfo {
            width: 1600,
            height: 900,
            codec: String::new(),
            container: String::new(),
            pixel_format: String::new(),
            declared: None,
        },
        duration: Duration::from_secs_f32(seconds),
        interval: Duration::from_millis(250),
        frames: 250,
        undecoded: vec![],
        keyframes: vec![],
        keys: vec![],
        motion: Motion::default(),
        pictures: Vec::new(),
    }
}

/// The correspondences of an exhaustive search.
fn hits(runs: &[Run], clip: &Fingerprint) -> Vec<Hit> {
    let mut hits = Vec::new();
    for orientation in Orientation::USUAL {
        for (clip_key, key) in clip.keys.iter().enumerate() {
            let bits = orientation.key(key);
            for (number, run) in runs
                .iter()
                .enumerate()
                .filter(|(_, run)| run.key.distance(bits) <= 72)
            {
                hits.push(Hit {
                    video: VideoRef {
                        segment: 0,
                        video: 0,
                    },
                    orientation,
                    clip_key: clip_key as u32,
                    clip_time: clip.keyframes[key.keyframe as usize].time,
                    clip_place: orientation.place(key.place, ASPECT),
                    reference_key: number as u32,
                    reference_first: run.first,
                    reference_last: run.last,
                    reference_place: run.place,
                    recurs: run.recurs || key.recurs,
                    pair: Pair {
                        clip: bits,
                        reference: run.key,
                        kind: KeyKind::Region,
                        distance: run.key.distance(bits),
                        distinctive: false,
                        videos: 1,
                    },
                });
            }
        }
    }
    hits
}

fn aligned(runs: &[Run], clip: &Fingerprint) -> Vec<Alignment> {
    let length = runs.iter().map(|run| run.last).max().unwrap_or_default();
    within(
        &hits(runs, clip),
        runs,
        length,
        clip,
        Span {
            start: Duration::ZERO,
            end: clip.duration,
        },
    )
}

/// The alignments of a part of a clip, strongest first.
fn within(
    hits: &[Hit],
    runs: &[Run],
    length: Duration,
    clip: &Fingerprint,
    window: Span,
) -> Vec<Alignment> {
    let corpus = Corpus {
        keys: 1 << 20,
        interval: Duration::from_secs(1),
        stop: &|| false,
    };
    let track = Track {
        runs: runs.to_vec(),
        motion: Motion::default(),
        pictures: PictureTrack::default(),
    };
    let mut found = align_reference(hits, track, length, clip, window, &corpus);
    assert!(
        found.is_empty() || is_promising(hits, &corpus),
        "a track that is never read has an alignment"
    );
    sort(&mut found);
    found
}

/// The strongest alignment of an edited clip, after checking that it recovers the edit.
fn recovered(edit: Edit) -> Alignment {
    let mut random = Random(7);
    let runs = reference(&mut random);
    let clip = clip(&runs, edit, &mut random);
    let best = aligned(&runs, &clip)
        .into_iter()
        .next()
        .expect("an alignment");
    let near = |found: Duration, expected: f32, tolerance: f32| {
        (found.as_secs_f32() - expected).abs() <= tolerance
    };
    assert!(
        near(best.clip.start, 0.0, 0.5) && near(best.clip.end, edit.seconds, 0.5),
        "{best:?}"
    );
    let end = edit.from + edit.speed * edit.seconds;
    assert!(
        near(best.reference.start, edit.from, 0.7) && near(best.reference.end, end, 0.7),
        "{best:?}"
    );
    assert!((best.speed / edit.speed - 1.0).abs() < 0.04, "{best:?}");
    assert!(
        (best.geometry.scale / edit.geometry.scale - 1.0).abs() < 0.05,
        "{best:?}"
    );
    assert!((best.geometry.x - edit.geometry.x).abs() < 0.08, "{best:?}");
    assert_eq!(
        best.orientation,
        Orientation {
            mirrored: edit.mirrored,
            ..Orientation::UPRIGHT
        }
    );
    assert!(best.consistency.bits() > 11.0, "{best:?}");
    best
}

#[test]
fn a_plain_excerpt_is_found_where_it_was_cut() {
    let best = recovered(PLAIN);
    assert!(best.evidence.distinctive > 500.0, "{best:?}");
    assert!(best.key_recall > 0.7, "{best:?}");
}

#[test]
fn crop_shrink_mirror_and_speed_are_recovered() {
    let crop = Similarity {
        scale: 0.6,
        x: 0.3,
        y: 0.2,
    };
    recovered(Edit {
        geometry: crop,
        ..PLAIN
    });
    // The reference shrunk into a corner of the clip: a detail is larger in the reference.
    recovered(Edit {
        geometry: Similarity {
            scale: 2.0,
            x: -1.5,
            y: -0.9,
        },
        ..PLAIN
    });
    recovered(Edit {
        mirrored: true,
        ..PLAIN
    });
    recovered(Edit {
        speed: 1.25,
        ..PLAIN
    });
    recovered(Edit {
        speed: 0.8,
        mirrored: true,
        geometry: crop,
        ..PLAIN
    });
}

#[test]
fn the_keys_determine_the_speed() {
    let mut random = Random(7);
    let runs = reference(&mut random);
    let track = ReferenceTrack::new(runs.clone(), Motion::default());
    for speed in [0.5, 0.8, 1.0, 2.0] {
        let clip = clip(&runs, Edit { speed, ..PLAIN }, &mut random);
        let (orientation, geometry) = (Orientation::UPRIGHT, &PLAIN.geometry);
        let candidate = CandidatePair {
            clip: &clip,
            track: &track,
            orientation,
            geometry,
        };
        // The voted speed is another one.
        let moments = candidate.best_moments((0.0, PLAIN.seconds), (0.0, REFERENCE_SECONDS as f32));
        let tried: Vec<f32> = candidate::speeds().chain([1.3, -1.0]).collect();
        let hypotheses = CandidatePair::likeliest(&moments, &tried, (0.0, PLAIN.seconds), 6);
        let best = hypotheses[0];
        let off = |time: f32| (best.at(time) - PLAIN.from - speed * time).abs();
        assert!(
            off(0.0) < 0.8 && off(PLAIN.seconds) < 0.8,
            "{speed}: {hypotheses:?}"
        );
        let timed = |temporal: TemporalHypothesis| {
            candidate
                .temporal_consistency(temporal, (0.0, PLAIN.seconds))
                .bits()
        };
        let wrong = TemporalHypothesis {
            speed: 1.3,
            offset: PLAIN.from,
        };
        assert!(
            timed(best) > timed(wrong) + REFINEMENT_GAIN + REFINEMENT_BITS,
            "{speed}: {} {}",
            timed(best),
            timed(wrong)
        );
    }
}

#[test]
fn static_keys_are_evidence_for_the_scene_alone() {
    let mut random = Random(9);
    let runs = reference(&mut random);
    let clip = clip(
        &runs,
        Edit {
            moments: false,
            ..PLAIN
        },
        &mut random,
    );
    let best = aligned(&runs, &clip).into_iter().next().expect("the scene");
    assert!(
        best.evidence.total > 100.0 && best.evidence.distinctive == 0.0,
        "{best:?}"
    );
}

#[test]
fn unrelated_keys_align_to_nothing() {
    let mut random = Random(11);
    let (runs, other) = (reference(&mut random), reference(&mut random));
    let clip = clip(&other, PLAIN, &mut random);
    assert_eq!(aligned(&runs, &clip), []);
}

fn one_after_the_other(segments: &[Fingerprint]) -> Fingerprint {
    let mut whole = still_clip(0.0);
    for segment in segments {
        let (start, shift) = (whole.duration, whole.keyframes.len() as u32);
        let later = |k: &Keyframe| Keyframe {
            time: k.time + start,
            still_since: k.still_since + start,
            ..*k
        };
        whole.keyframes.extend(segment.keyframes.iter().map(later));
        whole.keys.extend(segment.keys.iter().map(|key| ClipKey {
            keyframe: key.keyframe + shift,
            ..*key
        }));
        whole.duration += segment.duration;
    }
    whole
}

#[test]
fn segments_along_a_slanted_line_are_separate_alignments() {
    let mut random = Random(19);
    let runs = reference(&mut random);
    // The first and the last segment lie within half a second of one line at two thirds of the
    // speed.
    let segments = [(10.0, 2.0), (16.0, 2.0), (12.0, 4.0)];
    let made = segments.map(|(from, seconds)| {
        clip(
            &runs,
            Edit {
                from,
                seconds,
                ..PLAIN
            },
            &mut random,
        )
    });
    let mut found = aligned(&runs, &one_after_the_other(&made));
    found.retain(|alignment| alignment.evidence.distinctive > 60.0);
    found.sort_by_key(|alignment| alignment.clip.start);
    assert_eq!(found.len(), 3, "{found:?}");
    let mut start = 0.0;
    for (alignment, (from, seconds)) in found.iter().zip(segments) {
        let ends = |span: Span| [span.start.as_secs_f32(), span.end.as_secs_f32()];
        let expected = [
            (ends(alignment.clip), start),
            (ends(alignment.reference), from),
        ];
        assert!(
            expected.iter().all(
                |(ends, at)| (ends[0] - at).abs() < 0.6 && (ends[1] - at - seconds).abs() < 0.6
            )
        );
        assert!(
            alignment.speed == 1.0 && alignment.segmented,
            "{alignment:?}"
        );
        start += seconds;
    }
}

/// The intervals of a clip with distinctive alignments, each with the offset of the reference.
fn covered(found: &[Alignment]) -> Vec<[f32; 3]> {
    let mut parts: Vec<[f32; 3]> = found
        .iter()
        .filter(|alignment| alignment.evidence.distinctive > 60.0)
        .map(|alignment| {
            let [start, end, reference] = [
                alignment.clip.start,
                alignment.clip.end,
                alignment.reference.start,
            ]
            .map(|time| time.as_secs_f32());
            [start, end, reference - start]
        })
        .collect();
    parts.sort_by(|a, b| a[0].total_cmp(&b[0]));
    parts
}

/// The same clip, with one matching frame a second.
fn sparse(mut clip: Fingerprint, random: &mut Random) -> Fingerprint {
    clip.keys
        .iter_mut()
        .filter(|key| key.keyframe % 4 != 0)
        .for_each(|key| key.key = random.key());
    clip
}

#[test]
fn a_long_copy_with_another_moment_in_its_middle_is_found_in_full() {
    // The segment in the middle is fifteen seconds later, and so long that the first hypothesis has
    // little or no support in the searched part.
    for (start, end) in [
        (35.0, 65.0),
        (35.0, 62.0),
        (35.0, 61.0),
        (35.0, 60.0),
        (37.0, 65.0),
        (39.0, 65.0),
        (40.0, 66.0),
    ] {
        for sparsely in [false, true] {
            let mut random = Random(23);
            let runs = reference_of(&mut random, 140);
            let segments = [
                (4.0, start),
                (start + 19.0, end - start),
                (end + 4.0, 100.0 - end),
            ];
            let made = segments.map(|(from, seconds)| {
                let made = clip(
                    &runs,
                    Edit {
                        from,
                        seconds,
                        ..PLAIN
                    },
                    &mut random,
                );
                if sparsely {
                    sparse(made, &mut random)
                } else {
                    made
                }
            });
            let found = aligned(&runs, &one_after_the_other(&made));
            let parts = covered(&found);
            let expected = [[0.0, start, 4.0], [start, end, 19.0], [end, 100.0, 4.0]];
            for part in expected {
                let near =
                    |other: &&[f32; 3]| other.iter().zip(part).all(|(a, b)| (a - b).abs() < 0.8);
                assert_eq!(
                    parts.iter().filter(near).count(),
                    1,
                    "{part:?} of {parts:?}"
                );
            }
            assert_eq!(parts.len(), expected.len(), "{parts:?}");
            // The segment in the middle pays the selection penalty, though its half minute contains
            // no other segment.
            let chosen = found
                .iter()
                .filter(|alignment| alignment.consistency.selection_penalty > 0.0);
            assert!(
                chosen.clone().count() == 1 && chosen.clone().all(|alignment| alignment.segmented),
                "{found:?}"
            );
        }
    }
}

/// The same clip, with each key a given number of bits away from the reference's, depending on
/// frame and key.
fn away(
    mut clip: Fingerprint,
    runs: &[Run],
    mut bits: impl FnMut(u32, &Run) -> u32,
    random: &mut Random,
) -> Fingerprint {
    for key in &mut clip.keys {
        let shown = runs
            .iter()
            .min_by_key(|run| run.key.distance(key.key))
            .expect("a key of the reference");
        let bits = bits(key.keyframe, shown);
        key.key = shown.key;
        while key.key.distance(shown.key) < bits {
            key.key = random.noisy(key.key, 1);
        }
    }
    clip
}

/// Beyond the search radius, but within that of guided matching.
const BEYOND_SEARCH: u32 = 74;

#[test]
fn static_keys_do_not_displace_copies_on_either_side() {
    for stays in [1, 2, 8] {
        let mut random = Random(23);
        let mut left = stays;
        let mut runs = reference_of(&mut random, 140);
        runs.retain(|run| {
            left -= i32::from(run.recurs);
            !run.recurs || left >= 0
        });
        // Only the keys that stay support another hypothesis in the middle, and they are in the
        // whole clip.
        let segments = [(4.0, 35.0), (54.0, 30.0), (69.0, 35.0)];
        let [before, middle, after] = segments.map(|(from, seconds)| {
            clip(
                &runs,
                Edit {
                    from,
                    seconds,
                    ..PLAIN
                },
                &mut random,
            )
        });
        let middle = away(
            middle,
            &runs,
            |_, run| if run.recurs { 40 } else { BEYOND_SEARCH },
            &mut random,
        );
        let parts = covered(&aligned(
            &runs,
            &one_after_the_other(&[before, middle, after]),
        ));
        for outer in [[0.0, 35.0, 4.0], [65.0, 100.0, 4.0]] {
            let holds = |part: &[f32; 3]| {
                part[0] < outer[0] + 0.8 && part[1] > outer[1] - 0.8 && (part[2] - 4.0).abs() < 0.8
            };
            assert!(parts.iter().any(holds), "{stays}: {outer:?} of {parts:?}");
        }
    }
}

#[test]
fn a_preferred_hypothesis_without_alignments_displaces_nothing() {
    // For nine seconds, frames fit another time better, almost only by keys beyond the search
    // radius. The first `lead` frames have no other keys.
    for (found, lead) in [None, Some(60), Some(66), Some(70)]
        .into_iter()
        .flat_map(|found| [0, 2, 8].map(|lead| (found, lead)))
    {
        let mut random = Random(41);
        let runs: Vec<Run> = reference(&mut random)
            .into_iter()
            .filter(|run| !run.recurs)
            .collect();
        let [mut second, other] = [12.0, 25.0].map(|from| {
            clip(
                &runs,
                Edit {
                    from,
                    seconds: 9.0,
                    ..PLAIN
                },
                &mut random,
            )
        });
        let mut kept = [0; 36];
        second.keys.retain(|key| {
            if key.keyframe < lead {
                return false;
            }
            kept[key.keyframe as usize] += 1;
            kept[key.keyframe as usize] <= 3
        });
        second = away(second, &runs, |_, _| 60, &mut random);
        // The others are one key in every twelfth frame, or two keys in the first frames.
        let (mut last, mut scrap) = (None, 0);
        let bits = |frame, _: &Run| {
            let first = last.replace(frame) != Some(frame);
            scrap += 1;
            let chosen = if lead > 0 {
                scrap <= 2
            } else {
                first && frame % 12 == 0
            };
            found.filter(|_| chosen).unwrap_or(BEYOND_SEARCH)
        };
        second
            .keys
            .extend(away(other, &runs, bits, &mut random).keys);
        second.keys.sort_by_key(|key| key.keyframe);
        let first = clip(
            &runs,
            Edit {
                from: 2.0,
                seconds: 10.0,
                ..PLAIN
            },
            &mut random,
        );
        let parts = covered(&aligned(&runs, &one_after_the_other(&[first, second])));
        assert!(
            parts.iter().all(|part| (part[2] - 2.0).abs() < 0.3),
            "{found:?} {lead}: {parts:?}"
        );
        let (start, end) = parts
            .iter()
            .fold((f32::MAX, 0.0_f32), |(start, end), part| {
                (start.min(part[0]), end.max(part[1]))
            });
        let length: f32 = parts.iter().map(|part| part[1] - part[0]).sum();
        let gap = if lead > 0 { 1.5 } else { 0.0 };
        assert!(
            start < 0.3 && end > 18.7 && length > 18.7 - gap,
            "{found:?} {lead}: {parts:?}"
        );
    }
}

#[test]
fn distinctive_evidence_is_reported_as_superseded_if_a_better_fit_has_no_alignment() {
    let mut random = Random(101);
    let mut runs = reference(&mut random);
    // Static keys stay only until 13 s, and the frames fit those from 19 s on, by keys beyond the
    // search radius.
    runs.iter_mut()
        .filter(|run| run.recurs)
        .for_each(|run| run.last = Duration::from_secs(13));
    let scene = Edit {
        from: 3.0,
        seconds: 9.0,
        moments: false,
        ..PLAIN
    };
    let mut whole = clip(&runs, scene, &mut random);
    let later = clip(
        &runs,
        Edit {
            from: 19.0,
            moments: true,
            ..scene
        },
        &mut random,
    );
    whole
        .keys
        .extend(away(later, &runs, |_, _| BEYOND_SEARCH, &mut random).keys);
    whole.keys.sort_by_key(|key| key.keyframe);
    // After that, one key of each frame matches at its time in the reference.
    let mut last = clip(
        &runs,
        Edit {
            from: 33.0,
            seconds: 4.0,
            ..PLAIN
        },
        &mut random,
    );
    last.keys.dedup_by_key(|key| key.keyframe);
    let last = away(last, &runs, |_, _| 50, &mut random);
    let found = aligned(&runs, &one_after_the_other(&[whole, last]));
    let reported = found
        .iter()
        .find(|alignment| alignment.reference.start > Duration::from_secs(32))
        .expect("the last part");
    assert!(
        reported.evidence.distinctive > 30.0 && reported.superseded,
        "{reported:?}"
    );
}

#[test]
fn two_segments_of_a_reference_in_another_order_are_two_alignments() {
    let mut random = Random(13);
    let runs = reference(&mut random);
    let segments = [25.0, 5.0].map(|from| {
        clip(
            &runs,
            Edit {
                from,
                seconds: 6.0,
                ..PLAIN
            },
            &mut random,
        )
    });
    let first = one_after_the_other(&segments);
    let mut found = aligned(&runs, &first);
    found.retain(|alignment| alignment.evidence.distinctive > 100.0);
    found.sort_by_key(|alignment| alignment.clip.start);
    assert_eq!(found.len(), 2, "{found:?}");
    for (alignment, clip, reference) in [
        (&found[0], [0.0, 6.0], [25.0, 31.0]),
        (&found[1], [6.0, 12.0], [5.0, 11.0]),
    ] {
        let ends = |span: Span| [span.start.as_secs_f32(), span.end.as_secs_f32()];
        for (found, expected) in [
            (ends(alignment.clip), clip),
            (ends(alignment.reference), reference),
        ] {
            assert!(
                found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 0.8),
                "{alignment:?}"
            );
        }
    }
}

#[test]
fn an_alignment_across_two_parts_of_a_clip_is_joined() {
    let mut random = Random(17);
    let runs = reference(&mut random);
    let clip = clip(
        &runs,
        Edit {
            from: 3.0,
            seconds: 30.0,
            ..PLAIN
        },
        &mut random,
    );
    let all = hits(&runs, &clip);
    let half = Duration::from_secs(14);
    let parts = [(Duration::ZERO, half), (half, clip.duration)].map(|(start, end)| {
        let window = Span { start, end };
        let of_part: Vec<Hit> = all
            .iter()
            .filter(|hit| hit.clip_time >= start && hit.clip_time < end)
            .copied()
            .collect();
        within(
            &of_part,
            &runs,
            Duration::from_secs(REFERENCE_SECONDS.into()),
            &clip,
            window,
        )
    });
    let joined = join(parts.into());
    let best = &joined[0];
    assert!(
        best.clip.start.as_secs_f32() < 0.6 && best.clip.end.as_secs_f32() > 29.4,
        "{best:?}"
    );
    assert!(
        (best.reference.end.as_secs_f32() - 33.0).abs() < 0.7,
        "{best:?}"
    );
    assert_eq!(
        joined
            .iter()
            .filter(|alignment| alignment.evidence.distinctive > 100.0)
            .count(),
        1,
        "{joined:?}"
    );
}
