//! Checks a clip against an index whose segments are open in several processes.
//!
//! Each process searches its [`Shard`] for a [`Question`] with [`search`], and one of them merges
//! the [`Candidates`] with [`merge`]. The report is that of [`check`](crate::check()) on the whole
//! index, byte for byte, because the merge runs the same check on what the shards have read.
//! An answer that lacks a segment, or has one twice, or one of another commit, is an error.
//!
//! ```
//! use uniq::index::{Shard, State, parts};
//! use uniq::scatter::{Merged, Needs, Request, merge, search};
//! # fn main() -> uniq::Result<()> {
//! # let folder = tempfile::tempdir().expect("a folder");
//! # let decoding = uniq::Decoding::in_process();
//! # let dir = folder.path().join("index");
//! # let clip = folder.path().join("clip.mp4");
//! # let flight = "mandelbrot=s=320x180:r=10:start_scale=0.04:end_scale=0.0008:end_pts=336";
//! # let made = std::process::Command::new("ffmpeg")
//! #     .args(["-nostdin", "-loglevel", "error", "-f", "lavfi", "-i", flight, "-t", "4"]).arg(&clip)
//! #     .status().expect("the ffmpeg command is installed");
//! # assert!(made.success());
//! # let options = uniq::ingest::BuildOptions::new(decoding.clone());
//! # let sources = uniq::ingest::sources(&[clip.clone()])?;
//! # uniq::ingest::build(&dir, sources, &options, &|_| {}, &std::sync::atomic::AtomicBool::new(false))?;
//! let options = uniq::CheckOptions::new(&decoding);
//! // One process a segment, say.
//! let shards = parts(&dir)?.iter().filter(|part| part.role.is_searched())
//!     .map(|part| Shard::open(&dir, &[part.number])).collect::<uniq::Result<Vec<_>>>()?;
//! let holdings: Vec<_> = shards.iter().map(Shard::holdings).collect();
//! let state = State::of_shards(&dir, &holdings)?;
//!
//! let request = Request::new(&clip, &options)?;
//! let (mut needs, mut candidates) = (Needs::first(), Vec::new());
//! let report = loop {
//!     for shard in &shards {
//!         candidates.push(search(shard, request.question(), &state, &needs, &options)?);
//!     }
//!     match merge(&request, &state, &candidates, &options)? {
//!         Merged::Report(report) => break report,
//!         // A crowd of similar sources: some more has to be read.
//!         Merged::Needs(more) => needs = more,
//!     }
//! };
//! assert_eq!(report.verdict, uniq::Verdict::Published);
//! # Ok(())
//! # }
//! ```

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::align::{self, Corpus};
use crate::check::clock::Clock;
use crate::check::{
    CheckOptions, Origin, Query, check_fingerprint, check_pictures, check_role, checked,
    of_pictures, pictures_for, windows,
};
use crate::fingerprint::{self, ClipPictures, Fingerprint};
use crate::index::{
    Gathered, Index, Lookup as _, Missing, Reads, Recorder, Role, Sealed, SearchMode, Shard, State,
    TRACKS_AT_A_TIME, VideoRef,
};
use crate::report::{Effort, Report};
use crate::search::{Hit, is_exact, search_part, sift};
use crate::{Error, Result};

/// What the shards search for: the fingerprints of a clip, and the effort.
#[derive(Clone, PartialEq, Debug)]
pub struct Question {
    body: Body,
    fingerprints: Vec<Fingerprint>,
}

/// The part of a question that is sent.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Body {
    /// Fingerprints as [`Fingerprint::to_bytes`] encodes them.
    fingerprints: Vec<Vec<u8>>,
    effort: Effort,
    search: SearchMode,
    among: Role,
    exclude: Vec<[u8; 32]>,
}

impl Sealed for Body {
    const WHAT: &'static str = "question";
}

impl Question {
    fn new(fingerprints: &[&Fingerprint], options: &CheckOptions<'_>) -> Result<Question> {
        Question::of(Body {
            fingerprints: fingerprints
                .iter()
                .map(|fingerprint| fingerprint.to_bytes())
                .collect(),
            effort: options.effort,
            search: options.search,
            among: options.among,
            exclude: options.exclude.to_vec(),
        })
    }

