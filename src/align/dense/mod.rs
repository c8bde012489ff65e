//! Compares the frames of a clip with those of a reference where an alignment predicts them (pure).
//!
//! Keys show that something distinctive agrees; this module tests whether everything agrees that
//! should. It superimposes the thumbnails of the reference and those of the clip at the claimed
//! times, refines the geometry on the whole image and the time on motion, and normalises gain and
//! offset. Then it correlates motion: the deviations of each cell from its mean over time, in the
//! cells that move most. A copy agrees in nearly all of it. Another take of the scene agrees in
//! what is static, but its motion differs.
//!
//! Publishers crop frames and place them beside others. So the comparison uses the rectangle of the
//! reference's frame that agrees best. Motion outside that rectangle is evidence against a copy.

mod level;
mod register;
mod tone;

use serde::{Deserialize, Serialize};

use self::level::{Frames, Level, Pair};
use self::register::{agreeing, register};
use self::tone::Tone;
use super::affine::Affine;
use super::vote::TemporalHypothesis;
use super::{Similarity, Span};
use crate::fingerprint::{Orientation, Thumbnail};

/// Agreement between the frames of a clip and of a reference.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Dense {
    /// Correlation of motion, in the cells that move most, -1..=1.
    pub correlation: f32,
    /// 10th percentile of the correlation over frames, -1..=1.
    pub low: f32,
    /// Share of motion energy in cells that correlate individually, 0..=1.
    pub agreeing: f32,
    /// Mean correlation of the reference with itself half a second earlier and later, -1..=1. A
    /// copy correlates better than that.
    pub next: f32,
    /// Correlation of the static content, the means over time, -1..=1.
    pub scene: f32,
    /// Root mean square of the reference's deviations in the compared cells, in grey levels.
    pub activity: f32,
    /// Share of the reference's visible motion energy in the compared cells, 0..=1.
    pub inside: f32,
    /// Compared share of the reference's frame, 0..=1.
    pub visible: f32,
    /// Number of compared frames of the reference.
    pub frames: u32,
    /// Times of the first and the last frame of the clip that match the reference, in seconds; the
    /// others are not compared.
    pub matching: (f32, f32),
    /// Refinement of the time, in seconds of the clip.
    pub shift: f32,
}

impl Dense {
    /// Adds a later part of the same alignment: means weighted by frames, or the minimum.
    pub(super) fn add(&mut self, other: &Dense) {
        let (a, b) = (self.frames as f32, other.frames as f32);
        let mean = |x: f32, y: f32| {
            if a + b > 0.0 {
                (a * x + b * y) / (a + b)
            } else {
                x
            }
        };
        *self = Dense {
            correlation: mean(self.correlation, other.correlation),
            low: self.low.min(other.low),
            agreeing: mean(self.agreeing, other.agreeing),
            next: mean(self.next, other.next),
            scene: mean(self.scene, other.scene),
            activity: mean(self.activity, other.activity),
            inside: mean(self.inside, other.inside),
            visible: mean(self.visible, other.visible),
            frames: self.frames + other.frames,
            matching: (
                self.matching.0.min(other.matching.0),
                self.matching.1.max(other.matching.1),
            ),
            shift: self.shift,
        };
    }
}

/// The claims of an alignment about a clip and a reference.
#[derive(Debug, Clone, Copy)]
pub struct Claim {
    /// Transform of the clip's frame that gives it the reference's orientation.
    pub orientation: Orientation,
    /// Position of the transformed clip in the reference's frame.
    pub geometry: Similarity,
    /// Rectangle of the reference's frame with verified correspondences: left, top, right and
    /// bottom, in its heights.
    pub support: [f32; 4],
    /// Seconds of the reference per second of the clip.
    pub speed: f32,
    /// The reference's time at the clip's start, in seconds.
    pub offset: f32,
    /// The interval of the clip.
    pub span: Span,
}

/// Compares the frames that an alignment claims to be the same. Both sides need frames for the
/// claimed interval and a second around it; the clip is `aspect` heights wide. `None` if there are
/// fewer than two pairs.
pub fn compare(
    reference: &[Thumbnail],
    clip: &[Thumbnail],
    aspect: f32,
    claim: &Claim,
) -> Option<Dense> {
    Comparison::new(reference, clip, aspect, claim)?.made()
}

