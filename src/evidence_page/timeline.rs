//! Time lines as bars of coloured and patterned spans (pure).

use super::text::{Text, clock_of};

/// A bar with its spans and ticks.
pub(super) struct Bar {
    pub(super) label: Text,
    /// Whether the label is visible. Otherwise the heading above shows it.
    pub(super) is_captioned: bool,
    pub(super) spans: Vec<BarSpan>,
    pub(super) ticks: Vec<Tick>,
}

/// A span of a bar; lengths are in percent of the bar.
pub(super) struct BarSpan {
    pub(super) x: String,
    pub(super) width: String,
    /// CSS class, which determines its look.
    pub(super) class: &'static str,
    pub(super) label: Text,
    /// Target of its link; empty for none.
    pub(super) target: String,
}

/// A time below a bar.
pub(super) struct Tick {
    pub(super) x: String,
    pub(super) anchor: &'static str,
    pub(super) label: String,
}

impl Bar {
    /// A bar of `length_s` seconds without spans.
    pub(super) fn new(label: Text, length_s: f64) -> Bar {
        let length = if length_s.is_finite() {
            length_s.max(0.0)
        } else {
            0.0
        };
        let anchors = ["start", "middle", "end"];
        let ticks = anchors.iter().enumerate().map(|(i, anchor)| Tick {
            x: format!("{}%", 50 * i),
            anchor,
            label: short_clock(length * i as f64 / 2.0),
        });
        Bar {
            label: label.plain(),
            is_captioned: false,
            spans: Vec::new(),
            ticks: ticks.collect(),
        }
    }

    /// Adds a span between two times.
    pub(super) fn add(
        &mut self,
        (start_s, end_s): (f64, f64),
        length_s: f64,
        class: &'static str,
        label: &Text,
        target: String,
    ) {
        let share = |time: f64| {
            let share = 100.0 * time / length_s;
            if share.is_finite() {
                share.clamp(0.0, 100.0)
            } else {
                0.0
            }
        };
        let start = share(start_s).min(100.0 - WIDTH_MIN);
        let width = (share(end_s) - start).max(WIDTH_MIN);
        let (x, width) = (format!("{start:.3}%"), format!("{width:.3}%"));
        self.spans.push(BarSpan {
            x,
            width,
            class,
            label: label.plain(),
            target,
        });
    }
}

/// `m:ss` or `h:mm:ss`, for the ticks of a bar.
fn short_clock(seconds: f64) -> String {
    let clock = clock_of((10.0 * seconds).round() / 10.0);
    let clock = clock
        .strip_suffix(".00")
        .unwrap_or(&clock[..clock.len() - 1]);
    let clock = clock.strip_prefix("0:").unwrap_or(clock);
    clock
        .strip_prefix('0')
        .filter(|rest| !rest.starts_with(':'))
        .unwrap_or(clock)
        .to_owned()
}

/// Minimum width of a span, in percent, so that a second of an hour can still be seen and clicked.
const WIDTH_MIN: f64 = 0.4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_lies_within_its_bar_and_is_never_too_narrow_to_see() {
        let mut bar = Bar::new(Text::ours("x"), 3600.0);
        for (start, end) in [
            (0.0, 1800.0),
            (3599.9, 3600.0),
            (-5.0, 99_999.0),
            (f64::NAN, 1.0),
        ] {
            bar.add(
                (start, end),
                3600.0,
                "published",
                &Text::ours("x"),
                String::new(),
            );
        }
        bar.add(
            (0.0, 1.0),
            0.0,
            "published",
            &Text::ours("x"),
            String::new(),
        );
        for span in &bar.spans {
            let number = |text: &str| text.trim_end_matches('%').parse::<f64>().unwrap();
            let (x, width) = (number(&span.x), number(&span.width));
            assert!(
                x >= 0.0 && width >= 0.399 && x + width <= 100.001,
                "{x} {width}"
            );
        }
        assert_eq!(
            bar.ticks
                .iter()
                .map(|tick| tick.label.as_str())
                .collect::<Vec<_>>(),
            ["0:00", "30:00", "1:00:00"]
        );
    }
}
