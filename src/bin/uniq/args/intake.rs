//! The arguments of `uniq intake`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, ValueHint};
use uniq::ledger::Head;

use super::{Effort, Extras, Guard, IndexOption, Page, Search, Signing, Threads};

/// The commands of `uniq intake`.
#[derive(Debug, Subcommand)]
pub(crate) enum IntakeCommand {
    /// Number clips, search them, and record what they claim
    #[command(after_help = "\
Example:
  uniq intake add clip.mp4 --by alice
  uniq intake add --json upload/*.mp4 --by alice --ref order-17 | jq '[.submission.number, .payable_minutes]'

Each clip gets its number before anything else is done with it; of two, the smaller number was first. Payable is what is \
unpublished, not repeated within the clip, and not offered by an earlier submission. The same file of the same creator gets the same \
number and answer again. An answer on standard output is durable. Any number of these may run at once, on one ledger.

With --json each clip gives the object of `uniq check --json` with a field `submission`; `payable_minutes` is what is left \
after its deductions. One that gets no answer gives an object with schema, clip.path, code and message.

Exit codes: 0 all that was found unpublished is payable, 1 something is published or was offered before, 2 error, 3 inconclusive; of several clips \
the worst counts: 2, then 1, then 3.")]
    Add(Box<IntakeAdd>),
    /// List the submissions
    #[command(after_help = "\
Example:
  uniq intake list --by alice
  uniq intake list --json | jq -r 'select(.state == \"received\") | .number'

With --json each submission is one object on one line, as of `uniq intake export`.")]
    List {
        #[command(flatten)]
        place: LedgerOption,
        /// Only those of this creator
        #[arg(long, value_name = "CREATOR")]
        by: Option<String>,
        /// Only those in this state: received, decided, failed, lapsed, withdrawn or undecided
        ///
        /// Undecided: a person has to decide whether they show the same as an earlier one.
        #[arg(long, value_name = "STATE")]
        state: Option<String>,
        /// Print one JSON object a submission, one line each
        #[arg(long)]
        json: bool,
    },
    /// Show a submission: what it claims, what is deducted and why, what it shares with others
    #[command(after_help = "\
Example:
  uniq intake show 17

With --json the object of `uniq intake add --json` is printed, with a field `pairs` (other, kind, here, there, covers, speed_permille, mirrored, \
probability_ppm, evidence_millibits, identical) and a field `events` with the rows of the chain.")]
    Show {
        /// The submission
        #[arg(value_name = "NUMBER")]
        number: u64,
        #[command(flatten)]
        place: LedgerOption,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Decide whether two submissions that share something are the same recording
    #[command(after_help = "\
Example:
  uniq intake decide 3-17 distinct --by bob --why 'two cameras of one concert'

`same` lets the later one lose what it shares with the earlier one, `distinct` gives it back. The decision is kept with name and reason; \
another one may follow. What is sold stays sold. The submissions whose claims are others now are printed.")]
    Decide {
        /// The two numbers, such as 3-17
        #[arg(value_name = "PAIR", value_parser = pair)]
        pair: (u64, u64),
        /// What they are
        #[arg(value_enum)]
        decision: Decided,
        /// Who decides
        #[arg(long, value_name = "NAME")]
        by: String,
        /// The reason
        #[arg(long, value_name = "TEXT")]
        why: String,
        #[command(flatten)]
        place: LedgerOption,
    },
    /// Hold submissions against what was added to the index of what is public since their answers
    #[command(after_help = "\
Example:
  uniq index add new.mp4 && uniq intake recheck
  uniq intake recheck 17 18 --from /srv/uniq/certificates --json

Without numbers, all submissions that stand and are not sold. Only what is new is searched; where something of a submission is found \
there, all of the index is, and the worse answer counts. So a recheck takes seconds away and never gives any; what is sold stays sold, \
and is told. A submission is searched by a fingerprint of --from, else by the clip where it was.

With --json each submission gives one object on one line: schema, number, changed, added (sources that are new), in_full (why all of the index \
was searched, or null), published and sold (seconds that are public now, and those that were sold and would not be offered now: start_s, end_s), \
payable_minutes, resettled (submissions whose claims are others now); one that cannot be rechecked: schema, number, code, message.

Exit codes: 0 nothing more is public, 1 something is, 2 error.")]
    Recheck(Box<IntakeRecheck>),
    /// Say what a match of a submission with a public source is
    #[command(after_help = "\
Example:
  uniq intake show 17
  uniq intake review 17 --match 2 same-scene --by bob --why 'the tower an hour later'
  uniq intake review 17 --match 1 allowed --by bob --why 'her own channel, seen on 3 May'
  uniq intake review 17 --match 2 undo --by sue --why 'the same cloud'

Seconds that only such matches withhold become payable once all of these are `same-scene` or `allowed`; what is dark, still, damaged or \
repeated never does. What a match shows that is a `copy` is public. The last word about a match counts; all are kept with name and reason. \
What is sold stays sold. The submissions whose claims are others now are printed.")]
    Review(Box<IntakeReview>),
    /// Take a submission back: its claims end, and its keys and pictures are removed
    #[command(after_help = "\
Example:
  uniq intake withdraw 17 --by alice --why 'wrong file'

Its seconds go to who offered them next, and may be offered again. What is sold cannot be withdrawn. The row and its claims stay in \
the ledger, as withdrawn; keys and pictures are removed from the index of the submissions, which is written anew for that.")]
    Withdraw(Change),
    /// Record that what a submission offers was bought
    #[command(after_help = "\
Example:
  uniq intake sold 17 --by broker --why invoice-2026-114

All that it offers at this time is sold. A fingerprint has to be confirmed by its clip first.")]
    Sold(Change),
    /// Write the ledger out, or a backup of it
    #[command(after_help = "\
Example:
  uniq intake export --table claims --format csv > claims.csv
  uniq intake export --backup /backup/ledger-$(date +%F).db

JSON Lines or CSV go to standard output. --backup writes a whole ledger of one moment while others go on; keep a copy of the \
submissions' index with it (uniq index snapshot). A PostgreSQL ledger is backed up with pg_dump.")]
    Export {
        #[command(flatten)]
        place: LedgerOption,
        /// What to write
        #[arg(
            long,
            value_enum,
            default_value = "submissions",
            conflicts_with = "backup"
        )]
        table: Table,
        /// How to write it
        #[arg(long, value_enum, default_value = "jsonl", conflicts_with = "backup")]
        format: Format,
        /// Write a copy of the ledger to this new file
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        backup: Option<PathBuf>,
    },
    /// Walk the chain of the ledger, and hold tables and index against it
    #[command(after_help = "\
Example:
  uniq intake verify
  uniq intake verify --head 4711:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08

Prints the head of the chain, which commits to all rows: keep it elsewhere, and a ledger that was cut or written anew since is \
noticed with --head. With --json one object is printed: schema, events, submissions, head.

Exit codes: 0 all fits, 2 something does not, and the first row that does not is named.")]
    Verify {
        #[command(flatten)]
        place: LedgerOption,
        /// A head that was printed before
        #[arg(long, value_name = "HEAD")]
        head: Option<Head>,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Mend a ledger and an index of submissions that are not of the same time
    #[command(after_help = "\
Example:
  uniq intake mend /archive/clips
  uniq intake mend --adopt

Entries that the index lacks are made anew of the clips where the ledger says they were, or of those named here that are the same \
bytes. With --adopt, what only the index knows gets a row of an unknown creator, who holds all of it until a person withdraws it. \
With --json one object is printed: schema, removed, made, missing, adopted, unknown.

Exit codes: 0 both are in step, 2 something is still missing.")]
    Mend {
        /// Clips and folders of clips
        #[arg(value_name = "CLIP", value_hint = ValueHint::AnyPath)]
        clips: Vec<PathBuf>,
        #[command(flatten)]
        place: LedgerOption,
        /// Take into the ledger what only the index knows
        #[arg(long)]
        adopt: bool,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        guard: Guard,
    },
}

/// Where the ledger is.
#[derive(Debug, Args)]
pub(crate) struct LedgerOption {
    /// Use this ledger: an SQLite file or a PostgreSQL URL [env: UNIQ_LEDGER]
    ///
    /// The default is uniq/ledger.db in the user's data folder.
    #[arg(long, value_name = "FILE|URL", value_hint = ValueHint::FilePath)]
    pub(crate) ledger: Option<String>,
    /// Keep the keys of the submissions in this folder [default: the ledger's name with .index]
    #[arg(long, hide_short_help = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) submissions: Option<PathBuf>,
}

/// What `intake add` takes.
#[derive(Debug, Args)]
pub(crate) struct IntakeAdd {
    /// The clips, folders and lists of clips, or with --fingerprint their fingerprint files
    #[arg(required = true, value_name = "CLIP", value_hint = ValueHint::AnyPath)]
    pub(crate) clips: Vec<PathBuf>,
    /// Who submits them
    #[arg(long, value_name = "CREATOR")]
    pub(crate) by: String,
    /// What the creator calls them
    #[arg(long = "ref", value_name = "TEXT")]
    pub(crate) reference: Option<String>,
    /// Submit fingerprint files, made by `uniq fingerprint`, in place of clips
    ///
    /// What is payable of them is provisional.
    #[arg(long, conflicts_with = "certificate")]
    pub(crate) fingerprint: bool,
    /// Confirm by the one clip the fingerprint that has this number
    #[arg(long = "for", value_name = "NUMBER", conflicts_with = "fingerprint")]
    pub(crate) confirms: Option<u64>,
    #[command(flatten)]
    pub(crate) place: LedgerOption,
    #[command(flatten)]
    pub(crate) index: IndexOption,
    /// Let lists name files anywhere in this folder [default: the folder of each list]
    #[arg(long, hide_short_help = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) list_root: Option<PathBuf>,
    /// Print one JSON object a clip, one line each
    #[arg(long)]
    pub(crate) json: bool,
    /// How hard to look
    #[arg(long, hide_short_help = true, value_enum, default_value = "standard")]
    pub(crate) effort: Effort,
    /// How to search a large index
    #[arg(long, hide_short_help = true, value_enum, default_value = "auto")]
    pub(crate) search: Search,
    /// Also write a signed certificate of the one clip to this file
    ///
    /// Its fingerprint is written beside it.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) certificate: Option<PathBuf>,
    /// Price what is payable of each clip by this rate card (TOML; docs/rates.md)
    #[arg(long, hide_short_help = true, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "fingerprint")]
    pub(crate) rates: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) page: Page,
    #[command(flatten)]
    pub(crate) threads: Threads,
    #[command(flatten)]
    pub(crate) extras: Extras,
    #[command(flatten)]
    pub(crate) signing: Signing,
    #[command(flatten)]
    pub(crate) guard: Guard,
}

/// What `intake recheck` takes.
#[derive(Debug, Args)]
pub(crate) struct IntakeRecheck {
    /// The submissions [default: all that stand and are not sold]
    #[arg(value_name = "NUMBER")]
    pub(crate) numbers: Vec<u64>,
    /// Search by these fingerprints (.uniq) and clips, or those in these folders
    #[arg(long, value_name = "FILE|DIR", value_hint = ValueHint::AnyPath)]
    pub(crate) from: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) place: LedgerOption,
    #[command(flatten)]
    pub(crate) index: IndexOption,
    /// Print one JSON object a submission, one line each
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) guard: Guard,
}

/// What `intake review` takes.
#[derive(Debug, Args)]
pub(crate) struct IntakeReview {
    /// The submission
    #[arg(value_name = "NUMBER")]
    pub(crate) number: u64,
    /// What the match is
    #[arg(value_enum, value_name = "VERDICT")]
    pub(crate) ruling: Said,
    /// The number of the match, as `uniq intake show` has it
    #[arg(long = "match", value_name = "N")]
    pub(crate) of_match: usize,
    /// Who says so
    #[arg(long, value_name = "NAME")]
    pub(crate) by: String,
    /// The reason
    #[arg(long, value_name = "TEXT")]
    pub(crate) why: String,
    #[command(flatten)]
    pub(crate) place: LedgerOption,
}

/// What a person says of a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Said {
    /// The same recording, and public
    Copy,
    /// Another take of the scene
    SameScene,
    /// The same recording, published by the creator or under a licence
    Allowed,
    /// What was said before counts no more
    Undo,
}

/// What `withdraw` and `sold` take.
#[derive(Debug, Args)]
pub(crate) struct Change {
    /// The submission
    #[arg(value_name = "NUMBER")]
    pub(crate) number: u64,
    /// Who says so: the person at the desk, whose name is kept and not checked
    #[arg(long, value_name = "NAME")]
    pub(crate) by: String,
    /// The reason, or what an invoice calls it
    #[arg(long, value_name = "TEXT")]
    pub(crate) why: String,
    #[command(flatten)]
    pub(crate) place: LedgerOption,
}

/// What a person decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Decided {
    /// The same recording
    Same,
    /// Different recordings
    Distinct,
}

/// What is exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Table {
    /// A row a submission
    Submissions,
    /// A row a claim
    Claims,
    /// A row an event of the chain
    Events,
}

/// How it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// One JSON object a line
    Jsonl,
    /// Comma-separated values
    Csv,
}

/// Reads two numbers.
fn pair(text: &str) -> Result<(u64, u64), String> {
    let refuse = || "give two different numbers, such as 3-17".to_owned();
    let (a, b) = text.split_once(['-', ',', ':']).ok_or_else(refuse)?;
    let (a, b): (u64, u64) = (
        a.trim().parse().map_err(|_| refuse())?,
        b.trim().parse().map_err(|_| refuse())?,
    );
    if a == b { Err(refuse()) } else { Ok((a, b)) }
}

#[cfg(test)]
mod tests {
    use super::pair;

    #[test]
    fn a_pair_is_two_different_numbers() {
        assert_eq!((pair("3-17"), pair("17,3")), (Ok((3, 17)), Ok((17, 3))));
        for wrong in ["", "3", "3-", "-3", "3-3", "a-b", "3-4-5", "3.5-4"] {
            assert!(pair(wrong).is_err(), "{wrong}");
        }
    }
}
