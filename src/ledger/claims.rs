//! Decides which seconds of a submission can be claimed, given what it shares with others (pure).
//!
//! A submission is *eligible* for its unpublished seconds. Each pair of submissions that share
//! seconds says which seconds of one show which seconds of the other. What another submission holds
//! is deducted:
//!
//! - An earlier submission that stands holds all seconds that it is eligible for, repeats, or was
//!   sold. It holds them even if it was not paid for them, since then an even earlier one holds
//!   them.
//! - What was published of an earlier submission is public in this one too, even if the search
//!   missed it here.
//! - A withdrawn submission holds nothing itself, but its seconds that another submission shares
//!   are still held by that one. So withdrawing the link between two copies gains nothing. It also
//!   covers crowds of copies, of which the search lists only some.
//! - What a later submission was sold is not paid for again if a person decides afterwards that the
//!   two are the same.
//! - A later submission holds what it has claimed. Pairs with later ones are looked for only when a
//!   clip confirms its fingerprint.
//!
//! So no second is claimed twice, whatever is withdrawn or decided, and in whatever order.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::interval::{Interval, Intervals};
use crate::Result;

/// State of a submission.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It has its number but no answer yet.
    Received,
    /// It has its answer.
    Decided,
    /// It cannot be read.
    Failed,
    /// Its worker ended before the answer, and then the clip was gone or changed.
    Lapsed,
    /// It was withdrawn; its claims have ended.
    Withdrawn,
}

/// What two submissions share.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PairKind {
    /// The same recording.
    Copy,
    /// The same recording or another take of it: undecided.
    Undecided,
    /// Another take of the same scene: related, but nothing is deducted.
    SameScene,
}

/// A person's decision about two submissions that share something.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// They are the same recording.
    Same,
    /// They are different recordings.
    Distinct,
}

/// Seconds of a submission that show seconds of another.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Pair {
    /// The other submission.
    pub other: u64,
    /// What they share.
    pub kind: PairKind,
    /// The seconds here.
    pub here: Interval,
    /// The seconds of the other.
    pub there: Interval,
    /// `here`, and the seconds next to it that are not payable either.
    pub covers: Intervals,
    /// Milliseconds of the other per second here; negative if backwards.
    pub speed_permille: i64,
    /// Whether left and right are exchanged.
    pub mirrored: bool,
    /// Probability of a copy, in parts of a million.
    pub probability_ppm: u32,
    /// Evidence in thousandths of a bit.
    pub evidence_millibits: i64,
    /// Whether their bytes are the same.
    pub identical: bool,
}

/// The facts about a submission that decide its claims.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Facts {
    /// Its number.
    pub number: u64,
    /// Its creator.
    pub creator: String,
    /// Its state.
    pub standing: Standing,
    /// Its unpublished seconds; none if it is inconclusive.
    pub eligible: Intervals,
    /// Seconds that it holds but is not paid for: those that repeat earlier ones of the clip, and
    /// all unpublished ones if it is inconclusive.
    pub repeated: Intervals,
    /// Whether it is inconclusive. Then it holds its seconds against others, but its creator may
    /// offer them again.
    pub inconclusive: bool,
    /// Its published seconds.
    pub published: Intervals,
    /// Its pairs with other submissions.
    pub pairs: Vec<Pair>,
    /// The seconds that it has offered or sold.
    pub claimed: Intervals,
    /// The part of `claimed` that was sold.
    pub sold: Intervals,
}

/// Access to the facts about submissions and pairs.
pub trait Known {
    /// The facts about a submission; `None` if there is no such number.
    ///
    /// # Errors
    /// Those of the implementation.
    fn facts(&mut self, number: u64) -> Result<Option<Facts>>;

    /// The submissions that list a pair with this one.
    ///
    /// # Errors
    /// Those of the implementation.
    fn paired_with(&mut self, number: u64) -> Result<Vec<u64>>;

    /// The decision about a pair, given with the smaller number first.
    ///
    /// # Errors
    /// Those of the implementation.
    fn decision(&mut self, earlier: u64, later: u64) -> Result<Option<Decision>>;
}

/// Why seconds are deducted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deducted {
    /// The same creator has offered them before.
    AlreadyOffered,
    /// Another creator has offered them before.
    Disputed,
    /// They may be of an earlier submission: a person must decide.
    Undecided,
    /// An earlier submission shows that they are public.
    Published,
    /// A later submission was paid for them before the two were decided to be the same.
    Sold,
    /// A remainder next to other deductions, too short to be judged.
    Remainder,
}

/// Deducted seconds and their holder.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Deduction {
    /// The seconds here.
    pub here: Interval,
    /// Why.
    pub reason: Deducted,
    /// The submission that holds them; 0 for a remainder.
    pub holder: u64,
    /// The holder's creator; empty for a remainder.
    pub creator: String,
    /// Index of the pair in the submission's list; `None` for a remainder.
    pub pair: Option<usize>,
    /// The seconds of the pair's other submission; equal to `here` for a remainder.
    pub there: Interval,
}

