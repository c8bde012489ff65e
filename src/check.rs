//! Checks a clip against an index: fingerprint, search, align, judge, report.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime};

use crate::align::{self, Alignment, Corpus, dense};
use crate::facts::Training;
use crate::fingerprint::{self, Fingerprint, Orientation, PictureTrack, Thumbnail, Warp};
use crate::index::{Index, Lookup, Role, SearchMode, VideoRef, hex, moment};
use crate::report::{
    Clip, EditPower, Effort, Geometry, IndexSummary, Interval, Match, NonMatch, Pictures, Reason,
    ReasonCode, Rectangle, Report, SCHEMA, SearchSummary, Seconds, Source, Span, SpanState, Term,
    Tool, Verdict,
};
use crate::sandbox::Decoding;
use crate::search::{Hit, RADIUS, Share, search, search_in, sift};
use crate::verdict::{COMPARED_BITS, Judgement, Model, Opinion, Policy, judge};
use crate::{Error, Result};

pub(crate) mod clock;
mod crowd;
mod merge;
mod pairwise;

use clock::Clock;
use crowd::{Crowd, Found};
pub(crate) use pairwise::{candidates, compare, identical};

/// Options of a check.
#[derive(Debug, Clone, Copy)]
pub struct CheckOptions<'a> {
    /// Effort of the search.
    pub effort: Effort,
    /// Where the clip is decoded, and with which limits.
    pub decoding: &'a Decoding,
    /// Whether the search may use the screening.
    pub search: SearchMode,
    /// The expected role of the index: published videos, unless it is the index of a ledger.
    pub among: Role,
    /// Costs of mistakes and other limits of the verdict.
    pub policy: Policy,
    /// SHA-256 of sources to leave out. A clip that is itself in the index would otherwise be a
    /// copy of itself.
    pub exclude: &'a [[u8; 32]],
    /// Cancels the check once it is set.
    pub cancel: Option<&'a AtomicBool>,
    /// Time of the check, for the report.
    pub now: Option<SystemTime>,
    /// Whether a clip is measured while it is decoded; never with [`Effort::Fast`].
    pub quality: bool,
}

