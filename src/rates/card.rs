//! Parses a rate card strictly: unknown fields are errors.

use std::path::Path;

use serde::{Deserialize, Deserializer};
use sha2::{Digest as _, Sha256};

use super::RATE_UNITS;
use crate::media::hex;
use crate::{Error, Result};

/// A rate card.
#[derive(Debug, Clone, PartialEq)]
pub struct RateCard {
    /// ISO 4217 code.
    pub currency: String,
    /// Minimum length of a paid span, in milliseconds.
    pub min_span_ms: u64,
    /// The classes, at least one, in order of priority.
    pub classes: Vec<Class>,
    /// SHA-256 of the card's text, in hex.
    pub sha256: String,
}

/// A class of footage. A condition that is `None` always holds.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Class {
    /// Its name, different from all others.
    pub name: String,
    /// Rate a minute, in 1/10 000 of the currency.
    #[serde(deserialize_with = "rate")]
    pub per_minute: u32,
    /// Minimum native short side, in pixels.
    pub min_native_lines: Option<u32>,
    /// Minimum distinct frame rate, in frames a second.
    pub min_distinct_fps: Option<f64>,
    /// Minimum number of used bits.
    pub min_used_bits: Option<u32>,
    /// Whether overlays must be present or absent.
    pub overlays: Option<Presence>,
    /// Whether bars must be present or absent.
    pub bars: Option<Presence>,
    /// Whether it must be interlaced.
    pub interlaced: Option<bool>,
    /// Whether it must be declared as generated.
    pub declared_generated: Option<bool>,
    /// Maximum dark share, 0..=1.
    pub max_dark: Option<f64>,
    /// Maximum blurred share, 0..=1.
    pub max_blurred: Option<f64>,
    /// Maximum shaken share, 0..=1.
    pub max_shaken: Option<f64>,
    /// Maximum frozen share, 0..=1.
    pub max_frozen: Option<f64>,
}

/// Whether something is present.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Presence {
    /// Absent.
    None,
    /// Present.
    Found,
}

/// A card as its TOML text has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    currency: String,
    #[serde(default)]
    min_span_s: f64,
    class: Vec<Class>,
}

impl RateCard {
    /// Reads a card from a file.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if it cannot be read, [`Error::InvalidRates`] if it is no valid card.
    pub fn open(path: &Path) -> Result<RateCard> {
        let bytes = std::fs::read(path).map_err(Error::io(path, "read"))?;
        let invalid = |reason: String| Error::InvalidRates {
            path: path.to_owned(),
            reason,
        };
        if bytes.len() > BYTES_MAX {
            return Err(invalid(format!(
                "it has {} bytes, and a rate card may have at most {BYTES_MAX}",
                bytes.len()
            )));
        }
        let text = String::from_utf8(bytes)
            .map_err(|_| invalid("it is not UTF-8 text; save it as UTF-8".to_owned()))?;
        RateCard::parse(&text).map_err(invalid)
    }

    /// Parses a card.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong, with the line.
    pub fn parse(text: &str) -> std::result::Result<RateCard, String> {
        let written: Written = toml::from_str(text).map_err(|error| located(text, &error))?;
        let code =
            written.currency.len() == 3 && written.currency.chars().all(|c| c.is_ascii_uppercase());
        if !code {
            return Err(
                "currency: give a code of three capital letters, such as \"USD\"".to_owned(),
            );
        }
        if !(0.0..=SPAN_MAX_S).contains(&written.min_span_s) {
            return Err(format!(
                "min_span_s: {} is outside 0 to {SPAN_MAX_S}",
                written.min_span_s
            ));
        }
        if written.class.is_empty() {
            return Err("class: give at least one [[class]]".to_owned());
        }
        for (number, class) in written.class.iter().enumerate() {
            class
                .check()
                .map_err(|what| format!("class \"{}\": {what}", shown(&class.name)))?;
            if written.class[..number]
                .iter()
                .any(|other| other.name == class.name)
            {
                return Err(format!(
                    "class \"{}\": two classes have this name; rename one",
                    shown(&class.name)
                ));
            }
        }
        Ok(RateCard {
            currency: written.currency,
            min_span_ms: super::millis(written.min_span_s),
            classes: written.class,
            sha256: hex(&Sha256::digest(text.as_bytes())),
        })
    }
}

impl Class {
    fn check(&self) -> std::result::Result<(), String> {
        if self.name.trim().is_empty() || self.name.chars().count() > NAME_MAX {
            return Err(format!("name: give 1 to {NAME_MAX} characters"));
        }
        if self.name.contains(crate::sandbox::hides) {
            return Err("name: remove its invisible characters".to_owned());
        }
        let shares = [
            ("max_dark", self.max_dark),
            ("max_blurred", self.max_blurred),
            ("max_shaken", self.max_shaken),
            ("max_frozen", self.max_frozen),
        ];
        for (name, share) in shares {
            if share.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
                return Err(format!("{name}: give a share from 0 to 1"));
            }
        }
        if self
            .min_distinct_fps
            .is_some_and(|fps| !(fps > 0.0 && fps.is_finite()))
        {
            return Err("min_distinct_fps: give a number above 0".to_owned());
        }
        Ok(())
    }
}

/// Parses a rate, which must be a whole number of units.
fn rate<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<u32, D::Error> {
    let value = f64::deserialize(from)?;
    let units = (value * f64::from(RATE_UNITS)).round();
    let written = units / f64::from(RATE_UNITS);
    if !(0.0..=RATE_MAX).contains(&value) || (value - written).abs() > 1e-9 {
        let what =
            format!("per_minute: give a number from 0 to {RATE_MAX} with at most four decimals");
        return Err(serde::de::Error::custom(what));
    }
    Ok(units as u32)
}

/// The parser's message on one line, with the line of the card.
fn located(text: &str, error: &toml::de::Error) -> String {
    let message = error
        .message()
        .lines()
        .map(str::trim)
        .collect::<Vec<_>>()
        .join(", ");
    match error.span() {
        Some(span) => {
            let line = text
                .get(..span.start)
                .map_or(1, |before| before.matches('\n').count() + 1);
            format!("line {line}: {}", shown(&message))
        }
        None => shown(&message),
    }
}

fn shown(text: &str) -> String {
    text.chars()
        .filter(|c| !crate::sandbox::hides(*c))
        .collect()
}

/// Maximum size of a card, in bytes.
const BYTES_MAX: usize = 1 << 20;
/// Maximum length of a name, in characters.
const NAME_MAX: usize = 60;
/// Maximum rate a minute, in the currency.
const RATE_MAX: f64 = 100_000.0;
/// Maximum value of `min_span_s`, in seconds.
const SPAN_MAX_S: f64 = 86_400.0;
