//! How a clip's picture lies against a source's: turned by quarters, mirrored, tilted.
//!
//! The bits of a key are the signs of DCT coefficients against their median, row by row. Exchanging left and right turns
//! the sign of each coefficient of an odd column, above and below of an odd row, and a quarter turn exchanges rows and
//! columns besides. The median of the coefficients is so near zero that the turned key is known from the key alone, but for a
//! few bits: the picture need not be seen again. A tilted patch has other coefficients, so its keys are made with the others.

use serde::{Deserialize, Serialize};

use super::{ClipKey, Key, Place};

/// How the clip has to be changed to lie like the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Orientation {
    /// Quarter turns clockwise, 0..=3, after the mirroring.
    pub turns: u8,
    /// Whether left and right are exchanged first.
    pub mirrored: bool,
    /// How it is tilted between the two.
    pub tilt: Tilt,
}

/// A turn by [`TILT`], about the middle of the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub enum Tilt {
    /// None.
    #[default]
    Upright,
    /// To the right.
    Clockwise,
    /// To the left.
    Anticlockwise,
}

impl Tilt {
    /// The angle clockwise, in radians.
    pub fn angle(self) -> f32 {
        match self {
            Tilt::Upright => 0.0,
            Tilt::Clockwise => TILT,
            Tilt::Anticlockwise => -TILT,
        }
    }
}

/// The angle of a tilt, in radians: 12 degrees. Keys tolerate some six on either side, so that all up to 18 are covered.
pub const TILT: f32 = 12.0 * std::f32::consts::PI / 180.0;

impl Orientation {
    /// As it is.
    pub const UPRIGHT: Orientation = Orientation { turns: 0, mirrored: false, tilt: Tilt::Upright };
    /// Left and right exchanged.
    pub const MIRRORED: Orientation = Orientation { turns: 0, mirrored: true, tilt: Tilt::Upright };
    /// Those that every search tries.
    pub const USUAL: [Orientation; 2] = [Orientation::UPRIGHT, Orientation::MIRRORED];

    /// The eight that are not tilted.
    pub fn turned() -> impl Iterator<Item = Orientation> {
        (0..4).flat_map(|turns| [false, true].map(|mirrored| Orientation { turns, mirrored, tilt: Tilt::Upright }))
    }

    /// The usual ones, tilted to either side.
    pub fn tilted() -> impl Iterator<Item = Orientation> {
        let tilts = [Tilt::Clockwise, Tilt::Anticlockwise];
        Orientation::USUAL.into_iter().flat_map(move |usual| tilts.map(|tilt| Orientation { tilt, ..usual }))
    }

    /// The key of the same patch in the changed clip; the key of a whole frame is not tilted.
    pub fn key(self, seen: &ClipKey) -> Key {
        let [clockwise, anticlockwise] = seen.tilted;
        let key = match (self.tilt, self.mirrored) {
            (Tilt::Upright, false) => seen.key,
            (Tilt::Upright, true) => seen.mirrored,
            (Tilt::Clockwise, false) => clockwise,
            (Tilt::Anticlockwise, false) => anticlockwise,
            // Tilting a mirrored picture to the right is mirroring one that was tilted to the left.
            (Tilt::Clockwise, true) => mirrored(anticlockwise),
            (Tilt::Anticlockwise, true) => mirrored(clockwise),
        };
        match self.turns {
            0 => key,
            1 => mirrored(transposed(key)),
            2 => upside_down(mirrored(key)),
            _ => upside_down(transposed(key)),
        }
    }

    /// How far the clip is turned clockwise, mirrored first, in degrees, 0..360.
    pub fn degrees(self) -> u32 {
        let tilt = self.tilt.angle().to_degrees().round() as i32;
        (90 * i32::from(self.turns) + tilt).rem_euclid(360) as u32
    }

