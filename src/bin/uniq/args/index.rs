//! The arguments of `uniq index`.

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
    /// Build an index of videos, or continue one
    #[command(after_help = "\
Example:
  uniq index build ~/public-videos list.csv

SOURCE is a video, a folder (with everything in it), or a list (.csv with a header line, .jsonl) whose column `path` \
names videos and whose columns url, title, uploader, platform and published_at say where they were published. A \
.info.json file that yt-dlp wrote beside a video is read too. Videos already in the index are not decoded again, so \
the same command continues after an interruption; what a list says about them replaces what the index knew.

With --json it prints one object: schema, added, corrected, already_there, benign, not_there (paths), no_videos \
(files, endings), failed and failed_before (path, code, message each), damaged (path, undecoded_s each), video_s, \
cancelled, index.

Exit codes: 0 done, even if some files are not videos, or failed before and have not changed; 2 error, or interrupted; \
4 done, but something failed for the first time.")]
    Build(Sourced),
    /// Add videos to an existing index
    #[command(after_help = "\
Example:
  uniq index add new-video.mp4

SOURCE is as for `uniq index build`. Adding takes no longer in a large index than in a small one.")]
    Add(Sourced),
    /// Correct what the index knows about its videos, without decoding them
    #[command(
        hide = true,
        after_help = "\
Example:
  uniq index update corrected.csv

SOURCE is as for `uniq index build`. What a list says about an indexed video replaces what the index says, and a moved \
file gets its new path. Nothing is added. `uniq index build` and `uniq index add` do the same for videos that are \
already there.

With --json it prints one object, as `uniq index build` does.

Exit codes: 0 done, 2 error, 4 something is not in the index or cannot be read."
    )]
    Update(Benign),
    /// Make the small pictures of indexed videos that have none, from their files
    #[command(
        hide = true,
        after_help = "\
Example:
  uniq index refresh ~/public-videos

SOURCE is as for `uniq index build`. Files are recognised by their SHA-256, wherever they are now. A file is decoded \
only if its video has no pictures yet, as after `uniq index upgrade`. Nothing is added. `uniq index stats` counts the \
videos without pictures. If interrupted, the command keeps finished videos; run it again for the rest.

With --json it prints one object, as `uniq index build` does; its field refreshed counts the videos.

Exit codes: 0 done, 2 error, or interrupted, 4 something is not in the index or cannot be read."
    )]
    Refresh(Benign),
    /// Remove videos from the index
    #[command(after_help = "\
Example:
  uniq index remove https://example.com/watch?v=1 9f86d081884c7d65

VIDEO is an identifier or the beginning of a SHA-256 as printed by `uniq index list`, a path, a file name, or a URL. \
If it matches several videos, none of them is removed.

With --json it prints one object: schema, removed (id and path each), not_removed (video, code, message, candidates), \
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
    /// Merge the index's segments and drop removed videos, or take over other indexes
    #[command(after_help = "\
Example:
  uniq index merge
  uniq index merge --from part1 part2 --index all

Small segments merge automatically when they pile up. This command merges all that it can, drops the keys of removed \
videos, and deletes what a crash left. Searches continue meanwhile. If interrupted, it keeps finished steps.

With --from it first takes over the videos of other indexes, without decoding them; if there is no index yet, it makes \
one. It only reads the others; they must have the same fingerprint version and interval. Videos already there, by \
SHA-256, stay unchanged. So do videos that are a source here and benign material there, or the reverse; the command \
names them. Titles and addresses come along; the time of addition is now.

With --from and --json it prints one object: schema, taken_over, already_there, conflicts (id, path, from, here, there \
each), cancelled, index.

Exit codes: 0 done, 2 error, or interrupted, 4 done, but some videos are here in another role.")]
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
    /// Upgrade an index of format 4 to the current format, without its videos
    #[command(
        hide = true,
        after_help = "\
Example:
  uniq index upgrade

