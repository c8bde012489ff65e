//! Short and long help from one definition: `-h` fits on a screen, `--help` says everything.

use std::ffi::OsString;
use std::sync::LazyLock;

use clap::{Command, CommandFactory as _};
use uniq::report::Tool;

use super::Cli;

/// What `uniq --version` prints: version, commit and the FFmpeg of this computer.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let tool = Tool::this();
    let commit = tool
        .commit
        .map_or(String::new(), |commit| format!(" ({commit})"));
    format!(
        "{}{commit}, FFmpeg {}, libavcodec {}",
        tool.version, tool.media, tool.libavcodec
    )
});

/// Commands that the short help of `uniq index` leaves out, because few people need them.
const SELDOM: [&str; 9] = [
    "canaries",
    "checkpoint",
    "log",
    "open",
    "prove",
    "refresh",
    "snapshot",
    "update",
    "upgrade",
];

/// The command line, with examples alone below the short help.
pub(crate) fn command() -> Command {
    with_short_help(Cli::command())
}

/// The command line for these arguments: unless they ask for the long help, the commands that few
/// people need are hidden.
pub(crate) fn command_for(args: &[OsString]) -> Command {
    let wants_long =
        args.iter().any(|arg| arg == "--help") || args.first().is_some_and(|first| first == "help");
    let command = command().long_version(VERSION.as_str());
    if wants_long {
        return command;
    }
    command.mut_subcommand("index", |index| {
        let index = SELDOM.iter().fold(index, |index, name| {
            if index.find_subcommand(name).is_none() {
                return index;
            }
            index.mut_subcommand(name, |command| command.hide(true))
        });
        index.after_help("More commands: uniq index --help")
    })
}

/// Keeps what stands below the help for `--help`; of it `-h` shows the first line of the example.
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
    let example = full.lines().nth(1).unwrap_or_default().trim();
    command
        .after_help(format!("Example: {example}"))
        .after_long_help(full)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_few_people_need_is_there_and_only_in_the_long_help() {
        let shown = |args: &[&str]| -> Vec<bool> {
            let args: Vec<OsString> = args.iter().map(OsString::from).collect();
            let command = command_for(&args);
            let index = command.find_subcommand("index").unwrap();
            let known = SELDOM.iter().filter_map(|name| index.find_subcommand(name));
            known.map(|command| !command.is_hide_set()).collect()
        };
        let (short, long) = (shown(&["index", "-h"]), shown(&["index", "--help"]));
        assert!(short.len() >= SELDOM.len() - 1 && !short.contains(&true));
        assert!(long.len() == short.len() && !long.contains(&false));
        assert_eq!(shown(&["help", "index"]), long);
    }
}
