//! Finds source videos and adds them to an index, many at a time.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use rayon::iter::{ParallelBridge as _, ParallelIterator as _};

use crate::fingerprint::{self, FINGERPRINT_VERSION, Fingerprint, Motion, Run};
use crate::index::{GraphPolicy, Index, IndexConfig, IndexState, Role, Video, Watch, Writer, hex};
use crate::sample::CORPUS_INTERVAL;
use crate::sandbox::Decoding;
use crate::{Error, Result};

mod failures;
mod sources;

use failures::Failures;
pub use sources::{
    Reach, Source, Sources, VIDEO_EXTENSIONS, endings, files_listed, files_within, is_list, sources, sources_within,
};

/// Which sources a build takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Take {
    /// What is new is added, and what is known of the others is corrected.
    #[default]
    All,
    /// What is known of those that are in the index is corrected, and nothing is added.
    Known,
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
    /// Longest time between two keyframes of a source, 0.1 to 60 s; `None` takes the index's own, or [`CORPUS_INTERVAL`] for a new one.
    pub interval: Option<Duration>,
    /// Which segments get a graph.
    pub graph: GraphPolicy,
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
            graph: GraphPolicy::Auto,
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
    /// Segments are merged and graphs are built.
    Maintaining,
    /// Graphs are being built.
    BuildingGraphs {
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
    /// Sources that are not in the index and were not to be added ([`Take::Known`]).
    pub not_there: Vec<PathBuf>,
    /// Sources that could not be added, and why, in the order of the sources.
    pub failed: Vec<(PathBuf, Error)>,
    /// As `failed`, of sources that failed in an earlier build as well and whose files are the same as then.
    pub failed_before: Vec<(PathBuf, Error)>,
    /// Sources that were added although they are damaged, and how much of each was not decoded, in the order of the sources.
    pub damaged: Vec<(PathBuf, Duration)>,
    /// Length of the videos added.
    pub video: Duration,
    /// Whether the caller stopped it; what was finished is in the index.
    pub cancelled: bool,
    /// Why it could not be noted which sources failed, if it could not: they are then told as new ones once more.
    pub unnoted: Option<Error>,
    /// The index as it is now.
    pub state: IndexState,
}

