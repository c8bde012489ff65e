//! Average precision over segments, by the formula of the Video Similarity Challenge 2022 (matching
//! track), which took it from VCSL (He et al. 2022). So figures are comparable.
//!
//! Predictions are added from the highest score down. After each, precision and recall are computed
//! from lengths of time. For each axis (query and reference), the predicted time of every pair is
//! intersected with its true time. Only true segments count that some prediction of the pair
//! overlaps on both axes. The geometric mean joins both axes, and precision is summed over the
//! growth of recall. Predictions with equal scores count together.

use std::collections::HashMap;

/// A part of a query that equals a part of a reference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Segment {
    /// Number of the query and of the reference.
    pub(crate) pair: (usize, usize),
    /// Start and end in the query, in seconds.
    pub(crate) query: (f64, f64),
    /// Start and end in the reference, in seconds.
    pub(crate) reference: (f64, f64),
    /// Score of a prediction; unused in truths.
    pub(crate) score: f64,
}

/// Micro-averaged precision over segments, 0..=1; `None` without true segments.
pub(crate) fn micro_average(truths: &[Segment], predictions: &[Segment]) -> Option<f64> {
    let mut pairs: HashMap<(usize, usize), Pair> = HashMap::new();
    for truth in truths {
        pairs.entry(truth.pair).or_default().truths.push(*truth);
    }
    let mut all = [0.0; 2];
    for pair in pairs.values() {
        for (axis, all) in all.iter_mut().enumerate() {
            *all += length(&pair.truths, axis);
        }
    }
    if all.contains(&0.0) {
        return None;
    }
    let mut sorted = predictions.to_vec();
    sorted.sort_by(|a, b| b.score.total_cmp(&a.score));
    let (mut shared, mut predicted) = ([0.0; 2], [0.0; 2]);
    let (mut recall, mut average) = (0.0, 0.0);
    for alike in sorted.chunk_by(|a, b| a.score == b.score) {
        for prediction in alike {
            let pair = pairs.entry(prediction.pair).or_default();
            let before = pair.lengths;
            pair.add(*prediction);
            for axis in 0..2 {
                shared[axis] += pair.lengths[axis].0 - before[axis].0;
                predicted[axis] += pair.lengths[axis].1 - before[axis].1;
            }
        }
        let joined = |by: [f64; 2]| {
            let ratio = |axis: usize| {
                if by[axis] > 0.0 {
                    (shared[axis] / by[axis]).max(0.0)
                } else {
                    0.0
                }
            };
            (ratio(0) * ratio(1)).sqrt()
        };
        let reached = joined(all);
        average += joined(predicted) * (reached - recall);
        recall = reached;
    }
    Some(average)
}

/// The segments of one query and one reference.
#[derive(Debug, Default)]
struct Pair {
    truths: Vec<Segment>,
    predictions: Vec<Segment>,
    /// For each axis: correctly predicted time, and predicted time.
    lengths: [(f64, f64); 2],
}

impl Pair {
    fn add(&mut self, prediction: Segment) {
        self.predictions.push(prediction);
        let met = |truth: &&Segment| self.predictions.iter().any(|other| overlap(truth, other));
        let met: Vec<Segment> = self.truths.iter().filter(met).copied().collect();
        for (axis, lengths) in self.lengths.iter_mut().enumerate() {
            let (truth, predicted) = (length(&met, axis), length(&self.predictions, axis));
            let either: Vec<Segment> = met.iter().chain(&self.predictions).copied().collect();
            *lengths = (truth + predicted - length(&either, axis), predicted);
        }
    }
}

fn overlap(a: &Segment, b: &Segment) -> bool {
    let meet = |a: (f64, f64), b: (f64, f64)| a.1.min(b.1) > a.0.max(b.0);
    meet(a.query, b.query) && meet(a.reference, b.reference)
}

/// Time that segments cover on an axis: 0 for the query, 1 for the reference.
fn length(segments: &[Segment], axis: usize) -> f64 {
    let spans: Vec<(f64, f64)> = segments
        .iter()
        .map(|segment| {
            if axis == 0 {
                segment.query
            } else {
                segment.reference
            }
        })
        .collect();
    merged(&spans).iter().map(|span| span.1 - span.0).sum()
}

