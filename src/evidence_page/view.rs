//! Views of alignments and frames for templates: texts and picture addresses, ready to print.

use super::frames::{Absent, Frames, Pair};
use super::geometry::Map;
use super::raster::Picture;
use super::text::{Text, clock, clock_of, grouped, interval};
use super::timeline::Bar;
use super::words::{Lang, Words};
use crate::index::Publication;
use crate::report::{MatchKind, NonMatch, Reason, ReasonCode, Rectangle, Source};

/// A name and its value.
pub(super) struct Fact {
    pub(super) name: &'static str,
    pub(super) value: Text,
}

/// A further part of a page: a heading and facts.
pub(super) struct Section {
    pub(super) title: &'static str,
    pub(super) facts: Vec<Fact>,
}

/// An alignment on the page.
pub(super) struct AlignmentView {
    pub(super) id: String,
    /// CSS class on time lines.
    pub(super) class: &'static str,
    pub(super) kind: &'static str,
    pub(super) heading: Text,
    pub(super) bars: Vec<Bar>,
    /// Sentences about its certainty.
    pub(super) sure: Vec<Text>,
    pub(super) edits: Option<Text>,
    pub(super) facts: Vec<Fact>,
    pub(super) pairs: Vec<PairView>,
    pub(super) notes: Vec<Text>,
    pub(super) terms: Vec<TermView>,
    pub(super) terms_hint: Text,
}

/// A term of the model and its bits, as a bar to either side of the middle; lengths are in percent.
pub(super) struct TermView {
    pub(super) name: Text,
    pub(super) bits: Text,
    pub(super) x: String,
    pub(super) width: String,
    pub(super) class: &'static str,
}

/// A pair of frames on the page.
pub(super) struct PairView {
    pub(super) id: String,
    pub(super) caption: Text,
    pub(super) clip: Option<ImageView>,
    pub(super) source: Option<ImageView>,
    pub(super) warped: Option<ImageView>,
    pub(super) difference: Option<ImageView>,
}

/// A picture with its caption and the outline of the shared part.
pub(super) struct ImageView {
    pub(super) url: String,
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) label: Text,
    pub(super) alt: Text,
    pub(super) outline: String,
}

/// Encodes pictures while there is room on the page.
pub(super) struct Room {
    left: usize,
}

impl Room {
    pub(super) fn new(bytes: usize) -> Room {
        Room { left: bytes }
    }

    pub(super) fn image(
        &mut self,
        picture: &Picture,
        label: Text,
        outline: String,
    ) -> Option<ImageView> {
        let url = picture.data_url().filter(|url| url.len() <= self.left)?;
        self.left -= url.len();
        let (width, height) = (picture.width, picture.height);
        Some(ImageView {
            url,
            width,
            height,
            alt: label.plain(),
            label,
            outline,
        })
    }
}

