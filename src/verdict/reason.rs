//! Why a clip, or a part of it, has its verdict: codes for programs, sentences for people.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Reason as one stable word for programs, serialised in snake case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReasonCode {
    /// Some of the clip was published.
    Copy,
    /// The clip shows the scene of a source at another moment.
    SameScene,
    /// The frame is black.
    Black,
    /// The frame has no contrast.
    Flat,
    /// The frame stands still.
    Frozen,
    /// The frame has too little structure.
    Simple,
    /// The file, or a part of it, is a single frame.
    Still,
    /// The power is too low: a search could hardly have found a copy.
    Indistinct,
    /// It, or what is next to it, looks like a source, and the evidence does not decide whether it
    /// is a copy.
    Undecided,
    /// The shots are too short to recognise.
    QuickCuts,
    /// It repeats an earlier part of the clip.
    Repeated,
    /// The treatment of the frame prevents recognition.
    Treated,
    /// A fingerprint was checked in place of the clip.
    FromFingerprint,
    /// The clip is too short to judge.
    Short,
    /// It shows material that is marked as benign.
    Benign,
    /// Adjacent: next to a copy, with too little evidence to decide.
    Beside,
    /// There is no decoded frame.
    Undecoded,
    /// The file has several pictures that a player could show.
    Streams,
    /// The index has no sources.
    EmptyIndex,
    /// It was searched and not found.
    NoMatch,
    /// A manifest in the file contradicts a sale; no part of the verdict.
    NotAllowed,
}

/// One reason in a report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Reason {
    /// The code, for programs.
    pub code: ReasonCode,
    /// Seconds of the clip that it concerns; `None` if it concerns the whole clip.
    pub seconds: Option<f64>,
    /// The sentence for people, without the code.
    pub text: String,
}

impl Reason {
    /// A reason that concerns the whole clip.
    pub(crate) fn new(code: ReasonCode, text: impl Into<String>) -> Reason {
        Reason {
            code,
            seconds: None,
            text: text.into(),
        }
    }

    /// A reason that concerns this much of the clip. Reports give times in milliseconds.
    pub(crate) fn of(code: ReasonCode, length: Duration, text: impl Into<String>) -> Reason {
        let seconds = (length.as_secs_f64() * 1e3).round() / 1e3;
        Reason {
            code,
            seconds: Some(seconds),
            text: text.into(),
        }
    }
}

/// Why a part of the clip has its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// The code of the reason.
    pub code: ReasonCode,
    /// A sentence that replaces the fixed one of the code: the decoder's message.
    pub detail: Option<Arc<str>>,
}

impl Cause {
    /// A cause with a sentence of its own.
    pub(crate) fn with(code: ReasonCode, detail: &str) -> Cause {
        Cause {
            code,
            detail: Some(detail.into()),
        }
    }

    /// The sentence for people.
    pub fn text(&self) -> &str {
        self.detail
            .as_deref()
            .unwrap_or_else(|| self.code.sentence())
    }
}

impl From<ReasonCode> for Cause {
    fn from(code: ReasonCode) -> Cause {
        Cause { code, detail: None }
    }
}

impl ReasonCode {
    /// The fixed sentence for a part of the clip.
    fn sentence(self) -> &'static str {
        match self {
            ReasonCode::Copy => "it was published",
            ReasonCode::SameScene => "it shows a scene of a source at another moment",
            ReasonCode::Black => "the picture is black",
            ReasonCode::Flat => "the picture has no contrast",
            ReasonCode::Frozen => "the picture stands still",
            ReasonCode::Simple => "the picture has too little structure",
            ReasonCode::Still => "it is a still picture, with at most a simulated camera move",
            ReasonCode::Undecided => "it resembles a source and may be a copy: undecided",
            ReasonCode::Indistinct => "too few distinctive details to recognise a copy",
            ReasonCode::QuickCuts => "its shots are too short to recognise",
            ReasonCode::Repeated => "it repeats an earlier part of the clip",
            ReasonCode::Treated => "the picture is too altered, fine or noisy to recognise a copy",
            ReasonCode::FromFingerprint => "a fingerprint was checked in place of the clip",
            ReasonCode::Short => "it is too short to judge",
            ReasonCode::Benign => "it shows material that is marked as benign",
            ReasonCode::Beside => "next to a copy; too little evidence to decide",
            ReasonCode::Undecoded => "no frame could be decoded",
            ReasonCode::Streams => {
                "another picture of the file was published here, or could not be judged"
            }
            ReasonCode::EmptyIndex => "the index holds no videos",
            ReasonCode::NotAllowed => "a manifest in the file does not allow training",
            ReasonCode::NoMatch => "it was searched and not found",
        }
    }
}
