//! Every scenario measures every contender that it names: in small, in this process, with all its
//! checks.

use cenote_bench::effort::Effort;
use cenote_bench::scenarios::LATENCY;

/// Measures all contenders of one scenario.
fn every_contender(name: &str) {
    let scenario = LATENCY
        .iter()
        .find(|one| one.name == name)
        .expect("it exists");
    for &contender in scenario.contenders {
        let values = (scenario.measure)(contender, &Effort::SMOKE)
            .unwrap_or_else(|message| panic!("{name}, {}: {message}", contender.name()));
        assert_eq!(
            values.len(),
            scenario.figures.len(),
            "{name}, {}",
            contender.name()
        );
        assert!(
            values.iter().all(|value| value.is_finite()),
            "{name}, {}: {values:?}",
            contender.name()
        );
    }
}

#[test]
fn roundtrip() {
    every_contender("roundtrip");
}

#[test]
fn roundtrip_asleep() {
    every_contender("roundtrip-asleep");
}

#[test]
fn roundtrip_timers() {
    every_contender("roundtrip-timers");
}

#[test]
fn workers() {
    every_contender("workers");
}

#[test]
fn awaited() {
    every_contender("awaited");
}

#[test]
fn awaited_many() {
    every_contender("awaited-many");
}

#[test]
fn burst() {
    every_contender("burst");
}

#[test]
fn batch() {
    every_contender("batch");
}

#[test]
fn open_loop() {
    every_contender("open-loop");
}

#[test]
fn trickle() {
    every_contender("trickle");
}

#[test]
fn idle() {
    every_contender("idle");
}

#[test]
fn memory() {
    every_contender("memory");
}

#[test]
fn saturated_timer() {
    every_contender("saturated-timer");
}
