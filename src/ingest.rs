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

/// Which sources a build takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Take {
    /// What is new is added, and what is known of the others is corrected.
    #[default]
    All,
    /// What is known of those that are in the index is corrected, and nothing is added.
    Known,
    /// As `Known`, and small pictures are made of the sources that have none.
    Pictures,
}

/// How an index is built.
#[derive(Debug, Clone)]
pub struct BuildOptions {
    /// Where the sources are decoded, and what they may take.
    pub decoding: Decoding,
    /// What the videos are added as.
    pub role: Role,
    /// Which of the sources are taken.
    pub take: Take,
    /// Longest time between two keyframes of a source, 0.1 to 60 s; `None` takes the index's own,
    /// or [`CORPUS_INTERVAL`] for a new one.
    pub interval: Option<Duration>,
    /// Videos decoded at a time; `None` takes one a core.
    pub threads: Option<usize>,
    /// Longest time for which finished videos wait in memory for their commit.
    pub commit_every: Duration,
    /// What the times of commits are taken from; `None` notes none.
    pub clock: Option<fn() -> SystemTime>,
}

impl BuildOptions {
    /// What suits most; where files are decoded has to be said by name.
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

/// What a build tells while it runs; events come from several threads, also at the same time.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The work is known.
    Started {
        /// Source files.
        videos: usize,
        /// Their bytes.
        bytes: u64,
    },
    /// Some video was decoded.
    Advanced {
        /// How much further one video has come.
        video: Duration,
    },
    /// A source is done with.
    Finished {
        /// The file.
        path: &'a Path,
        /// Its bytes.
        bytes: u64,
        /// What became of it.
        outcome: Outcome<'a>,
    },
    /// What was finished is safe on disk.
    Committed {
        /// Videos in the index.
        videos: u64,
        /// Their keys.
        keys: u64,
    },
    /// The index is being put in order.
    Maintaining {
        /// What goes on.
        what: Upkeep,
        /// How much of it is done, in 0..=1.
        share: f32,
    },
}

/// What became of a source.
#[derive(Debug)]
pub enum Outcome<'a> {
    /// It is new in the index.
    Added {
        /// Its length.
        duration: Duration,
        /// How much of it could not be decoded.
        undecoded: Duration,
    },
    /// The same bytes were in the index already, in the same role.
    AlreadyThere,
    /// The same bytes were in the index already, and what is known of them was corrected.
    Corrected,
    /// It was in the index without small pictures, and these were made.
    Refreshed {
        /// Its length.
        duration: Duration,
    },
    /// It is not in the index, and was not to be added.
    NotThere,
    /// The same bytes are in the index as benign material, and so were not added as a source.
    Benign,
    /// It could not be added.
    Failed(&'a Error),
}

/// What a build came to.
#[derive(Debug)]
pub struct BuildSummary {
    /// Videos added.
    pub added: usize,
    /// Sources whose bytes were in the index already.
    pub skipped: usize,
    /// Sources whose bytes are in the index as benign material, and that were therefore not added.
    pub benign: usize,
    /// Videos of the index of which the sources told more or otherwise, and that were corrected.
    pub corrected: usize,
    /// Videos of the index of which small pictures were made ([`Take::Pictures`]).
    pub refreshed: usize,
    /// Sources that are not in the index and were not to be added ([`Take::Known`]).
    pub not_there: Vec<PathBuf>,
    /// Sources that could not be added, and why, in the order of the sources.
    pub failed: Vec<(PathBuf, Error)>,
    /// As `failed`, of sources that failed in an earlier build as well and whose files are the same
    /// as then.
    pub failed_before: Vec<(PathBuf, Error)>,
    /// Sources that were added although they are damaged, and how much of each was not decoded, in
    /// the order of the sources.
    pub damaged: Vec<(PathBuf, Duration)>,
    /// Length of the videos added.
    pub video: Duration,
    /// Whether the caller stopped it; what was finished is in the index.
    pub cancelled: bool,
    /// Why it could not be noted which sources failed, if it could not: they are then told as new
    /// ones once more.
    pub unnoted: Option<Error>,
    /// The index as it is now.
    pub state: IndexState,
}

/// Adds what is new among the sources to the index in `dir`, which is made if there is none.
///
/// With [`BuildOptions::role`] they are added as benign material instead, unless they are in the
/// index as sources: a video of which copies are looked for cannot count for nothing as well.
///
/// What a list says of a video that is there already takes the place of what was known of it; a
/// side file only adds to that. If the file that the index names is gone, the source's takes its
/// place.
///
/// Each source is decoded by one thread, several at a time. They enter the index in the order
/// given, as far as they are finished by the next commit: at the end and every
/// [`BuildOptions::commit_every`]; running the same call again after a stop does what is missing. A
/// source that fails is reported in the summary and the rest goes on.
///
/// # Errors
///
/// What concerns the index itself (`cancel` is then set, so that the workers stop):
/// [`Error::Locked`], [`Error::IncompatibleIndex`], [`Error::CorruptIndex`], [`Error::Io`];
/// [`Error::InvalidSetting`] for an interval or number of threads out of range.
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
    // Facts of a file that is gone can still be corrected, if the index knows it by this path.
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
                // After an error the rest is drained, so that the workers, told to stop, come to
                // their end.
                Ok(_) | Err(RecvTimeoutError::Timeout) if result.is_err() => {}
                Ok((number, done)) => {
                    result = intake.take(number, done, &sources.sources[number], sizes[number]);
                }
                // Something long is being decoded; what is finished must not wait for it.
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

/// Adds a clip whose fingerprint is known to an index, under this name, with the next commit;
/// `false` if a file of the same bytes is there already.
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

/// What an index knows of a video with this fingerprint.
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

/// Finished videos that may wait for the index's thread.
const BACKLOG: usize = 16;

/// A video, its keys, what moves in it, and its small pictures as they are stored.
type Made = (Box<Video>, Vec<Run>, Motion, Vec<u8>);

/// What a worker made of a source.
enum Done {
    Video(Made),
    /// Small pictures of a video that is there, as they are stored, and its length.
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
            let source = "a fingerprint of a clip; an index needs the video itself";
            Done::Failed(Error::NotMedia {
                path,
                source: source.into(),
            })
        }
        Err(error) => Done::Failed(error),
    }
}
