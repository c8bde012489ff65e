//! Tricks on published films: their list, their making, their material, and their results.

#![allow(unreachable_pub)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr
)]

pub mod corpus;
pub mod media;
pub mod recipe;
pub mod result;
pub mod table;
pub mod tell;
