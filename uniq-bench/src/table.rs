//! Figures of many rows: for each edit and length, in all, as text and as JSON (pure).

use std::collections::HashMap;
use std::fmt::Write as _;

use serde::Serialize;
use uniq::report::MatchKind;
use uniq::{Effort, Verdict};

use crate::edits::Time;
use crate::measure::{Measured, Plan, Role, Row};
use crate::precision::{Segment, micro_average};
use crate::score::{Seconds, highest_bits, is_published};
use crate::statistics::{quantile, ratio, sorted, wilson};

/// Figures of some excerpts.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Line {
    /// The edit; `all` for all that `standard` is meant to find.
    pub(crate) edit: String,
    /// Length that was asked for, in seconds; none for all.
    pub(crate) length_s: Option<f64>,
    /// Excerpts of indexed clips.
    pub(crate) excerpts: usize,
    /// Of them, found.
    pub(crate) found: usize,
    /// Their share.
    pub(crate) recall: f64,
    /// Its 95 % interval (Wilson).
    pub(crate) recall_95: (f64, f64),
    /// Of those not found, how many were called unpublished.
    pub(crate) called_unpublished: usize,
    /// Pieces (cuts) of these excerpts, and how many of them were found.
    pub(crate) pieces: (usize, usize),
    /// Share of the seconds of these excerpts, which are copies all, that would be paid for as unpublished.
    pub(crate) paid: f64,
    /// Copies of other content, or in another place.
    pub(crate) wrong: usize,
    /// The largest of the errors of start, end and reference, of found pieces: median and 95 %.
    pub(crate) error_s: [Option<f64>; 2],
    /// The three errors by themselves: median and 95 % of each.
    pub(crate) errors_s: [[Option<f64>; 2]; 3],
    /// Mean share of found and true time that is both.
    pub(crate) overlap: Option<f64>,
    /// Excerpts of clips that are not in the index.
    pub(crate) held_back: usize,
    /// Of them, called published wholly or partly.
    pub(crate) alarms: usize,
    /// The 95 % interval of their share.
    pub(crate) alarms_95: (f64, f64),
    /// Of them, inconclusive.
    pub(crate) inconclusive: usize,
    /// The highest evidence among them, in bits.
    pub(crate) highest_bits: f64,
    /// Median seconds of a check, without the fingerprint.
    pub(crate) check_s: Option<f64>,
}

/// All figures.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Table {
    /// One line for each edit and length.
    pub(crate) lines: Vec<Line>,
    /// For each length, all edits that are not for the thorough effort alone, nor backwards.
    pub(crate) all: Vec<Line>,
    /// Segment micro-AP over all checks, without thorough edits.
    pub(crate) segment_ap: Option<f64>,
    /// Other moments of a scene: excerpts, taken for copies.
    pub(crate) look_alikes: (usize, usize),
    /// The 95 % interval of their share.
    pub(crate) look_alikes_95: (f64, f64),
    /// Of them, inconclusive.
    pub(crate) look_alikes_inconclusive: usize,
    /// Excerpts that go on beyond what is indexed of their take.
    pub(crate) goes_on: Mixed,
    /// Excerpts of something indexed that hold other footage besides.
    pub(crate) mixed: Mixed,
}

/// Excerpts that hold both copies and what was never published.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Mixed {
    /// How many they are.
    pub(crate) excerpts: usize,
    /// What becomes of their seconds.
    #[serde(flatten)]
    pub(crate) seconds: Seconds,
}

impl Mixed {
    fn new(rows: &[&Row]) -> Mixed {
        Mixed { excerpts: rows.len(), seconds: rows.iter().map(|row| row.score.seconds).sum() }
    }

    fn text(&self) -> String {
        let Seconds { copied_s, published_s, paid_s, own_s, accused_s, withheld_s } = self.seconds;
        let share = |part: f64, whole: f64| 100.0 * part / whole.max(f64::MIN_POSITIVE);
        format!(
            "of {:.0} s of copies {:.1} % are called published and {:.1} % would be paid for, of {:.0} s besides {:.1} % are called published and {:.1} % \
             not judged",
            copied_s,
            share(published_s, copied_s),
            share(paid_s, copied_s),
            own_s,
            share(accused_s, own_s),
            share(withheld_s, own_s)
        )
    }
}

