//! Finds pairs of clips that share footage: first candidates quickly among all, then each pair in
//! full.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic;
use std::time::Duration;

use super::clips::{Candidates, Clips, Told};
use super::contents::Content;
use super::each::each;
use super::findings::{Pair, PairMatch, Search, Side};
use super::grouping::{covered, is_whole};
use super::keeping::{self, Traits};
use super::work::{Kept, Work};
use super::{DedupOptions, Event, Stage, round, shown};
use crate::check;
use crate::index::{SearchMode, hex};
use crate::report::{Interval, MatchKind};
use crate::{Error, Result};

/// Number of pairs of a clip that are always compared in full, strongest candidates first. Further
/// ones are compared in batches of this size, for a clip that is to be kept, as long as the
/// previous batch held a copy.
pub const PAIRS_MAX: usize = 16;

/// Result of comparing all clips.
#[derive(Debug)]
pub(super) struct Comparison {
    /// In order of SHA-256s and names.
    pub(super) pairs: Vec<Pair>,
    /// For each pair that is a copy with different bytes, what the clips share.
    pub(super) shared: Vec<Option<Shared>>,
    /// What is known of each clip.
    pub(super) told: Vec<Told>,
    pub(super) search: Search,
    /// The pair of each file with the first by name of the same bytes.
    same: HashMap<usize, usize>,
}

/// What two clips share.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shared {
    /// The numbers of the clips.
    pub(super) clips: [usize; 2],
    /// How much of each is in the other.
    pub(super) of: [Share; 2],
}

/// How much of a clip is in another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Share {
    pub(super) copied_s: f64,
    /// Of several video streams, the one with most.
    pub(super) rest_s: f64,
    pub(super) whole: bool,
}

/// A pair with different bytes and, if it is a copy, what the clips share.
type Found = (Pair, Option<Shared>);

impl Comparison {
    /// The properties that the rules compare.
    pub(super) fn traits(&self, number: usize, content: &Content) -> Traits {
        traits(&self.told[number], content)
    }

    /// The pair of a file with the kept file of the same bytes, which is the pair of one of them
    /// with the first by name.
    pub(super) fn identical_pair(&self, file: usize, kept: usize) -> usize {
        self.same
            .get(&file)
            .or_else(|| self.same.get(&kept))
            .copied()
            .unwrap_or(0)
    }
}

fn traits(told: &Told, content: &Content) -> Traits {
    let video = told.video.as_ref();
    Traits {
        reference: content.reference,
        order: content.files.first().copied().unwrap_or(0),
        duration_s: video.map_or(0.0, |video| video.duration_s),
        width: video.map_or(0, |video| video.width),
        height: video.map_or(0, |video| video.height),
        bytes: content.bytes,
    }
}

/// Compares all clips with each other.
pub(super) fn compare(
    contents: &[Content],
    files: &[super::Input],
    work: &Work,
    options: &DedupOptions<'_>,
) -> Result<Comparison> {
    let mut search = Search {
        candidates: options.candidates,
        effort: options.effort,
        exact: true,
        clips: 0,
        pairs_compared: 0,
    };
    let no_index = contents.iter().all(|content| content.kept.is_err());
    let (mut told, mut found, mut same) = (
        vec![Told::default(); contents.len()],
        Vec::new(),
        Vec::new(),
    );
    if !no_index {
        let clips = Clips::index(contents, work, options)?;
        search.exact = clips.mode == SearchMode::Exact;
        search.clips = clips.views.len() as u64;
        let candidates;
        (told, candidates) = clips.search()?;
        (found, search.pairs_compared) = clips.compare_candidates(&candidates, &mut told)?;
        same = clips.identical()?;
    }
    for (told, content) in told.iter_mut().zip(contents) {
        if let Err(reason) = &content.kept {
            told.not_compared.push(reason.clone());
        }
    }
    Ok(in_order(contents, files, told, found, &same, search))
}

