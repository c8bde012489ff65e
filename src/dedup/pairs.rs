//! Looks for pairs of clips that share footage: candidates quickly among all, then each pair in full.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{self, AtomicUsize};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::contents::Content;
use super::each::each;
use super::findings::{Pair, PairMatch, Search, Side};
use super::grouping::{covered, is_whole};
use super::keeping::{self, Traits};
use super::work::{Kept, Work};
use super::{DedupOptions, Event, Stage, round, shown};
use crate::check::{self, CheckOptions};
use crate::fingerprint::{FINGERPRINT_VERSION, Fingerprint};
use crate::index::{Index, IndexConfig, Role, SearchMode, VideoRef, Watch, Writer, hex};
use crate::ingest::add_clip;
use crate::report::{self, Effort, Interval, MatchKind, Span, SpanState, Verdict};
use crate::sample::CORPUS_INTERVAL;
use crate::search::measure_if_due;
use crate::{Error, Result};

/// Pairs of one clip that are compared in full whatever they come to, strongest candidates first; further ones are compared in
/// as large batches, for a clip that is to be kept, as long as the batch before held a copy.
pub const PAIRS_MAX: usize = 64;

/// What comparing all clips came to.
#[derive(Debug)]
pub(super) struct Comparison {
    /// By the SHA-256s and names.
    pub(super) pairs: Vec<Pair>,
    /// Of each pair that is a copy and of different bytes, what the clips share.
    pub(super) shared: Vec<Option<Shared>>,
    /// Of each clip.
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
    /// How much of each the other has.
    pub(super) of: [Share; 2],
}

/// How much of a clip another has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Share {
    pub(super) copied_s: f64,
    /// Of several pictures that with most.
    pub(super) rest_s: f64,
    pub(super) whole: bool,
}

/// What is known of a clip by itself.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    pub(super) video: Option<report::Clip>,
    pub(super) searchable_s: f64,
    pub(super) unsearchable: Vec<Span>,
    pub(super) not_compared: Vec<String>,
    pub(super) more_candidates: u64,
}

/// A candidate pair, the lower number first, and the evidence for it in bits.
type Candidates = BTreeMap<(usize, usize), f32>;

impl Comparison {
    /// What the rules of keeping look at.
    pub(super) fn traits(&self, number: usize, content: &Content) -> Traits {
        traits(&self.told[number], content)
    }

