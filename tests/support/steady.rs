//! Runs the `ffmpeg` command so that it makes the same bytes on every processor.
//!
//! By default FFmpeg's scalers, filters and encoders round depending on the processor's
//! instructions, x264 also makes decisions by them, and both divide work by the number of cores.
//! One difference remains: the C library's mathematics in a few filters and in our own painting,
//! which is exact to the last bit or nearly so.

// Some tests include this directly, others through the module beside it.
#![allow(dead_code, unreachable_pub)]

use std::ffi::{OsStr, OsString};
use std::process::Command;

/// The command with these arguments; the last one is the output.
pub fn ffmpeg<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Command {
    command(&["-cpuflags", "0"], args)
}

/// The command with all processor instructions, for results that do not depend on them: raw frames
/// that are scaled with [`EXACT_SCALING`], made noisy, and encoded by x264.
pub fn ffmpeg_of_raw_pictures<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Command {
    command(&[], args)
}

/// Flags of the `scale` filter with which all instruction sets round alike.
pub const EXACT_SCALING: &str = "lanczos+accurate_rnd+bitexact";

fn command<A: AsRef<OsStr>>(instructions: &[&str], args: impl IntoIterator<Item = A>) -> Command {
    let mut args: Vec<OsString> = args
        .into_iter()
        .map(|argument| argument.as_ref().to_owned())
        .collect();
    let output = args.pop();
    // Merges both values, since the option given last would hide a test's own options for x264.
    match args.iter().position(|argument| argument == "-x264-params") {
        Some(option) => args[option + 1].push(format!(":{X264}")),
        None => args.extend(["-x264-params".into(), X264.into()]),
    }
    let mut command = Command::new("ffmpeg");
    command
        .args(["-nostdin", "-hide_banner", "-v", "error", "-y"])
        .args(instructions)
        .args(args);
    command
        .args([
            "-threads",
            "1",
            "-flags",
            "+bitexact",
            "-fflags",
            "+bitexact",
        ])
        .args(output);
    command
}

/// Keeps x264 from choosing methods with different results; other encoders ignore it.
const X264: &str = "cpu-independent=1";
