//! What a person reads, as a whole, on made reports.

use uniq::index::Publication;
use uniq::report::{
    Clip, Geometry, IndexSummary, Interval, Match, MatchKind, NonMatch, Pictures, Reason,
    ReasonCode, Rectangle, Report, SCHEMA, SearchSummary, Seconds, Source, Span, SpanState, Term,
    Tool, Verdict,
};

use crate::output::Paint;

const WHOLE: Rectangle = Rectangle {
    x: 0.0,
    y: 0.0,
    width: 1.0,
    height: 1.0,
};

fn reason(code: ReasonCode, text: &str) -> Reason {
    Reason {
        code,
        seconds: None,
        text: text.into(),
    }
}

fn base(verdict: Verdict) -> Report {
    Report {
        streams: vec![],
        schema: SCHEMA,
        clip: Clip {
            path: "clip.mp4".into(),
            sha256: "0".repeat(64),
            duration_s: 10.0,
            width: 640,
            height: 360,
            codec: "h264".into(),
            container: "mp4".into(),
            from_fingerprint: false,
            keyframes: 20,
            keys: 400,
            benign_keys: 0,
        },
        verdict,
        reasons: vec![reason(ReasonCode::NoMatch, "nothing was found")],
        seconds: Seconds {
            published: 0.0,
            unpublished: 10.0,
            unsearchable: 0.0,
            benign: 0.0,
        },
        payable_minutes: 10.0 / 60.0,
        provisional_minutes: 0.0,
        spans: vec![],
        searchable: None,
        matches: vec![],
        more_sources: 0,
        power: [vec![0.9; 5], vec![0.8; 5]].concat(),
        power_by_edit: vec![],
        timeline: vec![0.0; 10],
        nearest_non_match: None,
        index: IndexSummary {
            root: "3fa9c1d2e4b5a6978877".into(),
            generation: 3,
            videos: 1_200,
            benign_videos: 0,
            benign_keys: 0,
            hours: 81.27,
            keys: 1_000_000,
            without_pictures: 0,
            interval_s: 1.0,
            version: 1,
            fingerprint_version: 1,
            committed_at: None,
        },
        search: SearchSummary {
            mode: "exact".into(),
            exact: true,
            recall: Some(1.0),
            radius_bits: 72,
            query_interval_s: 0.5,
            published_probability: 0.95,
            payable_probability: 0.05,
            effort: uniq::Effort::Standard,
        },
        quality: None,
        amount: None,
        tool: Tool {
            name: "uniq".into(),
            version: "0.1.0".into(),
            commit: Some("97a2fe1c0ffe".into()),
            media: "5.1.6".into(),
            libavcodec: "59.37.100".into(),
        },
        checked_at: Some("2026-11-29T03:05:33Z".into()),
        submission: None,
    }
}

fn found(title: Option<&str>) -> NonMatch {
    NonMatch {
        source: Source {
            id: "9f86d081884c7d65".into(),
            path: "/videos/market.mp4".into(),
            sha256: "9f".repeat(32),
            duration_s: 300.0,
            publication: Publication {
                url: Some("https://example.com/watch?v=1".into()),
                title: title.map(Into::into),
                uploader: Some("Ada".into()),
                platform: Some("Example".into()),
                published_at: Some("2021-03-04".into()),
            },
        },
        clip: Interval {
            start_s: 2.0,
            end_s: 8.0,
        },
        reference: Interval {
            start_s: 72.0,
            end_s: 79.5,
        },
        evidence_bits: 312.4,
        moment_bits: 280.0,
        probability: 0.9973,
        terms: vec![
            Term {
                name: "base".into(),
                bits: -4.0,
            },
            Term {
                name: "correlation".into(),
                bits: 12.5,
            },
        ],
        pictures: Some(Pictures {
            compared: 1_200,
            correlation: 0.974,
            share: 0.93,
        }),
        shown: 0.8,
        mirrored: true,
        turned_degrees: 0,
        widened: 1.0,
        slanted: 1.0,
        negative: false,
        speed: 1.25,
        geometry: Geometry {
            clip: WHOLE,
            reference: Rectangle {
                x: 0.2,
                y: 0.2,
                width: 0.6,
                height: 0.6,
            },
            scale: 0.6,
        },
        hits: 42,
        identical: false,
    }
}