/// The same time as ordered spans without overlap.
fn merged(spans: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut sorted = spans.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut merged: Vec<(f64, f64)> = Vec::new();
    for span in sorted {
        match merged.last_mut() {
            Some(last) if span.0 <= last.1 => last.1 = last.1.max(span.1),
            _ => merged.push(span),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(
        pair: (usize, usize),
        query: (f64, f64),
        reference: (f64, f64),
        score: f64,
    ) -> Segment {
        Segment {
            pair,
            query,
            reference,
            score,
        }
    }

    fn average(truths: &[Segment], predictions: &[Segment]) -> f64 {
        micro_average(truths, predictions).unwrap()
    }

    const TRUTH: Segment = Segment {
        pair: (0, 0),
        query: (0.0, 10.0),
        reference: (20.0, 30.0),
        score: 0.0,
    };

    #[test]
    fn the_truth_is_worth_one_and_nothing_is_worth_nothing() {
        assert_eq!(
            average(
                &[TRUTH],
                &[Segment {
                    score: 3.0,
                    ..TRUTH
                }]
            ),
            1.0
        );
        assert_eq!(average(&[TRUTH], &[]), 0.0);
        assert_eq!(micro_average(&[], &[TRUTH]), None);
    }

    #[test]
    fn half_of_each_axis_is_half_the_recall_at_full_precision() {
        let half = segment((0, 0), (0.0, 5.0), (20.0, 25.0), 1.0);
        assert!((average(&[TRUTH], &[half]) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn too_much_on_one_axis_costs_the_root_of_its_precision() {
        // Query exact, reference twice as long: precision sqrt(1 * 0.5), recall 1.
        let long = segment((0, 0), (0.0, 10.0), (20.0, 40.0), 1.0);
        assert!((average(&[TRUTH], &[long]) - 0.5_f64.sqrt()).abs() < 1e-9);
    }

    #[test]
    fn the_right_time_in_the_wrong_place_is_not_true() {
        // The reference time misses the truth, so the query's time does not count either.
        assert_eq!(
            average(&[TRUTH], &[segment((0, 0), (0.0, 10.0), (50.0, 60.0), 1.0)]),
            0.0
        );
        assert_eq!(
            average(&[TRUTH], &[segment((0, 1), (0.0, 10.0), (20.0, 30.0), 1.0)]),
            0.0
        );
    }

    #[test]
    fn a_false_alarm_costs_only_what_is_ranked_below_it() {
        let truths = [TRUTH, segment((1, 1), (0.0, 10.0), (0.0, 10.0), 0.0)];
        let first = Segment {
            score: 9.0,
            ..TRUTH
        };
        let wrong = |score: f64| segment((2, 0), (0.0, 10.0), (0.0, 10.0), score);
        let second = Segment {
            score: 5.0,
            ..truths[1]
        };
        // Above both: 1/2 * 1/2 + 2/3 * 1/2; between: 1 * 1/2 + 2/3 * 1/2; below: 1.
        for (score, expected) in [(10.0, 0.25 + 1.0 / 3.0), (7.0, 0.5 + 1.0 / 3.0), (1.0, 1.0)] {
            assert!(
                (average(&truths, &[first, wrong(score), second]) - expected).abs() < 1e-9,
                "{score}"
            );
        }
    }

    #[test]
    fn predictions_of_one_score_count_together() {
        let truths = [TRUTH, segment((1, 1), (0.0, 10.0), (0.0, 10.0), 0.0)];
        let all = [
            TRUTH,
            truths[1],
            segment((2, 0), (0.0, 10.0), (0.0, 10.0), 0.0),
        ];
        assert!((average(&truths, &all) - 2.0 / 3.0).abs() < 1e-9);
    }

    #[test]
    fn time_that_is_predicted_twice_counts_once() {
        let twice = [
            segment((0, 0), (0.0, 6.0), (20.0, 26.0), 2.0),
            segment((0, 0), (4.0, 10.0), (24.0, 30.0), 1.0),
        ];
        assert!((average(&[TRUTH], &twice) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn spans_that_touch_become_one() {
        assert_eq!(
            merged(&[(3.0, 4.0), (0.0, 1.0), (0.5, 3.0), (6.0, 7.0)]),
            [(0.0, 4.0), (6.0, 7.0)]
        );
    }
}
