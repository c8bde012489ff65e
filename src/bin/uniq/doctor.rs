//! `uniq doctor`: tests the protections, FFmpeg, the processor and the index.

use std::fmt::Write as _;
use std::io::Write;

use serde::Serialize;
use uniq::index::{self, Index};
use uniq::media::{self, Provision};
use uniq::sandbox::{Demand, Protections, Worker, json_line};

use crate::exit::Exit;
use crate::guard;
use crate::output;
use crate::place::Place;
use crate::text::{chain, plain};

/// Output of `--json`.
#[derive(Serialize)]
struct Diagnosis {
    version: &'static str,
    healthy: bool,
    /// `None` if no decoding process could be started.
    protections: Option<Protections>,
    trials: Vec<Tried>,
    #[serde(rename = "ffmpeg")]
    provision: Provision,
    /// Processor instructions that compare keys.
    scan: String,
    index: Health,
    /// A sentence for each deficiency, with the remedy.
    advice: Vec<String>,
}

/// A forbidden operation that was tried.
#[derive(Serialize)]
struct Tried {
    what: &'static str,
    refused: bool,
    how: String,
}

/// State of the index, found without reading all of it.
#[derive(Serialize)]
struct Health {
    path: String,
    /// `none`, `good` or `bad`.
    state: &'static str,
    /// Its contents, or the error.
    detail: String,
}

/// Examines everything and prints it; any deficiency gives exit code 2.
pub(crate) fn doctor(json: bool, place: &Place) -> anyhow::Result<Exit> {
    let mut advice = Vec::new();
    let worker = guard::worker(Demand::WhatThereIs)?;
    let protections = match worker.start() {
        Ok(protections) => {
            advice.extend(
                protections
                    .lacking()
                    .iter()
                    .map(|lacking| about_protection(lacking)),
            );
            Some(protections)
        }
        Err(error) => {
            advice.push(format!(
                "no decoding process can be started: {}",
                chain(&error)
            ));
            None
        }
    };
    let trials = if protections.is_some() {
        trials(&worker, &mut advice)
    } else {
        Vec::new()
    };
    let provision = media::provision();
    about_provision(&provision, &mut advice);
    let scan = index::scan_instructions();
    if scan == "Portable" {
        advice
            .push("this processor has none of AVX-512, AVX2, POPCNT and NEON: searches are slow but correct; use a newer one for speed".to_owned());
    }
    let index = health(place, &mut advice);
    let healthy = advice.is_empty();
    let version = env!("CARGO_PKG_VERSION");
    let diagnosis = Diagnosis {
        version,
        healthy,
        protections,
        trials,
        provision,
        scan,
        index,
        advice,
    };
    let mut out = output::stdout();
    if json {
        writeln!(out, "{}", json_line(&diagnosis)?)?;
    } else {
        out.write_all(page(&diagnosis).as_bytes())?;
    }
    out.flush()?;
    Ok(if healthy { Exit::Success } else { Exit::Error })
}

#[cfg(unix)]
fn trials(worker: &Worker, advice: &mut Vec<String>) -> Vec<Tried> {
    let tried = uniq::sandbox::Trial::ALL.into_iter().map(|trial| {
        let (refused, how) = worker.try_out(trial).unwrap_or_else(|error| (false, chain(&error)));
        if !refused {
            advice.push(format!(
                "a decoding process could do this: {} ({how}); do not check files from strangers here, or run uniq in a \
                 container or virtual machine",
                trial.what()
            ));
        }
        Tried { what: trial.what(), refused, how }
    });
    tried.collect()
}

#[cfg(not(unix))]
fn trials(_: &Worker, _: &mut Vec<String>) -> Vec<Tried> {
    Vec::new()
}

fn about_protection(lacking: &str) -> String {
    let remedy = match lacking.split(' ').next() {
        Some("Landlock") => {
            "use Linux 5.13 or newer with landlock in /sys/kernel/security/lsm (boot option lsm=), and a container runtime that \
             allows its three system calls"
        }
        Some("seccomp") => {
            "use a kernel built with CONFIG_SECCOMP_FILTER on x86-64, ARM64 or RISC-V"
        }
        _ => "use Linux, or run uniq in a container or virtual machine of its own",
    };
    format!("missing: {lacking}; {remedy}")
}

