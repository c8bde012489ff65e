//! The clips in the index of the work folder: what each shows alone, and which others may share
//! footage with it.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::AtomicUsize;

use sha2::{Digest as _, Sha256};

use super::contents::Content;
use super::each::each;
use super::work::{Kept, Work};
use super::{DedupOptions, Event, Stage, round, shown};
use crate::check::{self, CheckOptions};
use crate::fingerprint::{FINGERPRINT_VERSION, Fingerprint};
use crate::index::{Index, IndexConfig, Role, SearchMode, VideoRef, Watch, Writer};
use crate::ingest::add_clip;
use crate::report::{self, Effort, Span, SpanState, Verdict};
use crate::sample::CORPUS_INTERVAL;
use crate::search::measure_if_due;
use crate::{Error, Result};

/// A video stream of a clip.
#[derive(Debug, Clone, Copy)]
pub(super) struct View {
    pub(super) content: usize,
    pub(super) picture: usize,
    pub(super) video: VideoRef,
}

/// The clips in the index of the work folder.
pub(super) struct Clips<'a> {
    pub(super) contents: &'a [Content],
    work: &'a Work,
    pub(super) options: &'a DedupOptions<'a>,
    pub(super) index: Index,
    pub(super) mode: SearchMode,
    /// By content and video stream.
    pub(super) views: Vec<View>,
    by_video: HashMap<VideoRef, usize>,
    pub(super) compared: AtomicUsize,
}

/// What is known of a clip alone.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    pub(super) video: Option<report::Clip>,
    pub(super) searchable_s: f64,
    pub(super) unsearchable: Vec<Span>,
    pub(super) not_compared: Vec<String>,
    pub(super) more_candidates: u64,
}

/// Candidate pairs, the lower number first, with their evidence in bits.
pub(super) type Candidates = BTreeMap<(usize, usize), f32>;

