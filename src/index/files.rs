//! Reads files into memory block by block, and verifies each block before its first use.
//!
//! A memory-mapped file would be unsafe here. If it is cut while mapped, the process dies (SIGBUS);
//! if somebody writes into it, the bytes used are not the bytes verified. So each block is read
//! once into memory of our own, and a failed read is an error.

use std::fs::{File, OpenOptions};
use std::io;
use std::ops::{Range, RangeInclusive};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use memmap2::{MmapOptions, MmapRaw};
use sha2::{Digest, Sha256};

use super::format::{self, BLOCK, FileReader, Frame, corrupt, hex};
use super::manifest::FileEntry;
use crate::error::{Error, Result};
use crate::media::open_regular;

/// A file of the index, of which only the blocks used so far are in memory.
///
/// Opening checks its header and footer. Each block is read and compared with its checksum when it
/// is first used. So opening costs the same for large and small files, and no unverified byte is
/// ever used.
#[derive(Debug)]
pub(crate) struct BlockFile {
    pub(crate) path: PathBuf,
    /// Stays open, so that deleting the file does not affect this handle.
    file: File,
    /// Room for the content. A page costs nothing until it is filled.
    memory: MmapRaw,
    frame: Frame,
    /// Whether a block is in memory and verified. Such a block is never written again.
    present: Box<[AtomicBool]>,
    /// Held while a block is filled.
    filling: Mutex<()>,
}

impl BlockFile {
    /// Opens a file of the index and checks length, magic, version and the table of checksums, in
    /// this order.
    ///
    /// Returns `Ok(None)` if the file does not exist. With an entry of the manifest, the file must
    /// be the one that the entry names: a file of another index may be sound, but is not ours.
    pub(crate) fn open(
        path: &Path,
        magic: [u8; 8],
        entry: Option<&FileEntry>,
    ) -> Result<Option<BlockFile>> {
        BlockFile::open_version(path, magic, &format::READABLE, entry)
    }

    /// As [`BlockFile::open`], for one of the given versions of the format.
    pub(crate) fn open_version(
        path: &Path,
        magic: [u8; 8],
        versions: &RangeInclusive<u32>,
        entry: Option<&FileEntry>,
    ) -> Result<Option<BlockFile>> {
        let file = match open_regular(path, OpenOptions::new().read(true)) {
            Ok(file) => file,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(Error::io(path, "open")(cause)),
        };
        let length = file.metadata().map_err(Error::io(path, "stat"))?.len();
        if let Some(entry) = entry
            && length != entry.length
        {
            return Err(corrupt(
                path,
                "length of the file",
                length,
                format!("{}, as the manifest says", entry.length),
            ));
        }
        let frame = Frame::read(path, length, magic, versions, &|part, at| {
            read_at(&file, path, part, at)
        })?;
        if let Some(entry) = entry
            && entry.checksum != frame.checksum
        {
            let found = format!("{:016x}", frame.checksum);
            return Err(corrupt(
                path,
                "checksum",
                found,
                format!("{:016x}, as the manifest says", entry.checksum),
            ));
        }
        // Most of it is never touched, and untouched memory need not be reserved.
        let memory = MmapOptions::new()
            .len(frame.content)
            .no_reserve_swap()
            .map_anon();
        let memory = MmapRaw::from(memory.map_err(Error::io(path, "reserve memory"))?);
        let present = frame
            .blocks
            .iter()
            .map(|_| AtomicBool::new(false))
            .collect();
        Ok(Some(BlockFile {
            path: path.to_owned(),
            file,
            memory,
            frame,
            present,
            filling: Mutex::new(()),
        }))
    }

