//! Recognises characters that control a terminal or reorder a line, and escapes them in JSON
//! (pure).

use serde::Serialize;

/// Returns whether a character can control a terminal or reorder the line: control characters, line
/// separators, bidirectional marks. All of them are below U+10000.
pub fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Writes a value as one line of JSON without such characters. They become `\u` and four digits,
/// which every JSON reader restores.
///
/// # Errors
///
/// Those of [`serde_json::to_string`], for values that are not JSON.
pub fn json_line(value: &impl Serialize) -> serde_json::Result<String> {
    let text = serde_json::to_string(value)?;
    if !text.contains(steers) {
        return Ok(text);
    }
    // They can only be inside strings: elsewhere JSON is ASCII, and here without white space.
    let mut line = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if steers(c) {
            line.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            line.push(c);
        }
    }
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_is_escaped_and_reads_back_as_it_was() {
        let evil =
            "\u{1b}[2J\u{9b}31m\u{7f}\u{85}\u{202e}\u{2066}\u{2028}\u{feff}\n\"\\ Über 東京 🎬";
        let line = json_line(&[evil]).unwrap();
        assert!(!line.contains(steers), "{line}");
        assert!(
            line.contains("\\u009b31m\\u007f\\u0085\\u202e") && line.contains("Über 東京 🎬"),
            "{line}"
        );
        assert_eq!(serde_json::from_str::<[String; 1]>(&line).unwrap()[0], evil);
    }
}
