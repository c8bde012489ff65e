//! `uniq intake list` and `show`.

use std::collections::BTreeMap;
use std::io::Write as _;

use serde_json::{Value, json};
use uniq::ledger::{self, Decision, Interval, Intervals, Ledger, PairKind, Standing};
use uniq::report::SCHEMA;
use uniq::sandbox::json_line;

use super::{opened, render, review};
use crate::args::LedgerOption;
use crate::exit::Exit;
use crate::output::{self, Paint};
use crate::text::{interval, plain, tenths};

/// What `--state` accepts.
const STATES: [&str; 7] = [
    "received",
    "decided",
    "failed",
    "lapsed",
    "withdrawn",
    UNDECIDED,
    DISPUTED,
];

/// A decided submission of which a person must say whether it shows an earlier one.
const UNDECIDED: &str = "undecided";

/// A submission with seconds that another creator offered before.
const DISPUTED: &str = "disputed";

/// Lists the submissions.
pub(super) fn list(
    place: &LedgerOption,
    by: Option<&str>,
    state: Option<&str>,
    json: bool,
) -> anyhow::Result<Exit> {
    if let Some(state) = state.filter(|state| !STATES.contains(state)) {
        anyhow::bail!(
            "{state}: not a state of a submission; give one of {}",
            STATES.join(", ")
        );
    }
    let mut ledger = opened(place)?;
    let mut out = output::stdout();
    let mut last = 0;
    loop {
        let submissions = ledger.submissions_after(last)?;
        let Some(end) = submissions.last() else { break };
        last = end.number;
        for of in &submissions {
            let claims = ledger.claims(of.number)?;
            let row: serde_json::Map<String, Value> = ledger::row(of, &claims);
            let text = |name: &str| {
                row.get(name)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned()
            };
            if by.is_some_and(|by| of.by != by) {
                continue;
            }
            let wants_open = state == Some(UNDECIDED);
            let is_in = |state| match state {
                UNDECIDED => true,
                DISPUTED => row.get("disputed_ms").and_then(Value::as_u64) > Some(0),
                state => text("state") == state,
            };
            if !state.is_none_or(is_in) {
                continue;
            }
            // A row in JSON equals that of an export, which does not need the pairs. Only eligible
            // seconds in no claim can be undecided.
            let claimed: Intervals = claims
                .iter()
                .map(|claim| Interval::new(claim.start_ms, claim.end_ms))
                .collect();
            let may_be_open =
                of.standing == Standing::Decided && !of.eligible.without(&claimed).is_empty();
            let open = match may_be_open && (wants_open || !json) {
                true => open_pairs(&mut ledger, of.number)?,
                false => Vec::new(),
            };
            if wants_open && open.is_empty() {
                continue;
            }
            if json {
                writeln!(out, "{}", json_line(&row)?)?;
                continue;
            }
            let seconds =
                |name: &str| row.get(name).and_then(Value::as_u64).unwrap_or(0) as f64 / 1e3;
            let reference = of
                .reference
                .as_deref()
                .map_or(String::new(), |text| format!(" ({})", plain(text)));
            let mut says = format!(
                "{} s payable",
                tenths(seconds("offered_ms") + seconds("sold_ms"))
            );
            for (name, word) in [
                ("sold_ms", "sold"),
                ("disputed_ms", "disputed"),
                ("withdrawn_ms", "withdrawn"),
            ] {
                if seconds(name) > 0.0 {
                    says += &format!(", {} s {word}", tenths(seconds(name)));
                }
            }
            if of.provisional {
                says += ", provisional: a fingerprint";
            }
            if let Some(reason) = &of.reason {
                says += &format!("; {}", plain(reason));
            }
            for (other, seconds) in open {
                says += &format!(
                    "; {} s undecided: uniq intake decide {other}-{} same|distinct --by NAME --why TEXT",
                    tenths(seconds),
                    of.number
                );
            }
            writeln!(
                out,
                "{:>6}  {}  {:<9}  {}{reference}: {says}",
                of.number,
                text("received_at"),
                text("state"),
                plain(&of.by)
            )?;
        }
    }
    out.flush()?;
    Ok(Exit::Success)
}

