//! Region keys: squares around scale-space blobs, which stay on the same content whatever the crop.
//!
//! Blobs have no orientation: the hash tolerates about six degrees, and a clip's patches are hashed
//! tilted as well ([`super::TILTS`]).

use std::rc::Rc;

use super::blobs::{Blob, Detector, Octaves};
use super::dct::LANES;
use super::distinct::distinctive;
use super::hash::{PATCH, Patch};
use super::plane::{Mesh, Plane};
use super::{Place, Warp};

/// The picture and its halved versions, from which patches are sampled.
#[derive(Debug, Clone)]
pub(super) struct Levels {
    planes: Rc<[Plane]>,
    /// Index of the picture among them.
    first: usize,
}

impl Levels {
    pub(super) fn new(plane: Plane) -> Levels {
        let mut levels = vec![plane];
        while let Some(last) = levels
            .last()
            .filter(|last| last.width >= 16 && last.height >= 16)
        {
            let half = last.halved();
            levels.push(half);
        }
        Levels {
            planes: levels.into(),
            first: 0,
        }
    }

    /// The same without the picture itself, starting at its half; a picture too small to be halved
    /// stays as it is.
    pub(super) fn halved(&self) -> Levels {
        let last = self.planes.len() - 1;
        Levels {
            planes: Rc::clone(&self.planes),
            first: (self.first + 1).min(last),
        }
    }

    fn all(&self) -> &[Plane] {
        &self.planes[self.first..]
    }

    pub(super) fn picture(&self) -> &Plane {
        &self.all()[0]
    }

    /// The picture halved this many times, if it is large enough.
    pub(super) fn at(&self, halvings: usize) -> Option<&Plane> {
        self.all().get(halvings)
    }

    /// The picture in blocks of 8x8 pixels (or the smallest level of a picture too small for that),
    /// and the side of a block in heights of the picture.
    pub(super) fn eighth(&self) -> (&Plane, f32) {
        let level = 3.min(self.all().len() - 1);
        (
            &self.all()[level],
            (1u32 << level) as f32 / self.picture().height.max(1) as f32,
        )
    }

    /// The finest level with pixels of at least `pitch` pixels of the picture, or else the
    /// coarsest, and the size of its pixels.
    fn level(&self, pitch: f32) -> (&Plane, f32) {
        let level = (pitch.log2().ceil().max(0.0) as usize).min(self.all().len() - 1);
        (&self.all()[level], (1u32 << level) as f32)
    }

    /// Samples the square at `place` to 32x32.
    pub(super) fn patch(&self, place: Place, patch: &mut Patch) {
        let unit = self.picture().height as f32;
        let pitch = place.size * unit / PATCH as f32;
        let (plane, shrink) = self.level(pitch);
        // In coordinates where pixel (0, 0) covers 0..1; the sampler has pixel centres at whole
        // numbers.
        let (left, top) = (
            place.x * unit - place.size * unit / 2.0,
            place.y * unit - place.size * unit / 2.0,
        );
        let along = |from: f32| std::array::from_fn(|i| from + (i as f32 + 0.5) * pitch);
        let mesh = Mesh {
            columns: [along(left), [0.0; PATCH]],
            rows: [[0.0; PATCH], along(top)],
            shrink,
        };
        plane.samples(&mesh, patch);
    }

    /// The patch at `place` after warping the picture about that place, with the place growing
    /// accordingly.
    pub(super) fn warped_patch(&self, place: Place, warp: Warp, patch: &mut Patch) {
        let unit = self.picture().height as f32;
        let pitch = place.size * unit / PATCH as f32;
        let (plane, shrink) = self.level(pitch);
        let growth = warp.growth();
        let from_middle = |i: usize| ((i as f32 + 0.5) - 0.5 * PATCH as f32) * pitch * growth;
        // The map is linear, so two columns of its matrix suffice.
        let (right, below) = (warp.undo(1.0, 0.0), warp.undo(0.0, 1.0));
        let from = |start: f32, step: f32| std::array::from_fn(|i| start + step * from_middle(i));
        let steps = |step: f32| std::array::from_fn(|i| step * from_middle(i));
        let mesh = Mesh {
            columns: [from(place.x * unit, right.0), from(place.y * unit, right.1)],
            rows: [steps(below.0), steps(below.1)],
            shrink,
        };
        plane.samples(&mesh, patch);
    }
}

