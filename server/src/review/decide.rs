//! Records a decision in the service's log and in the ledger, in one transaction.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use uniq::Error;
use uniq::ledger::{Decision, Event, Interval, Judgement, Ledger, Mode, Observer, Ruling, Tables};

use super::log::{Stand, Verb};
use crate::app::App;
use crate::database::now_ms;
use crate::problem::Problem;
use crate::store::reviews::{self, Review};
use crate::store::submissions::Listed;

/// The person or key that decides.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Actor {
    /// Id for programs: `key:` and the id of a key, or `oidc:` and the provider's id.
    pub id: String,
    /// Name for people.
    pub name: String,
}

impl Actor {
    /// An actor, with a name that the ledger accepts.
    pub fn new(id: String, name: &str) -> Actor {
        let seen: String = name
            .chars()
            .take(100)
            .map(|c| if uniq::sandbox::hides(c) { ' ' } else { c })
            .collect();
        let name = if seen.trim().is_empty() {
            id.clone()
        } else {
            seen.trim().to_owned()
        };
        Actor { id, name }
    }
}

/// A requested decision.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wish {
    /// The decision.
    pub verb: Verb,
    /// The match that it is about: SHA-256 of the source, and start and end in the clip in
    /// milliseconds.
    pub of_match: Option<(String, (u64, u64))>,
    /// The number of the other submission of the pair that it is about; of the same tenant.
    pub other: Option<u64>,
    /// The decision that it is about.
    pub about: Option<String>,
    /// The reason.
    pub why: String,
}

/// Records a decision about a submission. Blocks.
///
/// # Errors
/// 400 for an invalid reason, 404 for something that does not exist, 409 for a decision that is not
/// possible, and those of the database.
pub fn decide(app: &App, actor: &Actor, of: &Listed, wish: &Wish) -> Result<Review, Problem> {
    check_reason(&wish.why)?;
    let id = of.id.clone();
    let log = app.database.with(|ledger| {
        ledger.transaction(Mode::Read, |tables| reviews::of_submission(tables, &id))
    })?;
    let stand = Stand::of(&log);
    let (about, effect) = effect(app, actor, of, &stand, wish)?;
    let row = Review {
        id: crate::store::new_id(),
        submission: of.id.clone(),
        item: log.len() as u64,
        tenant: of.tenant.clone(),
        actor: actor.id.clone(),
        name: actor.name.clone(),
        at_ms: now_ms(),
        verb: wish.verb.name().to_owned(),
        source: wish
            .of_match
            .as_ref()
            .map(|of| of.0.clone())
            .or_else(|| about.and_then(|of| of.source.clone())),
        here: wish
            .of_match
            .as_ref()
            .map(|of| of.1)
            .or_else(|| about.and_then(|of| of.here)),
        other: wish.other.or_else(|| about.and_then(|of| of.other)),
        about: about.map(|of| of.id.clone()),
        why: wish.why.clone(),
        waits: stand.has_to_wait(app.config.review.second, wish.verb, about),
    };
    match effect {
        Some(effect) if !row.waits => {
            // The second person's name is added to the first one's.
            let by = match (wish.verb, about) {
                (Verb::Confirm, Some(first)) => {
                    format!("{}, confirmed by {}", first.name, actor.name)
                }
                _ => actor.name.clone(),
            };
            effect.apply(app, of, &row, &by)?;
            if effect == Effect::Withdraw {
                super::evidence::forget(app, &of.id);
            }
        }
        _ => app
            .database
            .with(|ledger| ledger.transaction(Mode::Write, |tables| add(tables, &row)))?,
    }
    let _ = app.changed.send(());
    Ok(row)
}

/// Effect of a decision on the ledger.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Effect {
    Match(Ruling, String, (u64, u64)),
    Pair(u64, Decision),
    Withdraw,
    Sell,
}