impl<'a> CheckOptions<'a> {
    /// The default effort, search and policy. The decoding has no default, because the caller must
    /// choose it.
    pub fn new(decoding: &'a Decoding) -> CheckOptions<'a> {
        CheckOptions {
            effort: Effort::default(),
            decoding,
            search: SearchMode::default(),
            among: Role::Source,
            policy: Policy::default(),
            exclude: &[],
            cancel: None,
            now: None,
            quality: true,
        }
    }
}

/// Input of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Query<'a> {
    /// A video.
    Clip(&'a Path),
    /// A file written by [`Fingerprint::save`]. It may be forged, so its payable minutes are
    /// provisional.
    Fingerprint(&'a Path),
}

impl<'a> From<&'a Path> for Query<'a> {
    fn from(clip: &'a Path) -> Query<'a> {
        Query::Clip(clip)
    }
}

impl<'a> From<&'a PathBuf> for Query<'a> {
    fn from(clip: &'a PathBuf) -> Query<'a> {
        Query::Clip(clip)
    }
}

/// Checks a clip, or the fingerprint file of a clip.
///
/// All pictures of a clip that a player could show are checked. The worst decides the verdict, and
/// time is payable if it is unpublished in all of them.
///
/// # Errors
///
/// Those of [`fingerprint::pictures_of_clip`] or [`Fingerprint::load`], and of
/// [`check_fingerprint`]. A clip that can be read but not judged is no error: its verdict is
/// [`Verdict::Inconclusive`].
pub fn check<'a>(
    index: &Index,
    query: impl Into<Query<'a>>,
    options: &CheckOptions<'_>,
) -> Result<Report> {
    let decoding = options.decoding;
    let (mut report, path) = match query.into() {
        Query::Fingerprint(file) => {
            let fingerprint = Fingerprint::load(file, decoding, options.cancel)?;
            (checked(index, &fingerprint, Origin::Given, options)?, file)
        }
        Query::Clip(clip) => {
            let looked = match options.effort {
                Effort::Fast => fingerprint::sketches_of_clip(clip, decoding, options.cancel)?,
                _ => pictures_for(clip, options)?,
            };
            (check_pictures(index, &looked, clip, options)?, clip)
        }
    };
    report.clip.path = path.to_string_lossy().into_owned();
    Ok(report)
}

/// Checks the pictures of a clip that was decoded, as [`check`] does.
///
/// # Errors
///
/// Those of [`check_fingerprint`].
pub fn check_pictures(
    index: &Index,
    looked: &fingerprint::ClipPictures,
    clip: &Path,
    options: &CheckOptions<'_>,
) -> Result<Report> {
    let of_picture = |picture: &fingerprint::Picture| {
        checked(index, &picture.fingerprint, Origin::Computed, options)
    };
    let reports = looked
        .pictures
        .iter()
        .map(of_picture)
        .collect::<Result<Vec<_>>>()?;
    of_pictures(looked, reports, clip, options)
}

/// The report of a clip from those of its pictures.
pub(crate) fn of_pictures(
    looked: &fingerprint::ClipPictures,
    reports: Vec<Report>,
    clip: &Path,
    options: &CheckOptions<'_>,
) -> Result<Report> {
    let merged = merge::merge(looked, reports, options.policy.searchable_min.as_secs_f64());
    // The decoder reports a clip without pictures as an error of its own.
    let none = || Error::Undecodable {
        path: clip.to_owned(),
        reason: "the stream holds no picture".to_owned(),
    };
    let report = with_quality(merged.ok_or_else(none)?, looked);
    Ok(Report {
        clip: Clip {
            path: clip.to_string_lossy().into_owned(),
            ..report.clip
        },
        ..report
    })
}

/// Decodes a clip in full detail, and measures it if the options say so.
pub(crate) fn pictures_for(
    clip: &Path,
    options: &CheckOptions<'_>,
) -> Result<fingerprint::ClipPictures> {
    match options.quality {
        true => fingerprint::measured_pictures_of_clip(clip, options.decoding, options.cancel),
        false => fingerprint::pictures_of_clip(clip, options.decoding, options.cancel),
    }
}

/// Adds the quality, which determines the price, and a reason if a manifest forbids training.
fn with_quality(mut report: Report, looked: &fingerprint::ClipPictures) -> Report {
    report.quality = looked
        .pictures
        .first()
        .and_then(|picture| picture.quality.clone());
    let training = report
        .quality
        .as_ref()
        .and_then(|quality| quality.declared.training);
    if training == Some(Training::NotAllowed) {
        report
            .reasons
            .push(Reason::new(ReasonCode::NotAllowed, NOT_ALLOWED));
    }
    report
}

const NOT_ALLOWED: &str =
    "a C2PA manifest in the file does not allow training: a person has to clear it before a sale";

/// Origin of a fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Computed here from the clip.
    Computed,
    /// Given by the caller; it may be forged.
    Given,
}

/// Checks a fingerprint in memory; its payable minutes are provisional.
///
/// # Errors
///
/// [`Error::CorruptIndex`] if a part of the index that the check reads is damaged, and
/// [`Error::Cancelled`] if the caller cancels it. [`Error::LimitExceeded`] if the search takes
/// longer than the decoding of a clip of that length may, see
/// [`Limits::time_for`](crate::media::Limits::time_for).
pub fn check_fingerprint(
    index: &Index,
    clip: &Fingerprint,
    options: &CheckOptions<'_>,
) -> Result<Report> {
    checked(index, clip, Origin::Given, options)
}

pub(crate) fn checked(
    index: &dyn Lookup,
    clip: &Fingerprint,
    origin: Origin,
    options: &CheckOptions<'_>,
) -> Result<Report> {
    checked_among(index, clip, None, origin, options)
}

