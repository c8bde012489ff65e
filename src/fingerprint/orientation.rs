//! The orientation of a clip's picture relative to a source's: quarter turns, mirroring, tilt,
//! stretch, negative.
//!
//! The bits of a key are the signs of DCT coefficients against their median, row by row. Mirroring
//! left and right flips the sign of each coefficient in an odd column; mirroring top and bottom
//! does so in odd rows. A quarter turn also swaps rows and columns. A negative flips all signs but
//! that of the mean. The median of the coefficients is so near zero that these keys follow from the
//! key alone, but for a few bits: the picture is not needed again. A tilted or stretched patch has
//! other coefficients, so its keys are made from the picture together with the plain ones.

use serde::{Deserialize, Serialize};

use super::{ClipKey, Key, Place};

/// How to change the clip so that it matches the source.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Orientation {
    /// Quarter turns clockwise, 0..=3, after mirroring.
    pub turns: u8,
    /// Whether left and right are swapped first.
    pub mirrored: bool,
    /// The warp between the two.
    pub warp: Warp,
    /// Whether bright and dark are swapped.
    pub negative: bool,
}

/// A linear map of the frame about its centre that changes a patch's coefficients.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub enum Warp {
    /// None.
    #[default]
    None,
    /// A turn by these degrees clockwise, negative anticlockwise: one of [`TILTS`].
    Tilt(i8),
    /// The new width in ninths of the old: one of [`WIDTHS`].
    Width(u8),
    /// A stretch along the diagonal from the upper left, to this many tenths of the other diagonal;
    /// if negative, along the other: one of [`SLANTS`].
    Slant(i8),
}

/// The angles of tilts, in degrees. Keys tolerate about six on either side, so all up to 30 are
/// covered.
pub const TILTS: [i8; 4] = [12, -12, 24, -24];

/// The widths of stretched clips, in ninths of the original: 4:3, 16:9, 3:4 and 9:16. Keys tolerate
/// a factor of about 1.15 on either side, so all from a half to twice are covered.
pub const WIDTHS: [u8; 4] = [12, 16, 7, 5];

/// The ratios of diagonals, in tenths. Together with [`WIDTHS`], they approximate a screen that is
/// filmed from above and aside.
pub const SLANTS: [i8; 2] = [16, -16];

impl Warp {
    /// All warps searched for; [`ClipKey::warped`] has their keys in this order.
    pub const ALL: [Warp; 10] = {
        let mut all = [Warp::None; 10];
        let mut i = 0;
        while i < 4 {
            all[i] = Warp::Tilt(TILTS[i]);
            all[4 + i] = Warp::Width(WIDTHS[i]);
            i += 1;
        }
        (all[8], all[9]) = (Warp::Slant(SLANTS[0]), Warp::Slant(SLANTS[1]));
        all
    };

    /// The angle clockwise, in radians.
    pub fn angle(self) -> f32 {
        match self {
            Warp::Tilt(degrees) => f32::from(degrees).to_radians(),
            Warp::None | Warp::Width(_) | Warp::Slant(_) => 0.0,
        }
    }

    /// The factor by which it widens the frame.
    pub fn width(self) -> f32 {
        match self {
            Warp::Width(ninths) => f32::from(ninths) / 9.0,
            Warp::None | Warp::Tilt(_) | Warp::Slant(_) => 1.0,
        }
    }

    /// The ratio of the diagonal from the upper left to the other, if both were equal before.
    pub fn slant(self) -> f32 {
        match self {
            Warp::Slant(tenths) if tenths < 0 => 10.0 / -f32::from(tenths),
            Warp::Slant(tenths) => f32::from(tenths) / 10.0,
            Warp::None | Warp::Tilt(_) | Warp::Width(_) => 1.0,
        }
    }

