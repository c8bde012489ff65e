//! What an index must survive: its writer killed at any moment, and readers that search while it
//! changes.
//!
//! A test starts copies of itself as other processes. An environment variable turns such a copy
//! into a writer or a reader. The right answers are computed here, by brute force, from the same
//! endless and repeatable list of steps; nothing is taken from the index under test.
//!
//! `UNIQ_KILLS` is the total number of kills (default 200). `UNIQ_READ_SECONDS` is the time for
//! which readers and writer run together (default 60). `scripts/soak` sets both higher. `cargo test
//! --test crash -- --nocapture` shows the counts.
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

/// A whole number from the environment, or the default.
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| {
        text.parse().unwrap_or_else(|_| panic!("{name}={text}"))
    })
}

/// Total number of kills: one in five hits the real program, the others a process that only writes.
fn kills() -> (u64, u64) {
    let all = setting("UNIQ_KILLS", 200);
    (all - all / 5, all / 5)
}
