//! Prices a clip by a rate card: classes of facts, each with a rate a minute (pure).
//!
//! A card is TOML:
//!
//! ```toml
//! currency = "USD"
//! min_span_s = 2.0            # shorter unpublished spans are not paid
//!
//! [[class]]
//! name = "4k"
//! per_minute = 4.00           # at most four decimals
//! min_native_lines = 2160     # short side of the picture that it was made of
//!
//! [[class]]
//! name = "rest"               # no conditions: everything
//! per_minute = 1.00
//! ```
//!
//! The classes are tried in order; the first one that fits a span is its class. A condition on an
//! undecided fact may or may not hold. The rate is then the lowest of all classes that may be the
//! first to fit, so that no doubt raises a rate. If no class certainly fits a span, its rate is 0.
//!
//! | condition | type | holds if |
//! |---|---|---|
//! | `min_native_lines` | pixels | the native short side is at least that |
//! | `min_distinct_fps` | frames a second | the distinct frame rate is at least that; a hundredth less is enough, as for 59.94 |
//! | `min_used_bits` | bits | at least so many bits of a sample are used |
//! | `overlays` | `"none"` \| `"found"` | no logo or caption is seen within the span, or one is |
//! | `bars` | `"none"` \| `"found"` | the picture has no black bars, or has some |
//! | `interlaced` | bool | frames consist of two fields, or do not |
//! | `declared_generated` | bool | a manifest declares that a model made the picture or parts of it, or none does; a manifest that cannot be read is undecided |
//! | `max_dark`, `max_blurred`, `max_shaken`, `max_frozen` | 0..=1 | no larger share of the clip is so |
//!
//! The amount is exact: milliseconds times rate are summed, and rounded down once at the end, to a
//! hundredth of the currency. The amount of a span is the difference of the rounded sums after and
//! before it, so the spans add up to the total.

mod card;

use std::collections::BTreeSet;

use crate::facts::{
    Declared, Finding, Generated, Manifest, Quality, ResolutionState, ScanState, Training,
};
use crate::report::{Amount, PricedSpan, Report, SpanState, Verdict};

pub use card::{Class, Presence, RateCard};

/// The amount that a card gives for the unpublished spans of a report. For a submission, these are
/// the spans that are payable after all deductions.
///
/// Nothing is payable if the verdict is inconclusive or if a fingerprint was checked in place of
/// the clip. If the clip was not measured, or a manifest forbids training or cannot be read, a
/// person must decide. [`Amount::withheld_cents`] then gives the amount.
pub fn amount(card: &RateCard, report: &Report) -> Amount {
    let spans: Vec<(f64, f64)> = match &report.submission {
        // The spans that nobody offered earlier.
        Some(submission) => submission
            .payable
            .iter()
            .map(|part| (part.start_s, part.end_s))
            .collect(),
        None => {
            let unpublished = report
                .spans
                .iter()
                .filter(|span| span.state == SpanState::Unpublished);
            unpublished.map(|span| (span.start_s, span.end_s)).collect()
        }
    };
    amount_of(card, report, &spans)
}

