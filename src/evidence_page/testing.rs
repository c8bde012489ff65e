//! A report for tests.

use crate::report::{NonMatch, Report};

/// An alignment in which both frames show the same.
pub(super) fn found() -> NonMatch {
    report().matches.remove(0).alignment
}

/// A report with one copy, a nearest non-match, and a span of each state.
pub(super) fn report() -> Report {
    serde_json::from_str(include_str!("testing.json")).unwrap()
}
