//! Puts a report beside the truth (pure).

use std::collections::HashMap;
use std::iter::Sum;

use serde::Serialize;
use uniq::Report;
use uniq::report::{Interval, Match, MatchKind, SpanState, Verdict};

use crate::excerpt::Excerpt;

/// How well a report tells where an excerpt comes from.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Score {
    /// A copy of the right content lies where a piece of the excerpt lies.
    pub(crate) found: bool,
    /// Pieces of the excerpt that a right copy covers by half or more.
    pub(crate) pieces: usize,
    /// Copies of other content, or where the excerpt does not lie.
    pub(crate) wrong: usize,
    /// Bits of the strongest right copy, or of the nearest non-match if that is right.
    pub(crate) bits: f64,
    /// Errors in seconds of the clip's start, its end and the reference's start, for each piece found in the excerpt's own
    /// file: another file of its group may be shifted by an unknown time.
    pub(crate) errors_s: Vec<[f64; 3]>,
    /// Other files of the excerpt's group in which copies were found, by SHA-256.
    pub(crate) siblings: Vec<String>,
    /// What becomes of its seconds.
    pub(crate) seconds: Seconds,
    /// Intersection over union of found and true time in the clip, if found.
    pub(crate) overlap: Option<f64>,
}

/// What becomes of the seconds of one excerpt, or of several.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct Seconds {
    /// Those that are copies, of them those that are called published, and those that would be paid for as unpublished.
    pub(crate) copied_s: f64,
    /// See `copied_s`.
    pub(crate) published_s: f64,
    /// See `copied_s`.
    pub(crate) paid_s: f64,
    /// All others, of them those that are called published, and those of which nothing is said and that would not be paid for.
    pub(crate) own_s: f64,
    /// See `own_s`.
    pub(crate) accused_s: f64,
    /// See `own_s`.
    pub(crate) withheld_s: f64,
}

impl Seconds {
    /// Lays the parts of a report over the time that is truly copied.
    fn new(report: &Report, truth: &[(f64, f64)]) -> Seconds {
        // Those that are copied, and the others.
        let in_state = |state: SpanState| {
            let spans = report.spans.iter().filter(|span| span.state == state);
            spans.fold((0.0, 0.0), |(copied, own), span| {
                let of_truth = union_shared(truth, (span.start_s, span.end_s));
                (copied + of_truth, own + (span.end_s - span.start_s - of_truth))
            })
        };
        let [published, unpublished, unsearchable] =
            [SpanState::Published, SpanState::Unpublished, SpanState::Unsearchable].map(in_state);
        let payable = report.verdict != Verdict::Inconclusive;
        Seconds {
            copied_s: truth.iter().fold(0.0, |sum, span| sum + (span.1 - span.0)),
            published_s: published.0,
            paid_s: if payable { unpublished.0 } else { 0.0 },
            own_s: unpublished.1 + published.1 + unsearchable.1,
            accused_s: published.1,
            withheld_s: unsearchable.1 + if payable { 0.0 } else { unpublished.1 },
        }
    }
}

impl Sum for Seconds {
    fn sum<I: Iterator<Item = Seconds>>(all: I) -> Seconds {
        all.fold(Seconds::default(), |sum, other| Seconds {
            copied_s: sum.copied_s + other.copied_s,
            published_s: sum.published_s + other.published_s,
            paid_s: sum.paid_s + other.paid_s,
            own_s: sum.own_s + other.own_s,
            accused_s: sum.accused_s + other.accused_s,
            withheld_s: sum.withheld_s + other.withheld_s,
        })
    }
}

