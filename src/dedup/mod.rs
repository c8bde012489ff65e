//! Finds clips that share footage among many, groups them, and says which to keep.
//!
//! 1. Files with the same bytes are found by their SHA-256 and decoded once (`contents`).
//! 2. Each clip is decoded once. Its fingerprint goes to the work folder, and its keys, as of a
//!    source, to an index there.
//! 3. Each clip is searched for in that index, quickly ([`Effort::Fast`] by default). This gives
//!    candidate pairs.
//! 4. Candidate pairs are compared in full ([`Pair`]): the shorter clip is searched for in the
//!    longer one, and if that finds no copy, the longer one in the shorter. A clip that shows the
//!    same scene at another moment is related, but not a copy.
//! 5. Clips are ranked by what is to be kept ([`Keep`]) and grouped ([`mod@grouping`]): a group is
//!    an anchor with members that match the anchor themselves.
//!
//! A clip is never compared with itself, and references are not compared with each other. The pairs
//! depend neither on the number of threads nor on the order of the files. Memory holds one
//! fingerprint per thread; the work folder holds the others, so that a stopped run can continue.
//!
//! Pairs that the fast search misses are not compared; see [`DedupOptions::candidates`]. If a clip
//! has more than [`PAIRS_MAX`] candidates, the strongest are compared, and further ones as long as
//! that finds copies of a clip that is kept. [`Clip::more_candidates`] counts the rest.

mod clips;
mod contents;
mod each;
mod findings;
pub mod grouping;
pub mod keeping;
mod pairs;
mod work;

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant, SystemTime};

use crate::Result;
use crate::index::{hex, moment};
use crate::report::{Effort, MatchKind, Tool};
use crate::sandbox::Decoding;
use crate::verdict::Policy;

use contents::{Content, Read};
pub use findings::{
    Clip, Cost, Deduplication, Extent, Failure, File, Group, Kept, Member, Pair, PairMatch, SCHEMA,
    Search, Side,
};
use grouping::{Overlap, Overlaps};
pub use keeping::Keep;
use keeping::Traits;
use pairs::Comparison;
pub use pairs::PAIRS_MAX;
use work::Work;

/// A file to compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// The file.
    pub path: PathBuf,
    /// Whether it is only compared with: it is never a member of a group, and not compared with
    /// other references.
    pub reference: bool,
}

/// Options of a search for duplicates.
#[derive(Clone, Copy)]
pub struct DedupOptions<'a> {
    /// How and where the clips are decoded, with which limits.
    pub decoding: &'a Decoding,
    /// The work folder: new, empty, or of an earlier run. Its files reveal what the clips show.
    pub work: &'a Path,
    /// Effort with which candidates are searched for among all clips.
    pub candidates: Effort,
    /// Effort with which candidates are compared. [`Effort::Fast`] also decodes the clips faster.
    pub effort: Effort,
    /// Costs of mistakes.
    pub policy: Policy,
    /// Which clip of a group is kept.
    pub keep: Keep,
    /// Clips worked on at a time, at least 1.
    pub threads: usize,
    /// Called with the progress, possibly from several threads at the same time.
    pub progress: &'a (dyn Fn(Event) + Sync),
    /// Cancels the work once it is set. The work folder keeps decoded clips.
    pub cancel: Option<&'a AtomicBool>,
    /// Time of the search, for the result.
    pub now: Option<SystemTime>,
    /// Returns the processor time of this process and its children, for the result.
    pub processor_time: Option<fn() -> Option<Duration>>,
}

/// Progress of the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// The present stage.
    pub stage: Stage,
    /// Number of finished items.
    pub done: usize,
    /// Number of all items.
    pub of: usize,
}

/// A stage of the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Files are read for their SHA-256.
    Reading,
    /// Clips are decoded.
    Decoding,
    /// Clips are entered into the index of the work folder.
    Indexing,
    /// Clips are searched for.
    Searching,
    /// Clips are compared with their candidates.
    Comparing,
}