    /// Reads the content from the end of the header.
    pub(crate) fn reader(&self) -> FileReader<'_> {
        FileReader::new(self)
    }

    /// Bytes of header and body.
    pub(crate) fn content(&self) -> usize {
        self.frame.content
    }

    /// Bytes of the whole file.
    pub(crate) fn length(&self) -> u64 {
        format::file_length(self.frame.content)
    }

    /// Checksum of the table of checksums, and so of the whole file.
    pub(crate) fn checksum(&self) -> u64 {
        self.frame.checksum
    }

    /// Version of the format of the file.
    pub(crate) fn version(&self) -> u32 {
        self.frame.version
    }

    /// Verified part of the content.
    #[inline]
    pub(crate) fn bytes(&self, range: Range<usize>) -> Result<&[u8]> {
        if range.start > range.end || range.end > self.frame.content {
            let found = format!("{} to {}", range.start, range.end);
            return Err(corrupt(
                &self.path,
                "range",
                found,
                format!("at most {}", self.frame.content),
            ));
        }
        for block in range.start / BLOCK..range.end.div_ceil(BLOCK) {
            // `Acquire` makes the bytes visible to whoever sees the flag.
            if !self.present[block].load(Ordering::Acquire) {
                self.fill(block)?;
            }
        }
        // SAFETY: the range lies in the memory, which is as long as the content and lives as long
        // as `self`. Its blocks are present, and `fill`, the only writer, does not touch present
        // blocks.
        #[allow(unsafe_code)]
        Ok(unsafe {
            std::slice::from_raw_parts(self.memory.as_ptr().add(range.start), range.len())
        })
    }

    /// Verified copy of a part of the content, which adds nothing to the memory held.
    pub(crate) fn copy(&self, range: Range<usize>) -> Result<Vec<u8>> {
        if range.start > range.end || range.end > self.frame.content {
            return self.bytes(range).map(<[u8]>::to_vec);
        }
        let mut copied = Vec::with_capacity(range.len());
        let mut buffer = vec![0; BLOCK];
        for block in range.start / BLOCK..range.end.div_ceil(BLOCK) {
            let of_block = self.range_of(block);
            let wanted = range.start.max(of_block.start)..range.end.min(of_block.end);
            if self.present[block].load(Ordering::Acquire) {
                copied.extend_from_slice(self.bytes(wanted)?);
                continue;
            }
            let bytes = &mut buffer[..of_block.len()];
            self.read_block(block, bytes)?;
            copied.extend_from_slice(
                &bytes[wanted.start - of_block.start..wanted.end - of_block.start],
            );
        }
        Ok(copied)
    }

    /// Verified part of the content as values. The range comes from a [`FileReader`], which aligns
    /// it.
    #[inline]
    pub(crate) fn view<T: format::Plain>(&self, range: Range<usize>) -> Result<&[T]> {
        let unfit = || corrupt(&self.path, "alignment", range.start, format::ALIGN);
        format::cast(self.bytes(range.clone())?).ok_or_else(unfit)
    }

    /// Reads all blocks from disk again, verifies them, and names the wrong ones.
    pub(crate) fn verify_blocks(&self) -> Result<()> {
        let mut bytes = vec![0; BLOCK];
        let mut wrong = Vec::new();
        for block in 0..self.present.len() {
            let bytes = &mut bytes[..self.range_of(block).len()];
            read_at(
                &self.file,
                &self.path,
                bytes,
                self.range_of(block).start as u64,
            )?;
            if format::checksum(bytes) != self.frame.blocks[block] {
                wrong.push(block);
            }
        }
        let Some(&first) = wrong.first() else {
            return Ok(());
        };
        let others = match wrong.len() {
            1 => String::new(),
            number => format!(" and {} more", number - 1),
        };
        let found = format!("wrong for the block at byte {}{others}", first * BLOCK);
        Err(corrupt(
            &self.path,
            "checksum",
            found,
            "the checksum that was written",
        ))
    }

    /// Reads the whole file from disk again and compares its SHA-256.
    pub(crate) fn verify_sha256(&self, expected: &[u8; 32]) -> Result<()> {
        let mut digest = Sha256::new();
        let mut bytes = vec![0; BLOCK];
        for at in (0..self.length()).step_by(BLOCK) {
            let bytes = &mut bytes[..BLOCK.min((self.length() - at) as usize)];
            read_at(&self.file, &self.path, bytes, at)?;
            digest.update(bytes);
        }
        let found: [u8; 32] = digest.finalize().into();
        if &found == expected {
            Ok(())
        } else {
            Err(corrupt(
                &self.path,
                "SHA-256",
                hex(&found),
                format!("{}, as the manifest says", hex(expected)),
            ))
        }
    }

    /// Reads and verifies a block, unless it is present.
    #[cold]
    #[inline(never)]
    fn fill(&self, block: usize) -> Result<()> {
        let _alone = self.filling.lock().unwrap_or_else(PoisonError::into_inner);
        if self.present[block].load(Ordering::Acquire) {
            return Ok(());
        }
        let range = self.range_of(block);
        // SAFETY: the block lies in the memory, which is initialised (anonymous memory is zero).
        // Nobody else refers to it: `bytes` hands out only present blocks, and the lock lets one
        // absent block be written at a time.
        #[allow(unsafe_code)]
        let bytes = unsafe {
            std::slice::from_raw_parts_mut(self.memory.as_mut_ptr().add(range.start), range.len())
        };
        self.read_block(block, bytes)?;
        self.present[block].store(true, Ordering::Release);
        Ok(())
    }

    /// Reads a block from the disk and verifies it.
    fn read_block(&self, block: usize, bytes: &mut [u8]) -> Result<()> {
        let start = self.range_of(block).start;
        read_at(&self.file, &self.path, bytes, start as u64)?;
        let (found, expected) = (format::checksum(bytes), self.frame.blocks[block]);
        if found != expected {
            let found = format!("{found:016x} for the block at byte {start}");
            return Err(corrupt(
                &self.path,
                "checksum",
                found,
                format!("{expected:016x}"),
            ));
        }
        Ok(())
    }

    fn range_of(&self, block: usize) -> Range<usize> {
        block * BLOCK..self.frame.content.min((block + 1) * BLOCK)
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Reads a part of a file that existed when the file was opened.
fn read_at(file: &File, path: &Path, bytes: &mut [u8], at: u64) -> Result<()> {
    let end = at + bytes.len() as u64;
    file.read_exact_at(bytes, at)
        .map_err(|cause| match cause.kind() {
            io::ErrorKind::UnexpectedEof => {
                let length = file
                    .metadata()
                    .map_or_else(|_| "less".to_owned(), |metadata| metadata.len().to_string());
                corrupt(
                    path,
                    "length of the file",
                    length,
                    format!("at least {end}, as when it was opened"),
                )
            }
            _ => Error::io(path, "read")(cause),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::format::{SEGMENT_MAGIC, seal};

    fn sealed(blocks: usize) -> Vec<u8> {
        let mut content = SEGMENT_MAGIC.to_vec();
        content.extend(format::FORMAT_VERSION.to_le_bytes());
        content.resize(blocks * BLOCK, 7);
        content[12..16].fill(0);
        seal(content)
    }

    #[test]
    fn what_is_cut_or_written_into_after_opening_is_an_error_and_never_zeros() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, sealed(3)).unwrap();
        let open = || {
            BlockFile::open(&path, SEGMENT_MAGIC, None)
                .unwrap()
                .unwrap()
        };
        let (cut, spoilt) = (open(), open());
        let read = cut.bytes(20..30).unwrap();
        let disk = OpenOptions::new().write(true).open(&path).unwrap();
        disk.write_all_at(b"other", BLOCK as u64 + 9).unwrap();
        let error = spoilt.bytes(BLOCK..BLOCK + 1).unwrap_err().to_string();
        assert!(
            error.contains("checksum") && error.contains("file: damaged"),
            "{error}"
        );
        disk.set_len(BLOCK as u64 + 100).unwrap();
        for _ in 0..2 {
            // Blocks that were read stay usable, whatever happens to the file.
            assert_eq!(
                (read, cut.bytes(0..BLOCK).unwrap()[BLOCK - 1]),
                (&[7; 10][..], 7)
            );
            let error = cut.bytes(BLOCK - 1..BLOCK + 1).unwrap_err().to_string();
            assert!(
                error.contains("length of the file is 65636, expected at least 131072"),
                "{error}"
            );
        }
        assert!(cut.verify_blocks().is_err() && cut.verify_sha256(&[0; 32]).is_err());
    }

    #[test]
    fn what_is_no_regular_file_is_named_and_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        std::fs::create_dir(path("folder")).unwrap();
        let mode = rustix::fs::Mode::RUSR;
        rustix::fs::mknodat(
            rustix::fs::CWD,
            path("pipe"),
            rustix::fs::FileType::Fifo,
            mode,
            0,
        )
        .unwrap();
        std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
        std::os::unix::fs::symlink("/dev/null", path("device")).unwrap();
        for name in ["folder", "pipe", "socket", "device"] {
            let error = BlockFile::open(&path(name), SEGMENT_MAGIC, None).unwrap_err();
            let source = std::error::Error::source(&error).unwrap().to_string();
            assert_eq!(
                source,
                format!("a {name} is there instead of a regular file")
            );
        }
        assert!(
            BlockFile::open(&path("nothing"), SEGMENT_MAGIC, None)
                .unwrap()
                .is_none()
        );
    }
}
