//! The result in a canonical form with one digest: lines of plain text.
//!
//! `docs/certificate.md` describes each line. The lines contain no dates, paths, names of machines,
//! versions of decoders or text for people. So a repeated search gives the same lines, or a
//! different result.

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::predicate::{Evidence, Predicate};
use crate::index::hex;

/// The lines of a result, without line feeds.
pub fn lines(predicate: &Predicate) -> Vec<String> {
    let Predicate {
        verdict,
        spans,
        matches,
        method,
        corpus,
        search,
        ..
    } = predicate;
    let mut lines = vec![
        "uniq-result 1".to_owned(),
        format!("corpus {}", corpus.root),
        format!(
            "method {} {} {}",
            method.fingerprint_version,
            method.policy_digest,
            name(&method.effort)
        ),
        format!("search {} {}", name(&search.grade), search.radius_bits),
        format!("verdict {}", name(verdict)),
    ];
    for span in spans {
        let reason = span.reason.map_or("-".to_owned(), |reason| name(&reason));
        lines.push(format!(
            "span {} {} {} {reason}",
            span.start_ms,
            span.end_ms,
            name(&span.state)
        ));
    }
    let mut found: Vec<String> = matches
        .iter()
        .map(|found| format!("match {} {}", name(&found.kind), evidence(&found.evidence)))
        .collect();
    // The order of two sources at the same time has no meaning.
    found.sort();
    lines.extend(found);
    lines
}

/// SHA-256 of the lines, each followed by a line feed, in hexadecimal.
pub fn result_digest(predicate: &Predicate) -> String {
    let text: String = lines(predicate)
        .iter()
        .flat_map(|line| [line.as_str(), "\n"])
        .collect();
    hex(&Sha256::digest(text))
}

/// The first difference of two results; `None` if they are equal.
pub fn first_difference(certified: &Predicate, found: &Predicate) -> Option<String> {
    let (certified, found) = (lines(certified), lines(found));
    let at =
        (0..certified.len().max(found.len())).find(|at| certified.get(*at) != found.get(*at))?;
    let line = |lines: &[String]| {
        lines
            .get(at)
            .map_or("nothing more".to_owned(), |line| format!("{line:?}"))
    };
    Some(format!(
        "line {}: the certificate has {}, the search gives {}",
        at + 1,
        line(&certified),
        line(&found)
    ))
}

fn evidence(found: &Evidence) -> String {
    format!(
        "{} {} {} {} {} {} {} {} {} {} {} {}",
        found.source.sha256,
        found.clip.start_ms,
        found.clip.end_ms,
        found.reference.start_ms,
        found.reference.end_ms,
        found.probability_ppm,
        found.evidence_millibits,
        found.moment_millibits,
        u8::from(found.mirrored),
        found.turned_degrees,
        u8::from(found.negative),
        found.speed_permille,
    )
}

/// A value as in JSON, without quotes.
pub(super) fn name(value: &impl Serialize) -> String {
    serde_json::to_value(value)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}
