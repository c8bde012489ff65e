//! Region keys: squares around scale-space blobs, which stay on the same content whatever the crop.
//!
//! Blobs are extrema of the difference of Gaussians (Lowe 2004, "Distinctive Image Features from
//! Scale-Invariant Keypoints", sections 3 and 4): three scales an octave, edges rejected by the ratio of the
//! principal curvatures. No orientation is assigned: the hash tolerates some six degrees, and a clip's patches are hashed
//! tilted as well ([`super::TILT`]).

use super::hash::{self, PATCH, Patch};
use super::plane::Plane;
use super::{Place, Warp};

/// The picture and its halves: what patches are sampled from.
#[derive(Debug, Clone)]
pub(super) struct Levels(Vec<Plane>);

impl Levels {
    pub(super) fn new(plane: Plane) -> Levels {
        let mut levels = vec![plane];
        while let Some(last) = levels.last().filter(|last| last.width >= 16 && last.height >= 16) {
            let half = last.halved();
            levels.push(half);
        }
        Levels(levels)
    }

    /// The same without the picture: its half and so on; a picture too small to be halved stays as it is.
    pub(super) fn halved(&self) -> Levels {
        Levels(if self.0.len() > 1 { self.0[1..].to_vec() } else { self.0.clone() })
    }

    pub(super) fn picture(&self) -> &Plane {
        &self.0[0]
    }

    /// The picture halved so many times, if it is large enough.
    pub(super) fn at(&self, halvings: usize) -> Option<&Plane> {
        self.0.get(halvings)
    }

    /// The picture in blocks of 8x8 pixels (or the smallest level of a picture too small for that), and the side of a block in
    /// heights of the picture.
    pub(super) fn eighth(&self) -> (Plane, f32) {
        let level = 3.min(self.0.len() - 1);
        (self.0[level].clone(), (1u32 << level) as f32 / self.picture().height.max(1) as f32)
    }

    /// The level whose pixels are just finer than samples so many pixels of the picture apart, and the size of its pixels.
    fn level(&self, pitch: f32) -> (&Plane, f32) {
        let level = (pitch.log2().ceil().max(0.0) as usize).min(self.0.len() - 1);
        (&self.0[level], (1u32 << level) as f32)
    }

    /// Samples the square at `place` to 32x32.
    pub(super) fn patch(&self, place: Place) -> Patch {
        let unit = self.picture().height as f32;
        let pitch = place.size * unit / PATCH as f32;
        let (plane, shrink) = self.level(pitch);
        // In coordinates where pixel (0, 0) covers 0..1; the sampler's pixel centres are whole numbers.
        let (left, top) = (place.x * unit - place.size * unit / 2.0, place.y * unit - place.size * unit / 2.0);
        std::array::from_fn(|i| {
            let x = left + ((i % PATCH) as f32 + 0.5) * pitch;
            let y = top + ((i / PATCH) as f32 + 0.5) * pitch;
            plane.sample(x / shrink - 0.5, y / shrink - 0.5)
        })
    }

    /// The patch that is at `place` once the picture has been warped about that, and the place has grown with it.
    pub(super) fn warped_patch(&self, place: Place, warp: Warp) -> Patch {
        let unit = self.picture().height as f32;
        let pitch = place.size * unit / PATCH as f32;
        let (plane, shrink) = self.level(pitch);
        let from_middle = |i: usize| ((i as f32 + 0.5) - 0.5 * PATCH as f32) * pitch * warp.growth();
        // The map is linear, so two columns of its matrix are enough.
        let (right, below) = (warp.undo(1.0, 0.0), warp.undo(0.0, 1.0));
        std::array::from_fn(|i| {
            let (across, down) = (from_middle(i % PATCH), from_middle(i / PATCH));
            let x = place.x * unit + right.0 * across + below.0 * down;
            let y = place.y * unit + right.1 * across + below.1 * down;
            plane.sample(x / shrink - 0.5, y / shrink - 0.5)
        })
    }
}

/// The places of the strongest distinctive regions, strongest first, at most `most`, with their patches.
pub(super) fn regions(levels: &Levels, most: usize) -> Vec<(Place, Patch)> {
    strongest(levels, most, Octaves::All)
}

/// The same of the smallest regions of a picture of twice the working size, in which [`regions`] finds none once it is halved.
pub(super) fn fine_regions(levels: &Levels, most: usize) -> Vec<(Place, Patch)> {
    strongest(levels, most, Octaves::First)
}

