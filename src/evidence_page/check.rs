//! The page of a report.

use std::path::Path;

use askama::Template;

use super::frames::{Absent, Frames, Shown, Subject, gather};
use super::text::{Text, grouped, interval};
use super::timeline::Bar;
use super::view::{self, AlignmentView, Fact, ImageView, Room, Section};
use super::words::Words;
use super::{Frame, Options, PAGE_BYTES_MAX, SourceNames, rendered, sections};
use crate::Result;
use crate::index::Index;
use crate::report::{Match, MatchKind, ReasonCode, Report, Span, SpanState, StreamState, Verdict};

#[derive(Template)]
#[template(path = "check.html")]
struct Page {
    frame: Frame,
    class: &'static str,
    verdict: &'static str,
    name: Text,
    says: Text,
    payable_name: &'static str,
    payable: Text,
    amount: Option<Text>,
    sums: Vec<Sum>,
    reasons: Vec<Text>,
    bar: Bar,
    rows: Vec<Row>,
    more_rows: Option<Text>,
    matches: Vec<AlignmentView>,
    match_notes: Vec<Text>,
    nearest: Option<AlignmentView>,
    /// Whether its source also has a match.
    nearest_same: bool,
    dark: Vec<Dark>,
    sections: Vec<Section>,
    foot: Vec<Fact>,
}

/// Total of the seconds in a state.
struct Sum {
    class: &'static str,
    name: &'static str,
    value: Text,
}

/// A row of the table of spans.
pub(super) struct Row {
    pub(super) id: String,
    pub(super) number: usize,
    pub(super) interval: Text,
    pub(super) length: Text,
    pub(super) class: &'static str,
    pub(super) state: &'static str,
    pub(super) reason: Text,
    pub(super) links: Vec<Link>,
}

/// A link to a match on the page.
pub(super) struct Link {
    pub(super) target: String,
    pub(super) label: Text,
}

/// An unsearchable part.
struct Dark {
    image: Option<ImageView>,
    interval: Text,
    reason: Text,
}

