//! From a film to its verdict, on made footage, through the program and through the library.
//!
//! The modules are one program because linking a program for each takes longer than many of their
//! tests.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod benign;
mod cheats;
mod dedup;
mod everywhere;
mod excerpts;
mod facts;
mod footage;
mod golden_fingerprint;
mod library;
mod scattered;
mod screened;
mod submissions;
#[path = "../support/mod.rs"]
mod support;
