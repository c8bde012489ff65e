//! A report with every field set, to test the dataclasses.
//!
//! Each struct is written out in full, so that a new field of a report must be added here, and then
//! fails the test until the dataclass has it.

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use uniq::facts::{
    Area, Bars, BitDepth, Capture, Declared, Finding, FrameRate, Generated, Manifest, Overlay,
    OverlayKind, Overlays, RateState, Resolution, ResolutionState, Scan, ScanState, Shares,
    Training,
};
use uniq::index::Publication;
use uniq::report::{
    Amount, Clip, Deduction, EditPower, Effort, Geometry, IndexSummary, Interval, Judgement, Match,
    MatchKind, NonMatch, Pictures, PricedSpan, Quality, Reason, ReasonCode, Rectangle, Related,
    Report, Review, SCHEMA, SearchSummary, Seconds, Source, Span, SpanState, Stream, StreamState,
    Submission, Term, Tool, Verdict,
};

use crate::check::json;

/// The report as JSON.
#[pyfunction]
pub(crate) fn _every_field(py: Python<'_>) -> PyResult<Bound<'_, PyBytes>> {
    json(py, &report())
}

fn report() -> Report {
    Report {
        schema: SCHEMA,
        // Terminal control characters are escaped.
        clip: Clip {
            path: "Über \"東京\" \u{1b}[2J\u{202e}\u{7f}\\ 🎬\n".to_owned(),
            sha256: "c".repeat(64),
            // Numbers that languages print most differently.
            duration_s: 1e16,
            width: 1920,
            height: 1080,
            codec: "h264".to_owned(),
            container: "mov".to_owned(),
            from_fingerprint: true,
            keyframes: u64::MAX,
            keys: 2,
            benign_keys: 3,
        },
        streams: vec![Stream {
            index: 1,
            codec: "h264".to_owned(),
            width: 1920,
            height: 1080,
            duration_s: Some(10.5),
            state: StreamState::NotChecked,
            reason: Some("it is broken".to_owned()),
            verdict: Some(Verdict::PartlyPublished),
        }],
        verdict: Verdict::PartlyPublished,
        reasons: vec![reason()],
        seconds: Seconds {
            published: 1.25,
            unpublished: 100.0,
            unsearchable: 1e-5,
            benign: 1.5e-5,
        },
        payable_minutes: 1e-7,
        provisional_minutes: 0.000_123_4,
        spans: vec![Span {
            start_s: 0.0,
            end_s: 0.1,
            state: SpanState::Unsearchable,
            reason: Some(reason()),
        }],
        searchable: Some(vec![interval(0.5)]),
        matches: vec![Match {
            kind: MatchKind::SameScene,
            stream: Some(2),
            alignment: alignment(),
        }],
        timeline: vec![
            0.0,
            1.0,
            0.123_456_789_012_345_67,
            5e-324,
            1.797_693_134_862_315_7e308,
        ],
        power: vec![-0.000_02, 123_456_789_012_345_680.0, 0.3],
        power_by_edit: vec![EditPower {
            edit: "crop".to_owned(),
            power: 0.9,
        }],
        more_sources: 4,
        nearest_non_match: Some(alignment()),
        index: IndexSummary {
            root: "a".repeat(64),
            generation: 5,
            videos: 6,
            benign_videos: 7,
            benign_keys: 8,
            hours: 9.5,
            keys: 10,
            without_pictures: 11,
            interval_s: 1.0,
            version: 12,
            fingerprint_version: 13,
            committed_at: Some("2026-11-30T00:00:00Z".to_owned()),
        },
        search: SearchSummary {
            mode: "screened".to_owned(),
            exact: false,
            recall: Some(0.995),
            radius_bits: 72,
            query_interval_s: 0.25,
            published_probability: 0.93,
            payable_probability: 0.02,
            effort: Effort::Thorough,
        },
        quality: Some(quality()),
        amount: Some(Amount {
            currency: "EUR".to_owned(),
            card_sha256: "b".repeat(64),
            payable: true,
            payable_cents: 100,
            withheld_cents: 200,
            spans: vec![PricedSpan {
                start_s: 0.0,
                end_s: 60.0,
                class: Some("sharp".to_owned()),
                minutes: 1.0,
                per_minute: 2.5,
                cents: 250,
            }],
            reasons: vec!["too short".to_owned()],
        }),
        tool: Tool {
            name: "uniq".to_owned(),
            version: "0.1.0".to_owned(),
            commit: Some("0123456789ab".to_owned()),
            media: "5.1".to_owned(),
            libavcodec: "59.37.100".to_owned(),
        },
        checked_at: Some("2026-11-30T00:00:01Z".to_owned()),
        submission: Some(submission()),
    }
}

fn interval(start_s: f64) -> Interval {
    Interval {
        start_s,
        end_s: start_s + 1.5,
    }
}

fn reason() -> Reason {
    Reason {
        code: ReasonCode::QuickCuts,
        seconds: Some(2.5),
        text: "its shots are too short".to_owned(),
    }
}

fn alignment() -> NonMatch {
    NonMatch {
        source: Source {
            id: "0123456789abcdef".to_owned(),
            path: "videos/a.mp4".to_owned(),
            sha256: "d".repeat(64),
            duration_s: 60.0,
            publication: Publication {
                url: Some("https://example.org/a".to_owned()),
                title: Some("A".to_owned()),
                uploader: Some("b".to_owned()),
                platform: Some("c".to_owned()),
                published_at: Some("2026-01-01".to_owned()),
            },
        },
        clip: interval(0.0),
        reference: interval(7.25),
        evidence_bits: 870.1,
        moment_bits: 800.0,
        probability: 0.98,
        terms: vec![Term {
            name: "moment".to_owned(),
            bits: -1.5,
        }],
        pictures: Some(Pictures {
            compared: 21,
            correlation: 0.95,
            share: 0.6,
        }),
        shown: 0.7,
        mirrored: true,
        turned_degrees: 348,
        widened: 1.333,
        slanted: 1.6,
        negative: true,
        speed: -2.0,
        geometry: Geometry {
            clip: rectangle(0.25),
            reference: rectangle(0.0),
            scale: 1.1,
        },
        hits: 101,
        identical: true,
    }
}

fn rectangle(x: f64) -> Rectangle {
    Rectangle {
        x,
        y: 0.125,
        width: 0.5,
        height: 0.75,
    }
}

fn quality() -> Quality {
    let area = Area {
        x: 0.0,
        y: 0.1,
        width: 1.0,
        height: 0.8,
    };
    let because = Some("it is dark".to_owned());
    Quality {
        resolution: Resolution {
            lines: 1080,
            native_lines: Some(720),
            state: ResolutionState::Upscaled,
            confidence: 0.99,
            reason: because.clone(),
        },
        frame_rate: FrameRate {
            stored: 29.97,
            distinct: Some(14.985),
            state: RateState::Repeated,
            repeated: 0.5,
            blended: 0.25,
            variable: true,
            reason: because.clone(),
        },
        bit_depth: BitDepth {
            stored: 10,
            used: Some(8),
        },
        scan: Scan {
            state: ScanState::Interlaced,
            flagged: 1.0,
            combed: 0.5,
        },
        bars: Bars {
            state: Finding::Found,
            picture: Some(area),
        },
        overlays: Overlays {
            state: Finding::Found,
            found: vec![Overlay {
                kind: OverlayKind::Logo,
                area,
                start_s: 0.0,
                end_s: 9.0,
            }],
            reason: because,
        },
        shares: Shares {
            dark: Some(0.1),
            blurred: Some(0.2),
            shaken: Some(0.3),
            frozen: Some(0.4),
        },
        capture: Capture {
            make: Some("Make".to_owned()),
            model: Some("Model".to_owned()),
            recorded_at: Some("2026-01-01T00:00:00Z".to_owned()),
            has_place: true,
        },
        declared: Declared {
            manifest: Manifest::Unverified,
            generated: Some(Generated::Wholly),
            training: Some(Training::NotAllowed),
        },
    }
}

fn submission() -> Submission {
    Submission {
        number: 14,
        by: "creator".to_owned(),
        reference: Some("take 1".to_owned()),
        state: "decided".to_owned(),
        received_at: Some("2026-11-30T00:00:02Z".to_owned()),
        provisional: true,
        payable_minutes: 0.5,
        provisional_minutes: 0.25,
        sold_minutes: 0.125,
        payable: vec![interval(3.0)],
        deductions: vec![Deduction {
            clip: interval(4.0),
            reason: "disputed".to_owned(),
            number: Some(2),
            by: Some("other".to_owned()),
            there: Some(interval(5.0)),
            probability: Some(0.99),
            evidence_bits: Some(500.0),
            mirrored: Some(false),
            speed: Some(1.0),
            identical: Some(false),
            text: "another creator offered them before".to_owned(),
        }],
        related: vec![Related {
            number: 3,
            by: "third".to_owned(),
            clip: interval(6.0),
            there: interval(7.0),
            decided: true,
        }],
        review: Some(Review {
            judgements: vec![Judgement {
                source_sha256: "e".repeat(64),
                clip: interval(8.0),
                verdict: "allowed".to_owned(),
                by: "reviewer".to_owned(),
                why: "licensed".to_owned(),
            }],
            released_minutes: 0.75,
            withheld_minutes: 0.0,
        }),
    }
}
