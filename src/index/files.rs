//! Files mapped for reading, each block of which is verified before its first use.

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use memmap2::Mmap;
use sha2::{Digest, Sha256};

use super::format::{self, BLOCK, FileReader, corrupt, hex};
use super::manifest::FileEntry;
use crate::error::{Error, Result};

/// A file of the index, mapped into memory.
///
/// Opening checks its frame. Its content is compared with the checksums block by block, each when it is first looked
/// at, so that opening costs the same for a large file as for a small one and nothing unverified is ever used.
#[derive(Debug)]
pub(crate) struct Mapped {
    pub(crate) path: PathBuf,
    map: Mmap,
    /// Bytes before the table of checksums.
    content: usize,
    /// Checksum of that table, which stands for the whole file.
    pub(crate) checksum: u64,
    /// Version of the format in which it was written.
    pub(crate) version: u32,
    /// Whether a block has been found right.
    seen: Box<[AtomicBool]>,
}

impl Mapped {
    /// Maps a file of the index and checks length, magic, version and the table of checksums, in this order.
    ///
    /// `Ok(None)` if there is no such file. With an entry of the manifest, it must be the file that the entry means:
    /// another index's file is whole, but not ours.
    pub(crate) fn open(path: &Path, magic: [u8; 8], entry: Option<&FileEntry>) -> Result<Option<Mapped>> {
        let Some(map) = map(path, entry.map(|entry| entry.length))? else {
            return Ok(None);
        };
        let frame = format::Frame::read(path, &map, magic)?;
        if let Some(entry) = entry
            && entry.checksum != frame.checksum
        {
            let found = format!("{:016x}", frame.checksum);
            return Err(corrupt(path, "checksum", found, format!("{:016x}, as the manifest says", entry.checksum)));
        }
        let seen = (0..frame.content.div_ceil(BLOCK)).map(|_| AtomicBool::new(false)).collect();
        let format::Frame { content, checksum, version } = frame;
        Ok(Some(Mapped { path: path.to_owned(), map, content, checksum, version, seen }))
    }

    /// Reads the content from the header's end on.
    pub(crate) fn reader(&self) -> FileReader<'_> {
        FileReader::new(self)
    }

    /// Bytes of header and body.
    pub(crate) fn content(&self) -> usize {
        self.content
    }

    /// Bytes of the whole file.
    pub(crate) fn length(&self) -> u64 {
        self.map.len() as u64
    }

    /// Part of the content, verified.
    #[inline]
    pub(crate) fn bytes(&self, range: Range<usize>) -> Result<&[u8]> {
        let Some(bytes) = self.map[..self.content].get(range.clone()) else {
            let found = format!("{} to {}", range.start, range.end);
            return Err(corrupt(&self.path, "range", found, format!("at most {}", self.content)));
        };
        for block in range.start / BLOCK..range.end.div_ceil(BLOCK) {
            // The order of reads does not matter: the bytes never change, so at worst a block is hashed twice.
            if !self.seen[block].load(Ordering::Relaxed) {
                self.verify_block(block)?;
            }
        }
        Ok(bytes)
    }

    /// Part of the content as values, verified; the range comes from a [`FileReader`], which aligns it.
    #[inline]
    pub(crate) fn view<T: format::Plain>(&self, range: Range<usize>) -> Result<&[T]> {
        let unfit = || corrupt(&self.path, "alignment", range.start, format::ALIGN);
        format::cast(self.bytes(range.clone())?).ok_or_else(unfit)
    }

    /// Verifies all blocks, without believing what was found right before, and names those that are wrong.
    pub(crate) fn verify_blocks(&self) -> Result<()> {
        let wrong: Vec<usize> = (0..self.seen.len()).filter(|&block| self.verify_block(block).is_err()).collect();
        let Some(&first) = wrong.first() else {
            return Ok(());
        };
        let others = match wrong.len() {
            1 => String::new(),
            number => format!(" and {} more", number - 1),
        };
        let found = format!("wrong for the block at byte {}{others}", first * BLOCK);
        Err(corrupt(&self.path, "checksum", found, "that which was written"))
    }

    /// Compares the SHA-256 of the whole file.
    pub(crate) fn verify_sha256(&self, expected: &[u8; 32]) -> Result<()> {
        let found = sha256(&self.map);
        if &found == expected {
            Ok(())
        } else {
            Err(corrupt(&self.path, "SHA-256", hex(&found), format!("{}, as the manifest says", hex(expected))))
        }
    }

    #[cold]
    #[inline(never)]
    fn verify_block(&self, block: usize) -> Result<()> {
        let (found, expected) = format::checksums_of_block(&self.map, self.content, block);
        if found != expected {
            let found = format!("{found:016x} for the block at byte {}", block * BLOCK);
            return Err(corrupt(&self.path, "checksum", found, format!("{expected:016x}")));
        }
        self.seen[block].store(true, Ordering::Relaxed);
        Ok(())
    }
}

/// SHA-256 of some bytes.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Maps a whole file, which must have the given length, when one is given.
fn map(path: &Path, length: Option<u64>) -> Result<Option<Mmap>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(Error::io(path, "open")(cause)),
    };
    let metadata = file.metadata().map_err(Error::io(path, "stat"))?;
    if !metadata.is_file() {
        return Err(corrupt(path, "kind of file", "not a file", "a file"));
    }
    if let Some(length) = length
        && metadata.len() != length
    {
        return Err(corrupt(path, "length of the file", metadata.len(), format!("{length}, as the manifest says")));
    }
    if metadata.len() == 0 {
        return Err(corrupt(path, "length of the file", 0, "more"));
    }
    // SAFETY: the bytes may change under the map only if somebody writes into or truncates the file. Nobody of ours
    // does: files of an index are written once under another name and renamed, and deleting one leaves the map
    // alone. FORMAT.md asks the same of others. All values viewed in the map are plain integers for which every
    // bit pattern is valid, and indices taken from it are bounds-checked at each use.
    #[allow(unsafe_code)]
    let map = unsafe { Mmap::map(&file) }.map_err(Error::io(path, "map"))?;
    Ok(Some(map))
}
