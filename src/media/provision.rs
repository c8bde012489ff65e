//! Which of the accepted containers and codecs the installed FFmpeg can read.

use std::ffi::CStr;

use ffmpeg_next as ffmpeg;
use ffmpeg_next::ffi;

use super::accepted::{DECODERS, DEMUXERS};

/// The FFmpeg that this program runs with.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Provision {
    /// FFmpeg's own name for its version.
    pub version: String,
    /// The version of libavcodec: major, minor, micro.
    pub libavcodec: String,
    /// Accepted decoders that it has.
    pub decoders: Vec<&'static str>,
    /// Accepted decoders that it lacks.
    pub missing_decoders: Vec<&'static str>,
    /// Accepted demuxers that it lacks.
    pub missing_demuxers: Vec<&'static str>,
    /// Codecs of common video that it cannot decode at all.
    pub missing_codecs: Vec<&'static str>,
}

/// FFmpeg's own name for its version, and the version of libavcodec: major, minor, micro.
#[allow(unsafe_code)]
pub fn versions() -> (String, String) {
    // SAFETY: the call has no arguments and returns a static text that ends in zero.
    let version = unsafe { CStr::from_ptr(ffi::av_version_info()) }
        .to_string_lossy()
        .into_owned();
    let number = ffmpeg::codec::version();
    (
        version,
        format!("{}.{}.{}", number >> 16, number >> 8 & 0xff, number & 0xff),
    )
}

/// Reports what the installed FFmpeg can read.
pub fn provision() -> Provision {
    let (version, libavcodec) = versions();
    let has = |name: &str| ffmpeg::decoder::find_by_name(name).is_some();
    let (decoders, missing_decoders) = DECODERS
        .iter()
        .map(|(name, _)| *name)
        .partition(|name| has(name));
    Provision {
        version,
        libavcodec,
        decoders,
        missing_decoders,
        missing_demuxers: DEMUXERS
            .iter()
            .map(|(name, _)| *name)
            .filter(|name| !has_demuxer(name))
            .collect(),
        missing_codecs: COMMON
            .iter()
            .filter(|(_, any)| !any.iter().any(|name| has(name)))
            .map(|(c, _)| *c)
            .collect(),
    }
}

#[allow(unsafe_code)]
fn has_demuxer(name: &str) -> bool {
    let Ok(name) = std::ffi::CString::new(name) else {
        return false;
    };
    // SAFETY: the name ends in zero and lives through the call, which only reads static tables.
    unsafe { !ffi::av_find_input_format(name.as_ptr()).is_null() }
}

/// Codecs of most of today's video, and their decoders.
const COMMON: &[(&str, &[&str])] = &[
    ("H.264", &["h264"]),
    ("HEVC", &["hevc"]),
    ("AV1", &["libdav1d", "libaom-av1"]),
    ("VP8", &["vp8", "libvpx"]),
    ("VP9", &["vp9", "libvpx-vp9"]),
    ("MPEG-2", &["mpeg2video"]),
    ("MPEG-4 part 2", &["mpeg4"]),
    ("ProRes", &["prores"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_found_and_what_does_not_exist_is_not() {
        let found = provision();
        assert!(
            found.decoders.contains(&"mpeg4") && found.version.contains('.'),
            "{found:?}"
        );
        assert!(has_demuxer("mov") && has_demuxer("webm") && !has_demuxer("no-such-thing"));
        assert_eq!(
            found.decoders.len() + found.missing_decoders.len(),
            DECODERS.len()
        );
    }
}
