//! Makes, fingerprints and checks excerpts, several at a time, and puts each report beside the truth.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use uniq::{CheckOptions, Effort, Index, SearchMode};

use crate::cache::{Cache, Checked, Reports, key};
use crate::edits::Edit;
use crate::excerpt::Excerpt;
use crate::footage::{Clip, decoding, sha256, split};
use crate::random::{Random, fold};
use crate::score::Score;

/// What is to be measured.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// The edits.
    pub(crate) edits: Vec<Edit>,
    /// Lengths of excerpts in seconds, longest first.
    pub(crate) lengths_s: Vec<f64>,
    /// How many splits into halves are measured.
    pub(crate) splits: u64,
    /// At most so many clips of each half are tried.
    pub(crate) sample: Option<usize>,
    /// Chooses other parts of the clips.
    pub(crate) seed: u64,
    /// How hard copies are looked for.
    pub(crate) effort: Effort,
    /// How the index is searched.
    pub(crate) search: SearchMode,
    /// Checks at a time.
    pub(crate) threads: usize,
}

/// Which question an excerpt answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Its clip is in the index: it has to be found.
    Published,
    /// Its group is not in the index: nothing of it may be called published.
    HeldBack,
    /// Another part of its own clip is in the index: nothing of it may be called published.
    LookAlike,
    /// A part of its own clip is in the index, and it goes on from there: what is in the index has to be found, and nothing else of
    /// it may be called published.
    GoesOn,
}

/// An excerpt and what the program said of it.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// Which split.
    pub(crate) split: u64,
    /// Why it was checked.
    pub(crate) role: Role,
    /// What was checked.
    pub(crate) excerpt: Excerpt,
    /// The answer.
    pub(crate) checked: Checked,
    /// How right it is.
    pub(crate) score: Score,
}

/// What was measured, and what could not be.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    /// In the order of splits, roles, clips, edits and lengths.
    pub(crate) rows: Vec<Row>,
    /// Videos that could not be read, excerpts that could not be made or checked, and why.
    pub(crate) failed: Vec<String>,
    /// How many fingerprints were made, and how many checks, and not taken from the cache.
    pub(crate) fresh: (usize, usize),
}

/// Measures everything that the plan says.
pub(crate) fn measure(clips: &[Clip], plan: &Plan, cache: &Cache, cancel: &AtomicBool) -> anyhow::Result<Measured> {
    let groups: HashMap<String, String> = clips.iter().map(|clip| (clip.sha256.clone(), clip.group.clone())).collect();
    let mut measured = Measured::default();
    for number in 0..plan.splits {
        let halves = split(clips, number);
        let index = cache.index(&paths(&halves.published), cancel)?;
        let excerpts = |from: &[Clip], role: Role| -> Vec<(Role, Excerpt)> {
            let from = sampled(from, plan.sample);
            from.iter().flat_map(|clip| of_clip(clip, plan, &halves.held_back)).map(|excerpt| (role, excerpt)).collect()
        };
        let mut jobs = excerpts(&halves.published, Role::Published);
        jobs.extend(excerpts(&halves.held_back, Role::HeldBack));
        let round =
            Round { split: number, index: &index, plan, cache, groups: &groups, parts: &HashMap::new(), cancel };
        round.run(jobs, &mut measured)?;
    }
    Ok(measured)
}

/// Indexes one half of the time of each clip and checks excerpts of the other half, both ways: the same place, and mostly
/// the same things, at another moment. Others are half of what is indexed and half of what adjoins it, in one take.
pub(crate) fn look_alikes(
    clips: &[Clip],
    plan: &Plan,
    cache: &Cache,
    cancel: &AtomicBool,
    measured: &mut Measured,
) -> anyhow::Result<()> {
    let clips: Vec<Clip> =
        sampled(clips, plan.sample).into_iter().filter(|clip| clip.duration_s >= DIVISIBLE_S).collect();
    let groups: HashMap<String, String> = clips.iter().map(|clip| (clip.sha256.clone(), clip.group.clone())).collect();
    for number in 0..2 {
        let (mut files, mut parts, mut jobs) = (Vec::new(), HashMap::new(), Vec::new());
        for clip in &clips {
            let middle = 0.5 * clip.duration_s;
            let (kept, searched) = [
                ((0.0, middle - APART_S), (middle + APART_S, clip.duration_s)),
                ((middle + APART_S, clip.duration_s), (0.0, middle - APART_S)),
            ][number as usize];
            let file = cache.part(clip, kept)?;
            parts.insert(hex::encode(sha256(&file)?), clip.group.clone());
            files.push(file);
            // Other videos of the group may hold the searched part.
            let alone = clips.iter().filter(|other| other.group == clip.group).count() == 1;
            let edits = plan.edits.iter().filter(|edit| LOOK_ALIKE_EDITS.contains(&edit.name));
            for edit in edits.filter(|_| alone) {
                let rounds = (0..LOOK_ALIKE_ROUNDS).map(|round| plan.seed + round);
                let within = rounds.filter_map(|seed| Excerpt::plan_within(clip, *edit, LOOK_ALIKE_S, searched, seed));
                // A short part has one excerpt only.
                let mut within: Vec<Excerpt> = within.collect();
                within.dedup_by(|a, b| a.cut_s == b.cut_s);
                jobs.extend(within.into_iter().map(|excerpt| (Role::LookAlike, excerpt)));
                jobs.extend(Excerpt::across(clip, *edit, LOOK_ALIKE_S, kept).map(|excerpt| (Role::GoesOn, excerpt)));
            }
        }
        let index = cache.index(&files, cancel)?;
        let round = Round { split: number, index: &index, plan, cache, groups: &groups, parts: &parts, cancel };
        round.run(jobs, measured)?;
    }
    Ok(())
}