fn strongest(levels: &Levels, most: usize, octaves: Octaves) -> Vec<(Place, Patch)> {
    let picture = levels.picture();
    let unit = picture.height as f32;
    let mut kept: Vec<(Blob, Place, Patch)> = Vec::new();
    for blob in blobs(picture, octaves) {
        if kept.len() == most {
            break;
        }
        let half = HALF_SIDE * blob.sigma;
        if outside(&blob, half, picture) > OUTSIDE_MAX || kept.iter().any(|(other, ..)| overlaps(&blob, other)) {
            continue;
        }
        let place = Place { x: (blob.x + 0.5) / unit, y: (blob.y + 0.5) / unit, size: 2.0 * half / unit };
        let patch = levels.patch(place);
        if distinctive(&patch) {
            kept.push((blob, place, patch));
        }
    }
    kept.into_iter().map(|(_, place, patch)| (place, patch)).collect()
}

/// Whether a patch has contrast, and structure in more than one place and direction: simple edges look alike
/// everywhere. The three limits are those of the design's measurement on 7.5e10 unrelated pairs.
pub(super) fn distinctive(patch: &Patch) -> bool {
    if hash::contrast(patch).1 < CONTRAST_MIN {
        return false;
    }
    let (mut sum, mut squares, mut xx, mut yy, mut xy) = (0.0_f32, 0.0_f32, 0.0_f32, 0.0_f32, 0.0_f32);
    let mut n = 0.0_f32;
    for y in 1..PATCH - 1 {
        for x in 1..PATCH - 1 {
            let i = y * PATCH + x;
            let (gx, gy) = (0.5 * (patch[i + 1] - patch[i - 1]), 0.5 * (patch[i + PATCH] - patch[i - PATCH]));
            let square = gx * gx + gy * gy;
            sum += square.sqrt();
            squares += square;
            xx += gx * gx;
            yy += gy * gy;
            xy += gx * gy;
            n += 1.0;
        }
    }
    if squares <= f32::EPSILON || sum * sum / (n * squares) < PARTICIPATION_MIN {
        return false;
    }
    let (half_trace, root) = (0.5 * (xx + yy), (0.25 * (xx - yy) * (xx - yy) + xy * xy).sqrt());
    (half_trace - root) / (half_trace + root) >= ISOTROPY_MIN
}

/// In which octaves of the scale space blobs are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Octaves {
    /// In the first, of the smallest ones.
    First,
    All,
}

/// An extremum of the scale space, in pixels of the picture.
#[derive(Debug, Clone, Copy)]
struct Blob {
    x: f32,
    y: f32,
    sigma: f32,
    strength: f32,
}

/// Half the side of a region, in sigmas of its blob.
const HALF_SIDE: f32 = 3.5;

/// At most this share of a region's area lies outside the frame.
const OUTSIDE_MAX: f32 = 0.15;

/// Least standard deviation of a patch in grey levels.
const CONTRAST_MIN: f32 = 8.0;

/// Least gradient participation ratio `(sum g)^2 / (n sum g^2)`, 0..=1: 1 when the gradient is the same everywhere.
const PARTICIPATION_MIN: f32 = 0.25;

/// Least ratio of the structure tensor's eigenvalues, 0..=1: 0 for a straight edge.
const ISOTROPY_MIN: f32 = 0.08;

/// Blur of the first scale in pixels.
const SIGMA_BASE: f32 = 2.0;

/// Blur that a frame is taken to have already, in pixels.
const SIGMA_CAMERA: f32 = 0.5;

/// Scales at which blobs are looked for in an octave.
const SCALES: usize = 3;

/// Least absolute difference of Gaussians of a blob in grey levels.
const STRENGTH_MIN: f32 = 1.0;

/// Largest `trace^2 / determinant` of the Hessian: above, the blob is an edge.
const EDGE_MAX: f32 = 12.0;

/// Two blobs of similar size nearer than this many sigmas (of the smaller) show the same thing.
const OVERLAP_DISTANCE: f32 = 1.5;

/// Two blobs are of similar size when their sigmas differ by less than this factor.
const OVERLAP_RATIO: f32 = 1.5;

fn overlaps(a: &Blob, b: &Blob) -> bool {
    let (small, large) = if a.sigma < b.sigma { (a.sigma, b.sigma) } else { (b.sigma, a.sigma) };
    large < OVERLAP_RATIO * small && (a.x - b.x).hypot(a.y - b.y) < OVERLAP_DISTANCE * small
}

/// The share of the square around a blob that lies outside the picture.
fn outside(blob: &Blob, half: f32, picture: &Plane) -> f32 {
    let inside = |centre: f32, end: usize| (centre + half).min(end as f32) - (centre - half).max(0.0);
    let (across, down) = (inside(blob.x + 0.5, picture.width), inside(blob.y + 0.5, picture.height));
    1.0 - across.max(0.0) * down.max(0.0) / (4.0 * half * half)
}

