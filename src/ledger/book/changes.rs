//! Changes of submissions after their answers, by people or by later clips.

use super::super::claims::{Decision, Pair, Standing};
use super::super::interval::{Interval, Intervals};
use super::super::record::{ClaimState, Claimed, Entry, Judged, Kind, State};
use super::super::review::Judgement;
use super::super::store::{Tables, sql};
use super::revising::{Known, judgements, record_review};
use super::rows::{claims, find, name_of, not_awaiting, pairs};
use super::settling::{
    Answered, add_submission, append, record, resettle, resettle_counted, see_index, write_claims,
};
use super::{Ledger, Outcome, Receipt, Submission, UNKNOWN_CREATOR, named, optional};
use crate::report::Verdict;
use crate::{Error, Result};

impl Ledger {
    /// Fails if the creator has submitted the clip itself under another number.
    pub(in super::super) fn check_confirming(
        &mut self,
        number: u64,
        receipt: &Receipt,
    ) -> Result<()> {
        self.read(|tables| is_unnumbered(tables, number, receipt))
    }

    /// Records that a clip has confirmed the fingerprint of a submission.
    pub(in super::super) fn confirm(
        &mut self,
        number: u64,
        receipt: &Receipt,
        outcome: &Outcome,
        index: &State,
    ) -> Result<()> {
        let (now, name) = (self.store.now_ms()?, self.name.clone());
        self.write(|tables| {
            let there = find(tables, number)?;
            if there.standing != Standing::Decided || there.kind != Kind::Fingerprint {
                return Err(not_awaiting(&there));
            }
            is_unnumbered(tables, number, receipt)?;
            let parameters = [
                number.into(),
                (&*receipt.sha256).into(),
                receipt.bytes.into(),
                (&*receipt.path).into(),
            ];
            tables.execute(sql::CONFIRM, &parameters)?;
            let there = Submission {
                sha256: receipt.sha256.clone(),
                ..there
            };
            let said = judgements(tables, &name, number)?;
            record(
                tables,
                now,
                "confirmed",
                &there,
                Kind::Clip,
                &Answered::judged(outcome, &said),
            )?;
            // Fewer seconds may be eligible than before, which frees others.
            resettle(
                tables,
                now,
                [number].into(),
                "a clip has confirmed a fingerprint",
            )?;
            see_index(tables, index)
        })
    }

    /// Withdraws a submission: its claims end, and the submissions that they blocked are settled
    /// again, in order.
    ///
    /// # Errors
    /// [`Error::LedgerRefused`] if some of it was sold or it does not stand, and those of the
    /// database.
    pub fn withdraw(&mut self, number: u64, by: Option<&str>, why: Option<&str>) -> Result<()> {
        let (by, why) = (
            optional("name (--by)", by)?,
            optional("reason (--why)", why)?,
        );
        let now = self.store.now_ms()?;
        self.write(|tables| {
            let there = find(tables, number)?;
            if !matches!(there.standing, Standing::Decided | Standing::Received) {
                let reason = format!(
                    "submission {number} is {}, so it claims nothing that could be withdrawn",
                    name_of(&there.standing)
                );
                return Err(Error::LedgerRefused { reason });
            }
            let mut ended = claims(tables, number)?;
            if ended.iter().any(|claim| claim.state == ClaimState::Sold) {
                let reason = format!(
                    "submission {number} is sold, and sold submissions cannot be withdrawn"
                );
                return Err(Error::LedgerRefused { reason });
            }
            for claim in &mut ended {
                claim.state = ClaimState::Withdrawn;
            }
            let body = Claimed {
                by: by.clone(),
                why: why.clone(),
                claims: ended.clone(),
            };
            append(tables, now, "withdrawn", number, &body)?;
            write_claims(tables, number, &ended)?;
            tables.execute(
                sql::END,
                &[number.into(), "withdrawn".into(), why.as_deref().into()],
            )?;
            tables.execute(sql::DROP_FINGERPRINT, &[number.into()])?;
            // Its entries must still be removed. Until then no state of the index counts as seen.
            see_index(
                tables,
                &State {
                    root: String::new(),
                    generation: 0,
                },
            )?;
            resettle(
                tables,
                now,
                [number].into(),
                &format!("submission {number} was withdrawn"),
            )
        })
    }

    /// Records that the offered seconds of a submission were bought, and returns their length in
    /// milliseconds.
    ///
    /// # Errors
    /// [`Error::LedgerRefused`] if it offers nothing, or only a fingerprint was seen, and those of
    /// the database.
    pub fn sell(&mut self, number: u64, by: Option<&str>, why: Option<&str>) -> Result<u64> {
        let (by, why) = (
            optional("name (--by)", by)?,
            optional("reference (--why)", why)?,
        );
        let now = self.store.now_ms()?;
        self.write(|tables| {
            let there = find(tables, number)?;
            if there.provisional {
                let reason = format!(
                    "submission {number} is only a fingerprint, so its offer is provisional; confirm it first with: uniq intake add \
                     CLIP --by CREATOR --for {number}"
                );
                return Err(Error::LedgerRefused { reason });
            }
            let mut sold = claims(tables, number)?;
            let mut length = 0;
            for claim in sold.iter_mut().filter(|claim| claim.state == ClaimState::Offered) {
                length += claim.end_ms - claim.start_ms;
                claim.state = ClaimState::Sold;
            }
            if length == 0 {
                let state = if sold.iter().any(|claim| claim.state == ClaimState::Sold) {
                    "was sold before".to_owned()
                } else {
                    format!("is {}, so it offers nothing", name_of(&there.standing))
                };
                return Err(Error::LedgerRefused { reason: format!("submission {number} {state}") });
            }
            let body = Claimed { by: by.clone(), why: why.clone(), claims: sold.clone() };
            append(tables, now, "sold", number, &body)?;
            write_claims(tables, number, &sold)?;
            Ok(length)
        })
    }

