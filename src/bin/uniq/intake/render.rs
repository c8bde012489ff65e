//! The ledger's answer about a submission, in sentences (pure, except for notices).

use std::io::{self, Write};

use uniq::ledger::Notice;
use uniq::report::{Deduction, Report, Submission};

use crate::render::{interval, probability as in_per_cent};
use crate::talk;
use crate::text::{plain, tenths, whole};

/// Writes the ledger's answer below the report.
pub(super) fn submission(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    let Some(said) = &report.submission else {
        return Ok(());
    };
    writeln!(out, "  {}", heading(said))?;
    for deduction in &said.deductions {
        writeln!(out, "    {}", deducted(deduction))?;
    }
    for related in &said.related {
        writeln!(
            out,
            "    {}: related to submission {} by {} ({}), the same scene at another moment; not deducted",
            interval(related.clip),
            related.number,
            plain(&related.by),
            interval(related.there)
        )?;
    }
    Ok(())
}

fn heading(said: &Submission) -> String {
    let reference = said
        .reference
        .as_deref()
        .map_or(String::new(), |text| format!(" ({})", plain(text)));
    let at = said
        .received_at
        .as_deref()
        .map_or(String::new(), |at| format!(", received {}", plain(at)));
    let payable = match said.provisional {
        true => format!(
            "{} s provisionally payable, until the clip itself is submitted",
            tenths(said.provisional_minutes * 60.0)
        ),
        false => format!("{} s payable", tenths(said.payable_minutes * 60.0)),
    };
    let sold = match said.sold_minutes {
        sold if sold > 0.0 => format!(", {} s of them sold", tenths(sold * 60.0)),
        _ => String::new(),
    };
    let state = if said.state == "decided" {
        String::new()
    } else {
        format!(", {}", plain(&said.state))
    };
    format!(
        "submission    {} by {}{reference}{at}{state}: {payable}{sold}",
        said.number,
        plain(&said.by)
    )
}

fn deducted(deduction: &Deduction) -> String {
    let mut line = format!("{}: {}", interval(deduction.clip), plain(&deduction.text));
    if let Some(there) = deduction.there {
        line += &format!(", there {}", interval(there));
    }
    let mut how = Vec::new();
    if deduction.identical == Some(true) {
        how.push("the same bytes".to_owned());
    } else {
        if deduction.mirrored == Some(true) {
            how.push("mirrored".to_owned());
        }
        if let Some(speed) = deduction.speed.filter(|speed| (speed - 1.0).abs() > 0.02) {
            how.push(format!("at {speed:.2} times the speed"));
        }
        if let (Some(probability), Some(bits)) = (deduction.probability, deduction.evidence_bits) {
            how.push(format!(
                "probability of a copy {}, {} bits of evidence that the scene is the same",
                in_per_cent(probability),
                whole(bits)
            ));
        }
    }
    if how.is_empty() {
        line
    } else {
        format!("{line} ({})", how.join(", "))
    }
}

/// Reports progress on standard error.
pub(super) fn notice(notice: Notice<'_>) {
    match notice {
        Notice::Received(of) => talk::say_over(&format!("{}: submission {}", of.path, of.number)),
        Notice::Waiting { number, behind } if number == behind => {
            talk::say_over(&format!(
                "submission {number} is in work in another process"
            ));
        }
        Notice::Waiting { number, behind } => {
            talk::say_over(&format!(
                "submission {number} waits for submission {behind}, which came first"
            ));
        }
        Notice::TakenOver(of) => {
            talk::say_over(&format!(
                "submission {} lost its worker and continues here: {}",
                of.number, of.path
            ));
        }
        Notice::Lapsed(of, why) => talk::say_over(&format!(
            "submission {} by {} has lapsed: {why}",
            of.number, of.by
        )),
        _ => {}
    }
}
