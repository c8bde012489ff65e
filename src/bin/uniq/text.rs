//! Makes foreign strings safe for a terminal, and numbers readable (pure).

use std::borrow::Cow;
use std::error::Error;
use std::fmt::Write as _;

use uniq::sandbox::hides;

/// Escapes characters that a terminal does not show as they are: control characters, bidirectional
/// marks, and invisible ones.
pub(crate) fn plain(foreign: &str) -> Cow<'_, str> {
    if !foreign.contains(hides) {
        return Cow::Borrowed(foreign);
    }
    let mut escaped = String::with_capacity(foreign.len() + 16);
    for c in foreign.chars() {
        if hides(c) {
            escaped.extend(c.escape_default());
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

/// As [`plain`], for text with our own line breaks.
pub(crate) fn plain_lines(text: &str) -> String {
    let lines: Vec<_> = text.split('\n').map(plain).collect();
    lines.join("\n")
}

/// An error and its causes on one line, without causes that repeat the text before them.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut last = line.clone();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let text = inner.to_string();
        if !text.is_empty() && !last.ends_with(&text) {
            let _ = write!(line, ": {text}");
        }
        last = text;
        cause = inner.source();
    }
    // A foreign library may end its text with `: ` and no detail.
    plain(line.trim_end_matches(": ")).into_owned()
}

/// `m:ss.s` or `h:mm:ss.s`, for a time in a video.
pub(crate) fn clock(seconds: f64) -> String {
    let tenths = (seconds.max(0.0) * 10.0).round() as u64;
    let (whole, tenth) = (tenths / 10, tenths % 10);
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}.{tenth}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}.{tenth}"),
    }
}

/// A part of a video, by its times in seconds.
pub(crate) fn interval(start_s: f64, end_s: f64) -> String {
    format!("{}-{}", clock(start_s), clock(end_s))
}

/// A length in suitable units: `42 s`, `5 min 3 s`, `2 h 5 min`.
pub(crate) fn length(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match whole {
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole / 60 % 60),
    }
}

/// An amount of video: in hours from one hour on, otherwise as [`length`].
pub(crate) fn hours(hours: f64) -> String {
    if hours < 1.0 {
        length(hours * 3600.0)
    } else if hours < 100.0 {
        match tenths(hours) {
            one if one == "1.0" => "1.0 hour".to_owned(),
            several => format!("{several} hours"),
        }
    } else {
        format!("{} hours", grouped(hours.round() as u64))
    }
}

/// A whole number in groups of three digits.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

/// A number with one decimal, its whole part grouped as by [`grouped`].
pub(crate) fn tenths(number: f64) -> String {
    let tenths = (number.max(0.0) * 10.0).round() as u64;
    format!("{}.{}", grouped(tenths / 10), tenths % 10)
}

/// A number without decimals, grouped as by [`grouped`].
pub(crate) fn whole(number: f64) -> String {
    let sign = if number <= -0.5 { "-" } else { "" };
    format!("{sign}{}", grouped(number.abs().round() as u64))
}

/// `1 video`, `2 videos`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(number))
}

/// A size in binary units.
pub(crate) fn bytes(bytes: u64) -> String {
    let mut size = bytes as f64;
    for unit in ["bytes", "KiB", "MiB", "GiB"] {
        if size < 1024.0 {
            return if unit == "bytes" {
                format!("{bytes} bytes")
            } else {
                format!("{size:.1} {unit}")
            };
        }
        size /= 1024.0;
    }
    format!("{size:.1} TiB")
}

/// Bytes in lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_cannot_reach_the_terminal() {
        assert_eq!(
            plain("\u{1b}[2Jx\r\n\u{9b}31m"),
            "\\u{1b}[2Jx\\r\\n\\u{9b}31m"
        );
        assert_eq!(plain("gpj\u{202e}4pm"), "gpj\\u{202e}4pm");
        assert_eq!(
            plain("a\u{200b}b\u{e0041}\u{fe0f}\u{ad}\u{feff}"),
            "a\\u{200b}b\\u{e0041}\\u{fe0f}\\u{ad}\\u{feff}"
        );
        assert_eq!(plain("Über 東京 🎬.mp4"), "Über 東京 🎬.mp4");
        assert_eq!(plain_lines("a\u{7}\nb"), "a\\u{7}\nb");
    }

    #[test]
    fn causes_are_said_once() {
        let inner = std::io::Error::other("no such thing");
        let error = uniq::Error::Io {
            path: "a\nb".into(),
            doing: "open",
            source: std::io::Error::other(inner),
        };
        assert_eq!(chain(&error), "a\\nb: open failed: no such thing");
        let without_detail = uniq::Error::Io {
            path: "a".into(),
            doing: "open",
            source: std::io::Error::other("unknown: "),
        };
        assert_eq!(chain(&without_detail), "a: open failed: unknown");
    }

    #[test]
    fn times_and_numbers_read_as_a_person_writes_them() {
        let times = [2.0, 59.96, 754.6, 3_725.04, 36_000.0].map(clock);
        assert_eq!(
            times,
            ["0:02.0", "1:00.0", "12:34.6", "1:02:05.0", "10:00:00.0"]
        );
        assert_eq!(interval(2.0, 72.0), "0:02.0-1:12.0");
        assert_eq!(length(59.4), "59 s");
        assert_eq!(length(303.0), "5 min 3 s");
        assert_eq!(length(7_500.0), "2 h 5 min");
        assert_eq!(hours(0.048), "2 min 53 s");
        assert_eq!(hours(81.27), "81.3 hours");
        assert_eq!(hours(1_234.4), "1 234 hours");
        assert_eq!(grouped(1_234_567), "1 234 567");
        assert_eq!(count(1, "video"), "1 video");
        assert_eq!(bytes(1_536), "1.5 KiB");
        assert_eq!(
            (whole(1041.3), whole(-7.0), whole(-0.2)),
            ("1 041".into(), "-7".into(), "0".into())
        );
        assert_eq!(
            (tenths(9_999.96), hours(1.0)),
            ("10 000.0".into(), "1.0 hour".into())
        );
    }
}
