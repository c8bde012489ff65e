//! Says something else of a submission that has its answer: what it is eligible for, and what that
//! means for others.

use sha2::{Digest as _, Sha256};

use super::super::claims::Standing;
use super::super::interval::Intervals;
use super::super::record::{Rechecked, State};
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
}

impl Known {
    /// Reads it.
    pub(in super::super) fn read(tables: &mut dyn Tables, ledger: &str, number: u64) -> Result<Known> {
        let of = find(tables, number)?;
        if of.standing != Standing::Decided {
            let reason = format!("submission {number} is {}, and has no answer that stands", name_of(&of.standing));
            return Err(Error::LedgerRefused { reason });
        }
        let rows = tables.query(sql::REPORT, &[number.into()])?;
        let Some(text) = rows.first().and_then(|row| row.maybe_text(0)) else {
            let reason = format!("submission {number} was taken from the index, and its clip was never seen");
            return Err(Error::LedgerRefused { reason });
        };
        let report = parsed(ledger, &format!("the report of submission {number}"), text)?;
        Ok(Known { of, report, sha256: hex(&Sha256::digest(text)) })
    }

    /// The state of the public index up to which it was held against what is public.
    pub(in super::super) fn held_against(&self, tables: &mut dyn Tables) -> Result<State> {
        let noted = setting(tables, &setting_of(self.of.number))?;
        let noted = noted.and_then(|text| {
            let mut words = text.split(' ');
            let (generation, root, report) = (words.next()?, words.next()?, words.next()?);
            // Another answer has come since.
            let is_of_this = report == self.sha256;
            is_of_this.then_some(State { root: root.to_owned(), generation: generation.parse().ok()? })
        });
        let answered = &self.report.index;
        Ok(noted.unwrap_or_else(|| State { root: answered.root.clone(), generation: answered.generation }))
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
    tables.execute(sql::SET, &[(&*setting_of(number)).into(), (&*note).into()]).map(drop)
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
    let outcome = Outcome { report, pairs: Vec::new(), entries: Vec::new(), fingerprint: None };
    let answered = Answered::of(&outcome);
    let text = serialised(&outcome.report);
    let list = |intervals: &Intervals| Value::Text(serialised(intervals));
    let parameters = [
        number.into(),
        name_of(&answered.verdict).into(),
        list(&answered.eligible),
        list(&answered.repeated),
        list(&answered.published),
        (&*text).into(),
    ];
    tables.execute(sql::REVISE, &parameters)?;
    let claims = settled_claims(tables, number)?;
    let is_other = claims != super::rows::claims(tables, number)?;
    write_claims(tables, number, &claims)?;
    let body = Rechecked {
        verdict: answered.verdict,
        eligible: answered.eligible.clone(),
        repeated: answered.repeated.clone(),
        published: answered.published.clone(),
        claims,
        index: index.clone(),
        report_sha256: hex(&Sha256::digest(&text)),
    };
    append(tables, now, "rechecked", number, &body)?;
    note_held(tables, number, &body.report_sha256, index)?;
    let why = format!("more of submission {number} is public than was known");
    let mut changed = resettle_counted(tables, now, [number].into(), &why)?;
    if is_other && !changed.contains(&number) {
        changed.push(number);
        changed.sort_unstable();
    }
    Ok(changed)
}

fn setting_of(number: u64) -> String {
    format!("rechecked_{number}")
}