/// As [`checked`], against these sources alone if any are given.
fn checked_among(
    index: &dyn Lookup,
    clip: &Fingerprint,
    among: Option<&[VideoRef]>,
    origin: Origin,
    options: &CheckOptions<'_>,
) -> Result<Report> {
    check_role(index, options)?;
    let clip = &*options.effort.looked_at(clip);
    let orientations = options.effort.orientations();
    let clock = Clock::start(clip, &options.decoding.limits, options.cancel);
    let filtered = sift(index, clip, &options.effort.benign_orientations(), &|| {
        clock.check()
    })?;
    let model = Model::default();
    let (found, exact) = find(
        index,
        &filtered.clip,
        among,
        &orientations,
        options,
        &model,
        &clock,
    )?;
    let Found {
        alignments,
        further,
    } = found;
    let state = index.state();
    let interval = Duration::from_secs_f64(state.interval_s);
    let policy = &options.policy;
    let judgement = judge(
        &filtered.clip,
        &alignments,
        &filtered.keyframes,
        state.videos,
        interval,
        policy,
        &model,
    );
    // The judgement if nothing had matched.
    let alone = judge(
        &filtered.clip,
        &[],
        &filtered.keyframes,
        state.videos,
        interval,
        policy,
        &model,
    );
    let found = Findings {
        alignments,
        further: further.len(),
        judgement,
        alone,
        exact,
    };
    report(index, clip, origin, filtered.keys, found, options)
}

/// Returns an error if the index does not have the role that the caller expects.
pub(crate) fn check_role(index: &dyn Lookup, options: &CheckOptions<'_>) -> Result<()> {
    let role = index.searched_role();
    if role == options.among || index.state().videos == 0 {
        return Ok(());
    }
    Err(Error::OtherRole {
        path: index.dir().to_owned(),
        role: role.plural(),
    })
}

/// Alignments of a fingerprint with sources before the verdict, strongest first. If many sources
/// certainly share a part, only as many of them are aligned as a report lists.
///
/// # Errors
///
/// Those of [`check_fingerprint`].
pub fn alignments(
    index: &Index,
    clip: &Fingerprint,
    options: &CheckOptions<'_>,
) -> Result<Vec<Alignment>> {
    check_role(index, options)?;
    let clip = &*options.effort.looked_at(clip);
    let clock = Clock::start(clip, &options.decoding.limits, options.cancel);
    let filtered = sift(index, clip, &options.effort.benign_orientations(), &|| {
        clock.check()
    })?;
    let orientations = options.effort.orientations();
    Ok(find(
        index,
        &filtered.clip,
        None,
        &orientations,
        options,
        &Model::default(),
        &clock,
    )?
    .0
    .alignments)
}

impl Effort {
    /// The part of a clip's fingerprint to check.
    pub fn looked_at(self, clip: &Fingerprint) -> Cow<'_, Fingerprint> {
        if self == Effort::Fast {
            Cow::Owned(clip.sketched())
        } else {
            Cow::Borrowed(clip)
        }
    }

    /// Orientations to search, with the share of the clip's keys for each.
    pub fn orientations(self) -> Vec<(Orientation, Share)> {
        let turned =
            || Orientation::turned().chain(Orientation::turned().map(Orientation::inverted));
        let usual = |orientation: &Orientation| Orientation::USUAL.contains(orientation);
        match self {
            Effort::Fast => Orientation::USUAL.map(|usual| (usual, Share::All)).to_vec(),
            Effort::Standard => turned()
                .map(|turned| {
                    (
                        turned,
                        if usual(&turned) {
                            Share::All
                        } else {
                            Share::Strongest
                        },
                    )
                })
                .chain(Orientation::warped().map(|warped| (warped, Share::Strongest)))
                .collect(),
            Effort::Thorough => turned()
                .map(|turned| (turned, Share::All))
                .chain(Orientation::warped().map(|warped| (warped, Share::Strongest)))
                .collect(),
        }
    }

    /// Orientations in which benign material is recognised.
    pub(crate) fn benign_orientations(self) -> Vec<Orientation> {
        let tilted =
            Orientation::warped().filter(|warped| matches!(warped.warp, Warp::Tilt(12 | -12)));
        match self {
            Effort::Fast => Orientation::USUAL.to_vec(),
            Effort::Standard => Orientation::USUAL.into_iter().chain(tilted).collect(),
            Effort::Thorough => Orientation::turned().chain(tilted).collect(),
        }
    }
}

