//! Times as a histogram, with three digits, from a nanosecond to an hour.

use hdrhistogram::Histogram;

use crate::report::Measures;
use crate::report::metric::{MAX_MS, P50_MS, P99_MS, P999_MS};

/// The longest time that is told apart from longer ones.
const LONGEST_NS: u64 = 3_600_000_000_000;

/// How long things took.
#[derive(Clone, Debug)]
pub(crate) struct Latency(Histogram<u64>);

impl Latency {
    /// Without any.
    ///
    /// # Errors
    /// Never: the bounds are constants that fit.
    pub(crate) fn new() -> anyhow::Result<Latency> {
        Ok(Latency(Histogram::new_with_bounds(1, LONGEST_NS, 3)?))
    }

    /// Adds one.
    pub(crate) fn record(&mut self, nanoseconds: u64) {
        self.0.saturating_record(nanoseconds);
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.0.reset();
    }

    /// That which so large a part of all is not longer than, in milliseconds.
    pub(crate) fn quantile_ms(&self, part: f64) -> f64 {
        if self.0.is_empty() {
            return f64::NAN;
        }
        self.0.value_at_quantile(part) as f64 / 1e6
    }

    /// Puts the usual quantiles.
    pub(crate) fn put(&self, measures: &mut Measures) {
        for (metric, part) in [(&P50_MS, 0.5), (&P99_MS, 0.99), (&P999_MS, 0.999), (&MAX_MS, 1.0)] {
            measures.put(metric, self.quantile_ms(part));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_in_milliseconds() {
        let mut latency = Latency::new().unwrap();
        assert!(latency.quantile_ms(0.5).is_nan());
        (1..=100).for_each(|ms| latency.record(ms * 1_000_000));
        latency.record(u64::MAX);
        assert!((latency.quantile_ms(0.5) - 51.0).abs() < 0.1);
        assert!((latency.quantile_ms(1.0) - 3.6e6).abs() < 1e4);
        latency.clear();
        assert!(latency.quantile_ms(1.0).is_nan());
    }
}
