//! Turns hits into alignments consistent in time and geometry (pure).
//!
//! An alignment says: from here to there, the clip shows what the source shows from here to there, at this speed,
//! with this part of the frame. Hits of one source (plain or mirrored) vote: the strongest are tried as seeds; a
//! seed fixes the geometry (a detail's size and position in both frames), and the time line is the offset and speed
//! that most hits of that geometry agree on. What fits is fitted again by least squares, weighed ([`crate::evidence`]),
//! cut where nothing agrees for a while, and taken out; then the rest votes again.
//!
//! A pair of keys speaks for the *moment* only if neither key is seen again, at the same place, two seconds away or
//! more; everything else speaks for the *scene*, which another take from the same tripod shows as well.

use std::collections::HashSet;
use std::time::Duration;

use crate::evidence::{self, Evidence, Pair};
use crate::fingerprint::{Fingerprint, Place};
use crate::index::VideoRef;
use crate::search::Hit;

/// A part of the clip and the part of a source that it looks like.
#[derive(Debug, Clone, PartialEq)]
pub struct Alignment {
    /// The source.
    pub video: VideoRef,
    /// Whether left and right are exchanged.
    pub mirrored: bool,
    /// First and last moment of the clip.
    pub clip: Span,
    /// First and last moment of the source.
    pub reference: Span,
    /// Seconds of the source in a second of the clip, 0.5..=2.
    pub speed: f32,
    /// Takes places in the clip's frame (mirrored, if so) to places in the source's.
    pub geometry: Similarity,
    /// What it is worth.
    pub evidence: Evidence,
    /// Hits that agree.
    pub hits: usize,
    /// How many of the clip's keys in this part found the source.
    pub found: Found,
}

/// From one moment of a video to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

    /// How long it is.
    pub fn length(self) -> Duration {
        self.end.saturating_sub(self.start)
    }
}

/// `reference = scale * clip + (x, y)`, all in frame heights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Similarity {
    /// Size of a detail in the source's frame over its size in the clip's.
    pub scale: f32,
    /// Where the clip's left edge falls.
    pub x: f32,
    /// Where the clip's top edge falls.
    pub y: f32,
}

/// Shares of the clip's keys, 0..=1, that an alignment accounts for.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Found {
    /// Of the keys that look alike at other times.
    pub scene: f32,
    /// Of the keys that do not.
    pub moment: f32,
    /// Keys of the second kind in this part of the clip.
    pub moment_keys: u32,
}

/// Finds all alignments worth [`EVIDENCE_MIN`] bits or more, strongest first.
///
/// `hits` are sorted by video and mirrored, as [`crate::search::search`] gives them; `length` is the length of a
/// source, `interval` the longest time between two of its keyframes, `corpus_keys` the number of keys that were searched.
pub fn align(
    hits: &[Hit],
    clip: &Fingerprint,
    interval: Duration,
    corpus_keys: u64,
    length: impl Fn(VideoRef) -> Duration,
) -> Vec<Alignment> {
    let mut found = Vec::new();
    for group in hits.chunk_by(|a, b| (a.video, a.mirrored) == (b.video, b.mirrored)) {
        let context = Context { clip, interval: interval.as_secs_f32(), corpus_keys, length: length(group[0].video) };
        context.align_group(group, &mut found);
    }
    found.sort_by(|a, b| {
        b.evidence.total.total_cmp(&a.evidence.total).then_with(|| (a.video, a.mirrored).cmp(&(b.video, b.mirrored)))
    });
    found
}

/// Alignments worth less are not given, in bits: fewer than two pairs of keys agree.
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
const ALIGNMENTS_MAX: usize = 12;

/// Steps of the speed that are tried, an octave: neighbouring speeds drift apart by 0.3 s in 10 s.
const SPEED_STEPS: i32 = 12;

/// How far from its seed a time line is looked for at first, in seconds of the clip; it grows as the line is fitted.
const SEED_WINDOW: f32 = 8.0;

/// A part of an alignment that was cut off by a gap counts if it is worth this much by itself, in bits.
const PIECE_MIN: f32 = 12.0;

/// Within this many seconds of the source around the predicted time, hits of an alignment's geometry belong to it.
const SHADOW: f32 = 8.0;

