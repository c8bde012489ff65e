//! `uniq intake`: the ledger of submissions.

mod add;
mod mend;
mod place;
mod recheck;
mod render;
mod review;
mod show;

use std::io::Write as _;
use std::time::Duration;

use serde_json::json;
use uniq::ledger::{self, Decision, Ledger};
use uniq::report::SCHEMA;
use uniq::sandbox::json_line;

use crate::args::{Change, Decided, Format, IntakeCommand, LedgerOption, Table};
use crate::exit::Exit;
use crate::output;
use crate::text::{count, plain, tenths};
use place::Found;

/// Maximum time to wait while another program writes to the ledger or to the index of its
/// submissions.
const PATIENCE: Duration = Duration::from_secs(30);

/// Time after which another worker may take over a submission, if it cannot see that the first
/// worker has ended.
const LEASE: Duration = Duration::from_secs(60);

/// Runs a command of `uniq intake`.
pub(crate) fn run(command: IntakeCommand, quiet: bool) -> anyhow::Result<Exit> {
    match command {
        IntakeCommand::Add(args) => add::add(&args, quiet),
        IntakeCommand::List {
            place,
            by,
            state,
            json,
        } => show::list(&place, by.as_deref(), state.as_deref(), json),
        IntakeCommand::Show {
            number,
            place,
            json,
        } => show::show(number, &place, json),
        IntakeCommand::Decide {
            pair,
            decision,
            by,
            why,
            place,
        } => decide(pair, decision, &by, &why, &place),
        IntakeCommand::Recheck(args) => recheck::recheck(&args, quiet),
        IntakeCommand::Review(args) => review::review(&args),
        IntakeCommand::Withdraw(change) => withdraw(&change),
        IntakeCommand::Sold(change) => sold(&change),
        IntakeCommand::Export {
            place,
            table,
            format,
            backup,
        } => {
            let mut ledger = opened(&place)?;
            if let Some(file) = backup {
                ledger.backup(&file)?;
                return Ok(Exit::Success);
            }
            let table = match table {
                Table::Submissions => ledger::Table::Submissions,
                Table::Claims => ledger::Table::Claims,
                Table::Events => ledger::Table::Events,
            };
            let format = match format {
                Format::Jsonl => ledger::Format::JsonLines,
                Format::Csv => ledger::Format::Csv,
            };
            let mut out = output::stdout();
            ledger::export(&mut ledger, table, format, &mut out)?;
            out.flush()?;
            Ok(Exit::Success)
        }
        IntakeCommand::Verify { place, head, json } => {
            let place = Found::choose(&place)?;
            let books = place.books();
            let mut ledger = books.open(false)?;
            let verified = ledger::verify(&mut ledger, head.as_ref())?;
            ledger::check_step(&mut ledger, &books)?;
            let mut out = output::stdout();
            if json {
                let object = json!({
                    "schema": SCHEMA, "events": verified.events, "submissions": verified.submissions,
                    "head": verified.head.to_string(),
                });
                writeln!(out, "{}", json_line(&object)?)?;
            } else {
                writeln!(
                    out,
                    "{} of {} verified, and the tables and the index agree; head {}",
                    count(verified.events, "row"),
                    count(verified.submissions, "submission"),
                    verified.head
                )?;
            }
            out.flush()?;
            Ok(Exit::Success)
        }
        IntakeCommand::Mend {
            clips,
            place,
            adopt,
            json,
            guard,
        } => mend::mend(&clips, &place, adopt, json, &guard, quiet),
    }
}

/// Opens a ledger that exists.
fn opened(option: &LedgerOption) -> anyhow::Result<Ledger> {
    Ok(Found::choose(option)?.books().open(false)?)
}

/// Opens a ledger that exists, and requires that it is in step with the index of its submissions.
fn in_step(option: &LedgerOption) -> anyhow::Result<Ledger> {
    let place = Found::choose(option)?;
    let books = place.books();
    let mut ledger = books.open(false)?;
    ledger::check_step(&mut ledger, &books)?;
    Ok(ledger)
}

fn decide(
    pair: (u64, u64),
    decision: Decided,
    by: &str,
    why: &str,
    place: &LedgerOption,
) -> anyhow::Result<Exit> {
    let mut ledger = in_step(place)?;
    let (decision, word) = match decision {
        Decided::Same => (Decision::Same, "the same recording"),
        Decided::Distinct => (Decision::Distinct, "different recordings"),
    };
    let changed = ledger.judge(pair.0, pair.1, decision, by, why)?;
    let mut out = output::stdout();
    writeln!(
        out,
        "{} and {} are {word}, as {} says",
        pair.0,
        pair.1,
        plain(by)
    )?;
    for number in changed {
        let said = ledger::submission(&ledger.standings(number)?);
        let minutes = said.payable_minutes + said.provisional_minutes;
        writeln!(
            out,
            "submission {number}: now {} s payable",
            tenths(minutes * 60.0)
        )?;
    }
    out.flush()?;
    Ok(Exit::Success)
}

fn withdraw(change: &Change) -> anyhow::Result<Exit> {
    let place = Found::choose(&change.place)?;
    let books = place.books();
    let (number, by, why) = (change.number, Some(&*change.by), Some(&*change.why));
    ledger::withdraw(&mut books.open(false)?, &books, number, by, why)?;
    output::print(
        format!("submission {number} is withdrawn; its keys and pictures are removed\n").as_bytes(),
    )?;
    Ok(Exit::Success)
}

fn sold(change: &Change) -> anyhow::Result<Exit> {
    let mut ledger = in_step(&change.place)?;
    let sold = ledger.sell(change.number, Some(&change.by), Some(&change.why))?;
    let seconds = tenths(sold as f64 / 1e3);
    output::print(format!("submission {}: {seconds} s are sold\n", change.number).as_bytes())?;
    Ok(Exit::Success)
}
