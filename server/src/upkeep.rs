//! Jobs on the corpus: adding and removing sources, snapshots, and what follows for submissions.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde_json::{Value, json};
use uniq::index::{Index, Publication, Role, Writer};
use uniq::ingest::{self, BuildOptions, BuildSummary};
use uniq::ledger::{Ledger, Mode, Standing};
use uniq::{Error, Result};

use crate::api::sources::{Published, within};
use crate::app::App;
use crate::auth::hex;
use crate::problem::bare;
use crate::recheck;
use crate::store::jobs::{self, Job, Kind};
use crate::worker;

/// Runs a job.
pub(crate) fn run(app: &App, ledger: &mut Ledger, job: &Job) -> Result<()> {
    match job.kind {
        Kind::AddSource => add_source(app, ledger, job),
        Kind::RemoveSource => remove_source(app, ledger, job),
        Kind::Snapshot => snapshot(app, ledger, job),
        Kind::Certify => certify(app, ledger, job),
        Kind::Recheck => recheck::run(app, ledger, job),
        Kind::Check | Kind::Confirm => Err(Error::LedgerRefused {
            reason: format!("{}: unknown kind of work", job.kind.name()),
        }),
    }
}

/// What a job should add.
#[derive(Clone, Debug, Deserialize)]
struct Wanted {
    path: PathBuf,
    upload: bool,
    published: Published,
}

fn add_source(app: &App, ledger: &mut Ledger, job: &Job) -> Result<()> {
    let wanted: Wanted =
        serde_json::from_str(&job.body).map_err(|error| refused(error.to_string()))?;
    let path = if wanted.upload {
        wanted.path
    } else {
        // The file may have changed since.
        within(&app.config.corpus.folders, &wanted.path).map_err(refused)?
    };
    let done = build(app, &path, wanted.published.into());
    if wanted.upload {
        tidy(app, &path, done.as_ref());
    }
    let summary = done?;
    if summary.cancelled {
        return Err(Error::Cancelled);
    }
    let failed: Vec<&(PathBuf, Error)> = summary
        .failed
        .iter()
        .chain(&summary.failed_before)
        .collect();
    let is_folder = path.is_dir();
    if let (Some((_, error)), false) = (failed.first(), is_folder) {
        return Err(refused(bare(error)));
    }
    let name = |of: &Path| {
        of.strip_prefix(&path)
            .unwrap_or(of)
            .to_string_lossy()
            .into_owned()
    };
    let failures: Vec<Value> = failed
        .iter()
        .take(FAILURES_SHOWN)
        .map(
            |(of, error)| json!({ "name": name(of), "code": error.code(), "message": bare(error) }),
        )
        .collect();
    let sha256 = match is_folder {
        true => None,
        false => app
            .decoding
            .open(&path)
            .and_then(|file| file.sha256(&|| false))
            .ok()
            .map(|sha256| hex(&sha256)),
    };
    let undecoded: Duration = summary
        .damaged
        .iter()
        .map(|(_, undecoded)| *undecoded)
        .sum();
    let result = json!({
        "added": summary.added,
        "already_there": summary.skipped + summary.benign,
        "corrected": summary.corrected,
        "failed": failed.len(),
        "failures": failures,
        "sha256": sha256,
        "undecoded_s": undecoded.as_secs_f64(),
        "generation": summary.state.generation,
    });
    note(ledger, job, result)
}

fn build(app: &App, path: &Path, published: Publication) -> Result<BuildSummary> {
    let mut sources = ingest::sources(&[path.to_owned()])?;
    if let [source] = &mut *sources.sources
        && source.path == path
    {
        let mut publication = published.clone();
        publication.fill(std::mem::take(&mut source.publication));
        source.publication = publication;
        source.listed = published;
    }
    let options = BuildOptions {
        // Leaves processors for submissions.
        threads: Some(1),
        clock: Some(SystemTime::now),
        ..BuildOptions::new(app.decoding.clone())
    };
    // An error of the index sets this flag, which must not stop the service.
    let (cancel, is_done) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                if app.stopping.load(Ordering::Relaxed) {
                    cancel.store(true, Ordering::Relaxed);
                }
                std::thread::sleep(LOOK);
            }
        });
        let done = ingest::build(app.corpus.dir(), sources, &options, &|_| (), &cancel);
        is_done.store(true, Ordering::Relaxed);
        done
    })
}

/// Removes an uploaded file that the index does not name.
fn tidy(app: &App, path: &Path, done: std::result::Result<&BuildSummary, &Error>) {
    let is_final = match done {
        Ok(summary) => !summary.cancelled,
        Err(_) => false,
    };
    let is_named = || {
        let index = Index::open(app.corpus.dir())?;
        let is_named = index
            .videos()
            .any(|(_, video)| Path::new(&video.path) == path);
        Ok::<bool, Error>(is_named)
    };
    if is_final
        && matches!(is_named(), Ok(false))
        && let Err(error) = std::fs::remove_file(path)
    {
        tracing::warn!(%error, "an unneeded uploaded source cannot be removed");
    }
}

