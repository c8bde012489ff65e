//! A sum of small decision trees that gives the logarithm of the odds (pure).
//!
//! Each tree compares a few terms with limits and adds the value of the leaf it reaches (gradient
//! boosting: Friedman 2001). The change of value at each step is credited to the term compared
//! there, so that the bits of the base and of all terms add up to the whole.

/// Trees and the base they add to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Forest {
    /// Bits before the first tree.
    pub base: f32,
    /// Nodes of each tree, starting with the root.
    pub trees: Vec<Vec<Node>>,
}

/// A decision node or a leaf.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Node {
    /// Number of the term to compare.
    pub term: u16,
    /// A term above the limit leads to the node after `next`, any other to `next`.
    pub limit: f32,
    /// Number of a later node of this tree; 0 for a leaf.
    pub next: u16,
    /// Mean value of the leaves below, in bits.
    pub bits: f32,
}

impl Forest {
    /// The bits of the base and of each term; their sum is the logarithm of the odds. NaN if a term
    /// is NaN.
    pub fn bits(&self, terms: &[f32]) -> (f32, Vec<f32>) {
        let (mut base, mut bits) = (self.base, vec![0.0; terms.len()]);
        if terms.iter().any(|term| term.is_nan()) {
            return (f32::NAN, bits);
        }
        for tree in &self.trees {
            let Some(mut node) = tree.first() else {
                continue;
            };
            base += node.bits;
            while node.next > 0 {
                let term = usize::from(node.term);
                let above = terms.get(term).is_some_and(|value| *value > node.limit);
                let Some(next) = tree.get(usize::from(node.next) + usize::from(above)) else {
                    break;
                };
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
        Node {
            term,
            limit,
            next,
            bits,
        }
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
        let shallow = vec![
            node(1, 1.0, 1, 0.0),
            node(0, 0.0, 0, -0.5),
            node(0, 0.0, 0, 0.25),
        ];
        let forest = Forest {
            base: -3.0,
            trees: vec![deep, shallow, vec![]],
        };
        // A term at its limit is not above it.
        assert_eq!(forest.bits(&[0.5, 9.0]), (-2.0, vec![-2.0, 0.25]));
        assert_eq!(forest.bits(&[0.6, 2.0]), (-2.0, vec![1.0, -0.25]));
        assert_eq!(forest.bits(&[0.6, 2.1]), (-2.0, vec![1.0, 2.25]));
        assert!(forest.bits(&[f32::NAN, 0.0]).0.is_nan());
    }
}
