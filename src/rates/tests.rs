//! Invalid cards, the class of a span, and exact sums of amounts.

use super::*;
use crate::facts::{Area, Overlay, OverlayKind, Quality, RateState};
use crate::report::{Clip, IndexSummary, SearchSummary, Seconds, Span, Tool};

const CARD: &str = r#"
currency = "USD"
min_span_s = 2.0

[[class]]
name = "4k"
per_minute = 4.00
min_native_lines = 2160
overlays = "none"

[[class]]
name = "hd"
per_minute = 2.5
min_native_lines = 1080
min_distinct_fps = 50

[[class]]
name = "rest"
per_minute = 1
"#;

fn card() -> RateCard {
    RateCard::parse(CARD).unwrap()
}

/// A clip of native `lines` at 60 frames a second without overlays.
fn quality(lines: u32) -> Quality {
    let mut quality = Quality::undecided(lines, 60.0, "");
    quality.resolution.native_lines = Some(lines);
    quality.resolution.state = ResolutionState::Native;
    quality.frame_rate.distinct = Some(59.94);
    quality.frame_rate.state = RateState::Full;
    quality.overlays.state = Finding::None;
    quality
}

/// A report with these unpublished spans, and published time between them.
fn report(quality: Option<Quality>, spans: &[(f64, f64)]) -> Report {
    let span = |state, start_s, end_s| Span {
        start_s,
        end_s,
        state,
        reason: None,
    };
    let mut all = Vec::new();
    let mut at = 0.0;
    for &(start, end) in spans {
        all.push(span(SpanState::Published, at, start));
        all.push(span(SpanState::Unpublished, start, end));
        at = end;
    }
    let search = SearchSummary {
        mode: "exact".to_owned(),
        exact: true,
        recall: Some(1.0),
        radius_bits: 0,
        query_interval_s: 0.25,
        published_probability: 0.9,
        payable_probability: 0.1,
        effort: crate::report::Effort::Standard,
    };
    Report {
        schema: crate::report::SCHEMA,
        clip: Clip {
            path: "a.mp4".to_owned(),
            sha256: String::new(),
            duration_s: at,
            width: 0,
            height: 0,
            codec: String::new(),
            container: String::new(),
            from_fingerprint: false,
            keyframes: 0,
            keys: 0,
            benign_keys: 0,
        },
        streams: Vec::new(),
        verdict: Verdict::PartlyPublished,
        reasons: Vec::new(),
        seconds: Seconds {
            published: 0.0,
            unpublished: 0.0,
            unsearchable: 0.0,
            benign: 0.0,
        },
        payable_minutes: 0.0,
        provisional_minutes: 0.0,
        spans: all,
        searchable: None,
        matches: Vec::new(),
        timeline: Vec::new(),
        power: Vec::new(),
        power_by_edit: Vec::new(),
        more_sources: 0,
        nearest_non_match: None,
        index: IndexSummary {
            root: String::new(),
            generation: 0,
            videos: 0,
            benign_videos: 0,
            benign_keys: 0,
            hours: 0.0,
            keys: 0,
            without_pictures: 0,
            interval_s: 1.0,
            version: 0,
            fingerprint_version: 0,
            committed_at: None,
        },
        search,
        quality,
        amount: None,
        tool: Tool {
            name: String::new(),
            version: String::new(),
            commit: None,
            media: String::new(),
            libavcodec: String::new(),
        },
        checked_at: None,
        submission: None,
    }
}

fn class_of(quality: Quality) -> (Option<String>, u64) {
    let amount = amount(&card(), &report(Some(quality), &[(0.0, 60.0)]));
    (amount.spans[0].class.clone(), amount.payable_cents)
}

#[test]
fn the_first_class_that_fits_wins() {
    assert_eq!(class_of(quality(2160)), (Some("4k".to_owned()), 400));
    assert_eq!(class_of(quality(1080)), (Some("hd".to_owned()), 250));
    assert_eq!(class_of(quality(720)), (Some("rest".to_owned()), 100));
}

