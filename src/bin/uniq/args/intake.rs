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

Each clip first gets a number; of two clips, the smaller number was first. Seconds are payable if they are \
unpublished, not repeated within the clip, and not offered by an earlier submission. The same file from the same \
creator gets the same number and answer again. Once an answer is on standard output, it is durable. Any number of \
these commands may run at once on one ledger.

With --json each clip gives the object of `uniq check --json` with a field `submission`; `payable_minutes` is what \
remains after its deductions. A clip without an answer gives an object with schema, clip.path, code and message.

Exit codes: 0 all unpublished seconds are payable, 1 something is published or was offered before, 2 error, 3 \
inconclusive; of several clips the worst counts: 2, then 1, then 3.")]
    Add(Box<IntakeAdd>),
    /// List the submissions
    #[command(after_help = "\
Example:
  uniq intake list --by alice
  uniq intake list --json | jq -r 'select(.state == \"received\") | .number'

With --json each submission is one object on one line, as in `uniq intake export`.")]
    List {
        #[command(flatten)]
        place: LedgerOption,
        /// List only those of this creator
        #[arg(long, value_name = "CREATOR")]
        by: Option<String>,
        /// List only those in this state: received, decided, failed, lapsed or withdrawn; or
        /// undecided or disputed
        ///
        /// Undecided: a person must decide whether they show the same as an earlier one. Disputed:
        /// another creator offered some of their seconds before.
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

With --json it prints the object of `uniq intake add --json`, with a field `pairs` (other, kind, here, there, covers, \
speed_permille, mirrored, probability_ppm, evidence_millibits, identical) and a field `events` with the rows of the \
chain.")]
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

With `same` the later one loses what it shares with the earlier one; `distinct` gives it back. The ledger keeps the \
decision with name and reason; another one may follow. Sold seconds stay sold. It prints the submissions whose claims \
changed.")]
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
    /// Check submissions against sources added to the index after their answers
    #[command(after_help = "\
Example:
  uniq index add new.mp4 && uniq intake recheck
  uniq intake recheck 17 18 --from /srv/uniq/certificates --json

Without numbers it checks all submissions that stand and are not sold. It searches only new sources; if it finds \
something of a submission there, it searches the whole index, and the worse answer counts. So a recheck can take \
seconds away, but never adds any. Sold seconds stay sold, and the output names them. It searches with a fingerprint \
from --from, else with the clip at its old path.

With --json each submission gives one object on one line: schema, number, changed, added (new sources), in_full (why \
the whole index was searched, or null), published and sold (seconds that are public now, and sold ones that could no \
longer be offered: start_s, end_s), payable_minutes, resettled (submissions whose claims changed). One that cannot be \
rechecked gives schema, number, code, message.

Exit codes: 0 nothing more is public, 1 something is, 2 error.")]
    Recheck(Box<IntakeRecheck>),
    /// Judge a match of a submission with a public source
    #[command(after_help = "\
Example:
  uniq intake show 17
  uniq intake review 17 --match 2 same-scene --by bob --why 'the tower an hour later'
  uniq intake review 17 --match 1 allowed --by bob --why 'her own channel, seen on 3 May'
  uniq intake review 17 --match 2 undo --by sue --why 'the same cloud'

Seconds that only matches withhold become payable once all of these are `same-scene` or `allowed`; dark, still, \
damaged or repeated seconds never do. The seconds of a `copy` are public. The last judgement of a match counts; the \
ledger keeps all with name and reason. Sold seconds stay sold. It prints the submissions whose claims changed.")]
    Review(Box<IntakeReview>),
    /// Take a submission back: its claims end, and its keys and pictures are removed
    #[command(after_help = "\
Example:
  uniq intake withdraw 17 --by alice --why 'wrong file'

Its seconds go to whoever offered them next, and may be offered again. A sold submission cannot be withdrawn. The row \
and its claims stay in the ledger, as withdrawn. Its keys and pictures are removed from the submissions' index, which \
is rewritten for that.")]
    Withdraw(Change),
    /// Record that a submission was bought
    #[command(after_help = "\
Example:
  uniq intake sold 17 --by broker --why invoice-2026-114

All seconds that it offers now become sold. A fingerprint must first be confirmed by its clip.")]
    Sold(Change),
    /// Export the ledger, or back it up
    #[command(after_help = "\
Example:
  uniq intake export --table claims --format csv > claims.csv
  uniq intake export --backup /backup/ledger-$(date +%F).db

JSON Lines or CSV go to standard output. --backup writes a consistent copy of the ledger while others work; keep a \
copy of the submissions' index with it (uniq index snapshot). Back up a PostgreSQL ledger with pg_dump.")]
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
    /// Verify the ledger's chain, and compare tables and index with it
    #[command(after_help = "\
Example:
  uniq intake verify
  uniq intake verify --head 4711:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08

It prints the head of the chain, which commits to all rows. Keep it elsewhere: with --head it shows whether the ledger \
was cut or rewritten later. With --json it prints one object: schema, events, submissions, head.

Exit codes: 0 everything matches, 2 something does not; the first such row is named.")]
    Verify {
        #[command(flatten)]
        place: LedgerOption,
        /// A head that was printed earlier
        #[arg(long, value_name = "HEAD")]
        head: Option<Head>,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Repair a ledger and an index of submissions that are out of step
    #[command(after_help = "\
Example:
  uniq intake mend /archive/clips
  uniq intake mend --adopt

Entries missing from the index are made again from the clips at the paths in the ledger, or from clips named here with \
the same bytes. With --adopt, submissions that only the index has get a row of an unknown creator, who holds all their \
seconds until a person withdraws them. With --json it prints one object: schema, removed, made, missing, adopted, \
unknown.

Exit codes: 0 both are in step, 2 something is still missing.")]
    Mend {
        /// Clips and folders of clips
        #[arg(value_name = "CLIP", value_hint = ValueHint::AnyPath)]
        clips: Vec<PathBuf>,
        #[command(flatten)]
        place: LedgerOption,
        /// Take into the ledger what only the index has
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
    /// The creator's own name for them
    #[arg(long = "ref", value_name = "TEXT")]
    pub(crate) reference: Option<String>,
    /// Submit fingerprint files, made by `uniq fingerprint`, in place of clips
    ///
    /// Their payable seconds are provisional.
    #[arg(long, conflicts_with = "certificate")]
    pub(crate) fingerprint: bool,
    /// Confirm the fingerprint of this number with its clip
    #[arg(
        long = "for",
        hide_short_help = true,
        value_name = "NUMBER",
        conflicts_with = "fingerprint"
    )]
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
    /// Price each clip's payable seconds by this rate card (TOML; docs/rates.md)
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
    /// The number of the match in `uniq intake show`
    #[arg(long = "match", value_name = "N")]
    pub(crate) of_match: usize,
    /// Who judges
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
    /// Withdraw the earlier judgement
    Undo,
}

/// What `withdraw` and `sold` take.
#[derive(Debug, Args)]
pub(crate) struct Change {
    /// The submission
    #[arg(value_name = "NUMBER")]
    pub(crate) number: u64,
    /// Who does this; the name is kept, not checked
    #[arg(long, value_name = "NAME")]
    pub(crate) by: String,
    /// The reason, or the invoice number
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
    /// One row for each submission
    Submissions,
    /// One row for each claim
    Claims,
    /// One row for each event of the chain
    Events,
}

/// How it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// One JSON object on each line
    Jsonl,
    /// Comma-separated values
    Csv,
}

/// Parses two numbers.
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
