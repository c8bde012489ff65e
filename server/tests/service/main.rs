//! The service through HTTP: the real program on a data folder of its own.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod basics;
mod footage;
mod support;
