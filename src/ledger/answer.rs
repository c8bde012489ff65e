//! Puts the ledger's facts about a submission into a report (pure).

use std::time::{Duration, SystemTime};

use super::book::{Standings, name_of};
use super::claims::{Deducted, Deduction, Pair};
use super::interval::{Interval, Intervals};
use super::record::{Claim, ClaimState};
use super::review::{Judgement, Ruling, reviewed};
use crate::report::{self, Reason, ReasonCode, Related, Report, Span, SpanState, Verdict};

/// The part of a report about a submission.
pub fn submission(of: &Standings) -> report::Submission {
    let length = |states: &[ClaimState]| minutes(claimed(&of.claims, states).total_ms());
    let held = length(&[ClaimState::Offered, ClaimState::Sold]);
    let provisional = of.submission.provisional;
    report::Submission {
        number: of.submission.number,
        by: of.submission.by.clone(),
        reference: of.submission.reference.clone(),
        state: name_of(&of.submission.standing).to_owned(),
        received_at: crate::index::moment(
            SystemTime::UNIX_EPOCH + Duration::from_millis(of.submission.received_ms),
        ),
        provisional,
        payable_minutes: if provisional { 0.0 } else { held },
        provisional_minutes: if provisional { held } else { 0.0 },
        sold_minutes: length(&[ClaimState::Sold]),
        payable: claimed(&of.claims, &[ClaimState::Offered, ClaimState::Sold])
            .iter()
            .map(seconds)
            .collect(),
        deductions: of
            .settled
            .deductions
            .iter()
            .map(|deduction| described(of, deduction))
            .collect(),
        review: review(of),
        related: of
            .settled
            .related
            .iter()
            .filter_map(|&at| of.pairs.get(at))
            .map(|pair| related(of, pair))
            .collect(),
    }
}

/// The reviewers' judgements of the matches; `None` if there are none.
fn review(of: &Standings) -> Option<report::Review> {
    let report = of.report.as_ref().filter(|_| !of.judgements.is_empty())?;
    let (before, after) = (reviewed(report, &[]), reviewed(report, &of.judgements));
    let judgement = |said: &Judgement| report::Judgement {
        source_sha256: said.source_sha256.clone(),
        clip: seconds(said.here),
        verdict: match said.verdict {
            Ruling::Copy => "copy",
            Ruling::SameScene => "same_scene",
            Ruling::Allowed => "allowed",
            Ruling::Undo => "undo",
        }
        .to_owned(),
        by: said.by.clone(),
        why: said.why.clone(),
    };
    Some(report::Review {
        judgements: of.judgements.iter().map(judgement).collect(),
        released_minutes: minutes(after.eligible.without(&before.eligible).total_ms()),
        withheld_minutes: minutes(before.eligible.intersection(&after.published).total_ms()),
    })
}

/// Adds the ledger's part to a report, and recomputes what is payable.
pub(super) fn with(mut report: Report, said: report::Submission) -> Report {
    report.payable_minutes = said.payable_minutes;
    report.provisional_minutes = said.provisional_minutes;
    report.submission = Some(said);
    report
}

/// Makes unpublished seconds of a report unsearchable unless they are in `allowed`.
pub(super) fn restrict(report: &mut Report, allowed: &Intervals) {
    let mut spans: Vec<Span> = Vec::new();
    for span in &report.spans {
        let whole: Intervals = Interval::of_seconds(span.start_s, span.end_s).into();
        if span.state != SpanState::Unpublished || whole.without(allowed).is_empty() {
            spans.push(span.clone());
            continue;
        }
        let part = |part: Interval, state| {
            let length = Duration::from_millis(part.length_ms());
            let reason = (state == SpanState::Unsearchable).then(|| {
                Reason::of(
                    ReasonCode::FromFingerprint,
                    length,
                    "the submitted fingerprint was not unpublished here",
                )
            });
            Span {
                start_s: part.start_s(),
                end_s: part.end_s(),
                state,
                reason,
            }
        };
        let mut parts: Vec<Span> = whole
            .intersection(allowed)
            .iter()
            .map(|inside| part(inside, SpanState::Unpublished))
            .collect();
        parts.extend(
            whole
                .without(allowed)
                .iter()
                .map(|outside| part(outside, SpanState::Unsearchable)),
        );
        parts.sort_by(|a, b| a.start_s.total_cmp(&b.start_s));
        spans.extend(parts);
    }
    report.spans = spans;
    let total = |state| -> f64 {
        let of_state = report.spans.iter().filter(|span| span.state == state);
        let ms: u64 = of_state
            .map(|span| Interval::of_seconds(span.start_s, span.end_s).length_ms())
            .sum();
        ms as f64 / 1e3
    };
    (report.seconds.unpublished, report.seconds.unsearchable) = (
        total(SpanState::Unpublished),
        total(SpanState::Unsearchable),
    );
    let unpublished = report.seconds.unpublished;
    report.payable_minutes = if report.verdict == Verdict::Inconclusive {
        0.0
    } else {
        minutes((unpublished * 1e3).round() as u64)
    };
}

