//! Turns options into settings for decoding foreign files, and runs the decoding process.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use etcetera::BaseStrategy;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use uniq::media::{Limits, Links};
use uniq::sandbox::{self, Decoding, Demand, Journal, Place, Quarantine, Worker};

use crate::args::Guard;
use crate::exit::Exit;
use crate::talk;

/// Raises the limit of open files to its maximum, since the files of an index stay open and the
/// default is low.
pub(crate) fn allow_many_files() {
    let limit = getrlimit(Resource::Nofile);
    // If this fails, opening a very large index fails with advice.
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    );
}

/// Limits from the options.
pub(crate) fn limits(guard: &Guard) -> Limits {
    Limits {
        frame_pixels: guard.max_pixels,
        frames: guard.max_frames,
        duration: guard.max_duration,
        bytes: guard.max_bytes,
        time_floor: guard.min_time,
        time_ratio: guard.time_ratio,
        time_ceiling: guard.max_time,
        stall: guard.max_stall,
        memory: guard.max_memory,
    }
}

/// Handling of symbolic links from the options.
pub(crate) fn links(guard: &Guard) -> Links {
    if guard.follow_links {
        Links::Follow
    } else {
        Links::Refuse
    }
}

/// Prepares decoding: starts a process without a file, and reports which protections this system
/// lacks.
pub(crate) fn decoding(guard: &Guard, quiet: bool) -> anyhow::Result<Decoding> {
    let demand = if guard.require_sandbox {
        Demand::Everything
    } else {
        Demand::WhatThereIs
    };
    let place = if guard.in_process {
        Place::InProcess
    } else {
        Place::Worker(worker(demand)?)
    };
    if let Place::Worker(worker) = &place {
        let lacking = worker.start()?.lacking();
        if !lacking.is_empty() && !quiet {
            talk::say(&format!(
                "decoding is not fully protected here, missing: {}; run uniq doctor to see what to do, \
                 or add --require-sandbox to refuse this",
                lacking.join(", ")
            ));
        }
    } else if !quiet {
        talk::say("decoding in this process, without protection from malicious files");
    }
    let quarantine = if guard.retry_quarantined {
        Quarantine::Retry
    } else {
        Quarantine::Keep
    };
    let journal = match guard.journal.clone().or_else(usual_journal) {
        Some(path) => Some(Arc::new(Journal::open(&path, quarantine, SystemTime::now)?)),
        None => {
            talk::say(
                "there is no home folder for the journal of files that crashed the decoder; name a file with --journal FILE",
            );
            None
        }
    };
    Ok(Decoding {
        place,
        limits: limits(guard),
        links: links(guard),
        journal,
    })
}

/// A decoding process that runs this program.
pub(crate) fn worker(demand: Demand) -> anyhow::Result<Worker> {
    let kept = LOADER_VARIABLES
        .iter()
        .filter_map(|name| Some((OsString::from(name), env::var_os(name)?)));
    Ok(Worker {
        program: own_program()?,
        environment: kept.collect(),
        demand,
    })
}

/// Whether a parent process started this one to decode a file.
pub(crate) fn is_worker(args: &[OsString]) -> bool {
    args.first()
        .is_some_and(|first| first == OsStr::new(sandbox::SUBCOMMAND))
}

/// Decodes the file on standard input, for the parent on standard output.
#[cfg(unix)]
pub(crate) fn serve(args: &[OsString]) -> anyhow::Result<Exit> {
    use std::os::fd::AsFd as _;
    let job = args.get(1).and_then(|job| job.to_str()).unwrap_or_default();
    let input = std::io::stdin().as_fd().try_clone_to_owned()?;
    let output = std::io::stdout().as_fd().try_clone_to_owned()?;
    uniq::serve(job, input, output)?;
    Ok(Exit::Success)
}

#[cfg(not(unix))]
pub(crate) fn serve(_: &[OsString]) -> anyhow::Result<Exit> {
    anyhow::bail!(
        "this system cannot run decoding processes; decode files of your own with --in-process"
    )
}

/// The running program, even if another version has replaced its file.
fn own_program() -> anyhow::Result<PathBuf> {
    let running = PathBuf::from("/proc/self/exe");
    if cfg!(target_os = "linux") && running.exists() {
        Ok(running)
    } else {
        Ok(env::current_exe()?)
    }
}

fn usual_journal() -> Option<PathBuf> {
    let strategy = etcetera::choose_base_strategy().ok()?;
    let folder = strategy.state_dir().unwrap_or_else(|| strategy.data_dir());
    Some(folder.join("uniq").join("quarantine.jsonl"))
}

/// Variables with which the loader may find FFmpeg; decoding processes get no other variables.
const LOADER_VARIABLES: [&str; 2] = ["LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"];
