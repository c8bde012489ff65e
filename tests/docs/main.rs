//! Checks the documentation against the program and the source: recipes run, commands and options
//! exist, links resolve, and the report has the described fields.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod commands;
mod fields;
mod footage;
mod links;
mod markdown;
mod recipes;
#[path = "../support/steady.rs"]
mod steady;

use std::path::{Path, PathBuf};

const UNIQ: &str = env!("CARGO_BIN_EXE_uniq");

/// The folder of the repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Markdown file of the repository, relative to its root.
fn pages() -> Vec<PathBuf> {
    let mut pages: Vec<PathBuf> = walkdir::WalkDir::new(root())
        .into_iter()
        .filter_entry(|entry| {
            let name = entry.file_name().to_string_lossy();
            entry.depth() == 0 || !(name == "target" || name == "node_modules" || name == ".git")
        })
        .map(Result::unwrap)
        .filter(|entry| entry.path().extension().is_some_and(|kind| kind == "md"))
        .map(|entry| entry.path().strip_prefix(root()).unwrap().to_owned())
        .collect();
    pages.sort();
    assert!(pages.contains(&PathBuf::from("README.md")), "{pages:?}");
    pages
}

#[test]
fn the_readme_is_read_in_five_minutes() {
    let words = markdown::read(Path::new("README.md"))
        .split_whitespace()
        .count();
    assert!(words <= 1_500, "the README has {words} words");
}
