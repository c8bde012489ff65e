//! The report of one check. This module is the wire format, which docs/report.md describes field by
//! field, as follows.
#![doc = include_str!("../docs/report.md")]

use std::fmt;

use serde::{Deserialize, Serialize};

pub use crate::facts::Quality;
use crate::index::Publication;
pub use crate::verdict::{MatchKind, Reason, ReasonCode, SpanState, Verdict};

#[cfg(test)]
mod tests;

/// Version of the wire format. In version 2, a reason was a string, `code: sentence`, and
/// `payable_minutes` counted fingerprints too.
pub const SCHEMA: u32 = 4;

/// The answer to one check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Report {
    /// [`SCHEMA`].
    #[cfg_attr(test, schemars(extend("const" = SCHEMA)))]
    pub schema: u32,
    /// The clip that was checked.
    pub clip: Clip,
    /// The video streams of the clip; empty for a fingerprint.
    #[serde(default)]
    pub streams: Vec<Stream>,
    /// The verdict on the clip.
    pub verdict: Verdict,
    /// The reasons for the verdict.
    pub reasons: Vec<Reason>,
    /// Length of the clip by state.
    pub seconds: Seconds,
    /// Payable minutes.
    pub payable_minutes: f64,
    /// Minutes that become payable once a check of the clip itself confirms the fingerprint.
    #[serde(default)]
    pub provisional_minutes: f64,
    /// The clip from start to end, by state.
    pub spans: Vec<Span>,
    /// The parts that would be unpublished if nothing had matched; `None` if that is not known.
    #[serde(default)]
    pub searchable: Option<Vec<Interval>>,
    /// Matches, in order of clip time.
    pub matches: Vec<Match>,
    /// For each second, the probability that it is published.
    pub timeline: Vec<f64>,
    /// For each second, the probability that a search would find a copy of it.
    pub power: Vec<f64>,
    /// Mean power by class of edits.
    pub power_by_edit: Vec<EditPower>,
    /// Number of further sources, which are counted but not listed.
    #[serde(default)]
    pub more_sources: u64,
    /// The most probable copy among the alignments that are no match.
    pub nearest_non_match: Option<NonMatch>,
    /// The index that was searched.
    pub index: IndexSummary,
    /// Settings of the search.
    pub search: SearchSummary,
    /// What makes the price of the clip, if it was measured.
    #[serde(default)]
    pub quality: Option<Quality>,
    /// What a rate card gives for it.
    #[serde(default)]
    pub amount: Option<Amount>,
    /// The program that made the report.
    pub tool: Tool,
    /// Time of the check in RFC 3339, UTC; `None` if the caller gave none.
    #[serde(default)]
    pub checked_at: Option<String>,
    /// What a ledger of submissions says of the clip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submission: Option<Submission>,
}

/// What a ledger of submissions says of a clip.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Submission {
    /// Its number.
    pub number: u64,
    /// Who submitted it.
    pub by: String,
    /// What the creator calls it.
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    /// Where it stands.
    pub state: String,
    /// When it got its number, in RFC 3339, UTC.
    pub received_at: Option<String>,
    /// Whether only a fingerprint was seen.
    pub provisional: bool,
    /// Payable minutes after all deductions.
    pub payable_minutes: f64,
    /// Minutes that become payable once the clip confirms the fingerprint.
    pub provisional_minutes: f64,
    /// The part of the payable minutes that was sold.
    pub sold_minutes: f64,
    /// The payable or provisional seconds.
    pub payable: Vec<Interval>,
    /// Unpublished seconds that are not payable.
    pub deductions: Vec<Deduction>,
    /// Earlier submissions of the same scene.
    pub related: Vec<Related>,
    /// What persons say of its matches, if anybody has said anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<Review>,
}

/// What persons say of the matches of a submission.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Review {
    /// Their judgements.
    pub judgements: Vec<Judgement>,
    /// Minutes that are eligible by them, and were withheld for matches.
    pub released_minutes: f64,
    /// Minutes that are public by them, and were unpublished.
    pub withheld_minutes: f64,
}

