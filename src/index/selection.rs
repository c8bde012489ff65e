//! Finds the one video that a caller means: by path, hash, address or name.

use std::fs;
use std::path::Path;

use super::format::hex;
use super::snapshot::Index;
use super::video::{Role, Video, VideoRef};

/// Result of looking for the video that a caller means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// No video.
    None,
    /// Exactly one.
    One(VideoRef),
    /// Several, sorted by path. The caller must be more exact.
    Several(Vec<VideoRef>),
}

/// Minimum number of digits of a SHA-256 that select a video: shorter words match by accident.
const DIGITS_MIN: usize = 4;

impl Index {
    /// Finds a video of one role by its stored path, identifier, whole SHA-256 or address. If
    /// nothing matches, tries the location of its file in any spelling, then the beginning of its
    /// SHA-256, then its file name.
    ///
    /// The first of these ways that finds anything decides.
    pub fn select(&self, selector: &str, role: Role) -> Selection {
        let place = Place::of(selector);
        let digits = selector.to_ascii_lowercase();
        let is_hex =
            digits.len() >= DIGITS_MIN && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let ways: [&dyn Fn(&Video) -> bool; 4] = [
            &|video| {
                let url = video.publication.url.as_deref();
                video.path == selector
                    || video.id == digits
                    || url == Some(selector)
                    || hex(&video.sha256) == digits
            },
            &|video| {
                place
                    .as_ref()
                    .is_some_and(|place| Place::of(&video.path).is_some_and(|of| of.is(place)))
            },
            &|video| is_hex && hex(&video.sha256).starts_with(&digits),
            &|video| {
                Path::new(&video.path)
                    .file_name()
                    .is_some_and(|name| name.to_string_lossy() == selector)
            },
        ];
        for way in ways {
            let found: Vec<VideoRef> = self
                .in_role(role)
                .filter(|(_, video)| way(video))
                .map(|(reference, _)| reference)
                .collect();
            match found[..] {
                [] => {}
                [one] => return Selection::One(one),
                _ => return Selection::Several(found),
            }
        }
        Selection::None
    }
}

/// The location that a path leads to, whether or not a file is there.
struct Place {
    written: std::path::PathBuf,
    real: Option<std::path::PathBuf>,
}

impl Place {
    fn of(path: &str) -> Option<Place> {
        Some(Place {
            written: std::path::absolute(path).ok()?,
            real: fs::canonicalize(path).ok(),
        })
    }

    fn is(&self, other: &Place) -> bool {
        self.written == other.written || self.real.is_some() && self.real == other.real
    }
}
