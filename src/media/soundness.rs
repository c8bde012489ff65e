//! Distinguishes whole pictures from damaged ones, and lack of memory from bad data.

use ffmpeg_next as ffmpeg;

use ffmpeg::util::frame::Video;

/// Returns whether memory for one more picture is lacking: some decoders then report corrupt data.
pub(super) fn is_starving(decoder: &ffmpeg::decoder::Video) -> bool {
    let picture = 2 * decoder.width() as usize * decoder.height() as usize;
    let mut probe = Vec::<u8>::new();
    let refused = probe.try_reserve_exact(picture + (1 << 16)).is_err();
    std::hint::black_box(&probe);
    refused
}

/// Returns whether the decoder itself marks a picture as differing from what was encoded.
pub(super) fn is_damaged(picture: &Video) -> bool {
    picture.is_corrupt() || picture.has_decode_errors()
}

/// Returns whether a picture is whole and refers to no other.
pub(super) fn is_intra(picture: &Video) -> bool {
    picture.kind() == ffmpeg::picture::Type::I && !is_damaged(picture)
}