impl Table {
    /// Counts.
    pub(crate) fn new(measured: &Measured, plan: &Plan) -> Table {
        let (edits, lengths_s) = (&plan.edits, &plan.lengths_s);
        let rows = || measured.rows.iter().filter(|row| matches!(row.role, Role::Published | Role::HeldBack));
        let mut lines = Vec::new();
        for edit in edits {
            for length in lengths_s {
                let some: Vec<&Row> =
                    rows().filter(|row| row.excerpt.edit == *edit && row.excerpt.wanted_s == *length).collect();
                if !some.is_empty() {
                    lines.push(Line::new(edit.name, Some(*length), &some));
                }
            }
        }
        let thorough = plan.effort == Effort::Thorough;
        let counts = |row: &&Row| (thorough || !row.excerpt.edit.thorough) && row.excerpt.edit.name != "reversed";
        let all = lengths_s.iter().map(|length| {
            let some: Vec<&Row> = rows().filter(counts).filter(|row| row.excerpt.wanted_s == *length).collect();
            Line::new("all", Some(*length), &some)
        });
        let all = all.filter(|line| line.excerpts + line.held_back > 0).collect();
        let counted: Vec<&Row> = rows().filter(counts).collect();
        let alike: Vec<&Row> = measured.rows.iter().filter(|row| row.role == Role::LookAlike).collect();
        let taken = alike.iter().filter(|row| is_published(&row.checked.report)).count();
        let goes_on: Vec<&Row> = measured.rows.iter().filter(|row| row.role == Role::GoesOn).collect();
        let mixed: Vec<&Row> =
            rows().filter(|row| row.role == Role::Published && row.excerpt.edit.time == Time::Inside).collect();
        Table {
            lines,
            all,
            segment_ap: segment_ap(&counted),
            look_alikes: (alike.len(), taken),
            look_alikes_95: wilson(taken, alike.len()),
            look_alikes_inconclusive: alike.iter().filter(|row| verdict(row) == Verdict::Inconclusive).count(),
            goes_on: Mixed::new(&goes_on),
            mixed: Mixed::new(&mixed),
        }
    }

    /// The table for a person.
    pub(crate) fn text(&self) -> String {
        let mut text = format!(
            "{:<14} {:>5} {:>9} {:>7} {:>13} {:>6} {:>5} {:>11} {:>7} {:>12} {:>8} {:>7} {:>8}\n",
            "edit",
            "s",
            "found",
            "recall",
            "95 %",
            "paid",
            "wrong",
            "error 50/95",
            "overlap",
            "false alarms",
            "unclear",
            "bits",
            "check"
        );
        for line in self.lines.iter().chain(&self.all) {
            text.push_str(&line.text());
        }
        let _ = match self.segment_ap {
            Some(ap) => writeln!(text, "\nsegment micro-AP as in VSC2022: {ap:.4}"),
            None => writeln!(text, "\nsegment micro-AP as in VSC2022: nothing to measure"),
        };
        let (pairs, taken) = self.look_alikes;
        if pairs > 0 {
            let (low, high) = self.look_alikes_95;
            let _ = writeln!(
                text,
                "other moments of the same scene: {taken} of {pairs} taken for copies, {:.1} % (95 %: {:.1} to {:.1}); {} inconclusive",
                100.0 * ratio(taken, pairs),
                100.0 * low,
                100.0 * high,
                self.look_alikes_inconclusive
            );
        }
        for (what, mixed) in [("within other footage", &self.mixed), ("going on in one take", &self.goes_on)] {
            if mixed.excerpts > 0 {
                let _ = writeln!(text, "{} excerpts {what}: {}", mixed.excerpts, mixed.text());
            }
        }
        text
    }
}

