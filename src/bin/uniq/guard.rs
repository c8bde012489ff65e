//! Makes of the options how foreign files are decoded, and serves as the process that does it.

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

/// Lets this process open as many files as it may: the files of an index stay open, and by default
/// few may be.
pub(crate) fn allow_many_files() {
    let limit = getrlimit(Resource::Nofile);
    // If it fails, opening a very large index says what to do.
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    );
}

/// The limits that the options give.
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

/// What the options say of symbolic links.
pub(crate) fn links(guard: &Guard) -> Links {
    if guard.follow_links {
        Links::Follow
    } else {
        Links::Refuse
    }
}

/// Prepares decoding: starts a process without a file, and says what this system lacks to protect
/// from one.
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

/// This program as a decoding process.
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

/// Whether this call is that of a parent that wants a file decoded.
pub(crate) fn is_worker(args: &[OsString]) -> bool {
    args.first()
        .is_some_and(|first| first == OsStr::new(sandbox::SUBCOMMAND))
}

/// Decodes the file on standard input for the parent on standard output.
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

/// The program that runs, also when its file was replaced meanwhile by another version.
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

/// What the loader may need to find FFmpeg; all else of the environment is kept from decoding
/// processes.
const LOADER_VARIABLES: [&str; 2] = ["LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"];
