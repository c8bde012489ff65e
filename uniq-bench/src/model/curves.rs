//! Plots error curves and the calibration of probabilities.

use std::fs;
use std::path::Path;

use anyhow::Context;
use uniq::verdict::{Model, Policy};

use super::contents::Contents;
use super::fit::taught;
use super::judged::Judged;
use super::observe::{Found, Observation};
use super::plan::Class;
use crate::plot::{self, Axis, Chart, Curve, Point, Scale};
use crate::statistics::Tenths;

/// Writes all plots to a folder.
pub(crate) fn write(
    folder: &Path,
    judged: &[Judged<'_>],
    models: &[Model],
    policy: &Policy,
) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
    let threshold = f64::from(policy.published_min());
    let (by_alignment, by_second, by_clip) = reliability(judged, models);
    for (name, chart) in [
        ("roc.svg", roc(judged, models)),
        ("det.svg", det(judged, models, threshold)),
        (
            "reliability-alignments.svg",
            reliability_chart("alignments", &by_alignment),
        ),
        (
            "reliability-seconds.svg",
            reliability_chart("seconds", &by_second),
        ),
        (
            "reliability-clips.svg",
            reliability_chart("clips", &by_clip),
        ),
    ] {
        let file = folder.join(name);
        fs::write(&file, plot::svg(&chart))
            .with_context(|| format!("{}: cannot be written", file.display()))?;
    }
    Ok(())
}

/// The evidence for a copy in an alignment.
type Score<'a> = &'a dyn Fn(&Observation, &Found) -> f64;

