//! Decides whether any second of a video clip is already public.

pub mod align;
mod check;
pub mod error;
pub mod evidence;
pub mod fingerprint;
pub mod index;
pub mod ingest;
pub mod media;
pub mod report;
pub mod sample;
pub mod search;
pub mod verdict;

pub use check::{CheckOptions, check, check_fingerprint};
pub use error::{Error, Result};
pub use fingerprint::{Fingerprint, of_clip as fingerprint};
pub use index::{Index, SearchMode};
pub use report::Report;
pub use verdict::Verdict;
