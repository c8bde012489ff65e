//! Keeps the ledger and the index of its submissions in step: removes withdrawn submissions, and
//! repairs differences.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use super::book::{Ledger, Submission};
use super::intake::{Books, Looked, PAUSE, decoded, unhex};
use super::shelf::{self, Shelf};
use super::step::{self, Step};
use crate::check::CheckOptions;
use crate::fingerprint::Fingerprint;
use crate::index::hex;
use crate::{Error, Result};

/// Result of [`mend`].
#[derive(Debug, Default)]
pub struct Mended {
    /// Entries that were removed from the index.
    pub removed: usize,
    /// Submissions whose entries were made again.
    pub made: Vec<u64>,
    /// Submissions whose entries are still missing, and why.
    pub missing: Vec<(u64, Error)>,
    /// New numbers of entries that only the index knew.
    pub adopted: Vec<u64>,
    /// Entries that only the index knows.
    pub unknown: usize,
}

/// Fails unless the ledger and the index of its submissions are in step.
///
/// # Errors
/// [`Error::LedgerOutOfStep`], and those of both.
pub fn check_step(ledger: &mut Ledger, books: &Books<'_>) -> Result<()> {
    let shelf = Shelf::of(books);
    let (step, _) = Step::compare(ledger, &shelf)?;
    step.check(ledger, &shelf)
}

/// Withdraws a submission, and removes its keys and pictures from the index of submissions.
///
/// # Errors
/// Those of [`Ledger::withdraw`]. If the index fails, the submission is withdrawn, and the next
/// change of the index removes its keys.
pub fn withdraw(
    ledger: &mut Ledger,
    books: &Books<'_>,
    number: u64,
    by: Option<&str>,
    why: Option<&str>,
) -> Result<()> {
    ledger.withdraw(number, by, why)?;
    let shelf = Shelf::of(books);
    let (step, index) = Step::compare(ledger, &shelf)?;
    let state = match step.leftover.is_empty() {
        true => index.as_ref().map(shelf::state),
        false => Some(shelf.clear(&step.leftover)?),
    };
    if step.is_whole() {
        step::note(ledger, state.as_ref())
    } else {
        Ok(())
    }
}

/// Repairs differences between the ledger and the index of its submissions. Removes leftovers.
/// Makes missing entries again from the clips at their recorded paths, or from those of `clips`
/// with the same bytes. With `adopts`, adds entries that only the index knows to the ledger.
///
/// # Errors
/// Those of the ledger and the index. A clip that cannot be decoded counts as missing.
pub fn mend(
    books: &Books<'_>,
    clips: &[PathBuf],
    adopts: bool,
    options: &CheckOptions<'_>,
) -> Result<Mended> {
    let mut ledger = books.open(false)?;
    let shelf = Shelf::of(books);
    let is_cancelled = || {
        options
            .cancel
            .is_some_and(|cancel| cancel.load(Ordering::Relaxed))
    };
    let _turn = shelf.turn(&|| {
        std::thread::sleep(PAUSE);
        if is_cancelled() {
            Err(Error::Cancelled)
        } else {
            Ok(())
        }
    })?;
    let (step, _) = Step::compare(&mut ledger, &shelf)?;
    let mut mended = Mended {
        removed: step.leftover.len(),
        ..Mended::default()
    };
    if !step.leftover.is_empty() {
        shelf.clear(&step.leftover)?;
    }
    let mut numbers: Vec<u64> = step.missing.iter().map(|(number, _)| *number).collect();
    numbers.dedup();
    let mut by_sha256 = HashMap::new();
    if !numbers.is_empty() {
        for clip in clips {
            match options
                .decoding
                .open(clip)
                .and_then(|file| file.sha256(&is_cancelled))
            {
                Ok(sha256) => drop(by_sha256.insert(hex(&sha256), clip.clone())),
                Err(Error::Cancelled) => return Err(Error::Cancelled),
                // An unreadable file is not one of the missing clips.
                Err(_) => {}
            }
        }
    }
    for number in numbers {
        let of = ledger.submission(number)?;
        let file = by_sha256
            .get(&of.sha256)
            .cloned()
            .unwrap_or_else(|| PathBuf::from(&of.path));
        match put_again(&mut ledger, &shelf, &of, &file, options) {
            Ok(()) => mended.made.push(number),
            Err(Error::Cancelled) => return Err(Error::Cancelled),
            Err(error) => mended.missing.push((number, error)),
        }
    }
    if adopts {
        mended.adopted = step::adopt(&mut ledger, &step.unknown)?;
    } else {
        mended.unknown = step.unknown.len();
    }
    let (step, index) = Step::compare(&mut ledger, &shelf)?;
    if step.is_whole() {
        step::note(&mut ledger, index.as_ref().map(shelf::state).as_ref())?;
    }
    Ok(mended)
}

/// Makes the entries of a submission again, under the names in the ledger.
fn put_again(
    ledger: &mut Ledger,
    shelf: &Shelf,
    of: &Submission,
    file: &Path,
    options: &CheckOptions<'_>,
) -> Result<()> {
    let looked = match ledger.fingerprint(of.number)? {
        Some(bytes) => {
            let invalid = |reason| Error::InvalidFingerprint {
                path: file.to_owned(),
                reason,
            };
            Looked::Fingerprint(Box::new(Fingerprint::from_bytes(&bytes).map_err(invalid)?))
        }
        None => Looked::Clip(Box::new(decoded(file, &of.sha256, options)?)),
    };
    let mut shown = looked.shown();
    shown.sort_by_key(|shown| shown.start);
    let digests: Vec<[u8; 32]> = ledger
        .entries_of(of.number)?
        .iter()
        .filter_map(|entry| unhex(&entry.digest))
        .collect();
    if shown.len() != digests.len() {
        let reason = format!(
            "{}: gives {} pictures, but submission {} had {}; use the version of uniq that added it",
            file.display(),
            shown.len(),
            of.number,
            digests.len()
        );
        return Err(Error::LedgerRefused { reason });
    }
    let pictures: Vec<_> = shown.into_iter().zip(digests).collect();
    shelf.put(of, &pictures, &[]).map(drop)
}