    /// The pair of a file with the kept one of the same bytes: that of either with the first by name.
    pub(super) fn identical_pair(&self, file: usize, kept: usize) -> usize {
        self.same.get(&file).or_else(|| self.same.get(&kept)).copied().unwrap_or(0)
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
    let mut search =
        Search { candidates: options.candidates, effort: options.effort, exact: true, clips: 0, pairs_compared: 0 };
    let no_index = contents.iter().all(|content| content.kept.is_err());
    let (mut told, mut found, mut same) = (vec![Told::default(); contents.len()], Vec::new(), Vec::new());
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

/// Puts the pairs in order, those of identical files among them.
fn in_order(
    contents: &[Content],
    files: &[super::Input],
    told: Vec<Told>,
    found: Vec<(Pair, Option<Shared>)>,
    same: &[(usize, PairMatch)],
    search: Search,
) -> Comparison {
    let mut pairs: Vec<(Pair, Option<Shared>, Option<usize>)> =
        found.into_iter().map(|(pair, shared)| (pair, shared, None)).collect();
    let of_content: HashMap<usize, &PairMatch> = same.iter().map(|(number, found)| (*number, found)).collect();
    for (number, content) in contents.iter().enumerate() {
        let first = content.files.iter().copied().find(|&file| files[file].path == content.path);
        for &file in content.files.iter().filter(|file| Some(**file) != first) {
            let side = |file: usize| Side {
                path: shown(&files[file].path),
                sha256: hex(&content.sha256),
                reference: files[file].reference,
                copied_s: told[number].video.as_ref().map_or(0.0, |video| video.duration_s),
            };
            let matches: Vec<PairMatch> = of_content.get(&number).map(|found| (*found).clone()).into_iter().collect();
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
        let key = |pair: &Pair| (pair.clip.sha256.clone(), pair.other.sha256.clone(), pair.other.path.clone());
        key(a).cmp(&key(b))
    });
    let same = pairs.iter().enumerate().filter_map(|(at, (_, _, file))| Some(((*file)?, at))).collect();
    let (pairs, shared) = pairs.into_iter().map(|(pair, shared, _)| (pair, shared)).unzip();
    Comparison { pairs, shared, told, search, same }
}

/// Evidence of equal SHA-256s where there is no picture, in bits.
const SHA256_BITS: f64 = 256.0;

/// A picture of a clip.
#[derive(Debug, Clone, Copy)]
struct View {
    content: usize,
    picture: usize,
    video: VideoRef,
}

/// The clips in the index of the work folder.
struct Clips<'a> {
    contents: &'a [Content],
    work: &'a Work,
    options: &'a DedupOptions<'a>,
    index: Index,
    mode: SearchMode,
    /// By content and picture.
    views: Vec<View>,
    by_video: HashMap<VideoRef, usize>,
    compared: AtomicUsize,
}

impl<'a> Clips<'a> {
    /// Makes the index. The clips enter it by their SHA-256, so that it does not depend on the order given.
    fn index(contents: &'a [Content], work: &'a Work, options: &'a DedupOptions<'a>) -> Result<Clips<'a>> {
        let dir = work.index()?;
        let config = IndexConfig { fingerprint_version: FINGERPRINT_VERSION, interval: CORPUS_INTERVAL };
        let mut writer = Writer::open_or_create(&dir, config)?;
        let mut order: Vec<(usize, &Kept)> =
            (0..contents.len()).filter_map(|number| Some((number, contents[number].kept.as_ref().ok()?))).collect();
        order.sort_by_key(|(number, _)| contents[*number].sha256);
        let mut names: Vec<([u8; 32], usize, usize)> = Vec::new();
        for (done, &(number, kept)) in order.iter().enumerate() {
            if options.is_cancelled() {
                return Err(Error::Cancelled);
            }
            let content = &contents[number];
            for picture in 0..kept.pictures.len() {
                let name = name_of(&content.sha256, picture);
                let fingerprint = work.fingerprint(&content.sha256, picture)?;
                let fingerprint = Fingerprint { sha256: name, ..fingerprint };
                add_clip(&mut writer, Role::Source, &shown(&content.path), &fingerprint)?;
                names.push((name, number, picture));
            }
            if writer.pending_keys() >= PENDING_KEYS_MAX {
                writer.commit()?;
            }
            (options.progress)(Event { stage: Stage::Indexing, done: done + 1, of: order.len() });
        }
        let state = writer.commit()?;
        let limit = if options.candidates == Effort::Fast { EXACT_KEYS_FAST } else { EXACT_KEYS };
        let mode = if state.keys <= limit { SearchMode::Exact } else { SearchMode::Auto };
        if mode == SearchMode::Auto {
            let cancel = || options.is_cancelled();
            let watch = || Watch { cancel: &cancel, progress: None };
            writer.maintain(watch())?;
            measure_if_due(&mut writer, watch())?;
        }
        drop(writer);
        let index = Index::open(&dir)?;
        let mut views = Vec::new();
        for (name, content, picture) in names {
            if let Some(video) = index.by_sha256(&name) {
                views.push(View { content, picture, video });
            }
        }
        views.sort_by_key(|view| (view.content, view.picture));
        let by_video = views.iter().map(|view| (view.video, view.content)).collect();
        Ok(Clips { contents, work, options, index, mode, views, by_video, compared: AtomicUsize::new(0) })
    }

    fn of(&self, content: usize) -> &[View] {
        let from = self.views.partition_point(|view| view.content < content);
        let until = self.views.partition_point(|view| view.content <= content);
        &self.views[from..until]
    }