/// The claims in some states.
pub(super) fn claimed(claims: &[Claim], states: &[ClaimState]) -> Intervals {
    let claims = claims.iter().filter(|claim| states.contains(&claim.state));
    claims
        .map(|claim| Interval::new(claim.start_ms, claim.end_ms))
        .collect()
}

fn described(of: &Standings, deduction: &Deduction) -> report::Deduction {
    let pair = deduction.pair.and_then(|at| of.pairs.get(at));
    let holder = (deduction.holder > 0).then_some(deduction.holder);
    let by = holder.map(|_| deduction.creator.clone());
    let there = holder.map(|_| seconds(deduction.there));
    let through = pair
        .filter(|pair| pair.other != deduction.holder)
        .map(|pair| pair.other);
    let text = match deduction.reason {
        Deducted::AlreadyOffered => {
            format!(
                "{} offered it before, in submission {}",
                deduction.creator, deduction.holder
            )
        }
        Deducted::Disputed => {
            format!(
                "disputed: {} offered it before, in submission {}",
                deduction.creator, deduction.holder
            )
        }
        Deducted::Undecided => format!(
            "inconclusive: {} perhaps offered it before, in submission {}; a person must decide",
            deduction.creator, deduction.holder
        ),
        Deducted::Sold => {
            format!(
                "already sold, as submission {} by {}",
                deduction.holder, deduction.creator
            )
        }
        Deducted::Published => format!("submission {} shows that it is public", deduction.holder),
        Deducted::Remainder => "too short to judge next to the deducted part".to_owned(),
    };
    let through = through.map_or(String::new(), |through| {
        format!(" (known from the withdrawn submission {through})")
    });
    report::Deduction {
        clip: seconds(deduction.here),
        reason: name(deduction.reason).to_owned(),
        number: holder,
        by,
        there,
        probability: pair.map(|pair| f64::from(pair.probability_ppm) / 1e6),
        evidence_bits: pair.map(|pair| pair.evidence_millibits as f64 / 1e3),
        mirrored: pair.map(|pair| pair.mirrored),
        speed: pair.map(|pair| pair.speed_permille as f64 / 1e3),
        identical: pair.map(|pair| pair.identical),
        text: format!("{text}{through}"),
    }
}

/// Name of a reason in reports.
pub(super) fn name(reason: Deducted) -> &'static str {
    match reason {
        Deducted::AlreadyOffered => "already_offered",
        Deducted::Disputed => "disputed",
        Deducted::Undecided => "undecided",
        Deducted::Published => "published",
        Deducted::Sold => "sold",
        Deducted::Remainder => "remainder",
    }
}

fn related(of: &Standings, pair: &Pair) -> Related {
    let by = of.creators.get(&pair.other).cloned().unwrap_or_default();
    Related {
        number: pair.other,
        by,
        clip: seconds(pair.here),
        there: seconds(pair.there),
        decided: pair.kind != super::claims::PairKind::SameScene,
    }
}

fn seconds(of: Interval) -> report::Interval {
    report::Interval {
        start_s: of.start_s(),
        end_s: of.end_s(),
    }
}

fn minutes(ms: u64) -> f64 {
    // As precise as in a report.
    (ms as f64 / 60.0).round() / 1e3
}
