//! What the model makes of what was measured.

use super::*;
use crate::align::Tally;
use crate::align::dense::Dense;
use proptest::collection::vec;

/// Alignments with and without pictures, with anything that is measured of them.
fn measured() -> impl Strategy<Value = Alignment> {
    let dense = (vec(-1.0f32..1.0, 3), vec(0.0f32..1.0, 4), 0.0f32..60.0, 0u32..60, -0.6f32..0.6);
    let dense = prop::option::of(dense.prop_map(|(correlations, shares, activity, pictures, shift)| Dense {
        correlation: correlations[0],
        worst: correlations[1],
        scene: correlations[2],
        low: correlations[0],
        next: correlations[1],
        agreeing: shares[0],
        alike: (0.0, 10.0),
        elsewhere: shares[0],
        inside: shares[1],
        visible: shares[2],
        hidden: shares[3],
        activity,
        pictures,
        shift,
    }));
    (dense, vec(0.0f32..2000.0, 6), vec(0.0f32..1.0, 5)).prop_map(|(dense, bits, shares)| {
        let tally = Tally { asked: 40.0, best: 40.0 * shares[0], by_chance: 8.0 };
        Alignment {
            evidence: Evidence { total: COMPARED_BITS + bits[0], moment: bits[1], sustained: bits[2] },
            contrast: Contrast { here: bits[3], elsewhere: bits[4], ..Contrast::default() },
            timing: Timing { source_pictures: tally, ..Timing::default() },
            moved: Moved { on_line: shares[1], elsewhere: shares[2], pictures: tally, correlations: 40.0 * shares[1] },
            found: Found { reference: shares[3], ..Found::default() },
            dense,
            ..likely(0.5, 0.0, 10.0)
        }
    })
}

/// A model whose weights have the signs of their terms; those of terms without one are as they are.
fn weighed(weights: &[f32], alignment: &Alignment) -> Model {
    let weight =
        |(term, weight): (Term, &f32)| if term.sign == 0 { *weight } else { f32::from(term.sign) * weight.abs() };
    let signed: Vec<f32> =
        std::iter::once(weights[0]).chain(terms(alignment).into_iter().zip(&weights[1..]).map(weight)).collect();
    Model { pictures: signed.clone(), keys: signed, ..Model::default() }
}

fn log_odds(bits: &[(&str, f32)]) -> f32 {
    bits.iter().map(|(_, bits)| bits).sum()
}

/// Where an alignment says so much more for a copy, and so much more against one.
fn changes(alignment: &Alignment, by: f32) -> (Vec<Alignment>, Vec<Alignment>) {
    let changed = |change: &dyn Fn(&mut Alignment)| {
        let mut changed = alignment.clone();
        change(&mut changed);
        changed
    };
    let bits = 100.0 * by;
    let mut better = vec![
        changed(&|a| a.evidence.total += bits),
        changed(&|a| a.evidence.moment += bits),
        changed(&|a| a.evidence.sustained += bits),
        changed(&|a| a.contrast.here += bits),
        changed(&|a| a.moved.on_line += by),
        changed(&|a| a.found.reference += by),
    ];
    let mut worse = vec![changed(&|a| a.contrast.elsewhere += bits), changed(&|a| a.moved.elsewhere += by)];
    if alignment.dense.is_some() {
        let dense = |change: &dyn Fn(&mut Dense)| changed(&|a| a.dense.iter_mut().for_each(change));
        better.extend([
            dense(&|dense| dense.correlation += by),
            dense(&|dense| dense.worst += by),
            dense(&|dense| dense.scene += by),
            dense(&|dense| dense.inside += by),
            dense(&|dense| dense.visible += by),
        ]);
        worse.extend([
            dense(&|dense| dense.hidden += by),
            dense(&|dense| dense.elsewhere += by),
            dense(&|dense| dense.shift += by * dense.shift.signum()),
        ]);
    }
    (better, worse)
}

#[test]
fn every_term_has_a_weight_that_goes_its_way() {
    let Model { pictures, keys, .. } = Model::default();
    let with_pictures = Alignment { dense: Some(Dense::default()), ..likely(0.5, 0.0, 10.0) };
    for (weights, alignment) in [(keys, likely(0.5, 0.0, 10.0)), (pictures, with_pictures)] {
        let terms = terms(&alignment);
        assert_eq!(weights.len(), 1 + terms.len());
        for (term, weight) in terms.iter().zip(&weights[1..]) {
            assert!(
                weight.is_finite() && (term.sign == 0 || weight * f32::from(term.sign) >= 0.0),
                "{term:?} {weight}"
            );
        }
    }
}

#[test]
fn the_names_of_terms_differ() {
    let all = terms(&Alignment { dense: Some(Dense::default()), ..likely(0.5, 0.0, 10.0) });
    let names: std::collections::HashSet<&str> = all.iter().map(|term| term.name).collect();
    assert_eq!(names.len(), all.len());
}