impl Line {
    fn new(edit: &str, length_s: Option<f64>, rows: &[&Row]) -> Line {
        let of = |role: Role| rows.iter().filter(move |row| row.role == role).copied();
        let published: Vec<&Row> = of(Role::Published).collect();
        let held_back: Vec<&Row> = of(Role::HeldBack).collect();
        let found = published.iter().filter(|row| row.score.found).count();
        let missed = published.iter().filter(|row| !row.score.found);
        let errors: Vec<[f64; 3]> = published.iter().flat_map(|row| row.score.errors_s.iter().copied()).collect();
        let both = |values: Vec<f64>| [0.5, 0.95].map(|ratio| quantile(&values, ratio));
        let overlaps: Vec<f64> = published.iter().filter_map(|row| row.score.overlap).collect();
        let alarms = held_back.iter().filter(|row| is_published(&row.checked.report)).count();
        let seconds: Seconds = published.iter().map(|row| row.score.seconds).sum();
        Line {
            edit: edit.to_owned(),
            length_s,
            excerpts: published.len(),
            found,
            recall: ratio(found, published.len()),
            recall_95: wilson(found, published.len()),
            called_unpublished: missed.filter(|row| verdict(row) == Verdict::Unpublished).count(),
            pieces: (
                published.iter().map(|row| row.excerpt.truth.len()).sum(),
                published.iter().map(|row| row.score.pieces).sum(),
            ),
            paid: seconds.paid_s / seconds.copied_s.max(f64::MIN_POSITIVE),
            wrong: published.iter().map(|row| row.score.wrong).sum(),
            error_s: both(sorted(errors.iter().map(|errors| errors.iter().copied().fold(0.0, f64::max)))),
            errors_s: [0, 1, 2].map(|k| both(sorted(errors.iter().map(|errors| errors[k])))),
            overlap: (!overlaps.is_empty()).then(|| overlaps.iter().sum::<f64>() / overlaps.len() as f64),
            held_back: held_back.len(),
            alarms,
            alarms_95: wilson(alarms, held_back.len()),
            inconclusive: held_back.iter().filter(|row| verdict(row) == Verdict::Inconclusive).count(),
            highest_bits: held_back.iter().map(|row| highest_bits(&row.checked.report)).fold(0.0, f64::max),
            check_s: quantile(&sorted(rows.iter().map(|row| row.checked.check_s)), 0.5),
        }
    }

    fn text(&self) -> String {
        let pair = |[a, b]: [Option<f64>; 2]| match (a, b) {
            (Some(a), Some(b)) => format!("{a:.2}/{b:.2}"),
            _ => "-".to_owned(),
        };
        let optional =
            |value: Option<f64>, digits: usize| value.map_or("-".to_owned(), |value| format!("{value:.digits$}"));
        let mut line = format!(
            "{:<14} {:>5} {:>9} {:>5.1} % {:>13} {:>4.1} % {:>5} {:>11} {:>7} {:>12} {:>8} {:>7.0} {:>8}",
            self.edit,
            optional(self.length_s, 0),
            format!("{}/{}", self.found, self.excerpts),
            100.0 * self.recall,
            format!("{:.1}-{:.1}", 100.0 * self.recall_95.0, 100.0 * self.recall_95.1),
            100.0 * self.paid,
            self.wrong,
            pair(self.error_s),
            optional(self.overlap, 2),
            format!("{}/{}", self.alarms, self.held_back),
            self.inconclusive,
            self.highest_bits,
            format!("{} s", optional(self.check_s, 3)),
        );
        if self.pieces.0 > self.excerpts && self.edit != "all" {
            let _ = write!(line, "  {} of {} cuts", self.pieces.1, self.pieces.0);
        }
        line.push('\n');
        line
    }
}

fn verdict(row: &Row) -> Verdict {
    row.checked.report.verdict
}

/// Each check is a query, each source a reference. Predictions in another file of the true group are left out: where it lies
/// in that file is not known.
fn segment_ap(rows: &[&Row]) -> Option<f64> {
    let mut numbers: HashMap<String, usize> = HashMap::new();
    let mut number = |sha256: &str| {
        let next = numbers.len();
        *numbers.entry(sha256.to_owned()).or_insert(next)
    };
    let (mut truths, mut predictions) = (Vec::new(), Vec::new());
    for (query, row) in rows.iter().enumerate() {
        if row.role == Role::Published {
            let reference = number(&row.excerpt.clip.sha256);
            truths.extend(row.excerpt.truth.iter().map(|piece| Segment {
                pair: (query, reference),
                query: piece.clip_s,
                reference: piece.reference_s,
                score: 0.0,
            }));
        }
        for found in row.checked.report.matches.iter().filter(|found| found.kind == MatchKind::Copy) {
            let (alignment, source) = (&found.alignment, &found.alignment.source.sha256);
            if row.score.siblings.contains(source) {
                continue;
            }
            predictions.push(Segment {
                pair: (query, number(source)),
                query: (alignment.clip.start_s, alignment.clip.end_s),
                reference: (alignment.reference.start_s, alignment.reference.end_s),
                score: alignment.evidence_bits,
            });
        }
    }
    micro_average(&truths, &predictions)
}
