//! The page of clips that show the same.

use std::path::Path;

use askama::Template;

use super::check::{PICTURES_MAX, file_name};
use super::frames::{Absent, Frames, Shown, Subject, gather};
use super::text::{Text, grouped};
use super::view::{self, AlignmentView, Fact, Room};
use super::{Frame, Options, rendered};
use crate::Result;
use crate::report::{Match, Tool};

/// Two clips and what they share. The second is the source of the match; its file is named there.
#[derive(Debug, Clone, Copy)]
pub struct Duplicate<'a> {
    /// The first clip's file.
    pub clip: &'a Path,
    /// Its SHA-256, in hex.
    pub sha256: &'a str,
    /// Its length in seconds.
    pub duration_s: f64,
    /// What both show.
    pub found: &'a Match,
}

#[derive(Template)]
#[template(path = "pairs.html")]
struct Page {
    frame: Frame,
    class: &'static str,
    says: Text,
    groups: Vec<Group>,
    notes: Vec<Text>,
    foot: Vec<Fact>,
}

/// The matches of one pair of clips.
struct Group {
    name: Text,
    matches: Vec<AlignmentView>,
}

pub(super) fn page(duplicates: &[Duplicate<'_>], options: &Options<'_>) -> Result<String> {
    let words = options.lang.words();
    let listed = &duplicates[..duplicates.len().min(PAIRS_MAX)];
    let pairs = match listed.len() {
        ..=6 => 4,
        7..=10 => 3,
        _ => 1,
    };
    let mut room = Room::new(PICTURES_MAX);
    let mut groups: Vec<Group> = Vec::new();
    let mut last = None;
    for (i, duplicate) in listed.iter().enumerate() {
        let found = &duplicate.found.alignment;
        let shown = Shown { found, stream: duplicate.found.stream, pairs };
        let frames = match i {
            // Not even decoded: there is no room for them.
            FRAMED_MAX.. => Frames { no_source: Some(Absent::Room), ..Frames::default() },
            _ => {
                let streams: Vec<u32> = duplicate.found.stream.into_iter().collect();
                let subject = Subject { path: Some(duplicate.clip), sha256: duplicate.sha256, streams: &streams };
                gather(subject, &[shown], &[], None, options)?.frames.pop().unwrap_or_default()
            }
        };
        let id = (format!("match-{}", i + 1), Some(i + 1));
        let kind = (Some(duplicate.found.kind), found);
        let view = view::alignment(options.lang, id, kind, duplicate.duration_s, &frames, &mut room);
        let pair = (duplicate.clip, found.source.path.as_str());
        if last.replace(pair) != Some(pair) {
            let first = Text::foreign(&file_name(&duplicate.clip.to_string_lossy()));
            let names = [("first", first), ("second", Text::foreign(&file_name(&found.source.path)))];
            groups.push(Group { name: Text::filled(words.pair_of, &names), matches: Vec::new() });
        }
        if let Some(group) = groups.last_mut() {
            group.matches.push(view);
        }
    }
    let counted = |n: usize| Text::number(grouped(n as u64));
    let left = duplicates.len() - listed.len();
    let tool = Tool::this();
    let versions = format!("{} {}, FFmpeg {}, libavcodec {}", tool.name, tool.version, tool.media, tool.libavcodec);
    Ok(rendered(&Page {
        frame: Frame::new(Text::ours(words.duplicates), options.lang),
        class: if duplicates.is_empty() { "unpublished" } else { "related" },
        says: Text::filled(words.duplicates_says, &[("n", counted(duplicates.len()))]),
        groups,
        notes: Vec::from_iter((left > 0).then(|| Text::filled(words.more_matches, &[("n", counted(left))]))),
        foot: vec![Fact { name: words.tool, value: Text::foreign(&versions) }],
    }))
}

/// Pairs that are listed.
const PAIRS_MAX: usize = 100;
/// Pairs that are shown with frames.
const FRAMED_MAX: usize = 30;
