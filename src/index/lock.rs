//! Allows one writer per index at a time, across processes.
//!
//! The lock is the kernel's (flock), not the file's existence. It ends with its process in any
//! case, so a dead owner need not be detected. The process number in the file only serves the error
//! message.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use crate::error::{Error, Result};
use crate::media::open_regular;

/// The right to write to an index, released when dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
}

impl Lock {
    /// Takes the lock, or fails and names the holder.
    pub(crate) fn acquire(path: &Path) -> Result<Lock> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = open_regular(path, &mut options).map_err(Error::io(path, "open"))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut text = String::new();
                // Best effort: the owner may not have written its number yet.
                let _ = (&mut file).take(16).read_to_string(&mut text);
                return Err(Error::Locked {
                    path: path.to_owned(),
                    owner: text.trim().parse().ok(),
                });
            }
            Err(cause) => return Err(Error::io(path, "lock")(cause.into())),
        }
        // Best effort: a merge may free space, so it must be able to start on a full disk.
        let _ = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Lock { file })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // The empty file stays: if it were deleted, two processes could lock two files of the same
        // name.
        let _ = self.file.set_len(0);
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}
