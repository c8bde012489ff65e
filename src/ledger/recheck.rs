//! Compares submissions with videos that became public after their answers.
//!
//! Only sources that are new since then are searched, so that many submissions cost little while
//! few sources are new. If something is found there, the whole index is searched, and the worse of
//! the two answers counts at each moment. So a recheck takes seconds away and never gives any. Sold
//! seconds stay sold.

use std::path::Path;

use super::book::{Known, Ledger, note_held, record_recheck};
use super::confirm::common;
use super::intake::{Intake, decoded, unhex};
use super::interval::{Interval, Intervals};
use super::record::{ClaimState, Kind, State};
use super::review::{here, is_withheld};
use super::store::Mode;
use crate::certificate::Since;
use crate::check::CheckOptions;
use crate::fingerprint::{ClipPictures, Fingerprint};
use crate::index::{Index, hex};
use crate::report::{
    self, Match, MatchKind, ReasonCode, Report, Seconds, Span, SpanState, Verdict,
};
use crate::scatter::Searched;
use crate::{Error, Result};

/// What a recheck searches for.
#[derive(Clone, Copy, Debug)]
pub enum Seen<'a> {
    /// Its clip, which is decoded again.
    Clip(&'a Path),
    /// A fingerprint file, under the conditions of [`Seen::Fingerprint`].
    File(&'a Path),
    /// Its fingerprint with small pictures, as [`Certified`](crate::certificate::Certified) has it.
    /// A forged one could hide public seconds, so it must come from trusted storage.
    Fingerprint(&'a Fingerprint),
}

/// Result of a recheck.
#[derive(Clone, PartialEq, Debug)]
pub struct Rechecked {
    /// Its number.
    pub number: u64,
    /// Number of new sources.
    pub added: u64,
    /// Why the new sources could not be searched alone; `None` if they could.
    pub in_full: Option<String>,
    /// Whether the ledger's answer changed.
    pub changed: bool,
    /// Its seconds that are newly known to be public.
    pub published: Intervals,
    /// Its seconds that were sold and would not be offered now.
    pub sold: Intervals,
    /// The submissions whose claims changed.
    pub resettled: Vec<u64>,
}

/// Rechecks of many submissions against one index.
#[derive(Debug)]
pub struct Rechecks<'a> {
    intake: &'a Intake<'a>,
    /// What is new since a commit, computed once for all submissions that share it.
    since: Since<'a>,
}

impl Intake<'_> {
    /// Rechecks one submission.
    ///
    /// # Errors
    /// Those of [`Rechecks::recheck`].
    pub fn recheck(
        &self,
        ledger: &mut Ledger,
        number: u64,
        by: Option<Seen<'_>>,
    ) -> Result<Rechecked> {
        Rechecks::of(self).recheck(ledger, number, by)
    }
}