/// The amount for these spans of a report: start and end in seconds, in order and without overlap.
/// Use it for the unpublished spans that remain after claims of others.
pub fn amount_of(card: &RateCard, report: &Report, spans: &[(f64, f64)]) -> Amount {
    let mut reasons = Vec::new();
    if report.verdict == Verdict::Inconclusive {
        reasons.push("the verdict is inconclusive".to_owned());
    }
    if report.clip.from_fingerprint {
        reasons.push("a fingerprint was checked in place of the clip".to_owned());
    }
    if report
        .submission
        .as_ref()
        .is_some_and(|submission| submission.provisional)
        && reasons.is_empty()
    {
        reasons.push(
            "only a fingerprint of the clip was submitted; submit the clip itself".to_owned(),
        );
    }
    let is_open = reasons.is_empty();
    let quality = report.quality.as_ref();
    let doubt = match quality.map(|quality| &quality.declared) {
        None => Some(NOT_MEASURED),
        Some(Declared {
            training: Some(Training::NotAllowed),
            ..
        }) => Some(NOT_ALLOWED),
        Some(Declared {
            manifest: Manifest::Unreadable,
            ..
        }) => Some(UNREADABLE),
        Some(_) => None,
    };
    reasons.extend(doubt.filter(|_| is_open).map(str::to_owned));
    let (mut sum, mut cents) = (0_u128, 0_u64);
    let (mut priced, mut doubts, mut unpriced) = (Vec::new(), BTreeSet::new(), false);
    for &(start_s, end_s) in spans.iter().filter(|_| is_open) {
        let milliseconds = millis(end_s).saturating_sub(millis(start_s));
        let Rate { class, units: rate } = if milliseconds < card.min_span_ms {
            Rate::default()
        } else {
            card.rate_of(
                &Facts {
                    quality,
                    start_s,
                    end_s,
                },
                &mut doubts,
            )
        };
        unpriced |= milliseconds >= card.min_span_ms && class.is_none();
        sum += u128::from(milliseconds) * u128::from(rate);
        let total = u64::try_from(sum / UNITS_OF_CENT).unwrap_or(u64::MAX);
        priced.push(PricedSpan {
            start_s,
            end_s,
            class,
            minutes: (milliseconds as f64 / 60.0).round() / 1000.0,
            per_minute: f64::from(rate) / f64::from(RATE_UNITS),
            cents: total - cents,
        });
        cents = total;
    }
    let short = priced.iter().any(|span| {
        span.class.is_none() && millis(span.end_s) - millis(span.start_s) < card.min_span_ms
    });
    if short {
        reasons.push(format!(
            "spans shorter than {} s are not paid",
            card.min_span_ms as f64 / 1000.0
        ));
    }
    reasons.extend(doubts);
    if unpriced {
        reasons.push(
            "no class of the card fits for certain; to price everything, end the card with a class without conditions"
                .to_owned(),
        );
    }
    let payable = is_open && doubt.is_none();
    Amount {
        currency: card.currency.clone(),
        card_sha256: card.sha256.clone(),
        payable,
        payable_cents: if payable { cents } else { 0 },
        withheld_cents: if payable { 0 } else { cents },
        spans: priced,
        reasons,
    }
}

/// The rate of a span.
#[derive(Debug, Default)]
struct Rate {
    class: Option<String>,
    /// In 1/10 000 of the currency a minute.
    units: u32,
}

/// The facts of a span.
#[derive(Debug, Clone, Copy)]
struct Facts<'a> {
    quality: Option<&'a Quality>,
    start_s: f64,
    end_s: f64,
}

impl RateCard {
    /// The class of a span and its rate. `doubts` receives a sentence for each better-paid class
    /// that an undecided fact excludes.
    fn rate_of(&self, facts: &Facts<'_>, doubts: &mut BTreeSet<String>) -> Rate {
        let mut lowest: Option<&Class> = None;
        let mut sure = false;
        let mut undecided = Vec::new();
        for class in &self.classes {
            let (holds, open) = class.holds(facts);
            if holds == Some(false) {
                continue;
            }
            if holds.is_none() {
                undecided.push((class, open));
            }
            if lowest.is_none_or(|lowest| class.per_minute < lowest.per_minute) {
                lowest = Some(class);
            }
            if holds == Some(true) {
                sure = true;
                break;
            }
        }
        let found = lowest.filter(|_| sure);
        for (class, open) in undecided {
            if found.is_none_or(|found| found.per_minute < class.per_minute) {
                doubts.insert(format!(
                    "not paid as {}: undecided is {}",
                    class.name,
                    open.join(", ")
                ));
            }
        }
        found.map_or_else(Rate::default, |class| Rate {
            class: Some(class.name.clone()),
            units: class.per_minute,
        })
    }
}

