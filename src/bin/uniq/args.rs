//! The command line as clap parses it, and its conversion into the library's types.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;
use uniq::index::SearchMode;

mod certificate;
mod dedup;
pub(crate) mod help;
mod index;
mod intake;

pub(crate) use certificate::{
    CertificateCommand, Certify, Extras, KeyCommand, RecheckArgs, Signing, Trust,
};
pub(crate) use dedup::Dedup;
pub(crate) use index::{BenignCommand, IndexCommand, Sourced};
pub(crate) use intake::{
    Change, Decided, Format, IntakeAdd, IntakeCommand, IntakeRecheck, IntakeReview, LedgerOption,
    Said, Table,
};

use crate::expected::Expectation;

/// Tell whether any second of a video clip is already public
#[derive(Debug, Parser)]
#[command(
    name = "uniq",
    version,
    max_term_width = 100,
    arg_required_else_help = true,
    subcommand_required = true,
    after_help = "\
Example:
  uniq index build ~/public-videos && uniq check clip.mp4

The index: --index DIR, else $UNIQ_INDEX, else index-data in the current folder if it holds an index, else uniq/index \
in the user's data folder.

Exit codes: 0 every clip is unpublished, 1 a clip is published wholly or partly, 2 error, 3 inconclusive; of several \
clips the worst counts: 2, then 1, then 3.

A call without a command, on a text file, a pipe or no file (sort FILE | uniq -c), is meant for coreutils' uniq: the \
next uniq in PATH runs."
)]
pub(crate) struct Cli {
    /// Print only errors on standard error
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Compare keys with these processor instructions, for measuring: avx512, avx2, popcnt, neon,
    /// portable
    #[arg(long, global = true, hide = true, value_name = "NAME")]
    pub(crate) scan: Option<String>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make, change or look at the index of public videos
    #[command(
        subcommand,
        arg_required_else_help = true,
        after_help = "Example:\n  uniq index build ~/public-videos && uniq index stats"
    )]
    Index(IndexCommand),
    /// Tell whether any second of a clip is in the index
    #[command(after_help = "\
Example:
  uniq check clip.mp4
  uniq check --json *.mp4 | jq -r '[.clip.path, .verdict, .payable_minutes] | @tsv'
  find /submitted -name '*.mp4' | uniq check -
  uniq check clip.mp4 --html clip.html

CLIP is a video, a folder (with everything in it), a list of clips (.csv with a column `path`, .jsonl), or - for a \
list on standard input, which may also have one file name a line. With --fingerprint it is a file made by `uniq \
fingerprint`. The answers come in the order of the clips.

A copy is called certain if its probability is 99 % or more, and likely from 93 % on. From 5 % to 93 % it is \
undecided: its seconds are neither published nor payable. Each bit of evidence halves the odds that the agreement is a \
coincidence. Only seconds that were searched and not found are payable.

With --json each answer is one object on one line. A clip that cannot be read gives an object with schema, clip.path, \
code and message.

Exit codes: 0 every clip is unpublished, 1 a clip is published wholly or partly, 2 error, 3 inconclusive; of several \
clips the worst counts: 2, then 1, then 3.")]
    Check(Box<Check>),
    /// Find clips that share footage, and say which to keep
    #[command(after_help = "\
Example:
  uniq dedup ~/uploads
  uniq dedup ~/uploads --reference ~/bought --keep quality --csv pairs.csv
  uniq dedup --json ~/uploads | jq -r '.groups[].members[] | select(.redundant) | .path'

PATH is a video, a folder (with everything in it), a list of clips (.csv with a column `path`, .jsonl), or - for a \
list on standard input. The command never deletes anything. A group is a clip to keep and the clips that match it. A \
clip that shows the same scene at another moment is related, but in no group. If interrupted, the command says how to \
go on without decoding again.

With --json it prints one object: schema, duplicates, clips, pairs, groups, failed, keep, search, cost (see docs/dedup.md).

Exit codes: 0 no duplicates, 1 duplicates found, 2 error, or a clip that cannot be read, 3 something could not be \
compared or decided; the worst counts: 2, then 1, then 3.")]
    Dedup(Box<Dedup>),
    /// Write a clip's fingerprint, so that the clip itself need not leave its owner
    #[command(after_help = "\
Example:
  uniq fingerprint clip.mp4 -o clip.uniq
  uniq check --fingerprint clip.uniq

It prints the digest that names the fingerprint.")]
    Fingerprint(Fingerprint),
    /// Make or show keys that sign certificates
    #[command(
        subcommand,
        arg_required_else_help = true,
        after_help = "Example:\n  uniq key new checks.key && uniq key show checks.key.pub"
    )]
    Key(KeyCommand),
    /// Check clips and sign what was found
    #[command(after_help = "\
