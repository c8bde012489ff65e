//! An index in object storage: one writer wins, readers see all of it or an error, and damage is
//! noticed everywhere.
//!
//! Each case runs with a folder (`file://`), and with a real S3 server if one is installed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

mod cache;
mod damage;
mod kills;
mod made;
mod program;
mod readers;
#[path = "../support/seaweed.rs"]
mod seaweed;
#[path = "../support/steady.rs"]
mod steady;
mod writers;