/// Results of a check.
struct Findings {
    alignments: Vec<Alignment>,
    /// Number of further sources, which are counted but not aligned.
    further: usize,
    judgement: Judgement,
    /// The judgement without any alignment.
    alone: Judgement,
    exact: bool,
}

/// Length of the clip that is searched and aligned at a time, so that the memory does not grow with
/// the clip.
const WINDOW: Duration = Duration::from_secs(300);

fn find(
    index: &dyn Lookup,
    clip: &Fingerprint,
    among: Option<&[VideoRef]>,
    orientations: &[(Orientation, Share)],
    options: &CheckOptions<'_>,
    model: &Model,
    clock: &Clock<'_>,
) -> Result<(Found, bool)> {
    let state = index.state();
    let interval = Duration::from_secs_f64(state.interval_s);
    let corpus = Corpus {
        keys: state.keys,
        interval,
        stop: &|| clock.is_over(),
    };
    let is_searched = |video: VideoRef| {
        let is_left_out =
            || Ok::<bool, Error>(options.exclude.contains(&index.video(video)?.sha256));
        Ok(among.is_none_or(|among| among.contains(&video))
            && (options.exclude.is_empty() || !is_left_out()?))
    };
    let (mut parts, mut exact) = (Vec::new(), true);
    let (mut listed, mut further) = (HashSet::new(), HashSet::new());
    for (window, keys) in windows(clip) {
        let mut hits = match among {
            None => search(index, clip, keys, orientations, options.search, &|| {
                clock.check()
            })?,
            Some(among) => search_in(index, clip, keys, orientations, among, &|| clock.check())?,
        };
        hits.hits = retained(hits.hits, &is_searched)?;
        let crowd = Crowd {
            index,
            clip,
            window,
            corpus: &corpus,
            model,
            clock,
            listed: &listed,
        };
        let found = crowd.found(&hits.hits)?;
        listed.extend(found.alignments.iter().map(|alignment| alignment.video));
        further.extend(found.further);
        parts.push(found.alignments);
        exact &= hits.exact;
    }
    let mut alignments = align::join(parts);
    if let Some(video) = index.identical(&clip.sha256)
        && is_searched(video)?
    {
        alignments.retain(|alignment| alignment.video != video);
        alignments.insert(0, Alignment::identical(video, clip.duration));
    }
    further.retain(|video| alignments.iter().all(|alignment| alignment.video != *video));
    Ok((
        Found {
            alignments,
            further,
        },
        exact,
    ))
}

/// The hits on videos that are searched.
fn retained(hits: Vec<Hit>, is_searched: &dyn Fn(VideoRef) -> Result<bool>) -> Result<Vec<Hit>> {
    let mut known: HashMap<VideoRef, bool> = HashMap::new();
    let mut retained = Vec::with_capacity(hits.len());
    for hit in hits {
        let searched = match known.get(&hit.video) {
            Some(searched) => *searched,
            None => *known.entry(hit.video).or_insert(is_searched(hit.video)?),
        };
        retained.extend(searched.then_some(hit));
    }
    Ok(retained)
}

/// The windows of a clip, each with the numbers of its keys. A remainder shorter than half a window
/// joins the window before it.
pub(crate) fn windows(clip: &Fingerprint) -> Vec<(align::Span, Range<usize>)> {
    let number = |time: Duration| {
        clip.keys
            .partition_point(|key| clip.keyframes[key.keyframe as usize].time < time)
    };
    let mut windows = Vec::new();
    let mut start = Duration::ZERO;
    while clip.duration > start + WINDOW + WINDOW / 2 {
        let end = start + WINDOW;
        windows.push((align::Span { start, end }, number(start)..number(end)));
        start = end;
    }
    windows.push((
        align::Span {
            start,
            end: clip.duration.max(start),
        },
        number(start)..clip.keys.len(),
    ));
    windows
}