/// Adds what is new among the sources to the index in `dir`, which is made if there is none.
///
/// With [`BuildOptions::role`] they are added as benign material instead, unless they are in the index as sources: a video of
/// which copies are looked for cannot count for nothing as well.
///
/// What a list says of a video that is there already takes the place of what was known of it; a side file only adds to that.
/// If the file that the index names is gone, the source's takes its place.
///
/// Each source is decoded by one thread, several at a time. They enter the index in the order given, as far as they are
/// finished by the next commit: at the end and every [`BuildOptions::commit_every`]; running the same call again after a stop does
/// what is missing. A source that fails is reported in the summary and the rest goes on.
///
/// # Errors
///
/// What concerns the index itself (`cancel` is then set, so that the workers stop): [`Error::Locked`], [`Error::IncompatibleIndex`], [`Error::CorruptIndex`],
/// [`Error::Io`]; [`Error::InvalidSetting`] for an interval or number of threads out of range.
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
    let pool = rayon::ThreadPoolBuilder::new().num_threads(options.threads.unwrap_or(0)).build().map_err(|_| {
        Error::InvalidSetting {
            name: "the number of threads",
            found: format!("{:?}", options.threads),
            expected: "a number that this machine can start",
        }
    })?;
    let writer = match options.interval {
        None if Index::exists(dir) => Writer::open(dir)?,
        wanted => {
            let interval = wanted.unwrap_or(CORPUS_INTERVAL);
            Writer::open_or_create(dir, IndexConfig { fingerprint_version: FINGERPRINT_VERSION, interval })?
        }
    };
    let writer = match options.clock {
        Some(clock) => writer.with_clock(clock),
        None => writer,
    };
    let interval = writer.config().interval;
    let sizes: Vec<u64> =
        sources.sources.iter().map(|source| std::fs::metadata(&source.path).map_or(0, |meta| meta.len())).collect();
    progress(Event::Started { videos: sizes.len(), bytes: sizes.iter().sum() });

    let mut there: HashMap<[u8; 32], Role> = HashMap::new();
    let mut by_path: HashMap<String, [u8; 32]> = HashMap::new();
    for role in [Role::Source, Role::Benign] {
        for (_, video) in writer.committed().into_iter().flat_map(|index| index.in_role(role)) {
            there.insert(video.sha256, role);
            by_path.insert(video.path.clone(), video.sha256);
        }
    }
    let mut intake = Intake {
        writer,
        role: options.role,
        waiting: BTreeMap::new(),
        next: 0,
        summary: Counts::default(),
        failures: Failures::load(dir),
        not_there: Vec::new(),
        failed_before: Vec::new(),
        failed: sources.problems.into_iter().map(|(path, error)| (usize::MAX, path, error)).collect(),
        damaged: Vec::new(),
        last_commit: Instant::now(),
        commit_every: options.commit_every,
        progress,
    };
    let known: Mutex<HashSet<[u8; 32]>> = Mutex::new(HashSet::new());
    let claim = |source: &Source, sha256: [u8; 32]| match there.get(&sha256) {
        Some(&role) if role == options.role || options.take == Take::Known => Ok(Some(Done::AlreadyThere(sha256))),
        None if options.take == Take::Known => Ok(Some(Done::NotThere)),
        Some(Role::Benign) => Ok(Some(Done::Benign)),
        Some(Role::Source) => Err(Error::IsSource { path: source.path.clone(), id: hex(&sha256[..8]) }),
        None if known.lock().unwrap_or_else(PoisonError::into_inner).insert(sha256) => Ok(None),
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
                work.iter().enumerate().par_bridge().for_each(|(number, source)| {
                    let claim = |sha256| claim(source, sha256);
                    let mut done = one(source, options, interval, &claim, progress, cancel);
                    if options.take == Take::Known
                        && let Done::Failed(Error::Io { source: cause, .. }) = &done
                        && cause.kind() == std::io::ErrorKind::NotFound
                    {
                        done = gone(source).map_or(Done::NotThere, Done::AlreadyThere);
                    }
                    // The receiver is gone only after an error of the index, which ends the build anyway.
                    let _ = send.send((number, done));
                });
            });
        });
        let mut result = Ok(());
        loop {
            match receive.recv_timeout(intake.until_commit()) {
                // After an error the rest is drained, so that the workers, told to stop, come to their end.
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
    intake.finish(dir, options.graph, cancel)
}

/// Keeps the index's thread from asking all the time whether a commit is due.
const SHORTEST_WAIT: Duration = Duration::from_millis(20);

/// Finished videos that may wait for the index's thread.
const BACKLOG: usize = 16;

/// A video and its keys.
type Made = (Box<Video>, Vec<Run>, Motion);

/// What a worker made of a source.
enum Done {
    Video(Made),
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
            Role::Source => fingerprint::of_source(&file, &sha256, decoding, interval, &mut advance, Some(cancel))?,
            Role::Benign => fingerprint::of_benign(&file, &sha256, decoding, &mut advance, Some(cancel))?,
        };
        if options.role == Role::Benign && made.runs.is_empty() {
            return Err(Error::NothingBenign { path: source.path.clone() });
        }
        let video = Video {
            id: String::new(),
            path: source.path.to_string_lossy().into_owned(),
            sha256,
            duration: made.decoded.duration,
            width: made.decoded.info.width,
            height: made.decoded.info.height,
            publication: source.publication.clone(),
            keyframes: made.keyframes,
            undecoded: made.decoded.undecoded.iter().map(|hole| hole.end.saturating_sub(hole.start)).sum(),
        };
        Ok(Done::Video((Box::new(video), made.runs, made.motion)))
    });
    match done {
        Ok(done) => done,
        Err(Error::Cancelled) => Done::Stopped,
        Err(Error::NotMedia { path, .. }) if Fingerprint::is_file(&path, options.decoding.links) => {
            let source = "the fingerprint of a clip, and an index is made from the videos themselves";
            Done::Failed(Error::NotMedia { path, source: source.into() })
        }
        Err(error) => Done::Failed(error),
    }
}

/// Whether a source failed for what it is; all else has to be told each time.
fn is_of_the_file(error: &Error, source: &Path) -> bool {
    match error {
        Error::IsSource { .. }
        | Error::NoWorker { .. }
        | Error::Unprotected { .. }
        | Error::WorkerKilled { .. }
        | Error::Changed { .. } => false,
        // Of the journal of harmful files, say.
        Error::Io { path, .. } => path == source,
        _ => true,
    }
}

#[derive(Default)]
struct Counts {
    added: usize,
    skipped: usize,
    corrected: usize,
    benign: usize,
    video: Duration,
}

/// Puts finished videos into the index in the order of the sources.
struct Intake<'a> {
    writer: Writer,
    role: Role,
    /// Finished out of turn; `None` for a source that adds nothing.
    waiting: BTreeMap<usize, Option<Made>>,
    next: usize,
    summary: Counts,
    failures: Failures,
    not_there: Vec<(usize, PathBuf)>,
    failed: Vec<(usize, PathBuf, Error)>,
    failed_before: Vec<(usize, PathBuf, Error)>,
    damaged: Vec<(usize, PathBuf, Duration)>,
    last_commit: Instant,
    commit_every: Duration,
    progress: &'a (dyn Fn(Event<'_>) + Sync),
}

