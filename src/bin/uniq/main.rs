//! The program `uniq-media`, which the command `uniq` becomes: parses, calls the library, prints,
//! exits.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod args;
mod certificate;
mod check;
#[cfg(test)]
#[path = "../front/commands.rs"]
mod commands;
mod dedup;
mod doctor;
mod exit;
mod expected;
mod guard;
mod html;
mod index;
mod inputs;
mod intake;
mod key;
mod output;
mod pages;
mod place;
mod progress;
mod render;
mod signal;
mod signer;
mod talk;
mod text;

use std::env;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::FromArgMatches as _;

use crate::args::{Cli, Command};
use crate::exit::Exit;
use crate::place::Place;

fn main() -> ExitCode {
    let args: Vec<OsString> = env::args_os().skip(1).collect();
    match run(&args) {
        Ok(exit) => exit.into(),
        Err(error) if output::is_broken_pipe(&error) => Exit::Success.into(),
        Err(error) => {
            talk::fail(error.as_ref());
            // With --json, every error gives an object.
            if wants_json(&args) {
                let _ = output::error_object(&code(&error), &text::chain(error.as_ref()));
            }
            Exit::Error.into()
        }
    }
}

fn run(args: &[OsString]) -> anyhow::Result<Exit> {
    // A decoding process gives up its rights, so it must start before anything else.
    if guard::is_worker(args) {
        return guard::serve(args);
    }
    let mut definition = args::help::command_for(args);
    let parsed = definition
        .try_get_matches_from_mut(env::args_os())
        .and_then(|matches| Cli::from_arg_matches(&matches))
        .map_err(|error| error.format(&mut definition));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(answer) => return usage(args, &answer),
    };
    if let Some(name) = cli
        .scan
        .as_deref()
        .filter(|name| !uniq::index::choose_scan_instructions(name))
    {
        anyhow::bail!(
            "{name}: this processor lacks these instructions; choose one of: {}",
            uniq::index::scan_instructions()
        );
    }
    guard::allow_many_files();
    #[cfg(feature = "remote")]
    place::keep_quiet(cli.quiet);
    match cli.command {
        Command::Index(command) => index::run(command, cli.quiet),
        Command::Check(args) => check::check(&args, cli.quiet),
        Command::Dedup(args) => dedup::dedup(&args, cli.quiet),
        Command::Doctor { json, index } => doctor::doctor(json, &Place::to_read(index.dir)?),
        Command::Fingerprint(args) => check::fingerprint(&args, cli.quiet),
        Command::Key(command) => key::run(&command),
        Command::Certify(args) => certificate::certify(&args, cli.quiet),
        Command::Certificate(command) => certificate::run(command, cli.quiet),
        Command::Intake(command) => intake::run(command, cli.quiet),
        #[cfg(feature = "serve")]
        Command::Serve { .. } => {
            anyhow::bail!("the service is a separate program; call it as: uniq serve")
        }
        Command::Completions { shell } => pages::completions(shell),
        Command::Man { dir } => pages::man(dir.as_deref()),
    }
}

/// Whether the command line asks for JSON, even if it is invalid otherwise.
fn wants_json(args: &[OsString]) -> bool {
    args.iter()
        .take_while(|arg| *arg != "--")
        .any(|arg| arg == "--json")
}

/// The error's code for programs.
fn code(error: &anyhow::Error) -> String {
    if error.is::<place::Absent>() {
        return "no_index".to_owned();
    }
    error
        .chain()
        .find_map(|cause| cause.downcast_ref::<uniq::Error>())
        .map_or("error".to_owned(), uniq::Error::code)
}

/// Prints help and version on standard output, errors of the command line on standard error.
fn usage(args: &[OsString], answer: &clap::Error) -> anyhow::Result<Exit> {
    let foreign = args.iter().any(|arg| {
        let arg = arg.to_string_lossy();
        matches!(text::plain(&arg), std::borrow::Cow::Owned(_))
    });
    if answer.use_stderr() {
        if foreign {
            // The message repeats the arguments, in which a pattern such as * may have put any file
            // name.
            let message = text::plain_lines(&answer.render().to_string());
            let _ = io::stderr().lock().write_all(message.as_bytes());
        } else {
            let _ = answer.print();
        }
        if wants_json(args) {
            let message = answer.render().to_string();
            let first = message
                .lines()
                .next()
                .unwrap_or_default()
                .trim_start_matches("error: ");
            output::error_object("usage", &text::plain(first))?;
        }
        return Ok(Exit::Error);
    }
    answer.print()?;
    Ok(Exit::Success)
}
