//! Finds recordings that are appended to a file, as by `cat a b`, and that a demuxer does not
//! continue with.
//!
//! Most containers can be appended so, and demuxers read on. One exception is a transport stream
//! whose program changes the codec of a stream: televisions follow the change, but FFmpeg keeps the
//! first codec. Of joined MP4, FLV and ASF files, players show only the first.

use std::io::{BufReader, Read, Seek, SeekFrom};
use std::ops::{ControlFlow, Range};

use super::source::Source;

/// Where recordings begin in a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Joins {
    /// Recordings that players show one after the other; the first begins with the file.
    pub(super) starts: Vec<u64>,
    /// Recordings after them that players do not reach.
    pub(super) unread: Vec<u64>,
}

/// Called after each block that is read; decides whether to go on. A scan reads the whole file, and
/// the parent process must see progress.
pub(super) type Tick<'a> = &'a mut dyn FnMut() -> ControlFlow<()>;

/// A reader that fails once its callback breaks off.
struct Ticking<'a, R>(R, Tick<'a>);

impl<R: Read> Read for Ticking<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if (self.1)().is_break() {
            return Err(std::io::Error::other("told to stop"));
        }
        self.0.read(buffer)
    }
}

impl<R: Seek> Seek for Ticking<'_, R> {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.0.seek(to)
    }
}

/// Reads the structure of a transport stream or MP4. Other containers do not show joins in theirs.
pub(super) fn of_container(source: &Source, tick: Tick<'_>) -> Joins {
    let mut starts = vec![0];
    let mut unread = Vec::new();
    let mut head = Vec::new();
    // A file that cannot be read is an error that the demuxer reports.
    if source.reader().take(HEAD).read_to_end(&mut head).is_ok() {
        if head.get(4..8) == Some(b"ftyp") {
            unread.extend(further_movies(
                &mut BufReader::with_capacity(BOX_BLOCK, Ticking(source.reader(), tick)),
                source.bytes(),
            ));
        } else if let Some(packets) = Packets::of(&head) {
            starts.extend(codec_changes(
                &mut BufReader::with_capacity(BLOCK, Ticking(source.reader(), tick)),
                packets,
            ));
        }
    }
    unread.extend(starts.get(PARTS_MAX).copied());
    starts.truncate(PARTS_MAX);
    Joins { starts, unread }
}

/// Finds recordings after `reached`, the end of the last packet that was read.
pub(super) fn behind(source: &Source, reached: u64, tick: Tick<'_>) -> Vec<u64> {
    let mut found = Vec::new();
    // Too short for a recording.
    if reached == 0 || source.bytes().saturating_sub(reached) < RECORDING_MIN {
        return found;
    }
    let mut reader = Ticking(source.part(reached..source.bytes()).reader(), tick);
    let mut head = Vec::new();
    // The last packets of a transport stream are no recording of their own.
    let mut of_packets =
        source.reader().take(HEAD).read_to_end(&mut head).is_ok() && Packets::of(&head).is_some();
    let (mut window, mut at) = (Vec::new(), reached);
    loop {
        let before = window.len();
        if reader
            .by_ref()
            .take(BLOCK as u64)
            .read_to_end(&mut window)
            .is_err()
            || found.len() >= PARTS_MAX
        {
            return found;
        }
        let last = window.len() == before;
        let end = if last {
            window.len()
        } else {
            window.len().saturating_sub(SIGNATURE_MAX)
        };
        for place in (0..end).filter(|&place| begins(&window[place..])) {
            let is_packet = window[place] == SYNC;
            if !(is_packet && of_packets) {
                found.push(at + place as u64);
            }
            of_packets |= is_packet;
        }
        if last {
            return found;
        }
        window.drain(..end);
        at += end as u64;
    }
}

/// Returns whether a recording begins here that no demuxer takes for a part of another one.
fn begins(bytes: &[u8]) -> bool {
    let is = |at: usize, name: &[u8]| bytes.get(at..at + name.len()) == Some(name);
    match bytes.first() {
        Some(b'F') => is(0, b"FLV\x01") && is(5, b"\0\0\0\x09"),
        Some(b'\x30') => is(0, ASF),
        Some(b'R') => is(0, b"RIFF") && is(8, b"AVI LIST"),
        Some(b'\x1a') => {
            is(0, b"\x1a\x45\xdf\xa3") && (contains(bytes, b"matroska") || contains(bytes, b"webm"))
        }
        Some(0) => {
            is(0, b"\0\0\0")
                && is(4, b"ftyp")
                && bytes.get(3).is_some_and(|size| (16..=64).contains(size))
        }
        Some(b'O') => is(0, b"OggS\0\x02"),
        Some(b'D') => is(0, b"DKIF\0\0\x20\0"),
        Some(b'Y') => is(0, b"YUV4MPEG2 "),
        Some(&SYNC) => {
            [188, 376, 564, 752]
                .iter()
                .all(|&at| bytes.get(at) == Some(&SYNC))
                && is(1, b"\x40")
        }
        _ => false,
    }
}

