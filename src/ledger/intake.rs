//! Takes a submission through receipt, work and its turn.
//!
//! 1. *Receipt*: the file is hashed and gets its number, before anything else.
//! 2. *Work*: the file is decoded and searched for among public videos. Any number of workers do
//!    this at once.
//! 3. *Turn*: once all smaller numbers have their answers, the file is searched for among the
//!    submissions. Then its keys go into their index, and its answer goes into the ledger. So it is
//!    compared with everything that came before it and nothing else, and the answer does not depend
//!    on the number of workers.
//!
//! A worker that waits for its turn takes over what a dead worker has left. If the file is then
//! gone or changed, that number lapses and blocks nobody.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, SystemTime};

use super::answer;
use super::book::{Ledger, Outcome, Receipt, Submission, name_of};
use super::claims::{Pair, Standing};
use super::mend::check_step;
use super::pairs::{self, Whose};
use super::record::Kind;
use super::shelf::{self, Shelf, Shown};
use super::slots::{Slot, Slots};
use super::step::{CONFIRMING, Step};
use super::store::{Place, Tables};
use super::worker::Worker;
use crate::certificate::{self, Certified, Terms};
use crate::check::{CheckOptions, check_fingerprint, check_pictures, pictures_for};
use crate::fingerprint::{ClipPictures, Fingerprint};
use crate::index::{Index, Role, hex};
use crate::report::Report;
use crate::scatter::{Searched, Shards};
use crate::{Error, Result};

/// A ledger and what belongs to it.
#[derive(Clone, Copy, Debug)]
pub struct Books<'a> {
    /// The ledger.
    pub ledger: &'a Place,
    /// The folder of the index of its submissions.
    pub submissions: &'a Path,
    /// Source of times.
    pub clock: fn() -> SystemTime,
    /// How long to wait for another writer of the ledger or the index.
    pub patience: Duration,
}

impl Books<'_> {
    /// Opens the ledger. With `create`, creates it if it is missing.
    ///
    /// # Errors
    /// Those of [`Ledger::open`].
    pub fn open(&self, create: bool) -> Result<Ledger> {
        Ledger::open(self.ledger, self.patience, self.clock, create)
    }
}

/// Receives submissions and works on them.
#[derive(Clone, Copy)]
pub struct Intake<'a> {
    /// The ledger and what belongs to it.
    pub books: Books<'a>,
    /// The index of public videos.
    pub index: &'a Index,
    /// Where the index is searched; `None` for this process.
    pub shards: Option<&'a dyn Shards>,
    /// How clips are decoded and searched for.
    pub options: &'a CheckOptions<'a>,
    /// How long a worker owns a submission before another may take it over, at least a second. A
    /// live worker renews its lease.
    pub lease: Duration,
    /// Called for each [`Notice`].
    pub notice: &'a (dyn Fn(Notice<'_>) + Sync),
    /// Whether to take over a submission that its worker has left, while a larger number waits for
    /// it here. `false` if a queue hands it out instead.
    pub takes_over: &'a (dyn Fn(&Submission) -> bool + Sync),
    /// Limit of submissions that are decoded and searched for at a time; `None` for no limit.
    pub slots: Option<&'a Slots>,
}

impl std::fmt::Debug for Intake<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intake")
            .field("ledger", &self.books.ledger.shown())
            .finish_non_exhaustive()
    }
}

/// An event during intake.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Notice<'a> {
    /// A submission has a durable number.
    Received(&'a Submission),
    /// A submission waits for a smaller number of another worker.
    Waiting {
        /// The submission that waits.
        number: u64,
        /// The smaller number.
        behind: u64,
    },
    /// A submission that its worker left is taken over here.
    TakenOver(&'a Submission),
    /// A submission that its worker left cannot be processed any more.
    Lapsed(&'a Submission, &'a str),
}

/// A file that is offered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Offer<'a> {
    /// The clip, or its fingerprint.
    pub file: &'a Path,
    /// Which of the two it is.
    pub kind: Kind,
    /// Its creator.
    pub by: &'a str,
    /// The creator's own name for it.
    pub reference: Option<&'a str>,
}

