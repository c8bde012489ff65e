//! What a certificate says: an in-toto statement with a predicate of our own; its bytes are the
//! payload.
//!
//! Times in the clip and its sources are milliseconds, shares are parts of a million, evidence is
//! in thousandths of a bit, moments are as in RFC 3339, in UTC. There is no floating point number,
//! no path and no name of a machine in it. A field may be null where that is said, and none may be
//! missing; fields that are not known are ignored, and never make a claim better.

use serde::{Deserialize, Serialize};

use super::json::{self, present};
use super::keyring::moment;
use super::result;
use crate::Error;
use crate::index::SearchMode;
use crate::report::{Effort, MatchKind, ReasonCode, SpanState, Verdict};

/// The type of the statement.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";

/// The type of the predicate, with its version.
pub const PREDICATE_TYPE: &str = "https://uniq.dev/attestation/published-search/v1";

/// A statement about a clip.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Statement {
    /// [`STATEMENT_TYPE`].
    #[serde(rename = "_type")]
    pub statement_type: String,
    /// The clip, and nothing else: a verifier takes a file for the subject that is any of them.
    pub subject: Vec<Subject>,
    /// [`PREDICATE_TYPE`].
    pub predicate_type: String,
    /// What is said of it.
    pub predicate: Predicate,
}

/// What a statement is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// The clip's digest.
    pub digest: ClipDigest,
}

/// The digest of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClipDigest {
    /// SHA-256, in lower-case hexadecimal.
    pub sha256: String,
}

/// What is said of a clip.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Predicate {
    /// The fingerprint that was searched, which is kept apart.
    pub fingerprint: FingerprintDigest,
    /// The clip.
    pub clip: Clip,
    /// The answer.
    pub verdict: Verdict,
    /// Why.
    pub reasons: Vec<Reason>,
    /// How much of it can be paid for, in ms.
    pub payable_ms: u64,
    /// The clip from start to end.
    pub spans: Vec<Span>,
    /// What was found.
    pub matches: Vec<Match>,
    /// Further sources of the same that were only counted.
    pub more_sources: u64,
    /// The strongest of what was not enough; null if there was nothing.
    #[serde(deserialize_with = "present")]
    pub nearest_non_match: Option<Evidence>,
    /// How surely a copy would have been found.
    pub power: Power,
    /// What decided.
    pub method: Method,
    /// What was searched.
    pub corpus: Corpus,
    /// How it was searched.
    pub search: Search,
    /// What this does not say, in sentences.
    pub limits: Vec<String>,
    /// When the clip was checked.
    pub checked_at: String,
    /// The certificate that this one rechecks; null for the first of a clip.
    #[serde(deserialize_with = "present")]
    pub previous: Option<ClipDigest>,
    /// Where the policy is written down; null if that was not said.
    #[serde(deserialize_with = "present")]
    pub policy_uri: Option<String>,
    /// What a ledger of submissions says of the clip; absent where none was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submission: Option<Submission>,
    /// SHA-256 of [`lines`](super::lines): equal for equal results.
    pub result_digest: String,
}

/// What a ledger of submissions says of a clip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Submission {
    /// Its number in the ledger: of two, the smaller was received first.
    pub number: u64,
    /// Who submitted it.
    pub by: String,
    /// What the creator calls it; null if nothing.
    #[serde(rename = "ref", deserialize_with = "present")]
    pub reference: Option<String>,
    /// When it got its number; null if that is not known.
    #[serde(deserialize_with = "present")]
    pub received_at: Option<String>,
    /// The parts that nobody had offered before.
    pub payable: Vec<Interval>,
    /// The unpublished parts that are not payable.
    pub deductions: Vec<Deduction>,
}

/// An unpublished part that is not payable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Deduction {
    pub start_ms: u64,
    pub end_ms: u64,
    /// As in the report: `already_offered`, `disputed`, `undecided`, `published`, `sold` or
    /// `remainder`.
    pub reason: String,
    /// The submission that holds it; null for a remainder.
    #[serde(deserialize_with = "present")]
    pub number: Option<u64>,
}