    /// Maps a point, measured from the centre of the frame in its heights.
    pub fn apply(self, across: f32, down: f32) -> (f32, f32) {
        let (sin, cos) = self.angle().sin_cos();
        match self {
            Warp::None => (across, down),
            Warp::Tilt(_) => (cos * across - sin * down, sin * across + cos * down),
            Warp::Width(_) => (self.width() * across, down),
            Warp::Slant(_) => {
                let root = self.slant().sqrt();
                let (along, aside) = (0.5 * (root + 1.0 / root), 0.5 * (root - 1.0 / root));
                (along * across + aside * down, aside * across + along * down)
            }
        }
    }

    /// The point that maps to this one.
    pub(super) fn undo(self, across: f32, down: f32) -> (f32, f32) {
        match self {
            Warp::None => (across, down),
            Warp::Tilt(degrees) => Warp::Tilt(-degrees).apply(across, down),
            Warp::Width(_) => (across / self.width(), down),
            Warp::Slant(tenths) => Warp::Slant(-tenths).apply(across, down),
        }
    }

    /// The factor for the side of a square so that its area grows as the warp's does.
    pub(super) fn growth(self) -> f32 {
        self.width().sqrt()
    }

    /// The warp that, before mirroring, has the same effect as this one after it.
    fn mirrored(self) -> Warp {
        match self {
            Warp::Tilt(degrees) => Warp::Tilt(-degrees),
            Warp::Slant(tenths) => Warp::Slant(-tenths),
            Warp::None | Warp::Width(_) => self,
        }
    }

    /// The key of the warped patch. A whole frame is not tilted, and its key is the same at any
    /// width.
    fn key(self, seen: &ClipKey) -> Key {
        match Warp::ALL.iter().position(|warp| *warp == self) {
            Some(number) => seen.warped[number],
            None => seen.key,
        }
    }
}

impl Orientation {
    /// Unchanged.
    pub const UPRIGHT: Orientation = Orientation {
        turns: 0,
        mirrored: false,
        warp: Warp::None,
        negative: false,
    };
    /// Left and right swapped.
    pub const MIRRORED: Orientation = Orientation {
        mirrored: true,
        ..Orientation::UPRIGHT
    };
    /// Orientations that every search tries.
    pub const USUAL: [Orientation; 2] = [Orientation::UPRIGHT, Orientation::MIRRORED];

    /// The eight orientations that are neither warped nor negative.
    pub fn turned() -> impl Iterator<Item = Orientation> {
        (0..4).flat_map(|turns| Orientation::USUAL.map(|usual| Orientation { turns, ..usual }))
    }

    /// The usual orientations, with each warp.
    pub fn warped() -> impl Iterator<Item = Orientation> {
        Orientation::USUAL
            .into_iter()
            .flat_map(|usual| Warp::ALL.map(|warp| Orientation { warp, ..usual }))
    }

    /// The same with bright and dark swapped.
    pub fn inverted(self) -> Orientation {
        Orientation {
            negative: !self.negative,
            ..self
        }
    }

    /// The key of the same patch in the changed clip.
    pub fn key(self, seen: &ClipKey) -> Key {
        let key = match (self.warp, self.mirrored) {
            (Warp::None, false) => seen.key,
            (Warp::None, true) => seen.mirrored,
            (warp, false) => warp.key(seen),
            // Mirroring and tilting to the right equals tilting to the left and mirroring.
            (warp, true) => mirrored(warp.mirrored().key(seen)),
        };
        let key = match self.turns {
            0 => key,
            1 => mirrored(transposed(key)),
            2 => upside_down(mirrored(key)),
            _ => upside_down(transposed(key)),
        };
        if self.negative { inverted(key) } else { key }
    }

    /// How far the clip is turned clockwise after mirroring, in degrees, 0..360.
    pub fn degrees(self) -> u32 {
        let tilt = self.warp.angle().to_degrees().round() as i32;
        (90 * i32::from(self.turns) + tilt).rem_euclid(360) as u32
    }

