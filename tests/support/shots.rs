//! Stages what the footage shows, frame by frame: cut shots, static cameras, and the hard cases without content.
//!
//! A [`Film`] is a pure function of its description: frame `n` is painted the same on each run.

use std::f32::consts::TAU;

use super::paint::{Frame, Look, Noise, Placement, Random, Shape, Sprite};

/// Width of a painted frame in pixels.
pub const WIDTH: usize = 320;
/// Height of a painted frame in pixels.
pub const HEIGHT: usize = 180;
/// Painted frames a second.
pub const RATE: u32 = 25;

/// What a made video shows.
#[derive(Clone, Debug, PartialEq)]
pub enum Scene {
    /// Shots of 3 to 6 s with a moving camera and dozens of moving things.
    Moving {
        /// Chooses everything that is seen.
        seed: u64,
    },
    /// A static camera and a person who walks and waves before it.
    Tripod {
        /// Chooses the place and the person.
        scene: u64,
        /// Chooses the movements.
        take: u64,
    },
    /// A static camera and a head with shoulders that sways and speaks.
    TalkingHead {
        /// Chooses the place and the person.
        scene: u64,
        /// Chooses the movements.
        take: u64,
    },
    /// Nothing but black.
    Black,
    /// One rich picture, held.
    Frozen {
        /// Chooses the picture.
        seed: u64,
    },
    /// Colour bars with a few lines that look like text, held.
    Slate,
    /// A white page on which lines are drawn one after the other.
    LineDrawing {
        /// Chooses the lines.
        seed: u64,
    },
    /// [`Scene::Moving`] with black from one second to another.
    PartlyBlack {
        /// Chooses everything that is seen.
        seed: u64,
        /// First black second.
        from_s: u32,
        /// First second that is not black again.
        to_s: u32,
    },
}

impl Scene {
    /// Whether a sensor would add its noise: not to what a computer drew or holds.
    pub fn is_filmed(&self) -> bool {
        matches!(
            self,
            Scene::Moving { .. }
                | Scene::Tripod { .. }
                | Scene::TalkingHead { .. }
                | Scene::PartlyBlack { .. }
        )
    }

    /// Prepares the painting of this scene at [`RATE`] frames a second.
    pub fn film(&self) -> Film {
        match *self {
            Scene::Moving { seed } => Film::Cut(Reel::new(seed), 0..0),
            Scene::PartlyBlack { seed, from_s, to_s } => {
                Film::Cut(Reel::new(seed), from_s * RATE..to_s * RATE)
            }
            Scene::Tripod { scene, take } => Film::Walker(Box::new(Walker::new(scene, take))),
            Scene::TalkingHead { scene, take } => {
                Film::Speaker(Box::new(Speaker::new(scene, take)))
            }
            Scene::Black => Film::Held(Frame::plain(WIDTH, HEIGHT, 16)),
            Scene::Frozen { seed } => {
                let mut shot = Shot::new(&mut Random::new(seed ^ 0xF0));
                Film::Held(shot.paint(1.0))
            }
            Scene::Slate => Film::Held(slate()),
            Scene::LineDrawing { seed } => Film::Lines(Pen::new(seed)),
        }
    }
}

/// A scene that is ready to be painted frame by frame, in order.
pub enum Film {
    /// Shots one after the other, and the frames that are black instead.
    Cut(Reel, std::ops::Range<u32>),
    /// See [`Scene::Tripod`].
    Walker(Box<Walker>),
    /// See [`Scene::TalkingHead`].
    Speaker(Box<Speaker>),
    /// One picture.
    Held(Frame),
    /// See [`Scene::LineDrawing`].
    Lines(Pen),
}

