//! Measures on an index itself how much of what all its keys would find is nominated by cells.
//!
//! A *canary* is an excerpt of 10 s of a track of the index whose keys have been changed as edits
//! change them: some are not seen, of the others bits are flipped, and as many keys that are like
//! nothing stored stand between them. Counted are those that the video's keys, all compared, still
//! nominate; a search by cells should nominate the video too. How many cells it looks into is the
//! least number that does so for [`WANTED`] of them.
//!
//! The changes were set after real edits: of the keys of plain cuts, of crops to 60 % and of
//! pictures at half the size in a corner that are found at all, 16 % are within 27 bits of the
//! source's and 62 % within 56.

use super::RADIUS;
use super::nominate::{Bins, Seen, nominate_by, screen};
use crate::error::Result;
use crate::fingerprint::{Key, Orientation, Run};
use crate::index::{Index, Screen, Screening, SplitMix, Strength, Upkeep, VideoRef, Watch, Work, Writer};

/// How keys are changed.
struct Change {
    name: &'static str,
    /// Share of the source's keys that are seen.
    seen: f64,
    /// Fewest and most bits that are flipped.
    flips: (u32, u32),
}

const CHANGES: [Change; 3] = [
    Change { name: "light", seen: 0.6, flips: (4, 48) },
    Change { name: "strong", seen: 0.25, flips: (20, 64) },
    Change { name: "hard", seen: 0.12, flips: (32, 72) },
];

/// Measures with so many excerpts of each strength, in the sources of an index that has cells;
/// `None` if it has one cell, or no excerpt can be found at all.
///
/// # Errors
/// [`Error::CorruptIndex`](crate::Error::CorruptIndex) if what is looked at is damaged, and
/// [`Error::Cancelled`](crate::Error::Cancelled).
pub fn measure<'a>(index: &Index, excerpts: usize, watch: impl Into<Watch<'a>>) -> Result<Option<Screening>> {
    let state = index.state();
    let videos: Vec<VideoRef> = index.videos().map(|(video, _)| video).collect();
    if state.cells < 2 || videos.is_empty() {
        return Ok(None);
    }
    let work = Work::new(watch.into(), Upkeep::Measuring, (CHANGES.len() * excerpts * 2) as u64);
    let mut random = SplitMix::new(SEED ^ state.keys);
    let usual = screen(index);
    let mut canaries: Vec<(usize, VideoRef, Vec<Seen>)> = Vec::new();
    for (strength, change) in CHANGES.iter().enumerate() {
        let mut left = excerpts;
        for _ in 0..excerpts * TRIES {
            if left == 0 {
                break;
            }
            work.stop_if_asked()?;
            let video = videos[random.below(videos.len() as u32) as usize];
            let seen = excerpt(&index.runs(video)?, change, &mut random);
            if is_found(index, video, &seen)? {
                canaries.push((strength, video, seen));
                left -= 1;
                work.advance(1);
            }
        }
    }
    if canaries.is_empty() {
        return Ok(None);
    }
    let mut measured: Option<(f64, Screening)> = None;
    for probes in PROBES.into_iter().filter(|probes| *probes as u64 <= state.cells) {
        let screen = Screen { probes, ..usual };
        let mut strengths: Vec<Strength> =
            CHANGES.iter().map(|change| Strength { name: change.name.to_owned(), excerpts: 0, nominated: 0 }).collect();
        for (strength, video, seen) in &canaries {
            work.stop_if_asked()?;
            let nominated = nominate_by(index, seen, &screen, &|| work.stop_if_asked())?;
            work.advance(1);
            strengths[*strength].excerpts += 1;
            strengths[*strength].nominated += u32::from(nominated.videos.iter().any(|nominee| nominee.video == *video));
        }
        let screening = Screening { generation: state.generation, keys: state.keys, probes: probes as u32, strengths };
        let recall = screening.recall().unwrap_or(0.0);
        // More cells for hardly more recall only cost time.
        if measured.as_ref().is_none_or(|(before, _)| recall > before + GAIN_MIN) {
            measured = Some((recall, screening));
        }
        if recall >= WANTED {
            break;
        }
    }
    Ok(measured.map(|(_, screening)| screening))
}

/// Measures an index if that is due, and says it with a commit.
///
/// # Errors
/// Those of [`measure`] and [`Writer::commit`].
pub fn measure_if_due<'a>(writer: &mut Writer, watch: impl Into<Watch<'a>>) -> Result<()> {
    let Some(index) = writer.committed().filter(|index| is_due(index)) else { return Ok(()) };
    if let Some(screening) = measure(index, EXCERPTS, watch)? {
        writer.set_screening(screening);
        writer.commit()?;
    }
    Ok(())
}

/// Whether an index has changed so much since it was measured, if it was, that it should be
/// measured again: it has twice as many keys, or a quarter of them is gone.
fn is_due(index: &Index) -> bool {
    let keys = index.state().keys;
    let is_old = |screening: &Screening| keys >= 2 * screening.keys || keys * 4 <= screening.keys * 3;
    index.state().cells > 1 && keys > 0 && index.screening().is_none_or(is_old)
}

/// Excerpts of each strength by which an index is measured.
const EXCERPTS: usize = 200;

/// What a clip of 10 s of a video shows, changed.
fn excerpt(runs: &[Run], change: &Change, random: &mut SplitMix) -> Vec<Seen> {
    let end = runs.last().map_or(0.0, |run| run.first.as_secs_f32());
    let start = (end - LENGTH_S).max(0.0) * (random.below(1 << 16) as f32 / 65_536.0);
    let shown = runs.iter().filter(|run| (start..=start + LENGTH_S).contains(&run.first.as_secs_f32()));
    let mut seen = Vec::new();
    for run in shown {
        let number = seen.len() as u32;
        let of = |key| Seen {
            orientation: Orientation::UPRIGHT,
            number,
            time: run.first.as_secs_f32() - start,
            kind: run.kind,
            key,
        };
        if f64::from(random.below(1 << 16)) < change.seen * 65_536.0 {
            let bits = change.flips.0 + random.below(change.flips.1 - change.flips.0 + 1);
            seen.push(of(random.flip(run.key, bits)));
        } else {
            seen.push(of(Key(std::array::from_fn(|_| random.bits()))));
        }
    }
    seen
}

/// Whether comparing all keys of the video, as far as the exact search goes, would nominate it.
fn is_found(index: &Index, video: VideoRef, seen: &[Seen]) -> Result<bool> {
    let queries = super::distinct(seen.iter().map(|seen| seen.key));
    let mut bins = Bins::default();
    for near in index.near_in(video, &queries, RADIUS)? {
        let run = index.run(video, near.run)?;
        for seen in seen.iter().filter(|seen| seen.key == queries[near.query as usize]) {
            bins.vote(seen, &near, &run, 0.0);
        }
    }
    Ok(!bins.nominees().0.is_empty())
}

/// Share of the canaries that are to be nominated, 0..=1.
const WANTED: f64 = 0.998;

/// Recall that twice as many cells have to add, 0..=1.
const GAIN_MIN: f64 = 0.002;

/// Numbers of cells that are tried, fewest first. Not fewer than these: real edits change keys in
/// more ways than canaries.
const PROBES: [usize; 5] = [16, 32, 64, 128, 256];

/// Tries for each excerpt, as some parts of videos have too few keys.
const TRIES: usize = 4;

/// Length of an excerpt in seconds.
const LENGTH_S: f32 = 10.0;

const SEED: u64 = 0xca4a_71e5_0f10_5e1f;