/// The maximum score of each excerpt: over right alignments for copies, over wrong ones for all
/// others; minus infinity without any.
fn scores(judged: &[Judged<'_>], classes: &[Class], score: Score<'_>) -> Vec<f64> {
    let of = judged
        .iter()
        .map(|judged| judged.made)
        .filter(|made| classes.contains(&made.class));
    of.map(|made| {
        let right = Some(made.class == Class::Copy);
        let all = made.found.iter().filter(|found| found.right == right);
        all.map(|found| score(made, found))
            .fold(f64::NEG_INFINITY, f64::max)
    })
    .collect()
}

/// Shares of others and of copies that reach each score, from the highest score.
fn shares(copies: &[f64], others: &[f64]) -> Vec<(f64, f64)> {
    let mut thresholds: Vec<f64> = copies
        .iter()
        .chain(others)
        .copied()
        .filter(|score| score.is_finite())
        .collect();
    thresholds.sort_by(|a, b| b.total_cmp(a));
    thresholds.dedup();
    std::iter::once((0.0, 0.0))
        .chain(
            thresholds
                .iter()
                .map(|threshold| (reached(others, *threshold), reached(copies, *threshold))),
        )
        .collect()
}

fn reached(scores: &[f64], threshold: f64) -> f64 {
    scores.iter().filter(|score| **score >= threshold).count() as f64 / scores.len().max(1) as f64
}

/// Maximum share of copies found at a share of others found.
fn told_at(shares: &[(f64, f64)], others: f64) -> f64 {
    shares
        .iter()
        .filter(|share| share.0 <= others)
        .map(|share| share.1)
        .fold(0.0, f64::max)
}

fn roc(judged: &[Judged<'_>], models: &[Model]) -> Chart {
    let alone = |_: &Observation, found: &Found| {
        found
            .alignment
            .dense
            .map_or(f64::NEG_INFINITY, |dense| f64::from(dense.correlation))
    };
    let keys = |made: &Observation, found: &Found| {
        f64::from(of(models, made).opinion(&found.alignment).by_keys)
    };
    let all = |made: &Observation, found: &Found| {
        f64::from(of(models, made).opinion(&found.alignment).probability)
    };
    let curve = |name: &str, score: Score<'_>| {
        let others = scores(judged, &HARD, score);
        let line = shares(&scores(judged, &[Class::Copy], score), &others);
        let name = format!("{name}: {:.1} % at 2 %", 100.0 * told_at(&line, 0.02));
        Curve {
            name,
            line,
            points: Vec::new(),
        }
    };
    let [copies, others] = [&[Class::Copy][..], &HARD].map(|classes| number(judged, classes));
    Chart {
        title: "Copies found, and what is taken for one".to_owned(),
        about: vec![format!(
            "{copies} edited copies; {others} other takes and other moments; out of fold"
        )],
        x: Axis {
            name: "other takes and moments called published",
            scale: Scale::Logarithmic,
            ticks: &[0.003, 0.01, 0.03, 0.1, 0.3, 1.0],
        },
        y: Axis {
            name: "copies found at the right time",
            scale: Scale::Linear,
            ticks: &FIFTHS,
        },
        diagonal: false,
        curves: vec![
            curve("model", &all),
            curve("correlation alone", &alone),
            curve("keys and motion", &keys),
        ],
    }
}

fn det(judged: &[Judged<'_>], models: &[Model], threshold: f64) -> Chart {
    let score = |made: &Observation, found: &Found| {
        f64::from(of(models, made).opinion(&found.alignment).probability)
    };
    let copies = scores(judged, &[Class::Copy], &score);
    let curve = |(name, classes): (&str, &[Class])| {
        let others = scores(judged, classes, &score);
        let missed = |(others, copies): (f64, f64)| (others, 1.0 - copies);
        let at = missed((reached(&others, threshold), reached(&copies, threshold)));
        let line = shares(&copies, &others).into_iter().map(missed).collect();
        let name = format!("{name}: {:.1} % of {}", 100.0 * at.0, others.len());
        Curve {
            name,
            line,
            points: vec![Point {
                at,
                interval: None,
                word: String::new(),
            }],
        }
    };
    Chart {
        title: "Errors that can be had".to_owned(),
        about: vec![
            format!(
                "{} edited copies against each class; out of fold",
                copies.len()
            ),
            format!("points: at the probability of {threshold:.2} that the policy asks for"),
        ],
        x: Axis {
            name: "called published wrongly",
            scale: Scale::Probit,
            ticks: &ERRORS,
        },
        y: Axis {
            name: "copies missed",
            scale: Scale::Probit,
            ticks: &ERRORS,
        },
        diagonal: false,
        curves: [
            ("other takes", &[Class::OtherTake][..]),
            ("other moments", &[Class::OtherMoment]),
            ("held-back clips", &[Class::Negative]),
        ]
        .map(curve)
        .into(),
    }
}

/// Predicted and observed shares of copies: of alignments with pictures, of seconds, and of clips.
/// Possible copies that nobody has verified are left out.
fn reliability(judged: &[Judged<'_>], models: &[Model]) -> (Tenths, Tenths, Tenths) {
    let (mut by_alignment, mut by_second, mut by_clip) =
        (Tenths::default(), Tenths::default(), Tenths::default());
    for judged in judged {
        let (made, model) = (judged.made, of(models, judged.made));
        let probability = |found: &Found| f64::from(model.opinion(&found.alignment).probability);
        let all = [true, false]
            .into_iter()
            .flat_map(|copy| taught(made, copy, Some(model)));
        for found in all.filter(|found| found.alignment.dense.is_some()) {
            by_alignment.add(probability(found), found.right == Some(true));
        }
        if made
            .found
            .iter()
            .any(|found| found.right.is_none() && probability(found) >= UNKNOWN_MIN)
        {
            continue;
        }
        for (predicted, copied) in &judged.seconds {
            by_second.add(f64::from(*predicted), *copied);
        }
        by_clip.add(
            made.found.iter().map(probability).fold(0.0, f64::max),
            !made.truth.is_empty(),
        );
    }
    (by_alignment, by_second, by_clip)
}

fn reliability_chart(what: &str, tenths: &Tenths) -> Chart {
    let points: Vec<Point> = tenths
        .shares()
        .map(|(predicted, observed, interval, n)| Point {
            at: (predicted, observed),
            interval: Some(interval),
            word: n.to_string(),
        })
        .collect();
    Chart {
        title: format!("How true the probability of a copy is, by {what}"),
        about: vec![
            "tenths of the prediction, out of fold; beside each how many cases it has".to_owned(),
            "bars: 95 % if each case stood for itself".to_owned(),
        ],
        x: Axis {
            name: "predicted",
            scale: Scale::Linear,
            ticks: &FIFTHS,
        },
        y: Axis {
            name: "observed",
            scale: Scale::Linear,
            ticks: &FIFTHS,
        },
        diagonal: true,
        curves: vec![Curve {
            name: what.to_owned(),
            line: points.iter().map(|point| point.at).collect(),
            points,
        }],
    }
}

fn of<'a>(models: &'a [Model], made: &Observation) -> &'a Model {
    &models[Contents::fold(&made.content)]
}

fn number(judged: &[Judged<'_>], classes: &[Class]) -> usize {
    judged
        .iter()
        .filter(|judged| classes.contains(&judged.made.class))
        .count()
}

/// The classes that are hardest to distinguish from copies.
const HARD: [Class; 2] = [Class::OtherTake, Class::OtherMoment];

/// Probability above which it matters that an alignment is unverified.
const UNKNOWN_MIN: f64 = 0.05;

const FIFTHS: [f64; 6] = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0];
const ERRORS: [f64; 8] = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_rise_from_none_to_all_that_have_a_score() {
        let (copies, others) = ([0.9, 0.8, 0.3, f64::NEG_INFINITY], [0.8, 0.1]);
        let shares = shares(&copies, &others);
        assert_eq!(
            shares,
            [
                (0.0, 0.0),
                (0.0, 0.25),
                (0.5, 0.5),
                (0.5, 0.75),
                (1.0, 0.75)
            ]
        );
        assert_eq!(
            [0.0, 0.4, 0.5, 1.0].map(|others| told_at(&shares, others)),
            [0.25, 0.25, 0.75, 0.75]
        );
    }
}
