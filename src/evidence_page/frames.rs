//! Reads the frames that a page shows: of the clip, and of each source at corresponding times.
//!
//! Foreign files are decoded as the caller's options say. A file is used only if it still has the
//! SHA-256 that was checked or indexed. If a source's file is gone, the small pictures of the index
//! replace it.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use super::Options;
use super::geometry::Map;
use super::raster::{Laid, Picture, lay};
use crate::fingerprint::{PictureTrack, Thumbnail};
use crate::index::Index;
use crate::media::{MOMENTS_MAX, Moments, Still, hex};
use crate::report::NonMatch;
use crate::{Error, Result};

/// The clip of a page.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    /// Its file; `None` if it is not available.
    pub(super) path: Option<&'a Path>,
    pub(super) sha256: &'a str,
    /// Its video streams, if it has several. Times count from the first of them.
    pub(super) streams: &'a [u32],
}

/// An alignment to show, with its number of pairs of frames.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown<'a> {
    pub(super) found: &'a NonMatch,
    pub(super) stream: Option<u32>,
    /// The video stream of the source, if that has several.
    pub(super) source_stream: Option<u32>,
    pub(super) pairs: usize,
}

/// Why there are no frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Absent {
    Fingerprint,
    NotAtHand,
    Changed,
    NoPictures,
    Unreadable(String),
    Room,
}

/// The frames of an alignment.
#[derive(Debug, Default)]
pub(super) struct Frames {
    pub(super) pairs: Vec<Pair>,
    pub(super) no_clip: Option<Absent>,
    pub(super) no_source: Option<Absent>,
    /// Whether the source's frames are small grey pictures of the index.
    pub(super) from_index: bool,
}

/// A frame of the clip and the source's frame at the corresponding time; one may be missing.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) clip: Option<(f64, Picture)>,
    pub(super) source: Option<(f64, Picture)>,
    pub(super) laid: Option<Laid>,
    /// The map from the clip's frame to the source's.
    pub(super) map: Option<Map>,
}

/// The frames of a page.
#[derive(Debug)]
pub(super) struct Gathered {
    /// Frames of each alignment, in the same order.
    pub(super) frames: Vec<Frames>,
    /// Time and frame of each further moment of the clip.
    pub(super) moments: Vec<Option<(f64, Picture)>>,
}

