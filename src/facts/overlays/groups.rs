//! Groups of neighbouring cells, and the boxes around them (pure).

/// A box of cells; right and bottom are outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Box {
    pub(super) left: usize,
    pub(super) top: usize,
    pub(super) right: usize,
    pub(super) bottom: usize,
}

/// Cells that touch, or nearly do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) area: Box,
    pub(super) cells: usize,
}

impl Box {
    fn size(&self) -> usize {
        (self.right - self.left) * (self.bottom - self.top)
    }

    /// Its shorter side.
    pub(super) fn thickness(&self) -> usize {
        (self.right - self.left).min(self.bottom - self.top)
    }

    /// Whether the cell lies in it.
    pub(super) fn holds(&self, x: usize, y: usize) -> bool {
        (self.left..self.right).contains(&x) && (self.top..self.bottom).contains(&y)
    }

    /// With `by` more cells on each side, as far as there are some.
    pub(super) fn grown(&self, by: usize, across: usize, down: usize) -> Box {
        Box {
            left: self.left.saturating_sub(by),
            top: self.top.saturating_sub(by),
            right: (self.right + by).min(across),
            bottom: (self.bottom + by).min(down),
        }
    }

    /// The box around both.
    pub(super) fn with(&self, other: &Box) -> Box {
        Box {
            left: self.left.min(other.left),
            top: self.top.min(other.top),
            right: self.right.max(other.right),
            bottom: self.bottom.max(other.bottom),
        }
    }

    /// What both have.
    pub(super) fn within(&self, other: &Box) -> Option<Box> {
        let (left, top) = (self.left.max(other.left), self.top.max(other.top));
        let (right, bottom) = (self.right.min(other.right), self.bottom.min(other.bottom));
        (left < right && top < bottom).then_some(Box {
            left,
            top,
            right,
            bottom,
        })
    }

    /// How many cells both have.
    pub(super) fn shared(&self, other: &Box) -> usize {
        self.within(other).map_or(0, |both| both.size())
    }

    /// Whether the other one is at the same place: most of the smaller lies in the larger, on the
    /// same lines.
    pub(super) fn is_place_of(&self, other: &Box) -> bool {
        let lines = self
            .bottom
            .min(other.bottom)
            .saturating_sub(self.top.max(other.top));
        let taller = (self.bottom - self.top).max(other.bottom - other.top);
        2 * self.shared(other) >= self.size().min(other.size()) && 2 * lines >= taller
    }
}

impl Group {
    /// Whether it may be burnt in: neither a speck nor half of the picture, nor a line that crosses
    /// it.
    pub(super) fn is_overlay(&self, across: usize, down: usize) -> bool {
        let tall = self.area.bottom - self.area.top;
        self.cells >= CELLS_MIN
            && self.area.size() * 4 <= across * down
            && tall * 2 <= down
            // The outline of a thing is sparse, writing and marks are dense.
            && self.cells * 5 >= self.area.size() * 2
    }
}

/// The groups of the cells that `is` marks; a gap of one cell parts none.
pub(super) fn groups(across: usize, down: usize, is: &dyn Fn(usize, usize) -> bool) -> Vec<Group> {
    let mut seen = vec![false; across * down];
    let mut found = Vec::new();
    for start in 0..across * down {
        let (x, y) = (start % across, start / across);
        if seen[start] || !is(x, y) {
            continue;
        }
        seen[start] = true;
        let mut group = Group {
            area: Box {
                left: x,
                top: y,
                right: x + 1,
                bottom: y + 1,
            },
            cells: 0,
        };
        let mut left = vec![(x, y)];
        while let Some((x, y)) = left.pop() {
            group.cells += 1;
            let here = Box {
                left: x,
                top: y,
                right: x + 1,
                bottom: y + 1,
            };
            group.area = group.area.with(&here);
            let around = Box {
                left: x.saturating_sub(ACROSS),
                right: (x + ACROSS + 1).min(across),
                top: y.saturating_sub(DOWN),
                bottom: (y + DOWN + 1).min(down),
            };
            for y in around.top..around.bottom {
                for x in around.left..around.right {
                    let at = y * across + x;
                    if !seen[at] && is(x, y) {
                        seen[at] = true;
                        left.push((x, y));
                    }
                }
            }
        }
        found.push(group);
    }
    found
}

/// Fewest cells of an overlay.
const CELLS_MIN: usize = 4;
/// How far the next cell of a group may be: words stand apart, lines less so.
const ACROSS: usize = 3;
const DOWN: usize = 1;
