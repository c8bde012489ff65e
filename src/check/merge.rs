//! Merges the reports of a clip's pictures into one (pure): the worst verdict decides, and time is
//! payable if it is unpublished in all of them.

use crate::fingerprint::{ClipPictures, Looked};
use crate::report::{
    Interval, NonMatch, Reason, ReasonCode, Report, Span, SpanState, Stream, StreamState, Verdict,
};

/// Merges the reports, which are in the order of the pictures. With less than `searchable_min_s`
/// unpublished seconds, the clip is not called unpublished.
pub(super) fn merge(
    looked: &ClipPictures,
    reports: Vec<Report>,
    searchable_min_s: f64,
) -> Option<Report> {
    let streams: Vec<Stream> = looked
        .streams
        .iter()
        .map(|(stream, at)| stream_entry(stream, at, &reports))
        .collect();
    let unchecked: Vec<&Stream> = streams
        .iter()
        .filter(|stream| stream.state == StreamState::NotChecked)
        .collect();
    let mut of_pictures: Vec<(f64, Report)> = looked
        .pictures
        .iter()
        .map(|picture| picture.start.as_secs_f64())
        .zip(reports)
        .collect();
    if of_pictures.len() == 1 && unchecked.is_empty() {
        return of_pictures
            .pop()
            .map(|(_, report)| Report { streams, ..report });
    }
    let missing: Vec<String> = unchecked
        .iter()
        .map(|stream| {
            let reason = stream.reason.as_deref().unwrap_or("not decoded");
            format!(
                "video stream {} ({}) could not be checked: {reason}",
                stream.index, stream.codec
            )
        })
        .collect();
    let number = of_pictures.len() + missing.len();
    let text =
        format!("the file has {number} pictures that a player could show, and the worst decides");
    let mut reasons = vec![Reason::new(ReasonCode::Streams, text)];
    reasons.extend(
        missing
            .iter()
            .map(|text| Reason::new(ReasonCode::Streams, text.as_str())),
    );

    let duration = of_pictures
        .iter()
        .map(|(start, report)| start + report.clip.duration_s)
        .fold(0.0, f64::max);
    let spans = combine(
        &of_pictures,
        millis(duration),
        missing.first().map(String::as_str),
    );
    let total = |state| {
        spans
            .iter()
            .filter(|span| span.state == state)
            .map(|span| span.end_s - span.start_s)
            .sum::<f64>()
    };
    let (published, unpublished) = (
        round(total(SpanState::Published)),
        round(total(SpanState::Unpublished)),
    );

    let searchable = searchable(&of_pictures, unchecked.is_empty());
    let mut verdict = of_pictures
        .iter()
        .map(|(_, report)| report.verdict)
        .max_by_key(|verdict| severity(*verdict))?;
    let is_uncertain = unpublished < searchable_min_s || !unchecked.is_empty();
    if verdict == Verdict::Unpublished && is_uncertain {
        verdict = Verdict::Inconclusive;
    }
    for ((_, report), picture) in of_pictures.iter().zip(&looked.pictures) {
        let numbers: Vec<String> = picture.streams.iter().map(u32::to_string).collect();
        for reason in &report.reasons {
            if verdict == Verdict::Unpublished || reason.code != ReasonCode::NoMatch {
                let text = format!("{} (video stream {})", reason.text, numbers.join(" and "));
                reasons.push(Reason {
                    text,
                    ..reason.clone()
                });
            }
        }
    }

    let mut matches = Vec::new();
    let mut nearest = None;
    let mut timeline = vec![0.0_f64; duration.ceil() as usize];
    let mut power = vec![1.0_f64; timeline.len()];
    let mut more_sources = 0;
    let (mut exact, mut recall) = (true, Some(1.0_f64));
    for ((start, report), picture) in of_pictures.iter().zip(&looked.pictures) {
        let shift = |interval: &mut Interval| {
            interval.start_s = round(interval.start_s + start);
            interval.end_s = round(interval.end_s + start);
        };
        for found in &report.matches {
            let mut found = found.clone();
            found.stream = picture.streams.first().copied();
            shift(&mut found.alignment.clip);
            matches.push(found);
        }
        if let Some(mut near) = report.nearest_non_match.clone() {
            shift(&mut near.clip);
            nearest = match nearest {
                Some(other) if nearer(&other, &near) => Some(other),
                _ => Some(near),
            };
        }
        // A second of a picture overlaps up to two seconds of the file.
        for (second, (probability, found)) in report.timeline.iter().zip(&report.power).enumerate()
        {
            let from = (start + second as f64).floor() as usize;
            let to = (start + second as f64 + 1.0).ceil() as usize;
            let within = from.min(timeline.len())..to.min(timeline.len());
            timeline[within.clone()]
                .iter_mut()
                .for_each(|most| *most = most.max(*probability));
            power[within]
                .iter_mut()
                .for_each(|least| *least = least.min(*found));
        }
        // The pictures may share their further sources, so these are not added up.
        more_sources = report.more_sources.max(more_sources);
        exact &= report.search.exact;
        recall = recall
            .zip(report.search.recall)
            .map(|(lowest, recall)| lowest.min(recall));
    }
    matches.sort_by(|a, b| {
        a.alignment
            .clip
            .start_s
            .total_cmp(&b.alignment.clip.start_s)
    });
    let sum = |of: fn(&Report) -> u64| of_pictures.iter().map(|(_, report)| of(report)).sum();
    let (keyframes, keys) = (
        sum(|report| report.clip.keyframes),
        sum(|report| report.clip.keys),
    );
    let benign_keys = sum(|report| report.clip.benign_keys);
    let benign = round(
        spans
            .iter()
            .filter(|span| {
                span.reason
                    .as_ref()
                    .is_some_and(|reason| reason.code == ReasonCode::Benign)
            })
            .map(|span| span.end_s - span.start_s)
            .sum(),
    );
    let screened = of_pictures
        .iter()
        .any(|(_, report)| report.search.mode == "screened");

    let (_, mut report) = of_pictures.into_iter().next()?;
    report.clip.duration_s = round(duration);
    (
        report.clip.keyframes,
        report.clip.keys,
        report.clip.benign_keys,
    ) = (keyframes, keys, benign_keys);
    report.verdict = verdict;
    report.reasons = reasons;
    report.seconds.published = published;
    report.seconds.unpublished = unpublished;
    report.seconds.unsearchable = round(total(SpanState::Unsearchable));
    report.seconds.benign = benign;
    report.payable_minutes = if verdict == Verdict::Inconclusive {
        0.0
    } else {
        round(unpublished / 60.0)
    };
    report.spans = spans;
    report.searchable = searchable;
    report.matches = matches;
    report.more_sources = more_sources;
    report.nearest_non_match = nearest;
    report.timeline = timeline;
    report.power = power;
    report.search.exact = exact;
    report.search.recall = recall;
    if screened {
        report.search.mode = "screened".to_owned();
    }
    report.streams = streams;
    Some(report)
}

