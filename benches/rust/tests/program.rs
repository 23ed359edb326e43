//! The program itself: a whole quick run, and what it answers to a command line that cannot be
//! followed.

use std::fs;
use std::process::{Command, Output};

use cenote_bench::scenarios::LATENCY;
use serde_json::Value;

fn program(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cenote-bench"))
        .args(args)
        .output()
        .expect("the program starts")
}

#[test]
fn a_quick_run_measures_everything() {
    let json = std::env::temp_dir().join(format!("cenote-bench-{}.json", std::process::id()));
    let output = program(&["--quick", "--json", json.to_str().expect("a readable path")]);
    let (text, progress) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{text}\n{progress}");
    assert!(!text.contains("Failed"), "{text}");
    assert!(text.contains("### Bars"), "{text}");

    let value: Value =
        serde_json::from_str(&fs::read_to_string(&json).expect("it was written")).expect("JSON");
    fs::remove_file(&json).expect("it is there");
    for scenario in &LATENCY {
        assert!(text.contains(scenario.title), "{} in {text}", scenario.name);
        assert!(
            progress.contains(scenario.name),
            "{} in {progress}",
            scenario.name
        );
        for contender in scenario.contenders {
            let figures = &value["scenarios"][scenario.name][contender.name()]["figures"];
            for figure in scenario.figures {
                let values = figures[figure.name]["values"].as_array();
                assert_eq!(
                    values.map(Vec::len),
                    Some(1),
                    "{}, {}, {}",
                    scenario.name,
                    contender.name(),
                    figure.name
                );
            }
        }
    }
}

#[test]
fn one_scenario_and_one_contender_are_all_that_is_run() {
    let output = program(&[
        "--quick",
        "--scenario",
        "roundtrip",
        "--contender",
        "threadpool",
    ]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("| threadpool |"), "{text}");
    assert!(!text.contains("| rayon |"), "{text}");
    assert!(!text.contains("| `burst` |"), "{text}");
}

#[test]
fn a_command_line_that_cannot_be_followed_ends_with_two() {
    for args in [
        &["--scenario", "nothing"][..],
        &["--rounds", "none"],
        &["--fast"],
    ] {
        let output = program(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(output.stdout.is_empty(), "{args:?}");
    }
}

#[test]
fn a_measurement_that_finds_something_wrong_says_what() {
    // The counting allocator is not this program's, so its scenario is not either.
    let output = program(&["--child", "allocations", "rayon"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("allocations"));
}