pub(super) fn page(
    report: &Report,
    clip: Option<&Path>,
    index: Option<&Index>,
    options: &Options<'_>,
) -> Result<String> {
    let lang = options.lang;
    let words = lang.words();
    let listed = listed(report);
    let dark: Vec<&Span> = report
        .spans
        .iter()
        .filter(|span| span.state == SpanState::Unsearchable)
        .take(DARK_MAX)
        .collect();

    let mut shown: Vec<Shown<'_>> = Vec::new();
    let pairs = pairs_each(listed.len() + usize::from(report.nearest_non_match.is_some()));
    // The nearest non-match shows a person why nothing weaker counts, so it gets frames before
    // everything else.
    let nearest = report.nearest_non_match.as_ref();
    shown.extend(nearest.map(|found| Shown {
        found,
        stream: None,
        source_stream: None,
        pairs: 3,
    }));
    for (i, (_, found)) in listed.iter().enumerate() {
        let (found, stream) = (&found.alignment, found.stream);
        shown.push(Shown {
            found,
            stream,
            source_stream: None,
            pairs: pairs(i),
        });
    }
    let several: Vec<u32> = match report.matches.iter().any(|found| found.stream.is_some()) {
        true => {
            let checked = report
                .streams
                .iter()
                .filter(|stream| stream.state == StreamState::Checked);
            checked
                .map(|stream| stream.index)
                .take(STREAMS_MAX)
                .collect()
        }
        false => Vec::new(),
    };
    let path = clip.filter(|_| !report.clip.from_fingerprint);
    let subject = Subject {
        path,
        sha256: &report.clip.sha256,
        streams: &several,
    };
    let middle = |span: &&Span| (span.start_s + span.end_s) / 2.0;
    let moments: Vec<f64> = dark
        .iter()
        .filter(|span| has_frame(span))
        .map(middle)
        .collect();
    let gathered = gather(subject, &shown, &moments, index, options)?;

    // The frames are read, so paths are only needed as names from here on.
    let renamed;
    let report = match options.sources {
        SourceNames::Paths => report,
        SourceNames::FileNames => {
            renamed = with_file_names(report);
            &renamed
        }
    };
    let (listed, nearest) = (self::listed(report), report.nearest_non_match.as_ref());
    let mut room = Room::new(PICTURES_MAX);
    let length = report.clip.duration_s;
    let mut frames = gathered.frames.into_iter();
    let nearest = nearest.map(|found| {
        let frames = frames.next().unwrap_or_default();
        view::alignment(
            lang,
            ("nearest".to_owned(), None),
            (None, found),
            length,
            &frames,
            &mut room,
        )
    });
    let matches: Vec<AlignmentView> = listed
        .iter()
        .map(|&(number, found)| {
            let frames = frames.next().unwrap_or_else(|| Frames {
                no_source: Some(Absent::Room),
                ..Frames::default()
            });
            let id = (format!("match-{number}"), Some(number));
            view::alignment(
                lang,
                id,
                (Some(found.kind), &found.alignment),
                length,
                &frames,
                &mut room,
            )
        })
        .collect();
    let mut pictures = gathered.moments.into_iter();
    let dark = dark
        .into_iter()
        .map(|span| {
            let picture = if has_frame(span) {
                pictures.next().flatten()
            } else {
                None
            };
            let image = picture.and_then(|(time, picture)| {
                room.image(&picture, view::moment(words.frame_at, time), String::new())
            });
            let reason = span
                .reason
                .as_ref()
                .map_or(Text::ours(words.unknown), |why| view::reason(lang, why));
            Dark {
                image,
                interval: interval(span.start_s, span.end_s),
                reason,
            }
        })
        .collect();
    let mut match_notes = Vec::new();
    let counted = |n: usize| Text::number(grouped(n as u64));
    if report.matches.len() > listed.len() {
        match_notes.push(Text::filled(
            words.more_matches,
            &[("n", counted(report.matches.len() - listed.len()))],
        ));
    }
    if report.more_sources > 0 {
        match_notes.push(Text::filled(
            words.more_sources,
            &[("n", counted(report.more_sources as usize))],
        ));
    }
    let (rows, bar) = spans(report, &listed, options);
    let left = report.spans.len().saturating_sub(rows.len());
    let verdict = words.verdict(report.verdict);
    let title = Text::filled(
        words.page_title,
        &[
            ("verdict", Text::ours(verdict)),
            ("name", Text::foreign(&file_name(&report.clip.path))),
        ],
    );
    let sum = |state, value| Sum {
        class: class_of(state),
        name: words.state_of(state),
        value: view::seconds(words, value),
    };
    let (payable_name, payable) = match report.clip.from_fingerprint {
        true => (words.provisional, report.provisional_minutes),
        false => (words.payable, report.payable_minutes),
    };
    Ok(rendered(&Page {
        frame: Frame::new(title, lang),
        class: class_of_verdict(report.verdict),
        verdict,
        name: Text::foreign(&file_name(&report.clip.path)),
        says: says(words, report),
        payable_name,
        payable: Text::filled(
            words.minutes,
            &[("n", Text::number(format!("{payable:.2}")))],
        ),
        amount: report
            .amount
            .as_ref()
            .map(|amount| sections::money(amount.payable_cents, &amount.currency)),
        sums: vec![
            sum(SpanState::Published, report.seconds.published),
            sum(SpanState::Unpublished, report.seconds.unpublished),
            sum(SpanState::Unsearchable, report.seconds.unsearchable),
        ],
        reasons: report
            .reasons
            .iter()
            .take(REASONS_MAX)
            .map(|why| view::reason(lang, why))
            .collect(),
        bar,
        more_rows: (left > 0).then(|| Text::filled(words.more_rows, &[("n", counted(left))])),
        rows,
        matches,
        match_notes,
        nearest,
        nearest_same: report.nearest_non_match.as_ref().is_some_and(|nearest| {
            report
                .matches
                .iter()
                .any(|found| found.alignment.source.sha256 == nearest.source.sha256)
        }),
        dark,
        sections: sections::of(words, report),
        foot: foot(words, report),
    }))
}