/// State of a comparison.
struct Comparison<'a> {
    claim: &'a Claim,
    reference: Frames,
    clip: Frames,
    map: Affine,
    /// Pixels of the clip per pixel of the reference.
    across: f32,
    /// Pixels of the reference across a cell of the finest level.
    side: usize,
}

impl<'a> Comparison<'a> {
    fn new(
        reference: &[Thumbnail],
        clip: &[Thumbnail],
        aspect: f32,
        claim: &'a Claim,
    ) -> Option<Comparison<'a>> {
        let (reference, clip) = (Frames::new(reference)?, Frames::new(clip)?);
        let map = Affine::to_clip(claim.orientation, &claim.geometry, aspect)?;
        let across = map.scale() / reference.height as f32 * clip.height as f32;
        // If the clip shows the reference smaller, compare at the clip's resolution.
        let side = ((1.0 / across).round() as usize).clamp(1, SIDE_MAX);
        Some(Comparison {
            claim,
            reference,
            clip,
            map,
            across,
            side,
        })
    }

    /// Both sides with cells `times` as large as the finest.
    fn level(&self, times: usize) -> Level {
        Level::new(
            &self.reference,
            &self.clip,
            times * self.side,
            self.across,
            self.claim.orientation.negative,
        )
    }

    /// Each frame of the reference in the claimed interval with the corresponding moment of the
    /// clip, for a speed about the middle of the interval and a shift in seconds of the clip.
    fn pairs(&self, speed: f32, shift: f32) -> Vec<Pair> {
        let Claim { span, offset, .. } = *self.claim;
        let (first, last) = span.seconds();
        let middle = 0.5 * (first + last);
        let through = TemporalHypothesis {
            speed: self.claim.speed,
            offset,
        }
        .at(middle);
        let pair = |(reference, time): (usize, &f32)| {
            let seen = middle + (time - through) / speed + shift;
            let within = (first - TIME_MARGIN..=last + TIME_MARGIN).contains(&seen);
            let (clip, later) = within
                .then(|| self.clip.at(seen, FRAME_DISTANCE_MAX))
                .flatten()?;
            Some(Pair {
                reference,
                clip,
                later,
            })
        };
        self.reference
            .times
            .iter()
            .enumerate()
            .filter_map(pair)
            .collect()
    }

    /// The speed and the shift with the best motion correlation.
    fn refined_time(
        &self,
        level: &Level,
        map: &Affine,
        speeds: &[f32],
        around: f32,
        (step_s, steps): (f32, i32),
    ) -> (f32, f32) {
        let counted = level.within(self.claim.support, MARGIN);
        let mut best = (f32::MIN, self.claim.speed, around);
        for &speed in speeds {
            for step in -steps..=steps {
                let shift = around + step_s * step as f32;
                let pairs = spread(&self.pairs(speed, shift), REFINEMENT_FRAMES);
                if pairs.len() < 2 {
                    continue;
                }
                let changed =
                    (speed / self.claim.speed).ln().abs().min(SPEED_FAR) / SPEED_FAR * SPEED_COST;
                let hypothesis = level_moving(level, map, &pairs, &counted).correlation();
                let score = hypothesis - SHIFT_COST * shift.abs() - changed;
                if score > best.0 {
                    best = (score, speed, shift);
                }
            }
        }
        (best.1, best.2)
    }

    fn made(mut self) -> Option<Dense> {
        let claimed = self.claim.speed;
        let mut pairs = self.pairs(claimed, 0.0);
        if pairs.len() < 2 {
            return None;
        }
        let few = |pairs: &[Pair]| spread(pairs, REGISTERED_FRAMES);
        let mut coarse = self.level(2);
        let found = |level: &Level| level.within(self.claim.support, 0.5 * MARGIN);
        if let Some(tone) = Tone::fitted(&coarse.levels(&self.map, &few(&pairs), &found(&coarse))) {
            self.reference
                .levels
                .iter_mut()
                .flatten()
                .for_each(|level| *level = tone.level(*level));
            coarse = self.level(2);
        }
        let [rough, fine] = [4, 1].map(|times| self.level(times));
        // An overlay may cover the rectangle of the correspondences, or other footage surround it:
        // use whichever region agrees better.
        let all = vec![true; coarse.cells()];
        let by_found = coarse.cost(&self.map, &few(&pairs), &found(&coarse))
            <= coarse.cost(&self.map, &few(&pairs), &all);
        let supported = |level: &Level| {
            if by_found {
                found(level)
            } else {
                vec![true; level.cells()]
            }
        };
        let mut map = register(&rough, self.map, &few(&pairs), &supported(&rough), 1.0, 60);
        map = register(&coarse, map, &few(&pairs), &supported(&coarse), 0.4, 60);
        pairs = longest_match(&coarse, &map, pairs, &supported(&coarse));
        let at = |map: &Affine, speed: f32, shift: f32| {
            let moved = self.pairs(speed, shift);
            (moved.len() >= 2).then(|| longest_match(&coarse, map, moved, &supported(&coarse)))
        };
        let real = claimed.signum();
        let speeds = if claimed == real {
            vec![real]
        } else {
            vec![claimed, real]
        };
        let (speed, shift) =
            self.refined_time(&coarse, &map, &speeds, 0.0, (SHIFT_STEP, SHIFT_STEPS));
        let turned = SPEED_FACTORS.map(|turn| speed * turn);
        let (speed, shift) = self.refined_time(&coarse, &map, &turned, shift, (SHIFT_STEP, 1));
        pairs = at(&map, speed, shift).unwrap_or(pairs);
        map = register(&coarse, map, &few(&pairs), &supported(&coarse), 0.25, 40);
        map = register(&fine, map, &few(&pairs), &supported(&fine), 0.1, 30);
        let (speed, shift) =
            self.refined_time(&coarse, &map, &[speed], shift, (0.25 * SHIFT_STEP, 2));
        pairs = at(&map, speed, shift).unwrap_or(pairs);
        let supported = supported(&fine);
        let disagreement = fine.disagreement(&map, &spread(&pairs, AGREEING_FRAMES), &supported);
        let mut counted = agreeing(&disagreement, fine.reference.width);
        // If no rectangle agrees, compare that of the correspondences.
        if COMPARED_MIN * counted.iter().filter(|counted| **counted).count() < counted.len() {
            counted = supported
                .iter()
                .zip(&disagreement)
                .map(|(found, cell)| *found && cell.is_finite())
                .collect();
        }
        let visible: Vec<bool> = disagreement.iter().map(|cell| cell.is_finite()).collect();
        let (first, last) = (
            self.clip.times[pairs[0].clip.0],
            self.clip.times[pairs[pairs.len() - 1].clip.1],
        );
        let matching = (first.min(last), first.max(last));
        Some(Dense {
            shift,
            matching,
            ..measured(&fine, &map, &pairs, &counted, &visible)
        })
    }
}

