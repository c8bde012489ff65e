//! Reads rows of the tables and checks their values.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::super::claims::{Decision, Pair, Standing};
use super::super::interval::Intervals;
use super::super::record::{Claim, Entry, Kind};
use super::super::store::{Row, Tables, sql};
use crate::report::Verdict;
use crate::{Error, Result};

/// A submission in the ledger.
#[derive(Clone, PartialEq, Debug)]
pub struct Submission {
    /// Its number: the smaller number came first.
    pub number: u64,
    /// Its creator.
    pub by: String,
    /// The creator's own name for it.
    pub reference: Option<String>,
    /// Whether the file is the clip or its fingerprint.
    pub kind: Kind,
    /// SHA-256 of the clip.
    pub sha256: String,
    /// Length of the file in bytes.
    pub bytes: u64,
    /// Path of the file at receipt.
    pub path: String,
    /// When it got its number, in milliseconds since 1970.
    pub received_ms: u64,
    /// Its state.
    pub standing: Standing,
    /// Why it has no answer, or was withdrawn.
    pub reason: Option<String>,
    /// The worker that has it.
    pub worker: Option<String>,
    /// When its lease ends; until then nobody else takes it over.
    pub lease_until_ms: u64,
    /// Length of the clip.
    pub duration_ms: u64,
    /// Verdict against the public index.
    pub verdict: Option<Verdict>,
    /// Whether its offer is provisional, because only a fingerprint was seen.
    pub provisional: bool,
    /// Its unpublished seconds. It can claim those that nobody else holds.
    pub eligible: Intervals,
    /// Its seconds that repeat earlier ones of the same clip.
    pub repeated: Intervals,
    /// Its published seconds.
    pub published: Intervals,
}

/// A row of the chain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// Number of the row.
    pub seq: u64,
    /// When it was written, in milliseconds since 1970.
    pub at_ms: u64,
    /// What happened.
    pub kind: String,
    /// The submission that the event is about.
    pub submission: u64,
    /// Details of the event, as JSON.
    pub body: String,
    /// The hash of the row before it.
    pub previous: Vec<u8>,
    /// Its hash.
    pub hash: Vec<u8>,
}

impl Event {
    pub(in super::super) fn of(row: &Row) -> Event {
        Event {
            seq: row.number(0),
            at_ms: row.number(1),
            kind: row.text(2).to_owned(),
            submission: row.number(3),
            body: row.text(4).to_owned(),
            previous: row.bytes(5).to_owned(),
            hash: row.bytes(6).to_owned(),
        }
    }
}

pub(in super::super) fn claims(tables: &mut dyn Tables, number: u64) -> Result<Vec<Claim>> {
    let rows = tables.query(sql::CLAIMS, &[number.into()])?;
    rows.iter()
        .map(|row| {
            let state = word("the state of a claim", row.text(2))?;
            Ok(Claim {
                start_ms: row.number(0),
                end_ms: row.number(1),
                state,
            })
        })
        .collect()
}

pub(in super::super) fn pairs(tables: &mut dyn Tables, number: u64) -> Result<Vec<Pair>> {
    let rows = tables.query(sql::PAIRS, &[number.into()])?;
    let what = format!("a pair of submission {number}");
    let pair = |row: &Row| {
        let pair: Pair = parsed("the ledger", &what, row.text(0))?;
        // Queries use the column for the other submission, so it must agree.
        if pair.other != row.number(1) {
            let found = format!(
                "it names submission {} in one place and {} in another",
                pair.other,
                row.number(1)
            );
            return Err(Error::CorruptLedger {
                ledger: "the ledger".to_owned(),
                what: what.clone(),
                found,
            });
        }
        Ok(pair)
    };
    rows.iter().map(pair).collect()
}

pub(in super::super) fn entries(tables: &mut dyn Tables, number: u64) -> Result<Vec<Entry>> {
    let rows = tables.query(sql::ENTRIES_OF, &[number.into()])?;
    Ok(rows
        .iter()
        .map(|row| Entry {
            digest: row.text(0).to_owned(),
            start_ms: row.number(1),
        })
        .collect())
}
pub(in super::super) fn setting(tables: &mut dyn Tables, name: &str) -> Result<Option<String>> {
    Ok(tables
        .query(sql::SETTING, &[name.into()])?
        .first()
        .map(|row| row.text(0).to_owned()))
}

