//! Writes a request body to a file as it arrives, on threads that may block.

use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, header};
use futures_util::StreamExt as _;

use super::caps::{self, Ticket};
use super::protocol::Verifier;
use crate::app::App;
use crate::problem::{self, Problem};
use crate::{Config, body};

/// A file that is being written.
#[derive(Debug)]
pub(crate) struct Sink {
    /// The file, positioned at its end.
    pub(crate) file: File,
    /// Verifier of the bytes.
    pub(crate) verifier: Option<Verifier>,
    /// Bytes that were announced and have not arrived.
    pub(crate) missing: Option<Arc<AtomicU64>>,
    /// Bytes that must stay free on the disk.
    pub(crate) floor: u64,
    /// The folder.
    pub(crate) folder: PathBuf,
}

impl Sink {
    fn write(&mut self, chunks: &[Bytes]) -> io::Result<()> {
        for chunk in chunks {
            let free = caps::free(&self.folder).map_err(io::Error::other)?;
            if free < self.floor.saturating_add(chunk.len() as u64) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.file.write_all(chunk)?;
            if let Some(verifier) = &mut self.verifier {
                verifier.update(chunk);
            }
            if let Some(missing) = &self.missing {
                let less = |missing: u64| Some(missing.saturating_sub(chunk.len() as u64));
                let _ = missing.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
            }
        }
        Ok(())
    }
}

/// How a body ended.
#[derive(Debug)]
pub(crate) enum End {
    /// It arrived whole.
    Whole,
    /// It ended early for this reason; what arrived is written.
    Early(Problem),
    /// It is too long; the excess is not written.
    TooLong,
}

/// Writes a body of at most `most` bytes.
///
/// # Errors
/// 500 if a thread failed.
pub(crate) async fn pour(
    app: &App,
    body: Body,
    at_most: u64,
    mut sink: Sink,
) -> Result<(Sink, End), Problem> {
    let mut stream = body.into_data_stream();
    let mut stop = std::pin::pin!(app.uploads.stopped());
    let mut left = at_most;
    let (mut batch, mut bytes) = (Vec::new(), 0);
    let end = loop {
        let next = tokio::select! {
            biased;
            () = &mut stop => break End::Early(Problem::unavailable("the service is stopping; continue when it is back", 5)),
            next = stream.next() => next,
        };
        match next {
            None => break End::Whole,
            Some(Err(error)) if body::is_idle(&error) => break End::Early(body::idle()),
            Some(Err(_)) => break End::Early(body::broken()),
            Some(Ok(chunk)) if chunk.len() as u64 > left => break End::TooLong,
            Some(Ok(chunk)) => {
                left -= chunk.len() as u64;
                bytes += chunk.len();
                batch.push(chunk);
            }
        }
        if bytes >= BATCH {
            let failed;
            (sink, failed) = written(sink, std::mem::take(&mut batch)).await?;
            bytes = 0;
            if let Some(problem) = failed {
                return Ok((sink, End::Early(problem)));
            }
        }
    };
    let (sink, failed) = written(sink, batch).await?;
    Ok((sink, failed.map_or(end, End::Early)))
}

/// Writes a body to a temporary file, which is removed when dropped. Keep the ticket until the file
/// is accepted.
///
/// # Errors
/// Those of [`Ticket::of`] and [`pour`], 413, and 422 for an empty body.
pub(crate) async fn whole(
    app: &App,
    tenant: &str,
    headers: &HeaderMap,
    body: Body,
) -> Result<(tempfile::TempPath, Ticket), Problem> {
    let length = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    let (preparing, tenant) = (app.clone(), tenant.to_owned());
    let prepared = app.uploads.blocking(move || {
        let ticket = Ticket::of(&preparing, &tenant, length)?;
        let made = tempfile::NamedTempFile::new_in(caps::folder(&preparing)).map_err(failed)?;
        // Prevents others from treating it as a leftover.
        made.as_file().try_lock().map_err(|_| Problem::internal())?;
        let (file, path) = made.into_parts();
        let sink = ticket.sink(file);
        Ok::<_, Problem>((ticket, path, sink))
    });
    let (ticket, path, sink) = prepared.await?;
    let most = app.config.uploads.max_bytes;
    let (mut sink, end) = pour(app, body, most, sink).await?;
    match end {
        End::Early(problem) => return Err(problem),
        End::TooLong => return Err(super::protocol::too_large(most)),
        End::Whole => {}
    }
    let is_empty =
        tokio::task::spawn_blocking(move || sink.file.stream_position().map(|end| end == 0)).await;
    if is_empty.map_err(|_| Problem::internal())?.map_err(failed)? {
        return Err(super::protocol::empty());
    }
    Ok((path, ticket))
}

async fn written(mut sink: Sink, batch: Vec<Bytes>) -> Result<(Sink, Option<Problem>), Problem> {
    let done = tokio::task::spawn_blocking(move || {
        let done = sink.write(&batch);
        (sink, done)
    });
    let (sink, done) = done.await.map_err(|_| Problem::internal())?;
    Ok((sink, done.err().map(failed)))
}

/// The client's message for a disk error.
pub(crate) fn failed(error: io::Error) -> Problem {
    if problem::is_full(&error) {
        return caps::no_room();
    }
    Problem::from(uniq::Error::Io {
        path: "an upload".into(),
        doing: "write",
        source: error,
    })
}

/// Bytes that must stay free on the disk.
pub(crate) fn floor(config: &Config) -> u64 {
    config.uploads.min_free_bytes
}

/// Number of bytes written at a time; each connection keeps as many in memory.
const BATCH: usize = 256 << 10;
