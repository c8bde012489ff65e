//! Synthetic scenes: a static background and two blobs on paths of their own.

use std::time::Duration;

use super::*;
use crate::fingerprint::Place;

const ASPECT: f32 = 16.0 / 9.0;

/// The reference's time at the clip's start, and the clip's length, in seconds.
const FROM: f32 = 12.0;
const LENGTH: f32 = 8.0;

const WHOLE: Similarity = Similarity {
    scale: 1.0,
    x: 0.0,
    y: 0.0,
};

/// 0..=1, deterministic.
fn random(a: u32, b: u32, c: u32) -> f32 {
    let mut h =
        a.wrapping_mul(0x9e37_79b9) ^ b.wrapping_mul(0x85eb_ca6b) ^ c.wrapping_mul(0xc2b2_ae35);
    h = (h ^ h >> 15).wrapping_mul(0x2c1b_3c6d);
    h = (h ^ h >> 12).wrapping_mul(0x297a_2d39);
    f32::from((h ^ h >> 15) as u16) / 65535.0
}

/// Footage of one place.
#[derive(Clone, Copy)]
struct Scene {
    place: u32,
    /// Seed of the blobs' paths; `None` without blobs.
    take: Option<u32>,
}

const SHOT: Scene = Scene {
    place: 0,
    take: Some(0),
};

impl Scene {
    /// The grey level at a place, in heights of the frame.
    fn level(self, x: f32, y: f32, time: f32) -> f32 {
        let mut level = self.background(x, y);
        for blob in 0..2 {
            let Some((px, py)) = self.at(blob, time) else {
                continue;
            };
            let inside = ((0.14 - (x - px).hypot(y - py)) / 0.04).clamp(0.0, 1.0);
            level += inside * (if blob == 0 { 235.0 } else { 15.0 } - level);
        }
        level
    }

    /// Patches of random grey, a twelfth of the height each.
    fn background(self, x: f32, y: f32) -> f32 {
        let (x, y) = (12.0 * x + 100.0, 12.0 * y + 100.0);
        let (column, row) = (x as u32, y as u32);
        let at = |right, down| random(column + right, row + down, 77 + self.place);
        let (fx, fy) = (x - column as f32, y - row as f32);
        let of_row = |down| (1.0 - fx) * at(0, down) + fx * at(1, down);
        50.0 + 150.0 * ((1.0 - fy) * of_row(0) + fy * of_row(1))
    }

    /// Position of a blob: piecewise linear between random places, one a second.
    fn at(self, blob: u32, time: f32) -> Option<(f32, f32)> {
        let path = 2 * self.take? + blob;
        let share = time - time.floor();
        let place = |second: f32, axis: u32| random(second as u32, path, 1000 + axis);
        let along = |axis: u32| {
            (1.0 - share) * place(time.floor(), axis) + share * place(time.floor() + 1.0, axis)
        };
        Some((ASPECT * along(0), along(1)))
    }
}

fn frames(
    (width, height): (usize, usize),
    times: impl Iterator<Item = f32>,
    level: impl Fn(f32, f32, f32) -> f32,
) -> Vec<Thumbnail> {
    let frame = |time: f32| {
        let pixel = |i: usize| {
            let middle = |number: usize| (number as f32 + 0.5) / height as f32;
            level(middle(i % width), middle(i / width), time).round() as u8
        };
        let luma = (0..width * height).map(pixel).collect();
        Thumbnail {
            time: Duration::from_secs_f32(time),
            width,
            height,
            luma,
        }
    };
    times.map(frame).collect()
}

/// Twice a second, from a second before an interval of the scene to one after it.
fn reference(scene: Scene, from: f32, length: f32) -> Vec<Thumbnail> {
    let times = (0..=(2.0 * (length + 2.0)) as usize).map(|i| from - 1.0 + 0.5 * i as f32);
    frames((64, 36), times, |x, y, time| scene.level(x, y, time))
}

/// 12.5 times a second.
fn clip(level: impl Fn(f32, f32, f32) -> f32) -> Vec<Thumbnail> {
    frames((96, 54), (0..=100).map(|i| 0.08 * i as f32), level)
}

