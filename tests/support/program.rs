//! Runs the program under test and reads its output.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output};

use serde::Deserialize;
use serde_json::Value;

/// One line of `uniq check --json`, with the fields that tests read; an absent field reads as
/// empty.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Report {
    /// The clip that was checked.
    pub clip: Checked,
    /// `unpublished`, `partly_published`, `published` or `inconclusive`; empty when the line
    /// reports an error.
    pub verdict: String,
    /// The reasons for the verdict.
    pub reasons: Vec<Value>,
    /// The clip's seconds by their state.
    pub seconds: Seconds,
    /// Copies and same scenes.
    pub matches: Vec<Match>,
    /// The best candidate that was not counted.
    pub nearest_non_match: Option<Value>,
}

/// See [`Report::clip`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Checked {
    /// As given on the command line.
    pub path: String,
    /// SHA-256 of the clip's bytes.
    pub sha256: String,
    /// Length in seconds.
    pub duration_s: f64,
}

/// See [`Report::seconds`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Seconds {
    /// Found in the index.
    pub published: f64,
    /// Searched and not found.
    pub unpublished: f64,
    /// Could not be searched.
    pub unsearchable: f64,
}

/// See [`Report::matches`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Match {
    /// The published video.
    pub source: Source,
    /// Where in the clip.
    pub clip: Span,
    /// Where in the published video.
    pub reference: Span,
    /// Evidence of everything that agrees, in bits.
    pub evidence_bits: f64,
    /// Evidence of what does not recur in the published video, in bits.
    pub moment_bits: f64,
    /// `copy` or `same_scene`.
    pub kind: String,
    /// Whether left and right are exchanged.
    pub mirrored: bool,
    pub turned_degrees: u32,
    /// Speed of the clip relative to the published video.
    pub speed: f64,
    /// How the two frames overlap.
    pub geometry: Geometry,
}

/// See [`Match::geometry`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Geometry {
    /// Size of a detail in the published video over its size in the clip.
    pub scale: f64,
}

/// See [`Match::source`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Source {
    /// The file that was indexed.
    pub path: String,
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// Where it was published.
    pub url: Option<String>,
    /// Its title there.
    pub title: Option<String>,
}

/// A stretch of time.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Span {
    /// In seconds.
    pub start_s: f64,
    /// In seconds.
    pub end_s: f64,
}

impl Report {
    /// Whether any second was judged to be published.
    pub fn is_published(&self) -> bool {
        matches!(self.verdict.as_str(), "published" | "partly_published")
    }

    /// The matches that count as copies.
    pub fn copies(&self) -> impl Iterator<Item = &Match> {
        self.matches.iter().filter(|found| found.kind == "copy")
    }
}

/// Runs the program and waits for it.
pub fn run(program: &Path, args: &[&OsStr]) -> Output {
    Command::new(program)
        .args(args)
        .env_remove("UNIQ_INDEX")
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", program.display()))
}

/// Builds an index of `videos`, or adds them to the one in `index`.
pub fn build(program: &Path, index: &Path, videos: &[&Path]) -> Output {
    let mut args: Vec<&OsStr> = ["index", "build", "--index"].map(OsStr::new).to_vec();
    args.push(index.as_os_str());
    args.extend(videos.iter().map(|path| path.as_os_str()));
    run(program, &args)
}

/// Panics with the program's output unless it succeeded.
pub fn must_succeed(output: &Output) {
    assert!(
        output.status.success(),
        "{}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
}
