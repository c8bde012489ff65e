//! Completion scripts and manual pages, made from the definition of the command line.

use std::fs;
use std::path::Path;

use anyhow::Context;
use clap_complete::Shell;
use clap_mangen::Man;

use crate::args::help::command;
use crate::exit::Exit;
use crate::output;

/// Prints the completion script for `shell`.
pub(crate) fn completions(shell: Shell) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(), "uniq", &mut script);
    output::print(&script)?;
    Ok(Exit::Success)
}

/// Prints the manual page, or writes one per command into `dir`.
pub(crate) fn man(dir: Option<&Path>) -> anyhow::Result<Exit> {
    match dir {
        Some(dir) => {
            let failed = || format!("{}: the manual pages could not be written", dir.display());
            fs::create_dir_all(dir).with_context(failed)?;
            clap_mangen::generate_to(command(), dir).with_context(failed)?;
        }
        None => {
            let mut page = Vec::new();
            Man::new(command()).render(&mut page)?;
            output::print(&page)?;
        }
    }
    Ok(Exit::Success)
}