/// Number of pairs of frames of each alignment, by its number, given how many alignments there are.
fn pairs_each(alignments: usize) -> impl Fn(usize) -> usize {
    move |number| match (alignments, number) {
        (..=5, _) => 5,
        (6..=8, _) => 3,
        (_, ..8) => 3,
        (_, ..16) => 1,
        _ => 0,
    }
}

/// Undecoded seconds have no frame, and a neighbouring frame would mislead.
fn has_frame(span: &Span) -> bool {
    span.reason
        .as_ref()
        .is_none_or(|why| why.code != ReasonCode::Undecoded)
}

/// The table of spans, and the bar with the same spans.
fn spans(report: &Report, listed: &[(usize, &Match)], options: &Options<'_>) -> (Vec<Row>, Bar) {
    let words = options.lang.words();
    let length = report.clip.duration_s;
    let mut bar = Bar::new(Text::ours(words.timeline_of_clip), length);
    let mut rows = Vec::new();
    for (i, span) in report.spans.iter().take(ROWS_MAX).enumerate() {
        let (class, state) = (class_of(span.state), words.state_of(span.state));
        let id = format!("part-{}", i + 1);
        let times = interval(span.start_s, span.end_s);
        let label = Text::joined([times.clone(), Text::ours(state)], words.colon);
        bar.add(
            (span.start_s, span.end_s),
            length,
            class,
            &label,
            format!("#{id}"),
        );
        let overlaps = |(_, found): &&(usize, &Match)| {
            let clip = found.alignment.clip;
            clip.start_s < span.end_s - 0.01 && span.start_s < clip.end_s - 0.01
        };
        let links = listed.iter().filter(overlaps).take(LINKS_MAX);
        let links = links.map(|&(number, _)| Link {
            target: format!("match-{number}"),
            label: Text::joined([Text::ours(words.matched_with), Text::number(number)], " "),
        });
        rows.push(Row {
            id,
            number: i + 1,
            interval: times,
            length: view::seconds(words, span.end_s - span.start_s),
            class,
            state,
            reason: span
                .reason
                .as_ref()
                .map_or_else(Text::default, |why| view::reason(options.lang, why)),
            links: links.collect(),
        });
    }
    (rows, bar)
}

pub(super) fn class_of(state: SpanState) -> &'static str {
    match state {
        SpanState::Published => "published",
        SpanState::Unpublished => "unpublished",
        SpanState::Unsearchable => "unsearchable",
    }
}

pub(super) fn class_of_verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Published => "published",
        Verdict::PartlyPublished => "related",
        Verdict::Unpublished => "unpublished",
        Verdict::Inconclusive => "unsearchable",
    }
}

/// The meaning of the verdict in a sentence.
fn says(words: &Words, report: &Report) -> Text {
    let hours = Text::filled(
        words.hours,
        &[("n", Text::number(format!("{:.2}", report.index.hours)))],
    );
    let minutes = Text::filled(
        words.minutes,
        &[(
            "n",
            Text::number(format!("{:.1}", 60.0 * report.index.hours)),
        )],
    );
    let length = if report.index.hours < 1.0 {
        minutes
    } else {
        hours
    };
    let videos = Text::number(grouped(report.index.videos));
    let scope = Text::filled(words.scope, &[("videos", videos), ("hours", length)]);
    let sentence = match report.verdict {
        Verdict::Unpublished => words.says_unpublished,
        Verdict::PartlyPublished => words.says_partly,
        Verdict::Published => words.says_published,
        Verdict::Inconclusive => words.says_inconclusive,
    };
    let found = view::seconds(words, report.seconds.published);
    let whole = view::seconds(words, report.clip.duration_s);
    Text::filled(
        sentence,
        &[("scope", scope), ("found", found), ("whole", whole)],
    )
}