/// The row that a decision is about, and its effect.
fn effect<'a>(
    app: &App,
    actor: &Actor,
    of: &Listed,
    stand: &Stand<'a>,
    wish: &Wish,
) -> Result<(Option<&'a Review>, Option<Effect>), Problem> {
    let about = wish.about.as_deref().unwrap_or_default();
    let waiting = || stand.waiting.iter().copied().find(|row| row.id == about);
    let gone = || Problem::conflict("this decision no longer waits; see the log");
    match wish.verb {
        Verb::Undo => {
            let row = stand.may_undo(about).map_err(Problem::conflict)?;
            Ok((Some(row), undoing(stand, row)))
        }
        Verb::Refuse => Ok((Some(waiting().ok_or_else(gone)?), None)),
        Verb::Confirm => {
            let row = waiting().ok_or_else(gone)?;
            // Two keys of one person count as one person.
            if row.actor == actor.id || row.name == actor.name {
                return Err(Problem::conflict(
                    "you cannot confirm your own decision; another person must",
                ));
            }
            let verb = Verb::of(&row.verb).ok_or_else(Problem::internal)?;
            if verb == Verb::Undo {
                let undone = stand
                    .may_undo(row.about.as_deref().unwrap_or_default())
                    .map_err(Problem::conflict)?;
                return Ok((Some(row), undoing(stand, undone)));
            }
            Ok((
                Some(row),
                plain(
                    app,
                    of,
                    stand,
                    verb,
                    row.source.clone().zip(row.here),
                    row.other,
                )?,
            ))
        }
        verb => Ok((
            None,
            plain(app, of, stand, verb, wish.of_match.clone(), wish.other)?,
        )),
    }
}

fn undoing(stand: &Stand<'_>, row: &Review) -> Option<Effect> {
    if let Some((source, here)) = row.source.clone().zip(row.here) {
        return Some(Effect::Match(Ruling::Undo, source, here));
    }
    let before = stand.before(row)?;
    Some(Effect::Pair(
        row.other?,
        pair_decision(Verb::of(&before.verb)?),
    ))
}

fn pair_decision(verb: Verb) -> Decision {
    if verb == Verb::Same {
        Decision::Same
    } else {
        Decision::Distinct
    }
}

fn plain(
    app: &App,
    of: &Listed,
    stand: &Stand<'_>,
    verb: Verb,
    of_match: Option<(String, (u64, u64))>,
    other: Option<u64>,
) -> Result<Option<Effect>, Problem> {
    let may = of.standing == "decided" || (verb == Verb::Withdraw && of.standing == "received");
    if !may {
        return Err(Problem::conflict(
            "the submission has no valid answer, so there is nothing to decide; see its state",
        ));
    }
    let ruling = match verb {
        Verb::Copy => Ruling::Copy,
        Verb::SameScene => Ruling::SameScene,
        Verb::Allowed => Ruling::Allowed,
        Verb::Same | Verb::Distinct => {
            let other = other
                .ok_or_else(|| Problem::invalid("other: name the other submission of the pair"))?;
            let standings = app.database.with(|ledger| ledger.standings(of.number))?;
            let of_other = app.database.with(|ledger| ledger.standings(other))?;
            let is_pair = standings.pairs.iter().any(|pair| pair.other == other)
                || of_other.pairs.iter().any(|pair| pair.other == of.number);
            if !is_pair {
                return Err(Problem::conflict(
                    "these two submissions share nothing that is known; see the submission's pairs",
                ));
            }
            return Ok(Some(Effect::Pair(other, pair_decision(verb))));
        }
        Verb::Withdraw => return Ok(Some(Effect::Withdraw)),
        Verb::Sold if stand.is_disputed() => {
            return Err(Problem::conflict(
                "the submission is disputed and cannot be sold; accept it, or undo the dispute",
            ));
        }
        Verb::Sold => return Ok(Some(Effect::Sell)),
        Verb::Accept | Verb::Dispute => return Ok(None),
        Verb::Undo | Verb::Confirm | Verb::Refuse => return Err(Problem::internal()),
    };
    let (source, here) =
        of_match.ok_or_else(|| Problem::invalid("match: name the match to decide about"))?;
    let standings = app.database.with(|ledger| ledger.standings(of.number))?;
    let matches = standings.report.iter().flat_map(|report| &report.matches);
    let is_there = |source: &str| {
        matches.clone().any(|found| {
            found.alignment.source.sha256 == source && millis(&found.alignment.clip) == here
        })
    };
    if !is_there(&source) {
        return Err(Problem::conflict(
            "the submission has no such match; see its report",
        ));
    }
    Ok(Some(Effect::Match(ruling, source, here)))
}

