//! The page of clips that share footage.

use std::collections::HashMap;
use std::path::Path;

use askama::Template;

use super::check::{PICTURES_MAX, file_name};
use super::frames::{Absent, Frames, Shown, Subject, gather};
use super::text::{Text, grouped};
use super::view::{self, AlignmentView, Fact, Room};
use super::words::Words;
use super::{Frame, Options, rendered};
use crate::Result;
use crate::dedup::{Deduplication, Extent, Pair, PairMatch};
use crate::report::MatchKind;

#[derive(Template)]
#[template(path = "pairs.html")]
struct Page {
    frame: Frame,
    class: &'static str,
    verdict: &'static str,
    says: Text,
    groups: Vec<Group>,
    notes: Vec<Text>,
    foot: Vec<Fact>,
}

/// A pair of clips on the page.
struct Group {
    name: Text,
    /// What is proposed for the pair, and other facts about it.
    lines: Vec<Text>,
    matches: Vec<AlignmentView>,
}

pub(super) fn page(answer: &Deduplication, options: &Options<'_>) -> Result<String> {
    let words = options.lang.words();
    let lengths: HashMap<&str, f64> = answer
        .clips
        .iter()
        .filter_map(|clip| Some((clip.sha256.as_str(), clip.video.as_ref()?.duration_s)))
        .collect();
    // Pairs with proposed deletions come first, then other copies.
    let proposals: HashMap<usize, Vec<Text>> = proposals(words, answer);
    let mut order: Vec<usize> = (0..answer.pairs.len()).collect();
    let rank = |pair: &Pair| match pair.kind {
        MatchKind::Copy => 0,
        MatchKind::Undecided => 1,
        MatchKind::SameScene => 2,
    };
    order.sort_by_key(|number| {
        (
            !proposals.contains_key(number),
            rank(&answer.pairs[*number]),
        )
    });
    let listed = &order[..order.len().min(PAIRS_MAX)];
    let frames_each = match listed.len() {
        ..=6 => 4,
        7..=10 => 3,
        _ => 1,
    };
    let mut room = Room::new(PICTURES_MAX);
    let mut groups: Vec<Group> = Vec::new();
    let mut shown = 0;
    for &number in listed {
        let pair = &answer.pairs[number];
        let mut matches: Vec<&PairMatch> = pair.matches.iter().collect();
        matches.sort_by(|a, b| {
            let length = |found: &PairMatch| {
                found.found.alignment.clip.end_s - found.found.alignment.clip.start_s
            };
            length(b).total_cmp(&length(a))
        });
        matches.truncate(MATCHES_MAX);
        let mut views = Vec::new();
        for found in matches {
            shown += 1;
            let frames = if shown > FRAMED_MAX {
                // Not decoded at all, since there is no room.
                Frames {
                    no_source: Some(Absent::Room),
                    ..Frames::default()
                }
            } else {
                frames_of(pair, found, frames_each, options)?
            };
            let id = (format!("match-{shown}"), Some(shown));
            let length = lengths
                .get(pair.clip.sha256.as_str())
                .copied()
                .unwrap_or(found.found.alignment.clip.end_s);
            let kind = (Some(found.found.kind), &found.found.alignment);
            views.push(view::alignment(
                options.lang,
                id,
                kind,
                length,
                &frames,
                &mut room,
            ));
        }
        let name = |path: &str| Text::foreign(&file_name(path));
        let mut lines = proposals.get(&number).cloned().unwrap_or_default();
        if pair.identical {
            lines.push(Text::ours(words.identical));
        }
        let left = pair.matches.len() - views.len();
        if left > 0 {
            lines.push(Text::filled(
                words.more_matches,
                &[("n", Text::number(grouped(left as u64)))],
            ));
        }
        let names = [
            ("first", name(&pair.clip.path)),
            ("second", name(&pair.other.path)),
        ];
        groups.push(Group {
            name: Text::filled(words.pair_of, &names),
            lines,
            matches: views,
        });
    }
    let counted = |n: usize| Text::number(grouped(n as u64));
    let copies = answer
        .pairs
        .iter()
        .filter(|pair| pair.kind == MatchKind::Copy)
        .count();
    let left = answer.pairs.len() - listed.len();
    let mut notes = Vec::from_iter(
        (left > 0).then(|| Text::filled(words.more_matches, &[("n", counted(left))])),
    );
    if !answer.failed.is_empty() {
        notes.push(Text::filled(
            words.failed,
            &[("n", counted(answer.failed.len()))],
        ));
    }
    let verdict = if answer.duplicates {
        words.duplicates
    } else {
        words.no_duplicates
    };
    Ok(rendered(&Page {
        frame: Frame::new(Text::ours(verdict), options.lang),
        class: if answer.duplicates {
            "related"
        } else {
            "unpublished"
        },
        verdict,
        says: Text::filled(
            words.duplicates_says,
            &[
                ("n", counted(copies)),
                ("clips", counted(answer.clips.len())),
            ],
        ),
        groups,
        notes,
        foot: foot(words, answer),
    }))
}

fn frames_of(
    pair: &Pair,
    found: &PairMatch,
    pairs: usize,
    options: &Options<'_>,
) -> Result<Frames> {
    let shown = Shown {
        found: &found.found.alignment,
        stream: found.found.stream,
        source_stream: found.reference_stream,
        pairs,
    };
    let streams: Vec<u32> = found.found.stream.into_iter().collect();
    let subject = Subject {
        path: Some(Path::new(&pair.clip.path)),
        sha256: &pair.clip.sha256,
        streams: &streams,
    };
    Ok(gather(subject, &[shown], &[], None, options)?
        .frames
        .pop()
        .unwrap_or_default())
}

/// The proposals for each pair, by its number.
fn proposals(words: &Words, answer: &Deduplication) -> HashMap<usize, Vec<Text>> {
    let mut proposals: HashMap<usize, Vec<Text>> = HashMap::new();
    for group in &answer.groups {
        for member in &group.members {
            let name = |path: &str| Text::foreign(&file_name(path));
            let (sentence, seconds) = match member.extent {
                Extent::Identical => (words.extent_identical, 0.0),
                Extent::Whole => (words.extent_whole, member.copied_s),
                Extent::Part => (words.extent_part, member.copied_s),
            };
            let values = [
                ("keep", name(&group.keep.path)),
                ("member", name(&member.path)),
                ("copied", view::seconds(words, seconds)),
                ("rest", view::seconds(words, member.rest_s)),
            ];
            proposals
                .entry(member.pair)
                .or_default()
                .push(Text::filled(sentence, &values));
        }
    }
    proposals
}

fn foot(words: &'static Words, answer: &Deduplication) -> Vec<Fact> {
    let tool = &answer.tool;
    let versions = format!(
        "{} {}, FFmpeg {}, libavcodec {}",
        tool.name, tool.version, tool.media, tool.libavcodec
    );
    let checked = answer
        .checked_at
        .as_deref()
        .map_or(Text::ours(words.unknown), |time| {
            Text::number(Text::bare(time))
        });
    vec![
        Fact {
            name: words.checked_at,
            value: checked,
        },
        Fact {
            name: words.effort,
            value: Text::ours(words.effort_of(answer.search.effort)),
        },
        Fact {
            name: words.tool,
            value: Text::foreign(&versions),
        },
    ]
}

/// Maximum number of pairs listed.
const PAIRS_MAX: usize = 100;
/// Maximum number of matches listed for a pair, longest first.
const MATCHES_MAX: usize = 4;
/// Maximum number of matches shown with frames.
const FRAMED_MAX: usize = 30;