/// All blobs of some octaves, up to a quarter of the short side, strongest first.
fn blobs(picture: &Plane, octaves: Octaves) -> Vec<Blob> {
    let sigma_max = 0.25 * picture.width.min(picture.height) as f32;
    let mut found = Vec::new();
    let mut base = picture.blurred((SIGMA_BASE * SIGMA_BASE - SIGMA_CAMERA * SIGMA_CAMERA).sqrt());
    let mut pixel = 1.0_f32;
    while SIGMA_BASE * pixel < sigma_max && base.width >= 8 && base.height >= 8 {
        let mut blurred = vec![base];
        for scale in 1..SCALES + 3 {
            let (before, after) = (sigma_at(scale as f32 - 1.0), sigma_at(scale as f32));
            let next = blurred[scale - 1].blurred((after * after - before * before).sqrt());
            blurred.push(next);
        }
        let differences: Vec<Plane> = blurred.windows(2).map(|pair| pair[1].minus(&pair[0])).collect();
        for scale in 1..=SCALES {
            extrema(&differences, scale, pixel, &mut found);
        }
        if octaves == Octaves::First {
            break;
        }
        base = blurred[SCALES].decimated();
        pixel *= 2.0;
    }
    found.retain(|blob| blob.sigma <= sigma_max);
    found.sort_by(|a, b| b.strength.total_cmp(&a.strength).then(a.y.total_cmp(&b.y)).then(a.x.total_cmp(&b.x)));
    found
}

/// Blur at a scale of an octave, in pixels of the octave.
fn sigma_at(scale: f32) -> f32 {
    SIGMA_BASE * (scale / SCALES as f32).exp2()
}

/// Adds the extrema of one scale: strict among the 26 neighbours, strong, not an edge, refined to a fraction.
fn extrema(differences: &[Plane], scale: usize, pixel: f32, found: &mut Vec<Blob>) {
    let (below, here, above) = (&differences[scale - 1], &differences[scale], &differences[scale + 1]);
    for y in 1..here.height - 1 {
        for x in 1..here.width - 1 {
            let value = here.at(x, y);
            if value.abs() <= STRENGTH_MIN || !is_extremum(value, [below, here, above], x, y) {
                continue;
            }
            let d = |dx: isize, dy: isize| here.at((x as isize + dx) as usize, (y as isize + dy) as usize);
            let xx = d(1, 0) + d(-1, 0) - 2.0 * value;
            let yy = d(0, 1) + d(0, -1) - 2.0 * value;
            let xy = 0.25 * (d(1, 1) + d(-1, -1) - d(1, -1) - d(-1, 1));
            let determinant = xx * yy - xy * xy;
            if determinant <= 0.0 || (xx + yy) * (xx + yy) / determinant > EDGE_MAX {
                continue;
            }
            // One Newton step in the plane, a parabola in scale; a step over half a pixel belongs to a neighbour.
            let (gx, gy) = (0.5 * (d(1, 0) - d(-1, 0)), 0.5 * (d(0, 1) - d(0, -1)));
            let shift_x = ((xy * gy - yy * gx) / determinant).clamp(-0.5, 0.5);
            let shift_y = ((xy * gx - xx * gy) / determinant).clamp(-0.5, 0.5);
            let (low, high) = (below.at(x, y), above.at(x, y));
            let bend = low + high - 2.0 * value;
            let shift_scale = if bend.abs() > 1e-6 { (0.5 * (low - high) / bend).clamp(-0.5, 0.5) } else { 0.0 };
            found.push(Blob {
                // Decimation keeps even pixels, so an octave's pixel x is the picture's pixel x * 2^octave.
                x: (x as f32 + shift_x) * pixel,
                y: (y as f32 + shift_y) * pixel,
                sigma: sigma_at(scale as f32 + shift_scale) * pixel,
                strength: value.abs(),
            });
        }
    }
}

