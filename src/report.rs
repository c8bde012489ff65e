//! The report of one check: `uniq check --json` prints one JSON object per clip, on one line.
//!
//! This module is the wire format. A [`SCHEMA`] version may gain fields; a field's meaning, unit or
//! absence changes only with a new version. Times are seconds from the first frame of their file,
//! with millisecond resolution. Rectangles are fractions of a displayed frame (upright, square
//! pixels): `x` and `width` of its width, `y` and `height` of its height, all in `0..=1`.
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `schema` | integer | version of this format, [`SCHEMA`] |
//! | `clip.path` | string | the clip's path as the caller gave it |
//! | `clip.sha256` | hex | SHA-256 of the clip's bytes (of the original, when a fingerprint file was checked) |
//! | `clip.duration_s` | seconds | length of the clip: the decoded length, or the container's if that is longer |
//! | `clip.width`, `clip.height` | pixels | displayed size |
//! | `clip.codec`, `clip.container` | string | FFmpeg's short names |
//! | `clip.from_fingerprint` | bool | whether a fingerprint file was given in place of the clip |
//! | `clip.keyframes`, `clip.keys` | integer | number of sampled frames and of their keys |
//! | `clip.benign_keys` | integer | number of keys filtered out: near a benign key, or of a keyframe that shows benign material |
//! | `streams[]` | objects | the video streams of the clip, see below; empty for a fingerprint |
//! | `verdict` | `unpublished` \| `partly_published` \| `published` \| `inconclusive` | the answer |
//! | `reasons[]` | objects | why: `code` (see [`ReasonCode`]), `seconds` (length of the clip that it concerns, or null), `text` (a sentence) |
//! | `seconds.published` | seconds | covered by matches of kind `copy` |
//! | `seconds.unpublished` | seconds | searched, and in no match of kind `copy` |
//! | `seconds.unsearchable` | seconds | too little to see for a decision; the three add up to `clip.duration_s` |
//! | `seconds.benign` | seconds | the part of `seconds.unsearchable` that shows benign material |
//! | `payable_minutes` | minutes | `seconds.unpublished / 60`; 0 if the verdict is `inconclusive`, or if a fingerprint was given in place of the clip |
//! | `provisional_minutes` | minutes | minutes that become payable once a check of the clip itself confirms the fingerprint; 0 if a clip was given |
//! | `spans[]` | objects | the clip from start to end: `start_s`, `end_s`, `state` (`published` \| `unpublished` \| `unsearchable`), `reason` (object as in `reasons[]`, or null) |
//! | `searchable[]` | objects or null | the parts of the clip that would be `unpublished` if nothing had matched: `start_s`, `end_s`; none if the clip were `inconclusive` then; null in reports of older versions |
//! | `matches[]` | objects | copies, same scenes and undecided matches, in order of clip time, see below |
//! | `timeline[]` | 0..=1 | for each second of the clip, the probability that it is published: the maximum over its alignments |
//! | `power[]` | 0..=1 | for each second of the clip, the probability that a check would call it published if it were a copy with usual edits; predicted from its content. A second below the policy's minimum is unsearchable |
//! | `power_by_edit[]` | objects | mean power over the clip for copies of each class of edits: `edit`, `power` |
//! | `more_sources` | integer | number of further sources of parts that `matches[]` already shows to be copies beyond doubt: their correspondences agree on one geometry and temporal hypothesis, and they were not aligned. The source that is known to be published first is never among them |
//! | `nearest_non_match` | object or null | the most probable copy among the alignments that are no match; fields of a match without `kind` |
//! | `index.root` | hex | SHA-256 that commits to the state of the index that was searched |
//! | `index.generation` | integer | number of commits to the index |
//! | `index.videos`, `index.hours` | integer, hours | number of sources in that state, and their total length |
//! | `index.benign_videos`, `index.benign_keys` | integers | number of videos of benign material in that state, and of their keys; they do not count as sources |
//! | `index.keys` | integer | number of keys of the sources; a track counts once |
//! | `index.without_pictures` | integer | number of sources without thumbnails, which are judged by keys and motion alone |
//! | `index.interval_s` | seconds | maximum time between two keyframes of a source |
//! | `index.version` | integer | format version of the index |
//! | `index.fingerprint_version` | integer | version of the fingerprint method |
//! | `search.mode` | `exact` \| `screened` | whether the search compared all keys, or those of the videos that a screening of a few cells nominated |
//! | `search.exact` | bool | whether all keys of the index were compared |
//! | `search.recall` | 0..=1 or null | share of the copies found by comparing all keys that this search finds too: 1 if exact, otherwise as measured on this index; null if it was not measured |
//! | `search.radius_bits` | bits | maximum Hamming distance of a hit |
//! | `search.query_interval_s` | seconds | interval of the clip from which one frame is sampled |
//! | `search.published_probability` | 0..=1 | minimum probability of a copy |
//! | `search.payable_probability` | 0..=1 | maximum probability of an alignment that is no copy; between the two, it is undecided |
//! | `search.effort` | `fast` \| `standard` \| `thorough` | effort of the search |
//! | `index.committed_at` | string or null | time of the commit in RFC 3339, UTC, if known |
//! | `tool.name`, `tool.version` | strings | the program that made this report |
//! | `tool.commit` | string or null | commit of its source code, followed by `+changed` if files differ from it; null for a build that is no release |
//! | `tool.ffmpeg`, `tool.libavcodec` | strings | versions of FFmpeg and libavcodec at run time |
//! | `quality` | object or null | what makes the price of the clip, see below; null if it was not measured, as of a fingerprint. No verdict depends on it |
//! | `amount` | object or null | what a rate card gives for it, see below; null without one |
//! | `checked_at` | string or null | time of the check in RFC 3339, UTC, if the caller gave it; the only field that differs from run to run |
//! | `submission` | object, or absent | what a ledger of submissions says of the clip, see below; only from `uniq intake`. `payable_minutes` and `provisional_minutes` are then those after its deductions |
//!
//! A match:
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `source.id` | hex | first 16 digits of the source's SHA-256 |
//! | `source.path`, `source.sha256`, `source.duration_s` | | the source file at the time of indexing |
//! | `source.url`, `source.title`, `source.uploader`, `source.platform`, `source.published_at` | string or null | what is known of its publication |
//! | `clip.start_s`, `clip.end_s` | seconds | time in the clip |
//! | `reference.start_s`, `reference.end_s` | seconds | corresponding time in the source |
//! | `evidence_bits` | bits | all evidence, distinctive or not; evidence is rounded down to a tenth of a bit |
//! | `moment_bits` | bits | distinctive evidence, which belongs to this moment only |
//! | `probability` | 0..=1 | probability that it is a copy, by a model fitted on real footage; 1 for identical files |
//! | `terms[]` | objects | `name` of each term of the model and the `bits` that it contributes to the logarithm of the odds, which is their sum but for rounding; see [`crate::verdict::terms`] |
//! | `pictures` | object or null | agreement of the thumbnails, see below; null if they were not compared, because the fingerprint or the source has none |
//! | `pictures.compared` | integer | number of thumbnails of the source |
//! | `pictures.correlation` | -1..=1 | correlation of moving content |
//! | `pictures.share` | 0..=1 | share of the source's moving content that was compared: the rest is cropped or different |
//! | `shown` | 0..=1 | share of the source's regions, within the matched time and part of the frame, that the clip shows |
//! | `kind` | `copy` \| `same_scene` \| `undecided` | the same recording; the same place at another time, and no copy; or undecided, and its part of the clip is unsearchable |
//! | `mirrored` | bool | whether left and right are exchanged |
//! | `turned_degrees` | 0, 12, 24, 90, 180, 270, 336, 348 | clockwise rotation of the clip, after mirroring if it is mirrored, that aligns it with the source; the nearest of the values searched, which are 0 alone for `fast` |
//! | `widened` | factor | factor of the clip's width that gives it the source's proportions; the nearest of 1, 4/3, 16/9, 7/9 and 5/9, or 1 for `fast` |
//! | `slanted` | factor | factor of the diagonal from the upper left, relative to the other diagonal, that gives the clip the source's proportions; the nearest of 1, 1.6 and 0.625, or 1 for `fast` |
//! | `negative` | bool | whether bright and dark are exchanged |
//! | `speed` | factor | seconds of the source per second of the clip: above 1, the clip plays faster; below 0, backwards |
//! | `geometry.clip` | rectangle | part of the clip's frame that overlaps the source's; of a tilted clip, part of the frame tilted about its middle |
//! | `geometry.reference` | rectangle | part of the source's frame that overlaps the clip's |
//! | `geometry.scale` | factor | size of a detail in the source's frame relative to the clip's, both in frame heights |
//! | `hits` | integer | number of inlier correspondences; 0 for identical files |
//! | `identical` | bool | whether clip and source are identical files; their content is not compared, and the evidence is that of a SHA-256 |
//! | `stream` | integer or null | number of the video stream of the match, if the clip has several pictures |
//!
//! A video stream of the clip. Streams that follow each other make one picture together; otherwise
//! each is a picture of its own. The worst picture decides the verdict, and time is payable if it
//! is unpublished in all pictures. Times count from the start of the first picture.
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `index` | integer | number among all streams of the file |
//! | `codec`, `width`, `height` | | according to the container |
//! | `duration_s` | seconds or null | length of its picture; null if it was not checked |
//! | `state` | `checked` \| `cover` \| `still` \| `not_checked` | `cover`: the cover of the file; `still`: a single frame beside a video; a clip with a `not_checked` stream is never payable |
//! | `reason` | string or null | why it was not checked |
//! | `verdict` | as above, or null | verdict on its picture |
//!
//! The submission of a clip to a ledger, `submission`. Its matches are not in `matches[]`, and its
//! deductions not in `seconds` and `spans[]`, which are about what is public:
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `number` | integer | its number in the ledger: of two, the smaller was received first |
//! | `by`, `ref` | string, string or null | who submitted it, and what the creator calls it |
//! | `state` | `decided` \| `failed` \| `lapsed` \| `withdrawn` | where it stands |
//! | `received_at` | string or null | when it got its number, in RFC 3339, UTC |
//! | `provisional` | bool | whether only a fingerprint was seen |
//! | `payable_minutes` | minutes | payable after all deductions; 0 if provisional |
//! | `provisional_minutes` | minutes | what becomes payable once the clip confirms the fingerprint |
//! | `sold_minutes` | minutes | the part of `payable_minutes` that was sold |
//! | `payable[]` | objects | the payable or provisional seconds: `start_s`, `end_s` |
//! | `deductions[]` | objects | unpublished seconds that are not payable, in order of time, none twice: `start_s`, `end_s`, `reason`, `number` and `by` of the submission that holds them (null for `remainder`), `there` (the seconds of that submission: `start_s`, `end_s`, or null), `probability`, `evidence_bits`, `mirrored`, `speed`, `identical` of the match (null for `remainder`), `text` (a sentence) |
//! | `deductions[].reason` | | `already_offered`: the same creator offered them before; `disputed`: another creator did; `undecided`: perhaps an earlier submission shows them, and a person has to decide; `published`: an earlier submission shows that they are public; `sold`: a later submission was paid for them before a person decided that they are the same; `remainder`: too short beside deductions to be judged |
//! | `review` | object, or absent | what persons say of matches: `judgements[]` (`source_sha256`, `start_s`, `end_s`, `verdict`: `copy`, `same_scene` or `allowed`, `by`, `why`), `released_minutes` (withheld in `spans[]` for matches, and eligible by the judgements), `withheld_minutes` (unpublished in `spans[]`, and public by them). `spans[]` and `verdict` stay what the search found |
//! | `related[]` | objects | earlier submissions that show the same scene at another moment, for which nothing is deducted: `number`, `by`, `start_s`, `end_s`, `there`, `decided` (whether a person has said so) |
//!
//! The quality of a clip: measured on its frames, or claimed by its file. Of a clip with several
//! pictures it is that of the first one. Lines are the short side of the picture in pixels. A
//! `state` of `undecided` means that it cannot be told; the value is null then.
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `resolution.lines` | pixels | lines of the stored picture |
//! | `resolution.native_lines` | pixels or null | lines of the picture that it was upscaled from; its own if it is native |
//! | `resolution.state` | `native` \| `upscaled` \| `undecided` | whether it has detail up to its own resolution |
//! | `resolution.confidence` | 0..=1 | probability of that state by a model fitted on real footage; 0 if undecided |
//! | `frame_rate.stored` | frames a second | frames of the stream by its length |
//! | `frame_rate.distinct` | frames a second or null | without those that were made of others |
//! | `frame_rate.state` | `full` \| `repeated` \| `blended` \| `undecided` | whether frames repeat the one before, or are blends of their neighbours |
//! | `frame_rate.repeated`, `frame_rate.blended` | 0..=1 | share of the moving frames that repeat, and of the moving time with blends |
//! | `frame_rate.variable` | bool | whether the time between frames varies |
//! | `bit_depth.stored`, `bit_depth.used` | bits, bits or null | bits of a luma sample, and how many of them hold something: 8 if those below are empty |
//! | `scan.state` | `progressive` \| `interlaced` \| `undecided` | whether frames consist of two fields |
//! | `scan.flagged`, `scan.combed` | 0..=1 | share of the frames marked as interlaced, and of the moving ones that show combing |
//! | `bars.state`, `bars.picture` | `none` \| `found` \| `undecided`, rectangle or null | black bars through the whole clip, and the picture between them |
//! | `overlays.state` | `none` \| `found` \| `undecided` | burnt-in logos and captions |
//! | `overlays.found[]` | objects | `kind` (`logo` \| `caption`), `area` (rectangle), `start_s`, `end_s` |
//! | `shares.dark`, `shares.blurred`, `shares.shaken`, `shares.frozen` | 0..=1 or null | shares of the clip: dark; without a sharp edge, of what is not dark; unsteady; standing still for a second or longer |
//! | `capture.make`, `capture.model`, `capture.recorded_at` | string or null | what the container says of the recording |
//! | `capture.has_place` | bool | whether the file says where it was recorded; the place is not kept |
//! | `declared.manifest` | `no_declaration` \| `unverified` \| `unreadable` | whether the file has a C2PA manifest, of which the signature is not verified. Without one nothing is declared, which is no sign of a camera |
//! | `declared.generated` | `partly` \| `wholly` \| null | whether it declares that a model made the picture |
//! | `declared.training` | `allowed` \| `constrained` \| `not_allowed` \| null | whether it permits training; `not_allowed` contradicts a sale, and is a reason with the code `not_allowed` |
//! | `resolution.reason`, `frame_rate.reason`, `overlays.reason` | string or null | why it is undecided |
//!
//! The amount for a clip, see [`crate::rates`]:
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `currency` | string | ISO 4217 code |
//! | `card_sha256` | hex | SHA-256 of the rate card |
//! | `payable` | bool | whether it may be paid without a person |
//! | `payable_cents` | integer | hundredths of the currency to be paid; rounded down once |
//! | `withheld_cents` | integer | what it would be if nothing kept it from being paid |
//! | `spans[]` | objects | unpublished spans: `start_s`, `end_s`, `class` (null if none fits, or the span is too short), `minutes`, `per_minute`, `cents`; the cents add up to the total |
//! | `reasons[]` | strings | why it is not payable, or not all of it |
//!
//! Every field but `checked_at` is the same on every run with the same clip, index and version.
//!
//! `docs/report.schema.json` is the same as a JSON Schema, for programs.
//!
//! # Errors
//!
//! For a clip that cannot be checked, `uniq check --json` prints this object instead:
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `schema` | integer | [`SCHEMA`] |
//! | `clip.path` | string | the clip's path as the caller gave it |
//! | `code` | string | the error, for programs: [`Error::code`](crate::Error::code) |
//! | `message` | string | what is wrong and what to do, for people |
//!
//! An error that concerns no single clip, such as a missing index, is one such object without
//! `clip`. Every command with `--json` reports its errors so. The code can then also be `usage` for
//! a wrong command line, `not_installed` for a missing program, or `error`.

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
