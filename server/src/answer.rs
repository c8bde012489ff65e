//! A tenant's view of a submission, without anything about other tenants.

use std::collections::HashMap;

use uniq::ledger::{self, Ledger};
use uniq::report::{Report, Submission};

use crate::app::App;
use crate::store::submissions;

/// The report on a submission as its tenant may see it; `None` without an answer.
///
/// # Errors
/// Those of the ledger.
pub fn report(
    app: &App,
    ledger: &mut Ledger,
    tenant: &str,
    id: &str,
    number: u64,
) -> uniq::Result<Option<Report>> {
    let standings = ledger.standings(number)?;
    // A withdrawn submission has no answer any more.
    let stands = standings.submission.standing == ledger::Standing::Decided;
    let Some(mut report) = standings.report.clone().filter(|_| stands) else {
        return Ok(None);
    };
    let said = redacted(ledger, tenant, ledger::submission(&standings))?;
    report.payable_minutes = said.payable_minutes;
    report.provisional_minutes = said.provisional_minutes;
    report.submission = Some(said);
    id.clone_into(&mut report.clip.path);
    if let Some(card) = &app.card {
        report.amount = Some(uniq::rates::amount(card, &report));
    }
    Ok(Some(report))
}

/// The ledger's facts about a submission, without anything about other tenants.
///
/// # Errors
/// Those of the ledger.
pub fn redacted(
    ledger: &mut Ledger,
    tenant: &str,
    mut said: Submission,
) -> uniq::Result<Submission> {
    let prefix = format!("{tenant}/");
    let own = |by: &str| by.strip_prefix(&prefix).map(str::to_owned);
    said.by = own(&said.by).unwrap_or_else(|| said.by.clone());
    let numbers = said
        .deductions
        .iter()
        .filter_map(|of| of.number)
        .chain(said.related.iter().map(|of| of.number));
    let mut ids = HashMap::new();
    for number in numbers.collect::<Vec<_>>() {
        let found = ledger.transaction(ledger::Mode::Read, |tables| {
            submissions::of_number(tables, number)
        })?;
        if let Some((id, of)) = found.filter(|(_, of)| of == tenant) {
            ids.insert(number, (id, of));
        }
    }
    for deduction in &mut said.deductions {
        let Some(number) = deduction.number else {
            continue;
        };
        let holder = deduction.by.as_deref().and_then(own);
        let is_own = ids.contains_key(&number);
        deduction.text = sentence(
            &deduction.reason,
            holder.as_deref().filter(|_| is_own),
            number,
        );
        deduction.by = holder.filter(|_| is_own);
        if !is_own {
            deduction.number = None;
            deduction.there = None;
            deduction.probability = None;
            deduction.evidence_bits = None;
            deduction.mirrored = None;
            deduction.speed = None;
            deduction.identical = None;
        }
    }
    said.related
        .retain(|related| ids.contains_key(&related.number));
    for related in &mut said.related {
        related.by = own(&related.by).unwrap_or_default();
    }
    Ok(said)
}

/// The reason for a deduction. `by` is the holder, if the tenant may know.
fn sentence(reason: &str, by: Option<&str>, number: u64) -> String {
    let who = by.map_or_else(|| "another creator".to_owned(), str::to_owned);
    let of = by.map_or_else(String::new, |_| format!(", in submission {number}"));
    match reason {
        "already_offered" => format!("{who} offered it before{of}"),
        "disputed" => format!("disputed: {who} offered it before{of}"),
        "undecided" => {
            format!("inconclusive: {who} perhaps offered it before{of}; a person must decide")
        }
        "sold" => format!("{who} already sold it{of}"),
        "published" => match by {
            Some(_) => format!("submission {number} shows that it is public"),
            None => "another submission shows that it is public".to_owned(),
        },
        _ => "too short to judge next to the deducted part".to_owned(),
    }
}