/// Makes the view of an alignment; `name` is its prefix in element ids.
pub(super) fn alignment(
    lang: Lang,
    (id, number): (String, Option<usize>),
    (kind, found): (Option<MatchKind>, &NonMatch),
    clip_length_s: f64,
    frames: &Frames,
    room: &mut Room,
) -> AlignmentView {
    let words = lang.words();
    let class = class_of(kind);
    let ours = interval(found.clip.start_s, found.clip.end_s);
    let theirs = interval(found.reference.start_s, found.reference.end_s);
    let sentence = if kind == Some(MatchKind::Copy) {
        words.found_as
    } else {
        words.compared_as
    };
    let values = [
        ("clip", ours.clone()),
        ("source", theirs.clone()),
        ("name", name_of(&found.source)),
    ];
    let mut heading = Text::filled(sentence, &values);
    if let Some(number) = number {
        heading = Text::joined([Text::number(number), heading], ". ");
    }
    let bar = |label, length: f64, (start, end): (f64, f64), text: &Text| {
        let mut bar = Bar {
            is_captioned: true,
            ..Bar::new(Text::ours(label), length)
        };
        bar.add((start, end), length, class, text, String::new());
        bar
    };
    let bars = vec![
        bar(
            words.timeline_of_clip,
            clip_length_s,
            (found.clip.start_s, found.clip.end_s),
            &ours,
        ),
        bar(
            words.timeline_of_source,
            found.source.duration_s,
            (found.reference.start_s, found.reference.end_s),
            &theirs,
        ),
    ];
    let shown: Vec<PairView> = frames
        .pairs
        .iter()
        .enumerate()
        .filter_map(|(i, pair)| {
            pair_view(words, format!("{id}-{}", i + 1), i + 1, pair, found, room)
        })
        .collect();
    let mut notes = Vec::new();
    for (sentence, why) in [
        (words.no_frames_clip, &frames.no_clip),
        (words.no_frames_source, &frames.no_source),
    ] {
        // If no frame had room, saying so once is enough.
        if let Some(why) = why.as_ref().filter(|why| **why != Absent::Room) {
            notes.push(Text::filled(sentence, &[("why", absent(words, why))]));
        }
    }
    if frames.from_index {
        notes.push(Text::ours(words.from_index));
    }
    if shown.len() < frames.pairs.len() || frames.no_source == Some(Absent::Room) {
        notes.push(Text::filled(
            words.no_frames_clip,
            &[("why", absent(words, &Absent::Room))],
        ));
    }
    let mut facts = vec![
        Fact {
            name: words.file,
            value: Text::foreign(&found.source.path),
        },
        Fact {
            name: words.sha256,
            value: Text::number(Text::bare(&found.source.sha256)),
        },
    ];
    facts.splice(0..0, publication(words, &found.source.publication));
    let (terms, terms_hint) = terms(words, found);
    AlignmentView {
        id,
        class,
        kind: words.kind(kind),
        heading,
        bars,
        sure: sure(words, found),
        edits: (!found.identical).then(|| edits(words, found)),
        facts,
        pairs: shown,
        notes,
        terms,
        terms_hint,
    }
}

/// CSS class of a kind on time lines.
pub(super) fn class_of(kind: Option<MatchKind>) -> &'static str {
    match kind {
        Some(MatchKind::Copy) => "published",
        Some(MatchKind::SameScene | MatchKind::Undecided) => "related",
        None => "near",
    }
}

/// The title, or the file's path without one.
pub(super) fn name_of(source: &Source) -> Text {
    Text::foreign(source.publication.title.as_deref().unwrap_or(&source.path))
}

/// Facts about a publication. Addresses are text, never links.
pub(super) fn publication(words: &'static Words, known: &Publication) -> Vec<Fact> {
    let Publication {
        url,
        title,
        uploader,
        platform,
        published_at,
    } = known;
    [
        (words.title, title),
        (words.address, url),
        (words.uploader, uploader),
        (words.platform, platform),
        (words.published_at, published_at),
    ]
    .into_iter()
    .map(|(name, value)| {
        let value = value
            .as_deref()
            .map_or(Text::ours(words.unknown), Text::foreign);
        Fact { name, value }
    })
    .collect()
}

/// The sentence of a reason, from its code. Details that the code lacks, as for damage, are in the
/// reason's own text.
pub(super) fn reason(lang: Lang, reason: &Reason) -> Text {
    let own = Text::foreign(&reason.text);
    let detailed = matches!(reason.code, ReasonCode::Undecoded | ReasonCode::Streams);
    match lang.words().reason_of(reason.code) {
        // The text says more than the code: amounts, numbers of sources.
        _ if lang == Lang::En => own,
        Some(words) if detailed => Text::joined([Text::ours(words), own], lang.words().colon),
        Some(words) => match reason.seconds {
            Some(length) => {
                let values = [
                    ("reason", Text::ours(words)),
                    ("seconds", seconds(lang.words(), length)),
                ];
                Text::filled(lang.words().reason_seconds, &values)
            }
            None => Text::ours(words),
        },
        None => own,
    }
}

/// A length in seconds, to a tenth.
pub(super) fn seconds(words: &Words, length: f64) -> Text {
    Text::filled(
        words.seconds,
        &[("n", Text::number(format!("{length:.1}")))],
    )
}

