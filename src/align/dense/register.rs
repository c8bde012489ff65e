//! Registers the clip to the reference, and finds the rectangle that agrees.

use super::super::affine::{Affine, Perturbation};
use super::level::{Level, Pair};

/// Refines a map to minimise the disagreement of the counted cells; `step` scales the initial
/// steps.
pub(super) fn register(
    level: &Level,
    start: Affine,
    pairs: &[Pair],
    counted: &[bool],
    step: f32,
    evaluations: usize,
) -> Affine {
    let aspect = level.reference.aspect();
    let cost = &mut |perturbation: &Perturbation| {
        if perturbation.iter().any(|change| change.abs() > CHANGE_MAX) {
            return 1.0;
        }
        level.cost(
            &start.after(&Affine::perturbation(perturbation, aspect)),
            pairs,
            counted,
        )
    };
    start.after(&Affine::perturbation(
        &minimise(cost, FIRST_STEPS.map(|first| step * first), evaluations),
        aspect,
    ))
}

/// A local minimum near zero, by the simplex method (Nelder and Mead 1965).
fn minimise(
    cost: &mut dyn FnMut(&Perturbation) -> f32,
    steps: Perturbation,
    evaluations: usize,
) -> Perturbation {
    const SIDES: usize = 5;
    let mut left = evaluations;
    let mut costed = |at: Perturbation| {
        left = left.saturating_sub(1);
        (at, cost(&at), left > 0)
    };
    let mut simplex = vec![costed([0.0; SIDES])];
    for (side, step) in steps.into_iter().enumerate() {
        let mut at = [0.0; SIDES];
        at[side] = step;
        simplex.push(costed(at));
    }
    loop {
        simplex.sort_by(|a, b| a.1.total_cmp(&b.1));
        let worst = simplex[SIDES];
        let middle: Perturbation = std::array::from_fn(|i| {
            simplex[..SIDES]
                .iter()
                .map(|vertex| vertex.0[i])
                .sum::<f32>()
                / SIDES as f32
        });
        let mut along = |factor: f32| {
            costed(std::array::from_fn(|i| {
                middle[i] + factor * (worst.0[i] - middle[i])
            }))
        };
        let reflected = along(-1.0);
        let mut more = reflected.2;
        if reflected.1 < simplex[0].1 {
            let expanded = along(-2.0);
            simplex[SIDES] = if expanded.1 < reflected.1 {
                expanded
            } else {
                reflected
            };
            more &= expanded.2;
        } else if reflected.1 < simplex[SIDES - 1].1 {
            simplex[SIDES] = reflected;
        } else {
            let contracted = along(if reflected.1 < worst.1 { -0.5 } else { 0.5 });
            more &= contracted.2;
            if contracted.1 < worst.1.min(reflected.1) {
                simplex[SIDES] = contracted;
            } else {
                let best = simplex[0].0;
                for vertex in &mut simplex[1..] {
                    *vertex = costed(std::array::from_fn(|i| 0.5 * (vertex.0[i] + best[i])));
                    more &= vertex.2;
                }
            }
        }
        if !more {
            simplex.sort_by(|a, b| a.1.total_cmp(&b.1));
            return simplex[0].0;
        }
    }
}

/// The cells of the rectangle with the greatest sum of scores, positive for cells that agree.
pub(super) fn agreeing(disagreement: &[f32], columns: usize) -> Vec<bool> {
    let rows = disagreement.len() / columns.max(1);
    let score = |cell: &f32| {
        if cell.is_finite() {
            AGREE - cell
        } else {
            -AGREE
        }
    };
    let scores: Vec<f32> = disagreement.iter().map(score).collect();
    let mut best = (0.0, [0; 4]);
    for top in 0..rows {
        let mut sums = vec![0.0_f32; columns];
        for bottom in top..rows {
            sums.iter_mut()
                .zip(&scores[bottom * columns..])
                .for_each(|(sum, score)| *sum += score);
            // The run of columns with the greatest sum (Kadane).
            let (mut run, mut left) = (0.0, 0);
            for (column, sum) in sums.iter().enumerate() {
                if run <= 0.0 {
                    (run, left) = (0.0, column);
                }
                run += sum;
                if run > best.0 {
                    best = (run, [left, top, column + 1, bottom + 1]);
                }
            }
        }
    }
    let [left, top, right, bottom] = best.1;
    let inside = |cell: usize| {
        (left..right).contains(&(cell % columns)) && (top..bottom).contains(&(cell / columns))
    };
    (0..disagreement.len()).map(inside).collect()
}

/// Initial steps of the parameters.
const FIRST_STEPS: Perturbation = [0.08, 0.08, 0.05, 0.06, 0.06];

/// Maximum change of any parameter in one registration.
const CHANGE_MAX: f32 = 0.3;

/// Maximum disagreement of a cell that agrees, 0..=1.
const AGREE: f32 = 0.4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_minimum_of_a_bowl_is_found() {
        let bottom = [0.05, -0.03, 0.02, 0.04, -0.06];
        let cost =
            &mut |at: &Perturbation| at.iter().zip(&bottom).map(|(x, y)| (x - y) * (x - y)).sum();
        let found = minimise(cost, FIRST_STEPS, 400);
        assert!(
            found.iter().zip(&bottom).all(|(x, y)| (x - y).abs() < 2e-3),
            "{found:?}"
        );
    }

    #[test]
    fn the_rectangle_that_agrees_excludes_other_cells() {
        // Six columns and four rows: an inset of 3 x 2, other footage, and cells that are not
        // visible.
        let mut cells = vec![0.9; 24];
        for (column, row) in [(1, 1), (2, 1), (3, 1), (1, 2), (2, 2), (3, 2)] {
            cells[row * 6 + column] = 0.05;
        }
        cells[0] = f32::NAN;
        let inside: Vec<usize> = agreeing(&cells, 6)
            .iter()
            .enumerate()
            .filter(|(_, inside)| **inside)
            .map(|(i, _)| i)
            .collect();
        assert_eq!(inside, [7, 8, 9, 13, 14, 15]);
        assert!(agreeing(&[0.9; 24], 6).iter().all(|inside| !inside));
    }
}
