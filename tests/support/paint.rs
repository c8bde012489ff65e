//! Paints textured sprites and whole frames: noise, shapes, and blitting with motion.
//!
//! Pure and seeded: the same calls give the same bytes. Frames are small (320x180) because the
//! detector uses a short side of 128 px; the encoder's noise filter adds finer detail. Functions
//! for each pixel are always inlined, since tests are hardly optimised.

/// A small generator of random numbers (SplitMix64), so that footage does not depend on another
/// crate's stream.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Starts the stream that belongs to `seed`; equal seeds give equal streams.
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5851_F42D_4C95_7F2D)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number between `low` and `high`, evenly spread.
    pub fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * ((self.bits() >> 40) as f32 / (1u64 << 24) as f32)
    }

    /// A whole number in `0..count`; 0 when `count` is 0.
    pub fn below(&mut self, count: usize) -> usize {
        (self.bits() % count.max(1) as u64) as usize
    }

    /// An angle or phase in `0..2 pi`.
    pub fn angle(&mut self) -> f32 {
        self.between(0.0, std::f32::consts::TAU)
    }

    /// A size between `low` and `high` whose logarithm is evenly spread: many small things, few
    /// large ones.
    pub fn size(&mut self, low: f32, high: f32) -> f32 {
        (self.between(low.ln(), high.ln())).exp()
    }
}

/// Smooth noise of several octaves, roughly in -1..=1, with a spectrum that falls like that of
/// photographs.
#[derive(Clone, Debug)]
pub struct Noise {
    seed: u32,
    octaves: u32,
    /// Amplitude of each octave relative to the one before; 0.5 is smooth, 0.7 is rough.
    roughness: f32,
}

impl Noise {
    /// Draws a new field from `random`.
    pub fn new(random: &mut Random, octaves: u32, roughness: f32) -> Noise {
        let seed = random.bits() as u32;
        Noise {
            seed,
            octaves,
            roughness,
        }
    }

    /// The field at a point; one unit is the coarsest octave's cell.
    pub fn at(&self, mut x: f32, mut y: f32) -> f32 {
        let (mut sum, mut amplitude, mut total) = (0.0, 1.0, 0.0);
        for octave in 0..self.octaves {
            sum += amplitude * self.cell(x, y, octave);
            total += amplitude;
            amplitude *= self.roughness;
            // Rotating each octave keeps the lattice from showing as a grid.
            (x, y) = (1.6 * x + 1.2 * y + 7.3, 1.6 * y - 1.2 * x + 3.1);
        }
        1.8 * sum / total
    }

    #[inline(always)]
    fn cell(&self, x: f32, y: f32, octave: u32) -> f32 {
        let (column, row) = (floor(x), floor(y));
        let (fx, fy) = (ease(x - column), ease(y - row));
        let (column, row) = (column as i32, row as i32);
        let corner = |dx: i32, dy: i32| lattice(self.seed ^ octave, column + dx, row + dy);
        let top = mix(corner(0, 0), corner(1, 0), fx);
        let bottom = mix(corner(0, 1), corner(1, 1), fx);
        mix(top, bottom, fy)
    }
}

/// The outline of a painted thing, in coordinates from -1 to 1.
#[derive(Clone, Debug)]
pub enum Shape {
    /// An ellipse that fills its square.
    Ellipse,
    /// A convex polygon: directions of its sides and their distances from the centre.
    Polygon(Vec<(f32, f32, f32)>),
    /// A lobed outline: amplitudes and phases of the second to fifth harmonic of its radius.
    Blob([(f32, f32); 4]),
    /// An upright rounded bar, for limbs.
    Capsule,
}

impl Shape {
    /// A random polygon, blob or ellipse.
    pub fn any(random: &mut Random) -> Shape {
        match random.below(5) {
            0 => Shape::Ellipse,
            1 | 2 => {
                let sides = 3 + random.below(5);
                let turn = random.angle();
                let side = |k: usize, random: &mut Random| {
                    let angle = turn
                        + (k as f32 + random.between(-0.3, 0.3)) * std::f32::consts::TAU
                            / sides as f32;
                    (angle.cos(), angle.sin(), random.between(0.45, 0.85))
                };
                Shape::Polygon((0..sides).map(|k| side(k, random)).collect())
            }
            _ => Shape::Blob(std::array::from_fn(|_| {
                (random.between(0.0, 0.16), random.angle())
            })),
        }
    }