/// Finds duplicates among files. Name each file once.
///
/// # Errors
///
/// [`Error::InvalidSetting`](crate::Error::InvalidSetting) for a work folder that cannot be used,
/// [`Error::Io`](crate::Error::Io) if it cannot be written to, and
/// [`Error::Cancelled`](crate::Error::Cancelled). A file that cannot be read is listed in
/// [`Deduplication::failed`], and the work continues.
pub fn dedup(inputs: &[Input], options: &DedupOptions<'_>) -> Result<Deduplication> {
    let started = Instant::now();
    let processor_before = options.processor_time.and_then(|time| time());
    let work = Work::open(options.work, options.effort)?;
    let Read {
        contents,
        failed,
        decoded_s,
        decoded,
        reused,
    } = contents::read(inputs, &work, options)?;
    let comparison = pairs::compare(&contents, inputs, &work, options)?;
    let ranking = Ranking::of(&contents, &comparison, options.keep);
    let groups = groups(inputs, &contents, &comparison, &ranking);
    let processor = options.processor_time.and_then(|time| time());
    let processor = processor
        .zip(processor_before)
        .map(|(after, before)| after.saturating_sub(before).as_secs_f64());
    Ok(Deduplication {
        schema: SCHEMA,
        duplicates: comparison
            .pairs
            .iter()
            .any(|pair| pair.kind == MatchKind::Copy),
        clips: clips(inputs, &contents, &comparison),
        pairs: comparison.pairs,
        groups,
        failed,
        keep: options.keep,
        search: comparison.search,
        cost: Cost {
            decoded_hours: round(decoded_s / 3600.0, 5),
            decoded_clips: decoded,
            reused_clips: reused,
            elapsed_s: round(started.elapsed().as_secs_f64(), 1),
            processor_s: processor.map(|seconds| round(seconds, 1)),
            work_bytes: work.bytes(),
        },
        tool: Tool::this(),
        checked_at: options.now.and_then(moment),
    })
}

/// The clips in the order in which they are kept.
struct Ranking {
    traits: Vec<Traits>,
    order: Vec<usize>,
    keep: Keep,
}

impl Ranking {
    fn of(contents: &[Content], comparison: &Comparison, keep: Keep) -> Ranking {
        let traits: Vec<Traits> = contents
            .iter()
            .enumerate()
            .map(|(n, content)| comparison.traits(n, content))
            .collect();
        let order = keeping::ranked(&traits, keep);
        Ranking {
            traits,
            order,
            keep,
        }
    }
}

/// The overlaps of the clips, by pairs that are copies.
fn overlaps(contents: &[Content], comparison: &Comparison) -> Overlaps {
    let mut overlaps: Overlaps = vec![BTreeMap::new(); contents.len()];
    for (pair, shared) in comparison.shared.iter().enumerate() {
        let Some(shared) = shared else { continue };
        let [a, b] = shared.clips;
        for (clip, other, share) in [(a, b, shared.of[0]), (b, a, shared.of[1])] {
            let overlap = Overlap {
                pair,
                copied_s: share.copied_s,
                rest_s: share.rest_s,
                whole: share.whole,
            };
            overlaps[clip].insert(other, overlap);
        }
    }
    overlaps
}

