//! Measures what determines the price of a clip: native resolution, true frame rate, overlays,
//! declared origin.
//!
//! A clip is measured while it is decoded for its keys. [`Measuring`] sees each frame at full size,
//! in the decoding process ([`crate::sandbox`]). Its result is not trusted, but checked
//! ([`Quality::of`]). Facts never change a key or a verdict.
//!
//! Each fact can be undecided, because the picture is too soft, dark, still or compressed. Nothing
//! is guessed then, and an undecided fact never raises a rate ([`crate::rates`]). What a container
//! or a manifest declares is only a claim of whoever wrote the file.
//!
//! Not measured: colour, sound, and whether a picture was generated. Frames without a luma plane,
//! such as RGB, and streams that change their size are not measured either.

mod bars;
mod c2pa;
mod capture;
mod checked;
mod declared;
mod depth;
mod fields;
mod measure;
mod native;
mod overlays;
mod plane;
mod rate;
mod shares;
mod spectrum;
mod transform;

use std::ops::ControlFlow;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::media::Inspector;
use crate::sample::{Grid, QUERY_INTERVAL};
use crate::sandbox::{Decoding, Given};

pub use measure::Measuring;

/// What makes the price of a clip.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Quality {
    /// Size and native size.
    pub resolution: Resolution,
    /// Frames a second, and how many of them are distinct.
    pub frame_rate: FrameRate,
    /// Bits of a luma sample.
    pub bit_depth: BitDepth,
    /// Whether frames consist of two fields.
    pub scan: Scan,
    /// Black bars.
    pub bars: Bars,
    /// Burnt-in logos and captions.
    pub overlays: Overlays,
    /// Shares of the clip.
    pub shares: Shares,
    /// What the container says of the recording.
    pub capture: Capture,
    /// What a C2PA manifest declares.
    pub declared: Declared,
}

/// Native size of the picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Resolution {
    /// Short side of the stored picture in pixels.
    pub lines: u32,
    /// Short side of the picture that it was upscaled from, or of the picture itself; `None` if it
    /// is undecided.
    pub native_lines: Option<u32>,
    /// Whether it was upscaled.
    pub state: ResolutionState,
    /// Probability of the state, 0.5..=1; 0 if it is undecided.
    pub confidence: f64,
    /// Why it is undecided.
    pub reason: Option<String>,
}

/// Whether a picture was upscaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ResolutionState {
    /// It has detail up to its own resolution.
    Native,
    /// It has the detail of a smaller picture.
    Upscaled,
    /// It cannot be told.
    Undecided,
}

/// Frame rate as stored and as seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FrameRate {
    /// Frames a second of the stream.
    pub stored: f64,
    /// Distinct frames a second while the picture moves; `None` if it is undecided.
    pub distinct: Option<f64>,
    /// Whether frames were made of others.
    pub state: RateState,
    /// Share of the frames that repeat the one before, while the picture moves.
    pub repeated: f64,
    /// Share of the moving time in which frames are blends of their neighbours.
    pub blended: f64,
    /// Whether the time between frames varies.
    pub variable: bool,
    /// Why it is undecided.
    pub reason: Option<String>,
}

/// Whether frames were made of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RateState {
    /// All frames are distinct.
    Full,
    /// Frames are repeated.
    Repeated,
    /// Frames are blends of their neighbours.
    Blended,
    /// It cannot be told.
    Undecided,
}

/// Bits of a luma sample.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BitDepth {
    /// Those of the format; 0 if they are not known.
    pub stored: u32,
    /// Those that are used: 8 where the others hold nothing; `None` if it is undecided.
    pub used: Option<u32>,
}

/// Whether frames consist of two fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Scan {
    /// Whether they do.
    pub state: ScanState,
    /// Share of the frames that are marked as interlaced.
    pub flagged: f64,
    /// Share of the moving frames that show combing.
    pub combed: f64,
}

/// Progressive or interlaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ScanState {
    /// Whole frames.
    Progressive,
    /// Two fields each.
    Interlaced,
    /// It cannot be told.
    Undecided,
}

/// A rectangle in fractions of the width and height of a displayed frame.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Area {
    /// Left edge.
    pub x: f64,
    /// Top edge.
    pub y: f64,
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
}

/// Whether something was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// Looked for, and not there.
    None,
    /// There.
    Found,
    /// It cannot be told.
    Undecided,
}

/// Black bars that stay through the clip.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Bars {
    /// Whether there are any.
    pub state: Finding,
    /// The picture between them.
    pub picture: Option<Area>,
}