    /// The place in the changed clip of a place in a clip that is `aspect` heights wide.
    pub fn place(self, place: Place, aspect: f32) -> Place {
        let Place { x, y, size } = place;
        let x = if self.mirrored { aspect - x } else { x };
        let (across, down) = self.warp.apply(x - 0.5 * aspect, y - 0.5);
        let (aspect, size) = (self.warp.width() * aspect, self.warp.growth() * size);
        let (x, y) = (0.5 * aspect + across, 0.5 + down);
        // After a quarter turn the old width becomes the height and thus the unit.
        match self.turns {
            0 => Place { x, y, size },
            1 => Place {
                x: (1.0 - y) / aspect,
                y: x / aspect,
                size: size / aspect,
            },
            2 => Place {
                x: aspect - x,
                y: 1.0 - y,
                size,
            },
            _ => Place {
                x: y / aspect,
                y: (aspect - x) / aspect,
                size: size / aspect,
            },
        }
    }

    /// Width of the changed clip in heights.
    pub fn aspect(self, aspect: f32) -> f32 {
        let aspect = self.warp.width() * aspect;
        if self.turns.is_multiple_of(2) {
            aspect
        } else {
            1.0 / aspect
        }
    }
}

/// Bits of the odd columns, for four rows of 16.
const ODD: u64 = 0xaaaa_aaaa_aaaa_aaaa;

/// Bits of the odd rows of four.
const LOWER: u64 = 0xffff_0000_ffff_0000;

fn mirrored(key: Key) -> Key {
    Key(key.0.map(|word| word ^ ODD))
}

fn upside_down(key: Key) -> Key {
    Key(key.0.map(|word| word ^ LOWER))
}

/// The key of the negative. The mean of a patch is its first coefficient, and is never below the
/// median.
fn inverted(key: Key) -> Key {
    let [first, second, third, fourth] = key.0;
    Key([!first | 1, !second, !third, !fourth])
}

