//! Pages of made-up reports: their content, languages, and escaping of foreign text.

use proptest::prelude::*;

use super::*;
use crate::report::{Match, Reason, ReasonCode, Verdict};

fn page(report: &Report, lang: Lang) -> String {
    let decoding = Decoding::in_process();
    of_report(
        report,
        None,
        None,
        &Options {
            lang,
            ..Options::new(&decoding)
        },
    )
    .unwrap()
}

/// The number of elements of each name on a page.
fn elements(html: &str) -> Vec<(String, usize)> {
    let mut count = std::collections::BTreeMap::new();
    for part in html.split('<').skip(1) {
        let name: String = part
            .chars()
            .take_while(|c| c.is_alphanumeric() || matches!(c, '/' | '!'))
            .collect();
        *count.entry(name).or_insert(0) += 1;
    }
    count.into_iter().collect()
}

/// A report in which every foreign text is `text`.
fn foreign(text: &str) -> Report {
    let mut report = testing::report();
    report.clip.path = text.to_owned();
    report.clip.codec = text.to_owned();
    report.clip.sha256 = text.to_owned();
    report.index.root = text.to_owned();
    report.checked_at = Some(text.to_owned());
    report.tool.version = text.to_owned();
    report.reasons = vec![Reason {
        code: ReasonCode::Undecoded,
        seconds: None,
        text: text.to_owned(),
    }];
    report.spans[2].reason = Some(report.reasons[0].clone());
    report.streams[0].reason = Some(text.to_owned());
    let second = report.streams[0].clone();
    report.streams.push(second);
    let near = report.nearest_non_match.as_mut().unwrap();
    for found in [&mut report.matches[0].alignment, near] {
        let source = &mut found.source;
        (source.path, source.sha256, source.id) =
            (text.to_owned(), text.to_owned(), text.to_owned());
        let known = &mut source.publication;
        for field in [
            &mut known.url,
            &mut known.title,
            &mut known.uploader,
            &mut known.platform,
            &mut known.published_at,
        ] {
            *field = Some(text.to_owned());
        }
        found.terms[0].name = text.to_owned();
    }
    report
}

#[test]
fn the_answer_and_what_is_payable_come_first_in_each_language() {
    let report = testing::report();
    for (lang, verdict, payable, direction) in [
        (
            Lang::En,
            "Partly published",
            "Payable",
            "<html lang=\"en\" dir=\"ltr\">",
        ),
        (
            Lang::Ar,
            "منشور جزئيًا",
            "المستحق للدفع",
            "<html lang=\"ar\" dir=\"rtl\">",
        ),
    ] {
        let html = page(&report, lang);
        let at = |text: &str| {
            html.find(text)
                .unwrap_or_else(|| panic!("{text} is missing"))
        };
        let body = at("<body>");
        let after = |text: &str| body + html[body..].find(text).unwrap();
        assert!(
            at(direction) < body
                && after(verdict) < after(payable)
                && after(payable) < after("<table")
        );
        assert!(after("0.10") < after("<table"), "the minutes");
        assert!(
            html.contains("https://video.example/spring") && !html.contains("href=\"http"),
            "no address is a link"
        );
    }
}

#[test]
fn a_page_of_another_language_says_nothing_of_its_own_in_english() {
    let mut report = testing::report();
    report.reasons[0].text = "Sentence In English".to_owned();
    let html = page(&report, Lang::Ar);
    for english in [
        "Sentence In English",
        "Payable",
        "Unpublished",
        "The probability",
        "black",
    ] {
        assert!(!html.contains(english), "{english}");
    }
}

