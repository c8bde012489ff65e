//! Checks whether the ledger and the index of its submissions are in step.
//!
//! After each change the ledger records the root and generation of the index. While both match,
//! they are in step. Otherwise entries are compared one by one.

use std::collections::HashMap;

use super::book::Ledger;
use super::claims::Standing;
use super::record::{Entry, Kind, State};
use super::shelf::{self, Shelf, Shelved, entry_digest};
use crate::index::{Index, hex};
use crate::{Error, Result};

/// How the ledger and the index of its submissions differ.
#[derive(Clone, Debug, Default)]
pub(super) struct Step {
    /// Submissions that stand, and their entries that the index lacks.
    pub(super) missing: Vec<(u64, String)>,
    /// Entries that the ledger does not know.
    pub(super) unknown: Vec<Shelved>,
    /// Entries of submissions that no longer stand.
    pub(super) leftover: Vec<String>,
}

impl Step {
    /// Compares ledger and index. Also returns the index.
    ///
    /// Changes by other processes meanwhile do not count: a difference is checked again before it
    /// is reported.
    pub(super) fn compare(ledger: &mut Ledger, shelf: &Shelf) -> Result<(Step, Option<Index>)> {
        for attempt in 1.. {
            // The ledger first: an entry is in the index before the ledger records it.
            let seen = ledger.seen_index()?;
            let index = shelf.open()?;
            if seen == index.as_ref().map(shelf::state) {
                return Ok((Step::default(), index));
            }
            let step = Step::found(ledger, index.as_ref())?;
            if step.is_whole() || attempt == ATTEMPTS {
                return Ok((step, index));
            }
        }
        Ok((Step::default(), None))
    }

    fn found(ledger: &mut Ledger, index: Option<&Index>) -> Result<Step> {
        let mut step = Step::default();
        let mut known: HashMap<String, (u64, Standing)> = HashMap::new();
        let mut last = String::new();
        loop {
            let entries = ledger.entries_after(&last)?;
            let Some((digest, ..)) = entries.last() else {
                break;
            };
            last.clone_from(digest);
            known.extend(
                entries
                    .into_iter()
                    .map(|(digest, number, standing)| (digest, (number, standing))),
            );
        }
        for entry in index.into_iter().flat_map(shelf::shelved) {
            match known.remove(&entry.digest) {
                Some((_, Standing::Decided)) => {}
                Some(_) => step.leftover.push(entry.digest),
                None => match unlisted(ledger, &entry)? {
                    Unlisted::Pending => {}
                    Unlisted::Leftover => step.leftover.push(entry.digest),
                    Unlisted::Unknown => step.unknown.push(entry),
                },
            }
        }
        let missing = known
            .into_iter()
            .filter(|(_, (_, standing))| *standing == Standing::Decided);
        step.missing = missing
            .map(|(digest, (number, _))| (number, digest))
            .collect();
        step.missing.sort();
        step.unknown.sort_by_key(|entry| entry.number);
        step.leftover.sort();
        Ok(step)
    }

    /// Whether nothing needs a person's attention.
    pub(super) fn is_whole(&self) -> bool {
        self.missing.is_empty() && self.unknown.is_empty()
    }

    /// Fails if something needs a person's attention.
    pub(super) fn check(&self, ledger: &Ledger, shelf: &Shelf) -> Result<()> {
        let (found, remedy) = if let Some((first, _)) = self.missing.first() {
            let mut numbers: Vec<u64> = self.missing.iter().map(|(number, _)| *number).collect();
            numbers.dedup();
            (
                format!(
                    "the index lacks {} of the ledger, first {first}",
                    counted(numbers.len())
                ),
                "put the newer index back, name the right folder with --submissions, or make the missing entries again from the clips \
                 with: uniq intake mend FOLDER-OF-CLIPS",
            )
        } else if let Some(first) = self.unknown.first() {
            let name = first.number.map_or("of another kind".to_owned(), |number| {
                format!("submission {number}")
            });
            (
                format!(
                    "the index has {} that the ledger lacks, first {name}",
                    counted(self.unknown.len())
                ),
                "put the newer ledger back, name the right folder with --submissions, or have the ledger hold their seconds with: uniq \
                 intake mend --adopt",
            )
        } else {
            return Ok(());
        };
        Err(Error::LedgerOutOfStep {
            ledger: ledger.name().to_owned(),
            index: shelf.dir().to_owned(),
            found,
            remedy: remedy.to_owned(),
        })
    }
}

fn counted(number: usize) -> String {
    if number == 1 {
        "one submission".to_owned()
    } else {
        format!("{number} submissions")
    }
}

/// Why the ledger does not list an entry.
enum Unlisted {
    /// Its worker has added it but not yet recorded it.
    Pending,
    /// Its submission has ended or has other entries now.
    Leftover,
    /// The ledger does not know its submission.
    Unknown,
}

fn unlisted(ledger: &mut Ledger, entry: &Shelved) -> Result<Unlisted> {
    let Some(number) = entry.number else {
        return Ok(Unlisted::Unknown);
    };
    let of = match ledger.submission(number) {
        Ok(of) => of,
        Err(Error::LedgerRefused { .. }) => return Ok(Unlisted::Unknown),
        Err(error) => return Err(error),
    };
    let is_its = |mut pictures: std::ops::Range<u32>| {
        pictures.any(|picture| hex(&entry_digest(of.number, picture, &of.sha256)) == entry.digest)
    };
    let awaits_clip = of.standing == Standing::Decided && of.kind == Kind::Fingerprint;
    let (is_first, is_confirming) = (is_its(0..CONFIRMING), is_its(CONFIRMING..2 * CONFIRMING));
    if of.standing == Standing::Received && is_first || awaits_clip && is_confirming {
        return Ok(Unlisted::Pending);
    }
    let had = ledger
        .events_of(number)?
        .iter()
        .any(|event| event.body.contains(&entry.digest));
    let has_ended = !matches!(of.standing, Standing::Received | Standing::Decided);
    Ok(if had || (is_first || is_confirming) && has_ended {
        Unlisted::Leftover
    } else {
        Unlisted::Unknown
    })
}

/// Adds entries that only the index knows to the ledger, and returns their numbers.
pub(super) fn adopt(ledger: &mut Ledger, unknown: &[Shelved]) -> Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in unknown {
        let duration = entry.duration.as_millis() as u64;
        let digest = Entry {
            digest: entry.digest.clone(),
            start_ms: 0,
        };
        numbers.push(ledger.adopt(entry.number, &digest, duration)?);
    }
    Ok(numbers)
}

/// Records that the index is in step in this state.
pub(super) fn note(ledger: &mut Ledger, index: Option<&State>) -> Result<()> {
    index.map_or(Ok(()), |state| ledger.see_index(state))
}

/// Number of comparisons before a difference is reported.
const ATTEMPTS: usize = 4;

/// First number of a video stream of a clip that confirms a fingerprint; greater than any clip's
/// own numbers.
pub(super) const CONFIRMING: u32 = 16;