/// The key of the patch with rows and columns swapped.
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
            let patch: Patch = std::array::from_fn(|i| {
                texture(2.0 * (i % PATCH) as f32, 2.0 * (i / PATCH) as f32, seed)
            });
            let seen = ClipKey {
                fine: false,
                keyframe: 0,
                kind: KeyKind::Region,
                place: Place::default(),
                key: hash::key(&patch),
                mirrored: hash::mirrored_key(&patch),
                warped: [Key::default(); Warp::ALL.len()],
                recurs: false,
            };
            for orientation in
                Orientation::turned().chain(Orientation::turned().map(Orientation::inverted))
            {
                let turned: Patch = std::array::from_fn(|i| {
                    let (x, y) = (i % PATCH, i / PATCH);
                    let end = PATCH - 1;
                    // The place of the pixel (x, y) of the turned patch before turning.
                    let (x, y) = match orientation.turns {
                        0 => (x, y),
                        1 => (y, end - x),
                        2 => (end - x, end - y),
                        _ => (end - y, x),
                    };
                    let level = patch[y * PATCH + if orientation.mirrored { end - x } else { x }];
                    if orientation.negative {
                        255.0 - level
                    } else {
                        level
                    }
                });
                let distance = orientation.key(&seen).distance(hash::key(&turned));
                assert!(distance <= 24, "{orientation:?}: {distance} bits");
            }
        }
    }

    #[test]
    fn a_place_turns_with_its_picture_and_four_quarters_bring_it_back() {
        let (place, aspect) = (
            Place {
                x: 0.5,
                y: 0.25,
                size: 0.2,
            },
            16.0 / 9.0,
        );
        let quarter = Orientation {
            turns: 1,
            ..Orientation::UPRIGHT
        };
        let once = quarter.place(place, aspect);
        // The upper left of a wide picture becomes the upper right of a high one.
        assert!(
            once.x > 0.5 * quarter.aspect(aspect) && once.y < 0.5,
            "{once:?}"
        );
        let mut back = (place, aspect);
        for _ in 0..4 {
            back = (quarter.place(back.0, back.1), quarter.aspect(back.1));
        }
        assert!(
            (back.0.x - place.x).abs() < 1e-6 && (back.0.y - place.y).abs() < 1e-6,
            "{back:?}"
        );
        assert!((back.0.size - place.size).abs() < 1e-6 && (back.1 - aspect).abs() < 1e-6);
        for orientation in Orientation::turned() {
            let there = orientation.place(place, aspect);
            assert!(
                (0.0..=orientation.aspect(aspect)).contains(&there.x)
                    && (0.0..=1.0).contains(&there.y)
            );
        }
    }

    #[test]
    fn a_warped_clip_gives_the_key_and_the_place_of_the_plain_one() {
        let (width, height) = (228.0_f32, 128.0);
        let aspect = width / height;
        let picture = |width: f32, level: &dyn Fn(f32, f32) -> f32| {
            let pixels = (0..height as usize)
                .flat_map(|y| (0..width as usize).map(move |x| (x as f32, y as f32)));
            Levels::new(Plane {
                width: width as usize,
                height: height as usize,
                data: pixels.map(|(x, y)| level(x, y)).collect(),
            })
        };
        let plain = picture(width, &|x, y| texture(x, y, 3));
        let place = Place {
            x: 0.7,
            y: 0.6,
            size: 0.4,
        };
        let both = |levels: &Levels, place| {
            hash::keys_both_ways(&[place], |place, patch| levels.patch(*place, patch))[0]
        };
        let wanted = both(&plain, place).0;
        for orientation in Orientation::warped() {
            // Warped the other way, and then mirrored: an edit that a publisher may have made to
            // the plain picture.
            let edited_width = (width / orientation.warp.width()).round();
            let edited_aspect = edited_width / height;
            let edited = picture(edited_width, &|x, y| {
                let x = if orientation.mirrored {
                    edited_width - 1.0 - x
                } else {
                    x
                };
                let (across, down) = orientation
                    .warp
                    .apply(x + 0.5 - 0.5 * edited_width, y + 0.5 - 0.5 * height);
                texture(across + 0.5 * width - 0.5, down + 0.5 * height - 0.5, 3)
            });
            let (across, down) = orientation.warp.undo(place.x - 0.5 * aspect, place.y - 0.5);
            let x = 0.5 * edited_aspect + across;
            let there = Place {
                x: if orientation.mirrored {
                    edited_aspect - x
                } else {
                    x
                },
                y: 0.5 + down,
                size: place.size / orientation.warp.growth(),
            };
            let seen = ClipKey {
                fine: false,
                keyframe: 0,
                kind: KeyKind::Region,
                place: there,
                key: both(&edited, there).0,
                mirrored: both(&edited, there).1,
                warped: Warp::ALL.map(|warp| {
                    hash::keys(&[warp], |warp, patch| {
                        edited.warped_patch(there, *warp, patch)
                    })[0]
                }),
                recurs: false,
            };
            let found = orientation.place(there, edited_aspect);
            let off = (found.x - place.x).hypot(found.y - place.y);
            assert!(
                off < 0.01 && (found.size / place.size - 1.0).abs() < 1e-3,
                "{orientation:?}: {found:?}"
            );
            let distance = orientation.key(&seen).distance(wanted);
            assert!(distance <= 32, "{orientation:?}: {distance} bits");
            let unwarped = Orientation {
                warp: Warp::None,
                ..orientation
            }
            .key(&seen)
            .distance(wanted);
            assert!(
                unwarped > 72,
                "the warp alone is too much for {orientation:?}: {unwarped}"
            );
        }
    }

    #[test]
    fn degrees_are_those_of_turns_and_tilt() {
        let degrees = |turns, warp| {
            Orientation {
                turns,
                warp,
                ..Orientation::UPRIGHT
            }
            .degrees()
        };
        assert_eq!(degrees(0, Warp::None), 0);
        assert_eq!(degrees(0, Warp::Tilt(12)), 12);
        assert_eq!(degrees(0, Warp::Tilt(-24)), 336);
        assert_eq!(degrees(3, Warp::Width(12)), 270);
    }
}