impl<'a> Rechecks<'a> {
    /// Rechecks against the index of an intake.
    pub fn of(intake: &'a Intake<'a>) -> Rechecks<'a> {
        Rechecks {
            intake,
            since: Since::of(intake.index),
        }
    }

    /// Compares an answered submission with what is new in the index since its answer.
    ///
    /// If more of it is or may be public, this appends a row to the chain and settles the
    /// submissions that it blocked. Otherwise only the state of the index is noted. Without `by`,
    /// it searches for the submitted fingerprint, or for the clip if that is still at its path.
    ///
    /// # Errors
    /// [`Error::LedgerRefused`] if it does not stand or there is nothing to search for, and those
    /// of [`check`](crate::check()).
    pub fn recheck(
        &self,
        ledger: &mut Ledger,
        number: u64,
        by: Option<Seen<'_>>,
    ) -> Result<Rechecked> {
        let index = state_of(self.intake.index);
        let mut looked = None;
        for _ in 0..ATTEMPTS {
            let name = ledger.name().to_owned();
            let (known, held) = ledger.transaction(Mode::Read, |tables| {
                let known = Known::read(tables, &name, number)?;
                let held = known.held_against(tables)?;
                Ok((known, held))
            })?;
            let mut done = Rechecked {
                number,
                added: 0,
                in_full: None,
                changed: false,
                published: Intervals::default(),
                sold: Intervals::default(),
                resettled: Vec::new(),
            };
            if held == index {
                return Ok(done);
            }
            let found = self.found(ledger, &known, &held, by, &mut looked, &mut done)?;
            if self.keep(ledger, &known, found, &index, &mut done)? {
                return Ok(done);
            }
        }
        let reason = format!("submission {number} changed during every attempt; try again later");
        Err(Error::LedgerRefused { reason })
    }

    /// The report that replaces the known one; `None` if that one remains.
    fn found(
        &self,
        ledger: &mut Ledger,
        known: &Known,
        held: &State,
        by: Option<Seen<'_>>,
        looked: &mut Option<Looked>,
        done: &mut Rechecked,
    ) -> Result<Option<Report>> {
        let root = unhex(&held.root).ok_or_else(|| Error::CorruptLedger {
            ledger: ledger.name().to_owned(),
            what: format!("the state of the index for submission {}", known.of.number),
            found: format!("{:?}", held.root),
        })?;
        let new = match self.since.commit(held.generation, root) {
            Ok(new) => Some(new),
            // The index was rebuilt or is another one, so its content at that time is unknown.
            Err(Error::NoPast { reason, .. }) => {
                done.in_full = Some(reason);
                None
            }
            Err(error) => return Err(error),
        };
        if let Some(new) = &new {
            done.added = new.change.added;
            if new.change.added == 0 {
                return Ok(None);
            }
        }
        let _slot = self.intake.slot()?;
        let looked = match looked {
            Some(looked) => &*looked,
            None => &*looked.insert(self.looked(ledger, known, by)?),
        };
        let options = &CheckOptions {
            effort: known.report.search.effort,
            ..*self.intake.options
        };
        if let Some(new) = &new
            && looked
                .check(&Searched::from(&new.sources), options)?
                .matches
                .is_empty()
        {
            return Ok(None);
        }
        let worse = worse(
            &known.report,
            looked.check(&self.intake.searched(), options)?,
        );
        Ok(says_more(&known.report, &worse).then_some(worse))
    }

    /// What to search for.
    fn looked(&self, ledger: &mut Ledger, known: &Known, by: Option<Seen<'_>>) -> Result<Looked> {
        let of = &known.of;
        let refused = |reason| Err(Error::LedgerRefused { reason });
        let given = |fingerprint: Fingerprint| match hex(fingerprint.sha256()) == of.sha256 {
            true => Ok(Looked::Fingerprint(Box::new(fingerprint))),
            false => refused(format!(
                "the fingerprint is of the clip {}, but submission {} is {}; give the fingerprint of that clip",
                hex(fingerprint.sha256()),
                of.number,
                of.sha256
            )),
        };
        match by {
            Some(Seen::Fingerprint(fingerprint)) => given(fingerprint.clone()),
            Some(Seen::File(file)) => given(Fingerprint::load(
                file,
                self.intake.options.decoding,
                self.intake.options.cancel,
            )?),
            Some(Seen::Clip(clip)) => Ok(Looked::Clip(Box::new(decoded(
                clip,
                &of.sha256,
                self.intake.options,
            )?))),
            None if of.kind == Kind::Fingerprint => match ledger.fingerprint(of.number)? {
                Some(bytes) => {
                    let corrupt = |found| Error::CorruptLedger {
                        ledger: ledger.name().to_owned(),
                        what: format!("the fingerprint of submission {}", of.number),
                        found,
                    };
                    Ok(Looked::Fingerprint(Box::new(
                        Fingerprint::from_bytes(&bytes).map_err(corrupt)?,
                    )))
                }
                None => refused(format!(
                    "submission {} has no fingerprint to search by; give one with --from",
                    of.number
                )),
            },
            None => match decoded(Path::new(&of.path), &of.sha256, self.intake.options) {
                Ok(looked) => Ok(Looked::Clip(Box::new(looked))),
                Err(Error::Io { .. } | Error::Changed { .. }) => refused(format!(
                    "submission {}: its clip is no longer at {}; name the folder of the clip or of its fingerprint (.uniq) with --from",
                    of.number, of.path
                )),
                Err(error) => Err(error),
            },
        }
    }

    /// Records the findings; `false` if the submission changed meanwhile.
    fn keep(
        &self,
        ledger: &mut Ledger,
        known: &Known,
        found: Option<Report>,
        index: &State,
        done: &mut Rechecked,
    ) -> Result<bool> {
        let (number, name, now) = (known.of.number, ledger.name().to_owned(), ledger.now_ms()?);
        ledger.transaction(Mode::Write, |tables| {
            let there = Known::read(tables, &name, number)?;
            if there.sha256 != known.sha256 {
                return Ok(false);
            }
            let Some(report) = found else {
                note_held(tables, number, &known.sha256, index)?;
                return Ok(true);
            };
            done.resettled = record_recheck(tables, now, &there, report, index)?;
            let after = Known::read(tables, &name, number)?.of;
            let claims = super::book::claims_of(tables, number)?;
            done.changed = true;
            done.published = after.published.without(&there.of.published);
            done.sold =
                super::answer::claimed(&claims, &[ClaimState::Sold]).without(&after.eligible);
            Ok(true)
        })
    }
}