/// Reads frames for alignments and for further `moments` of the clip, in seconds.
pub(super) fn gather(
    subject: Subject<'_>,
    shown: &[Shown<'_>],
    moments: &[f64],
    index: Option<&Index>,
    options: &Options<'_>,
) -> Result<Gathered> {
    let mut sources: HashMap<&str, Source> = HashMap::new();
    for one in shown.iter().filter(|one| one.pairs > 0) {
        let source = &one.found.source;
        if !sources.contains_key(source.sha256.as_str()) {
            sources.insert(
                &source.sha256,
                open(Path::new(&source.path), &source.sha256, index, options)?,
            );
        }
    }
    let planned: Vec<Vec<(f64, Option<Thumbnail>)>> = shown
        .iter()
        .map(|one| match sources.get(one.found.source.sha256.as_str()) {
            Some(Source::Track(track)) => from_track(track, one),
            Some(_) => times(one).into_iter().map(|time| (time, None)).collect(),
            None => Vec::new(),
        })
        .collect();
    let asked = shown
        .iter()
        .zip(&planned)
        .flat_map(|(one, times)| times.iter().map(|(time, _)| (one.stream, *time)));
    let first = subject.streams.first().copied();
    let asked: Vec<(Option<u32>, f64)> = asked
        .chain(moments.iter().map(|time| (first, *time)))
        .collect();
    let clip = clip_stills(subject, &asked, options)?;

    let mut frames: Vec<Frames> = Vec::new();
    for (one, planned) in shown.iter().zip(planned) {
        let Some(source) = sources
            .get(one.found.source.sha256.as_str())
            .filter(|_| one.pairs > 0)
        else {
            frames.push(Frames {
                no_source: Some(Absent::Room),
                ..Frames::default()
            });
            continue;
        };
        frames.push(of_alignment(one, planned, &clip, source, options)?);
    }
    let moments = moments
        .iter()
        .map(|time| clip.as_ref().ok().and_then(|clip| clip.at(first, *time)))
        .collect();
    let moments = moments_pictures(moments);
    Ok(Gathered { frames, moments })
}

fn moments_pictures(stills: Vec<Option<(f64, &Still)>>) -> Vec<Option<(f64, Picture)>> {
    stills
        .into_iter()
        .map(|still| {
            still.and_then(|(time, still)| Some((time, Picture::of_still(still.clone())?)))
        })
        .collect()
}

/// Pairs the frames of one alignment.
fn of_alignment(
    one: &Shown<'_>,
    planned: Vec<(f64, Option<Thumbnail>)>,
    clip: &std::result::Result<ClipStills, Absent>,
    source: &Source,
    options: &Options<'_>,
) -> Result<Frames> {
    let mut frames = Frames {
        no_clip: clip.as_ref().err().cloned(),
        ..Frames::default()
    };
    // Uses the middle of the clip's frame, where a small error of the alignment matters least.
    let ours: Vec<Option<(f64, f64, &Still)>> = planned
        .iter()
        .map(|(time, _)| {
            clip.as_ref()
                .ok()
                .and_then(|clip| clip.at(one.stream, *time))
        })
        .map(|still| {
            still.map(|(start, still)| {
                let length = still
                    .until
                    .saturating_sub(still.time)
                    .as_secs_f64()
                    .min(FRAME_LONGEST);
                (start, start + 0.5 * length, still)
            })
        })
        .collect();
    let theirs: Vec<Option<(f64, Picture)>> = match source {
        Source::Absent(why) => {
            frames.no_source = Some(why.clone());
            planned.iter().map(|_| None).collect()
        }
        Source::Track(_) => {
            frames.from_index = true;
            let of_small =
                |small: &Thumbnail| (small.time.as_secs_f64(), Picture::of_thumbnail(small));
            planned
                .iter()
                .map(|(_, small)| small.as_ref().map(of_small))
                .collect()
        }
        Source::File(file) => {
            let at: Vec<f64> = planned
                .iter()
                .zip(&ours)
                .map(|((time, _), ours)| {
                    to_reference(one.found, ours.map_or(*time, |(_, middle, _)| middle))
                })
                .collect();
            match file.stills(one.source_stream, &at, options)? {
                Ok(stills) => best_shift(one.found, &at, &ours, &stills),
                Err(why) => {
                    frames.no_source = Some(why);
                    planned.iter().map(|_| None).collect()
                }
            }
        }
    };
    for (ours, theirs) in ours.into_iter().zip(theirs) {
        let ours =
            ours.and_then(|(time, _, still)| Some((time, Picture::of_still(still.clone())?)));
        let map = ours
            .as_ref()
            .and_then(|(_, picture)| Map::to_source(one.found, picture.aspect()));
        let laid = match (&ours, &theirs, map) {
            (Some((_, clip)), Some((_, source)), Some(map)) => {
                Some(lay(clip, source, one.found, map))
            }
            _ => None,
        };
        if ours.is_some() || theirs.is_some() {
            frames.pairs.push(Pair {
                clip: ours,
                source: theirs,
                laid,
                map,
            });
        }
    }
    Ok(frames)
}

/// The source's frames at these times, all shifted by the one small offset that makes them most
/// similar to the clip's. An alignment is only accurate to a frame or two, and a neighbouring frame
/// would look like a difference.
fn best_shift(
    found: &NonMatch,
    at: &[f64],
    ours: &[Option<(f64, f64, &Still)>],
    stills: &[Still],
) -> Vec<Option<(f64, Picture)>> {
    let frame = |time: f64| shown_at(stills, time);
    let small = |still: &Still| Some(Picture::of_still(still.clone())?.shrunk());
    let ours: Vec<Option<Picture>> = ours.iter().map(|ours| small(ours.as_ref()?.2)).collect();
    let mut known: HashMap<(usize, Duration), f64> = HashMap::new();
    let mut cost = |pair: usize, theirs: &Still| {
        *known.entry((pair, theirs.time)).or_insert_with(|| {
            let laid = ours[pair]
                .as_ref()
                .zip(small(theirs))
                .and_then(|(ours, theirs)| {
                    Some(lay(ours, &theirs, found, Map::to_source(found, ours.aspect())?).mean)
                });
            laid.unwrap_or(0.0)
        })
    };
    let costs = shifts().map(|shift| {
        // Offsets that leave the source are excluded.
        let costs = at.iter().enumerate();
        let sum: f64 = costs
            .map(|(pair, time)| frame(time + shift).map_or(1.0, |still| cost(pair, still)))
            .sum();
        (sum, shift)
    });
    let best = costs.min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.abs().total_cmp(&b.1.abs())));
    let shift = best.map_or(0.0, |(_, shift)| shift);
    at.iter()
        .map(|time| {
            let still = frame(time + shift)?;
            Some((still.time.as_secs_f64(), Picture::of_still(still.clone())?))
        })
        .collect()
}

