//! Records the library's findings for each excerpt, with the truth.

use std::collections::HashMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use uniq::align::Alignment;
use uniq::{CheckOptions, Index};

use super::contents::Contents;
use super::plan::{Class, Job, halves, is_divisible};
use crate::cache::{Cache, key};
use crate::edits::Time;
use crate::footage::{decoding, sha256};

/// An excerpt and its findings.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Observation {
    /// Name of the excerpt's fingerprint.
    pub(crate) key: String,
    /// Its class.
    pub(crate) class: Class,
    /// Its content.
    pub(crate) content: String,
    /// The scene of a take.
    pub(crate) family: Option<String>,
    /// The file that it is cut from, and with `edit` its origin.
    pub(crate) clip: String,
    /// See `clip`.
    pub(crate) edit: String,
    /// Its copied parts: start and end in the excerpt and in the source, in seconds.
    pub(crate) truth: Vec<((f64, f64), (f64, f64))>,
    /// The findings.
    pub(crate) found: Vec<Found>,
    /// Number of videos in the index.
    pub(crate) videos: u64,
}

/// An alignment, and whether it is right.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Found {
    /// The alignment.
    pub(crate) alignment: Alignment,
    /// Whether it is a copy at that time; `None` if unknown.
    pub(crate) right: Option<bool>,
    /// Whether its source is the excerpt's own.
    pub(crate) own: bool,
}

/// The indexes for the searches: one of all videos, one of halves.
struct Indexes {
    whole: Index,
    halves: Index,
    /// Clip and number of each half, by the SHA-256 of the half's file.
    of_half: HashMap<String, (String, usize)>,
}

/// Observes all excerpts that this program has not observed before. The result is in the order of
/// the jobs.
pub(crate) fn observe(
    contents: &Contents,
    jobs: &[Job],
    cache: &Cache,
    cancel: &AtomicBool,
) -> anyhow::Result<(Vec<Observation>, Vec<String>)> {
    let indexes = indexes(contents, jobs, cache, cancel)?;
    let file = cache.observations();
    let text = fs::read_to_string(&file).unwrap_or_default();
    // A line that a crash cut off is made again.
    let known = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Observation>(line).ok());
    let known: HashMap<(String, Class), Observation> = known
        .map(|made| ((made.key.clone(), made.class), made))
        .collect();
    let lines = fs::OpenOptions::new().create(true).append(true).open(&file);
    let lines = Mutex::new(lines.with_context(|| file.display().to_string())?);
    let next = AtomicUsize::new(0);
    let slots: Vec<Mutex<Option<anyhow::Result<Observation>>>> =
        jobs.iter().map(|_| Mutex::new(None)).collect();
    let told = Mutex::new(Instant::now());
    let work = || loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let (Some(job), false) = (jobs.get(number), cancel.load(Ordering::Relaxed)) else {
            return;
        };
        let name = (key(&job.excerpt), job.class);
        let made = match known.get(&name) {
            Some(made) => Ok(made.clone()),
            None => look(contents, &indexes, job, name.0, cache, cancel).and_then(|made| {
                let line = format!("{}\n", serde_json::to_string(&made)?);
                lines
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .write_all(line.as_bytes())?;
                Ok(made)
            }),
        };
        *slots[number].lock().unwrap_or_else(PoisonError::into_inner) = Some(made);
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.elapsed() >= TELL_EVERY {
            *told = Instant::now();
            eprintln!("{} of {} excerpts", number + 1, jobs.len());
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    let (mut observations, mut failed) = (Vec::new(), Vec::new());
    for (job, slot) in jobs.iter().zip(slots) {
        match slot.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(Ok(made)) => observations.push(made),
            Some(Err(error)) => failed.push(format!(
                "{} of {}: {error:#}",
                job.excerpt.edit.name,
                job.excerpt.clip.name()
            )),
            None => {}
        }
    }
    if cancel.load(Ordering::Relaxed) {
        return Err(uniq::Error::Cancelled.into());
    }
    Ok((observations, failed))
}

fn indexes(
    contents: &Contents,
    jobs: &[Job],
    cache: &Cache,
    cancel: &AtomicBool,
) -> anyhow::Result<Indexes> {
    let paths: Vec<PathBuf> = contents
        .clips
        .iter()
        .map(|clip| clip.path.clone())
        .collect();
    let whole = cache.index(&paths, cancel)?;
    if jobs.iter().all(|job| job.hidden.is_none()) {
        return Ok(Indexes {
            whole,
            halves: cache.index(&paths, cancel)?,
            of_half: HashMap::new(),
        });
    }
    let (mut files, mut of_half) = (Vec::new(), HashMap::new());
    for clip in &contents.clips {
        if !is_divisible(clip, contents) {
            files.push(clip.path.clone());
            continue;
        }
        for (number, half) in halves(clip).into_iter().enumerate() {
            let file = cache.part(clip, half)?;
            of_half.insert(hex::encode(sha256(&file)?), (clip.sha256.clone(), number));
            files.push(file);
        }
    }
    Ok(Indexes {
        whole,
        halves: cache.index(&files, cancel)?,
        of_half,
    })
}