Example:
  uniq key new checks.key
  uniq certify clip.mp4 --key checks.key -o certificates

For each clip it writes NAME.certificate.json, a signed statement that anybody can verify with the public key, and \
NAME.uniq, the fingerprint for running the search again, which contains small pictures of the clip. It never \
overwrites a file. docs/certificate.md says what a certificate states and what it does not.

With --json each clip gives an object: schema, clip (path, sha256), verdict, payable_ms, certificate, \
certificate_sha256, fingerprint, result_digest. A clip that cannot be certified gives an object with schema, \
clip.path, code and message.

Exit codes: those of `uniq check`: 0 every clip is unpublished, 1 something is published, 2 error, 3 inconclusive.")]
    Certify(Box<Certify>),
    /// Show, verify, run again and recheck certificates
    #[command(
        subcommand,
        arg_required_else_help = true,
        after_help = "Example:\n  uniq certificate verify clip.mp4.certificate.json --key checks.key.pub"
    )]
    Certificate(CertificateCommand),
    /// Record who offers which seconds first, so that none is paid for twice
    #[command(
        subcommand,
        arg_required_else_help = true,
        after_help = "Example:\n  uniq intake add clip.mp4 --by alice && uniq intake list"
    )]
    Intake(IntakeCommand),
    /// Run the intake service: uploads, checks, certificates and reviews over HTTP
    #[cfg(feature = "serve")]
    #[command(disable_help_flag = true, after_help = "Example:\n  uniq serve --demo")]
    Serve {
        /// Options of the service; see `uniq serve --help`
        #[arg(
            trailing_var_arg = true,
            allow_hyphen_values = true,
            value_name = "OPTIONS"
        )]
        args: Vec<std::ffi::OsString>,
    },
    /// Test what protects this computer from foreign files, and what the program needs
    #[command(after_help = "\
Example:
  uniq doctor
  uniq doctor --json | jq -r '.advice[]'

It tests each protection: a decoding process without a file tries what it must not be able to do. With --json it \
prints one object: version, healthy, protections, trials (what, refused, how), ffmpeg, scan, index, advice.

Exit codes: 0 all is well, 2 something is missing, and the advice says what to do.")]
    Doctor {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        index: IndexOption,
    },
    /// Print a completion script for a shell
    #[command(after_help = "\
Example:
  uniq completions bash > ~/.local/share/bash-completion/completions/uniq")]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page
    #[command(
        hide = true,
        after_help = "\
Example:
  uniq man | man -l -
  uniq man --dir ~/.local/share/man/man1"
    )]
    Man {
        /// Write one page a command into this folder instead
        #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
        dir: Option<PathBuf>,
    },
}

/// Where the index is.
#[derive(Debug, Args)]
pub(crate) struct IndexOption {
    /// Use the index in this folder [env: UNIQ_INDEX]
    ///
    /// Commands that only read also take s3://BUCKET/PREFIX.
    #[arg(long = "index", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) dir: Option<PathBuf>,
}

/// What `check` takes.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The clips, folders and lists of clips, or with --fingerprint their fingerprint files
    #[arg(required = true, value_name = "CLIP", value_hint = ValueHint::AnyPath)]
    pub(crate) clips: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) index: IndexOption,
    /// Let lists name files anywhere in this folder [default: the folder of each list]
    #[arg(long, hide_short_help = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) list_root: Option<PathBuf>,
    /// Check fingerprint files, made by `uniq fingerprint`, in place of clips
    ///
    /// Nothing is payable before the clip itself is checked.
    #[arg(long)]
    pub(crate) fingerprint: bool,
    /// Print one JSON object a clip, one line each
    #[arg(long)]
    pub(crate) json: bool,
    /// How hard to look
    #[arg(long, value_enum, default_value = "standard")]
    pub(crate) effort: Effort,
    /// How to search a large index
    #[arg(long, hide_short_help = true, value_enum, default_value = "auto")]
    pub(crate) search: Search,
    /// Also write a signed certificate of the one clip to this file
    ///
    /// Its fingerprint is written beside it, as by `uniq certify`.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "fingerprint")]
    pub(crate) certificate: Option<PathBuf>,
    /// Price each clip by this rate card (TOML; docs/rates.md)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "fingerprint")]
    pub(crate) rates: Option<PathBuf>,
    /// Do not measure what sets the price: native size, frame rate, logos and captions
    ///
    /// --effort fast never measures it.
    #[arg(long, hide_short_help = true, conflicts_with = "rates")]
    pub(crate) no_quality: bool,
    #[command(flatten)]
    pub(crate) page: Page,
    #[command(flatten)]
    pub(crate) expectation: Expectation,
    #[command(flatten)]
    pub(crate) threads: Threads,
    #[command(flatten)]
    pub(crate) signing: Signing,
    #[command(flatten)]
    pub(crate) guard: Guard,
}