/// Orders the pairs and adds those of identical files.
fn in_order(
    contents: &[Content],
    files: &[super::Input],
    told: Vec<Told>,
    found: Vec<Found>,
    same: &[(usize, PairMatch)],
    search: Search,
) -> Comparison {
    let mut pairs: Vec<(Pair, Option<Shared>, Option<usize>)> = found
        .into_iter()
        .map(|(pair, shared)| (pair, shared, None))
        .collect();
    let of_content: HashMap<usize, &PairMatch> = same
        .iter()
        .map(|(number, found)| (*number, found))
        .collect();
    for (number, content) in contents.iter().enumerate() {
        let first = content
            .files
            .iter()
            .copied()
            .find(|&file| files[file].path == content.path);
        let both_references = |file: usize| {
            first.is_some_and(|first| files[first].reference && files[file].reference)
        };
        for &file in content
            .files
            .iter()
            .filter(|&&file| Some(file) != first && !both_references(file))
        {
            let side = |file: usize| Side {
                path: shown(&files[file].path),
                sha256: hex(&content.sha256),
                reference: files[file].reference,
                copied_s: told[number]
                    .video
                    .as_ref()
                    .map_or(0.0, |video| video.duration_s),
            };
            let matches: Vec<PairMatch> = of_content
                .get(&number)
                .map(|found| (*found).clone())
                .into_iter()
                .collect();
            let alignment = matches.first().map(|found| &found.found.alignment);
            let pair = Pair {
                kind: MatchKind::Copy,
                identical: true,
                clip: side(first.unwrap_or(file)),
                other: side(file),
                probability: alignment.map_or(1.0, |found| found.probability),
                evidence_bits: alignment.map_or(SHA256_BITS, |found| found.evidence_bits),
                matches,
            };
            pairs.push((pair, None, Some(file)));
        }
    }
    pairs.sort_by(|(a, ..), (b, ..)| {
        let key = |pair: &Pair| {
            (
                pair.clip.sha256.clone(),
                pair.other.sha256.clone(),
                pair.other.path.clone(),
            )
        };
        key(a).cmp(&key(b))
    });
    let same = pairs
        .iter()
        .enumerate()
        .filter_map(|(at, (_, _, file))| Some(((*file)?, at)))
        .collect();
    let (pairs, shared) = pairs
        .into_iter()
        .map(|(pair, shared, _)| (pair, shared))
        .unzip();
    Comparison {
        pairs,
        shared,
        told,
        search,
        same,
    }
}

/// Evidence of equal SHA-256s if there is no video, in bits.
const SHA256_BITS: f64 = 256.0;