    fn kept(&self, content: usize) -> Option<&'a Kept> {
        self.contents[content].kept.as_ref().ok()
    }

    fn fingerprint(&self, view: &View) -> Result<Fingerprint> {
        let content = &self.contents[view.content];
        let fingerprint = self.work.fingerprint(&content.sha256, view.picture)?;
        Ok(Fingerprint { path: shown(&content.path), ..fingerprint })
    }

    fn check_options(&self, effort: Effort, exclude: &'a [[u8; 32]]) -> CheckOptions<'a> {
        CheckOptions {
            effort,
            search: SearchMode::Exact,
            policy: self.options.policy,
            exclude,
            cancel: self.options.cancel,
            ..CheckOptions::new(self.options.decoding)
        }
    }

    /// Looks at each clip by itself and for candidates among all.
    fn search(&self) -> Result<(Vec<Told>, Candidates)> {
        let numbers: Vec<usize> = (0..self.contents.len()).collect();
        let progress = self.options.progress;
        let searched = each(&numbers, self.options.threads, &|&number| self.search_one(number), &|done| {
            progress(Event { stage: Stage::Searching, done, of: numbers.len() });
        })?;
        let (mut told, mut candidates) = (Vec::new(), Candidates::new());
        for (number, (of_clip, near)) in searched.into_iter().enumerate() {
            told.push(of_clip);
            for (other, bits) in near {
                let strongest = candidates.entry((number.min(other), number.max(other))).or_insert(bits);
                *strongest = strongest.max(bits);
            }
        }
        Ok((told, candidates))
    }

    fn search_one(&self, number: usize) -> Result<(Told, BTreeMap<usize, f32>)> {
        let Some(kept) = self.kept(number) else { return Ok(Default::default()) };
        let (mut told, mut near) = (Told::default(), BTreeMap::new());
        told.searchable_s = f64::INFINITY;
        for view in self.of(number) {
            let fingerprint = self.fingerprint(view)?;
            let alone = check::compare(&self.index, &fingerprint, &[], &self.check_options(self.options.effort, &[]))?;
            let start = kept.pictures[view.picture].start.as_secs_f64();
            told.take(alone, start);
            let options = self.check_options(self.options.candidates, &[]);
            match check::candidates(&self.index, &fingerprint, self.mode, &options) {
                Ok(found) => {
                    for candidate in found {
                        let other = self.by_video.get(&candidate.video).copied().unwrap_or(number);
                        let both_references = self.contents[number].reference && self.contents[other].reference;
                        if other != number && !both_references {
                            let strongest = near.entry(other).or_insert(candidate.bits);
                            *strongest = candidate.bits.max(*strongest);
                        }
                    }
                }
                Err(error @ Error::LimitExceeded { .. }) => told.not_compared.push(error.to_string()),
                Err(error) => return Err(error),
            }
        }
        told.not_compared.extend(kept.unseen.iter().cloned());
        told.searchable_s = round(told.searchable_s, 3);
        if let Some(video) = &mut told.video {
            video.path = shown(&self.contents[number].path);
        }
        Ok((told, near))
    }

    /// Compares the candidates in full, and tells of each clip how many were left out.
    fn compare_candidates(
        &self,
        candidates: &Candidates,
        told: &mut [Told],
    ) -> Result<(Vec<(Pair, Option<Shared>)>, u64)> {
        let mut of_clip: Vec<Vec<(usize, f32)>> = vec![Vec::new(); self.contents.len()];
        for (&(a, b), &bits) in candidates {
            of_clip[a].push((b, bits));
            of_clip[b].push((a, bits));
        }
        for others in &mut of_clip {
            others.sort_by(|(a, of_a), (b, of_b)| {
                of_b.total_cmp(of_a).then_with(|| self.contents[*a].sha256.cmp(&self.contents[*b].sha256))
            });
        }
        let pair = |a: usize, b: usize| (a.min(b), a.max(b));
        let mut left: BTreeSet<(usize, usize)> = candidates.keys().copied().collect();
        let strongest = |(a, others): (usize, &Vec<(usize, f32)>)| -> Vec<(usize, usize)> {
            others.iter().take(PAIRS_MAX).map(|(b, _)| pair(a, *b)).collect()
        };
        let first: BTreeSet<(usize, usize)> = of_clip.iter().enumerate().flat_map(strongest).collect();
        let mut found = self.compare_pairs(first, &mut left)?;
        // Where there are more, the copies of what is kept are looked for among all.
        let traits: Vec<Traits> = told.iter().zip(self.contents).map(|(told, content)| traits(told, content)).collect();
        let mut redundant = BTreeSet::new();
        for anchor in keeping::ranked(&traits, self.options.keep) {
            if redundant.contains(&anchor) {
                continue;
            }
            let mut open: Vec<usize> = of_clip[anchor].iter().map(|(other, _)| *other).collect();
            open.retain(|other| left.contains(&pair(anchor, *other)) && !redundant.contains(other));
            for batch in open.chunks(PAIRS_MAX) {
                let more = self.compare_pairs(batch.iter().map(|other| pair(anchor, *other)).collect(), &mut left)?;
                let copies = more.iter().any(|(pair, _)| pair.kind == MatchKind::Copy);
                found.extend(more);
                if !copies {
                    break;
                }
            }
            redundant.extend(found.iter().filter_map(|(_, shared)| shared.as_ref()?.redundant_beside(anchor)));
        }
        for (a, b) in left {
            told[a].more_candidates += 1;
            told[b].more_candidates += 1;
        }
        Ok((found, self.compared.load(atomic::Ordering::Relaxed) as u64))
    }

    /// Compares pairs in both directions, and takes them out of what is left.
    fn compare_pairs(
        &self,
        pairs: BTreeSet<(usize, usize)>,
        left: &mut BTreeSet<(usize, usize)>,
    ) -> Result<Vec<(Pair, Option<Shared>)>> {
        left.retain(|pair| !pairs.contains(pair));
        // By clip, so that each fingerprint is read once.
        let mut partners: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for &(a, b) in &pairs {
            partners.entry(a).or_default().push(b);
            partners.entry(b).or_default().push(a);
        }
        let partners: Vec<(usize, Vec<usize>)> = partners.into_iter().collect();
        let progress = self.options.progress;
        let directed =
            each(&partners, self.options.threads, &|(clip, others)| self.compare_one(*clip, others), &|done| {
                progress(Event { stage: Stage::Comparing, done, of: partners.len() })
            })?;
        self.compared.fetch_add(pairs.len(), atomic::Ordering::Relaxed);
        let mut both: BTreeMap<(usize, usize), Directed> = BTreeMap::new();
        for one in directed.into_iter().flatten().filter(|one| !one.matches.is_empty()) {
            let pair = (one.clip.min(one.other), one.clip.max(one.other));
            match both.entry(pair) {
                std::collections::btree_map::Entry::Vacant(place) => {
                    place.insert(one);
                }
                std::collections::btree_map::Entry::Occupied(mut place) => {
                    if self.is_stronger(&one, place.get()) {
                        place.insert(one);
                    }
                }
            }
        }
        Ok(both.into_values().map(|one| self.pair(one)).collect())
    }

    /// Compares a clip with each of others.
    fn compare_one(&self, clip: usize, others: &[usize]) -> Result<Vec<Directed>> {
        let mut directed: Vec<Directed> =
            others.iter().map(|&other| Directed { clip, other, matches: Vec::new() }).collect();
        let options = self.check_options(self.options.effort, &[]);
        let Some(kept) = self.kept(clip) else { return Ok(directed) };
        for view in self.of(clip) {
            let fingerprint = self.fingerprint(view)?;
            for one in &mut directed {
                let Some(of_other) = self.kept(one.other) else { continue };
                for there in self.of(one.other) {
                    let report = check::compare(&self.index, &fingerprint, &[there.video], &options)?;
                    for found in report.matches {
                        let mut found = PairMatch { found, reference_stream: None };
                        let stream = |kept: &Kept, picture: usize| {
                            let several = kept.pictures.len() > 1;
                            kept.pictures[picture].streams.first().copied().filter(|_| several)
                        };
                        found.found.stream = stream(kept, view.picture);
                        found.reference_stream = stream(of_other, there.picture);
                        let alignment = &mut found.found.alignment;
                        alignment.source.sha256 = hex(&self.contents[one.other].sha256);
                        alignment.source.id = alignment.source.sha256[..16].to_owned();
                        shift(&mut alignment.clip, kept.pictures[view.picture].start.as_secs_f64());
                        shift(&mut alignment.reference, of_other.pictures[there.picture].start.as_secs_f64());
                        one.matches.push((view.picture, there.picture, found));
                    }
                }
            }
        }
        Ok(directed)
    }

    /// Whether one direction of a pair is to be listed rather than the other; the same whichever is asked first. Where both say
    /// about as much, it is the shorter clip that was searched for.
    fn is_stronger(&self, one: &Directed, other: &Directed) -> bool {
        let copied = |of: &Directed| self.shares(of).map(|share| share.copied_s).iter().sum::<f64>();
        let (of_one, of_other) = (copied(one), copied(other));
        let as_much = (of_one - of_other).abs() <= AS_MUCH * of_one.max(of_other);
        let by_length = if as_much { Ordering::Equal } else { of_one.total_cmp(&of_other) };
        let content = |of: &Directed| &self.contents[of.clip];
        rank(one.kind())
            .cmp(&rank(other.kind()))
            .then(by_length)
            .then_with(|| length(content(other)).cmp(&length(content(one))))
            .then_with(|| content(other).sha256.cmp(&content(one).sha256))
            .is_gt()
    }

    /// How much of the clip and of the other is in copies.
    fn shares(&self, of: &Directed) -> [Share; 2] {
        let copies = || of.matches.iter().filter(|(.., found)| found.found.kind == MatchKind::Copy);
        let span = |interval: Interval| (interval.start_s, interval.end_s);
        let share = |content: usize, in_clip: bool| {
            let side = |found: &PairMatch| {
                let alignment = &found.found.alignment;
                span(if in_clip { alignment.clip } else { alignment.reference })
            };
            let picture = |found: &(usize, usize, PairMatch)| if in_clip { found.0 } else { found.1 };
            let copied_s = covered(copies().map(|found| side(&found.2)).collect());
            let (mut rest_s, mut whole) = (0.0_f64, true);
            for (number, kept) in self.kept(content).into_iter().flat_map(|kept| kept.pictures.iter().enumerate()) {
                let here = copies().filter(|found| picture(found) == number).map(|found| side(&found.2)).collect();
                let duration_s = kept.duration.as_secs_f64();
                let rest = (duration_s - covered(here)).max(0.0);
                whole &= is_whole(duration_s, rest);
                rest_s = rest_s.max(rest);
            }
            whole &= self.kept(content).is_some_and(|kept| kept.unseen.is_empty());
            Share { copied_s: round(copied_s, 3), rest_s: round(rest_s, 3), whole }
        };
        [share(of.clip, true), share(of.other, false)]
    }

    fn pair(&self, one: Directed) -> (Pair, Option<Shared>) {
        let (kind, (probability, evidence_bits)) = (one.kind(), one.strongest());
        let of = self.shares(&one);
        let side = |number: usize, share: &Share| Side {
            path: shown(&self.contents[number].path),
            sha256: hex(&self.contents[number].sha256),
            reference: self.contents[number].reference,
            copied_s: share.copied_s,
        };
        let (clip, other) = (side(one.clip, &of[0]), side(one.other, &of[1]));
        let shared = (kind == MatchKind::Copy).then_some(Shared { clips: [one.clip, one.other], of });
        let mut matches: Vec<PairMatch> = one.matches.into_iter().map(|(.., found)| found).collect();
        matches.sort_by(|a, b| a.found.alignment.clip.start_s.total_cmp(&b.found.alignment.clip.start_s));
        (Pair { kind, identical: false, clip, other, probability, evidence_bits, matches }, shared)
    }

    /// Of each clip with several files, their match with each other.
    fn identical(&self) -> Result<Vec<(usize, PairMatch)>> {
        let mut same = Vec::new();
        for (number, content) in self.contents.iter().enumerate().filter(|(_, content)| content.files.len() > 1) {
            if let Some(view) = self.of(number).first() {
                let found = check::identical(&self.index, &self.fingerprint(view)?, view.video);
                debug_assert_eq!(found.alignment.source.sha256, hex(&content.sha256));
                same.push((number, PairMatch { found, reference_stream: None }));
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
    /// With the numbers of the pictures.
    matches: Vec<(usize, usize, PairMatch)>,
}

impl Directed {
    fn kind(&self) -> MatchKind {
        let kinds = self.matches.iter().map(|(.., found)| found.found.kind);
        kinds.max_by_key(|kind| rank(*kind)).unwrap_or(MatchKind::SameScene)
    }

    /// Probability and evidence of the strongest match of its kind.
    fn strongest(&self) -> (f64, f64) {
        let of_kind = self.matches.iter().filter(|(.., found)| found.found.kind == self.kind());
        let values =
            of_kind.map(|(.., found)| (found.found.alignment.probability, found.found.alignment.evidence_bits));
        values.max_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1))).unwrap_or((0.0, 0.0))
    }
}

