//! How much of the machine a file may take, and the error for exceeding a limit.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Error;

/// How much a file may take. Exceeding a limit is [`Error::LimitExceeded`], never a shorter answer.
///
/// The limits on pixels, frames, duration, bytes and time apply wherever a file is decoded. Memory,
/// and time when the decoder hangs, can only be limited in a separate process ([`crate::sandbox`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Pixels of a stored frame.
    pub frame_pixels: u64,
    /// Frames of the video stream; two packets without a picture count as one.
    pub frames: u64,
    /// Length of the video, as declared and as decoded.
    pub duration: Duration,
    /// Bytes of the file.
    pub bytes: u64,
    /// Elapsed time that every file may take.
    pub time_floor: Duration,
    /// Elapsed seconds allowed beyond the floor for each second of video decoded so far.
    pub time_ratio: u32,
    /// Maximum elapsed time of any file.
    pub time_ceiling: Duration,
    /// Elapsed time without progress after which a decoding process is killed.
    pub stall: Duration,
    /// Bytes of memory that a decoding process may map.
    pub memory: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            // 8192 x 8192: twice 8K UHD.
            frame_pixels: 1 << 26,
            // 18 hours at 60 frames a second.
            frames: 4_000_000,
            duration: Duration::from_secs(12 * 3600),
            bytes: 64 << 30,
            time_floor: Duration::from_secs(60),
            // The slowest real files (8K in 10 bits) decode at about a fifth of real time on one
            // core.
            time_ratio: 10,
            time_ceiling: Duration::from_secs(4 * 3600),
            stall: Duration::from_secs(30),
            // 8K in 10 bits takes about 100 MB a picture, and a decoder holds up to 17.
            memory: 2 << 30,
        }
    }
}

impl Limits {
    /// The elapsed time allowed for a file whose video has been decoded up to `reached`.
    pub fn time_for(&self, reached: Duration) -> Duration {
        self.time_floor
            .saturating_add(reached.saturating_mul(self.time_ratio))
            .min(self.time_ceiling)
    }
}

/// One of the [`Limits`], by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    FramePixels,
    Frames,
    Duration,
    Bytes,
    Time,
    Stall,
    Memory,
    Streams,
}

impl Limit {
    /// All limits. A decoding process sends a limit as its position here.
    pub(crate) const ALL: [Limit; 8] = [
        Limit::FramePixels,
        Limit::Frames,
        Limit::Duration,
        Limit::Bytes,
        Limit::Time,
        Limit::Stall,
        Limit::Memory,
        Limit::Streams,
    ];

    /// Its name in an error.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Limit::FramePixels => "pixels a frame",
            Limit::Frames => "frames",
            Limit::Duration => "duration",
            Limit::Bytes => "bytes",
            Limit::Time => "time",
            Limit::Stall => "time without progress",
            Limit::Memory => "memory",
            Limit::Streams => "streams or memory",
        }
    }

    /// The error for a file that exceeds this limit; `found` says what it has or asks for.
    pub(crate) fn exceeded(self, path: &Path, limits: &Limits, found: String) -> Error {
        let (allowed, option) = match self {
            Limit::FramePixels => (format!("{} pixels", limits.frame_pixels), "--max-pixels"),
            Limit::Frames => (limits.frames.to_string(), "--max-frames"),
            Limit::Duration => (seconds(limits.duration), "--max-duration"),
            Limit::Bytes => (format!("{} bytes", limits.bytes), "--max-bytes"),
            Limit::Time => (
                format!(
                    "{} and {} s for each second of video decoded, {} at most",
                    seconds(limits.time_floor),
                    limits.time_ratio,
                    seconds(limits.time_ceiling)
                ),
                "--min-time, --time-ratio or --max-time",
            ),
            Limit::Stall => (seconds(limits.stall), "--max-stall"),
            Limit::Memory => (format!("{} bytes", limits.memory), "--max-memory"),
            Limit::Streams => (
                format!("{STREAMS_MAX} streams and {} bytes", limits.memory),
                "--max-memory (the streams are fixed)",
            ),
        };
        let limit = self.name();
        Error::LimitExceeded {
            path: path.to_owned(),
            limit,
            found,
            allowed,
            option,
        }
    }
}

/// Maximum number of streams in a file. A transport stream of a whole satellite channel has about a
/// hundred.
pub(super) const STREAMS_MAX: u32 = 256;

fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_grows_with_the_video_between_floor_and_ceiling() {
        let limits = Limits::default();
        assert_eq!(limits.time_for(Duration::ZERO), limits.time_floor);
        assert_eq!(
            limits.time_for(Duration::from_secs(6)),
            Duration::from_secs(120)
        );
        assert_eq!(limits.time_for(Duration::MAX), limits.time_ceiling);
    }

    #[test]
    fn every_limit_names_itself_and_the_option_that_raises_it() {
        for limit in Limit::ALL {
            let text = limit
                .exceeded(
                    Path::new("a.mp4"),
                    &Limits::default(),
                    "too much".to_owned(),
                )
                .to_string();
            assert!(
                text.contains("a.mp4") && text.contains("--m") && text.contains("too much"),
                "{text}"
            );
        }
    }
}