fn about_provision(provision: &Provision, advice: &mut Vec<String>) {
    if !provision.missing_codecs.is_empty() {
        advice.push(format!(
            "this FFmpeg cannot decode {}; install a complete one, such as the package libavcodec-extra or the one of \
             your distribution's multimedia collection",
            provision.missing_codecs.join(", ")
        ));
    }
    let needed = ["mov", "matroska", "avi", "mpegts", "ogg"];
    let lacking: Vec<&str> = provision
        .missing_demuxers
        .iter()
        .copied()
        .filter(|demuxer| needed.contains(demuxer))
        .collect();
    if !lacking.is_empty() {
        advice.push(format!(
            "this FFmpeg cannot read the containers {}; install a complete one",
            lacking.join(", ")
        ));
    }
}

fn health(place: &Place, advice: &mut Vec<String>) -> Health {
    let path = place.dir.to_string_lossy().into_owned();
    if !Index::exists(&place.dir) {
        let detail = "there is none yet; make one with: uniq index build FOLDER".to_owned();
        return Health {
            path,
            state: "none",
            detail,
        };
    }
    match Index::open(&place.dir) {
        Ok(index) => {
            let state = index.state();
            let detail = format!(
                "{} videos, {} keys, root {}; to check every byte: uniq index verify",
                state.videos,
                state.keys,
                state.root.chars().take(12).collect::<String>()
            );
            Health {
                path,
                state: "good",
                detail,
            }
        }
        Err(error) => {
            let detail = chain(&error);
            advice.push(format!("the index cannot be used: {detail}"));
            Health {
                path,
                state: "bad",
                detail,
            }
        }
    }
}

/// The output for a person.
fn page(found: &Diagnosis) -> String {
    let mut text = format!(
        "uniq {}\n\nprotection of this computer from decoded files\n",
        found.version
    );
    let mark = |good: bool| if good { "yes" } else { "NO" };
    match &found.protections {
        Some(all) => {
            let version = match all.landlock_version {
                0 => "NO".to_owned(),
                version => format!("yes, version {version}"),
            };
            for (name, there) in [
                ("Landlock: no file system", version.as_str()),
                ("seccomp: few system calls", mark(all.seccomp)),
                ("no capabilities of root", mark(all.no_capabilities)),
                ("no new privileges", mark(all.no_new_privileges)),
                ("limits of memory, time, files", mark(all.limits)),
                ("ends with its parent", mark(all.dies_with_parent)),
            ] {
                let _ = writeln!(text, "  {name:<40} {there}");
            }
        }
        None => text.push_str("  no decoding process can be started\n"),
    }
    if !found.trials.is_empty() {
        text.push_str("\ntried in a decoding process\n");
    }
    for trial in &found.trials {
        let verdict = if trial.refused {
            "refused"
        } else {
            "NOT REFUSED"
        };
        let _ = writeln!(
            text,
            "  {:<40} {verdict}: {}",
            trial.what,
            plain(&trial.how)
        );
    }
    let provision = &found.provision;
    let _ = writeln!(
        text,
        "\nFFmpeg {} (libavcodec {})",
        plain(&provision.version),
        provision.libavcodec
    );
    let _ = writeln!(text, "  decoders   {}", provision.decoders.join(" "));
    for (label, missing) in [
        ("without", &provision.missing_decoders),
        ("containers without", &provision.missing_demuxers),
    ] {
        if !missing.is_empty() {
            let _ = writeln!(text, "  {label:<10} {}", missing.join(" "));
        }
    }
    let _ = writeln!(text, "\nkeys are compared with {}", found.scan);
    let index = &found.index;
    let _ = writeln!(
        text,
        "index {}: {}, {}",
        plain(&index.path),
        index.state,
        plain(&index.detail)
    );
    text.push('\n');
    if found.advice.is_empty() {
        text.push_str("all is well\n");
    }
    for advice in &found.advice {
        let _ = writeln!(text, "to do: {}", plain(advice));
    }
    text
}
