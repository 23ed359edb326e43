//! What a run found, and how it is shown: Markdown for people, JSON for programs.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::bars::{self, Verdict};
use crate::contender::Contender;
use crate::scenarios::{Outcome, Processes, Scenario};
use crate::statistics::{Distribution, Spread};

/// One contender in one scenario: the values of each round.
#[derive(Debug, Clone)]
struct Entry {
    scenario: &'static str,
    contender: Contender,
    /// The figures' names, each with its values.
    figures: Vec<(&'static str, Vec<f64>)>,
    /// What went wrong, if anything did; such an entry has no figures.
    failure: Option<String>,
}

/// Everything that a run found.
#[derive(Debug, Clone, Default)]
pub struct Results {
    entries: Vec<Entry>,
}

impl Results {
    /// Makes the row of a contender. The tables show rows in the order in which they were made.
    pub fn expect(&mut self, scenario: &Scenario, contender: Contender) {
        self.row(scenario, contender);
    }

    fn row(&mut self, scenario: &Scenario, contender: Contender) -> &mut Entry {
        let found = self
            .entries
            .iter()
            .position(|entry| entry.scenario == scenario.name && entry.contender == contender);
        let index = found.unwrap_or_else(|| {
            self.entries.push(Entry {
                scenario: scenario.name,
                contender,
                figures: scenario
                    .figures
                    .iter()
                    .map(|one| (one.name, Vec::new()))
                    .collect(),
                failure: None,
            });
            self.entries.len() - 1
        });
        &mut self.entries[index]
    }

    /// Adds what one process measured.
    pub fn add(&mut self, scenario: &Scenario, contender: Contender, outcome: Outcome) {
        let entry = self.row(scenario, contender);
        match outcome {
            Ok(values) => {
                for ((_, all), value) in entry.figures.iter_mut().zip(values) {
                    all.push(value);
                }
            }
            Err(message) => entry.failure = Some(message),
        }
    }

    /// Median, smallest and largest of a figure; `None` if it was not measured, or if any round
    /// failed.
    pub fn spread(&self, scenario: &str, contender: Contender, figure: &str) -> Option<Spread> {
        Spread::of(self.values(scenario, contender, figure)?)
    }

    /// What each process measured, unless any round failed.
    fn values(&self, scenario: &str, contender: Contender, figure: &str) -> Option<&[f64]> {
        let entry = self
            .entries
            .iter()
            .find(|entry| entry.scenario == scenario && entry.contender == contender)?;
        if entry.failure.is_some() {
            return None;
        }
        let (_, values) = entry.figures.iter().find(|(name, _)| *name == figure)?;
        Some(values)
    }