    /// How far inside the outline a point lies; negative is outside.
    fn depth(&self, x: f32, y: f32) -> f32 {
        match self {
            Shape::Ellipse => 1.0 - (x * x + y * y).sqrt(),
            Shape::Polygon(sides) => sides
                .iter()
                .map(|(nx, ny, distance)| distance - nx * x - ny * y)
                .fold(1.0 - (x * x + y * y).sqrt(), f32::min),
            Shape::Blob(harmonics) => {
                let angle = y.atan2(x);
                let radius: f32 = (2u8..)
                    .zip(harmonics)
                    .map(|(k, (amplitude, phase))| amplitude * (f32::from(k) * angle + phase).sin())
                    .sum();
                0.7 + radius - (x * x + y * y).sqrt()
            }
            Shape::Capsule => {
                let beyond = (y.abs() - 0.6).max(0.0) / 0.4;
                1.0 - (x * x + beyond * beyond).sqrt()
            }
        }
    }
}

/// Luma, two chroma values and opacity of one point.
pub type Texel = [u8; 4];

/// A painted picture with opacity, from which frames are composed.
#[derive(Clone, Debug)]
pub struct Sprite {
    width: usize,
    height: usize,
    texels: Vec<Texel>,
}

/// Strength and tones of a sprite's texture.
#[derive(Clone, Debug)]
pub struct Look {
    /// Mean luma, 16 to 235.
    pub tone: f32,
    /// Amplitude of the texture in grey levels.
    pub contrast: f32,
    /// Cells of the coarsest noise octave across the sprite.
    pub grain: f32,
    /// Number of marks (ellipses, polygons) of other tones on it.
    pub marks: usize,
}

impl Look {
    /// A random look, from dull to striking.
    pub fn any(random: &mut Random) -> Look {
        Look {
            tone: random.between(45.0, 205.0),
            contrast: random.between(20.0, 60.0),
            grain: random.between(1.5, 4.0),
            marks: 2 + random.below(5),
        }
    }
}

impl Sprite {
    /// Paints a thing of the given size in pixels: noise, shading from one side, and random marks.
    pub fn thing(
        random: &mut Random,
        shape: &Shape,
        width: f32,
        height: f32,
        look: &Look,
    ) -> Sprite {
        let (columns, rows) = (width.max(4.0) as usize, height.max(4.0) as usize);
        let texture = Noise::new(random, 4, 0.62);
        let bend = Noise::new(random, 2, 0.5);
        let tint = [random.between(-26.0, 26.0), random.between(-26.0, 26.0)];
        let light = random.angle();
        let marks: Vec<_> = (0..look.marks)
            .map(|_| {
                let (x, y) = (random.between(-0.7, 0.7), random.between(-0.7, 0.7));
                let reach = (random.size(0.12, 0.5), random.size(0.12, 0.5));
                let step =
                    random.between(30.0, 95.0) * if random.below(2) == 0 { 1.0 } else { -1.0 };
                (x, y, reach, step, Shape::any(random))
            })
            .collect();
        let soft = 2.0 / columns.min(rows) as f32;
        let mut texels = Vec::with_capacity(columns * rows);
        for row in 0..rows {
            for column in 0..columns {
                let x = 2.0 * (column as f32 + 0.5) / columns as f32 - 1.0;
                let y = 2.0 * (row as f32 + 0.5) / rows as f32 - 1.0;
                let depth = shape.depth(x, y);
                if depth <= -soft {
                    texels.push([0, 128, 128, 0]);
                    continue;
                }
                let fold = 0.6 * bend.at(1.3 * x, 1.3 * y);
                let mut luma = look.tone
                    + look.contrast * texture.at(look.grain * x + fold, look.grain * y - fold)
                    + 22.0 * (light.cos() * x + light.sin() * y);
                for (mx, my, reach, step, mark) in &marks {
                    if mark.depth((x - mx) / reach.0, (y - my) / reach.1) > 0.0 {
                        luma += step;
                    }
                }
                let opacity = ((depth + soft) / (2.0 * soft)).clamp(0.0, 1.0);
                texels.push([
                    luma.clamp(18.0, 232.0) as u8,
                    (128.0 + tint[0] + 10.0 * fold) as u8,
                    (128.0 + tint[1] - 10.0 * fold) as u8,
                    (255.0 * opacity) as u8,
                ]);
            }
        }
        Sprite {
            width: columns,
            height: rows,
            texels,
        }
    }

