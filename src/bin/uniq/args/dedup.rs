//! The arguments of `uniq dedup`.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::{Effort, Guard, Lang, Threads};

/// What `dedup` takes.
#[derive(Debug, Args)]
pub(crate) struct Dedup {
    /// The clips, folders and lists of clips
    #[arg(required = true, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub(crate) paths: Vec<PathBuf>,
    /// Also compare with the clips in this folder, which are always kept
    #[arg(long = "reference", value_name = "DIR", value_hint = ValueHint::AnyPath)]
    pub(crate) references: Vec<PathBuf>,
    /// Let lists name files anywhere in this folder [default: the folder of each list]
    #[arg(long, hide_short_help = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) list_root: Option<PathBuf>,
    /// How hard to look
    ///
    /// fast: decode and compare quickly. standard: find similar pairs quickly, and compare these in full.
    /// thorough: compare every pair in full.
    #[arg(
        long,
        value_enum,
        hide_possible_values = true,
        default_value = "standard"
    )]
    pub(crate) effort: Effort,
    /// Which clip of a group to keep
    #[arg(long, value_enum, default_value = "first")]
    pub(crate) keep: Keep,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    /// Write a table of the matches to this file, one line each
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) csv: Option<PathBuf>,
    /// Also write a page that shows the evidence to this file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) html: Option<PathBuf>,
    /// The language of the page
    #[arg(
        long,
        hide_short_help = true,
        value_enum,
        default_value = "en",
        requires = "html"
    )]
    pub(crate) lang: Lang,
    /// Keep decoded clips in this folder, for later runs [default: a folder in the user's cache, removed
    /// at the end]
    ///
    /// It holds small pictures of the clips.
    #[arg(long, hide_short_help = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) work: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) threads: Threads,
    #[command(flatten)]
    pub(crate) guard: Guard,
}

/// Which clip of a group is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Keep {
    /// The first in the order given
    First,
    /// The longest
    Longest,
    /// The one with the most pixels; among equals, the most bits
    Quality,
}

impl From<Keep> for uniq::dedup::Keep {
    fn from(keep: Keep) -> uniq::dedup::Keep {
        match keep {
            Keep::First => uniq::dedup::Keep::First,
            Keep::Longest => uniq::dedup::Keep::Longest,
            Keep::Quality => uniq::dedup::Keep::Quality,
        }
    }
}
