//! The arguments of `uniq index` and of what belongs to it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueHint};

use super::{Guard, IndexOption, Signing, Threads, interval};
use crate::expected::Expectation;

/// The commands of `uniq index`. The short help leaves out those that are hidden, which few people
/// need.
#[derive(Debug, Subcommand)]
pub(crate) enum IndexCommand {
    /// Build an index of videos, or go on with one
    #[command(after_help = "\
Example:
  uniq index build ~/public-videos list.csv

SOURCE is a video, a folder (with all that is in it), or a list (.csv with a header line, .jsonl) whose column `path` \
names videos and whose columns url, title, uploader, platform and published_at say where they were published. A \
.info.json file that yt-dlp wrote beside a video is read as well. What is already in the index is not decoded again, so that \
the same command continues after an interruption; what a list says of it is corrected.

With --json one object is printed: schema, added, corrected, already_there, benign, not_there (paths), no_videos (files, \
endings), failed and failed_before (path, code, message each), damaged (path, undecoded_s each), video_s, cancelled, index.

Exit codes: 0 done, also if some files are no videos or failed before and are the same; 2 error, or interrupted; 4 done, \
but something failed for the first time.")]
    Build(Sourced),
    /// Add videos to an index that exists
    #[command(after_help = "\
Example:
  uniq index add new-video.mp4

SOURCE is what it is for `uniq index build`. Adding takes as long in a large index as in a small one.")]
    Add(Sourced),
    /// Correct what the index knows of its videos, without decoding them
    #[command(
        hide = true,
        after_help = "\
Example:
  uniq index update corrected.csv

SOURCE is what it is for `uniq index build`. What a list says of a video that is in the index takes the place of what was \
known of it, and a file that was moved is named by its new place. Nothing is added. `uniq index build` and `uniq index \
add` do the same for what is there already.

With --json one object is printed, as by `uniq index build`.

Exit codes: 0 done, 2 error, 4 something is not in the index or cannot be read."
    )]
    Update(Benign),
    /// Make the small pictures of indexed videos that have none, from their files
    #[command(
        hide = true,
        after_help = "\
Example:
  uniq index refresh ~/public-videos

SOURCE is what it is for `uniq index build`. A file is known again by its SHA-256, wherever it lies now; it is decoded only if \
its video has no pictures yet, as after `uniq index upgrade`. Nothing is added. `uniq index stats` counts the videos that are \
left without. Interrupted, it keeps what is finished, and the same command again does the rest.

With --json one object is printed, as by `uniq index build`; its field refreshed counts the videos.

Exit codes: 0 done, 2 error, or interrupted, 4 something is not in the index or cannot be read."
    )]
    Refresh(Benign),
    /// Remove videos from the index
    #[command(after_help = "\
Example:
  uniq index remove https://example.com/watch?v=1 9f86d081884c7d65

VIDEO is an identifier or the beginning of a SHA-256 as printed by `uniq index list`, a path, a file's name, or a URL. What \
means several videos removes none of them.

With --json one object is printed: schema, removed (id and path each), not_removed (video, code, message, candidates), \
index.")]
    Remove {
        /// The videos
        #[arg(required = true, value_name = "VIDEO")]
        videos: Vec<OsString>,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        index: IndexOption,
    },
    /// Mark material that proves nothing: intros, logos, slates, test patterns
    #[command(
        subcommand,
        arg_required_else_help = true,
        after_help = "Example:\n  uniq index benign add intro.mp4 && uniq index benign list"
    )]
    Benign(BenignCommand),
    /// Merge the index's segments and clear out what was removed, or take over other indexes
    #[command(after_help = "\
Example:
  uniq index merge
  uniq index merge --from part1 part2 --index all

Small segments are merged by themselves when they pile up; this merges all that can be, drops the keys of removed videos, \
and deletes what a crash left. Searches go on meanwhile. Interrupted, it keeps what is finished.

With --from the videos of other indexes are taken over first, without decoding them; an index that does not exist is made. \
The others are only read, and must have the same fingerprint version and interval. What is there already, by its SHA-256, \
is left as it is; so is what is a source here and benign material there, or the reverse, which is named. Titles and \
addresses come along; the time of addition is that of taking over.

With --from and --json one object is printed: schema, taken_over, already_there, conflicts (id, path, from, here, there each), \
cancelled, index.

