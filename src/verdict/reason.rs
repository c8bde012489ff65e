//! Why a clip, or a part of it, is judged as it is: codes for programs, sentences for people.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Why, in one word that programs can rely on; serialised in snake case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReasonCode {
    /// Some of it was published.
    Copy,
    /// It shows the scene of a source at another moment.
    SameScene,
    /// The picture is black.
    Black,
    /// The picture has no contrast.
    Flat,
    /// The picture stands still.
    Frozen,
    /// The picture has too little structure.
    Simple,
    /// The file, or a part of it, is a single picture.
    Still,
    /// A copy of it would not have been recognised surely enough.
    Indistinct,
    /// It looks like a source, with too little evidence to decide.
    Undecided,
    /// Its shots are too short to be recognised.
    QuickCuts,
    /// It shows again what the clip has shown before.
    Repeated,
    /// The picture is treated so that it could not be recognised.
    Treated,
    /// A fingerprint was checked in place of the clip.
    FromFingerprint,
    /// The clip is too short to judge.
    Short,
    /// It shows material that is marked as benign.
    Benign,
    /// A copy may go on here.
    Beside,
    /// There is no usable picture.
    Undecoded,
    /// The file has several pictures that a player could show, and they differ.
    Streams,
    /// The index holds no videos.
    EmptyIndex,
    /// It was searched, and nothing was found.
    NoMatch,
}

/// One reason of a report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// What a program can decide by.
    pub code: ReasonCode,
    /// The seconds of the clip that it is about, if it is about a part of it.
    pub seconds: Option<f64>,
    /// A sentence for a person, without the code.
    pub text: String,
}

impl Reason {
    /// A reason that is about the whole clip.
    pub(crate) fn new(code: ReasonCode, text: impl Into<String>) -> Reason {
        Reason { code, seconds: None, text: text.into() }
    }

    /// A reason that is about so much of the clip, in milliseconds as all times of a report.
    pub(crate) fn of(code: ReasonCode, length: Duration, text: impl Into<String>) -> Reason {
        let seconds = (length.as_secs_f64() * 1e3).round() / 1e3;
        Reason { code, seconds: Some(seconds), text: text.into() }
    }
}

/// Why a part of a clip is in its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// The reason's code.
    pub code: ReasonCode,
    /// The sentence for this part where the code has no fixed one: what the decoder said.
    pub detail: Option<Arc<str>>,
}

impl Cause {
    /// A cause in words of its own.
    pub(crate) fn with(code: ReasonCode, detail: &str) -> Cause {
        Cause { code, detail: Some(detail.into()) }
    }

    /// The sentence for a person.
    pub fn text(&self) -> &str {
        self.detail.as_deref().unwrap_or_else(|| self.code.sentence())
    }
}

impl From<ReasonCode> for Cause {
    fn from(code: ReasonCode) -> Cause {
        Cause { code, detail: None }
    }
}

impl ReasonCode {
    /// What is said of a part of a clip that is so.
    fn sentence(self) -> &'static str {
        match self {
            ReasonCode::Copy => "it was published",
            ReasonCode::SameScene => "it shows a scene of a source at another moment",
            ReasonCode::Black => "the picture is black",
            ReasonCode::Flat => "the picture has no contrast",
            ReasonCode::Frozen => "the picture stands still",
            ReasonCode::Simple => "the picture has too little structure",
            ReasonCode::Still => "it is a still, over which at most a camera seems to move",
            ReasonCode::Undecided => "it looks like a source, and whether it is a copy cannot be decided",
            ReasonCode::Indistinct => "too little of it is distinct for a copy to be surely recognised",
            ReasonCode::QuickCuts => "its shots are too short to be recognised",
            ReasonCode::Repeated => "the clip has shown it before",
            ReasonCode::Treated => "the picture is treated so that it could not be recognised",
            ReasonCode::FromFingerprint => "a fingerprint was checked in place of the clip",
            ReasonCode::Short => "it is too short to judge",
            ReasonCode::Benign => "it shows material that is marked as benign",
            ReasonCode::Beside => "a copy goes on here in its source, and nothing tells whether it does so in the clip",
            ReasonCode::Undecoded => "there is no picture",
            ReasonCode::Streams => "another picture of the file was published here, or could not be judged",
            ReasonCode::EmptyIndex => "the index holds no videos",
            ReasonCode::NoMatch => "it was searched and not found",
        }
    }
}