struct Context<'a> {
    clip: &'a Fingerprint,
    interval: f32,
    corpus_keys: u64,
    length: Duration,
}

/// A straight line in time: `reference = speed * clip + offset`, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Line {
    speed: f32,
    offset: f32,
}

impl Line {
    fn at(self, clip: f32) -> f32 {
        self.speed * clip + self.offset
    }

    /// Seconds of the source between what the line predicts and when the source shows the key.
    fn miss(self, vote: &Vote) -> f32 {
        let predicted = self.at(vote.time);
        (vote.first - predicted).max(predicted - vote.last).max(0.0)
    }
}

/// A hit with what voting needs at hand.
#[derive(Debug, Clone, Copy)]
struct Vote {
    hit: usize,
    time: f32,
    first: f32,
    last: f32,
    clip: Place,
    reference: Place,
    weight: f32,
    /// The weight divided among all hits on the same posting: a key that stays on screen votes once in all.
    share: f32,
    recurs: bool,
}

impl Vote {
    fn zoom(&self) -> f32 {
        (self.reference.size / self.clip.size).log2()
    }

    fn fits(&self, geometry: &Similarity) -> bool {
        let x = geometry.scale * self.clip.x + geometry.x;
        let y = geometry.scale * self.clip.y + geometry.y;
        (self.zoom() - geometry.scale.log2()).abs() <= ZOOM_TOLERANCE
            && (x - self.reference.x).hypot(y - self.reference.y) <= SHIFT_TOLERANCE
    }

    fn geometry(&self) -> Similarity {
        let scale = self.reference.size / self.clip.size;
        Similarity { scale, x: self.reference.x - scale * self.clip.x, y: self.reference.y - scale * self.clip.y }
    }
}

