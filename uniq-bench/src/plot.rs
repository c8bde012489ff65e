//! Draws recall against the evidence threshold, one line an edit, as SVG (pure).

use std::fmt::Write as _;

use crate::edits::FAMILIES;
use crate::measure::{Role, Row};
use crate::score::{highest_bits, is_published};

/// A curve of one edit.
struct Curve {
    name: String,
    /// Bits of each excerpt, or none when it was not found at all.
    bits: Vec<f64>,
    excerpts: usize,
}

/// Thresholds from and to which is drawn, in bits; the axis is logarithmic.
const BITS: (f64, f64) = (8.0, 1024.0);
/// A panel and its margins in pixels.
const PANEL: (f64, f64) = (400.0, 190.0);
const MARGIN: (f64, f64) = (46.0, 44.0);
/// Room for the names beside a panel.
const NAMES: f64 = 124.0;
/// Told apart also by people who do not see red and green (Okabe and Ito 2008).
const COLOURS: [&str; 7] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#56b4e9", "#000000"];

/// Draws one panel a family, with the edits' recall at each threshold, and the share of held-back clips that reach it.
pub(crate) fn svg(rows: &[Row], threshold: f64) -> String {
    let mut rows: Vec<&Row> = rows.iter().filter(|row| matches!(row.role, Role::Published | Role::HeldBack)).collect();
    let longest = rows.iter().map(|row| row.excerpt.wanted_s).fold(0.0, f64::max);
    rows.retain(|row| row.excerpt.wanted_s == longest);
    let families: Vec<&str> =
        FAMILIES.into_iter().filter(|family| rows.iter().any(|row| row.excerpt.edit.family == *family)).collect();
    let cell = (PANEL.0 + MARGIN.0 + NAMES, PANEL.1 + MARGIN.1 + 22.0);
    let (columns, lines) = (2.min(families.len().max(1)), families.len().div_ceil(2));
    let (width, height) = (cell.0 * columns as f64 + 10.0, cell.1 * lines as f64 + 50.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"12\" y=\"22\" font-size=\"15\">Share of excerpts of {longest:.0} s found, by the evidence that is asked for</text>\n\
         <text x=\"12\" y=\"40\" fill=\"#555\">dotted upright: the threshold of {threshold:.0} bits; dashed grey: \
         held-back clips taken for copies</text>\n"
    );
    for (number, family) in families.iter().enumerate() {
        let left = (number % columns) as f64 * cell.0 + MARGIN.0;
        let top = (number / columns) as f64 * cell.1 + 50.0 + 22.0;
        panel(&mut svg, family, &rows, (left, top), threshold);
    }
    svg.push_str("</svg>\n");
    svg
}

