//! The page of a certificate's claims.

use askama::Template;

use super::check::{Row, class_of, class_of_verdict};
use super::text::{Text, clock_of, grouped, interval};
use super::timeline::Bar;
use super::view::{self, Fact};
use super::words::Lang;
use super::{Frame, rendered};
use crate::certificate::{Evidence, Grade, Statement};
use crate::report::{MatchKind, Reason};

#[derive(Template)]
#[template(path = "certificate.html")]
struct Page {
    frame: Frame,
    class: &'static str,
    verdict: &'static str,
    payable: Text,
    reasons: Vec<Text>,
    bar: Bar,
    rows: Vec<Row>,
    more_rows: Option<Text>,
    no_frames: Text,
    matches: Vec<Claimed>,
    more_matches: Option<Text>,
    foot: Vec<Fact>,
    limits: Vec<Text>,
}

/// A claimed match.
struct Claimed {
    class: &'static str,
    kind: &'static str,
    heading: Text,
    probability: Text,
    facts: Vec<Fact>,
}

pub(super) fn page(statement: &Statement, key_id: &str, lang: Lang) -> String {
    let words = lang.words();
    let claim = &statement.predicate;
    let seconds = |ms: u64| ms as f64 / 1e3;
    let counted = |n: u64| Text::number(grouped(n));
    let length = seconds(claim.clip.duration_ms);
    let mut bar = Bar::new(Text::ours(words.timeline_of_clip), length);
    let mut rows = Vec::new();
    for (i, span) in claim.spans.iter().take(ROWS_MAX).enumerate() {
        let (start, end) = (seconds(span.start_ms), seconds(span.end_ms));
        let (class, state) = (class_of(span.state), words.state_of(span.state));
        let label = Text::joined([interval(start, end), Text::ours(state)], words.colon);
        let id = format!("part-{}", i + 1);
        bar.add((start, end), length, class, &label, format!("#{id}"));
        rows.push(Row {
            id,
            number: i + 1,
            interval: interval(start, end),
            length: view::seconds(words, end - start),
            class,
            state,
            reason: span
                .reason
                .and_then(|code| words.reason_of(code))
                .map_or_else(Text::default, Text::ours),
            links: Vec::new(),
        });
    }
    let left = claim.spans.len().saturating_sub(rows.len()) as u64;
    let claimed = |kind: Option<MatchKind>, found: &Evidence| evidence(lang, kind, found);
    let mut matches: Vec<Claimed> = claim
        .matches
        .iter()
        .take(MATCHES_MAX)
        .map(|found| claimed(Some(found.kind), &found.evidence))
        .collect();
    let further = claim.matches.len().saturating_sub(matches.len()) as u64 + claim.more_sources;
    matches.extend(
        claim
            .nearest_non_match
            .as_ref()
            .map(|found| claimed(None, found)),
    );
    let verdict = words.verdict(claim.verdict);
    let title = Text::joined(
        [Text::ours(words.certificate), Text::ours(verdict)],
        words.colon,
    );
    let reasons = claim.reasons.iter().take(REASONS_MAX).map(|why| {
        let seconds = why.ms.map(|ms| ms as f64 / 1e3);
        view::reason(
            lang,
            &Reason {
                code: why.code,
                seconds,
                text: why.text.clone(),
            },
        )
    });
    let minutes = Text::number(format!("{:.2}", seconds(claim.payable_ms) / 60.0));
    rendered(&Page {
        frame: Frame::new(title, lang),
        class: class_of_verdict(claim.verdict),
        verdict,
        payable: Text::filled(words.minutes, &[("n", minutes)]),
        reasons: reasons.collect(),
        bar,
        rows,
        more_rows: (left > 0).then(|| Text::filled(words.more_rows, &[("n", counted(left))])),
        no_frames: Text::filled(
            words.no_frames_clip,
            &[("why", Text::ours(words.why_certificate))],
        ),
        matches,
        more_matches: (further > 0)
            .then(|| Text::filled(words.more_matches, &[("n", counted(further))])),
        foot: foot(lang, statement, key_id),
        limits: claim
            .limits
            .iter()
            .take(REASONS_MAX)
            .map(|limit| Text::foreign(limit))
            .collect(),
    })
}

fn evidence(lang: Lang, kind: Option<MatchKind>, found: &Evidence) -> Claimed {
    let words = lang.words();
    let seconds = |ms: u64| ms as f64 / 1e3;
    let source = &found.source;
    let name = source
        .title
        .as_deref()
        .or(source.url.as_deref())
        .unwrap_or(&source.sha256);
    let times = |times: &crate::certificate::Interval| {
        interval(seconds(times.start_ms), seconds(times.end_ms))
    };
    let sentence = if kind == Some(MatchKind::Copy) {
        words.found_as
    } else {
        words.compared_as
    };
    let values = [
        ("clip", times(&found.clip)),
        ("source", times(&found.reference)),
        ("name", Text::foreign(name)),
    ];
    let known = crate::index::Publication {
        url: source.url.clone(),
        title: source.title.clone(),
        uploader: source.uploader.clone(),
        platform: source.platform.clone(),
        published_at: source.published_at.clone(),
    };
    let mut facts = view::publication(words, &known);
    facts.push(Fact {
        name: words.sha256,
        value: Text::number(Text::bare(&source.sha256)),
    });
    let probability = view::probability(words, f64::from(found.probability_ppm) / 1e6);
    Claimed {
        class: view::class_of(kind),
        kind: words.kind(kind),
        heading: Text::filled(sentence, &values),
        probability: match found.identical {
            true => Text::ours(words.identical),
            false => Text::filled(words.probability, &[("p", probability)]),
        },
        facts,
    }
}

fn foot(lang: Lang, statement: &Statement, key_id: &str) -> Vec<Fact> {
    let words = lang.words();
    let claim = &statement.predicate;
    let (clip, corpus, method) = (&claim.clip, &claim.corpus, &claim.method);
    let identifier = |text: &str| Text::number(Text::bare(text));
    let state = [
        ("generation", Text::number(grouped(corpus.generation))),
        ("root", identifier(&corpus.root)),
    ];
    let exact = if claim.search.grade == Grade::Exact {
        words.search_exact
    } else {
        words.search_screened
    };
    let fact = |name, value| Fact { name, value };
    vec![
        fact(words.sha256, identifier(statement.clip_sha256())),
        fact(
            words.length,
            Text::number(clock_of(clip.duration_ms as f64 / 1e3)),
        ),
        fact(
            words.picture_size,
            Text::number(format!("{} × {}", clip.width, clip.height)),
        ),
        fact(words.signed_by, identifier(key_id)),
        fact(
            words.index_root,
            Text::joined(
                [
                    Text::foreign(&corpus.name),
                    Text::filled(words.index_state, &state),
                ],
                words.comma,
            ),
        ),
        fact(
            words.committed_at,
            corpus
                .committed_at
                .as_deref()
                .map_or(Text::ours(words.unknown), identifier),
        ),
        fact(words.checked_at, identifier(&claim.checked_at)),
        fact(words.search, Text::ours(exact)),
        fact(
            words.tool,
            Text::foreign(&format!("{} {}", method.tool, method.version)),
        ),
        fact(words.result_digest, identifier(&claim.result_digest)),
    ]
}

/// Maximum number of rows of the table of spans.
const ROWS_MAX: usize = 300;
/// Maximum number of matches shown.
const MATCHES_MAX: usize = 60;
/// Maximum number of reasons and limits shown.
const REASONS_MAX: usize = 40;
