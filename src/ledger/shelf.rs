//! The keys of the submissions, in a separate index beside the ledger.
//!
//! Each video stream of a submission is an *entry*, named by a digest of the submission's number
//! and bytes. So two creators can submit the same bytes, and no entry reveals the path of its clip.
//! Entries have the role [`Role::Submission`], and searches among public videos never meet them.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

use super::book::Submission;
use super::intake::Books;
use super::record::{Entry, State};
use crate::fingerprint::{FINGERPRINT_VERSION, Fingerprint};
use crate::index::{Index, IndexConfig, Publication, Role, Writer, hex};
use crate::ingest::video_of;
use crate::media::open_regular;
use crate::sample::CORPUS_INTERVAL;
use crate::{Error, Result};

/// The index of the submissions.
#[derive(Clone, Debug)]
pub(super) struct Shelf {
    dir: PathBuf,
    clock: fn() -> SystemTime,
    patience: Duration,
}

/// The right to search among the submissions and to add to them, released when dropped.
#[derive(Debug)]
pub(super) struct Turn {
    _file: std::fs::File,
}

/// A video stream of a submission, and when it begins in the clip.
#[derive(Clone, Copy)]
pub(super) struct Shown<'a> {
    pub(super) fingerprint: &'a Fingerprint,
    pub(super) start: Duration,
}

/// Names the video streams of a submission, numbered from `first`.
pub(super) fn named<'a>(
    of: &Submission,
    first: u32,
    pictures: Vec<Shown<'a>>,
) -> Vec<(Shown<'a>, [u8; 32])> {
    (first..)
        .zip(pictures)
        .map(|(number, shown)| (shown, entry_digest(of.number, number, &of.sha256)))
        .collect()
}

/// An entry in the index.
#[derive(Clone, Debug)]
pub(super) struct Shelved {
    pub(super) digest: String,
    /// The number of its submission, from its name.
    pub(super) number: Option<u64>,
    pub(super) duration: Duration,
}