    /// Paints a landscape without holes: warped noise over a few plains of different tone.
    pub fn ground(random: &mut Random, width: usize, height: usize, softness: f32) -> Sprite {
        let plains = Noise::new(random, 3, 0.5);
        let texture = Noise::new(random, 6, 0.66);
        let bend = Noise::new(random, 3, 0.5);
        let scale = random.between(55.0, 90.0);
        let tones: Vec<f32> = (0..4).map(|_| random.between(40.0, 195.0)).collect();
        let tint = Noise::new(random, 2, 0.5);
        let fine = 1.0 / (18.0 * softness);
        let mut texels = Vec::with_capacity(width * height);
        for row in 0..height {
            for column in 0..width {
                let (x, y) = (column as f32 / scale, row as f32 / scale);
                let fold = bend.at(1.1 * x, 1.1 * y);
                let plain = 1.9 + 1.9 * plains.at(0.6 * x + 0.3 * fold, 0.6 * y - 0.3 * fold);
                // Plains meet at edges about two pixels wide, like walls and horizons.
                let (low, edge) = (
                    plain.clamp(0.0, 2.99).floor(),
                    plain.clamp(0.0, 2.99).fract(),
                );
                let tone = mix(
                    tones[low as usize],
                    tones[low as usize + 1],
                    ((edge - 0.5) * 9.0 / softness + 0.5).clamp(0.0, 1.0),
                );
                let detail = texture.at(
                    column as f32 * fine + 0.8 * fold,
                    row as f32 * fine - 0.8 * fold,
                );
                let colour = tint.at(0.8 * x, 0.8 * y);
                texels.push([
                    (tone + 34.0 * detail + 14.0 * fold).clamp(18.0, 232.0) as u8,
                    (128.0 + 22.0 * colour) as u8,
                    (128.0 - 18.0 * colour + 8.0 * fold) as u8,
                    255,
                ]);
            }
        }
        Sprite {
            width,
            height,
            texels,
        }
    }

    /// Width and height in pixels.
    pub fn size(&self) -> (f32, f32) {
        (self.width as f32, self.height as f32)
    }

    /// Puts another sprite onto this one permanently.
    pub fn stamp(&mut self, thing: &Sprite, place: &Placement) {
        place.walk(thing, self.width, self.height, |column, row, texel| {
            let under = &mut self.texels[row * self.width + column];
            under[0] = blend(under[0], texel[0], texel[3]);
            if texel[3] > 127 {
                (under[1], under[2]) = (texel[1], texel[2]);
            }
        });
    }

    /// The value at a point between texels, blended from its four neighbours; `None` outside.
    #[inline(always)]
    fn sample(&self, x: f32, y: f32) -> Option<Texel> {
        if x < 0.0 || y < 0.0 {
            return None;
        }
        let (column, row) = (x as usize, y as usize);
        if column + 1 >= self.width || row + 1 >= self.height {
            return None;
        }
        let (fx, fy) = (x - column as f32, y - row as f32);
        let (fx, fy) = ((256.0 * fx) as u32, (256.0 * fy) as u32);
        let at = row * self.width + column;
        let (a, b) = (self.texels[at], self.texels[at + 1]);
        let (c, d) = (
            self.texels[at + self.width],
            self.texels[at + self.width + 1],
        );
        let blended = |k: usize| {
            let top = u32::from(a[k]) * (256 - fx) + u32::from(b[k]) * fx;
            let bottom = u32::from(c[k]) * (256 - fx) + u32::from(d[k]) * fx;
            ((top * (256 - fy) + bottom * fy) >> 16) as u8
        };
        Some([blended(0), a[1], a[2], blended(3)])
    }
}