    /// Who failed where, and why.
    pub fn failures(&self) -> impl Iterator<Item = (&'static str, Contender, &str)> {
        self.entries
            .iter()
            .filter_map(|entry| Some((entry.scenario, entry.contender, entry.failure.as_deref()?)))
    }
}

/// A number with about three significant digits.
pub fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn cell(spread: Option<Spread>) -> String {
    match spread {
        None => "failed".to_owned(),
        Some(one) if one.min == one.max => number(one.median),
        Some(one) => {
            format!(
                "{} ({}–{})",
                number(one.median),
                number(one.min),
                number(one.max)
            )
        }
    }
}

/// The tables, the bars, what failed, the machine.
pub fn markdown(results: &Results, scenarios: &[&Scenario], machine: &[String]) -> String {
    let mut text = String::new();
    for scenario in scenarios {
        table(&mut text, results, scenario);
        if matches!(scenario.processes, Processes::InAll(_)) {
            distribution(&mut text, results, scenario);
        }
    }
    let verdicts = bars::judge(results);
    if !verdicts.is_empty() {
        bar_table(&mut text, &verdicts);
    }
    for (scenario, contender, message) in results.failures() {
        writeln!(
            text,
            "**Failed:** {scenario}, {}: {message}\n",
            contender.name()
        )
        .expect("a string takes all");
    }
    for line in machine {
        writeln!(text, "{line}  ").expect("a string takes all");
    }
    text
}

fn table(text: &mut String, results: &Results, scenario: &Scenario) {
    let entries: Vec<_> = results
        .entries
        .iter()
        .filter(|entry| entry.scenario == scenario.name)
        .collect();
    if entries.is_empty() {
        return;
    }
    let heads: Vec<_> = scenario
        .figures
        .iter()
        .map(|figure| format!("{}, {}", figure.name, figure.unit))
        .collect();
    let mut lines = vec![
        format!("### {}\n", scenario.title),
        format!("| `{}` | {} |", scenario.name, heads.join(" | ")),
        format!("|---|{}", "--:|".repeat(heads.len())),
    ];
    for entry in entries {
        let cells: Vec<_> = scenario
            .figures
            .iter()
            .map(|figure| cell(results.spread(scenario.name, entry.contender, figure.name)))
            .collect();
        lines.push(format!(
            "| {} | {} |",
            entry.contender.name(),
            cells.join(" | ")
        ));
    }
    writeln!(text, "{}\n", lines.join("\n")).expect("a string takes all");
}

/// How the processes of a scenario lie, for its first figure.
fn distribution(text: &mut String, results: &Results, scenario: &Scenario) {
    let Some(figure) = scenario.figures.first() else {
        return;
    };
    let rows: Vec<_> = scenario
        .contenders
        .iter()
        .filter_map(|&contender| {
            let values = results.values(scenario.name, contender, figure.name)?;
            let found = Distribution::of(values)?;
            let quartiles = found.quartiles.map(number).join(" | ");
            let sides: Vec<_> = found
                .sides
                .iter()
                .map(|&(count, median)| format!("{count} at {}", number(median)))
                .collect();
            let sides = sides.join(", ");
            Some(format!("| {} | {quartiles} | {sides} |", contender.name()))
        })
        .collect();
    if rows.is_empty() {
        return;
    }
    let lines = [
        format!(
            "| {}, {}, of each process | least | 25 % | 50 % | 75 % | most | processes |",
            figure.name, figure.unit
        ),
        format!("|---|{}---|", "--:|".repeat(5)),
    ];
    let lines = [&lines[..], &rows[..]].concat();
    writeln!(text, "{}\n", lines.join("\n")).expect("a string takes all");
}

fn bar_table(text: &mut String, verdicts: &[Verdict]) {
    let mut lines = vec![
        "### Bars, for 2 CPUs\n".to_owned(),
        "| figure | bar | limit | measured | |".to_owned(),
        "|---|---|--:|--:|---|".to_owned(),
    ];
    for verdict in verdicts {
        let outcome = if verdict.met() {
            "met".to_owned()
        } else {
            format!("missed by {:.0} %", verdict.missed_by() * 100.0)
        };
        lines.push(format!(
            "| {} | {} | {} | {} | {outcome} |",
            verdict.bar.what,
            verdict.bar.limit.in_words(verdict.opponent),
            number(verdict.limit),
            number(verdict.measured),
        ));
    }
    writeln!(text, "{}\n", lines.join("\n")).expect("a string takes all");
}

/// All values of all rounds, and the verdicts.
pub fn json(results: &Results, rounds: usize, quick: bool, machine: &[String]) -> Value {
    let mut scenarios = Map::new();
    for entry in &results.entries {
        let figures: Map<_, _> = entry
            .figures
            .iter()
            .map(|(name, values)| {
                let spread = results.spread(entry.scenario, entry.contender, name);
                let figure = json!({ "values": values, "median": spread.map(|one| one.median) });
                ((*name).to_owned(), figure)
            })
            .collect();
        let scenario = scenarios
            .entry(entry.scenario)
            .or_insert_with(|| Value::Object(Map::new()));
        scenario[entry.contender.name()] = json!({ "figures": figures, "failure": entry.failure });
    }
    let verdicts: Vec<_> = bars::judge(results)
        .iter()
        .map(|verdict| {
            json!({
                "figure": verdict.bar.what,
                "bar": verdict.bar.limit.in_words(verdict.opponent),
                "limit": verdict.limit,
                "measured": verdict.measured,
                "met": verdict.met(),
            })
        })
        .collect();
    json!({
        "machine": machine,
        "rounds": rounds,
        "quick": quick,
        "scenarios": scenarios,
        "bars": verdicts,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenarios::LATENCY;

    fn three_rounds() -> Results {
        let mut results = Results::default();
        for p50 in [0.2, 0.4, 0.3] {
            results.add(&LATENCY[0], Contender::Cenote, Ok(vec![p50, 1.0]));
            results.add(&LATENCY[0], Contender::Rayon, Ok(vec![p50 * 100.0, 100.0]));
        }
        results
    }

    #[test]
    fn a_cell_is_the_median_and_the_range() {
        let text = markdown(&three_rounds(), &[&LATENCY[0]], &["a machine".to_owned()]);
        assert!(
            text.contains("| cenote | 0.30 (0.20–0.40) | 1.00 |"),
            "{text}"
        );
        assert!(
            text.contains("| rayon | 30.0 (20.0–40.0) | 100 |"),
            "{text}"
        );
        assert!(text.contains("a machine"));
    }

    #[test]
    fn one_failed_round_takes_all_figures_of_that_contender() {
        let mut results = three_rounds();
        results.add(&LATENCY[0], Contender::Rayon, Err("it hung".to_owned()));
        let text = markdown(&results, &[&LATENCY[0]], &[]);
        assert!(text.contains("| rayon | failed | failed |"), "{text}");
        assert!(text.contains("it hung"), "{text}");
        assert_eq!(results.failures().count(), 1);
    }

    #[test]
    fn where_each_process_counts_their_distribution_is_shown() {
        let scenario = LATENCY
            .iter()
            .find(|one| matches!(one.processes, Processes::InAll(_)))
            .expect("there is one");
        let mut results = Results::default();
        for p50 in [2.0, 14.0, 2.2, 15.0, 2.1] {
            results.add(scenario, Contender::CenoteNoSpin, Ok(vec![p50, 1.0]));
        }
        results.add(scenario, Contender::Threadpool, Ok(vec![1.0, 1.0]));
        let text = markdown(&results, &[scenario], &[]);
        let row = "| cenote-spin0 | 2.00 | 2.10 | 2.20 | 14.0 | 15.0 | 3 at 2.10, 2 at 14.5 |";
        assert!(text.contains(row), "{text}");
        // One process has no distribution.
        assert_eq!(text.matches("| threadpool |").count(), 1, "{text}");
    }

    #[test]
    fn json_holds_every_round() {
        let value = json(&three_rounds(), 3, false, &[]);
        let p50 = &value["scenarios"]["roundtrip"]["cenote"]["figures"]["p50"];
        assert_eq!(p50["values"], json!([0.2, 0.4, 0.3]));
        assert_eq!(p50["median"], json!(0.3));
        assert!(
            value["bars"]
                .as_array()
                .is_some_and(|bars| !bars.is_empty())
        );
    }
}
