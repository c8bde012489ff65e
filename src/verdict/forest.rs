//! A sum of small decision trees, which tells the logarithm of odds (pure).
//!
//! Each tree asks for a few terms whether they exceed a limit, and adds what the answers are worth
//! (gradient boosting: Friedman 2001). What an answer changes is credited to the term that was
//! asked for, so that the bits of all terms and of the base add up to the whole.

/// Trees, and what they start from.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Forest {
    /// Bits before any tree was asked.
    pub base: f32,
    /// The nodes of each tree, the first of which is its root.
    pub trees: Vec<Vec<Node>>,
}

/// A question, or an answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Node {
    /// Number of the term that is asked for.
    pub term: u16,
    /// Terms above it go on at the node after `next`, others at `next`.
    pub limit: f32,
    /// Number of a node of this tree, greater than its own; 0 if this is an answer.
    pub next: u16,
    /// What the answers are worth on average, in bits.
    pub bits: f32,
}

impl Forest {
    /// What the base is worth, and what each term adds, in bits: their sum is the logarithm of the
    /// odds. Not a number if a term is none.
    pub fn bits(&self, terms: &[f32]) -> (f32, Vec<f32>) {
        let (mut base, mut bits) = (self.base, vec![0.0; terms.len()]);
        if terms.iter().any(|term| term.is_nan()) {
            return (f32::NAN, bits);
        }
        for tree in &self.trees {
            let Some(mut node) = tree.first() else { continue };
            base += node.bits;
            while node.next > 0 {
                let term = usize::from(node.term);
                let above = terms.get(term).is_some_and(|value| *value > node.limit);
                let Some(next) = tree.get(usize::from(node.next) + usize::from(above)) else { break };
                if let Some(bits) = bits.get_mut(term) {
                    *bits += next.bits - node.bits;
                }
                node = next;
            }
        }
        (base, bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(term: u16, limit: f32, next: u16, bits: f32) -> Node {
        Node { term, limit, next, bits }
    }

    #[test]
    fn the_base_and_what_terms_add_are_what_the_trees_answer() {
        let deep = vec![
            node(0, 0.5, 1, 1.0),
            node(0, 0.0, 0, -1.0),
            node(1, 2.0, 3, 2.0),
            node(0, 0.0, 0, 1.5),
            node(0, 0.0, 0, 4.0),
        ];
        let shallow = vec![node(1, 1.0, 1, 0.0), node(0, 0.0, 0, -0.5), node(0, 0.0, 0, 0.25)];
        let forest = Forest { base: -3.0, trees: vec![deep, shallow, vec![]] };
        // A term at its limit is not above it.
        assert_eq!(forest.bits(&[0.5, 9.0]), (-2.0, vec![-2.0, 0.25]));
        assert_eq!(forest.bits(&[0.6, 2.0]), (-2.0, vec![1.0, -0.25]));
        assert_eq!(forest.bits(&[0.6, 2.1]), (-2.0, vec![1.0, 2.25]));
        assert!(forest.bits(&[f32::NAN, 0.0]).0.is_nan());
    }
}