#[test]
fn every_verdict_and_every_state_of_a_match_has_a_page() {
    use crate::report::MatchKind;
    for verdict in [
        Verdict::Unpublished,
        Verdict::PartlyPublished,
        Verdict::Published,
        Verdict::Inconclusive,
    ] {
        for kind in [MatchKind::Copy, MatchKind::SameScene, MatchKind::Undecided] {
            let mut report = testing::report();
            (report.verdict, report.matches[0].kind) = (verdict, kind);
            let html = page(&report, Lang::En);
            assert!(
                html.contains(Lang::En.words().verdict(verdict))
                    && html.contains(Lang::En.words().kind(Some(kind)))
            );
        }
    }
    let mut report = testing::report();
    (report.matches, report.spans, report.nearest_non_match) = (Vec::new(), Vec::new(), None);
    report.clip.duration_s = 0.0;
    assert!(page(&report, Lang::En).contains(Lang::En.words().no_nearest));
}

#[test]
fn a_submission_is_shown_with_what_was_deducted_and_for_whom() {
    let mut report = testing::report();
    report.submission = serde_json::from_value(serde_json::json!({
        "number": 7, "by": "<i>Ada", "ref": "take 3", "state": "offered", "received_at": "2026-01-02T03:04:05Z",
        "provisional": false, "payable_minutes": 0.05, "provisional_minutes": 0.0, "sold_minutes": 0.0, "payable": [],
        "deductions": [{ "start_s": 6.0, "end_s": 9.0, "reason": "disputed", "number": 3, "by": "Ben", "there": null,
            "probability": 0.99, "evidence_bits": 300.0, "mirrored": false, "speed": 1.0, "identical": false, "text": "x" }],
        "related": [],
    }))
    .unwrap();
    let html = page(&report, Lang::En);
    assert!(html.contains("&lt;i&gt;Ada") && html.contains("another creator offered it before"));
    assert!(html.contains("<bdi>Ben</bdi>") && html.contains("0:00:06.00 – 0:00:09.00"));
}

#[test]
fn a_report_of_any_size_gives_a_page_of_limited_size() {
    let mut report = foreign(&"<\u{202e}&".repeat(40_000));
    let (found, span) = (report.matches[0].clone(), report.spans[2].clone());
    report.matches = std::iter::repeat_n(found, 300).collect::<Vec<Match>>();
    report.spans = std::iter::repeat_n(span, 20_000).collect();
    report.reasons = std::iter::repeat_n(report.reasons[0].clone(), 1_000).collect();
    let html = page(&report, Lang::En);
    assert!(html.len() < PAGE_BYTES_MAX, "{} bytes", html.len());
    assert!(
        html.contains("more parts are not listed")
            && html.contains("Further matches are not listed")
    );
}

#[test]
fn the_policy_names_the_style_and_lets_nothing_else_in() {
    let html = page(&testing::report(), Lang::En);
    let digest = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(STYLE));
    assert!(
        html.contains(&format!("style-src 'sha256-{digest}'"))
            && html.contains("default-src 'none'")
    );
    assert!(
        html.contains(&format!("<style>{STYLE}</style>")),
        "what is hashed is what stands there"
    );
    assert!(!html.contains(" style=") && !html.contains("<script") && !STYLE.contains("url(http"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_foreign_text_makes_an_element_or_an_attribute(text in any::<String>(), start in 0..HARMFUL.len()) {
        let text = format!("{}{text}", HARMFUL[start]);
        for lang in [Lang::En, Lang::Ar] {
            let html = page(&foreign(&text), lang);
            prop_assert_eq!(elements(&html), elements(&page(&foreign("x"), lang)), "{}", text);
            let steered = html.contains(['\u{202e}', '\u{2066}', '\0']);
            prop_assert!(!steered, "{}", text);
        }
    }
}

const HARMFUL: [&str; 8] = [
    "",
    "<script>alert(1)</script>",
    "\" onerror=\"alert(1)",
    "' onload='x'><img src=x>",
    "javascript:alert(1)",
    "</bdi></style><style>*{display:none}",
    "\u{202e}\u{2066}\0{{ w }}{% block body %}",
    "&lt;b&gt;&#x3c;b>",
];
