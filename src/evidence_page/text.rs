//! Text that is safe on a page: foreign text is escaped, isolated and cut (pure).
//!
//! [`Text`] is the only value that a template prints without escaping. It holds our own words,
//! which are escaped too, and foreign text without anything invisible: control characters,
//! bidirectional marks and invisible characters become readable escapes.

use std::fmt::{self, Display, Write as _};

use askama::FastWritable;
use askama::filters::HtmlSafe;

use crate::sandbox::hides;

/// HTML without any element or attribute from foreign text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text(String);

impl Text {
    /// Our own words.
    pub fn ours(words: &str) -> Text {
        let mut html = String::with_capacity(words.len());
        words.chars().for_each(|c| escape(&mut html, c));
        Text(html)
    }

    /// Text that somebody else wrote: a name, a title, a reason of a decoder. It is cut to 300
    /// characters, since longer titles and names are made to hide something.
    pub fn foreign(text: &str) -> Text {
        Text::foreign_within(text, CHARACTERS_MAX)
    }

    /// As [`Text::foreign`], cut to `characters` characters.
    pub fn foreign_within(text: &str, characters: usize) -> Text {
        Text(format!("<bdi>{}</bdi>", readable(text, characters)))
    }

    /// Foreign text without the element around it, for titles and attributes.
    pub fn bare(text: &str) -> Text {
        Text::bare_within(text, CHARACTERS_MAX)
    }

    /// As [`Text::bare`], cut to `characters` characters.
    pub fn bare_within(text: &str, characters: usize) -> Text {
        Text(readable(text, characters))
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A number, a time or an identifier, which reads from left to right in any language.
    pub fn number(number: impl Display) -> Text {
        let mut html = String::from("<bdi dir=\"ltr\" class=\"n\">");
        number
            .to_string()
            .chars()
            .for_each(|c| escape(&mut html, c));
        html.push_str("</bdi>");
        Text(html)
    }

    /// Our own sentence, in which each `{name}` is replaced by a text.
    pub fn filled(sentence: &str, values: &[(&str, Text)]) -> Text {
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

    /// Several texts in a row.
    pub fn joined(texts: impl IntoIterator<Item = Text>, between: &str) -> Text {
        let between = Text::ours(between).0;
        Text(
            texts
                .into_iter()
                .map(|text| text.0)
                .collect::<Vec<_>>()
                .join(&between),
        )
    }

    /// The text without elements, for an attribute. Everything between angle brackets was written
    /// here.
    pub(super) fn plain(&self) -> Text {
        let mut inside = false;
        let keep = |c: &char| {
            inside = if inside { *c != '>' } else { *c == '<' };
            !inside && *c != '>'
        };
        Text(self.0.chars().filter(keep).collect())
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

/// Foreign text, escaped and cut.
fn readable(text: &str, characters: usize) -> String {
    let mut html = String::new();
    for c in text.chars().take(characters) {
        if hides(c) && c != ' ' {
            // Escapes are ASCII without characters that are special in HTML.
            html.extend(c.escape_default());
        } else {
            escape(&mut html, c);
        }
    }
    let left = text.chars().skip(characters).count();
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
        '`' => html.push_str("&#96;"),
        c => html.push(c),
    }
}

/// `h:mm:ss.ss`, for a time in a video.
pub(super) fn clock(seconds: f64) -> Text {
    Text::number(clock_of(seconds))
}

/// A range of times.
pub(super) fn interval(start_s: f64, end_s: f64) -> Text {
    Text::number(format!("{} – {}", clock_of(start_s), clock_of(end_s)))
}

/// As [`clock`], without the element.
pub(super) fn clock_of(seconds: f64) -> String {
    let hundredths = if seconds.is_finite() {
        (seconds.clamp(0.0, 1e9) * 100.0).round() as u64
    } else {
        0
    };
    let (whole, hundredth) = (hundredths / 100, hundredths % 100);
    format!(
        "{}:{:02}:{:02}.{hundredth:02}",
        whole / 3600,
        whole / 60 % 60,
        whole % 60
    )
}

/// A whole number in groups of three digits.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

/// Maximum length of foreign text, in characters: longer titles and names are made to hide
/// something.
const CHARACTERS_MAX: usize = 300;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn foreign_text_is_isolated_and_what_steers_it_can_be_read() {
        let shown = |text: &str| Text::foreign(text).to_string();
        assert_eq!(
            shown("<script>alert(1)</script>"),
            "<bdi>&lt;script&gt;alert(1)&lt;/script&gt;</bdi>"
        );
        assert_eq!(
            shown("a\"onerror='x'"),
            "<bdi>a&quot;onerror=&#39;x&#39;</bdi>"
        );
        assert_eq!(
            shown("gpj\u{202e}4pm\u{2066}\0\n"),
            "<bdi>gpj\\u{202e}4pm\\u{2066}\\u{0}\\n</bdi>"
        );
        assert_eq!(shown("صيف 2024 東京 🎬"), "<bdi>صيف 2024 東京 🎬</bdi>");
        assert!(
            shown(&"x".repeat(100_000)).len() < 400
                && shown(&"x".repeat(100_000)).contains("(+99700)")
        );
    }

    #[test]
    fn a_sentence_takes_texts_where_their_names_stand() {
        let filled = Text::filled(
            "{a} < {b}, {none}.",
            &[("a", Text::foreign("<")), ("b", Text::number(7))],
        );
        assert_eq!(
            filled.to_string(),
            "<bdi>&lt;</bdi> &lt; <bdi dir=\"ltr\" class=\"n\">7</bdi>, ."
        );
        assert_eq!(filled.plain().to_string(), "&lt; &lt; 7, .");
    }

    #[test]
    fn times_and_numbers_read_as_a_person_writes_them() {
        assert_eq!(clock_of(3_725.046), "1:02:05.05");
        assert_eq!(
            (clock_of(f64::NAN), clock_of(-1.0)),
            ("0:00:00.00".to_owned(), "0:00:00.00".to_owned())
        );
        assert_eq!(grouped(1_234_567), "1\u{202f}234\u{202f}567");
    }

    proptest! {
        #[test]
        fn no_foreign_text_brings_an_element_or_ends_an_attribute(text in any::<String>()) {
            for html in [Text::bare(&text).to_string(), Text::foreign(&text).plain().to_string()] {
                let dangerous = |c: char| matches!(c, '<' | '>' | '"' | '\'' | '`') || (hides(c) && c != ' ');
                prop_assert!(!html.contains(dangerous), "{}", html);
            }
            let html = Text::filled("{a}", &[("a", Text::foreign(&text))]).to_string();
            prop_assert_eq!(html.matches('<').count(), 2);
        }
    }
}
