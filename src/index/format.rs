//! The bytes on disk: header, sections, casts and the encoded tables (pure: slice in, struct out).
//!
//! `index-data/FORMAT.md` draws the layouts. This is the only module that names bincode and bytemuck.
//! Nothing is allocated or decoded before length, magic, version and checksum have been found right.

use std::ops::Range;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use xxhash_rust::xxh3::xxh3_64;

use crate::error::{Error, Result};

#[cfg(target_endian = "big")]
compile_error!("mapped sections are read in place and are little-endian");

/// Version of the format that is written.
pub const FORMAT_VERSION: u32 = 1;
/// Oldest version of the format that can still be read.
pub const OLDEST_READABLE: u32 = 1;

/// Bytes before the body of every file.
pub(crate) const HEADER_LEN: usize = 32;
/// Each section of a body begins at a multiple of this many bytes of the file: a cache line, and enough for any cast.
pub(crate) const ALIGN: usize = 64;

pub(crate) const MANIFEST_MAGIC: [u8; 8] = *b"uniqMANI";
pub(crate) const SEGMENT_MAGIC: [u8; 8] = *b"uniqSEGM";
pub(crate) const GRAPH_MAGIC: [u8; 8] = *b"uniqGRAF";

/// A decoded table may not claim more memory than this: 1 GiB is some millions of videos in one segment.
const TABLE_LIMIT: usize = 1 << 30;

const VERSION_AT: usize = 8;
const RESERVED_AT: usize = 12;
const LENGTH_AT: usize = 16;
const CHECKSUM_AT: usize = 24;

pub(crate) const REMEDY: &str = "restore the index from a copy, or build it again with: uniq index build";

/// A file in the making: appends sections to a body and puts the header before it.
pub(crate) struct FileWriter {
    bytes: Vec<u8>,
}

impl FileWriter {
    pub(crate) fn new() -> FileWriter {
        FileWriter { bytes: vec![0; HEADER_LEN] }
    }

    /// Appends plain values in place order, without alignment.
    pub(crate) fn append<T: bytemuck::NoUninit>(&mut self, values: &[T]) {
        self.bytes.extend_from_slice(bytemuck::cast_slice(values));
    }

    /// Fills up with zeros to the next multiple of [`ALIGN`], then appends.
    pub(crate) fn section<T: bytemuck::NoUninit>(&mut self, values: &[T]) {
        self.bytes.resize(self.bytes.len().next_multiple_of(ALIGN), 0);
        self.append(values);
    }

    /// Writes the header and gives the whole file.
    pub(crate) fn finish(mut self, magic: [u8; 8]) -> Vec<u8> {
        let body = &self.bytes[HEADER_LEN..];
        let (length, checksum) = (body.len() as u64, xxh3_64(body));
        self.bytes[..VERSION_AT].copy_from_slice(&magic);
        self.bytes[VERSION_AT..RESERVED_AT].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        self.bytes[LENGTH_AT..CHECKSUM_AT].copy_from_slice(&length.to_le_bytes());
        self.bytes[CHECKSUM_AT..HEADER_LEN].copy_from_slice(&checksum.to_le_bytes());
        self.bytes
    }
}