/// Facts about the search: options, index and program.
fn foot(words: &'static Words, report: &Report) -> Vec<Fact> {
    let (index, search, tool) = (&report.index, &report.search, &report.tool);
    let moment = |time: &Option<String>| {
        time.as_deref().map_or(Text::ours(words.unknown), |time| {
            Text::number(Text::bare(time))
        })
    };
    let state = [
        ("generation", Text::number(grouped(index.generation))),
        ("root", Text::number(Text::bare(&index.root))),
    ];
    let exact = Text::ours(if search.exact {
        words.search_exact
    } else {
        words.search_screened
    });
    let probabilities = [
        (
            "published",
            Text::number(format!("{:.2}", search.published_probability)),
        ),
        (
            "payable",
            Text::number(format!("{:.2}", search.payable_probability)),
        ),
    ];
    let commit = tool
        .commit
        .as_deref()
        .map_or(String::new(), |commit| format!(" ({commit})"));
    let versions = format!(
        "{} {}{commit}, FFmpeg {}, libavcodec {}",
        tool.name, tool.version, tool.media, tool.libavcodec
    );
    vec![
        Fact {
            name: words.index_root,
            value: Text::filled(words.index_state, &state),
        },
        Fact {
            name: words.committed_at,
            value: moment(&index.committed_at),
        },
        Fact {
            name: words.checked_at,
            value: moment(&report.checked_at),
        },
        Fact {
            name: words.search,
            value: exact,
        },
        Fact {
            name: words.effort,
            value: Text::ours(words.effort_of(search.effort)),
        },
        Fact {
            name: words.decided_by,
            value: Text::filled(words.limits_of_probability, &probabilities),
        },
        Fact {
            name: words.tool,
            value: Text::foreign(&versions),
        },
    ]
}

/// The listed matches, with their numbers in the report, most important first.
fn listed(report: &Report) -> Vec<(usize, &Match)> {
    let mut listed: Vec<(usize, &Match)> = (1..).zip(&report.matches).collect();
    listed.sort_by_key(|(_, found)| match found.kind {
        MatchKind::Copy => 0,
        MatchKind::Undecided => 1,
        MatchKind::SameScene => 2,
    });
    listed.truncate(MATCHES_MAX);
    listed
}

/// The report with only the file names of sources instead of paths.
fn with_file_names(report: &Report) -> Report {
    let mut report = report.clone();
    let matches = report
        .matches
        .iter_mut()
        .map(|found| &mut found.alignment.source);
    for source in matches.chain(
        report
            .nearest_non_match
            .as_mut()
            .map(|found| &mut found.source),
    ) {
        source.path = file_name(&source.path);
    }
    report
}

pub(super) fn file_name(path: &str) -> String {
    Path::new(path).file_name().map_or_else(
        || path.to_owned(),
        |name| name.to_string_lossy().into_owned(),
    )
}

/// Maximum number of matches shown.
const MATCHES_MAX: usize = 60;
/// Maximum number of unsearchable parts shown with a frame.
const DARK_MAX: usize = 12;
/// Maximum number of rows of the table of spans.
const ROWS_MAX: usize = 300;
/// Maximum number of links to matches in a row of the table.
const LINKS_MAX: usize = 8;
/// Maximum number of reasons shown for the verdict.
const REASONS_MAX: usize = 40;
/// Maximum number of streams shown.
pub(super) const STREAMS_MAX: usize = 8;
/// Maximum total size of the pictures of a page, in bytes. The rest of [`PAGE_BYTES_MAX`] is enough
/// for all text.
pub(super) const PICTURES_MAX: usize = PAGE_BYTES_MAX - 700_000;
