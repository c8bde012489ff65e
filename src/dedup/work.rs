//! The work folder of a search for duplicates. It keeps the fingerprints of the clips by SHA-256,
//! so that they need not be in memory together, and a later run need not decode again.
//!
//! | file | content |
//! |---|---|
//! | `uniq-dedup` | one line: [`MARK`] and the version of the fingerprints |
//! | `lock` | locked by the run that uses the folder |
//! | `clips/SHA256.DETAIL.json` | the clip's pictures and streams; written last |
//! | `clips/SHA256.DETAIL.N.uniq` | the fingerprint of picture N, with its small pictures |
//! | `index/` | the index of the clips, made again by each run |
//!
//! DETAIL is `full` or `fast`. The files reveal what the clips show; on Unix only the owner may
//! read the folder.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::fingerprint::{ClipPictures, FINGERPRINT_VERSION, Fingerprint, Looked, NO_KEYFRAME};
use crate::index::hex;
use crate::report::Effort;
use crate::{Error, Result};

/// A work folder that this run has locked.
#[derive(Debug)]
pub(super) struct Work {
    dir: PathBuf,
    detail: &'static str,
    _lock: fs::File,
}

/// What is kept of a clip beside the fingerprints of its video streams.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kept {
    /// The video streams, first the one that most players show.
    pub(super) pictures: Vec<KeptPicture>,
    /// Why streams that a player could show are missing here.
    pub(super) unseen: Vec<String>,
}

/// A video stream of a clip, or several with the same content.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeptPicture {
    /// Numbers of its streams.
    pub(super) streams: Vec<u32>,
    /// When it begins, counted from the beginning of the first one.
    pub(super) start: Duration,
    /// Its length.
    pub(super) duration: Duration,
}

