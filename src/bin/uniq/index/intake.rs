//! `uniq index build`, `add`, `update`, `refresh` and `benign add`: the same work for different
//! sources.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::{Value, json};
use uniq::Error;
use uniq::index::Role;
use uniq::ingest::{self, BuildOptions, BuildSummary, Reach, Take};
use uniq::report::SCHEMA;
use uniq::sandbox::json_line;

use super::{holdings, videos};
use crate::args::Sourced;
use crate::check::not_looked_at;
use crate::exit::Exit;
use crate::place::Place;
use crate::progress::Progress;
use crate::text::{chain, count, grouped, length, plain};
use crate::{guard, output, signal, talk};

/// Builds and prints the result.
pub(super) fn build(
    args: Sourced,
    role: Role,
    take: Take,
    place: &Place,
    quiet: bool,
) -> anyhow::Result<Exit> {
    let cancel = signal::cancel_flag(
        "stopping, and keeping finished videos; interrupt again to stop at once and lose what is not yet in the index",
    )?;
    if !quiet {
        talk::say(&place.describe());
    }
    let decoding = guard::decoding(&args.guard, quiet)?;
    let reach = Reach {
        links: decoding.links,
        list_root: args.list_root.clone(),
    };
    let mut sources = ingest::sources_within(&args.sources, &reach)?;
    let no_videos = std::mem::take(&mut sources.no_videos);
    if sources.sources.is_empty() && sources.problems.is_empty() {
        if !no_videos.is_empty() {
            talk::say(&not_looked_at(&no_videos));
        }
        let given: Vec<_> = args
            .sources
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        anyhow::bail!(
            "no video found in {}; name a video, or a folder or list that has one",
            given.join(", ")
        );
    }
    let options = BuildOptions {
        role,
        take,
        interval: args.interval,
        threads: args.threads.count.map(Into::into),
        clock: Some(SystemTime::now),
        ..BuildOptions::new(decoding)
    };
    let progress = Progress::new(quiet);
    let result = ingest::build(
        &place.dir,
        sources,
        &options,
        &|event| progress.event(&event),
        &cancel,
    );
    let effort = progress.finish();
    let summary = result?;
    tell_problems(&summary, &args, quiet);
    if !quiet {
        if !no_videos.is_empty() {
            talk::say(&not_looked_at(&no_videos));
        }
        talk::say(&format!(
            "{}, in {effort}",
            outcome(&summary, role, take, no_videos.len())
        ));
        if take == Take::Pictures {
            let without = count(summary.state.without_pictures, videos(role));
            talk::say(&format!("{without} left without pictures"));
        }
        talk::say(&format!("the index has {}", holdings(&summary.state)));
    }
    if summary.cancelled {
        talk::say(
            "interrupted; finished videos are in the index: run the same command again for the rest",
        );
    }
    if args.json {
        output::print(format!("{}\n", json_line(&object(&summary, &no_videos))?).as_bytes())?;
    }
    Ok(if summary.cancelled {
        Exit::Error
    } else if summary.failed.is_empty() && summary.not_there.is_empty() {
        Exit::Success
    } else {
        Exit::Incomplete
    })
}

/// Reports each file with a problem; files that failed before only on request.
fn tell_problems(summary: &BuildSummary, args: &Sourced, quiet: bool) {
    if !quiet {
        for (path, undecoded) in &summary.damaged {
            let lost = length(undecoded.as_secs_f64());
            talk::say(&format!(
                "{}: damaged, {lost} of it could not be decoded and are not in the index",
                path.display()
            ));
        }
    }
    tell_failed(&summary.failed, args.failures);
    if let Some(error) = &summary.unnoted {
        talk::say(&format!(
            "the list of failed files could not be written, so they will be reported as new again: {}",
            chain(error)
        ));
    }
    match &summary.not_there[..] {
        many @ [first, ..] if many.len() > ALIKE_NAMED && !args.failures => {
            let files = count(many.len() as u64, "file");
            talk::say(&format!(
                "{files} not in the index, such as {}; add them with: uniq index add (--failures names them all)",
                first.display()
            ));
        }
        few => few.iter().for_each(|path| {
            talk::say(&format!(
                "{}: not in the index; add it with: uniq index add",
                path.display()
            ));
        }),
    }
    if args.failures {
        for (path, error) in &summary.failed_before {
            talk::fail_about(path, error);
        }
    } else if !summary.failed_before.is_empty() && !quiet {
        let known = count(summary.failed_before.len() as u64, "known failure");
        talk::say(&format!("{known}; see them with --failures"));
    }
}

