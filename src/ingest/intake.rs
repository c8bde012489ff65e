//! Adds the results of the sources to the index, in the order of the sources, and counts them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::failures::Failures;
use super::{BuildOptions, BuildSummary, Done, Event, Made, Outcome, Source};
use crate::index::{Role, Watch, Writer};
use crate::search;
use crate::{Error, Result};

/// Adds finished videos to the index in the order of the sources.
pub(super) struct Intake<'a> {
    writer: Writer,
    role: Role,
    /// Results that came before their turn; `None` for a source that adds nothing.
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
    cancel: &'a AtomicBool,
}

impl<'a> Intake<'a> {
    pub(super) fn new(
        writer: Writer,
        dir: &Path,
        options: &BuildOptions,
        problems: Vec<(PathBuf, Error)>,
        progress: &'a (dyn Fn(Event<'_>) + Sync),
        cancel: &'a AtomicBool,
    ) -> Intake<'a> {
        Intake {
            writer,
            role: options.role,
            waiting: BTreeMap::new(),
            next: 0,
            summary: Counts::default(),
            failures: Failures::load(dir),
            not_there: Vec::new(),
            failed_before: Vec::new(),
            failed: problems
                .into_iter()
                .map(|(path, error)| (usize::MAX, path, error))
                .collect(),
            damaged: Vec::new(),
            last_commit: Instant::now(),
            commit_every: options.commit_every,
            progress,
            cancel,
        }
    }

    /// Takes the result of a source, and commits if a commit is due.
    pub(super) fn take(
        &mut self,
        number: usize,
        done: Done,
        source: &Source,
        bytes: u64,
    ) -> Result<()> {
        let path = &*source.path;
        let tell = |outcome| {
            (self.progress)(Event::Finished {
                path,
                bytes,
                outcome,
            })
        };
        let made = match done {
            Done::Video((video, runs, motion, pictures)) => {
                tell(Outcome::Added {
                    duration: video.duration,
                    undecoded: video.undecoded,
                });
                self.failures.worked(path);
                if !video.undecoded.is_zero() {
                    self.damaged
                        .push((number, path.to_owned(), video.undecoded));
                }
                Some((video, runs, motion, pictures))
            }
            Done::Pictures(sha256, pictures, duration) => {
                self.failures.worked(path);
                self.correct(&sha256, source);
                if self.writer.set_pictures(&sha256, pictures) {
                    (self.progress)(Event::Finished {
                        path,
                        bytes,
                        outcome: Outcome::Refreshed { duration },
                    });
                    self.summary.refreshed += 1;
                    self.summary.video += duration;
                } else {
                    // Nothing in it can be shown.
                    (self.progress)(Event::Finished {
                        path,
                        bytes,
                        outcome: Outcome::AlreadyThere,
                    });
                    self.summary.skipped += 1;
                }
                None
            }
            Done::AlreadyThere(sha256) => {
                self.failures.worked(path);
                if self.correct(&sha256, source) {
                    (self.progress)(Event::Finished {
                        path,
                        bytes,
                        outcome: Outcome::Corrected,
                    });
                    self.summary.corrected += 1;
                } else {
                    (self.progress)(Event::Finished {
                        path,
                        bytes,
                        outcome: Outcome::AlreadyThere,
                    });
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
                let failed = if before {
                    &mut self.failed_before
                } else {
                    &mut self.failed
                };
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

    /// Corrects what the index knows of a video, with the next commit. Returns whether the source
    /// told anything new.
    fn correct(&mut self, sha256: &[u8; 32], source: &Source) -> bool {
        let Some(index) = self.writer.committed() else {
            return false;
        };
        let Some(video) = index.by_sha256(sha256).map(|video| index.video(video)) else {
            return false;
        };
        let mut publication = source.listed.clone();
        publication.fill(video.publication.clone());
        publication.fill(source.publication.clone());
        // A second file of the same bytes does not replace the path of the first.
        let moved = !Path::new(&video.path).exists() && source.path.exists();
        let path = moved.then(|| source.path.to_string_lossy());
        self.writer.update(sha256, path.as_deref(), &publication)
    }

    fn add(&mut self, made: Option<Made>) -> Result<()> {
        let Some((video, runs, motion, pictures)) = made else {
            return Ok(());
        };
        let duration = video.duration;
        if self
            .writer
            .add_with_pictures(self.role, *video, runs, &motion, pictures)?
        {
            self.summary.added += 1;
            self.summary.video += duration;
        } else {
            self.summary.skipped += 1;
        }
        Ok(())
    }

    /// Time until the next commit is due.
    pub(super) fn until_commit(&self) -> Duration {
        self.commit_every
            .saturating_sub(self.last_commit.elapsed())
            .max(SHORTEST_WAIT)
    }

    /// Commits if there is anything to commit.
    pub(super) fn commit_waiting(&mut self) -> Result<()> {
        let corrected = self.summary.corrected + self.summary.refreshed;
        if self.writer.pending() > 0 || corrected > 0 || self.waiting.values().any(Option::is_some)
        {
            self.commit()?;
        }
        self.last_commit = Instant::now();
        Ok(())
    }

    /// Commits all finished videos, even those that wait for a slower source before them:
    /// durability matters more than order.
    fn commit(&mut self) -> Result<()> {
        for number in self.waiting.keys().copied().collect::<Vec<_>>() {
            let made = self.waiting.insert(number, None).flatten();
            self.add(made)?;
        }
        let state = self.writer.commit()?;
        (self.progress)(Event::Committed {
            videos: state.videos,
            keys: state.keys,
        });
        // Merges after each commit, while other videos are decoded, instead of all at the end.
        self.watched(|writer, watch| writer.maintain(watch))?;
        self.last_commit = Instant::now();
        Ok(())
    }

    /// Runs long work on the index. If the build is cancelled, this stops and keeps the finished
    /// steps.
    fn watched(&mut self, work: impl FnOnce(&mut Writer, Watch<'_>) -> Result<()>) -> Result<()> {
        let progress = |what, share| (self.progress)(Event::Maintaining { what, share });
        let cancel = || self.cancel.load(Ordering::Relaxed);
        match work(
            &mut self.writer,
            Watch {
                cancel: &cancel,
                progress: Some(&progress),
            },
        ) {
            Err(Error::Cancelled) => Ok(()),
            other => other,
        }
    }

    /// Commits the rest, maintains the index and returns the summary.
    pub(super) fn finish(mut self, dir: &Path) -> Result<BuildSummary> {
        self.commit()?;
        self.watched(|writer, watch| search::measure_if_due(writer, watch))?;
        // Nothing is pending any more; this only returns the state of the index.
        let state = self.writer.commit()?;
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
            refreshed: self.summary.refreshed,
            not_there: self.not_there.into_iter().map(|(_, path)| path).collect(),
            failed: self
                .failed
                .into_iter()
                .map(|(_, path, error)| (path, error))
                .collect(),
            failed_before: self
                .failed_before
                .into_iter()
                .map(|(_, path, error)| (path, error))
                .collect(),
            damaged: self
                .damaged
                .into_iter()
                .map(|(_, path, undecoded)| (path, undecoded))
                .collect(),
            video: self.summary.video,
            cancelled: self.cancel.load(Ordering::Relaxed),
            unnoted,
            state,
        })
    }
}

/// Whether a source failed because of its content. Other failures are reported each time.
fn is_of_the_file(error: &Error, source: &Path) -> bool {
    match error {
        Error::IsSource { .. }
        | Error::OtherRole { .. }
        | Error::NoWorker { .. }
        | Error::Unprotected { .. }
        | Error::WorkerKilled { .. }
        | Error::Changed { .. } => false,
        // The path may be another one, such as the journal of harmful files.
        Error::Io { path, .. } => path == source,
        _ => true,
    }
}

#[derive(Default)]
struct Counts {
    added: usize,
    skipped: usize,
    corrected: usize,
    refreshed: usize,
    benign: usize,
    video: Duration,
}

/// Minimum time to wait for the next event, so that the index's thread does not spin.
const SHORTEST_WAIT: Duration = Duration::from_millis(20);
