//! Runs the `ffmpeg` command so that it makes the same bytes on every processor.
//!
//! Left alone, FFmpeg's scalers, filters and encoders round by the instructions that the processor
//! has, x264 decides by them, and both divide the work by the number of cores. What remains is the
//! C library's mathematics in a few filters and in our own painting, which is exact to the last bit
//! or nearly so.

// Included by some tests directly, by others through the module beside it.
#![allow(dead_code, unreachable_pub)]

use std::ffi::{OsStr, OsString};
use std::process::Command;

/// The command with these arguments, of which the last is the output.
pub fn ffmpeg<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Command {
    command(&["-cpuflags", "0"], args)
}

/// The command with all that the processor has, for what comes out the same with it as without: raw
/// pictures that are scaled as [`EXACT_SCALING`] says, made noisy, and encoded by x264.
pub fn ffmpeg_of_raw_pictures<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Command {
    command(&[], args)
}

/// Flags of the `scale` filter with which every kind of instruction rounds as none does.
pub const EXACT_SCALING: &str = "lanczos+accurate_rnd+bitexact";

fn command<A: AsRef<OsStr>>(instructions: &[&str], args: impl IntoIterator<Item = A>) -> Command {
    let mut args: Vec<OsString> = args
        .into_iter()
        .map(|argument| argument.as_ref().to_owned())
        .collect();
    let output = args.pop();
    // The option given last would hide what a test asks of x264.
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

/// Keeps x264 from choosing between ways that differ in their result; other encoders do not look at
/// it.
const X264: &str = "cpu-independent=1";