Exit codes: 0 done, 2 error, or interrupted, 4 done, but videos are here for something else.")]
    Merge {
        /// Take over the videos of the indexes in these folders
        #[arg(long, value_name = "DIR", num_args = 1.., value_hint = ValueHint::DirPath)]
        from: Vec<PathBuf>,
        /// Print one JSON object
        #[arg(long, requires = "from")]
        json: bool,
        #[command(flatten)]
        index: IndexOption,
    },
    /// Bring an index of format 4 to the present format, without its videos
    #[command(
        hide = true,
        after_help = "\
Example:
  uniq index upgrade

The index is written anew in its place; whatever interrupts that, it is whole, either as it was or as it is to be. Needed is \
room for both at once. Removed videos are dropped. The sources have no small pictures then and are judged by keys and motion, \
until `uniq index refresh` meets their files again. An index of the present format is left as it is.

With --json one object is printed: schema, from_format, to_format, cancelled, index.

Exit codes: 0 done, or nothing to do; 2 error, or interrupted."
    )]
    Upgrade {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        index: IndexOption,
    },
    /// Measure on the index itself what a search by cells finds
    #[command(
        hide = true,
        after_help = "\
Example:
  uniq index canaries

A large index is searched by cells: few of its keys are compared, and the videos that these nominate are compared as a whole. How \
much that misses is measured with canaries: excerpts of the index's own tracks, changed as edits change them, that comparing \
all keys would find. How many cells a search looks into is chosen so that 99.8 % of them are nominated. The result is \
committed, and told with each answer. `uniq index build` and `add` do this by themselves as the index grows.

With --json one object is printed: generation, keys, probes, strengths (name, excerpts, nominated each), recall.

Exit codes: 0 done, 2 error, or interrupted."
    )]
    Canaries {
        /// Look for so many excerpts of each strength
        #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        excerpts: u32,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        index: IndexOption,
    },
    /// Check every byte of the index
    #[command(after_help = "\
Example:
  uniq index verify

An older manifest that was put back is damage: each commit is noted beside it, in notes/newest. Whoever can put that back too \
is noticed by --min-generation or --expect-root.

With --checkpoint the history must begin with what that signed checkpoint is of, so that no commit before it was changed; it must \
be signed by --key.

With --json one object is printed: root, generation, files, bytes, whole, damage (a text each), unnamed (files that belong to \
nothing). Root and generation are null if the manifest itself cannot be read.

Exit codes: 0 whole, 2 damaged, not as expected, or no index.")]
    Verify {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
        /// Refuse an index whose history does not begin with that of this checkpoint
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "key")]
        checkpoint: Option<PathBuf>,
        /// The public key that the checkpoint is signed with
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "checkpoint")]
        key: Option<PathBuf>,
        #[command(flatten)]
        expectation: Expectation,
        #[command(flatten)]
        index: IndexOption,
    },
    /// List the commits of the index
    #[command(
        hide = true,
        after_help = "\
Example:
  uniq index log

The history is read and checked as a whole. With --json each commit is one object on one line: generation, root, sources_root, \
allowlist_root, committed_at."
    )]
    Log {
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        index: IndexOption,
    },
    /// Copy the index to where it lasts, so that certificates of it can be run again
    #[command(
        hide = true,
        after_help = "\
Example:
  uniq index snapshot /archive/2026-01

The files are linked where that can be, and take no room until the index drops them. The newest generation is copied; one before it can be read out of the \
copy, as out of the index, unless something of it was cleared out, which is told.

With --json one object is printed: schema, generation, readable_generation, linked, copied.

Exit codes: 0 done, 2 error, or that generation is gone."
    )]
    Snapshot {
        /// Make sure that this generation can be read out of the copy
        #[arg(long, value_name = "N")]
        generation: Option<u64>,
        /// An empty folder, or a new one
        #[arg(value_name = "DEST", value_hint = ValueHint::DirPath)]
        dest: PathBuf,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        index: IndexOption,
    },
    /// Prove that a file is, or is not, among the sources
    #[command(
        hide = true,
        after_help = "\
Example:
  uniq index prove 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 > proof.json
  uniq certificate verify clip.certificate.json --key checks.key.pub --proof proof.json

The proof is printed as one JSON object; it leads to the root over the sources that certificates and `uniq index stats` tell. \
A proof of absence says that this very file is no source, and nothing of near copies of it.