impl Predicate {
    /// How much can be payable at most, in ms: what is unpublished, and with a ledger what is
    /// payable by it too.
    pub(super) fn payable_most_ms(&self) -> u64 {
        if self.verdict == Verdict::Inconclusive {
            return 0;
        }
        let unpublished = self
            .spans
            .iter()
            .filter(|span| span.state == SpanState::Unpublished);
        let Some(submission) = &self.submission else {
            return total(&self.spans, SpanState::Unpublished);
        };
        let common = |span: &Span, part: &Interval| {
            span.end_ms
                .min(part.end_ms)
                .saturating_sub(span.start_ms.max(part.start_ms))
        };
        unpublished
            .flat_map(|span| {
                submission
                    .payable
                    .iter()
                    .map(move |part| common(span, part))
            })
            .sum()
    }
}

/// What names a fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FingerprintDigest {
    /// [`Fingerprint::digest`](crate::Fingerprint::digest), in hexadecimal.
    pub sha256: String,
}

/// The clip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Clip {
    pub duration_ms: u64,
    pub width: u32,
    pub height: u32,
    pub codec: String,
    pub container: String,
    pub frames_decoded: u64,
    pub undecoded_ms: u64,
}

/// One reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// For programs.
    pub code: ReasonCode,
    /// How much of the clip it is about; null if it is about all of it.
    #[serde(deserialize_with = "present")]
    pub ms: Option<u64>,
    /// For people.
    pub text: String,
}

/// A part of the clip and what it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Span {
    pub start_ms: u64,
    pub end_ms: u64,
    pub state: SpanState,
    /// Why it is unsearchable; null if it is not.
    #[serde(deserialize_with = "present")]
    pub reason: Option<ReasonCode>,
}

/// A part of a source that equals, or resembles, a part of the clip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Match {
    /// A copy, the same scene, or undecided.
    pub kind: MatchKind,
    /// Source, times and evidence.
    #[serde(flatten)]
    pub evidence: Evidence,
}

/// What speaks for a part of a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// The source.
    pub source: Source,
    /// The part of the clip.
    pub clip: Interval,
    /// The part of the source.
    pub reference: Interval,
    /// How probably it is a copy, in parts of a million.
    pub probability_ppm: u32,
    /// All evidence.
    pub evidence_millibits: i64,
    /// The evidence for this moment.
    pub moment_millibits: i64,
    /// Left and right exchanged.
    pub mirrored: bool,
    /// How far the clip has to be turned clockwise.
    pub turned_degrees: u32,
    /// Bright and dark exchanged.
    pub negative: bool,
    /// Milliseconds of the source in a second of the clip.
    pub speed_permille: i64,
    /// Whether they are the same file.
    pub identical: bool,
}

/// A source, and what is known of its publication.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Source {
    pub sha256: String,
    pub duration_ms: u64,
    #[serde(deserialize_with = "present")]
    pub url: Option<String>,
    #[serde(deserialize_with = "present")]
    pub title: Option<String>,
    #[serde(deserialize_with = "present")]
    pub uploader: Option<String>,
    #[serde(deserialize_with = "present")]
    pub platform: Option<String>,
    #[serde(deserialize_with = "present")]
    pub published_at: Option<String>,
}

/// A part of a video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Interval {
    pub start_ms: u64,
    pub end_ms: u64,
}

/// How probably a copy of the clip's seconds would have been called published, in parts of a
/// million.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Power {
    /// Mean over the clip's seconds.
    pub mean_ppm: u32,
    /// That of the second where it is least.
    pub least_ppm: u32,
}

/// What decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Method {
    /// `uniq`.
    pub tool: String,
    /// Its version.
    pub version: String,
    /// The commit of its source; null for a build that is no release.
    #[serde(deserialize_with = "present")]
    pub commit: Option<String>,
    /// Version of the key-making method.
    pub fingerprint_version: u32,
    /// SHA-256 of policy, model and radius.
    pub policy_digest: String,
    /// How hard copies were looked for.
    pub effort: Effort,
    /// What decoded the clip.
    pub decoder: Decoder,
}

/// What decoded a clip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Decoder {
    #[serde(rename = "ffmpeg")]
    pub media: String,
    pub libavcodec: String,
}

