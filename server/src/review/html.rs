//! Text that others wrote, made safe for a page as on evidence pages, with other lengths (pure).

use uniq::evidence_page::Text;

/// Text that somebody else wrote.
pub(super) fn foreign(text: &str) -> Text {
    Text::foreign_within(text, CHARACTERS_MAX)
}

/// The same without an element, for titles and attributes.
pub(super) fn bare(text: &str) -> Text {
    Text::bare_within(text, CHARACTERS_MAX)
}

/// Maximum length of foreign text on a page, in characters; a reason has at most 500.
const CHARACTERS_MAX: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_stays_text_and_shows_what_it_hides() {
        let text = foreign("</bdi><script>\u{202e}'\"&").to_string();
        assert_eq!(
            text,
            "<bdi>&lt;/bdi&gt;&lt;script&gt;\\u{202e}&#39;&quot;&amp;</bdi>"
        );
        let filled = Text::filled("by {who} <b>", &[("who", foreign("{who}"))]).to_string();
        assert_eq!(filled, "by <bdi>{who}</bdi> &lt;b&gt;");
        assert!(foreign(&"x".repeat(9_000)).to_string().len() < 600);
    }
}
