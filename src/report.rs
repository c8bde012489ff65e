//! The serialised answer to one check: what `uniq check --json` prints, one object a clip, one line each.
//!
//! This module is the wire format. Fields may be added within a [`SCHEMA`] version; a field's meaning,
//! unit or absence changes only with a new version. Times are seconds from the first frame of the file
//! that they belong to, with millisecond resolution. Rectangles are fractions of a displayed frame
//! (upright, square pixels): `x` and `width` of its width, `y` and `height` of its height, all in `0..=1`.
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `schema` | integer | version of this format, [`SCHEMA`] |
//! | `clip.path` | string | the clip as the caller named it |
//! | `clip.sha256` | hex | SHA-256 of the clip's bytes (of the original, when a fingerprint file was checked) |
//! | `clip.duration_s` | seconds | length of the clip: what was decoded, or what its container promises if that is more |
//! | `clip.width`, `clip.height` | pixels | displayed size |
//! | `clip.codec`, `clip.container` | string | FFmpeg's short names |
//! | `clip.from_fingerprint` | bool | whether a fingerprint file was given in place of the clip |
//! | `clip.keyframes`, `clip.keys` | integer | frames looked at and keys made of them |
//! | `clip.benign_keys` | integer | how many of the keys were set aside: near one of benign material, or of a keyframe that shows such |
//! | `streams[]` | objects | the video streams of the clip, see below; none for a fingerprint |
//! | `verdict` | `unpublished` \| `partly_published` \| `published` \| `inconclusive` | the answer |
//! | `reasons[]` | objects | why: `code` (see [`ReasonCode`]), `seconds` (how much of the clip it is about, or null), `text` (a sentence) |
//! | `seconds.published` | seconds | covered by matches of kind `copy` |
//! | `seconds.unpublished` | seconds | searched, and in no match of kind `copy` |
//! | `seconds.unsearchable` | seconds | of which nothing can be said; the three add up to `clip.duration_s` |
//! | `seconds.benign` | seconds | the part of `seconds.unsearchable` that shows benign material |
//! | `payable_minutes` | minutes | `seconds.unpublished / 60`; 0 when the verdict is `inconclusive`, and when a fingerprint was given in place of the clip |
//! | `provisional_minutes` | minutes | what would be payable if the fingerprint that was given is that of the clip, which shows when the clip is checked; 0 when a clip was given |
//! | `spans[]` | objects | the clip from start to end: `start_s`, `end_s`, `state` (`published` \| `unpublished` \| `unsearchable`), `reason` (object as in `reasons[]`, or null) |
//! | `matches[]` | objects | what was found, in order of the clip's time, see below |
//! | `timeline[]` | 0..=1 | for each second of the clip the probability that it was published: the greatest of the alignments in it |
//! | `power[]` | 0..=1 | for each second of the clip the probability that it would have been called published if it were a copy, edited as copies are; predicted from what the second shows, and below the policy's limit it is unsearchable |
//! | `power_by_edit[]` | objects | the mean of that over the clip for copies of each class of edits: `edit`, `power` |
//! | `more_sources` | integer | further sources that show what is found in `matches[]` beyond doubt: what they have in common with the clip agrees on one place and time, and no more was looked at; the one that was published first, as far as that is known, is never among them |
//! | `nearest_non_match` | object or null | the alignment that is most probably a copy of those that are no matches, same fields as a match except `kind` |
//! | `index.root` | hex | SHA-256 that commits to the state of the index that was searched |
//! | `index.generation` | integer | commits made to the index so far |
//! | `index.videos`, `index.hours` | integer, hours | sources in that state and their total length |
//! | `index.benign_videos`, `index.benign_keys` | integers | videos of benign material in that state, and their keys; they are no sources |
//! | `index.keys` | integer | keys of the sources; a key that lasts counts once a run |
//! | `index.without_pictures` | integer | sources of which no small pictures are kept, and which are judged by keys and motion alone |
//! | `index.interval_s` | seconds | longest time between two keyframes of a source |
//! | `index.version` | integer | format version of the index |
//! | `index.fingerprint_version` | integer | version of the key-making method |
//! | `search.mode` | `exact` \| `screened` | whether all keys were compared, or those of the videos that a look at a few cells had nominated |
//! | `search.exact` | bool | whether every key of the index was compared |
//! | `search.recall` | 0..=1 or null | share of the copies that would be found by comparing all keys and are nominated: 1 when exact, else as measured on this index; null before that was done |
//! | `search.radius_bits` | bits | Hamming distance up to which two keys are a hit |
//! | `search.query_interval_s` | seconds | interval of the clip of which one frame was drawn |
//! | `search.published_probability` | 0..=1 | probability from which an alignment is a copy |
//! | `search.payable_probability` | 0..=1 | probability up to which it is none; between the two it is undecided |
//! | `search.effort` | `fast` \| `standard` \| `thorough` | how hard copies were looked for |
//! | `index.committed_at` | string or null | when that state was committed, as in RFC 3339, in UTC, if it was noted |
//! | `tool.name`, `tool.version` | strings | what made this report |
//! | `tool.commit` | string or null | the commit of its source, `+changed` behind it if files differed from it; null for a build that is no release |
//! | `tool.ffmpeg`, `tool.libavcodec` | strings | the versions of the FFmpeg that it runs with |
//! | `checked_at` | string or null | when it was made, as in RFC 3339, in UTC, if the caller said so; the one field that differs from run to run |
//!
//! A match:
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `source.id` | hex | first 16 digits of the source's SHA-256 |
//! | `source.path`, `source.sha256`, `source.duration_s` | | the source file as it was indexed |
//! | `source.url`, `source.title`, `source.uploader`, `source.platform`, `source.published_at` | string or null | what is known of its publication |
//! | `clip.start_s`, `clip.end_s` | seconds | the part of the clip |
//! | `reference.start_s`, `reference.end_s` | seconds | the part of the source that it equals |
//! | `evidence_bits` | bits | all evidence, scene and moment; all bits are rounded down to a tenth |
//! | `moment_bits` | bits | the evidence that belongs to this moment only |
//! | `probability` | 0..=1 | how probable it is that this is a copy, by a model that is fitted on real footage; 1 for identical files |
//! | `terms[]` | objects | why: `name` of a term and `bits` that it adds to the logarithm of the odds; they add up to it, but for rounding; see [`crate::verdict::terms`] |
//! | `pictures` | object or null | how well the pictures agree, see below; null if they were not compared, as of a fingerprint that was handed over without pictures, or of a source whose pictures are not kept |
//! | `pictures.compared` | integer | pictures of the source |
//! | `pictures.correlation` | -1..=1 | correlation of what moves in both |
//! | `pictures.share` | 0..=1 | share of what moves in the source that was compared: the rest is cropped or different |
//! | `shown` | 0..=1 | share of the source's regions, in this part of its time and frame, that the clip shows |
//! | `kind` | `copy` \| `same_scene` \| `undecided` | the same recording; the same place at another time, and no copy; or one of the two, and its part of the clip is unsearchable |
//! | `mirrored` | bool | left and right exchanged |
//! | `turned_degrees` | 0, 12, 24, 90, 180, 270, 336, 348 | how far the clip (mirrored first, if so) has to be turned clockwise to lie like the source, to the nearest that is looked for; quarter turns, and 12 and 24 degrees to either side, by all but `fast` |
//! | `widened` | factor | how many times as wide the clip has to be made to have the source's proportions, to the nearest of 1, 4/3, 16/9, 7/9 and 5/9 that are looked for, by all but `fast` |
//! | `slanted` | factor | how many times as long as the other the diagonal from the upper left has to be made, to the nearest of 1, 1.6 and 0.625 that are looked for, by all but `fast` |
//! | `negative` | bool | whether bright and dark are exchanged |
//! | `speed` | factor | seconds of the source that pass in one second of the clip: above 1 the clip plays faster, below 0 backwards |
//! | `geometry.clip` | rectangle | the part of the clip's frame that is covered; if it is tilted, of its frame so tilted about the middle |
//! | `geometry.reference` | rectangle | the part of the source's frame that covers it |
//! | `geometry.scale` | factor | size of a detail in the source's frame over its size in the clip's, in frame heights |
//! | `hits` | integer | pairs of keys that agree; 0 for identical files |
//! | `identical` | bool | whether clip and source are the same file, byte for byte; nothing of them is compared then, and the bits are those of a SHA-256 |
//!
//! | `stream` | integer or null | the number of the video stream that it was found in, if the clip has several pictures |
//!
//! A video stream of the clip. Several that follow each other make one picture together; otherwise each is a picture of its
//! own, the worst decides, and payable is what is unpublished in all of them at that time. Times count from the beginning of
//! the first picture.
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `index` | integer | its number among all streams of the file |
//! | `codec`, `width`, `height` | | as the container says |
//! | `duration_s` | seconds or null | length of its picture, if it was checked |
//! | `state` | `checked` \| `cover` \| `still` \| `not_checked` | `cover`: a picture that stands for the file; `still`: a single picture beside a video; of a clip with one `not_checked` nothing is payable |
//! | `reason` | string or null | why it was not checked |
//! | `verdict` | as above, or null | the answer for its picture |
//!
//! Every field but `checked_at` is the same on every run for the same clip, index and version.
//!
//! # Errors
//!
//! For a clip that could not be checked, `uniq check --json` prints on its line instead
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `schema` | integer | [`SCHEMA`] |
//! | `clip.path` | string | the clip as the caller named it |
//! | `code` | string | what is wrong, for programs: [`Error::code`](crate::Error::code) |
//! | `message` | string | what is wrong and what to do, for people |
//!
//! What concerns no single clip, such as a missing index, is one such object without `clip`; so it is with every command that
//! takes `--json`. The code is then also `usage` for a wrong command line, `not_installed` for a missing program,
//! or `error`.