/// The parts that would be unpublished in all pictures if nothing had matched; `None` if one
/// picture does not state them.
fn searchable(pictures: &[(f64, Report)], is_whole: bool) -> Option<Vec<Interval>> {
    let mut common: Option<Vec<(u64, u64)>> = None;
    for (start, report) in pictures {
        let at = |time: f64| millis(start + time);
        let here: Vec<(u64, u64)> = report
            .searchable
            .as_ref()?
            .iter()
            .map(|part| (at(part.start_s), at(part.end_s)))
            .collect();
        common = Some(match common {
            None => here,
            Some(common) => {
                let pairs = common
                    .iter()
                    .flat_map(|one| here.iter().map(move |other| (one, other)));
                pairs
                    .map(|(one, other)| (one.0.max(other.0), one.1.min(other.1)))
                    .filter(|(a, b)| a < b)
                    .collect()
            }
        });
    }
    let parts = common.filter(|_| is_whole).unwrap_or_default();
    Some(
        parts
            .into_iter()
            .map(|(start, end)| Interval {
                start_s: seconds(start),
                end_s: seconds(end),
            })
            .collect(),
    )
}

fn nearer(one: &NonMatch, other: &NonMatch) -> bool {
    one.probability >= other.probability
}

fn stream_entry(stream: &crate::media::VideoStream, looked: &Looked, reports: &[Report]) -> Stream {
    let report = match looked {
        Looked::At(picture) => reports.get(*picture),
        _ => None,
    };
    let (state, reason) = match looked {
        Looked::At(_) => (StreamState::Checked, None),
        Looked::Cover => (StreamState::Cover, None),
        Looked::Still => (StreamState::Still, None),
        Looked::Not(reason) => (StreamState::NotChecked, Some(reason.clone())),
    };
    Stream {
        index: stream.index,
        codec: stream.codec.clone(),
        width: stream.width,
        height: stream.height,
        duration_s: report.map(|report| report.clip.duration_s),
        state,
        reason,
        verdict: report.map(|report| report.verdict),
    }
}