#[test]
fn the_same_bytes_are_a_copy_and_chance_is_none() {
    let model = weighed(&[0.0; 23], &likely(0.5, 0.0, 10.0));
    let same = Alignment::identical(VideoRef { segment: 0, video: 0 }, SECOND);
    assert_eq!(model.opinion(&same).probability, 1.0);
    let little = model.opinion(&with_bits(COMPARED_BITS - 1.0, copy(0.0, 10.0)));
    assert_eq!((little.probability, little.bits.len()), (0.0, 1));
    assert_eq!(model.opinion(&with_bits(COMPARED_BITS, copy(0.0, 10.0))).probability, 0.5);
}

#[test]
fn a_clear_copy_and_a_clear_other_take_are_told_apart_by_their_pictures() {
    let tally = Tally { asked: 20.0, best: 18.0, by_chance: 4.0 };
    let moved = Moved { pictures: tally, correlations: 16.0, on_line: 0.8, elsewhere: 0.2 };
    let same = Dense {
        low: 0.97,
        agreeing: 1.0,
        next: 0.2,
        alike: (0.0, 10.0),
        correlation: 0.97,
        worst: 0.95,
        elsewhere: 0.2,
        scene: 0.99,
        activity: 25.0,
        inside: 1.0,
        visible: 1.0,
        hidden: 0.0,
        pictures: 20,
        shift: 0.0,
    };
    let contrast = Contrast { here: 500.0, elsewhere: 100.0, moment_here: 300.0, moment_elsewhere: 30.0 };
    let timing = Timing { source_pictures: tally, clip_pictures: tally, ..Timing::default() };
    let found = Found { reference: 0.9, ..Found::default() };
    let copy = Alignment { dense: Some(same), moved, contrast, timing, found, ..copy(0.0, 10.0) };
    let taken = Alignment {
        dense: Some(Dense { correlation: 0.2, worst: 0.0, low: -0.2, agreeing: 0.1, shift: 0.4, ..same }),
        moved: Moved { on_line: 0.2, correlations: 4.0, ..moved },
        contrast: Contrast { elsewhere: 480.0, ..contrast },
        timing: Timing::default(),
        ..copy.clone()
    };
    let of = |alignment: &Alignment| Model::default().opinion(alignment).probability;
    let policy = Policy::default();
    assert!(of(&copy) >= policy.published_min() && of(&taken) < 0.5, "{} {}", of(&copy), of(&taken));
    // Of a clip without pictures keys must not say otherwise.
    let without = |alignment: &Alignment| of(&Alignment { dense: None, ..alignment.clone() });
    assert!(without(&copy) > without(&taken) && without(&taken) < policy.published_min());
}

proptest! {
    #[test]
    fn bits_add_up_to_the_odds(alignment in measured(), weights in vec(-0.3f32..0.3, 26)) {
        for model in [Model::default(), weighed(&weights, &alignment)] {
            let Opinion { probability, bits, .. } = model.opinion(&alignment);
            prop_assert!((0.0..=1.0).contains(&probability));
            prop_assert_eq!(bits.len(), 1 + terms(&alignment).len());
            let told = log_odds(&bits);
            let odds = (f64::from(probability) / (1.0 - f64::from(probability))).log2() as f32;
            if told.abs() < 12.0 {
                prop_assert!((told - odds).abs() < 0.02, "{told} {odds}");
            } else {
                prop_assert!(odds.abs() > 11.9 && odds.signum() == told.signum(), "{told} {odds}");
            }
        }
    }

    #[test]
    fn terms_are_bounded(alignment in measured()) {
        for Term { name, value, .. } in terms(&alignment) {
            prop_assert!(value.abs() <= 16.0, "{name} {value}");
        }
    }

    #[test]
    fn more_that_speaks_for_a_copy_never_makes_it_less_probable(
        alignment in measured(), weights in vec(-2.0f32..2.0, 23), by in 0.0f32..2.0,
    ) {
        let (better, worse) = changes(&alignment, by);
        for model in [Model::default(), weighed(&weights, &alignment)] {
            let probability = model.opinion(&alignment).probability;
            for other in &better {
                prop_assert!(model.opinion(other).probability >= probability - 1e-5, "{other:?}");
            }
            for other in &worse {
                prop_assert!(model.opinion(other).probability <= probability + 1e-5, "{other:?}");
            }
        }
    }
}

#[test]
fn pictures_that_a_filter_spoilt_do_not_make_a_copy_payable_that_keys_still_tell() {
    let alignment = Alignment { dense: Some(Dense { correlation: -0.3, ..Dense::default() }), ..copy(0.0, 10.0) };
    let of_pictures = terms(&alignment).len();
    let of_keys = terms(&Alignment { dense: None, ..alignment.clone() }).len();
    let base = |odds: f32, terms: usize| std::iter::once(odds).chain(std::iter::repeat_n(0.0, terms)).collect();
    for (keys, state) in [(-6.0, SpanState::Unpublished), (0.0, SpanState::Unsearchable)] {
        let model = Model { pictures: base(-6.0, of_pictures), keys: base(keys, of_keys), ..given() };
        let judgement = judge(&clip(10), std::slice::from_ref(&alignment), &[], 7, SECOND, &Policy::default(), &model);
        assert_eq!(judgement.parts.len(), 1, "{:?}", judgement.parts);
        assert_eq!(judgement.parts[0].state, state);
    }
}
