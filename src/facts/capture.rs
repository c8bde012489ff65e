//! Reads the container's metadata about the recording (pure).

use crate::media::Tags;
use crate::sandbox::hides;

use super::Capture;

/// Takes facts from the names and values of the metadata; the first one of a kind wins.
pub(super) fn read(tags: &Tags, into: &mut Capture) {
    for (name, value) in &tags.pairs {
        let name = name.to_ascii_lowercase();
        let is = |names: &[&str]| names.contains(&name.as_str());
        if name.contains("location")
            || name.contains("gps")
            || is(&["com.apple.quicktime.location.iso6709", "xyz"])
        {
            // The place itself is private, so only its presence is kept.
            into.has_place |= !value.trim().is_empty();
        } else if is(&[
            "make",
            "com.apple.quicktime.make",
            "com.android.manufacturer",
            "manufacturer",
        ]) {
            keep(&mut into.make, value);
        } else if is(&["model", "com.apple.quicktime.model", "com.android.model"]) {
            keep(&mut into.model, value);
        } else if is(&[
            "creation_time",
            "com.apple.quicktime.creationdate",
            "date_recorded",
            "datetimeoriginal",
        ]) {
            keep_time(&mut into.recorded_at, value);
        }
    }
}

/// Keeps a text that is not blank, cut and cleaned.
fn keep(into: &mut Option<String>, value: &str) {
    let text = clean(value);
    if into.is_none() && !text.is_empty() {
        *into = Some(text);
    }
}

/// Keeps a plausible date; containers without one say 1904 or 1970.
fn keep_time(into: &mut Option<String>, value: &str) {
    let text = clean(value);
    let is_date = text.len() >= 10
        && text.chars().all(|c| {
            c.is_ascii_digit() || matches!(c, '-' | ':' | 'T' | 'Z' | '.' | '+' | ' ' | '/')
        })
        && text.chars().take(4).all(|c| c.is_ascii_digit());
    if into.is_none() && is_date && !text.starts_with("1904") && !text.starts_with("1970-01-01") {
        *into = Some(text);
    }
}

/// Removes invisible characters and cuts the text to its maximum length.
fn clean(text: &str) -> String {
    let shown: String = text.chars().filter(|c| !hides(*c)).take(TEXT_MAX).collect();
    shown.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether cleaning would keep all of a text.
pub(super) fn is_clean(text: &str) -> bool {
    !text.contains(hides)
}

/// Maximum length of a text, in characters.
const TEXT_MAX: usize = 60;