impl Shared {
    /// The other clip, if this anchor has all of it.
    fn redundant_beside(&self, anchor: usize) -> Option<usize> {
        let [a, b] = self.clips;
        (a == anchor && self.of[1].whole).then_some(b).or((b == anchor && self.of[0].whole).then_some(a))
    }
}

impl Told {
    /// Takes in what a report without sources says of a picture that begins at `start`.
    fn take(&mut self, alone: report::Report, start: f64) {
        let searchable = alone.clip.duration_s - alone.seconds.unsearchable;
        self.searchable_s = self.searchable_s.min(searchable.max(0.0));
        for mut span in alone.spans.into_iter().filter(|span| span.state == SpanState::Unsearchable) {
            (span.start_s, span.end_s) = (round(span.start_s + start, 3), round(span.end_s + start, 3));
            self.unsearchable.push(span);
        }
        if alone.verdict == Verdict::Inconclusive {
            self.not_compared.extend(alone.reasons.into_iter().map(|reason| reason.text));
        }
        self.video.get_or_insert(alone.clip);
    }
}

fn shift(interval: &mut Interval, start: f64) {
    (interval.start_s, interval.end_s) = (round(interval.start_s + start, 3), round(interval.end_s + start, 3));
}

/// Length of the picture that most players show.
fn length(content: &Content) -> Duration {
    let kept = content.kept.as_ref().ok();
    kept.and_then(|kept| kept.pictures.first()).map_or(Duration::ZERO, |picture| picture.duration)
}

/// Share of their copied seconds, 0..=1, by which the directions of a pair may differ and say as much.
const AS_MUCH: f64 = 0.1;

/// Which kind of match says most.
fn rank(kind: MatchKind) -> u8 {
    match kind {
        MatchKind::Copy => 2,
        MatchKind::Undecided => 1,
        MatchKind::SameScene => 0,
    }
}

/// What a picture is called in the index: the clip itself, or a further picture of it.
fn name_of(sha256: &[u8; 32], picture: usize) -> [u8; 32] {
    if picture == 0 {
        return *sha256;
    }
    Sha256::new().chain_update(sha256).chain_update((picture as u64).to_le_bytes()).finalize().into()
}

/// Runs that wait for a commit; each takes 48 bytes of memory, and what moves and small pictures some 300 more.
const PENDING_KEYS_MAX: usize = 200_000;

/// Most keys of an index that are all compared with those of each clip in a quick search: some 40 hours of video, for which a
/// clip of 10 s takes a second, about as long as its decoding.
const EXACT_KEYS_FAST: u64 = 1 << 22;

/// The same in a search with all orientations, which looks up some thirty times as many keys.
const EXACT_KEYS: u64 = 1 << 17;
