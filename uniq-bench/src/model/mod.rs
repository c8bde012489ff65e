//! Fits the model that decides what is a copy, and judges it on contents that it was not fitted on.

mod contents;
mod observe;
mod plan;

use std::path::PathBuf;

use anyhow::bail;

use self::contents::Contents;
use crate::cache::{self, Cache};
use crate::detect::cancel_flag;

/// What `model` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folders of videos, each with a manifest.csv or a takes.csv
    #[arg(value_name = "DIR", required = true)]
    folders: Vec<PathBuf>,
    /// Keep what was made in this folder [default: uniq/bench in the user's cache folder]
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// Look at so many excerpts only
    #[arg(long, value_name = "N")]
    most: Option<usize>,
}

/// Observes, fits and judges; gives what could not be measured.
pub(crate) fn model(args: &Args) -> anyhow::Result<Vec<String>> {
    cache::need_editor()?;
    let folder = args.cache.clone().map_or_else(cache::default_folder, Ok)?;
    let cache = Cache::new(folder, None)?;
    let cancel = cancel_flag()?;
    let contents = Contents::read(&args.folders)?;
    let mut jobs = plan::plan(&contents);
    jobs.truncate(args.most.unwrap_or(usize::MAX));
    eprintln!("{} videos of {} contents, {} excerpts", contents.clips.len(), contents.number(), jobs.len());
    let (observations, failed) = observe::observe(&contents, &jobs, &cache, &cancel)?;
    if observations.is_empty() {
        bail!("no excerpt could be looked at: {}", failed.join("; "));
    }
    eprintln!("{}: {} observations", cache.observations().display(), observations.len());
    Ok(failed)
}
