//! Opinions of the model on synthetic features.

use super::*;
use crate::align::BinomialTest;
use crate::align::dense::Dense;
use proptest::collection::vec;

/// Alignments with and without thumbnails, with any values of the features.
fn measured() -> impl Strategy<Value = Alignment> {
    let dense = (
        vec(-1.0f32..1.0, 3),
        vec(0.0f32..1.0, 4),
        0.0f32..60.0,
        0u32..60,
        -0.6f32..0.6,
    );
    let dense = prop::option::of(dense.prop_map(
        |(correlations, shares, activity, pictures, shift)| Dense {
            correlation: correlations[0],
            scene: correlations[2],
            low: correlations[0],
            next: correlations[1],
            agreeing: shares[0],
            matching: (0.0, 10.0),
            inside: shares[1],
            visible: shares[2],
            activity,
            frames: pictures,
            shift,
        },
    ));
    (dense, vec(0.0f32..2000.0, 6), vec(0.0f32..1.0, 5)).prop_map(|(dense, bits, shares)| {
        let tally = BinomialTest {
            trials: 40.0,
            successes: 40.0 * shares[0],
            null_successes: 8.0,
        };
        Alignment {
            evidence: Evidence {
                total: COMPARED_BITS + bits[0],
                distinctive: bits[1],
            },
            consistency: TemporalConsistency {
                reference_frames: tally,
                ..TemporalConsistency::default()
            },
            motion: MotionCorrelation {
                at_hypothesis: shares[1],
                off_hypothesis: shares[2],
                frames: tally,
                sum: 40.0 * shares[1],
            },
            key_recall: shares[3],
            dense,
            ..likely(0.5, 0.0, 10.0)
        }
    })
}

/// A model with the same bits for every alignment.
fn constant(pictures: f32, keys: f32) -> Model {
    let forest = |base| Forest {
        base,
        trees: Vec::new(),
    };
    Model {
        pictures: forest(pictures),
        keys: forest(keys),
        ..given()
    }
}

fn log_odds(bits: &[(&str, f32)]) -> f32 {
    bits.iter().map(|(_, bits)| bits).sum()
}

/// Variants of the alignment with one feature changed by `by`: those that favour a copy, and those
/// against one.
fn changes(alignment: &Alignment, by: f32) -> (Vec<Alignment>, Vec<Alignment>) {
    let changed = |change: &dyn Fn(&mut Alignment)| {
        let mut changed = alignment.clone();
        change(&mut changed);
        changed
    };
    let bits = 100.0 * by;
    let mut better = vec![
        changed(&|a| a.evidence.total += bits),
        changed(&|a| a.evidence.distinctive += bits),
        changed(&|a| a.motion.at_hypothesis += by),
        changed(&|a| a.key_recall += by),
    ];
    let worse = vec![changed(&|a| a.motion.off_hypothesis += by)];
    if alignment.dense.is_some() {
        let dense = |change: &dyn Fn(&mut Dense)| changed(&|a| a.dense.iter_mut().for_each(change));
        better.extend([
            dense(&|dense| dense.correlation += by),
            dense(&|dense| dense.scene += by),
            dense(&|dense| dense.inside += by),
            dense(&|dense| dense.visible += by),
        ]);
    }
    (better, worse)
}

/// Minimum and maximum leaf below a node.
fn answers(tree: &[Node], number: usize) -> (f32, f32) {
    let node = tree[number];
    if node.next == 0 {
        return (node.bits, node.bits);
    }
    let next = usize::from(node.next);
    assert!(next > number, "questions go on further down");
    let (below, above) = (answers(tree, next), answers(tree, next + 1));
    (below.0.min(above.0), below.1.max(above.1))
}

#[test]
fn every_tree_is_monotone_in_its_terms() {
    let Model { pictures, keys, .. } = Model::default();
    let with_pictures = Alignment {
        dense: Some(Dense::default()),
        ..likely(0.5, 0.0, 10.0)
    };
    for (forest, alignment) in [(keys, likely(0.5, 0.0, 10.0)), (pictures, with_pictures)] {
        let terms = terms(&alignment);
        assert!(forest.base.is_finite() && forest.trees.len() > 10);
        for tree in &forest.trees {
            assert!(
                tree.iter()
                    .all(|node| node.bits.is_finite() && node.limit.is_finite())
            );
            for node in tree.iter().filter(|node| node.next > 0) {
                let next = usize::from(node.next);
                let (below, above) = (answers(tree, next), answers(tree, next + 1));
                match terms[usize::from(node.term)].sign {
                    1 => assert!(below.1 <= above.0 + 1e-3, "{node:?}"),
                    -1 => assert!(below.0 >= above.1 - 1e-3, "{node:?}"),
                    _ => {}
                }
            }
        }
    }
}

