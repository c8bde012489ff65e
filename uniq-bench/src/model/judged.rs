//! Judges contents by models that were not fitted on them.

use std::collections::BTreeMap;

use anyhow::Context;
use uniq::align::{Alignment, Span};
use uniq::sample::CORPUS_INTERVAL;
use uniq::verdict::{
    Judgement, MatchKind, Model, POWER_TERMS, Policy, SpanState, Verdict, judge, power_terms,
};
use uniq::{Fingerprint, evidence};

use super::contents::Contents;
use super::fit::taught;
use super::observe::Observation;
use super::plan::Class;
use crate::cache::Cache;
use crate::precision::{Segment, micro_average};
use crate::random::Random;
use crate::statistics::{Tenths, ratio};

/// A copied second.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Second {
    /// The terms of its power.
    pub(crate) terms: [f32; POWER_TERMS],
    /// Whether it is called published.
    pub(crate) found: bool,
}

/// The judgement of an excerpt.
#[derive(Debug, Clone)]
pub(crate) struct Judged<'a> {
    pub(crate) made: &'a Observation,
    /// Whether a copy of the right source at the right time was reported.
    pub(crate) found: bool,
    /// Whether anything is wrongly called published.
    pub(crate) accused: bool,
    pub(crate) verdict: Verdict,
    /// Why parts of it are unsearchable.
    pub(crate) reasons: Vec<String>,
    /// Seconds that are copies, and how many of these are published and payable; all other seconds,
    /// and how many of these are published and not payable.
    pub(crate) copied_s: f64,
    pub(crate) paid_s: f64,
    pub(crate) own_s: f64,
    /// The copied seconds one by one.
    pub(crate) copied: Vec<Second>,
    pub(crate) accused_s: f64,
    pub(crate) withheld_s: f64,
    /// For each second the probability that it was published, and whether it is a copy.
    pub(crate) seconds: Vec<(f32, bool)>,
    /// Everything found, with its score: see [`crate::precision`].
    pub(crate) segments: Vec<Segment>,
}

/// Judges each excerpt by the model of its fold.
pub(crate) fn judged<'a>(
    observations: &'a [Observation],
    models: &[Model],
    policy: &Policy,
    cache: &Cache,
) -> anyhow::Result<Vec<Judged<'a>>> {
    observations
        .iter()
        .map(|made| one(made, &models[Contents::fold(&made.content)], policy, cache))
        .collect()
}

fn one<'a>(
    made: &'a Observation,
    model: &Model,
    policy: &Policy,
    cache: &Cache,
) -> anyhow::Result<Judged<'a>> {
    let clip = cache
        .known_fingerprint(&made.key)
        .with_context(|| format!("{}: its fingerprint is lost", made.clip))?;
    let alignments: Vec<_> = made
        .found
        .iter()
        .map(|found| found.alignment.clone())
        .collect();
    let judgement = judge(
        &clip,
        &alignments,
        &[],
        made.videos,
        CORPUS_INTERVAL,
        policy,
        model,
    );
    let copies = || {
        judgement
            .matches
            .iter()
            .filter(|(_, kind)| *kind == MatchKind::Copy)
            .map(|(i, _)| &made.found[*i])
    };
    let truth: Vec<(f64, f64)> = made.truth.iter().map(|(clip_s, _)| *clip_s).collect();
    let of = |state: SpanState| {
        let spans = judgement.parts.iter().filter(|part| part.state == state);
        spans.fold((0.0, 0.0), |(copied, own), part| {
            let (start, end) = (part.span.start.as_secs_f64(), part.span.end.as_secs_f64());
            let shared: f64 = truth
                .iter()
                .map(|(from, to)| (end.min(*to) - start.max(*from)).max(0.0))
                .sum();
            (copied + shared, own + (end - start - shared).max(0.0))
        })
    };
    let [published, unpublished, unsearchable] = [
        SpanState::Published,
        SpanState::Unpublished,
        SpanState::Unsearchable,
    ]
    .map(of);
    let payable = judgement.verdict != Verdict::Inconclusive;
    let known_wrong = copies().any(|found| found.right == Some(false) && !found.own);
    Ok(Judged {
        made,
        found: copies().any(|found| found.right == Some(true)),
        accused: match made.class {
            Class::Copy | Class::Crossing => known_wrong,
            _ => copies().any(|found| found.right == Some(false)),
        },
        verdict: judgement.verdict,
        reasons: judgement
            .reasons
            .iter()
            .map(|reason| reason.text.clone())
            .collect(),
        copied_s: published.0 + unpublished.0 + unsearchable.0,
        paid_s: if payable { unpublished.0 } else { 0.0 },
        copied: copied(&clip, &judgement, &truth),
        seconds: seconds(&judgement, &truth),
        segments: segments(made, &judgement),
        own_s: published.1 + unpublished.1 + unsearchable.1,
        accused_s: published.1,
        withheld_s: unsearchable.1 + if payable { 0.0 } else { unpublished.1 },
    })
}