fn panel(svg: &mut String, family: &str, rows: &[&Row], (left, top): (f64, f64), threshold: f64) {
    let x = |bits: f64| left + PANEL.0 * (bits / BITS.0).log2() / (BITS.1 / BITS.0).log2();
    let y = |recall: f64| top + PANEL.1 * (1.0 - recall);
    let (right, bottom) = (left + PANEL.0, top + PANEL.1);
    let _ = writeln!(svg, "<text x=\"{left:.1}\" y=\"{:.1}\" font-weight=\"bold\">{family}</text>", top - 8.0);
    for step in 0..=5 {
        let recall = f64::from(step) / 5.0;
        let at = y(recall);
        let _ = writeln!(
            svg,
            "<path d=\"M{left:.1} {at:.1}H{right:.1}\" stroke=\"#ddd\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" \
             fill=\"#555\">{:.0} %</text>",
            left - 5.0,
            at + 4.0,
            100.0 * recall
        );
    }
    let mut bits = BITS.0;
    while bits <= BITS.1 {
        let at = x(bits);
        let _ = writeln!(
            svg,
            "<path d=\"M{at:.1} {top:.1}V{bottom:.1}\" stroke=\"#eee\"/><text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\" \
             fill=\"#555\">{bits:.0}</text>",
            bottom + 15.0
        );
        bits *= 2.0;
    }
    let middle = 0.5 * (left + right);
    let _ = writeln!(
        svg,
        "<text x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#555\">bits</text>",
        bottom + 30.0
    );
    let at = x(threshold);
    let _ = writeln!(svg, "<path d=\"M{at:.1} {top:.1}V{bottom:.1}\" stroke=\"#555\" stroke-dasharray=\"2 3\"/>");

    let of_family: Vec<&Row> = rows.iter().filter(|row| row.excerpt.edit.family == family).copied().collect();
    let false_bits = |row: &&&Row| is_published(&row.checked.report);
    let held_back: Vec<&Row> = of_family.iter().filter(|row| row.role == Role::HeldBack).copied().collect();
    let alarms = Curve {
        name: String::new(),
        bits: held_back.iter().filter(false_bits).map(|row| highest_bits(&row.checked.report)).collect(),
        excerpts: held_back.len(),
    };
    let _ = writeln!(
        svg,
        "<path d=\"{}\" fill=\"none\" stroke=\"#777\" stroke-width=\"1.5\" stroke-dasharray=\"5 4\"/>",
        steps(&alarms, &x, &y)
    );
    let mut curves: Vec<Curve> = Vec::new();
    for row in of_family.iter().filter(|row| row.role == Role::Published) {
        let name = row.excerpt.edit.name;
        let number = curves.iter().position(|curve| curve.name == name).unwrap_or_else(|| {
            curves.push(Curve { name: name.to_owned(), bits: Vec::new(), excerpts: 0 });
            curves.len() - 1
        });
        curves[number].excerpts += 1;
        curves[number].bits.extend((row.score.bits > 0.0).then_some(row.score.bits));
    }
    // Names stand at the right, in the order of the lines' ends, without covering each other.
    let mut order: Vec<usize> = (0..curves.len()).collect();
    order.sort_by(|&a, &b| recall(&curves[b], threshold).total_cmp(&recall(&curves[a], threshold)));
    for (place, &number) in order.iter().enumerate() {
        let (curve, colour) = (&curves[number], COLOURS[number % COLOURS.len()]);
        let _ = writeln!(
            svg,
            "<path d=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.8\"/>",
            steps(curve, &x, &y)
        );
        let at = top + 14.0 + 19.0 * place as f64;
        let _ = writeln!(
            svg,
            "<path d=\"M{:.1} {:.1}h16\" stroke=\"{colour}\" stroke-width=\"2.5\"/><text x=\"{:.1}\" y=\"{at:.1}\">{} {:.0} %</text>",
            right + 8.0,
            at - 4.0,
            right + 28.0,
            curve.name,
            100.0 * recall(curve, threshold)
        );
    }
}

/// Share of a curve's excerpts with at least so many bits.
fn recall(curve: &Curve, bits: f64) -> f64 {
    curve.bits.iter().filter(|found| **found >= bits).count() as f64 / curve.excerpts.max(1) as f64
}

/// The path of a curve: a step down at each excerpt's evidence.
fn steps(curve: &Curve, x: &dyn Fn(f64) -> f64, y: &dyn Fn(f64) -> f64) -> String {
    let mut ends: Vec<f64> = curve.bits.iter().copied().filter(|bits| (BITS.0..BITS.1).contains(bits)).collect();
    ends.sort_by(f64::total_cmp);
    let mut path = format!("M{:.1} {:.1}", x(BITS.0), y(recall(curve, BITS.0)));
    for bits in ends {
        let _ = write!(path, "H{:.1}V{:.1}", x(bits), y(recall(curve, bits + 1e-9)));
    }
    let _ = write!(path, "H{:.1}", x(BITS.1));
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_steps_down_at_the_evidence_of_each_excerpt() {
        let curve = Curve { name: String::new(), bits: vec![16.0, 64.0, 5000.0], excerpts: 4 };
        let path = steps(&curve, &|bits| bits, &|recall| 100.0 * recall);
        assert_eq!(path, "M8.0 75.0H16.0V50.0H64.0V25.0H1024.0");
        assert_eq!([8.0, 20.0, 6000.0].map(|bits| recall(&curve, bits)), [0.75, 0.5, 0.0]);
    }
}
