//! Recognises video containers by a file's first bytes (pure; needs only the standard library).
//!
//! This only decides which files are tried. The demuxer decides what they contain.

/// Bytes at a file's beginning that [`is_video`] reads.
pub const HEAD_BYTES: usize = 1 << 16;

/// Lower-case extensions of files that count as videos whatever their first bytes are.
pub const VIDEO_EXTENSIONS: &[&str] = &[
    "3g2", "3gp", "apng", "asf", "avi", "divx", "dv", "f4v", "flv", "gif", "h264", "h265", "hevc",
    "insv", "ivf", "lrv", "m1v", "m2t", "m2ts", "m2v", "m4v", "mjpeg", "mjpg", "mk3d", "mkv",
    "mov", "mp4", "mpe", "mpeg", "mpg", "mts", "mxf", "nut", "obu", "ogg", "ogm", "ogv", "qt",
    "rmvb", "tod", "ts", "vob", "webm", "wmv", "wtv", "y4m",
];

/// Returns whether a file with this beginning may be a video.
pub fn is_video(head: &[u8]) -> bool {
    is_iso(head)
        || is_riff(head)
        || is_mpeg(head)
        || is_transport(head)
        || is_ogg_video(head)
        || is_animated_png(head)
        || MAGIC
            .iter()
            .any(|(at, magic)| head.get(*at..).is_some_and(|rest| rest.starts_with(magic)))
}

/// Offsets and values of containers' signatures.
const MAGIC: &[(usize, &[u8])] = &[
    (0, b"\x1aE\xdf\xa3"),                    // Matroska, WebM
    (0, b"FLV\x01"),                          // Flash video
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"), // ASF, WMV
    (
        0,
        b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02\x01\x01\x02",
    ), // MXF
    (0, b"\x1f\x07\x00"),                     // DV
    (0, b"GIF87a"),
    (0, b"GIF89a"),
    (0, b"YUV4MPEG2 "),
    (0, b"DKIF\0\0"), // IVF
    (0, b"nut/multimedia container\0"),
    (0, b".RMF"),                             // RealMedia
    (0, b"\xb7\xd8\x00\x20\x37\x49\xda\x11"), // WTV
    (0, b"\0\0\0\0\x01\xbc"),                 // GXF
    (0, b"\x12\0\x0a"),                       // AV1 as a bare stream
    (0, b"DHAV"),                             // recorders of Dahua
    (0, b"IMKH"),                             // recorders of Hikvision
    (0, b"BIKi"),                             // Bink
    (0, b"SMK2"),                             // Smacker
    (4, b"\x11\xaf"),                         // FLI
    (4, b"\x12\xaf"),                         // FLC
];

/// MP4, MOV and their relatives: the first box has a known type.
fn is_iso(head: &[u8]) -> bool {
    const FIRST: [&[u8; 4]; 12] = [
        b"ftyp", b"moov", b"mdat", b"moof", b"styp", b"sidx", b"free", b"skip", b"wide", b"pnot",
        b"prfl", b"udta",
    ];
    // Pictures, and music without pictures.
    const OTHERS: [&[u8; 4]; 9] = [
        b"heic", b"heix", b"heim", b"heis", b"avif", b"mif1", b"crx ", b"M4A ", b"M4B ",
    ];
    let (Some(size), Some(kind)) = (head.get(..4), head.get(4..8)) else {
        return false;
    };
    let size = size
        .iter()
        .fold(0_u32, |size, byte| size << 8 | u32::from(*byte));
    let is_box = FIRST.iter().any(|first| kind == *first) && (size <= 1 || size >= 8);
    let brand = head.get(8..12).unwrap_or_default();
    is_box && !(kind == b"ftyp" && OTHERS.iter().any(|other| brand == *other))
}

/// AVI and its relatives.
fn is_riff(head: &[u8]) -> bool {
    let form = head.get(8..12).unwrap_or_default();
    head.starts_with(b"RIFF")
        && [b"AVI ", b"AVIX", b"CDXA", b"AMV "]
            .iter()
            .any(|video| form == *video)
}

/// Program streams, and raw streams of MPEG-1 to -4, H.264 and HEVC: they begin with a start code.
fn is_mpeg(head: &[u8]) -> bool {
    let (code, after) = match head {
        [0, 0, 1, code, after, ..] | [0, 0, 0, 1, code, after, ..] => (*code, *after),
        _ => return false,
    };
    // MPEG packs and headers; H.264 sequence parameters and delimiters; HEVC parameters and
    // delimiters.
    matches!(
        code,
        0xb0 | 0xb3 | 0xb5 | 0xb8 | 0xba | 0xbb | 0xe0..=0xef | 0x09 | 0x27 | 0x47 | 0x67
    ) || (matches!(code, 0x40 | 0x42 | 0x44 | 0x46) && after == 1)
}

