//! `uniq intake mend`: repairs a ledger and an index of submissions that differ.

use std::io::Write as _;
use std::path::PathBuf;

use serde_json::json;
use uniq::CheckOptions;
use uniq::ledger;
use uniq::report::SCHEMA;
use uniq::sandbox::json_line;

use super::place::Found;
use crate::args::{Guard, LedgerOption};
use crate::exit::Exit;
use crate::text::{count, plain};
use crate::{guard, inputs, output, signal, talk};

/// Repairs the differences.
pub(super) fn mend(
    clips: &[PathBuf],
    place: &LedgerOption,
    adopt: bool,
    json: bool,
    limits: &Guard,
    quiet: bool,
) -> anyhow::Result<Exit> {
    let books = Found::choose(place)?;
    let found = if clips.is_empty() {
        inputs::Clips::default()
    } else {
        inputs::named(clips, limits, None)?
    };
    for (path, error) in &found.problems {
        talk::fail_about(path, error);
    }
    let decoding = guard::decoding(limits, quiet)?;
    let cancel = signal::cancel_flag("stopping; interrupt again to stop at once")?;
    let options = CheckOptions {
        cancel: Some(&cancel),
        ..CheckOptions::new(&decoding)
    };
    let mended = ledger::mend(&books.books(), &found.clips, adopt, &options)?;
    let is_whole = mended.missing.is_empty() && mended.unknown == 0;
    let mut out = output::stdout();
    if json {
        let missing: Vec<_> = mended
            .missing
            .iter()
            .map(|(number, error)| json!({ "number": number, "code": error.code(), "message": error.to_string() }))
            .collect();
        let object = json!({
            "schema": SCHEMA, "removed": mended.removed, "made": mended.made, "missing": missing,
            "adopted": mended.adopted, "unknown": mended.unknown,
        });
        writeln!(out, "{}", json_line(&object)?)?;
    } else {
        if mended.removed > 0 {
            writeln!(
                out,
                "{} of ended submissions removed",
                count(mended.removed as u64, "entry")
            )?;
        }
        for number in &mended.made {
            writeln!(
                out,
                "submission {number}: its keys were made again from its clip"
            )?;
        }
        for number in &mended.adopted {
            writeln!(
                out,
                "submission {number}: recovered from the index for an unknown creator; nobody else is paid for its seconds"
            )?;
        }
        for (number, error) in &mended.missing {
            writeln!(
                out,
                "submission {number}: its keys are missing: {}",
                plain(&error.to_string())
            )?;
        }
        if mended.unknown > 0 {
            let unknown = count(mended.unknown as u64, "submission");
            writeln!(
                out,
                "{unknown} in the index but not in the ledger; take them into the ledger with --adopt"
            )?;
        }
        if is_whole {
            writeln!(out, "ledger and index are in step")?;
        } else if !mended.missing.is_empty() {
            writeln!(
                out,
                "name the folder of the missing clips, or withdraw their submissions; otherwise their seconds could be paid for again"
            )?;
        }
    }
    out.flush()?;
    Ok(if is_whole { Exit::Success } else { Exit::Error })
}