    fn of(body: Body) -> Result<Question> {
        let invalid = |reason| Error::InvalidFingerprint {
            path: Body::WHAT.into(),
            reason,
        };
        let fingerprints = body
            .fingerprints
            .iter()
            .map(|bytes| Fingerprint::from_bytes(bytes).map_err(invalid));
        Ok(Question {
            fingerprints: fingerprints.collect::<Result<_>>()?,
            body,
        })
    }

    /// The bytes to send to another process of the same version.
    ///
    /// # Errors
    /// [`Error::Io`] if they are more than a gigabyte.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        self.body.seal()
    }

    /// Restores a question from the bytes of [`Question::to_bytes`].
    ///
    /// # Errors
    ///
    /// [`Error::IncompleteAnswer`] if they are damaged or of another version, and
    /// [`Error::InvalidFingerprint`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Question> {
        Question::of(Body::unseal(bytes)?)
    }

    fn digest(&self) -> Result<[u8; 32]> {
        Ok(Sha256::digest(self.to_bytes()?).into())
    }

    /// The options of the question, completed by the caller's.
    fn options<'a>(&'a self, options: &CheckOptions<'a>) -> CheckOptions<'a> {
        let Body {
            effort,
            search,
            among,
            ref exclude,
            ..
        } = self.body;
        CheckOptions {
            effort,
            search,
            among,
            exclude,
            ..*options
        }
    }
}

/// A decoded clip or a given fingerprint, with the question for the shards.
#[derive(Clone, Debug)]
pub struct Request {
    question: Question,
    path: PathBuf,
    asked: Asked,
}

#[derive(Clone, Debug)]
enum Asked {
    Clip(Box<ClipPictures>),
    Fingerprint(Box<Fingerprint>),
}

impl Request {
    /// Decodes a clip, or loads the fingerprint file of one, as [`check`](crate::check()) does.
    ///
    /// # Errors
    /// Those of [`fingerprint::pictures_of_clip`] or [`Fingerprint::load`].
    pub fn new<'a>(query: impl Into<Query<'a>>, options: &CheckOptions<'_>) -> Result<Request> {
        match query.into() {
            Query::Fingerprint(file) => {
                let fingerprint = Fingerprint::load(file, options.decoding, options.cancel)?;
                Request::of_fingerprint(fingerprint, file, options)
            }
            Query::Clip(clip) => {
                let looked = match options.effort {
                    Effort::Fast => {
                        fingerprint::sketches_of_clip(clip, options.decoding, options.cancel)?
                    }
                    _ => pictures_for(clip, options)?,
                };
                Request::of_pictures(looked, clip, options)
            }
        }
    }

    /// The request for a decoded clip; the report calls it `path`.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if it is larger than a gigabyte.
    pub fn of_pictures(
        looked: ClipPictures,
        path: &Path,
        options: &CheckOptions<'_>,
    ) -> Result<Request> {
        let fingerprints: Vec<&Fingerprint> = looked
            .pictures
            .iter()
            .map(|picture| &picture.fingerprint)
            .collect();
        let question = Question::new(&fingerprints, options)?;
        Ok(Request {
            question,
            path: path.to_owned(),
            asked: Asked::Clip(Box::new(looked)),
        })
    }

    /// The request for a fingerprint in memory; the report calls it `path`.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if it is larger than a gigabyte.
    pub fn of_fingerprint(
        fingerprint: Fingerprint,
        path: &Path,
        options: &CheckOptions<'_>,
    ) -> Result<Request> {
        let question = Question::new(&[&fingerprint], options)?;
        Ok(Request {
            question,
            path: path.to_owned(),
            asked: Asked::Fingerprint(Box::new(fingerprint)),
        })
    }

    /// The same request, under another name for the clip in the report.
    #[must_use]
    pub fn named(self, path: &Path) -> Request {
        Request {
            path: path.to_owned(),
            ..self
        }
    }

    /// The part to send to the shards.
    pub fn question(&self) -> &Question {
        &self.question
    }
}