impl Work {
    /// Opens a folder for fingerprints of this effort, and creates it if it is missing.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidSetting`] for a folder with other content, of another version, or in use;
    /// [`Error::Io`].
    pub(super) fn open(dir: &Path, effort: Effort) -> Result<Work> {
        let refuse = |found: &str, expected| {
            let found = format!("{}{found}", dir.display());
            Err(Error::InvalidSetting {
                name: "the work folder",
                found,
                expected,
            })
        };
        make_folder(dir)?;
        let mark = dir.join("uniq-dedup");
        let expected = format!("{MARK} {FINGERPRINT_VERSION}\n");
        match fs::read_to_string(&mark) {
            Ok(found) if found == expected => {}
            Ok(_) => {
                return refuse(
                    ", which another version made",
                    "a folder of this version: name another, or remove this one",
                );
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                if fs::read_dir(dir)
                    .map_err(Error::io(dir, "read"))?
                    .next()
                    .is_some()
                {
                    return refuse(
                        ", which holds other files",
                        "a new or empty folder, or one of an earlier run",
                    );
                }
                fs::write(&mark, expected).map_err(Error::io(&mark, "write"))?;
            }
            Err(_) if mark.is_file() => {
                return refuse(
                    ", which another version made",
                    "a folder of this version: name another, or remove this one",
                );
            }
            Err(error) => return Err(Error::io(&mark, "read")(error)),
        }
        let path = dir.join("lock");
        let lock = fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path);
        let lock = lock.map_err(Error::io(&path, "open"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                return refuse(
                    ", which another run is using",
                    "for this run alone: wait, or name another folder",
                );
            }
            Err(fs::TryLockError::Error(error)) => return Err(Error::io(&path, "lock")(error)),
        }
        make_folder(&dir.join("clips"))?;
        let detail = if effort == Effort::Fast {
            "fast"
        } else {
            "full"
        };
        Ok(Work {
            dir: dir.to_owned(),
            detail,
            _lock: lock,
        })
    }

    /// An empty folder for the index of this run.
    pub(super) fn index(&self) -> Result<PathBuf> {
        let dir = self.dir.join("index");
        match fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::io(&dir, "remove")(error))
            }
            _ => Ok(dir),
        }
    }

    /// Saves the fingerprints of a clip. When this returns, a later run finds them.
    pub(super) fn keep(&self, sha256: &[u8; 32], made: &ClipPictures) -> Result<Kept> {
        for (number, picture) in made.pictures.iter().enumerate() {
            picture
                .fingerprint
                .save_with_pictures(&self.fingerprint_path(sha256, number))?;
        }
        let picture = |picture: &crate::fingerprint::Picture| KeptPicture {
            streams: picture.streams.clone(),
            start: picture.start,
            duration: picture.fingerprint.duration,
        };
        let unseen = made
            .streams
            .iter()
            .filter_map(|(stream, looked)| match looked {
                Looked::Not(reason) => Some(format!(
                    "video stream {} ({}): {reason}",
                    stream.index, stream.codec
                )),
                _ => None,
            });
        let kept = Kept {
            pictures: made.pictures.iter().map(picture).collect(),
            unseen: unseen.collect(),
        };
        let path = self.clip_path(sha256);
        let mut file = tempfile::NamedTempFile::new_in(self.dir.join("clips"))
            .map_err(Error::io(&path, "create"))?;
        // Strings and numbers always serialise.
        let text = serde_json::to_vec(&kept).unwrap_or_default();
        file.write_all(&text).map_err(Error::io(&path, "write"))?;
        file.persist(&path)
            .map_err(|error| Error::io(&path, "rename")(error.error))?;
        Ok(kept)
    }

    /// What an earlier run saved of a clip; `None` if nothing, or if it is damaged.
    pub(super) fn kept(&self, sha256: &[u8; 32]) -> Option<Kept> {
        let kept: Kept = serde_json::from_slice(&fs::read(self.clip_path(sha256)).ok()?).ok()?;
        let whole = |(number, picture): (usize, &KeptPicture)| {
            let found = self.fingerprint(sha256, number);
            found.is_ok_and(|found| found.sha256 == *sha256 && found.duration == picture.duration)
        };
        let all = !kept.pictures.is_empty() && kept.pictures.iter().enumerate().all(whole);
        all.then_some(kept)
    }

    /// The fingerprint of a video stream of a clip.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], and [`Error::InvalidFingerprint`] if it is damaged.
    pub(super) fn fingerprint(&self, sha256: &[u8; 32], number: usize) -> Result<Fingerprint> {
        let path = self.fingerprint_path(sha256, number);
        let bytes = fs::read(&path).map_err(Error::io(&path, "read"))?;
        let mut found = Fingerprint::from_bytes(&bytes)
            .map_err(|reason| Error::InvalidFingerprint { path, reason })?;
        // This program made it of the clip, so missing keyframes only mean a fast search, not a
        // manipulated fingerprint.
        found.undecoded.retain(|hole| hole.reason != NO_KEYFRAME);
        Ok(found)
    }

    /// Bytes of all files in the folder.
    pub(super) fn bytes(&self) -> u64 {
        let files = walkdir::WalkDir::new(&self.dir)
            .into_iter()
            .filter_map(|entry| entry.ok()?.metadata().ok());
        files
            .filter(fs::Metadata::is_file)
            .map(|file| file.len())
            .sum()
    }

    fn clip_path(&self, sha256: &[u8; 32]) -> PathBuf {
        self.dir
            .join("clips")
            .join(format!("{}.{}.json", hex(sha256), self.detail))
    }

    fn fingerprint_path(&self, sha256: &[u8; 32], number: usize) -> PathBuf {
        self.dir
            .join("clips")
            .join(format!("{}.{}.{number}.uniq", hex(sha256), self.detail))
    }
}

/// Creates a folder that only its owner may read, because its files reveal what the clips show.
fn make_folder(dir: &Path) -> Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).map_err(Error::io(dir, "create folder"))
}

/// First words of the file that marks a work folder, with the version of its layout.
const MARK: &str = "work folder of uniq dedup, layout 1, fingerprint";