impl Shelf {
    pub(super) fn of(books: &Books<'_>) -> Shelf {
        Shelf {
            dir: books.submissions.to_owned(),
            clock: books.clock,
            patience: books.patience,
        }
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Waits until nobody else searches among the submissions to add to them. Otherwise two workers
    /// could miss each other's clip. `stop` is called repeatedly, and its error ends the waiting.
    pub(super) fn turn(&self, stop: &dyn Fn() -> Result<()>) -> Result<Turn> {
        let mut path = self.dir.clone().into_os_string();
        path.push(".turn");
        let path = PathBuf::from(path);
        if let Some(folder) = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
        {
            std::fs::create_dir_all(folder).map_err(Error::io(folder, "create folder"))?;
        }
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(false);
        let file = open_regular(&path, &mut options).map_err(Error::io(&path, "open"))?;
        loop {
            // The kernel releases the lock when its process ends, in any case.
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Turn { _file: file }),
                Err(Errno::WOULDBLOCK) => stop()?,
                Err(cause) => return Err(Error::io(&path, "lock")(cause.into())),
            }
        }
    }

    /// Opens the index for a search among the submissions; `None` if it does not exist yet.
    pub(super) fn open(&self) -> Result<Option<Index>> {
        if !Index::exists(&self.dir) {
            return Ok(None);
        }
        let index = Index::open(&self.dir)?;
        // Checked before anything gets a number: naming the index of public videos here would be a
        // mistake on the command line.
        if index.searched_role() != Role::Submission && index.state().videos > 0 {
            return Err(Error::OtherRole {
                path: self.dir.clone(),
                role: index.searched_role().plural(),
            });
        }
        Ok(Some(index))
    }

    /// Adds the video streams of a submission and removes others. When this returns, the change is
    /// durable.
    ///
    /// The digests become the entries' names.
    pub(super) fn put(
        &self,
        of: &Submission,
        pictures: &[(Shown<'_>, [u8; 32])],
        removed: &[String],
    ) -> Result<(Vec<Entry>, State)> {
        let config = IndexConfig {
            fingerprint_version: FINGERPRINT_VERSION,
            interval: CORPUS_INTERVAL,
        };
        let mut writer = self
            .writer(|dir| Writer::open_or_create(dir, config))?
            .with_clock(self.clock);
        remove(&mut writer, removed)?;
        // Replaces entries of a worker that died before it recorded the answer.
        let own: Vec<String> = pictures.iter().map(|(_, digest)| hex(digest)).collect();
        remove(&mut writer, &own)?;
        let mut entries = Vec::new();
        for (picture, (shown, digest)) in pictures.iter().enumerate() {
            let entry = Entry {
                digest: hex(digest),
                start_ms: shown.start.as_millis() as u64,
            };
            let source = shown.fingerprint.to_source();
            // Of several certain copies of a part, the first published one is always compared.
            let publication = Publication {
                published_at: crate::index::moment(
                    SystemTime::UNIX_EPOCH + Duration::from_millis(of.received_ms),
                ),
                ..Publication::default()
            };
            let video = video_of(name(of.number, picture), *digest, publication, &source);
            let pictures = source.pictures.to_bytes();
            writer.add_with_pictures(
                Role::Submission,
                video,
                source.runs,
                &source.motion,
                pictures,
            )?;
            entries.push(entry);
        }
        writer.commit()?;
        // Merges as entries pile up, so that the index does not get a file for each submission.
        writer.maintain(&never)?;
        let state = writer.commit()?;
        Ok((
            entries,
            State {
                root: state.root,
                generation: state.generation,
            },
        ))
    }

    /// Removes entries with all their data.
    pub(super) fn clear(&self, digests: &[String]) -> Result<State> {
        let mut writer = self.writer(Writer::open)?.with_clock(self.clock);
        remove(&mut writer, digests)?;
        writer.commit()?;
        writer.compact(&never)?;
        let state = writer.commit()?;
        Ok(State {
            root: state.root,
            generation: state.generation,
        })
    }

    /// Waits for another writer, up to the patience.
    fn writer(&self, open: impl Fn(&Path) -> Result<Writer>) -> Result<Writer> {
        let begun = Instant::now();
        loop {
            match open(&self.dir) {
                Err(Error::Locked { .. }) if begun.elapsed() < self.patience => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                other => return other,
            }
        }
    }
}

/// The entries of an index, in no particular order.
pub(super) fn shelved(index: &Index) -> impl Iterator<Item = Shelved> + '_ {
    index.in_role(Role::Submission).map(|(_, video)| Shelved {
        digest: hex(&video.sha256),
        number: number_of(&video.path),
        duration: video.duration,
    })
}

/// The state of an index.
pub(super) fn state(index: &Index) -> State {
    State {
        root: index.state().root.clone(),
        generation: index.state().generation,
    }
}

/// Upkeep of the index of submissions is short and not cancelled.
fn never() -> bool {
    false
}

fn remove(writer: &mut Writer, digests: &[String]) -> Result<()> {
    digests
        .iter()
        .try_for_each(|digest| writer.remove_as(Role::Submission, digest).map(drop))
}

/// The digest that names an entry: SHA-256 over a fixed text, the submission's number, the video
/// stream's number, and the SHA-256 of the clip in hexadecimal.
pub fn entry_digest(number: u64, picture: u32, clip_sha256: &str) -> [u8; 32] {
    let mut hash = Sha256::new_with_prefix(b"uniq-submission-1\n");
    hash.update(number.to_le_bytes());
    hash.update(picture.to_le_bytes());
    hash.update(clip_sha256.as_bytes());
    hash.finalize().into()
}

fn name(number: u64, picture: usize) -> String {
    match picture {
        0 => format!("submission {number}"),
        _ => format!("submission {number}, picture {}", picture + 1),
    }
}

fn number_of(name: &str) -> Option<u64> {
    name.strip_prefix("submission ")?
        .split(',')
        .next()?
        .parse()
        .ok()
}
