//! Finds the C2PA manifests of a file and reads two of their assertions.

use std::io::{Read, Seek, SeekFrom};

use super::{Declared, Manifest, c2pa};

/// What a file of this length declares.
pub(super) fn of_file(file: &mut (impl Read + Seek), length: u64) -> Declared {
    let none = Declared {
        manifest: Manifest::NoDeclaration,
        generated: None,
        training: None,
    };
    let unreadable = Declared {
        manifest: Manifest::Unreadable,
        ..none.clone()
    };
    let found = match stores(file, length) {
        Ok(found) => found,
        Err(Broken) => return unreadable,
    };
    if found.is_empty() {
        return none;
    }
    let mut declared = Declared {
        manifest: Manifest::Unverified,
        ..none
    };
    for store in &found {
        match c2pa::claims(store) {
            Some((generated, training)) => {
                declared.generated = declared.generated.max(generated);
                declared.training = declared.training.max(training);
            }
            None => declared.manifest = Manifest::Unreadable,
        }
    }
    declared
}

/// A box that begins like a manifest but cannot be read.
#[derive(Debug)]
struct Broken;

/// The manifest stores of an MP4 or MOV: its top-level boxes of kind `uuid`.
fn stores(file: &mut (impl Read + Seek), length: u64) -> Result<Vec<Vec<u8>>, Broken> {
    let mut found = Vec::new();
    let mut at = 0;
    for number in 0..BOXES_MAX {
        let mut head = [0; 32];
        let read = read_at(file, at, &mut head);
        if read < 8 {
            break;
        }
        let kind = [head[4], head[5], head[6], head[7]];
        if number == 0 && !FIRST.contains(&&kind) {
            break;
        }
        let (size, content) = match u32::from_be_bytes([head[0], head[1], head[2], head[3]]) {
            0 => (length - at, 8),
            1 => (
                u64::from_be_bytes([
                    head[8], head[9], head[10], head[11], head[12], head[13], head[14], head[15],
                ]),
                16,
            ),
            size => (u64::from(size), 8),
        };
        if size < content {
            break;
        }
        let user = content as usize;
        if kind == *b"uuid" && read >= user + 16 && head[user..user + 16] == C2PA {
            let body = size - content - 16;
            // Version, flags, purpose, and the location of the signed bytes precede the manifests.
            if body > STORE_MAX || at + size > length || found.len() >= STORES_MAX {
                return Err(Broken);
            }
            let mut bytes = vec![0; body as usize];
            if read_at(file, at + content + 16, &mut bytes) < bytes.len() {
                return Err(Broken);
            }
            match store(&bytes) {
                Some(Some(manifests)) => found.push(manifests.to_vec()),
                Some(None) => {}
                None => return Err(Broken),
            }
        }
        at = match at.checked_add(size) {
            Some(next) if next < length => next,
            _ => break,
        };
    }
    Ok(found)
}

/// The manifests of a box; `Some(None)` if it only holds hashes, `None` if it is broken.
fn store(bytes: &[u8]) -> Option<Option<&[u8]>> {
    let rest = bytes.get(4..)?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    match &rest[..end] {
        b"manifest" | b"original" | b"update" => rest.get(end + 1 + 8..).map(Some),
        b"merkle" => Some(None),
        _ => None,
    }
}

fn read_at(file: &mut (impl Read + Seek), at: u64, bytes: &mut [u8]) -> usize {
    if file.seek(SeekFrom::Start(at)).is_err() {
        return 0;
    }
    let mut read = 0;
    while read < bytes.len() {
        match file.read(&mut bytes[read..]) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    read
}

/// User type of C2PA's boxes.
pub(super) const C2PA: [u8; 16] = [
    0xd8, 0xfe, 0xc3, 0xd6, 0x1b, 0x0e, 0x48, 0x3c, 0x92, 0x97, 0x58, 0x28, 0x87, 0x7e, 0xc4, 0x81,
];
/// Kinds of box with which an MP4 or MOV begins.
const FIRST: [&[u8; 4]; 8] = [
    b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"styp", b"uuid",
];
/// Maximum number of top-level boxes to read; a fragmented recording has two for each one or two
/// seconds.
const BOXES_MAX: u32 = 100_000;
/// Maximum size of a manifest store, in bytes (thumbnails take most of it), and maximum number of
/// stores.
const STORE_MAX: u64 = 16 << 20;
const STORES_MAX: usize = 4;