/// What a person says of a match.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Judgement {
    /// SHA-256 of the source, in hex.
    pub source_sha256: String,
    /// The seconds of the clip.
    #[serde(flatten)]
    pub clip: Interval,
    /// `copy`, `same_scene` or `allowed`.
    pub verdict: String,
    /// Who says so.
    pub by: String,
    /// The reason.
    pub why: String,
}

/// Unpublished seconds that are not payable, and on whose account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Deduction {
    /// The seconds of the clip.
    #[serde(flatten)]
    pub clip: Interval,
    /// Why: `already_offered`, `disputed`, `undecided`, `published`, `sold` or `remainder`.
    pub reason: String,
    /// The submission that holds them.
    pub number: Option<u64>,
    /// Its creator.
    pub by: Option<String>,
    /// Its seconds.
    pub there: Option<Interval>,
    /// Probability that they are the same recording, 0..=1.
    pub probability: Option<f64>,
    /// Evidence in bits.
    pub evidence_bits: Option<f64>,
    /// Whether left and right are exchanged.
    pub mirrored: Option<bool>,
    /// Seconds of the other submission per second of the clip; negative if the clip plays
    /// backwards.
    pub speed: Option<f64>,
    /// Whether they are identical files.
    pub identical: Option<bool>,
    /// The sentence for people.
    pub text: String,
}

/// An earlier submission of the same scene.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Related {
    /// Its number.
    pub number: u64,
    /// Its creator.
    pub by: String,
    /// The seconds of the clip.
    #[serde(flatten)]
    pub clip: Interval,
    /// Its seconds.
    pub there: Interval,
    /// Whether a person has decided that they are different recordings.
    pub decided: bool,
}

/// The clip.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Clip {
    /// Path as the caller gave it.
    pub path: String,
    /// SHA-256 of the file, in hex.
    pub sha256: String,
    /// Length in seconds.
    pub duration_s: f64,
    /// Displayed width in pixels.
    pub width: u32,
    /// Displayed height in pixels.
    pub height: u32,
    /// FFmpeg's name of the codec.
    pub codec: String,
    /// FFmpeg's name of the container.
    pub container: String,
    /// Whether a fingerprint file was given in place of the clip.
    pub from_fingerprint: bool,
    /// Number of sampled frames.
    pub keyframes: u64,
    /// Number of their keys, without mirrored and tilted ones.
    pub keys: u64,
    /// Number of keys filtered out as benign.
    #[serde(default)]
    pub benign_keys: u64,
}

/// A video stream of the clip.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Stream {
    /// Number among all streams of the file.
    pub index: u32,
    /// Codec.
    pub codec: String,
    /// Stored width in pixels.
    pub width: u32,
    /// Stored height in pixels.
    pub height: u32,
    /// Length of its picture in seconds; `None` if it was not checked.
    pub duration_s: Option<f64>,
    /// Whether it was checked.
    pub state: StreamState,
    /// Why it was not checked.
    pub reason: Option<String>,
    /// The verdict on its picture.
    pub verdict: Option<Verdict>,
}

/// State of a video stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum StreamState {
    /// The picture was checked.
    Checked,
    /// It is the cover of the file.
    Cover,
    /// It is a single frame beside a video.
    Still,
    /// It could not be checked.
    NotChecked,
}

/// Length of the clip by state, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Seconds {
    /// In a match of kind `copy`.
    pub published: f64,
    /// Searched and not found.
    pub unpublished: f64,
    /// Too little can be seen to decide.
    pub unsearchable: f64,
    /// The part of `unsearchable` that shows benign material.
    #[serde(default)]
    pub benign: f64,
}

/// A part of the clip with its state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Span {
    /// Start in seconds.
    pub start_s: f64,
    /// End in seconds.
    pub end_s: f64,
    /// Its state.
    pub state: SpanState,
    /// Why it is unsearchable; `None` for other states.
    pub reason: Option<Reason>,
}

