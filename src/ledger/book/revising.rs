//! Says something else of a submission that has its answer: what it is eligible for, and what that
//! means for others.

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

/// A submission that stands, with the report that its answer is made of.
#[derive(Clone, Debug)]
pub(in super::super) struct Known {
    pub(in super::super) of: Submission,
    pub(in super::super) report: Report,
    /// SHA-256 of the report as it is kept.
    pub(in super::super) sha256: String,
    /// What persons say of its matches.
    pub(in super::super) judgements: Vec<Judgement>,
}

impl Known {
    /// Reads it.
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

    /// The state of the public index up to which it was held against what is public.
    pub(in super::super) fn held_against(&self, tables: &mut dyn Tables) -> Result<State> {
        let noted = setting(tables, &setting_of(self.of.number))?;
        let noted = noted.and_then(|text| {
            let mut words = text.split(' ');
            let (generation, root, report) = (words.next()?, words.next()?, words.next()?);
            // Another answer has come since.
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

/// Notes up to which state of the public index a submission was held against what is public; it is
/// forgotten when its report becomes another.
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

/// Records what a recheck has found, and settles again what depends on it; gives the submissions
/// whose claims are others now.
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

/// Records what a person says of a match, and settles again what depends on it; gives the
/// submissions whose claims are others now.
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
    // The report stays as it is: what the search has found.
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

/// The judgements of a submission that stand.
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

/// Fails if a judgement is about nothing that is known of a submission.
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

/// Writes another answer of a submission; gives its claims, and whether they are others.
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

/// Settles again what depends on a submission that was revised.
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