/// The places of the strongest distinctive regions, strongest first, at most `most`, with their
/// patches.
pub(super) fn regions(
    detector: &mut Detector,
    levels: &Levels,
    most: usize,
) -> Vec<(Place, Patch)> {
    strongest(detector, levels, most, Octaves::All)
}

/// The same for the smallest regions of a picture of twice the working size; [`regions`] finds none
/// of them in the halved picture.
pub(super) fn fine_regions(
    detector: &mut Detector,
    levels: &Levels,
    most: usize,
) -> Vec<(Place, Patch)> {
    strongest(detector, levels, most, Octaves::First)
}

fn strongest(
    detector: &mut Detector,
    levels: &Levels,
    most: usize,
    octaves: Octaves,
) -> Vec<(Place, Patch)> {
    if most == 0 {
        return Vec::new();
    }
    let picture = levels.picture();
    let unit = picture.height as f32;
    let mut kept: Vec<Blob> = Vec::with_capacity(most);
    let mut regions: Vec<(Place, Patch)> = Vec::with_capacity(most);
    let inside = |blob: &Blob| outside(blob, HALF_SIDE * blob.sigma, picture) <= OUTSIDE_MAX;
    let mut blobs = detector.blobs(picture, octaves).into_iter().filter(inside);
    let mut patches = [[0.0; PATCH * PATCH]; LANES];
    while regions.len() < most {
        // Several blobs are examined together, though one may overlap another.
        let free = |blob: &Blob| kept.iter().all(|other| !overlaps(blob, other));
        let some: Vec<Blob> = blobs.by_ref().filter(free).take(LANES).collect();
        if some.is_empty() {
            break;
        }
        let place = |blob: &Blob| Place {
            x: (blob.x + 0.5) / unit,
            y: (blob.y + 0.5) / unit,
            size: 2.0 * HALF_SIDE * blob.sigma / unit,
        };
        some.iter()
            .zip(&mut patches)
            .for_each(|(blob, patch)| levels.patch(place(blob), patch));
        let distinctive = distinctive(&patches);
        for ((blob, patch), _) in some
            .iter()
            .zip(&patches)
            .zip(distinctive)
            .filter(|(_, distinctive)| *distinctive)
        {
            if regions.len() < most && kept.iter().all(|other| !overlaps(blob, other)) {
                kept.push(*blob);
                regions.push((place(blob), *patch));
            }
        }
    }
    regions
}

/// Half the side of a region, in sigmas of its blob.
const HALF_SIDE: f32 = 3.5;

/// Maximum share of a region's area outside the frame.
const OUTSIDE_MAX: f32 = 0.15;

/// Two blobs of similar size show the same thing if they are closer than this, in sigmas of the
/// smaller.
const OVERLAP_DISTANCE: f32 = 1.5;

/// Maximum ratio of sigmas of two blobs of similar size.
const OVERLAP_RATIO: f32 = 1.5;

fn overlaps(a: &Blob, b: &Blob) -> bool {
    let (small, large) = if a.sigma < b.sigma {
        (a.sigma, b.sigma)
    } else {
        (b.sigma, a.sigma)
    };
    large < OVERLAP_RATIO * small && (a.x - b.x).hypot(a.y - b.y) < OVERLAP_DISTANCE * small
}

