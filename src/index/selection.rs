//! Finds the one video that a caller means: by path, hash, address or name.

use std::fs;
use std::path::Path;

use super::format::hex;
use super::snapshot::Index;
use super::video::{Role, Video, VideoRef};

/// What a caller's words mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// No video.
    None,
    /// Exactly one.
    One(VideoRef),
    /// Several, of which one has to be named more exactly; sorted by path.
    Several(Vec<VideoRef>),
}

/// Fewest digits of a SHA-256 that mean a video: fewer meet words by accident.
const DIGITS_MIN: usize = 4;

impl Index {
    /// Finds a video of one role by its path as it was added, its identifier or whole SHA-256, or
    /// its address; failing these, by the place of its file however that is written, by the
    /// beginning of its SHA-256, or by its file's name.
    ///
    /// The first of these ways that leads anywhere decides.
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

/// Where a path leads, whether or not something is there.
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