impl Clips<'_> {
    /// Compares the candidates in full, and counts for each clip how many were left out.
    fn compare_candidates(
        &self,
        candidates: &Candidates,
        told: &mut [Told],
    ) -> Result<(Vec<Found>, u64)> {
        let mut of_clip: Vec<Vec<(usize, f32)>> = vec![Vec::new(); self.contents.len()];
        for (&(a, b), &bits) in candidates {
            of_clip[a].push((b, bits));
            of_clip[b].push((a, bits));
        }
        for others in &mut of_clip {
            others.sort_by(|(a, of_a), (b, of_b)| {
                of_b.total_cmp(of_a)
                    .then_with(|| self.contents[*a].sha256.cmp(&self.contents[*b].sha256))
            });
        }
        let pair = |a: usize, b: usize| (a.min(b), a.max(b));
        let mut left: BTreeSet<(usize, usize)> = candidates.keys().copied().collect();
        let strongest = |(a, others): (usize, &Vec<(usize, f32)>)| -> Vec<(usize, usize)> {
            others
                .iter()
                .take(PAIRS_MAX)
                .map(|(b, _)| pair(a, *b))
                .collect()
        };
        let first: BTreeSet<(usize, usize)> =
            of_clip.iter().enumerate().flat_map(strongest).collect();
        let mut found = self.compare_pairs(first, &mut left, told)?;
        // If there are more, all candidates of a clip that is kept are searched for copies.
        let traits: Vec<Traits> = told
            .iter()
            .zip(self.contents)
            .map(|(told, content)| traits(told, content))
            .collect();
        let mut redundant = BTreeSet::new();
        for anchor in keeping::ranked(&traits, self.options.keep) {
            if redundant.contains(&anchor) {
                continue;
            }
            let mut open: Vec<usize> = of_clip[anchor].iter().map(|(other, _)| *other).collect();
            open.retain(|other| left.contains(&pair(anchor, *other)) && !redundant.contains(other));
            for batch in open.chunks(PAIRS_MAX) {
                let batch = batch.iter().map(|other| pair(anchor, *other)).collect();
                let more = self.compare_pairs(batch, &mut left, told)?;
                let copies = more.iter().any(|(pair, _)| pair.kind == MatchKind::Copy);
                found.extend(more);
                if !copies {
                    break;
                }
            }
            redundant.extend(
                found
                    .iter()
                    .filter_map(|(_, shared)| shared.as_ref()?.redundant_beside(anchor)),
            );
        }
        for (a, b) in left {
            told[a].more_candidates += 1;
            told[b].more_candidates += 1;
        }
        Ok((found, self.compared.load(atomic::Ordering::Relaxed) as u64))
    }

    /// Compares pairs and removes them from `left`. Searches for the shorter clip in the longer
    /// one, and if that finds no copy, for the longer one in the shorter.
    fn compare_pairs(
        &self,
        pairs: BTreeSet<(usize, usize)>,
        left: &mut BTreeSet<(usize, usize)>,
        told: &mut [Told],
    ) -> Result<Vec<Found>> {
        left.retain(|pair| !pairs.contains(pair));
        self.compared
            .fetch_add(pairs.len(), atomic::Ordering::Relaxed);
        let shorter_first =
            |&(a, b): &(usize, usize)| if self.is_before(a, b) { (a, b) } else { (b, a) };
        let forth = self.compare_directed(pairs.iter().map(shorter_first).collect())?;
        let undecided = forth
            .iter()
            .filter(|one| one.kind() != Some(MatchKind::Copy));
        let back = self.compare_directed(undecided.map(|one| (one.other, one.clip)).collect())?;
        for (one, why) in forth
            .iter()
            .chain(&back)
            .filter_map(|one| Some((one, one.stopped.as_ref()?)))
        {
            told[one.clip].not_compared.push(format!(
                "with {}: {why}",
                shown(&self.contents[one.other].path)
            ));
        }
        let mut found: BTreeMap<(usize, usize), Directed> = BTreeMap::new();
        for one in forth
            .into_iter()
            .chain(back)
            .filter(|one| !one.matches.is_empty())
        {
            match found.entry((one.clip.min(one.other), one.clip.max(one.other))) {
                Entry::Vacant(place) => {
                    place.insert(one);
                }
                // Keeps the first result unless the other direction finds a stronger kind.
                Entry::Occupied(mut place) => {
                    if one.kind().map(rank) > place.get().kind().map(rank) {
                        place.insert(one);
                    }
                }
            }
        }
        Ok(found.into_values().map(|one| self.pair(one)).collect())
    }

    /// Whether the first clip of a pair is the one to search for: the shorter one.
    fn is_before(&self, a: usize, b: usize) -> bool {
        let key = |number: usize| (length(&self.contents[number]), self.contents[number].sha256);
        key(a) <= key(b)
    }

    /// Searches for clips in others.
    fn compare_directed(&self, pairs: Vec<(usize, usize)>) -> Result<Vec<Directed>> {
        // Grouped by clip, so that each fingerprint is read once.
        let mut others: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        pairs
            .into_iter()
            .for_each(|(clip, other)| others.entry(clip).or_default().push(other));
        let others: Vec<(usize, Vec<usize>)> = others.into_iter().collect();
        let progress = self.options.progress;
        let directed = each(
            &others,
            self.options.threads,
            &|(clip, others)| self.compare_one(*clip, others),
            &|done| {
                progress(Event {
                    stage: Stage::Comparing,
                    done,
                    of: others.len(),
                })
            },
        )?;
        Ok(directed.into_iter().flatten().collect())
    }

    /// Compares a clip with several others.
    fn compare_one(&self, clip: usize, others: &[usize]) -> Result<Vec<Directed>> {
        let mut directed: Vec<Directed> = others
            .iter()
            .map(|&other| Directed {
                clip,
                other,
                matches: Vec::new(),
                stopped: None,
            })
            .collect();
        let options = self.check_options(self.options.effort);
        let Some(kept) = self.kept(clip) else {
            return Ok(directed);
        };
        for view in self.of(clip) {
            let fingerprint = self.fingerprint(view)?;
            for one in &mut directed {
                let Some(of_other) = self.kept(one.other) else {
                    continue;
                };
                for there in self.of(one.other) {
                    let report =
                        match check::compare(&self.index, &fingerprint, &[there.video], &options) {
                            Ok(report) => report,
                            Err(error @ Error::LimitExceeded { .. }) => {
                                one.stopped = Some(error.to_string());
                                continue;
                            }
                            Err(error) => return Err(error),
                        };
                    for found in report.matches {
                        let mut found = PairMatch {
                            found,
                            reference_stream: None,
                        };
                        let stream = |kept: &Kept, picture: usize| {
                            let several = kept.pictures.len() > 1;
                            kept.pictures[picture]
                                .streams
                                .first()
                                .copied()
                                .filter(|_| several)
                        };
                        found.found.stream = stream(kept, view.picture);
                        found.reference_stream = stream(of_other, there.picture);
                        let alignment = &mut found.found.alignment;
                        alignment.source.sha256 = hex(&self.contents[one.other].sha256);
                        alignment.source.id = alignment.source.sha256[..16].to_owned();
                        shift(
                            &mut alignment.clip,
                            kept.pictures[view.picture].start.as_secs_f64(),
                        );
                        shift(
                            &mut alignment.reference,
                            of_other.pictures[there.picture].start.as_secs_f64(),
                        );
                        one.matches.push((view.picture, there.picture, found));
                    }
                }
            }
        }
        Ok(directed)
    }

    /// How much of the clip and of the other is in copies.
    fn shares(&self, of: &Directed) -> [Share; 2] {
        let copies = || {
            of.matches
                .iter()
                .filter(|(.., found)| found.found.kind == MatchKind::Copy)
        };
        let span = |interval: Interval| (interval.start_s, interval.end_s);
        let share = |content: usize, in_clip: bool| {
            let side = |found: &PairMatch| {
                let alignment = &found.found.alignment;
                span(if in_clip {
                    alignment.clip
                } else {
                    alignment.reference
                })
            };
            let picture =
                |found: &(usize, usize, PairMatch)| if in_clip { found.0 } else { found.1 };
            let copied_s = covered(copies().map(|found| side(&found.2)).collect());
            let (mut rest_s, mut whole) = (0.0_f64, true);
            for (number, kept) in self
                .kept(content)
                .into_iter()
                .flat_map(|kept| kept.pictures.iter().enumerate())
            {
                let here = copies()
                    .filter(|found| picture(found) == number)
                    .map(|found| side(&found.2))
                    .collect();
                let duration_s = kept.duration.as_secs_f64();
                let rest = (duration_s - covered(here)).max(0.0);
                whole &= is_whole(duration_s, rest);
                rest_s = rest_s.max(rest);
            }
            whole &= self
                .kept(content)
                .is_some_and(|kept| kept.unseen.is_empty());
            Share {
                copied_s: round(copied_s, 3),
                rest_s: round(rest_s, 3),
                whole,
            }
        };
        [share(of.clip, true), share(of.other, false)]
    }

    fn pair(&self, one: Directed) -> Found {
        // Only pairs with matches come here.
        let kind = one.kind().unwrap_or(MatchKind::SameScene);
        let (probability, evidence_bits) = one.strongest();
        let of = self.shares(&one);
        let side = |number: usize, share: &Share| Side {
            path: shown(&self.contents[number].path),
            sha256: hex(&self.contents[number].sha256),
            reference: self.contents[number].reference,
            copied_s: share.copied_s,
        };
        let (clip, other) = (side(one.clip, &of[0]), side(one.other, &of[1]));
        let shared = (kind == MatchKind::Copy).then_some(Shared {
            clips: [one.clip, one.other],
            of,
        });
        let mut matches: Vec<PairMatch> =
            one.matches.into_iter().map(|(.., found)| found).collect();
        matches.sort_by(|a, b| {
            a.found
                .alignment
                .clip
                .start_s
                .total_cmp(&b.found.alignment.clip.start_s)
        });
        (
            Pair {
                kind,
                identical: false,
                clip,
                other,
                probability,
                evidence_bits,
                matches,
            },
            shared,
        )
    }

    /// For each clip with several files, their match with each other.
    fn identical(&self) -> Result<Vec<(usize, PairMatch)>> {
        let mut same = Vec::new();
        for (number, content) in self
            .contents
            .iter()
            .enumerate()
            .filter(|(_, content)| content.files.len() > 1)
        {
            if let Some(view) = self.of(number).first() {
                let found = check::identical(&self.index, &self.fingerprint(view)?, view.video)?;
                debug_assert_eq!(found.alignment.source.sha256, hex(&content.sha256));
                same.push((
                    number,
                    PairMatch {
                        found,
                        reference_stream: None,
                    },
                ));
            }
        }
        Ok(same)
    }
}

