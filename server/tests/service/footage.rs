//! Made footage, shared with the library's tests.
#![allow(dead_code, unreachable_pub)]

#[path = "../../../tests/support/paint.rs"]
pub mod paint;
#[path = "../../../tests/support/people.rs"]
pub mod people;
#[path = "../../../tests/support/scenes.rs"]
pub mod scenes;
#[path = "../../../tests/support/shots.rs"]
pub mod shots;
#[path = "../../../tests/support/steady.rs"]
pub mod steady;
