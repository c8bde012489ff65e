//! The command `uniq`.
fn main() {}
