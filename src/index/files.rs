//! Files read into memory block by block, each block verified before its first use.
//!
//! A file that is mapped takes its bytes from the disk whenever they are looked at: if it is cut
//! meanwhile, the process dies (SIGBUS), and if it is written into, what was verified is not what
//! is used. So blocks are read, each once, into memory of our own, and a read that fails is an
//! error.

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

/// A file of the index, as much of it in memory as has been looked at.
///
/// Opening checks its frame. Its content is read and compared with the checksums block by block,
/// each when it is first looked at, so that opening costs the same for a large file as for a small
/// one and nothing unverified is ever used.
#[derive(Debug)]
pub(crate) struct BlockFile {
    pub(crate) path: PathBuf,
    /// Stays open: deleting the file takes nothing from who has opened it.
    file: File,
    /// Room for the content, page by page without cost until it is filled.
    memory: MmapRaw,
    frame: Frame,
    /// Whether a block is in memory and was found right; from then on it is never written again.
    present: Box<[AtomicBool]>,
    /// Held while a block is filled.
    filling: Mutex<()>,
}

impl BlockFile {
    /// Opens a file of the index and checks length, magic, version and the table of checksums, in
    /// this order.
    ///
    /// `Ok(None)` if there is no such file. With an entry of the manifest, it must be the file that
    /// the entry means: another index's file is whole, but not ours.
    pub(crate) fn open(
        path: &Path,
        magic: [u8; 8],
        entry: Option<&FileEntry>,
    ) -> Result<Option<BlockFile>> {
        BlockFile::open_version(path, magic, &format::READABLE, entry)
    }

    /// As [`BlockFile::open`], for a file of one of these versions of the format.
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
        // Most of it is never touched, and memory that is not touched need not be set aside.
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

    /// Reads the content from the header's end on.
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

    /// Checksum of the table of checksums, which stands for the whole file.
    pub(crate) fn checksum(&self) -> u64 {
        self.frame.checksum
    }

    /// Version of the format in which it was written.
    pub(crate) fn version(&self) -> u32 {
        self.frame.version
    }

    /// Part of the content, verified.
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
            // Whoever sees that a block is there sees its bytes.
            if !self.present[block].load(Ordering::Acquire) {
                self.fill(block)?;
            }
        }
        // SAFETY: the range lies in the memory, which is as long as the content and lives as long
        // as `self`. Its blocks are present, and `fill`, which alone writes, does not touch them
        // again.
        #[allow(unsafe_code)]
        Ok(unsafe {
            std::slice::from_raw_parts(self.memory.as_ptr().add(range.start), range.len())
        })
    }

    /// Part of the content, verified, as a copy: nothing of it stays in memory that was not there.
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

    /// Part of the content as values, verified; the range comes from a [`FileReader`], which aligns
    /// it.
    #[inline]
    pub(crate) fn view<T: format::Plain>(&self, range: Range<usize>) -> Result<&[T]> {
        let unfit = || corrupt(&self.path, "alignment", range.start, format::ALIGN);
        format::cast(self.bytes(range.clone())?).ok_or_else(unfit)
    }

    /// Verifies all blocks as they are on disk now, and names those that are wrong.
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

    /// Compares the SHA-256 of the whole file as it is on disk now.
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

    /// Reads a block into its place, unless it is there, and verifies it.
    #[cold]
    #[inline(never)]
    fn fill(&self, block: usize) -> Result<()> {
        let _alone = self.filling.lock().unwrap_or_else(PoisonError::into_inner);
        if self.present[block].load(Ordering::Acquire) {
            return Ok(());
        }
        let range = self.range_of(block);
        // SAFETY: the block lies in the memory, which is initialised (anonymous memory is zero).
        // Nobody else refers to it: `bytes` gives out blocks that are present only, and of those
        // that are not, the lock lets one be written at a time.
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

/// SHA-256 of some bytes.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Reads a part of a file that had it when it was opened.
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
            // What was read stays, whatever becomes of the file.
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
