//! The result of a search for duplicates as one serialisable value: the wire format of `uniq dedup
//! --json`.
//!
//! docs/dedup.md describes its fields. Nothing is ever deleted.

use serde::{Deserialize, Serialize};

use super::keeping::Keep;
use crate::report::{self, Effort, Match, MatchKind, Span, Tool};

/// Version of the wire format.
pub const SCHEMA: u32 = 1;

/// Result of a search for duplicates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deduplication {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Whether any pair is a copy.
    pub duplicates: bool,
    /// The clips, in the order given.
    pub clips: Vec<Clip>,
    /// Pairs that share footage, by SHA-256.
    pub pairs: Vec<Pair>,
    /// What to keep, and what duplicates it.
    pub groups: Vec<Group>,
    /// Files and folders that could not be read.
    pub failed: Vec<Failure>,
    /// The rule that chooses what to keep.
    pub keep: Keep,
    /// How copies were searched for.
    pub search: Search,
    /// Cost of the search.
    pub cost: Cost,
    /// The program and its version.
    pub tool: Tool,
    /// Time of the search in RFC 3339, UTC, if the caller gave one.
    #[serde(default)]
    pub checked_at: Option<String>,
}

/// A clip: all files with the same bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Clip {
    /// The first of its files by name.
    pub path: String,
    /// SHA-256 of the files, in hex.
    pub sha256: String,
    /// Length of the files in bytes.
    pub bytes: u64,
    /// The files, in the order given.
    pub files: Vec<File>,
    /// Whether one of them is a reference.
    pub reference: bool,
    /// Facts about its video; `None` if it could not be decoded.
    pub video: Option<report::Clip>,
    /// Number of its video streams.
    pub pictures: u64,
    /// Seconds of it that could be compared.
    pub searchable_s: f64,
    /// What could not be compared, and why.
    pub unsearchable: Vec<Span>,
    /// Why it was not compared, or not all of it.
    pub not_compared: Vec<String>,
    /// Number of candidates that were not compared with it in full because there were too many.
    pub more_candidates: u64,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// The path that the caller gave.
    pub path: String,
    /// Whether it is only compared with, and never proposed for deletion.
    pub reference: bool,
}

/// Two clips that share footage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pair {
    /// Kind of its strongest match.
    pub kind: MatchKind,
    /// Whether the files have the same bytes.
    pub identical: bool,
    /// The clip that was searched for.
    pub clip: Side,
    /// The clip in which it was found.
    pub other: Side,
    /// Probability of a copy, 0..=1, of the strongest match of this kind.
    pub probability: f64,
    /// Its evidence in bits.
    pub evidence_bits: f64,
    /// The matches, in order of the clip's time.
    pub matches: Vec<PairMatch>,
}

/// One of the two clips of a pair.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Side {
    /// The file.
    pub path: String,
    /// Its SHA-256, in hex.
    pub sha256: String,
    /// Whether it is a reference.
    pub reference: bool,
    /// Seconds of it that are in copies of the other.
    pub copied_s: f64,
}

/// A match of a pair.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PairMatch {
    /// The match, as in a report.
    #[serde(flatten)]
    pub found: Match,
    /// The video stream of the other clip, if it has several.
    #[serde(default)]
    pub reference_stream: Option<u32>,
}

/// A file to keep, and the files that match it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// The file to keep.
    pub keep: Kept,
    /// Why this file is kept.
    pub why: String,
    /// The files that match it.
    pub members: Vec<Member>,
    /// The lowest probability of its members' pairs, 0..=1.
    pub probability: f64,
    /// The lowest evidence of its members' pairs, in bits.
    pub evidence_bits: f64,
}

/// The kept file of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The file.
    pub path: String,
    /// Its SHA-256, in hex.
    pub sha256: String,
    /// Whether it is a reference.
    pub reference: bool,
}

/// A file that matches the kept one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// The file.
    pub path: String,
    /// Its SHA-256, in hex.
    pub sha256: String,
    /// Index of its pair with the kept file.
    pub pair: usize,
    /// How much of it is in the kept file.
    pub extent: Extent,
    /// Seconds of it that are in the kept file.
    pub copied_s: f64,
    /// Seconds of it that are not.
    pub rest_s: f64,
    /// Whether the kept file makes it redundant.
    pub redundant: bool,
    /// The reason as a sentence.
    pub why: String,
}

/// How much of a clip is in another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Extent {
    /// The bytes are the same.
    Identical,
    /// All of it, except what is lost at cuts.
    Whole,
    /// Some seconds of it.
    Part,
}

/// A file or folder that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The path that the caller gave.
    pub path: String,
    /// Whether it is a reference.
    pub reference: bool,
    /// The error, for programs: [`Error::code`](crate::Error::code).
    pub code: String,
    /// What is wrong and what to do.
    pub message: String,
}

/// How copies were searched for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Search {
    /// Effort with which candidates were looked for among all clips.
    pub candidates: Effort,
    /// Effort with which candidates were compared.
    pub effort: Effort,
    /// Whether every key of every clip was compared to find candidates.
    pub exact: bool,
    /// Number of clips that were searched for candidates.
    pub clips: u64,
    /// Number of pairs that were compared in full.
    pub pairs_compared: u64,
}

/// Cost of a search for duplicates; differs from run to run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Hours of video that this run decoded.
    pub decoded_hours: f64,
    /// Clips that this run decoded.
    pub decoded_clips: u64,
    /// Clips that an earlier run had decoded into the same work folder.
    pub reused_clips: u64,
    /// Elapsed time in seconds.
    pub elapsed_s: f64,
    /// Processor time in seconds, including decoding processes; `None` if unknown.
    pub processor_s: Option<f64>,
    /// Size of the work folder in bytes.
    pub work_bytes: u64,
}