/// Burnt-in logos and captions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Overlays {
    /// Whether there are any.
    pub state: Finding,
    /// Those that were found, at most [`OVERLAYS_MAX`].
    pub found: Vec<Overlay>,
    /// Why it is undecided.
    pub reason: Option<String>,
}

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Overlay {
    /// What it is.
    pub kind: OverlayKind,
    /// Where it is.
    pub area: Area,
    /// When it is first seen, in seconds.
    pub start_s: f64,
    /// When it is last seen, in seconds.
    pub end_s: f64,
}

/// Kind of an overlay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum OverlayKind {
    /// It stays the same.
    Logo,
    /// It changes in its place.
    Caption,
}

/// Shares of the clip's frames, 0..=1; `None` if they were not measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Shares {
    /// Too dark to see much.
    pub dark: Option<f64>,
    /// Without a sharp edge.
    pub blurred: Option<f64>,
    /// Taken with an unsteady hand.
    pub shaken: Option<f64>,
    /// Standing still for a second or longer.
    pub frozen: Option<f64>,
}

/// What the container says of the recording, with characters that do not show left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Capture {
    /// Maker of the camera.
    pub make: Option<String>,
    /// Its model.
    pub model: Option<String>,
    /// When it was recorded.
    pub recorded_at: Option<String>,
    /// Whether the file says where; the place itself is not kept.
    pub has_place: bool,
}

/// What a C2PA manifest declares. Its signature is not verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Declared {
    /// Whether there is a manifest. None is no declaration, and says nothing of how the clip was
    /// made.
    pub manifest: Manifest,
    /// Whether it declares that a model made the picture, or parts of it.
    pub generated: Option<Generated>,
    /// Whether it permits training.
    pub training: Option<Training>,
}

/// State of a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Manifest {
    /// There is no declaration.
    NoDeclaration,
    /// There is one, with a signature that was not verified.
    Unverified,
    /// There is one that cannot be read.
    Unreadable,
}

/// Declared use of a generating model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Generated {
    /// Parts of it.
    Partly,
    /// All of it.
    Wholly,
}

/// Declared permission of training and data mining.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Training {
    /// It is allowed.
    Allowed,
    /// It is allowed under conditions.
    Constrained,
    /// It is not allowed, which contradicts a sale as training material.
    NotAllowed,
}

/// Measures only the main picture of a clip, without making keys.
///
/// # Errors
///
/// Those of [`Decoding::open`] and [`Decoding::decode`].
pub fn of_clip(path: &Path, decoding: &Decoding) -> Result<Quality> {
    let source = decoding.open(path)?;
    let sha256 = source.sha256(&|| false)?;
    let mut measured = Vec::new();
    let mut visit = |given: Given| {
        if let Given::Measured(bytes) = given {
            measured.push(bytes);
        }
        ControlFlow::Continue(())
    };
    let mut measuring = Measuring::default();
    let inspector: Option<&mut dyn Inspector> = Some(&mut measuring);
    let grid = Grid::query(QUERY_INTERVAL, &sha256)?;
    let decoded =
        decoding.decode_inspected(&source, &sha256, None, grid, inspector, &mut visit, &|| {
            false
        })?;
    Ok(Quality::of(&measured, &decoded))
}

impl Quality {
    /// The facts of a clip of which nothing could be measured, for this reason.
    pub fn undecided(lines: u32, stored_rate: f64, reason: &str) -> Quality {
        let reason = Some(reason.to_owned());
        Quality {
            resolution: Resolution {
                lines,
                native_lines: None,
                state: ResolutionState::Undecided,
                confidence: 0.0,
                reason: reason.clone(),
            },
            frame_rate: FrameRate {
                stored: stored_rate,
                distinct: None,
                state: RateState::Undecided,
                repeated: 0.0,
                blended: 0.0,
                variable: false,
                reason: reason.clone(),
            },
            bit_depth: BitDepth {
                stored: 0,
                used: None,
            },
            scan: Scan {
                state: ScanState::Undecided,
                flagged: 0.0,
                combed: 0.0,
            },
            bars: Bars {
                state: Finding::Undecided,
                picture: None,
            },
            overlays: Overlays {
                state: Finding::Undecided,
                found: Vec::new(),
                reason,
            },
            shares: Shares::default(),
            capture: Capture::default(),
            declared: Declared {
                manifest: Manifest::NoDeclaration,
                generated: None,
                training: None,
            },
        }
    }
}

/// Maximum number of overlays to report.
pub const OVERLAYS_MAX: usize = 16;

/// Rounds to this many decimals.
fn round(value: f64, digits: i32) -> f64 {
    let unit = 10_f64.powi(digits);
    (value * unit).round() / unit
}

#[cfg(test)]
mod tests;
