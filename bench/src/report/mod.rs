//! What came of a scenario: figures by row, by target and by round.
//!
//! Must never drop a round: what varies is shown as it varied.

pub(crate) mod metric;
mod write;

use metric::Metric;

/// The figures of one round.
#[derive(Clone, Debug, Default)]
pub(crate) struct Measures(Vec<(&'static Metric, f64)>);

impl Measures {
    /// Adds one. A figure that is not a number says that there was nothing to measure.
    pub(crate) fn put(&mut self, metric: &'static Metric, value: f64) -> &mut Measures {
        if value.is_finite() {
            self.0.push((metric, value));
        }
        self
    }

    /// Puts one in the place of what it was.
    pub(crate) fn set(&mut self, metric: &'static Metric, value: f64) -> &mut Measures {
        self.0.retain(|(known, _)| known.key != metric.key);
        self.put(metric, value)
    }

    /// One of them.
    pub(crate) fn get(&self, metric: &'static Metric) -> Option<f64> {
        self.0.iter().find(|(known, _)| known.key == metric.key).map(|(_, value)| *value)
    }

    fn metrics(&self) -> impl Iterator<Item = &'static Metric> {
        self.0.iter().map(|(metric, _)| *metric)
    }
}

/// One line of a table: the same load on the same target, round after round.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// What tells the load from that of other rows: name and value.
    pub(crate) labels: Vec<(&'static str, String)>,
    /// What was loaded.
    pub(crate) target: String,
    /// What each round gave.
    pub(crate) rounds: Vec<Measures>,
}

/// Everything a scenario found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    /// Its lines.
    pub(crate) rows: Vec<Row>,
    /// What a reader has to know of how it was measured.
    pub(crate) notes: Vec<String>,
}

/// A figure over all rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    /// The middle one, or the mean of the two in the middle.
    pub(crate) median: f64,
    /// The smallest.
    pub(crate) min: f64,
    /// The largest.
    pub(crate) max: f64,
}

impl Spread {
    /// Of all these; nothing if there are none.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Spread> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let (low, high) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
        Some(Spread { median: f64::midpoint(low, high), min, max })
    }
}

impl Report {
    /// Adds one round of one target under these labels.
    pub(crate) fn add(
        &mut self,
        labels: &[(&'static str, String)],
        target: &str,
        measures: Measures,
    ) {
        let same = |row: &&mut Row| row.labels == labels && row.target == target;
        match self.rows.iter_mut().find(same) {
            Some(row) => row.rounds.push(measures),
            None => self.rows.push(Row {
                labels: labels.to_vec(),
                target: target.to_owned(),
                rounds: vec![measures],
            }),
        }
    }

    /// Adds a note, once.
    pub(crate) fn note(&mut self, text: impl Into<String>) {
        let text = text.into();
        if !self.notes.contains(&text) {
            self.notes.push(text);
        }
    }

    /// The sum of a figure over everything.
    pub(crate) fn total(&self, metric: &'static Metric) -> f64 {
        self.rows.iter().flat_map(|row| &row.rounds).filter_map(|round| round.get(metric)).sum()
    }
}

impl Row {
    /// A figure over the rounds.
    pub(crate) fn spread(&self, metric: &'static Metric) -> Option<Spread> {
        Spread::of(self.rounds.iter().filter_map(|round| round.get(metric)))
    }

    /// A figure as a ratio to that of another row, round by round: what changed between rounds
    /// met both.
    pub(crate) fn ratio(&self, other: &Row, metric: &'static Metric) -> Option<Spread> {
        let pairs = self.rounds.iter().zip(&other.rounds);
        let ratios = pairs.filter_map(|(own, base)| {
            let base = base.get(metric)?;
            (base > 0.0).then_some(own.get(metric)? / base)
        });
        Spread::of(ratios)
    }

    /// Every metric that some round has, in the order they were put.
    pub(crate) fn metrics(&self) -> Vec<&'static Metric> {
        let mut all: Vec<&'static Metric> = Vec::new();
        for metric in self.rounds.iter().flat_map(Measures::metrics) {
            if !all.iter().any(|known| known.key == metric.key) {
                all.push(metric);
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::metric::{CPU_US, LOST};
    use super::*;

    fn measures(metric: &'static Metric, value: f64) -> Measures {
        let mut measures = Measures::default();
        measures.put(metric, value);
        measures
    }

    #[test]
    fn a_spread_has_the_middle_and_both_ends() {
        let spread = |values: &[f64]| Spread::of(values.iter().copied());
        assert_eq!(spread(&[]), None);
        assert_eq!(spread(&[3.0, 1.0, 9.0]), Some(Spread { median: 3.0, min: 1.0, max: 9.0 }));
        assert_eq!(spread(&[4.0, 1.0]), Some(Spread { median: 2.5, min: 1.0, max: 4.0 }));
    }

    #[test]
    fn ratios_are_those_of_the_same_round() {
        let mut report = Report::default();
        for (own, base) in [(2.0, 1.0), (30.0, 10.0), (4.0, 1.0), (1.0, 0.0)] {
            report.add(&[], "own", measures(&CPU_US, own));
            report.add(&[], "base", measures(&CPU_US, base));
        }
        let ratio = report.rows[0].ratio(&report.rows[1], &CPU_US);
        assert_eq!(ratio, Some(Spread { median: 3.0, min: 2.0, max: 4.0 }));
    }

    #[test]
    fn rows_are_told_apart_by_labels_and_target() {
        let mut report = Report::default();
        let label = |value: &str| vec![("via", value.to_owned())];
        report.add(&label("ws"), "a", measures(&LOST, 1.0));
        report.add(&label("ws"), "b", measures(&LOST, 2.0));
        report.add(&label("sse"), "a", measures(&LOST, 4.0));
        report.add(&label("ws"), "a", measures(&LOST, 8.0));
        assert_eq!(report.rows.iter().map(|row| row.rounds.len()).collect::<Vec<_>>(), [2, 1, 1]);
        assert_eq!(report.total(&LOST), 15.0);
        assert_eq!(measures(&LOST, f64::NAN).get(&LOST), None);
    }
}
