//! Draws curves and points on two axes as SVG (pure).

use std::fmt::Write as _;

/// A plot of curves.
#[derive(Debug, Clone)]
pub(crate) struct Chart {
    pub(crate) title: String,
    /// Lines below the title.
    pub(crate) about: Vec<String>,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    /// A dashed diagonal, where predicted and observed values are equal.
    pub(crate) diagonal: bool,
    pub(crate) curves: Vec<Curve>,
}

/// An axis.
#[derive(Debug, Clone)]
pub(crate) struct Axis {
    pub(crate) name: &'static str,
    pub(crate) scale: Scale,
    /// The marked values, from the minimum to the maximum of the axis; all are shares.
    pub(crate) ticks: &'static [f64],
}

/// Scale of an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scale {
    Linear,
    Logarithmic,
    /// By the quantiles of the normal distribution, on which two normal scores give a straight
    /// line.
    Probit,
}

/// A curve or points.
#[derive(Debug, Clone, Default)]
pub(crate) struct Curve {
    pub(crate) name: String,
    pub(crate) line: Vec<(f64, f64)>,
    pub(crate) points: Vec<Point>,
}

/// A point with an interval and a label.
#[derive(Debug, Clone)]
pub(crate) struct Point {
    pub(crate) at: (f64, f64),
    /// Interval on the y axis.
    pub(crate) interval: Option<(f64, f64)>,
    pub(crate) word: String,
}

impl Axis {
    /// Position of a value, from 0 to 1; values beyond the axis are drawn at its end.
    fn place(&self, value: f64) -> f64 {
        let (low, high) = (self.ticks[0], self.ticks[self.ticks.len() - 1]);
        let of = |value: f64| match self.scale {
            Scale::Linear => value,
            Scale::Logarithmic => value.ln(),
            Scale::Probit => probit(value),
        };
        (of(value.clamp(low, high)) - of(low)) / (of(high) - of(low))
    }
}

/// Draws a chart.
pub(crate) fn svg(chart: &Chart) -> String {
    let top = 46.0 + 17.0 * chart.about.len() as f64;
    let (left, right, bottom) = (MARGIN, MARGIN + SIDE, top + SIDE);
    let (width, height) = (right + NAMES, bottom + 56.0);
    let at = |(x, y): (f64, f64)| {
        (
            left + SIDE * chart.x.place(x),
            bottom - SIDE * chart.y.place(y),
        )
    };
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{left}\" y=\"26\" font-size=\"15\" font-weight=\"bold\">{}</text>\n",
        chart.title
    );
    for (line, about) in chart.about.iter().enumerate() {
        let y = 45.0 + 17.0 * line as f64;
        let _ = writeln!(
            svg,
            "<text x=\"{left}\" y=\"{y}\" fill=\"#555\">{about}</text>"
        );
    }
    for &tick in chart.x.ticks {
        let x = left + SIDE * chart.x.place(tick);
        let _ = writeln!(
            svg,
            "<path d=\"M{x:.1} {top:.1}V{bottom:.1}\" stroke=\"#e4e4e4\"/>\
             <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#555\">{}</text>",
            bottom + 17.0,
            percent(tick)
        );
    }
    for &tick in chart.y.ticks {
        let y = bottom - SIDE * chart.y.place(tick);
        let _ = writeln!(
            svg,
            "<path d=\"M{left:.1} {y:.1}H{right:.1}\" stroke=\"#e4e4e4\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#555\">{}</text>",
            left - 6.0,
            y + 4.0,
            percent(tick)
        );
    }
    let (middle_x, middle_y) = (0.5 * (left + right), 0.5 * (top + bottom));
    let _ = writeln!(
        svg,
        "<text x=\"{middle_x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\n\
         <text transform=\"translate(18 {middle_y:.1}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
        bottom + 40.0,
        chart.x.name,
        chart.y.name
    );
    if chart.diagonal {
        let _ = writeln!(
            svg,
            "<path d=\"M{left} {bottom}L{right} {top}\" stroke=\"#999\" stroke-dasharray=\"5 4\" fill=\"none\"/>"
        );
    }
    for (number, curve) in chart.curves.iter().enumerate() {
        let colour = COLOURS[number % COLOURS.len()];
        draw(&mut svg, curve, colour, &at);
        let y = top + 12.0 + 20.0 * number as f64;
        let _ = writeln!(
            svg,
            "<path d=\"M{:.1} {:.1}h18\" stroke=\"{colour}\" stroke-width=\"3\"/><text x=\"{:.1}\" y=\"{y:.1}\">{}</text>",
            right + 14.0,
            y - 4.0,
            right + 38.0,
            curve.name
        );
    }
    let _ = writeln!(
        svg,
        "<rect x=\"{left}\" y=\"{top}\" width=\"{SIDE}\" height=\"{SIDE}\" fill=\"none\" stroke=\"#888\"/>\n</svg>"
    );
    svg
}