fn seconds(judgement: &Judgement, truth: &[(f64, f64)]) -> Vec<(f32, bool)> {
    let is_copy = |second: usize| {
        truth
            .iter()
            .any(|(from, to)| (*from..*to).contains(&(second as f64 + 0.5)))
    };
    judgement
        .timeline
        .iter()
        .enumerate()
        .map(|(second, probability)| (*probability, is_copy(second)))
        .collect()
}

/// Everything found in an excerpt, regardless of the policy. In a pair, the second number is 0 for
/// the excerpt's own source. Possible copies that nobody has verified are left out.
fn segments(made: &Observation, judgement: &Judgement) -> Vec<Segment> {
    let known = made
        .found
        .iter()
        .zip(&judgement.opinions)
        .filter(|(found, _)| found.own || found.right.is_some());
    let mut others = Vec::new();
    known
        .map(|(found, opinion)| {
            let Alignment {
                clip,
                reference,
                video,
                ..
            } = found.alignment;
            let number = others
                .iter()
                .position(|other| *other == video)
                .unwrap_or_else(|| {
                    others.push(video);
                    others.len() - 1
                });
            let span = |span: Span| (span.start.as_secs_f64(), span.end.as_secs_f64());
            Segment {
                pair: (0, if found.own { 0 } else { 1 + number }),
                query: span(clip),
                reference: span(reference),
                score: f64::from(opinion.probability),
            }
        })
        .collect()
}

