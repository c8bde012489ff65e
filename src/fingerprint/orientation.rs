//! How a clip's picture lies against a source's: turned by quarters, mirrored.
//!
//! The bits of a key are the signs of DCT coefficients against their median, row by row. Exchanging left and right turns
//! the sign of each coefficient of an odd column, above and below of an odd row, and a quarter turn exchanges rows and
//! columns besides. The median of the coefficients is so near zero that the turned key is known from the key alone, but for a
//! few bits: the picture need not be seen again.

use serde::{Deserialize, Serialize};

use super::{ClipKey, Key, Place};

/// How the clip has to be changed to lie like the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Orientation {
    /// Quarter turns clockwise, 0..=3, after the mirroring.
    pub turns: u8,
    /// Whether left and right are exchanged first.
    pub mirrored: bool,
}

impl Orientation {
    /// As it is.
    pub const UPRIGHT: Orientation = Orientation { turns: 0, mirrored: false };
    /// Left and right exchanged.
    pub const MIRRORED: Orientation = Orientation { turns: 0, mirrored: true };
    /// Those that every search tries.
    pub const USUAL: [Orientation; 2] = [Orientation::UPRIGHT, Orientation::MIRRORED];

    /// All eight.
    pub fn all() -> impl Iterator<Item = Orientation> {
        (0..4).flat_map(|turns| [false, true].map(|mirrored| Orientation { turns, mirrored }))
    }

    /// The key of the same patch in the changed clip.
    pub fn key(self, seen: &ClipKey) -> Key {
        let key = if self.mirrored { seen.mirrored } else { seen.key };
        match self.turns {
            0 => key,
            1 => mirrored(transposed(key)),
            2 => upside_down(mirrored(key)),
            _ => upside_down(transposed(key)),
        }
    }

    /// The place in the changed clip of a place in a clip of so many heights' width.
    pub fn place(self, place: Place, aspect: f32) -> Place {
        let Place { x, y, size } = place;
        let x = if self.mirrored { aspect - x } else { x };
        // After a quarter turn the width is the height, and all is told in its units.
        match self.turns {
            0 => Place { x, y, size },
            1 => Place { x: (1.0 - y) / aspect, y: x / aspect, size: size / aspect },
            2 => Place { x: aspect - x, y: 1.0 - y, size },
            _ => Place { x: y / aspect, y: (aspect - x) / aspect, size: size / aspect },
        }
    }

    /// Width in heights of the changed clip.
    pub fn aspect(self, aspect: f32) -> f32 {
        if self.turns.is_multiple_of(2) { aspect } else { 1.0 / aspect }
    }
}

/// Bits of the odd columns of a row of 16.
const ODD: u64 = 0xaaaa_aaaa_aaaa_aaaa;

/// Bits of the odd rows of four.
const LOWER: u64 = 0xffff_0000_ffff_0000;

fn mirrored(key: Key) -> Key {
    Key(key.0.map(|word| word ^ ODD))
}

fn upside_down(key: Key) -> Key {
    Key(key.0.map(|word| word ^ LOWER))
}

/// The key of the patch with rows and columns exchanged.
fn transposed(key: Key) -> Key {
    let mut words = [0_u64; 4];
    for row in 0..16 {
        for column in 0..16 {
            let bit = key.0[row / 4] >> (16 * (row % 4) + column) & 1;
            words[column / 4] |= bit << (16 * (column % 4) + row);
        }
    }
    Key(words)
}

#[cfg(test)]
mod tests {
    use super::super::KeyKind;
    use super::super::hash::{self, PATCH, Patch};
    use super::super::testing::texture;
    use super::*;

    #[test]
    fn a_turned_key_is_nearly_the_key_of_the_turned_patch() {
        for seed in 0..20 {
            let patch: Patch =
                std::array::from_fn(|i| texture(2.0 * (i % PATCH) as f32, 2.0 * (i / PATCH) as f32, seed));
            let seen = ClipKey {
                keyframe: 0,
                kind: KeyKind::Region,
                place: Place::default(),
                key: hash::key(&patch),
                mirrored: hash::mirrored_key(&patch),
                recurs: false,
            };
            for orientation in Orientation::all() {
                let turned: Patch = std::array::from_fn(|i| {
                    let (x, y) = (i % PATCH, i / PATCH);
                    let end = PATCH - 1;
                    // Where the pixel (x, y) of the turned patch was.
                    let (x, y) = match orientation.turns {
                        0 => (x, y),
                        1 => (y, end - x),
                        2 => (end - x, end - y),
                        _ => (end - y, x),
                    };
                    patch[y * PATCH + if orientation.mirrored { end - x } else { x }]
                });
                let distance = orientation.key(&seen).distance(hash::key(&turned));
                assert!(distance <= 24, "{orientation:?}: {distance} bits");
            }
        }
    }

    #[test]
    fn a_place_turns_with_its_picture_and_four_quarters_bring_it_back() {
        let (place, aspect) = (Place { x: 0.5, y: 0.25, size: 0.2 }, 16.0 / 9.0);
        let quarter = Orientation { turns: 1, mirrored: false };
        let once = quarter.place(place, aspect);
        // The upper left of a wide picture comes to the upper right of a high one.
        assert!(once.x > 0.5 * quarter.aspect(aspect) && once.y < 0.5, "{once:?}");
        let mut back = (place, aspect);
        for _ in 0..4 {
            back = (quarter.place(back.0, back.1), quarter.aspect(back.1));
        }
        assert!((back.0.x - place.x).abs() < 1e-6 && (back.0.y - place.y).abs() < 1e-6, "{back:?}");
        assert!((back.0.size - place.size).abs() < 1e-6 && (back.1 - aspect).abs() < 1e-6);
        for orientation in Orientation::all() {
            let there = orientation.place(place, aspect);
            assert!((0.0..=orientation.aspect(aspect)).contains(&there.x) && (0.0..=1.0).contains(&there.y));
        }
    }
}