impl Score {
    /// Compares; `groups` has the group of each clip by SHA-256.
    pub(crate) fn new(report: &Report, excerpt: &Excerpt, groups: &HashMap<String, String>) -> Score {
        let group = |found: &str| groups.get(found) == Some(&excerpt.clip.group);
        let truth: Vec<(f64, f64)> = excerpt.truth.iter().map(|piece| piece.clip_s).collect();
        let copies: Vec<&Match> = report.matches.iter().filter(|found| found.kind == MatchKind::Copy).collect();
        let is_right = |found: &&&Match| {
            let clip = pair(found.alignment.clip);
            group(&found.alignment.source.sha256) && union_shared(&truth, clip) >= 0.5 * (clip.1 - clip.0)
        };
        let right: Vec<&Match> = copies.iter().filter(is_right).copied().collect();
        let mut errors_s = Vec::new();
        let mut pieces = 0;
        for piece in &excerpt.truth {
            let on_piece = |found: &&&Match| {
                let length = piece.clip_s.1 - piece.clip_s.0;
                shared(pair(found.alignment.clip), piece.clip_s) >= 0.5 * length
            };
            let best = right.iter().filter(on_piece).max_by(|a, b| bits(a).total_cmp(&bits(b)));
            pieces += usize::from(best.is_some());
            let own =
                right.iter().filter(on_piece).filter(|found| found.alignment.source.sha256 == excerpt.clip.sha256);
            if let Some(found) = own.max_by(|a, b| bits(a).total_cmp(&bits(b))) {
                let (clip, reference) = (pair(found.alignment.clip), pair(found.alignment.reference));
                errors_s.push(
                    [clip.0 - piece.clip_s.0, clip.1 - piece.clip_s.1, reference.0 - piece.reference_s.0].map(f64::abs),
                );
            }
        }
        let found_s: Vec<(f64, f64)> = right.iter().map(|found| pair(found.alignment.clip)).collect();
        let overlap = (!right.is_empty()).then(|| {
            let both: f64 = merged(&found_s).iter().map(|span| union_shared(&truth, *span)).sum();
            let all: Vec<(f64, f64)> = found_s.iter().chain(&truth).copied().collect();
            both / merged(&all).iter().map(|span| span.1 - span.0).sum::<f64>().max(f64::MIN_POSITIVE)
        });
        let siblings = copies.iter().map(|found| &found.alignment.source.sha256);
        let siblings = siblings.filter(|source| group(source) && **source != excerpt.clip.sha256).cloned().collect();
        let near = report.nearest_non_match.iter().filter(|near| group(&near.source.sha256));
        let near = near.map(|near| near.evidence_bits);
        Score {
            seconds: Seconds::new(report, &truth),
            found: !right.is_empty(),
            pieces,
            wrong: copies.len() - right.len(),
            bits: right.iter().map(|found| bits(found)).chain(near).fold(0.0, f64::max),
            errors_s,
            siblings,
            overlap,
        }
    }
}

/// Whether any second was judged to be published.
pub(crate) fn is_published(report: &Report) -> bool {
    matches!(report.verdict, Verdict::Published | Verdict::PartlyPublished)
}

/// The highest evidence that anything in the index reached, counted or not.
pub(crate) fn highest_bits(report: &Report) -> f64 {
    let matches = report.matches.iter().map(bits);
    matches.chain(report.nearest_non_match.iter().map(|near| near.evidence_bits)).fold(0.0, f64::max)
}

fn bits(found: &Match) -> f64 {
    found.alignment.evidence_bits
}

fn pair(interval: Interval) -> (f64, f64) {
    (interval.start_s, interval.end_s)
}

fn shared(a: (f64, f64), b: (f64, f64)) -> f64 {
    (a.1.min(b.1) - a.0.max(b.0)).max(0.0)
}

/// How much of a span lies in spans that do not overlap.
fn union_shared(spans: &[(f64, f64)], span: (f64, f64)) -> f64 {
    spans.iter().map(|other| shared(*other, span)).sum()
}

