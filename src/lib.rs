//! Decides whether any second of a video clip is already public.

pub mod error;
pub mod fingerprint;
pub mod index;
pub mod media;
pub mod sample;

pub use error::{Error, Result};
