//! Recognises packets whose picture is only referred to and never shown (pure).
//!
//! VP8 and VP9 keep such pictures in separate packets. The decoder returns nothing for them, which
//! must not count as a lost picture. In other codecs they share a packet with a picture that is
//! shown.

use ffmpeg_next::codec::Id;

/// Returns whether the packet's header says that its picture is not shown.
pub(super) fn is_hidden(codec: Id, data: &[u8]) -> bool {
    match codec {
        Id::VP8 => data.first().is_some_and(|first| first & VP8_SHOWN == 0),
        Id::VP9 => is_hidden_vp9(data),
        _ => false,
    }
}

/// Parses VP9's frame header (RFC 9628 and the bitstream specification, 6.2): marker 2, profile 2
/// and for profile 3 one more, show_existing_frame, frame_type, show_frame.
fn is_hidden_vp9(data: &[u8]) -> bool {
    let (Some(&first), Some(&last)) = (data.first(), data.last()) else {
        return false;
    };
    // A packet with several pictures ends with an index, and one of them is shown.
    let is_superframe = last & 0xe0 == 0xc0;
    if is_superframe || first >> 6 != 0b10 {
        return false;
    }
    let header = if (first >> 4) & 0b11 == 0b11 {
        first
    } else {
        first >> 1
    };
    let (shows_earlier_one, shown) = (header & 0b100 != 0, header & 0b001 != 0);
    !shows_earlier_one && !shown
}

/// The bit of a VP8 packet's first byte that says that the picture is shown, RFC 6386, 9.1.
const VP8_SHOWN: u8 = 1 << 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_tells_what_is_not_shown() {
        for (codec, packet, hidden) in [
            (Id::VP8, &[0b0001_0000][..], false),
            (Id::VP8, &[0b0000_0001], true),
            (Id::VP8, &[], false),
            // Profile 0: a key picture, an inter picture, an earlier picture shown again, a hidden
            // picture.
            (Id::VP9, &[0b1000_0010, 0], false),
            (Id::VP9, &[0b1000_0110, 0], false),
            (Id::VP9, &[0b1000_1000, 0], false),
            (Id::VP9, &[0b1000_0100, 0], true),
            // Profile 3 has one bit more.
            (Id::VP9, &[0b1011_0011, 0], false),
            (Id::VP9, &[0b1011_0010, 0], true),
            (Id::VP9, &[0b1000_0100, 0xc1], false),
            (Id::VP9, &[0b0000_0000, 0], false),
            (Id::H264, &[0, 0], false),
        ] {
            assert_eq!(is_hidden(codec, packet), hidden, "{codec:?} {packet:x?}");
        }
    }
}