/// Compares the thumbnails of alignments with one source.
fn compare_thumbnails(
    track: &PictureTrack,
    clip: &Fingerprint,
    aligned: &mut [Alignment],
    clock: &Clock<'_>,
) -> Result<()> {
    let pictures = clip.pictures();
    if pictures.is_empty() {
        return Ok(());
    }
    for alignment in aligned
        .iter_mut()
        .filter(|alignment| alignment.evidence.total >= COMPARED_BITS)
    {
        clock.check()?;
        let (from, to) = (
            alignment.reference.start.saturating_sub(REFINEMENT_MARGIN),
            alignment.reference.end + REFINEMENT_MARGIN,
        );
        let source: Vec<Thumbnail> = track.pictures(track.between(from, to)).collect();
        let (start, end) = (
            alignment.clip.start.saturating_sub(REFINEMENT_MARGIN),
            alignment.clip.end + REFINEMENT_MARGIN,
        );
        let first = pictures.partition_point(|picture| picture.time < start);
        let end = pictures.partition_point(|picture| picture.time <= end);
        let claim = alignment.claim();
        alignment.dense = dense::compare(
            &source,
            &pictures[first..end.max(first)],
            clip.aspect(),
            &claim,
        );
        if let Some(dense) = alignment.dense {
            alignment.trim(dense.matching);
        }
    }
    Ok(())
}

/// Margin of thumbnails on both sides of an alignment, for the offset refinement.
const REFINEMENT_MARGIN: Duration = Duration::from_secs(1);

/// Makes the report of a clip from which `benign_keys` were filtered out.
fn report(
    index: &dyn Lookup,
    clip: &Fingerprint,
    origin: Origin,
    benign_keys: usize,
    found: Findings,
    options: &CheckOptions<'_>,
) -> Result<Report> {
    let Findings {
        alignments,
        further,
        mut judgement,
        alone,
        exact,
    } = found;
    let is_given = origin == Origin::Given;
    if is_given {
        judgement.reasons.insert(
            0,
            Reason::new(ReasonCode::FromFingerprint, FROM_FINGERPRINT),
        );
    }
    let state = index.state();
    let total = |wanted| seconds(judgement.total(wanted));
    let parts = Seconds {
        published: total(SpanState::Published),
        unpublished: total(SpanState::Unpublished),
        unsearchable: total(SpanState::Unsearchable),
        benign: seconds(judgement.benign()),
    };
    let unpublished = match judgement.verdict {
        Verdict::Inconclusive => 0.0,
        _ => round(parts.unpublished / 60.0, 3),
    };
    let (payable, provisional) = if is_given {
        (0.0, unpublished)
    } else {
        (unpublished, 0.0)
    };
    let opinions = &judgement.opinions;
    let described = |i: usize| describe(index, clip, &alignments[i], &opinions[i]);
    let matches = judgement
        .matches
        .iter()
        .map(|&(i, kind)| {
            Ok(Match {
                kind,
                stream: None,
                alignment: described(i)?,
            })
        })
        .collect::<Result<Vec<Match>>>()?;
    Ok(Report {
        schema: SCHEMA,
        clip: Clip {
            path: clip.path.clone(),
            sha256: hex(&clip.sha256),
            duration_s: seconds(clip.duration),
            width: clip.info.width,
            height: clip.info.height,
            codec: clip.info.codec.clone(),
            container: clip.info.container.clone(),
            from_fingerprint: is_given,
            keyframes: clip.keyframes.len() as u64,
            keys: clip.keys.len() as u64,
            benign_keys: benign_keys as u64,
        },
        streams: Vec::new(),
        verdict: judgement.verdict,
        payable_minutes: payable,
        provisional_minutes: provisional,
        seconds: parts,
        spans: judgement
            .parts
            .iter()
            .map(|part| Span {
                start_s: seconds(part.span.start),
                end_s: seconds(part.span.end),
                state: part.state,
                reason: part
                    .reason
                    .as_ref()
                    .map(|why| Reason::of(why.code, part.span.length(), why.text())),
            })
            .collect(),
        searchable: Some(searchable(&alone)),
        matches,
        more_sources: further as u64,
        nearest_non_match: judgement.nearest.map(described).transpose()?,
        timeline: judgement
            .timeline
            .iter()
            .map(|second| round(f64::from(*second), 3))
            .collect(),
        power: judgement
            .power
            .iter()
            .map(|second| round(f64::from(*second), 3))
            .collect(),
        power_by_edit: judgement
            .power_by_edit
            .iter()
            .map(|(edit, power)| EditPower {
                edit: (*edit).to_owned(),
                power: round(f64::from(*power), 3),
            })
            .collect(),
        reasons: judgement.reasons,
        index: IndexSummary {
            root: state.root.clone(),
            generation: state.generation,
            videos: state.videos,
            benign_videos: state.benign_videos,
            benign_keys: state.benign_keys,
            hours: round(state.hours, 6),
            keys: state.keys,
            without_pictures: state.without_pictures,
            interval_s: state.interval_s,
            version: state.format_version,
            fingerprint_version: state.fingerprint_version,
            committed_at: index.committed_at(),
        },
        search: SearchSummary {
            mode: if exact { "exact" } else { "screened" }.to_owned(),
            exact,
            recall: if exact {
                Some(1.0)
            } else {
                state.screening_recall
            },
            radius_bits: RADIUS,
            query_interval_s: clip.interval.as_secs_f64(),
            published_probability: round(f64::from(options.policy.published_min()), 4),
            payable_probability: round(f64::from(options.policy.payable_max()), 4),
            effort: options.effort,
        },
        quality: None,
        amount: None,
        tool: Tool::this(),
        checked_at: options.now.and_then(moment),
        submission: None,
    })
}