pub(in super::super) fn find(tables: &mut dyn Tables, number: u64) -> Result<Submission> {
    let rows = tables.query(sql::SUBMISSION, &[number.into()])?;
    rows.first()
        .ok_or_else(|| unknown(number))
        .and_then(submission)
}

pub(in super::super) fn unknown(number: u64) -> Error {
    Error::LedgerRefused {
        reason: format!("there is no submission {number}; see them with: uniq intake list"),
    }
}

/// The error that a submission is not a fingerprint waiting for its clip.
pub(in super::super) fn not_awaiting(of: &Submission) -> Error {
    let is = match (of.standing, of.kind) {
        (Standing::Decided, Kind::Clip) => "is already a clip".to_owned(),
        (standing, _) => format!("is {}", name_of(&standing)),
    };
    Error::LedgerRefused {
        reason: format!(
            "submission {} {is}, so it needs no clip; leave out --for",
            of.number
        ),
    }
}

pub(in super::super) fn submission(row: &Row) -> Result<Submission> {
    let number = row.number(0);
    let list = |column: usize| -> Result<Intervals> {
        let what = format!("the spans of submission {number}");
        row.maybe_text(column)
            .map_or(Ok(Intervals::default()), |text| {
                parsed("the ledger", &what, text)
            })
    };
    Ok(Submission {
        number,
        by: row.text(1).to_owned(),
        reference: row.maybe_text(2).map(str::to_owned),
        kind: word("the kind of a submission", row.text(3))?,
        sha256: row.text(4).to_owned(),
        bytes: row.number(5),
        path: row.text(6).to_owned(),
        received_ms: row.number(7),
        standing: word("the state of a submission", row.text(8))?,
        reason: row.maybe_text(9).map(str::to_owned),
        worker: row.maybe_text(10).map(str::to_owned),
        lease_until_ms: row.number(11),
        duration_ms: row.number(12),
        verdict: row
            .maybe_text(13)
            .map(|text| word("a verdict", text))
            .transpose()?,
        eligible: list(14)?,
        repeated: list(15)?,
        published: list(16)?,
        provisional: row.number(17) != 0,
    })
}

/// Parses a word as JSON spells it.
pub(in super::super) fn word<T: DeserializeOwned>(what: &str, text: &str) -> Result<T> {
    serde_json::from_value(serde_json::Value::String(text.to_owned())).map_err(|_| {
        Error::CorruptLedger {
            ledger: "the ledger".to_owned(),
            what: what.to_owned(),
            found: format!("{text:?}"),
        }
    })
}

pub(in super::super) fn parsed<T: DeserializeOwned>(
    ledger: &str,
    what: &str,
    text: &str,
) -> Result<T> {
    serde_json::from_str(text).map_err(|error| Error::CorruptLedger {
        ledger: ledger.to_owned(),
        what: what.to_owned(),
        found: error.to_string(),
    })
}

pub(in super::super) fn serialised(value: &impl Serialize) -> String {
    // Structs of strings and numbers always serialise.
    serde_json::to_string(value).unwrap_or_default()
}

/// Name of a value in the tables: as in JSON, without quotes.
pub(in super::super) fn name_of(value: &impl Serialize) -> &'static str {
    let written = serialised(value);
    let names = [
        "received",
        "decided",
        "failed",
        "lapsed",
        "withdrawn",
        "clip",
        "fingerprint",
        "offered",
        "sold",
        "disputed",
        "copy",
        "undecided",
        "same_scene",
        "same",
        "distinct",
        "unpublished",
        "partly_published",
        "published",
        "inconclusive",
    ];
    names
        .into_iter()
        .find(|name| written.trim_matches('"') == *name)
        .unwrap_or("unknown")
}

pub(in super::super) fn decision_of(text: &str) -> Decision {
    if text == "distinct" {
        Decision::Distinct
    } else {
        Decision::Same
    }
}

pub(in super::super) fn standing_of(text: &str) -> Standing {
    word("", text).unwrap_or(Standing::Decided)
}