Exit codes: 0 proved, 2 it is the other way round, or error."
    )]
    Prove {
        /// SHA-256 of the file
        #[arg(value_name = "SHA256", value_parser = crate::expected::root)]
        sha256: [u8; 32],
        /// Prove that it is not there
        #[arg(long)]
        absent: bool,
        /// Of this generation, in place of the newest
        #[arg(long, value_name = "N")]
        generation: Option<u64>,
        #[command(flatten)]
        index: IndexOption,
    },
    /// Sign how long the history is and what is in it
    #[command(
        hide = true,
        after_help = "\
Example:
  uniq index checkpoint --key checks.key > checkpoint
  uniq index verify --checkpoint checkpoint --key checks.key.pub

The checkpoint is printed as C2SP has it: a signed note of three lines. Give it to somebody else: whoever has it can tell \
later whether a commit before it was changed."
    )]
    Checkpoint {
        #[command(flatten)]
        index: IndexOption,
        #[command(flatten)]
        signing: Signing,
    },
    /// Bring the index into object storage, for other machines
    #[cfg(feature = "remote")]
    #[command(after_help = "\
Example:
  uniq index push s3://bucket/index
  uniq index push s3://bucket/index --prune --keep 20

STORE is s3://BUCKET/PREFIX, or file:///FOLDER for a folder that machines share. Credentials come from AWS_ACCESS_KEY_ID and \
AWS_SECRET_ACCESS_KEY, other than Amazon's service from AWS_ENDPOINT_URL; docs/scale.md has the rest. Files that are there are not sent \
again, so that the same command goes on after an interruption. Of several that push at once one wins; the others are told who, and \
nothing of theirs is seen.

With --json one object is printed: schema, store, generation, root, committed, files, bytes, already_there, pruned.

Exit codes: 0 the store has this state of the index, 2 error, or interrupted.")]
    Push {
        /// Where to
        #[arg(value_name = "STORE")]
        store: String,
        /// Afterwards delete old commits, and what no commit that is left needs
        #[arg(long)]
        prune: bool,
        /// Keep so many of the newest commits
        #[arg(long, value_name = "N", default_value = "8", value_parser = clap::value_parser!(u32).range(1..), requires = "prune")]
        keep: u32,
        /// Delete nothing that is younger (90, 90s, 15m, 24h); longer than any push or pull takes
        #[arg(long, value_name = "TIME", default_value = "24h", value_parser = super::time, requires = "prune")]
        min_age: Duration,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        index: IndexOption,
    },
    /// Bring an index from object storage into a folder, to go on with it there
    #[cfg(feature = "remote")]
    #[command(after_help = "\
Example:
  uniq index pull s3://bucket/index --index index-data
  uniq index add new-video.mp4 --index index-data && uniq index push s3://bucket/index --index index-data

STORE is what it is for `uniq index push`. The folder is new, or has an earlier state of the same index; one that has other commits \
is refused. All files are compared with their SHA-256. Interrupted, the folder is as before, and the same command goes on with what has come. \
To only check clips, `uniq check --index STORE` does without it.

With --json one object is printed: schema, store, generation, root, changed, files, bytes, already_there.

Exit codes: 0 the folder has the newest state, 2 error, or interrupted.")]
    Pull {
        /// Where from
        #[arg(value_name = "STORE")]
        store: String,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        index: IndexOption,
    },
    /// Fetch the newest index from object storage into the cache, and print its folder
    #[cfg(feature = "remote")]
    #[command(
        hide = true,
        after_help = "\
Example:
  uniq index open s3://bucket/index
  uniq check --index \"$(uniq index open s3://bucket/index)\" clip.mp4

STORE is what it is for `uniq index push`. Commands that only read take it in place of a folder (--index STORE, UNIQ_INDEX=STORE), and \
do the same first. The folder is only to be read, and may be deleted for others when it is not in use.

The cache: --cache, else $UNIQ_CACHE, else uniq in the user's cache folder; its size: --cache-max, else $UNIQ_CACHE_MAX, else \
64G. What was used longest ago is deleted first, and nothing that is in use.

With --json one object is printed: schema, store, dir, generation, root, files, bytes.