/// Measures all pairs, window by window.
fn measured(
    level: &Level,
    map: &Affine,
    pairs: &[Pair],
    counted: &[bool],
    visible: &[bool],
) -> Dense {
    let levels = level.normalised(map, pairs, counted);
    let of_reference = |number: usize| &level.reference.levels[number][..];
    let all_reference: Vec<&[f32]> = pairs
        .iter()
        .map(|pair| of_reference(pair.reference))
        .collect();
    let all_clip: Vec<&[f32]> = levels.iter().map(|levels| &levels[..]).collect();
    let hidden = overlaid(&all_reference, &all_clip, level.reference.width);
    let uncovered: Vec<bool> = counted
        .iter()
        .zip(&hidden)
        .map(|(counted, hidden)| *counted && !hidden)
        .collect();
    // Exclude the overlay only if enough cells remain.
    let enough = 4 * uncovered.iter().filter(|counted| **counted).count()
        > counted.iter().filter(|counted| **counted).count();
    let (inside, counted) = (counted, if enough { &uncovered[..] } else { counted });
    let (mut all, mut scene) = (Products::default(), Products::default());
    let (mut energy, mut energy_inside) = (0.0_f32, 0.0_f32);
    let (mut evenness, mut next) = (Uniformity::default(), Products::default());
    let length = pairs
        .len()
        .div_ceil(pairs.len().div_ceil(WINDOW).max(1))
        .max(1);
    for (pairs, levels) in pairs.chunks(length).zip(levels.chunks(length)) {
        let reference: Vec<&[f32]> = pairs
            .iter()
            .map(|pair| of_reference(pair.reference))
            .collect();
        let clip: Vec<&[f32]> = levels.iter().map(|levels| &levels[..]).collect();
        let cells = active(&reference, &clip, counted);
        let products = Products::sum(&cells);
        all.add(&products);
        evenness.add(&reference, &clip, &cells);
        let (means, of_clip) = (means(&reference), means(&clip));
        for cell in (0..means.len()).filter(|&cell| visible[cell]) {
            let of_cell: f32 = reference
                .iter()
                .map(|levels| (levels[cell] - means[cell]).powi(2))
                .sum();
            energy += of_cell;
            energy_inside += if inside[cell] { of_cell } else { 0.0 };
        }
        let compared = (0..means.len()).filter(|&cell| counted[cell] && of_clip[cell].is_finite());
        scene.add(&Products::about_means(
            compared.map(|cell| (means[cell], of_clip[cell])).collect(),
        ));
        for shift in [1, -1] {
            let (here, there) = level.shifted(pairs, shift);
            if here.len() >= 2 {
                next.add(&moving(&here, &there, counted));
            }
        }
    }
    let compared = inside.iter().filter(|counted| **counted).count();
    Dense {
        correlation: all.correlation(),
        low: evenness.low(),
        agreeing: if evenness.all > 0.0 {
            evenness.agreeing / evenness.all
        } else {
            0.0
        },
        next: next.correlation(),
        scene: scene.correlation(),
        activity: (all.ss / all.terms.max(1.0)).sqrt(),
        inside: if energy > 0.0 {
            energy_inside / energy
        } else {
            1.0
        },
        visible: compared as f32 / counted.len().max(1) as f32,
        frames: pairs.len() as u32,
        matching: (0.0, 0.0),
        shift: 0.0,
    }
}