The index is rewritten in place. If interrupted, it is whole: either the old one or the new one. The disk needs room \
for both at once. Removed videos are dropped. The sources then have no small pictures, and keys and motion alone \
decide about them until `uniq index refresh` reads their files. An index of the current format stays unchanged.

With --json it prints one object: schema, from_format, to_format, cancelled, index.

Exit codes: 0 done, or nothing to do; 2 error, or interrupted."
    )]
    Upgrade {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        index: IndexOption,
    },
    /// Measure what a search by cells finds in this index
    #[command(
        hide = true,
        after_help = "\
Example:
  uniq index canaries

A large index is searched by cells: the search compares few of its keys, and then all keys of the videos that these \
nominate. Canaries measure how much that misses: they are excerpts of the index's own tracks, changed as edits change \
them, which comparing all keys would find. The number of cells that a search looks into is set so that 99.8 % of them \
are nominated. The result is committed, and each answer names it. `uniq index build` and `add` do this automatically \
as the index grows.

With --json it prints one object: generation, keys, probes, strengths (name, excerpts, nominated each), recall.

Exit codes: 0 done, 2 error, or interrupted."
    )]
    Canaries {
        /// Use N excerpts of each strength
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

An older manifest that somebody put back counts as damage, because notes/newest beside it names the newest commit. If \
somebody put that file back too, --min-generation or --expect-root finds it.

With --checkpoint the history must begin with the commits that the checkpoint signs, so that none of them was changed; \
it must be signed by --key.

With --json it prints one object: root, generation, files, bytes, whole, damage (a text each), unnamed (files that \
belong to nothing). Root and generation are null if the manifest itself cannot be read.

Exit codes: 0 whole, 2 damaged, not as expected, or no index.")]
    Verify {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
        /// Refuse an index whose history does not begin with this checkpoint
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "key")]
        checkpoint: Option<PathBuf>,
        /// The public key of the checkpoint's signer
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

The whole history is read and checked. With --json each commit is one object on one line: generation, root, \
sources_root, allowlist_root, committed_at."
    )]
    Log {
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        index: IndexOption,
    },
    /// Copy the index to an archive, so that its certificates can be run again
    #[command(
        hide = true,
        after_help = "\
Example:
  uniq index snapshot /archive/2026-01

Files are linked where possible, and take no room until the index drops them. The newest generation is copied. Earlier \
ones can be read from the copy, as from the index, unless a merge has dropped a part of them; the command says so.

With --json it prints one object: schema, generation, readable_generation, linked, copied.

Exit codes: 0 done, 2 error, or that generation is gone."
    )]
    Snapshot {
        /// Make sure that this generation can be read from the copy
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

It prints the proof as one JSON object. The proof leads to the root of the sources that certificates and `uniq index \
stats` give. A proof of absence says that this exact file is not a source; it says nothing about near copies.

Exit codes: 0 proved, 2 the opposite is true, or error."
    )]
    Prove {
        /// SHA-256 of the file
        #[arg(value_name = "SHA256", value_parser = crate::expected::root)]
        sha256: [u8; 32],
        /// Prove that the file is not a source
        #[arg(long)]
        absent: bool,
        /// Prove it for this generation instead of the newest
        #[arg(long, value_name = "N")]
        generation: Option<u64>,
        #[command(flatten)]
        index: IndexOption,
    },
    /// Sign the length and content of the history
    #[command(
        hide = true,
        after_help = "\
Example:
  uniq index checkpoint --key checks.key > checkpoint
  uniq index verify --checkpoint checkpoint --key checks.key.pub

It prints the checkpoint in C2SP format: a signed note of three lines. Give it to somebody else, who can then tell \
whether an earlier commit was changed."
    )]
    Checkpoint {
        #[command(flatten)]
        index: IndexOption,
        #[command(flatten)]
        signing: Signing,
    },
    /// Send the index to object storage, for other machines
    #[cfg(feature = "remote")]
    #[command(after_help = "\
Example:
  uniq index push s3://bucket/index
  uniq index push s3://bucket/index --prune --keep 20