fn contains(bytes: &[u8], name: &[u8]) -> bool {
    bytes[..bytes.len().min(SIGNATURE_MAX)]
        .windows(name.len())
        .any(|part| part == name)
}

/// Finds where further movies begin in an MP4. Fragments that repeat their header and continue in
/// time belong to one movie.
fn further_movies(file: &mut (impl Read + Seek), length: u64) -> Vec<u64> {
    let mut found = Vec::new();
    let mut movie: Option<Vec<u8>> = None;
    // Position of the last file type box, position of the last repeated header, time of the last
    // fragment.
    let (mut begins, mut repeated, mut fragment) = (None, None, None);
    let mut at = 0_u64;
    for _ in 0..BOXES_MAX {
        let Some((kind, size)) = next_box(file, at, length).filter(|_| found.len() < PARTS_MAX)
        else {
            break;
        };
        match &kind {
            b"ftyp" => begins = Some(at),
            b"moov" => {
                let Some(header) = bytes_of(file, at, size) else {
                    break;
                };
                let start = begins.take().unwrap_or(at);
                match &movie {
                    None => {}
                    Some(before) if *before == header => repeated = Some(start),
                    Some(_) => {
                        found.push(start);
                        fragment = None;
                    }
                }
                movie = Some(header);
            }
            b"moof" => {
                let Some(time) = bytes_of(file, at, size).map(|bytes| fragment_time(&bytes)) else {
                    break;
                };
                let again = repeated.take().filter(|_| time <= fragment);
                found.extend(again);
                fragment = time;
            }
            _ => {}
        }
        at = at.saturating_add(size);
    }
    found
}

/// The decoding time of a fragment, in units of its first track.
fn fragment_time(fragment: &[u8]) -> Option<u64> {
    let at = fragment.windows(4).position(|name| name == b"tfdt")? + 4;
    let number = |range: Range<usize>| {
        Some(
            fragment
                .get(range)?
                .iter()
                .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
        )
    };
    if *fragment.get(at)? == 1 {
        number(at + 4..at + 12)
    } else {
        number(at + 4..at + 8)
    }
}

fn bytes_of(file: &mut (impl Read + Seek), at: u64, size: u64) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(at)).ok()?;
    file.take(size.min(HEADER_MAX))
        .read_to_end(&mut bytes)
        .ok()?;
    Some(bytes)
}

/// The kind and the length of the box at `at`.
fn next_box(file: &mut (impl Read + Seek), at: u64, length: u64) -> Option<([u8; 4], u64)> {
    let mut head = [0; 8];
    file.seek(SeekFrom::Start(at)).ok()?;
    file.read_exact(&mut head).ok()?;
    let [a, b, c, d, kind @ ..] = head;
    let size = match u32::from_be_bytes([a, b, c, d]) {
        0 => length.checked_sub(at)?,
        1 => {
            file.read_exact(&mut head).ok()?;
            u64::from_be_bytes(head)
        }
        size => u64::from(size),
    };
    (size >= 8).then_some((kind, size))
}

/// How the packets of a transport stream are placed in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Packets {
    /// Where the first one begins.
    start: usize,
    /// Bytes from one packet to the next, with a time stamp or a checksum.
    pitch: usize,
}

impl Packets {
    fn of(head: &[u8]) -> Option<Packets> {
        let fits =
            |start: usize, pitch: usize| (0..5).all(|n| head.get(start + n * pitch) == Some(&SYNC));
        let pitches = [188, 192, 204];
        (0..204).find_map(|start| {
            pitches
                .into_iter()
                .find(|&pitch| fits(start, pitch))
                .map(|pitch| Packets { start, pitch })
        })
    }
}

