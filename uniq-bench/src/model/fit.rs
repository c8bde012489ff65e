//! Fits the models on the training alignments, and writes them as source code (pure).

use uniq::align::Alignment;
use uniq::verdict::{COMPARED_BITS, Forest, Model, Node, PowerModel, Term, key_terms, terms};

use super::boost::boosted;
use super::contents::{Contents, FOLDS};
use super::observe::{Found, Observation};
use super::plan::Class;

/// An example: its terms, whether it is a copy, and its weight.
#[derive(Debug, Clone)]
pub(crate) struct Example {
    pub(crate) values: Vec<f64>,
    pub(crate) copy: bool,
    pub(crate) weight: f64,
}

/// The model of each fold, fitted on all other folds, and last the model fitted on all.
pub(crate) fn fit(observations: &[Observation]) -> Vec<Model> {
    let all = |without: Option<usize>| {
        let chosen: Vec<&Observation> = observations
            .iter()
            .filter(|made| without != Some(Contents::fold(&made.content)))
            .collect();
        // Only the best alignment of a copy counts as one. Worse ones of the same copy, in another
        // orientation or of a short time, would be misleading examples. A first model decides which
        // is best.
        let fitted = |best: Option<&Model>| Model {
            power: PowerModel::default(),
            pictures: forest(&chosen, best, &|alignment| {
                alignment.dense.is_some().then(|| terms(alignment))
            }),
            keys: forest(&chosen, best, &|alignment| {
                Some(key_terms(alignment).to_vec())
            }),
        };
        let first = fitted(None);
        fitted(Some(&first))
    };
    (0..FOLDS).map(Some).chain([None]).map(all).collect()
}

/// Whether an alignment is an example: it is known whether it is a copy. At another time of its own
/// source it mostly shows repeated or still content, and is no counterexample.
pub(crate) fn teaches(made: &Observation, found: &Found) -> bool {
    let own_copy = matches!(made.class, Class::Copy | Class::Crossing) && found.own;
    found.alignment.evidence.total >= COMPARED_BITS
        && found.right.is_some_and(|right| right || !own_copy)
}

/// The examples of an excerpt that are copies, or that are not. With a model, only the most
/// probable copy of each copied part.
pub(crate) fn taught<'a>(
    made: &'a Observation,
    copy: bool,
    best: Option<&Model>,
) -> Vec<&'a Found> {
    let all = made
        .found
        .iter()
        .filter(|found| teaches(made, found) && found.right == Some(copy));
    let (true, Some(model)) = (copy, best) else {
        return all.collect();
    };
    let all: Vec<&Found> = all.collect();
    let mut chosen: Vec<&Found> = Vec::new();
    for ((from, to), _) in &made.truth {
        let shared = |found: &Found| {
            let (start, end) = (
                found.alignment.clip.start.as_secs_f64(),
                found.alignment.clip.end.as_secs_f64(),
            );
            end.min(*to) - start.max(*from)
        };
        let probability = |found: &Found| model.opinion(&found.alignment).probability;
        let of_part = all.iter().copied().filter(|found| shared(found) > 0.0);
        if let Some(best) = of_part.max_by(|a, b| probability(a).total_cmp(&probability(b)))
            && !chosen.iter().any(|other| std::ptr::eq(*other, best))
        {
            chosen.push(best);
        }
    }
    chosen
}

fn forest(
    observations: &[&Observation],
    best: Option<&Model>,
    of: &dyn Fn(&Alignment) -> Option<Vec<Term>>,
) -> Forest {
    let (mut examples, mut signs) = (Vec::new(), Vec::new());
    for made in observations {
        for copy in [false, true] {
            let taught = taught(made, copy, best);
            for terms in taught.into_iter().filter_map(|found| of(&found.alignment)) {
                signs = terms.iter().map(|term| term.sign).collect();
                examples.push(Example {
                    values: terms.iter().map(|term| f64::from(term.value)).collect(),
                    copy,
                    weight: 1.0,
                });
            }
        }
    }
    boosted(&examples, &signs)
}

