//! Fits the probability that each second of a copy is found, and compares it with the observed
//! share.

use uniq::verdict::PowerModel;

use super::contents::{Contents, FOLDS};
use super::fit::{Example, logistic};
use super::judged::{Judged, Second};
use crate::edits::Edit;
use crate::statistics::Tenths;

/// The power model of each fold, fitted on all other folds, and last the one fitted on all.
pub(crate) fn fit(judged: &[Judged<'_>]) -> Vec<PowerModel> {
    (0..FOLDS)
        .map(Some)
        .chain([None])
        .map(|without| of(judged, without))
        .collect()
}

fn of(judged: &[Judged<'_>], without: Option<usize>) -> PowerModel {
    let mut examples = Vec::new();
    let mut by_edit: Vec<(&'static str, Vec<Second>)> = Vec::new();
    for judged in judged
        .iter()
        .filter(|judged| without != Some(Contents::fold(&judged.made.content)))
    {
        // The seconds of one excerpt are mostly found together or not at all.
        let weight = 1.0 / (judged.copied.len() as f64).sqrt();
        for second in &judged.copied {
            let values = second.terms.iter().map(|term| f64::from(*term)).collect();
            examples.push(Example {
                values,
                copy: second.found,
                weight,
            });
        }
        if let Some(edit) = Edit::named(&judged.made.edit) {
            match by_edit
                .iter_mut()
                .find(|(family, _)| *family == edit.family)
            {
                Some((_, seconds)) => seconds.extend(judged.copied.iter().copied()),
                None => by_edit.push((edit.family, judged.copied.clone())),
            }
        }
    }
    let signs = vec![1; examples.first().map_or(0, |example| example.values.len())];
    let weights: Vec<f32> = logistic(&examples, &signs)
        .into_iter()
        .map(|weight| weight as f32)
        .collect();
    let model = PowerModel {
        weights,
        edits: Vec::new(),
    };
    by_edit.sort_by_key(|(family, _)| *family);
    let edits = by_edit
        .into_iter()
        .map(|(family, seconds)| (family, more(&model, &seconds)))
        .collect();
    PowerModel { edits, ..model }
}

/// The addition to the base that makes the mean power of some seconds equal to their found share,
/// with a prior towards 0.
fn more(model: &PowerModel, seconds: &[Second]) -> f32 {
    let mut more = 0.0_f64;
    for _ in 0..STEPS {
        let (mut slope, mut curve) = (-PRIOR * more, PRIOR);
        for second in seconds {
            let power = f64::from(model.power(&second.terms, more as f32));
            slope += f64::from(u8::from(second.found)) - power;
            curve += power * (1.0 - power);
        }
        more += (slope / curve).clamp(-1.0, 1.0);
    }
    more as f32
}

/// Predicted power and found share by tenths of the prediction.
pub(crate) fn reliability(judged: &[Judged<'_>], powers: &[PowerModel]) -> String {
    let mut tenths = Tenths::default();
    for judged in judged {
        let model = &powers[Contents::fold(&judged.made.content)];
        for second in &judged.copied {
            let power = f64::from(model.power(&second.terms, 0.0));
            tenths.add(power, second.found);
        }
    }
    format!("power of seconds\n{}", tenths.text())
}

/// Number of steps of Newton's method, and weight of the prior, in seconds.
const STEPS: usize = 30;
const PRIOR: f64 = 10.0;
