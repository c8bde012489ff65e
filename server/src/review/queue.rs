//! The order in which people look at submissions: money times doubt (pure).
//!
//! The *money* of a submission is the price of its payable and withheld seconds, which are all
//! unpublished, published or undecided ones. A rate card gives the price; without one each minute
//! counts 1. The *doubt* is between 0 and 1. It combines single doubts as `1 - (1 - a)(1 - b)…`:
//!
//! | doubt | size |
//! |---|---|
//! | `undecided` | share of the seconds that are withheld because of an undecided match |
//! | `disputed` | share that an earlier submission withholds, undecided or another creator's |
//! | `near` | for each match not judged, and the nearest non-match: see below |
//! | `inconclusive` | [`INCONCLUSIVE`] for an inconclusive verdict |
//! | `waiting` | [`WAITING`] if a decision waits for another person |
//! | `held` | 1 if a person disputes it |
//!
//! `near` is how near the probability is to the limits of the policy, times the share of the
//! seconds.
//!
//! A submission that a person accepted has no doubt. Any other has at least [`LEAST`], so that
//! among those without a doubt the most expensive comes first.

use uniq::rates::{RateCard, amount_of};
use uniq::report::{MatchKind, NonMatch, ReasonCode, Report, SpanState, Verdict};

use super::log::Stand;

/// The weight of a submission.
#[derive(Clone, PartialEq, Debug)]
pub struct Weighed {
    /// The money, in hundredths of the card's currency, or of a minute without a card.
    pub cents: u64,
    /// Length of the seconds that the money is for, in milliseconds.
    pub stake_ms: u64,
    /// The doubt, 0..=1.
    pub doubt: f64,
    /// The names of its doubts that are not 0, largest first.
    pub why: Vec<&'static str>,
}

impl Weighed {
    /// Money times doubt, in millionths of a hundredth.
    pub fn weight(&self) -> u64 {
        (self.cents as f64 * self.doubt * 1e6).min(9e18) as u64
    }
}

/// Weighs a submission by its report, in which the ledger's part is redacted, and its log.
pub fn weigh(report: &Report, stand: &Stand<'_>, card: Option<&RateCard>) -> Weighed {
    let stake = stake(report);
    let stake_ms: u64 = stake
        .iter()
        .map(|&(start, end)| ms(end).saturating_sub(ms(start)))
        .sum();
    let cents = match card {
        Some(card) => price(card, report, &stake),
        None => stake_ms / 600,
    };
    let share = |seconds: f64| (seconds * 1e3 / (stake_ms.max(1) as f64)).clamp(0.0, 1.0);
    let undecided: f64 = report
        .spans
        .iter()
        .filter(|span| {
            span.reason
                .as_ref()
                .is_some_and(|why| why.code == ReasonCode::Undecided)
        })
        .map(|span| span.end_s - span.start_s)
        .sum();
    let deductions = report.submission.iter().flat_map(|said| &said.deductions);
    let disputed: f64 = deductions
        .filter(|of| matches!(of.reason.as_str(), "disputed" | "undecided"))
        .map(|of| of.clip.end_s - of.clip.start_s)
        .sum();
    let is_judged = |of: &NonMatch| {
        stand
            .on_match(&of.source.sha256, (ms(of.clip.start_s), ms(of.clip.end_s)))
            .is_some()
    };
    let alignments = report
        .matches
        .iter()
        .map(|of| &of.alignment)
        .chain(&report.nearest_non_match);
    let certain = alignments
        .filter(|of| !of.identical && !is_judged(of))
        .map(|of| 1.0 - nearness(of.probability, report) * share(of.clip.end_s - of.clip.start_s))
        .product::<f64>();
    let is_all_judged = report
        .matches
        .iter()
        .filter(|of| of.kind == MatchKind::Undecided)
        .all(|of| is_judged(&of.alignment));
    let parts = [
        (
            "undecided",
            if is_all_judged { 0.0 } else { share(undecided) },
        ),
        ("disputed", share(disputed)),
        ("near", 1.0 - certain),
        (
            "inconclusive",
            if report.verdict == Verdict::Inconclusive {
                INCONCLUSIVE
            } else {
                0.0
            },
        ),
        (
            "waiting",
            if stand.waiting.is_empty() {
                0.0
            } else {
                WAITING
            },
        ),
        ("held", if stand.is_disputed() { 1.0 } else { 0.0 }),
    ];
    let mut named: Vec<_> = parts
        .into_iter()
        .filter(|(_, doubt)| *doubt >= SHOWN)
        .collect();
    named.sort_by(|a, b| b.1.total_cmp(&a.1));
    let doubt = 1.0 - parts.iter().map(|(_, doubt)| 1.0 - doubt).product::<f64>();
    let doubt = if stand.is_accepted() && stand.waiting.is_empty() {
        0.0
    } else {
        doubt.clamp(LEAST, 1.0)
    };
    Weighed {
        cents,
        stake_ms,
        doubt,
        why: named.into_iter().map(|(name, _)| name).collect(),
    }
}

/// The seconds that are payable or withheld, in order.
fn stake(report: &Report) -> Vec<(f64, f64)> {
    let is_withheld = |code| matches!(code, ReasonCode::Undecided | ReasonCode::Beside);
    let counts = report.spans.iter().filter(|span| match span.state {
        SpanState::Unsearchable => span
            .reason
            .as_ref()
            .is_some_and(|why| is_withheld(why.code)),
        SpanState::Unpublished | SpanState::Published => true,
    });
    counts.map(|span| (span.start_s, span.end_s)).collect()
}

/// Price of these seconds if all were payable, in hundredths.
fn price(card: &RateCard, report: &Report, stake: &[(f64, f64)]) -> u64 {
    let mut free = report.clone();
    free.verdict = Verdict::Unpublished;
    free.clip.from_fingerprint = false;
    free.submission = None;
    let amount = amount_of(card, &free, stake);
    amount.payable_cents.max(amount.withheld_cents)
}

/// How near a probability is to the policy's limits: 1 between them, less for each bit of the odds
/// beyond them, and 0 from [`FAR_BITS`].
fn nearness(probability: f64, report: &Report) -> f64 {
    let bits =
        |of: f64| (of.clamp(1e-12, 1.0 - 1e-12) / (1.0 - of.clamp(1e-12, 1.0 - 1e-12))).log2();
    let (low, high) = (
        report.search.payable_probability,
        report.search.published_probability,
    );
    let beyond = if probability < low {
        bits(low) - bits(probability)
    } else if probability > high {
        bits(probability) - bits(high)
    } else {
        0.0
    };
    (1.0 - beyond / FAR_BITS).clamp(0.0, 1.0)
}

fn ms(seconds: f64) -> u64 {
    (seconds * 1e3).round().max(0.0) as u64
}

/// Doubt of an inconclusive verdict, 0..=1: a person must look at nearly all of these.
pub const INCONCLUSIVE: f64 = 0.5;

/// Doubt of a decision that waits for another person, 0..=1.
pub const WAITING: f64 = 0.5;

/// Minimum doubt of a submission that nobody has accepted, 0..=1; small compared with every other
/// doubt.
pub const LEAST: f64 = 0.001;

/// Bits of the odds beyond a limit, 0.., from which a probability raises no doubt. The odds are
/// then a thousandth of those at the limit.
const FAR_BITS: f64 = 10.0;

/// Doubts below this, 0..=1, are not named.
const SHOWN: f64 = 0.005;
