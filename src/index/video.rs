//! What an index knows of a video, and how a caller refers to one.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Where and when a video was published, as far as it is known; nothing here takes part in the
/// search.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Publication {
    /// Address of the published video.
    pub url: Option<String>,
    /// Its title.
    pub title: Option<String>,
    /// Who published it.
    pub uploader: Option<String>,
    /// The site or service.
    pub platform: Option<String>,
    /// The day or moment of publication, as it was given.
    pub published_at: Option<String>,
}

impl Publication {
    /// Takes over fields that are not known yet.
    pub fn fill(&mut self, other: Publication) {
        for (field, other) in self.fields().into_iter().zip([
            other.url,
            other.title,
            other.uploader,
            other.platform,
            other.published_at,
        ]) {
            if field.is_none() {
                *field = other;
            }
        }
    }

    fn fields(&mut self) -> [&mut Option<String>; 5] {
        [
            &mut self.url,
            &mut self.title,
            &mut self.uploader,
            &mut self.platform,
            &mut self.published_at,
        ]
    }
}

/// A video of the index.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Video {
    /// First 16 hexadecimal digits of [`Video::sha256`], set by
    /// [`Writer::add`](super::Writer::add).
    pub id: String,
    /// Path of the file when it was added.
    pub path: String,
    /// SHA-256 of the file's bytes; an index holds each at most once.
    pub sha256: [u8; 32],
    /// Length of the video.
    pub duration: Duration,
    /// Width as displayed, in pixels.
    pub width: u32,
    /// Height as displayed, in pixels.
    pub height: u32,
    /// Where it was published.
    pub publication: Publication,
    /// Keyframes that were fingerprinted.
    pub keyframes: u32,
    /// Total time that could not be decoded and so cannot be found.
    pub undecoded: Duration,
}

/// The purpose of a video in an index.
#[derive(
    Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A published video, of which clips may be copies.
    #[default]
    Source,
    /// Material that proves nothing, whoever shows it: a stock intro, a station's graphics, a
    /// slate, a test pattern.
    Benign,
    /// A video that somebody submitted. A copy of it is a repeated submission, not a published
    /// video. An index with submissions holds no sources.
    Submission,
}

impl Role {
    /// Whether copies of such a video are searched for: true for sources and submissions.
    pub fn is_searched(self) -> bool {
        self != Role::Benign
    }

    /// The word for several such videos.
    pub fn plural(self) -> &'static str {
        match self {
            Role::Source => "published videos",
            Role::Benign => "benign videos",
            Role::Submission => "submissions",
        }
    }
}

/// Names a video within one opened [`Index`](super::Index); its name in another snapshot may
/// differ.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct VideoRef {
    pub(crate) segment: u32,
    pub(crate) video: u32,
}

/// The settings that fix the meaning of an index's keys; the same for all its videos.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct IndexConfig {
    /// The [`FINGERPRINT_VERSION`](crate::fingerprint::FINGERPRINT_VERSION) that made the keys.
    pub fingerprint_version: u32,
    /// Longest time between two keyframes of a video.
    pub interval: Duration,
}
