//! Reads the files, groups those with the same bytes, and decodes each content.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};

use super::each::each;
use super::findings::Failure;
use super::work::{Kept, Work};
use super::{DedupOptions, Event, Input, Stage};
use crate::fingerprint;
use crate::report::Effort;
use crate::{Error, Result};

/// All files with the same bytes.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) sha256: [u8; 32],
    /// The first path by name, so that it does not depend on the order given.
    pub(super) path: PathBuf,
    /// Numbers of the inputs, ascending.
    pub(super) files: Vec<usize>,
    pub(super) reference: bool,
    pub(super) bytes: u64,
    /// The decoded clip, or why it could not be decoded.
    pub(super) kept: std::result::Result<Kept, String>,
}

/// Result of reading all files.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// In the order of their first files.
    pub(super) contents: Vec<Content>,
    pub(super) failed: Vec<Failure>,
    pub(super) decoded_s: f64,
    pub(super) decoded: u64,
    pub(super) reused: u64,
}

/// Reads all files, and decodes each content once unless the work folder has it.
pub(super) fn read(inputs: &[Input], work: &Work, options: &DedupOptions<'_>) -> Result<Read> {
    let mut read = Read::default();
    let numbers: Vec<usize> = (0..inputs.len()).collect();
    let digests = each(
        &numbers,
        options.threads,
        &|&number| {
            let source = options.decoding.open(&inputs[number].path);
            match source
                .and_then(|source| Ok((source.sha256(&|| options.is_cancelled())?, source.bytes())))
            {
                Err(Error::Cancelled) => Err(Error::Cancelled),
                other => Ok(other),
            }
        },
        &|done| {
            (options.progress)(Event {
                stage: Stage::Reading,
                done,
                of: inputs.len(),
            })
        },
    )?;
    let mut places: BTreeMap<[u8; 32], usize> = BTreeMap::new();
    for (number, (digest, input)) in digests.into_iter().zip(inputs).enumerate() {
        match digest {
            Ok((sha256, bytes)) => {
                let place = *places.entry(sha256).or_insert(read.contents.len());
                if place == read.contents.len() {
                    let kept = Err(String::new());
                    let path = input.path.clone();
                    read.contents.push(Content {
                        sha256,
                        path,
                        files: vec![],
                        reference: false,
                        bytes,
                        kept,
                    });
                }
                let content = &mut read.contents[place];
                content.files.push(number);
                content.reference |= input.reference;
                if input.path < content.path {
                    content.path.clone_from(&input.path);
                }
            }
            Err(error) => read.failed.push(failure(input, &error)),
        }
    }
    let contents = std::mem::take(&mut read.contents);
    let tally = Mutex::new((0.0, 0, 0));
    let kept = each(
        &contents,
        options.threads,
        &|content| {
            if let Some(kept) = work.kept(&content.sha256) {
                tally.lock().unwrap_or_else(PoisonError::into_inner).2 += 1;
                return Ok(Ok(kept));
            }
            match decoded(content, inputs, options) {
                Ok(made) => {
                    let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
                    tally.0 += made
                        .pictures
                        .iter()
                        .map(|picture| picture.fingerprint.duration.as_secs_f64())
                        .sum::<f64>();
                    tally.1 += 1;
                    drop(tally);
                    Ok(Ok(work.keep(&content.sha256, &made)?))
                }
                Err(Error::Cancelled) => Err(Error::Cancelled),
                Err(error) => Ok(Err(error)),
            }
        },
        &|done| {
            (options.progress)(Event {
                stage: Stage::Decoding,
                done,
                of: contents.len(),
            })
        },
    )?;
    (read.decoded_s, read.decoded, read.reused) =
        tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    for (mut content, kept) in contents.into_iter().zip(kept) {
        content.kept = kept.map_err(|error| {
            read.failed.extend(
                content
                    .files
                    .iter()
                    .map(|&number| failure(&inputs[number], &error)),
            );
            with_causes(&error)
        });
        read.contents.push(content);
    }
    Ok(read)
}

/// Decodes the first file of a content.
fn decoded(
    content: &Content,
    inputs: &[Input],
    options: &DedupOptions<'_>,
) -> Result<fingerprint::ClipPictures> {
    let path = &inputs[content.files[0]].path;
    let made = match options.effort {
        Effort::Fast => fingerprint::sketches_of_clip(path, options.decoding, options.cancel)?,
        _ => fingerprint::pictures_of_clip(path, options.decoding, options.cancel)?,
    };
    if made
        .pictures
        .iter()
        .any(|picture| picture.fingerprint.sha256 != content.sha256)
    {
        return Err(Error::Changed { path: path.clone() });
    }
    Ok(made)
}

/// The report about an unreadable file.
pub(super) fn failure(input: &Input, error: &Error) -> Failure {
    let (path, mut message) = (
        input.path.to_string_lossy().into_owned(),
        with_causes(error),
    );
    if !message.contains(&path) {
        message = format!("{path}: {message}");
    }
    Failure {
        path,
        reference: input.reference,
        code: error.code(),
        message,
    }
}

/// An error and its causes on one line.
fn with_causes(error: &Error) -> String {
    let mut line = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let text = inner.to_string();
        if !text.is_empty() && !line.ends_with(&text) {
            line = format!("{line}: {text}");
        }
        cause = inner.source();
    }
    line
}

impl DedupOptions<'_> {
    pub(super) fn is_cancelled(&self) -> bool {
        self.cancel
            .is_some_and(|cancel| cancel.load(Ordering::Relaxed))
    }
}
