//! People in front of a static camera: the case in which two takes share everything except the
//! moment.

use std::f32::consts::TAU;

use super::paint::{Frame, Look, Placement, Random, Shape, Sprite};
use super::shots::{HEIGHT, Sway, WIDTH, furnish};

/// A room seen from a tripod.
fn room(random: &mut Random, furniture: usize, softness: f32) -> Frame {
    let mut ground = Sprite::ground(random, WIDTH + 4, HEIGHT + 4, softness);
    furnish(&mut ground, random, furniture, 5.0 * softness, 36.0);
    let mut frame = Frame::plain(WIDTH, HEIGHT, 16);
    let (w, h) = ground.size();
    frame.look_at(&ground, (0.5 * w, 0.5 * h), 1.0, 0.0);
    frame
}

/// A person of jointed parts in front of a room.
pub struct Walker {
    room: Frame,
    head: Sprite,
    torso: Sprite,
    arms: [Sprite; 4],
    legs: [Sprite; 4],
    across: Sway,
    depth: Sway,
    lean: Sway,
    facing: Sway,
    wave: [Sway; 4],
    stride: (f32, f32),
    folds: f32,
    light: Sway,
}

impl Walker {
    /// The person of `scene` in the movements of `take`.
    pub fn new(scene: u64, take: u64) -> Walker {
        let mut place = Random::new(scene ^ 0x7121);
        let room = room(&mut place, 38, 1.0);
        let mut part = |shape: &Shape, width: f32, height: f32| {
            let look = Look::any(&mut place);
            Sprite::thing(&mut place, shape, width, height, &look)
        };
        let blob = Shape::Blob([(0.06, 0.4), (0.03, 2.0), (0.02, 1.0), (0.01, 5.0)]);
        let head = part(&Shape::Ellipse, 34.0, 42.0);
        let torso = part(&blob, 78.0, 96.0);
        let arms = std::array::from_fn(|_| part(&Shape::Capsule, 17.0, 48.0));
        let legs = std::array::from_fn(|_| part(&Shape::Capsule, 23.0, 52.0));
        let mut act = Random::new(scene ^ take.wrapping_mul(0x1_0001) ^ 0xAC7);
        Walker {
            room,
            head,
            torso,
            arms,
            legs,
            across: Sway::new(&mut act, 95.0, 0.11),
            depth: Sway::new(&mut act, 0.12, 0.13),
            lean: Sway::new(&mut act, 0.1, 0.4),
            facing: Sway::new(&mut act, 0.22, 0.3),
            wave: std::array::from_fn(|_| Sway::new(&mut act, 1.0, 0.4)),
            stride: (TAU * act.between(0.7, 1.1), act.angle()),
            folds: act.angle(),
            light: Sway::new(&mut act, 0.04, 0.2),
        }
    }

    /// Paints the frame at a time.
    pub fn paint(&self, seconds: f32) -> Frame {
        let mut frame = self.room.clone();
        let scale = 1.08 + self.depth.at(seconds);
        let swing = (self.stride.0 * seconds + self.stride.1).sin();
        let hip = (
            0.5 * WIDTH as f32 + self.across.at(seconds),
            120.0 + 3.0 * (2.0 * (self.stride.0 * seconds + self.stride.1)).sin(),
        );
        // A turning body shows less of its width, and its clothes fold.
        let breadth = 0.95 - self.facing.at(seconds).abs();
        let lean = self.lean.at(seconds);
        let along = |from: (f32, f32), angle: f32, length: f32| {
            (
                from.0 - length * scale * angle.sin(),
                from.1 + length * scale * angle.cos(),
            )
        };
        let folds = self.folds + 1.9 * seconds;
        let mut limb = |sprite: &Sprite, from: (f32, f32), angle: f32, length: f32| {
            let to = along(from, angle, length);
            let place = Placement {
                centre: (0.5 * (from.0 + to.0), 0.5 * (from.1 + to.1)),
                turn: angle,
                stretch: (scale, scale),
                bend: (0.05, folds),
            };
            frame.blit(sprite, &place);
            to
        };
        for (side, angle) in [(0, 0.55 * swing), (2, -0.55 * swing)] {
            let knee = limb(&self.legs[side], hip, angle, 42.0);
            limb(
                &self.legs[side + 1],
                knee,
                angle + 0.35 * (1.0 - swing.abs()),
                42.0,
            );
        }
        let neck = along(hip, std::f32::consts::PI + lean, 74.0);
        limb(
            &self.arms[0],
            neck,
            1.2 + 0.9 * self.wave[0].at(seconds),
            36.0,
        );
        let far = along(neck, 1.2 + 0.9 * self.wave[0].at(seconds), 36.0);
        limb(
            &self.arms[1],
            far,
            1.6 + 1.2 * self.wave[1].at(seconds),
            36.0,
        );
        let torso = Placement {
            centre: (0.5 * (hip.0 + neck.0), 0.5 * (hip.1 + neck.1)),
            turn: lean,
            stretch: (scale * breadth, scale),
            bend: (0.06, folds),
        };
        frame.blit(&self.torso, &torso);
        let top = along(neck, std::f32::consts::PI + 1.3 * lean, 20.0);
        let head = Placement {
            centre: top,
            turn: 1.5 * lean,
            stretch: (scale * (0.55 + 0.45 * breadth), scale),
            bend: (0.03, folds),
        };
        frame.blit(&self.head, &head);
        let mut limb = |sprite: &Sprite, from: (f32, f32), angle: f32| {
            let to = along(from, angle, 36.0);
            let place = Placement {
                centre: (0.5 * (from.0 + to.0), 0.5 * (from.1 + to.1)),
                turn: angle,
                stretch: (scale, scale),
                bend: (0.05, folds + 1.0),
            };
            frame.blit(sprite, &place);
            to
        };
        let elbow = limb(&self.arms[2], neck, -1.2 + 0.9 * self.wave[2].at(seconds));
        limb(&self.arms[3], elbow, -1.6 + 1.2 * self.wave[3].at(seconds));
        frame.relight(1.0 + self.light.at(seconds), (0.06, 0.0));
        frame
    }
}