/// The longest run of matching pairs: the one with the greatest sum of scores. All pairs if it has
/// fewer than two.
fn longest_match(level: &Level, map: &Affine, pairs: Vec<Pair>, counted: &[bool]) -> Vec<Pair> {
    let (mut best, mut run, mut start) = ((0.0, 0..0), 0.0_f32, 0);
    for (number, cost) in level.costs(map, &pairs, counted).into_iter().enumerate() {
        if run <= 0.0 {
            (run, start) = (0.0, number);
        }
        run += MATCH_DISAGREEMENT_MAX - cost;
        if run > best.0 {
            best = (run, start..number + 1);
        }
    }
    if best.1.len() < 2 {
        pairs
    } else {
        pairs[best.1].to_vec()
    }
}

/// Sums of products of deviations of the reference (s) and the clip (c).
#[derive(Debug, Clone, Copy, Default)]
struct Products {
    ss: f32,
    cc: f32,
    sc: f32,
    terms: f32,
}

impl Products {
    fn correlation(&self) -> f32 {
        if self.ss > 0.0 && self.cc > 0.0 {
            self.sc / (self.ss * self.cc).sqrt()
        } else {
            0.0
        }
    }

    fn add(&mut self, other: &Products) {
        self.ss += other.ss;
        self.cc += other.cc;
        self.sc += other.sc;
        self.terms += other.terms;
    }

    /// Sum over some cells.
    fn sum(cells: &[(usize, Products)]) -> Products {
        let mut all = Products::default();
        cells.iter().for_each(|(_, products)| all.add(products));
        all
    }

    /// Products of levels (reference, clip) about their means.
    fn about_means(levels: Vec<(f32, f32)>) -> Products {
        let count = levels.len().max(1) as f32;
        let (reference, clip) = levels.iter().fold((0.0, 0.0), |(s, c), level| {
            (s + level.0 / count, c + level.1 / count)
        });
        let mut products = Products::default();
        for (s, c) in levels.iter().map(|(s, c)| (s - reference, c - clip)) {
            products.add(&Products {
                ss: s * s,
                cc: c * c,
                sc: s * c,
                terms: 1.0,
            });
        }
        products
    }
}