/// A submission that has its number.
#[derive(Debug)]
pub struct Received {
    /// The submission.
    pub submission: Submission,
    /// Whether the number is new. Otherwise the same bytes of the same creator already had it.
    pub is_new: bool,
    file: PathBuf,
    worker: Worker,
}

/// The answer to a submission.
#[derive(Debug)]
pub struct Answer {
    /// The report, with the ledger's part in [`Report::submission`].
    pub report: Report,
    /// What to sign, if requested.
    pub certified: Option<Certified>,
}

/// Result of the work on a submission before its turn.
pub(super) struct Prepared {
    pub(super) looked: Looked,
    pub(super) report: Report,
    pub(super) certified: Option<Certified>,
}

pub(super) enum Looked {
    Clip(Box<ClipPictures>),
    Fingerprint(Box<Fingerprint>),
}

impl Looked {
    pub(super) fn shown(&self) -> Vec<Shown<'_>> {
        match self {
            Looked::Clip(clip) => clip
                .pictures
                .iter()
                .map(|picture| Shown {
                    fingerprint: &picture.fingerprint,
                    start: picture.start,
                })
                .collect(),
            Looked::Fingerprint(fingerprint) => vec![Shown {
                fingerprint,
                start: Duration::ZERO,
            }],
        }
    }
}

impl<'a> Intake<'a> {
    /// Opens or creates the ledger, and checks that it is in step with the index of its
    /// submissions.
    ///
    /// # Errors
    /// Those of [`Ledger::open`], and [`Error::LedgerOutOfStep`].
    pub fn open(&self) -> Result<Ledger> {
        let mut ledger = self.books.open(true)?;
        check_step(&mut ledger, &self.books)?;
        Ok(ledger)
    }

    /// Gives an offer its number; see [`Ledger::receive`].
    ///
    /// # Errors
    /// Those of [`Decoding::open`](crate::Decoding::open), [`Error::IsFingerprint`] if a clip is
    /// required, and those of [`Ledger::receive`].
    pub fn receive(&self, ledger: &mut Ledger, offer: &Offer<'_>) -> Result<Received> {
        let worker = Worker::new()?;
        let (submission, is_new) = number(
            ledger,
            offer,
            self.options,
            (&worker, self.lease),
            |_, _, _| Ok(()),
        )?;
        if is_new {
            (self.notice)(Notice::Received(&submission));
        }
        Ok(Received {
            submission,
            is_new,
            file: offer.file.to_owned(),
            worker,
        })
    }

    /// A submission that has its number, for another worker to continue.
    ///
    /// # Errors
    /// Those of [`Ledger::submission`].
    pub fn resume(&self, ledger: &mut Ledger, number: u64, file: &Path) -> Result<Received> {
        let submission = ledger.submission(number)?;
        Ok(Received {
            submission,
            is_new: false,
            file: file.to_owned(),
            worker: Worker::new()?,
        })
    }

    /// Ends a submission without an answer as failed; `false` if it has an answer or a worker.
    ///
    /// # Errors
    /// Those of the database.
    pub fn give_up(&self, ledger: &mut Ledger, received: &Received, reason: &str) -> Result<bool> {
        let (number, worker) = (received.submission.number, &received.worker);
        Ok(ledger.take(number, worker, self.lease)?
            && ledger.end(number, worker, Standing::Failed, reason)?)
    }

    /// Works on a submission until it has its answer, or waits for the worker that has it. With
    /// `terms`, also returns what a certificate needs.
    ///
    /// # Errors
    /// Those of [`check`](crate::check()), and [`Error::LedgerOutOfStep`]. If the file is at fault,
    /// the submission has failed; otherwise it is left for the next worker.
    pub fn answer(
        &self,
        ledger: &mut Ledger,
        received: &Received,
        terms: Option<&Terms<'_>>,
    ) -> Result<Answer> {
        let (number, worker) = (received.submission.number, &received.worker);
        self.kept_alive(worker, || {
            let mut told = false;
            let mut certified = None;
            loop {
                let there = ledger.submission(number)?;
                if there.standing != Standing::Received {
                    return self.standing(ledger, &there, &received.file, certified, terms);
                }
                if ledger.take(number, worker, self.lease)? {
                    if !received.is_new {
                        (self.notice)(Notice::TakenOver(&there));
                    }
                    certified = self.left_if_failed(ledger, number, worker, |ledger| {
                        self.work(ledger, &there, &received.file, worker, terms)
                    })?;
                    continue;
                }
                if !told {
                    (self.notice)(Notice::Waiting {
                        number,
                        behind: number,
                    });
                    told = true;
                }
                self.pause()?;
            }
        })
    }

