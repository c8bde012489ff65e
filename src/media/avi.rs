//! Corrects the length that an AVI declares, using its chunks and its index (bounds-checked, reads
//! headers only).
//!
//! A recorder that stops early, or a tool that joins files, may leave any number of frames in the
//! header.

use std::io::{Read, Seek, SeekFrom};

use ffmpeg_next::ffi;
use ffmpeg_next::format::context::Input;

use super::clock;
use super::open::Stream;

/// If the file is complete, limits the stream's length to what the index says; if not, notes the
/// share of bytes that are missing.
pub(super) fn correct_length(
    stream: &mut Stream,
    input: &Input,
    file: &mut (impl Read + Seek),
    length: u64,
) {
    let Some(extent) = extent(file, length) else {
        return;
    };
    if extent.missing > 0 {
        stream.missing_share = Some(extent.missing as f64 / extent.there.max(1) as f64);
    } else if let Some(end) = index_end(input, stream).filter(|_| extent.indexed) {
        stream.declared = stream.declared.map(|declared| declared.min(end));
        stream.container_declared = stream.container_declared.map(|declared| declared.min(end));
    }
}

/// The maximum length of a video in nanoseconds, of which `end` nanoseconds are in the file.
/// `share` is the ratio of missing bytes to present ones.
pub(super) fn longest(end: i64, share: f64) -> i64 {
    let times = (1.0 + MISSING_TIMES * share).min(MISSING_MAX);
    (end as f64 * times).min(clock::LONGEST as f64) as i64
}

/// The end of the last packet in the file's index, in nanoseconds.
#[allow(unsafe_code)]
fn index_end(input: &Input, stream: &Stream) -> Option<i64> {
    let context = input.stream(stream.index)?;
    // SAFETY: the stream is alive as long as `input`, and is only read; the library checks the
    // number of the entry.
    let last = unsafe {
        let stream = context.as_ptr().cast_mut();
        let count = ffi::avformat_index_get_entries_count(stream);
        ffi::avformat_index_get_entry(stream, count - 1)
            .as_ref()
            .map(|entry| entry.timestamp)
    };
    last.filter(|&last| last > 0)
        .map(|last| stream.ticks.nanos(last).saturating_add(stream.frame_length))
}

/// How many bytes of an AVI's chunks are in the file and how many are missing, and whether it has
/// an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Extent {
    there: u64,
    missing: u64,
    indexed: bool,
}

/// Adds up the outermost chunks of an AVI of `length` bytes. `None` if their sizes are not valid,
/// as while the file is being recorded.
fn extent(file: &mut (impl Read + Seek), length: u64) -> Option<Extent> {
    let (mut at, mut indexed) = (0_u64, false);
    for _ in 0..CHUNKS_MAX {
        let Some((_, size)) = chunk(file, at).filter(|(name, _)| name == b"RIFF") else {
            // Bytes after the last chunk do not belong to it.
            return (at > 0).then_some(Extent {
                there: at.min(length),
                missing: 0,
                indexed,
            });
        };
        if size < 12 || size == u64::from(u32::MAX) {
            return None;
        }
        let end = at + 8 + size;
        if end > length {
            return Some(Extent {
                there: length,
                missing: end - length,
                indexed,
            });
        }
        // The form's name precedes the chunks in it.
        let mut inner = at + 12;
        for _ in 0..CHUNKS_MAX {
            let Some((name, size)) = chunk(file, inner).filter(|_| inner < end) else {
                break;
            };
            indexed |= name == *b"idx1" && size > 0;
            inner += 8 + size + (size & 1);
        }
        at = end + (end & 1);
    }
    None
}

/// Name and size of the chunk at `at`.
fn chunk(file: &mut (impl Read + Seek), at: u64) -> Option<([u8; 4], u64)> {
    let mut head = [0; 8];
    file.seek(SeekFrom::Start(at)).ok()?;
    file.read_exact(&mut head).ok()?;
    let [name @ .., a, b, c, d] = head;
    Some((name, u64::from(u32::from_le_bytes([a, b, c, d]))))
}

/// Maximum duration of a missing byte, as a multiple of that of a present one.
const MISSING_TIMES: f64 = 3.0;
/// Maximum factor by which missing bytes may lengthen a video.
const MISSING_MAX: f64 = 1e6;
/// Maximum number of chunks on one level. An outermost chunk has a gigabyte or two, and about three
/// chunks in it; no real file reaches this.
const CHUNKS_MAX: u32 = 1000;