/// Rank of a verdict; the highest decides.
fn severity(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Published => 3,
        Verdict::PartlyPublished => 2,
        Verdict::Inconclusive => 1,
        Verdict::Unpublished => 0,
    }
}

/// Combines the spans of all pictures: published where any is, unpublished where all
/// are.
fn combine(pictures: &[(f64, Report)], end: u64, missing: Option<&str>) -> Vec<Span> {
    // Start, end, state and reason of each span, in milliseconds of the file.
    let spans: Vec<Vec<(u64, u64, &Span)>> = pictures
        .iter()
        .map(|(start, report)| {
            let at = |time: f64| millis(start + time).min(end);
            report
                .spans
                .iter()
                .map(|span| (at(span.start_s), at(span.end_s), span))
                .collect()
        })
        .collect();
    let mut cuts: Vec<u64> = spans
        .iter()
        .flatten()
        .flat_map(|(start, end, _)| [*start, *end])
        .chain([0, end])
        .collect();
    cuts.sort_unstable();
    cuts.dedup();
    let mut merged: Vec<Span> = Vec::new();
    // Spans are sorted, so those that have ended are skipped for good.
    let mut next = vec![0; spans.len()];
    for pair in cuts.windows(2) {
        let here: Vec<Option<&Span>> = spans
            .iter()
            .zip(&mut next)
            .map(|(spans, next)| {
                while spans.get(*next).is_some_and(|span| span.1 <= pair[0]) {
                    *next += 1;
                }
                spans
                    .get(*next)
                    .filter(|span| span.0 <= pair[0])
                    .map(|span| span.2)
            })
            .collect();
        let (state, reason) = state(pictures, &here, missing);
        let same = |last: &&mut Span| {
            let content = |reason: &Option<Reason>| {
                reason
                    .as_ref()
                    .map(|reason| (reason.code, reason.text.clone()))
            };
            last.state == state && content(&last.reason) == content(&reason)
        };
        match merged.last_mut().filter(same) {
            Some(last) => last.end_s = seconds(pair[1]),
            None => merged.push(Span {
                start_s: seconds(pair[0]),
                end_s: seconds(pair[1]),
                state,
                reason,
            }),
        }
    }
    for span in &mut merged {
        if let Some(reason) = &mut span.reason {
            reason.seconds = Some(round(span.end_s - span.start_s));
        }
    }
    merged
}

fn state(
    pictures: &[(f64, Report)],
    here: &[Option<&Span>],
    missing: Option<&str>,
) -> (SpanState, Option<Reason>) {
    let any = |state| here.iter().flatten().find(|span| span.state == state);
    if any(SpanState::Published).is_some() {
        return (SpanState::Published, None);
    }
    if let Some(span) = any(SpanState::Unsearchable) {
        return (SpanState::Unsearchable, span.reason.clone());
    }
    let reason = if let Some(missing) = missing {
        missing
    } else if here.iter().any(Option::is_none) {
        "not every video stream of the file has a picture here"
    } else if pictures
        .iter()
        .any(|(_, report)| report.verdict == Verdict::Inconclusive)
    {
        "another picture of the file is inconclusive"
    } else {
        return (SpanState::Unpublished, None);
    };
    (
        SpanState::Unsearchable,
        Some(Reason::new(ReasonCode::Streams, reason)),
    )
}

fn millis(seconds: f64) -> u64 {
    // Times of a report are positive and shorter than a century.
    (seconds.max(0.0) * 1000.0).round() as u64
}

fn seconds(millis: u64) -> f64 {
    millis as f64 / 1000.0
}

/// Rounds to milliseconds. Adding zero removes the sign of a negative zero.
fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0 + 0.0
}

#[cfg(test)]
mod tests;
