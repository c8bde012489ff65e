//! Stages the content of the footage, frame by frame: cut shots, static cameras, and hard cases
//! without content.
//!
//! A [`Film`] is a pure function of its description: frame `n` is the same on each run.

use std::f32::consts::TAU;

use super::paint::{Frame, Look, Noise, Placement, Random, Shape, Sprite};
use super::people::{Speaker, Walker};

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
        /// Determines everything visible.
        seed: u64,
    },
    /// A static camera and a person who walks and waves in front of it.
    Tripod {
        /// Determines the place and the person.
        scene: u64,
        /// Determines the movements.
        take: u64,
    },
    /// A static camera and a head with shoulders that sways and speaks.
    TalkingHead {
        /// Determines the place and the person.
        scene: u64,
        /// Determines the movements.
        take: u64,
    },
    /// Nothing but black.
    Black,
    /// One detailed picture, held.
    Frozen {
        /// Determines the picture.
        seed: u64,
    },
    /// Colour bars with a few lines that look like text, held.
    Slate,
    /// A white page on which lines are drawn one after the other.
    LineDrawing {
        /// Determines the lines.
        seed: u64,
    },
    /// [`Scene::Moving`] with black from one second to another.
    PartlyBlack {
        /// Determines everything visible.
        seed: u64,
        /// First black second.
        from_s: u32,
        /// First second after the black part.
        to_s: u32,
    },
}

impl Scene {
    /// Whether a sensor would add noise: not to computer drawings and stills.
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

/// A scene that can be painted frame by frame, in order.
pub enum Film {
    /// Consecutive shots, and the range of frames that are black instead.
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

/// Consecutive shots, each painted when its time comes.
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
pub struct Sway([(f32, f32, f32); 3]);

impl Sway {
    /// `reach` is the largest swing of the slowest part, `hertz` its rate.
    pub fn new(random: &mut Random, reach: f32, hertz: f32) -> Sway {
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

    /// The deflection at a time.
    pub fn at(&self, seconds: f32) -> f32 {
        let part = |(reach, rate, phase): &(f32, f32, f32)| reach * (rate * seconds + phase).sin();
        self.0.iter().map(part).sum()
    }
}

/// A thing that moves through a shot on its own path.
struct Actor {
    sprite: Sprite,
    start: (f32, f32),
    velocity: (f32, f32),
    sway: (Sway, Sway),
    turn: (f32, f32),
    growth: f32,
    bend: (f32, f32),
    /// Share of the camera's motion that it shows: 1 at the ground's distance, more in front of it.
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

/// Puts `count` still things of `smallest..largest` pixels onto the ground, each with a random
/// look.
pub fn furnish(
    ground: &mut Sprite,
    random: &mut Random,
    count: usize,
    smallest: f32,
    largest: f32,
) {
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

/// Bars of seven colours above a dark field with rows of strokes as long as words.
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
