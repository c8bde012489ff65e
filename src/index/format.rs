//! The bytes on disk: header, blocks, sections and the encoded tables.
//!
//! `index-data/FORMAT.md` draws the layouts. This is the only module that names bincode and
//! bytemuck. Length, magic, version and checksums are checked before anything is allocated, decoded
//! or used.

use std::ops::{Range, RangeInclusive};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use xxhash_rust::xxh3::xxh3_64;

use super::files::BlockFile;
use super::manifest::FileEntry;
use super::storage::{Draft, Storage};
use crate::error::{Error, Result};
pub(crate) use crate::media::hex;

#[cfg(target_endian = "big")]
compile_error!("sections are viewed as they lie in the file, and are little-endian");

/// Version of the format that this program writes.
pub const FORMAT_VERSION: u32 = 5;
/// Oldest version of the format that this program can read.
pub const OLDEST_READABLE: u32 = 5;
/// Versions that are read without an upgrade.
pub(crate) const READABLE: RangeInclusive<u32> = OLDEST_READABLE..=FORMAT_VERSION;

/// Older version that [`upgrade`](super::upgrade) converts to the newest one.
pub(crate) const UPGRADABLE: u32 = 4;

/// Length of the header of every file, in bytes.
pub(crate) const HEADER_LEN: usize = 16;
/// Length of a block, in bytes; the last one may be shorter. Each block has its own checksum, so a
/// search verifies only the blocks it touches. The table of checksums takes 1/8192 of the file.
pub(crate) const BLOCK: usize = 1 << 16;
/// Alignment of each section of a body, in bytes of the file: a cache line, enough for any cast.
pub(crate) const ALIGN: usize = 64;

pub(crate) const MANIFEST_MAGIC: [u8; 8] = *b"uniqMANI";
pub(crate) const SEGMENT_MAGIC: [u8; 8] = *b"uniqSEGM";
pub(crate) const HISTORY_MAGIC: [u8; 8] = *b"uniqHIST";

/// Maximum memory of a decoded table, in bytes. 1 GiB holds some millions of videos in one segment.
const TABLE_LIMIT: usize = 1 << 30;

/// Maximum length of a file, in bytes: room for 2^32 postings of a segment and more. Its table of
/// checksums takes 1/8192 of that in memory.
const LENGTH_MAX: u64 = 1 << 37;

const VERSION_AT: usize = 8;
const RESERVED_AT: usize = 12;
/// Length of what follows the table of checksums, in bytes: the length of the content, and the
/// checksum of table and length.
const FOOTER_LEN: usize = 16;

pub(crate) const REMEDY: &str = "restore the file from a copy of the index, or delete the index's folder and build it again with: uniq index build";

/// A file being written: appends sections to a body and computes the checksums.
pub(crate) struct FileWriter<'a> {
    draft: Draft<'a>,
    /// The block being filled.
    block: Vec<u8>,
    /// Length of the earlier blocks, in bytes.
    written: usize,
    /// Checksums of the earlier blocks.
    table: Vec<u8>,
    sha256: Sha256,
}

impl<'a> FileWriter<'a> {
    pub(crate) fn create(
        storage: &'a dyn Storage,
        path: &Path,
        magic: [u8; 8],
    ) -> Result<FileWriter<'a>> {
        let mut file = FileWriter {
            draft: Draft::create(storage, path)?,
            block: Vec::with_capacity(BLOCK),
            written: 0,
            table: Vec::new(),
            sha256: Sha256::new(),
        };
        file.bytes(&header(magic))?;
        Ok(file)
    }

    /// Appends plain values without alignment.
    pub(crate) fn append<T: bytemuck::NoUninit>(&mut self, values: &[T]) -> Result<()> {
        self.bytes(bytemuck::cast_slice(values))
    }

    /// Pads with zeros to the next multiple of [`ALIGN`], where a section begins.
    pub(crate) fn begin_section(&mut self) -> Result<()> {
        let at = self.written + self.block.len();
        self.bytes(&[0; ALIGN][..at.next_multiple_of(ALIGN) - at])
    }

    /// Appends a whole section.
    pub(crate) fn section<T: bytemuck::NoUninit>(&mut self, values: &[T]) -> Result<()> {
        self.begin_section()?;
        self.append(values)
    }

    /// Appends table and footer and publishes the file.
    pub(crate) fn finish(mut self) -> Result<FileEntry> {
        let content = self.written + self.block.len();
        self.end_block()?;
        let (trailer, checksum) = trailer(std::mem::take(&mut self.table), content);
        self.sha256.update(&trailer);
        self.draft.write(&trailer)?;
        self.draft.publish()?;
        Ok(FileEntry {
            length: (content + trailer.len()) as u64,
            checksum,
            sha256: self.sha256.finalize().into(),
        })
    }

    fn bytes(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(BLOCK - self.block.len()));
            self.block.extend_from_slice(now);
            bytes = later;
            if self.block.len() == BLOCK {
                self.end_block()?;
            }
        }
        Ok(())
    }

    fn end_block(&mut self) -> Result<()> {
        if !self.block.is_empty() {
            self.table.extend(xxh3_64(&self.block).to_le_bytes());
            self.sha256.update(&self.block);
            self.draft.write(&self.block)?;
            self.written += self.block.len();
            self.block.clear();
        }
        Ok(())
    }
}