/// The matches of a clip with another.
#[derive(Debug)]
struct Directed {
    clip: usize,
    other: usize,
    /// With the numbers of both video streams.
    matches: Vec<(usize, usize, PairMatch)>,
    /// The message if it took too long.
    stopped: Option<String>,
}

impl Directed {
    /// Its strongest kind; `None` without matches.
    fn kind(&self) -> Option<MatchKind> {
        self.matches
            .iter()
            .map(|(.., found)| found.found.kind)
            .max_by_key(|kind| rank(*kind))
    }

    /// Probability and evidence of the strongest match of its kind.
    fn strongest(&self) -> (f64, f64) {
        let of_kind = self
            .matches
            .iter()
            .filter(|(.., found)| Some(found.found.kind) == self.kind());
        let values = of_kind.map(|(.., found)| {
            (
                found.found.alignment.probability,
                found.found.alignment.evidence_bits,
            )
        });
        values
            .max_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)))
            .unwrap_or((0.0, 0.0))
    }
}

impl Shared {
    /// The other clip, if it is redundant beside this anchor.
    fn redundant_beside(&self, anchor: usize) -> Option<usize> {
        let [a, b] = self.clips;
        (a == anchor && self.of[1].whole)
            .then_some(b)
            .or((b == anchor && self.of[0].whole).then_some(a))
    }
}

fn shift(interval: &mut Interval, start: f64) {
    (interval.start_s, interval.end_s) = (
        round(interval.start_s + start, 3),
        round(interval.end_s + start, 3),
    );
}

/// Length of the video stream that most players show.
fn length(content: &Content) -> Duration {
    let kept = content.kept.as_ref().ok();
    kept.and_then(|kept| kept.pictures.first())
        .map_or(Duration::ZERO, |picture| picture.duration)
}

/// Rank of a kind of match, the strongest highest.
fn rank(kind: MatchKind) -> u8 {
    match kind {
        MatchKind::Copy => 2,
        MatchKind::Undecided => 1,
        MatchKind::SameScene => 0,
    }
}
