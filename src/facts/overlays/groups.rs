//! Groups of neighbouring cells, and the boxes around them (pure).

/// A box of cells; `right` and `bottom` are exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Box {
    pub(super) left: usize,
    pub(super) top: usize,
    pub(super) right: usize,
    pub(super) bottom: usize,
}

/// Cells that touch or nearly touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) area: Box,
    pub(super) cells: usize,
}

impl Box {
    fn size(&self) -> usize {
        (self.right - self.left) * (self.bottom - self.top)
    }

    /// The length of its shorter side, in cells.
    pub(super) fn thickness(&self) -> usize {
        (self.right - self.left).min(self.bottom - self.top)
    }

    /// Whether it contains the cell.
    pub(super) fn holds(&self, x: usize, y: usize) -> bool {
        (self.left..self.right).contains(&x) && (self.top..self.bottom).contains(&y)
    }

    /// The box enlarged by `by` cells on each side, within the picture.
    pub(super) fn grown(&self, by: usize, across: usize, down: usize) -> Box {
        Box {
            left: self.left.saturating_sub(by),
            top: self.top.saturating_sub(by),
            right: (self.right + by).min(across),
            bottom: (self.bottom + by).min(down),
        }
    }

    /// The smallest box around both.
    pub(super) fn with(&self, other: &Box) -> Box {
        Box {
            left: self.left.min(other.left),
            top: self.top.min(other.top),
            right: self.right.max(other.right),
            bottom: self.bottom.max(other.bottom),
        }
    }

    /// The intersection of both.
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

    /// Number of cells in the intersection.
    pub(super) fn shared(&self, other: &Box) -> usize {
        self.within(other).map_or(0, |both| both.size())
    }

    /// Whether both are at the same place: at least half of the smaller box, and half of the height
    /// of the taller, lie in the other.
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
    /// Whether it may be burnt in: it is no speck, takes at most a quarter of the picture and half
    /// of its height, and is dense.
    pub(super) fn is_overlay(&self, across: usize, down: usize) -> bool {
        let tall = self.area.bottom - self.area.top;
        self.cells >= CELLS_MIN
            && self.area.size() * 4 <= across * down
            && tall * 2 <= down
            // The outline of an object is sparse; writing and marks are dense.
            && self.cells * 5 >= self.area.size() * 2
    }
}

/// Groups the cells that `is` marks: cells within `ACROSS` columns and `DOWN` rows belong together.
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

/// Minimum number of cells of an overlay.
const CELLS_MIN: usize = 4;
/// Maximum distance to the next cell of a group, across and down: words are further apart than
/// lines.
const ACROSS: usize = 3;
const DOWN: usize = 1;
