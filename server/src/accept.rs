//! Accepts an uploaded file, which gets its number before anything else.

use std::fs::File;
use std::path::Path;

use uniq::ledger::{self, Kind, Offer};
use uniq::{CheckOptions, Error, Result};

use crate::app::App;
use crate::database::now_ms;
use crate::problem::Problem;
use crate::store::{jobs, submissions, uploads};

/// A file that a client submits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Submitted {
    /// The id of the submission to be.
    pub id: String,
    /// Its tenant.
    pub tenant: String,
    /// Its creator.
    pub creator: String,
    /// The creator's own name for it.
    pub reference: Option<String>,
    /// Whether the file is the clip or its fingerprint.
    pub kind: Kind,
}

/// A submission that was received.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Accepted {
    /// Its id. It differs from the requested one if the same creator had submitted the same bytes
    /// before.
    pub id: String,
    /// Whether it is new.
    pub is_new: bool,
}

/// Moves a file into the service, and creates the job to check it. When this returns, both are
/// durable. Blocks.
///
/// # Errors
/// Those of [`uniq::ledger::queue`]; then the file is not moved.
pub fn accept(
    app: &App,
    submitted: &Submitted,
    file: &Path,
) -> std::result::Result<Accepted, Problem> {
    check_names(&submitted.creator, submitted.reference.as_deref())?;
    let accepted = taken(app, submitted, file)?;
    let _ = app.changed.send(());
    Ok(accepted)
}

/// Fails unless the ledger accepts these names.
///
/// # Errors
/// 400.
pub fn check_names(creator: &str, reference: Option<&str>) -> std::result::Result<(), Problem> {
    let is_fit = |text: &str| {
        !text.trim().is_empty()
            && text.trim() == text
            && text.chars().count() <= NAME_MAX
            && !text.contains(uniq::sandbox::hides)
    };
    if !is_fit(creator) {
        return Err(Problem::invalid(format!("creator: {NAME_RULE}")));
    }
    if reference.is_some_and(|text| !is_fit(text)) {
        return Err(Problem::invalid(format!("reference: {NAME_RULE}")));
    }
    Ok(())
}

fn taken(app: &App, submitted: &Submitted, file: &Path) -> Result<Accepted> {
    let clip = app.clip(&submitted.id);
    let io = |doing| {
        let clip = clip.clone();
        move |source| Error::Io {
            path: clip,
            doing,
            source,
        }
    };
    // The bytes first: a submission with a number must have its file after a crash.
    File::open(file)
        .and_then(|file| file.sync_all())
        .map_err(io("sync"))?;
    std::fs::rename(file, &clip).map_err(io("rename"))?;
    let folder = app.config.clips();
    File::open(&folder)
        .and_then(|folder| folder.sync_all())
        .map_err(io("sync"))?;
    let mut accepted = Accepted {
        id: submitted.id.clone(),
        is_new: true,
    };
    let by = format!("{}/{}", submitted.tenant, submitted.creator);
    let offer = Offer {
        file: &clip,
        kind: submitted.kind,
        by: &by,
        reference: submitted.reference.as_deref(),
    };
    let options = CheckOptions {
        cancel: Some(&app.stopping),
        ..CheckOptions::new(&app.decoding)
    };
    let queued = app.database.with(|ledger| {
        ledger::queue(ledger, &offer, &options, |tables, of, is_new| {
            if of.kind != submitted.kind && submitted.kind == Kind::Clip {
                let reason = "the fingerprint of this clip was already submitted; send the clip to that submission: POST \
                              /v1/submissions/ID/clip";
                return Err(Error::LedgerRefused { reason: reason.to_owned() });
            }
            let known = submissions::of_number(tables, of.number)?;
            let same_as = known.as_ref().map(|(id, _)| id.as_str()).filter(|id| *id != submitted.id);
            submissions::add(
                tables,
                &submitted.id,
                of.number,
                &submitted.tenant,
                &submitted.creator,
                submitted.reference.as_deref(),
                kind_name(submitted.kind),
                of.received_ms,
                same_as,
            )?;
            uploads::finish(tables, &submitted.id, same_as.unwrap_or(&submitted.id), now_ms())?;
            if let Some(id) = same_as {
                id.clone_into(&mut accepted.id);
                accepted.is_new = false;
            } else if is_new || of.standing == uniq::ledger::Standing::Received {
                let (tenant, id) = (&submitted.tenant, &submitted.id);
                jobs::add(tables, jobs::Kind::Check, tenant, id, "{}", of.number, now_ms())?;
            }
            Ok(())
        })
    });
    match queued {
        Ok(_) if !accepted.is_new && accepted.id != submitted.id => {
            // Keeps the first file unless it is gone.
            let first = app.clip(&accepted.id);
            let done = if first.exists() {
                std::fs::remove_file(&clip)
            } else {
                std::fs::rename(&clip, &first)
            };
            done.map_err(io("remove"))?;
        }
        Ok(_) => {}
        Err(error) => {
            // Moves it back, so that it can be submitted again.
            std::fs::rename(&clip, file).map_err(io("rename"))?;
            return Err(error);
        }
    }
    Ok(accepted)
}

/// Name of a kind.
pub fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Clip => "clip",
        Kind::Fingerprint => "fingerprint",
    }
}

/// Maximum length of a name, in characters. With the tenant in front, the ledger still accepts it.
const NAME_MAX: usize = 400;

const NAME_RULE: &str = "give 1 to 400 visible characters, without spaces at either end";