impl Class {
    /// Whether all conditions hold; `None` with the names of the undecided facts if that is
    /// undecided.
    fn holds(&self, facts: &Facts<'_>) -> (Option<bool>, Vec<&'static str>) {
        let quality = facts.quality;
        let known = |answer: fn(&Quality) -> Option<f64>| quality.and_then(answer);
        let least = |wanted: Option<f64>, found: Option<f64>| {
            wanted.map(|wanted| found.map(|found| found >= wanted))
        };
        let most = |wanted: Option<f64>, found: Option<f64>| {
            wanted.map(|wanted| found.map(|found| found <= wanted))
        };
        let shares = quality.map(|quality| quality.shares).unwrap_or_default();
        let conditions = [
            (
                "the native size",
                least(self.min_native_lines.map(f64::from), known(native_lines)),
            ),
            (
                "the frame rate",
                least(
                    self.min_distinct_fps.map(|fps| fps * 0.99),
                    known(|quality| quality.frame_rate.distinct),
                ),
            ),
            (
                "the used bits",
                least(
                    self.min_used_bits.map(f64::from),
                    known(|quality| quality.bit_depth.used.map(f64::from)),
                ),
            ),
            (
                "whether there is a logo or caption",
                self.overlays.map(|wanted| {
                    overlays(facts).map(|found| found == (wanted == Presence::Found))
                }),
            ),
            (
                "whether there are bars",
                self.bars.map(|wanted| {
                    let found = quality.and_then(|quality| found(quality.bars.state));
                    found.map(|found| found == (wanted == Presence::Found))
                }),
            ),
            (
                "whether it is interlaced",
                self.interlaced
                    .map(|wanted| quality.and_then(interlaced).map(|found| found == wanted)),
            ),
            (
                "whether a model is declared",
                self.declared_generated
                    .map(|wanted| quality.and_then(generated).map(|found| found == wanted)),
            ),
            ("how dark it is", most(self.max_dark, shares.dark)),
            ("how blurred it is", most(self.max_blurred, shares.blurred)),
            ("how shaken it is", most(self.max_shaken, shares.shaken)),
            (
                "how long it stands still",
                most(self.max_frozen, shares.frozen),
            ),
        ];
        let mut open = Vec::new();
        for (name, condition) in conditions {
            match condition {
                None | Some(Some(true)) => {}
                Some(Some(false)) => return (Some(false), Vec::new()),
                Some(None) => open.push(name),
            }
        }
        (open.is_empty().then_some(true), open)
    }
}

/// The native short side; `None` if it is undecided.
fn native_lines(quality: &Quality) -> Option<f64> {
    let resolution = &quality.resolution;
    resolution
        .native_lines
        .filter(|_| resolution.state != ResolutionState::Undecided)
        .map(f64::from)
}

fn found(finding: Finding) -> Option<bool> {
    match finding {
        Finding::None => Some(false),
        Finding::Found => Some(true),
        Finding::Undecided => None,
    }
}

/// Whether an overlay is seen within the span.
fn overlays(facts: &Facts<'_>) -> Option<bool> {
    let overlays = &facts.quality?.overlays;
    let within = overlays
        .found
        .iter()
        .any(|found| found.start_s < facts.end_s && found.end_s > facts.start_s);
    if within {
        Some(true)
    } else {
        found(overlays.state).map(|_| false)
    }
}

fn interlaced(quality: &Quality) -> Option<bool> {
    match quality.scan.state {
        ScanState::Progressive => Some(false),
        ScanState::Interlaced => Some(true),
        ScanState::Undecided => None,
    }
}

/// Whether a manifest declares a model. Without a declaration, this is false.
fn generated(quality: &Quality) -> Option<bool> {
    match (quality.declared.generated, quality.declared.manifest) {
        (Some(Generated::Wholly | Generated::Partly), _) => Some(true),
        (None, Manifest::Unreadable) => None,
        (None, Manifest::NoDeclaration | Manifest::Unverified) => Some(false),
    }
}

/// Converts a time in seconds to milliseconds, the resolution of reports.
fn millis(seconds: f64) -> u64 {
    (seconds * 1000.0).round().max(0.0) as u64
}

/// Number of units of a rate per unit of the currency.
const RATE_UNITS: u32 = 10_000;
/// A hundredth of the currency, in milliseconds times rate units.
const UNITS_OF_CENT: u128 = 60_000 * RATE_UNITS as u128 / 100;
/// Why nothing is payable although nothing was found.
const NOT_ALLOWED: &str =
    "a C2PA manifest in the file does not allow training: clear it with the rights holder";
const UNREADABLE: &str =
    "a C2PA manifest in the file cannot be read: find out whether it allows training";
const NOT_MEASURED: &str =
    "the clip was not measured: check it again without --no-quality and with --effort standard";

#[cfg(test)]
mod tests;