/// What is searched for.
enum Looked {
    Clip(Box<ClipPictures>),
    Fingerprint(Box<Fingerprint>),
}

impl Looked {
    fn check(&self, searched: &Searched<'_>, options: &CheckOptions<'_>) -> Result<Report> {
        match self {
            Looked::Clip(clip) => searched.check_pictures(clip, Path::new(""), options),
            Looked::Fingerprint(fingerprint) => searched.check_fingerprint(fingerprint, options),
        }
    }
}

fn state_of(index: &Index) -> State {
    State {
        root: index.state().root.clone(),
        generation: index.state().generation,
    }
}

/// Whether the later report withholds more, or lists more matches.
fn says_more(before: &Report, after: &Report) -> bool {
    let spans = |of: &Report| -> Vec<(u64, u64, SpanState)> {
        of.spans
            .iter()
            .map(|span| (ms(span.start_s), ms(span.end_s), span.state))
            .collect()
    };
    let known = |found: &&Match| before.matches.iter().any(|other| is_same(found, other));
    after
        .matches
        .iter()
        .filter(|found| found.kind != MatchKind::SameScene)
        .any(|found| !known(&found))
        || after.more_sources > before.more_sources
        || spans(before) != spans(after)
}

/// Merges a report with a later one of the same clip: the worse state counts at each moment, and
/// the matches of both are kept.
///
/// Only match-based states can worsen a moment. If a fingerprint is less searchable than its clip
/// was, that does not count.
pub(super) fn worse(before: &Report, found: Report) -> Report {
    let spans = worse_spans(&before.spans, &found.spans);
    // A match keeps its first version, which people may have judged.
    let mut matches = before.matches.clone();
    matches.extend(
        found
            .matches
            .into_iter()
            .filter(|new| !before.matches.iter().any(|old| is_same(old, new))),
    );
    matches.sort_by(|a, b| {
        let times = |of: &Match| (ms(of.alignment.clip.start_s), ms(of.alignment.clip.end_s));
        times(a)
            .cmp(&times(b))
            .then_with(|| a.alignment.source.sha256.cmp(&b.alignment.source.sha256))
    });
    let total = |state| {
        let of_state = spans.iter().filter(|span| span.state == state);
        of_state
            .map(|span| ms(span.end_s) - ms(span.start_s))
            .sum::<u64>()
    };
    let (published, unpublished) = (total(SpanState::Published), total(SpanState::Unpublished));
    let verdict = match (before.verdict, published > 0, unpublished > 0) {
        (_, true, false) => Verdict::Published,
        // The reason for it is still there.
        (Verdict::Inconclusive, ..) => Verdict::Inconclusive,
        (_, true, true) => Verdict::PartlyPublished,
        (_, false, false) => Verdict::Inconclusive,
        (_, false, true) => found.verdict,
    };
    let from_fingerprint = before.clip.from_fingerprint;
    let mut reasons = found.reasons;
    reasons.retain(|reason| reason.code != ReasonCode::FromFingerprint || from_fingerprint);
    if verdict != Verdict::Unpublished {
        reasons.retain(|reason| reason.code != ReasonCode::NoMatch);
    }
    let is_told = |code| reasons.iter().any(|reason| reason.code == code);
    let kept: Vec<_> = before
        .reasons
        .iter()
        .filter(|reason| reason.code != ReasonCode::NoMatch && !is_told(reason.code))
        .cloned()
        .collect();
    reasons.extend(kept);
    let minutes = if verdict == Verdict::Inconclusive {
        0.0
    } else {
        (unpublished as f64 / 60.0).round() / 1e3
    };
    let searchable = match (before.verdict, verdict) {
        // It may have had reasons other than its matches.
        (Verdict::Inconclusive, Verdict::Published) => Some(Vec::new()),
        _ => common(before.searchable.as_deref(), found.searchable.as_deref()).map(|parts| {
            let other = before
                .spans
                .iter()
                .filter(|span| span.state == SpanState::Unsearchable && !is_withheld(span));
            let other: Intervals = other
                .map(|span| Interval::of_seconds(span.start_s, span.end_s))
                .collect();
            let parts: Intervals = parts
                .iter()
                .map(|part| Interval::of_seconds(part.start_s, part.end_s))
                .collect();
            let parts = parts.without(&other);
            parts
                .iter()
                .map(|part| report::Interval {
                    start_s: part.start_s(),
                    end_s: part.end_s(),
                })
                .collect()
        }),
    };
    let mut timeline = before.timeline.clone();
    for (most, probability) in timeline.iter_mut().zip(&found.timeline) {
        *most = most.max(*probability);
    }
    Report {
        verdict,
        reasons,
        seconds: Seconds {
            published: published as f64 / 1e3,
            unpublished: unpublished as f64 / 1e3,
            unsearchable: total(SpanState::Unsearchable) as f64 / 1e3,
            ..before.seconds
        },
        payable_minutes: if from_fingerprint { 0.0 } else { minutes },
        provisional_minutes: if from_fingerprint { minutes } else { 0.0 },
        spans,
        searchable,
        matches,
        timeline,
        more_sources: before.more_sources.max(found.more_sources),
        nearest_non_match: found.nearest_non_match,
        index: found.index,
        search: found.search,
        amount: None,
        tool: found.tool,
        checked_at: found.checked_at,
        ..before.clone()
    }
}

