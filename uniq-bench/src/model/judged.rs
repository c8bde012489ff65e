//! How the model judges contents that it was not fitted on.

use std::collections::BTreeMap;

use anyhow::Context;
use uniq::Fingerprint;
use uniq::sample::CORPUS_INTERVAL;
use uniq::verdict::{Judgement, MatchKind, Model, POWER_TERMS, Policy, SpanState, Verdict, judge, power_terms};

use super::contents::Contents;
use super::fit::taught;
use super::observe::Observation;
use super::plan::Class;
use crate::cache::Cache;
use crate::random::Random;
use crate::statistics::Tenths;

/// A copied second.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Second {
    /// What tells how surely it is found.
    pub(crate) terms: [f32; POWER_TERMS],
    /// Whether it is called published.
    pub(crate) found: bool,
}

/// What became of an excerpt.
#[derive(Debug, Clone)]
pub(crate) struct Judged<'a> {
    pub(crate) made: &'a Observation,
    /// Whether a copy of the right source at the right time is told.
    pub(crate) found: bool,
    /// Whether anything is called published that is not.
    pub(crate) accused: bool,
    pub(crate) verdict: Verdict,
    /// Why parts of it are unsearchable.
    pub(crate) reasons: Vec<String>,
    /// Seconds that are copies, and of them published and payable; all others, of them published
    /// and not payable.
    pub(crate) copied_s: f64,
    pub(crate) paid_s: f64,
    pub(crate) own_s: f64,
    /// The copied seconds one by one.
    pub(crate) copied: Vec<Second>,
    pub(crate) accused_s: f64,
    pub(crate) withheld_s: f64,
}

/// Judges each excerpt with the model of its fold.
pub(crate) fn judged<'a>(
    observations: &'a [Observation],
    models: &[Model],
    policy: &Policy,
    cache: &Cache,
) -> anyhow::Result<Vec<Judged<'a>>> {
    observations.iter().map(|made| one(made, &models[Contents::fold(&made.content)], policy, cache)).collect()
}

fn one<'a>(made: &'a Observation, model: &Model, policy: &Policy, cache: &Cache) -> anyhow::Result<Judged<'a>> {
    let clip = cache.known_fingerprint(&made.key).with_context(|| format!("{}: its fingerprint is lost", made.clip))?;
    let alignments: Vec<_> = made.found.iter().map(|found| found.alignment.clone()).collect();
    let judgement = judge(&clip, &alignments, &[], made.videos, CORPUS_INTERVAL, policy, model);
    let copies = || judgement.matches.iter().filter(|(_, kind)| *kind == MatchKind::Copy).map(|(i, _)| &made.found[*i]);
    let truth: Vec<(f64, f64)> = made.truth.iter().map(|(clip_s, _)| *clip_s).collect();
    let of = |state: SpanState| {
        let spans = judgement.parts.iter().filter(|part| part.state == state);
        spans.fold((0.0, 0.0), |(copied, own), part| {
            let (start, end) = (part.span.start.as_secs_f64(), part.span.end.as_secs_f64());
            let shared: f64 = truth.iter().map(|(from, to)| (end.min(*to) - start.max(*from)).max(0.0)).sum();
            (copied + shared, own + (end - start - shared).max(0.0))
        })
    };
    let [published, unpublished, unsearchable] =
        [SpanState::Published, SpanState::Unpublished, SpanState::Unsearchable].map(of);
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
        reasons: judgement.reasons.iter().map(|reason| reason.text.clone()).collect(),
        copied_s: published.0 + unpublished.0 + unsearchable.0,
        paid_s: if payable { unpublished.0 } else { 0.0 },
        copied: copied(&clip, &judgement, &truth),
        own_s: published.1 + unpublished.1 + unsearchable.1,
        accused_s: published.1,
        withheld_s: unsearchable.1 + if payable { 0.0 } else { unpublished.1 },
    })
}

/// The copied seconds of a clip.
fn copied(clip: &Fingerprint, judgement: &Judgement, truth: &[(f64, f64)]) -> Vec<Second> {
    let second = |(number, terms): (usize, [f32; POWER_TERMS])| {
        let middle = number as f64 + 0.5;
        let within = |(from, to): &(f64, f64)| (*from..*to).contains(&middle);
        let found = judgement.parts.iter().any(|part| {
            part.state == SpanState::Published && within(&(part.span.start.as_secs_f64(), part.span.end.as_secs_f64()))
        });
        truth.iter().any(within).then_some(Second { terms, found })
    };
    power_terms(clip).into_iter().enumerate().filter_map(second).collect()
}

