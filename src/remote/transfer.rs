//! Transfers files from and to the store, several at once.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

use super::layout::{damaged, missing};
use super::store::{Cancel, Store};
use super::{Progress, Stage, Watch};
use crate::error::{Error, Result};
use crate::index::carry::CarriedFile;
use crate::index::hex;
use crate::media::open_regular;

/// Counts transferred bytes for the caller.
pub(super) struct Meter<'a> {
    watch: Watch<'a>,
    of: u64,
    done: AtomicU64,
}

impl<'a> Meter<'a> {
    /// A meter for this total number of bytes.
    pub(super) fn new(watch: Watch<'a>, of: u64) -> Meter<'a> {
        Meter {
            watch,
            of,
            done: AtomicU64::new(0),
        }
    }

    /// Adds finished bytes.
    pub(super) fn add(&self, stage: Stage, bytes: u64) {
        let done = self.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if let Some(progress) = self.watch.progress {
            progress(Progress {
                stage,
                done: done.min(self.of),
                of: self.of,
            });
        }
    }
}

/// Runs `work` for each of several things, some at once; the first error ends it.
///
/// `work` gets a thing, and a function that says whether to stop.
pub(super) fn each<T: Sync>(
    things: &[T],
    cancel: Cancel<'_>,
    work: &(dyn Fn(&T, Cancel<'_>) -> Result<()> + Sync),
) -> Result<()> {
    let next = AtomicUsize::new(0);
    let is_over = AtomicBool::new(false);
    let failed: Mutex<Option<Error>> = Mutex::new(None);
    let stop = || is_over.load(Ordering::Relaxed) || cancel();
    let one = || {
        while let Some(thing) = things.get(next.fetch_add(1, Ordering::Relaxed)) {
            let result = if stop() {
                Err(Error::Cancelled)
            } else {
                work(thing, &stop)
            };
            if let Err(error) = result {
                is_over.store(true, Ordering::Relaxed);
                // Keep the first error; the others follow from it.
                failed
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .get_or_insert(error);
                return;
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..things.len().min(AT_ONCE) {
            scope.spawn(one);
        }
    });
    match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// Downloads an object into a file, which may already have its beginning, and compares its SHA-256.
///
/// The file is then durable. If the SHA-256 is wrong, the file is truncated to nothing.
pub(super) fn receive(
    store: &Store,
    object: &str,
    file: &CarriedFile,
    path: &Path,
    meter: &Meter<'_>,
    cancel: Cancel<'_>,
) -> Result<()> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let mut output = open_regular(path, &mut options).map_err(Error::io(path, "open"))?;
    match store.head(object, cancel)? {
        None => return Err(missing(store, object)),
        Some(found) if found.length != file.length => {
            return Err(damaged(
                &store.full(object),
                "length",
                found.length.to_string(),
                file.length,
            ));
        }
        Some(_) => {}
    }
    let mut had = output.metadata().map_err(Error::io(path, "stat"))?.len();
    if had > file.length {
        had = 0;
    }
    loop {
        output.set_len(had).map_err(Error::io(path, "truncate"))?;
        output.rewind().map_err(Error::io(path, "read"))?;
        let mut digest = digest_of(&mut output, path, cancel)?;
        output
            .seek(SeekFrom::Start(had))
            .map_err(Error::io(path, "seek"))?;
        meter.add(Stage::Receiving, had);
        let mut at = had;
        while at < file.length {
            let end = file.length.min(at + PART as u64);
            let bytes = store
                .get_part(object, at..end, cancel)?
                .ok_or_else(|| missing(store, object))?;
            if bytes.len() as u64 != end - at {
                return Err(damaged(
                    &store.full(object),
                    "length",
                    (at + bytes.len() as u64).to_string(),
                    file.length,
                ));
            }
            digest.update(&bytes);
            output.write_all(&bytes).map_err(Error::io(path, "write"))?;
            meter.add(Stage::Receiving, bytes.len() as u64);
            at = end;
        }
        let found: [u8; 32] = digest.finalize().into();
        if found == file.sha256 {
            return output.sync_all().map_err(Error::io(path, "sync"));
        }
        if had == 0 {
            output.set_len(0).map_err(Error::io(path, "truncate"))?;
            return Err(damaged(
                &store.full(object),
                "SHA-256",
                hex(&found),
                hex(&file.sha256),
            ));
        }
        // The earlier part of the file may be wrong, so fetch all of it.
        had = 0;
    }
}

/// Sends a file to the store if its SHA-256 is right. Nobody reads the name yet.
pub(super) fn send(
    store: &Store,
    object: &str,
    file: &CarriedFile,
    (path, is_over): (&Path, bool),
    meter: &Meter<'_>,
    cancel: Cancel<'_>,
) -> Result<()> {
    let mut input =
        open_regular(path, OpenOptions::new().read(true)).map_err(Error::io(path, "open"))?;
    let wrong = |what, found: String, expected: String| Error::CorruptIndex {
        path: path.to_owned(),
        what,
        found,
        expected: format!("{expected}, as the manifest says"),
        remedy: "damaged files are not pushed: restore it from a copy of the index",
    };
    let length = input.metadata().map_err(Error::io(path, "stat"))?.len();
    if length != file.length {
        return Err(wrong(
            "length of the file",
            length.to_string(),
            file.length.to_string(),
        ));
    }
    if length > PART as u64 {
        let digest = std::cell::RefCell::new(Sha256::new());
        let mut sent = |bytes: &[u8]| {
            digest.borrow_mut().update(bytes);
            meter.add(Stage::Sending, bytes.len() as u64);
        };
        let mut check = || {
            let found: [u8; 32] = digest.take().finalize().into();
            if found == file.sha256 {
                Ok(())
            } else {
                Err(wrong("SHA-256", hex(&found), hex(&file.sha256)))
            }
        };
        return store.put_parts(object, input, (PART, path), &mut sent, &mut check, cancel);
    }
    let mut bytes = Vec::new();
    input
        .read_to_end(&mut bytes)
        .map_err(Error::io(path, "read"))?;
    let found: [u8; 32] = Sha256::digest(&bytes).into();
    if found != file.sha256 {
        return Err(wrong("SHA-256", hex(&found), hex(&file.sha256)));
    }
    if is_over {
        store.put_over(object, bytes, cancel)?;
    } else if !store.put_new(object, bytes, cancel)? {
        // Another machine sent it meanwhile. The name determines the content, so only the length is
        // checked.
        let found = store.head(object, cancel)?.map(|found| found.length);
        if found != Some(length) {
            let found = found.map_or("unknown".to_owned(), |found| found.to_string());
            return Err(damaged(&store.full(object), "length", found, length));
        }
    }
    meter.add(Stage::Sending, length);
    Ok(())
}

/// Whether a file has this length and SHA-256; `false` if it is missing.
pub(super) fn is_whole(path: &Path, file: &CarriedFile, cancel: Cancel<'_>) -> Result<bool> {
    let mut input = match open_regular(path, OpenOptions::new().read(true)) {
        Ok(input) => input,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(cause) => return Err(Error::io(path, "open")(cause)),
    };
    if input.metadata().map_err(Error::io(path, "stat"))?.len() != file.length {
        return Ok(false);
    }
    let found: [u8; 32] = digest_of(&mut input, path, cancel)?.finalize().into();
    Ok(found == file.sha256)
}

/// Hashes a file from its current position to its end.
fn digest_of(input: &mut File, path: &Path, cancel: Cancel<'_>) -> Result<Sha256> {
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        if cancel() {
            return Err(Error::Cancelled);
        }
        match input.read(&mut buffer).map_err(Error::io(path, "read"))? {
            0 => return Ok(digest),
            read => digest.update(&buffer[..read]),
        }
    }
}

/// Number of files transferred at once.
const AT_ONCE: usize = 4;
/// Size of the parts in which a file is transferred, in bytes. S3 requires at least 5 MiB; each
/// file in transfer keeps one part in memory.
const PART: usize = 16 << 20;
