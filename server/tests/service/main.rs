//! The service through HTTP: the real program on a separate data folder.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

mod basics;
mod footage;
mod hooks;
mod ops;
mod ray;
mod review;
mod support;
mod uploads;