/// Placement of a sprite: its centre, turn, stretch and bend.
#[derive(Clone, Debug)]
pub struct Placement {
    /// Centre in pixels of the target.
    pub centre: (f32, f32),
    /// Radians, clockwise.
    pub turn: f32,
    /// Factors of width and height.
    pub stretch: (f32, f32),
    /// Amplitude of a wave through the sprite, as a ratio of its size, and the wave's phase.
    pub bend: (f32, f32),
}

impl Placement {
    /// An unturned, unstretched sprite.
    pub fn at(x: f32, y: f32) -> Placement {
        Placement {
            centre: (x, y),
            turn: 0.0,
            stretch: (1.0, 1.0),
            bend: (0.0, 0.0),
        }
    }

    /// Visits each visible pixel of the target with the sprite's texel there.
    fn walk(
        &self,
        thing: &Sprite,
        width: usize,
        height: usize,
        mut put: impl FnMut(usize, usize, Texel),
    ) {
        let (w, h) = thing.size();
        let (sin, cos) = self.turn.sin_cos();
        let (sx, sy) = (self.stretch.0.max(0.05), self.stretch.1.max(0.05));
        let slack = 1.0 + 2.0 * self.bend.0;
        let (rx, ry) = (0.5 * w * sx * slack, 0.5 * h * sy * slack);
        let reach = (
            (rx * cos).abs() + (ry * sin).abs(),
            (rx * sin).abs() + (ry * cos).abs(),
        );
        let span = |centre: f32, reach: f32, limit: usize| {
            let low = (centre - reach).floor().clamp(0.0, limit as f32) as usize;
            let high = (centre + reach).ceil().clamp(0.0, limit as f32) as usize;
            low..high
        };
        let columns = span(self.centre.0, reach.0, width);
        for row in span(self.centre.1, reach.1, height) {
            let dy = row as f32 - self.centre.1;
            for column in columns.clone() {
                let dx = column as f32 - self.centre.0;
                let mut u = (cos * dx + sin * dy) / sx;
                let mut v = (cos * dy - sin * dx) / sy;
                if self.bend.0 > 0.0 {
                    u += self.bend.0 * w * wave(3.0 * v / h + self.bend.1);
                    v += self.bend.0 * h * wave(2.3 * u / w + 1.7 * self.bend.1);
                }
                if let Some(texel) = thing.sample(u + 0.5 * w, v + 0.5 * h)
                    && texel[3] > 0
                {
                    put(column, row, texel);
                }
            }
        }
    }
}

/// One frame in planar 4:2:0, limited range.
#[derive(Clone, Debug)]
pub struct Frame {
    width: usize,
    height: usize,
    luma: Vec<u8>,
    chroma: [Vec<u8>; 2],
}

impl Frame {
    /// A frame of one tone without colour; 16 is black. Width and height must be even.
    pub fn plain(width: usize, height: usize, luma: u8) -> Frame {
        let half = (width / 2) * (height / 2);
        Frame {
            width,
            height,
            luma: vec![luma; width * height],
            chroma: [vec![128; half], vec![128; half]],
        }
    }

    /// Fills the frame with the part of `ground` that a camera sees, given its centre there, pixels
    /// a step, and roll.
    pub fn look_at(&mut self, ground: &Sprite, centre: (f32, f32), step: f32, roll: f32) {
        let (sin, cos) = roll.sin_cos();
        let (w, h) = ground.size();
        for row in 0..self.height {
            let dy = (row as f32 - 0.5 * self.height as f32) * step;
            for column in 0..self.width {
                let dx = (column as f32 - 0.5 * self.width as f32) * step;
                let x = (centre.0 + cos * dx - sin * dy).clamp(0.0, w - 1.01);
                let y = (centre.1 + sin * dx + cos * dy).clamp(0.0, h - 1.01);
                if let Some(texel) = ground.sample(x, y) {
                    self.put(column, row, [texel[0], texel[1], texel[2], 255]);
                }
            }
        }
    }

