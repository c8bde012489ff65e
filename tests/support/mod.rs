//! What the tests and benches share: made footage, edits of it, real footage, and the program under
//! test.

// Each test and bench is a crate of its own and uses only a part of this.
#![allow(dead_code, unreachable_pub)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

pub mod clips;
pub mod folders;
pub mod paint;
pub mod people;
pub mod program;
pub mod scenes;
pub mod shots;
pub mod steady;
