use std::time::Duration;

use super::*;
use crate::report::Seconds;

/// One letter per second of a picture: `p`ublished, `u`npublished, `x` unsearchable.
fn spans(seconds: &str) -> Vec<Span> {
    let at = |(i, state): (usize, char)| Span {
        start_s: i as f64,
        end_s: i as f64 + 1.0,
        state: match state {
            'p' => SpanState::Published,
            'u' => SpanState::Unpublished,
            _ => SpanState::Unsearchable,
        },
        reason: (state == 'x').then(|| {
            Reason::of(
                ReasonCode::Black,
                Duration::from_secs(1),
                "the picture is black",
            )
        }),
    };
    seconds.chars().enumerate().map(at).collect()
}

fn total(spans: &[Span], state: SpanState) -> f64 {
    spans
        .iter()
        .filter(|span| span.state == state)
        .map(|span| span.end_s - span.start_s)
        .sum()
}

fn report(seconds: &str) -> Report {
    let spans = spans(seconds);
    let [published, unpublished, unsearchable] = [
        SpanState::Published,
        SpanState::Unpublished,
        SpanState::Unsearchable,
    ]
    .map(|state| total(&spans, state));
    let verdict = match (published > 0.0, unpublished > 0.0) {
        (true, true) => Verdict::PartlyPublished,
        (true, false) => Verdict::Published,
        (false, _) if unpublished >= 2.0 => Verdict::Unpublished,
        (false, _) => Verdict::Inconclusive,
    };
    let info = crate::media::StreamInfo {
        width: 64,
        height: 48,
        codec: "h264".into(),
        container: "mov".into(),
        pixel_format: "yuv420p".into(),
        declared: None,
    };
    let text = serde_json::json!({
        "schema": crate::report::SCHEMA,
        "clip": {"path": "", "sha256": "", "duration_s": seconds.len() as f64, "width": info.width, "height": info.height,
            "codec": info.codec, "container": info.container, "from_fingerprint": true, "keyframes": 1, "keys": 1},
        "verdict": verdict, "reasons": [], "seconds": Seconds { published, unpublished, unsearchable, benign: 0.0 },
        "payable_minutes": round(unpublished / 60.0), "spans": spans, "matches": [], "nearest_non_match": null, "timeline": vec![0.0; seconds.len()], "power": vec![1.0; seconds.len()], "power_by_edit": [], "more_sources": 0,
        "index": {"root": "", "generation": 1, "videos": 1, "hours": 1.0, "keys": 1, "without_pictures": 0, "interval_s": 0.5,
            "version": 1, "fingerprint_version": 1},
        "search": {"mode": "exact", "exact": true, "recall": 1.0, "radius_bits": 72, "query_interval_s": 0.25,
            "published_probability": 0.95, "payable_probability": 0.05, "effort": "standard"},
        "tool": {"name": "uniq", "version": "0"},
    });
    serde_json::from_value(text).unwrap()
}

/// The merged report of pictures that start at these seconds, with `missed` unchecked streams.
fn merged(pictures: &[(u64, &str)], missed: usize) -> Report {
    let reports = pictures
        .iter()
        .map(|(_, seconds)| report(seconds))
        .collect();
    let starts: Vec<Duration> = pictures
        .iter()
        .map(|(start, _)| Duration::from_secs(*start))
        .collect();
    merge(&looked(&starts, missed), reports, 2.0).unwrap()
}