impl Film {
    /// Paints frame `number`; numbers must come in rising order from 0.
    pub fn frame(&mut self, number: u32) -> Frame {
        let seconds = number as f32 / RATE as f32;
        match self {
            Film::Cut(reel, black) => {
                let frame = reel.frame(number);
                if black.contains(&number) {
                    return Frame::plain(WIDTH, HEIGHT, 16);
                }
                frame
            }
            Film::Walker(walker) => walker.paint(seconds),
            Film::Speaker(speaker) => speaker.paint(seconds),
            Film::Held(frame) => frame.clone(),
            Film::Lines(pen) => pen.paint(number),
        }
    }
}

/// Shots in a row, each painted when its time comes.
pub struct Reel {
    random: Random,
    shot: Shot,
    first: u32,
    end: u32,
}

impl Reel {
    fn new(seed: u64) -> Reel {
        let mut random = Random::new(seed);
        let end = shot_frames(&mut random);
        let shot = Shot::new(&mut random);
        Reel {
            random,
            shot,
            first: 0,
            end,
        }
    }

    fn frame(&mut self, number: u32) -> Frame {
        while number >= self.end {
            self.first = self.end;
            self.end += shot_frames(&mut self.random);
            self.shot = Shot::new(&mut self.random);
        }
        self.shot.paint((number - self.first) as f32 / RATE as f32)
    }
}

fn shot_frames(random: &mut Random) -> u32 {
    75 + random.below(76) as u32
}

/// A sum of three slow sines: the drift of a hand, a light or a limb.
struct Sway([(f32, f32, f32); 3]);

impl Sway {
    /// `reach` is the largest swing of the slowest part, `hertz` its rate.
    fn new(random: &mut Random, reach: f32, hertz: f32) -> Sway {
        let mut part = |reach: f32, rate: f32| {
            let rate = rate * random.between(0.75, 1.3);
            (reach * random.between(0.6, 1.0), TAU * rate, random.angle())
        };
        Sway([
            part(reach, hertz),
            part(0.45 * reach, 2.3 * hertz),
            part(0.2 * reach, 5.1 * hertz),
        ])
    }

    fn at(&self, seconds: f32) -> f32 {
        let part = |(reach, rate, phase): &(f32, f32, f32)| reach * (rate * seconds + phase).sin();
        self.0.iter().map(part).sum()
    }
}

/// A thing that moves through a shot in its own way.
struct Actor {
    sprite: Sprite,
    start: (f32, f32),
    velocity: (f32, f32),
    sway: (Sway, Sway),
    turn: (f32, f32),
    growth: f32,
    bend: (f32, f32),
    /// How much of the camera's motion it shows: 1 at the ground's distance, more in front of it.
    nearness: f32,
}

/// One uncut take with a moving camera.
pub struct Shot {
    ground: Sprite,
    actors: Vec<Actor>,
    camera: (Sway, Sway),
    pan: (f32, f32),
    zoom: (f32, f32),
    roll: Sway,
    light: Sway,
    slope: (f32, f32),
}

impl Shot {
    fn new(random: &mut Random) -> Shot {
        let (width, height) = (WIDTH + 170, HEIGHT + 110);
        let mut ground = Sprite::ground(random, width, height, 1.0);
        let furniture = 34 + random.below(14);
        furnish(&mut ground, random, furniture, 5.0, 42.0);
        let mut actors: Vec<Actor> = (0..12 + random.below(8))
            .map(|_| Actor::new(random))
            .collect();
        actors.sort_by(|a, b| a.nearness.total_cmp(&b.nearness));
        let handheld = random.size(0.4, 3.0);
        let heading = random.angle();
        let pace = random.between(0.0, 14.0);
        Shot {
            ground,
            actors,
            camera: (
                Sway::new(random, handheld, 0.6),
                Sway::new(random, handheld, 0.7),
            ),
            pan: (pace * heading.cos(), 0.6 * pace * heading.sin()),
            zoom: (random.between(0.85, 1.15), random.between(-0.03, 0.03)),
            roll: Sway::new(random, 0.012, 0.5),
            light: Sway::new(random, 0.08, 0.3),
            slope: (random.between(-0.15, 0.15), random.between(-0.15, 0.15)),
        }
    }