fn rendered(report: &Report, paint: Paint) -> String {
    let mut out = Vec::new();
    super::report(&mut out, report, paint).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn an_unpublished_clip_says_among_what_it_was_searched() {
    assert_eq!(
        rendered(&base(Verdict::Unpublished), Paint::Plain),
        "\
clip.mp4: UNPUBLISHED
  no second of it was found in 1 200 videos (81.3 hours), index root 3fa9c1d2e4b5
  - nothing was found

  published          0.0 s
  unpublished       10.0 s, payable 0.17 minutes
  unsearchable       0.0 s
  power             0.85: how probably a copy of such seconds is found
  nearest non-match: none, nothing else was alike at all
  clip's SHA-256    0000000000000000000000000000000000000000000000000000000000000000
  checked           2026-11-29T03:05:33Z, effort standard, uniq 0.1.0 (97a2fe1c0ffe), FFmpeg 5.1.6 (libavcodec 59.37.100)
"
    );
}

#[test]
fn a_partly_published_clip_shows_each_match_and_each_unsearchable_part() {
    let mut report = base(Verdict::PartlyPublished);
    report.seconds = Seconds {
        published: 6.0,
        unpublished: 2.0,
        unsearchable: 2.0,
        benign: 0.0,
    };
    report.payable_minutes = 2.0 / 60.0;
    report.reasons = vec![reason(ReasonCode::Copy, "6.0 s are in one video")];
    let part = |start_s, end_s, state, reason| Span {
        start_s,
        end_s,
        state,
        reason,
    };
    report.spans = vec![
        part(0.0, 2.0, SpanState::Unpublished, None),
        part(2.0, 8.0, SpanState::Published, None),
        part(
            8.0,
            10.0,
            SpanState::Unsearchable,
            Some(reason(ReasonCode::Black, "the picture is black")),
        ),
    ];
    report.matches = vec![Match {
        kind: MatchKind::Copy,
        stream: None,
        alignment: found(Some("Market")),
    }];
    let mut near = found(None);
    near.probability = 0.034;
    report.nearest_non_match = Some(near);
    assert_eq!(
        rendered(&report, Paint::Plain),
        "\
clip.mp4: PARTLY PUBLISHED
  6.0 s of 10.0 s were found in 1 200 videos (81.3 hours), index root 3fa9c1d2e4b5
  - 6.0 s are in one video

  the same recording
    clip       0:00:02.0 to 0:00:08.0
    published  0:01:12.0 to 0:01:19.5 of \"Market\"
               https://example.com/watch?v=1
               Example, Ada, published 2021-03-04
               /videos/market.mp4
    picture    mirrored, faster (1.25 times the published speed), the clip shows the middle 60 % of width and height of the published frame
    evidence   312 bits, 280 of them for this moment, from 42 hits
    pictures   1 200 compared: what moves correlates by 0.97, over 93 % of it
    copy       with a probability of more than 0.99

  published          6.0 s
  unpublished        2.0 s, payable 0.03 minutes
                0:00:00.0 to 0:00:02.0
  unsearchable       2.0 s
                0:00:08.0 to 0:00:10.0: the picture is black
  power             0.85: how probably a copy of such seconds is found
  nearest non-match: 0:00:02.0 to 0:00:08.0 against 0:01:12.0 to 0:01:19.5 of /videos/market.mp4, a copy with a probability of 0.03
  clip's SHA-256    0000000000000000000000000000000000000000000000000000000000000000
  checked           2026-11-29T03:05:33Z, effort standard, uniq 0.1.0 (97a2fe1c0ffe), FFmpeg 5.1.6 (libavcodec 59.37.100)
"
    );
}

#[test]
fn a_probability_never_reads_as_certain_where_it_is_not() {
    for (probability, told) in [
        (1.0, "1"),
        (0.9999, "more than 0.99"),
        (0.99, "0.99"),
        (0.5, "0.50"),
        (0.01, "0.01"),
        (0.0049, "less than 0.01"),
        (0.0, "less than 0.01"),
    ] {
        let mut report = base(Verdict::Inconclusive);
        let alignment = NonMatch {
            probability,
            pictures: None,
            ..found(None)
        };
        report.matches = vec![Match {
            kind: MatchKind::Undecided,
            stream: None,
            alignment,
        }];
        let text = rendered(&report, Paint::Plain);
        assert!(
            text.contains(&format!("\n    copy       with a probability of {told}\n")),
            "{probability}: {text}"
        );
        assert!(
            text.contains("undecided\n") && !text.contains("pictures"),
            "{text}"
        );
    }
}

#[test]
fn no_foreign_string_steers_the_terminal() {
    let evil = "\u{1b}]0;owned\u{7}\u{202e}";
    let mut report = base(Verdict::Inconclusive);
    report.clip.path = evil.into();
    report.reasons = vec![reason(ReasonCode::Undecoded, evil)];
    report.index.root = evil.into();
    let why = Some(reason(ReasonCode::Undecoded, evil));
    report.spans = vec![Span {
        start_s: 0.0,
        end_s: 1.0,
        state: SpanState::Unsearchable,
        reason: why,
    }];
    let mut alignment = found(Some(evil));
    let publication = &mut alignment.source.publication;
    for field in [
        &mut publication.url,
        &mut publication.uploader,
        &mut publication.platform,
        &mut publication.published_at,
    ] {
        *field = Some(evil.into());
    }
    alignment.source.path = evil.into();
    let mut near = alignment.clone();
    near.source.publication.title = None;
    report.matches = vec![Match {
        kind: MatchKind::SameScene,
        stream: None,
        alignment,
    }];
    report.nearest_non_match = Some(near);
    let text = rendered(&report, Paint::Plain);
    assert!(text.contains("\\u{1b}]0;owned\\u{7}\\u{202e}"));
    assert!(!text.contains(['\u{1b}', '\u{7}', '\u{202e}']));
    // With colours the only escapes are ours, and each is of the colour kind.
    let coloured = rendered(&report, Paint::Colour);
    assert!(coloured.contains("\u{1b}[1m"));
    assert!(coloured.split('\u{1b}').skip(1).all(|rest| {
        let end = rest.find(|c: char| c.is_ascii_alphabetic());
        rest.starts_with('[') && end.is_some_and(|end| rest[end..].starts_with('m'))
    }));
    assert!(!coloured.contains(['\u{7}', '\u{202e}']));
}

#[test]
fn keys_that_were_set_aside_as_benign_are_told() {
    let mut report = base(Verdict::Unpublished);
    (report.clip.benign_keys, report.clip.keys) = (1, 1_400);
    report.seconds = Seconds {
        published: 0.0,
        unpublished: 8.0,
        unsearchable: 2.0,
        benign: 2.0,
    };
    let told = rendered(&report, Paint::Plain);
    assert!(
        told.contains("\n  set aside     1 of 1 400 keys, as of benign material\n"),
        "{told}"
    );
}

#[test]
fn a_copy_byte_for_byte_says_so_instead_of_bits_from_no_hits() {
    let mut report = base(Verdict::Published);
    let mut same = found(None);
    same.identical = true;
    report.matches = vec![Match {
        kind: MatchKind::Copy,
        stream: None,
        alignment: same,
    }];
    let told = rendered(&report, Paint::Plain);
    assert!(
        told.contains("\n    evidence   the same file, byte for byte\n") && !told.contains(" hits"),
        "{told}"
    );
}

#[test]
fn a_clip_too_short_to_judge_says_that_first() {
    let mut report = base(Verdict::Inconclusive);
    report.reasons = vec![reason(
        ReasonCode::Short,
        "1.0 s is too short to judge, give at least 2.0 s",
    )];
    let told = rendered(&report, Paint::Plain);
    assert!(
        told.lines()
            .nth(1)
            .unwrap()
            .starts_with("  too short to judge: "),
        "{told}"
    );
}

#[test]
fn numbers_of_many_digits_read_alike_everywhere() {
    let mut report = base(Verdict::Published);
    report.seconds.published = 12_345.67;
    let told = rendered(&report, Paint::Plain);
    assert!(
        told.contains("12 345.7 s of 10.0 s") && told.contains("published     12 345.7 s"),
        "{told}"
    );
}

#[test]
fn a_copy_is_told_before_many_takes_of_its_scene_of_which_three_are() {
    let mut report = base(Verdict::Published);
    let of = |kind, path: &str| {
        let mut alignment = found(None);
        alignment.source.path = path.into();
        Match {
            kind,
            stream: None,
            alignment,
        }
    };
    report.matches = (0..8)
        .map(|take| of(MatchKind::SameScene, &format!("take{take}.mp4")))
        .collect();
    report.matches.push(of(MatchKind::Copy, "copy.mp4"));
    let told = rendered(&report, Paint::Plain);
    let place = |path: &str| told.find(path);
    assert!(
        place("copy.mp4") < place("take0.mp4") && place("copy.mp4").is_some(),
        "{told}"
    );
    assert!(
        place("take2.mp4").is_some() && place("take3.mp4").is_none(),
        "{told}"
    );
    assert!(
        told.contains("\n  and the same scene 5 more times: see --json\n"),
        "{told}"
    );
}
