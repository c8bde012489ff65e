//! Makes one self-contained HTML page of an answer, so that people can see the evidence and judge
//! for themselves.
//!
//! A page needs no network and no script; its policy forbids both. It begins with the answer and
//! the time lines. For each match it shows frames of clip and source at corresponding times, the
//! clip's frame laid over the source's, and the reasons for and against. The nearest non-match is
//! shown in the same way.
//!
//! Everything that others wrote is shown as text: names, titles, addresses, reasons. No address is
//! a link. Foreign files are decoded as the caller's options say ([`Decoding`]). Frames are encoded
//! again here, so that no byte of a foreign file reaches a page.
//!
//! A page has at most [`PAGE_BYTES_MAX`] bytes. What does not fit is left out, and the page says
//! so.

mod check;
mod claimed;
mod frames;
mod geometry;
mod pairs;
mod raster;
mod sections;
mod text;
mod timeline;
mod view;
mod words;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use askama::Template;
use base64::Engine as _;
use sha2::{Digest as _, Sha256};

use self::words::Words;
use crate::certificate::Statement;
use crate::dedup::Deduplication;
use crate::error::Result;
use crate::index::Index;
use crate::report::{Reason, Report};
use crate::sandbox::Decoding;

pub use self::text::Text;
pub use self::words::Lang;

/// How pages are made.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    /// The language.
    pub lang: Lang,
    /// How and where clips and sources are decoded, with which limits.
    pub decoding: &'a Decoding,
    /// Stops the work once it is set.
    pub cancel: Option<&'a AtomicBool>,
    /// How sources without a title are named.
    pub sources: SourceNames,
}

/// How sources are named on a page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SourceNames {
    /// By their paths, as in the report.
    #[default]
    Paths,
    /// By their file names, for readers who should not see paths.
    FileNames,
}

impl<'a> Options<'a> {
    /// Options in English and without cancellation.
    pub fn new(decoding: &'a Decoding) -> Options<'a> {
        Options {
            lang: Lang::default(),
            decoding,
            cancel: None,
            sources: SourceNames::default(),
        }
    }

    fn is_cancelled(&self) -> bool {
        self.cancel
            .is_some_and(|cancel| cancel.load(Ordering::Relaxed))
    }
}

/// The page of a report, as HTML.
///
/// `clip` is the file that was checked, if available. `index` is the one that was searched; its
/// small pictures replace sources whose files are gone.
///
/// # Errors
///
/// [`Error::Cancelled`](crate::Error::Cancelled), and
/// [`Error::CorruptIndex`](crate::Error::CorruptIndex). A file that is gone, has changed or cannot
/// be decoded is no error: the page says why its frames are missing.
pub fn of_report(
    report: &Report,
    clip: Option<&Path>,
    index: Option<&Index>,
    options: &Options<'_>,
) -> Result<String> {
    check::page(report, clip, index, options)
}

/// The page of a certificate's claims, as HTML. It has no frames, since a certificate has none.
/// `key_id` names the key that is claimed to have signed it.
pub fn of_certificate(statement: &Statement, key_id: &str, lang: Lang) -> String {
    claimed::page(statement, key_id, lang)
}

/// The page of a search for duplicates, as HTML.
///
/// # Errors
///
/// Those of [`of_report`].
pub fn of_deduplication(answer: &Deduplication, options: &Options<'_>) -> Result<String> {
    pairs::page(answer, options)
}

/// The sentence of a reason in a language, as on pages.
pub fn reason(reason: &Reason, lang: Lang) -> Text {
    view::reason(lang, reason)
}

/// Maximum length of a page, in bytes.
pub const PAGE_BYTES_MAX: usize = 3_000_000;

/// The beginning and end of every page.
struct Frame {
    title: Text,
    words: &'static Words,
    style: &'static str,
    policy: String,
}

impl Frame {
    fn new(title: Text, lang: Lang) -> Frame {
        let digest = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(STYLE));
        let policy = format!(
            "default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
        );
        Frame {
            title: title.plain(),
            words: lang.words(),
            style: STYLE,
            policy,
        }
    }
}

/// Renders a template, which can only fail when memory runs out.
fn rendered(template: &impl Template) -> String {
    template.render().unwrap_or_default()
}

/// The only style sheet of a page; its digest is in the page's policy.
const STYLE: &str = include_str!("templates/style.css");
