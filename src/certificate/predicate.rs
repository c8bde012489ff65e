//! The content of a certificate: an in-toto statement with our own predicate. Its bytes are the
//! payload.
//!
//! Times in the clip and its sources are milliseconds, shares are parts per million, evidence is in
//! thousandths of a bit, and dates are in RFC 3339, in UTC. It contains no floating point number,
//! no path and no name of a machine. A field may be null only where its doc says so, and no field
//! may be missing. Unknown fields are ignored, and never make a claim stronger.

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
    /// The clip and nothing else, because verifiers accept a file that matches any subject.
    pub subject: Vec<Subject>,
    /// [`PREDICATE_TYPE`].
    pub predicate_type: String,
    /// The claim about the clip.
    pub predicate: Predicate,
}

/// The subject of a statement.
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

/// The claim about a clip.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Predicate {
    /// The fingerprint that was searched; it is kept in a separate file.
    pub fingerprint: FingerprintDigest,
    /// The clip.
    pub clip: Clip,
    /// The verdict.
    pub verdict: Verdict,
    /// The reasons for the verdict.
    pub reasons: Vec<Reason>,
    /// Payable time, in ms.
    pub payable_ms: u64,
    /// The clip from start to end.
    pub spans: Vec<Span>,
    /// The matches.
    pub matches: Vec<Match>,
    /// Number of further sources with the same content, which are not listed.
    pub more_sources: u64,
    /// The strongest alignment that was no match; null if there was none.
    #[serde(deserialize_with = "present")]
    pub nearest_non_match: Option<Evidence>,
    /// Probability that a copy would have been found.
    pub power: Power,
    /// Program and rules that decided.
    pub method: Method,
    /// The index that was searched.
    pub corpus: Corpus,
    /// How it was searched.
    pub search: Search,
    /// What the certificate does not claim, in sentences.
    pub limits: Vec<String>,
    /// Time of the check.
    pub checked_at: String,
    /// The certificate that this one rechecks; null for the first of a clip.
    #[serde(deserialize_with = "present")]
    pub previous: Option<ClipDigest>,
    /// Address of the written policy; null if not given.
    #[serde(deserialize_with = "present")]
    pub policy_uri: Option<String>,
    /// The ledger's answer about the clip; absent without a ledger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submission: Option<Submission>,
    /// SHA-256 of [`lines`](super::lines): equal for equal results.
    pub result_digest: String,
}

/// A ledger's answer about a clip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Submission {
    /// Its number in the ledger; the smaller of two was received first.
    pub number: u64,
    /// Its creator.
    pub by: String,
    /// The creator's own name for it; null if not given.
    #[serde(rename = "ref", deserialize_with = "present")]
    pub reference: Option<String>,
    /// When it got its number; null if unknown.
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
    /// Maximum payable time, in ms: what is unpublished, and with a ledger also payable by the
    /// ledger.
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

/// The digest of a fingerprint.
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
    /// The reason's code, for programs.
    pub code: ReasonCode,
    /// How much of the clip it affects, in ms; null if all of it.
    #[serde(deserialize_with = "present")]
    pub ms: Option<u64>,
    /// The reason's text, for people.
    pub text: String,
}

/// A part of the clip and its state.
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

/// A part of a source that matches a part of the clip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Match {
    /// A copy, the same scene, or undecided.
    pub kind: MatchKind,
    /// Source, times and evidence.
    #[serde(flatten)]
    pub evidence: Evidence,
}

/// The evidence for a part of a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// The source.
    pub source: Source,
    /// The part of the clip.
    pub clip: Interval,
    /// The part of the source.
    pub reference: Interval,
    /// Probability of a copy, in parts per million.
    pub probability_ppm: u32,
    /// All evidence, in thousandths of a bit.
    pub evidence_millibits: i64,
    /// The evidence for this moment, in thousandths of a bit.
    pub moment_millibits: i64,
    /// Whether left and right are exchanged.
    pub mirrored: bool,
    /// Clockwise turn that makes the clip upright, in degrees.
    pub turned_degrees: u32,
    /// Whether bright and dark are exchanged.
    pub negative: bool,
    /// Milliseconds of the source per second of the clip.
    pub speed_permille: i64,
    /// Whether they are the same file.
    pub identical: bool,
}