/// What was searched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Corpus {
    /// Whose collection it is, as the operator calls it.
    pub name: String,
    /// Commits to every byte that was searched.
    pub root: String,
    /// Number of the commit.
    pub generation: u64,
    /// When it was made; null if that is not known.
    #[serde(deserialize_with = "present")]
    pub committed_at: Option<String>,
    /// Format of the index.
    pub format_version: u32,
    /// Merkle root over the SHA-256s of the sources.
    pub sources_root: String,
    /// Their number.
    pub sources: u64,
    /// Their length together in ms.
    pub duration_ms: u64,
    /// Their keys.
    pub keys: u64,
    /// Sources of which no small pictures are kept.
    pub without_pictures: u64,
    /// Merkle root over the SHA-256s of benign material, which counts for nothing.
    pub allowlist_root: String,
    /// When the newest source was added; null if that is not known.
    #[serde(deserialize_with = "present")]
    pub newest_source_at: Option<String>,
}

/// How it was searched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Search {
    /// Whether every key was compared.
    pub grade: Grade,
    /// What was asked for.
    pub mode: SearchMode,
    /// Share of changed excerpts of the collection that its screening finds, in parts of a million;
    /// 1 000 000 if exact, null if nobody has measured it.
    #[serde(deserialize_with = "present")]
    pub measured_recall_ppm: Option<u32>,
    /// Segments of the index that were searched.
    pub segments_searched: u32,
    /// Keys that each key of the clip was compared with; null if that was chosen for each.
    #[serde(deserialize_with = "present")]
    pub keys_compared: Option<u64>,
    /// Distance up to which two keys are alike.
    pub radius_bits: u32,
    /// Only what was added after this commit was searched; all else is as in the certificate
    /// before. Null if all was searched.
    #[serde(deserialize_with = "present")]
    pub since_generation: Option<u64>,
}

/// Whether every key was compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Grade {
    /// Every one.
    Exact,
    /// Those of the videos that a look into few cells nominated.
    Screened,
}

impl Statement {
    /// A statement about the clip of this digest.
    pub fn new(clip_sha256: String, predicate: Predicate) -> Statement {
        Statement {
            statement_type: STATEMENT_TYPE.to_owned(),
            subject: vec![Subject {
                digest: ClipDigest {
                    sha256: clip_sha256,
                },
            }],
            predicate_type: PREDICATE_TYPE.to_owned(),
            predicate,
        }
    }

