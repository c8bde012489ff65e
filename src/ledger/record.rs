//! The bodies of the chain's rows: the details of each event, as JSON.
//!
//! A row's `kind` selects the type of its `body`. Fields may be added, but none changes its
//! meaning.

use serde::{Deserialize, Serialize};

use super::claims::{Decision, Pair};
use super::interval::Intervals;
use super::review::Judgement;
use crate::report::Verdict;

/// What was submitted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The clip itself.
    Clip,
    /// The fingerprint of a clip. Payable seconds are provisional until the clip comes.
    Fingerprint,
}

/// State of claimed seconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimState {
    /// The creator offers them, and nobody did before.
    Offered,
    /// They were bought.
    Sold,
    /// Another creator had offered them before.
    Disputed,
    /// The submission was withdrawn; anybody may offer them.
    Withdrawn,
}

/// Claimed seconds of a submission and their state.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Claim {
    /// The first millisecond.
    pub start_ms: u64,
    /// The first millisecond after the interval.
    pub end_ms: u64,
    /// Their state.
    pub state: ClaimState,
}

/// An entry of a submission in the index of submissions.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// The digest that names it there, in hexadecimal; see [`entry_digest`](super::entry_digest).
    pub digest: String,
    /// When its video stream begins, counted from the beginning of the clip.
    pub start_ms: u64,
}

/// A state of an index.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct State {
    /// Its root, in hexadecimal.
    pub root: String,
    /// Its generation.
    pub generation: u64,
}

/// `received`: a submission got its number.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Received {
    pub(super) by: String,
    #[serde(rename = "ref")]
    pub(super) reference: Option<String>,
    pub(super) kind: Kind,
    pub(super) sha256: String,
    pub(super) bytes: u64,
}

/// `decided`: a submission has its answer; `confirmed`: a clip has confirmed its fingerprint.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Decided {
    pub(super) kind: Kind,
    pub(super) sha256: String,
    pub(super) duration_ms: u64,
    pub(super) verdict: Verdict,
    pub(super) eligible: Intervals,
    pub(super) repeated: Intervals,
    pub(super) published: Intervals,
    pub(super) pairs: Vec<Pair>,
    pub(super) entries: Vec<Entry>,
    pub(super) claims: Vec<Claim>,
    /// The public index that was searched; `None` for submissions that only the index of
    /// submissions knew.
    pub(super) index: Option<State>,
    /// SHA-256 of the stored report, if any.
    pub(super) report_sha256: Option<String>,
}

/// `rechecked`: more of a submission is or may be public than was known.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Rechecked {
    pub(super) verdict: Verdict,
    pub(super) eligible: Intervals,
    pub(super) repeated: Intervals,
    pub(super) published: Intervals,
    pub(super) claims: Vec<Claim>,
    /// The public index that was searched.
    pub(super) index: State,
    /// SHA-256 of the stored report.
    pub(super) report_sha256: String,
}

/// `reviewed`: a person has judged a match of a submission, or undone that.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct MatchJudged {
    #[serde(flatten)]
    pub(super) judgement: Judgement,
    /// Eligible seconds by all judgements.
    pub(super) eligible: Intervals,
    /// Public seconds by all judgements.
    pub(super) published: Intervals,
    pub(super) claims: Vec<Claim>,
}

/// `failed` and `lapsed`: a submission gets no answer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Ended {
    pub(super) reason: String,
}

/// `withdrawn`, `sold` and `claimed`: the claims of a submission change.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Claimed {
    pub(super) by: Option<String>,
    pub(super) why: Option<String>,
    pub(super) claims: Vec<Claim>,
}

/// `same` and `distinct`: a person has decided about a pair.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Judged {
    pub(super) earlier: u64,
    pub(super) later: u64,
    pub(super) decision: Decision,
    pub(super) by: String,
    pub(super) why: String,
}