/// An interval of a report in milliseconds.
pub(crate) fn millis(of: &uniq::report::Interval) -> (u64, u64) {
    let ms = |seconds: f64| (seconds.max(0.0) * 1e3).round() as u64;
    (ms(of.start_s), ms(of.end_s))
}

impl Effect {
    /// Applies it, and adds a row to the log in the same transaction.
    fn apply(&self, app: &App, of: &Listed, row: &Review, by: &str) -> Result<(), Problem> {
        let why = row.why.as_str();
        let (number, kind) = match self {
            Effect::Match(..) => (of.number, "reviewed"),
            Effect::Pair(other, Decision::Same) => (of.number.max(*other), "same"),
            Effect::Pair(other, Decision::Distinct) => (of.number.max(*other), "distinct"),
            Effect::Withdraw => (of.number, "withdrawn"),
            Effect::Sell => (of.number, "sold"),
        };
        let recording = Arc::new(Recording {
            inner: app.database.observer(),
            number,
            kind,
            row: row.clone(),
            is_done: AtomicBool::new(false),
        });
        let mut ledger = app.database.connect(false)?;
        ledger.observe(recording.clone());
        self.run(app, &mut ledger, of, by, why)?;
        if !recording.is_done.load(Ordering::SeqCst) {
            tracing::error!(
                kind,
                "the ledger recorded a decision, but no event was sent"
            );
            return Err(Problem::internal());
        }
        Ok(())
    }

    fn run(
        &self,
        app: &App,
        ledger: &mut Ledger,
        of: &Listed,
        by: &str,
        why: &str,
    ) -> uniq::Result<()> {
        let (id, number) = (&of.id, of.number);
        match self {
            Effect::Match(verdict, source, (start_ms, end_ms)) => {
                let judgement = Judgement {
                    source_sha256: source.clone(),
                    here: Interval::new(*start_ms, *end_ms),
                    verdict: *verdict,
                    by: by.to_owned(),
                    why: why.to_owned(),
                };
                ledger.review(number, &judgement).map(drop)
            }
            Effect::Pair(other, decision) => {
                ledger.judge(number, *other, *decision, by, why).map(drop)
            }
            Effect::Withdraw => {
                uniq::ledger::withdraw(ledger, &app.database.books(), number, Some(by), Some(why))
            }
            Effect::Sell => {
                // Sold submissions are not rechecked any more.
                if crate::recheck::now(app, id, number)? {
                    let reason = "more of it has become public since the check; look at it again, and sell what remains";
                    return Err(uniq::Error::LedgerRefused {
                        reason: reason.to_owned(),
                    });
                }
                ledger.sell(number, Some(by), Some(why)).map(drop)
            }
        }
    }
}

/// Adds a row to the log when the ledger appends its own.
struct Recording {
    inner: Arc<dyn Observer>,
    number: u64,
    kind: &'static str,
    row: Review,
    is_done: AtomicBool,
}

impl Observer for Recording {
    fn appended(&self, tables: &mut dyn Tables, event: &Event) -> uniq::Result<()> {
        self.inner.appended(tables, event)?;
        let is_it = event.kind == self.kind && event.submission == self.number;
        if is_it && !self.is_done.swap(true, Ordering::SeqCst) {
            add(tables, &self.row)?;
        }
        Ok(())
    }
}

/// Adds a row, unless another one was added since the log was read: that could change the
/// decision's meaning.
fn add(tables: &mut dyn Tables, row: &Review) -> uniq::Result<()> {
    let log = reviews::of_submission(tables, &row.submission)?;
    if log.len() as u64 != row.item {
        let reason =
            "somebody else decided about this submission meanwhile; read the log, and decide again";
        return Err(Error::LedgerRefused {
            reason: reason.to_owned(),
        });
    }
    reviews::add(tables, row)
}

/// Fails unless a text is a reason that the ledger accepts.
///
/// # Errors
/// 400.
pub fn check_reason(why: &str) -> Result<(), Problem> {
    let is_fit = !why.trim().is_empty()
        && why.trim() == why
        && why.chars().count() <= 500
        && !why.contains(uniq::sandbox::hides);
    if is_fit {
        return Ok(());
    }
    Err(Problem::invalid(
        "reason: give 1 to 500 visible characters, without spaces at either end",
    ))
}