impl Context<'_> {
    fn align_group(&self, group: &[Hit], found: &mut Vec<Alignment>) {
        let mut votes = votes(group);
        let least = EVIDENCE_MIN + (self.corpus_keys.max(1) as f32).log2();
        for _ in 0..ALIGNMENTS_MAX {
            if votes.iter().map(|vote| vote.share).sum::<f32>() < least {
                return;
            }
            let Some((geometry, line, inliers)) = self.best(&votes, group) else { return };
            let pieces = self.pieces(&votes, &inliers, group, geometry, line);
            if pieces.is_empty() {
                return;
            }
            // What the alignment explains votes no more: its own hits, and hits of its geometry at its part of
            // the clip that are a little off in time, which slow pictures give.
            let within = |vote: &Vote| {
                pieces.iter().any(|piece| {
                    let margin = TIME_TOLERANCE;
                    vote.time >= piece.clip.start.as_secs_f32() - margin
                        && vote.time <= piece.clip.end.as_secs_f32() + margin
                })
            };
            let explained: HashSet<usize> = inliers.into_iter().collect();
            let kept = votes.iter().enumerate().filter(|(i, vote)| {
                !(explained.contains(i) || within(vote) && vote.fits(&geometry) && line.miss(vote) <= SHADOW)
            });
            votes = kept.map(|(_, vote)| *vote).collect();
            found.extend(pieces);
        }
    }

    /// The geometry and time line with the most evidence, and the votes that fit both.
    fn best(&self, votes: &[Vote], group: &[Hit]) -> Option<(Similarity, Line, Vec<usize>)> {
        let mut order: Vec<usize> = (0..votes.len()).collect();
        order.sort_by(|&a, &b| votes[b].share.total_cmp(&votes[a].share).then(a.cmp(&b)));
        let mut explained = vec![false; votes.len()];
        let mut best: Option<(f32, Similarity, Line, Vec<usize>)> = None;
        let mut tried = 0;
        for seed in order {
            if explained[seed] {
                continue;
            }
            if tried == SEEDS_MAX {
                break;
            }
            tried += 1;
            let (geometry, line, inliers) = self.grow(votes, seed);
            let evidence = self.evidence(votes, &inliers, group, &geometry, line);
            inliers.iter().for_each(|&i| explained[i] = true);
            // Between time lines that explain the scene equally well, the moment decides.
            let worth = evidence.total + evidence.moment.max(0.0);
            if best.as_ref().is_none_or(|(most, ..)| worth > *most) {
                best = Some((worth, geometry, line, inliers));
            }
        }
        best.map(|(_, geometry, line, inliers)| (geometry, line, inliers))
    }

    /// Starts from one vote, finds the time line that most votes of its geometry agree on, and fits both again.
    fn grow(&self, votes: &[Vote], seed: usize) -> (Similarity, Line, Vec<usize>) {
        let start = &votes[seed];
        let mut geometry = start.geometry();
        let alike: Vec<&Vote> =
            votes.iter().filter(|v| (v.time - start.time).abs() <= SEED_WINDOW && v.fits(&geometry)).collect();
        let mut line = time_line(start, &alike);
        let mut inliers = Vec::new();
        let mut window = SEED_WINDOW;
        for _ in 0..FITS {
            let near = |v: &Vote| (v.time - start.time).abs() <= window;
            inliers = (0..votes.len())
                .filter(|&i| near(&votes[i]) && votes[i].fits(&geometry) && line.miss(&votes[i]) <= TIME_TOLERANCE)
                .collect();
            if let Some(better) = fit_geometry(votes, &inliers) {
                geometry = better;
            }
            line = fit_line(votes, &inliers, line);
            window *= 3.0;
        }
        let fitted: Vec<usize> =
            (0..votes.len()).filter(|&i| votes[i].fits(&geometry) && line.miss(&votes[i]) <= TIME_TOLERANCE).collect();
        // A fit may drift off its own seed in odd cases; then what was found before it counts.
        if fitted.is_empty() { (geometry, line, inliers) } else { (geometry, line, fitted) }
    }

    fn evidence(
        &self,
        votes: &[Vote],
        inliers: &[usize],
        group: &[Hit],
        geometry: &Similarity,
        line: Line,
    ) -> Evidence {
        evidence::count(&pairs(votes, inliers, group, geometry, line), self.corpus_keys)
    }

    /// Cuts an alignment where nothing agrees for a while, and keeps the parts that are worth something.
    fn pieces(
        &self,
        votes: &[Vote],
        inliers: &[usize],
        group: &[Hit],
        geometry: Similarity,
        line: Line,
    ) -> Vec<Alignment> {
        let mut ordered = inliers.to_vec();
        ordered.sort_by(|&a, &b| votes[a].time.total_cmp(&votes[b].time).then(a.cmp(&b)));
        let gap = GAP_MAX.max(2.5 * self.interval / line.speed.min(1.0));
        let parts: Vec<&[usize]> = ordered.chunk_by(|&a, &b| votes[b].time - votes[a].time <= gap).collect();
        let alone = parts.len() == 1;
        let mut pieces = Vec::new();
        for part in parts {
            let evidence = self.evidence(votes, part, group, &geometry, line);
            if evidence.total < if alone { EVIDENCE_MIN } else { PIECE_MIN } {
                continue;
            }
            let hit = &group[votes[part[0]].hit];
            let clip = self.extent(votes[part[0]].time, votes[part[part.len() - 1]].time, line);
            let to_reference = |time: Duration| {
                Duration::from_secs_f32(line.at(time.as_secs_f32()).clamp(0.0, self.length.as_secs_f32()))
            };
            pieces.push(Alignment {
                video: hit.video,
                mirrored: hit.mirrored,
                clip,
                reference: Span { start: to_reference(clip.start), end: to_reference(clip.end) },
                speed: line.speed,
                geometry,
                evidence,
                hits: part.len(),
                found: self.found(votes, part, group, clip),
            });
        }
        pieces
    }

    /// From the first to the last hit, and on to where a further keyframe of the source could have been seen: half an
    /// interval, or to the clip's or source's end if that is within one, but never across a cut of the clip.
    fn extent(&self, first: f32, last: f32, line: Line) -> Span {
        let step = self.interval / line.speed;
        let (mut start, mut end) = (first - 0.5 * step, last + 0.5 * step);
        let total = self.clip.duration.as_secs_f32();
        if first - step <= EDGE {
            start = 0.0;
        }
        if last + step >= total - EDGE {
            end = total;
        }
        for pair in self.clip.keyframes.windows(2).filter(|pair| pair[1].cut) {
            let cut = 0.5 * (pair[0].time + pair[1].time).as_secs_f32();
            // A cut within reach is the edge: half an interval is only the expected one.
            if cut <= first && cut >= first - step {
                start = cut;
            }
            if cut > last && cut <= last + step {
                end = cut;
                break;
            }
        }
        let at_zero = -line.offset / line.speed;
        let at_end = (self.length.as_secs_f32() - line.offset) / line.speed;
        let start = start.max(0.0).max((at_zero - TIME_TOLERANCE).min(first));
        let end = end.min(total).min((at_end + TIME_TOLERANCE).max(last));
        Span { start: Duration::from_secs_f32(start.max(0.0)), end: Duration::from_secs_f32(end.max(start.max(0.0))) }
    }

    /// Which share of the clip's keys in this part found the source, by what they speak for.
    fn found(&self, votes: &[Vote], part: &[usize], group: &[Hit], span: Span) -> Found {
        let hit: HashSet<u32> = part.iter().map(|&i| group[votes[i].hit].clip_key).collect();
        let (mut scene, mut moment) = ([0_u32; 2], [0_u32; 2]);
        for (i, key) in self.clip.keys.iter().enumerate() {
            let time = self.clip.keyframes[key.keyframe as usize].time;
            if time < span.start || time > span.end {
                continue;
            }
            let count = if key.recurs { &mut scene } else { &mut moment };
            count[0] += 1;
            count[1] += u32::from(hit.contains(&(i as u32)));
        }
        let share = |[all, found]: [u32; 2]| if all == 0 { 0.0 } else { found as f32 / all as f32 };
        Found { scene: share(scene), moment: share(moment), moment_keys: moment[0] }
    }
}

