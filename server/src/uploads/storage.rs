//! The bytes of resumable uploads: one file each, locked by its writer.
//!
//! The lock is on the file itself, so that it ends with its process. The row in the database is
//! read under the lock; otherwise it could be outdated.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Seek as _};
use std::path::{Path, PathBuf};

use axum::http::StatusCode;
use uniq::Error;
use uniq::ledger::{Kind, Mode};

use super::caps;
use super::protocol::{self, Checksum, Creation};
use super::receive::{self, End, Sink};
use crate::accept::{self, Submitted};
use crate::app::App;
use crate::database::now_ms;
use crate::problem::Problem;
use crate::store::uploads::{self, Upload};

/// An upload that this request has locked.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) upload: Upload,
    /// Number of bytes in the file.
    pub(crate) offset: u64,
    file: File,
    path: PathBuf,
}

/// State of an upload.
#[derive(Debug)]
pub(crate) enum Found {
    /// Bytes may be appended.
    Open(Opened),
    /// It has become a submission.
    Submitted(Upload),
}

/// Creates an upload. Blocks.
///
/// # Errors
/// 429, 503, 507, and those of the database.
pub(crate) fn create(app: &App, tenant: &str, wanted: Creation) -> Result<Opened, Problem> {
    let now = now_ms();
    let upload = Upload {
        id: crate::store::new_id(),
        tenant: tenant.to_owned(),
        creator: wanted.creator,
        reference: wanted.reference,
        kind: wanted.kind.to_owned(),
        metadata: wanted.metadata,
        length: wanted.length,
        received: 0,
        unproven_from: None,
        changed_ms: now,
        submission: None,
        refused: None,
    };
    let path = caps::folder(app).join(&upload.id);
    // The file first, since every known upload must have one.
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)
        .map_err(receive::failed)?;
    let made = (|| {
        file.try_lock().map_err(|_| locked())?;
        sync_folder(&path).map_err(receive::failed)?;
        app.database.with(|ledger| {
            let refused = ledger.transaction(Mode::Write, |tables| {
                let refused = caps::Counted::of(app, tables, tenant)?.admit(app, upload.length);
                if refused.is_ok() {
                    uploads::add(tables, &upload)?;
                }
                Ok(refused)
            })?;
            Ok::<_, Problem>(refused)
        })?
    })();
    if let Err(problem) = made {
        let _ = std::fs::remove_file(&path);
        return Err(problem);
    }
    Ok(Opened {
        upload,
        offset: 0,
        file,
        path,
    })
}

/// Finds an upload of a tenant, and locks it if bytes may be appended. Blocks.
///
/// # Errors
/// 404 if there is none, 410 if it has expired or its bytes are lost, 423 if it is being written,
/// and the reason if it was refused.
pub(crate) fn open(app: &App, tenant: &str, id: &str) -> Result<Found, Problem> {
    let find = || {
        let found = app.database.with(|ledger| {
            let found = ledger.transaction(Mode::Read, |tables| uploads::find(tables, tenant, id));
            Ok::<_, Problem>(found?)
        })?;
        found.ok_or_else(|| Problem::not_found("upload"))
    };
    if let Some(ended) = ended(find()?)? {
        return Ok(Found::Submitted(ended));
    }
    let locked = lock(app, id)?;
    let upload = find()?;
    if let Some(ended) = ended(upload.clone())? {
        return Ok(Found::Submitted(ended));
    }
    let Some((file, path)) = locked else {
        return Err(gone("the upload's bytes are lost; upload the file again"));
    };
    let io = receive::failed;
    let mut offset = file.metadata().map_err(io)?.len();
    // Bytes without a verified checksum may be wrong, so they are dropped.
    if let Some(from) = upload.unproven_from.filter(|from| *from < offset) {
        file.set_len(from).map_err(io)?;
        offset = from;
    }
    // What a client is told must be durable.
    file.sync_all().map_err(io)?;
    if upload.changed_ms < caps::oldest_ms(app) && offset < upload.length {
        return Err(gone("the upload has expired; upload the file again"));
    }
    Ok(Found::Open(Opened {
        upload,
        offset,
        file,
        path,
    }))
}

fn ended(upload: Upload) -> Result<Option<Upload>, Problem> {
    if let Some(refused) = &upload.refused {
        return Err(serde_json::from_str(refused).unwrap_or_else(|_| Problem::internal()));
    }
    Ok(Some(upload).filter(Upload::is_ended))
}