    /// Puts a sprite over the frame.
    pub fn blit(&mut self, thing: &Sprite, place: &Placement) {
        let (width, height) = (self.width, self.height);
        place.walk(thing, width, height, |column, row, texel| {
            self.put(column, row, texel)
        });
    }

    /// Fills a rectangle with one tone; parts outside the frame are ignored.
    pub fn fill(&mut self, left: usize, top: usize, width: usize, height: usize, colour: [u8; 3]) {
        let [y, u, v] = colour;
        for row in top..(top + height).min(self.height) {
            for column in left..(left + width).min(self.width) {
                self.put(column, row, [y, u, v, 255]);
            }
        }
    }

    /// Lights the scene: a gain, and a slope across it as a ratio at the right and bottom edges.
    pub fn relight(&mut self, gain: f32, slope: (f32, f32)) {
        for (row, line) in self.luma.chunks_exact_mut(self.width).enumerate() {
            let down = slope.1 * (2.0 * row as f32 / self.height as f32 - 1.0);
            let mut factor = 256.0 * (gain + down - slope.0);
            let step = 512.0 * slope.0 / self.width as f32;
            for value in line {
                let lit = ((i32::from(*value) - 16) * factor as i32) >> 8;
                *value = (lit + 16).clamp(16, 235) as u8;
                factor += step;
            }
        }
    }

    /// The planes in the order of raw yuv420p.
    pub fn planes(&self) -> [&[u8]; 3] {
        [&self.luma, &self.chroma[0], &self.chroma[1]]
    }

    #[inline(always)]
    fn put(&mut self, column: usize, row: usize, texel: Texel) {
        let at = row * self.width + column;
        self.luma[at] = blend(self.luma[at], texel[0], texel[3]);
        if (row | column) & 1 == 0 && texel[3] > 127 {
            let half = (row / 2) * (self.width / 2) + column / 2;
            self.chroma[0][half] = texel[1];
            self.chroma[1][half] = texel[2];
        }
    }
}

#[inline(always)]
fn blend(under: u8, over: u8, opacity: u8) -> u8 {
    let opacity = u32::from(opacity);
    ((u32::from(under) * (255 - opacity) + u32::from(over) * opacity) / 255) as u8
}

#[inline(always)]
fn mix(a: f32, b: f32, ratio: f32) -> f32 {
    a + (b - a) * ratio
}

#[inline(always)]
fn ease(t: f32) -> f32 {
    t * t * (3.0 - 2.0 * t)
}

/// A periodic bump between -1 and 1 with period 2, much cheaper than a sine for each pixel.
#[inline(always)]
fn wave(x: f32) -> f32 {
    let t = (x * 0.5 - floor(x * 0.5)) * 4.0;
    let folded = if t < 2.0 { t - 1.0 } else { 3.0 - t };
    folded * (1.5 - 0.5 * folded * folded)
}

/// The largest whole number that is not above `x`, for small numbers. `f32::floor` would call the C
/// library, because the code is compiled for processors without SSE 4.1.
#[inline(always)]
fn floor(x: f32) -> f32 {
    let whole = x as i32 as f32;
    if whole > x { whole - 1.0 } else { whole }
}

/// The value of a lattice point, in -1..=1.
#[inline(always)]
fn lattice(seed: u32, x: i32, y: i32) -> f32 {
    let mut h = seed ^ (x as u32).wrapping_mul(0x8DA6_B343) ^ (y as u32).wrapping_mul(0xD816_3841);
    h = (h ^ (h >> 15)).wrapping_mul(0x2C1B_3C6D);
    h = (h ^ (h >> 12)).wrapping_mul(0x297A_2D39);
    h ^= h >> 15;
    (h >> 8) as f32 / (1u32 << 23) as f32 - 1.0
}
