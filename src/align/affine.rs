//! Affine maps between the frames of a reference and of a clip.

use super::Similarity;
use crate::fingerprint::{Orientation, Place};

/// Maps points of one frame to points of another, both in heights of their frames.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Affine {
    xx: f32,
    xy: f32,
    x: f32,
    yx: f32,
    yy: f32,
    y: f32,
}

/// Parameters of a small perturbation: log scales of both axes, rotation in radians, and shifts in
/// heights of the frame.
pub(super) type Perturbation = [f32; 5];

impl Affine {
    /// The image of a point.
    pub(super) fn at(&self, x: f32, y: f32) -> (f32, f32) {
        (
            self.xx * x + self.xy * y + self.x,
            self.yx * x + self.yy * y + self.y,
        )
    }

    /// The composition: `first`, then this map.
    pub(super) fn after(&self, first: &Affine) -> Affine {
        let (x, y) = self.at(first.x, first.y);
        Affine {
            xx: self.xx * first.xx + self.xy * first.yx,
            xy: self.xx * first.xy + self.xy * first.yy,
            x,
            yx: self.yx * first.xx + self.yy * first.yx,
            yy: self.yx * first.xy + self.yy * first.yy,
            y,
        }
    }

    /// The larger of its two scale factors.
    pub(super) fn scale(&self) -> f32 {
        self.xx.hypot(self.yx).max(self.xy.hypot(self.yy))
    }

    /// The map from the reference's frame to the frame of a clip with this aspect, given the
    /// orientation and geometry of the clip; `None` if it is singular.
    pub(super) fn to_clip(
        orientation: Orientation,
        geometry: &Similarity,
        aspect: f32,
    ) -> Option<Affine> {
        let to_reference = |x: f32, y: f32| {
            let place = orientation.place(Place { x, y, size: 1.0 }, aspect);
            geometry.point(place.x, place.y)
        };
        // The inverse is affine too: three points determine it.
        let (origin, right, down) = (
            to_reference(0.0, 0.0),
            to_reference(1.0, 0.0),
            to_reference(0.0, 1.0),
        );
        let (xx, xy) = (right.0 - origin.0, down.0 - origin.0);
        let (yx, yy) = (right.1 - origin.1, down.1 - origin.1);
        let determinant = xx * yy - xy * yx;
        if !(determinant.abs() > f32::EPSILON && determinant.is_finite()) {
            return None;
        }
        let (xx, xy, yx, yy) = (
            yy / determinant,
            -xy / determinant,
            -yx / determinant,
            xx / determinant,
        );
        let x = -(xx * origin.0 + xy * origin.1);
        let y = -(yx * origin.0 + yy * origin.1);
        Some(Affine {
            xx,
            xy,
            x,
            yx,
            yy,
            y,
        })
    }

    /// A small perturbation about the centre of a frame with this aspect.
    pub(super) fn perturbation(
        &[wider, higher, turn, right, down]: &Perturbation,
        aspect: f32,
    ) -> Affine {
        let (sin, cos) = turn.sin_cos();
        let (middle_x, middle_y) = (0.5 * aspect, 0.5);
        let (xx, xy) = (wider.exp() * cos, -higher.exp() * sin);
        let (yx, yy) = (wider.exp() * sin, higher.exp() * cos);
        Affine {
            xx,
            xy,
            x: middle_x - xx * middle_x - xy * middle_y + right,
            yx,
            yy,
            y: middle_y - yx * middle_x - yy * middle_y + down,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fingerprint::Warp;

    #[test]
    fn the_map_to_the_clip_inverts_the_map_to_the_reference() {
        let geometry = Similarity {
            scale: 0.7,
            x: 0.3,
            y: 0.1,
        };
        let tilted = Orientation {
            warp: Warp::Tilt(12),
            ..Orientation::MIRRORED
        };
        for orientation in Orientation::turned().chain([tilted]) {
            let map = Affine::to_clip(orientation, &geometry, 1.5).unwrap();
            for (x, y) in [(0.2, 0.3), (1.1, 0.9)] {
                let place = orientation.place(Place { x, y, size: 1.0 }, 1.5);
                let there = geometry.point(place.x, place.y);
                let back = map.at(there.0, there.1);
                assert!(
                    (back.0 - x).abs() < 1e-4 && (back.1 - y).abs() < 1e-4,
                    "{orientation:?}: {back:?}"
                );
            }
        }
        assert_eq!(
            Affine::to_clip(
                Orientation::UPRIGHT,
                &Similarity {
                    scale: 0.0,
                    ..geometry
                },
                1.5
            ),
            None
        );
    }

    #[test]
    fn a_perturbation_moves_the_centre_only_by_its_shift() {
        let middle = Affine::perturbation(&[0.1, -0.2, 0.3, 0.05, -0.02], 1.6).at(0.8, 0.5);
        assert!(
            (middle.0 - 0.85).abs() < 1e-6 && (middle.1 - 0.48).abs() < 1e-6,
            "{middle:?}"
        );
        let plain = Affine::perturbation(&[0.0; 5], 1.6);
        assert_eq!(plain.after(&plain).at(0.3, 0.2), (0.3, 0.2));
    }
}
