//! An open regular file of bounded length, unchanged from hashing to the end of decoding.
//!
//! The file is opened once, and hashing and decoding read from that one descriptor. So nobody can
//! exchange the file in between. A check at the end detects whether its bytes were rewritten
//! meanwhile.

use std::fs::{File, FileType, Metadata, OpenOptions};
use std::io::{Error as IoError, ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};

use super::limits::{Limit, Limits};
use crate::{Error, Result};

/// What to do if the given path is a symbolic link.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Links {
    /// Return an error: through a link, a stranger could choose which file the program reads.
    #[default]
    Refuse,
    /// Read the file that it leads to.
    Follow,
}

/// A file that is open for reading.
#[derive(Debug)]
pub struct Source {
    path: PathBuf,
    file: Arc<File>,
    /// Where it begins in the file; not 0 for a part of a file.
    start: u64,
    bytes: u64,
    stamp: Stamp,
}

impl Source {
    /// Opens a regular file.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if it cannot be opened, [`Error::Link`] for a symbolic link that must not be
    /// followed, [`Error::NotMedia`] for a pipe, socket or device, [`Error::Empty`], and
    /// [`Error::LimitExceeded`] for a file with more than [`Limits::bytes`].
    pub fn open(path: &Path, links: Links, limits: &Limits) -> Result<Source> {
        let file = open_plain(path, links)?;
        let metadata = file.metadata().map_err(Error::io(path, "open"))?;
        let bytes = metadata.len();
        if bytes == 0 && !matches!(read_at(&file, &mut [0], 0), Ok(0)) {
            return Err(not_plain(
                path,
                "the system generates its content as it is read".to_owned(),
            ));
        }
        if bytes == 0 {
            return Err(Error::Empty {
                path: path.to_owned(),
            });
        }
        if bytes > limits.bytes {
            return Err(Limit::Bytes.exceeded(path, limits, format!("{bytes} bytes")));
        }
        Ok(Source {
            path: path.to_owned(),
            file: Arc::new(file),
            start: 0,
            bytes,
            stamp: Stamp::of(&metadata),
        })
    }

    /// Takes a descriptor that another process opened, of a file of `bytes` bytes; its name is
    /// unknown.
    pub(crate) fn handed_over(file: File, bytes: u64) -> Source {
        Source {
            path: PathBuf::new(),
            file: Arc::new(file),
            start: 0,
            bytes,
            stamp: Stamp::default(),
        }
    }

    /// A part of the file, read as if it were a file.
    pub(super) fn part(&self, range: Range<u64>) -> Source {
        let start = range.start.min(self.bytes);
        Source {
            path: self.path.clone(),
            file: Arc::clone(&self.file),
            start: self.start + start,
            bytes: range.end.min(self.bytes).saturating_sub(start),
            stamp: Stamp::default(),
        }
    }

    /// The path by which it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its length when it was opened; bytes added later are not read.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    #[cfg(unix)]
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// A reader with its own position, starting at the first byte.
    pub(crate) fn reader(&self) -> SourceReader {
        SourceReader {
            file: Arc::clone(&self.file),
            start: self.start,
            bytes: self.bytes,
            at: 0,
        }
    }

    /// Returns whether it begins with these bytes; `false` also if it cannot be read.
    pub(crate) fn begins_with(&self, bytes: &[u8]) -> bool {
        let mut first = vec![0; bytes.len()];
        self.reader().read_exact(&mut first).is_ok() && first == bytes
    }

    /// Reads all of its bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if it cannot be read, [`Error::Changed`] if it became shorter.
    pub(crate) fn read_all(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.reader()
            .read_to_end(&mut bytes)
            .map_err(Error::io(&self.path, "read"))?;
        if (bytes.len() as u64) < self.bytes {
            return Err(Error::Changed {
                path: self.path.clone(),
            });
        }
        Ok(bytes)
    }

