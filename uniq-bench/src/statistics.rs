//! Quantiles and the interval of a proportion (pure).

/// Sorted values.
pub(crate) fn sorted(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values
}

/// The nearest-rank quantile of sorted values; `None` if there are none.
pub(crate) fn quantile(sorted: &[f64], ratio: f64) -> Option<f64> {
    let rank = (ratio * sorted.len() as f64).ceil().max(1.0) as usize;
    sorted.get(rank - 1).copied()
}

/// `part` divided by `whole`, 0..=1; 0 if `whole` is 0.
pub(crate) fn ratio(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// The 95 % interval of a proportion (Wilson 1927), which is valid even for none or all of a few.
pub(crate) fn wilson(part: usize, whole: usize) -> (f64, f64) {
    const Z: f64 = 1.959_964;
    if whole == 0 {
        return (0.0, 1.0);
    }
    let (n, p) = (whole as f64, ratio(part, whole));
    let centre = (p + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
    let half = Z / (1.0 + Z * Z / n) * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    ((centre - half).max(0.0), (centre + half).min(1.0))
}

/// Predicted probabilities and observed shares, by tenths of the prediction.
#[derive(Debug, Default)]
pub(crate) struct Tenths([(usize, f64, usize); 10]);

impl Tenths {
    /// Adds a case, and whether it came true.
    pub(crate) fn add(&mut self, predicted: f64, came_true: bool) {
        let tenth = &mut self.0[((10.0 * predicted) as usize).min(9)];
        (tenth.0, tenth.1, tenth.2) = (
            tenth.0 + 1,
            tenth.1 + predicted,
            tenth.2 + usize::from(came_true),
        );
    }

    /// For each tenth with cases: the mean prediction, the observed share with its interval, and
    /// the number of cases.
    pub(crate) fn shares(&self) -> impl Iterator<Item = (f64, f64, (f64, f64), usize)> {
        let tenths = self.0.iter().filter(|tenth| tenth.0 > 0);
        tenths.map(|&(n, sum, hits)| (sum / n as f64, ratio(hits, n), wilson(hits, n), n))
    }

    /// One line for each tenth with cases.
    pub(crate) fn text(&self) -> String {
        let line = |(n, sum, hits): &(usize, f64, usize)| {
            format!(
                "{:9.3}  {:8.3}  {n:7}\n",
                sum / *n as f64,
                *hits as f64 / *n as f64
            )
        };
        let lines: String = self
            .0
            .iter()
            .filter(|tenth| tenth.0 > 0)
            .map(line)
            .collect();
        format!("predicted  observed        n\n{lines}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_the_known_one() {
        // Newcombe 1998, table I: 81 of 263, 15 of 148, 0 of 20.
        for (part, whole, low, high) in [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
        ] {
            let (a, b) = wilson(part, whole);
            assert!((a - low).abs() < 1e-4 && (b - high).abs() < 1e-4, "{a} {b}");
        }
        assert_eq!(wilson(0, 0), (0.0, 1.0));
    }

    #[test]
    fn quantiles_are_values_of_the_sample() {
        let values = sorted([3.0, 1.0, 2.0]);
        assert_eq!(
            [0.0, 0.5, 0.95].map(|ratio| quantile(&values, ratio)),
            [Some(1.0), Some(2.0), Some(3.0)]
        );
        assert_eq!(quantile(&[], 0.5), None);
    }
}
