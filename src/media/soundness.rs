//! Tells whole pictures from damaged ones, and a decoder that lacks memory from one that lacks
//! sense.

use ffmpeg_next as ffmpeg;

use ffmpeg::util::frame::Video;

/// Whether there is not even memory for one more picture: some decoders call the lack of it corrupt
/// data.
pub(super) fn is_starving(decoder: &ffmpeg::decoder::Video) -> bool {
    let picture = 2 * decoder.width() as usize * decoder.height() as usize;
    let mut probe = Vec::<u8>::new();
    let refused = probe.try_reserve_exact(picture + (1 << 16)).is_err();
    std::hint::black_box(&probe);
    refused
}

/// Whether the decoder itself says that a picture is not what was encoded.
pub(super) fn is_damaged(picture: &Video) -> bool {
    picture.is_corrupt() || picture.has_decode_errors()
}

/// Whether a picture stands on its own and is whole.
pub(super) fn is_intra(picture: &Video) -> bool {
    picture.kind() == ffmpeg::picture::Type::I && !is_damaged(picture)
}
