//! The table of tricks and totals (pure).

use std::fmt::Write as _;

use super::result::{Found, Row};

/// The head of the table.
pub const HEAD: &str = "| trick | clips | copied s | published s | inconclusive s | paid s | paid whole | not found: bits of the right source (of a wrong one) |\n\
                        |---|---|---|---|---|---|---|---|";

/// A trick's line.
pub fn line(name: &str, rows: &[&Row]) -> String {
    let sum = |value: fn(&Row) -> f64| rows.iter().map(|row| value(row)).sum::<f64>();
    let failed = rows.iter().filter(|row| row.error.is_some()).count();
    let failures = if failed > 0 {
        format!(" ({failed} failed)")
    } else {
        String::new()
    };
    format!(
        "| {name} | {}{failures} | {:.1} | {:.1} | {:.1} | {:.1} | {} | {} |",
        rows.len(),
        sum(|row| row.copied_s),
        sum(|row| row.published_s),
        sum(|row| row.inconclusive_s),
        sum(|row| row.paid_s),
        rows.iter().filter(|row| row.paid_whole).count(),
        misses(rows),
    )
}

/// The nearest misses of clips in which nothing was found published, nearest first.
fn misses(rows: &[&Row]) -> String {
    let missed = rows
        .iter()
        .filter(|row| row.error.is_none() && row.published_s == 0.0);
    let nearest = |row: &&&Row| -> Option<Found> {
        row.best_match
            .clone()
            .or_else(|| row.nearest_non_match.clone())
    };
    let found: Vec<Option<Found>> = missed.map(|row| nearest(&row)).collect();
    let mut bits: Vec<(bool, f64)> = found
        .iter()
        .flatten()
        .map(|found| (found.right, found.evidence_bits))
        .collect();
    bits.sort_by(|a, b| b.0.cmp(&a.0).then(b.1.total_cmp(&a.1)));
    let mut told: Vec<String> = bits
        .iter()
        .map(|&(right, bits)| {
            if right {
                format!("{bits:.0}")
            } else {
                format!("({bits:.0})")
            }
        })
        .collect();
    told.extend(
        found
            .iter()
            .filter(|found| found.is_none())
            .map(|_| "-".to_owned()),
    );
    told.join(" ")
}

/// All rows as a table, in the order of `names`, with totals below.
pub fn table(names: &[&str], rows: &[Row]) -> String {
    let mut text = format!("{HEAD}\n");
    for name in names {
        let of: Vec<&Row> = rows.iter().filter(|row| row.trick == *name).collect();
        _ = writeln!(text, "{}", line(name, &of));
    }
    let all: Vec<&Row> = rows.iter().collect();
    let bold = line("**all**", &all);
    // The last column of the totals would be longer than the table.
    let cut = bold.rfind("| ").map_or(bold.as_str(), |end| &bold[..end]);
    let sum = |value: fn(&Row) -> f64| rows.iter().map(value).sum::<f64>();
    let (copied, paid) = (sum(|row| row.copied_s), sum(|row| row.paid_s));
    _ = writeln!(text, "{}| |", cut);
    let failed = rows.iter().filter(|row| row.error.is_some()).count();
    _ = writeln!(
        text,
        "\n{} tricks, {} treated clips, {copied:.0} copied seconds: published {:.2} %, inconclusive {:.2} %, paid {:.2} %; \
         paid whole {}; not made or not checked {failed}.",
        names.len(),
        rows.len(),
        100.0 * sum(|row| row.published_s) / copied.max(1e-9),
        100.0 * sum(|row| row.inconclusive_s) / copied.max(1e-9),
        100.0 * paid / copied.max(1e-9),
        rows.iter().filter(|row| row.paid_whole).count(),
    );
    text
}