#[test]
fn the_names_of_terms_differ() {
    let all = terms(&Alignment {
        dense: Some(Dense::default()),
        ..likely(0.5, 0.0, 10.0)
    });
    let names: std::collections::HashSet<&str> = all.iter().map(|term| term.name).collect();
    assert_eq!(names.len(), all.len());
}

#[test]
fn identical_files_are_copies_and_chance_evidence_is_none() {
    let model = constant(0.0, 0.0);
    let same = Alignment::identical(
        VideoRef {
            segment: 0,
            video: 0,
        },
        SECOND,
    );
    assert_eq!(model.opinion(&same).probability, 1.0);
    let little = model.opinion(&with_bits(COMPARED_BITS - 1.0, copy(0.0, 10.0)));
    assert_eq!((little.probability, little.bits.len()), (0.0, 1));
    assert_eq!(
        model
            .opinion(&with_bits(COMPARED_BITS, copy(0.0, 10.0)))
            .probability,
        0.5
    );
}

#[test]
fn a_clear_copy_and_a_clear_other_take_are_told_apart_by_their_pictures() {
    let tally = BinomialTest {
        trials: 20.0,
        successes: 18.0,
        null_successes: 4.0,
    };
    let motion = MotionCorrelation {
        frames: tally,
        sum: 16.0,
        at_hypothesis: 0.8,
        off_hypothesis: 0.2,
    };
    let same = Dense {
        low: 0.97,
        agreeing: 1.0,
        next: 0.2,
        matching: (0.0, 10.0),
        correlation: 0.97,
        scene: 0.99,
        activity: 25.0,
        inside: 1.0,
        visible: 1.0,
        frames: 20,
        shift: 0.0,
    };
    let consistency = TemporalConsistency {
        reference_frames: tally,
        clip_frames: tally,
        ..TemporalConsistency::default()
    };
    let copy = Alignment {
        dense: Some(same),
        motion,
        consistency,
        key_recall: 0.9,
        ..copy(0.0, 10.0)
    };
    let taken = Alignment {
        dense: Some(Dense {
            correlation: 0.2,
            low: -0.2,
            agreeing: 0.1,
            ..same
        }),
        motion: MotionCorrelation {
            at_hypothesis: 0.2,
            sum: 4.0,
            ..motion
        },
        consistency: TemporalConsistency::default(),
        ..copy.clone()
    };
    let of = |alignment: &Alignment| Model::default().opinion(alignment).probability;
    let policy = Policy::default();
    assert!(
        of(&copy) >= policy.published_min() && of(&taken) < 0.5,
        "{} {}",
        of(&copy),
        of(&taken)
    );
    // Without thumbnails, keys must not contradict this.
    let without = |alignment: &Alignment| {
        of(&Alignment {
            dense: None,
            ..alignment.clone()
        })
    };
    assert!(without(&copy) > without(&taken) && without(&taken) < policy.published_min());
}

proptest! {
    #[test]
    fn bits_add_up_to_the_odds(alignment in measured()) {
        for model in [Model::default(), given()] {
            let Opinion { probability, bits, .. } = model.opinion(&alignment);
            prop_assert!((0.0..=1.0).contains(&probability));
            prop_assert_eq!(bits.len(), 1 + terms(&alignment).len());
            let sum = log_odds(&bits);
            let odds = (f64::from(probability) / (1.0 - f64::from(probability))).log2() as f32;
            if sum.abs() < 12.0 {
                prop_assert!((sum - odds).abs() < 0.02, "{sum} {odds}");
            } else {
                prop_assert!(odds.abs() > 11.9 && odds.signum() == sum.signum(), "{sum} {odds}");
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
    fn more_evidence_never_lowers_the_probability(
        alignment in measured(), by in 0.0f32..2.0,
    ) {
        let (better, worse) = changes(&alignment, by);
        for model in [Model::default(), given()] {
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
fn a_filtered_copy_that_keys_still_identify_is_not_payable() {
    let alignment = Alignment {
        dense: Some(Dense {
            correlation: -0.3,
            ..Dense::default()
        }),
        ..copy(0.0, 10.0)
    };
    for (keys, state) in [
        (-6.0, SpanState::Unpublished),
        (0.0, SpanState::Unsearchable),
    ] {
        let model = constant(-6.0, keys);
        let judgement = judge(
            &clip(10),
            std::slice::from_ref(&alignment),
            &[],
            7,
            SECOND,
            &Policy::default(),
            &model,
        );
        assert_eq!(judgement.parts.len(), 1, "{:?}", judgement.parts);
        assert_eq!(judgement.parts[0].state, state);
    }
}