/// The spans of an answer, worsened by those of a later one.
fn worse_spans(before: &[Span], found: &[Span]) -> Vec<Span> {
    let worsening: Vec<&Span> = found.iter().filter(|span| is_withheld(span)).collect();
    let mut all: Vec<Span> = Vec::new();
    for span in before {
        let whole = Interval::of_seconds(span.start_s, span.end_s);
        let mut rest: Intervals = whole.into();
        let mut parts: Vec<(Interval, &Span)> = Vec::new();
        for worse in worsening
            .iter()
            .filter(|worse| severity(worse.state) > severity(span.state))
        {
            let over = Intervals::from(Interval::of_seconds(worse.start_s, worse.end_s))
                .intersection(&rest);
            rest = rest.without(&over);
            parts.extend(over.iter().map(|part| (part, *worse)));
        }
        parts.extend(rest.iter().map(|part| (part, span)));
        parts.sort_by_key(|(part, _)| *part);
        for (part, says) in parts {
            let mut reason = says.reason.clone();
            if let Some(reason) = &mut reason {
                reason.seconds = Some(part.length_ms() as f64 / 1e3);
            }
            let part = Span {
                start_s: part.start_s(),
                end_s: part.end_s(),
                state: says.state,
                reason,
            };
            // Published spans have no reason, so neighbours join.
            match all.last_mut().filter(|last| {
                last.state == part.state && last.reason.is_none() && part.reason.is_none()
            }) {
                Some(last) => last.end_s = part.end_s,
                None => all.push(part),
            }
        }
    }
    all
}

fn severity(state: SpanState) -> u8 {
    match state {
        SpanState::Unpublished => 0,
        SpanState::Unsearchable => 1,
        SpanState::Published => 2,
    }
}

/// Whether two matches have the same source and the same time in the clip. Ends by a fingerprint
/// may differ from those by the clip by a keyframe.
fn is_same(one: &Match, other: &Match) -> bool {
    let (a, b) = (here(one), here(other));
    one.alignment.source.sha256 == other.alignment.source.sha256
        && (one.stream, one.kind) == (other.stream, other.kind)
        && a.start_ms.abs_diff(b.start_ms) <= ENDS_MS
        && a.end_ms.abs_diff(b.end_ms) <= ENDS_MS
}

fn ms(seconds: f64) -> u64 {
    Interval::of_seconds(0.0, seconds).end_ms
}

/// Maximum difference between the ends of the same match in two reports, in ms: less than between
/// two keyframes of a source.
const ENDS_MS: u64 = 500;

/// Maximum number of attempts if a submission changes during its recheck.
const ATTEMPTS: usize = 4;

#[cfg(test)]
mod tests;