STORE is s3://BUCKET/PREFIX, or file:///FOLDER for a folder that machines share. Credentials come from \
AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a service other than Amazon's from AWS_ENDPOINT_URL; see docs/scale.md. \
Files that are already there are not sent again, so the same command continues after an interruption. If several push \
at once, one wins; the others fail with its name, and nothing of theirs is visible.

With --json it prints one object: schema, store, generation, root, committed, files, bytes, already_there, pruned.

Exit codes: 0 the store has this state of the index, 2 error, or interrupted.")]
    Push {
        /// Where to
        #[arg(value_name = "STORE")]
        store: String,
        /// Then delete old commits, and what no remaining commit needs
        #[arg(long)]
        prune: bool,
        /// Keep the N newest commits
        #[arg(long, value_name = "N", default_value = "8", value_parser = clap::value_parser!(u32).range(1..), requires = "prune")]
        keep: u32,
        /// Delete nothing younger than this (90, 90s, 15m, 24h); give more than any push or pull takes
        #[arg(long, value_name = "TIME", default_value = "24h", value_parser = super::time, requires = "prune")]
        min_age: Duration,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        index: IndexOption,
    },
    /// Fetch an index from object storage into a folder, to change it there
    #[cfg(feature = "remote")]
    #[command(after_help = "\
Example:
  uniq index pull s3://bucket/index --index index-data
  uniq index add new-video.mp4 --index index-data && uniq index push s3://bucket/index --index index-data

STORE is as for `uniq index push`. The folder must be new or hold an earlier state of the same index, without other \
commits. All files are compared with their SHA-256. If interrupted, the folder is unchanged, and the same command \
continues. To check clips, `uniq check --index STORE` is enough.

With --json it prints one object: schema, store, generation, root, changed, files, bytes, already_there.

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

STORE is as for `uniq index push`. Commands that only read accept it instead of a folder (--index STORE, \
UNIQ_INDEX=STORE), and do the same first. Only read the folder; the cache may delete it when it is not in use.

The cache: --cache, else $UNIQ_CACHE, else uniq in the user's cache folder; its size: --cache-max, else \
$UNIQ_CACHE_MAX, else 64G. The cache deletes what was used longest ago first, and nothing in use.

With --json it prints one object: schema, store, dir, generation, root, files, bytes.

Exit codes: 0 printed, 2 error, or interrupted."
    )]
    Open {
        /// Where from
        #[arg(value_name = "STORE")]
        store: String,
        /// Compare all files with their SHA-256 again, and fetch damaged ones again
        #[arg(long)]
        verify: bool,
        /// Keep the cache in this folder
        #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
        cache: Option<PathBuf>,
        /// Let the cache take up to N bytes (K, M, G, T are powers of 1024)
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
url, title, uploader, platform, published_at, role, added_generation, added_at. The role is source, or benign for \
material added by `uniq index benign add`. The last two are the commit and time of its addition; the time is null if \
unknown.")]
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

SOURCE is as for `uniq index build`. From the next `uniq check` on, the material counts for nothing in a clip, and a \
picture that shows mostly this material is unsearchable: neither published nor unpublished. Give only the material, \
cut as tightly as possible, and a logo on mid-grey, because copies of anything in the file are no longer found. If a \
video is in the index as a source, remove it there first.")]
    Add(Benign),
    /// List the benign material
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

VIDEO is as for `uniq index remove`. Removed material does not become a source; add it with `uniq index add` if it should.")]
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
    /// Name each failure, including known ones and many of the same kind
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
    /// Sample a frame at least every SECONDS, 0.1 to 60 [default: 0.5, or the index's interval]
    ///
    /// The limits of the verdict were chosen at the default.
    #[arg(long, hide_short_help = true, value_name = "SECONDS", value_parser = interval)]
    pub(crate) interval: Option<Duration>,
    /// Let lists name files anywhere in this folder [default: the folder of each list]
    #[arg(long, hide_short_help = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) list_root: Option<PathBuf>,
    /// Name each failure, including known ones and many of the same kind
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