/// Level at a place in the frame of a clip with the claimed geometry.
fn laid(claim: &Claim, scene: Scene, x: f32, y: f32, time: f32) -> f32 {
    let place = claim.orientation.place(Place { x, y, size: 1.0 }, ASPECT);
    let (x, y) = claim.geometry.point(place.x, place.y);
    scene.level(x, y, FROM + time)
}

fn claim() -> Claim {
    Claim {
        orientation: Orientation::UPRIGHT,
        geometry: WHOLE,
        support: [0.0, 0.0, ASPECT, 1.0],
        speed: 1.0,
        offset: FROM,
        span: Span {
            start: Duration::ZERO,
            end: Duration::from_secs_f32(LENGTH),
        },
    }
}

/// The comparison of the scene's own reference with a clip.
fn compared(claim: &Claim, level: impl Fn(f32, f32, f32) -> f32) -> Dense {
    compare(&reference(SHOT, FROM, LENGTH), &clip(level), ASPECT, claim).expect("pairs of frames")
}

/// The same for a clip exactly as claimed.
fn claimed(claim: &Claim) -> Dense {
    compared(claim, |x, y, time| laid(claim, SHOT, x, y, time))
}

fn is_copy(dense: &Dense) -> bool {
    dense.correlation > 0.9 && dense.scene > 0.9 && dense.shift.abs() < 0.1
}

#[test]
fn a_copy_agrees_in_motion() {
    let dense = claimed(&claim());
    assert!(is_copy(&dense) && dense.low > 0.9, "{dense:?}");
    assert!(dense.inside > 0.95 && dense.visible > 0.95, "{dense:?}");
    assert!(
        dense.activity > 10.0 && (15..=18).contains(&dense.frames),
        "{dense:?}"
    );
}

#[test]
fn a_cropped_copy_agrees_in_its_rectangle() {
    let crop = Similarity {
        scale: 0.6,
        x: 0.35,
        y: 0.2,
    };
    let support = [0.35, 0.2, 0.35 + 0.6 * ASPECT, 0.8];
    let dense = claimed(&Claim {
        geometry: crop,
        support,
        ..claim()
    });
    assert!(
        is_copy(&dense) && (0.2..0.45).contains(&dense.visible),
        "{dense:?}"
    );
}

#[test]
fn a_mirrored_and_a_negative_copy_agree() {
    let mirrored = claimed(&Claim {
        orientation: Orientation::MIRRORED,
        ..claim()
    });
    assert!(is_copy(&mirrored), "{mirrored:?}");
    let negative = Claim {
        orientation: Orientation::UPRIGHT.inverted(),
        ..claim()
    };
    let dense = compared(&negative, |x, y, time| {
        255.0 - SHOT.level(x, y, FROM + time)
    });
    assert!(is_copy(&dense), "{dense:?}");
    // As a positive, it is no copy.
    let plain = compared(&claim(), |x, y, time| 255.0 - SHOT.level(x, y, FROM + time));
    assert!(plain.correlation < 0.5, "{plain:?}");
}

#[test]
fn an_inset_beside_other_footage_agrees() {
    let inset = Claim {
        geometry: Similarity {
            scale: 2.0,
            x: -0.6,
            y: -0.5,
        },
        ..claim()
    };
    let other = Scene {
        place: 5,
        take: Some(5),
    };
    let dense = compared(&inset, |x, y, time| {
        let (across, down) = inset.geometry.point(x, y);
        let inside = (0.0..ASPECT).contains(&across) && (0.0..1.0).contains(&down);
        if inside {
            laid(&inset, SHOT, x, y, time)
        } else {
            other.level(x, y, time)
        }
    });
    assert!(
        is_copy(&dense) && dense.visible > 0.6 && dense.inside > 0.6,
        "{dense:?}"
    );
}

#[test]
fn a_logo_hides_only_the_motion_behind_it() {
    let dense = compared(&claim(), |x, y, time| {
        let logo = (0.5..1.1).contains(&x) && (0.3..0.7).contains(&y);
        if logo {
            250.0 * f32::from((x * 10.0) as u8 % 2)
        } else {
            SHOT.level(x, y, FROM + time)
        }
    });
    // The static content differs by the logo itself.
    assert!(dense.correlation > 0.9, "{dense:?}");
}