/// A head with shoulders in front of a blurred room.
pub struct Speaker {
    room: Frame,
    body: Sprite,
    head: Sprite,
    eyes: [Sprite; 2],
    mouth: Sprite,
    sway: (Sway, Sway),
    nod: Sway,
    speech: Sway,
    glance: Sway,
    folds: f32,
}

impl Speaker {
    /// The person of `scene` in the movements of `take`.
    pub fn new(scene: u64, take: u64) -> Speaker {
        let mut place = Random::new(scene ^ 0x5EA1);
        let room = room(&mut place, 16, 2.2);
        let mut part = |shape: &Shape, width: f32, height: f32, tone: f32, marks: usize| {
            let look = Look {
                tone,
                contrast: 26.0,
                grain: 2.5,
                marks,
            };
            Sprite::thing(&mut place, shape, width, height, &look)
        };
        let body = part(&Shape::Ellipse, 200.0, 150.0, 80.0, 6);
        let head = part(&Shape::Ellipse, 74.0, 98.0, 150.0, 2);
        let eyes = std::array::from_fn(|_| part(&Shape::Ellipse, 15.0, 10.0, 60.0, 1));
        let mouth = part(&Shape::Ellipse, 28.0, 14.0, 70.0, 0);
        let mut act = Random::new(scene ^ take.wrapping_mul(0x1_0001) ^ 0x5A1);
        Speaker {
            room,
            body,
            head,
            eyes,
            mouth,
            sway: (
                Sway::new(&mut act, 7.0, 0.25),
                Sway::new(&mut act, 3.0, 0.4),
            ),
            nod: Sway::new(&mut act, 0.07, 0.5),
            speech: Sway::new(&mut act, 0.55, 2.1),
            glance: Sway::new(&mut act, 0.5, 0.4),
            folds: act.angle(),
        }
    }

    /// Paints the frame at a time.
    pub fn paint(&self, seconds: f32) -> Frame {
        let mut frame = self.room.clone();
        let (x, y) = (
            160.0 + self.sway.0.at(seconds),
            84.0 + self.sway.1.at(seconds),
        );
        let nod = self.nod.at(seconds);
        let mut body = Placement::at(160.0 + 0.5 * (x - 160.0), 186.0);
        body.bend = (0.015, self.folds + seconds);
        frame.blit(&self.body, &body);
        let mut head = Placement::at(x, y);
        head.turn = nod;
        frame.blit(&self.head, &head);
        let glance = self.glance.at(seconds);
        for (eye, side) in self.eyes.iter().zip([-17.0, 17.0]) {
            let mut place = Placement::at(x + side + 3.0 * glance, y - 12.0 + side * nod);
            place.stretch = (1.0, (0.25 + (2.0 * glance).cos().abs()).min(1.0));
            frame.blit(eye, &place);
        }
        let mut mouth = Placement::at(x - 26.0 * nod, y + 26.0);
        mouth.stretch = (1.0, 0.35 + self.speech.at(seconds).abs());
        frame.blit(&self.mouth, &mouth);
        frame.relight(1.0, (0.05, 0.05));
        frame
    }
}