    /// Records a decision about a pair, and settles everything that depends on it. Returns the
    /// submissions whose claims changed.
    ///
    /// # Errors
    /// [`Error::LedgerRefused`] if no pair of the two is known, and those of the database.
    pub fn judge(
        &mut self,
        a: u64,
        b: u64,
        decision: Decision,
        by: &str,
        why: &str,
    ) -> Result<Vec<u64>> {
        named("name (--by)", by)?;
        named("reason (--why)", why)?;
        let (earlier, later) = (a.min(b), a.max(b));
        let now = self.store.now_ms()?;
        self.write(|tables| {
            let (one, other) = (find(tables, earlier)?, find(tables, later)?);
            let shares = |pairs: Vec<Pair>, with: u64| pairs.iter().any(|pair| pair.other == with);
            if earlier == later
                || !shares(pairs(tables, later)?, earlier) && !shares(pairs(tables, earlier)?, later)
            {
                let reason = format!(
                    "submissions {} and {} share nothing that is known; see what one shares with: uniq intake show {}",
                    one.number, other.number, other.number
                );
                return Err(Error::LedgerRefused { reason });
            }
            let is_seen = !one.provisional && !other.provisional;
            if decision == Decision::Distinct && is_seen && one.sha256 == other.sha256 {
                let reason = format!(
                    "submissions {earlier} and {later} are the same file, so they cannot be distinct; if the first \
                     was received in error: uniq intake withdraw {earlier}"
                );
                return Err(Error::LedgerRefused { reason });
            }
            let body = Judged { earlier, later, decision, by: by.to_owned(), why: why.to_owned() };
            append(tables, now, name_of(&decision), later, &body)?;
            let parameters = [
                earlier.into(),
                later.into(),
                name_of(&decision).into(),
                by.into(),
                why.into(),
                now.into(),
            ];
            tables.execute(sql::ADD_DECISION, &parameters)?;
            let why = format!("{} and {} are {}", earlier, later, name_of(&decision));
            resettle_counted(tables, now, [earlier, later].into(), &why)
        })
    }

    /// Records a judgement of a submission's match with a public source, and settles everything
    /// that depends on it. Returns the submissions whose claims changed.
    ///
    /// [`reviewed`](super::super::reviewed) gives what is eligible by all judgements. Sold seconds
    /// stay sold.
    ///
    /// # Errors
    /// [`Error::LedgerRefused`] if the submission does not stand or has no such match, and those of
    /// the database.
    pub fn review(&mut self, number: u64, judgement: &Judgement) -> Result<Vec<u64>> {
        named("name (--by)", &judgement.by)?;
        named("reason (--why)", &judgement.why)?;
        let (now, name) = (self.store.now_ms()?, self.name.clone());
        self.write(|tables| {
            let known = Known::read(tables, &name, number)?;
            record_review(tables, now, known, judgement)
        })
    }

    /// Adds a submission for an entry that only the index knows, and returns its number. Its
    /// creator is unknown and holds all of it until a person has looked.
    pub(in super::super) fn adopt(
        &mut self,
        number: Option<u64>,
        entry: &Entry,
        duration_ms: u64,
    ) -> Result<u64> {
        let now = self.store.now_ms()?;
        self.write(|tables| {
            let last = tables
                .query(sql::LAST_NUMBER, &[])?
                .first()
                .map_or(0, |row| row.number(0));
            let number = number.filter(|number| *number > last).unwrap_or(last + 1);
            let receipt = Receipt {
                by: UNKNOWN_CREATOR.to_owned(),
                reference: None,
                kind: Kind::Fingerprint,
                sha256: entry.digest.clone(),
                bytes: 0,
                path: String::new(),
            };
            add_submission(tables, number, &receipt, now, None)?;
            let there = find(tables, number)?;
            let answer = Answered {
                report: None,
                duration_ms,
                verdict: Verdict::Unpublished,
                eligible: Interval::new(0, duration_ms.max(1)).into(),
                repeated: Intervals::default(),
                published: Intervals::default(),
                pairs: &[],
                entries: std::slice::from_ref(entry),
                fingerprint: None,
            };
            record(tables, now, "decided", &there, Kind::Fingerprint, &answer)?;
            Ok(number)
        })
    }
}

fn is_unnumbered(tables: &mut dyn Tables, number: u64, receipt: &Receipt) -> Result<()> {
    let standing = tables.query(
        sql::STANDING,
        &[(&*receipt.by).into(), (&*receipt.sha256).into()],
    )?;
    match standing
        .iter()
        .map(|row| row.number(0))
        .find(|other| *other != number)
    {
        Some(other) => {
            let reason = format!(
                "this clip is already submission {other}; withdraw submission {number}, or that one"
            );
            Err(Error::LedgerRefused { reason })
        }
        None => Ok(()),
    }
}