/// Pictures that start at these times, with `missed` unchecked streams.
fn looked(starts: &[Duration], missed: usize) -> ClipPictures {
    let stream = |index: usize| crate::media::VideoStream {
        index: index as u32,
        codec: "h264".into(),
        width: 64,
        height: 48,
        cover: false,
        place: None,
    };
    let fingerprint = crate::Fingerprint {
        path: String::new(),
        sha256: [0; 32],
        info: crate::media::StreamInfo {
            width: 64,
            height: 48,
            codec: "h264".into(),
            container: "mov".into(),
            pixel_format: "yuv420p".into(),
            declared: None,
        },
        duration: Duration::from_secs(1),
        interval: Duration::from_millis(250),
        frames: 1,
        undecoded: vec![],
        keyframes: vec![],
        keys: vec![],
        motion: crate::fingerprint::Motion::default(),
        pictures: Vec::new(),
    };
    ClipPictures {
        pictures: (0..)
            .zip(starts)
            .map(|(index, start)| crate::fingerprint::Picture {
                streams: vec![index],
                start: *start,
                fingerprint: fingerprint.clone(),
                quality: None,
            })
            .collect(),
        streams: (0..starts.len() + missed)
            .map(|i| {
                let at = if i < starts.len() {
                    Looked::At(i)
                } else {
                    Looked::Not("corrupt data".into())
                };
                (stream(i), at)
            })
            .collect(),
    }
}

#[test]
fn the_worst_picture_decides_and_only_what_is_unpublished_in_all_is_payable() {
    for (pictures, missed, verdict, published, unpublished) in [
        (vec![(0, "uuuu")], 0, Verdict::Unpublished, 0.0, 4.0),
        (
            vec![(0, "uuuu"), (0, "pppp")],
            0,
            Verdict::Published,
            4.0,
            0.0,
        ),
        (
            vec![(0, "uuuu"), (0, "ppuu")],
            0,
            Verdict::PartlyPublished,
            2.0,
            2.0,
        ),
        (
            vec![(0, "upuu"), (0, "uupu")],
            0,
            Verdict::PartlyPublished,
            2.0,
            2.0,
        ),
        (
            vec![(0, "uuuuuu"), (0, "uuxxuu")],
            0,
            Verdict::Unpublished,
            0.0,
            4.0,
        ),
        // The second picture starts two seconds later and shows nothing before.
        (
            vec![(0, "uuuuuu"), (2, "ppuu")],
            0,
            Verdict::PartlyPublished,
            2.0,
            2.0,
        ),
        (
            vec![(0, "uuuu"), (0, "uxxx")],
            0,
            Verdict::Inconclusive,
            0.0,
            0.0,
        ),
        (
            vec![(0, "uuuuuu"), (0, "puuu"), (0, "uxxx")],
            0,
            Verdict::PartlyPublished,
            1.0,
            0.0,
        ),
        // The pictures overlap for too short a time.
        (
            vec![(0, "uuuu"), (3, "uuuu")],
            0,
            Verdict::Inconclusive,
            0.0,
            1.0,
        ),
        (vec![(0, "uuuu")], 1, Verdict::Inconclusive, 0.0, 0.0),
        (vec![(0, "puuu")], 1, Verdict::PartlyPublished, 1.0, 0.0),
    ] {
        let report = merged(&pictures, missed);
        assert_eq!(report.verdict, verdict, "{pictures:?} {missed}");
        assert_eq!(
            (report.seconds.published, report.seconds.unpublished),
            (published, unpublished),
            "{pictures:?}"
        );
        let payable = if verdict == Verdict::Inconclusive {
            0.0
        } else {
            round(unpublished / 60.0)
        };
        assert_eq!(report.payable_minutes, payable, "{pictures:?}");
        let parts =
            report.seconds.published + report.seconds.unpublished + report.seconds.unsearchable;
        assert_eq!(parts, report.clip.duration_s, "{pictures:?}");
        assert_eq!(
            report.spans.last().map(|span| span.end_s),
            Some(report.clip.duration_s)
        );
        assert!(
            report
                .spans
                .windows(2)
                .all(|pair| pair[0].end_s == pair[1].start_s)
        );
        assert_eq!(report.streams.len(), pictures.len() + missed);
    }
}

