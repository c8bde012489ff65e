//! The complete output for a person, on made reports.

use uniq::index::Publication;
use uniq::report::{
    Clip, Geometry, IndexSummary, Interval, Match, MatchKind, NonMatch, Pictures, Reason,
    ReasonCode, Rectangle, Report, SCHEMA, SearchSummary, Seconds, Source, Span, SpanState,
    Submission, Term, Tool, Verdict,
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
        spans: vec![Span {
            start_s: 0.0,
            end_s: 10.0,
            state: SpanState::Unpublished,
            reason: None,
        }],
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
clip.mp4: UNPUBLISHED, no second of it was found among 1 200 indexed videos

  payable          10.0 s (0.17 minutes)
  reliability   85 % of such seconds would be found if they were copies with the usual edits
  closest       nothing in the index resembles it
  searched      1 200 videos (81.3 hours), index root 3fa9c1d2e4b5, effort standard
  clip SHA-256  0000000000000000000000000000000000000000000000000000000000000000
  checked       2026-11-29T03:05:33Z by uniq 0.1.0 (97a2fe1c0ffe), FFmpeg 5.1.6, libavcodec 59.37.100
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
clip.mp4: PARTLY PUBLISHED, 6.0 s of its 10.0 s were found among 1 200 indexed videos

  certain copy of \"Market\"
    0:02.0-0:08.0 of the clip is 1:12.0-1:19.5 of the source
    https://example.com/watch?v=1&t=72
    Example, Ada, published 2021-03-04
    file /videos/market.mp4
    probability of a copy above 99 %, 312 bits of evidence that the scene is the same (each halves the odds of a coincidence)
    mirrored, faster (1.25 times the published speed), the clip shows the middle 60 % of width and height of the published frame

  payable           2.0 s (0.03 minutes)  0:00.0-0:02.0
  withheld          6.0 s  already published
                    2.0 s  the picture is black (0:08.0-0:10.0)
  reliability   90 % of such seconds would be found if they were copies with the usual edits
  searched      1 200 videos (81.3 hours), index root 3fa9c1d2e4b5, effort standard
  clip SHA-256  0000000000000000000000000000000000000000000000000000000000000000
  checked       2026-11-29T03:05:33Z by uniq 0.1.0 (97a2fe1c0ffe), FFmpeg 5.1.6, libavcodec 59.37.100
"
    );
}

#[test]
fn what_a_ledger_deducts_is_not_listed_as_payable() {
    let mut report = base(Verdict::Unpublished);
    report.payable_minutes = 6.0 / 60.0;
    report.submission = Some(Submission {
        number: 2,
        by: "bob".to_owned(),
        reference: None,
        state: "decided".to_owned(),
        received_at: None,
        provisional: false,
        payable_minutes: report.payable_minutes,
        provisional_minutes: 0.0,
        sold_minutes: 0.0,
        payable: vec![Interval {
            start_s: 4.0,
            end_s: 10.0,
        }],
        deductions: Vec::new(),
        related: Vec::new(),
        review: None,
    });
    let text = rendered(&report, Paint::Plain);
    assert!(
        text.contains(
            "  payable           6.0 s (0.10 minutes)  0:04.0-0:10.0
  withheld          4.0 s  not found, but already offered or undecided"
        ),
        "{text}"
    );
}

#[test]
fn a_clip_without_keys_is_not_said_to_resemble_nothing() {
    let mut report = base(Verdict::Inconclusive);
    report.clip.keys = 0;
    let text = rendered(&report, Paint::Plain);
    assert!(
        text.contains("  closest       the clip shows nothing to compare\n"),
        "{text}"
    );
}

#[test]
fn a_probability_never_reads_as_certain_where_it_is_not() {
    for (probability, told) in [
        (1.0, "100 %"),
        (0.9999, "above 99 %"),
        (0.99, "99 %"),
        (0.5, "50 %"),
        (0.01, "1 %"),
        (0.0049, "below 1 %"),
        (0.0, "below 1 %"),
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
            text.contains(&format!("\n    probability of a copy {told}, 312 bits")),
            "{probability}: {text}"
        );
        assert!(
            text.contains("\n  undecided, perhaps a copy of /videos/market.mp4\n"),
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
    // With colours, the output has no escape sequences but ours, which only set colours.
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
        told.contains("\n  set aside     1 of 1 400 details of the picture: "),
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
        told.contains("\n    the same file, byte for byte\n") && !told.contains(" bits"),
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
            .next()
            .unwrap()
            .starts_with("clip.mp4: INCONCLUSIVE, 1.0 s is too short to judge"),
        "{told}"
    );
}