/// The offsets that are tried.
fn shifts() -> impl Iterator<Item = f64> {
    (-SHIFTS..=SHIFTS).map(|number| f64::from(number) * SHIFT_STEP)
}

/// The still that is shown at a time.
fn shown_at(stills: &[Still], time: f64) -> Option<&Still> {
    let time = Duration::try_from_secs_f64(time.max(0.0)).ok()?;
    let before = stills.partition_point(|still| still.time <= time);
    let still = stills.get(before.checked_sub(1)?)?;
    (still.until.saturating_add(FRAME_SLACK) >= time).then_some(still)
}

/// Times in the clip that are spread over an alignment, away from its ends.
fn times(one: &Shown<'_>) -> Vec<f64> {
    let (start, length) = (
        one.found.clip.start_s,
        one.found.clip.end_s - one.found.clip.start_s,
    );
    let count = match length {
        length if length < 4.0 => one.pairs.min(3),
        length if length < 10.0 => one.pairs.min(4),
        _ => one.pairs,
    };
    (0..count)
        .map(|i| start + length * (MARGIN + (1.0 - 2.0 * MARGIN) * (0.5 + i as f64) / count as f64))
        .collect()
}

/// Pictures of the index near these times, each with the time at which the clip shows the same.
fn from_track(track: &PictureTrack, one: &Shown<'_>) -> Vec<(f64, Option<Thumbnail>)> {
    let mut last = None;
    times(one)
        .into_iter()
        .filter_map(|time| {
            let wanted =
                Duration::try_from_secs_f64(to_reference(one.found, time).max(0.0)).ok()?;
            let near = track.between(
                wanted.saturating_sub(TRACK_REACH),
                wanted.saturating_add(TRACK_REACH),
            );
            let nearest = near.min_by_key(|&picture| track.time(picture).abs_diff(wanted))?;
            if last.replace(nearest) == Some(nearest) {
                return None;
            }
            let small = track.picture(nearest)?;
            // A small picture is that of a frame's start; the clip's frame is taken in its middle.
            Some((
                to_clip(one.found, small.time.as_secs_f64() + FRAME_HALF),
                Some(small),
            ))
        })
        .collect()
}

/// The time in the source of a time in the clip.
fn to_reference(found: &NonMatch, time: f64) -> f64 {
    let (clip, reference) = (found.clip, found.reference);
    let share = (time - clip.start_s) / (clip.end_s - clip.start_s).max(0.001);
    let share = if found.speed < 0.0 {
        1.0 - share
    } else {
        share
    };
    reference.start_s + share * (reference.end_s - reference.start_s)
}

/// The time in the clip of a time in the source.
fn to_clip(found: &NonMatch, time: f64) -> f64 {
    let (clip, reference) = (found.clip, found.reference);
    let share = (time - reference.start_s) / (reference.end_s - reference.start_s).max(0.001);
    let share = if found.speed < 0.0 {
        1.0 - share
    } else {
        share
    };
    clip.start_s + share * (clip.end_s - clip.start_s)
}

/// Where a source's frames come from.
enum Source {
    File(File),
    Track(PictureTrack),
    Absent(Absent),
}

/// An open file with the right SHA-256.
struct File {
    source: crate::media::Source,
    sha256: [u8; 32],
}