    /// Computes the SHA-256 of its bytes. Stops between blocks if `stop` returns true.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if it cannot be read, [`Error::Changed`] if it became shorter,
    /// [`Error::Cancelled`].
    pub fn sha256(&self, stop: &dyn Fn() -> bool) -> Result<[u8; 32]> {
        let mut reader = self.reader();
        let mut hasher = Sha256::new();
        let mut block = vec![0; HASH_BLOCK];
        loop {
            if stop() {
                return Err(Error::Cancelled);
            }
            match reader.read(&mut block) {
                Ok(0) if reader.at < self.bytes => {
                    return Err(Error::Changed {
                        path: self.path.clone(),
                    });
                }
                Ok(0) => return Ok(hasher.finalize().into()),
                Ok(length) => hasher.update(&block[..length]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::io(&self.path, "read")(error)),
            }
        }
    }

    /// Checks that the file was not written to since it was opened.
    ///
    /// # Errors
    ///
    /// [`Error::Changed`] if its length or a time stamp differs, and [`Error::Io`].
    pub fn unchanged(&self) -> Result<()> {
        let now = Stamp::of(
            &self
                .file
                .metadata()
                .map_err(Error::io(&self.path, "read"))?,
        );
        if now == self.stamp {
            Ok(())
        } else {
            Err(Error::Changed {
                path: self.path.clone(),
            })
        }
    }
}

/// Writes bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble & 15)]);
    bytes
        .iter()
        .flat_map(|&byte| [digit(byte >> 4), digit(byte)])
        .collect()
}

/// Opens a regular file without blocking and without reading a byte.
///
/// # Errors
///
/// Those of [`Source::open`], except for the file's length.
pub(crate) fn open_plain(path: &Path, links: Links) -> Result<File> {
    if links == Links::Refuse
        && std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink())
    {
        return Err(Error::Link {
            path: path.to_owned(),
        });
    }
    let file = match open_at_once(path, links) {
        Ok(file) => file,
        // A socket, or a device without a driver.
        Err(error) if is_special(path) => return Err(not_plain(path, error.to_string())),
        Err(error) => return Err(Error::io(path, "open")(error)),
    };
    let metadata = file.metadata().map_err(Error::io(path, "open"))?;
    if metadata.is_dir() {
        return Err(Error::io(path, "open")(IoError::from(
            ErrorKind::IsADirectory,
        )));
    }
    if !metadata.is_file() {
        return Err(not_plain(path, "it has no end".to_owned()));
    }
    Ok(file)
}

/// Opens a file of our own with any options, without blocking on a pipe of that name.
///
/// # Errors
///
/// Those of the system, and [`ErrorKind::InvalidInput`] naming the file's type if it is not
/// regular.
pub(crate) fn open_regular(path: &Path, options: &mut OpenOptions) -> std::io::Result<File> {
    let refuse = |kind: FileType| match kind.is_file() {
        true => Ok(()),
        false => Err(IoError::new(
            ErrorKind::InvalidInput,
            format!("{} is there instead of a regular file", name_of(kind)),
        )),
    };
    // First check without opening, since opening alone can change the state of a device.
    match path.metadata() {
        Ok(metadata) => refuse(metadata.file_type())?,
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    #[cfg(unix)]
    let options = {
        use std::os::unix::fs::OpenOptionsExt as _;
        options
            .custom_flags((rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY).bits() as i32)
    };
    let file = options.open(path)?;
    // Check again, since another file may have replaced it.
    refuse(file.metadata()?.file_type())?;
    Ok(file)
}

fn name_of(kind: FileType) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt as _;
        if kind.is_fifo() {
            return "a pipe";
        }
        if kind.is_socket() {
            return "a socket";
        }
    }
    if kind.is_dir() {
        "a folder"
    } else {
        "a device"
    }
}

fn is_special(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
}

fn not_plain(path: &Path, why: String) -> Error {
    Error::NotMedia {
        path: path.to_owned(),
        reason: format!("a pipe, socket or device, not a file ({why}); give a regular file"),
    }
}

/// Opens for reading. It does not block on a pipe without a writer, and does not follow a link that
/// was put there after the check.
#[cfg(unix)]
fn open_at_once(path: &Path, links: Links) -> std::io::Result<File> {
    use rustix::fs::{Mode, OFlags};
    let mut flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    if links == Links::Refuse {
        flags |= OFlags::NOFOLLOW;
    }
    Ok(File::from(rustix::fs::open(path, flags, Mode::empty())?))
}

#[cfg(not(unix))]
fn open_at_once(path: &Path, _: Links) -> std::io::Result<File> {
    File::open(path)
}

