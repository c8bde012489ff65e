//! The parts of Markdown that these tests need: headings, fenced blocks, links.

use std::fs;
use std::path::Path;

use super::root;

/// The text of a page, by its path from the repository's root.
pub(crate) fn read(page: &Path) -> String {
    let path = root().join(page);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A fenced block.
#[derive(Debug, PartialEq)]
pub(crate) struct Block {
    /// The heading above it, without its `#`.
    pub(crate) heading: String,
    /// The word after the fence.
    pub(crate) language: String,
    /// Its lines.
    pub(crate) text: String,
}

/// The fenced blocks of a page.
pub(crate) fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut heading = String::new();
    let mut open: Option<Block> = None;
    for line in text.lines() {
        match (&mut open, line.trim_start().strip_prefix("```")) {
            (None, Some(language)) => {
                open = Some(Block {
                    heading: heading.clone(),
                    language: language.trim().to_owned(),
                    text: String::new(),
                });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => block.text += &format!("{line}\n"),
            (None, None) => {
                if line.starts_with('#') {
                    heading = line.trim_start_matches('#').trim().to_owned();
                }
            }
        }
    }
    assert!(open.is_none(), "a block of the page has no end: {open:?}");
    blocks
}

/// The lines of a page outside its fenced blocks, each with its number.
pub(crate) fn prose(text: &str) -> Vec<(usize, &str)> {
    let mut inside = false;
    let lines = text.lines().enumerate();
    lines
        .filter_map(|(number, line)| {
            let fence = line.trim_start().starts_with("```");
            inside ^= fence;
            (!inside && !fence).then_some((number + 1, line))
        })
        .collect()
}

/// The anchors of a page, as GitHub makes them from headings.
pub(crate) fn anchors(text: &str) -> Vec<String> {
    let mut anchors: Vec<String> = Vec::new();
    for (_, line) in prose(text) {
        let level = line.bytes().take_while(|byte| *byte == b'#').count();
        if level == 0 || !line[level..].starts_with(' ') {
            continue;
        }
        let name: String = line[level..]
            .trim()
            .to_lowercase()
            .chars()
            .filter_map(|char| match char {
                ' ' => Some('-'),
                '-' | '_' => Some(char),
                _ => char.is_alphanumeric().then_some(char),
            })
            .collect();
        let same = anchors
            .iter()
            .filter(|other| **other == name || other.starts_with(&format!("{name}-")))
            .count();
        anchors.push(if anchors.contains(&name) {
            format!("{name}-{same}")
        } else {
            name
        });
    }
    anchors
}

/// The targets of the links and pictures in a line, except inside backticks.
pub(crate) fn targets(line: &str) -> Vec<String> {
    let plain: String = line
        .split('`')
        .enumerate()
        .map(|(number, part)| if number % 2 == 0 { part } else { "code" })
        .collect();
    plain
        .split("](")
        .skip(1)
        .filter_map(|rest| Some(rest.split_once(')')?.0.to_owned()))
        .collect()
}

#[test]
fn a_page_is_taken_apart() {
    let page = "# A b\n[x](y.md#c) ![z](`no`) `[q](r)`\n\n## Say: what?\n```sh\n# no heading\n[n](o)\n```\n## A b\n";
    assert_eq!(anchors(page), ["a-b", "say-what", "a-b-1"]);
    assert_eq!(
        blocks(page),
        [Block {
            heading: "Say: what?".into(),
            language: "sh".into(),
            text: "# no heading\n[n](o)\n".into()
        }]
    );
    let found: Vec<String> = prose(page)
        .iter()
        .flat_map(|(_, line)| targets(line))
        .collect();
    assert_eq!(found, ["y.md#c", "code"]);
}