const FROM_FINGERPRINT: &str =
    "checked a fingerprint, not the clip: check the clip itself to confirm the result";

/// The parts that are unpublished by a judgement; none if it is inconclusive.
fn searchable(alone: &Judgement) -> Vec<Interval> {
    let parts = alone
        .parts
        .iter()
        .filter(|part| part.state == SpanState::Unpublished);
    let parts = parts.map(|part| Interval {
        start_s: seconds(part.span.start),
        end_s: seconds(part.span.end),
    });
    if alone.verdict == Verdict::Unpublished {
        parts.collect()
    } else {
        Vec::new()
    }
}

fn describe(
    index: &dyn Lookup,
    clip: &Fingerprint,
    alignment: &Alignment,
    opinion: &Opinion,
) -> Result<NonMatch> {
    let video = index.video(alignment.video)?;
    let interval = |span: align::Span| Interval {
        start_s: seconds(span.start),
        end_s: seconds(span.end),
    };
    Ok(NonMatch {
        source: Source {
            id: video.id.clone(),
            path: video.path.clone(),
            sha256: hex(&video.sha256),
            duration_s: seconds(video.duration),
            publication: video.publication.clone(),
        },
        clip: interval(alignment.clip),
        reference: interval(alignment.reference),
        evidence_bits: bits(alignment.evidence.total),
        moment_bits: bits(alignment.evidence.distinctive),
        probability: round(f64::from(opinion.probability), 4),
        terms: opinion
            .bits
            .iter()
            .map(|(name, bits)| Term {
                name: (*name).to_owned(),
                bits: round(f64::from(*bits), 2),
            })
            .collect(),
        pictures: alignment.dense.map(|dense| Pictures {
            compared: dense.frames.into(),
            correlation: round(f64::from(dense.correlation), 3),
            share: round(f64::from(dense.inside), 3),
        }),
        shown: round(f64::from(alignment.key_recall), 3),
        mirrored: alignment.orientation.mirrored,
        turned_degrees: alignment.orientation.degrees(),
        widened: round(f64::from(alignment.orientation.warp.width()), 3),
        slanted: round(f64::from(alignment.orientation.warp.slant()), 3),
        negative: alignment.orientation.negative,
        speed: round(f64::from(alignment.speed), 3),
        geometry: geometry(
            alignment,
            f64::from(alignment.orientation.aspect(clip.aspect())),
            f64::from(video.width.max(1)) / f64::from(video.height.max(1)),
        ),
        hits: alignment.hits as u64,
        identical: alignment.identical,
    })
}

