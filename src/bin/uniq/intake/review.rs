//! `uniq intake review`: records a person's judgement of a match with a public source.

use std::io::{self, Write};

use uniq::ledger::{self, Judgement, Ruling, Standings};
use uniq::report::{Match, MatchKind};

use super::in_step;
use crate::args::{IntakeReview, Said};
use crate::exit::Exit;
use crate::output;
use crate::render::interval;
use crate::text::{plain, tenths};

/// Records the judgement.
pub(super) fn review(args: &IntakeReview) -> anyhow::Result<Exit> {
    let mut ledger = in_step(&args.place)?;
    let standings = ledger.standings(args.number)?;
    let matches = standings
        .report
        .as_ref()
        .map(|report| &report.matches[..])
        .unwrap_or_default();
    let found = args.of_match.checked_sub(1).and_then(|at| matches.get(at));
    let Some(found) = found else {
        anyhow::bail!(
            "submission {} has no match {}: it has {}; see them with: uniq intake show {}",
            args.number,
            args.of_match,
            matches.len(),
            args.number
        );
    };
    let (ruling, says) = match args.ruling {
        Said::Copy => (Ruling::Copy, "the same recording, and public"),
        Said::SameScene => (Ruling::SameScene, "the same scene at another moment"),
        Said::Allowed => (
            Ruling::Allowed,
            "the creator's own publication, or licensed",
        ),
        Said::Undo => (Ruling::Undo, "no longer judged"),
    };
    let changed = ledger.review(
        args.number,
        &Judgement::of(found, ruling, &args.by, &args.why),
    )?;
    let mut out = output::stdout();
    writeln!(
        out,
        "match {} of submission {} is {says}, as {} says",
        args.of_match,
        args.number,
        plain(&args.by)
    )?;
    for number in changed {
        let said = ledger::submission(&ledger.standings(number)?);
        let minutes = said.payable_minutes + said.provisional_minutes;
        writeln!(
            out,
            "submission {number}: now {} s payable",
            tenths(minutes * 60.0)
        )?;
    }
    out.flush()?;
    Ok(Exit::Success)
}

/// Lists the matches of a submission with their numbers and judgements.
pub(super) fn matches(out: &mut dyn Write, standings: &Standings) -> io::Result<()> {
    let matches = standings
        .report
        .as_ref()
        .map(|report| &report.matches[..])
        .unwrap_or_default();
    for (at, found) in matches.iter().enumerate() {
        let said = standings
            .judgements
            .iter()
            .find(|judgement| judgement.is_of(found));
        let said = said.map_or(String::new(), |judgement| {
            let word = match judgement.verdict {
                Ruling::Copy => "a copy",
                Ruling::SameScene => "the same scene at another moment",
                Ruling::Allowed => "allowed",
                Ruling::Undo => "not judged",
            };
            format!(
                "; {} says that it is {word}: {}",
                plain(&judgement.by),
                plain(&judgement.why)
            )
        });
        writeln!(out, "  match {}: {}{said}", at + 1, described(found))?;
    }
    Ok(())
}

fn described(found: &Match) -> String {
    let kind = match found.kind {
        MatchKind::Copy => "a copy",
        MatchKind::Undecided => "perhaps a copy",
        MatchKind::SameScene => "the same scene",
    };
    let alignment = &found.alignment;
    format!(
        "{} in {}: {kind}",
        interval(alignment.clip),
        plain(&alignment.source.path)
    )
}
