//! What a search for duplicates found, as one serialisable value: the wire format of `uniq dedup
//! --json`.
//!
//! docs/dedup.md describes its fields. Nothing is ever deleted.

use serde::{Deserialize, Serialize};

use super::keeping::Keep;
use crate::report::{self, Effort, Match, MatchKind, Span, Tool};

/// Version of the wire format.
pub const SCHEMA: u32 = 1;

/// What a search for duplicates found.
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
    /// What to keep, and what repeats it.
    pub groups: Vec<Group>,
    /// What could not be read.
    pub failed: Vec<Failure>,
    /// The rule of what is kept.
    pub keep: Keep,
    /// How copies were looked for.
    pub search: Search,
    /// What it cost.
    pub cost: Cost,
    /// The program.
    pub tool: Tool,
    /// Time of the search in RFC 3339, UTC, if the caller gave one.
    #[serde(default)]
    pub checked_at: Option<String>,
}

/// A clip: all files of the same bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Clip {
    /// The first by name of its files.
    pub path: String,
    /// SHA-256 of the files, in hex.
    pub sha256: String,
    /// Length of the files in bytes.
    pub bytes: u64,
    /// The files, in the order given.
    pub files: Vec<File>,
    /// Whether one of them is a reference.
    pub reference: bool,
    /// What is known of its picture; `None` if it could not be decoded.
    pub video: Option<report::Clip>,
    /// Number of its pictures.
    pub pictures: u64,
    /// How much of it could be compared, in seconds.
    pub searchable_s: f64,
    /// What could not be compared, and why.
    pub unsearchable: Vec<Span>,
    /// Why nothing, or not all, can be said of it.
    pub not_compared: Vec<String>,
    /// Clips that were not compared with it in full, as there were too many.
    pub more_candidates: u64,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// As the caller gave it.
    pub path: String,
    /// Whether it is only compared with, and never proposed for deletion.
    pub reference: bool,
}

/// Two clips that share footage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pair {
    /// The strongest of its matches.
    pub kind: MatchKind,
    /// Whether the files have the same bytes.
    pub identical: bool,
    /// The clip that was searched for.
    pub clip: Side,
    /// The one that it was found in.
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
    /// How many of its seconds are in copies of the other.
    pub copied_s: f64,
}

/// A match of a pair.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PairMatch {
    /// As in a report.
    #[serde(flatten)]
    pub found: Match,
    /// The video stream of the other clip, if that has several pictures.
    #[serde(default)]
    pub reference_stream: Option<u32>,
}

/// A file to keep, and those that match it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// The file to keep.
    pub keep: Kept,
    /// Why this one.
    pub why: String,
    /// Those that match it.
    pub members: Vec<Member>,
    /// The lowest probability of its members' pairs, 0..=1.
    pub probability: f64,
    /// The least evidence of its members' pairs, in bits.
    pub evidence_bits: f64,
}

/// The file that a group keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The file.
    pub path: String,
    /// Its SHA-256, in hex.
    pub sha256: String,
    /// Whether it is a reference.
    pub reference: bool,
}

/// A file that matches the one that is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// The file.
    pub path: String,
    /// Its SHA-256, in hex.
    pub sha256: String,
    /// Number of its pair with the kept one, from 0.
    pub pair: usize,
    /// How much of it the kept one has.
    pub extent: Extent,
    /// How many of its seconds are in the kept one.
    pub copied_s: f64,
    /// How many are not.
    pub rest_s: f64,
    /// Whether the kept one makes it superfluous.
    pub redundant: bool,
    /// The same in a sentence.
    pub why: String,
}

/// How much of a clip another has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Extent {
    /// The bytes are the same.
    Identical,
    /// All of it, but for what is lost at cuts.
    Whole,
    /// Some seconds of it.
    Part,
}

/// A file or folder that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// As the caller gave it.
    pub path: String,
    /// Whether it is a reference.
    pub reference: bool,
    /// The error, for programs: [`Error::code`](crate::Error::code).
    pub code: String,
    /// What is wrong and what to do.
    pub message: String,
}

/// How copies were looked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Search {
    /// Effort with which candidates were looked for among all clips.
    pub candidates: Effort,
    /// Effort with which candidates were compared.
    pub effort: Effort,
    /// Whether every key of every clip was compared for the candidates.
    pub exact: bool,
    /// Number of clips that were searched for candidates.
    pub clips: u64,
    /// Number of pairs that were compared in full.
    pub pairs_compared: u64,
}

/// What a search for duplicates cost; differs from run to run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Hours of video that this run decoded.
    pub decoded_hours: f64,
    /// Clips that this run decoded.
    pub decoded_clips: u64,
    /// Clips that an earlier run had decoded into the same work folder.
    pub reused_clips: u64,
    /// Seconds that it took.
    pub elapsed_s: f64,
    /// Processor seconds that it took, of the decoding processes too, if the caller can tell.
    pub processor_s: Option<f64>,
    /// Bytes of the work folder.
    pub work_bytes: u64,
}