/// Average precision over segments; each excerpt is a query.
fn average_precision(judged: &[&Judged<'_>]) -> Option<f64> {
    let (mut truths, mut found) = (Vec::new(), Vec::new());
    for (query, judged) in judged.iter().enumerate() {
        truths.extend(
            judged
                .made
                .truth
                .iter()
                .map(|&(of_query, reference)| Segment {
                    pair: (query, 0),
                    query: of_query,
                    reference,
                    score: 0.0,
                }),
        );
        found.extend(judged.segments.iter().map(|segment| Segment {
            pair: (query, segment.pair.1),
            ..*segment
        }));
    }
    micro_average(&truths, &found)
}

/// The copied seconds of a clip.
fn copied(clip: &Fingerprint, judgement: &Judgement, truth: &[(f64, f64)]) -> Vec<Second> {
    let second = |(number, terms): (usize, [f32; POWER_TERMS])| {
        let middle = number as f64 + 0.5;
        let within = |(from, to): &(f64, f64)| (*from..*to).contains(&middle);
        let found = judgement.parts.iter().any(|part| {
            part.state == SpanState::Published
                && within(&(part.span.start.as_secs_f64(), part.span.end.as_secs_f64()))
        });
        truth.iter().any(within).then_some(Second { terms, found })
    };
    power_terms(clip)
        .into_iter()
        .enumerate()
        .filter_map(second)
        .collect()
}

/// The table, with intervals of 95 % over contents. For classes without copies, the average
/// precision is that of the edited copies with these excerpts added, which shows the cost of their
/// false alarms.
pub(crate) fn table(judged: &[Judged<'_>]) -> String {
    let mut text = String::from(
        "class                 n   contents  found at the right time  accused                  undecided  unpublished  copies payable  own published  own withheld  segment AP\n",
    );
    for (class, name) in Class::ALL {
        let of: Vec<&Judged<'_>> = judged
            .iter()
            .filter(|judged| judged.made.class == class)
            .collect();
        let mut by_content: BTreeMap<&str, Vec<&Judged<'_>>> = BTreeMap::new();
        for judged in &of {
            let family = judged
                .made
                .family
                .as_deref()
                .filter(|_| class == Class::OtherTake);
            by_content
                .entry(family.unwrap_or(&judged.made.content))
                .or_default()
                .push(judged);
        }
        let groups: Vec<&Vec<&Judged<'_>>> = by_content.values().collect();
        // For classes without copies: that of the edited copies with these added.
        let precision = |of: &[&Judged<'_>]| {
            let copies = judged
                .iter()
                .filter(|judged| judged.made.class == Class::Copy);
            let has_copies = matches!(class, Class::Copy | Class::Crossing);
            let with: Vec<&Judged<'_>> = of
                .iter()
                .copied()
                .chain(copies.filter(|_| !has_copies && !of.is_empty()))
                .collect();
            average_precision(&with).map_or("-".to_owned(), |average| format!("{average:.4}"))
        };
        let share = |what: &dyn Fn(&Judged<'_>) -> bool| {
            of.iter().filter(|judged| what(judged)).count() as f64 / of.len().max(1) as f64
        };
        let interval = |what: &dyn Fn(&Judged<'_>) -> bool| {
            let mut random = Random::new(1);
            let mut shares: Vec<f64> = (0..RESAMPLED)
                .map(|_| {
                    let (mut hits, mut all) = (0, 0);
                    for _ in 0..groups.len() {
                        let group = groups[random.below(groups.len())];
                        hits += group.iter().filter(|judged| what(judged)).count();
                        all += group.len();
                    }
                    f64::from(hits as u32) / f64::from(all.max(1) as u32)
                })
                .collect();
            shares.sort_by(f64::total_cmp);
            (
                shares[RESAMPLED / 40],
                shares[RESAMPLED - 1 - RESAMPLED / 40],
            )
        };
        let told = |what: &dyn Fn(&Judged<'_>) -> bool| {
            let (low, high) = interval(what);
            format!(
                "{:5.1} % ({:.1} to {:.1})",
                100.0 * share(what),
                100.0 * low,
                100.0 * high
            )
        };
        let sum =
            |value: &dyn Fn(&Judged<'_>) -> f64| of.iter().map(|judged| value(judged)).sum::<f64>();
        let share_of = |part: f64, whole: f64| {
            if whole > 0.0 {
                format!("{:6.2} %", 100.0 * part / whole)
            } else {
                "-".to_owned()
            }
        };
        text.push_str(&format!(
            "{name:18} {:5}   {:8}  {:>23}  {:>23}  {:7.1} %  {:9.1} %  {:>14}  {:>13}  {:>12}  {:>10}\n",
            of.len(),
            groups.len(),
            if matches!(class, Class::Copy | Class::Crossing) { told(&|judged| judged.found) } else { "-".to_owned() },
            told(&|judged| judged.accused),
            100.0 * share(&|judged| judged.verdict == Verdict::Inconclusive),
            100.0 * share(&|judged| judged.verdict == Verdict::Unpublished),
            share_of(sum(&|judged| judged.paid_s), sum(&|judged| judged.copied_s)),
            share_of(sum(&|judged| judged.accused_s), sum(&|judged| judged.own_s)),
            share_of(sum(&|judged| judged.withheld_s), sum(&|judged| judged.own_s)),
            precision(&of),
        ));
    }
    text
}

/// For each edit, how many copies are found and how much of them is payable, lowest first.
pub(crate) fn by_edit(judged: &[Judged<'_>]) -> String {
    let mut by_edit: BTreeMap<&str, Vec<&Judged<'_>>> = BTreeMap::new();
    for judged in judged
        .iter()
        .filter(|judged| judged.made.class == Class::Copy)
    {
        by_edit.entry(&judged.made.edit).or_default().push(judged);
    }
    let line = |(edit, of): (&str, Vec<&Judged<'_>>)| {
        let found = of.iter().filter(|judged| judged.found).count();
        let [paid, copied] = [
            of.iter().map(|one| one.paid_s).sum::<f64>(),
            of.iter().map(|one| one.copied_s).sum(),
        ];
        let share = ratio(found, of.len());
        (
            share,
            format!(
                "{edit:14} {found:5} of {:3}  {:5.1} %  {:6.2} %\n",
                of.len(),
                100.0 * share,
                100.0 * paid / copied
            ),
        )
    };
    let mut lines: Vec<(f64, String)> = by_edit.into_iter().map(line).collect();
    lines.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.cmp(&b.1)));
    let lines: String = lines.into_iter().map(|(_, line)| line).collect();
    format!("edit                  found             payable\n{lines}")
}

/// How many excerpts without their content in the index reach this much evidence, and how many the
/// model of chance predicts.
pub(crate) fn by_chance(observations: &[Observation]) -> String {
    let negatives = observations
        .iter()
        .filter(|made| made.class == Class::Negative);
    let most: Vec<f32> = negatives
        .map(|made| {
            let unrelated = made.found.iter().filter(|found| found.right == Some(false));
            unrelated
                .map(|found| found.alignment.evidence.total)
                .fold(0.0, f32::max)
        })
        .collect();
    let line = |bits: f32| {
        let predicted = most.len() as f64 * evidence::by_chance(bits);
        let observed = most.iter().filter(|reached| **reached >= bits).count();
        format!("{bits:4.0} {predicted:10.1} {observed:9}\n")
    };
    let lines: String = BITS.into_iter().map(line).collect();
    format!(
        "negatives that reach so much evidence, of {}\nbits  predicted  observed\n{lines}",
        most.len()
    )
}

/// Predicted and observed shares of copies among alignments by tenths, and the logarithmic loss in
/// bits.
pub(crate) fn reliability(observations: &[Observation], models: &[Model]) -> String {
    let mut tenths = Tenths::default();
    let (mut loss, mut count) = (0.0, 0.0);
    for made in observations {
        let model = &models[Contents::fold(&made.content)];
        let taught = [true, false]
            .into_iter()
            .flat_map(|copy| taught(made, copy, Some(model)));
        for found in taught.filter(|found| found.alignment.dense.is_some()) {
            let probability = f64::from(model.opinion(&found.alignment).probability);
            let copy = found.right == Some(true);
            tenths.add(probability, copy);
            loss -= if copy { probability } else { 1.0 - probability }
                .max(1e-6)
                .log2();
            count += 1.0;
        }
    }
    format!(
        "log-loss {:.4} bits an alignment, of {count}\n{}",
        loss / f64::max(count, 1.0),
        tenths.text()
    )
}

/// The wrongly judged excerpts, one line each.
pub(crate) fn mistakes(judged: &[Judged<'_>], models: &[Model]) -> String {
    let mut text = String::new();
    for judged in judged {
        let made = judged.made;
        let model = &models[Contents::fold(&made.content)];
        let missed = matches!(made.class, Class::Copy | Class::Crossing) && !judged.found;
        let paid = judged.paid_s > 0.5;
        let withheld =
            !matches!(made.class, Class::Copy) && judged.verdict == Verdict::Inconclusive;
        if !(missed || judged.accused || paid || withheld) {
            continue;
        }
        let best = |right: bool| {
            let of = made.found.iter().filter(|found| found.right == Some(right));
            let of = of.map(|found| {
                (
                    model.opinion(&found.alignment).probability,
                    &found.alignment,
                )
            });
            of.max_by(|a, b| a.0.total_cmp(&b.0)).map_or(
                "-".to_owned(),
                |(probability, alignment)| {
                    let dense = alignment.dense.map_or("no pictures".to_owned(), |dense| {
                        format!(
                            "r {:.2} in {:.2} area {:.2} n {} act {:.0}",
                            dense.correlation,
                            dense.inside,
                            dense.visible,
                            dense.frames,
                            dense.activity
                        )
                    });
                    format!(
                        "{probability:.2} [{:.0} bits, {dense}]",
                        alignment.evidence.total
                    )
                },
            )
        };
        text.push_str(&format!(
            "{}{}{}{} {:?} {} {}: {:?}, {:.1} s paid; right {}; wrong {}; {}\n",
            if missed { "MISSED " } else { "" },
            if judged.accused { "ACCUSED " } else { "" },
            if paid { "PAID" } else { "" },
            if withheld { "WITHHELD" } else { "" },
            made.class,
            made.edit,
            made.clip,
            judged.verdict,
            judged.paid_s,
            best(true),
            best(false),
            judged.reasons.join("; ")
        ));
    }
    text
}

/// Evidence in bits at which predicted and observed numbers are compared.
const BITS: [f32; 6] = [12.0, 16.0, 20.0, 24.0, 30.0, 40.0];

/// Number of resamples of a bootstrap.
const RESAMPLED: usize = 1000;
