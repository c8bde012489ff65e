//! Checks the facts that a decoding process reports about a clip (pure).
//!
//! If a file has taken over the process, it can lie about the facts of that file. It cannot get
//! control characters, more than some dozens of numbers, or NaN past these checks.

use crate::media::{Decoded, Turn};

use super::{
    Area, Finding, FrameRate, OVERLAYS_MAX, Quality, RateState, Resolution, ResolutionState,
    capture, round,
};

impl Quality {
    /// The facts of a picture of one or several consecutive streams, each `measured` while it was
    /// decoded. Impossible facts are rejected. A fact that differs between the streams is
    /// undecided.
    pub fn of(measured: &[Vec<u8>], decoded: &Decoded) -> Quality {
        let seconds = decoded.duration.as_secs_f64();
        let stored = if seconds > 0.0 {
            decoded.frames as f64 / seconds
        } else {
            0.0
        };
        let lines = decoded.info.width.min(decoded.info.height);
        let undecided = |reason: &str| Quality::undecided(lines, round(stored, 3), reason);
        let read = |bytes: &Vec<u8>| {
            let quality: Quality = serde_json::from_slice(bytes).ok()?;
            quality.is_possible(seconds).then_some(quality)
        };
        let Some(mut all) = measured.iter().map(read).collect::<Option<Vec<_>>>() else {
            return undecided("the measurements contradict each other");
        };
        match all.pop() {
            None => undecided("nothing was measured"),
            Some(only) if all.is_empty() => only,
            Some(last) => {
                let mut whole = undecided("it consists of several streams");
                let declarations = all.iter().chain([&last]).map(|part| &part.declared);
                for declared in declarations {
                    whole.declared.manifest = stricter(whole.declared.manifest, declared.manifest);
                    whole.declared.generated = whole.declared.generated.max(declared.generated);
                    whole.declared.training = whole.declared.training.max(declared.training);
                }
                whole.capture = last.capture;
                whole
            }
        }
    }

    /// Whether a clip of this many seconds can have these facts.
    fn is_possible(&self, seconds: f64) -> bool {
        let share = |value: f64| (0.0..=1.0).contains(&value);
        let Resolution {
            lines,
            native_lines,
            state,
            confidence,
            reason,
        } = &self.resolution;
        let resolution = *lines <= SIDE_MAX
            && native_lines.is_none_or(|native| native > 0 && native <= *lines)
            && native_lines.is_none() == (*state == ResolutionState::Undecided)
            && share(*confidence);
        let FrameRate {
            stored,
            distinct,
            state,
            repeated,
            blended,
            variable: _,
            reason: of_rate,
        } = &self.frame_rate;
        let rate = (0.0..=RATE_MAX).contains(stored)
            && distinct.is_none_or(|distinct| distinct >= 0.0 && distinct <= *stored + 1.0)
            && distinct.is_none() == (*state == RateState::Undecided)
            && share(*repeated)
            && share(*blended);
        let bits = self.bit_depth.stored <= 32
            && self
                .bit_depth
                .used
                .is_none_or(|used| used <= self.bit_depth.stored);
        let bars = self.bars.picture.is_none_or(Area::is_possible)
            && self.bars.picture.is_some() == (self.bars.state == Finding::Found);
        let overlays = self.overlays.found.len() <= OVERLAYS_MAX
            && self.overlays.found.is_empty() == (self.overlays.state != Finding::Found)
            && self.overlays.found.iter().all(|overlay| {
                overlay.area.is_possible() && overlay.start_s >= 0.0 && overlay.start_s <= overlay.end_s
                    // The length of the clip may be rounded.
                    && overlay.end_s <= seconds + 1.0
            });
        let shares = &self.shares;
        let shares = [shares.dark, shares.blurred, shares.shaken, shares.frozen]
            .into_iter()
            .flatten()
            .all(share);
        let scan = share(self.scan.flagged) && share(self.scan.combed);
        let texts = [reason, of_rate, &self.overlays.reason]
            .into_iter()
            .chain([
                &self.capture.make,
                &self.capture.model,
                &self.capture.recorded_at,
            ])
            .flatten()
            .all(|text| text.chars().count() <= TEXT_MAX && capture::is_clean(text));
        resolution && rate && bits && bars && overlays && shares && scan && texts
    }
}

impl Area {
    fn is_possible(self) -> bool {
        let Area {
            x,
            y,
            width,
            height,
        } = self;
        let within =
            |from: f64, length: f64| from >= 0.0 && length >= 0.0 && from + length <= 1.0 + 0.002;
        within(x, width) && within(y, height)
    }
}

fn stricter(a: super::Manifest, b: super::Manifest) -> super::Manifest {
    use super::Manifest::{NoDeclaration, Unreadable, Unverified};
    match (a, b) {
        (Unreadable, _) | (_, Unreadable) => Unreadable,
        (Unverified, _) | (_, Unverified) => Unverified,
        (NoDeclaration, NoDeclaration) => NoDeclaration,
    }
}

/// Turns an area of the stored frame as the frame is displayed.
pub(super) fn turned(area: Area, turn: Turn) -> Area {
    let Area {
        mut x,
        mut y,
        width,
        height,
    } = area;
    if turn.columns_reversed {
        x = (1.0 - x - width).max(0.0);
    }
    if turn.rows_reversed {
        y = (1.0 - y - height).max(0.0);
    }
    let (x, y) = (round(x, 3), round(y, 3));
    let (width, height) = (round(width, 3), round(height, 3));
    if turn.transposed {
        Area {
            x: y,
            y: x,
            width: height,
            height: width,
        }
    } else {
        Area {
            x,
            y,
            width,
            height,
        }
    }
}

/// Maximum side of a frame, in pixels.
const SIDE_MAX: u32 = 1 << 26;
/// Maximum frame rate, in frames a second.
const RATE_MAX: f64 = 100_000.0;
/// Maximum length of a text, in characters.
const TEXT_MAX: usize = 100;
