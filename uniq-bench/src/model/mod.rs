//! Fits the model that decides what is a copy, and judges it out of fold.

mod boost;
mod contents;
mod curves;
mod fit;
pub(crate) mod gate;
mod judged;
mod observe;
mod plan;
mod power;

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::{Context, bail};
use uniq::verdict::Policy;

use self::contents::Contents;
use self::observe::Observation;
use crate::cache::{self, Cache};
use crate::cancel_flag;

/// What `model` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folders of videos, each with a manifest.csv or a takes.csv
    #[arg(value_name = "DIR", required = true)]
    folders: Vec<PathBuf>,
    /// Keep what was made in this folder [default: uniq/bench in the user's cache folder]
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// Fit on what was observed in this file, and look at nothing
    #[arg(long, value_name = "FILE")]
    observations: Option<PathBuf>,
    /// Cost of a second wrongly called published, in seconds left undecided
    #[arg(long, value_name = "COST")]
    false_published: Option<f32>,
    /// Cost of a second of a copy that is payable, in seconds left undecided
    #[arg(long, value_name = "COST")]
    false_payable: Option<f32>,
    /// Power below which seconds are unsearchable
    #[arg(long, value_name = "POWER")]
    power_min: Option<f32>,
    /// Write the weights of the model of all contents into this file
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Draw the errors that can be had and how true probabilities are into this folder, as SVG
    #[arg(long, value_name = "DIR")]
    plots: Option<PathBuf>,
    /// List what is judged wrongly
    #[arg(long)]
    mistakes: bool,
    /// Look at excerpts only whose fingerprints are named in this file
    #[arg(long, value_name = "FILE")]
    only: Option<PathBuf>,
    /// Look at so many excerpts only
    #[arg(long, value_name = "N")]
    most: Option<usize>,
}

/// Observes, fits and judges. Returns what could not be measured.
pub(crate) fn model(args: &Args) -> anyhow::Result<Vec<String>> {
    cache::need_editor()?;
    let folder = args.cache.clone().map_or_else(cache::default_folder, Ok)?;
    let cache = Cache::new(folder)?;
    let cancel = cancel_flag()?;
    if let Some(file) = &args.observations {
        let observations = observe::load(file)?;
        report(args, &observations, &cache)?;
        return Ok(Vec::new());
    }
    let contents = Contents::read(&args.folders)?;
    let mut jobs = plan::plan(&contents);
    if let Some(file) = &args.only {
        let names = fs::read_to_string(file).with_context(|| file.display().to_string())?;
        let names: BTreeSet<&str> = names.split_whitespace().collect();
        jobs.retain(|job| names.contains(cache::key(&job.excerpt).as_str()));
    }
    jobs.truncate(args.most.unwrap_or(usize::MAX));
    eprintln!(
        "{} videos of {} contents, {} excerpts",
        contents.clips.len(),
        contents.number(),
        jobs.len()
    );
    let (observations, failed) = observe::observe(&contents, &jobs, &cache, &cancel)?;
    if observations.is_empty() {
        bail!("no excerpt could be looked at: {}", failed.join("; "));
    }
    eprintln!(
        "{}: {} observations",
        cache.observations().display(),
        observations.len()
    );
    report(args, &observations, &cache)?;
    Ok(failed)
}

fn report(args: &Args, observations: &[Observation], cache: &Cache) -> anyhow::Result<()> {
    let usual = Policy::default();
    let policy = Policy {
        false_published: args.false_published.unwrap_or(usual.false_published),
        false_payable: args.false_payable.unwrap_or(usual.false_payable),
        power_min: args.power_min.unwrap_or(usual.power_min),
        ..usual
    };
    let mut models = fit::fit(observations);
    // The findings do not depend on the power, but the power depends on the findings.
    let judged = judged::judged(observations, &models, &policy, cache)?;
    let powers = power::fit(&judged);
    let reliability = power::reliability(&judged, &powers);
    models
        .iter_mut()
        .zip(&powers)
        .for_each(|(model, power)| model.power.clone_from(power));
    let judged = judged::judged(observations, &models, &policy, cache)?;
    let mut text = [
        judged::table(&judged),
        judged::by_edit(&judged),
        judged::reliability(observations, &models),
        reliability,
        judged::by_chance(observations),
    ]
    .join("\n");
    if args.mistakes {
        text.push_str(&judged::mistakes(&judged, &models));
    }
    io::stdout().write_all(text.as_bytes())?;
    if let Some(folder) = &args.plots {
        curves::write(folder, &judged, &models, &policy)?;
    }
    if let (Some(file), Some(model)) = (&args.write, models.last()) {
        let contents: BTreeSet<&str> = observations
            .iter()
            .map(|made| made.content.as_str())
            .collect();
        fs::write(file, fit::source(model, observations.len(), contents.len()))
            .with_context(|| file.display().to_string())?;
    }
    Ok(())
}