    /// Its bytes: the payload.
    pub fn to_bytes(&self) -> Vec<u8> {
        // Structs of strings and numbers always serialise.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Its bytes, ready to be signed: nobody signs what whoever verifies it would refuse.
    ///
    /// # Errors
    ///
    /// [`Error::NotSigned`] if it contradicts itself.
    pub fn payload(&self) -> crate::Result<Vec<u8>> {
        let payload = self.to_bytes();
        let contradicts = |reason| Error::NotSigned {
            reason: format!("the statement contradicts itself: {reason}"),
        };
        Statement::parse(&payload).map_err(contradicts)?;
        Ok(payload)
    }

    /// Reads a payload, and finds it consistent; the error says what is wrong.
    ///
    /// # Errors
    ///
    /// See there.
    pub fn parse(payload: &[u8]) -> Result<Statement, String> {
        let named: serde_json::Value =
            json::parse(payload).map_err(|error| format!("its payload: {error}"))?;
        for (field, expected) in [("_type", STATEMENT_TYPE), ("predicateType", PREDICATE_TYPE)] {
            let found = named[field].as_str().unwrap_or_default();
            if found != expected {
                let found = super::envelope::shown(found);
                return Err(format!(
                    "its {field} is {found}, and this program reads only {expected:?}; use the version of uniq that made it"
                ));
            }
        }
        let statement: Statement =
            serde_json::from_value(named).map_err(|error| format!("its payload: {error}"))?;
        statement.check()?;
        Ok(statement)
    }

    /// SHA-256 of the clip, in hexadecimal.
    pub fn clip_sha256(&self) -> &str {
        self.subject
            .first()
            .map_or("", |subject| &subject.digest.sha256)
    }

    /// Fails if it contradicts itself.
    fn check(&self) -> Result<(), String> {
        if self.subject.len() != 1 {
            return Err(format!(
                "it is about {} files, but a certificate is about one",
                self.subject.len()
            ));
        }
        let Predicate {
            fingerprint,
            clip,
            verdict,
            spans,
            matches,
            method,
            corpus,
            search,
            ..
        } = &self.predicate;
        let of_sources = matches
            .iter()
            .map(|found| &found.evidence)
            .chain(&self.predicate.nearest_non_match);
        let digests = [
            self.clip_sha256(),
            &fingerprint.sha256,
            &method.policy_digest,
            &corpus.root,
            &corpus.sources_root,
            &corpus.allowlist_root,
            &self.predicate.result_digest,
        ];
        let previous = self
            .predicate
            .previous
            .iter()
            .map(|previous| previous.sha256.as_str());
        let all = digests
            .into_iter()
            .chain(of_sources.map(|found| found.source.sha256.as_str()))
            .chain(previous);
        if let Some(wrong) = all.into_iter().find(|text| !is_sha256(text)) {
            return Err(format!(
                "{} is not a SHA-256 in lower-case hexadecimal",
                super::envelope::shown(wrong)
            ));
        }
        let ends = spans.iter().map(|span| span.end_ms);
        let starts = spans.iter().map(|span| span.start_ms);
        let joined = [0]
            .into_iter()
            .chain(ends.clone())
            .eq(starts.chain([clip.duration_ms]));
        if !joined || spans.iter().any(|span| span.start_ms >= span.end_ms) {
            return Err("its spans do not cover the clip from start to end".into());
        }
        let unpublished = total(spans, SpanState::Unpublished);
        if let Some(submission) = &self.predicate.submission {
            let parts = &submission.payable;
            let sorted = parts
                .windows(2)
                .all(|pair| pair[0].end_ms <= pair[1].start_ms);
            if !sorted || parts.iter().any(|part| part.start_ms >= part.end_ms) {
                return Err("the payable parts of its submission are not in order of time".into());
            }
        }
        let payable_most = self.predicate.payable_most_ms();
        if self.predicate.payable_ms > payable_most {
            return Err(format!(
                "it says that {} ms are payable, but its spans have only {payable_most} ms",
                self.predicate.payable_ms
            ));
        }
        let copies = matches
            .iter()
            .filter(|found| found.kind == MatchKind::Copy)
            .count();
        let published = total(spans, SpanState::Published);
        if *verdict == Verdict::Unpublished && (copies > 0 || published > 0 || unpublished == 0) {
            return Err(
                "it says that nothing was published, but its spans or matches contradict this"
                    .into(),
            );
        }
        let whole = search.measured_recall_ppm == Some(MILLION)
            && (search.since_generation.is_some() || search.keys_compared == Some(corpus.keys));
        if search.grade == Grade::Exact && !whole {
            return Err(
                "it says that every key was compared, but its numbers contradict this".into(),
            );
        }
        if search
            .since_generation
            .is_some_and(|since| self.predicate.previous.is_none() || since > corpus.generation)
        {
            return Err(
                "it searched only sources added later, but names no earlier certificate".into(),
            );
        }
        let checked = moment(&self.predicate.checked_at)?;
        for earlier in [&corpus.committed_at, &corpus.newest_source_at]
            .into_iter()
            .flatten()
        {
            if moment(earlier)? > checked {
                return Err(format!(
                    "it was made at {checked}, before the index state that it names, {earlier}"
                ));
            }
        }
        let expected = result::result_digest(&self.predicate);
        if self.predicate.result_digest != expected {
            return Err(format!(
                "its resultDigest does not match its result, {expected}"
            ));
        }
        Ok(())
    }
}

/// How much of a clip is in a state, in ms.
pub(super) fn total(spans: &[Span], state: SpanState) -> u64 {
    spans
        .iter()
        .filter(|span| span.state == state)
        .map(|span| span.end_ms - span.start_ms)
        .sum()
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64
        && text
            .bytes()
            .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

/// All of it, in parts of a million.
pub(super) const MILLION: u32 = 1_000_000;