use serde::{Deserialize, Serialize};

use crate::index::Publication;
pub use crate::verdict::{MatchKind, Reason, ReasonCode, SpanState, Verdict};

/// Version of the wire format. In version 2 a reason was a string, `code: sentence`,
/// and what is payable of a fingerprint was in `payable_minutes`.
pub const SCHEMA: u32 = 4;

/// The answer to one check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u32,
    /// What was checked.
    pub clip: Clip,
    /// The video streams of the clip; none for a fingerprint.
    #[serde(default)]
    pub streams: Vec<Stream>,
    /// The answer.
    pub verdict: Verdict,
    /// Why.
    pub reasons: Vec<Reason>,
    /// How the clip's length divides.
    pub seconds: Seconds,
    /// Minutes that can be paid for.
    pub payable_minutes: f64,
    /// Minutes that can be paid for once the clip is seen, if only a fingerprint was.
    #[serde(default)]
    pub provisional_minutes: f64,
    /// The clip from start to end.
    pub spans: Vec<Span>,
    /// What was found.
    pub matches: Vec<Match>,
    /// How probable it is of each second that it was published.
    pub timeline: Vec<f64>,
    /// How probable it is of each second that a copy of it would have been found.
    pub power: Vec<f64>,
    /// The mean of it by class of edits.
    pub power_by_edit: Vec<EditPower>,
    /// Sources of what was found that are only counted.
    #[serde(default)]
    pub more_sources: u64,
    /// The strongest alignment that was not enough.
    pub nearest_non_match: Option<NonMatch>,
    /// What was searched.
    pub index: IndexSummary,
    /// How it was searched.
    pub search: SearchSummary,
    /// What made the report.
    pub tool: Tool,
    /// When it was made, as in RFC 3339, in UTC; `None` if the caller did not say.
    #[serde(default)]
    pub checked_at: Option<String>,
}