#[test]
fn a_graded_and_a_fading_copy_agree() {
    let graded = compared(&claim(), |x, y, time| {
        0.7 * SHOT.level(x, y, FROM + time) + 20.0
    });
    assert!(is_copy(&graded), "{graded:?}");
    let fading = compared(&claim(), |x, y, time| {
        (1.0 - 0.7 * time / LENGTH) * SHOT.level(x, y, FROM + time)
    });
    assert!(is_copy(&fading), "{fading:?}");
}

#[test]
fn a_small_error_of_the_speed_is_corrected() {
    let (speed, claimed_speed) = (1.25, 1.25 * 1.03);
    // Both lines meet in the middle.
    let wrong = Claim {
        speed: claimed_speed,
        offset: FROM + 0.5 * LENGTH * (speed - claimed_speed),
        ..claim()
    };
    let reference = reference(SHOT, FROM, speed * LENGTH);
    let clip = clip(|x, y, time| SHOT.level(x, y, FROM + speed * time));
    let dense = compare(&reference, &clip, ASPECT, &wrong).expect("pairs");
    assert!(is_copy(&dense) && dense.low > 0.85, "{dense:?}");
}

#[test]
fn a_small_error_of_the_time_is_corrected() {
    for late in [0.3, -0.3] {
        let dense = compared(
            &Claim {
                offset: FROM + late,
                ..claim()
            },
            |x, y, time| SHOT.level(x, y, FROM + time),
        );
        assert!(
            dense.correlation > 0.9 && (dense.shift - late).abs() < 0.06,
            "{late}: {dense:?}"
        );
    }
}

#[test]
fn a_small_error_of_the_geometry_is_corrected() {
    let wrong = Similarity {
        scale: 1.04,
        x: -0.03,
        y: 0.02,
    };
    let dense = compared(
        &Claim {
            geometry: wrong,
            ..claim()
        },
        |x, y, time| SHOT.level(x, y, FROM + time),
    );
    assert!(is_copy(&dense) && dense.inside > 0.8, "{dense:?}");
}

#[test]
fn another_take_agrees_only_in_static_content() {
    for take in 1..4 {
        let other = Scene {
            take: Some(take),
            ..SHOT
        };
        let dense = compared(&claim(), |x, y, time| other.level(x, y, FROM + time));
        assert!(
            dense.correlation < 0.6 && dense.scene > 0.9,
            "{take}: {dense:?}"
        );
    }
}

#[test]
fn without_motion_there_is_no_correlation() {
    let still = Scene { take: None, ..SHOT };
    let clip = clip(|x, y, _| still.level(x, y, 0.0));
    let dense = compare(&reference(still, FROM, LENGTH), &clip, ASPECT, &claim()).expect("pairs");
    assert!(
        dense.activity < 1.0 && dense.correlation == 0.0,
        "{dense:?}"
    );
    assert!(dense.scene > 0.9, "{dense:?}");
    // Nor if only the reference moves.
    let dense = compared(&claim(), |x, y, time| still.level(x, y, time));
    assert!(dense.correlation.abs() < 0.3, "{dense:?}");
}

/// Small frames, fast to compare.
fn small(width: usize, height: usize, times: std::ops::Range<u32>, step: f32) -> Vec<Thumbnail> {
    let level = |x: f32, y: f32, time: f32| {
        255.0 * random((20.0 * x) as u32, (20.0 * y) as u32, (4.0 * time) as u32)
    };
    frames((width, height), times.map(|i| step * i as f32), level)
}

fn is_finite(dense: &Dense) -> bool {
    let Dense {
        correlation,
        low,
        agreeing,
        next,
        scene,
        activity,
        ..
    } = *dense;
    let Dense {
        inside,
        visible,
        matching,
        shift,
        ..
    } = *dense;
    [
        correlation,
        low,
        agreeing,
        next,
        matching.0,
        matching.1,
        scene,
        activity,
        inside,
        visible,
        shift,
    ]
    .into_iter()
    .all(f32::is_finite)
}