fn look(
    contents: &Contents,
    indexes: &Indexes,
    job: &Job,
    key: String,
    cache: &Cache,
    cancel: &AtomicBool,
) -> anyhow::Result<Observation> {
    let (fingerprint, _) = cache.fingerprint(&job.excerpt, cancel)?;
    // If frames have unequal lengths, cutting tools disagree about time.
    let length = job
        .excerpt
        .truth
        .iter()
        .map(|piece| piece.clip_s.1)
        .fold(0.0, f64::max);
    let made_s = fingerprint.duration().as_secs_f64();
    if job.excerpt.edit.time != Time::Inside
        && (made_s - length).abs() > LENGTH_S
        && job.hidden.is_none()
    {
        bail!("it lasts {made_s:.2} s in place of {length:.2}");
    }
    let index = if job.hidden.is_some() {
        &indexes.halves
    } else {
        &indexes.whole
    };
    let own = &job.excerpt.clip.sha256;
    // The clip of an indexed video, and which half of it.
    let clip_of = |sha256: &str| match indexes.of_half.get(sha256) {
        Some((clip, half)) if job.hidden.is_some() => (clip.clone(), Some(*half)),
        _ => (sha256.to_owned(), None),
    };
    let content = contents.content(own);
    // Excludes mixed footage, which is in the index and would be found too.
    let mixed = job
        .excerpt
        .other
        .as_ref()
        .map(|other| contents.content(&other.sha256));
    let is_excluded = |sha256: &str| {
        let (clip, half) = clip_of(sha256);
        mixed == Some(contents.content(&clip))
            || match job.class {
                Class::Copy => false,
                Class::Negative => contents.content(&clip) == content,
                Class::OtherTake => clip == *own,
                Class::OtherMoment | Class::Crossing => clip == *own && half == job.hidden,
            }
    };
    let exclude: Vec<[u8; 32]> = index
        .videos()
        .map(|(_, video)| video.sha256)
        .filter(|sha256| is_excluded(&hex::encode(sha256)))
        .collect();
    let decoding = decoding();
    let options = CheckOptions {
        exclude: &exclude,
        cancel: Some(cancel),
        ..CheckOptions::new(&decoding)
    };
    let found = uniq::alignments(index, &fingerprint, &options)?;
    let judged = |alignment: Alignment| {
        let (clip, _) = clip_of(&hex::encode(index.video(alignment.video).sha256));
        let is_own = clip == *own;
        let right = match job.class {
            Class::Copy | Class::Crossing if is_own => Some(is_right(&alignment, job)),
            _ if !is_own && contents.may_be_copies(&clip, own) => None,
            _ => Some(false),
        };
        Found {
            alignment,
            right,
            own: is_own,
        }
    };
    let truth = match job.class {
        Class::Copy | Class::Crossing => job
            .excerpt
            .truth
            .iter()
            .map(|piece| (piece.clip_s, piece.reference_s))
            .collect(),
        _ => Vec::new(),
    };
    Ok(Observation {
        key,
        class: job.class,
        content: content.to_owned(),
        family: contents.family(own).map(str::to_owned),
        clip: job.excerpt.clip.name(),
        edit: job.excerpt.edit.name.to_owned(),
        truth,
        found: found.into_iter().map(judged).collect(),
        videos: index.state().videos - exclude.len() as u64,
    })
}

/// Whether most of an alignment is in a copied part, with its middle at the right time of the
/// source.
fn is_right(alignment: &Alignment, job: &Job) -> bool {
    let (start, end) = (
        alignment.clip.start.as_secs_f64(),
        alignment.clip.end.as_secs_f64(),
    );
    job.excerpt.truth.iter().any(|piece| {
        let (from, to) = (start.max(piece.clip_s.0), end.min(piece.clip_s.1));
        let middle = 0.5 * (from + to);
        let share = (middle - piece.clip_s.0) / (piece.clip_s.1 - piece.clip_s.0);
        let length = piece.reference_s.1 - piece.reference_s.0;
        let expected = match job.excerpt.edit.time {
            Time::Reversed => piece.reference_s.1 - share * length,
            _ => piece.reference_s.0 + share * length,
        };
        let claim = alignment.claim();
        let claimed = f64::from(claim.offset) + f64::from(claim.speed) * middle;
        to - from >= 0.5 * (end - start) && (claimed - expected).abs() <= RIGHT_S
    })
}

/// Maximum error of the source's time, in seconds.
const RIGHT_S: f64 = 1.0;

/// Maximum error of an excerpt's length, in seconds.
const LENGTH_S: f64 = 0.5;

/// Time between two progress lines.
const TELL_EVERY: Duration = Duration::from_secs(30);

/// Reads observations from a file.
pub(crate) fn load(file: &Path) -> anyhow::Result<Vec<Observation>> {
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    text.lines()
        .map(|line| Ok(serde_json::from_str(line)?))
        .collect()
}