Exit codes: 0 printed, 2 error, or interrupted."
    )]
    Open {
        /// Where from
        #[arg(value_name = "STORE")]
        store: String,
        /// Compare all files with their SHA-256 again, and fetch damaged ones anew
        #[arg(long)]
        verify: bool,
        /// Keep the cache in this folder
        #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
        cache: Option<PathBuf>,
        /// Let the cache take so many bytes (K, M, G, T are powers of 1024)
        #[arg(long, value_name = "N", value_parser = super::size)]
        cache_max: Option<u64>,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// List the videos of the index
    #[command(after_help = "\
Example:
  uniq index list
  uniq index list --json | jq -r .url

With --json each video is one object on one line: id, sha256, path, duration_s, undecoded_s, width, height, keyframes, \
url, title, uploader, platform, published_at, role, added_generation, added_at. The role is source, or benign for material that was added by \
`uniq index benign add`; the commit and time of its addition; the time is null where it is not known.")]
    List {
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        index: IndexOption,
    },
    /// Show what the index holds
    #[command(after_help = "\
Example:
  uniq index stats")]
    Stats {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        expectation: Expectation,
        #[command(flatten)]
        index: IndexOption,
    },
}

/// The commands of `uniq index benign`.
#[derive(Debug, Subcommand)]
pub(crate) enum BenignCommand {
    /// Add material that never counts as evidence
    #[command(after_help = "\
Example:
  uniq index benign add station-intro.mp4 logo.mp4

SOURCE is what it is for `uniq index build`. From the next `uniq check` on, what a clip shows of it counts for nothing, and \
a picture that is mostly made of it is unsearchable: neither published nor unpublished. Give the material alone, cut as \
tightly as can be, and a logo on mid-grey: copies of all that is in the file are no longer found. A video that is in the index as a source is \
refused; remove it there first.")]
    Add(Benign),
    /// List the material
    #[command(after_help = "\
Example:
  uniq index benign list

With --json each video is one object on one line, with the fields of `uniq index list --json`.")]
    List {
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        index: IndexOption,
    },
    /// Let material count again
    #[command(after_help = "\
Example:
  uniq index benign remove 9f86d081884c7d65

VIDEO is what it is for `uniq index remove`. What is removed is no source either, unless `uniq index add` adds it.")]
    Remove {
        /// The videos
        #[arg(required = true, value_name = "VIDEO")]
        videos: Vec<OsString>,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        index: IndexOption,
    },
}

/// What `benign add` and `update` take.
#[derive(Debug, Args)]
pub(crate) struct Benign {
    /// The videos, folders and lists
    #[arg(required = true, value_name = "SOURCE", value_hint = ValueHint::AnyPath)]
    pub(crate) sources: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) index: IndexOption,
    /// Let lists name files anywhere in this folder [default: the folder of each list]
    #[arg(long, hide_short_help = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) list_root: Option<PathBuf>,
    /// Name each failure, also those known from before and many of one kind
    #[arg(long)]
    pub(crate) failures: bool,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) threads: Threads,
    #[command(flatten)]
    pub(crate) guard: Guard,
}

impl From<Benign> for Sourced {
    fn from(args: Benign) -> Sourced {
        let Benign {
            sources,
            index,
            list_root,
            failures,
            json,
            threads,
            guard,
        } = args;
        Sourced {
            sources,
            index,
            interval: None,
            list_root,
            failures,
            json,
            threads,
            guard,
        }
    }
}

/// What `build` and `add` have in common.
#[derive(Debug, Args)]
pub(crate) struct Sourced {
    /// The videos, folders and lists
    #[arg(required = true, value_name = "SOURCE", value_hint = ValueHint::AnyPath)]
    pub(crate) sources: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) index: IndexOption,
    /// Look at a frame at least every so many seconds, 0.1 to 60 [default: 0.5, or what the index
    /// has]
    ///
    /// The limits of the verdict were chosen at the default.
    #[arg(long, hide_short_help = true, value_name = "SECONDS", value_parser = interval)]
    pub(crate) interval: Option<Duration>,
    /// Let lists name files anywhere in this folder [default: the folder of each list]
    #[arg(long, hide_short_help = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) list_root: Option<PathBuf>,
    /// Name each failure, also those known from before and many of one kind
    #[arg(long)]
    pub(crate) failures: bool,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) threads: Threads,
    #[command(flatten)]
    pub(crate) guard: Guard,
}