/// The share of the square around a blob that lies outside the picture.
fn outside(blob: &Blob, half: f32, picture: &Plane) -> f32 {
    let inside =
        |centre: f32, end: usize| (centre + half).min(end as f32) - (centre - half).max(0.0);
    let (across, down) = (
        inside(blob.x + 0.5, picture.width),
        inside(blob.y + 0.5, picture.height),
    );
    1.0 - across.max(0.0) * down.max(0.0) / (4.0 * half * half)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fingerprint::{Key, hash, testing};

    fn picture(width: usize, height: usize, level: impl Fn(f32, f32) -> f32) -> Levels {
        let data = (0..height)
            .flat_map(|y| (0..width).map(move |x| (x, y)))
            .map(|(x, y)| level(x as f32, y as f32))
            .collect();
        Levels::new(Plane {
            width,
            height,
            data,
        })
    }

    #[test]
    fn straight_edges_and_ramps_have_no_regions() {
        assert!(
            regions(
                &mut Detector::default(),
                &picture(228, 128, |x, _| if x < 100.0 { 20.0 } else { 220.0 }),
                40
            )
            .is_empty()
        );
        assert!(
            regions(
                &mut Detector::default(),
                &picture(228, 128, |x, y| 0.5 * x + y),
                40
            )
            .is_empty()
        );
    }

    #[test]
    fn a_patch_follows_its_content_through_shift_and_scale() {
        let texture = |x: f32, y: f32| testing::texture(x, y, 1);
        let plain = picture(228, 128, texture);
        let zoomed = picture(228, 128, |x, y| texture(x / 1.5 + 20.0, y / 1.5 + 10.0));
        let place = Place {
            x: 100.0 / 128.0,
            y: 60.0 / 128.0,
            size: 40.0 / 128.0,
        };
        let same = Place {
            x: 1.5 * (100.0 - 20.0) / 128.0,
            y: 1.5 * (60.0 - 10.0) / 128.0,
            size: 60.0 / 128.0,
        };
        assert!(key(&plain, place).distance(key(&zoomed, same)) < 40);
    }

    #[test]
    fn of_a_picture_shown_a_third_as_large_fine_regions_have_keys_that_others_lack() {
        let texture = |x: f32, y: f32| testing::texture(x, y, 3);
        let source: Vec<Key> = keys(regions(
            &mut Detector::default(),
            &picture(228, 128, texture),
            24,
        ));
        // In the corner of a frame that is sampled twice as finely.
        let corner = |x: f32, y: f32| {
            if x < 152.0 && y < 85.0 {
                texture(1.5 * x, 1.5 * y)
            } else {
                128.0
            }
        };
        let clip = picture(456, 256, corner);
        let (fine, coarse) = (
            keys(fine_regions(&mut Detector::default(), &clip, 24)),
            keys(regions(&mut Detector::default(), &clip.halved(), 40)),
        );
        let has = |keys: &[Key], wanted: Key| keys.iter().any(|key| key.distance(wanted) <= 72);
        let found = source.iter().filter(|&&key| has(&fine, key)).count();
        let new = source
            .iter()
            .filter(|&&key| has(&fine, key) && !has(&coarse, key))
            .count();
        assert!(found >= 6 && new >= 5, "{found} found, {new} by them alone");
    }

    #[test]
    fn fine_regions_are_smaller_than_all_others() {
        let clip = picture(456, 256, |x, y| testing::texture(x, y, 5));
        let sizes = |regions: Vec<(Place, Patch)>| regions.into_iter().map(|(place, _)| place.size);
        let largest = sizes(fine_regions(&mut Detector::default(), &clip, 99)).fold(0.0, f32::max);
        let smallest =
            sizes(regions(&mut Detector::default(), &clip.halved(), 99)).fold(9.0, f32::min);
        assert!(
            largest < 1.01 * smallest && smallest < 0.2,
            "{largest} and {smallest}"
        );
    }

    fn key(levels: &Levels, place: Place) -> Key {
        hash::keys(&[place], |place, patch| levels.patch(*place, patch))[0]
    }

    fn keys(regions: Vec<(Place, Patch)>) -> Vec<Key> {
        regions.iter().map(|(_, patch)| hash::key(patch)).collect()
    }

    #[test]
    fn regions_do_not_overlap_and_keep_to_their_number() {
        let levels = picture(228, 128, |x, y| testing::texture(x, y, 7));
        let places: Vec<Place> = regions(&mut Detector::default(), &levels, 12)
            .into_iter()
            .map(|(place, _)| place)
            .collect();
        assert_eq!(places.len(), 12);
        for (i, a) in places.iter().enumerate() {
            for b in &places[..i] {
                let near = (a.x - b.x).hypot(a.y - b.y)
                    < OVERLAP_DISTANCE / (2.0 * HALF_SIDE) * a.size.min(b.size);
                assert!(!near || (a.size / b.size).log2().abs() >= OVERLAP_RATIO.log2() - 1e-4);
            }
        }
    }
}