impl<'a> Clips<'a> {
    /// Makes the index. Clips are added in order of their SHA-256, so that it does not depend on
    /// the order given.
    pub(super) fn index(
        contents: &'a [Content],
        work: &'a Work,
        options: &'a DedupOptions<'a>,
    ) -> Result<Clips<'a>> {
        let dir = work.index()?;
        let config = IndexConfig {
            fingerprint_version: FINGERPRINT_VERSION,
            interval: CORPUS_INTERVAL,
        };
        let mut writer = Writer::open_or_create(&dir, config)?;
        let mut order: Vec<(usize, &Kept)> = (0..contents.len())
            .filter_map(|number| Some((number, contents[number].kept.as_ref().ok()?)))
            .collect();
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
                let fingerprint = Fingerprint {
                    sha256: name,
                    ..fingerprint
                };
                add_clip(
                    &mut writer,
                    Role::Source,
                    &shown(&content.path),
                    &fingerprint,
                )?;
                names.push((name, number, picture));
            }
            if writer.pending_keys() >= PENDING_KEYS_MAX {
                writer.commit()?;
            }
            (options.progress)(Event {
                stage: Stage::Indexing,
                done: done + 1,
                of: order.len(),
            });
        }
        let state = writer.commit()?;
        let limit = if options.candidates == Effort::Fast {
            EXACT_KEYS_FAST
        } else {
            EXACT_KEYS
        };
        let mode = if state.keys <= limit {
            SearchMode::Exact
        } else {
            SearchMode::Auto
        };
        if mode == SearchMode::Auto {
            let cancel = || options.is_cancelled();
            let watch = || Watch {
                cancel: &cancel,
                progress: None,
            };
            writer.maintain(watch())?;
            measure_if_due(&mut writer, watch())?;
        }
        drop(writer);
        let index = Index::open(&dir)?;
        let mut views = Vec::new();
        for (name, content, picture) in names {
            if let Some(video) = index.by_sha256(&name) {
                views.push(View {
                    content,
                    picture,
                    video,
                });
            }
        }
        views.sort_by_key(|view| (view.content, view.picture));
        let by_video = views
            .iter()
            .map(|view| (view.video, view.content))
            .collect();
        Ok(Clips {
            contents,
            work,
            options,
            index,
            mode,
            views,
            by_video,
            compared: AtomicUsize::new(0),
        })
    }

    pub(super) fn of(&self, content: usize) -> &[View] {
        let from = self.views.partition_point(|view| view.content < content);
        let until = self.views.partition_point(|view| view.content <= content);
        &self.views[from..until]
    }

    pub(super) fn kept(&self, content: usize) -> Option<&'a Kept> {
        self.contents[content].kept.as_ref().ok()
    }

    pub(super) fn fingerprint(&self, view: &View) -> Result<Fingerprint> {
        let content = &self.contents[view.content];
        let fingerprint = self.work.fingerprint(&content.sha256, view.picture)?;
        Ok(Fingerprint {
            path: shown(&content.path),
            ..fingerprint
        })
    }

    pub(super) fn check_options(&self, effort: Effort) -> CheckOptions<'a> {
        CheckOptions {
            effort,
            search: SearchMode::Exact,
            policy: self.options.policy,
            cancel: self.options.cancel,
            ..CheckOptions::new(self.options.decoding)
        }
    }

    /// Examines each clip alone, and looks for candidates among all.
    pub(super) fn search(&self) -> Result<(Vec<Told>, Candidates)> {
        let numbers: Vec<usize> = (0..self.contents.len()).collect();
        let progress = self.options.progress;
        let searched = each(
            &numbers,
            self.options.threads,
            &|&number| self.search_one(number),
            &|done| {
                progress(Event {
                    stage: Stage::Searching,
                    done,
                    of: numbers.len(),
                });
            },
        )?;
        let (mut told, mut candidates) = (Vec::new(), Candidates::new());
        for (number, (of_clip, near)) in searched.into_iter().enumerate() {
            told.push(of_clip);
            for (other, bits) in near {
                let strongest = candidates
                    .entry((number.min(other), number.max(other)))
                    .or_insert(bits);
                *strongest = strongest.max(bits);
            }
        }
        Ok((told, candidates))
    }

    fn search_one(&self, number: usize) -> Result<(Told, BTreeMap<usize, f32>)> {
        let Some(kept) = self.kept(number) else {
            return Ok(Default::default());
        };
        let (mut told, mut near) = (Told::default(), BTreeMap::new());
        told.searchable_s = f64::INFINITY;
        for view in self.of(number) {
            let fingerprint = self.fingerprint(view)?;
            let alone = check::compare(
                &self.index,
                &fingerprint,
                &[],
                &self.check_options(self.options.effort),
            )?;
            let start = kept.pictures[view.picture].start.as_secs_f64();
            told.take(alone, start);
            let options = self.check_options(self.options.candidates);
            match check::candidates(&self.index, &fingerprint, self.mode, &options) {
                Ok(found) => {
                    for candidate in found {
                        let other = self
                            .by_video
                            .get(&candidate.video)
                            .copied()
                            .unwrap_or(number);
                        let both_references =
                            self.contents[number].reference && self.contents[other].reference;
                        if other != number && !both_references {
                            let strongest = near.entry(other).or_insert(candidate.bits);
                            *strongest = candidate.bits.max(*strongest);
                        }
                    }
                }
                Err(error @ Error::LimitExceeded { .. }) => {
                    told.not_compared.push(error.to_string())
                }
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
}

impl Told {
    /// Adds a report without sources on a video stream that begins at `start`.
    fn take(&mut self, alone: report::Report, start: f64) {
        let searchable = alone.clip.duration_s - alone.seconds.unsearchable;
        self.searchable_s = self.searchable_s.min(searchable.max(0.0));
        for mut span in alone
            .spans
            .into_iter()
            .filter(|span| span.state == SpanState::Unsearchable)
        {
            (span.start_s, span.end_s) =
                (round(span.start_s + start, 3), round(span.end_s + start, 3));
            self.unsearchable.push(span);
        }
        if alone.verdict == Verdict::Inconclusive {
            self.not_compared
                .extend(alone.reasons.into_iter().map(|reason| reason.text));
        }
        self.video.get_or_insert(alone.clip);
    }
}

/// Name of a video stream in the index: the clip's SHA-256, or one derived from it for further
/// streams.
fn name_of(sha256: &[u8; 32], picture: usize) -> [u8; 32] {
    if picture == 0 {
        return *sha256;
    }
    Sha256::new()
        .chain_update(sha256)
        .chain_update((picture as u64).to_le_bytes())
        .finalize()
        .into()
}

/// Maximum number of runs that wait for a commit. Each takes 48 bytes of memory, and about 300 more
/// for motion and small pictures.
const PENDING_KEYS_MAX: usize = 200_000;

/// Maximum number of keys of an index at which a fast search compares all keys with each clip: some
/// 40 hours of video. A clip of 10 s then takes a second, about as long as its decoding.
const EXACT_KEYS_FAST: u64 = 1 << 22;

/// The same for a search in all orientations, which looks up about thirty times as many keys.
const EXACT_KEYS: u64 = 1 << 17;
