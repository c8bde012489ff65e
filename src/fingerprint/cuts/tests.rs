use super::super::Content;
use super::super::testing;
use super::*;

const SIZE: (usize, usize) = (96, 54);

/// Pictures at 12.5 a second; `level` gives grey levels by number, column and row.
fn pictures(number: usize, level: impl Fn(usize, f32, f32) -> f32) -> Vec<Thumbnail> {
    let pixels = || (0..SIZE.1).flat_map(|y| (0..SIZE.0).map(move |x| (x as f32, y as f32)));
    let luma = |i| {
        pixels()
            .map(|(x, y)| level(i, x, y).clamp(0.0, 255.0) as u8)
            .collect()
    };
    let picture = |i: usize| Thumbnail {
        time: time(i),
        width: SIZE.0,
        height: SIZE.1,
        luma: luma(i),
    };
    (0..number).map(picture).collect()
}

/// A scene with as much detail as real ones have at this size.
fn texture(x: f32, y: f32, seed: u32) -> f32 {
    testing::texture(6.0 * x, 6.0 * y, seed)
}

fn time(picture: usize) -> Duration {
    Duration::from_millis(80 * picture as u64)
}

/// The numbers of the pictures that begin a shot.
fn cut_at(pictures: &[Thumbnail]) -> Vec<usize> {
    let mut cuts = Cuts::default();
    pictures.iter().for_each(|picture| cuts.picture(picture));
    let found = found(&cuts.steps);
    (0..pictures.len())
        .filter(|&i| found.contains(&time(i)))
        .collect()
}

/// The same for two seconds of pictures.
fn cuts(level: impl Fn(usize, f32, f32) -> f32) -> Vec<usize> {
    cut_at(&pictures(25, level))
}

/// A pseudo-random number in -1..=1.
fn random(i: usize) -> f32 {
    ((i as f32 * 12.9898).sin() * 43_758.547).fract()
}

#[test]
fn a_camera_that_pans_comes_closer_or_shakes_does_not_cut() {
    for seed in 0..8 {
        let pan = cuts(|i, x, y| texture(x + 7.0 * i as f32, y, seed));
        let zoom = cuts(|i, x, y| {
            let scale = 0.96_f32.powi(i as i32);
            texture((x - 48.0) * scale, (y - 27.0) * scale, seed)
        });
        let shake = cuts(|i, x, y| texture(x + 6.0 * random(i), y + 5.0 * random(i + 50), seed));
        assert_eq!([pan, zoom, shake], [[0; 0]; 3], "{seed}");
    }
}

#[test]
fn something_fast_that_fills_the_picture_is_no_cut() {
    for seed in 0..8 {
        // It crosses the picture in two thirds of a second, and is wider than the picture.
        let passing = cuts(|i, x, y| {
            let at = x - 12.0 * (i as f32 - 8.0);
            if (-100.0..0.0).contains(&at) {
                texture(at, y, seed + 70)
            } else {
                texture(x, y, seed)
            }
        });
        assert_eq!(passing, [0; 0], "{seed}");
    }
}

#[test]
fn flashes_fades_and_noise_are_no_cuts() {
    for seed in 0..8 {
        let flash = cuts(|i, x, y| if i == 9 { 255.0 } else { texture(x, y, seed) });
        let bright =
            cuts(|i, x, y| texture(x, y, seed) * if (12..14).contains(&i) { 1.8 } else { 0.9 });
        let other = cuts(|i, x, y| {
            texture(
                x,
                y,
                if (10..12).contains(&i) {
                    seed + 60
                } else {
                    seed
                },
            )
        });
        let darker = cuts(|i, x, y| texture(x, y, seed) * (1.0 - 0.03 * i as f32));
        let noise = cuts(|i, x, y| {
            let noise = random((x + 96.0 * y) as usize + 6007 * i);
            if x < 40.0 {
                texture(x, y, seed) + 9.0 * noise
            } else {
                60.0 + 5.0 * noise
            }
        });
        let black = cuts(|i, x, y| {
            texture(x, y, seed) * ((i as f32 - 5.0).min(20.0 - i as f32) / 8.0).clamp(0.0, 1.0)
        });
        assert_eq!(
            [flash, bright, other, darker, noise, black],
            [[0; 0]; 6],
            "{seed}"
        );
    }
}