/// Transport streams, also with a time stamp before or a checksum after each packet, and with some
/// bytes lost at the start.
fn is_transport(head: &[u8]) -> bool {
    const SYNC: u8 = 0x47;
    // A valid packet carries a payload or an adaptation field.
    let is_packet = |at: usize| {
        head.get(at) == Some(&SYNC) && head.get(at + 3).is_some_and(|flags| flags & 0x30 != 0)
    };
    // Otherwise a text with lines of equal length would pass.
    let is_text = head
        .iter()
        .all(|byte| matches!(byte, b'\t' | b'\n' | b'\r' | 0x20..=0x7e));
    let lengths = [188, 192, 204];
    !is_text
        && (0..=204).any(|start| {
            lengths
                .iter()
                .any(|length| (0..4).all(|n| is_packet(start + n * length)))
        })
}

/// Ogg in which one of the first pages begins a video stream.
fn is_ogg_video(head: &[u8]) -> bool {
    const PICTURES: [&[u8]; 5] = [
        b"\x80theora",
        b"\x01video\0",
        b"BBCD\0",
        b"OVP80",
        b"\x80daala",
    ];
    let first = &head[..head.len().min(4096)];
    head.starts_with(b"OggS")
        && PICTURES
            .iter()
            .any(|name| first.windows(name.len()).any(|part| part == *name))
}

/// Animated PNG, which must declare itself before its first picture.
fn is_animated_png(head: &[u8]) -> bool {
    let is = |name: &[u8; 4]| head.windows(4).position(|part| part == name);
    head.starts_with(b"\x89PNG\r\n\x1a\n")
        && is(b"acTL").is_some_and(|moves| is(b"IDAT").is_none_or(|picture| moves < picture))
}

/// Returns whether a file is a WebP of several pictures.
pub fn is_animated_webp(head: &[u8]) -> bool {
    let is = |at: usize, name: &[u8]| head.get(at..at + name.len()) == Some(name);
    is(0, b"RIFF")
        && is(8, b"WEBP")
        && is(12, b"VP8X")
        && head.get(20).is_some_and(|flags| flags & 2 != 0)
}

#[cfg(test)]
mod tests {
    use super::is_video;

    #[test]
    fn containers_are_known_by_their_first_bytes_and_texts_and_pictures_are_none() {
        let mut stream = vec![0xff; 188 * 5];
        (0..5)
            .for_each(|packet| stream[188 * packet..][..4].copy_from_slice(&[0x47, 0x40, 0, 0x10]));
        let mut stamped = vec![0xff; 192 * 5];
        (0..5).for_each(|packet| {
            stamped[192 * packet + 4..][..4].copy_from_slice(&[0x47, 0x40, 0, 0x10])
        });
        for video in [
            &b"\0\0\0\x20ftypisom\0\0\x02\0"[..],
            b"\0\0\0\x08wide\0\0\0\0mdat",
            b"\x1aE\xdf\xa3\x93\x42",
            b"RIFF\0\0\0\0AVI LIST",
            b"\0\0\x01\xba\x44\0",
            b"\0\0\0\x01\x67\x64",
            b"\0\0\0\x01\x40\x01",
            b"OggS\0\x02\0\0\x80theora\x03",
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR....\0\0\0\x08acTL....IDAT",
            &stream,
            &stamped,
        ] {
            assert!(is_video(video), "{:?}", String::from_utf8_lossy(video));
        }
        let lines = format!("G{}\n", "x".repeat(186)).repeat(9);
        for other in [
            &b""[..],
            b"{\"title\":\"x\"}",
            b"a\nb\n",
            lines.as_bytes(),
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR....IDAT",
            b"\xff\xd8\xff\xe0\0\x10JFIF",
            b"RIFF\0\0\0\0WAVEfmt ",
            b"OggS\0\x02\0\0\x01vorbis\0",
            b"\0\0\0\x20ftypM4A \0\0\x02\0",
            b"ID3\x04\0",
            b"\0\0\0\0\0\0\0\0\0",
        ] {
            assert!(!is_video(other), "{:?}", String::from_utf8_lossy(other));
        }
    }
}
