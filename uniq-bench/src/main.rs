//! Measures the library `uniq` on the user's own footage, for people who develop or evaluate it.

#![allow(clippy::print_stderr, reason = "talks to the person who runs it")]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod cache;
mod edits;
mod excerpt;
mod facts;
mod footage;
mod model;
mod pictures;
mod plot;
mod precision;
mod random;
mod statistics;

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
    /// Tell how likely a copy is found, and how often an innocent clip is called published: fit the
    /// model that decides, and judge it on contents that it was not fitted on
    #[command(after_help = "\
Example:
  uniq-bench model ~/clips ~/takes --plots plots

Each DIR is a folder of videos with a manifest.csv or a takes.csv: columns file, and as far as known group (the same content), \
family (takes of one scene), source (a repository, a colon and a path), relation and duration_s. What shares a group, a family or a \
repository is one content, and there have to be ten at least. All videos are indexed. Excerpts of them, edited in 49 ways by the \
command ffmpeg, have to be found; nothing may be called published of excerpts whose content is left out of the search, of other takes, \
and of other moments of a video of which only one half is indexed.

Fingerprints of edited excerpts, indexes and what was found are kept in the cache, so that a second run measures what changed.

Exit codes: 0 measured, 2 error, or something could not be measured.")]
    Model(model::Args),
    /// Fail if a fixed sample of the footage is decided worse than it was
    #[command(after_help = "\
Example:
  uniq-bench gate ~/clips ~/fitting ~/takes

The gates are for the footage that the model was fitted on, in the same folders: each with a manifest.csv or a takes.csv.

Exit codes: 0 as good as it was, 2 worse, or something could not be measured.")]
    Gate(model::gate::Args),
    /// Tell how often native size, frame rate, bars, logos and captions are told right
    #[command(after_help = "\
Example:
  uniq-bench facts ~/clips ~/fitting

Excerpts of each video are changed in known ways by the command ffmpeg and measured as a check measures a clip. Undecided is no \
answer, and wrong is another than the known one. Videos that have a logo, a caption or bars themselves count as clean all the same.

Exit codes: 0 measured, 2 error, or something could not be measured.")]
    Facts(facts::Args),
    /// Tell how many bytes the small pictures of sources take, and how true they are to the frames
    #[command(after_help = "\
Example:
  uniq-bench pictures ~/footage

DIR is a folder of videos; of a manifest.csv in it only the column `file` and `duration_s` are read.

Exit codes: 0 measured, 2 error, or something could not be measured.")]
    Pictures {
        /// The videos
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
}

fn main() -> ExitCode {
    let failed = match Cli::parse().command {
        Command::Model(args) => model::model(&args),
        Command::Gate(args) => model::gate::gate(&args),
        Command::Facts(args) => facts::facts(&args),
        Command::Pictures { folder } => pictures::pictures(&folder),
    };
    match failed {
        Ok(failed) if failed.is_empty() => ExitCode::SUCCESS,
        Ok(failed) => {
            failed
                .iter()
                .for_each(|failure| eprintln!("not measured: {failure}"));
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
