//! Maps points of the clip's frame to the source's, by the geometry in a report (pure).
//!
//! All points are fractions of a frame's width and height.

use crate::fingerprint::{Orientation, Place, Warp};
use crate::report::{NonMatch, Rectangle};

/// A map of the plane: `(x, y)` goes to `(a x + b y + c, d x + e y + f)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Map([f64; 6]);

impl Map {
    /// The map from the clip's frame, with this aspect ratio, to the source's; `None` if the
    /// report's numbers give no map.
    pub(super) fn to_source(found: &NonMatch, clip_aspect: f64) -> Option<Map> {
        let orientation = orientation(found);
        let aspect = (clip_aspect as f32).clamp(0.01, 100.0);
        let oriented = |u: f32, v: f32| {
            let place = orientation.place(
                Place {
                    x: u * aspect,
                    y: v,
                    size: 0.0,
                },
                aspect,
            );
            (
                f64::from(place.x / orientation.aspect(aspect)),
                f64::from(place.y),
            )
        };
        // In the oriented frame and in the source's, the shared part is the same rectangle.
        let (from, to) = (oriented_part(found), found.geometry.reference);
        let across = to.width / from.width;
        let down = to.height / from.height;
        let moved = |(x, y): (f64, f64)| (to.x + (x - from.x) * across, to.y + (y - from.y) * down);
        let (origin, right, below) = (
            moved(oriented(0.0, 0.0)),
            moved(oriented(1.0, 0.0)),
            moved(oriented(0.0, 1.0)),
        );
        let map = Map([
            right.0 - origin.0,
            below.0 - origin.0,
            origin.0,
            right.1 - origin.1,
            below.1 - origin.1,
            origin.1,
        ]);
        (map.0.iter().all(|term| term.is_finite()) && map.determinant().abs() > 1e-6).then_some(map)
    }

    /// The inverse map.
    pub(super) fn inverse(self) -> Map {
        let [a, b, c, d, e, f] = self.0;
        let det = self.determinant();
        Map([
            e / det,
            -b / det,
            (b * f - e * c) / det,
            -d / det,
            a / det,
            (d * c - a * f) / det,
        ])
    }

    /// The image of a point.
    pub(super) fn apply(self, (x, y): (f64, f64)) -> (f64, f64) {
        let [a, b, c, d, e, f] = self.0;
        (a * x + b * y + c, d * x + e * y + f)
    }

    /// The images of a rectangle's corners.
    pub(super) fn corners(self, part: Rectangle) -> [(f64, f64); 4] {
        let (right, bottom) = (part.x + part.width, part.y + part.height);
        [
            (part.x, part.y),
            (right, part.y),
            (right, bottom),
            (part.x, bottom),
        ]
        .map(|corner| self.apply(corner))
    }

    fn determinant(self) -> f64 {
        let [a, b, _, d, e, _] = self.0;
        a * e - b * d
    }
}

/// Whether a point lies in a rectangle.
pub(super) fn contains(part: Rectangle, (x, y): (f64, f64)) -> bool {
    (part.x..=part.x + part.width).contains(&x) && (part.y..=part.y + part.height).contains(&y)
}

fn orientation(found: &NonMatch) -> Orientation {
    let turned = found.turned_degrees % 360;
    let (turns, tilt) = if turned.is_multiple_of(90) {
        (turned / 90, 0)
    } else {
        (0, turned as i32)
    };
    let tilt = if tilt > 180 { tilt - 360 } else { tilt };
    let warp = if tilt != 0 {
        Warp::Tilt(tilt.clamp(-128, 127) as i8)
    } else if found.widened != 1.0 {
        Warp::Width((9.0 * found.widened).round().clamp(1.0, 255.0) as u8)
    } else if found.slanted > 1.0 {
        Warp::Slant((10.0 * found.slanted).round().clamp(1.0, 127.0) as i8)
    } else if found.slanted < 1.0 {
        Warp::Slant(-(10.0 / found.slanted.max(0.1)).round().clamp(1.0, 127.0) as i8)
    } else {
        Warp::None
    };
    Orientation {
        turns: turns as u8,
        mirrored: found.mirrored,
        warp,
        negative: found.negative,
    }
}