fn level_moving(level: &Level, map: &Affine, pairs: &[Pair], counted: &[bool]) -> Products {
    let levels = level.normalised(map, pairs, counted);
    let reference: Vec<&[f32]> = pairs
        .iter()
        .map(|pair| &level.reference.levels[pair.reference][..])
        .collect();
    let clip: Vec<&[f32]> = levels.iter().map(|levels| &levels[..]).collect();
    moving(&reference, &clip, counted)
}

/// The cells that an overlay of the clip probably hides, and their neighbours: static in the clip,
/// moving in the reference, and never similar. In another take, a static cell is similar whenever
/// nothing passes there in the reference.
fn overlaid(reference: &[&[f32]], clip: &[&[f32]], columns: usize) -> Vec<bool> {
    let (of_reference, of_clip) = (means(reference), means(clip));
    let still = MOVING_DEVIATION_MIN * MOVING_DEVIATION_MIN * reference.len() as f32;
    let is_hidden = |cell: usize| {
        let off = |levels: &[&[f32]], mean: f32| {
            levels
                .iter()
                .map(|levels| (levels[cell] - mean).powi(2))
                .sum::<f32>()
        };
        let apart = reference
            .iter()
            .zip(clip)
            .map(|(reference, clip)| (reference[cell] - clip[cell]).abs());
        off(clip, of_clip[cell]) < still
            && off(reference, of_reference[cell]) >= still
            && apart.fold(f32::INFINITY, f32::min) > OVERLAY_DIFFERENCE_MIN
    };
    let hidden: Vec<bool> = (0..of_reference.len()).map(is_hidden).collect();
    let adjacent = |cell: usize| {
        let (column, row) = (cell % columns, cell / columns);
        let near = |middle: usize| middle.saturating_sub(1)..=middle + 1;
        near(row).any(|row| {
            near(column).any(|column| {
                column < columns
                    && hidden
                        .get(row * columns + column)
                        .is_some_and(|hidden| *hidden)
            })
        })
    };
    // A few isolated cells are no overlay.
    let lone = hidden.iter().filter(|hidden| **hidden).count() * OVERLAY_MIN < hidden.len();
    (0..hidden.len())
        .map(|cell| !lone && adjacent(cell))
        .collect()
}

/// Motion of both sides in the most active of the counted cells.
fn moving(reference: &[&[f32]], clip: &[&[f32]], counted: &[bool]) -> Products {
    Products::sum(&active(reference, clip, counted))
}

/// The most active cells, with their products.
fn active(reference: &[&[f32]], clip: &[&[f32]], counted: &[bool]) -> Vec<(usize, Products)> {
    let (of_reference, of_clip) = (means(reference), means(clip));
    let mut cells: Vec<(usize, Products)> = Vec::new();
    let still = MOVING_DEVIATION_MIN * MOVING_DEVIATION_MIN * reference.len() as f32;
    for cell in (0..of_reference.len()).filter(|&cell| counted[cell] && of_clip[cell].is_finite()) {
        let mut products = Products {
            terms: reference.len() as f32,
            ..Products::default()
        };
        for (reference, clip) in reference.iter().zip(clip) {
            let (s, c) = (
                reference[cell] - of_reference[cell],
                clip[cell] - of_clip[cell],
            );
            products.ss += s * s;
            products.cc += c * c;
            products.sc += s * c;
        }
        cells.push((cell, products));
    }
    let activity = |products: &Products| products.ss.max(products.cc);
    cells.sort_by(|a, b| activity(&b.1).total_cmp(&activity(&a.1)));
    cells.truncate((ACTIVE * cells.len() as f32).ceil() as usize);
    cells.retain(|(_, products)| activity(products) >= still);
    cells
}

/// Uniformity of the agreement in motion.
#[derive(Default)]
struct Uniformity {
    /// Correlation of each frame's deviations.
    of_pictures: Vec<f32>,
    /// Energy of the cells that correlate individually, and of all.
    agreeing: f32,
    all: f32,
}

