//! Events about submissions for clients, made from the rows of the ledger's chain within their
//! transactions.
//!
//! A message is `{"type", "timestamp", "data": {"id", ...}}`, with the id of a submission of the
//! tenant. It contains no names and nothing about other tenants; clients ask for more by the id.

use serde_json::{Value, json};
use uniq::Result;
use uniq::ledger::{Event, Observer, Tables};

use crate::database::{moment, now_ms};
use crate::store::{jobs, submissions, webhooks};

/// Turns rows of the chain into messages.
#[derive(Clone, Copy, Debug)]
pub struct Outbox;

impl Observer for Outbox {
    fn appended(&self, tables: &mut dyn Tables, row: &Event) -> Result<()> {
        if row.kind == "withdrawn" {
            return match submissions::of_number(tables, row.submission)? {
                Some((id, tenant)) => outdated(tables, &tenant, &id),
                None => Ok(()),
            };
        }
        let is_answer = matches!(
            &*row.kind,
            "decided" | "confirmed" | "rechecked" | "reviewed" | "claimed" | "failed" | "lapsed"
        );
        if !is_answer {
            return Ok(());
        }
        // A submission that did not come through the service has no client.
        let Some((id, tenant)) = submissions::of_number(tables, row.submission)? else {
            return Ok(());
        };
        checked(tables, &tenant, &id, row.submission, row.at_ms)?;
        // A certificate states payable seconds, which may have changed.
        if matches!(&*row.kind, "rechecked" | "reviewed" | "claimed")
            && submissions::certificate(tables, &id)?.is_some()
            && !jobs::waits(tables, jobs::Kind::Certify, &id)?
        {
            jobs::add(
                tables,
                jobs::Kind::Certify,
                &tenant,
                &id,
                "{}",
                row.submission,
                now_ms(),
            )?;
        }
        Ok(())
    }
}

/// A submission has its first or a changed answer.
fn checked(tables: &mut dyn Tables, tenant: &str, id: &str, number: u64, at_ms: u64) -> Result<()> {
    let statement = "SELECT l.state, l.verdict, l.provisional, \
        (SELECT CAST(COALESCE(SUM(c.end_ms - c.start_ms), 0) AS BIGINT) FROM claims c \
         WHERE c.submission = l.number AND c.state IN ('offered', 'sold')) FROM submissions l WHERE l.number = $1";
    let rows = tables.query(statement, &[number.into()])?;
    let Some(row) = rows.first() else {
        return Ok(());
    };
    let is_answered = row.text(0) == "decided";
    let data = json!({
        "id": id,
        "state": if is_answered { "checked" } else { row.text(0) },
        "verdict": row.maybe_text(1),
        "payable_s": is_answered.then_some(row.number(3) as f64 / 1e3),
        "provisional": row.number(2) != 0,
    });
    send(tables, tenant, CHECKED, data, at_ms)
}

/// A certificate was issued, perhaps to replace an earlier one.
///
/// # Errors
/// Those of the database.
pub fn issued(tables: &mut dyn Tables, tenant: &str, submission: &str, sha256: &str) -> Result<()> {
    let at_ms = now_ms();
    let statement =
        "SELECT sha256 FROM service_certificates WHERE submission = $1 ORDER BY item DESC LIMIT 2";
    let rows = tables.query(statement, &[submission.into()])?;
    send(
        tables,
        tenant,
        ISSUED,
        json!({ "id": submission, "certificate_sha256": sha256 }),
        at_ms,
    )?;
    if let Some(earlier) = rows.get(1) {
        let data = json!({ "id": submission, "certificate_sha256": earlier.text(0), "superseded_by_sha256": sha256 });
        send(tables, tenant, SUPERSEDED, data, at_ms)?;
    }
    Ok(())
}

/// A certificate is no longer valid and cannot be replaced.
///
/// # Errors
/// Those of the database.
pub fn outdated(tables: &mut dyn Tables, tenant: &str, submission: &str) -> Result<()> {
    let Some((_, sha256)) = submissions::certificate(tables, submission)? else {
        return Ok(());
    };
    let data =
        json!({ "id": submission, "certificate_sha256": sha256, "superseded_by_sha256": null });
    send(tables, tenant, SUPERSEDED, data, now_ms())
}

/// The bytes of a message.
pub fn message(kind: &str, at_ms: u64, data: &Value) -> String {
    json!({ "type": kind, "timestamp": moment(at_ms), "data": data }).to_string()
}

fn send(tables: &mut dyn Tables, tenant: &str, kind: &str, data: Value, at_ms: u64) -> Result<()> {
    webhooks::send(
        tables,
        tenant,
        kind,
        &message(kind, at_ms, &data),
        None,
        now_ms(),
    )
    .map(drop)
}

/// A submission has its first or a changed answer, or it gets none.
pub const CHECKED: &str = "submission.checked";

/// A certificate was issued.
pub const ISSUED: &str = "certificate.issued";

/// A certificate was replaced by another.
pub const SUPERSEDED: &str = "certificate.superseded";

/// Sent on request, to test whether messages arrive.
pub const TEST: &str = "webhook.test";