/// Finds where the program of a transport stream gives a stream another codec. The table packets
/// before that place belong to the new codec.
fn codec_changes(file: &mut impl Read, packets: Packets) -> Vec<u64> {
    let mut changes = Vec::new();
    let mut tables = Vec::new();
    let mut types: Vec<(u16, u8)> = Vec::new();
    // Position of the last table of programs, if no picture has begun after it.
    let mut program: Option<u64> = None;
    let mut at = packets.start as u64;
    let mut packet = vec![0; packets.pitch];
    if file.read_exact(&mut vec![0; packets.start]).is_err() {
        return changes;
    }
    while changes.len() <= PARTS_MAX && file.read_exact(&mut packet).is_ok() {
        let mut lost = 0;
        // After a packet that was cut off, searches for the next one byte by byte.
        while packet[0] != SYNC && lost < BLOCK {
            packet.rotate_left(1);
            let last = packet.len() - 1;
            if file.read_exact(&mut packet[last..]).is_err() {
                return changes;
            }
            lost += 1;
            at += 1;
        }
        let pid = u16::from_be_bytes([packet[1] & 0x1f, packet[2]]);
        let starts = packet[1] & 0x40 != 0;
        let adaptation = if packet[3] & 0x20 != 0 {
            usize::from(packet[4]) + 1
        } else {
            0
        };
        let payload = packet[..188].get(4 + adaptation..).unwrap_or_default();
        if starts && pid == 0 {
            program = Some(at);
            for table in programs(payload) {
                if !tables.contains(&table) && tables.len() < TABLES_MAX {
                    tables.push(table);
                }
            }
        } else if starts && tables.contains(&pid) {
            let listed = streams(payload);
            let other = |&(pid, kind): &(u16, u8)| {
                types
                    .iter()
                    .any(|&(known, was)| known == pid && was != kind)
            };
            if listed
                .iter()
                .any(|stream| is_picture(stream.1) && other(stream))
            {
                changes.push(program.unwrap_or(at));
                types.clear();
            }
            for stream in listed.into_iter().filter(|stream| is_picture(stream.1)) {
                if !types.contains(&stream) && types.len() < TABLES_MAX {
                    types.push(stream);
                }
            }
        } else if starts && types.iter().any(|stream| stream.0 == pid) {
            program = None;
        }
        at += packets.pitch as u64;
    }
    changes
}

/// The body of the table that begins in a payload, from after its header to its checksum.
fn section(payload: &[u8], kind: u8) -> Option<&[u8]> {
    let table = payload.get(1 + usize::from(*payload.first()?)..)?;
    let length = usize::from(u16::from_be_bytes([table.get(1)? & 0x0f, *table.get(2)?]));
    let end = (3 + length).checked_sub(4)?.min(table.len());
    // A table that only announces a later change does not count yet.
    (table[0] == kind && table.get(5)? & 1 == 1).then(|| table.get(8..end))?
}

/// The streams that carry program tables.
fn programs(payload: &[u8]) -> Vec<u16> {
    let entries = section(payload, 0).unwrap_or_default().chunks_exact(4);
    let listed = entries.filter(|entry| entry[..2] != [0, 0]);
    listed
        .map(|entry| u16::from_be_bytes([entry[2] & 0x1f, entry[3]]))
        .collect()
}

/// The streams of a program and their types.
fn streams(payload: &[u8]) -> Vec<(u16, u8)> {
    let mut found = Vec::new();
    let Some(table) = section(payload, 2) else {
        return found;
    };
    let skip = |bytes: &[u8]| {
        bytes
            .get(..2)
            .map(|it| usize::from(u16::from_be_bytes([it[0] & 0x0f, it[1]])))
    };
    let mut at = 4 + table.get(2..).and_then(skip).unwrap_or(table.len());
    while let Some(entry) = table.get(at..at + 5) {
        found.push((u16::from_be_bytes([entry[1] & 0x1f, entry[2]]), entry[0]));
        at += 5 + skip(&entry[3..]).unwrap_or(table.len());
    }
    found
}

/// Returns whether a stream type is video: MPEG-1, -2 and -4, H.264, HEVC, VVC, AVS, Dirac, VC-1.
fn is_picture(kind: u8) -> bool {
    matches!(
        kind,
        0x01 | 0x02 | 0x10 | 0x1b | 0x24 | 0x33 | 0x42 | 0xd1 | 0xd2 | 0xd4 | 0xea
    )
}

/// The first byte of a packet of a transport stream.
const SYNC: u8 = 0x47;
/// The first bytes of an ASF file: the identifier of its header object.
const ASF: &[u8] = b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c";
/// Bytes read at a time.
const BLOCK: usize = 1 << 16;
/// Bytes read at a time where boxes are a few bytes long and far apart.
const BOX_BLOCK: usize = 64;
/// Bytes that suffice to find the pitch of packets: six of the longest, 204 bytes.
const HEAD: u64 = 204 * 6;
/// Bytes needed to recognise the beginning of a recording.
const SIGNATURE_MAX: usize = 753;
/// Minimum bytes of a recording.
const RECORDING_MIN: u64 = 1024;
/// Bytes read of a movie's or a fragment's header.
const HEADER_MAX: u64 = 16 << 20;
/// Maximum number of boxes read.
const BOXES_MAX: u32 = 1_000_000;
/// Maximum number of programs or streams tracked; no real recording has more.
const TABLES_MAX: usize = 256;
/// Maximum number of recordings told apart.
const PARTS_MAX: usize = 64;
