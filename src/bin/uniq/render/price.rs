//! The facts that determine the price of a clip, and the amount by a rate card, in a line each.

use std::io::{self, Write};

use uniq::facts::{
    Finding, Generated, Manifest, OverlayKind, Quality, RateState, ResolutionState, ScanState,
    Training,
};
use uniq::report::{Amount, Report};

use crate::text::{count, plain};

/// Writes the available lines.
pub(super) fn lines(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    if let Some(quality) = &report.quality {
        writeln!(out, "  quality       {}", quality_words(quality).join(", "))?;
    }
    if let Some(amount) = &report.amount {
        writeln!(out, "  amount        {}", amount_words(amount))?;
    }
    Ok(())
}

/// Facts worth a word: size and rate always, others if they can change the price.
fn quality_words(quality: &Quality) -> Vec<String> {
    let resolution = &quality.resolution;
    let mut words = vec![match (resolution.state, resolution.native_lines) {
        (ResolutionState::Native, _) => format!(
            "{} lines, not upscaled ({:.0} % sure)",
            resolution.lines,
            100.0 * resolution.confidence
        ),
        (ResolutionState::Upscaled, Some(native)) => {
            format!(
                "{} lines, upscaled from about {native} ({:.0} % sure)",
                resolution.lines,
                100.0 * resolution.confidence
            )
        }
        _ => format!("{} lines (cannot tell whether upscaled)", resolution.lines),
    }];
    let rate = &quality.frame_rate;
    words.push(match (rate.state, rate.distinct) {
        (RateState::Full, _) => format!("{:.2} frames a second", rate.stored),
        (RateState::Repeated, Some(distinct)) => {
            format!(
                "{distinct:.1} distinct of {:.2} frames a second, the rest repeated",
                rate.stored
            )
        }
        (RateState::Blended, Some(distinct)) => {
            format!(
                "{distinct:.1} distinct of {:.2} frames a second, the rest blended",
                rate.stored
            )
        }
        _ => format!(
            "{:.2} frames a second (cannot tell whether some repeat)",
            rate.stored
        ),
    });
    match (quality.bit_depth.stored, quality.bit_depth.used) {
        (0..=8, _) => {}
        (stored, Some(used)) if used < stored => {
            words.push(format!("{used} bits of {stored} used"))
        }
        (stored, used) => words.push(format!(
            "{stored} bits{}",
            if used.is_none() {
                " (cannot tell whether all are used)"
            } else {
                ""
            }
        )),
    }
    if quality.scan.state == ScanState::Interlaced {
        words.push("interlaced".to_owned());
    }
    if quality.bars.state == Finding::Found {
        words.push("black bars".to_owned());
    }
    for (kind, name) in [
        (OverlayKind::Logo, "burnt-in logo"),
        (OverlayKind::Caption, "burnt-in caption"),
    ] {
        let number = quality
            .overlays
            .found
            .iter()
            .filter(|overlay| overlay.kind == kind)
            .count();
        if number > 0 {
            words.push(count(number as u64, name));
        }
    }
    let shares = quality.shares;
    for (share, name) in [
        (shares.dark, "dark"),
        (shares.blurred, "blurred"),
        (shares.shaken, "shaken"),
        (shares.frozen, "frozen"),
    ] {
        if let Some(share) = share.filter(|share| *share >= SHARE_TOLD) {
            words.push(format!("{name} for {:.0} % of the time", 100.0 * share));
        }
    }
    let camera: Vec<_> = [&quality.capture.make, &quality.capture.model]
        .into_iter()
        .flatten()
        .map(|text| plain(text))
        .collect();
    if !camera.is_empty() {
        words.push(format!("camera {}", camera.join(" ")));
    }
    let declared = &quality.declared;
    match (declared.manifest, declared.generated) {
        (_, Some(Generated::Wholly)) => words.push("declared as made by a model".to_owned()),
        (_, Some(Generated::Partly)) => words.push("declared as partly made by a model".to_owned()),
        (Manifest::Unreadable, _) => {
            words.push("its statement of origin (C2PA) is unreadable".to_owned())
        }
        (Manifest::Unverified, _) => {
            words.push("with a statement of origin (C2PA), not verified".to_owned())
        }
        (Manifest::NoDeclaration, _) => {}
    }
    if declared.training == Some(Training::NotAllowed) {
        words.push("its file does not allow training".to_owned());
    }
    words
}

fn amount_words(amount: &Amount) -> String {
    let currency = plain(&amount.currency);
    let money = |cents: u64| format!("{}.{:02} {currency}", cents / 100, cents % 100);
    let mut classes: Vec<&str> = amount
        .spans
        .iter()
        .filter_map(|span| span.class.as_deref())
        .collect();
    classes.dedup();
    let classes = match &classes[..] {
        [] => String::new(),
        [only] => format!(" as {}", plain(only)),
        several => format!(" in {} spans", several.len()),
    };
    let why = match &amount.reasons[..] {
        [] => String::new(),
        reasons => format!(": {}", plain(&reasons.join("; "))),
    };
    if amount.payable {
        format!("{}{classes}{why}", money(amount.payable_cents))
    } else if amount.withheld_cents > 0 {
        format!(
            "{} ({} withheld{classes}){why}",
            money(0),
            money(amount.withheld_cents)
        )
    } else {
        format!("{}{why}", money(0))
    }
}

/// Minimum share that is mentioned, 0..=1.
const SHARE_TOLD: f64 = 0.1;
