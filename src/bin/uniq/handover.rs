//! Hands a call that means coreutils' `uniq` over to the next `uniq` in PATH.
//!
//! A script that says `sort f | uniq -c` must not notice that this program came first in PATH. What counts as ours is
//! decided from the first argument alone: the name of a subcommand, a request for help or the version, or nothing at
//! all when a person sits at the terminal. Everything else, also `uniq`, `uniq -d` and `uniq IN OUT`, is theirs.
//! A file that is called like a subcommand is reached with `uniq ./check`.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::exit::Exit;

/// Carries the identities of the programs that the call has passed through, so that it never comes round again.
const VISITED_VARIABLE: &str = "UNIQ_HANDED_OVER_BY";
/// Global options of ours that may stand before the subcommand; coreutils' `uniq` has none of them.
const LEADING_OPTIONS: [&str; 2] = ["--quiet", "-q"];

/// Whether the call (`args` without the program's name) is for the other `uniq`, given our subcommands' names.
pub(crate) fn is_theirs<'a>(args: &[OsString], ours: impl IntoIterator<Item = &'a str>) -> bool {
    let first = args.iter().find(|arg| !LEADING_OPTIONS.iter().any(|option| arg == option));
    match first {
        Some(arg) if ["help", "--help", "-h", "--version", "-V"].iter().any(|own| arg == own) => false,
        Some(arg) => !ours.into_iter().any(|name| arg == name),
        None => args.is_empty() && !io::stdin().is_terminal(),
    }
}

/// Replaces this process by the next `uniq` in PATH with the same arguments; returns only when that is impossible.
pub(crate) fn hand_over(args: &[OsString]) -> anyhow::Result<Exit> {
    let own_path = env::current_exe()?;
    let own = identity(&own_path);
    let visited = env::var(VISITED_VARIABLE).unwrap_or_default();
    let visited: Vec<&str> = visited.split(',').filter(|id| !id.is_empty()).collect();
    let path = env::var_os("PATH").unwrap_or_default();
    let entries: Vec<(PathBuf, String)> = programs(&path).collect();
    let Some((target, target_id)) = next(&entries, own.as_deref(), &visited) else {
        anyhow::bail!(
            "this call is for the uniq that drops repeated lines (coreutils), and PATH has none beside this program ({}); \
             for the commands of this program see: uniq --help",
            own_path.display()
        );
    };
    let mut trail = visited.clone();
    // The target joins the trail too: it may be a wrapper that calls `uniq` by name and so comes back here.
    trail.extend(own.as_deref());
    trail.push(target_id);
    let mut command = Command::new(target);
    command.args(args).env(VISITED_VARIABLE, trail.join(","));
    run(command, target)
}

/// Chooses the program: the first after our own entry that was not visited; when we have no entry, the first at all.
fn next<'a>(entries: &'a [(PathBuf, String)], own: Option<&str>, visited: &[&str]) -> Option<(&'a Path, &'a str)> {
    let after = entries.iter().position(|(_, id)| own == Some(id.as_str())).map_or(0, |at| at + 1);
    entries[after..]
        .iter()
        .find(|(_, id)| own != Some(id.as_str()) && !visited.contains(&id.as_str()))
        .map(|(path, id)| (path.as_path(), id.as_str()))
}

/// The executable files called `uniq` in the folders of PATH, in order, each with its identity.
fn programs(path: &OsStr) -> impl Iterator<Item = (PathBuf, String)> {
    let name = format!("uniq{}", env::consts::EXE_SUFFIX);
    env::split_paths(path).filter_map(move |folder| {
        // An empty entry means the current folder, as it does for the shell.
        let folder = if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder };
        let candidate = folder.join(&name);
        let id = identity(&candidate).filter(|_| is_executable(&candidate))?;
        Some((candidate, id))
    })
}

/// What stays the same whichever path or link leads to a file: on Unix device and inode.
#[cfg(unix)]
fn identity(path: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let metadata = path.metadata().ok()?;
    Some(format!("{:x}-{:x}", metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn identity(path: &Path) -> Option<String> {
    // A comma would split the trail.
    let path = path.canonicalize().ok()?;
    Some(path.to_string_lossy().replace(',', "%2c"))
}

#[cfg(unix)]
fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(path: &Path) -> bool {
    path.is_file()
}

/// Becomes the other program, which so keeps our process id, our files and the shell's view of its exit.
#[cfg(unix)]
fn run(mut command: Command, target: &Path) -> anyhow::Result<Exit> {
    use std::os::unix::process::CommandExt;
    // The standard library puts SIGPIPE back to its default here, so that the other program dies of it as usual.
    let error = command.arg0("uniq").exec();
    Err(anyhow::Error::new(error).context(format!("{} could not be run", target.display())))
}

#[cfg(not(unix))]
fn run(mut command: Command, target: &Path) -> anyhow::Result<Exit> {
    use anyhow::Context;
    let status = command.status().with_context(|| format!("{} could not be run", target.display()))?;
    std::process::exit(status.code().unwrap_or(Exit::Error.number().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn theirs(args: &[&str]) -> bool {
        let args: Vec<OsString> = args.iter().map(OsString::from).collect();
        is_theirs(&args, ["index", "check"])
    }

    fn entries(ids: &[&str]) -> Vec<(PathBuf, String)> {
        let path = |id: &&str| (PathBuf::from(format!("/{id}/uniq")), (*id).to_owned());
        ids.iter().map(path).collect()
    }

    fn chosen<'a>(entries: &'a [(PathBuf, String)], own: &str, visited: &[&str]) -> Option<&'a str> {
        next(entries, Some(own), visited).map(|(_, id)| id)
    }

    #[test]
    fn our_subcommands_and_questions_are_ours_and_all_else_is_theirs() {
        for own in [&["index"][..], &["check", "a"], &["help"], &["-h"], &["--version"], &["-q", "check", "a"]] {
            assert!(!theirs(own), "{own:?}");
        }
        for other in [&["-c"][..], &["in", "out"], &["-"], &["--"], &["./check"], &["-d", "check"], &["-q", "in"]] {
            assert!(theirs(other), "{other:?}");
        }
    }

    #[test]
    fn the_next_program_stands_after_our_own_entry() {
        let path = entries(&["other", "us", "coreutils", "busybox"]);
        assert_eq!(chosen(&path, "us", &[]), Some("coreutils"));
    }

    #[test]
    fn a_caller_outside_path_takes_the_first_that_is_not_itself() {
        let path = entries(&["coreutils", "busybox"]);
        assert_eq!(chosen(&path, "us", &[]), Some("coreutils"));
        assert_eq!(next(&path, None, &[]).map(|(_, id)| id), Some("coreutils"));
    }

    #[test]
    fn several_links_and_copies_of_us_do_not_loop() {
        let links = entries(&["us", "us", "coreutils"]);
        assert_eq!(chosen(&links, "us", &[]), Some("coreutils"));
        // The copy was handed the call by us and stands before us.
        let copies = entries(&["copy", "us", "coreutils"]);
        assert_eq!(chosen(&copies, "copy", &["us", "copy"]), Some("coreutils"));
        // Nothing but copies: an end, not a circle.
        let only = entries(&["us", "copy"]);
        assert_eq!(chosen(&only, "us", &[]), Some("copy"));
        assert_eq!(chosen(&only, "copy", &["us", "copy"]), None);
    }
}