/// The overlap of the clip's frame, mapped into the source's, with the source's frame. The aspects
/// are width over height, that of the clip in its orientation.
fn geometry(alignment: &Alignment, clip_aspect: f64, reference_aspect: f64) -> Geometry {
    let map = alignment.geometry;
    let (scale, dx, dy) = (f64::from(map.scale), f64::from(map.x), f64::from(map.y));
    let shared = |offset: f64, clip: f64, reference: f64| {
        let start = offset.clamp(0.0, reference);
        (start, (offset + scale * clip).clamp(start, reference))
    };
    let (left, right) = shared(dx, clip_aspect, reference_aspect);
    let (top, bottom) = shared(dy, 1.0, 1.0);
    let rectangle = |left: f64, right: f64, top: f64, bottom: f64, aspect: f64| Rectangle {
        x: round((left / aspect).clamp(0.0, 1.0), 3),
        y: round(top.clamp(0.0, 1.0), 3),
        width: round(((right - left) / aspect).clamp(0.0, 1.0), 3),
        height: round((bottom - top).clamp(0.0, 1.0), 3),
    };
    let (from, to) = ((left - dx) / scale, (right - dx) / scale);
    let seen = rectangle(
        from,
        to,
        (top - dy) / scale,
        (bottom - dy) / scale,
        clip_aspect,
    );
    Geometry {
        clip: to_clip_frame(seen, alignment.orientation),
        reference: rectangle(left, right, top, bottom, reference_aspect),
        scale: round(scale, 3),
    }
}

/// Maps a rectangle from the oriented frame back to the clip's own frame, which is tilted about its
/// middle if the orientation is. All values are fractions.
fn to_clip_frame(seen: Rectangle, orientation: Orientation) -> Rectangle {
    let Rectangle {
        x,
        y,
        width,
        height,
    } = seen;
    let (far_x, far_y) = (1.0 - x - width, 1.0 - y - height);
    let back = match orientation.turns {
        0 => seen,
        1 => Rectangle {
            x: y,
            y: far_x,
            width: height,
            height: width,
        },
        2 => Rectangle {
            x: far_x,
            y: far_y,
            width,
            height,
        },
        _ => Rectangle {
            x: far_y,
            y: x,
            width: height,
            height: width,
        },
    };
    let x = if orientation.mirrored {
        1.0 - back.x - back.width
    } else {
        back.x
    };
    Rectangle {
        x: round(x.clamp(0.0, 1.0), 3),
        y: round(back.y.clamp(0.0, 1.0), 3),
        ..back
    }
}

/// Rounds down, so that too little evidence never reads as enough.
fn bits(evidence: f32) -> f64 {
    (f64::from(evidence) * 10.0).floor() / 10.0
}

fn seconds(time: Duration) -> f64 {
    round(time.as_secs_f64(), 3)
}

fn round(value: f64, digits: i32) -> f64 {
    let unit = 10_f64.powi(digits);
    (value * unit).round() / unit
}

#[cfg(test)]
mod tests {
    use super::bits;

    #[test]
    fn too_little_evidence_never_reads_as_enough() {
        assert_eq!(
            [29.97, 30.0_f32.next_down(), 30.0, 30.04].map(bits),
            [29.9, 29.9, 30.0, 30.0]
        );
    }
}