/// Why frames are missing.
pub(super) fn absent(words: &Words, why: &Absent) -> Text {
    match why {
        Absent::Fingerprint => Text::ours(words.why_fingerprint),
        Absent::NotAtHand => Text::ours(words.why_not_at_hand),
        Absent::Changed => Text::ours(words.why_changed),
        Absent::NoPictures => Text::ours(words.why_no_pictures),
        Absent::Unreadable(error) => {
            Text::filled(words.why_unreadable, &[("error", Text::number(error))])
        }
        Absent::Room => Text::ours(words.why_room),
    }
}

/// In percent, and never rounded to certainty.
pub(super) fn probability(words: &Words, probability: f64) -> Text {
    let percent = |text: &str| Text::number(format!("{text} %"));
    match probability {
        p if p >= 1.0 => percent("100"),
        p if p > 0.99 => Text::filled(words.more_than, &[("p", percent("99"))]),
        p if p < 0.01 => Text::filled(words.less_than, &[("p", percent("1"))]),
        p => percent(&format!("{:.0}", 100.0 * p)),
    }
}

fn sure(words: &Words, found: &NonMatch) -> Vec<Text> {
    if found.identical {
        return vec![Text::ours(words.identical)];
    }
    let whole = |bits: f64| Text::number(grouped(bits.max(0.0).round() as u64));
    let mut sentences = vec![
        Text::filled(
            words.probability,
            &[("p", probability(words, found.probability))],
        ),
        Text::filled(
            words.evidence,
            &[
                ("total", whole(found.evidence_bits)),
                ("moment", whole(found.moment_bits)),
                ("hits", Text::number(grouped(found.hits))),
            ],
        ),
    ];
    if let Some(pictures) = found.pictures {
        let values = [
            (
                "correlation",
                Text::number(format!("{:.2}", pictures.correlation)),
            ),
            (
                "share",
                Text::number(format!("{:.0} %", 100.0 * pictures.share)),
            ),
        ];
        sentences.push(Text::filled(words.pictures_say, &values));
    }
    sentences
}

fn edits(words: &Words, found: &NonMatch) -> Text {
    let mut parts = Vec::new();
    let mut say = |seen: bool, words: &'static str| {
        if seen {
            parts.push(Text::ours(words));
        }
    };
    say(found.mirrored, words.edit_mirrored);
    say(found.negative, words.edit_negative);
    say(found.widened != 1.0, words.edit_stretched);
    say(found.slanted != 1.0, words.edit_slanted);
    say(found.speed < 0.0, words.edit_backwards);
    if !found.turned_degrees.is_multiple_of(360) {
        // The report gives the turn back.
        let degrees = 360 - i64::from(found.turned_degrees % 360);
        let degrees = if degrees > 180 {
            degrees - 360
        } else {
            degrees
        };
        parts.push(Text::filled(
            words.edit_turned,
            &[("degrees", Text::number(format!("{degrees}°")))],
        ));
    }
    if (found.speed.abs() - 1.0).abs() > SPEED_TOLERANCE {
        let n = Text::number(format!("{:.2}", found.speed.abs()));
        parts.push(Text::filled(words.edit_speed, &[("n", n)]));
    }
    let percent = |share: f64| Text::number(format!("{:.0} %", 100.0 * share));
    for (sentence, part) in [
        (words.edit_crop, found.geometry.reference),
        (words.edit_inset, found.geometry.clip),
    ] {
        if part.width < WHOLE || part.height < WHOLE {
            let values = [
                ("width", percent(part.width)),
                ("height", percent(part.height)),
            ];
            parts.push(Text::filled(sentence, &values));
        }
    }
    if parts.is_empty() {
        parts.push(Text::ours(words.edit_none));
    }
    Text::joined(parts, words.comma)
}

