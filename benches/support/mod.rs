//! Shared parts of the index benches: keys like those of real footage, indexes of them, clocks, and
//! FAISS for comparison.

// Each bench is a crate of its own and uses only a part of this.
#![allow(dead_code, unreachable_pub)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr
)]

pub mod clip;
pub mod clock;
pub mod corpus;
pub mod faiss;
pub mod footage;
pub mod random;

/// Radius of a vote in bits, at which everything is measured.
pub const RADIUS: u32 = uniq::search::RADIUS;

/// Number of query keys in one measurement: 20 keyframes with 40 regions, each also mirrored. A
/// clip of 10 s has up to 7 000, including tilted ones.
pub const CLIP_KEYS: usize = 1600;

/// A number with blanks between groups of three digits.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// The words for a figure that reaches its goal or not.
pub fn verdict(reached: bool) -> &'static str {
    if reached { "reached" } else { "MISSED" }
}
