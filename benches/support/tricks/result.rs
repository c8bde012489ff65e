//! The result of a treated clip (pure).

use std::collections::BTreeMap;

use serde::Serialize;
use uniq::report::{NonMatch, SpanState};
use uniq::{Report, Verdict};

use super::corpus::Corpus;

/// One trick on one clip.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    pub trick: String,
    pub clip: String,
    /// The treated clip.
    pub path: String,
    /// `None` if it could not be made or checked.
    pub verdict: Option<Verdict>,
    pub error: Option<String>,
    /// Seconds that show published content.
    pub copied_s: f64,
    /// Copied seconds that were found published.
    pub published_s: f64,
    /// Copied seconds without an answer, or unpublished by a verdict that pays nothing.
    pub inconclusive_s: f64,
    /// Copied seconds that would be paid for.
    pub paid_s: f64,
    /// The report's payable minutes, in seconds, including own footage.
    pub payable_s: f64,
    /// Whether nearly all of the copied seconds would be paid for.
    pub paid_whole: bool,
    /// All seconds without an answer, by their reason.
    pub reasons: BTreeMap<String, f64>,
    /// The match with the most evidence.
    pub best_match: Option<Found>,
    /// The strongest alignment that was no match.
    pub nearest_non_match: Option<Found>,
}

/// An alignment of the report.
#[derive(Clone, Debug, Serialize)]
pub struct Found {
    pub kind: String,
    pub source: String,
    /// Whether the source shows the treated content.
    pub right: bool,
    pub evidence_bits: f64,
    pub moment_bits: f64,
    pub turned_degrees: u32,
    pub mirrored: bool,
    pub hits: u64,
}

impl Row {
    /// Compares a report with the seconds that show published content.
    pub fn new(
        name: (&str, &str),
        report: &Report,
        copied: &[(f64, f64)],
        groups: &[String],
        corpus: &Corpus,
    ) -> Row {
        let mut row = Row::failed(name, String::new());
        row.error = None;
        row.verdict = Some(report.verdict);
        row.path.clone_from(&report.clip.path);
        row.copied_s = copied.iter().map(|(start, end)| end - start).sum();
        row.payable_s = report.payable_minutes * 60.0;
        for span in &report.spans {
            let seconds: f64 = copied
                .iter()
                .map(|&(start, end)| (end.min(span.end_s) - start.max(span.start_s)).max(0.0))
                .sum();
            match span.state {
                SpanState::Published => row.published_s += seconds,
                SpanState::Unpublished if report.verdict != Verdict::Inconclusive => {
                    row.paid_s += seconds
                }
                _ => row.inconclusive_s += seconds,
            }
            if !matches!(span.state, SpanState::Published | SpanState::Unpublished) {
                let code = span
                    .reason
                    .as_ref()
                    .and_then(|reason| serde_json::to_value(reason.code).ok());
                let code = code
                    .as_ref()
                    .and_then(|code| code.as_str())
                    .unwrap_or("none")
                    .to_owned();
                *row.reasons.entry(code).or_default() += span.end_s - span.start_s;
            }
        }
        row.paid_whole = row.paid_s >= WHOLE * row.copied_s;
        let found = |kind: String, of: &NonMatch| Found {
            kind,
            right: corpus
                .group(&of.source.path)
                .is_some_and(|group| groups.iter().any(|right| right == group)),
            source: of.source.path.clone(),
            evidence_bits: of.evidence_bits,
            moment_bits: of.moment_bits,
            turned_degrees: of.turned_degrees,
            mirrored: of.mirrored,
            hits: of.hits,
        };
        let best = report.matches.iter().max_by(|a, b| {
            a.alignment
                .evidence_bits
                .total_cmp(&b.alignment.evidence_bits)
        });
        row.best_match =
            best.map(|best| found(format!("{:?}", best.kind).to_lowercase(), &best.alignment));
        row.nearest_non_match = report
            .nearest_non_match
            .as_ref()
            .map(|near| found("none".to_owned(), near));
        row
    }

    /// A clip that could not be made or checked: nothing is paid for it, and no sum counts it.
    pub fn failed((trick, clip): (&str, &str), error: String) -> Row {
        Row {
            trick: trick.to_owned(),
            clip: clip.to_owned(),
            path: String::new(),
            verdict: None,
            error: Some(error),
            copied_s: 0.0,
            published_s: 0.0,
            inconclusive_s: 0.0,
            paid_s: 0.0,
            payable_s: 0.0,
            paid_whole: false,
            reasons: BTreeMap::new(),
            best_match: None,
            nearest_non_match: None,
        }
    }
}

/// Share of the copied seconds from which a clip counts as paid whole.
const WHOLE: f64 = 0.9;
