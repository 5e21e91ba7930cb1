//! A report as Markdown and as JSON. Must never round what goes into the JSON.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context;
use serde_json::{Map, Value, json};

use super::metric::Metric;
use super::{Report, Row, Spread};
use crate::machine::Facts;

impl Report {
    /// Writes `NAME.json` and `NAME.md` into `folder`, and the latter to standard output.
    ///
    /// # Errors
    /// When the files cannot be written.
    pub(crate) fn publish(&self, name: &str, facts: &Facts, folder: &Path) -> anyhow::Result<()> {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
        let markdown = self.markdown(name, facts);
        let json = format!("{:#}\n", self.json(name, facts));
        for (ending, text) in [("md", &markdown), ("json", &json)] {
            let path = folder.join(format!("{name}.{ending}"));
            std::fs::write(&path, text)
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        println!("{markdown}");
        Ok(())
    }

    /// Puts the report into a page, in the place of its section of that name or at the end.
    ///
    /// # Errors
    /// When the page cannot be read or written.
    pub(crate) fn put_into(&self, page: &Path, name: &str, facts: &Facts) -> anyhow::Result<()> {
        let text = std::fs::read_to_string(page)
            .with_context(|| format!("cannot read {}", page.display()))?;
        let text = with_section(&text, name, &self.markdown(name, facts));
        std::fs::write(page, text).with_context(|| format!("cannot write {}", page.display()))
    }

    fn json(&self, name: &str, facts: &Facts) -> Value {
        let rows: Vec<Value> = self.rows.iter().map(row_json).collect();
        json!({ "scenario": name, "facts": facts.pairs(), "notes": self.notes, "rows": rows })
    }

    fn markdown(&self, name: &str, facts: &Facts) -> String {
        let mut out = format!("## {name}\n\n");
        for (fact, value) in facts.pairs() {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let _ = writeln!(out, "- {fact}: {value}");
        }
        for note in &self.notes {
            let _ = writeln!(out, "- {note}");
        }
        out.push('\n');
        for (rows, metrics) in self.tables() {
            write_table(&mut out, &rows, &metrics, |row, metric| {
                row.spread(metric).map(|spread| shown(spread, metric.digits))
            });
        }
        self.write_ratios(&mut out);
        out
    }

    /// Rows that have the same names of labels, and every figure that one of them has.
    fn tables(&self) -> Vec<(Vec<&Row>, Vec<&'static Metric>)> {
        let mut tables: Vec<(Vec<&Row>, Vec<&'static Metric>)> = Vec::new();
        let names = |row: &Row| row.labels.iter().map(|(name, _)| *name).collect::<Vec<_>>();
        for row in &self.rows {
            let known = tables.iter().position(|(rows, _)| names(rows[0]) == names(row));
            let index = known.unwrap_or_else(|| {
                tables.push((Vec::new(), Vec::new()));
                tables.len() - 1
            });
            let (rows, metrics) = &mut tables[index];
            rows.push(row);
            for metric in row.metrics() {
                if !metrics.iter().any(|known| known.key == metric.key) {
                    metrics.push(metric);
                }
            }
        }
        tables
    }

    /// Every other target as ratios to the first one under the same labels.
    fn write_ratios(&self, out: &mut String) {
        let base_of = |row: &Row| self.rows.iter().find(|base| base.labels == row.labels);
        for (rows, metrics) in self.tables() {
            let compared: Vec<&'static Metric> =
                metrics.into_iter().filter(|metric| metric.compared).collect();
            let others: Vec<&Row> = rows
                .into_iter()
                .filter(|row| base_of(row).is_some_and(|base| base.target != row.target))
                .collect();
            if others.is_empty() || compared.is_empty() {
                continue;
            }
            let base = base_of(others[0]).map_or("", |base| base.target.as_str());
            let _ = writeln!(out, "Ratios to {base}:\n");
            write_table(out, &others, &compared, |row, metric| {
                row.ratio(base_of(row)?, metric).map(|spread| shown(spread, 2))
            });
        }
    }
}

/// A page with a section between the marks of its name.
fn with_section(page: &str, name: &str, section: &str) -> String {
    let (begin, end) = (format!("<!-- bench {name} -->\n"), format!("<!-- end {name} -->\n"));
    let section = format!("{begin}{section}{end}");
    let old = page.find(&begin).and_then(|from| {
        let length = page[from..].find(&end)? + end.len();
        Some((&page[..from], &page[from + length..]))
    });
    match old {
        Some((before, behind)) => [before, &section, behind].concat(),
        None => format!("{}\n\n{section}", page.trim_end()),
    }
}

fn row_json(row: &Row) -> Value {
    let labels: Map<String, Value> = row
        .labels
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Value::from(value.as_str())))
        .collect();
    let figures: Map<String, Value> = row
        .metrics()
        .into_iter()
        .filter_map(|metric| {
            let Spread { median, min, max } = row.spread(metric)?;
            let rounds: Vec<Option<f64>> =
                row.rounds.iter().map(|round| round.get(metric)).collect();
            let value = json!({ "median": median, "min": min, "max": max, "rounds": rounds });
            Some((metric.key.to_owned(), value))
        })
        .collect();
    json!({ "target": row.target, "labels": labels, "figures": figures })
}

