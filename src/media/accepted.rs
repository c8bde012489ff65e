//! The containers and codecs that are accepted, each with its reason. FFmpeg may use no others.
//!
//! FFmpeg knows some 350 demuxers and 500 decoders. Each is code that a stranger's bytes can reach,
//! and most serve no video that anybody submits. These are left out on purpose: formats that read a
//! second file or address (playlists such as HLS and DASH, `concat`, numbered pictures, `sdp`),
//! devices, subtitles, game and telephone formats, and trackers.

/// Demuxers by FFmpeg's names; each reads one file and nothing else.
pub(super) const DEMUXERS: &[(&str, &str)] = &[
    (
        "mov",
        "MP4, MOV, M4V, 3GP: phones, cameras, editors, platforms",
    ),
    (
        "matroska",
        "MKV and WebM: platforms, screen recorders, archives",
    ),
    ("webm", "the other name of the same demuxer"),
    ("avi", "older cameras and archives"),
    ("mpegts", "camcorders (AVCHD), broadcast, recorded streams"),
    ("mpeg", "MPEG program streams: DVD, older camcorders"),
    (
        "mpegvideo",
        "MPEG-1 and 2 without a container, from editors",
    ),
    ("m4v", "MPEG-4 part 2 without a container"),
    ("ogg", "Theora: open archives"),
    ("flv", "recorded live streams"),
    ("asf", "WMV: Windows tools and archives"),
    ("gif", "short clips on the web"),
    ("apng", "the same"),
    ("h261", "conference recordings without a container"),
    ("h263", "the same"),
    ("h264", "cameras that write the bare stream"),
    ("hevc", "the same"),
    ("av1", "AV1 without a container (annex B)"),
    ("obu", "the same (open bitstream units)"),
    ("ivf", "VP8, VP9 and AV1 from encoders"),
    ("yuv4mpegpipe", "uncompressed video between tools"),
    ("mxf", "broadcast and cinema cameras"),
    ("nut", "uncompressed and lossless video between tools"),
    ("dv", "tape camcorders"),
    ("mjpeg", "surveillance and action cameras"),
    ("png_pipe", "a single picture, reported as one"),
    ("jpeg_pipe", "the same"),
    ("webp_pipe", "the same"),
    ("bmp_pipe", "the same"),
    ("tiff_pipe", "the same"),
    (
        "mp3",
        "sound alone, reported as having no picture; its packets are never decoded",
    ),
    ("aac", "the same"),
    ("wav", "the same"),
    ("flac", "the same"),
];

/// Decoders by FFmpeg's names, for video only: sound, subtitles and data are never decoded.
pub(super) const DECODERS: &[(&str, &str)] = &[
    ("h264", "most of all video"),
    ("hevc", "phones and 4K cameras"),
    ("av1", "FFmpeg's own AV1, only for what hardware decodes"),
    ("libdav1d", "AV1: platforms"),
    ("libaom-av1", "AV1 where dav1d is missing"),
    ("vp8", "WebM"),
    ("vp9", "WebM: platforms"),
    ("libvpx", "VP8 where FFmpeg's own is missing"),
    ("libvpx-vp9", "VP9 where FFmpeg's own is missing"),
    ("mpeg1video", "VCD, old archives"),
    ("mpeg2video", "DVD, broadcast, camcorders"),
    ("mpegvideo", "the same, recognised late"),
    ("mpeg4", "DivX, Xvid, older phones and cameras"),
    ("msmpeg4v1", "older AVI and ASF"),
    ("msmpeg4v2", "the same"),
    ("msmpeg4", "the same"),
    ("h261", "conference recordings"),
    ("h263", "older phones"),
    ("h263p", "the same"),
    ("h263i", "the same"),
    ("flv", "Sorenson H.263 in FLV"),
    ("wmv1", "Windows Media"),
    ("wmv2", "the same"),
    ("wmv3", "the same"),
    ("vc1", "the same, and Blu-ray"),
    ("theora", "Ogg"),
    ("vp6", "FLV"),
    ("vp6f", "the same"),
    ("mjpeg", "cameras, AVI, JPEG pictures"),
    ("prores", "editing"),
    ("dnxhd", "editing"),
    ("cfhd", "editing, action cameras"),
    ("dvvideo", "tape camcorders"),
    ("ffv1", "archives"),
    ("huffyuv", "lossless capture"),
    ("ffvhuff", "the same"),
    ("utvideo", "the same"),
    ("magicyuv", "the same"),
    ("qtrle", "QuickTime animation, screen recordings"),
    ("rawvideo", "uncompressed video"),
    ("v210", "uncompressed 10 bit, from capture cards"),
    ("v210x", "the same"),
    ("v410", "the same"),
    ("r210", "the same"),
    ("v308", "the same"),
    ("v408", "the same"),
    ("wrapped_avframe", "uncompressed video of Y4M"),
    ("gif", "GIF"),
    ("apng", "APNG"),
    ("png", "PNG pictures, MOV"),
    ("webp", "WebP pictures"),
    ("bmp", "BMP pictures"),
    ("tiff", "TIFF pictures"),
];

/// Joins the names of a list in the form that FFmpeg's options take.
pub(super) fn joined(list: &[(&str, &str)]) -> String {
    list.iter()
        .map(|(name, _)| *name)
        .collect::<Vec<_>>()
        .join(",")
}

/// Returns whether a decoder is in the list.
pub(super) fn is_decoder(name: &str) -> bool {
    DECODERS.iter().any(|(accepted, _)| *accepted == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reads_a_second_file_is_not_in_the_list() {
        for refused in [
            "hls",
            "dash",
            "concat",
            "image2",
            "image2pipe",
            "sdp",
            "rtsp",
            "imf",
            "lavfi",
            "srt",
            "ass",
        ] {
            assert!(
                !DEMUXERS.iter().any(|(name, _)| *name == refused),
                "{refused}"
            );
        }
    }

    #[test]
    fn no_name_is_there_twice_and_each_has_a_reason() {
        for list in [DEMUXERS, DECODERS] {
            for (at, (name, reason)) in list.iter().enumerate() {
                assert!(!reason.is_empty());
                assert!(
                    !list[..at].iter().any(|(earlier, _)| earlier == name),
                    "{name}"
                );
            }
        }
    }
}