    /// The index of public videos, and where it is searched.
    pub(super) fn searched(&self) -> Searched<'a> {
        Searched {
            index: self.index,
            shards: self.shards,
        }
    }

    fn certified(
        &self,
        looked: &ClipPictures,
        file: &Path,
        terms: &Terms<'_>,
    ) -> Result<Certified> {
        certificate::certify_searched(&self.searched(), looked, file, self.options, terms)
    }

    /// What the ledger records of a file.
    pub(super) fn receipt(&self, offer: &Offer<'_>) -> Result<Receipt> {
        receipt(offer, self.options)
    }

    /// Does all the work on a submission, and records its answer when its turn has come.
    fn work(
        &self,
        ledger: &mut Ledger,
        of: &Submission,
        file: &Path,
        worker: &Worker,
        terms: Option<&Terms<'_>>,
    ) -> Result<Option<Certified>> {
        let prepared = match self.prepared(of.kind, &of.sha256, file, terms) {
            Ok(prepared) => prepared,
            Err(error) if is_of_the_file(&error, file) => {
                ledger.end(of.number, worker, Standing::Failed, &error.to_string())?;
                return Err(error);
            }
            Err(error) => return Err(error),
        };
        self.wait_for_turn(ledger, of.number, worker)?;
        let shelf = Shelf::of(&self.books);
        let _turn = shelf.turn(&|| self.pause())?;
        if !ledger.take(of.number, worker, self.lease)? {
            // Another worker has it and will answer.
            return Ok(prepared.certified);
        }
        let (step, among) = Step::compare(ledger, &shelf)?;
        step.check(ledger, &shelf)?;
        let searched = self.pairs(ledger, of, among.as_ref(), &step.leftover, &prepared);
        let mut pairs = match searched {
            Err(error) if is_of_the_file(&error, file) => {
                ledger.end(of.number, worker, Standing::Failed, &error.to_string())?;
                return Err(error);
            }
            other => other?,
        };
        let duration_ms = (prepared.report.clip.duration_s * 1e3).round() as u64;
        for other in ledger.same_bytes_below(&of.sha256, of.number)? {
            pairs.retain(|pair| pair.other != other);
            pairs.push(pairs::identical(other, duration_ms));
        }
        pairs.sort_by_key(|pair| (pair.other, pair.here, pair.there));
        // The keys first, so that every answered submission can be found.
        let pictures = shelf::named(of, 0, prepared.looked.shown());
        let (entries, state) = shelf.put(of, &pictures, &step.leftover)?;
        let fingerprint = match &prepared.looked {
            Looked::Fingerprint(fingerprint) => Some(fingerprint.to_bytes()),
            Looked::Clip(_) => None,
        };
        let outcome = Outcome {
            report: prepared.report,
            pairs,
            entries,
            fingerprint,
        };
        ledger.decide(of.number, worker, &outcome, &state)?;
        Ok(prepared.certified)
    }

    /// The pairs of a submission with answered ones.
    pub(super) fn pairs(
        &self,
        ledger: &mut Ledger,
        of: &Submission,
        among: Option<&Index>,
        leftover: &[String],
        prepared: &Prepared,
    ) -> Result<Vec<Pair>> {
        let Some(among) = among else {
            return Ok(Vec::new());
        };
        // Ignores its own entries, left by a worker that died before recording the answer, and
        // those of ended submissions.
        let own =
            (0..2 * CONFIRMING).map(|picture| shelf::entry_digest(of.number, picture, &of.sha256));
        let listed = ledger.entries_of(of.number)?;
        let others = listed.iter().map(|entry| &entry.digest).chain(leftover);
        let excluded: Vec<[u8; 32]> = own
            .chain(others.filter_map(|digest| unhex(digest)))
            .collect();
        let options = CheckOptions {
            exclude: &excluded,
            among: Role::Submission,
            now: None,
            ..*self.options
        };
        let report = match &prepared.looked {
            Looked::Clip(looked) => check_pictures(among, looked, Path::new(&of.path), &options)?,
            Looked::Fingerprint(fingerprint) => check_fingerprint(among, fingerprint, &options)?,
        };
        let mut known = std::collections::HashMap::new();
        for found in &report.matches {
            let digest = &found.alignment.source.sha256;
            if !known.contains_key(digest) {
                let entry = ledger.entry(digest)?;
                let counts = entry.filter(|(other, _)| {
                    other.standing == Standing::Decided && other.number != of.number
                });
                let whose = |(other, start_ms): (Submission, u64)| Whose {
                    number: other.number,
                    start_ms,
                    duration_ms: other.duration_ms,
                };
                known.insert(digest.clone(), counts.map(whose));
            }
        }
        Ok(pairs::pairs(&report, |digest| {
            known.get(digest).copied().flatten()
        }))
    }

    /// Decodes the file and searches for it among public videos.
    pub(super) fn prepared(
        &self,
        kind: Kind,
        sha256: &str,
        file: &Path,
        terms: Option<&Terms<'_>>,
    ) -> Result<Prepared> {
        let _slot = self.slot()?;
        if kind == Kind::Fingerprint {
            let fingerprint = Fingerprint::load(file, self.options.decoding, self.options.cancel)?;
            if hex(fingerprint.sha256()) != sha256 {
                return Err(Error::Changed {
                    path: file.to_owned(),
                });
            }
            let mut report = self
                .searched()
                .check_fingerprint(&fingerprint, self.options)?;
            report.clip.path = file.to_string_lossy().into_owned();
            return Ok(Prepared {
                looked: Looked::Fingerprint(Box::new(fingerprint)),
                report,
                certified: None,
            });
        }
        let looked = decoded(file, sha256, self.options)?;
        let (report, certified) = match terms {
            Some(terms) => {
                let certified = self.certified(&looked, file, terms)?;
                (certified.report.clone(), Some(certified))
            }
            None => (
                self.searched()
                    .check_pictures(&looked, file, self.options)?,
                None,
            ),
        };
        Ok(Prepared {
            looked: Looked::Clip(Box::new(looked)),
            report,
            certified,
        })
    }

    /// Waits until all smaller numbers have their answers, and takes over those whose worker is
    /// gone.
    fn wait_for_turn(&self, ledger: &mut Ledger, number: u64, worker: &Worker) -> Result<()> {
        let mut told = None;
        while let Some(open) = ledger.open_below(number)? {
            if (self.takes_over)(&open) && ledger.take(open.number, worker, self.lease)? {
                self.take_over(ledger, &open, worker)?;
                continue;
            }
            if told != Some(open.number) {
                (self.notice)(Notice::Waiting {
                    number,
                    behind: open.number,
                });
                told = Some(open.number);
            }
            self.pause()?;
        }
        Ok(())
    }

    /// Takes over what another worker has left, if its file is unchanged.
    fn take_over(&self, ledger: &mut Ledger, of: &Submission, worker: &Worker) -> Result<()> {
        let file = PathBuf::from(&of.path);
        let is_there = match of.kind {
            Kind::Clip => self
                .options
                .decoding
                .open(&file)
                .and_then(|file| file.sha256(&|| self.is_cancelled())),
            Kind::Fingerprint => {
                Fingerprint::load(&file, self.options.decoding, self.options.cancel)
                    .map(|of| *of.sha256())
            }
        };
        let lapsed = match is_there {
            Ok(sha256) if hex(&sha256) == of.sha256 => None,
            Ok(_) => Some("its worker ended, and its file has changed since".to_owned()),
            Err(Error::Cancelled) => return Err(Error::Cancelled),
            Err(error) => Some(format!(
                "its worker ended, and its file cannot be read: {error}"
            )),
        };
        if let Some(reason) = lapsed {
            if ledger.end(of.number, worker, Standing::Lapsed, &reason)? {
                (self.notice)(Notice::Lapsed(of, &reason));
            }
            return Ok(());
        }
        (self.notice)(Notice::TakenOver(of));
        let done = self.left_if_failed(ledger, of.number, worker, |ledger| {
            self.work(ledger, of, &file, worker, None)
        });
        match done {
            // It failed because of its file, and that is its answer.
            Err(error) if is_of_the_file(&error, &file) => Ok(()),
            other => other.map(drop),
        }
    }

    /// Releases a submission if the work on it fails for a reason other than the file.
    fn left_if_failed<T>(
        &self,
        ledger: &mut Ledger,
        number: u64,
        worker: &Worker,
        work: impl FnOnce(&mut Ledger) -> Result<T>,
    ) -> Result<T> {
        let done = work(ledger);
        if done.is_err() {
            // If this fails too, the lease expires by itself.
            let _ = ledger.release(number, worker);
        }
        done
    }

    /// The answer in the ledger.
    pub(super) fn standing(
        &self,
        ledger: &mut Ledger,
        of: &Submission,
        file: &Path,
        certified: Option<Certified>,
        terms: Option<&Terms<'_>>,
    ) -> Result<Answer> {
        let standings = ledger.standings(of.number)?;
        let Some(report) = &standings.report else {
            let reason = standings
                .submission
                .reason
                .as_deref()
                .unwrap_or("its clip was never submitted");
            let text = format!(
                "submission {} is {}: {reason}",
                of.number,
                name_of(&of.standing)
            );
            return Err(Error::LedgerRefused { reason: text });
        };
        let said = answer::submission(&standings);
        let certified = match (certified, terms) {
            (None, Some(terms)) if of.kind == Kind::Clip => {
                let looked = decoded(file, &of.sha256, self.options)?;
                Some(self.certified(&looked, file, terms)?)
            }
            (certified, _) => certified,
        };
        let certified = certified.map(|certified| certified.with_submission(&said));
        let mut report = answer::with(report.clone(), said);
        report.clip.path = file.to_string_lossy().into_owned();
        Ok(Answer { report, certified })
    }

    /// Renews the worker's lease while `work` runs.
    fn kept_alive<T>(&self, worker: &Worker, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let (done, is_done) = mpsc::channel::<()>();
        std::thread::scope(|scope| {
            let (every, lease, books) = (self.lease / 3, self.lease, self.books);
            scope.spawn(move || {
                let mut ledger: Option<Ledger> = None;
                while let Err(RecvTimeoutError::Timeout) = is_done.recv_timeout(every) {
                    if ledger.is_none() {
                        ledger = books.open(false).ok();
                    }
                    // A failed renewal is tried again later. At worst another worker repeats the
                    // work.
                    if let Some(open) = &mut ledger
                        && open.renew(worker, lease).is_err()
                    {
                        ledger = None;
                    }
                }
            });
            let result = work();
            drop(done);
            result
        })
    }

    /// Waits for a slot to decode and search.
    pub(super) fn slot(&self) -> Result<Option<Slot<'_>>> {
        self.slots
            .map(|slots| slots.take(&|| self.is_cancelled()))
            .transpose()
    }

    pub(super) fn pause(&self) -> Result<()> {
        if self.is_cancelled() {
            return Err(Error::Cancelled);
        }
        std::thread::sleep(PAUSE);
        Ok(())
    }

    fn is_cancelled(&self) -> bool {
        self.options
            .cancel
            .is_some_and(|cancel: &AtomicBool| cancel.load(Ordering::Relaxed))
    }
}