/// Clips from this length on are cut in two for look-alikes, in seconds.
const DIVISIBLE_S: f64 = 9.0;
/// Longest excerpt of a half, and longest part of either half in one of both, in seconds.
const LOOK_ALIKE_S: f64 = 5.0;
/// What is left out on both sides of the middle, in seconds.
const APART_S: f64 = 1.0;
/// Excerpts of one half.
const LOOK_ALIKE_ROUNDS: u64 = 2;
/// A look-alike is no copy however it is edited; these few are tried.
const LOOK_ALIKE_EDITS: [&str; 4] = ["cut", "reencode", "mirror", "corner80"];

/// The files of some clips.
pub(super) fn paths(clips: &[Clip]) -> Vec<PathBuf> {
    clips.iter().map(|clip| clip.path.clone()).collect()
}

/// The same clips on every run, whatever their order.
fn sampled(clips: &[Clip], most: Option<usize>) -> Vec<Clip> {
    let mut chosen: Vec<Clip> = clips.to_vec();
    if let Some(most) = most {
        chosen.sort_by_key(|clip| Random::new(fold(&clip.sha256)).bits());
        chosen.truncate(most);
        chosen.sort_by(|a, b| a.path.cmp(&b.path));
    }
    chosen
}

fn of_clip(clip: &Clip, plan: &Plan, others: &[Clip]) -> Vec<Excerpt> {
    let mut excerpts: Vec<Excerpt> = Vec::new();
    for edit in &plan.edits {
        for length in &plan.lengths_s {
            let Some(excerpt) = Excerpt::plan(clip, *edit, *length, others, plan.seed) else { continue };
            // A clip shorter than the length, and an edit with a length of its own, give the same excerpt again.
            if !excerpts.iter().any(|other| other.edit == excerpt.edit && other.cut_s == excerpt.cut_s) {
                excerpts.push(excerpt);
            }
        }
    }
    excerpts
}

/// Excerpts that are checked against one index.
struct Round<'a> {
    split: u64,
    index: &'a Index,
    plan: &'a Plan,
    cache: &'a Cache,
    /// The group of each clip by SHA-256.
    groups: &'a HashMap<String, String>,
    /// The same of indexed files that are parts of clips: a copy in one is right only where the excerpt goes on from that part.
    parts: &'a HashMap<String, String>,
    cancel: &'a AtomicBool,
}

/// What one thread leaves for the others: a check, and whether it was made just now.
type Slot = Mutex<Option<anyhow::Result<(Checked, bool)>>>;

impl Round<'_> {
    fn run(&self, jobs: Vec<(Role, Excerpt)>, measured: &mut Measured) -> anyhow::Result<()> {
        let reports = self.cache.reports(self.index, &format!("{:?}-{:?}", self.plan.effort, self.plan.search))?;
        let (next, made) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let slots: Vec<Slot> = jobs.iter().map(|_| Mutex::new(None)).collect();
        let told = Mutex::new(Instant::now());
        let work = || loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let (Some((_, excerpt)), false) = (jobs.get(number), self.cancel.load(Ordering::Relaxed)) else { return };
            *slots[number].lock().unwrap_or_else(PoisonError::into_inner) = Some(self.check(excerpt, &reports, &made));
            let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
            if told.elapsed() >= TELL_EVERY {
                *told = Instant::now();
                eprintln!("split {}: {} of {} excerpts", self.split + 1, number + 1, jobs.len());
            }
        };
        thread::scope(|scope| (0..self.plan.threads).for_each(|_| drop(scope.spawn(work))));
        let mut new = Vec::new();
        for ((role, excerpt), slot) in jobs.into_iter().zip(slots) {
            match slot.into_inner().unwrap_or_else(PoisonError::into_inner) {
                Some(Ok((checked, fresh))) => {
                    new.extend(fresh.then(|| checked.clone()));
                    let groups = if role == Role::GoesOn { self.parts } else { self.groups };
                    let score = Score::new(&checked.report, &excerpt, groups);
                    measured.rows.push(Row { split: self.split, role, excerpt, checked, score });
                }
                Some(Err(error)) => {
                    let what = format!("{} of {}: {error:#}", excerpt.edit.name, excerpt.clip.name());
                    measured.failed.push(what);
                }
                None => {}
            }
        }
        measured.fresh.0 += made.into_inner();
        measured.fresh.1 += new.len();
        reports.add(&new)?;
        if self.cancel.load(Ordering::Relaxed) {
            return Err(uniq::Error::Cancelled.into());
        }
        Ok(())
    }

    /// Takes the report of an earlier run, or makes what is missing; `made` counts new fingerprints.
    fn check(&self, excerpt: &Excerpt, reports: &Reports, made: &AtomicUsize) -> anyhow::Result<(Checked, bool)> {
        let name = key(excerpt);
        if let Some(known) = reports.known(&name) {
            return Ok((known.clone(), false));
        }
        let (fingerprint, new) = self.cache.fingerprint(excerpt, self.cancel)?;
        made.fetch_add(usize::from(new), Ordering::Relaxed);
        let started = Instant::now();
        let decoding = decoding();
        let options = CheckOptions {
            effort: self.plan.effort,
            search: self.plan.search,
            cancel: Some(self.cancel),
            ..CheckOptions::new(&decoding)
        };
        let report = uniq::check_fingerprint(self.index, &fingerprint, &options)?;
        Ok((Checked { excerpt: name, report, check_s: started.elapsed().as_secs_f64() }, true))
    }
}

/// Between two lines about how far it has come.
const TELL_EVERY: Duration = Duration::from_secs(20);