#[test]
fn each_second_of_the_file_has_the_greatest_probability_of_its_pictures() {
    let merged = |pictures: &[(u64, &[f64])]| {
        let report = |seconds: &[f64]| Report {
            timeline: seconds.to_vec(),
            ..report(&"u".repeat(seconds.len()))
        };
        let reports = pictures
            .iter()
            .map(|(_, seconds)| report(seconds))
            .collect();
        let starts: Vec<Duration> = pictures
            .iter()
            .map(|(start, _)| Duration::from_millis(*start))
            .collect();
        merge(&looked(&starts, 0), reports, 2.0).unwrap().timeline
    };
    assert_eq!(merged(&[(0, &[0.1, 0.9, 0.0])]), [0.1, 0.9, 0.0]);
    assert_eq!(
        merged(&[(0, &[0.1, 0.9, 0.0]), (0, &[0.2, 0.5])]),
        [0.2, 0.9, 0.0]
    );
    // The second picture starts later and ends later.
    assert_eq!(
        merged(&[(0, &[0.1, 0.9, 0.0]), (2000, &[0.2, 0.5])]),
        [0.1, 0.9, 0.2, 0.5]
    );
    // Each of its seconds overlaps two of the file.
    assert_eq!(
        merged(&[(0, &[0.0, 0.0, 0.0]), (500, &[0.3, 0.0])]),
        [0.3, 0.3, 0.0]
    );
    assert_eq!(
        merged(&[(0, &[0.0, 0.0, 0.0]), (500, &[0.3, 0.0, 0.7])]),
        [0.3, 0.3, 0.7, 0.7]
    );
}

#[test]
fn the_most_probable_non_match_of_all_pictures_is_the_nearest() {
    let near = |probability: f64| {
        let area = serde_json::json!({"x": 0.0, "y": 0.0, "width": 1.0, "height": 1.0});
        let text = serde_json::json!({
            "source": {"id": "", "path": "", "sha256": "", "duration_s": 9.0, "url": null, "title": null,
                "uploader": null, "platform": null, "published_at": null},
            "clip": {"start_s": 0.0, "end_s": 2.0}, "reference": {"start_s": 0.0, "end_s": 2.0},
            "evidence_bits": 20.0, "moment_bits": 0.0, "probability": probability, "terms": [], "pictures": null,
            "shown": 0.1, "mirrored": false, "turned_degrees": 0, "speed": 1.0, "hits": 3,
            "geometry": {"clip": area, "reference": area, "scale": 1.0},
        });
        Some(serde_json::from_value::<NonMatch>(text).unwrap())
    };
    for (first, second) in [
        (Some(0.01), Some(0.03)),
        (Some(0.03), Some(0.01)),
        (None, Some(0.03)),
        (Some(0.03), None),
    ] {
        let reports = [first, second]
            .map(|p| Report {
                nearest_non_match: p.and_then(near),
                ..report("uuuu")
            })
            .into();
        let merged = merge(
            &looked(&[Duration::ZERO, Duration::from_secs(1)], 0),
            reports,
            2.0,
        )
        .unwrap();
        let found = merged.nearest_non_match.unwrap();
        let late = if second == Some(0.03) { 1.0 } else { 0.0 };
        assert_eq!(
            (
                found.probability,
                found.clip.start_s,
                found.reference.start_s
            ),
            (0.03, late, 0.0)
        );
    }
}

#[test]
fn what_would_be_unpublished_is_so_in_all_pictures_or_nowhere() {
    let with = |parts: &[(f64, f64)]| {
        let parts = parts
            .iter()
            .map(|&(start_s, end_s)| Interval { start_s, end_s })
            .collect();
        Report {
            searchable: Some(parts),
            ..report("uuuu")
        }
    };
    let pictures = [
        (0.0, with(&[(0.0, 1.5), (2.0, 4.0)])),
        (1.0, with(&[(0.0, 2.0)])),
    ];
    let common = searchable(&pictures, true).unwrap();
    assert_eq!(
        common,
        [
            Interval {
                start_s: 1.0,
                end_s: 1.5
            },
            Interval {
                start_s: 2.0,
                end_s: 3.0
            }
        ]
    );
    assert_eq!(
        searchable(&pictures, false),
        Some(vec![]),
        "a picture was not looked at"
    );
    assert_eq!(
        searchable(&[(0.0, with(&[(0.0, 4.0)])), (0.0, report("uuuu"))], true),
        None
    );
}
