//! Finds black bars that stay through the clip (pure).

use super::plane::{Plane, UNIT};
use super::{Area, Bars, Finding};

/// Maximum level of each pixel over time.
#[derive(Debug, Default)]
pub(super) struct Brightest {
    plane: Option<Plane>,
    looked: u32,
}

impl Brightest {
    /// Adds a frame.
    pub(super) fn look(&mut self, plane: &Plane) {
        match &mut self.plane {
            Some(most) if most.levels.len() == plane.levels.len() => {
                most.levels
                    .iter_mut()
                    .zip(&plane.levels)
                    .for_each(|(most, level)| *most = (*most).max(*level));
            }
            _ => self.plane = Some(plane.clone()),
        }
        self.looked += 1;
    }

    /// The bars that all frames share, in the stored picture.
    pub(super) fn finish(self) -> Bars {
        let undecided = Bars {
            state: Finding::Undecided,
            picture: None,
        };
        let Some(most) = self.plane else {
            return undecided;
        };
        let (width, height) = (most.width, most.height);
        if self.looked < LOOKS_MIN || width < 16 || height < 16 {
            return undecided;
        }
        let histogram = most.histogram();
        // If little of the picture is ever bright, a dark edge of the scene looks like a bar.
        if super::plane::quantile(&histogram, 0.7) < BRIGHT_MIN {
            return undecided;
        }
        let row = |y: usize| {
            (0..width)
                .map(|x| most.levels[y * width + x])
                .collect::<Vec<_>>()
        };
        let column = |x: usize| {
            (0..height)
                .map(|y| most.levels[y * width + x])
                .collect::<Vec<_>>()
        };
        let top = bar(height, &|y| row(y));
        let bottom = bar(height, &|y| row(height - 1 - y));
        let left = bar(width, &|x| column(x));
        let right = bar(width, &|x| column(width - 1 - x));
        let thick = |bar: usize, side: usize| if bar * THICKNESS_MIN >= side { bar } else { 0 };
        let (top, bottom) = (thick(top, height), thick(bottom, height));
        let (left, right) = (thick(left, width), thick(right, width));
        if top + bottom + left + right == 0 {
            return Bars {
                state: Finding::None,
                picture: None,
            };
        }
        let (across, down) = (width as f64, height as f64);
        let picture = Area {
            x: left as f64 / across,
            y: top as f64 / down,
            width: (width - (left + right).min(width)) as f64 / across,
            height: (height - (top + bottom).min(height)) as f64 / down,
        };
        // If only a corner of the clip is not black, the picture's frame is unknown.
        if picture.width * picture.height < PICTURE_MIN {
            undecided
        } else {
            Bars {
                state: Finding::Found,
                picture: Some(picture),
            }
        }
    }
}

/// Number of black lines from the edge inwards; 0 if the picture does not begin abruptly behind
/// them.
fn bar(lines: usize, line: &dyn Fn(usize) -> Vec<i16>) -> usize {
    let share = |levels: &[i16], is: &dyn Fn(i16) -> bool| {
        levels.iter().filter(|level| is(**level)).count() as f32 / levels.len().max(1) as f32
    };
    let black = |level: i16| i32::from(level) <= BLACK_MAX * UNIT;
    let count = (0..lines / 2)
        .take_while(|&at| share(&line(at), &black) >= BLACK_SHARE)
        .count();
    if count == 0 {
        return 0;
    }
    // The first line may be half bar and half picture, so look at three.
    let inside = (count..(count + 3).min(lines))
        .map(|at| share(&line(at), &|level| i32::from(level) > PICTURE_LEVEL * UNIT));
    if inside.fold(0.0, f32::max) >= EDGE_SHARE {
        count
    } else {
        0
    }
}

/// Minimum number of frames to decide.
const LOOKS_MIN: u32 = 3;
/// Minimum 70th percentile of the pixels' maximum levels, of 255; below it, the result is
/// undecided.
const BRIGHT_MIN: u32 = 50;
/// Maximum level of a bar, of 255, including coding noise.
const BLACK_MAX: i32 = 14;
/// Minimum black share of a bar's line; a logo or a subtitle may cover the rest.
const BLACK_SHARE: f32 = 0.72;
/// Minimum level of a picture next to a bar, of 255, and minimum share of the line that reaches it.
/// A picture that fades into the dark has no bar.
const PICTURE_LEVEL: i32 = 28;
const EDGE_SHARE: f32 = 0.6;
/// A bar takes at least 1 of this many lines.
const THICKNESS_MIN: usize = 80;
/// Minimum share of the frame that the picture takes.
const PICTURE_MIN: f64 = 0.15;