/// The evidence page that is wanted.
#[derive(Debug, Clone, Args)]
pub(crate) struct Page {
    /// Also write a page that shows the evidence to this file
    ///
    /// With several clips, name a folder; each clip gets a page in it.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::AnyPath)]
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
}

/// The languages of pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Lang {
    /// English
    En,
    /// Arabic
    Ar,
}

/// What `fingerprint` takes.
#[derive(Debug, Args)]
pub(crate) struct Fingerprint {
    /// The clip
    #[arg(value_name = "CLIP", value_hint = ValueHint::FilePath)]
    pub(crate) clip: PathBuf,
    /// Write the fingerprint to this file
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: PathBuf,
    /// Include small pictures of the clip
    ///
    /// A check of the fingerprint then finds what a check of the clip finds.
    #[arg(long)]
    pub(crate) pictures: bool,
    #[command(flatten)]
    pub(crate) guard: Guard,
}

/// How foreign files are kept from doing harm.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits and protection")]
pub(crate) struct Guard {
    /// Stop if this system lacks a protection against malicious files (see uniq doctor)
    #[arg(long, hide_short_help = true)]
    pub(crate) require_sandbox: bool,
    /// Decode without protection against malicious files; only for your own files
    #[arg(long, hide_short_help = true, conflicts_with = "require_sandbox")]
    pub(crate) in_process: bool,
    /// Follow symbolic links to files
    #[arg(long, hide_short_help = true)]
    pub(crate) follow_links: bool,
    /// Keep the list of files that crashed the decoder in this file [default: uniq/quarantine.jsonl
    /// in the user's state folder]
    #[arg(long, hide_short_help = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) journal: Option<PathBuf>,
    /// Retry files that crashed the decoder twice
    #[arg(long, hide_short_help = true)]
    pub(crate) retry_quarantined: bool,
    /// Refuse frames with more than N pixels (K, M, G, T are powers of 1024)
    #[arg(long, hide_short_help = true, value_name = "N", value_parser = size, default_value = "64M")]
    pub(crate) max_pixels: u64,
    /// Refuse videos with more than N frames
    #[arg(long, hide_short_help = true, value_name = "N", value_parser = size, default_value = "4000000")]
    pub(crate) max_frames: u64,
    /// Refuse videos longer than this (90, 90s, 15m, 2h)
    #[arg(long, hide_short_help = true, value_name = "TIME", value_parser = time, default_value = "12h")]
    pub(crate) max_duration: Duration,
    /// Refuse files with more than N bytes (K, M, G, T are powers of 1024)
    #[arg(long, hide_short_help = true, value_name = "N", value_parser = size, default_value = "64G")]
    pub(crate) max_bytes: u64,
    /// Stop decoding a file that takes more than N bytes of memory (K, M, G, T are powers of 1024)
    #[arg(long, hide_short_help = true, value_name = "N", value_parser = size, default_value = "2G")]
    pub(crate) max_memory: u64,
    /// Allow at least this time for decoding a file
    #[arg(long, hide_short_help = true, value_name = "TIME", value_parser = time, default_value = "60s")]
    pub(crate) min_time: Duration,
    /// Allow N seconds more for each second of video
    #[arg(long, hide_short_help = true, value_name = "N", default_value = "10")]
    pub(crate) time_ratio: u32,
    /// Stop decoding a file after this time, however long it is
    #[arg(long, hide_short_help = true, value_name = "TIME", value_parser = time, default_value = "4h")]
    pub(crate) max_time: Duration,
    /// Stop decoding a file without progress for this time
    #[arg(long, hide_short_help = true, value_name = "TIME", value_parser = time, default_value = "30s")]
    pub(crate) max_stall: Duration,
}

/// How many videos are worked on at once.
#[derive(Debug, Args)]
pub(crate) struct Threads {
    /// Work on N videos at once [default: the number of cores]
    #[arg(short = 'j', long = "threads", value_name = "N")]
    pub(crate) count: Option<NonZeroUsize>,
}

/// How the index is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Search {
    /// Compare every video of a small index, and screen a large one first
    Auto,
    /// Compare only videos that a quick screening proposes
    Screened,
    /// Compare every video, which is slow in a large index
    Exact,
}

impl From<Search> for SearchMode {
    fn from(search: Search) -> SearchMode {
        match search {
            Search::Auto => SearchMode::Auto,
            Search::Screened => SearchMode::Screened,
            Search::Exact => SearchMode::Exact,
        }
    }
}

/// How hard copies are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Effort {
    /// Half of the frames, upright or mirrored, without small details
    Fast,
    /// All frames; the strongest details also find rotated, tilted, stretched and negative copies
    Standard,
    /// Every detail also finds copies rotated by 90, 180 and 270 degrees, and negatives; takes several
    /// times as long
    Thorough,
}