impl File {
    /// Opens a file if it has this SHA-256. Otherwise returns why not.
    fn open(
        path: &Path,
        sha256: &str,
        options: &Options<'_>,
    ) -> Result<std::result::Result<File, Absent>> {
        let Ok(source) = options.decoding.open(path) else {
            return Ok(Err(Absent::NotAtHand));
        };
        match source.sha256(&|| options.is_cancelled()) {
            Ok(found) if hex(&found) == sha256 => Ok(Ok(File {
                source,
                sha256: found,
            })),
            Ok(_) => Ok(Err(Absent::Changed)),
            Err(Error::Cancelled) => Err(Error::Cancelled),
            Err(error) => Ok(Err(unreadable(&error))),
        }
    }

    /// The stills around these times, in seconds. In a file with several video streams, times count
    /// from the first of them.
    fn stills(
        &self,
        stream: Option<u32>,
        at: &[f64],
        options: &Options<'_>,
    ) -> Result<std::result::Result<Vec<Still>, Absent>> {
        let Some(stream) = stream else {
            return self.near(None, at, options);
        };
        let mut origins = Vec::new();
        for stream in [Some(stream), None] {
            match self.near(stream, &[0.0], options)? {
                Ok(first) => origins.extend(first.first().map(|still| still.origin_ns)),
                Err(why) => return Ok(Err(why)),
            }
        }
        let [own, main] = origins[..] else {
            return Ok(Ok(Vec::new()));
        };
        let late = Duration::from_nanos(u64::try_from(own.saturating_sub(main)).unwrap_or(0));
        let at: Vec<f64> = at.iter().map(|time| time - late.as_secs_f64()).collect();
        let stills = self.near(Some(stream), &at, options)?;
        let later = |still: Still| Still {
            time: still.time + late,
            until: still.until + late,
            ..still
        };
        Ok(stills.map(|stills| stills.into_iter().map(later).collect()))
    }

    fn near(
        &self,
        stream: Option<u32>,
        at: &[f64],
        options: &Options<'_>,
    ) -> Result<std::result::Result<Vec<Still>, Absent>> {
        let near = at
            .iter()
            .flat_map(|time| shifts().map(move |shift| time + shift));
        let times = near
            .filter_map(|time| Duration::try_from_secs_f64(time.max(0.0)).ok())
            .take(MOMENTS_MAX)
            .collect();
        let moments = Moments::new(times, SIDE)?.thrifty();
        let stop = || options.is_cancelled();
        believed(
            options
                .decoding
                .stills(&self.source, &self.sha256, stream, &moments, &stop),
        )
    }
}

/// Turns a decoding error into a reason for missing frames, unless the work was cancelled.
fn believed<T>(result: Result<T>) -> Result<std::result::Result<T, Absent>> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(Error::Cancelled) => Err(Error::Cancelled),
        Err(error) => Ok(Err(unreadable(&error))),
    }
}

fn unreadable(error: &Error) -> Absent {
    Absent::Unreadable(error.code())
}

fn open(path: &Path, sha256: &str, index: Option<&Index>, options: &Options<'_>) -> Result<Source> {
    let why = match File::open(path, sha256, options)? {
        Ok(file) => return Ok(Source::File(file)),
        Err(why) => why,
    };
    let Some(index) = index else {
        return Ok(Source::Absent(why));
    };
    let track = match index.find(sha256).first() {
        Some(video) => index.pictures(*video)?,
        None => PictureTrack::default(),
    };
    Ok(if track.is_empty() {
        Source::Absent(Absent::NoPictures)
    } else {
        Source::Track(track)
    })
}

/// Stills of the clip by stream, and when each stream begins.
struct ClipStills(HashMap<Option<u32>, (f64, Vec<Still>)>);

impl ClipStills {
    /// The still that is shown at a time of the clip, with its start time.
    fn at(&self, stream: Option<u32>, time: f64) -> Option<(f64, &Still)> {
        let (start, stills) = self.0.get(&stream)?;
        let still = shown_at(stills, time - start)?;
        Some((start + still.time.as_secs_f64(), still))
    }
}

