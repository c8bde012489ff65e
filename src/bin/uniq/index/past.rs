//! `uniq index log`, `snapshot`, `prove` and `checkpoint`: earlier states of an index, and proofs
//! about them.

use std::io::Write as _;
use std::path::Path;

use serde_json::json;
use uniq::certificate::{Checkpoint, Proof, PublicKey, read};
use uniq::index::Index;
use uniq::report::SCHEMA;
use uniq::sandbox::json_line;
use uniq::{Error, Result};

use crate::args::Signing;
use crate::exit::Exit;
use crate::place::Place;
use crate::text::{count, grouped, plain};
use crate::{output, signer};

/// Lists the commits.
pub(super) fn log(place: &Place, json: bool) -> anyhow::Result<Exit> {
    let index = Index::open(&place.dir)?;
    let mut out = output::stdout();
    for commit in index.history()? {
        if json {
            writeln!(out, "{}", json_line(&commit)?)?;
        } else {
            let at = commit.committed_at.as_deref().unwrap_or("time not known");
            let short = |root: &str| root.get(..16).unwrap_or_default().to_owned();
            writeln!(
                out,
                "{:>6}  {at:<20}  root {}  sources {}",
                commit.generation,
                short(&commit.root),
                short(&commit.sources_root)
            )?;
        }
    }
    out.flush()?;
    Ok(Exit::Success)
}

/// Copies the index to an archive.
pub(super) fn snapshot(
    place: &Place,
    generation: Option<u64>,
    dest: &Path,
    json: bool,
) -> anyhow::Result<Exit> {
    let index = Index::open(&place.dir)?;
    let wanted = generation.unwrap_or(index.state().generation);
    // Fails if the commit can no longer be read.
    index.as_of(wanted)?;
    let done = index.copy_to(dest)?;
    let mut out = output::stdout();
    if json {
        let object = json!({
            "schema": SCHEMA,
            "generation": done.generation,
            "readable_generation": wanted,
            "linked": done.linked,
            "copied": done.copied,
        });
        writeln!(out, "{}", json_line(&object)?)?;
    } else {
        let files = count((done.linked + done.copied) as u64, "file");
        let how = if done.copied == 0 { "linked" } else { "copied" };
        let dest = dest.to_string_lossy();
        writeln!(
            out,
            "generation {} in {}: {files} {how}",
            grouped(done.generation),
            plain(&dest)
        )?;
        if wanted != done.generation {
            writeln!(
                out,
                "generation {} can be read from it too",
                grouped(wanted)
            )?;
        }
    }
    out.flush()?;
    Ok(Exit::Success)
}

/// Proves that a file is, or is not, among the sources.
pub(super) fn prove(
    place: &Place,
    sha256: &[u8; 32],
    absent: bool,
    generation: Option<u64>,
) -> anyhow::Result<Exit> {
    let index = Index::open(&place.dir)?;
    let index = match generation {
        Some(generation) => index.as_of(generation)?,
        None => index,
    };
    let proof = Proof::of(&index, sha256);
    match (&proof, absent) {
        (Proof::Inclusion { .. }, true) => {
            anyhow::bail!(
                "{}: a source, so its absence cannot be proved; leave out --absent to prove that it is there",
                proof.sha256()
            )
        }
        (Proof::Absence { .. }, false) => {
            anyhow::bail!("{}: not a source; prove that with --absent", proof.sha256())
        }
        _ => {}
    }
    output::print(format!("{}\n", proof.to_json()).as_bytes())?;
    Ok(Exit::Success)
}

/// Signs the state of the history.
pub(super) fn checkpoint(place: &Place, signing: &Signing) -> anyhow::Result<Exit> {
    let signer = signer::required(signing)?;
    let index = Index::open(&place.dir)?;
    output::print(Checkpoint::of(&index)?.sign(&*signer)?.as_bytes())?;
    Ok(Exit::Success)
}

/// Reads and verifies a checkpoint.
pub(super) fn signed(checkpoint: &Path, key: &Path) -> Result<Checkpoint> {
    let key = PublicKey::load(key)?;
    let refused = |reason| Error::InvalidCertificate {
        path: checkpoint.to_owned(),
        reason,
    };
    Checkpoint::parse(&read(checkpoint, CHECKPOINT_MAX)?, &key).map_err(refused)
}

/// Maximum size of a checkpoint, in bytes; a checkpoint has about 300.
const CHECKPOINT_MAX: usize = 64 << 10;
