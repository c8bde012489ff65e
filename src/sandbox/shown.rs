//! Recognises characters that a screen does not show faithfully (pure).

/// Returns whether a character controls a terminal, reorders a line, is invisible, or has no common
/// meaning: control and format characters, variation selectors, tags, fillers, private and
/// unassigned characters, and all spaces but the common ones.
///
/// Names that differ only in these look the same, and so must not be shown as they are.
pub fn hides(c: char) -> bool {
    match c {
        // Used in ordinary texts: the no-break space, and the space of Chinese and Japanese.
        '\u{a0}' | '\u{3000}' | '"' | '\'' | '\\' => false,
        // Invisible letters, marks and symbols, which the general categories do not separate.
        '\u{34f}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{17b4}'
        | '\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{2800}'
        | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{ffa0}'
        | '\u{1d159}'
        | '\u{e0000}'..='\u{e0fff}' => true,
        _ => !is_printable(c),
    }
}

/// Uses the standard library's tables: its debug form escapes characters of categories C and Z,
/// except for the space.
fn is_printable(c: char) -> bool {
    // It follows another character, since marks that would combine with a quote are escaped too.
    let mut text = [b'x', 0, 0, 0, 0];
    let length = 1 + c.encode_utf8(&mut text[1..]).len();
    std::str::from_utf8(&text[..length]).is_ok_and(|text| text.escape_debug().count() == 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_told_from_what_people_write() {
        let hidden = "\0\u{1b}\n\u{7f}\u{85}\u{ad}\u{34f}\u{61c}\u{70f}\u{115f}\u{180e}\u{2003}\u{200b}\u{200c}\u{200d}\u{200e}\
            \u{200f}\u{2028}\u{202a}\u{202e}\u{202f}\u{2060}\u{2064}\u{2066}\u{2069}\u{206f}\u{2800}\u{3164}\u{e000}\u{f8ff}\u{fe00}\
            \u{fe0f}\u{feff}\u{ffa0}\u{fff9}\u{ffff}\u{1d173}\u{e0001}\u{e0041}\u{e007f}\u{e0100}\u{e01ef}\u{f0000}\u{10ffff}\u{378}";
        for c in hidden.chars() {
            assert!(hides(c), "{c:?}");
        }
        for c in "a b\"'\\~ÄßЯ東京\u{3000}e\u{301}हिन्दीไม้ك\u{a0}…—·🎬👍🏽".chars()
        {
            assert!(!hides(c), "{c:?}");
        }
    }
}