/// Earlier submissions that may show the same, with the number of seconds that are undecided
/// because of each.
fn open_pairs(ledger: &mut Ledger, number: u64) -> anyhow::Result<Vec<(u64, f64)>> {
    let said = ledger::submission(&ledger.standings(number)?);
    let mut open: BTreeMap<u64, f64> = BTreeMap::new();
    for deduction in said
        .deductions
        .iter()
        .filter(|deduction| deduction.reason == "undecided")
    {
        if let Some(other) = deduction.number {
            *open.entry(other).or_default() += deduction.clip.end_s - deduction.clip.start_s;
        }
    }
    Ok(open.into_iter().collect())
}

/// Shows a submission.
pub(super) fn show(number: u64, place: &LedgerOption, json: bool) -> anyhow::Result<Exit> {
    let mut ledger = opened(place)?;
    let standings = ledger.standings(number)?;
    let said = ledger::submission(&standings);
    let events = ledger.events_of(number)?;
    let mut out = output::stdout();
    let mut report = standings.report.clone();
    if let Some(report) = &mut report {
        report.payable_minutes = said.payable_minutes;
        report.provisional_minutes = said.provisional_minutes;
        report.submission = Some(said.clone());
    }
    if json {
        let mut object = match &report {
            Some(report) => serde_json::to_value(report)?,
            None => json!({ "schema": SCHEMA, "submission": said }),
        };
        object["pairs"] = serde_json::to_value(&standings.pairs)?;
        object["events"] = events
            .iter()
            .map(|event| {
                let body: Value = serde_json::from_str(&event.body).unwrap_or_default();
                json!({ "seq": event.seq, "at_ms": event.at_ms, "kind": event.kind, "body": body })
            })
            .collect();
        writeln!(out, "{}", json_line(&object)?)?;
        out.flush()?;
        return Ok(Exit::Success);
    }
    match &report {
        Some(report) => {
            crate::render::report(&mut out, report, Paint::for_stdout())?;
            render::submission(&mut out, report)?;
        }
        None => {
            let why = standings
                .submission
                .reason
                .as_deref()
                .map_or(String::new(), |why| format!(": {}", plain(why)));
            writeln!(
                out,
                "submission {number} by {} is {}{why}",
                plain(&said.by),
                plain(&said.state)
            )?;
        }
    }
    review::matches(&mut out, &standings)?;
    for pair in &standings.pairs {
        let kind = match pair.kind {
            PairKind::Copy => "the same recording",
            PairKind::Undecided => "perhaps the same recording",
            PairKind::SameScene => "the same scene",
        };
        let decided = match ledger.decision(number, pair.other)? {
            Some((Decision::Same, by, why)) => format!(
                "; {} says that they are the same: {}",
                plain(&by),
                plain(&why)
            ),
            Some((Decision::Distinct, by, why)) => {
                format!(
                    "; {} says that they are distinct: {}",
                    plain(&by),
                    plain(&why)
                )
            }
            None => String::new(),
        };
        let by = standings
            .creators
            .get(&pair.other)
            .map_or("", String::as_str);
        writeln!(
            out,
            "  pair {}-{}: {} shows {} of submission {} by {}: {kind}{decided}",
            number.min(pair.other),
            number.max(pair.other),
            interval(pair.here.start_s(), pair.here.end_s()),
            interval(pair.there.start_s(), pair.there.end_s()),
            pair.other,
            plain(by)
        )?;
    }
    for event in &events {
        writeln!(out, "  row {}: {}", event.seq, plain(&event.kind))?;
    }
    out.flush()?;
    Ok(Exit::Success)
}