/// How often geometry and time line are fitted again; the window grows from 8 s to the whole clip of some minutes.
const FITS: usize = 4;

/// A match that begins this near to the clip's start begins at it, in seconds beyond one interval.
const EDGE: f32 = 0.25;

fn votes(group: &[Hit]) -> Vec<Vote> {
    let mut sharing = std::collections::HashMap::new();
    for hit in group {
        *sharing.entry(hit.reference_key).or_insert(0.0_f32) += 1.0;
    }
    let vote = |(i, hit): (usize, &Hit)| {
        let weight = (evidence::weight(&hit.pair) - evidence::WINDOW_BITS).max(0.0);
        Vote {
            hit: i,
            time: hit.clip_time.as_secs_f32(),
            first: hit.reference_first.as_secs_f32(),
            last: hit.reference_last.as_secs_f32(),
            clip: hit.clip_place,
            reference: hit.reference_place,
            weight,
            share: weight / sharing[&hit.reference_key],
            recurs: hit.recurs,
        }
    };
    group.iter().enumerate().map(vote).filter(|vote| vote.weight > 0.0).collect()
}

/// The speed and offset through the seed that the votes agree on most; real time wins a tie.
fn time_line(seed: &Vote, alike: &[&Vote]) -> Line {
    let mut best = (f32::MIN, Line { speed: 1.0, offset: seed.first - seed.time });
    for step in -SPEED_STEPS..=SPEED_STEPS {
        let speed = (step as f32 / SPEED_STEPS as f32 * SPEED_MAX.log2()).exp2();
        let offsets = |vote: &Vote| {
            (vote.first - TIME_TOLERANCE - speed * vote.time, vote.last + TIME_TOLERANCE - speed * vote.time)
        };
        let (low, high) = offsets(seed);
        // Sweep over the offsets at which votes begin and end to count.
        let mut edges: Vec<(f32, f32)> = Vec::new();
        for vote in alike {
            let (from, to) = offsets(vote);
            if from <= high && to >= low {
                edges.push((from.max(low), vote.share));
                edges.push((to.min(high), -vote.share));
            }
        }
        edges.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.total_cmp(&a.1)));
        let mut sum = 0.0;
        for (i, &(offset, share)) in edges.iter().enumerate() {
            sum += share;
            let preferred = sum * if step == 0 { 1.05 } else { 1.0 };
            if share > 0.0 && preferred > best.0 {
                // The middle of the stretch on which this sum holds.
                let until = edges.get(i + 1).map_or(offset, |next| next.0);
                best = (preferred, Line { speed, offset: 0.5 * (offset + until) });
            }
        }
    }
    best.1
}

