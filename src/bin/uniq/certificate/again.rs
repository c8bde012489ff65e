//! Runs searches of certificates again, and compares delivered files with certified ones.

use std::io::Write as _;
use std::path::Path;
use std::time::SystemTime;

use serde_json::json;
use uniq::certificate;
use uniq::index::Index;
use uniq::report::SCHEMA;
use uniq::sandbox::json_line;
use uniq::{CheckOptions, Fingerprint};

use super::{keyring, load, named, refused, sha256_of};
use crate::args::{Guard, IndexOption, Trust};
use crate::exit::Exit;
use crate::place::Place;
use crate::text::plain;
use crate::{guard, output, signal};

/// Runs the search of a certificate again.
pub(super) fn reproduce(
    path: &Path,
    fingerprint: &Path,
    trust: &Trust,
    index: IndexOption,
    json: bool,
    guarded: &Guard,
    quiet: bool,
) -> anyhow::Result<Exit> {
    let (_, statement, verified) = load(path, keyring(trust)?.as_ref())?;
    let place = Place::existing(index.dir)?;
    let decoding = guard::decoding(guarded, quiet)?;
    let cancel = signal::cancel_flag("stopping; interrupt again to stop at once")?;
    let index = Index::open(&place.dir)?;
    let fingerprint = Fingerprint::load(fingerprint, &decoding, Some(&cancel))?;
    let options = CheckOptions {
        cancel: Some(&cancel),
        now: Some(SystemTime::now()),
        ..CheckOptions::new(&decoding)
    };
    let done =
        certificate::reproduce(&statement, &fingerprint, &index, &options).map_err(named(path))?;
    let mut out = output::stdout();
    let equal = done.difference.is_none();
    let signature = if verified.is_some() {
        "verified"
    } else {
        "not_checked"
    };
    if json {
        let object = json!({
            "schema": SCHEMA,
            "level": equal.then_some("reproduced"),
            "signature": signature,
            "equal": equal,
            "difference": done.difference,
            "result_digest": done.result_digest,
            "grown": done.grown,
            "since_generation": done.since_generation,
        });
        writeln!(out, "{}", json_line(&object)?)?;
    } else {
        let name = path.to_string_lossy();
        match &done.difference {
            None => writeln!(
                out,
                "{}: REPRODUCED, level 2 of 3: the search gives the same result",
                plain(&name)
            )?,
            Some(difference) => writeln!(
                out,
                "{}: NOT REPRODUCED: {}",
                plain(&name),
                plain(difference)
            )?,
        }
        writeln!(out, "  result        {}", done.result_digest)?;
        let corpus = &statement.predicate.corpus;
        let where_from = if done.grown {
            "of the index, as it was then"
        } else {
            "of that very snapshot"
        };
        writeln!(
            out,
            "  searched      generation {}, {where_from}",
            corpus.generation
        )?;
        if let (Some(since), Some(previous)) =
            (done.since_generation, &statement.predicate.previous)
        {
            writeln!(
                out,
                "                only what was added after generation {since}; also reproduce the earlier certificate,"
            )?;
            writeln!(
                out,
                "                the one with SHA-256 {}",
                previous.sha256
            )?;
        }
        if verified.is_some() {
            writeln!(out, "  signature     verified")?;
        } else {
            writeln!(
                out,
                "  signature     not checked; give --key FILE or --keyring FILE"
            )?;
        }
    }
    out.flush()?;
    Ok(if equal {
        Exit::Success
    } else {
        Exit::Published
    })
}

/// Compares a delivered file with the certified one, whose encoding may differ.
pub(super) fn compare(
    path: &Path,
    delivered: &Path,
    fingerprint: &Path,
    trust: &Trust,
    json: bool,
    guarded: &Guard,
    quiet: bool,
) -> anyhow::Result<Exit> {
    let (_, statement, verified) = load(path, keyring(trust)?.as_ref())?;
    let decoding = guard::decoding(guarded, quiet)?;
    let cancel = signal::cancel_flag("stopping; interrupt again to stop at once")?;
    let certified = Fingerprint::load(fingerprint, &decoding, Some(&cancel))?;
    certificate::check_fingerprint(&statement, &certified).map_err(refused(path))?;
    let identical = sha256_of(delivered)? == statement.clip_sha256();
    let found = if identical {
        certificate::Comparison {
            same: true,
            differences: Vec::new(),
            passages: Vec::new(),
        }
    } else {
        let delivered_clip = uniq::fingerprint(delivered, &decoding, Some(&cancel))?;
        certificate::compare(&certified, &delivered_clip).map_err(refused(delivered))?
    };
    let mut out = output::stdout();
    if json {
        let passages: Vec<_> = found
            .passages
            .iter()
            .map(|part| json!({ "start_s": part.start.as_secs_f64(), "end_s": part.end.as_secs_f64(), "reason": part.reason }))
            .collect();
        let object = json!({
            "schema": SCHEMA,
            "same": found.same,
            "identical": identical,
            "signature": if verified.is_some() { "verified" } else { "not_checked" },
            "differences": found.differences,
            "passages": passages,
        });
        writeln!(out, "{}", json_line(&object)?)?;
    } else {
        let name = delivered.to_string_lossy();
        match (identical, found.same) {
            (true, _) => writeln!(out, "{}: THE SAME, byte for byte", plain(&name))?,
            (false, true) => writeln!(out, "{}: THE SAME clip, encoded anew", plain(&name))?,
            (false, false) => {
                writeln!(out, "{}: NOT THE SAME as the certified clip", plain(&name))?
            }
        }
        for difference in &found.differences {
            writeln!(out, "  {}", plain(difference))?;
        }
        for part in &found.passages {
            writeln!(
                out,
                "  {:.1} to {:.1} s: {}",
                part.start.as_secs_f64(),
                part.end.as_secs_f64(),
                part.reason
            )?;
        }
        if verified.is_none() {
            writeln!(
                out,
                "  the certificate's signature was not checked; give --key FILE or --keyring FILE"
            )?;
        }
    }
    out.flush()?;
    Ok(if found.same {
        Exit::Success
    } else {
        Exit::Published
    })
}
