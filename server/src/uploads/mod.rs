//! Uploads: receives bytes in one request or in many (tus 1.0.0), within limits.
//!
//! ```text
//! api::uploads     -> protocol (headers) -> storage (bytes, locks) -> accept
//! api::submissions ->                    caps (who may, and is there room) -/
//! ```
//!
//! Received bytes are kept: the length of the synced file is the length of the upload. Its row in
//! the database holds only what the file cannot.

pub mod caps;
pub mod protocol;
pub(crate) mod receive;
pub mod storage;
pub(crate) mod tidy;

pub use caps::Uploads;