/// The clip that was checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Clip {
    /// As the caller named it.
    pub path: String,
    /// SHA-256 of its bytes, in hex.
    pub sha256: String,
    /// Length in seconds.
    pub duration_s: f64,
    /// Displayed columns.
    pub width: u32,
    /// Displayed rows.
    pub height: u32,
    /// Codec.
    pub codec: String,
    /// Container.
    pub container: String,
    /// Whether a fingerprint file was given.
    pub from_fingerprint: bool,
    /// Frames looked at.
    pub keyframes: u64,
    /// Keys made of them, mirrored and tilted ones not counted.
    pub keys: u64,
    /// How many of these were set aside as benign.
    #[serde(default)]
    pub benign_keys: u64,
}

/// A video stream of the clip.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stream {
    /// Its number among all streams of the file.
    pub index: u32,
    /// Codec.
    pub codec: String,
    /// Stored columns.
    pub width: u32,
    /// Stored rows.
    pub height: u32,
    /// Length of its picture in seconds, if it was checked.
    pub duration_s: Option<f64>,
    /// What became of it.
    pub state: StreamState,
    /// Why it was not checked.
    pub reason: Option<String>,
    /// The answer for its picture.
    pub verdict: Option<Verdict>,
}

/// What became of a video stream of the clip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamState {
    /// Its picture was checked.
    Checked,
    /// It is the file's cover.
    Cover,
    /// It is a single picture beside a video.
    Still,
    /// It could not be checked.
    NotChecked,
}