/// The table, with intervals of 95 % over contents.
pub(crate) fn table(judged: &[Judged<'_>]) -> String {
    let mut text = String::from(
        "class                 n   contents  found at the right time  accused                  undecided  unpublished  copies payable  own published  own withheld\n",
    );
    for (class, name) in Class::ALL {
        let of: Vec<&Judged<'_>> = judged.iter().filter(|judged| judged.made.class == class).collect();
        let mut by_content: BTreeMap<&str, Vec<&Judged<'_>>> = BTreeMap::new();
        for judged in &of {
            let family = judged.made.family.as_deref().filter(|_| class == Class::OtherTake);
            by_content.entry(family.unwrap_or(&judged.made.content)).or_default().push(judged);
        }
        let groups: Vec<&Vec<&Judged<'_>>> = by_content.values().collect();
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
            (shares[RESAMPLED / 40], shares[RESAMPLED - 1 - RESAMPLED / 40])
        };
        let told = |what: &dyn Fn(&Judged<'_>) -> bool| {
            let (low, high) = interval(what);
            format!("{:5.1} % ({:.1} to {:.1})", 100.0 * share(what), 100.0 * low, 100.0 * high)
        };
        let sum = |value: &dyn Fn(&Judged<'_>) -> f64| of.iter().map(|judged| value(judged)).sum::<f64>();
        let ratio = |part: f64, whole: f64| {
            if whole > 0.0 { format!("{:6.2} %", 100.0 * part / whole) } else { "-".to_owned() }
        };
        text.push_str(&format!(
            "{name:18} {:5}   {:8}  {:>23}  {:>23}  {:7.1} %  {:9.1} %  {:>14}  {:>13}  {:>12}\n",
            of.len(),
            groups.len(),
            if matches!(class, Class::Copy | Class::Crossing) { told(&|judged| judged.found) } else { "-".to_owned() },
            told(&|judged| judged.accused),
            100.0 * share(&|judged| judged.verdict == Verdict::Inconclusive),
            100.0 * share(&|judged| judged.verdict == Verdict::Unpublished),
            ratio(sum(&|judged| judged.paid_s), sum(&|judged| judged.copied_s)),
            ratio(sum(&|judged| judged.accused_s), sum(&|judged| judged.own_s)),
            ratio(sum(&|judged| judged.withheld_s), sum(&|judged| judged.own_s)),
        ));
    }
    text
}

/// Predicted and observed shares of copies among alignments, by tenths, and the logarithmic loss in
/// bits.
pub(crate) fn reliability(observations: &[Observation], models: &[Model]) -> String {
    let mut tenths = Tenths::default();
    let (mut loss, mut count) = (0.0, 0.0);
    for made in observations {
        let model = &models[Contents::fold(&made.content)];
        let taught = [true, false].into_iter().flat_map(|copy| taught(made, copy, Some(model)));
        for found in taught.filter(|found| found.alignment.dense.is_some()) {
            let probability = f64::from(model.opinion(&found.alignment).probability);
            let copy = found.right == Some(true);
            tenths.add(probability, copy);
            loss -= if copy { probability } else { 1.0 - probability }.max(1e-6).log2();
            count += 1.0;
        }
    }
    format!("log-loss {:.4} bits an alignment, of {count}\n{}", loss / f64::max(count, 1.0), tenths.text())
}

/// Excerpts that are judged wrongly, a line each.
pub(crate) fn mistakes(judged: &[Judged<'_>], models: &[Model]) -> String {
    let mut text = String::new();
    for judged in judged {
        let made = judged.made;
        let model = &models[Contents::fold(&made.content)];
        let missed = matches!(made.class, Class::Copy | Class::Crossing) && !judged.found;
        let paid = judged.paid_s > 0.5;
        let withheld = !matches!(made.class, Class::Copy) && judged.verdict == Verdict::Inconclusive;
        if !(missed || judged.accused || paid || withheld) {
            continue;
        }
        let best = |right: bool| {
            let of = made.found.iter().filter(|found| found.right == Some(right));
            let of = of.map(|found| (model.opinion(&found.alignment).probability, &found.alignment));
            of.max_by(|a, b| a.0.total_cmp(&b.0)).map_or("-".to_owned(), |(probability, alignment)| {
                let dense = alignment.dense.map_or("no pictures".to_owned(), |dense| {
                    format!(
                        "r {:.2} worst {:.2} in {:.2} area {:.2} hid {:.2} n {} act {:.0}",
                        dense.correlation,
                        dense.worst,
                        dense.inside,
                        dense.visible,
                        dense.hidden,
                        dense.pictures,
                        dense.activity
                    )
                });
                format!("{probability:.2} [{:.0} bits, {dense}]", alignment.evidence.total)
            })
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

/// Resamples of a bootstrap.
const RESAMPLED: usize = 1000;
