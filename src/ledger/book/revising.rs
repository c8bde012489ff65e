//! Revises the answer of a submission: its eligible seconds, and what that changes for other
//! submissions.

use sha2::{Digest as _, Sha256};

use super::super::claims::Standing;
use super::super::interval::Intervals;
use super::super::record::{Claim, MatchJudged, Rechecked, State};
use super::super::review::{self, Judgement, Ruling};
use super::super::store::{Tables, Value, sql};
use super::rows::{find, name_of, parsed, serialised, setting};
use super::settling::{Answered, append, resettle_counted, settled_claims, write_claims};
use super::{Outcome, Submission};
use crate::index::hex;
use crate::report::Report;
use crate::{Error, Result};

/// A submission that stands, with the report behind its answer.
#[derive(Clone, Debug)]
pub(in super::super) struct Known {
    pub(in super::super) of: Submission,
    pub(in super::super) report: Report,
    /// SHA-256 of the stored report.
    pub(in super::super) sha256: String,
    /// The judgements of its matches.
    pub(in super::super) judgements: Vec<Judgement>,
}

impl Known {
    pub(in super::super) fn read(
        tables: &mut dyn Tables,
        ledger: &str,
        number: u64,
    ) -> Result<Known> {
        let of = find(tables, number)?;
        if of.standing != Standing::Decided {
            let reason = format!(
                "submission {number} is {}, so it has no valid answer",
                name_of(&of.standing)
            );
            return Err(Error::LedgerRefused { reason });
        }
        let rows = tables.query(sql::REPORT, &[number.into()])?;
        let Some(text) = rows.first().and_then(|row| row.maybe_text(0)) else {
            let reason = format!(
                "submission {number} was recovered from the index, so it has no report; submit its clip again"
            );
            return Err(Error::LedgerRefused { reason });
        };
        let report = parsed(ledger, &format!("the report of submission {number}"), text)?;
        let sha256 = hex(&Sha256::digest(text));
        Ok(Known {
            of,
            report,
            sha256,
            judgements: judgements(tables, ledger, number)?,
        })
    }

    /// The state of the public index up to which the submission was searched.
    pub(in super::super) fn held_against(&self, tables: &mut dyn Tables) -> Result<State> {
        let noted = setting(tables, &setting_of(self.of.number))?;
        let noted = noted.and_then(|text| {
            let mut words = text.split(' ');
            let (generation, root, report) = (words.next()?, words.next()?, words.next()?);
            // The note is void if the answer has changed since.
            let is_of_this = report == self.sha256;
            is_of_this.then_some(State {
                root: root.to_owned(),
                generation: generation.parse().ok()?,
            })
        });
        let answered = &self.report.index;
        Ok(noted.unwrap_or_else(|| State {
            root: answered.root.clone(),
            generation: answered.generation,
        }))
    }
}

/// Notes the state of the public index up to which a submission was searched. A new report makes
/// the note void.
pub(in super::super) fn note_held(
    tables: &mut dyn Tables,
    number: u64,
    report_sha256: &str,
    index: &State,
) -> Result<()> {
    let note = format!("{} {} {report_sha256}", index.generation, index.root);
    tables
        .execute(sql::SET, &[(&*setting_of(number)).into(), (&*note).into()])
        .map(drop)
}

/// Records the findings of a recheck, and settles everything that depends on them. Returns the
/// submissions whose claims changed.
pub(in super::super) fn record_recheck(
    tables: &mut dyn Tables,
    now: u64,
    known: &Known,
    report: Report,
    index: &State,
) -> Result<Vec<u64>> {
    let number = known.of.number;
    let outcome = Outcome {
        report,
        pairs: Vec::new(),
        entries: Vec::new(),
        fingerprint: None,
    };
    let answered = Answered::judged(&outcome, &known.judgements);
    let text = serialised(&outcome.report);
    let (claims, is_other) = revise(tables, number, &answered, &text)?;
    let body = Rechecked {
        verdict: answered.verdict,
        eligible: answered.eligible,
        repeated: answered.repeated,
        published: answered.published,
        claims,
        index: index.clone(),
        report_sha256: hex(&Sha256::digest(&text)),
    };
    append(tables, now, "rechecked", number, &body)?;
    note_held(tables, number, &body.report_sha256, index)?;
    settle_others(
        tables,
        now,
        number,
        is_other,
        &format!("more of submission {number} is public than was known"),
    )
}