impl From<Effort> for uniq::Effort {
    fn from(effort: Effort) -> uniq::Effort {
        match effort {
            Effort::Fast => uniq::Effort::Fast,
            Effort::Standard => uniq::Effort::Standard,
            Effort::Thorough => uniq::Effort::Thorough,
        }
    }
}

/// Parses the sampling interval in seconds.
fn interval(text: &str) -> Result<Duration, String> {
    let refuse = || "give a number of seconds from 0.1 to 60".to_owned();
    let seconds: f64 = text.parse().map_err(|_| refuse())?;
    if (0.1..=60.0).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err(refuse())
    }
}

/// Parses a number of items or bytes, at least 1.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let refuse = || "give a whole number of 1 or more; K, M, G and T are powers of 1024".to_owned();
    let (digits, shift) = match text.char_indices().last() {
        Some((at, 'K' | 'k')) => (&text[..at], 10),
        Some((at, 'M' | 'm')) => (&text[..at], 20),
        Some((at, 'G' | 'g')) => (&text[..at], 30),
        Some((at, 'T' | 't')) => (&text[..at], 40),
        _ => (text, 0),
    };
    let number: u64 = digits.parse().map_err(|_| refuse())?;
    number
        .checked_mul(1 << shift)
        .filter(|number| *number > 0)
        .ok_or_else(refuse)
}

/// Parses a time in seconds, minutes or hours, from a tenth of a second to a year.
fn time(text: &str) -> Result<Duration, String> {
    let refuse = || "give a time such as 90, 90s, 15m or 2h".to_owned();
    let (number, unit) = match text.char_indices().last() {
        Some((at, 's')) => (&text[..at], 1.0),
        Some((at, 'm')) => (&text[..at], 60.0),
        Some((at, 'h')) => (&text[..at], 3600.0),
        _ => (text, 1.0),
    };
    let seconds = unit * number.parse::<f64>().map_err(|_| refuse())?;
    if (0.1..=366.0 * 86_400.0).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err(refuse())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_commands_are_those_that_are_kept_from_coreutils() {
        let names = |command: &clap::Command| -> Vec<String> {
            command
                .get_subcommands()
                .map(|command| command.get_name().to_owned())
                .collect()
        };
        let cli = Cli::command();
        assert_eq!(crate::commands::SCHEMA, uniq::report::SCHEMA);
        assert_eq!(names(&cli), crate::commands::COMMANDS);
        assert_eq!(
            names(cli.find_subcommand("index").unwrap()),
            crate::commands::INDEX_COMMANDS
        );
    }

    #[test]
    fn intervals_outside_the_range_are_refused() {
        for wrong in ["0.09", "60.1", "-1", "NaN", "inf", "", "1s"] {
            assert!(interval(wrong).is_err(), "{wrong}");
        }
        assert_eq!(interval("0.1"), Ok(Duration::from_millis(100)));
        assert_eq!(interval("60"), Ok(Duration::from_secs(60)));
    }

    #[test]
    fn sizes_and_times_have_units_and_ends() {
        assert_eq!(
            (size("64G"), size("1k"), size("7")),
            (Ok(64 << 30), Ok(1024), Ok(7))
        );
        for wrong in ["", "0", "-1", "1.5", "G", "99999999999T", "1P", "ä"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
        assert_eq!(
            (time("90"), time("1.5m")),
            (Ok(Duration::from_secs(90)), Ok(Duration::from_secs(90)))
        );
        for wrong in ["", "0", "-1s", "h", "NaN", "inf", "9999999h", "1d", "ß"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_defaults_are_those_of_the_library() {
        let cli = Cli::parse_from(["uniq", "check", "a.mp4"]);
        let Command::Check(check) = cli.command else {
            panic!()
        };
        assert_eq!(
            crate::guard::limits(&check.guard),
            uniq::media::Limits::default()
        );
    }

    #[test]
    fn the_help_names_the_limits_of_the_words_for_a_copy() {
        let policy = uniq::verdict::Policy::default();
        let percent = |probability: f64| format!("{:.0} %", 100.0 * probability);
        let likely = percent(policy.published_min().into());
        let help = help::command();
        let help = help.find_subcommand("check").unwrap();
        let help = help.get_after_long_help().unwrap().to_string();
        for said in [
            format!(
                "certain if its probability is {}",
                percent(crate::render::CERTAIN)
            ),
            format!("likely from {likely} on"),
            format!(
                "From {} to {likely} it is undecided",
                percent(policy.payable_max().into())
            ),
        ] {
            assert!(help.contains(&said), "{said}: {help}");
        }
    }
}