#[test]
fn a_fact_that_is_undecided_never_gets_the_higher_rate() {
    let mut soft = quality(2160);
    soft.resolution.native_lines = None;
    soft.resolution.state = ResolutionState::Undecided;
    assert_eq!(class_of(soft.clone()).1, 100);
    let doubts = amount(&card(), &report(Some(soft), &[(0.0, 60.0)])).reasons;
    assert!(
        doubts
            .iter()
            .any(|doubt| doubt == "not paid as 4k: undecided is the native size"),
        "{doubts:?}"
    );
    assert!(
        amount(&card(), &report(Some(quality(2160)), &[(0.0, 60.0)]))
            .reasons
            .is_empty()
    );
    let mut still = quality(2160);
    still.overlays.state = Finding::Undecided;
    assert_eq!(class_of(still).1, 250);
    // The cheap class for footage with an overlay comes first and may apply.
    let text = "currency = 'USD'\n[[class]]\nname = 'marked'\nper_minute = 0.5\noverlays = 'found'\n\
        [[class]]\nname = 'rest'\nper_minute = 3\n";
    let marked = RateCard::parse(text).unwrap();
    let mut doubtful = quality(1080);
    doubtful.overlays.state = Finding::Undecided;
    assert_eq!(
        amount(&marked, &report(Some(doubtful), &[(0.0, 60.0)])).payable_cents,
        50
    );
    assert_eq!(
        amount(&marked, &report(Some(quality(1080)), &[(0.0, 60.0)])).payable_cents,
        300
    );
}

#[test]
fn a_span_of_which_no_class_is_sure_to_fit_gets_nothing() {
    let only = RateCard::parse(
        "currency = 'USD'\n[[class]]\nname = '4k'\nper_minute = 4\nmin_native_lines = 2160\n",
    )
    .unwrap();
    let mut soft = quality(2160);
    soft.resolution.native_lines = None;
    soft.resolution.state = ResolutionState::Undecided;
    let amount = amount(&only, &report(Some(soft), &[(0.0, 60.0)]));
    assert_eq!(
        (amount.payable_cents, amount.spans[0].class.clone()),
        (0, None)
    );
    assert!(
        amount
            .reasons
            .iter()
            .any(|reason| reason.contains("no class of the card fits")),
        "{:?}",
        amount.reasons
    );
}

#[test]
fn an_overlay_lowers_the_rate_of_the_spans_that_show_it() {
    let mut marked = quality(2160);
    let area = Area {
        x: 0.1,
        y: 0.8,
        width: 0.5,
        height: 0.1,
    };
    marked.overlays.state = Finding::Found;
    marked.overlays.found.push(Overlay {
        kind: OverlayKind::Caption,
        area,
        start_s: 0.0,
        end_s: 20.0,
    });
    let amount = amount(
        &card(),
        &report(Some(marked), &[(0.0, 30.0), (40.0, 100.0)]),
    );
    let classes: Vec<_> = amount
        .spans
        .iter()
        .map(|span| span.class.clone().unwrap())
        .collect();
    assert_eq!(classes, ["hd", "4k"]);
    assert_eq!(amount.payable_cents, 125 + 400);
}

#[test]
fn cents_are_rounded_down_once_and_add_up() {
    // Ten spans whose amounts are each a third of a cent above a whole number.
    let spans: Vec<(f64, f64)> = (0..10)
        .map(|i| (f64::from(i) * 10.0, f64::from(i) * 10.0 + 2.008))
        .collect();
    let amount = amount(&card(), &report(Some(quality(720)), &spans));
    let exact: u64 = 10 * 2008 * 10_000 / (60_000 * 100);
    assert_eq!(amount.payable_cents, exact);
    assert_eq!(
        amount.spans.iter().map(|span| span.cents).sum::<u64>(),
        exact
    );
}

#[test]
fn spans_shorter_than_the_least_are_told_and_not_paid() {
    let amount = amount(
        &card(),
        &report(Some(quality(720)), &[(0.0, 1.999), (5.0, 7.0)]),
    );
    assert_eq!(
        (amount.spans[0].cents, amount.spans[0].class.as_deref()),
        (0, None)
    );
    assert_eq!(amount.payable_cents, 3);
    assert!(
        amount.reasons[0].contains("shorter than 2 s"),
        "{:?}",
        amount.reasons
    );
}

