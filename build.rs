//! Tells the crate of which commit it is built, for its reports.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-env-changed=UNIQ_COMMIT");
    println!("cargo:rerun-if-changed=build.rs");
    let given = std::env::var("UNIQ_COMMIT")
        .ok()
        .filter(|commit| !commit.is_empty());
    if let Some(commit) = given.or_else(of_release).or_else(of_package) {
        println!("cargo:rustc-env=UNIQ_BUILD_COMMIT={}", commit.trim());
    }
}

/// The commit that is checked out, with a mark if files differ from it.
///
/// Of release builds only: the others would be compiled anew after each commit.
fn of_release() -> Option<String> {
    if std::env::var("PROFILE").ok()? != "release" {
        return None;
    }
    // Elsewhere than in its own repository the package would be given another project's commit.
    git(&["ls-files", "--error-unmatch", "Cargo.toml"])?;
    for name in ["HEAD", "index", "logs/HEAD"] {
        println!(
            "cargo:rerun-if-changed={}",
            git(&["rev-parse", "--git-path", name])?.trim()
        );
    }
    println!("cargo:rerun-if-changed=src");
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    let changed = git(&[
        "status",
        "--porcelain",
        "--untracked-files=no",
        "--",
        "src",
        "Cargo.toml",
        "Cargo.lock",
    ])?;
    Some(
        commit.trim().to_owned()
            + if changed.trim().is_empty() {
                ""
            } else {
                "+changed"
            },
    )
}

/// The commit that `cargo package` noted.
fn of_package() -> Option<String> {
    let text = std::fs::read_to_string(".cargo_vcs_info.json").ok()?;
    let digits = text.split_once("\"sha1\"")?.1.split('"').nth(1)?;
    Some(digits.chars().take(12).collect())
}

fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .args(args)
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()
}