/// The header of every file.
pub(crate) fn header(magic: [u8; 8]) -> [u8; HEADER_LEN] {
    let mut header = [0; HEADER_LEN];
    header[..VERSION_AT].copy_from_slice(&magic);
    header[VERSION_AT..RESERVED_AT].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    header
}

/// Checks magic, version and reserved field of a header, in this order, and returns the version.
pub(crate) fn check_header(
    path: &Path,
    header: &[u8; HEADER_LEN],
    magic: [u8; 8],
    versions: &RangeInclusive<u32>,
) -> Result<u32> {
    if header[..VERSION_AT] != magic {
        return Err(corrupt(
            path,
            "magic number",
            hex(&header[..VERSION_AT]),
            hex(&magic),
        ));
    }
    let version = le_u32(header, VERSION_AT);
    if !versions.contains(&version) {
        return Err(Error::IncompatibleIndex {
            path: path.to_owned(),
            what: "format version",
            found: version.to_string(),
            expected: if versions.start() == versions.end() {
                versions.end().to_string()
            } else {
                format!("{} to {}", versions.start(), versions.end())
            },
            remedy: if version > FORMAT_VERSION {
                "install a newer uniq"
            } else if version == UPGRADABLE {
                "bring the index to the new format with: uniq index upgrade"
            } else {
                "build the index again in another folder with: uniq index build"
            },
        });
    }
    let reserved = le_u32(header, RESERVED_AT);
    if reserved != 0 {
        return Err(corrupt(path, "reserved field", reserved, 0));
    }
    Ok(version)
}

/// The bytes after the content, and the checksum of the table.
fn trailer(mut table: Vec<u8>, content: usize) -> (Vec<u8>, u64) {
    table.extend((content as u64).to_le_bytes());
    let checksum = xxh3_64(&table);
    table.extend(checksum.to_le_bytes());
    (table, checksum)
}

/// Length of the file whose header and body have `content` bytes.
pub(crate) fn file_length(content: usize) -> u64 {
    (content + content.div_ceil(BLOCK) * size_of::<u64>() + FOOTER_LEN) as u64
}

/// Appends the trailer to header and body.
#[cfg(any(test, fuzzing))]
pub(crate) fn seal(mut content: Vec<u8>) -> Vec<u8> {
    let table = content
        .chunks(BLOCK)
        .flat_map(|block| xxh3_64(block).to_le_bytes())
        .collect();
    let length = content.len();
    content.extend(trailer(table, length).0);
    content
}

/// What surrounds the body of a file.
#[derive(Debug)]
pub(crate) struct Frame {
    /// Bytes of header and body.
    pub(crate) content: usize,
    /// Checksum of each block of header and body.
    pub(crate) blocks: Vec<u64>,
    /// Checksum of the table of checksums.
    pub(crate) checksum: u64,
    /// Version of the format.
    pub(crate) version: u32,
}

impl Frame {
    /// Checks length, magic, version, the lengths of the parts and the table's checksum, in this
    /// order.
    ///
    /// `read` fills a slice from an offset of the file, which is `length` bytes long.
    pub(crate) fn read(
        path: &Path,
        length: u64,
        magic: [u8; 8],
        versions: &RangeInclusive<u32>,
        read: &dyn Fn(&mut [u8], u64) -> Result<()>,
    ) -> Result<Frame> {
        let least = (HEADER_LEN + FOOTER_LEN) as u64;
        if length < least {
            let found = format!("{length} bytes");
            return Err(corrupt(
                path,
                "length of the file",
                found,
                format!("at least {least}"),
            ));
        }
        if length > LENGTH_MAX {
            let found = format!("{length} bytes");
            return Err(corrupt(
                path,
                "length of the file",
                found,
                format!("at most {LENGTH_MAX}"),
            ));
        }
        let mut header = [0; HEADER_LEN];
        read(&mut header, 0)?;
        let version = check_header(path, &header, magic, versions)?;
        let mut footer = [0; FOOTER_LEN];
        let footer_at = length - FOOTER_LEN as u64;
        read(&mut footer, footer_at)?;
        let content = le_u64(&footer, 0);
        // The first condition prevents an overflow of the sum.
        let fits = |&content: &usize| {
            (HEADER_LEN as u64..=footer_at).contains(&(content as u64))
                && file_length(content) == length
        };
        let Some(content) = usize::try_from(content).ok().filter(fits) else {
            let found = format!("{content} in a file of {length}");
            return Err(corrupt(
                path,
                "length of the content",
                found,
                "file, table and footer to fit",
            ));
        };
        // Its length follows from the content, and is at most that of the file.
        let mut table = vec![0; content.div_ceil(BLOCK) * size_of::<u64>()];
        read(&mut table, content as u64)?;
        let blocks = (0..table.len())
            .step_by(size_of::<u64>())
            .map(|at| le_u64(&table, at))
            .collect();
        table.extend(&footer[..size_of::<u64>()]);
        let (found, checksum) = (xxh3_64(&table), le_u64(&footer, 8));
        if found != checksum {
            return Err(corrupt(
                path,
                "checksum of the checksums",
                format!("{found:016x}"),
                format!("{checksum:016x}"),
            ));
        }
        Ok(Frame {
            content,
            blocks,
            checksum,
            version,
        })
    }
}