#[test]
fn fewer_than_two_pairs_are_no_comparison() {
    let (reference, clip) = (small(16, 9, 0..40, 0.5), small(24, 14, 0..100, 0.08));
    let claim = Claim {
        offset: 2.0,
        ..claim()
    };
    assert!(compare(&reference, &clip, ASPECT, &claim).is_some());
    for (reference, clip) in [
        (&reference[..0], &clip[..]),
        (&reference[..], &clip[..0]),
        (&reference[..0], &clip[..0]),
        (&reference[6..7], &clip[..]),
    ] {
        assert_eq!(compare(reference, clip, ASPECT, &claim), None);
    }
    // One frame of the reference in the interval, none, and an interval before or after all frames
    // of the reference or of the clip.
    let of = |start: f32, end: f32| Span {
        start: Duration::from_secs_f32(start),
        end: Duration::from_secs_f32(end),
    };
    for span in [
        of(0.3, 0.7),
        of(0.2, 0.25),
        of(8.5, 9.0),
        of(100.0, 200.0),
        of(5.0, 3.0),
    ] {
        assert_eq!(
            compare(&reference, &clip, ASPECT, &Claim { span, ..claim }),
            None,
            "{span:?}"
        );
    }
    for offset in [-100.0, 100.0] {
        assert_eq!(
            compare(&reference, &clip, ASPECT, &Claim { offset, ..claim }),
            None
        );
    }
}

#[test]
fn frames_of_other_shapes_are_ignored() {
    let (reference, clip) = (small(16, 9, 0..20, 0.5), small(24, 14, 0..100, 0.08));
    let claim = Claim {
        offset: 0.0,
        ..claim()
    };
    let all = compare(&reference, &clip, ASPECT, &claim)
        .expect("pairs")
        .frames;
    let turned = [&reference[..10], &small(9, 16, 10..20, 0.5)[..]].concat();
    let dense = compare(&turned, &clip, ASPECT, &claim).expect("pairs");
    assert!(
        is_finite(&dense) && dense.frames <= 10 && all > 10,
        "{dense:?}"
    );
    let turned = [&clip[..50], &small(14, 24, 50..100, 0.08)[..]].concat();
    let dense = compare(&reference, &turned, ASPECT, &claim).expect("pairs");
    assert!(is_finite(&dense) && dense.frames <= 10, "{dense:?}");
    // Down to a single pixel.
    for (columns, rows) in [(1, 1), (1, 40), (40, 1)] {
        for pair in [
            (&small(columns, rows, 0..20, 0.5), &clip),
            (&reference, &small(columns, rows, 0..100, 0.08)),
        ] {
            assert!(
                compare(pair.0, pair.1, ASPECT, &claim).is_none_or(|dense| is_finite(&dense)),
                "{columns}x{rows}"
            );
        }
    }
}

#[test]
fn absurd_claims_are_no_copies_and_do_not_panic() {
    let (reference, clip) = (small(16, 9, 0..20, 0.5), small(24, 14, 0..100, 0.08));
    let sound = Claim {
        offset: 0.0,
        ..claim()
    };
    let values = [
        0.0,
        -1.0,
        1e-3,
        1e-20,
        1e3,
        1e20,
        f32::MAX,
        f32::INFINITY,
        f32::NAN,
    ];
    for value in values {
        let of = |scale: f32, x: f32, y: f32| Claim {
            geometry: Similarity { scale, x, y },
            ..sound
        };
        let wrong = [
            of(value, 0.0, 0.0),
            of(1.0, value, 0.0),
            of(1.0, 0.0, value),
            Claim {
                support: [value; 4],
                ..sound
            },
            Claim {
                support: [value, 0.0, 1.0, value],
                ..sound
            },
            Claim {
                speed: value,
                ..sound
            },
            Claim {
                offset: value,
                ..sound
            },
        ];
        for claim in wrong {
            let dense = compare(&reference, &clip, ASPECT, &claim);
            assert!(
                dense.is_none_or(|dense| is_finite(&dense)),
                "{claim:?}: {dense:?}"
            );
        }
        let dense = compare(&reference, &clip, value, &sound);
        assert!(
            dense.is_none_or(|dense| is_finite(&dense)),
            "{value}: {dense:?}"
        );
    }
    assert_eq!(
        compare(
            &reference,
            &clip,
            ASPECT,
            &Claim {
                geometry: Similarity {
                    scale: 0.0,
                    ..WHOLE
                },
                ..sound
            }
        ),
        None
    );
    assert_eq!(
        compare(
            &reference,
            &clip,
            ASPECT,
            &Claim {
                speed: f32::NAN,
                ..sound
            }
        ),
        None
    );
}