/// Gives an offer its number, and leaves the work to whoever [resumes](Intake::resume) it. The
/// index of public videos is not needed. `also` runs in the same transaction, with the submission
/// and whether its number is new.
///
/// # Errors
/// Those of [`Intake::receive`] and of `also`.
pub fn queue(
    ledger: &mut Ledger,
    offer: &Offer<'_>,
    options: &CheckOptions<'_>,
    also: impl FnOnce(&mut dyn Tables, &Submission, bool) -> Result<()>,
) -> Result<(Submission, bool)> {
    number(
        ledger,
        offer,
        options,
        (&Worker::new()?, Duration::ZERO),
        also,
    )
}

fn number(
    ledger: &mut Ledger,
    offer: &Offer<'_>,
    options: &CheckOptions<'_>,
    (worker, lease): (&Worker, Duration),
    also: impl FnOnce(&mut dyn Tables, &Submission, bool) -> Result<()>,
) -> Result<(Submission, bool)> {
    let receipt = receipt(offer, options)?;
    let (submission, is_new) = ledger.receive_with(&receipt, worker, lease, also)?;
    if submission.kind == Kind::Fingerprint && receipt.kind == Kind::Clip {
        let number = submission.number;
        let reason = format!(
            "{}: submission {number} is the fingerprint of this clip; confirm it with: uniq intake add CLIP --by CREATOR --for {number}",
            offer.file.display()
        );
        return Err(Error::LedgerRefused { reason });
    }
    Ok((submission, is_new))
}