/// A match of a part of the clip with a part of a source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Match {
    /// Copy, same scene or undecided.
    pub kind: MatchKind,
    /// The video stream of the match, if the clip has several pictures.
    #[serde(default)]
    pub stream: Option<u32>,
    /// Source, times, geometry and evidence.
    #[serde(flatten)]
    pub alignment: NonMatch,
}

/// An alignment of the clip with a source; on its own, one that is no match.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NonMatch {
    /// The source.
    pub source: Source,
    /// Time in the clip.
    pub clip: Interval,
    /// Time in the source.
    pub reference: Interval,
    /// All evidence in bits.
    pub evidence_bits: f64,
    /// Distinctive evidence, which belongs to this moment only, in bits.
    pub moment_bits: f64,
    /// Probability that it is a copy, 0..=1.
    pub probability: f64,
    /// Contribution of each term of the model.
    pub terms: Vec<Term>,
    /// Agreement of the thumbnails, if they were compared.
    pub pictures: Option<Pictures>,
    /// Share of the source's regions that the clip shows, 0..=1.
    pub shown: f64,
    /// Whether left and right are exchanged.
    pub mirrored: bool,
    /// Clockwise rotation of the clip that aligns it with the source, in degrees.
    pub turned_degrees: u32,
    /// Factor of the clip's width that gives it the source's proportions.
    #[serde(default = "one")]
    pub widened: f64,
    /// Approximate factor of the diagonal from the upper left, relative to the other diagonal.
    #[serde(default = "one")]
    pub slanted: f64,
    /// Whether bright and dark are exchanged.
    #[serde(default)]
    pub negative: bool,
    /// Seconds of the source per second of the clip; negative if the clip plays backwards.
    pub speed: f64,
    /// The overlap of the two frames.
    pub geometry: Geometry,
    /// Number of inlier correspondences.
    pub hits: u64,
    /// Whether clip and source are identical files.
    #[serde(default)]
    pub identical: bool,
}

/// The factor of an unstretched clip, for reports without the field.
fn one() -> f64 {
    1.0
}

/// A source as it was indexed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Source {
    /// First 16 hex digits of its SHA-256.
    pub id: String,
    /// Path at the time of indexing.
    pub path: String,
    /// SHA-256 of the file, in hex.
    pub sha256: String,
    /// Length in seconds.
    pub duration_s: f64,
    /// What is known of its publication.
    #[serde(flatten)]
    pub publication: Publication,
}

/// A time interval of a video.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Interval {
    /// Start in seconds.
    pub start_s: f64,
    /// End in seconds.
    pub end_s: f64,
}

/// The overlap of the clip's frame and the source's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Geometry {
    /// In the clip's frame.
    pub clip: Rectangle,
    /// In the source's frame.
    pub reference: Rectangle,
    /// Size of a detail in the source's frame relative to the clip's, both in frame heights.
    pub scale: f64,
}

/// A rectangle in fractions of the width and height of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Rectangle {
    /// Left edge.
    pub x: f64,
    /// Top edge.
    pub y: f64,
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
}

/// What a rate card gives for a clip.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Amount {
    /// ISO 4217 code.
    pub currency: String,
    /// SHA-256 of the rate card, in hex.
    pub card_sha256: String,
    /// Whether it may be paid without a person.
    pub payable: bool,
    /// Hundredths of the currency to be paid.
    pub payable_cents: u64,
    /// What it would be if nothing kept it from being paid.
    pub withheld_cents: u64,
    /// Unpublished spans.
    pub spans: Vec<PricedSpan>,
    /// Why it is not payable, or not all of it.
    pub reasons: Vec<String>,
}

