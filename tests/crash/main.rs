//! What an index must survive: its writer killed at any moment, and readers that search while it is
//! being changed.
//!
//! A test starts copies of itself as other processes: the same test, told by an environment
//! variable to be a writer or a reader instead. What they have to find is computed here, by brute
//! force, from the same endless and repeatable list of steps; nothing is taken from the index that
//! is judged.
//!
//! `UNIQ_KILLS` is the number of kills together (200 unless told), `UNIQ_READ_SECONDS` the time for
//! which readers and writer meet (60 unless told); `scripts/soak` sets both higher.
//! `cargo test --test crash -- --nocapture` shows what was counted.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod crowd;
mod kills;
mod model;
mod program;
mod role;
mod snapshot;
#[path = "../support/steady.rs"]
mod steady;

/// A whole number of the environment, or what holds without it.
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| {
        text.parse().unwrap_or_else(|_| panic!("{name}={text}"))
    })
}

/// Kills in all: one in five hits the real program, the others a writer that does nothing but
/// write.
fn kills() -> (u64, u64) {
    let all = setting("UNIQ_KILLS", 200);
    (all - all / 5, all / 5)
}
