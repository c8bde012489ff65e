//! Uploads: how bytes come in, in one request or in many (tus 1.0.0), and how many may.
//!
//! ```text
//! api::uploads     -> protocol (headers) -> storage (bytes, locks) -> accept
//! api::submissions ->                    caps (who may, and is there room) -/
//! ```
//!
//! What came stays: an upload has as many bytes as its file is long and synced. Its row in the
//! database says only what the file cannot.

pub mod caps;
pub mod protocol;
pub(crate) mod receive;
pub mod storage;
pub(crate) mod tidy;

pub use caps::Uploads;
