//! What the library reads from files: frames, times, small pictures, stills, and reports of damage.
//!
//! The modules are one program because linking a program for each takes longer than its tests.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod clip_pictures;
mod clock;
mod damage;
mod formats;
mod joined;
mod lengths;
#[path = "../support/media_files.rs"]
mod media_files;
mod picture_track;
mod stills;