/// Reports failed sources; many with the same reason on one line, unless `all`.
fn tell_failed(failed: &[(PathBuf, Error)], all: bool) {
    let reason = |(path, error): &(PathBuf, Error)| {
        talk::about(path, error).replace(&*plain(&path.display().to_string()), "")
    };
    let mut alike: HashMap<String, usize> = HashMap::new();
    for one in failed {
        *alike.entry(reason(one)).or_default() += 1;
    }
    for one in failed {
        let number = alike.get(&reason(one)).copied().unwrap_or(0);
        if all || (1..=ALIKE_NAMED).contains(&number) {
            talk::fail_about(&one.0, &one.1);
        } else if number > 0 {
            // The first file represents all of them.
            alike.insert(reason(one), 0);
            let others = count(number as u64 - 1, "file");
            talk::say(&format!(
                "{}; the same for {others} more (--failures names them all)",
                talk::about(&one.0, &one.1)
            ));
        }
    }
}

/// Maximum number of files with the same fault that are named individually.
const ALIKE_NAMED: usize = 5;

/// Number of files that could not be taken; a list may refuse many at once.
fn files(failed: &[(PathBuf, Error)]) -> u64 {
    let of = |error: &Error| {
        if let Error::OutsideList { files, .. } = error {
            *files
        } else {
            1
        }
    };
    failed.iter().map(|(_, error)| of(error)).sum()
}

/// The result in one line.
fn outcome(summary: &BuildSummary, role: Role, take: Take, no_videos: usize) -> String {
    let mut parts = Vec::new();
    if take == Take::Pictures {
        let refreshed = count(summary.refreshed as u64, videos(role));
        parts.push(format!(
            "made the pictures of {refreshed} ({})",
            length(summary.video.as_secs_f64())
        ));
    }
    if take == Take::All {
        let added = count(summary.added as u64, videos(role));
        parts.push(format!(
            "added {added} ({})",
            length(summary.video.as_secs_f64())
        ));
    }
    if summary.corrected > 0 || take == Take::Known {
        parts.push(format!("{} corrected", grouped(summary.corrected as u64)));
    }
    let there = match take {
        Take::All => "already there",
        Take::Known => "as known",
        Take::Pictures => "had them already",
    };
    parts.push(format!("{} {there}", grouped(summary.skipped as u64)));
    if summary.benign > 0 {
        parts.push(format!(
            "{} left out as benign material",
            grouped(summary.benign as u64)
        ));
    }
    if no_videos > 0 {
        parts.push(format!("{} no video", grouped(no_videos as u64)));
    }
    if !summary.not_there.is_empty() {
        parts.push(format!(
            "{} not in the index",
            grouped(summary.not_there.len() as u64)
        ));
    }
    parts.push(format!("{} failed", grouped(files(&summary.failed))));
    if !summary.failed_before.is_empty() {
        parts.push(format!(
            "{} failed as before",
            grouped(summary.failed_before.len() as u64)
        ));
    }
    parts.join(", ")
}

/// The object of `--json`.
fn object(summary: &BuildSummary, no_videos: &[PathBuf]) -> Value {
    let path = |path: &Path| path.to_string_lossy().into_owned();
    let failed = |failed: &[(PathBuf, Error)]| -> Vec<Value> {
        let one = |(name, error): &(PathBuf, Error)| json!({ "path": path(name), "code": error.code(), "message": talk::about(name, error) });
        failed.iter().map(one).collect()
    };
    let damaged: Vec<Value> = summary
        .damaged
        .iter()
        .map(|(name, undecoded)| json!({ "path": path(name), "undecoded_s": undecoded.as_secs_f64() }))
        .collect();
    let endings: serde_json::Map<String, Value> = ingest::endings(no_videos)
        .into_iter()
        .map(|(ending, files)| (ending, files.into()))
        .collect();
    json!({
        "schema": SCHEMA,
        "added": summary.added,
        "corrected": summary.corrected,
        "refreshed": summary.refreshed,
        "already_there": summary.skipped,
        "benign": summary.benign,
        "not_there": summary.not_there.iter().map(|name| path(name)).collect::<Vec<_>>(),
        "no_videos": { "files": no_videos.len(), "endings": endings },
        "failed": failed(&summary.failed),
        "failed_before": failed(&summary.failed_before),
        "damaged": damaged,
        "video_s": summary.video.as_secs_f64(),
        "cancelled": summary.cancelled,
        "index": summary.state,
    })
}
