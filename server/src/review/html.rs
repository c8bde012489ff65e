//! Text that is safe to stand in a page (pure).
//!
//! [`Text`] is the only value that a template prints as it is. Foreign text in it is escaped and
//! isolated, and keeps nothing that is not seen: control and bidirectional characters become escapes
//! that can be read.

use std::fmt::{self, Display, Write as _};

use askama::FastWritable;
use askama::filters::HtmlSafe;
use uniq::evidence_page::{self, Lang};
use uniq::report::Reason;

/// HTML without any element or attribute that foreign text could have brought along.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Text(String);

impl Text {
    /// Our own words.
    pub(super) fn ours(words: &str) -> Text {
        let mut html = String::with_capacity(words.len());
        words.chars().for_each(|c| escape(&mut html, c));
        Text(html)
    }

    /// Text that somebody else wrote.
    pub(super) fn foreign(text: &str) -> Text {
        Text(format!("<bdi>{}</bdi>", readable(text)))
    }

    /// The sentence of a reason of a report.
    pub(super) fn reason(reason: &Reason, lang: Lang) -> Text {
        Text(evidence_page::reason(reason, lang))
    }

    /// Foreign text without the element around it: for titles and attributes.
    pub(super) fn bare(text: &str) -> Text {
        Text(readable(text))
    }

    /// A number, a time or an identifier, which reads from left to right in any language.
    pub(super) fn number(number: impl Display) -> Text {
        let mut html = String::from("<bdi dir=\"ltr\" class=\"n\">");
        number.to_string().chars().for_each(|c| escape(&mut html, c));
        html.push_str("</bdi>");
        Text(html)
    }

    /// Our own sentence, in which each `{name}` stands for a text.
    pub(super) fn filled(sentence: &str, values: &[(&str, Text)]) -> Text {
        let mut html = String::new();
        let mut rest = sentence;
        while let Some((before, after)) = rest.split_once('{') {
            html.push_str(&Text::ours(before).0);
            let (name, after) = after.split_once('}').unwrap_or((after, ""));
            if let Some((_, value)) = values.iter().find(|(known, _)| *known == name) {
                html.push_str(&value.0);
            }
            rest = after;
        }
        html.push_str(&Text::ours(rest).0);
        Text(html)
    }

    /// Several texts, one after the other.
    pub(super) fn joined(texts: impl IntoIterator<Item = Text>, between: &str) -> Text {
        let between = Text::ours(between).0;
        Text(texts.into_iter().map(|text| text.0).collect::<Vec<_>>().join(&between))
    }

    /// Whether there is nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FastWritable for Text {
    fn write_into(&self, out: &mut dyn fmt::Write, _: &dyn askama::Values) -> askama::Result<()> {
        out.write_str(&self.0)?;
        Ok(())
    }
}

impl HtmlSafe for Text {}

/// Foreign text, escaped and cut to [`CHARACTERS_MAX`].
fn readable(text: &str) -> String {
    let mut html = String::new();
    for c in text.chars().take(CHARACTERS_MAX) {
        if uniq::sandbox::hides(c) && c != ' ' {
            html.extend(c.escape_default());
        } else {
            escape(&mut html, c);
        }
    }
    let left = text.chars().skip(CHARACTERS_MAX).count();
    if left > 0 {
        let _ = write!(html, "… (+{left})");
    }
    html
}

fn escape(html: &mut String, c: char) {
    match c {
        '&' => html.push_str("&amp;"),
        '<' => html.push_str("&lt;"),
        '>' => html.push_str("&gt;"),
        '"' => html.push_str("&quot;"),
        '\'' => html.push_str("&#39;"),
        _ => html.push(c),
    }
}

/// Maximum length of foreign text on a page, in characters; a reason has at most 500.
const CHARACTERS_MAX: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_stays_text_and_shows_what_it_hides() {
        let text = Text::foreign("</bdi><script>\u{202e}'\"&").to_string();
        assert_eq!(text, "<bdi>&lt;/bdi&gt;&lt;script&gt;\\u{202e}&#39;&quot;&amp;</bdi>");
        let filled = Text::filled("by {who} <b>", &[("who", Text::foreign("{who}"))]).to_string();
        assert_eq!(filled, "by <bdi>{who}</bdi> &lt;b&gt;");
        assert!(Text::foreign(&"x".repeat(9_000)).to_string().len() < 600);
    }
}