/// Decodes the clip once for each stream.
fn clip_stills(
    subject: Subject<'_>,
    asked: &[(Option<u32>, f64)],
    options: &Options<'_>,
) -> Result<std::result::Result<ClipStills, Absent>> {
    let Some(path) = subject.path else {
        return Ok(Err(Absent::Fingerprint));
    };
    let file = match File::open(path, subject.sha256, options)? {
        Ok(file) => file,
        Err(why) => return Ok(Err(why)),
    };
    let stop = || options.is_cancelled();
    let stills = |stream, times: Vec<f64>| {
        let times = times
            .into_iter()
            .filter_map(|time| Duration::try_from_secs_f64(time).ok());
        let moments = Moments::new(times.take(MOMENTS_MAX).collect(), SIDE)?;
        believed(
            options
                .decoding
                .stills(&file.source, &file.sha256, stream, &moments, &stop),
        )
    };
    // In a file with several video streams, times count from the first of them.
    let mut origins: HashMap<u32, i64> = HashMap::new();
    for &stream in subject.streams {
        if let Ok(first) = stills(Some(stream), vec![0.0])?
            && let Some(first) = first.first()
        {
            origins.insert(stream, first.origin_ns);
        }
    }
    let begin = origins.values().copied().min().unwrap_or(0);
    let mut found = HashMap::new();
    let mut streams: Vec<Option<u32>> = asked.iter().map(|(stream, _)| *stream).collect();
    streams.sort_unstable();
    streams.dedup();
    for stream in streams {
        let origin = stream
            .and_then(|stream| origins.get(&stream))
            .copied()
            .unwrap_or(begin);
        let start = origin.saturating_sub(begin) as f64 / 1e9;
        let times = asked
            .iter()
            .filter(|(other, _)| *other == stream)
            .map(|(_, time)| time - start)
            .collect();
        match stills(stream, times)? {
            Ok(stills) => found.insert(stream, (start, stills)),
            Err(why) => return Ok(Err(why)),
        };
    }
    Ok(Ok(ClipStills(found)))
}

/// Short side of the frames on a page, in pixels.
const SIDE: usize = 270;
/// Share of an alignment at each end without frames, since its ends are uncertain.
const MARGIN: f64 = 0.05;
/// Number of offsets tried on either side, and their step in seconds. Residuals of up to 0.1 s were
/// seen, and the step is a frame at 50 a second.
const SHIFTS: i32 = 10;
const SHIFT_STEP: f64 = 0.02;
/// Maximum length of a frame, in seconds, that is taken in its middle; a longer one is taken near
/// its start.
const FRAME_LONGEST: f64 = 0.2;
/// Half of a usual frame, in seconds.
const FRAME_HALF: f64 = 0.02;
/// How much longer a frame may be shown than its container says.
const FRAME_SLACK: Duration = Duration::from_millis(1000);
/// Maximum distance of an index picture from a moment.
const TRACK_REACH: Duration = Duration::from_millis(1000);

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    #[test]
    fn times_are_spread_over_an_alignment_off_its_ends_and_lead_there_and_back() {
        let mut found = testing::found();
        let at = |found: &NonMatch, pairs| {
            times(&Shown {
                found,
                stream: None,
                source_stream: None,
                pairs,
            })
        };
        let spread = at(&found, 5);
        assert_eq!(spread.len(), 4, "{spread:?}");
        assert!(
            spread[0] > 0.5 && spread[3] < 5.5 && spread.is_sorted(),
            "{spread:?}"
        );
        assert_eq!(at(&found, 1), [3.0]);
        assert!(
            (to_reference(&found, 1.5) - 21.5).abs() < 1e-9
                && (to_clip(&found, 21.5) - 1.5).abs() < 1e-9
        );
        found.speed = -1.0;
        assert!(
            (to_reference(&found, 1.5) - 24.5).abs() < 1e-9
                && (to_clip(&found, 24.5) - 1.5).abs() < 1e-9
        );
        found.clip.end_s = found.clip.start_s;
        assert!(to_reference(&found, 0.0).is_finite());
    }

    #[test]
    fn a_time_without_a_frame_shows_none_rather_than_another() {
        let still = |millis| {
            let (time, until) = (
                Duration::from_millis(millis),
                Duration::from_millis(millis + 40),
            );
            Still {
                time,
                until,
                origin_ns: 0,
                width: 1,
                height: 1,
                rgb: vec![0; 3],
            }
        };
        let stills = [still(1000), still(5000)];
        assert_eq!(shown_at(&stills, 1.02).unwrap().time, stills[0].time);
        assert!(shown_at(&stills, 0.9).is_none() && shown_at(&stills, 3.0).is_none());
        assert!(shown_at(&stills, f64::NAN).is_none());
    }
}