/// Reads sections of a verified file one after the other, each bound checked before use.
pub(crate) struct FileReader<'a> {
    path: &'a Path,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> FileReader<'a> {
    /// Checks length, magic, version and checksum, in this order.
    pub(crate) fn open(path: &'a Path, bytes: &'a [u8], magic: [u8; 8]) -> Result<FileReader<'a>> {
        if bytes.len() < HEADER_LEN {
            return Err(corrupt(
                path,
                "length of the file",
                format!("{} bytes", bytes.len()),
                format!("at least {HEADER_LEN}"),
            ));
        }
        if bytes[..VERSION_AT] != magic {
            return Err(corrupt(path, "magic number", hex(&bytes[..VERSION_AT]), hex(&magic)));
        }
        let version = le_u32(bytes, VERSION_AT);
        if !(OLDEST_READABLE..=FORMAT_VERSION).contains(&version) {
            return Err(Error::IncompatibleIndex {
                path: path.to_owned(),
                what: "format version",
                found: version.to_string(),
                expected: if OLDEST_READABLE == FORMAT_VERSION {
                    FORMAT_VERSION.to_string()
                } else {
                    format!("{OLDEST_READABLE} to {FORMAT_VERSION}")
                },
                remedy: if version > FORMAT_VERSION {
                    "install a newer uniq"
                } else {
                    "build the index again with: uniq index build"
                },
            });
        }
        let reserved = le_u32(bytes, RESERVED_AT);
        if reserved != 0 {
            return Err(corrupt(path, "reserved field", reserved, 0));
        }
        let body = &bytes[HEADER_LEN..];
        let length = le_u64(bytes, LENGTH_AT);
        if length != body.len() as u64 {
            return Err(corrupt(path, "length of the body", body.len(), length));
        }
        let (found, expected) = (xxh3_64(body), le_u64(bytes, CHECKSUM_AT));
        if found != expected {
            return Err(corrupt(path, "checksum", format!("{found:016x}"), format!("{expected:016x}")));
        }
        Ok(FileReader { path, bytes, at: HEADER_LEN })
    }

    /// Compares the file's checksum with the one that the manifest names: another index's file is whole, but not ours.
    pub(crate) fn expect_checksum(&self, expected: u64) -> Result<()> {
        let found = header_checksum(self.bytes);
        if found == expected {
            Ok(())
        } else {
            Err(self.corrupt("checksum", format!("{found:016x}"), format!("{expected:016x}, as the manifest says")))
        }
    }

    /// Takes `count` values at the current place; the range in the file is returned, to be viewed with [`view`].
    pub(crate) fn take<T>(&mut self, count: u64) -> Result<Range<usize>> {
        let left = self.bytes.len().saturating_sub(self.at);
        let length = usize::try_from(count)
            .ok()
            .and_then(|count| count.checked_mul(size_of::<T>()))
            .filter(|&length| length <= left);
        let Some(length) = length else {
            return Err(self.corrupt("number of entries", count, format!("{left} bytes of them")));
        };
        let start = self.at;
        self.at += length;
        Ok(start..self.at)
    }

    /// As [`FileReader::take`], from the next multiple of [`ALIGN`] on.
    pub(crate) fn take_section<T>(&mut self, count: u64) -> Result<Range<usize>> {
        self.at = self.at.next_multiple_of(ALIGN);
        self.take::<T>(count)
    }

    pub(crate) fn u64(&mut self) -> Result<u64> {
        let range = self.take::<u64>(1)?;
        Ok(le_u64(self.bytes, range.start))
    }

    pub(crate) fn u32(&mut self) -> Result<u32> {
        let range = self.take::<u32>(1)?;
        Ok(le_u32(self.bytes, range.start))
    }

    /// Fails if bytes are left over: a body that is longer than its counts say was not written by us.
    pub(crate) fn finish(self) -> Result<()> {
        if self.at == self.bytes.len() {
            Ok(())
        } else {
            Err(self.corrupt("end of the body", self.bytes.len(), self.at))
        }
    }

    pub(crate) fn corrupt(&self, what: &'static str, found: impl ToString, expected: impl ToString) -> Error {
        corrupt(self.path, what, found, expected)
    }
}

/// Views a range of a mapped file as values; empty if the range is not aligned, which [`FileReader`] rules out.
#[inline]
pub(crate) fn view<T: bytemuck::AnyBitPattern>(bytes: &[u8], range: Range<usize>) -> &[T] {
    bytes.get(range).and_then(|bytes| bytemuck::try_cast_slice(bytes).ok()).unwrap_or(&[])
}

/// Encodes a table that is read as a whole.
pub(crate) fn encode<T: Serialize>(path: &Path, value: &T) -> Result<Vec<u8>> {
    bincode::serde::encode_to_vec(value, bincode_config()).map_err(|cause| Error::Io {
        path: path.to_owned(),
        doing: "encode",
        source: std::io::Error::other(cause),
    })
}

/// Decodes a table out of bytes whose checksum is known to be right; they must be used up to the last.
pub(crate) fn decode<T: DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<T> {
    match bincode::serde::decode_from_slice(bytes, bincode_config()) {
        Ok((value, used)) if used == bytes.len() => Ok(value),
        Ok((_, used)) => Err(corrupt(path, "length of the table", bytes.len(), used)),
        Err(cause) => Err(corrupt(path, "table", cause, "entries of this version")),
    }
}

/// A damaged-file error with the usual remedy.
pub(crate) fn corrupt(path: &Path, what: &'static str, found: impl ToString, expected: impl ToString) -> Error {
    Error::CorruptIndex {
        path: path.to_owned(),
        what,
        found: found.to_string(),
        expected: expected.to_string(),
        remedy: REMEDY,
    }
}

/// The checksum in the header of a file that is at least a header long.
pub(crate) fn header_checksum(bytes: &[u8]) -> u64 {
    le_u64(bytes, CHECKSUM_AT)
}

/// Writes bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble & 15)]);
    bytes.iter().flat_map(|&byte| [digit(byte >> 4), digit(byte)]).collect()
}

fn bincode_config() -> impl bincode::config::Config {
    bincode::config::standard().with_little_endian().with_fixed_int_encoding().with_limit::<TABLE_LIMIT>()
}

fn le_u32(bytes: &[u8], at: usize) -> u32 {
    let mut four = [0; 4];
    four.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(four)
}

fn le_u64(bytes: &[u8], at: usize) -> u64 {
    let mut eight = [0; 8];
    eight.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(eight)
}
