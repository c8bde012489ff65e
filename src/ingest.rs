//! Finds source videos and adds them to an index, many at a time.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rayon::iter::{ParallelBridge as _, ParallelIterator as _};

use crate::fingerprint::{self, FINGERPRINT_VERSION, Fingerprint, Motion, Run, SourceFingerprint};
use crate::index::{Index, IndexConfig, IndexState, Publication, Role, Upkeep, Video, Writer, hex};
use crate::sample::CORPUS_INTERVAL;
use crate::sandbox::Decoding;
use crate::{Error, Result};

mod failures;
mod intake;
mod sources;

use intake::Intake;
pub use sources::{
    Reach, Source, Sources, VIDEO_EXTENSIONS, endings, files_listed, files_within, is_list,
    sources, sources_within,
};

/// Which sources a build handles.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Take {
    /// Adds new sources and corrects what the index knows of the others.
    #[default]
    All,
    /// Corrects what the index knows of its videos, and adds nothing.
    Known,
    /// As `Known`; also makes the small pictures of sources that have none.
    Pictures,
}

/// Options of a build.
#[derive(Debug, Clone)]
pub struct BuildOptions {
    /// Where the sources are decoded, and with which limits.
    pub decoding: Decoding,
    /// Role of the added videos.
    pub role: Role,
    /// Which of the sources to handle.
    pub take: Take,
    /// Maximum time between two keyframes of a source, 0.1 to 60 s. `None` takes the index's own,
    /// or [`CORPUS_INTERVAL`] for a new one.
    pub interval: Option<Duration>,
    /// Number of videos decoded at a time; `None` means one per core.
    pub threads: Option<usize>,
    /// Maximum time for which finished videos wait in memory for their commit.
    pub commit_every: Duration,
    /// Clock for the times of commits; `None` records none.
    pub clock: Option<fn() -> SystemTime>,
}

impl BuildOptions {
    /// Options that suit most builds. Where files are decoded has no default.
    pub fn new(decoding: Decoding) -> BuildOptions {
        BuildOptions {
            decoding,
            role: Role::Source,
            take: Take::All,
            interval: None,
            threads: None,
            commit_every: Duration::from_secs(120),
            clock: None,
        }
    }
}

/// Progress of a build. Events come from several threads, also at the same time.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The amount of work is known.
    Started {
        /// Number of source files.
        videos: usize,
        /// Their total size in bytes.
        bytes: u64,
    },
    /// A part of a video was decoded.
    Advanced {
        /// Length of that part.
        video: Duration,
    },
    /// A source is finished.
    Finished {
        /// The file.
        path: &'a Path,
        /// Its size in bytes.
        bytes: u64,
        /// Its outcome.
        outcome: Outcome<'a>,
    },
    /// The finished videos are durable on disk.
    Committed {
        /// Number of videos in the index.
        videos: u64,
        /// Number of their keys.
        keys: u64,
    },
    /// The index is being maintained.
    Maintaining {
        /// What is being done.
        what: Upkeep,
        /// The finished share of it, 0..=1.
        share: f32,
    },
}

/// Outcome of a source.
#[derive(Debug)]
pub enum Outcome<'a> {
    /// It was added to the index.
    Added {
        /// Its length.
        duration: Duration,
        /// How much of it could not be decoded.
        undecoded: Duration,
    },
    /// The index already has the same bytes in the same role.
    AlreadyThere,
    /// The index already had the same bytes, and what it knows of them was corrected.
    Corrected,
    /// The index had it without small pictures, which were made.
    Refreshed {
        /// Its length.
        duration: Duration,
    },
    /// It is not in the index and was not to be added.
    NotThere,
    /// The index has the same bytes as benign material, so it was not added as a source.
    Benign,
    /// It could not be added.
    Failed(&'a Error),
}

/// Result of a build.
#[derive(Debug)]
pub struct BuildSummary {
    /// Number of videos added.
    pub added: usize,
    /// Number of sources whose bytes were already in the index.
    pub skipped: usize,
    /// Number of sources that were not added because the index has their bytes as benign material.
    pub benign: usize,
    /// Number of videos of the index whose facts were corrected from the sources.
    pub corrected: usize,
    /// Number of videos of the index whose small pictures were made ([`Take::Pictures`]).
    pub refreshed: usize,
    /// Sources that are not in the index and were not to be added ([`Take::Known`]).
    pub not_there: Vec<PathBuf>,
    /// Sources that could not be added, with the error, in the order of the sources.
    pub failed: Vec<(PathBuf, Error)>,
    /// As `failed`, for sources that already failed in an earlier build and whose files have not
    /// changed.
    pub failed_before: Vec<(PathBuf, Error)>,
    /// Sources that were added although they are damaged, with the length that was not decoded, in
    /// the order of the sources.
    pub damaged: Vec<(PathBuf, Duration)>,
    /// Total length of the videos added.
    pub video: Duration,
    /// Whether the caller cancelled it; finished videos are in the index.
    pub cancelled: bool,
    /// Why the failed sources could not be recorded, if so. The next build then reports them as new
    /// failures again.
    pub unnoted: Option<Error>,
    /// The state of the index after the build.
    pub state: IndexState,
}