fn is_extremum(value: f32, planes: [&Plane; 3], x: usize, y: usize) -> bool {
    let sign = value.signum();
    for (i, plane) in planes.into_iter().enumerate() {
        for row in y - 1..=y + 1 {
            for column in x - 1..=x + 1 {
                if (i, row, column) != (1, y, x) && sign * plane.at(column, row) >= sign * value {
                    return false;
                }
            }
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fingerprint::{Key, testing};

    fn picture(width: usize, height: usize, level: impl Fn(f32, f32) -> f32) -> Levels {
        let data =
            (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(|(x, y)| level(x as f32, y as f32)).collect();
        Levels::new(Plane { width, height, data })
    }

    #[test]
    fn a_blob_is_found_at_its_place_and_size() {
        for (cx, cy, sigma) in [(100.0, 60.0, 4.0), (140.3, 70.6, 9.0), (111.0, 65.0, 20.0)] {
            let levels = picture(228, 128, |x, y| {
                100.0 + 80.0 * (-((x - cx) * (x - cx) + (y - cy) * (y - cy)) / (2.0_f32 * sigma * sigma)).exp()
            });
            let blob = blobs(levels.picture(), Octaves::All)[0];
            assert!((blob.x - cx).abs() < 0.05 * sigma + 0.2 && (blob.y - cy).abs() < 0.05 * sigma + 0.2, "{blob:?}");
            assert!((blob.sigma / sigma).log2().abs() < 0.35, "{blob:?} for sigma {sigma}");
        }
    }

    #[test]
    fn straight_edges_and_ramps_have_no_regions() {
        assert!(regions(&picture(228, 128, |x, _| if x < 100.0 { 20.0 } else { 220.0 }), 40).is_empty());
        assert!(regions(&picture(228, 128, |x, y| 0.5 * x + y), 40).is_empty());
        let edge: Patch = std::array::from_fn(|i| if i % PATCH + i / PATCH < PATCH { 20.0 } else { 220.0 });
        assert!(!distinctive(&edge));
    }

    #[test]
    fn a_patch_follows_its_content_through_shift_and_scale() {
        let texture = |x: f32, y: f32| testing::texture(x, y, 1);
        let plain = picture(228, 128, texture);
        let zoomed = picture(228, 128, |x, y| texture(x / 1.5 + 20.0, y / 1.5 + 10.0));
        let place = Place { x: 100.0 / 128.0, y: 60.0 / 128.0, size: 40.0 / 128.0 };
        let same = Place { x: 1.5 * (100.0 - 20.0) / 128.0, y: 1.5 * (60.0 - 10.0) / 128.0, size: 60.0 / 128.0 };
        assert!(hash::key(&plain.patch(place)).distance(hash::key(&zoomed.patch(same))) < 40);
    }

    #[test]
    fn of_a_picture_shown_a_third_as_large_fine_regions_have_keys_that_others_lack() {
        let texture = |x: f32, y: f32| testing::texture(x, y, 3);
        let source: Vec<Key> = keys(regions(&picture(228, 128, texture), 24));
        // In the corner of a frame that is sampled twice as finely.
        let corner = |x: f32, y: f32| if x < 152.0 && y < 85.0 { texture(1.5 * x, 1.5 * y) } else { 128.0 };
        let clip = picture(456, 256, corner);
        let (fine, coarse) = (keys(fine_regions(&clip, 24)), keys(regions(&clip.halved(), 40)));
        let has = |keys: &[Key], wanted: Key| keys.iter().any(|key| key.distance(wanted) <= 72);
        let found = source.iter().filter(|&&key| has(&fine, key)).count();
        let new = source.iter().filter(|&&key| has(&fine, key) && !has(&coarse, key)).count();
        assert!(found >= 6 && new >= 5, "{found} found, {new} by them alone");
    }

    #[test]
    fn fine_regions_are_smaller_than_all_others() {
        let clip = picture(456, 256, |x, y| testing::texture(x, y, 5));
        let sizes = |regions: Vec<(Place, Patch)>| regions.into_iter().map(|(place, _)| place.size);
        let largest = sizes(fine_regions(&clip, 99)).fold(0.0, f32::max);
        let smallest = sizes(regions(&clip.halved(), 99)).fold(9.0, f32::min);
        assert!(largest < 1.01 * smallest && smallest < 0.2, "{largest} and {smallest}");
    }

    fn keys(regions: Vec<(Place, Patch)>) -> Vec<Key> {
        regions.iter().map(|(_, patch)| hash::key(patch)).collect()
    }

    #[test]
    fn regions_do_not_overlap_and_keep_to_their_number() {
        let levels = picture(228, 128, |x, y| testing::texture(x, y, 7));
        let places: Vec<Place> = regions(&levels, 12).into_iter().map(|(place, _)| place).collect();
        assert_eq!(places.len(), 12);
        for (i, a) in places.iter().enumerate() {
            for b in &places[..i] {
                let near = (a.x - b.x).hypot(a.y - b.y) < OVERLAP_DISTANCE / (2.0 * HALF_SIDE) * a.size.min(b.size);
                assert!(!near || (a.size / b.size).log2().abs() >= OVERLAP_RATIO.log2() - 1e-4);
            }
        }
    }
}