/// Base and weights of maximum likelihood, with a penalty on the weights and the required signs:
/// accelerated projected gradients (Nesterov 1983) on standardised values.
pub(crate) fn logistic(examples: &[Example], signs: &[i8]) -> Vec<f64> {
    let count = signs.len();
    let total: f64 = examples
        .iter()
        .map(|example| example.weight)
        .sum::<f64>()
        .max(f64::MIN_POSITIVE);
    let mean_of = |value: &dyn Fn(&Example) -> f64| {
        examples
            .iter()
            .map(|example| example.weight * value(example))
            .sum::<f64>()
            / total
    };
    let means: Vec<f64> = (0..count)
        .map(|i| mean_of(&|example| example.values[i]))
        .collect();
    let spreads: Vec<f64> = (0..count)
        .map(|i| {
            mean_of(&|example| (example.values[i] - means[i]).powi(2))
                .sqrt()
                .max(1e-6)
        })
        .collect();
    let rows: Vec<Vec<f64>> = examples
        .iter()
        .map(|example| {
            (0..count)
                .map(|i| (example.values[i] - means[i]) / spreads[i])
                .collect()
        })
        .collect();
    // The curvature is at most a quarter of the sum of the squares, each of which is one.
    let step = 1.0 / (0.25 * (count as f64 + 1.0) + 2.0 * PENALTY);
    let (mut at, mut ahead, mut momentum) = (vec![0.0; count + 1], vec![0.0; count + 1], 1.0_f64);
    for _ in 0..ROUNDS {
        let mut slope = vec![0.0; count + 1];
        for (example, row) in examples.iter().zip(&rows) {
            let odds = ahead[0]
                + row
                    .iter()
                    .zip(&ahead[1..])
                    .map(|(value, weight)| value * weight)
                    .sum::<f64>();
            let off = example.weight / total
                * (1.0 / (1.0 + (-odds).exp()) - f64::from(u8::from(example.copy)));
            slope[0] += off;
            slope[1..]
                .iter_mut()
                .zip(row)
                .for_each(|(slope, value)| *slope += off * value);
        }
        let mut next = vec![0.0; count + 1];
        next[0] = ahead[0] - step * slope[0];
        for i in 0..count {
            let weight = ahead[i + 1] - step * (slope[i + 1] + 2.0 * PENALTY * ahead[i + 1]);
            next[i + 1] = match signs[i] {
                1 => weight.max(0.0),
                -1 => weight.min(0.0),
                _ => weight,
            };
        }
        let faster = 0.5 * (1.0 + (1.0 + 4.0 * momentum * momentum).sqrt());
        ahead = next
            .iter()
            .zip(&at)
            .map(|(next, at)| next + (momentum - 1.0) / faster * (next - at))
            .collect();
        (at, momentum) = (next, faster);
    }
    let weights: Vec<f64> = (0..count).map(|i| at[i + 1] / spreads[i]).collect();
    let base = at[0]
        - weights
            .iter()
            .zip(&means)
            .map(|(weight, mean)| weight * mean)
            .sum::<f64>();
    std::iter::once(base).chain(weights).collect()
}

/// The source code of the fitted numbers; the same model gives the same file.
pub(crate) fn source(model: &Model, excerpts: usize, contents: usize) -> String {
    let trees = |forest: &Forest| {
        let node = |node: &Node| {
            format!(
                "({}, {:.4}, {}, {:.4})",
                node.term, node.limit, node.next, node.bits
            )
        };
        let tree = |tree: &Vec<Node>| {
            format!(
                "    &[{}],\n",
                tree.iter().map(node).collect::<Vec<_>>().join(", ")
            )
        };
        forest.trees.iter().map(tree).collect::<String>()
    };
    let weights = model
        .power
        .weights
        .iter()
        .map(|weight| format!("{weight:.4}"))
        .collect::<Vec<_>>()
        .join(", ");
    let edits = model
        .power
        .edits
        .iter()
        .map(|(name, more)| format!("({name:?}, {more:.3})"));
    format!(
        "//! Fitted numbers of the model, written by `uniq-bench model --write`; not to be edited.\n\
         //!\n\
         //! Fitted on {excerpts} excerpts of {contents} contents.\n\n\
         #![allow(clippy::approx_constant, reason = \"fitted numbers may lie near known ones\")]\n\n\
         /// Of each node of each tree: the term, its limit, the node that follows, and bits.\n\
         type Trees = &'static [&'static [(u16, f32, u16, f32)]];\n\n\
         /// Of alignments whose pictures were compared.\n\
         pub(super) const PICTURES_BASE: f32 = {:.4};\n\
         #[rustfmt::skip]\n\
         pub(super) const PICTURES: Trees = &[\n{}];\n\n\
         /// Of alignments without pictures.\n\
         pub(super) const KEYS_BASE: f32 = {:.4};\n\
         #[rustfmt::skip]\n\
         pub(super) const KEYS: Trees = &[\n{}];\n\n\
         /// Base and weights of the power.\n\
         #[rustfmt::skip]\n\
         pub(super) const POWER: [f32; {}] = [{weights}];\n\n\
         /// What classes of edits add to the base.\n\
         #[rustfmt::skip]\n\
         pub(super) const POWER_EDITS: [(&str, f32); {}] = [{}];\n",
        model.pictures.base,
        trees(&model.pictures),
        model.keys.base,
        trees(&model.keys),
        model.power.weights.len(),
        model.power.edits.len(),
        edits.collect::<Vec<_>>().join(", "),
    )
}

/// Penalty on the square of a standardised weight.
const PENALTY: f64 = 1e-4;

/// Number of steps.
const ROUNDS: usize = 2000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn known_weights_are_found_again_and_signs_are_kept() {
        let mut random = Random::new(3);
        let example = |random: &mut Random| {
            let values = vec![2.0 * random.ratio(), random.ratio(), random.ratio()];
            let odds: f64 = 3.0 * values[0] - 2.0 * values[1] - 1.0;
            Example {
                copy: random.ratio() < 1.0 / (1.0 + (-odds).exp()),
                values,
                weight: 1.0,
            }
        };
        let examples: Vec<Example> = (0..20_000).map(|_| example(&mut random)).collect();
        let free = logistic(&examples, &[0, 0, 0]);
        let off = |found: &[f64], expected: [f64; 4]| {
            found
                .iter()
                .zip(expected)
                .all(|(a, b)| (a - b).abs() < 0.25)
        };
        assert!(off(&free, [-1.0, 3.0, -2.0, 0.0]), "{free:?}");
        let bound = logistic(&examples, &[1, 1, 1]);
        assert!(bound[1] > 2.0 && bound[2] == 0.0, "{bound:?}");
    }
}
