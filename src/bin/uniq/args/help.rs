//! Makes short and long help from one definition: `-h` fits on a screen, `--help` is complete.

use std::ffi::OsString;
use std::sync::LazyLock;

use clap::{Command, CommandFactory as _};
use uniq::report::Tool;

use super::Cli;

/// Output of `uniq --version`: version, commit, and FFmpeg on this computer.
static VERSION: LazyLock<String> = LazyLock::new(|| Tool::this().to_string());

/// The command line, with all commands.
pub(crate) fn command() -> Command {
    commands().mut_subcommands(|command| {
        command
            .hide(false)
            .mut_subcommands(|command| command.hide(false))
    })
}

/// The command line for these arguments. The help hides commands that few people need, unless the
/// long help is requested.
pub(crate) fn command_for(args: &[OsString]) -> Command {
    let wants_long =
        args.iter().any(|arg| arg == "--help") || args.first().is_some_and(|first| first == "help");
    let command = if wants_long {
        command()
    } else {
        commands().mut_subcommand("index", |index| {
            index.after_help("More commands: uniq index --help")
        })
    };
    command.long_version(VERSION.as_str())
}

/// The command line as declared, with only examples below the short help.
fn commands() -> Command {
    with_short_help(Cli::command())
}

/// Keeps the text below the help for `--help`; `-h` shows only the first line of its example that
/// calls the command.
fn with_short_help(mut command: Command) -> Command {
    let names: Vec<String> = command
        .get_subcommands()
        .map(|command| command.get_name().to_owned())
        .collect();
    for name in names {
        command = command.mut_subcommand(name, with_short_help);
    }
    let Some(full) = command.get_after_help().map(ToString::to_string) else {
        return command;
    };
    let mut examples = full.lines().skip(1).take_while(|line| !line.is_empty());
    let calls = format!(" {} ", command.get_name());
    let first = examples.clone().next().unwrap_or_default();
    let example = examples.find(|line| format!("{line} ").contains(&calls));
    let example = example.unwrap_or(first).trim();
    command
        .after_help(format!("Example: {example}"))
        .after_long_help(full)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_few_people_need_is_there_and_only_in_the_long_help() {
        let command = |args: &[&str]| {
            let args: Vec<OsString> = args.iter().map(OsString::from).collect();
            command_for(&args)
        };
        let has_man = |args: &[&str]| !command(args).find_subcommand("man").unwrap().is_hide_set();
        assert!(!has_man(&["-h"]) && has_man(&["--help"]));
        let shown = |args: &[&str]| -> Vec<String> {
            let command = command(args);
            let index = command.find_subcommand("index").unwrap();
            let shown = index.get_subcommands().filter(|c| !c.is_hide_set());
            shown.map(|c| c.get_name().to_owned()).collect()
        };
        let (short, long) = (shown(&["index", "-h"]), shown(&["index", "--help"]));
        assert!(short.contains(&"build".to_owned()) && !short.contains(&"canaries".to_owned()));
        assert!(short.iter().all(|name| long.contains(name)));
        assert!(long.contains(&"canaries".to_owned()));
        assert_eq!(shown(&["help", "index"]), long);
    }
}