/// Makes the groups: of clips that match, and of files with the same bytes.
fn groups(
    inputs: &[Input],
    contents: &[Content],
    comparison: &Comparison,
    ranking: &Ranking,
) -> Vec<Group> {
    let references: Vec<bool> = contents.iter().map(|content| content.reference).collect();
    let grouped = grouping::grouped(&ranking.order, &overlaps(contents, comparison), &references);
    let mut of_anchor: BTreeMap<usize, Vec<(usize, Overlap)>> = grouped
        .into_iter()
        .map(|group| (group.anchor, group.members))
        .collect();
    let redundant: HashSet<usize> = of_anchor
        .values()
        .flatten()
        .filter(|(_, overlap)| overlap.whole)
        .map(|(clip, _)| *clip)
        .collect();
    let mut groups = Vec::new();
    for &anchor in ranking
        .order
        .iter()
        .filter(|anchor| !redundant.contains(*anchor))
    {
        let content = &contents[anchor];
        let (kept, same) = kept_file(inputs, content);
        let mut members = Vec::new();
        for number in same {
            let length_s = ranking.traits[anchor].duration_s;
            members.push(Member {
                path: shown(&inputs[number].path),
                sha256: hex(&content.sha256),
                pair: comparison.identical_pair(number, kept),
                extent: Extent::Identical,
                copied_s: round(length_s, 3),
                rest_s: 0.0,
                redundant: true,
                why: "the bytes are the same".to_owned(),
            });
        }
        let others = of_anchor.remove(&anchor).unwrap_or_default();
        for (clip, overlap) in &others {
            let files = contents[*clip].files.iter();
            // Files with the same bytes as a clip that may be kept are reported in its own group.
            for &number in files.take(if overlap.whole { usize::MAX } else { 1 }) {
                members.push(member(
                    &inputs[number],
                    &contents[*clip],
                    overlap,
                    &ranking.traits[*clip],
                ));
            }
        }
        if members.is_empty() {
            continue;
        }
        let rivals: Vec<Traits> = if others.is_empty() {
            let later = |number: &usize| Traits {
                order: *number,
                ..ranking.traits[anchor]
            };
            content
                .files
                .iter()
                .filter(|number| **number != kept)
                .map(later)
                .collect()
        } else {
            others
                .iter()
                .map(|(clip, _)| ranking.traits[*clip])
                .collect()
        };
        let least = |of: &dyn Fn(&Pair) -> f64| {
            members
                .iter()
                .map(|member| of(&comparison.pairs[member.pair]))
                .fold(f64::INFINITY, f64::min)
        };
        groups.push(Group {
            why: keeping::why(&ranking.traits[anchor], &rivals, ranking.keep),
            probability: least(&|pair| pair.probability),
            evidence_bits: least(&|pair| pair.evidence_bits),
            keep: Kept {
                path: shown(&inputs[kept].path),
                sha256: hex(&content.sha256),
                reference: inputs[kept].reference,
            },
            members,
        });
    }
    groups
}

/// The file of a content to keep, preferably a reference, and the others that are not references.
fn kept_file(inputs: &[Input], content: &Content) -> (usize, Vec<usize>) {
    let kept = content
        .files
        .iter()
        .copied()
        .find(|&number| inputs[number].reference)
        .unwrap_or(content.files[0]);
    let others = content.files.iter().copied();
    (
        kept,
        others
            .filter(|&number| number != kept && !inputs[number].reference)
            .collect(),
    )
}

fn member(input: &Input, content: &Content, overlap: &Overlap, traits: &Traits) -> Member {
    let Overlap {
        pair,
        copied_s,
        rest_s,
        whole,
    } = *overlap;
    let length_s = traits.duration_s;
    let (copied, length) = (format!("{copied_s:.1}"), format!("{length_s:.1}"));
    let why = if whole && copied == length {
        format!("all of its {length} s are in the kept clip")
    } else if whole {
        format!("{copied} of its {length} s are in the kept clip; the rest is too short to count")
    } else if grouping::is_whole(length_s, rest_s) {
        "all that could be decoded is in the kept one, but some of its streams could not be decoded"
            .to_owned()
    } else {
        format!(
            "{copied} of its {length} s are in the kept clip; the other {rest_s:.1} s were not found there"
        )
    };
    let extent = if whole { Extent::Whole } else { Extent::Part };
    let (path, sha256) = (shown(&input.path), hex(&content.sha256));
    Member {
        path,
        sha256,
        pair,
        extent,
        copied_s,
        rest_s,
        redundant: whole,
        why,
    }
}

fn clips(inputs: &[Input], contents: &[Content], comparison: &Comparison) -> Vec<Clip> {
    let clip = |(number, content): (usize, &Content)| {
        let told = &comparison.told[number];
        let file = |&number: &usize| File {
            path: shown(&inputs[number].path),
            reference: inputs[number].reference,
        };
        Clip {
            path: shown(&content.path),
            sha256: hex(&content.sha256),
            bytes: content.bytes,
            files: content.files.iter().map(file).collect(),
            reference: content.reference,
            video: told.video.clone(),
            pictures: content
                .kept
                .as_ref()
                .map_or(0, |kept| kept.pictures.len() as u64),
            searchable_s: told.searchable_s,
            unsearchable: told.unsearchable.clone(),
            not_compared: told.not_compared.clone(),
            more_candidates: told.more_candidates,
        }
    };
    contents.iter().enumerate().map(clip).collect()
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Rounds. Adding zero turns a negative zero positive.
fn round(value: f64, digits: i32) -> f64 {
    let unit = 10_f64.powi(digits);
    (value * unit).round() / unit + 0.0
}
