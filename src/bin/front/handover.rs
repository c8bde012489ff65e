//! Hands a call that means coreutils' `uniq` over to the next `uniq` in PATH.
//!
//! A script that runs `sort f | uniq -c` must not notice that this program comes first in PATH.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run;

/// Variable with the identities of the programs that this call has already passed through, to
/// prevent a loop.
const VISITED_VARIABLE: &str = "UNIQ_HANDED_OVER_BY";

/// Replaces this process by the next `uniq` in PATH with the same arguments. Returns only if that
/// fails, with the reason.
pub(crate) fn hand_over(args: &[OsString]) -> String {
    let own_path = env::current_exe().unwrap_or_default();
    let own = identity(&own_path);
    let visited = env::var(VISITED_VARIABLE).unwrap_or_default();
    let visited: Vec<&str> = visited.split(',').filter(|id| !id.is_empty()).collect();
    let path = env::var_os("PATH").unwrap_or_default();
    let entries: Vec<(PathBuf, String)> = programs(&path).collect();
    let Some((target, target_id)) = next(&entries, own.as_deref(), &visited) else {
        return format!(
            "this call is for coreutils' uniq, which drops repeated lines, but PATH has only this program ({}); for its \
             commands see: uniq --help",
            own_path.display()
        );
    };
    let mut trail = visited.clone();
    // Add the target too: it may be a wrapper that calls `uniq` by name, and so ends up here again.
    trail.extend(own.as_deref());
    trail.push(target_id);
    run(
        Command::new(target)
            .args(args)
            .env(VISITED_VARIABLE, trail.join(",")),
        target,
    )
}

/// Chooses the first program after our own entry that was not visited. If we have no entry, starts
/// with the first of all.
fn next<'a>(
    entries: &'a [(PathBuf, String)],
    own: Option<&str>,
    visited: &[&str],
) -> Option<(&'a Path, &'a str)> {
    let after = entries
        .iter()
        .position(|(_, id)| own == Some(id.as_str()))
        .map_or(0, |at| at + 1);
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
        let folder = if folder.as_os_str().is_empty() {
            PathBuf::from(".")
        } else {
            folder
        };
        let candidate = folder.join(&name);
        let id = identity(&candidate).filter(|_| is_executable(&candidate))?;
        Some((candidate, id))
    })
}

/// Identifies a file whichever path or link leads to it: on Unix by device and inode.
#[cfg(unix)]
fn identity(path: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let metadata = path.metadata().ok()?;
    Some(format!("{:x}-{:x}", metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn identity(path: &Path) -> Option<String> {
    // Identities are separated by commas.
    let path = path.canonicalize().ok()?;
    Some(path.to_string_lossy().replace(',', "%2c"))
}

#[cfg(unix)]
fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata()
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(path: &Path) -> bool {
    path.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(ids: &[&str]) -> Vec<(PathBuf, String)> {
        let path = |id: &&str| (PathBuf::from(format!("/{id}/uniq")), (*id).to_owned());
        ids.iter().map(path).collect()
    }

    fn chosen<'a>(
        entries: &'a [(PathBuf, String)],
        own: &str,
        visited: &[&str],
    ) -> Option<&'a str> {
        next(entries, Some(own), visited).map(|(_, id)| id)
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
        // We handed the call to the copy, which comes before us in PATH.
        let copies = entries(&["copy", "us", "coreutils"]);
        assert_eq!(chosen(&copies, "copy", &["us", "copy"]), Some("coreutils"));
        // With nothing but copies, it must end, not loop.
        let only = entries(&["us", "copy"]);
        assert_eq!(chosen(&only, "us", &[]), Some("copy"));
        assert_eq!(chosen(&only, "copy", &["us", "copy"]), None);
    }
}