/// How the clip's length divides, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Seconds {
    /// In a match of kind `copy`.
    pub published: f64,
    /// Searched and not found.
    pub unpublished: f64,
    /// Nothing can be said.
    pub unsearchable: f64,
    /// The part of `unsearchable` that shows benign material.
    #[serde(default)]
    pub benign: f64,
}

/// A part of the clip and what it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Span {
    /// Start in seconds.
    pub start_s: f64,
    /// End in seconds.
    pub end_s: f64,
    /// What it is.
    pub state: SpanState,
    /// Why, for a part that is unsearchable.
    pub reason: Option<Reason>,
}

/// A part of a source that equals a part of the clip.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Match {
    /// The recording, or only the place.
    pub kind: MatchKind,
    /// The video stream that it was found in, if the clip has several pictures.
    #[serde(default)]
    pub stream: Option<u32>,
    /// Source, times, geometry and evidence.
    #[serde(flatten)]
    pub alignment: NonMatch,
}

/// An alignment of the clip with a source; by itself, one that was not enough.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NonMatch {
    /// The source.
    pub source: Source,
    /// The part of the clip.
    pub clip: Interval,
    /// The part of the source.
    pub reference: Interval,
    /// All evidence in bits.
    pub evidence_bits: f64,
    /// The evidence that belongs to this moment only, in bits.
    pub moment_bits: f64,
    /// How probable it is that this is a copy.
    pub probability: f64,
    /// What speaks for and against it.
    pub terms: Vec<Term>,
    /// How well the pictures agree, if they were compared.
    pub pictures: Option<Pictures>,
    /// Share of the source's regions that the clip shows.
    pub shown: f64,
    /// Left and right exchanged.
    pub mirrored: bool,
    /// How far the clip has to be turned clockwise to lie like the source, in degrees.
    pub turned_degrees: u32,
    /// How many times as wide the clip has to be made to have the source's proportions.
    #[serde(default = "one")]
    pub widened: f64,
    /// How many times as long as the other the diagonal from the upper left has to be made, about.
    #[serde(default = "one")]
    pub slanted: f64,
    /// Whether bright and dark are exchanged.
    #[serde(default)]
    pub negative: bool,
    /// Seconds of the source in a second of the clip; below 0 when the clip plays backwards.
    pub speed: f64,
    /// Which part covers which.
    pub geometry: Geometry,
    /// Pairs of keys that agree.
    pub hits: u64,
    /// Whether clip and source are the same file, byte for byte.
    #[serde(default)]
    pub identical: bool,
}

/// The width of what is not stretched.
fn one() -> f64 {
    1.0
}