#[test]
fn nothing_is_payable_of_what_is_inconclusive_unseen_or_not_measured() {
    let spans = [(0.0, 60.0)];
    let inconclusive = Report {
        verdict: Verdict::Inconclusive,
        ..report(Some(quality(2160)), &spans)
    };
    let answer = amount(&card(), &inconclusive);
    assert!(
        !answer.payable && answer.payable_cents == 0 && answer.withheld_cents == 0,
        "{answer:?}"
    );
    let mut given = report(None, &spans);
    given.clip.from_fingerprint = true;
    assert!(!amount(&card(), &given).payable);
    let unmeasured = amount(&card(), &report(None, &spans));
    assert_eq!(
        (
            unmeasured.payable,
            unmeasured.payable_cents,
            unmeasured.withheld_cents
        ),
        (false, 0, 100)
    );
}

#[test]
fn a_manifest_that_does_not_allow_training_withholds_the_amount() {
    let mut contradicted = quality(2160);
    contradicted.declared.manifest = Manifest::Unverified;
    contradicted.declared.training = Some(Training::NotAllowed);
    let answer = amount(&card(), &report(Some(contradicted.clone()), &[(0.0, 60.0)]));
    assert_eq!(
        (answer.payable, answer.payable_cents, answer.withheld_cents),
        (false, 0, 400)
    );
    assert!(
        answer.reasons[0].contains("does not allow training"),
        "{:?}",
        answer.reasons
    );
    contradicted.declared.manifest = Manifest::Unreadable;
    contradicted.declared.training = None;
    assert!(!amount(&card(), &report(Some(contradicted), &[(0.0, 60.0)])).payable);
}

#[test]
fn cards_with_unknown_or_senseless_entries_are_refused_with_the_line() {
    let refused = |text: &str| RateCard::parse(text).unwrap_err();
    let class = "[[class]]\nname = 'a'\nper_minute = 1\n";
    assert!(
        refused(&format!("currency = 'USD'\n{class}min_lines = 5\n"))
            .starts_with("line 5: unknown field"),
        "{}",
        refused(&format!("currency = 'USD'\n{class}min_lines = 5\n"))
    );
    assert!(refused("currency = 'USD'\nsurcharge = 2\n").starts_with("line 2: "));
    assert!(refused("currency = 'USD'\n").contains("class"));
    assert!(refused(&format!("currency = 'dollars'\n{class}")).contains("currency"));
    assert!(
        refused("currency = 'USD'\n[[class]]\nname = 'a'\nper_minute = 1.00001\n")
            .starts_with("line 4: per_minute")
    );
    assert!(
        refused("currency = 'USD'\n[[class]]\nname = 'a'\nper_minute = -1\n")
            .starts_with("line 4: per_minute")
    );
    assert!(
        refused("currency = 'USD'\n[[class]]\nname = 'a'\nper_minute = nan\n")
            .starts_with("line 4: per_minute")
    );
    assert!(refused(&format!("currency = 'USD'\nmin_span_s = -1\n{class}")).contains("min_span_s"));
    assert!(
        refused(&format!("currency = 'USD'\n{class}{class}"))
            .contains("two classes have this name")
    );
    assert!(refused(&format!("currency = 'USD'\n{class}max_dark = 2\n")).contains("max_dark"));
    assert!(refused("currency = \"USD\"\n[[class]\n").starts_with("line 2: "));
}

#[test]
fn the_card_of_the_documentation_is_one() {
    let text = include_str!("../../docs/rates.toml");
    let card = RateCard::parse(text).unwrap();
    assert!(
        card.classes
            .iter()
            .all(|class| (10_000..=40_000).contains(&class.per_minute)),
        "{card:?}"
    );
    assert!(include_str!("../../docs/rates.md").contains(text.split_once('\n').unwrap().1));
}

#[test]
fn of_a_submission_only_what_nobody_offered_earlier_is_priced() {
    let interval = |start_s, end_s| crate::report::Interval { start_s, end_s };
    let mut submitted = report(Some(quality(1080)), &[(0.0, 60.0)]);
    submitted.submission = Some(crate::report::Submission {
        number: 2,
        by: "b".to_owned(),
        reference: None,
        state: "decided".to_owned(),
        received_at: None,
        provisional: false,
        payable_minutes: 0.5,
        provisional_minutes: 0.0,
        sold_minutes: 0.0,
        payable: vec![interval(0.0, 30.0)],
        deductions: Vec::new(),
        review: None,
        related: Vec::new(),
    });
    assert_eq!(amount(&card(), &submitted).payable_cents, 125);
    if let Some(submission) = &mut submitted.submission {
        submission.provisional = true;
    }
    assert_eq!(amount(&card(), &submitted).payable_cents, 0);
}
