//! Writes the ledger out, as JSON Lines or CSV.

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;
use serde_json::{Value, json};

use super::answer::claimed;
use super::book::{Event, Ledger, Submission, name_of};
use super::record::{Claim, ClaimState};
use crate::index::{hex, moment};
use crate::{Error, Result};

/// Format of the output.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// One JSON object per line.
    JsonLines,
    /// Comma-separated values with a header, as in RFC 4180.
    Csv,
}

/// Table to export.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Table {
    /// One row per submission.
    Submissions,
    /// One row per claim.
    Claims,
    /// One row per event of the chain.
    Events,
}

/// Writes a table to `out`.
///
/// # Errors
/// Those of the ledger, and [`Error::Io`] if writing to `out` fails.
pub fn export(
    ledger: &mut Ledger,
    table: Table,
    format: Format,
    out: &mut dyn Write,
) -> Result<()> {
    let mut rows = Rows {
        out,
        format,
        wants_header: true,
    };
    match table {
        Table::Events => {
            let mut last = 0;
            loop {
                let events = ledger.events_after(last)?;
                let Some(end) = events.last() else {
                    return Ok(());
                };
                last = end.seq;
                events
                    .iter()
                    .try_for_each(|event| rows.write(&of_event(event)))?;
            }
        }
        Table::Submissions | Table::Claims => {
            let mut last = 0;
            loop {
                let submissions = ledger.submissions_after(last)?;
                let Some(end) = submissions.last() else {
                    return Ok(());
                };
                last = end.number;
                for submission in &submissions {
                    let claims = ledger.claims(submission.number)?;
                    if table == Table::Submissions {
                        rows.write(&of_submission(submission, &claims))?;
                    } else {
                        claims
                            .iter()
                            .try_for_each(|claim| rows.write(&of_claim(submission, claim)))?;
                    }
                }
            }
        }
    }
}

/// The exported JSON object of a submission.
pub fn row(of: &Submission, claims: &[Claim]) -> serde_json::Map<String, Value> {
    of_submission(of, claims)
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// A submission as a row: field names and values.
fn of_submission(of: &Submission, claims: &[Claim]) -> Vec<(&'static str, Value)> {
    let length = |state| json!(claimed(claims, &[state]).total_ms());
    vec![
        ("number", json!(of.number)),
        ("by", json!(of.by)),
        ("ref", json!(of.reference)),
        ("kind", json!(name_of(&of.kind))),
        ("state", json!(name_of(&of.standing))),
        ("reason", json!(of.reason)),
        ("received_at", time(of.received_ms)),
        ("sha256", json!(of.sha256)),
        ("bytes", json!(of.bytes)),
        ("path", json!(of.path)),
        ("duration_ms", json!(of.duration_ms)),
        ("verdict", json!(of.verdict)),
        ("provisional", json!(of.provisional)),
        ("offered_ms", length(ClaimState::Offered)),
        ("sold_ms", length(ClaimState::Sold)),
        ("disputed_ms", length(ClaimState::Disputed)),
        ("withdrawn_ms", length(ClaimState::Withdrawn)),
    ]
}

fn of_claim(of: &Submission, claim: &Claim) -> Vec<(&'static str, Value)> {
    vec![
        ("number", json!(of.number)),
        ("by", json!(of.by)),
        ("ref", json!(of.reference)),
        ("start_ms", json!(claim.start_ms)),
        ("end_ms", json!(claim.end_ms)),
        ("state", json!(name_of(&claim.state))),
        ("provisional", json!(of.provisional)),
    ]
}

fn of_event(event: &Event) -> Vec<(&'static str, Value)> {
    vec![
        ("seq", json!(event.seq)),
        ("at", time(event.at_ms)),
        ("at_ms", json!(event.at_ms)),
        ("kind", json!(event.kind)),
        ("submission", json!(event.submission)),
        // As text, because its bytes are what is hashed.
        ("body", json!(event.body)),
        ("previous", json!(hex(&event.previous))),
        ("hash", json!(hex(&event.hash))),
    ]
}

fn time(ms: u64) -> Value {
    json!(moment(
        std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_millis(ms)
    ))
}

/// Writer of rows.
struct Rows<'a> {
    out: &'a mut dyn Write,
    format: Format,
    wants_header: bool,
}

impl Rows<'_> {
    fn write(&mut self, row: &[(&'static str, Value)]) -> Result<()> {
        let failed = |source: io::Error| Error::Io {
            path: Path::new("export").to_owned(),
            doing: "write",
            source,
        };
        match self.format {
            Format::JsonLines => {
                let object = serde_json::to_string(&Ordered(row)).unwrap_or_default();
                writeln!(self.out, "{object}").map_err(failed)
            }
            Format::Csv => {
                let mut csv = csv::WriterBuilder::new().from_writer(Vec::new());
                let unwritten = |error: csv::Error| failed(io::Error::other(error));
                if std::mem::take(&mut self.wants_header) {
                    csv.write_record(row.iter().map(|(name, _)| name))
                        .map_err(unwritten)?;
                }
                csv.write_record(row.iter().map(|(_, value)| text(value)))
                    .map_err(unwritten)?;
                let bytes = csv
                    .into_inner()
                    .map_err(|error| failed(io::Error::other(error.to_string())))?;
                self.out.write_all(&bytes).map_err(failed)
            }
        }
    }
}

/// A JSON object that keeps this order of fields.
struct Ordered<'a>(&'a [(&'static str, Value)]);

impl Serialize for Ordered<'_> {
    fn serialize<S: serde::Serializer>(
        &self,
        serializer: S,
    ) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