fn draw(svg: &mut String, curve: &Curve, colour: &str, at: &dyn Fn((f64, f64)) -> (f64, f64)) {
    let mut path = String::new();
    for point in &curve.line {
        let (x, y) = at(*point);
        let _ = write!(
            path,
            "{}{x:.1} {y:.1}",
            if path.is_empty() { 'M' } else { 'L' }
        );
    }
    if !path.is_empty() {
        let _ = writeln!(
            svg,
            "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>"
        );
    }
    for Point {
        at: place,
        interval,
        word,
    } in &curve.points
    {
        let (x, y) = at(*place);
        if let Some((low, high)) = interval {
            let (low, high) = (at((place.0, *low)).1, at((place.0, *high)).1);
            let _ = writeln!(
                svg,
                "<path d=\"M{x:.1} {low:.1}V{high:.1}M{:.1} {low:.1}h8M{:.1} {high:.1}h8\" stroke=\"{colour}\" fill=\"none\"/>",
                x - 4.0,
                x - 4.0
            );
        }
        // Labels are on the inner side, next to a rising line.
        let (dx, dy, anchor) = if x > MARGIN + 0.9 * SIDE {
            (-9.0, -6.0, "end")
        } else {
            (8.0, 14.0, "start")
        };
        let _ = writeln!(
            svg,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4.5\" fill=\"{colour}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\" font-size=\"11\" fill=\"#333\">{word}</text>",
            x + dx,
            y + dy
        );
    }
}

fn percent(share: f64) -> String {
    let text = format!("{:.1}", 100.0 * share);
    format!("{} %", text.strip_suffix(".0").unwrap_or(&text))
}

/// The quantile of the normal distribution, to 4.5e-4, which is enough for a plot (Abramowitz and
/// Stegun 1964, 26.2.23).
fn probit(share: f64) -> f64 {
    if share > 0.5 {
        return -probit(1.0 - share);
    }
    let t = (-2.0 * share.max(f64::MIN_POSITIVE).ln()).sqrt();
    let above = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let below = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    above / below - t
}

/// Length of both axes, and space left and right of them, in pixels.
const SIDE: f64 = 420.0;
const MARGIN: f64 = 76.0;
const NAMES: f64 = 250.0;

/// Distinguishable with red-green colour blindness too (Okabe and Ito 2008).
const COLOURS: [&str; 5] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#000000"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_the_known_ones() {
        for (share, expected) in [
            (0.5, 0.0),
            (0.975, 1.959_964),
            (0.01, -2.326_348),
            (0.2, -0.841_621),
        ] {
            assert!(
                (probit(share) - expected).abs() < 5e-4,
                "{share}: {}",
                probit(share)
            );
        }
    }

    #[test]
    fn each_scale_goes_from_one_end_of_the_axis_to_the_other() {
        for scale in [Scale::Linear, Scale::Logarithmic, Scale::Probit] {
            let axis = Axis {
                name: "",
                scale,
                ticks: &[0.01, 0.1, 0.5],
            };
            assert_eq!(
                [0.01, 0.5, 0.7, 0.0].map(|value| axis.place(value)),
                [0.0, 1.0, 1.0, 0.0]
            );
            assert!((0.05..0.95).contains(&axis.place(0.1)));
        }
    }

    #[test]
    fn what_is_drawn_lies_in_the_frame() {
        let axis = || Axis {
            name: "share",
            scale: Scale::Linear,
            ticks: &[0.0, 0.5, 1.0],
        };
        let point = Point {
            at: (1.0, 2.0),
            interval: Some((0.5, 3.0)),
            word: "ten".to_owned(),
        };
        let curve = Curve {
            name: "it".to_owned(),
            line: vec![(0.0, 0.0), (1.0, 1.0)],
            points: vec![point],
        };
        let chart = Chart {
            title: "t".into(),
            about: vec![],
            x: axis(),
            y: axis(),
            diagonal: true,
            curves: vec![curve],
        };
        let svg = svg(&chart);
        assert!(
            svg.contains("M76.0 466.0L496.0 46.0") && svg.contains("cx=\"496.0\" cy=\"46.0\""),
            "{svg}"
        );
    }
}