/// The terms, strongest first, and their sum.
fn terms(words: &Words, found: &NonMatch) -> (Vec<TermView>, Text) {
    let mut sorted: Vec<_> = found
        .terms
        .iter()
        .filter(|term| term.bits.is_finite())
        .take(TERMS_MAX)
        .collect();
    sorted.sort_by(|a, b| b.bits.abs().total_cmp(&a.bits.abs()));
    let most = sorted
        .iter()
        .map(|term| term.bits.abs())
        .fold(1.0, f64::max);
    let sum: f64 = sorted.iter().map(|term| term.bits).sum();
    let views = sorted
        .into_iter()
        .map(|term| {
            let width = 50.0 * term.bits.abs() / most;
            let x = if term.bits < 0.0 { 50.0 - width } else { 50.0 };
            TermView {
                name: words
                    .term_of(&term.name)
                    .map_or_else(|| Text::foreign(&term.name), Text::ours),
                bits: Text::number(format!("{:+.1}", term.bits).replace('-', "\u{2212}")),
                x: format!("{x:.2}%"),
                width: format!("{width:.2}%"),
                class: if term.bits < 0.0 { "against" } else { "for" },
            }
        })
        .collect();
    let odds = sum.clamp(-40.0, 40.0).abs().exp2().round() as u64;
    let odds = if sum < 0.0 {
        format!("1 : {}", grouped(odds))
    } else {
        format!("{} : 1", grouped(odds))
    };
    let bits = format!("{sum:+.1}").replace('-', "\u{2212}");
    let hint = Text::filled(
        words.terms_hint,
        &[("bits", Text::number(bits)), ("odds", Text::number(odds))],
    );
    (views, hint)
}

fn pair_view(
    words: &'static Words,
    id: String,
    number: usize,
    pair: &Pair,
    found: &NonMatch,
    room: &mut Room,
) -> Option<PairView> {
    let ours_in_theirs = pair
        .map
        .map(|map| outline(map, found.geometry.clip, pair_is_tilted(found)));
    let (clip_outline, source_outline) = match pair.map {
        Some(map) => (
            points(map.inverse().corners(found.geometry.reference)),
            ours_in_theirs.unwrap_or_default(),
        ),
        None => (String::new(), String::new()),
    };
    let at = |sentence, time: f64| Text::filled(sentence, &[("time", clock(time))]);
    let clip = match &pair.clip {
        Some((time, picture)) => {
            Some(room.image(picture, at(words.frame_of_clip, *time), clip_outline)?)
        }
        None => None,
    };
    let source = match &pair.source {
        Some((time, picture)) => {
            Some(room.image(picture, at(words.frame_of_source, *time), source_outline)?)
        }
        None => None,
    };
    let (mut warped, mut difference) = (None, None);
    if let Some(laid) = &pair.laid {
        let share = Text::number(format!("{:.1} %", 100.0 * laid.mean));
        warped = room.image(&laid.warped, Text::ours(words.laid_over), String::new());
        difference = room.image(
            &laid.difference,
            Text::filled(words.difference, &[("share", share)]),
            String::new(),
        );
    }
    let caption = Text::filled(words.pair, &[("n", Text::number(number))]);
    Some(PairView {
        id,
        caption,
        clip,
        source,
        warped,
        difference,
    })
}

/// Whether the frame is warped. Then the report gives the clip's part in the warped frame.
fn pair_is_tilted(found: &NonMatch) -> bool {
    !found.turned_degrees.is_multiple_of(90) || found.slanted != 1.0
}

/// The outline of the shared part in the source.
fn outline(map: Map, clip: Rectangle, tilted: bool) -> String {
    let whole = Rectangle {
        x: 0.0,
        y: 0.0,
        width: 1.0,
        height: 1.0,
    };
    points(map.corners(if tilted { whole } else { clip }))
}

/// Corners as the points of a polygon in a square of 100.
fn points(corners: [(f64, f64); 4]) -> String {
    let inside = |at: f64| (100.0 * at).clamp(-400.0, 500.0);
    corners
        .map(|(x, y)| format!("{:.1},{:.1}", inside(x), inside(y)))
        .join(" ")
}

/// The time of a frame, for an attribute.
pub(super) fn moment(sentence: &str, time: f64) -> Text {
    Text::filled(sentence, &[("time", Text::number(clock_of(time)))])
}

/// Maximum deviation of a speed from 1 that is not mentioned, since the measurement is no finer.
const SPEED_TOLERANCE: f64 = 0.02;
/// Share of a side from which it counts as whole, since the alignment is no finer.
const WHOLE: f64 = 0.97;
/// Maximum number of terms listed, since a forged report could have any number.
const TERMS_MAX: usize = 40;