/// What the shards must read for a question.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Needs {
    /// Whether this is the first search; later ones only add to it.
    is_first: bool,
    /// What is missing for each fingerprint of the question.
    missing: Vec<Missing>,
}

impl Needs {
    /// What every shard reads first.
    pub fn first() -> Needs {
        Needs {
            is_first: true,
            missing: Vec::new(),
        }
    }

    /// The bytes to send to another process of the same version.
    ///
    /// # Errors
    /// [`Error::Io`] if they are more than a gigabyte.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        self.seal()
    }

    /// Restores needs from the bytes of [`Needs::to_bytes`].
    ///
    /// # Errors
    ///
    /// [`Error::IncompleteAnswer`] if they are damaged or of another version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Needs> {
        Needs::unseal(bytes)
    }
}

impl Sealed for Needs {
    const WHAT: &'static str = "needs";
}

/// What one shard has read for a question.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Candidates {
    /// Root of the index.
    root: String,
    question: [u8; 32],
    needs: Needs,
    /// SHA-256 of the searched segments, in hexadecimal.
    segments: Vec<String>,
    /// What was read for each fingerprint of the question.
    reads: Vec<Reads>,
}

impl Sealed for Candidates {
    const WHAT: &'static str = "candidates";
}

impl Candidates {
    /// The bytes to send to another process of the same version.
    ///
    /// # Errors
    /// [`Error::Io`] if they are more than a gigabyte.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        self.seal()
    }

    /// Restores candidates from the bytes of [`Candidates::to_bytes`].
    ///
    /// # Errors
    ///
    /// [`Error::IncompleteAnswer`] if they are damaged or of another version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Candidates> {
        Candidates::unseal(bytes)
    }
}

/// Searches a shard. Of the options, only the limits of the decoding and the cancellation are used;
/// the question contains the rest.
///
/// # Errors
///
/// Those of [`check_fingerprint`], and [`Error::IncompleteAnswer`] if the shard is of another
/// commit than the state.
pub fn search(
    shard: &Shard,
    question: &Question,
    state: &State,
    needs: &Needs,
    options: &CheckOptions<'_>,
) -> Result<Candidates> {
    let options = question.options(options);
    let of = |number: usize, fingerprint: &Fingerprint| {
        let recorder = Recorder::new(shard, state)?;
        let missing = needs.missing.get(number).cloned().unwrap_or_default();
        if needs.is_first || missing.exact {
            read(&recorder, fingerprint, missing.exact, &options)?;
        }
        missing
            .tracks
            .iter()
            .try_for_each(|video| recorder.keep_track(*video))?;
        Ok(recorder.reads())
    };
    let reads = question
        .fingerprints
        .iter()
        .enumerate()
        .map(|(number, fingerprint)| of(number, fingerprint));
    Ok(Candidates {
        root: state.index().root.clone(),
        question: question.digest()?,
        needs: needs.clone(),
        segments: shard.searched(state).map(str::to_owned).collect(),
        reads: reads.collect::<Result<_>>()?,
    })
}