/// Records a judgement of a match, and settles everything that depends on it. Returns the
/// submissions whose claims changed.
pub(in super::super) fn record_review(
    tables: &mut dyn Tables,
    now: u64,
    known: Known,
    judgement: &Judgement,
) -> Result<Vec<u64>> {
    let number = known.of.number;
    check(&known, judgement)?;
    let judgements = review::standing(known.judgements.into_iter().chain([judgement.clone()]));
    let text = serialised(&known.report);
    let outcome = Outcome {
        report: known.report,
        pairs: Vec::new(),
        entries: Vec::new(),
        fingerprint: None,
    };
    let answered = Answered::judged(&outcome, &judgements);
    // The report stays unchanged, since it records what the search found.
    let kept = tables.query(sql::REPORT, &[number.into()])?;
    let text = kept
        .first()
        .and_then(|row| row.maybe_text(0))
        .map_or(text, str::to_owned);
    let (claims, is_other) = revise(tables, number, &answered, &text)?;
    let (eligible, published) = (answered.eligible, answered.published);
    let body = MatchJudged {
        judgement: judgement.clone(),
        eligible,
        published,
        claims,
    };
    append(tables, now, "reviewed", number, &body)?;
    let why = format!("a person has judged a match of submission {number}");
    settle_others(tables, now, number, is_other, &why)
}

/// The valid judgements of a submission.
pub(in super::super) fn judgements(
    tables: &mut dyn Tables,
    ledger: &str,
    number: u64,
) -> Result<Vec<Judgement>> {
    let rows = tables.query(sql::REVIEWS_OF, &[number.into()])?;
    let what = format!("a judgement of submission {number}");
    let said = rows
        .iter()
        .map(|row| parsed::<MatchJudged>(ledger, &what, row.text(0)).map(|row| row.judgement));
    Ok(review::standing(said.collect::<Result<Vec<_>>>()?))
}

/// Fails if a judgement is about an unknown match.
fn check(known: &Known, judgement: &Judgement) -> Result<()> {
    let number = known.of.number;
    let refused = |reason: String| Err(Error::LedgerRefused { reason });
    let about = |other: &&Judgement| {
        other.source_sha256 == judgement.source_sha256 && other.here == judgement.here
    };
    if judgement.verdict == Ruling::Undo {
        return match known.judgements.iter().any(|other| about(&other)) {
            true => Ok(()),
            false => refused(format!(
                "this match of submission {number} has no judgement to undo; see its matches with: uniq intake show {number}"
            )),
        };
    }
    let Some(found) = known
        .report
        .matches
        .iter()
        .find(|found| judgement.is_of(found))
    else {
        return refused(format!(
            "submission {number} has no such match; see its matches with: uniq intake show {number}"
        ));
    };
    if judgement.verdict == Ruling::SameScene && found.alignment.identical {
        return refused(format!(
            "the source is the same file as submission {number}, so it is not another take; if the creator published or licensed it, say: allowed"
        ));
    }
    Ok(())
}

/// Writes a revised answer. Returns the claims, and whether they changed.
fn revise(
    tables: &mut dyn Tables,
    number: u64,
    answered: &Answered<'_>,
    report: &str,
) -> Result<(Vec<Claim>, bool)> {
    let list = |intervals: &Intervals| Value::Text(serialised(intervals));
    let parameters = [
        number.into(),
        name_of(&answered.verdict).into(),
        list(&answered.eligible),
        list(&answered.repeated),
        list(&answered.published),
        report.into(),
    ];
    tables.execute(sql::REVISE, &parameters)?;
    let claims = settled_claims(tables, number)?;
    let is_other = claims != super::rows::claims(tables, number)?;
    write_claims(tables, number, &claims)?;
    Ok((claims, is_other))
}

/// Settles everything that depends on a revised submission.
fn settle_others(
    tables: &mut dyn Tables,
    now: u64,
    number: u64,
    is_other: bool,
    why: &str,
) -> Result<Vec<u64>> {
    let mut changed = resettle_counted(tables, now, [number].into(), why)?;
    if is_other && !changed.contains(&number) {
        changed.push(number);
        changed.sort_unstable();
    }
    Ok(changed)
}

fn setting_of(number: u64) -> String {
    format!("rechecked_{number}")
}

#[cfg(test)]
mod tests;
