//! Confirms a fingerprint by its clip.

use std::path::Path;

use super::answer;
use super::book::{Ledger, NUMBER_MAX, Outcome, not_awaiting};
use super::claims::{Pair, Standing};
use super::intake::{Answer, Intake, Looked, Offer};
use super::interval::{Interval, Intervals};
use super::pairs;
use super::record::Kind;
use super::shelf::{self, Shelf};
use super::step::{CONFIRMING, Step};
use crate::certificate::{self, Terms};
use crate::fingerprint::{ClipPictures, Fingerprint};
use crate::report::{self, Report, SpanState};
use crate::{Error, Result};

impl Intake<'_> {
    /// Confirms the fingerprint of a submission by its clip.
    ///
    /// The clip must show what the fingerprint was made of. It is searched for again, and the
    /// submission then claims what both fingerprint and clip allow.
    ///
    /// # Errors
    /// [`Error::LedgerRefused`] if the clip is another one, or the submission is not a fingerprint
    /// of this creator, and those of [`Intake::answer`].
    pub fn confirm(
        &self,
        ledger: &mut Ledger,
        number: u64,
        offer: &Offer<'_>,
        terms: Option<&Terms<'_>>,
    ) -> Result<Answer> {
        let there = ledger.submission(number)?;
        if there.kind != Kind::Fingerprint || there.standing != Standing::Decided {
            return Err(not_awaiting(&there));
        }
        if there.by != offer.by {
            let reason = format!(
                "submission {number} belongs to {}, not to {}; give its creator with --by",
                there.by, offer.by
            );
            return Err(Error::LedgerRefused { reason });
        }
        let receipt = self.receipt(offer)?;
        ledger.check_confirming(number, &receipt)?;
        let submitted = ledger.fingerprint(number)?;
        let submitted = submitted
            .as_deref()
            .map(Fingerprint::from_bytes)
            .transpose();
        let submitted = submitted.map_err(|reason| Error::CorruptLedger {
            ledger: ledger.name().to_owned(),
            what: format!("the fingerprint of submission {number}"),
            found: reason,
        })?;
        let Some(submitted) = submitted else {
            let reason = format!(
                "submission {number} has no fingerprint to compare a clip with; submit the clip anew"
            );
            return Err(Error::LedgerRefused { reason });
        };
        let prepared = self.prepared(receipt.kind, &receipt.sha256, offer.file, terms)?;
        let Looked::Clip(looked) = &prepared.looked else {
            return Err(not_awaiting(&there));
        };
        let differs = difference(&submitted, looked, offer.file)?;
        if let Some(differs) = differs {
            let reason = format!(
                "{}: not the clip of submission {number}: {differs}",
                offer.file.display()
            );
            return Err(Error::LedgerRefused { reason });
        }
        // Submissions in between have claims that the fingerprint may have hidden, so all numbers
        // are searched.
        let shelf = Shelf::of(&self.books);
        let _turn = shelf.turn(&|| self.pause())?;
        let (step, among) = Step::compare(ledger, &shelf)?;
        step.check(ledger, &shelf)?;
        let mut pairs = self.pairs(ledger, &there, among.as_ref(), &step.leftover, &prepared)?;
        let duration_ms = (prepared.report.clip.duration_s * 1e3).round() as u64;
        for other in ledger.same_bytes_below(&receipt.sha256, NUMBER_MAX)? {
            if other != number {
                pairs.push(pairs::identical(other, duration_ms));
            }
        }
        let pictures = shelf::named(&there, CONFIRMING, prepared.looked.shown());
        let (entries, state) = shelf.put(&there, &pictures, &step.leftover)?;
        let old: Vec<String> = ledger
            .entries_of(number)?
            .into_iter()
            .map(|entry| entry.digest)
            .collect();
        // The fingerprint was searched for too, and its pairs remain.
        let before = ledger.standings(number)?;
        let known = |pair: &Pair| {
            pairs
                .iter()
                .any(|other| other.other == pair.other && other.here == pair.here)
        };
        let kept: Vec<_> = before
            .pairs
            .iter()
            .filter(|pair| !known(pair))
            .cloned()
            .collect();
        pairs.extend(kept);
        let mut report = prepared.report;
        if let Some(before) = &before.report {
            restrict(&mut report, before);
        }
        let outcome = Outcome {
            report,
            pairs,
            entries,
            fingerprint: None,
        };
        ledger.confirm(number, &receipt, &outcome, &state)?;
        let state = shelf.clear(&old)?;
        ledger.see_index(&state)?;
        let there = ledger.submission(number)?;
        self.standing(ledger, &there, offer.file, prepared.certified, terms)
    }
}

/// The difference between a clip and the submitted fingerprint; `None` if there is none.
fn difference(
    submitted: &Fingerprint,
    looked: &ClipPictures,
    file: &Path,
) -> Result<Option<String>> {
    let clip = looked.clone().only(file)?;
    let invalid = |reason| Error::InvalidFingerprint {
        path: file.to_owned(),
        reason,
    };
    let made = clip.kept().map_err(invalid)?;
    let digest = |of: &Fingerprint| of.clone().with_pictures(Vec::new()).digest();
    if made.sha256() == submitted.sha256() && digest(&made) == digest(submitted) {
        return Ok(None);
    }
    if submitted.pictures().is_empty() {
        let text = if made.sha256() == submitted.sha256() {
            "the fingerprint has no small pictures to compare, and this version of uniq makes a different one of the clip; submit one \
             made by this version, or with --pictures"
        } else {
            "its SHA-256 differs, and the fingerprint has no small pictures to compare; submit one made with --pictures"
        };
        return Ok(Some(text.to_owned()));
    }
    let compared =
        certificate::compare(submitted, &made).map_err(|reason| Error::LedgerRefused { reason })?;
    if compared.same {
        return Ok(None);
    }
    let passage = compared.passages.first().map(|passage| {
        format!(
            "from {:.1} s on: {}",
            passage.start.as_secs_f64(),
            passage.reason
        )
    });
    Ok(Some(
        compared
            .differences
            .first()
            .cloned()
            .or(passage)
            .unwrap_or_else(|| "it shows something else".to_owned()),
    ))
}

/// The intersection of both lists; `None` if one is not known.
pub(super) fn common(
    one: Option<&[report::Interval]>,
    other: Option<&[report::Interval]>,
) -> Option<Vec<report::Interval>> {
    let set = |of: &[report::Interval]| -> Intervals {
        of.iter()
            .map(|part| Interval::of_seconds(part.start_s, part.end_s))
            .collect()
    };
    let both = set(one?).intersection(&set(other?));
    Some(
        both.iter()
            .map(|part| report::Interval {
                start_s: part.start_s(),
                end_s: part.end_s(),
            })
            .collect(),
    )
}

/// Keeps only those unpublished seconds that were unpublished in the fingerprint's report.
fn restrict(report: &mut Report, before: &Report) {
    let unpublished: Intervals = before
        .spans
        .iter()
        .filter(|span| span.state == SpanState::Unpublished)
        .map(|span| Interval::of_seconds(span.start_s, span.end_s))
        .collect();
    answer::restrict(report, &unpublished);
    report.searchable = common(report.searchable.as_deref(), before.searchable.as_deref());
}