    fn paint(&mut self, seconds: f32) -> Frame {
        let mut frame = Frame::plain(WIDTH, HEIGHT, 16);
        let (w, h) = self.ground.size();
        let shift = (
            self.camera.0.at(seconds) + self.pan.0 * (seconds - 2.0),
            self.camera.1.at(seconds) + self.pan.1 * (seconds - 2.0),
        );
        let step = self.zoom.0 + self.zoom.1 * seconds;
        let roll = self.roll.at(seconds);
        frame.look_at(
            &self.ground,
            (0.5 * w + shift.0, 0.5 * h + shift.1),
            step,
            roll,
        );
        for actor in &self.actors {
            frame.blit(&actor.sprite, &actor.placement(seconds, shift, step, roll));
        }
        frame.relight(1.0 + self.light.at(seconds), self.slope);
        frame
    }
}

impl Actor {
    fn new(random: &mut Random) -> Actor {
        let size = random.size(12.0, 95.0);
        let slim = random.between(0.6, 1.5);
        let shape = Shape::any(random);
        let look = Look::any(random);
        let pace = random.between(0.0, 26.0);
        let heading = random.angle();
        Actor {
            sprite: Sprite::thing(random, &shape, size * slim, size / slim, &look),
            start: (
                random.between(-0.55, 0.55) * WIDTH as f32,
                random.between(-0.5, 0.5) * HEIGHT as f32,
            ),
            velocity: (pace * heading.cos(), 0.6 * pace * heading.sin()),
            sway: (Sway::new(random, 6.0, 0.35), Sway::new(random, 4.0, 0.4)),
            turn: (random.angle(), random.between(-0.5, 0.5)),
            growth: random.between(-0.05, 0.05),
            bend: (random.between(0.0, 0.05), random.angle()),
            nearness: random.between(0.9, 1.5),
        }
    }

    fn placement(&self, seconds: f32, shift: (f32, f32), step: f32, roll: f32) -> Placement {
        let x = self.start.0 + self.velocity.0 * (seconds - 2.0) + self.sway.0.at(seconds)
            - self.nearness * shift.0;
        let y = self.start.1 + self.velocity.1 * (seconds - 2.0) + self.sway.1.at(seconds)
            - self.nearness * shift.1;
        let (sin, cos) = (-roll).sin_cos();
        let stretch = (1.0 + self.growth * seconds) / step;
        Placement {
            centre: (
                0.5 * WIDTH as f32 + (cos * x - sin * y) / step,
                0.5 * HEIGHT as f32 + (sin * x + cos * y) / step,
            ),
            turn: self.turn.0 + self.turn.1 * seconds - roll,
            stretch: (stretch, stretch),
            bend: (self.bend.0, self.bend.1 + 2.0 * seconds),
        }
    }
}

/// Puts `count` unmoving things of `smallest..largest` pixels onto the ground, each with a look of its own.
fn furnish(ground: &mut Sprite, random: &mut Random, count: usize, smallest: f32, largest: f32) {
    let (w, h) = ground.size();
    for _ in 0..count {
        let size = 2.0 * random.size(smallest, largest);
        let slim = random.between(0.6, 1.6);
        let shape = Shape::any(random);
        let look = Look::any(random);
        let thing = Sprite::thing(random, &shape, size * slim, size / slim, &look);
        let mut place = Placement::at(random.between(0.0, w), random.between(0.0, h));
        place.turn = random.angle();
        ground.stamp(&thing, &place);
    }
}

/// A room seen from a tripod.
fn room(random: &mut Random, furniture: usize, softness: f32) -> Frame {
    let mut ground = Sprite::ground(random, WIDTH + 4, HEIGHT + 4, softness);
    furnish(&mut ground, random, furniture, 5.0 * softness, 36.0);
    let mut frame = Frame::plain(WIDTH, HEIGHT, 16);
    let (w, h) = ground.size();
    frame.look_at(&ground, (0.5 * w, 0.5 * h), 1.0, 0.0);
    frame
}

