//! Measures the recall of the screening on an index itself.
//!
//! A *canary* is an excerpt of 10 s of an indexed track with keys changed as edits change them:
//! some keys are replaced by random ones, and bits of the others are flipped. It counts if
//! comparing all keys of its video nominates the video; the screening should then nominate it too.
//! The number of cells to probe is the smallest that does so for [`RECALL_WANTED`] of the canaries.
//!
//! The changes imitate real edits: in plain cuts, crops to 60 % and pictures in a corner at half
//! the size, 16 % of the keys that are found at all are within 27 bits of the source's and 62 %
//! within 56.

use super::RADIUS;
use super::nominate::{Bins, QueryKey, nominate_by, screen};
use crate::error::Result;
use crate::fingerprint::{Key, Orientation, Run};
use crate::index::{
    Index, Screen, Screening, SplitMix, Strength, Upkeep, VideoRef, Watch, Work, Writer,
};

/// How keys of a canary are changed.
struct Change {
    name: &'static str,
    /// Share of the source's keys that are kept, 0..=1.
    kept: f64,
    /// Minimum and maximum number of flipped bits.
    flips: (u32, u32),
}

const CHANGES: [Change; 3] = [
    Change {
        name: "light",
        kept: 0.6,
        flips: (4, 48),
    },
    Change {
        name: "strong",
        kept: 0.25,
        flips: (20, 64),
    },
    Change {
        name: "hard",
        kept: 0.12,
        flips: (32, 72),
    },
];

/// Measures the recall with `excerpts` excerpts of each strength. Returns `None` if the index has a
/// single cell, or if no excerpt counts.
///
/// # Errors
/// [`Error::CorruptIndex`](crate::Error::CorruptIndex) if a part of the index that it reads is
/// damaged, and [`Error::Cancelled`](crate::Error::Cancelled).
pub fn measure<'a>(
    index: &Index,
    excerpts: usize,
    watch: impl Into<Watch<'a>>,
) -> Result<Option<Screening>> {
    let state = index.state();
    let videos: Vec<VideoRef> = index.videos().map(|(video, _)| video).collect();
    if state.cells < 2 || videos.is_empty() {
        return Ok(None);
    }
    let work = Work::new(
        watch.into(),
        Upkeep::Measuring,
        (CHANGES.len() * excerpts * 2) as u64,
    );
    let mut random = SplitMix::new(SEED ^ state.keys);
    let usual = screen(index);
    let mut canaries: Vec<(usize, VideoRef, Vec<QueryKey>)> = Vec::new();
    for (strength, change) in CHANGES.iter().enumerate() {
        let mut left = excerpts;
        for _ in 0..excerpts * ATTEMPTS {
            if left == 0 {
                break;
            }
            work.stop_if_asked()?;
            let video = videos[random.below(videos.len() as u32) as usize];
            let queries = excerpt(&index.runs(video)?, change, &mut random);
            if is_found(index, video, &queries)? {
                canaries.push((strength, video, queries));
                left -= 1;
                work.advance(1);
            }
        }
    }
    if canaries.is_empty() {
        return Ok(None);
    }
    let mut measured: Option<(f64, Screening)> = None;
    for probes in PROBES
        .into_iter()
        .filter(|probes| *probes as u64 <= state.cells)
    {
        let screen = Screen { probes, ..usual };
        let mut strengths: Vec<Strength> = CHANGES
            .iter()
            .map(|change| Strength {
                name: change.name.to_owned(),
                excerpts: 0,
                nominated: 0,
            })
            .collect();
        for (strength, video, queries) in &canaries {
            work.stop_if_asked()?;
            let nominated = nominate_by(index, queries, &screen, &|| work.stop_if_asked())?;
            work.advance(1);
            strengths[*strength].excerpts += 1;
            strengths[*strength].nominated += u32::from(
                nominated
                    .videos
                    .iter()
                    .any(|nominee| nominee.video == *video),
            );
        }
        let screening = Screening {
            generation: state.generation,
            keys: state.keys,
            probes: probes as u32,
            strengths,
        };
        let recall = screening.recall().unwrap_or(0.0);
        // More cells without more recall only cost time.
        if measured
            .as_ref()
            .is_none_or(|(before, _)| recall > before + GAIN_MIN)
        {
            measured = Some((recall, screening));
        }
        if recall >= RECALL_WANTED {
            break;
        }
    }
    Ok(measured.map(|(_, screening)| screening))
}