/// What can be claimed of a submission.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Settled {
    /// What can be claimed, without sold seconds.
    pub offered: Intervals,
    /// The deductions in order of time, without overlap.
    pub deductions: Vec<Deduction>,
    /// Indexes of the pairs that are related and deduct nothing.
    pub related: Vec<usize>,
}

/// Seconds of a submission and their holder.
#[derive(Clone, Debug)]
struct Held {
    intervals: Intervals,
    holder: u64,
    /// Whether they are public.
    public: bool,
    /// Whether its creator may offer them again because it is inconclusive.
    again: bool,
}

/// Decides what a submission can claim.
///
/// # Errors
/// Those of `known`.
pub fn settle(of: &Facts, known: &mut dyn Known) -> Result<Settled> {
    let mut settled = Settled::default();
    if of.standing != Standing::Decided {
        return Ok(settled);
    }
    let mut order: Vec<(PairKind, usize)> = Vec::new();
    for (at, pair) in of.pairs.iter().enumerate() {
        match kind(pair, of.number, known)? {
            PairKind::SameScene => settled.related.push(at),
            kind => order.push((kind, at)),
        }
    }
    // Certain kinds come first, then smaller numbers.
    order.sort_by_key(|&(kind, at)| {
        (
            kind == PairKind::Undecided,
            of.pairs[at].other,
            of.pairs[at].here,
            at,
        )
    });
    let mut holdings = Holdings::against(of.number);
    let mut rest = of.eligible.clone();
    for (kind, at) in order {
        let pair = &of.pairs[at];
        for held in holdings.of(pair.other, known)? {
            let covered = covered(pair, &held.intervals).intersection(&rest);
            if covered.is_empty() {
                continue;
            }
            let creator = known
                .facts(held.holder)?
                .map_or(String::new(), |holder| holder.creator);
            if held.again && creator == of.creator {
                continue;
            }
            let reason = match kind {
                _ if held.public => Deducted::Published,
                PairKind::Undecided => Deducted::Undecided,
                _ if creator == of.creator => Deducted::AlreadyOffered,
                _ => Deducted::Disputed,
            };
            rest = rest.without(&covered);
            settled
                .deductions
                .extend(covered.iter().map(|here| Deduction {
                    here,
                    reason,
                    holder: held.holder,
                    creator: creator.clone(),
                    pair: Some(at),
                    there: to_there(pair, here),
                }));
        }
    }
    for later in known.paired_with(of.number)? {
        let is_listed = later <= of.number || of.pairs.iter().any(|pair| pair.other == later);
        let Some(facts) = known
            .facts(later)?
            .filter(|facts| !is_listed && !facts.sold.is_empty())
        else {
            continue;
        };
        for pair in facts.pairs.iter().filter(|pair| pair.other == of.number) {
            if kind(pair, later, known)? != PairKind::Copy {
                continue;
            }
            let shared = facts.sold.intersection(&pair.here.into());
            let here: Intervals = shared.iter().map(|there| to_there(pair, there)).collect();
            let covered = here.intersection(&rest.without(&of.sold));
            rest = rest.without(&covered);
            settled
                .deductions
                .extend(covered.iter().map(|here| Deduction {
                    here,
                    reason: Deducted::Sold,
                    holder: later,
                    creator: facts.creator.clone(),
                    pair: None,
                    there: to_here(pair, here),
                }));
        }
    }
    let remainders = remainders(&rest, &settled.deductions);
    rest = rest.without(&remainders);
    settled
        .deductions
        .extend(remainders.iter().map(|here| Deduction {
            here,
            reason: Deducted::Remainder,
            holder: 0,
            creator: String::new(),
            pair: None,
            there: here,
        }));
    settled.deductions.sort_by_key(|deduction| deduction.here);
    settled.offered = rest.without(&of.sold);
    Ok(settled)
}

/// The kind of a pair, after a person's decision.
fn kind(pair: &Pair, number: u64, known: &mut dyn Known) -> Result<PairKind> {
    let (earlier, later) = (pair.other.min(number), pair.other.max(number));
    Ok(match known.decision(earlier, later)? {
        Some(Decision::Same) => PairKind::Copy,
        Some(Decision::Distinct) => PairKind::SameScene,
        None => pair.kind,
    })
}

/// What submissions hold against one submission; each is computed once.
struct Holdings {
    against: u64,
    known: HashMap<u64, Vec<Held>>,
}

impl Holdings {
    fn against(number: u64) -> Holdings {
        Holdings {
            against: number,
            known: HashMap::new(),
        }
    }

