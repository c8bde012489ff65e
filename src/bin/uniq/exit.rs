//! Defines the exit codes; no other place knows the numbers.

use std::process::ExitCode;

use uniq::dedup::Deduplication;
use uniq::report::{MatchKind, Verdict};

/// Result of a run, for the calling script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Every clip is unpublished; for other commands: done.
    Success,
    /// A clip is published, wholly or partly; for `dedup`: there are duplicates.
    Published,
    /// Something failed or was not done.
    Error,
    /// A clip is inconclusive, or a pair is undecided.
    Inconclusive,
    /// The work was done, but some sources failed for the first time.
    Incomplete,
}

impl Exit {
    /// The exit code of the process.
    pub(crate) fn number(self) -> u8 {
        match self {
            Exit::Success => 0,
            Exit::Published => 1,
            Exit::Error => 2,
            Exit::Inconclusive => 3,
            Exit::Incomplete => 4,
        }
    }

    /// Combines the results of two clips: an error outweighs a published clip, which outweighs an
    /// inconclusive one.
    pub(crate) fn worst(self, other: Exit) -> Exit {
        if other.weight() > self.weight() {
            other
        } else {
            self
        }
    }

    fn weight(self) -> u8 {
        match self {
            Exit::Success => 0,
            Exit::Inconclusive => 1,
            Exit::Published => 2,
            Exit::Incomplete => 3,
            Exit::Error => 4,
        }
    }
}

impl From<Verdict> for Exit {
    fn from(verdict: Verdict) -> Exit {
        match verdict {
            Verdict::Unpublished => Exit::Success,
            Verdict::PartlyPublished | Verdict::Published => Exit::Published,
            Verdict::Inconclusive => Exit::Inconclusive,
        }
    }
}

impl From<&Deduplication> for Exit {
    fn from(found: &Deduplication) -> Exit {
        let open = found
            .clips
            .iter()
            .any(|clip| !clip.not_compared.is_empty() || clip.more_candidates > 0);
        let undecided = found
            .pairs
            .iter()
            .any(|pair| pair.kind == MatchKind::Undecided);
        let pairs = match (found.duplicates, open || undecided) {
            (true, _) => Exit::Published,
            (false, true) => Exit::Inconclusive,
            (false, false) => Exit::Success,
        };
        if found.failed.is_empty() {
            pairs
        } else {
            Exit::Error
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.number())
    }
}

#[cfg(test)]
mod tests {
    use super::Exit::{self, Error, Incomplete, Inconclusive, Published, Success};

    #[test]
    fn error_outweighs_published_outweighs_inconclusive_outweighs_success() {
        let ascending = [Success, Inconclusive, Published, Incomplete, Error];
        for (i, a) in ascending.into_iter().enumerate() {
            for (j, b) in ascending.into_iter().enumerate() {
                assert_eq!(a.worst(b), ascending[i.max(j)]);
            }
        }
    }

    #[test]
    fn the_numbers_are_those_that_scripts_rely_on() {
        let numbers = [Success, Published, Error, Inconclusive, Incomplete].map(Exit::number);
        assert_eq!(numbers, [0, 1, 2, 3, 4]);
    }
}