/// Measures an index if that is due, and commits the result.
///
/// # Errors
/// Those of [`measure`] and [`Writer::commit`].
pub fn measure_if_due<'a>(writer: &mut Writer, watch: impl Into<Watch<'a>>) -> Result<()> {
    let Some(index) = writer.committed().filter(|index| is_due(index)) else {
        return Ok(());
    };
    if let Some(screening) = measure(index, EXCERPTS, watch)? {
        writer.set_screening(screening);
        writer.commit()?;
    }
    Ok(())
}

/// Whether an index needs a measurement: it has none, twice as many keys as at the last one, or
/// three quarters of them or fewer.
fn is_due(index: &Index) -> bool {
    let keys = index.state().keys;
    let is_old =
        |screening: &Screening| keys >= 2 * screening.keys || keys * 4 <= screening.keys * 3;
    index.state().cells > 1 && keys > 0 && index.screening().is_none_or(is_old)
}

/// Number of excerpts of each strength for one measurement.
const EXCERPTS: usize = 200;

/// Changed keys of a random excerpt.
fn excerpt(runs: &[Run], change: &Change, random: &mut SplitMix) -> Vec<QueryKey> {
    let end = runs.last().map_or(0.0, |run| run.first.as_secs_f32());
    let start = (end - LENGTH_S).max(0.0) * (random.below(1 << 16) as f32 / 65_536.0);
    let excerpted = runs
        .iter()
        .filter(|run| (start..=start + LENGTH_S).contains(&run.first.as_secs_f32()));
    let mut queries = Vec::new();
    for run in excerpted {
        let number = queries.len() as u32;
        let of = |key| QueryKey {
            orientation: Orientation::UPRIGHT,
            number,
            time: run.first.as_secs_f32() - start,
            kind: run.kind,
            key,
        };
        if f64::from(random.below(1 << 16)) < change.kept * 65_536.0 {
            let bits = change.flips.0 + random.below(change.flips.1 - change.flips.0 + 1);
            queries.push(of(random.flip(run.key, bits)));
        } else {
            queries.push(of(Key(std::array::from_fn(|_| random.bits()))));
        }
    }
    queries
}

/// Whether comparing all keys of the video, within the radius of the exact search, nominates it.
fn is_found(index: &Index, video: VideoRef, queries: &[QueryKey]) -> Result<bool> {
    let keys = super::distinct(queries.iter().map(|query| query.key));
    let mut bins = Bins::default();
    for near in index.near_in(video, &keys, RADIUS)? {
        let run = index.run(video, near.run)?;
        for query in queries
            .iter()
            .filter(|query| query.key == keys[near.query as usize])
        {
            bins.vote(query, &near, &run, 0.0);
        }
    }
    Ok(!bins.nominees().0.is_empty())
}

/// Recall at which no more cells are tried, 0..=1.
const RECALL_WANTED: f64 = 0.998;

/// Minimum gain in recall that justifies twice as many cells, 0..=1.
const GAIN_MIN: f64 = 0.002;

/// Numbers of cells to try, ascending. The minimum is not lower, because real edits change keys in
/// more ways than canaries.
const PROBES: [usize; 5] = [16, 32, 64, 128, 256];

/// Number of attempts per excerpt: parts of some videos have too few keys.
const ATTEMPTS: usize = 4;

/// Length of an excerpt in seconds.
const LENGTH_S: f32 = 10.0;

const SEED: u64 = 0xca4a_71e5_0f10_5e1f;
