//! `uniq index canaries`: measures the recall of the cells, and stores it in the index.

use std::fmt::Write as _;
use std::time::SystemTime;

use serde::Serialize;
use uniq::index::{Screening, Writer};
use uniq::sandbox::json_line;
use uniq::search;

use super::watched;
use crate::exit::Exit;
use crate::place::Place;
use crate::progress::Progress;
use crate::text::grouped;
use crate::{output, signal, talk};

/// The object of `--json`.
#[derive(Serialize)]
struct Measured<'a> {
    #[serde(flatten)]
    screening: &'a Screening,
    recall: Option<f64>,
}

/// Measures, commits and prints.
pub(super) fn measure(
    place: &Place,
    excerpts: usize,
    json: bool,
    quiet: bool,
) -> anyhow::Result<Exit> {
    let cancel = signal::cancel_flag("stopping; nothing has been changed")?;
    let mut writer = Writer::open(&place.dir)?.with_clock(SystemTime::now);
    let progress = Progress::new(quiet);
    let measure = |index| {
        watched(&progress, &cancel, |watch| {
            search::measure(index, excerpts, watch)
        })
    };
    let measured = writer.committed().map(measure).transpose();
    progress.finish();
    let Some(screening) = measured?.flatten() else {
        talk::say(
            "nothing to measure: a small index compares all keys, or no excerpt can be found",
        );
        return Ok(Exit::Success);
    };
    writer.set_screening(screening.clone());
    writer.commit()?;
    let recall = screening.recall();
    if json {
        output::print(
            format!(
                "{}\n",
                json_line(&Measured {
                    screening: &screening,
                    recall
                })?
            )
            .as_bytes(),
        )?;
    } else {
        output::print(table(&screening).as_bytes())?;
    }
    Ok(Exit::Success)
}

fn table(screening: &Screening) -> String {
    let mut text = format!(
        "{} keys, {} cells looked into for each key\n",
        grouped(screening.keys),
        screening.probes
    );
    for strength in &screening.strengths {
        let _ = writeln!(
            text,
            "{:<8} {} of {} excerpts nominated",
            strength.name, strength.nominated, strength.excerpts
        );
    }
    if let Some(recall) = screening.recall() {
        let _ = writeln!(text, "recall   {:.2} %", 100.0 * recall);
    }
    text
}
