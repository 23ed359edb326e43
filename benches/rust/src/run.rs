//! A run: rounds of scenarios, each contender in a process of its own, and then the report.

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::Instant;

use crate::child;
use crate::contender::Contender;
use crate::machine::{self, Surroundings};
use crate::options::{HELP, Options};
use crate::report::{self, Results};
use crate::scenarios::{Processes, Scenario};

/// The command line could not be followed, or the results could not be written.
const MISUSED: u8 = 2;

/// Runs those of `scenarios` that the arguments choose, and prints the report on stdout.
///
/// Ends with 0 whether or not bars are met, 1 if cenote gave a wrong result or none, 2 if the
/// command line cannot be followed.
pub fn run(scenarios: &[Scenario], args: impl IntoIterator<Item = String>) -> ExitCode {
    let args: Vec<_> = args.into_iter().collect();
    if let [flag, rest @ ..] = args.as_slice()
        && flag == child::FLAG
    {
        return child::serve(scenarios, rest);
    }
    follow(scenarios, Options::parse(args))
}

/// The same for a benchmark that cargo starts. `cargo test --benches` starts it too, and then means
/// a short try.
pub fn run_as_bench(scenarios: &[Scenario]) -> ExitCode {
    let args: Vec<_> = std::env::args().skip(1).collect();
    if args.first().is_some_and(|flag| flag == child::FLAG) {
        return run(scenarios, args);
    }
    let options = Options::parse(args).map(|mut options| {
        options.quick |= !options.bench;
        options
    });
    follow(scenarios, options)
}

fn follow(scenarios: &[Scenario], options: Result<Options, String>) -> ExitCode {
    let outcome = options.and_then(|options| {
        if options.help {
            print!("{HELP}");
            return Ok(true);
        }
        let chosen = options.chosen(scenarios)?;
        if options.list {
            list(&chosen);
            return Ok(true);
        }
        report(&chosen, &options)
    });
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(MISUSED)
        }
    }
}

fn list(scenarios: &[&Scenario]) {
    for scenario in scenarios {
        let names: Vec<_> = scenario.contenders.iter().map(|one| one.name()).collect();
        println!(
            "{}: {}\n  {}",
            scenario.name,
            scenario.title,
            names.join(", ")
        );
    }
}

/// Measures, prints, writes. Says whether cenote has no failure.
fn report(scenarios: &[&Scenario], options: &Options) -> Result<bool, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let surroundings = Surroundings::watch();
    let results = measure(&program, scenarios, options);
    let mut machine = machine::description();
    machine.extend(surroundings.describe());
    print!("{}", report::markdown(&results, scenarios, &machine));
    if let Some(path) = &options.json {
        let value = report::json(&results, options.rounds(), options.quick, &machine);
        fs::write(path, format!("{value:#}\n"))
            .map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let own = results
        .failures()
        .find(|(_, contender, _)| !contender.is_peer());
    Ok(own.is_none())
}

/// All rounds: within each, all contenders run a scenario before the next scenario starts, and each
/// round starts with another contender, so that what drifts hits all alike.
fn measure(program: &Path, scenarios: &[&Scenario], options: &Options) -> Results {
    let mut results = Results::default();
    let rounds = options.rounds();
    // The tables keep this order, whoever begins.
    for scenario in scenarios {
        for &contender in scenario.contenders {
            if options.wants(contender) {
                results.expect(scenario, contender);
            }
        }
    }
    for round in 0..rounds {
        for scenario in scenarios {
            let start = Instant::now();
            let mut order = scenario.contenders.to_vec();
            order.rotate_left(round % scenario.contenders.len());
            order.retain(|&contender| options.wants(contender));
            if order.is_empty() {
                continue;
            }
            if scenario.processes == Processes::AtOnce {
                at_once(program, scenario, &order, options.quick, &mut results);
            }
            for _ in 0..scenario.processes.in_turn(round, rounds, options.quick) {
                for &contender in &order {
                    let outcome = child::measure(program, scenario, contender, options.quick);
                    results.add(scenario, contender, outcome);
                }
            }
            eprintln!(
                "round {} of {rounds}: {} {:.1} s",
                round + 1,
                scenario.name,
                start.elapsed().as_secs_f64()
            );
        }
    }
    results
}

/// One process for each contender, all at the same time.
fn at_once(
    program: &Path,
    scenario: &Scenario,
    order: &[Contender],
    quick: bool,
    results: &mut Results,
) {
    let outcomes: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = order
            .iter()
            .map(|&contender| {
                scope.spawn(move || child::measure(program, scenario, contender, quick))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join()).collect()
    });
    for (&contender, outcome) in order.iter().zip(outcomes) {
        let outcome = outcome.unwrap_or_else(|_| Err("its measurement panicked".to_owned()));
        results.add(scenario, contender, outcome);
    }
}