/// Least squares over size ratios (scale) and centres (position), by weight.
fn fit_geometry(votes: &[Vote], inliers: &[usize]) -> Option<Similarity> {
    if inliers.len() < 3 {
        return None;
    }
    let sum = |value: &dyn Fn(&Vote) -> f32| inliers.iter().map(|&i| votes[i].share * value(&votes[i])).sum::<f32>();
    let total = sum(&|_| 1.0).max(f32::MIN_POSITIVE);
    let (cx, cy) = (sum(&|v| v.clip.x) / total, sum(&|v| v.clip.y) / total);
    let (rx, ry) = (sum(&|v| v.reference.x) / total, sum(&|v| v.reference.y) / total);
    // Two measurements of the scale: how places spread (good when they spread far), and how sizes relate.
    let spread = sum(&|v| (v.clip.x - cx).powi(2) + (v.clip.y - cy).powi(2));
    let joint = sum(&|v| (v.clip.x - cx) * (v.reference.x - rx) + (v.clip.y - cy) * (v.reference.y - ry));
    let by_size = (sum(&Vote::zoom) / total).exp2();
    let trust = total * SIZE_TRUST;
    let scale = (joint + trust * by_size) / (spread + trust);
    let usable = scale.is_finite() && scale > 0.02 && scale < 50.0;
    usable.then_some(Similarity { scale, x: rx - scale * cx, y: ry - scale * cy })
}

/// Weight of the size ratios against the spread of places, as the variance of places (in frame heights squared) at
/// which both say equally much: sizes are known to a tenth, places to a fiftieth of a height.
const SIZE_TRUST: f32 = 0.01;

/// Least squares through the votes that are seen briefly; the speed is fitted when they span enough time.
fn fit_line(votes: &[Vote], inliers: &[usize], line: Line) -> Line {
    let brief: Vec<&Vote> = inliers.iter().map(|&i| &votes[i]).filter(|v| v.last - v.first < MOMENT_GAP).collect();
    let total: f32 = brief.iter().map(|v| v.share).sum();
    if brief.len() < 3 || total <= 0.0 {
        return line;
    }
    let mean = |value: &dyn Fn(&Vote) -> f32| brief.iter().map(|v| v.share * value(v)).sum::<f32>() / total;
    let middle = |v: &Vote| 0.5 * (v.first + v.last);
    let (clip, reference) = (mean(&|v| v.time), mean(&middle));
    let spread = mean(&|v| (v.time - clip).powi(2));
    let joint = mean(&|v| (v.time - clip) * (middle(v) - reference));
    // Below this spread the slope of a line through points half a second off says nothing.
    let speed = if spread > SLOPE_SPREAD { joint / spread } else { line.speed };
    let speed = if (speed / line.speed).log2().abs() <= 0.15 { speed } else { line.speed };
    let speed = speed.clamp(1.0 / SPEED_MAX, SPEED_MAX);
    Line { speed, offset: reference - speed * clip }
}

/// Least variance of clip times for a speed to be fitted, in seconds squared: an even spread over 3.5 s.
const SLOPE_SPREAD: f32 = 1.0;

/// The pairs of an alignment; those that speak for the moment are told from those that would fit other times as well.
fn pairs(votes: &[Vote], inliers: &[usize], group: &[Hit], geometry: &Similarity, line: Line) -> Vec<Pair> {
    // Keys that fit the geometry two seconds off the line, on either side.
    let (mut clip_again, mut reference_again) = (HashSet::new(), HashSet::new());
    for vote in votes.iter().filter(|vote| line.miss(vote) >= MOMENT_GAP && vote.fits(geometry)) {
        clip_again.insert(group[vote.hit].clip_key);
        reference_again.insert(group[vote.hit].reference_key);
    }
    inliers
        .iter()
        .map(|&i| {
            let (vote, hit) = (&votes[i], &group[votes[i].hit]);
            let moment =
                !vote.recurs && !clip_again.contains(&hit.clip_key) && !reference_again.contains(&hit.reference_key);
            Pair { moment, ..hit.pair }
        })
        .collect()
}