/// Removes uploaded sources that a crash left without a job.
pub(crate) fn sweep(app: &App, ledger: &mut Ledger) -> Result<()> {
    // Without an index, it is unknown which files are in use.
    let Ok(index) = app.corpus.current() else {
        return Ok(());
    };
    let named: HashSet<&Path> = index
        .videos()
        .map(|(_, video)| Path::new(&video.path))
        .collect();
    let folder = std::path::absolute(app.config.sources()).unwrap_or_else(|_| app.config.sources());
    let failed = |source| Error::Io {
        path: folder.clone(),
        doing: "list",
        source,
    };
    for entry in std::fs::read_dir(&folder).map_err(failed)?.flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let modified = entry.metadata().and_then(|of| of.modified());
        let is_old = modified.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > LEFT_AFTER));
        let id = name.to_string_lossy();
        let mut has_job = || {
            ledger.transaction(Mode::Read, |tables| {
                jobs::is_open(tables, Kind::AddSource, &id)
            })
        };
        if is_old && !named.contains(&*path) && !has_job()? && std::fs::remove_file(&path).is_ok() {
            tracing::info!(source = &*id, "removed an uploaded source that no job adds");
        }
    }
    Ok(())
}

fn remove_source(app: &App, ledger: &mut Ledger, job: &Job) -> Result<()> {
    let dir = app.corpus.dir();
    let mut writer = Writer::open(dir)?.with_clock(SystemTime::now);
    let named = writer.committed().map(|index| -> Vec<PathBuf> {
        index
            .find(&job.subject)
            .into_iter()
            .map(|video| PathBuf::from(&index.video(video).path))
            .collect()
    });
    let removed = writer.remove_as(Role::Source, &job.subject)?;
    let state = writer.commit()?;
    drop(writer);
    let ours = std::path::absolute(app.config.sources()).unwrap_or_else(|_| app.config.sources());
    for path in named
        .unwrap_or_default()
        .iter()
        .filter(|path| path.parent() == Some(&ours))
    {
        if let Err(error) = std::fs::remove_file(path) {
            tracing::warn!(%error, "the file of a source that was removed cannot be removed");
        }
    }
    note(
        ledger,
        job,
        json!({ "removed": removed, "generation": state.generation }),
    )
}

fn snapshot(app: &App, ledger: &mut Ledger, job: &Job) -> Result<()> {
    let index = app.corpus.current()?;
    let (generation, root) = (index.state().generation, index.state().root.clone());
    let folder = app.config.snapshots().join(generation.to_string());
    let is_there = Index::open(&folder).is_ok_and(|there| there.state().root == root);
    if !is_there {
        // Leftover of a killed process.
        match std::fs::remove_dir_all(&folder) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::Io {
                    path: folder,
                    doing: "remove",
                    source,
                });
            }
            _ => {}
        }
        index.copy_to(&folder)?;
    }
    note(
        ledger,
        job,
        json!({ "generation": generation, "root": root }),
    )
}

/// Issues another certificate for a submission whose answer changed.
fn certify(app: &App, ledger: &mut Ledger, job: &Job) -> Result<()> {
    if app.signer.is_none() || ledger.submission(job.turn)?.standing != Standing::Decided {
        return Ok(());
    }
    if !app.clip(&job.subject).exists() {
        ledger.transaction(Mode::Write, |tables| {
            crate::events::outdated(tables, &job.tenant, &job.subject)
        })?;
        return Err(refused(
            "its clip is no longer kept, so no new certificate can be issued; submit the clip again".to_owned(),
        ));
    }
    // The clip is decoded again.
    let _slot = app.slots.take(&|| app.stopping.load(Ordering::Relaxed))?;
    worker::certify(app, ledger, &job.tenant, &job.subject, job.turn).map(drop)
}

/// Records the result of a job.
pub(crate) fn note(ledger: &mut Ledger, job: &Job, result: Value) -> Result<()> {
    let mut body: Value = serde_json::from_str(&job.body).unwrap_or_default();
    body["result"] = result;
    ledger.transaction(Mode::Write, |tables| {
        jobs::note(tables, &job.id, &body.to_string())
    })
}

fn refused(reason: String) -> Error {
    Error::LedgerRefused { reason }
}

/// Maximum number of a folder's failures that a job lists.
const FAILURES_SHOWN: usize = 20;

/// Age from which a file without a job counts as a leftover.
const LEFT_AFTER: Duration = Duration::from_secs(24 * 3600);

/// Time between two checks whether the service stops.
const LOOK: Duration = Duration::from_millis(100);