/// The same time as spans that do not overlap, in order.
pub(crate) fn merged(spans: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut sorted = spans.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut merged: Vec<(f64, f64)> = Vec::new();
    for span in sorted {
        match merged.last_mut() {
            Some(last) if span.0 <= last.1 => last.1 = last.1.max(span.1),
            _ => merged.push(span),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::edits::Edit;
    use crate::footage::tests::clip;

    fn report(matches: Value) -> Report {
        let all = json!({
            "schema": uniq::report::SCHEMA, "verdict": "published", "reasons": [], "payable_minutes": 0.0, "spans": [], "matches": matches, "timeline": [], "power": [], "power_by_edit": [], "more_sources": 0,
            "seconds": { "published": 0.0, "unpublished": 0.0, "unsearchable": 0.0 }, "nearest_non_match": null,
            "clip": { "path": "", "sha256": "", "duration_s": 12.0, "width": 1, "height": 1, "codec": "", "container": "",
                "from_fingerprint": false, "keyframes": 0, "keys": 0 },
            "index": { "root": "", "generation": 0, "videos": 2, "hours": 0.0, "keys": 0, "without_pictures": 0,
                "interval_s": 1.0, "version": 1, "fingerprint_version": 1 },
            "search": { "mode": "exact", "exact": true, "recall": 1.0, "radius_bits": 72, "query_interval_s": 0.25,
                "published_probability": 0.95, "payable_probability": 0.05, "effort": "standard" },
            "tool": { "name": "uniq", "version": "0" },
        });
        serde_json::from_value(all).unwrap()
    }

    fn found(source: &str, kind: &str, clip_s: (f64, f64), reference: f64, bits: f64) -> Value {
        let (start, end) = clip_s;
        let area = json!({ "x": 0.0, "y": 0.0, "width": 1.0, "height": 1.0 });
        json!({
            "source": { "id": "", "path": "", "sha256": format!("{source:0>16}"), "duration_s": 30.0, "url": null,
                "title": null, "uploader": null, "platform": null, "published_at": null },
            "kind": kind, "clip": { "start_s": start, "end_s": end },
            "reference": { "start_s": reference, "end_s": reference + end - start },
            "evidence_bits": bits, "moment_bits": bits, "probability": 0.99, "terms": [], "pictures": null,
            "shown": 1.0, "mirrored": false, "turned_degrees": 0, "speed": 1.0, "hits": 9,
            "geometry": { "clip": area, "reference": area, "scale": 1.0 },
        })
    }

    fn groups() -> HashMap<String, String> {
        ["a", "b"].map(|name| (format!("{name:0>16}"), name.to_owned())).into_iter().collect()
    }

    #[test]
    fn only_a_copy_of_the_right_content_in_the_right_place_counts_as_found() {
        let excerpt =
            Excerpt::plan(&clip("a", "a"), Edit::named("inside").unwrap(), 10.0, &[clip("b", "b")], 0).unwrap();
        let (start, end) = excerpt.truth[0].clip_s;
        let reference = excerpt.truth[0].reference_s.0;
        let at = |source: &str, kind: &str, shift: f64, bits: f64| {
            found(source, kind, (start + shift, end + shift), reference + 0.25, bits)
        };
        let score = |matches: Value| Score::new(&report(matches), &excerpt, &groups());
        let told = |score: &Score| (score.found, score.wrong);
        assert_eq!(told(&score(json!([]))), (false, 0));
        assert_eq!(told(&score(json!([at("a", "same_scene", 0.0, 90.0)]))), (false, 0));
        assert_eq!(told(&score(json!([at("b", "copy", 0.0, 90.0)]))), (false, 1));
        assert_eq!(told(&score(json!([at("a", "copy", 2.0, 90.0)]))), (false, 1));
        let both = score(json!([at("a", "copy", 0.0, 60.0), at("a", "copy", -0.5, 90.0)]));
        assert_eq!((told(&both), both.bits), ((true, 0), 90.0));
        assert!(both.errors_s[0].iter().zip([0.5, 0.5, 0.25]).all(|(a, b)| (a - b).abs() < 1e-9), "{both:?}");
        assert!((both.overlap.unwrap() - 3.0 / 3.5).abs() < 1e-9);
    }

    #[test]
    fn each_cut_of_a_shuffled_excerpt_is_a_piece_of_its_own() {
        let excerpt = Excerpt::plan(&clip("a", "a"), Edit::named("shuffled").unwrap(), 10.0, &[], 0).unwrap();
        let first = excerpt.truth[0];
        let third = excerpt.truth[2];
        let matches = json!([
            found("a", "copy", first.clip_s, first.reference_s.0, 80.0),
            found("a", "copy", third.clip_s, third.reference_s.0, 70.0),
        ]);
        let score = Score::new(&report(matches), &excerpt, &groups());
        assert_eq!((score.found, score.pieces, score.wrong), (true, 2, 0));
        assert!((score.overlap.unwrap() - 0.4).abs() < 1e-9, "{score:?}");
    }

    #[test]
    fn seconds_of_a_copy_are_paid_for_where_the_report_says_unpublished_and_is_sure() {
        let excerpt = Excerpt::plan(&clip("a", "a"), Edit::named("cut").unwrap(), 10.0, &[], 0).unwrap();
        let mut report = report(json!([]));
        let span = |start_s, end_s, state| uniq::report::Span { start_s, end_s, state, reason: None };
        report.spans = vec![
            span(0.0, 4.0, SpanState::Published),
            span(4.0, 7.0, SpanState::Unpublished),
            span(7.0, 9.0, SpanState::Unsearchable),
            span(9.0, 12.0, SpanState::Unpublished),
        ];
        report.verdict = Verdict::PartlyPublished;
        let score = Score::new(&report, &excerpt, &groups());
        assert!((score.seconds.copied_s - 10.0).abs() < 1e-9, "{score:?}");
        // The last two seconds are not of the excerpt.
        let near = |a: [f64; 5], b: [f64; 5]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-9);
        let told = |score: &Score| {
            let Seconds { published_s, paid_s, own_s, accused_s, withheld_s, .. } = score.seconds;
            [published_s, paid_s, own_s, accused_s, withheld_s]
        };
        assert!(near(told(&score), [4.0, 4.0, 2.0, 0.0, 0.0]), "{score:?}");
        report.verdict = Verdict::Inconclusive;
        let score = Score::new(&report, &excerpt, &groups());
        assert!(near(told(&score), [4.0, 0.0, 2.0, 0.0, 2.0]), "{score:?}");
        report.verdict = Verdict::PartlyPublished;
        report.spans[0] = span(-3.0, 4.0, SpanState::Published);
        let score = Score::new(&report, &excerpt, &groups());
        assert!(near(told(&score), [4.0, 4.0, 5.0, 3.0, 0.0]), "{score:?}");
    }

    #[test]
    fn spans_that_touch_become_one() {
        assert_eq!(merged(&[(3.0, 4.0), (0.0, 1.0), (0.5, 3.0), (6.0, 7.0)]), [(0.0, 4.0), (6.0, 7.0)]);
    }
}
