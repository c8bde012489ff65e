//! Measures the library `uniq` on footage of one's own: a tool for those who develop or judge it.

#![allow(clippy::print_stderr, reason = "talks to the person who runs it")]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod cache;
mod detect;
mod edits;
mod excerpt;
mod footage;
mod measure;
mod model;
mod null;
mod pictures;
mod plot;
mod precision;
mod random;
mod score;
mod statistics;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Parser, Subcommand};

/// Measure what uniq finds, and what it wrongly accuses, on footage of your own
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Tell how likely a copy is found, and how often an innocent clip is called published
    #[command(after_help = "\
Example:
  uniq-bench detect ~/footage
  uniq-bench detect ~/footage --edits cut,vertical,pip50 --lengths 10 --plot recall.svg

DIR is a folder of videos. A manifest.csv in it names its files in the column `file`; files with the same text in the \
column `group` show the same content and never stand on both sides. Each half of the groups is indexed in turn. Excerpts of \
indexed videos, edited in each way, have to be found; those of the other half must not be called published; nor must other \
moments of a video of which only one half is indexed. The edits are made by the command ffmpeg.

Fingerprints of edited excerpts, indexes and reports are kept in the cache, so that a second run measures what changed.

Exit codes: 0 measured, 2 error, or something could not be measured.")]
    Detect(detect::Args),
    /// Fit the model that decides what is a copy, and judge it on contents that it was not fitted
    /// on
    Model(model::Args),
    /// Fail if a fixed sample of the footage is decided worse than it was
    #[command(after_help = "\
Example:
  uniq-bench gate ~/clips ~/fitting ~/takes

The gates are for the footage that the model was fitted on, in the same folders: each with a manifest.csv or a takes.csv.

Exit codes: 0 as good as it was, 2 worse, or something could not be measured.")]
    Gate(model::gate::Args),
    /// Tell how many bytes the small pictures of sources take, and how true they are to the frames
    #[command(after_help = "\
Example:
  uniq-bench pictures ~/footage

DIR is a folder of videos, as `uniq-bench detect` takes it.

Exit codes: 0 measured, 2 error, or something could not be measured.")]
    Pictures {
        /// The videos
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
}

fn main() -> ExitCode {
    let failed = match Cli::parse().command {
        Command::Detect(args) => detect::detect(&args),
        Command::Model(args) => model::model(&args),
        Command::Gate(args) => model::gate::gate(&args),
        Command::Pictures { folder } => pictures::pictures(&folder),
    };
    match failed {
        Ok(failed) if failed.is_empty() => ExitCode::SUCCESS,
        Ok(failed) => {
            failed.iter().for_each(|failure| eprintln!("not measured: {failure}"));
            ExitCode::from(2)
        }
        Err(error) => {
            eprintln!("uniq-bench: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// A flag that Ctrl-C or a termination request sets.
pub(crate) fn cancel_flag() -> anyhow::Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    let shared = Arc::clone(&flag);
    ctrlc::set_handler(move || shared.store(true, Ordering::Relaxed))?;
    Ok(flag)
}