/// A source and its publication, as far as known.
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

/// Probability that a copy of the clip's seconds would have been called published, in parts per
/// million.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Power {
    /// Mean over the clip's seconds.
    pub mean_ppm: u32,
    /// Minimum over the clip's seconds.
    pub least_ppm: u32,
}

/// Program and rules that decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Method {
    /// `uniq`.
    pub tool: String,
    /// Its version.
    pub version: String,
    /// The commit of its source code; null for a build that is no release.
    #[serde(deserialize_with = "present")]
    pub commit: Option<String>,
    /// Version of the fingerprint.
    pub fingerprint_version: u32,
    /// SHA-256 of policy, model and radius.
    pub policy_digest: String,
    /// Effort of the search.
    pub effort: Effort,
    /// The decoder of the clip.
    pub decoder: Decoder,
}

/// A decoder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Decoder {
    #[serde(rename = "ffmpeg")]
    pub media: String,
    pub libavcodec: String,
}

/// The index that was searched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Corpus {
    /// Name of the collection, given by the operator.
    pub name: String,
    /// Root of the index, which commits to every byte that was searched.
    pub root: String,
    /// Number of the commit.
    pub generation: u64,
    /// Time of the commit; null if unknown.
    #[serde(deserialize_with = "present")]
    pub committed_at: Option<String>,
    /// Format of the index.
    pub format_version: u32,
    /// Merkle root over the SHA-256s of the sources.
    pub sources_root: String,
    /// Their number.
    pub sources: u64,
    /// Their total length, in ms.
    pub duration_ms: u64,
    /// Number of their keys.
    pub keys: u64,
    /// Number of sources without small pictures.
    pub without_pictures: u64,
    /// Merkle root over the SHA-256s of benign material.
    pub allowlist_root: String,
    /// When the newest source was added; null if unknown.
    #[serde(deserialize_with = "present")]
    pub newest_source_at: Option<String>,
}

/// How it was searched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Search {
    /// Whether every key was compared.
    pub grade: Grade,
    /// The mode that was requested.
    pub mode: SearchMode,
    /// Share of changed excerpts of the collection that its screening finds, in parts per million;
    /// 1 000 000 if exact, null if not measured.
    #[serde(deserialize_with = "present")]
    pub measured_recall_ppm: Option<u32>,
    /// Segments of the index that were searched.
    pub segments_searched: u32,
    /// Number of keys that each key of the clip was compared with; null in a screened search, where
    /// it varies.
    #[serde(deserialize_with = "present")]
    pub keys_compared: Option<u64>,
    /// Maximum distance of two similar keys, in bits.
    pub radius_bits: u32,
    /// If set, only sources added after this commit were searched, and everything else is as in the
    /// previous certificate. Null if everything was searched.
    #[serde(deserialize_with = "present")]
    pub since_generation: Option<u64>,
}

/// Whether every key was compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Grade {
    /// Every key was compared.
    Exact,
    /// The keys of the videos that a look into few cells nominated.
    Screened,
}

impl Statement {
    /// A statement about the clip with this digest.
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

    /// The bytes of the statement: the payload.
    pub fn to_bytes(&self) -> Vec<u8> {
        // Structs of strings and numbers always serialise.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The payload to sign. It is checked first, because a verifier would refuse a contradiction.
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

    /// Reads a payload and checks its consistency.
    ///
    /// # Errors
    ///
    /// The reason why it is refused.
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

/// Total length of the spans in a state, in ms.
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

/// The whole, in parts per million.
pub(super) const MILLION: u32 = 1_000_000;