/// An unpublished span with its rate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PricedSpan {
    /// Start in seconds.
    pub start_s: f64,
    /// End in seconds.
    pub end_s: f64,
    /// Its class; `None` if none fits, or it is too short.
    pub class: Option<String>,
    /// Its length in minutes.
    pub minutes: f64,
    /// Rate a minute in the currency.
    pub per_minute: f64,
    /// Its part of the total in hundredths of the currency.
    pub cents: u64,
}

/// The state of the index that was searched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct IndexSummary {
    /// SHA-256 that commits to the state, in hex.
    pub root: String,
    /// Number of commits.
    pub generation: u64,
    /// Number of sources.
    pub videos: u64,
    /// Number of videos of benign material.
    #[serde(default)]
    pub benign_videos: u64,
    /// Number of keys of benign material.
    #[serde(default)]
    pub benign_keys: u64,
    /// Total length of the sources in hours.
    pub hours: f64,
    /// Number of keys of the sources.
    pub keys: u64,
    /// Number of sources without thumbnails, which are judged by keys and motion alone.
    pub without_pictures: u64,
    /// Maximum time between two keyframes of a source, in seconds.
    pub interval_s: f64,
    /// Format version of the index.
    pub version: u32,
    /// Version of the fingerprint method.
    pub fingerprint_version: u32,
    /// Time of the commit in RFC 3339, UTC, if known.
    #[serde(default)]
    pub committed_at: Option<String>,
}

/// Power for a class of edits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct EditPower {
    /// The class of edits.
    pub edit: String,
    /// Mean power over the clip, 0..=1.
    pub power: f64,
}

/// Contribution of a term of the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Term {
    /// Name of the term.
    pub name: String,
    /// Contribution to the logarithm of the odds, in bits.
    pub bits: f64,
}

/// Agreement of the thumbnails.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Pictures {
    /// Number of thumbnails of the source.
    pub compared: u64,
    /// Correlation of moving content, -1..=1.
    pub correlation: f64,
    /// Share of the source's moving content that was compared, 0..=1.
    pub share: f64,
}

/// Settings of the search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SearchSummary {
    /// `exact` or `screened`.
    pub mode: String,
    /// Whether all keys of the index were compared.
    pub exact: bool,
    /// Share of the copies found by comparing all keys that this search finds too; `None` if it was
    /// not measured on this index.
    pub recall: Option<f64>,
    /// Maximum distance of a hit, in bits.
    pub radius_bits: u32,
    /// Interval of the clip from which one frame is sampled, in seconds.
    pub query_interval_s: f64,
    /// Minimum probability of a copy.
    pub published_probability: f64,
    /// Maximum probability of an alignment that is no copy.
    pub payable_probability: f64,
    /// Effort of the search.
    pub effort: Effort,
}

/// Effort of the search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Effort {
    /// Half of the keyframes, and only their strongest regions.
    Fast,
    /// All keys, upright and mirrored; the strongest keys also rotated by quarter turns, inverted,
    /// tilted by 12 and 24 degrees to either side, and stretched.
    #[default]
    Standard,
    /// All keys also rotated by quarter turns and inverted: eight times as many queries.
    Thorough,
}

/// The program that made a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Tool {
    /// `uniq`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Commit of its source code; `None` for a build that is no release.
    #[serde(default)]
    pub commit: Option<String>,
    /// Version of FFmpeg at run time.
    #[serde(default, rename = "ffmpeg")]
    pub media: String,
    /// Version of libavcodec at run time.
    #[serde(default)]
    pub libavcodec: String,
}

impl Tool {
    /// This crate with the FFmpeg at run time.
    pub fn this() -> Tool {
        let (media, libavcodec) = crate::media::versions();
        Tool {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            commit: option_env!("UNIQ_BUILD_COMMIT").map(str::to_owned),
            media,
            libavcodec,
        }
    }
}

/// Version, commit and FFmpeg, in one line.
impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.version)?;
        if let Some(commit) = &self.commit {
            write!(f, " ({commit})")?;
        }
        write!(f, ", FFmpeg {}, libavcodec {}", self.media, self.libavcodec)
    }
}
