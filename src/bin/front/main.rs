//! The command `uniq`: hands a call over to coreutils, or becomes `uniq-media`, which does the
//! work.
//!
//! It is small and does not use FFmpeg. So a script that means coreutils pays almost nothing, and
//! works even if FFmpeg's libraries are broken.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod commands;
mod decide;
mod handover;
#[allow(unreachable_pub)]
#[path = "../../sandbox/shown.rs"]
mod shown;
// Only a part of the module is used here.
#[allow(dead_code, unreachable_pub)]
#[path = "../../media/sniff.rs"]
mod sniff;

use std::env;
use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;
use std::process::{Command, ExitCode};

use crate::decide::Call;

/// Exit code of all errors here, the same as for errors of `uniq-media`.
const ERROR: u8 = 2;
/// The program that does the work.
const PROGRAM: &str = "uniq-media";
/// The program of the service.
#[cfg(feature = "serve")]
const SERVICE: &str = "uniq-serve";
/// Where the programs are looked for, relative to this program's folder.
const PLACES: [&str; 3] = ["", "../libexec/uniq", "../lib/uniq"];

fn main() -> ExitCode {
    let args: Vec<OsString> = env::args_os().skip(1).collect();
    let (code, error) = match decide::decide(&args, io::stdin().is_terminal()) {
        Call::Ours => ("not_installed", become_program(&args)),
        Call::Theirs => ("not_installed", handover::hand_over(&args)),
        Call::Wrong(message) => ("usage", message),
    };
    let error = plain(&error);
    // Ignore a closed or full standard error.
    let _ = writeln!(io::stderr().lock(), "uniq: {error}");
    if args
        .iter()
        .take_while(|arg| *arg != "--")
        .any(|arg| arg == "--json")
    {
        let _ = writeln!(io::stdout().lock(), "{}", object(code, &error));
    }
    ExitCode::from(ERROR)
}

/// The JSON object of an error.
fn object(code: &str, error: &str) -> String {
    // Messages contain no other characters that JSON must escape.
    let message = error.replace('\\', "\\\\").replace('"', "\\\"");
    format!(
        "{{\"code\":\"{code}\",\"message\":\"{message}\",\"schema\":{}}}",
        commands::SCHEMA
    )
}

/// Becomes the program that does the work. Returns only if that fails, with the reason.
fn become_program(args: &[OsString]) -> String {
    let own = match env::current_exe() {
        Ok(own) => own,
        Err(error) => {
            return format!(
                "cannot find this program's own file: {error}; mount /proc, or call {PROGRAM}"
            );
        }
    };
    let folder = own.parent().unwrap_or(Path::new("."));
    let (program, args) = program_of(args);
    let name = format!("{program}{}", env::consts::EXE_SUFFIX);
    let candidates = PLACES.map(|place| folder.join(place).join(&name));
    match candidates.iter().find(|candidate| candidate.is_file()) {
        Some(program) => run(Command::new(program).args(args), program),
        #[cfg(feature = "serve")]
        None if program == SERVICE => format!(
            "{}: missing; install the service beside {}: cargo install --locked --path server",
            candidates[0].display(),
            own.display()
        ),
        None => format!(
            "{}: missing; uniq is several programs, including {} and {name}: install them in one folder",
            candidates[0].display(),
            own.display()
        ),
    }
}

/// The program that a call is for, and the arguments for it.
fn program_of(args: &[OsString]) -> (&'static str, Vec<OsString>) {
    #[cfg(feature = "serve")]
    {
        let mut words = args
            .iter()
            .filter(|arg| !decide::LEADING_OPTIONS.iter().any(|option| arg == option));
        match (words.next(), words.next()) {
            (Some(first), _) if first == commands::SERVE => return (SERVICE, args.to_vec()),
            // The service knows its own options best.
            (Some(first), Some(second)) if first == "help" && second == commands::SERVE => {
                let mut call = vec![commands::SERVE.into()];
                call.extend(words.cloned());
                call.push("--help".into());
                return (SERVICE, call);
            }
            _ => {}
        }
    }
    (PROGRAM, args.to_vec())
}

/// Becomes another program, which keeps the process id and the open files, so the shell sees its
/// exit status.
#[cfg(unix)]
fn run(command: &mut Command, target: &Path) -> String {
    use std::os::unix::process::CommandExt as _;
    // The standard library restores the default of SIGPIPE here, so the other program dies of it as
    // usual.
    let error = command.arg0("uniq").exec();
    format!("{}: cannot be run: {error}", target.display())
}

#[cfg(not(unix))]
fn run(command: &mut Command, target: &Path) -> String {
    match command.status() {
        Ok(status) => std::process::exit(status.code().unwrap_or(ERROR.into())),
        Err(error) => format!("{}: cannot be run: {error}", target.display()),
    }
}

/// Escapes all characters that a terminal would not show as they are.
fn plain(foreign: &str) -> String {
    let mut text = String::with_capacity(foreign.len());
    for c in foreign.chars() {
        if shown::hides(c) {
            text.extend(c.escape_default());
        } else {
            text.push(c);
        }
    }
    text
}

/// A path as a person would type it in a shell.
fn typed(path: &Path) -> String {
    let text = path.to_string_lossy();
    if text.contains(|c: char| c.is_whitespace() || "'\"\\$&;|<>()*?`!#".contains(c)) {
        format!("'{}'", text.replace('\'', "'\\''"))
    } else {
        text.into_owned()
    }
}

#[cfg(all(test, feature = "serve"))]
mod tests {
    use super::*;

    #[test]
    fn help_about_the_service_comes_from_the_service() {
        let program = |words: &[&str]| {
            let args: Vec<OsString> = words.iter().map(OsString::from).collect();
            program_of(&args)
        };
        let help = ["serve", "--help"].map(OsString::from).to_vec();
        assert_eq!(program(&["help", "serve"]), (SERVICE, help));
        let help = ["serve", "key", "--help"].map(OsString::from).to_vec();
        assert_eq!(program(&["help", "serve", "key"]), (SERVICE, help));
        assert_eq!(program(&["-q", "serve", "--demo"]).0, SERVICE);
        assert_eq!(program(&["help", "check"]).0, PROGRAM);
        assert_eq!(program(&["check", "serve"]).0, PROGRAM);
    }
}