/// A person of jointed parts before a room.
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
    fn new(scene: u64, take: u64) -> Walker {
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

    fn paint(&self, seconds: f32) -> Frame {
        let mut frame = self.room.clone();
        let scale = 1.08 + self.depth.at(seconds);
        let swing = (self.stride.0 * seconds + self.stride.1).sin();
        let hip = (
            0.5 * WIDTH as f32 + self.across.at(seconds),
            120.0 + 3.0 * (2.0 * (self.stride.0 * seconds + self.stride.1)).sin(),
        );
        // A body that turns shows less of its width, and its clothes fold.
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

/// A head with shoulders before a blurred room.
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
    fn new(scene: u64, take: u64) -> Speaker {
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

    fn paint(&self, seconds: f32) -> Frame {
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

/// Draws one line after the other on a white page between black bars.
pub struct Pen {
    random: Random,
    page: Frame,
    at: (f32, f32),
    heading: f32,
    bend: Noise,
}

impl Pen {
    fn new(seed: u64) -> Pen {
        let mut random = Random::new(seed ^ 0x11E);
        let mut page = Frame::plain(WIDTH, HEIGHT, 232);
        page.fill(0, 0, 40, HEIGHT, [16, 128, 128]);
        page.fill(WIDTH - 40, 0, 40, HEIGHT, [16, 128, 128]);
        let bend = Noise::new(&mut random, 2, 0.5);
        Pen {
            random,
            page,
            at: (160.0, 90.0),
            heading: 0.0,
            bend,
        }
    }

    fn paint(&mut self, number: u32) -> Frame {
        if number.is_multiple_of(60) {
            self.at = (
                self.random.between(70.0, 250.0),
                self.random.between(30.0, 150.0),
            );
            self.heading = self.random.angle();
        }
        for step in 0..3 {
            self.heading += 0.12 * self.bend.at(number as f32 / 9.0, step as f32 / 9.0);
            let (x, y) = (
                self.at.0 + self.heading.cos(),
                self.at.1 + self.heading.sin(),
            );
            if !(55.0..WIDTH as f32 - 55.0).contains(&x)
                || !(12.0..HEIGHT as f32 - 12.0).contains(&y)
            {
                self.heading += 2.0;
                continue;
            }
            self.at = (x, y);
            self.page.fill(x as usize, y as usize, 2, 2, [30, 128, 128]);
        }
        self.page.clone()
    }
}

/// Bars of seven colours over a dark field with rows of strokes of uneven length, as words are.
fn slate() -> Frame {
    let bars = [
        [180, 128, 128],
        [162, 44, 142],
        [131, 156, 44],
        [112, 72, 58],
        [84, 184, 198],
        [65, 100, 212],
        [35, 212, 114],
    ];
    let mut frame = Frame::plain(WIDTH, HEIGHT, 24);
    for (k, colour) in bars.into_iter().enumerate() {
        frame.fill(k * WIDTH / 7, 0, WIDTH / 7 + 1, HEIGHT * 3 / 5, colour);
    }
    let mut random = Random::new(77);
    for row in 0..4 {
        let mut column = 24;
        while column < WIDTH - 40 {
            let word = 3 + random.below(6);
            for letter in 0..word {
                let (left, top) = (column + 5 * letter, HEIGHT * 3 / 5 + 10 + 15 * row);
                frame.fill(left, top, 1, 8, [220, 128, 128]);
                frame.fill(left, top + 4 * random.below(3), 4, 1, [220, 128, 128]);
                frame.fill(left + 1 + random.below(3), top, 1, 8, [220, 128, 128]);
            }
            column += 5 * word + 6;
        }
    }
    frame
}