/// The middle, and the ends where they differ from it.
fn shown(spread: Spread, digits: usize) -> String {
    let number = |value: f64| grouped(&format!("{value:.digits$}"));
    let (median, min, max) = (number(spread.median), number(spread.min), number(spread.max));
    if min == max { median } else { format!("{median} ({min}–{max})") }
}

/// Thousands apart, from 10,000 on.
fn grouped(number: &str) -> String {
    let (whole, rest) = number.split_at(number.find('.').unwrap_or(number.len()));
    let digits = whole.trim_start_matches('-');
    if digits.len() < 5 {
        return number.to_owned();
    }
    let mut out = String::from(&whole[..whole.len() - digits.len()]);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out + rest
}

fn write_table(
    out: &mut String,
    rows: &[&Row],
    metrics: &[&'static Metric],
    cell: impl Fn(&Row, &'static Metric) -> Option<String>,
) {
    let labels = rows.first().map_or(&[][..], |row| &row.labels);
    let names = labels.iter().map(|(name, _)| *name).chain(["target"]);
    let head: Vec<&str> = names.chain(metrics.iter().map(|metric| metric.title)).collect();
    let _ = writeln!(out, "| {} |", head.join(" | "));
    let _ = writeln!(out, "|{}", " --- |".repeat(head.len()));
    for row in rows {
        let labels = row.labels.iter().map(|(_, value)| value.clone()).chain([row.target.clone()]);
        let figures = metrics.iter().map(|metric| cell(row, metric).unwrap_or_default());
        let _ = writeln!(out, "| {} |", labels.chain(figures).collect::<Vec<_>>().join(" | "));
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::super::Measures;
    use super::super::metric::{CPU_US, LOST};
    use super::*;

    #[test]
    fn figures_show_their_spread_only_where_there_is_one() {
        assert_eq!(shown(Spread { median: 2.0, min: 2.0, max: 2.0 }, 1), "2.0");
        let wide = Spread { median: 12345.6, min: 999.0, max: 1_234_567.0 };
        assert_eq!(shown(wide, 0), "12,346 (999–1,234,567)");
    }

    #[test]
    fn a_section_takes_the_place_of_the_old_one() {
        let page = with_section("# Title\n", "a", "one\n");
        assert_eq!(page, "# Title\n\n<!-- bench a -->\none\n<!-- end a -->\n");
        let page = with_section(&with_section(&page, "b", "two\n"), "a", "three\n");
        let expected = "# Title\n\n<!-- bench a -->\nthree\n<!-- end a -->\n\n\
            <!-- bench b -->\ntwo\n<!-- end b -->\n";
        assert_eq!(page, expected);
    }

    #[test]
    fn a_table_has_ratios_to_its_first_target() {
        let mut report = Report::default();
        for (target, cpu) in [("own", 2.0), ("peer", 5.0)] {
            let mut measures = Measures::default();
            measures.put(&CPU_US, cpu).put(&LOST, 0.0);
            report.add(&[("via", "ws".to_owned())], target, measures);
        }
        let text = report.markdown("x", &Facts::default());
        let table = "| via | target | CPU µs/message | lost |\n| --- | --- | --- | --- |\n\
            | ws | own | 2.00 | 0 |\n| ws | peer | 5.00 | 0 |\n\n\
            Ratios to own:\n\n| via | target | CPU µs/message |\n| --- | --- | --- |\n\
            | ws | peer | 2.50 |\n";
        assert!(text.contains(table), "{text}");
        let json = report.json("x", &Facts::default());
        assert_eq!(json["rows"][1]["figures"]["cpu_us_per_message"]["rounds"][0], 5.0);
    }
}