    /// What a submission holds.
    fn of(&mut self, number: u64, known: &mut dyn Known) -> Result<Vec<Held>> {
        if number > self.against {
            // It came later, so only its claims count, whatever it shares with others.
            let claimed = known
                .facts(number)?
                .map(|facts| facts.claimed)
                .unwrap_or_default();
            return Ok(vec![Held {
                intervals: claimed,
                holder: number,
                public: false,
                again: false,
            }]);
        }
        if let Some(held) = self.known.get(&number) {
            return Ok(held.clone());
        }
        // A recursive request for the same number adds nothing.
        self.known.insert(number, Vec::new());
        let Some(facts) = known.facts(number)? else {
            return Ok(Vec::new());
        };
        let mut held = Vec::new();
        match facts.standing {
            Standing::Decided => {
                let own = facts.eligible.union(&facts.repeated).union(&facts.sold);
                held.push(Held {
                    intervals: own,
                    holder: number,
                    public: false,
                    again: facts.inconclusive,
                });
            }
            Standing::Withdrawn => {
                let against = self.against;
                for pair in facts.pairs.iter().filter(|pair| pair.other < against) {
                    if kind(pair, number, known)? == PairKind::Copy {
                        for other in self.of(pair.other, known)? {
                            held.push(Held {
                                intervals: covered(pair, &other.intervals),
                                ..other
                            });
                        }
                    }
                }
                for later in known.paired_with(number)? {
                    if later < self.against {
                        self.shared_by(later, number, &mut held, known)?;
                    }
                }
            }
            Standing::Received | Standing::Failed | Standing::Lapsed => {}
        }
        if matches!(facts.standing, Standing::Decided | Standing::Withdrawn) {
            held.push(Held {
                intervals: facts.published,
                holder: number,
                public: true,
                again: false,
            });
        }
        held.retain(|held| !held.intervals.is_empty());
        self.known.insert(number, held.clone());
        Ok(held)
    }

    /// Adds what is held of a withdrawn submission because another one lists a pair with it.
    fn shared_by(
        &mut self,
        other: u64,
        number: u64,
        held: &mut Vec<Held>,
        known: &mut dyn Known,
    ) -> Result<()> {
        let Some(facts) = known.facts(other)? else {
            return Ok(());
        };
        let theirs = self.of(other, known)?;
        for pair in facts.pairs.iter().filter(|pair| pair.other == number) {
            if kind(pair, other, known)? != PairKind::Copy {
                continue;
            }
            for of_other in &theirs {
                let shared = of_other.intervals.intersection(&pair.here.into());
                let intervals = shared.iter().map(|here| to_there(pair, here)).collect();
                held.push(Held {
                    intervals,
                    ..of_other.clone()
                });
            }
        }
        Ok(())
    }
}

/// The seconds here that a pair covers, given the seconds there that are held.
fn covered(pair: &Pair, held: &Intervals) -> Intervals {
    let there: Intervals = pair.there.into();
    if held.intersection(&there).is_empty() {
        return Intervals::default();
    }
    // Times of two clips agree only to a fraction of a second, so short gaps do not count.
    let free = there.without(held).of_length(REMAINDER_MS);
    let free: Intervals = free
        .iter()
        .map(|interval| to_here(pair, interval))
        .collect();
    pair.covers.without(&free)
}

/// The seconds here that show these seconds of the other.
fn to_here(pair: &Pair, there: Interval) -> Interval {
    mapped(there, pair.there, pair.here, pair.speed_permille < 0)
}

/// The seconds of the other that these seconds show.
fn to_there(pair: &Pair, here: Interval) -> Interval {
    mapped(here, pair.here, pair.there, pair.speed_permille < 0)
}

fn mapped(interval: Interval, from: Interval, to: Interval, backwards: bool) -> Interval {
    let length = u128::from(from.length_ms().max(1));
    let at = |time: u64| {
        let offset = u128::from(time.clamp(from.start_ms, from.end_ms) - from.start_ms);
        // At most the length of `to`, so it fits.
        let offset = ((offset * u128::from(to.length_ms()) + length / 2) / length) as u64;
        if backwards {
            to.end_ms - offset
        } else {
            to.start_ms + offset
        }
    };
    let (start, end) = (at(interval.start_ms), at(interval.end_ms));
    Interval::new(start.min(end), start.max(end))
}

/// Remainders next to deductions that are too short to be distinguished from them.
fn remainders(rest: &Intervals, deductions: &[Deduction]) -> Intervals {
    if deductions.is_empty() {
        return Intervals::default();
    }
    let beside = |interval: &Interval| {
        deductions.iter().any(|other| {
            other.here.start_ms <= interval.end_ms && interval.start_ms <= other.here.end_ms
        })
    };
    let short: Intervals = rest
        .iter()
        .filter(|interval| interval.length_ms() < REMAINDER_MS && beside(interval))
        .collect();
    if rest.without(&short).total_ms() < JUDGED_MS {
        rest.clone()
    } else {
        short
    }
}

/// Minimum length of a remainder between deductions, in ms. A source keeps frames once a second,
/// and the ends of shared seconds are known no better.
pub const REMAINDER_MS: u64 = 1_000;

/// Minimum total length of what remains, in ms: as for a clip that can be judged
/// ([`Policy`](crate::verdict::Policy)).
pub const JUDGED_MS: u64 = 2_000;

#[cfg(test)]
mod tests;
