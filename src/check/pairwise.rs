//! Compares a clip with single videos of an index: finds those that may share a passage with it,
//! and checks the clip against chosen ones.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{CheckOptions, Clock, Origin, checked_among, describe, windows};
use crate::Result;
use crate::align::{self, Alignment, Corpus};
use crate::fingerprint::Fingerprint;
use crate::index::{Index, SearchMode, VideoRef};
use crate::report::{Match, MatchKind, Report};
use crate::search::{search, sift};
use crate::verdict::Model;

/// A video that may share a passage with a clip.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Candidate {
    /// The video.
    pub(crate) video: VideoRef,
    /// Evidence of its strongest coarse hypothesis, in bits.
    pub(crate) bits: f32,
}

/// The videos whose hits can make an alignment, in the order of the index. A check of the clip
/// against them finds all that a check against the whole index with the same effort finds.
///
/// # Errors
///
/// Those of [`check_fingerprint`](super::check_fingerprint).
pub(crate) fn candidates(
    index: &Index,
    clip: &Fingerprint,
    mode: SearchMode,
    options: &CheckOptions<'_>,
) -> Result<Vec<Candidate>> {
    let clip = &*options.effort.looked_at(clip);
    let orientations = options.effort.orientations();
    let clock = Clock::start(clip, &options.decoding.limits, options.cancel);
    let stop = || clock.check();
    let filtered = sift(index, clip, &options.effort.benign_orientations(), &stop)?;
    let clip = &*filtered.clip;
    let state = index.state();
    let interval = Duration::from_secs_f64(state.interval_s);
    let corpus = Corpus {
        keys: state.keys,
        interval,
        stop: &|| clock.is_over(),
    };
    let mut candidates: BTreeMap<VideoRef, f32> = BTreeMap::new();
    for (_, keys) in windows(clip) {
        let hits = search(index, clip, keys, &orientations, mode, &stop)?;
        for hits in hits.hits.chunk_by(|a, b| a.video == b.video) {
            clock.check()?;
            let video = hits[0].video;
            if options.exclude.contains(&index.video(video).sha256)
                || !align::is_promising(hits, &corpus)
            {
                continue;
            }
            let bits =
                align::coarse_hypothesis(hits, &corpus).map_or(0.0, |hypothesis| hypothesis.bits);
            let strongest = candidates.entry(video).or_insert(bits);
            *strongest = strongest.max(bits);
        }
    }
    Ok(candidates
        .into_iter()
        .map(|(video, bits)| Candidate { video, bits })
        .collect())
}

/// Checks a clip against these videos alone, comparing all keys. Without videos, the report only
/// says which parts of the clip are searchable.
///
/// # Errors
///
/// Those of [`check_fingerprint`](super::check_fingerprint).
pub(crate) fn compare(
    index: &Index,
    clip: &Fingerprint,
    videos: &[VideoRef],
    options: &CheckOptions<'_>,
) -> Result<Report> {
    checked_among(index, clip, Some(videos), Origin::Computed, options)
}

/// The match of a clip with a file of the same bytes. An open index causes no error.
pub(crate) fn identical(index: &Index, clip: &Fingerprint, video: VideoRef) -> Result<Match> {
    let alignment = Alignment::identical(video, clip.duration);
    let opinion = Model::default().opinion(&alignment);
    Ok(Match {
        kind: MatchKind::Copy,
        stream: None,
        alignment: describe(index, clip, &alignment, &opinion)?,
    })
}