impl Intake<'_> {
    fn take(&mut self, number: usize, done: Done, source: &Source, bytes: u64) -> Result<()> {
        let path = &*source.path;
        let tell = |outcome| (self.progress)(Event::Finished { path, bytes, outcome });
        let made = match done {
            Done::Video((video, runs, motion)) => {
                tell(Outcome::Added { duration: video.duration, undecoded: video.undecoded });
                self.failures.worked(path);
                if !video.undecoded.is_zero() {
                    self.damaged.push((number, path.to_owned(), video.undecoded));
                }
                Some((video, runs, motion))
            }
            Done::AlreadyThere(sha256) => {
                self.failures.worked(path);
                if self.correct(&sha256, source) {
                    (self.progress)(Event::Finished { path, bytes, outcome: Outcome::Corrected });
                    self.summary.corrected += 1;
                } else {
                    (self.progress)(Event::Finished { path, bytes, outcome: Outcome::AlreadyThere });
                    self.summary.skipped += 1;
                }
                None
            }
            Done::NotThere => {
                tell(Outcome::NotThere);
                self.not_there.push((number, path.to_owned()));
                None
            }
            Done::Benign => {
                tell(Outcome::Benign);
                self.summary.benign += 1;
                None
            }
            Done::Failed(error) => {
                tell(Outcome::Failed(&error));
                let before = is_of_the_file(&error, path) && self.failures.failed(path);
                let failed = if before { &mut self.failed_before } else { &mut self.failed };
                failed.push((number, path.to_owned(), error));
                None
            }
            Done::Stopped => None,
        };
        self.waiting.insert(number, made);
        while let Some(made) = self.waiting.remove(&self.next) {
            self.next += 1;
            self.add(made)?;
        }
        if self.last_commit.elapsed() >= self.commit_every {
            self.commit()?;
        }
        Ok(())
    }

    /// Says of a video that is there what the source tells more or otherwise, with the next commit; whether that is anything.
    fn correct(&mut self, sha256: &[u8; 32], source: &Source) -> bool {
        let Some(index) = self.writer.committed() else { return false };
        let Some(video) = index.by_sha256(sha256).map(|video| index.video(video)) else { return false };
        let mut publication = source.listed.clone();
        publication.fill(video.publication.clone());
        publication.fill(source.publication.clone());
        // A second file of the same bytes is no reason to forget the first.
        let moved = !Path::new(&video.path).exists() && source.path.exists();
        let path = moved.then(|| source.path.to_string_lossy());
        self.writer.update(sha256, path.as_deref(), &publication)
    }

    fn add(&mut self, made: Option<Made>) -> Result<()> {
        let Some((video, runs, motion)) = made else { return Ok(()) };
        let duration = video.duration;
        if self.writer.add_as(self.role, *video, runs, &motion)? {
            self.summary.added += 1;
            self.summary.video += duration;
        } else {
            self.summary.skipped += 1;
        }
        Ok(())
    }

    /// Time until what waits has to be committed.
    fn until_commit(&self) -> Duration {
        self.commit_every.saturating_sub(self.last_commit.elapsed()).max(SHORTEST_WAIT)
    }

    /// Commits if there is anything to commit.
    fn commit_waiting(&mut self) -> Result<()> {
        if self.writer.pending() > 0 || self.summary.corrected > 0 || self.waiting.values().any(Option::is_some) {
            self.commit()?;
        }
        self.last_commit = Instant::now();
        Ok(())
    }

    /// Commits what is there, also what waits for a slower source before it: safety first, order second.
    fn commit(&mut self) -> Result<IndexState> {
        for number in self.waiting.keys().copied().collect::<Vec<_>>() {
            let made = self.waiting.insert(number, None).flatten();
            self.add(made)?;
        }
        let state = self.writer.commit()?;
        self.last_commit = Instant::now();
        (self.progress)(Event::Committed { videos: state.videos, keys: state.keys });
        Ok(state)
    }

    fn finish(mut self, dir: &Path, graph: GraphPolicy, cancel: &AtomicBool) -> Result<BuildSummary> {
        let mut state = self.commit()?;
        if !cancel.load(Ordering::Relaxed) {
            (self.progress)(Event::Maintaining);
            let watch = Watch {
                cancel: &|| cancel.load(Ordering::Relaxed),
                progress: Some(&|share| (self.progress)(Event::BuildingGraphs { share })),
            };
            match self.writer.maintain(graph, watch) {
                Ok(()) | Err(Error::Cancelled) => state = self.writer.commit()?,
                Err(error) => return Err(error),
            }
        }
        let unnoted = self.failures.save(dir).err();
        self.failed.sort_by_key(|&(number, ..)| number);
        self.failed_before.sort_by_key(|&(number, ..)| number);
        self.not_there.sort();
        self.damaged.sort_by_key(|&(number, ..)| number);
        Ok(BuildSummary {
            added: self.summary.added,
            skipped: self.summary.skipped,
            benign: self.summary.benign,
            corrected: self.summary.corrected,
            not_there: self.not_there.into_iter().map(|(_, path)| path).collect(),
            failed: self.failed.into_iter().map(|(_, path, error)| (path, error)).collect(),
            failed_before: self.failed_before.into_iter().map(|(_, path, error)| (path, error)).collect(),
            damaged: self.damaged.into_iter().map(|(_, path, undecoded)| (path, undecoded)).collect(),
            video: self.summary.video,
            cancelled: cancel.load(Ordering::Relaxed),
            unnoted,
            state,
        })
    }
}