    /// The place in the changed clip of a place in a clip of so many heights' width.
    pub fn place(self, place: Place, aspect: f32) -> Place {
        let Place { x, y, size } = place;
        let x = if self.mirrored { aspect - x } else { x };
        let (sin, cos) = self.tilt.angle().sin_cos();
        let (across, down) = (x - 0.5 * aspect, y - 0.5);
        let (x, y) = match self.tilt {
            Tilt::Upright => (x, y),
            _ => (0.5 * aspect + cos * across - sin * down, 0.5 + sin * across + cos * down),
        };
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
    use super::super::plane::Plane;
    use super::super::region::Levels;
    use super::super::testing::texture;
    use super::*;

    #[test]
    fn a_turned_key_is_nearly_the_key_of_the_turned_patch() {
        for seed in 0..20 {
            let patch: Patch =
                std::array::from_fn(|i| texture(2.0 * (i % PATCH) as f32, 2.0 * (i / PATCH) as f32, seed));
            let seen = ClipKey {
                fine: false,
                keyframe: 0,
                kind: KeyKind::Region,
                place: Place::default(),
                key: hash::key(&patch),
                mirrored: hash::mirrored_key(&patch),
                tilted: [Key::default(); 2],
                recurs: false,
            };
            for orientation in Orientation::turned() {
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
        let quarter = Orientation { turns: 1, ..Orientation::UPRIGHT };
        let once = quarter.place(place, aspect);
        // The upper left of a wide picture comes to the upper right of a high one.
        assert!(once.x > 0.5 * quarter.aspect(aspect) && once.y < 0.5, "{once:?}");
        let mut back = (place, aspect);
        for _ in 0..4 {
            back = (quarter.place(back.0, back.1), quarter.aspect(back.1));
        }
        assert!((back.0.x - place.x).abs() < 1e-6 && (back.0.y - place.y).abs() < 1e-6, "{back:?}");
        assert!((back.0.size - place.size).abs() < 1e-6 && (back.1 - aspect).abs() < 1e-6);
        for orientation in Orientation::turned() {
            let there = orientation.place(place, aspect);
            assert!((0.0..=orientation.aspect(aspect)).contains(&there.x) && (0.0..=1.0).contains(&there.y));
        }
    }

    #[test]
    fn a_tilted_clip_gives_the_key_and_the_place_of_the_upright_one() {
        let (width, height) = (228, 128);
        let aspect = width as f32 / height as f32;
        let picture = |level: &dyn Fn(f32, f32) -> f32| {
            let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (x as f32, y as f32)));
            Levels::new(Plane { width, height, data: pixels.map(|(x, y)| level(x, y)).collect() })
        };
        let upright = picture(&|x, y| texture(x, y, 3));
        let place = Place { x: 0.7, y: 0.6, size: 0.4 };
        let wanted = hash::key(&upright.patch(place));
        for orientation in Orientation::tilted() {
            // Turned the other way, and then mirrored: what a publisher may have done to the upright picture.
            let (sin, cos) = (-orientation.tilt.angle()).sin_cos();
            let edited = picture(&|x, y| {
                let x = if orientation.mirrored { width as f32 - 1.0 - x } else { x };
                let (across, down) = (x + 0.5 - 0.5 * width as f32, y + 0.5 - 0.5 * height as f32);
                let (across, down) = (cos * across + sin * down, cos * down - sin * across);
                texture(across + 0.5 * width as f32 - 0.5, down + 0.5 * height as f32 - 0.5, 3)
            });
            let back = Orientation { tilt: Tilt::Upright, ..orientation };
            let other = if orientation.tilt == Tilt::Clockwise { Tilt::Anticlockwise } else { Tilt::Clockwise };
            let turned = Orientation { tilt: other, ..Orientation::UPRIGHT }.place(place, aspect);
            let there = back.place(turned, aspect);
            let seen = ClipKey {
                fine: false,
                keyframe: 0,
                kind: KeyKind::Region,
                place: there,
                key: hash::key(&edited.patch(there)),
                mirrored: Key::default(),
                tilted: [Tilt::Clockwise, Tilt::Anticlockwise]
                    .map(|tilt| hash::key(&edited.tilted_patch(there, tilt.angle()))),
                recurs: false,
            };
            let found = orientation.place(there, aspect);
            assert!((found.x - place.x).hypot(found.y - place.y) < 1e-5, "{orientation:?}: {found:?}");
            let distance = orientation.key(&seen).distance(wanted);
            assert!(distance <= 32, "{orientation:?}: {distance} bits");
            assert!(seen.key.distance(wanted) > 72, "the tilt alone is too much for {orientation:?}");
        }
    }

    #[test]
    fn degrees_are_those_of_turns_and_tilt() {
        let degrees = |turns, tilt| Orientation { turns, mirrored: false, tilt }.degrees();
        assert_eq!(degrees(0, Tilt::Upright), 0);
        assert_eq!(degrees(0, Tilt::Clockwise), 12);
        assert_eq!(degrees(0, Tilt::Anticlockwise), 348);
        assert_eq!(degrees(3, Tilt::Upright), 270);
    }
}