#[test]
fn parts_are_averaged_by_their_number_of_frames() {
    let part = |frames, value: f32, shift| Dense {
        correlation: value,
        scene: value,
        low: value,
        agreeing: value,
        next: value,
        matching: (0.0, 1.0),
        activity: 10.0 * value,
        inside: value,
        visible: value,
        frames,
        shift,
    };
    let near = |a: f32, b: f32| (a - b).abs() < 1e-6;
    for (mut first, second) in [
        (part(30, 0.8, 0.1), part(10, 0.4, 0.3)),
        (part(10, 0.4, 0.1), part(30, 0.8, 0.3)),
    ] {
        first.add(&second);
        assert!(
            near(first.correlation, 0.7) && near(first.scene, 0.7) && near(first.activity, 7.0),
            "{first:?}"
        );
        assert!(
            near(first.inside, 0.7) && near(first.visible, 0.7),
            "{first:?}"
        );
        assert!(near(first.shift, 0.1), "{first:?}");
        assert_eq!(first.frames, 40);
    }
    let mut nothing = Dense::default();
    nothing.add(&Dense::default());
    assert_eq!(nothing, Dense::default());
}

#[test]
fn cells_within_a_rectangle_count() {
    let (reference, clip) = (small(16, 9, 0..2, 0.5), small(24, 14, 0..2, 0.5));
    let (reference, clip) = (
        Frames::new(&reference).unwrap(),
        Frames::new(&clip).unwrap(),
    );
    let level = Level::new(&reference, &clip, 1, 1.5, false);
    let count = |part, margin| {
        level
            .within(part, margin)
            .iter()
            .filter(|inside| **inside)
            .count()
    };
    assert_eq!(level.cells(), 144);
    assert_eq!(count([0.0, 0.0, ASPECT, 1.0], 0.0), 144);
    assert_eq!(count([0.0, 0.0, 0.5 * ASPECT, 1.0], 0.0), 72);
    assert_eq!(count([0.0, 0.0, 0.5 * ASPECT, 1.0], 0.12), 81);
    // All cells where they are too few, or where the rectangle is unknown.
    assert_eq!(count([0.0, 0.0, 0.2, 0.2], 0.0), 144);
    assert_eq!(count([f32::NAN; 4], 0.0), 144);
    let halved = Level::new(&reference, &clip, 2, 1.5, false);
    assert_eq!(
        (
            halved.cells(),
            halved.reference.width,
            halved.reference.height
        ),
        (32, 8, 4)
    );
}

#[test]
fn a_moment_lies_between_two_frames() {
    let frames = Frames::new(&small(1, 1, 0..4, 1.0)).unwrap();
    assert_eq!(frames.at(1.0, 0.3), Some(((1, 1), 0.0)));
    assert_eq!(frames.at(1.5, 0.6), Some(((1, 2), 0.5)));
    assert_eq!(frames.at(1.25, 0.3), Some(((1, 1), 0.0)));
    assert_eq!(frames.at(1.75, 0.3), Some(((2, 2), 0.0)));
    assert_eq!(frames.at(1.5, 0.3), None);
    assert_eq!(frames.at(-0.2, 0.3), Some(((0, 0), 0.0)));
    assert_eq!(frames.at(3.2, 0.3), Some(((3, 3), 0.0)));
    assert_eq!(frames.at(9.0, 0.3), None);
    assert_eq!(frames.at(f32::NAN, 0.3), None);
}