/// Reads everything that a check of a fingerprint needs from a shard.
fn read(
    recorder: &Recorder<'_>,
    clip: &Fingerprint,
    exact: bool,
    options: &CheckOptions<'_>,
) -> Result<()> {
    check_role(recorder, options)?;
    let clip = &*options.effort.looked_at(clip);
    let clock = Clock::start(clip, &options.decoding.limits, options.cancel);
    let stop = || clock.check();
    let filtered = sift(recorder, clip, &options.effort.benign_orientations(), &stop)?;
    let orientations = options.effort.orientations();
    let exact = exact || is_exact(recorder, options.search);
    let state = recorder.state();
    let interval = std::time::Duration::from_secs_f64(state.interval_s);
    let corpus = Corpus {
        keys: state.keys,
        interval,
        stop: &|| clock.is_over(),
    };
    let mut weights: HashMap<VideoRef, f32> = HashMap::new();
    for (_, keys) in windows(&filtered.clip) {
        let hits = search_part(recorder, &filtered.clip, keys, &orientations, exact, &stop)?;
        for hits in hits.hits.chunk_by(|a, b| a.video == b.video) {
            // Hits weigh less in the whole index, where more videos share a key. Sources to exclude
            // are found by their record, so they are read too.
            if align::is_promising(hits, &corpus) || !options.exclude.is_empty() {
                let weight = weights.entry(hits[0].video).or_default();
                *weight = weight.max(strength(hits));
            }
        }
    }
    let mut likely: Vec<(VideoRef, f32)> = weights.into_iter().collect();
    likely.sort_by(|(a, a_weight), (b, b_weight)| b_weight.total_cmp(a_weight).then(a.cmp(b)));
    let likely: Vec<VideoRef> = likely.into_iter().map(|(video, _)| video).collect();
    recorder.may_align(&likely);
    recorder.keep_identical(&filtered.clip.sha256);
    let tracks = likely.iter().take(TRACKS_AT_A_TIME);
    tracks
        .into_iter()
        .try_for_each(|video| recorder.keep_track(*video))
}

fn strength(hits: &[Hit]) -> f32 {
    hits.iter()
        .map(|hit| crate::evidence::weight(&hit.pair).max(0.0))
        .sum()
}

/// Result of a merge.
#[derive(Debug, Clone, PartialEq)]
pub enum Merged {
    /// The report, the same as that of a check against the whole index.
    Report(Box<Report>),
    /// The shards must read more: search all of them for this, then merge all candidates again.
    Needs(Needs),
}

/// Merges the candidates of all shards, from the first search and all later ones.
///
/// # Errors
///
/// Those of [`check`](crate::check()), and [`Error::IncompleteAnswer`] if a segment is missing or
/// occurs twice, or if candidates belong to another question or commit.
pub fn merge(
    request: &Request,
    state: &State,
    candidates: &[Candidates],
    options: &CheckOptions<'_>,
) -> Result<Merged> {
    check_candidates(request, state, candidates)?;
    let options = request.question.options(options);
    let number = request.question.fingerprints.len();
    let gathered: Vec<Gathered> = (0..number)
        .map(|number| {
            Gathered::new(
                state,
                candidates
                    .iter()
                    .filter_map(|from| from.reads.get(number))
                    .collect(),
            )
        })
        .collect();
    let report = match &request.asked {
        Asked::Fingerprint(fingerprint) => {
            checked(&gathered[0], fingerprint, Origin::Given, &options)
        }
        Asked::Clip(looked) => {
            // Checks all of them, so that one more search meets all needs.
            let reports: Vec<Result<Report>> = looked
                .pictures
                .iter()
                .zip(&gathered)
                .map(|(picture, gathered)| {
                    checked(gathered, &picture.fingerprint, Origin::Computed, &options)
                })
                .collect();
            reports
                .into_iter()
                .collect::<Result<_>>()
                .and_then(|reports| of_pictures(looked, reports, &request.path, &options))
        }
    };
    let missing: Vec<Missing> = gathered.iter().map(Gathered::missing).collect();
    if missing.iter().all(Missing::is_nothing) {
        let mut report = report?;
        report.clip.path = request.path.to_string_lossy().into_owned();
        return Ok(Merged::Report(Box::new(report)));
    }
    let needs = Needs {
        is_first: false,
        missing,
    };
    if candidates.iter().any(|from| from.needs == needs) {
        let reason = "the shards did not send what they were asked for; run the check again with the same version of uniq everywhere".to_owned();
        return Err(Error::IncompleteAnswer {
            path: state.dir().to_owned(),
            reason,
        });
    }
    Ok(Merged::Needs(needs))
}

/// Shards that are open in other processes.
pub trait Shards: Sync {
    /// The candidates of all shards for a question about an index in this state.
    ///
    /// # Errors
    ///
    /// Those of [`search`], and [`Error::IncompleteAnswer`] if some shards do not answer; the
    /// caller may ask again later. [`Error::LimitExceeded`] need not name the clip.
    fn search(
        &self,
        question: &Question,
        state: &State,
        needs: &Needs,
        options: &CheckOptions<'_>,
    ) -> Result<Vec<Candidates>>;
}