impl Uniformity {
    /// Adds a window with its active cells.
    fn add(&mut self, reference: &[&[f32]], clip: &[&[f32]], cells: &[(usize, Products)]) {
        for (_, products) in cells {
            let energy = products.ss.max(products.cc);
            self.all += energy;
            self.agreeing += if products.correlation() >= CELL_AGREES {
                energy
            } else {
                0.0
            };
        }
        let (of_reference, of_clip) = (means(reference), means(clip));
        for (reference, clip) in reference.iter().zip(clip) {
            let mut products = Products::default();
            for (cell, _) in cells {
                let (s, c) = (
                    reference[*cell] - of_reference[*cell],
                    clip[*cell] - of_clip[*cell],
                );
                products.add(&Products {
                    ss: s * s,
                    cc: c * c,
                    sc: s * c,
                    terms: 1.0,
                });
            }
            if products.ss + products.cc > 0.0 {
                self.of_pictures.push(products.correlation());
            }
        }
    }

    /// 10th percentile of the correlation over frames.
    fn low(&mut self) -> f32 {
        self.of_pictures.sort_by(f32::total_cmp);
        self.of_pictures
            .get(self.of_pictures.len() / 10)
            .copied()
            .unwrap_or_default()
    }
}

/// The mean of each cell over the frames.
fn means(levels: &[&[f32]]) -> Vec<f32> {
    let cells = levels.first().map_or(0, |levels| levels.len());
    let count = levels.len() as f32;
    (0..cells)
        .map(|cell| levels.iter().map(|levels| levels[cell]).sum::<f32>() / count)
        .collect()
}

/// At most `most` of the pairs, evenly spaced.
fn spread(pairs: &[Pair], most: usize) -> Vec<Pair> {
    pairs
        .iter()
        .copied()
        .step_by(pairs.len().div_ceil(most).max(1))
        .collect()
}

/// Maximum mean disagreement of two matching frames, 0..=1: half.
const MATCH_DISAGREEMENT_MAX: f32 = 0.5;

/// Share of the cells to compare, the most active.
const ACTIVE: f32 = 0.3;

/// Minimum standard deviation of a moving cell, in grey levels.
const MOVING_DEVIATION_MIN: f32 = 1.5;

/// Minimum correlation of a cell that agrees individually.
const CELL_AGREES: f32 = 0.7;

/// Inverse of the minimum share of cells that an overlay hides.
const OVERLAY_MIN: usize = 100;

/// Minimum difference between an overlay and the reference in every frame, in grey levels.
const OVERLAY_DIFFERENCE_MIN: f32 = 10.0;

/// Frames per window: eight seconds, two a second.
const WINDOW: usize = 16;

/// Maximum number of the reference's pixels across a cell.
const SIDE_MAX: usize = 6;

/// Maximum number of pairs to refine the geometry, to refine the time, and to find the rectangle
/// that agrees.
const REGISTERED_FRAMES: usize = 6;
const REFINEMENT_FRAMES: usize = 20;
const AGREEING_FRAMES: usize = 12;

/// Margin around the rectangle of the correspondences, in heights of the reference's frame.
const MARGIN: f32 = 0.1;

/// Inverse of the minimum share of cells in a rectangle that agrees.
const COMPARED_MIN: usize = 50;

/// Step of the time refinement, in seconds of the clip (the interval of its frames), and number of
/// steps either way.
const SHIFT_STEP: f32 = 0.08;
const SHIFT_STEPS: i32 = 12;

/// Costs, in correlation, of a second of shift and of another speed.
const SHIFT_COST: f32 = 0.02;
const SPEED_COST: f32 = 0.05;

/// Change of speed with the full cost, as a natural logarithm.
const SPEED_FAR: f32 = 0.2;

/// Factors on the best speed to try.
const SPEED_FACTORS: [f32; 7] = [0.91, 0.94, 0.97, 1.0, 1.03, 1.06, 1.1];

/// Tolerance at the ends of the interval, in seconds of the clip.
const TIME_MARGIN: f32 = 0.05;

/// Maximum distance of the clip's frame from the claimed time, in seconds.
const FRAME_DISTANCE_MAX: f32 = 0.15;

#[cfg(test)]
mod tests;