/// Locks the file of an upload: at its usual place, or where a submission's clip is kept, if it was
/// on its way there.
fn lock(app: &App, id: &str) -> Result<Option<(File, PathBuf)>, Problem> {
    for path in [caps::folder(app).join(id), app.clip(id)] {
        match OpenOptions::new().read(true).write(true).open(&path) {
            Ok(file) => {
                return match file.try_lock() {
                    Ok(()) => Ok(Some((file, path))),
                    Err(TryLockError::WouldBlock) => Err(locked()),
                    Err(TryLockError::Error(error)) => Err(receive::failed(error)),
                };
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(receive::failed(error)),
        }
    }
    Ok(None)
}

impl Opened {
    /// The target of a request's body, and its maximum length. Blocks.
    ///
    /// # Errors
    /// Those of the database and the disk.
    pub(crate) fn sink(
        mut self,
        app: &App,
        checksum: Option<Checksum>,
    ) -> Result<(Writing, Sink), Problem> {
        self.file
            .seek(io::SeekFrom::Start(self.offset))
            .map_err(receive::failed)?;
        let file = self.file.try_clone().map_err(receive::failed)?;
        if checksum.is_some() {
            self.note(app, Some(self.offset))?;
        }
        let is_verified = checksum.is_some();
        let verifier = checksum.map(Checksum::verifier);
        let floor = receive::floor(&app.config);
        let sink = Sink {
            file,
            verifier,
            missing: None,
            floor,
            folder: caps::folder(app),
        };
        Ok((
            Writing {
                opened: self,
                is_verified,
            },
            sink,
        ))
    }

    fn note(&self, app: &App, unproven_from: Option<u64>) -> Result<(), Problem> {
        let (id, offset) = (&self.upload.id, self.offset);
        app.database.with(|ledger| {
            ledger.transaction(Mode::Write, |tables| {
                uploads::note(tables, id, offset, unproven_from, now_ms())
            })
        })?;
        Ok(())
    }

    /// Turns it into a submission if all bytes have arrived. Blocks.
    ///
    /// # Errors
    /// Those of [`accept::accept`]. If the file is at fault, it is removed.
    pub(crate) fn complete(mut self, app: &App) -> Result<Upload, Problem> {
        if self.offset < self.upload.length {
            return Ok(self.upload);
        }
        let of = &self.upload;
        let submitted = Submitted {
            id: of.id.clone(),
            tenant: of.tenant.clone(),
            creator: of.creator.clone(),
            reference: of.reference.clone(),
            kind: if of.kind == "fingerprint" {
                Kind::Fingerprint
            } else {
                Kind::Clip
            },
        };
        match accept::accept(app, &submitted, &self.path) {
            Ok(accepted) => {
                self.upload.submission = Some(accepted.id);
                Ok(self.upload)
            }
            // Errors that are not the file's fault may pass.
            Err(problem) if problem.status >= 500 || problem.retry_after.is_some() => Err(problem),
            Err(problem) => {
                let said = serde_json::to_string(&problem).unwrap_or_default();
                app.database.with(|ledger| {
                    ledger.transaction(Mode::Write, |tables| {
                        uploads::refuse(tables, &of.id, &said, now_ms())
                    })
                })?;
                remove_file(&self.path)?;
                Err(problem)
            }
        }
    }

    /// Deletes it without a submission. Blocks.
    ///
    /// # Errors
    /// Those of the database and the disk.
    pub(crate) fn terminate(self, app: &App) -> Result<(), Problem> {
        remove_file(&self.path)?;
        app.database.with(|ledger| {
            ledger.transaction(Mode::Write, |tables| {
                uploads::remove(tables, &self.upload.id)
            })
        })?;
        Ok(())
    }
}

/// An upload to which a body is being written.
#[derive(Debug)]
pub(crate) struct Writing {
    opened: Opened,
    is_verified: bool,
}

impl Writing {
    /// Keeps what arrived, and turns the upload into a submission if it is complete. Blocks.
    ///
    /// # Errors
    /// Why the body ended early, 413 if it was too long, 460 if it does not match its checksum, and
    /// those of [`Opened::complete`].
    pub(crate) fn end(self, app: &App, sink: Sink, end: End) -> Result<Upload, Problem> {
        let Writing {
            mut opened,
            is_verified,
        } = self;
        let start = opened.offset;
        let is_whole = matches!(end, End::Whole);
        let is_right = sink
            .verifier
            .is_none_or(|verifier| is_whole && verifier.is_right());
        // Drops bytes beyond the length and bytes that may be wrong.
        if !is_right || matches!(end, End::TooLong) {
            opened.file.set_len(start).map_err(receive::failed)?;
        }
        opened.file.sync_all().map_err(receive::failed)?;
        opened.offset = opened.file.metadata().map_err(receive::failed)?.len();
        if opened.offset != start || is_verified {
            // The file counts, not the row.
            match opened.note(app, None) {
                Ok(()) => {}
                Err(problem) if is_verified => return Err(problem),
                Err(problem) => {
                    tracing::warn!(detail = problem.detail, "an upload cannot be recorded")
                }
            }
        }
        match end {
            End::Early(problem) => Err(problem),
            End::TooLong => {
                let detail = format!(
                    "the body goes beyond the upload's {} bytes; send only the rest",
                    opened.upload.length
                );
                Err(Problem::new(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "too_large",
                    "The body is too long",
                    detail,
                ))
            }
            End::Whole if !is_right => Err(protocol::mismatch()),
            End::Whole => {
                opened.upload.received = opened.offset;
                opened.complete(app)
            }
        }
    }
}

/// Removes a file if it exists.
pub(super) fn remove_file(path: &Path) -> Result<(), Problem> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Problem::from(Error::Io {
            path: path.to_owned(),
            doing: "remove",
            source: error,
        })),
        _ => Ok(()),
    }
}

fn sync_folder(path: &Path) -> io::Result<()> {
    path.parent()
        .map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

fn locked() -> Problem {
    let title = "The upload is being written";
    let detail = "another request writes this upload; try again when it has ended";
    Problem::new(StatusCode::LOCKED, "locked", title, detail).after(1)
}

fn gone(detail: &str) -> Problem {
    Problem::new(StatusCode::GONE, "gone", "The upload is gone", detail)
}