/// Checksum of a block.
pub(crate) fn checksum(block: &[u8]) -> u64 {
    xxh3_64(block)
}

/// Reads numbers of a file and lays out its sections one after the other. Each bound is checked
/// before use.
pub(crate) struct FileReader<'a> {
    file: &'a BlockFile,
    at: usize,
}

impl<'a> FileReader<'a> {
    pub(crate) fn new(file: &'a BlockFile) -> FileReader<'a> {
        FileReader {
            file,
            at: HEADER_LEN,
        }
    }

    /// Takes `count` values at the current position. Returns their range in the file, for
    /// [`BlockFile::view`].
    pub(crate) fn take<T>(&mut self, count: u64) -> Result<Range<usize>> {
        let left = self.file.content().saturating_sub(self.at);
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

    /// As [`FileReader::take`], but from the next multiple of [`ALIGN`].
    pub(crate) fn take_section<T>(&mut self, count: u64) -> Result<Range<usize>> {
        self.at = self.at.next_multiple_of(ALIGN);
        self.take::<T>(count)
    }

    pub(crate) fn u64(&mut self) -> Result<u64> {
        let range = self.take::<u64>(1)?;
        Ok(le_u64(self.file.bytes(range)?, 0))
    }

    /// Fails if bytes are left over: we never write a body longer than its counts say.
    pub(crate) fn finish(self) -> Result<()> {
        if self.at == self.file.content() {
            Ok(())
        } else {
            Err(self.corrupt("end of the body", self.file.content(), self.at))
        }
    }

    pub(crate) fn corrupt(
        &self,
        what: &'static str,
        found: impl ToString,
        expected: impl ToString,
    ) -> Error {
        corrupt(&self.file.path, what, found, expected)
    }
}

/// Values for which every bit pattern is valid.
pub(crate) use bytemuck::AnyBitPattern as Plain;

/// Views bytes as values, if alignment and length fit.
#[inline]
pub(crate) fn cast<T: Plain>(bytes: &[u8]) -> Option<&[T]> {
    bytemuck::try_cast_slice(bytes).ok()
}

/// Copies bytes as values, whatever their alignment.
pub(crate) fn copied<T: bytemuck::Pod>(bytes: &[u8]) -> Vec<T> {
    bytemuck::pod_collect_to_vec(bytes)
}

/// Encodes a table that is always read as a whole.
pub(crate) fn encode<T: Serialize>(path: &Path, value: &T) -> Result<Vec<u8>> {
    bincode::serde::encode_to_vec(value, bincode_config()).map_err(|cause| Error::Io {
        path: path.to_owned(),
        doing: "encode",
        source: std::io::Error::other(cause),
    })
}

/// Decodes a table. The checksum of the bytes must be verified before, and no bytes may be left
/// over.
pub(crate) fn decode<T: DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<T> {
    match bincode::serde::decode_from_slice(bytes, bincode_config()) {
        Ok((value, used)) if used == bytes.len() => Ok(value),
        Ok((_, used)) => Err(corrupt(path, "length of the table", bytes.len(), used)),
        Err(cause) => Err(corrupt(path, "table", cause, "entries of this version")),
    }
}

/// The error for a damaged file, with the usual remedy.
pub(crate) fn corrupt(
    path: &Path,
    what: &'static str,
    found: impl ToString,
    expected: impl ToString,
) -> Error {
    Error::CorruptIndex {
        path: path.to_owned(),
        what,
        found: found.to_string(),
        expected: expected.to_string(),
        remedy: REMEDY,
    }
}

fn bincode_config() -> impl bincode::config::Config {
    bincode::config::standard()
        .with_little_endian()
        .with_fixed_int_encoding()
        .with_limit::<TABLE_LIMIT>()
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