/// Adds new sources to the index in `dir`, and creates the index if there is none.
///
/// With [`BuildOptions::role`] they are added as benign material instead, unless the index has them
/// as sources: a video whose copies are searched for cannot also count for nothing.
///
/// For a video that is already indexed, facts in a list replace the known ones; a side file only
/// adds to them. If the file that the index names is gone, the source's path replaces it.
///
/// Each source is decoded by one thread, several at a time. Each commit takes what is finished by
/// then, in the order given: at the end, and every [`BuildOptions::commit_every`]. After an
/// interruption, the same call continues. If a source fails, the summary reports it and the build
/// continues.
///
/// # Errors
///
/// Only errors of the index itself, which also set `cancel` to stop the workers: [`Error::Locked`],
/// [`Error::IncompatibleIndex`], [`Error::CorruptIndex`], [`Error::Io`]. [`Error::InvalidSetting`]
/// for an interval or number of threads out of range.
pub fn build(
    dir: &Path,
    sources: Sources,
    options: &BuildOptions,
    progress: &(dyn Fn(Event<'_>) + Sync),
    cancel: &AtomicBool,
) -> Result<BuildSummary> {
    if let Some(interval) = options.interval {
        crate::sample::Grid::corpus(interval)?;
    }
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(options.threads.unwrap_or(0))
        .build()
        .map_err(|_| Error::InvalidSetting {
            name: "the number of threads",
            found: format!("{:?}", options.threads),
            expected: "a number that this machine can start",
        })?;
    let writer = match options.interval {
        None if Index::exists(dir) => Writer::open(dir)?,
        wanted => {
            let interval = wanted.unwrap_or(CORPUS_INTERVAL);
            Writer::open_or_create(
                dir,
                IndexConfig {
                    fingerprint_version: FINGERPRINT_VERSION,
                    interval,
                },
            )?
        }
    };
    let writer = match options.clock {
        Some(clock) => writer.with_clock(clock),
        None => writer,
    };
    let interval = writer.config().interval;
    let sizes: Vec<u64> = sources
        .sources
        .iter()
        .map(|source| std::fs::metadata(&source.path).map_or(0, |meta| meta.len()))
        .collect();
    progress(Event::Started {
        videos: sizes.len(),
        bytes: sizes.iter().sum(),
    });

    let mut there: HashMap<[u8; 32], Role> = HashMap::new();
    let mut by_path: HashMap<String, [u8; 32]> = HashMap::new();
    let mut without_pictures: HashSet<[u8; 32]> = HashSet::new();
    for (index, role) in writer
        .committed()
        .into_iter()
        .flat_map(|index| [(index, index.searched_role()), (index, Role::Benign)])
    {
        for (reference, video) in index.in_role(role) {
            there.insert(video.sha256, role);
            if options.take == Take::Pictures
                && role.is_searched()
                && !index.has_pictures(reference)
            {
                without_pictures.insert(video.sha256);
            }
            by_path.insert(video.path.clone(), video.sha256);
        }
    }
    let mut intake = Intake::new(writer, dir, options, sources.problems, progress, cancel);
    let known: Mutex<HashSet<[u8; 32]>> = Mutex::new(HashSet::new());
    let is_first = |sha256| {
        known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(sha256)
    };
    let claim = |source: &Source, sha256: [u8; 32]| match there.get(&sha256) {
        Some(_) if without_pictures.contains(&sha256) && is_first(sha256) => Ok(None),
        Some(&role) if role == options.role || options.take != Take::All => {
            Ok(Some(Done::AlreadyThere(sha256)))
        }
        None if options.take != Take::All => Ok(Some(Done::NotThere)),
        Some(Role::Benign) => Ok(Some(Done::Benign)),
        Some(Role::Source | Role::Submission) => Err(Error::IsSource {
            path: source.path.clone(),
            id: hex(&sha256[..8]),
        }),
        None if is_first(sha256) => Ok(None),
        None => Ok(Some(Done::AlreadyThere(sha256))),
    };
    // The index can still correct the facts of a deleted file if it knows this path.
    let gone = |source: &Source| by_path.get(&*source.path.to_string_lossy()).copied();
    let (send, receive) = mpsc::sync_channel::<(usize, Done)>(BACKLOG);
    let outcome: Result<()> = std::thread::scope(|scope| {
        let work = &sources.sources;
        let (pool, claim, gone) = (&pool, &claim, &gone);
        scope.spawn(move || {
            pool.install(|| {
                work.iter()
                    .enumerate()
                    .par_bridge()
                    .for_each(|(number, source)| {
                        let claim = |sha256| claim(source, sha256);
                        let mut done = one(source, options, interval, &claim, progress, cancel);
                        if options.take != Take::All
                            && let Done::Failed(Error::Io { source: cause, .. }) = &done
                            && cause.kind() == std::io::ErrorKind::NotFound
                        {
                            done = gone(source).map_or(Done::NotThere, Done::AlreadyThere);
                        }
                        // The receiver is gone only after an error of the index, which ends the
                        // build anyway.
                        let _ = send.send((number, done));
                    });
            });
        });
        let mut result = Ok(());
        loop {
            match receive.recv_timeout(intake.until_commit()) {
                // After an error, drain the channel, so that the cancelled workers can end.
                Ok(_) | Err(RecvTimeoutError::Timeout) if result.is_err() => {}
                Ok((number, done)) => {
                    result = intake.take(number, done, &sources.sources[number], sizes[number]);
                }
                // Finished videos must not wait while a long one is decoded.
                Err(RecvTimeoutError::Timeout) => result = intake.commit_waiting(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if result.is_err() {
                cancel.store(true, Ordering::Relaxed);
            }
        }
        result
    });
    outcome?;
    intake.finish(dir)
}

/// Adds a clip with a known fingerprint to an index under this name, with the next commit. Returns
/// `false` if the index already has a file of the same bytes.
///
/// # Errors
///
/// Those of [`Writer::add_with_pictures`].
pub fn add_clip(writer: &mut Writer, role: Role, name: &str, clip: &Fingerprint) -> Result<bool> {
    let made = clip.to_source();
    let video = video_of(name.to_owned(), clip.sha256, Publication::default(), &made);
    writer.add_with_pictures(
        role,
        video,
        made.runs,
        &made.motion,
        made.pictures.to_bytes(),
    )
}

/// The index's record of a video with this fingerprint.
pub(crate) fn video_of(
    path: String,
    sha256: [u8; 32],
    publication: Publication,
    made: &SourceFingerprint,
) -> Video {
    Video {
        id: String::new(),
        path,
        sha256,
        duration: made.decoded.duration,
        width: made.decoded.info.width,
        height: made.decoded.info.height,
        publication,
        keyframes: made.keyframes,
        undecoded: made
            .decoded
            .undecoded
            .iter()
            .map(|hole| hole.end.saturating_sub(hole.start))
            .sum(),
    }
}

/// Maximum number of finished videos that wait for the index's thread.
const BACKLOG: usize = 16;

/// A video with its keys, its motion, and its small pictures as stored.
type Made = (Box<Video>, Vec<Run>, Motion, Vec<u8>);

/// Result of a worker for a source.
enum Done {
    Video(Made),
    /// Small pictures of an indexed video, as stored, with its SHA-256 and its length.
    Pictures([u8; 32], Vec<u8>, Duration),
    AlreadyThere([u8; 32]),
    NotThere,
    Benign,
    Failed(Error),
    Stopped,
}

fn one(
    source: &Source,
    options: &BuildOptions,
    interval: Duration,
    claim: &dyn Fn([u8; 32]) -> Result<Option<Done>>,
    progress: &(dyn Fn(Event<'_>) + Sync),
    cancel: &AtomicBool,
) -> Done {
    if cancel.load(Ordering::Relaxed) {
        return Done::Stopped;
    }
    let decoding = &options.decoding;
    let done = decoding.open(&source.path).and_then(|file| {
        let sha256 = file.sha256(&|| cancel.load(Ordering::Relaxed))?;
        if let Some(done) = claim(sha256)? {
            return Ok(done);
        }
        let mut advance = |video| progress(Event::Advanced { video });
        let made = match options.role {
            Role::Source | Role::Submission => fingerprint::of_source(
                &file,
                &sha256,
                decoding,
                interval,
                &mut advance,
                Some(cancel),
            )?,
            Role::Benign => {
                fingerprint::of_benign(&file, &sha256, decoding, &mut advance, Some(cancel))?
            }
        };
        if options.role == Role::Benign && made.runs.is_empty() {
            return Err(Error::NothingBenign {
                path: source.path.clone(),
            });
        }
        let pictures = made.pictures.to_bytes();
        if options.take == Take::Pictures {
            return Ok(Done::Pictures(sha256, pictures, made.decoded.duration));
        }
        let path = source.path.to_string_lossy().into_owned();
        let video = video_of(path, sha256, source.publication.clone(), &made);
        Ok(Done::Video((
            Box::new(video),
            made.runs,
            made.motion,
            pictures,
        )))
    });
    match done {
        Ok(done) => done,
        Err(Error::Cancelled) => Done::Stopped,
        Err(Error::NotMedia { path, .. })
            if Fingerprint::is_file(&path, options.decoding.links) =>
        {
            let reason = "a fingerprint of a clip; give the video itself, which an index needs";
            Done::Failed(Error::NotMedia {
                path,
                reason: reason.into(),
            })
        }
        Err(error) => Done::Failed(error),
    }
}