/// The clip's part that overlaps the source, in the clip's mirrored and quarter-turned frame. The
/// report gives it in the clip's own frame.
fn oriented_part(found: &NonMatch) -> Rectangle {
    let Rectangle {
        x,
        y,
        width,
        height,
    } = found.geometry.clip;
    let x = if found.mirrored { 1.0 - x - width } else { x };
    match found.turned_degrees % 360 {
        90 => Rectangle {
            x: 1.0 - y - height,
            y: x,
            width: height,
            height: width,
        },
        180 => Rectangle {
            x: 1.0 - x - width,
            y: 1.0 - y - height,
            width,
            height,
        },
        270 => Rectangle {
            x: y,
            y: 1.0 - x - width,
            width: height,
            height: width,
        },
        _ => Rectangle {
            x,
            y,
            width,
            height,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    const WHOLE: Rectangle = Rectangle {
        x: 0.0,
        y: 0.0,
        width: 1.0,
        height: 1.0,
    };

    fn map(change: impl FnOnce(&mut NonMatch)) -> Map {
        let mut found = testing::found();
        (found.geometry.clip, found.geometry.reference) = (WHOLE, WHOLE);
        change(&mut found);
        Map::to_source(&found, 16.0 / 9.0).unwrap()
    }

    fn goes(map: Map, from: (f64, f64), to: (f64, f64)) {
        let found = map.apply(from);
        assert!(
            (found.0 - to.0).abs() < 1e-4 && (found.1 - to.1).abs() < 1e-4,
            "{found:?} instead of {to:?}"
        );
        let back = map.inverse().apply(to);
        assert!(
            (back.0 - from.0).abs() < 1e-4 && (back.1 - from.1).abs() < 1e-4,
            "{back:?} instead of {from:?}"
        );
    }

    #[test]
    fn a_point_of_the_clip_is_found_in_the_source_whatever_was_done_to_the_frame() {
        goes(map(|_| ()), (0.25, 0.5), (0.25, 0.5));
        goes(map(|found| found.mirrored = true), (0.25, 0.5), (0.75, 0.5));
        // A quarter turn clockwise moves the upper left corner to the upper right.
        goes(
            map(|found| found.turned_degrees = 90),
            (0.0, 0.0),
            (1.0, 0.0),
        );
        goes(
            map(|found| found.turned_degrees = 180),
            (0.1, 0.2),
            (0.9, 0.8),
        );
        goes(
            map(|found| found.turned_degrees = 270),
            (0.0, 0.0),
            (0.0, 1.0),
        );
        let crop = Rectangle {
            x: 0.2,
            y: 0.1,
            width: 0.6,
            height: 0.6,
        };
        goes(
            map(|found| found.geometry.reference = crop),
            (0.5, 0.5),
            (0.5, 0.4),
        );
        let corner = Rectangle {
            x: 0.5,
            y: 0.0,
            width: 0.5,
            height: 0.5,
        };
        goes(
            map(|found| found.geometry.clip = corner),
            (0.75, 0.25),
            (0.5, 0.5),
        );
        // The report's rectangle is in the clip's own frame. Mirrored, the clip's upper right is
        // the source.
        let both = |found: &mut NonMatch| (found.mirrored, found.geometry.clip) = (true, corner);
        goes(map(both), (1.0, 0.0), (0.0, 0.0));
        goes(
            map(|found| found.turned_degrees = 348),
            (0.5, 0.5),
            (0.5, 0.5),
        );
        goes(
            map(|found| found.widened = 16.0 / 9.0),
            (0.25, 0.75),
            (0.25, 0.75),
        );
        goes(map(|found| found.slanted = 0.625), (0.5, 0.5), (0.5, 0.5));
    }

    #[test]
    fn a_rectangle_turned_by_a_quarter_keeps_to_its_corner() {
        let corner = Rectangle {
            x: 0.0,
            y: 0.0,
            width: 0.5,
            height: 0.5,
        };
        for degrees in [0, 90, 180, 270] {
            let map = map(|found| (found.turned_degrees, found.geometry.clip) = (degrees, corner));
            let corners = map.corners(corner);
            for wanted in [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)] {
                let near = |corner: &(f64, f64)| {
                    (corner.0 - wanted.0).abs() + (corner.1 - wanted.1).abs() < 1e-4
                };
                assert!(corners.iter().any(near), "{degrees}: {corners:?}");
            }
        }
    }

    #[test]
    fn numbers_that_make_no_map_give_none() {
        let mut found = testing::found();
        found.geometry.clip.width = 0.0;
        assert!(Map::to_source(&found, 1.5).is_none());
        found.geometry.clip.width = f64::NAN;
        assert!(Map::to_source(&found, 1.5).is_none());
        assert!(Map::to_source(&testing::found(), f64::NAN).is_none());
    }
}