/// Searches the shards until nothing is missing.
///
/// # Errors
///
/// Those of [`Shards::search`] and [`merge`].
pub fn ask(
    shards: &dyn Shards,
    request: &Request,
    state: &State,
    options: &CheckOptions<'_>,
) -> Result<Report> {
    let named = |error| match error {
        Error::LimitExceeded {
            limit,
            found,
            allowed,
            option,
            ..
        } => Error::LimitExceeded {
            path: request.path.clone(),
            limit,
            found,
            allowed,
            option,
        },
        other => other,
    };
    let (mut needs, mut candidates) = (Needs::first(), Vec::new());
    loop {
        let found = shards.search(&request.question, state, &needs, options);
        candidates.extend(found.map_err(named)?);
        match merge(request, state, &candidates, options)? {
            Merged::Report(report) => return Ok(*report),
            Merged::Needs(more) => needs = more,
        }
    }
}

/// An index, and the processes that search it.
#[derive(Clone, Copy)]
pub struct Searched<'a> {
    /// The index.
    pub index: &'a Index,
    /// The shards that search it; `None` for this process.
    pub shards: Option<&'a dyn Shards>,
}

impl<'a> From<&'a Index> for Searched<'a> {
    /// The index, searched by this process.
    fn from(index: &'a Index) -> Searched<'a> {
        Searched {
            index,
            shards: None,
        }
    }
}

impl std::fmt::Debug for Searched<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Searched")
            .field("index", &self.index.dir())
            .field("elsewhere", &self.shards.is_some())
            .finish()
    }
}

impl Searched<'_> {
    /// As [`check_pictures`].
    ///
    /// # Errors
    /// Those of [`check_pictures`] and [`ask`].
    pub fn check_pictures(
        &self,
        looked: &ClipPictures,
        clip: &Path,
        options: &CheckOptions<'_>,
    ) -> Result<Report> {
        let Some(shards) = self.shards else {
            return check_pictures(self.index, looked, clip, options);
        };
        let request = Request::of_pictures(looked.clone(), clip, options)?;
        ask(shards, &request, &State::of(self.index), options)
    }

    /// As [`check_fingerprint`].
    ///
    /// # Errors
    /// Those of [`check_fingerprint`] and [`ask`].
    pub fn check_fingerprint(
        &self,
        fingerprint: &Fingerprint,
        options: &CheckOptions<'_>,
    ) -> Result<Report> {
        let Some(shards) = self.shards else {
            return check_fingerprint(self.index, fingerprint, options);
        };
        let path = Path::new(&fingerprint.path);
        let request = Request::of_fingerprint(fingerprint.clone(), path, options)?;
        ask(shards, &request, &State::of(self.index), options)
    }
}

/// Fails unless the candidates belong to this question and index, and each search covers all
/// segments.
fn check_candidates(request: &Request, state: &State, candidates: &[Candidates]) -> Result<()> {
    let question = request.question.digest()?;
    let incomplete = |reason: &str| Error::IncompleteAnswer {
        path: state.dir().to_owned(),
        reason: reason.to_owned(),
    };
    for from in candidates {
        if from.root != state.index().root {
            return Err(incomplete(
                "the candidates are from another commit of the index; search again",
            ));
        }
        if from.question != question || from.reads.len() != request.question.fingerprints.len() {
            return Err(incomplete(
                "the candidates are from another check; search again",
            ));
        }
    }
    let searches: Vec<&Needs> = candidates.iter().map(|from| &from.needs).collect();
    let first = Needs::first();
    for needs in std::iter::once(&first).chain(searches) {
        let of_search = candidates.iter().filter(|from| from.needs == *needs);
        state
            .check_complete(of_search.flat_map(|from| from.segments.iter().map(String::as_str)))?;
    }
    Ok(())
}
