//! Runs the program under test and reads what it says.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output};

use serde::Deserialize;
use serde_json::Value;

use super::edits::Excerpt;

/// One line of `uniq check --json`: the fields that are judged; a field that is absent reads as empty.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Report {
    /// The clip that was checked.
    pub clip: Checked,
    /// `unpublished`, `partly_published`, `published` or `inconclusive`; empty when the line reports an error.
    pub verdict: String,
    /// Why the verdict is what it is.
    pub reasons: Vec<Value>,
    /// The clip's seconds by what is known of them.
    pub seconds: Seconds,
    /// Copies and related scenes.
    pub matches: Vec<Match>,
    /// The best candidate that was not counted.
    pub nearest_non_match: Option<Value>,
}

/// See [`Report::clip`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Checked {
    /// As given on the command line.
    pub path: String,
    /// Of the clip's bytes.
    pub sha256: String,
    /// Length in seconds.
    pub duration_s: f64,
}

/// See [`Report::seconds`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Seconds {
    /// Found in the index.
    pub published: f64,
    /// Searched and not found.
    pub unpublished: f64,
    /// Could not be searched.
    pub unsearchable: f64,
}

/// See [`Report::matches`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Match {
    /// The published video.
    pub source: Source,
    /// Where in the clip.
    pub clip: Span,
    /// Where in the published video.
    pub reference: Span,
    /// Weight of all that agrees, in bits.
    pub evidence_bits: f64,
    /// Weight of what does not recur in the published video, in bits.
    pub moment_bits: f64,
    /// `copy` or `same_scene`.
    pub kind: String,
    /// Whether left and right are exchanged.
    pub mirrored: bool,
    /// Speed of the clip relative to the published video.
    pub speed: f64,
}

/// See [`Match::source`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Source {
    /// The file that was indexed.
    pub path: String,
    /// Of its bytes.
    pub sha256: String,
    /// Where it was published.
    pub url: Option<String>,
    /// Its title there.
    pub title: Option<String>,
}

/// A stretch of time.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Span {
    /// In seconds.
    pub start_s: f64,
    /// In seconds.
    pub end_s: f64,
}

impl Report {
    /// Whether any second was judged to be published.
    pub fn is_published(&self) -> bool {
        matches!(self.verdict.as_str(), "published" | "partly_published")
    }

    /// The matches that count as copies.
    pub fn copies(&self) -> impl Iterator<Item = &Match> {
        self.matches.iter().filter(|found| found.kind == "copy")
    }

    /// The highest evidence and the highest moment evidence that anything in the index reached, counted or not.
    pub fn highest_bits(&self) -> (f64, f64) {
        let near = |field: &str| {
            let near = self.nearest_non_match.as_ref();
            near.and_then(|near| near.get(field)).and_then(Value::as_f64).unwrap_or_default()
        };
        let evidence = self.matches.iter().map(|found| found.evidence_bits);
        let moment = self.matches.iter().map(|found| found.moment_bits);
        (evidence.fold(near("evidence_bits"), f64::max), moment.fold(near("moment_bits"), f64::max))
    }
}

/// How well a report tells where an excerpt comes from.
#[derive(Clone, Debug, Default)]
pub struct Score {
    /// A copy of the right content lies where the excerpt lies.
    pub found: bool,
    /// Copies of other content, or where the excerpt does not lie.
    pub wrong: usize,
    /// Bits of the strongest right copy.
    pub evidence_bits: f64,
    /// Moment bits of the same.
    pub moment_bits: f64,
    /// Whether the strongest right copy was said to be mirrored.
    pub mirrored: bool,
    /// Errors in seconds of the clip's start, the clip's end and the reference's start, if the excerpt's own file was
    /// matched: another file of the group may be shifted by an unknown time.
    pub errors_s: Option<[f64; 3]>,
}

impl Score {
    /// Compares a report with the truth; `groups` has the group of each clip by SHA-256.
    pub fn new(report: &Report, excerpt: &Excerpt, groups: &HashMap<String, String>) -> Score {
        let (start, end) = excerpt.within_s;
        let lies_there = |found: &Match| {
            let overlap = found.clip.end_s.min(end) - found.clip.start_s.max(start);
            overlap >= 0.5 * (found.clip.end_s - found.clip.start_s)
        };
        let is_right =
            |found: &&Match| groups.get(&found.source.sha256) == Some(&excerpt.clip.group) && lies_there(found);
        let strongest = |a: &&Match, b: &&Match| a.evidence_bits.total_cmp(&b.evidence_bits);
        let right: Vec<&Match> = report.copies().filter(is_right).collect();
        let best = right.iter().copied().max_by(strongest);
        let own = right.iter().copied().filter(|found| found.source.sha256 == excerpt.clip.sha256);
        let errors_s = own.max_by(strongest).map(|found| {
            let errors =
                [found.clip.start_s - start, found.clip.end_s - end, found.reference.start_s - excerpt.reference_s.0];
            errors.map(f64::abs)
        });
        Score {
            found: best.is_some(),
            wrong: report.copies().count() - right.len(),
            evidence_bits: best.map_or(0.0, |found| found.evidence_bits),
            moment_bits: best.map_or(0.0, |found| found.moment_bits),
            mirrored: best.is_some_and(|found| found.mirrored),
            errors_s,
        }
    }
}

/// Runs the program and waits for it.
pub fn run(program: &Path, args: &[&OsStr]) -> Output {
    Command::new(program)
        .args(args)
        .env_remove("UNIQ_INDEX")
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", program.display()))
}

/// Builds an index of `videos`, or adds them to the one in `index`.
pub fn build(program: &Path, index: &Path, videos: &[&Path]) -> Output {
    let mut args: Vec<&OsStr> = ["index", "build", "--index"].map(OsStr::new).to_vec();
    args.push(index.as_os_str());
    args.extend(videos.iter().map(|path| path.as_os_str()));
    run(program, &args)
}

/// Panics with the program's words unless it ended well.
pub fn must_succeed(output: &Output) {
    assert!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
}

/// Checks many clips, some at a time, and returns one report for each in the same order.
///
/// A clip that the program could not check has an empty verdict. Panics with the program's words if a line is missing.
pub fn check(program: &Path, index: &Path, clips: &[&Path], extra: &[&OsStr], progress: &dyn Fn(usize)) -> Vec<Report> {
    const AT_ONCE: usize = 24;
    let mut reports = Vec::with_capacity(clips.len());
    for some in clips.chunks(AT_ONCE) {
        let mut args: Vec<&OsStr> = ["check", "--json", "--index"].map(OsStr::new).to_vec();
        args.push(index.as_os_str());
        args.extend(extra);
        args.extend(some.iter().map(|path| path.as_os_str()));
        let output = run(program, &args);
        let said = String::from_utf8_lossy(&output.stderr);
        let text = String::from_utf8_lossy(&output.stdout);
        let lines: Vec<Report> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
            .collect();
        for path in some {
            let path = path.to_string_lossy();
            let mine = lines.iter().find(|report| report.clip.path == path);
            let mine = mine.unwrap_or_else(|| panic!("uniq check: {}: no line for {path}: {said}", output.status));
            reports.push(mine.clone());
        }
        progress(reports.len());
    }
    reports
}