#[test]
fn numbers_of_many_digits_read_alike_everywhere() {
    let mut report = base(Verdict::Published);
    report.seconds.published = 12_345.67;
    let told = rendered(&report, Paint::Plain);
    assert!(
        told.contains("12 345.7 s of its 10.0 s") && told.contains("withheld      12 345.7 s"),
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
        told.contains("\n  5 more of the same scene: see --json\n"),
        "{told}"
    );
}

#[test]
fn the_words_for_a_copy_follow_its_probability() {
    for (probability, heading) in [
        (1.0, "certain copy of "),
        (0.99, "certain copy of "),
        (0.989, "likely copy of "),
        (0.95, "likely copy of "),
    ] {
        let mut report = base(Verdict::Published);
        report.matches = vec![Match {
            kind: MatchKind::Copy,
            stream: None,
            alignment: NonMatch {
                probability,
                ..found(None)
            },
        }];
        let text = rendered(&report, Paint::Plain);
        assert!(text.contains(&format!("\n  {heading}")), "{text}");
    }
}

#[test]
fn an_address_opens_at_the_time_of_the_match_and_keeps_what_else_it_says() {
    for (url, at) in [
        ("https://a.example/v/7", "https://a.example/v/7?t=72"),
        (
            "https://a.example/w?v=1&t=5#top",
            "https://a.example/w?v=1&t=72#top",
        ),
        ("http://a.example/?t=5", "http://a.example/?t=72"),
        ("file:///a.mp4", "file:///a.mp4"),
    ] {
        assert_eq!(super::at_time(url, 72.9), at);
    }
    assert_eq!(
        super::at_time("https://a.example/w", 1.98),
        "https://a.example/w?t=2"
    );
    assert_eq!(
        super::at_time("https://a.example/w?v=1", 0.9),
        "https://a.example/w?v=1"
    );
}

#[test]
fn many_unsearchable_parts_are_one_line_for_each_reason() {
    let mut report = base(Verdict::Unpublished);
    report.spans = (0..10)
        .map(|second: u32| Span {
            start_s: second.into(),
            end_s: (second + 1).into(),
            state: SpanState::Unsearchable,
            reason: Some(match second % 2 {
                0 => reason(ReasonCode::Black, "the picture is black"),
                _ => reason(ReasonCode::Flat, "the picture has no contrast"),
            }),
        })
        .collect();
    report.seconds.unpublished = 0.0;
    report.payable_minutes = 0.0;
    let text = rendered(&report, Paint::Plain);
    assert!(
        text.contains(
            "
  payable           0.0 s
  withheld          5.0 s  the picture is black (0:00.0-0:01.0, 0:02.0-0:03.0, 0:04.0-0:05.0, 2 more)
                    5.0 s  the picture has no contrast (0:01.0-0:02.0, 0:03.0-0:04.0, 0:05.0-0:06.0, 2 more)
"
        ),
        "{text}"
    );
}

#[test]
fn seconds_that_were_not_found_and_are_not_payable_say_why() {
    let mut report = base(Verdict::Inconclusive);
    report.payable_minutes = 0.0;
    let of_clip = rendered(&report, Paint::Plain);
    assert!(
        of_clip.contains("10.0 s  not found, but the clip as a whole cannot be judged\n"),
        "{of_clip}"
    );
    report.verdict = Verdict::Unpublished;
    report.clip.from_fingerprint = true;
    report.provisional_minutes = 10.0 / 60.0;
    let of_fingerprint = rendered(&report, Paint::Plain);
    assert!(
        of_fingerprint.contains("10.0 s  not found; payable (0.17 minutes) once the clip"),
        "{of_fingerprint}"
    );
}