#[test]
fn cuts_between_shots_are_found_at_the_picture_that_begins_one() {
    let shot = |i: usize| u32::from(i >= 7) + u32::from(i >= 16);
    for seed in 0..8 {
        let seed = |i| seed + 20 * shot(i);
        let still = cuts(|i, x, y| texture(x, y, seed(i)));
        let moving = cuts(|i, x, y| texture(x + 3.0 * i as f32, y, seed(i)));
        let dark = cuts(|i, x, y| 20.0 + 0.25 * texture(x, y, seed(i)));
        let letterbox = cuts(|i, x, y| {
            if (12.0..42.0).contains(&y) {
                texture(x, y, seed(i))
            } else {
                16.0
            }
        });
        let caption = cuts(|i, x, y| texture(x, y, if y > 40.0 { 99 } else { seed(i) }));
        assert_eq!(
            [still, moving, dark, letterbox, caption],
            [[7, 16]; 5],
            "{}",
            seed(0)
        );
    }
}

#[test]
fn pieces_too_short_for_anything_to_stand_out_are_cuts() {
    for pictures_a_shot in [1, 2, 4] {
        let found = cuts(|i, x, y| texture(x, y, 10 * (i / pictures_a_shot) as u32));
        assert!(
            found.len() >= 24 / pictures_a_shot - 1,
            "{pictures_a_shot}: {found:?}"
        );
        // Two films alternating.
        let found = cuts(|i, x, y| texture(x + i as f32, y, 10 * (i / pictures_a_shot % 2) as u32));
        assert!(
            found.len() >= 24 / pictures_a_shot - 1,
            "{pictures_a_shot} by turns: {found:?}"
        );
    }
}

#[test]
fn short_dissolves_are_one_cut_each_and_long_ones_none() {
    for seed in 0..8 {
        let dissolved = |length: usize| {
            cuts(|i, x, y| {
                let share = (i as f32 - 10.0) / length as f32;
                let share = share.clamp(0.0, 1.0);
                (1.0 - share) * texture(x + 0.5 * i as f32, y, seed)
                    + share * texture(x, y + 0.5 * i as f32, seed + 30)
            })
        };
        for length in [2, 3, 5] {
            let found = dissolved(length);
            assert!(
                found.len() == 1 && (10..=10 + length).contains(&found[0]),
                "{seed}, {length}: {found:?}"
            );
        }
        assert!(dissolved(40).is_empty(), "{seed}");
    }
}

/// The result for three keyframes, of which the second lies between two pictures and shows `shown`.
fn told(pictures: &[Thumbnail], shown: &Thumbnail) -> Vec<bool> {
    let keyframes = [10 * 80, 11 * 80 + 40, 13 * 80].map(Duration::from_millis);
    let mut cuts = Cuts::default();
    for (i, picture) in pictures.iter().enumerate() {
        cuts.picture(picture);
        if i == 11 {
            let Thumbnail {
                width,
                height,
                luma,
                ..
            } = shown.clone();
            cuts.keyframe(&Frame {
                time: keyframes[1],
                width,
                height,
                luma,
            });
        }
    }
    let (content, cut, repeats, panned) = (Content::Searchable, false, false, false);
    cuts.at(&keyframes.map(|time| Keyframe {
        time,
        content,
        still_since: time,
        cut,
        repeats,
        panned,
    }))
}

#[test]
fn a_keyframe_between_two_pictures_is_of_the_shot_that_it_shows() {
    let pictures = pictures(25, |i, x, y| texture(x, y, 30 * u32::from(i >= 12)));
    assert_eq!(told(&pictures, &pictures[11]), [false, false, true]);
    assert_eq!(told(&pictures, &pictures[12]), [false, true, false]);
}

#[test]
fn what_is_shown_between_the_pictures_only_is_a_shot_of_its_own() {
    let pictures = pictures(25, |_, x, y| texture(x, y, 1));
    let dark = Thumbnail {
        luma: vec![40; SIZE.0 * SIZE.1],
        ..pictures[11].clone()
    };
    assert_eq!(told(&pictures, &dark), [false, true, true]);
    assert_eq!(told(&pictures, &pictures[11]), [false; 3]);
}

#[test]
fn pictures_of_another_shape_begin_a_shot_and_few_or_tiny_ones_do_no_harm() {
    let mut turned = pictures(12, |_, x, y| texture(x, y, 1));
    let upright =
        |picture: &mut Thumbnail| (picture.width, picture.height) = (picture.height, picture.width);
    turned[6..].iter_mut().for_each(upright);
    assert_eq!(cut_at(&turned), [6]);
    assert_eq!(cut_at(&[]), [0; 0]);
    for (width, height) in [(1, 1), (3, 200), (200, 3), (17, 13)] {
        let picture = |i| Thumbnail {
            time: time(i),
            width,
            height,
            luma: vec![i as u8; width * height],
        };
        assert_eq!(cut_at(&(0..9).map(picture).collect::<Vec<_>>()), [0; 0]);
    }
    assert_eq!(Cuts::default().at(&[]), [false; 0]);
}