/// File attributes that change when somebody writes to the file.
#[derive(Debug, Default, PartialEq, Eq)]
struct Stamp {
    bytes: u64,
    modified: Option<SystemTime>,
    /// When the inode changed, which no call can set back; zero where the system has no such time.
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Stamp {
        #[cfg(unix)]
        let changed = {
            use std::os::unix::fs::MetadataExt as _;
            (metadata.ctime(), metadata.ctime_nsec())
        };
        #[cfg(not(unix))]
        let changed = (0, 0);
        Stamp {
            bytes: metadata.len(),
            modified: metadata.modified().ok(),
            changed,
        }
    }
}

/// Reads a [`Source`] up to the length that it had when it was opened.
#[derive(Debug)]
pub(crate) struct SourceReader {
    file: Arc<File>,
    start: u64,
    bytes: u64,
    at: u64,
}

impl Read for SourceReader {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let left = usize::try_from(self.bytes.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let length = buffer.len().min(left);
        // The system refuses an offset beyond its maximum even for an empty read.
        if length == 0 {
            return Ok(0);
        }
        let read = read_at(&self.file, &mut buffer[..length], self.start + self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for SourceReader {
    fn seek(&mut self, position: SeekFrom) -> std::io::Result<u64> {
        let target = match position {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(step) => self.at.checked_add_signed(step),
            SeekFrom::End(step) => self.bytes.checked_add_signed(step),
        };
        self.at = target.ok_or_else(|| IoError::from(ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}

/// Reads at an offset without moving the position that the descriptor shares with other processes.
#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], at: u64) -> std::io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, at)
}

#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], at: u64) -> std::io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, at)
}

/// Bytes hashed at a time.
const HASH_BLOCK: usize = 1 << 16;

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn open(path: &Path) -> Result<Source> {
        Source::open(path, Links::Refuse, &Limits::default())
    }

    #[test]
    fn what_is_written_after_the_opening_is_noticed_and_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, b"before").unwrap();
        let source = open(&path).unwrap();
        let before = source.sha256(&|| false).unwrap();
        source.unchanged().unwrap();
        File::options()
            .append(true)
            .open(&path)
            .unwrap()
            .write_all(b", after")
            .unwrap();
        assert_eq!(source.sha256(&|| false).unwrap(), before);
        assert!(matches!(source.unchanged(), Err(Error::Changed { .. })));
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(3)
            .unwrap();
        assert!(matches!(
            source.sha256(&|| false),
            Err(Error::Changed { .. })
        ));
        assert!(matches!(source.sha256(&|| true), Err(Error::Cancelled)));
    }

    #[test]
    fn a_reader_has_its_own_place_and_an_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, b"0123456789").unwrap();
        let source = open(&path).unwrap();
        let (mut one, mut other) = (source.reader(), source.reader());
        assert_eq!(one.seek(SeekFrom::End(-3)).unwrap(), 7);
        let mut text = String::new();
        one.read_to_string(&mut text).unwrap();
        other.read_to_string(&mut text).unwrap();
        assert_eq!(text, "7890123456789");
        assert_eq!(one.seek(SeekFrom::Start(u64::MAX)).unwrap(), u64::MAX);
        assert_eq!(one.read(&mut [0; 4]).unwrap(), 0);
        assert!(one.seek(SeekFrom::Current(1)).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn links_pipes_devices_and_folders_are_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link, pipe) = (
            dir.path().join("file"),
            dir.path().join("link"),
            dir.path().join("pipe"),
        );
        std::fs::write(&file, b"x").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert!(
            std::process::Command::new("mkfifo")
                .arg(&pipe)
                .status()
                .unwrap()
                .success()
        );
        let socket = dir.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert!(matches!(open(&link), Err(Error::Link { .. })));
        assert!(Source::open(&link, Links::Follow, &Limits::default()).is_ok());
        for special in [&pipe, &socket, Path::new("/dev/zero")] {
            assert!(
                matches!(open(special), Err(Error::NotMedia { .. })),
                "{}",
                special.display()
            );
        }
        assert!(matches!(open(dir.path()), Err(Error::Io { .. })));
        let small = Limits {
            bytes: 0,
            ..Limits::default()
        };
        assert!(matches!(
            Source::open(&file, Links::Refuse, &small),
            Err(Error::LimitExceeded { .. })
        ));
    }
}