/// What the ledger records of a file.
fn receipt(offer: &Offer<'_>, options: &CheckOptions<'_>) -> Result<Receipt> {
    let decoding = options.decoding;
    let is_cancelled = || {
        options
            .cancel
            .is_some_and(|cancel| cancel.load(Ordering::Relaxed))
    };
    let file = decoding.open(offer.file)?;
    let sha256 = match offer.kind {
        Kind::Clip if Fingerprint::is_file(offer.file, decoding.links) => {
            return Err(Error::IsFingerprint {
                path: offer.file.to_owned(),
            });
        }
        Kind::Clip => file.sha256(&is_cancelled)?,
        Kind::Fingerprint => *Fingerprint::load(offer.file, decoding, options.cancel)?.sha256(),
    };
    let bytes = std::fs::metadata(offer.file)
        .map_err(Error::io(offer.file, "read"))?
        .len();
    let path = std::path::absolute(offer.file).unwrap_or_else(|_| offer.file.to_owned());
    Ok(Receipt {
        by: offer.by.to_owned(),
        reference: offer.reference.map(str::to_owned),
        kind: offer.kind,
        sha256: hex(&sha256),
        bytes,
        path: path.to_string_lossy().into_owned(),
    })
}

/// Decodes a clip with this SHA-256. Takes all keys regardless of the effort, because later
/// submissions are compared with them.
pub(super) fn decoded(
    file: &Path,
    sha256: &str,
    options: &CheckOptions<'_>,
) -> Result<ClipPictures> {
    let looked = pictures_for(file, options)?;
    if looked
        .pictures
        .iter()
        .any(|picture| hex(picture.fingerprint.sha256()) != sha256)
    {
        return Err(Error::Changed {
            path: file.to_owned(),
        });
    }
    Ok(looked)
}

/// Whether an error is the file's fault. Any other error is no answer.
fn is_of_the_file(error: &Error, file: &Path) -> bool {
    match error {
        Error::Empty { .. }
        | Error::NotMedia { .. }
        | Error::NoVideo { .. }
        | Error::NoDecoder { .. }
        | Error::NotAccepted { .. }
        | Error::LimitExceeded { .. }
        | Error::Link { .. }
        | Error::Changed { .. }
        | Error::WorkerDied { .. }
        | Error::Quarantined { .. }
        | Error::Undecodable { .. }
        | Error::InvalidFingerprint { .. }
        | Error::IsFingerprint { .. } => true,
        Error::Io { path, .. } => path == file,
        _ => false,
    }
}

/// The bytes of a digest in hexadecimal.
pub(super) fn unhex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0; 32];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(bytes)
}

/// Time between two checks whether a turn has come.
pub(super) const PAUSE: Duration = Duration::from_millis(30);