/// A source as it was indexed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// First 16 hexadecimal digits of its SHA-256.
    pub id: String,
    /// Where it was when it was indexed.
    pub path: String,
    /// SHA-256 of its bytes, in hex.
    pub sha256: String,
    /// Length in seconds.
    pub duration_s: f64,
    /// What is known of its publication.
    #[serde(flatten)]
    pub publication: Publication,
}

/// A part of a video.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Start in seconds.
    pub start_s: f64,
    /// End in seconds.
    pub end_s: f64,
}

/// Which part of the source's frame covers which part of the clip's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Geometry {
    /// In the clip's frame.
    pub clip: Rectangle,
    /// In the source's frame.
    pub reference: Rectangle,
    /// Size of a detail in the source's frame over its size in the clip's, both in frame heights.
    pub scale: f64,
}

/// A part of a frame, in fractions of its width and height.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
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

/// The state of the index that was searched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IndexSummary {
    /// SHA-256 that commits to the state, in hex.
    pub root: String,
    /// Commits so far.
    pub generation: u64,
    /// Sources.
    pub videos: u64,
    /// Videos of benign material.
    #[serde(default)]
    pub benign_videos: u64,
    /// Their keys.
    #[serde(default)]
    pub benign_keys: u64,
    /// Their total length.
    pub hours: f64,
    /// Keys.
    pub keys: u64,
    /// Sources of which no small pictures are kept: they are judged by keys and motion alone.
    pub without_pictures: u64,
    /// Longest time between two keyframes of a source, in seconds.
    pub interval_s: f64,
    /// Format version.
    pub version: u32,
    /// Version of the key-making method.
    pub fingerprint_version: u32,
    /// When the state was committed, as in RFC 3339, in UTC, if it was noted.
    #[serde(default)]
    pub committed_at: Option<String>,
}

/// How surely copies of a class of edits are found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EditPower {
    /// The class of edits.
    pub edit: String,
    /// Mean over the clip, 0..=1.
    pub power: f64,
}

/// What a term of the model adds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Term {
    /// What was measured.
    pub name: String,
    /// What it adds to the logarithm of the odds, in bits.
    pub bits: f64,
}

/// How well pictures agree.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Pictures {
    /// Pictures of the source.
    pub compared: u64,
    /// Correlation of what moves in both, -1..=1.
    pub correlation: f64,
    /// Share of what moves in the source that was compared, 0..=1.
    pub share: f64,
}

/// How the index was searched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SearchSummary {
    /// `exact` or `screened`.
    pub mode: String,
    /// Whether every key was compared.
    pub exact: bool,
    /// Share of the copies found by comparing all keys that are found so; `None` if it was not
    /// measured on this index.
    pub recall: Option<f64>,
    /// Largest distance of a hit, in bits.
    pub radius_bits: u32,
    /// Interval of the clip of which one frame was drawn, in seconds.
    pub query_interval_s: f64,
    /// Probability from which an alignment is a copy.
    pub published_probability: f64,
    /// Probability up to which it is none.
    pub payable_probability: f64,
    /// How hard copies were looked for.
    pub effort: Effort,
}

/// How hard copies are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effort {
    /// Half of the keyframes, and the strongest regions only.
    Fast,
    /// All that a clip's fingerprint holds, as it is and mirrored, and its strongest keys turned by quarters, inverted, tilted by
    /// 12 and 24 degrees to either side, and stretched.
    #[default]
    Standard,
    /// All keys also turned by quarters and inverted, which looks up each eight times as often.
    Thorough,
}

/// What made a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    /// `uniq`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The commit of its source; `None` for a build that is no release.
    #[serde(default)]
    pub commit: Option<String>,
    /// The version of the FFmpeg that it runs with.
    #[serde(default, rename = "ffmpeg")]
    pub media: String,
    /// The version of libavcodec in it.
    #[serde(default)]
    pub libavcodec: String,
}

impl Tool {
    /// This crate and the FFmpeg that it runs with.
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
