//! Passes a clip's frames to all measurements while it is decoded.

use std::time::Duration;

use crate::media::{FullFrame, Inspector, Source, Tags, Turn};

use super::bars::Brightest;
use super::checked::turned;
use super::depth::LowBits;
use super::fields::Fields;
use super::native::Detail;
use super::overlays::Still;
use super::plane::{Plane, block};
use super::rate::Rate;
use super::shares::Looks;
use super::{BitDepth, Capture, Declared, Manifest, Quality, capture, declared};

/// Measures a clip while it is decoded.
#[derive(Debug, Default)]
pub struct Measuring {
    shape: Option<Shape>,
    /// Why measuring stopped, if it did.
    spoilt: Option<&'static str>,
    depth: u32,
    rate: Rate,
    looks: Looks,
    bars: Brightest,
    still: Still,
    fields: Fields,
    bits: LowBits,
    detail: Detail,
    capture: Capture,
    declared: Option<Declared>,
    looked: Option<Duration>,
    last: Duration,
}

/// Properties that all frames must share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    width: usize,
    height: usize,
    turn: Turn,
}

impl Inspector for Measuring {
    fn file(&mut self, source: &Source) {
        self.declared = Some(declared::of_file(&mut source.reader(), source.bytes()));
    }

    fn tags(&mut self, tags: &Tags) {
        capture::read(tags, &mut self.capture);
    }

    fn frame(&mut self, frame: &FullFrame<'_>) {
        self.fields.count(frame);
        self.depth = frame.depth;
        let shape = Shape {
            width: frame.width,
            height: frame.height,
            turn: frame.turn,
        };
        if *self.shape.get_or_insert(shape) != shape {
            self.spoilt = Some("the picture changes its size");
        }
        let Some(luma) = frame.luma else {
            self.spoilt = Some("its pixel format has no luma of its own");
            return;
        };
        if self.spoilt.is_some() {
            return;
        }
        let plane = Plane::new(
            luma.reduced(block(frame.width.min(frame.height))),
            luma.is_limited(),
        );
        if plane.width < SIDE_MIN || plane.height < SIDE_MIN {
            self.spoilt = Some("the picture is too small");
            return;
        }
        let change = self.rate.push(frame.time, &plane);
        let gap = frame.time.saturating_sub(self.last);
        self.last = frame.time;
        self.looks.follow(&plane, gap.as_secs_f32());
        self.detail
            .look(frame.time, &luma, frame.width, frame.height, frame.depth);
        if self
            .looked
            .is_none_or(|looked| frame.time >= looked.saturating_add(LOOK_EVERY))
        {
            self.looked = Some(frame.time);
            self.looks.look(&plane);
            self.bars.look(&plane);
            self.still.look(frame.time, &plane);
            self.bits
                .look(&luma, frame.width, frame.height, frame.depth);
            if change.is_some_and(|change| change > MOVING_MIN) {
                self.fields
                    .look(&luma, frame.width, frame.height, frame.depth);
            }
        }
    }

    fn finish(&mut self) -> Vec<u8> {
        let whole = std::mem::take(self);
        serde_json::to_vec(&whole.quality()).unwrap_or_default()
    }
}

impl Measuring {
    fn quality(self) -> Quality {
        let (width, height, turn) = self.shape.map_or((0, 0, Turn::default()), |shape| {
            (shape.width, shape.height, shape.turn)
        });
        let lines = u32::try_from(width.min(height)).unwrap_or(0);
        let frozen = self.rate.frozen();
        let mut quality = Quality::undecided(lines, 0.0, self.spoilt.unwrap_or_default());
        if self.spoilt.is_none() {
            quality.resolution = self.detail.finish(lines);
            quality.frame_rate = self.rate.finish();
            quality.bit_depth = self.bits.finish();
            quality.scan = self.fields.finish();
            quality.bars = self.bars.finish();
            quality.overlays = self.still.finish();
            quality.shares = self.looks.finish(frozen);
            if let Some(picture) = &mut quality.bars.picture {
                *picture = turned(*picture, turn);
            }
            for overlay in &mut quality.overlays.found {
                overlay.area = turned(overlay.area, turn);
            }
        } else {
            quality.bit_depth = BitDepth {
                stored: self.depth,
                used: None,
            };
        }
        quality.capture = self.capture;
        let none = Declared {
            manifest: Manifest::Unreadable,
            generated: None,
            training: None,
        };
        quality.declared = self.declared.unwrap_or(none);
        quality
    }
}

/// Minimum time between frames that are measured for more than their rate.
const LOOK_EVERY: Duration = Duration::from_millis(150);
/// Minimum side of a reduced picture, in pixels; a smaller one is not measured.
const SIDE_MIN: usize = 64;
/// Minimum change of a moving frame, in 8-bit levels.
const MOVING_MIN: f32 = 1.0;
